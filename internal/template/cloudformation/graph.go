package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// link makes the graph of the resources that exist: by the branches that Fn::If takes, by DependsOn, and by what Ref,
// Fn::GetAtt and Fn::Sub name. Metadata counts: a reference there orders resources too.
//
// A DependsOn on a resource whose condition is false is no dependency, and no error ([unsourced]: public advice is that
// CloudFormation ignores it).
func (in *Instance) link(found *findings) {
	exists := make(map[string]int, len(in.Resources))
	for i, r := range in.Resources {
		exists[r.LogicalID] = i
	}
	choose := func(c string) bool { return in.Conditions[c] }
	check := func(u *unresolved, names map[string]bool) func(reference) {
		return func(r reference) {
			if r.kind > bySubAttribute || in.Template.isParameter(r.name) {
				return
			}
			if _, ok := exists[r.name]; !ok {
				u.add(r.name, r.at)
			} else if names != nil {
				names[r.name] = true
			}
		}
	}
	u := &unresolved{block: "Resources", t: in.Template, removed: in.removed}
	in.dependencies = make(map[string][]string, len(in.Resources))
	for _, r := range in.Resources {
		names := map[string]bool{}
		for _, v := range r.values() {
			references(v, inResource, choose, check(u, names))
		}
		for _, d := range r.DependsOn {
			if _, ok := exists[d]; ok {
				names[d] = true
			}
		}
		deps := make([]string, 0, len(names))
		for n := range names {
			deps = append(deps, n)
		}
		slices.SortFunc(deps, func(a, b string) int { return exists[a] - exists[b] })
		in.dependencies[r.LogicalID] = deps
	}
	found.add(u.finding())
	u = &unresolved{block: "Outputs", t: in.Template, removed: in.removed}
	for _, o := range in.Outputs {
		for _, v := range o.values() {
			references(v, inOutput, choose, check(u, nil))
		}
	}
	found.add(u.finding())
	if !found.failed() {
		in.sort(found)
	}
}

// removed says why a declared resource does not exist here.
func (in *Instance) removed(name string) string {
	if r := in.Template.Resource(name); r != nil && !in.holds(r.Condition) {
		return fmt.Sprintf("%s does not exist in this stack: its condition %s is false", name, r.Condition)
	}
	return ""
}

// sort makes Levels and Order, or finds the resources that wait for each other.
func (in *Instance) sort(found *findings) {
	level := make(map[string]int, len(in.Resources))
	for done := 0; done < len(in.Resources); {
		var ready []string
		for _, r := range in.Resources {
			if _, placed := level[r.LogicalID]; placed {
				continue
			}
			free := !slices.ContainsFunc(in.dependencies[r.LogicalID], func(d string) bool { _, placed := level[d]; return !placed })
			if free {
				ready = append(ready, r.LogicalID)
			}
		}
		if ready == nil {
			in.circular(level, found)
			return
		}
		for _, id := range ready {
			level[id] = len(in.Levels)
		}
		in.Levels = append(in.Levels, ready)
		done += len(ready)
	}
	in.Order = slices.Concat(in.Levels...)
}

// circular reports the resources that are on a circle or between circles; CloudFormation names them all, and not the circle.
func (in *Instance) circular(placed map[string]int, found *findings) {
	left := map[string]bool{}
	for _, r := range in.Resources {
		if _, ok := placed[r.LogicalID]; !ok {
			left[r.LogicalID] = true
		}
	}
	in.trim(left)
	names := sortedKeys(left)
	circle := in.circle(names[0], left)
	r := in.Resource(circle[0])
	f := refused(spot{r.Position, "Resources." + r.LogicalID}, "Circular dependency between resources: ["+strings.Join(names, ", ")+"]",
		"break the circle: take out one of these references, or move it to a resource of its own (a policy, a permission)")
	for i, id := range circle {
		next := circle[(i+1)%len(circle)]
		because(f, "%s depends on %s%s", id, next, in.via(id, next))
	}
	found.add(f)
}

// trim takes out what only hangs on a circle: what nothing left depends on.
func (in *Instance) trim(left map[string]bool) {
	dependents := map[string]int{}
	for id := range left {
		for _, d := range in.dependencies[id] {
			dependents[d]++
		}
	}
	var free []string
	for id := range left {
		if dependents[id] == 0 {
			free = append(free, id)
		}
	}
	for len(free) > 0 {
		id := free[len(free)-1]
		free = free[:len(free)-1]
		delete(left, id)
		for _, d := range in.dependencies[id] {
			if dependents[d]--; dependents[d] == 0 && left[d] {
				free = append(free, d)
			}
		}
	}
}

// circle walks dependencies within left until it comes back.
func (in *Instance) circle(from string, left map[string]bool) []string {
	var walked []string
	for id := from; ; {
		if i := slices.Index(walked, id); i >= 0 {
			return walked[i:]
		}
		walked = append(walked, id)
		for _, d := range in.dependencies[id] {
			if left[d] {
				id = d
				break
			}
		}
	}
}

// via says where id names next.
func (in *Instance) via(id, next string) string {
	r := in.Resource(id)
	where := ""
	for _, v := range r.values() {
		references(v, inResource, func(c string) bool { return in.Conditions[c] }, func(ref reference) {
			if where == "" && ref.kind <= bySubAttribute && ref.name == next {
				where = fmt.Sprintf(" at %s (%s)", ref.at.Path(), ref.at.Position)
			}
		})
	}
	if where == "" && slices.Contains(r.DependsOn, next) {
		where = fmt.Sprintf(" by DependsOn (%s)", r.Value.Get("DependsOn").NamePosition())
	}
	return where
}

func sortedKeys(m map[string]bool) []string {
	return slices.Sorted(maps.Keys(m))
}
