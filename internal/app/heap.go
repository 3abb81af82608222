package app

import (
	"math"
	"runtime/debug"
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
