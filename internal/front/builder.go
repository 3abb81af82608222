package front

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// maxChain bounds a chain of DNS records. Resolvers give up at about as many CNAMEs.
const maxChain = 16

// Builder collects what a Snapshot holds. It is used by one goroutine and for one Build.
//
// Three kinds of names lead somewhere, and this is their order: names that AWS gives out (Name), records of hosted zones
// (Record), and names that a configuration claims, such as the aliases of a distribution (Alias): on AWS those are
// reached only through a record, but locally most stacks have none.
type Builder struct {
	revision  int64
	names     zone[*Site]
	aliases   zone[*Site]
	records   zone[string]
	endpoints []Endpoint
	release   []func()
}

// zone is a set of names and wildcards; wildcards are kept by their suffix, with its dot.
type zone[T any] struct{ exact, wild map[string]T }

// NewBuilder starts a Snapshot for a revision of the store.
func NewBuilder(revision int64) *Builder {
	return &Builder{
		revision: revision,
		names:    newZone[*Site](), aliases: newZone[*Site](), records: newZone[string](),
	}
}

func newZone[T any]() zone[T] {
	return zone[T]{exact: map[string]T{}, wild: map[string]T{}}
}

// get returns the value for a canonical name: exact, then the longest wildcard.
func (z zone[T]) get(name string) (v T, exact, ok bool) {
	if v, ok := z.exact[name]; ok {
		return v, true, true
	}
	v, ok = z.cover(name)
	return v, false, ok
}

// cover returns the value of the longest wildcard above name.
func (z zone[T]) cover(name string) (v T, ok bool) {
	for rest := name; ; {
		dot := strings.IndexByte(rest[min(1, len(rest)):], '.')
		if dot < 0 {
			return v, false
		}
		rest = rest[1+dot:]
		if v, ok := z.wild[rest]; ok {
			return v, true
		}
	}
}

// put files a pattern; a second time the same name is an error.
func (z zone[T]) put(pattern string, v T) error {
	name := strings.TrimSuffix(lower(pattern), ".")
	set := z.exact
	if suffix, ok := strings.CutPrefix(name, "*."); ok {
		name, set = "."+suffix, z.wild
	}
	if !validName(strings.TrimPrefix(name, ".")) {
		return fmt.Errorf("add host %q: want a DNS name, with *. in front for all names under it", pattern)
	}
	if _, ok := set[name]; ok {
		return fmt.Errorf("add host %q: %w", pattern, ErrDuplicate)
	}
	set[name] = v
	return nil
}

// ErrDuplicate is returned for a name that was added before.
var ErrDuplicate = errors.New("it is there already")

// Name adds a name that AWS gives out, such as d111111abcdef8.cloudfront.net or *.execute-api.us-east-1.amazonaws.com. A
// wildcard stands for one or more labels.
func (b *Builder) Name(pattern string, site Site) error {
	if site.Handler == nil {
		return fmt.Errorf("add host %q: it has no handler", pattern)
	}
	return b.names.put(pattern, &site)
}

// Alias adds a name that a configuration claims: an alias of a distribution, a custom domain of an API. It leads to the
// site unless a record says otherwise; a wildcard stands for one or more labels (facts: cloudfront-dataplane 1).
func (b *Builder) Alias(pattern string, site Site) error {
	if site.Handler == nil {
		return fmt.Errorf("add host %q: it has no handler", pattern)
	}
	return b.aliases.put(pattern, &site)
}

// Record adds a DNS record of a hosted zone: an alias or CNAME to another name, or an A or AAAA record with an address.
// A name may be a wildcard, which stands for what no other record names (rfc4592).
func (b *Builder) Record(name, target string) error {
	t := strings.TrimSuffix(lower(target), ".")
	if !validName(t) && !isAddress(t) {
		return fmt.Errorf("add record %q: target %q is neither a name nor an address", name, target)
	}
	return b.records.put(name, t)
}

// Endpoint adds a line to what is printed.
func (b *Builder) Endpoint(e Endpoint) { b.endpoints = append(b.endpoints, e) }

// OnRelease adds a function that is called once, when the Snapshot has been replaced and nobody uses it. It must not
// block for long: it may run at the end of a request.
func (b *Builder) OnRelease(f func()) { b.release = append(b.release, f) }

// Build makes the Snapshot.
func (b *Builder) Build() *Snapshot {
	s := &Snapshot{
		revision: b.revision, exact: map[string]*entry{}, wild: map[string]*entry{},
		endpoints: b.endpoints, release: b.release, drained: make(chan struct{}),
	}
	for _, name := range sortedKeys(b.names.exact, b.records.exact, b.aliases.exact) {
		s.exact[name] = b.entry(s, name)
	}
	for _, suffix := range sortedKeys(b.names.wild, b.records.wild, b.aliases.wild) {
		s.wild[suffix] = b.entry(s, suffix)
	}
	for name, e := range s.exact {
		if e.site != nil {
			s.hosts = append(s.hosts, name)
		}
	}
	for suffix, e := range s.wild {
		if e.site != nil {
			s.hosts = append(s.hosts, pattern(suffix))
		}
	}
	slices.Sort(s.hosts)
	return s
}

// entry follows records from a name or, beginning with a dot, a wildcard.
func (b *Builder) entry(s *Snapshot, name string) *entry {
	e := &entry{}
	at := name
	for range maxChain {
		site, next := b.step(at)
		if site != nil {
			e.site, e.face = site, site
			break
		}
		if next == "" {
			break
		}
		at = next
	}
	if _, next := b.step(at); e.site == nil && next != "" {
		s.problems = append(s.problems, Problem{pattern(name),
			fmt.Sprintf("more than %d records in a row: they go round in a circle at %q", maxChain, at)})
	}
	if at != name {
		e.target = at
	}
	b.claim(e, name)
	s.http3 = s.http3 || e.face != nil && e.face.HTTP3
	return e
}

// step takes one step of a lookup: to a site, or along a record.
func (b *Builder) step(name string) (*Site, string) {
	if name[0] == '.' {
		return b.stepWild(name)
	}
	if site, ok := b.names.exact[name]; ok {
		return site, ""
	}
	if target, _, ok := b.records.get(name); ok {
		return nil, target
	}
	if site, exact, ok := b.aliases.get(name); ok && exact {
		return site, ""
	}
	if site, ok := b.names.cover(name); ok {
		return site, ""
	}
	site, _ := b.aliases.cover(name)
	return site, ""
}

// stepWild is step for a wildcard, of which only the first step of a lookup can be.
func (b *Builder) stepWild(suffix string) (*Site, string) {
	if site, ok := b.names.wild[suffix]; ok {
		return site, ""
	}
	if target, ok := b.records.wild[suffix]; ok {
		return nil, target
	}
	if target, ok := b.records.cover(suffix); ok {
		return nil, target
	}
	return b.aliases.wild[suffix], ""
}

// pattern returns a key as people write it.
func pattern(key string) string {
	if strings.HasPrefix(key, ".") {
		return "*" + key
	}
	return key
}

// claim gives the entry of a name that a record leads on the certificate of the configuration that claims the name at
// the service where the record ends, as CloudFront and API Gateway choose the certificate by SNI, not by address.
func (b *Builder) claim(e *entry, name string) {
	if e.site == nil || e.target == "" {
		return
	}
	site, ok := b.aliases.wild[name]
	if !ok {
		site, _, ok = b.aliases.get(name)
	}
	if ok && site.Service == e.site.Service {
		e.face = site
	}
}

// sortedKeys returns the keys of all three maps, each once.
func sortedKeys[A, B, C any](a map[string]A, b map[string]B, c map[string]C) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	for k := range c {
		all[k] = true
	}
	return slices.Sorted(maps.Keys(all))
}
