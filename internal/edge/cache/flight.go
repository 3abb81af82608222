package cache

import (
	"context"
	"sync"
)

type flights struct {
	mu   sync.Mutex
	open map[string]*Flight
}

// Flight is one fetch that several requests for the same key may share. The leader must end it: with Share, whose stream
// ends it when the body has come, or with Release.
type Flight struct {
	cache  *Cache
	key    string
	landed chan struct{}
	// object and stream are set before landed closes; nil when there is nothing to share.
	object *Object
	stream *Stream
	once   sync.Once
}

// Join makes the caller the leader of a new flight for key, or returns the one that is open.
func (c *Cache) Join(key []byte) (flight *Flight, leader bool) {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	if f := c.flights.open[string(key)]; f != nil {
		return f, false
	}
	f := &Flight{cache: c, key: string(key), landed: make(chan struct{})}
	c.flights.open[f.key] = f
	return f, true
}

// Follow returns the flight for key that is open, or nil.
func (c *Cache) Follow(key []byte) *Flight {
	c.flights.mu.Lock()
	defer c.flights.mu.Unlock()
	return c.flights.open[string(key)]
}

// detach takes all flights off the table: who waits already gets the answer, who comes later fetches anew.
func (f *flights) detach() {
	f.mu.Lock()
	clear(f.open)
	f.mu.Unlock()
}

// Release ends the flight with nothing to share: each follower fetches for itself. Further calls do nothing.
func (f *Flight) Release() {
	f.once.Do(func() {
		f.close()
		close(f.landed)
	})
}

// Share hands the answer to the followers, who read the body while it arrives. The stream must have been made with
// f.Close as its Done.
func (f *Flight) Share(o *Object, s *Stream) {
	f.once.Do(func() {
		f.object, f.stream = o, s
		close(f.landed)
	})
}

// Close takes the flight off the table: later requests look into the cache or fetch anew.
func (f *Flight) Close() {
	f.close()
	f.Release()
}

func (f *Flight) close() {
	f.cache.flights.mu.Lock()
	if f.cache.flights.open[f.key] == f {
		delete(f.cache.flights.open, f.key)
	}
	f.cache.flights.mu.Unlock()
}

// Wait waits for the leader's answer. The stream is nil when there is nothing to share.
func (f *Flight) Wait(ctx context.Context) (*Object, *Stream, error) {
	select {
	case <-f.landed:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	return f.object, f.stream, nil
}
