// Package cache keeps HTTP answers: in memory within a budget of bytes, and on disk what does not fit there.
//
// Start with Cache and Object. Keys are opaque bytes that the engine builds; the distribution's id is a part of them, so one
// Cache serves all distributions. The package must not know policies: whether an object is fresh is the engine's to say. Objects
// are immutable once admitted and may be read by any number of requests. policy.go says what is evicted; disk.go how the disk
// is written, and what a crash can do to it.
package cache

import (
	"hash/maphash"
	"sync/atomic"
	"time"
)

const shardCount = 64

// Cache is safe for use by many goroutines.
type Cache struct {
	budget int64
	limit  int64
	used   atomic.Int64
	small  atomic.Int64 // what the small queues hold of it
	// arriving is what bodies take that have not arrived whole; it comes on top of used.
	arriving atomic.Int64
	seed     maphash.Seed
	shards   [shardCount]shard
	hand     atomic.Uint32

	flights flights
	invalid invalidations
	disk    *disk
	// closeTime is how long Close writes to the disk at most.
	closeTime time.Duration
}

// Options make a Cache.
type Options struct {
	// Memory is how many bytes objects in memory may take, bookkeeping included.
	Memory int64
	// Dir is the folder for objects on disk; "" for none. It belongs to one Cache alone. Disk is how many bytes they may take.
	Dir  string
	Disk int64
}

// New makes a cache that holds about budget bytes in memory.
func New(budget int64) *Cache {
	c := &Cache{budget: budget, limit: budget / 4, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = make(map[string]*entry)
	}
	c.flights.open = make(map[string]*Flight)
	return c
}

// Open makes a cache with a disk, and finds again what an earlier one has left there. The error is about the folder.
func Open(o Options) (*Cache, error) {
	c := New(o.Memory)
	if o.Dir == "" {
		return c, nil
	}
	d, err := openDisk(o.Dir, o.Disk)
	if err != nil {
		return nil, err
	}
	// A larger body is as fast from the file, and leaves room for many small ones.
	c.limit = min(o.Memory/16, 8<<20)
	d.cache, c.disk, c.closeTime = c, d, 2*time.Second
	d.start()
	return c, nil
}

// Close writes what is worth it to the disk, as far as there is time, and ends the work in the background. The cache must not
// be used any more.
func (c *Cache) Close() {
	if c.disk == nil {
		return
	}
	c.disk.close()
	end := time.Now().Add(c.closeTime)
	for i := range c.shards {
		for _, m := range c.leaving(&c.shards[i]) {
			if time.Now().After(end) {
				return
			}
			c.disk.put(m.key, m.object, always)
		}
	}
}

// leaving lists what of a shard the disk should have: what was used, the newest first.
func (c *Cache) leaving(s *shard) (out []demotion) {
	s.mu.Lock()
	defer s.mu.Unlock()
	epoch := c.Epoch()
	for _, e := range [...]*entry{s.main.tail, s.small.tail} {
		for ; e != nil; e = e.prev {
			if e.object.File == nil && e.object.Parts == nil && !e.object.onDisk && (e.main || e.uses.Load() > 0) {
				o := *e.object
				o.Epoch = epoch
				out = append(out, demotion{e.key, &o})
			}
		}
	}
	return out
}

// Bodies on their way into the cache are in memory as long as their viewers take to read them, so slow viewers could fill it.
// Together they may take half the budget, those over a mebibyte half of that; beyond it a body goes to a file, or is not kept.
// One of at most freeBody bytes is no more than what its connection takes anyway.
const (
	freeBody   = 64 << 10
	mediumBody = 1 << 20
)

// roomFor tells whether a body that is arriving may take size bytes of memory, of which it has some.
func (c *Cache) roomFor(size, has int64) bool {
	most := max(c.budget/2, 8<<20)
	if size > mediumBody {
		most /= 2
	}
	return size <= freeBody || c.arriving.Load()+size-has <= most
}

// Limit is the size of the largest body that is kept in memory.
func (c *Cache) Limit() int64 { return c.limit }

// Used returns how many bytes are held in memory.
func (c *Cache) Used() int64 { return c.used.Load() }

// Len returns how many objects are held in memory.
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

// Lookup returns the object under key, fresh or not, or nil. For what is in memory it does not allocate and takes one shared
// lock.
func (c *Cache) Lookup(key []byte) *Object {
	if o := c.inMemory(key); o != nil || c.disk == nil {
		return o
	}
	return c.fromDisk(key)
}

func (c *Cache) inMemory(key []byte) *Object {
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

// fromDisk looks an object up on disk and keeps what it found in memory: the body when it is small, else where it is.
func (c *Cache) fromDisk(key []byte) *Object {
	epoch := c.Epoch()
	o := c.disk.lookup(key)
	if o == nil {
		return nil
	}
	o.Epoch = epoch
	if o.File != nil && o.File.size <= c.limit {
		b, err := o.File.readAll()
		if err != nil {
			return nil
		}
		o.Body, o.File, o.onDisk = b, nil, true
	}
	o = c.promote(key, o)
	c.shrink()
	return o
}

// promote keeps what was read from disk, unless the memory has a newer object by now.
func (c *Cache) promote(key []byte, o *Object) *Object {
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[string(key)]; e != nil {
		return e.object
	}
	if c.invalid.hits(o) {
		return nil
	}
	c.insert(s, &entry{key: string(key), hash: h, object: o, size: o.size(len(key))})
	return o
}

// Admit stores o under key in place of what was there, and evicts others when the budget is spent. It does nothing when an
// invalidation has hit the object since its Epoch.
func (c *Cache) Admit(key []byte, o *Object) {
	if !c.admit(key, o) {
		if c.disk != nil && o.File != nil {
			c.disk.drop(o.File)
		}
		return
	}
	if c.disk != nil {
		switch {
		case o.File != nil:
			if !c.disk.commit(key, o, always) {
				c.removeObject(key, o)
			}
		default:
			c.disk.forget(key)
		}
	}
	c.shrink()
}

func (c *Cache) admit(key []byte, o *Object) bool {
	size := o.size(len(key))
	if size > c.budget || int64(len(o.Body)) > c.limit {
		return false
	}
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.invalid.hits(o) {
		return false
	}
	if e := s.entries[string(key)]; e != nil {
		c.replace(e, o, size)
	} else {
		c.insert(s, &entry{key: string(key), hash: h, object: o, size: size})
	}
	return true
}

// Remove drops the object under key.
func (c *Cache) Remove(key []byte) {
	c.removeObject(key, nil)
	if c.disk != nil {
		c.disk.forget(key)
	}
}

// removeObject drops the entry under key from memory; with o only when it holds o.
func (c *Cache) removeObject(key []byte, o *Object) {
	s := &c.shards[maphash.Bytes(c.seed, key)%shardCount]
	s.mu.Lock()
	if e := s.entries[string(key)]; e != nil && (o == nil || e.object == o) {
		c.drop(s, e)
	}
	s.mu.Unlock()
}

// holds tells whether the memory has an object under key.
func (c *Cache) holds(key []byte) bool {
	s := &c.shards[maphash.Bytes(c.seed, key)%shardCount]
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.entries[string(key)] != nil
}

// demote hands an evicted entry to the disk.
func (c *Cache) demote(e *entry) {
	if c.disk != nil && e.object.File == nil && e.object.Parts == nil && !e.object.onDisk {
		c.disk.demoteLater(e, c.Epoch())
	}
}
