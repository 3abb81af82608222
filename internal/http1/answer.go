package http1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// answer sends resp. body is the request's, nil without one.
func (c *serverConn) answer(ctx context.Context, resp *message.Response, body *requestBody) bool {
	if err := c.unfit(resp, body); err != nil {
		if resp != nil && resp.Body != nil {
			_ = resp.Body.Close()
		}
		if body != nil {
			body.detach()
		}
		c.reject(ctx, err)
		return false
	}
	keep := c.p.persists() && !resp.Close && !c.draining.Load() && c.mayKeep(body)
	f := responseFrame{length: -1, connection: "keep-alive", date: &c.date}
	bare := c.frame(resp, &f)
	delimited := f.chunked || f.length >= 0 || bare
	if keep = keep && delimited; !keep {
		f.connection = "close"
	}
	s := &c.s
	if _, ready := resp.Body.(*message.Bytes); !ready && resp.Body != nil && c.flush() != nil {
		_ = resp.Body.Close()
		return false
	}
	s.begin()
	before, start := len(s.out), s.position()
	var err error
	if s.out, err = appendResponse(s.out, resp, &f); err != nil {
		s.out = s.out[:before]
		return c.answer(ctx, badAnswer(c, resp, err), body)
	}
	s.more = keep && body == nil && c.buffered() > 0
	switch {
	case bare || resp.Body == nil || f.length == 0:
		s.finish()
	case f.chunked:
		s.chunked(resp.Body)
	case f.length > 0:
		s.knownLength(resp.Body, f.length)
	default:
		s.untilClose(resp.Body)
	}
	c.room.Sent = s.position() - start
	s.end()
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	if s.broken != nil && !delimited {
		c.reset() // an orderly close would make the body look whole
	}
	return c.settle(body) && keep && s.failed == nil && s.broken == nil
}

// flush sends the answers that wait for one more.
func (c *serverConn) flush() error { return c.s.flush() }

// badAnswer closes an answer that may not be sent and returns nil, which is answered with 500.
func badAnswer(c *serverConn, resp *message.Response, err error) *message.Response {
	c.report(fmt.Errorf("answer %s %q: %w", c.p.method, c.p.path, err))
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	return nil
}

// unfit finds the answers that have to be replaced: none at all, or one to a request whose body broke the protocol.
func (c *serverConn) unfit(resp *message.Response, body *requestBody) *Error {
	if body != nil && body.mu.TryLock() {
		err := body.f.err
		body.mu.Unlock()
		var e *Error
		if errors.As(err, &e) && (e.Kind == Malformed || e.Kind == Timeout) {
			return e
		}
	}
	if resp == nil {
		return &Error{Kind: BadMessage, Reason: "no answer"}
	}
	if resp.Status < 200 {
		return &Error{Kind: BadMessage, Reason: "interim status where a final one is due"}
	}
	return nil
}

// mayKeep tells whether the unread part of a request's body lets the connection live on.
func (c *serverConn) mayKeep(body *requestBody) bool {
	if body == nil || !body.mu.TryLock() {
		return true // being read: settle looks again
	}
	defer body.mu.Unlock()
	return body.f.done() || body.before == nil && body.f.err == nil && body.f.left <= c.o.MaxDrain
}

// settle takes the body from the handler and reads the rest of it.
func (c *serverConn) settle(body *requestBody) bool {
	if body == nil {
		return true
	}
	ok := body.detach() && (body.f.done() || body.f.err == nil && body.f.left <= c.o.MaxDrain && body.drain(c.o.MaxDrain, 5*time.Second))
	c.rude = c.rude || !ok
	c.scanned, c.line = 0, 0
	return ok
}

// frame chooses the framing of an answer (rfc9112 6.3); bare means that no body follows.
func (c *serverConn) frame(resp *message.Response, f *responseFrame) (bare bool) {
	switch {
	case resp.Status == http.StatusNoContent:
		return true
	case resp.Status == http.StatusNotModified:
		if resp.ContentLength > 0 {
			f.length = resp.ContentLength
		}
		return true
	case c.p.method == http.MethodHead:
		f.length = max(resp.ContentLength, -1)
		return true
	case resp.Body == nil:
		f.length = 0
	case resp.ContentLength >= 0:
		f.length = resp.ContentLength
	default:
		f.chunked = c.p.proto == message.HTTP11
	}
	return false
}

// reject answers what no handler saw, or what must not be sent, and leaves the connection to be closed.
func (c *serverConn) reject(ctx context.Context, e *Error) {
	c.rude = true
	j := &Rejection{Err: e, Status: e.Status(), Host: c.guessHost(), Client: c.o.Client, TLS: c.o.TLS}
	var resp *message.Response
	if c.o.Reject != nil {
		resp = c.o.Reject(ctx, j)
	}
	if resp == nil {
		resp = message.Text(j.Status, "text/plain; charset=utf-8", http.StatusText(j.Status)+"\n")
	}
	var body []byte
	if resp.Body != nil {
		body, _ = io.ReadAll(io.LimitReader(resp.Body, largeSize))
		_ = resp.Body.Close()
	}
	if c.flush() != nil {
		return
	}
	f := responseFrame{length: int64(len(body)), connection: "close", date: &c.date}
	out, err := appendResponse(nil, resp, &f)
	if err != nil {
		c.report(fmt.Errorf("answer a refused request: %w", err))
		return
	}
	c.armWrite(c.o.WriteTimeout)
	_, _ = c.conn.Write(append(out, body...))
}

// guessHost looks for a Host line in what there is of a head.
func (c *serverConn) guessHost() string {
	b := c.head
	if b == "" && c.buf != nil {
		b = string(c.buf[:c.w])
	}
	for line := range strings.SplitSeq(b, "\r\n") {
		if len(line) > 5 && strings.EqualFold(line[:5], "Host:") {
			if h := trimSpace(line[5:]); ValidHost(h) {
				return TrimPort(h, c.o.Scheme)
			}
		}
	}
	return ""
}

// late sends the answers that wait for one more when that one takes long. Answers to requests that came together leave
// together, but none is kept back for a slow one behind it.
type late struct {
	mu    sync.Mutex
	timer *time.Timer
	open  bool
}

// patience is how long an answer may wait for the next one.
const patience = time.Millisecond

// begin lets the timer send from now on. Nothing else may send until end.
func (l *late) begin(c *serverConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = true
	if l.timer == nil {
		l.timer = time.AfterFunc(patience, func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.open {
				_ = c.s.flush()
			}
		})
		return
	}
	l.timer.Reset(patience)
}

func (l *late) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open {
		l.open = false
		l.timer.Stop()
	}
}
