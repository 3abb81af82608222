package rest

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
	"github.com/foregate/foregate/internal/vtl"
)

// maxBody is API Gateway's payload limit (facts: apigateway 3, 5).
const maxBody = 10 << 20

// exchange is one request in the pipeline.
type exchange struct {
	stage   *Stage
	ctx     context.Context
	req     *message.Request
	arrival gateway.Arrival
	hop     *trace.Hop
	now     time.Time

	requestID, extendedID, traceID string
	// path is the raw path within the stage.
	path string
	ip   string // sourceIP's

	resource *resource
	method   *method
	params   []param
	paramBuf [4]param
	query    []pair
	queryBuf [8]pair

	body     []byte
	bodyRead bool

	caller     *iam.Identity
	authorizer *vtl.Map
	usageKey   string // usageIdentifierKey of an authorizer
	apiKey     *clientKey

	failure failure
	// verdict and detail go into the trace's step of the current phase.
	verdict, detail string

	out      outgoing
	backend  backendAnswer
	env      *vtl.Env
	response *message.Response
	started  time.Time // of the integration
	latency  time.Duration
}

// failure is the error that the pipeline ends in.
type failure struct {
	fault
	reason Reason
	path   string
	// validation is $context.error.validationErrorString.
	validation string
}

// fault is an error as the client sees it.
type fault struct {
	kind      ResponseType
	status    int
	errorType string
	message   string
	// capital writes the key as "Message" (facts: apigateway 3, IAM denies).
	capital bool
	// spaced writes a blank behind the colon (facts: apigateway 3, note on spacing).
	spaced bool
	// null writes {"message":null}.
	null bool
}

// internalError is what most failures of integrations look like from outside.
var internalError = fault{kind: APIConfigurationError, status: 500, errorType: "InternalServerErrorException",
	message: "Internal server error", spaced: true}

// refuse ends the request in an error; path is the part of the source behind it, the method's when empty.
func (x *exchange) refuse(reason Reason, f fault) (phaseID, Reason) {
	return x.refuseAt(reason, f, "")
}

func (x *exchange) refuseAt(reason Reason, f fault, path string) (phaseID, Reason) {
	if path == "" {
		path = x.sourcePath()
	}
	x.failure = failure{fault: f, reason: reason, path: path}
	x.hop.Fact(trace.Refused, f.errorType, reason.Cause(), path)
	return phaseGatewayResponse, reason
}

func (x *exchange) sourcePath() string {
	switch {
	case x.method != nil && x.method.SourcePath != "":
		return x.method.SourcePath
	case x.stage.plan.Stage.SourcePath != "":
		return x.stage.plan.Stage.SourcePath
	}
	return x.stage.plan.API.SourcePath
}

var (
	errTooLong    = errors.New("body is larger than 10 MB")
	errUnreadable = errors.New("body ended early")
)

// readBody reads the request's body once.
func (x *exchange) readBody() error {
	if x.bodyRead || x.req.Body == nil {
		return nil
	}
	x.bodyRead = true
	n := x.req.ContentLength
	if n > maxBody {
		return errTooLong
	}
	buf := make([]byte, 0, max(512, n+1))
	for {
		m, err := x.req.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if len(buf) > maxBody {
			return errTooLong
		}
		if err == io.EOF {
			x.body = buf
			return nil
		}
		if err != nil {
			return errUnreadable
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// refuseBody is the answer to a body that readBody could not read.
func (x *exchange) refuseBody(err error) (phaseID, Reason) {
	if errors.Is(err, errTooLong) {
		return x.refuse(reasonTooLong, fault{kind: RequestTooLarge, status: 413, errorType: "RequestEntityTooLargeException",
			message: "Request Too Long"})
	}
	return x.refuse(reasonBodyUnreadable, fault{kind: Default4XX, status: 400, errorType: "BadRequestException",
		message: "Bad Request"})
}

// contentType is the request's, application/json when there is none (facts: apigateway 6).
func (x *exchange) contentType() string {
	if v := x.req.Header.Get("Content-Type"); v != "" {
		return mediaType(v)
	}
	return "application/json"
}

// mediaType is a content type without its parameters, in lower case.
func mediaType(v string) string {
	v, _, _ = strings.Cut(v, ";")
	return strings.ToLower(strings.TrimSpace(v))
}

// param is a path parameter as it stands in the path.
type param struct{ name, raw string }

func (x *exchange) pathParam(name string) (string, bool) {
	for i := range x.params {
		if x.params[i].name == name {
			return x.params[i].raw, true
		}
	}
	return "", false
}

// queryParam is the last value of a parameter (test_lambda_aws_proxy_integration, recorded from AWS by localstack).
func (x *exchange) queryParam(name string) (string, bool) {
	for i := len(x.query) - 1; i >= 0; i-- {
		if x.query[i].name == name {
			return x.query[i].value, true
		}
	}
	return "", false
}

// header is the last value of a header; Host is among them.
func (x *exchange) header(name string) (string, bool) {
	h := x.req.Header
	for i := len(h) - 1; i >= 0; i-- {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	if strings.EqualFold(name, "host") {
		return x.req.Host, true
	}
	return "", false
}
