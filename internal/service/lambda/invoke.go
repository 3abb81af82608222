package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	run "github.com/foregate/foregate/internal/function/lambda"
)

// maxEvent is the most that an event of an asynchronous invocation may have (Lambda quotas, 1 MB since 2025).
const maxEvent = 1 << 20

// Invoke runs a function: and waits for its answer, or lets it run in the background, or only checks that it could.
func (s *Service) Invoke(ctx context.Context, in *lambda.InvokeInput) (*lambda.InvokeOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c, code, err := s.deployed(s.env.Store.Read(ctx), t, f)
	if err != nil {
		return nil, err
	}
	if len(in.Payload) > 0 {
		if err := checkJSON(in.Payload); err != nil {
			return nil, err
		}
	}
	inv := run.Invocation{Payload: in.Payload, RequestID: awsapi.CallFrom(ctx).RequestID, ARN: t.arn(), Tail: deref(in.LogType) == "Tail"}
	if text := deref(in.ClientContext); text != "" {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, awsapi.Errorf(lambda.ErrCodeInvalidRequestContentException, "Client context must be a valid Base64-encoded JSON object.")
		}
		inv.ClientContext = string(b)
	}
	kind := deref(or(in.InvocationType, "RequestResponse"))
	if kind == "DryRun" {
		return &lambda.InvokeOutput{StatusCode: new(int64(204)), ExecutedVersion: c.Version}, nil
	}
	if code.Missing != "" {
		return nil, refuse(lambda.ErrCodeServiceException, "FunctionName", code.Missing, "") // ours: on AWS a function has code
	}
	if s.opts.Invoke == nil {
		return nil, awsapi.StatusErrorf(501, "NotImplemented", "Nothing runs functions here")
	}
	if kind == "Event" {
		return s.event(ctx, t, inv)
	}
	r, err := s.opts.Invoke(ctx, t.arn(), inv)
	if err != nil {
		return nil, invokeError(err)
	}
	out := &lambda.InvokeOutput{StatusCode: new(int64(200)), Payload: r.Payload, ExecutedVersion: c.Version}
	if r.FunctionError != "" {
		out.FunctionError = &r.FunctionError
	}
	if inv.Tail {
		out.LogResult = new(base64.StdEncoding.EncodeToString([]byte(r.LogTail)))
	}
	return out, nil
}

// checkJSON refuses a payload that is no JSON, in the words of Lambda's parser.
func checkJSON(payload []byte) error {
	if json.Valid(payload) {
		return nil
	}
	var v any
	err := json.Unmarshal(payload, &v)
	return refuse(lambda.ErrCodeInvalidRequestContentException, "Payload", fmt.Sprintf("Could not parse request body into json: %v", err), "the payload is no JSON",
		"with version 2 of the AWS CLI, add --cli-binary-format raw-in-base64-out")
}

// event runs a function in the background; what comes of it is only in its log. AWS tries a failing event twice more over
// minutes; here it runs once.
func (s *Service) event(ctx context.Context, t target, inv run.Invocation) (*lambda.InvokeOutput, error) {
	if len(inv.Payload) > maxEvent {
		return nil, awsapi.Errorf(lambda.ErrCodeRequestTooLargeException, "%d byte payload is too large for the Event invocation type (limit %d bytes)", len(inv.Payload), maxEvent)
	}
	select {
	case s.async <- struct{}{}:
	default:
		return nil, awsapi.Errorf(lambda.ErrCodeTooManyRequestsException, "Rate Exceeded.")
	}
	background := context.WithoutCancel(ctx)
	s.running.Go(func() {
		defer func() { <-s.async }()
		_, _ = s.opts.Invoke(background, t.arn(), inv) // there is nobody to tell
	})
	return &lambda.InvokeOutput{StatusCode: new(int64(202))}, nil
}

// InvokeAsync is the old form of an Event invocation.
func (s *Service) InvokeAsync(ctx context.Context, in *lambda.InvokeAsyncInput) (*lambda.InvokeAsyncOutput, error) {
	payload, err := readAll(in.InvokeArgs, maxEvent)
	if err != nil {
		return nil, err
	}
	out, err := s.Invoke(ctx, &lambda.InvokeInput{FunctionName: in.FunctionName, InvocationType: new("Event"), Payload: payload})
	if err != nil {
		return nil, err
	}
	return &lambda.InvokeAsyncOutput{Status: out.StatusCode}, nil
}

// invokeError is a refusal of the runtime as the API gives it.
func invokeError(err error) error {
	var refused *run.Error
	if !errors.As(err, &refused) {
		return err
	}
	e := awsapi.StatusErrorf(refused.Status, refused.Type, "%s", refused.Message)
	e.Finding = refused.Finding
	return e
}
