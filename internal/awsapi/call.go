package awsapi

import "context"

// Caller is who signed a request.
type Caller struct {
	// ARN is the principal, such as arn:aws:iam::000000000000:root.
	ARN string
	// Account is the 12-digit account of the principal, UserID its unique id.
	Account, UserID string
	AccessKeyID     string
	// Root is true for the account's root user, which no policy limits.
	Root bool
}

// Call is what a handler may know of a request beside its input.
type Call struct {
	Region, Account string
	// RequestID is the id that the answer carries.
	RequestID string
	Caller    Caller
	// Service and Operation are those of the request; nil for a call that came another way.
	Service   *Service
	Operation *Operation
}

type callKey struct{}

// WithCall returns a context with c in it.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the call in ctx, an empty one when there is none; never nil.
func CallFrom(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &Call{}
}
