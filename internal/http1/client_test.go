package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// connected returns the two ends of a TCP connection on loopback.
func connected(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, _ := ln.Accept()
		accepted <- c
	}()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := <-accepted
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// responder answers each request on a connection, without allocating.
func responder(c net.Conn, answer string) {
	b := make([]byte, 64<<10)
	out := []byte(answer)
	n := 0
	for {
		m, err := c.Read(b[n:])
		if err != nil {
			return
		}
		if n += m; bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
			n = 0
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

func passThrough() *message.Request {
	return &message.Request{Method: "GET", Host: "origin.example", Path: "/a", Header: message.Header{
		{Name: "User-Agent", Value: "Amazon CloudFront"}, {Name: "X-Forwarded-For", Value: "192.0.2.1"}, {Name: "Via", Value: "1.1 x.cloudfront.net (CloudFront)"}, {Name: "X-Amz-Cf-Id", Value: "abc"},
	}}
}

var smallAnswer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\nDate: Sun, 22 Nov 2026 06:14:38 GMT\r\nServer: nginx\r\n" +
	"Cache-Control: no-store\r\nETag: \"abc\"\r\n\r\n" + strings.Repeat("x", 500)

// TestClientAllocations is the budget of an exchange: one string for the head of the answer, and one piece of memory, which is
// all that there is but for the body when memory is lent.
func TestClientAllocations(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	near, far := connected(t)
	go responder(far, smallAnswer)
	c := NewClientConn(near, ClientOptions{ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second})
	r, buf := passThrough(), make([]byte, 4096)
	var room *message.Room
	exchange := func() {
		c.Lend(room)
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if room != nil && resp != &room.Response {
			t.Fatal("the answer is not in the room")
		}
		if n, err := resp.Body.Read(buf); n != 500 || err != io.EOF {
			t.Fatal(n, err)
		}
		resp.Body.Close()
	}
	exchange()
	if n := testing.AllocsPerRun(500, exchange); n > 2 {
		t.Errorf("%v allocations an exchange, budget 2", n)
	}
	room = new(message.Room)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 500 {
		exchange()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 500; n > 512 {
		t.Errorf("%d bytes an exchange with memory that was lent, budget 512", n)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	near, far := connected(b)
	go responder(far, smallAnswer)
	c := NewClientConn(near, ClientOptions{ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second})
	r, buf := passThrough(), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		resp, err := c.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = resp.Body.Read(buf)
		}
		resp.Body.Close()
	}
}

// TestBigRequest: a request that the socket's buffer does not take at once arrives whole.
func TestBigRequest(t *testing.T) {
	near, far := connected(t)
	if err := errors.Join(near.SetWriteBuffer(1), far.SetReadBuffer(1)); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	go func() {
		all, err := serveOnce(far)
		if err != nil {
			all = err.Error()
		}
		got <- all
	}()
	r := passThrough()
	r.Method = "PUT"
	r.Header.Add("X-Long", strings.Repeat("y", 28<<10))
	body := strings.Repeat("z", oneWrite)
	r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	resp, err := NewClientConn(near, ClientOptions{ReadTimeout: time.Minute, WriteTimeout: time.Minute}).RoundTrip(r)
	if err != nil || resp.Status != 204 {
		t.Fatal(resp, err)
	}
	if in := <-got; !strings.HasSuffix(in, "\r\n\r\n"+body) {
		t.Errorf("%d bytes arrived", len(in))
	}
}

// serveOnce reads a request of oneWrite bytes behind its head and answers it.
func serveOnce(c net.Conn) (string, error) {
	var b []byte
	buf := make([]byte, 1000)
	for {
		n, err := c.Read(buf)
		b = append(b, buf[:n]...)
		if err != nil {
			return "", err
		}
		if i := bytes.Index(b, []byte("\r\n\r\n")); i >= 0 && len(b) == i+4+oneWrite {
			_, err = io.WriteString(c, "HTTP/1.1 204 No Content\r\n\r\n")
			return string(b), err
		}
	}
}

// until waits for something that the kernel or another goroutine does soon.
func until(done func() bool) {
	for !done() {
		runtime.Gosched()
	}
}

// TestNudge: the end of an idle connection that the poller forgot is found while an answer is awaited, and the request counts as
// never answered. So do bytes that came unasked.
func TestNudge(t *testing.T) {
	if !new(asker).able() && runtime.GOOS != "linux" {
		t.Skip("only the Linux way of asking misses anything")
	}
	near, far := connected(t)
	go responder(far, smallAnswer)
	c := NewClientConn(near, ClientOptions{ReadTimeout: time.Hour})
	exchange := func() error {
		resp, err := c.RoundTrip(passThrough())
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return err
	}
	if err := exchange(); err != nil {
		t.Fatal(err)
	}
	if !c.Healthy() {
		t.Error("an idle connection that is open looks broken")
	}
	far.CloseWrite() // and goes on reading, as one does that lingers
	until(func() bool { return look(near).ended })
	if c.Healthy() {
		t.Error("a connection that has ended looks healthy")
	}
	failed := make(chan error, 1)
	go func() { failed <- exchange() }()
	var err error
	until(func() bool {
		c.Nudge()
		select {
		case err = <-failed:
			return true
		default:
			return false
		}
	})
	if KindOf(err) != Broken || !errors.Is(err, io.EOF) || !c.Untouched() {
		t.Errorf("got %v, untouched %v", err, c.Untouched())
	}
}

// TestNudgeInVain: looking at connections that are well changes nothing, also when it comes right with the answer.
func TestNudgeInVain(t *testing.T) {
	near, far := connected(t)
	go responder(far, smallAnswer)
	c := NewClientConn(near, ClientOptions{ReadTimeout: time.Hour})
	stop := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				c.Nudge()
				runtime.Gosched()
			}
		}
	}()
	for range 30 {
		resp, err := c.RoundTrip(passThrough())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 500 {
			t.Fatal(len(b), err)
		}
	}
	close(stop)
	<-stopped
}

// TestUploadTime: the time for the answer begins when the body is out, however long that took.
func TestUploadTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		go io.Copy(io.Discard, server)
		defer server.Close()
		body, feed := io.Pipe()
		go func() {
			for i := range 10 {
				time.Sleep(2 * time.Second)
				io.WriteString(feed, strconv.Itoa(i))
			}
			feed.Close()
		}()
		start := time.Now()
		_, err := NewClientConn(client, ClientOptions{ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second}).RoundTrip(
			&message.Request{Method: "PUT", Host: "h", Path: "/", Body: body, ContentLength: 10})
		if KindOf(err) != Timeout || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		within(t, "given up", time.Since(start)-20*time.Second, 3*time.Second)
	})
}

// TestShortBody: nothing leaves of a request whose body is shorter than it says.
func TestShortBody(t *testing.T) {
	conn := &script{}
	_, err := NewClientConn(conn, ClientOptions{}).RoundTrip(&message.Request{Method: "PUT", Host: "h", Path: "/", Body: strings.NewReader("abc"), ContentLength: 4})
	if KindOf(err) != BadMessage || conn.out.Len() > 0 {
		t.Errorf("got %v, sent %q", err, conn.out.String())
	}
}

// TestPause: an origin that answers while the body pauses gets no more of the body when it has refused the request, and in no case
// another request on that connection: it may take the rest of the body for one.
func TestPause(t *testing.T) {
	for status, more := range map[string]bool{"200 OK": true, "302 Found": false, "408 Request Timeout": false, "500 Oops": false} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			var in bytes.Buffer
			go func() {
				b := make([]byte, 1000)
				for {
					n, err := server.Read(b)
					if err != nil {
						return
					}
					if in.Write(b[:n]); bytes.HasSuffix(in.Bytes(), []byte("\r\n\r\nabc")) {
						go io.WriteString(server, "HTTP/1.1 "+status+"\r\nContent-Length: 2\r\n\r\nok")
					}
				}
			}()
			body, feed := io.Pipe()
			go func() {
				io.WriteString(feed, "abc")
				time.Sleep(time.Second)
				io.WriteString(feed, "GET /smuggled HTTP/1.1\r\n\r\n")
				feed.Close()
			}()
			reused := false
			c := NewClientConn(client, ClientOptions{ReadTimeout: time.Minute, WriteTimeout: time.Minute, Done: func(_ *ClientConn, reusable bool) { reused = reusable }})
			resp, err := c.RoundTrip(&message.Request{Method: "POST", Host: "h", Path: "/", Body: body, ContentLength: int64(len("abcGET /smuggled HTTP/1.1\r\n\r\n"))})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "ok" {
				t.Errorf("%s: got %q, %v", status, b, err)
			}
			synctest.Wait()
			if strings.Contains(in.String(), "smuggled") != more || reused {
				t.Errorf("%s: sent %q, reused %v", status, in.String(), reused)
			}
			c.Close()
			body.Close()
		})
	}
}

// TestManyLargeStreams: more streams than there are huge buffers arrive whole, and all buffers go back.
func TestManyLargeStreams(t *testing.T) {
	const size = 2 << 20
	open := make(chan struct{})
	var all sync.WaitGroup
	for range hugeMost + 5 {
		near, far := connected(t)
		all.Go(func() {
			s := &sender{w: &wire{conn: far}}
			s.copy(io.LimitReader(zeros{}, size), size)
			if s.failed != nil || s.broken != nil {
				t.Error(s.failed, s.broken)
			}
			putBuffer(s.out)
			far.Close()
		})
		all.Go(func() {
			<-open // until all of them are at it
			if n, err := io.Copy(io.Discard, near); n != size || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	close(open)
	all.Wait()
	if n := hugeOut.Load(); n != 0 {
		t.Errorf("%d huge buffers are out", n)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestShortWrite: an answer that is sent without telling the scheduler arrives whole when the socket takes it piece by piece, and
// fails in time when the client takes none of it.
func TestShortWrite(t *testing.T) {
	const size = shortWrite - 1000
	serve := func(o Options) (near *net.TCPConn, over chan struct{}) {
		near, far := connected(t)
		if err := far.SetWriteBuffer(1); err != nil {
			t.Fatal(err)
		}
		o.Handler = message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
			return &message.Response{Status: 200, ContentLength: size, Body: io.NopCloser(strings.NewReader(strings.Repeat("w", size)))}
		})
		over = make(chan struct{})
		go func() {
			defer close(over)
			ServeConn(t.Context(), far, o)
		}()
		return near, over
	}
	near, _ := serve(Options{})
	for range 3 {
		resp, err := NewClientConn(near, ClientOptions{Done: func(*ClientConn, bool) {}}).RoundTrip(passThrough())
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != strings.Repeat("w", size) {
			t.Fatal(len(b), err)
		}
	}
	near, over := serve(Options{WriteTimeout: time.Millisecond})
	for range 1000 { // more than the sockets hold
		if _, err := io.WriteString(near, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			break
		}
	}
	near.CloseWrite()
	<-over
}
