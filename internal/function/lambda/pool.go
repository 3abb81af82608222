package lambda

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// A function that had standbyAfter invocations within standbyWithin has a worker kept ready beyond those that are busy.
// Lambda too initialises environments ahead of need (developer guide, "Proactive initialization").
const (
	standbyAfter  = 16
	standbyWithin = 10 * time.Second
)

// prepareSize is the largest deployment package that is unpacked before its first invocation.
const prepareSize = 1 << 20

// pool is the workers of one function.
type pool struct {
	rt          *Runtime
	key         string
	spec        Spec
	lang        *language // nil when the runtime is not supported
	credentials atomic.Pointer[func() Credentials]
	refs        int    // guarded by rt.mu
	codeKey     string // guarded by rt.mu

	mu sync.Mutex
	// idle is a stack: the worker that was used last is used next, so that those in excess grow old.
	idle    []*worker
	waiters []chan grant
	// live counts workers that exist or are being started, starting those among them that are not ready.
	live, starting int
	// held counts the processes that the pool has a slot for, hungry the starts that wait for one.
	held, hungry int
	// wait ends when no invocation waits any more, and with it the starts that wait for a slot.
	wait     context.Context
	endWait  context.CancelCauseFunc
	inflight int
	served   uint64
	steady   bool      // the last standbyAfter invocations were close together
	mark     time.Time // when the last standbyAfter invocations began
	closed   bool
	// preparing is true while the code is unpacked ahead of the first invocation.
	preparing bool
	scratch   string
}

// grant is what a waiting invocation gets: a worker, or the answer of a worker that could not be started.
type grant struct {
	w      *worker
	failed *failure
	err    error
}

func newPool(rt *Runtime, key string, spec Spec) *pool {
	p := &pool{rt: rt, key: key, spec: spec}
	switch spec.family() {
	case "nodejs":
		p.lang = &rt.nodejs
	case "python":
		p.lang = &rt.python
	}
	return p
}

// prepare unpacks the code before it is needed. What goes wrong is reported by the invocation that needs it.
func (p *pool) prepare() {
	if _, err := p.codeDir(); err == nil {
		_, _ = p.scratchDir()
	}
	p.mu.Lock()
	p.preparing = false
	done := p.gone()
	p.mu.Unlock()
	if done {
		p.cleanUp()
	}
}

// gone tells whether nothing uses the pool's files any more. The caller holds p.mu.
func (p *pool) gone() bool { return p.closed && p.live == 0 && !p.preparing }

// throttled is AWS's answer to an invocation beyond a limit (Lambda API, Invoke, TooManyRequestsException).
func throttled(reason string) *Error {
	return &Error{Type: "TooManyRequestsException", Status: 429, Message: "Rate Exceeded.", Reason: reason}
}

var errReleased = errors.New("function is released")

// enter counts an invocation in and gives it an idle worker, or a place in the queue.
func (p *pool) enter() (*worker, chan grant, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errReleased
	}
	if r := p.spec.ReservedConcurrency; r != nil && p.inflight >= *r {
		return nil, nil, throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
	}
	p.count(1)
	if p.served++; p.served%standbyAfter == 0 {
		now := time.Now()
		p.steady = now.Sub(p.mark) < standbyWithin
		p.mark = now
	}
	for len(p.idle) > 0 {
		w := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if w.stale() {
			w.kill()
			continue
		}
		if w.claim() {
			p.standby()
			return w, nil, nil
		}
	}
	queue := make(chan grant, 1)
	p.waiters = append(p.waiters, queue)
	p.startForWaiters()
	return nil, queue, nil
}

// standby starts one more worker when the last idle one was taken from a busy function. The caller holds p.mu.
func (p *pool) standby() {
	if len(p.idle) > 0 || p.starting > 0 || !p.steady || p.rt.opts.NoSpares || p.rt.hungry.Load() > 0 {
		return
	}
	if p.live < p.limit() {
		p.startOne(true)
	}
}

// limit is how many workers the pool may have.
func (p *pool) limit() int {
	n := min(p.rt.opts.MaxProcessesPerFunction, p.rt.opts.MaxProcesses)
	if r := p.spec.ReservedConcurrency; r != nil {
		n = min(n, *r)
	}
	return n
}

// take gets a worker for an invocation that enter has counted in, and leaves the worker's use locked.
func (p *pool) take(ctx context.Context) grant {
	w, queue, err := p.enter()
	if err != nil {
		return grant{err: err}
	}
	if w != nil {
		return grant{w: w}
	}
	limit := time.NewTimer(p.rt.opts.QueueTimeout)
	defer limit.Stop()
	select {
	case g := <-queue:
		return p.granted(g)
	case <-limit.C:
		err = throttled("ConcurrentInvocationLimitExceeded")
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.mu.Lock()
	for i, c := range p.waiters {
		if c == queue {
			p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
			p.queueShrunk()
			p.count(-1)
			p.mu.Unlock()
			return grant{err: err}
		}
	}
	p.mu.Unlock()
	return p.granted(<-queue) // the grant was faster
}

func (p *pool) granted(g grant) grant {
	if g.w == nil {
		p.leave()
	}
	return g
}

// leave counts an invocation out.
func (p *pool) leave() {
	p.mu.Lock()
	p.count(-1)
	p.mu.Unlock()
}

// count changes the number of invocations; the Runtime knows how many pools have any. The caller holds p.mu.
func (p *pool) count(n int) {
	before := p.inflight
	p.inflight += n
	switch {
	case before == 0:
		p.rt.active.Add(1)
	case p.inflight == 0:
		p.rt.active.Add(-1)
	}
}

// startForWaiters starts as many workers as there are invocations waiting, within the limits. The caller holds p.mu.
func (p *pool) startForWaiters() {
	for !p.closed && p.starting < len(p.waiters) && p.live < max(p.limit(), 1) {
		p.startOne(false)
	}
}

func (p *pool) startOne(standby bool) {
	p.live++
	p.starting++
	p.rt.goTracked(func() { p.start(standby) })
}

// start brings one worker up, within the limits of the machine.
func (p *pool) start(standby bool) {
	err := p.slot(standby)
	if err != nil {
		p.notStarted(grant{err: err})
		return
	}
	w, failed, err := p.bringUp()
	if w == nil {
		p.freeSlot()
		p.notStarted(grant{failed: failed, err: err})
		return
	}
	w.onEnd(func() { p.workerEnded(w) })
	if failed != nil {
		p.mu.Lock()
		p.starting--
		p.answerOne(grant{failed: failed})
		p.mu.Unlock()
		w.kill()
		return
	}
	p.mu.Lock()
	p.starting--
	p.place(w)
	p.mu.Unlock()
}

// errNotWanted ends a start that no invocation needs any more.
var errNotWanted = errors.New("no invocation waits for a worker")

// slot takes a slot for one process, waiting for it when an invocation does.
func (p *pool) slot(standby bool) error {
	p.mu.Lock()
	if !standby && len(p.waiters) == 0 || p.closed {
		p.mu.Unlock()
		return errNotWanted
	}
	ok := p.rt.trySlot()
	if ok {
		p.held++
		p.mu.Unlock()
		return nil
	}
	if standby {
		p.mu.Unlock()
		return errNotWanted
	}
	if p.wait == nil {
		p.wait, p.endWait = context.WithCancelCause(context.Background())
	}
	wait := p.wait
	p.hungry++
	p.rt.hungry.Add(1)
	p.mu.Unlock()

	ctx, cancel := context.WithTimeoutCause(wait, p.rt.opts.QueueTimeout, throttled("ConcurrentInvocationLimitExceeded"))
	err := p.rt.slot(ctx)
	cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hungry--
	p.rt.hungry.Add(-1)
	if err == nil {
		p.held++
	}
	return err
}

func (p *pool) freeSlot() {
	p.mu.Lock()
	p.held--
	p.mu.Unlock()
	p.rt.freeSlot()
}

// queueShrunk ends the starts that wait for a slot when no invocation waits any more. The caller holds p.mu.
func (p *pool) queueShrunk() {
	if len(p.waiters) == 0 && p.wait != nil {
		p.endWait(errNotWanted)
		p.wait = nil
	}
}

// notStarted undoes startOne and tells the invocation that has waited for longest.
func (p *pool) notStarted(g grant) {
	p.mu.Lock()
	p.starting--
	p.live--
	if g.err != errNotWanted {
		p.answerOne(g)
	}
	p.startForWaiters()
	done := p.gone()
	p.mu.Unlock()
	if done {
		p.cleanUp()
	}
}

// answerOne gives g to the invocation that has waited for longest, if there is any. The caller holds p.mu.
func (p *pool) answerOne(g grant) bool {
	if len(p.waiters) == 0 {
		return false
	}
	queue := p.waiters[0]
	p.waiters = p.waiters[1:]
	p.queueShrunk()
	queue <- g
	return true
}

// place gives a ready worker to a waiting invocation, or keeps it. The caller holds p.mu and has not claimed w.
func (p *pool) place(w *worker) {
	// Others lack processes: this pool gives up what is more than its share.
	others := int(p.rt.hungry.Load()) > p.hungry
	hungry := others && (len(p.waiters) == 0 || w.seq > 0 && p.held > p.rt.share())
	if p.closed && len(p.waiters) == 0 || hungry || w.stale() || !w.claim() {
		w.kill()
		return
	}
	if p.answerOne(grant{w: w}) {
		return
	}
	w.use.Unlock()
	w.idleSince = time.Now()
	p.idle = append(p.idle, w)
}

// giveBack returns a worker after an invocation.
func (p *pool) giveBack(w *worker) {
	w.use.Unlock()
	p.mu.Lock()
	p.count(-1)
	p.place(w)
	p.mu.Unlock()
}

// discard ends a worker after an invocation that it did not survive.
func (p *pool) discard(w *worker) {
	w.use.Unlock()
	w.kill()
	p.leave()
}

// workerEnded runs when a worker's process is gone.
func (p *pool) workerEnded(w *worker) {
	p.freeSlot()
	p.mu.Lock()
	for i, other := range p.idle {
		if other == w {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	p.live--
	p.startForWaiters()
	done := p.gone()
	p.mu.Unlock()
	if done {
		p.cleanUp()
	}
}

// endIdle ends the workers that nobody has used since a time.
func (p *pool) endIdle(before time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 && p.idle[0].idleSince.Before(before) {
		p.idle[0].kill()
		p.idle = p.idle[1:]
	}
}

func (p *pool) oldestIdle() (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return time.Time{}, false
	}
	return p.idle[0].idleSince, true
}

func (p *pool) endOne() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) > 0 {
		p.idle[0].kill()
		p.idle = p.idle[1:]
	}
}

// close ends the idle workers and lets the others finish what they do.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.idle {
		w.kill()
	}
	p.idle = nil
	for p.answerOne(grant{err: errReleased}) {
	}
	done := p.gone()
	p.mu.Unlock()
	if done {
		p.cleanUp()
	}
}

// cleanUp removes the pool's files after its last worker.
func (p *pool) cleanUp() {
	p.dropCode()
	p.mu.Lock()
	scratch := p.scratch
	p.scratch = ""
	p.mu.Unlock()
	if scratch != "" {
		_ = os.RemoveAll(scratch)
		_ = os.RemoveAll(bytecodeDir(scratch))
	}
}

// bytecodeDir is where Python keeps the compiled modules of a folder of code. Each pool has its own: Python takes a source with
// the size and the second of the one before for unchanged, so an edit soon after a start would go unseen.
func bytecodeDir(scratch string) string { return scratch + "-bytecode" }

// scratchDir returns the pool's folder for temporary files.
func (p *pool) scratchDir() (string, error) {
	cache, err := p.rt.cacheDir()
	if err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.scratch == "" {
		dir, err := os.MkdirTemp(cache, "tmp-")
		if err != nil {
			return "", err
		}
		p.scratch = filepath.Clean(dir)
	}
	return p.scratch, nil
}
