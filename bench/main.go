// Command bench compares Foregate with nginx, HAProxy, Varnish, h2o, Apache Traffic Server and Caddy: CPU time a request,
// side by side, server on one core and load on the other. Start it with bench/run, which pins it. Scenarios are in
// scenarios.go, servers in servers.go, their configurations in conf/. It must know of Foregate only what a user knows: the
// command, its flags and what it prints. A benchmark is never a test that fails by noise; a wrong answer ends it.
//
// All load stays on loopback. It ends its own processes only, and installs Debian's packages when some are missing.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the command.
type bench struct {
	bin     string // folder of the built programs
	dir     string // scratch folder
	profile string // folder for CPU profiles of Foregate, or ""
	seconds int
	rounds  int
	origin  string // address
	files   int    // how many files a process may open; HAProxy counts two for a connection
	log     *os.File
}

func main() {
	b := &bench{log: os.Stderr}
	var only, out string
	var skipInstall bool
	flag.StringVar(&b.bin, "bin", "", "folder of the built programs (bench/run sets it)")
	flag.StringVar(&b.profile, "profile", "", "write CPU profiles of Foregate into `DIR`: its figures are then slightly worse")
	flag.IntVar(&b.seconds, "seconds", 2, "length of a measurement, at most 20")
	flag.IntVar(&b.rounds, "rounds", 3, "how often each server is measured")
	flag.StringVar(&only, "servers", "", "comma-separated `NAMES` of servers; default: all")
	flag.StringVar(&out, "out", "", "write the report to `FILE` too")
	flag.BoolVar(&skipInstall, "no-install", false, "fail when a package is missing, and install nothing")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "bench/run [flags] [scenario...]\n\nScenarios (* runs by default):\n")
		for _, s := range scenarios() {
			fmt.Fprintf(os.Stderr, "  %s %-18s %s\n", map[bool]string{true: "*"}[!s.extra], s.name, s.title)
		}
		fmt.Fprintf(os.Stderr, "\nServers: %s\n\nFlags:\n", strings.Join(serverNames(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, selection{only, flag.Args(), out, skipInstall}); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// selection is what the user asked for.
type selection struct {
	servers     string
	scenarios   []string
	out         string
	skipInstall bool
}

func (b *bench) run(ctx context.Context, sel selection) error {
	if b.seconds < 1 || b.seconds > 20 || b.rounds < 1 {
		return fmt.Errorf("-seconds %d, -rounds %d: 1 to 20 seconds, at least one round", b.seconds, b.rounds)
	}
	chosen, err := chooseScenarios(sel.scenarios)
	if err != nil {
		return err
	}
	servers, err := chooseServers(sel.servers)
	if err != nil {
		return err
	}
	if err := install(ctx, sel.skipInstall); err != nil {
		return err
	}
	b.files = raiseFileLimit()
	if b.dir, err = os.MkdirTemp("", "foregate-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.prepare(); err != nil {
		return err
	}
	rep := newReport(ctx, b, servers)
	for _, s := range chosen {
		began := time.Now()
		rows, err := b.scenario(ctx, s, servers)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		rep.add(s, rows)
		fmt.Fprintf(b.log, "%s took %s\n", s.name, time.Since(began).Round(time.Second))
	}
	text := rep.markdown()
	fmt.Print(text)
	if sel.out != "" {
		return os.WriteFile(sel.out, []byte(text), 0o644)
	}
	return nil
}

// prepare makes what all scenarios share: scratch folders, a certificate for the peers, and files for those without cache.
func (b *bench) prepare() error {
	if err := os.Chmod(b.dir, 0o755); err != nil { // Traffic Server and hitch run as users of their own
		return err
	}
	if b.profile != "" {
		dir, err := filepath.Abs(b.profile)
		if err != nil {
			return err
		}
		if b.profile = dir; os.MkdirAll(dir, 0o755) != nil {
			return fmt.Errorf("make folder %q", dir)
		}
	}
	if err := writeCertificate(b.dir); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "openssl.cnf"), mustConf("openssl.cnf"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.dir, "wrk.lua"), mustConf("wrk.lua"), 0o644); err != nil {
		return err
	}
	return writeFiles(filepath.Join(b.dir, "files", "hit"))
}

// scenario starts the origin and the servers, measures them in turn, and stops them.
func (b *bench) scenario(ctx context.Context, s scenario, servers []server) (rows []row, err error) {
	o, err := b.startOrigin(ctx)
	if err != nil {
		return nil, err
	}
	defer o.stop()
	servers = slices.DeleteFunc(slices.Clone(servers), func(srv server) bool { return s.only != "" && s.only != srv.name })
	rows = make([]row, len(servers))
	if s.start != nil { // measures starts, so nothing may run before
		for range b.rounds {
			for i, srv := range servers {
				v, err := s.start(ctx, b, srv)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", srv.name, err)
				}
				rows[i].add(srv, v)
				fmt.Fprintf(b.log, "%-18s %-15s %8.2f %s\n", s.name, srv.name, v.value, s.unit)
			}
		}
		return rows, nil
	}
	running := make([]*process, len(servers))
	defer func() {
		for _, p := range running {
			p.stop()
		}
	}()
	for i, srv := range servers {
		if running[i], err = b.start(ctx, srv, s); err != nil {
			return nil, fmt.Errorf("start %s: %w", srv.name, err)
		}
		if err := warm(ctx, running[i], s); err != nil {
			return nil, fmt.Errorf("%s answers wrongly: %w\n%s", srv.name, err, running[i].output())
		}
	}
	rounds := b.rounds
	if s.once {
		rounds = 1
	}
	for range rounds {
		for i, srv := range servers {
			v, err := s.measure(ctx, b, running[i], s)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", srv.name, err)
			}
			rows[i].add(srv, v)
			fmt.Fprintf(b.log, "%-18s %-15s %8.2f %s  %s\n", s.name, srv.name, v.value, s.unit, v.note)
		}
	}
	return rows, nil
}
