package cloudfront

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"
)

// realm is one call: an engine of its own, and what was counted.
type realm struct {
	rt    *goja.Runtime
	fn    *Function
	event *Event
	start time.Time

	compute, memory, depth int
	guarded, hidden        bool
	guardNames             []string
	joins                  []*goja.Object
	kept                   []*record

	logs        []string
	logBytes    int
	origin      *OriginChange
	modules     map[string]*goja.Object
	bufferProto *goja.Object
	// request and response are what the event shows.
	request, response *goja.Object
}

// open makes the engine and prepares it for the function.
func (r *realm) open(f *Function, ev *Event, now time.Time) {
	r.rt, r.fn, r.event, r.start = goja.New(), f, ev, now
	r.rt.SetMaxCallStackSize(maxDepth)
	r.rt.SetTimeSource(func() time.Time { return r.start })
	for _, setup := range f.setups {
		setup(r)
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

// absentMark is put behind the name of a global that the engine has and the runtime lacks: nothing has that name.
const absentMark = "$absent"

// absentGlobals are names that goja has and that the runtimes lack, by the lists of AWS's manual.
var absentGlobals = []string{"BigInt", "BigInt64Array", "BigUint64Array", "FinalizationRegistry", "GoError", "Map", "Proxy", "Reflect", "Set",
	"SharedArrayBuffer", "WeakMap", "WeakRef", "WeakSet", "escape", "eval", "unescape"}

var absentGlobalsIn1 = []string{"AggregateError", "DataView"}

func (s *source) absentGlobal(name string) bool {
	return slices.Contains(absentGlobals, name) || s.runtime == Runtime1 && slices.Contains(absentGlobalsIn1, name)
}

// absentMembers are methods that goja has and that the runtimes lack, by owner: neither the manual lists them, nor njs has them.
var absentMembers = map[string][]string{
	"Object":          {"fromEntries", "getOwnPropertySymbols", "groupBy", "hasOwn"},
	"Array":           {"from", "fromAsync"},
	"Array.prototype": {"at", "findLast", "findLastIndex", "flat", "flatMap", "toLocaleString", "toReversed", "toSorted", "toSpliced", "with"},
	"String":          {"raw"},
	"String.prototype": {"at", "isWellFormed", "localeCompare", "matchAll", "normalize", "toLocaleLowerCase", "toLocaleUpperCase", "toWellFormed",
		"trimLeft", "trimRight"},
	"Number.prototype":      {"toLocaleString"},
	"Object.prototype":      {"toLocaleString"},
	"RegExp.prototype":      {"compile", "dotAll", "unicode", "hasIndices"},
	"JSON":                  {"isRawJSON", "rawJSON"},
	"Error":                 {"isError"},
	"DataView.prototype":    {"getBigInt64", "getBigUint64", "setBigInt64", "setBigUint64", "getFloat16", "setFloat16"},
	typedPrototype:          {"at", "findLast", "findLastIndex", "toLocaleString", "toReversed", "toSorted", "with"},
	"Promise":               {"try", "withResolvers"},
	"Math":                  {"f16round", "sumPrecise"},
	"ArrayBuffer.prototype": {"resize", "transfer", "transferToFixedLength"},
}

// absentIn1 are those that runtime 2.0 has and 1.0 lacks.
var absentIn1 = map[string][]string{
	"Promise":          {"all", "allSettled", "any", "race"},
	"String.prototype": {"replaceAll"},
	"Object":           {"getOwnPropertyDescriptors"},
	"Symbol":           {"for", "keyFor"},
	"Array.prototype":  {"entries", "keys", "values"},
	"RegExp.prototype": {"flags", "sticky"},
	"TypedArray":       {"from", "of"},
	typedPrototype: {"every", "filter", "find", "findIndex", "forEach", "includes", "indexOf", "lastIndexOf", "map", "reduce", "reduceRight",
		"reverse", "some"},
}

// setups makes the list of what prepares a realm for this code.
func (s *source) setups() []func(*realm) {
	var list []func(*realm)
	add := func(f func(*realm)) { list = append(list, f) }
	m := s.mentions.names
	everything := m["globalThis"] || m["getOwnPropertyDescriptor"] || m["getOwnPropertyDescriptors"] || m["getOwnPropertyNames"]
	if everything {
		add((*realm).guardAll)
		for _, n := range absentGlobals {
			add(func(r *realm) { _ = r.rt.GlobalObject().Delete(n) })
		}
		if s.runtime == Runtime1 {
			for _, n := range absentGlobalsIn1 {
				add(func(r *realm) { _ = r.rt.GlobalObject().Delete(n) })
			}
		}
	}
	for _, table := range absences(s.runtime) {
		s.hide(table, add)
	}
	if everything || s.mentions.owns > 0 {
		add((*realm).hideAll)
	}
	indirect := m["call"] || m["apply"] || m["bind"] || m["Array"] || s.mentions.lengths
	if !everything {
		for name := range guardTable() {
			if s.guardFirst(name, indirect) {
				add(func(r *realm) { r.guardName(name) })
			}
		}
	}
	if m["constructor"] || m["Function"] || everything {
		add((*realm).noFunctionConstructors)
	}
	if names := s.typedArrays(); len(names) > 0 && !everything {
		add(func(r *realm) { r.guardConstructors(names) })
	}
	s.globals(everything, add)
	return list
}

// guardFirst tells whether a guard is set before the code runs; the others are set when something may have grown.
func (s *source) guardFirst(name string, indirect bool) bool {
	switch name {
	case "parse": // it says what is wrong in AWS's words
		return s.mentions.names[name]
	case "match", "search", "test", "exec":
		return s.mentions.names[name] && (indirect || s.mentions.early[name] || s.mentions.accessors || s.mentions.names["defineProperty"] ||
			s.mentions.names["defineProperties"] || s.mentions.names["__defineGetter__"])
	case "join":
		return s.mentions.names[name] || s.mentions.nested || s.mentions.names["push"] || indirect && s.mentions.names["fill"]
	case "encodeURI", "encodeURIComponent", "decodeURI", "decodeURIComponent", "repeat", "padStart", "padEnd", "concat", "replace", "replaceAll", "split", "apply", "stringify":
		return s.mentions.names[name]
	}
	return s.mentions.names[name] && indirect
}

// absences are the tables of what a runtime lacks.
func absences(runtime string) []map[string][]string {
	if runtime == Runtime1 {
		return []map[string][]string{absentMembers, absentIn1}
	}
	return []map[string][]string{absentMembers}
}

// hide takes the methods away that the source mentions. To take all away would cost more than most functions do.
func (s *source) hide(table map[string][]string, add func(func(*realm))) {
	for owner, names := range table {
		if strings.HasPrefix(owner, "TypedArray") && !s.hasBytes() {
			continue
		}
		for _, n := range names {
			if s.mentions.names[n] {
				add(func(r *realm) { _ = r.object(owner).Delete(n) })
			}
		}
	}
}

// addNonstandard adds the methods of strings that the source does not mention.
func (r *realm) addNonstandard() {
	for name := range byteMethods {
		if !r.fn.mentioned[name] {
			r.byteMethod(name)
		}
	}
	if !r.fn.mentioned[bytesFrom] {
		r.bytesFromStrings()
	}
}

// hasBytes tells whether the code can have a typed array.
func (s *source) hasBytes() bool {
	m := s.mentions.names
	return len(s.typedArrays()) > 0 || m["Buffer"] || m["buffer"] || m["TextEncoder"] || m["crypto"] || m["cloudfront"]
}

// hideAll takes away what hide has left: the code has computed a name.
func (r *realm) hideAll() {
	if r.hidden {
		return
	}
	r.hidden = true
	if r.fn.runtime == Runtime1 {
		r.addNonstandard()
	}
	for _, table := range absences(r.fn.runtime) {
		for owner, names := range table {
			o := r.object(owner)
			for _, n := range names {
				if !r.fn.mentioned[n] { // else the code may have put something of its own there
					_ = o.Delete(n)
				}
			}
		}
	}
}

// typedArrays are the constructors of memory that the code can reach.
func (s *source) typedArrays() (names []string) {
	for _, n := range typedArrays {
		if s.mentions.names[n] || s.mentions.names["constructor"] {
			names = append(names, n)
		}
	}
	return names
}

var typedArrays = []string{"Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array",
	"Float32Array", "Float64Array", "ArrayBuffer"}

// guardConstructors puts constructors that count in the place of those of typed arrays, also where objects refer to them.
func (r *realm) guardConstructors(names []string) {
	global := r.rt.GlobalObject()
	for _, name := range names {
		if original, ok := global.Get(name).(*goja.Object); ok {
			bounded := r.bounded(original, 8)
			_ = global.Set(name, bounded)
			if p, ok := original.Get("prototype").(*goja.Object); ok {
				r.put(p, "constructor", bounded)
			}
		}
	}
	if r.fn.runtime != Runtime2 {
		return
	}
	if base := r.object("Uint8Array").Prototype(); base != nil {
		if from, ok := goja.AssertFunction(base.Get("from")); ok {
			r.define(base, "from", func(c goja.FunctionCall) goja.Value {
				guardLengthOf(r, c.Argument(0))
				v, err := from(c.This, c.Arguments...)
				if err != nil {
					panic(err)
				}
				return v
			})
		}
	}
}

// bounded is a constructor whose size argument is counted. It inherits what else the original has.
func (r *realm) bounded(original *goja.Object, size int) goja.Value {
	f := r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		if len(c.Arguments) > 0 {
			if o, ok := c.Arguments[0].(*goja.Object); ok {
				r.growBy(lengthOf(o), size)
			} else {
				r.growBy(max(count(c.Arguments[0]), 0), size)
			}
		}
		o, err := r.rt.New(original, c.Arguments...)
		if err != nil {
			panic(err)
		}
		return o
	}).(*goja.Object)
	_ = f.SetPrototype(original)
	_ = f.Set("prototype", original.Get("prototype"))
	r.put(f, "name", original.Get("name"))
	return f
}

func (r *realm) put(o *goja.Object, name string, v goja.Value) {
	_ = o.DefineDataProperty(name, named(v, name), goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

// noFunctionConstructors makes the constructors of functions throw, as in AWS's runtimes.
func (r *realm) noFunctionConstructors() {
	refuse := func(goja.ConstructorCall) *goja.Object {
		panic(r.rt.NewTypeError(`function constructor is disabled in "safe" mode`))
	}
	f := r.rt.ToValue(refuse).(*goja.Object)
	p := r.object("Function.prototype")
	_ = f.Set("prototype", p)
	named(f, "Function")
	r.put(p, "constructor", f)
	_ = r.rt.GlobalObject().Set("Function", f)
	for _, src := range []string{"(async function(){})", "(function*(){})"} {
		if v, err := r.rt.RunString(src); err == nil {
			r.put(v.(*goja.Object).Prototype(), "constructor", f)
		}
	}
}

// globals sets what the runtimes have beside the language.
func (s *source) globals(everything bool, add func(func(*realm))) {
	m := s.mentions.names
	set := func(name string, f func(*realm) goja.Value) {
		if m[name] || everything {
			add(func(r *realm) { _ = r.rt.GlobalObject().Set(name, named(f(r), name)) })
		}
	}
	set("console", (*realm).console)
	set("require", (*realm).require)
	set("InternalError", func(r *realm) goja.Value { return r.errorType("InternalError") })
	if m["eval"] {
		add(func(r *realm) {
			r.define(r.rt.GlobalObject(), "eval"+absentMark, func(goja.FunctionCall) goja.Value {
				panic(r.newError("InternalError", "Not implemented"))
			})
		})
	}
	if s.runtime == Runtime1 {
		set("MemoryError", func(r *realm) goja.Value { return r.errorType("MemoryError") })
		s.byteStrings(add)
	} else {
		set("Buffer", func(r *realm) goja.Value { return r.module("buffer").Get("Buffer") })
		set("atob", (*realm).atob)
		set("btoa", (*realm).btoa)
		set("TextEncoder", (*realm).textEncoder)
		set("TextDecoder", (*realm).textDecoder)
	}
	s.utc(everything, add)
}

// errorType makes an error constructor that goja lacks.
func (r *realm) errorType(name string) goja.Value {
	g := r.rt.GlobalObject()
	if v, ok := g.Get(name).(*goja.Object); ok {
		return v
	}
	parent := r.object("Error")
	proto := r.rt.CreateObject(parent.Get("prototype").(*goja.Object))
	f := r.rt.ToValue(func(c goja.ConstructorCall) *goja.Object {
		o := r.rt.CreateObject(proto)
		if m := c.Argument(0); !goja.IsUndefined(m) {
			r.put(o, "message", text(m))
		}
		return o
	}).(*goja.Object)
	_ = f.Set("prototype", proto)
	r.put(f, "name", r.rt.ToValue(name))
	r.put(proto, "constructor", f)
	r.put(proto, "name", r.rt.ToValue(name))
	r.put(proto, "message", r.rt.ToValue(""))
	return f
}

// newError makes an error of a type by name.
func (r *realm) newError(kind, message string) *goja.Object {
	o, err := r.rt.New(r.errorType(kind), r.rt.ToValue(message))
	if err != nil {
		return r.rt.NewTypeError(message)
	}
	return o
}

// require loads a module by its name (AWS's manual, "Built-in modules").
func (r *realm) require() goja.Value {
	return r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
		name := c.Argument(0).String()
		if !(&source{runtime: r.fn.runtime}).hasModule(name) {
			panic(r.newError("Error", `Cannot find module "`+name+`"`))
		}
		return r.module(name)
	})
}

// module makes a module once.
func (r *realm) module(name string) *goja.Object {
	if o := r.modules[name]; o != nil {
		return o
	}
	var o *goja.Object
	switch name {
	case "crypto":
		o = r.cryptoModule()
	case "querystring":
		o = r.querystringModule()
	case "buffer":
		o = r.rt.NewObject()
		r.put(o, "Buffer", r.bufferType())
	case "cloudfront":
		o = r.cloudfrontModule()
	default:
		return r.rt.NewObject()
	}
	if r.modules == nil {
		r.modules = map[string]*goja.Object{}
	}
	r.modules[name] = o
	return o
}

// console has log alone, of one argument (AWS's manual, "Console").
func (r *realm) console() goja.Value {
	return lazily(r, []string{"log"}, func(*record, int) goja.Value {
		return r.rt.ToValue(func(c goja.FunctionCall) goja.Value {
			line := c.Argument(0).String()
			r.grow(len(line))
			if room := maxLog - r.logBytes; len(line) > room {
				line = line[:room]
			}
			if line != "" || r.logBytes < maxLog {
				r.logs = append(r.logs, line)
			}
			r.logBytes += len(line) + 1
			r.logBytes = min(r.logBytes, maxLog)
			return goja.Undefined()
		})
	})
}
