// Command profiled is foregate with a CPU profile of its whole run, for bench/run -profile. FOREGATE_PROFILE names the
// file, which is complete when the process has ended by SIGTERM; beside it, .allocs has what was allocated. It starts app.Run as cmd/foregate does, and must know
// nothing else of the product.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/foregate/foregate/internal/app"
)

func main() { os.Exit(run()) }

func run() int {
	f, err := os.Create(os.Getenv("FOREGATE_PROFILE"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "create profile:", err)
		return 2
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		fmt.Fprintln(os.Stderr, "start profile:", err)
		return 2
	}
	status := app.Run(context.Background(), os.Args[1:], app.Streams{Out: os.Stdout, Err: os.Stderr})
	pprof.StopCPUProfile()
	allocs, err := os.Create(f.Name() + ".allocs")
	if err == nil {
		err = errors.Join(pprof.Lookup("allocs").WriteTo(allocs, 0), allocs.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "write profile of allocations:", err)
		return 2
	}
	return status
}
