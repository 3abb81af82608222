package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/bench/body"
)

// counts are what a load generator has seen.
type counts struct {
	requests, bytes, failed int64 // bytes of bodies, for wrk with heads
}

// errHung is when a load generator does not end: h2load sometimes waits for nginx for ever on a busy machine.
var errHung = errors.New("the load generator hangs")

// load runs wrk or h2load against a server and returns the CPU time of a request. One that hangs gets two more tries.
func load(ctx context.Context, b *bench, p *process, s scenario) (v value, err error) {
	for range 3 {
		if v, err = loadOnce(ctx, b, p, s); !errors.Is(err, errHung) || ctx.Err() != nil {
			break
		}
		fmt.Fprintf(b.log, "%-18s %-15s %v\n", s.name, p.server.name, err)
	}
	return v, err
}

func loadOnce(ctx context.Context, b *bench, p *process, s scenario) (value, error) {
	args, err := b.wrk(p, s)
	if err != nil {
		return value{}, err
	}
	if s.protocol == tls2 {
		args = b.h2load(p, s)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(b.seconds)*time.Second+10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "OPENSSL_CONF="+b.dir+"/openssl.cnf")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	stop, checked := make(chan struct{}), make(chan error, 1)
	asked, err := served(ctx, p.origin)
	if err != nil {
		return value{}, err
	}
	user0, system0 := p.cpu()
	began := time.Now()
	go func() { checked <- newChecker(p, s).watch(ctx, stop) }()
	runErr := cmd.Run()
	took := time.Since(began)
	close(stop)
	checkErr := <-checked
	user1, system1 := p.cpu()
	if ctx.Err() != nil {
		return value{}, fmt.Errorf("%w: %s", errHung, args[0])
	}
	if runErr != nil {
		return value{}, fmt.Errorf("%s: %w\n%s", args[0], runErr, out.Bytes())
	}
	if checkErr != nil {
		return value{}, fmt.Errorf("an answer under load was wrong: %w", checkErr)
	}
	n, err := parse(out.Bytes(), s)
	if err != nil {
		return value{}, fmt.Errorf("%w\n%s", err, out.Bytes())
	}
	may := int64(0)
	if s.random > 0 {
		may = n.requests / 100 // a cache may have dropped some
	}
	if now, err := served(ctx, p.origin); err != nil || s.hit && now-asked > may {
		return value{}, fmt.Errorf("the origin was asked %d times during hits (%v)", now-asked, err)
	}
	cpu := user1 + system1 - user0 - system0
	return value{
		Value: float64(cpu.Nanoseconds()) / 1e3 / float64(n.requests),
		Note: fmt.Sprintf("%.0f/s, server's core %.0f%%, kernel %.0f%%", float64(n.requests)/took.Seconds(),
			100*cpu.Seconds()/took.Seconds(), 100*float64(system1-system0)/float64(max(cpu, 1))),
	}, nil
}

// wrk is the command for HTTP/1.1. Over TLS it asks for the name localhost, since it cannot connect elsewhere than to the
// name that it asks for.
func (b *bench) wrk(p *process, s scenario) ([]string, error) {
	url := "http://" + p.clear + s.path
	if s.protocol == tls1 {
		url = "https://localhost" + p.tls[len("127.0.0.1"):] + s.path
	}
	args := []string{"wrk", "-t1", "-c", strconv.Itoa(s.connections), "-d", strconv.Itoa(b.seconds) + "s", "-s", b.dir + "/wrk.lua", "-H", "Host: " + p.host}
	for _, f := range loadFields {
		args = append(args, "-H", f[0]+": "+f[1])
	}
	args = append(args, url)
	switch {
	case s.random > 0:
		args = append(args, "--", "objects", strconv.Itoa(s.random))
	case len(p.hosts) > 0:
		file := filepath.Join(b.dir, p.server.name+".hosts")
		if err := os.WriteFile(file, []byte(strings.Join(p.hosts, "\n")+"\n"), 0o644); err != nil {
			return nil, err
		}
		args = append(args, "--", "hosts", file)
	}
	return args, nil
}

// h2load is the command for HTTP/2: 16 streams on each of 32 connections; large answers come one at a time.
func (b *bench) h2load(p *process, s scenario) []string {
	clients, streams := "-c32", "-m16"
	if s.size == "1m" {
		clients, streams = "-c16", "-m1"
	}
	args := []string{"h2load", "-t1", clients, streams, "-D", strconv.Itoa(b.seconds), "--connect-to=" + p.tls}
	for _, f := range loadFields {
		args = append(args, "-H", f[0]+": "+f[1])
	}
	return append(args, "https://"+p.host+s.path)
}

var (
	wrkResult    = regexp.MustCompile(`RESULT (\d+) (\d+) (\d+) (\d+)`)
	h2loadCounts = regexp.MustCompile(`requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored`)
	h2loadStatus = regexp.MustCompile(`status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`)
	h2loadBytes  = regexp.MustCompile(`\((\d+)\) data`)
	h2loadTLS    = regexp.MustCompile(`TLS Protocol: TLSv1\.3[\s\S]*Application protocol: h2`)
)

// parse reads a load generator's result; anything but whole answers with status 200 is an error.
func parse(out []byte, s scenario) (counts, error) {
	var n counts
	if s.protocol == tls2 {
		c, st, d := h2loadCounts.FindSubmatch(out), h2loadStatus.FindSubmatch(out), h2loadBytes.FindSubmatch(out)
		if c == nil || st == nil || d == nil || !h2loadTLS.Match(out) {
			return n, fmt.Errorf("h2load gave no result, or not over HTTP/2 and TLS 1.3")
		}
		n = counts{number(c[1]), number(d[1]), number(c[3]) + number(c[4]) + number(st[1]) + number(st[2]) + number(st[3])}
	} else {
		m := wrkResult.FindSubmatch(out)
		if m == nil {
			return n, fmt.Errorf("wrk gave no result")
		}
		n = counts{number(m[1]), number(m[2]), number(m[3]) + number(m[4])}
	}
	if n.requests == 0 || n.failed != 0 {
		return n, fmt.Errorf("%d requests were answered, %d failed", n.requests, n.failed)
	}
	if size := int64(body.Sizes[s.size]); n.bytes < n.requests*size {
		return n, fmt.Errorf("%d answers had %d bytes, not %d each", n.requests, n.bytes, size)
	}
	return n, nil
}

func number(digits []byte) int64 {
	n, _ := strconv.ParseInt(string(digits), 10, 64)
	return n
}
