//go:build !linux && !darwin && !freebsd

package app

// diskSize is the size of the file system that dir is on, or a guess.
func diskSize(string) int64 { return 100 << 30 }
