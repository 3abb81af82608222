package http1

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// spareFields is room for fields that a handler adds to a request.
const spareFields = 12

// serverConn is a connection. Most of a server's connections are idle, so what only an active one needs is in turn.
type serverConn struct {
	wire
	*turn
	o         Options
	parent    context.Context
	since     instant // when it has become idle
	encrypted bool
	idle      atomic.Bool
	draining  atomic.Bool
	rude      bool // bytes of the client may be unread: close so that the answer still arrives
	skipped   bool // an empty line before the head has been dropped
	taken     bool // the connection has been handed over and closed
	park      bool // the connection is to wait at the Parker
	unwatched bool // the Parker does not want it
	woken     bool // the Parker says that something is there to read
}

// turn is what a connection needs while it has requests. It is not used again for another connection, since a handler may
// have left somebody behind that still looks at its request.
type turn struct {
	req    message.Request
	fields message.Header // backs req.Header
	p      requestHead
	head   string // the head that p was parsed from, "" when it may not be used again
	date   dateClock
	s      sender
	room   message.Room // for the answer
	watch  watch
	late   late
	sip    sipper
	one    [1]byte
}

// Parker waits for connections that have been idle for a moment, so that they need neither a goroutine nor a buffer.
type Parker interface {
	// Park calls p.Wake once, in a goroutine of its own: with true when conn can be read or has ended, with false when the
	// limit is over or the connection is not wanted any more. When it cannot watch conn, it returns false and does nothing.
	Park(conn net.Conn, limit time.Duration, p Parked) bool
	// Over is called at the end of a connection with which ServeConn has not returned true.
	Over()
}

// Parked is a connection at a Parker.
type Parked interface{ Wake(ready bool) }

// ServeConn serves a connection until it ends, and closes it. Cancelling ctx closes it at once. For TLS, conn is a *tls.Conn
// (or has Options.TLS) whose handshake is over. It returns false when the connection goes on at Options.Parker.
func ServeConn(ctx context.Context, conn net.Conn, o Options) (over bool) {
	o.setDefaults(conn)
	c := &serverConn{wire: wire{conn: conn}, o: o, parent: ctx, encrypted: o.TLS != nil}
	return c.run()
}

// Wake goes on with a connection that was parked.
func (c *serverConn) Wake(ready bool) {
	if !ready {
		c.close()
	} else {
		c.woken = true
		if !c.run() {
			return
		}
	}
	c.o.Parker.Over()
}

// run serves until the connection ends, or until it is parked; then somebody else may be serving it already.
func (c *serverConn) run() (over bool) {
	for {
		c.serve()
		if !c.park {
			c.close()
			return true
		}
		c.park = false
		left := c.o.IdleTimeout - time.Duration(now()-c.since)
		if c.o.IdleTimeout < 0 {
			left = -1
		}
		if c.o.Parker.Park(c.conn, left, c) {
			return false
		}
		c.unwatched = true
	}
}

// serve answers requests until the connection ends or has been idle for a while.
func (c *serverConn) serve() {
	own, cancel := context.WithCancel(c.parent)
	c.turn = &turn{
		s:     sender{w: &c.wire, timeout: c.o.WriteTimeout},
		watch: watch{conn: c.conn, every: c.o.Watch, cancel: cancel},
	}
	c.sip.init(&c.wire)
	c.s.sip = &c.sip
	stops := [2]func() bool{context.AfterFunc(c.parent, func() { _ = c.conn.Close() }), func() bool { return true }}
	if c.o.Drain != nil {
		stops[1] = context.AfterFunc(c.o.Drain, c.drain)
	}
	defer func() {
		stops[0]()
		stops[1]()
		cancel()
		c.watch.end()
		c.late.end()
		if c.park {
			c.release()
			c.turn = nil
		}
	}()
	for c.next(own) && c.exchange(own) {
	}
	_ = c.flush()
}

// drain makes an idle connection's read return; one that is not idle looks at draining before it reads again.
func (c *serverConn) drain() {
	c.draining.Store(true)
	if c.idle.Load() {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// next reads and parses a head. It returns false when the connection is to be closed, after having said so if need be, or to
// be parked.
func (c *serverConn) next(ctx context.Context) bool {
	if c.buffered() == 0 && !c.await() {
		return false
	}
	if n := len(c.head); n > 0 && c.buffered() >= n && string(c.buf[c.r:c.r+n]) == c.head {
		c.consume(n) // as keep-alive clients often send it: parsed already
		return true
	}
	n, err := c.readHead()
	if err == nil {
		err = c.parseHead(n)
	}
	if err != nil {
		if err.Kind != Broken && err.Kind != Incomplete {
			c.reject(ctx, err)
		}
		return false
	}
	return true
}

// await waits for the first byte of a request.
func (c *serverConn) await() bool {
	c.idle.Store(true)
	defer c.idle.Store(false)
	parks := c.o.Parker != nil && !c.unwatched && !c.woken
	c.woken = false
	short := (parks || !c.encrypted) && (c.o.IdleTimeout > 2*c.o.Linger || c.o.IdleTimeout < 0)
	if short {
		c.since = c.armRead(c.o.Linger)
	} else {
		c.since = c.armRead(c.o.IdleTimeout)
	}
	if c.flush() != nil || c.draining.Load() {
		return false
	}
	err := c.sip.fill()
	if err == nil {
		return true
	}
	// After a read of crypto/tls that has timed out, all whole records have been read: what is to come is at the socket.
	if !short || !isTimeout(err) || c.draining.Load() {
		return false
	}
	if c.park = parks; parks {
		return false
	}
	return c.awaitBare()
}

// awaitBare waits without a buffer.
func (c *serverConn) awaitBare() bool {
	c.release()
	if c.readBy = 0; c.o.IdleTimeout > 0 {
		c.readBy = c.since + instant(c.o.IdleTimeout)
	}
	_ = c.conn.SetReadDeadline(deadline(c.readBy))
	if c.draining.Load() {
		return false
	}
	n, err := c.conn.Read(c.one[:])
	if n == 1 {
		c.buf = getBuffer(smallSize)
		c.buf[0], c.r, c.w = c.one[0], 0, 1
		c.armRead(c.o.HeadTimeout)
		if c.fill(smallSize) != nil {
			return false
		}
	}
	return n == 1 || err == nil
}

// readHead returns the length of the head in the buffer.
func (c *serverConn) readHead() (int, *Error) {
	first, started := true, false
	for {
		n, err := 0, error(nil)
		if !started {
			var why *Error
			if started, why = c.startOfHead(); why != nil {
				return 0, why
			}
		}
		if started {
			n, err = c.endOfHead()
		}
		switch {
		case err != nil:
			return 0, malformed(err.Error())
		case n > c.o.MaxHead || n == 0 && c.buffered() >= c.o.MaxHead:
			return 0, &Error{Kind: HeadTooBig, Reason: "request line and fields are over the limit"}
		case n > 0:
			return n, nil
		}
		if first {
			c.exactReadAfter(c.o.HeadTimeout)
			first = false
		}
		if e := c.flush(); e != nil {
			return 0, &Error{Kind: Broken, Reason: "sending the answer before", Err: e}
		}
		if e := c.fill(max(c.o.MaxHead, smallSize)); e != nil {
			if isTimeout(e) {
				return 0, &Error{Kind: Timeout, Reason: "reading the head", Err: e}
			}
			return 0, &Error{Kind: Incomplete, Reason: "the connection ended within the head", Err: e}
		}
	}
}

func (c *serverConn) exactReadAfter(d time.Duration) {
	if d > 0 {
		c.exactRead(time.Now().Add(d))
		return
	}
	c.armRead(0)
}

// startOfHead drops one CRLF before a request line (rfc9112 2.2), and refuses early what can be no request line. It returns
// false while there is nothing to see yet.
func (c *serverConn) startOfHead() (bool, *Error) {
	b := c.buf[c.r:c.w]
	if len(b) > 0 && b[0] == '\r' {
		switch {
		case c.skipped || len(b) > 1 && b[1] != '\n':
			return false, malformed("invalid method")
		case len(b) == 1:
			return false, nil
		}
		c.skipped = true
		c.consume(2)
		b = b[2:]
	}
	switch {
	case len(b) == 0:
		return false, nil
	case class[b[0]]&isToken == 0:
		return false, malformed("invalid method")
	}
	c.skipped = false
	return true, nil
}

// parseHead makes p of the n bytes at the start of the buffer.
func (c *serverConn) parseHead(n int) *Error {
	b := c.buf[c.r : c.r+n]
	c.consume(n)
	c.head = ""
	head := string(b)
	if err := c.p.parse(head, c.o.Scheme, c.o.MaxFields); err != nil {
		return err
	}
	switch p := &c.p; {
	case p.method == "CONNECT" && c.o.Connect == nil:
		return malformed("CONNECT to a server that is no proxy")
	case p.scheme != "" && c.o.Proxy == nil && p.scheme != c.o.Scheme:
		return malformed("request target of another scheme than the connection's")
	}
	c.head = head
	return nil
}

// exchange gives the request to its handler and sends the answer. It returns whether another request may follow.
func (c *serverConn) exchange(ctx context.Context) bool {
	p, r := &c.p, &c.req
	if need := len(p.fields) + spareFields; cap(c.fields) < need {
		c.fields = make(message.Header, 0, need)
	}
	c.fields = append(c.fields[:0], p.fields...)
	c.room.Sent = 0
	*r = message.Request{
		Method: p.method, Scheme: c.o.Scheme, Host: p.host, Path: p.path, Query: p.query, HasQuery: p.hasQuery,
		Proto: p.proto, Header: c.fields, Lines: p.lines, Client: c.o.Client, TLS: c.o.TLS, Room: &c.room,
	}
	if (p.hasBody() || p.wantsUpgrade() || p.method == "CONNECT") && c.flush() != nil {
		return false
	}
	var body *requestBody
	if p.hasBody() {
		body = c.body()
		r.Body, r.ContentLength = body, p.length
	}
	h := c.o.Handler
	switch {
	case p.method == "CONNECT":
		h = c.o.Connect
	case p.scheme != "" && c.o.Proxy != nil:
		h, r.Scheme = c.o.Proxy, p.scheme
	}
	var t *tunnel
	if p.method == "CONNECT" || p.wantsUpgrade() {
		t = newTunnel(c)
		r.Upgrade = t.claim
		if p.method != "CONNECT" {
			r.Header = append(r.Header, message.Field{Name: "Connection", Value: "Upgrade"}, message.Field{Name: "Upgrade", Value: p.upgradeTo})
		}
	}
	c.watch.begin()
	defer c.watch.pause()
	waiting := len(c.s.out) > 0
	if waiting {
		c.late.begin(c)
	}
	resp := c.call(ctx, h, r)
	if waiting {
		c.late.end()
	}
	if t != nil {
		return c.answerUpgrade(ctx, resp, t)
	}
	return c.answer(ctx, resp, body)
}

func (c *serverConn) body() *requestBody {
	p := &c.p
	b := &requestBody{f: framed{w: &c.wire, kind: byLength, left: p.length, limit: c.o.MaxHead, timeout: c.o.BodyTimeout}}
	if p.chunked {
		b.f.kind, b.f.left = byChunks, 0
	}
	if p.hasExpect && p.proto == message.HTTP11 && c.buffered() == 0 {
		b.before = func() error {
			c.armWrite(c.o.WriteTimeout)
			_, err := io.WriteString(c.conn, "HTTP/1.1 100 Continue\r\n\r\n")
			return err
		}
	}
	return b
}

func (c *serverConn) call(ctx context.Context, h message.Handler, r *message.Request) (resp *message.Response) {
	defer func() {
		if v := recover(); v != nil {
			c.report(fmt.Errorf("serve %s %q: panic: %v\n%s", r.Method, r.Path, v, debug.Stack()))
			resp = nil
		}
	}()
	return h.Serve(ctx, r)
}

func (c *serverConn) report(err error) {
	if c.o.Report != nil {
		c.o.Report(err)
	}
}

// reset makes the close abortive, so that the client cannot take the end for a proper one.
func (c *serverConn) reset() {
	c.rude = false
	if t, ok := c.conn.(interface{ NetConn() net.Conn }); ok {
		if tcp, ok := t.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	} else if tcp, ok := c.conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// close closes the connection. With bytes of the client unread, a plain close would send a reset that can overtake the
// answer, so for a moment what comes is read and thrown away (rfc9112 9.6).
func (c *serverConn) close() {
	half, ok := c.conn.(interface{ CloseWrite() error })
	if ok && !c.taken && (c.rude || c.buffered() > 0) && c.parent.Err() == nil && half.CloseWrite() == nil {
		_ = c.conn.SetReadDeadline(time.Now().Add(time.Second))
		b := getBuffer(largeSize)
		for n := 0; n < 1<<20; {
			m, err := c.conn.Read(b)
			if n += m; err != nil {
				break
			}
		}
		putBuffer(b)
	}
	c.release()
	if c.turn != nil {
		putBuffer(c.s.out)
		c.s.out = nil
	}
	if !c.taken {
		_ = c.conn.Close()
	}
}
