package http1

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// keeper is a Parker that keeps what is parked until the test wants it.
type keeper struct {
	parked chan Parked
	limit  time.Duration
	refuse bool
	over   chan struct{}
}

func (k *keeper) Park(_ net.Conn, limit time.Duration, p Parked) bool {
	if k.refuse {
		return false
	}
	k.limit = limit
	k.parked <- p
	return true
}

func (k *keeper) Over() { close(k.over) }

func TestParking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		k := &keeper{parked: make(chan Parked, 1), over: make(chan struct{})}
		served := make(chan bool)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			served <- ServeConn(ctx, server, Options{Handler: echo, Parker: k, IdleTimeout: 20 * time.Second, WriteTimeout: time.Second})
		}()
		start := time.Now()
		var p Parked
		for i := range 3 {
			if i > 0 {
				go p.Wake(true)
			}
			go io.WriteString(client, "GET /"+ask)
			head := make([]byte, 4096)
			if n, err := client.Read(head); err != nil || !strings.HasPrefix(string(head[:n]), "HTTP/1.1 200 ") {
				t.Fatalf("%q, %v", head[:n], err)
			}
			if served != nil {
				if <-served {
					t.Fatal("the connection is over")
				}
				served = nil
			}
			p = <-k.parked
			c := p.(*serverConn)
			if c.turn != nil || c.buf != nil {
				t.Error("a parked connection holds memory")
			}
			within(t, "parked", time.Since(start), time.Second)
			if k.limit < 18*time.Second || k.limit > 19*time.Second {
				t.Errorf("limit %v", k.limit)
			}
			time.Sleep(10 * time.Second)
			start = time.Now()
		}
		p.Wake(false)
		<-k.over
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	})
}

// What ends a connection ends it also when it comes back from the Parker, and a Parker that cannot watch it changes nothing.
func TestParkingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drain, stop := context.WithCancel(t.Context())
		client, server := net.Pipe()
		k := &keeper{parked: make(chan Parked, 1), over: make(chan struct{})}
		if ServeConn(t.Context(), server, Options{Handler: echo, Parker: k, Drain: drain}) {
			t.Fatal("over")
		}
		p := <-k.parked
		stop()
		p.Wake(true)
		<-k.over
		if _, err := client.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("after drain: %v", err)
		}
		client, server = net.Pipe()
		start := time.Now()
		if !ServeConn(t.Context(), server, Options{Handler: echo, Parker: &keeper{refuse: true}, IdleTimeout: 10 * time.Second}) {
			t.Error("not over")
		}
		within(t, "idle, not parked", time.Since(start), 10*time.Second)
		client.Close()
	})
}
