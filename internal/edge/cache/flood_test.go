package cache

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// Whatever comes, small or with large heads or bodies, under keys that are all different, what is counted stays within the budget,
// and the heap within one and a half times of it.
func TestMemoryUnderAFlood(t *testing.T) {
	const budget = 16 << 20
	for name, one := range map[string]func(i int) *Object{
		"large heads": func(i int) *Object {
			head := fmt.Sprintf("Content-Type: text/plain\r\nX-Filler: %s%d\r\n", strings.Repeat("x", 28_000), i)
			return &Object{Head: message.MakeLines(head, 26, true), Body: make([]byte, 10)}
		},
		"large bodies": func(int) *Object {
			return &Object{Head: message.MakeLines("Content-Type: text/plain\r\n", 26, true), Body: make([]byte, 900_000)}
		},
		"tiny": func(int) *Object {
			return &Object{Head: message.MakeLines("Content-Type: text/plain\r\n", 26, true), Body: []byte("x")}
		},
		"parts": func(i int) *Object {
			return &Object{Head: message.MakeLines("Content-Type: text/plain\r\n", 26, true), ETag: `"1"`, Length: 1 << 40, Parts: []Part{{int64(i) * 100_000, make([]byte, 60_000)}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := New(budget)
			before := heap()
			for i := range map[string]int{"large heads": 3000, "large bodies": 500, "tiny": 40_000, "parts": 3000}[name] {
				o := one(i)
				o.Distribution, o.Target = "E1", fmt.Sprintf("/%07d", i)
				if o.Parts != nil {
					o.Target = fmt.Sprintf("/%d", i%50)
					part := o.Parts[0]
					o.Parts = nil
					c.AdmitPart([]byte(o.Target), o, part)
				} else {
					c.Admit([]byte(o.Target), o)
				}
				if i%3 == 0 {
					c.Lookup([]byte(o.Target))
				}
				if c.Used() > budget {
					t.Fatalf("%d bytes are counted", c.Used())
				}
			}
			if grown := heap() - before; grown > budget*3/2 {
				t.Errorf("%d bytes of heap, of a budget of %d", grown, budget)
			}
			if c.Used() < budget/3 {
				t.Errorf("only %d bytes are held", c.Used())
			}
			runtime.KeepAlive(c)
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
