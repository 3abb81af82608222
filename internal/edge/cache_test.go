package edge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// zeroPolicy is minimum and default TTL 0, with a header in the key.
func zeroPolicy() (*Forward, TTLs) {
	return CombinePolicies(&CachePolicy{MaxTTL: 3600, Headers: Selection{Whitelist, []string{"Lang"}}, QueryStrings: Selection{Mode: All}}, nil)
}

func TestWhatIsStored(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		min    int64
		fields []string
		second string // X-Cache of the second answer, a second later
	}{
		{"nothing said", 200, 0, nil, "Miss"},
		{"nothing said, minimum", 200, 5, nil, "Hit"},
		{"max-age", 200, 0, []string{"Cache-Control", "max-age=60"}, "Hit"},
		{"204", 204, 0, []string{"Cache-Control", "max-age=60"}, "Hit"},
		{"a redirect", 302, 0, []string{"Cache-Control", "max-age=60"}, "Hit"},
		{"too old on arrival", 200, 0, []string{"Cache-Control", "max-age=60", "Age", "60"}, "Miss"},
		{"aging on arrival", 200, 0, []string{"Cache-Control", "max-age=60", "Age", "58"}, "Hit"},
		{"Age that is no number", 200, 0, []string{"Cache-Control", "max-age=60", "Age", "old"}, "Hit"},
		{"Expires before a fast Date", 200, 0, []string{"Expires", "Fri, 02 Jan 2026 03:14:05 GMT", "Date", "Fri, 02 Jan 2026 04:04:05 GMT"}, "Miss"},
		{"Expires behind a slow Date", 200, 0, []string{"Expires", "Fri, 02 Jan 2026 02:14:05 GMT", "Date", "Fri, 02 Jan 2026 02:04:05 GMT"}, "Hit"},
		{"Expires with one digit too few", 200, 0, []string{"Expires", "Fri, 02 Jan 2026 3:14:05 GMT"}, "Miss"},
		{"private", 200, 0, []string{"Cache-Control", "private, max-age=60"}, "Miss"},
		{"private, minimum", 200, 5, []string{"Cache-Control", "private, max-age=60"}, "Hit"},
		{"no-store, minimum", 200, 5, []string{"Cache-Control", "no-store"}, "Hit"},
		{"max-age in quotes of another directive", 200, 0, []string{"Cache-Control", `ext="max-age=60", max-age=0`}, "Miss"},
		{"s-maxage first", 200, 0, []string{"Cache-Control", "max-age=60", "Cache-Control", "s-maxage=0"}, "Miss"},
		{"Vary: *", 200, 0, []string{"Cache-Control", "max-age=60", "Vary", "*"}, "Miss"},
		{"Vary: Lang, *", 200, 0, []string{"Cache-Control", "max-age=60", "Vary", "Lang, *"}, "Miss"},
		{"Vary: *, minimum", 200, 5, []string{"Cache-Control", "max-age=60", "Vary", "*"}, "Hit"},
		{"Vary: unknown", 200, 0, []string{"Cache-Control", "max-age=60", "Vary", "Other"}, "Hit"},
		{"404", 404, 0, nil, "Error"},
		{"403", 403, 0, nil, "Error, fetched"},
		{"403 with a header", 403, 0, []string{"Cache-Control", "max-age=1"}, "Error"},
		{"503 with no-store", 503, 0, []string{"Cache-Control", "no-store"}, "Error"},
		{"404 with no-store", 404, 0, []string{"Cache-Control", "no-store"}, "Error, fetched"},
		{"410 with a header", 410, 0, []string{"Cache-Control", "max-age=60"}, "Error"},
		{"499 with a header", 499, 0, []string{"Cache-Control", "max-age=60"}, "Error, fetched"},
		{"206 without a range", 206, 0, []string{"Cache-Control", "max-age=60"}, "Miss"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, ttl := zeroPolicy()
			ttl.Min = time.Duration(c.min) * time.Second
			w, s := newWorld(testPlan(f, ttl))
			w.origin = withHeader(c.status, "hello", c.fields...)
			ask(s, get("/a"))
			w.advance(time.Second)
			r := ask(s, get("/a"))
			got := r.xcache()
			if got == "Error" && len(w.fetched) == 2 {
				got += ", fetched"
			}
			if got != c.second {
				t.Errorf("%s after %d fetches, want %s; %v", got, len(w.fetched), c.second, r.Header)
			}
			if r.Header.Has("Age") != (len(w.fetched) == 1) && !strings.Contains(c.name, "arrival") && !strings.Contains(c.name, "Age") {
				t.Errorf("Age %q after %d fetches", r.Header.Get("Age"), len(w.fetched))
			}
		})
	}
}

func TestAgeInAndOut(t *testing.T) {
	w, s := newWorld(testPlan(zeroPolicy()))
	w.origin = withHeader(200, "hello", "Cache-Control", "max-age=100", "Age", "30")
	if r := ask(s, get("/a")); r.Header.Get("Age") != "30" {
		t.Errorf("on the way through: %v", r.Header)
	}
	w.advance(7 * time.Second)
	if r := ask(s, get("/a")); r.Header.Get("Age") != "37" || len(r.Header.Values("Age")) != 1 {
		t.Errorf("from the cache: %v", r.Header)
	}
	w.advance(63 * time.Second)
	if r := ask(s, get("/a")); r.xcache() != "Miss" {
		t.Errorf("after 100 s in all: %s", r.xcache())
	}
}

func TestHEAD(t *testing.T) {
	w, s := newWorld(testPlan(zeroPolicy()))
	w.origin = withHeader(200, "hello", "Cache-Control", "max-age=10", "ETag", `"1"`)
	head := func(path string) *message.Request {
		r := get(path)
		r.Method = "HEAD"
		return r
	}
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		res, err := withHeader(200, "hello", "Cache-Control", "max-age=10", "ETag", `"1"`)(r)
		if r.Request.Method == "HEAD" {
			res.Body = nil
		}
		return res, err
	}
	if r := ask(s, head("/a")); r.xcache() != "Miss" || r.ContentLength != 5 || r.body != "" {
		t.Errorf("first HEAD: %s, %d", r.xcache(), r.ContentLength)
	}
	if r := ask(s, head("/a")); r.xcache() != "Hit" || r.ContentLength != 5 || r.Header.Get("ETag") != `"1"` {
		t.Errorf("second HEAD: %s, %d", r.xcache(), r.ContentLength)
	}
	if r := ask(s, get("/a")); r.xcache() != "Miss" || r.body != "hello" {
		t.Errorf("GET after HEAD: %s %q", r.xcache(), r.body)
	}
	ask(s, get("/b"))
	if r := ask(s, head("/b")); r.xcache() != "Hit" || r.ContentLength != 5 || r.body != "" || len(w.fetched) != 3 {
		t.Errorf("HEAD after GET: %s, %d fetches", r.xcache(), len(w.fetched))
	}
	w.advance(11 * time.Second)
	w.origin = func(*FetchRequest) (*message.Response, error) { return nil, &FetchError{Kind: FetchConnect} }
	if r := ask(s, head("/b")); r.Status != 200 || r.ContentLength != 5 {
		t.Errorf("HEAD when the origin is down: %d", r.Status)
	}
}

func TestOPTIONSOnItsOwn(t *testing.T) {
	p := testPlan(zeroPolicy())
	p.Behaviors[0].Allowed |= OPTIONS
	p.Behaviors[0].Cached |= OPTIONS
	w, s := newWorld(p)
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		return withHeader(200, r.Request.Method, "Cache-Control", "max-age=10")(r)
	}
	options := func() *message.Request {
		r := get("/a")
		r.Method = "OPTIONS"
		return r
	}
	for _, want := range []string{"Miss", "Hit"} {
		if r := ask(s, get("/a")); r.xcache() != want || r.body != "GET" {
			t.Errorf("GET: %s %q", r.xcache(), r.body)
		}
		if r := ask(s, options()); r.xcache() != want || r.body != "OPTIONS" {
			t.Errorf("OPTIONS: %s %q", r.xcache(), r.body)
		}
	}
}

// What an Authorization has fetched is for its sender alone, unless it is in the key or the origin says otherwise (rfc9111 3.5).
func TestAuthorizationIsPersonal(t *testing.T) {
	for _, c := range []struct {
		name, control string
		keyed         bool
		others        string
	}{
		{"forwarded", "max-age=60", false, "Miss"},
		{"forwarded, minimum TTL", "no-store", false, "Miss"},
		{"in the key", "max-age=60", true, "Miss"},
		{"public", "public, max-age=60", false, "Hit"},
		{"s-maxage", "s-maxage=60", false, "Hit"},
		{"must-revalidate", "max-age=60, must-revalidate", false, "Hit"},
	} {
		policy := &CachePolicy{MinTTL: 1, DefaultTTL: 60, MaxTTL: 60}
		if c.keyed {
			policy.Headers = Selection{Whitelist, []string{"Authorization"}}
		}
		w, s := newWorld(testPlan(CombinePolicies(policy, &OriginRequestPolicy{Headers: Selection{Mode: AllViewer}})))
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			return withHeader(200, "for "+r.Request.Header.Get("Authorization"), "Cache-Control", c.control)(r)
		}
		ask(s, get("/a", "Authorization", "alice"))
		for _, other := range []*message.Request{get("/a", "Authorization", "bob"), get("/a")} {
			r := ask(s, other)
			if r.xcache() != c.others || (r.body == "for alice") != (c.others == "Hit") {
				t.Errorf("%s: %s %q", c.name, r.xcache(), r.body)
			}
		}
		if r := ask(s, get("/a", "Authorization", "alice")); c.keyed && r.xcache() != "Hit" {
			t.Errorf("%s: alice again: %s", c.name, r.xcache())
		}
	}
}

// Requests for what an Authorization fetches do not share its flight either.
func TestAuthorizationIsNotCollapsed(t *testing.T) {
	w, s := newWorld(testPlan(CombinePolicies(&CachePolicy{DefaultTTL: 60, MaxTTL: 60}, &OriginRequestPolicy{Headers: Selection{Mode: AllViewer}})))
	started, answer := make(chan struct{}), make(chan struct{})
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		who := r.Request.Header.Get("Authorization")
		if who == "alice" {
			close(started)
			<-answer
		}
		return message.Text(200, "text/plain", "for "+who), nil
	}
	done := make(chan string)
	go func() { done <- ask(s, get("/a", "Authorization", "alice")).body }()
	<-started
	go func() { done <- ask(s, get("/a", "Authorization", "bob")).body }()
	close(answer)
	if a, b := <-done, <-done; a == b || a+b != "for alicefor bob" && b+a != "for alicefor bob" {
		t.Errorf("%q and %q", a, b)
	}
}

func TestSetCookie(t *testing.T) {
	for _, c := range []struct {
		cookies   Mode
		control   string
		miss, hit string
	}{
		{None, "max-age=60", "", ""},
		{All, "max-age=60", "a=1", "a=1"},
		{All, `max-age=60, no-cache="Set-Cookie"`, "a=1", ""},
		{All, `max-age=60, no-cache="X, set-cookie"`, "a=1", ""},
	} {
		w, s := newWorld(testPlan(CombinePolicies(&CachePolicy{MaxTTL: 60, Cookies: Selection{Mode: c.cookies}}, nil)))
		w.origin = withHeader(200, "x", "Cache-Control", c.control, "Set-Cookie", "a=1")
		if r := ask(s, get("/a")); r.Header.Get("Set-Cookie") != c.miss {
			t.Errorf("%s %s: %q", c.cookies, c.control, r.Header.Get("Set-Cookie"))
		}
		if r := ask(s, get("/a")); r.xcache() != "Hit" || r.Header.Get("Set-Cookie") != c.hit {
			t.Errorf("%s %s: hit %s %q", c.cookies, c.control, r.xcache(), r.Header.Get("Set-Cookie"))
		}
	}
}

// With cookies forwarded there are no conditional requests, of viewers or to the origin (facts: cloudfront-dataplane 6).
func TestNoConditionsWithCookies(t *testing.T) {
	w, s := newWorld(testPlan(CombinePolicies(&CachePolicy{MaxTTL: 60, Cookies: Selection{Mode: All}}, nil)))
	w.origin = withHeader(200, "x", "Cache-Control", "max-age=1", "ETag", `"1"`)
	ask(s, get("/a"))
	if r := ask(s, get("/a", "If-None-Match", `"1"`)); r.Status != 200 {
		t.Errorf("%d", r.Status)
	}
	w.advance(2 * time.Second)
	ask(s, get("/a", "If-None-Match", `"1"`))
	if h := w.last().Request.Header; h.Has("If-None-Match") || len(w.fetched) != 2 {
		t.Errorf("%v", h)
	}
}

func TestStale(t *testing.T) {
	down := func(*FetchRequest) (*message.Response, error) { return nil, &FetchError{Kind: FetchConnect} }
	for _, c := range []struct {
		name, control string
		after         time.Duration
		origin        func(*FetchRequest) (*message.Response, error)
		status        int
		xcache        string
	}{
		{"down", "max-age=1", 5 * time.Second, down, 200, "RefreshHit"},
		{"500", "max-age=1", 5 * time.Second, withHeader(500, "oops"), 200, "RefreshHit"},
		{"404", "max-age=1", 5 * time.Second, withHeader(404, "gone"), 404, "Error"},
		{"must-revalidate", "max-age=1, must-revalidate", 5 * time.Second, down, 200, "RefreshHit"},
		{"stale-if-error=0", "max-age=1, stale-if-error=0", 5 * time.Second, down, 502, "Error"},
		{"within stale-if-error", "max-age=1, stale-if-error=10", 5 * time.Second, down, 200, "RefreshHit"},
		{"behind stale-if-error", "max-age=1, stale-if-error=3", 5 * time.Second, down, 502, "Error"},
		{"behind the maximum TTL", "max-age=1, stale-if-error=100000", 3602 * time.Second, down, 502, "Error"},
		{"behind the maximum TTL, nothing said", "max-age=1", 3602 * time.Second, down, 502, "Error"},
		{"no-cache", "no-cache", 5 * time.Second, down, 200, "RefreshHit"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newWorld(testPlan(zeroPolicy()))
			w.origin = withHeader(200, "hello", "Cache-Control", c.control, "ETag", `"1"`)
			ask(s, get("/a"))
			w.advance(c.after)
			w.origin = c.origin
			if r := ask(s, get("/a")); r.Status != c.status || r.xcache() != c.xcache {
				t.Errorf("%d %s", r.Status, r.xcache())
			}
			// For the error caching time the origin is left alone.
			if r := ask(s, get("/a")); r.Status != c.status || len(w.fetched) != 2 {
				t.Errorf("again: %d, %d fetches", r.Status, len(w.fetched))
			}
			w.advance(11 * time.Second)
			ask(s, get("/a"))
			if len(w.fetched) != 3 {
				t.Errorf("after the error caching time: %d fetches", len(w.fetched))
			}
		})
	}
}

// The page of a custom error response is kept as long as its error.
func TestErrorPageLifetime(t *testing.T) {
	p := testPlan(zeroPolicy())
	p.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/page", ResponseCode: 404, MinTTL: 5 * time.Second}}
	w, s := newWorld(p)
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if r.Request.Path == "/page" {
			return withHeader(200, "page", "Cache-Control", "max-age=3000")(r)
		}
		return withHeader(404, "gone", "Cache-Control", "max-age=20")(r)
	}
	ask(s, get("/a"))
	w.advance(19 * time.Second)
	if r := ask(s, get("/a")); r.body != "page" || len(w.fetched) != 2 {
		t.Errorf("%q, %d fetches", r.body, len(w.fetched))
	}
	w.advance(2 * time.Second)
	if ask(s, get("/a")); len(w.fetched) != 3 {
		t.Errorf("%d fetches", len(w.fetched))
	}
}

// A page that has a behavior of its own is kept for as long as that says, instead of the error caching time (DG-httpstatuscodes).
func TestErrorPageOfItsOwnBehavior(t *testing.T) {
	for lifetime, ttl := range map[int]TTLs{3: {Default: 3 * time.Second, Max: time.Hour}, 0: {}, 60: {Min: time.Minute, Default: time.Minute, Max: time.Hour}} {
		p := testPlan(zeroPolicy())
		pages := p.Behaviors[0]
		pages.Pattern, pages.TTL = compilePattern("/page"), ttl
		p.Behaviors = []Behavior{pages, p.Behaviors[0]}
		p.ErrorResponses = []ErrorResponse{{Status: 404, PagePath: "/page", ResponseCode: 404, MinTTL: 20 * time.Second}}
		w, s := newWorld(p)
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			if r.Request.Path == "/page" {
				return withHeader(200, "page")(r)
			}
			return withHeader(404, "gone")(r)
		}
		for at := range 70 {
			before := len(w.fetched)
			r := ask(s, get("/a"))
			if asked := len(w.fetched) > before; r.body != "page" || r.Status != 404 || asked != (lifetime == 0 || at%lifetime == 0) {
				t.Errorf("lifetime %d, at %d: %d %q, origin asked: %v", lifetime, at, r.Status, r.body, asked)
			}
			w.advance(time.Second)
		}
	}
}

// What came without a length goes on without one, also out of the cache; parts of it have theirs.
func TestBodiesWithoutALength(t *testing.T) {
	for _, tier := range []string{"memory", "disk"} {
		w, s := rangeWorld(t, tier, "hello")
		w.Cache.Invalidate("E2EXAMPLE", []string{"/*"})
		with := w.origin
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			res, err := with(r)
			res.ContentLength = -1
			return res, err
		}
		for _, xcache := range []string{"Miss", "Hit"} {
			if r := ask(s, get("/a")); r.ContentLength != -1 || !strings.HasPrefix(r.body, "hello") || r.xcache() != xcache {
				t.Errorf("%s: %s, length %d, %.9q", tier, r.xcache(), r.ContentLength, r.body)
			}
		}
		if r := ask(s, get("/a", "Range", "bytes=0-1")); r.ContentLength != 2 || r.body != "he" {
			t.Errorf("%s: %d %q", tier, r.ContentLength, r.body)
		}
		head := get("/a")
		head.Method = "HEAD"
		if r := ask(s, head); r.ContentLength != -1 || r.xcache() != "Hit" {
			t.Errorf("%s: HEAD has length %d, %s", tier, r.ContentLength, r.xcache())
		}
	}
}

func TestRanges(t *testing.T) {
	const text = "0123456789abcdefghij"
	multi := func(id string, parts ...string) string {
		out := ""
		for i := 0; i < len(parts); i += 2 {
			out += "\r\n--" + id + "\r\nContent-Type: text/plain\r\nContent-Range: bytes " + parts[i] + "/20\r\n\r\n" + parts[i+1]
		}
		return out + "\r\n--" + id + "--\r\n"
	}
	id := strings.Trim(testID, "=")
	for _, c := range []struct {
		value, ifRange string
		status         int
		contentRange   string
		body           string
	}{
		{"bytes=0-3", "", 206, "bytes 0-3/20", "0123"},
		{"Bytes=0-3", "", 206, "bytes 0-3/20", "0123"},
		{"bytes=17-", "", 206, "bytes 17-19/20", "hij"},
		{"bytes=17-99", "", 206, "bytes 17-19/20", "hij"},
		{"bytes=-2", "", 206, "bytes 18-19/20", "ij"},
		{"bytes=-99", "", 206, "bytes 0-19/20", text},
		{"bytes=20-", "", 416, "bytes */20", ""},
		{"bytes=-0", "", 416, "bytes */20", ""},
		{"bytes=30-40, 50-60", "", 416, "bytes */20", ""},
		{"bytes=3-2", "", 200, "", text},
		{"bytes=a-b", "", 200, "", text},
		{"bytes=+1-2", "", 200, "", text},
		{"bytes=1", "", 200, "", text},
		{"bytes=", "", 200, "", text},
		{"lines=1-2", "", 200, "", text},
		{"bytes=0-3, 5-6", "", 206, "", multi(id, "0-3", "0123", "5-6", "56")},
		{"bytes=0-3 ,, 18-", "", 206, "", multi(id, "0-3", "0123", "18-19", "ij")},
		{"bytes=0-0, -1", "", 206, "", multi(id, "0-0", "0", "19-19", "j")},
		{"bytes=0-3, 90-99", "", 206, "bytes 0-3/20", "0123"},
		{"bytes=5-6, 0-3", "", 200, "", text},  // must ascend
		{"bytes=0-5, 3-8", "", 200, "", text},  // must not overlap
		{"bytes=0-3, x-8", "", 200, "", text},  // must all be valid
		{"bytes=0-3, -1-5", "", 200, "", text}, // none negative
		{"bytes=" + strings.Repeat("0-0,", 200), "", 200, "", text},
		{"bytes=0-3", `"v1"`, 206, "bytes 0-3/20", "0123"},
		{"bytes=0-3", `"v2"`, 200, "", text},
		{"bytes=0-3", `W/"v1"`, 200, "", text},
		{"bytes=0-3", "Thu, 01 Jan 2026 00:00:00 GMT", 206, "bytes 0-3/20", "0123"},
		{"bytes=0-3", "Thu, 01 Jan 2026 00:00:01 GMT", 200, "", text},
	} {
		for _, from := range []string{"memory", "disk", "stream"} {
			t.Run(c.value+c.ifRange+" from "+from, func(t *testing.T) {
				if from == "disk" && c.status == 416 {
					t.Skip("the object is longer there")
				}
				w, s := rangeWorld(t, from, text)
				req := get("/a", "Range", c.value)
				if c.ifRange != "" {
					req.Header.Add("If-Range", c.ifRange)
				}
				r := ask(s, req)
				body := r.body
				if from == "disk" { // the object is longer there
					body = strings.ReplaceAll(body, strings.Repeat("-", padding), "")
				}
				if r.Status != c.status || body != c.body && from != "disk" || r.xcache() != "Hit" || len(w.fetched) != 1 {
					t.Errorf("%d %q, %s, %d fetches", r.Status, body, r.xcache(), len(w.fetched))
				}
				if cr := r.Header.Get("Content-Range"); cr != c.contentRange && from != "disk" {
					t.Errorf("Content-Range %q", cr)
				}
				if r.ContentLength != int64(len(r.body)) {
					t.Errorf("Content-Length %d of %d", r.ContentLength, len(r.body))
				}
				if many := strings.Contains(c.body, id); many != strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/byteranges; boundary="+id) && from != "disk" {
					t.Errorf("Content-Type %q", r.Header.Get("Content-Type"))
				}
			})
		}
	}
}

// padding makes a body too long for memory.
const padding = 100_000

// rangeWorld has /a in memory, on disk, or on its way from the origin.
func rangeWorld(t *testing.T, from, text string) (*world, *Service) {
	w, s := newWorld(testPlan(zeroPolicy()))
	fields := []string{"Cache-Control", "max-age=60", "ETag", `"v1"`, "Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT"}
	switch from {
	case "memory":
		w.origin = withHeader(200, text, fields...)
		ask(s, get("/a"))
	case "disk":
		c, err := cache.Open(cache.Options{Memory: 1 << 20, Dir: t.TempDir(), Disk: 10 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		w.Cache = c
		w.origin = withHeader(200, text+strings.Repeat("-", padding), fields...)
		ask(s, get("/a"))
		if o := c.Lookup(w.keyOf(s, get("/a"))); o == nil || o.File == nil {
			t.Fatal("not on disk")
		}
	case "stream":
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			res, err := withHeader(200, "", fields...)(r)
			res.Body, res.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
			return res, err
		}
		leader := s.Serve(context.Background(), get("/a"))
		t.Cleanup(func() { leader.Body.Close() })
	}
	return w, s
}

// keyOf returns the cache key of a request.
func (w *world) keyOf(s *Service, r *message.Request) []byte {
	p := s.Find(r.Host)
	x := s.newExchange(context.Background(), p, r)
	defer s.release(x)
	x.behavior = &p.Behaviors[len(p.Behaviors)-1]
	return bytes.Clone(x.appendKey(nil))
}

// A range of what is not stored goes to the origin as it is.
func TestRangeToTheOrigin(t *testing.T) {
	w, s := newWorld(testPlan(zeroPolicy()))
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if r.Request.Header.Get("Range") != "bytes=1-2" {
			t.Errorf("%v", r.Request.Header)
		}
		return withHeader(206, "12", "Content-Range", "bytes 1-2/5", "Cache-Control", "max-age=60")(r)
	}
	if r := ask(s, get("/a", "Range", "bytes=1-2")); r.Status != 206 || r.body != "12" {
		t.Errorf("%d %q", r.Status, r.body)
	}
	// An origin without ranges sends the whole object, which is stored.
	w.origin = withHeader(200, "01234", "Cache-Control", "max-age=60")
	if r := ask(s, get("/b", "Range", "bytes=1-2")); r.Status != 200 || r.body != "01234" {
		t.Errorf("%d %q", r.Status, r.body)
	}
	if r := ask(s, get("/b", "Range", "bytes=1-2")); r.Status != 206 || r.body != "12" || r.xcache() != "Hit" {
		t.Errorf("%d %q %s", r.Status, r.body, r.xcache())
	}
}

// A body on disk that is lost is fetched anew.
func TestLostFile(t *testing.T) {
	w, s := rangeWorld(t, "disk", "hello")
	o := w.Cache.Lookup(w.keyOf(s, get("/a")))
	for i := range 3 {
		if sec, err := o.File.Open(0, 1); err == nil { // take it away under the running cache
			sec.Close()
		}
		w.Cache.Invalidate("E0", []string{"/*"})
		if i == 1 {
			w.Cache.Remove(w.keyOf(s, get("/a")))
			w.Cache.Admit(w.keyOf(s, get("/a")), o)
		}
		if r := ask(s, get("/a")); r.Status != 200 || !strings.HasPrefix(r.body, "hello") || len(r.body) != 5+padding {
			t.Errorf("%d: %d, %d bytes", i, r.Status, len(r.body))
		}
	}
	if len(w.fetched) != 2 {
		t.Errorf("%d fetches", len(w.fetched))
	}
}

// Keys of requests that differ in what the policy names are different, whatever the values are.
func FuzzKey(f *testing.F) {
	f.Add("/a", "q=1", "x", "y", "c=1", "/a", "q=1", "xy", "", "c=1")
	f.Add("/a", "", "x\x01", "", "", "/a", "", "x", "\x01", "")
	f.Add("/a?b", "", "", "", "", "/a", "b", "", "", "")
	fwd, _ := CombinePolicies(&CachePolicy{Headers: Selection{Whitelist, []string{"A", "B"}}, Cookies: Selection{Mode: All},
		QueryStrings: Selection{Mode: All}, Gzip: true}, nil)
	other, _ := CombinePolicies(&CachePolicy{Headers: Selection{Whitelist, []string{"A", "C"}}, Cookies: Selection{Mode: All},
		QueryStrings: Selection{Mode: All}, Gzip: true}, nil)
	p := testPlan(fwd, TTLs{Max: time.Hour})
	_, s := newWorld(p)
	key := func(fwd *Forward, path, query string, a, b, cookie string) (string, string) {
		r := &message.Request{Method: "GET", Path: path, Query: query}
		for _, h := range []message.Field{{Name: "A", Value: a}, {Name: "B", Value: b}, {Name: "C", Value: b}} {
			if h.Value != "-" {
				r.Header = append(r.Header, h)
			}
		}
		if cookie != "-" {
			r.Header.Add("Cookie", cookie)
		}
		x := s.newExchange(context.Background(), p, r)
		defer s.release(x)
		x.behavior = &Behavior{Forward: fwd}
		cookies, _ := appendCookies(nil, r.Header, &fwd.KeyCookies)
		return string(x.appendKey(nil)), fmt.Sprintf("%q %q %q %q %q", path, query, r.Header.Values("A"), r.Header.Values("B"), cookies)
	}
	f.Fuzz(func(t *testing.T, p1, q1, a1, b1, c1, p2, q2, a2, b2, c2 string) {
		k1, what1 := key(fwd, p1, q1, a1, b1, c1)
		k2, what2 := key(fwd, p2, q2, a2, b2, c2)
		if (k1 == k2) != (what1 == what2) {
			t.Errorf("%s and %s: same key %v", what1, what2, k1 == k2)
		}
		if k3, _ := key(other, p1, q1, a1, b1, c1); k3 == k1 {
			t.Error("two policies give the same key")
		}
	})
}
