// Package lambda runs customers' Lambda functions in warm worker processes on this machine's own node and python3.
//
// Start with Runtime: Acquire gives a Function for a Spec, and Invoke runs it. Functions with the same content share a
// pool of workers. A worker is one process that handles one invocation at a time; it hears requests and answers over two
// pipes (frame.go), so stdout and stderr belong to the function and go to Options.Logs line by line.
//
// The package knows nothing of CloudFront, API Gateway or how functions are stored: callers make the event and read the
// answer. Errors of a function are results, as with AWS's Invoke API; a Go error is what that API itself would refuse.
//
// Caveats. A function runs as the user that runs Foregate, with that user's files and network: this is no sandbox. Memory
// limits are not enforced, /tmp is the machine's own, layers and response streaming are not supported, and a function runs
// on the version of node or python3 that is installed, whatever its Runtime says. Runtimes other than nodejs and python
// are refused when they are called.
package lambda

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/diag"
)

// MaxPayload is the largest request and response of a synchronous invocation in bytes; a response may have 100 more for
// its envelope. Source: Lambda quotas; the response's figure is the one in Lambda's own message.
const (
	MaxPayload  = 6291456
	maxResponse = 6291556
)

// Options configure a Runtime. The zero value works.
type Options struct {
	// Logs gets each line that a function writes, and the platform's lines about timeouts and exits. It is called while
	// the function waits for its output to be read: it must be quick and must not call back. Nil drops the lines.
	Logs func(LogLine)
	// CacheDir holds unpacked code and scratch folders. Empty means a new folder in the system's temporary folder, which
	// Close removes.
	CacheDir string
	// Now is the clock for timestamps that people see; nil is time.Now. Timeouts always use the machine's clock.
	Now func() time.Time
	// MaxProcesses limits the worker processes of all functions together; 0 means 64. One spare process for each
	// language comes on top.
	MaxProcesses int
	// MaxProcessesPerFunction limits the workers of one function; 0 means MaxProcesses.
	MaxProcessesPerFunction int
	// IdleTimeout is how long a worker may wait for work before it is ended; 0 means five minutes.
	IdleTimeout time.Duration
	// InitTimeout is how long loading a function may take in addition to its own timeout; 0 means AWS's ten seconds.
	InitTimeout time.Duration
	// QueueTimeout is how long an invocation waits for a worker when the limits are reached, before it is answered
	// with TooManyRequestsException; 0 means thirty seconds.
	QueueTimeout time.Duration
	// Environment is added to the environment of each function, such as AWS_ENDPOINT_URL; a function's own variables win.
	Environment map[string]string
	// Node and Python name the interpreters; empty means to look for them on PATH.
	Node, Python string
	// NoSpares turns off the process of each language that is started ahead, and the standby worker of a busy function.
	NoSpares bool
}

// LogLine is one line of a function's output, without its line end.
type LogLine struct {
	Function string
	// RequestID is the invocation during which the line was written, empty while the function was loading.
	RequestID string
	Time      time.Time
	Text      string
	// Platform marks a line that Lambda writes and not the function: a timeout, an exit, a note about the runtime.
	Platform bool
}

// Runtime runs functions. Make it with New; it is safe for use by many goroutines.
type Runtime struct {
	opts    Options
	dir     string
	ownsDir bool
	starts  chan startRequest
	ended   chan struct{}

	nodejs language
	python language

	mu          sync.Mutex
	closed      bool
	pools       map[string]*pool
	codes       map[string]*code
	processes   map[*process]struct{}
	used        int
	slotWaiters []chan struct{}
	hungry      atomic.Int32 // starts that wait for a slot
	active      atomic.Int32 // pools with invocations
	noted       map[string]bool
	work        sync.WaitGroup
	workers     sync.WaitGroup
}

// New makes a Runtime. It starts no process and writes no file until a function is acquired.
func New(opts Options) *Runtime {
	if opts.Logs == nil {
		opts.Logs = func(LogLine) {}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	setDefault(&opts.MaxProcesses, 64)
	setDefault(&opts.MaxProcessesPerFunction, opts.MaxProcesses)
	setDefault(&opts.IdleTimeout, 5*time.Minute)
	setDefault(&opts.InitTimeout, 10*time.Second)
	setDefault(&opts.QueueTimeout, 30*time.Second)
	rt := &Runtime{
		opts:      opts,
		dir:       opts.CacheDir,
		starts:    make(chan startRequest),
		ended:     make(chan struct{}),
		pools:     map[string]*pool{},
		codes:     map[string]*code{},
		processes: map[*process]struct{}{},
		noted:     map[string]bool{},
	}
	rt.nodejs = language{name: "nodejs", configured: opts.Node}
	rt.python = language{name: "python", configured: opts.Python}
	rt.work.Go(rt.startLoop)
	rt.work.Go(rt.janitor)
	return rt
}

func setDefault[T int | time.Duration](value *T, otherwise T) {
	if *value == 0 {
		*value = otherwise
	}
}

// errClosed is returned by what is called after Close.
var errClosed = errors.New("lambda runtime is closed")

// Acquire returns the function that spec describes, sharing the workers of functions with the same content. It checks the
// shape of the code but starts no worker; a runtime that Foregate cannot run is reported by Invoke, as AWS reports errors
// of a function when it is called. Release the function when it is no longer needed.
func (rt *Runtime) Acquire(spec Spec) (*Function, error) {
	spec.normalise()
	if err := spec.validate(); err != nil {
		return nil, err
	}
	key := spec.hash()
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		return nil, errClosed
	}
	p := rt.pools[key]
	if p == nil {
		p = newPool(rt, key, spec)
		rt.pools[key] = p
		rt.prepareSpare(p.lang, spec.Runtime)
		p.preparing = p.lang != nil && len(spec.Code.Zip) <= prepareSize
		if p.preparing {
			rt.work.Go(p.prepare)
		}
	}
	p.refs++
	p.credentials.Store(&spec.Credentials)
	return &Function{pool: p}, nil
}

// Function is one acquired function.
type Function struct {
	pool     *pool
	released atomic.Bool
}

// Name returns the function's name.
func (f *Function) Name() string { return f.pool.spec.Name }

// Release gives the function back. Its workers end when no one else has acquired the same content and their invocations
// have finished. Further calls do nothing.
func (f *Function) Release() {
	if f.released.Swap(true) {
		return
	}
	p, rt := f.pool, f.pool.rt
	rt.mu.Lock()
	p.refs--
	last := p.refs == 0
	if last {
		delete(rt.pools, p.key)
	}
	rt.mu.Unlock()
	if last {
		p.close()
		rt.endSpares(p.lang)
	}
}

// Close ends all workers and waits until they are gone. Invocations that are running are answered with an exit error.
func (rt *Runtime) Close() error {
	rt.mu.Lock()
	if rt.closed {
		rt.mu.Unlock()
		return nil
	}
	rt.closed = true
	pools := make([]*pool, 0, len(rt.pools))
	for _, p := range rt.pools {
		pools = append(pools, p)
	}
	rt.mu.Unlock()
	close(rt.ended)
	for _, p := range pools {
		p.close()
	}
	rt.mu.Lock()
	for p := range rt.processes {
		p.kill()
	}
	rt.mu.Unlock()
	rt.work.Wait()
	if rt.ownsDir {
		if err := os.RemoveAll(rt.dir); err != nil {
			return fmt.Errorf("remove function cache %q: %w", rt.dir, err)
		}
	}
	return nil
}

// cacheDir returns the folder for code, making it when it is first needed. Its package.json keeps node from looking for
// one further up, which /var/task has none of. The caller must not hold rt.mu.
func (rt *Runtime) cacheDir() (string, error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		return "", errClosed
	}
	if rt.dir == "" {
		dir, err := os.MkdirTemp("", "foregate-functions-")
		if err != nil {
			return "", fmt.Errorf("make function cache: %w", err)
		}
		rt.dir, rt.ownsDir = dir, true
	}
	dir, err := filepath.Abs(rt.dir)
	if err != nil {
		return "", fmt.Errorf("find function cache %q: %w", rt.dir, err)
	}
	if rt.dir != dir || !rt.noted["cache"] {
		rt.dir = dir
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return "", fmt.Errorf("make function cache: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{}\n"), 0o644); err != nil {
			return "", fmt.Errorf("write function cache: %w", err)
		}
		rt.noted["cache"] = true
	}
	return dir, nil
}

// note writes a platform line once for each key.
func (rt *Runtime) note(function, key, text string) {
	rt.mu.Lock()
	seen := rt.noted[key]
	rt.noted[key] = true
	rt.mu.Unlock()
	if !seen {
		rt.opts.Logs(LogLine{Function: function, Time: rt.opts.Now(), Text: text, Platform: true})
	}
}

// janitor ends workers that have been idle for too long.
func (rt *Runtime) janitor() {
	tick := time.NewTicker(min(max(rt.opts.IdleTimeout/4, 5*time.Millisecond), time.Minute))
	defer tick.Stop()
	for {
		select {
		case <-rt.ended:
			return
		case <-tick.C:
		}
		for _, p := range rt.allPools() {
			p.endIdle(time.Now().Add(-rt.opts.IdleTimeout))
		}
	}
}

func (rt *Runtime) allPools() []*pool {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	pools := make([]*pool, 0, len(rt.pools))
	for _, p := range rt.pools {
		pools = append(pools, p)
	}
	return pools
}

// trySlot takes the right to have one more process, if there is one.
func (rt *Runtime) trySlot() bool {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed || rt.used >= rt.opts.MaxProcesses {
		return false
	}
	rt.used++
	return true
}

// slot waits for the right to have one more process. When the limit is reached it ends an idle worker of any function.
func (rt *Runtime) slot(ctx context.Context) error {
	if rt.trySlot() {
		return nil
	}
	granted := make(chan struct{}, 1)
	rt.mu.Lock()
	if rt.used < rt.opts.MaxProcesses {
		rt.used++
		rt.mu.Unlock()
		return nil
	}
	rt.slotWaiters = append(rt.slotWaiters, granted)
	rt.mu.Unlock()
	rt.endOldest()
	err := errClosed
	select {
	case <-granted:
		return nil
	case <-rt.ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	rt.mu.Lock()
	for i, c := range rt.slotWaiters {
		if c == granted {
			rt.slotWaiters = append(rt.slotWaiters[:i], rt.slotWaiters[i+1:]...)
			rt.mu.Unlock()
			return err
		}
	}
	rt.mu.Unlock()
	rt.freeSlot() // it was granted meanwhile
	return err
}

// endOldest ends the worker that has been idle for longest, if there is any.
func (rt *Runtime) endOldest() {
	var oldest *pool
	var since time.Time
	for _, p := range rt.allPools() {
		if t, ok := p.oldestIdle(); ok && (oldest == nil || t.Before(since)) {
			oldest, since = p, t
		}
	}
	if oldest != nil {
		oldest.endOne()
	}
}

func (rt *Runtime) freeSlot() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if len(rt.slotWaiters) == 0 {
		rt.used--
		return
	}
	rt.slotWaiters[0] <- struct{}{}
	rt.slotWaiters = rt.slotWaiters[1:]
}

// Stats are counts for tests and metrics.
type Stats struct {
	Functions, Processes, Workers int
}

// Stats returns the present counts: functions that are acquired, processes that exist, and workers among them.
func (rt *Runtime) Stats() Stats {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return Stats{Functions: len(rt.pools), Processes: len(rt.processes), Workers: rt.used}
}

// goWork runs f in a goroutine that Close waits for; after Close has begun it runs f at once.
func (rt *Runtime) goWork(f func()) {
	rt.mu.Lock()
	if rt.closed {
		rt.mu.Unlock()
		f()
		return
	}
	rt.work.Go(f)
	rt.mu.Unlock()
}

// goTracked runs f in a goroutine, which Close waits for unless it has begun.
func (rt *Runtime) goTracked(f func()) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		go f()
		return
	}
	rt.work.Go(f)
}

// share is how many processes each function with invocations may keep while others wait for theirs.
func (rt *Runtime) share() int {
	return max(1, rt.opts.MaxProcesses/max(1, int(rt.active.Load())))
}

// startRequest asks startLoop to run start.
type startRequest struct {
	start func() error
	done  chan error
}

// startLoop starts all processes from one thread that lives as long as the Runtime, because Linux sends a child its
// parent-death signal when the thread that made it ends (prctl(2), PR_SET_PDEATHSIG).
func (rt *Runtime) startLoop() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case r := <-rt.starts:
			r.done <- r.start()
		case <-rt.ended:
			rt.workers.Wait()
			return
		}
	}
}

func (rt *Runtime) onStartThread(start func() error) error {
	r := startRequest{start, make(chan error, 1)}
	select {
	case rt.starts <- r:
		return <-r.done
	case <-rt.ended:
		return errClosed
	}
}

// Error is what AWS's Invoke API answers instead of a result.
type Error struct {
	// Type is AWS's exception, such as TooManyRequestsException.
	Type string
	// Reason refines a throttling error, such as ReservedFunctionConcurrentInvocationLimitExceeded.
	Reason string
	// Status is the HTTP status of the API's answer.
	Status  int
	Message string
	// Finding says more to people: what is missing and what to do. It may be nil.
	Finding *diag.Finding
}

// Error returns the type, the message and what the finding adds.
func (e *Error) Error() string {
	if e.Finding != nil {
		return e.Type + ": " + e.Message + " (" + e.Finding.Message + ")"
	}
	return e.Type + ": " + e.Message
}
