package cloudfront

import (
	"sync/atomic"
	"time"
)

// A function that keeps exceeding its time, or whose code does not compile, is throttled: for a while it is not called (AWS's
// manual, "Default CloudFront Functions metrics"). AWS publishes neither how often nor how long; it has been seen that the
// state belongs to the function's name and outlives new code, and that it lasts for minutes. Ours is short, so that somebody
// who mends a function does not wait.
const (
	throttleAfter = 100
	throttleFor   = 10 * time.Second
)

// Throttle is the state of one function, by its name. nil never throttles.
type Throttle struct {
	// exceeded counts calls that exceeded their time one after the other; until is when the function is called again.
	exceeded atomic.Int64
	until    atomic.Int64
}

// Refuses tells whether the function is not to be called now.
func (t *Throttle) Refuses(now time.Time) bool {
	return t != nil && t.exceeded.Load() >= throttleAfter && now.UnixNano() < t.until.Load()
}

// Note takes what came of a call; exceeded is true when it was ended by a limit, or there is no code that compiles.
func (t *Throttle) Note(exceeded bool, now time.Time) {
	switch {
	case t == nil:
	case exceeded:
		if t.exceeded.Add(1) >= throttleAfter {
			t.until.Store(now.Add(throttleFor).UnixNano())
		}
	case t.exceeded.Load() != 0:
		t.exceeded.Store(0)
	}
}
