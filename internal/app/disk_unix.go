//go:build linux || darwin || freebsd

package app

import "golang.org/x/sys/unix"

// diskSize is the size of the file system that dir is on.
func diskSize(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 10 << 30
	}
	return int64(uint64(s.Blocks) * uint64(s.Bsize))
}
