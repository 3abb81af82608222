package pool

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestSharedAndClosedOnce(t *testing.T) {
	var made, closed atomic.Int32
	p := New[string](Options[int]{Close: func(int) { closed.Add(1) }})
	create := func() (int, error) { return int(made.Add(1)), nil }
	a, err := p.Acquire("k", create)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := p.Acquire("k", create)
	if a.Value() != 1 || b.Value() != 1 {
		t.Fatalf("values %d and %d: made twice", a.Value(), b.Value())
	}
	a.Release()
	a.Release()
	if closed.Load() != 0 {
		t.Fatal("closed while held")
	}
	b.Release()
	if closed.Load() != 1 || p.Len() != 0 {
		t.Fatalf("closed %d times, %d left", closed.Load(), p.Len())
	}
	c, _ := p.Acquire("k", create)
	if c.Value() != 2 {
		t.Fatal("a closed resource came back")
	}
	c.Release()
}

func TestErrorIsSharedAndForgotten(t *testing.T) {
	p := New[string](Options[int]{})
	boom := errors.New("boom")
	if _, err := p.Acquire("k", func() (int, error) { return 0, boom }); !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
	r, err := p.Acquire("k", func() (int, error) { return 7, nil })
	if err != nil || r.Value() != 7 {
		t.Fatalf("got %v, %v", r, err)
	}
}

func TestPanicFreesWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New[string](Options[int]{})
		go func() {
			defer func() { _ = recover() }()
			p.Acquire("k", func() (int, error) { time.Sleep(time.Second); panic("no") })
		}()
		synctest.Wait()
		if _, err := p.Acquire("k", func() (int, error) { return 1, nil }); err == nil {
			t.Error("a waiter got a resource whose maker panicked")
		}
		if p.Len() != 0 {
			t.Error("the failed entry stayed")
		}
	})
}

func TestLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, closed int
		p := New[string](Options[int]{Linger: time.Minute, Close: func(int) { closed++ }})
		create := func() (int, error) { made++; return made, nil }
		get := func() *Ref[int] {
			r, err := p.Acquire("k", create)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		get().Release()
		time.Sleep(59 * time.Second)
		synctest.Wait()
		r := get()
		time.Sleep(time.Hour)
		synctest.Wait()
		if made != 1 || closed != 0 {
			t.Fatalf("made %d, closed %d: want it kept", made, closed)
		}
		r.Release()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if closed != 1 || p.Len() != 0 {
			t.Fatalf("closed %d, %d left", closed, p.Len())
		}
		get().Release()
		p.Close()
		if closed != 2 {
			t.Fatal("Close left what lingered")
		}
		if _, err := p.Acquire("k", create); !errors.Is(err, ErrClosed) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestNeverTwoAtOnce(t *testing.T) {
	var live atomic.Int32
	p := New[int](Options[int]{Close: func(int) { live.Add(-1) }})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				r, err := p.Acquire(1, func() (int, error) {
					if live.Add(1) != 1 {
						t.Error("two resources of one key at once")
					}
					return 0, nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				if live.Load() != 1 {
					t.Error("held, and not alive")
				}
				r.Release()
			}
		})
	}
	wg.Wait()
	if live.Load() != 0 || p.Len() != 0 {
		t.Errorf("%d alive, %d left", live.Load(), p.Len())
	}
}
