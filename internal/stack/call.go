package stack

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi"
)

// call runs an operation of a service as an API request would: the input is validated first, then the handler is called.
func call[O any](ctx context.Context, svc *awsapi.Service, handler any, operation string, in any) (*O, error) {
	op := svc.Operation(operation)
	if err := awsapi.Validate(svc, op, in); err != nil {
		return nil, err
	}
	out, err := op.Call(ctx, handler, in)
	if err != nil {
		return nil, err
	}
	return out.(*O), nil
}
