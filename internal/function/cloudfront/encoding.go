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

// byteStrings adds the nonstandard methods of strings that runtime 1.0 has (AWS's manual, "The following nonstandard methods on
// strings are supported").
func (s *source) byteStrings(add func(func(*realm))) {
	method := func(name string, f func(r *realm, s string) (string, bool)) {
		if !s.mentions.names[name] {
			return
		}
		add(func(r *realm) {
			r.define(r.object("String.prototype"), name, func(c goja.FunctionCall) goja.Value {
				chars := []rune(text(c.This).String())
				from, to := span(c, 0, len(chars))
				r.grow(2 * len(chars))
				out, ok := f(r, string(chars[from:to]))
				if !ok {
					return goja.Null()
				}
				return r.rt.ToValue(out)
			})
		})
	}
	method("fromBytes", func(_ *realm, s string) (string, bool) { _, ok := latin1(s); return s, ok })
	method("toBytes", func(_ *realm, s string) (string, bool) { _, ok := latin1(s); return s, ok })
	method("toUTF8", func(_ *realm, s string) (string, bool) { return byteString([]byte(s)), true })
	method("fromUTF8", func(_ *realm, s string) (string, bool) {
		b, ok := latin1(s)
		return string(b), ok && utf8.Valid(b)
	})
	if s.mentions.names["bytesFrom"] {
		add(func(r *realm) {
			r.define(r.object("String"), "bytesFrom", r.bytesFrom)
			r.define(r.object("String.prototype"), "bytesFrom", r.bytesFrom)
		})
	}
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

func (r *realm) textEncoder() goja.Value {
	return r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		o := c.This
		r.put(o, "encode", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			if nullish(c.Argument(0)) {
				return r.uint8Array(nil)
			}
			return r.uint8Array([]byte(text(c.Argument(0)).String()))
		}))
		r.put(o, "encodeInto", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			to, ok := r.viewOf(c.Argument(1))
			if !ok {
				panic(r.rt.NewTypeError("argument is not a Uint8Array"))
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
		}))
		return nil
	})
}

func (r *realm) textDecoder() goja.Value {
	return r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		label := strings.ToLower(textOr(c.Argument(0), "utf-8"))
		if label != "utf-8" && label != "utf8" {
			panic(r.newError("RangeError", `The "`+label+`" encoding is not supported`))
		}
		flag := func(name string) bool {
			o, ok := c.Argument(1).(*goja.Object)
			return ok && o.Get(name) != nil && o.Get(name).ToBoolean()
		}
		fatal, ignoreBOM := flag("fatal"), flag("ignoreBOM")
		o := c.This
		r.put(o, "encoding", r.rt.ToValue("utf-8"))
		r.put(o, "fatal", r.rt.ToValue(fatal))
		r.put(o, "ignoreBOM", r.rt.ToValue(ignoreBOM))
		r.put(o, "decode", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			if nullish(c.Argument(0)) {
				return r.rt.ToValue("")
			}
			b := r.bytesOf(c.Argument(0), "utf8")
			if fatal && !utf8.Valid(b) {
				panic(r.rt.NewTypeError("The encoded data was not valid"))
			}
			s, _ := encode(b, "utf8")
			r.grow(len(s))
			if !ignoreBOM {
				s = strings.TrimPrefix(s, "\ufeff")
			}
			return r.rt.ToValue(s)
		}))
		return nil
	})
}
