package http3

import (
	"slices"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/foregate/foregate/internal/head"
)

// sending is the side of a stream that priorities concern.
type sending interface {
	SetPriority(urgency int8, incremental bool)
}

// priorities are of the streams of a connection, whose lock guards them (rfc9218 7).
type priorities struct {
	open    map[quic.StreamID]sending
	updated map[quic.StreamID]head.Priority // by PRIORITY_UPDATE, of streams that are open or to come
	early   []quic.StreamID                 // those to come, the oldest first
}

// mostEarly is how many updates of streams to come are kept; older ones are forgotten (rfc9218 7.2 lets us choose).
const mostEarly = 8

func (p *priorities) begin(id quic.StreamID, s sending) {
	if p.open == nil {
		p.open = map[quic.StreamID]sending{}
	}
	p.open[id] = s
	if i := slices.Index(p.early, id); i >= 0 {
		p.early = slices.Delete(p.early, i, i+1)
	}
}

func (p *priorities) end(id quic.StreamID) {
	delete(p.open, id)
	delete(p.updated, id)
}

// set follows the field of a request, unless the frame has said otherwise, which counts more. Without a priority streams take turns,
// as quic-go has it: nobody waits for an answer that does not end.
func (p *priorities) set(id quic.StreamID, field string) {
	v, ok := p.updated[id]
	if !ok {
		v = head.ParsePriority(field)
		ok = v.Said
	}
	if s := p.open[id]; s != nil && ok {
		s.SetPriority(int8(v.Urgency), v.Incremental)
	}
}

// update takes the payload of a PRIORITY_UPDATE for a request; next is the first stream that is to come.
func (p *priorities) update(payload []byte, next quic.StreamID) error {
	n, used, err := quicvarint.Parse(payload)
	switch {
	case err != nil:
		return connFault(frameError, "PRIORITY_UPDATE of a wrong length")
	case n&3 != 0:
		return connFault(idError, "PRIORITY_UPDATE for a stream that is no request")
	}
	id := quic.StreamID(n)
	s := p.open[id]
	if s == nil {
		if id < next {
			return nil // it is over
		}
		if i := slices.Index(p.early, id); i >= 0 {
			p.early = slices.Delete(p.early, i, i+1)
		} else if len(p.early) == mostEarly {
			delete(p.updated, p.early[0])
			p.early = slices.Delete(p.early, 0, 1)
		}
		p.early = append(p.early, id)
	}
	if p.updated == nil {
		p.updated = map[quic.StreamID]head.Priority{}
	}
	v := head.ParsePriority(string(payload[used:]))
	p.updated[id] = v
	if s != nil {
		s.SetPriority(int8(v.Urgency), v.Incremental)
	}
	return nil
}
