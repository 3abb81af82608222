package rest

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
	"github.com/foregate/foregate/internal/vtl"
)

// Stage serves one stage of a REST API. It is immutable but for its counters and caches: token buckets, quotas and
// authorizers' policies begin anew with each Build, unless Adopt takes them over.
type Stage struct {
	plan *Plan
	fx   Effects
	root routeNode
	// arnPrefix is arn:aws:execute-api:region:account:api/stage/.
	arnPrefix      string
	policy         *iam.NamedPolicy
	verifier       *sigv4.Verifier
	signatureHosts []string
	// binary has the binary media types in lower case, with "~1" as "/".
	binary    []string
	responses map[ResponseType]*gatewayResponse
	keys      map[string]*clientKey
	variables *vtl.Map
	// variablesJSON is the event's stageVariables.
	variablesJSON []byte
	authorizers   map[*Authorizer]*lambdaAuthorizer
	methods       map[methodKey]*method
	accessLog     *logFormat
	buffers       sync.Pool
	dates         atomic.Pointer[dateCache]
}

// Name returns the stage's name.
func (s *Stage) Name() string { return s.plan.Stage.Name }

// Plan returns what the stage was built from.
func (s *Stage) Plan() *Plan { return s.plan }

// prefixed puts the stage in front of a path.
func (s *Stage) prefixed(path string) string { return "/" + s.plan.Stage.Name + path }

// isBinary tells whether a media type is one of the API's binary media types (facts: apigateway 10).
func (s *Stage) isBinary(contentType string) bool {
	if len(s.binary) == 0 {
		return false
	}
	m := mediaType(contentType)
	for _, b := range s.binary {
		if b == "*/*" || b == m {
			return true
		}
		if major, ok := strings.CutSuffix(b, "/*"); ok && strings.HasPrefix(m, major+"/") {
			return true
		}
	}
	return false
}

// resource is a resource with its methods.
type resource struct {
	plan    *Resource
	methods []*method
	any     *method
}

// anyMethods are the seven methods that ANY stands for (facts: apigateway 5).
var anyMethods = []string{"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

func (r *resource) method(name string) *method {
	for _, m := range r.methods {
		if m.HTTPMethod == name {
			return m
		}
	}
	if r.any != nil && slices.Contains(anyMethods, name) {
		return r.any
	}
	return nil
}

// method is a method with what was computed for it.
type method struct {
	*Method
	integration *integration
	required    []requiredParam
	models      []bodyModel
	bucket      *bucket
	// settingsPath is the entry of the method settings that limits.
	settingsPath string
	caching      *MethodSettings
	planBuckets  map[string]*bucket // by usage plan
}

// Service is a REST API with its stages, as gateway.Regional dispatches to it.
type Service struct {
	info   APIInfo
	fx     Effects
	stages map[string]*Stage
}

// APIInfo is what an API knows of itself without a stage.
type APIInfo struct{ ID, SourcePath string }

// NewService joins the stages of an API. An API without stages answers 403 to everything.
func NewService(info APIInfo, fx Effects, stages ...*Stage) *Service {
	a := &Service{info: info, fx: fx, stages: make(map[string]*Stage, len(stages))}
	for _, s := range stages {
		a.stages[s.Name()] = s
	}
	return a
}

// ID returns the API's id.
func (a *Service) ID() string { return a.info.ID }

// Serve answers a request for the API.
func (a *Service) Serve(ctx context.Context, r *message.Request, arrival gateway.Arrival) *message.Response {
	hop := r.Trace.Hop("apigateway", a.info.ID)
	path := "/" + strings.TrimLeft(arrival.Path, "/")
	var name string
	if arrival.Mapping != nil {
		name = arrival.Mapping.Stage
	} else {
		name, path = splitStage(path)
	}
	s := a.stages[name]
	if s == nil {
		return a.refuse(hop, reasonUnknownStage, a.info.SourcePath, `stage "`+name+`"`)
	}
	api := &s.plan.API
	if arrival.Mapping == nil && api.DisableExecuteAPIEndpoint {
		return a.refuse(hop, reasonEndpointDisabled, api.SourcePath, r.Host)
	}
	if hop != nil && (api.EndpointType == Edge || arrival.Domain != nil && arrival.Domain.EdgeOptimized) {
		hop.Step(pipeline[phaseRoute].name, "edge-optimized", "served as a regional endpoint, without a CloudFront of AWS's in front")
	}
	x := &exchange{stage: s, ctx: ctx, req: r, arrival: arrival, hop: hop, now: s.fx.Now(), path: path}
	x.requestID = s.fx.NewID()
	x.extendedID = gateway.ExtendedID(x.requestID)
	x.traceID = traceID(r.Header.Get("X-Amzn-Trace-Id"), x.now, x.requestID)
	x.run()
	if r.Method == "HEAD" && x.response.Body != nil {
		x.response.Body.Close()
		x.response.Body = nil
	}
	return x.response
}

// splitStage takes the stage off a path; what is left begins with a slash.
func splitStage(path string) (stage, rest string) {
	stage, rest, more := strings.Cut(path[1:], "/")
	if !more {
		return stage, "/"
	}
	return stage, "/" + strings.TrimLeft(rest, "/")
}

func (a *Service) refuse(hop *trace.Hop, reason Reason, path, what string) *message.Response {
	if hop != nil {
		hop.Step(pipeline[phaseRoute].name, "refuse", reason.String()+": "+what)
		hop.Fact(trace.Refused, "ForbiddenException", reason.Cause(), path)
	}
	return gateway.Forbidden(a.fx)
}

// traceID is the root of the X-Ray trace: the caller's, or a new one of time and 24 hex digits.
func traceID(incoming string, now time.Time, requestID string) string {
	for part := range strings.SplitSeq(incoming, ";") {
		if strings.HasPrefix(strings.TrimSpace(part), "Root=") {
			return strings.TrimSpace(part)
		}
	}
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 40)
	b = append(b, "Root=1-"...)
	for shift := 28; shift >= 0; shift -= 4 {
		b = append(b, hex[now.Unix()>>shift&15])
	}
	b = append(b, '-')
	for i := len(requestID) - 1; i >= 0 && len(b) < 40; i-- {
		if requestID[i] != '-' {
			b = append(b, requestID[i])
		}
	}
	return string(b)
}
