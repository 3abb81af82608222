package http3

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/foregate/foregate/internal/ca"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// server serves connections on a free port of loopback until the test ends.
type server struct {
	addr   string
	tls    *tls.Config // of a client
	served sync.WaitGroup
}

func serve(t testing.TB, o Options) *server {
	t.Helper()
	authority, err := ca.Ephemeral()
	must(t, err)
	cert, err := authority.Issue([]string{"h.example"})
	must(t, err)
	pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(t, err)
	l, err := Listen(pc, ListenOptions{TLS: &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{ALPN, "other"}}})
	must(t, err)
	s := &server{addr: pc.LocalAddr().String(), tls: &tls.Config{ServerName: "h.example", RootCAs: authority.Pool(), NextProtos: []string{ALPN}}}
	if o.Report == nil {
		o.Report = func(err error) { t.Log(err) }
	}
	s.served.Go(func() {
		for {
			c, err := l.Accept(context.Background())
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			s.served.Go(func() { c.Serve(context.Background(), o) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		_ = pc.Close()
		s.served.Wait()
	})
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial opens a connection on which the test speaks frames itself.
func (s *server) dial(t testing.TB) *quic.Conn {
	t.Helper()
	c, err := quic.DialAddr(t.Context(), s.addr, s.tls, &quic.Config{})
	must(t, err)
	t.Cleanup(func() { _ = c.CloseWithError(0, "") })
	return c
}

// client is quic-go's own client of HTTP/3.
func (s *server) client(t testing.TB) *http.Client {
	tr := &http3.Transport{TLSClientConfig: s.tls, DisableCompression: true, Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
		return quic.DialAddr(ctx, s.addr, c, q)
	}}
	t.Cleanup(func() { _ = tr.Close() })
	return &http.Client{Transport: tr}
}

func get(t testing.TB, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := c.Do(r.WithContext(t.Context()))
	must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp, string(b)
}

// show answers with the request.
func show(_ context.Context, r *message.Request) *message.Response {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s %d\n", r.Method, r.URL(), r.Proto, r.ContentLength)
	for _, f := range r.Header {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	if r.Body != nil {
		if _, err := io.Copy(&b, r.Body); err != nil {
			fmt.Fprintf(&b, "!%v", err)
		}
	}
	return message.Text(200, "text/plain", b.String(), message.Field{Name: "X-Case", Value: "y"}, message.Field{Name: "Connection", Value: "close"})
}

func TestClient(t *testing.T) {
	requests := make(chan *message.Request, 8)
	s := serve(t, Options{Handler: message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		requests <- r.Clone()
		return show(ctx, r)
	})})
	c := s.client(t)
	r, _ := http.NewRequest("POST", "https://h.example:443/a%2Fb//c?x=1&y", strings.NewReader("body"))
	r.Header.Set("X-Two", "2")
	resp, body := get(t, c, r)
	if !strings.HasPrefix(body, "POST https://h.example/a%2Fb//c?x=1&y 3.0 4\n") || !strings.HasSuffix(body, "\nbody") || !strings.Contains(body, "x-two: 2\n") {
		t.Errorf("got %q", body)
	}
	if resp.Header.Get("X-Case") != "y" || resp.Header.Get("Connection") != "" || resp.ContentLength != int64(len(body)) || resp.Header.Get("Date") == "" {
		t.Errorf("got %v", resp.Header)
	}
	if got := <-requests; got.TLS.ServerName != "h.example" || got.TLS.Version != tls.VersionTLS13 || !got.Client.Addr().IsLoopback() || got.Scheme != "https" {
		t.Errorf("got %+v, %+v", got, got.TLS)
	}
	r, _ = http.NewRequest("GET", "https://h.example/", nil)
	if _, body := get(t, c, r); !strings.HasPrefix(body, "GET https://h.example/ 3.0 0\n") {
		t.Errorf("got %q", body)
	}
	r, _ = http.NewRequest("PUT", "https://h.example/", io.MultiReader(strings.NewReader("of unknown "), strings.NewReader("length")))
	if _, body := get(t, c, r); !strings.HasPrefix(body, "PUT https://h.example/ 3.0 -1\n") || !strings.HasSuffix(body, "of unknown length") {
		t.Errorf("got %q", body)
	}
	r, _ = http.NewRequest("HEAD", "https://h.example/", nil)
	if resp, body := get(t, c, r); body != "" || resp.ContentLength <= 0 {
		t.Errorf("HEAD: %d, %q", resp.ContentLength, body)
	}
}

// slowBody tells what it has, and ends or breaks.
type slowBody struct {
	io.Reader
	closed chan struct{}
}

func (b *slowBody) Buffered() int { return 0 }
func (b *slowBody) Close() error  { close(b.closed); return nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestBodies(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), 40<<10)
	for name, c := range map[string]struct {
		length int64
		body   func() io.Reader
		want   []byte // nil: the client must see that it is not whole
	}{
		"memory":       {int64(len(large)), func() io.Reader { return bytes.NewReader(large) }, large},
		"reader":       {int64(len(large)), func() io.Reader { return io.LimitReader(bytes.NewReader(large), 1<<30) }, large},
		"unknown":      {-1, func() io.Reader { return io.LimitReader(bytes.NewReader(large), 1<<30) }, large},
		"small":        {5, func() io.Reader { return strings.NewReader("small") }, []byte("small")},
		"empty":        {-1, func() io.Reader { return strings.NewReader("") }, []byte{}},
		"short":        {10, func() io.Reader { return io.LimitReader(strings.NewReader("short"), 99) }, nil},
		"short memory": {10, func() io.Reader { return strings.NewReader("short") }, nil},
		"long":         {3, func() io.Reader { return io.LimitReader(strings.NewReader("long"), 99) }, []byte("lon")},
		"broken":       {-1, func() io.Reader { return io.MultiReader(strings.NewReader("abc"), broken{}) }, nil},
		"broken known": {10, func() io.Reader { return io.MultiReader(strings.NewReader("abc"), broken{}) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			b := &slowBody{c.body(), make(chan struct{})}
			s := serve(t, Options{Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
				resp := &message.Response{Status: 200, ContentLength: c.length, Body: b}
				if w, ok := b.Reader.(io.WriterTo); ok {
					resp.Body = struct {
						io.ReadCloser
						io.WriterTo
					}{b, w}
				}
				return resp
			})})
			var got []byte
			resp, err := s.client(t).Get("https://h.example/")
			if err == nil {
				got, err = io.ReadAll(resp.Body)
			}
			if c.want == nil && err == nil || c.want != nil && (err != nil || !bytes.Equal(got, c.want)) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			<-b.closed
		})
	}
}

func TestUnfitAnswers(t *testing.T) {
	for name, answer := range map[string]func() *message.Response{
		"none":    func() *message.Response { return nil },
		"panic":   func() *message.Response { panic("oops") },
		"interim": func() *message.Response { return &message.Response{Status: 101} },
		"new line": func() *message.Response {
			return message.Text(200, "", "x", message.Field{Name: "A", Value: "b\r\nC: d"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, Options{Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return answer() })})
			r, _ := http.NewRequest("GET", "https://h.example/", nil)
			if resp, _ := get(t, s.client(t), r); resp.StatusCode != 500 {
				t.Errorf("got %d", resp.StatusCode)
			}
		})
	}
}

// TestUnreadBodies: a handler that leaves a body unread, or reads on after its answer, harms nobody.
func TestUnreadBodies(t *testing.T) {
	late := make(chan error, 1)
	release := make(chan struct{})
	s := serve(t, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Path == "/late" {
			body := r.Body // the request is the engine's again after the answer
			go func() {
				<-release
				_, err := io.ReadAll(body)
				late <- err
			}()
		}
		return message.Text(200, "", "done")
	})})
	c := s.client(t)
	for _, path := range []string{"/unread", "/late", "/unread"} {
		r, _ := http.NewRequest("POST", "https://h.example"+path, bytes.NewReader(make([]byte, 4<<20)))
		if resp, body := get(t, c, r); resp.StatusCode != 200 || body != "done" {
			t.Errorf("%s: %d %q", path, resp.StatusCode, body)
		}
	}
	close(release)
	if err := <-late; err == nil {
		t.Error("a body was read to its end after its request was over")
	}
}

func TestClientGivesUp(t *testing.T) {
	ended := make(chan error, 1)
	begun := make(chan struct{})
	s := serve(t, Options{Handler: message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
		close(begun)
		<-ctx.Done()
		ended <- ctx.Err()
		return message.Text(200, "", "")
	})})
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", "https://h.example/", nil)
	go func() { <-begun; cancel() }()
	if resp, err := s.client(t).Do(r); err == nil {
		resp.Body.Close()
		t.Error("an answer to a request that was given up")
	}
	if err := <-ended; err == nil {
		t.Error("the handler's context goes on")
	}
}

func TestDrain(t *testing.T) {
	drain, cancel := context.WithCancel(context.Background())
	begun, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Options{Drain: drain, Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		close(begun)
		<-release
		return message.Text(200, "", "done")
	})})
	idle := &rawConn{s.dial(t)}
	c := &rawConn{s.dial(t)}
	control, err := c.AcceptUniStream(t.Context())
	must(t, err)
	stream := c.request(t, getSection("/"))
	<-begun
	cancel()
	settings := readAllFrames(t, control, 2)
	if !slices.Equal(settings, []uint64{frameSettings, frameGoaway}) {
		t.Errorf("control stream: %v", settings)
	}
	refused := c.request(t, getSection("/"))
	if _, err := io.ReadAll(refused); !isStreamError(err, requestRejected) {
		t.Errorf("after the drain: %v", err)
	}
	close(release)
	if b, err := io.ReadAll(stream); err != nil || !bytes.HasSuffix(b, []byte("done")) {
		t.Errorf("the request under way got %q, %v", b, err)
	}
	<-c.Context().Done()
	<-idle.Context().Done()
	for _, c := range []*quic.Conn{c.Conn, idle.Conn} {
		var e *quic.ApplicationError
		if err := context.Cause(c.Context()); !errors.As(err, &e) || e.ErrorCode != noError {
			t.Errorf("ended with %v", err)
		}
	}
}

func TestMigration(t *testing.T) {
	seen := make(chan string, 2)
	s := serve(t, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		seen <- r.Client.String()
		return message.Text(200, "", "")
	})})
	var transports [2]*quic.Transport
	for i := range transports {
		pc, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(t, err)
		transports[i] = &quic.Transport{Conn: pc}
		t.Cleanup(func() { transports[i].Close(); pc.Close() })
	}
	addr, err := net.ResolveUDPAddr("udp", s.addr)
	must(t, err)
	q, err := transports[0].Dial(t.Context(), addr, s.tls, &quic.Config{})
	must(t, err)
	c := &rawConn{q}
	for i := range 2 {
		if i == 1 {
			path, err := q.AddPath(transports[1])
			must(t, err)
			must(t, path.Probe(t.Context()))
			must(t, path.Switch())
		}
		// The server follows once it has asked at the new address whether the client is there (rfc9000 9.3).
		for got, want := "", transports[i].Conn.LocalAddr().String(); got != want; got = <-seen {
			if _, err := io.ReadAll(c.request(t, getSection("/"))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTimeouts(t *testing.T) {
	read := make(chan error, 1)
	c := serve(t, Options{HeadTimeout: 20 * time.Millisecond}).dial(t)
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		_, err := io.ReadAll(r.Body)
		read <- err
		return message.Text(408, "", "slow")
	})
	s, err := c.OpenStreamSync(t.Context())
	must(t, err)
	_, err = s.Write([]byte{frameHeaders, 20, 0})
	must(t, err)
	if _, err := io.ReadAll(s); !isStreamError(err, requestIncomplete) {
		t.Errorf("slow head: %v", err)
	}
	s, err = serve(t, Options{BodyTimeout: 20 * time.Millisecond, Handler: h}).dial(t).OpenStreamSync(t.Context())
	must(t, err)
	_, err = s.Write(headers(section(":method", "POST", ":scheme", "https", ":authority", "h.example", ":path", "/", "content-length", "5")))
	must(t, err)
	if err := <-read; http1.KindOf(err) != http1.Timeout {
		t.Errorf("slow body: %v", err)
	}
	if b, err := io.ReadAll(s); err != nil || !bytes.HasSuffix(b, []byte("slow")) {
		t.Errorf("got %q, %v", b, err)
	}
	idle := serve(t, Options{IdleTimeout: 20 * time.Millisecond}).dial(t)
	<-idle.Context().Done()
}

func TestNoEarlyData(t *testing.T) {
	s := serve(t, Options{Handler: message.HandlerFunc(show)})
	s.tls.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	for i := range 2 {
		c, err := quic.DialAddrEarly(t.Context(), s.addr, s.tls, &quic.Config{})
		must(t, err)
		if _, err := io.ReadAll((&rawConn{c}).request(t, getSection("/"))); err != nil {
			t.Fatal(err)
		}
		if state := c.ConnectionState(); state.Used0RTT || state.TLS.DidResume != (i == 1) {
			t.Errorf("connection %d: 0-RTT %v, resumed %v", i, state.Used0RTT, state.TLS.DidResume)
		}
		_ = c.CloseWithError(0, "")
	}
}

// The end of a stream may come with the last byte of the body, so that one read has both.
func TestUploadEndsWithItsLastByte(t *testing.T) {
	arrived := make(chan struct{})
	s := serve(t, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		<-arrived
		b := make([]byte, 64<<10) // more than is buffered, so that reads go to the stream
		n, err := r.Body.Read(b)
		for err == nil {
			var more int
			more, err = r.Body.Read(b[n:])
			n += more
		}
		return message.Text(200, "text/plain", fmt.Sprint(n, " ", err))
	})})
	c := s.dial(t)
	for range 10 {
		st, err := c.OpenStreamSync(t.Context())
		must(t, err)
		_, err = st.Write(append(headers(section(":method", "POST", ":scheme", "https", ":authority", "h.example", ":path", "/")), frame(frameData, make([]byte, 5000))...))
		must(t, err)
		must(t, st.Close())
		go func() { arrived <- struct{}{} }()
		f := &frames{r: bufio.NewReader(st)}
		for {
			h, err := f.next()
			must(t, err)
			payload, err := f.payload(h, nil)
			must(t, err)
			if h.kind == frameData {
				if string(payload) != "5000 EOF" {
					t.Fatalf("the handler got %s", payload)
				}
				break
			}
		}
	}
}
