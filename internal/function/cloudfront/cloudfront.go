// Package cloudfront runs CloudFront Functions: the JavaScript runtimes cloudfront-js-1.0 and 2.0 of viewer events, in process.
//
// Start with Compile, which makes a Function of code, and Function.Run, which calls it once. Every call has a fresh realm, so a
// function keeps nothing between calls, and it can reach nothing but its event, its key value store and the helpers of its
// runtime. What a call may compute and allocate is counted (meter.go), not timed, so that a function has the same outcome on a
// slow machine and on a fast one; a watchdog ends what counting does not see.
//
// The engine is goja, which has more of ECMAScript than AWS's engine. check.go refuses the syntax that AWS's refuses, and
// realm.go hides the globals and methods that it lacks (facts: edge-functions C; AWS's manual, "JavaScript runtime 1.0 features"
// and "2.0 features"; AWS's errors have the form of nginx's njs, from whose versions 0.4 and 0.7 the runtimes descend).
//
// The package must not know distributions, plans, the API or how functions are stored. Caveats: memory and compute are
// estimates; what a runtime lacks is taken away when the source mentions it or computes its name, not before.
package cloudfront

import (
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"
	"github.com/dop251/goja"
)

// The runtimes.
const (
	Runtime1 = "cloudfront-js-1.0"
	Runtime2 = "cloudfront-js-2.0"
)

// The event types.
const (
	ViewerRequest  = "viewer-request"
	ViewerResponse = "viewer-response"
)

// MaxCode is the most that a function's code may have, in bytes (facts: edge-functions C, Limits).
const MaxCode = 10 << 10

// Spec is what a function is made of.
type Spec struct {
	// Name is the function's name, for logs and traces; Runtime is Runtime1 or Runtime2.
	Name, Runtime string
	Code          []byte
	// Store is the associated key value store, nil for none.
	Store *Store
}

// Store is a key value store as a function reads it. It is immutable.
type Store struct {
	ID      string
	Items   map[string]string
	Created time.Time
	Updated time.Time
}

// Function is a compiled function. It is immutable, and many goroutines may run it at once.
type Function struct {
	Name    string
	runtime string
	store   *Store
	program *goja.Program
	// setups prepare a realm: they hide what the runtime lacks and bound what could grow, as far as the source can reach it.
	setups []func(*realm)
	// Tables of native functions, made once.
	guards map[string][]guard
	// absent are the names of methods that the runtime lacks, or has beyond the engine; mentioned are the names in the source.
	absent, mentioned map[string]bool
	statics, methods  *methods
}

// boundRegexps limits backtracking. Patterns with look-around or back references run in regexp2, which has a limit for the
// process only; nothing else in Foregate uses it.
var boundRegexps = sync.OnceFunc(func() { regexp2.DefaultMatchTimeout = 200 * time.Millisecond })

// Compile checks and compiles a function. The error is a *SyntaxError, whose text is what AWS's runtime says.
func Compile(s Spec) (*Function, error) {
	boundRegexps()
	src, err := parse(string(s.Code), s.Runtime)
	if err != nil {
		return nil, err
	}
	src.instrument()
	p, cerr := goja.CompileAST(src.program, true)
	if cerr != nil {
		return nil, src.compileError(cerr)
	}
	f := &Function{Name: s.Name, runtime: s.Runtime, store: s.Store, program: p, guards: guardTable(), statics: staticTable(), methods: methodTable()}
	f.absent, f.mentioned = map[string]bool{}, src.mentions.names
	for _, table := range absences(s.Runtime) {
		for _, names := range table {
			for _, n := range names {
				f.absent[n] = true
			}
		}
	}
	if s.Runtime == Runtime1 { // these are added in the same way
		f.absent[bytesFrom] = true
		for n := range byteMethods {
			f.absent[n] = true
		}
	}
	f.setups = src.setups()
	return f, nil
}

// SyntaxError is code that the runtime does not take.
type SyntaxError struct {
	// Message is njs's, such as `Token "class" not supported in this version`; Line counts from 1.
	Message string
	Line    int
}
