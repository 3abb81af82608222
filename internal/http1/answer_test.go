package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// tallied counts the writes of a connection.
type tallied struct {
	net.Conn
	writes []int
}

func (c *tallied) Write(p []byte) (int, error) {
	c.writes = append(c.writes, len(p))
	return c.Conn.Write(p)
}

func stored(body string) message.Handler {
	return message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Path == "/slow" {
			time.Sleep(time.Second)
		}
		return &message.Response{Status: 200, ContentLength: int64(len(body)), Body: message.NewBytes([]byte(body)),
			Header: message.Header{{Name: "Date", Value: "x"}, {Name: "X-Path", Value: r.Path}}}
	})
}

const ask = " HTTP/1.1\r\nHost: h\r\n\r\n"

// Requests that come together are answered together, in one write; but no answer waits for a slow one behind it.
func TestPipelined(t *testing.T) {
	for _, c := range []struct {
		name, send string
		body       int
		writes     int
		first      time.Duration // when the first answer is there
	}{
		{"three", "GET /1" + ask + "GET /2" + ask + "GET /3" + ask, 1000, 1, 0},
		{"beginning of another", "GET /1" + ask + "GET /2" + ask + "GET /3 HT", 10, 1, 0},
		{"long ones", "GET /1" + ask + "GET /2" + ask + "GET /3" + ask, 20_000, 6, 0},
		{"the last is slow", "GET /1" + ask + "GET /2" + ask + "GET /slow" + ask, 10, 2, patience},
		{"a body behind", "GET /1" + ask + "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab", 10, 2, 0},
		{"nonsense behind", "GET /1" + ask + "nonsense\r\n\r\n", 10, 2, 0},
		{"close behind", "GET /1" + ask + "GET /2 HTTP/1.0\r\nHost: h\r\n\r\n", 10, 1, 0},
		{"an empty line behind", "GET /1" + ask + "\r\n", 10, 2, 0}, // and a 408
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := net.Pipe()
				conn := &tallied{Conn: server}
				done := make(chan struct{})
				go func() {
					defer close(done)
					ServeConn(t.Context(), conn, Options{Handler: stored(strings.Repeat("b", c.body)), IdleTimeout: 10 * time.Second, HeadTimeout: 10 * time.Second})
				}()
				start := time.Now()
				go io.WriteString(client, c.send)
				one := make([]byte, 1)
				if _, err := client.Read(one); err != nil || time.Since(start) != c.first {
					t.Errorf("first byte after %v, %v; want %v", time.Since(start), err, c.first)
				}
				rest, _ := io.ReadAll(client)
				all := string(one) + string(rest)
				want := strings.Count(c.send, ask)
				if n := strings.Count(all, "\r\n\r\n"+strings.Repeat("b", c.body)); n < want {
					t.Errorf("%d whole answers, want %d: %.500q", n, want, all)
				}
				if at := strings.Index(all, "X-Path: /2"); at >= 0 && at < strings.Index(all, "X-Path: /1") {
					t.Error("not in order")
				}
				<-done
				if n := len(conn.writes); n != c.writes && !(c.name == "beginning of another" && n == c.writes+1) { // the 408
					t.Errorf("writes of %v bytes, want %d", conn.writes, c.writes)
				}
			})
		})
	}
}

// An answer is the same whether its fields are shared or its own.
func TestSharedFields(t *testing.T) {
	all := message.Header{{Name: "Content-Type", Value: "a/b"}, {Name: "Content-Length", Value: "7"}, {Name: "Date", Value: "x"}, {Name: "X-1", Value: "1"},
		{Name: "X-2", Value: ""}, {Name: "Content-Type", Value: "c/d"}, {Name: "X-3", Value: "3"}}
	lines := func(h message.Header) *message.Lines {
		l, err := NewLines(h)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	f := responseFrame{length: 5, connection: "close", date: &dateClock{}}
	for from := range all {
		for at := from; at < len(all); at++ {
			for to := at; to < len(all); to++ {
				h := all[from:]
				plain, err := appendResponse(nil, &message.Response{Status: 200, Header: h}, &f)
				if err != nil {
					t.Fatal(err)
				}
				shared, err := appendResponse(nil, &message.Response{Status: 200, Before: [2]*message.Lines{lines(all[from:at]), nil},
					Header: all[at:to], After: lines(all[to:])}, &f)
				if err != nil || !bytes.Equal(plain, shared) {
					t.Fatalf("%v\nplain  %q\nshared %q", err, plain, shared)
				}
			}
		}
	}
	for _, bad := range []message.Field{{Name: "X Y", Value: ""}, {Name: "X", Value: "a\r\nb"}, {Name: "", Value: "a"}} {
		if _, err := NewLines(message.Header{bad}); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Bodies in memory leave in as few writes, or records, as they can.
func TestBodyInMemory(t *testing.T) {
	for _, c := range []struct {
		body int
		want []int // lengths of writes without the head, where a connection cannot gather
	}{
		{0, []int{0}}, {1, []int{1}}, {16 << 10, []int{0, 16 << 10}}, {20_000, []int{20_000 - record, record}}, {64 << 10, []int{0, 64 << 10}},
		{2*record - 10, []int{0, 2*record - 10}},
	} {
		conn := &tallied{Conn: &replay{requests: []string{"GET /" + ask}, left: 1}}
		ServeConn(t.Context(), conn, Options{Handler: stored(strings.Repeat("b", c.body))})
		sent := 0
		for _, n := range conn.writes {
			sent += n
		}
		head := sent - c.body
		if len(conn.writes) != len(c.want) || conn.writes[0] != head+c.want[0] {
			t.Errorf("%d bytes: writes of %v with a head of %d, want %v", c.body, conn.writes, head, c.want)
		}
	}
}

// Over TCP and TLS, bodies of all sizes arrive as they are, also shorter than they said.
func TestBodiesArrive(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	certificate := server.TLS.Certificates[0]
	server.Close()
	for _, encrypted := range []bool{false, true} {
		for _, n := range []int{0, 1, 3000, 4096, 16000, 16384, 20_000, 65_536, 300_000} {
			body := strings.Repeat("0123456789abcdef", n/16+1)[:n]
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			go func() {
				defer close(done)
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				if encrypted {
					conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
					if conn.(*tls.Conn).Handshake() != nil {
						return
					}
				}
				ServeConn(t.Context(), conn, Options{Handler: stored(body)})
			}()
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if encrypted {
				conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
			}
			io.WriteString(conn, "GET /1"+ask+"GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
			all, err := io.ReadAll(conn)
			conn.Close()
			ln.Close()
			<-done
			if _, rest, _ := strings.Cut(string(all), "\r\n\r\n"); err != nil || !strings.HasPrefix(rest, body+"HTTP/1.1 200 OK") || !strings.HasSuffix(rest, "\r\n\r\n"+body) {
				t.Errorf("TLS %v, %d bytes: %v, %d came", encrypted, n, err, len(all))
			}
		}
	}
}
