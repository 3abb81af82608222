package accesslog

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Target is where the standard log of a distribution goes.
type Target struct {
	Distribution   string
	Bucket, Prefix string
}

// String names the target for people.
func (t Target) String() string { return "s3://" + t.Bucket + "/" + t.prefix() }

// prefix ends with a slash, which AWS adds where it is missing (BC LoggingConfig.Prefix names an example with one; the manual's
// "the first part of the file name").
func (t Target) prefix() string {
	if t.Prefix == "" || strings.HasSuffix(t.Prefix, "/") {
		return t.Prefix
	}
	return t.Prefix + "/"
}

// Options make a Collector.
type Options struct {
	// Put stores a file; nil discards all records.
	Put func(ctx context.Context, bucket, key string, body []byte) error
	// Every is how long a record waits at most before its file is delivered; 0 means five seconds.
	Every time.Duration
	// Log gets what an operator should know; nil drops it.
	Log func(format string, args ...any)
	// Queue is how many records may wait; 0 means 8192.
	Queue int
}

// Collector gathers records in files and delivers them. Make it with New, and Close it.
type Collector struct {
	opts    Options
	queue   chan entry
	flush   chan chan struct{}
	dropped atomic.Uint64
	ended   chan struct{}
	quit    chan struct{}
	once    sync.Once

	mu    sync.Mutex
	sinks map[Target]*Sink
}

type entry struct {
	sink   *Sink
	record *Record
}

// Sink takes the records of one target.
type Sink struct {
	Target Target
	c      *Collector
}

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
	c := &Collector{opts: o, queue: make(chan entry, o.Queue), flush: make(chan chan struct{}), ended: make(chan struct{}), quit: make(chan struct{}), sinks: map[Target]*Sink{}}
	go c.work()
	return c
}

// Sink returns the sink of a target, the same one each time. A nil Collector gives one that discards.
func (c *Collector) Sink(t Target) *Sink {
	if c == nil {
		return &Sink{Target: t}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sinks[t]
	if s == nil {
		s = &Sink{t, c}
		c.sinks[t] = s
	}
	return s
}

// Log takes a record, which belongs to the sink from now on. It never waits: when too many are waiting it is dropped and counted.
func (s *Sink) Log(r *Record) {
	if s.c == nil || s.c.opts.Put == nil {
		return
	}
	select {
	case s.c.queue <- entry{s, r}:
	default:
		s.c.dropped.Add(1)
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

// Close delivers everything and ends the collector. Nothing may be logged afterwards.
func (c *Collector) Close() {
	c.once.Do(func() { close(c.quit) })
	<-c.ended
}

// file is one that is being written: a distribution's records of one hour.
type file struct {
	sink *Sink
	hour string
	text bytes.Buffer
	n    int
}

type fileKey struct {
	sink *Sink
	hour string
}

// maxFile is how much text a file has at most before it is delivered.
const maxFile = 16 << 20

func (c *Collector) work() {
	defer close(c.ended)
	files := map[fileKey]*file{}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var told uint64
	deliver := func() {
		for k, f := range files {
			c.deliver(f)
			delete(files, k)
		}
		if n := c.dropped.Load(); n > told {
			c.opts.Log("access logs: %d records were dropped, because too many were waiting", n-told)
			told = n
		}
	}
	take := func(e entry) {
		if len(files) == 0 {
			timer.Reset(c.opts.Every)
		}
		k := fileKey{e.sink, e.record.Ended.UTC().Format("2006-01-02-15")}
		f := files[k]
		if f == nil {
			f = &file{sink: e.sink, hour: k.hour}
			f.text.WriteString(Head())
			files[k] = f
		}
		f.text.Write(AppendLine(f.text.AvailableBuffer(), e.record))
		if f.n++; f.text.Len() >= maxFile {
			c.deliver(f)
			delete(files, k)
		}
	}
	drain := func() {
		for {
			select {
			case e := <-c.queue:
				take(e)
			default:
				deliver()
				return
			}
		}
	}
	for {
		select {
		case e := <-c.queue:
			take(e)
		case <-timer.C:
			deliver()
		case done := <-c.flush:
			drain()
			close(done)
		case <-c.quit:
			drain()
			return
		}
	}
}

// deliver stores a file under the name that CloudFront gives: the prefix, the distribution's id, the hour, and eight characters
// that no other file has (standard-logging-legacy-s3; live names).
func (c *Collector) deliver(f *file) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(f.text.Bytes()) // into memory
	_ = z.Close()
	t := f.sink.Target
	key := fmt.Sprintf("%s%s.%s.%08x.gz", t.prefix(), t.Distribution, f.hour, rand.Uint32())
	if err := c.opts.Put(context.Background(), t.Bucket, key, packed.Bytes()); err != nil {
		c.opts.Log("access log of %s: %d records could not be put into s3://%s/%s: %v", t.Distribution, f.n, t.Bucket, key, err)
	}
}
