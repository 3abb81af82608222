package cloudfront

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// atob decodes base64 into a string of bytes; btoa writes it.
func (r *realm) atob() goja.Value {
	return r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		s := strings.Map(func(c rune) rune {
			if strings.ContainsRune(" \t\n\f\r", c) {
				return -1
			}
			return c
		}, text(c.Argument(0)).String())
		r.grow(len(s))
		if len(s)%4 == 0 {
			s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
		}
		b, err := base64.RawStdEncoding.DecodeString(s)
		if err != nil {
			panic(r.rt.NewTypeError("the string to be decoded is not correctly encoded"))
		}
		return r.rt.ToValue(byteString(b))
	})
}

func (r *realm) btoa() goja.Value {
	return r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		b, ok := latin1(text(c.Argument(0)).String())
		r.grow(len(b))
		if !ok {
			panic(r.rt.NewTypeError("invalid character (>= U+00FF)"))
		}
		return r.rt.ToValue(base64.StdEncoding.EncodeToString(b))
	})
}

// latin1 is the bytes of a string whose characters are all below 256.
func latin1(s string) ([]byte, bool) {
	b := make([]byte, 0, len(s))
	for _, c := range s {
		if c > 0xff {
			return nil, false
		}
		b = append(b, byte(c))
	}
	return b, true
}

// byteMethods are the nonstandard methods of strings that runtime 1.0 has (AWS's manual, "The following nonstandard methods on
// strings are supported"), beside bytesFrom. ok is false for null.
var byteMethods = map[string]func(s string) (out string, ok bool){
	"fromBytes": func(s string) (string, bool) { _, ok := latin1(s); return s, ok },
	"toBytes":   func(s string) (string, bool) { _, ok := latin1(s); return s, ok },
	"toUTF8":    func(s string) (string, bool) { return byteString([]byte(s)), true },
	"fromUTF8": func(s string) (string, bool) {
		b, ok := latin1(s)
		return string(b), ok && utf8.Valid(b)
	},
}

const bytesFrom = "bytesFrom"

// byteStrings adds those methods that the source mentions; the others are added when the code has computed a name.
func (s *source) byteStrings(add func(func(*realm))) {
	for name := range byteMethods {
		if s.mentions.names[name] {
			add(func(r *realm) { r.byteMethod(name) })
		}
	}
	if s.mentions.names[bytesFrom] {
		add((*realm).bytesFromStrings)
	}
}

func (r *realm) byteMethod(name string) {
	f := byteMethods[name]
	r.define(r.object("String.prototype"), name, func(c goja.FunctionCall) goja.Value {
		chars := []rune(text(c.This).String())
		from, to := span(c, 0, len(chars))
		r.grow(2 * len(chars))
		out, ok := f(string(chars[from:to]))
		if !ok {
			return goja.Null()
		}
		return r.rt.ToValue(out)
	})
}

func (r *realm) bytesFromStrings() {
	r.define(r.object("String"), bytesFrom, r.bytesFrom)
	r.define(r.object("String.prototype"), bytesFrom, r.bytesFrom)
}

// span reads the arguments start and end, from the i-th on, of a thing of n elements.
func span(c goja.FunctionCall, i, n int) (from, to int) {
	to = n
	if v := c.Argument(i); !nullish(v) {
		from = min(max(count(v), 0), n)
	}
	if v := c.Argument(i + 1); !nullish(v) {
		to = min(max(count(v), from), n)
	}
	return from, max(from, to)
}

func (r *realm) bytesFrom(c goja.FunctionCall) goja.Value {
	if list, ok := c.Argument(0).(*goja.Object); ok {
		b := make([]byte, 0, 64)
		for i := range min(lengthOf(list), maxLength) {
			b = append(b, byte(list.Get(itoa(i)).ToInteger()))
		}
		return r.rt.ToValue(byteString(b))
	}
	b, ok := decode(text(c.Argument(0)).String(), encodingOf(c.Argument(1)))
	if !ok {
		panic(r.rt.NewTypeError(`Unknown encoding: "` + encodingOf(c.Argument(1)) + `"`))
	}
	r.grow(len(b))
	return r.rt.ToValue(byteString(b))
}

// uint8Array makes a typed array of bytes.
func (r *realm) uint8Array(b []byte) *goja.Object {
	r.grow(len(b))
	o, err := r.rt.New(r.rt.Get("Uint8Array"), r.rt.ToValue(r.rt.NewArrayBuffer(b)))
	if err != nil {
		panic(err)
	}
	return o
}

// textEncoder is TextEncoder, whose methods are on its prototype.
func (r *realm) textEncoder() goja.Value {
	f := r.rt.ToValue(func(goja.ConstructorCall) *goja.Object { return nil }).(*goja.Object)
	proto := f.Get("prototype").(*goja.Object)
	r.put(proto, "encoding", r.rt.ToValue("utf-8"))
	r.define(proto, "encode", func(c goja.FunctionCall) goja.Value {
		if nullish(c.Argument(0)) {
			return r.uint8Array(nil)
		}
		return r.uint8Array([]byte(text(c.Argument(0)).String()))
	})
	r.define(proto, "encodeInto", func(c goja.FunctionCall) goja.Value {
		to, ok := r.viewOf(c.Argument(1))
		if !ok {
			panic(r.rt.NewTypeError(`The "destination" argument must be an instance of Uint8Array`))
		}
		read, written := 0, 0
		for _, ch := range text(c.Argument(0)).String() {
			n := utf8.RuneLen(ch)
			if written+n > len(to) {
				break
			}
			written += utf8.EncodeRune(to[written:], ch)
			read++
			if ch > 0xffff {
				read++
			}
		}
		out := r.rt.NewObject()
		_ = out.Set("read", read)
		_ = out.Set("written", written)
		return out
	})
	return f
}

// decoder is a TextDecoder.
type decoder struct{ fatal, ignoreBOM bool }

// textDecoder is TextDecoder. Its accessors and its method are on the prototype; what a decoder is, is kept in the realm.
func (r *realm) textDecoder() goja.Value {
	made := map[*goja.Object]decoder{}
	f := r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		label := textOr(c.Argument(0), "utf-8")
		if l := strings.ToLower(label); l != "utf-8" && l != "utf8" {
			panic(r.newError("RangeError", `The "`+label+`" encoding is not supported`))
		}
		flag := func(name string) bool {
			o, ok := c.Argument(1).(*goja.Object)
			return ok && o.Get(name) != nil && o.Get(name).ToBoolean()
		}
		made[c.This] = decoder{flag("fatal"), flag("ignoreBOM")}
		return nil
	}).(*goja.Object)
	proto := f.Get("prototype").(*goja.Object)
	of := func(v goja.Value) decoder {
		if o, ok := v.(*goja.Object); ok {
			if d, ok := made[o]; ok {
				return d
			}
		}
		panic(r.rt.NewTypeError(`"this" is not a TextDecoder`))
	}
	for name, get := range map[string]func(decoder) any{
		"encoding":  func(decoder) any { return "utf-8" },
		"fatal":     func(d decoder) any { return d.fatal },
		"ignoreBOM": func(d decoder) any { return d.ignoreBOM },
	} {
		getter := r.rt.ToValue(func(c goja.FunctionCall) goja.Value { return r.rt.ToValue(get(of(c.This))) })
		_ = proto.DefineAccessorProperty(name, named(getter, name), nil, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	r.define(proto, "decode", func(c goja.FunctionCall) goja.Value {
		d := of(c.This)
		if nullish(c.Argument(0)) {
			return r.rt.ToValue("")
		}
		b := r.bytesOf(c.Argument(0), "utf8")
		if d.fatal && !utf8.Valid(b) {
			panic(r.rt.NewTypeError("The encoded data was not valid"))
		}
		s, _ := encode(b, "utf8")
		r.grow(len(s))
		if !d.ignoreBOM {
			s = strings.TrimPrefix(s, "\ufeff")
		}
		return r.rt.ToValue(s)
	})
	return f
}
