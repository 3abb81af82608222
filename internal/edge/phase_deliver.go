package edge

import (
	"strings"
	"unsafe"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// newID makes the request's id: a string over the answer's own memory, which is not written again while it lives.
func (x *exchange) newID() string {
	id := (*[IDLength]byte)(x.out.Text[:IDLength])
	x.svc.effects.RequestID(id)
	return unsafe.String(&id[0], IDLength)
}

// age is the value of Age, behind the id.
func (x *exchange) age() string {
	b := x.res.object.AppendAge(x.out.Text[IDLength:IDLength], x.now)
	return unsafe.String(&b[0], len(b))
}

// deliver writes the head in the order of live answers: the origin's fields with Content-Type and Date in front, then X-Cache,
// Via, X-Amz-Cf-Pop, Alt-Svc, X-Amz-Cf-Id and Age, and last what the response headers policy has added.
func (x *exchange) deliver() (phase, Reason) {
	if x.cookie != "" {
		x.res.extra = append(x.res.extra, message.Field{Name: "Set-Cookie", Value: x.cookie})
	}
	a := x.out
	r := &a.Response
	*r = message.Response{Status: x.res.status, Reason: x.res.reason, Close: x.res.close, ContentLength: x.res.length}
	if !x.shareHead(r) {
		r.Header = x.appendHead(a.Fields[:0])
	}
	bodyless := x.method == HEAD || r.Status == 204 || r.Status == 304
	switch {
	case bodyless:
		x.discard()
	case x.res.body != nil:
		r.Body, r.Trailer = x.res.body, x.res.trailer
	case len(x.res.memory) > 0:
		a.Body.Set(x.res.memory)
		r.Body = &a.Body
	default:
		r.ContentLength = 0
	}
	x.response = r
	return logPhase, ReasonDelivered
}

// shareHead gives the fields of a stored object as they are, where nothing has changed them and the engine can take it.
func (x *exchange) shareHead(r *message.Response) bool {
	o := x.res.object
	if !x.lent || o == nil || x.res.header != nil || o.Via != "" {
		return false
	}
	mark := x.svc.markOf(x.plan, x.res.xcache)
	if x.plan.HTTP3 && x.viewer.SentHost != "" && altSvc(x.viewer.SentHost) != altSvc("") {
		mark = nil // another port
	}
	if mark == nil {
		return false
	}
	r.Before = [2]*message.Lines{o.Head, mark}
	r.Header = x.appendOwn(x.out.Fields[:0])
	r.After = x.res.after
	return true
}

// makeMarks writes out X-Cache, Via, X-Amz-Cf-Pop and Alt-Svc for markOf.
func (s *Service) makeMarks() (m [2][2]*message.Lines) {
	for i, xcache := range [...]string{xcacheHit, xcacheError} {
		for j, http3 := range [...]bool{false, true} {
			alt := ""
			if http3 {
				alt = altSvc("")
			}
			m[i][j], _ = http1.NewLines(s.appendMark(nil, xcache, s.via[message.HTTP11], alt))
		}
	}
	return m
}

// markOf returns the node's fields of a hit, nil for another answer.
func (s *Service) markOf(p *Plan, xcache string) *message.Lines {
	i, j := 0, 0
	switch xcache {
	case xcacheHit:
	case xcacheError:
		i = 1
	default:
		return nil
	}
	if p.HTTP3 {
		j = 1
	}
	return s.marks[i][j]
}

// altSvc is the value of Alt-Svc (facts: cloudfront-dataplane 1), with the port that the viewer came to: CloudFront's is always
// 443, and a viewer who came to another one finds nothing there.
func altSvc(sentHost string) string {
	colon := strings.LastIndexByte(sentHost, ':')
	if colon < 0 || colon == len(sentHost)-1 || strings.IndexByte(sentHost[colon:], ']') >= 0 {
		return `h3=":443"; ma=86400`
	}
	return `h3="` + sentHost[colon:] + `"; ma=86400`
}

// alternative is the value of the answer's Alt-Svc, "" for none.
func (x *exchange) alternative() string {
	if x.plan == nil || !x.plan.HTTP3 {
		return ""
	}
	return altSvc(x.viewer.SentHost)
}

func (s *Service) appendMark(h message.Header, xcache, via, alternative string) message.Header {
	h = append(h,
		message.Field{Name: "X-Cache", Value: xcache},
		message.Field{Name: "Via", Value: via},
		message.Field{Name: "X-Amz-Cf-Pop", Value: s.node.Pop})
	if alternative != "" {
		h = append(h, message.Field{Name: "Alt-Svc", Value: alternative})
	}
	return h
}

// appendOwn adds the fields of this one answer.
func (x *exchange) appendOwn(h message.Header) message.Header {
	h = append(h, message.Field{Name: "X-Amz-Cf-Id", Value: x.id})
	if x.res.age && x.res.object != nil {
		h = append(h, message.Field{Name: "Age", Value: x.age()})
	}
	return append(h, x.res.extra...)
}

// appendHead builds the whole head of the answer.
func (x *exchange) appendHead(h message.Header) message.Header {
	in := *x.fields()
	if !x.res.self {
		h = typeAndDateFirst(h, in)
	}
	if !in.Has("Date") {
		h = append(h, message.Field{Name: "Date", Value: httpDate(x.now)})
	}
	via := ""
	for i := range in {
		switch {
		case message.SameName(in[i].Name, "Via"):
			if via != "" {
				via += ", "
			}
			via += in[i].Value
		case x.res.self || !leads(in[i].Name):
			h = append(h, in[i])
		}
	}
	own := x.svc.via[message.HTTP11]
	if via != "" {
		own = via + ", " + own
	}
	h = x.appendOwn(x.svc.appendMark(h, x.res.xcache, own, x.alternative()))
	if x.res.after != nil {
		h = x.res.after.Append(h)
	}
	return h
}

// leads tells whether a field stands in front in the answers of CloudFront.
func leads(name string) bool {
	return message.SameName(name, "Content-Type") || message.SameName(name, "Date")
}

// typeAndDateFirst adds the first Content-Type and the first Date of in.
func typeAndDateFirst(h, in message.Header) message.Header {
	for _, name := range [...]string{"Content-Type", "Date"} {
		if i := fieldIndex(in, name); i >= 0 {
			h = append(h, in[i])
		}
	}
	return h
}

func fieldIndex(h message.Header, name string) int {
	for i := range h {
		if message.SameName(h[i].Name, name) {
			return i
		}
	}
	return -1
}

// fields returns the origin's fields of the answer so far, for reading and changing.
func (x *exchange) fields() *message.Header {
	if x.res.header == nil && x.res.object != nil {
		x.res.header = x.res.object.Header()
	}
	return &x.res.header
}

func (s *Service) viaOf(p message.Proto) string {
	if p < message.HTTP10 || p > message.HTTP3 {
		p = message.HTTP11
	}
	return s.via[p]
}
