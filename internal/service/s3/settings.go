package s3

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/resource"
)

// PutPublicAccessBlock sets what stops policies from opening the bucket; a member that is left out is off.
func (s *Service) PutPublicAccessBlock(ctx context.Context, in *s3.PutPublicAccessBlockInput) (*s3.PutPublicAccessBlockOutput, error) {
	if in.PublicAccessBlockConfiguration == nil {
		return nil, malformedXML()
	}
	c := *in.PublicAccessBlockConfiguration
	for _, v := range []**bool{&c.BlockPublicAcls, &c.IgnorePublicAcls, &c.BlockPublicPolicy, &c.RestrictPublicBuckets} {
		*v = new(deref(*v))
	}
	return &s3.PutPublicAccessBlockOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.PublicAccess = &c })
}

func malformedXML() error {
	return awsapi.StatusErrorf(400, "MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
}

// GetPublicAccessBlock returns the public access block.
func (s *Service) GetPublicAccessBlock(ctx context.Context, in *s3.GetPublicAccessBlockInput) (*s3.GetPublicAccessBlockOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.PublicAccess == nil {
		return nil, awsapi.StatusErrorf(404, "NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found")
	}
	return &s3.GetPublicAccessBlockOutput{PublicAccessBlockConfiguration: b.PublicAccess}, nil
}

// DeletePublicAccessBlock takes the public access block away.
func (s *Service) DeletePublicAccessBlock(ctx context.Context, in *s3.DeletePublicAccessBlockInput) (*s3.DeletePublicAccessBlockOutput, error) {
	return &s3.DeletePublicAccessBlockOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.PublicAccess = nil })
}

// PutBucketWebsite makes the bucket a website.
func (s *Service) PutBucketWebsite(ctx context.Context, in *s3.PutBucketWebsiteInput) (*s3.PutBucketWebsiteOutput, error) {
	if err := checkWebsite(in.WebsiteConfiguration); err != nil {
		return nil, err
	}
	return &s3.PutBucketWebsiteOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Website = in.WebsiteConfiguration })
}

// checkWebsite checks a website configuration (S3 API reference, PutBucketWebsite).
func checkWebsite(c *s3.WebsiteConfiguration) error {
	const path = "WebsiteConfiguration"
	switch {
	case c == nil:
		return malformedXML()
	case c.RedirectAllRequestsTo != nil:
		if c.IndexDocument != nil || c.ErrorDocument != nil || len(c.RoutingRules) > 0 {
			return refuse(problem{400, "InvalidRequest", path + ".RedirectAllRequestsTo"}, "RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.", "") // text: our words
		}
		if deref(c.RedirectAllRequestsTo.HostName) == "" {
			return malformedXML()
		}
		return nil
	case c.IndexDocument == nil || deref(c.IndexDocument.Suffix) == "":
		return refuse(problem{400, "InvalidArgument", path + ".IndexDocument"}, "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty", "", "add IndexDocument")
	}
	for _, ch := range *c.IndexDocument.Suffix {
		if ch == '/' {
			return refuse(problem{400, "InvalidArgument", path + ".IndexDocument"}, "The IndexDocument Suffix is not well formed", "it holds a slash")
		}
	}
	if len(c.RoutingRules) > 50 {
		return refuse(problem{400, "InvalidRequest", path + ".RoutingRules"}, strconv.Itoa(len(c.RoutingRules))+" routing rules provided, the number of routing rules in a website configuration is limited to 50.", "")
	}
	for i, rule := range c.RoutingRules {
		at := path + ".RoutingRules[" + strconv.Itoa(i) + "].Redirect"
		if rule.Redirect == nil {
			return malformedXML()
		}
		if rule.Redirect.ReplaceKeyWith != nil && rule.Redirect.ReplaceKeyPrefixWith != nil {
			return refuse(problem{400, "InvalidRequest", at}, "You can only define ReplaceKeyPrefix or ReplaceKey but not both.", "")
		}
		if code := deref(rule.Redirect.HttpRedirectCode); code != "" {
			if n, err := strconv.Atoi(code); err != nil || n < 301 || n > 399 || n == 304 {
				return refuse(problem{400, "InvalidRequest", at + ".HttpRedirectCode"}, "The provided HTTP redirect code ("+code+") is not valid. Valid codes are 3XX except 300.", "")
			}
		}
		if rule.Condition != nil && rule.Condition.HttpErrorCodeReturnedEquals != nil {
			if n, err := strconv.Atoi(*rule.Condition.HttpErrorCodeReturnedEquals); err != nil || n < 400 || n > 599 {
				return refuse(problem{400, "InvalidRequest", path}, "The provided HTTP error code ("+*rule.Condition.HttpErrorCodeReturnedEquals+") is not valid. Valid codes are 4XX or 5XX.", "")
			}
		}
	}
	return nil
}

// GetBucketWebsite returns the website configuration.
func (s *Service) GetBucketWebsite(ctx context.Context, in *s3.GetBucketWebsiteInput) (*s3.GetBucketWebsiteOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	w := b.Website
	if w == nil {
		return nil, awsapi.StatusErrorf(404, "NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
	}
	return &s3.GetBucketWebsiteOutput{RedirectAllRequestsTo: w.RedirectAllRequestsTo, IndexDocument: w.IndexDocument, ErrorDocument: w.ErrorDocument, RoutingRules: w.RoutingRules}, nil
}

// DeleteBucketWebsite takes the website configuration away.
func (s *Service) DeleteBucketWebsite(ctx context.Context, in *s3.DeleteBucketWebsiteInput) (*s3.DeleteBucketWebsiteOutput, error) {
	return &s3.DeleteBucketWebsiteOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Website = nil })
}

func tagMap(tags []*s3.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[deref(t.Key)] = deref(t.Value)
	}
	return out
}

// PutBucketTagging replaces a bucket's tags.
func (s *Service) PutBucketTagging(ctx context.Context, in *s3.PutBucketTaggingInput) (*s3.PutBucketTaggingOutput, error) {
	if in.Tagging == nil {
		return nil, malformedXML()
	}
	if len(tagMap(in.Tagging.TagSet)) != len(in.Tagging.TagSet) {
		return nil, refuse(problem{400, "InvalidTag", "Tagging.TagSet"}, "Cannot provide multiple Tags with the same key", "")
	}
	return &s3.PutBucketTaggingOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Tags = tagMap(in.Tagging.TagSet) })
}

// GetBucketTagging returns a bucket's tags.
func (s *Service) GetBucketTagging(ctx context.Context, in *s3.GetBucketTaggingInput) (*s3.GetBucketTaggingOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if len(b.Tags) == 0 {
		return nil, awsapi.StatusErrorf(404, "NoSuchTagSet", "The TagSet does not exist")
	}
	out := &s3.GetBucketTaggingOutput{}
	for _, k := range slices.Sorted(maps.Keys(b.Tags)) {
		out.TagSet = append(out.TagSet, &s3.Tag{Key: new(k), Value: new(b.Tags[k])})
	}
	return out, nil
}

// DeleteBucketTagging takes all tags away.
func (s *Service) DeleteBucketTagging(ctx context.Context, in *s3.DeleteBucketTaggingInput) (*s3.DeleteBucketTaggingOutput, error) {
	return &s3.DeleteBucketTaggingOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Tags = nil })
}

// PutBucketOwnershipControls says who owns objects that others write.
func (s *Service) PutBucketOwnershipControls(ctx context.Context, in *s3.PutBucketOwnershipControlsInput) (*s3.PutBucketOwnershipControlsOutput, error) {
	if in.OwnershipControls == nil || len(in.OwnershipControls.Rules) != 1 {
		return nil, malformedXML()
	}
	return &s3.PutBucketOwnershipControlsOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Ownership = in.OwnershipControls })
}

// GetBucketOwnershipControls returns the ownership controls.
func (s *Service) GetBucketOwnershipControls(ctx context.Context, in *s3.GetBucketOwnershipControlsInput) (*s3.GetBucketOwnershipControlsOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Ownership == nil {
		return nil, awsapi.StatusErrorf(404, "OwnershipControlsNotFoundError", "The bucket ownership controls were not found")
	}
	return &s3.GetBucketOwnershipControlsOutput{OwnershipControls: b.Ownership}, nil
}

// DeleteBucketOwnershipControls takes the ownership controls away.
func (s *Service) DeleteBucketOwnershipControls(ctx context.Context, in *s3.DeleteBucketOwnershipControlsInput) (*s3.DeleteBucketOwnershipControlsOutput, error) {
	return &s3.DeleteBucketOwnershipControlsOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Ownership = nil })
}

// PutBucketVersioning stores whether the bucket keeps versions. It keeps none here.
func (s *Service) PutBucketVersioning(ctx context.Context, in *s3.PutBucketVersioningInput) (*s3.PutBucketVersioningOutput, error) {
	if in.VersioningConfiguration == nil {
		return nil, malformedXML()
	}
	return &s3.PutBucketVersioningOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Versioning = in.VersioningConfiguration })
}

// GetBucketVersioning returns what PutBucketVersioning stored.
func (s *Service) GetBucketVersioning(ctx context.Context, in *s3.GetBucketVersioningInput) (*s3.GetBucketVersioningOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	v := deref(b.Versioning)
	return &s3.GetBucketVersioningOutput{Status: v.Status, MFADelete: v.MFADelete}, nil
}

// PutBucketEncryption stores the default encryption.
func (s *Service) PutBucketEncryption(ctx context.Context, in *s3.PutBucketEncryptionInput) (*s3.PutBucketEncryptionOutput, error) {
	if in.ServerSideEncryptionConfiguration == nil || len(in.ServerSideEncryptionConfiguration.Rules) == 0 {
		return nil, malformedXML()
	}
	return &s3.PutBucketEncryptionOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Encryption = in.ServerSideEncryptionConfiguration })
}

// GetBucketEncryption returns the default encryption: AES256 unless another was set (S3 user guide, default-bucket-encryption).
func (s *Service) GetBucketEncryption(ctx context.Context, in *s3.GetBucketEncryptionInput) (*s3.GetBucketEncryptionOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	c := b.Encryption
	if c == nil {
		c = &s3.ServerSideEncryptionConfiguration{Rules: []*s3.ServerSideEncryptionRule{{BucketKeyEnabled: new(false),
			ApplyServerSideEncryptionByDefault: &s3.ServerSideEncryptionByDefault{SSEAlgorithm: new("AES256")}}}}
	}
	return &s3.GetBucketEncryptionOutput{ServerSideEncryptionConfiguration: c}, nil
}

// DeleteBucketEncryption goes back to the default.
func (s *Service) DeleteBucketEncryption(ctx context.Context, in *s3.DeleteBucketEncryptionInput) (*s3.DeleteBucketEncryptionOutput, error) {
	return &s3.DeleteBucketEncryptionOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Encryption = nil })
}

// maxCORSRules is S3-managecorsusing.
const maxCORSRules = 100

// PutBucketCors stores the CORS rules.
func (s *Service) PutBucketCors(ctx context.Context, in *s3.PutBucketCorsInput) (*s3.PutBucketCorsOutput, error) {
	if in.CORSConfiguration == nil || len(in.CORSConfiguration.CORSRules) == 0 {
		return nil, malformedXML()
	}
	if len(in.CORSConfiguration.CORSRules) > maxCORSRules {
		return nil, refuse(problem{400, "InvalidRequest", "CORSConfiguration.CORSRules"}, "The number of CORS rules should not exceed allowed limit of 100 rules.", "")
	}
	for i, rule := range in.CORSConfiguration.CORSRules {
		if err := checkCORS(rule, "CORSConfiguration.CORSRules["+strconv.Itoa(i)+"]"); err != nil {
			return nil, err
		}
	}
	return &s3.PutBucketCorsOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.CORS = in.CORSConfiguration })
}

// checkCORS checks a rule. The text about methods is recorded (localstack test_s3_cors); those about stars are unsourced.
func checkCORS(rule *s3.CORSRule, path string) error {
	no := func(member, text string) error {
		return refuse(problem{400, "InvalidRequest", path + "." + member}, text, "")
	}
	if len(rule.AllowedMethods) == 0 || len(rule.AllowedOrigins) == 0 {
		return malformedXML()
	}
	for _, m := range rule.AllowedMethods {
		if !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}, m) {
			return no("AllowedMethods", "Found unsupported HTTP method in CORS config. Unsupported method is "+m)
		}
	}
	for _, o := range rule.AllowedOrigins {
		if strings.Count(o, "*") > 1 {
			return no("AllowedOrigins", fmt.Sprintf("AllowedOrigin %q can not have more than one wildcard.", o))
		}
	}
	for _, h := range rule.AllowedHeaders {
		if strings.Count(h, "*") > 1 {
			return no("AllowedHeaders", fmt.Sprintf("AllowedHeader %q can not have more than one wildcard.", h))
		}
	}
	for _, h := range rule.ExposeHeaders {
		if strings.Contains(h, "*") {
			return no("ExposeHeaders", fmt.Sprintf("ExposeHeader %q contains wildcard. We currently do not support wildcard for ExposeHeader.", h))
		}
	}
	if rule.ID != nil && len(*rule.ID) > 255 {
		return no("ID", "The ID of a CORS rule has at most 255 characters.") // text: our words
	}
	return nil
}

// GetBucketCors returns the CORS rules.
func (s *Service) GetBucketCors(ctx context.Context, in *s3.GetBucketCorsInput) (*s3.GetBucketCorsOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.CORS == nil {
		return nil, awsapi.StatusErrorf(404, "NoSuchCORSConfiguration", "The CORS configuration does not exist")
	}
	return &s3.GetBucketCorsOutput{CORSRules: b.CORS.CORSRules}, nil
}

// DeleteBucketCors takes the CORS rules away.
func (s *Service) DeleteBucketCors(ctx context.Context, in *s3.DeleteBucketCorsInput) (*s3.DeleteBucketCorsOutput, error) {
	return &s3.DeleteBucketCorsOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.CORS = nil })
}

// PutBucketLogging stores where access logs would go. None are written.
func (s *Service) PutBucketLogging(ctx context.Context, in *s3.PutBucketLoggingInput) (*s3.PutBucketLoggingOutput, error) {
	if in.BucketLoggingStatus == nil {
		return nil, malformedXML()
	}
	return &s3.PutBucketLoggingOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Logging = in.BucketLoggingStatus.LoggingEnabled })
}

// GetBucketLogging returns what PutBucketLogging stored.
func (s *Service) GetBucketLogging(ctx context.Context, in *s3.GetBucketLoggingInput) (*s3.GetBucketLoggingOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	return &s3.GetBucketLoggingOutput{LoggingEnabled: b.Logging}, nil
}

// PutBucketLifecycleConfiguration stores lifecycle rules. Nothing expires here.
func (s *Service) PutBucketLifecycleConfiguration(ctx context.Context, in *s3.PutBucketLifecycleConfigurationInput) (*s3.PutBucketLifecycleConfigurationOutput, error) {
	if in.LifecycleConfiguration == nil {
		return nil, malformedXML()
	}
	return &s3.PutBucketLifecycleConfigurationOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Lifecycle = in.LifecycleConfiguration })
}

// GetBucketLifecycleConfiguration returns the lifecycle rules.
func (s *Service) GetBucketLifecycleConfiguration(ctx context.Context, in *s3.GetBucketLifecycleConfigurationInput) (*s3.GetBucketLifecycleConfigurationOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	if b.Lifecycle == nil {
		return nil, awsapi.StatusErrorf(404, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
	}
	return &s3.GetBucketLifecycleConfigurationOutput{Rules: b.Lifecycle.Rules}, nil
}

// DeleteBucketLifecycle takes the lifecycle rules away.
func (s *Service) DeleteBucketLifecycle(ctx context.Context, in *s3.DeleteBucketLifecycleInput) (*s3.DeleteBucketLifecycleOutput, error) {
	return &s3.DeleteBucketLifecycleOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) { b.Lifecycle = nil })
}

// PutBucketAcl takes a canned access control list where the bucket's ownership allows one. Objects are not opened by it;
// compile says so.
func (s *Service) PutBucketAcl(ctx context.Context, in *s3.PutBucketAclInput) (*s3.PutBucketAclOutput, error) {
	b, _, err := s.bucket(ctx, in.Bucket)
	if err != nil {
		return nil, err
	}
	enforced := b.Ownership != nil && deref(b.Ownership.Rules[0].ObjectOwnership) == "BucketOwnerEnforced"
	if enforced && deref(in.ACL) != "private" {
		return nil, refuse(problem{400, "AccessControlListNotSupported", "ACL"}, "The bucket does not allow ACLs", "its object ownership is BucketOwnerEnforced", "grant access with a bucket policy")
	}
	if p := b.PublicAccess; p != nil && deref(p.BlockPublicAcls) && publicACL(in.ACL) {
		return nil, refuse(problem{403, "AccessDenied", "ACL"}, "User: "+awsapi.CallFrom(ctx).Caller.ARN+" is not authorized to perform: s3:PutBucketAcl on resource: \""+bucketARN(b)+
			"\" because public access control lists (ACLs) are blocked by the BlockPublicAcls block public access setting.", "new buckets block public access", "set BlockPublicAcls to false first, or grant access with a bucket policy")
	}
	return &s3.PutBucketAclOutput{}, s.change(ctx, in.Bucket, func(b *resource.Bucket) {
		if b.ACL = deref(in.ACL); b.ACL == "private" {
			b.ACL = ""
		}
	})
}

// GetBucketAcl returns the owner's full control.
func (s *Service) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) (*s3.GetBucketAclOutput, error) {
	if _, _, err := s.bucket(ctx, in.Bucket); err != nil {
		return nil, err
	}
	return &s3.GetBucketAclOutput{Owner: s.owner(), Grants: []*s3.Grant{{Permission: new("FULL_CONTROL"), Grantee: &s3.Grantee{ID: s.owner().ID, Type: new("CanonicalUser")}}}}, nil
}
