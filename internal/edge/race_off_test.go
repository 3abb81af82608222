//go:build !race

package edge

// underRace: see race_on_test.go.
const underRace = false
