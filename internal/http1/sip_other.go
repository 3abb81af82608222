//go:build !unix

package http1

// sipper needs the calls of Unix: elsewhere a connection that waits holds a buffer.
type sipper struct{ w *wire }

func (s *sipper) init(w *wire) { s.w = w }

func (s *sipper) fill() error { return s.w.fill(smallSize) }

func (s *sipper) write([]byte) (ok bool, err error) { return false, nil }
