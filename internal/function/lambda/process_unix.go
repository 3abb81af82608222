//go:build unix

package lambda

import (
	"os"
	"syscall"
)

func descriptor(fd uintptr) int { return int(fd) }

func killGroup(p *os.Process) { _ = syscall.Kill(-p.Pid, syscall.SIGKILL) }

// readNow reads what there is without waiting.
func readNow(fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = syscall.Read(int(fd), b)
		if err != syscall.EINTR {
			return n, err == syscall.EAGAIN, err
		}
	}
}
