package http1

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// echo answers with what it saw.
var echo = message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
	var b strings.Builder
	b.WriteString(r.Method + " " + r.Scheme + "://" + r.Host + " " + r.Target() + "\n")
	for _, f := range r.Header {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		b.WriteString("\n" + string(body))
		if err != nil {
			b.WriteString("\n" + err.Error())
		}
	}
	return message.Text(200, "text/plain", b.String())
})

// serve runs ServeConn on a loopback connection and returns the client's end.
func serve(t testing.TB, o Options) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); ServeConn(context.Background(), s, o) }()
	t.Cleanup(func() { c.Close(); <-done })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// talk sends in, ends its side, and returns all that comes back.
func talk(t testing.TB, o Options, in string) string {
	t.Helper()
	c := serve(t, o)
	if _, err := io.WriteString(c, in); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read: %v after %q", err, b)
	}
	return string(b)
}

func TestServe(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"get", "GET /a/../b?x=1&y HTTP/1.1\r\nHost: Example.com:80\r\nX-Case: a  b \r\n\r\n", "GET http://Example.com /a/../b?x=1&y\nX-Case: a  b\n"},
		{"empty query", "GET /? HTTP/1.1\r\nHost: h\r\n\r\n", "GET http://h /?\n"},
		{"port kept", "GET / HTTP/1.1\r\nHost: h:8080\r\n\r\n", "GET http://h:8080 /\n"},
		{"body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", "\nhello"},
		{"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2;a=\"b\"\r\nlo\r\n0\r\nX: y\r\n\r\n", "\nhello"},
		{"absolute", "GET http://H.example/p HTTP/1.1\r\nHost: h.example:80\r\n\r\n", "GET http://H.example /p\n"},
		{"options", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS http://h *\n"},
		{"connection fields dropped", "GET / HTTP/1.1\r\nHost: h\r\nX-Hop: 1\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: 5\r\nUpgrade: h2c\r\nA: b\r\n\r\n", "GET http://h /\nA: b\n"},
		{"http/1.0", "GET / HTTP/1.0\r\n\r\n", "GET http:// /\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := talk(t, Options{Handler: echo}, tt.in)
			if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ") || !strings.HasSuffix(got, tt.want) {
				t.Errorf("got %q, want end %q", got, tt.want)
			}
		})
	}
}

func TestPipeline(t *testing.T) {
	got := talk(t, Options{Handler: echo}, "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi\r\nGET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /4 HTTP/1.1\r\nHost: h\r\n\r\n")
	if n := strings.Count(got, "HTTP/1.1 200"); n != 3 || strings.Contains(got, "/4") || !strings.Contains(got, "Connection: close") {
		t.Errorf("%d answers: %q", n, got)
	}
}

func TestContinue(t *testing.T) {
	c := serve(t, Options{Handler: echo})
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	r := bufio.NewReader(c)
	line, _ := r.ReadString('\n')
	if line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("got %q", line)
	}
	io.WriteString(c, "ok")
	c.(*net.TCPConn).CloseWrite()
	if b, _ := io.ReadAll(r); !strings.HasSuffix(string(b), "\nok") {
		t.Errorf("got %q", b)
	}
}

func TestContinueRefused(t *testing.T) {
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return message.Text(403, "", "no") })
	got := talk(t, Options{Handler: h}, "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
	if strings.Contains(got, "100 Continue") || !strings.Contains(got, "Connection: close") || !strings.HasSuffix(got, "no") {
		t.Errorf("got %q", got)
	}
}
