package http2

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// stream is a request and its answer. Fields from inline on are guarded by conn.mu.
type stream struct {
	c       *conn
	head    head.Head
	req     message.Request
	ctx     *streamContext
	refusal *http1.Error
	room    *message.Room // for the answer
	to      dataWriter

	inline     bool   // the handler runs in the goroutine that leads
	turnIn     uint64 // conn.inline then
	id         uint32
	sendWindow int64
	wake       sync.Cond
	priority   head.Priority
	turn       uint64
	stalled    time.Time // when it began to wait for the client's window; zero when it does not
	progress   int64     // what has left since
	err        error     // the stream is over: nothing can be sent
	received   bool      // the client has ended its side
	sentHead   bool
	sentEnd    bool
	working    bool // its handler has not answered
	running    bool
	uploading  bool  // counted in conn.uploads
	call       *call // of a client
	waited     bool  // the handler said that it would
	body       *body
}

var (
	errReset    = errors.New("the stream was reset")
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
	if s.call != nil {
		s.call.fail(&http1.Error{Kind: http1.Broken, Reason: "the stream ended without an answer", Err: err})
	}
	if s.body != nil {
		s.body.end(&http1.Error{Kind: http1.Incomplete, Reason: "the stream ended within the body", Err: err})
	}
}

// streamContext ends with its stream. It costs nothing until somebody waits for it; one that nobody did is used again.
type streamContext struct {
	parent context.Context
	c      *conn
	s      *stream // guarded by conn.mu
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
	if key == (message.WaitingKey{}) {
		return x
	}
	x.mu.Lock()
	in := x.inner
	x.mu.Unlock()
	if in != nil {
		return in.Value(key)
	}
	return x.parent.Value(key)
}

// Waiting lets another goroutine read the connection: the handler is about to wait (message.Waiting).
func (x *streamContext) Waiting() {
	c := x.c
	c.mu.Lock()
	defer c.mu.Unlock()
	x.s.waited = true
	if c.leads(x.s) {
		c.pass()
	}
}

// again makes the context fit for another stream, if nobody can tell.
func (x *streamContext) again() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = false
	return x.inner == nil
}
