package front

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/ca"
	"github.com/foregate/foregate/internal/message"
)

// served is a Front on a listener.
type served struct {
	*Front
	t    *testing.T
	addr string
	ca   *ca.Authority
	stop func() error
}

// start serves b's Snapshot on a free port until the test ends.
func start(t *testing.T, b *Builder, opts Options) *served {
	t.Helper()
	authority, err := ca.Ephemeral()
	must(t, err)
	opts.Issuer = authority
	if opts.Log == nil {
		opts.Log = t.Logf
	}
	if opts.Grace == 0 {
		opts.Grace = 2 * time.Second
	}
	f := New(opts)
	f.Swap(b.Build())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Serve(ctx, ln) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return &served{Front: f, t: t, addr: ln.Addr().String(), ca: authority, stop: stop}
}

// client connects everything to the Front, as curl --connect-to does.
func (s *served) client() *http.Client {
	tr := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
		},
		TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()},
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// proxied uses the Front as its forward proxy.
func (s *served) proxied() *http.Client {
	tr := &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: s.addr}),
		TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()},
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func (s *served) get(c *http.Client, address string) (*http.Response, string) {
	s.t.Helper()
	resp, err := c.Get(address)
	if err != nil {
		s.t.Fatalf("get %s: %v", address, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("read %s: %v", address, err)
	}
	return resp, string(body)
}

// echo says what it was asked.
func echo(name string) message.Handler {
	return message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		sni := "-"
		if r.TLS != nil {
			sni = r.TLS.ServerName
		}
		return message.Text(200, "text/plain", fmt.Sprintf("%s %s://%s%s sni=%s", name, r.Scheme, r.Host, r.Target(), sni))
	})
}

func echoStack(t *testing.T) *Builder {
	b := NewBuilder(1)
	must(t, b.Name("*.cloudfront.net", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: cloudfrontCert}))
	must(t, b.Name("*.execute-api.us-east-1.amazonaws.com", Site{Handler: echo("gateway"), Service: "apigateway"}))
	must(t, b.Alias("www.example.com", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: exampleCert}))
	must(t, b.Alias("api.example.com", Site{Handler: echo("gateway"), Service: "apigateway"}))
	return b
}

func TestOnePortForEverything(t *testing.T) {
	s := start(t, echoStack(t), Options{API: echo("api"), Landing: echo("landing")})
	for _, c := range []struct{ url, want string }{
		{"http://d1.cloudfront.net/a?b", "edge http://d1.cloudfront.net/a?b sni=-"},
		{"https://d1.cloudfront.net/a", "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net"},
		{"http://D1.CloudFront.net.:4566/", "edge http://d1.cloudfront.net/ sni=-"},
		{"http://d1.cloudfront.net.localhost:4566/", "edge http://d1.cloudfront.net/ sni=-"},
		{"https://d1.cloudfront.net.localhost:4566/", "edge https://d1.cloudfront.net/ sni=d1.cloudfront.net"},
		{"https://www.example.com/", "edge https://www.example.com/ sni=www.example.com"},
		{"https://api.example.com/", "gateway https://api.example.com/ sni=api.example.com"},
		{"https://abc.execute-api.us-east-1.amazonaws.com/prod", "gateway https://abc.execute-api.us-east-1.amazonaws.com/prod sni=abc.execute-api.us-east-1.amazonaws.com"},
		{"http://127.0.0.1:4566/2020-05-31/distribution", "api http://127.0.0.1:4566/2020-05-31/distribution sni=-"},
		{"http://[::1]:4566/x", "api http://[::1]:4566/x sni=-"},
		{"http://localhost:4566/bucket/key", "api http://localhost:4566/bucket/key sni=-"},
		{"http://b.localhost:4566/key", "api http://b.localhost:4566/key sni=-"},
		{"https://localhost:4566/bucket/key", "api https://localhost:4566/bucket/key sni=localhost"},
		{"https://127.0.0.1/x", "api https://127.0.0.1/x sni="},
		{"https://cloudfront.amazonaws.com/2020-05-31/distribution", "api https://cloudfront.amazonaws.com/2020-05-31/distribution sni=cloudfront.amazonaws.com"},
		{"http://localhost:4566/", "landing http://localhost:4566/ sni=-"},
		{"http://b.localhost:4566/", "api http://b.localhost:4566/ sni=-"},
	} {
		if _, got := s.get(s.client(), c.url); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.url, got, c.want)
		}
	}
}

func TestUnknownHost(t *testing.T) {
	s := start(t, echoStack(t), Options{API: echo("api")})
	for _, host := range []string{"other.example.com", "other.example.com.localhost:4566", "bucket.s3.amazonaws.com", "x.execute-api.eu-west-1.amazonaws.com"} {
		resp, body := s.get(s.client(), "http://"+host+"/")
		if resp.StatusCode != 404 || resp.Header.Get("Foregate-Error") != "unknown-host" {
			t.Errorf("%s: %d %q", host, resp.StatusCode, body)
		}
		for _, want := range []string{"It serves 4", "www.example.com", "--proxy-passthrough", ".localhost"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: no %q in:\n%s", host, want, body)
			}
		}
	}
	quiet := New(Options{Terse: true})
	quiet.Swap(echoStack(t).Build())
	resp := quiet.Handler(t.Context(), &message.Request{Method: "GET", Scheme: "http", Host: "x.example", Path: "/"})
	if body, _ := io.ReadAll(resp.Body); strings.Contains(string(body), "example.com") || resp.Status != 404 {
		t.Errorf("terse: %d %s", resp.Status, body)
	}
	if r := New(Options{}).Handler(t.Context(), &message.Request{Method: "GET", Scheme: "http", Host: "localhost", Path: "/"}); r.Status != 404 {
		t.Errorf("without an API: %d", r.Status)
	}
}

// The name that was connected to picks the service, and the service sees the Host (facts: cloudfront-dataplane 1).
func TestServerNamePicksTheService(t *testing.T) {
	s := start(t, echoStack(t), Options{API: echo("api")})
	req, _ := http.NewRequest("GET", "https://abc.execute-api.us-east-1.amazonaws.com/", nil)
	req.Host = "d1.cloudfront.net"
	resp, err := s.client().Do(req)
	must(t, err)
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if want := "gateway https://d1.cloudfront.net/ sni=abc.execute-api.us-east-1.amazonaws.com"; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
	req, _ = http.NewRequest("GET", "https://localhost/", nil)
	req.Host = "d1.cloudfront.net"
	resp, err = s.client().Do(req)
	must(t, err)
	body, _ = io.ReadAll(resp.Body)
	resp.Body.Close()
	if want := "edge https://d1.cloudfront.net/ sni=localhost"; string(body) != want {
		t.Errorf("got %s, want %s", body, want)
	}
}

func TestCertificates(t *testing.T) {
	b := echoStack(t)
	must(t, b.Alias("uncovered.example.net", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: exampleCert}))
	own, err := ca.Ephemeral()
	must(t, err)
	imported, err := own.Issue([]string{"imported.example.net"})
	must(t, err)
	must(t, b.Alias("imported.example.net", Site{Handler: echo("edge"), Service: "cloudfront",
		Certificate: &Certificate{Names: []string{"imported.example.net"}, TLS: imported}}))
	must(t, b.Alias("old.example.net", Site{Handler: echo("edge"), Service: "cloudfront", TLS: &TLSPolicy{MaxVersion: tls.VersionTLS12}}))
	must(t, b.Alias("new.example.net", Site{Handler: echo("edge"), Service: "cloudfront", TLS: &TLSPolicy{MinVersion: tls.VersionTLS13}}))
	must(t, b.Alias("one.example.net", Site{Handler: echo("edge"), Service: "cloudfront", NoHTTP2: true}))
	s := start(t, b, Options{API: echo("api"), Nameless: []string{"*.cloudfront.net"}})
	shake := func(cfg *tls.Config) (tls.ConnectionState, error) {
		d := tls.Dialer{Config: cfg}
		c, err := d.DialContext(t.Context(), "tcp", s.addr)
		if err != nil {
			return tls.ConnectionState{}, err
		}
		defer c.Close()
		return c.(*tls.Conn).ConnectionState(), nil
	}
	for sni, want := range map[string]string{
		"d1.cloudfront.net":                       "cloudfront.net *.cloudfront.net",
		"www.example.com":                         "example.com *.example.com",
		"WWW.example.com":                         "example.com *.example.com",
		"www.example.com.localhost":               "www.example.com.localhost",
		"api.example.com":                         "api.example.com",
		"uncovered.example.net":                   "uncovered.example.net",
		"localhost":                               "::1 127.0.0.1 localhost",
		"b.localhost":                             "b.localhost",
		"sts.us-east-1.amazonaws.com":             "sts.us-east-1.amazonaws.com",
		"abc.execute-api.us-east-1.amazonaws.com": "abc.execute-api.us-east-1.amazonaws.com",
	} {
		state, err := shake(&tls.Config{ServerName: sni, RootCAs: s.ca.Pool()})
		if err != nil {
			t.Errorf("%s: %v", sni, err)
			continue
		}
		leaf := state.PeerCertificates[0]
		names := map[string]bool{}
		for _, n := range leaf.DNSNames {
			names[n] = true
		}
		for _, ip := range leaf.IPAddresses {
			names[ip.String()] = true
		}
		for n := range strings.FieldsSeq(want) {
			if !names[n] {
				t.Errorf("%s: certificate for %v, want %s", sni, names, want)
			}
			delete(names, n)
		}
		if len(names) > 0 {
			t.Errorf("%s: certificate also for %v", sni, names)
		}
	}
	if _, err := shake(&tls.Config{ServerName: "imported.example.net", RootCAs: own.Pool()}); err != nil {
		t.Errorf("imported certificate: %v", err)
	}
	for _, newest := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		_, err = shake(&tls.Config{ServerName: "stranger.example.org", RootCAs: s.ca.Pool(), MaxVersion: newest})
		if err == nil || !strings.Contains(err.Error(), "handshake failure") {
			t.Errorf("a stranger got %v, want handshake failure", err)
		}
	}
	if state, err := shake(&tls.Config{InsecureSkipVerify: true}); err != nil || !slices.Contains(state.PeerCertificates[0].DNSNames, "*.cloudfront.net") ||
		!slices.Contains(state.PeerCertificates[0].DNSNames, "localhost") {
		t.Errorf("without a name: %v, %v", state.PeerCertificates, err)
	}
	for name, want := range map[string]string{"old.example.net": "h2", "one.example.net": "http/1.1", "one.example.net.localhost": "http/1.1", "localhost": "h2"} {
		state, err := shake(&tls.Config{ServerName: name, RootCAs: s.ca.Pool(), NextProtos: []string{"h2", "http/1.1"}})
		if err != nil || state.NegotiatedProtocol != want {
			t.Errorf("%s: protocol %q, %v; want %q", name, state.NegotiatedProtocol, err, want)
		}
	}
	for _, name := range []string{"old.example.net", "localhost"} { // curl --http1.0 offers this and nothing else
		if state, err := shake(&tls.Config{ServerName: name, RootCAs: s.ca.Pool(), NextProtos: []string{"http/1.0"}}); err != nil || state.NegotiatedProtocol != "http/1.0" {
			t.Errorf("%s: HTTP/1.0 alone: %q, %v", name, state.NegotiatedProtocol, err)
		}
	}
	if state, err := shake(&tls.Config{ServerName: "old.example.net", RootCAs: s.ca.Pool()}); err != nil || state.Version != tls.VersionTLS12 {
		t.Errorf("maximum 1.2: %x, %v", state.Version, err)
	}
	if _, err := shake(&tls.Config{ServerName: "new.example.net", RootCAs: s.ca.Pool(), MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("minimum 1.3 let 1.2 in")
	}
	if _, err := shake(&tls.Config{ServerName: "d1.cloudfront.net", RootCAs: s.ca.Pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("the default let TLS 1.1 in")
	}
}

func TestSessionTickets(t *testing.T) {
	b := echoStack(t)
	must(t, b.Alias("new.example.net", Site{Handler: echo("edge"), Service: "cloudfront", TLS: &TLSPolicy{MinVersion: tls.VersionTLS13}}))
	s := start(t, b, Options{})
	for _, host := range []string{"d1.cloudfront.net", "new.example.net"} {
		cfg := &tls.Config{ServerName: host, RootCAs: s.ca.Pool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
		for i := range 2 {
			c, err := tls.Dial("tcp", s.addr, cfg)
			must(t, err)
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
			if _, err := io.ReadAll(c); err != nil {
				t.Fatal(err)
			}
			if got := c.ConnectionState().DidResume; got != (i == 1) {
				t.Errorf("%s, handshake %d: resumed %v", host, i, got)
			}
			c.Close()
		}
	}
}

func TestForwardProxy(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer other.Close()
	go http.Serve(other, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "outside %s %s", r.Host, r.Header.Get("Proxy-Connection"))
	}))
	s := start(t, echoStack(t), Options{API: echo("api")})
	for _, c := range []struct{ url, want string }{
		{"http://d1.cloudfront.net/a?b", "edge http://d1.cloudfront.net/a?b sni=-"},
		{"https://d1.cloudfront.net/a", "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net"},
		{"https://d1.cloudfront.net:8443/a", "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net"},
		{"https://www.example.com.localhost/a", "edge https://www.example.com/a sni=www.example.com"},
		{"http://sts.amazonaws.com/", "api http://sts.amazonaws.com/ sni=-"},
		{"https://sts.us-east-1.amazonaws.com/", "api https://sts.us-east-1.amazonaws.com/ sni=sts.us-east-1.amazonaws.com"},
		{"https://" + s.addr + "/", "api https://" + s.addr + "/ sni="},
	} {
		if _, got := s.get(s.proxied(), c.url); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.url, got, c.want)
		}
	}
	for _, address := range []string{"http://outside.example/", "http://" + other.Addr().String() + "/", "http://bucket.s3.amazonaws.com/"} {
		resp, body := s.get(s.proxied(), address)
		if resp.StatusCode != 403 || !strings.Contains(body, "--proxy-passthrough") || resp.Header.Get("Foregate-Error") != "proxy-refused" {
			t.Errorf("%s: %d %s", address, resp.StatusCode, body)
		}
	}
	if _, err := s.proxied().Get("https://outside.example/"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("CONNECT to the outside: %v", err)
	}
	open := start(t, echoStack(t), Options{API: echo("api"), ProxyPassthrough: true})
	if _, got := open.get(open.proxied(), "http://"+other.Addr().String()+"/"); got != "outside "+other.Addr().String()+" " {
		t.Errorf("passed on: %s", got)
	}
	if got := open.connectGet(other.Addr().String()); !strings.HasSuffix(got, "outside x.example ") {
		t.Errorf("tunnel to the outside: %q", got)
	}
	if got := open.connectGet("d1.cloudfront.net:80"); !strings.HasSuffix(got, "edge http://x.example/ sni=-") {
		t.Errorf("clear tunnel: %q", got)
	}
	resp, _ := open.get(open.proxied(), "http://127.0.0.1:1/")
	if resp.StatusCode != 502 {
		t.Errorf("nobody listens: %d", resp.StatusCode)
	}
}

// connectGet sends a request in clear through a tunnel.
func (s *served) connectGet(target string) string {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	must(s.t, err)
	defer c.Close()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, &http.Request{Method: "CONNECT"})
	if err != nil || resp.StatusCode != 200 {
		s.t.Fatalf("CONNECT %s: %v, %v", target, resp, err)
	}
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x.example\r\nConnection: close\r\n\r\n")
	resp, err = http.ReadResponse(br, nil)
	must(s.t, err)
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}

func TestRedirectsLeadBack(t *testing.T) {
	b := echoStack(t)
	must(t, b.Alias("r.example.com", Site{Service: "x", Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		return message.Text(301, "", "", message.Field{Name: "location", Value: r.Query})
	})}))
	s := start(t, b, Options{})
	_, port := SplitPort(s.addr)
	for _, c := range []struct{ location, want string }{
		{"https://r.example.com/x?y#z", "https://r.example.com.localhost:" + port + "/x?y#z"},
		{"https://R.example.com", "https://r.example.com.localhost:" + port},
		{"HTTPS://d1.cloudfront.net:443/", "HTTPS://d1.cloudfront.net.localhost:" + port + "/"},
		{"//d1.cloudfront.net/x", "//d1.cloudfront.net.localhost:" + port + "/x"},
		{"https://d1.cloudfront.net:8443/", ""},
		{"https://outside.example/", ""},
		{"https://user@d1.cloudfront.net/", ""},
		{"/x//d1.cloudfront.net/", ""},
		{"ftp://d1.cloudfront.net/", ""},
	} {
		if c.want == "" {
			c.want = c.location
		}
		ask := func(host string) string {
			r := &message.Request{Method: "GET", Scheme: "http", Host: host, Path: "/", Query: c.location}
			return s.Handler(t.Context(), r).Header.Get("Location")
		}
		if got := ask("r.example.com.localhost:" + port); got != c.want {
			t.Errorf("%s: got %s, want %s", c.location, got, c.want)
		}
		if got := ask("r.example.com"); got != c.location {
			t.Errorf("by its real name: %s became %s", c.location, got)
		}
	}
	resp, _ := s.get(s.client(), "http://r.example.com.localhost:"+port+"/?https://d1.cloudfront.net/")
	if got := resp.Header.Get("Location"); got != "https://d1.cloudfront.net.localhost:"+port+"/" {
		t.Errorf("over the wire: %s", got)
	}
}

func TestExplainHeader(t *testing.T) {
	var got Explained
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Header.Has("Foregate-Explain") {
			t.Error("the header reached the service")
		}
		r.Trace.Hop("cloudfront", "E1").Step("match-behavior", "*", "")
		r.Path = "/changed"
		return message.Text(200, "text/plain", "ok")
	})}))
	s := start(t, b, Options{Explain: func(_ context.Context, e Explained) string { got = e; return "http://localhost/explanations/1" }})
	req, _ := http.NewRequest("GET", "http://a.example/x", nil)
	req.Header.Set("Foregate-Explain", "1")
	resp, err := s.client().Do(req)
	must(t, err)
	resp.Body.Close()
	if a := resp.Header.Get("Foregate-Explanation"); a != "http://localhost/explanations/1" {
		t.Errorf("address %q", a)
	}
	if hops := got.Trace.Hops(); len(hops) != 1 || hops[0].ID != "E1" || got.Request.Path != "/x" || got.Response.Status != 200 {
		t.Errorf("hook saw %+v, %+v", got.Request, hops)
	}
	got = Explained{}
	if resp, _ := s.get(s.client(), "http://a.example/x"); got.Trace != nil || resp.Header.Get("Foregate-Explanation") != "" {
		t.Error("explained what nobody asked for")
	}
}

// slow is a body that ends when it is told.
type slow struct {
	release chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func (b *slow) Read([]byte) (int, error) { <-b.release; return 0, io.EOF }
func (b *slow) Close() error             { b.once.Do(func() { close(b.closed) }); return nil }

func TestSnapshotIsReleasedAfterItsLastBody(t *testing.T) {
	body := &slow{release: make(chan struct{}), closed: make(chan struct{})}
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		return &message.Response{Status: 200, Body: body, ContentLength: -1}
	})}))
	released := false
	b.OnRelease(func() { released = true })
	s := start(t, b, Options{})
	old := s.Snapshot()
	resp, err := s.client().Get("http://a.example/")
	must(t, err)
	next := NewBuilder(2)
	must(t, next.Name("a.example", Site{Service: "x", Handler: echo("second")}))
	s.Swap(next.Build())
	if _, got := s.get(s.client(), "http://a.example/"); !strings.HasPrefix(got, "second") {
		t.Errorf("after the swap: %s", got)
	}
	select {
	case <-old.Drained():
		t.Fatal("released while its answer was on the way")
	default:
	}
	close(body.release)
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	drained(t, old)
	if !released {
		t.Error("release function not called")
	}
}

func TestPanicReleases(t *testing.T) {
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { panic("no") })}))
	var log atomic.Int32
	s := start(t, b, Options{Log: func(string, ...any) { log.Add(1) }})
	if resp, _ := s.get(s.client(), "http://a.example/"); resp.StatusCode != 500 {
		t.Errorf("status %d", resp.StatusCode)
	}
	old := s.Snapshot()
	s.Swap(NewBuilder(2).Build())
	drained(t, old)
	if log.Load() == 0 {
		t.Error("nobody heard of the panic")
	}
}

func TestSwapUnderLoad(t *testing.T) {
	var live atomic.Int32
	build := func(rev int64) *Snapshot {
		b := NewBuilder(rev)
		var dead atomic.Bool
		must(t, b.Name("a.example", Site{Service: "x", Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
			if dead.Load() {
				t.Error("a released snapshot was asked")
			}
			return message.Text(200, "text/plain", "ok", message.Field{Name: "Rev", Value: fmt.Sprint(rev)})
		})}))
		live.Add(1)
		b.OnRelease(func() { dead.Store(true); live.Add(-1) })
		return b.Build()
	}
	s := start(t, NewBuilder(0), Options{})
	s.Swap(build(1))
	done := make(chan struct{})
	var wg sync.WaitGroup
	var served atomic.Int64
	for range 4 {
		c := s.client()
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				resp, body := s.get(c, "http://a.example/")
				if resp.StatusCode != 200 || body != "ok" {
					t.Errorf("lost: %d %s", resp.StatusCode, body)
					return
				}
				served.Add(1)
			}
		})
	}
	replaced := []*Snapshot{s.Snapshot()}
	for rev := range int64(1000) {
		next := build(rev + 2)
		replaced = append(replaced, next)
		s.Swap(next)
		if n := served.Load(); rev%50 == 0 {
			for served.Load() < n+5 && !t.Failed() {
				time.Sleep(time.Millisecond)
			}
		}
	}
	close(done)
	wg.Wait()
	s.Swap(NewBuilder(9999).Build())
	for _, old := range replaced { // a server ends a request a moment after the client has its answer
		drained(t, old)
	}
	if live.Load() != 0 {
		t.Errorf("%d snapshots were never released", live.Load())
	}
}

func TestServeHandlerWithoutSocket(t *testing.T) {
	f := New(Options{API: echo("api")})
	f.Swap(echoStack(t).Build())
	r := &message.Request{Method: "GET", Scheme: "https", Host: "d1.cloudfront.net", Path: "/", TLS: &message.TLS{ServerName: "abc.execute-api.us-east-1.amazonaws.com"}}
	direct := f.Handler(t.Context(), r)
	body, _ := io.ReadAll(direct.Body)
	direct.Body.Close()
	if want := "gateway https://d1.cloudfront.net/"; !strings.HasPrefix(string(body), want) {
		t.Errorf("got %s, want %s", body, want)
	}
	h, target, ok := f.Resolve("www.example.com")
	if !ok || target != "www.example.com" {
		t.Fatalf("%s, %v", target, ok)
	}
	old := f.Snapshot()
	resp := h.Serve(t.Context(), &message.Request{Method: "GET", Scheme: "http", Host: "www.example.com", Path: "/"})
	f.Swap(NewBuilder(2).Build())
	select {
	case <-old.Drained():
		t.Fatal("released under an inner request")
	default:
	}
	resp.Body.Close()
	resp.Body.Close()
	drained(t, old)
	if resp := h.Serve(t.Context(), &message.Request{Method: "GET", Host: "www.example.com"}); resp.Status != 404 {
		t.Errorf("a handler kept over the end of its name: %d", resp.Status)
	}
}
