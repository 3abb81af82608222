// Package pool keeps resources that outlive a plan: caches, worker processes of functions, connections to origins.
//
// Start with Pool. Two plans that need the same thing acquire it under the same key, which says all that the thing is made
// from; it is closed when the last of them has let it go, after a linger that spares a reload from making it again. The
// package must not know what it keeps.
package pool

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed is returned by Acquire after Close.
var ErrClosed = errors.New("the pool is closed")

// Options are the settings of a Pool. The zero value keeps nothing that nobody uses.
type Options[V any] struct {
	// Close ends a resource; nil when there is nothing to do. It runs without a lock, on the goroutine of the last
	// Release or of the linger's timer.
	Close func(V)
	// Linger is how long an unused resource waits for somebody who wants it again.
	Linger time.Duration
}

// Pool is a set of resources, each made once for its key. All methods may be called at the same time.
type Pool[K comparable, V any] struct {
	opts Options[V]

	mu      sync.Mutex
	closed  bool
	entries map[K]*entry[V]
}

// entry is one resource. It stays in the map while it is made and while it is closed, so that a resource that is
// exclusive (a folder, a port) is never held twice.
type entry[V any] struct {
	value V
	err   error
	refs  int
	ready chan struct{} // closed when made, or failed
	gone  chan struct{} // closed when it was closed and left the map
	timer *time.Timer   // set while it lingers
	going bool          // it is being closed
}

// Ref is a hold on a resource.
type Ref[V any] struct {
	value   V
	once    sync.Once
	release func()
}

// Value returns the resource. It must not be used after Release.
func (r *Ref[V]) Value() V { return r.value }

// Release lets the resource go; a second call does nothing.
func (r *Ref[V]) Release() { r.once.Do(r.release) }

// New makes a pool.
func New[K comparable, V any](opts Options[V]) *Pool[K, V] {
	return &Pool[K, V]{opts: opts, entries: map[K]*entry[V]{}}
}

// Acquire returns a hold on the resource called key, which create makes when there is none. Callers at the same time wait
// for one create and share its error; the next Acquire tries again.
func (p *Pool[K, V]) Acquire(key K, create func() (V, error)) (*Ref[V], error) {
	for {
		p.mu.Lock()
		if p.closed {
			p.mu.Unlock()
			return nil, ErrClosed
		}
		e := p.entries[key]
		if e == nil {
			e = &entry[V]{refs: 1, ready: make(chan struct{}), gone: make(chan struct{})}
			p.entries[key] = e
			p.mu.Unlock()
			return p.create(key, e, create)
		}
		if e.going {
			p.mu.Unlock()
			<-e.gone
			continue
		}
		e.refs++
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
		}
		p.mu.Unlock()
		<-e.ready
		if e.err != nil {
			return nil, e.err
		}
		return p.ref(key, e), nil
	}
}

// create makes the value of a fresh entry. When it fails, by panic too, those who wait get an error and the entry goes.
func (p *Pool[K, V]) create(key K, e *entry[V], create func() (V, error)) (*Ref[V], error) {
	e.err = fmt.Errorf("make resource %v: the maker panicked", key)
	defer func() {
		if e.err != nil {
			p.mu.Lock()
			delete(p.entries, key)
			p.mu.Unlock()
		}
		close(e.ready)
	}()
	e.value, e.err = create()
	if e.err != nil {
		return nil, e.err
	}
	return p.ref(key, e), nil
}

func (p *Pool[K, V]) ref(key K, e *entry[V]) *Ref[V] {
	return &Ref[V]{value: e.value, release: func() { p.drop(key, e) }}
}

// drop gives one reference back.
func (p *Pool[K, V]) drop(key K, e *entry[V]) {
	p.mu.Lock()
	e.refs--
	if e.refs > 0 {
		p.mu.Unlock()
		return
	}
	if p.opts.Linger > 0 && !p.closed {
		var t *time.Timer
		t = time.AfterFunc(p.opts.Linger, func() {
			p.mu.Lock()
			if e.timer != t { // acquired again, or closed, while this waited for the lock
				p.mu.Unlock()
				return
			}
			p.end(key, e)
		})
		e.timer = t
		p.mu.Unlock()
		return
	}
	p.end(key, e)
}

// end closes an unused resource. It is called with the lock and returns without.
func (p *Pool[K, V]) end(key K, e *entry[V]) {
	e.going, e.timer = true, nil
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.entries, key)
		p.mu.Unlock()
		close(e.gone)
	}()
	if p.opts.Close != nil {
		p.opts.Close(e.value)
	}
}

// Len returns how many resources there are, those included that linger or are being made or closed.
func (p *Pool[K, V]) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.entries)
}

// Close closes what lingers and refuses further holds. What is still held is closed by its last Release.
func (p *Pool[K, V]) Close() {
	p.mu.Lock()
	p.closed = true
	type idle struct {
		key K
		e   *entry[V]
	}
	var idles []idle
	for k, e := range p.entries {
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
			idles = append(idles, idle{k, e})
		}
	}
	p.mu.Unlock()
	for _, i := range idles {
		p.mu.Lock()
		p.end(i.key, i.e)
	}
}
