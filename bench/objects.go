package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// fillTime bounds the filling of a cache: a server that is slower is measured with what it has.
const fillTime = 3 * time.Minute

// manyObjects fills a server's cache and returns what an object costs in memory beyond its body, and what a hit among them
// costs. Memory is compared with the same server whose cache is small and holds one object, since some reserve all of it when
// they start.
func manyObjects(ctx context.Context, b *bench, srv server, s scenario) ([]value, error) {
	small := s
	small.objects = false
	p, err := b.start(ctx, srv, small)
	if err != nil {
		return nil, err
	}
	if _, err = fill(ctx, p, 1); err == nil {
		err = settle(ctx)
	}
	before := p.memory()
	p.stop()
	if err != nil {
		return nil, err
	}
	if p, err = b.start(ctx, srv, s); err != nil {
		return nil, err
	}
	defer p.stop()
	began := time.Now()
	user0, system0 := p.cpu()
	n, err := fill(ctx, p, b.objects)
	if err != nil {
		return nil, err
	}
	user1, system1 := p.cpu()
	took := time.Since(began)
	if err := settle(ctx); err != nil {
		return nil, err
	}
	grown := p.memory() - before
	kept, err := sample(ctx, p, n)
	if err != nil {
		return nil, err
	}
	body := float64(1 << 10)
	if srv.able&onDisk != 0 {
		body = 0
	}
	memory := value{
		Value: float64(grown)*1024/(kept*float64(n)) - body,
		Note: fmt.Sprintf("%d objects in %s, %.1f µs of CPU each; kept %.1f %%; grew by %d MiB", n, took.Round(time.Second),
			float64((user1+system1-user0-system0).Microseconds())/float64(n), 100*kept, grown>>10),
	}
	if kept < 0.99 {
		return []value{memory}, nil // no hits to measure
	}
	hits, err := objectHits(ctx, b, p, n)
	return []value{memory, hits}, err
}

// settle gives a server time to give back what it needed while it was busy.
func settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-time.After(3 * time.Second):
	}
	return ctx.Err()
}

// each makes requests on several connections; next says what to ask for, until it says that it is enough.
func each(ctx context.Context, p *process, connections int, next func() (path string, ok bool)) error {
	var wg sync.WaitGroup
	errs := make(chan error, connections)
	for range connections {
		wg.Go(func() {
			nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.clear)
			if err != nil {
				errs <- err
				return
			}
			defer nc.Close()
			in := bufio.NewReader(nc)
			for path, ok := next(); ok && ctx.Err() == nil; path, ok = next() {
				if err := get(nc, in, p.host, path); err != nil {
					errs <- fmt.Errorf("get %s: %w", path, err)
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

// get makes one request on a connection and checks status and length of the answer. It sends what the load generators send,
// since Accept-Encoding may be in the cache key.
func get(nc net.Conn, in *bufio.Reader, host, path string) error {
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	req := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n"
	for _, f := range loadFields {
		req += f[0] + ": " + f[1] + "\r\n"
	}
	if _, err := io.WriteString(nc, req+"\r\n"); err != nil {
		return err
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && (n != 1<<10 || resp.StatusCode != 200) {
		err = fmt.Errorf("answer %s with %d bytes", resp.Status, n)
	}
	return err
}

func objectPath(n int) string { return fmt.Sprintf("/obj/%d/1k", n) }

// fill asks for n objects, each once, and returns how many it got in fillTime.
func fill(ctx context.Context, p *process, n int) (int, error) {
	var last atomic.Int64
	until := time.Now().Add(fillTime)
	err := each(ctx, p, min(64, n), func() (string, bool) {
		i := int(last.Add(1))
		return objectPath(i - 1), i <= n && time.Now().Before(until)
	})
	if n > 64 && int(last.Load()) <= n {
		n = int(last.Load()) - 64 // each connection has drawn one that it did not ask for
	}
	return n, err
}

// sample asks for some objects at random and returns which part of them was kept. Some servers write objects out behind
// their answers, so what was filled last is not in it.
func sample(ctx context.Context, p *process, n int) (kept float64, err error) {
	const asked = 2000
	before, err := served(ctx, p.origin)
	if err != nil {
		return 0, err
	}
	var done atomic.Int64
	err = each(ctx, p, 8, func() (string, bool) { return objectPath(rand.IntN(n)), done.Add(1) <= asked })
	if err != nil {
		return 0, err
	}
	after, err := served(ctx, p.origin)
	return max(float64(asked-(after-before)), 1) / asked, err
}

// objectHits measures hits at random. wrk's script for each request costs the load generator, not the server.
func objectHits(ctx context.Context, b *bench, p *process, n int) (value, error) {
	s := hit("1k", clear1)
	s.path, s.random = objectPath(0), n
	return load(ctx, b, p, s)
}
