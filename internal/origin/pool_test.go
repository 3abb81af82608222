package origin

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

func TestMaxConns(t *testing.T) {
	var open, most atomic.Int32
	target := origins(t, func(_ int, c net.Conn) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		for head(c) != "" {
			time.Sleep(time.Millisecond)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := newClient(t, Options{MaxConns: 3})
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			resp, err := c.Fetch(t.Context(), target, get("/"))
			if err != nil {
				t.Error(err)
				return
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		})
	}
	all.Wait()
	if n := most.Load(); n > 3 {
		t.Errorf("%d connections at once, want at most 3", n)
	}
	held := make([]*message.Response, 3)
	for i := range held {
		var err error
		if held[i], err = c.Fetch(t.Context(), target, get("/")); err != nil {
			t.Fatal(err)
		}
	}
	target.ConnectTimeout = 20 * time.Millisecond
	if _, err := c.Fetch(t.Context(), target, get("/")); KindOf(err) != Limit {
		t.Errorf("got %v, want Limit", err)
	}
	held[0].Body.Close()
	resp, err := c.Fetch(t.Context(), target, get("/"))
	if got := read(t, resp, err); got != "ok" {
		t.Errorf("got %q", got)
	}
	held[1].Body.Close()
	held[2].Body.Close()
}

func TestSweep(t *testing.T) {
	ended := make(chan struct{}, 1)
	target := origins(t, func(_ int, c net.Conn) {
		for head(c) != "" {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		ended <- struct{}{}
	})
	target.KeepAlive = 10 * time.Millisecond
	c := newClient(t, Options{})
	resp, err := c.Fetch(t.Context(), target, get("/"))
	read(t, resp, err)
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Fatal("an idle connection outlived its time")
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if len(c.pools) > 0 {
		t.Error("an empty pool was kept")
	}
}

func TestUnsolicitedBytes(t *testing.T) {
	poison := "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
	for name, late := range map[string]bool{"with the answer": false, "while idle": true} {
		t.Run(name, func(t *testing.T) {
			sent := make(chan struct{}, 2)
			target := origins(t, func(n int, c net.Conn) {
				head(c)
				if late {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"+strconv.Itoa(n))
					io.WriteString(c, poison)
				} else {
					io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"+strconv.Itoa(n)+poison)
				}
				sent <- struct{}{}
				head(c)
			})
			c := newClient(t, Options{})
			resp, err := c.Fetch(t.Context(), target, get("/"))
			read(t, resp, err)
			<-sent
			r := get("/")
			r.Method = "POST" // has its connection looked at always
			resp, err = c.Fetch(t.Context(), target, r)
			if got := read(t, resp, err); got != "2" {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		method string
		want   string
	}{{"GET", "3"}, {"POST", ""}} {
		target := origins(t, func(n int, c net.Conn) {
			head(c)
			if n == 3 {
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n3")
			}
		})
		target.Attempts = 3
		r := get("/")
		r.Method = tt.method
		resp, err := newClient(t, Options{}).Fetch(t.Context(), target, r)
		if tt.want == "" {
			if KindOf(err) != Closed {
				t.Errorf("%s: got %v", tt.method, err)
			}
		} else if got := read(t, resp, err); got != tt.want {
			t.Errorf("%s: got %q", tt.method, got)
		}
	}
}

// TestEarlyAnswer: an origin may answer while the body is still being sent.
func TestEarlyAnswer(t *testing.T) {
	target := origins(t, func(_ int, c net.Conn) {
		head(c)
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		io.Copy(io.Discard, c)
	})
	body, feed := io.Pipe()
	defer feed.Close()
	go feed.Write([]byte("some"))
	r := get("/")
	r.Method, r.Body, r.ContentLength = "POST", body, -1
	resp, err := newClient(t, Options{}).Fetch(t.Context(), target, r)
	if got := read(t, resp, err); got != "big" || resp.Status != 413 {
		t.Errorf("got %d %q", resp.Status, got)
	}
}

func TestBrokenUpload(t *testing.T) {
	target := origins(t, func(_ int, c net.Conn) { io.Copy(io.Discard, c) })
	r := get("/")
	r.Method, r.Body, r.ContentLength = "POST", io.MultiReader(strings.NewReader("abc"), broken{}), -1
	start := time.Now()
	if _, err := newClient(t, Options{}).Fetch(t.Context(), target, r); err == nil || time.Since(start) > time.Second {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
}

func TestProxies(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "secure "+r.Host) }))
	defer s.Close()
	var asked string
	proxy := origins(t, func(_ int, c net.Conn) {
		first := head(c)
		asked, _, _ = strings.Cut(first, "\r\n")
		if !strings.HasPrefix(first, "CONNECT ") {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
			return
		}
		up, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			return
		}
		defer up.Close()
		io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n")
		go io.Copy(up, c)
		io.Copy(c, up)
	})
	c := newClient(t, Options{Proxy: func(Target) (*url.URL, error) { return url.Parse("http://" + proxy.address()) }})
	resp, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "far.example"}, get("/x?y"[:2]))
	if got := read(t, resp, err); got != "plain" || asked != "GET http://origin.example/x HTTP/1.1" {
		t.Errorf("got %q for %q", got, asked)
	}
	resp, err = c.Fetch(t.Context(), Target{Scheme: "https", Host: "far.example", SkipVerify: true}, get("/"))
	if got := read(t, resp, err); got != "secure origin.example" || asked != "CONNECT far.example:443 HTTP/1.1" {
		t.Errorf("got %q for %q", got, asked)
	}
}

// TestThrough puts server and client together: what comes in goes out to an origin and back, streams and tunnels included.
func TestThrough(t *testing.T) {
	target := origins(t, func(_ int, c net.Conn) {
		r := bufio.NewReader(c)
		for {
			q, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			b, _ := io.ReadAll(q.Body)
			switch q.URL.Path {
			case "/ws":
				io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nwelcome ")
				io.Copy(c, r)
				return
			case "/stream":
				io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
				io.WriteString(c, "2\r\nde\r\n0\r\n\r\n")
			case "/cut":
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
				return
			default:
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+strconv.Itoa(len(b))+"\r\n\r\n"+string(b))
			}
		}
	})
	c := newClient(t, Options{})
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		resp, err := c.Fetch(ctx, target, r)
		if err != nil {
			return message.Text(502, "", err.Error())
		}
		return resp
	})
	front := origins(t, func(_ int, conn net.Conn) { http1.ServeConn(context.Background(), conn, http1.Options{Handler: h}) })
	conn, err := net.Dial("tcp", front.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	r := bufio.NewReader(conn)
	ask := func(in string) (string, error) {
		io.WriteString(conn, in)
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	big := strings.Repeat("0123456789", 20_000)
	for in, want := range map[string]string{
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello":                                     "hello",
		"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n" + big:                               big,
		"POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n1\r\n!\r\n0\r\n\r\n": "wiki!",
		"GET /stream HTTP/1.1\r\nHost: h\r\n\r\n":                                                              "abcde",
	} {
		for range 3 {
			if got, err := ask(in); got != want || err != nil {
				t.Errorf("%.40q: got %.40q, %v", in, got, err)
			}
		}
	}
	if got, err := ask("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n"); err == nil {
		t.Errorf("a body that was cut came through as %q", got)
	}
	conn2, err := net.Dial("tcp", front.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn2.Close()
	io.WriteString(conn2, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello")
	conn2.(*net.TCPConn).CloseWrite()
	if b, _ := io.ReadAll(conn2); !strings.HasPrefix(string(b), "HTTP/1.1 101 ") || !strings.HasSuffix(string(b), "\r\n\r\nwelcome hello") {
		t.Errorf("got %q", b)
	}
}

func TestNoDescriptorLeak(t *testing.T) {
	count := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("no /proc here: %v", err)
		}
		return len(d)
	}
	before := count()
	func() {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ends := make(chan struct{}, 100)
		target := origins(t, func(n int, c net.Conn) {
			defer func() { ends <- struct{}{} }()
			head(c)
			switch n % 3 {
			case 0:
				io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
			case 1:
				io.WriteString(c, "nonsense\r\n")
			}
		})
		c := newClient(t, Options{})
		for range 60 {
			if resp, err := c.Fetch(ctx, target, get("/")); err == nil {
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			<-ends
		}
		c.Close()
	}()
	for range 200 {
		if count() <= before+2 { // the listener, and the poller that it may have started
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d descriptors, %d before", count(), before)
}
