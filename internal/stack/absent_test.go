package stack

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
)

// TestAbsent deploys templates with types that Foregate does not make: the rest of them is made.
func TestAbsent(t *testing.T) {
	const base = `
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]}}}
  F: {Type: AWS::Lambda::Function, Properties: {Code: {ZipFile: x}, Handler: index.handler, Runtime: nodejs22.x, Role: !GetAtt Role.Arn}}
`
	for _, tt := range []struct{ name, resources, left, id, attribute, want string }{
		{name: "Ref of a topic is an ARN", id: "Topic", want: "arn:aws:sns:us-east-1:000000000000:s-Topic", resources: `
  Topic: {Type: AWS::SNS::Topic}
  P: {Type: AWS::Lambda::Permission, Properties: {Action: 'lambda:InvokeFunction', FunctionName: !Ref F, Principal: sns.amazonaws.com, SourceArn: !Ref Topic}}`},
		{name: "a name of the template's own", id: "Queue", attribute: "Arn", want: "arn:aws:sqs:us-east-1:000000000000:jobs", resources: `
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}`},
		{name: "load balancer", id: "LB", want: "arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/net/s-LB/0000000000000000", resources: `
  LB: {Type: AWS::ElasticLoadBalancingV2::LoadBalancer}
  Link: {Type: AWS::ApiGateway::VpcLink, Properties: {Name: l, TargetArns: [!Ref LB]}}`},
		{name: "web ACL of a distribution", id: "ACL", attribute: "Arn", want: "arn:aws:wafv2:us-east-1:000000000000:global/webacl/guard/00000000-0000-0000-0000-000000000000", resources: `
  ACL: {Type: AWS::WAFv2::WebACL, Properties: {Name: guard, Scope: CLOUDFRONT}}
  D: {Type: AWS::CloudFront::Distribution, Properties: {DistributionConfig: {Enabled: true, WebACLId: !GetAtt ACL.Arn,
    Origins: [{Id: o, DomainName: example.com, CustomOriginConfig: {OriginProtocolPolicy: https-only}}],
    DefaultCacheBehavior: {TargetOriginId: o, ViewerProtocolPolicy: allow-all, CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6}}}}`},
		{name: "web ACL of an API", id: "ACL", want: "s-ACL|00000000-0000-0000-0000-000000000000|REGIONAL", resources: `
  ACL: {Type: AWS::WAFv2::WebACL, Properties: {Scope: REGIONAL}}`},
		{name: "any other type", id: "X", attribute: "SomeArn", want: "arn:aws:unsupported:us-east-1:000000000000:s-X", resources: `
  X: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt F.Arn}}`},
		{name: "what is refused for a made-up name", left: "P", resources: `
  X: {Type: Custom::Thing, Properties: {ServiceToken: !GetAtt F.Arn}}
  P: {Type: AWS::Lambda::Permission, Properties: {Action: 'lambda:InvokeFunction', FunctionName: !Ref F, Principal: sns.amazonaws.com, SourceArn: !GetAtt X.Topic}}
  After: {Type: AWS::S3::Bucket, DependsOn: P}`},
		{name: "a text in place of a list", left: "B", resources: `
  X: {Type: AWS::EC2::VPCEndpoint}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Select [0, !GetAtt X.DnsEntries]}}`},
		{name: "what needs what is left out", left: "S", resources: `
  X: {Type: AWS::EC2::VPCEndpoint}
  B: {Type: AWS::S3::Bucket, Properties: {BucketName: !Select [0, !GetAtt X.DnsEntries]}}
  S: {Type: AWS::S3::BucketPolicy, Properties: {Bucket: !Ref B, PolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Deny, Principal: '*', Action: 's3:*', Resource: !GetAtt B.Arn}]}}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := allServices()
			text := base + strings.TrimPrefix(tt.resources, "\n")
			if tt.id != "" {
				value := "!Ref " + tt.id
				if tt.attribute != "" {
					value = "!GetAtt " + tt.id + "." + tt.attribute
				}
				text += "\nOutputs: {O: {Value: " + value + "}}"
			}
			out := deploy(t, s, text)
			if out.Stack == nil {
				t.Fatalf("refused: %s", show(out.Findings))
			}
			if tt.id != "" && out.Stack.Outputs[0].Value != tt.want {
				t.Errorf("%s.%s is %q, want %q", tt.id, tt.attribute, out.Stack.Outputs[0].Value, tt.want)
			}
			left := ""
			for _, f := range out.Findings {
				if f.Code == diag.UnsupportedResourceType && strings.Contains(f.Message, " is left out: it needs ") {
					left, _, _ = strings.Cut(f.Message, " ")
				}
			}
			if left != tt.left {
				t.Errorf("left out for another's sake: %q, want %q: %s", left, tt.left, show(out.Findings))
			}
			if out := deploy(t, s, emptyTemplate); out.Stack == nil { // what does not exist is not deleted
				t.Errorf("delete: %s", show(out.Findings))
			}
		})
	}
}

// TestAbsentIsNoExcuse: a mistake beside a made-up name is still a refusal.
func TestAbsentIsNoExcuse(t *testing.T) {
	out := deploy(t, allServices(), `
Resources:
  Topic: {Type: AWS::SNS::Topic}
  B: {Type: AWS::S3::Bucket, DependsOn: Topic, Properties: {BucketName: UPPER, Tags: [{Key: t, Value: !Ref Topic}]}}`)
	if out.Stack != nil {
		t.Errorf("deploys: %s", show(out.Findings))
	}
}

// TestServerless: types of SAM mean nothing without its transform.
func TestServerless(t *testing.T) {
	out := deploy(t, allServices(), "Resources: {F: {Type: AWS::Serverless::Function, Properties: {Handler: x}}}")
	if out.Stack != nil || !strings.Contains(messages(out.Findings), "Unrecognized resource types: [AWS::Serverless::Function]") {
		t.Errorf("%s", show(out.Findings))
	}
}

// TestBucketLogging: a template may leave out what the API requires (AWS::S3::Bucket LoggingConfiguration).
func TestBucketLogging(t *testing.T) {
	mustDeploy(t, allServices(), `
Resources:
  Own: {Type: AWS::S3::Bucket, Properties: {LoggingConfiguration: {LogFilePrefix: p}}}
  Other: {Type: AWS::S3::Bucket, Properties: {LoggingConfiguration: {DestinationBucketName: !Ref Own}}}`)
}

// TestBucketACL: a public list needs ACLs and no block of public ones (S3 API reference, CreateBucket).
func TestBucketACL(t *testing.T) {
	const writer = ", OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}"
	bucket := func(properties string) string {
		return "Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: my-bucket" + properties + "}}}"
	}
	for _, tt := range []struct{ properties, want string }{
		{", AccessControl: PublicRead", "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"},
		{", AccessControl: PublicRead" + writer, "Bucket cannot have public ACLs set with BlockPublicAccess enabled"},
		{", AccessControl: PublicRead, PublicAccessBlockConfiguration: {BlockPublicAcls: false}" + writer, ""},
		{", AccessControl: LogDeliveryWrite" + writer, ""},
		{", AccessControl: Private", ""},
	} {
		out := deploy(t, allServices(), bucket(tt.properties))
		if (out.Stack != nil) != (tt.want == "") || !strings.Contains(messages(out.Findings), tt.want) {
			t.Errorf("%s: %s, want %q", tt.properties, show(out.Findings), tt.want)
		}
		if tt.want != "" && out.Findings[0].Path != "Resources.B.Properties.AccessControl" {
			t.Errorf("%s: at %s", tt.properties, out.Findings[0].Path)
		}
	}
	s := allServices()
	mustDeploy(t, s, bucket(", AccessControl: PublicRead, PublicAccessBlockConfiguration: {BlockPublicAcls: false}"+writer))
	mustDeploy(t, s, bucket(writer))
	if b, _ := resource.Buckets.Get(s.Env.Store.Read(t.Context()), resource.Global, "my-bucket"); b.ACL != "" {
		t.Errorf("after the update the list is %q", b.ACL)
	}
}
