package edge

import "github.com/foregate/foregate/internal/message"

// fetchMemory is what the first fetch of a run is made in. It is used again only when the answer came in the room that it lends:
// by that whoever fetched says that nothing of the request is kept.
type fetchMemory struct {
	state    fetchState
	fetch    FetchRequest
	request  message.Request
	fields   message.Header
	room     message.Room
	returned bool
}

// fetchIn returns memory for a fetch. What a nested run has fetched is used after its end, and one that goes on to another origin
// may have left somebody behind.
func (x *exchange) fetchIn() *fetchMemory {
	if x.nested || x.memory != nil {
		return new(fetchMemory)
	}
	if x.memory = x.spare; x.memory == nil {
		x.memory = new(fetchMemory)
	}
	x.spare = nil
	return x.memory
}

// reusable returns the memory for the next run, nil if this one's may be in use.
func (x *exchange) reusable() *fetchMemory {
	m := x.memory
	switch {
	case m == nil:
		return x.spare
	case !m.returned:
		return nil
	}
	clear(m.fields[:cap(m.fields)])
	fields := m.fields[:0]
	*m = fetchMemory{}
	m.fields = fields
	return m
}
