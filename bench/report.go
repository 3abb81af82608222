package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// result is what one scenario gave. It is saved as a line of JSON.
type result struct {
	Scenario string  `json:"scenario"`
	Seconds  int     `json:"seconds"`
	Objects  int     `json:"objects"`
	Load     string  `json:"load"`   // load average at the end
	Others   float64 `json:"others"` // share of a core that others used, in percent, median of the measurements
	Rows     []row   `json:"rows"`
}

// row is what was measured of one server.
type row struct {
	Server string  `json:"server"`
	Values []value `json:"values"`
	Failed string  `json:"failed,omitempty"` // why the server is out
}

func (r *result) failures() (n int) {
	for i := range r.Rows {
		if r.Rows[i].Failed != "" {
			n++
		}
	}
	return n
}

// of returns the row of a server, nil without figures.
func (r *result) of(server string) *row {
	i := slices.IndexFunc(r.Rows, func(o row) bool { return o.Server == server })
	if i < 0 || len(r.Rows[i].Values) == 0 || r.Rows[i].Failed != "" {
		return nil
	}
	return &r.Rows[i]
}

func (r *row) numbers() (out []float64) {
	for _, v := range r.Values {
		out = append(out, v.Value)
	}
	return out
}

// median is the middle one, of an even number the mean of both, of none 0.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// report collects results, saves them, and prints them as Markdown.
type report struct {
	Head    string `json:"head"` // the first line of the file
	servers []server
	results []result
	left    []string // scenarios that were not begun
	out     string
}

// openReport begins a report, or goes on with a saved one.
func openReport(ctx context.Context, b *bench, servers []server, sel selection) (*report, error) {
	r := &report{Head: reportHead(ctx, b), servers: servers, out: sel.out}
	if r.out == "" {
		return r, nil
	}
	if sel.resume {
		return r, r.load()
	}
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return r, os.WriteFile(r.out+".json", append(line, '\n'), 0o644)
}

func (r *report) load() error {
	f, err := os.Open(r.out + ".json")
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	defer f.Close()
	in := json.NewDecoder(bufio.NewReader(f))
	if err := in.Decode(r); err != nil {
		return fmt.Errorf("resume from %q: %w", f.Name(), err)
	}
	for in.More() {
		var res result
		if err := in.Decode(&res); err != nil {
			return fmt.Errorf("resume from %q: %w", f.Name(), err)
		}
		r.results = append(r.results, res)
	}
	return nil
}

func (r *report) has(scenario string) bool {
	return slices.ContainsFunc(r.results, func(o result) bool { return o.Scenario == scenario })
}

// add takes results in, and writes both files anew or longer.
func (r *report) add(results []result) error {
	r.results = append(r.results, results...)
	if r.out == "" {
		return nil
	}
	f, err := os.OpenFile(r.out+".json", os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for _, res := range results {
		line, marshalErr := json.Marshal(res)
		_, writeErr := f.Write(append(line, '\n'))
		err = errors.Join(err, marshalErr, writeErr)
	}
	return errors.Join(err, f.Close(), os.WriteFile(r.out, []byte(r.markdown()), 0o644))
}

func reportHead(ctx context.Context, b *bench) string {
	var head strings.Builder
	fmt.Fprintf(&head, "Measured on %s; %s, %d cores; Linux %s; load average at the start %s.\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		field("/proc/cpuinfo", "model name"), countCPUs(), release(), loadAverage())
	fmt.Fprintf(&head, "Rounds of %d s, %d of them, the servers in turn; medians, with the least and the most. Foregate %s built with %s", b.seconds, b.rounds, b.revision, runtime.Version())
	for _, p := range packages() {
		fmt.Fprintf(&head, "; %s %s", p, version(ctx, p))
	}
	head.WriteString(".\n")
	if b.profile != "" {
		head.WriteString("Foregate ran under its CPU profiler.\n")
	}
	return head.String()
}

func (r *report) markdown() string {
	var out strings.Builder
	out.WriteString(r.Head)
	r.table(&out, "", func(_ *result, own *row) string {
		n := own.numbers()
		if len(n) == 1 {
			return short(n[0])
		}
		return fmt.Sprintf("%s (%s–%s)", short(median(n)), short(slices.Min(n)), short(slices.Max(n)))
	})
	for _, ours := range r.servers {
		if ours.pkg != "" {
			continue
		}
		fmt.Fprintf(&out, "\nWhat a server needs, as a multiple of `%s`: above 1 Foregate is ahead.\n", strings.Replace(ours.name, "-", " ", 1))
		r.table(&out, ours.name, func(all *result, own *row) string {
			base := all.of(ours.name)
			if base == nil || median(base.numbers()) <= 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f", median(own.numbers())/median(base.numbers()))
		})
	}
	r.notes(&out)
	return out.String()
}

// ordered calls do with each scenario and its result, in the order of scenarios.
func (r *report) ordered(do func(s scenario, res *result)) {
	for _, top := range scenarios() {
		for _, s := range append([]scenario{top}, top.parts...) {
			for i := range r.results {
				if r.results[i].Scenario == s.name {
					do(s, &r.results[i])
				}
			}
		}
	}
}

// table prints a column for each server but the one called without.
func (r *report) table(out *strings.Builder, without string, cell func(all *result, own *row) string) {
	columns := slices.DeleteFunc(slices.Clone(r.servers), func(s server) bool { return s.name == without })
	out.WriteString("\n| |")
	rule := "\n| --- |"
	for _, s := range columns {
		out.WriteString(" " + s.name + " |")
		rule += " ---: |"
	}
	out.WriteString(rule + "\n")
	r.ordered(func(s scenario, res *result) {
		if without != "" && s.only != "" {
			return // nobody to compare with
		}
		mark := ""
		if res.Others >= loud {
			mark = " †"
		}
		fmt.Fprintf(out, "| %s, %s%s |", s.title, s.unit, mark)
		for _, srv := range columns {
			text := "–"
			if own := res.of(srv.name); own != nil {
				text = cell(res, own)
			}
			out.WriteString(" " + text + " |")
		}
		out.WriteString("\n")
	})
}

// notes prints what the figures do not tell.
func (r *report) notes(out *strings.Builder) {
	var lines []string
	loudest := 0.0
	r.ordered(func(s scenario, res *result) {
		loudest = max(loudest, res.Others)
		for _, row := range res.Rows {
			switch {
			case row.Failed != "":
				why, _, _ := strings.Cut(row.Failed, "\n")
				lines = append(lines, fmt.Sprintf("- %s, %s: FAILED: %s", s.name, row.Server, why))
			case len(row.Values) > 0:
				last := row.Values[len(row.Values)-1].Note
				if last != "" && (s.unit != perRequest && s.name != "handshake" || strings.Contains(last, "not resumed")) {
					lines = append(lines, fmt.Sprintf("- %s, %s: %s", s.name, row.Server, last))
				}
			}
		}
	})
	if loudest >= loud {
		fmt.Fprintf(out, "\n† Others used more than %d %% of a core while this was measured (the median of the row; at worst %.0f %%).\n", loud, loudest)
	} else if len(r.results) > 0 {
		fmt.Fprintf(out, "\nOthers used at most %.1f %% of a core (the worst row's median).\n", loudest)
	}
	if len(r.left) > 0 {
		fmt.Fprintf(out, "\nNot begun, for want of time: %s.\n", strings.Join(r.left, ", "))
	}
	if len(lines) > 0 {
		out.WriteString("\n" + strings.Join(lines, "\n") + "\n")
	}
}

// short prints three digits or so.
func short(v float64) string {
	switch {
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// field returns the value of the first line "name : value" of a file in /proc.
func field(path, name string) string {
	data, _ := os.ReadFile(path)
	for line := range strings.Lines(string(data)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown processor"
}

// countCPUs counts the machine's; runtime.NumCPU would count the one that this process is pinned to.
func countCPUs() int {
	data, _ := os.ReadFile("/proc/cpuinfo")
	return strings.Count(string(data), "processor\t")
}

func release() string {
	var u syscall.Utsname
	if syscall.Uname(&u) != nil {
		return "unknown"
	}
	var b []byte
	for _, c := range u.Release {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
