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

// flush writes what there is to write. It never leaves output behind that nobody takes care of: somebody else is writing and
// looks again, or a goroutine takes over what others keep adding, so that the caller can go on with its own work.
func (c *conn) flush() {
	const handful = 4
	for n := 0; len(c.out) > 0 && !c.writing && !c.closed; n++ {
		if n == handful || n > 0 && len(c.out) >= maxPayload {
			go c.flushAll()
			return
		}
		c.write()
	}
}

// flushAll writes until there is nothing more to write. It locks c.mu.
func (c *conn) flushAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 && !c.writing && !c.closed {
		c.write()
	}
}

// write makes one write of what is there. It lets c.mu go meanwhile.
func (c *conn) write() {
	b := c.out
	c.out, c.writing = nil, true
	c.armWrite()
	c.mu.Unlock()
	_, err := c.nc.Write(b)
	putBuffer(b)
	c.mu.Lock()
	c.writing = false
	if err != nil {
		c.fail(err)
	}
	c.schedule()
	c.written.Broadcast()
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
	if s.sentEnd {
		c.worked(s)
	}
	switch {
	case len(c.out) < flushSize && (c.leads(s) || s.sentEnd && s.running): // share or the leader does it
	case c.reading || c.inline != 0 || len(c.out) >= flushSize:
		c.flush()
	}
}

// send appends p to what leaves for s, as far and as fast as the client takes it and the priorities of others allow, and
// ends the stream if end is set. It locks c.mu.
func (s *stream) send(p []byte, end bool) error {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.schedule()
	for len(p) > 0 && s.err == nil {
		if !c.mayGo(s) {
			s.wait()
			continue
		}
		n := min(s.sendWindow, c.sendWindow, int64(len(p)), maxPayload)
		flags := uint8(0)
		if end && int(n) == len(p) {
			flags, s.sentEnd = flagEndStream, true
		}
		c.room(headSize + int(n))
		c.out = appendFrame(c.out, int(n), frameData, flags, s.id)
		c.out = append(c.out, p[:n]...)
		s.counts(headSize + int(n))
		p = p[n:]
		s.sendWindow -= n
		c.sendWindow -= n
		c.budget.earn(int(n+768) >> 10) // some give window back for each KiB that they read, twice
		c.took(s)
		s.moved(n)
	}
	if s.err != nil {
		return s.err
	}
	if end && !s.sentEnd {
		c.room(headSize)
		s.counts(headSize)
		c.out = appendFrame(c.out, 0, frameData, flagEndStream, s.id)
		s.sentEnd = true
	}
	s.stalled = time.Time{}
	c.tell(s)
	return nil
}

// wait waits for window, for room in the output buffer, or for a stream's turn.
func (s *stream) wait() {
	c := s.c
	windows := c.sendWindow > 0 && s.sendWindow > 0
	if len(c.out) > 0 && !c.writing && !c.closed && (!windows || len(c.out) >= flushSize) {
		c.flush()
		return
	}
	if c.closed { // whoever closed it has cut the streams that there were then
		s.cut(errEnd)
		return
	}
	if c.leads(s) {
		c.pass()
	}
	now := time.Now()
	switch {
	case s.sendWindow > 0: // it waits for its turn, which is no fault of the client
		s.stalled = time.Time{}
	case s.stalled.IsZero():
		s.stalled, s.progress = now, 0
	}
	switch {
	case c.sendWindow > 0:
		c.starved = time.Time{}
	case c.starved.IsZero():
		c.starved, c.granted = now, 0
	}
	c.waiting = append(c.waiting, s)
	c.schedule()
	s.wake.Wait()
	if i := slices.Index(c.waiting, s); i >= 0 {
		c.waiting = slices.Delete(c.waiting, i, i+1)
	}
	if len(c.waiting) == 0 {
		c.starved = time.Time{}
	}
}

// enough is what a client has to take of a stream in WriteTimeout: one that grants a byte at a time to keep things waiting
// gets no more time by it.
const enough = 4 << 10

// moved notes that n bytes of a stream left.
func (s *stream) moved(n int64) {
	if s.stalled.IsZero() {
		return
	}
	if s.progress += n; s.progress >= enough {
		s.stalled = time.Time{}
	}
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
	if c.unacked += n; c.unacked >= c.connWindow/4 {
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
