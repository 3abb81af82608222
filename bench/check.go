package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
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
	scheme string
	turn   int // counts requests: each goes to the next of many hosts
	p      *process
	s      scenario
	want   []byte
}

func newChecker(p *process, s scenario) *checker {
	c := &checker{p: p, s: s, scheme: "https", want: body.Make(body.Sizes[s.size])}
	if s.protocol == clear1 {
		c.scheme = "http"
	}
	c.client = &http.Client{Timeout: 10 * time.Second}
	if s.protocol == quic3 {
		c.client.Transport = newHTTP3(p)
		return c
	}
	t := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true, TLSClientConfig: clientTLS(p)}
	t.Protocols.SetHTTP1(s.protocol != tls2)
	t.Protocols.SetHTTP2(s.protocol == tls2)
	addr := p.address(s.protocol)
	t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	}
	c.client.Transport = t
	return c
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

func (c *checker) close() {
	c.client.CloseIdleConnections()
	if h3, ok := c.client.Transport.(io.Closer); ok {
		_ = h3.Close()
	}
}

// url is what is asked for in this turn.
func (c *checker) url() string {
	host := c.p.host
	if n := len(c.p.hosts); n > 0 {
		host = c.p.hosts[c.turn%n]
	}
	return c.scheme + "://" + host + c.s.path
}

// check makes one request; the telling field must begin with the given text.
func (c *checker) check(ctx context.Context, field string) error {
	url := c.url()
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
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
		return fmt.Errorf("%s of %s is %q, not %q", c.p.server.field, url, v, field)
	}
	if resp.StatusCode != 200 || len(got) != len(c.want) || sha256.Sum256(got) != sha256.Sum256(c.want) {
		return fmt.Errorf("%s answers %s with %d bytes %.200q", url, resp.Status, len(got), bytes.TrimSpace(got))
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

// warm asks until the answers are what the scenario wants, three times in a row, from each host when there are many: some
// caches need a moment, and some do not tell whether an answer was a hit, so the origin is asked.
func warm(ctx context.Context, p *process, s scenario) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second+time.Duration(len(p.hosts))*100*time.Millisecond)
	defer cancel()
	c := newChecker(p, s)
	defer c.close()
	for range max(1, len(p.hosts)) {
		if err := c.warm(ctx); err != nil {
			return err
		}
		c.turn++
	}
	return nil
}

func (c *checker) warm(ctx context.Context) (err error) {
	good := 0
	for range 60 {
		var before, after int64
		if before, err = served(ctx, c.p.origin); err == nil {
			err = c.check(ctx, c.expected())
		}
		if after, _ = served(ctx, c.p.origin); err == nil && c.s.hit && after != before {
			err = fmt.Errorf("the origin was asked for %s, which should be a hit", c.url())
		}
		if good++; err != nil {
			good = 0
			time.Sleep(time.Millisecond)
		}
		if good == 3 {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		if good > 0 && len(c.p.hosts) == 0 {
			time.Sleep(50 * time.Millisecond)
		}
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
			c.turn += 7
		}
	}
}
