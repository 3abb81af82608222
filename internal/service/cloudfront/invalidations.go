package cloudfront

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreateInvalidation drops objects from the cache; it has taken effect when the call returns.
func (s *Service) CreateInvalidation(ctx context.Context, in *cloudfront.CreateInvalidationInput) (*cloudfront.CreateInvalidationOutput, error) {
	d, _, err := s.getDistribution(ctx, in.DistributionId)
	if err != nil {
		return nil, err
	}
	b := in.InvalidationBatch
	if b == nil || b.Paths == nil || len(b.Paths.Items) == 0 {
		return nil, missingArgument("InvalidationBatch.Paths")
	}
	if deref(b.CallerReference) == "" {
		return nil, missingArgument("InvalidationBatch.CallerReference")
	}
	if err := quantities(b, "InvalidationBatch"); err != nil {
		return nil, err
	}
	for i, p := range b.Paths.Items {
		// A star that is not the last character is taken literally (DG26-invalidation-specifying-objects).
		if !strings.HasPrefix(p, "/") || len(p) > 4000 { // facts: cloudfront-dataplane 14
			return nil, invalid(indexed("InvalidationBatch.Paths.Items", i), "Your request contains one or more invalid invalidation paths.", // text: seen in public reports
				fmt.Sprintf("%q: a path begins with / and has at most 4,000 characters", p))
		}
	}
	if err := invalidationQuota(b.Paths.Items); err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	for rec, v := range resource.Invalidations.All(r, global) {
		if v.DistributionID == d.ID && deref(v.Batch.CallerReference) == *b.CallerReference {
			if !slices.Equal(v.Batch.Paths.Items, b.Paths.Items) { // BC InvalidationBatch.CallerReference names the code, nobody its status
				return nil, awsapi.StatusErrorf(409, "InvalidationBatchAlreadyExists", "The caller reference was used for other paths: %s", v.ID) // text: our words
			}
			return &cloudfront.CreateInvalidationOutput{Invalidation: invalidation(rec, v), Location: s.location("distribution/"+d.ID+"/invalidation", v.ID)}, nil
		}
	}
	id := s.env.NewID(ctx, invalidationID, nil)
	v := &resource.Invalidation{ID: id, DistributionID: d.ID, Batch: b, Created: s.env.Now().UTC()}
	s.invalidate(d.ID, b.Paths.Items)
	rec, err := put(ctx, s, resource.Invalidations, d.ID+"/"+id, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateInvalidationOutput{Invalidation: invalidation(rec, v), Location: s.location("distribution/"+d.ID+"/invalidation", id)}, nil
}

// The most paths of a distribution that may be in progress, those with a wildcard apart (DG26-invalidationlimits). Here an
// invalidation is through when its call returns, so the quota is one for each call.
const mostPaths, mostWildcards = 3000, 15

func invalidationQuota(paths []string) error {
	wild := 0
	for _, p := range paths {
		if strings.HasSuffix(p, "*") {
			wild++
		}
	}
	const path = "InvalidationBatch.Paths"
	switch { // texts: live, in public reports
	case wild > mostWildcards:
		return tooMany(cloudfront.ErrCodeTooManyInvalidationsInProgress, path, "Processing your request will cause you to exceed the maximum number of in-progress wildcard invalidations.", mostWildcards)
	case len(paths)-wild > mostPaths:
		return tooMany(cloudfront.ErrCodeTooManyInvalidationsInProgress, path, "Processing your request will cause you to exceed the maximum number of in-progress invalidations.", mostPaths)
	}
	return nil
}

func invalidation(_ *store.Record, v *resource.Invalidation) *cloudfront.Invalidation {
	return &cloudfront.Invalidation{Id: &v.ID, Status: new("Completed"), CreateTime: stamp(v.Created), InvalidationBatch: v.Batch}
}

// GetInvalidation returns an invalidation.
func (s *Service) GetInvalidation(ctx context.Context, in *cloudfront.GetInvalidationInput) (*cloudfront.GetInvalidationOutput, error) {
	if _, _, err := s.getDistribution(ctx, in.DistributionId); err != nil {
		return nil, err
	}
	v, ok := resource.Invalidations.Get(s.env.Store.Read(ctx), global, *in.DistributionId+"/"+deref(in.Id))
	if !ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeNoSuchInvalidation, "The specified invalidation does not exist.")
	}
	return &cloudfront.GetInvalidationOutput{Invalidation: invalidation(nil, v)}, nil
}

// ListInvalidations lists a distribution's invalidations.
func (s *Service) ListInvalidations(ctx context.Context, in *cloudfront.ListInvalidationsInput) (*cloudfront.ListInvalidationsOutput, error) {
	if _, _, err := s.getDistribution(ctx, in.DistributionId); err != nil {
		return nil, err
	}
	var all []*resource.Invalidation
	for _, v := range resource.Invalidations.All(s.env.Store.Read(ctx), global) {
		if v.DistributionID == *in.DistributionId {
			all = append(all, v)
		}
	}
	slices.SortFunc(all, func(a, b *resource.Invalidation) int { // the most recent first (BC ListInvalidations.Marker)
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(a.ID, b.ID))
	})
	found, next, limit, err := cut(all, func(v *resource.Invalidation) string { return v.ID }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	var items []*cloudfront.InvalidationSummary
	for _, v := range found {
		items = append(items, &cloudfront.InvalidationSummary{Id: &v.ID, CreateTime: stamp(v.Created), Status: new("Completed")})
	}
	return &cloudfront.ListInvalidationsOutput{InvalidationList: &cloudfront.InvalidationList{
		Marker: or(in.Marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(items), Items: items}}, nil
}
