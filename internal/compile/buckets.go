package compile

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// s3Service names the service's site in a Snapshot.
const s3Service = "s3"

// bucketsStage makes the service with the plans of all buckets, and its names.
func (c *compiler) bucketsStage() {
	var plans []*bucket.Plan
	regions := map[string]bool{"us-east-1": true, c.env.Region: true}
	for rec, b := range resource.Buckets.All(c.view, resource.Global) {
		regions[b.Region] = true
		if p := c.bucketPlan(rec, b); p != nil {
			plans = append(plans, p)
		}
	}
	c.buckets = bucket.New(bucket.Options{Directory: c.directory, Fallback: c.env.BucketAPI, Now: c.env.Now}, plans)
	c.bucketNames(regions)
	for _, p := range plans {
		rec := resource.Buckets.Record(c.view, resource.Global, p.Name)
		c.front.Endpoint(front.Endpoint{LogicalID: rec.Source.LogicalID, Type: "AWS::S3::Bucket", ID: p.Name, Hosts: p.Hosts()})
	}
}

// bucketNames leads S3's names to the service (S3 user guide, VirtualHosting and WebsiteEndpoints). The endpoint's own names,
// s3.amazonaws.com and s3.REGION.amazonaws.com, are the AWS API's: requests with the bucket in the path go there.
func (c *compiler) bucketNames(regions map[string]bool) {
	site := front.Site{Handler: c.buckets, Service: s3Service, Certificate: s3Certificate("us-east-1")}
	c.add(c.front.Name("*.s3.amazonaws.com", site), "buckets")
	for _, region := range slices.Sorted(maps.Keys(regions)) {
		regional := front.Site{Handler: c.buckets, Service: s3Service, Certificate: s3Certificate(region)}
		for _, pattern := range []string{"*.s3." + region, "*.s3-" + region, "*.s3.dualstack." + region} {
			c.add(c.front.Name(pattern+".amazonaws.com", regional), "buckets")
		}
		// A website endpoint has no TLS on AWS; here the local authority vouches for it when somebody asks.
		// Alias records of Route 53 lead to the endpoint without a bucket, which goes by the Host header.
		website := front.Site{Handler: c.buckets.Website(), Service: "s3-website"}
		for _, pattern := range []string{"*.s3-website-" + region, "*.s3-website." + region, "s3-website-" + region, "s3-website." + region} {
			c.add(c.front.Name(pattern+".amazonaws.com", website), "buckets")
		}
	}
}

// s3Certificate has the names of S3's own certificate. Its wildcard covers one label: a bucket with dots in its name fails
// over TLS, as it does on AWS.
func s3Certificate(region string) *front.Certificate {
	return &front.Certificate{ID: "S3's certificate of " + region, Names: []string{
		"s3.amazonaws.com", "*.s3.amazonaws.com", "s3." + region + ".amazonaws.com", "*.s3." + region + ".amazonaws.com",
		"s3-" + region + ".amazonaws.com", "*.s3-" + region + ".amazonaws.com", "s3.dualstack." + region + ".amazonaws.com", "*.s3.dualstack." + region + ".amazonaws.com"}}
}

// bucketPlan compiles a bucket; nil when its objects cannot be had.
func (c *compiler) bucketPlan(rec *store.Record, b *resource.Bucket) *bucket.Plan {
	objects, err := c.env.Objects(b.Name, rec.Source.LogicalID)
	if err != nil {
		c.report(diag.Finding{Code: diag.OriginUnreachable, Severity: diag.Error, Path: c.path(rec, ""), Message: fmt.Sprintf("the objects of bucket %q cannot be had: %v", b.Name, err)})
		return nil
	}
	p := &bucket.Plan{Name: b.Name, Region: b.Region, Account: c.env.Account, SourcePath: c.path(rec, ""), Website: website(b.Website), Objects: objects}
	if b.CORS != nil {
		for _, r := range b.CORS.CORSRules {
			p.CORS = append(p.CORS, bucket.CORSRule{Origins: r.AllowedOrigins, Methods: r.AllowedMethods, Headers: r.AllowedHeaders, Expose: r.ExposeHeaders, MaxAge: r.MaxAgeSeconds})
		}
	}
	if a := b.PublicAccess; a != nil {
		p.PublicAccess = bucket.PublicAccessBlock{BlockPublicAcls: deref(a.BlockPublicAcls), IgnorePublicAcls: deref(a.IgnorePublicAcls),
			BlockPublicPolicy: deref(a.BlockPublicPolicy), RestrictPublicBuckets: deref(a.RestrictPublicBuckets)}
	}
	if pol := resource.BucketPolicies.Record(c.view, resource.Global, b.Name); pol != nil {
		p.PolicyPath = c.path(pol, "PolicyDocument")
		p.Policy, err = iam.Parse([]byte(pol.Value.(*resource.BucketPolicy).Document))
		if err != nil { // the service has checked it
			c.report(diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Path: p.PolicyPath, Message: err.Error()})
		}
	}
	c.bucketFindings(rec, b)
	return p
}

// website turns the configuration into the engine's; the service has checked the numbers.
func website(w *s3.WebsiteConfiguration) *bucket.Website {
	if w == nil {
		return nil
	}
	out := &bucket.Website{}
	if w.IndexDocument != nil {
		out.IndexSuffix = deref(w.IndexDocument.Suffix)
	}
	if w.ErrorDocument != nil {
		out.ErrorKey = deref(w.ErrorDocument.Key)
	}
	if r := w.RedirectAllRequestsTo; r != nil {
		out.RedirectAll = &bucket.RedirectAll{Host: deref(r.HostName), Protocol: deref(r.Protocol)}
	}
	for _, rule := range w.RoutingRules {
		to := deref(rule.Redirect)
		code, err := strconv.Atoi(deref(to.HttpRedirectCode))
		if err != nil {
			code = http.StatusMovedPermanently
		}
		out.Rules = append(out.Rules, bucket.RoutingRule{
			KeyPrefixEquals: deref(deref(rule.Condition).KeyPrefixEquals), HTTPErrorCodeReturnedEquals: number(deref(rule.Condition).HttpErrorCodeReturnedEquals),
			Redirect: bucket.Redirect{Host: deref(to.HostName), Protocol: deref(to.Protocol), ReplaceKey: to.ReplaceKeyWith, ReplaceKeyPrefix: to.ReplaceKeyPrefixWith, Code: code}})
	}
	return out
}

// number reads a number that the service has checked, 0 for none.
func number(s *string) int {
	n, _ := strconv.Atoi(deref(s))
	return n
}

// bucketFindings tells what of a bucket is not honoured, where a request would see it.
func (c *compiler) bucketFindings(rec *store.Record, b *resource.Bucket) {
	if b.ACL != "" && b.ACL != "log-delivery-write" {
		c.unsupported(rec, "AccessControl", "objects are not opened by the list "+b.ACL+"; a bucket policy does that")
	}
}
