package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

func newClient(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func targetOf(t testing.TB, address string) Target {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	return Target{Scheme: u.Scheme, Host: u.Hostname(), Port: port, ConnectTimeout: 2 * time.Second, ReadTimeout: 2 * time.Second}
}

func get(path string) *message.Request {
	return &message.Request{Method: "GET", Scheme: "http", Host: "origin.example", Path: path}
}

func read(t testing.TB, resp *message.Response, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body == nil {
		return ""
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFetchReuses(t *testing.T) {
	var conns atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		io.WriteString(w, r.Method+" "+r.Host+" "+r.RequestURI+" "+string(b))
	}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	c := newClient(t, Options{})
	for i := range 5 {
		r := get("/p" + strconv.Itoa(i))
		r.Query = "a=b"
		resp, err := c.Fetch(t.Context(), targetOf(t, s.URL), r)
		if got, want := read(t, resp, err), "GET origin.example /p"+strconv.Itoa(i)+"?a=b "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	r := get("/up")
	r.Method, r.Body, r.ContentLength = "POST", strings.NewReader("hello"), 5
	resp, err := c.Fetch(t.Context(), targetOf(t, s.URL), r)
	if got := read(t, resp, err); got != "POST origin.example /up hello" {
		t.Errorf("got %q", got)
	}
	r = get("/up")
	r.Method, r.Body, r.ContentLength = "PUT", io.LimitReader(neverEnding('x'), 100_000), -1
	resp, err = c.Fetch(t.Context(), targetOf(t, s.URL), r)
	if got := read(t, resp, err); len(got) != 100_000+len("PUT origin.example /up ") {
		t.Errorf("got %d bytes", len(got))
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// origins starts a raw server; each connection is given to serve with its number.
func origins(t testing.TB, serve func(n int, c net.Conn)) Target {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for n := 1; ; n++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); serve(n, c) }()
		}
	}()
	return targetOf(t, "http://"+ln.Addr().String())
}

// head reads up to an empty line.
func head(c net.Conn) string {
	var b []byte
	one := make([]byte, 1)
	for !strings.HasSuffix(string(b), "\r\n\r\n") {
		if _, err := c.Read(one); err != nil {
			return ""
		}
		b = append(b, one[0])
	}
	return string(b)
}

func TestFailures(t *testing.T) {
	answer := func(s string) func(int, net.Conn) {
		return func(_ int, c net.Conn) { head(c); io.WriteString(c, s) }
	}
	tests := []struct {
		name  string
		serve func(int, net.Conn)
		want  Kind
	}{
		{"not http", answer("SSH-2.0-OpenSSH\r\n"), Protocol},
		{"closed", answer(""), Closed},
		{"half a head", answer("HTTP/1.1 200 OK\r\nA: b\r\n"), Incomplete},
		{"two lengths", answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx"), Protocol},
		{"length and chunked", answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), Protocol},
		{"big head", answer("HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", 40<<10) + "\r\n\r\n"), HeaderTooBig},
		{"unasked 101", answer("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"), Protocol},
		{"slow", func(_ int, c net.Conn) { head(c); head(c) }, ResponseTimeout},
		{"short body", answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"), Incomplete},
		{"short chunks", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), Incomplete},
		{"slow body", func(_ int, c net.Conn) {
			head(c)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
			head(c)
		}, ResponseTimeout},
		{"bad chunk", answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc"), Protocol},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := origins(t, tt.serve)
			target.ReadTimeout = 100 * time.Millisecond
			resp, err := newClient(t, Options{}).Fetch(t.Context(), target, get("/"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if KindOf(err) != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestConnectFailures(t *testing.T) {
	c := newClient(t, Options{Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		switch host, _, _ := net.SplitHostPort(address); host {
		case "unknown.example":
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}}
		case "slow.example":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return nil, errors.New("connection refused")
	}})
	for host, want := range map[string]Kind{"unknown.example": DNS, "slow.example": ConnectTimeout, "closed.example": Connect} {
		_, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: host, ConnectTimeout: 10 * time.Millisecond, Attempts: 3}, get("/"))
		var e *Error
		if !errors.As(err, &e) || e.Kind != want {
			t.Errorf("%s: got %v, want %v", host, err, want)
		} else if n := map[Kind]int{DNS: 1, Connect: 3, ConnectTimeout: 3}[want]; e.Attempts != n {
			t.Errorf("%s: %d attempts, want %d", host, e.Attempts, n)
		}
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.TLS.ServerName) }))
	s.Config.ErrorLog = nil
	defer s.Close()
	roots := []*x509.Certificate{s.Certificate()} // for example.com, *.example.com, 127.0.0.1, ::1
	tests := []struct {
		name   string
		roots  []*x509.Certificate
		change func(*Target)
		want   string // of the body; "" for a TLS failure
	}{
		{"sni and name", roots, func(t *Target) { t.SNI = "example.com"; t.VerifyNames = []string{"example.com"} }, "example.com"},
		{"one of two names", roots, func(t *Target) { t.SNI = "x.test"; t.VerifyNames = []string{"x.test", "example.com"} }, "x.test"},
		{"no name", roots, func(t *Target) { t.SNI = "x.test"; t.VerifyNames = []string{"x.test"} }, ""},
		{"unknown root", nil, func(t *Target) { t.SNI = "example.com" }, ""},
		{"unverified", nil, func(t *Target) { t.SNI = "x.test"; t.SkipVerify = true }, "x.test"},
		{"old versions only", roots, func(t *Target) { t.SNI = "example.com"; t.MaxTLS = tls.VersionTLS11; t.MinTLS = tls.VersionTLS10 }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			target := targetOf(t, s.URL)
			tt.change(&target)
			resp, err := newClient(t, Options{ExtraRoots: tt.roots, SystemRoots: x509.NewCertPool()}).Fetch(t.Context(), target, get("/"))
			if tt.want != "" {
				if got := read(t, resp, err); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			} else if KindOf(err) != TLS {
				t.Errorf("got %v, want a TLS failure", err)
			}
			var ce *CertificateError
			if tt.name == "no name" && !errors.As(err, &ce) {
				t.Errorf("got %v, want a CertificateError", err)
			}
		})
	}
}

func TestIdleRace(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			target := origins(t, func(n int, c net.Conn) {
				head(c)
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"+strconv.Itoa(n))
				if n == 1 {
					head(c) // takes the second request and closes without an answer
					return
				}
				head(c)
			})
			c := newClient(t, Options{})
			if got := func() string { r, err := c.Fetch(t.Context(), target, get("/")); return read(t, r, err) }(); got != "1" {
				t.Fatalf("got %q", got)
			}
			r := get("/")
			r.Method = method
			resp, err := c.Fetch(t.Context(), target, r)
			if method == "POST" {
				if KindOf(err) != Closed {
					t.Errorf("got %v, want Closed: a POST must not be sent twice", err)
				}
				return
			}
			if got := read(t, resp, err); got != "2" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	target := origins(t, func(_ int, c net.Conn) {
		head(c)
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		head(c)
	})
	c := newClient(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.Fetch(ctx, target, get("/"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, cancel)
	_, err = io.ReadAll(resp.Body)
	if KindOf(err) != Canceled {
		t.Errorf("got %v", err)
	}
	resp.Body.Close()
	if _, err := c.Fetch(ctx, target, get("/")); KindOf(err) != Canceled {
		t.Errorf("got %v", err)
	}
}

func TestLocal(t *testing.T) {
	var seen *message.Request
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		seen = r
		return message.Text(200, "text/plain", "hi "+r.Host, message.Field{Name: "Connection", Value: "close"})
	})
	c := newClient(t, Options{
		Local: func(host string) (message.Handler, bool) { return h, host == "api.example" },
		LocalCertificate: func(host, sni string) ([]string, bool) {
			return []string{"*.example"}, sni != "none.example"
		},
	})
	r := get("/x")
	r.Host = "www.site.test:443"
	r.Header.Add("Connection", "keep-alive")
	resp, err := c.Fetch(t.Context(), Target{Scheme: "https", Host: "api.example"}, r)
	if got := read(t, resp, err); got != "hi www.site.test" {
		t.Errorf("got %q", got)
	}
	if resp.Header.Has("Connection") || seen.Header.Has("Connection") {
		t.Error("a field of the connection was passed on")
	}
	if seen.Scheme != "https" || seen.TLS == nil || seen.TLS.ServerName != "api.example" || !seen.Client.Addr().IsLoopback() || seen.Proto != message.HTTP11 {
		t.Errorf("receiver saw %+v", seen)
	}
	if _, err := c.Fetch(t.Context(), Target{Scheme: "https", Host: "api.example", VerifyNames: []string{"x.test"}}, get("/")); KindOf(err) != TLS {
		t.Errorf("got %v, want TLS", err)
	}
	if _, err := c.Fetch(t.Context(), Target{Scheme: "https", Host: "api.example", SNI: "none.example"}, get("/")); KindOf(err) != TLS {
		t.Errorf("got %v, want TLS", err)
	}
	if _, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "api.example", Port: 8080}, get("/")); KindOf(err) != Connect {
		t.Errorf("got %v, want Connect", err)
	}
	bad := get("/")
	bad.Header.Add("X", "a\r\nY: b")
	if _, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "api.example"}, bad); KindOf(err) != BadRequest {
		t.Errorf("got %v, want BadRequest", err)
	}
}

func TestOverride(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Host+r.URL.Path) }))
	defer s.Close()
	c := newClient(t, Options{Override: map[string]string{"Far.example": s.URL}})
	r := get("/p")
	r.Host = "far.example"
	resp, err := c.Fetch(t.Context(), Target{Scheme: "https", Host: "far.example"}, r)
	if got := read(t, resp, err); got != "far.example/p" {
		t.Errorf("got %q", got)
	}
	if _, err := New(Options{Override: map[string]string{"a": "ftp://x"}}); err == nil {
		t.Error("an override by FTP was taken")
	}
}

func TestNoLeak(t *testing.T) {
	before := runtime.NumGoroutine()
	target := origins(t, func(_ int, c net.Conn) {
		for head(c) != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := newClient(t, Options{})
	for range 50 {
		resp, err := c.Fetch(t.Context(), target, get("/"))
		read(t, resp, err)
	}
	c.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before+2 { // the listener's accept loop and a connection of it that is ending
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// Timing tells of connections that were made, and of none that was there.
func TestTiming(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	defer server.Close()
	c := newClient(t, Options{})
	target := targetOf(t, strings.Replace(server.URL, "127.0.0.1", "localhost", 1))
	for i, connects := range []bool{true, false} {
		var timing Timing
		target.Timing = &timing
		resp, err := c.Fetch(t.Context(), target, get("/"))
		read(t, resp, err)
		if timing.Connect > 0 != connects || timing.DNS > 0 != connects {
			t.Errorf("fetch %d: %+v", i, timing)
		}
	}
}
