package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// smallPayload is what is copied behind the frame's head for one write; what is larger is written on its own. Both fit
// into an empty pipe, or the worker is reading.
const smallPayload = 16 << 10

// keepBuffer is the largest buffer that an idle worker keeps.
const keepBuffer = 64 << 10

// worker is a process with a function loaded.
type worker struct {
	*process
	pool      *pool
	seq       uint32
	out       []byte
	in        answer
	expires   time.Time
	idleSince time.Time
	// initTime is how long the start took, until an invocation has reported it.
	initTime time.Duration
	version  string

	watch watch
}

// watch lets the end of a context wake the goroutine that reads an answer.
type watch struct {
	mu        sync.Mutex
	call      uint32 // the sequence that is being watched, or 0
	cancelled bool
}

// claim locks w for one conversation. It fails when the process has ended.
func (w *worker) claim() bool {
	if !w.use.TryLock() {
		return false // only its end holds an idle worker
	}
	if w.closed || w.hasExited() {
		w.use.Unlock()
		return false
	}
	return true
}

// stale tells whether the worker's credentials are about to expire.
func (w *worker) stale() bool {
	return !w.expires.IsZero() && w.pool.rt.opts.Now().After(w.expires.Add(-time.Minute))
}

// failure is why a function could not be loaded: the payload that Lambda would answer with.
type failure struct {
	payload  []byte
	timedOut bool
	exit     *os.ProcessState
	tail     []byte
	took     time.Duration
}

// configuration is the first frame to a worker.
type configuration struct {
	Root      string `json:"root"`
	Handler   string `json:"handler"`
	Runtime   string `json:"runtime"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	Memory    string `json:"memory"`
	LogGroup  string `json:"logGroup"`
	LogStream string `json:"logStream"`
	// Bytecode is where Python keeps compiled modules: a folder, "here" for beside the source, or nowhere.
	Bytecode string            `json:"bytecode"`
	Env      map[string]string `json:"env,omitempty"`
}

// bringUp starts a process and loads the function. With a failure it returns the worker too when there is a process left
// to end.
func (p *pool) bringUp() (*worker, *failure, error) {
	if p.lang == nil {
		return nil, nil, runtimeUnsupported(&p.spec)
	}
	program, err := p.lang.interpreter(p.spec.Runtime)
	if err != nil {
		return nil, nil, err
	}
	root, err := p.codeDir()
	if err != nil {
		return nil, nil, err
	}
	scratch, err := p.scratchDir()
	if err != nil {
		return nil, nil, err
	}
	var keys Credentials
	if f := p.credentials.Load(); f != nil && *f != nil {
		keys = (*f)()
	}
	vars := p.environment(program, root, scratch, keys)
	started := time.Now()
	var proc *process
	config := configuration{
		Root: root, Handler: p.spec.Handler, Runtime: p.spec.Runtime, Name: p.spec.Name, Version: p.spec.Version,
		Memory: strconv.Itoa(p.spec.MemoryMB), LogGroup: vars["AWS_LAMBDA_LOG_GROUP_NAME"],
		LogStream: vars["AWS_LAMBDA_LOG_STREAM_NAME"],
	}
	switch {
	case p.spec.Code.Zip != nil:
		config.Bytecode = "here"
	case p.spec.Code.Dir != "": // a folder that runs in place stays as it is
		config.Bytecode = bytecodeDir(scratch)
	}
	if own := needsOwnStart(vars); !own && !p.rt.opts.NoSpares {
		if proc = p.lang.takeSpare(program); proc != nil {
			config.Env = vars
		}
	}
	if proc == nil {
		if proc, err = p.rt.launch(p.lang, program, environmentList(vars)); err != nil {
			return nil, nil, err
		}
	}
	w := &worker{process: proc, pool: p, expires: keys.Expires}
	w.logs.bind(p.spec.Name)
	failed, err := w.load(&config)
	// The next spare starts only now: it would compete with the load for a processor.
	p.rt.mu.Lock()
	p.rt.prepareSpare(p.lang, p.spec.Runtime)
	p.rt.mu.Unlock()
	if err != nil {
		w.kill()
		return nil, nil, err
	}
	w.initTime = time.Since(started)
	if failed != nil {
		failed.took = w.initTime
	} else {
		p.noteVersion(w.version)
	}
	return w, failed, nil
}

// load sends the configuration and waits until the function is loaded. Lambda gives a first attempt ten seconds and a
// second one the function's timeout (developer guide, "Init phase"); here one attempt has both.
func (w *worker) load(config *configuration) (*failure, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("write configuration of function %q: %w", config.Name, err)
	}
	w.use.Lock()
	defer w.use.Unlock()
	if w.closed {
		return &failure{exit: w.state}, nil
	}
	limit := time.Now().Add(w.pool.rt.opts.InitTimeout + w.pool.spec.Timeout)
	w.out = append(w.out[:0], make([]byte, requestHead)...)
	putRequestHead(w.out, 0, 0, len(text))
	w.out = append(w.out, text...)
	_ = w.requests.SetWriteDeadline(limit)
	if _, err = w.requests.Write(w.out); err == nil {
		err = w.receive(limit)
	}
	_ = w.requests.SetWriteDeadline(time.Time{}) // send writes small frames without a deadline
	switch {
	case err == nil && w.in.kind == kindReady:
		w.version = string(w.in.payload)
		w.logs.end(false) // lines that were written at load belong to no invocation
		w.in.reset()
		return nil, nil
	case err == nil && w.in.kind == kindInitError:
		f := &failure{payload: w.in.payload, tail: w.logs.end(true)}
		w.in.reset()
		return f, nil
	case errors.Is(err, os.ErrDeadlineExceeded) && !w.hasExited():
		w.kill()
		<-w.exited
		return &failure{timedOut: true, tail: w.logs.end(true)}, nil
	}
	w.awaitEnd(err)
	return &failure{exit: w.state, tail: w.logs.end(true)}, nil
}

// awaitEnd waits for a process that has closed its pipe or broken the protocol, and kills it if it lingers.
func (w *worker) awaitEnd(err error) {
	if !errors.Is(err, errRubbish) {
		linger := time.NewTimer(time.Second)
		defer linger.Stop()
		select {
		case <-w.exited:
		case <-linger.C:
		}
	}
	w.kill()
	<-w.exited
}

// send writes an invocation's frame.
func (w *worker) send(inv *Invocation, deadline time.Time) error {
	if w.seq++; w.seq == 0 {
		w.seq = 1
	}
	var err error
	w.out, err = appendRequestHead(w.out[:0], w.seq, inv, deadline.UnixMilli())
	if err != nil {
		return err
	}
	if len(inv.Payload) <= smallPayload {
		w.out = append(w.out, inv.Payload...)
		_, err = w.requests.Write(w.out)
		return err
	}
	_ = w.requests.SetWriteDeadline(deadline)
	defer w.requests.SetWriteDeadline(time.Time{})
	if _, err = w.requests.Write(w.out); err != nil {
		return err
	}
	_, err = w.requests.Write(inv.Payload)
	return err
}

// answer is a frame on its way in. It keeps its state when a read is interrupted.
type answer struct {
	buf     []byte
	have    int // bytes in buf
	headed  bool
	kind    byte
	seq     uint32
	payload []byte
	filled  int
}

func (a *answer) reset() {
	a.have, a.headed, a.payload, a.filled = 0, false, nil, 0
}

// read continues reading the frame from r.
func (a *answer) read(r io.Reader) error {
	if a.buf == nil {
		a.buf = make([]byte, 4096)
	}
	for a.have < responseHead {
		n, err := r.Read(a.buf[a.have:])
		a.have += n
		if err != nil && a.have < responseHead {
			return err
		}
	}
	if !a.headed {
		kind, seq, size, err := parseResponseHead(a.buf[:a.have])
		if err != nil {
			return err
		}
		if a.have > responseHead+size {
			return errRubbish
		}
		a.kind, a.seq, a.headed = kind, seq, true
		a.payload = make([]byte, size)
		a.filled = copy(a.payload, a.buf[responseHead:a.have])
	}
	for a.filled < len(a.payload) {
		n, err := r.Read(a.payload[a.filled:])
		a.filled += n
		if err != nil && a.filled < len(a.payload) {
			return err
		}
	}
	return nil
}

// receive reads the worker's answer until the deadline. When the process has ended, what it left in the pipe still counts.
func (w *worker) receive(deadline time.Time) error {
	if w.hasExited() {
		deadline = time.Now().Add(100 * time.Millisecond)
	}
	_ = w.answers.SetReadDeadline(deadline)
	err := w.in.read(w.answers)
	if err != nil && errors.Is(err, os.ErrDeadlineExceeded) && w.hasExited() {
		_ = w.answers.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		err = w.in.read(w.answers)
	}
	return err
}

// receiveWatched is receive that also returns when ctx ends; cancelled tells that it did.
func (w *worker) receiveWatched(ctx context.Context, deadline time.Time) (cancelled bool, err error) {
	if ctx.Done() == nil {
		return false, w.receive(deadline)
	}
	seq := w.seq
	w.watch.mu.Lock()
	w.watch.call, w.watch.cancelled = seq, false
	w.watch.mu.Unlock()
	_ = w.answers.SetReadDeadline(deadline)
	stop := context.AfterFunc(ctx, func() {
		w.watch.mu.Lock()
		defer w.watch.mu.Unlock()
		if w.watch.call == seq {
			w.watch.cancelled = true
			_ = w.answers.SetReadDeadline(time.Unix(1, 0))
		}
	})
	err = w.in.read(w.answers)
	stop()
	w.watch.mu.Lock()
	cancelled = w.watch.cancelled
	w.watch.call = 0
	w.watch.mu.Unlock()
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return false, err
	}
	if w.hasExited() {
		return false, w.receive(deadline)
	}
	return cancelled && time.Now().Before(deadline), err
}

// noteVersion says once when a runtime runs on another version than its name says.
func (p *pool) noteVersion(version string) {
	want, have := strings.TrimPrefix(p.spec.Runtime, "python"), version
	if p.lang.name == "nodejs" {
		want = strings.TrimSuffix(strings.TrimPrefix(p.spec.Runtime, "nodejs"), ".x")
		have, _, _ = strings.Cut(version, ".")
	}
	if want != have && want != "" {
		p.rt.note(p.spec.Name, "version "+p.spec.Runtime,
			fmt.Sprintf("runtime %s runs on this machine's version %s", p.spec.Runtime, version))
	}
}
