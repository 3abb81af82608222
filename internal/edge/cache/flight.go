package cache

import (
	"context"
	"errors"
	"io"
	"sync"
)

type flights struct {
	mu   sync.Mutex
	open map[string]*Flight
}

// Flight is one fetch that several requests for the same key may share. The leader must end it: with Share, whose stream
// ends it when the body has come, or with Release.
type Flight struct {
	cache  *Cache
	key    string
	landed chan struct{}
	// object and stream are set before landed closes; nil when there is nothing to share.
	object *Object
	stream *Stream
	once   sync.Once
}

// Join makes the caller the leader of a new flight for key, or returns the one that is open.
func (c *Cache) Join(key []byte) (flight *Flight, leader bool) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if f := c.flights.open[string(key)]; f != nil {
		return f, false
	}
	f := &Flight{cache: c, key: string(key), landed: make(chan struct{})}
	c.flights.open[f.key] = f
	return f, true
}

// Release ends the flight with nothing to share: each follower fetches for itself. Further calls do nothing.
func (f *Flight) Release() {
	f.once.Do(func() {
		f.close()
		close(f.landed)
	})
}

// Share hands the answer to the followers, who read the body while it arrives. The stream must have been made with
// f.Close as its Done.
func (f *Flight) Share(o *Object, s *Stream) {
	f.once.Do(func() {
		f.object, f.stream = o, s
		close(f.landed)
	})
}

// Close takes the flight off the table: later requests look into the cache or fetch anew.
func (f *Flight) Close() {
	f.close()
	f.Release()
}

func (f *Flight) close() {
	f.cache.flights.mu.Lock()
	if f.cache.flights.open[f.key] == f {
		delete(f.cache.flights.open, f.key)
	}
	f.cache.flights.mu.Unlock()
}

// Wait waits for the leader's answer. The reader is nil when there is nothing to share.
func (f *Flight) Wait(ctx context.Context) (*Object, *Reader, error) {
	select {
	case <-f.landed:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if f.stream == nil {
		return nil, nil, nil
	}
	r := f.stream.NewReader()
	if r == nil {
		return nil, nil, nil
	}
	return f.object, r, nil
}

// Stream is a body that is stored while it is delivered. Any number of readers may follow it at their own pace: whoever
// has read all that is there reads on from the source, so no reader waits for a slower one. When the last reader leaves
// before the end, the source is closed and nothing is stored (facts: cloudfront-dataplane 6).
type Stream struct {
	// pull is held while the source is read.
	pull sync.Mutex

	mu      sync.Mutex
	buf     []byte
	keep    bool
	tooBig  bool // over the limit: not stored, and kept only for readers that are behind
	ended   bool
	err     error
	readers int
	total   int64

	src  io.ReadCloser
	opts StreamOptions
}

// StreamOptions say what becomes of a stream.
type StreamOptions struct {
	// Length is the length that was announced, -1 when unknown. A body that ends short or long is incomplete.
	Length int64
	// Limit is how much is kept at most; a longer body passes through unstored.
	Limit int64
	// Complete gets the whole body when it has arrived. Done runs once after that, or when the body has failed.
	Complete func(body []byte)
	Done     func()
}

// NewStream makes a stream of src and the first reader of it.
func NewStream(src io.ReadCloser, opts StreamOptions) (*Stream, *Reader) {
	s := &Stream{src: src, opts: opts, keep: opts.Length <= opts.Limit, readers: 1}
	if s.keep && opts.Length > 0 {
		s.buf = make([]byte, 0, min(opts.Length, 1<<20))
	}
	return s, &Reader{s: s}
}

// NewReader returns a reader from the start of the body, or nil when that is not to be had any more.
func (s *Stream) NewReader() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.keep || s.tooBig || s.ended && !errors.Is(s.err, io.EOF) {
		return nil
	}
	s.readers++
	return &Reader{s: s}
}

// Reader reads a Stream. It is for one goroutine.
type Reader struct {
	s      *Stream
	off    int
	closed bool
}

// Length is the length that was announced, -1 when unknown.
func (r *Reader) Length() int64 { return r.s.opts.Length }

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if n, err, ok := r.ready(p); ok {
		return n, err
	}
	r.s.pull.Lock()
	if n, err, ok := r.ready(p); ok {
		r.s.pull.Unlock()
		return n, err
	}
	n, err := r.s.src.Read(p)
	end := r.s.took(p[:n], err)
	r.off += n
	r.s.pull.Unlock()
	if end {
		r.s.finish()
	}
	if n > 0 {
		return n, nil
	}
	n, err, _ = r.ready(p)
	return n, err
}

// ready answers from what has arrived.
func (r *Reader) ready(p []byte) (n int, err error, ok bool) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed {
		return 0, io.ErrClosedPipe, true
	}
	if s.keep && r.off < len(s.buf) {
		n = copy(p, s.buf[r.off:])
		r.off += n
		return n, nil, true
	}
	if s.ended {
		return 0, s.err, true
	}
	return 0, nil, len(p) == 0
}

// took records what the source gave and tells whether it was the end.
func (s *Stream) took(p []byte, err error) (end bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.total += int64(len(p))
	want := s.opts.Length
	switch {
	case want >= 0 && s.total > want:
		err = errors.New("read body: longer than announced")
	case want >= 0 && s.total == want:
		err = io.EOF
	case want >= 0 && err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	s.tooBig = s.tooBig || s.total > s.opts.Limit
	switch {
	case s.tooBig && s.readers <= 1: // whoever reads has all that came before
		s.keep, s.buf = false, nil
	case s.keep:
		s.buf = append(s.buf, p...)
	}
	if err == nil {
		return false
	}
	s.ended, s.err = true, err
	return true
}

func (s *Stream) finish() {
	s.src.Close()
	s.mu.Lock()
	body, whole := s.buf, s.keep && !s.tooBig && s.err == io.EOF
	s.mu.Unlock()
	if whole && s.opts.Complete != nil {
		s.opts.Complete(body)
	}
	if s.opts.Done != nil {
		s.opts.Done()
	}
}

// Close ends this reader. Further calls do nothing.
func (r *Reader) Close() error {
	s := r.s
	s.mu.Lock()
	if r.closed {
		s.mu.Unlock()
		return nil
	}
	r.closed = true
	s.readers--
	abandon := s.readers == 0 && !s.ended
	if abandon {
		s.ended, s.err, s.keep, s.buf = true, io.ErrClosedPipe, false, nil
	}
	s.mu.Unlock()
	if abandon {
		s.finish()
	}
	return nil
}
