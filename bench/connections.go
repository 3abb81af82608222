package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func fullHandshakes(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	return handshakes(ctx, b, p, s)
}

func resumedHandshakes(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	s.name = "handshake-resumed"
	return handshakes(ctx, b, p, s)
}

// handshakes opens connections one after the other in each of several goroutines, with one request on each.
func handshakes(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	resume := s.name == "handshake-resumed"
	var done, fresh atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, s.connections)
	configs := make([]*tls.Config, s.connections)
	for i := range configs {
		configs[i] = clientTLS(p)
		configs[i].NextProtos = []string{"http/1.1"}
		if resume {
			configs[i].ClientSessionCache = tls.NewLRUClientSessionCache(4)
			if _, err := connectOnce(ctx, p, s, configs[i]); err != nil { // gets the first ticket
				return value{}, err
			}
		}
	}
	user0, system0 := p.cpu()
	began := time.Now()
	until := began.Add(time.Duration(b.seconds) * time.Second)
	for _, cfg := range configs {
		wg.Go(func() {
			for time.Now().Before(until) && ctx.Err() == nil {
				resumed, err := connectOnce(ctx, p, s, cfg)
				if err != nil {
					errs <- err
					return
				}
				if resumed != resume {
					fresh.Add(1)
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	user1, system1 := p.cpu()
	select {
	case err := <-errs:
		return value{}, err
	default:
	}
	v := value{
		Value: float64((user1 + system1 - user0 - system0).Nanoseconds()) / 1e3 / float64(max(done.Load(), 1)),
		Note:  fmt.Sprintf("%.0f/s", float64(done.Load())/took.Seconds()),
	}
	if resume && fresh.Load() > 0 {
		v.Note += fmt.Sprintf(", %d of %d not resumed", fresh.Load(), done.Load())
	}
	return v, nil
}

// connectOnce opens a connection, makes a request, and closes it when the answer is there.
func connectOnce(ctx context.Context, p *process, s scenario, cfg *tls.Config) (resumed bool, err error) {
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.tls)
	if err != nil {
		return false, err
	}
	tc := tls.Client(nc, cfg)
	defer tc.Close()
	if err := tc.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return false, err
	}
	if err := request(tc, bufio.NewReader(tc), p, s); err != nil {
		return false, err
	}
	return tc.ConnectionState().DidResume, nil
}

// request makes one request on a connection and reads its answer.
func request(w io.Writer, r *bufio.Reader, p *process, s scenario) error {
	if _, err := fmt.Fprintf(w, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", s.path, p.host); err != nil {
		return err
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
		return fmt.Errorf("answer %s with %d bytes: %w", resp.Status, n, err)
	}
	return nil
}

// idleMemory opens many connections, makes one request on each, leaves them alone, and sees what the server has grown by.
func idleMemory(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	s.connections = min(s.connections, b.files-1000) // some descriptors are needed for other things
	before := p.memory()
	conns := make([]net.Conn, 0, s.connections)
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	addr := p.address(s.protocol)
	var in *bufio.Reader
	for range s.connections {
		nc, err := (&net.Dialer{KeepAlive: -1}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return value{}, fmt.Errorf("connection %d: %w", len(conns)+1, err)
		}
		if s.protocol == tls1 {
			nc = tls.Client(nc, clientTLS(p))
		}
		conns = append(conns, nc)
		if in == nil {
			in = bufio.NewReader(nc)
		}
		in.Reset(nc)
		_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
		if err := request(nc, in, p, s); err != nil {
			if len(conns) > 100 {
				break // it takes no more: the note will say so
			}
			return value{}, fmt.Errorf("connection %d: %w", len(conns), err)
		}
	}
	time.Sleep(3 * time.Second)
	after, open := p.memory(), established(addr)
	v := value{Value: float64(after-before) / float64(max(open, 1)), Note: fmt.Sprintf("kept all of %d, grew by %d KiB", s.connections, after-before)}
	if open < s.connections {
		v.Note = fmt.Sprintf("kept %d of %d, grew by %d KiB", open, s.connections, after-before)
	}
	return v, nil
}

// established counts the connections of a listener on loopback (proc(5): /proc/net/tcp; state 01 is ESTABLISHED).
func established(addr string) (n int) {
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	local := fmt.Sprintf("0100007F:%04X", number)
	data, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 3 && f[1] == local && f[3] == "01" {
			n++
		}
	}
	return n
}

// firstAnswer starts a server and returns the time until it has answered correctly.
func firstAnswer(ctx context.Context, b *bench, srv server, s scenario) ([]value, error) {
	p, err := b.start(ctx, srv, s)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	c := newChecker(p, s)
	defer c.close()
	if err := c.check(ctx, ""); err != nil {
		return nil, err
	}
	v := value{Value: float64(time.Since(p.began).Microseconds()) / 1e3}
	if len(p.hosts) > 0 {
		v.Note = fmt.Sprintf("%d MiB of memory then", p.memory()>>10)
	}
	return []value{v}, nil
}

// firstExample is firstAnswer with the example of Foregate's README: a function behind an API.
func firstExample(ctx context.Context, b *bench, srv server, _ scenario) ([]value, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	example, err := filepath.Abs("examples/orders/fixed.yaml")
	if err != nil {
		return nil, err
	}
	p := &process{server: srv, clear: addr}
	defer p.stop()
	line, err := b.foregate(p, values{}, "up", "-o", "json", "--listen", addr, example)
	if err != nil {
		return nil, err
	}
	ready := time.Since(p.began)
	hosts, err := hostsOf(line, "AWS::CloudFront::Distribution")
	if err != nil {
		return nil, err
	}
	p.host = hosts[0]
	nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	if err := request(nc, bufio.NewReader(nc), p, scenario{path: "/orders"}); err != nil {
		return nil, err
	}
	return []value{{
		Value: float64(time.Since(p.began).Microseconds()) / 1e3,
		Note:  fmt.Sprintf("up was ready after %d ms, the rest is the function's first start", ready.Milliseconds()),
	}}, nil
}
