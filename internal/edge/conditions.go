package edge

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// applyConditions answers a viewer's conditional or range request from a stored object: 304, 206, 416, or the whole object
// (rfc9110 13.2.2, 14; facts: cloudfront-dataplane 6).
func (x *exchange) applyConditions(o *cache.Object) {
	h := x.req.Header
	if x.notModified(o) {
		x.res.status, x.res.memory, x.res.length = 304, nil, 0
		x.res.header = withoutContentFields(o.Header())
		return
	}
	value, ok := h.Lookup("Range")
	if !ok || x.method != GET || o.Body == nil {
		return
	}
	if cond, ok := h.Lookup("If-Range"); ok && !(o.ETag != "" && cond == o.ETag && !strings.HasPrefix(cond, "W/")) && cond != o.LastModified {
		return
	}
	first, last, verdict := parseRange(value, int64(len(o.Body)))
	switch verdict {
	case rangeWhole:
		return
	case rangeUnsatisfiable:
		x.res.status, x.res.memory, x.res.length = 416, nil, 0
		x.res.header = append(withoutContentFields(o.Header()), message.Field{Name: "Content-Range", Value: "bytes */" + strconv.Itoa(len(o.Body))})
	default:
		x.res.status, x.res.memory, x.res.length = 206, o.Body[first:last+1], last+1-first
		x.res.header = append(o.Header(), message.Field{Name: "Content-Range",
			Value: "bytes " + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(last, 10) + "/" + strconv.Itoa(len(o.Body))})
	}
	x.res.object = nil
	if x.res.status == 206 {
		x.res.object = o
	}
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

type rangeVerdict uint8

const (
	rangeWhole rangeVerdict = iota
	rangePart
	rangeUnsatisfiable
)

// parseRange reads a Range of one part. Several parts, other units and what cannot be read give the whole object (rfc9110
// 14.2; CloudFront would answer ascending parts with multipart/byteranges, which is not done here).
func parseRange(value string, size int64) (first, last int64, v rangeVerdict) {
	spec, ok := strings.CutPrefix(value, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, 0, rangeWhole
	}
	from, to, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, 0, rangeWhole
	}
	if from == "" {
		n, ok := parseSize(to)
		switch {
		case !ok:
			return 0, 0, rangeWhole
		case n == 0 || size == 0:
			return 0, 0, rangeUnsatisfiable
		}
		return max(size-n, 0), size - 1, rangePart
	}
	first, ok = parseSize(from)
	last = size - 1
	if ok && to != "" {
		var n int64
		if n, ok = parseSize(to); ok {
			if n < first {
				return 0, 0, rangeWhole
			}
			last = min(n, last)
		}
	}
	switch {
	case !ok:
		return 0, 0, rangeWhole
	case first >= size:
		return 0, 0, rangeUnsatisfiable
	}
	return first, last, rangePart
}

func parseSize(s string) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	return n, true
}
