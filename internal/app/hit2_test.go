package app

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http2"
)

// overHTTP2 is what a client sends that makes a request of HTTP/1.1 count times over HTTP/2, with all the window it can give.
func overHTTP2(request string, count int) string {
	var out, block bytes.Buffer
	frame := func(kind, flags byte, id uint32, p []byte) {
		var head [9]byte
		binary.BigEndian.PutUint32(head[:], uint32(len(p))<<8|uint32(kind))
		head[4] = flags
		binary.BigEndian.PutUint32(head[5:], id)
		out.Write(head[:])
		out.Write(p)
	}
	out.WriteString(http2.Preface)
	frame(4, 0, 0, []byte("\x00\x04\x7f\xff\xff\xff"))
	frame(8, 0, 0, []byte("\x7f\xfe\xff\xff"))
	lines := strings.Split(strings.TrimSuffix(request, "\r\n\r\n"), "\r\n")
	method, target, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
	enc := hpack.NewEncoder(&block)
	for i := range count {
		block.Reset()
		add := func(name, value string) { _ = enc.WriteField(hpack.HeaderField{Name: name, Value: value}) }
		add(":method", method)
		add(":scheme", "http")
		add(":authority", strings.TrimPrefix(lines[1], "Host: "))
		add(":path", target)
		for _, line := range lines[2:] {
			if name, value, _ := strings.Cut(line, ": "); name != "Connection" {
				add(strings.ToLower(name), value)
			}
		}
		frame(1, 5, uint32(2*i+1), block.Bytes())
	}
	return out.String()
}

// TestHitAllocatesNothingOverHTTP2 is TestHitAllocatesNothing for HTTP/2.
func TestHitAllocatesNothingOverHTTP2(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const count, behaviors = 4000, 75
	for _, size := range []int{1 << 10, 64 << 10} {
		n := hitNode(t, behaviors, size)
		l := serveReplays(t, n)
		for name, request := range hitRequests(n.hostOf("Site"), behaviors) {
			if strings.HasPrefix(request, "HEAD") {
				l.run("GET"+request[4:], 1)
			}
			l.run(request, 1) // stores the object
			all := overHTTP2(request, count)
			l.run(overHTTP2(request, 10), 1)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := l.run(all, 1)
			runtime.ReadMemStats(&after)
			if !strings.HasPrefix(request, "HEAD") && r.written < count*size {
				t.Fatalf("%s: %d bytes, want %d at least: %.3000q", name, r.written, count*size, r.answer)
			}
			if per := float64(after.Mallocs-before.Mallocs) / count; per > 0.2 { // the connection itself costs some
				t.Errorf("%s, %d bytes: %.2f allocations a hit, want 0", name, size, per)
			}
		}
	}
}

// BenchmarkHitHTTP2 is BenchmarkHit for HTTP/2.
func BenchmarkHitHTTP2(b *testing.B) {
	const behaviors = 75
	n := hitNode(b, behaviors, 1<<10)
	l := serveReplays(b, n)
	for name, request := range hitRequests(n.hostOf("Site"), behaviors) {
		l.run(request, 1)
		b.Run(name, func(b *testing.B) {
			all := overHTTP2(request, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			l.run(all, 1)
		})
	}
}
