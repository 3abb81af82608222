package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// piped runs ServeConn on one end of a pipe within a synctest bubble.
func piped(ctx context.Context, o Options) (client net.Conn, done chan struct{}) {
	client, server := net.Pipe()
	done = make(chan struct{})
	go func() { defer close(done); ServeConn(ctx, server, o) }()
	return client, done
}

// within fails unless d lies between low and a quarter more, which is how exact the engine's timeouts are.
func within(t *testing.T, what string, d, low time.Duration) {
	t.Helper()
	if d < low || d > low+low/4+time.Millisecond {
		t.Errorf("%s after %v, want %v", what, d, low)
	}
}

func TestServerTimeouts(t *testing.T) {
	tests := []struct {
		name, send string
		o          Options
		after      time.Duration
		answer     string
	}{
		{"idle at once", "", Options{IdleTimeout: 8 * time.Second}, 8 * time.Second, ""},
		{"idle, short", "", Options{IdleTimeout: 2 * time.Second}, 2 * time.Second, ""},
		{"idle behind a request", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", Options{IdleTimeout: 8 * time.Second}, 8 * time.Second, "HTTP/1.1 200 "},
		{"head", "GET / HTTP/1.1\r\nHo", Options{HeadTimeout: 3 * time.Second}, 3 * time.Second, "HTTP/1.1 408 "},
		{"body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe", Options{BodyTimeout: 4 * time.Second}, 4 * time.Second, "HTTP/1.1 408 "},
		{"chunk", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5", Options{BodyTimeout: 4 * time.Second}, 4 * time.Second, "HTTP/1.1 408 "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tt.o.Handler = echo
				c, done := piped(t.Context(), tt.o)
				start := time.Now()
				go io.WriteString(c, tt.send)
				b, err := io.ReadAll(c)
				if err != nil || !strings.HasPrefix(string(b), tt.answer) || tt.answer == "" && len(b) > 0 {
					t.Errorf("got %q, %v", b, err)
				}
				within(t, "closed", time.Since(start), tt.after)
				<-done
			})
		})
	}
}

func TestSlowHeadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, done := piped(t.Context(), Options{Handler: echo, HeadTimeout: 10 * time.Second})
		start := time.Now()
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for _, b := range []byte("GET / HTTP/1.1\r\nHost: h\r\nA: " + strings.Repeat("x", 1000)) {
				if _, err := c.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		}()
		b, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(b), "HTTP/1.1 408 ") {
			t.Errorf("got %q", b)
		}
		within(t, "cut", time.Since(start), 10*time.Second)
		c.Close()
		<-done
		<-sent
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
			return message.Text(200, "", strings.Repeat("x", 1<<20))
		})
		c, done := piped(t.Context(), Options{Handler: h, WriteTimeout: 5 * time.Second})
		start := time.Now()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		<-done
		within(t, "given up", time.Since(start), 5*time.Second)
		c.Close()
	})
}

func TestIdleGivesItsBufferBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		c := &serverConn{wire: wire{conn: server}, turn: &turn{}, o: Options{Linger: time.Second, IdleTimeout: time.Minute, HeadTimeout: time.Second, MaxHead: 4096}}
		c.sip.init(&c.wire)
		ready := make(chan bool)
		go func() { ready <- c.await() }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if c.buf != nil {
			t.Error("an idle connection holds a buffer")
		}
		go io.WriteString(client, "GET / HTTP/1.1\r\n")
		if !<-ready || string(c.buf[c.r:c.w]) != "GET / HTTP/1.1\r\n" {
			t.Errorf("got %q", c.buf[c.r:c.w])
		}
		client.Close()
	})
}

func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drain, cancel := context.WithCancel(t.Context())
		h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
			time.Sleep(5 * time.Second)
			return message.Text(200, "", "done")
		})
		idle, idleDone := piped(t.Context(), Options{Handler: h, Drain: drain})
		busy, busyDone := piped(t.Context(), Options{Handler: h, Drain: drain})
		go io.WriteString(busy, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		time.Sleep(time.Second)
		cancel()
		start := time.Now()
		if b, err := io.ReadAll(idle); err != nil || len(b) > 0 || time.Since(start) > 0 {
			t.Errorf("idle: got %q, %v after %v", b, err, time.Since(start))
		}
		if b, _ := io.ReadAll(busy); !strings.HasSuffix(string(b), "done") || !strings.Contains(string(b), "Connection: close") {
			t.Errorf("busy: got %q", b)
		}
		<-idleDone
		<-busyDone
	})
}

func TestCancelCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c, done := piped(ctx, Options{Handler: message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
			<-ctx.Done()
			return message.Text(200, "", "")
		})})
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		synctest.Wait()
		cancel()
		<-done
	})
}

func TestClientGone(t *testing.T) {
	gone := make(chan error, 1)
	h := message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
		select {
		case <-ctx.Done():
			gone <- nil
		case <-time.After(5 * time.Second):
			gone <- errors.New("the context of a client that has gone did not end")
		}
		return message.Text(200, "", "")
	})
	c := serve(t, Options{Handler: h, Watch: 5 * time.Millisecond})
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	c.Close()
	if err := <-gone; err != nil {
		t.Error(err)
	}
}

func TestClientTimeouts(t *testing.T) {
	for name, answer := range map[string]string{
		"answer": "", "rest of the head": "HTTP/1.1 200 OK\r\n", "body": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe",
		"behind an interim answer": "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				go func() {
					server.Read(make([]byte, 4096))
					io.WriteString(server, answer)
				}()
				start := time.Now()
				resp, err := NewClientConn(client, ClientOptions{ReadTimeout: 3 * time.Second}).RoundTrip(&message.Request{Method: "GET", Host: "h", Path: "/"})
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if KindOf(err) != Timeout {
					t.Errorf("got %v", err)
				}
				within(t, "given up", time.Since(start), 3*time.Second)
			})
		})
	}
}
