package http1

import (
	"encoding/binary"
	"strings"
	"unsafe"

	"github.com/foregate/foregate/internal/message"
)

// Character classes of rfc9110 5.5, 5.6.2 and rfc3986 2.
const (
	isToken  = 1 << iota // tchar
	isValue              // HTAB, SP, VCHAR, obs-text
	isTarget             // what may stand in a request target: VCHAR but "#"
	isHost               // reg-name: unreserved, pct-encoded, sub-delims
	isHex
)

var class = classes()

func classes() (t [256]uint8) {
	for i := range t {
		c := byte(i)
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			t[i] |= isToken
		}
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[i] |= isValue
		}
		if c > ' ' && c < 0x7f && c != '#' {
			t[i] |= isTarget
		}
		if alnum || strings.IndexByte("-._~%!$&'()*+,;=", c) >= 0 {
			t[i] |= isHost
		}
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			t[i] |= isHex
		}
	}
	return t
}

func all(s string, mask uint8) bool {
	for i := 0; i < len(s); i++ {
		if class[s[i]]&mask == 0 {
			return false
		}
	}
	return true
}

// ValidName tells whether s may be the name of a field (rfc9110 5.1).
func ValidName(s string) bool { return s != "" && all(s, isToken) }

// ValidValue tells whether s may be the value of a field: no control characters but HTAB (rfc9110 5.5).
func ValidValue(s string) bool {
	for len(s) >= 8 {
		if !plain(binary.LittleEndian.Uint64(unsafe.Slice(unsafe.StringData(s), 8))) {
			return all(s, isValue)
		}
		s = s[8:]
	}
	return all(s, isValue)
}

// plain tells whether none of eight characters is a control character. A carry between them can only make it say no in vain.
func plain(x uint64) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	del := x ^ 0x7f*ones
	return ((x-' '*ones)&^x|(del-ones)&^del)&tops == 0
}

// ValidTarget tells whether s may stand in a request line (rfc9112 3.2). Characters that rfc3986 would have escaped but that
// cannot be mistaken for framing, such as "|" and "{", pass; "#" does not, since servers differ in where they cut it.
func ValidTarget(s string) bool { return s != "" && all(s, isTarget) }

// ValidHost tells whether s is a host with an optional port: a name, an IPv4 address, or an IPv6 address in brackets.
func ValidHost(s string) bool {
	name, port := splitHost(s)
	if name == "" || len(s) > 512 {
		return false
	}
	for i := 0; i < len(port); i++ {
		if port[i] < '0' || port[i] > '9' {
			return false
		}
	}
	if len(port) > 5 {
		return false
	}
	if name[0] != '[' {
		return all(name, isHost)
	}
	in := name[1 : len(name)-1]
	for i := 0; i < len(in); i++ {
		if class[in[i]]&isHex == 0 && in[i] != ':' && in[i] != '.' {
			return false
		}
	}
	return strings.IndexByte(in, ':') >= 0
}

// splitHost cuts a port off; name is "" when the text has no such shape.
func splitHost(s string) (name, port string) {
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", ""
		}
		name, rest := s[:end+1], s[end+1:]
		if rest == "" {
			return name, ""
		}
		if rest[0] != ':' {
			return "", ""
		}
		return name, rest[1:]
	}
	if i := strings.IndexByte(s, ':'); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// TrimPort removes a port that is the scheme's default, or empty (rfc9110 4.2.3).
func TrimPort(host, scheme string) string {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.IndexByte(host[i:], ']') >= 0 {
		return host
	}
	switch port := host[i+1:]; {
	case port == "", scheme == "http" && port == "80", scheme == "https" && port == "443":
		return host[:i]
	}
	return host
}

// parseFields parses the field lines of a head up to its empty line and appends them to dst. Every line of s ends in CRLF,
// which endOfHead made sure of. why is "" when all is well.
func parseFields(s string, dst message.Header, limit int) (h message.Header, why string) {
	for {
		nl := strings.IndexByte(s, '\n')
		if nl < 1 {
			return dst, "field line without an end"
		}
		line := s[:nl-1]
		s = s[nl+1:]
		if line == "" {
			return dst, ""
		}
		k := 0
		for k < len(line) && class[line[k]]&isToken != 0 {
			k++
		}
		switch {
		case k == 0 && (line[0] == ' ' || line[0] == '\t'):
			return dst, "folded field line" // rfc9112 5.2
		case k == 0 || k == len(line):
			return dst, "field line without a name"
		case line[k] == ' ' || line[k] == '\t':
			return dst, "space before the colon of a field" // rfc9112 5.1
		case line[k] != ':':
			return dst, "forbidden character in a field name"
		case len(dst) >= limit:
			return dst, tooManyFields
		}
		v := trimSpace(line[k+1:])
		if !ValidValue(v) {
			return dst, "forbidden character in a field value"
		}
		dst = append(dst, message.Field{Name: line[:k], Value: v})
	}
}

const tooManyFields = "too many fields"

// trimSpace removes optional white space, which is SP and HTAB only (rfc9110 5.6.3).
func trimSpace(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// parseLength reads a Content-Length: digits only, one value (rfc9112 6.3; a list of equal values is refused as well).
func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 && len(strings.TrimLeft(s, "0")) > 18 {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// framing is what a head says about the message's extent and the connection.
type framing struct {
	length     int64 // of Content-Length, -1 without one
	chunked    bool
	close      bool // Connection: close
	keepAlive  bool // Connection: keep-alive
	upgrade    bool // Connection: upgrade
	upgradeTo  string
	connection string // the values of Connection, when they name other fields
	hosts      int
	host       string
	expect     string
	hasExpect  bool
}

// split takes the fields that frame the message or belong to the connection out of h, in place, and reads them.
func (f *framing) split(h message.Header) (out message.Header, why string) {
	*f = framing{length: -1}
	out = h[:0]
	for _, x := range h {
		keep := true
		switch len(x.Name) {
		case 4:
			if strings.EqualFold(x.Name, "Host") {
				f.hosts, f.host, keep = f.hosts+1, x.Value, false
			}
		case 6:
			if strings.EqualFold(x.Name, "Expect") {
				if f.hasExpect {
					x.Value = f.expect + ", " + x.Value // a list, which no expectation known here is
				}
				f.expect, f.hasExpect = x.Value, true
			}
		case 7:
			if strings.EqualFold(x.Name, "Upgrade") {
				f.upgradeTo, keep = x.Value, false
			}
		case 10:
			if strings.EqualFold(x.Name, "Connection") {
				f.readConnection(x.Value)
				keep = false
			} else if strings.EqualFold(x.Name, "Keep-Alive") {
				keep = false
			}
		case 14:
			if strings.EqualFold(x.Name, "Content-Length") {
				n, ok := parseLength(x.Value)
				if !ok || f.length >= 0 {
					return out, "invalid or repeated Content-Length"
				}
				f.length, keep = n, false
			}
		case 16:
			keep = !strings.EqualFold(x.Name, "Proxy-Connection")
		case 17:
			if strings.EqualFold(x.Name, "Transfer-Encoding") {
				if f.chunked || !strings.EqualFold(x.Value, "chunked") {
					return out, "Transfer-Encoding other than one chunked"
				}
				f.chunked, keep = true, false
			}
		}
		if keep {
			out = append(out, x)
		}
	}
	if f.chunked && f.length >= 0 {
		return out, "both Content-Length and Transfer-Encoding" // rfc9112 6.1
	}
	if f.connection != "" {
		out = f.dropNamed(out)
	}
	return out, ""
}

func (f *framing) readConnection(v string) {
	for v != "" {
		var t string
		t, v, _ = strings.Cut(v, ",")
		switch t = trimSpace(t); {
		case t == "":
		case strings.EqualFold(t, "close"):
			f.close = true
		case strings.EqualFold(t, "keep-alive"):
			f.keepAlive = true
		case strings.EqualFold(t, "upgrade"):
			f.upgrade = true
		case f.connection == "":
			f.connection = t
		default:
			f.connection += "," + t
		}
	}
}

// dropNamed removes the fields that Connection names (rfc9110 7.6.1).
func (f *framing) dropNamed(h message.Header) message.Header {
	for name := range strings.SplitSeq(f.connection, ",") {
		h.Del(name)
	}
	return h
}
