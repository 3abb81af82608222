package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
)

// wired is a viewer and an origin, with the protocol engines and a distribution between them. The connections hold nothing
// back: a write lasts until the other side has read it, so what is written and not read stands in Foregate.
type wired struct {
	Local
	client  *origin.Client
	viewer  net.Conn
	origins chan net.Conn // each connection to the origin, the origin's end
}

func (w *wired) Fetch(ctx context.Context, f *FetchRequest) (*message.Response, error) {
	resp, err := w.client.Fetch(ctx, origin.Target{Scheme: "http", Host: f.Origin.Domain, Attempts: 1, Room: f.Room}, f.Request)
	if err != nil {
		return nil, &FetchError{Kind: FetchClosed, Err: err}
	}
	return resp, nil
}

func (w *wired) InvokeLambda(context.Context, *LambdaInvocation) ([]byte, error) {
	return nil, errors.New("no functions")
}
func (w *wired) LogFunction(*FunctionLog) {}

type lastRecord struct{ records chan *accesslog.Record }

func (l lastRecord) Log(r *accesslog.Record) { l.records <- r }

// wire makes one, in a bubble: policy is the managed cache policy. All methods are allowed and all viewer headers forwarded.
func wire(t *testing.T, policy string, log Logger) *wired {
	p := testPlan(managed(t, policy, "Managed-AllViewer"))
	p.Behaviors[0].Allowed = GET | HEAD | POST | PUT
	if log != nil {
		p.Logging = &Logging{To: log}
	}
	near, far := net.Pipe()
	w := &wired{Local: Local{Cache: cache.New(1 << 20)}, viewer: near, origins: make(chan net.Conn, 4)}
	client, err := origin.New(origin.Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		w.origins <- theirs
		return ours, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.client = client
	s := NewService(Options{Plans: []*Plan{p}, Effects: w})
	served := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		defer close(served)
		http1.ServeConn(ctx, far, http1.Options{Handler: s})
	}()
	t.Cleanup(func() {
		near.Close()
		stop()
		<-served
		client.Close()
		synctest.Wait()
	})
	return w
}

// counted is the bytes that one side has got rid of.
type counted struct {
	w io.Writer
	n atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// fill writes n bytes in small pieces.
func fill(w io.Writer, n int64) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, io.LimitReader(zeros{}, n), make([]byte, 4096))
	return err
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

const (
	flood = 32 << 20
	// room is the most that may stand in Foregate, of one body in one direction.
	room = 512 << 10
)

// A viewer who does not read keeps the origin from sending: memory is bounded, whether the answer is stored or not.
func TestSlowViewerSlowsTheOrigin(t *testing.T) {
	for _, policy := range []string{"Managed-CachingDisabled", "Managed-CachingOptimized"} {
		synctest.Test(t, func(t *testing.T) {
			w := wire(t, policy, nil)
			go io.WriteString(w.viewer, "GET /big HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
			o := <-w.origins
			if _, err := http.ReadRequest(bufio.NewReader(o)); err != nil {
				t.Fatal(err)
			}
			out := &counted{w: o}
			go func() {
				io.WriteString(o, "HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\nContent-Type: video/mp4\r\n\r\n")
				if err := fill(out, flood); err != nil {
					t.Error(err)
				}
			}()
			synctest.Wait()
			if n := out.n.Load(); n > room {
				t.Errorf("%s: the origin could send %d bytes to a viewer who read none", policy, n)
			}
			resp, err := http.ReadResponse(bufio.NewReaderSize(w.viewer, 16), nil)
			if err != nil {
				t.Fatal(err)
			}
			const part = 1 << 20
			if _, err := io.CopyN(io.Discard, resp.Body, part); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if n := out.n.Load(); n < part || n > part+room {
				t.Errorf("%s: the origin has sent %d bytes to a viewer who read %d", policy, n, part)
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != flood-part {
				t.Errorf("%s: %d more bytes, %v", policy, n, err)
			}
		})
	}
}

// An upload reaches the origin while it is sent, and an origin that does not read keeps the viewer from sending.
func TestUploadStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t, "Managed-CachingDisabled", nil)
		in := &counted{w: w.viewer}
		more := make(chan struct{})
		go func() {
			io.WriteString(w.viewer, "PUT /big HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 33554436\r\n\r\nfirst"[:len("PUT /big HTTP/1.1\r\nHost: www.example.com\r\nContent-Length: 33554436\r\n\r\n")+4])
			<-more
			if err := fill(in, flood); err != nil {
				t.Error(err)
			}
		}()
		o := <-w.origins
		r, err := http.ReadRequest(bufio.NewReaderSize(o, 16))
		if err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 4)
		if _, err := io.ReadFull(r.Body, first); err != nil || string(first) != "firs" {
			t.Fatalf("%q %v", first, err)
		}
		close(more)
		synctest.Wait()
		if n := in.n.Load(); n > room {
			t.Errorf("the viewer could send %d bytes to an origin that read none", n)
		}
		if n, err := io.Copy(io.Discard, r.Body); err != nil || n != flood {
			t.Errorf("%d bytes, %v", n, err)
		}
		go io.WriteString(o, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(w.viewer), nil)
		if err != nil || resp.StatusCode != 201 {
			t.Error(resp, err)
		}
	})
}

// A viewer who leaves ends the fetch, and nothing is stored of it (DG-RequestAndResponseBehaviorCustomOrigin, "Canceled
// requests").
func TestViewerWhoLeavesEndsTheFetch(t *testing.T) {
	for _, policy := range []string{"Managed-CachingDisabled", "Managed-CachingOptimized"} {
		synctest.Test(t, func(t *testing.T) {
			w := wire(t, policy, nil)
			go io.WriteString(w.viewer, "GET /big HTTP/1.1\r\nHost: www.example.com\r\n\r\n")
			o := <-w.origins
			if _, err := http.ReadRequest(bufio.NewReader(o)); err != nil {
				t.Fatal(err)
			}
			go io.WriteString(o, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nCache-Control: max-age=60\r\n\r\nbegin")
			resp, err := http.ReadResponse(bufio.NewReaderSize(w.viewer, 16), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(resp.Body, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			w.viewer.Close()
			if _, err := o.Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("%s: the origin's connection goes on: %v", policy, err)
			}
			if n := w.Cache.Len(); n != 0 {
				t.Errorf("%s: %d objects are stored", policy, n)
			}
		})
	}
}

// shake makes a WebSocket handshake through w.
func shake(t *testing.T, w *wired) (viewer *bufio.Reader, o net.Conn, from *bufio.Reader) {
	go io.WriteString(w.viewer, "GET /ws HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly")
	o = <-w.origins
	from = bufio.NewReaderSize(o, 16)
	r, err := http.ReadRequest(from)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" || r.Header.Get("Sec-Websocket-Key") != "dGhlIHNhbXBsZSBub25jZQ==" {
		t.Errorf("the origin got %v", r.Header)
	}
	go io.WriteString(o, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nhello")
	viewer = bufio.NewReaderSize(w.viewer, 16)
	resp, err := http.ReadResponse(viewer, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatal(resp, err)
	}
	want(t, viewer, "hello")
	want(t, from, "early")
	return viewer, o, from
}

func want(t *testing.T, r io.Reader, text string) {
	t.Helper()
	b := make([]byte, len(text))
	if _, err := io.ReadFull(r, b); err != nil || string(b) != text {
		t.Errorf("got %q, %v; want %q", b, err, text)
	}
}

// WebSocket: bytes both ways, back-pressure both ways, and a line in the log of what went through.
func TestWebSocketStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		records := make(chan *accesslog.Record, 1)
		w := wire(t, "Managed-CachingDisabled", lastRecord{records})
		viewer, o, from := shake(t, w)
		down, up := &counted{w: o}, &counted{w: w.viewer}
		go fill(down, flood)
		go fill(up, flood)
		synctest.Wait()
		if n := down.n.Load(); n > room {
			t.Errorf("the origin could send %d bytes that nobody read", n)
		}
		if n := up.n.Load(); n > room {
			t.Errorf("the viewer could send %d bytes that nobody read", n)
		}
		for _, r := range []io.Reader{viewer, from} {
			if n, err := io.CopyN(io.Discard, r, flood); err != nil {
				t.Error(n, err)
			}
		}
		o.Close()
		if _, err := viewer.ReadByte(); err != io.EOF {
			t.Error("the viewer's connection goes on behind the origin's", err)
		}
		w.viewer.Close()
		r := <-records
		if r.Status != 101 || r.Protocol != "wss" && r.Protocol != "ws" || r.Result != "Miss" || r.Sent < flood || r.Received < flood {
			t.Errorf("log: %+v", r)
		}
	})
}

// A connection is idle when nothing has come from the origin for ten minutes, whatever the viewer sends
// (DG-cloudfront-limits, "Quotas on WebSocket connections").
func TestWebSocketIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wire(t, "Managed-CachingDisabled", nil)
		viewer, o, from := shake(t, w)
		go io.Copy(io.Discard, from)
		began := time.Now()
		time.Sleep(9 * time.Minute)
		io.WriteString(o, "still here")
		want(t, viewer, "still here")
		for range 9 {
			time.Sleep(time.Minute)
			io.WriteString(w.viewer, "anybody?")
		}
		if _, err := viewer.ReadByte(); err == nil {
			t.Error("an idle connection goes on")
		}
		if d := time.Since(began); d < 19*time.Minute || d > 22*time.Minute {
			t.Errorf("it was closed after %v, want 10 minutes behind the last byte of the origin", d)
		}
	})
}

// Without a policy that forwards them, the handshake's own fields do not reach the origin
// (DG-distribution-working-with-websockets).
func TestWebSocketNeedsAPolicy(t *testing.T) {
	w, s := newWorld(testPlan(managed(t, "Managed-CachingOptimized", "")))
	r := get("/ws", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Key", "k")
	r.Upgrade = func() (io.ReadWriteCloser, error) { return nil, errors.New("not called") }
	ask(s, r)
	h := w.last().Request.Header
	if h.Get("Upgrade") != "websocket" || strings.Contains(strings.ToLower(h.Get("Connection")), "keep-alive") || h.Has("Sec-WebSocket-Key") {
		t.Errorf("sent %v", h)
	}
}
