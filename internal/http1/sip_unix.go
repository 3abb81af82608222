//go:build unix

package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// sipper reads the first bytes of a request from a socket in clear. It takes a buffer only when there is something to read:
// a connection that waits holds none.
type sipper struct {
	w    *wire
	raw  syscall.RawConn // nil: the connection is no socket in clear
	step func(fd uintptr) bool
	err  error
}

func (s *sipper) init(w *wire) {
	s.w = w
	if tcp, ok := w.conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			s.raw, s.step = raw, s.sip
		}
	}
}

// fill is wire.fill for an empty buffer.
func (s *sipper) fill() error {
	if s.raw == nil || s.w.buffered() > 0 {
		return s.w.fill(smallSize)
	}
	s.err = nil
	if err := s.raw.Read(s.step); err != nil {
		return err
	}
	return s.err
}

func (s *sipper) sip(fd uintptr) bool {
	w := s.w
	if w.buf == nil {
		w.buf = getBuffer(smallSize)
	}
	for {
		n, err := readNow(fd, w.buf)
		switch {
		case n > 0:
			w.r, w.w = 0, n
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			w.release()
			return false
		case err != nil:
			s.err = os.NewSyscallError("read", err)
		default:
			s.err = io.EOF
		}
		return true
	}
}
