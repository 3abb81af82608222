package app

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// heapFloor is memory that is never touched, so that the system gives none for it, but that counts when the garbage collector
// decides. It collects when the heap has doubled. With the few megabytes that a small configuration needs, that was after every 300
// handshakes, and a sixth of their time went into it. So the heap may grow by this much more, once, before it is collected. A limit
// of memory (GOMEMLIMIT) counts what is untouched as well: with one, there is no floor.
func heapFloor() []byte {
	if debug.SetMemoryLimit(-1) != math.MaxInt64 {
		return nil
	}
	return make([]byte, 32<<20)
}

// The collector runs, by default, when the heap has grown by all that is live: a cache of 2 GiB takes 4. So that it does not, the
// growth is a quarter of a large heap, and garbageRoom at least, which leaves small heaps as they are. What a cycle costs is then
// spread over fewer requests that allocate; hits in memory do not (docs/benchmarks.md).
const (
	garbageRoom  = 128 << 20
	leastPercent = 25
)

// garbagePercent is how much a heap may grow, in percent of what is live.
func garbagePercent(live uint64) int {
	if live <= garbageRoom {
		return 100
	}
	return max(int(garbageRoom*100/live), leastPercent)
}

// keepGarbageSmall sets the collector's percentage after each of its cycles, for as long as the process lives. GOGC and GOMEMLIMIT
// go first.
func keepGarbageSmall() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	(&garbage{percent: 100, live: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}).watch()
}

type garbage struct {
	percent int
	live    []metrics.Sample
}

// watch has adjust called when the next cycle ends: something that nobody refers to is found by then.
func (g *garbage) watch() {
	type dropped struct{ _ *garbage }
	runtime.AddCleanup(new(dropped), (*garbage).adjust, g)
}

func (g *garbage) adjust() {
	metrics.Read(g.live)
	if p := garbagePercent(g.live[0].Value.Uint64()); p != g.percent {
		g.percent = p
		debug.SetGCPercent(p)
	}
	g.watch()
}
