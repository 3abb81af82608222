//go:build !race

package http1

import (
	"syscall"
	"unsafe"
)

// readNow and writeNow are for sockets that do not block: the scheduler need not be told, which costs as much as a tenth of such a
// call. The race detector takes a write and the read of it for an order of things, and sees only the package syscall's.

func readNow(fd uintptr, p []byte) (int, error) { return callNow(syscall.SYS_READ, fd, p) }

func writeNow(fd uintptr, p []byte) (int, error) { return callNow(syscall.SYS_WRITE, fd, p) }

func callNow(number, fd uintptr, p []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
