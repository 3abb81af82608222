package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// row is what was measured of one server in a scenario.
type row struct {
	server server
	values []value
}

func (r *row) add(srv server, v value) {
	r.server = srv
	r.values = append(r.values, v)
}

// median, least and most are over the rounds.
func (r *row) median() float64 { v := r.sorted(); return v[len(v)/2] }
func (r *row) least() float64  { return r.sorted()[0] }
func (r *row) most() float64   { v := r.sorted(); return v[len(v)-1] }

func (r *row) sorted() (out []float64) {
	for _, v := range r.values {
		out = append(out, v.value)
	}
	slices.Sort(out)
	return out
}

// report collects rows and prints them as Markdown.
type report struct {
	head    string
	servers []server
	rows    []reportRow
}

type reportRow struct {
	scenario scenario
	rows     []row
}

func newReport(ctx context.Context, b *bench, servers []server) *report {
	var head strings.Builder
	fmt.Fprintf(&head, "Measured on %s; %s, %d cores; Linux %s; load average at the start %s.\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"),
		field("/proc/cpuinfo", "model name"), countCPUs(), release(), loadAverage())
	fmt.Fprintf(&head, "Rounds of %d s, %d of them, the servers in turn; medians, with the least and the most. Foregate built with %s", b.seconds, b.rounds, runtime.Version())
	for _, p := range packages() {
		fmt.Fprintf(&head, "; %s %s", p, version(ctx, p))
	}
	head.WriteString(".\n")
	if b.profile != "" {
		head.WriteString("Foregate ran under its CPU profiler.\n")
	}
	return &report{head: head.String(), servers: servers}
}

func (r *report) add(s scenario, rows []row) { r.rows = append(r.rows, reportRow{s, rows}) }

func (r *report) markdown() string {
	var out strings.Builder
	out.WriteString(r.head)
	r.table(&out, "", func(_ []row, own *row) string {
		return fmt.Sprintf("%s (%s–%s)", short(own.median()), short(own.least()), short(own.most()))
	})
	for _, ours := range r.servers {
		if ours.pkg != "" {
			continue
		}
		fmt.Fprintf(&out, "\nWhat a server needs, as a multiple of `%s`: above 1 Foregate is ahead.\n", strings.Replace(ours.name, "-", " ", 1))
		r.table(&out, ours.name, func(all []row, own *row) string {
			i := slices.IndexFunc(all, func(o row) bool { return o.server.name == ours.name })
			if i < 0 || all[i].median() <= 0 {
				return "–"
			}
			return fmt.Sprintf("%.2f", own.median()/all[i].median())
		})
	}
	r.notes(&out)
	return out.String()
}

// table prints a column for each server but the one called without.
func (r *report) table(out *strings.Builder, without string, cell func(all []row, own *row) string) {
	out.WriteString("\n| |")
	rule := "\n| --- |"
	for _, s := range r.servers {
		if s.name != without {
			out.WriteString(" " + s.name + " |")
			rule += " ---: |"
		}
	}
	out.WriteString(rule + "\n")
	for _, rr := range r.rows {
		if without != "" && rr.scenario.only != "" {
			continue // nobody to compare with
		}
		fmt.Fprintf(out, "| %s, %s |", rr.scenario.title, rr.scenario.unit)
		for _, s := range r.servers {
			if s.name == without {
				continue
			}
			text := "–"
			for i := range rr.rows {
				if rr.rows[i].server.name == s.name {
					text = cell(rr.rows, &rr.rows[i])
				}
			}
			out.WriteString(" " + text + " |")
		}
		out.WriteString("\n")
	}
}

// notes prints what the figures do not tell.
func (r *report) notes(out *strings.Builder) {
	var lines []string
	for _, rr := range r.rows {
		for i := range rr.rows {
			last := rr.rows[i].values[len(rr.rows[i].values)-1].note
			if strings.Contains(last, "kept ") || strings.Contains(last, "not resumed") || rr.scenario.start != nil && last != "" {
				lines = append(lines, fmt.Sprintf("- %s, %s: %s", rr.scenario.name, rr.rows[i].server.name, last))
			}
		}
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

func loadAverage() string {
	data, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(data)); len(f) > 0 {
		return f[0]
	}
	return "unknown"
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
