package edge

import (
	"bytes"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
)

// memoryBody reads a body that is in memory whole. Whoever can write it at once uses WriteTo or Bytes.
type memoryBody struct{ b []byte }

func newMemoryBody(b []byte) *memoryBody { return &memoryBody{b} }

// Read implements io.Reader.
func (m *memoryBody) Read(p []byte) (int, error) {
	if len(m.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.b)
	m.b = m.b[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: one write for the whole body.
func (m *memoryBody) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.b)
	m.b = m.b[n:]
	return int64(n), err
}

// Bytes returns what is left to read, for writers that send head and body together. It must not be changed.
func (m *memoryBody) Bytes() []byte { return m.b }

// Close implements io.Closer.
func (m *memoryBody) Close() error { return nil }

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
