package http1

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// replay is a connection whose client sends requests without end, one a read.
type replay struct {
	net.Conn
	requests []string
	left     int
	written  int
}

func (r *replay) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	r.left--
	return copy(p, r.requests[r.left%len(r.requests)]), nil
}

func (r *replay) Write(p []byte) (int, error)      { r.written += len(p); return len(p), nil }
func (*replay) Close() error                       { return nil }
func (*replay) RemoteAddr() net.Addr               { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*replay) SetDeadline(time.Time) error        { return nil }
func (*replay) SetReadDeadline(time.Time) error    { return nil }
func (*replay) SetWriteDeadline(t time.Time) error { return nil }

const browser = "Host: d111111abcdef8.cloudfront.net\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html,*/*;q=0.8\r\n" +
	"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\nConnection: keep-alive\r\nCookie: session=0123456789abcdef\r\n\r\n"

// repeated is an answer that can be given again and again.
type repeated struct {
	message.Response
	data string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.at:])
	if r.at += n; r.at == len(r.data) {
		return n, io.EOF
	}
	return n, nil
}

func (r *repeated) Close() error { r.at = 0; return nil }

func small() *repeated {
	r := &repeated{data: strings.Repeat("x", 1024)}
	r.Response = message.Response{Status: 200, ContentLength: 1024, Body: r, Header: message.Header{
		{Name: "Content-Type", Value: "text/plain"}, {Name: "Date", Value: "Sun, 22 Nov 2026 06:14:38 GMT"}, {Name: "X-Cache", Value: "Hit from cloudfront"},
		{Name: "Via", Value: "1.1 d111111abcdef8.cloudfront.net (CloudFront)"}, {Name: "X-Amz-Cf-Pop", Value: "FRA56-P1"},
	}}
	return r
}

// TestAllocations is the budget: nothing for a request that equals the one before it, one string for any other.
func TestAllocations(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const n = 2000
	answer := small()
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return &answer.Response })
	for name, tt := range map[string]struct {
		requests []string
		budget   float64
	}{
		"same head":    {[]string{"GET /a?b=c HTTP/1.1\r\n" + browser}, 0},
		"another head": {[]string{"GET /a HTTP/1.1\r\n" + browser, "GET /b HTTP/1.1\r\n" + browser}, 1},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ServeConn(t.Context(), &replay{requests: tt.requests, left: n}, Options{Handler: h})
		runtime.ReadMemStats(&after)
		got := float64(after.Mallocs-before.Mallocs) / n
		if got > tt.budget+0.1 { // the connection itself costs some
			t.Errorf("%s: %.2f allocations a request, budget %v", name, got, tt.budget)
		}
	}
}

func BenchmarkServe(b *testing.B) {
	answer := small()
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return &answer.Response })
	for name, requests := range map[string][]string{
		"same":    {"GET /a?b=c HTTP/1.1\r\n" + browser},
		"another": {"GET /a HTTP/1.1\r\n" + browser, "GET /b HTTP/1.1\r\n" + browser},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ServeConn(b.Context(), &replay{requests: requests, left: b.N}, Options{Handler: h})
		})
	}
}
