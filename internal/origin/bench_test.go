package origin

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// replayed is an origin that gives the same answer to every request, without a network.
type replayed struct {
	net.Conn
	answer []byte
	asked  bool
}

func (r *replayed) Write(p []byte) (int, error) {
	r.asked = r.asked || bytes.HasSuffix(p, []byte("\r\n\r\n"))
	return len(p), nil
}

func (r *replayed) Read(p []byte) (int, error) {
	if !r.asked {
		return 0, io.EOF
	}
	r.asked = false
	return copy(p, r.answer), nil
}

func (*replayed) Close() error                     { return nil }
func (*replayed) SetDeadline(time.Time) error      { return nil }
func (*replayed) SetReadDeadline(time.Time) error  { return nil }
func (*replayed) SetWriteDeadline(time.Time) error { return nil }

func BenchmarkFetch(b *testing.B) {
	answer := "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\nDate: Sun, 22 Nov 2026 06:14:38 GMT\r\nServer: nginx\r\n" +
		"Cache-Control: no-store\r\nETag: \"abc\"\r\n\r\n" + string(bytes.Repeat([]byte("x"), 500))
	c := newClient(b, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return &replayed{answer: []byte(answer)}, nil }})
	target := Target{Scheme: "http", Host: "origin.example"}
	r := &message.Request{Method: "GET", Host: "origin.example", Path: "/a", Header: message.Header{
		{Name: "User-Agent", Value: "Amazon CloudFront"}, {Name: "X-Forwarded-For", Value: "192.0.2.1"}, {Name: "Via", Value: "1.1 x.cloudfront.net (CloudFront)"}, {Name: "X-Amz-Cf-Id", Value: "abc"},
	}}
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.Fetch(ctx, target, r)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := resp.Body.Read(buf); err != nil {
				break
			}
		}
		resp.Body.Close()
	}
}
