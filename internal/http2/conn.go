package http2

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

// conn is a connection. What stands before mu belongs to the goroutine that leads.
type conn struct {
	o      Options
	nc     net.Conn
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	in        []byte // pooled; in[r:w] is read and not consumed
	r, w      int
	prefaced  bool
	settled   bool // the client's SETTINGS have come
	dec       *hpack.Decoder
	cur       *head  // what dec adds to
	block     block  // the field block that has begun
	trailer   head   // of trailers and of blocks that are thrown away
	remembers memory // of the last request's block

	mu      sync.Mutex
	streams map[uint32]*stream
	free    []*stream
	running int    // handlers
	top     uint32 // the highest stream of the client
	past    [128]uint32
	pastAt  int
	budget  budget

	term     uint64 // counts those who have led
	inline   uint64 // not 0 while the leader is in a handler
	calls    uint64
	seen     uint64 // calls when the ticker looked last
	ticking  bool
	tick     *time.Timer
	pace     pace
	reading  bool // the leader waits for the client
	lastRead time.Time
	lastEnd  time.Time // when there were streams last
	begun    time.Time // of a field block that is not complete
	pinged   bool
	alive    *time.Timer

	out        []byte
	writing    bool
	writeBy    time.Time
	written    sync.Cond
	blocked    []*stream
	enc        encoder
	date       string
	dateAt     int64
	lengthOf   int64
	lengthWas  string
	sendWindow int64
	peerWindow int64 // of new streams
	peerFrame  int

	receiveWindow int64
	unacked       int64

	leaving bool   // the first GOAWAY has been sent
	last    uint32 // of the second one; streams above are not served
	gone    bool   // the client has sent GOAWAY
	failed  error
	closed  bool
}

var errEnd = errors.New("the connection has served its purpose")

func newConn(ctx context.Context, nc net.Conn, o Options) *conn {
	own, cancel := context.WithCancel(ctx)
	now := time.Now()
	c := &conn{
		o: o, nc: nc, ctx: own, cancel: cancel, streams: make(map[uint32]*stream), budget: budget{left: budgetMost, at: now}, pace: newPace(),
		lastRead: now, lastEnd: now, sendWindow: defaultWindow, peerWindow: defaultWindow, peerFrame: maxPayload,
		receiveWindow: connWindow, last: lastID, enc: encoder{limit: tableSize},
	}
	c.written.L = &c.mu
	c.dec = hpack.NewDecoder(tableSize, func(f hpack.HeaderField) { c.cur.add(f) })
	c.dec.SetMaxStringLength(maxBlock)
	c.tick = time.AfterFunc(time.Hour, c.onTick)
	c.tick.Stop()
	return c
}

func (c *conn) serve() {
	defer c.cancel()
	stops := []func() bool{context.AfterFunc(c.ctx, func() { _ = c.nc.Close() })}
	c.mu.Lock()
	c.hello()
	if every := c.period(); every > 0 {
		c.alive = time.AfterFunc(every, func() { c.look(every) })
	}
	c.mu.Unlock()
	if c.o.Drain != nil {
		stops = append(stops, context.AfterFunc(c.o.Drain, c.drain))
	}
	c.lead(0)
	c.wg.Wait()
	for _, stop := range stops {
		stop()
	}
	c.mu.Lock()
	c.closed, c.ticking = true, false
	c.mu.Unlock()
	c.tick.Stop()
	if c.alive != nil {
		c.alive.Stop()
	}
	_ = c.nc.Close()
}

// hello sends our SETTINGS.
func (c *conn) hello() {
	c.room(64)
	b := appendFrame(c.out, 12, frameSettings, 0, 0)
	b = appendSetting(b, settingStreams, c.o.MaxStreams)
	b = appendSetting(b, settingWindow, streamWindow)
	c.out = appendWindow(b, 0, connWindow-defaultWindow)
}

// lead reads and handles frames until the connection ends or another goroutine has taken the lead.
func (c *conn) lead(term uint64) {
	for {
		f, ok, err := c.next()
		if err == nil && !ok {
			err = c.fill()
		}
		if err == nil && ok {
			err = c.handle(&f, term)
		}
		if err == errLed {
			return
		}
		if err != nil {
			c.finish(err)
			return
		}
	}
}

// next returns the frame at the start of the buffer, if all of it is there.
func (c *conn) next() (f frame, ok bool, err error) {
	b := c.in[c.r:c.w]
	if !c.prefaced {
		n := min(len(b), len(Preface))
		if string(b[:n]) != Preface[:n] {
			return f, false, fatal(protocolError, "invalid preface")
		}
		if n < len(Preface) {
			return f, false, nil
		}
		c.r += n
		c.prefaced = true
		b = b[n:]
	}
	if len(b) < headSize {
		return f, false, nil
	}
	n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	if n > maxPayload {
		return f, false, fatal(frameSizeError, "frame too large")
	}
	if len(b) < headSize+n {
		return f, false, nil
	}
	f = frame{kind: b[3], flags: b[4], id: (uint32(b[5])<<24 | uint32(b[6])<<16 | uint32(b[7])<<8 | uint32(b[8])) & lastID, payload: b[headSize : headSize+n]}
	c.r += headSize + n
	return f, true, nil
}

// fill writes what there is and reads once.
func (c *conn) fill() error {
	switch n := c.w - c.r; {
	case c.in == nil:
		c.in, c.r, c.w = getBuffer(smallSize), 0, 0
	case n == 0:
		c.r, c.w = 0, 0
		if c.small() {
			putBuffer(c.in)
			c.in = getBuffer(smallSize)
		}
	case n >= headSize && headSize+(int(c.in[c.r+1])<<8|int(c.in[c.r+2])|int(c.in[c.r])<<16) > len(c.in):
		b := getBuffer(largeSize)
		c.w = copy(b, c.in[c.r:c.w])
		c.r = 0
		putBuffer(c.in)
		c.in = b
	case c.r > 0:
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	c.mu.Lock()
	c.flush()
	if len(c.streams) == 0 && (c.gone || c.leaving && c.last != lastID) && c.running == 0 {
		c.mu.Unlock()
		return errEnd
	}
	if c.failed != nil {
		defer c.mu.Unlock()
		return c.failed
	}
	c.reading = true
	c.mu.Unlock()
	n, err := c.nc.Read(c.in[c.w:])
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reading = false
	if n > 0 {
		c.w += n
		c.lastRead, c.pinged = time.Now(), false
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	if c.failed != nil {
		return c.failed
	}
	return err
}

// small tells whether a large read buffer is no longer needed.
func (c *conn) small() bool {
	if len(c.in) == smallSize {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams) == 0
}

// fail makes the connection end. It is called with c.mu held.
func (c *conn) fail(err error) {
	if c.failed == nil {
		c.failed = err
	}
	if c.closed {
		return
	}
	c.closed = true
	c.written.Broadcast()
	c.cutAll(err)
	abort(c.nc)
}

func (c *conn) cutAll(err error) {
	for id, s := range c.streams {
		s.cut(err)
		delete(c.streams, id)
		c.ended(id, true)
	}
}

// finish ends the connection: with GOAWAY unless it is broken.
func (c *conn) finish(err error) {
	c.mu.Lock()
	if c.in != nil {
		putBuffer(c.in)
		c.in = nil
	}
	var e *connError
	polite := err == errEnd
	if errors.As(err, &e) {
		c.room(headSize + 8 + len(e.reason))
		c.out = appendGoAway(c.out, c.top, e.code, e.reason)
		polite = true
	}
	c.cutAll(err)
	for polite && !c.closed && (len(c.out) > 0 || c.writing) {
		if c.flush(); c.writing {
			c.written.Wait()
		}
	}
	polite = polite && !c.closed
	c.closed = true
	c.mu.Unlock()
	if polite {
		c.linger()
	}
	_ = c.nc.Close()
	c.cancel()
}

// linger lets what was written arrive: a plain close with bytes of the client unread would send a reset that can overtake it.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(time.Second))
	b := getBuffer(smallSize)
	defer putBuffer(b)
	for n := 0; n < 1<<20; {
		m, err := c.nc.Read(b)
		if n += m; err != nil {
			return
		}
	}
}

// drain sends GOAWAY in two steps, so that requests which are on their way are not lost (rfc9113 6.8).
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || c.closed {
		return
	}
	c.leaving = true
	c.room(2*headSize + 16)
	c.out = appendGoAway(c.out, lastID, noError, "")
	c.out = append(appendFrame(c.out, 8, framePing, 0, 0), drainPing...)
	c.flush()
	c.wg.Add(1)
	t := time.AfterFunc(time.Second, func() {
		defer c.wg.Done()
		c.drained()
	})
	context.AfterFunc(c.ctx, func() {
		if t.Stop() {
			c.wg.Done()
		}
	})
}

const (
	drainPing = "foregate"
	alivePing = "are you?"
)

// drained sends the second GOAWAY: what the client begins from now on is not served.
func (c *conn) drained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.last != lastID {
		return
	}
	c.last = c.top
	c.room(headSize + 8)
	c.out = appendGoAway(c.out, c.last, noError, "")
	c.flush()
	c.endIfDone()
}

// endIfDone wakes the leader when the last answer has been sent on a connection that takes no new requests.
func (c *conn) endIfDone() {
	if len(c.streams) > 0 || c.running > 0 || !(c.gone || c.last != lastID) || c.closed {
		return
	}
	c.flush()
	if c.failed == nil {
		c.failed = errEnd
	}
	if c.reading {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// period is how often the connection is looked at; 0 is never.
func (c *conn) period() time.Duration {
	var d time.Duration
	for _, t := range []time.Duration{c.o.IdleTimeout, c.o.WriteTimeout, c.o.PingTimeout} {
		if t > 0 && (d == 0 || t < d) {
			d = t
		}
	}
	return d / 4
}

// look enforces the timeouts.
func (c *conn) look(every time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	now := time.Now()
	over := func(since time.Time, d time.Duration) bool { return d > 0 && !since.IsZero() && now.Sub(since) >= d }
	switch {
	case len(c.streams) == 0 && c.running == 0 && over(c.lastEnd, c.o.IdleTimeout), over(c.begun, c.o.IdleTimeout):
		c.room(headSize + 8)
		c.out = appendGoAway(c.out, c.top, noError, "")
		c.last = c.top
		if c.failed == nil {
			c.failed = errEnd
		}
		go c.hangUp()
	case c.pinged && over(c.lastRead, 2*c.o.PingTimeout):
		c.fail(errStalled)
		return
	case !c.pinged && over(c.lastRead, c.o.PingTimeout):
		c.pinged = true
		c.room(headSize + 8)
		c.out = append(appendFrame(c.out, 8, framePing, 0, 0), alivePing...)
		go c.flushNow()
	}
	for id, s := range c.streams {
		if over(s.since, c.o.WriteTimeout) || s.body != nil && over(s.body.since, c.o.WriteTimeout) {
			s.cut(errStalled)
			c.reset(id, cancelled)
			go c.flushNow()
		}
	}
	c.alive.Reset(every)
}

func (c *conn) flushNow() {
	c.mu.Lock()
	c.flush()
	c.mu.Unlock()
}

// hangUp ends the leader's read, after a last write.
func (c *conn) hangUp() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flush()
	_ = c.nc.SetReadDeadline(time.Unix(1, 0))
}
