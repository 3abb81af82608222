package cloudfront

import (
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
)

// The members of the runtimes: those that AWS's manual lists ("JavaScript runtime 1.0 features", "… 2.0 features"), both for
// runtime 1.0 and 2.0, for 2.0 alone, and those that it does not list and that ES 5.1, with which it says that the runtimes
// comply, or njs have. What else the engine has must not be there.
var members = []struct{ owner, both, only2, unlisted string }{
	{"globalThis", "Object Function Array String Number RegExp Date Boolean Error TypeError ReferenceError SyntaxError RangeError EvalError URIError InternalError Math JSON " +
		"ArrayBuffer Uint8Array Uint8ClampedArray Int8Array Uint16Array Int16Array Uint32Array Int32Array Float32Array Float64Array Promise globalThis NaN undefined Infinity " +
		"isNaN parseInt parseFloat isFinite decodeURI decodeURIComponent encodeURI encodeURIComponent console require", "atob btoa Buffer DataView TextDecoder TextEncoder AggregateError", "Symbol"},
	{"Object", "create defineProperties defineProperty freeze getOwnPropertyDescriptor getOwnPropertyNames getPrototypeOf isExtensible isFrozen isSealed keys preventExtensions seal " +
		"assign is entries values", "getOwnPropertyDescriptors", "setPrototypeOf length name prototype"},
	{"Object.prototype", "hasOwnProperty isPrototypeOf propertyIsEnumerable toString valueOf", "", "constructor __proto__"},
	{"Function.prototype", "apply bind call", "", "constructor length name toString caller arguments"},
	{"String", "fromCharCode fromCodePoint", "", "length name prototype bytesFrom"},
	{"String.prototype", "charAt concat indexOf lastIndexOf match replace search slice split substr substring toLowerCase trim toUpperCase codePointAt endsWith includes repeat " +
		"startsWith padStart padEnd trimStart trimEnd", "replaceAll", "charCodeAt constructor length toString valueOf"},
	{"Number", "EPSILON MAX_SAFE_INTEGER MIN_SAFE_INTEGER MAX_VALUE MIN_VALUE NaN NEGATIVE_INFINITY POSITIVE_INFINITY isFinite isInteger isNaN isSafeInteger parseInt parseFloat", "",
		"length name prototype"},
	{"Number.prototype", "toExponential toFixed toPrecision", "", "constructor toString valueOf"},
	{"Boolean.prototype", "", "", "constructor toString valueOf"},
	{"Math", "E LN10 LN2 LOG10E LOG2E PI SQRT1_2 SQRT2 abs acos acosh asin asinh atan atan2 atanh cbrt ceil clz32 cos cosh exp expm1 floor fround hypot imul log log1p log2 log10 max " +
		"min pow random round sign sinh sin sqrt tan tanh trunc", "", ""},
	{"Date", "", "", "length name prototype UTC now parse"},
	{"RegExp", "", "", "length name prototype"},
	{"RegExp.prototype", "global ignoreCase multiline source exec test toString", "sticky flags", "constructor"},
	{"JSON", "parse stringify", "", ""},
	{"Array", "isArray of", "", "length name prototype"},
	{"Array.prototype", "concat every filter forEach indexOf join lastIndexOf map pop push reduce reduceRight reverse shift slice some sort splice unshift copyWithin fill find findIndex " +
		"includes", "", "constructor length toString entries keys values"},
	{"Object.getPrototypeOf(Uint8Array.prototype)", "copyWithin fill join set slice subarray toString", "every filter find findIndex forEach includes indexOf lastIndexOf map reduce " +
		"reduceRight reverse some", "sort constructor buffer byteLength byteOffset length entries keys values"},
	{"ArrayBuffer", "isView", "", "length name prototype"},
	{"ArrayBuffer.prototype", "slice", "", "byteLength constructor"},
	{"Promise", "reject resolve", "all allSettled any race", "length name prototype"},
	{"Promise.prototype", "catch finally then", "", "constructor"},
	{"DataView.prototype", "", "getFloat32 getFloat64 getInt16 getInt32 getInt8 getUint16 getUint32 getUint8 setFloat32 setFloat64 setInt16 setInt32 setInt8 setUint16 setUint32 setUint8",
		"buffer byteLength byteOffset constructor"},
	{"Symbol", "", "for keyFor", "length name prototype hasInstance isConcatSpreadable iterator match matchAll replace search species split toPrimitive toStringTag unscopables asyncIterator"},
	{"Error", "", "", "length name prototype captureStackTrace stackTraceLimit"},
	{"TextDecoder.prototype", "", "decode encoding fatal ignoreBOM", "constructor"},
	{"TextEncoder.prototype", "", "encode encodeInto", "encoding constructor"},
	{"require('crypto')", "createHash createHmac", "", ""},
	{"require('querystring')", "escape parse stringify unescape decode encode", "", ""},
	{"Buffer", "", "alloc allocUnsafe byteLength compare concat from isBuffer isEncoding", "length name prototype"},
	{"Buffer.prototype", "", "compare copy equals fill includes indexOf lastIndexOf readInt8 readIntBE readInt16BE readInt32BE readIntLE readInt16LE readInt32LE readUInt8 readUIntBE " +
		"readUInt16BE readUInt32BE readUIntLE readUInt16LE readUInt32LE readDoubleBE readDoubleLE readFloatBE readFloatLE subarray swap16 swap32 swap64 toJSON toString write writeInt8 writeIntBE " +
		"writeInt16BE writeInt32BE writeIntLE writeInt16LE writeInt32LE writeUInt8 writeUIntBE writeUInt16BE writeUInt32BE writeUIntLE writeUInt16LE writeUInt32LE writeDoubleBE writeDoubleLE " +
		"writeFloatBE writeFloatLE", "slice constructor"},
}

// nonstandard are methods of strings that runtime 1.0 alone has.
const nonstandard = "bytesFrom fromBytes fromUTF8 toBytes toUTF8"

func TestMembers(t *testing.T) {
	plain := goja.New()
	for _, m := range members {
		listed := func(runtime string) []string {
			names := strings.Fields(m.both)
			if runtime == Runtime2 {
				names = append(names, strings.Fields(m.only2)...)
			} else if m.owner == "String.prototype" {
				names = append(names, strings.Fields(nonstandard)...)
			} else if m.owner == "globalThis" {
				names = append(names, "MemoryError")
			}
			return names
		}
		engine := ""
		if v, err := plain.RunString("Object.getOwnPropertyNames(" + m.owner + ").join(' ')"); err == nil {
			engine = v.String()
		}
		for _, runtime := range []string{Runtime1, Runtime2} {
			want := listed(runtime)
			if len(want) == 0 && m.both == "" && m.unlisted == "constructor" || runtime == Runtime1 && m.both == "" && m.only2 != "" && m.owner != "Symbol" {
				continue // the owner is not there
			}
			checkMembers(t, runtime, m.owner, want, strings.Fields(engine+" "+m.only2+" "+nonstandard), strings.Fields(m.unlisted))
		}
	}
}

// checkMembers asks for each name twice: as the code writes it, and put together at run time.
func checkMembers(t *testing.T, runtime, owner string, want, all, unlisted []string) {
	t.Helper()
	for _, name := range slices.Concat(want, all) {
		is := "true"
		if !slices.Contains(want, name) {
			if is = "false"; slices.Contains(unlisted, name) {
				continue
			}
		}
		for _, code := range []string{
			"return text('" + name + "' in " + owner + ")",
			"var o = " + owner + ", n = '" + name[:1] + "', m = '" + name[1:] + "'; return text((n + m) in o)",
		} {
			if got := run(t, runtime, code); got != is {
				t.Errorf("%s: %s: %s, want %s", runtime, code, got, is)
			}
		}
	}
}

// TestNothingStaysInTheRealm: whatever one call does to its realm, the next one does not see.
func TestNothingStaysInTheRealm(t *testing.T) {
	f := compile(t, Runtime2, `import cf from 'cloudfront';
		let calls = 0;
		async function handler(event) {
			const crypto = require('crypto'), seen = [];
			const j = await cf.kvs().get('j', {format: 'json'});
			seen.push(calls, ({}).x, [].y, ''.z, globalThis.g, crypto.c, Buffer.b, j.a[0], cf.f, Date.d, JSON.k, event.request.headers.host.value, Symbol.for('s').description);
			calls++;
			Object.prototype.x = Array.prototype.y = String.prototype.z = globalThis.g = crypto.c = Buffer.b = Date.d = JSON.k = 1;
			try { cf.f = 1 } catch (e) {}
			j.a[0] = 2;
			Array.prototype.join = Array.prototype.push = function() { return 'mine' };
			Object.freeze(Object.prototype);
			event.request.headers.host.value = 'other';
			const made = {statusCode: 200, body: JSON.stringify(seen)};
			JSON.stringify = Promise.prototype.then = undefined;
			return made;
		}`)
	want := `[0,null,null,null,null,null,null,1,null,null,null,"video.example.com","s"]`
	for range 3 {
		o := f.Run(testEvent(ViewerRequest), testNow)
		if o.Err != nil || string(o.Result.Body) != want {
			t.Fatalf("%+v %v, want %s", o.Result, o.Err, want)
		}
	}
}
