package edge

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

func managedHeaders(t *testing.T, name string) *ResponseHeadersPolicy {
	for _, p := range ManagedResponseHeadersPolicies() {
		if p.Name == name {
			return &p
		}
	}
	t.Fatalf("no policy %q", name)
	return nil
}

// facts: cloudfront-policies 3 and 8.
func TestResponseHeadersPolicies(t *testing.T) {
	maxAge := int64(600)
	own := &ResponseHeadersPolicy{
		CORS: &CORS{AllowOrigins: []string{"https://app.example.com", "*.example.org"}, AllowHeaders: []string{"X-A", "X-B"},
			AllowMethods: []string{"ALL"}, AllowCredentials: true, MaxAge: &maxAge, OriginOverride: true},
		Security: &SecurityHeaders{ContentSecurityPolicy: &OverridableValue{"default-src 'self'", true},
			StrictTransportSecurity: &StrictTransportSecurity{MaxAge: 5, IncludeSubdomains: true, Preload: true},
			XSSProtection:           &XSSProtection{Protection: true, ReportURI: "/r"}},
		Custom: []CustomHeader{{"X-Custom", "policy", false}, {"X-Over", "policy", true}},
		Remove: []string{"server", "X-Powered-By"},
	}
	for _, c := range []struct {
		name   string
		policy *ResponseHeadersPolicy
		method string
		in     []string // request fields
		origin []string // response fields
		want   map[string]string
	}{
		{"simple CORS", managedHeaders(t, "Managed-SimpleCORS"), "GET", []string{"Origin", "https://a"}, nil,
			map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": ""}},
		{"no Origin", managedHeaders(t, "Managed-SimpleCORS"), "GET", nil, nil, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"origin's wins", managedHeaders(t, "Managed-SimpleCORS"), "GET", []string{"Origin", "https://a"},
			[]string{"Access-Control-Allow-Origin", "https://a"}, map[string]string{"Access-Control-Allow-Origin": "https://a"}},
		{"preflight", managedHeaders(t, "Managed-CORS-With-Preflight"), "OPTIONS",
			[]string{"Origin", "https://a", "Access-Control-Request-Method", "PUT"}, nil,
			map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
				"Access-Control-Expose-Headers": "*"}},
		{"security", managedHeaders(t, "Managed-SecurityHeadersPolicy"), "GET", nil,
			[]string{"X-Frame-Options", "DENY", "X-Content-Type-Options", "sniff"},
			map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "X-XSS-Protection": "1; mode=block",
				"Referrer-Policy": "strict-origin-when-cross-origin", "Strict-Transport-Security": "max-age=31536000"}},
		{"own", own, "OPTIONS", []string{"Origin", "https://x.example.org", "Access-Control-Request-Method", "GET"},
			[]string{"Server", "nginx", "X-Powered-By", "PHP", "X-Custom", "origin", "X-Over", "origin", "Access-Control-Allow-Origin", "null"},
			map[string]string{"Access-Control-Allow-Origin": "https://x.example.org", "Access-Control-Allow-Methods": allMethods,
				"Access-Control-Allow-Headers": "X-A, X-B", "Access-Control-Max-Age": "600", "Access-Control-Allow-Credentials": "true",
				"Server": "CloudFront", "X-Powered-By": "", "X-Custom": "origin", "X-Over": "policy", "Vary": "Origin",
				"Content-Security-Policy": "default-src 'self'", "X-XSS-Protection": "1; report=/r",
				"Strict-Transport-Security": "max-age=5; includeSubDomains; preload"}},
		{"origin not listed", own, "GET", []string{"Origin", "https://evil.example"}, nil,
			map[string]string{"Access-Control-Allow-Origin": "", "X-Custom": "policy"}},
		{"removed and added", &ResponseHeadersPolicy{Remove: []string{"X-A"}, Custom: []CustomHeader{{"X-A", "new", false}}}, "GET", nil,
			[]string{"X-A", "old"}, map[string]string{"X-A": "new"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testPlan(managed(t, "Managed-CachingOptimized", ""))
			p.Behaviors[0].ResponseHeaders = c.policy
			p.Behaviors[0].Allowed |= OPTIONS
			w, s := newWorld(p)
			w.origin = withHeader(200, "x", c.origin...)
			for range 2 { // a miss, and where it is cached a hit: the stored object must stay as it is
				r := get("/", c.in...)
				r.Method = c.method
				got := ask(s, r)
				for name, want := range c.want {
					if v := strings.Join(got.Header.Values(name), "|"); v != want {
						t.Errorf("%s: %q, want %q", name, v, want)
					}
				}
			}
		})
	}
}

func TestServerTiming(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingOptimized", ""))
	p.Behaviors[0].ResponseHeaders = &ResponseHeadersPolicy{ServerTiming: &ServerTiming{Enabled: true}}
	w, s := newWorld(p)
	w.origin = func(f *FetchRequest) (*message.Response, error) {
		w.advance(300 * time.Millisecond)
		*f.Timing = FetchTiming{DNS: 20 * time.Millisecond, Connect: 114 * time.Millisecond}
		return withHeader(200, "x", "Server-Timing", "db;dur=3")(f)
	}
	who := `cdn-pop;desc="FRA56-P4",cdn-rid;desc="` + testID + `"`
	for _, want := range []string{
		`db;dur=3,cdn-upstream-layer;desc="EDGE",cdn-upstream-dns;dur=20,cdn-upstream-connect;dur=114,cdn-upstream-fbl;dur=166,cdn-cache-miss,` + who + ",cdn-downstream-fbl;dur=300",
		"cdn-cache-hit," + who + `,cdn-hit-layer;desc="EDGE",cdn-downstream-fbl;dur=0`,
	} {
		if got := ask(s, get("/", "Pragma", "server-timing")).Header.Get("Server-Timing"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := ask(s, get("/")).Header.Get("Server-Timing"); got != "db;dur=3" {
		t.Errorf("not sampled: %q", got)
	}
}

// facts: cloudfront-dataplane 6, Compression.
func TestCompression(t *testing.T) {
	body := strings.Repeat("compress me, please. ", 100)
	for _, c := range []struct {
		name, accept, kind string
		fields             []string
		change             func(*Plan, *message.Request)
		want, etag         string
	}{
		{"brotli", "gzip, br", "text/html; charset=utf-8", []string{"ETag", `"1"`}, nil, "br", `W/"1"`},
		{"gzip", "gzip", "application/json", []string{"ETag", `W/"1"`}, nil, "gzip", `W/"1"`},
		{"bad etag", "gzip", "text/css", []string{"ETag", `1`}, nil, "gzip", ""},
		{"not accepted", "deflate", "text/css", nil, nil, "", ""},
		{"not compressible", "gzip", "image/png", nil, nil, "", ""},
		{"compressed already", "gzip", "text/css", []string{"Content-Encoding", "identity"}, nil, "identity", ""},
		{"switched off", "gzip", "text/css", nil, func(p *Plan, _ *message.Request) { p.Behaviors[0].Compress = false }, "", ""},
		{"caching disabled", "gzip", "text/css", nil, func(p *Plan, _ *message.Request) { p.Behaviors[0].TTL = TTLs{} }, "", ""},
		{"HTTP/1.0", "gzip", "text/css", nil, func(_ *Plan, r *message.Request) { r.Proto = message.HTTP10 }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := testPlan(managed(t, "Managed-CachingOptimized", ""))
			p.Behaviors[0].Compress = true
			r := get("/", "Accept-Encoding", c.accept)
			if c.change != nil {
				c.change(p, r)
			}
			w, s := newWorld(p)
			w.origin = func(*FetchRequest) (*message.Response, error) {
				res := message.Text(200, c.kind, body)
				for i := 0; i < len(c.fields); i += 2 {
					res.Header.Add(c.fields[i], c.fields[i+1])
				}
				return res, nil
			}
			got := ask(s, r)
			if e := got.Header.Get("Content-Encoding"); e != c.want || c.etag != "" && got.Header.Get("ETag") != c.etag || c.etag == "" && got.Header.Has("ETag") {
				t.Fatalf("%v", got.Header)
			}
			var plain io.Reader = strings.NewReader(got.body)
			switch c.want {
			case "br":
				plain = brotli.NewReader(plain)
			case "gzip":
				plain, _ = gzip.NewReader(plain)
			}
			if b, err := io.ReadAll(plain); string(b) != body || err != nil {
				t.Errorf("body of %d bytes, %v", len(b), err)
			}
			if again := ask(s, get("/", "Accept-Encoding", c.accept)); again.body != got.body && c.name != "HTTP/1.0" {
				t.Error("the hit differs")
			}
		})
	}
}

// The page and its bytes are facts: cloudfront-dataplane 9.
func TestErrorHTML(t *testing.T) {
	want := "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 Transitional//EN\" \"http://www.w3.org/TR/html4/loose.dtd\">\n" +
		"<HTML><HEAD><META HTTP-EQUIV=\"Content-Type\" CONTENT=\"text/html; charset=iso-8859-1\">\n" +
		"<TITLE>ERROR: The request could not be satisfied</TITLE>\n</HEAD><BODY>\n<H1>403 ERROR</H1>\n" +
		"<H2>The request could not be satisfied.</H2>\n<HR noshade size=\"1px\">\nBad request.\n" +
		"We can't connect to the server for this app or website at this time. There might be too much traffic or a configuration error. " +
		"Try again later, or contact the app or website owner.\n<BR clear=\"all\">\n" +
		"If you provide content to customers through CloudFront, you can find steps to troubleshoot and help prevent this error by " +
		"reviewing the CloudFront documentation.\n<BR clear=\"all\">\n<HR noshade size=\"1px\">\n<PRE>\n" +
		"Generated by cloudfront (CloudFront)\nRequest ID: ID\n</PRE>\n<ADDRESS>\n</ADDRESS>\n</BODY></HTML>"
	if got := errorHTML(403, sentenceBadRequest, "ID"); got != want {
		t.Errorf("got\n%s", got)
	}
}

func TestOriginResponseHeaders(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "")))
	w.origin = withHeader(200, "x", "Via", "1.1 varnish", "Set-Cookie", "a=1", "Vary", "Accept-Encoding, User-Agent, Cookie, X-A",
		"X-Cache", "HIT", "Trailer", "x", "Server", "nginx")
	for range 2 {
		h := ask(s, get("/")).Header
		for name, want := range map[string]string{
			"Set-Cookie": "", "Trailer": "", "Server": "nginx", "Vary": "Accept-Encoding, Cookie",
			"Via": "1.1 varnish, 1.1 f0e6a7e0f0e6a7e0f0e6a7e0f0e6a7e0.cloudfront.net (CloudFront)",
		} {
			if got := strings.Join(h.Values(name), "|"); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	// Cookies that are forwarded keep Set-Cookie, but no-cache="Set-Cookie" is not stored (facts: cloudfront-policies 7).
	w, s = newWorld(testPlan(CombinePolicies(&CachePolicy{DefaultTTL: 60, MaxTTL: 60, Cookies: Selection{Mode: All}}, nil)))
	w.origin = withHeader(200, "x", "Set-Cookie", "a=1", "Cache-Control", `no-cache="Set-Cookie"`)
	if first, second := ask(s, get("/")), ask(s, get("/")); !first.Header.Has("Set-Cookie") || second.Header.Has("Set-Cookie") || second.xcache() != "Hit" {
		t.Errorf("%v, then %v", first.Header, second.Header)
	}
}

// hitExchange is an exchange that is about to look up an object that is in the cache.
func hitExchange(t testing.TB) (*Service, *message.Request) {
	f, ttl := CombinePolicies(&CachePolicy{DefaultTTL: 3600, MaxTTL: 3600, Gzip: true, Brotli: true,
		Headers: Selection{Whitelist, []string{"Authorization"}}, Cookies: Selection{Whitelist, []string{"sid"}},
		QueryStrings: Selection{Whitelist, []string{"q"}}}, nil)
	p := testPlan(f, ttl)
	for _, h := range ManagedResponseHeadersPolicies() {
		if h.Name == "Managed-SecurityHeadersPolicy" {
			p.Behaviors[0].ResponseHeaders = &h
		}
	}
	w, s := newWorld(p)
	w.Local = Local{Cache: cache.New(1 << 20)}
	w.origin = withHeader(200, "hello", "ETag", `"1"`, "Server", "nginx")
	r := get("/some/path?q=1&x=2", "User-Agent", "x", "Accept-Encoding", "gzip, br", "Cookie", "t=2; sid=1", "Authorization", "Bearer x")
	if first := ask(s, r); first.Status != 200 {
		t.Fatal(first.Status)
	}
	w.advance(50 * time.Second)
	return s, r
}

// The budget of DESIGN 5: finding the object and building the head of a hit allocate nothing; the answer itself is one
// piece of memory.
func TestHitAllocations(t *testing.T) {
	if underRace {
		t.Skip("sync.Pool drops things under the race detector")
	}
	s, r := hitExchange(t)
	ctx, room := context.Background(), new(message.Room)
	if n := testing.AllocsPerRun(200, func() {
		r.Room = room
		res := s.Serve(ctx, r)
		if res.Before[0] == nil || res.Get("X-Cache") != xcacheHit {
			t.Fatal("no hit, or not out of shared fields")
		}
		res.Body.Close()
	}); n != 0 {
		t.Errorf("a hit with room for the answer allocates %v times, want 0", n)
	}
	if n := testing.AllocsPerRun(200, func() { s.Serve(ctx, r).Body.Close() }); n > 2 {
		t.Errorf("a hit without room allocates %v times, want 2", n)
	}
}

// Shared fields are another form of the same answer, not another answer.
func TestSharedHead(t *testing.T) {
	s, r := hitExchange(t)
	whole := ask(s, r)
	r.Room = new(message.Room)
	shared := s.Serve(context.Background(), r)
	if shared.Before[0] == nil {
		t.Fatal("no shared fields")
	}
	for _, f := range whole.Header {
		if v := shared.Get(f.Name); v != f.Value {
			t.Errorf("%s: %q, want %q", f.Name, v, f.Value)
		}
	}
	shared.Whole()
	if !slices.Equal(shared.Header, whole.Header) {
		t.Errorf("shared\n%v\nwhole\n%v", shared.Header, whole.Header)
	}
}

func BenchmarkHit(b *testing.B) {
	s, r := hitExchange(b)
	ctx := context.Background()
	b.ReportAllocs()
	room := new(message.Room)
	for b.Loop() {
		r.Room = room
		res := s.Serve(ctx, r)
		res.Body.Close()
	}
}

func BenchmarkPass(b *testing.B) {
	f, ttl := CombinePolicies(&ManagedCachePolicies()[2], &ManagedOriginRequestPolicies()[1])
	w, s := newWorld(testPlan(f, ttl))
	body := bytes.Repeat([]byte("x"), 500)
	w.origin = func(*FetchRequest) (*message.Response, error) {
		w.fetched = w.fetched[:0]
		return &message.Response{Status: 200, Header: message.Header{{Name: "Content-Type", Value: "text/plain"}},
			Body: message.NewBytes(body), ContentLength: 500}, nil
	}
	r := get("/api/x?q=1", "User-Agent", "x", "Accept-Encoding", "gzip, br", "Authorization", "Bearer x")
	b.ReportAllocs()
	for b.Loop() {
		s.Serve(context.Background(), r).Body.Close()
	}
}
