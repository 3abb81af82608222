package cache

import (
	"bytes"
	"fmt"
	"testing"
)

// FuzzJoinParts holds parts of one body to that body.
func FuzzJoinParts(f *testing.F) {
	f.Add([]byte{0, 5, 5, 5, 20, 9, 0, 40}, uint8(200))
	f.Add([]byte{9, 9, 0, 1, 1, 1, 2, 1, 3, 1, 250, 5}, uint8(20))
	whole := make([]byte, 300)
	for i := range whole {
		whole[i] = byte(i ^ i>>3)
	}
	f.Fuzz(func(t *testing.T, ops []byte, limit uint8) {
		c := &Cache{limit: int64(limit)}
		var parts []Part
		known := map[int64]bool{}
		for ; len(ops) >= 2; ops = ops[2:] {
			from, n := int64(ops[0]), int64(ops[1]%45)
			if n == 0 || n > c.limit {
				continue
			}
			p := Part{from, bytes.Clone(whole[from : from+n])}
			parts = c.fit(c.join(parts, p), p)
			for i := from; i < from+n; i++ {
				known[i] = true
			}
			end, size := int64(-1), int64(0)
			o := Object{Parts: parts, Length: 300}
			for _, q := range parts {
				if q.First < end || !bytes.Equal(q.Body, whole[q.First:q.End()]) || len(q.Body) == 0 {
					t.Fatalf("%+v", parts)
				}
				end, size = q.End(), size+int64(len(q.Body))
			}
			if size > c.limit {
				t.Fatalf("%d bytes", size)
			}
			if got := bytes.Join(o.Piece(from, n), nil); int64(len(known)) <= c.limit && !bytes.Equal(got, p.Body) {
				t.Fatalf("%d of the newest: %q", from, got)
			}
			for first := int64(0); first < 300; first += 7 {
				for _, n := range []int64{1, 8, 100} {
					pieces := o.Piece(first, min(n, 300-first))
					if got := bytes.Join(pieces, nil); pieces != nil && !bytes.Equal(got, whole[first:min(first+n, 300)]) {
						t.Fatalf("%d bytes from %d: %q", n, first, got)
					}
					for i := first; pieces != nil && i < min(first+n, 300); i++ {
						if !known[i] {
							t.Fatalf("byte %d was never there", i)
						}
					}
				}
			}
		}
	})
}

// The parts of an object count, and keep to the limit of a body, however many come.
func TestPartsWithinBudget(t *testing.T) {
	c := New(1 << 20)
	for i := range 3000 {
		o := testObject(fmt.Sprintf("/%d", i%3))
		o.Length = 1 << 40
		c.AdmitPart([]byte(o.Target), o, Part{First: int64(i) * 3000, Body: make([]byte, 2000+i%1000)})
		if c.Used() > 1<<20 {
			t.Fatalf("%d bytes", c.Used())
		}
		held := int64(0)
		for s := range c.shards {
			for _, e := range c.shards[s].entries {
				for _, p := range e.object.Parts {
					held += int64(cap(p.Body))
				}
			}
		}
		if held > c.Used() {
			t.Fatalf("%d bytes held, %d counted", held, c.Used())
		}
	}
	if c.Len() == 0 {
		t.Error("nothing is held")
	}
	for i := range 3 * maxParts { // one byte each
		o := testObject("/tiny")
		o.Length = 1 << 40
		c.AdmitPart([]byte("tiny"), o, Part{First: int64(i) * 2, Body: []byte("x")})
	}
	if o := c.Lookup([]byte("tiny")); o == nil || len(o.Parts) > maxParts || o.Piece(6*maxParts-2, 1) == nil || o.Piece(0, 1) != nil {
		t.Error("the parts that are farthest away are not those that go")
	}
}

// Parts from before an invalidation do not get into an object that was fetched after it began, though its sweep is not there yet.
func TestPartsOfAnInvalidationUnderWay(t *testing.T) {
	c := New(1 << 20)
	part := func() *Object {
		o := testObject("/a")
		o.ETag, o.Length, o.Epoch = `"1"`, 10, c.Epoch()
		return o
	}
	c.AdmitPart([]byte("a"), part(), Part{0, []byte("01234")})
	c.invalid.add(newMatcher(part().Distribution, []string{"/*"}))
	if whole := c.AdmitPart([]byte("a"), part(), Part{5, []byte("56789")}); whole != nil {
		t.Errorf("the whole is %q", whole)
	}
	if o := c.Lookup([]byte("a")); o == nil || o.Piece(5, 5) == nil || o.Piece(0, 5) != nil {
		t.Errorf("held: %+v", o)
	}
}
