package cloudfront

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"github.com/dop251/goja"
)

// CBOR Web Tokens: COSE_Mac0 with HMAC-SHA256 (AWS's manual, "CWT support for CloudFront Functions"; rfc8392, rfc9052 6.2,
// rfc8949). A token has at most 1 KB.
const (
	maxToken  = 1 << 10
	tagMac0   = 17
	tagCWT    = 61
	algHS64   = 4 // HMAC 256/64
	algHS256  = 5 // HMAC 256/256
	cborDepth = 16
)

var cwtNames = []string{"validateToken", "decodeToken", "generateToken"}

func (r *realm) cwtModule() goja.Value {
	return lazily(r, cwtNames, func(_ *record, i int) goja.Value {
		switch cwtNames[i] {
		case "validateToken":
			return r.rt.ToValue(func(c goja.FunctionCall) goja.Value { return r.decodeToken(c.Argument(0), r.key2(c.Argument(1))) })
		case "decodeToken":
			return r.rt.ToValue(func(c goja.FunctionCall) goja.Value { return r.decodeToken(c.Argument(0), nil) })
		}
		return r.rt.ToValue(r.generateToken)
	})
}

// key2 is the key of a context object: a string or a buffer.
func (r *realm) key2(context goja.Value) []byte {
	k := r.argument(context, "context").o.Get("key")
	if nullish(k) {
		panic(r.newError("Error", "the context has no key"))
	}
	return slices.Clone(r.bytesOf(k, "utf8"))
}

func (r *realm) tokenError(text string) { panic(r.newError("Error", "invalid token: "+text)) }

// decodeToken reads a token, and checks its tag when key is not nil.
func (r *realm) decodeToken(v goja.Value, key []byte) goja.Value {
	b, ok := r.viewOf(v)
	if !ok {
		panic(r.rt.NewTypeError("the token must be a Buffer"))
	}
	if len(b) > maxToken {
		r.tokenError("it has more than 1 KB")
	}
	d := &cborReader{b: b}
	if d.tag() == tagCWT {
		d.take()
	}
	if d.tag() != tagMac0 {
		r.tokenError("it is not a COSE_Mac0 structure")
	}
	d.take()
	major, n := d.head()
	protected, unprotected := []byte(nil), cborValue{}
	var payload, mac []byte
	if major == 4 && n == 4 {
		protected = d.byteString()
		unprotected = d.value(0)
		payload, mac = d.byteString(), d.byteString()
	}
	header, body := (&cborReader{b: protected}).all(), (&cborReader{b: payload}).all()
	if d.bad || len(d.b) != 0 || header.kind == 0 && len(protected) > 0 || body.kind != 'm' || unprotected.kind != 'm' {
		r.tokenError("it is not well formed")
	}
	if key != nil && !macMatches(header, protected, payload, mac, key) {
		r.tokenError("its tag does not match")
	}
	out := r.rt.NewObject()
	_ = out.Set("protectedHeaders", r.cborObject(header))
	_ = out.Set("unprotectedHeaders", r.cborObject(unprotected))
	_ = out.Set("payload", r.cborObject(body))
	return out
}

// macMatches computes the tag of rfc9052 6.3.
func macMatches(header cborValue, protected, payload, mac, key []byte) bool {
	alg := int64(algHS256)
	for i, k := range header.keys {
		if k.kind == 'i' && k.n == 1 {
			alg = header.list[i].n
			if header.list[i].kind == 't' {
				alg, _ = strconv.ParseInt(header.list[i].s, 10, 64)
			}
		}
	}
	sum := tokenMac(protected, payload, key)
	switch alg {
	case algHS64:
		sum = sum[:8]
	case algHS256:
	default:
		return false
	}
	return hmac.Equal(sum, mac)
}

func tokenMac(protected, payload, key []byte) []byte {
	var w cborWriter
	w.head(4, 4)
	w.text("MAC0")
	w.bytes(protected)
	w.bytes(nil)
	w.bytes(payload)
	h := hmac.New(sha256.New, key)
	h.Write(w.b)
	return h.Sum(nil)
}

// generateToken takes the token and the context in either order: the manual's synopsis and its examples differ.
func (r *realm) generateToken(c goja.FunctionCall) goja.Value {
	token, context := r.argument(c.Argument(0), "token"), r.argument(c.Argument(1), "context")
	if !nullish(token.o.Get("key")) {
		token, context = context, token
	}
	if t := context.o.Get("coseTag"); nullish(t) || t.String() != "MAC0" {
		panic(r.newError("Error", "coseTag must be MAC0"))
	}
	key := r.key2(context.o)
	part := func(names ...string) goja.Value {
		for _, n := range names {
			if v := token.o.Get(n); !nullish(v) {
				return v
			}
		}
		return r.rt.NewObject()
	}
	encoded := func(v goja.Value) []byte {
		var w cborWriter
		r.cborEncode(&w, v, 0)
		return w.b
	}
	var header cborWriter
	if p, ok := part("protected", "protectedHeaders").(*goja.Object); ok {
		header.headers(r, p)
	}
	payload := encoded(part("payload"))
	var w cborWriter
	if t := context.o.Get("cwtTag"); !nullish(t) && t.ToBoolean() {
		w.head(6, tagCWT)
	}
	w.head(6, tagMac0)
	w.head(4, 4)
	w.bytes(header.b)
	w.b = append(w.b, encoded(part("unprotected", "unprotectedHeaders"))...)
	w.bytes(payload)
	sum := tokenMac(header.b, payload, key)
	if header.short {
		sum = sum[:8]
	}
	w.bytes(sum)
	if len(w.b) > maxToken {
		r.tokenError("it has more than 1 KB")
	}
	return r.newBuffer(w.b)
}

// headers writes protected headers; the algorithm (label 1) is a number, also when the object has it as text.
func (w *cborWriter) headers(r *realm, o *goja.Object) {
	keys := o.Keys()
	algorithm := int64(algHS256)
	if v := o.Get("1"); !nullish(v) {
		algorithm = v.ToInteger()
	} else {
		keys = append([]string{"1"}, keys...)
	}
	if algorithm != algHS256 && algorithm != algHS64 {
		panic(r.newError("Error", "the algorithm must be HS256"))
	}
	w.short = algorithm == algHS64
	w.head(5, uint64(len(keys)))
	for _, k := range keys {
		w.key(k)
		if k == "1" {
			w.integer(algorithm)
		} else {
			r.cborEncode(w, o.Get(k), 1)
		}
	}
}

// cborValue is a data item: 'i'nteger, 'f'loat, 't'ext, 'b'ytes, 'l'ist, 'm'ap, 's'imple.
type cborValue struct {
	kind byte
	n    int64
	f    float64
	s    string
	keys []cborValue
	list []cborValue
}

type cborReader struct {
	b   []byte
	bad bool
}

// head reads the major type and the argument of an item (rfc8949 3).
func (d *cborReader) head() (major byte, n uint64) {
	if len(d.b) == 0 {
		d.bad = true
		return 0, 0
	}
	major, info := d.b[0]>>5, d.b[0]&31
	d.b = d.b[1:]
	if info < 24 {
		return major, uint64(info)
	}
	size := 1 << (info - 24)
	if info > 27 || len(d.b) < size {
		d.bad = true
		return 0, 0
	}
	for _, c := range d.b[:size] {
		n = n<<8 | uint64(c)
	}
	d.b = d.b[size:]
	return major, n
}

// tag is the tag that comes next, or 0.
func (d *cborReader) tag() uint64 {
	look := *d
	if major, n := look.head(); major == 6 && !look.bad {
		return n
	}
	return 0
}

func (d *cborReader) take() { d.head() }

func (d *cborReader) raw(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	out := d.b[:n]
	d.b = d.b[n:]
	return out
}

func (d *cborReader) byteString() []byte {
	major, n := d.head()
	if major != 2 {
		d.bad = true
		return nil
	}
	return d.raw(n)
}

// all reads one item that must be the whole.
func (d *cborReader) all() cborValue {
	if len(d.b) == 0 {
		return cborValue{}
	}
	v := d.value(0)
	if d.bad || len(d.b) > 0 {
		return cborValue{}
	}
	return v
}

func (d *cborReader) value(depth int) cborValue {
	if depth > cborDepth || d.bad {
		d.bad = true
		return cborValue{}
	}
	first := byte(0)
	if len(d.b) > 0 {
		first = d.b[0]
	}
	major, n := d.head()
	switch major {
	case 0, 1:
		if n > math.MaxInt64 {
			return cborValue{kind: 'f', f: float64(n)}
		}
		if major == 1 {
			return cborValue{kind: 'i', n: -1 - int64(n)}
		}
		return cborValue{kind: 'i', n: int64(n)}
	case 2:
		return cborValue{kind: 'b', s: string(d.raw(n))}
	case 3:
		return cborValue{kind: 't', s: string(d.raw(n))}
	case 4, 5:
		v := cborValue{kind: 'l'}
		if major == 5 {
			v.kind = 'm'
		}
		for i := uint64(0); i < n && !d.bad; i++ {
			if major == 5 {
				v.keys = append(v.keys, d.value(depth+1))
			}
			v.list = append(v.list, d.value(depth+1))
		}
		return v
	case 6:
		return d.value(depth + 1)
	}
	switch first & 31 {
	case 25:
		return cborValue{kind: 'f', f: halfFloat(uint16(n))}
	case 26:
		return cborValue{kind: 'f', f: float64(math.Float32frombits(uint32(n)))}
	case 27:
		return cborValue{kind: 'f', f: math.Float64frombits(n)}
	}
	return cborValue{kind: 's', n: int64(n)}
}

func halfFloat(h uint16) float64 {
	exp, mant := int(h>>10&31), float64(h&1023)
	var f float64
	switch exp {
	case 0:
		f = math.Ldexp(mant, -24)
	case 31:
		f = math.Inf(1)
		if mant != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mant+1024, exp-25)
	}
	if h&0x8000 != 0 {
		return -f
	}
	return f
}

// cborObject is an item as the script sees it: the keys of maps are strings.
func (r *realm) cborObject(v cborValue) goja.Value {
	r.grow(32)
	switch v.kind {
	case 'i':
		return r.rt.ToValue(v.n)
	case 'f':
		return r.rt.ToValue(v.f)
	case 't':
		return r.str(v.s)
	case 'b':
		return r.newBuffer([]byte(v.s))
	case 'l':
		items := make([]any, len(v.list))
		for i := range v.list {
			items[i] = r.cborObject(v.list[i])
		}
		return r.rt.NewArray(items...)
	case 's':
		switch v.n {
		case 20, 21:
			return r.rt.ToValue(v.n == 21)
		case 22:
			return goja.Null()
		}
		return goja.Undefined()
	}
	o := r.rt.NewObject()
	for i, k := range v.keys {
		name := k.s
		if k.kind == 'i' {
			name = strconv.FormatInt(k.n, 10)
		}
		_ = o.Set(name, r.cborObject(v.list[i]))
	}
	return o
}

type cborWriter struct {
	b     []byte
	short bool
}

func (w *cborWriter) head(major byte, n uint64) {
	switch {
	case n < 24:
		w.b = append(w.b, major<<5|byte(n))
	case n < 1<<8:
		w.b = append(w.b, major<<5|24, byte(n))
	case n < 1<<16:
		w.b = binary.BigEndian.AppendUint16(append(w.b, major<<5|25), uint16(n))
	case n < 1<<32:
		w.b = binary.BigEndian.AppendUint32(append(w.b, major<<5|26), uint32(n))
	default:
		w.b = binary.BigEndian.AppendUint64(append(w.b, major<<5|27), n)
	}
}

func (w *cborWriter) text(s string) {
	w.head(3, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *cborWriter) bytes(b []byte) {
	w.head(2, uint64(len(b)))
	w.b = append(w.b, b...)
}

func (w *cborWriter) integer(n int64) {
	if n < 0 {
		w.head(1, uint64(-1-n))
		return
	}
	w.head(0, uint64(n))
}

// key writes the key of a map: an integer when it looks like one, as labels and claims are.
func (w *cborWriter) key(k string) {
	if n, err := strconv.ParseInt(k, 10, 64); err == nil && strconv.FormatInt(n, 10) == k {
		w.integer(n)
		return
	}
	w.text(k)
}

func (r *realm) cborEncode(w *cborWriter, v goja.Value, depth int) {
	if r.grow(16); depth > cborDepth || len(w.b) > maxToken {
		r.tokenError("it is too deep or has more than 1 KB")
	}
	if o, ok := v.(*goja.Object); ok {
		switch {
		case o.ClassName() == "Array":
			n := min(lengthOf(o), maxToken)
			w.head(4, uint64(n))
			for i := range n {
				r.cborEncode(w, o.Get(itoa(i)), depth+1)
			}
		default:
			if b, ok := r.viewOf(o); ok {
				w.bytes(b)
				return
			}
			keys := o.Keys()
			w.head(5, uint64(len(keys)))
			for _, k := range keys {
				w.key(k)
				r.cborEncode(w, o.Get(k), depth+1)
			}
		}
		return
	}
	switch x := v.Export().(type) {
	case int64:
		w.integer(x)
	case float64:
		w.b = binary.BigEndian.AppendUint64(append(w.b, 7<<5|27), math.Float64bits(x))
	case bool:
		w.b = append(w.b, 7<<5|20)
		if x {
			w.b[len(w.b)-1]++
		}
	case string:
		w.text(x)
	case nil:
		w.b = append(w.b, 7<<5|22)
	default:
		w.text(v.String())
	}
}
