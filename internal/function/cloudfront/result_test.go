package cloudfront

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

func headerText(h message.Header) string {
	var b strings.Builder
	for _, f := range h {
		b.WriteString(f.Name + ": " + f.Value + "\n")
	}
	return b.String()
}

func TestRequestResult(t *testing.T) {
	const all = "Host: video.example.com\nAccept: application/json\naccept: text/html\nCookie: a=1; b=2; a=3\n"
	for _, c := range []struct{ body, uri, query, header string }{
		{`return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3", ""},
		{`JSON.stringify(event); return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3", ""},
		{`var r = event.request; return {method: r.method, uri: r.uri, querystring: r.querystring, headers: r.headers, cookies: r.cookies}`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3", ""},
		{`event.request.uri = '/a?b'; return event.request`, "/a%3Fb", "ID=42&NoValue&mv=val1&mv=val2,val3", ""},
		{`event.request.querystring = 'z=1&y'; return event.request`, "/media/index.mpd", "z=1&y", ""},
		{`event.request.querystring = {}; return event.request`, "/media/index.mpd", "", ""},
		{`delete event.request.querystring.ID; event.request.querystring.n = {value: ''}; return event.request`, "/media/index.mpd", "NoValue&mv=val1&mv=val2,val3&n=", ""},
		// The rules of multiValue (AWS's manual, event structure): a changed one wins, else value replaces the first.
		{`event.request.querystring.mv.value = 'x'; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=x&mv=val2,val3", ""},
		{`var m = event.request.querystring.mv; m.value = 'x'; m.multiValue[1].value = 'y'; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=y", ""},
		{`event.request.querystring.mv.multiValue.push({value: 'z'}); return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3&mv=z", ""},
		{`event.request.headers['x-new-one'] = {value: 'v'}; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3",
			strings.Replace(all, "Cookie", "X-New-One: v\nCookie", 1)},
		{`event.request.headers.accept.value = '*/*'; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3",
			strings.Replace(strings.Replace(all, "application/json", "*/*", 1), "accept:", "Accept:", 1)},
		{`delete event.request.headers.accept; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3", "Host: video.example.com\nCookie: a=1; b=2; a=3\n"},
		{`event.request.headers['x-m'] = {multiValue: [{value: '1'}, {value: '2'}]}; delete event.request.cookies.a; return event.request`, "/media/index.mpd",
			"ID=42&NoValue&mv=val1&mv=val2,val3", "Host: video.example.com\nAccept: application/json\naccept: text/html\nX-M: 1\nX-M: 2\nCookie: b=2\n"},
		{`event.request.cookies = {}; return event.request`, "/media/index.mpd", "ID=42&NoValue&mv=val1&mv=val2,val3", "Host: video.example.com\nAccept: application/json\naccept: text/html\n"},
	} {
		o := compile(t, Runtime1, "function handler(event) { "+c.body+" }").Run(testEvent(ViewerRequest), testNow)
		if o.Err != nil {
			t.Errorf("%s: %v", c.body, o.Err)
			continue
		}
		r := o.Result
		if r.Response || r.URI != c.uri || r.Query != c.query || r.HasQuery != (c.query != "") || r.HeaderChanged != (c.header != "") || headerText(r.Header) != c.header {
			t.Errorf("%s: %s?%s %v\n%s", c.body, r.URI, r.Query, r.HeaderChanged, headerText(r.Header))
		}
	}
}

func TestResponseResult(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{ViewerResponse, `return event.response`, "200 OK same"},
		{ViewerResponse, `event.response.headers['x-a'] = {value: 'b'}; return event.response`, "200 OK Content-Type: text/html\nX-A: b\nSet-Cookie: c=1; Secure; Path=/\n"},
		{ViewerResponse, `event.response.cookies.c.attributes = 'HttpOnly'; event.response.cookies.d = {value: '2'}; return event.response`,
			"200 OK Content-Type: text/html\nSet-Cookie: c=1; HttpOnly\nSet-Cookie: d=2\n"},
		{ViewerResponse, `event.response.statusCode = 404; event.response.statusDescription = 'No'; event.response.body = ''; return event.response`, "404 No same body "},
		{ViewerResponse, `return {statusCode: 302, headers: {location: {value: '/x'}}}`, "302  Location: /x\n"},
		{ViewerRequest, `return {statusCode: 200, body: 'hé'}`, "200   body hé"},
		{ViewerRequest, `return {statusCode: 200, body: {encoding: 'base64', data: 'aGk='}}`, "200   body hi"},
		{ViewerRequest, `return {statusCode: 200, body: {encoding: 'text', data: 'x'}, cookies: {a: {value: '1', multiValue: [{value: '1', attributes: 'Secure'}, {value: '2'}]}}}`,
			"200  Set-Cookie: a=1; Secure\nSet-Cookie: a=2\n body x"},
	} {
		o := compile(t, Runtime1, "function handler(event) { "+c.body+" }").Run(testEvent(c.kind), testNow)
		if o.Err != nil {
			t.Errorf("%s: %v", c.body, o.Err)
			continue
		}
		r := o.Result
		got := itoa(r.Status) + " " + r.StatusDescription + " " + headerText(r.Header)
		if !r.HeaderChanged {
			got += "same"
		}
		if r.HasBody {
			got += " body " + string(r.Body)
		}
		if !r.Response || got != c.want {
			t.Errorf("%s: %q, want %q", c.body, got, c.want)
		}
	}
}

func TestInvalidResults(t *testing.T) {
	for _, c := range []struct{ kind, body, want string }{
		{ViewerRequest, `return`, "the function must return a request or a response object."},
		{ViewerRequest, `return 'x'`, "the function must return a request or a response object."},
		{ViewerRequest, `return {}`, "response.statusCode is missing."},
		{ViewerRequest, `return event`, "response.statusCode is missing."},
		{ViewerResponse, `return event.request`, "a viewer response function must return a response object."},
		{ViewerRequest, `return {statusCode: 99}`, "response.statusCode must be an integer between 200 and 599."},
		{ViewerRequest, `return {statusCode: 200.5}`, "response.statusCode must be an integer between 200 and 599."},
		{ViewerRequest, `return {statusCode: {}}`, "response.statusCode must be an integer between 200 and 599."},
		{ViewerRequest, `return {statusCode: 200, statusDescription: 'a\nb'}`, "response.statusDescription must be a string without line breaks."},
		{ViewerRequest, `return {statusCode: 200, headers: {'X-A': {value: ''}}}`, "response.headers must have header names in lower case."},
		{ViewerRequest, `return {statusCode: 200, headers: {a: 'b'}}`, "response.headers.a must be an object with a value."},
		{ViewerRequest, `return {statusCode: 200, headers: {a: {}}}`, "response.headers.a.value is missing."},
		{ViewerRequest, `return {statusCode: 200, headers: {a: {value: {}}}}`, "response.headers.a.value must be a string."},
		{ViewerRequest, `return {statusCode: 200, headers: 1}`, "response.headers must be an object."},
		{ViewerRequest, `return {statusCode: 200, body: 1}`, "response.body must be a string or an object with data and encoding."},
		{ViewerRequest, `return {statusCode: 200, body: {}}`, "response.body.data must be a string."},
		{ViewerRequest, `return {statusCode: 200, body: {data: '!', encoding: 'base64'}}`, "response.body.data is not valid base64."},
		{ViewerRequest, `return {statusCode: 200, body: {data: 'x', encoding: 'utf8'}}`, "response.body.encoding must be text or base64."},
		{ViewerRequest, `return {statusCode: 200, body: 'x'.repeat(40961)}`, "the response is larger than 40 KB."},
		{ViewerRequest, `event.request.uri = 1; return event.request`, "request.uri must be a string."},
		{ViewerRequest, `event.request.headers.a = {multiValue: [1]}; return event.request`, "request.headers.a.multiValue must have objects with a value."},
	} {
		o := compile(t, Runtime1, "function handler(event) { "+c.body+" }").Run(testEvent(c.kind), testNow)
		if o.Err == nil || !o.Err.Invalid || o.Err.Message != c.want {
			t.Errorf("%s: %+v", c.body, o.Err)
		}
	}
}

func TestSyntax(t *testing.T) {
	both := func(code, want string) [][3]string {
		return [][3]string{{Runtime1, code, want}, {Runtime2, code, want}}
	}
	var cases [][3]string
	for code, want := range map[string]string{
		"class A {}":            `Token "class" not supported in this version in 1`,
		"\nvar a = class {}":    `Token "class" not supported in this version in 2`,
		"function* f() {}":      `Token "*" not supported in this version in 1`,
		"for (var a of []) {}":  `Token "of" not supported in this version in 1`,
		"var {a} = {}":          `Token "{" not supported in this version in 1`,
		"var [a] = []":          `Token "[" not supported in this version in 1`,
		"function f({a}) {}":    `Token "{" not supported in this version in 1`,
		"function f(a = 1) {}":  `Unexpected token "=" in 1`,
		"f(...a)":               `Unexpected token "..." in 1`,
		"var a = [...b]":        `Unexpected token "..." in 1`,
		"var a = {...b}":        `Token "..." not supported in this version in 1`,
		"var a\n\nvar b = a?.b": `Unexpected token "." in 3`,
		"a ??= 1":               `Unexpected token "=" in 1`,
		"try {} catch {}":       `Token "{" not supported in this version in 1`,
		"function f() { import a from 'crypto' }": "Illegal import statement in 1",
		"import a from 'fs'":                      `Cannot find module "fs" in 1`,
		"var a = ":                                "Unexpected end of input in 1",
		"var a = 1 1":                             `Unexpected token "1" in 1`,
		"return 1":                                "Illegal return statement in 1",
		"\n\narguments":                           `"arguments" object in global scope in 3`,
		"var f = () => arguments[0]":              `"arguments" object in global scope in 1`,
		"var o = {arguments}":                     `"arguments" object in global scope in 1`,
		"import {a} from 'crypto'":                "Non-default import is not supported in 1",
		"\nexport default 1":                      "Illegal export statement in 2",
		"var a = 'b\n":                            "Unterminated string \"'b\n\" in 1",
		"var a = `b":                              "Unterminated template literal in 1",
		"var a = /b":                              `Unterminated RegExp "/b" in 1`,
		"a >>>= >> 1":                             `Unexpected token ">>" in 1`,
		"a: a: 1":                                 `Label "a" has already been declared in 1`,
		"for (;;) { break b }":                    `Undefined label "b" in 1`,
		"function f(a, a) {}":                     "Duplicate parameter names in 1",
		"var a; delete a":                         "Delete of an unqualified identifier in 1",
		"a = -b ** 2":                             "Either left-hand side or entire exponentiation must be parenthesized in 1",
	} {
		cases = append(cases, both(code, want)...)
	}
	cases = append(cases, [][3]string{
		{Runtime1, "let a", `Token "let" not supported in this version in 1`}, {Runtime1, "for (const a in b) {}", `Token "let" not supported in this version in 1`},
		{Runtime1, "\nasync function handler() {}", `Token "async" not supported in this version in 2`}, {Runtime1, "var f = async () => 1", `Unexpected token "=>" in 1`},
		{Runtime1, "import cf from 'cloudfront'", `Cannot find module "cloudfront" in 1`},
		{Runtime2, "let a; let a", `"a" has already been declared in 1`},
		{Runtime2, "await 1", "await is only valid in async functions in 1"},
		{Runtime2, "async function f() {\n(function() { await g() }) }", "await is only valid in async functions in 2"},
		{Runtime2, "async function f() { g(await 1) }", "await in arguments not supported in 1"},
		{Runtime2, "async function f() { new G(1, 'a' + await 1) }", "await in arguments not supported in 1"},
		{Runtime2, "const f = async () => JSON.parse(await 1)", "await in arguments not supported in 1"},
	}...)
	for _, c := range cases {
		_, err := Compile(Spec{Runtime: c[0], Code: []byte(c[1])})
		if err == nil || err.Error() != "SyntaxError: "+c[2] {
			t.Errorf("%s: %q: %v, want %s", c[0], c[1], err, c[2])
		}
	}
	for _, code := range []string{
		"async function f() { if (1) { g(await 1) } for (;;) g(await 1) }", // njs looks at the function itself only
		"async function f() { g(h(1), await 2) } async function k() { g(() => [1]); const a = [await g(1)] } function a() { return arguments }",
		"var a = `x${1}`, b = () => 2, c = (...d) => d, e = {f() {}, get g() { return 1 }, ['h' + 1]: 1, a}; l: for (;;) { break l }",
		"var r = /[/]\\/(?<n>a)(?<!b)/g, s = 'import a from \"b\"', c = a ?? 1, d = 2 ** 3 // import",
		"import c from 'crypto'; import q from \"querystring\"\nvar $host = 1, $steps = 2; function handler() { return $host + $steps }",
	} {
		for _, runtime := range []string{Runtime1, Runtime2} {
			if runtime == Runtime1 && strings.HasPrefix(code, "async") {
				continue
			}
			if _, err := Compile(Spec{Runtime: runtime, Code: []byte(code)}); err != nil {
				t.Errorf("%s: %q: %v", runtime, code, err)
			}
		}
	}
}

func TestOriginChange(t *testing.T) {
	origin := func(body string) (*OriginChange, *Error) {
		t.Helper()
		o := compile(t, Runtime2, "import cf from 'cloudfront'; function handler(event) { "+body+"; return event.request }").Run(testEvent(ViewerRequest), testNow)
		return o.Origin, o.Err
	}
	c, err := origin(`cf.updateRequestOrigin({domainName: 'www.example.com', hostHeader: 'h.example.com', originPath: '/a', customHeaders: {'x-b': 'c'}, connectionAttempts: 2,
		originShield: {enabled: true, region: 'us-east-1'}, originAccessControlConfig: {enabled: true, signingBehavior: 'always', signingProtocol: 'sigv4', originType: 's3', region: 'x'},
		timeouts: {readTimeout: 7, connectionTimeout: 3}, customOriginConfig: {port: 8443, protocol: 'https', sslProtocols: ['TLSv1.2']}, sni: 's.example.com', allowedCertificateNames: ['*.example.com']})`)
	if err != nil {
		t.Fatal(err)
	}
	u := c.Update
	if *u.DomainName != "www.example.com" || u.HostHeader != "h.example.com" || *u.OriginPath != "/a" || (*u.CustomHeaders)[0] != [2]string{"X-B", "c"} || u.ConnectionAttempts != 2 ||
		*u.ShieldRegion != "us-east-1" || u.Access.SigningBehavior != "always" || u.ReadTimeout.Seconds() != 7 || u.ConnectTimeout.Seconds() != 3 || u.KeepAlive != 0 ||
		u.Custom.Port != 8443 || !u.Custom.HTTPS || u.SNI != "s.example.com" || u.AllowedCertificateNames[0] != "*.example.com" {
		t.Errorf("%+v", u)
	}
	if c, err := origin(`cf.selectRequestOriginById('o', {hostHeader: 'h'})`); err != nil || c.Select != "o" || c.Overrides.HostHeader != "h" {
		t.Errorf("%+v %v", c, err)
	}
	c, err = origin(`cf.createRequestOriginGroup({originIds: ['a', {originId: 'b', originOverrides: {sni: 's'}}], failoverCriteria: {statusCodes: [500, 404]}, selectionCriteria: 'default'})`)
	if err != nil || c.Group.IDs != [2]string{"a", "b"} || c.Group.Overrides[1].SNI != "s" || len(c.Group.FailoverOn) != 2 || c.Group.MediaQuality {
		t.Errorf("%+v %v", c, err)
	}
	for _, body := range []string{
		`cf.updateRequestOrigin()`, `cf.updateRequestOrigin({domain: 'x'})`, `cf.updateRequestOrigin({domainName: '192.0.2.1'})`, `cf.updateRequestOrigin({domainName: 'a:1'})`,
		`cf.updateRequestOrigin({originPath: 'a'})`, `cf.updateRequestOrigin({originPath: '/a/'})`, `cf.updateRequestOrigin({customHeaders: {'X-A': '1'}})`,
		`cf.updateRequestOrigin({customHeaders: {connection: '1'}})`, `cf.updateRequestOrigin({connectionAttempts: 4})`, `cf.updateRequestOrigin({originShield: {enabled: true}})`,
		`cf.updateRequestOrigin({originAccessControlConfig: {enabled: true}})`, `cf.updateRequestOrigin({timeouts: {readTimeout: 121}})`,
		`cf.updateRequestOrigin({customOriginConfig: {port: 80, protocol: 'ftp', sslProtocols: []}})`, `cf.selectRequestOriginById()`, `cf.createRequestOriginGroup({originIds: ['a']})`,
		`cf.createRequestOriginGroup({originIds: ['a', 'b']})`, `cf.createRequestOriginGroup({originIds: ['a', 'b'], failoverCriteria: {statusCodes: [200]}})`,
		`cf.updateRequestOrigin({allowedCertificateNames: new Array(21).fill('a')})`,
	} {
		if _, err := origin(body); err == nil || !strings.Contains(err.Message, "TypeError: ") {
			t.Errorf("%s: %v", body, err)
		}
	}
	o := compile(t, Runtime2, "import cf from 'cloudfront'; function handler(event) { cf.selectRequestOriginById('o'); return event.response }").Run(testEvent(ViewerResponse), testNow)
	if o.Err == nil || !strings.Contains(o.Err.Message, "not available in viewer response functions") {
		t.Errorf("%v", o.Err)
	}
}

// TestNothingStays: two calls share nothing, and a store that has changed is seen.
func TestNothingStays(t *testing.T) {
	f := compile(t, Runtime2, `var n = 0; function handler(event) { n++; globalThis.m = (globalThis.m || 0) + 1; Object.prototype.k = (Object.prototype.k || 0) + 1; String.prototype.z = 1; return {statusCode: 200, body: n + ' ' + m + ' ' + ({}).k} }`)
	for range 2 {
		if o := f.Run(testEvent(ViewerRequest), testNow); o.Err != nil || string(o.Result.Body) != "1 1 1" {
			t.Errorf("%s %v", o.Result.Body, o.Err)
		}
	}
	done := make(chan string, 8)
	for range cap(done) {
		go func() { done <- string(f.Run(testEvent(ViewerRequest), testNow).Result.Body) }()
	}
	for range cap(done) {
		if got := <-done; got != "1 1 1" {
			t.Error(got)
		}
	}
}

func TestLogs(t *testing.T) {
	f := compile(t, Runtime2, `function handler(event) { console.log('a', 'b'); console.log({}); console.log(undefined); for (var i = 0; i < 30; i++) console.log('x'.repeat(1000)); return event.request }`)
	o := f.Run(testEvent(ViewerRequest), testNow)
	if o.Err != nil || strings.Join(o.Logs[:3], ",") != "a,[object Object],undefined" {
		t.Errorf("%v %q", o.Err, o.Logs[:3])
	}
	n := 0
	for _, l := range o.Logs {
		n += len(l)
	}
	if n > maxLog || n < maxLog-100 {
		t.Errorf("%d bytes of log", n)
	}
}

// allocs is what a call of a small function allocates, realm included: the budget is 30 µs, of which this is the larger part.
func TestAllocations(t *testing.T) {
	f := compile(t, Runtime2, `function handler(event) { var r = event.request; if (r.uri.endsWith('/')) r.uri += 'index.html'; return r }`)
	ev := testEvent(ViewerRequest)
	if n := testing.AllocsPerRun(50, func() { f.Run(ev, testNow) }); n > 170 {
		t.Errorf("%v allocations a call", n)
	}
}
