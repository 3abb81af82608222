package edge

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/message"
)

// lambdaEvent writes the events of facts: edge-functions B. It appends to one buffer and uses no reflection.
type lambdaEvent struct{ b []byte }

func (e *lambdaEvent) raw(s string)           { e.b = append(e.b, s...) }
func (e *lambdaEvent) str(s string)           { e.b = appendJSONString(e.b, s) }
func (e *lambdaEvent) field(name, val string) { e.raw(`"` + name + `":`); e.str(val) }

// appendJSONString writes s as JSON. Bytes that are not UTF-8 are taken as ISO-8859-1 (facts: edge-functions A).
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
			i++
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		case c < utf8.RuneSelf:
			b = append(b, c)
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = utf8.AppendRune(b, rune(c))
			} else {
				b = append(b, s[i:i+n]...)
			}
			i += n
		}
	}
	return append(b, '"')
}

// begin writes everything up to the request.
func (e *lambdaEvent) begin(x *exchange, event Event) {
	e.raw(`{"Records":[{"cf":{"config":{`)
	e.field("distributionDomainName", x.plan.DomainName)
	e.raw(`,`)
	e.field("distributionId", x.plan.ID)
	e.raw(`,`)
	e.field("eventType", event.String())
	e.raw(`,`)
	e.field("requestId", x.id)
	e.raw(`},"request":`)
}

func (e *lambdaEvent) end() { e.raw(`}}]}`) }

// headers writes a headers object; fields that functions may not see are left out.
func (e *lambdaEvent) headers(h message.Header) {
	e.raw(`{`)
	first := true
	for i := range h {
		if invisibleToFunctions(h[i].Name) || fieldIndex(h[:i], h[i].Name) >= 0 {
			continue
		}
		if !first {
			e.raw(`,`)
		}
		first = false
		e.str(strings.ToLower(h[i].Name))
		e.raw(`:[`)
		more := false
		for j := i; j < len(h); j++ {
			if !strings.EqualFold(h[j].Name, h[i].Name) {
				continue
			}
			if more {
				e.raw(`,`)
			}
			more = true
			e.raw(`{`)
			e.field("key", h[j].Name)
			e.raw(`,`)
			e.field("value", h[j].Value)
			e.raw(`}`)
		}
		e.raw(`]`)
	}
	e.raw(`}`)
}

// eventRequest is the request as an event shows it.
type eventRequest struct {
	clientIP, method, uri, query string
	headers                      message.Header
	body                         []byte
	withBody, truncated          bool
	origin                       *Origin
	protocol                     string
	port                         int
}

func (e *lambdaEvent) request(r *eventRequest) {
	e.raw(`{`)
	if r.withBody {
		e.raw(`"body":{"action":"read-only","data":"`)
		e.b = base64.StdEncoding.AppendEncode(e.b, r.body)
		e.raw(`","encoding":"base64","inputTruncated":` + boolText(r.truncated) + `},`)
	}
	e.field("clientIp", r.clientIP)
	e.raw(`,"headers":`)
	e.headers(r.headers)
	e.raw(`,`)
	e.field("method", r.method)
	if r.origin != nil {
		e.raw(`,"origin":`)
		e.origin(r)
	}
	e.raw(`,`)
	e.field("querystring", r.query)
	e.raw(`,`)
	e.field("uri", r.uri)
	e.raw(`}`)
}

// origin writes exactly one of custom and s3.
func (e *lambdaEvent) origin(r *eventRequest) {
	o := r.origin
	if o.Kind == S3Origin {
		method := "none"
		if o.Access.Kind == AccessIdentity {
			method = "origin-access-identity"
		}
		e.raw(`{"s3":{`)
		e.field("authMethod", method)
		e.raw(`,"customHeaders":`)
		e.headers(o.Headers)
		e.raw(`,`)
		e.field("domainName", o.Domain)
		e.raw(`,`)
		e.field("path", o.Path)
		e.raw(`,"readTimeout":` + strconv.Itoa(int(o.ReadTimeout.Seconds())) + `,`)
		e.field("region", o.Region)
		e.completion(o)
		e.raw(`}}`)
		return
	}
	e.raw(`{"custom":{"customHeaders":`)
	e.headers(o.Headers)
	e.raw(`,`)
	e.field("domainName", o.Domain)
	e.raw(`,"keepaliveTimeout":` + strconv.Itoa(int(o.KeepaliveTimeout.Seconds())) + `,`)
	e.field("path", o.Path)
	e.raw(`,"port":` + strconv.Itoa(r.port) + `,`)
	e.field("protocol", r.protocol)
	e.raw(`,"readTimeout":` + strconv.Itoa(int(o.ReadTimeout.Seconds())))
	e.completion(o)
	e.raw(`,"sslProtocols":[`)
	for i, p := range o.SSLProtocols {
		if i > 0 {
			e.raw(`,`)
		}
		e.str(p)
	}
	e.raw(`]}}`)
}

// completion writes the response completion timeout, where there is one.
func (e *lambdaEvent) completion(o *Origin) {
	if o.CompletionTimeout > 0 {
		e.raw(`,"responseCompletionTimeout":` + strconv.Itoa(int(o.CompletionTimeout.Seconds())))
	}
}

func (e *lambdaEvent) response(status int, description string, h message.Header) {
	e.raw(`,"response":{"headers":`)
	e.headers(h)
	e.raw(`,`)
	e.field("status", strconv.Itoa(status))
	e.raw(`,`)
	e.field("statusDescription", description)
	e.raw(`}`)
}

// invisibleToFunctions tells of the headers that functions neither see nor may add (facts: edge-functions A).
func invisibleToFunctions(name string) bool { return cloudfront.Hidden(name) }

// readOnlyHeaders lists what a function may see and not touch (facts: edge-functions A).
func readOnlyHeaders(event Event) []string {
	switch event {
	case ViewerRequest:
		return []string{"CDN-Loop", "Content-Length", "Host", "Transfer-Encoding", "Via"}
	case OriginRequest:
		return []string{"Accept-Encoding", "CDN-Loop", "Content-Length", "If-Modified-Since", "If-None-Match", "If-Range",
			"If-Unmodified-Since", "Transfer-Encoding", "Via"}
	case OriginResponse:
		return []string{"Transfer-Encoding", "Via"}
	}
	return []string{"Content-Encoding", "Content-Length", "Transfer-Encoding", "Via", "Warning"}
}
