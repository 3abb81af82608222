package http2

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// take gives a stream that is not in use. It is called with c.mu held, as are give and remove.
func (c *conn) take(id uint32) *stream {
	var s *stream
	if n := len(c.free); n > 0 {
		s = c.free[n-1]
		c.free = c.free[:n-1]
	} else {
		s = &stream{c: c}
		s.wake.L = &c.mu
	}
	s.id = id
	return s
}

// spareStreams is how many streams a connection keeps for later.
const spareStreams = 32

func (c *conn) give(s *stream) {
	ctx, fields := s.ctx, s.head.Fields
	if ctx != nil && !ctx.again() {
		ctx = nil
	}
	if len(c.free) >= spareStreams || cap(fields) > maxFields {
		return
	}
	clear(fields[:cap(fields)])
	if s.room != nil {
		*s.room = message.Room{}
		rooms.Put(s.room)
	}
	*s = stream{c: c, ctx: ctx, head: head.Head{Fields: fields[:0]}}
	s.wake.L = &c.mu
	c.free = append(c.free, s)
}

func (c *conn) remove(s *stream, byUs bool) {
	c.uploaded(s)
	delete(c.streams, s.id)
	c.ended(s.id, byUs)
}

// rooms holds memory for answers, without meaning.
var rooms = sync.Pool{New: func() any { return new(message.Room) }}

// uploaded notes that no more of a request's body comes.
func (c *conn) uploaded(s *stream) {
	if s.uploading {
		s.uploading = false
		c.uploads--
	}
}

// touch notes that the connection was in use.
func (c *conn) touch() { c.lastEnd = time.Now() }

// exchange gives a request to its handler and sends the answer.
func (c *conn) exchange(s *stream) {
	defer c.settle(s)
	var began time.Time
	timed := s.body == nil && !s.inline
	if timed {
		began = time.Now()
	}
	resp := c.respond(s)
	if resp.Body != nil {
		defer resp.Body.Close()
	}
	if timed {
		d := time.Since(began)
		if b, ok := resp.Body.(http1.Buffered); resp.Body != nil && (resp.ContentLength < 0 && !ok || ok && b.Buffered() == 0) {
			d = time.Hour // the body is slow
		}
		c.mu.Lock()
		if !s.waited {
			c.pace.took(d)
		}
		c.mu.Unlock()
	}
	s.answer(resp)
	s.share()
}

// share writes what a goroutine other than the leader has added, after those that are about to add something had a chance to.
func (s *stream) share() {
	c := s.c
	c.mu.Lock()
	if !c.leads(s) {
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		if c.reading || c.inline != 0 {
			c.flush()
		}
	}
	c.mu.Unlock()
}

// worked notes that a handler has answered, or will not.
func (c *conn) worked(s *stream) {
	if s.working {
		s.working = false
		c.working--
	}
}

// settle ends a stream when its handler is done with it.
func (c *conn) settle(s *stream) {
	if v := recover(); v != nil {
		c.o.report(fmt.Errorf("send the answer to %s %q: panic: %v\n%s", s.req.Method, s.req.Path, v, debug.Stack()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.err != nil:
	case !s.sentEnd:
		c.reset(s.id, internalError)
	case !s.received:
		c.reset(s.id, noError) // rfc9113 8.1: the rest of the request is of no interest
	default:
		c.remove(s, false)
		c.budget.earn(earnAnswer)
	}
	s.ctx.end()
	if s.body != nil {
		s.body.detach()
	}
	s.running = false
	c.running--
	c.worked(s)
	c.touch()
	if len(c.out) > 0 {
		c.tell(s)
	}
	c.give(s)
	c.partIfDone()
}

// respond gets an answer that can be sent.
func (c *conn) respond(s *stream) *message.Response {
	if s.refusal != nil {
		return c.reject(s, s.refusal)
	}
	resp := c.call(s.ctx, &s.req)
	if head.Sendable(resp) {
		return resp
	}
	if resp != nil {
		c.o.report(fmt.Errorf("answer %s %q: status or fields not fit to be sent", s.req.Method, s.req.Path))
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
	}
	return c.reject(s, &http1.Error{Kind: http1.BadMessage, Reason: "no answer that can be sent"})
}

func (c *conn) call(ctx context.Context, r *message.Request) (resp *message.Response) {
	defer func() {
		if v := recover(); v != nil {
			c.o.report(fmt.Errorf("serve %s %q: panic: %v\n%s", r.Method, r.Path, v, debug.Stack()))
			resp = nil
		}
	}()
	return c.o.Handler.Serve(ctx, r)
}

func (c *conn) reject(s *stream, e *http1.Error) *message.Response {
	return s.head.Refuse(s.ctx, &http1.Rejection{Err: e, Client: c.o.Client, TLS: c.o.TLS}, c.o.Scheme, c.o.Reject)
}

// answer sends resp. A body that fails leaves the stream without an end, for which settle resets it, so that the client sees
// that it is not whole.
func (s *stream) answer(resp *message.Response) {
	bare := s.req.Method == http.MethodHead || resp.Status == http.StatusNoContent || resp.Status == http.StatusNotModified
	n := resp.ContentLength
	if !bare && resp.Body == nil {
		n = 0
	}
	empty := bare || resp.Body == nil || n == 0
	if !s.sendHead(resp, n, empty) || empty {
		return
	}
	ready, ok := resp.Body.(http1.Buffered)
	if ok && ready.Buffered() == 0 || !ok && n < 0 {
		s.c.handOff(s)
	}
	if w, ok := resp.Body.(io.WriterTo); ok && n > 0 && resp.Trailer == nil {
		s.to = dataWriter{s: s, left: n}
		_, _ = w.WriteTo(&s.to)
		return
	}
	s.copy(resp, n, ready)
}

// sendHead writes the field block of an answer.
func (s *stream) sendHead(resp *message.Response, n int64, end bool) bool {
	c := s.c
	size := 96
	for i := range resp.Header {
		size += len(resp.Header[i].Name) + len(resp.Header[i].Value) + 8
	}
	dated := false
	for _, l := range [...]*message.Lines{resp.Before[0], resp.Before[1], resp.After} {
		if l != nil {
			size += len(l.Text) + 256
			dated = dated || l.Dated
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err != nil {
		return false
	}
	if n < 0 && !s.priority.Said {
		s.priority.Incremental = true // without a known end it might keep others waiting for ever
	}
	c.room(size)
	start := len(c.out)
	b := appendFrame(c.out, 0, frameHeaders, 0, s.id)
	e := &c.enc
	b = e.status(e.begin(b), resp.Status)
	b = e.lines(e.lines(b, resp.Before[0]), resp.Before[1])
	for i := range resp.Header {
		f := &resp.Header[i]
		if http1.FramesMessage(f.Name) {
			continue
		}
		dated = dated || len(f.Name) == 4 && strings.EqualFold(f.Name, "Date")
		b = e.field(b, f.Name, f.Value)
	}
	b = e.lines(b, resp.After)
	if !dated {
		b = e.field(b, "Date", c.today())
	}
	if n > 0 || n == 0 && resp.Status != http.StatusNoContent && resp.Status != http.StatusNotModified {
		b = e.field(b, "Content-Length", c.lengthText(n))
	}
	c.out = sealBlock(b, start, s.id, end)
	s.counts(len(c.out) - start)
	s.sentHead, s.sentEnd = true, end
	if end {
		c.tell(s)
	}
	return true
}

// sealBlock completes the HEADERS frame at start, and cuts what is too long for one frame.
func sealBlock(b []byte, start int, id uint32, end bool) []byte {
	flags := uint8(0)
	if end {
		flags = flagEndStream
	}
	n := len(b) - start - headSize
	if n <= maxPayload {
		appendFrame(b[:start], n, frameHeaders, flags|flagEndHeaders, id)
		return b
	}
	p := append([]byte(nil), b[start+headSize:]...)
	b = append(appendFrame(b[:start], maxPayload, frameHeaders, flags, id), p[:maxPayload]...)
	for p = p[maxPayload:]; len(p) > maxPayload; p = p[maxPayload:] {
		b = append(appendFrame(b, maxPayload, frameContinuation, 0, id), p[:maxPayload]...)
	}
	return append(appendFrame(b, len(p), frameContinuation, flagEndHeaders, id), p...)
}

func (c *conn) today() string {
	t := time.Now()
	if s := t.Unix(); s != c.dateAt || c.date == "" {
		c.dateAt, c.date = s, t.UTC().Format(http.TimeFormat)
	}
	return c.date
}

// lengthText writes a number, and remembers the last one.
func (c *conn) lengthText(n int64) string {
	if c.lengthWas == "" || n != c.lengthOf {
		c.lengthOf, c.lengthWas = n, strconv.FormatInt(n, 10)
	}
	return c.lengthWas
}

// copy sends n bytes of a body, or all if n is negative. What is there leaves whenever more has to be waited for.
func (s *stream) copy(resp *message.Response, n int64, ready http1.Buffered) {
	size := largeSize
	if n > 0 && n <= smallSize {
		size = smallSize
	}
	buf := getBuffer(size)
	defer putBuffer(buf)
	for {
		p := buf
		if n > 0 && n < int64(len(p)) {
			p = p[:n]
		}
		m, err := resp.Body.Read(p)
		if n > 0 {
			n -= int64(m)
		}
		end := n == 0 || n < 0 && err == io.EOF
		if m > 0 || end {
			if s.send(p[:m], end && resp.Trailer == nil) != nil {
				return
			}
		}
		if end && resp.Trailer != nil {
			s.sendTrailer(resp.Trailer())
		}
		if end || err != nil {
			return
		}
		if ready == nil && n < 0 || ready != nil && ready.Buffered() == 0 {
			s.c.handOff(s)
		}
	}
}

// sendTrailer ends a stream with fields (rfc9113 8.1), those of them that may be sent.
func (s *stream) sendTrailer(h message.Header) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.err != nil {
		return
	}
	size := headSize + 16
	fields := make(message.Header, 0, len(h))
	for _, f := range h {
		if http1.ValidName(f.Name) && http1.ValidValue(f.Value) && !http1.FramesMessage(f.Name) {
			fields = append(fields, f)
			size += len(f.Name) + len(f.Value) + 8
		}
	}
	c.room(size)
	start := len(c.out)
	if len(fields) == 0 {
		c.out = appendFrame(c.out, 0, frameData, flagEndStream, s.id)
	} else {
		b := c.enc.begin(appendFrame(c.out, 0, frameHeaders, 0, s.id))
		for i := range fields {
			b = c.enc.field(b, fields[i].Name, fields[i].Value)
		}
		c.out = sealBlock(b, start, s.id, true)
	}
	s.counts(len(c.out) - start)
	s.sentEnd = true
	c.tell(s)
}

// counts notes bytes of an answer.
func (s *stream) counts(n int) {
	if s.room != nil {
		s.room.Sent += int64(n)
	}
}

// dataWriter takes the bytes of an io.WriterTo to the output buffer.
type dataWriter struct {
	s    *stream
	left int64
}

var errTooLong = errors.New("body longer than its length")

func (d *dataWriter) Write(p []byte) (int, error) {
	n := len(p)
	if int64(n) > d.left {
		p = p[:d.left]
	}
	if len(p) == 0 {
		if n > 0 {
			return 0, errTooLong
		}
		return 0, nil
	}
	d.left -= int64(len(p))
	if err := d.s.send(p, d.left == 0); err != nil {
		return 0, err
	}
	if len(p) < n {
		return len(p), errTooLong
	}
	return n, nil
}

// WriteString spares io.WriteString a copy. The bytes are only read.
func (d *dataWriter) WriteString(p string) (int, error) {
	return d.Write(unsafe.Slice(unsafe.StringData(p), len(p)))
}
