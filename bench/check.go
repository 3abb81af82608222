package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/foregate/foregate/bench/body"
)

// loadFields are sent by every request, as a browser would.
var loadFields = [][2]string{
	{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"},
	{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"},
	{"Accept-Encoding", "gzip, br"},
	{"Accept-Language", "en-GB,en;q=0.9"},
}

// checker looks at answers from the side, while load runs: the load generators see status and length only.
type checker struct {
	client *http.Client
	url    string
	p      *process
	s      scenario
	want   []byte
}

func newChecker(p *process, s scenario) *checker {
	t := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, TLSClientConfig: clientTLS(p)}
	t.Protocols.SetHTTP1(s.protocol != tls2)
	t.Protocols.SetHTTP2(s.protocol == tls2)
	addr, scheme := p.address(s.protocol), "https"
	if s.protocol == clear1 {
		scheme = "http"
	}
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	return &checker{
		client: &http.Client{Transport: t, Timeout: 10 * time.Second}, url: scheme + "://" + p.host + s.path, p: p, s: s,
		want: body.Make(body.Sizes[s.size]),
	}
}

// clientTLS trusts whatever is on loopback; the curve is one that OpenSSL 3.0 has too.
func clientTLS(p *process) *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, ServerName: p.host, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
	}
}

// address is where the server speaks a protocol.
func (p *process) address(proto protocol) string {
	if proto == clear1 {
		return p.clear
	}
	return p.tls
}

func (c *checker) close() { c.client.CloseIdleConnections() }

// check makes one request; the telling field must begin with the given text.
func (c *checker) check(ctx context.Context, field string) error {
	req, err := http.NewRequestWithContext(ctx, "GET", c.url, nil)
	if err != nil {
		return err
	}
	for _, f := range loadFields {
		req.Header.Set(f[0], f[1])
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if v := resp.Header.Get(c.p.server.field); !strings.HasPrefix(v, field) {
		return fmt.Errorf("%s of %s is %q, not %q", c.p.server.field, c.url, v, field)
	}
	if resp.StatusCode != 200 || len(got) != len(c.want) || sha256.Sum256(got) != sha256.Sum256(c.want) {
		return fmt.Errorf("%s answers %s with %d bytes %.200q", c.url, resp.Status, len(got), bytes.TrimSpace(got))
	}
	return nil
}

// expected is what the server's telling field must begin with.
func (c *checker) expected() string {
	if c.s.hit {
		return c.p.server.hit
	}
	return c.p.server.pass
}

// warm asks until the answer is what the scenario wants, three times in a row: some caches need a moment, and some do not
// tell whether an answer was a hit, so the origin is asked.
func warm(ctx context.Context, p *process, s scenario) (err error) {
	c := newChecker(p, s)
	defer c.close()
	good := 0
	for range 60 {
		var before, after int64
		if before, err = served(ctx, p.origin); err == nil {
			err = c.check(ctx, c.expected())
		}
		if after, _ = served(ctx, p.origin); err == nil && s.hit && after != before {
			err = fmt.Errorf("the origin was asked for %s, which should be a hit", c.url)
		}
		if good++; err != nil {
			good = 0
		}
		if good == 3 || ctx.Err() != nil {
			return ctx.Err()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// watch checks answers four times a second until stop is closed.
func (c *checker) watch(ctx context.Context, stop <-chan struct{}) error {
	defer c.close()
	every := time.NewTicker(250 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case <-stop:
			return nil
		case <-every.C:
			if err := c.check(ctx, c.expected()); err != nil {
				return err
			}
		}
	}
}
