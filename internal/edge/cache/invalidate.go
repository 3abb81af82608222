package cache

import (
	"strings"
	"sync"
)

// keptInvalidations is how many invalidations are remembered for fetches that are under way.
const keptInvalidations = 1024

// invalidations are the last ones, for what was fetched before them and is admitted after.
type invalidations struct {
	mu   sync.RWMutex
	last uint64 // the epoch: how many there were
	list []*matcher
}

// Epoch is how many invalidations there were. What is fetched after a call may be admitted with its result.
func (c *Cache) Epoch() uint64 {
	c.invalid.mu.RLock()
	defer c.invalid.mu.RUnlock()
	return c.invalid.last
}

func (v *invalidations) add(m *matcher) {
	v.mu.Lock()
	v.last++
	if v.list = append(v.list, m); len(v.list) > keptInvalidations {
		v.list = append(v.list[:0:0], v.list[len(v.list)/2:]...)
	}
	v.mu.Unlock()
}

// hits tells whether an invalidation since the object's epoch names it; also when that is forgotten.
func (v *invalidations) hits(o *Object) bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	since := v.last - min(o.Epoch, v.last)
	if since > uint64(len(v.list)) {
		return true
	}
	for _, m := range v.list[len(v.list)-int(since):] {
		if m.match(o.Distribution, o.Target) {
			return true
		}
	}
	return false
}

// matcher is the paths of one invalidation.
type matcher struct {
	distribution string
	exact        map[string]struct{}
	prefixes     []string
}

// newMatcher reads paths: exact, query string included, or a prefix when one ends with "*"; a star elsewhere is a character
// like any other (DG26-invalidation-specifying-objects).
func newMatcher(distribution string, paths []string) *matcher {
	m := &matcher{distribution: distribution, exact: make(map[string]struct{}, len(paths))}
	for _, p := range paths {
		p = canonical(p)
		m.exact[p] = struct{}{}
		if prefix, wild := strings.CutSuffix(p, "*"); wild {
			m.prefixes = append(m.prefixes, prefix)
		}
	}
	return m
}

func (m *matcher) match(distribution, target string) bool {
	if distribution != m.distribution {
		return false
	}
	target = canonical(target)
	if _, ok := m.exact[target]; ok {
		return true
	}
	for _, p := range m.prefixes {
		if strings.HasPrefix(target, p) {
			return true
		}
	}
	return false
}

// canonical makes two spellings of one path the same: bytes outside of ASCII count as their escapes, which the manual asks
// for, and hexadecimal digits of escapes are upper case. No other escape is undone.
func canonical(path string) string {
	plain := true
	for i := range len(path) {
		plain = plain && path[i] != '%' && path[i] < 0x80
	}
	if plain {
		return path
	}
	const digits = "0123456789ABCDEF"
	out := make([]byte, 0, len(path)+16)
	for i := 0; i < len(path); i++ {
		switch b := path[i]; {
		case b >= 0x80:
			out = append(out, '%', digits[b>>4], digits[b&15])
		case b == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]):
			out = append(out, strings.ToUpper(path[i:i+3])...)
			i += 2
		default:
			out = append(out, b)
		}
	}
	return string(out)
}

func isHex(b byte) bool { return b-'0' < 10 || b|0x20-'a' < 6 }

// Invalidate drops every object of a distribution that one of the paths names, from memory and disk, and returns how many
// there were. When it returns, no request that begins gets an older answer: what is being fetched is not admitted, and later
// requests do not join such a fetch.
func (c *Cache) Invalidate(distribution string, paths []string) int {
	m := newMatcher(distribution, paths)
	c.invalid.add(m)
	c.flights.detach()
	n := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			if m.match(e.object.Distribution, e.object.Target) {
				c.drop(s, e)
				n++
			}
		}
		s.mu.Unlock()
	}
	if c.disk != nil {
		n += c.disk.invalidate(m)
	}
	return n
}
