package cache

import (
	"container/list"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// lru is the policy that a scan defeats, for comparison.
type lru struct {
	most  int
	order list.List
	at    map[int]*list.Element
}

func (l *lru) ask(k int) bool {
	if e := l.at[k]; e != nil {
		l.order.MoveToFront(e)
		return true
	}
	l.at[k] = l.order.PushFront(k)
	if l.order.Len() > l.most {
		back := l.order.Back()
		delete(l.at, back.Value.(int))
		l.order.Remove(back)
	}
	return false
}

// trace is what viewers ask for: popular things by Zipf's law, and a crawler that goes once through everything, in between.
func trace(n int, ask func(k int, crawler bool)) {
	r := rand.New(rand.NewPCG(11, 13))
	z := rand.NewZipf(r, 1.05, 1, 20_000)
	scan := 0
	for i := range n {
		ask(int(z.Uint64()), false)
		if i/(n/10)%2 == 1 { // the crawler comes in waves, twice as busy as the viewers
			for range 2 {
				scan++
				ask(1_000_000+scan, true)
			}
		}
	}
}

// A crawler costs the viewers little of their hits: less than it costs them with LRU.
func TestScanResistance(t *testing.T) {
	const objects, requests = 1000, 200_000
	o := &Object{Body: make([]byte, 1000)}
	ours := func(crawlers bool) float64 {
		c := New(objects * o.size(6))
		hits, asked := 0, 0
		trace(requests, func(k int, crawler bool) {
			if crawler && !crawlers {
				return
			}
			key := fmt.Appendf(nil, "%06d", k)
			hit := c.Lookup(key) != nil
			if !hit {
				c.Admit(key, o)
			}
			if !crawler {
				asked++
				if hit {
					hits++
				}
			}
		})
		return float64(hits) / float64(asked)
	}
	theirs := func() float64 {
		l := &lru{most: objects, at: map[int]*list.Element{}}
		hits, asked := 0, 0
		trace(requests, func(k int, crawler bool) {
			hit := l.ask(k)
			if !crawler {
				asked++
				if hit {
					hits++
				}
			}
		})
		return float64(hits) / float64(asked)
	}
	alone, scanned, other := ours(false), ours(true), theirs()
	t.Logf("hit ratio %.3f without a crawler, %.3f with one; LRU %.3f", alone, scanned, other)
	if scanned < alone-0.02 || scanned < other+0.05 {
		t.Errorf("hit ratio %.3f without a crawler, %.3f with one; LRU %.3f", alone, scanned, other)
	}
}

// The budget is in bytes of memory: what is counted is what the objects take.
func TestMemoryPerObject(t *testing.T) {
	const n = 50_000
	c := New(1 << 30)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range n {
		head := fmt.Sprintf("Content-Type: text/plain\r\nDate: Sun, 22 Nov 2026 06:14:38 GMT\r\nETag: \"%08d\"\r\nCache-Control: max-age=3600\r\n", i)
		target := fmt.Sprintf("/images/%d.jpg", i)
		c.Admit(fmt.Appendf(nil, "GE2EXAMPLE....%s........................", target), &Object{
			Distribution: "E2EXAMPLE", Target: target, Status: 200, Head: message.MakeLines(head, 26, true), Body: make([]byte, 200),
		})
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap, counted := int64(after.HeapAlloc-before.HeapAlloc), c.Used()
	t.Logf("%d bytes of heap an object, %d counted; overhead %d", heap/n, counted/n, overhead)
	if heap > counted*11/10 || heap < counted*8/10 {
		t.Errorf("%d bytes of heap an object, %d counted", heap/n, counted/n)
	}
	if most := int64(1100); heap/n > most {
		t.Errorf("%d bytes for an object of 350, more than %d", heap/n, most)
	}
	runtime.KeepAlive(c)
}
