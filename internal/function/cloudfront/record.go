package cloudfront

import (
	"reflect"
	"slices"

	"github.com/dop251/goja"
)

// record is an object whose members are made when they are read: most functions read few of them. It is a goja.DynamicObject, so
// scripts see a plain object; members keep their order, and all of them may be changed and deleted.
type record struct {
	r    *realm
	keys []string
	vals []goja.Value // nil until made
	// from is the place of a member among those that make knows, -1 for one that the script added.
	from []int
	make func(*record, int) goja.Value
	// data is what make needs; touched is true when the script has changed a member of this record.
	data    any
	touched bool
	// method is a member that is not enumerated.
	method string
	// hidden members are not enumerated.
	hidden bool
	// keep is true for what the result is compared with: recordOf finds it.
	keep       bool
	object     *goja.Object
	methodMake func() goja.Value
}

// lazily makes an object of members that are made when they are read. keys is kept.
func lazily(r *realm, keys []string, member func(*record, int) goja.Value) *goja.Object {
	return r.record(&record{keys: keys, make: member})
}

func (r *realm) record(rec *record) *goja.Object {
	rec.r = r
	rec.vals = make([]goja.Value, len(rec.keys))
	rec.object = r.rt.NewDynamicObject(rec)
	if rec.keep {
		r.kept = append(r.kept, rec)
	}
	return rec.object
}

// recordOf finds the record that an object is, among those that are kept. Object.Export would copy what a script has made.
func (r *realm) recordOf(o *goja.Object) *record {
	for _, rec := range r.kept {
		if rec.object == o {
			return rec
		}
	}
	return nil
}

// exported is the value of type T behind an object; ok is false for other objects. To export any object may copy without end.
func exported[T any](o *goja.Object) (v T, ok bool) {
	if o.ExportType() != reflect.TypeFor[T]() {
		return v, false
	}
	v, ok = o.Export().(T)
	return v, ok
}

// plain is a primitive value as Go has it, nil for an object.
func plain(v goja.Value) any {
	if _, ok := v.(*goja.Object); ok || v == nil {
		return nil
	}
	return v.Export()
}

func (o *record) index(key string) int { return slices.Index(o.keys, key) }

func (o *record) origin(i int) int {
	if o.from == nil {
		return i
	}
	return o.from[i]
}

// own makes the list of members the record's own before it changes.
func (o *record) own() {
	if o.from == nil {
		o.keys = slices.Clone(o.keys)
		o.from = make([]int, len(o.keys))
		for i := range o.from {
			o.from[i] = i
		}
	}
	o.touched = true
}

// Get returns a member.
func (o *record) Get(key string) goja.Value {
	i := o.index(key)
	if i < 0 {
		if key == o.method && key != "" {
			return named(o.methodMake(), key)
		}
		return nil
	}
	if o.vals[i] == nil {
		o.vals[i] = named(o.make(o, o.origin(i)), key)
	}
	return o.vals[i]
}

// Set sets a member.
func (o *record) Set(key string, v goja.Value) bool {
	o.own()
	if i := o.index(key); i >= 0 {
		o.vals[i], o.from[i] = v, -1
		return true
	}
	o.r.grow(64 + len(key))
	o.keys, o.vals, o.from = append(o.keys, key), append(o.vals, v), append(o.from, -1)
	return true
}

// Has tells whether there is a member.
func (o *record) Has(key string) bool { return o.index(key) >= 0 || o.method != "" && key == o.method }

// Delete removes a member.
func (o *record) Delete(key string) bool {
	if i := o.index(key); i >= 0 {
		o.own()
		o.keys, o.vals, o.from = slices.Delete(o.keys, i, i+1), slices.Delete(o.vals, i, i+1), slices.Delete(o.from, i, i+1)
	}
	return true
}

// Keys lists the members.
func (o *record) Keys() []string {
	if o.hidden {
		return nil
	}
	return slices.Clone(o.keys)
}

// unread tells whether the script can have changed nothing of the i-th member, for it was never made.
func (o *record) unread(i int) bool { return o.vals[i] == nil }
