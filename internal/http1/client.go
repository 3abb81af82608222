package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
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
	s       sender
	used    bool
	got     bool
	upload  *upload
	started atomic.Bool // something of the request body was read
}

// NewClientConn makes a client of an established connection; for TLS, after the handshake.
func NewClientConn(conn net.Conn, o ClientOptions) *ClientConn {
	orElse(&o.MaxHead, 32<<10)
	orElse(&o.MaxFields, 256)
	return &ClientConn{wire: wire{conn: conn}, o: o}
}

// SetReadTimeout changes the read timeout for the next request.
func (c *ClientConn) SetReadTimeout(d time.Duration) { c.o.ReadTimeout = d }

// Close closes the connection.
func (c *ClientConn) Close() error { return c.conn.Close() }

// Used tells whether the connection has carried a request before.
func (c *ClientConn) Used() bool { return c.used }

// Untouched tells, after a failed RoundTrip, that no byte of an answer had arrived and none of the body had been taken: the
// request may be sent again on another connection if it is idempotent (rfc9112 9.3.1).
func (c *ClientConn) Untouched() bool { return !c.got && !c.started.Load() }

// Healthy looks at an idle connection. Bytes that wait there belong to no request: they would be taken for the next answer.
func (c *ClientConn) Healthy() bool {
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
	if c.o.ReadTimeout > 0 {
		c.exactRead(time.Now().Add(c.o.ReadTimeout))
	} else {
		c.armRead(0)
	}
	for interim := 0; ; interim++ {
		if interim > 16 {
			return nil, malformed("too many interim responses")
		}
		if err := c.readHead(r.Method); err != nil {
			// A server may answer early and close while the body is still on its way: what was read of it counts.
			return nil, err
		}
		switch p := &c.p; {
		case p.status == http.StatusSwitchingProtocols && upgrading && p.upgrade && strings.EqualFold(p.upgradeTo, "websocket"):
			return c.switched()
		case p.status == http.StatusSwitchingProtocols:
			return nil, malformed("101 without a request for it")
		case p.status >= 200:
			return c.response(r.Method)
		}
	}
}

// wantsUpgrade tells whether r is a WebSocket handshake.
func wantsUpgrade(r *message.Request) bool {
	v, ok := r.Header.Lookup("Upgrade")
	return ok && r.Method == http.MethodGet && r.Body == nil && strings.EqualFold(v, "websocket")
}

// readHead reads the head of a final or interim response.
func (c *ClientConn) readHead(method string) *Error {
	for {
		if c.buffered() > 0 {
			c.got = true
			if c.scanned == 0 && !startsLikeHTTP(c.buf[c.r:c.w]) {
				return malformed("answer that is not HTTP")
			}
		}
		n, err := c.endOfHead()
		switch {
		case err != nil:
			return malformed(err.Error())
		case n > c.o.MaxHead || n == 0 && c.buffered() >= c.o.MaxHead:
			return &Error{Kind: HeadTooBig, Reason: "status line and fields are over the limit"}
		case n > 0:
			head := string(c.buf[c.r : c.r+n])
			c.consume(n)
			return c.p.parse(head, method, c.o.MaxFields)
		}
		if e := c.fill(max(c.o.MaxHead, smallSize)); e != nil {
			switch {
			case isTimeout(e):
				return &Error{Kind: Timeout, Reason: "waiting for the answer", Err: e}
			case errors.Is(e, io.EOF) && c.buffered() > 0:
				return &Error{Kind: Incomplete, Reason: "the connection ended within the head", Err: io.ErrUnexpectedEOF}
			}
			return &Error{Kind: Broken, Reason: "waiting for the answer", Err: e}
		}
	}
}

func startsLikeHTTP(b []byte) bool {
	const begin = "HTTP/1."
	n := min(len(b), len(begin))
	return string(b[:n]) == begin[:n]
}

// responseHead is a parsed response head.
type responseHead struct {
	status int
	reason string
	old    bool // HTTP/1.0
	fields message.Header
	framing
}

func (p *responseHead) parse(head, method string, maxFields int) *Error {
	nl := strings.IndexByte(head, '\n')
	line := head[:max(nl-1, 0)]
	// "HTTP/1.x SP 3DIGIT [SP reason]" (rfc9112 4); the space before an empty reason is often forgotten.
	if len(line) < 12 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return malformed("invalid status line")
	}
	p.old = line[7] == '0'
	n, err := strconv.ParseUint(line[9:12], 10, 16)
	if err != nil || n < 100 {
		return malformed("invalid status")
	}
	p.status, p.reason = int(n), ""
	if len(line) > 13 {
		p.reason = line[13:]
		if !ValidValue(p.reason) {
			return malformed("forbidden character in the reason phrase")
		}
		if p.reason == http.StatusText(p.status) {
			p.reason = ""
		}
	}
	h, why := parseFields(head[nl+1:], make(message.Header, 0, strings.Count(head, "\n")+4), maxFields)
	if why == tooManyFields {
		return &Error{Kind: HeadTooBig, Reason: why}
	}
	if why == "" {
		h, why = p.split(h)
	}
	p.fields = h
	switch {
	case why != "":
	case p.chunked && p.old:
		why = "Transfer-Encoding in HTTP/1.0"
	case p.status < 200 && (p.chunked || p.length > 0):
		why = "interim response with a body"
	case p.status == http.StatusNoContent && (p.chunked || p.length > 0) && method != http.MethodHead:
		why = "204 with a body"
	}
	if why != "" {
		return malformed(why)
	}
	return nil
}

// response makes the message of a final head.
func (c *ClientConn) response(method string) (*message.Response, error) {
	p := &c.p
	m := &struct {
		message.Response
		body responseBody
	}{Response: message.Response{Status: p.status, Reason: p.reason, Header: p.fields, ContentLength: p.length}}
	resp := &m.Response
	if p.hosts > 0 {
		resp.Header = append(resp.Header, message.Field{Name: "Host", Value: p.host})
	}
	persists := !p.close && (!p.old || p.keepAlive)
	if method == http.MethodHead || p.status == http.StatusNoContent || p.status == http.StatusNotModified {
		if p.status == http.StatusNoContent {
			resp.ContentLength = 0
		}
		c.finish(persists)
		return resp, nil
	}
	b := &m.body
	b.c, b.persists = c, persists
	b.f = framed{w: &c.wire, kind: byLength, left: p.length, limit: c.o.MaxHead, timeout: c.o.ReadTimeout}
	switch {
	case p.chunked:
		b.f.kind, b.f.left = byChunks, 0
	case p.length < 0:
		b.f.kind, b.f.left, b.persists = byClose, 0, false
	case p.length == 0:
		c.finish(persists)
		return resp, nil
	}
	resp.Body = b
	return resp, nil
}

// finish ends an exchange. Bytes behind an answer are a second answer to nothing (rfc9112 9.2).
func (c *ClientConn) finish(reusable bool) {
	if c.buffered() > 0 {
		reusable = false
	}
	if u := c.upload; u != nil {
		c.upload = nil
		reusable = reusable && u.finished()
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

// switched hands the connection over after a 101.
func (c *ClientConn) switched() (*message.Response, error) {
	c.armRead(0)
	c.armWrite(0)
	return &message.Response{
		Status: c.p.status, Reason: c.p.reason, Header: c.p.fields, ContentLength: -1, Body: &clientTunnel{c: c},
	}, nil
}

// clientTunnel is the connection behind a 101.
type clientTunnel struct {
	c    *ClientConn
	once sync.Once
}

func (t *clientTunnel) Read(p []byte) (int, error) {
	if w := &t.c.wire; w.buffered() > 0 {
		n := copy(p, w.buf[w.r:w.w])
		w.r += n
		return n, nil
	}
	return t.c.conn.Read(p)
}

func (t *clientTunnel) Write(p []byte) (int, error) { return t.c.conn.Write(p) }

// CloseWrite ends our direction only.
func (t *clientTunnel) CloseWrite() error {
	if h, ok := t.c.conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return t.Close()
}

func (t *clientTunnel) Close() (err error) {
	t.once.Do(func() {
		err = t.c.conn.Close()
		if t.c.o.Done != nil {
			t.c.o.Done(t.c, false)
		}
	})
	return err
}

// responseBody is the body of an answer. Read and Close may be called from different goroutines, not Read twice.
type responseBody struct {
	c        *ClientConn
	f        framed
	persists bool
	mu       sync.Mutex
	over     bool
	closed   atomic.Bool
}

// Read reads the body. An error other than io.EOF is an *Error and means that the body is not whole.
func (b *responseBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		if b.f.err == nil {
			return 0, http.ErrBodyReadAfterClose
		}
		return 0, b.f.err
	}
	n, err := b.f.read(p)
	if err != nil {
		if b.closed.Load() && err != io.EOF {
			b.f.err = http.ErrBodyReadAfterClose
		}
		if err != io.EOF && b.c.o.BodyError != nil {
			b.f.err = b.c.o.BodyError(b.f.err)
		}
		err = b.f.err
		b.end(err == io.EOF && b.persists)
	}
	return n, err
}

// Buffered says how much can be read without waiting.
func (b *responseBody) Buffered() int {
	if !b.mu.TryLock() {
		return 0
	}
	defer b.mu.Unlock()
	if b.over {
		return 0
	}
	return b.f.buffered()
}

func (b *responseBody) end(reusable bool) {
	if !b.over {
		b.over = true
		b.c.finish(reusable)
	}
}

// Close ends the exchange. A body that was not read to its end takes the connection with it, unless the rest is here.
func (b *responseBody) Close() error {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		_ = b.c.conn.Close() // wakes the reader
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if !b.over && b.f.kind == byLength && int64(b.c.buffered()) == b.f.left {
		b.c.r = b.c.w
		b.end(b.persists)
	}
	b.end(false)
	return nil
}

// upload sends a request's body while the answer may already be on its way.
type upload struct {
	done chan struct{}
	ok   bool // whole; set before done is closed
}

func (u *upload) finished() bool {
	select {
	case <-u.done:
		return u.ok
	default:
		return false
	}
}

// send writes the request. A small body leaves with the head; any other is sent by its own goroutine, which ends when the
// body does, or when the connection is closed and the body's next read returns.
func (c *ClientConn) send(r *message.Request, upgrading bool) *Error {
	length, chunked := requestExtent(r)
	s := &c.s
	*s = sender{w: &c.wire, out: getBuffer(smallSize)[:0], timeout: c.o.WriteTimeout}
	var why string
	if s.out, why = c.appendRequest(s.out, r, length, upgrading); why != "" {
		putBuffer(s.out)
		return &Error{Kind: BadMessage, Reason: why}
	}
	if length == 0 && !chunked {
		err := s.flush()
		putBuffer(s.out)
		return c.sendError(err)
	}
	body := io.Reader(&counted{r: r.Body, started: &c.started})
	if b, ok := r.Body.(Buffered); !chunked && length <= oneWrite && (ok && int64(b.Buffered()) >= length || inMemory(r.Body)) {
		if ok {
			body = readyBody{body, b}
		}
		s.knownLength(body, length)
		putBuffer(s.out)
		if s.broken != nil {
			return &Error{Kind: BadMessage, Reason: "reading the request's body", Err: s.broken}
		}
		return c.sendError(s.failed)
	}
	u := &upload{done: make(chan struct{})}
	c.upload = u
	s = &sender{w: s.w, out: s.out, timeout: s.timeout} // the connection may be in other hands before the upload ends
	go func() {
		defer close(u.done)
		if chunked {
			s.chunked(body)
		} else {
			s.knownLength(body, length)
		}
		putBuffer(s.out)
		u.ok = s.broken == nil && s.failed == nil
		if s.broken != nil {
			_ = c.conn.Close() // the rest of the body will never come: the reader must not wait for an answer
		}
	}()
	return nil
}

func (c *ClientConn) sendError(err error) *Error {
	switch {
	case err == nil:
		return nil
	case isTimeout(err):
		return &Error{Kind: Timeout, Reason: "sending the request", Err: err}
	}
	return &Error{Kind: Broken, Reason: "sending the request", Err: err}
}

func requestExtent(r *message.Request) (length int64, chunked bool) {
	switch {
	case r.Body == nil:
		return 0, false
	case r.ContentLength < 0:
		return -1, true
	}
	return r.ContentLength, false
}

func inMemory(r io.Reader) bool {
	switch r.(type) {
	case *bytes.Reader, *strings.Reader, *bytes.Buffer:
		return true
	}
	return false
}

type counted struct {
	r       io.Reader
	started *atomic.Bool
}

func (c *counted) Read(p []byte) (int, error) {
	c.started.Store(true)
	return c.r.Read(p)
}

type readyBody struct {
	io.Reader
	Buffered
}

// appendRequest writes the head. Host stands first (rfc9110 7.2).
func (c *ClientConn) appendRequest(dst []byte, r *message.Request, length int64, upgrading bool) (_ []byte, why string) {
	switch {
	case !ValidName(r.Method) || r.Method == http.MethodConnect:
		return dst, "method " + strconv.Quote(r.Method)
	case !ValidTarget(r.Path) || r.Path[0] != '/' && (r.Path != "*" || r.Method != http.MethodOptions) || strings.Contains(r.Path, "?"):
		return dst, "path " + strconv.Quote(r.Path)
	case !all(r.Query, isTarget) || r.Path == "*" && (r.HasQuery || r.Query != ""):
		return dst, "query " + strconv.Quote(r.Query)
	case !ValidHost(r.Host):
		return dst, "host " + strconv.Quote(r.Host)
	}
	dst = append(append(dst, r.Method...), ' ')
	if c.o.AbsoluteForm {
		dst = append(append(append(dst, r.Scheme...), "://"...), r.Host...)
	}
	dst = append(dst, r.Path...)
	if r.HasQuery || r.Query != "" {
		dst = append(append(dst, '?'), r.Query...)
	}
	dst = append(append(append(dst, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	ok := true
	for i := range r.Header {
		x := &r.Header[i]
		if framesMessage(x.Name) || len(x.Name) == 6 && strings.EqualFold(x.Name, "Expect") || strings.EqualFold(x.Name, "Host") {
			continue
		}
		if dst, ok = appendField(dst, x.Name, x.Value); !ok {
			return dst, "field " + strconv.Quote(x.Name)
		}
	}
	f := responseFrame{length: -1, chunked: length < 0}
	if length > 0 || length == 0 && (r.Body != nil || needsLength(r.Method)) {
		f.length = length
	}
	if upgrading {
		f.connection, f.upgrade = "Upgrade", "websocket"
	}
	return append(f.append(dst), "\r\n"...), ""
}

// CheckRequest tells what is wrong with a request that is to be sent, and returns the size of its head in bytes. It is for
// those who hand a request over without a wire.
func CheckRequest(r *message.Request) (size int, err error) {
	c := ClientConn{}
	length, _ := requestExtent(r)
	b := getBuffer(smallSize)
	out, why := c.appendRequest(b[:0], r, length, wantsUpgrade(r))
	putBuffer(out)
	if why != "" {
		return 0, &Error{Kind: BadMessage, Reason: why}
	}
	return len(out), nil
}

// CheckResponse is CheckRequest for answers.
func CheckResponse(r *message.Response) (size int, err error) {
	out, err := appendResponse(getBuffer(smallSize)[:0], r, &responseFrame{length: max(r.ContentLength, -1)})
	putBuffer(out)
	return len(out), err
}

// FramesMessage tells whether a field belongs to a connection and never to a message that is handed on: Connection,
// Content-Length, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade.
func FramesMessage(name string) bool { return framesMessage(name) }

// needsLength tells for which methods an empty body is announced (rfc9110 8.6).
func needsLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
