// Package cache keeps complete HTTP answers in memory, within a budget of bytes.
//
// Start with Cache and Object. Keys are opaque bytes that the engine builds; the distribution's id is their first part, so
// one Cache serves all distributions. The package must not know policies or time: whether an object is fresh is the
// engine's to say. Objects are immutable once admitted and may be read by any number of requests. Eviction is a small
// queue in front of a main one, so one pass over many objects does not drive out those that are asked for again; a plan to
// measure and replace it needs no change outside this package.
package cache

import (
	"hash/maphash"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Object is one stored answer.
type Object struct {
	// Distribution and Target (raw path, with "?" and query when there was one) are what an invalidation names.
	Distribution, Target string
	Status               int
	// Head has the fields of the origin that viewers get, but for Via, whose value CloudFront continues. Where the answer
	// is an origin's, Content-Type and Date come first, as in CloudFront's answers.
	Head *message.Lines
	Via  string
	// Body is the whole body; nil while a Stream still fills it.
	Body []byte
	// Stored is when the origin confirmed the object last, Age how old it said it was then, Expires when it goes stale.
	Stored, Expires time.Time
	Age             time.Duration
	// Retry is until when the expired object answers because the origin has failed.
	Retry time.Time
	// StaleWhileRevalidate and StaleIfError extend the use after Expires; StaleIfError is -1 when the origin did not say.
	StaleWhileRevalidate, StaleIfError time.Duration
	// ETag and LastModified are the validators, "" when absent.
	ETag, LastModified string
	// Result is the X-Cache value of hits when it is not a plain hit (an error), else "".
	Result string
	// Self is true for a page that CloudFront made itself.
	Self bool
}

// Usable tells whether the object may answer at now without asking the origin.
func (o *Object) Usable(now time.Time) bool { return now.Before(o.Expires) || now.Before(o.Retry) }

// Header returns the fields with Via, in memory of their own.
func (o *Object) Header() message.Header {
	h := o.Head.Append(make(message.Header, 0, 16))
	if o.Via != "" {
		h.Add("Via", o.Via)
	}
	return h
}

// AppendAge writes the value of Age for now.
func (o *Object) AppendAge(dst []byte, now time.Time) []byte {
	return strconv.AppendInt(dst, max(int64((now.Sub(o.Stored)+o.Age)/time.Second), 0), 10)
}

// Renewed returns a copy that was confirmed at now and is fresh until expires; the body is shared.
func (o *Object) Renewed(now, expires time.Time) *Object {
	return &Object{
		Distribution: o.Distribution, Target: o.Target, Status: o.Status, Head: o.Head, Via: o.Via, Body: o.Body,
		Stored: now, Expires: expires, StaleWhileRevalidate: o.StaleWhileRevalidate, StaleIfError: o.StaleIfError,
		ETag: o.ETag, LastModified: o.LastModified, Result: o.Result, Self: o.Self,
	}
}

// overhead is what an entry costs besides its strings and body, roughly.
const overhead = 512

func (o *Object) size(key int) int64 {
	n := overhead + key + len(o.Body) + len(o.Target) + len(o.Via)
	if o.Head != nil {
		n += len(o.Head.Text)
	}
	return int64(n)
}

const shardCount = 64

// Cache is safe for use by many goroutines.
type Cache struct {
	budget int64
	used   atomic.Int64
	small  atomic.Int64 // what the small queues hold of it
	seed   maphash.Seed
	shards [shardCount]shard
	hand   atomic.Uint32

	flights flights
}

// New makes a cache that holds about budget bytes.
func New(budget int64) *Cache {
	c := &Cache{budget: budget, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = make(map[string]*entry)
		c.shards[i].ghosts = make(map[uint64]struct{})
	}
	c.flights.open = make(map[string]*Flight)
	return c
}

// Limit is the size of the largest body that is stored.
func (c *Cache) Limit() int64 { return c.budget / 4 }

// Used returns how many bytes are held.
func (c *Cache) Used() int64 { return c.used.Load() }

// Len returns how many objects are held.
func (c *Cache) Len() int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.RLock()
		n += len(s.entries)
		s.mu.RUnlock()
	}
	return n
}

// Lookup returns the object under key, fresh or not, or nil. It does not allocate and takes one shared lock.
func (c *Cache) Lookup(key []byte) *Object {
	s := &c.shards[maphash.Bytes(c.seed, key)%shardCount]
	s.mu.RLock()
	e := s.entries[string(key)]
	var o *Object
	if e != nil {
		o = e.object
		if e.uses.Load() < 3 {
			e.uses.Add(1)
		}
	}
	s.mu.RUnlock()
	return o
}

// Admit stores o under key in place of what was there, and evicts others when the budget is spent.
func (c *Cache) Admit(key []byte, o *Object) {
	size := o.size(len(key))
	if size > c.budget || int64(len(o.Body)) > c.Limit() {
		return
	}
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	if e := s.entries[string(key)]; e != nil {
		c.used.Add(size - e.size)
		if e.queue == &s.small {
			c.small.Add(size - e.size)
		}
		e.object, e.size = o, size
	} else {
		e := &entry{key: string(key), hash: h, object: o, size: size}
		s.entries[e.key] = e
		if _, known := s.ghosts[h]; known {
			delete(s.ghosts, h)
			s.main.push(e)
		} else {
			s.small.push(e)
			c.small.Add(size)
		}
		c.used.Add(size)
	}
	s.mu.Unlock()
	c.shrink()
}

// shrink evicts until the budget is kept: from the small queues while they hold more than a tenth, else from the main ones,
// going round the shards. The number of steps is bounded, so a busy cache may be over its budget for a moment.
func (c *Cache) shrink() {
	for range 16 * shardCount {
		used := c.used.Load()
		if used <= c.budget {
			return
		}
		small := c.small.Load()*10 > used
		v := &c.shards[c.hand.Add(1)%shardCount]
		v.mu.Lock()
		if small {
			c.evict(v, &v.small)
		} else {
			c.evict(v, &v.main)
		}
		v.mu.Unlock()
	}
}

// Remove drops the object under key.
func (c *Cache) Remove(key []byte) {
	s := &c.shards[maphash.Bytes(c.seed, key)%shardCount]
	s.mu.Lock()
	if e := s.entries[string(key)]; e != nil {
		c.drop(s, e)
	}
	s.mu.Unlock()
}

// Invalidate drops every object for which match is true and returns how many there were. A fetch that is under way is not
// stopped; its object is as new as the invalidation.
func (c *Cache) Invalidate(match func(*Object) bool) int {
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if match(e.object) {
				c.drop(s, e)
				n++
			}
		}
		s.mu.Unlock()
	}
	return n
}

type shard struct {
	mu          sync.RWMutex
	entries     map[string]*entry
	small, main queue
	// ghosts remembers hashes of objects that left the small queue unused; they go to the main queue when they return.
	ghosts map[uint64]struct{}
}

type entry struct {
	key        string
	hash       uint64
	object     *Object
	size       int64
	uses       atomic.Int32
	queue      *queue
	prev, next *entry
}

// queue is first in, first out; head is the oldest.
type queue struct{ head, tail *entry }

func (q *queue) push(e *entry) {
	e.queue, e.prev, e.next = q, q.tail, nil
	if q.tail != nil {
		q.tail.next = e
	} else {
		q.head = e
	}
	q.tail = e
}

func (q *queue) remove(e *entry) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		q.head = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		q.tail = e.prev
	}
	e.prev, e.next = nil, nil
}

func (c *Cache) drop(s *shard, e *entry) {
	e.queue.remove(e)
	if e.queue == &s.small {
		c.small.Add(-e.size)
	}
	c.used.Add(-e.size)
	delete(s.entries, e.key)
}

// evict frees the oldest object of a queue, or moves one that was used out of harm's way.
func (c *Cache) evict(s *shard, from *queue) {
	e := from.head
	if e == nil {
		return
	}
	if uses := e.uses.Load(); uses > 0 {
		from.remove(e)
		e.uses.Store(uses - 1)
		if from == &s.small {
			c.small.Add(-e.size)
			e.uses.Store(0)
		}
		s.main.push(e)
		return
	}
	if from == &s.small {
		if len(s.ghosts) > len(s.entries)+64 {
			clear(s.ghosts)
		}
		s.ghosts[e.hash] = struct{}{}
	}
	c.drop(s, e)
}
