package logs

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// maxGroupBytes and maxGroupEvents bound what is kept of a log group; the oldest events go first. A stream whose last event
// went stays known until maxStreams is reached.
const (
	maxGroupBytes  = 4 << 20
	maxGroupEvents = 20000
	maxStreams     = 1000
	// eventOverhead is what the service counts for an event beside its message (CloudWatch Logs API reference, PutLogEvents).
	eventOverhead = 26
)

type groupKey struct{ region, name string }

// buffer holds the events of all groups.
type buffer struct {
	mu     sync.Mutex
	groups map[groupKey]*group
}

type group struct {
	since   time.Time
	streams map[string]*stream
	// events are in the order in which they came in.
	events []event
	bytes  int64
	next   uint64
}

type stream struct {
	created     time.Time
	first, last int64 // milliseconds; 0 without events
	ingested    int64
	bytes       int64
}

type event struct {
	id       uint64
	stream   string
	at       int64 // milliseconds
	ingested int64
	message  string
}

// of returns a group, making it when need be; b.mu is held.
func (b *buffer) of(k groupKey, now time.Time) *group {
	g := b.groups[k]
	if g == nil {
		g = &group{since: now, streams: map[string]*stream{}}
		b.groups[k] = g
	}
	return g
}

// since tells whether there is such a group, and since when.
func (b *buffer) since(k groupKey) (time.Time, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[k]
	if g == nil {
		return time.Time{}, false
	}
	return g.since, true
}

// known returns the groups of a region.
func (b *buffer) known(region string) map[groupKey]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[groupKey]time.Time{}
	for k, g := range b.groups {
		if k.region == region {
			out[k] = g.since
		}
	}
	return out
}

// create makes a stream; false when it is there.
func (b *buffer) create(k groupKey, name string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.of(k, now)
	if g.streams[name] != nil {
		return false
	}
	g.stream(name, now)
	return true
}

func (g *group) stream(name string, now time.Time) *stream {
	s := g.streams[name]
	if s == nil {
		if len(g.streams) >= maxStreams {
			g.forgetStream()
		}
		s = &stream{created: now}
		g.streams[name] = s
	}
	return s
}

// forgetStream drops the stream that was made first, with its events.
func (g *group) forgetStream() {
	oldest := ""
	for name, s := range g.streams {
		if o := g.streams[oldest]; o == nil || s.created.Before(o.created) || s.created.Equal(o.created) && name < oldest {
			oldest = name
		}
	}
	g.dropStream(oldest)
}

func (g *group) dropStream(name string) {
	delete(g.streams, name)
	g.events = slices.DeleteFunc(g.events, func(e event) bool {
		if e.stream == name {
			g.bytes -= int64(len(e.message) + eventOverhead)
			return true
		}
		return false
	})
}

// add appends events to a stream, making it when need be.
func (b *buffer) add(k groupKey, name string, now time.Time, events ...event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.of(k, now)
	s := g.stream(name, now)
	for _, e := range events {
		g.next++
		e.id, e.stream, e.ingested = g.next, name, now.UnixMilli()
		if s.first == 0 || e.at < s.first {
			s.first = e.at
		}
		s.last, s.ingested = max(s.last, e.at), e.ingested
		n := int64(len(e.message) + eventOverhead)
		s.bytes += n
		g.bytes += n
		g.events = append(g.events, e)
	}
	drop := 0
	for drop < len(g.events) && (g.bytes > maxGroupBytes || len(g.events)-drop > maxGroupEvents) {
		g.bytes -= int64(len(g.events[drop].message) + eventOverhead)
		drop++
	}
	if drop > 0 {
		clear(g.events[:drop])
		g.events = g.events[drop:]
	}
}

// selected returns copies of the events that keep accepts, by time and then by arrival.
func (b *buffer) selected(k groupKey, keep func(*event) bool) []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[k]
	if g == nil {
		return nil
	}
	var out []event
	for i := range g.events {
		if keep(&g.events[i]) {
			out = append(out, g.events[i])
		}
	}
	slices.SortStableFunc(out, func(a, b event) int { return int(a.at - b.at) })
	return out
}

// streams returns copies of a group's streams by name, with the names in order.
func (b *buffer) streams(k groupKey) ([]string, map[string]stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]stream{}
	if g := b.groups[k]; g != nil {
		for n, s := range g.streams {
			out[n] = *s
		}
	}
	return slices.Sorted(maps.Keys(out)), out
}

func (b *buffer) size(k groupKey) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if g := b.groups[k]; g != nil {
		return g.bytes
	}
	return 0
}

func (b *buffer) drop(k groupKey) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.groups, k)
}

func (b *buffer) deleteStream(k groupKey, name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[k]
	if g == nil || g.streams[name] == nil {
		return false
	}
	g.dropStream(name)
	return true
}
