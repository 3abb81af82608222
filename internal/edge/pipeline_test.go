package edge

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// world is the fake Effects: a clock that stands still, numbered ids, and functions for origin and Lambda.
type world struct {
	Local
	mu      sync.Mutex
	now     time.Time
	origin  func(*FetchRequest) (*message.Response, error)
	lambda  func(*LambdaInvocation) ([]byte, error)
	fetched []*FetchRequest
	logged  []*FunctionLog
}

const testID = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=="

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

func (w *world) RequestID(id *[IDLength]byte) { copy(id[:], testID) }

func (w *world) Fetch(_ context.Context, r *FetchRequest) (*message.Response, error) {
	kept, req := *r, r.Request.Clone() // r is used again when its answer is over
	kept.Request, kept.Room = req, nil
	w.mu.Lock()
	w.fetched = append(w.fetched, &kept)
	w.mu.Unlock()
	return inRoom(r)(w.origin(r))
}

// inRoom gives an answer as the network does: in the memory that was lent for it.
func inRoom(r *FetchRequest) func(*message.Response, error) (*message.Response, error) {
	return func(res *message.Response, err error) (*message.Response, error) {
		if res == nil || r.Room == nil {
			return res, err
		}
		r.Room.Response = *res
		r.Room.Response.Header = append(r.Room.Fields[:0], res.Header...)
		return &r.Room.Response, err
	}
}

func (w *world) InvokeLambda(_ context.Context, i *LambdaInvocation) ([]byte, error) {
	return w.lambda(i)
}

func (w *world) LogFunction(l *FunctionLog) { w.logged = append(w.logged, l) }

func (w *world) last() *FetchRequest { return w.fetched[len(w.fetched)-1] }

// testPlan has one custom origin behind a default behavior with the given forwarding.
func testPlan(f *Forward, t TTLs) *Plan {
	return &Plan{
		ID: "E2EXAMPLE", ARN: "arn:aws:cloudfront::000000000000:distribution/E2EXAMPLE", Account: "000000000000",
		DomainName: "d111111abcdef8.cloudfront.net", Aliases: []string{"www.example.com", "*.wild.example.com"}, Enabled: true,
		Origins: []Origin{{ID: "api", Domain: "api.example.org", HTTPPort: 80, HTTPSPort: 443, Protocol: OriginHTTPSOnly,
			SSLProtocols: []string{"TLSv1.2"}, ReadTimeout: 30 * time.Second, KeepaliveTimeout: 5 * time.Second, Attempts: 3}},
		Behaviors: []Behavior{{Pattern: DefaultPattern(), Allowed: GET | HEAD, Cached: GET | HEAD, Group: -1, Forward: f, TTL: t,
			Source: BehaviorSource{Behavior: "D", CachePolicy: "D.CachePolicyId"}}},
	}
}

func managed(t *testing.T, cachePolicy, originRequest string) (*Forward, TTLs) {
	t.Helper()
	var c *CachePolicy
	var o *OriginRequestPolicy
	for _, p := range ManagedCachePolicies() {
		if p.Name == cachePolicy {
			c = &p
		}
	}
	for _, p := range ManagedOriginRequestPolicies() {
		if p.Name == originRequest {
			o = &p
		}
	}
	if c == nil || o == nil && originRequest != "" {
		t.Fatalf("no managed policy %q or %q", cachePolicy, originRequest)
	}
	return CombinePolicies(c, o)
}

func newWorld(p *Plan) (*world, *Service) {
	w := &world{Local: Local{Cache: cache.New(64 << 20)}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.origin = func(*FetchRequest) (*message.Response, error) { return message.Text(200, "text/plain", "hello"), nil }
	return w, NewService(Options{Plans: []*Plan{p}, Effects: w})
}

func get(path string, fields ...string) *message.Request {
	r := &message.Request{Method: "GET", Scheme: "https", Host: "www.example.com", Path: path, Proto: message.HTTP11,
		Client: netip.MustParseAddrPort("192.0.2.2:4711")}
	r.Path, r.Query, r.HasQuery = strings.Cut(path, "?")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func (r *reply) String() string { return r.body }

type reply struct {
	*message.Response
	body string
	err  error
}

func ask(s *Service, r *message.Request) *reply {
	res := s.Serve(context.Background(), r)
	out := &reply{Response: res}
	if res.Body != nil {
		b, err := io.ReadAll(res.Body)
		out.body, out.err = string(b), err
		res.Body.Close()
	}
	return out
}

func (r *reply) xcache() string {
	return strings.TrimSuffix(r.Header.Get("X-Cache"), " from cloudfront")
}

func withHeader(status int, body string, fields ...string) func(*FetchRequest) (*message.Response, error) {
	return func(r *FetchRequest) (*message.Response, error) {
		res := message.Text(status, "text/plain", body)
		for i := 0; i < len(fields); i += 2 {
			res.Header.Add(fields[i], fields[i+1])
		}
		return res, nil
	}
}

func TestMissThenHit(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "")))
	w.origin = withHeader(200, "hello", "ETag", `"1"`, "Server", "nginx")
	if r := ask(s, get("/a")); r.xcache() != "Miss" || r.body != "hello" {
		t.Fatalf("first: %s %q", r.xcache(), r.body)
	}
	w.advance(7 * time.Second)
	r := ask(s, get("/a"))
	if r.xcache() != "Hit" || r.body != "hello" || r.Header.Get("Age") != "7" || len(w.fetched) != 1 {
		t.Fatalf("second: %v %q, %d fetches", r.Header, r.body, len(w.fetched))
	}
	// The order of live answers (facts: cloudfront-dataplane 3, 6).
	var names []string
	for _, f := range r.Header {
		names = append(names, f.Name)
	}
	if got, want := strings.Join(names, " "), "Content-Type Date ETag Server X-Cache Via X-Amz-Cf-Pop X-Amz-Cf-Id Age"; got != want {
		t.Errorf("order %s, want %s", got, want)
	}
	if r := ask(s, &message.Request{Method: "HEAD", Scheme: "https", Host: "www.example.com", Path: "/a", Proto: message.HTTP11,
		Client: netip.MustParseAddrPort("192.0.2.2:1")}); r.xcache() != "Hit" || r.Body != nil || r.ContentLength != 5 {
		t.Errorf("HEAD: %s length %d", r.xcache(), r.ContentLength)
	}
	if r := ask(s, get("/a", "If-None-Match", `"1"`)); r.Status != 304 || r.Body != nil {
		t.Errorf("conditional: %d", r.Status)
	}
	if r := ask(s, get("/a", "Range", "bytes=1-2")); r.Status != 206 || r.body != "el" || r.Header.Get("Content-Range") != "bytes 1-2/5" {
		t.Errorf("range: %d %q %v", r.Status, r.body, r.Header)
	}
	if r := ask(s, get("/a", "Range", "bytes=9-")); r.Status != 416 || r.Header.Get("Content-Range") != "bytes */5" {
		t.Errorf("range behind the end: %d %v", r.Status, r.Header)
	}
}

func TestHosts(t *testing.T) {
	_, s := newWorld(testPlan(managed(t, "Managed-CachingDisabled", "")))
	for host, want := range map[string]int{
		"www.example.com": 200, "WWW.example.com:8443": 200, "d111111abcdef8.cloudfront.net": 200,
		"a.wild.example.com": 200, "a.b.wild.example.com": 200, "wild.example.com": 403, ".wild.example.com": 403,
		"example.com": 403, "": 403, "d1.cloudfront.net": 403,
	} {
		r := get("/")
		r.Host = host
		got := ask(s, r)
		if got.Status != want {
			t.Errorf("Host %q: %d, want %d", host, got.Status, want)
		}
		if want == 403 && !strings.Contains(got.body, "\nBad request.\n") {
			t.Errorf("Host %q: page %q", host, got.body)
		}
	}
}

func TestRefusals(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "")
	for _, c := range []struct {
		name   string
		change func(*Plan, *message.Request)
		status int
		want   string // in the body, or the Location of a redirect
		xcache string
	}{
		{"disabled", func(p *Plan, _ *message.Request) { p.Enabled = false }, 403, "Bad request.", "Error"},
		{"method", func(_ *Plan, r *message.Request) { r.Method = "POST" }, 403, sentenceMethod, "Error"},
		{"unknown method", func(_ *Plan, r *message.Request) { r.Method = "BREW" }, 403, "Bad request.", "Error"},
		{"GET with body", func(_ *Plan, r *message.Request) { r.Body, r.ContentLength = strings.NewReader("x"), 1 }, 403, "Bad request.", "Error"},
		{"https only", func(p *Plan, r *message.Request) { p.Behaviors[0].ViewerProtocol = HTTPSOnly; r.Scheme = "http" }, 403, "Bad request.", "Error"},
		{"redirect", func(p *Plan, r *message.Request) { p.Behaviors[0].ViewerProtocol = RedirectToHTTPS; r.Scheme = "http" },
			301, "https://www.example.com/x?a=1", "Redirect"},
		{"redirect POST", func(p *Plan, r *message.Request) {
			p.Behaviors[0].ViewerProtocol = RedirectToHTTPS
			r.Scheme, r.Method = "http", "POST"
		}, 307, "https://www.example.com/x?a=1", "Redirect"},
		{"redirect POST HTTP/1.0", func(p *Plan, r *message.Request) {
			p.Behaviors[0].ViewerProtocol = RedirectToHTTPS
			r.Scheme, r.Method, r.Proto = "http", "POST", message.HTTP10
		}, 403, "Bad request.", "Error"},
		{"64 GB and more", func(_ *Plan, r *message.Request) {
			r.Method, r.Body, r.ContentLength = "POST", strings.NewReader(""), 64<<30+1
		}, 413, "413 ERROR", "Error"},
		{"long URL", func(_ *Plan, r *message.Request) { r.Query = strings.Repeat("a", 8200) }, 414, "414 ERROR", "Error"},
		{"big head", func(_ *Plan, r *message.Request) { r.Header.Add("X", strings.Repeat("a", 32768)) }, 494, "494 ERROR", "Error"},
		{"not signed", func(p *Plan, _ *message.Request) { p.Behaviors[0].Signers = signed.NewKeys(nil, nil) }, 403, "<Code>MissingKey</Code>", "Error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, r := testPlan(f, ttl), get("/x?a=1")
			c.change(p, r)
			_, s := newWorld(p)
			got := ask(s, r)
			if got.Status != c.status || got.xcache() != c.xcache || got.Header.Get("Server") != "CloudFront" {
				t.Fatalf("%d %v", got.Status, got.Header)
			}
			if text := got.body + got.Header.Get("Location"); !strings.Contains(text, c.want) {
				t.Errorf("%q has no %q", text, c.want)
			}
			if c.status == 301 && len(got.body) != 167 {
				t.Errorf("redirect page has %d bytes, want 167 (facts: cloudfront-dataplane 3)", len(got.body))
			}
			if want := c.status == 413 || c.status == 414 || c.status == 494; got.Close != want {
				t.Errorf("close %v", got.Close)
			}
		})
	}
}

func TestOriginErrors(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	for kind, want := range map[FetchErrorKind]struct {
		status   int
		sentence string
	}{
		FetchDNS: {502, sentenceDNS}, FetchTLS: {502, sentenceConnect}, FetchConnect: {502, sentenceConnect},
		FetchTimeout: {504, sentenceClosed}, FetchConnectTimeout: {504, sentenceClosed}, FetchClosed: {502, sentenceClosed},
		FetchProtocol: {502, sentenceClosed},
	} {
		w, s := newWorld(testPlan(f, ttl))
		w.origin = func(*FetchRequest) (*message.Response, error) {
			return nil, &FetchError{Kind: kind, Err: errors.New("x")}
		}
		r := ask(s, get("/"))
		if r.Status != want.status || !strings.Contains(r.body, "\n"+want.sentence+"\n") || r.xcache() != "Error" {
			t.Errorf("kind %d: %d %q", kind, r.Status, r.body)
		}
		// Kept for the error caching minimum TTL of 10 s (facts: cloudfront-dataplane 7).
		ask(s, get("/"))
		if len(w.fetched) != 1 {
			t.Errorf("kind %d: the error was not cached", kind)
		}
		w.advance(11 * time.Second)
		ask(s, get("/"))
		if len(w.fetched) != 2 {
			t.Errorf("kind %d: the error was cached for too long", kind)
		}
	}
}

func TestRevalidationAndStale(t *testing.T) {
	p := testPlan(CombinePolicies(&CachePolicy{MinTTL: 0, DefaultTTL: 60, MaxTTL: 3600}, nil))
	w, s := newWorld(p)
	w.origin = withHeader(200, "hello", "ETag", `"1"`, "Cache-Control", "max-age=5")
	ask(s, get("/a"))
	w.advance(6 * time.Second)
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if r.Request.Header.Get("If-None-Match") != `"1"` {
			t.Errorf("not validating: %v", r.Request.Header)
		}
		return &message.Response{Status: 304, Header: message.Header{{Name: "Cache-Control", Value: "max-age=5"}}}, nil
	}
	if r := ask(s, get("/a")); r.xcache() != "RefreshHit" || r.body != "hello" || r.Status != 200 {
		t.Errorf("revalidated: %d %s %q", r.Status, r.xcache(), r.body)
	}
	if r := ask(s, get("/a")); r.xcache() != "Hit" {
		t.Errorf("after: %s", r.xcache())
	}
	w.advance(6 * time.Second)
	w.origin = func(*FetchRequest) (*message.Response, error) { return nil, &FetchError{Kind: FetchConnect} }
	if r := ask(s, get("/a")); r.Status != 200 || r.body != "hello" {
		t.Errorf("origin down: %d %q", r.Status, r.body)
	}
	w.advance(11 * time.Second)
	w.origin = withHeader(404, "gone")
	if r := ask(s, get("/a")); r.Status != 404 {
		t.Errorf("origin 404: %d", r.Status)
	}
}

func TestStaleWhileRevalidate(t *testing.T) {
	w, s := newWorld(testPlan(CombinePolicies(&CachePolicy{DefaultTTL: 60, MaxTTL: 3600}, nil)))
	w.origin = withHeader(200, "one", "Cache-Control", "max-age=5, stale-while-revalidate=60")
	ask(s, get("/a"))
	w.advance(6 * time.Second)
	stored := make(chan struct{})
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		defer close(stored)
		return withHeader(200, "two", "Cache-Control", "max-age=5")(r)
	}
	if r := ask(s, get("/a")); r.body != "one" || r.xcache() != "Hit" {
		t.Errorf("stale: %s %q", r.xcache(), r.body)
	}
	<-stored
	for range 1000 {
		if r := ask(s, get("/a")); r.body == "two" {
			return
		}
		time.Sleep(time.Millisecond) // the background run ends soon; there is nothing to wait on
	}
	t.Error("the object was not refreshed")
}

func TestErrorPage(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingOptimized", ""))
	p.Origins = append(p.Origins, Origin{ID: "pages", Domain: "pages.example.org", Protocol: OriginHTTPOnly, HTTPPort: 80})
	p.Behaviors = append([]Behavior{{Pattern: compilePattern("/errors/*"), Allowed: GET | HEAD, Cached: GET | HEAD, Origin: 1, Group: -1,
		Forward: p.Behaviors[0].Forward, TTL: p.Behaviors[0].TTL}}, p.Behaviors...)
	p.ErrorResponses = []ErrorResponse{{Status: 403, PagePath: "/errors/index.html", ResponseCode: 200, MinTTL: 5 * time.Second}}
	w, s := newWorld(p)
	page := 200
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if r.Origin.ID == "pages" {
			return message.Text(page, "text/html", "<app>"), nil
		}
		// A 403 is kept only when the origin says so (facts: cloudfront-dataplane 7).
		return withHeader(403, "<denied>", "Cache-Control", "max-age=1")(r)
	}
	r := ask(s, get("/x"))
	if r.Status != 200 || r.body != "<app>" || r.xcache() != "Error" || r.Header.Get("Content-Type") != "text/html" {
		t.Errorf("%d %q %v", r.Status, r.body, r.Header)
	}
	if r := ask(s, get("/x")); r.Status != 200 || r.body != "<app>" || r.xcache() != "Error" || len(w.fetched) != 2 {
		t.Errorf("again: %d %q %s, %d fetches", r.Status, r.body, r.xcache(), len(w.fetched))
	}
	if r := ask(s, get("/y")); r.body != "<app>" || len(w.fetched) != 3 {
		t.Errorf("the page was not cached: %d fetches", len(w.fetched))
	}
	// When the page fails, the viewer gets the status of the page (facts: cloudfront-dataplane 7).
	w2, s2 := newWorld(p)
	w2.origin, page = w.origin, 404
	if r := ask(s2, get("/x")); r.Status != 404 {
		t.Errorf("failed page: %d", r.Status)
	}
}

// A connection that cannot be made is the criteria's 503, an answer that takes too long their 504
// (DG-high-availability-origin-failover).
func TestFailover(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingDisabled", ""))
	p.Origins = append(p.Origins, Origin{ID: "second", Domain: "second.example.org", Protocol: OriginHTTPSOnly, Path: "/spare",
		Headers: message.Header{{Name: "X-Spare", Value: "yes"}}, Access: OriginAccess{Kind: AccessControl}})
	p.Groups = []OriginGroup{{ID: "g", Members: []int{0, 1}}}
	p.Behaviors[0].Origin, p.Behaviors[0].Group = -1, 0
	p.Behaviors[0].Allowed |= POST | OPTIONS
	w, s := newWorld(p)
	for _, c := range []struct {
		method string
		on     []int
		status int // of the first origin, 0 for kind
		kind   FetchErrorKind
		cached Methods
		second bool
	}{
		{method: "GET", on: []int{404, 500}, status: 404, second: true},
		{method: "HEAD", on: []int{404, 500}, status: 500, second: true},
		{method: "GET", on: []int{404, 500}, status: 503},
		{method: "GET", on: []int{404, 500}, status: 200},
		{method: "POST", on: []int{404, 500}, status: 404},
		{method: "OPTIONS", on: []int{404}, status: 404},
		{method: "OPTIONS", on: []int{404}, status: 404, cached: OPTIONS, second: true},
		{method: "GET", on: []int{500}, kind: FetchConnect},
		{method: "GET", on: []int{503}, kind: FetchConnect, second: true},
		{method: "GET", on: []int{502}, kind: FetchConnect, second: true},
		{method: "GET", on: []int{503}, kind: FetchDNS, second: true},
		{method: "GET", on: []int{503}, kind: FetchTLS, second: true},
		{method: "GET", on: []int{503}, kind: FetchConnectTimeout, second: true},
		{method: "GET", on: []int{504}, kind: FetchConnectTimeout, second: true},
		{method: "GET", on: []int{504}, kind: FetchTimeout, second: true},
		{method: "GET", on: []int{503}, kind: FetchTimeout},
		{method: "GET", on: []int{502}, kind: FetchClosed, second: true},
		{method: "GET", on: []int{503, 504}, kind: FetchClosed},
		{method: "POST", on: []int{503}, kind: FetchConnect},
	} {
		p.Groups[0].FailoverOn, p.Behaviors[0].Cached = c.on, GET|HEAD|c.cached
		asked := false
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			if r.Origin.ID == "second" {
				asked = true
				if r.Request.Path != "/spare/x" || r.Request.Host != "second.example.org" || r.Request.Header.Get("X-Spare") != "yes" || r.Access.Kind != AccessControl || r.Scheme != "https" {
					t.Errorf("%+v: the second origin is asked for %s on %s with %v", c, r.Request.Path, r.Request.Host, r.Request.Header)
				}
				return message.Text(200, "text/plain", "second"), nil
			}
			if c.status == 0 {
				return nil, &FetchError{Kind: c.kind}
			}
			return message.Text(c.status, "text/plain", "first"), nil
		}
		r := get("/x")
		r.Method = c.method
		if ask(s, r); asked != c.second {
			t.Errorf("%+v: second origin asked: %v", c, asked)
		}
	}
}

// Which requests an origin access control signs, over which protocol, and what becomes of the viewer's signature
// (DG-private-content-restricting-access-to-s3).
func TestAccessControl(t *testing.T) {
	for _, c := range []struct {
		signing Signing
		scheme  string
		auth    bool // reaches the origin
	}{{SignAlways, "https", false}, {SignNever, "http", true}, {SignNoOverride, "http", true}} {
		p := testPlan(managed(t, "Managed-CachingDisabled", "Managed-AllViewerExceptHostHeader"))
		p.Origins[0].Protocol, p.Origins[0].Kind = OriginMatchViewer, S3Origin
		p.Origins[0].Access = OriginAccess{Kind: AccessControl, Signing: c.signing, OriginType: "s3"}
		p.Behaviors[0].ViewerProtocol = AllowAll
		w, s := newWorld(p)
		w.origin = func(*FetchRequest) (*message.Response, error) { return message.Text(200, "text/plain", "ok"), nil }
		r := get("/x", "Authorization", "AWS4-HMAC-SHA256 viewer", "X-Amz-Date", "20260101T000000Z", "X-Amz-Content-Sha256", "hash")
		r.Scheme = "http"
		ask(s, r)
		got := w.last()
		if got.Scheme != c.scheme || got.Request.Header.Has("Authorization") != c.auth || got.Request.Header.Has("X-Amz-Date") != c.auth ||
			got.Request.Header.Get("X-Amz-Content-Sha256") != "hash" {
			t.Errorf("%+v: %s %v", c, got.Scheme, got.Request.Header)
		}
	}
}

func TestCollapse(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "")))
	gate := make(chan struct{})
	w.origin = func(*FetchRequest) (*message.Response, error) {
		<-gate
		return message.Text(200, "text/plain", strings.Repeat("x", 100_000)), nil
	}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if r := ask(s, get("/big")); len(r.body) != 100_000 || r.ContentLength != 100_000 || r.err != nil {
				t.Errorf("%d bytes of %d, %v", len(r.body), r.ContentLength, r.err)
			}
		})
	}
	close(gate)
	wg.Wait()
	if len(w.fetched) != 1 {
		t.Errorf("%d fetches for 20 requests", len(w.fetched))
	}
	// Without a length, as compressed bodies are.
	w.origin = func(*FetchRequest) (*message.Response, error) {
		res := message.Text(200, "text/plain", strings.Repeat("y", 50_000))
		res.ContentLength = -1
		return res, nil
	}
	for range 20 {
		wg.Go(func() {
			if r := ask(s, get("/chunked")); len(r.body) != 50_000 || r.err != nil || r.ContentLength >= 0 && r.ContentLength != 50_000 {
				t.Errorf("%d bytes of %d, %v", len(r.body), r.ContentLength, r.err)
			}
		})
	}
	wg.Wait()
	if len(w.fetched) != 2 {
		t.Errorf("%d fetches for chunked requests", len(w.fetched)-1)
	}
}

func TestIncompleteBodyIsNotStored(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "")))
	w.origin = func(*FetchRequest) (*message.Response, error) {
		r := message.Text(200, "text/plain", "short")
		r.ContentLength = 50
		return r, nil
	}
	if r := ask(s, get("/")); r.err == nil {
		t.Error("a short body ends without an error")
	}
	w.origin = withHeader(200, "whole")
	if r := ask(s, get("/")); r.body != "whole" {
		t.Errorf("got %q", r.body)
	}
}

func TestTraceFacts(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingDisabled", ""))
	p.Origins[0].Path = "/prod"
	p.Origins[0].Headers = []message.Field{{Name: "X-Secret", Value: "s"}}
	w, s := newWorld(p)
	r := get("/api/x?a=1", "Authorization", "Bearer abcdefghijklmnopqrstuvwxyz", "Cookie", "sid=1", "Accept", "*/*")
	r.Trace = &trace.Trace{}
	ask(s, r)
	if got := w.last().Request; got.Path != "/prod/api/x" || got.Host != "api.example.org" || got.Query != "" {
		t.Errorf("sent %+v", got)
	}
	hop := r.Trace.Hops()[0]
	want := map[trace.FactKind]string{trace.HeaderDropped: "Authorization", trace.QueryDropped: "a", trace.CookieDropped: "sid",
		trace.BehaviorMatched: "*", trace.OriginChosen: "api", trace.OriginPathAdded: "/prod"}
	for kind, name := range want {
		found := false
		for _, f := range hop.Facts {
			found = found || f.Kind == kind && f.Name == name
		}
		if !found {
			t.Errorf("no fact %s %s in %+v", kind, name, hop.Facts)
		}
	}
	if hop.Sent == nil || hop.Sent.Path != "/prod/api/x" || hop.Sent.SNI != "api.example.org" {
		t.Errorf("sent %+v", hop.Sent)
	}
	var phases []string
	for _, st := range hop.Steps {
		phases = append(phases, st.Phase)
	}
	if got := strings.Join(phases, " "); got != "accept match-behavior check-access viewer-request lookup origin-request fetch "+
		"origin-response error-page admit response-headers viewer-response deliver log" {
		t.Errorf("phases %s", got)
	}
	if b, _ := json.Marshal(hop); strings.Contains(string(b), "abcdefghijklmnopqrstuvwxyz") {
		t.Error("the trace holds a secret")
	}
}

// A distribution that is its own origin ends in a refusal, not in a loop.
func TestChain(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingDisabled", ""))
	w, s := newWorld(p)
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		r.Request.Host = p.DomainName
		return s.Serve(context.Background(), r.Request), nil
	}
	if r := ask(s, get("/")); r.Status != 403 || len(w.fetched) != 2 {
		t.Errorf("%d after %d fetches", r.Status, len(w.fetched))
	}
}

type tunnel struct {
	io.Reader
	io.WriteCloser
}

func TestWebSocket(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "Managed-AllViewer")))
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		h := r.Request.Header
		if h.Get("Upgrade") != "websocket" || h.Get("Sec-WebSocket-Key") != "k" || h.Get("Connection") != "Upgrade" {
			t.Errorf("sent %v", h)
		}
		return &message.Response{Status: 101, Header: message.Header{{Name: "Sec-WebSocket-Accept", Value: "a"}}, Body: tunnel{}}, nil
	}
	r := get("/ws", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "k")
	r.Upgrade = func() (io.ReadWriteCloser, error) { return nil, errors.New("not called") }
	res := s.Serve(context.Background(), r)
	if _, ok := res.Body.(io.ReadWriteCloser); !ok || res.Status != 101 || res.Header.Get("Sec-WebSocket-Accept") != "a" {
		t.Errorf("%d %v %T", res.Status, res.Header, res.Body)
	}
}

// A VPC origin gets an ordinary GET (DG-private-content-vpc-origins).
func TestNoWebSocketToVPC(t *testing.T) {
	plan := testPlan(managed(t, "Managed-CachingOptimized", "Managed-AllViewer"))
	plan.Origins[0].VPC = true
	w, s := newWorld(plan)
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if h := r.Request.Header; h.Has("Upgrade") || h.Has("Connection") {
			t.Errorf("sent %v", h)
		}
		return &message.Response{Status: 426, ContentLength: 0}, nil
	}
	r := get("/ws", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "k")
	r.Upgrade = func() (io.ReadWriteCloser, error) { return nil, errors.New("not called") }
	r.Trace = &trace.Trace{}
	if res := s.Serve(context.Background(), r); res.Status != 426 {
		t.Errorf("%d", res.Status)
	}
	facts := r.Trace.Hops()[0].Facts
	if !slices.ContainsFunc(facts, func(f trace.Fact) bool { return f.Kind == trace.VPCRestricted && f.Name == "WebSocket" }) {
		t.Errorf("facts %v", facts)
	}
}

// Every phase can be reached from accept, and every row but done has a function.
func TestTableIsConnected(t *testing.T) {
	tab := table()
	reached := phases(accept)
	for range phaseCount {
		for p := range phaseCount {
			if reached.has(p) {
				reached |= tab[p].next
			}
		}
	}
	for p := range phaseCount {
		if !reached.has(p) || tab[p].name == "" || tab[p].run == nil && p != done {
			t.Errorf("phase %d %q is not connected", p, tab[p].name)
		}
	}
	for r := Reason(1); r < reasonCount; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no text", r)
		}
	}
}

// Connecting is tried as often as the origin says for every method: what may be sent twice is decided where it is sent.
func TestAttempts(t *testing.T) {
	p := testPlan(managed(t, "Managed-CachingDisabled", ""))
	p.Behaviors[0].Allowed |= POST | DELETE
	w, s := newWorld(p)
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		r := get("/a")
		r.Method = method
		ask(s, r)
		if n := w.last().Attempts; n != 3 {
			t.Errorf("%s: %d attempts, want 3", method, n)
		}
	}
}
