package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	c := New(1 << 20)
	body := make([]byte, 4096)
	for i := range 2000 {
		c.Admit(fmt.Appendf(nil, "key%d", i), &Object{Body: body})
		if c.Used() > 1<<20 {
			t.Fatalf("%d bytes used after %d objects", c.Used(), i+1)
		}
	}
	if n := c.Len(); n < 100 {
		t.Errorf("%d objects kept", n)
	}
	c.Invalidate("", []string{"*"})
	if c.Used() != 0 || c.Len() != 0 {
		t.Errorf("%d bytes, %d objects after invalidating all", c.Used(), c.Len())
	}
	c.Admit([]byte("big"), &Object{Body: make([]byte, 1<<20)})
	if c.Lookup([]byte("big")) != nil {
		t.Error("an object over the limit was stored")
	}
}

func TestScanKeepsWhatIsUsed(t *testing.T) {
	c := New(1 << 20)
	body := make([]byte, 1000)
	hot := func(i int) []byte { return fmt.Appendf(nil, "hot%d", i) }
	for i := range 100 {
		c.Admit(hot(i), &Object{Body: body})
		c.Lookup(hot(i))
	}
	for i := range 5000 {
		c.Admit(fmt.Appendf(nil, "scan%d", i), &Object{Body: body})
		if i%10 == 0 {
			for j := range 100 {
				c.Lookup(hot(j))
			}
		}
	}
	kept := 0
	for i := range 100 {
		if c.Lookup(hot(i)) != nil {
			kept++
		}
	}
	if kept < 90 {
		t.Errorf("%d of 100 used objects survive a scan", kept)
	}
}

func TestReplaceAndRemove(t *testing.T) {
	c := New(1 << 20)
	key := []byte("k")
	c.Admit(key, &Object{Body: make([]byte, 100)})
	used := c.Used()
	c.Admit(key, &Object{Body: make([]byte, 300), Target: "/x"})
	if c.Used() != used+192+16 || c.Len() != 1 || len(c.Lookup(key).Body) != 300 {
		t.Errorf("%d bytes, want %d", c.Used(), used+208)
	}
	c.Remove(key)
	if c.Used() != 0 || c.Lookup(key) != nil {
		t.Error("removed object is still there")
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	c := New(1 << 20)
	key := []byte("some key")
	c.Admit(key, &Object{})
	if n := testing.AllocsPerRun(100, func() { c.Lookup(key) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAge(t *testing.T) {
	now := time.Unix(1000, 0)
	o := &Object{Stored: now, Age: 5 * time.Second}
	for d, want := range map[time.Duration]string{0: "5", -time.Hour: "0", time.Minute: "65", time.Hour: "3605"} {
		if got := string(o.AppendAge(nil, now.Add(d))); got != want {
			t.Errorf("after %v: %s, want %s", d, got, want)
		}
	}
}

type source struct {
	io.Reader
	closed bool
}

func (s *source) Close() error { s.closed = true; return nil }

func TestStream(t *testing.T) {
	for _, c := range []struct {
		name   string
		body   string
		length int64
		limit  int64
		stored bool
		err    bool
	}{
		{"known length", "hello", 5, 100, true, false},
		{"unknown length", "hello", -1, 100, true, false},
		{"empty", "", 0, 100, true, false},
		{"short", "hell", 5, 100, false, true},
		{"long", "hello!", 5, 100, false, true},
		{"over the limit", "hello", -1, 3, false, false},
		{"known over the limit", "hello", 5, 3, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := &source{Reader: strings.NewReader(c.body)}
			var stored []byte
			done := 0
			_, r := New(4*c.limit).NewStream(src, StreamOptions{Length: c.length, Keep: true,
				Complete: func(b []byte, _ *File) { stored = append([]byte{}, b...) }, Done: func() { done++ }})
			got, err := io.ReadAll(r)
			r.Close()
			if (err != nil) != c.err || !c.err && string(got) != c.body {
				t.Errorf("read %q, %v", got, err)
			}
			if (stored != nil) != c.stored || c.stored && string(stored) != c.body || done != 1 || !src.closed {
				t.Errorf("stored %q, done %d, closed %v", stored, done, src.closed)
			}
		})
	}
}

// A body that outgrows the limit while it is shared reaches all readers, and is not stored.
func TestSharedBodyOutgrowsLimit(t *testing.T) {
	body := strings.Repeat("x", 100)
	stored := false
	stream, a := New(200).NewStream(&source{Reader: strings.NewReader(body)}, StreamOptions{Length: -1, Keep: true, Complete: func([]byte, *File) { stored = true }})
	b := stream.NewReader()
	if _, err := io.ReadFull(a, make([]byte, 80)); err != nil {
		t.Fatal(err)
	}
	if stream.NewReader() != nil {
		t.Error("a reader joined a body over the limit")
	}
	a.Close()
	if got, err := io.ReadAll(b); string(got) != body || err != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if stored {
		t.Error("stored")
	}
}

func TestLeaderLeaves(t *testing.T) {
	c := New(1 << 20)
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	flight, leader := c.Join([]byte("k"))
	if !leader {
		t.Fatal("no leader")
	}
	stream, first := c.NewStream(&source{Reader: bytes.NewReader(body)}, StreamOptions{Length: int64(len(body)), Keep: true, Done: flight.Close})
	flight.Share(&Object{Status: 200}, stream)
	// All join before one of them reads: whoever reads the body to its end closes the flight.
	var followers [4]*Flight
	for i := range followers {
		if followers[i], leader = c.Join([]byte("k")); leader {
			t.Fatal("two leaders")
		}
	}
	var wg sync.WaitGroup
	for _, f := range followers {
		wg.Go(func() {
			_, s, err := f.Wait(context.Background())
			if s == nil || err != nil {
				t.Errorf("nothing shared: %v", err)
				return
			}
			r := s.NewReader()
			defer r.Close()
			if got, err := io.ReadAll(r); !bytes.Equal(got, body) || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	_, _ = io.ReadFull(first, make([]byte, 100))
	late := stream.NewReader()
	if late == nil {
		t.Fatal("a late reader gets nothing")
	}
	first.Close()
	wg.Wait()
	late.Close()
	if _, leader := c.Join([]byte("k")); !leader {
		t.Error("the flight is still open")
	}
}

func TestLastReaderLeaves(t *testing.T) {
	src := &source{Reader: strings.NewReader("hello")}
	stored := false
	stream, r := New(40).NewStream(src, StreamOptions{Length: 5, Keep: true, Complete: func([]byte, *File) { stored = true }})
	_, _ = r.Read(make([]byte, 2))
	r.Close()
	r.Close()
	if !src.closed || stored {
		t.Errorf("closed %v, stored %v", src.closed, stored)
	}
	if stream.NewReader() != nil {
		t.Error("an abandoned stream has a new reader")
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("read after close: %v", err)
	}
}

func TestWaitEnds(t *testing.T) {
	c := New(1)
	flight, _ := c.Join([]byte("k"))
	other, _ := c.Join([]byte("k"))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := other.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	flight.Release()
	flight.Release()
	if _, r, err := other.Wait(context.Background()); r != nil || err != nil {
		t.Errorf("%v %v", r, err)
	}
}
