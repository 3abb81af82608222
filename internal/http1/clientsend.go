package http1

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// upload sends a request's body while the answer may already be on its way.
type upload struct {
	done     chan struct{}
	ok       bool // whole; set before done is closed
	mu       sync.Mutex
	answered bool // the answer's head is here: its reader sets deadlines
	early    bool // it came before the body had been read
	taken    atomic.Bool
	cut      atomic.Bool
}

func (u *upload) finished() bool {
	select {
	case <-u.done:
		return u.ok
	default:
		return false
	}
}

// answered tells the upload, if there is one, that the answer's head is here. An origin that refuses a request before it has
// the whole of it may take the rest for another request (a pause within the body makes some do that): it gets no more of it,
// and the connection carries no other request.
func (c *ClientConn) answered() {
	if u := c.upload; u != nil {
		u.early = !u.taken.Load()
		u.cut.Store(u.early && c.p.status >= 300)
		u.mu.Lock()
		u.answered = true
		u.mu.Unlock()
		c.readBy = 0 // the upload may have set another deadline than the one known here
		_ = c.conn.SetReadDeadline(time.Time{})
	}
}

// send writes the request. A small body leaves with the head; any other is sent by its own goroutine, which ends when the
// body does, or when the connection is closed and the body's next read returns.
func (c *ClientConn) send(r *message.Request, upgrading bool) *Error {
	length, chunked := requestExtent(r)
	out, why := c.appendRequest(getBuffer(smallSize)[:0], r, length, upgrading)
	if why != "" {
		putBuffer(out)
		return &Error{Kind: BadMessage, Reason: why}
	}
	if length > 0 && !chunked && length <= oneWrite && ready(r.Body, length) {
		c.started.Store(true)
		var err error
		if out, err = appendBody(out, r.Body, int(length)); err != nil {
			putBuffer(out)
			return &Error{Kind: BadMessage, Reason: "reading the request's body", Err: err}
		}
		length = 0
	}
	if length == 0 && !chunked {
		if c.socket.able() {
			return c.sendError(c.askOnce(out))
		}
		err := c.writeAll(out)
		putBuffer(out)
		return c.sendError(err)
	}
	c.startUpload(out, r.Body, length)
	return nil
}

// writeAll writes a request whole.
func (c *ClientConn) writeAll(out []byte) error {
	c.armWrite(c.o.WriteTimeout)
	if _, err := c.conn.Write(out); err != nil {
		return err
	}
	c.armRead(c.o.ReadTimeout)
	return nil
}

// appendBody appends n bytes of a body. When it is shorter, nothing of the request may leave.
func appendBody(out []byte, body io.Reader, n int) ([]byte, error) {
	k := len(out)
	if cap(out)-k < n {
		b := getBuffer(k + n)
		copy(b, out)
		putBuffer(out)
		out = b[:k]
	}
	m, err := io.ReadFull(body, out[k:k+n])
	if err != nil {
		return out[:k], incomplete(err)
	}
	return out[:k+m], nil
}

// startUpload sends the head in out and the body behind it; length is -1 for the chunked coding. The origin's time to answer
// begins when the body is out.
func (c *ClientConn) startUpload(out []byte, body io.Reader, length int64) {
	c.armRead(0)
	c.started.Store(true)
	u := &upload{done: make(chan struct{})}
	c.upload = u
	s := &sender{w: &c.wire, out: out, timeout: c.o.WriteTimeout}
	timeout, end := c.o.ReadTimeout, c.end
	go func() {
		defer close(u.done)
		first := getBuffer(smallSize)
		defer putBuffer(first)
		from := &uploadBody{r: body, u: u, left: length}
		switch n, err := from.Read(first); {
		case n == 0 && err != nil && err != io.EOF:
			s.broken = err
		case length < 0:
			s.chunked(begunBody{io.MultiReader(bytes.NewReader(first[:n]), from)})
		default:
			s.knownLength(begunBody{io.MultiReader(bytes.NewReader(first[:n]), from)}, length)
		}
		putBuffer(s.out)
		u.ok = s.broken == nil && s.failed == nil
		if s.broken != nil && !u.cut.Load() {
			_ = c.conn.Close() // the rest of the body will never come: the reader must not wait for an answer
			return
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		if u.answered || timeout <= 0 {
			return
		}
		by := now() + instant(timeout)
		if end != 0 {
			by = min(by, end)
		}
		_ = c.conn.SetReadDeadline(by.time())
	}()
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

// ready tells whether n bytes of a body can be read without waiting.
func ready(r io.Reader, n int64) bool {
	switch b := r.(type) {
	case Buffered:
		return int64(b.Buffered()) >= n
	case *bytes.Reader, *strings.Reader, *bytes.Buffer:
		return true
	}
	return false
}

// uploadBody is a body that notices its own end, and that ends when its upload is cut.
type uploadBody struct {
	r    io.Reader
	u    *upload
	left int64 // -1: unknown
}

var errCut = errors.New("the origin has refused the request before its body was sent")

// Read reads the body.
func (b *uploadBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if b.u.cut.Load() {
		return 0, errCut
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if err == io.EOF || b.left == 0 {
		b.u.taken.Store(true)
	}
	return n, err
}

// begunBody is a body of which something is here. A head waits for that: a body that breaks the protocol at once has sent
// nothing then.
type begunBody struct{ io.Reader }

// Buffered says what makes the sender read before it writes.
func (begunBody) Buffered() int { return 1 }
