package cloudfront

import (
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"

	"github.com/foregate/foregate/internal/message"
)

// Event is what a function is called with (facts: edge-functions C, Event; AWS's manual, "CloudFront Functions event structure").
// Functions see it as {version, context, viewer, request, response}.
type Event struct {
	// Type is ViewerRequest or ViewerResponse.
	Type                               string
	DistributionDomain, DistributionID string
	RequestID, ViewerIP                string
	Method, URI, Query                 string
	HasQuery                           bool
	Header                             message.Header // with Host
	Status                             int
	StatusDescription                  string
	ResponseHeader                     message.Header
	// Location is cf.edgeLocation, of viewer requests only.
	Location Location
	// JSON is an event object in place of all of the above, as TestFunction gives it.
	JSON []byte
}

// Location is where a request is handled: an airport's code, the server's address, and the region of the cache behind it.
type Location struct{ Name, ServerIP, Region string }

// group is the fields, parameters or cookies of one name, in the order of the first of each.
type group struct {
	name   string
	values []value
}

// value is one value. raw is the text that it came from, for what is not changed; attributes are those of a response cookie.
type value struct {
	text, attributes string
	field            message.Field
	raw              string
}

// utf8Text takes text that is not UTF-8 as ISO-8859-1 (facts: edge-functions A, Encoding).
func utf8Text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := make([]rune, 0, len(s))
	for i := range len(s) {
		b = append(b, rune(s[i]))
	}
	return string(b)
}

// asciiLower changes letters of ASCII only (AWS's manual, event structure, headers).
func asciiLower(s string) string {
	for i := range len(s) {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if b[j] >= 'A' && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

func addValue(groups []group, name string, v value) []group {
	for i := range groups {
		if groups[i].name == name {
			groups[i].values = append(groups[i].values, v)
			return groups
		}
	}
	return append(groups, group{name, []value{v}})
}

// headerGroups groups the fields that functions see; those of cookies are apart.
func headerGroups(h message.Header, cookie string, hidden func(string) bool) []group {
	groups := make([]group, 0, len(h))
	for _, f := range h {
		if strings.EqualFold(f.Name, cookie) || hidden(f.Name) {
			continue
		}
		groups = addValue(groups, asciiLower(f.Name), value{text: f.Value, field: f})
	}
	return groups
}

// queryGroups groups the parameters of a query, which are not decoded.
func queryGroups(query string) []group {
	var groups []group
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		groups = addValue(groups, utf8Text(name), value{text: text, raw: part})
	}
	return groups
}

// cookieGroups groups the cookies of a request.
func cookieGroups(h message.Header) []group {
	var groups []group
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Cookie") {
			continue
		}
		for part := range strings.SplitSeq(f.Value, ";") {
			part = strings.TrimSpace(part)
			if part == "" {
				continue
			}
			name, text, _ := strings.Cut(part, "=")
			groups = addValue(groups, utf8Text(name), value{text: text, raw: part})
		}
	}
	return groups
}

// setCookieGroups groups the cookies that a response sets.
func setCookieGroups(h message.Header) []group {
	var groups []group
	for _, f := range h {
		if !strings.EqualFold(f.Name, "Set-Cookie") {
			continue
		}
		pair, attributes, _ := strings.Cut(f.Value, ";")
		name, text, _ := strings.Cut(strings.TrimSpace(pair), "=")
		groups = addValue(groups, utf8Text(name), value{text: text, attributes: strings.TrimSpace(attributes), field: f, raw: f.Value})
	}
	return groups
}

// groupsObject shows groups as {name: {value, multiValue}}.
func (r *realm) groupsObject(groups []group) *goja.Object {
	keys := make([]string, len(groups))
	for i := range groups {
		keys[i] = groups[i].name
	}
	return r.record(&record{keys: keys, keep: true, data: groups, make: func(o *record, i int) goja.Value {
		return o.r.groupObject(o.data.([]group)[i])
	}})
}

var (
	valueKeys           = []string{"value"}
	valueAttributesKeys = []string{"value", "attributes"}
	multiKeys           = []string{"value", "multiValue"}
	multiAttributesKeys = []string{"value", "attributes", "multiValue"}
)

func (r *realm) groupObject(g group) goja.Value {
	first := g.values[0]
	keys := valueKeys
	switch {
	case len(g.values) > 1 && first.attributes != "":
		keys = multiAttributesKeys
	case len(g.values) > 1:
		keys = multiKeys
	case first.attributes != "":
		keys = valueAttributesKeys
	}
	return r.record(&record{keys: keys, make: func(_ *record, i int) goja.Value {
		switch keys[i] {
		case "value":
			return r.str(first.text)
		case "attributes":
			return r.str(first.attributes)
		}
		items := make([]any, len(g.values))
		for j, v := range g.values {
			items[j] = r.groupObject(group{values: []value{v}})
		}
		return r.rt.NewArray(items...)
	}})
}

func (r *realm) str(s string) goja.Value { return r.rt.ToValue(utf8Text(s)) }

var (
	requestEventKeys  = []string{"version", "context", "viewer", "request"}
	responseEventKeys = []string{"version", "context", "viewer", "request", "response"}
	contextKeys       = []string{"distributionDomainName", "distributionId", "eventType", "requestId"}
	viewerKeys        = []string{"ip"}
	requestKeys       = []string{"method", "uri", "querystring", "headers", "cookies"}
	responseKeys      = []string{"statusCode", "statusDescription", "headers", "cookies"}
)

// eventObject is the event as the function gets it.
func (r *realm) eventObject() *goja.Object {
	ev := r.event
	keys := requestEventKeys
	if ev.Type == ViewerResponse {
		keys = responseEventKeys
	}
	return lazily(r, keys, func(_ *record, i int) goja.Value {
		switch i {
		case 0:
			return r.rt.ToValue("1.0")
		case 1:
			return lazily(r, contextKeys, func(_ *record, i int) goja.Value {
				return r.str([...]string{ev.DistributionDomain, ev.DistributionID, ev.Type, ev.RequestID}[i])
			})
		case 2:
			return lazily(r, viewerKeys, func(*record, int) goja.Value { return r.str(ev.ViewerIP) })
		case 3:
			r.request = r.requestObject()
			return r.request
		}
		r.response = lazily(r, responseKeys, func(_ *record, i int) goja.Value {
			switch i {
			case 0:
				return r.rt.ToValue(ev.Status)
			case 1:
				return r.str(ev.StatusDescription)
			case 2:
				return r.groupsObject(headerGroups(ev.ResponseHeader, "Set-Cookie", Hidden))
			}
			return r.groupsObject(setCookieGroups(ev.ResponseHeader))
		})
		return r.response
	})
}

func (r *realm) requestObject() *goja.Object {
	ev := r.event
	return r.record(&record{keys: requestKeys, keep: true, method: "rawQueryString", methodMake: r.rawQueryString, make: func(_ *record, i int) goja.Value {
		switch i {
		case 0:
			return r.str(ev.Method)
		case 1:
			return r.str(ev.URI)
		case 2:
			return r.groupsObject(queryGroups(ev.Query))
		case 3:
			return r.groupsObject(headerGroups(ev.Header, "Cookie", Hidden))
		}
		return r.groupsObject(cookieGroups(ev.Header))
	}})
}

// rawQueryString is request.rawQueryString (AWS's manual, "General helper methods").
func (r *realm) rawQueryString() goja.Value {
	return r.rt.ToValue(func(goja.FunctionCall) goja.Value {
		if !r.event.HasQuery {
			return goja.Undefined()
		}
		return r.str(r.event.Query)
	})
}

// Hidden tells of headers that edge functions neither see nor may add (facts: edge-functions A).
func Hidden(name string) bool {
	if hasPrefixFold(name, "x-amz-cf-") || hasPrefixFold(name, "x-edge-") {
		return true
	}
	for _, n := range hiddenHeaders {
		if len(n) == len(name) && strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// NoCustomHeader tells of headers that CloudFront cannot add to requests to an origin, whether the origin's configuration or a
// function asks for them (AWS's manual, "Custom headers that CloudFront can't add to origin requests").
func NoCustomHeader(name string) bool {
	if hasPrefixFold(name, "x-amz-") || hasPrefixFold(name, "x-edge-") {
		return true
	}
	for _, n := range noCustomHeaders {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

var noCustomHeaders = [...]string{
	"cache-control", "connection", "content-length", "cookie", "host", "if-match", "if-modified-since", "if-none-match", "if-range",
	"if-unmodified-since", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "proxy-connection", "range",
	"request-range", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip",
}

var hiddenHeaders = [...]string{
	"connection", "expect", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "trailer", "upgrade",
	"x-accel-buffering", "x-accel-charset", "x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing",
	"x-amzn-cf-id", "x-amzn-cf-xff", "x-amzn-errortype", "x-amzn-fle-profile", "x-amzn-header-count", "x-amzn-header-order",
	"x-amzn-lambda-integration-tag", "x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip",
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
