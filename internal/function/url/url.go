// Package url is the data plane of Lambda function URLs: it authorizes a request, makes the event of payload version 2.0 of
// it, calls the function and turns its result into an answer.
//
// Start with Service, which picks a Plan by the Host header. The package must not know how functions or policies are stored:
// a Plan brings both.
//
// Caveats: response streaming is answered as a whole. Sources: Lambda developer guide, urls-auth, urls-invocation and
// urls-configuration; error texts as quoted in public (awsdocs/aws-lambda-developer-guide#494, brikis98/devops-book#12).
package url

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

// Plan is one function URL, compiled. It is immutable.
type Plan struct {
	// ID is the first label of Host, ID.lambda-url.REGION.on.aws.
	ID, Host, Region, Account string
	// FunctionARN is the function with its alias, the resource of the permissions.
	FunctionARN string
	// IAM is set for AuthType AWS_IAM; otherwise anyone may call whom the policy lets in.
	IAM bool
	// Policy is the resource policy of the function or alias, nil for none.
	Policy *iam.Document
	// CORS is nil when the function itself answers for it.
	CORS *CORS
	// Invoke calls the function.
	Invoke func(context.Context, lambda.Invocation) (lambda.Result, error)
	// SourcePath is the URL's place in the template, PolicyPath the permission's or the function's.
	SourcePath, PolicyPath string
}

// Caller is who asks without a signature that can be looked at: an AWS service in this process.
type Caller struct {
	// Service is such as cloudfront.amazonaws.com; SourceARN and SourceAccount are what it asks for.
	Service, SourceARN, SourceAccount string
}

// Options make a Service.
type Options struct {
	Directory iam.Directory
	// Vouched tells of a service that asks on behalf of a resource; nil when there is none.
	Vouched func(context.Context) (Caller, bool)
	Now     func() time.Time
}

// Service serves the function URLs of all regions. It is immutable.
type Service struct {
	opts     Options
	plans    map[string]*Plan
	verifier *sigv4.Verifier
}

// New returns a Service with these function URLs.
func New(o Options, plans []*Plan) *Service {
	s := &Service{opts: o, plans: map[string]*Plan{}}
	for _, p := range plans {
		s.plans[p.Host] = p
	}
	s.verifier = sigv4.NewVerifier(sigv4.Options{Service: "lambda", Now: o.Now, Lookup: func(id string) (sigv4.Key, bool) {
		if o.Directory == nil {
			return sigv4.Key{}, false
		}
		i, ok := o.Directory.Lookup(id)
		if !ok {
			return sigv4.Key{}, false
		}
		return sigv4.Key{Secret: i.Secret, SessionToken: i.SessionToken, Expires: i.Expires}, true
	}})
	return s
}

// exchange is one request on its way through.
type exchange struct {
	s     *Service
	p     *Plan
	r     *message.Request
	hop   *trace.Hop
	now   time.Time
	id    string // the request's
	body  []byte
	who   *iam.Identity // of a signed request
	asked Caller        // of a vouched one
	cause string        // of the refusal that comes, when explain tells it apart
}

// What explain tells apart among the refusals; the rest say what they mean in their step.
const (
	CauseUnknownHost = "unknown-host"
	CausePayloadHash = "payload-hash"
	CauseNotAllowed  = "not-allowed"
)

// forbiddenText is the answer to whom the policies do not let in.
const forbiddenText = "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"

// Serve answers a request by its Host header.
func (s *Service) Serve(ctx context.Context, r *message.Request) *message.Response {
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	x := &exchange{s: s, r: r, now: s.opts.Now().UTC(), p: s.plans[host], id: newRequestID()}
	if x.p == nil {
		x.hop = r.Trace.Hop("lambda-url", host)
		x.cause = CauseUnknownHost
		return x.refuse(403, "AccessDeniedException", "Message", "Forbidden", "the Host header names no function URL")
	}
	x.hop = r.Trace.Hop("lambda-url", x.p.ID)
	if resp := x.preflight(); resp != nil {
		return resp
	}
	if resp := x.read(); resp != nil {
		return resp
	}
	resp := x.authorize(ctx)
	if resp == nil {
		resp = x.invoke(ctx)
	}
	x.p.CORS.apply(r.Header, resp)
	return resp
}

// read takes the body into memory, at most what an invocation may carry.
func (x *exchange) read() *message.Response {
	if x.r.Body == nil {
		return nil
	}
	b, err := io.ReadAll(io.LimitReader(x.r.Body, lambda.MaxPayload+1))
	switch {
	case err != nil:
		return x.refuse(400, "BadRequestException", "Message", "Bad Request", "the body could not be read: "+err.Error())
	case len(b) > lambda.MaxPayload:
		return x.refuse(413, "RequestEntityTooLargeException", "Message", "Request must be smaller than 6291456 bytes for the InvokeFunction operation", "")
	}
	x.body = b
	return nil
}

// invoke calls the function.
func (x *exchange) invoke(ctx context.Context) *message.Response {
	event, err := x.event()
	if err != nil {
		return x.refuse(500, "InternalServerErrorException", "Message", "Internal Server Error", err.Error())
	}
	result, err := x.p.Invoke(ctx, lambda.Invocation{Payload: event, RequestID: x.id, ARN: x.p.FunctionARN, Trace: x.r.Trace})
	var refused *lambda.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusTooManyRequests:
		return x.refuse(429, "TooManyRequestsException", "Message", "Rate Exceeded.", refused.Error())
	case err != nil:
		return x.refuse(502, "InternalServerErrorException", "Message", "Internal Server Error", err.Error())
	case result.FunctionError != "":
		// A function that fails is a 502 with a plain sentence (Lambda developer guide, urls-invocation, "5xx").
		x.hop.Step("invoke", result.FunctionError, string(result.Payload))
		return x.finish(message.Text(502, "application/json", "Internal Server Error"))
	}
	return x.answer(result.Payload)
}

// finish adds the fields of all answers.
func (x *exchange) finish(resp *message.Response) *message.Response {
	resp.Header.Add("Date", x.now.Format(http.TimeFormat))
	resp.Header.Add("x-amzn-RequestId", x.id)
	if x.r.Method == http.MethodHead && resp.Body != nil {
		resp.Body.Close()
		resp.Body = nil
	}
	return resp
}

// refuse answers with an error of Lambda's own; key is how it spells the message's member.
func (x *exchange) refuse(status int, kind, key, text, because string) *message.Response {
	cause := because
	if x.cause != "" {
		cause = x.cause
	}
	x.hop.Fact(trace.Refused, kind, cause, x.sourcePath())
	if x.hop != nil {
		x.hop.Step("respond", kind, because)
	}
	resp := message.Text(status, "application/json", `{"`+key+`":`+quote(text)+`}`)
	resp.Header.Add("x-amzn-ErrorType", kind)
	return x.finish(resp)
}

func (x *exchange) sourcePath() string {
	if x.p == nil {
		return ""
	}
	return x.p.SourcePath
}

// newRequestID makes a random UUID (rfc9562 5.4).
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
