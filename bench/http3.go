package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	h3 "github.com/quic-go/quic-go/http3"

	"github.com/foregate/foregate/bench/body"
)

// streams is how many requests go over a connection at a time, as with h2load -m16.
const streams = 16

// newHTTP3 is a client of one connection.
func newHTTP3(p *process) *h3.Transport {
	return &h3.Transport{
		TLSClientConfig: clientTLS(p), DisableCompression: true,
		QUICConfig: &quic.Config{InitialStreamReceiveWindow: 1 << 20, InitialConnectionReceiveWindow: 16 << 20},
		Dial: func(ctx context.Context, _ string, tlsCfg *tls.Config, cfg *quic.Config) (*quic.Conn, error) {
			return quic.DialAddrEarly(ctx, p.tls, tlsCfg, cfg)
		},
	}
}

// loadHTTP3 is load over HTTP/3. No load generator in Debian speaks it, so this process makes the requests itself, with
// quic-go. It needs more than most servers do, so the server's core is never full; what counts is the server's CPU time.
func loadHTTP3(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	asked, err := served(ctx, p.origin)
	if err != nil {
		return value{}, err
	}
	clients := make([]*h3.Transport, s.connections)
	for i := range clients {
		clients[i] = newHTTP3(p)
		defer clients[i].Close()
		if err := getHTTP3(ctx, clients[i], p, s); err != nil { // connects
			return value{}, err
		}
	}
	var done atomic.Int64
	errs := make(chan error, 1+s.connections*streams)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() { errs <- newChecker(p, s).watch(ctx, stop) })
	user0, system0 := p.cpu()
	began := time.Now()
	until := began.Add(time.Duration(b.seconds) * time.Second)
	var load sync.WaitGroup
	for _, c := range clients {
		for range streams {
			load.Go(func() {
				for time.Now().Before(until) && ctx.Err() == nil {
					if err := getHTTP3(ctx, c, p, s); err != nil {
						errs <- err
						return
					}
					done.Add(1)
				}
			})
		}
	}
	load.Wait()
	took := time.Since(began)
	user1, system1 := p.cpu()
	close(stop)
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	if now, servedErr := served(ctx, p.origin); err == nil && (servedErr != nil || s.hit && now != asked) {
		err = fmt.Errorf("the origin was asked %d times during hits (%v)", now-asked, servedErr)
	}
	if err != nil || done.Load() == 0 {
		return value{}, fmt.Errorf("HTTP/3 load, %d answers: %w", done.Load(), err)
	}
	cpu := user1 + system1 - user0 - system0
	return value{
		Value: float64(cpu.Nanoseconds()) / 1e3 / float64(done.Load()),
		Note: fmt.Sprintf("%.0f/s, server's core %.0f%%, kernel %.0f%%", float64(done.Load())/took.Seconds(),
			100*cpu.Seconds()/took.Seconds(), 100*float64(system1-system0)/float64(max(cpu, 1))),
	}, nil
}

// getHTTP3 makes one request and checks status, length and protocol of the answer.
func getHTTP3(ctx context.Context, c *h3.Transport, p *process, s scenario) error {
	req, err := http.NewRequestWithContext(ctx, "GET", "https://"+p.host+s.path, nil)
	if err != nil {
		return err
	}
	for _, f := range loadFields {
		req.Header.Set(f[0], f[1])
	}
	resp, err := c.RoundTrip(req)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if err == nil && (resp.StatusCode != 200 || n != int64(body.Sizes[s.size]) || resp.ProtoMajor != 3) {
		err = fmt.Errorf("answer %s %s with %d bytes", resp.Proto, resp.Status, n)
	}
	return err
}
