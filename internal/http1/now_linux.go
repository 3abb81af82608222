//go:build !race && !386

package http1

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow are for sockets that do not block: the scheduler need not be told, which costs as much as a tenth of such a
// call, and the kernel is asked for what a socket can do, without what it does for files. The race detector takes a write and the read of it for an order of things, and sees only the package syscall's.

func readNow(fd uintptr, p []byte) (int, error) { return callNow(syscall.SYS_RECVFROM, fd, p, 0) }

func writeNow(fd uintptr, p []byte) (int, error) {
	return callNow(syscall.SYS_SENDTO, fd, p, syscall.MSG_NOSIGNAL)
}

func callNow(number, fd uintptr, p []byte, flags uintptr) (int, error) {
	n, _, errno := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
