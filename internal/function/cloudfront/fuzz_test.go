package cloudfront

import (
	"strings"
	"testing"
	"time"
)

// FuzzFunction runs whatever compiles: it must end in time, and a mistake of the engine must not leave the call.
func FuzzFunction(f *testing.F) {
	for _, code := range []string{
		`event.request.uri += 'x'; return event.request`, `return {statusCode: 200, headers: {a: {value: 'b', multiValue: [{value: 'c'}]}}, body: {data: 'aGk=', encoding: 'base64'}}`,
		`for (;;) 'x'.repeat(99)`, `return [1, [2]].map(x => x + '').join()`, "return `${event}`", `throw {name: 'x', message: {}}`, `return Buffer.alloc(9, 'x').toString('hex')`,
		`return {get statusCode() { throw 1 }}`, `return {statusCode: 200, headers: {get a() { for (;;); }}}`, `return {statusCode: 200, toString() { return this + '' }, headers: []}`,
		`var o = {a: 1}; o['b' + 1] = o; delete event.request.headers.host; return event.request`, `return JSON.parse('{"statusCode": 200, "cookies": {"a": {"value": "1"}}}')`,
		`new Function('x')`, `require('crypto').createHmac('md5', 'k').update('x').digest('base64')`, `return /(a+)+$/.exec('aaaa')`,
	} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		fn, err := Compile(Spec{Name: "f", Runtime: Runtime2, Code: []byte("function handler(event) {" + code + "\n}")})
		if err != nil {
			return
		}
		start := time.Now()
		o := fn.Run(testEvent(ViewerRequest), testNow)
		if d := time.Since(start); d > 20*time.Second {
			t.Errorf("it ran for %v", d)
		}
		if (o.Result == nil) == (o.Err == nil) {
			t.Errorf("result %v and error %v", o.Result, o.Err)
		}
		if o.Err != nil && strings.Contains(o.Err.Message, "runtime error") {
			t.Errorf("a mistake of the engine or of ours: %v", o.Err)
		}
	})
}

// FuzzParse: whatever is refused is refused with a line that the code has.
func FuzzParse(f *testing.F) {
	for _, code := range []string{"import a from 'crypto'", "var a = `\n${", "/[/", "a?.b", "x\n\n=> {", "import\n\na\nfrom\n'querystring'\n;var $host"} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		for _, runtime := range []string{Runtime1, Runtime2} {
			if _, err := parse(code, runtime); err != nil && (err.Line < 1 || err.Line > strings.Count(code, "\n")+strings.Count(code, "\r")+strings.Count(code, "\u2028")+strings.Count(code, "\u2029")+1) {
				t.Errorf("line %d of %q", err.Line, code)
			}
		}
	})
}

// FuzzToken: tokens come from viewers.
func FuzzToken(f *testing.F) {
	f.Add([]byte("\xd8\x3d\xd1\x84\x43\xa1\x01\x05\xa0\x44\xa1\x01\x61a\x41x"))
	f.Add([]byte("\xd1\x84\x40\xa0\x41\x9b\x41x"))
	fn, err := Compile(Spec{Name: "f", Runtime: Runtime2, Code: []byte(`import cf from 'cloudfront'
		function handler(event) { return {statusCode: 200, body: JSON.stringify(cf.cwt.decodeToken(Buffer.from(event.request.headers.host.value, 'base64'), {key: 'k'}))} }`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token []byte) {
		ev := testEvent(ViewerRequest)
		ev.Header[0].Value, _ = encode(token, "base64")
		if o := fn.Run(ev, testNow); o.Err != nil && !strings.Contains(o.Err.Message, "invalid token") {
			t.Errorf("%x: %v", token, o.Err)
		}
	})
}

// FuzzQuery: queries and cookies come from viewers, and a function that changes nothing changes nothing.
func FuzzQuery(f *testing.F) {
	f.Add("a=1&b&=&&c=%20=x", "a=1; b; ;c==")
	fn, err := Compile(Spec{Name: "f", Runtime: Runtime1, Code: []byte(`function handler(event) { JSON.stringify(event); return event.request }`)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, cookie string) {
		ev := testEvent(ViewerRequest)
		ev.Query, ev.Header[4].Value = query, cookie
		o := fn.Run(ev, testNow)
		if o.Err != nil {
			if strings.Contains(o.Err.Message, "exceeded") {
				return
			}
			t.Fatal(o.Err)
		}
		if o.Result.Query != query || o.Result.HeaderChanged {
			t.Errorf("%q became %q, %v", query, o.Result.Query, o.Result.HeaderChanged)
		}
	})
}
