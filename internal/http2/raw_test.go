package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 frame by frame.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// raw is a client that sends what it is told.
type raw struct {
	t  testing.TB
	nc net.Conn
	*http2.Framer
	enc  *hpack.Encoder
	dec  *hpack.Decoder
	buf  bytes.Buffer
	done chan struct{}
}

// newRaw serves one connection in memory to a client that has sent the preface.
func newRaw(t testing.TB, o Options) *raw {
	t.Helper()
	near, far := newPipe(64 << 10)
	return newRawOn(t, near, far, o)
}

// newRawOn is newRaw for the two ends of a connection.
func newRawOn(t testing.TB, nc, far net.Conn, o Options) *raw {
	t.Helper()
	r := &raw{t: t, nc: nc, Framer: http2.NewFramer(nc, nc), done: make(chan struct{})}
	r.enc, r.dec = hpack.NewEncoder(&r.buf), hpack.NewDecoder(4096, nil)
	r.AllowIllegalReads, r.AllowIllegalWrites = true, true
	go func() { defer close(r.done); ServeConn(context.Background(), far, o) }()
	t.Cleanup(func() { nc.Close(); <-r.done })
	if _, err := io.WriteString(nc, Preface); err != nil {
		t.Fatal(err)
	}
	return r
}

// bubble runs a test whose time is not that of the clock.
func bubble(f func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// hello sends SETTINGS and acknowledges nothing.
func (r *raw) hello(s ...http2.Setting) *raw {
	_ = r.WriteSettings(s...)
	return r
}

// block encodes fields, given as "name: value" each.
func (r *raw) block(fields ...string) []byte {
	r.buf.Reset()
	for _, f := range fields {
		i := strings.Index(f[1:], ": ") + 1
		_ = r.enc.WriteField(hpack.HeaderField{Name: f[:i], Value: f[i+2:]})
	}
	return bytes.Clone(r.buf.Bytes())
}

func get(more ...string) []string {
	return append([]string{":method: GET", ":scheme: http", ":authority: h.example", ":path: /"}, more...)
}

func post(more ...string) []string {
	return append([]string{":method: POST", ":scheme: http", ":authority: h.example", ":path: /"}, more...)
}

func (r *raw) open(id uint32, end bool, fields ...string) {
	_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.block(fields...), EndStream: end, EndHeaders: true})
}

// until reads frames until stop says so or the connection ends, and tells in words what came.
func (r *raw) until(stop func(word string) bool) []string {
	var words []string
	for {
		f, err := r.ReadFrame()
		word := ""
		switch f := f.(type) {
		case nil:
			if err == io.EOF {
				return append(words, "EOF")
			}
			return append(words, fmt.Sprint("error ", err))
		case *http2.HeadersFrame:
			fields, err := r.dec.DecodeFull(f.HeaderBlockFragment())
			if err != nil || len(fields) == 0 {
				r.t.Fatalf("block %x: %v", f.HeaderBlockFragment(), err)
			}
			word = fmt.Sprintf("HEADERS %d %s", f.StreamID, fields[0].Value)
			if f.StreamEnded() {
				word += " end"
			}
		case *http2.DataFrame:
			if word = fmt.Sprintf("DATA %d %d", f.StreamID, len(f.Data())); f.StreamEnded() {
				word += " end"
			}
		case *http2.RSTStreamFrame:
			word = fmt.Sprintf("RST %d %v", f.StreamID, f.ErrCode)
		case *http2.GoAwayFrame:
			word = fmt.Sprintf("GOAWAY %v", f.ErrCode)
		case *http2.PingFrame:
			if word = "PING"; f.IsAck() {
				word = "PING ack"
			}
		default:
			continue
		}
		words = append(words, word)
		if stop(word) {
			return words
		}
	}
}

func hello200() message.Handler {
	return message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return message.Text(400, "", err.Error())
			}
		}
		return message.Text(200, "", "hello")
	})
}

// TestRules has a client break one rule of rfc9113 at a time. A stream error leaves the connection in use, which a request
// after it shows; a connection error ends in GOAWAY.
func TestRules(t *testing.T) {
	const fine = "HEADERS 101 200"
	field := func(fields ...string) func(r *raw) { return func(r *raw) { r.open(1, true, fields...) } }
	rawFrame := func(kind http2.FrameType, flags http2.Flags, id uint32, p string) func(r *raw) {
		return func(r *raw) { _ = r.WriteRawFrame(kind, flags, id, []byte(p)) }
	}
	body := func(then func(r *raw), fields ...string) func(r *raw) {
		return func(r *raw) { r.open(1, false, post(fields...)...); then(r) }
	}
	data := func(p string, end bool) func(r *raw) { return func(r *raw) { _ = r.WriteData(1, end, []byte(p)) } }
	tests := []struct {
		name string
		send func(r *raw)
		want string // a word that comes; "GOAWAY …" is also the end
	}{
		{"plain", field(get()...), "DATA 1 5 end"},
		{"no :path", field(":method: GET", ":scheme: http", ":authority: h"), "RST 1 PROTOCOL_ERROR"},
		{"no :method", field(":path: /", ":scheme: http", ":authority: h"), "RST 1 PROTOCOL_ERROR"},
		{"no :scheme", field(":path: /", ":method: GET", ":authority: h"), "RST 1 PROTOCOL_ERROR"},
		{"empty :path", field(":method: GET", ":path: ", ":scheme: http", ":authority: h"), "RST 1 PROTOCOL_ERROR"},
		{"repeated pseudo", field(get(":path: /")...), "RST 1 PROTOCOL_ERROR"},
		{"unknown pseudo", field(get(":protocol: websocket")...), "RST 1 PROTOCOL_ERROR"},
		{"response pseudo", field(get(":status: 200")...), "RST 1 PROTOCOL_ERROR"},
		{"pseudo after field", field("a: b", ":method: GET", ":scheme: http", ":authority: h", ":path: /"), "RST 1 PROTOCOL_ERROR"},
		{"capital", field(get("Aa: b")...), "RST 1 PROTOCOL_ERROR"},
		{"space in name", field(get("a b: c")...), "RST 1 PROTOCOL_ERROR"},
		{"line break in value", field(get("a: b\r\nc: d")...), "RST 1 PROTOCOL_ERROR"},
		{"NUL in value", field(get("a: b\x00")...), "RST 1 PROTOCOL_ERROR"},
		{"space before value", field(get("a:  b")...), "RST 1 PROTOCOL_ERROR"},
		{"line break in :path", field(":method: GET", ":scheme: http", ":authority: h", ":path: /\r\nx"), "RST 1 PROTOCOL_ERROR"},
		{"line break in :method", field(":method: GET / HTTP/1.1", ":scheme: http", ":authority: h", ":path: /"), "RST 1 PROTOCOL_ERROR"},
		{"connection", field(get("connection: close")...), "RST 1 PROTOCOL_ERROR"},
		{"transfer-encoding", field(get("transfer-encoding: chunked")...), "RST 1 PROTOCOL_ERROR"},
		{"upgrade", field(get("upgrade: h2c")...), "RST 1 PROTOCOL_ERROR"},
		{"keep-alive", field(get("keep-alive: 1")...), "RST 1 PROTOCOL_ERROR"},
		{"proxy-connection", field(get("proxy-connection: close")...), "RST 1 PROTOCOL_ERROR"},
		{"te", field(get("te: gzip")...), "RST 1 PROTOCOL_ERROR"},
		{"te trailers", field(get("te: trailers")...), "HEADERS 1 200"},
		{"no authority", field(":method: GET", ":scheme: http", ":path: /"), "HEADERS 1 400"},
		{"host only", field(":method: GET", ":scheme: http", ":path: /", "host: h"), "HEADERS 1 200"},
		{"host differs", field(get("host: other")...), "HEADERS 1 400"},
		{"two hosts", field(get("host: h.example", "host: h.example")...), "HEADERS 1 400"},
		{"user in authority", field(":method: GET", ":scheme: http", ":authority: u@h", ":path: /"), "HEADERS 1 400"},
		{"absolute path", field(":method: GET", ":scheme: http", ":authority: h", ":path: http://h/"), "HEADERS 1 400"},
		{"space in path", field(":method: GET", ":scheme: http", ":authority: h", ":path: /a b"), "HEADERS 1 400"},
		{"connect", field(":method: CONNECT", ":authority: h:443"), "HEADERS 1 400"},
		{"expect", field(get("expect: wonders")...), "HEADERS 1 417"},
		{"head too big", field(get("a: " + strings.Repeat("x", 5000))...), "HEADERS 1 431"},
		{"length without content", field(get("content-length: 1")...), "RST 1 PROTOCOL_ERROR"},
		{"two lengths", field(get("content-length: 0", "content-length: 0")...), "RST 1 PROTOCOL_ERROR"},
		{"signed length", field(get("content-length: +0")...), "RST 1 PROTOCOL_ERROR"},
		{"content over length", body(data("abc", false), "content-length: 2"), "RST 1 PROTOCOL_ERROR"},
		{"content under length", body(data("abc", true), "content-length: 4"), "RST 1 PROTOCOL_ERROR"},
		{"content of length", body(data("abc", true), "content-length: 3"), "HEADERS 1 200"},
		{"content for length 0", body(data("abc", true), "content-length: 0"), "RST 1"}, // perhaps after its answer
		{"trailer", body(func(r *raw) { data("abc", false)(r); r.open(1, true, "x: y") }), "HEADERS 1 200"},
		{"trailer without end", body(func(r *raw) { r.open(1, false, "x: y") }), "RST 1 PROTOCOL_ERROR"},
		{"pseudo in trailer", body(func(r *raw) { r.open(1, true, ":path: /") }), "RST 1 PROTOCOL_ERROR"},
		{"connection in trailer", body(func(r *raw) { r.open(1, true, "connection: x") }), "RST 1 PROTOCOL_ERROR"},
		{"padding", body(func(r *raw) { _ = r.WriteDataPadded(1, true, []byte("abc"), make([]byte, 200)) }, "content-length: 3"), "HEADERS 1 200"},
		{"too much padding", body(func(r *raw) { _ = r.WriteRawFrame(http2.FrameData, 8, 1, []byte{5, 1, 2}) }), "GOAWAY PROTOCOL_ERROR"},
		{"window of nothing", body(func(r *raw) { _ = r.WriteWindowUpdate(1, 0) }), "RST 1 PROTOCOL_ERROR"},
		{"window too large", body(func(r *raw) { _ = r.WriteWindowUpdate(1, maxWindow) }), "RST 1 FLOW_CONTROL_ERROR"},
		{"connection window of nothing", func(r *raw) { _ = r.WriteWindowUpdate(0, 0) }, "GOAWAY PROTOCOL_ERROR"},
		{"connection window too large", func(r *raw) { _ = r.WriteWindowUpdate(0, maxWindow) }, "GOAWAY FLOW_CONTROL_ERROR"},
		{"even stream", func(r *raw) { r.open(2, true, get()...) }, "GOAWAY PROTOCOL_ERROR"},
		{"stream 0", func(r *raw) { r.open(0, true, get()...) }, "GOAWAY PROTOCOL_ERROR"},
		{"lower stream", func(r *raw) { r.open(5, true, get()...); r.open(3, true, get()...) }, "GOAWAY PROTOCOL_ERROR"},
		{"DATA on idle stream", rawFrame(http2.FrameData, 0, 7, "x"), "GOAWAY PROTOCOL_ERROR"},
		{"DATA on stream 0", rawFrame(http2.FrameData, 0, 0, "x"), "GOAWAY PROTOCOL_ERROR"},
		{"RST on idle stream", rawFrame(http2.FrameRSTStream, 0, 7, "\x00\x00\x00\x08"), "GOAWAY PROTOCOL_ERROR"},
		{"RST of a wrong size", rawFrame(http2.FrameRSTStream, 0, 7, "\x00"), "GOAWAY FRAME_SIZE_ERROR"},
		{"PING of a wrong size", rawFrame(http2.FramePing, 0, 0, "x"), "GOAWAY FRAME_SIZE_ERROR"},
		{"PING on a stream", rawFrame(http2.FramePing, 0, 1, "12345678"), "GOAWAY PROTOCOL_ERROR"},
		{"PING", rawFrame(http2.FramePing, 0, 0, "12345678"), "PING ack"},
		{"SETTINGS of a wrong size", rawFrame(http2.FrameSettings, 0, 0, "x"), "GOAWAY FRAME_SIZE_ERROR"},
		{"SETTINGS on a stream", rawFrame(http2.FrameSettings, 0, 1, ""), "GOAWAY PROTOCOL_ERROR"},
		{"push", rawFrame(http2.FrameSettings, 0, 0, "\x00\x02\x00\x00\x00\x02"), "GOAWAY PROTOCOL_ERROR"},
		{"window setting", rawFrame(http2.FrameSettings, 0, 0, "\x00\x04\x80\x00\x00\x00"), "GOAWAY FLOW_CONTROL_ERROR"},
		{"frame size setting", rawFrame(http2.FrameSettings, 0, 0, "\x00\x05\x00\x00\x00\x01"), "GOAWAY PROTOCOL_ERROR"},
		{"PUSH_PROMISE", rawFrame(http2.FramePushPromise, 4, 1, "\x00\x00\x00\x02"), "GOAWAY PROTOCOL_ERROR"},
		{"unknown frame", rawFrame(0x42, 0xff, 9, "anything"), fine},
		{"PRIORITY_UPDATE", rawFrame(0x10, 0, 0, "\x00\x00\x00\x01u=1"), fine},
		{"PRIORITY_UPDATE on a stream", rawFrame(0x10, 0, 1, "\x00\x00\x00\x01u=1"), "GOAWAY PROTOCOL_ERROR"},
		{"PRIORITY of a wrong size", rawFrame(http2.FramePriority, 0, 1, "x"), "RST 1 FRAME_SIZE_ERROR"},
		{"PRIORITY on stream 0", rawFrame(http2.FramePriority, 0, 0, "12345"), "GOAWAY PROTOCOL_ERROR"},
		{"CONTINUATION alone", rawFrame(http2.FrameContinuation, 4, 1, ""), "GOAWAY PROTOCOL_ERROR"},
		{"block interrupted", func(r *raw) {
			_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
			_ = r.WritePing(false, [8]byte{})
		}, "GOAWAY PROTOCOL_ERROR"},
		{"block in parts", func(r *raw) {
			b := r.block(get("a: b")...)
			_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:3], EndStream: true})
			_ = r.WriteContinuation(1, false, b[3:5])
			_ = r.WriteContinuation(1, true, b[5:])
		}, "HEADERS 1 200"},
		{"block that is none", rawFrame(http2.FrameHeaders, 5, 1, "\xff\xff\xff\xff"), "GOAWAY COMPRESSION_ERROR"},
		{"block cut short", rawFrame(http2.FrameHeaders, 5, 1, "\x40\x05ab"), "GOAWAY COMPRESSION_ERROR"},
		{"frame too large", rawFrame(0x42, 0, 0, strings.Repeat("x", maxPayload+1)), "GOAWAY FRAME_SIZE_ERROR"},
		{"HEADERS after the end", func(r *raw) { r.open(1, true, get()...); r.open(1, true, get()...) }, "STREAM_CLOSED"},
		{"GOAWAY on a stream", rawFrame(http2.FrameGoAway, 0, 1, "12345678"), "GOAWAY PROTOCOL_ERROR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, bubble(func(t *testing.T) {
			r := newRaw(t, Options{Handler: hello200(), MaxHead: 4096}).hello()
			tt.send(r)
			goaway := strings.HasPrefix(tt.want, "GOAWAY")
			if !goaway {
				r.open(101, true, get()...)
			}
			found, fineSeen := false, false
			words := r.until(func(w string) bool {
				found = found || strings.Contains(w, tt.want)
				fineSeen = fineSeen || w == fine
				return found && fineSeen
			})
			if !found || goaway && words[len(words)-1] != "EOF" {
				t.Errorf("got %q, want %q", words, tt.want)
			}
		}))
	}
}

// TestFloods has a client do too much of something that costs it little.
func TestFloods(t *testing.T) {
	slow := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		<-ctx.Done()
		return message.Text(200, "", "")
	})
	tests := map[string]struct {
		h    message.Handler
		send func(r *raw, i int) error
	}{
		"rapid reset": {slow, func(r *raw, i int) error {
			r.open(uint32(2*i+1), true, get()...)
			return r.WriteRSTStream(uint32(2*i+1), http2.ErrCodeCancel)
		}},
		"too many streams": {slow, func(r *raw, i int) error {
			return r.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: r.block(get()...), EndStream: true, EndHeaders: true})
		}},
		"malformed": {slow, func(r *raw, i int) error {
			return r.WriteHeaders(http2.HeadersFrameParam{StreamID: uint32(2*i + 1), BlockFragment: r.block("A: b"), EndStream: true, EndHeaders: true})
		}},
		"PING":          {slow, func(r *raw, i int) error { return r.WritePing(false, [8]byte{}) }},
		"SETTINGS":      {slow, func(r *raw, i int) error { return r.WriteSettings() }},
		"ack":           {slow, func(r *raw, i int) error { return r.WriteSettingsAck() }},
		"unknown":       {slow, func(r *raw, i int) error { return r.WriteRawFrame(0x42, 0, 0, nil) }},
		"PRIORITY":      {slow, func(r *raw, i int) error { return r.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }},
		"small windows": {slow, func(r *raw, i int) error { return r.WriteWindowUpdate(0, 1) }},
		"empty DATA": {slow, func(r *raw, i int) error {
			if i == 0 {
				r.open(1, false, post()...)
			}
			return r.WriteData(1, false, nil)
		}},
		"CONTINUATION": {slow, func(r *raw, i int) error {
			if i == 0 {
				_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
			}
			return r.WriteContinuation(1, false, nil)
		}},
		"long block": {slow, func(r *raw, i int) error {
			if i == 0 {
				_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: r.block(get()...)})
			}
			return r.WriteContinuation(1, false, bytes.Repeat([]byte{0x82}, 16<<10))
		}},
	}
	for name, tt := range tests {
		t.Run(name, bubble(func(t *testing.T) {
			r := newRaw(t, Options{Handler: tt.h}).hello()
			go func() {
				for i := range 100_000 {
					if tt.send(r, i) != nil {
						return
					}
				}
			}()
			words := r.until(func(w string) bool { return strings.HasPrefix(w, "GOAWAY") })
			if w := words[len(words)-1]; w != "GOAWAY ENHANCE_YOUR_CALM" && !strings.HasPrefix(w, "error") {
				t.Errorf("got %q at the end", w)
			}
			<-r.done
		}))
	}
}

// TestBomb sends a block that is small on the wire and large when decoded: it is answered, at little cost.
func TestBomb(t *testing.T) { synctest.Test(t, testBomb) }

func testBomb(t *testing.T) {
	r := newRaw(t, Options{Handler: hello200(), Reject: func(_ context.Context, j *http1.Rejection) *message.Response {
		return message.Text(494, "", j.Host)
	}}).hello()
	r.open(1, true, get("a: "+strings.Repeat("x", 3000))...)
	b := append(r.block(get()...), bytes.Repeat([]byte{0x80 | 62}, 16000)...)
	_ = r.WriteHeaders(http2.HeadersFrameParam{StreamID: 3, BlockFragment: b, EndStream: true, EndHeaders: true})
	words := r.until(func(w string) bool { return strings.HasPrefix(w, "DATA 3") })
	if got := strings.Join(words, ", "); !strings.Contains(got, "HEADERS 3 494") || !strings.HasSuffix(got, "DATA 3 9 end") {
		t.Errorf("got %s", got)
	}
}

// TestFlowControl has a client with small windows take a body piece by piece.
func TestFlowControl(t *testing.T) { synctest.Test(t, testFlowControl) }

func testFlowControl(t *testing.T) {
	text := strings.Repeat("0123456789", 10)
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return message.Text(200, "", text) })
	r := newRaw(t, Options{Handler: h}).hello(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 30})
	r.open(1, true, get()...)
	got := r.until(func(w string) bool { return strings.HasPrefix(w, "DATA") })
	_ = r.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 20}) // the stream's is -10 now
	_ = r.WriteWindowUpdate(1, 15)
	got = append(got, r.until(func(w string) bool { return strings.HasPrefix(w, "DATA") })...)
	_ = r.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1000})
	got = append(got, r.until(func(w string) bool { return strings.HasSuffix(w, "end") })...)
	if want := "HEADERS 1 200, DATA 1 30, DATA 1 5, DATA 1 65 end"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestUploadWindow sends more than the windows allow to a handler that does not read.
func TestUploadWindow(t *testing.T) { synctest.Test(t, testUploadWindow) }

func testUploadWindow(t *testing.T) {
	release := make(chan struct{})
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		<-release
		return message.Text(200, "", "")
	})
	r := newRaw(t, Options{Handler: h}).hello()
	defer close(release)
	r.open(1, false, post()...)
	piece := make([]byte, maxPayload)
	for range serverStreamWindow / maxPayload {
		_ = r.WriteData(1, false, piece)
	}
	_ = r.WriteData(1, false, []byte("x"))
	got := r.until(func(w string) bool { return strings.HasPrefix(w, "RST") })
	if w := got[len(got)-1]; w != "RST 1 FLOW_CONTROL_ERROR" {
		t.Errorf("got %q", got)
	}
}

// TestContinue asks for leave to send a body.
func TestContinue(t *testing.T) { synctest.Test(t, testContinue) }

func testContinue(t *testing.T) {
	r := newRaw(t, Options{Handler: hello200()}).hello()
	r.open(1, false, post("expect: 100-continue")...)
	got := r.until(func(w string) bool { return w == "HEADERS 1 100" })
	_ = r.WriteData(1, true, []byte("x"))
	got = append(got, r.until(func(w string) bool { return strings.HasSuffix(w, "end") })...)
	if want := "HEADERS 1 100, HEADERS 1 200, DATA 1 5 end"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestEarlyAnswer has a handler answer without reading: the client is told to stop (rfc9113 8.1).
func TestEarlyAnswer(t *testing.T) { synctest.Test(t, testEarlyAnswer) }

func testEarlyAnswer(t *testing.T) {
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return message.Text(200, "", "hi") })
	r := newRaw(t, Options{Handler: h}).hello()
	r.open(1, false, post()...)
	got := r.until(func(w string) bool { return strings.HasPrefix(w, "RST") })
	_ = r.WriteData(1, true, []byte("late"))
	r.open(3, true, get()...)
	got = append(got, r.until(func(w string) bool { return strings.HasSuffix(w, "3 2 end") })...)
	if want := "HEADERS 1 200, DATA 1 2 end, RST 1 NO_ERROR, HEADERS 3 200, DATA 3 2 end"; strings.Join(got, ", ") != want {
		t.Errorf("got %q, want %s", got, want)
	}
}

// TestHead sends no content for HEAD, 204 and 304.
func TestHead(t *testing.T) { synctest.Test(t, testHead) }

func testHead(t *testing.T) {
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		resp := message.Text(200, "", "hello")
		if r.Path != "/" {
			resp.Status = 304
		}
		return resp
	})
	r := newRaw(t, Options{Handler: h}).hello()
	r.open(1, true, ":method: HEAD", ":scheme: http", ":authority: h", ":path: /")
	r.open(3, true, ":method: GET", ":scheme: http", ":authority: h", ":path: /x")
	var n int
	got := strings.Join(r.until(func(w string) bool { n++; return n == 2 }), ", ")
	if !strings.Contains(got, "HEADERS 1 200 end") || !strings.Contains(got, "HEADERS 3 304 end") {
		t.Errorf("got %s", got)
	}
}

// TestSees has a handler tell what it was given.
func TestSees(t *testing.T) { synctest.Test(t, testSees) }

func testSees(t *testing.T) {
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		return message.Text(200, "", fmt.Sprint(r.Method, " ", r.URL(), " ", r.Header, " ", r.ContentLength))
	})
	r := newRaw(t, Options{Handler: h}).hello()
	fields := get("z: 1", "cookie: a=1", "a: 2", "cookie: b=2", "priority: u=1, i", "cookie: c=3")
	fields[3] = ":path: /a%zz?q"
	r.open(1, true, fields...)
	r.ReadMetaHeaders = nil
	var got string
	for got == "" {
		f, err := r.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if d, ok := f.(*http2.DataFrame); ok {
			got = string(d.Data())
		}
	}
	if want := "GET http://h.example/a%zz?q [{z 1} {cookie a=1; b=2; c=3} {a 2} {priority u=1, i}] 0"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
