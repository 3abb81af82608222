package awsapi

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
)

// Error is an error that an AWS API answers with. Handlers return it (plain or wrapped); the codec of the service's
// protocol writes it.
type Error struct {
	// Code is the code as clients see it, such as "NoSuchDistribution".
	Code string
	// Status is the HTTP status; 0 means what the service's model says of the code, else 400.
	Status int
	// Message is AWS's text.
	Message string
	// Details are further members of the error, such as S3's BucketName; order is kept.
	Details []Detail
	// Header has further fields of the answer, such as Retry-After.
	Header message.Header
	// Finding is what Foregate has to say beyond AWS's words, nil for nothing.
	Finding *diag.Finding
	// Err is the cause, for the log; clients never see it.
	Err error
}

// Detail is a further member of an Error.
type Detail struct{ Name, Value string }

// Error returns code and message as AWS's SDKs print them.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns the finding or the cause.
func (e *Error) Unwrap() []error {
	var errs []error
	if e.Finding != nil {
		errs = append(errs, e.Finding)
	}
	if e.Err != nil {
		errs = append(errs, e.Err)
	}
	return errs
}

// With adds a member to the error and returns it.
func (e *Error) With(name, value string) *Error {
	e.Details = append(e.Details, Detail{name, value})
	return e
}

// Errorf makes an error of a code that the service's model declares (the generated ErrCode constants); the status is the
// model's, 400 for a code that it does not know.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// StatusErrorf makes an error with an HTTP status of its own.
func StatusErrorf(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Status: status, Message: fmt.Sprintf(format, args...)}
}

// Refuse makes the error of a finding that AWS would refuse: code, status and text are those of f.AWSError. A finding
// without one becomes a 400 InvalidRequest with the finding's own message.
func Refuse(f *diag.Finding) *Error {
	if f.AWSError == nil {
		return &Error{Code: "InvalidRequest", Status: http.StatusBadRequest, Message: f.Message, Finding: f}
	}
	return &Error{Code: f.AWSError.Code, Status: f.AWSError.Status, Message: f.AWSError.Message, Finding: f}
}

// NotImplemented makes the error for an operation that Foregate does not have.
func NotImplemented(s *Service, operation string) *Error {
	return &Error{Code: "NotImplemented", Status: http.StatusNotImplemented,
		Message: fmt.Sprintf("Foregate does not implement the operation %s of %s yet", operation, s.Title)}
}

// Internal makes a 500 of an error that is Foregate's own fault. The cause is logged, not shown.
func Internal(cause error) *Error {
	return &Error{Code: "InternalFailure", Status: http.StatusInternalServerError,
		Message: "The request processing has failed because of an unknown error, exception or failure.", Err: cause}
}

// AsError turns what a handler returned into an Error: an Error in its chain, else a finding with an AWSError, else
// Internal.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	var f *diag.Finding
	if errors.As(err, &f) && f.AWSError != nil {
		return Refuse(f)
	}
	return Internal(err)
}
