package edge

import (
	"fmt"
	"strings"
)

// Pattern is a compiled path pattern: `*` stands for any characters, "/" included, and `?` for exactly one. The zero
// Pattern matches only the empty path; make one with ParsePattern.
type Pattern struct {
	// Source is the pattern as it was written.
	Source string
	// body is Source without its leading slash, which is optional; segs is body split at `*`.
	body string
	segs []string
}

// MaxPattern is the longest path pattern in characters (facts: cloudfront-dataplane 2).
const MaxPattern = 255

// ParsePattern compiles a path pattern. It fails for what AWS refuses: an empty pattern, one over 255 characters, and
// characters outside A-Z a-z 0-9 _ - . * $ / ~ " ' @ : + & ? (facts: cloudfront-dataplane 2).
func ParsePattern(s string) (Pattern, error) {
	if s == "" || len(s) > MaxPattern {
		return Pattern{}, fmt.Errorf("parse path pattern %q: want 1 to %d characters", s, MaxPattern)
	}
	for i := range len(s) {
		if !patternByte(s[i]) {
			return Pattern{}, fmt.Errorf("parse path pattern %q: character %q at %d is not allowed", s, s[i], i)
		}
	}
	return compilePattern(s), nil
}

// DefaultPattern is the pattern of the default behavior.
func DefaultPattern() Pattern { return compilePattern("*") }

func compilePattern(s string) Pattern {
	p := Pattern{Source: s, body: strings.TrimPrefix(s, "/")}
	p.segs = strings.Split(p.body, "*")
	return p
}

func patternByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-.*$/~\"'@:+&?", c) >= 0
}

// Match tells whether the pattern matches path, which has passed NormalisePath. It is case-sensitive (facts:
// cloudfront-dataplane 2). Its time grows with len(path): each part between stars is looked for once, from left to right.
func (p Pattern) Match(path string) bool {
	s := strings.TrimPrefix(path, "/")
	if len(p.segs) < 2 {
		return matchSegment(p.body, s) && len(p.body) == len(s)
	}
	first, last := p.segs[0], p.segs[len(p.segs)-1]
	if len(s) < len(first)+len(last) || !matchSegment(first, s) || !matchSegment(last, s[len(s)-len(last):]) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, seg := range p.segs[1 : len(p.segs)-1] {
		i := indexSegment(s, seg)
		if i < 0 {
			return false
		}
		s = s[i+len(seg):]
	}
	return true
}

// matchSegment tells whether s begins with seg, in which `?` stands for any byte.
func matchSegment(seg, s string) bool {
	if len(s) < len(seg) {
		return false
	}
	for i := range len(seg) {
		if seg[i] != '?' && seg[i] != s[i] {
			return false
		}
	}
	return true
}

// indexSegment returns where seg first matches in s, or -1. A part without `?` is a plain search.
func indexSegment(s, seg string) int {
	if strings.IndexByte(seg, '?') < 0 {
		return strings.Index(s, seg)
	}
	for i := 0; i+len(seg) <= len(s); i++ {
		if matchSegment(seg, s[i:]) {
			return i
		}
	}
	return -1
}

// subsumeBudget bounds the work of Subsumes. Patterns that people write need a few hundred steps.
const subsumeBudget = 20_000

// Subsumes tells whether every path that b matches is matched by a too. It errs on the side of false: for patterns that
// are made to be hard it may say false where true is right, never the other way round.
//
// It runs a as an automaton over b. A `?` of b is read as a character that a does not name: if a accepts that one, it
// accepts any other, since a literal of a only adds ways to match. A `*` of b is read as every number of such characters,
// until the set of states of a repeats.
func Subsumes(a, b Pattern) bool {
	seen := map[subsumeState]bool{}
	work := []subsumeState{{0, closure(a.body, stateSet{}.with(0))}}
	for len(work) > 0 {
		s := work[len(work)-1]
		work = work[:len(work)-1]
		if seen[s] {
			continue
		}
		seen[s] = true
		if len(seen) > subsumeBudget || s.set == (stateSet{}) {
			return false
		}
		if s.at == len(b.body) {
			if !s.set.has(len(a.body)) {
				return false
			}
			continue
		}
		switch c := b.body[s.at]; c {
		case '*':
			work = append(work, subsumeState{s.at + 1, s.set}, subsumeState{s.at, step(a.body, s.set, 0)})
		case '?':
			work = append(work, subsumeState{s.at + 1, step(a.body, s.set, 0)})
		default:
			work = append(work, subsumeState{s.at + 1, step(a.body, s.set, c)})
		}
	}
	return true
}

// stateSet is a set of positions in a pattern of at most MaxPattern characters.
type stateSet [4]uint64

type subsumeState struct {
	at  int
	set stateSet
}

func (s stateSet) with(i int) stateSet {
	s[i>>6] |= 1 << (i & 63)
	return s
}

func (s stateSet) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// closure adds the positions behind stars, which may match nothing.
func closure(p string, s stateSet) stateSet {
	for i := range len(p) {
		if p[i] == '*' && s.has(i) {
			s = s.with(i + 1)
		}
	}
	return s
}

// step reads one character; 0 is one that no pattern names.
func step(p string, s stateSet, c byte) stateSet {
	var out stateSet
	for i := range len(p) {
		if !s.has(i) {
			continue
		}
		switch {
		case p[i] == '*':
			out = out.with(i)
		case p[i] == '?' || c != 0 && p[i] == c:
			out = out.with(i + 1)
		}
	}
	return closure(p, out)
}

// NormalisePath returns path as patterns see it: slashes merged, dot segments resolved, and percent-encoded unreserved
// characters decoded (rfc3986 6.2.2; facts: cloudfront-dataplane 2). It is for matching only: the origin gets the raw
// path. It does not allocate for a path that is normal already.
func NormalisePath(path string) string {
	if isNormalPath(path) {
		return path
	}
	b := make([]byte, 0, len(path)+1)
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c == '%' && i+2 < len(path) {
			if hi, lo := unhex(path[i+1]), unhex(path[i+2]); hi < 16 && lo < 16 {
				if d := hi<<4 | lo; unreserved(d) {
					b = append(b, d)
				} else {
					b = append(b, '%', upperHex[hi], upperHex[lo])
				}
				i += 2
				continue
			}
		}
		b = append(b, c)
	}
	out := make([]byte, 1, len(b)+1)
	out[0] = '/'
	rest := string(b)
	for rest != "" {
		rest = strings.TrimLeft(rest, "/")
		seg, after, more := strings.Cut(rest, "/")
		switch seg {
		case ".", "":
		case "..":
			cut := len(out) - 1
			for cut > 0 && out[cut-1] != '/' {
				cut--
			}
			if cut > 0 {
				out = out[:cut]
			}
		default:
			out = append(out, seg...)
			if more {
				out = append(out, '/')
			}
		}
		rest = after
	}
	return string(out)
}

func isNormalPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for i := range len(path) {
		switch path[i] {
		case '%':
			return false
		case '/', '.':
			if i > 0 && path[i-1] == '/' {
				return false
			}
		}
	}
	return true
}

const upperHex = "0123456789ABCDEF"

func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// unreserved is rfc3986 2.3.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}
