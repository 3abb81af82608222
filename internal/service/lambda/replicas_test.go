package lambda

import (
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// TestReplicas: what a distribution calls is not deleted.
func TestReplicas(t *testing.T) {
	s, ctx := newService(Options{})
	create(t, s, ctx, "edge")
	for range 2 {
		if _, err := s.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: new("edge")}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: new("edge"), ZipFile: zipOf(t, "index.js", "2")}); err != nil {
			t.Fatal(err)
		}
	}
	put := func(config *cloudfront.DistributionConfig) {
		_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
			resource.Distributions.Put(tx, resource.Global, "E1", &resource.Distribution{ID: "E1", Config: config})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	put(&cloudfront.DistributionConfig{CacheBehaviors: &cloudfront.CacheBehaviors{Items: []*cloudfront.CacheBehavior{{
		LambdaFunctionAssociations: &cloudfront.LambdaFunctionAssociations{Items: []*cloudfront.LambdaFunctionAssociation{
			{LambdaFunctionARN: new("arn:aws:lambda:us-east-1:123456789012:function:edge:1")}}}}}}})
	const text = "Lambda was unable to delete arn:aws:lambda:us-east-1:123456789012:function:edge:1 because it is a replicated function."
	_, err := s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("edge")})
	wantError(t, "the function", err, "InvalidParameterValueException", text)
	_, err = s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("edge"), Qualifier: new("1")})
	wantError(t, "the version", err, "InvalidParameterValueException", text)
	if _, err := s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("edge"), Qualifier: new("2")}); err != nil {
		t.Errorf("another version: %v", err)
	}
	put(&cloudfront.DistributionConfig{})
	if _, err := s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("edge")}); err != nil {
		t.Errorf("after the association: %v", err)
	}
}
