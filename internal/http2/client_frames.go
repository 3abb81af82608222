package http2

import (
	"encoding/binary"
	"errors"
	"net/http"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// mostInterim is how many interim answers a server may give to one request.
const mostInterim = 16

// onAnswer takes the head of an answer, final or interim.
func (c *conn) onAnswer(s *stream, ended bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[s.id] != s {
		return nil // given up while its head came in
	}
	h, k := &s.head, s.call
	status := h.Status()
	bodiless := k.method == http.MethodHead || status == http.StatusNoContent || status == http.StatusNotModified
	why := h.Bad
	switch {
	case why != "":
	case h.Over:
		s.fault(&http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"})
		c.reset(s.id, cancelled)
		return nil
	case status == 0:
		why = "invalid or absent :status"
	case status == http.StatusSwitchingProtocols:
		why = "101, which HTTP/2 does not have" // rfc9113 8.6
	case status < 200 && (ended || h.Length > 0):
		why = "interim answer with an end or content"
	case status < 200:
		if k.interim++; k.interim <= mostInterim {
			return nil
		}
		why = "too many interim answers"
	case ended && h.Length > 0 && !bodiless:
		why = "content-length without content"
	case status == http.StatusNoContent && h.Length > 0 && k.method != http.MethodHead:
		why = "204 with content"
	}
	if why != "" {
		s.fault(malformed(why))
		c.reset(s.id, protocolError)
		return nil
	}
	c.client.deliver(s, status, ended, bodiless)
	return nil
}

// deliver gives the head of a final answer to who waits for it.
func (k *ClientConn) deliver(s *stream, status int, ended, bodiless bool) {
	c, h := k.c, &s.head
	a := s.call
	a.answered = true
	m := &struct {
		message.Response
		body answerBody
	}{Response: message.Response{Status: status, Header: h.Fields, ContentLength: h.Length}}
	h.Fields = nil
	b := &m.body
	b.k, b.of = k, s
	b.body = body{c: c, s: s, declared: h.Length, window: c.streamWindow, timeout: a.o.ReadTimeout, translate: a.o.BodyError}
	b.ready.L = &c.mu
	if bodiless {
		b.declared = 0
	}
	s.body = &b.body
	switch {
	case bodiless:
		if status == http.StatusNoContent {
			m.ContentLength = 0
		}
	case ended:
		m.ContentLength = 0
	default:
		m.Body, m.Trailer = b, b.fields
	}
	if m.Body == nil {
		b.s = nil // nobody reads it
	}
	a.resp = &m.Response
	close(a.over)
	if ended {
		c.endBody(s)
	}
}

// completed ends a stream whose answer is whole. The rest of its request is of no interest to the server then.
func (k *ClientConn) completed(s *stream) {
	c := k.c
	if c.streams[s.id] != s || !s.received {
		return
	}
	if !s.sentEnd {
		c.reset(s.id, noError)
	} else {
		c.remove(s, false)
	}
	c.budget.earn(earnAnswer)
	c.rested()
}

// rested notes when the last stream is over.
func (c *conn) rested() {
	if len(c.streams) == 0 {
		c.touch()
	}
}

// onGoAway hears that the server takes no more requests, and which of ours it has not seen.
func (c *conn) onGoAway(f *frame) error {
	if f.id != 0 {
		return fatal(protocolError, "GOAWAY on a stream")
	}
	if len(f.payload) < 8 {
		return fatal(frameSizeError, "GOAWAY too short")
	}
	c.gone = true
	if c.client == nil {
		return nil
	}
	last := binary.BigEndian.Uint32(f.payload) & lastID
	for id, s := range c.streams {
		if id > last {
			s.fault(s.unprocessed("the server goes away"))
			s.cut(errReset)
			c.remove(s, true)
		}
	}
	go c.client.gone()
	return nil
}

// unprocessed is the error of a request that the server has refused.
func (s *stream) unprocessed(reason string) *http1.Error {
	e := &http1.Error{Kind: http1.Broken, Reason: reason, Err: ErrUnprocessed}
	if s.call != nil && s.call.started {
		e.Err = errors.New("its body had been begun")
	}
	return e
}

// onServerReset ends a client's stream with what the server says.
func (c *conn) onServerReset(s *stream, why code) {
	switch {
	case why == refusedStream && !s.call.answered:
		s.fault(s.unprocessed("the server refused the stream"))
	case why == noError && s.received: // it wants no more of the request
	default:
		s.fault(&http1.Error{Kind: http1.Incomplete, Reason: "the server reset the stream: " + why.String()})
	}
	s.cut(errReset)
	c.remove(s, false)
	c.rested()
}
