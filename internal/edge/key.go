package edge

import (
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// appendKey writes the cache key of the request: distribution, method class, path, and what the cache policy names. Parts
// end with bytes that no header or path can hold. It does not allocate when dst is large enough.
func (x *exchange) appendKey(dst []byte) []byte {
	f := x.behavior.Forward
	dst = append(dst, x.plan.ID...)
	if x.method == OPTIONS { // cached separately (facts: cloudfront-dataplane 3)
		dst = append(dst, 0, 'O', 0)
	} else {
		dst = append(dst, 0, 'G', 0)
	}
	dst = append(dst, x.req.Path...)
	dst = append(dst, 0)
	dst = appendQuery(dst, x.req.Query, &f.KeyQuery, nil)
	if f.Gzip || f.Brotli {
		dst = append(dst, 0)
		if n := x.encoding(); n != "identity" {
			dst = append(dst, n...)
		}
	}
	for _, name := range f.KeyHeaders {
		dst = append(dst, 0)
		dst = x.appendKeyHeader(dst, name)
	}
	if f.KeyCookies.Mode() != None {
		dst = append(dst, 0)
		dst, _ = appendCookies(dst, x.req.Header, &f.KeyCookies)
	}
	return dst
}

func (x *exchange) appendKeyHeader(dst []byte, name string) []byte {
	switch {
	case name == "host":
		return append(dst, x.req.Host...)
	case strings.HasPrefix(name, "cloudfront-"):
		for _, known := range x.behavior.Forward.CloudFront {
			if strings.EqualFold(known, name) {
				v, _ := x.cloudFront(known)
				return append(dst, v...)
			}
		}
		return dst
	case name == "accept-encoding" && (x.behavior.Forward.Gzip || x.behavior.Forward.Brotli):
		return dst
	}
	h := x.req.Header
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			dst = append(dst, h[i].Value...)
			dst = append(dst, 1)
		}
	}
	return dst
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
		if !strings.EqualFold(h[i].Name, "Cookie") {
			continue
		}
		rest := h[i].Value
		for rest != "" {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			pair = strings.Trim(pair, " \t")
			name, _, ok := strings.Cut(pair, "=")
			if ok && name != "" && sel.Has(name) {
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
