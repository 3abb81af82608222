package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// protocol is how clients speak to the server.
type protocol int

const (
	clear1 protocol = iota // HTTP/1.1
	tls1                   // HTTP/1.1 over TLS 1.3
	tls2                   // HTTP/2 over TLS 1.3
	quic3                  // HTTP/3
)

// scenario is one row of the report.
type scenario struct {
	name, title, unit string
	protocol          protocol
	path, size        string // size is a key of body.Sizes
	hit               bool   // the origin must not be asked
	connections       int
	behaviors         []string
	sites             int        // how many hosts there are; 0 for one. Requests go to all of them in turn
	objects           bool       // the cache must have room for b.objects
	random            int        // ask for so many objects at random
	parts             []scenario // what start measures besides, each a row of its own
	extra, once       bool       // extra: runs only by name; once: one round is enough
	needs             ability
	only              string // the server that it applies to, when it is but one
	measure           func(ctx context.Context, b *bench, p *process, s scenario) (value, error)
	start             func(ctx context.Context, b *bench, srv server, s scenario) ([]value, error)
}

// value is one measurement.
type value struct {
	Value float64 `json:"value"` // in the scenario's unit
	Note  string  `json:"note,omitempty"`
}

const perRequest = "µs/request"

// scenarios are all, in the order of the report.
func scenarios() []scenario {
	return slices.Concat(hits(), passes(), large(), handshakeScenarios(), memories(), starts())
}

func hit(size string, p protocol) scenario {
	suffix := [...]string{"", "-tls", "-h2", "-h3"}[p]
	protocols := [...]string{"HTTP/1.1", "HTTP/1.1, TLS 1.3", "HTTP/2, 16 streams", "HTTP/3, 16 streams"}
	sizes := map[string]string{"500": "500 bytes", "1k": "1 KiB", "64k": "64 KiB", "1m": "1 MiB"}
	s := scenario{
		name: "hit-" + size + suffix, title: "hit, " + sizes[size] + ", " + protocols[p], unit: perRequest, protocol: p,
		path: "/hit/" + size, size: size, hit: true, connections: 64, measure: load,
	}
	if p == quic3 {
		s.needs, s.measure, s.connections = http3, loadHTTP3, 8
	}
	return s
}

func pass(size string, p protocol) scenario {
	s := hit(size, p)
	s.name, s.title, s.path, s.hit = "pass-"+s.name[len("hit-"):], "pass-through"+s.title[len("hit"):], "/pass/"+size, false
	if size == "1m" {
		s.connections = 16
		s.title = strings.Replace(s.title, ", 16 streams", ", one stream a connection", 1)
	}
	return s
}

func hits() (out []scenario) {
	for _, size := range []string{"1k", "64k"} {
		for _, p := range []protocol{clear1, tls1, tls2, quic3} {
			out = append(out, hit(size, p))
		}
	}
	return out
}

func passes() []scenario {
	return []scenario{
		pass("500", clear1), pass("500", tls1), pass("500", tls2), extra(pass("500", quic3)),
		pass("1m", clear1), extra(pass("1m", tls1)), extra(pass("1m", tls2)),
	}
}

// large are configurations and caches of many.
func large() []scenario {
	many := hit("1k", clear1)
	many.name, many.title, many.behaviors = "behaviors-75", many.title+", the last of 75 behaviors", behaviors(75)
	many.path = "/" + many.behaviors[len(many.behaviors)-1] + "/1k"
	sites := hit("1k", clear1)
	sites.name, sites.title, sites.sites = "sites-1000", sites.title+", 1,000 distributions in turn", 1000
	among := hit("1k", clear1)
	among.name, among.title = "hit-objects", among.title+", a million objects at random"
	objects := scenario{
		name: "objects", title: "memory of an object of 1 KiB beyond its body, with a million of them", unit: "bytes/object", once: true,
		path: "/obj/0/1k", size: "1k", connections: 64, objects: true, needs: cached, parts: []scenario{among}, start: manyObjects,
	}
	return []scenario{many, sites, objects}
}

func handshakeScenarios() []scenario {
	full := hit("1k", tls1)
	full.name, full.title, full.unit, full.connections = "handshake", "TLS 1.3 handshake, full, with one request", "µs/connection", 8
	full.measure = fullHandshakes
	resumed := full
	resumed.name, resumed.title, resumed.measure = "handshake-resumed", "TLS 1.3 handshake, resumed, with one request", resumedHandshakes
	return []scenario{full, resumed}
}

func memories() []scenario {
	idle := hit("1k", clear1)
	idle.name, idle.title, idle.unit = "idle", "memory of an idle connection, 10,000 of them, HTTP/1.1", "KiB/connection"
	idle.once, idle.measure, idle.connections = true, idleMemory, 10000
	idleTLS := idle
	idleTLS.name, idleTLS.title, idleTLS.protocol = "idle-tls", "memory of an idle connection, 10,000 of them, TLS 1.3", tls1
	return []scenario{idle, idleTLS}
}

func starts() []scenario {
	start := scenario{
		name: "start", title: "start to first answer, the configuration of these benchmarks", unit: "ms", size: "1k", path: "/hit/1k",
		start: firstAnswer,
	}
	sites := start
	sites.name, sites.title, sites.sites = "start-sites", "start to first answer, 1,000 distributions", 1000
	example := start
	example.name, example.title = "start-example", "start to first answer, `examples/orders/fixed.yaml`, with its Python function"
	example.only, example.start = "foregate-up", firstExample
	return []scenario{start, sites, example}
}

func extra(s scenario) scenario {
	s.extra = true
	return s
}

// behaviors are the first parts of n paths.
func behaviors(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("b%02d", i+1))
	}
	return names
}

// sites are n names for the peers' hosts; Foregate's distributions have names of their own.
func sites(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("s%04d", i+1))
	}
	return names
}

// chooseScenarios returns the named ones, or those that run by default.
func chooseScenarios(names []string) (out []scenario, err error) {
	for _, name := range names {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario is called %q: bench/run -h lists them", name)
		}
		out = append(out, scenarios()[i])
	}
	if len(out) > 0 {
		return out, nil
	}
	return slices.DeleteFunc(scenarios(), func(s scenario) bool { return s.extra }), nil
}
