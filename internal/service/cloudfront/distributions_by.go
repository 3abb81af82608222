package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

// listed pages through the distributions with a configuration that satisfies use.
func (s *Service) listed(ctx context.Context, marker, maxItems *string, use func(*cloudfront.DistributionConfig) bool) (*cloudfront.DistributionList, error) {
	var all []*cloudfront.DistributionSummary
	for rec, v := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if use(v.Config) {
			all = append(all, s.summary(rec, v))
		}
	}
	items, next, limit, err := page(all, func(d *cloudfront.DistributionSummary) string { return *d.Id }, marker, maxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.DistributionList{Marker: or(marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Quantity: count(items), Items: items}, nil
}

// using is listed for something that is not there itself: a distribution may name one of a real account. When none does, it is
// unknown.
func (s *Service) using(ctx context.Context, marker, maxItems *string, use func(*cloudfront.DistributionConfig) bool) (*cloudfront.DistributionList, error) {
	list, err := s.listed(ctx, marker, maxItems, use)
	if err == nil && *list.Quantity == 0 && deref(marker) == "" {
		return nil, awsapi.Errorf(cloudfront.ErrCodeEntityNotFound, "The specified entity does not exist.") // text: our words
	}
	return list, err
}

// ListDistributionsByOwnedResource lists the distributions, with their accounts, that use a resource which accounts can share: a
// VPC origin, or an Anycast list, of which there are none (DG-sharing-resources). A node has one account.
func (s *Service) ListDistributionsByOwnedResource(ctx context.Context, in *cloudfront.ListDistributionsByOwnedResourceInput) (*cloudfront.ListDistributionsByOwnedResourceOutput, error) {
	parts := sharedARN.FindStringSubmatch(deref(in.ResourceArn))
	if parts == nil {
		return nil, invalid("ResourceArn", "The parameter ResourceArn is invalid.", // text: our words
			fmt.Sprintf("%q is not the ARN of a VPC origin or an Anycast IP list", deref(in.ResourceArn)))
	}
	id := parts[3]
	if _, ok := resource.VpcOrigins.Get(s.env.Store.Read(ctx), global, id); !ok || parts[1] != s.env.Account || parts[2] != "vpcorigin" {
		return nil, awsapi.Errorf(cloudfront.ErrCodeEntityNotFound, "The specified entity does not exist.") // text: our words
	}
	ids, err := s.idsWith(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool {
		return slices.ContainsFunc(c.Origins.Items, usesVpcOrigin(id))
	})
	if err != nil {
		return nil, err
	}
	out := &cloudfront.DistributionIdOwnerList{Marker: ids.Marker, NextMarker: ids.NextMarker, MaxItems: ids.MaxItems, IsTruncated: ids.IsTruncated, Quantity: ids.Quantity}
	for _, id := range ids.Items {
		out.Items = append(out.Items, &cloudfront.DistributionIdOwner{DistributionId: new(id), OwnerAccountId: &s.env.Account})
	}
	return &cloudfront.ListDistributionsByOwnedResourceOutput{DistributionList: out}, nil
}

// sharedARN matches the ARN of a resource that accounts can share: account, kind, id.
var sharedARN = regexp.MustCompile(`^arn:aws:cloudfront::(\d{12}):(vpcorigin|anycast-ip-list)/([^/]+)$`)

// idsOf pages through the ids of the distributions with a behavior that satisfies use.
func (s *Service) idsOf(ctx context.Context, marker, maxItems *string, use func(*cloudfront.DefaultCacheBehavior) bool) (*cloudfront.DistributionIdList, error) {
	return s.idsWith(ctx, marker, maxItems, func(c *cloudfront.DistributionConfig) bool {
		return slices.ContainsFunc(behaviors(c), func(b behavior) bool { return use(b.DefaultCacheBehavior) })
	})
}

// idsWith pages through the ids of the distributions that satisfy use.
func (s *Service) idsWith(ctx context.Context, marker, maxItems *string, use func(*cloudfront.DistributionConfig) bool) (*cloudfront.DistributionIdList, error) {
	var all []string
	for _, v := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if use(v.Config) {
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

// ListDistributionsByWebACLId lists the distributions with a web ACL; with "null" those without one (the API reference of the
// operation).
func (s *Service) ListDistributionsByWebACLId(ctx context.Context, in *cloudfront.ListDistributionsByWebACLIdInput) (*cloudfront.ListDistributionsByWebACLIdOutput, error) {
	wanted := deref(in.WebACLId)
	if wanted == "null" {
		wanted = ""
	} else if err := checkWebACL(wanted, "WebACLId"); err != nil {
		return nil, err
	}
	list, err := s.listed(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool { return deref(c.WebACLId) == wanted })
	return &cloudfront.ListDistributionsByWebACLIdOutput{DistributionList: list}, err
}

// ListDistributionsByAnycastIpListId lists the distributions that name a list of addresses.
func (s *Service) ListDistributionsByAnycastIpListId(ctx context.Context, in *cloudfront.ListDistributionsByAnycastIpListIdInput) (*cloudfront.ListDistributionsByAnycastIpListIdOutput, error) {
	list, err := s.using(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool {
		return deref(c.AnycastIpListId) == deref(in.AnycastIpListId)
	})
	return &cloudfront.ListDistributionsByAnycastIpListIdOutput{DistributionList: list}, err
}

// ListDistributionsByConnectionMode lists the distributions of a mode: direct unless said otherwise.
func (s *Service) ListDistributionsByConnectionMode(ctx context.Context, in *cloudfront.ListDistributionsByConnectionModeInput) (*cloudfront.ListDistributionsByConnectionModeOutput, error) {
	list, err := s.listed(ctx, in.Marker, asText(in.MaxItems), func(c *cloudfront.DistributionConfig) bool {
		return *or(c.ConnectionMode, cloudfront.ConnectionModeDirect) == deref(in.ConnectionMode)
	})
	return &cloudfront.ListDistributionsByConnectionModeOutput{DistributionList: list}, err
}

// ListDistributionsByConnectionFunction lists the distributions that name a connection function.
func (s *Service) ListDistributionsByConnectionFunction(ctx context.Context, in *cloudfront.ListDistributionsByConnectionFunctionInput) (*cloudfront.ListDistributionsByConnectionFunctionOutput, error) {
	list, err := s.using(ctx, in.Marker, asText(in.MaxItems), func(c *cloudfront.DistributionConfig) bool {
		return c.ConnectionFunctionAssociation != nil && deref(c.ConnectionFunctionAssociation.Id) == deref(in.ConnectionFunctionIdentifier)
	})
	return &cloudfront.ListDistributionsByConnectionFunctionOutput{DistributionList: list}, err
}

// ListDistributionsByTrustStore lists the distributions that use a trust store.
func (s *Service) ListDistributionsByTrustStore(ctx context.Context, in *cloudfront.ListDistributionsByTrustStoreInput) (*cloudfront.ListDistributionsByTrustStoreOutput, error) {
	v, _, err := s.findTrustStore(ctx, in.TrustStoreIdentifier)
	if err != nil {
		return nil, err
	}
	list, err := s.listed(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool { return trusts(c) == v.ID })
	return &cloudfront.ListDistributionsByTrustStoreOutput{DistributionList: list}, err
}
