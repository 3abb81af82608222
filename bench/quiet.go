package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// loud is the share of the machine, in percent, that others may use before figures are marked.
const loud = 5

// use is what the machine's cores have done so far: in all, and for this benchmark.
type use struct {
	all, ours time.Duration
	at        time.Time
}

// machineUse adds up /proc/stat and what the servers, the origin, this process and its finished children have used.
func machineUse(running []*process) use {
	u := use{at: time.Now()}
	data, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(data), "\n")
	f := strings.Fields(line) // proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice
	for i, text := range f {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && i <= 8 && i != 4 && i != 5 {
			u.all += time.Duration(n) * tick
		}
	}
	for _, p := range running {
		user, system := p.cpu()
		u.ours += user + system
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			u.ours += time.Duration(r.Utime.Nano() + r.Stime.Nano())
		}
	}
	return u
}

// othersSince is the share of one core, in percent, that anything else has used since before.
func (u use) othersSince(before use) float64 {
	others := (u.all - before.all) - (u.ours - before.ours)
	return max(0, 100*others.Seconds()/max(u.at.Sub(before.at).Seconds(), 0.01))
}

// awaitQuiet waits until others use less than loud for three seconds, and says how it is.
func awaitQuiet(ctx context.Context, log io.Writer, atMost time.Duration) {
	for deadline := time.Now().Add(atMost); ; {
		before := machineUse(nil)
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
		others := machineUse(nil).othersSince(before)
		if others < loud {
			return
		}
		fmt.Fprintf(log, "others use %.0f %% of a core; load average %s\n", others, loadAverage())
		if time.Now().After(deadline) {
			fmt.Fprintln(log, "the machine is not quiet: the figures will be marked")
			return
		}
	}
}

func loadAverage() string {
	data, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(data)); len(f) > 0 {
		return f[0]
	}
	return "unknown"
}
