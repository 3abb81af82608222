package bucket

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// overrides are the query parameters that replace headers of the answer.
var overrides = []struct{ param, header string }{
	{"response-content-type", "Content-Type"}, {"response-cache-control", "Cache-Control"},
	{"response-content-disposition", "Content-Disposition"}, {"response-content-encoding", "Content-Encoding"},
	{"response-content-language", "Content-Language"}, {"response-expires", "Expires"},
}

// get answers GET and HEAD of an object.
func (x *exchange) get() *message.Response {
	for _, o := range overrides {
		if _, ok := x.params.lookup(o.param); ok && x.caller.anonymous() {
			return x.refuse(s3Error{code: "InvalidRequest", status: 400,
				message: "Request specific response headers cannot be used for anonymous GET requests."}, CauseAnonymousOverride, "")
		}
	}
	if resp := x.authorize("s3:GetObject", x.plan.ARN()+"/"+x.key); resp != nil {
		return resp
	}
	o, err := x.plan.Objects.Get(x.ctx, x.key)
	if err == ErrNotFound {
		return x.missing()
	}
	if err != nil {
		return x.failed("get", err)
	}
	resp := x.object(o)
	for _, p := range overrides {
		if v, ok := x.params.lookup(p.param); ok {
			resp.Header.Set(p.header, v)
		}
	}
	return resp
}

// failed answers for trouble with the store.
func (x *exchange) failed(phase string, err error) *message.Response {
	if x.hop != nil {
		x.hop.Step(phase, "error", err.Error())
	}
	return x.refuse(internalError, "store: "+err.Error(), x.plan.SourcePath)
}

// object answers with an object: conditions first, then the range. It takes over o.
func (x *exchange) object(o *Object) *message.Response {
	switch name, status := precondition(x.r.Header, &o.Info); status {
	case http.StatusPreconditionFailed:
		o.Content.Close()
		return x.refuse(preconditionFailed(name), "precondition", "")
	case http.StatusNotModified:
		o.Content.Close()
		x.hop.Step("get", "304", name)
		resp := x.respond(status, message.Field{Name: "Last-Modified", Value: o.ModTime.Format(http.TimeFormat)},
			message.Field{Name: "ETag", Value: o.ETag})
		if o.CacheControl != "" {
			resp.Header.Add("Cache-Control", o.CacheControl)
		}
		return resp
	}
	off, n, status := int64(0), o.Size, http.StatusOK
	if h, ok := x.r.Header.Lookup("Range"); ok && rangeApplies(x.r.Header, &o.Info) {
		var given bool
		off, n, given = parseRange(h, o.Size)
		if given && n == 0 {
			o.Content.Close()
			resp := x.refuse(s3Error{code: "InvalidRange", status: 416, message: "The requested range is not satisfiable",
				extra: []element{{"RangeRequested", h}, {"ActualObjectSize", strconv.FormatInt(o.Size, 10)}}}, "range", "")
			resp.Header.Add("Content-Range", fmt.Sprintf("bytes */%d", o.Size))
			return resp
		}
		if given {
			status = http.StatusPartialContent
		}
	}
	resp := x.respond(status, objectFields(&o.Info)...)
	if status == http.StatusPartialContent {
		resp.Header.Add("Content-Range", fmt.Sprintf("bytes %d-%d/%d", off, off+n-1, o.Size))
	}
	resp.ContentLength = n
	if x.hop != nil {
		x.hop.Step("get", strconv.Itoa(status), "")
	}
	if x.r.Method == http.MethodHead || n == 0 {
		o.Content.Close()
		return resp
	}
	resp.Body = &section{obj: o, off: off, left: n}
	return resp
}

// objectFields are the headers of an object in S3's order.
func objectFields(i *Info) []message.Field {
	f := append(make([]message.Field, 0, 12+len(i.Metadata)),
		message.Field{Name: "Last-Modified", Value: i.ModTime.Format(http.TimeFormat)},
		message.Field{Name: "ETag", Value: i.ETag},
		message.Field{Name: "x-amz-server-side-encryption", Value: "AES256"})
	f = append(f, i.Metadata...)
	for _, a := range [...]message.Field{{Name: "x-amz-website-redirect-location", Value: i.RedirectLocation},
		{Name: "Cache-Control", Value: i.CacheControl}, {Name: "Content-Disposition", Value: i.ContentDisposition},
		{Name: "Content-Encoding", Value: i.ContentEncoding}, {Name: "Content-Language", Value: i.ContentLanguage},
		{Name: "Expires", Value: i.Expires}, {Name: "Accept-Ranges", Value: "bytes"}, {Name: "Content-Type", Value: i.ContentType}} {
		if a.Value != "" {
			f = append(f, a)
		}
	}
	return f
}

// precondition evaluates the conditional headers (S3 API reference, GetObject; rfc9110 13.2.2): 412, 304, or 0 to go on.
func precondition(h message.Header, i *Info) (name string, status int) {
	match, hasMatch := h.Lookup("If-Match")
	if hasMatch && !etagListed(match, i.ETag) {
		return "If-Match", http.StatusPreconditionFailed
	}
	if t, ok := parseTime(h.Get("If-Unmodified-Since")); ok && !hasMatch && i.ModTime.After(t) {
		return "If-Unmodified-Since", http.StatusPreconditionFailed
	}
	if none, ok := h.Lookup("If-None-Match"); ok {
		if etagListed(none, i.ETag) {
			return "If-None-Match", http.StatusNotModified
		}
		return "", 0
	}
	if t, ok := parseTime(h.Get("If-Modified-Since")); ok && !i.ModTime.After(t) {
		return "If-Modified-Since", http.StatusNotModified
	}
	return "", 0
}

func parseTime(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, false
	}
	t, err := http.ParseTime(s)
	return t, err == nil
}

// etagListed takes tags with and without quotes, as S3 does.
func etagListed(list, etag string) bool {
	bare := strings.Trim(etag, `"`)
	for list != "" {
		t, rest, _ := strings.Cut(list, ",")
		list = rest
		t = strings.TrimSpace(t)
		if t == "*" || strings.Trim(strings.TrimPrefix(t, "W/"), `"`) == bare {
			return true
		}
	}
	return false
}

// rangeApplies evaluates If-Range (rfc9110 13.1.5).
func rangeApplies(h message.Header, i *Info) bool {
	v, ok := h.Lookup("If-Range")
	if !ok {
		return true
	}
	if t, ok := parseTime(v); ok {
		return i.ModTime.Equal(t)
	}
	return v == i.ETag
}

// parseRange reads a Range of one range. Several ranges, other units and what cannot be read are as if there were no
// Range (S3 API reference, GetObject: "doesn't support retrieving multiple ranges"). A range that cannot be satisfied has
// length 0.
func parseRange(h string, size int64) (off, n int64, given bool) {
	spec, ok := strings.CutPrefix(h, "bytes=")
	if !ok || strings.Contains(spec, ",") {
		return 0, size, false
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok {
		return 0, size, false
	}
	if first == "" {
		k, ok := parsePosition(last)
		if !ok {
			return 0, size, false
		}
		k = min(k, size)
		return size - k, k, true
	}
	a, ok := parsePosition(first)
	if !ok {
		return 0, size, false
	}
	b := size - 1
	if last != "" {
		if b, ok = parsePosition(last); !ok || b < a {
			return 0, size, false
		}
		b = min(b, size-1)
	}
	if a >= size {
		return 0, 0, true
	}
	return a, b - a + 1, true
}

// parsePosition reads digits only; what is beyond int64 is as far as one can go.
func parsePosition(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n = 1<<63 - 1
	}
	return n, true
}
