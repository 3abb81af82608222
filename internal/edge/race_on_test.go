//go:build race

package edge

// underRace is true when the race detector runs: sync.Pool then drops things at random, so allocations cannot be counted.
const underRace = true
