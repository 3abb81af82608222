package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// linger is how long a connection waits for its next request before it gives its buffer back and waits without.
const linger = 2 * time.Second

// spareFields is room for fields that a handler adds to a request.
const spareFields = 12

type serverConn struct {
	wire
	o         Options
	parent    context.Context
	cancel    context.CancelFunc
	req       message.Request
	fields    message.Header // backs req.Header
	p         requestHead
	head      string // the head that p was parsed from
	date      string
	dateAt    int64
	s         sender
	room      message.Room // for the answer
	one       [1]byte
	encrypted bool
	idle      atomic.Bool
	draining  atomic.Bool
	rude      bool // bytes of the client may be unread: close so that the answer still arrives
	skipped   bool // an empty line before the head has been dropped
	taken     bool // the connection has been handed over and closed
	watch     watch
}

// ServeConn serves a connection until it ends, and closes it. Cancelling ctx closes it at once. For TLS, conn is a *tls.Conn
// (or has Options.TLS) whose handshake is over.
func ServeConn(ctx context.Context, conn net.Conn, o Options) {
	o.setDefaults(conn)
	own, cancel := context.WithCancel(ctx)
	c := &serverConn{wire: wire{conn: conn}, o: o, parent: ctx, cancel: cancel, encrypted: o.TLS != nil}
	c.watch.init(c)
	stops := [2]func() bool{context.AfterFunc(ctx, func() { _ = conn.Close() }), func() bool { return true }}
	if o.Drain != nil {
		stops[1] = context.AfterFunc(o.Drain, c.drain)
	}
	defer func() {
		stops[0]()
		stops[1]()
		cancel()
		c.watch.end()
		c.close()
	}()
	for c.next(own) && c.exchange(own) {
	}
}

// drain makes an idle connection's read return; one that is not idle looks at draining before it reads again.
func (c *serverConn) drain() {
	c.draining.Store(true)
	if c.idle.Load() {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// next reads and parses a head. It returns false when the connection is to be closed, after having said so if need be.
func (c *serverConn) next(ctx context.Context) bool {
	if c.buffered() == 0 && !c.await() {
		return false
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
	start := time.Now()
	c.idle.Store(true)
	defer c.idle.Store(false)
	short := !c.encrypted && c.o.IdleTimeout > 2*linger
	if short {
		c.armRead(linger)
	} else {
		c.armRead(c.o.IdleTimeout)
	}
	if c.draining.Load() {
		return false
	}
	err := c.fill(smallSize)
	if err == nil {
		return true
	}
	if !short || !isTimeout(err) || c.draining.Load() {
		return false
	}
	c.release()
	c.exactRead(start.Add(c.o.IdleTimeout))
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

// parseHead makes p of the n bytes at the start of the buffer. A head that equals the last one, as keep-alive clients often
// send, is not parsed again: nothing is allocated for it.
func (c *serverConn) parseHead(n int) *Error {
	b := c.buf[c.r : c.r+n]
	c.consume(n)
	if string(b) == c.head {
		return nil
	}
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
	*r = message.Request{
		Method: p.method, Scheme: c.o.Scheme, Host: p.host, Path: p.path, Query: p.query, HasQuery: p.hasQuery,
		Proto: p.proto, Header: c.fields, Client: c.o.Client, TLS: c.o.TLS, Room: &c.room,
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
	resp := c.call(ctx, h, r)
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

// answer sends resp. body is the request's, nil without one.
func (c *serverConn) answer(ctx context.Context, resp *message.Response, body *requestBody) bool {
	if err := c.unfit(resp, body); err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		if body != nil {
			body.detach()
		}
		c.reject(ctx, err)
		return false
	}
	keep := c.p.persists() && !resp.Close && !c.draining.Load() && c.mayKeep(body)
	f := responseFrame{length: -1, connection: "keep-alive", date: c.now()}
	bare := c.frame(resp, &f)
	delimited := f.chunked || f.length >= 0 || bare
	if keep = keep && delimited; !keep {
		f.connection = "close"
	}
	s := &c.s
	*s = sender{w: &c.wire, out: getBuffer(smallSize)[:0], timeout: c.o.WriteTimeout}
	var err error
	if s.out, err = appendResponse(s.out, resp, &f); err != nil {
		putBuffer(s.out)
		return c.answer(ctx, badAnswer(c, resp, err), body)
	}
	switch {
	case bare || resp.Body == nil || f.length == 0:
		_ = s.flush()
	case f.chunked:
		s.chunked(resp.Body)
	case f.length > 0:
		s.knownLength(resp.Body, f.length)
	default:
		s.untilClose(resp.Body)
	}
	putBuffer(s.out)
	s.out = nil
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if s.broken != nil && !delimited {
		c.reset() // an orderly close would make the body look whole
	}
	return c.settle(body) && keep && s.failed == nil && s.broken == nil
}

// badAnswer closes an answer that may not be sent and returns nil, which is answered with 500.
func badAnswer(c *serverConn, resp *message.Response, err error) *message.Response {
	c.report(fmt.Errorf("answer %s %q: %w", c.p.method, c.p.path, err))
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	return nil
}

// unfit finds the answers that have to be replaced: none at all, or one to a request whose body broke the protocol.
func (c *serverConn) unfit(resp *message.Response, body *requestBody) *Error {
	if body != nil && body.mu.TryLock() {
		err := body.f.err
		body.mu.Unlock()
		var e *Error
		if errors.As(err, &e) && (e.Kind == Malformed || e.Kind == Timeout) {
			return e
		}
	}
	if resp == nil {
		return &Error{Kind: BadMessage, Reason: "no answer"}
	}
	if resp.Status < 200 {
		return &Error{Kind: BadMessage, Reason: "interim status where a final one is due"}
	}
	return nil
}

// mayKeep tells whether the unread part of a request's body lets the connection live on.
func (c *serverConn) mayKeep(body *requestBody) bool {
	if body == nil || !body.mu.TryLock() {
		return true // being read: settle looks again
	}
	defer body.mu.Unlock()
	return body.f.done() || body.before == nil && body.f.err == nil && body.f.left <= c.o.MaxDrain
}

// settle takes the body from the handler and reads the rest of it.
func (c *serverConn) settle(body *requestBody) bool {
	if body == nil {
		return true
	}
	ok := body.detach() && (body.f.done() || body.f.err == nil && body.f.left <= c.o.MaxDrain && body.drain(c.o.MaxDrain, 5*time.Second))
	c.rude = c.rude || !ok
	c.scanned, c.line = 0, 0
	return ok
}

// frame chooses the framing of an answer (rfc9112 6.3); bare means that no body follows.
func (c *serverConn) frame(resp *message.Response, f *responseFrame) (bare bool) {
	switch {
	case resp.Status == http.StatusNoContent:
		return true
	case resp.Status == http.StatusNotModified:
		if resp.ContentLength > 0 {
			f.length = resp.ContentLength
		}
		return true
	case c.p.method == http.MethodHead:
		f.length = max(resp.ContentLength, -1)
		return true
	case resp.Body == nil:
		f.length = 0
	case resp.ContentLength >= 0:
		f.length = resp.ContentLength
	default:
		f.chunked = c.p.proto == message.HTTP11
	}
	return false
}

// now is the time for a Date field.
func (c *serverConn) now() string {
	t := time.Now()
	if s := t.Unix(); s != c.dateAt || c.date == "" {
		c.dateAt, c.date = s, t.UTC().Format(http.TimeFormat)
	}
	return c.date
}

// reject answers what no handler saw, or what must not be sent, and leaves the connection to be closed.
func (c *serverConn) reject(ctx context.Context, e *Error) {
	c.rude = true
	j := &Rejection{Err: e, Status: e.Status(), Host: c.guessHost(), Client: c.o.Client, TLS: c.o.TLS}
	var resp *message.Response
	if c.o.Reject != nil {
		resp = c.o.Reject(ctx, j)
	}
	if resp == nil {
		resp = message.Text(j.Status, "text/plain; charset=utf-8", http.StatusText(j.Status)+"\n")
	}
	var body []byte
	if resp.Body != nil {
		body, _ = io.ReadAll(io.LimitReader(resp.Body, largeSize))
		_ = resp.Body.Close()
	}
	f := responseFrame{length: int64(len(body)), connection: "close", date: c.now()}
	out, err := appendResponse(nil, resp, &f)
	if err != nil {
		c.report(fmt.Errorf("answer a refused request: %w", err))
		return
	}
	c.armWrite(c.o.WriteTimeout)
	_, _ = c.conn.Write(append(out, body...))
}

// guessHost looks for a Host line in what there is of a head.
func (c *serverConn) guessHost() string {
	b := c.head
	if b == "" && c.buf != nil {
		b = string(c.buf[:c.w])
	}
	for line := range strings.SplitSeq(b, "\r\n") {
		if len(line) > 5 && strings.EqualFold(line[:5], "Host:") {
			if h := trimSpace(line[5:]); ValidHost(h) {
				return TrimPort(h, c.o.Scheme)
			}
		}
	}
	return ""
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
	if !c.taken {
		_ = c.conn.Close()
	}
}
