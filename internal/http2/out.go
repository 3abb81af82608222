package http2

import (
	"net"
	"slices"
	"time"
)

// What follows is called with c.mu held, except where it says otherwise.

// room makes room for n more bytes of output.
func (c *conn) room(n int) {
	if cap(c.out)-len(c.out) >= n {
		return
	}
	b := getBuffer(len(c.out) + n)
	if len(b) < len(c.out)+n {
		b = make([]byte, len(c.out)+n)
	}
	k := copy(b, c.out)
	if c.out != nil {
		putBuffer(c.out)
	}
	c.out = b[:k]
}

// flush writes what there is to write, and what is added meanwhile. While somebody else writes, it leaves that to him.
func (c *conn) flush() {
	for len(c.out) > 0 && !c.writing && !c.closed {
		b := c.out
		c.out, c.writing = nil, true
		c.armWrite()
		c.mu.Unlock()
		_, err := c.nc.Write(b)
		c.mu.Lock()
		putBuffer(b)
		c.writing = false
		if err != nil {
			c.fail(err)
		}
		c.kick()
		c.written.Broadcast()
	}
}

// armWrite sets a deadline for the next write. It is not moved for each.
func (c *conn) armWrite() {
	d := c.o.WriteTimeout
	if d <= 0 {
		return
	}
	if now := time.Now(); c.writeBy.Sub(now) < d {
		c.writeBy = now.Add(d + d/4)
		_ = c.nc.SetWriteDeadline(c.writeBy)
	}
}

// tell has what a goroutine other than the reading one has added written, unless somebody does so anyway.
func (c *conn) tell(s *stream) {
	switch {
	case len(c.out) < flushSize && (c.leads(s) || s.sentEnd && !s.inline && s.running): // share or the leader does it
	case c.reading || c.inline != 0 || len(c.out) >= flushSize:
		c.flush()
	}
}

// kick wakes the stream that has waited longest for room that all streams share, if there is some. Whoever is woken and
// leaves some calls it in turn.
func (c *conn) kick() {
	if len(c.blocked) > 0 && c.sendWindow > 0 && len(c.out) < flushSize {
		s := c.blocked[0]
		c.blocked = append(c.blocked[:0], c.blocked[1:]...)
		s.wake.Signal()
	}
}

// send appends p to what leaves for s, as far and as fast as the client takes it, and ends the stream if end is set.
func (s *stream) send(p []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	for first := true; ; first = false {
		switch {
		case s.err != nil:
			c.kick()
			return s.err
		case len(p) == 0:
			if end {
				c.room(headSize)
				c.out = appendFrame(c.out, 0, frameData, flagEndStream, s.id)
				s.sentEnd = true
			}
			c.tell(s)
			return nil
		}
		n := min(s.sendWindow, c.sendWindow, int64(len(p)), int64(c.peerFrame))
		if n <= 0 || len(c.out) >= flushSize || len(c.blocked) > 0 && !first && !s.woken {
			s.wait(n)
			continue
		}
		s.woken = false
		flags := uint8(0)
		if end && int(n) == len(p) {
			flags, s.sentEnd = flagEndStream, true
		}
		c.room(headSize + int(n))
		c.out = appendFrame(c.out, int(n), frameData, flags, s.id)
		c.out = append(c.out, p[:n]...)
		s.sendWindow -= n
		c.sendWindow -= n
		c.budget.earn(2)
		p = p[n:]
		if len(p) > 0 || len(c.blocked) > 0 {
			c.kick()
		}
		if len(p) == 0 {
			c.tell(s)
			return nil
		}
	}
}

// wait waits for window or for room in the output buffer, or for its turn.
func (s *stream) wait(n int64) {
	c := s.c
	if !c.writing && (n <= 0 && len(c.out) > 0 || len(c.out) >= flushSize) {
		c.flush()
		return
	}
	c.handOff(s)
	if s.sendWindow > 0 {
		c.blocked = append(c.blocked, s)
	} else if n <= 0 {
		c.kick()
	}
	s.since = time.Now()
	s.wake.Wait()
	s.since = time.Time{}
	s.woken = true
	if i := slices.Index(c.blocked, s); i >= 0 {
		c.blocked = slices.Delete(c.blocked, i, i+1)
	}
}

// flushFor writes what s has added: its body is slow.
func (s *stream) flushFor() {
	s.c.mu.Lock()
	s.c.flush()
	s.c.mu.Unlock()
}

// reset ends a stream (rfc9113 5.4.2).
func (c *conn) reset(id uint32, why code) {
	c.room(headSize + 4)
	c.out = appendReset(c.out, id, why)
	if s := c.streams[id]; s != nil {
		s.cut(errReset)
		c.remove(s, true)
	} else {
		c.ended(id, true)
	}
}

// credit gives the client window back for bytes that were read, or thrown away.
func (c *conn) credit(n int64) {
	if c.unacked += n; c.unacked >= connWindow/4 {
		c.room(headSize + 4)
		c.out = appendWindow(c.out, 0, uint32(c.unacked))
		c.receiveWindow += c.unacked
		c.unacked = 0
	}
}

// abort makes the close of a connection abrupt.
func abort(nc net.Conn) {
	if t, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = t.NetConn() // closing TLS might wait for the client
	}
	_ = nc.Close()
}
