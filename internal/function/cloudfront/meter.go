package cloudfront

import (
	"github.com/dop251/goja"
)

// The limits of a call. AWS's are a time below a millisecond, which it does not publish, and 2 MB (facts: edge-functions C).
//
// Compute is counted in nodes of the program that are run, which are about as many as instructions, plus what builtin functions
// do with long arguments. The utilization that is reported is on a scale made of the outputs that AWS publishes with its
// samples (aws-samples/amazon-cloudfront-functions): 10 to 21 for functions that set a header or redirect, 19 for one that
// verifies a token. By that scale a hundred percent is about 26,000 nodes; a call is ended at the limit, well above, since the
// scale is an estimate. Memory is what was allocated in all: AWS's engine collects no garbage either.
const (
	maxCompute      = 90_000
	baseUtilization = 13
	nodesPerPercent = 300
	maxMemory       = 2 << 20
	// stepsAtOnce is how many nodes the program counts by itself before it reports.
	stepsAtOnce = 500
	// bigMemory is when all guards are set (guards.go): up to there no value is so big that a linear builtin takes long.
	bigMemory = 16 << 10
	maxLength = 100_000 // of arrays and whatever has a length
	maxDepth  = 500     // of calls
	// maxLog is where the log of a call is cut (facts: edge-functions C, Limits).
	maxLog = 10 << 10
)

// The members of the host object, by which instrumented code reaches the meter. Assignments arrive at host.Set.
const (
	trapSpent    = "t" // steps counted beyond the last report
	trapString   = "c" // a value that may be a long string
	trapKey      = "k" // the computed name of a property that is read
	trapIndex    = "i" // the computed name of a property that is set
	trapCaught   = "e" // what a catch has caught
	getSteps     = "s"
	modulePrefix = "m:"
)

// stopped is why a call was ended. It goes through the program as a panic, which no catch sees.
type stopped struct{ reason string }

// The reasons why calls are ended. Their texts are ours.
var (
	tooMuchCompute = &stopped{"the function exceeded its compute budget"}
	tooMuchMemory  = &stopped{"the function exceeded its memory limit"}
	tooLong        = &stopped{"the function ran too long"}
)

// spend counts n units of compute.
func (r *realm) spend(n int) {
	if r.compute += n; r.compute > maxCompute {
		panic(tooMuchCompute)
	}
}

// grow counts n bytes of memory, and the work of filling them.
func (r *realm) grow(n int) {
	if n > maxMemory {
		panic(tooMuchMemory)
	}
	r.memory += n
	switch {
	case r.memory > maxMemory:
		panic(tooMuchMemory)
	case r.memory > bigMemory && !r.guarded:
		r.guardAll()
	}
	r.spend(n / 256)
}

// growBy is grow for n times size, which may overflow.
func (r *realm) growBy(n, size int) {
	if size > 0 && n > maxMemory/size {
		panic(tooMuchMemory)
	}
	r.grow(n * size)
}

// host is the object that instrumented code talks to.
type host struct{ *realm }

// Get returns a member: steps to count, a module.
func (h host) Get(key string) goja.Value {
	if key == getSteps {
		return h.rt.ToValue(stepsAtOnce)
	}
	return h.module(key[len(modulePrefix):])
}

// Set receives what instrumented code passes.
func (h host) Set(key string, v goja.Value) bool {
	switch key {
	case trapSpent:
		h.spend(stepsAtOnce - int(v.ToInteger()))
	case trapString:
		if s, ok := v.(goja.String); ok {
			if n := s.Length(); n > 64 {
				h.grow(n)
			}
		}
	case trapCaught:
		h.caught(v)
	case trapKey:
		h.key(v)
	case trapIndex:
		h.key(v)
		if n, ok := plain(v).(int64); ok && n > maxLength {
			panic(tooMuchMemory)
		}
		if n, ok := plain(v).(float64); ok && n > maxLength {
			panic(tooMuchMemory)
		}
	}
	return true
}

// key looks at the name of a property that the code has computed: what the runtime lacks is taken away, and the guard of a
// builtin is set, before it is reached.
func (r *realm) key(v goja.Value) {
	if r.guarded && r.hidden {
		return
	}
	s, ok := v.(goja.String)
	if !ok {
		if _, ok := v.(*goja.Object); ok { // its toString may give any name
			r.hideAll()
			r.guardAll()
		}
		return
	}
	name := s.String()
	if r.fn.absent[name] {
		r.hideAll()
	}
	if name == "length" || name == "constructor" || r.fn.guards[name] != nil {
		r.guardAll()
	}
}

// Has tells that every member is there.
func (h host) Has(string) bool { return true }

// Delete does nothing.
func (h host) Delete(string) bool { return false }

// Keys is empty.
func (h host) Keys() []string { return nil }
