package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/http1"
)

// serving starts a node with a template on a port of its own; the returned function ends it.
func serving(t *testing.T, file string, change ...func(*Options)) (n *Node, end func()) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Region: "us-east-1", Account: "000000000000", Listen: ln.Addr().String(), Log: t.Logf}
	for _, f := range change {
		f(&o)
	}
	n, err = NewNode(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := n.load(t.Context(), &sourceFlags{}, []string{file}); err != nil || diag.Worst(found) == diag.Error {
		t.Fatal(err, found)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, &sockets{tcp: ln}) }()
	return n, func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}

// resources counts what must not leak.
type held struct{ goroutines, descriptors, children int }

func count(t *testing.T) held {
	t.Helper()
	h := held{goroutines: runtime.NumGoroutine()}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		h.descriptors = len(fds)
	}
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, task := range tasks {
		b, _ := os.ReadFile(task)
		h.children += len(strings.Fields(string(b)))
	}
	return h
}

// settled waits until no more is held than before: ends of connections and processes are seen a moment later.
func settled(t *testing.T, before held) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		runtime.GC()
		now := count(t)
		if now.goroutines <= before.goroutines && now.descriptors <= before.descriptors && now.children <= before.children {
			return
		}
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("held before %+v, after %+v\n%s", before, now, buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// get asks over a kept connection.
func get(c *http1.ClientConn, n *Node, url string) (int, error) {
	r, err := n.requestTo("GET", url)
	if err != nil {
		return 0, err
	}
	resp, err := c.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closed := resp.Body.Close(); err == nil {
		err = closed
	}
	return resp.Status, err
}

// load sends requests on kept connections, clients at once.
func load(t *testing.T, n *Node, url string, clients, each int) {
	t.Helper()
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			nc, err := net.Dial("tcp", n.opts.Listen)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			c := http1.NewClientConn(nc, http1.ClientOptions{})
			for range each {
				if status, err := get(c, n, url); err != nil || status != 200 {
					t.Errorf("status %d, %v", status, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// unhurried is a copy of the template whose function has all the time that API Gateway gives it: a hundred interpreters that start at
// once on a busy machine take longer than the three seconds that functions have by default.
func unhurried(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(b), "      Handler: index.handler\n", "      Handler: index.handler\n      Timeout: 29\n", 1)
	if text == string(b) {
		t.Fatalf("%s has no function to give time to", file)
	}
	copied := filepath.Join(t.TempDir(), filepath.Base(file))
	if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return copied
}

// Ten thousand requests, a hundred at once, through CloudFront, API Gateway and a function: nothing is left behind.
func TestManyRequestsLeaveNothing(t *testing.T) {
	each := 100
	if testing.Short() {
		each = 10
	}
	before := count(t)
	n, end := serving(t, unhurried(t, filepath.Join("..", "..", "examples", "orders", "fixed.yaml")))
	load(t, n, "http://"+n.hostOf("Site")+"/orders?limit=1", 100, each)
	end()
	settled(t, before)
}

// Reloads under traffic: no request is lost, and nothing of the replaced plans stays.
func TestReloadsUnderTraffic(t *testing.T) {
	reloads := 1000
	if testing.Short() {
		reloads = 20
	}
	before := count(t)
	file := unhurried(t, filepath.Join("..", "..", "examples", "orders", "fixed.yaml"))
	n, end := serving(t, file)
	url := "http://" + n.hostOf("Site") + "/orders"
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			nc, err := net.Dial("tcp", n.opts.Listen)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			c := http1.NewClientConn(nc, http1.ClientOptions{})
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, err := get(c, n, url); err != nil || status != 200 {
					t.Error(fmt.Errorf("status %d: %w", status, err))
					return
				}
			}
		})
	}
	var heap [2]uint64
	for i := range reloads {
		if _, found, err := n.load(t.Context(), &sourceFlags{}, []string{file}); err != nil || diag.Worst(found) == diag.Error {
			t.Fatal(err, found)
		}
		if i == reloads/10 || i == reloads-1 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			heap[min(i/(reloads/5), 1)] = m.HeapAlloc
		}
	}
	close(stop)
	wg.Wait()
	// Plans are a few hundred KiB: were they kept, reloads would add tens of MiB.
	if heap[1] > heap[0]+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes over %d reloads", heap[0], heap[1], reloads)
	}
	end()
	settled(t, before)
}
