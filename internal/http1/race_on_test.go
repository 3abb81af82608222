//go:build race

package http1

// racing tells that sync.Pool drops things at random, as it does under the race detector.
const racing = true
