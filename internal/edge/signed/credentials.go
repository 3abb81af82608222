package signed

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// credentials are the values of a signature.
type credentials struct {
	keyID, signature, policy, expires, hash string
}

// field returns the place of a parameter, nil for a name that belongs to no signature. Names are case-sensitive, as all query
// parameters and cookies are to CloudFront.
func (c *credentials) field(name string) *string {
	switch name {
	case "Key-Pair-Id":
		return &c.keyID
	case "Signature":
		return &c.signature
	case "Policy":
		return &c.policy
	case "Expires":
		return &c.expires
	case "Hash-Algorithm":
		return &c.hash
	}
	return nil
}

// isParameter tells whether a query parameter belongs to a signature.
func isParameter(name string) bool { return new(credentials).field(name) != nil }

// cookiePrefix is what the names of the cookies have before those of the parameters.
const cookiePrefix = "CloudFront-"

func isCookie(name string) bool {
	rest, ok := strings.CutPrefix(name, cookiePrefix)
	return ok && isParameter(rest)
}

// read finds the signature of a request: that of the URL, if the URL has any part of one, else that of the cookies. The values
// are as they came.
func read(r *Request) (c credentials, from Source) {
	for rest := r.Query; rest != ""; {
		var param string
		param, rest, _ = strings.Cut(rest, "&")
		name, value, _ := strings.Cut(param, "=")
		if f := c.field(name); f != nil {
			from = InURL
			if *f == "" {
				*f = value
			}
		}
	}
	if from == InURL {
		return c, from
	}
	for i := range r.Header {
		if !strings.EqualFold(r.Header[i].Name, "Cookie") {
			continue
		}
		for rest := r.Header[i].Value; rest != ""; {
			var pair string
			pair, rest, _ = strings.Cut(rest, ";")
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !strings.HasPrefix(name, cookiePrefix) {
				continue
			}
			if f := c.field(name[len(cookiePrefix):]); f != nil {
				from = InCookies
				if *f == "" {
					*f = value
				}
			}
		}
	}
	return c, from
}

// decoded undoes percent-encoding in a URL, which clients often put on the tilde of a signature. A value that is not encoded well
// stays.
func decoded(from Source, value string) string {
	if from != InURL || strings.IndexByte(value, '%') < 0 {
		return value
	}
	if plain, err := url.PathUnescape(value); err == nil {
		return plain
	}
	return value
}

func (c *credentials) decodeAll(from Source) {
	for _, f := range [...]*string{&c.keyID, &c.signature, &c.policy, &c.expires, &c.hash} {
		*f = decoded(from, *f)
	}
}

// Strip returns a query string without the parameters of a signature: they are neither in the cache key nor sent to the origin.
// It does not allocate when what stays is in one piece, as it is when the signature came last.
func Strip(query string) string {
	if !has(query) {
		return query
	}
	start, end := -1, -1 // of the first piece
	var kept []byte      // of several
	for i := 0; i <= len(query); {
		n := strings.IndexByte(query[i:], '&')
		if n < 0 {
			n = len(query) - i
		}
		name, _, _ := strings.Cut(query[i:i+n], "=")
		switch {
		case isParameter(name):
		case start < 0:
			start, end = i, i+n
		case kept == nil && end == i-1:
			end = i + n
		default:
			if kept == nil {
				kept = append(make([]byte, 0, len(query)), query[start:end]...)
			}
			kept = append(append(kept, '&'), query[i:i+n]...)
		}
		i += n + 1
	}
	switch {
	case kept != nil:
		return string(kept)
	case start < 0:
		return ""
	}
	return query[start:end]
}

func has(query string) bool {
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		if name, _, _ := strings.Cut(param, "="); isParameter(name) {
			return true
		}
	}
	return false
}

// StripCookies returns h without the cookies of a signature; h itself is left as it is, and returned when there are none.
// CloudFront does not cache by them (private-content-signed-cookies).
func StripCookies(h message.Header) message.Header {
	var out message.Header
	for i := range h {
		if !strings.EqualFold(h[i].Name, "Cookie") || !strings.Contains(h[i].Value, cookiePrefix) {
			if out != nil {
				out = append(out, h[i])
			}
			continue
		}
		kept, changed := stripCookie(h[i].Value)
		if changed && out == nil {
			out = append(make(message.Header, 0, len(h)), h[:i]...)
		}
		if out != nil && kept != "" {
			out = append(out, message.Field{Name: h[i].Name, Value: kept})
		}
	}
	if out == nil {
		return h
	}
	return out
}

func stripCookie(value string) (kept string, changed bool) {
	var b strings.Builder
	for pair := range strings.SplitSeq(value, ";") {
		pair = strings.Trim(pair, " \t")
		name, _, _ := strings.Cut(pair, "=")
		if isCookie(name) {
			changed = true
			continue
		}
		if pair == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(pair)
	}
	return b.String(), changed
}

// unencode reads CloudFront's base64, which has - for +, _ for = and ~ for /. Plain base64 is refused, as CloudFront does
// (github jasonsims/aws-cloudfront-sign 6).
func unencode(s string) ([]byte, bool) {
	if strings.ContainsAny(s, "+/=\r\n") {
		return nil, false
	}
	b, err := alphabet.DecodeString(strings.TrimRight(s, "_"))
	return b, err == nil && len(b) > 0
}

var alphabet = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~").WithPadding(base64.NoPadding)
