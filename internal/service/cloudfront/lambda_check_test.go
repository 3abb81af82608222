package cloudfront

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// TestLambdaEdge: what Lambda@Edge takes and what it refuses, with AWS's texts.
func TestLambdaEdge(t *testing.T) {
	const (
		base = "arn:aws:lambda:us-east-1:000000000000:function:f"
		arn  = base + ":1"
		role = "arn:aws:iam::000000000000:role/edge"
	)
	trust := func(services string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":[` + services + `]},"Action":"sts:AssumeRole"}]}`
	}
	both := trust(`"lambda.amazonaws.com","edgelambda.amazonaws.com"`)
	tests := []struct {
		name   string
		arn    string
		trust  string
		change func(*lambda.FunctionConfiguration)
		text   string
	}{
		{name: "a version"},
		{name: "30 seconds, much memory, 50 MB", change: func(c *lambda.FunctionConfiguration) {
			c.Timeout, c.MemorySize, c.CodeSize = new(int64(30)), new(int64(10240)), new(int64(50<<20))
		}},
		{name: "Python", change: func(c *lambda.FunctionConfiguration) { c.Runtime = new("python3.13") }},
		{name: "no version", arn: base, text: "The function ARN must reference a specific function version. (The ARN must end with the version number.) ARN: " + base},
		{name: "$LATEST", arn: base + ":$LATEST", text: "The function ARN must reference a specific function version. (The ARN must end with the version number.) ARN: " + base + ":$LATEST"},
		{name: "an alias", arn: base + ":live", text: "The function ARN must reference a specific function version. (The ARN must end with the version number.) ARN: " + base + ":live"},
		{name: "another region", arn: "arn:aws:lambda:eu-west-1:000000000000:function:f:1", text: "The function must be in region 'us-east-1'. ARN: arn:aws:lambda:eu-west-1:000000000000:function:f:1"},
		{name: "no such version", arn: base + ":2", text: "Lambda@Edge cannot retrieve the specified Lambda function. Update the IAM policy to add permission: lambda:GetFunction for resource: " + base + ":2 and try again."},
		{name: "another account", arn: strings.Replace(arn, "000000000000", "111111111111", 1), text: "Lambda@Edge cannot retrieve the specified Lambda function. Update the IAM policy to add permission: lambda:GetFunction for resource: arn:aws:lambda:us-east-1:111111111111:function:f:1 and try again."},
		{name: "environment", change: func(c *lambda.FunctionConfiguration) {
			c.Environment = &lambda.EnvironmentResponse{Variables: map[string]string{"A": "b"}}
		}, text: "The function cannot have environment variables. Function: " + arn},
		{name: "layer", change: func(c *lambda.FunctionConfiguration) { c.Layers = []*lambda.Layer{{Arn: new("l")}} }, text: "The function cannot have a layer. Function: " + arn},
		{name: "VPC", change: func(c *lambda.FunctionConfiguration) {
			c.VpcConfig = &lambda.VpcConfigResponse{SubnetIds: []string{"subnet-1"}}
		}, text: "The function cannot have a VPC configuration. Function: " + arn},
		{name: "dead letter queue", change: func(c *lambda.FunctionConfiguration) {
			c.DeadLetterConfig = &lambda.DeadLetterConfig{TargetArn: new("arn:aws:sqs:us-east-1:000000000000:q")}
		}, text: "The function cannot have a dead letter queue. Function: " + arn},
		{name: "X-Ray", change: func(c *lambda.FunctionConfiguration) {
			c.TracingConfig = &lambda.TracingConfigResponse{Mode: new("Active")}
		}, text: "The function cannot have X-Ray tracing. Function: " + arn},
		{name: "key", change: func(c *lambda.FunctionConfiguration) { c.KMSKeyArn = new("k") }, text: "The function cannot be encrypted with a customer managed key. Function: " + arn},
		{name: "ephemeral storage", change: func(c *lambda.FunctionConfiguration) {
			c.EphemeralStorage = &lambda.EphemeralStorage{Size: new(int64(1024))}
		}, text: "The function ephemeral storage is larger than the maximum allowed for functions that are triggered by a CloudFront event: 1024 Max allowed: 512 Function: " + arn},
		{name: "arm64", change: func(c *lambda.FunctionConfiguration) { c.Architectures = []string{"arm64"} }, text: "Lambda@Edge does not support functions with an architecture of arm64"},
		{name: "image", change: func(c *lambda.FunctionConfiguration) { c.PackageType, c.Runtime = new("Image"), nil }, text: "Lambda@Edge does not support functions with a repository type of ECR"},
		{name: "Java", change: func(c *lambda.FunctionConfiguration) { c.Runtime = new("java21") }, text: "The function has an invalid runtime for functions that are triggered by a CloudFront event: java21 Expecting: nodejs, python Function: " + arn},
		{name: "timeout", change: func(c *lambda.FunctionConfiguration) { c.Timeout = new(int64(31)) }, text: "The function timeout is larger than the maximum allowed for functions that are triggered by a CloudFront event: 31 Max allowed: 30 Function: " + arn},
		{name: "code", change: func(c *lambda.FunctionConfiguration) { c.CodeSize = new(int64(50<<20 + 1)) }, text: "The function code size is larger than the maximum allowed size for functions that are triggered by a CloudFront event: 52428801 Max allowed: 52428800 Function: " + arn},
		{name: "role without the edge", trust: trust(`"lambda.amazonaws.com"`), text: "The function execution role must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com principals. Update the IAM role and try again. Role: " + role},
		{name: "role of the edge alone", trust: trust(`"edgelambda.amazonaws.com"`), text: "The function execution role must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com principals. Update the IAM role and try again. Role: " + role},
		{name: "role that is not here", change: func(c *lambda.FunctionConfiguration) { c.Role = new(role + "2") }, trust: trust(`"lambda.amazonaws.com"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService()
			c := &lambda.FunctionConfiguration{FunctionName: new("f"), FunctionArn: new(arn), Runtime: new("nodejs22.x"), Role: new(role), Timeout: new(int64(3)),
				MemorySize: new(int64(128)), CodeSize: new(int64(100)), Architectures: []string{"x86_64"}, PackageType: new("Zip"),
				TracingConfig: &lambda.TracingConfigResponse{Mode: new("PassThrough")}, EphemeralStorage: &lambda.EphemeralStorage{Size: new(int64(512))}}
			if tt.change != nil {
				tt.change(c)
			}
			if tt.trust == "" {
				tt.trust = both
			}
			_, err := s.env.Store.Update(t.Context(), func(tx *store.Tx) error {
				resource.FunctionVersions.Put(tx, "us-east-1", resource.FunctionPartID("f", "1"), &resource.FunctionVersion{Function: "f", Config: c})
				resource.Roles.Put(tx, global, "edge", &resource.Role{Name: "edge", ARN: role, TrustPolicy: tt.trust})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if tt.arn == "" {
				tt.arn = arn
			}
			_, err = s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON,
				optimized, optimized+`,"LambdaFunctionAssociations":{"Quantity":1,"Items":[{"EventType":"viewer-request","LambdaFunctionARN":"`+tt.arn+`"}]}`))})
			want := refusal{}
			if tt.text != "" {
				want = refusal{code: "InvalidLambdaFunctionAssociation", status: 400, message: tt.text, path: "DistributionConfig.DefaultCacheBehavior.LambdaFunctionAssociations.Items[0].LambdaFunctionARN"}
			}
			check(t, err, want)
		})
	}
}
