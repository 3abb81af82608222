package cloudfront

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"

	"github.com/dop251/goja"
)

// cryptoModule has createHash and createHmac (AWS's manual, "Crypto (hash and HMAC)").
func (r *realm) cryptoModule() *goja.Object {
	o := r.rt.NewObject()
	r.put(o, "createHash", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		return r.hashObject(r.algorithm(c.Argument(0))())
	}))
	r.put(o, "createHmac", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		return r.hashObject(hmac.New(r.algorithm(c.Argument(0)), r.bytesOf(c.Argument(1), "utf8")))
	}))
	return o
}

func (r *realm) algorithm(v goja.Value) func() hash.Hash {
	switch v.String() {
	case "md5":
		return md5.New
	case "sha1":
		return sha1.New
	case "sha256":
		return sha256.New
	}
	panic(r.rt.NewTypeError(`not supported algorithm: "` + v.String() + `"`))
}

func (r *realm) hashObject(h hash.Hash) *goja.Object {
	o := r.rt.NewObject()
	done := false
	check := func() {
		if done {
			panic(r.newError("Error", "Digest already called"))
		}
	}
	r.put(o, "update", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		check()
		b := r.bytesOf(c.Argument(0), encodingOf(c.Argument(1)))
		r.spend(len(b) / 256)
		h.Write(b)
		return o
	}))
	r.put(o, "digest", r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		check()
		done = true
		sum := h.Sum(nil)
		if e := c.Argument(0); !goja.IsUndefined(e) {
			s, ok := encode(sum, e.String())
			if !ok || e.String() == "utf8" {
				panic(r.rt.NewTypeError(`unknown encoding: "` + e.String() + `"`))
			}
			return r.rt.ToValue(s)
		}
		if r.fn.runtime == Runtime1 {
			return r.rt.ToValue(byteString(sum))
		}
		return r.newBuffer(sum)
	}))
	return o
}

func encodingOf(v goja.Value) string {
	if nullish(v) {
		return "utf8"
	}
	return v.String()
}

// encode writes bytes in one of the encodings of the runtimes.
func encode(b []byte, encoding string) (string, bool) {
	switch encoding {
	case "utf8", "utf-8":
		return string([]rune(string(b))), true // what is not UTF-8 becomes U+FFFD
	case "hex":
		return hex.EncodeToString(b), true
	case "base64":
		return base64.StdEncoding.EncodeToString(b), true
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(b), true
	}
	return "", false
}

// decode reads text in an encoding. As Node.js does, it takes both alphabets of base64, and stops at what is not of it.
func decode(s, encoding string) ([]byte, bool) {
	switch encoding {
	case "utf8", "utf-8":
		return []byte(s), true
	case "hex":
		n := 0
		for n < len(s) && isHex(s[n]) {
			n++
		}
		b, _ := hex.DecodeString(s[:n&^1])
		return b, true
	case "base64", "base64url":
		clean := make([]byte, 0, len(s))
	loop:
		for i := range len(s) {
			switch c := s[i]; {
			case c == '-' || c == '+':
				clean = append(clean, '+')
			case c == '_' || c == '/':
				clean = append(clean, '/')
			case c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
				clean = append(clean, c)
			case c == '=':
				break loop
			}
		}
		if len(clean)%4 == 1 {
			clean = clean[:len(clean)-1]
		}
		b := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
		n, _ := base64.RawStdEncoding.Decode(b, clean)
		return b[:n], true
	}
	return nil, false
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' }

// byteString is bytes as runtime 1.0 has them: one character for each.
func byteString(b []byte) string {
	out := make([]rune, len(b))
	for i, c := range b {
		out[i] = rune(c)
	}
	return string(out)
}

// bytesOf is the bytes of a string, a buffer, a typed array, a view or an array buffer.
func (r *realm) bytesOf(v goja.Value, encoding string) []byte {
	if b, ok := r.viewOf(v); ok {
		return b
	}
	if _, ok := v.(*goja.Object); ok || nullish(v) {
		panic(r.rt.NewTypeError("data is not a string or Buffer-like object"))
	}
	b, ok := decode(text(v).String(), encoding)
	if !ok {
		panic(r.rt.NewTypeError(`unknown encoding: "` + encoding + `"`))
	}
	r.grow(len(b))
	return b
}

// viewOf is the memory of a buffer, a typed array, a view or an array buffer: not a copy.
func (r *realm) viewOf(v goja.Value) ([]byte, bool) {
	o, ok := v.(*goja.Object)
	if !ok {
		return nil, false
	}
	if ab, ok := exported[goja.ArrayBuffer](o); ok {
		return ab.Bytes(), true
	}
	inner, ok := o.Get("buffer").(*goja.Object)
	if !ok {
		return nil, false
	}
	ab, ok := exported[goja.ArrayBuffer](inner)
	if !ok {
		return nil, false
	}
	all := ab.Bytes()
	from, n := int(o.Get("byteOffset").ToInteger()), int(o.Get("byteLength").ToInteger())
	if from < 0 || n < 0 || from+n > len(all) {
		return nil, false
	}
	return all[from : from+n], true
}
