// Command bench compares Foregate with nginx, HAProxy, Varnish, h2o, Apache Traffic Server and Caddy: CPU time a request,
// side by side, server on one core and load on the other. Start it with bench/run, which pins it. Scenarios are in
// scenarios.go, servers in servers.go and foregate.go, their configurations in conf/; runner.go takes turns. It must know of
// Foregate only what a user knows: the command, its flags and what it prints. A benchmark is never a test that fails by
// noise; a wrong answer is a failure, and the report says so.
//
// All load stays on loopback. It ends its own processes only, and installs Debian's packages when some are missing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// bench is one run of the command.
type bench struct {
	bin      string // folder of the built programs
	revision string
	dir      string // scratch folder
	profile  string // folder for CPU profiles of Foregate, or ""
	seconds  int
	rounds   int
	objects  int       // how many the large cache holds
	until    time.Time // when no more is begun; zero: never
	origin   string    // address
	files    int       // how many files a process may open
	log      *os.File
}

// selection is what the user asked for.
type selection struct {
	servers     string
	scenarios   []string
	out         string
	quick       bool
	resume      bool
	skipInstall bool
	within      time.Duration
	quiet       time.Duration
}

func main() {
	b := &bench{log: os.Stderr}
	var sel selection
	flag.StringVar(&b.bin, "bin", "", "folder of the built programs (bench/run sets it)")
	flag.StringVar(&b.revision, "revision", "", "what was built (bench/run sets it)")
	flag.StringVar(&b.profile, "profile", "", "write CPU profiles of Foregate into `DIR`: its figures are then slightly worse")
	flag.IntVar(&b.seconds, "seconds", 1, "length of a measurement, at most 20")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each server is measured")
	flag.IntVar(&b.objects, "objects", 1_000_000, "how many objects the large cache holds")
	flag.BoolVar(&sel.quick, "quick", false, "about a quarter of an hour for all: three rounds, and 200,000 objects")
	flag.DurationVar(&sel.within, "within", 0, "begin nothing after this time, such as 15m; what was measured is reported, and -resume goes on")
	flag.DurationVar(&sel.quiet, "quiet", 0, "wait at most this long for a machine on which nothing else runs")
	flag.StringVar(&sel.servers, "servers", "", "comma-separated `NAMES` of servers; default: all")
	flag.StringVar(&sel.out, "out", "", "write the report to `FILE` too, and to FILE.json what was measured, after each scenario")
	flag.BoolVar(&sel.resume, "resume", false, "go on with the run of -out FILE: what FILE.json has is not measured again")
	flag.BoolVar(&sel.skipInstall, "no-install", false, "fail when a package is missing, and install nothing")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "bench/run [flags] [scenario...]\n\nScenarios (* runs by default):\n")
		for _, s := range scenarios() {
			fmt.Fprintf(os.Stderr, "  %s %-18s %s\n", map[bool]string{true: "*", false: " "}[!s.extra], s.name, s.title)
		}
		fmt.Fprintf(os.Stderr, "\nServers: %s\n\nFlags:\n", strings.Join(serverNames(), " "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if sel.quick {
		b.rounds, b.objects = 3, 200_000
	}
	sel.scenarios = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := b.run(ctx, sel); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context, sel selection) error {
	if b.seconds < 1 || b.seconds > 20 || b.rounds < 1 || b.objects < 1000 {
		return fmt.Errorf("-seconds %d, -rounds %d, -objects %d: 1 to 20 seconds, at least one round and 1000 objects", b.seconds, b.rounds, b.objects)
	}
	if sel.resume && sel.out == "" {
		return errors.New("-resume needs the -out of the run that it goes on with")
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
	rep, err := openReport(ctx, b, servers, sel)
	if err != nil {
		return err
	}
	if sel.within > 0 {
		b.until = time.Now().Add(sel.within)
	}
	awaitQuiet(ctx, b.log, sel.quiet)
	err = b.measureAll(ctx, chosen, servers, rep)
	fmt.Print(rep.markdown())
	return err
}

// measureAll runs the scenarios that the report does not have yet, and saves it after each.
func (b *bench) measureAll(ctx context.Context, chosen []scenario, servers []server, rep *report) error {
	failed := 0
	for _, s := range chosen {
		if rep.has(s.name) {
			continue
		}
		if b.late() {
			rep.left = append(rep.left, s.name)
			continue
		}
		began := time.Now()
		results, err := b.scenario(ctx, s, servers)
		if err != nil {
			return fmt.Errorf("scenario %s: %w", s.name, err)
		}
		for _, r := range results {
			failed += r.failures()
		}
		if err := rep.add(results); err != nil {
			return err
		}
		fmt.Fprintf(b.log, "%s took %s\n", s.name, time.Since(began).Round(time.Second))
	}
	if failed > 0 {
		return fmt.Errorf("%d measurements failed: the report tells which", failed)
	}
	return nil
}

// late is true when nothing more may begin.
func (b *bench) late() bool { return !b.until.IsZero() && time.Now().After(b.until) }

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
	for _, name := range []string{"openssl.cnf", "wrk.lua"} {
		if err := os.WriteFile(filepath.Join(b.dir, name), mustConf(name), 0o644); err != nil {
			return err
		}
	}
	return writeFiles(filepath.Join(b.dir, "files", "hit"))
}
