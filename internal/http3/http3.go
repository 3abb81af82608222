// Package http3 is Foregate's HTTP/3 engine (rfc9114): it turns the streams of a QUIC connection into message.Request and
// message.Response. QUIC itself is quic-go's.
//
// Start with Listen, Listener.Accept and Conn.Serve. Each request has a goroutine of its own. quic-go also has HTTP/3, over
// net/http's messages; it is not used, because the order of fields and the raw path are lost there, some refusals have no
// hook, and a head leaves sorted.
//
// The package must not know CloudFront or API Gateway: texts and odd status codes of refusals come from Options.Reject.
//
// Caveats:
//   - As with http1, the *message.Request and its Header belong to the engine again once Serve has returned and the
//     response's body is closed. Strings are never reused, but for those in message.Room.
//   - What breaks rfc9114 itself (4.1.2: "malformed") is a stream error without an answer; what only a server of HTTP cannot
//     use, such as an invalid host or a head over the limit, is answered through Reject. These are the rules of http2.
//   - QPACK goes without its dynamic table in both directions (rfc9204 3.2.3). Trailers are checked and dropped. The Priority
//     field and PRIORITY_UPDATE are followed (rfc9218).
//   - No 0-RTT: a request in it could be replayed. s2n-quic, which CloudFront's HTTP/3 is made of, has none either (s2n-tls
//     issue 2577). No server push, no extended CONNECT, no datagrams.
//   - A handler starts when the first byte of the body is there, or its end, unless a Content-Length or an Expect tells that a
//     body comes: only then is it known whether there is one.
package http3

import (
	"cmp"
	"context"
	"time"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Options is how a connection is served. Fields that http1.Options has too mean the same here.
type Options struct {
	Handler message.Handler
	Reject  func(ctx context.Context, r *http1.Rejection) *message.Response
	Report  func(error)
	// Drain, when done, refuses further requests and ends the connection after the answers that are under way.
	Drain context.Context

	// MaxHead bounds pseudo-header fields and fields, in bytes as in HTTP/1.1; default 32,768. MaxFields bounds their number;
	// default 256.
	MaxHead, MaxFields int
	// HeadTimeout is for a whole head, IdleTimeout for the time without a request, BodyTimeout and WriteTimeout for one step
	// of a body. Defaults: 30 s, 60 s, 30 s, 60 s. Negative: none.
	HeadTimeout, IdleTimeout, BodyTimeout, WriteTimeout time.Duration
}

func (o *Options) setDefaults() {
	o.MaxHead = cmp.Or(o.MaxHead, 32<<10)
	o.MaxFields = cmp.Or(o.MaxFields, 256)
	o.HeadTimeout = cmp.Or(o.HeadTimeout, 30*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, time.Minute)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
}

func (o *Options) rules() head.Rules {
	return head.Rules{MaxBytes: o.MaxHead, MaxFields: o.MaxFields, Scheme: "https"}
}

func (o *Options) report(err error) {
	if o.Report != nil {
		o.Report(err)
	}
}

// after is the deadline of a step that may take d; d < 0 means never.
func after(d time.Duration) time.Time {
	if d < 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}
