package edge

import (
	"io"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// span is a part of a body, both ends inclusive.
type span struct{ first, last int64 }

func (s span) length() int64 { return s.last - s.first + 1 }

func (s span) contentRange(size int64) string {
	return "bytes " + strconv.FormatInt(s.first, 10) + "-" + strconv.FormatInt(s.last, 10) + "/" + strconv.FormatInt(size, 10)
}

// maxSpans is how many parts one answer has at most; a request for more gets the whole object (rfc9110 14.2: a server may
// ignore it).
const maxSpans = 128

type rangeVerdict uint8

const (
	rangeWhole rangeVerdict = iota
	rangePart
	rangeUnsatisfiable
)

// parseRange reads a Range for a body of size bytes. Parts that do not ascend, that overlap, or of which one cannot be read,
// give the whole object (facts: cloudfront-dataplane 6), as do other units (rfc9110 14.2). Parts behind the end are left out;
// when none is left, the range is not satisfiable.
func parseRange(value string, size int64) ([]span, rangeVerdict) {
	const unit = "bytes="
	if len(value) < len(unit) || !strings.EqualFold(value[:len(unit)], unit) {
		return nil, rangeWhole
	}
	var spans []span
	count, end := 0, int64(-1)
	for rest, more := value[len(unit):], true; more; {
		var item string
		item, rest, more = strings.Cut(rest, ",")
		item = strings.Trim(item, " \t")
		if item == "" { // an empty member of a list (rfc9110 5.6.1)
			continue
		}
		if count++; count > maxSpans {
			return nil, rangeWhole
		}
		s, ok := parseSpan(item, size)
		if !ok || s.first <= end {
			return nil, rangeWhole
		}
		if s.first < size && s.last >= s.first {
			spans, end = append(spans, s), s.last
		}
	}
	switch {
	case count == 0:
		return nil, rangeWhole
	case len(spans) == 0:
		return nil, rangeUnsatisfiable
	}
	return spans, rangePart
}

// dropBadRange takes away a range that breaks CloudFront's rules, so that the origin gives the whole object, as the cache does
// (DG-rangegets: parts must ascend, must not overlap, and must all be valid). Other units than bytes go on as they are.
func dropBadRange(r *message.Request) {
	v, ok := r.Header.Lookup("Range")
	if !ok || r.Method != "GET" || !hasPrefixFold(v, "bytes=") {
		return
	}
	if _, verdict := parseRange(v, 1<<60); verdict == rangeWhole { // whatever the size
		r.Header.Del("Range")
		r.Header.Del("If-Range")
	}
}

// parseSpan reads first-last, first- or -count. A part that is behind the end has first >= size.
func parseSpan(item string, size int64) (span, bool) {
	from, to, ok := strings.Cut(item, "-")
	if !ok {
		return span{}, false
	}
	if from == "" {
		n, ok := parseSize(to)
		if n == 0 || size == 0 {
			return span{size, size}, ok
		}
		return span{max(size-n, 0), size - 1}, ok
	}
	first, ok := parseSize(from)
	if !ok {
		return span{}, false
	}
	last := size - 1
	if to != "" {
		n, ok := parseSize(to)
		if !ok || n < first {
			return span{}, false
		}
		last = min(n, last)
	}
	return span{first, last}, true
}

func parseSize(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// multipart is a body of several parts (rfc9110 14.6). Each part is opened when it is its turn.
type multipart struct {
	spans    []span
	heads    []string
	tail     string
	open     func(span) (io.ReadCloser, error)
	next     int
	pending  string
	body     io.ReadCloser
	anchor   io.Closer // keeps what open needs
	finished bool
}

// newMultipart makes the body and returns its length.
func newMultipart(spans []span, size int64, contentType, boundary string, open func(span) (io.ReadCloser, error)) (*multipart, int64) {
	m := &multipart{spans: spans, open: open, tail: "\r\n--" + boundary + "--\r\n"}
	n := int64(len(m.tail))
	for _, s := range spans {
		head := "\r\n--" + boundary + "\r\n"
		if contentType != "" {
			head += "Content-Type: " + contentType + "\r\n"
		}
		head += "Content-Range: " + s.contentRange(size) + "\r\n\r\n"
		m.heads = append(m.heads, head)
		n += int64(len(head)) + s.length()
	}
	return m, n
}

// Read implements io.Reader.
func (m *multipart) Read(p []byte) (int, error) {
	for {
		if m.pending != "" {
			n := copy(p, m.pending)
			m.pending = m.pending[n:]
			return n, nil
		}
		if m.body != nil {
			n, err := m.body.Read(p)
			if err == io.EOF {
				err = m.body.Close()
				m.body = nil
			}
			if n > 0 || err != nil {
				return n, err
			}
			continue
		}
		switch {
		case m.finished:
			return 0, io.EOF
		case m.next == len(m.spans):
			m.pending, m.finished = m.tail, true
		default:
			body, err := m.open(m.spans[m.next])
			if err != nil {
				return 0, err
			}
			m.pending, m.body = m.heads[m.next], body
			m.next++
		}
	}
}

// Close implements io.Closer.
func (m *multipart) Close() error {
	m.finished, m.pending = true, ""
	m.next = len(m.spans)
	if m.anchor != nil {
		m.anchor.Close()
		m.anchor = nil
	}
	if m.body != nil {
		err := m.body.Close()
		m.body = nil
		return err
	}
	return nil
}
