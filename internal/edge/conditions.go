package edge

import (
	"bytes"
	"io"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// stored is where the body of an object comes from: memory, a file, or a stream that is being filled.
type stored struct {
	object *cache.Object
	stream *cache.Stream
}

func (s stored) size() int64 {
	if s.stream != nil {
		return s.stream.Length()
	}
	return s.object.Size()
}

// open returns a part of a body.
func (s stored) open(p span) (io.ReadCloser, error) {
	switch o := s.object; {
	case s.stream != nil:
		if r := s.stream.NewSection(p.first, p.length()); r != nil {
			return r, nil
		}
		return nil, io.ErrUnexpectedEOF
	case o.File != nil:
		return o.File.Open(p.first, p.length())
	case o.Parts != nil:
		return openPiece(o.Piece(p.first, p.length()))
	default:
		return message.NewBytes(o.Body[p.first : p.last+1]), nil
	}
}

// has tells whether an object of parts has all of some; other objects have them.
func (s stored) has(spans []span) bool {
	if s.stream != nil || s.object.Parts == nil {
		return true
	}
	for _, p := range spans {
		if s.object.Piece(p.first, p.length()) == nil {
			return false
		}
	}
	return true
}

// openPiece makes a body of consecutive pieces; none is not to be had.
func openPiece(pieces [][]byte) (io.ReadCloser, error) {
	switch len(pieces) {
	case 0:
		return nil, io.ErrUnexpectedEOF
	case 1:
		return message.NewBytes(pieces[0]), nil
	}
	readers := make([]io.Reader, len(pieces))
	for i, b := range pieces {
		readers[i] = bytes.NewReader(b)
	}
	return io.NopCloser(io.MultiReader(readers...)), nil
}

// serveObject makes a stored object the answer, with the viewer's conditions and range applied. It returns false when the body
// is lost: then nothing has changed.
func (x *exchange) serveObject(o *cache.Object, xcache string) bool {
	return x.serveStored(stored{object: o}, xcache)
}

func (x *exchange) serveStored(s stored, xcache string) bool {
	o := s.object
	before := x.res
	x.res = result{
		status: o.Status, origin: o.Status, length: s.size(),
		xcache: xcache, age: true, object: o, timing: before.timing, self: o.Self,
	}
	part := rangeWhole
	var spans []span
	if o.Status == 200 && o.Result == "" && !x.nested {
		if x.notModified(o) {
			x.res.status, x.res.length = 304, 0
			x.res.header = withoutContentFields(o.Header())
			return true
		}
		spans, part = x.ranges(s)
	}
	ok := true
	switch {
	case part == rangeUnsatisfiable:
		x.res.status, x.res.length, x.res.object = 416, 0, nil
		x.res.header = append(withoutContentFields(o.Header()), message.Field{Name: "Content-Range", Value: "bytes */" + strconv.FormatInt(s.size(), 10)})
	case x.method == HEAD || o.HeadOnly:
		if o.Unsized && s.stream == nil && !o.HeadOnly {
			x.res.length = -1
		}
	case part == rangePart:
		ok = x.servePart(s, spans)
	case o.Parts != nil: // the whole is not there
		ok = false
	default:
		ok = x.serveWhole(s)
	}
	if !ok {
		x.res = before
	}
	return ok
}

// serveWhole does not allocate for a body in memory.
func (x *exchange) serveWhole(s stored) bool {
	o := s.object
	if s.stream != nil {
		r := s.stream.NewReader()
		if r == nil {
			return false
		}
		x.res.body = r
		return true
	}
	if o.Unsized {
		x.res.length = -1
	}
	if o.File == nil {
		x.res.memory = o.Body
		return true
	}
	body, err := o.File.Open(0, o.File.Size())
	if err != nil {
		return false
	}
	x.res.body = body
	return true
}

// servePart makes the answer a 206 of one part, or of several.
func (x *exchange) servePart(s stored, spans []span) bool {
	size, header := s.size(), s.object.Header()
	if len(spans) == 1 {
		body, err := s.open(spans[0])
		if err != nil {
			return false
		}
		x.res.status, x.res.body, x.res.length = 206, body, spans[0].length()
		x.res.header = append(header, message.Field{Name: "Content-Range", Value: spans[0].contentRange(size)})
		return true
	}
	open, anchor := s.hold()
	if open == nil || !s.has(spans) {
		return false
	}
	boundary := strings.Trim(x.id, "=")
	body, length := newMultipart(spans, size, header.Get("Content-Type"), boundary, open)
	body.anchor = anchor
	x.res.status, x.res.body, x.res.length = 206, body, length
	header.Set("Content-Type", "multipart/byteranges; boundary="+boundary)
	x.res.header = header
	return true
}

// hold keeps a body while parts of it are opened one after the other; the anchor, when not nil, ends that. open is nil when the
// body is lost.
func (s stored) hold() (open func(span) (io.ReadCloser, error), anchor io.Closer) {
	switch {
	case s.stream != nil:
		r := s.stream.Anchor()
		if r == nil {
			return nil, nil
		}
		return s.open, r
	case s.object.File != nil:
		whole, err := s.object.File.Open(0, s.object.File.Size())
		if err != nil {
			return nil, nil
		}
		return func(p span) (io.ReadCloser, error) { return whole.Part(p.first, p.length()), nil }, whole
	}
	return s.open, nil
}

// ranges reads the viewer's Range and If-Range (rfc9110 13.1.5, 14.2).
func (x *exchange) ranges(s stored) ([]span, rangeVerdict) {
	h := x.req.Header
	value, ok := h.Lookup("Range")
	if !ok || x.method != GET || s.size() < 0 {
		return nil, rangeWhole
	}
	if cond, ok := h.Lookup("If-Range"); ok && !sameVersion(s.object, cond) {
		return nil, rangeWhole
	}
	return parseRange(value, s.size())
}

// sameVersion evaluates If-Range: a strong ETag, or the date of Last-Modified to the byte.
func sameVersion(o *cache.Object, cond string) bool {
	if strings.HasPrefix(cond, `"`) {
		return cond == o.ETag
	}
	return cond != "" && cond == o.LastModified
}

// notModified evaluates If-None-Match, or else If-Modified-Since.
func (x *exchange) notModified(o *cache.Object) bool {
	// With cookies forwarded they are not supported (facts: cloudfront-dataplane 6).
	if x.method&(GET|HEAD) == 0 || x.behavior.Forward.Cookies.Mode() != None {
		return false
	}
	h := x.req.Header
	if v, ok := h.Lookup("If-None-Match"); ok {
		return o.ETag != "" && etagListed(v, o.ETag)
	}
	v, ok := h.Lookup("If-Modified-Since")
	if !ok || o.LastModified == "" {
		return false
	}
	if v == o.LastModified {
		return true
	}
	since, ok1 := parseDate(v)
	modified, ok2 := parseDate(o.LastModified)
	return ok1 && ok2 && !modified.After(since)
}

// etagListed compares weakly, as If-None-Match does (rfc9110 8.8.3.2).
func etagListed(list, etag string) bool {
	etag = strings.TrimPrefix(etag, "W/")
	for list != "" {
		var item string
		item, list = cutDirective(list)
		item = strings.TrimSpace(item)
		if item == "*" || strings.TrimPrefix(item, "W/") == etag {
			return true
		}
	}
	return false
}

func withoutContentFields(h message.Header) message.Header {
	out := make(message.Header, 0, len(h)+4)
	for _, f := range h {
		if !hasPrefixFold(f.Name, "Content-") || strings.EqualFold(f.Name, "Content-Location") {
			out = append(out, f)
		}
	}
	return out
}
