package http1

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// look asks the kernel about a connection's socket without reading from it. A connection without a socket looks healthy.
func look(conn net.Conn) (g glance) {
	if t, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = t.NetConn()
	}
	s, ok := conn.(syscall.Conn)
	if !ok {
		return g
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return g
	}
	err = raw.Control(func(fd uintptr) {
		p := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLRDHUP}}
		if n, err := unix.Poll(p[:], 0); err == nil && n == 1 {
			g.ended = p[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
			g.readable = p[0].Revents&unix.POLLIN != 0
		}
	})
	if err != nil {
		g.ended = true
	}
	return g
}
