package rest

import (
	"context"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Effects is all that a REST API needs from the world. It must be safe for concurrent use.
type Effects interface {
	gateway.Effects
	// Fetch sends a request to the backend of an HTTP integration; scheme, host, path and query are in r. The error is a
	// *FetchError, or wraps context.DeadlineExceeded when ctx ran out.
	Fetch(ctx context.Context, b Backend, r *message.Request) (*message.Response, error)
	// InvokeLambda calls a function after the engine has found that it may. Payload is valid until it returns; the
	// result belongs to the engine. An error is an API error of Lambda's Invoke, or wraps context.DeadlineExceeded.
	InvokeLambda(ctx context.Context, c Call) (CallResult, error)
	// Identities finds callers of AWS_IAM methods.
	Identities() iam.Directory
	// Log takes a line of a stage's access log.
	Log(stageARN, line string)
}

// Backend is what an HTTP integration says beyond its request.
type Backend struct {
	// VPCLink is the connection id of a VPC link, "" for the internet.
	VPCLink string
	Timeout time.Duration
}

// Call is an invocation of a function.
type Call struct {
	Function *Function
	Payload  []byte
	// RequestID is API Gateway's request id, and TraceID the X-Amzn-Trace-Id of the request.
	RequestID, TraceID string
	Timeout            time.Duration
	// Trace is nil unless the request is explained.
	Trace *trace.Trace
	// Async is set for X-Amz-Invocation-Type Event: the result has no payload.
	Async bool
}

// CallResult is what a function returned.
type CallResult struct {
	Payload []byte
	// FunctionError is Handled or Unhandled when the function failed; Payload has its error then.
	FunctionError string
}

// FetchProblem is why a backend gave no answer.
type FetchProblem uint8

// The problems.
const (
	// FetchNetwork: it was found but could not be talked to.
	FetchNetwork FetchProblem = iota
	// FetchAddress: its name or address cannot be used.
	FetchAddress
	// FetchTimeout: it took too long.
	FetchTimeout
)

// FetchError is the error of Effects.Fetch.
type FetchError struct {
	Problem FetchProblem
	Err     error
}

// Error returns the cause in words.
func (e *FetchError) Error() string { return "fetch from the integration's backend: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }
