package edge

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/message"
)

// Logger takes the record of a request; it must neither wait nor keep r.
type Logger interface {
	Log(r *accesslog.Record)
}

// log begins the record of the request, which is finished and handed over when the answer has been sent. Requests whose URL or
// head is too long are not logged (standard-logs-reference).
func (x *exchange) log() (phase, Reason) {
	standard, live := x.loggers()
	l := x.plan.logging()
	if l == nil && live == nil {
		return done, ReasonNoLog
	}
	if x.hop != nil {
		x.verdict = logPlaces(l, live)
	}
	switch {
	case x.cause == CauseURITooLong || x.cause == CauseHeadTooBig:
		return done, ReasonNotLogged
	case standard == nil && (live == nil || live.To == nil):
		return done, ReasonLogElsewhere
	}
	x.attach(standard, live)
	return done, ReasonLogged
}

// logPlaces names the places for people.
func logPlaces(l *Logging, live *RealtimeLog) string {
	switch {
	case live == nil:
		return l.Where
	case l == nil:
		return live.Where
	}
	return l.Where + ", " + live.Where
}

// logging is p's, nil without a plan too.
func (p *Plan) logging() *Logging {
	if p == nil {
		return nil
	}
	return p.Logging
}

// logs tells whether requests may be logged.
func (p *Plan) logs() bool {
	return p.Logging != nil || slices.ContainsFunc(p.Behaviors, func(b Behavior) bool { return b.RealtimeLog != nil })
}

// loggers returns who takes the record: the standard log, and the real-time log of the behavior when the request is one of the
// sample.
func (x *exchange) loggers() (standard Logger, live *RealtimeLog) {
	if l := x.plan.logging(); l != nil {
		standard = l.To
	}
	if b := x.behavior; b != nil && b.RealtimeLog != nil && x.drawn(b.RealtimeLog.SamplingRate) {
		live = b.RealtimeLog
	}
	return standard, live
}

// drawn draws by another part of the request's id than sampled, so that one sample does not hide in another.
func (x *exchange) drawn(percent int64) bool {
	if percent >= 100 {
		return true
	}
	n := uint32(0)
	for i := range 8 {
		n = n*31 + uint32(x.id[i])
	}
	return int64(n*2654435761>>16)%100 < percent
}

// attach has the answer's body tell when it is over. An answer without one gets an empty one for that.
func (x *exchange) attach(standard Logger, live *RealtimeLog) {
	r := x.response
	var needs accesslog.Needs
	if standard != nil {
		needs = x.plan.Logging.Needs
	}
	var to [2]Logger
	to[0] = standard
	if live != nil && live.To != nil {
		to[1] = live.To
		needs |= live.Needs
	}
	in, ready := r.Body.(*message.Bytes)
	if r.Body == nil {
		in, ready = &x.out.Body, true
		in.Set(nil)
		r.Body = in
	}
	if ready {
		l := memoryLogs.Get().(*memoryLog)
		l.size = in.Buffered()
		l.begin(x, to, needs)
		in.OnClose(l)
		return
	}
	b := &loggedBody{left: r.ContentLength, body: r.Body}
	b.begin(x, to, needs)
	r.Body = b.wrap(r)
}

// logEntry is a record until it is handed over.
type logEntry struct {
	record  accesslog.Record
	to      [2]Logger
	fx      Effects
	began   time.Time
	fetched time.Time     // when the origin was asked
	room    *message.Room // of the engine, nil without one
	upload  *countedBody  // the request's body, nil without one
	beyond  int64         // bytes of a tunnel, which the engine does not count
}

// begin fills the record as far as it is known before the answer is sent.
func (e *logEntry) begin(x *exchange, to [2]Logger, needs accesslog.Needs) {
	e.to, e.fx, e.began = to, x.svc.effects, x.now
	x.fillRecord(&e.record, needs)
	if s := x.fetched; s != nil && s.origin != nil {
		e.fetched = s.started
	}
	if x.lent {
		e.room = x.out
	}
	e.upload = x.upload
}

// hand hands the record over. last is when the last byte came from the origin, zero when it came with the first one.
func (e *logEntry) hand(last time.Time) {
	r := &e.record
	if e.room != nil && e.room.Sent > 0 {
		r.Sent = e.room.Sent + e.beyond
	}
	if u := e.upload; u != nil {
		n := u.read.Load()
		if r.Received += n - max(u.length, 0); u.length >= 0 && !u.failed.Load() {
			r.Received += u.length - n // what the function or the origin did not want to read was sent as well
		}
	}
	r.Ended = e.fx.Now()
	r.Taken = r.Ended.Sub(e.began)
	if r.OriginLast = r.OriginFirst; !last.IsZero() && !e.fetched.IsZero() {
		r.OriginLast = max(last.Sub(e.fetched), r.OriginFirst)
	}
	for _, to := range e.to {
		if to != nil {
			to.Log(r)
		}
	}
}

// countedBody counts the body of a request.
type countedBody struct {
	from   io.Reader
	length int64 // as announced, -1 without an announcement
	read   atomic.Int64
	failed atomic.Bool
}

// countUpload counts the request's body, if there is one, where a log wants to know.
func (x *exchange) countUpload() {
	if r := x.req; r.Body != nil && x.plan.logs() {
		x.upload = &countedBody{from: r.Body, length: r.ContentLength}
		r.Body = x.upload
	}
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	b.read.Add(int64(n))
	if err != nil && err != io.EOF {
		b.failed.Store(true)
	}
	return n, err
}

// Buffered says how much can be read without waiting, as far as the body knows.
func (b *countedBody) Buffered() int {
	if known, ok := b.from.(interface{ Buffered() int }); ok {
		return known.Buffered()
	}
	return 0
}

// memoryLog is the entry of an answer whose body is in memory. Its body ends once, so that it can be used again.
type memoryLog struct {
	logEntry
	size int
}

// memoryLogs holds entries without meaning.
var memoryLogs = sync.Pool{New: func() any { return &memoryLog{} }}

// Ended implements message.Ender.
func (l *memoryLog) Ended(left int) {
	l.record.Sent += int64(l.size - left)
	if left > 0 {
		l.record.Result, l.record.Detailed = "Error", "ClientCommError"
	}
	l.hand(time.Time{})
	own := l.record.Own
	*l = memoryLog{}
	l.record.Own = own[:0]
	memoryLogs.Put(l)
}

// loggedBody counts a body, and hands the record over when it is closed.
type loggedBody struct {
	logEntry
	body   io.ReadCloser
	left   int64 // of a known length; negative for another
	last   time.Time
	over   bool
	ended  bool
	failed bool
}

// wrap returns b with what else the answer's body can do.
func (b *loggedBody) wrap(r *message.Response) io.ReadCloser {
	if c, ok := r.Body.(io.ReadWriteCloser); ok && r.Status == 101 {
		return &loggedTunnel{ReadWriteCloser: c, loggedBody: b}
	}
	known, buffered := r.Body.(interface{ Buffered() int })
	to, writes := r.Body.(io.WriterTo)
	switch {
	case buffered && writes:
		return &struct {
			loggedBuffer
			loggedWriterTo
		}{loggedBuffer{b, known}, loggedWriterTo{b, to}}
	case buffered:
		return &loggedBuffer{b, known}
	case writes:
		return &struct {
			*loggedBody
			loggedWriterTo
		}{b, loggedWriterTo{b, to}}
	}
	return b
}

// took notes that n bytes have gone on.
func (b *loggedBody) took(n int64, err error) {
	b.record.Sent += n
	b.left -= n
	switch {
	case err == io.EOF:
		b.ended = true
		b.last = b.fx.Now()
	case err != nil:
		b.failed = true
	case b.left == 0:
		b.last = b.fx.Now()
	}
}

// Read implements io.Reader.
func (b *loggedBody) Read(p []byte) (int, error) {
	if b.over {
		return 0, io.ErrClosedPipe
	}
	n, err := b.body.Read(p)
	b.took(int64(n), err)
	return n, err
}

// Close implements io.Closer. A body that was not read to its end is that of a viewer who left, or of an origin that failed: the
// result is Error then, whatever it was before (standard-logs-reference, x-edge-result-type).
func (b *loggedBody) Close() (err error) {
	if b.over {
		return nil
	}
	b.over = true
	r := &b.record
	if b.body != nil {
		err = b.body.Close()
		if !b.ended && b.left != 0 {
			r.Result, r.Detailed = "Error", "ClientCommError"
			if b.failed {
				r.Detailed = "OriginReadError"
			}
		}
	}
	if b.last.IsZero() {
		b.last = b.fx.Now()
	}
	b.hand(b.last)
	return err
}

// loggedBuffer is loggedBody for bodies that know how much they have.
type loggedBuffer struct {
	*loggedBody
	known interface{ Buffered() int }
}

// Buffered passes on what the body knows.
func (b *loggedBuffer) Buffered() int { return b.known.Buffered() }

// loggedWriterTo keeps the short cut of bodies that write themselves.
type loggedWriterTo struct {
	b  *loggedBody
	to io.WriterTo
}

// WriteTo implements io.WriterTo. An error is taken for one of the writer: the bodies that write themselves are on disk.
func (w loggedWriterTo) WriteTo(dst io.Writer) (int64, error) {
	n, err := w.to.WriteTo(dst)
	w.b.took(n, nil)
	return n, err
}

// loggedTunnel counts a WebSocket connection both ways.
type loggedTunnel struct {
	io.ReadWriteCloser
	*loggedBody
	sent, received atomic.Int64
	once           sync.Once
}

// Read reads from the origin.
func (t *loggedTunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.sent.Add(int64(n))
	return n, err
}

// Write writes to the origin.
func (t *loggedTunnel) Write(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Write(p)
	t.received.Add(int64(n))
	return n, err
}

// CloseWrite ends the direction to the origin alone, where that is possible.
func (t *loggedTunnel) CloseWrite() error {
	if h, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return t.Close()
}

// Close ends the connection. That is how each of them ends: it is no error.
func (t *loggedTunnel) Close() (err error) {
	t.once.Do(func() {
		err = t.ReadWriteCloser.Close()
		t.beyond = t.sent.Load()
		t.record.Sent += t.beyond
		t.record.Received += t.received.Load()
		t.body = nil
		_ = t.loggedBody.Close()
	})
	return err
}
