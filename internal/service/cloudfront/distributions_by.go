package cloudfront

import (
	"context"
	"slices"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

// idsOf pages through the ids of the distributions with a behavior that satisfies use.
func (s *Service) idsOf(ctx context.Context, marker, maxItems *string, use func(*cloudfront.DefaultCacheBehavior) bool) (*cloudfront.DistributionIdList, error) {
	var all []string
	for _, v := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if slices.ContainsFunc(behaviors(v.Config), func(b behavior) bool { return use(b.DefaultCacheBehavior) }) {
			all = append(all, v.ID)
		}
	}
	ids, next, limit, err := page(all, func(id string) string { return id }, marker, maxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.DistributionIdList{Marker: or(marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(ids), Items: ids}, nil
}

// ListDistributionsByCachePolicyId lists the distributions that use a cache policy.
func (s *Service) ListDistributionsByCachePolicyId(ctx context.Context, in *cloudfront.ListDistributionsByCachePolicyIdInput) (*cloudfront.ListDistributionsByCachePolicyIdOutput, error) {
	if _, err := s.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: in.CachePolicyId}); err != nil {
		return nil, err
	}
	list, err := s.idsOf(ctx, in.Marker, in.MaxItems, func(b *cloudfront.DefaultCacheBehavior) bool { return deref(b.CachePolicyId) == *in.CachePolicyId })
	return &cloudfront.ListDistributionsByCachePolicyIdOutput{DistributionIdList: list}, err
}

// ListDistributionsByOriginRequestPolicyId lists the distributions that use an origin request policy.
func (s *Service) ListDistributionsByOriginRequestPolicyId(ctx context.Context, in *cloudfront.ListDistributionsByOriginRequestPolicyIdInput) (*cloudfront.ListDistributionsByOriginRequestPolicyIdOutput, error) {
	if _, err := s.GetOriginRequestPolicy(ctx, &cloudfront.GetOriginRequestPolicyInput{Id: in.OriginRequestPolicyId}); err != nil {
		return nil, err
	}
	list, err := s.idsOf(ctx, in.Marker, in.MaxItems, func(b *cloudfront.DefaultCacheBehavior) bool {
		return deref(b.OriginRequestPolicyId) == *in.OriginRequestPolicyId
	})
	return &cloudfront.ListDistributionsByOriginRequestPolicyIdOutput{DistributionIdList: list}, err
}

// ListDistributionsByResponseHeadersPolicyId lists the distributions that use a response headers policy.
func (s *Service) ListDistributionsByResponseHeadersPolicyId(ctx context.Context, in *cloudfront.ListDistributionsByResponseHeadersPolicyIdInput) (*cloudfront.ListDistributionsByResponseHeadersPolicyIdOutput, error) {
	if _, err := s.GetResponseHeadersPolicy(ctx, &cloudfront.GetResponseHeadersPolicyInput{Id: in.ResponseHeadersPolicyId}); err != nil {
		return nil, err
	}
	list, err := s.idsOf(ctx, in.Marker, in.MaxItems, func(b *cloudfront.DefaultCacheBehavior) bool {
		return deref(b.ResponseHeadersPolicyId) == *in.ResponseHeadersPolicyId
	})
	return &cloudfront.ListDistributionsByResponseHeadersPolicyIdOutput{DistributionIdList: list}, err
}

// ListDistributionsByKeyGroup lists the distributions that trust a key group.
func (s *Service) ListDistributionsByKeyGroup(ctx context.Context, in *cloudfront.ListDistributionsByKeyGroupInput) (*cloudfront.ListDistributionsByKeyGroupOutput, error) {
	if _, _, err := s.group(ctx, in.KeyGroupId); err != nil {
		return nil, err
	}
	list, err := s.idsOf(ctx, in.Marker, in.MaxItems, func(b *cloudfront.DefaultCacheBehavior) bool {
		return b.TrustedKeyGroups != nil && slices.Contains(b.TrustedKeyGroups.Items, *in.KeyGroupId)
	})
	return &cloudfront.ListDistributionsByKeyGroupOutput{DistributionIdList: list}, err
}
