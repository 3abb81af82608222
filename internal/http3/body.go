package http3

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
)

var errDetached = &http1.Error{Kind: http1.Incomplete, Reason: "the body was read after its request was over"}

// body is the body of a request. It outlives its exchange: a handler may leave a goroutine behind that still reads it.
type body struct {
	mu       sync.Mutex
	x        *exchange // nil when the exchange is over
	left     uint64    // of the DATA frame
	declared int64     // content-length, -1 without one
	got      int64
	trailer  bool
	expect   bool // the client waits for 100 Continue
	err      error
}

// Read reads the body. Errors are *http1.Error or io.EOF.
func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.expect {
		b.expect = false
		b.x.interim()
	}
	_ = b.x.s.SetReadDeadline(after(b.x.c.o.BodyTimeout))
	if b.left == 0 {
		if err := b.frame(); err != nil {
			return 0, b.fail(err)
		}
	}
	if uint64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.x.in.Read(p)
	b.left -= uint64(n)
	b.got += int64(n)
	if err == io.EOF && b.left == 0 {
		return n, nil // the stream's end came with the last byte of the frame: frame sees it again
	}
	if err != nil {
		return n, b.fail(within(err))
	}
	return n, nil
}

// frame reads up to the content of the next DATA frame. io.EOF is the end of the body.
func (b *body) frame() error {
	f := &b.x.frames
	for {
		h, err := f.next()
		switch {
		case err == io.EOF && b.declared >= 0 && b.got != b.declared:
			return streamFault(messageError, "the body is shorter than its content-length")
		case err != nil:
			return err
		case h.kind == frameData && b.trailer, h.kind == frameHeaders && b.trailer:
			return connFault(frameUnexpected, "a frame after the trailer") // rfc9114 4.1
		case h.kind == frameData:
			if b.declared >= 0 && h.length > uint64(b.declared-b.got) {
				return streamFault(messageError, "the body is longer than its content-length")
			}
			if b.left = h.length; b.left > 0 {
				return nil
			}
			if f.unknown++; f.unknown > maxUnknownFrames {
				return connFault(excessiveLoad, "too many empty frames")
			}
		case h.kind == frameHeaders:
			if err := b.readTrailer(h); err != nil {
				return err
			}
		case known(h.kind):
			return connFault(frameUnexpected, "a frame that does not belong in a request")
		default:
			if err := f.skip(h); err != nil {
				return err
			}
		}
	}
}

// readTrailer checks a trailer and drops it. The head's fields are the handler's by now.
func (b *body) readTrailer(h frameHead) error {
	b.trailer = true
	if h.length > uint64(2*b.x.c.o.MaxHead) {
		return connFault(excessiveLoad, "the trailer is too long")
	}
	var t head.Head
	t.Reset(head.Trailer, b.x.c.o.rules())
	if err := b.x.section(h, &t); err != nil {
		return err
	}
	if t.Bad != "" || t.Over {
		return streamFault(messageError, "a trailer that is malformed or too long")
	}
	return nil
}

// fail remembers how the body ended, and tells the client what it did wrong.
func (b *body) fail(err error) error {
	var f *fault
	switch {
	case err == io.EOF:
		b.err = io.EOF
	case errors.As(err, &f):
		b.x.refuse(f)
		b.err = &http1.Error{Kind: http1.Malformed, Reason: f.why}
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.err = &http1.Error{Kind: http1.Timeout, Reason: "reading the body", Err: err}
	default:
		b.err = &http1.Error{Kind: http1.Incomplete, Reason: "the stream ended within the body", Err: err}
	}
	return b.err
}

// Buffered says how much can be read without waiting.
func (b *body) Buffered() int {
	if !b.mu.TryLock() {
		return 0 // somebody reads
	}
	defer b.mu.Unlock()
	if b.x == nil {
		return 0
	}
	return int(min(b.left, uint64(b.x.in.Buffered())))
}

// detach takes the body from the handler. Reading has been cancelled, so that nobody holds the lock for long.
func (b *body) detach() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.x = nil
	if b.err == nil || b.err == io.EOF {
		b.err = errDetached
	}
}
