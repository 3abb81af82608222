package http1

import (
	"strings"
	"testing"
)

// TestValidValue has every byte at every place of a value that is checked eight bytes at a time.
func TestValidValue(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 16, 20} {
		for at := range n {
			for c := range 256 {
				for _, around := range []string{"x", "\t", "\xff", "\x80", " "} {
					b := []byte(strings.Repeat(around, n))
					b[at] = byte(c)
					want := c == '\t' || c >= ' ' && c != 0x7f
					if got := ValidValue(string(b)); got != want {
						t.Fatalf("%q: got %v", b, got)
					}
				}
			}
		}
	}
}
