package stack

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

func cfShape(name string) *awsapi.Shape { return cloudfront.Service.Shape(name) }

// cloudFrontTypes are the types of AWS::CloudFront (facts: cloudformation 3).
var cloudFrontTypes = map[string]*resourceType{
	"AWS::CloudFront::Distribution": {
		required: []string{"DistributionConfig"},
		spelling: spelling{
			rename: map[string]string{
				"DistributionConfig.IPV6Enabled":     "IsIPV6Enabled",
				"DefaultCacheBehavior.CachedMethods": "AllowedMethods.CachedMethods",
				"CacheBehavior.CachedMethods":        "AllowedMethods.CachedMethods",
				"Origin.OriginCustomHeaders":         "CustomHeaders",
				"GeoRestriction.Locations":           "Items",
			},
			skip: map[string]bool{
				"CreateDistributionWithTagsRequest.DistributionConfig": true,
				"CreateDistributionWithTagsRequest.Tags":               true,
			},
		},
		create: createDistribution, update: updateDistribution, delete: deleteDistribution,
	},
	"AWS::CloudFront::CachePolicy":                    cloudFrontPlain("CachePolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::OriginRequestPolicy":            cloudFrontPlain("OriginRequestPolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::ResponseHeadersPolicy":          cloudFrontPlain("ResponseHeadersPolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::OriginAccessControl":            cloudFrontPlain("OriginAccessControl", "Id"),
	"AWS::CloudFront::CloudFrontOriginAccessIdentity": cloudFrontPlain("CloudFrontOriginAccessIdentity", "Id", "S3CanonicalUserId"),
	"AWS::CloudFront::PublicKey":                      cloudFrontPlain("PublicKey", "Id", "CreatedTime"),
	"AWS::CloudFront::KeyGroup":                       cloudFrontPlain("KeyGroup", "Id", "LastModifiedTime"),
	"AWS::CloudFront::KeyValueStore": plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront }, required: []string{"Name"}, replace: []string{"Name"},
		create: "CreateKeyValueStore", describe: "DescribeKeyValueStore", update: "UpdateKeyValueStore", delete: "DeleteKeyValueStore",
		key: "Name", result: "KeyValueStore", ref: "Name", attributes: map[string]string{"Arn": "ARN", "Id": "Id", "Status": "Status"},
	}.resourceType(),
	"AWS::CloudFront::Function": {
		required: []string{"FunctionCode", "FunctionConfig", "Name"}, replace: []string{"Name"},
		spelling: spelling{skip: map[string]bool{
			"CreateFunctionRequest.AutoPublish": true, "CreateFunctionRequest.FunctionCode": true, "CreateFunctionRequest.FunctionMetadata": true,
			"UpdateFunctionRequest.AutoPublish": true, "UpdateFunctionRequest.FunctionCode": true, "UpdateFunctionRequest.FunctionMetadata": true, "UpdateFunctionRequest.Tags": true,
		}},
		create: createEdgeFunction, update: updateEdgeFunction,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			name := old.Attributes["Name"]
			now, err := s.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: &name})
			if err == nil {
				_, err = s.CloudFront.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: &name, IfMatch: now.ETag})
			}
			return err
		},
	},
}

// cloudFrontPlain describes a type of the form {NAMEConfig} whose operations are CreateNAME, GetNAME and so on.
func cloudFrontPlain(name string, attributes ...string) *resourceType {
	p := plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront }, required: []string{name + "Config"},
		create: "Create" + name, describe: "Get" + name, update: "Update" + name, delete: "Delete" + name,
		key: "Id", result: name, ref: "Id", attributes: map[string]string{}, reference: name + "Config.CallerReference",
	}
	for _, a := range attributes {
		p.attributes[a] = a
	}
	return p.resourceType()
}

// reference is the CallerReference of what the stack makes: the same at every attempt.
func (r *request) reference() *string { return new(r.stackName() + "-" + r.logicalID) }

func distributionConfig(r *request) (*cloudfront.DistributionConfig, error) {
	c := &cloudfront.DistributionConfig{}
	if err := r.part(c, cfShape("DistributionConfig"), r.props.Get("DistributionConfig")); err != nil {
		return nil, err
	}
	return c, nil
}

func createDistribution(ctx context.Context, r *request) (made, error) {
	in := &cloudfront.CreateDistributionWithTagsInput{DistributionConfigWithTags: &cloudfront.DistributionConfigWithTags{}}
	c, err := distributionConfig(r)
	if err != nil {
		return made{}, err
	}
	c.CallerReference = r.reference()
	in.DistributionConfigWithTags.DistributionConfig = c
	if tags := r.props.Get("Tags"); tags != nil {
		in.DistributionConfigWithTags.Tags = &cloudfront.Tags{}
		for _, t := range tags.Items {
			in.DistributionConfigWithTags.Tags.Items = append(in.DistributionConfigWithTags.Tags.Items, &cloudfront.Tag{Key: new(text(t, "Key")), Value: new(text(t, "Value"))})
		}
	}
	out, err := r.CloudFront.CreateDistributionWithTags(ctx, in)
	if err != nil {
		return made{}, err
	}
	return distributionMade(out.Distribution), nil
}

func distributionMade(d *cloudfront.Distribution) made {
	return made{*d.Id, map[string]string{"DomainName": *d.DomainName, "Id": *d.Id}}
}

func updateDistribution(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	now, err := r.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &old.PhysicalID})
	if err != nil {
		return made{}, err
	}
	c, err := distributionConfig(r)
	if err != nil {
		return made{}, err
	}
	c.CallerReference = now.DistributionConfig.CallerReference
	out, err := r.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &old.PhysicalID, IfMatch: now.ETag, DistributionConfig: c})
	if err != nil {
		return made{}, err
	}
	return distributionMade(out.Distribution), nil
}

// deleteDistribution disables first, as CloudFront wants it.
func deleteDistribution(ctx context.Context, s *Services, old resource.StackResource) error {
	now, err := s.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &old.PhysicalID})
	if err != nil {
		return err
	}
	c := *now.DistributionConfig
	c.Enabled = new(false)
	out, err := s.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &old.PhysicalID, IfMatch: now.ETag, DistributionConfig: &c})
	if err != nil {
		return err
	}
	_, err = s.CloudFront.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: &old.PhysicalID, IfMatch: out.ETag})
	return err
}

func createEdgeFunction(ctx context.Context, r *request) (made, error) {
	in := &cloudfront.CreateFunctionInput{}
	if err := r.into(in, cfShape("CreateFunctionRequest")); err != nil {
		return made{}, err
	}
	in.FunctionCode = []byte(r.text("FunctionCode"))
	out, err := r.CloudFront.CreateFunction(ctx, in)
	if err != nil {
		return made{}, err
	}
	return publish(ctx, r, out.FunctionSummary, out.ETag)
}

func updateEdgeFunction(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &cloudfront.UpdateFunctionInput{}
	if err := r.into(in, cfShape("UpdateFunctionRequest")); err != nil {
		return made{}, err
	}
	now, err := r.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: in.Name})
	if err != nil {
		return made{}, err
	}
	in.IfMatch, in.FunctionCode = now.ETag, []byte(r.text("FunctionCode"))
	out, err := r.CloudFront.UpdateFunction(ctx, in)
	if err != nil {
		return made{}, err
	}
	return publish(ctx, r, out.FunctionSummary, out.ETag)
}

// publish makes the function live when AutoPublish says so (facts: cloudformation 3).
func publish(ctx context.Context, r *request, f *cloudfront.FunctionSummary, etag *string) (made, error) {
	if r.text("AutoPublish") == "true" {
		out, err := r.CloudFront.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: f.Name, IfMatch: etag})
		if err != nil {
			return made{}, err
		}
		f = out.FunctionSummary
	}
	arn := *f.FunctionMetadata.FunctionARN
	return made{arn, map[string]string{"FunctionARN": arn, "FunctionMetadata.FunctionARN": arn, "Stage": *f.FunctionMetadata.Stage, "Name": *f.Name}}, nil
}
