package cloudfront

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// managed is AWS's own policies in the shapes of the API.
type managed[T any] struct {
	id     string
	policy *T
}

// policyOf finds a policy among the managed and the stored ones.
func managedByID[T any](all []managed[T], id string) (*T, bool) {
	for _, m := range all {
		if m.id == id {
			return m.policy, true
		}
	}
	return nil, false
}

// managedETag is the version of every managed policy; AWS's differs, and no client can use it.
const managedETag = "E23ZP02F085DFQ"

// listed is an entry of a list of policies.
type listed[T any] struct {
	id, kind string
	policy   *T
}

// listPolicies merges managed and own policies, filtered by the Type of a List call ("managed" or "custom").
func listPolicies[T, R any](r store.Reader, all []managed[T], own store.Kind[R], render func(*store.Record, *R) *T) []listed[T] {
	var out []listed[T]
	for _, m := range all {
		out = append(out, listed[T]{m.id, "managed", m.policy})
	}
	for rec, v := range own.All(r, global) {
		out = append(out, listed[T]{rec.Key.ID, "custom", render(rec, v)})
	}
	return out
}

func ofType[T any](all []listed[T], typ *string) ([]listed[T], error) {
	if typ == nil {
		return all, nil
	}
	if *typ != "managed" && *typ != "custom" {
		return nil, awsapi.Errorf(cloudfront.ErrCodeInvalidArgument, "The parameter Type is invalid.")
	}
	var out []listed[T]
	for _, l := range all {
		if l.kind == *typ {
			out = append(out, l)
		}
	}
	return out, nil
}

// CreateCachePolicy makes a cache policy.
func (s *Service) CreateCachePolicy(ctx context.Context, in *cloudfront.CreateCachePolicyInput) (*cloudfront.CreateCachePolicyOutput, error) {
	config := completeCachePolicy(in.CachePolicyConfig)
	if err := s.checkCachePolicy(ctx, config, ""); err != nil {
		return nil, err
	}
	id := s.env.NewUUID(ctx, "cache-policy", taken(ctx, s, resource.CachePolicies))
	v := &resource.CachePolicy{ID: id, Config: config}
	rec, err := put(ctx, s, resource.CachePolicies, id, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateCachePolicyOutput{CachePolicy: cachePolicy(rec, v), ETag: new(etag(rec)), Location: s.location("cache-policy", id)}, nil
}

func cachePolicy(rec *store.Record, v *resource.CachePolicy) *cloudfront.CachePolicy {
	return &cloudfront.CachePolicy{Id: &v.ID, LastModifiedTime: stamp(rec.Updated), CachePolicyConfig: v.Config}
}

// completeCachePolicy fills in the defaults of TTLs (facts: cloudfront-policies 4).
func completeCachePolicy(in *cloudfront.CachePolicyConfig) *cloudfront.CachePolicyConfig {
	if in == nil {
		return nil
	}
	c := *in
	if c.MinTTL != nil {
		c.DefaultTTL = or(c.DefaultTTL, max(86400, *c.MinTTL))
		c.MaxTTL = or(c.MaxTTL, max(31536000, *c.MinTTL, *c.DefaultTTL))
	}
	return &c
}

// GetCachePolicy returns a managed or own policy.
func (s *Service) GetCachePolicy(ctx context.Context, in *cloudfront.GetCachePolicyInput) (*cloudfront.GetCachePolicyOutput, error) {
	if p, ok := managedByID(managedCachePolicies(), deref(in.Id)); ok {
		return &cloudfront.GetCachePolicyOutput{CachePolicy: p, ETag: new(managedETag)}, nil
	}
	v, rec, err := get(ctx, s, resource.CachePolicies, in.Id, missing{cloudfront.ErrCodeNoSuchCachePolicy, "cache policy"})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetCachePolicyOutput{CachePolicy: cachePolicy(rec, v), ETag: new(etag(rec))}, nil
}

// GetCachePolicyConfig returns the configuration alone.
func (s *Service) GetCachePolicyConfig(ctx context.Context, in *cloudfront.GetCachePolicyConfigInput) (*cloudfront.GetCachePolicyConfigOutput, error) {
	out, err := s.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: in.Id})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetCachePolicyConfigOutput{CachePolicyConfig: out.CachePolicy.CachePolicyConfig, ETag: out.ETag}, nil
}

// UpdateCachePolicy replaces a policy's configuration.
func (s *Service) UpdateCachePolicy(ctx context.Context, in *cloudfront.UpdateCachePolicyInput) (*cloudfront.UpdateCachePolicyOutput, error) {
	if _, ok := managedByID(managedCachePolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalUpdate, "The update contains modifications that are not allowed.")
	}
	_, rec, err := get(ctx, s, resource.CachePolicies, in.Id, missing{cloudfront.ErrCodeNoSuchCachePolicy, "cache policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	config := completeCachePolicy(in.CachePolicyConfig)
	if err := s.checkCachePolicy(ctx, config, *in.Id); err != nil {
		return nil, err
	}
	v := &resource.CachePolicy{ID: *in.Id, Config: config}
	if rec, err = replace(ctx, s, resource.CachePolicies, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateCachePolicyOutput{CachePolicy: cachePolicy(rec, v), ETag: new(etag(rec))}, nil
}

// DeleteCachePolicy deletes an own policy that no distribution uses.
func (s *Service) DeleteCachePolicy(ctx context.Context, in *cloudfront.DeleteCachePolicyInput) (*cloudfront.DeleteCachePolicyOutput, error) {
	if _, ok := managedByID(managedCachePolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalDelete, "You cannot delete a managed policy.")
	}
	_, rec, err := get(ctx, s, resource.CachePolicies, in.Id, missing{cloudfront.ErrCodeNoSuchCachePolicy, "cache policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.behaviorsUse(ctx, func(b *cloudfront.DefaultCacheBehavior) bool { return deref(b.CachePolicyId) == *in.Id }) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeCachePolicyInUse, "Cannot delete the cache policy because it is attached to one or more cache behaviors.")
	}
	return &cloudfront.DeleteCachePolicyOutput{}, remove(ctx, s, resource.CachePolicies, rec)
}

// ListCachePolicies lists managed and own policies.
func (s *Service) ListCachePolicies(ctx context.Context, in *cloudfront.ListCachePoliciesInput) (*cloudfront.ListCachePoliciesOutput, error) {
	all, err := ofType(listPolicies(s.env.Store.Read(ctx), managedCachePolicies(), resource.CachePolicies, cachePolicy), in.Type)
	if err != nil {
		return nil, err
	}
	items, next, limit, err := page(all, func(l listed[cloudfront.CachePolicy]) string { return l.id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	list := &cloudfront.CachePolicyList{NextMarker: next, MaxItems: &limit, Quantity: count(items)}
	for _, l := range items {
		list.Items = append(list.Items, &cloudfront.CachePolicySummary{Type: &l.kind, CachePolicy: l.policy})
	}
	return &cloudfront.ListCachePoliciesOutput{CachePolicyList: list}, nil
}

// CreateOriginRequestPolicy makes an origin request policy.
func (s *Service) CreateOriginRequestPolicy(ctx context.Context, in *cloudfront.CreateOriginRequestPolicyInput) (*cloudfront.CreateOriginRequestPolicyOutput, error) {
	if err := s.checkOriginRequestPolicy(ctx, in.OriginRequestPolicyConfig, ""); err != nil {
		return nil, err
	}
	id := s.env.NewUUID(ctx, "origin-request-policy", taken(ctx, s, resource.OriginRequestPolicies))
	v := &resource.OriginRequestPolicy{ID: id, Config: in.OriginRequestPolicyConfig}
	rec, err := put(ctx, s, resource.OriginRequestPolicies, id, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateOriginRequestPolicyOutput{OriginRequestPolicy: originRequestPolicy(rec, v), ETag: new(etag(rec)),
		Location: s.location("origin-request-policy", id)}, nil
}

func originRequestPolicy(rec *store.Record, v *resource.OriginRequestPolicy) *cloudfront.OriginRequestPolicy {
	return &cloudfront.OriginRequestPolicy{Id: &v.ID, LastModifiedTime: stamp(rec.Updated), OriginRequestPolicyConfig: v.Config}
}

// GetOriginRequestPolicy returns a managed or own policy.
func (s *Service) GetOriginRequestPolicy(ctx context.Context, in *cloudfront.GetOriginRequestPolicyInput) (*cloudfront.GetOriginRequestPolicyOutput, error) {
	if p, ok := managedByID(managedOriginRequestPolicies(), deref(in.Id)); ok {
		return &cloudfront.GetOriginRequestPolicyOutput{OriginRequestPolicy: p, ETag: new(managedETag)}, nil
	}
	v, rec, err := get(ctx, s, resource.OriginRequestPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchOriginRequestPolicy, "origin request policy"})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetOriginRequestPolicyOutput{OriginRequestPolicy: originRequestPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// GetOriginRequestPolicyConfig returns the configuration alone.
func (s *Service) GetOriginRequestPolicyConfig(ctx context.Context, in *cloudfront.GetOriginRequestPolicyConfigInput) (*cloudfront.GetOriginRequestPolicyConfigOutput, error) {
	out, err := s.GetOriginRequestPolicy(ctx, &cloudfront.GetOriginRequestPolicyInput{Id: in.Id})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetOriginRequestPolicyConfigOutput{OriginRequestPolicyConfig: out.OriginRequestPolicy.OriginRequestPolicyConfig, ETag: out.ETag}, nil
}

// UpdateOriginRequestPolicy replaces a policy's configuration.
func (s *Service) UpdateOriginRequestPolicy(ctx context.Context, in *cloudfront.UpdateOriginRequestPolicyInput) (*cloudfront.UpdateOriginRequestPolicyOutput, error) {
	if _, ok := managedByID(managedOriginRequestPolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalUpdate, "The update contains modifications that are not allowed.")
	}
	_, rec, err := get(ctx, s, resource.OriginRequestPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchOriginRequestPolicy, "origin request policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if err := s.checkOriginRequestPolicy(ctx, in.OriginRequestPolicyConfig, *in.Id); err != nil {
		return nil, err
	}
	v := &resource.OriginRequestPolicy{ID: *in.Id, Config: in.OriginRequestPolicyConfig}
	if rec, err = replace(ctx, s, resource.OriginRequestPolicies, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateOriginRequestPolicyOutput{OriginRequestPolicy: originRequestPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// DeleteOriginRequestPolicy deletes an own policy that no distribution uses.
func (s *Service) DeleteOriginRequestPolicy(ctx context.Context, in *cloudfront.DeleteOriginRequestPolicyInput) (*cloudfront.DeleteOriginRequestPolicyOutput, error) {
	if _, ok := managedByID(managedOriginRequestPolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalDelete, "You cannot delete a managed policy.")
	}
	_, rec, err := get(ctx, s, resource.OriginRequestPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchOriginRequestPolicy, "origin request policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.behaviorsUse(ctx, func(b *cloudfront.DefaultCacheBehavior) bool { return deref(b.OriginRequestPolicyId) == *in.Id }) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeOriginRequestPolicyInUse, "Cannot delete the origin request policy because it is attached to one or more cache behaviors.")
	}
	return &cloudfront.DeleteOriginRequestPolicyOutput{}, remove(ctx, s, resource.OriginRequestPolicies, rec)
}

// ListOriginRequestPolicies lists managed and own policies.
func (s *Service) ListOriginRequestPolicies(ctx context.Context, in *cloudfront.ListOriginRequestPoliciesInput) (*cloudfront.ListOriginRequestPoliciesOutput, error) {
	all, err := ofType(listPolicies(s.env.Store.Read(ctx), managedOriginRequestPolicies(), resource.OriginRequestPolicies, originRequestPolicy), in.Type)
	if err != nil {
		return nil, err
	}
	items, next, limit, err := page(all, func(l listed[cloudfront.OriginRequestPolicy]) string { return l.id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	list := &cloudfront.OriginRequestPolicyList{NextMarker: next, MaxItems: &limit, Quantity: count(items)}
	for _, l := range items {
		list.Items = append(list.Items, &cloudfront.OriginRequestPolicySummary{Type: &l.kind, OriginRequestPolicy: l.policy})
	}
	return &cloudfront.ListOriginRequestPoliciesOutput{OriginRequestPolicyList: list}, nil
}

func managedCachePolicies() []managed[cloudfront.CachePolicy] {
	var out []managed[cloudfront.CachePolicy]
	for _, p := range edge.ManagedCachePolicies() {
		out = append(out, managed[cloudfront.CachePolicy]{p.ID, &cloudfront.CachePolicy{
			Id: &p.ID, LastModifiedTime: managedTime(),
			CachePolicyConfig: &cloudfront.CachePolicyConfig{
				Comment: &p.Comment, Name: &p.Name, MinTTL: &p.MinTTL, DefaultTTL: &p.DefaultTTL, MaxTTL: &p.MaxTTL,
				ParametersInCacheKeyAndForwardedToOrigin: &cloudfront.ParametersInCacheKeyAndForwardedToOrigin{
					EnableAcceptEncodingGzip: &p.Gzip, EnableAcceptEncodingBrotli: &p.Brotli,
					HeadersConfig:      &cloudfront.CachePolicyHeadersConfig{HeaderBehavior: mode(p.Headers), Headers: (*cloudfront.Headers)(names(p.Headers))},
					CookiesConfig:      &cloudfront.CachePolicyCookiesConfig{CookieBehavior: mode(p.Cookies), Cookies: (*cloudfront.CookieNames)(names(p.Cookies))},
					QueryStringsConfig: &cloudfront.CachePolicyQueryStringsConfig{QueryStringBehavior: mode(p.QueryStrings), QueryStrings: (*cloudfront.QueryStringNames)(names(p.QueryStrings))},
				},
			}}})
	}
	return out
}

func managedOriginRequestPolicies() []managed[cloudfront.OriginRequestPolicy] {
	var out []managed[cloudfront.OriginRequestPolicy]
	for _, p := range edge.ManagedOriginRequestPolicies() {
		out = append(out, managed[cloudfront.OriginRequestPolicy]{p.ID, &cloudfront.OriginRequestPolicy{
			Id: &p.ID, LastModifiedTime: managedTime(),
			OriginRequestPolicyConfig: &cloudfront.OriginRequestPolicyConfig{
				Comment: &p.Comment, Name: &p.Name,
				HeadersConfig:      &cloudfront.OriginRequestPolicyHeadersConfig{HeaderBehavior: mode(p.Headers), Headers: (*cloudfront.Headers)(names(p.Headers))},
				CookiesConfig:      &cloudfront.OriginRequestPolicyCookiesConfig{CookieBehavior: mode(p.Cookies), Cookies: (*cloudfront.CookieNames)(names(p.Cookies))},
				QueryStringsConfig: &cloudfront.OriginRequestPolicyQueryStringsConfig{QueryStringBehavior: mode(p.QueryStrings), QueryStrings: (*cloudfront.QueryStringNames)(names(p.QueryStrings))},
			}}})
	}
	return out
}

// nameList has the form of the API's lists of names.
type nameList struct {
	Quantity *int64
	Items    []string
}

func names(s edge.Selection) *nameList {
	if len(s.Names) == 0 {
		return nil
	}
	return &nameList{count(s.Names), s.Names}
}

func mode(s edge.Selection) *string { return new(string(s.Mode)) }
