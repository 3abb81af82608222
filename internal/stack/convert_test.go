package stack

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// properties reads YAML as the properties of the resource Site.
func properties(t *testing.T, text string) *template.Value {
	t.Helper()
	v, err := template.Read("t.yaml", []byte(text), template.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v.Copy(template.Place{Root: "Resources.Site.Properties"})
}

func convertDistribution(t *testing.T, text string) (*cloudfront.DistributionConfigWithTags, []diag.Finding) {
	t.Helper()
	in := &cloudfront.DistributionConfigWithTags{}
	return in, convert(in, cfShape("DistributionConfigWithTags"), properties(t, text), &distributionSpelling, "Site")
}

// everySpelling has each property that a template spells or nests otherwise than the API (facts: cloudformation 3, notes), and
// numbers and booleans as strings.
const everySpelling = `
DistributionConfig:
  Enabled: "true"
  IPV6Enabled: "False"
  Aliases: [www.example.com, example.com]
  Logging: {Bucket: logs.s3.amazonaws.com, IncludeCookies: true}
  ViewerCertificate: {AcmCertificateArn: arn, SslSupportMethod: sni-only, MinimumProtocolVersion: TLSv1.2_2021, IamCertificateId: iam}
  Restrictions: {GeoRestriction: {RestrictionType: whitelist, Locations: [DE, FR]}}
  WebACLId: acl
  Origins:
    - Id: 7
      DomainName: api.example.com
      OriginCustomHeaders: [{HeaderName: X-Key, HeaderValue: 12}]
      ConnectionAttempts: "2"
      CustomOriginConfig: {HTTPPort: "8080", HTTPSPort: 8443, OriginProtocolPolicy: https-only, OriginSSLProtocols: [TLSv1.2]}
  OriginGroups:
    Quantity: 1
    Items:
      - Id: g
        FailoverCriteria: {StatusCodes: {Quantity: 2, Items: [500, "502"]}}
        Members: {Quantity: 2, Items: [{OriginId: a}, {OriginId: b}]}
  DefaultCacheBehavior:
    CachedMethods: [GET, HEAD]
    AllowedMethods: [GET, HEAD, OPTIONS]
    TrustedSigners: [self]
    TrustedKeyGroups: []
    MinTTL: 0
    DefaultTTL: "86400"
    ForwardedValues: {QueryString: false, QueryStringCacheKeys: [q], Headers: [Origin], Cookies: {Forward: whitelist, WhitelistedNames: [sid]}}
    LambdaFunctionAssociations: [{EventType: origin-request, LambdaFunctionARN: l}]
    FunctionAssociations: [{EventType: viewer-request, FunctionARN: f}]
  CacheBehaviors:
    - PathPattern: /a
      AllowedMethods: [GET, HEAD]
      CachedMethods: [GET, HEAD]
  CustomErrorResponses: [{ErrorCode: 404, ErrorCachingMinTTL: "5", ResponseCode: 200, ResponsePagePath: /x}]
Tags: [{Key: team, Value: 9}]
`

func TestSpellings(t *testing.T) {
	in, found := convertDistribution(t, everySpelling)
	if len(found) > 0 {
		t.Fatal(show(found))
	}
	c := in.DistributionConfig
	o, b := c.Origins.Items[0], c.DefaultCacheBehavior
	g := c.OriginGroups.Items[0]
	for _, check := range []struct {
		name string
		ok   bool
	}{
		{"Enabled", *c.Enabled}, {"IsIPV6Enabled", !*c.IsIPV6Enabled}, {"Aliases", *c.Aliases.Quantity == 2 && c.Aliases.Items[1] == "example.com"},
		{"ACMCertificateArn", *c.ViewerCertificate.ACMCertificateArn == "arn"}, {"SSLSupportMethod", *c.ViewerCertificate.SSLSupportMethod == "sni-only"},
		{"IAMCertificateId", *c.ViewerCertificate.IAMCertificateId == "iam"},
		{"Locations", *c.Restrictions.GeoRestriction.Quantity == 2 && c.Restrictions.GeoRestriction.Items[0] == "DE"},
		{"Id from a number", *o.Id == "7"}, {"CustomHeaders", *o.CustomHeaders.Quantity == 1 && *o.CustomHeaders.Items[0].HeaderValue == "12"},
		{"ConnectionAttempts", *o.ConnectionAttempts == 2}, {"ports", *o.CustomOriginConfig.HTTPPort == 8080 && *o.CustomOriginConfig.HTTPSPort == 8443},
		{"OriginSslProtocols", *o.CustomOriginConfig.OriginSslProtocols.Quantity == 1},
		{"StatusCodes", *g.FailoverCriteria.StatusCodes.Quantity == 2 && g.FailoverCriteria.StatusCodes.Items[1] == 502},
		{"Members", *g.Members.Quantity == 2}, {"AllowedMethods", *b.AllowedMethods.Quantity == 3 && len(b.AllowedMethods.Items) == 3},
		{"CachedMethods", *b.AllowedMethods.CachedMethods.Quantity == 2}, {"CachedMethods of a behavior", *c.CacheBehaviors.Items[0].AllowedMethods.CachedMethods.Quantity == 2},
		{"TrustedSigners", *b.TrustedSigners.Enabled && *b.TrustedSigners.Quantity == 1}, {"TrustedKeyGroups", !*b.TrustedKeyGroups.Enabled && *b.TrustedKeyGroups.Quantity == 0},
		{"TTLs", *b.MinTTL == 0 && *b.DefaultTTL == 86400 && b.MaxTTL == nil},
		{"ForwardedValues", !*b.ForwardedValues.QueryString && *b.ForwardedValues.Headers.Quantity == 1 && b.ForwardedValues.QueryStringCacheKeys.Items[0] == "q" && b.ForwardedValues.Cookies.WhitelistedNames.Items[0] == "sid"},
		{"LambdaFunctionARN", *b.LambdaFunctionAssociations.Items[0].LambdaFunctionARN == "l"}, {"FunctionARN", *b.FunctionAssociations.Items[0].FunctionARN == "f"},
		{"CustomErrorResponses", *c.CustomErrorResponses.Items[0].ResponseCode == "200" && *c.CustomErrorResponses.Items[0].ErrorCachingMinTTL == 5},
		{"Tags", *in.Tags.Items[0].Key == "team" && *in.Tags.Items[0].Value == "9"},
	} {
		if !check.ok {
			t.Errorf("%s is wrong", check.name)
		}
	}
}

func TestConverterRefusals(t *testing.T) {
	const front = "Properties validation failed for resource Site with message:\n"
	tests := []struct{ text, message, position string }{
		{"DistributionConfig: {Foo: 1}", front + "#/DistributionConfig: extraneous key [Foo] is not permitted", "t.yaml:1:22"},
		{"Foo: 1", front + "#: extraneous key [Foo] is not permitted", "t.yaml:1:1"},
		{"DistributionConfig: {enabled: true}", front + "#/DistributionConfig: extraneous key [enabled] is not permitted", "t.yaml:1:22"},
		{"DistributionConfig: {CallerReference: x}", front + "#/DistributionConfig: extraneous key [CallerReference] is not permitted", "t.yaml:1:22"},
		{"DistributionConfig: {IsIPV6Enabled: true}", front + "#/DistributionConfig: extraneous key [IsIPV6Enabled] is not permitted", "t.yaml:1:22"},
		{"DistributionConfig: {Logging: {Enabled: true}}", front + "#/DistributionConfig/Logging: extraneous key [Enabled] is not permitted", "t.yaml:1:32"},
		{"DistributionConfig: {Origins: [{CustomHeaders: []}]}", front + "#/DistributionConfig/Origins/0: extraneous key [CustomHeaders] is not permitted", "t.yaml:1:33"},
		{"DistributionConfig: {Enabled: maybe}", front + "#/DistributionConfig/Enabled: expected type: Boolean, found: String", "t.yaml:1:31"},
		{"DistributionConfig: {Enabled: 1}", front + "#/DistributionConfig/Enabled: expected type: Boolean, found: Integer", "t.yaml:1:31"},
		{"DistributionConfig: {Enabled: [true]}", front + "#/DistributionConfig/Enabled: expected type: Boolean, found: JSONArray", "t.yaml:1:31"},
		{"DistributionConfig: {Origins: {Id: a}}", front + "#/DistributionConfig/Origins: expected type: JSONArray, found: JSONObject", "t.yaml:1:31"},
		{"DistributionConfig: {Aliases: {Quantity: 1, Items: [a]}}", front + "#/DistributionConfig/Aliases: expected type: JSONArray, found: JSONObject", "t.yaml:1:31"},
		{"DistributionConfig: {Aliases: www.example.com}", front + "#/DistributionConfig/Aliases: expected type: JSONArray, found: String", "t.yaml:1:31"},
		{"DistributionConfig: {OriginGroups: []}", front + "#/DistributionConfig/OriginGroups: expected type: JSONObject, found: JSONArray", "t.yaml:1:36"},
		{"DistributionConfig: {Comment: {a: b}}", front + "#/DistributionConfig/Comment: expected type: String, found: JSONObject", "t.yaml:1:31"},
		{"DistributionConfig: {DefaultCacheBehavior: {MinTTL: 1.5}}", front + "#/DistributionConfig/DefaultCacheBehavior/MinTTL: expected type: Integer, found: Number", "t.yaml:1:53"},
		{"DistributionConfig: none", front + "#/DistributionConfig: expected type: JSONObject, found: String", "t.yaml:1:21"},
		{"DistributionConfig: {CNAMEs: [a]}", "CNAMEs is a property of older templates that Foregate does not honour", "t.yaml:1:22"},
		{"DistributionConfig: {S3Origin: {DNSName: a}}", "S3Origin is a property of older templates that Foregate does not honour", "t.yaml:1:22"},
	}
	for _, tt := range tests {
		_, found := convertDistribution(t, tt.text)
		if len(found) != 1 {
			t.Errorf("%s: %d findings\n%s", tt.text, len(found), show(found))
			continue
		}
		if f := found[0]; f.Message != tt.message || f.Position.String() != tt.position || f.Severity != diag.Error {
			t.Errorf("%s:\n got %s %q\nwant %s %q", tt.text, f.Position, f.Message, tt.position, tt.message)
		}
	}
	_, found := convertDistribution(t, "DistributionConfig: {Enabled: x, Foo: 1, Origins: 3}")
	if len(found) != 3 {
		t.Errorf("three mistakes, %d findings", len(found))
	}
}

func TestResponseHeadersKeepItems(t *testing.T) {
	convertPolicy := func(text string) (*cloudfront.CreateResponseHeadersPolicyInput, []diag.Finding) {
		in := &cloudfront.CreateResponseHeadersPolicyInput{}
		return in, convert(in, cfShape("CreateResponseHeadersPolicyRequest"), properties(t, text), &configSpelling, "Site")
	}
	in, found := convertPolicy("ResponseHeadersPolicyConfig: {CorsConfig: {AccessControlAllowOrigins: {Items: ['*']}}, CustomHeadersConfig: {Items: [{Header: a, Value: b, Override: true}]}}")
	if len(found) > 0 || *in.ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowOrigins.Quantity != 1 || *in.ResponseHeadersPolicyConfig.CustomHeadersConfig.Quantity != 1 {
		t.Errorf("%s", show(found))
	}
	for _, text := range []string{
		"ResponseHeadersPolicyConfig: {CorsConfig: {AccessControlAllowOrigins: ['*']}}",
		"ResponseHeadersPolicyConfig: {CorsConfig: {AccessControlAllowOrigins: {Quantity: 1, Items: ['*']}}}",
	} {
		if _, found := convertPolicy(text); len(found) != 1 {
			t.Errorf("%s: %s", text, show(found))
		}
	}
}

func TestWrongQuantity(t *testing.T) {
	out := deploy(t, allServices(), policyTemplate+siteTemplate+`
        OriginGroups: {Quantity: 2, Items: []}
`)
	if out.Stack != nil || len(out.Findings) != 1 {
		t.Fatal(show(out.Findings))
	}
	f := out.Findings[0]
	if f.AWSError.Code != "InconsistentQuantities" || f.Path != "Resources.Site.Properties.DistributionConfig.OriginGroups.Quantity" {
		t.Errorf("%s at %s", f.AWSError.Code, f.Path)
	}
}

func TestRequired(t *testing.T) {
	out := deploy(t, allServices(), strings.Replace(policyTemplate+siteTemplate, "        Enabled: true\n", "", 1))
	want := "Properties validation failed for resource Site with message:\n#/DistributionConfig: required key [Enabled] not found"
	if len(out.Findings) != 1 || out.Findings[0].Message != want || out.Findings[0].Path != "Resources.Site.Properties.DistributionConfig" {
		t.Errorf("got %s\nwant %s", show(out.Findings), want)
	}
}

func TestLocate(t *testing.T) {
	props := properties(t, everySpelling)
	const front = "Resources.Site.Properties"
	tests := []struct{ path, want string }{
		{"DistributionConfig.Origins.Items[0].CustomHeaders.Items[0].HeaderName", ".DistributionConfig.Origins[0].OriginCustomHeaders[0].HeaderName"},
		{"DistributionConfig.DefaultCacheBehavior.AllowedMethods.CachedMethods", ".DistributionConfig.DefaultCacheBehavior.CachedMethods"},
		{"DistributionConfig.CacheBehaviors.Items[0].AllowedMethods.CachedMethods.Items[1]", ".DistributionConfig.CacheBehaviors[0].CachedMethods[1]"},
		{"DistributionConfig.OriginGroups.Items[0].Members.Items[1].OriginId", ".DistributionConfig.OriginGroups.Items[0].Members.Items[1].OriginId"},
		{"DistributionConfig.OriginGroups.Quantity", ".DistributionConfig.OriginGroups.Quantity"},
		{"DistributionConfig.Restrictions.GeoRestriction.Items[1]", ".DistributionConfig.Restrictions.GeoRestriction.Locations[1]"},
		{"DistributionConfig.IsIPV6Enabled", ".DistributionConfig.IPV6Enabled"},
		{"DistributionConfig.ViewerCertificate.ACMCertificateArn", ".DistributionConfig.ViewerCertificate.AcmCertificateArn"},
		{"DistributionConfig.DefaultCacheBehavior.CachePolicyId", ".DistributionConfig.DefaultCacheBehavior"},
		{"DistributionConfig.Aliases.Items[9]", ".DistributionConfig.Aliases"},
		{"DistributionConfig.Aliases.Items[-1]", ".DistributionConfig.Aliases"},
		{"distributionConfig.customErrorResponses.items[0].errorCode", ".DistributionConfig.CustomErrorResponses[0].ErrorCode"},
		{"Nothing.At.All", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got := locate(props, tt.path, &distributionSpelling).Path(); got != front+tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got, front+tt.want)
		}
	}
	if got := violationPath("1 validation error detected: Value null at 'a.items.2.member.b' failed to satisfy constraint: Member must not be null"); got != "a.items[1].b" {
		t.Errorf("violation path %q", got)
	}
}

// FuzzConvert converts anything: no panic, and each finding has a place.
func FuzzConvert(f *testing.F) {
	f.Add(everySpelling, "DistributionConfig.Origins.Items[0].CustomHeaders.Items[0]")
	f.Add("DistributionConfig: {Origins: {Items: [1]}, DefaultCacheBehavior: [], OriginGroups: x}", "DistributionConfig.OriginGroups.Items[7]")
	f.Add("DistributionConfig: {DefaultCacheBehavior: {CachedMethods: {}, AllowedMethods: 1}}", "a[[0].b")
	f.Fuzz(func(t *testing.T, text, path string) {
		v, err := template.Read("t.yaml", []byte(text), template.Limits{})
		if err != nil || v == nil {
			return
		}
		v = v.Copy(template.Place{Root: "Resources.Site.Properties"})
		for _, d := range convert(&cloudfront.DistributionConfigWithTags{}, cfShape("DistributionConfigWithTags"), v, &distributionSpelling, "Site") {
			if !strings.HasPrefix(d.Path, "Resources.Site.Properties") || d.Message == "" {
				t.Errorf("finding without a place: %+v", d)
			}
		}
		if at := locate(v, path, &distributionSpelling); at == nil {
			t.Errorf("%q: lost", path)
		}
	})
}
