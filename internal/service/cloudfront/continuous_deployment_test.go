package cloudfront

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
)

// policyJSON is a policy for a staging distribution whose name takes the place of NAME.
const policyJSON = `{"Enabled":true,"StagingDistributionDnsNames":{"Quantity":1,"Items":["NAME"]},"TrafficConfig":{"Type":"SingleWeight","SingleWeightConfig":{"Weight":0.1,"SessionStickinessConfig":{"IdleTTL":300,"MaximumTTL":600}}}}`

func TestContinuousDeployment(t *testing.T) {
	s := newService()
	ctx := t.Context()
	primary := createSite(t, s)
	_, err := s.CopyDistribution(ctx, &cloudfront.CopyDistributionInput{PrimaryDistributionId: primary.Distribution.Id, Staging: new(true), CallerReference: new("c"), IfMatch: new("x")})
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	copied, err := s.CopyDistribution(ctx, &cloudfront.CopyDistributionInput{PrimaryDistributionId: primary.Distribution.Id, Staging: new(true), CallerReference: new("c"), IfMatch: primary.ETag})
	if err != nil || !*copied.Distribution.DistributionConfig.Staging {
		t.Fatal(err)
	}
	create := func(pairs ...string) (*cloudfront.CreateContinuousDeploymentPolicyOutput, error) {
		text := strings.NewReplacer(append([]string{"NAME", *copied.Distribution.DomainName}, pairs...)...).Replace(policyJSON)
		return s.CreateContinuousDeploymentPolicy(ctx, &cloudfront.CreateContinuousDeploymentPolicyInput{ContinuousDeploymentPolicyConfig: fromJSON[cloudfront.ContinuousDeploymentPolicyConfig](t, text)})
	}
	const path = "ContinuousDeploymentPolicyConfig."
	for _, c := range []struct {
		pairs []string
		want  refusal
	}{
		{[]string{"0.1", "0.16"}, refusal{code: "InvalidArgument", status: 400, path: path + "TrafficConfig.SingleWeightConfig.Weight"}},
		{[]string{"300", "299"}, refusal{code: "InvalidArgument", status: 400, path: path + "TrafficConfig.SingleWeightConfig.SessionStickinessConfig"}},
		{[]string{"300", "601"}, refusal{code: "InvalidArgument", status: 400, path: path + "TrafficConfig.SingleWeightConfig.SessionStickinessConfig"}},
		{[]string{`"SingleWeight"`, `"Half"`}, refusal{code: "InvalidArgument", status: 400, path: path + "TrafficConfig.Type"}},
		{[]string{`"SingleWeight"`, `"SingleHeader"`, `"SingleWeightConfig":{"Weight":0.1,"SessionStickinessConfig":{"IdleTTL":300,"MaximumTTL":600}}`, `"SingleHeaderConfig":{"Header":"x-test","Value":"1"}`}, refusal{code: "InvalidArgument", status: 400, path: path + "TrafficConfig.SingleHeaderConfig.Header"}},
		{[]string{"NAME", *primary.Distribution.DomainName}, refusal{code: "InvalidArgument", status: 400, path: path + "StagingDistributionDnsNames.Items[0]"}},
	} {
		pairs := c.pairs
		if pairs[0] == "NAME" {
			text := strings.Replace(policyJSON, "NAME", pairs[1], 1)
			_, err = s.CreateContinuousDeploymentPolicy(ctx, &cloudfront.CreateContinuousDeploymentPolicyInput{ContinuousDeploymentPolicyConfig: fromJSON[cloudfront.ContinuousDeploymentPolicyConfig](t, text)})
		} else {
			_, err = create(pairs...)
		}
		check(t, err, c.want)
	}
	policy, err := create()
	if err != nil {
		t.Fatal(err)
	}
	_, err = create()
	check(t, err, refusal{code: "StagingDistributionInUse", status: 409})
	id := policy.ContinuousDeploymentPolicy.Id
	config := *primary.Distribution.DistributionConfig
	config.ContinuousDeploymentPolicyId = id
	fresh := config
	fresh.CallerReference = new("another")
	_, err = s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: &fresh})
	check(t, err, refusal{"InvalidArgument", 400, "Continuous deployment policy is not supported during distribution creation.", "refused-by-aws", "DistributionConfig.ContinuousDeploymentPolicyId"})
	up, err := s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: primary.Distribution.Id, IfMatch: primary.ETag, DistributionConfig: &config})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.DeleteContinuousDeploymentPolicy(ctx, &cloudfront.DeleteContinuousDeploymentPolicyInput{Id: id, IfMatch: policy.ETag})
	check(t, err, refusal{code: "ContinuousDeploymentPolicyInUse", status: 409})
	for name, change := range map[string]func(*cloudfront.DistributionConfig){
		"PriceClass":    func(c *cloudfront.DistributionConfig) { c.PriceClass = new("PriceClass_100") },
		"IsIPV6Enabled": func(c *cloudfront.DistributionConfig) { c.IsIPV6Enabled = new(true) },
		"Staging":       func(c *cloudfront.DistributionConfig) { c.Staging = new(true) },
	} {
		c := config
		change(&c)
		_, err = s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: primary.Distribution.Id, IfMatch: up.ETag, DistributionConfig: &c})
		check(t, err, refusal{"IllegalUpdate", 400, "One or more fields updated are not supported for continuous deployment.", "refused-by-aws", "DistributionConfig." + name})
	}
	next := *copied.Distribution.DistributionConfig
	next.Comment = new("the next one")
	staged, err := s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: copied.Distribution.Id, IfMatch: copied.ETag, DistributionConfig: &next})
	if err != nil {
		t.Fatal(err)
	}
	promote := func(tags string) (*cloudfront.UpdateDistributionWithStagingConfigOutput, error) {
		return s.UpdateDistributionWithStagingConfig(ctx, &cloudfront.UpdateDistributionWithStagingConfigInput{Id: primary.Distribution.Id, StagingDistributionId: copied.Distribution.Id, IfMatch: &tags})
	}
	_, err = promote(*staged.ETag + "," + *up.ETag)
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	out, err := promote(*up.ETag + ", " + *staged.ETag)
	if err != nil {
		t.Fatal(err)
	}
	c := out.Distribution.DistributionConfig
	if *c.Comment != "the next one" || *c.Staging || *c.CallerReference != *config.CallerReference || *c.ContinuousDeploymentPolicyId != *id {
		t.Errorf("promoted: %+v", c)
	}
	got, err := s.GetContinuousDeploymentPolicyConfig(ctx, &cloudfront.GetContinuousDeploymentPolicyConfigInput{Id: id})
	if err != nil || *got.ContinuousDeploymentPolicyConfig.Enabled {
		t.Errorf("the policy after the promotion: %v", err)
	}
}
