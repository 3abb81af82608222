package app

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http2"
)

// overHTTP2 is what a client sends that makes a request of HTTP/1.1 over HTTP/2, few times in each batch, with all the window
// that it can give.
func overHTTP2(request string, batches, few int) (all []string) {
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
	for i := range batches * few {
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
		if (i+1)%few == 0 {
			all = append(all, out.String())
			out.Reset()
		}
	}
	return all
}

// patient is a replay of HTTP/2 whose client has no more than few requests under way.
type patient struct {
	replay
	mu      sync.Mutex
	change  sync.Cond
	head    []byte // of a frame that is being written
	skip    int    // of its payload
	ends    int    // streams whose answer is whole
	refused bool   // a stream was reset
	asked   int
	batches []string
	batch   int // requests in each
}

func (p *patient) Read(b []byte) (int, error) {
	p.mu.Lock()
	for p.ends < p.asked && !p.refused {
		p.change.Wait()
	}
	over := p.refused || len(p.batches) == 0
	p.mu.Unlock()
	if over {
		return 0, io.EOF
	}
	n := copy(b, p.batches[0])
	if p.batches[0] = p.batches[0][n:]; p.batches[0] == "" {
		p.batches = p.batches[1:]
		p.asked += p.batch
	}
	return n, nil
}

func (p *patient) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.written += len(b)
	for rest := b; len(rest) > 0; {
		if p.skip > 0 {
			n := min(p.skip, len(rest))
			p.skip -= n
			rest = rest[n:]
			continue
		}
		n := min(9-len(p.head), len(rest))
		p.head = append(p.head, rest[:n]...)
		if rest = rest[n:]; len(p.head) < 9 {
			break
		}
		p.skip = int(p.head[0])<<16 | int(p.head[1])<<8 | int(p.head[2])
		p.refused = p.refused || p.head[3] == 3
		if p.head[3] <= 1 && p.head[4]&1 != 0 { // HEADERS or DATA with END_STREAM
			p.ends++
		}
		p.head = p.head[:0]
	}
	p.change.Broadcast()
	return len(b), nil
}

// newPatient makes a client that sends a request batches times, few at a time.
func newPatient(request string, batches int) *patient {
	const few = 40
	p := &patient{replay: replay{over: make(chan struct{})}, batch: few, head: make([]byte, 0, 9)}
	p.change.L = &p.mu
	p.batches = overHTTP2(request, batches, few)
	return p
}

func (l *replays) runHTTP2(p *patient) *patient {
	l.conns <- p
	<-p.over
	return p
}

// TestHitAllocatesNothingOverHTTP2 is TestHitAllocatesNothing for HTTP/2.
func TestHitAllocatesNothingOverHTTP2(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const batches, behaviors = 100, 75
	for _, size := range []int{1 << 10, 64 << 10} {
		n := hitNode(t, behaviors, size)
		l := serveReplays(t, n)
		for name, request := range hitRequests(n.hostOf("Site"), behaviors) {
			if strings.HasPrefix(request, "HEAD") {
				l.run("GET"+request[4:], 1)
			}
			l.run(request, 1) // stores the object
			warm, r := l.runHTTP2(newPatient(request, 1)), newPatient(request, batches)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			l.runHTTP2(r)
			runtime.ReadMemStats(&after)
			count := r.ends
			if count != batches*warm.ends {
				t.Fatalf("%s: %d answers", name, count)
			}
			if !strings.HasPrefix(request, "HEAD") && r.written < count*size {
				t.Fatalf("%s: %d bytes, want %d at least", name, r.written, count*size)
			}
			if per := float64(after.Mallocs-before.Mallocs) / float64(count); per > 0.2 { // the connection itself costs some
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
			p := newPatient(request, b.N/40+1)
			b.ReportAllocs()
			b.ResetTimer()
			l.runHTTP2(p)
		})
	}
}
