package http3

import (
	"errors"
	"fmt"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
)

// heard is a stream that notes its priority.
type heard struct{ last string }

func (h *heard) SetPriority(urgency int8, incremental bool) {
	h.last = fmt.Sprint(urgency, incremental)
}

// TestPriorityUpdate: the frame counts more than the field of the request, whenever it comes, and means nothing once the stream is
// over.
func TestPriorityUpdate(t *testing.T) {
	var p priorities
	next := quic.StreamID(0)
	update := func(id uint64, field string) error {
		return p.update(append(quicvarint.Append(nil, id), field...), next)
	}
	begin := func(id quic.StreamID, field string) *heard {
		s := new(heard)
		p.begin(id, s)
		p.set(id, field)
		next = max(next, id+4)
		return s
	}
	expect := func(what string, s *heard, want string) {
		t.Helper()
		if s.last != want {
			t.Errorf("%s: got %q, want %q", what, s.last, want)
		}
	}
	silent, urgent := begin(0, ""), begin(4, "u=1")
	expect("nothing said", silent, "")
	expect("the field", urgent, "1 false")
	_ = update(0, "u=6, i")
	expect("an update while open", silent, "6 true")
	p.set(0, "u=2")
	expect("a field behind the update", silent, "6 true")
	_ = update(4, "")
	expect("an update that says nothing: the defaults", urgent, "3 false")
	_ = update(8, "u=0")
	_ = update(8, "u=5")
	expect("updates before the stream", begin(8, "u=7"), "5 false")
	p.end(4)
	if err := update(4, "u=1"); err != nil || p.updated[4].Said {
		t.Errorf("of a stream that is over, %v is kept, %v", p.updated[4], err)
	}
	for id := uint64(100); id < 200; id += 4 {
		_ = update(id, "u=1")
	}
	if len(p.early) != mostEarly || len(p.updated) != mostEarly+2 {
		t.Errorf("%d streams to come are kept, %d in all", len(p.early), len(p.updated))
	}
	expect("the newest", begin(196, ""), "1 false")
	for _, id := range []uint64{1, 2, 3} {
		var f *fault
		if err := update(id, "u=1"); !errors.As(err, &f) || f.code != idError {
			t.Errorf("stream %d: %v", id, err)
		}
	}
	if err := p.update(nil, 0); err == nil {
		t.Error("a frame without an identifier passes")
	}
}
