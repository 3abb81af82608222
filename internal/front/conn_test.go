package front

//lint:file-ignore SA1019 the tests speak HTTP/2 on connections of their own, which net/http does not offer.

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/message"
)

// h2Client speaks HTTP/2 only, over TLS or in clear.
func (s *served) h2Client(clear bool) *http.Client {
	tr := &http2.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.Pool()}, AllowHTTP: clear}
	tr.DialTLSContext = func(ctx context.Context, _, _ string, cfg *tls.Config) (net.Conn, error) {
		if clear {
			return net.Dial("tcp", s.addr)
		}
		return (&tls.Dialer{Config: cfg}).DialContext(ctx, "tcp", s.addr)
	}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestHTTP2(t *testing.T) {
	s := start(t, echoStack(t), Options{API: echo("api")})
	for _, c := range []struct {
		url, host, want string
	}{
		{"https://d1.cloudfront.net/a", "", "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net"},
		{"http://d1.cloudfront.net/a", "", "edge http://d1.cloudfront.net/a sni=-"},
		{"https://d1.cloudfront.net.localhost/a", "", "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net"},
		// The certificate of www.example.com is valid for api.example.com: a browser that finds both at one address uses
		// one connection for both, and means API Gateway.
		{"https://www.example.com/a", "api.example.com", "gateway https://api.example.com/a sni=www.example.com"},
		// Not so here: this is a client that named another host on purpose.
		{"https://abc.execute-api.us-east-1.amazonaws.com/a", "d1.cloudfront.net", "gateway https://d1.cloudfront.net/a sni=abc.execute-api.us-east-1.amazonaws.com"},
	} {
		req, err := http.NewRequest("GET", c.url, nil)
		must(t, err)
		req.Host = c.host
		resp, err := s.h2Client(strings.HasPrefix(c.url, "http:")).Do(req)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != c.want || resp.ProtoMajor != 2 {
			t.Errorf("%s over %s\n got %s\nwant %s", c.url, resp.Proto, body, c.want)
		}
	}
	tunnel := s.proxied()
	tunnel.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	resp, body := s.get(tunnel, "https://d1.cloudfront.net/a")
	if resp.ProtoMajor != 2 || body != "edge https://d1.cloudfront.net/a sni=d1.cloudfront.net" {
		t.Errorf("HTTP/2 in a tunnel: %s %s", resp.Proto, body)
	}
}

func TestSniffByteForByte(t *testing.T) {
	s := start(t, echoStack(t), Options{})
	for _, first := range []string{
		"GET / HTTP/1.1\r\nHost: d1.cloudfront.net\r\nConnection: close\r\n\r\n",
		"PUT / HTTP/1.1\r\nHost: d1.cloudfront.net\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"PRINT / HTTP/1.1\r\nHost: d1.cloudfront.net\r\nConnection: close\r\n\r\n",
	} {
		c, err := net.Dial("tcp", s.addr)
		must(t, err)
		c.(*net.TCPConn).SetNoDelay(true)
		for i := range 6 {
			io.WriteString(c, first[i:i+1])
			time.Sleep(2 * time.Millisecond)
		}
		io.WriteString(c, first[6:])
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != 200 {
			t.Errorf("%.8q…: %v, %v", first, resp, err)
		}
		c.Close()
	}
}

func TestSilentConnectionEnds(t *testing.T) {
	s := start(t, echoStack(t), Options{HandshakeTimeout: 20 * time.Millisecond})
	for _, first := range []string{"", "P", "\x16", "\x16\x03\x01"} {
		c, err := net.Dial("tcp", s.addr)
		must(t, err)
		io.WriteString(c, first)
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := io.ReadAll(c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%q: still open", first)
		}
		c.Close()
	}
}

// tell writes a request and reads the answer's status.
func tell(t *testing.T, c net.Conn) (int, error) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: d1.cloudfront.net\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

func TestIdleConnectionsAreBounded(t *testing.T) {
	s := start(t, echoStack(t), Options{MaxIdle: 4})
	var conns []net.Conn
	for i := range 12 {
		c, err := net.Dial("tcp", s.addr)
		must(t, err)
		defer c.Close()
		if status, err := tell(t, c); err != nil || status != 200 {
			t.Fatalf("connection %d: %d, %v", i, status, err)
		}
		conns = append(conns, c)
		s.settled()
	}
	for i, c := range conns {
		status, err := tell(t, c)
		if kept := i >= 8; kept && status != 200 {
			t.Errorf("connection %d of 12 was closed: %v", i, err)
		} else if i < 7 && err == nil {
			t.Errorf("connection %d of 12 was kept, with room for 4", i)
		}
	}
}

// settled waits until no request is in flight.
func (s *served) settled() {
	s.t.Helper()
	for range 1000 {
		s.mu.Lock()
		busy := 0
		for c := range s.conns {
			busy += int(c.active.Load())
		}
		s.mu.Unlock()
		if busy == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	s.t.Fatal("a request never ended")
}

func TestGracefulStop(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	b := NewBuilder(1)
	must(t, b.Name("d1.cloudfront.net", Site{Service: "x", Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		close(began)
		<-release
		return message.Text(200, "text/plain", "late")
	})}))
	s := start(t, b, Options{Grace: 5 * time.Second})
	idle, err := net.Dial("tcp", s.addr)
	must(t, err)
	defer idle.Close()
	answered := make(chan string, 1)
	go func() {
		resp, err := s.client().Get("http://d1.cloudfront.net/")
		if err != nil {
			answered <- err.Error()
			return
		}
		body, _ := io.ReadAll(resp.Body)
		answered <- fmt.Sprint(string(body), resp.Close)
	}()
	<-began
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop() }()
	<-s.drain.Done()
	close(release)
	if got := <-answered; got != "latetrue" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := net.Dial("tcp", s.addr); err == nil {
		t.Error("still listening")
	}
}

func TestStopDoesNotWaitForever(t *testing.T) {
	began := make(chan struct{})
	b := NewBuilder(1)
	must(t, b.Name("d1.cloudfront.net", Site{Service: "x", Handler: message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
		close(began)
		<-ctx.Done()
		return message.Text(200, "text/plain", "")
	})}))
	s := start(t, b, Options{Grace: 20 * time.Millisecond})
	go s.client().Get("http://d1.cloudfront.net/")
	<-began
	if err := s.stop(); err != nil {
		t.Error(err)
	}
}

func TestServeReportsItsListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ln.Close()
	if err := New(Options{}).Serve(t.Context(), ln); err == nil {
		t.Error("a dead listener is no error")
	}
}

func TestUpgradeHoldsTheSnapshot(t *testing.T) {
	b := NewBuilder(1)
	must(t, b.Name("d1.cloudfront.net", Site{Service: "x", Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		c, err := r.Upgrade()
		if err != nil {
			t.Error(err)
		}
		go func() {
			defer c.Close()
			io.Copy(c, c)
		}()
		return &message.Response{Status: 101}
	})}))
	s := start(t, b, Options{})
	old := s.Snapshot()
	c, err := net.Dial("tcp", s.addr)
	must(t, err)
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: d1.cloudfront.net\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	br := bufio.NewReader(c)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatalf("%v, %v", resp, err)
	}
	s.Swap(NewBuilder(2).Build())
	io.WriteString(c, "ping")
	four := make([]byte, 4)
	if _, err := io.ReadFull(br, four); err != nil || string(four) != "ping" {
		t.Fatalf("%q, %v", four, err)
	}
	select {
	case <-old.Drained():
		t.Fatal("released under an open WebSocket")
	default:
	}
	c.Close()
	drained(t, old)
}

func FuzzJudge(f *testing.F) {
	for _, s := range []string{"", "\x16\x03", "P", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), len(http2.ClientPreface))]
		what, sure := judge(b)
		if sure {
			return
		}
		if what != sniffPreface && len(b) > 0 || !strings.HasPrefix(http2.ClientPreface, string(b)) {
			t.Fatalf("judge(%q) = %v and is not sure", b, what)
		}
	})
}
