package edge

import (
	"strings"
	"unsafe"

	"github.com/foregate/foregate/internal/message"
)

// answer is the memory of one answer: response, head, id and body reader come from one allocation. It lives as long as
// whoever holds the response, so it is not reused.
type answer struct {
	response message.Response
	memory   memoryBody
	id       [IDLength]byte
	fields   [28]message.Field
}

func newAnswer(e Effects) *answer {
	a := new(answer)
	e.RequestID(&a.id)
	return a
}

// idText is the id as a string over the answer's own bytes, which are not written again.
func (a *answer) idText() string { return unsafe.String(&a.id[0], len(a.id)) }

// deliver writes the head in the order of live answers: the origin's fields with Content-Type and Date in front, then X-Cache,
// Via, X-Amz-Cf-Pop, Alt-Svc, X-Amz-Cf-Id and Age, and last what the response headers policy has added.
func (x *exchange) deliver() (phase, Reason) {
	a := x.out
	r := &a.response
	r.Status, r.Reason, r.Close = x.res.status, x.res.reason, x.res.close
	r.Header = x.appendHead(a.fields[:0])
	r.ContentLength = x.res.length
	bodyless := x.method == HEAD || r.Status == 204 || r.Status == 304
	switch {
	case bodyless:
		x.discard()
	case x.res.body != nil:
		r.Body = x.res.body
	case len(x.res.memory) > 0:
		a.memory.b = x.res.memory
		r.Body = &a.memory
	default:
		r.ContentLength = 0
	}
	x.response = r
	return logPhase, ReasonDelivered
}

// appendHead builds the head of the answer. On a hit it does not allocate.
func (x *exchange) appendHead(h message.Header) message.Header {
	in := x.res.header
	via, date := "", false
	if i := fieldIndex(in, "Content-Type"); i >= 0 && !x.res.self {
		h = append(h, in[i])
	}
	if i := fieldIndex(in, "Date"); i >= 0 {
		date = true
		if !x.res.self {
			h = append(h, in[i])
		}
	}
	if !date {
		h = append(h, message.Field{Name: "Date", Value: httpDate(x.now)})
	}
	for i := range in {
		switch {
		case !x.res.self && (strings.EqualFold(in[i].Name, "Content-Type") || strings.EqualFold(in[i].Name, "Date")):
		case strings.EqualFold(in[i].Name, "Via"):
			if via != "" {
				via += ", "
			}
			via += in[i].Value
		default:
			h = append(h, in[i])
		}
	}
	own := x.svc.via[message.HTTP11]
	if via != "" {
		own = via + ", " + own
	}
	h = append(h,
		message.Field{Name: "X-Cache", Value: x.res.xcache},
		message.Field{Name: "Via", Value: own},
		message.Field{Name: "X-Amz-Cf-Pop", Value: x.svc.node.Pop})
	if x.plan != nil && x.plan.HTTP3 {
		// facts: cloudfront-dataplane 1
		h = append(h, message.Field{Name: "Alt-Svc", Value: `h3=":443"; ma=86400`})
	}
	h = append(h, message.Field{Name: "X-Amz-Cf-Id", Value: x.id})
	if x.res.age && x.res.object != nil {
		h = append(h, message.Field{Name: "Age", Value: x.res.object.AgeText(x.now)})
	}
	return append(h, x.res.extra...)
}

func fieldIndex(h message.Header, name string) int {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return i
		}
	}
	return -1
}

// ownHeader makes the answer's fields safe to change.
func (x *exchange) ownHeader() {
	if !x.res.owned {
		x.res.header, x.res.owned = x.res.header.Clone(), true
	}
}

// log is the room for access logs.
func (x *exchange) log() (phase, Reason) { return done, ReasonNoLog }

func (s *Service) viaOf(p message.Proto) string {
	if p < message.HTTP10 || p > message.HTTP3 {
		p = message.HTTP11
	}
	return s.via[p]
}
