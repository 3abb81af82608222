package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 frame by frame.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// oddServer makes a client whose server is the test, frame by frame.
func oddServer(t *testing.T, o ClientOptions) (*ClientConn, *raw) {
	near, far := newPipe(64 << 10)
	r := &raw{t: t, nc: far, Framer: http2.NewFramer(far, far), done: make(chan struct{})}
	r.enc, r.dec = hpack.NewEncoder(&r.buf), hpack.NewDecoder(4096, nil)
	r.AllowIllegalReads, r.AllowIllegalWrites = true, true
	k := NewClientConn(near, o)
	t.Cleanup(func() { k.Close(); far.Close() })
	if _, err := io.ReadFull(far, make([]byte, len(Preface))); err != nil {
		t.Fatal(err)
	}
	return k, r.hello()
}

func (r *raw) headers(id uint32, end bool, fields ...string) { r.open(id, end, fields...) }

// TestClientOddAnswers has a server break rules: each is an error of the right kind, and not of the others on the connection.
func TestClientOddAnswers(t *testing.T) {
	whole := func(fields ...string) func(r *raw) { return func(r *raw) { r.headers(1, true, fields...) } }
	with := func(body string, fields ...string) func(r *raw) {
		return func(r *raw) { r.headers(1, false, fields...); _ = r.WriteData(1, true, []byte(body)) }
	}
	tests := []struct {
		name string
		send func(r *raw)
		kind http1.Kind // 0: fine
		dies bool       // the connection, too
	}{
		{"plain", with("x", ":status: 200", "content-length: 1"), 0, false},
		{"no status", whole("a: b"), http1.Malformed, false},
		{"two", whole(":status: 200", ":status: 200"), http1.Malformed, false},
		{"short status", whole(":status: 20"), http1.Malformed, false},
		{"signed status", whole(":status: +20"), http1.Malformed, false},
		{"status behind a field", whole("a: b", ":status: 200"), http1.Malformed, false},
		{"request's pseudo", whole(":status: 200", ":path: /"), http1.Malformed, false},
		{"capital", whole(":status: 200", "Aa: b"), http1.Malformed, false},
		{"line break", whole(":status: 200", "a: b\r\nc: d"), http1.Malformed, false},
		{"connection", whole(":status: 200", "connection: close"), http1.Malformed, false},
		{"transfer-encoding", whole(":status: 200", "transfer-encoding: chunked"), http1.Malformed, false},
		{"two lengths", with("x", ":status: 200", "content-length: 1", "content-length: 1"), http1.Malformed, false},
		{"length without content", whole(":status: 200", "content-length: 1"), http1.Malformed, false},
		{"content over length", with("xy", ":status: 200", "content-length: 1"), http1.Malformed, false},
		{"content under length", with("x", ":status: 200", "content-length: 2"), http1.Malformed, false},
		{"204 with length", with("x", ":status: 204", "content-length: 1"), http1.Malformed, false},
		{"101", with("x", ":status: 101"), http1.Malformed, false},
		{"interim with an end", whole(":status: 103"), http1.Malformed, false},
		{"interim", func(r *raw) { r.headers(1, false, ":status: 103", "link: x"); with("x", ":status: 200")(r) }, 0, false},
		{"interim for ever", func(r *raw) {
			for range mostInterim + 1 {
				r.headers(1, false, ":status: 103")
			}
		}, http1.Malformed, false},
		{"content first", func(r *raw) { _ = r.WriteData(1, true, []byte("x")) }, http1.Malformed, false},
		{"trailer", func(r *raw) {
			r.headers(1, false, ":status: 200")
			_ = r.WriteData(1, false, []byte("x"))
			r.headers(1, true, "a: b")
		}, 0, false},
		{"trailer without end", func(r *raw) { r.headers(1, false, ":status: 200"); r.headers(1, false, "a: b") }, http1.Incomplete, false},
		{"pseudo in trailer", func(r *raw) { r.headers(1, false, ":status: 200"); r.headers(1, true, ":status: 200") }, http1.Malformed, false},
		{"head too big", whole(":status: 200", "a: "+strings.Repeat("x", 5000)), http1.HeadTooBig, false},
		{"reset", func(r *raw) { _ = r.WriteRSTStream(1, http2.ErrCodeInternal) }, http1.Incomplete, false},
		{"reset within", func(r *raw) {
			r.headers(1, false, ":status: 200")
			_ = r.WriteRSTStream(1, http2.ErrCodeNo)
		}, http1.Incomplete, false},
		{"end of the connection", func(r *raw) { r.nc.Close() }, http1.Broken, true},
		{"push", func(r *raw) { _ = r.WriteRawFrame(http2.FramePushPromise, 4, 1, []byte("\x00\x00\x00\x02")) }, http1.Broken, true},
		{"stream of the server", func(r *raw) { r.headers(2, true, ":status: 200") }, http1.Broken, true},
		{"idle stream", func(r *raw) { r.headers(99, true, ":status: 200") }, http1.Broken, true},
		{"ENABLE_PUSH", func(r *raw) { _ = r.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 1}) }, http1.Broken, true},
		{"frame too large", func(r *raw) { _ = r.WriteRawFrame(0x42, 0, 0, make([]byte, maxPayload+1)) }, http1.Broken, true},
		{"bad block", func(r *raw) { _ = r.WriteRawFrame(http2.FrameHeaders, 5, 1, []byte("\xff\xff\xff\xff")) }, http1.Broken, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, bubble(func(t *testing.T) {
			k, r := oddServer(t, ClientOptions{MaxHead: 4096})
			go func() { _, _ = io.Copy(io.Discard, r.nc) }()
			go func() {
				synctest.Wait() // the request is on its way
				tt.send(r)
			}()
			_, body, err := ask(k, getRequest("/"))
			if got := http1.KindOf(err); got != tt.kind || err == nil && body != "x" {
				t.Errorf("got %.100q, %v", body, err)
			}
			if k.Reserve() == tt.dies {
				t.Errorf("the connection's fate is not that of %v", err)
			}
		}))
	}
}

// TestClientRefused tells which requests may be sent again.
func TestClientRefused(t *testing.T) {
	post := func(body io.Reader) *message.Request {
		r := getRequest("/")
		r.Method, r.Body, r.ContentLength = "POST", body, -1
		return r
	}
	tests := []struct {
		name string
		r    *message.Request
		send func(r *raw)
		safe bool
	}{
		{"refused", getRequest("/"), func(r *raw) { _ = r.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, true},
		{"refused with a body", post(bytes.NewReader([]byte("x"))), func(r *raw) { _ = r.WriteRSTStream(1, http2.ErrCodeRefusedStream) }, false},
		{"reset", getRequest("/"), func(r *raw) { _ = r.WriteRSTStream(1, http2.ErrCodeCancel) }, false},
		{"goes away before", getRequest("/"), func(r *raw) { _ = r.WriteGoAway(0, http2.ErrCodeNo, nil) }, true},
		{"goes away at it", getRequest("/"), func(r *raw) { _ = r.WriteGoAway(1, http2.ErrCodeNo, nil); r.nc.Close() }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, bubble(func(t *testing.T) {
			k, r := oddServer(t, ClientOptions{})
			go func() { _, _ = io.Copy(io.Discard, r.nc) }()
			go func() {
				synctest.Wait()
				tt.send(r)
			}()
			if _, _, err := ask(k, tt.r); err == nil || errors.Is(err, ErrUnprocessed) != tt.safe {
				t.Errorf("got %v", err)
			}
		}))
	}
}

// TestClientGoAway lets what is under way end, and takes no more.
func TestClientGoAway(t *testing.T) { synctest.Test(t, testClientGoAway) }

func testClientGoAway(t *testing.T) {
	gone := make(chan struct{})
	k, r := oddServer(t, ClientOptions{Gone: func(*ClientConn) { close(gone) }})
	go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	go func() {
		synctest.Wait()
		_ = r.WriteGoAway(lastID, http2.ErrCodeNo, nil)
		<-gone
		_ = r.WriteGoAway(1, http2.ErrCodeNo, nil)
		r.headers(1, false, ":status: 200")
		_ = r.WriteData(1, true, []byte("x"))
	}()
	if _, body, err := ask(k, getRequest("/")); err != nil || body != "x" {
		t.Errorf("got %q, %v", body, err)
	}
	if k.Reserve() {
		t.Error("there is still room")
	}
	<-k.done // it ends by itself
}

// TestClientTimeouts has a server fall silent.
func TestClientTimeouts(t *testing.T) {
	const long = 4 * time.Second
	silent := func(*raw) {}
	half := func(r *raw) { r.headers(1, false, ":status: 200") }
	tests := []struct {
		name   string
		send   func(r *raw)
		kind   http1.Kind
		within time.Duration
	}{
		{"no answer", silent, http1.Timeout, long},
		{"no body", half, http1.Timeout, long},
		{"no sign of life", silent, http1.Broken, 2*long + 2*clientPeriod},
	}
	for _, tt := range tests {
		t.Run(tt.name, bubble(func(t *testing.T) {
			o, call := ClientOptions{PingTimeout: -1}, Call{ReadTimeout: long}
			if tt.kind == http1.Broken {
				o, call = ClientOptions{PingTimeout: long}, Call{}
			}
			k, r := oddServer(t, o)
			go func() { _, _ = io.Copy(io.Discard, r.nc) }()
			go func() {
				synctest.Wait()
				tt.send(r)
			}()
			begun := time.Now()
			k.Reserve()
			resp, err := k.RoundTrip(context.Background(), getRequest("/"), call)
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if took := time.Since(begun); http1.KindOf(err) != tt.kind || took < long || took > tt.within {
				t.Errorf("got %v after %v", err, took)
			}
		}))
	}
}

// TestClientIdle ends a connection that was not used for KeepAlive.
func TestClientIdle(t *testing.T) { synctest.Test(t, testClientIdle) }

func testClientIdle(t *testing.T) {
	k, r := oddServer(t, ClientOptions{})
	go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	go func() {
		synctest.Wait()
		r.headers(1, true, ":status: 204")
	}()
	k.Reserve()
	if _, err := k.RoundTrip(context.Background(), getRequest("/"), Call{KeepAlive: 5 * time.Second}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	<-k.done
	if took := time.Since(begun); took < 5*time.Second || took > 5*time.Second+clientPeriod {
		t.Errorf("it took %v", took)
	}
}

// TestClientStreams keeps to what the server allows.
func TestClientStreams(t *testing.T) { synctest.Test(t, testClientStreams) }

func testClientStreams(t *testing.T) {
	k, r := oddServer(t, ClientOptions{})
	_ = r.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 2})
	go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	synctest.Wait()
	for i, want := range []bool{true, true, false} {
		if k.Reserve() != want {
			t.Errorf("%d: got %v", i, !want)
		}
	}
	k.Release()
	if !k.Reserve() {
		t.Error("no room after one was given back")
	}
}

// TestClientTimeoutOfWindow ends an upload for which the server gives no window.
func TestClientTimeoutOfWindow(t *testing.T) { synctest.Test(t, testClientTimeoutOfWindow) }

func testClientTimeoutOfWindow(t *testing.T) {
	k, r := oddServer(t, ClientOptions{WriteTimeout: 4 * time.Second})
	go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	q := getRequest("/")
	q.Method, q.Body, q.ContentLength = "POST", strings.NewReader(strings.Repeat("x", 100_000)), 100_000
	if _, _, err := ask(k, q); err == nil {
		t.Error("no error")
	}
}

// TestClientWindow has a server send more than it was granted, to a reader that does not read.
func TestClientWindow(t *testing.T) { synctest.Test(t, testClientWindow) }

func testClientWindow(t *testing.T) {
	k, r := oddServer(t, ClientOptions{})
	go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	go func() {
		synctest.Wait()
		r.headers(1, false, ":status: 200")
		for range clientStreamWindow/maxPayload + 1 {
			_ = r.WriteData(1, false, make([]byte, maxPayload))
		}
	}()
	k.Reserve()
	resp, err := k.RoundTrip(context.Background(), getRequest("/"), Call{})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	synctest.Wait()
	if b, err := io.ReadAll(resp.Body); len(b) != clientStreamWindow || http1.KindOf(err) != http1.Malformed {
		t.Errorf("got %d bytes, %v", len(b), err)
	}
}
