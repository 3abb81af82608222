package http1

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// responseBody is the body of an answer. Read and Close may be called from different goroutines, not Read twice.
type responseBody struct {
	c        *ClientConn
	f        framed
	persists bool
	mu       sync.Mutex
	over     bool
	closed   atomic.Bool
}

// Read reads the body. An error other than io.EOF is an *Error and means that the body is not whole.
func (b *responseBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.over {
		if b.f.err == nil {
			return 0, http.ErrBodyReadAfterClose
		}
		return 0, b.f.err
	}
	n, err := b.f.read(p)
	if err != nil {
		if b.closed.Load() && err != io.EOF {
			b.f.err = http.ErrBodyReadAfterClose
		}
		if err != io.EOF && b.c.o.BodyError != nil {
			b.f.err = b.c.o.BodyError(b.f.err)
		}
		err = b.f.err
		b.end(err == io.EOF && b.persists)
	}
	return n, err
}

// Buffered says how much can be read without waiting.
func (b *responseBody) Buffered() int {
	if !b.mu.TryLock() {
		return 0
	}
	defer b.mu.Unlock()
	if b.over {
		return 0
	}
	return b.f.buffered()
}

func (b *responseBody) end(reusable bool) {
	if !b.over {
		b.over = true
		b.c.finish(reusable)
	}
}

// Close ends the exchange. A body that was not read to its end takes the connection with it, unless the rest is here.
func (b *responseBody) Close() error {
	b.closed.Store(true)
	if !b.mu.TryLock() {
		_ = b.c.conn.Close() // wakes the reader
		b.mu.Lock()
	}
	defer b.mu.Unlock()
	if !b.over && b.f.kind == byLength && int64(b.c.buffered()) == b.f.left {
		b.c.r = b.c.w
		b.end(b.persists)
	}
	b.end(false)
	return nil
}
