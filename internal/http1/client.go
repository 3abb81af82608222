package http1

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// ClientOptions is how a ClientConn behaves.
type ClientOptions struct {
	// MaxHead bounds the head of a response, in bytes; default 32,768 (facts: cloudfront-dataplane 4). MaxFields bounds
	// its fields; default 256.
	MaxHead, MaxFields int
	// ReadTimeout is for the first byte of a response and for each further wait; 0 means none.
	ReadTimeout time.Duration
	// WriteTimeout is for each write; 0 means none.
	WriteTimeout time.Duration
	// AbsoluteForm writes the whole URL in the request line, as a forward proxy expects it (rfc9112 3.2.2).
	AbsoluteForm bool
	// BodyError, if not nil, replaces an error that reading a response's body ends with, other than io.EOF.
	BodyError func(error) error
	// Done is called once for each successful RoundTrip, when its response is over: reusable tells whether the connection
	// can take another request. It is then the callee's to close or to keep. nil closes what is not reusable.
	Done func(c *ClientConn, reusable bool)
}

// ClientConn sends requests over one connection, one at a time.
type ClientConn struct {
	wire
	o       ClientOptions
	p       responseHead
	socket  asker
	room    *message.Room // for the next answer; may be nil
	early   error         // what the read of askOnce failed with
	used    bool
	got     bool
	upload  *upload
	started atomic.Bool // the request body has been read from, or is about to be
	waiting atomic.Int32
	nudging sync.Mutex
}

// The states of ClientConn.waiting.
const (
	waitsNot = iota
	waits    // askOnce waits for an answer
	isNudged // and has been told to look
)

// NewClientConn makes a client of an established connection; for TLS, after the handshake.
func NewClientConn(conn net.Conn, o ClientOptions) *ClientConn {
	orElse(&o.MaxHead, 32<<10)
	orElse(&o.MaxFields, 256)
	c := &ClientConn{wire: wire{conn: conn}, o: o}
	c.socket.init(conn)
	return c
}

// SetReadTimeout changes the read timeout for the next request.
func (c *ClientConn) SetReadTimeout(d time.Duration) { c.o.ReadTimeout = d }

// SetCompletion sets within what time the next answer has to be whole; 0 means that it may take as long as it goes on.
func (c *ClientConn) SetCompletion(d time.Duration) {
	if c.end = 0; d > 0 {
		c.end = now() + instant(d)
	}
}

// Lend gives memory for the next answer but for its body, which is valid as long as the lender lets it be. It may be nil.
func (c *ClientConn) Lend(room *message.Room) { c.room = room }

// Close closes the connection.
func (c *ClientConn) Close() error { return c.conn.Close() }

// Used tells whether the connection has carried a request before.
func (c *ClientConn) Used() bool { return c.used }

// Untouched tells, after a failed RoundTrip, that no byte of an answer had arrived and none of the body had been taken: the
// request may be sent again on another connection if it is idempotent (rfc9112 9.3.1).
func (c *ClientConn) Untouched() bool { return !c.got && !c.started.Load() }

// Healthy looks at an idle connection. Bytes that wait there belong to no request: they would be taken for the next answer.
func (c *ClientConn) Healthy() bool {
	if c.socket.able() {
		return c.socket.quiet()
	}
	g := look(c.conn)
	if _, tls := c.conn.(interface{ NetConn() net.Conn }); tls {
		return !g.ended // session tickets may wait unread
	}
	return !g.ended && !g.readable
}

// RoundTrip sends r and reads the head of its answer. The answer's Body is nil when it has none, and must be closed
// otherwise; for 101 it is an io.ReadWriteCloser. After an error, the connection is closed. Errors are *Error.
func (c *ClientConn) RoundTrip(r *message.Request) (*message.Response, error) {
	c.got = false
	c.started.Store(false)
	resp, err := c.roundTrip(r)
	if err != nil {
		_ = c.conn.Close()
		c.release()
		return nil, err
	}
	return resp, nil
}

func (c *ClientConn) roundTrip(r *message.Request) (*message.Response, error) {
	upgrading := wantsUpgrade(r)
	if err := c.send(r, upgrading); err != nil {
		return nil, err
	}
	m := c.memory()
	continued := false
	for interim := 0; ; interim++ {
		if interim > 16 {
			return nil, malformed("too many interim responses")
		}
		if err := c.readHead(r.Method, m.fields); err != nil {
			// A server may answer early and close while the body is still on its way: what was read of it counts.
			return nil, err
		}
		switch p := &c.p; {
		case p.status == http.StatusSwitchingProtocols && upgrading && p.upgrade && strings.EqualFold(p.upgradeTo, "websocket"):
			c.answered()
			return c.switched()
		case p.status == http.StatusSwitchingProtocols:
			return nil, malformed("101 without a request for it")
		case p.status >= 200:
			c.answered()
			return c.response(r.Method, m), nil
		case p.status == http.StatusContinue && continued:
			// CloudFront takes one of them at most (DG-requestandresponsebehaviorcustomorigin, "100 Continue responses").
			return nil, malformed("a second 100 Continue")
		case p.status == http.StatusContinue:
			continued = true
		}
	}
}

// wantsUpgrade tells whether r is a WebSocket handshake.
func wantsUpgrade(r *message.Request) bool {
	v, ok := r.Header.Lookup("Upgrade")
	return ok && r.Method == http.MethodGet && r.Body == nil && strings.EqualFold(v, "websocket")
}

// answer is the memory of one answer.
type answer struct {
	resp   *message.Response
	body   *responseBody // nil: made when there is one
	fields message.Header
}

// ownAnswer is an answer in one piece of memory. It lives as long as whoever holds the message, so it is not reused.
type ownAnswer struct {
	message.Response
	body   responseBody
	fields [14]message.Field
}

// memory returns what the answer is made in: what was lent, but for the body, which may outlast that.
func (c *ClientConn) memory() answer {
	if room := c.room; room != nil {
		c.room = nil
		return answer{resp: &room.Response, fields: room.Fields[:0]}
	}
	m := new(ownAnswer)
	return answer{resp: &m.Response, body: &m.body, fields: m.fields[:0]}
}

// response makes the message of a final head.
func (c *ClientConn) response(method string, m answer) *message.Response {
	p := &c.p
	resp := m.resp
	*resp = message.Response{Status: p.status, Reason: p.reason, Header: p.fields, ContentLength: p.length}
	if p.hosts > 0 {
		resp.Header = append(resp.Header, message.Field{Name: "Host", Value: p.host})
	}
	p.fields = nil // the connection may be idle for long, and must not keep an answer alive
	persists := !p.close && (!p.old || p.keepAlive)
	if method == http.MethodHead || p.status == http.StatusNoContent || p.status == http.StatusNotModified {
		if p.status == http.StatusNoContent {
			resp.ContentLength = 0
		}
		c.finish(persists)
		return resp
	}
	b := m.body
	if b == nil {
		b = new(responseBody)
	}
	b.c, b.persists = c, persists
	b.f = framed{w: &c.wire, kind: byLength, left: p.length, limit: c.o.MaxHead, timeout: c.o.ReadTimeout}
	switch {
	case p.chunked:
		b.f.kind, b.f.left = byChunks, 0
	case p.length < 0:
		b.f.kind, b.f.left, b.persists = byClose, 0, false
	case p.length == 0:
		c.finish(persists)
		return resp
	}
	resp.Body = b
	return resp
}

// finish ends an exchange. Bytes behind an answer are a second answer to nothing (rfc9112 9.2).
func (c *ClientConn) finish(reusable bool) {
	if c.buffered() > 0 {
		reusable = false
	}
	if u := c.upload; u != nil {
		c.upload = nil
		reusable = reusable && !u.early && u.finished()
	}
	c.release()
	c.used = true
	switch {
	case c.o.Done != nil:
		c.o.Done(c, reusable)
	case !reusable:
		_ = c.conn.Close()
	}
}
