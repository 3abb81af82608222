package cache

import (
	"errors"
	"io"
	"os"
	"sync"
)

// MaxBody is the largest body that is stored, whatever room there is (DG-cloudfront-limits: 50 GB).
const MaxBody = 50 << 30

// window is how far readers of a body that is not kept may be apart.
const window = 1 << 20

// Stream is a body that is stored while it is delivered. Any number of readers may follow it at their own pace: whoever
// has read all that is there reads on from the source, so no reader waits for a slower one. What outgrows the memory goes on
// to a file, when the cache has a disk. What outgrows both is not kept: then only the last bytes are held, and readers wait for
// the slowest among them. When the last reader leaves before the end, the source is closed and nothing is stored (facts:
// cloudfront-dataplane 6).
type Stream struct {
	cache *Cache
	// pull is held while the source is read.
	pull sync.Mutex

	mu    sync.Mutex
	moved sync.Cond // a reader moved or left
	// mem has the body from base on; when the body is in file, it is empty.
	mem  []byte
	base int64
	// counted is what of Cache.arriving is for mem.
	counted int64
	file    *bodyWriter
	// spill has the first spilled bytes, when a file has been given up.
	spill   *os.File
	spilled int64
	// passing is true when the body is not kept any more.
	passing bool
	total   int64
	ended   bool
	closed  bool // the source
	err     error
	readers []*Reader

	src  io.ReadCloser
	opts StreamOptions
}

// StreamOptions say what becomes of a stream.
type StreamOptions struct {
	// Length is the length that was announced, -1 when unknown. A body that ends short or long is incomplete.
	Length int64
	// Keep is false for a body that is only shared, or only passed on. With InMemory it goes to no file.
	Keep, InMemory bool
	// Complete gets the whole body when it has arrived, in memory or as a file. Done runs once after that, or when the body
	// has failed.
	Complete func(body []byte, file *File)
	Done     func()
}

// NewStream makes a stream of src and the first reader of it.
func (c *Cache) NewStream(src io.ReadCloser, opts StreamOptions) (*Stream, *Reader) {
	s := &Stream{cache: c, src: src, opts: opts}
	s.moved.L = &s.mu
	switch {
	case !opts.Keep:
		s.passing = true
	case opts.Length > c.limit, !c.roomFor(opts.Length, 0):
		s.toFile()
	case opts.Length > 0:
		s.mem = make([]byte, 0, min(opts.Length, 1<<20))
		s.count()
	}
	r := &Reader{s: s, end: -1}
	s.readers = append(s.readers, r)
	return s, r
}

// toFile moves the body to the disk, or gives it up where there is no room.
func (s *Stream) toFile() {
	if s.cache.disk != nil && !s.opts.InMemory {
		s.file = s.cache.disk.create(s.opts.Length)
	}
	if s.file == nil {
		s.passing = true
		return
	}
	if len(s.mem) > 0 {
		if _, err := s.file.Write(s.mem); err != nil {
			s.file.abandon()
			s.file.f.Close()
			s.file, s.passing = nil, true
			return
		}
	}
	s.mem = nil
}

// giveUp stops keeping a body whose file cannot be written on. Readers that are behind read what the file has.
func (s *Stream) giveUp() {
	s.file.abandon()
	s.spill, s.file = s.file.f, nil
	s.passing, s.mem, s.base, s.spilled = true, nil, s.total, s.total
}

var errLost = errors.New("read shared body: the part that comes next is not held any more")

// NewReader returns a reader from the start of the body, or nil when that is not to be had any more.
func (s *Stream) NewReader() *Reader {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.passing || s.ended && !errors.Is(s.err, io.EOF) {
		return nil
	}
	r := &Reader{s: s, end: -1}
	s.readers = append(s.readers, r)
	return r
}

// NewSection returns a reader of n bytes from first on, or nil.
func (s *Stream) NewSection(first, n int64) *Reader {
	r := s.NewReader()
	if r != nil {
		s.mu.Lock()
		r.off, r.end = first, first+n
		s.mu.Unlock()
	}
	return r
}

// Shared tells whether others can read the body, too.
func (s *Stream) Shared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.passing
}

// Length is the length that was announced, -1 when unknown.
func (s *Stream) Length() int64 { return s.opts.Length }

// Reader reads a Stream. It is for one goroutine; what it shares with others is guarded by the stream.
type Reader struct {
	s      *Stream
	off    int64
	end    int64 // -1: the end of the body
	lost   bool
	closed bool
	idle   bool // it only keeps what is held
}

// Anchor returns a reader that reads nothing: until it is closed, parts of what has arrived can be had with NewSection. It is
// nil when that is not to be had any more.
func (s *Stream) Anchor() *Reader {
	r := s.NewReader()
	if r != nil {
		s.mu.Lock()
		r.idle = true
		s.mu.Unlock()
	}
	return r
}

// Length is the length of what is read, -1 when unknown.
func (r *Reader) Length() int64 {
	if r.end >= 0 {
		return r.end - r.off
	}
	return r.s.opts.Length
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	s := r.s
	for {
		if n, err, ok := r.ready(p); ok {
			return n, err
		}
		s.pull.Lock()
		if n, err, ok := r.ready(p); ok {
			s.pull.Unlock()
			return n, err
		}
		if s.tooFarAhead() {
			s.pull.Unlock()
			s.waitForSlowest(r)
			continue
		}
		n, done := r.fetch(p)
		s.pull.Unlock()
		if done {
			s.finish()
		}
		if n > 0 {
			return n, nil
		}
	}
}

// fetch reads from the source: into p when that is what comes next for this reader, else past it.
func (r *Reader) fetch(p []byte) (n int, end bool) {
	s := r.s
	if r.end >= 0 {
		p = p[:min(int64(len(p)), r.end-r.off)]
	}
	here := r.off == s.total // total changes only while pull is held
	if !here {
		p = make([]byte, 32<<10)
	}
	n, err := s.src.Read(p)
	s.mu.Lock()
	end = s.took(p[:n], err)
	if here {
		r.off += int64(n)
	} else {
		n = 0
	}
	s.moved.Broadcast()
	s.mu.Unlock()
	return n, end
}

// ready answers from what has arrived.
func (r *Reader) ready(p []byte) (n int, err error, ok bool) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.closed:
		return 0, io.ErrClosedPipe, true
	case len(p) == 0:
		return 0, nil, true
	case r.lost:
		return 0, errLost, true
	case r.end >= 0 && r.off >= r.end:
		return 0, io.EOF, true
	}
	if have := s.total - r.off; have > 0 {
		p = p[:min(int64(len(p)), have)]
		if r.end >= 0 {
			p = p[:min(int64(len(p)), r.end-r.off)]
		}
		switch {
		case s.file != nil:
			n, err = s.file.ReadAt(p, r.off)
			if n == 0 {
				return 0, err, true
			}
		case s.spill != nil && r.off < s.spilled:
			if n, err = s.spill.ReadAt(p[:min(int64(len(p)), s.spilled-r.off)], r.off); n == 0 {
				return 0, err, true
			}
		case r.off >= s.base && r.off-s.base < int64(len(s.mem)):
			n = copy(p, s.mem[r.off-s.base:])
		default:
			return 0, errLost, true
		}
		r.off += int64(n)
		s.moved.Broadcast()
		return n, nil, true
	}
	if s.ended {
		return 0, s.err, true
	}
	return 0, nil, false
}

// took records what the source gave and tells whether it was the end. The stream is locked.
func (s *Stream) took(p []byte, err error) (end bool) {
	if s.ended {
		return false
	}
	s.keep(p)
	want := s.opts.Length
	switch {
	case want >= 0 && s.total > want:
		err = errors.New("read body: longer than announced")
	case want >= 0 && s.total == want:
		err = io.EOF
	case want >= 0 && err == io.EOF:
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		return false
	}
	s.ended, s.err = true, err
	return true
}

func (s *Stream) keep(p []byte) {
	defer s.count()
	if size := s.total + int64(len(p)); !s.passing && s.file == nil &&
		(size > s.cache.limit || size > int64(cap(s.mem)) && !s.cache.roomFor(size, s.counted)) {
		s.toFile()
	}
	if s.file != nil {
		if _, err := s.file.Write(p); err != nil {
			s.giveUp()
		}
	}
	switch {
	case s.file != nil:
	case !s.passing:
		s.mem = append(s.mem, p...)
	case len(s.readers) > 1:
		s.mem = append(s.mem, p...)
		if behind := max(min(s.slowest(), s.total)-s.base, 0); behind > window/2 || behind == int64(len(s.mem)-len(p)) {
			s.mem, s.base = append(s.mem[:0], s.mem[behind:]...), s.base+behind
		}
	default: // whoever reads has all that came before
		s.mem, s.base = nil, s.total+int64(len(p))
	}
	s.total += int64(len(p))
}

// count brings Cache.arriving up to date. The stream is locked.
func (s *Stream) count() {
	if now := int64(cap(s.mem)); now != s.counted {
		s.cache.arriving.Add(now - s.counted)
		s.counted = now
	}
}

// slowest is the place of the reader that is most behind.
func (s *Stream) slowest() int64 {
	least := s.total
	for _, r := range s.readers {
		if !r.lost && !r.idle {
			least = min(least, r.off)
		}
	}
	return least
}

func (s *Stream) tooFarAhead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passing && len(s.readers) > 1 && s.total-s.slowest() >= window
}

func (s *Stream) waitForSlowest(r *Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.passing && len(s.readers) > 1 && s.total-s.slowest() >= window && r.off >= s.total && !r.closed && !s.ended {
		s.moved.Wait()
	}
}

// finish closes the source and hands the whole body over.
func (s *Stream) finish() {
	s.src.Close()
	s.mu.Lock()
	body, file, whole := s.mem, s.file, !s.passing && s.err == io.EOF
	s.mu.Unlock()
	switch {
	case file != nil && whole:
		if f := file.finish(); f != nil && s.opts.Complete != nil {
			s.opts.Complete(nil, f)
		}
	case file != nil:
		file.abandon()
	case whole && s.opts.Complete != nil:
		if body == nil {
			body = []byte{}
		}
		if cap(body)-len(body) > len(body)/8 {
			body = append(make([]byte, 0, len(body)), body...)
		}
		s.opts.Complete(body, nil)
	}
	if s.opts.Done != nil {
		s.opts.Done()
	}
	s.mu.Lock()
	s.closed = true
	s.cache.arriving.Add(-s.counted)
	s.counted = 0
	s.letGo()
	s.mu.Unlock()
}

// letGo closes the file when nobody reads it any more. The stream is locked.
func (s *Stream) letGo() {
	if s.closed && len(s.readers) == 0 && s.file != nil {
		s.file.f.Close()
		s.file, s.passing = nil, true // a later reader finds nothing here
	}
	if s.spill != nil && len(s.readers) == 0 {
		s.spill.Close()
		s.spill = nil
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
	for i, other := range s.readers {
		if other == r {
			s.readers = append(s.readers[:i], s.readers[i+1:]...)
			break
		}
	}
	abandon := len(s.readers) == 0 && !s.ended
	if abandon {
		s.ended, s.err = true, io.ErrClosedPipe
	}
	s.letGo()
	s.moved.Broadcast()
	s.mu.Unlock()
	if abandon {
		s.finish()
	}
	return nil
}
