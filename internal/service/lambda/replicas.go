package lambda

import (
	"context"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
)

// checkReplicas refuses to delete a version that a distribution calls, or a function with such a version. AWS's text:
// lumigo-io/SAR-Lambda-Janitor 42, hashicorp/terraform-provider-aws 1721. There replicas live for some hours after the last
// association; here they go with it.
func (s *Service) checkReplicas(ctx context.Context, t target) error {
	base := t
	base.qualifier = ""
	for _, d := range resource.Distributions.All(s.env.Store.Read(ctx), resource.Global) {
		for _, arn := range associations(d.Config) {
			version, ok := strings.CutPrefix(arn, base.arn()+":")
			if !ok || t.qualifier != "" && t.qualifier != version {
				continue
			}
			text := fmt.Sprintf("Lambda was unable to delete %s because it is a replicated function. Please see our documentation for Deleting Lambda@Edge Functions and Replicas.", arn)
			return refuse(lambda.ErrCodeInvalidParameterValueException, "FunctionName", text, "distribution "+d.ID+" calls it", "take it out of the distribution first")
		}
	}
	return nil
}

// associations lists the functions that a distribution calls.
func associations(c *cloudfront.DistributionConfig) (arns []string) {
	add := func(l *cloudfront.LambdaFunctionAssociations) {
		for _, a := range deref(l).Items {
			arns = append(arns, deref(a.LambdaFunctionARN))
		}
	}
	if b := c.DefaultCacheBehavior; b != nil {
		add(b.LambdaFunctionAssociations)
	}
	for _, b := range deref(c.CacheBehaviors).Items {
		add(b.LambdaFunctionAssociations)
	}
	return arns
}
