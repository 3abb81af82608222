package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of utime and stime in /proc/PID/stat: USER_HZ, 100 on every Linux that Go runs on (proc(5)).
const tick = 10 * time.Millisecond

// process is a running server: one process or several, with their children.
type process struct {
	server     server
	cmds       []*exec.Cmd
	clear, tls string   // addresses
	host       string   // the Host to ask for
	hosts      []string // all of them, when there are many
	origin     string
	logs       []string
	began      time.Time // when the server was started
}

// spawn starts a command on a core, with its output in a file of the scratch folder.
func (b *bench) spawn(core string, args ...string) (*exec.Cmd, error) {
	cmd := exec.Command("taskset", append([]string{"-c", core}, args...)...)
	cmd.Env = append(os.Environ(), "HOME="+b.dir, "XDG_CONFIG_HOME="+b.dir+"/config", "XDG_DATA_HOME="+b.dir+"/data")
	cmd.Dir = b.dir
	out, err := os.Create(b.logOf(args[0]))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, cmd.Start()
}

// logOf is the file that a program's output goes to.
func (b *bench) logOf(program string) string {
	return filepath.Join(b.dir, filepath.Base(program)+".log")
}

// output is what the server has printed.
func (p *process) output() (all []byte) {
	for _, path := range p.logs {
		data, _ := os.ReadFile(path)
		all = append(all, data...)
	}
	return all
}

// stop ends the processes, children included, and waits for them.
func (p *process) stop() {
	if p == nil {
		return
	}
	for _, cmd := range p.cmds {
		stopCommand(cmd)
	}
	p.cmds = nil
}

// stopCommand asks a process to end, and kills it with its children when it does not.
func stopCommand(cmd *exec.Cmd) {
	all := descendants(cmd.Process.Pid)
	_ = cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(3 * time.Second):
	}
	for _, pid := range all[1:] {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	select {
	case <-done:
	default:
		_ = cmd.Process.Kill()
		<-done
	}
}

// descendants returns pid and all processes under it.
func descendants(pid int) []int {
	all := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, t := range tasks {
		data, _ := os.ReadFile(t)
		for _, child := range strings.Fields(string(data)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, descendants(n)...)
			}
		}
	}
	return all
}

// pids are all processes of a server.
func (p *process) pids() (all []int) {
	for _, cmd := range p.cmds {
		all = append(all, descendants(cmd.Process.Pid)...)
	}
	return all
}

// cpu is the time that the server's processes have used so far, user and system.
func (p *process) cpu() (user, system time.Duration) {
	for _, pid := range p.pids() {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, rest, _ := bytes.Cut(data, []byte(") ")) // the name before may hold spaces, not in our servers ") "
		f := strings.Fields(string(rest))
		if len(f) < 13 {
			continue
		}
		u, _ := strconv.ParseInt(f[11], 10, 64)
		s, _ := strconv.ParseInt(f[12], 10, 64)
		user += time.Duration(u) * tick
		system += time.Duration(s) * tick
	}
	return user, system
}

// memory is the server's proportional set size in KiB.
func (p *process) memory() (kib int64) {
	for _, pid := range p.pids() {
		data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "Pss:"); ok {
				n, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
				kib += n
			}
		}
	}
	return kib
}

// freeAddr returns a loopback address that nobody listens on.
func freeAddr() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// await waits until addr accepts connections.
func await(ctx context.Context, addr string, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		nc, err := net.Dial("tcp", addr)
		if err == nil {
			return nc.Close()
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			return errors.Join(err, ctx.Err())
		}
		time.Sleep(time.Millisecond)
	}
}

// startOrigin starts the origin on the core of the load.
func (b *bench) startOrigin(ctx context.Context) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	cmd, err := b.spawn("1", filepath.Join(b.bin, "origin"), addr)
	if err != nil {
		return nil, err
	}
	b.origin = addr
	return &process{cmds: []*exec.Cmd{cmd}, clear: addr}, await(ctx, addr, 5*time.Second)
}

// served asks the origin how many answers it has given.
func served(ctx context.Context, origin string) (int64, error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", origin)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	if _, err := io.WriteString(nc, "GET /served HTTP/1.1\r\nHost: origin\r\n\r\n"); err != nil {
		return 0, err
	}
	var buf [1024]byte
	n, err := nc.Read(buf[:])
	if err != nil {
		return 0, err
	}
	_, count, _ := strings.Cut(string(buf[:n]), "\r\n\r\n")
	return strconv.ParseInt(count, 10, 64)
}
