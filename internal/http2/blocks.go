package http2

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Limits of a field block beside Options.MaxHead. What is over MaxHead is answered; what is over these ends the connection,
// since the table of hpack can only be kept by decoding all of it.
const (
	maxFields        = 256
	maxBlock         = 256 << 10
	maxContinuations = 64
)

func (c *conn) rules() head.Rules { return head.Rules{MaxBytes: c.o.MaxHead, MaxFields: maxFields} }

// block is a field block under way.
type block struct {
	open   bool
	id     uint32
	ended  bool    // END_STREAM
	s      *stream // whose head it is; nil for trailers and what is thrown away
	thrown bool
	size   int
	frames int
}

// memory is the last request's field block and what came of it. A block that equals it and finds the same dynamic table has
// the same meaning, and is not decoded: clients that repeat a request send the same bytes.
type memory struct {
	raw   []byte
	ended bool
	head  head.Head
}

func (c *conn) onHeaders(f *frame, term uint64) error {
	p, err := f.unpad()
	if err != nil {
		return err
	}
	if f.id&1 == 0 {
		return fatal(protocolError, "HEADERS on a stream that no client may begin") // rfc9113 5.1.1
	}
	b := &c.block
	*b = block{open: true, id: f.id, ended: f.has(flagEndStream)}
	own := false
	if f.has(flagPriority) {
		if len(p) < 5 {
			return fatal(frameSizeError, "HEADERS too short for its priority")
		}
		own = binary.BigEndian.Uint32(p)&lastID == f.id
		p = p[5:]
	}
	c.mu.Lock()
	err = c.place(b, own)
	c.begun = time.Time{}
	if err == nil && !f.has(flagEndHeaders) {
		c.begun = time.Now()
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if b.s != nil && c.client == nil && f.has(flagEndHeaders) && c.recall(b.s, p) {
		b.open = false
		return c.begin(b.s, nil, b.ended, term)
	}
	switch {
	case b.thrown:
		c.dec.SetEmitEnabled(false)
	case b.s == nil:
		c.trailer.Reset(head.Trailer, c.rules())
		c.cur = &c.trailer
	case c.client != nil:
		b.s.head.Fields = nil // those of the last one are in a message
		b.s.head.Reset(head.Response, c.rules())
		c.cur = &b.s.head
	default:
		b.s.head.Reset(head.Request, c.rules())
		c.cur = &b.s.head
	}
	return c.fragment(p, f.has(flagEndHeaders), term)
}

// place finds what a field block belongs to: a new stream, the end of one, or nothing any more.
func (c *conn) place(b *block, ownParent bool) error {
	s := c.streams[b.id]
	switch {
	case s != nil && s.received:
		c.reset(b.id, streamClosed)
	case s != nil && c.client != nil && !s.call.answered:
		b.s = s
		return nil
	case s != nil && !b.ended:
		c.reset(b.id, protocolError) // rfc9113 8.1
	case s != nil:
		return nil
	case b.id <= c.top:
		switch known, byUs := c.was(b.id); {
		case !known && c.client != nil: // one that we gave up long ago
		case !known:
			return fatal(protocolError, "stream identifier not above the last")
		case !byUs:
			return fatal(streamClosed, "HEADERS on a closed stream")
		}
	case c.client != nil:
		return fatal(protocolError, "HEADERS on an idle stream")
	default:
		c.top = b.id
		switch {
		case b.id > c.last:
		case ownParent:
			c.reset(b.id, protocolError) // rfc7540 5.3.1
		case uint32(c.working) >= c.o.MaxStreams:
			if !c.budget.spend(costReset) {
				return fatal(enhanceYourCalm, "too many streams")
			}
			c.reset(b.id, refusedStream)
		default:
			b.s = c.take(b.id)
			return nil
		}
	}
	b.thrown = true
	return nil
}

// was tells of a stream that is over: whether it is known to have been there, and whether we reset it.
func (c *conn) was(id uint32) (known, byUs bool) {
	for _, e := range c.past {
		if e>>1 == id {
			return true, e&1 != 0
		}
	}
	return false, false
}

func (c *conn) ended(id uint32, byUs bool) {
	e := id << 1
	if byUs {
		e |= 1
	}
	c.past[c.pastAt%len(c.past)] = e
	c.pastAt++
}

// fragment takes a part of a field block.
func (c *conn) fragment(p []byte, end bool, term uint64) error {
	b := &c.block
	b.size += len(p)
	b.frames++
	if b.size > maxBlock || b.frames > maxContinuations {
		return fatal(enhanceYourCalm, "field block too large")
	}
	alters := altersTable(p)
	if alters || !end || b.frames > 1 {
		c.remembers.raw = c.remembers.raw[:0]
	}
	if _, err := c.dec.Write(p); err != nil {
		return fatal(compressionError, "invalid field block")
	}
	if !end {
		return nil
	}
	if err := c.dec.Close(); err != nil {
		return fatal(compressionError, "incomplete field block")
	}
	b.open = false
	if b.frames > 1 {
		c.mu.Lock()
		c.begun = time.Time{}
		c.mu.Unlock()
	}
	switch {
	case b.thrown:
		c.dec.SetEmitEnabled(true)
		return nil
	case b.s == nil:
		return c.onTrailer(b)
	}
	s := b.s
	h := &s.head
	if c.client != nil {
		return c.onAnswer(s, b.ended)
	}
	refusal := h.Finish(b.ended)
	if h.Bad != "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.give(s)
		c.reset(b.id, protocolError)
		if !c.budget.spend(costReset) {
			return fatal(enhanceYourCalm, "too many malformed requests")
		}
		return nil
	}
	if !alters && b.frames == 1 && refusal == nil && len(p) <= smallSize {
		m := &c.remembers
		f := m.head.Fields
		m.raw, m.ended, m.head = append(m.raw[:0], p...), b.ended, *h
		m.head.Fields = append(f[:0], h.Fields...)
	}
	return c.begin(s, refusal, b.ended, term)
}

// recall takes the head from memory, if the block is the remembered one.
func (c *conn) recall(s *stream, p []byte) bool {
	m := &c.remembers
	if len(m.raw) == 0 || m.ended != c.block.ended || !bytes.Equal(m.raw, p) {
		return false
	}
	f := s.head.Fields
	s.head = m.head
	s.head.Fields = append(f[:0], m.head.Fields...)
	return true
}

// altersTable tells whether a field block, or a part of one, may change the dynamic table (rfc7541 6).
func altersTable(p []byte) bool {
	skip := func(bits int) (n uint64, ok bool) {
		most := byte(1)<<bits - 1
		n = uint64(p[0] & most)
		p = p[1:]
		if n < uint64(most) {
			return n, true
		}
		for shift := 0; len(p) > 0 && shift < 28; shift += 7 {
			x := p[0]
			p = p[1:]
			n += uint64(x&0x7f) << shift
			if x < 0x80 {
				return n, true
			}
		}
		return 0, false
	}
	text := func() bool {
		if len(p) == 0 {
			return false
		}
		n, ok := skip(7)
		if !ok || n > uint64(len(p)) {
			return false
		}
		p = p[n:]
		return true
	}
	for len(p) > 0 {
		switch {
		case p[0]&0x80 != 0:
			if _, ok := skip(7); !ok {
				return true
			}
		case p[0]&0x60 != 0:
			return true
		default:
			n, ok := skip(4)
			if !ok || n == 0 && !text() || !text() {
				return true
			}
		}
	}
	return false
}

// begin starts a stream whose head is there.
func (c *conn) begin(s *stream, refusal *http1.Error, ended bool, term uint64) error {
	h := &s.head
	s.req = message.Request{Scheme: c.o.Scheme, Proto: message.HTTP2, Client: c.o.Client, TLS: c.o.TLS}
	h.Fill(&s.req)
	if need := len(h.Fields) + head.Spare; cap(h.Fields) < need {
		h.Fields = append(make(message.Header, 0, need), h.Fields...)
	}
	s.req.Header = h.Fields
	s.refusal = refusal
	s.room = rooms.Get().(*message.Room)
	s.req.Room = s.room
	if s.ctx == nil {
		s.ctx = &streamContext{parent: c.ctx, c: c}
	}
	c.mu.Lock()
	s.ctx.s = s
	s.received = ended
	s.sendWindow = c.peerWindow
	if !ended {
		b := &body{c: c, s: s, declared: h.Length, window: c.streamWindow, expect: h.HasExpect}
		b.ready.L = &c.mu
		s.body = b
		if h.Length != 0 {
			s.req.Body, s.req.ContentLength = b, h.Length
		}
	}
	if c.closed { // nobody would ever cut it
		defer c.mu.Unlock()
		c.give(s)
		return errEnd
	}
	c.prioritise(s)
	c.streams[s.id] = s
	if !ended {
		s.uploading = true
		c.uploads++
	}
	return c.start(s, term)
}

func (c *conn) onTrailer(b *block) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[b.id]
	if s == nil {
		return nil // reset while the trailer came in
	}
	if c.trailer.Bad != "" || c.trailer.Over {
		s.fault(malformed("trailer: " + c.trailer.Bad))
		c.reset(b.id, protocolError)
		return nil
	}
	if c.client != nil && s.body != nil {
		s.body.trailer = c.trailer.Fields
		c.trailer.Fields = nil
	}
	c.endBody(s)
	return nil
}
