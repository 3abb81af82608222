package http2

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// stream is a request and its answer. Fields from inline on are guarded by conn.mu.
type stream struct {
	c       *conn
	head    head
	req     message.Request
	ctx     *streamContext
	refusal *http1.Error
	to      dataWriter

	inline     bool   // the handler runs in the goroutine that leads
	call       uint64 // conn.inline then
	id         uint32
	sendWindow int64
	wake       sync.Cond
	woken      bool
	since      time.Time // when it began to wait for the client; zero when it does not
	err        error     // the stream is over: nothing can be sent
	received   bool      // the client has ended its side
	sentHead   bool
	sentEnd    bool
	running    bool
	body       *body
}

var (
	errReset    = errors.New("the stream was reset")
	errStalled  = errors.New("the client takes or sends nothing")
	errDetached = &http1.Error{Kind: http1.Incomplete, Reason: "the body was read after its request was over"}
)

// cut ends what goes on in a stream. It is called with conn.mu held.
func (s *stream) cut(err error) {
	if s.err == nil {
		s.err = err
	}
	if s.ctx != nil {
		s.ctx.end()
	}
	s.wake.Signal()
	if s.body != nil {
		s.body.end(&http1.Error{Kind: http1.Incomplete, Reason: "the stream ended within the body", Err: err})
	}
}

// body is the body of a request. What it holds is bounded by the stream's window. It is guarded by conn.mu, and outlives its
// stream: a handler may leave a goroutine behind that still reads it.
type body struct {
	c        *conn
	s        *stream // nil when the stream is over
	ready    sync.Cond
	buf      []byte
	at       int   // buf[at:] is unread
	declared int64 // content-length, -1 without one
	got      int64
	window   int64 // what the client may send
	unacked  int64
	err      error // after buf; io.EOF at the end
	expect   bool  // the client waits for 100 Continue
	since    time.Time
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
		b.since = time.Now()
		b.ready.Wait()
		b.since = time.Time{}
	}
	if b.at == len(b.buf) {
		return 0, b.err
	}
	n := copy(p, b.buf[b.at:])
	if b.at += n; b.at == len(b.buf) {
		b.at, b.buf = 0, b.buf[:0]
	}
	if b.s != nil {
		b.ack(int64(n))
	}
	if b.at == len(b.buf) && b.err == io.EOF {
		return n, io.EOF
	}
	return n, nil
}

func (b *body) ack(n int64) {
	c := b.c
	c.credit(n)
	if b.unacked += n; b.err == nil && b.unacked >= streamWindow/4 {
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

// detach takes the body from the handler, and gives the window of what it left unread back.
func (b *body) detach() {
	b.s.c.credit(int64(len(b.buf) - b.at))
	b.buf, b.at, b.s = nil, 0, nil
	if b.err == nil || b.err == io.EOF {
		b.err = errDetached
	}
	b.ready.Broadcast()
}

// streamContext ends with its stream. It costs nothing until somebody waits for it; one that nobody did is used again.
type streamContext struct {
	parent context.Context
	mu     sync.Mutex
	inner  context.Context
	stop   context.CancelFunc
	ended  bool
}

func (x *streamContext) end() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	if x.stop != nil {
		x.stop()
	}
}

// Deadline is that of the connection.
func (x *streamContext) Deadline() (time.Time, bool) { return x.parent.Deadline() }

// Done is closed when the stream is over.
func (x *streamContext) Done() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.inner == nil {
		x.inner, x.stop = context.WithCancel(x.parent)
		if x.ended {
			x.stop()
		}
	}
	return x.inner.Done()
}

// Err says whether and why Done is closed.
func (x *streamContext) Err() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.inner != nil:
		return x.inner.Err()
	case x.ended:
		return context.Canceled
	}
	return x.parent.Err()
}

// Value asks the inner context, so that those made from this one end with it without a goroutine.
func (x *streamContext) Value(key any) any {
	x.mu.Lock()
	in := x.inner
	x.mu.Unlock()
	if in != nil {
		return in.Value(key)
	}
	return x.parent.Value(key)
}

// again makes the context fit for another stream, if nobody can tell.
func (x *streamContext) again() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = false
	return x.inner == nil
}
