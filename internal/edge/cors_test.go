package edge

import (
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// The table of DG-understanding-response-headers-policies, Access-Control-Allow-Origin. A port is matched by entries with one only:
// so the rows for a scheme without a port.
func TestAllowedOrigins(t *testing.T) {
	for _, c := range []struct {
		entry, origin string
		want          bool
	}{
		{"http://*.example.org", "http://www.example.org", true},
		{"http://*.example.org", "http://test.example.org", true},
		{"http://*.example.org", "https://test.example.org", false},
		{"http://*.example.org", "https://test.example.org:123", false},
		{"*.example.org", "http://test.example.org", true},
		{"*.example.org", "https://test.test.example.org", true},
		{"*.example.org", "https://.example.org", true},
		{"*.example.org", "https://example.org", false},
		{"*.example.org", "https://notexample.org", false},
		{"example.org", "http://example.org", true},
		{"example.org", "https://EXAMPLE.org", true},
		{"http://example.org", "https://example.org", false},
		{"http://example.org", "http://example.org:123", false},
		{"http://example.org:*", "http://example.org:123", true},
		{"http://example.org:*", "http://example.org", false},
		{"http://example.org:1*3", "http://example.org:123", true},
		{"http://example.org:1*3", "http://example.org:1893", true},
		{"http://example.org:1*3", "http://example.org:13", true},
		{"http://example.org:1*3", "http://example.org:124", false},
		{"*.example.org:1*", "http://test.example.org:123", true},
		{"*.example.org:1*", "http://test.example.org:23", false},
		{"http://example.org", "null", false},
	} {
		p := compileCORS(&CORS{AllowOrigins: []string{c.entry}})
		if got := p.allows(c.origin); got != c.want {
			t.Errorf("%s and %s: %v", c.entry, c.origin, got)
		}
	}
}

// DG-understanding-response-headers-policies, "Origin override" of CORS headers, and the wildcards of allowed headers.
func TestCORSOverride(t *testing.T) {
	policy := func(override bool) *ResponseHeadersPolicy {
		return &ResponseHeadersPolicy{CORS: &CORS{AllowOrigins: []string{"https://a.example"}, AllowHeaders: []string{"X-One", "x-amz-*", "x-*-end"},
			AllowMethods: []string{"GET", "PUT"}, ExposeHeaders: []string{"X-Seen"}, OriginOverride: override}}
	}
	preflight := []string{"Origin", "https://a.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "x-amz-date, X-AMZ, x-one,x--end,content-type"}
	for _, c := range []struct {
		name     string
		override bool
		in       []string
		origin   []string
		want     map[string]string
	}{
		{"the origin has none", false, preflight, nil, map[string]string{"Access-Control-Allow-Origin": "https://a.example",
			"Access-Control-Allow-Methods": "GET, PUT", "Access-Control-Allow-Headers": "X-One, x-amz-date, x--end", "Access-Control-Expose-Headers": "X-Seen"}},
		{"the origin has one of them", false, preflight, []string{"Access-Control-Allow-Origin", "*"}, map[string]string{"Access-Control-Allow-Origin": "*",
			"Access-Control-Allow-Methods": "", "Access-Control-Allow-Headers": "", "Access-Control-Expose-Headers": ""}},
		{"the origin has one that the policy lacks", false, preflight, []string{"Access-Control-Max-Age", "5"}, map[string]string{"Access-Control-Allow-Origin": "",
			"Access-Control-Max-Age": "5", "Access-Control-Allow-Methods": ""}},
		{"override", true, preflight, []string{"Access-Control-Allow-Origin", "*", "Access-Control-Max-Age", "5"}, map[string]string{
			"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Max-Age": "5", "Access-Control-Allow-Methods": "GET, PUT"}},
		{"no preflight", true, preflight[:2], nil, map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Methods": "",
			"Access-Control-Allow-Headers": "", "Access-Control-Expose-Headers": "X-Seen"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testPlan(managed(t, "Managed-CachingDisabled", ""))
			p.Behaviors[0].ResponseHeaders = policy(c.override)
			p.Behaviors[0].Allowed |= OPTIONS
			w, s := newWorld(p)
			w.origin = withHeader(200, "x", c.origin...)
			r := get("/", c.in...)
			r.Method = "OPTIONS"
			got := ask(s, r)
			for name, want := range c.want {
				if v := strings.Join(got.Header.Values(name), "|"); v != want {
					t.Errorf("%s: %q, want %q", name, v, want)
				}
			}
		})
	}
}

// DG-RequestAndResponseBehaviorS3Origin: of a bucket's answer these go; a custom origin's stay.
func TestBucketIDs(t *testing.T) {
	for _, kind := range []OriginKind{CustomOrigin, S3Origin} {
		p := testPlan(managed(t, "Managed-CachingDisabled", ""))
		p.Origins[0].Kind = kind
		w, s := newWorld(p)
		w.origin = withHeader(200, "x", "x-amz-id-2", "a", "x-amz-request-id", "b", "x-amz-version-id", "c")
		h := ask(s, get("/")).Header
		if gone := !h.Has("x-amz-id-2") && !h.Has("x-amz-request-id"); gone != (kind == S3Origin) || !h.Has("x-amz-version-id") {
			t.Errorf("kind %d: %v", kind, h)
		}
	}
}

// DG-cache-key-understand-cache-policy: in policies a star is a literal; with ForwardedValues it is a wildcard. DG-cookies: a name that
// begins with $ is dropped.
func TestStars(t *testing.T) {
	cookie := "a*=1; ab=2; $c=3; *=4"
	for _, c := range []struct {
		name string
		f    *Forward
		want string
	}{
		{"cache policy", first(CombinePolicies(&CachePolicy{MaxTTL: 1, Cookies: Selection{Whitelist, []string{"a*", "*"}}}, nil)), "*=4; a*=1"},
		{"origin request policy", first(CombinePolicies(&CachePolicy{}, &OriginRequestPolicy{Cookies: Selection{Whitelist, []string{"a*"}}})), "a*=1"},
		{"all", first(CombinePolicies(&CachePolicy{}, &OriginRequestPolicy{Cookies: Selection{Mode: All}})), "*=4; a*=1; ab=2"},
		{"forwarded values", LegacyForward(&ForwardedValues{Cookies: Selection{Whitelist, []string{"a*"}}}, false), "a*=1; ab=2"},
	} {
		got := sentTo(t, c.f, TTLs{Max: time.Second}, get("/", "Cookie", cookie, "X-Star", "1")).Request.Header
		if v := got.Get("Cookie"); v != c.want {
			t.Errorf("%s: %q, want %q", c.name, v, c.want)
		}
	}
	f := first(CombinePolicies(&CachePolicy{MaxTTL: 1, Headers: Selection{Whitelist, []string{"*"}}}, nil))
	if sentTo(t, f, TTLs{Max: time.Second}, get("/", "X-Star", "1")).Request.Header.Has("X-Star") {
		t.Error("a header * in a cache policy forwards other headers")
	}
}

func first[A, B any](a A, _ B) A { return a }

// DG-using-managed-origin-request-policies: AllViewerExceptHostHeader brings headers of CloudFront along; DG-adding-cloudfront-headers:
// the original URI and query string.
func TestAddedHeaders(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewerExceptHostHeader")
	r := get("/a?b=1", "User-Agent", "Mozilla/5.0 (iPhone)")
	r.TLS = &message.TLS{Version: 0x0304, Cipher: 0x1301}
	h := sentTo(t, f, ttl, r).Request.Header
	for name, want := range map[string]string{"CloudFront-Forwarded-Proto": "https", "CloudFront-Viewer-Http-Version": "1.1", "CloudFront-Is-IOS-Viewer": "true",
		"CloudFront-Is-Desktop-Viewer": "false", "CloudFront-Viewer-Address": "192.0.2.2:4711", "CloudFront-Viewer-TLS": "TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake",
		"CloudFront-Viewer-JA3-Fingerprint": "", "CloudFront-Viewer-Header-Order": ""} {
		if v := h.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if len(f.Asked()) != 0 {
		t.Errorf("nobody has asked for %v", f.Asked())
	}
	f, ttl = CombinePolicies(&CachePolicy{}, &OriginRequestPolicy{Headers: Selection{Whitelist, []string{"CloudFront-Error-Uri", "cloudfront-error-args"}}})
	p := testPlan(f, ttl)
	p.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/404.html", ResponseCode: 200}}
	w, s := newWorld(p)
	w.origin = func(f *FetchRequest) (*message.Response, error) {
		if f.Request.Path == "/404.html" {
			return message.Text(200, "text/plain", "page"), nil
		}
		return message.Text(404, "text/plain", "none"), nil
	}
	ask(s, get("/lost?x=1"))
	if h := w.last().Request; h.Path != "/404.html" || h.Header.Get("CloudFront-Error-Uri") != "/lost" || h.Header.Get("CloudFront-Error-Args") != "x=1" {
		t.Errorf("%s %v", h.Path, h.Header)
	}
}

// DG-servingcompressedfiles, "How CloudFront compression works" 7: the first cached version is for all who accept it.
func TestFirstCodingCached(t *testing.T) {
	body := strings.Repeat("compress me, please. ", 100)
	for _, c := range []struct{ first, second, coding, xcache string }{
		{"gzip", "gzip, br", "gzip", "Hit"},
		{"br", "gzip, br", "br", "Hit"},
		{"gzip, br", "gzip", "gzip", "Miss"}, // what is stored is br
		{"gzip, br", "br", "br", "Hit"},
		{"gzip", "br", "br", "Miss"},
		{"gzip", "deflate", "", "Miss"},
	} {
		p := testPlan(managed(t, "Managed-CachingOptimized", ""))
		p.Behaviors[0].Compress = true
		w, s := newWorld(p)
		w.origin = func(*FetchRequest) (*message.Response, error) { return message.Text(200, "text/css", body), nil }
		ask(s, get("/", "Accept-Encoding", c.first))
		got := ask(s, get("/", "Accept-Encoding", c.second))
		if got.xcache() != c.xcache || got.Header.Get("Content-Encoding") != c.coding {
			t.Errorf("%s, then %s: %s %q", c.first, c.second, got.xcache(), got.Header.Get("Content-Encoding"))
		}
	}
}
