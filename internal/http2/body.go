package http2

import (
	"io"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// body is the body of a message that comes in. What it holds is bounded by the stream's window. It is guarded by conn.mu, and
// outlives its stream: a handler may leave a goroutine behind that still reads it.
type body struct {
	c        *conn
	s        *stream // nil when the stream is over
	ready    sync.Cond
	buf      []byte
	at       int   // buf[at:] is unread
	declared int64 // content-length, -1 without one
	got      int64
	window   int64 // what the other side may send
	unacked  int64
	err      error // after buf; io.EOF at the end
	expect   bool  // the client waits for 100 Continue
	since    time.Time
	trailer  message.Header // of a response, when err is io.EOF

	// Of a client's: how long to wait, and what becomes of errors.
	timeout   time.Duration
	timer     *time.Timer
	translate func(error) error
}

// Read reads the body. Errors are *http1.Error or io.EOF.
func (b *body) Read(p []byte) (int, error) {
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.expect && b.s != nil && !b.s.sentHead {
		b.expect = false
		c.room(headSize + 5)
		c.out = append(appendFrame(c.out, 5, frameHeaders, flagEndHeaders, b.s.id), 0x08, 3, '1', '0', '0')
		c.flush()
	}
	for b.at == len(b.buf) && b.err == nil && len(p) > 0 {
		c.flush()
		if b.at < len(b.buf) || b.err != nil {
			break
		}
		b.wait()
	}
	if b.at == len(b.buf) {
		return 0, b.failure()
	}
	n := copy(p, b.buf[b.at:])
	if b.at += n; b.at == len(b.buf) {
		b.at, b.buf = 0, b.buf[:0]
	}
	b.ack(int64(n))
	if b.at == len(b.buf) && b.err == io.EOF {
		return n, io.EOF
	}
	return n, nil
}

func (b *body) failure() error {
	if b.err != nil && b.err != io.EOF && b.translate != nil {
		b.err = b.translate(b.err)
		b.translate = nil
	}
	return b.err
}

// wait waits for something to be read.
func (b *body) wait() {
	b.since = time.Now()
	switch {
	case b.timeout <= 0:
	case b.timer == nil:
		b.timer = time.AfterFunc(b.timeout, b.late)
	default:
		b.timer.Reset(b.timeout)
	}
	b.ready.Wait()
	b.since = time.Time{}
	if b.timer != nil {
		b.timer.Stop()
	}
}

// late ends a body for which a client has waited for too long.
func (b *body) late() {
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.since.IsZero() || b.s == nil || time.Since(b.since) < b.timeout {
		return
	}
	b.end(&http1.Error{Kind: http1.Timeout, Reason: "waiting for more of the answer"})
	c.reset(b.s.id, cancelled)
	c.flush()
}

// ack gives window back for bytes that were read.
func (b *body) ack(n int64) {
	c := b.c
	if b.s == nil {
		return // detach has given all of it back
	}
	c.credit(n)
	if b.unacked += n; b.err == nil && b.unacked >= c.streamWindow/4 {
		c.room(headSize + 4)
		c.out = appendWindow(c.out, b.s.id, uint32(b.unacked))
		b.window += b.unacked
		b.unacked = 0
		c.flush()
	} else if c.unacked == 0 {
		c.flush()
	}
}

// Buffered says how much can be read without waiting.
func (b *body) Buffered() int {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	return len(b.buf) - b.at
}

// What follows is called with conn.mu held.

func (b *body) add(p []byte) {
	if b.at > 0 && len(b.buf)+len(p) > cap(b.buf) {
		b.buf = b.buf[:copy(b.buf, b.buf[b.at:])]
		b.at = 0
	}
	b.buf = append(b.buf, p...)
	b.got += int64(len(p))
	b.expect = false
	b.ready.Broadcast()
}

func (b *body) end(err error) {
	if b.err == nil {
		b.err = err
	}
	b.ready.Broadcast()
}

// detach takes the body from whoever reads it, and gives the window of what was left unread back.
func (b *body) detach() {
	b.c.credit(int64(len(b.buf) - b.at))
	b.buf, b.at, b.s = nil, 0, nil
	if b.err == nil || b.err == io.EOF {
		b.err = errDetached
	}
	b.ready.Broadcast()
}

func malformed(reason string) *http1.Error {
	return &http1.Error{Kind: http1.Malformed, Reason: reason}
}

// fault says what was wrong with a message, before its stream is reset.
func (s *stream) fault(err *http1.Error) {
	if s.body != nil {
		s.body.end(err)
	}
	if s.call != nil {
		s.call.fail(err)
	}
}

// endBody ends the other side's part of a stream.
func (c *conn) endBody(s *stream) {
	s.received = true
	if c.client == nil {
		c.uploaded(s)
	}
	if b := s.body; b != nil {
		if b.declared >= 0 && b.got != b.declared {
			b.end(malformed("content is shorter than content-length"))
			c.reset(s.id, protocolError) // rfc9113 8.1.1
			return
		}
		b.end(io.EOF)
	}
	if c.client != nil {
		c.client.completed(s)
	}
}

func (c *conn) onData(f *frame) error {
	if f.id == 0 {
		return fatal(protocolError, "DATA without a stream")
	}
	n := int64(len(f.payload))
	p, err := f.unpad()
	if err != nil {
		return err
	}
	if c.receiveWindow -= n; c.receiveWindow < 0 {
		return fatal(flowControlError, "DATA beyond the connection's window")
	}
	s := c.streams[f.id]
	if s == nil {
		return c.onStrayData(f)
	}
	b := s.body
	if s.received || b == nil { // a server's DATA may not come before its head
		c.credit(n)
		why := streamClosed
		if !s.received {
			why = protocolError
			s.fault(malformed("content before the head"))
		}
		c.reset(f.id, why)
		return nil
	}
	if b.window -= n; b.window < 0 {
		c.credit(n)
		s.fault(malformed("content beyond the stream's window"))
		c.reset(f.id, flowControlError)
		return nil
	}
	if len(p) == 0 && !f.has(flagEndStream) && !c.budget.spend(costFrame) {
		return fatal(enhanceYourCalm, "too many empty frames")
	}
	if b.declared >= 0 && b.got+int64(len(p)) > b.declared {
		c.credit(n)
		b.end(malformed("content is longer than content-length"))
		c.reset(f.id, protocolError)
		return nil
	}
	if pad := n - int64(len(p)); pad > 0 {
		b.ack(pad)
	}
	switch {
	case len(p) > 0 && b.s == nil:
		c.credit(int64(len(p)))
	case len(p) > 0:
		b.add(p)
	}
	if f.has(flagEndStream) {
		c.endBody(s)
	}
	return nil
}

// onStrayData takes DATA of a stream that is over.
func (c *conn) onStrayData(f *frame) error {
	n := int64(len(f.payload))
	c.credit(n)
	known, byUs := c.was(f.id)
	switch {
	case f.id&1 == 0 || f.id > c.top && f.id <= c.last:
		return fatal(protocolError, "DATA on an idle stream")
	case known && byUs || !known && c.client != nil || f.id > c.last:
		if n == 0 && !c.budget.spend(costFrame) {
			return fatal(enhanceYourCalm, "too many empty frames")
		}
		return nil
	case !c.budget.spend(costReset):
		return fatal(enhanceYourCalm, "too much DATA on closed streams")
	}
	c.reset(f.id, streamClosed)
	return nil
}
