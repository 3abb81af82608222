package cloudfront

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/dop251/goja"
)

// A guard bounds a builtin whose single call could take memory or time without limit: the engine cannot be interrupted while it
// runs one. It checks the arguments, counts, and calls the builtin.
type guard struct {
	// owner is where the builtin is: a global, or the prototype of one ("String.prototype").
	owner string
	check func(r *realm, c *call)
}

// call is one call of a guarded builtin.
type call struct {
	goja.FunctionCall
	builtin func(goja.FunctionCall) goja.Value
	// result is set by a check that has done the work itself.
	result goja.Value
}

// lengthy are the array methods whose work is given by a length, which can be large without any memory behind it.
var lengthy = []string{"forEach", "map", "filter", "some", "every", "reduce", "reduceRight", "indexOf", "lastIndexOf", "includes", "find",
	"findIndex", "fill", "reverse", "sort", "slice", "splice", "unshift", "shift", "copyWithin", "pop", "push"}

// escapers may make a text three times as long.
var escapers = []string{"encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent"}

// typedPrototype is where the methods of all typed arrays are.
const typedPrototype = "TypedArray.prototype"

// guardTable has the guarded builtins by name.
func guardTable() map[string][]guard {
	t := map[string][]guard{
		"repeat":     {{"String.prototype", guardRepeat}},
		"padStart":   {{"String.prototype", guardPad}},
		"padEnd":     {{"String.prototype", guardPad}},
		"concat":     {{"String.prototype", guardConcat}, {"Array.prototype", guardConcat}},
		"replace":    {{"String.prototype", guardReplace}},
		"replaceAll": {{"String.prototype", guardReplace}},
		"split":      {{"String.prototype", guardSplit}},
		"match":      {{"String.prototype", guardPattern}},
		"search":     {{"String.prototype", guardPattern}},
		"test":       {{"RegExp.prototype", guardPattern}},
		"exec":       {{"RegExp.prototype", guardPattern}},
		"join":       {{"Array.prototype", guardJoin}, {typedPrototype, guardTypedJoin}},
		"apply":      {{"Function.prototype", guardApply}},
		"stringify":  {{"JSON", guardStringify}},
		"parse":      {{"JSON", guardParse}},
	}
	for _, name := range escapers {
		t[name] = []guard{{"globalThis", guardEscape}}
	}
	for _, name := range []string{"toUpperCase", "toLowerCase", "toLocaleUpperCase", "toLocaleLowerCase", "trim", "trimStart", "trimEnd", "normalize"} {
		t[name] = []guard{{"String.prototype", guardText}}
	}
	for _, name := range []string{"keys", "values", "entries", "assign", "getOwnPropertyNames"} {
		t[name] = []guard{{"Object", guardMembers}}
	}
	for _, name := range lengthy {
		check := guardLength
		if name == "slice" {
			check = guardSlice
		}
		t[name] = append(t[name], guard{"Array.prototype", check}, guard{typedPrototype, check})
	}
	return t
}

// guardName sets the guards of one name.
func (r *realm) guardName(name string) {
	if slices.Contains(r.guardNames, name) {
		return
	}
	r.guardNames = append(r.guardNames, name)
	for _, g := range r.fn.guards[name] {
		o := r.object(g.owner)
		original, ok := goja.AssertFunction(o.Get(name))
		if !ok {
			continue // the code has put something else there
		}
		builtin := func(c goja.FunctionCall) goja.Value {
			v, err := original(c.This, c.Arguments...)
			if err != nil {
				panic(err)
			}
			return v
		}
		r.define(o, name, func(c goja.FunctionCall) goja.Value {
			k := &call{FunctionCall: c, builtin: builtin}
			g.check(r, k)
			if k.result == nil {
				k.result = builtin(k.FunctionCall)
			}
			return k.result
		})
	}
}

// guardAll sets all guards that are not set: the code has computed a name, or has much memory.
func (r *realm) guardAll() {
	if r.guarded {
		return
	}
	r.guarded = true
	for name := range r.fn.guards {
		r.guardName(name)
	}
	r.guardConstructors(typedArrays)
	r.noFunctionConstructors()
}

// object finds a builtin object by its path.
func (r *realm) object(path string) *goja.Object {
	o := r.rt.GlobalObject()
	switch path { // what has no name
	case typedPrototype:
		return r.object("Uint8Array.prototype").Prototype()
	case "TypedArray":
		if c, ok := r.object(typedPrototype).Get("constructor").(*goja.Object); ok {
			return c
		}
		return r.rt.NewObject()
	}
	for part := range strings.SplitSeq(path, ".") {
		next, ok := o.Get(part).(*goja.Object)
		if !ok {
			return r.rt.NewObject()
		}
		o = next
	}
	return o
}

func (r *realm) define(o *goja.Object, name string, f any) {
	r.put(o, name, r.rt.ToValue(f))
}

// named gives a native function the name that scripts see; goja takes that of the Go function.
func named(v goja.Value, name string) goja.Value {
	if f, ok := v.(*goja.Object); ok && f.ClassName() == "Function" {
		if now, ok := f.Get("name").(goja.String); ok && strings.Contains(now.String(), "/function/cloudfront.") {
			_ = f.DefineDataProperty("name", goja.StringFromUTF16(utf16.Encode([]rune(name))), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
		}
	}
	return v
}

// text is a value as the string that a builtin makes of it.
func text(v goja.Value) goja.String {
	if s, ok := v.(goja.String); ok {
		return s
	}
	var b goja.StringBuilder
	b.WriteUTF8String(v.String())
	return b.String()
}

// count is an argument as an integer, cut at what an int holds well.
func count(v goja.Value) int { return int(min(max(v.ToInteger(), -1<<40), 1<<40)) }

func nullish(v goja.Value) bool { return v == nil || goja.IsUndefined(v) || goja.IsNull(v) }

func guardRepeat(r *realm, c *call) {
	if !nullish(c.This) && len(c.Arguments) > 0 {
		c.This = text(c.This)
		r.growBy(max(count(c.Arguments[0]), 0), c.This.(goja.String).Length())
	}
}

func guardPad(r *realm, c *call) {
	if len(c.Arguments) > 0 {
		r.grow(max(count(c.Arguments[0]), 0))
	}
}

// lengthOf is the length of an array or a string, or of whatever claims to have one.
func lengthOf(v goja.Value) int {
	switch v := v.(type) {
	case goja.String:
		return v.Length()
	case *goja.Object:
		if l := v.Get("length"); l != nil {
			return max(count(l), 0)
		}
	}
	return 0
}

func guardConcat(r *realm, c *call) {
	if nullish(c.This) {
		return
	}
	size := 1
	if _, ok := c.This.(*goja.Object); ok {
		size = 16
	}
	n := lengthOf(c.This)
	for _, a := range c.Arguments {
		n += lengthOf(a)
		if n > maxMemory {
			panic(tooMuchMemory)
		}
	}
	r.growBy(n, size)
}

// guardReplace makes the replacement a function that counts what it gives, where the result could be long.
func guardReplace(r *realm, c *call) {
	if nullish(c.This) || len(c.Arguments) < 2 {
		return
	}
	s := text(c.This)
	c.This = s
	guardPattern(r, c)
	with := c.Arguments[1]
	if w, ok := with.(goja.String); s.Length() <= 64 && r.memory < bigMemory && (!ok || w.Length() <= 64) {
		return
	}
	args := append([]goja.Value(nil), c.Arguments...)
	c.Arguments = args
	if f, ok := goja.AssertFunction(with); ok {
		args[1] = r.rt.ToValue(func(in goja.FunctionCall) goja.Value {
			v, err := f(in.This, in.Arguments...)
			if err != nil {
				panic(err)
			}
			out := text(v)
			r.grow(out.Length())
			return out
		})
		return
	}
	t := text(with)
	args[1] = t
	if plain := t.String(); !strings.Contains(plain, "$") {
		args[1] = r.rt.ToValue(func(goja.FunctionCall) goja.Value { r.grow(t.Length()); return t })
		return
	}
	// Each $ may stand for the whole text, at each match.
	r.growBy((s.Length()+1)*(1+strings.Count(t.String(), "$")), t.Length()+1)
}

func guardSplit(r *realm, c *call) {
	if nullish(c.This) {
		return
	}
	s := text(c.This)
	c.This = s
	guardPattern(r, c)
	if s.Length() > 4096 {
		r.growBy(s.Length(), 16)
	}
}

// guardPattern bounds text times pattern: the engine's matcher takes time in proportion to both.
func guardPattern(r *realm, c *call) {
	if nullish(c.This) {
		return
	}
	n := 0
	pattern := 16
	for _, v := range append([]goja.Value{c.This}, c.Arguments...) {
		switch v := v.(type) {
		case goja.String:
			n = max(n, v.Length())
		case *goja.Object:
			if s := v.Get("source"); s != nil && v.ClassName() == "RegExp" {
				pattern = max(pattern, text(s).Length())
			}
		}
	}
	r.spend(n * pattern / 4096)
}

// guardJoin joins by itself, counting as it goes: an array that holds another one many times over is as good as endless.
func guardJoin(r *realm, c *call) {
	o, ok := c.This.(*goja.Object)
	if !ok {
		return
	}
	n := lengthOf(o)
	if n > maxLength {
		panic(tooMuchCompute)
	}
	if r.depth++; r.depth > maxDepth {
		panic(tooMuchCompute)
	}
	defer func() { r.depth-- }()
	separator := ","
	if len(c.Arguments) > 0 && !goja.IsUndefined(c.Arguments[0]) {
		separator = c.Arguments[0].String()
	}
	if r.joining(o) { // as the builtin does with an array that holds itself
		c.result = r.rt.ToValue("")
		return
	}
	r.joins = append(r.joins, o)
	defer func() { r.joins = r.joins[:len(r.joins)-1] }()
	var parts goja.StringBuilder
	for i := range n {
		if i > 0 {
			r.grow(len(separator))
			parts.WriteUTF8String(separator)
		}
		r.spend(1)
		if v := o.Get(itoa(i)); !nullish(v) {
			t := text(v)
			r.grow(t.Length())
			parts.WriteString(t)
		}
	}
	c.result = parts.String()
}

// guardTypedJoin bounds what a join of numbers may come to: each has at most 25 characters.
func guardTypedJoin(r *realm, c *call) {
	n := lengthOf(c.This)
	separator := 1
	if len(c.Arguments) > 0 && !goja.IsUndefined(c.Arguments[0]) {
		s := text(c.Arguments[0])
		c.Arguments = []goja.Value{s}
		separator = s.Length()
	}
	r.spend(n / 16)
	r.growBy(n, separator+2)
}

// guardText counts another text of the same length.
func guardText(r *realm, c *call) {
	if s, ok := c.This.(goja.String); ok && s.Length() > 64 {
		r.growBy(s.Length(), 2)
	}
}

// guardMembers counts the lists that are made of what has a length.
func guardMembers(r *realm, c *call) {
	for _, v := range c.Arguments {
		n := lengthOf(v)
		if n > maxLength {
			panic(tooMuchCompute)
		}
		r.growBy(n, 16)
	}
}

// guardEscape counts what an escaped text may come to.
func guardEscape(r *realm, c *call) {
	if len(c.Arguments) > 0 {
		s := text(c.Arguments[0])
		c.Arguments = []goja.Value{s}
		if n := s.Length(); n > 64 {
			r.growBy(n, 3)
		}
	}
}

func (r *realm) joining(o *goja.Object) bool {
	for _, j := range r.joins {
		if j == o {
			return true
		}
	}
	return false
}

func guardApply(r *realm, c *call) {
	if len(c.Arguments) > 1 {
		guardLengthOf(r, c.Arguments[1])
	}
}

func guardLength(r *realm, c *call) {
	guardLengthOf(r, c.This)
}

// guardSlice counts the copy as well.
func guardSlice(r *realm, c *call) {
	guardLengthOf(r, c.This)
	r.growBy(lengthOf(c.This), 16)
}

func guardLengthOf(r *realm, v goja.Value) {
	n := lengthOf(v)
	if n > maxLength {
		panic(tooMuchCompute)
	}
	r.spend(n / 16)
}

// guardStringify counts every value that goes into the text, by a replacer.
func guardStringify(r *realm, c *call) {
	if len(c.Arguments) == 0 {
		return
	}
	args := append([]goja.Value(nil), c.Arguments...)
	for len(args) < 2 {
		args = append(args, goja.Undefined())
	}
	replacer, own := goja.AssertFunction(args[1])
	list, _ := args[1].(*goja.Object)
	counted := r.rt.ToValue(func(in goja.FunctionCall) goja.Value {
		v := in.Argument(1)
		if own {
			var err error
			if v, err = replacer(in.This, in.Arguments...); err != nil {
				panic(err)
			}
		}
		r.spend(1)
		if s, ok := v.(goja.String); ok {
			r.grow(s.Length())
		}
		return v
	})
	if list != nil && !own {
		// A list of names chooses what is written: a first pass counts all.
		c.builtin(goja.FunctionCall{This: c.This, Arguments: []goja.Value{args[0], counted}})
		return
	}
	args[1] = counted
	c.Arguments = args
}

// guardParse counts what the smallest values of JSON become.
func guardParse(r *realm, c *call) {
	if len(c.Arguments) > 0 {
		s := text(c.Arguments[0])
		c.Arguments = append([]goja.Value{s}, c.Arguments[1:]...)
		if n := s.Length(); n > 1024 {
			r.growBy(n, 16)
		}
		if bad := jsonError(s.String()); bad != "" {
			panic(r.newError("SyntaxError", bad))
		}
	}
}

// jsonError says what of a text is not JSON, and where, as njs does.
func jsonError(s string) string {
	var any json.RawMessage
	err := json.Unmarshal([]byte(s), &any)
	var bad *json.SyntaxError
	switch {
	case !errors.As(err, &bad):
		return ""
	case int(bad.Offset) >= len(s) && strings.Contains(bad.Error(), "unexpected end"):
		return "Unexpected end of input at position " + itoa(len(s))
	}
	return "Unexpected token at position " + itoa(max(int(bad.Offset)-1, 0))
}
