// Package body makes the bodies of the benchmarks' answers, the same for the origin that sends them, the servers that have
// them as files, and the runner that checks them. Start with Make.
package body

// Sizes are the answers by the last part of their path.
var Sizes = map[string]int{"500": 500, "1k": 1 << 10, "64k": 64 << 10, "1m": 1 << 20}

// Make returns size lower-case letters, always the same: letters may stand in any server's configuration.
func Make(size int) []byte {
	b := make([]byte, size)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223 // the constants are those of Numerical Recipes; any would do
		b[i] = 'a' + byte(x>>24)%26
	}
	return b
}
