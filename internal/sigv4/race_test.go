//go:build race

package sigv4

// raceDetector is true when pools drop what they get at random, so that allocations cannot be counted.
const raceDetector = true
