package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// hitTemplate is a distribution with n behaviors and a policy that has all kinds of things in the key.
func hitTemplate(n int) string {
	var b strings.Builder
	b.WriteString(`
Resources:
  Key:
    Type: AWS::CloudFront::CachePolicy
    Properties:
      CachePolicyConfig:
        Name: key
        MinTTL: 1
        DefaultTTL: 600
        MaxTTL: 600
        ParametersInCacheKeyAndForwardedToOrigin:
          EnableAcceptEncodingGzip: true
          EnableAcceptEncodingBrotli: true
          QueryStringsConfig: { QueryStringBehavior: whitelist, QueryStrings: [page, sort] }
          HeadersConfig: { HeaderBehavior: whitelist, Headers: [Accept-Language, CloudFront-Forwarded-Proto, Origin] }
          CookiesConfig: { CookieBehavior: whitelist, Cookies: [session, theme] }
  Site:
    Type: AWS::CloudFront::Distribution
    Properties:
      DistributionConfig:
        Enabled: true
        Origins:
          - Id: origin
            DomainName: origin.example.net
            CustomOriginConfig: { OriginProtocolPolicy: http-only }
        DefaultCacheBehavior:
          TargetOriginId: origin
          ViewerProtocolPolicy: allow-all
          CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6 # CachingOptimized
        CacheBehaviors:
          - PathPattern: /keyed/*
            TargetOriginId: origin
            ViewerProtocolPolicy: allow-all
            CachePolicyId: !Ref Key
            ResponseHeadersPolicyId: 67f7725c-6f97-4210-82d7-5512b31e9d03 # SecurityHeadersPolicy
`)
	for i := range n - 1 {
		fmt.Fprintf(&b, `          - PathPattern: /b%d/*
            TargetOriginId: origin
            ViewerProtocolPolicy: allow-all
            CachePolicyId: 658327ea-f89d-4fab-a63d-7e88639e58f6
`, i)
	}
	return b.String()
}

// hitNode is a node that serves hitTemplate from an origin whose answers have size bytes.
func hitNode(t testing.TB, behaviors, size int) *Node {
	return nodeOf(t, hitTemplate(behaviors), size)
}

// nodeOf is a node that serves a template whose origin, origin.example.net, has answers of size bytes. Streams of real-time logs are in
// a folder.
func nodeOf(t testing.TB, template string, size int) *Node {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	file := filepath.Join(t.TempDir(), "hits.yaml")
	if err := os.WriteFile(file, []byte(template), 0o600); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	body := strings.Repeat("b", size)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go http1.ServeConn(t.Context(), c, http1.Options{Handler: originOf(body)})
		}
	}()
	term := newTerminal(Streams{Err: io.Discard})
	t.Cleanup(term.close)
	n, err := NewNode(Options{Region: "us-east-1", Account: "000000000000", Log: t.Logf, Explanations: true, Answered: term.answered, RealtimeLogs: t.TempDir(),
		Origins: map[string]string{"origin.example.net": "http://" + ln.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	if _, found, err := n.load(t.Context(), &sourceFlags{}, []string{file}); err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	return n
}

// replay is a connection whose client sends the same request left times and counts the bytes of the answers.
type replay struct {
	net.Conn
	request string
	left    int
	at      int // in request
	written int
	answer  []byte // the first one
	over    chan struct{}
}

func (r *replay) Read(p []byte) (int, error) {
	if r.at == 0 {
		if r.left == 0 {
			return 0, io.EOF
		}
		r.left--
	}
	n := copy(p, r.request[r.at:])
	r.at = (r.at + n) % len(r.request)
	return n, nil
}

func (r *replay) Write(p []byte) (int, error) {
	if r.written == 0 {
		r.answer = append(r.answer, p...)
	}
	r.written += len(p)
	return len(p), nil
}

func (r *replay) Close() error {
	select {
	case <-r.over:
	default:
		close(r.over)
	}
	return nil
}

var someAddress = net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:80"))

func (*replay) LocalAddr() net.Addr              { return someAddress }
func (*replay) RemoteAddr() net.Addr             { return someAddress }
func (*replay) SetDeadline(time.Time) error      { return nil }
func (*replay) SetReadDeadline(time.Time) error  { return nil }
func (*replay) SetWriteDeadline(time.Time) error { return nil }

// replays is a listener for such connections.
type replays struct {
	conns chan net.Conn
	once  sync.Once
}

func (l *replays) Accept() (net.Conn, error) {
	if c, ok := <-l.conns; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *replays) Close() error { l.once.Do(func() { close(l.conns) }); return nil }
func (*replays) Addr() net.Addr { return someAddress }

// run sends a request n times over one connection.
func (l *replays) run(request string, n int) *replay {
	r := &replay{request: request, left: n, over: make(chan struct{})}
	l.conns <- r
	<-r.over
	return r
}

// serveReplays serves a node's own listener of such connections.
func serveReplays(t testing.TB, n *Node) *replays {
	l := &replays{conns: make(chan net.Conn)}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, &sockets{tcp: l}) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

// hitRequests are what the paths of hitTemplate are asked for with.
func hitRequests(host string, behaviors int) map[string]string {
	head := " HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n" +
		"Accept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\n"
	return map[string]string{
		"optimized":             "GET /a.js?v=1" + head + "\r\n",
		"keyed":                 "GET /keyed/a.js?page=3&x=y&sort=up" + head + "Accept-Language: en-US,en;q=0.5\r\nCookie: a=b; theme=dark; session=0123456789abcdef\r\n\r\n",
		"last of the behaviors": fmt.Sprintf("GET /b%d/a.js", behaviors-2) + head + "\r\n",
		"head":                  "HEAD /a.js?v=1" + head + "\r\n",
	}
}

// TestHitAllocatesNothing is the budget of a hit on its way through listener, HTTP/1.1, routing, pipeline and cache, as a
// node of `foregate up` with its explanations and its log has it.
func TestHitAllocatesNothing(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const count = 4000
	for _, size := range []int{1 << 10, 64 << 10} {
		const behaviors = 75
		n := hitNode(t, behaviors, size)
		l := serveReplays(t, n)
		for name, request := range hitRequests(n.hostOf("Site"), behaviors) {
			if strings.HasPrefix(request, "HEAD") {
				l.run("GET"+request[4:], 1)
			}
			l.run(request, 1) // stores the object
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := l.run(request, count)
			runtime.ReadMemStats(&after)
			if head := string(r.answer); !strings.HasPrefix(head, "HTTP/1.1 200 OK\r\n") || !strings.Contains(head, "X-Cache: Hit from cloudfront\r\n") ||
				!strings.HasPrefix(request, "HEAD") && r.written < count*size {
				t.Fatalf("%s: %d bytes, %.400q", name, r.written, head)
			}
			if per := float64(after.Mallocs-before.Mallocs) / count; per > 0.1 { // the connection itself costs some
				t.Errorf("%s, %d bytes: %.2f allocations a hit, want 0", name, size, per)
			}
		}
	}
}

// BenchmarkHit is a hit but for the kernel's part.
func BenchmarkHit(b *testing.B) {
	const behaviors = 75
	n := hitNode(b, behaviors, 1<<10)
	l := serveReplays(b, n)
	for name, request := range hitRequests(n.hostOf("Site"), behaviors) {
		l.run(request, 1)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l.run(request, b.N)
		})
	}
}

// originOf answers everything with body, to be stored.
func originOf(body string) message.Handler {
	return message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		return message.Text(200, "text/javascript", body, message.Field{Name: "ETag", Value: `"1"`}, message.Field{Name: "Cache-Control", Value: "max-age=300"},
			message.Field{Name: "Last-Modified", Value: "Sun, 22 Nov 2026 06:14:38 GMT"}, message.Field{Name: "Content-Encoding", Value: "br"})
	})
}
