package edge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// The first byte of a key is the class of the request: an answer to HEAD has no body, and OPTIONS is cached separately (facts:
// cloudfront-dataplane 3).
const (
	classGET     = 'G'
	classHEAD    = 'H'
	classOPTIONS = 'O'
	classParts   = 'P' // the parts of what GET has
)

// appendKey writes the cache key of the request: class, distribution, path, and what the cache policy names. Two requests have
// the same key only if they agree in all of that: behind each part stands its length, behind the values of a header how many
// there are, and at the end what tells which parts there are (Forward.keyed), so that a key can be read back from its end in
// one way only. It does not allocate when dst is large enough.
func (x *exchange) appendKey(dst []byte) []byte { return x.appendKeyFor(dst, x.encoding()) }

// appendKeyFor is appendKey with a normalised Accept-Encoding in place of the request's.
func (x *exchange) appendKeyFor(dst []byte, encoding string) []byte {
	f := x.behavior.Forward
	class := byte(classGET)
	if x.method == OPTIONS {
		class = classOPTIONS
	}
	dst = append(dst, class)
	dst = appendLength(append(dst, x.plan.ID...), len(x.plan.ID))
	dst = appendLength(append(dst, x.req.Path...), len(x.req.Path))
	from := len(dst)
	dst = appendQuery(dst, x.req.Query, &f.KeyQuery, nil)
	dst = appendLength(dst, len(dst)-from)
	if f.Gzip || f.Brotli {
		n := encoding
		if n == "identity" {
			n = ""
		}
		dst = appendLength(append(dst, n...), len(n))
	}
	for _, name := range f.KeyHeaders {
		dst = x.appendKeyHeader(dst, name)
	}
	if f.KeyCookies.Mode() != None {
		from = len(dst)
		dst, _ = appendCookies(dst, x.req.Header, &f.KeyCookies)
		dst = appendLength(dst, len(dst)-from)
	}
	return append(dst, f.keyed[:]...)
}

// keyOf returns the key of an object of this request, in memory of its own: parts have another one than the whole.
func (x *exchange) keyOf(o *cache.Object) []byte {
	key := append([]byte(nil), x.key...)
	if o.Parts != nil {
		key[0] = classParts
	}
	return key
}

// appendLength writes a length in four bytes.
func appendLength(dst []byte, n int) []byte { return binary.BigEndian.AppendUint32(dst, uint32(n)) }

// appendKeyHeader writes the values of a header, each with its length, and their number.
func (x *exchange) appendKeyHeader(dst []byte, name string) []byte {
	count := 0
	switch {
	case name == "host":
		dst, count = appendLength(append(dst, x.req.Host...), len(x.req.Host)), 1
	case strings.HasPrefix(name, "cloudfront-"):
		for _, known := range x.behavior.Forward.CloudFront {
			if strings.EqualFold(known, name) {
				v, _ := x.cloudFront(known)
				dst, count = appendLength(append(dst, v...), len(v)), 1
			}
		}
	case name == "accept-encoding" && (x.behavior.Forward.Gzip || x.behavior.Forward.Brotli):
	default:
		h := x.req.Header
		for i := range h {
			if message.SameName(h[i].Name, name) {
				dst = appendLength(append(dst, h[i].Value...), len(h[i].Value))
				count++
			}
		}
	}
	return appendLength(dst, count)
}

// fingerprint is what the layout of a key depends on, in eight bytes. A distribution whose policies change thus has other keys,
// also for objects that are on disk.
func (f *Forward) fingerprint() [8]byte {
	h := sha256.New()
	write := func(parts ...string) {
		for _, p := range parts {
			fmt.Fprintf(h, "%d:%s", len(p), p)
		}
		fmt.Fprint(h, ";")
	}
	write(f.KeyHeaders...)
	for _, s := range [...]*Selector{&f.KeyQuery, &f.KeyCookies} {
		write(string(s.Mode()))
		write(s.names...)
	}
	write(strconv.FormatBool(f.Gzip), strconv.FormatBool(f.Brotli))
	return [8]byte(h.Sum(nil))
}

// appendQuery writes the parameters that sel chooses, as received and in their order (facts: cloudfront-dataplane 5). drop,
// when not nil, leaves out more names.
func appendQuery(dst []byte, query string, sel *Selector, drop func(name string) bool) []byte {
	switch sel.Mode() {
	case None:
		return dst
	case All:
		if drop == nil {
			return append(dst, query...)
		}
	}
	start := len(dst)
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		name, _, _ := strings.Cut(param, "=")
		if param == "" || !sel.Has(name) || drop != nil && drop(name) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, '&')
		}
		dst = append(dst, param...)
	}
	return dst
}

// appendCookies writes the cookies that sel chooses, sorted by name (facts: cloudfront-dataplane 5), as a Cookie header has
// them, and tells whether there are any. Only name=value pairs count.
func appendCookies(dst []byte, h message.Header, sel *Selector) ([]byte, bool) {
	var room [16]string
	pairs := room[:0]
	for i := range h {
		if !message.SameName(h[i].Name, "Cookie") {
			continue
		}
		rest := h[i].Value
		for rest != "" {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			pair = strings.Trim(pair, " \t")
			name, _, ok := strings.Cut(pair, "=")
			if ok && name != "" && name[0] != '$' && sel.Has(name) { // a name with $ in front is dropped (DG-cookies)
				pairs = append(pairs, pair)
			}
		}
	}
	slices.SortStableFunc(pairs, compareCookies)
	for i, p := range pairs {
		if i > 0 {
			dst = append(dst, "; "...)
		}
		dst = append(dst, p...)
	}
	return dst, len(pairs) > 0
}

func compareCookies(a, b string) int {
	an, _, _ := strings.Cut(a, "=")
	bn, _, _ := strings.Cut(b, "=")
	return strings.Compare(an, bn)
}

// normaliseEncoding turns a viewer's Accept-Encoding into what is in the key and goes to the origin; "identity" goes to the
// origin only (facts: cloudfront-policies 6).
func normaliseEncoding(f *Forward, value string) string {
	gzip := f.Gzip && acceptsCoding(value, "gzip")
	br := f.Brotli && acceptsCoding(value, "br")
	switch {
	case gzip && br:
		return "br,gzip"
	case br:
		return "br"
	case gzip:
		return "gzip"
	}
	return "identity"
}

// encoding is the normalised Accept-Encoding of the request; "" when there is none, or when the viewer speaks HTTP/1.0, whose
// Accept-Encoding is dropped (facts: cloudfront-dataplane 6, Compression).
func (x *exchange) encoding() string {
	v, ok := x.req.Header.Lookup("Accept-Encoding")
	if !ok || x.viewer.Proto == message.HTTP10 {
		return ""
	}
	return normaliseEncoding(x.behavior.Forward, v)
}

// acceptsCoding tells whether an Accept-Encoding names a coding, with a weight that is not zero (rfc9110 12.5.3).
func acceptsCoding(value, coding string) bool {
	for value != "" {
		var item string
		item, value, _ = strings.Cut(value, ",")
		name, params, _ := strings.Cut(item, ";")
		if !strings.EqualFold(strings.Trim(name, " \t"), coding) {
			continue
		}
		q := strings.Trim(params, " \t")
		if len(q) > 2 && (q[0] == 'q' || q[0] == 'Q') && q[1] == '=' && strings.Trim(q[2:], "0.") == "" {
			return false
		}
		return true
	}
	return false
}
