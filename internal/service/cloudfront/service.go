// Package cloudfront implements the API of Amazon CloudFront over the store.
//
// Start with Service, then the file of a resource: policies.go, distributions.go, access.go, functions.go. The checks that AWS
// makes, with its codes and texts, are in the *_check.go files (facts: cloudfront-policies 4b, cloudfront-dataplane). A
// distribution is Deployed when the data plane serves the revision in which it was last changed.
package cloudfront

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	function "github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements cloudfront.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	cloudfront.Unimplemented
	env *service.Env
	// invalidate drops cached objects of a distribution, and returns when that has taken effect.
	invalidate func(distributionID string, paths []string)
	// functions are compiled for TestFunction; readObject is nil when there are no buckets.
	functions  function.Cache
	readObject func(ctx context.Context, bucket, key string) ([]byte, error)
}

// New makes the service. invalidate may be nil when nothing caches.
func New(env *service.Env, invalidate func(distributionID string, paths []string)) *Service {
	if invalidate == nil {
		invalidate = func(string, []string) {}
	}
	return &Service{env: env, invalidate: invalidate}
}

const apiVersion = "2020-05-31"

// The ids of CloudFront, by their form in AWS's answers (facts: cloudformation 3).
var (
	distributionID = service.ID{Kind: "distribution", Prefix: "E", Alphabet: service.Upper, Length: 13}
	domainName     = service.ID{Kind: "distribution-domain", Prefix: "d", Alphabet: service.Lower, Length: 13}
	accessID       = service.ID{Kind: "origin-access", Prefix: "E", Alphabet: service.Upper, Length: 13}
	publicKeyID    = service.ID{Kind: "public-key", Prefix: "K", Alphabet: service.Upper, Length: 13}
	invalidationID = service.ID{Kind: "invalidation", Prefix: "I", Alphabet: service.Upper, Length: 13}
)

// refuse makes AWS's error with the reason that AWS leaves out.
func refuse(code, path, message string, f diag.Finding) error {
	f.Path = path
	f.AWSError = &diag.AWSError{Code: code, Status: statusOf(code), Message: message}
	if f.Code == "" {
		f.Code = diag.RefusedByAWS
	}
	if f.Message == "" {
		f.Message = message
	}
	f.Severity = diag.Error
	return awsapi.Refuse(&f)
}

// invalid is refuse for InvalidArgument with one cause and fixes.
func invalid(path, message, because string, fixes ...string) error {
	f := diag.Finding{Fixes: fixes}
	if because != "" {
		f.Because = []string{because}
	}
	return refuse(cloudfront.ErrCodeInvalidArgument, path, message, f)
}

func statusOf(code string) int {
	if e := cloudfront.Service.Error(code); e != nil && e.Status != 0 {
		return e.Status
	}
	return 400
}

// missingArgument is CloudFront's answer to a required member that is not there.
func missingArgument(path string) error {
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path,
		Message: "a required setting is missing: " + path, Fixes: []string{"add " + path},
		AWSError: &diag.AWSError{Code: "MissingArgument", Status: 400, Message: fmt.Sprintf("Missing required parameter: %s", path)}})
}

// region of a distribution's records.
const global = resource.Global

// missing says what AWS calls a resource that does not exist.
type missing struct{ code, what string }

// get returns a value and its record, or the error for an id that does not exist.
func get[T any](ctx context.Context, s *Service, kind store.Kind[T], id *string, none missing) (*T, *store.Record, error) {
	r := s.env.Store.Read(ctx)
	v, ok := kind.Get(r, global, deref(id))
	if !ok {
		return nil, nil, awsapi.Errorf(none.code, "The specified %s does not exist.", none.what)
	}
	return v, kind.Record(r, global, deref(id)), nil
}

// ifMatch checks the If-Match that CloudFront wants for changes of a record.
func ifMatch(header *string, rec *store.Record) error { return matchTag(header, etag(rec)) }

func matchTag(header *string, tag string) error {
	switch {
	case deref(header) == "":
		return awsapi.Errorf(cloudfront.ErrCodeInvalidIfMatchVersion, "The If-Match version is missing or not valid for the resource.")
	case *header != tag:
		return preconditionFailed()
	}
	return nil
}

func etag(rec *store.Record) string { return service.ETag(rec.Key.ID, rec.Revision) }

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// or returns the value that p points at, or otherwise.
func or[T any](p *T, otherwise T) *T {
	if p == nil {
		return &otherwise
	}
	return p
}

func (s *Service) location(kind, id string) *string {
	return new("https://cloudfront.amazonaws.com/" + apiVersion + "/" + kind + "/" + id)
}

// page sorts a list by id and cuts it.
func page[T any](all []T, id func(T) string, marker, maxItems *string) (items []T, next *string, limit int64, err error) {
	return cut(slices.SortedFunc(slices.Values(all), func(a, b T) int { return strings.Compare(id(a), id(b)) }), id, marker, maxItems)
}

// cut takes what follows marker in a list, at most maxItems (100 unless said otherwise), and the next marker. A marker that is in
// the list no more stands where its id would be, if the list goes by ids.
func cut[T any](all []T, id func(T) string, marker, maxItems *string) (items []T, next *string, limit int64, err error) {
	limit = 100
	if maxItems != nil {
		if limit, err = strconv.ParseInt(*maxItems, 10, 64); err != nil || limit < 1 {
			return nil, nil, 0, awsapi.Errorf(cloudfront.ErrCodeInvalidArgument, "The parameter MaxItems is invalid.")
		}
	}
	if m := deref(marker); m != "" {
		if i := slices.IndexFunc(all, func(v T) bool { return id(v) == m }); i >= 0 {
			all = all[i+1:]
		} else {
			all = slices.DeleteFunc(slices.Clone(all), func(v T) bool { return id(v) <= m })
		}
	}
	if int64(len(all)) <= limit {
		return all, nil, limit, nil
	}
	return all[:limit], new(id(all[limit-1])), limit, nil
}

// put stores v; it is s.env.Store.Update for a single record. The record as stored is returned.
func put[T any](ctx context.Context, s *Service, kind store.Kind[T], id string, v *T) (*store.Record, error) {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { kind.Put(tx, global, id, v); return nil })
	if err != nil {
		return nil, err
	}
	return kind.Record(s.env.Store.Read(ctx), global, id), nil
}

// replace stores v in the place of rec, unless somebody else has changed the record since it was read: two clients that send the
// same If-Match cannot both succeed.
func replace[T any](ctx context.Context, s *Service, kind store.Kind[T], rec *store.Record, v *T) (*store.Record, error) {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		if now := kind.Record(tx, global, rec.Key.ID); now == nil || now.Revision != rec.Revision {
			return preconditionFailed()
		}
		kind.Put(tx, global, rec.Key.ID, v)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return kind.Record(s.env.Store.Read(ctx), global, rec.Key.ID), nil
}

func preconditionFailed() error {
	return awsapi.Errorf(cloudfront.ErrCodePreconditionFailed, "The request failed because it didn't meet the preconditions in one or more request-header fields.")
}

// remove deletes rec, unless it has been changed since it was read.
func remove[T any](ctx context.Context, s *Service, kind store.Kind[T], rec *store.Record) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		if now := kind.Record(tx, global, rec.Key.ID); now == nil || now.Revision != rec.Revision {
			return preconditionFailed()
		}
		kind.Delete(tx, global, rec.Key.ID)
		return nil
	})
	return err
}

// taken tells whether an id of the kind is in use.
func taken[T any](ctx context.Context, s *Service, kind store.Kind[T]) func(string) bool {
	r := s.env.Store.Read(ctx)
	return func(id string) bool { _, ok := kind.Get(r, global, id); return ok }
}

// stamp is a time as CloudFront's answers have it.
func stamp(t time.Time) *time.Time { return new(t.UTC().Truncate(time.Millisecond)) }

func count[T any](items []T) *int64 { return new(int64(len(items))) }
