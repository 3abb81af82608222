// Package apigateway implements the API of Amazon API Gateway for REST APIs over the store.
//
// Start with Service, then the file of a resource: apis.go, resources.go, methods.go, integrations.go, deployments.go, stages.go,
// domains.go, usage.go. Changes by patch operations go through patch.go, OpenAPI documents through openapi.go. AWS's texts are
// from recorded answers (facts: apigateway 11; vectors apigateway/*.snapshot.json). A deployment is a copy of the API's
// definition; what a stage serves is made of that copy.
package apigateway

import (
	"context"
	"encoding/json"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements apigateway.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	apigateway.Unimplemented
	env *service.Env
}

// New makes the service.
func New(env *service.Env) *Service { return &Service{env: env} }

// apiID makes the ten characters of an API's id, partID the six of most of its parts (facts: cloudformation 3).
func apiID(kind string) service.ID {
	return service.ID{Kind: kind, Alphabet: service.Lower, Length: 10}
}
func partID(kind string) service.ID {
	return service.ID{Kind: kind, Alphabet: service.Lower, Length: 6}
}

// region of a call.
func region(ctx context.Context) string { return awsapi.CallFrom(ctx).Region }

func (s *Service) account(ctx context.Context) string {
	if a := awsapi.CallFrom(ctx).Account; a != "" {
		return a
	}
	return s.env.Account
}

// refuse makes AWS's error with the reason that AWS leaves out. path is that of the member in the input.
func refuse(code, path, message string, because ...string) error {
	status := 400
	if e := apigateway.Service.Error(code); e != nil && e.Status != 0 {
		status = e.Status
	}
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Because: because,
		AWSError: &diag.AWSError{Code: code, Status: status, Message: message}})
}

func bad(path, message string, because ...string) error {
	return refuse(apigateway.ErrCodeBadRequestException, path, message, because...)
}

func conflict(path, message string, because ...string) error {
	return refuse(apigateway.ErrCodeConflictException, path, message, because...)
}

func notFound(message string) error {
	return refuse(apigateway.ErrCodeNotFoundException, "", message)
}

// noAPI is the answer to the id of an API that does not exist (facts: apigateway 11).
func (s *Service) noAPI(ctx context.Context, id *string) error {
	return notFound("Invalid API identifier specified " + s.account(ctx) + ":" + deref(id))
}

// The answers to parts that do not exist (facts: apigateway 11).
const (
	noResource    = "Invalid Resource identifier specified"
	noMethod      = "Invalid Method identifier specified"
	noIntegration = "Invalid Integration identifier specified"
	noStatus      = "Invalid Response status code specified"
	noStage       = "Invalid Stage identifier specified"
	noDeployment  = "Invalid Deployment identifier specified"
	noAuthorizer  = "Invalid Authorizer identifier specified"
	noValidator   = "Invalid Request Validator identifier specified"
	noUsagePlan   = "Invalid Usage Plan ID specified"
	noKey         = "Invalid API Key identifier specified"
	noDomain      = "Invalid domain name identifier specified"
	noMapping     = "Invalid base path mapping identifier specified"
)

// api returns a REST API.
func (s *Service) api(ctx context.Context, id *string) (*resource.RestPart[apigateway.RestApi], error) {
	v, ok := resource.RestAPIs.Get(s.env.Store.Read(ctx), region(ctx), deref(id))
	if !ok {
		return nil, s.noAPI(ctx, id)
	}
	return v, nil
}

// get returns a value of a kind, or the error for an id that does not exist.
func get[T any](ctx context.Context, s *Service, kind store.Kind[T], id, missing string) (*T, error) {
	v, ok := kind.Get(s.env.Store.Read(ctx), region(ctx), id)
	if !ok {
		return nil, notFound(missing)
	}
	return v, nil
}

// put stores a value of a kind.
func put[T any](ctx context.Context, s *Service, kind store.Kind[T], id string, v *T) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { kind.Put(tx, region(ctx), id, v); return nil })
	return err
}

// putPart stores a part of an API.
func putPart[T any](ctx context.Context, s *Service, kind store.Kind[resource.RestPart[T]], id string, v *resource.RestPart[T]) error {
	return put(ctx, s, kind, resource.PartID(v.API, id), v)
}

func remove[T any](ctx context.Context, s *Service, kind store.Kind[T], id string) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { kind.Delete(tx, region(ctx), id); return nil })
	return err
}

// parts returns the parts of an API in the order of their ids.
func parts[T any](ctx context.Context, s *Service, kind store.Kind[resource.RestPart[T]], api *string) []*resource.RestPart[T] {
	var out []*resource.RestPart[T]
	for _, p := range kind.All(s.env.Store.Read(ctx), region(ctx)) {
		if p.API == deref(api) {
			out = append(out, p)
		}
	}
	return out
}

// values takes the values out of parts.
func values[T any](list []*resource.RestPart[T]) []*T {
	out := make([]*T, len(list))
	for i, p := range list {
		out[i] = p.Value
	}
	return out
}

// taken tells whether an id is in use; prefix is put before it.
func taken[T any](ctx context.Context, s *Service, kind store.Kind[T], prefix string) func(string) bool {
	r := s.env.Store.Read(ctx)
	return func(id string) bool { _, ok := kind.Get(r, region(ctx), prefix+id); return ok }
}

// page cuts a list as API Gateway does: position is the number of items before it. The order is that of all. An empty page is
// not nil: API Gateway answers "items": [] (recorded: test_apigateway_api).
func page[T any](all []T, position *string, limit *int64) ([]T, *string) {
	if all == nil {
		all = []T{}
	}
	start, n := 0, 25
	if position != nil {
		_ = json.Unmarshal([]byte(*position), &start)
	}
	if limit != nil {
		n = int(max(1, min(*limit, 500)))
	}
	start = max(0, min(start, len(all)))
	end := min(start+n, len(all))
	if end == len(all) {
		return all[start:end], nil
	}
	b, _ := json.Marshal(end)
	return all[start:end], new(string(b))
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// or returns p, or a pointer to otherwise when p is nil.
func or[T any](p *T, otherwise T) *T {
	if p == nil {
		return &otherwise
	}
	return p
}

// clone copies a value deeply. Stored values are plain JSON; of one that is not, only the top is copied.
func clone[T any](v *T) *T {
	out := new(T)
	b, err := json.Marshal(v)
	if err != nil || json.Unmarshal(b, out) != nil {
		*out = *v
	}
	return out
}

// now is a time as API Gateway's answers have it, in seconds.
func (s *Service) now() *time.Time { return new(s.env.Now().UTC().Truncate(time.Second)) }

// arn makes the ARN of a resource of API Gateway: arn:aws:apigateway:region::/restapis/id.
func gatewayARN(ctx context.Context, path string) string {
	r := region(ctx)
	return arn.ARN{Partition: arn.Partition(r), Service: "apigateway", Region: r, Resource: path}.String()
}
