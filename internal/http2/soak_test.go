package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 frame by frame.

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/message"
)

// TestSoak has many clients reset, stall and vanish at random. In memory, goroutines that are left behind fail the test; over
// sockets the system mixes steps in other ways.
func TestSoak(t *testing.T) {
	t.Run("memory", bubble(func(t *testing.T) {
		soak(t, func() (a, b net.Conn) {
			x, y := newPipe(1000 + rand.IntN(100_000))
			return x, y
		}, func() { time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond) }) // of the bubble
		synctest.Wait()
	}))
	t.Run("sockets", func(t *testing.T) { soak(t, socketPair(t), func() {}) })
}

// socketPair returns what makes connections over loopback.
func socketPair(t *testing.T) func() (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return func() (a, b net.Conn) {
		if a, err = net.Dial("tcp", ln.Addr().String()); err == nil {
			b, err = ln.Accept()
		}
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
}

func soak(t *testing.T, connect func() (a, b net.Conn), pause func()) {
	h := message.HandlerFunc(func(ctx context.Context, r *message.Request) *message.Response {
		if r.Body != nil && r.Path != "/rude" {
			_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 50_000))
		}
		switch r.Path {
		case "/slow":
			message.Waiting(ctx)
			pause()
		case "/slower":
			pause()
		case "/broken":
			return &message.Response{Status: 200, ContentLength: -1, Body: io.NopCloser(io.MultiReader(strings.NewReader("abc"), broken{}))}
		}
		return message.Text(200, "text/plain", strings.Repeat("x", rand.IntN(200_000)))
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	for range 30 {
		a, b := connect()
		o := Options{Handler: h, WriteTimeout: 200 * time.Millisecond, BodyTimeout: 200 * time.Millisecond, IdleTimeout: 300 * time.Millisecond}
		r := newRawOn(t, a, b, o).hello()
		wg.Go(func() { r.misbehave(pause) })
	}
}

// misbehave sends requests and does odd things in between.
func (r *raw) misbehave(pause func()) {
	paths := []string{"/", "/slow", "/slower", "/broken", "/rude", "/quick"}
	if rand.IntN(3) > 0 {
		go func() { _, _ = io.Copy(io.Discard, r.nc) }()
	}
	for id := uint32(1); id < 400; id += 2 {
		body := rand.IntN(3) == 0
		r.open(id, !body, ":method: POST", ":scheme: http", ":authority: h", ":path: "+paths[rand.IntN(len(paths))],
			"priority: u="+string(rune('0'+rand.IntN(8)))+[]string{"", ", i"}[rand.IntN(2)])
		if body {
			_ = r.WriteData(id, rand.IntN(2) == 0, make([]byte, rand.IntN(3000)))
		}
		switch rand.IntN(6) {
		case 0:
			_ = r.WriteRSTStream(id, http2.ErrCodeCancel)
		case 1, 2:
			_ = r.WriteWindowUpdate(0, uint32(rand.IntN(100_000)+1))
			if id > 1 {
				_ = r.WriteWindowUpdate(id, uint32(rand.IntN(100_000)+1))
			}
		case 3:
			pause()
		}
	}
	if rand.IntN(2) == 0 {
		r.nc.Close()
	}
	<-r.done
	r.nc.Close()
}
