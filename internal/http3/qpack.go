package http3

import (
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/head"
)

// span is a field of a section as it is decoded: its name is that of an entry of the static table or, with static -1, text
// of decoder.text; its value is that of the entry, or text.
type span struct {
	static             int
	whole              bool
	name, nameEnd, end int
}

// decoder reads field sections (rfc9204 4.5) that go without the dynamic table, as the engine's settings demand. All text of
// a section becomes one string.
type decoder struct {
	text  []byte
	spans []span
}

// Write takes what the Huffman code stands for.
func (d *decoder) Write(p []byte) (int, error) {
	d.text = append(d.text, p...)
	return len(p), nil
}

// decode gives the fields of a section to h, and stops when h has seen enough. It returns false for what is no field section.
func (d *decoder) decode(p []byte, h *head.Head) bool {
	d.text, d.spans = d.text[:0], d.spans[:0]
	inserts, p, ok := readInt(p, 8)
	if !ok || inserts != 0 || len(p) == 0 || p[0]&0x80 != 0 { // a base below zero (rfc9204 4.5.1.2)
		return false
	}
	if _, p, ok = readInt(p, 7); !ok {
		return false
	}
	room := h.Limit() + h.Limit()/8
	for len(p) > 0 && room > 0 {
		from := len(d.text)
		var s span
		if s, p, ok = d.field(p); !ok {
			return false
		}
		d.spans = append(d.spans, s)
		room -= len(d.text) - from + len(": \r\n")
		if s.static >= 0 {
			room -= len(staticTable[s.static].name)
		}
	}
	text := string(d.text)
	for _, s := range d.spans {
		name, value := text[s.name:s.nameEnd], text[s.nameEnd:s.end]
		if s.static >= 0 {
			name = staticTable[s.static].name
		}
		if s.whole {
			value = staticTable[s.static].value
		}
		h.Add(name, value)
	}
	if len(p) > 0 {
		h.Over = true
	}
	return true
}

// field reads one field line representation.
func (d *decoder) field(p []byte) (s span, rest []byte, ok bool) {
	s = span{static: -1, name: len(d.text), nameEnd: len(d.text), end: len(d.text)}
	var n uint64
	switch b := p[0]; {
	case b&0xc0 == 0xc0: // indexed, static
		if n, p, ok = readInt(p, 6); !ok || n >= uint64(len(staticTable)) {
			return s, nil, false
		}
		s.static, s.whole = int(n), true
		return s, p, true
	case b&0xd0 == 0x50: // literal with a name of the static table
		if n, p, ok = readInt(p, 4); !ok || n >= uint64(len(staticTable)) {
			return s, nil, false
		}
		s.static = int(n)
	case b&0xe0 == 0x20: // literal name
		if p, ok = d.literal(p, 3); !ok {
			return s, nil, false
		}
		s.nameEnd = len(d.text)
	default: // all others refer to the dynamic table
		return s, nil, false
	}
	if len(p) == 0 {
		return s, nil, false
	}
	p, ok = d.literal(p, 7)
	s.end = len(d.text)
	return s, p, ok
}

// literal reads a string whose length has a prefix of n bits, with the bit of the Huffman code before it (rfc9204 4.1.2).
func (d *decoder) literal(p []byte, n int) (rest []byte, ok bool) {
	huffman := p[0]&(1<<n) != 0
	length, p, ok := readInt(p, n)
	if !ok || length > uint64(len(p)) {
		return nil, false
	}
	raw := p[:length]
	if !huffman {
		d.text = append(d.text, raw...)
	} else if _, err := hpack.HuffmanDecode(d, raw); err != nil {
		return nil, false
	}
	return p[length:], true
}

// readInt reads an integer with a prefix of n bits (rfc9204 4.1.1).
func readInt(p []byte, n int) (v uint64, rest []byte, ok bool) {
	if len(p) == 0 {
		return 0, nil, false
	}
	most := uint64(1)<<n - 1
	v = uint64(p[0]) & most
	p = p[1:]
	if v < most {
		return v, p, true
	}
	for shift := 0; shift <= 56 && len(p) > 0; shift += 7 {
		b := p[0]
		p = p[1:]
		v += uint64(b&0x7f) << shift
		if b&0x80 == 0 {
			return v, p, v < 1<<62
		}
	}
	return 0, nil, false
}

// appendSection begins a field section: no inserts, base zero.
func appendSection(dst []byte) []byte { return append(dst, 0, 0) }

// appendStatus writes :status.
func appendStatus(dst []byte, status int) []byte {
	index := 0
	switch status {
	case 200:
		index = 25
	case 304:
		index = 26
	case 404:
		index = 27
	case 503:
		index = 28
	case 100:
		index = 63
	case 204:
		index = 64
	case 206:
		index = 65
	case 302:
		index = 66
	case 400:
		index = 67
	case 403:
		index = 68
	case 421:
		index = 69
	case 500:
		index = 71
	}
	if index > 0 {
		return appendInt(dst, 0xc0, 6, uint64(index))
	}
	return append(appendInt(dst, 0x50, 4, 24), 3, byte('0'+status/100), byte('0'+status/10%10), byte('0'+status%10))
}

// appendField writes a field of an answer, its name in lower case (rfc9114 4.2).
func appendField(dst []byte, name, value string) []byte {
	var lower [48]byte
	low := lower[:0]
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		low = append(low, c)
	}
	if first := staticName(low); first >= 0 {
		for i := first; i < len(staticTable) && staticTable[i].name == string(low); i++ {
			if staticTable[i].value == value && value != "" {
				return appendInt(dst, 0xc0, 6, uint64(i))
			}
		}
		pattern := byte(0x50)
		if first == setCookie {
			pattern = 0x70 // never to be compressed by whoever passes it on (rfc9204 7.1.3)
		}
		return appendString(appendInt(dst, pattern, 4, uint64(first)), value)
	}
	dst = appendInt(dst, 0x20, 3, uint64(len(low)))
	return appendString(append(dst, low...), value)
}

// appendString writes a value, in the Huffman code where that is shorter.
func appendString(dst []byte, s string) []byte {
	if n := hpack.HuffmanEncodeLength(s); n < uint64(len(s)) {
		return hpack.AppendHuffmanString(appendInt(dst, 0x80, 7, n), s)
	}
	return append(appendInt(dst, 0, 7, uint64(len(s))), s...)
}

// appendInt writes an integer with a prefix of some bits.
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

const setCookie = 14

// staticName is the first entry of the static table for a name of answers; -1 for others.
func staticName(name []byte) int {
	switch string(name) {
	case "age":
		return 2
	case "content-disposition":
		return 3
	case "content-length":
		return 4
	case "date":
		return 6
	case "etag":
		return 7
	case "last-modified":
		return 10
	case "link":
		return 11
	case "location":
		return 12
	case "set-cookie":
		return setCookie
	case "accept-ranges":
		return 32
	case "access-control-allow-headers":
		return 33
	case "access-control-allow-origin":
		return 35
	case "cache-control":
		return 36
	case "content-encoding":
		return 42
	case "content-type":
		return 44
	case "strict-transport-security":
		return 56
	case "vary":
		return 59
	case "x-content-type-options":
		return 61
	case "x-xss-protection":
		return 62
	case "access-control-allow-credentials":
		return 73
	case "access-control-allow-methods":
		return 76
	case "access-control-expose-headers":
		return 79
	case "alt-svc":
		return 83
	case "content-security-policy":
		return 85
	case "server":
		return 92
	case "timing-allow-origin":
		return 93
	case "x-frame-options":
		return 97
	}
	return -1
}
