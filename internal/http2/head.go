package http2

import (
	"strings"

	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Limits of a field block beside Options.MaxHead. What is over MaxHead is answered; what is over these ends the connection,
// since the table of hpack can only be kept by decoding all of it.
const (
	maxFields        = 256
	maxBlock         = 256 << 10
	maxContinuations = 64
	spareFields      = 12 // room for fields that a handler adds
)

// kind is what a field block is the head of.
type kind uint8

const (
	ofRequest kind = iota
	ofResponse
	ofTrailer
)

// head is a field block as it is decoded.
type head struct {
	kind                            kind
	method, scheme, path, authority string
	statusText                      string
	pseudo                          uint8 // which of them were there
	regular                         bool  // pseudo-header fields may not follow
	host                            string
	hosts                           int
	length                          int64 // of content-length, -1 without one
	lengthAt                        int   // as message.Request.LengthAt
	expect                          string
	hasExpect                       bool
	crumbs                          int
	size                            int
	limit                           int
	over                            bool
	bad                             string // why the request is malformed
	fields                          message.Header
}

func (h *head) reset(k kind, limit int) {
	f := h.fields
	clear(f)
	*h = head{kind: k, length: -1, limit: limit, fields: f[:0]}
}

// add takes one field in.
func (h *head) add(f hpack.HeaderField) {
	if h.bad != "" {
		return
	}
	if h.size += len(f.Name) + len(f.Value) + len(": \r\n"); h.size > h.limit {
		h.over = true
	}
	switch {
	case h.over && (f.Name == "" || f.Name[0] != ':'): // no work for a bomb
	case f.Name == "":
		h.bad = "empty field name"
	case !http1.ValidValue(f.Value):
		h.bad = "forbidden character in a field value"
	case f.Name[0] == ':':
		h.addPseudo(f)
	default:
		h.regular = true
		h.addRegular(f)
	}
}

func (h *head) addPseudo(f hpack.HeaderField) {
	h.size -= len(f.Name) + len(": \r\n")
	var bit uint8
	var to *string
	switch {
	case h.kind == ofResponse:
		if f.Name == ":status" {
			bit, to = 16, &h.statusText
		}
	case f.Name == ":method":
		bit, to = 1, &h.method
	case f.Name == ":scheme":
		bit, to = 2, &h.scheme
	case f.Name == ":path":
		bit, to = 4, &h.path
	case f.Name == ":authority":
		bit, to = 8, &h.authority
	}
	switch {
	case h.kind == ofTrailer:
		h.bad = "pseudo-header field in a trailer"
	case bit == 0:
		h.bad = "unknown pseudo-header field"
	case h.regular:
		h.bad = "pseudo-header field after others"
	case h.pseudo&bit != 0:
		h.bad = "repeated pseudo-header field"
	default:
		h.pseudo |= bit
		*to = f.Value
	}
}

// addRegular checks a field as rfc9113 8.2 wants it.
func (h *head) addRegular(f hpack.HeaderField) {
	if !validName(f.Name) {
		h.bad = "invalid field name"
		return
	}
	if v := f.Value; v != "" && (v[0] == ' ' || v[0] == '\t' || v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		h.bad = "white space around a field value"
		return
	}
	keep := true
	switch f.Name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.bad = "field of a connection"
	case "content-length":
		n, ok := parseLength(f.Value)
		if !ok || h.length >= 0 {
			h.bad = "invalid or repeated content-length"
		}
		h.length, h.lengthAt, keep = n, len(h.fields)+1, false
	default:
		if h.kind == ofRequest {
			keep = h.addToRequest(f)
		}
	}
	if !keep || h.bad != "" || h.over {
		return
	}
	if len(h.fields)-max(h.crumbs-1, 0) >= maxFields {
		h.over = true
		return
	}
	h.fields = append(h.fields, message.Field{Name: f.Name, Value: f.Value})
}

// addToRequest looks at the fields that mean something in a request only. It tells whether the field stays where it is.
func (h *head) addToRequest(f hpack.HeaderField) bool {
	switch f.Name {
	case "te":
		if !strings.EqualFold(f.Value, "trailers") {
			h.bad = "TE other than trailers"
		}
	case "host":
		h.hosts, h.host = h.hosts+1, f.Value
		return false
	case "expect":
		h.expect, h.hasExpect = f.Value, true
	case "cookie":
		h.crumbs++
	}
	return true
}

// status is that of a response; 0 when it is none (rfc9110 15).
func (h *head) status() int {
	s := h.statusText
	if len(s) != 3 || s[0] < '1' || s[0] > '9' || s[1] < '0' || s[1] > '9' || s[2] < '0' || s[2] > '9' {
		return 0
	}
	return int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
}

// validName is http1.ValidName without capitals (rfc9113 8.2.1).
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
func (h *head) finish(ended bool) *http1.Error {
	connect := h.method == "CONNECT"
	switch {
	case h.bad != "":
		return nil
	case h.over:
		return &http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"}
	case h.pseudo&1 == 0 || !connect && h.pseudo&7 != 7:
		h.bad = "pseudo-header field missing" // rfc9113 8.3.1
	case !http1.ValidName(h.method):
		h.bad = "invalid :method"
	case h.path == "" && !connect:
		h.bad = "empty :path"
	case ended && h.length > 0:
		h.bad = "content-length without content"
	}
	if h.bad != "" {
		return nil
	}
	h.joinCookies()
	refuse := func(reason string) *http1.Error { return &http1.Error{Kind: http1.Malformed, Reason: reason} }
	switch {
	case connect:
		return refuse("CONNECT to a server that is no proxy")
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

// joinCookies makes one field of what was cut for the sake of compression (rfc9113 8.2.3).
func (h *head) joinCookies() {
	if h.crumbs < 2 {
		return
	}
	var b strings.Builder
	at, out := -1, h.fields[:0]
	for i, f := range h.fields {
		switch {
		case f.Name != "cookie":
			out = append(out, f)
		case at < 0:
			at = len(out)
			b.WriteString(f.Value)
			out = append(out, f)
		default:
			b.WriteString("; ")
			b.WriteString(h.fields[i].Value)
		}
	}
	out[at].Value = b.String()
	clear(h.fields[len(out):])
	h.fields = out
}

// request fills r.
func (h *head) request(r *message.Request, o *Options) {
	*r = message.Request{
		Method: h.method, Scheme: o.Scheme, Host: http1.TrimPort(h.authority, o.Scheme), Proto: message.HTTP2,
		Client: o.Client, TLS: o.TLS, LengthAt: h.lengthAt,
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(h.path, "?")
}
