package edge

import (
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/message"
)

type recorder []*accesslog.Record

func (r *recorder) Log(rec *accesslog.Record) { c := *rec; *r = append(*r, &c) }

// logged is a world whose distribution has a standard log.
func logged(t *testing.T) (*world, *Service, *Plan, *recorder) {
	t.Helper()
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	p := testPlan(f, ttl)
	to := &recorder{}
	p.Logging = &Logging{Where: "s3://logs/", To: to, Needs: accesslog.NeedsPlace | accesslog.NeedsFields}
	w, s := newWorld(p)
	return w, s, p, to
}

func (r *recorder) last(t *testing.T) *accesslog.Record {
	t.Helper()
	if len(*r) == 0 {
		t.Fatal("nothing was logged")
	}
	return (*r)[len(*r)-1]
}

func TestRecord(t *testing.T) {
	w, s, _, to := logged(t)
	w.origin = withHeader(200, "hello", "Content-Type", "text/plain")
	r := get("/a%20b?q=1", "Referer", "http://r/", "User-Agent", "ua", "Cookie", "a=1", "X-Forwarded-For", "10.0.0.1", "X-Forwarded-For", "10.0.0.2")
	r.TLS = &message.TLS{Version: tls.VersionTLS12, Cipher: tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	res := s.Serve(t.Context(), r)
	if len(*to) != 0 {
		t.Fatal("logged before the body was sent")
	}
	w.now = w.now.Add(1500 * time.Millisecond)
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	res.Body.Close()
	if len(*to) != 1 {
		t.Fatalf("%d records", len(*to))
	}
	got := to.last(t)
	want := accesslog.Record{
		Ended: w.now, Taken: 1500 * time.Millisecond, Location: "FRA56-P4", Server: "127.0.0.1", Domain: "d111111abcdef8.cloudfront.net", Host: "www.example.com",
		Distribution: "E2EXAMPLE", Client: r.Client, Method: "GET", Path: "/a%20b", Query: "q=1", HasQuery: true, Protocol: "https", Version: "HTTP/1.1", Referer: "http://r/", UserAgent: "ua",
		Cookie: "a=1", ForwardedFor: "10.0.0.1,10.0.0.2", TLSProtocol: "TLSv1.2", TLSCipher: "ECDHE-RSA-AES128-GCM-SHA256", Status: 200,
		Result: "Miss", ResponseResult: "Miss", Detailed: "Miss", ContentType: "text/plain", ContentLength: 5, Pattern: "*", Origin: "api.example.org",
		OriginLast: 1500 * time.Millisecond, Sent: got.Sent, Received: got.Received, Held: got.Held,
		Own: []byte("Host: www.example.com\r\nReferer: http://r/\r\nUser-Agent: ua\r\nCookie: a=1\r\nX-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n"),
	}
	copy(want.RequestID[:], res.Get("X-Amz-Cf-Id"))
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
	head := "GET /a%20b?q=1 HTTP/1.1\r\nHost: www.example.com\r\n"
	for _, f := range r.Header {
		head += f.Name + ": " + f.Value + "\r\n"
	}
	if got.Received != int64(len(head)+2) || got.Sent < 100 || got.Sent > 600 {
		t.Errorf("received %d, want %d; sent %d", got.Received, len(head)+2, got.Sent)
	}
}

func TestResultTypes(t *testing.T) {
	fails := func(k FetchErrorKind) func(*world, *Plan, *message.Request) {
		return func(w *world, _ *Plan, _ *message.Request) {
			w.origin = func(*FetchRequest) (*message.Response, error) { return nil, &FetchError{Kind: k, Err: errors.New("x")} }
		}
	}
	for _, c := range []struct {
		name             string
		change           func(*world, *Plan, *message.Request)
		status           int
		result, detailed string
	}{
		{"miss", func(*world, *Plan, *message.Request) {}, 200, "Miss", "Miss"},
		{"not found", func(w *world, _ *Plan, _ *message.Request) { w.origin = withHeader(404, "none") }, 404, "Error", "Error"},
		{"DNS", fails(FetchDNS), 502, "Error", "OriginDnsError"},
		{"connect", fails(FetchConnect), 502, "Error", "OriginConnectError"},
		{"timeout", fails(FetchTimeout), 504, "Error", "OriginCommError"},
		{"no HTTP", fails(FetchProtocol), 502, "Error", "OriginInvalidResponseError"},
		{"method", func(_ *world, _ *Plan, r *message.Request) { r.Method = "POST" }, 403, "Error", "InvalidRequestMethod"},
		{"redirect", func(_ *world, p *Plan, r *message.Request) {
			p.Behaviors[0].ViewerProtocol, r.Scheme = RedirectToHTTPS, "http"
		}, 301, "Redirect", "Redirect"},
		{"range", func(w *world, _ *Plan, r *message.Request) {
			r.Header.Add("Range", "bytes=1-2")
			w.origin = withHeader(206, "el", "Content-Range", "bytes 1-2/5")
		}, 206, "Miss", "Miss"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s, p, to := logged(t)
			r := get("/x", "Cookie", "a=1")
			c.change(w, p, r)
			got := ask(s, r)
			rec := to.last(t)
			if got.Status != c.status || rec.Status != c.status || rec.Result != c.result || rec.ResponseResult != c.result || rec.Detailed != c.detailed {
				t.Errorf("status %d, record %+v", got.Status, rec)
			}
			if c.status == 206 && (rec.RangeStart != "1" || rec.RangeEnd != "2") {
				t.Errorf("range %q to %q", rec.RangeStart, rec.RangeEnd)
			}
		})
	}
	_, s, _, to := logged(t)
	ask(s, get("/x"))
	ask(s, get("/x"))
	if rec := to.last(t); rec.Result != "Hit" || rec.ContentType != "text/plain" {
		t.Errorf("a hit: %+v", rec)
	}
	r := get("/x")
	r.Method = http.MethodHead
	if ask(s, r); len(*to) != 3 || to.last(t).Method != "HEAD" {
		t.Errorf("%d records", len(*to))
	}
	ask(s, get("/"+strings.Repeat("a", 9000)))
	if len(*to) != 3 {
		t.Error("a URL that is too long is logged")
	}
}

// A viewer who leaves makes the result an error, and the status stays (standard-logs-reference).
func TestViewerLeaves(t *testing.T) {
	w, s, _, to := logged(t)
	w.origin = withHeader(200, strings.Repeat("x", 1000))
	res := s.Serve(t.Context(), get("/x"))
	if _, err := io.ReadFull(res.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	rec := to.last(t)
	if rec.Status != 200 || rec.Result != "Error" || rec.ResponseResult != "Miss" || rec.Detailed != "ClientCommError" {
		t.Errorf("%+v", rec)
	}
	if _, err := res.Body.Read(make([]byte, 1)); err == nil {
		t.Error("a closed body can be read")
	}
}

// A sample has its share of ids, one of 100 percent all of them, and the same id is drawn the same way each time (real-time-logs,
// "Sampling rate").
func TestSampleOfRealtimeLogs(t *testing.T) {
	const all = 10_000
	digits := "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
	for _, rate := range []int64{1, 50, 100} {
		live := &RealtimeLog{SamplingRate: rate}
		drawn := int64(0)
		for i := range uint64(all) {
			id, n := make([]byte, 56), i*0x9e3779b97f4a7c15
			for j := range id {
				n ^= n >> 29
				n *= 0xbf58476d1ce4e5b9
				id[j] = digits[n>>58]
			}
			x := exchange{plan: &Plan{}, behavior: &Behavior{RealtimeLog: live}, id: string(id)}
			_, got := x.loggers()
			if _, again := x.loggers(); (got != nil) != (again != nil) {
				t.Fatalf("%s is drawn once, and once not", id)
			}
			if got != nil {
				drawn++
			}
		}
		if want := rate * all / 100; drawn < want*8/10 || drawn > want*12/10 || rate == 100 && drawn != all {
			t.Errorf("%d of %d at %d percent", drawn, all, rate)
		}
	}
}
