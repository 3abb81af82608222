package sigv4

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/foregate/foregate/internal/message"
)

// subject is a request as far as a signature covers it.
type subject struct {
	method, host, path, query string
	header                    message.Header
	contentLength             int64
	signed                    string // SignedHeaders, as sent
	payload                   string
	date, scope               string
	presigned                 bool // leave X-Amz-Signature out of the query
	s3                        bool // S3's rules for the path
	rawQuery                  bool // take the query's encoding as it is; only for Diagnose
}

// scratch is the memory that one canonical request needs; it is pooled so that verifying does not allocate.
type scratch struct {
	buf    []byte // canonical request
	sts    []byte // string to sign
	text   []byte // encoded query parameters
	params []param
	names  []string
	segs   []int
	sum    [sha256.Size]byte
	hex    [2 * sha256.Size]byte
}

// param points into scratch.text.
type param struct{ name, eq, end int }

var scratches = sync.Pool{New: func() any { return &scratch{buf: make([]byte, 0, 1024), sts: make([]byte, 0, 256)} }}

// canonical writes the canonical request into s.buf and the string to sign into s.sts (facts: sigv4-iam 1).
func (s *scratch) canonical(q *subject) {
	b := append(s.buf[:0], q.method...)
	b = append(b, '\n')
	if q.s3 {
		b = appendEncodedOnce(b, q.path)
	} else {
		b = s.appendNormalised(b, q.path)
	}
	b = append(b, '\n')
	b = s.appendQuery(b, q)
	b = append(b, '\n')
	s.names = splitNames(s.names[:0], q.signed)
	for _, n := range s.names {
		b = append(b, n...)
		b = append(b, ':')
		b = appendValue(b, q, n)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	for i, n := range s.names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, n...)
	}
	b = append(b, '\n')
	b = append(b, q.payload...)
	s.buf = b

	t := append(s.sts[:0], Algorithm...)
	t = append(t, '\n')
	t = append(t, q.date...)
	t = append(t, '\n')
	t = append(t, q.scope...)
	t = append(t, '\n')
	s.sum = sha256.Sum256(b)
	t = hex.AppendEncode(t, s.sum[:])
	s.sts = t
}

// splitNames appends the signed header names in lower case and sorted, which is how AWS writes them back whatever the
// client's order was.
func splitNames(names []string, signed string) []string {
	for signed != "" {
		n, rest, _ := strings.Cut(signed, ";")
		signed = rest
		if n != "" {
			names = append(names, strings.ToLower(n))
		}
	}
	if !slices.IsSorted(names) {
		slices.Sort(names)
	}
	return names
}

// appendValue appends the value of a signed header: all its lines joined with commas, each trimmed and with runs of
// spaces made one (facts: sigv4-iam 1; the suite's get-header-value-order and get-header-value-trim).
func appendValue(b []byte, q *subject, name string) []byte {
	switch name {
	case "host", ":authority":
		return append(b, q.host...)
	case "content-length":
		// Package message keeps the length out of the fields.
		if !q.header.Has(name) && q.contentLength >= 0 {
			return strconv.AppendInt(b, q.contentLength, 10)
		}
	}
	first := true
	for i := range q.header {
		if !strings.EqualFold(q.header[i].Name, name) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendTrimmed(b, q.header[i].Value)
	}
	return b
}

func appendTrimmed(b []byte, v string) []byte {
	start, gap := len(b), false
	for i := range len(v) {
		switch c := v[i]; c {
		case ' ', '\t', '\r', '\n':
			gap = true
		default:
			if gap && len(b) > start {
				b = append(b, ' ')
			}
			gap = false
			b = append(b, c)
		}
	}
	return b
}

const upperHex = "0123456789ABCDEF"

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func appendEscaped(b []byte, c byte) []byte {
	if unreserved(c) {
		return append(b, c)
	}
	return append(b, '%', upperHex[c>>4], upperHex[c&15])
}

// appendNormalised appends the path as every service but S3 wants it: dot segments and empty segments removed, and what
// the client sent, which is encoded already, encoded once more (facts: sigv4-iam 1). A path that ends in a slash or in a
// dot segment keeps one slash (rfc3986 5.2.4).
func (s *scratch) appendNormalised(b []byte, path string) []byte {
	s.segs = s.segs[:0]
	b = append(b, '/')
	for rest := strings.TrimPrefix(path, "/"); ; {
		seg, tail, more := strings.Cut(rest, "/")
		switch seg {
		case "", ".":
		case "..":
			if n := len(s.segs); n > 0 {
				b = b[:s.segs[n-1]]
				s.segs = s.segs[:n-1]
			}
		default:
			s.segs = append(s.segs, len(b))
			for i := range len(seg) {
				b = appendEscaped(b, seg[i])
			}
			if more {
				b = append(b, '/')
			}
		}
		if !more {
			break
		}
		rest = tail
	}
	return b
}

// appendEncodedOnce appends the path as S3 wants it: the key encoded once, nothing normalised. The client's own encoding
// is undone first, so that "a%7eb" and "a~b" are the same key.
func appendEncodedOnce(b []byte, path string) []byte {
	if path == "" {
		return append(b, '/')
	}
	for i := 0; i < len(path); i++ {
		c, n := unescape(path, i)
		i += n - 1
		if c == '/' {
			b = append(b, '/')
		} else {
			b = appendEscaped(b, c)
		}
	}
	return b
}

// unescape returns the byte at i and how many bytes of s stand for it. A percent sign that begins no escape is itself.
func unescape(s string, i int) (byte, int) {
	if s[i] != '%' || i+2 >= len(s) {
		return s[i], 1
	}
	hi, ok1 := unhex(s[i+1])
	lo, ok2 := unhex(s[i+2])
	if !ok1 || !ok2 {
		return s[i], 1
	}
	return hi<<4 | lo, 3
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// appendQuery appends the parameters, decoded and encoded again, sorted by name and then value. A plus sign is a space, as
// AWS's servers read it.
func (s *scratch) appendQuery(b []byte, q *subject) []byte {
	query := q.query
	if query == "" {
		return b
	}
	s.text, s.params = s.text[:0], s.params[:0]
	for query != "" {
		part, rest, _ := strings.Cut(query, "&")
		query = rest
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		if q.presigned && name == "X-Amz-Signature" {
			continue
		}
		p := param{name: len(s.text)}
		s.appendParam(name, q)
		p.eq = len(s.text)
		s.text = append(s.text, '=')
		s.appendParam(value, q)
		p.end = len(s.text)
		s.params = append(s.params, p)
	}
	text := s.text
	slices.SortFunc(s.params, func(x, y param) int {
		if c := bytes.Compare(text[x.name:x.eq], text[y.name:y.eq]); c != 0 {
			return c
		}
		return bytes.Compare(text[x.eq:x.end], text[y.eq:y.end])
	})
	for i, p := range s.params {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, text[p.name:p.end]...)
	}
	return b
}

func (s *scratch) appendParam(v string, q *subject) {
	if q.rawQuery {
		s.text = append(s.text, v...)
		return
	}
	for i := 0; i < len(v); i++ {
		c, n := unescape(v, i)
		if v[i] == '+' {
			c = ' '
		}
		i += n - 1
		s.text = appendEscaped(s.text, c)
	}
}

// CanonicalRequest returns the canonical request and the hash-ready form's parts for people: what a client that signs r
// for service should have computed, with the headers named in signed (lower case, joined with semicolons).
func CanonicalRequest(r *message.Request, service, signed, payloadHash string) string {
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	q := subjectOf(r, signed, payloadHash)
	q.s3 = usesS3Rules(service)
	s.canonical(&q)
	return string(s.buf)
}

func subjectOf(r *message.Request, signed, payload string) subject {
	return subject{method: r.Method, host: r.Host, path: r.Path, query: r.Query, header: r.Header,
		contentLength: r.ContentLength, signed: signed, payload: payload}
}

// usesS3Rules tells whether a service signs paths as S3 does.
func usesS3Rules(service string) bool {
	switch service {
	case "s3", "s3-object-lambda", "s3-outposts", "s3express":
		return true
	}
	return false
}
