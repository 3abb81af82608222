package rest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// defaultTimeout is an integration's (facts: apigateway 5).
const defaultTimeout = 29 * time.Second

// backendAnswer is what the integration answered. stream is set instead of body when nothing needs to read it.
type backendAnswer struct {
	status int
	header message.Header
	body   []byte
	stream io.ReadCloser
	length int64
	// failed is set when a function failed.
	failed bool
}

// The answers to an integration that cannot be used (facts: apigateway 3).
var (
	timedOut = fault{kind: IntegrationTimeout, status: 504, errorType: "InternalServerErrorException",
		message: "Endpoint request timed out", spaced: true}
	unreachable = fault{kind: IntegrationFailure, status: 504, errorType: "InternalServerErrorException",
		message: "Network error communicating with endpoint", spaced: true}
	badGateway = fault{kind: Default5XX, status: 502, errorType: "InternalServerErrorException",
		message: "Internal server error", spaced: true}
)

// integrate calls the backend.
func (x *exchange) integrate() (phaseID, Reason) {
	in := x.method.integration
	x.started = x.stage.fx.Now()
	defer func() { x.latency = x.stage.fx.Now().Sub(x.started) }()
	switch {
	case in.Type == IntegrationMock:
		x.backend.status = x.out.status
		return phaseIntegrationResponse, reasonMock
	case in.Function != nil:
		return x.invoke(in)
	}
	return x.fetch(in)
}

func (x *exchange) fetch(in *integration) (phaseID, Reason) {
	ctx, cancel := context.WithTimeout(x.ctx, in.timeout)
	resp, err := x.stage.fx.Fetch(ctx, Backend{VPCLink: in.VPCLink, Timeout: in.timeout}, x.out.request)
	if err != nil {
		cancel()
		if x.hop != nil {
			x.detail = err.Error()
		}
		var fe *FetchError
		errors.As(err, &fe)
		switch {
		case errors.Is(err, context.DeadlineExceeded) || fe != nil && fe.Problem == FetchTimeout:
			return x.refuseAt(reasonTimeout, timedOut, in.SourcePath)
		case fe != nil && fe.Problem == FetchAddress:
			return x.refuseAt(reasonEndpoint, internalError, in.SourcePath)
		}
		return x.refuseAt(reasonNetwork, unreachable, in.SourcePath)
	}
	x.backend.status, x.backend.header, x.backend.length = resp.Status, resp.Header, resp.ContentLength
	if x.hop != nil {
		x.detail = "status " + strconv.Itoa(resp.Status)
	}
	body := resp.Body
	if body == nil {
		cancel()
		return phaseIntegrationResponse, reasonAnswered
	}
	if in.Type == IntegrationHTTPProxy && resp.ContentLength <= maxBody {
		x.backend.stream = cancelReader{body, cancel}
		return phaseIntegrationResponse, reasonAnswered
	}
	defer cancel()
	defer body.Close()
	x.backend.body, err = io.ReadAll(io.LimitReader(body, maxBody+1))
	if errors.Is(err, context.DeadlineExceeded) {
		return x.refuseAt(reasonTimeout, timedOut, in.SourcePath)
	}
	if err != nil || len(x.backend.body) > maxBody {
		return x.refuseAt(reasonBodyIncomplete, internalError, in.SourcePath)
	}
	return phaseIntegrationResponse, reasonAnswered
}

// cancelReader ends the integration's time when its body is closed.
type cancelReader struct {
	io.ReadCloser
	cancel context.CancelFunc
}

// Close closes the body.
func (c cancelReader) Close() error {
	c.cancel()
	return c.ReadCloser.Close()
}

// invoke calls a function, if API Gateway may.
func (x *exchange) invoke(in *integration) (phaseID, Reason) {
	f := in.Function
	if reason := x.mayInvoke(in); reason != reasonNone {
		if x.hop != nil {
			x.detail = f.ARN + " from " + x.stage.sourceARN(x.req.Method, x.resource.plan.Path)
		}
		path := f.SourcePath
		if reason == reasonRole {
			path = in.Credentials.SourcePath
		}
		return x.refuseAt(reason, internalError, path)
	}
	ctx, cancel := context.WithTimeout(x.ctx, in.timeout)
	defer cancel()
	res, err := x.stage.fx.InvokeLambda(ctx, Call{Function: f, Payload: x.out.body, RequestID: x.requestID, Trace: x.req.Trace,
		TraceID: x.traceID, Timeout: in.timeout, Async: x.out.async})
	if x.out.buffer != nil {
		x.stage.buffers.Put(x.out.buffer)
		x.out.buffer, x.out.body = nil, nil
	}
	switch {
	case err != nil && (errors.Is(err, context.DeadlineExceeded) || ctx.Err() == context.DeadlineExceeded):
		return x.refuseAt(reasonTimeout, timedOut, in.SourcePath)
	case err != nil:
		if x.hop != nil {
			x.detail = err.Error()
		}
		x.hop.Fact(trace.FunctionFailed, f.ARN, x.detail, f.SourcePath)
		return x.refuseAt(reasonInvoke, badGateway, f.SourcePath)
	}
	x.backend.status, x.backend.body, x.backend.failed = 200, res.Payload, res.FunctionError != ""
	if x.out.async {
		x.backend.status = 202
	}
	if x.backend.failed && x.hop != nil {
		x.detail = res.FunctionError + ": " + string(res.Payload[:min(len(res.Payload), 1024)])
		x.hop.Fact(trace.FunctionFailed, f.ARN, x.detail, f.SourcePath)
	}
	return phaseIntegrationResponse, reasonAnswered
}

// mayInvoke tells why the function may not be called, or reasonNone.
func (x *exchange) mayInvoke(in *integration) Reason {
	switch {
	case in.Credentials == nil:
		if in.Function.Missing {
			return reasonFunctionMissing
		}
		if !in.permitted(x.req.Method) {
			return reasonPermission
		}
		return reasonNone
	case in.Credentials.ARN == callerCredentials:
		if x.caller == nil || !x.stage.identityMayInvoke(x.caller, in.Function) {
			return reasonRole
		}
	case !in.roleAllows:
		return reasonRole
	}
	if in.Function.Missing {
		return reasonFunctionMissing
	}
	return reasonNone
}

// callerCredentials stands for the caller's own credentials.
const callerCredentials = "arn:aws:iam::*:user/*"

// permitted looks up what Build found out for the method.
func (in *integration) permitted(method string) bool {
	return slices.Contains(in.permittedMethods, method)
}

// sourceARN is aws:SourceArn of a call: the method with the resource's path as configured (facts: apigateway 5).
func (s *Stage) sourceARN(method, resourcePath string) string {
	return s.arnPrefix + method + "/" + strings.TrimPrefix(resourcePath, "/")
}

// servicePermits asks a function's resource policy whether API Gateway may call it.
func (s *Stage) servicePermits(f *Function, sourceARN string) bool {
	if f.Policy == nil {
		return false
	}
	p := iam.ServicePrincipal("apigateway.amazonaws.com")
	d := iam.Evaluate(&iam.Request{
		Principal: &p, ResourcePolicy: &iam.NamedPolicy{Name: "resource policy", Document: f.Policy},
		Action: "lambda:InvokeFunction", Resource: f.ARN, Account: accountOf(f.ARN, s.plan.API.Account),
		Context: iam.Context{"aws:sourcearn": {sourceARN}, "aws:sourceaccount": {s.plan.API.Account}},
	})
	return d.Allowed()
}

func (s *Stage) identityMayInvoke(id *iam.Identity, f *Function) bool {
	q := &iam.Request{Identity: id, Action: "lambda:InvokeFunction", Resource: f.ARN,
		Account: accountOf(f.ARN, s.plan.API.Account)}
	if f.Policy != nil {
		q.ResourcePolicy = &iam.NamedPolicy{Name: "resource policy", Document: f.Policy}
	}
	return iam.Evaluate(q).Allowed()
}

func accountOf(s, fallback string) string {
	if a, err := arn.Parse(s); err == nil {
		return a.Account
	}
	return fallback
}

// roleIdentity is a session of an integration's role.
func roleIdentity(r *Role) *iam.Identity {
	a, err := arn.Parse(r.ARN)
	if err != nil {
		return nil
	}
	path := "/"
	name := strings.TrimPrefix(a.Resource, "role")
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		path, name = name[:i+1], name[i+1:]
	}
	p := iam.SessionPrincipal(iam.Role{Partition: a.Partition, Account: a.Account, Path: path, Name: name},
		"BackplaneAssumeRoleSession")
	return &iam.Identity{Principal: p, Policies: r.Policies}
}
