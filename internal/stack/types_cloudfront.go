package stack

import (
	"context"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
)

func cfShape(name string) *awsapi.Shape { return cloudfront.Service.Shape(name) }

// cloudFrontTypes are the types of AWS::CloudFront (facts: cloudformation 3).
var cloudFrontTypes = map[string]*resourceType{
	"AWS::CloudFront::Distribution": {
		required: []string{"DistributionConfig"}, spelling: distributionSpelling,
		create: createDistribution, update: updateDistribution, delete: deleteDistribution,
	},
	"AWS::CloudFront::CachePolicy":                    cloudFrontPlain("CachePolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::OriginRequestPolicy":            cloudFrontPlain("OriginRequestPolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::ResponseHeadersPolicy":          cloudFrontPlain("ResponseHeadersPolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::OriginAccessControl":            cloudFrontPlain("OriginAccessControl", "Id"),
	"AWS::CloudFront::CloudFrontOriginAccessIdentity": cloudFrontPlain("CloudFrontOriginAccessIdentity", "Id", "S3CanonicalUserId"),
	"AWS::CloudFront::PublicKey":                      cloudFrontPlain("PublicKey", "Id", "CreatedTime"),
	"AWS::CloudFront::KeyGroup":                       cloudFrontPlain("KeyGroup", "Id", "LastModifiedTime"),
	"AWS::CloudFront::ContinuousDeploymentPolicy":     cloudFrontPlain("ContinuousDeploymentPolicy", "Id", "LastModifiedTime"),
	"AWS::CloudFront::TrustStore":                     trustStoreType(),
	"AWS::CloudFront::VpcOrigin":                      vpcOriginType(),
	"AWS::CloudFront::KeyValueStore": plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront }, required: []string{"Name"}, replace: []string{"Name"},
		// An update of the API has the comment only; ImportSource is read when the store is made (CFN26 KeyValueStore).
		spelling: spelling{skip: map[string]bool{"UpdateKeyValueStoreRequest.Tags": true, "UpdateKeyValueStoreRequest.ImportSource": true},
			rename: map[string]string{"ImportSource.SourceArn": "SourceARN"}},
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
			name := old.PhysicalID[strings.LastIndexByte(old.PhysicalID, '/')+1:] // of the ARN
			now, err := s.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: &name})
			if err == nil {
				_, err = s.CloudFront.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: &name, IfMatch: now.ETag})
			}
			return err
		},
	},
}

// distributionSpelling is how a template writes a DistributionConfig (CFN26 AWS::CloudFront::Distribution and its parts).
var distributionSpelling = spelling{
	rename: map[string]string{
		"DistributionConfig.IPV6Enabled":     "IsIPV6Enabled",
		"DefaultCacheBehavior.CachedMethods": "AllowedMethods.CachedMethods",
		"CacheBehavior.CachedMethods":        "AllowedMethods.CachedMethods",
		"Origin.OriginCustomHeaders":         "CustomHeaders",
		"GeoRestriction.Locations":           "Items",
	},
	absent: map[string]bool{
		"DistributionConfig.CallerReference": true, "LoggingConfig.Enabled": true, "GeoRestriction.Quantity": true,
		"ViewerCertificate.Certificate": true, "ViewerCertificate.CertificateSource": true,
	},
	wrapped: map[string]bool{"OriginGroups": true, "OriginGroupMembers": true, "StatusCodes": true},
	legacy: map[string]string{
		"DistributionConfig.CNAMEs":       "write Aliases",
		"DistributionConfig.S3Origin":     "write Origins, with S3OriginConfig",
		"DistributionConfig.CustomOrigin": "write Origins, with CustomOriginConfig",
	},
}

// configSpelling is how templates write the other configurations: those of response headers policies keep Items.
var configSpelling = spelling{
	absent: map[string]bool{"CloudFrontOriginAccessIdentityConfig.CallerReference": true},
	rename: map[string]string{
		"ContinuousDeploymentPolicyConfig.Type":                     "TrafficConfig.Type",
		"ContinuousDeploymentPolicyConfig.SingleHeaderPolicyConfig": "TrafficConfig.SingleHeaderConfig",
		"ContinuousDeploymentPolicyConfig.SingleWeightPolicyConfig": "TrafficConfig.SingleWeightConfig",
	},
	wrapped: map[string]bool{
		"ResponseHeadersPolicyAccessControlAllowHeaders": false, "ResponseHeadersPolicyAccessControlAllowMethods": false,
		"ResponseHeadersPolicyAccessControlAllowOrigins": false, "ResponseHeadersPolicyAccessControlExposeHeaders": false,
		"ResponseHeadersPolicyCustomHeadersConfig": false, "ResponseHeadersPolicyRemoveHeadersConfig": false,
	},
}

// cloudFrontPlain describes a type of the form {NAMEConfig} whose operations are CreateNAME, GetNAME and so on.
func cloudFrontPlain(name string, attributes ...string) *resourceType {
	p := plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront }, required: []string{name + "Config"},
		create: "Create" + name, describe: "Get" + name, update: "Update" + name, delete: "Delete" + name,
		key: "Id", result: name, ref: "Id", attributes: map[string]string{}, reference: name + "Config.CallerReference", spelling: configSpelling,
	}
	for _, a := range attributes {
		p.attributes[a] = a
	}
	return p.resourceType()
}

// reference is the CallerReference of what the stack makes: the same at every attempt.
func (r *request) reference() *string { return new(r.stackName() + "-" + r.logicalID) }

// distributionInput converts the properties, and says what CloudFormation leaves unsaid.
func distributionInput(r *request) (*cloudfront.DistributionConfigWithTags, error) {
	in := &cloudfront.DistributionConfigWithTags{}
	if err := r.into(in, cfShape("DistributionConfigWithTags")); err != nil {
		return nil, err
	}
	c := in.DistributionConfig
	if c == nil {
		return nil, missing(r, "DistributionConfig")
	}
	if l := c.Logging; l != nil && l.Bucket != nil {
		l.Enabled = new(true) // a template enables logs by naming a bucket
	}
	allow := func(m *cloudfront.AllowedMethods) {
		if m != nil && m.Items == nil { // CachedMethods alone; GET and HEAD are the default
			m.Items, m.Quantity = []string{"GET", "HEAD"}, new(int64(2))
		}
	}
	if b := c.DefaultCacheBehavior; b != nil {
		allow(b.AllowedMethods)
	}
	if c.CacheBehaviors != nil {
		for _, b := range c.CacheBehaviors.Items {
			allow(b.AllowedMethods)
		}
	}
	return in, nil
}

func createDistribution(ctx context.Context, r *request) (made, error) {
	in, err := distributionInput(r)
	if err != nil {
		return made{}, err
	}
	in.DistributionConfig.CallerReference = r.reference()
	policy := in.DistributionConfig.ContinuousDeploymentPolicyId
	in.DistributionConfig.ContinuousDeploymentPolicyId = nil
	out, err := r.CloudFront.CreateDistributionWithTags(ctx, &cloudfront.CreateDistributionWithTagsInput{DistributionConfigWithTags: in})
	if err != nil {
		return made{}, err
	}
	if policy != nil && *policy != "" {
		err = attachPolicy(ctx, r, in.DistributionConfig, out, policy)
	}
	return distributionMade(out.Distribution), err
}

// attachPolicy attaches a continuous deployment policy to a distribution that was just made. AWS takes it with an update only, so
// that the stack takes two deployments there; here every deployment into an empty memory is the first one.
func attachPolicy(ctx context.Context, r *request, c *cloudfront.DistributionConfig, made *cloudfront.CreateDistributionWithTagsOutput, policy *string) error {
	at := r.props.Get("DistributionConfig").Get("ContinuousDeploymentPolicyId")
	r.stack.found = append(r.stack.found, diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Warning, Path: at.Path(), Position: at.Position,
		Message: "AWS takes a continuous deployment policy with an update of a distribution only: the first deployment of this template is refused there",
		Because: []string{"Foregate makes the distribution without it, and updates it then"},
		Fixes:   []string{"deploy without ContinuousDeploymentPolicyId first, and add it then"}})
	config := *c
	config.ContinuousDeploymentPolicyId = policy
	_, err := r.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: made.Distribution.Id, IfMatch: made.ETag, DistributionConfig: &config})
	return err
}

func distributionMade(d *cloudfront.Distribution) made {
	return made{*d.Id, map[string]string{"DomainName": *d.DomainName, "Id": *d.Id}}
}

func updateDistribution(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	now, err := r.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: &old.PhysicalID})
	if err != nil {
		return made{}, err
	}
	in, err := distributionInput(r)
	if err != nil {
		return made{}, err
	}
	in.DistributionConfig.CallerReference = now.DistributionConfig.CallerReference
	out, err := r.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &old.PhysicalID, IfMatch: now.ETag, DistributionConfig: in.DistributionConfig})
	if err != nil {
		return made{}, err
	}
	if err := retag(ctx, r, out.Distribution.ARN, in.Tags); err != nil {
		return made{}, err
	}
	return distributionMade(out.Distribution), nil
}

// retag makes the tags of a resource what the template says.
func retag(ctx context.Context, r *request, arn *string, tags *cloudfront.Tags) error {
	now, err := r.CloudFront.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: arn})
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	if tags != nil {
		for _, t := range tags.Items {
			keep[deref(t.Key)] = true
		}
	}
	var gone []string
	for _, t := range now.Tags.Items {
		if !keep[deref(t.Key)] {
			gone = append(gone, deref(t.Key))
		}
	}
	if len(gone) > 0 {
		if _, err := r.CloudFront.UntagResource(ctx, &cloudfront.UntagResourceInput{Resource: arn, TagKeys: &cloudfront.TagKeys{Items: gone}}); err != nil {
			return err
		}
	}
	if len(keep) > 0 {
		_, err = r.CloudFront.TagResource(ctx, &cloudfront.TagResourceInput{Resource: arn, Tags: tags})
	}
	return err
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
	if strings.EqualFold(r.text("AutoPublish"), "true") {
		out, err := r.CloudFront.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: f.Name, IfMatch: etag})
		if err != nil {
			return made{}, err
		}
		f = out.FunctionSummary
	}
	arn := *f.FunctionMetadata.FunctionARN
	return made{arn, map[string]string{"FunctionARN": arn, "FunctionMetadata.FunctionARN": arn, "Stage": *f.FunctionMetadata.Stage}}, nil
}

// vpcOriginType: of an endpoint's configuration a template may leave out what the API wants (CFN26 VpcOriginEndpointConfig). What
// Ref returns is not in CloudFormation's reference: the id.
func vpcOriginType() *resourceType {
	p := plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront }, required: []string{"VpcOriginEndpointConfig"},
		spelling: spelling{skip: map[string]bool{"UpdateVpcOriginRequest.Tags": true}},
		create:   "CreateVpcOrigin", describe: "GetVpcOrigin", update: "UpdateVpcOrigin", delete: "DeleteVpcOrigin", key: "Id", result: "VpcOrigin", ref: "Id",
		complete: func(in any) {
			var c *cloudfront.VpcOriginEndpointConfig
			switch in := in.(type) {
			case *cloudfront.CreateVpcOriginInput:
				c = in.VpcOriginEndpointConfig
			case *cloudfront.UpdateVpcOriginInput:
				c = in.VpcOriginEndpointConfig
			}
			if c == nil {
				return
			}
			if c.HTTPPort == nil {
				c.HTTPPort = new(int64(80))
			}
			if c.HTTPSPort == nil {
				c.HTTPSPort = new(int64(443))
			}
			if c.OriginProtocolPolicy == nil {
				c.OriginProtocolPolicy = new("match-viewer")
			}
		},
		attributes: map[string]string{"AccountId": "AccountId", "Arn": "Arn", "CreatedTime": "CreatedTime", "Id": "Id", "LastModifiedTime": "LastModifiedTime", "Status": "Status"},
	}
	t := p.resourceType()
	update := t.update
	t.update = func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
		m, err := update(ctx, r, old)
		if err != nil {
			return made{}, err
		}
		in := &cloudfront.CreateVpcOriginInput{}
		if err := r.into(in, cfShape("CreateVpcOriginRequest")); err != nil {
			return made{}, err
		}
		return m, retag(ctx, r, new(m.attributes["Arn"]), in.Tags)
	}
	return t
}
