package cache

import (
	"sync"
	"sync/atomic"
)

// The policy of the memory tier is S3-FIFO, weighed by bytes: an object comes into the small queue, which has a tenth of the
// budget. What is asked for again while it is there goes on to the main queue; what is not leaves, and only its hash stays for a
// while, so that it goes to the main queue when it comes back. One pass over many objects thus runs through the small queue.
// A lookup only counts, up to three; nothing moves until room is needed.

type shard struct {
	mu          sync.RWMutex
	entries     map[string]*entry
	small, main queue
	ghosts      ghosts
}

type entry struct {
	key        string
	hash       uint64
	object     *Object
	size       int64
	uses       atomic.Int32
	main       bool
	prev, next *entry
}

// queue is first in, first out; head is the oldest.
type queue struct{ head, tail *entry }

func (q *queue) push(e *entry) {
	e.prev, e.next = q.tail, nil
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

// ghosts remembers the hashes of the last objects that left the small queue unused: about as many as the shard has objects.
type ghosts struct {
	known map[uint64]struct{}
	ring  []uint64
	at    int
}

func (g *ghosts) add(h uint64, most int) {
	if g.known == nil {
		g.known = make(map[uint64]struct{})
	}
	if _, ok := g.known[h]; ok {
		return
	}
	g.known[h] = struct{}{}
	if len(g.ring) < max(most, 64) {
		g.ring = append(g.ring, h)
		return
	}
	g.at = (g.at + 1) % len(g.ring)
	delete(g.known, g.ring[g.at])
	g.ring[g.at] = h
}

// take tells whether h is remembered, and forgets it. Its place in the ring ages as it is.
func (g *ghosts) take(h uint64) bool {
	if _, ok := g.known[h]; !ok {
		return false
	}
	delete(g.known, h)
	return true
}

func (s *shard) queueOf(e *entry) *queue {
	if e.main {
		return &s.main
	}
	return &s.small
}

// insert adds a new object to the shard, which is locked.
func (c *Cache) insert(s *shard, e *entry) {
	s.entries[e.key] = e
	e.main = s.ghosts.take(e.hash)
	s.queueOf(e).push(e)
	if !e.main {
		c.small.Add(e.size)
	}
	c.used.Add(e.size)
}

// replace puts another object into an entry of the shard, which is locked.
func (c *Cache) replace(e *entry, o *Object, size int64) {
	c.used.Add(size - e.size)
	if !e.main {
		c.small.Add(size - e.size)
	}
	e.object, e.size = o, size
}

func (c *Cache) drop(s *shard, e *entry) {
	s.queueOf(e).remove(e)
	if !e.main {
		c.small.Add(-e.size)
	}
	c.used.Add(-e.size)
	delete(s.entries, e.key)
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
		if small || v.main.head == nil {
			c.evict(v, &v.small)
		} else {
			c.evict(v, &v.main)
		}
		v.mu.Unlock()
	}
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
		if !e.main {
			c.small.Add(-e.size)
			e.uses.Store(0)
			e.main = true
		}
		s.main.push(e)
		return
	}
	if e.main {
		c.demote(e)
	} else {
		s.ghosts.add(e.hash, len(s.entries))
	}
	c.drop(s, e)
}
