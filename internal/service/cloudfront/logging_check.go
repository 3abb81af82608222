package cloudfront

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docLogging = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html"

// logBucket takes a bucket out of its domain name.
var logBucket = regexp.MustCompile(`^(.+)\.s3(?:[.-](?:dualstack\.)?[a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?$`)

// checkLogging checks where the standard log goes: a bucket by its domain name, which takes access control lists. Since April 2023
// new buckets do not, so that this refusal is a common one (github aws-samples/baseline-environment-on-aws 363).
func checkLogging(r store.Reader, l *cloudfront.LoggingConfig) error {
	const path = "DistributionConfig.Logging"
	if !deref(l.Enabled) {
		return nil
	}
	domain := deref(l.Bucket)
	m := logBucket.FindStringSubmatch(domain)
	if m == nil {
		return invalid(path+".Bucket", "The parameter Logging Bucket does not refer to a valid S3 bucket.", // text: seen in public reports
			fmt.Sprintf("%q is no domain name of a bucket", domain), "write the bucket's domain name: name.s3.amazonaws.com, which is !GetAtt Bucket.DomainName in a template")
	}
	if strings.HasPrefix(deref(l.Prefix), "/") || len(deref(l.Prefix)) > 256 {
		return invalid(path+".Prefix", "The parameter Logging Prefix is invalid.", "a prefix has at most 256 characters and does not begin with a slash") // text: our words
	}
	b, here := resource.Buckets.Get(r, global, m[1])
	if !here || b.Ownership == nil {
		return nil
	}
	for _, rule := range b.Ownership.Rules {
		if deref(rule.ObjectOwnership) == "BucketOwnerEnforced" {
			return refuse(cloudfront.ErrCodeInvalidArgument, path+".Bucket", "The S3 bucket that you specified for CloudFront logs does not enable ACL access: "+domain, diag.Finding{
				Doc: docLogging, Because: []string{"the log delivery of CloudFront needs access control lists, and new buckets have them disabled"},
				Fixes: []string{"set OwnershipControls of the bucket: {Rules: [{ObjectOwnership: BucketOwnerPreferred}]}", "use standard logging (v2), which needs none"}})
		}
	}
	return nil
}
