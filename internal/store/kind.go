package store

import (
	"encoding/json"
	"iter"
	"slices"
	"strings"
)

// Kind is a typed handle on one kind of record; T is the struct that is stored. Declare one per kind, beside T.
type Kind[T any] struct{ service, name string }

// NewKind names a kind. The names are part of the file format.
func NewKind[T any](service, name string) Kind[T] { return Kind[T]{service, name} }

// Decoder reads the kind back from a file.
func (k Kind[T]) Decoder() Decoder {
	return Decoder{k.service, k.name, func(b []byte) (any, error) {
		v := new(T)
		return v, json.Unmarshal(b, v)
	}}
}

func (k Kind[T]) key(region, id string) Key { return Key{k.service, k.name, region, id} }

// Get returns the value with that id. It must not be changed: clone it, change the clone and Put that.
func (k Kind[T]) Get(r Reader, region, id string) (*T, bool) {
	rec := r.table(tableKey{k.service, k.name, region})[id]
	if rec == nil {
		return nil, false
	}
	return rec.Value.(*T), true
}

// Record returns the whole record, nil when there is none.
func (k Kind[T]) Record(r Reader, region, id string) *Record {
	return r.table(tableKey{k.service, k.name, region})[id]
}

// All yields the region's values in the order of their ids.
func (k Kind[T]) All(r Reader, region string) iter.Seq2[*Record, *T] {
	return func(yield func(*Record, *T) bool) {
		for _, rec := range sorted(r.table(tableKey{k.service, k.name, region})) {
			if !yield(rec, rec.Value.(*T)) {
				return
			}
		}
	}
}

// Everywhere yields the values of all regions, by region and id.
func (k Kind[T]) Everywhere(r Reader) iter.Seq2[*Record, *T] {
	return func(yield func(*Record, *T) bool) {
		var regions []string
		for t := range r.tables() {
			if t.service == k.service && t.kind == k.name {
				regions = append(regions, t.region)
			}
		}
		slices.SortFunc(regions, strings.Compare)
		for _, region := range regions {
			for rec, v := range k.All(r, region) {
				if !yield(rec, v) {
					return
				}
			}
		}
	}
}

// Len counts the region's values.
func (k Kind[T]) Len(r Reader, region string) int {
	return len(r.table(tableKey{k.service, k.name, region}))
}

// Put stores v under id; from then on nobody may change v.
func (k Kind[T]) Put(tx *Tx, region, id string, v *T) { tx.put(k.key(region, id), v) }

// Delete removes the record and tells whether there was one.
func (k Kind[T]) Delete(tx *Tx, region, id string) bool { return tx.delete(k.key(region, id)) }
