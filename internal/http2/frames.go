package http2

import (
	"encoding/binary"
	"time"
)

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
		return c.onGoAway(f)
	case framePushPromise:
		return fatal(protocolError, "PUSH_PROMISE, which nobody allowed")
	case framePriorityUpdate:
		if c.client != nil {
			return fatal(protocolError, "PRIORITY_UPDATE of a server") // rfc9218 7.1
		}
		return c.onPriorityUpdate(f)
	}
	return nil
}

func (c *conn) onReset(f *frame) error {
	switch s := c.streams[f.id]; {
	case len(f.payload) != 4:
		return fatal(frameSizeError, "RST_STREAM of a wrong size")
	case f.id == 0 || f.id > c.top && f.id <= c.last || f.id&1 == 0:
		return fatal(protocolError, "RST_STREAM on an idle stream")
	case s != nil && c.client != nil:
		c.onServerReset(s, code(binary.BigEndian.Uint32(f.payload)))
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
			if v > 1 || v == 1 && c.client != nil {
				return fatal(protocolError, "invalid SETTINGS_ENABLE_PUSH")
			}
		case settingStreams:
			if c.client != nil {
				c.client.most = v
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
			}
			c.schedule()
		case settingFrameSize:
			if v < maxPayload || v > maxPeerFrameLimit {
				return fatal(protocolError, "invalid SETTINGS_MAX_FRAME_SIZE")
			}
			// Frames stay at 16 KiB, so that streams take turns.
		case settingNoTree:
			if v > 1 {
				return fatal(protocolError, "invalid SETTINGS_NO_RFC7540_PRIORITIES") // rfc9218 2.1
			}
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
	case f.has(flagAck):
		c.pong(string(f.payload))
	default:
		c.room(headSize + 8)
		c.out = append(appendFrame(c.out, 8, framePing, flagAck, 0), f.payload...)
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
		if c.granted += n; c.granted >= enough {
			c.starved = time.Time{}
		}
		c.schedule()
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
		c.schedule()
	}
	return nil
}

func windowError(n int64) error {
	if n == 0 {
		return fatal(protocolError, "WINDOW_UPDATE of nothing")
	}
	return fatal(flowControlError, "the connection's window is too large")
}
