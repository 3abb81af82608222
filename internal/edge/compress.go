package edge

import (
	"bytes"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// compressor reads src and gives its compressed form. It works in the reader's goroutine.
type compressor struct {
	src  io.ReadCloser
	out  bytes.Buffer
	w    io.WriteCloser
	in   []byte
	left int64
	err  error
}

// newCompressor compresses a body of length bytes; a shorter one is an error, so that it is never stored.
func newCompressor(src io.ReadCloser, coding string, length int64) *compressor {
	c := &compressor{src: src, in: make([]byte, 32<<10), left: length}
	if coding == "br" {
		c.w = brotli.NewWriterLevel(&c.out, 5)
	} else {
		c.w, _ = gzip.NewWriterLevel(&c.out, gzip.DefaultCompression)
	}
	return c
}

// Read implements io.Reader.
func (c *compressor) Read(p []byte) (int, error) {
	for c.out.Len() == 0 && c.err == nil {
		n, err := c.src.Read(c.in)
		c.left -= int64(n)
		if _, werr := c.w.Write(c.in[:n]); werr != nil {
			c.err = werr
		}
		if err == nil {
			continue
		}
		c.err = err
		if err == io.EOF {
			if c.left != 0 {
				c.err = io.ErrUnexpectedEOF
			} else if cerr := c.w.Close(); cerr != nil {
				c.err = cerr
			}
		}
	}
	if c.out.Len() > 0 {
		return c.out.Read(p)
	}
	return 0, c.err
}

// Close closes the source.
func (c *compressor) Close() error { return c.src.Close() }
