package app

import (
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/service"
)

// sizeUnits are how a size may end; the longer ones stand first.
var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}

// leastCache is the smallest cache: one object must find room in it (cache.Limit is a quarter).
const leastCache = 1 << 20

// parseSize reads the size that a flag has, such as 512MiB.
func parseSize(flag, text string) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || n > (1<<62)/u.bytes || n*u.bytes < leastCache {
			break
		}
		return n * u.bytes, nil
	}
	return 0, usage("%s %q: want a size such as 512MiB or 8GiB, at least 1MiB", flag, text)
}

// quotas reads NAME=N arguments: what AWS has raised for the account.
func quotas(args []string) (map[string]int, error) {
	given, err := pairs("--quota", "NAME=N", args)
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for name, text := range given {
		if !slices.Contains(service.QuotaNames(), name) {
			return nil, usage("--quota %s=%s: want one of %s before the =", name, text, strings.Join(service.QuotaNames(), ", "))
		}
		if out[name], err = strconv.Atoi(text); err != nil || out[name] < 1 {
			return nil, usage("--quota %s=%s: want a number above 0 behind the =", name, text)
		}
	}
	return out, nil
}
