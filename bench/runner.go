package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// scenario measures all servers in turn, round by round. A server that answers wrongly, or not at all, is left out of the
// rounds that remain, and its failure goes into the report; the error is for what stops the others too.
func (b *bench) scenario(ctx context.Context, s scenario, servers []server) ([]result, error) {
	o, err := b.startOrigin(ctx)
	if err != nil {
		return nil, err
	}
	defer o.stop()
	servers = slices.DeleteFunc(slices.Clone(servers), func(srv server) bool {
		return s.only != "" && s.only != srv.name || srv.able&s.needs != s.needs
	})
	t := newTurns(b, s, servers)
	if s.start != nil { // starts its servers itself, so nothing may run before
		t.measure = func(ctx context.Context, i int) ([]value, error) {
			before := machineUse([]*process{o})
			vs, err := s.start(ctx, b, servers[i], s)
			t.others = append(t.others, machineUse([]*process{o}).othersSince(before)) // its server is a finished child by now
			return vs, err
		}
		err := t.run(ctx)
		return t.results(), err
	}
	defer func() {
		for _, p := range t.running {
			p.stop()
		}
	}()
	for i, srv := range servers {
		t.fail(i, func() (err error) {
			if t.running[i], err = b.start(ctx, srv, s); err != nil {
				return fmt.Errorf("start: %w", err)
			}
			if err := warm(ctx, t.running[i], s); err != nil {
				return fmt.Errorf("wrong answer: %w\n%s", err, t.running[i].output())
			}
			return nil
		}())
	}
	t.measure = func(ctx context.Context, i int) ([]value, error) {
		before := machineUse(append(t.alive(), o))
		v, err := s.measure(ctx, b, t.running[i], s)
		if share := machineUse(append(t.alive(), o)).othersSince(before); err == nil {
			t.others = append(t.others, share)
		}
		return []value{v}, err
	}
	err = t.run(ctx)
	return t.results(), err
}

// turns are the rounds of a scenario.
type turns struct {
	b       *bench
	s       scenario
	names   []string
	running []*process
	rows    [][]row // for the scenario and each of its parts: a row for each server
	others  []float64
	measure func(ctx context.Context, i int) ([]value, error)
}

func newTurns(b *bench, s scenario, servers []server) *turns {
	t := &turns{b: b, s: s, running: make([]*process, len(servers))}
	for _, srv := range servers {
		t.names = append(t.names, srv.name)
	}
	for range 1 + len(s.parts) {
		rows := make([]row, len(servers))
		for i, srv := range servers {
			rows[i].Server = srv.name
		}
		t.rows = append(t.rows, rows)
	}
	return t
}

func (t *turns) alive() []*process {
	return slices.DeleteFunc(slices.Clone(t.running), func(p *process) bool { return p == nil })
}

// fail notes why a server is out.
func (t *turns) fail(i int, err error) {
	if err == nil {
		return
	}
	fmt.Fprintf(t.b.log, "%-18s %-15s failed: %v\n", t.s.name, t.names[i], err)
	for part := range t.rows {
		t.rows[part][i].Failed = err.Error()
	}
}

// run makes the rounds.
func (t *turns) run(ctx context.Context) error {
	rounds := t.b.rounds
	if t.s.once {
		rounds = 1
	}
	for round := range rounds {
		if round > 0 && t.b.late() {
			return nil
		}
		for i, name := range t.names {
			if t.rows[0][i].Failed != "" {
				continue
			}
			vs, err := t.measure(ctx, i)
			if ctx.Err() != nil {
				return errors.Join(ctx.Err(), err)
			}
			t.fail(i, err)
			for part, v := range vs {
				if err == nil {
					t.rows[part][i].Values = append(t.rows[part][i].Values, v)
					fmt.Fprintf(t.b.log, "%-18s %-15s %8.2f %s  %s\n", t.s.name, name, v.Value, t.all()[part].unit, v.Note)
				}
			}
		}
	}
	return nil
}

// all are the scenario and its parts.
func (t *turns) all() []scenario { return append([]scenario{t.s}, t.s.parts...) }

func (t *turns) results() (out []result) {
	for part, s := range t.all() {
		out = append(out, result{
			Scenario: s.name, Seconds: t.b.seconds, Objects: t.b.objects, Load: loadAverage(), Others: median(t.others), Rows: t.rows[part],
		})
	}
	return out
}
