package cloudfront

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/dop251/goja"
)

// bufferType is Buffer of runtime 2.0 (AWS's manual, "Buffer"): typed arrays of bytes with a prototype of their own.
func (r *realm) bufferType() *goja.Object {
	base := r.rt.Get("Uint8Array").(*goja.Object)
	proto := r.record(&record{keys: r.fn.methods.names, hidden: true, make: func(_ *record, i int) goja.Value {
		f := r.fn.methods.funcs[i]
		return r.rt.ToValue(func(c goja.FunctionCall) goja.Value { return f(r, r.view(c.This), c) })
	}})
	_ = proto.SetPrototype(base.Get("prototype").(*goja.Object))
	f := r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		if _, ok := c.Argument(0).(*goja.Object); ok {
			return r.bufferFrom(goja.FunctionCall{Arguments: c.Arguments})
		}
		if _, ok := c.Argument(0).(goja.String); ok {
			return r.bufferFrom(goja.FunctionCall{Arguments: c.Arguments})
		}
		return r.newBuffer(r.sized(c.Argument(0)))
	}).(*goja.Object)
	r.bufferProto = proto
	// The methods are made when they are read: there are many of them.
	statics := r.record(&record{keys: r.fn.statics.names, hidden: true, make: func(_ *record, i int) goja.Value {
		f := r.fn.statics.funcs[i]
		return r.rt.ToValue(func(c goja.FunctionCall) goja.Value { return f(r, nil, c) })
	}})
	_ = statics.SetPrototype(f.Prototype())
	_ = f.SetPrototype(statics)
	_ = f.Set("prototype", proto)
	r.put(f, "name", r.rt.ToValue("Buffer"))
	_ = proto.Set("constructor", f)
	return f
}

// methods is a table of native methods. The second argument is the memory of what the method is called on.
type methods struct {
	names []string
	funcs []func(r *realm, b []byte, c goja.FunctionCall) goja.Value
}

func (m *methods) add(name string, f func(r *realm, b []byte, c goja.FunctionCall) goja.Value) {
	m.names, m.funcs = append(m.names, name), append(m.funcs, f)
}

func staticTable() *methods {
	m := &methods{}
	m.add("alloc", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value {
		b := r.sized(c.Argument(0))
		r.fill(b, c.Argument(1), c.Argument(2))
		return r.newBuffer(b)
	})
	m.add("allocUnsafe", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value { return r.newBuffer(r.sized(c.Argument(0))) })
	m.add("from", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value { return r.bufferFrom(c) })
	m.add("concat", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value { return r.bufferConcat(c) })
	m.add("byteLength", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value {
		return r.rt.ToValue(len(r.bytesOf(c.Argument(0), r.encoding(c.Argument(1)))))
	})
	m.add("compare", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value {
		return r.rt.ToValue(bytes.Compare(r.view(c.Argument(0)), r.view(c.Argument(1))))
	})
	m.add("isBuffer", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value {
		return r.rt.ToValue(r.isBuffer(c.Argument(0)))
	})
	m.add("isEncoding", func(r *realm, _ []byte, c goja.FunctionCall) goja.Value {
		_, ok := encode(nil, strings.ToLower(c.Argument(0).String()))
		return r.rt.ToValue(ok)
	})
	return m
}

// newBuffer makes a buffer over b.
func (r *realm) newBuffer(b []byte) *goja.Object {
	if r.bufferProto == nil {
		r.module("buffer")
	}
	o := r.uint8Array(b)
	_ = o.SetPrototype(r.bufferProto)
	return o
}

func (r *realm) isBuffer(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	return ok && r.bufferProto != nil && o.Prototype() == r.bufferProto
}

// sized is zeroed memory of the size that an argument gives.
func (r *realm) sized(v goja.Value) []byte {
	n := count(v)
	if n < 0 {
		panic(r.newError("RangeError", "invalid size"))
	}
	r.grow(n)
	return make([]byte, n)
}

func (r *realm) encoding(v goja.Value) string {
	e := strings.ToLower(encodingOf(v))
	if _, ok := encode(nil, e); !ok {
		panic(r.rt.NewTypeError(`"` + e + `" encoding is not supported`))
	}
	return e
}

// view is the memory of a value that must be bytes.
func (r *realm) view(v goja.Value) []byte {
	b, ok := r.viewOf(v)
	if !ok {
		panic(r.rt.NewTypeError("first argument must be a Buffer or DataView"))
	}
	return b
}

// fill repeats a value over b.
func (r *realm) fill(b []byte, v, encoding goja.Value) {
	if nullish(v) {
		return
	}
	pattern := []byte{byte(v.ToInteger())}
	if _, ok := v.(goja.String); ok {
		pattern = r.bytesOf(v, r.encoding(encoding))
	} else if w, ok := r.viewOf(v); ok {
		pattern = bytes.Clone(w)
	}
	r.spend(len(b) / 256)
	if len(pattern) == 0 {
		clear(b)
		return
	}
	for i := 0; i < len(b); i += len(pattern) {
		copy(b[i:], pattern)
	}
}

func (r *realm) bufferFrom(c goja.FunctionCall) *goja.Object {
	v := c.Argument(0)
	if s, ok := v.(goja.String); ok {
		b, _ := decode(s.String(), r.encoding(c.Argument(1)))
		return r.newBuffer(b)
	}
	o, ok := v.(*goja.Object)
	if !ok {
		panic(r.rt.NewTypeError("first argument is not a string or Buffer-like object"))
	}
	if ab, ok := exported[goja.ArrayBuffer](o); ok {
		all := ab.Bytes()
		from, to := 0, len(all)
		if a := c.Argument(1); !nullish(a) {
			from = count(a)
		}
		if a := c.Argument(2); !nullish(a) {
			to = from + count(a)
		}
		if from < 0 || to < from || to > len(all) {
			panic(r.newError("RangeError", "invalid index"))
		}
		return r.shared(v, from, to-from)
	}
	if b, ok := r.viewOf(v); ok {
		return r.newBuffer(bytes.Clone(b))
	}
	if data, ok := o.Get("data").(*goja.Object); ok && o.Get("type") != nil && o.Get("type").String() == "Buffer" {
		o = data
	} else if of := o.Get("valueOf"); o.ClassName() == "String" && of != nil {
		return r.bufferFrom(goja.FunctionCall{Arguments: []goja.Value{text(o), c.Argument(1)}})
	}
	if l := o.Get("length"); nullish(l) {
		panic(r.rt.NewTypeError("first argument is not a string or Buffer-like object"))
	}
	b := r.sized(o.Get("length"))
	r.spend(len(b) / 4)
	for i := range b {
		if e := o.Get(itoa(i)); !nullish(e) {
			b[i] = byte(e.ToInteger())
		}
	}
	return r.newBuffer(b)
}

// shared is a buffer over a part of an array buffer.
func (r *realm) shared(buffer goja.Value, from, n int) *goja.Object {
	r.grow(64)
	o, err := r.rt.New(r.rt.Get("Uint8Array"), buffer, r.rt.ToValue(from), r.rt.ToValue(n))
	if err != nil {
		panic(err)
	}
	_ = o.SetPrototype(r.bufferProto)
	return o
}

func (r *realm) bufferConcat(c goja.FunctionCall) goja.Value {
	list, ok := c.Argument(0).(*goja.Object)
	if !ok || list.ClassName() != "Array" {
		panic(r.rt.NewTypeError(`"list" argument must be an instance of Array`))
	}
	var out []byte
	for i := range min(lengthOf(list), maxLength) {
		b := r.view(list.Get(itoa(i)))
		r.grow(len(b))
		out = append(out, b...)
	}
	if t := c.Argument(1); !nullish(t) {
		n := count(t)
		if n < 0 || n > maxMemory {
			panic(r.newError("RangeError", "invalid length"))
		}
		out = append(out, make([]byte, max(0, n-len(out)))...)[:n]
	}
	return r.newBuffer(out)
}

func methodTable() *methods {
	m := &methods{}
	m.texts()
	m.bytes()
	m.parts()
	m.numbers()
	return m
}

// texts are the methods that read and write text, and compare.
func (m *methods) texts() {
	m.add("toString", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		from, to := span(c, 1, len(b))
		r.grow(2 * (to - from))
		s, _ := encode(b[from:to], r.encoding(c.Argument(0)))
		return r.rt.ToValue(s)
	})
	m.add("equals", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		return r.rt.ToValue(bytes.Equal(b, r.view(c.Argument(0))))
	})
	m.add("compare", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		other := r.view(c.Argument(0))
		t0, t1 := span(c, 1, len(other))
		s0, s1 := span(c, 3, len(b))
		return r.rt.ToValue(bytes.Compare(b[s0:s1], other[t0:t1]))
	})
	m.add("copy", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		to := r.view(c.Argument(0))
		at := 0
		if v := c.Argument(1); !nullish(v) {
			at = min(max(count(v), 0), len(to))
		}
		s0, s1 := span(c, 2, len(b))
		return r.rt.ToValue(copy(to[at:], b[s0:s1]))
	})
	m.add("fill", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		encoding := c.Argument(3)
		if _, ok := c.Argument(1).(goja.String); ok {
			encoding = c.Argument(1)
			c.Arguments = c.Arguments[:1]
		}
		from, to := span(c, 1, len(b))
		r.fill(b[from:to], c.Argument(0), encoding)
		return c.This
	})
}

// bytes are the methods that search.
func (m *methods) bytes() {
	find := func(index func(s, sep []byte) int, last bool) func(*realm, []byte, goja.FunctionCall) goja.Value {
		return func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			what := []byte{byte(c.Argument(0).ToInteger())}
			encoding := c.Argument(2)
			if _, ok := c.Argument(0).(goja.String); ok {
				if _, ok := c.Argument(1).(goja.String); ok {
					encoding = c.Argument(1)
				}
				what = r.bytesOf(c.Argument(0), r.encoding(encoding))
			} else if w, ok := r.viewOf(c.Argument(0)); ok {
				what = w
			}
			from, to := 0, len(b)
			if v := c.Argument(1); !nullish(v) {
				if _, ok := v.(goja.String); !ok {
					at := count(v)
					if at < 0 {
						at = max(len(b)+at, 0)
					}
					if last {
						to = min(at+len(what), len(b))
					} else {
						from = min(at, len(b))
					}
				}
			}
			r.spend(len(b) / 256)
			if i := index(b[from:to], what); i >= 0 {
				return r.rt.ToValue(from + i)
			}
			return r.rt.ToValue(-1)
		}
	}
	m.add("indexOf", find(bytes.Index, false))
	m.add("lastIndexOf", find(bytes.LastIndex, true))
	includes := find(bytes.Index, false)
	m.add("includes", func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		return r.rt.ToValue(includes(r, b, c).ToInteger() >= 0)
	})
}

// parts are the methods that cut, write and rearrange.
func (m *methods) parts() {
	part := func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
		at := func(v goja.Value, otherwise int) int {
			if nullish(v) {
				return otherwise
			}
			n := count(v)
			if n < 0 {
				n += len(b)
			}
			return min(max(n, 0), len(b))
		}
		from, to := at(c.Argument(0), 0), at(c.Argument(1), len(b))
		o := c.This.(*goja.Object)
		return r.shared(o.Get("buffer"), int(o.Get("byteOffset").ToInteger())+from, max(to-from, 0))
	}
	m.add("subarray", part)
	m.add("slice", part)
	m.add("toJSON", func(r *realm, b []byte, _ goja.FunctionCall) goja.Value {
		r.growBy(len(b), 16)
		items := make([]any, len(b))
		for i := range b {
			items[i] = int(b[i])
		}
		o := r.rt.NewObject()
		_ = o.Set("type", "Buffer")
		_ = o.Set("data", r.rt.NewArray(items...))
		return o
	})
	m.add("write", (*realm).bufferWrite)
	for bits, name := range map[int]string{2: "swap16", 4: "swap32", 8: "swap64"} {
		m.add(name, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			r.spend(len(b) / 64)
			if len(b)%bits != 0 {
				panic(r.newError("RangeError", "Buffer size must be a multiple of "+itoa(bits*8)+"-bits"))
			}
			for i := 0; i < len(b); i += bits {
				for j := range bits / 2 {
					b[i+j], b[i+bits-1-j] = b[i+bits-1-j], b[i+j]
				}
			}
			return c.This
		})
	}
}

func (r *realm) bufferWrite(b []byte, c goja.FunctionCall) goja.Value {
	s, ok := c.Argument(0).(goja.String)
	if !ok {
		panic(r.rt.NewTypeError("first argument must be a string"))
	}
	args := c.Arguments[1:]
	encoding := "utf8"
	if n := len(args); n > 0 {
		if e, ok := args[n-1].(goja.String); ok {
			encoding, args = r.encoding(e), args[:n-1]
		}
	}
	from, n := 0, len(b)
	if len(args) > 0 && !nullish(args[0]) {
		from = min(max(count(args[0]), 0), len(b))
	}
	if len(args) > 1 && !nullish(args[1]) {
		n = max(count(args[1]), 0)
	}
	data, _ := decode(s.String(), encoding)
	to := b[from:min(from+n, len(b))]
	return r.rt.ToValue(copy(to, data))
}

// numbers are readInt8 to writeDoubleLE.
func (m *methods) numbers() {
	at := func(r *realm, b []byte, v goja.Value, n int) []byte {
		i := 0
		if !nullish(v) {
			i = count(v)
		}
		if i < 0 || n < 0 || i+n > len(b) {
			panic(r.newError("RangeError", "index "+itoa(i)+" is outside the bound of the buffer"))
		}
		return b[i : i+n]
	}
	size := func(r *realm, v goja.Value) int {
		n := count(v)
		if n < 1 || n > 6 {
			panic(r.newError("RangeError", `"byteLength" must be >= 1 and <= 6`))
		}
		return n
	}
	integers := func(suffix string, n int, little bool) {
		width := func(r *realm, v goja.Value) int {
			if n > 0 {
				return n
			}
			return size(r, v)
		}
		for _, signed := range []bool{true, false} {
			kind := "UInt"
			if signed {
				kind = "Int"
			}
			m.add("read"+kind+suffix, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
				w := width(r, c.Argument(1))
				return r.rt.ToValue(readInteger(at(r, b, c.Argument(0), w), little, signed))
			})
			m.add("write"+kind+suffix, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
				w := width(r, c.Argument(2))
				v := c.Argument(0).ToInteger()
				lowest, highest := int64(0), int64(1)<<(8*w)-1
				if signed {
					lowest, highest = -(int64(1) << (8*w - 1)), int64(1)<<(8*w-1)-1
				}
				if v < lowest || v > highest {
					panic(r.newError("RangeError", "value is outside the range of "+kind+itoa(8*w)))
				}
				to := at(r, b, c.Argument(1), w)
				writeInteger(to, little, uint64(v))
				return r.rt.ToValue(offsetOfArgument(c.Argument(1)) + w)
			})
		}
	}
	integers("8", 1, false)
	for _, e := range []struct {
		name   string
		little bool
		order  binary.ByteOrder
	}{{"BE", false, binary.BigEndian}, {"LE", true, binary.LittleEndian}} {
		integers("16"+e.name, 2, e.little)
		integers("32"+e.name, 4, e.little)
		integers(e.name, 0, e.little)
		m.add("readFloat"+e.name, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			return r.rt.ToValue(float64(math.Float32frombits(e.order.Uint32(at(r, b, c.Argument(0), 4)))))
		})
		m.add("readDouble"+e.name, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			return r.rt.ToValue(math.Float64frombits(e.order.Uint64(at(r, b, c.Argument(0), 8))))
		})
		m.add("writeFloat"+e.name, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			e.order.PutUint32(at(r, b, c.Argument(1), 4), math.Float32bits(float32(c.Argument(0).ToFloat())))
			return r.rt.ToValue(offsetOfArgument(c.Argument(1)) + 4)
		})
		m.add("writeDouble"+e.name, func(r *realm, b []byte, c goja.FunctionCall) goja.Value {
			e.order.PutUint64(at(r, b, c.Argument(1), 8), math.Float64bits(c.Argument(0).ToFloat()))
			return r.rt.ToValue(offsetOfArgument(c.Argument(1)) + 8)
		})
	}
}

func offsetOfArgument(v goja.Value) int {
	if nullish(v) {
		return 0
	}
	return count(v)
}

func readInteger(b []byte, little, signed bool) int64 {
	var u uint64
	for i := range b {
		c := b[i]
		if little {
			c = b[len(b)-1-i]
		}
		u = u<<8 | uint64(c)
	}
	if shift := 64 - 8*len(b); signed {
		return int64(u<<shift) >> shift
	}
	return int64(u)
}

func writeInteger(b []byte, little bool, u uint64) {
	for i := range b {
		at := len(b) - 1 - i
		if little {
			at = i
		}
		b[at] = byte(u)
		u >>= 8
	}
}
