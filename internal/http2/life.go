package http2

import (
	"errors"
	"slices"
	"time"

	"github.com/foregate/foregate/internal/head"
)

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
		c.uploaded(s)
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
	polite := err == errEnd || err == errIdle
	if errors.As(err, &e) {
		c.room(headSize + 8 + len(e.reason))
		c.out = appendGoAway(c.out, c.seenTop(), e.code, e.reason)
		polite = true
	}
	c.cutAll(err)
	for polite && !c.closed && (len(c.out) > 0 || c.writing) {
		if c.flush(); c.writing {
			c.written.Wait()
		}
	}
	polite = polite && !c.closed && !c.parted && c.client == nil
	c.closed = true
	c.cutAll(err)
	c.mu.Unlock()
	if polite {
		c.linger()
	}
	_ = c.nc.Close()
	c.cancel()
}

// seenTop is the highest stream of the other side, which a server has none of.
func (c *conn) seenTop() uint32 {
	if c.client != nil {
		return 0
	}
	return c.top
}

// linger lets what was written arrive: a plain close with bytes of the client unread would send a reset that can overtake it.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = c.nc.SetReadDeadline(time.Now().Add(lingerTime))
	b := getBuffer(smallSize)
	defer putBuffer(b)
	for n := 0; n < 1<<20; {
		m, err := c.nc.Read(b)
		if n += m; err != nil {
			return
		}
	}
}

// lingerTime bounds the wait for a client that was told to go, for each step in which it is expected to say something.
const lingerTime = time.Second

// The opaque data of our PINGs.
const (
	drainPing = "foregate" // sent with the first GOAWAY
	partPing  = "farewell" // sent when all is said
	alivePing = "are you?"
)

// drain sends GOAWAY in two steps, so that requests which are on their way are not lost (rfc9113 6.8). The client's answer
// to a PING tells that it has seen the first.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.leaving || c.closed {
		return
	}
	c.leaving = true
	c.room(2*headSize + 16)
	c.out = appendGoAway(c.out, lastID, noError, "")
	c.ping(drainPing)
	c.leaveLater()
	c.flush()
}

// leaveLater takes the next step of leaving when the client does not answer.
func (c *conn) leaveLater() {
	if c.leave != nil {
		c.leave.Stop()
	}
	c.leave = time.AfterFunc(lingerTime, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case c.closed:
		case c.parting:
			c.end(errEnd)
		default:
			c.drained()
			c.flush()
			c.partIfDone()
		}
	})
}

func (c *conn) ping(data string) {
	c.room(headSize + 8)
	c.out = append(appendFrame(c.out, 8, framePing, 0, 0), data...)
}

// pong hears the answer to a PING of ours.
func (c *conn) pong(data string) {
	switch {
	case data == drainPing && c.leaving:
		c.drained()
		c.partIfDone()
	case data == partPing && c.parting:
		c.parted = true
		c.end(errEnd)
	}
}

// drained sends the second GOAWAY: what the client begins from now on is not served.
func (c *conn) drained() {
	if c.last != lastID {
		return
	}
	c.last = c.top
	c.room(headSize + 8)
	c.out = appendGoAway(c.out, c.last, noError, "")
}

// partIfDone takes leave of a client that gets no more requests served, or wants none, when its last answer has been sent.
// Its answer to the PING tells that it has them all, and that nothing of it is on its way which would make the close a reset.
func (c *conn) partIfDone() {
	if c.parting || c.closed || len(c.streams) > 0 || c.running > 0 || !c.gone && (!c.leaving || c.last == lastID) {
		return
	}
	if c.client != nil {
		c.end(errEnd)
		return
	}
	c.parting = true
	c.ping(partPing)
	c.leaveLater()
	c.flush()
}

// end makes the leader end the connection.
func (c *conn) end(err error) {
	if c.failed == nil {
		c.failed = err
	}
	if c.reading {
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}

// period is how often the connection is looked at; 0 is never.
func (c *conn) period() time.Duration {
	var d time.Duration
	for _, t := range []time.Duration{c.o.IdleTimeout, c.o.HeadTimeout, c.o.BodyTimeout, c.o.WriteTimeout, c.o.PingTimeout} {
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
	idle := len(c.streams) == 0 && c.running == 0 && (c.client == nil || c.client.reserved == 0)
	switch {
	case idle && over(c.lastEnd, c.o.IdleTimeout), over(c.begun, c.o.HeadTimeout):
		if c.client == nil {
			c.last = c.top
		}
		c.room(headSize + 8)
		c.out = appendGoAway(c.out, c.seenTop(), noError, "")
		c.end(errIdle)
	case c.pinged && over(c.lastRead, 2*c.o.PingTimeout):
		c.fail(errStalled)
		return
	case !c.pinged && over(c.lastRead, c.o.PingTimeout):
		c.pinged = true
		c.ping(alivePing)
	case idle && now.Sub(c.lastEnd) >= every:
		c.slim()
	}
	starved := over(c.starved, c.o.WriteTimeout)
	for id, s := range c.streams {
		if starved && slices.Contains(c.waiting, s) || over(s.stalled, c.o.WriteTimeout) ||
			s.body != nil && !s.sentHead && over(s.body.since, c.o.BodyTimeout) {
			s.cut(errStalled)
			c.reset(id, cancelled)
		}
	}
	if len(c.out) > 0 {
		go c.flushAll()
	}
	c.alive.Reset(every)
}

// slim gives back what an idle connection has no use for.
func (c *conn) slim() {
	if !c.reading || c.block.open {
		return
	}
	c.free, c.remembers, c.promised = nil, memory{}, nil // what is the leader's may be touched while it reads
	c.trailer, c.cur, c.block = head.Head{}, nil, block{}
	c.enc.forget()
	// The decoder holds on to the buffer that it read last. It lets go by reading something else: that its table may have
	// the size that it had to begin with, which is harmless also to a client that has made it smaller.
	_, _ = c.dec.Write([]byte{0x3f, 0xe1, 0x1f})
	_ = c.dec.Close()
	if c.in != nil && !c.encrypted && !c.shed {
		c.shed = true
		_ = c.nc.SetReadDeadline(time.Unix(1, 0))
	}
}
