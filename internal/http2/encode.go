package http2

import (
	"hash/maphash"
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/message"
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
	fresh    uint64 // counts what changes how a field is written the next time
	shared   [8]encoded
	next     int // of shared
}

// slot is a field that was sent lately, known by a hash that nobody outside can foretell, and by its lengths: the strings
// themselves may be in memory that is used again (message.Room).
type slot struct {
	hash        uint64
	name, value int
	serial      uint64 // in the dynamic table; 0 when it never was there
}

// encoded is how shared fields were written, as long as nothing has changed since.
type encoded struct {
	of    *message.Lines
	fresh uint64
	text  []byte
}

const slotCount = 64

func newEncoder() encoder { return encoder{limit: tableSize, first: 1, seed: maphash.MakeSeed()} }

// forget gives memory back. What the other side has in its table is not used again, and is driven out in time.
func (e *encoder) forget() {
	e.slots, e.scratch, e.shared = nil, nil, [8]encoded{}
	e.fresh++
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
	e.fresh++
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
	if s.hash != h || s.value != len(value) || s.name != len(name) {
		if s.serial >= e.first && s.hash != 0 && h&0x700 != 0 {
			return e.literal(dst, 0x00, 4, name, value) // leave what is of use for a while
		}
		*s = slot{hash: h, name: len(name), value: len(value)}
		e.fresh++
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
	e.fresh++
	e.evict(e.limit - size)
	if len(e.sizes) == cap(e.sizes) {
		e.sizes = append(make([]int, 0, 2*len(e.sizes)+8), e.sizes...)
	}
	e.sizes = append(e.sizes, size)
	e.size += size
	s.serial = e.first + uint64(len(e.sizes)) - 1
	return dst
}

// lines writes fields that answers share. Once all of them are in the table, that is one copy.
func (e *encoder) lines(dst []byte, l *message.Lines) []byte {
	if l == nil {
		return dst
	}
	for i := range e.shared {
		if k := &e.shared[i]; k.of == l && k.fresh == e.fresh {
			return append(dst, k.text...)
		}
	}
	start, before := len(dst), e.fresh
	for _, f := range l.Lower() {
		dst = e.field(dst, f.Name, f.Value)
	}
	if e.fresh == before {
		k := &e.shared[e.next%len(e.shared)]
		for i := range e.shared {
			if e.shared[i].of == l {
				k = &e.shared[i]
			}
		}
		e.next++
		k.of, k.fresh, k.text = l, before, append(k.text[:0], dst[start:]...)
	}
	return dst
}

// pseudo writes a pseudo-header field of a request. What is in the static table is written as its index.
func (e *encoder) pseudo(dst []byte, name, value string) []byte {
	switch {
	case name == ":method" && value == "GET":
		return append(dst, 0x82)
	case name == ":method" && value == "POST":
		return append(dst, 0x83)
	case name == ":path" && value == "/":
		return append(dst, 0x84)
	case name == ":scheme" && value == "http":
		return append(dst, 0x86)
	case name == ":scheme" && value == "https":
		return append(dst, 0x87)
	}
	return e.field(dst, name, value)
}

// secret tells which fields may not enter a table that an attacker might probe (rfc7541 7.1.3).
func secret(name string) bool {
	switch len(name) {
	case 6:
		return equalFold(name, "cookie")
	case 10:
		return equalFold(name, "set-cookie")
	case 13:
		return equalFold(name, "authorization")
	case 19:
		return equalFold(name, "proxy-authorization")
	case 20:
		return equalFold(name, "x-amz-security-token")
	}
	return false
}

func equalFold(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func (e *encoder) literal(dst []byte, pattern byte, bits int, name, value string) []byte {
	e.scratch = e.scratch[:0]
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		e.scratch = append(e.scratch, c)
	}
	if i := staticNames[string(e.scratch)]; i > 0 {
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

// staticNames has the index of names in the static table (rfc7541 appendix A).
var staticNames = map[string]int{
	":authority": 1, ":method": 2, ":path": 4, "accept-charset": 15, "accept-encoding": 16, "accept-language": 17,
	"accept-ranges": 18, "accept": 19, "access-control-allow-origin": 20, "age": 21, "allow": 22, "authorization": 23,
	"cache-control": 24, "content-disposition": 25, "content-encoding": 26, "content-language": 27, "content-length": 28,
	"content-location": 29, "content-range": 30, "content-type": 31, "cookie": 32, "date": 33, "etag": 34, "expires": 36,
	"from": 37, "if-match": 39, "if-modified-since": 40, "if-none-match": 41, "if-range": 42, "if-unmodified-since": 43,
	"last-modified": 44, "link": 45, "location": 46, "range": 50, "referer": 51, "retry-after": 53, "server": 54,
	"set-cookie": 55, "strict-transport-security": 56, "user-agent": 58, "vary": 59, "via": 60, "www-authenticate": 61,
}
