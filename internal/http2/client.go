package http2

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// ClientOptions is how a ClientConn behaves.
type ClientOptions struct {
	// MaxHead bounds the fields of a response, in bytes; default 32,768. MaxStreams bounds the requests under way, whatever
	// the server allows; default 100.
	MaxHead, MaxStreams int
	// WriteTimeout is for each write, and for the window that a request's body waits for; PingTimeout as in Options.
	// Defaults: 60 s, 15 s. Negative: none.
	WriteTimeout, PingTimeout time.Duration
	// Gone is called once, when the connection takes no more requests. It may be nil, and must not wait.
	Gone func(*ClientConn)
}

// Call is what is asked of one exchange.
type Call struct {
	// ReadTimeout is for the head of the answer, from when the request was sent, and for each further wait; 0 means none.
	ReadTimeout time.Duration
	// Completion bounds the time from the request to the end of the answer; 0 means none.
	Completion time.Duration
	// KeepAlive is how long the connection may be idle afterwards; 0 means for ever.
	KeepAlive time.Duration
	// BodyError, if not nil, replaces an error that reading the response's body ends with, other than io.EOF.
	BodyError func(error) error
}

// ErrUnprocessed is in the chain of an error when the server has done nothing with a request of whose body nothing was taken: it may
// be sent again, whatever its method (rfc9113 8.7).
var ErrUnprocessed = errors.New("the request was not processed")

// ClientConn sends requests over one connection, many at a time. It is safe for concurrent use.
type ClientConn struct {
	c        *conn
	o        ClientOptions
	done     chan struct{}
	reserved int    // guarded by conn.mu, as is what follows
	most     uint32 // streams that the server allows
	told     bool   // Gone was called
}

// call is what a client knows of a stream.
type call struct {
	method   string
	answered bool
	interim  int
	resp     *message.Response
	err      error
	over     chan struct{} // closed when resp or err is there
	sent     time.Time     // when something of the request left last
	started  bool          // something of the request's body was taken
	o        *Call
	limit    *time.Timer // of Completion
}

func (k *call) fail(err error) {
	if k.resp == nil && k.err == nil {
		k.err = err
		close(k.over)
	}
}

func (k *call) unlimit() {
	if k.limit != nil {
		k.limit.Stop()
	}
}

// NewClientConn makes a client of a connection on which HTTP/2 has been agreed; for TLS, after the handshake.
func NewClientConn(nc net.Conn, o ClientOptions) *ClientConn {
	o.MaxHead = cmp.Or(o.MaxHead, 32<<10)
	o.MaxStreams = cmp.Or(o.MaxStreams, 100)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
	o.PingTimeout = cmp.Or(o.PingTimeout, 15*time.Second)
	c := newConn(context.Background(), nc, Options{MaxHead: o.MaxHead, WriteTimeout: o.WriteTimeout, PingTimeout: o.PingTimeout, IdleTimeout: -1})
	k := &ClientConn{c: c, o: o, done: make(chan struct{}), most: 100}
	c.client, c.prefaced = k, true
	c.streamWindow, c.connWindow, c.receiveWindow = clientStreamWindow, clientConnWindow, clientConnWindow
	c.mu.Lock()
	c.room(128)
	b := appendFrame(append(c.out, Preface...), 18, frameSettings, 0, 0)
	b = appendSetting(b, settingPush, 0)
	b = appendSetting(b, settingWindow, uint32(c.streamWindow))
	b = appendSetting(b, settingNoTree, 1)
	c.out = appendWindow(b, 0, uint32(c.connWindow-defaultWindow))
	c.alive = time.AfterFunc(clientPeriod, func() { c.look(clientPeriod) })
	c.mu.Unlock()
	go k.run()
	return k
}

// clientPeriod is how often a client's connection is looked at.
const clientPeriod = time.Second

func (k *ClientConn) run() {
	defer close(k.done)
	c := k.c
	c.lead(0)
	c.mu.Lock()
	c.closed = true
	c.alive.Stop()
	c.mu.Unlock()
	k.gone()
	c.cancel()
}

// gone tells the owner once.
func (k *ClientConn) gone() {
	k.c.mu.Lock()
	told := k.told
	k.told = true
	k.c.mu.Unlock()
	if !told && k.o.Gone != nil {
		k.o.Gone(k)
	}
}

// Close ends the connection, and what is under way on it.
func (k *ClientConn) Close() {
	k.c.mu.Lock()
	k.c.fail(&http1.Error{Kind: http1.Broken, Reason: "the connection was closed"})
	k.c.mu.Unlock()
	<-k.done
}

// CloseIdle ends the connection if nothing is under way on it.
func (k *ClientConn) CloseIdle() {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.streams) == 0 && k.reserved == 0 {
		c.end(errEnd)
	}
}

// usable tells whether another request may begin. It is called with conn.mu held.
func (k *ClientConn) usable() bool {
	c := k.c
	return c.failed == nil && !c.closed && !c.gone && c.top < lastID-2
}

// Reserve makes sure of room for one request, which RoundTrip then takes or Release gives back. It returns false when the
// connection is full or takes no more requests.
func (k *ClientConn) Reserve() bool {
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if !k.usable() || len(k.c.streams)+k.reserved >= min(int(min(k.most, lastID)), k.o.MaxStreams) {
		return false
	}
	k.reserved++
	return true
}

// Release gives a reservation back.
func (k *ClientConn) Release() {
	k.c.mu.Lock()
	k.reserved--
	k.c.mu.Unlock()
}

// RoundTrip sends r on a reservation and returns its answer as soon as the head is there; the rest of the request's body may be
// sent after that. The answer's Body is nil when it has none, and must be closed otherwise. Errors are *http1.Error, or the cause
// of ctx, whose end resets the stream, also while the body streams.
func (k *ClientConn) RoundTrip(ctx context.Context, r *message.Request, o Call) (*message.Response, error) {
	if _, err := http1.CheckRequest(r); err != nil {
		k.Release()
		return nil, err
	}
	s, err := k.open(r, &o)
	if err != nil {
		return nil, err
	}
	if r.Body != nil && r.ContentLength != 0 {
		go k.upload(s, r)
	}
	return k.await(ctx, s)
}

// open begins a stream.
func (k *ClientConn) open(r *message.Request, o *Call) (*stream, error) {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	k.reserved--
	if !k.usable() {
		return nil, &http1.Error{Kind: http1.Broken, Reason: "the connection takes no more requests", Err: ErrUnprocessed}
	}
	if c.top == 0 {
		c.top = 1
	} else {
		c.top += 2
	}
	s := &stream{c: c, id: c.top, sendWindow: c.peerWindow, priority: head.Priority{Urgency: head.UrgencyDefault, Incremental: true}}
	s.wake.L = &c.mu
	s.call = &call{method: r.Method, over: make(chan struct{}), sent: time.Now(), o: o}
	c.streams[s.id] = s
	if len(c.streams) == 1 && time.Since(c.lastRead) > clientPeriod {
		c.lastRead = time.Now() // silence counts from when something is expected
	}
	c.o.IdleTimeout = o.KeepAlive
	hasBody := r.Body != nil && r.ContentLength != 0
	k.appendHead(s, r, !hasBody)
	if hasBody {
		s.uploading = true
		c.uploads++
	} else {
		s.sentEnd = true
	}
	c.flush()
	return s, nil
}

// appendHead writes the field block of a request.
func (k *ClientConn) appendHead(s *stream, r *message.Request, end bool) {
	c, e := k.c, &k.c.enc
	size := 256 + len(r.Path) + len(r.Query) + len(r.Host)
	for i := range r.Header {
		size += len(r.Header[i].Name) + len(r.Header[i].Value) + 8
	}
	c.room(size)
	start := len(c.out)
	b := e.begin(appendFrame(c.out, 0, frameHeaders, 0, s.id))
	b = e.pseudo(b, ":method", r.Method)
	b = e.pseudo(b, ":scheme", r.Scheme)
	b = e.pseudo(b, ":authority", r.Host)
	b = e.pseudo(b, ":path", r.Target())
	for i := range r.Header {
		f := &r.Header[i]
		if http1.FramesMessage(f.Name) || equalFold(f.Name, "host") || equalFold(f.Name, "expect") ||
			equalFold(f.Name, "te") && !equalFold(f.Value, "trailers") {
			continue
		}
		b = e.field(b, f.Name, f.Value)
	}
	if n := r.ContentLength; r.Body != nil && n >= 0 || n == 0 && (r.Method == http.MethodPost || r.Method == http.MethodPut || r.Method == http.MethodPatch) {
		b = e.field(b, "content-length", c.lengthText(max(n, 0)))
	}
	c.out = sealBlock(b, start, s.id, end)
}

// upload sends a request's body.
func (k *ClientConn) upload(s *stream, r *message.Request) {
	buf := getBuffer(largeSize)
	defer putBuffer(buf)
	left := r.ContentLength
	for {
		p := buf[:flushSize/2]
		if left >= 0 && left < int64(len(p)) {
			p = p[:left]
		}
		k.c.mu.Lock()
		s.call.started = true
		k.c.mu.Unlock()
		n, err := r.Body.Read(p)
		if left > 0 {
			left -= int64(n)
		}
		end := left == 0 || left < 0 && err == io.EOF
		if (n > 0 || end) && s.send(p[:n], end) != nil {
			return
		}
		k.c.mu.Lock()
		s.call.sent = time.Now()
		switch {
		case end:
			k.c.uploaded(s)
			k.completed(s)
		case err == nil:
			k.c.mu.Unlock()
			continue
		case k.c.streams[s.id] == s:
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			s.fault(&http1.Error{Kind: http1.BadMessage, Reason: "reading the request's body", Err: err})
			k.c.reset(s.id, cancelled)
			k.c.flush()
		}
		k.c.mu.Unlock()
		return
	}
}

// await waits for the answer.
func (k *ClientConn) await(ctx context.Context, s *stream) (*message.Response, error) {
	var timer *time.Timer
	var late <-chan time.Time
	if d := s.call.o.Completion; d > 0 {
		s.call.limit = time.AfterFunc(d, func() { k.give(s, &http1.Error{Kind: http1.Timeout, Reason: "waiting for the end of the answer"}) })
	}
	wait := s.call.o.ReadTimeout
	if wait > 0 {
		timer = time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-s.call.over:
			if s.call.err != nil {
				s.call.unlimit()
				return nil, s.call.err
			}
			return k.watched(ctx, s), nil
		case <-ctx.Done():
			k.give(s, context.Cause(ctx))
			s.call.unlimit()
			return nil, context.Cause(ctx)
		case <-late:
			k.c.mu.Lock()
			left := wait - time.Since(s.call.sent)
			k.c.mu.Unlock()
			if left > 0 {
				timer.Reset(left)
				continue
			}
			k.give(s, &http1.Error{Kind: http1.Timeout, Reason: "waiting for the answer"})
		}
	}
}

// give gives a stream up.
func (k *ClientConn) give(s *stream, why error) {
	c := k.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[s.id] == s {
		s.call.fail(why)
		if s.body != nil {
			s.body.end(why)
		}
		c.reset(s.id, cancelled)
		c.flush()
	}
}

// answerBody is the body of an answer.
type answerBody struct {
	body
	k    *ClientConn
	of   *stream
	stop func() bool // ends the watch over the caller's context
}

// watched has the end of ctx end the answer's body.
func (k *ClientConn) watched(ctx context.Context, s *stream) *message.Response {
	resp := s.call.resp
	if resp.Body == nil {
		s.call.unlimit()
	}
	if b, ok := resp.Body.(*answerBody); ok && ctx.Done() != nil {
		b.stop = context.AfterFunc(ctx, func() { k.give(s, context.Cause(ctx)) })
	}
	return resp
}

// Close ends the exchange. A stream that is not over is reset.
func (b *answerBody) Close() error {
	if b.stop != nil {
		b.stop()
	}
	b.of.call.unlimit()
	c := b.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.s != nil {
		if c.streams[b.of.id] == b.of {
			c.reset(b.of.id, cancelled)
		}
		b.detach()
		c.flush()
	}
	return nil
}

func (b *answerBody) fields() message.Header {
	b.c.mu.Lock()
	defer b.c.mu.Unlock()
	return b.trailer
}
