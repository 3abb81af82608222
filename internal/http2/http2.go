// Package http2 is Foregate's HTTP/2 engine (rfc9113): it turns the streams of a connection into message.Request and
// message.Response.
//
// Start with ServeConn. One goroutine at a time, the leader, reads frames. What is cheap it answers itself: it runs the
// handler of a request without a body on the spot, and when that takes long another goroutine takes the lead over (lead.go).
// Requests with a body, and those of connections whose handlers were slow of late, get a goroutine of their own. All share
// one output buffer, which leaves in one write when the leader has nothing more to do.
//
// The package must not know CloudFront or API Gateway: texts and odd status codes of refusals come from Options.Reject.
//
// Caveats:
//   - As with http1, the *message.Request and its Header belong to the engine again once Serve has returned and the
//     response's body is closed. Strings are never reused.
//   - What breaks rfc9113 itself (8.1.1: "malformed") is a stream error without an answer; what only a server of HTTP cannot
//     use, such as an invalid host or a head over the limit, is answered through Reject.
//   - Trailers are checked and dropped. Priorities are those of rfc9218; the tree of rfc7540 is read and not followed.
//   - Names of fields leave in lower case, as the protocol demands (rfc9113 8.2.1), in the order of the response.
//   - :scheme is not compared with the connection's, since proxies that end TLS send "https" in clear.
//   - No server push, no extended CONNECT (rfc8441): WebSocket goes over HTTP/1.1, as with CloudFront.
package http2

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Preface is what a client sends first (rfc9113 3.4), also in clear with prior knowledge.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Options is how a connection is served. Fields that http1.Options has too mean the same here.
type Options struct {
	Handler message.Handler
	Scheme  string
	TLS     *message.TLS
	Client  netip.AddrPort
	Reject  func(ctx context.Context, r *http1.Rejection) *message.Response
	Report  func(error)
	Drain   context.Context
	MaxHead int

	// MaxStreams bounds the requests under way on the connection; default 128.
	MaxStreams uint32
	// IdleTimeout ends a connection without streams; HeadTimeout one whose client does not finish a field block. WriteTimeout
	// ends a connection that takes no bytes, and a stream of which the client does not let 4 KiB pass in that time.
	// BodyTimeout ends a stream whose handler waits for the request's body that long before it answers: behind the head of an
	// answer, as with gRPC, either side may be silent. After PingTimeout of silence the
	// client is asked for a sign of life, and is gone after as much again. Each may take a quarter longer. Defaults: 60 s,
	// 30 s, 60 s, 30 s, 30 s (facts: cloudfront-dataplane 13). Negative: none.
	IdleTimeout, HeadTimeout, WriteTimeout, BodyTimeout, PingTimeout time.Duration
}

// ServeConn serves a connection until it ends and its handlers have returned, and closes it. Cancelling ctx closes it at
// once. conn is one on which HTTP/2 has been agreed by ALPN, its handshake over, or one in clear whose client begins with
// Preface.
func ServeConn(ctx context.Context, conn net.Conn, o Options) {
	o.setDefaults(conn)
	newConn(ctx, conn, o).serve()
}

func (o *Options) setDefaults(conn net.Conn) {
	o.MaxHead = cmp.Or(o.MaxHead, 32<<10)
	o.MaxStreams = cmp.Or(o.MaxStreams, 128)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, time.Minute)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
	o.HeadTimeout = cmp.Or(o.HeadTimeout, 30*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)
	o.PingTimeout = cmp.Or(o.PingTimeout, 30*time.Second)
	if o.TLS == nil {
		o.TLS = http1.TLSInfo(conn)
	}
	if o.Scheme == "" {
		o.Scheme = "http"
		if o.TLS != nil {
			o.Scheme = "https"
		}
	}
	if !o.Client.IsValid() {
		o.Client = http1.ClientAddr(conn)
	}
}

func (o *Options) report(err error) {
	if o.Report != nil {
		o.Report(err)
	}
}
