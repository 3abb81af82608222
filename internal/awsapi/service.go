package awsapi

import (
	"context"
	"fmt"
	"sync"
)

// Protocol names a wire protocol of the AWS API, as the service models call it.
type Protocol string

// The protocols that the codecs know.
const (
	RestXML  Protocol = "rest-xml"
	RestJSON Protocol = "rest-json"
	JSON     Protocol = "json"
	Query    Protocol = "query"
)

// Service describes one AWS API. The generated packages each hold one, in the variable Service. All fields are constant
// after start; the shapes are built when they are first needed (see Load).
type Service struct {
	// Name is the name of the generated package and of the AWS CLI's command, such as "cloudfront".
	Name string
	// Title is the name for people, such as "Amazon CloudFront".
	Title      string
	Protocol   Protocol
	APIVersion string
	// SigningName is the service in a SigV4 credential scope. Two services may share one.
	SigningName string
	// EndpointPrefix is the first label of the service's host names.
	EndpointPrefix string
	// TargetPrefix stands before the operation in X-Amz-Target (json only).
	TargetPrefix string
	// JSONVersion is "1.0" or "1.1" (json only).
	JSONVersion string
	// XMLNamespace is the namespace of XML answers, "" for none.
	XMLNamespace string
	Operations   []*Operation
	// Errors lists the errors that the operations of the service are known to give.
	Errors []ErrorShape
	// Schema is the text from which the shapes are built; see parseSchema for its form.
	Schema string

	once   sync.Once
	shapes map[string]*Shape
	byName map[string]*Operation
	errors map[string]*ErrorShape
}

// Operation is one operation of a Service.
type Operation struct {
	Name   string
	Method string
	// URI is the path template with its literal query, such as "/2020-05-31/tagging?Operation=Tag".
	URI string
	// SuccessStatus is the HTTP status of a good answer.
	SuccessStatus int
	// In and Out name the shapes of input and output in the schema. They are "" where the model has none, and for
	// an operation that is only recognised (see Known).
	In, Out string
	// InputRoot and InputNamespace name the root element of an XML body that is no payload member.
	InputRoot, InputNamespace string
	// ResultWrapper is the element around a query answer's members.
	ResultWrapper string
	// Needs lists the required query parameters ("?name") and headers ("name") that tell operations apart which share
	// method and path (s3: GetObject and ListParts).
	Needs      []string
	Deprecated bool
	// Input and Output are nil before Service.Load, and where In and Out are "".
	Input, Output *Shape
	// New makes an input; nil for an operation that Foregate only recognises.
	New func() any
	// NewOutput makes an output.
	NewOutput func() any
	// Call calls the operation's method of a generated Handler with an input that New made.
	Call func(ctx context.Context, handler, in any) (any, error)
}

// Known tells whether Foregate has types for the operation. Any other is recognised by name, so that it can be refused
// by name.
func (o *Operation) Known() bool { return o.New != nil }

// ErrorShape is an error that the model declares.
type ErrorShape struct {
	Code   string
	Status int
	// Fault is true when the service is to blame rather than the sender.
	Fault bool
	// Message is the spelling of the message's member, "message" or "Message"; "" where the model gives none.
	Message string
	// Typed is true when the error has a member Type that holds "User" or "Service" (lambda).
	Typed bool
}

// Load builds the shapes of the service unless that has been done, and returns the service. It is cheap after the first
// time and safe for concurrent use. It panics when the generated schema is broken, which the tests of this package
// exclude.
func (s *Service) Load() *Service {
	s.once.Do(func() {
		shapes, err := parseSchema(s.Schema)
		if err != nil {
			panic(fmt.Sprintf("awsapi: schema of %s: %v", s.Name, err))
		}
		s.shapes = shapes
		s.byName = make(map[string]*Operation, len(s.Operations))
		for _, op := range s.Operations {
			op.Input, op.Output = shapes[op.In], shapes[op.Out]
			s.byName[op.Name] = op
		}
		s.errors = make(map[string]*ErrorShape, len(s.Errors))
		for i := range s.Errors {
			s.errors[s.Errors[i].Code] = &s.Errors[i]
		}
	})
	return s
}

// Operation returns the operation called name, nil when there is none.
func (s *Service) Operation(name string) *Operation { return s.Load().byName[name] }

// Shape returns the shape called name, nil when no operation that is Known reaches it.
func (s *Service) Shape(name string) *Shape { return s.Load().shapes[name] }

// Error returns what the model says of the error called code, nil when it does not declare one.
func (s *Service) Error(code string) *ErrorShape { return s.Load().errors[code] }
