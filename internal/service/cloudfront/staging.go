package cloudfront

import (
	"context"
	"reflect"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CopyDistribution makes a staging distribution of a primary one. Names stay with the primary, as does its policy.
func (s *Service) CopyDistribution(ctx context.Context, in *cloudfront.CopyDistributionInput) (*cloudfront.CopyDistributionOutput, error) {
	primary, _, err := s.getDistribution(ctx, in.PrimaryDistributionId)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, configTag(primary)); err != nil {
		return nil, err
	}
	switch {
	case !deref(in.Staging):
		return nil, invalid("Staging", "The parameter Staging is invalid.", "the only valid value is true: a distribution is copied to a staging distribution") // text: our words
	case deref(primary.Config.Staging):
		return nil, invalid("PrimaryDistributionId", "The parameter PrimaryDistributionId is invalid.", "a staging distribution cannot be copied") // text: our words
	}
	c := *primary.Config
	c.CallerReference, c.Staging, c.ContinuousDeploymentPolicyId = in.CallerReference, new(true), new("")
	c.Aliases = &cloudfront.Aliases{Quantity: zero()}
	if in.Enabled != nil {
		c.Enabled = in.Enabled
	}
	out, err := s.createDistribution(ctx, &c, nil)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CopyDistributionOutput{Distribution: out.Distribution, ETag: out.ETag, Location: out.Location}, nil
}

// UpdateDistributionWithStagingConfig promotes a staging distribution: its configuration becomes the primary's, which keeps its
// aliases and its policy, and the policy is disabled (BC; working-with-staging-distribution-continuous-deployment-policy).
func (s *Service) UpdateDistributionWithStagingConfig(ctx context.Context, in *cloudfront.UpdateDistributionWithStagingConfigInput) (*cloudfront.UpdateDistributionWithStagingConfigOutput, error) {
	primary, rec, err := s.getDistribution(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	policy, ok := resource.ContinuousDeployments.Get(r, global, deref(primary.Config.ContinuousDeploymentPolicyId))
	if !ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalUpdate, "The distribution has no continuous deployment policy.") // text: our words
	}
	staging := stagingOf(r, policy.Config.StagingDistributionDnsNames.Items[0])
	if staging == nil || in.StagingDistributionId != nil && *in.StagingDistributionId != staging.ID {
		return nil, awsapi.Errorf(cloudfront.ErrCodeNoSuchDistribution, "The specified distribution does not exist.")
	}
	first, second, _ := strings.Cut(deref(in.IfMatch), ",") // "make sure the primary distribution's value is first"
	if err := matchTag(&first, configTag(primary)); err != nil {
		return nil, err
	}
	if second = strings.TrimSpace(second); second != configTag(staging) {
		return nil, preconditionFailed()
	}
	c := *staging.Config
	c.CallerReference, c.Aliases, c.ContinuousDeploymentPolicyId = primary.Config.CallerReference, primary.Config.Aliases, primary.Config.ContinuousDeploymentPolicyId
	c.Staging, c.Enabled = new(false), primary.Config.Enabled
	if err := s.checkDistribution(ctx, &c, primary.ID); err != nil {
		return nil, err
	}
	v := *primary
	v.Config = &c
	v.Changes++
	off := *policy.Config
	off.Enabled = new(false)
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		if now := resource.Distributions.Record(tx, global, v.ID); now == nil || now.Revision != rec.Revision {
			return preconditionFailed()
		}
		resource.Distributions.Put(tx, global, v.ID, &v)
		resource.ContinuousDeployments.Put(tx, global, policy.ID, &resource.ContinuousDeployment{ID: policy.ID, Config: &off, Sessions: policy.Sessions + 1})
		return nil
	})
	if err != nil {
		return nil, err
	}
	rec = resource.Distributions.Record(s.env.Store.Read(ctx), global, v.ID)
	return &cloudfront.UpdateDistributionWithStagingConfigOutput{Distribution: s.distribution(ctx, rec, &v), ETag: new(configTag(&v))}, nil
}

// checkContinuousDeployment checks a distribution's part in continuous deployment. self is "" for a new distribution.
func checkContinuousDeployment(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	const path = "DistributionConfig"
	id := deref(c.ContinuousDeploymentPolicyId)
	if deref(c.Staging) {
		if self == "" && countStaging(r) >= maxStaging {
			return refuse(cloudfront.ErrCodeTooManyDistributions, path, "You have reached the maximum number of distributions for this AWS account.", diag.Finding{
				Because: []string{"an account has at most 20 staging distributions"}})
		}
		if id != "" || len(c.Aliases.Items) > 0 {
			return invalid(path+".Staging", "The parameter Staging is invalid.", "a staging distribution has neither aliases nor a continuous deployment policy: those belong to the primary one") // text: our words
		}
	}
	if id == "" {
		return nil
	}
	if _, ok := resource.ContinuousDeployments.Get(r, global, id); !ok {
		return refuse(cloudfront.ErrCodeNoSuchContinuousDeploymentPolicy, path+".ContinuousDeploymentPolicyId", "The specified continuous deployment policy does not exist.", diag.Finding{
			Because: []string{"no continuous deployment policy has the id " + id}})
	}
	if self == "" { // text: as remembered; that AWS refuses it is in the documentation of Terraform's provider
		return invalid(path+".ContinuousDeploymentPolicyId", "Continuous deployment policy is not supported during distribution creation.",
			"a policy is attached to a distribution that exists", "make the distribution without it, and update it then")
	}
	if strings.Contains(strings.ToLower(deref(c.HttpVersion)), "3") {
		return refuse(cloudfront.ErrCodeInvalidArgument, path+".HttpVersion", "The parameter HttpVersion is invalid.", diag.Finding{ // text: our words
			Doc: docContinuousDeployment, Because: []string{"continuous deployment cannot be used with a distribution that supports HTTP/3"}, Fixes: []string{"set HttpVersion to http2"}})
	}
	return nil
}

func countStaging(r store.Reader) (n int) {
	for _, v := range resource.Distributions.All(r, global) {
		if deref(v.Config.Staging) {
			n++
		}
	}
	return n
}

// checkDeployedUpdate: while a policy is attached, primary and staging distribution can change only what the manual lists
// (understanding-continuous-deployment, "Update primary and staging distributions"; text: github
// aws-samples/amazon-cloudfront-continuous-deployment 8).
func checkDeployedUpdate(r store.Reader, old *resource.Distribution, c *cloudfront.DistributionConfig) error {
	if deref(c.Staging) != deref(old.Config.Staging) {
		return illegalUpdate("Staging", "a distribution is a staging distribution from the beginning or never")
	}
	attached := deref(old.Config.ContinuousDeploymentPolicyId) != "" && deref(c.ContinuousDeploymentPolicyId) != ""
	if deref(old.Config.Staging) {
		for _, p := range resource.ContinuousDeployments.All(r, global) {
			attached = attached || strings.EqualFold(p.Config.StagingDistributionDnsNames.Items[0], old.DomainName) && hasPolicy(r, p.ID)
		}
	}
	if !attached {
		return nil
	}
	fixed := func(c *cloudfront.DistributionConfig) [6]any {
		return [6]any{c.Aliases, c.ViewerCertificate, c.PriceClass, c.HttpVersion, c.WebACLId, c.IsIPV6Enabled}
	}
	before, after := fixed(old.Config), fixed(c)
	for i, name := range [...]string{"Aliases", "ViewerCertificate", "PriceClass", "HttpVersion", "WebACLId", "IsIPV6Enabled"} {
		if !reflect.DeepEqual(before[i], after[i]) {
			return illegalUpdate(name, "while a continuous deployment policy is attached, behaviors, origins, error responses, geo restriction, default root object, logging and comment can change")
		}
	}
	return nil
}

func illegalUpdate(setting, because string) error {
	return refuse(cloudfront.ErrCodeIllegalUpdate, "DistributionConfig."+setting, "One or more fields updated are not supported for continuous deployment.", diag.Finding{
		Doc: docContinuousDeployment, Because: []string{because}, Fixes: []string{"take ContinuousDeploymentPolicyId off the primary distribution first"}})
}

func hasPolicy(r store.Reader, id string) bool {
	for _, v := range resource.Distributions.All(r, global) {
		if deref(v.Config.ContinuousDeploymentPolicyId) == id {
			return true
		}
	}
	return false
}
