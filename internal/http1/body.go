package http1

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// requestBody is the body of a request as its handler sees it. A handler may leave a goroutine behind that still reads it
// when the answer is over, so every read is guarded, and detach ends them.
type requestBody struct {
	mu       sync.Mutex
	f        framed
	before   func() error // sends 100 Continue; nil when it was not asked for or has been sent
	detached atomic.Bool
}

var errDetached = &Error{Kind: Incomplete, Reason: "the body was read after its request was over"}

// Read reads the body. Errors are *Error.
func (b *requestBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.detached.Load() {
		return 0, errDetached
	}
	if b.before != nil {
		f := b.before
		b.before = nil
		if err := f(); err != nil {
			return 0, &Error{Kind: Broken, Reason: "sending 100 Continue", Err: err}
		}
	}
	return b.f.read(p)
}

// Buffered says how much can be read without waiting.
func (b *requestBody) Buffered() int {
	if !b.mu.TryLock() {
		return 0
	}
	defer b.mu.Unlock()
	if b.detached.Load() {
		return 0
	}
	return b.f.buffered()
}

// detach takes the body from the handler. It returns false when somebody was reading it: the connection is then of no
// further use, since that read had to be cut short.
func (b *requestBody) detach() bool {
	b.detached.Store(true)
	if b.mu.TryLock() {
		b.mu.Unlock()
		return true
	}
	_ = b.f.w.conn.SetReadDeadline(time.Unix(1, 0))
	b.mu.Lock()
	defer b.mu.Unlock()
	return false
}

// drain reads what is left, up to limit bytes and for at most d, so that the connection can be used again.
func (b *requestBody) drain(limit int64, d time.Duration) bool {
	if b.before != nil {
		return false // the client waits for a 100 that it will not get
	}
	end := time.Now().Add(d)
	b.f.timeout = d
	buf := getBuffer(largeSize)
	defer putBuffer(buf)
	for limit > 0 && time.Now().Before(end) {
		n, err := b.f.read(buf)
		limit -= int64(n)
		if err != nil {
			return err == io.EOF
		}
	}
	return b.f.done()
}
