//go:build race

package app

// racing tells that sync.Pool drops things at random, as it does under the race detector.
const racing = true
