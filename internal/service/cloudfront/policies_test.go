package cloudfront

import (
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
)

const cachePolicyJSON = `{"Name":"p","MinTTL":1,"DefaultTTL":60,"MaxTTL":600,"ParametersInCacheKeyAndForwardedToOrigin":{
 "EnableAcceptEncodingGzip":false,"EnableAcceptEncodingBrotli":false,"HeadersConfig":{"HeaderBehavior":"none"},
 "CookiesConfig":{"CookieBehavior":"none"},"QueryStringsConfig":{"QueryStringBehavior":"none"}}}`

const zeroTTLs = `"MinTTL":0,"DefaultTTL":0,"MaxTTL":0`

const someTTLs = `"MinTTL":1,"DefaultTTL":60,"MaxTTL":600`

// list writes a list of n made-up names.
func list(n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%q", fmt.Sprintf("name-%d", i))
	}
	return fmt.Sprintf(`{"Quantity":%d,"Items":[%s]}`, n, strings.Join(names, ","))
}

// TestCachePolicyRefusals has the texts of facts: cloudfront-policies 4b.
func TestCachePolicyRefusals(t *testing.T) {
	const key = "CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin"
	const disabled = "The parameter %s is invalid for policy with caching disabled."
	headers := `"HeaderBehavior":"none"`
	tests := []struct {
		name   string
		change []string
		want   refusal
	}{
		{"good", nil, refusal{}},
		{"zero TTLs, empty key", []string{someTTLs, zeroTTLs}, refusal{}},
		{"zero TTLs with max 1 and Authorization", []string{someTTLs, `"MinTTL":0,"DefaultTTL":0,"MaxTTL":1`, headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["Authorization"]}`}, refusal{}},
		{"zero TTLs, headers", []string{someTTLs, zeroTTLs, headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["Authorization"]}`},
			refusal{"InvalidArgument", 400, fmt.Sprintf(disabled, "HeaderBehavior"), diag.ZeroTTLWithCacheKey, key + ".HeadersConfig.HeaderBehavior"}},
		{"zero TTLs, cookies", []string{someTTLs, zeroTTLs, `"CookieBehavior":"none"`, `"CookieBehavior":"all"`},
			refusal{"InvalidArgument", 400, fmt.Sprintf(disabled, "CookieBehavior"), diag.ZeroTTLWithCacheKey, key + ".CookiesConfig.CookieBehavior"}},
		{"zero TTLs, query", []string{someTTLs, zeroTTLs, `"QueryStringBehavior":"none"`, `"QueryStringBehavior":"all"`},
			refusal{"InvalidArgument", 400, fmt.Sprintf(disabled, "QueryStringBehavior"), diag.ZeroTTLWithCacheKey, key + ".QueryStringsConfig.QueryStringBehavior"}},
		{"zero TTLs, gzip", []string{someTTLs, zeroTTLs, `"EnableAcceptEncodingGzip":false`, `"EnableAcceptEncodingGzip":true`},
			refusal{"InvalidArgument", 400, fmt.Sprintf(disabled, "EnableAcceptEncodingGzip"), diag.ZeroTTLWithCacheKey, key + ".EnableAcceptEncodingGzip"}},
		{"zero TTLs, brotli", []string{someTTLs, zeroTTLs, `"EnableAcceptEncodingBrotli":false`, `"EnableAcceptEncodingBrotli":true`},
			refusal{"InvalidArgument", 400, fmt.Sprintf(disabled, "EnableAcceptEncodingBrotli"), diag.ZeroTTLWithCacheKey, key + ".EnableAcceptEncodingBrotli"}},
		{"no name", []string{`"Name":"p",`, ""}, refusal{code: "MissingArgument", status: 400, path: "CachePolicyConfig.Name"}},
		{"bad name", []string{`"Name":"p"`, `"Name":"a b"`}, refusal{code: "InvalidArgument", path: "CachePolicyConfig.Name"}},
		{"TTL order", []string{`"MinTTL":1`, `"MinTTL":61`}, refusal{code: "InvalidArgument", path: "CachePolicyConfig.MinTTL"}},
		{"bad mode", []string{headers, `"HeaderBehavior":"allViewer"`}, refusal{code: "InvalidArgument", path: key + ".HeadersConfig.HeaderBehavior"}},
		{"whitelist without names", []string{headers, `"HeaderBehavior":"whitelist"`}, refusal{code: "InvalidArgument", path: key + ".HeadersConfig.HeaderBehavior"}},
		{"names with none", []string{headers, headers + `,"Headers":` + list(1)}, refusal{code: "InvalidArgument", path: key + ".HeadersConfig.Headers"}},
		{"header that cannot be in a key", []string{headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["CloudFront-Viewer-Address"]}`},
			refusal{"InvalidArgument", 400, "The parameter Headers contains CloudFront-Viewer-Address that is not allowed.", diag.RefusedByAWS, key + ".HeadersConfig.Headers.Items[0]"}},
		{"Accept-Encoding, not normalised", []string{headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["accept-encoding"]}`}, refusal{}},
		{"Accept-Encoding, normalised", []string{`"EnableAcceptEncodingBrotli":false`, `"EnableAcceptEncodingBrotli":true`, headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["Accept-Encoding"]}`},
			refusal{"InvalidArgument", 400, "The parameter Headers contains Accept-Encoding that is not allowed.", diag.RefusedByAWS, key + ".HeadersConfig.Headers.Items[0]"}},
		{"too many headers", []string{headers, `"HeaderBehavior":"whitelist","Headers":` + list(11)}, refusal{code: "TooManyHeadersInCachePolicy", status: 400, path: key + ".HeadersConfig.Headers"}},
		{"too many cookies", []string{`"CookieBehavior":"none"`, `"CookieBehavior":"whitelist","Cookies":` + list(11)}, refusal{code: "TooManyCookiesInCachePolicy", status: 400, path: key + ".CookiesConfig.Cookies"}},
		{"too many queries", []string{`"QueryStringBehavior":"none"`, `"QueryStringBehavior":"whitelist","QueryStrings":` + list(11)}, refusal{code: "TooManyQueryStringsInCachePolicy", status: 400, path: key + ".QueryStringsConfig.QueryStrings"}},
		{"quantity", []string{headers, `"HeaderBehavior":"whitelist","Headers":{"Quantity":2,"Items":["A"]}`},
			refusal{"InconsistentQuantities", 400, "The specified quantity of Headers (2) does not match the actual quantity supplied (1).", diag.RefusedByAWS, key + ".HeadersConfig.Headers.Quantity"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService().CreateCachePolicy(t.Context(), &cloudfront.CreateCachePolicyInput{
				CachePolicyConfig: fromJSON[cloudfront.CachePolicyConfig](t, with(t, cachePolicyJSON, tt.change...))})
			check(t, err, tt.want)
		})
	}
}

func TestOriginRequestPolicyRefusals(t *testing.T) {
	const text = `{"Name":"p","HeadersConfig":{"HeaderBehavior":"whitelist","Headers":{"Quantity":1,"Items":["X-A"]}},
 "CookiesConfig":{"CookieBehavior":"none"},"QueryStringsConfig":{"QueryStringBehavior":"none"}}`
	const at = "OriginRequestPolicyConfig.HeadersConfig.Headers.Items[0]"
	notAllowed := func(h string, code diag.Code) refusal {
		return refusal{"InvalidArgument", 400, "The parameter Headers contains " + h + " that is not allowed.", code, at}
	}
	tests := []struct {
		name   string
		change []string
		want   refusal
	}{
		{"good", nil, refusal{}},
		{"all but host", []string{`"whitelist"`, `"allExcept"`, "X-A", "host"}, refusal{}},
		{"authorization left out", []string{`"whitelist"`, `"allExcept"`, "X-A", "Authorization"}, refusal{}},
		{"authorization", []string{"X-A", "Authorization"}, notAllowed("Authorization", diag.AuthorizationInOriginRequest)},
		{"authorization in small letters", []string{"X-A", "authorization"}, notAllowed("authorization", diag.AuthorizationInOriginRequest)},
		{"a name that contains it", []string{"X-A", "x-wp-access-authorization"}, refusal{}}, // github aws/aws-cdk 15286
		{"accept-encoding", []string{"X-A", "Accept-Encoding"}, notAllowed("Accept-Encoding", diag.RefusedByAWS)},
		{"payload hash", []string{"X-A", "x-amz-content-sha256"}, notAllowed("x-amz-content-sha256", diag.RefusedByAWS)},
		{"viewer headers with CloudFront's", []string{`"whitelist"`, `"allViewerAndWhitelistCloudFront"`}, notAllowed("X-A", diag.RefusedByAWS)},
		{"CloudFront's headers", []string{`"whitelist"`, `"allViewerAndWhitelistCloudFront"`, "X-A", "CloudFront-Viewer-ASN"}, refusal{}},
		{"too many headers", []string{`{"Quantity":1,"Items":["X-A"]}`, list(11)}, refusal{code: "TooManyHeadersInOriginRequestPolicy", status: 400}},
		{"too many cookies", []string{`"CookieBehavior":"none"`, `"CookieBehavior":"whitelist","Cookies":` + list(11)}, refusal{code: "TooManyCookiesInOriginRequestPolicy", status: 400}},
		{"too many queries", []string{`"QueryStringBehavior":"none"`, `"QueryStringBehavior":"whitelist","QueryStrings":` + list(11)}, refusal{code: "TooManyQueryStringsInOriginRequestPolicy", status: 400}},
		{"quantity", []string{`"Quantity":1`, `"Quantity":0`}, refusal{code: "InconsistentQuantities", status: 400}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService().CreateOriginRequestPolicy(t.Context(), &cloudfront.CreateOriginRequestPolicyInput{
				OriginRequestPolicyConfig: fromJSON[cloudfront.OriginRequestPolicyConfig](t, with(t, text, tt.change...))})
			check(t, err, tt.want)
		})
	}
}

func TestResponseHeadersPolicyRefusals(t *testing.T) {
	const front = "ResponseHeadersPolicyConfig"
	cors := `{"Name":"p","CorsConfig":{"AccessControlAllowOrigins":{"Quantity":1,"Items":["https://*.example.org"]},"AccessControlAllowHeaders":{"Quantity":1,"Items":["*"]},
 "AccessControlAllowMethods":{"Quantity":1,"Items":["GET"]},"AccessControlAllowCredentials":false,"OriginOverride":true}}`
	custom := func(n int) string {
		return fmt.Sprintf(`{"Name":"p","CustomHeadersConfig":{"Quantity":%d,"Items":[%s]}}`, n, strings.TrimSuffix(strings.Repeat(`{"Header":"a","Value":"b","Override":true},`, n), ","))
	}
	remove := func(header string, n int) string {
		return fmt.Sprintf(`{"Name":"p","RemoveHeadersConfig":{"Quantity":%d,"Items":[%s]}}`, n, strings.TrimSuffix(strings.Repeat(`{"Header":"`+header+`"},`, n), ","))
	}
	tests := []struct {
		name, text string
		want       refusal
	}{
		{"good", cors, refusal{}},
		{"empty", `{"Name":"p"}`, refusal{code: "InvalidArgument", status: 400, path: front}},
		{"wildcard in the middle", strings.Replace(cors, "*.example.org", "test.*.example.org", 1), refusal{code: "InvalidArgument", path: front + ".CorsConfig.AccessControlAllowOrigins.Items[0]"}},
		{"wildcard in a label", strings.Replace(cors, "*.example.org", "exa*mple.org", 1), refusal{code: "InvalidArgument", path: front + ".CorsConfig.AccessControlAllowOrigins.Items[0]"}},
		{"wildcard at the end", strings.Replace(cors, "*.example.org", "example.*", 1), refusal{code: "InvalidArgument", path: front + ".CorsConfig.AccessControlAllowOrigins.Items[0]"}},
		{"method", strings.Replace(cors, `"GET"`, `"TRACE"`, 1), refusal{code: "InvalidArgument", path: front + ".CorsConfig.AccessControlAllowMethods.Items[0]"}},
		{"10 custom headers", custom(10), refusal{}},
		{"11 custom headers", custom(11), refusal{code: "TooManyCustomHeadersInResponseHeadersPolicy", status: 400, path: front + ".CustomHeadersConfig"}},
		{"a custom header's name with a space", strings.Replace(custom(1), `"a"`, `"a b"`, 1), refusal{code: "InvalidArgument", path: front + ".CustomHeadersConfig.Items[0].Header"}},
		{"a custom header's value with a line end", strings.Replace(custom(1), `"b"`, `"b\r\nX: 1"`, 1), refusal{code: "InvalidArgument", path: front + ".CustomHeadersConfig.Items[0].Value"}},
		{"a custom header's longest name and value", strings.NewReplacer(`"a"`, `"`+strings.Repeat("n", 256)+`"`, `"b"`, `"`+strings.Repeat("v", 1783)+`"`).Replace(custom(1)), refusal{}},
		{"a custom header's long name", strings.Replace(custom(1), `"a"`, `"`+strings.Repeat("n", 257)+`"`, 1), refusal{code: "InvalidArgument", path: front + ".CustomHeadersConfig.Items[0].Header"}},
		{"a custom header's long value", strings.Replace(custom(2), `"b"`, `"`+strings.Repeat("v", 1784)+`"`, 1), refusal{code: "InvalidArgument", path: front + ".CustomHeadersConfig.Items[0].Header"}},
		{"custom headers of 10,240 characters", strings.ReplaceAll(custom(10), `"b"`, `"`+strings.Repeat("v", 1023)+`"`), refusal{}},
		{"custom headers of 10,250 characters", strings.ReplaceAll(custom(10), `"b"`, `"`+strings.Repeat("v", 1024)+`"`), refusal{code: "InvalidArgument", path: front + ".CustomHeadersConfig.Items[9].Header"}},
		{"long origin", strings.Replace(cors, "*.example.org", strings.Repeat("x", 1783-len("https://")), 1), refusal{}},
		{"longer origin", strings.Replace(cors, "*.example.org", strings.Repeat("x", 1784-len("https://")), 1), refusal{code: "InvalidArgument", path: front + ".CorsConfig.AccessControlAllowOrigins.Items[0]"}},
		{"10 removed headers", remove("X-Powered-By", 10), refusal{}},
		{"11 removed headers", remove("X-Powered-By", 11), refusal{code: "TooManyRemoveHeadersInResponseHeadersPolicy", status: 400, path: front + ".RemoveHeadersConfig"}},
		{"header that stays", remove("Via", 1), refusal{code: "InvalidArgument", path: front + ".RemoveHeadersConfig.Items[0].Header"}},
		{"CloudFront's header stays", remove("X-Amz-Cf-Pop", 1), refusal{code: "InvalidArgument", path: front + ".RemoveHeadersConfig.Items[0].Header"}},
		{"long CSP", `{"Name":"p","SecurityHeadersConfig":{"ContentSecurityPolicy":{"Override":true,"ContentSecurityPolicy":"` + strings.Repeat("x", 1784) + `"}}}`,
			refusal{code: "TooLongCSPInResponseHeadersPolicy", status: 400, path: front + ".SecurityHeadersConfig.ContentSecurityPolicy"}},
		{"frame option", `{"Name":"p","SecurityHeadersConfig":{"FrameOptions":{"Override":true,"FrameOption":"ALLOW"}}}`, refusal{code: "InvalidArgument"}},
		{"block and report", `{"Name":"p","SecurityHeadersConfig":{"XSSProtection":{"Override":true,"Protection":true,"ModeBlock":true,"ReportUri":"/x"}}}`, refusal{code: "InvalidArgument"}},
		{"sampling", `{"Name":"p","ServerTimingHeadersConfig":{"Enabled":true,"SamplingRate":101}}`, refusal{code: "InvalidArgument"}},
		{"quantity", strings.Replace(cors, `"Quantity":1`, `"Quantity":3`, 1), refusal{code: "InconsistentQuantities", path: front + ".CorsConfig.AccessControlAllowOrigins.Quantity"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := newService().CreateResponseHeadersPolicy(t.Context(), &cloudfront.CreateResponseHeadersPolicyInput{
				ResponseHeadersPolicyConfig: fromJSON[cloudfront.ResponseHeadersPolicyConfig](t, tt.text)})
			check(t, err, tt.want)
		})
	}
}

func TestCachePolicyLife(t *testing.T) {
	s, ctx := newService(), t.Context()
	config := func(pairs ...string) *cloudfront.CachePolicyConfig {
		return fromJSON[cloudfront.CachePolicyConfig](t, with(t, cachePolicyJSON, pairs...))
	}
	made, err := s.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: config(`,"DefaultTTL":60,"MaxTTL":600`, "")})
	if err != nil {
		t.Fatal(err)
	}
	id := made.CachePolicy.Id
	if c := made.CachePolicy.CachePolicyConfig; *c.DefaultTTL != 86400 || *c.MaxTTL != 31536000 {
		t.Errorf("defaults %d, %d", *c.DefaultTTL, *c.MaxTTL)
	}
	_, err = s.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: config()})
	check(t, err, refusal{code: "CachePolicyAlreadyExists", status: 409, path: "CachePolicyConfig.Name"})

	update := func(tag *string) (*cloudfront.UpdateCachePolicyOutput, error) {
		return s.UpdateCachePolicy(ctx, &cloudfront.UpdateCachePolicyInput{Id: id, IfMatch: tag, CachePolicyConfig: config(`"MinTTL":1`, `"MinTTL":2`)})
	}
	_, err = update(nil)
	check(t, err, refusal{code: "InvalidIfMatchVersion", status: 400})
	_, err = update(new("E1"))
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	next, err := update(made.ETag)
	if err != nil || *next.ETag == *made.ETag {
		t.Fatalf("update: %v, %v", next, err)
	}
	_, err = update(made.ETag)
	check(t, err, refusal{code: "PreconditionFailed", status: 412})
	got, err := s.GetCachePolicyConfig(ctx, &cloudfront.GetCachePolicyConfigInput{Id: id})
	if err != nil || *got.CachePolicyConfig.MinTTL != 2 || *got.ETag != *next.ETag {
		t.Errorf("get: %v, %v", got, err)
	}
	_, err = s.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: id, IfMatch: made.ETag})
	check(t, err, refusal{code: "PreconditionFailed"})
	d := createSite(t, s, "658327ea-f89d-4fab-a63d-7e88639e58f6", *id)
	_, err = s.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: id, IfMatch: next.ETag})
	check(t, err, refusal{code: "CachePolicyInUse", status: 409})
	by, err := s.ListDistributionsByCachePolicyId(ctx, &cloudfront.ListDistributionsByCachePolicyIdInput{CachePolicyId: id})
	if err != nil || len(by.DistributionIdList.Items) != 1 || by.DistributionIdList.Items[0] != *d.Distribution.Id {
		t.Errorf("by policy: %v, %v", by, err)
	}
	deleteSite(t, s, d.Distribution.Id)
	_, err = s.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: id, IfMatch: next.ETag})
	check(t, err, refusal{})
	_, err = s.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: id})
	check(t, err, refusal{code: "NoSuchCachePolicy", status: 404, message: "The specified cache policy does not exist."})
}

func TestPolicyQuota(t *testing.T) {
	s := newService()
	for i := range maxPolicies + 1 {
		_, err := s.CreateCachePolicy(t.Context(), &cloudfront.CreateCachePolicyInput{
			CachePolicyConfig: fromJSON[cloudfront.CachePolicyConfig](t, with(t, cachePolicyJSON, `"p"`, fmt.Sprintf(`"p%d"`, i)))})
		if i < maxPolicies {
			check(t, err, refusal{})
		} else {
			check(t, err, refusal{code: "TooManyCachePolicies", status: 400})
		}
	}
}

func TestManagedPolicies(t *testing.T) {
	s, ctx := newService(), t.Context()
	out, err := s.ListCachePolicies(ctx, &cloudfront.ListCachePoliciesInput{Type: new("managed")})
	if err != nil || len(out.CachePolicyList.Items) != 11 { // facts: cloudfront-policies 1 has ids of 11 of AWS's 15
		t.Fatalf("%d cache policies, %v", len(out.CachePolicyList.Items), err)
	}
	for _, p := range out.CachePolicyList.Items {
		got, err := s.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: p.CachePolicy.Id})
		if err != nil || *got.CachePolicy.CachePolicyConfig.Name != *p.CachePolicy.CachePolicyConfig.Name {
			t.Errorf("get %s: %v", *p.CachePolicy.Id, err)
		}
	}
	requests, err := s.ListOriginRequestPolicies(ctx, &cloudfront.ListOriginRequestPoliciesInput{})
	if err != nil || len(requests.OriginRequestPolicyList.Items) != 8 {
		t.Errorf("%d origin request policies, %v", len(requests.OriginRequestPolicyList.Items), err)
	}
	responses, err := s.ListResponseHeadersPolicies(ctx, &cloudfront.ListResponseHeadersPoliciesInput{})
	if err != nil || len(responses.ResponseHeadersPolicyList.Items) != 5 {
		t.Errorf("%d response headers policies, %v", len(responses.ResponseHeadersPolicyList.Items), err)
	}
	const disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
	_, err = s.UpdateCachePolicy(ctx, &cloudfront.UpdateCachePolicyInput{Id: new(disabled)})
	check(t, err, refusal{code: "IllegalUpdate", status: 400})
	_, err = s.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: new(disabled)})
	check(t, err, refusal{code: "IllegalDelete", status: 400})
	if own, err := s.ListCachePolicies(ctx, &cloudfront.ListCachePoliciesInput{Type: new("custom")}); err != nil || len(own.CachePolicyList.Items) != 0 {
		t.Errorf("own policies: %v, %v", own, err)
	}
}

// TestPages reads a list in pages of three; managed and own policies are one list.
func TestPages(t *testing.T) {
	s := newService()
	if _, err := s.CreateCachePolicy(t.Context(), &cloudfront.CreateCachePolicyInput{CachePolicyConfig: fromJSON[cloudfront.CachePolicyConfig](t, cachePolicyJSON)}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	var marker *string
	for range 10 {
		out, err := s.ListCachePolicies(t.Context(), &cloudfront.ListCachePoliciesInput{MaxItems: new("3"), Marker: marker})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range out.CachePolicyList.Items {
			seen[*p.CachePolicy.Id] = true
		}
		if marker = out.CachePolicyList.NextMarker; marker == nil {
			break
		}
	}
	if len(seen) != 12 {
		t.Errorf("%d policies in pages, want 12", len(seen))
	}
	_, err := s.ListCachePolicies(t.Context(), &cloudfront.ListCachePoliciesInput{MaxItems: new("none")})
	check(t, err, refusal{code: "InvalidArgument", status: 400})
}
