package stack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

func s3Shape(name string) *awsapi.Shape { return s3.Service.Shape(name) }

// s3Types are the types of AWS::S3 (facts: cloudformation 3).
var s3Types = map[string]*resourceType{
	"AWS::S3::Bucket": {
		replace: []string{"BucketName", "BucketNamePrefix", "BucketNamespace"},
		spelling: spelling{rename: map[string]string{
			"ServerSideEncryptionRule.ServerSideEncryptionByDefault":              "ApplyServerSideEncryptionByDefault",
			"ServerSideEncryptionConfiguration.ServerSideEncryptionConfiguration": "Rules",
			"LoggingEnabled.DestinationBucketName":                                "TargetBucket",
			"LoggingEnabled.LogFilePrefix":                                        "TargetPrefix",
			"CORSConfiguration.CorsRules":                                         "CORSRules",
			"CORSRule.ExposedHeaders":                                             "ExposeHeaders",
			"CORSRule.MaxAge":                                                     "MaxAgeSeconds",
			"WebsiteConfiguration.IndexDocument":                                  "IndexDocument.Suffix",
			"WebsiteConfiguration.ErrorDocument":                                  "ErrorDocument.Key",
			"RoutingRule.RedirectRule":                                            "Redirect",
			"RoutingRule.RoutingRuleCondition":                                    "Condition",
			"CreateBucketRequest.AccessControl":                                   "ACL",
			"CreateBucketRequest.BucketName":                                      "Bucket",
		}},
		create: createBucket, update: updateBucket,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[s3.DeleteBucketOutput](resource.WithKeptObjects(ctx), s3.Service, s.S3, "DeleteBucket", &s3.DeleteBucketInput{Bucket: &old.PhysicalID})
			return err
		},
	},
	"AWS::S3::BucketPolicy": {
		required: []string{"Bucket", "PolicyDocument"}, replace: []string{"Bucket"},
		spelling: spelling{rename: map[string]string{"PutBucketPolicyRequest.PolicyDocument": "Policy"}, document: map[string]bool{"PutBucketPolicyRequest.PolicyDocument": true}},
		create:   putPolicy,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return putPolicy(ctx, r)
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[s3.DeleteBucketPolicyOutput](ctx, s3.Service, s.S3, "DeleteBucketPolicy", &s3.DeleteBucketPolicyInput{Bucket: &old.PhysicalID})
			return err
		},
	},
}

func putPolicy(ctx context.Context, r *request) (made, error) {
	in := &s3.PutBucketPolicyInput{}
	if err := r.into(in, s3Shape("PutBucketPolicyRequest")); err != nil {
		return made{}, err
	}
	if _, err := call[s3.PutBucketPolicyOutput](ctx, s3.Service, r.S3, "PutBucketPolicy", in); err != nil {
		return made{}, err
	}
	return made{*in.Bucket, map[string]string{}}, nil
}

// bucketSettings are the properties that a bucket has beside those with a meaning here: accepted without a word since they
// change nothing that a request sees, or reported with what happens instead.
var bucketSettings = map[string]string{
	"LifecycleConfiguration": "", "AnalyticsConfigurations": "", "InventoryConfigurations": "", "MetricsConfigurations": "", "IntelligentTieringConfigurations": "",
	"MetadataConfiguration": "", "MetadataTableConfiguration": "", "AbacStatus": "", "BucketNamePrefix": "", "BucketNamespace": "",
	"AccelerateConfiguration":   "the bucket does not answer at its s3-accelerate name",
	"NotificationConfiguration": "nothing is called when objects change",
	"ReplicationConfiguration":  "objects are not copied to other buckets",
	"ObjectLockEnabled":         "objects can be overwritten and deleted",
	"ObjectLockConfiguration":   "objects can be overwritten and deleted",
}

// bucketParts are the properties that are an operation each.
var bucketParts = []struct {
	property, shape string
	put             func(ctx context.Context, s *Services, bucket string, in any) error
	make            func() any
	clear           func(ctx context.Context, s *Services, bucket string) error
}{
	{"PublicAccessBlockConfiguration", "PublicAccessBlockConfiguration", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutPublicAccessBlockOutput](ctx, s3.Service, s.S3, "PutPublicAccessBlock", &s3.PutPublicAccessBlockInput{Bucket: &b, PublicAccessBlockConfiguration: in.(*s3.PublicAccessBlockConfiguration)})
		return err
	}, func() any { return &s3.PublicAccessBlockConfiguration{} }, func(ctx context.Context, s *Services, b string) error {
		_, err := s.S3.PutPublicAccessBlock(ctx, &s3.PutPublicAccessBlockInput{Bucket: &b, PublicAccessBlockConfiguration: &s3.PublicAccessBlockConfiguration{
			BlockPublicAcls: new(true), IgnorePublicAcls: new(true), BlockPublicPolicy: new(true), RestrictPublicBuckets: new(true)}})
		return err
	}},
	{"WebsiteConfiguration", "WebsiteConfiguration", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutBucketWebsiteOutput](ctx, s3.Service, s.S3, "PutBucketWebsite", &s3.PutBucketWebsiteInput{Bucket: &b, WebsiteConfiguration: in.(*s3.WebsiteConfiguration)})
		return err
	}, func() any { return &s3.WebsiteConfiguration{} }, func(ctx context.Context, s *Services, b string) error {
		_, err := s.S3.DeleteBucketWebsite(ctx, &s3.DeleteBucketWebsiteInput{Bucket: &b})
		return err
	}},
	{"OwnershipControls", "OwnershipControls", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutBucketOwnershipControlsOutput](ctx, s3.Service, s.S3, "PutBucketOwnershipControls", &s3.PutBucketOwnershipControlsInput{Bucket: &b, OwnershipControls: in.(*s3.OwnershipControls)})
		return err
	}, func() any { return &s3.OwnershipControls{} }, nil},
	{"VersioningConfiguration", "VersioningConfiguration", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutBucketVersioningOutput](ctx, s3.Service, s.S3, "PutBucketVersioning", &s3.PutBucketVersioningInput{Bucket: &b, VersioningConfiguration: in.(*s3.VersioningConfiguration)})
		return err
	}, func() any { return &s3.VersioningConfiguration{} }, nil},
	{"BucketEncryption", "ServerSideEncryptionConfiguration", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutBucketEncryptionOutput](ctx, s3.Service, s.S3, "PutBucketEncryption", &s3.PutBucketEncryptionInput{Bucket: &b, ServerSideEncryptionConfiguration: in.(*s3.ServerSideEncryptionConfiguration)})
		return err
	}, func() any { return &s3.ServerSideEncryptionConfiguration{} }, func(ctx context.Context, s *Services, b string) error {
		_, err := s.S3.DeleteBucketEncryption(ctx, &s3.DeleteBucketEncryptionInput{Bucket: &b})
		return err
	}},
	{"CorsConfiguration", "CORSConfiguration", func(ctx context.Context, s *Services, b string, in any) error {
		_, err := call[s3.PutBucketCorsOutput](ctx, s3.Service, s.S3, "PutBucketCors", &s3.PutBucketCorsInput{Bucket: &b, CORSConfiguration: in.(*s3.CORSConfiguration)})
		return err
	}, func() any { return &s3.CORSConfiguration{} }, func(ctx context.Context, s *Services, b string) error {
		_, err := s.S3.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: &b})
		return err
	}},
	{"LoggingConfiguration", "LoggingEnabled", func(ctx context.Context, s *Services, b string, in any) error {
		// The API requires both; in a template they may be left out (AWS::S3::Bucket LoggingConfiguration).
		to := in.(*s3.LoggingEnabled)
		if to.TargetBucket == nil {
			to.TargetBucket = &b
		}
		if to.TargetPrefix == nil {
			to.TargetPrefix = new("")
		}
		_, err := call[s3.PutBucketLoggingOutput](ctx, s3.Service, s.S3, "PutBucketLogging", &s3.PutBucketLoggingInput{Bucket: &b, BucketLoggingStatus: &s3.BucketLoggingStatus{LoggingEnabled: to}})
		return err
	}, func() any { return &s3.LoggingEnabled{} }, nil},
}

func createBucket(ctx context.Context, r *request) (made, error) {
	name := r.text("BucketName")
	if name == "" {
		name = strings.ToLower(r.name("BucketName", 63))
	}
	if _, ok := resource.Buckets.Get(r.Env.Store.Read(ctx), resource.Global, name); ok {
		// The API would answer 200 to the owner in us-east-1; CloudFormation does not take over a bucket.
		text := name + " already exists"
		return made{}, awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Path: "BucketName", Message: text, AWSError: &diag.AWSError{Code: "AlreadyExists", Status: 409, Message: text}})
	}
	in := &s3.CreateBucketInput{Bucket: &name}
	if region := awsapi.CallFrom(ctx).Region; region != "us-east-1" {
		in.CreateBucketConfiguration = &s3.CreateBucketConfiguration{LocationConstraint: &region}
	}
	if acl := r.text("AccessControl"); acl != "" {
		in.ObjectOwnership = r.ownership()
		// A public list is set when the block of public access is off.
		if block := r.props.Get("PublicAccessBlockConfiguration"); in.ObjectOwnership == nil || block == nil || strings.EqualFold(text(block, "BlockPublicAcls"), "true") {
			in.ACL = new(cannedACL(acl))
		}
	}
	if _, err := call[s3.CreateBucketOutput](ctx, s3.Service, r.S3, "CreateBucket", in); err != nil {
		return made{}, err
	}
	return configureBucket(ctx, r, name)
}

// ownership is the template's ObjectOwnership, nil without one.
func (r *request) ownership() *string {
	if rules := r.props.Get("OwnershipControls").Get("Rules"); rules != nil && len(rules.Items) > 0 {
		if o := text(rules.Items[0], "ObjectOwnership"); o != "" {
			return &o
		}
	}
	return nil
}

// cannedACL turns CloudFormation's PublicRead into the API's public-read.
func cannedACL(name string) string {
	var b strings.Builder
	for i, c := range name {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

func updateBucket(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	for _, p := range bucketParts {
		if r.props.Get(p.property) == nil && p.clear != nil {
			if err := p.clear(ctx, r.Services, old.PhysicalID); err != nil {
				return made{}, err
			}
		}
	}
	return configureBucket(ctx, r, old.PhysicalID)
}

func configureBucket(ctx context.Context, r *request, name string) (made, error) {
	if err := r.checkBucket(); err != nil {
		return made{}, err
	}
	for _, p := range bucketParts {
		v := r.props.Get(p.property)
		if v == nil {
			continue
		}
		in := p.make()
		if err := r.part(in, s3Shape(p.shape), v); err != nil {
			return made{}, err
		}
		if err := p.put(ctx, r.Services, name, in); err != nil {
			return made{}, err
		}
	}
	tagging := &s3.Tagging{}
	if tags := r.props.Get("Tags"); tags != nil {
		for _, t := range tags.Items {
			tagging.TagSet = append(tagging.TagSet, &s3.Tag{Key: new(text(t, "Key")), Value: new(text(t, "Value"))})
		}
		if _, err := call[s3.PutBucketTaggingOutput](ctx, s3.Service, r.S3, "PutBucketTagging", &s3.PutBucketTaggingInput{Bucket: &name, Tagging: tagging}); err != nil {
			return made{}, err
		}
	}
	acl := cmp.Or(r.text("AccessControl"), "Private")
	if _, err := call[s3.PutBucketAclOutput](ctx, s3.Service, r.S3, "PutBucketAcl", &s3.PutBucketAclInput{Bucket: &name, ACL: new(cannedACL(acl))}); err != nil {
		return made{}, err
	}
	region := awsapi.CallFrom(ctx).Region
	return made{name, bucketAttributes(name, region)}, nil
}

// bucketAttributes are those of Fn::GetAtt (AWS::S3::Bucket, Return values).
func bucketAttributes(name, region string) map[string]string {
	hosts := (&bucket.Plan{Name: name, Region: region}).Hosts()
	return map[string]string{
		"Arn": "arn:" + arn.Partition(region) + ":s3:::" + name, "RegionalDomainName": hosts[0], "DomainName": hosts[1], "DualStackDomainName": hosts[2],
		"WebsiteURL": "http://" + bucket.WebsiteHost(name, region),
	}
}

// checkBucket refuses unknown properties, and reports those that are not honoured.
func (r *request) checkBucket() error {
	known := []string{"BucketName", "AccessControl", "Tags"}
	for _, p := range bucketParts {
		known = append(known, p.property)
	}
	c := converter{logical: r.logicalID}
	for _, f := range r.props.Fields {
		instead, setting := bucketSettings[f.Key]
		switch {
		case slices.Contains(known, f.Key) || setting && instead == "":
		case setting:
			if f.Value.IsScalar() && strings.EqualFold(f.Value.Text, "false") {
				continue
			}
			r.unhonoured(f.Value, f.Key, instead)
		default:
			c.refuse(r.props, "extraneous key [%s] is not permitted", f.Key)
			last := &c.found[len(c.found)-1]
			last.Path, last.Position = f.Value.Path(), f.Value.Position
		}
	}
	if len(c.found) > 0 {
		return &refusal{c.found}
	}
	return nil
}

// unhonoured reports a property without an effect here.
func (r *request) unhonoured(v *template.Value, name, instead string) {
	r.stack.found = append(r.stack.found, diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: v.Path(), Position: v.Position,
		Message: fmt.Sprintf("%s is not honoured yet", name), Because: []string{instead}})
}
