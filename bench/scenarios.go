package main

import (
	"context"
	"fmt"
	"slices"
)

// protocol is how clients speak to the server.
type protocol int

const (
	clear1 protocol = iota // HTTP/1.1
	tls1                   // HTTP/1.1 over TLS 1.3
	tls2                   // HTTP/2 over TLS 1.3
)

// scenario is one row of the report.
type scenario struct {
	name, title, unit string
	protocol          protocol
	path, size        string // size is a key of body.Sizes
	hit               bool   // the origin must not be asked
	connections       int
	behaviors         []string
	extra, once       bool   // extra: runs only by name; once: one round is enough
	only              string // the server that it applies to, when it is but one
	measure           func(ctx context.Context, b *bench, p *process, s scenario) (value, error)
	start             func(ctx context.Context, b *bench, srv server) (value, error)
}

// value is one measurement.
type value struct {
	value float64 // in the scenario's unit
	note  string
}

const perRequest = "µs/request"

// scenarios are all, in the order of the report.
func scenarios() []scenario {
	hit := func(size string, p protocol, suffix, title string) scenario {
		return scenario{
			name: "hit-" + size + suffix, title: "hit, " + title, unit: perRequest, protocol: p, path: "/hit/" + size, size: size,
			hit: true, connections: 64, measure: load,
		}
	}
	pass := func(size string, p protocol, suffix, title string) scenario {
		s := hit(size, p, suffix, title)
		s.name, s.title, s.path, s.hit = "pass-"+size+suffix, "pass-through, "+title, "/pass/"+size, false
		return s
	}
	big := pass("1m", clear1, "", "1 MiB, HTTP/1.1")
	big.connections = 16
	many := hit("1k", clear1, "", "1 KiB, HTTP/1.1, the last of 75 behaviors")
	many.name, many.behaviors = "behaviors-75", behaviors(75)
	many.path = "/" + many.behaviors[len(many.behaviors)-1] + "/1k"
	tls64, h264 := hit("64k", tls1, "-tls", "64 KiB, HTTP/1.1, TLS 1.3"), hit("64k", tls2, "-h2", "64 KiB, HTTP/2, 16 streams")
	handshake := scenario{
		name: "handshake", title: "TLS 1.3 handshake, full, with one request", unit: "µs/connection", protocol: tls1, path: "/hit/1k",
		size: "1k", hit: true, connections: 8, measure: fullHandshakes,
	}
	resumed := handshake
	resumed.name, resumed.title, resumed.measure = "handshake-resumed", "TLS 1.3 handshake, resumed, with one request", resumedHandshakes
	idle := hit("1k", clear1, "", "")
	idle.name, idle.title, idle.unit, idle.once, idle.measure = "idle", "memory of an idle connection, up to 10,000 of them, HTTP/1.1", "KiB/connection", true, idleMemory
	idle.connections = 10000
	idleTLS := idle
	idleTLS.name, idleTLS.title, idleTLS.protocol, idleTLS.extra = "idle-tls", "the same over TLS 1.3", tls1, true
	return []scenario{
		hit("1k", clear1, "", "1 KiB, HTTP/1.1"),
		hit("1k", tls1, "-tls", "1 KiB, HTTP/1.1, TLS 1.3"),
		hit("1k", tls2, "-h2", "1 KiB, HTTP/2, 16 streams"),
		hit("64k", clear1, "", "64 KiB, HTTP/1.1"), tls64, h264,
		pass("500", clear1, "", "500 bytes, HTTP/1.1"),
		big, many, handshake, resumed, idle,
		{
			name: "start", title: "start to first answer, the configuration of these benchmarks", unit: "ms", size: "1k", path: "/hit/1k",
			start: firstAnswer,
		},
		{
			name: "start-example", title: "start to first answer, `examples/orders/fixed.yaml`, with its Python function", unit: "ms",
			size: "1k", only: "foregate-up", start: firstExample,
		},
		extra(pass("500", tls1, "-tls", "500 bytes, HTTP/1.1, TLS 1.3")),
		extra(pass("500", tls2, "-h2", "500 bytes, HTTP/2, 16 streams")),
		idleTLS,
	}
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
