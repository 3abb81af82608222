package edge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

func withFunction(t *testing.T, event, body string) *Plan {
	t.Helper()
	p := testPlan(managed(t, "Managed-CachingDisabled", "Managed-AllViewer"))
	f, err := cloudfront.Compile(cloudfront.Spec{Name: "f", Runtime: cloudfront.Runtime2, Code: []byte("import cf from 'cloudfront'; function handler(event) { " + body + " }")})
	if err != nil {
		t.Fatal(err)
	}
	a := &FunctionAssociation{Name: "f", Function: f, SourcePath: "D.FunctionAssociations[0]"}
	if event == cloudfront.ViewerRequest {
		p.Behaviors[0].ViewerRequestFunction = a
	} else {
		p.Behaviors[0].ViewerResponseFunction = a
	}
	return p
}

func TestFunctionFailures(t *testing.T) {
	for _, c := range []struct {
		event, body string
		status      int
		xcache      string
		want        string
	}{
		{"viewer-request", `throw new Error('secret')`, 503, "FunctionExecutionError", "The CloudFront function associated with the CloudFront distribution is invalid or could not run."},
		{"viewer-response", `throw new Error('secret')`, 503, "FunctionExecutionError", "The CloudFront function associated with the CloudFront distribution is invalid or could not run."},
		{"viewer-request", `event.request.headers.host.value = 'x'; return event.request`, 502, "FunctionValidationError", "the header Host is read-only."},
		{"viewer-request", `delete event.request.headers.host; return event.request`, 502, "FunctionValidationError", "the header Host is read-only."},
		{"viewer-request", `event.request.headers.via = {value: 'x'}; return event.request`, 502, "FunctionValidationError", "the header Via is read-only."},
		{"viewer-request", `event.request.headers['x-forwarded-proto'] = {value: 'x'}; return event.request`, 502, "FunctionValidationError", "the header X-Forwarded-Proto is not allowed."},
		{"viewer-request", `event.request.headers['x-edge-a'] = {value: 'x'}; return event.request`, 502, "FunctionValidationError", "the header X-Edge-A is not allowed."},
		{"viewer-request", `event.request.headers['x a'] = {value: 'x'}; return event.request`, 502, "FunctionValidationError", "has characters that are not allowed."},
		{"viewer-request", `event.request.headers.x = {value: 'x\r\ny: z'}; return event.request`, 502, "FunctionValidationError", "has characters that are not allowed."},
		{"viewer-request", `event.request.method = 'POST'; return event.request`, 502, "FunctionValidationError", "request.method is read-only."},
		{"viewer-request", `event.request.uri = 'x'; return event.request`, 502, "FunctionValidationError", "request.uri must start with /"},
		{"viewer-request", `event.request.uri = '/a b'; return event.request`, 502, "FunctionValidationError", "request.uri must start with /"},
		{"viewer-request", `event.request.querystring = 'a#'; return event.request`, 502, "FunctionValidationError", "request.querystring must"},
		{"viewer-request", `event.request.uri = '/' + 'x'.repeat(8192); return event.request`, 502, "FunctionValidationError", "longer than 8,192"},
		{"viewer-request", `cf.selectRequestOriginById('none'); return event.request`, 502, "FunctionValidationError", "The CloudFront function returned an invalid value for origin rewrite."},
		{"viewer-request", `cf.createRequestOriginGroup({originIds: ['none', 'none'], failoverCriteria: {statusCodes: [500]}}); return event.request`, 502, "FunctionValidationError", "invalid value for origin rewrite."},
		{"viewer-request", `cf.updateRequestOrigin({hostHeader: 'h.example.com', originAccessControlConfig: {enabled: true, signingBehavior: 'always', signingProtocol: 'sigv4', originType: 'lambda'}}); return event.request`,
			502, "FunctionValidationError", "invalid value for origin rewrite."},
		{"viewer-request", `cf.updateRequestOrigin({customHeaders: {'user-agent': 'x'}}); return event.request`, 502, "FunctionValidationError", "invalid value for origin rewrite."},
		{"viewer-request", `cf.updateRequestOrigin({customHeaders: {'x-amz-a': 'x'}}); return event.request`, 503, "FunctionExecutionError", "invalid or could not run."},
		{"viewer-request", `return {statusCode: 200, headers: {'x-cache': {value: 'x'}}}`, 502, "FunctionValidationError", "the header X-Cache is not allowed."},
		{"viewer-response", `event.response.headers.warning = {value: 'x'}; return event.response`, 502, "FunctionValidationError", "the header Warning is read-only."},
		{"viewer-response", `return event.request`, 502, "FunctionValidationError", "a viewer response function must return a response object."},
	} {
		w, s := newWorld(withFunction(t, c.event, c.body))
		r := get("/x", "User-Agent", "test")
		r.Trace = &trace.Trace{}
		got := ask(s, r)
		if got.Status != c.status || got.xcache() != c.xcache || !strings.Contains(got.body, c.want) || strings.Contains(got.body, "secret") {
			t.Errorf("%s: %d %s %q", c.body, got.Status, got.xcache(), got.body)
		}
		if c.event == "viewer-request" && len(w.fetched) != 0 {
			t.Errorf("%s: the origin was asked", c.body)
		}
		if len(w.logged) != 1 || w.logged[0].Failure == "" {
			if c.status == 503 {
				t.Errorf("%s: log %+v", c.body, w.logged)
			}
		}
	}
	p := withFunction(t, "viewer-request", "return event.request")
	p.Behaviors[0].ViewerRequestFunction.Function, p.Behaviors[0].ViewerRequestFunction.Missing = nil, "SyntaxError: x"
	_, s := newWorld(p)
	if got := ask(s, get("/")); got.Status != 503 || got.xcache() != "FunctionExecutionError" {
		t.Errorf("code that does not compile: %d %s", got.Status, got.xcache())
	}
}

// TestFunctionThrottled: a function that exceeds its time in each of many calls is not called for a while; one that fails, or
// that comes to an end once, is.
func TestFunctionThrottled(t *testing.T) {
	p := withFunction(t, "viewer-request", `if (event.request.uri === '/loop') for (;;); if (event.request.uri === '/throw') throw 1; return event.request`)
	throttle := (&cloudfront.Cache{}).Throttle("f")
	p.Behaviors[0].ViewerRequestFunction.Throttle = throttle
	w, s := newWorld(p)
	times := func(n int, path, want string) {
		t.Helper()
		for i := range n {
			if got := ask(s, get(path)); got.xcache() != want {
				t.Fatalf("call %d of %s: %d %s", i, path, got.Status, got.xcache())
			}
		}
	}
	times(150, "/throw", "FunctionExecutionError")
	times(99, "/loop", "FunctionExecutionError")
	times(1, "/", "Miss")
	times(100, "/loop", "FunctionExecutionError")
	times(3, "/", "FunctionThrottledError")
	r := get("/")
	r.Trace = &trace.Trace{}
	if got := ask(s, r); got.Status != 503 || !strings.Contains(got.body, "The CloudFront function associated with the CloudFront distribution was throttled.") {
		t.Errorf("%d %s", got.Status, got.body)
	}
	w.now = w.now.Add(10 * time.Second)
	times(1, "/loop", "FunctionExecutionError")
	times(1, "/loop", "FunctionThrottledError")
	w.now = w.now.Add(10 * time.Second)
	times(3, "/", "Miss")
	times(1, "/loop", "FunctionExecutionError")

	// Code that does not compile counts as well.
	a := p.Behaviors[0].ViewerRequestFunction
	a.Function, a.Missing, a.Throttle = nil, "SyntaxError: x", (&cloudfront.Cache{}).Throttle("f")
	times(100, "/", "FunctionExecutionError")
	times(1, "/", "FunctionThrottledError")
}

func TestFunctionChangesRequest(t *testing.T) {
	w, s := newWorld(withFunction(t, "viewer-request", `var r = event.request; r.uri = '/new'; r.querystring.b = {value: '2'}; r.headers['x-a'] = {value: event.viewer.ip};
		delete r.headers['x-drop']; delete r.cookies.s; console.log('seen'); return r`))
	r := get("/old?a=1", "X-Drop", "1", "X-Keep", "caf\xe9", "X-Amz-Cf-Own", "2", "Cookie", "s=1; t=2")
	r.Trace = &trace.Trace{}
	if got := ask(s, r); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.body)
	}
	q := w.last().Request
	if q.Path != "/new" || q.Query != "a=1&b=2" || q.Header.Get("X-A") != "192.0.2.2" || q.Header.Has("X-Drop") || q.Header.Get("X-Keep") != "caf\xe9" || q.Header.Get("Cookie") != "t=2" {
		t.Errorf("sent %s %v", q.Target(), q.Header)
	}
	if len(w.logged) != 1 || w.logged[0].Lines[0] != "seen" || w.logged[0].RequestID != testID {
		t.Errorf("log %+v", w.logged)
	}
	text := ""
	for _, st := range r.Trace.Hops()[0].Steps {
		text += st.Phase + " " + st.Verdict + ": " + st.Reason + "\n"
	}
	for _, want := range []string{"viewer-request called f: compute utilization", `viewer-request uri: "/old" became "/new"`, "viewer-request added header X-A", "viewer-request removed header X-Drop"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestFunctionCopiesSecret: what a function copies out of a cookie is as secret as the cookie.
func TestFunctionCopiesSecret(t *testing.T) {
	w, s := newWorld(withFunction(t, "viewer-request", `event.request.headers['x-user'] = {value: 'u=' + event.request.cookies.session.value}; return event.request`))
	r := get("/", "Cookie", "session=0123456789abcdef")
	r.Trace = &trace.Trace{}
	ask(s, r)
	if w.last().Request.Header.Get("X-User") != "u=0123456789abcdef" {
		t.Error(w.last().Request.Header)
	}
	hop := r.Trace.Hops()[0]
	text := fmt.Sprint(hop.Steps, hop.Facts, hop.Sent)
	if strings.Contains(text, "0123456789abcdef") || !strings.Contains(text, "added header X-User") {
		t.Error(text)
	}
}

// TestViewerResponseFunctionRuns: not for errors, nor for what a function of viewer-request has answered.
func TestViewerResponseFunctionRuns(t *testing.T) {
	const add = `event.response.headers['x-ran'] = {value: event.request.uri}; return event.response`
	w, s := newWorld(withFunction(t, "viewer-response", add))
	if got := ask(s, get("/a")); got.Header.Get("X-Ran") != "/a" || got.body != "hello" || got.xcache() != "Miss" {
		t.Errorf("%v %q", got.Header, got.body)
	}
	w.origin = withHeader(404, "no")
	if got := ask(s, get("/a")); got.Status != 404 || got.Header.Has("X-Ran") {
		t.Errorf("%d %v", got.Status, got.Header)
	}
	p := withFunction(t, "viewer-response", add)
	p.Behaviors[0].ViewerRequestFunction = withFunction(t, "viewer-request", `return {statusCode: 403, body: 'no'}`).Behaviors[0].ViewerRequestFunction
	_, s = newWorld(p)
	if got := ask(s, get("/a")); got.Status != 403 || got.body != "no" || got.Header.Has("X-Ran") || got.xcache() != "FunctionGeneratedResponse" || got.Header.Has("Content-Type") {
		t.Errorf("%d %v %q", got.Status, got.Header, got.body)
	}
	// Status and body of a viewer response may be replaced.
	_, s = newWorld(withFunction(t, "viewer-response", `event.response.statusCode = 418; event.response.statusDescription = 'Tea'; event.response.body = 'pot'; return event.response`))
	if got := ask(s, get("/a")); got.Status != 418 || got.Reason != "Tea" || got.body != "pot" || got.ContentLength != 3 {
		t.Errorf("%d %s %q %d", got.Status, got.Reason, got.body, got.ContentLength)
	}
}

func TestFunctionPicksOrigin(t *testing.T) {
	plan := func(body string) *Plan {
		p := withFunction(t, "viewer-request", body+"; return event.request")
		p.Origins[0].Headers = []message.Field{{Name: "X-Own", Value: "1"}}
		second := p.Origins[0]
		second.ID, second.Domain, second.Path, second.Headers = "second", "second.example.org", "/two", nil
		p.Origins = append(p.Origins, second)
		return p
	}
	w, s := newWorld(plan(`cf.updateRequestOrigin({domainName: 'New.example.net', originPath: '/p', customHeaders: {'x-stage': 'a'}, customOriginConfig: {port: 8080, protocol: 'http', sslProtocols: ['TLSv1.2']}})`))
	ask(s, get("/x"))
	if f := w.last(); f.Origin.Domain != "new.example.net" || f.Port != 8080 || f.Scheme != "http" || f.Request.Host != "new.example.net" || f.Request.Path != "/p/x" ||
		f.Request.Header.Get("X-Stage") != "a" || f.Request.Header.Has("X-Own") {
		t.Errorf("%+v %+v", f.Origin, f.Request)
	}
	w, s = newWorld(plan(`cf.updateRequestOrigin({domainName: 'b.s3.eu-west-1.amazonaws.com', originAccessControlConfig: {enabled: true, signingBehavior: 'always', signingProtocol: 'sigv4', originType: 's3'}, customHeaders: {}})`))
	ask(s, get("/x"))
	if f := w.last(); f.Origin.Kind != S3Origin || f.Access.Kind != AccessControl || f.Scheme != "https" || f.Request.Header.Has("X-Own") {
		t.Errorf("%+v %+v", f.Origin, f.Access)
	}
	w, s = newWorld(plan(`cf.updateRequestOrigin({hostHeader: 'h.example.com', sni: 's.example.com', allowedCertificateNames: ['c.example.com']})`))
	ask(s, get("/x"))
	if f := w.last(); f.Origin.Domain != "api.example.org" || f.Request.Host != "h.example.com" || f.SNI != "s.example.com" || f.VerifyNames[0] != "c.example.com" || f.Request.Header.Get("X-Own") != "1" {
		t.Errorf("%+v %q %v", f.Request, f.SNI, f.VerifyNames)
	}
	// An update cannot set a host header for an origin with access control, unless it turns that off.
	guarded := plan(`cf.updateRequestOrigin({hostHeader: 'h.example.com'})`)
	guarded.Origins[0].Access = OriginAccess{Kind: AccessControl, OriginType: "lambda"}
	_, s = newWorld(guarded)
	if got := ask(s, get("/x")); got.Status != 502 || got.xcache() != "FunctionValidationError" {
		t.Errorf("%d %s", got.Status, got.xcache())
	}
	open := plan(`cf.updateRequestOrigin({hostHeader: 'h.example.com', originAccessControlConfig: {enabled: false}})`)
	open.Origins[0].Access = OriginAccess{Kind: AccessControl, OriginType: "lambda"}
	w, s = newWorld(open)
	if got := ask(s, get("/x")); got.Status != 200 || w.last().Request.Host != "h.example.com" || w.last().Access.Kind != NoAccess {
		t.Errorf("%d %+v", got.Status, w.last())
	}
	for _, special := range []func(*Origin){func(o *Origin) { o.VPC = true }, func(o *Origin) { o.MutualTLS = true }} {
		update, pick := plan(`cf.updateRequestOrigin({originPath: '/p'})`), plan(`cf.selectRequestOriginById('second')`)
		special(&update.Origins[0])
		special(&pick.Origins[1])
		for i, p := range []*Plan{update, pick} {
			_, s := newWorld(p)
			want := 200
			if p.Origins[i].VPC && i == 0 || p.Origins[i].MutualTLS && i == 1 {
				want = 502
			}
			if got := ask(s, get("/x")); got.Status != want {
				t.Errorf("special origin %d: %d, want %d", i, got.Status, want)
			}
		}
	}
	w, s = newWorld(plan(`cf.selectRequestOriginById('second')`))
	ask(s, get("/x"))
	if f := w.last(); f.Origin.Domain != "second.example.org" || f.Request.Path != "/two/x" {
		t.Errorf("%+v %+v", f.Origin, f.Request)
	}
	p := plan("")
	id := p.Origins[0].ID
	w, s = newWorld(plan(`cf.createRequestOriginGroup({originIds: ['` + id + `', 'second'], failoverCriteria: {statusCodes: [500]}})`))
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		if r.Origin.ID == id {
			return withHeader(500, "bad")(r)
		}
		return withHeader(200, "second")(r)
	}
	if got := ask(s, get("/x")); got.Status != 200 || got.body != "second" || len(w.fetched) != 2 {
		t.Errorf("%d %q after %d", got.Status, got.body, len(w.fetched))
	}
}
