//go:build !unix

package lambda

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// Workers need inherited pipes, which Go gives to children on Unix only: exec.Cmd refuses to start with ExtraFiles here.

func descriptor(fd uintptr) syscall.Handle { return syscall.Handle(fd) }

func processAttributes() *syscall.SysProcAttr { return nil }

func awaitExit(*exec.Cmd) {}

func killGroup(p *os.Process) { _ = p.Kill() }

func readNow(uintptr, []byte) (int, bool, error) {
	return 0, false, errors.New("functions do not run on this system")
}
