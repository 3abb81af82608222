package http2

import (
	"hash/maphash"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// tableSize is the most that the encoder's dynamic table takes, whatever the client allows (rfc7541 4.2).
const tableSize = 4096

// encoder writes field blocks (rfc7541). A field enters the dynamic table when it comes for the second time: what is
// different in every answer, an id or an age, does not drive out what repeats. hpack.Encoder would put everything in, and
// looks fields up in two maps.
type encoder struct {
	seed     maphash.Seed
	slots    []slot // by hash; nil before the first block
	sizes    []int  // of the entries in the table, oldest first
	first    uint64 // serial number of sizes[0]
	size     int
	limit    int
	smallest int // the least limit since the last block; announced before a larger one
	changed  bool
	scratch  []byte
}

// slot is a field that was sent lately. Its name is in the case in which the response had it.
type slot struct {
	hash        uint64
	name, value string
	serial      uint64 // in the dynamic table; 0 when it never was there
}

const slotCount = 64

func newEncoder() encoder { return encoder{limit: tableSize, first: 1, seed: maphash.MakeSeed()} }

// forget gives memory back. What the other side has in its table is not used again, and is driven out in time.
func (e *encoder) forget() {
	e.slots, e.scratch = nil, nil
	e.sizes = append([]int(nil), e.sizes...)
}

// setLimit follows SETTINGS_HEADER_TABLE_SIZE.
func (e *encoder) setLimit(n uint32) {
	limit := int(min(n, tableSize))
	if limit == e.limit {
		return
	}
	if !e.changed || limit < e.smallest {
		e.smallest = limit
	}
	e.limit, e.changed = limit, true
	e.evict(limit)
}

func (e *encoder) evict(limit int) {
	for e.size > limit {
		e.size -= e.sizes[0]
		e.sizes = e.sizes[1:]
		e.first++
	}
}

// begin starts a block.
func (e *encoder) begin(dst []byte) []byte {
	if e.slots == nil {
		e.slots = make([]slot, slotCount)
	}
	if e.changed {
		if e.smallest < e.limit {
			dst = appendInt(dst, 0x20, 5, uint64(e.smallest))
		}
		dst = appendInt(dst, 0x20, 5, uint64(e.limit))
		e.changed = false
	}
	return dst
}

// status writes :status.
func (e *encoder) status(dst []byte, n int) []byte {
	switch n {
	case 200:
		return append(dst, 0x88)
	case 204:
		return append(dst, 0x89)
	case 206:
		return append(dst, 0x8a)
	case 304:
		return append(dst, 0x8b)
	case 400:
		return append(dst, 0x8c)
	case 404:
		return append(dst, 0x8d)
	case 500:
		return append(dst, 0x8e)
	}
	return append(dst, 0x08, 3, byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
}

// field writes a field that has been checked.
func (e *encoder) field(dst []byte, name, value string) []byte {
	if len(name)+len(value) > 512 {
		return e.literal(dst, 0x00, 4, name, value)
	}
	h := maphash.String(e.seed, name)*31 + maphash.String(e.seed, value)
	s := &e.slots[h%slotCount]
	if s.hash != h || s.value != value || s.name != name {
		if s.serial >= e.first && s.hash != 0 && h&0x700 != 0 {
			return e.literal(dst, 0x00, 4, name, value) // leave what is of use for a while
		}
		*s = slot{hash: h, name: name, value: value}
		if secret(name) {
			return e.literal(dst, 0x10, 4, name, value)
		}
		return e.literal(dst, 0x00, 4, name, value)
	}
	if s.serial >= e.first && s.serial != 0 {
		newest := e.first + uint64(len(e.sizes)) - 1
		return appendInt(dst, 0x80, 7, 62+newest-s.serial)
	}
	size := len(name) + len(value) + 32
	if size > e.limit || secret(name) {
		return e.literal(dst, 0x10, 4, name, value)
	}
	dst = e.literal(dst, 0x40, 6, name, value)
	e.evict(e.limit - size)
	if len(e.sizes) == cap(e.sizes) {
		e.sizes = append(make([]int, 0, 2*len(e.sizes)+8), e.sizes...)
	}
	e.sizes = append(e.sizes, size)
	e.size += size
	s.serial = e.first + uint64(len(e.sizes)) - 1
	return dst
}

// secret tells which fields may not enter a table that an attacker might probe (rfc7541 7.1.3).
func secret(name string) bool { return len(name) == 10 && strings.EqualFold(name, "Set-Cookie") }

func (e *encoder) literal(dst []byte, pattern byte, bits int, name, value string) []byte {
	e.scratch = e.scratch[:0]
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		e.scratch = append(e.scratch, c)
	}
	if i := staticName(e.scratch); i > 0 {
		dst = appendInt(dst, pattern, bits, uint64(i))
	} else {
		dst = appendString(append(dst, pattern), string(e.scratch))
	}
	return appendString(dst, value)
}

// appendInt is rfc7541 5.1.
func appendInt(dst []byte, pattern byte, bits int, n uint64) []byte {
	most := uint64(1)<<bits - 1
	if n < most {
		return append(dst, pattern|byte(n))
	}
	dst = append(dst, pattern|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, 0x80|byte(n))
	}
	return append(dst, byte(n))
}

// appendString is rfc7541 5.2, with the Huffman code where it is shorter.
func appendString(dst []byte, s string) []byte {
	if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
		return hpack.AppendHuffmanString(appendInt(dst, 0x80, 7, n), s)
	}
	return append(appendInt(dst, 0, 7, uint64(len(s))), s...)
}

// staticName is the index of a name in the static table (rfc7541 appendix A), for names of responses; 0 for others.
func staticName(name []byte) int {
	switch string(name) {
	case "accept-ranges":
		return 18
	case "access-control-allow-origin":
		return 20
	case "age":
		return 21
	case "allow":
		return 22
	case "cache-control":
		return 24
	case "content-disposition":
		return 25
	case "content-encoding":
		return 26
	case "content-language":
		return 27
	case "content-length":
		return 28
	case "content-location":
		return 29
	case "content-range":
		return 30
	case "content-type":
		return 31
	case "date":
		return 33
	case "etag":
		return 34
	case "expires":
		return 36
	case "last-modified":
		return 44
	case "link":
		return 45
	case "location":
		return 46
	case "retry-after":
		return 53
	case "server":
		return 54
	case "set-cookie":
		return 55
	case "strict-transport-security":
		return 56
	case "vary":
		return 59
	case "via":
		return 60
	case "www-authenticate":
		return 61
	}
	return 0
}
