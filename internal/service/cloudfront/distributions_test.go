package cloudfront

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

const distributionJSON = `{"CallerReference":"r","Comment":"","Enabled":true,
 "Origins":{"Quantity":1,"Items":[{"Id":"api","DomainName":"api.example.com","CustomOriginConfig":{"HTTPPort":80,"HTTPSPort":443,"OriginProtocolPolicy":"https-only"}}]},
 "DefaultCacheBehavior":{"TargetOriginId":"api","ViewerProtocolPolicy":"allow-all","CachePolicyId":"658327ea-f89d-4fab-a63d-7e88639e58f6"}}`

const (
	optimized = `"CachePolicyId":"658327ea-f89d-4fab-a63d-7e88639e58f6"`
	legacy    = `"ForwardedValues":{"QueryString":false,"Cookies":{"Forward":"none"}}`
	custom    = `"CustomOriginConfig":{"HTTPPort":80,"HTTPSPort":443,"OriginProtocolPolicy":"https-only"}`
	ownCert   = `"ViewerCertificate":{"ACMCertificateArn":"arn:aws:acm:us-east-1:000000000000:certificate/x","SSLSupportMethod":"sni-only"}`
)

func createSite(t *testing.T, s *Service, pairs ...string) *cloudfront.CreateDistributionOutput {
	t.Helper()
	out, err := s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, pairs...))})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func deleteSite(t *testing.T, s *Service, id *string) {
	t.Helper()
	got, err := s.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: id})
	if err != nil {
		t.Fatal(err)
	}
	c := *got.DistributionConfig
	c.Enabled = new(false)
	up, err := s.UpdateDistribution(t.Context(), &cloudfront.UpdateDistributionInput{Id: id, IfMatch: got.ETag, DistributionConfig: &c})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeleteDistribution(t.Context(), &cloudfront.DeleteDistributionInput{Id: id, IfMatch: up.ETag}); err != nil {
		t.Fatal(err)
	}
}

func TestDistributionRefusals(t *testing.T) {
	const (
		front    = "DistributionConfig"
		behavior = front + ".DefaultCacheBehavior"
		origin   = front + ".Origins.Items[0]"
	)
	// add puts a setting before Enabled.
	add := func(setting string) []string { return []string{`"Enabled":true`, setting + `,"Enabled":true`} }
	tests := []struct {
		name   string
		change []string
		want   refusal
	}{
		{"good", nil, refusal{}},
		{"no Enabled", []string{`"Enabled":true,`, ""}, refusal{code: "MissingArgument", path: front + ".Enabled"}},
		{"policy and ForwardedValues", []string{optimized, optimized + "," + legacy}, refusal{"InvalidArgument", 400,
			"The parameter ForwardedValues cannot be used when a cache policy is associated to the cache behavior.", diag.RefusedByAWS, behavior + ".ForwardedValues"}},
		{"policy and MinTTL", []string{optimized, optimized + `,"MinTTL":0`}, refusal{"InvalidArgument", 400,
			"The parameter MinTTL cannot be used when a cache policy is associated to the cache behavior.", diag.RefusedByAWS, behavior + ".MinTTL"}},
		{"neither", []string{"," + optimized, ""}, refusal{"InvalidArgument", 400, "The parameter ForwardedValues is required.", diag.RefusedByAWS, behavior}},
		{"legacy", []string{optimized, legacy}, refusal{}},
		{"legacy TTL order", []string{optimized, legacy + `,"MinTTL":10,"DefaultTTL":5`}, refusal{"InvalidTTLOrder", 400, "MinTTL must be less equal to DefaultTTL must be less equal to MaxTTL", diag.RefusedByAWS, behavior + ".MinTTL"}},
		{"legacy cookies", []string{optimized, strings.Replace(legacy, `"none"`, `"some"`, 1)}, refusal{code: "InvalidForwardCookies", status: 400, path: behavior + ".ForwardedValues.Cookies.Forward"}},
		{"no such policy", []string{"658327ea", "00000000"}, refusal{code: "NoSuchCachePolicy", status: 404, path: behavior + ".CachePolicyId"}},
		{"no such request policy", []string{optimized, optimized + `,"OriginRequestPolicyId":"x"`}, refusal{code: "NoSuchOriginRequestPolicy", status: 404, path: behavior + ".OriginRequestPolicyId"}},
		{"no such response policy", []string{optimized, optimized + `,"ResponseHeadersPolicyId":"x"`}, refusal{code: "NoSuchResponseHeadersPolicy", status: 404, path: behavior + ".ResponseHeadersPolicyId"}},
		{"request policy without cache policy", []string{optimized, legacy + `,"OriginRequestPolicyId":"216adef6-5c7f-47e4-b989-5492eafa07d3"`}, refusal{code: "InvalidArgument", path: behavior + ".OriginRequestPolicyId"}},
		{"target", []string{`"TargetOriginId":"api"`, `"TargetOriginId":"web"`}, refusal{"NoSuchOrigin", 404, "One or more of your origins or origin groups do not exist.", diag.RefusedByAWS, behavior + ".TargetOriginId"}},
		{"methods", []string{optimized, optimized + `,"AllowedMethods":{"Quantity":2,"Items":["GET","POST"]}`}, refusal{code: "InvalidArgument", path: behavior + ".AllowedMethods"}},
		{"viewer protocol", []string{"allow-all", "some"}, refusal{code: "InvalidRequiredProtocol", status: 400, path: behavior + ".ViewerProtocolPolicy"}},
		{"five key groups", []string{optimized, optimized + `,"TrustedKeyGroups":{"Enabled":true,"Quantity":5,"Items":["a","b","c","d","e"]}`}, refusal{code: "TooManyKeyGroupsAssociatedToDistribution", status: 400, path: behavior + ".TrustedKeyGroups"}},
		{"signers not enabled", []string{optimized, optimized + `,"TrustedSigners":{"Enabled":false,"Quantity":1,"Items":["self"]}`}, refusal{code: "InvalidArgument", status: 400, path: behavior + ".TrustedSigners"}},
		{"signer that is no account", []string{optimized, optimized + `,"TrustedSigners":{"Enabled":true,"Quantity":1,"Items":["me"]}`}, refusal{code: "TrustedSignerDoesNotExist", status: 400, path: behavior + ".TrustedSigners.Items[0]"}},
		{"key group", []string{optimized, optimized + `,"TrustedKeyGroups":{"Enabled":true,"Quantity":1,"Items":["k"]}`}, refusal{code: "TrustedKeyGroupDoesNotExist", status: 400, path: behavior + ".TrustedKeyGroups.Items[0]"}},
		{"path pattern", add(`"CacheBehaviors":{"Quantity":1,"Items":[{"PathPattern":"/a b","TargetOriginId":"api","ViewerProtocolPolicy":"allow-all",` + optimized + `}]}`), refusal{code: "InvalidArgument", path: front + ".CacheBehaviors.Items[0].PathPattern"}},
		{"no origins", []string{`"Quantity":1,"Items":[{"Id":"api","DomainName":"api.example.com",` + custom + `}]`, `"Quantity":0`}, refusal{code: "MissingArgument", path: front + ".Origins"}},
		{"quantity", []string{`"Quantity":1`, `"Quantity":2`}, refusal{"InconsistentQuantities", 400, "The specified quantity of Origins (2) does not match the actual quantity supplied (1).", diag.RefusedByAWS, front + ".Origins.Quantity"}},
		{"URL as an origin", []string{"api.example.com", "https://api.example.com"}, refusal{"InvalidArgument", 400, "The parameter origin name cannot contain a colon.", diag.RefusedByAWS, origin + ".DomainName"}},
		{"path in an origin", []string{"api.example.com", "api.example.com/prod"}, refusal{"InvalidArgument", 400, "The parameter origin name must be a domain name.", diag.RefusedByAWS, origin + ".DomainName"}},
		{"API as a bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":""}`}, refusal{"InvalidArgument", 400, "The parameter Origin DomainName does not refer to a valid S3 bucket.", diag.RefusedByAWS, origin + ".DomainName"}},
		{"website as a bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "b.s3-website-us-east-1.amazonaws.com"}, refusal{code: "InvalidArgument"}},
		{"bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "my.bucket.s3.eu-central-1.amazonaws.com"}, refusal{}},
		{"old bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "b.s3-us-west-2.amazonaws.com"}, refusal{}},
		{"global bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "b.s3.amazonaws.com"}, refusal{}},
		{"both kinds", []string{custom, custom + `,"S3OriginConfig":{"OriginAccessIdentity":""}`, "api.example.com", "b.s3.amazonaws.com"}, refusal{"InvalidOrigin", 400, "You must specify either a CustomOrigin or an S3Origin. You cannot specify both.", diag.RefusedByAWS, origin}},
		{"no kind", []string{"," + custom, ""}, refusal{code: "InvalidOrigin", status: 400, path: origin}},
		{"origin path", []string{custom, custom + `,"OriginPath":"prod"`}, refusal{code: "InvalidArgument", path: origin + ".OriginPath"}},
		{"origin path ends with /", []string{custom, custom + `,"OriginPath":"/prod/"`}, refusal{code: "InvalidArgument", path: origin + ".OriginPath"}},
		{"port", []string{`"HTTPSPort":443`, `"HTTPSPort":444`}, refusal{code: "InvalidArgument", path: origin + ".CustomOriginConfig.HTTPSPort"}},
		{"read timeout", []string{`"HTTPPort":80`, `"HTTPPort":80,"OriginReadTimeout":121`}, refusal{code: "InvalidOriginReadTimeout", status: 400, path: origin + ".CustomOriginConfig.OriginReadTimeout"}},
		{"keep-alive", []string{`"HTTPPort":80`, `"HTTPPort":80,"OriginKeepaliveTimeout":0`}, refusal{code: "InvalidOriginKeepaliveTimeout", status: 400}},
		{"a custom header's name with a line end", []string{custom, custom + `,"CustomHeaders":{"Quantity":1,"Items":[{"HeaderName":"X-A: 1\r\nX-B","HeaderValue":"x"}]}`}, refusal{code: "InvalidArgument", path: origin + ".CustomHeaders.Items[0].HeaderName"}},
		{"a custom header's value with a line end", []string{custom, custom + `,"CustomHeaders":{"Quantity":1,"Items":[{"HeaderName":"X-A","HeaderValue":"x\r\nX-B: 1"}]}`}, refusal{code: "InvalidArgument", path: origin + ".CustomHeaders.Items[0].HeaderValue"}},
		{"Host as a custom header", []string{custom, custom + `,"CustomHeaders":{"Quantity":1,"Items":[{"HeaderName":"Host","HeaderValue":"x"}]}`}, refusal{code: "InvalidArgument", path: origin + ".CustomHeaders.Items[0].HeaderName"}},
		{"Origin Shield where there is none", []string{custom, custom + `,"OriginShield":{"Enabled":true,"OriginShieldRegion":"eu-west-3"}`}, refusal{code: "InvalidArgument", status: 400, path: origin + ".OriginShield.OriginShieldRegion"}},
		{"Origin Shield without a region", []string{custom, custom + `,"OriginShield":{"Enabled":true}`}, refusal{code: "InvalidArgument", path: origin + ".OriginShield.OriginShieldRegion"}},
		{"Origin Shield", []string{custom, custom + `,"OriginShield":{"Enabled":true,"OriginShieldRegion":"eu-west-1"}`}, refusal{}},
		{"no Origin Shield", []string{custom, custom + `,"OriginShield":{"Enabled":false}`}, refusal{}},
		{"completion shorter than response", []string{custom, strings.Replace(custom, `{`, `{"OriginReadTimeout":60,`, 1) + `,"ResponseCompletionTimeout":59`}, refusal{code: "InvalidArgument", status: 400, path: origin + ".ResponseCompletionTimeout"}},
		{"completion as long as response", []string{custom, strings.Replace(custom, `{`, `{"OriginReadTimeout":60,`, 1) + `,"ResponseCompletionTimeout":60`}, refusal{}},
		{"completion shorter than the default", []string{custom, custom + `,"ResponseCompletionTimeout":29`}, refusal{code: "InvalidArgument", path: origin + ".ResponseCompletionTimeout"}},
		{"completion without an end", []string{custom, custom + `,"ResponseCompletionTimeout":0`}, refusal{}},
		{"completion of a bucket", []string{custom, `"S3OriginConfig":{"OriginAccessIdentity":"","OriginReadTimeout":40},"ResponseCompletionTimeout":39`, "api.example.com", "b.s3.amazonaws.com"}, refusal{code: "InvalidArgument", path: origin + ".ResponseCompletionTimeout"}},
		{"OAC that is not there", []string{custom, custom + `,"OriginAccessControlId":"E1"`}, refusal{code: "InvalidOriginAccessControl", path: origin + ".OriginAccessControlId"}},
		{"OAC and OAI", []string{custom, `"OriginAccessControlId":"E1","S3OriginConfig":{"OriginAccessIdentity":"origin-access-identity/cloudfront/E2"}`, "api.example.com", "b.s3.amazonaws.com"}, refusal{code: "IllegalOriginAccessConfiguration", status: 400, path: origin}},
		{"root object", add(`"DefaultRootObject":"/index.html"`), refusal{code: "InvalidDefaultRootObject", status: 400, path: front + ".DefaultRootObject"}},
		{"error code", add(`"CustomErrorResponses":{"Quantity":1,"Items":[{"ErrorCode":418}]}`), refusal{code: "InvalidErrorCode", status: 400, path: front + ".CustomErrorResponses.Items[0].ErrorCode"}},
		{"page without code", add(`"CustomErrorResponses":{"Quantity":1,"Items":[{"ErrorCode":404,"ResponsePagePath":"/x"}]}`), refusal{code: "InvalidResponseCode", status: 400, path: front + ".CustomErrorResponses.Items[0]"}},
		{"log to a name", add(`"Logging":{"Enabled":true,"IncludeCookies":false,"Bucket":"logs","Prefix":""}`), refusal{"InvalidArgument", 400, "The parameter Logging Bucket does not refer to a valid S3 bucket.", diag.RefusedByAWS, front + ".Logging.Bucket"}},
		{"country in words", add(`"Restrictions":{"GeoRestriction":{"RestrictionType":"whitelist","Quantity":1,"Items":["Germany"]}}`), refusal{code: "InvalidGeoRestrictionParameter", status: 400, path: front + ".Restrictions.GeoRestriction.Items[0]"}},
		{"geo", add(`"Restrictions":{"GeoRestriction":{"RestrictionType":"whitelist","Quantity":0}}`), refusal{code: "InvalidGeoRestrictionParameter", status: 400}},
		{"alias without certificate", add(`"Aliases":{"Quantity":1,"Items":["www.example.com"]}`), refusal{code: "InvalidViewerCertificate", status: 400, path: front + ".Aliases"}},
		{"alias", add(`"Aliases":{"Quantity":2,"Items":["www.example.com","*.example.org"]},` + ownCert), refusal{}},
		{"alias in capitals", add(`"Aliases":{"Quantity":1,"Items":["WWW.example.com"]},` + ownCert), refusal{"InvalidArgument", 400, "The parameter CNAME contains one or more parameters that are not valid.", diag.RefusedByAWS, front + ".Aliases.Items[0]"}},
		{"alias with a star inside", add(`"Aliases":{"Quantity":1,"Items":["a.*.example.com"]},` + ownCert), refusal{code: "InvalidArgument", path: front + ".Aliases.Items[0]"}},
		{"certificate elsewhere", add(strings.Replace(ownCert, "us-east-1", "eu-central-1", 1)), refusal{"InvalidViewerCertificate", 400,
			"The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.", diag.CertificateRegion, front + ".ViewerCertificate.ACMCertificateArn"}},
		{"protocol of the dedicated IP", add(strings.Replace(ownCert, `"sni-only"`, `"vip","MinimumProtocolVersion":"TLSv1.2_2021"`, 1)), refusal{code: "InvalidMinimumProtocolVersion", status: 400}},
		{"edge function of another region", []string{optimized, optimized + `,"LambdaFunctionAssociations":{"Quantity":1,"Items":[{"EventType":"origin-request","LambdaFunctionARN":"arn:aws:lambda:eu-west-1:000000000000:function:f:1"}]}`},
			refusal{code: "InvalidLambdaFunctionAssociation", status: 400, path: behavior + ".LambdaFunctionAssociations.Items[0].LambdaFunctionARN"}},
		{"edge function without a version", []string{optimized, optimized + `,"LambdaFunctionAssociations":{"Quantity":1,"Items":[{"EventType":"origin-request","LambdaFunctionARN":"arn:aws:lambda:us-east-1:000000000000:function:f"}]}`},
			refusal{code: "InvalidLambdaFunctionAssociation", path: behavior + ".LambdaFunctionAssociations.Items[0].LambdaFunctionARN"}},
		{"unpublished function", []string{optimized, optimized + `,"FunctionAssociations":{"Quantity":1,"Items":[{"EventType":"viewer-request","FunctionARN":"arn:aws:cloudfront::000000000000:function/f"}]}`},
			refusal{code: "InvalidFunctionAssociation", status: 400, path: behavior + ".FunctionAssociations.Items[0].FunctionARN"}},
		{"failover code", add(`"OriginGroups":{"Quantity":1,"Items":[{"Id":"g","FailoverCriteria":{"StatusCodes":{"Quantity":1,"Items":[418]}},"Members":{"Quantity":2,"Items":[{"OriginId":"api"},{"OriginId":"api"}]}}]}`), refusal{code: "InvalidArgument", path: front + ".OriginGroups.Items[0].FailoverCriteria.StatusCodes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService().CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{
				DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, tt.change...))})
			check(t, err, tt.want)
		})
	}
}

// Every name that CloudFront does not send as an origin custom header, and the limits (DG-add-origin-custom-headers,
// DG-cloudfront-limits).
func TestOriginCustomHeaders(t *testing.T) {
	header := func(name, value string) *cloudfront.OriginCustomHeader {
		return &cloudfront.OriginCustomHeader{HeaderName: &name, HeaderValue: &value}
	}
	const at = "O.CustomHeaders"
	refused := func(what string, h []*cloudfront.OriginCustomHeader, want refusal) {
		t.Helper()
		t.Run(what, func(t *testing.T) {
			check(t, checkOriginHeaders(&cloudfront.Origin{CustomHeaders: &cloudfront.CustomHeaders{Items: h}}, "O"), want)
		})
	}
	for _, name := range strings.Fields(`Cache-Control Connection Content-Length Cookie Host If-Match If-Modified-Since If-None-Match If-Range
		If-Unmodified-Since Max-Forwards Pragma Proxy-Authenticate Proxy-Authorization Proxy-Connection Range Request-Range TE Trailer
		Transfer-Encoding Upgrade Via X-Amz-Anything x-amz- X-Edge-Location X-Real-Ip cOOKIE`) {
		refused(name, []*cloudfront.OriginCustomHeader{header("X-Fine", "v"), header(name, "v")},
			refusal{code: "InvalidArgument", status: 400, path: at + ".Items[1].HeaderName", message: "The parameter HeaderName contains " + name + " that is not allowed."})
	}
	for _, name := range []string{"Authorization", "X-Amazing", "User-Agent", "Origin", "X-Forwarded-For", strings.Repeat("n", 256)} {
		refused(name, []*cloudfront.OriginCustomHeader{header(name, strings.Repeat("v", 1783))}, refusal{})
	}
	many := func(n, size int) (h []*cloudfront.OriginCustomHeader) {
		for i := range n {
			h = append(h, header(fmt.Sprintf("X-%03d", i), strings.Repeat("v", size)))
		}
		return h
	}
	refused("30", many(30, 10), refusal{})
	refused("31", many(31, 10), refusal{code: "TooManyOriginCustomHeaders", status: 400, path: at})
	refused("long name", []*cloudfront.OriginCustomHeader{header(strings.Repeat("n", 257), "v")}, refusal{code: "InvalidArgument", status: 400, path: at + ".Items[0].HeaderName"})
	refused("long value", []*cloudfront.OriginCustomHeader{header("X", strings.Repeat("v", 1784))}, refusal{code: "InvalidArgument", status: 400, path: at + ".Items[0].HeaderName"})
	refused("10,240 characters", many(10, 1024-5), refusal{})
	refused("10,250 characters", many(10, 1025-5), refusal{code: "InvalidArgument", status: 400, path: at + ".Items[9].HeaderName"})
	refused("no name", []*cloudfront.OriginCustomHeader{header("", "v")}, refusal{code: "MissingArgument", status: 400, path: at + ".Items[0].HeaderName"})
}

// AWS raises the number of distributions of an account on request, and --quota does.
func TestDistributionQuota(t *testing.T) {
	s := newService()
	s.env.Quotas = map[string]int{service.QuotaDistributions: 1}
	createSite(t, s)
	another := fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, `"CallerReference":"r"`, `"CallerReference":"another"`))
	_, err := s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{DistributionConfig: another})
	check(t, err, refusal{code: "TooManyDistributions", status: 400, path: "DistributionConfig"})
}

func TestDistributionLife(t *testing.T) {
	s, ctx := newService(), t.Context()
	serving := uint64(0)
	s.env.Serving = func() uint64 { return serving }
	made := createSite(t, s)
	id := made.Distribution.Id
	if *made.Distribution.Status != "InProgress" || !strings.HasSuffix(*made.Distribution.DomainName, ".cloudfront.net") || len(*id) != 14 {
		t.Errorf("made %s %s %s", *id, *made.Distribution.DomainName, *made.Distribution.Status)
	}
	serving = s.env.Store.View().Revision()
	got, err := s.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: id})
	if err != nil || *got.Distribution.Status != "Deployed" || *got.ETag != *made.ETag {
		t.Fatalf("get: %v", err)
	}

	_, err = s.CreateDistribution(ctx, &cloudfront.CreateDistributionInput{DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, distributionJSON)})
	check(t, err, refusal{code: "DistributionAlreadyExists", status: 409})

	config := *got.Distribution.DistributionConfig
	config.Comment = new("changed")
	_, err = s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, DistributionConfig: &config})
	check(t, err, refusal{code: "InvalidIfMatchVersion", status: 400})
	_, err = s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: new("E0"), DistributionConfig: &config})
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	other := config
	other.CallerReference = new("other")
	_, err = s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: got.ETag, DistributionConfig: &other})
	check(t, err, refusal{code: "IllegalUpdate", status: 400})
	up, err := s.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: got.ETag, DistributionConfig: &config})
	if err != nil || *up.Distribution.Status != "InProgress" || *up.ETag == *got.ETag {
		t.Fatalf("update: %v", err)
	}

	if _, err := s.TagResource(ctx, &cloudfront.TagResourceInput{Resource: up.Distribution.ARN, Tags: &cloudfront.Tags{Items: []*cloudfront.Tag{{Key: new("a"), Value: new("b")}}}}); err != nil {
		t.Fatal(err)
	}
	tags, err := s.ListTagsForResource(ctx, &cloudfront.ListTagsForResourceInput{Resource: up.Distribution.ARN})
	if err != nil || len(tags.Tags.Items) != 1 {
		t.Errorf("tags %v, %v", tags, err)
	}
	if again, err := s.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: id}); err != nil || *again.ETag != *up.ETag {
		t.Errorf("tagging changed the ETag: %v", err)
	}
	_, err = s.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: id, IfMatch: up.ETag})
	check(t, err, refusal{code: "DistributionNotDisabled", status: 409})
	deleteSite(t, s, id)
	_, err = s.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: id})
	check(t, err, refusal{code: "NoSuchDistribution", status: 404, message: "The specified distribution does not exist."})
}

// TestRoundTrip sends the answer of get-distribution-config back as an update, over the API's own checks.
func TestRoundTrip(t *testing.T) {
	for _, change := range [][]string{nil, {optimized, legacy},
		{`"Enabled":true`, `"CacheBehaviors":{"Quantity":1,"Items":[{"PathPattern":"/a","TargetOriginId":"api","ViewerProtocolPolicy":"allow-all",` + optimized + `}]},"Enabled":true`},
		{`"Enabled":true`, ownCert + `,"Enabled":true`}} {
		s := newService()
		made := createSite(t, s, change...)
		got, err := s.GetDistributionConfig(t.Context(), &cloudfront.GetDistributionConfigInput{Id: made.Distribution.Id})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(got.DistributionConfig)
		if err != nil {
			t.Fatal(err)
		}
		in := &cloudfront.UpdateDistributionInput{Id: made.Distribution.Id, IfMatch: got.ETag, DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, string(b))}
		if err := awsapi.Validate(cloudfront.Service, cloudfront.Service.Operation("UpdateDistribution"), in); err != nil {
			t.Errorf("the model refuses the answer: %v", err)
		}
		up, err := s.UpdateDistribution(t.Context(), in)
		if err != nil {
			t.Errorf("%v: %v", change, err)
		} else if !reflect.DeepEqual(up.Distribution.DistributionConfig, got.DistributionConfig) {
			t.Errorf("%v: the configuration changed", change)
		}
	}
}

func TestAliasOfAnother(t *testing.T) {
	s := newService()
	alias := []string{`"Enabled":true`, `"Aliases":{"Quantity":1,"Items":["www.example.com"]},` + ownCert + `,"Enabled":true`}
	createSite(t, s, alias...)
	_, err := s.CreateDistribution(t.Context(), &cloudfront.CreateDistributionInput{
		DistributionConfig: fromJSON[cloudfront.DistributionConfig](t, with(t, distributionJSON, append(alias, `"r"`, `"r2"`)...))})
	check(t, err, refusal{"CNAMEAlreadyExists", 409, "One or more of the CNAMEs you provided are already associated with a different resource.", diag.RefusedByAWS, "DistributionConfig.Aliases.Items[0]"})
}

// TestLostUpdate changes a record between a handler's reading and writing.
func TestLostUpdate(t *testing.T) {
	s := newService()
	made := createSite(t, s)
	v, rec, err := s.getDistribution(t.Context(), made.Distribution.Id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.TagResource(t.Context(), &cloudfront.TagResourceInput{Resource: made.Distribution.ARN, Tags: &cloudfront.Tags{Items: []*cloudfront.Tag{{Key: new("a")}}}}); err != nil {
		t.Fatal(err)
	}
	_, err = replace(t.Context(), s, distributionsKind, rec, v)
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
}

func TestInvalidations(t *testing.T) {
	dropped := map[string][]string{}
	s := New(newService().env, func(id string, paths []string) { dropped[id] = append(dropped[id], paths...) })
	d := createSite(t, s).Distribution
	create := func(ref string, paths ...string) (*cloudfront.CreateInvalidationOutput, error) {
		return s.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{DistributionId: d.Id, InvalidationBatch: &cloudfront.InvalidationBatch{
			CallerReference: &ref, Paths: &cloudfront.Paths{Quantity: count(paths), Items: paths}}})
	}
	first, err := create("1", "/a*", "/b*c")
	if err != nil || *first.Invalidation.Status != "Completed" || len(dropped[*d.Id]) != 2 {
		t.Fatalf("invalidate: %v, %v", err, dropped)
	}
	again, err := create("1", "/a*", "/b*c")
	if err != nil || *again.Invalidation.Id != *first.Invalidation.Id || len(dropped[*d.Id]) != 2 {
		t.Errorf("the same again: %v", err)
	}
	_, err = create("1", "/other")
	check(t, err, refusal{code: "InvalidationBatchAlreadyExists"})
	for _, q := range []struct {
		path    string
		most    int
		message string
	}{
		{"/w*", 15, "Processing your request will cause you to exceed the maximum number of in-progress wildcard invalidations."},
		{"/p", 3000, "Processing your request will cause you to exceed the maximum number of in-progress invalidations."},
	} {
		_, err = create("over"+q.path, slices.Repeat([]string{q.path}, q.most+1)...)
		check(t, err, refusal{code: "TooManyInvalidationsInProgress", status: 400, message: q.message, path: "InvalidationBatch.Paths"})
		if _, err = create("all"+q.path, slices.Repeat([]string{q.path}, q.most)...); err != nil {
			t.Error(err)
		}
	}
	_, err = create("2", "a")
	check(t, err, refusal{code: "InvalidArgument", status: 400, path: "InvalidationBatch.Paths.Items[0]"})
	_, err = s.CreateInvalidation(t.Context(), &cloudfront.CreateInvalidationInput{DistributionId: d.Id, InvalidationBatch: &cloudfront.InvalidationBatch{
		CallerReference: new("3"), Paths: &cloudfront.Paths{Quantity: new(int64(1)), Items: []string{"/a", "/b"}}}})
	check(t, err, refusal{code: "InconsistentQuantities", status: 400, message: "The specified quantity of Paths (1) does not match the actual quantity supplied (2)."})
	got, err := s.GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: d.Id, Id: first.Invalidation.Id})
	if err != nil || len(got.Invalidation.InvalidationBatch.Paths.Items) != 2 {
		t.Errorf("get: %v", err)
	}
	list, err := s.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: d.Id})
	if err != nil || len(list.InvalidationList.Items) != 3 {
		t.Errorf("list: %v", err)
	}
	_, err = s.GetInvalidation(t.Context(), &cloudfront.GetInvalidationInput{DistributionId: d.Id, Id: new("I1")})
	check(t, err, refusal{code: "NoSuchInvalidation", status: 404})
	deleteSite(t, s, d.Id)
	if n := invalidationsKind.Len(s.env.Store.View(), global); n != 0 {
		t.Errorf("%d invalidations outlive their distribution", n)
	}
}

func TestSomethingElseIsNotImplemented(t *testing.T) {
	_, err := newService().CreateStreamingDistribution(t.Context(), &cloudfront.CreateStreamingDistributionInput{})
	var e *awsapi.Error
	if !errors.As(err, &e) || e.Code != "NotImplemented" || !strings.Contains(e.Message, "CreateStreamingDistribution") {
		t.Errorf("got %v", err)
	}
}

// TestFileRoundTrip keeps a distribution in a file and reads it back.
func TestFileRoundTrip(t *testing.T) {
	s := newService()
	path := t.TempDir() + "/store"
	st, err := store.Open(path, time.Now, decoders()...)
	if err != nil {
		t.Fatal(err)
	}
	s.env.Store = st
	made := createSite(t, s)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err = store.Open(path, time.Now, decoders()...); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s.env.Store = st
	got, err := s.GetDistribution(t.Context(), &cloudfront.GetDistributionInput{Id: made.Distribution.Id})
	if err != nil || *got.ETag != *made.ETag || fmt.Sprint(*got.Distribution.DomainName) != *made.Distribution.DomainName {
		t.Errorf("after a restart: %v", err)
	}
}
