//go:build !race

package http2

// racing tells tests that count what the race detector changes.
const racing = false
