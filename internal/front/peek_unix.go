//go:build unix

package front

import (
	"errors"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// peek waits for the first bytes of a TCP connection and leaves them there.
func peek(nc net.Conn, b []byte) (int, error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, errors.ErrUnsupported
	}
	var n int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		for {
			n, _, failed = unix.Recvfrom(int(fd), b, unix.MSG_PEEK)
			if failed != unix.EINTR {
				return failed != unix.EAGAIN
			}
		}
	})
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	case n <= 0:
		return 0, io.EOF
	}
	return n, nil
}
