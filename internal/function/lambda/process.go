package lambda

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is an interpreter that runs a bootstrap script: a spare one, or the body of a worker.
type process struct {
	rt  *Runtime
	cmd *exec.Cmd
	// requests and answers are the ends of the pipes on the worker's fd 3 and 4. use guards them: who talks to the
	// worker holds it, and they are closed under it when the process has ended.
	use               sync.Mutex
	requests, answers *os.File
	closed            bool
	logs              *logPipe
	started           time.Time

	// exited is closed when the process is reaped and its output is read; state is set before.
	exited chan struct{}
	state  *os.ProcessState

	mu     sync.Mutex
	reaped bool
	// ended runs once after the end, when the pipes are closed.
	ended func()
}

// launch starts an interpreter on a language's bootstrap script.
func (rt *Runtime) launch(l *language, program string, env []string) (*process, error) {
	script, err := rt.bootstrapFile(l)
	if err != nil {
		return nil, err
	}
	p := &process{rt: rt, cmd: exec.Command(program, script), exited: make(chan struct{}), started: time.Now()}
	p.cmd.Env = env
	p.cmd.Dir = filepath.Dir(script)
	p.cmd.SysProcAttr = processAttributes()
	var ends [3]*os.File // the worker's ends: fd 3, fd 4, stdout and stderr
	var logs *os.File
	for i, open := range []func() error{
		func() (err error) { ends[0], p.requests, err = os.Pipe(); return },
		func() (err error) { p.answers, ends[1], err = os.Pipe(); return },
		func() (err error) { logs, ends[2], err = os.Pipe(); return },
	} {
		if err = open(); err == nil {
			err = syscall.SetNonblock(descriptor(ends[i].Fd()), false)
		}
		if err != nil {
			closeFiles(p.requests, p.answers, logs, ends[0], ends[1], ends[2])
			return nil, fmt.Errorf("make pipes for %q: %w", program, err)
		}
	}
	p.cmd.ExtraFiles = ends[:2]
	p.cmd.Stdout, p.cmd.Stderr = ends[2], ends[2]
	p.logs, err = newLogPipe(logs, rt.opts.Logs, rt.opts.Now)
	if err == nil {
		err = rt.onStartThread(func() error { return rt.start(p) })
	}
	closeFiles(ends[:]...)
	if err != nil {
		closeFiles(p.requests, p.answers, logs)
		return nil, fmt.Errorf("start %q: %w", program, err)
	}
	return p, nil
}

// start runs on the start thread.
func (rt *Runtime) start(p *process) error {
	if err := p.cmd.Start(); err != nil {
		return err
	}
	rt.workers.Add(1)
	rt.mu.Lock()
	rt.processes[p] = struct{}{}
	closed := rt.closed
	rt.mu.Unlock()
	if closed {
		p.kill()
	}
	go p.logs.run()
	go p.wait()
	return nil
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		if f != nil {
			f.Close()
		}
	}
}

// kill ends the process and all that it started in its process group.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		killGroup(p.cmd.Process)
	}
}

// wait sees the process to its end. The group is killed before the process is reaped, while its number cannot have been
// given to another.
func (p *process) wait() {
	defer p.rt.workers.Done()
	awaitExit(p.cmd)
	p.mu.Lock()
	killGroup(p.cmd.Process)
	p.reaped = true
	p.mu.Unlock()
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Wait()
	}
	p.state = p.cmd.ProcessState
	p.logs.finish()
	close(p.exited)
	// A process that left the group may hold the other end open: wake who is reading.
	_ = p.answers.SetReadDeadline(time.Unix(1, 0))
	_ = p.requests.SetWriteDeadline(time.Unix(1, 0))
	p.use.Lock()
	p.closed = true
	closeFiles(p.requests, p.answers)
	p.use.Unlock()
	p.rt.mu.Lock()
	delete(p.rt.processes, p)
	p.rt.mu.Unlock()
	p.mu.Lock()
	ended := p.ended
	p.ended = nil
	p.mu.Unlock()
	if ended != nil {
		ended()
	}
}

// onEnd arranges for f to run once after the end; when it has come already, f runs now.
func (p *process) onEnd(f func()) {
	p.use.Lock()
	defer p.use.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.ended = f
		return
	}
	go f()
}

func (p *process) hasExited() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// spareDelay keeps the start of a spare out of the way of what is happening now: Foregate's own start, or an invocation.
const spareDelay = 50 * time.Millisecond

// prepareSpare starts a process of a language ahead, so that the next worker only has to load its function. The caller
// holds rt.mu.
func (rt *Runtime) prepareSpare(l *language, runtime string) {
	if l == nil || rt.opts.NoSpares || rt.closed {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.starting || l.spare != nil && !l.spare.hasExited() {
		return
	}
	l.starting = true
	rt.work.Go(func() {
		select {
		case <-time.After(spareDelay):
		case <-rt.ended:
		}
		p, err := rt.startSpare(l, runtime)
		l.mu.Lock()
		l.starting = false
		if err == nil {
			l.spare = p
		}
		l.mu.Unlock()
		rt.endSpares(l)
	})
}

func (rt *Runtime) startSpare(l *language, runtime string) (*process, error) {
	program, err := l.interpreter(runtime)
	if err != nil {
		return nil, err
	}
	return rt.launch(l, program, baseEnvironment(l, program))
}

// takeSpare returns the spare process if it runs program.
func (l *language) takeSpare(program string) *process {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.spare
	if p == nil || p.hasExited() || p.cmd.Path != program {
		return nil
	}
	l.spare = nil
	return p
}

// endSpares ends the spare of a language that no function uses any more.
func (rt *Runtime) endSpares(l *language) {
	if l == nil {
		return
	}
	for _, p := range rt.allPools() {
		if p.lang == l {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare != nil {
		l.spare.kill()
		l.spare = nil
	}
}
