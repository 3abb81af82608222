package edge

import "strings"

// behaviorIndex narrows down the behaviors of a plan that may match a path, by the path's first segment: /api/* can only match
// where that is "api". Patterns with a wildcard in their first segment stay among all candidates.
type behaviorIndex struct {
	named map[string][]int
	other []int
}

// worthIndexing is how many behaviors are tried one after the other faster than they are looked up.
const worthIndexing = 6

// newBehaviorIndex makes the index of all behaviors but the default one, nil when there are only a few.
func newBehaviorIndex(behaviors []Behavior) *behaviorIndex {
	if len(behaviors) < worthIndexing {
		return nil
	}
	x := &behaviorIndex{named: map[string][]int{}}
	for i := range behaviors[:len(behaviors)-1] {
		first := firstSegment(behaviors[i].Pattern.body)
		if strings.ContainsAny(first, "*?") {
			x.other = append(x.other, i)
			for name := range x.named {
				x.named[name] = append(x.named[name], i)
			}
			continue
		}
		if x.named[first] == nil {
			x.named[first] = append([]int(nil), x.other...)
		}
		x.named[first] = append(x.named[first], i)
	}
	return x
}

func firstSegment(s string) string {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[:i]
	}
	return s
}

// indexOf returns the index of a plan, nil when it has none.
func (s *Service) indexOf(p *Plan) *behaviorIndex {
	if len(p.Behaviors) < worthIndexing {
		return nil
	}
	return s.indexes[p]
}

// find returns the first behavior of p that matches a path, which has passed NormalisePath; index is p's, or nil.
func (p *Plan) find(path string, index *behaviorIndex) int {
	last := len(p.Behaviors) - 1
	if index == nil {
		for i := range p.Behaviors {
			if i == last || p.Behaviors[i].Pattern.Match(path) {
				return i
			}
		}
		return -1
	}
	candidates, ok := index.named[firstSegment(strings.TrimPrefix(path, "/"))]
	if !ok {
		candidates = index.other
	}
	for _, i := range candidates {
		if p.Behaviors[i].Pattern.Match(path) {
			return i
		}
	}
	return last
}
