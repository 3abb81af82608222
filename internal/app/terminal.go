package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/trace"
)

// terminal writes lines about what happens while Foregate serves. A line after a quiet moment is written at once; those of the
// next few milliseconds are gathered and leave in one write, so that a busy server does not make a system call for each. Make
// it with newTerminal, and close it.
type terminal struct {
	w     io.Writer
	color bool
	clock atomic.Pointer[clockText]
	ended chan struct{}

	mu      sync.Mutex
	changed sync.Cond // there are lines to write, or there is room for more, or the end has come
	lines   []byte
	closed  bool
}

// clockText is the time of day, written out once a second.
type clockText struct {
	second int64
	text   string
}

// gatherFor is how long lines are gathered behind a write, and gatherMost how many bytes of them: whoever has one more then
// waits, for no line is dropped.
const (
	gatherFor  = 5 * time.Millisecond
	gatherMost = 1 << 20
)

func newTerminal(s Streams) *terminal {
	t := &terminal{w: s.Err, color: s.ErrColor, ended: make(chan struct{})}
	t.changed.L = &t.mu
	go t.write()
	return t
}

// write is the goroutine that writes.
func (t *terminal) write() {
	defer close(t.ended)
	var out []byte
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		for len(t.lines) == 0 && !t.closed {
			t.changed.Wait()
		}
		if len(t.lines) == 0 {
			return
		}
		out, t.lines = t.lines, out[:0]
		closed := t.closed
		t.changed.Broadcast()
		t.mu.Unlock()
		_, _ = t.w.Write(out)
		if !closed {
			time.Sleep(gatherFor)
		}
		t.mu.Lock()
	}
}

// close writes what there is. Lines that come later are written at once.
func (t *terminal) close() {
	t.mu.Lock()
	t.closed = true
	t.changed.Broadcast()
	t.mu.Unlock()
	<-t.ended
}

// Write implements io.Writer for texts that are written between the lines.
func (t *terminal) Write(text []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.lines) > gatherMost && !t.closed {
		t.changed.Wait()
	}
	select {
	case <-t.ended:
		return t.w.Write(bytes.Clone(text)) // a copy, so that callers can have their text on the stack
	default:
	}
	if len(t.lines) == 0 {
		t.changed.Broadcast()
	}
	t.lines = append(t.lines, text...)
	return len(text), nil
}

func (t *terminal) appendTime(b []byte, now time.Time) []byte {
	c := t.clock.Load()
	if s := now.Unix(); c == nil || c.second != s {
		c = &clockText{s, now.Format("15:04:05")}
		t.clock.Store(c)
	}
	return append(b, c.text...)
}

func (t *terminal) logf(format string, args ...any) {
	_, _ = t.Write(append(fmt.Appendf([]byte("foregate: "), format, args...), '\n'))
}

func (t *terminal) function(l lambda.LogLine) {
	b := t.appendTime(nil, time.Now())
	b = append(append(append(b, " ["...), l.Function...), "] "...)
	_, _ = t.Write(append(append(b, l.Text...), '\n'))
}

// answered writes the line of a request. The client waits for it.
func (t *terminal) answered(a front.Answered) {
	var room [512]byte
	b := append(append(append(t.appendTime(room[:0], a.At.Add(a.Took)), "  "...), a.Method...), "  "...)
	b = append(append(append(append(b, a.Scheme...), "://"...), a.Host...), a.Path...)
	if a.HasQuery {
		b = append(append(b, '?'), trace.RedactQuery(a.Query)...)
	}
	b = append(b, "  "...)
	red := t.color && a.Response.Status >= 400
	if red {
		b = append(b, "\x1b[31m"...)
	}
	b = append(append(strconv.AppendInt(b, int64(a.Response.Status), 10), ' '), http.StatusText(a.Response.Status)...)
	if red {
		b = append(b, "\x1b[0m"...)
	}
	for _, name := range [...]string{"x-amzn-ErrorType", "X-Cache"} {
		if v := a.Response.Get(name); v != "" {
			b = append(append(b, "  "...), v...)
		}
	}
	b = appendDuration(append(b, "  "...), a.Took.Round(10*time.Microsecond))
	_, _ = t.Write(append(b, '\n'))
}

// appendDuration writes what time.Duration's String does, without allocating, for whole microseconds.
func appendDuration(b []byte, d time.Duration) []byte {
	unit, name := time.Microsecond, "µs"
	switch {
	case d == 0 || d >= time.Minute:
		return append(b, d.String()...)
	case d >= time.Second:
		unit, name = time.Second, "s"
	case d >= time.Millisecond:
		unit, name = time.Millisecond, "ms"
	}
	b = strconv.AppendInt(b, int64(d/unit), 10)
	if rest := d % unit; rest > 0 {
		b = append(b, '.')
		for ; rest > 0; rest %= unit {
			unit /= 10
			b = append(b, '0'+byte(rest/unit))
		}
	}
	return append(b, name...)
}
