package front

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/foregate/foregate/internal/ca"
	"github.com/foregate/foregate/internal/message"
)

// startQUIC serves b's Snapshot on a free UDP port until the test ends.
func startQUIC(t *testing.T, b *Builder, opts Options) *served {
	t.Helper()
	authority, err := ca.Ephemeral()
	must(t, err)
	opts.Issuer, opts.Log, opts.Grace = authority, t.Logf, 5*time.Second
	f := New(opts)
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.ServePackets(ctx, pc) }()
	f.Swap(b.Build())
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { must(t, stop()) })
	return &served{Front: f, t: t, addr: pc.LocalAddr().String(), ca: authority, stop: stop}
}

func (s *served) quicClient(cfg *tls.Config) *http.Client {
	cfg.RootCAs = s.ca.Pool()
	tr := &http3.Transport{TLSClientConfig: cfg, Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		return quic.DialAddr(ctx, s.addr, c, q)
	}}
	s.t.Cleanup(func() { _ = tr.Close() })
	return &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func quicStack(t *testing.T) *Builder {
	b := NewBuilder(1)
	must(t, b.Name("*.cloudfront.net", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: cloudfrontCert}))
	must(t, b.Name("d3.cloudfront.net", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: cloudfrontCert, HTTP3: true}))
	must(t, b.Alias("www.example.com", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: exampleCert, HTTP3: true, TLS: &TLSPolicy{Curves: []tls.CurveID{tls.CurveP256}}}))
	must(t, b.Name("*.execute-api.us-east-1.amazonaws.com", Site{Handler: echo("gateway"), Service: "apigateway"}))
	return b
}

func TestHTTP3(t *testing.T) {
	s := startQUIC(t, quicStack(t), Options{API: echo("api")})
	for _, c := range []struct{ url, want string }{
		{"https://d3.cloudfront.net/a?b", "edge https://d3.cloudfront.net/a?b sni=d3.cloudfront.net"},
		{"https://D3.cloudfront.net:4566/", "edge https://d3.cloudfront.net/ sni=d3.cloudfront.net"},
		{"https://d3.cloudfront.net.localhost:4566/", "edge https://d3.cloudfront.net/ sni=d3.cloudfront.net"},
		{"https://www.example.com/", "edge https://www.example.com/ sni=www.example.com"},
	} {
		if _, got := s.get(s.quicClient(&tls.Config{}), c.url); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.url, got, c.want)
		}
	}
	// One connection carries what its certificate covers.
	c := s.quicClient(&tls.Config{ServerName: "d3.cloudfront.net"})
	if _, got := s.get(c, "https://d1.cloudfront.net/x"); got != "edge https://d1.cloudfront.net/x sni=d3.cloudfront.net" {
		t.Errorf("another host on the connection: %s", got)
	}
	for name, want := range map[string]string{
		"d1.cloudfront.net": "no application protocol", "abc.execute-api.us-east-1.amazonaws.com": "no application protocol",
		"localhost": "no application protocol", "stranger.example.org": "handshake failure",
	} {
		_, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{ServerName: name, RootCAs: s.ca.Pool(), NextProtos: []string{"h3"}}, &quic.Config{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
	if _, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{ServerName: "www.example.com", RootCAs: s.ca.Pool(), NextProtos: []string{"h3"}, CurvePreferences: []tls.CurveID{tls.X25519}}, &quic.Config{}); err == nil {
		t.Error("the security policy's groups do not hold")
	}
}

func TestHelloOverQUIC(t *testing.T) {
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", HTTP3: true, Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		return message.Text(200, "text/plain", fmt.Sprintf("%s %v", r.TLS.Hello.JA4(), r.TLS.Reused))
	})}))
	s := startQUIC(t, b, Options{})
	c := s.quicClient(&tls.Config{})
	for _, want := range []string{"false", "true"} {
		if _, got := s.get(c, "https://a.example/"); !strings.HasPrefix(got, "q13d") || !strings.HasSuffix(got, want) {
			t.Errorf("got %s, want q13d… %s", got, want)
		}
	}
}

func TestHTTP3SessionTickets(t *testing.T) {
	s := startQUIC(t, quicStack(t), Options{})
	for _, host := range []string{"d3.cloudfront.net", "www.example.com"} {
		cache := tls.NewLRUClientSessionCache(4)
		for i := range 2 {
			c, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{ServerName: host, RootCAs: s.ca.Pool(), NextProtos: []string{"h3"}, ClientSessionCache: cache}, &quic.Config{})
			must(t, err)
			// The ticket comes with the first packets after the handshake, as the settings do.
			control, err := c.AcceptUniStream(t.Context())
			must(t, err)
			if _, err := control.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if got := c.ConnectionState().TLS.DidResume; got != (i == 1) {
				t.Errorf("%s, handshake %d: resumed %v", host, i, got)
			}
			if i == 0 {
				waitForTicket(t, c, s, host)
			}
			_ = c.CloseWithError(0, "")
		}
	}
}

// waitForTicket makes a request on a connection: its answer comes behind the ticket.
func waitForTicket(t *testing.T, c *quic.Conn, s *served, host string) {
	t.Helper()
	rt := (&http3.Transport{}).NewClientConn(c)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+host+"/", nil)
	must(t, err)
	resp, err := rt.RoundTrip(r)
	must(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	must(t, err)
}

func TestHTTP3Drain(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", HTTP3: true, Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		close(begun)
		<-release
		return message.Text(200, "text/plain", "done")
	})}))
	s := startQUIC(t, b, Options{})
	old := s.Snapshot()
	go func() {
		<-begun
		go s.stop()
		<-s.drain.Done()
		close(release)
	}()
	if _, got := s.get(s.quicClient(&tls.Config{}), "https://a.example/"); got != "done" {
		t.Errorf("the request under way: %s", got)
	}
	must(t, s.stop())
	s.Swap(NewBuilder(2).Build())
	drained(t, old)
}

// TestHTTP3Waits: without a site that has it, nothing listens, and the end is an end.
func TestHTTP3Waits(t *testing.T) {
	s := startQUIC(t, echoStack(t), Options{})
	must(t, s.stop())
}

func TestMaxIdleOverQUIC(t *testing.T) {
	s := startQUIC(t, quicStack(t), Options{MaxIdle: 2})
	var conns []*quic.Conn
	for range 5 {
		c, err := quic.DialAddr(t.Context(), s.addr, &tls.Config{ServerName: "d3.cloudfront.net", RootCAs: s.ca.Pool(), NextProtos: []string{"h3"}}, &quic.Config{})
		must(t, err)
		_, err = c.AcceptUniStream(t.Context())
		must(t, err)
		conns = append(conns, c)
	}
	ended := make(chan string, len(conns))
	for i, c := range conns {
		go func() { <-c.Context().Done(); ended <- fmt.Sprint(i) }()
	}
	for range 3 {
		<-ended
	}
}

// TestConfigIsMadeOnce: what a host asks of handshakes is made for the first of them.
func TestConfigIsMadeOnce(t *testing.T) {
	b := NewBuilder(1)
	must(t, b.Alias("www.example.com", Site{Handler: echo("edge"), Service: "cloudfront", Certificate: exampleCert, NoHTTP2: true, TLS: &TLSPolicy{MinVersion: tls.VersionTLS12}}))
	f := New(Options{})
	f.Swap(b.Build())
	chi := &tls.ClientHelloInfo{ServerName: "www.example.com"}
	first := f.configFor(chi)
	if n := testing.AllocsPerRun(100, func() {
		if f.configFor(chi) != first {
			t.Fatal("another configuration")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
