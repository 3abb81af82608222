package edge

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/clienthello"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// sentTo runs one request through a plan with the given forwarding and returns what the origin got.
func sentTo(t *testing.T, f *Forward, ttl TTLs, r *message.Request) *FetchRequest {
	t.Helper()
	p := testPlan(f, ttl)
	p.Behaviors[0].Allowed |= POST | OPTIONS | PUT
	w, s := newWorld(p)
	ask(s, r)
	if len(w.fetched) != 1 {
		t.Fatalf("%d fetches", len(w.fetched))
	}
	return w.last()
}

// The rows are facts: cloudfront-dataplane 5, with the base set of cloudfront-policies 5 for policies.
func TestHeaderTable(t *testing.T) {
	caching, cachingTTL := managed(t, "Managed-CachingOptimized", "")
	disabled, disabledTTL := managed(t, "Managed-CachingDisabled", "")
	allViewer, _ := managed(t, "Managed-CachingDisabled", "Managed-AllViewer")
	exceptHost, _ := managed(t, "Managed-CachingDisabled", "Managed-AllViewerExceptHostHeader")
	keyed, keyedTTL := CombinePolicies(&CachePolicy{MaxTTL: 1, Headers: Selection{Whitelist, []string{"Authorization", "X-Tenant"}}}, nil)
	legacy := LegacyForward(&ForwardedValues{}, false)
	legacyAuth := LegacyForward(&ForwardedValues{Headers: []string{"Authorization"}}, false)
	type row struct {
		f    *Forward
		ttl  TTLs
		name string
	}
	sets := map[string]row{
		"caching": {caching, cachingTTL, ""}, "disabled": {disabled, disabledTTL, ""}, "allViewer": {allViewer, disabledTTL, ""},
		"exceptHost": {exceptHost, disabledTTL, ""}, "keyed": {keyed, keyedTTL, ""},
		"legacy": {legacy, cachingTTL, ""}, "legacyAuth": {legacyAuth, cachingTTL, ""},
	}
	for _, c := range []struct {
		method, name string
		kept         string // names of sets that forward it
	}{
		{"GET", "Accept", "allViewer exceptHost"},
		{"GET", "Referer", "allViewer exceptHost"},
		{"GET", "Authorization", "allViewer exceptHost keyed legacyAuth"},
		{"POST", "Authorization", "caching disabled allViewer exceptHost keyed legacy legacyAuth"},
		{"OPTIONS", "Authorization", "caching disabled allViewer exceptHost keyed legacy legacyAuth"},
		{"GET", "X-Tenant", "allViewer exceptHost keyed legacy legacyAuth"},
		{"GET", "Origin", "allViewer exceptHost legacy legacyAuth"},
		{"GET", "Range", "caching disabled allViewer exceptHost keyed legacy legacyAuth"},
		{"GET", "If-None-Match", "caching disabled allViewer exceptHost keyed legacy legacyAuth"},
		{"POST", "Content-Type", "caching disabled allViewer exceptHost keyed legacy legacyAuth"},
		{"GET", "Cache-Control", "allViewer exceptHost legacy legacyAuth"},
		{"GET", "TE", ""},
		{"GET", "X-Forwarded-Proto", ""},
		{"GET", "X-Real-IP", ""},
		{"GET", "X-Edge-Foo", ""},
		{"GET", "Proxy-Authorization", ""},
		{"GET", "CloudFront-Viewer-Country", ""},
	} {
		for set, f := range sets {
			r := get("/", c.name, "some value")
			r.Method = c.method
			got := sentTo(t, f.f, f.ttl, r).Request.Header.Has(c.name)
			if want := slices.Contains(strings.Fields(c.kept), set); got != want {
				t.Errorf("%s %s with %s: forwarded %v, want %v", c.method, c.name, set, got, want)
			}
		}
	}
}

func TestOwnHeaders(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	r := get("/", "User-Agent", "curl/8", "Via", "1.0 proxy", "X-Forwarded-For", "192.0.2.4,192.0.2.3", "Accept-Encoding", "gzip, br;q=0.5",
		"Cookie", "a=1")
	r.Proto = message.HTTP2
	got := sentTo(t, f, ttl, r).Request
	for name, want := range map[string]string{
		"User-Agent": "Amazon CloudFront", "X-Amz-Cf-Id": testID, "Accept-Encoding": "br,gzip", "Cookie": "",
		"Via":             "1.0 proxy, 2.0 f0e6a7e0f0e6a7e0f0e6a7e0f0e6a7e0.cloudfront.net (CloudFront)",
		"X-Forwarded-For": "192.0.2.4,192.0.2.3,192.0.2.2",
	} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	all, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewer")
	got = sentTo(t, all, ttl, get("/", "User-Agent", "curl/8", "Accept-Encoding", "zstd", "Cookie", "b=2; a=1", "Cookie", "c")).Request
	for name, want := range map[string]string{"User-Agent": "curl/8", "Accept-Encoding": "zstd", "Cookie": "a=1; b=2"} {
		if v := got.Header.Get(name); v != want {
			t.Errorf("AllViewer %s: %q, want %q", name, v, want)
		}
	}
}

// facts: cloudfront-policies 6.
func TestAcceptEncoding(t *testing.T) {
	for _, c := range []struct {
		gzip, brotli bool
		value, want  string
	}{
		{true, true, "gzip, deflate, br", "br,gzip"},
		{true, true, "gzip", "gzip"},
		{true, true, "br", "br"},
		{true, true, "identity", "identity"},
		{true, true, "gzip;q=0, br", "br"},
		{true, true, "gzip;q=0.0", "identity"},
		{true, true, "GZIP ; q=1", "gzip"},
		{true, false, "br, gzip", "gzip"},
		{true, false, "br", "identity"},
		{true, true, "xgzip", "identity"},
	} {
		if got := normaliseEncoding(&Forward{Gzip: c.gzip, Brotli: c.brotli}, c.value); got != c.want {
			t.Errorf("gzip %v brotli %v %q: %q, want %q", c.gzip, c.brotli, c.value, got, c.want)
		}
	}
}

// facts: cloudfront-policies 5.
func TestPolicyUnion(t *testing.T) {
	sel := func(m Mode, names ...string) Selection { return Selection{m, names} }
	for _, c := range []struct {
		key, add     Selection
		chosen, left string
	}{
		{sel(None), sel(None), "", "a b c"},
		{sel(Whitelist, "a"), sel(None), "a", "b c"},
		{sel(None), sel(Whitelist, "b"), "b", "a c"},
		{sel(Whitelist, "a"), sel(Whitelist, "b"), "a b", "c"},
		{sel(All), sel(AllExcept, "a"), "a b c", ""},
		{sel(Whitelist, "a"), sel(AllExcept, "a", "b"), "a c", "b"},
		{sel(AllExcept, "a", "b"), sel(Whitelist, "a"), "a c", "b"},
		{sel(AllExcept, "a"), sel(All), "a b c", ""},
		{sel(AllExcept, "a"), sel(AllExcept, "b"), "c", "a b"},
		{sel(AllExcept, "a"), sel(None), "b c", "a"},
	} {
		u := union(newSelector(c.key, queryNames), newSelector(c.add, queryNames), queryNames)
		for _, n := range strings.Fields(c.chosen) {
			if !u.Has(n) {
				t.Errorf("%v + %v does not choose %s", c.key, c.add, n)
			}
		}
		for _, n := range strings.Fields(c.left) {
			if u.Has(n) {
				t.Errorf("%v + %v chooses %s", c.key, c.add, n)
			}
		}
	}
	// A Host in the cache key beats a policy that leaves it out.
	f, _ := CombinePolicies(&CachePolicy{Headers: sel(Whitelist, "Host")}, &OriginRequestPolicy{Headers: sel(AllExcept, "host")})
	if !f.ForwardsHost() {
		t.Error("the Host of the cache key is not forwarded")
	}
}

func TestHostRules(t *testing.T) {
	for policy, want := range map[string]string{
		"": "api.example.org", "Managed-AllViewer": "www.example.com", "Managed-AllViewerExceptHostHeader": "api.example.org",
		"Managed-HostHeaderOnly": "www.example.com", "Managed-AllViewerAndCloudFrontHeaders-2022-06": "www.example.com",
	} {
		f, ttl := managed(t, "Managed-CachingDisabled", policy)
		r := get("/")
		r.Trace = &trace.Trace{}
		got := sentTo(t, f, ttl, r)
		if got.Request.Host != want || got.SNI != want {
			t.Errorf("%s: Host %q SNI %q, want %q", policy, got.Request.Host, got.SNI, want)
		}
		if got.VerifyNames[0] != "api.example.org" {
			t.Errorf("%s: verify %q", policy, got.VerifyNames)
		}
		fact := slices.ContainsFunc(r.Trace.Hops()[0].Facts, func(f trace.Fact) bool { return f.Kind == trace.HostForwarded })
		if fact != (want == "www.example.com") {
			t.Errorf("%s: HostForwarded fact %v", policy, fact)
		}
	}
}

func TestQueryStrings(t *testing.T) {
	for _, c := range []struct {
		sel      Selection
		in, want string
	}{
		{Selection{Mode: All}, "b=2&a=1&&b", "b=2&a=1&&b"},
		{Selection{Mode: None}, "b=2", ""},
		{Selection{Whitelist, []string{"a", "b"}}, "b=2&c=3&a=1&b=%20&A=9", "b=2&a=1&b=%20"},
		{Selection{AllExcept, []string{"a"}}, "b=2&a=1&c", "b=2&c"},
	} {
		f, ttl := CombinePolicies(&CachePolicy{MaxTTL: 1, QueryStrings: c.sel}, nil)
		if got := sentTo(t, f, ttl, get("/?"+c.in)).Request.Query; got != c.want {
			t.Errorf("%v of %q: %q, want %q", c.sel, c.in, got, c.want)
		}
	}
	// Managed policies do not forward response-content-* to S3 (facts: cloudfront-policies 2).
	f, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewerExceptHostHeader")
	p := testPlan(f, ttl)
	p.Origins[0].Kind = S3Origin
	w, s := newWorld(p)
	ask(s, get("/?a=1&response-content-type=x&b"))
	if got := w.last().Request.Query; got != "a=1&b" {
		t.Errorf("S3 query %q", got)
	}
}

func TestCloudFrontHeaders(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewerAndCloudFrontHeaders-2022-06")
	r := get("/", "User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148", "CloudFront-Viewer-Country", "XX")
	r.TLS = &message.TLS{Version: 0x0304, Cipher: 0x1301}
	got := sentTo(t, f, ttl, r).Request.Header
	for name, want := range map[string]string{
		"CloudFront-Forwarded-Proto": "https", "CloudFront-Is-Mobile-Viewer": "true", "CloudFront-Is-IOS-Viewer": "true",
		"CloudFront-Is-Desktop-Viewer": "false", "CloudFront-Viewer-Address": "192.0.2.2:4711", "CloudFront-Viewer-Http-Version": "1.1",
		"CloudFront-Viewer-TLS": "TLSv1.3:TLS_AES_128_GCM_SHA256:fullHandshake", "CloudFront-Viewer-Country": "",
	} {
		if v := got.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
}

// TestHandshakeHeaders: the headers about TLS, and about the head as the viewer sent it.
func TestHandshakeHeaders(t *testing.T) {
	all := []string{"CloudFront-Viewer-JA3-Fingerprint", "CloudFront-Viewer-JA4-Fingerprint", "CloudFront-Viewer-TLS", "CloudFront-Viewer-Header-Order", "CloudFront-Viewer-Header-Count"}
	f, ttl := CombinePolicies(&CachePolicy{}, &OriginRequestPolicy{Headers: Selection{Whitelist, all}})
	hello := &clienthello.Hello{Version: 769, Ciphers: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}
	one := get("/", "B", "2", "A", "1")
	one.Lines = "A: 1\r\nhOst: www.example.com\r\nConnection: keep-alive\r\nB: 2\r\nForegate-Explain: 1\r\n\r\n"
	one.TLS = &message.TLS{Version: tls.VersionTLS12, Cipher: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, Reused: true, Resumed: true, Hello: hello}
	two := get("/", "a", "1", "b", "2")
	two.Proto, two.LengthAt = message.HTTP2, 2
	two.TLS = &message.TLS{Version: tls.VersionTLS13, Cipher: tls.TLS_CHACHA20_POLY1305_SHA256, Resumed: true}
	long := get("/")
	long.Lines = strings.Repeat("Abcdefghi: x\r\n", 1000)
	const ja3 = "de350869b8c85de67a350c8d186f11e6"
	for _, c := range []struct {
		r    *message.Request
		want [5]string
	}{
		{one, [5]string{ja3, hello.JA4(), "TLSv1.2:ECDHE-RSA-AES128-GCM-SHA256:connectionReused", "A:hOst:Connection:B", "4"}},
		{two, [5]string{"", "", "TLSv1.3:TLS_CHACHA20_POLY1305_SHA256:sessionResumed", "host:a:content-length:b", "4"}},
		{long, [5]string{"", "", "", strings.Repeat("Abcdefghi:", 767) + "Abcdefghi", "1000"}},
		{get("/", "A", "1"), [5]string{"", "", "", "Host:A", "2"}},
	} {
		got := sentTo(t, f, ttl, c.r).Request.Header
		for i, name := range all {
			if v := got.Get(name); v != c.want[i] {
				t.Errorf("%s: %q, want %q", name, v, c.want[i])
			}
		}
	}
}

func TestKeys(t *testing.T) {
	f, ttl := CombinePolicies(&CachePolicy{DefaultTTL: 60, MaxTTL: 60,
		Headers: Selection{Whitelist, []string{"Authorization"}}, Cookies: Selection{Whitelist, []string{"sid", "sz"}},
		QueryStrings: Selection{Whitelist, []string{"q"}}}, nil)
	for _, c := range []struct {
		a, b *message.Request
		same bool
	}{
		{get("/a?q=1&x=1"), get("/a?q=1&x=2"), true},
		{get("/a?q=1"), get("/a?q=2"), false},
		{get("/a"), get("/A"), false},
		{get("/a", "Authorization", "x"), get("/a", "authorization", "y"), false},
		{get("/a", "Authorization", "x"), get("/a"), false},
		{get("/a", "Accept", "x"), get("/a", "Accept", "y"), true},
		{get("/a", "Cookie", "sid=1; t=1"), get("/a", "Cookie", "t=2; sid=1"), true},
		{get("/a", "Cookie", "sid=1; sz=1"), get("/a", "Cookie", "sz=1; sid=1"), true},
		{get("/a", "Cookie", "sid=1"), get("/a", "Cookie", "sid=2"), false},
	} {
		w, s := newWorld(testPlan(f, ttl))
		ask(s, c.a)
		ask(s, c.b)
		if same := len(w.fetched) == 1; same != c.same {
			t.Errorf("%s %v and %s %v: same key %v", c.a.Target(), c.a.Header, c.b.Target(), c.b.Header, same)
		}
	}
}

// facts: cloudfront-policies 7.
func TestFreshness(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := time.Second
	for _, c := range []struct {
		control, expires string
		ttl              TTLs
		want             time.Duration
		store            bool
	}{
		{"max-age=50", "", TTLs{0, 86400 * s, 100 * s}, 50 * s, true},
		{"max-age=500", "", TTLs{0, 86400 * s, 100 * s}, 100 * s, true},
		{"max-age=5", "", TTLs{10 * s, 20 * s, 100 * s}, 10 * s, true},
		{"max-age=5, s-maxage=70", "", TTLs{0, 20 * s, 100 * s}, 70 * s, true},
		{"", "", TTLs{0, 20 * s, 100 * s}, 20 * s, true},
		{"", "", TTLs{30 * s, 20 * s, 100 * s}, 30 * s, true},
		{"", "Thu, 01 Jan 2026 00:01:00 GMT", TTLs{0, 20 * s, 100 * s}, 60 * s, true},
		{"max-age=7", "Thu, 01 Jan 2026 00:01:00 GMT", TTLs{0, 20 * s, 100 * s}, 7 * s, true},
		{"", "0", TTLs{0, 20 * s, 100 * s}, 0, true},
		{"no-store", "", TTLs{0, 20 * s, 100 * s}, 0, false},
		{"private", "", TTLs{0, 20 * s, 100 * s}, 0, false},
		{"no-cache", "", TTLs{0, 20 * s, 100 * s}, 0, true},
		{"no-store", "", TTLs{9 * s, 20 * s, 100 * s}, 9 * s, true},
		{`no-cache="Set-Cookie", max-age=9`, "", TTLs{0, 20 * s, 100 * s}, 9 * s, true},
		{"max-age=banana", "", TTLs{0, 20 * s, 100 * s}, 0, true},
	} {
		h := message.Header{}
		if c.control != "" {
			h.Add("Cache-Control", c.control)
		}
		if c.expires != "" {
			h.Add("Expires", c.expires)
		}
		ctl := readControl(h, now)
		if got, store := ctl.freshness(c.ttl); got != c.want || store != c.store {
			t.Errorf("%q %q %v: %v %v, want %v %v", c.control, c.expires, c.ttl, got, store, c.want, c.store)
		}
	}
}

// facts: cloudfront-dataplane 7.
func TestErrorFreshness(t *testing.T) {
	s := time.Second
	ttl := TTLs{0, 60 * s, 100 * s}
	for _, c := range []struct {
		status  int
		control string
		min     time.Duration
		want    time.Duration
	}{
		{404, "", 10 * s, 10 * s},
		{404, "max-age=50", 10 * s, 50 * s},
		{404, "max-age=500", 10 * s, 100 * s},
		{503, "max-age=1", 10 * s, 10 * s},
		{500, "", 0, 0},
		{403, "", 10 * s, 0},
		{403, "max-age=50", 10 * s, 50 * s},
		{403, "", 5 * s, 0},
		{403, "max-age=50, no-cache", 5 * s, 5 * s},
		{404, "no-store", 10 * s, 0},
		{410, "", 10 * s, 0},
		{410, "max-age=5", 10 * s, 5 * s},
		{410, "private", 10 * s, 0},
		{501, "no-cache", 10 * s, 0},
		{503, "no-store", 10 * s, 10 * s},
		{414, "", 10 * s, 10 * s},
		{415, "s-maxage=20", 10 * s, 20 * s},
		{412, "", 10 * s, 0},
		{401, "max-age=50", 10 * s, 0},
		{429, "", 10 * s, 0},
	} {
		ctl := readControl(message.Header{{Name: "Cache-Control", Value: c.control}}, time.Now())
		if got := ctl.errorFreshness(c.status, c.min, ttl); got != c.want {
			t.Errorf("%d %q: %v, want %v", c.status, c.control, got, c.want)
		}
	}
}

func TestManagedPolicies(t *testing.T) {
	if c, o, r := ManagedCachePolicies(), ManagedOriginRequestPolicies(), ManagedResponseHeadersPolicies(); len(c) != 11 || len(o) != 8 || len(r) != 5 {
		t.Errorf("%d %d %d", len(c), len(o), len(r))
	}
	if n := len(cloudFrontHeaders2022()); n != 21 {
		t.Errorf("%d CloudFront headers, want 21 (facts: cloudfront-policies 2)", n)
	}
}

func FuzzCookies(f *testing.F) {
	f.Add("a=1; b=2;;c", "a*")
	f.Fuzz(func(t *testing.T, line, name string) {
		sel := newSelector(Selection{Whitelist, []string{name}}, cookieNames)
		out, any := appendCookies(nil, message.Header{{Name: "Cookie", Value: line}}, &sel)
		if any != (len(out) > 0) {
			t.Errorf("%q gives %q, %v", line, out, any)
		}
		again, _ := appendCookies(nil, message.Header{{Name: "Cookie", Value: string(out)}}, &sel)
		if string(again) != string(out) {
			t.Errorf("%q becomes %q, and then %q", line, out, again)
		}
	})
}

func FuzzQuery(f *testing.F) {
	f.Add("a=1&b=2&&c", "a")
	f.Add("0", "*")
	f.Fuzz(func(t *testing.T, query, name string) {
		keep := newSelector(Selection{Whitelist, []string{name}}, queryNames)
		drop := newSelector(Selection{AllExcept, []string{name}}, queryNames)
		a, b := appendQuery(nil, query, &keep, nil), appendQuery(nil, query, &drop, nil)
		if len(a)+len(b) > len(query) {
			t.Errorf("%q splits into %q and %q", query, a, b)
		}
	})
}

// DG-servingcompressedfiles, "Request uses HTTP 1.0": Accept-Encoding is removed.
func TestAcceptEncodingOfOldViewers(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewer")
	for proto, want := range map[message.Proto]bool{message.HTTP10: false, message.HTTP11: true} {
		r := get("/", "Accept-Encoding", "gzip")
		r.Proto = proto
		if got := sentTo(t, f, ttl, r).Request.Header.Has("Accept-Encoding"); got != want {
			t.Errorf("%v: forwarded %v", proto, got)
		}
	}
}
