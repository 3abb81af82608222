// Package head reads the heads and trailers of HTTP/2 and HTTP/3, which have the same rules: rfc9113 8.2 and 8.3 are rfc9114 4.2 and
// 4.3. Start with Head: Reset, Add for each field as it is decoded, Finish. It has Priority (rfc9218) and the answers to what is
// refused as well, since both engines have them.
//
// The package must not know frames, streams or the compression of fields.
//
// What breaks the protocol itself is told by Head.Bad, and gets no answer; what only a server of HTTP cannot use is the error of
// Finish, and gets one.
package head

import (
	"strings"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Spare is room for fields that a handler adds to a request.
const Spare = 12

// Kind is what a block of fields is.
type Kind uint8

// The kinds.
const (
	Request Kind = iota
	Response
	Trailer
)

// Rules are what a connection adds to the rules of the protocol.
type Rules struct {
	// MaxBytes bounds pseudo-header fields and fields, as HTTP/1.1 would write them; MaxFields their number.
	MaxBytes, MaxFields int
	// Scheme, if not "", is the only one that a request may have.
	Scheme string
}

// Head is a block of fields as it is decoded. Reset makes it ready for one.
type Head struct {
	Method, Path, Authority string
	// Host is the last value of that field, which is not in Fields.
	Host string
	// Length is of content-length, -1 without one; LengthAt is as message.Request.LengthAt.
	Length   int64
	LengthAt int
	// HasExpect tells whether there is an expect. Finish refuses all but 100-continue.
	HasExpect bool
	// Priority is the value of that field of a request.
	Priority string
	// Over is true when a rule's limit is exceeded, and Bad tells why the message is malformed.
	Over   bool
	Bad    string
	Fields message.Header

	kind               Kind
	rules              Rules
	scheme, statusText string
	expect             string
	pseudo             uint8 // which of them were there
	regular            bool  // pseudo-header fields may not follow
	hosts              int
	crumbs             int
	size               int
}

// Bits of Head.pseudo.
const (
	hasMethod = 1 << iota
	hasScheme
	hasPath
	hasAuthority
	hasStatus
)

// Reset begins anew. The memory of Fields is used again.
func (h *Head) Reset(k Kind, r Rules) {
	f := h.Fields
	clear(f)
	*h = Head{kind: k, rules: r, Length: -1, Fields: f[:0]}
}

// Limit is Rules.MaxBytes.
func (h *Head) Limit() int { return h.rules.MaxBytes }

// Add takes one field in.
func (h *Head) Add(name, value string) {
	if h.Bad != "" {
		return
	}
	if h.size += len(name) + len(value) + len(": \r\n"); h.size > h.rules.MaxBytes {
		h.Over = true
	}
	switch {
	case h.Over && (name == "" || name[0] != ':'): // no work for a bomb
	case name == "":
		h.Bad = "empty field name"
	case !http1.ValidValue(value):
		h.Bad = "forbidden character in a field value"
	case name[0] == ':':
		h.addPseudo(name, value)
	default:
		h.regular = true
		h.addRegular(name, value)
	}
}

func (h *Head) addPseudo(name, value string) {
	h.size -= len(name) + len(": \r\n")
	var bit uint8
	var to *string
	switch {
	case h.kind == Response:
		if name == ":status" {
			bit, to = hasStatus, &h.statusText
		}
	case name == ":method":
		bit, to = hasMethod, &h.Method
	case name == ":scheme":
		bit, to = hasScheme, &h.scheme
	case name == ":path":
		bit, to = hasPath, &h.Path
	case name == ":authority":
		bit, to = hasAuthority, &h.Authority
	}
	switch {
	case h.kind == Trailer:
		h.Bad = "pseudo-header field in a trailer"
	case bit == 0:
		h.Bad = "unknown pseudo-header field"
	case h.regular:
		h.Bad = "pseudo-header field after others"
	case h.pseudo&bit != 0:
		h.Bad = "repeated pseudo-header field"
	default:
		h.pseudo |= bit
		*to = value
	}
}

// addRegular checks a field as rfc9113 8.2 wants it.
func (h *Head) addRegular(name, value string) {
	if !validName(name) {
		h.Bad = "invalid field name"
		return
	}
	if v := value; v != "" && (v[0] == ' ' || v[0] == '\t' || v[len(v)-1] == ' ' || v[len(v)-1] == '\t') {
		h.Bad = "white space around a field value"
		return
	}
	keep := true
	switch name {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		h.Bad = "field of a connection"
	case "content-length":
		n, ok := parseLength(value)
		if !ok || h.Length >= 0 {
			h.Bad = "invalid or repeated content-length"
		}
		h.Length, h.LengthAt, keep = n, len(h.Fields)+1, false
	default:
		if h.kind == Request {
			keep = h.addToRequest(name, value)
		}
	}
	if !keep || h.Bad != "" || h.Over {
		return
	}
	if len(h.Fields)-max(h.crumbs-1, 0) >= h.rules.MaxFields {
		h.Over = true
		return
	}
	if h.Fields == nil {
		h.Fields = make(message.Header, 0, 16+Spare)
	}
	h.Fields = append(h.Fields, message.Field{Name: name, Value: value})
}

// addToRequest looks at the fields that mean something in a request only. It tells whether the field stays where it is.
func (h *Head) addToRequest(name, value string) bool {
	switch name {
	case "te":
		if !strings.EqualFold(value, "trailers") {
			h.Bad = "TE other than trailers"
		}
	case "host":
		h.hosts, h.Host = h.hosts+1, value
		return false
	case "expect":
		h.expect, h.HasExpect = value, true
	case "priority":
		h.Priority = value
	case "cookie":
		h.crumbs++
	}
	return true
}

// Status is that of a response; 0 when it is none (rfc9110 15).
func (h *Head) Status() int {
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

// Finish makes the checks that need the whole head of a request; ended tells that no content follows. A request that is malformed
// has Bad; one that is refused with an answer gives an error.
func (h *Head) Finish(ended bool) *http1.Error {
	connect := h.Method == "CONNECT"
	const needed = hasMethod | hasScheme | hasPath
	switch {
	case h.Bad != "":
		return nil
	case h.Over:
		return &http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"}
	case h.pseudo&hasMethod == 0 || !connect && h.pseudo&needed != needed:
		h.Bad = "pseudo-header field missing" // rfc9113 8.3.1
	case !http1.ValidName(h.Method):
		h.Bad = "invalid :method"
	case h.Path == "" && !connect:
		h.Bad = "empty :path"
	case ended && h.Length > 0:
		h.Bad = "content-length without content"
	}
	if h.Bad != "" {
		return nil
	}
	h.joinCookies()
	refuse := func(reason string) *http1.Error { return &http1.Error{Kind: http1.Malformed, Reason: reason} }
	switch {
	case connect:
		return refuse("CONNECT to a server that is no proxy")
	case h.rules.Scheme != "" && h.scheme != h.rules.Scheme:
		return refuse(":scheme is not " + h.rules.Scheme)
	case !http1.ValidTarget(h.Path) || h.Path[0] != '/' && (h.Path != "*" || h.Method != "OPTIONS"):
		return refuse("invalid :path")
	case h.hosts > 1 || h.hosts == 1 && h.pseudo&hasAuthority != 0 && !strings.EqualFold(h.Host, h.Authority):
		return refuse("Host differs from :authority")
	}
	if h.pseudo&hasAuthority == 0 {
		h.Authority = h.Host
	}
	if !http1.ValidHost(h.Authority) {
		return refuse("invalid or absent :authority")
	}
	if h.HasExpect && !strings.EqualFold(h.expect, "100-continue") {
		return &http1.Error{Kind: http1.Expectation, Reason: "Expect is not 100-continue"}
	}
	return nil
}

// joinCookies makes one field of what was cut for the sake of compression (rfc9113 8.2.3).
func (h *Head) joinCookies() {
	if h.crumbs < 2 {
		return
	}
	var b strings.Builder
	at, out := -1, h.Fields[:0]
	for _, f := range h.Fields {
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
	clear(h.Fields[len(out):])
	h.Fields = out
}

// Fill writes what the head says into a request that has Scheme.
func (h *Head) Fill(r *message.Request) {
	r.Method, r.Host, r.Header, r.LengthAt = h.Method, http1.TrimPort(h.Authority, r.Scheme), h.Fields, h.LengthAt
	r.Path, r.Query, r.HasQuery = strings.Cut(h.Path, "?")
}
