package front

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// ready is a body in memory.
type ready struct{ *strings.Reader }

func (r ready) Buffered() int { return r.Len() }
func (r ready) Close() error  { return nil }

func TestHotPathDoesNotAllocate(t *testing.T) {
	body := ready{strings.NewReader("hello")}
	resp := &message.Response{Status: 200, Body: body, ContentLength: 5}
	b := NewBuilder(1)
	must(t, b.Name("*.cloudfront.net", Site{Service: "x", Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return resp })}))
	f := New(Options{API: echo("api"), Explain: func(context.Context, Explained) string { return "" }})
	f.Swap(b.Build())
	v := &visit{conn: &conn{f: f}, single: true, connected: "d1.cloudfront.net"}
	r := &message.Request{Method: "GET", Scheme: "https", Path: "/", Header: message.Header{{Name: "Accept", Value: "*/*"}}}
	if n := testing.AllocsPerRun(100, func() { r.Host = "d1.cloudfront.net"; f.serve(context.Background(), v, r) }); n != 0 {
		t.Errorf("in memory: %v allocations", n)
	}
	stream := io.NopCloser(strings.NewReader("hello"))
	if n := testing.AllocsPerRun(100, func() {
		resp.Body = stream
		r.Host = "d1.cloudfront.net"
		f.serve(context.Background(), v, r).Body.Close()
	}); n != 0 {
		t.Errorf("a stream: %v allocations", n)
	}
	if n := v.conn.active.Load(); n != 0 {
		t.Errorf("%d requests never ended", n)
	}
}

// drained waits for a Snapshot to be released.
func drained(t *testing.T, s *Snapshot) {
	t.Helper()
	select {
	case <-s.Drained():
	case <-time.After(5 * time.Second):
		t.Fatal("the snapshot was never released")
	}
}

func BenchmarkServe(b *testing.B) {
	resp := &message.Response{Status: 200, Body: ready{strings.NewReader("hello")}, ContentLength: 5}
	f := New(Options{API: echo("api"), Explain: func(context.Context, Explained) string { return "" }})
	nb := NewBuilder(1)
	must(b, nb.Name("*.cloudfront.net", Site{Service: "x", Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return resp })}))
	f.Swap(nb.Build())
	v := &visit{conn: &conn{f: f}, single: true}
	r := &message.Request{Method: "GET", Scheme: "https", Path: "/", Header: message.Header{{Name: "Accept", Value: "*/*"}}}
	for b.Loop() {
		r.Host = "d1.cloudfront.net"
		f.serve(context.Background(), v, r)
	}
}
