package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 frame by frame.

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/message"
)

// TestTimeouts has clients that fall silent in one way or another.
func TestTimeouts(t *testing.T) {
	const short = 40 * time.Millisecond
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		if r.Path == "/wait" {
			<-ctx.Done()
		}
		return message.Text(200, "", strings.Repeat("x", 100_000))
	})
	wait := func(r *raw) {
		r.open(1, true, ":method: GET", ":scheme: http", ":authority: h", ":path: /wait")
	}
	tests := []struct {
		name string
		o    Options
		send func(r *raw)
		want string
	}{
		{"idle", Options{IdleTimeout: short, WriteTimeout: -1, PingTimeout: -1}, func(*raw) {}, "GOAWAY NO_ERROR, EOF"},
		{"block without end", Options{IdleTimeout: short, WriteTimeout: -1, PingTimeout: -1}, func(r *raw) {
			_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
		}, "GOAWAY NO_ERROR, EOF"},
		{"no window", Options{WriteTimeout: short, IdleTimeout: -1, PingTimeout: -1}, func(r *raw) { r.open(1, true, get()...) }, "RST 1 CANCEL"},
		{"no body", Options{WriteTimeout: short, IdleTimeout: -1, PingTimeout: -1}, func(r *raw) { r.open(1, false, post()...) }, "RST 1 CANCEL"},
		{"no sign of life", Options{PingTimeout: short, IdleTimeout: -1, WriteTimeout: -1}, wait, "PING, EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.o.Handler = h
			r := newRaw(t, tt.o).hello()
			tt.send(r)
			got := strings.Join(r.until(func(w string) bool { return strings.HasPrefix(w, "RST") }), ", ")
			got = strings.Replace(got, "error read tcp", "EOF, error", 1) // the connection was cut
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// TestDrainOnTheWire looks at the two steps of the drain (rfc9113 6.8).
func TestDrainOnTheWire(t *testing.T) {
	drain, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		<-release
		return message.Text(200, "", "ok")
	})
	r := newRaw(t, Options{Handler: h, Drain: drain}).hello()
	r.open(1, true, get()...)
	_ = r.WritePing(false, [8]byte{})
	r.until(func(w string) bool { return w == "PING ack" })
	cancel()
	got := r.until(func(w string) bool { return w == "PING" })
	r.open(3, true, get()...) // was on its way
	_ = r.WritePing(true, [8]byte([]byte(drainPing)))
	got = append(got, r.until(func(w string) bool { return strings.HasPrefix(w, "GOAWAY") })...)
	r.open(5, true, get()...) // too late
	close(release)
	got = append(got, r.until(func(string) bool { return false })...)
	s := strings.Join(got, ", ")
	if !strings.HasPrefix(s, "GOAWAY NO_ERROR, PING, GOAWAY NO_ERROR, HEADERS") || !strings.HasSuffix(s, ", EOF") ||
		!strings.Contains(s, "DATA 1 2 end") || !strings.Contains(s, "DATA 3 2 end") || strings.Contains(s, " 5 ") {
		t.Errorf("got %s", s)
	}
}

// TestSlowHandlers mixes handlers that wait for one another with quick ones, so that the lead changes hands.
func TestSlowHandlers(t *testing.T) {
	gate := make(chan struct{})
	var inHand atomic.Int32
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		switch r.Path {
		case "/wait":
			inHand.Add(1)
			select {
			case <-gate:
			case <-ctx.Done():
			}
		case "/open":
			close(gate)
		}
		return message.Text(200, "", r.Path)
	})
	cc := dial(t, Options{Handler: h}, nil)
	for range 20 { // so that handlers are run by the leader
		if _, got, err := do(t, cc, "GET", "http://h/quick", nil); err != nil || got != "/quick" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	done := make(chan error, 10)
	for range cap(done) {
		go func() {
			_, _, err := do(t, cc, "GET", "http://h/wait", nil)
			done <- err
		}()
	}
	for int(inHand.Load()) < cap(done) {
		time.Sleep(time.Millisecond)
	}
	if _, got, err := do(t, cc, "GET", "http://h/open", nil); err != nil || got != "/open" {
		t.Fatalf("got %q, %v", got, err)
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// TestReset ends a handler's context with its stream, and only that.
func TestReset(t *testing.T) {
	ended := make(chan string, 2)
	started := make(chan struct{}, 2)
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		child, cancel := context.WithCancel(ctx)
		defer cancel()
		started <- struct{}{}
		<-child.Done()
		ended <- r.Path
		return nil
	})
	r := newRaw(t, Options{Handler: h}).hello()
	for i, path := range []string{"/a", "/b"} {
		r.open(uint32(2*i+1), true, ":method: GET", ":scheme: http", ":authority: h", ":path: "+path)
		<-started
	}
	_ = r.WriteRSTStream(3, http2.ErrCodeCancel)
	if got := <-ended; got != "/b" {
		t.Errorf("%s ended", got)
	}
	r.nc.Close()
	if got := <-ended; got != "/a" {
		t.Errorf("%s ended", got)
	}
}

// TestSoak has many clients reset, stall and vanish at random, and looks for what they leave behind.
func TestSoak(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("clients", func(t *testing.T) {
		var wg sync.WaitGroup
		defer wg.Wait()
		h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
			if r.Body != nil && r.Path != "/rude" {
				_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 50_000))
			}
			switch r.Path {
			case "/slow":
				select {
				case <-time.After(5 * time.Millisecond):
				case <-ctx.Done():
				}
			case "/broken":
				return &message.Response{Status: 200, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("abc"), broken{}))}
			}
			return message.Text(200, "text/plain", strings.Repeat("x", rand.IntN(200_000)))
		})
		paths := []string{"/", "/slow", "/broken", "/rude", "/quick"}
		for range 30 {
			r := newRaw(t, Options{Handler: h, WriteTimeout: 200 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}).hello()
			wg.Go(func() {
				if rand.IntN(3) > 0 {
					go func() { _, _ = io.Copy(io.Discard, r.nc) }()
				}
				for id := uint32(1); id < 400; id += 2 {
					body := rand.IntN(3) == 0
					r.open(id, !body, ":method: POST", ":scheme: http", ":authority: h", ":path: "+paths[rand.IntN(len(paths))])
					if body {
						_ = r.WriteData(id, rand.IntN(2) == 0, make([]byte, rand.IntN(3000)))
					}
					switch rand.IntN(6) {
					case 0:
						_ = r.WriteRSTStream(id, http2.ErrCodeCancel)
					case 1, 2:
						_ = r.WriteWindowUpdate(0, uint32(rand.IntN(100_000)+1))
						if id > 1 {
							_ = r.WriteWindowUpdate(id, uint32(rand.IntN(100_000)+1))
						}
					case 3:
						time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
					}
				}
				if rand.IntN(2) == 0 {
					r.nc.Close()
				}
				<-r.done
			})
		}
	})
	for range 200 {
		if runtime.NumGoroutine() <= before+2 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	buf := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
}

// script is a connection that reads what it is given and forgets what is written.
type script struct {
	net.Conn
	p []byte
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.p)
	s.p = s.p[n:]
	return n, nil
}

func (*script) Write(p []byte) (int, error)      { return len(p), nil }
func (*script) Close() error                     { return nil }
func (*script) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (*script) SetDeadline(time.Time) error      { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }

// repeated is an answer that can be given again and again.
type repeated struct {
	message.Response
	data string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, r.data[r.at:])
	if r.at += n; r.at == len(r.data) {
		return n, io.EOF
	}
	return n, nil
}

func (r *repeated) Close() error  { r.at = 0; return nil }
func (r *repeated) Buffered() int { return len(r.data) - r.at }

// requests is what a client sends for n requests.
func requests(n int) []byte {
	var b, block bytes.Buffer
	b.WriteString(Preface)
	fr := http2.NewFramer(&b, nil)
	_ = fr.WriteSettings()
	_ = fr.WriteWindowUpdate(0, 1<<30)
	enc := hpack.NewEncoder(&block)
	for i := range n {
		block.Reset()
		for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "d111111abcdef8.cloudfront.net"}, {":path", "/a?b=c"},
			{"user-agent", "Mozilla/5.0 (X11; Linux x86_64)"}, {"accept-encoding", "gzip, deflate, br"}, {"cookie", "session=0123456789abcdef"}} {
			_ = enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
		}
		_ = fr.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	}
	return b.Bytes()
}

func smallHit() message.Handler {
	r := &repeated{data: strings.Repeat("x", 1024)}
	r.Response = message.Response{Status: 200, ContentLength: 1024, Body: r, Header: message.Header{
		{Name: "Content-Type", Value: "text/plain"}, {Name: "Date", Value: "Sun, 22 Nov 2026 06:14:38 GMT"}, {Name: "X-Cache", Value: "Hit from cloudfront"},
		{Name: "Via", Value: "1.1 d111111abcdef8.cloudfront.net (CloudFront)"}, {Name: "X-Amz-Cf-Pop", Value: "FRA56-P1"},
	}}
	return message.HandlerFunc(func(context.Context, *message.Request) *message.Response { r.at = 0; return &r.Response })
}

// TestAllocations is the budget: nothing for a request that equals the one before it and is answered at once.
func TestAllocations(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	const n = 4000
	p := requests(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := newConn(t.Context(), &script{p: p}, Options{Handler: smallHit(), MaxHead: 32 << 10, MaxStreams: 128, Scheme: "http"})
	c.pace.need = 0
	c.serve()
	runtime.ReadMemStats(&after)
	if got := float64(after.Mallocs-before.Mallocs) / n; got > 0.1 { // the connection itself costs some
		t.Errorf("%.2f allocations a request, budget 0", got)
	}
}

func BenchmarkServe(b *testing.B) {
	for name, need := range map[string]int{"inline": 0, "goroutine": 1 << 30} {
		b.Run(name, func(b *testing.B) {
			p := requests(b.N)
			o := Options{Handler: smallHit(), MaxHead: 32 << 10, MaxStreams: 1 << 30, Scheme: "http"}
			if need > 0 {
				o.Handler = message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
					return message.Text(200, "text/plain", "x")
				})
			}
			b.ReportAllocs()
			b.ResetTimer()
			c := newConn(b.Context(), &script{p: p}, o)
			c.pace.need = need
			c.serve()
		})
	}
}

// FuzzServe gives bytes of a client to a connection: it must end, without a panic.
func FuzzServe(f *testing.F) {
	f.Add(requests(3)[len(Preface):])
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x03\x01\x05\x00\x00\x00\x01\x82\x84\x86"))
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x04\x01\x04\x00\x00\x00\x01\x83\x84\x86\x41\x00\x00\x03\x00\x01\x00\x00\x00\x01abc"))
	f.Fuzz(func(t *testing.T, p []byte) {
		h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
			if r.Path == "" || r.Host == "" || r.Method == "" {
				t.Errorf("took %+v", r)
			}
			for _, f := range r.Header {
				if strings.ContainsAny(f.Name+f.Value, "\r\n\x00") || f.Name == "" || strings.ToLower(f.Name) != f.Name {
					t.Errorf("took field %q: %q", f.Name, f.Value)
				}
			}
			if r.Body != nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			return message.Text(200, "", "hello")
		})
		ServeConn(t.Context(), &script{p: append([]byte(Preface), p...)}, Options{Handler: h})
	})
}

// FuzzEncoder has hpack's decoder read what the encoder writes.
func FuzzEncoder(f *testing.F) {
	f.Add("Content-Type\ntext/html\nX-Id\nabc\nContent-Type\ntext/html\nContent-Type\ntext/html", uint16(4096))
	f.Add("a\nb\na\nb\nSet-Cookie\nx\nSet-Cookie\nx\na\nb", uint16(40))
	f.Fuzz(func(t *testing.T, s string, limit uint16) {
		e := encoder{limit: tableSize}
		dec := hpack.NewDecoder(tableSize, nil)
		parts := strings.Split(s, "\n")
		for round := range 4 {
			if round == 2 {
				e.setLimit(0)
				e.setLimit(uint32(limit))
			}
			b := e.status(e.begin(nil), 200+round)
			n := 0
			for i := 0; i+1 < len(parts); i += 2 {
				b = e.field(b, parts[i], parts[i+1])
				n++
			}
			fields, err := dec.DecodeFull(b)
			if err != nil || len(fields) != n+1 {
				t.Fatalf("round %d: %x: %d fields, %v", round, b, len(fields), err)
			}
			for i, f := range fields[1:] {
				if f.Value != parts[2*i+1] || len(f.Name) != len(parts[2*i]) {
					t.Fatalf("got %v for %q", f, parts[2*i:2*i+2])
				}
			}
		}
	})
}
