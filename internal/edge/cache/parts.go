package cache

import (
	"hash/maphash"
	"slices"
	"strings"
)

// Part is a part of a body.
type Part struct {
	First int64
	Body  []byte
}

// End is the place behind the last byte.
func (p Part) End() int64 { return p.First + int64(len(p.Body)) }

const (
	// maxParts is how many parts one object has at most.
	maxParts = 1024
	// joinedPart is up to which length parts that touch become one piece of memory: with more, each further part would copy
	// all that came before it.
	joinedPart = 1 << 20
)

// AdmitPart stores a part of the body of o under key, an object with nothing but parts, whose complete length is o.Length. It
// joins the parts that are there when they are of the same representation: both have the same strong ETag and the same length
// (rfc9111 3.4); else it takes their place. o's fields count for all of them. Parts are in memory only, and those of one object
// take no more than Limit: the ones that are farthest away go first. AdmitPart returns the whole body when all of it is there;
// then the caller stores it as such, and the parts are gone.
func (c *Cache) AdmitPart(key []byte, o *Object, p Part) (whole []byte) {
	h := maphash.Bytes(c.seed, key)
	s := &c.shards[h%shardCount]
	s.mu.Lock()
	defer func() {
		s.mu.Unlock()
		c.shrink()
	}()
	if c.invalid.hits(o) || len(p.Body) == 0 || int64(len(p.Body)) > c.limit {
		return nil
	}
	n, e := *o, s.entries[string(key)]
	var before []Part
	// An invalidation that has begun drops e in a moment; what o brings may have been fetched after it began.
	if e != nil && n.sameRepresentation(e.object) && !c.invalid.hits(e.object) {
		before = e.object.Parts
	}
	n.Parts = c.fit(c.join(before, p), p)
	if n.complete() {
		if e != nil {
			c.drop(s, e)
		}
		return joined(n.Parts)
	}
	size := n.size(len(key))
	switch {
	case size > c.budget:
	case e != nil:
		c.replace(e, &n, size)
	default:
		c.insert(s, &entry{key: string(key), hash: h, object: &n, size: size})
	}
	return nil
}

func (o *Object) sameRepresentation(p *Object) bool {
	return strings.HasPrefix(o.ETag, `"`) && o.ETag == p.ETag && o.Length == p.Length && p.Parts != nil
}

// complete tells whether the parts, of which none overlap, are the whole body.
func (o *Object) complete() bool {
	n := int64(0)
	for _, p := range o.Parts {
		n += int64(len(p.Body))
	}
	return n == o.Length
}

// Piece returns n bytes of the body from first on, out of as many parts as they are in, or nil when they are not all there.
func (o *Object) Piece(first, n int64) (out [][]byte) {
	i, _ := slices.BinarySearchFunc(o.Parts, first, func(p Part, at int64) int {
		if p.End() <= at {
			return -1
		}
		return 1
	})
	for ; n > 0 && i < len(o.Parts) && o.Parts[i].First <= first; i++ {
		p := o.Parts[i]
		from := first - p.First
		b := p.Body[from:min(from+n, int64(len(p.Body)))]
		out, first, n = append(out, b), first+int64(len(b)), n-int64(len(b))
	}
	if n > 0 {
		return nil
	}
	return out
}

// join puts p among parts, which ascend and do not overlap; what they have already is not taken from p.
func (c *Cache) join(parts []Part, p Part) []Part {
	out := make([]Part, 0, len(parts)+2)
	most := int(min(joinedPart, c.limit/2)) // one that is longer than the limit could not be dropped in pieces
	at := p.First
	gap := func(end int64) {
		if end = min(end, p.End()); at < end {
			piece := Part{at, p.Body[at-p.First : end-p.First]}
			if len(piece.Body) < len(p.Body) {
				piece.Body = slices.Clone(piece.Body) // and not all of p
			}
			out = appendPart(out, piece, most)
		}
	}
	for _, old := range parts {
		gap(old.First)
		out = appendPart(out, old, most)
		at = max(at, old.End())
	}
	gap(p.End())
	return out
}

// appendPart adds a part at the end, in one piece with the one before when they touch and are small.
func appendPart(parts []Part, p Part, most int) []Part {
	if last := len(parts) - 1; last >= 0 && parts[last].End() == p.First && len(parts[last].Body)+len(p.Body) <= most {
		parts[last].Body = slices.Concat(parts[last].Body, p.Body)
		return parts
	}
	return append(parts, p)
}

// fit drops the parts that are farthest from the new one, until what is left is within the limits.
func (c *Cache) fit(parts []Part, newest Part) []Part {
	size := int64(0)
	for _, p := range parts {
		size += int64(len(p.Body))
	}
	for len(parts) > 1 && (size > c.limit || len(parts) > maxParts) {
		first, last := parts[0], parts[len(parts)-1]
		if newest.First-first.First > last.End()-newest.End() {
			parts, size = parts[1:], size-int64(len(first.Body))
		} else {
			parts, size = parts[:len(parts)-1], size-int64(len(last.Body))
		}
	}
	return parts
}

func joined(parts []Part) []byte {
	if len(parts) == 1 {
		return parts[0].Body
	}
	var n int
	for _, p := range parts {
		n += len(p.Body)
	}
	out := make([]byte, 0, n)
	for _, p := range parts {
		out = append(out, p.Body...)
	}
	return out
}
