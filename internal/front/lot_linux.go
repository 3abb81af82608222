package front

import (
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// watcher is a set of sockets of which the kernel tells once when they can be read. The runtime's own poller, which also
// knows these sockets, watches the set as if it were one more of them.
type watcher struct {
	file *os.File
	fd   int
}

// open makes the set and starts to wait, the first time.
func (w *watcher) open(l *lot) bool {
	if w.file != nil {
		return true
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return false
	}
	if unix.SetNonblock(fd, true) != nil { // makes os.NewFile ask the runtime's poller
		_ = unix.Close(fd)
		return false
	}
	file := os.NewFile(uintptr(fd), "idle connections")
	raw, err := file.SyscallConn()
	if err != nil || file.SetDeadline(time.Time{}) != nil { // the poller has not taken it
		_ = file.Close()
		return false
	}
	w.file, w.fd = file, fd
	go w.wait(l, raw)
	return true
}

// add watches a socket until it can be read, its other end has closed, or it is closed here.
func (w *watcher) add(nc net.Conn, i, round uint32) bool {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return false
	}
	e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(i), Pad: int32(round)}
	err = raw.Control(func(fd uintptr) {
		// A socket that was parked before is still in the set.
		if ok = unix.EpollCtl(w.fd, unix.EPOLL_CTL_MOD, int(fd), &e) == nil; !ok {
			ok = unix.EpollCtl(w.fd, unix.EPOLL_CTL_ADD, int(fd), &e) == nil
		}
	})
	return err == nil && ok
}

func (w *watcher) wait(l *lot, raw syscall.RawConn) {
	var events [128]unix.EpollEvent
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			n, err = unix.EpollWait(int(fd), events[:], 0)
			return n > 0 || err != nil && err != unix.EINTR
		})
		if err != nil { // closed
			return
		}
		for _, e := range events[:max(n, 0)] {
			l.ready(uint32(e.Fd), uint32(e.Pad))
		}
	}
}

func (w *watcher) close() {
	if w.file != nil {
		_ = w.file.Close()
	}
}
