package bucket

import (
	"errors"
	"html"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Website is a bucket's website configuration (S3 API reference, PutBucketWebsite).
type Website struct {
	// IndexSuffix is the index document's name; ErrorKey the error document's key, "" for none.
	IndexSuffix, ErrorKey string
	// RedirectAll sends every request to another host; the rest does not count then.
	RedirectAll *RedirectAll
	Rules       []RoutingRule
}

// RedirectAll is RedirectAllRequestsTo. Protocol "" keeps the request's.
type RedirectAll struct{ Host, Protocol string }

// RoutingRule redirects some requests. Empty conditions always hold.
type RoutingRule struct {
	KeyPrefixEquals             string
	HTTPErrorCodeReturnedEquals int
	Redirect                    Redirect
}

// Redirect is where a rule leads. ReplaceKey and ReplaceKeyPrefix are nil when absent; they exclude each other. Code 0 is
// 301.
type Redirect struct {
	Host, Protocol               string
	ReplaceKey, ReplaceKeyPrefix *string
	Code                         int
}

// serveWebsite answers at a website endpoint: to anyone, by the bucket policy for anonymous callers, in HTML (S3 user
// guide, WebsiteEndpoints and IndexDocumentSupport).
func (x *exchange) serveWebsite() *message.Response {
	if x.r.Method == http.MethodOptions {
		return x.preflight(func(e s3Error, cause string) *message.Response { return x.page(e, nil, cause) })
	}
	if x.plan == nil {
		return x.page(noSuchBucket(x.name), nil, "no-such-bucket")
	}
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return x.page(s3Error{code: "MethodNotAllowed", status: 405, message: "The specified method is not allowed against this resource.",
			extra: []element{{"Method", x.r.Method}, {"ResourceType", "OBJECT"}}}, nil, "method-not-allowed")
	}
	w := x.plan.Website
	if w == nil {
		return x.page(s3Error{code: "NoSuchWebsiteConfiguration", status: 404,
			message: "The specified bucket does not have a website configuration", extra: []element{{"BucketName", x.name}}}, nil, "no-website")
	}
	if w.RedirectAll != nil {
		return x.redirect(301, w.RedirectAll.Protocol, w.RedirectAll.Host, x.key)
	}
	if r := w.rule(x.key, 0); r != nil {
		return x.follow(r)
	}
	key := x.key
	if key == "" || strings.HasSuffix(key, "/") {
		key += w.IndexSuffix
	}
	o, e := x.websiteObject(key)
	if e == nil {
		if o.RedirectLocation != "" {
			o.Content.Close()
			return x.found(301, o.RedirectLocation)
		}
		return x.object(o)
	}
	// A name without its slash leads to the folder when that has an index document.
	if e.missing && x.key == key && w.IndexSuffix != "" {
		if o, err := x.websiteObject(key + "/" + w.IndexSuffix); err == nil {
			o.Content.Close()
			return x.found(302, "/"+encodePath(key)+"/")
		}
	}
	if r := w.rule(x.key, e.status); r != nil {
		return x.follow(r)
	}
	return x.errorDocument(w, e.s3Error)
}

// websiteError is why there is no object to show. missing is true when there is none, even if the caller is told
// AccessDenied for want of s3:ListBucket.
type websiteError struct {
	s3Error
	missing bool
}

// websiteObject opens an object as an anonymous caller.
func (x *exchange) websiteObject(key string) (*Object, *websiteError) {
	denied := s3Error{code: "AccessDenied", status: 403, message: "Access Denied"}
	d := x.allowed("s3:GetObject", x.plan.ARN()+"/"+key)
	if x.hop != nil {
		x.traceDecision("s3:GetObject "+key, d)
	}
	if !x.mayPass(d) {
		return nil, &websiteError{s3Error: denied}
	}
	o, err := x.plan.Objects.Get(x.ctx, key)
	switch {
	case err == nil:
		return o, nil
	case !errors.Is(err, ErrNotFound):
		return nil, &websiteError{s3Error: internalError}
	}
	if !x.mayPass(x.allowed("s3:ListBucket", x.plan.ARN())) {
		return nil, &websiteError{denied, true}
	}
	return nil, &websiteError{noSuchKey(key), true}
}

// rule returns the first rule that holds: before the object is looked for with status 0, afterwards with the error's.
func (w *Website) rule(key string, status int) *RoutingRule {
	for i := range w.Rules {
		r := &w.Rules[i]
		if r.HTTPErrorCodeReturnedEquals == status && strings.HasPrefix(key, r.KeyPrefixEquals) {
			return r
		}
	}
	return nil
}

func (x *exchange) follow(r *RoutingRule) *message.Response {
	key := x.key
	switch {
	case r.Redirect.ReplaceKey != nil:
		key = *r.Redirect.ReplaceKey
	case r.Redirect.ReplaceKeyPrefix != nil:
		key = *r.Redirect.ReplaceKeyPrefix + strings.TrimPrefix(key, r.KeyPrefixEquals)
	}
	code := r.Redirect.Code
	if code == 0 {
		code = 301
	}
	return x.redirect(code, r.Redirect.Protocol, r.Redirect.Host, key)
}

// redirect leads to a key on a host; "" means the request's own.
func (x *exchange) redirect(code int, protocol, host, key string) *message.Response {
	if protocol == "" {
		protocol = x.r.Scheme
	}
	if host == "" {
		host = x.r.Host
	}
	query := ""
	if x.r.Query != "" {
		query = "?" + x.r.Query
	}
	return x.found(code, protocol+"://"+host+"/"+encodePath(key)+query)
}

func (x *exchange) found(code int, location string) *message.Response {
	if x.hop != nil {
		x.hop.Step("website", "redirect", location)
	}
	return x.respond(code, message.Field{Name: "Location", Value: location})
}

// encodePath escapes what may not stand in a path; "%" too, since keys are decoded.
func encodePath(key string) string {
	const keep = "-._~!$&'()*+,;=:@/"
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(digits[c>>4])
		b.WriteByte(digits[c&15])
	}
	return b.String()
}

// errorDocument answers with the error's status and the website's own page for it.
func (x *exchange) errorDocument(w *Website, e s3Error) *message.Response {
	if w.ErrorKey == "" {
		return x.page(e, nil, "website")
	}
	o, missing := x.websiteObject(w.ErrorKey)
	if missing != nil {
		return x.page(e, &missing.s3Error, "website")
	}
	x.hop.Fact(trace.Refused, e.code, "website", x.plan.SourcePath)
	x.hop.Step("website", "error document", w.ErrorKey)
	fields := append([]message.Field{{Name: "x-amz-error-code", Value: e.code}, {Name: "x-amz-error-message", Value: e.message}}, objectFields(&o.Info)...)
	resp := x.respond(e.status, fields...)
	resp.ContentLength = o.Size
	if x.r.Method == http.MethodHead || o.Size == 0 {
		o.Content.Close()
		return resp
	}
	resp.Body = &section{obj: o, left: o.Size}
	return resp
}

// page is the HTML error page of a website endpoint (LIVE 40147312269); nested is why the error document could not be
// shown.
func (x *exchange) page(e s3Error, nested *s3Error, cause string) *message.Response {
	x.hop.Fact(trace.Refused, e.code, cause, x.source())
	if x.hop != nil {
		x.hop.Step("website", e.code, cause)
	}
	title := strconv.Itoa(e.status) + " " + http.StatusText(e.status)
	var b strings.Builder
	b.WriteString("<html>\n<head><title>" + title + "</title></head>\n<body>\n<h1>" + title + "</h1>\n<ul>\n")
	listItems(&b, e)
	item(&b, "RequestId", x.reqID)
	item(&b, "HostId", x.hostID)
	b.WriteString("</ul>\n")
	if nested != nil {
		b.WriteString("<h3>An Error Occurred While Attempting to Retrieve a Custom Error Document</h3>\n<ul>\n")
		listItems(&b, *nested)
		b.WriteString("</ul>\n")
	}
	b.WriteString("<hr/>\n</body>\n</html>\n")
	fields := []message.Field{{Name: "x-amz-error-code", Value: e.code}, {Name: "x-amz-error-message", Value: e.message}}
	for _, d := range e.extra {
		fields = append(fields, message.Field{Name: "x-amz-error-detail-" + d.name, Value: headerValue(d.value)})
	}
	resp := x.respond(e.status, append(fields, message.Field{Name: "Content-Type", Value: "text/html; charset=utf-8"})...)
	resp.ContentLength = int64(b.Len())
	if x.r.Method != http.MethodHead {
		resp.Body = io.NopCloser(strings.NewReader(b.String()))
	}
	return resp
}

// headerValue keeps a key from breaking out of a header.
func headerValue(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

func listItems(b *strings.Builder, e s3Error) {
	item(b, "Code", e.code)
	item(b, "Message", e.message)
	for _, d := range e.extra {
		item(b, d.name, d.value)
	}
}

func item(b *strings.Builder, name, value string) {
	b.WriteString("<li>" + name + ": " + html.EscapeString(value) + "</li>\n")
}
