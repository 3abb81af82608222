package cloudfront

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docContinuousDeployment = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/continuous-deployment.html"

// Quotas of continuous deployment (continuous-deployment-quotas-considerations).
const (
	maxDeploymentPolicies = 20
	maxStaging            = 20
	maxWeight             = 0.15
)

// CreateContinuousDeploymentPolicy makes a policy that sends a part of the requests to a staging distribution.
func (s *Service) CreateContinuousDeploymentPolicy(ctx context.Context, in *cloudfront.CreateContinuousDeploymentPolicyInput) (*cloudfront.CreateContinuousDeploymentPolicyOutput, error) {
	r := s.env.Store.Read(ctx)
	if err := checkDeployment(r, in.ContinuousDeploymentPolicyConfig, ""); err != nil {
		return nil, err
	}
	if resource.ContinuousDeployments.Len(r, global) >= maxDeploymentPolicies { // text: BC's documentation of the error
		return nil, refuse(cloudfront.ErrCodeTooManyContinuousDeploymentPolicies, "ContinuousDeploymentPolicyConfig", "You have reached the maximum number of continuous deployment policies for this Amazon Web Services account.", diag.Finding{})
	}
	v := &resource.ContinuousDeployment{ID: s.env.NewUUID(ctx, "continuous-deployment-policy", taken(ctx, s, resource.ContinuousDeployments)), Config: in.ContinuousDeploymentPolicyConfig}
	rec, err := put(ctx, s, resource.ContinuousDeployments, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateContinuousDeploymentPolicyOutput{ContinuousDeploymentPolicy: deploymentPolicy(rec, v), ETag: new(etag(rec)), Location: s.location("continuous-deployment-policy", v.ID)}, nil
}

func deploymentPolicy(rec *store.Record, v *resource.ContinuousDeployment) *cloudfront.ContinuousDeploymentPolicy {
	return &cloudfront.ContinuousDeploymentPolicy{Id: &v.ID, LastModifiedTime: stamp(rec.Updated), ContinuousDeploymentPolicyConfig: v.Config}
}

// checkDeployment makes the checks of a policy. self is its id when it exists already.
func checkDeployment(r store.Reader, c *cloudfront.ContinuousDeploymentPolicyConfig, self string) error {
	const path = "ContinuousDeploymentPolicyConfig"
	switch {
	case c == nil || c.Enabled == nil:
		return missingArgument(path + ".Enabled")
	case c.StagingDistributionDnsNames == nil || len(c.StagingDistributionDnsNames.Items) == 0:
		return missingArgument(path + ".StagingDistributionDnsNames")
	}
	if err := quantities(c, path); err != nil {
		return err
	}
	if n := len(c.StagingDistributionDnsNames.Items); n != 1 {
		return invalid(path+".StagingDistributionDnsNames", "The parameter StagingDistributionDnsNames is invalid.", fmt.Sprintf("%d names, a policy has one staging distribution", n)) // text: our words
	}
	name := c.StagingDistributionDnsNames.Items[0]
	if staging := stagingOf(r, name); staging == nil {
		return invalid(indexed(path+".StagingDistributionDnsNames.Items", 0), "The parameter StagingDistributionDnsNames is invalid.", // text: our words
			fmt.Sprintf("%q is not the domain name of a staging distribution", name), "set Staging to true in that distribution, or make one with copy-distribution")
	}
	for _, other := range resource.ContinuousDeployments.All(r, global) {
		if other.ID != self && slices.Contains(other.Config.StagingDistributionDnsNames.Items, name) { // text: BC's documentation of the error
			return refuse(cloudfront.ErrCodeStagingDistributionInUse, path+".StagingDistributionDnsNames", "A continuous deployment policy for this staging distribution already exists.", diag.Finding{
				Because: []string{"policy " + other.ID + " has it"}})
		}
	}
	return checkTraffic(c.TrafficConfig, path+".TrafficConfig")
}

// checkTraffic: a weight of at most 15 %, or a header that begins with aws-cf-cd- (BC; understanding-continuous-deployment).
func checkTraffic(t *cloudfront.TrafficConfig, path string) error {
	if t == nil {
		return nil
	}
	switch kind := deref(t.Type); {
	case kind != "SingleWeight" && kind != "SingleHeader":
		return invalid(path+".Type", "The parameter Type is invalid.", fmt.Sprintf("%q is neither SingleWeight nor SingleHeader", kind))
	case kind == "SingleHeader":
		h := t.SingleHeaderConfig
		if h == nil || deref(h.Value) == "" {
			return missingArgument(path + ".SingleHeaderConfig")
		}
		if !strings.HasPrefix(strings.ToLower(deref(h.Header)), "aws-cf-cd-") || len(*h.Header) > 256 || len(*h.Value) > 1783 {
			return invalid(path+".SingleHeaderConfig.Header", "The parameter Header is invalid.", fmt.Sprintf("%q does not begin with aws-cf-cd-", deref(h.Header))) // text: our words
		}
		return nil
	}
	w := t.SingleWeightConfig
	if w == nil || w.Weight == nil {
		return missingArgument(path + ".SingleWeightConfig")
	}
	if *w.Weight < 0 || *w.Weight > maxWeight {
		return invalid(path+".SingleWeightConfig.Weight", "The parameter Weight is invalid.", fmt.Sprintf("%v is not between 0 and %v, which is 15 percent", *w.Weight, maxWeight)) // text: our words
	}
	if k := w.SessionStickinessConfig; k != nil {
		idle, longest := deref(k.IdleTTL), deref(k.MaximumTTL)
		if idle < 300 || longest > 3600 || idle > longest {
			return invalid(path+".SingleWeightConfig.SessionStickinessConfig", "The parameter SessionStickinessConfig is invalid.", // text: our words
				fmt.Sprintf("IdleTTL %d and MaximumTTL %d: both are from 300 to 3600 seconds, and IdleTTL is not the longer one", idle, longest))
		}
	}
	return nil
}

// sticky tells whether a policy has session stickiness.
func sticky(c *cloudfront.ContinuousDeploymentPolicyConfig) bool {
	return c.TrafficConfig != nil && c.TrafficConfig.SingleWeightConfig != nil && c.TrafficConfig.SingleWeightConfig.SessionStickinessConfig != nil
}

// stagingOf returns the staging distribution of a domain name, nil without one.
func stagingOf(r store.Reader, domain string) *resource.Distribution {
	for _, v := range resource.Distributions.All(r, global) {
		if strings.EqualFold(v.DomainName, domain) && deref(v.Config.Staging) {
			return v
		}
	}
	return nil
}

func (s *Service) deployment(ctx context.Context, id *string) (*resource.ContinuousDeployment, *store.Record, error) {
	return get(ctx, s, resource.ContinuousDeployments, id, missing{cloudfront.ErrCodeNoSuchContinuousDeploymentPolicy, "continuous deployment policy"})
}

// GetContinuousDeploymentPolicy returns a policy.
func (s *Service) GetContinuousDeploymentPolicy(ctx context.Context, in *cloudfront.GetContinuousDeploymentPolicyInput) (*cloudfront.GetContinuousDeploymentPolicyOutput, error) {
	v, rec, err := s.deployment(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetContinuousDeploymentPolicyOutput{ContinuousDeploymentPolicy: deploymentPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// GetContinuousDeploymentPolicyConfig returns the configuration alone.
func (s *Service) GetContinuousDeploymentPolicyConfig(ctx context.Context, in *cloudfront.GetContinuousDeploymentPolicyConfigInput) (*cloudfront.GetContinuousDeploymentPolicyConfigOutput, error) {
	v, rec, err := s.deployment(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetContinuousDeploymentPolicyConfigOutput{ContinuousDeploymentPolicyConfig: v.Config, ETag: new(etag(rec))}, nil
}

// UpdateContinuousDeploymentPolicy replaces the configuration.
func (s *Service) UpdateContinuousDeploymentPolicy(ctx context.Context, in *cloudfront.UpdateContinuousDeploymentPolicyInput) (*cloudfront.UpdateContinuousDeploymentPolicyOutput, error) {
	old, rec, err := s.deployment(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if err := checkDeployment(s.env.Store.Read(ctx), in.ContinuousDeploymentPolicyConfig, old.ID); err != nil {
		return nil, err
	}
	v := &resource.ContinuousDeployment{ID: old.ID, Config: in.ContinuousDeploymentPolicyConfig, Sessions: old.Sessions}
	if deref(v.Config.Enabled) != deref(old.Config.Enabled) || sticky(v.Config) != sticky(old.Config) {
		v.Sessions++ // CloudFront resets all sessions (understanding-continuous-deployment)
	}
	if rec, err = replace(ctx, s, resource.ContinuousDeployments, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateContinuousDeploymentPolicyOutput{ContinuousDeploymentPolicy: deploymentPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// DeleteContinuousDeploymentPolicy deletes a policy that no distribution has.
func (s *Service) DeleteContinuousDeploymentPolicy(ctx context.Context, in *cloudfront.DeleteContinuousDeploymentPolicyInput) (*cloudfront.DeleteContinuousDeploymentPolicyOutput, error) {
	v, rec, err := s.deployment(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	for _, d := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if deref(d.Config.ContinuousDeploymentPolicyId) == v.ID { // text: BC's documentation of the error
			return nil, awsapi.Errorf(cloudfront.ErrCodeContinuousDeploymentPolicyInUse, "You cannot delete a continuous deployment policy that is associated with a primary distribution.")
		}
	}
	return &cloudfront.DeleteContinuousDeploymentPolicyOutput{}, remove(ctx, s, resource.ContinuousDeployments, rec)
}

// ListContinuousDeploymentPolicies lists the account's policies.
func (s *Service) ListContinuousDeploymentPolicies(ctx context.Context, in *cloudfront.ListContinuousDeploymentPoliciesInput) (*cloudfront.ListContinuousDeploymentPoliciesOutput, error) {
	var all []*cloudfront.ContinuousDeploymentPolicySummary
	for rec, v := range resource.ContinuousDeployments.All(s.env.Store.Read(ctx), global) {
		all = append(all, &cloudfront.ContinuousDeploymentPolicySummary{ContinuousDeploymentPolicy: deploymentPolicy(rec, v)})
	}
	items, next, limit, err := page(all, func(v *cloudfront.ContinuousDeploymentPolicySummary) string { return *v.ContinuousDeploymentPolicy.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListContinuousDeploymentPoliciesOutput{ContinuousDeploymentPolicyList: &cloudfront.ContinuousDeploymentPolicyList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}
