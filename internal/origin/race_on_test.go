//go:build race

package origin

// racing tells that sync.Pool drops things at random, as it does under the race detector.
const racing = true
