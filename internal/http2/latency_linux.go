package http2

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentMost is how much the kernel takes beyond what is on its way. More would wait there, in the order in which it came, and
// priorities would come too late.
const unsentMost = 128 << 10

// lowLatency bounds what waits in the kernel of a connection.
func lowLatency(nc net.Conn) {
	for {
		t, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		nc = t.NetConn()
	}
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	if rc, err := sc.SyscallConn(); err == nil {
		_ = rc.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
		})
	}
}
