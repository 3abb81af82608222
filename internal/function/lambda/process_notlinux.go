//go:build unix && !linux

package lambda

import (
	"os/exec"
	"syscall"
)

func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when the process has ended. It is reaped here; its group is signalled a moment after that.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
