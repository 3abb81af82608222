package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 frame by frame.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/message"
)

// TestTimeouts has clients that fall silent in one way or another.
func TestTimeouts(t *testing.T) {
	const short = 4 * time.Second
	only := func(set func(o *Options)) Options {
		o := Options{IdleTimeout: -1, HeadTimeout: -1, WriteTimeout: -1, BodyTimeout: -1, PingTimeout: -1}
		set(&o)
		return o
	}
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
		name   string
		o      Options
		send   func(r *raw)
		want   string
		within time.Duration
	}{
		{"idle", only(func(o *Options) { o.IdleTimeout = short }), func(*raw) {}, "GOAWAY NO_ERROR, EOF", short + short/4},
		{"block without end", only(func(o *Options) { o.HeadTimeout = short }), func(r *raw) {
			_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
		}, "GOAWAY NO_ERROR, EOF", short + short/4},
		{"no window", only(func(o *Options) { o.WriteTimeout = short }), func(r *raw) { r.open(1, true, get()...) }, "RST 1 CANCEL", short + short/4},
		{"no window of the stream", only(func(o *Options) { o.WriteTimeout = short }), func(r *raw) {
			_ = r.WriteWindowUpdate(0, 1<<20)
			r.open(1, true, get()...)
		}, "RST 1 CANCEL", short + short/4},
		{"a byte at a time", only(func(o *Options) { o.WriteTimeout = short }), func(r *raw) {
			_ = r.WriteWindowUpdate(0, 1<<20)
			r.open(1, true, get()...)
			drip := time.NewTicker(short / 8)
			go func() {
				defer drip.Stop()
				for r.WriteWindowUpdate(1, 1) == nil {
					select {
					case <-drip.C:
					case <-r.done:
						return
					}
				}
			}()
		}, "RST 1 CANCEL", short + short/4},
		{"no reading", only(func(o *Options) { o.WriteTimeout = short }), func(r *raw) {
			_ = r.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
			_ = r.WriteWindowUpdate(0, 1<<20)
			r.open(1, true, get()...)
			<-r.done // the write fails
		}, "EOF", short + short/2},
		{"no body", only(func(o *Options) { o.BodyTimeout = short }), func(r *raw) { r.open(1, false, post()...) }, "RST 1 CANCEL", short + short/4},
		{"no sign of life", only(func(o *Options) { o.PingTimeout = short }), wait, "PING, EOF", 2*short + short/4},
	}
	for _, tt := range tests {
		t.Run(tt.name, bubble(func(t *testing.T) {
			tt.o.Handler = h
			begun := time.Now()
			r := newRaw(t, tt.o).hello()
			tt.send(r)
			got := strings.Join(r.until(func(w string) bool { return strings.HasPrefix(w, "RST") }), ", ")
			if took := time.Since(begun); !strings.Contains(got, tt.want) || took < short || took > tt.within {
				t.Errorf("got %q after %v, want %q within %v", got, took, tt.want, tt.within)
			}
			r.nc.Close()
		}))
	}
}

// TestDrainOnTheWire looks at the steps of the drain (rfc9113 6.8).
func TestDrainOnTheWire(t *testing.T) { synctest.Test(t, testDrainOnTheWire) }

func testDrainOnTheWire(t *testing.T) {
	drain, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		message.Waiting(ctx)
		<-release
		return message.Text(200, "", "ok")
	})
	begun := time.Now()
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
	got = append(got, r.until(func(w string) bool { return w == "PING" })...)
	_ = r.WritePing(true, [8]byte([]byte(partPing)))
	got = append(got, r.until(func(string) bool { return false })...)
	s := strings.Join(got, ", ")
	if !strings.HasPrefix(s, "GOAWAY NO_ERROR, PING, GOAWAY NO_ERROR, HEADERS") || !strings.HasSuffix(s, ", PING, EOF") ||
		!strings.Contains(s, "DATA 1 2 end") || !strings.Contains(s, "DATA 3 2 end") || strings.Contains(s, " 5 ") {
		t.Errorf("got %s", s)
	}
	<-r.done
	if took := time.Since(begun); took != 0 {
		t.Errorf("it took %v, where nothing has to be waited for", took)
	}
}

// TestDrainOfTheSilent drains a connection whose client answers no PING.
func TestDrainOfTheSilent(t *testing.T) { synctest.Test(t, testDrainOfTheSilent) }

func testDrainOfTheSilent(t *testing.T) {
	drain, cancel := context.WithCancel(context.Background())
	r := newRaw(t, Options{Handler: hello200(), Drain: drain}).hello()
	r.open(1, true, get()...)
	got := r.until(func(w string) bool { return strings.HasSuffix(w, "end") })
	begun := time.Now()
	cancel()
	got = append(got, r.until(func(string) bool { return false })...)
	if want := "HEADERS 1 200, DATA 1 5 end, GOAWAY NO_ERROR, PING, GOAWAY NO_ERROR, PING, EOF"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
	r.nc.Close()
	<-r.done
	if took := time.Since(begun); took > 2*lingerTime {
		t.Errorf("it took %v", took)
	}
}

// TestSlowHandlers mixes handlers that wait for one another with quick ones, so that the lead changes hands.
func TestSlowHandlers(t *testing.T) {
	for name, says := range map[string]bool{"silently": false, "said": true} {
		t.Run(name, bubble(func(t *testing.T) { testSlowHandlers(t, says) }))
	}
}

func testSlowHandlers(t *testing.T, says bool) {
	const many = 10
	gate := make(chan struct{})
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		switch r.Path {
		case "/wait":
			if says {
				message.Waiting(ctx)
			}
			<-gate
		case "/open":
			close(gate)
		}
		return message.Text(200, "", r.Path)
	})
	begun := time.Now()
	r := newRaw(t, Options{Handler: h}).hello()
	id := uint32(1)
	ask := func(path string) {
		r.open(id, true, ":method: GET", ":scheme: http", ":authority: h", ":path: "+path)
		id += 2
	}
	for range 20 { // so that handlers are run by the leader
		ask("/quick")
		r.until(func(w string) bool { return strings.HasSuffix(w, "end") })
	}
	for range many {
		ask("/wait")
	}
	ask("/open")
	ends := 0
	r.until(func(w string) bool {
		if strings.HasSuffix(w, "end") {
			ends++
		}
		return ends == many+1
	})
	if took := time.Since(begun); says && took != 0 || took > 3*many*patience {
		t.Errorf("it took %v", took)
	}
}

// counted counts writes.
type counted struct {
	net.Conn
	writes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestShare: answers that are ready at the same moment leave together, also those of handlers which the leader had run until
// they said that they would wait.
func TestShare(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // with more, some may leave before others are ready
	synctest.Test(t, testShare)
}

func testShare(t *testing.T) {
	const many = 32
	gate := make(chan struct{})
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		message.Waiting(ctx)
		<-gate
		return message.Text(200, "", r.Path)
	})
	near, far := newPipe(64 << 10)
	nc := &counted{Conn: far}
	r := newRawOn(t, near, nc, Options{Handler: h}).hello()
	for id := range uint32(many) {
		r.open(2*id+1, true, get()...)
	}
	synctest.Wait()
	before := nc.writes.Load()
	close(gate)
	ends := 0
	r.until(func(w string) bool {
		if strings.HasSuffix(w, "end") {
			ends++
		}
		return ends == many
	})
	if n := nc.writes.Load() - before; n > many/4 {
		t.Errorf("%d answers left in %d writes", many, n)
	}
}

// TestIdle is the budget for a connection that has served a request and waits for the next: its memory but for the stack of
// its goroutine, and with some for the test's end of it.
func TestIdle(t *testing.T) {
	if racing {
		t.Skip("the race detector needs memory of its own")
	}
	for name, wrap := range map[string]func(net.Conn) net.Conn{
		"clear":     func(nc net.Conn) net.Conn { return nc },
		"encrypted": func(nc net.Conn) net.Conn { return &wrapped{nc} },
	} {
		t.Run(name, bubble(func(t *testing.T) { testIdle(t, wrap) }))
	}
}

// wrapped is a connection that has another underneath, as TLS has.
type wrapped struct{ net.Conn }

func (w *wrapped) NetConn() net.Conn { return w.Conn }

func testIdle(t *testing.T, wrap func(net.Conn) net.Conn) {
	const many, budget = 200, 8 << 10
	p := requests(1)
	answer := make([]byte, 64<<10)
	use := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		return message.Text(200, "text/plain", strings.Repeat("x", 20_000))
	})
	var clients []net.Conn
	before := use()
	for range many {
		near, far := newPipe(64 << 10)
		clients = append(clients, near)
		go ServeConn(context.Background(), wrap(far), Options{Handler: h, IdleTimeout: time.Hour, PingTimeout: -1})
		_, _ = near.Write(p)
		synctest.Wait()
		_, _ = near.Read(answer)
		near.in.data, near.out.data = nil, nil
	}
	time.Sleep(2 * time.Minute) // of the bubble
	synctest.Wait()
	if got := (use() - before) / many; got > budget {
		t.Errorf("an idle connection holds %d bytes, budget %d", got, budget)
	} else {
		t.Logf("%d bytes", got)
	}
	for _, nc := range clients {
		nc.Close()
	}
}

// TestReset ends a handler's context with its stream, and only that.
func TestReset(t *testing.T) { synctest.Test(t, testReset) }

func testReset(t *testing.T) {
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

// tidying is a body whose Close takes until it is told to end.
type tidying struct {
	io.Reader
	end <-chan struct{}
}

func (b tidying) Close() error { <-b.end; return nil }

// TestStreamsAreFreeOnceAnswered: a client that keeps to MaxStreams is not refused because the handler of an answered request still
// cleans up; one that resets what it has asked for is, as long as the handler works.
func TestStreamsAreFreeOnceAnswered(t *testing.T) { synctest.Test(t, testStreamsAreFreeOnceAnswered) }

func testStreamsAreFreeOnceAnswered(t *testing.T) {
	end := make(chan struct{})
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Path == "/works" {
			<-end
		}
		return &message.Response{Status: 200, Body: tidying{strings.NewReader("x"), end}, ContentLength: 1}
	})
	r := newRaw(t, Options{Handler: h, MaxStreams: 1}).hello()
	ask := func(id uint32, path string) {
		r.open(id, true, ":method: GET", ":scheme: http", ":authority: h", ":path: "+path)
	}
	for id := uint32(1); id <= 5; id += 2 {
		ask(id, "/")
		if got := r.until(func(w string) bool { return strings.HasSuffix(w, " end") || strings.HasPrefix(w, "RST") }); got[len(got)-1] != fmt.Sprintf("DATA %d 1 end", id) {
			t.Fatalf("request %d: %v", id, got)
		}
	}
	ask(7, "/works")
	_ = r.WriteRSTStream(7, http2.ErrCodeCancel)
	ask(9, "/")
	if got := r.until(func(w string) bool { return strings.Contains(w, " 9 ") }); got[len(got)-1] != "RST 9 REFUSED_STREAM" {
		t.Errorf("after a reset: %v", got)
	}
	close(end)
	r.nc.Close()
}

// TestClosedWithRequestsUnread has a connection break while requests stand in its buffer: streams that begin then must not
// wait for window that never comes.
func TestClosedWithRequestsUnread(t *testing.T) { synctest.Test(t, testClosedWithRequestsUnread) }

func testClosedWithRequestsUnread(t *testing.T) {
	p := requests(200)
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		return message.Text(200, "", strings.Repeat("x", 200_000))
	})
	ServeConn(t.Context(), &script{p: p, failWrites: true}, Options{Handler: h, MaxStreams: 1000})
}

// script is a connection that reads what it is given and forgets what is written.
type script struct {
	net.Conn
	p          []byte
	failWrites bool
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.p) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.p)
	s.p = s.p[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	if s.failWrites {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

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
		e := newEncoder()
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
