package origin

import (
	"context"
	"io"
)

// body gives the errors of an answer's body their Kind.
type body struct {
	io.ReadCloser
	buffered interface{ Buffered() int }
	p        *pool
	ctx      context.Context
}

// Buffered says how much can be read without waiting.
func (b *body) Buffered() int { return b.buffered.Buffered() }

// Read reads from the origin.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = b.p.failure(b.ctx, err)
	}
	return n, err
}
