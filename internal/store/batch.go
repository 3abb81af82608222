package store

import (
	"context"
	"errors"
	"maps"
)

// Batch makes many Updates one change: readers see all of them or none, and the file is written once. It is how a stack is
// deployed without ever being half there. From Begin to Commit or Discard no other change can be made to the store.
type Batch struct {
	store  *Store
	state  *View
	writes map[Key]*Record
	done   bool
}

type batchKey struct{}

// Begin starts a batch. Updates and Reads under the returned context belong to it; the context is for one goroutine.
func (s *Store) Begin(ctx context.Context) (context.Context, *Batch) {
	s.mu.Lock()
	b := &Batch{store: s, state: s.current.Load(), writes: map[Key]*Record{}}
	return context.WithValue(ctx, batchKey{}, b), b
}

func batchOf(ctx context.Context, s *Store) *Batch {
	if b, ok := ctx.Value(batchKey{}).(*Batch); ok && b.store == s && !b.done {
		return b
	}
	return nil
}

func (b *Batch) update(ctx context.Context, fn func(tx *Tx) error) (uint64, error) {
	next, writes, err := b.store.apply(ctx, b.state, fn)
	if err != nil {
		return b.state.revision, err
	}
	b.state = next
	maps.Copy(b.writes, writes)
	return next.revision, nil
}

// Commit makes all changes of the batch visible at once. A batch without changes commits nothing.
func (b *Batch) Commit() (uint64, error) {
	if b.done {
		return 0, errors.New("commit batch: it has ended")
	}
	b.done = true
	defer b.store.mu.Unlock()
	if len(b.writes) == 0 {
		return b.state.revision, nil
	}
	return b.store.commit(b.state, b.writes)
}

// Discard drops all changes. After Commit it does nothing, so it can be deferred.
func (b *Batch) Discard() {
	if !b.done {
		b.done = true
		b.store.mu.Unlock()
	}
}
