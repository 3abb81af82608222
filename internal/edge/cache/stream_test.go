package cache

import (
	"bytes"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
)

// endless gives n bytes that can be checked by their place.
type endless struct{ off, n int64 }

func at(off int64) byte { return byte(off ^ off>>8 ^ off>>16) }

func (e *endless) Read(p []byte) (int, error) {
	if e.off == e.n {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), e.n-e.off)]
	for i := range p {
		p[i] = at(e.off + int64(i))
	}
	e.off += int64(len(p))
	return len(p), nil
}

func (e *endless) Close() error { return nil }

// checked reads r and tells how many bytes came, all of them right, with reads of a given size.
func checked(t *testing.T, r io.Reader, off int64, step int) int64 {
	buf, n := make([]byte, step), int64(0)
	for {
		k, err := r.Read(buf)
		for i := range k {
			if buf[i] != at(off+n+int64(i)) {
				t.Errorf("a wrong byte at %d", off+n+int64(i))
				return n
			}
		}
		n += int64(k)
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Errorf("after %d bytes: %v", n, err)
			return n
		}
	}
}

// What outgrows the memory flows through without being held, also when several read it.
func TestLargeBodyIsNotHeld(t *testing.T) {
	const size = 48 << 20
	for _, c := range []struct {
		name    string
		length  int64
		readers int
	}{{"known", size, 1}, {"unknown", -1, 1}, {"shared", -1, 3}} {
		t.Run(c.name, func(t *testing.T) {
			cache := New(4 << 20) // 1 MiB for one body
			stored := false
			s, r := cache.NewStream(&endless{n: size}, StreamOptions{Length: c.length, Keep: true, Complete: func([]byte, *File) { stored = true }})
			readers := []*Reader{r}
			for len(readers) < c.readers {
				readers = append(readers, s.NewReader())
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var wg sync.WaitGroup
			for i, r := range readers {
				wg.Go(func() {
					if n := checked(t, r, 0, 32<<10-i); n != size {
						t.Errorf("reader %d: %d bytes", i, n)
					}
					r.Close()
				})
			}
			wg.Wait()
			runtime.ReadMemStats(&after)
			if used := after.HeapSys - min(before.HeapSys, after.HeapSys); used > 20<<20 {
				t.Errorf("%d MiB of heap for a body that is not kept", used>>20)
			}
			if stored || cache.Used() != 0 {
				t.Errorf("stored %v, %d bytes used", stored, cache.Used())
			}
		})
	}
}

// Readers of all kinds follow one body, in memory, on disk and past both.
func TestReadersAtTheirOwnPace(t *testing.T) {
	const size = 700_000
	for _, c := range []struct {
		name   string
		memory int64
		disk   bool
	}{{"memory", 64 << 20, false}, {"disk", 1 << 20, true}} {
		t.Run(c.name, func(t *testing.T) {
			o := Options{Memory: c.memory}
			if c.disk {
				o.Dir, o.Disk = t.TempDir(), 10<<20
			}
			cache, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			rnd := rand.New(rand.NewPCG(1, 2))
			s, first := cache.NewStream(&endless{n: size}, StreamOptions{Length: size, Keep: true, Complete: func(b []byte, f *File) {
				if (f != nil) != c.disk || f == nil && len(b) != size {
					t.Errorf("%d bytes, file %v", len(b), f)
				}
				cache.Admit([]byte("k"), &Object{Head: testObject("/").Head, Body: b, File: f})
			}})
			var wg sync.WaitGroup
			for range 8 {
				r := s.NewReader()
				step := 1 + rnd.IntN(40_000)
				wg.Go(func() {
					if n := checked(t, r, 0, step); n != size {
						t.Errorf("%d bytes", n)
					}
					r.Close()
				})
				off := rnd.Int64N(size - 1)
				n := 1 + rnd.Int64N(size-off)
				part := s.NewSection(off, n)
				if part.Length() != n {
					t.Errorf("length %d, want %d", part.Length(), n)
				}
				wg.Go(func() {
					if got := checked(t, part, off, step); got != n {
						t.Errorf("part %d+%d: %d bytes", off, n, got)
					}
					part.Close()
				})
			}
			first.Close() // the leader leaves
			wg.Wait()
			if cache.Lookup([]byte("k")) == nil {
				t.Error("not stored")
			}
		})
	}
}

// A disk that takes no more in the midst of a body lets it pass on to all who read it.
func TestDiskFailsMidway(t *testing.T) {
	cache, err := Open(Options{Memory: 1 << 20, Dir: t.TempDir(), Disk: 10 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	const size = 8 << 20 // half of the disk is not for one object
	s, r := cache.NewStream(&endless{n: size}, StreamOptions{Length: -1, Keep: true, Complete: func([]byte, *File) { t.Error("stored") }})
	late := s.NewReader()
	if n, _ := io.ReadFull(r, make([]byte, 5<<20+100_000)); n != 5<<20+100_000 {
		t.Errorf("%d bytes", n)
	}
	if s.NewReader() != nil {
		t.Error("a reader joined what is not kept any more")
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if n := checked(t, r, 5<<20+100_000, 30_000); n != size-(5<<20+100_000) {
			t.Errorf("%d bytes", n)
		}
		r.Close()
	})
	if n := checked(t, late, 0, 20_000); n != size {
		t.Errorf("the late reader: %d bytes", n)
	}
	late.Close()
	wg.Wait()
	if cache.disk.used != 0 {
		t.Errorf("%d bytes counted", cache.disk.used)
	}
}

func TestTrimmedBody(t *testing.T) {
	cache := New(64 << 20)
	body := bytes.Repeat([]byte("x"), 1_000_000)
	_, r := cache.NewStream(io.NopCloser(bytes.NewReader(body)), StreamOptions{Length: -1, Keep: true, Complete: func(b []byte, _ *File) {
		if cap(b) > len(b)+len(b)/8 {
			t.Errorf("%d bytes of memory for %d", cap(b), len(b))
		}
	}})
	_, _ = io.Copy(io.Discard, r)
	r.Close()
}

// Bodies whose viewers do not read on take a bounded part of memory together, however many they are; small ones find room still.
func TestArrivingBodiesAreBounded(t *testing.T) {
	for _, c := range []struct {
		name         string
		length, size int64
		kept         bool // still the last one
	}{{"large", 4 << 20, 3 << 20, false}, {"large, unknown", -1, 3 << 20, false}, {"medium, unknown", -1, 1 << 19, false}, {"small", -1, 60 << 10, true}} {
		t.Run(c.name, func(t *testing.T) {
			cache := New(32 << 20)
			var readers []*Reader
			var last *Stream
			for range 100 {
				s, r := cache.NewStream(&endless{n: 4 << 20}, StreamOptions{Length: c.length, Keep: true})
				if _, err := io.CopyN(io.Discard, r, c.size); err != nil {
					t.Fatal(err)
				}
				readers, last = append(readers, r), s
			}
			if n := cache.arriving.Load(); n > 24<<20 || c.kept != last.Shared() {
				t.Errorf("%d bytes are held, the last body is kept: %v", n, last.Shared())
			}
			for _, r := range readers {
				r.Close()
			}
			if n := cache.arriving.Load(); n != 0 {
				t.Errorf("%d bytes are held at the end", n)
			}
		})
	}
}
