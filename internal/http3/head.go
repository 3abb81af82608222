package http3

import (
	"strings"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// spareFields is room for fields that a handler adds.
const spareFields = 12

// head is a field section as it is decoded. Its rules are those of http2: rfc9114 4.2 and 4.3 are rfc9113 8.2 and 8.3.
type head struct {
	method, scheme, path, authority string
	pseudo                          uint8 // which of them were there
	regular                         bool  // pseudo-header fields may not follow
	trailer                         bool
	host                            string
	hosts                           int
	length                          int64 // of content-length, -1 without one
	lengthAt                        int   // as message.Request.LengthAt
	expect                          string
	hasExpect                       bool
	priority                        string
	crumbs                          int
	size                            int
	limit, most                     int
	over                            bool
	bad                             string // why the request is malformed
	fields                          message.Header
}

func (h *head) reset(o *Options) {
	f := h.fields
	clear(f)
	*h = head{length: -1, limit: o.MaxHead, most: o.MaxFields, fields: f[:0]}
}

// add takes one field in.
func (h *head) add(name, value string) {
	if h.bad != "" {
		return
	}
	if h.size += len(name) + len(value) + len(": \r\n"); h.size > h.limit {
		h.over = true
	}
	switch {
	case h.over && (name == "" || name[0] != ':'): // no work for a bomb
	case name == "":
		h.bad = "empty field name"
	case !http1.ValidValue(value):
		h.bad = "forbidden character in a field value"
	case name[0] == ':':
		h.addPseudo(name, value)
	default:
		h.regular = true
		h.addRegular(name, value)
	}
}

func (h *head) addPseudo(name, value string) {
	h.size -= len(name) + len(": \r\n")
	var bit uint8
	var to *string
	switch name {
	case ":method":
		bit, to = 1, &h.method
	case ":scheme":
		bit, to = 2, &h.scheme
	case ":path":
		bit, to = 4, &h.path
	case ":authority":
		bit, to = 8, &h.authority
	}
	switch {
	case h.trailer:
		h.bad = "pseudo-header field in a trailer"
	case bit == 0:
		h.bad = "unknown pseudo-header field"
	case h.regular:
		h.bad = "pseudo-header field after others"
	case h.pseudo&bit != 0:
		h.bad = "repeated pseudo-header field"
	default:
		h.pseudo |= bit
		*to = value
	}
}

func (h *head) addRegular(name, value string) {
	if !validName(name) {
		h.bad = "invalid field name"
		return
	}
	if v := value; v != "" && (v[0] == ' ' || v[0] == '\t' || v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		h.bad = "white space around a field value"
		return
	}
	keep := true
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.bad = "field of a connection"
	case "te":
		if !strings.EqualFold(value, "trailers") {
			h.bad = "TE other than trailers"
		}
	case "host":
		h.hosts, h.host, keep = h.hosts+1, value, false
	case "content-length":
		n, ok := parseLength(value)
		if !ok || h.length >= 0 {
			h.bad = "invalid or repeated content-length"
		}
		h.length, h.lengthAt, keep = n, len(h.fields)+1, false
	case "expect":
		h.expect, h.hasExpect = value, true
	case "priority":
		h.priority = value
	case "cookie":
		h.crumbs++
	}
	if !keep || h.bad != "" || h.trailer || h.over {
		return
	}
	if len(h.fields)-max(h.crumbs-1, 0) >= h.most {
		h.over = true
		return
	}
	if h.fields == nil {
		h.fields = make(message.Header, 0, 16+spareFields)
	}
	h.fields = append(h.fields, message.Field{Name: name, Value: value})
}

// validName is http1.ValidName without capitals (rfc9114 4.2).
func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return false
		}
	}
	return http1.ValidName(s)
}

func parseLength(s string) (int64, bool) {
	if s == "" || len(s) > 18 {
		return 0, false
	}
	var n int64
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// finish makes the checks that need the whole head. A request that is malformed has h.bad; one that is refused with an
// answer gives an error.
func (h *head) finish() *http1.Error {
	connect := h.method == "CONNECT"
	switch {
	case h.bad != "":
		return nil
	case h.over:
		return &http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"}
	case h.pseudo&1 == 0 || !connect && h.pseudo&7 != 7:
		h.bad = "pseudo-header field missing" // rfc9114 4.3.1
	case !http1.ValidName(h.method):
		h.bad = "invalid :method"
	case h.path == "" && !connect:
		h.bad = "empty :path"
	}
	if h.bad != "" {
		return nil
	}
	h.joinCookies()
	refuse := func(reason string) *http1.Error { return &http1.Error{Kind: http1.Malformed, Reason: reason} }
	switch {
	case connect:
		return refuse("CONNECT to a server that is no proxy")
	case h.scheme != "https":
		return refuse(":scheme is not https")
	case !http1.ValidTarget(h.path) || h.path[0] != '/' && (h.path != "*" || h.method != "OPTIONS"):
		return refuse("invalid :path")
	case h.hosts > 1 || h.hosts == 1 && h.pseudo&8 != 0 && !strings.EqualFold(h.host, h.authority):
		return refuse("Host differs from :authority")
	}
	if h.pseudo&8 == 0 {
		h.authority = h.host
	}
	if !http1.ValidHost(h.authority) {
		return refuse("invalid or absent :authority")
	}
	if h.hasExpect && !strings.EqualFold(h.expect, "100-continue") {
		return &http1.Error{Kind: http1.Expectation, Reason: "Expect is not 100-continue"}
	}
	return nil
}

// joinCookies makes one field of what was cut for the sake of compression (rfc9114 4.2.1).
func (h *head) joinCookies() {
	if h.crumbs < 2 {
		return
	}
	var b strings.Builder
	at, out := -1, h.fields[:0]
	for _, f := range h.fields {
		switch {
		case f.Name != "cookie":
			out = append(out, f)
		case at < 0:
			at = len(out)
			b.WriteString(f.Value)
			out = append(out, f)
		default:
			b.WriteString("; ")
			b.WriteString(f.Value)
		}
	}
	out[at].Value = b.String()
	clear(h.fields[len(out):])
	h.fields = out
}
