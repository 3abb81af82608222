package http2

import (
	"bytes"
	"encoding/binary"
	"io"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// block is a field block under way.
type block struct {
	open   bool
	id     uint32
	ended  bool    // END_STREAM
	s      *stream // the new stream; nil for trailers and what is thrown away
	thrown bool
	size   int
	frames int
}

// memory is the last request's field block and what came of it. A block that equals it and finds the same dynamic table has
// the same meaning, and is not decoded: clients that repeat a request send the same bytes.
type memory struct {
	raw   []byte
	ended bool
	head  head
}

// enter locks c.mu. It waits while the client does not take what we owe it, so that a flood fills no memory.
func (c *conn) enter() {
	c.mu.Lock()
	for len(c.out) > 2*flushSize && !c.closed {
		if c.flush(); c.writing {
			c.written.Wait()
		}
	}
}

// handle handles a frame.
func (c *conn) handle(f *frame, term uint64) error {
	if c.block.open && (f.kind != frameContinuation || f.id != c.block.id) {
		return fatal(protocolError, "field block interrupted") // rfc9113 4.3
	}
	if !c.settled && (f.kind != frameSettings || f.has(flagAck)) {
		return fatal(protocolError, "no SETTINGS after the preface") // rfc9113 3.4
	}
	c.enter()
	switch f.kind {
	case frameHeaders:
		c.mu.Unlock()
		return c.onHeaders(f, term)
	case frameContinuation:
		c.mu.Unlock()
		if !c.block.open {
			return fatal(protocolError, "CONTINUATION without HEADERS")
		}
		return c.fragment(f.payload, f.has(flagEndHeaders), term)
	}
	defer c.mu.Unlock()
	switch f.kind {
	case frameData:
		return c.onData(f)
	case frameWindow:
		return c.onWindow(f)
	case frameReset:
		return c.onReset(f)
	}
	if !c.budget.spend(costFrame + len(f.payload)/256) {
		return fatal(enhanceYourCalm, "too many frames")
	}
	switch f.kind {
	case frameSettings:
		return c.onSettings(f)
	case framePing:
		return c.onPing(f)
	case framePriority:
		return c.onPriority(f)
	case frameGoAway:
		if f.id != 0 {
			return fatal(protocolError, "GOAWAY on a stream")
		}
		if len(f.payload) < 8 {
			return fatal(frameSizeError, "GOAWAY too short")
		}
		c.gone = true
	case framePushPromise:
		return fatal(protocolError, "PUSH_PROMISE of a client")
	case framePriorityUpdate:
		if f.id != 0 || len(f.payload) < 4 {
			return fatal(protocolError, "invalid PRIORITY_UPDATE") // rfc9218 7.1
		}
	}
	return nil
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
	if b.s != nil && f.has(flagEndHeaders) && c.recall(b.s, p) {
		b.open = false
		return c.begin(b.s, nil, b.ended, term)
	}
	switch {
	case b.thrown:
		c.dec.SetEmitEnabled(false)
	case b.s == nil:
		c.trailer.reset(c.o.MaxHead)
		c.trailer.trailer = true
		c.cur = &c.trailer
	default:
		b.s.head.reset(c.o.MaxHead)
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
	case s != nil && !b.ended:
		c.reset(b.id, protocolError) // rfc9113 8.1
	case s != nil:
		return nil
	case b.id <= c.top:
		switch known, byUs := c.was(b.id); {
		case !known:
			return fatal(protocolError, "stream identifier not above the last")
		case !byUs:
			return fatal(streamClosed, "HEADERS on a closed stream")
		}
	default:
		c.top = b.id
		switch {
		case b.id > c.last:
		case ownParent:
			c.reset(b.id, protocolError) // rfc7540 5.3.1
		case uint32(max(len(c.streams), c.running)) >= c.o.MaxStreams:
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
	refusal := h.finish(b.ended)
	if h.bad != "" {
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
		f := m.head.fields
		m.raw, m.ended, m.head = append(m.raw[:0], p...), b.ended, *h
		m.head.fields = append(f[:0], h.fields...)
	}
	return c.begin(s, refusal, b.ended, term)
}

// recall takes the head from memory, if the block is the remembered one.
func (c *conn) recall(s *stream, p []byte) bool {
	m := &c.remembers
	if len(m.raw) == 0 || m.ended != c.block.ended || !bytes.Equal(m.raw, p) {
		return false
	}
	f := s.head.fields
	s.head = m.head
	s.head.fields = append(f[:0], m.head.fields...)
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
	h.request(&s.req, &c.o)
	if need := len(h.fields) + spareFields; cap(h.fields) < need {
		h.fields = append(make(message.Header, 0, need), h.fields...)
	}
	s.req.Header = h.fields
	s.refusal = refusal
	if s.ctx == nil {
		s.ctx = &streamContext{parent: c.ctx}
	}
	c.mu.Lock()
	s.received = ended
	s.sendWindow = c.peerWindow
	if !ended {
		b := &body{c: c, s: s, declared: h.length, window: streamWindow, expect: h.hasExpect}
		b.ready.L = &c.mu
		s.body = b
		if h.length != 0 {
			s.req.Body, s.req.ContentLength = b, h.length
		}
	}
	c.streams[s.id] = s
	return c.start(s, term)
}

func (c *conn) onTrailer(b *block) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[b.id]
	if s == nil {
		return nil // reset while the trailer came in
	}
	if c.trailer.bad != "" || c.trailer.over {
		c.reset(b.id, protocolError)
		return nil
	}
	c.endBody(s)
	return nil
}

// endBody ends the client's side of a stream.
func (c *conn) endBody(s *stream) {
	s.received = true
	if b := s.body; b != nil {
		if b.declared >= 0 && b.got != b.declared {
			b.end(&http1.Error{Kind: http1.Malformed, Reason: "content is shorter than content-length"})
			c.reset(s.id, protocolError) // rfc9113 8.1.1
			return
		}
		b.end(io.EOF)
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
		c.credit(n)
		known, byUs := c.was(f.id)
		switch {
		case f.id&1 == 0 || f.id > c.top && f.id <= c.last:
			return fatal(protocolError, "DATA on an idle stream")
		case known && byUs || f.id > c.last:
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
	if s.received {
		c.credit(n)
		c.reset(f.id, streamClosed)
		return nil
	}
	b := s.body
	if b.window -= n; b.window < 0 {
		c.credit(n)
		c.reset(f.id, flowControlError)
		return nil
	}
	if len(p) == 0 && !f.has(flagEndStream) && !c.budget.spend(costFrame) {
		return fatal(enhanceYourCalm, "too many empty frames")
	}
	if b.declared >= 0 && b.got+int64(len(p)) > b.declared {
		c.credit(n)
		b.end(&http1.Error{Kind: http1.Malformed, Reason: "content is longer than content-length"})
		c.reset(f.id, protocolError)
		return nil
	}
	if pad := n - int64(len(p)); pad > 0 {
		b.ack(pad)
	}
	if len(p) > 0 {
		b.add(p)
	}
	if f.has(flagEndStream) {
		c.endBody(s)
	}
	return nil
}

func (c *conn) onReset(f *frame) error {
	switch s := c.streams[f.id]; {
	case len(f.payload) != 4:
		return fatal(frameSizeError, "RST_STREAM of a wrong size")
	case f.id == 0 || f.id > c.top && f.id <= c.last || f.id&1 == 0:
		return fatal(protocolError, "RST_STREAM on an idle stream")
	case s != nil:
		if !c.budget.spend(costReset) {
			return fatal(enhanceYourCalm, "too many streams reset")
		}
		s.cut(errReset)
		c.remove(s, false)
	case !c.budget.spend(costFrame):
		return fatal(enhanceYourCalm, "too many frames")
	}
	return nil
}

func (c *conn) onSettings(f *frame) error {
	switch n := len(f.payload); {
	case f.id != 0:
		return fatal(protocolError, "SETTINGS on a stream")
	case f.has(flagAck):
		if n != 0 {
			return fatal(frameSizeError, "acknowledgement with settings")
		}
		return nil
	case n%6 != 0:
		return fatal(frameSizeError, "SETTINGS of a wrong size")
	}
	for p := f.payload; len(p) > 0; p = p[6:] {
		v := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case settingTableSize:
			c.enc.setLimit(v)
		case settingPush:
			if v > 1 {
				return fatal(protocolError, "invalid SETTINGS_ENABLE_PUSH")
			}
		case settingWindow:
			if v > maxWindow {
				return fatal(flowControlError, "invalid SETTINGS_INITIAL_WINDOW_SIZE")
			}
			d := int64(v) - c.peerWindow
			c.peerWindow = int64(v)
			for _, s := range c.streams {
				if s.sendWindow += d; s.sendWindow > maxWindow {
					return fatal(flowControlError, "window of a stream too large")
				}
				s.wake.Signal()
			}
		case settingFrameSize:
			if v < maxPayload || v > maxPeerFrameLimit {
				return fatal(protocolError, "invalid SETTINGS_MAX_FRAME_SIZE")
			}
			// Frames stay at 16 KiB, so that streams take turns.
		}
	}
	c.settled = true
	c.room(headSize)
	c.out = appendFrame(c.out, 0, frameSettings, flagAck, 0)
	return nil
}

func (c *conn) onPing(f *frame) error {
	switch {
	case f.id != 0:
		return fatal(protocolError, "PING on a stream")
	case len(f.payload) != 8:
		return fatal(frameSizeError, "PING of a wrong size")
	case !f.has(flagAck):
		c.room(headSize + 8)
		c.out = append(appendFrame(c.out, 8, framePing, flagAck, 0), f.payload...)
	case string(f.payload) == drainPing && c.leaving:
		if c.last == lastID {
			c.last = c.top
			c.room(headSize + 8)
			c.out = appendGoAway(c.out, c.last, noError, "")
		}
	}
	return nil
}

func (c *conn) onPriority(f *frame) error {
	switch {
	case f.id == 0:
		return fatal(protocolError, "PRIORITY without a stream")
	case len(f.payload) != 5:
		c.reset(f.id, frameSizeError)
	case binary.BigEndian.Uint32(f.payload)&lastID == f.id:
		c.reset(f.id, protocolError)
	}
	return nil
}

func (c *conn) onWindow(f *frame) error {
	if len(f.payload) != 4 {
		return fatal(frameSizeError, "WINDOW_UPDATE of a wrong size")
	}
	if !c.budget.spend(costFrame) {
		return fatal(enhanceYourCalm, "too many frames")
	}
	n := int64(binary.BigEndian.Uint32(f.payload) & lastID)
	if f.id == 0 {
		if c.sendWindow += n; n == 0 || c.sendWindow > maxWindow {
			return windowError(n)
		}
		c.kick()
		return nil
	}
	s := c.streams[f.id]
	if s == nil {
		if f.id > c.top && f.id <= c.last || f.id&1 == 0 {
			return fatal(protocolError, "WINDOW_UPDATE on an idle stream")
		}
		return nil
	}
	switch s.sendWindow += n; {
	case n == 0:
		c.reset(f.id, protocolError)
	case s.sendWindow > maxWindow:
		c.reset(f.id, flowControlError)
	default:
		s.wake.Signal()
	}
	return nil
}

func windowError(n int64) error {
	if n == 0 {
		return fatal(protocolError, "WINDOW_UPDATE of nothing")
	}
	return fatal(flowControlError, "the connection's window is too large")
}
