//go:build !race

package cloudfront

// racing tells tests that count what the race detector changes.
const racing = false
