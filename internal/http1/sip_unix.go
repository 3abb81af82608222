//go:build unix

package http1

import (
	"io"
	"net"
	"os"
	"syscall"
)

// sipper reads the first bytes of a request from a socket in clear, and writes short answers. It takes a buffer only when there is
// something to read: a connection that waits holds none.
type sipper struct {
	w    *wire
	raw  syscall.RawConn // nil: the connection is no socket in clear
	step func(fd uintptr) bool
	err  error

	push   func(fd uintptr) bool
	out    []byte // what write has left
	failed error
}

func (s *sipper) init(w *wire) {
	s.w = w
	if tcp, ok := w.conn.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			s.raw, s.step, s.push = raw, s.sip, s.onWrite
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

// write writes something short. ok is false when it is to be done in the ordinary way.
func (s *sipper) write(p []byte) (ok bool, err error) {
	if s.raw == nil || len(p) > shortWrite {
		return false, nil
	}
	s.out, s.failed = p, nil
	if err = s.raw.Write(s.push); err == nil {
		err = s.failed
	}
	s.out = nil
	return true, err
}

// onWrite is called once at the beginning and then whenever the socket may take more.
func (s *sipper) onWrite(fd uintptr) bool {
	for len(s.out) > 0 {
		n, err := writeNow(fd, s.out)
		switch {
		case err == syscall.EINTR:
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			s.failed = os.NewSyscallError("write", err)
			return true
		}
		s.out = s.out[n:]
	}
	return true
}
