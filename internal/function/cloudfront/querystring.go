package cloudfront

import (
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// querystringModule parses and writes query strings (AWS's manual, "Query string").
func (r *realm) querystringModule() *goja.Object {
	o := r.rt.NewObject()
	fn := func(f func(goja.FunctionCall) goja.Value) goja.Value { return r.rt.ToValue(f) }
	parse, stringify := fn(r.queryParse), fn(r.queryStringify)
	r.put(o, "parse", parse)
	r.put(o, "decode", parse)
	r.put(o, "stringify", stringify)
	r.put(o, "encode", stringify)
	r.put(o, "escape", fn(func(c goja.FunctionCall) goja.Value { return r.rt.ToValue(r.escape(text(c.Argument(0)).String())) }))
	r.put(o, "unescape", fn(func(c goja.FunctionCall) goja.Value { return r.rt.ToValue(r.unescape(text(c.Argument(0)).String())) }))
	return o
}

func textOr(v goja.Value, otherwise string) string {
	if nullish(v) || text(v).Length() == 0 {
		return otherwise
	}
	return v.String()
}

// escape leaves letters, digits and -_.!~*'() as encodeURIComponent does.
func (r *realm) escape(s string) string {
	r.grow(len(s))
	const upper = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upper[c>>4])
		b.WriteByte(upper[c&15])
	}
	return b.String()
}

// unescape reads what it can; what is not UTF-8 becomes U+FFFD.
func (r *realm) unescape(s string) string {
	r.grow(len(s))
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	if utf8.Valid(b) {
		return string(b)
	}
	return string([]rune(string(b)))
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

func (r *realm) queryParse(c goja.FunctionCall) goja.Value {
	out := r.rt.NewObject()
	_ = out.SetPrototype(nil)
	s, ok := c.Argument(0).(goja.String)
	if !ok {
		return out
	}
	separator, equal := textOr(c.Argument(1), "&"), textOr(c.Argument(2), "=")
	decode, most := r.unescape, 1000
	if o, ok := c.Argument(3).(*goja.Object); ok {
		if f, ok := goja.AssertFunction(o.Get("decodeURIComponent")); ok {
			decode = func(s string) string { return r.callText(f, s) }
		}
		if n := o.Get("maxKeys"); !nullish(n) {
			most = count(n)
		}
	}
	n := 0
	for part := range strings.SplitSeq(s.String(), separator) {
		if part == "" {
			continue
		}
		if n++; most > 0 && n > most {
			break
		}
		r.grow(64 + len(part))
		name, value, _ := strings.Cut(part, equal)
		name, value = decode(strings.ReplaceAll(name, "+", " ")), decode(strings.ReplaceAll(value, "+", " "))
		switch old := out.Get(name).(type) {
		case nil:
			_ = out.Set(name, value)
		case *goja.Object:
			_ = old.Set(itoa(lengthOf(old)), value)
		default:
			_ = out.Set(name, r.rt.NewArray(old, value))
		}
	}
	return out
}

func (r *realm) callText(f goja.Callable, s string) string {
	v, err := f(goja.Undefined(), r.rt.ToValue(s))
	if err != nil {
		panic(err)
	}
	return v.String()
}

func (r *realm) queryStringify(c goja.FunctionCall) goja.Value {
	o, ok := c.Argument(0).(*goja.Object)
	if !ok {
		return r.rt.ToValue("")
	}
	separator, equal := textOr(c.Argument(1), "&"), textOr(c.Argument(2), "=")
	encode := r.escape
	if opts, ok := c.Argument(3).(*goja.Object); ok {
		if f, ok := goja.AssertFunction(opts.Get("encodeURIComponent")); ok {
			encode = func(s string) string { return r.callText(f, s) }
		}
	}
	var parts []string
	add := func(name string, v goja.Value) {
		s := ""
		switch v.(type) {
		case *goja.Object:
		default:
			if !nullish(v) {
				s = encode(v.String())
			}
		}
		r.grow(len(name) + len(s) + len(separator) + len(equal))
		parts = append(parts, encode(name)+equal+s)
	}
	for _, k := range o.Keys() {
		v := o.Get(k)
		if list, ok := v.(*goja.Object); ok && list.ClassName() == "Array" {
			for i := range min(lengthOf(list), maxLength) {
				add(k, list.Get(itoa(i)))
			}
			continue
		}
		add(k, v)
	}
	return r.rt.ToValue(strings.Join(parts, separator))
}
