//go:build race

package http1

import "sync/atomic"

var outstanding atomic.Int64

func account(n int64) { outstanding.Add(n) }

// Outstanding is how many pooled buffers are out. Only builds with the race detector count, for tests; in others ok is false.
func Outstanding() (n int64, ok bool) { return outstanding.Load(), true }
