//go:build linux

package front

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/http1"
)

// sleeper tells how it was woken.
type sleeper struct{ woken chan bool }

func (s *sleeper) Wake(ready bool) { s.woken <- ready }

// pair is a connection over TCP.
func pair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	client, err = net.Dial("tcp", ln.Addr().String())
	must(t, err)
	server, err = ln.Accept()
	must(t, err)
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestLot(t *testing.T) {
	f := New(Options{})
	s := &sleeper{make(chan bool)}
	client, server := pair(t)
	c := &conn{f: f, nc: server}
	park := func(limit time.Duration) {
		t.Helper()
		if !c.Park(server, limit, s) {
			t.Fatal("not parked")
		}
	}
	wake := func(what string, want bool) {
		t.Helper()
		if got := <-s.woken; got != want {
			t.Errorf("%s: woken with %v", what, got)
		}
	}
	park(time.Hour)
	io.WriteString(client, "x")
	wake("bytes", true)
	park(-1)
	wake("bytes that were there", true)
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	park(time.Hour)
	if !f.lot.end(c) || f.lot.end(c) {
		t.Error("it can be ended once")
	}
	wake("ended", false)
	io.WriteString(client, "y") // the kernel reports the round before
	if _, err := server.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	park(0)
	f.lot.expire()
	wake("its time is over", false)
	park(time.Hour)
	f.lot.expire()
	client.Close()
	wake("other end closed", true)
	_, server2 := pair(t)
	c2 := &conn{f: f, nc: server2}
	if !c2.Park(server2, time.Hour, s) {
		t.Fatal("not parked")
	}
	f.lot.close()
	wake("lot closed", false)
	if c2.Park(server2, time.Hour, s) || f.lot.end(c2) {
		t.Error("a closed lot takes connections")
	}
	server2.Close()
	if (&Front{}).lot.watch.add(server2, 0, 0) {
		t.Error("a closed connection is watched")
	}
}

// Many connections over and over: each wakes once for each parking, with the right one.
func TestLotKeepsThemApart(t *testing.T) {
	f := New(Options{})
	defer f.lot.close()
	const many = 50
	type one struct {
		client, server net.Conn
		*sleeper
	}
	all := make([]one, many)
	for i := range all {
		client, server := pair(t)
		all[i] = one{client, server, &sleeper{make(chan bool, 1)}}
	}
	for round := range 5 {
		for i, o := range all {
			if !(&conn{f: f, nc: o.server}).Park(o.server, time.Hour, o) {
				t.Fatal("not parked")
			}
			if (i+round)%2 == 0 {
				io.WriteString(o.client, "z")
			}
		}
		for i, o := range all {
			if (i+round)%2 != 0 {
				io.WriteString(o.client, "z")
			}
			if !<-o.woken {
				t.Fatal("ended")
			}
			if _, err := o.server.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A connection is parked between requests, in clear and with TLS, and the goroutine of the first is gone.
func TestParkedConnection(t *testing.T) {
	f := New(Options{})
	client, server := pair(t)
	c := &conn{f: f, nc: server}
	f.conns[c] = struct{}{}
	f.wg.Add(1)
	returned := make(chan bool)
	go func() {
		returned <- http1.ServeConn(context.Background(), server, http1.Options{Handler: named("x"), Parker: c, Linger: time.Nanosecond})
	}()
	if <-returned {
		t.Fatal("over before the first request")
	}
	b := make([]byte, 4096)
	for range 100 {
		io.WriteString(client, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
		n, err := client.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 200 OK\r\n") {
			t.Fatalf("%q, %v", b[:n], err)
		}
	}
	client.Close()
	f.wg.Wait()
	if len(f.conns) != 0 {
		t.Error("an ended connection is remembered")
	}
}
