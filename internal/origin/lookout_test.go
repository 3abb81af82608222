package origin

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// TestAllocations is the budget of an exchange over a kept connection: the two of the protocol engine and none here.
func TestAllocations(t *testing.T) {
	if racing {
		t.Skip("the race detector makes pools forget")
	}
	target := origins(t, func(_ int, c net.Conn) {
		b, out := make([]byte, 4096), []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	})
	target.KeepAlive = time.Minute
	c := newClient(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, buf := get("/"), make([]byte, 100)
	fetch := func() {
		resp, err := c.Fetch(ctx, target, r)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := resp.Body.Read(buf); n != 2 || err != io.EOF {
			t.Fatal(n, err)
		}
		resp.Body.Close()
	}
	fetch()
	if n := testing.AllocsPerRun(500, fetch); n > 2 {
		t.Errorf("%v allocations a fetch, budget 2", n)
	}
}

// TestContextEnds: whenever in an exchange a context ends, the exchange ends soon after. The timer that sees to it stops.
func TestContextEnds(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, lookEvery, 10 * time.Second} {
		for _, answer := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"} {
			synctest.Test(t, func(t *testing.T) {
				c := newClient(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						head(far)
						io.WriteString(far, answer)
						io.Copy(io.Discard, far)
					}()
					return near, nil
				}})
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(after, cancel)
				start := time.Now()
				resp, err := c.Fetch(ctx, Target{Scheme: "http", Host: "h", ReadTimeout: time.Hour}, get("/"))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if KindOf(err) != Canceled {
					t.Errorf("got %v", err)
				}
				if d := time.Since(start); d < after || d > after+2*lookEvery {
					t.Errorf("ended after %v, the context after %v", d, after)
				}
				time.Sleep(time.Minute)
				if c.looking.Load() || c.active.Load() {
					t.Error("a timer runs while there is nothing to look at")
				}
			})
		}
	}
}

// TestContextOfLateConnection: a connection that was made for a pool that has been forgotten meanwhile ends with its context too.
func TestContextOfLateConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		go io.Copy(io.Discard, far)
		c := newClient(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) { return near, nil }})
		target := Target{Scheme: "http", Host: "h"}
		target.setDefaults()
		p, e := c.pool(&target)
		if e != nil {
			t.Fatal(e)
		}
		c.sweepIdle() // forgets the pool, which is empty
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := p.try(ctx, &target, get("/")); KindOf(err) != Canceled {
			t.Errorf("got %v", err)
		}
	})
}
