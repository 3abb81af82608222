package cloudfront

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

var testNow = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func testEvent(kind string) *Event {
	return &Event{Type: kind, DistributionDomain: "d111111abcdef8.cloudfront.net", DistributionID: "EDFDVBD6EXAMPLE", RequestID: "ID==",
		ViewerIP: "198.51.100.11", Method: "GET", URI: "/media/index.mpd", Query: "ID=42&NoValue&mv=val1&mv=val2,val3", HasQuery: true,
		Header: message.Header{{Name: "Host", Value: "video.example.com"}, {Name: "Accept", Value: "application/json"},
			{Name: "X-Real-IP", Value: "no"}, {Name: "accept", Value: "text/html"}, {Name: "Cookie", Value: "a=1; b=2; a=3"}},
		Status: 200, StatusDescription: "OK",
		ResponseHeader: message.Header{{Name: "Content-Type", Value: "text/html"}, {Name: "Set-Cookie", Value: "c=1; Secure; Path=/"}, {Name: "X-Cache", Value: "Hit"}},
	}
}

func compile(t testing.TB, runtime, code string) *Function {
	t.Helper()
	f, err := Compile(Spec{Name: "f", Runtime: runtime, Code: []byte(code), Store: &Store{ID: "store", Items: map[string]string{"k": "v", "j": `{"a":[1]}`},
		Created: testNow, Updated: testNow}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// run calls a handler whose body is given, which returns text: the text comes back as a header.
func run(t testing.TB, runtime, body string) string {
	t.Helper()
	async := "async "
	if runtime == Runtime1 {
		async = ""
	}
	code := body
	if !strings.HasPrefix(body, "function") && !strings.Contains(body, "function handler") {
		code = async + "function handler(event) { " + body + " }"
	}
	code = strings.Replace(code, "return text(", "return T(", -1) + "\nfunction T(v){ return {statusCode: 200, body: String(v)} }"
	o := compile(t, runtime, code).Run(testEvent(ViewerRequest), testNow)
	if o.Err != nil {
		return o.Err.Error()
	}
	return string(o.Result.Body)
}

func TestEvent(t *testing.T) {
	for kind, want := range map[string]string{
		ViewerRequest: `{"version":"1.0","context":{"distributionDomainName":"d111111abcdef8.cloudfront.net","distributionId":"EDFDVBD6EXAMPLE",` +
			`"eventType":"viewer-request","requestId":"ID=="},"viewer":{"ip":"198.51.100.11"},"request":{"method":"GET","uri":"/media/index.mpd",` +
			`"querystring":{"ID":{"value":"42"},"NoValue":{"value":""},"mv":{"value":"val1","multiValue":[{"value":"val1"},{"value":"val2,val3"}]}},` +
			`"headers":{"host":{"value":"video.example.com"},"accept":{"value":"application/json","multiValue":[{"value":"application/json"},` +
			`{"value":"text/html"}]}},"cookies":{"a":{"value":"1","multiValue":[{"value":"1"},{"value":"3"}]},"b":{"value":"2"}}}}`,
		ViewerResponse: `,"response":{"statusCode":200,"statusDescription":"OK","headers":{"content-type":{"value":"text/html"}},` +
			`"cookies":{"c":{"value":"1","attributes":"Secure; Path=/"}}}}`,
	} {
		f := compile(t, Runtime2, `function handler(e) { return {statusCode: 200, body: JSON.stringify(e)} }`)
		o := f.Run(testEvent(kind), testNow)
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if got := string(o.Result.Body); got != want && !strings.HasSuffix(got, want) {
			t.Errorf("%s\n%s, want\n%s", kind, got, want)
		}
	}
}

const failedText = sentenceFailed + " "

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ runtime, body, want string }{
		{Runtime2, `const a = [1,2,3].map(x => x*2); return text(a.join('-'))`, "2-4-6"},
		{Runtime1, `var a = [1,2,3].map(x => x*2); return text(a.join('-'))`, "2-4-6"},
		{Runtime2, `return text([1, [2, 3], null] + '')`, "1,2,3,"},
		{Runtime2, `let a = [1]; a.push(a); return text(a)`, "1,"},
		{Runtime2, "let s = 'x'; for (let i = 0; i < 3; i++) s += s + i; return text(`${s}|${s.length}`)", "xx0xx01xx0xx012|15"},
		{Runtime2, `return text('a-b-c'.replace(/-/g, m => '+') + 'a.b'.replaceAll('.', '$&$&') + 'ab'.replace('b', 'c'))`, "a+b+ca..bac"},
		{Runtime2, `return text(/(?<y>\d+)-(?=x)/.exec('12-x').groups.y)`, "12"},
		{Runtime2, `return text(JSON.stringify({a: 1, b: [1, {c: 'x'}], u: undefined}, (k, v) => v === 1 ? 2 : v))`, `{"a":2,"b":[2,{"c":"x"}]}`},
		{Runtime2, `return text(JSON.stringify({a: 1, b: 2}, ['b']))`, `{"b":2}`},
		{Runtime2, `const n = null ?? 7; return text(2 ** 3 + n + 1_000)`, "1015"},
		{Runtime2, `try { null.x } catch (e) { return text(e instanceof TypeError) } finally { }`, "true"},
		{Runtime2, `const r = await Promise.all([1, Promise.resolve(2)]); return text(r)`, "1,2"},
		{Runtime2, `var o = {}; for (var k in event.request.headers) o[k] = 1; delete o.host; return text(JSON.stringify(o))`, `{"accept":1}`},
		{Runtime2, `return text(['host' in event.request.headers, event.request.headers.hasOwnProperty('via'), Object.keys(event.request)])`,
			"true,false,method,uri,querystring,headers,cookies"},
		{Runtime2, `return text(event.request.rawQueryString())`, "ID=42&NoValue&mv=val1&mv=val2,val3"},
		{Runtime2, `return text(new Date().toISOString() + Date.now())`, "2026-08-01T12:00:00.000Z1785585600000"},
		{Runtime2, `return text(new Date(0).getHours() + ':' + new Date().getTimezoneOffset())`, "0:0"},
		{Runtime2, `return text(typeof Math.random())`, "number"},
		{Runtime2, `return text(globalThis.JSON === JSON)`, "true"},

		// What the runtimes lack.
		{Runtime2, `return text([typeof Map, typeof Set, typeof Proxy, typeof Reflect, typeof WeakMap, typeof BigInt, typeof setTimeout, typeof process])`,
			strings.Repeat("undefined,", 7) + "undefined"},
		{Runtime2, `return text(new Map())`, failedText + `ReferenceError: "Map" is not defined`},
		{Runtime2, `return text(typeof globalThis['Map'])`, "undefined"},
		{Runtime2, `return text([[].flat, [].at, Array.from, Object.fromEntries, ''.matchAll].map(f => typeof f))`, strings.Repeat("undefined,", 4) + "undefined"},
		{Runtime1, `return text([typeof Buffer, typeof atob, typeof TextEncoder, typeof DataView, typeof Promise.all, typeof ''.replaceAll])`,
			strings.Repeat("undefined,", 5) + "undefined"},
		{Runtime2, `return text([typeof ''.toUTF8, typeof String.bytesFrom])`, "undefined,undefined"},
		{Runtime2, `const at = 'a' + 't', flat = 'fl' + 'at'; return text([typeof ''[at], typeof [][at], typeof [][flat], at in String.prototype, Array.prototype.hasOwnProperty(flat)])`,
			"undefined,undefined,undefined,false,false"},
		{Runtime2, `const has = Object.prototype.hasOwnProperty, n = 'fl' + 'at'; return text([has.call(Array.prototype, n), Object.prototype.hasOwnProperty.call(Array.prototype, n)])`, "false,false"},
		{Runtime2, `const names = Object.getOwnPropertyNames(Array.prototype); return text([names.includes('flat'), names.includes('map'), Object.getOwnPropertyNames(globalThis).includes('Map')])`,
			"false,true,false"},
		{Runtime2, `const h = {a: 1}, k = 'a'; return text([k in h, h.hasOwnProperty(k), ({}).hasOwnProperty.call(h, k + 'b'), ('a' + 't') in h])`, "true,true,false,false"},
		{Runtime2, `return text(eval('1'))`, failedText + "InternalError: Not implemented"},
		{Runtime2, `return text(new Function('return 1')())`, failedText + `TypeError: function constructor is disabled in "safe" mode`},
		{Runtime2, `return text((function(){}).constructor('return 1')())`, failedText + `TypeError: function constructor is disabled in "safe" mode`},
		{Runtime2, `return text((async () => 1).constructor('return 1')())`, failedText + `TypeError: function constructor is disabled in "safe" mode`},
		{Runtime2, `return text((function(){})['const' + 'ructor']('return 1')())`, failedText + `TypeError: function constructor is disabled in "safe" mode`},
		{Runtime2, `return text(require('fs'))`, failedText + `Error: Cannot find module "fs"`},
		{Runtime1, `return text(require('cloudfront'))`, failedText + `Error: Cannot find module "cloudfront"`},

		// Errors, in the runtime's words.
		{Runtime2, `return text(nothing)`, failedText + `ReferenceError: "nothing" is not defined`},
		{Runtime2, `return text(event.nothing.value)`, failedText + `TypeError: cannot get property "value" of undefined`},
		{Runtime2, `throw new Error('boom')`, failedText + "Error: boom"},
		{Runtime1, `throw 'boom'`, failedText + "boom"},
		{Runtime2, `await new Promise(() => 0)`, failedText + "Error: the promise that the function returned is never settled"},
		{Runtime2, `const o = {}; o.nothing()`, failedText + `TypeError: (intermediate value)["nothing"] is not a function`},
		{Runtime2, `try { ''.flat() } catch (e) { return text(e + '|' + e.message) }`, `TypeError: (intermediate value)["flat"] is not a function|(intermediate value)["flat"] is not a function`},
		{Runtime1, `try { undefined.x } catch (e) { return text(e) }`, `TypeError: cannot get property "x" of undefined`},
		{Runtime2, `try { throw {message: 'Value is not an object: 1'} } catch (e) { return text(e.message) }`, "Value is not an object: 1"},
		{Runtime2, `try { JSON.parse('{"a": x}') } catch (e) { return text(e) }`, "SyntaxError: Unexpected token at position 6"},
		{Runtime2, `JSON.parse('{"a"')`, failedText + "SyntaxError: Unexpected end of input at position 4"},
		{Runtime2, `const n = 1; n()`, failedText + "TypeError: number is not a function"},
		{Runtime2, `const n = 1; n = 2`, failedText + "TypeError: assignment to constant variable"},
		{Runtime2, `return text([require.name, Buffer.from.name, console.log.name, event.request.rawQueryString.name, atob.name, Buffer.name, require('crypto').createHash.name, ''.repeat.name])`,
			"require,from,log,rawQueryString,atob,Buffer,createHash,repeat"},
		{Runtime2, `return text([require, Buffer.from, console.log, Function, Date, Uint8Array, event.request.rawQueryString].some(f => (f + '').includes('github')))`, "false"},
		{Runtime2, "const top = this === globalThis; function handler() { return text([top, this]) }", "true,"},
		{Runtime2, `throw new InternalError('x')`, failedText + "InternalError: x"},
		{Runtime2, "function handlers() {}", failedText + `ReferenceError: "handler" is not defined`},
	} {
		if got := run(t, c.runtime, c.body); got != c.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.runtime, c.body, got, c.want)
		}
	}
}

func TestModules(t *testing.T) {
	for _, c := range []struct{ runtime, body, want string }{
		{Runtime1, `return text(require('crypto').createHash('md5').update('a').digest('hex'))`, "0cc175b9c0f1b6a831c399e269772661"},
		{Runtime2, `const c = require('crypto'); return text(c.createHmac('sha256', 'k').update('a').update(Buffer.from('b')).digest('base64url'))`,
			"dHW7EZ_pt0zAr1AUpJ2AqyO9Gsgph-dpbNwkIohlRDY"},
		{Runtime1, `return text(require('crypto').createHash('sha1').update('a').digest().length)`, "20"},
		{Runtime2, `return text(Buffer.isBuffer(require('crypto').createHash('sha1').update('a').digest()))`, "true"},
		{Runtime2, `require('crypto').createHash('sha512')`, failedText + `TypeError: not supported algorithm: "sha512"`},
		{Runtime1, `var q = require('querystring'); return text(q.stringify(q.parse('a=1&b=2&a=3&c=%20+x&d')))`, "a=1&a=3&b=2&c=%20%20x&d="},
		{Runtime1, `return text(JSON.stringify(require('querystring').parse('a:1;b:2;c:3', ';', ':', {maxKeys: 2})))`, `{"a":"1","b":"2"}`},
		{Runtime1, `return text(''.toUTF8.call('é').length + 'é'.toUTF8().fromUTF8() + String.bytesFrom('aGk', 'base64') + '\u0100'.toBytes())`, "2éhinull"},
		{Runtime2, `return text(atob(btoa('hé')))`, "hé"},
		{Runtime2, `return text(new TextDecoder().decode(new TextEncoder().encode('hé')))`, "hé"},
		{Runtime2, `const b = Buffer.from('hello'); return text([b, b.readUInt16BE(1), b.subarray(1, 3), b.includes('ell'), b.indexOf('l'), b.lastIndexOf('l')])`,
			"hello,25964,el,true,2,3"},
		{Runtime2, `const b = Buffer.alloc(8, 'ab'); b.writeInt16LE(-2, 2); return text([b.toString('hex'), b.readInt16LE(2), b.readIntBE(0, 3), b.length])`,
			"6162feff61626162,-2,6382334,8"},
		{Runtime2, `return text(JSON.stringify([Buffer.concat([Buffer.from([1]), Buffer.from('AgM=', 'base64')]), Buffer.compare(Buffer.from('a'), Buffer.from('b'))]))`,
			`[{"type":"Buffer","data":[1,2,3]},-1]`},
		{Runtime2, `const b = Buffer.alloc(8); b.writeDoubleBE(1.5); return text([b.readDoubleBE(), b instanceof Uint8Array, b instanceof Buffer, b.constructor === Buffer, b[0]])`,
			"1.5,true,true,true,63"},
		{Runtime2, `return text(Buffer.from('abc').readUInt32BE(0))`, failedText + "RangeError: index 0 is outside the bound of the buffer"},
		{Runtime2, `const u = new Uint8Array([1, 2, 3]); return text([u.map(x => x * 2), Uint8Array.from([1]).length, new DataView(u.buffer).getUint16(0)])`, "2,4,6,1,258"},
		{Runtime2, "import cf from 'cloudfront';\nimport crypto from \"crypto\"\nasync function handler(e) { const k = cf.kvs('store'); const a = [await k.get('k'), (await k.get('j', {format: 'json'})).a, await k.exists('x'), (await k.meta()).keyCount]; return text(a.concat(crypto.createHash('md5') != null)) }",
			"v,1,false,2,true"},
		{Runtime2, `const cf = require('cloudfront'); try { await cf.kvs().get('none') } catch (e) { return text(e.message) }`, "KeyNotFound"},
		{Runtime2, `const cf = require('cloudfront'); return text(cf.kvs('other'))`, failedText + `Error: the key value store "other" is not associated with the function`},
		{Runtime2, `const cf = require('cloudfront'); return text(cf.distributionTenant.id)`, failedText + "TypeError: distributionTenant module is not available"},
		{Runtime2, `const cf = require('cloudfront'); const t = cf.cwt.generateToken({payload: {1: 'iss', 4: 99, x: [true, -1, 1.5]}}, {coseTag: 'MAC0', cwtTag: true, key: 'secret'});
			return text(JSON.stringify(cf.cwt.validateToken(t, {key: 'secret'}).payload))`, `{"1":"iss","4":99,"x":[true,-1,1.5]}`},
		{Runtime2, `const cf = require('cloudfront'); const t = cf.cwt.generateToken({payload: {}}, {coseTag: 'MAC0', key: 'secret'}); return text(cf.cwt.validateToken(t, {key: 'other'}))`,
			failedText + "Error: invalid token: its tag does not match"},
	} {
		if got := run(t, c.runtime, c.body); got != c.want {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.runtime, c.body, got, c.want)
		}
	}
}

// TestHostile: whatever a function does, it ends, and it cannot catch that it is ended.
func TestHostile(t *testing.T) {
	for _, body := range []string{
		`while (true) {}`, `for (;;);`, `do {} while (1)`, `try { while (true) {} } catch (e) { return 'caught' } finally { return 'finally' }`,
		`const f = () => f(); f()`, `const f = () => { try { f() } finally { f() } }; f()`, `function f(n) { f(n + 1); f(n + 1) } f(0)`,
		`const o = {toString() { return o + '' }}; return o + ''`, `const o = {get x() { return this.x }}; o.x`,
		`'x'.repeat(1e9)`, `'x'['rep' + 'eat'](1e9)`, `String.prototype.repeat.call('x', 1e9)`, `const r = ''.repeat; r.call('x', 1e9)`,
		`Object.getOwnPropertyDescriptor(String.prototype, 're' + 'peat').value.call('x', 1e9)`,
		`'x'.padStart(1e9)`, `'x'.padEnd(1e9, 'ab')`, `let s = 'x'; for (;;) s += s`, `let s = 'x'; for (;;) s = s + s`, "let s = 'x'; for (;;) s = `${s}${s}`",
		`let s = 'x'; for (;;) s = s.concat(s)`, `let s = 'x'; for (;;) s = [s, s].join('')`, `let s = 'x'; for (;;) s = s.replace(/^/, s)`,
		`let s = 'x'; for (;;) s = s.split('').join('xx')`, `let s = 'xx'; for (;;) s = s.replaceAll('x', '$&$&$&')`, `let s = 'x'; for (;;) s = s.replace(/x/g, () => 'xx')`,
		`let a = [1]; for (;;) a = a.concat(a)`, `const a = []; for (;;) a.push(1)`, `let a = [1]; for (;;) a = [a, a, a] + ''`,
		`let a = [1]; for (let i = 0; i < 64; i++) a = [a, a]; return String(a)`, `let a = [1]; for (let i = 0; i < 64; i++) a = [a, a]; return {statusCode: 200, body: JSON.stringify(a)}`,
		`let a = {}; for (let i = 0; i < 64; i++) a = {a: a, b: a}; JSON.stringify(a)`, `let a = {}; for (let i = 0; i < 64; i++) a = {a: a, b: a}; JSON.stringify(a, ['a', 'b'])`,
		`new Array(4e9).fill(0)`, `Array(4294967295).forEach(x => x)`, `const a = []; a[4294967294] = 1; a.indexOf(2)`, `const a = []; a.length = 4e9; a.reverse()`,
		`const a = []; a['len' + 'gth'] = 4e9; a.sort()`, `[].forEach.call({length: 9e15}, x => x)`, `Math.max.apply(null, {length: 1e9})`, `Array.apply(null, {length: 1e9})`,
		`[].constructor(4e9).join('x')`, `new Uint8Array(1e9)`, `new ArrayBuffer(2e9)`, `const U = Uint8Array; new U(1e9)`, `new (new Uint8Array(1)).constructor(1e9)`,
		`new (Float64Array.bind(null, 1e9))()`, `Uint8Array.from({length: 1e9})`, `Buffer.alloc(1e9)`, `const l = []; for (;;) l.push(Buffer.alloc(1e5))`, `Buffer.concat([Buffer.alloc(1)], 2e9)`,
		`new globalThis['Uint8' + 'Array'](1e9)`, `/^(a+)+(?=b)$/.test('a'.repeat(60)); while (1) {}`, `/(a*)*(?=b)\1$/.test('a'.repeat(500)); while (1) {}`,
		`const big = '[' + '{},'.repeat(1e6) + '1]'; JSON.parse(big)`, `let s = '1'; for (;;) s = '[' + s + ',' + s + ']', JSON.parse(s)`,
		`/` + strings.Repeat("(a|b|ab)*", 100) + `/.test('ab'.repeat(1e6))`, `let n = 0; for (const k in new Array(1e9).fill(1)) n++`,
		`await (async function f() { await null; return f() })()`, `for (;;) await null`, `const p = () => Promise.resolve().then(p); await p()`,
		`for (;;) console.log('x'.repeat(1000))`, `const q = require('querystring'); let s = 'a'; for (;;) s = q.escape(s + '%')`,
		`for (let i = 0; ; i++) event.request.headers['x' + i] = {value: 'y'.repeat(1000)}`,
		`let s = '%'; for (;;) s = encodeURIComponent(s)`, `let s = '%'; for (;;) s = encodeURI(s)`,
		`const u = new Uint8Array(100000); u.join('x'.repeat(60000))`, `const u = new Uint8Array(100000); for (;;) u.join('xxxxxxxx')`,
		`for (;;) String(new Uint8Array(100000))`, `const b='y'.repeat(60000); 'x'.repeat(500).replace(/x/g, () => b)`,
		`const b='y'.repeat(60000); 'x'.repeat(500).replace(/x/g, b)`, `const b='y'.repeat(60000); 'x'.repeat(500).replaceAll('x', b)`,
		`for (;;) /(?=(a+)+b)x/.test('a'.repeat(40))`, `/^(\w+\s?)*\1$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'); for(;;);`,
		`Array(1e9).join('x')`, `Array.prototype.join.call({length: 1e9})`, `[3,2,1].sort(() => { for (;;); })`,
		`const a=[]; for (let i = 0; i < 5000; i++) a.push(i); a.sort(() => Math.random() - 0.5); for(;;);`, `let s = 'x'; for (;;) s = btoa(s)`,
		`let s='a'; for (;;) s = s.normalize('NFKD') + s`, `for (;;) 'x'.repeat(60000).localeCompare('x'.repeat(60000))`,
		`const s='x'.repeat(60000); for (;;) Object.keys(s)`, `const s='x'.repeat(60000); for (;;) Object.getOwnPropertyNames(s)`,
		`const s='x'.repeat(60000); for (;;) Object.entries(s)`, `const s='x'.repeat(60000); for (;;) Array.prototype.map.call(s, x => x)`,
		`const s='x'.repeat(60000); for (;;) for (const k in s);`, `const s='x'.repeat(60000); for (;;) s.toUpperCase()`,
		`const s='x'.repeat(60000); for (;;) s.split('')`, `const s='x'.repeat(60000); for (;;) s.indexOf('y')`,
		`const s='x'.repeat(60000); for (;;) s.lastIndexOf('x'.repeat(30000)+'y')`, `const s='xy'.repeat(30000); for (;;) s.includes('x'.repeat(3000))`,
		`const a = new Array(100000).fill(1); for (;;) String.fromCharCode.apply(null, a)`,
		`const a = new Array(100000).fill(1); for (;;) Object.assign({}, a)`, `const a = new Array(50000).fill(1); for (;;) a.slice()`,
		`const a = new Array(50000).fill(1); for (;;) a.map(x => x)`, `const u=new Float64Array(50000); for (;;) u.slice()`,
		`const u=new Float64Array(50000); for (;;) u.sort()`, `const u=new Float64Array(50000); for (;;) u.map(x => x)`,
		`const u=new Float64Array(50000); for (;;) u.indexOf(1)`, `const u=new Float64Array(50000); for (;;) u.set(u)`,
		`const u=new Float64Array(50000); for (;;) Array.of.apply(null, u)`, `const u=new Float64Array(50000); for (;;) new Float64Array(u)`,
		`const u=new Float64Array(50000); for (;;) u.buffer.slice(0)`, `const b=Buffer.alloc(100000); for (;;) b.toString('hex')`,
		`const b=Buffer.alloc(100000); for (;;) b.toJSON()`, `const b=Buffer.alloc(100000); for (;;) b.swap16()`,
		`const b=Buffer.alloc(100000); for (;;) b.fill('ab')`, `const b=Buffer.alloc(100000); for (;;) b.indexOf('zz')`,
		`const b=Buffer.alloc(100000); for (;;) b.equals(b)`, `const b=Buffer.alloc(100000); for (;;) b.copy(b)`,
		`const b=Buffer.alloc(100000); for (;;) b.write('x'.repeat(60000))`,
		`const c=require('crypto'); const h = c.createHash('md5'); for (;;) h.update('x'.repeat(60000))`,
		`const q=require('querystring'); const s='a&'.repeat(30000); for (;;) q.parse(s)`,
		`const q=require('querystring'); const o={}; for (let i=0;i<2000;i++) o['k'+i]='%'.repeat(100); for (;;) q.stringify(o)`,
		`const e = new TextEncoder(); for (;;) e.encode('x'.repeat(60000))`, `const d = new TextDecoder(), b=Buffer.alloc(100000); for (;;) d.decode(b)`,
		`let p = Promise.resolve(); for (;;) p = p.then(x => x)`, `const f = async () => { await null; await Promise.all([f(), f()]) }; await f()`,
		`await new Promise(r => { for (;;) r(); })`, `const t = {then(r) { r(t) }}; await t`, `let d={}; for (;;) d={d}`,
		`new RegExp('(a{1000}){1000}'); for(;;);`, `new RegExp('(?=(a{1000}){1000})').test('a'); for(;;);`, `/(x+x+)+y/.test('x'.repeat(50000)); for(;;);`,
		`event.request.headers.x = {get value() { for (;;); }}; return event.request`, `return {statusCode: 200, body: {get data() { for (;;); }}}`,
		`return {get statusCode() { for (;;); }}`, `Date.UTC.apply(null, {length: 1e7})`, `(1).toFixed(100).repeat(1000); for (;;) (1e21).toPrecision(100)`,
		`for (;;) Number('1'.repeat(60000))`, `for (;;) (0.1).toString(2)`, `for(;;) 'x'.repeat(60000).charCodeAt(5)`,
		`const s='x'.repeat(60000); for(;;) s.trim()`, `const s=' '.repeat(60000)+'x'+' '.repeat(60000); for(;;) s.trim()`,
		`const s='x'.repeat(60000); for(;;) s === s + ''`, `const s='x'.repeat(60000); const o={}; for(let i=0;;i++) o[s+i]=1`,
		`const s='x'.repeat(60000); for(;;) decodeURIComponent(s)`, `const s='x'.repeat(60000); for(;;) s.substring(1)`,
		`const s='x'.repeat(60000); for(;;) s.slice(1).slice(1)`, `const s='é'.repeat(30000); for(;;) s.toLowerCase()`,
		`const s='é'.repeat(30000); for(;;) JSON.stringify(s)`, `const s='\u0001'.repeat(30000); for(;;) JSON.stringify(s)`,
		`(function f(a) { f([a, a].map(f)) })(1)`, `[3, 1, 2].sort(function f() { return [2, 1].sort(f) })`, `'x'.replace(/x/, function f(m) { return m.replace(/x/, f) })`,
	} {
		f, err := Compile(Spec{Name: "f", Runtime: Runtime2, Code: []byte("async function handler(event) { " + body + " ; return event.request }")})
		if err != nil {
			t.Errorf("%s: %v", body, err)
			continue
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		o := f.Run(testEvent(ViewerRequest), testNow)
		// The race detector makes the pools of package regexp forget, so that each match allocates.
		if runtime.ReadMemStats(&after); !racing && after.TotalAlloc-before.TotalAlloc > 256<<20 {
			t.Errorf("%s: it allocated %d MiB", body, (after.TotalAlloc-before.TotalAlloc)>>20)
		}
		if o.Err == nil || o.Err.Invalid && !strings.Contains(body, "event.request.headers") {
			t.Errorf("%s: it ended by itself, %+v", body, o.Err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	for name, code := range map[string]string{
		"rewrite":   `function handler(event) { var request = event.request; var uri = request.uri; if (uri.endsWith('/')) { request.uri += 'index.html'; } else if (!uri.includes('.')) { request.uri += '/index.html'; } return request; }`,
		"headers":   `function handler(event) { const response = event.response; const h = response.headers; h['strict-transport-security'] = {value: 'max-age=63072000'}; h['x-frame-options'] = {value: 'DENY'}; return response; }`,
		"redirect":  `function handler(event) { const h = event.request.headers; const host = h.host.value; if (host !== 'www.example.com') { return {statusCode: 301, statusDescription: 'Moved', headers: {location: {value: 'https://www.example.com' + event.request.uri}}}; } return event.request; }`,
		"normalize": `function handler(event) { var qs=[]; for (var key in event.request.querystring) { if (event.request.querystring[key].multiValue) { event.request.querystring[key].multiValue.forEach((mv) => {qs.push(key + "=" + mv.value)}); } else { qs.push(key + "=" + event.request.querystring[key].value); } }; event.request.querystring = qs.sort().join('&'); return event.request; }`,
		"kvs":       `import cf from 'cloudfront'; const h = cf.kvs(); async function handler(event) { try { event.request.uri = await h.get('k'); } catch (e) { } return event.request; }`,
	} {
		b.Run(name, func(b *testing.B) {
			f := compile(b, Runtime2, code)
			kind := ViewerRequest
			if name == "headers" {
				kind = ViewerResponse
			}
			ev := testEvent(kind)
			if o := f.Run(ev, testNow); o.Err != nil {
				b.Fatal(o.Err)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.Run(ev, testNow)
			}
		})
	}
}
