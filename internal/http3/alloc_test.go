package http3

import (
	"context"
	"io"
	"testing"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// TestShared: fields that many answers share arrive in their place.
func TestShared(t *testing.T) {
	lines := func(fields ...message.Field) *message.Lines {
		l, err := http1.NewLines(fields)
		must(t, err)
		return l
	}
	before := [2]*message.Lines{lines(message.Field{Name: "Content-Type", Value: "text/plain"}, message.Field{Name: "Date", Value: "then"}), lines(message.Field{Name: "X-Cache", Value: "Hit"})}
	after := lines(message.Field{Name: "X-After", Value: "1"})
	section := appendHead(nil, &message.Response{Status: 200, Before: before, Header: message.Header{{Name: "X-Own", Value: "o"}}, After: after}, 3)
	fields, ok := decodeAll(section[headSize:])
	if !ok {
		t.Fatalf("%x", section)
	}
	got := ""
	for _, f := range fields {
		got += f.Name + "=" + f.Value + " "
	}
	if want := ":status=200 content-type=text/plain date=then x-cache=Hit x-own=o x-after=1 content-length=3 "; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHeadAllocations: what the engine adds to quic-go's own work allocates nothing for a head but its text, and nothing for
// an answer.
func TestHeadAllocations(t *testing.T) {
	p := section(":method", "GET", ":scheme", "https", ":authority", "h.example", ":path", "/a/b?c", "user-agent", "test", "accept", "*/*")
	x := &exchange{}
	o := Options{}
	o.setDefaults()
	if n := testing.AllocsPerRun(100, func() {
		x.head.Reset(head.Request, o.rules())
		if !x.decoder.decode(p, &x.head) || x.head.Finish(false) != nil || x.head.Bad != "" {
			t.Fatal(x.head.Bad)
		}
	}); n > 1 {
		t.Errorf("%v allocations for a head", n)
	}
	resp := &message.Response{Status: 200, Header: message.Header{{Name: "Content-Type", Value: "text/html; charset=utf-8"}, {Name: "Date", Value: "d"}, {Name: "X-Amz-Cf-Id", Value: "abc"}}}
	buf := make([]byte, 0, bufferSize)
	if n := testing.AllocsPerRun(100, func() { buf = appendHead(buf[:0], resp, 1024) }); n > 0 {
		t.Errorf("%v allocations for an answer", n)
	}
}

func BenchmarkGet(b *testing.B) {
	body := make([]byte, 1024)
	s := serve(b, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		r.Room.Body.Set(body)
		return &message.Response{Status: 200, Header: message.Header{{Name: "Content-Type", Value: "text/plain"}}, Body: &r.Room.Body, ContentLength: int64(len(body))}
	})})
	c := &rawConn{s.dial(b)}
	p := getSection("/")
	b.ReportAllocs()
	for b.Loop() {
		if n, err := io.Copy(io.Discard, c.request(b, p)); err != nil || n < 1024 {
			b.Fatal(n, err)
		}
	}
}
