package accesslog

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Options make a Collector.
type Options struct {
	// Put stores a file; nil discards what goes to buckets.
	Put func(ctx context.Context, bucket, key string, body []byte) error
	// Event takes what goes to log groups; nil discards it.
	Event Event
	// Streams takes what goes to streams; nil discards it.
	Streams *Streams
	// Every is how long a record for a file waits at most before the file is delivered; 0 means five seconds.
	Every time.Duration
	// Log gets what an operator should know; nil drops it.
	Log func(format string, args ...any)
	// Queue is how many records may wait; 0 means 8192.
	Queue int
}

const (
	// maxHeld is how much memory of requests the waiting records may keep, about.
	maxHeld = 16 << 20
	// maxFile is how much text a file has at most before it is delivered.
	maxFile = 16 << 20
	// gather is how long records wait for more, so that the collector is not woken for each.
	gather = 10 * time.Millisecond
)

// Collector gathers records and delivers them. Make it with New, and Close it.
type Collector struct {
	opts    Options
	dropped atomic.Uint64
	// wake says that something waits; full that it is a lot.
	wake, full chan struct{}
	flush      chan chan struct{}
	ended      chan struct{}
	quit       chan struct{}
	once       sync.Once

	mu      sync.Mutex
	outputs map[string]output
	waiting []*batch // the last one is being filled
	spare   []*batch
	count   int
	held    int

	// Of the goroutine only.
	files   map[fileKey]*file
	streams map[string]*[]byte
	timer   *time.Timer
	told    uint64
}

// batch is a part of the queue: records are copied into it, and it is used again.
type batch struct {
	n     int
	slots [64]slot
	own   []byte // Own of the records, one behind the other
}

type slot struct {
	route  *Route
	record Record
}

// spareBatches is how many empty batches are kept, firstOwn what they have for field lines at first, and maxOwn what they keep.
const (
	spareBatches = 8
	firstOwn     = 16 << 10
	maxOwn       = 256 << 10
)

// New makes a Collector.
func New(o Options) *Collector {
	if o.Every <= 0 {
		o.Every = 5 * time.Second
	}
	if o.Queue <= 0 {
		o.Queue = 8192
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	c := &Collector{
		opts: o, wake: make(chan struct{}, 1), full: make(chan struct{}, 1), flush: make(chan chan struct{}), ended: make(chan struct{}),
		quit: make(chan struct{}), outputs: map[string]output{}, files: map[fileKey]*file{}, streams: map[string]*[]byte{}, timer: time.NewTimer(time.Hour),
	}
	c.timer.Stop()
	go c.work()
	return c
}

// take copies a record into the queue.
func (c *Collector) take(t *Route, r *Record) {
	if c == nil {
		return
	}
	c.mu.Lock()
	if c.count >= c.opts.Queue || c.held > maxHeld {
		c.mu.Unlock()
		c.dropped.Add(1)
		return
	}
	n := len(c.waiting)
	if n == 0 || c.waiting[n-1].n == len(c.waiting[n-1].slots) {
		c.waiting = append(c.waiting, c.empty())
		n++
	}
	b := c.waiting[n-1]
	s := &b.slots[b.n]
	b.n++
	s.route, s.record = t, *r
	if b.own == nil && len(r.Own) > 0 {
		b.own = make([]byte, 0, firstOwn)
	}
	start := len(b.own)
	b.own = append(b.own, r.Own...)
	s.record.Own = b.own[start:len(b.own):len(b.own)]
	c.count++
	c.held += r.Held + len(r.Own)
	first, many := c.count == 1, c.count == c.opts.Queue/2
	c.mu.Unlock()
	if first {
		signal(c.wake)
	}
	if many {
		signal(c.full)
	}
}

// empty returns a batch; c.mu is held.
func (c *Collector) empty() *batch {
	n := len(c.spare)
	if n == 0 {
		return &batch{}
	}
	b := c.spare[n-1]
	c.spare = c.spare[:n-1]
	return b
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Dropped is how many records were dropped so far.
func (c *Collector) Dropped() uint64 { return c.dropped.Load() }

// Flush delivers what was logged before it was called.
func (c *Collector) Flush() {
	done := make(chan struct{})
	select {
	case c.flush <- done:
		<-done
	case <-c.ended:
	}
}

// Close delivers everything and ends the collector. What is logged afterwards is lost.
func (c *Collector) Close() {
	c.once.Do(func() { close(c.quit) })
	<-c.ended
}

func (c *Collector) work() {
	defer close(c.ended)
	soon := time.NewTimer(time.Hour)
	soon.Stop()
	for {
		select {
		case <-c.wake:
			soon.Reset(gather)
		case <-soon.C:
			c.drain()
		case <-c.full:
			c.drain()
		case <-c.timer.C:
			c.drain()
			c.deliverAll()
		case done := <-c.flush:
			c.drain()
			c.deliverAll()
			close(done)
		case <-c.quit:
			c.drain()
			c.deliverAll()
			return
		}
	}
}

// drain writes out what waits.
func (c *Collector) drain() {
	c.mu.Lock()
	all := c.waiting
	c.waiting, c.count, c.held = nil, 0, 0
	c.mu.Unlock()
	for _, b := range all {
		for i := range b.slots[:b.n] {
			s := &b.slots[i]
			for _, o := range s.route.outputs {
				o.add(&s.record)
			}
			*s = slot{}
		}
		if b.n = 0; cap(b.own) > maxOwn {
			b.own = nil
		}
		b.own = b.own[:0]
	}
	for name, text := range c.streams {
		if len(*text) > 0 && c.opts.Streams != nil {
			if err := c.opts.Streams.write(name, *text); err != nil {
				c.opts.Log("real-time log of stream %s: %v", name, err)
			}
		}
		*text = (*text)[:0]
	}
	c.mu.Lock()
	c.spare = append(c.spare, all[:min(len(all), max(spareBatches-len(c.spare), 0))]...)
	c.mu.Unlock()
	if n := c.dropped.Load(); n > c.told {
		c.opts.Log("access logs: %d records were dropped, because too many were waiting", n-c.told)
		c.told = n
	}
}

// file is one that is being written: records of one hour.
type file struct {
	key  fileKey
	text bytes.Buffer
	n    int
	over bool
}

type fileKey struct {
	log          *bucketLog
	folder, hour string
}

func (c *Collector) deliverAll() {
	c.timer.Stop()
	for _, f := range c.files {
		c.deliver(f)
	}
}

// deliver stores a file under the name that CloudFront gives: the folder, the distribution's id, the hour, and eight characters
// that no other file has (standard-logging-legacy-s3; live names).
func (c *Collector) deliver(f *file) {
	k := f.key
	delete(c.files, k)
	k.log.last, f.over = nil, true
	if c.opts.Put == nil {
		return
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(f.text.Bytes()) // into memory
	_ = z.Close()
	key := fmt.Sprintf("%s%s.%s.%08x.gz", k.folder, k.log.distribution, k.hour, rand.Uint32())
	if err := c.opts.Put(context.Background(), k.log.bucket, key, packed.Bytes()); err != nil {
		c.opts.Log("access log of %s: %d records could not be put into s3://%s/%s: %v", k.log.distribution, f.n, k.log.bucket, key, err)
	}
}
