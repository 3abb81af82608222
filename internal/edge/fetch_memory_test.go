package edge

import (
	"context"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// TestFetchMemory: the memory of a fetch is used again only when nobody has kept any of it, and then has nothing of the request
// before.
func TestFetchMemory(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "Managed-AllViewer")
	w, s := newWorld(testPlan(f, ttl))
	run := func(nested bool) (*exchange, *fetchMemory) {
		x := s.newExchange(context.Background(), s.Find("www.example.com"), get("/a", "Authorization", "secret", "X-B", "c"))
		x.nested = nested
		x.run(matchBehavior, responseHeaders)
		if x.res.status != 200 || x.res.header.Get("Content-Type") != "text/plain" {
			t.Fatalf("%d %v", x.res.status, x.res.header)
		}
		return x, x.reusable()
	}
	x, m := run(false)
	if m == nil || m != x.memory {
		t.Fatal("the memory of an answer in the room that was lent is thrown away")
	}
	if m.fetch.Request != nil || m.request.Header != nil || m.room.Response.Header != nil || m.returned {
		t.Errorf("it still has %+v", m)
	}
	for _, fields := range [...][]message.Field{m.fields[:cap(m.fields)], m.room.Fields[:]} {
		for _, field := range fields {
			if field != (message.Field{}) {
				t.Errorf("it still has %v", field)
			}
		}
	}
	if _, m = run(true); m != nil {
		t.Error("the memory of a nested run is used again, whose answer is not")
	}
	origin := w.origin
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		r.Room = nil // so that the answer is elsewhere
		return origin(r)
	}
	if _, m = run(false); m != nil {
		t.Error("memory is used again that may have been kept")
	}
}
