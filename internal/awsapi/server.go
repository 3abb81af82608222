package awsapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/foregate/foregate/internal/message"
)

// Registration joins a service with what implements its generated Handler.
type Registration struct {
	Service *Service
	Handler any
}

// Server answers requests of the AWS API. It is a message.Handler. Fill the fields before the first request and leave
// them alone afterwards.
type Server struct {
	Services []Registration
	// Region and Account are those of a request whose signature names none.
	Region, Account string
	// Authenticate finds out who sent a request and for which region. The body is there to be read from its start,
	// except where an operation takes it as a stream: then it must be left alone. nil lets everything pass as the
	// account's root.
	Authenticate func(ctx context.Context, r *message.Request, service *Service) (Caller, string, *Error)
	// Admit may refuse a request by its head alone, before any of its body is read into memory; nil admits all.
	Admit func(r *message.Request, service *Service) *Error
	// Authorize may refuse a call whose input has been read; nil allows all.
	Authorize func(ctx context.Context, call *Call, in any) *Error
	// Log gets panics and internal errors; nil means slog.Default.
	Log    *slog.Logger
	Limits Limits
	// NewRequestID makes the ids of answers; nil means random UUIDs.
	NewRequestID func() string

	// reading counts the bytes of bodies in memory.
	reading  atomic.Int64
	once     sync.Once
	router   *Router
	handlers map[*Service]any
}

// Router returns the server's router.
func (s *Server) Router() *Router {
	s.once.Do(func() {
		s.handlers = make(map[*Service]any, len(s.Services))
		services := make([]*Service, len(s.Services))
		for i, r := range s.Services {
			services[i] = r.Service
			s.handlers[r.Service] = r.Handler
		}
		s.router = NewRouter(services...)
	})
	return s.router
}

// Serve answers one request.
func (s *Server) Serve(ctx context.Context, req *message.Request) (resp *message.Response) {
	id := s.requestID()
	var svc *Service
	operation := ""
	defer func() {
		if p := recover(); p != nil {
			s.log().Error("handler panicked", "service", nameOf(svc), "operation", operation, "request", id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			resp = encodeError(svc, Internal(nil), id, req)
		}
	}()
	in, match, err := s.route(req)
	defer s.release(in)
	if match != nil {
		svc = match.Service
		if match.Operation != nil {
			operation = match.Operation.Name
		}
	}
	if err == nil {
		var out any
		if out, err = s.call(ctx, in, id); err == nil {
			return encode(svc, match.Operation, out, id)
		}
	}
	if err.Status >= 500 && err.Err != nil {
		s.log().Error("request failed", "service", nameOf(svc), "operation", operation, "request", id, "error", err.Err)
	}
	return encodeError(svc, err, id, req)
}

// route finds the operation and reads the body.
func (s *Server) route(req *message.Request) (*incoming, *Match, *Error) {
	limits := s.Limits.fill()
	in := &incoming{Request: req, limits: limits}
	read := false
	params := req.Query
	if isForm(req) && req.Method == http.MethodPost {
		if match, err := s.readForm(in); err != nil {
			return in, match, err
		}
		read = true
		params += "&" + string(in.body)
	}
	if read || strings.Contains(req.Query, "Action=") {
		form, err := parseForm(params, limits.budget())
		if err != nil {
			return in, nil, bodyError(guessProtocol(req), err)
		}
		in.form = form
	}
	match, err := s.Router().Route(req, in.form)
	if err != nil {
		return in, match, err
	}
	in.match = match
	op := match.Operation
	if !op.Known() || s.handlers[match.Service] == nil {
		return in, match, NotImplemented(match.Service, op.Name)
	}
	if !read && !streams(op) {
		if err := s.admit(req, match.Service); err != nil {
			return in, match, err
		}
		if err := s.read(in, reading{most: bodyLimit(match.Service, op, limits.Body), counted: true, operation: op.Name}); err != nil {
			return in, match, err
		}
	}
	return in, match, nil
}

// readForm reads a form, which may say what is asked for: so it is read before the operation is known. What signs itself names
// its service, and is admitted first. What does not is kept short.
func (s *Server) readForm(in *incoming) (*Match, *Error) {
	most := min(in.limits.Body, maxUnsignedForm)
	found, region, err := s.Router().services(in.Request, nil)
	_, signed := scopeOf(in.Request)
	if signed || s.Admit == nil {
		most = min(in.limits.Body, maxForm)
	}
	if signed {
		if err != nil {
			return &Match{Region: region}, err
		}
		svc := found[0].service.Load()
		if err := s.admit(in.Request, svc); err != nil {
			return &Match{Service: svc, Region: region}, err
		}
	}
	return nil, s.read(in, reading{most: most, counted: signed})
}

func (s *Server) admit(r *message.Request, svc *Service) *Error {
	if s.Admit == nil {
		return nil
	}
	return s.Admit(r, svc)
}

// streams tells whether an operation takes its body as a stream.
func streams(op *Operation) bool {
	return op.Input != nil && op.Input.Payload != nil && op.Input.Payload.Shape.Kind == Blob &&
		(op.Input.Payload.Streaming || op.Input.Payload.Shape.Streaming)
}

// bodyLimit returns the most bytes of a body. Lambda's limits are those that its errors name (Lambda quotas: 6 MB for a
// synchronous invocation; 70,167,211 for code); for the rest they are Foregate's own, above every limit that AWS
// documents.
func bodyLimit(svc *Service, op *Operation, most int64) int64 {
	const plenty = 16 << 20
	if svc.Name == "lambda" {
		switch op.Name {
		case "CreateFunction", "UpdateFunctionCode", "PublishLayerVersion":
			return most
		case "Invoke":
			return min(most, 6_291_456)
		}
	}
	return min(most, plenty)
}

// call authenticates, decodes, checks and calls the handler.
func (s *Server) call(ctx context.Context, in *incoming, id string) (any, *Error) {
	svc, op := in.match.Service, in.match.Operation
	call := &Call{Region: orDefault(in.match.Region, s.Region), Account: s.Account, RequestID: id, Service: svc, Operation: op,
		Caller: Caller{ARN: "arn:aws:iam::" + s.Account + ":root", Account: s.Account, UserID: s.Account, Root: true}}
	if s.Authenticate != nil {
		caller, region, err := s.Authenticate(ctx, in.Request, svc)
		if err != nil {
			return nil, err
		}
		call.Caller, call.Region = caller, orDefault(region, call.Region)
		call.Account = orDefault(caller.Account, s.Account)
	}
	if err := unchunk(in); err != nil {
		return nil, err
	}
	input, err := decode(in)
	if err != nil {
		return nil, err
	}
	fillTokens(op.Input, input)
	if err := Validate(svc, op, input); err != nil {
		return nil, err
	}
	ctx = WithCall(ctx, call)
	if s.Authorize != nil {
		if err := s.Authorize(ctx, call, input); err != nil {
			return nil, err
		}
	}
	out, failed := op.Call(ctx, s.handlers[svc], input)
	if failed != nil {
		if errors.Is(failed, context.Canceled) {
			return nil, Internal(nil)
		}
		return nil, AsError(failed)
	}
	return out, nil
}

func (s *Server) log() *slog.Logger {
	if s.Log != nil {
		return s.Log
	}
	return slog.Default()
}

func (s *Server) requestID() string {
	if s.NewRequestID != nil {
		return s.NewRequestID()
	}
	return NewUUID()
}

func nameOf(s *Service) string {
	if s == nil {
		return ""
	}
	return s.Name
}

// NewUUID returns a random UUID (rfc9562 5.4), the form of AWS's request ids.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
