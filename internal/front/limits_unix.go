//go:build unix

package front

import "golang.org/x/sys/unix"

// Descriptors is how many files and sockets this process may have open, 0 when that is not known.
func Descriptors() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return 0
	}
	return int(min(uint64(r.Cur), 1<<30))
}
