package http2

import (
	"encoding/binary"

	"github.com/foregate/foregate/internal/head"
)

// promised is a PRIORITY_UPDATE that came before its stream.
type promised struct {
	id uint32
	p  head.Priority
}

// mostPromised is how many of those are kept; older ones are forgotten (rfc9218 7.1 lets us choose).
const mostPromised = 8

// onPriorityUpdate takes a PRIORITY_UPDATE frame (rfc9218 7.1). What follows is called with c.mu held.
func (c *conn) onPriorityUpdate(f *frame) error {
	if f.id != 0 {
		return fatal(protocolError, "PRIORITY_UPDATE on a stream")
	}
	if len(f.payload) < 4 {
		return fatal(frameSizeError, "PRIORITY_UPDATE too short")
	}
	id := binary.BigEndian.Uint32(f.payload) & lastID
	if id&1 == 0 {
		return fatal(protocolError, "PRIORITY_UPDATE for a stream that no client may begin")
	}
	p := head.ParsePriority(string(f.payload[4:]))
	p.Said = true
	switch s := c.streams[id]; {
	case s != nil:
		s.priority = p
		c.schedule()
	case id > c.top:
		if len(c.promised) == mostPromised {
			c.promised = append(c.promised[:0], c.promised[1:]...)
		}
		c.promised = append(c.promised, promised{id, p})
	}
	return nil
}

// prioritise sets a new stream's priority: the frame that came before it counts more than its field (rfc9218 7).
func (c *conn) prioritise(s *stream) {
	s.priority = head.ParsePriority(s.head.Priority)
	for i, w := range c.promised {
		if w.id == s.id {
			s.priority = w.p
			c.promised = append(c.promised[:i], c.promised[i+1:]...)
			return
		}
	}
}

// turnOf orders the streams of an urgency: incremental ones take turns, and all others together have one turn, in which the
// oldest goes first (rfc9218 10).
func (c *conn) turnOf(s *stream) uint64 {
	if s.priority.Incremental {
		return s.turn
	}
	return c.inOrder[s.priority.Urgency]
}

// took notes that s has had its turn.
func (c *conn) took(s *stream) {
	c.turns++
	if s.priority.Incremental {
		s.turn = c.turns
	} else {
		c.inOrder[s.priority.Urgency] = c.turns
	}
}

// ahead tells whether a is served before b. It is a total order.
func (c *conn) ahead(a, b *stream) bool {
	if a.priority.Urgency != b.priority.Urgency {
		return a.priority.Urgency < b.priority.Urgency
	}
	if x, y := c.turnOf(a), c.turnOf(b); x != y {
		return x < y
	}
	return a.id < b.id
}

// mayGo tells whether s may add to the output now.
func (c *conn) mayGo(s *stream) bool {
	if len(c.out) >= flushSize || c.sendWindow <= 0 || s.sendWindow <= 0 || c.closed {
		return false
	}
	for _, w := range c.waiting {
		if w.sendWindow > 0 && w.err == nil && c.ahead(w, s) {
			return false
		}
	}
	return true
}

// schedule wakes the waiting stream whose turn it is, if there is room for what it sends. Whoever makes room, gives window,
// or leaves off sending calls it, so that at no time a stream waits that could send.
func (c *conn) schedule() {
	if len(c.waiting) == 0 || len(c.out) >= flushSize || c.sendWindow <= 0 {
		return
	}
	var first *stream
	for _, s := range c.waiting {
		if s.sendWindow > 0 && (first == nil || c.ahead(s, first)) {
			first = s
		}
	}
	if first != nil {
		first.wake.Signal()
	}
}
