// Package store keeps the account's resources: versioned records, one revision number for all of them, transactions, and a
// watch.
//
// Start with Store and Kind. Readers take a View, which is one revision and never changes; writers call Update, which
// applies all of a change or nothing. With a file (Open) everything that Update acknowledged survives a kill; without one
// (Memory) it lives as long as the process. The package must not know what a record means: values are pointers to plain
// structs which nobody changes after they were stored.
package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// Key names a record. Region is "" for the global services (CloudFront, IAM, Route 53).
type Key struct{ Service, Kind, Region, ID string }

// Source is the place in a template that a resource came from; zero for resources made over the API.
type Source struct {
	Stack     string `json:"stack,omitempty"`
	LogicalID string `json:"logicalId,omitempty"`
}

// Record is a stored value with its history.
type Record struct {
	Key      Key
	Revision uint64 // of the last write
	Created  time.Time
	Updated  time.Time
	Source   Source
	Value    any // a pointer; never changed once stored
}

// Reader is a consistent state to read from: a View, or a Tx with its own writes.
type Reader interface {
	table(tableKey) map[string]*Record
	tables() iter.Seq[tableKey]
}

type tableKey struct{ service, kind, region string }

// View is the state at one revision.
type View struct {
	revision uint64
	content  map[tableKey]map[string]*Record
}

// Revision is the number of the last change that the view holds.
func (v *View) Revision() uint64 { return v.revision }

func (v *View) table(k tableKey) map[string]*Record { return v.content[k] }
func (v *View) tables() iter.Seq[tableKey]          { return maps.Keys(v.content) }

// Decoder makes a stored kind readable after a restart; Kind.Decoder gives it.
type Decoder struct {
	service, kind string
	decode        func([]byte) (any, error)
}

// Store holds the current state. It is safe for concurrent use.
type Store struct {
	now     func() time.Time
	db      *bolt.DB // nil: memory only
	mu      sync.Mutex
	current atomic.Pointer[View]
	// watchers get the newest revision; a slow one misses the numbers in between.
	watchers map[chan uint64]struct{}
}

// Memory makes a store that lives as long as the process. now is the clock that stamps records.
func Memory(now func() time.Time) *Store {
	s := &Store{now: now, watchers: map[chan uint64]struct{}{}}
	s.current.Store(&View{content: map[tableKey]map[string]*Record{}})
	return s
}

var recordsBucket = []byte("records")

// Open opens or makes the store in the file at path. Every kind that may be in it needs its decoder; a record of an
// unknown kind is an error, since dropping it would lose what was acknowledged.
func Open(path string, now func() time.Time, decoders ...Decoder) (*Store, error) {
	s, err := open(path, now, decoders)
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open store %q: another process holds it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open store %q: %w", path, err)
	}
	return s, nil
}

// open opens and reads the file. The library panics, or reads beyond the end of what it has mapped, where the pages of a
// damaged file lead to the wrong place. What it holds then is left as it is, since its locks are too.
func open(path string, now func() time.Time, decoders []Decoder) (s *Store, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("the file is damaged: restore a copy of it, or move it away to begin anew (%v)", p)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: 2 * time.Second})
	if err != nil {
		return nil, err
	}
	s = Memory(now)
	s.db = db
	if err := s.load(decoders); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// persisted is a record as the file has it.
type persisted struct {
	Revision uint64          `json:"rev"`
	Created  time.Time       `json:"created"`
	Updated  time.Time       `json:"updated"`
	Source   Source          `json:"source"`
	Value    json.RawMessage `json:"value"`
}

func (s *Store) load(decoders []Decoder) error {
	byKind := map[[2]string]Decoder{}
	for _, d := range decoders {
		byKind[[2]string{d.service, d.kind}] = d
	}
	v := &View{content: map[tableKey]map[string]*Record{}}
	err := s.db.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(recordsBucket)
		if err != nil {
			return err
		}
		v.revision = b.Sequence()
		return b.ForEach(func(k, raw []byte) error {
			key, err := parseKey(k)
			if err != nil {
				return err
			}
			d, ok := byKind[[2]string{key.Service, key.Kind}]
			if !ok {
				return fmt.Errorf("record %q: unknown kind; it was written by another version", k)
			}
			var p persisted
			if err := json.Unmarshal(raw, &p); err != nil {
				return fmt.Errorf("record %q: %w", k, err)
			}
			value, err := d.decode(p.Value)
			if err != nil {
				return fmt.Errorf("record %q: %w", k, err)
			}
			tk := key.table()
			if v.content[tk] == nil {
				v.content[tk] = map[string]*Record{}
			}
			v.content[tk][key.ID] = &Record{key, p.Revision, p.Created, p.Updated, p.Source, value}
			return nil
		})
	})
	if err == nil {
		s.current.Store(v)
	}
	return err
}

// Close releases the file and ends all watches.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.watchers {
		close(w)
	}
	clear(s.watchers)
	if s.db == nil {
		return nil
	}
	return s.db.Close()
}

// View returns the current state.
func (s *Store) View() *View { return s.current.Load() }

// Watch returns a channel that gets the newest revision after each change, until ctx ends. Revisions may be skipped, the
// last one never.
func (s *Store) Watch(ctx context.Context) <-chan uint64 {
	ch := make(chan uint64, 1)
	s.mu.Lock()
	s.watchers[ch] = struct{}{}
	s.mu.Unlock()
	context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if _, ok := s.watchers[ch]; ok {
			delete(s.watchers, ch)
			close(ch)
		}
	})
	return ch
}

// Tx is a change being made. It reads its own writes, and is used by one goroutine inside Update.
type Tx struct {
	base    *View
	changed map[tableKey]map[string]*Record
	writes  map[Key]*Record // nil value: deleted
	now     time.Time
	source  Source
}

func (tx *Tx) table(k tableKey) map[string]*Record {
	if t, ok := tx.changed[k]; ok {
		return t
	}
	return tx.base.content[k]
}

func (tx *Tx) tables() iter.Seq[tableKey] {
	return func(yield func(tableKey) bool) {
		for k := range tx.base.content {
			if !yield(k) {
				return
			}
		}
		for k := range tx.changed {
			if _, ok := tx.base.content[k]; !ok && !yield(k) {
				return
			}
		}
	}
}

func (tx *Tx) writable(k tableKey) map[string]*Record {
	t, ok := tx.changed[k]
	if !ok {
		t = maps.Clone(tx.base.content[k])
		if t == nil {
			t = map[string]*Record{}
		}
		tx.changed[k] = t
	}
	return t
}

// put stores value under key, and keeps creation time and source of a record that was there: publishing a version also writes the
// function, and the function's place in the template stays its own.
func (tx *Tx) put(key Key, value any) {
	t := tx.writable(key.table())
	r := &Record{Key: key, Revision: tx.base.revision + 1, Created: tx.now, Updated: tx.now, Source: tx.source, Value: value}
	if old := t[key.ID]; old != nil {
		r.Created, r.Source = old.Created, old.Source
	}
	t[key.ID] = r
	tx.writes[key] = r
}

func (tx *Tx) delete(key Key) bool {
	if _, ok := tx.table(key.table())[key.ID]; !ok {
		return false
	}
	delete(tx.writable(key.table()), key.ID)
	tx.writes[key] = nil
	return true
}

type sourceKey struct{}

// WithSource makes the records that are written under ctx carry src.
func WithSource(ctx context.Context, src Source) context.Context {
	return context.WithValue(ctx, sourceKey{}, src)
}

// SourceOf returns what WithSource put into ctx, zero without it.
func SourceOf(ctx context.Context) Source {
	src, _ := ctx.Value(sourceKey{}).(Source)
	return src
}

// Update runs fn and commits what it wrote, all or nothing: when fn fails nothing has happened, and its error is returned
// as it is. It returns the revision at which the change stands. Under a Batch of ctx the change joins the batch. fn must
// not keep tx, nor call Update.
func (s *Store) Update(ctx context.Context, fn func(tx *Tx) error) (uint64, error) {
	if b := batchOf(ctx, s); b != nil {
		return b.update(ctx, fn)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	base := s.current.Load()
	next, writes, err := s.apply(ctx, base, fn)
	if err != nil || len(writes) == 0 {
		return base.revision, err
	}
	return s.commit(next, writes)
}

// apply runs fn on top of base and returns the state that it leads to.
func (s *Store) apply(ctx context.Context, base *View, fn func(tx *Tx) error) (*View, map[Key]*Record, error) {
	tx := &Tx{base: base, changed: map[tableKey]map[string]*Record{}, writes: map[Key]*Record{}, now: s.now().UTC(), source: SourceOf(ctx)}
	if err := fn(tx); err != nil || len(tx.writes) == 0 {
		return base, nil, err
	}
	next := &View{revision: base.revision + 1, content: maps.Clone(base.content)}
	maps.Copy(next.content, tx.changed)
	return next, tx.writes, nil
}

// commit makes next the current state; s.mu is held.
func (s *Store) commit(next *View, writes map[Key]*Record) (uint64, error) {
	if s.db != nil {
		if err := s.persist(next.revision, writes); err != nil {
			return s.current.Load().revision, fmt.Errorf("write store: %w", err)
		}
	}
	s.current.Store(next)
	for w := range s.watchers {
		select {
		case <-w:
		default:
		}
		w <- next.revision
	}
	return next.revision, nil
}

// Read returns the state that a handler called with ctx sees: that of ctx's Batch, or the current View.
func (s *Store) Read(ctx context.Context) Reader {
	if b := batchOf(ctx, s); b != nil {
		return b.state
	}
	return s.View()
}

func (s *Store) persist(revision uint64, writes map[Key]*Record) error {
	return s.db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(recordsBucket)
		if err := b.SetSequence(revision); err != nil {
			return err
		}
		for key, r := range writes {
			if r == nil {
				if err := b.Delete(key.bytes()); err != nil {
					return err
				}
				continue
			}
			value, err := json.Marshal(r.Value)
			if err != nil {
				return fmt.Errorf("record %q: %w", key.bytes(), err)
			}
			raw, err := json.Marshal(persisted{r.Revision, r.Created, r.Updated, r.Source, value})
			if err != nil {
				return err
			}
			if err := b.Put(key.bytes(), raw); err != nil {
				return err
			}
		}
		return nil
	})
}

func (k Key) table() tableKey { return tableKey{k.Service, k.Kind, k.Region} }

// bytes is the key in the file. The id comes last since only it may hold any character.
func (k Key) bytes() []byte {
	return []byte(k.Service + "\x00" + k.Kind + "\x00" + k.Region + "\x00" + k.ID)
}

func parseKey(b []byte) (Key, error) {
	p := strings.SplitN(string(b), "\x00", 4)
	if len(p) != 4 {
		return Key{}, fmt.Errorf("parse record key %q", b)
	}
	return Key{p[0], p[1], p[2], p[3]}, nil
}

// sorted yields a table's records by id, so that lists and plans are the same at each run.
func sorted(t map[string]*Record) []*Record {
	return slices.SortedFunc(maps.Values(t), func(a, b *Record) int { return cmp.Compare(a.Key.ID, b.Key.ID) })
}
