package http1

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Buffers come in two sizes, so that a pool can hold arrays: putting one back then allocates nothing.
const (
	smallSize = 4 << 10
	largeSize = 64 << 10
)

// The pools hold bytes without meaning; they are the package's only shared state.
var (
	smallPool = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largePool = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

func getBuffer(n int) []byte {
	switch {
	case n <= smallSize:
		account(1)
		return smallPool.Get().(*[smallSize]byte)[:]
	case n <= largeSize:
		account(1)
		return largePool.Get().(*[largeSize]byte)[:]
	}
	return make([]byte, n)
}

func putBuffer(b []byte) {
	switch cap(b) {
	case smallSize:
		account(-1)
		smallPool.Put((*[smallSize]byte)(b[:smallSize]))
	case largeSize:
		account(-1)
		largePool.Put((*[largeSize]byte)(b[:largeSize]))
	case hugeSize:
		account(-1)
		hugePool.Put((*[hugeSize]byte)(b[:hugeSize]))
		hugeOut.Add(-1)
	}
}

// Streams that give more than a large buffer at a time are read in steps four times as big, which costs a quarter less. No
// more than hugeMost streams have such a buffer at once: the others go on with less.
const (
	hugeSize = 256<<10 + smallSize // no size that make is asked for elsewhere
	hugeMost = 64
)

var (
	hugePool = sync.Pool{New: func() any { return new([hugeSize]byte) }}
	hugeOut  atomic.Int64
)

// getHuge returns nil when there are enough.
func getHuge() []byte {
	if hugeOut.Add(1) > hugeMost {
		hugeOut.Add(-1)
		return nil
	}
	account(1)
	return hugePool.Get().(*[hugeSize]byte)[:]
}

// wire reads a connection through a pooled buffer and knows which deadlines are in force.
type wire struct {
	conn    net.Conn
	buf     []byte // nil while given back
	r, w    int    // buf[r:w] is read but not consumed
	scanned int    // of buf[r:w], how much endOfHead has seen
	line    int    // where in buf[r:w] the line begins that endOfHead is in
	readBy  instant
	writeBy instant
	end     instant // by when all reads have to be over
}

// instant is a moment in nanoseconds since the start of the program; 0 is none. It costs half of what time.Now does.
type instant int64

var start = time.Now()

func now() instant { return instantOf(time.Since(start)) }

func instantOf(since time.Duration) instant {
	if since == 0 {
		return 1
	}
	return instant(since)
}

func (t instant) time() time.Time { return start.Add(time.Duration(t)) }

func (w *wire) buffered() int { return w.w - w.r }

func (w *wire) release() {
	if w.buf != nil {
		putBuffer(w.buf)
		w.buf, w.r, w.w = nil, 0, 0
	}
}

// consume drops n bytes and starts a new head.
func (w *wire) consume(n int) {
	w.r += n
	w.scanned, w.line = 0, 0
}

var errFull = errors.New("buffer full")

// fill reads once, into a buffer of at most limit bytes.
func (w *wire) fill(limit int) error {
	switch {
	case w.buf == nil:
		w.buf = getBuffer(smallSize)
	case w.r == w.w:
		w.r, w.w = 0, 0
	case w.w < len(w.buf):
	case w.r > 0:
		w.w = copy(w.buf, w.buf[w.r:w.w])
		w.r = 0
	case len(w.buf) >= limit:
		return errFull
	default:
		size := largeSize
		if len(w.buf) >= largeSize {
			size = 2 * len(w.buf)
		}
		b := getBuffer(size)
		w.w = copy(b, w.buf[:w.w])
		putBuffer(w.buf)
		w.buf = b
	}
	for range 16 {
		n, err := w.conn.Read(w.buf[w.w:])
		if n > 0 {
			w.w += n
			return nil
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

var errBareLF = errors.New("line feed without a carriage return")

// endOfHead returns the length of the head at the start of the buffer with its empty line, or 0 when more is to come. It is
// where a lone LF is found, before a line could be taken for two by somebody else (rfc9112 2.2).
func (w *wire) endOfHead() (int, error) {
	b := w.buf[w.r:w.w]
	for {
		i := bytes.IndexByte(b[w.scanned:], '\n')
		if i < 0 {
			w.scanned = len(b)
			return 0, nil
		}
		i += w.scanned
		if i == 0 || b[i-1] != '\r' {
			return 0, errBareLF
		}
		if i-1 == w.line {
			return i + 1, nil
		}
		w.scanned, w.line = i+1, i+1
	}
}

// slack is how much later than asked a deadline may fall, so that a busy connection need not set one for each message.
func slack(d time.Duration) time.Duration { return min(d/4, time.Second) }

// armRead sees to it that a read fails after d, or up to a quarter or a second later. d <= 0 means never. It returns
// the time that it was.
func (w *wire) armRead(d time.Duration) instant {
	t := now()
	by, set := arm(w.readBy, t, d)
	if w.end != 0 && (by == 0 || by > w.end) {
		by, set = w.end, w.end != w.readBy
	}
	if set {
		w.readBy = by
		_ = w.conn.SetReadDeadline(deadline(by))
	}
	return t
}

// armWrite is armRead for writes.
func (w *wire) armWrite(d time.Duration) {
	if by, set := arm(w.writeBy, now(), d); set {
		w.writeBy = by
		_ = w.conn.SetWriteDeadline(deadline(by))
	}
}

func arm(inForce, t instant, d time.Duration) (instant, bool) {
	if d <= 0 {
		return 0, inForce != 0
	}
	if left := time.Duration(inForce - t); inForce != 0 && left >= d && left <= d+slack(d) {
		return inForce, false
	}
	return t + instant(d+slack(d)), true
}

func deadline(by instant) time.Time {
	if by == 0 {
		return time.Time{}
	}
	return by.time()
}

// exactRead sets the read deadline to t.
func (w *wire) exactRead(t time.Time) {
	w.readBy = instantOf(t.Sub(start))
	_ = w.conn.SetReadDeadline(t)
}

func isTimeout(err error) bool {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return true
	}
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
