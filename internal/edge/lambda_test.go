package edge

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

func lambdaPlan(t *testing.T, event Event, includeBody bool) *Plan {
	p := testPlan(managed(t, "Managed-CachingDisabled", "Managed-AllViewerExceptHostHeader"))
	p.Behaviors[0].Allowed |= POST
	p.Behaviors[0].Lambda[event] = &LambdaAssociation{Event: event, ARN: "arn:aws:lambda:us-east-1:000000000000:function:f:1",
		Name: "f", IncludeBody: includeBody, SourcePath: "D.LambdaFunctionAssociations"}
	return p
}

type cfEvent struct {
	Records []struct {
		CF struct {
			Config            map[string]string
			Request, Response map[string]any
		}
	}
}

func TestViewerRequestEvent(t *testing.T) {
	p := lambdaPlan(t, ViewerRequest, true)
	w, s := newWorld(p)
	var ev cfEvent
	w.lambda = func(i *LambdaInvocation) ([]byte, error) {
		if err := json.Unmarshal(i.Payload, &ev); err != nil {
			t.Fatalf("%v in %s", err, i.Payload)
		}
		return json.Marshal(ev.Records[0].CF.Request)
	}
	r := get("/a%20b?x=1&y", "X-Two", "1", "x-two", "2\"\\\t", "X-Latin", "caf\xe9", "X-Real-IP", "no")
	r.Method, r.Body, r.ContentLength = "POST", strings.NewReader("body"), 4
	if got := ask(s, r); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.body)
	}
	cf := ev.Records[0].CF
	if c := cf.Config; c["distributionDomainName"] != p.DomainName || c["distributionId"] != p.ID || c["eventType"] != "viewer-request" || c["requestId"] != testID {
		t.Errorf("config %v", c)
	}
	want := `{"body":{"action":"read-only","data":"Ym9keQ==","encoding":"base64","inputTruncated":false},"clientIp":"192.0.2.2",` +
		`"headers":{"content-length":[{"key":"Content-Length","value":"4"}],"host":[{"key":"Host","value":"www.example.com"}],` +
		`"x-latin":[{"key":"X-Latin","value":"café"}],"x-two":[{"key":"X-Two","value":"1"},{"key":"x-two","value":"2\"\\\t"}]},` +
		`"method":"POST","querystring":"x=1\u0026y","uri":"/a%20b"}`
	if got, _ := json.Marshal(cf.Request); string(got) != want {
		t.Errorf("request\n%s, want\n%s", got, want)
	}
	if b, _ := io.ReadAll(w.last().Request.Body); string(b) != "body" {
		t.Errorf("the origin got %q", b)
	}
}

func TestOriginRequestEvent(t *testing.T) {
	p := lambdaPlan(t, OriginRequest, false)
	p.Origins[0].Path = "/prod"
	p.Origins[0].Headers = []message.Field{{Name: "X-Secret", Value: "s"}}
	w, s := newWorld(p)
	var ev cfEvent
	w.lambda = func(i *LambdaInvocation) ([]byte, error) {
		if err := json.Unmarshal(i.Payload, &ev); err != nil {
			t.Fatal(err)
		}
		return json.Marshal(ev.Records[0].CF.Request)
	}
	ask(s, get("/x?q"))
	want := `{"clientIp":"192.0.2.2","headers":{"host":[{"key":"Host","value":"api.example.org"}],` +
		`"user-agent":[{"key":"User-Agent","value":"Amazon CloudFront"}],` +
		`"via":[{"key":"Via","value":"1.1 f0e6a7e0f0e6a7e0f0e6a7e0f0e6a7e0.cloudfront.net (CloudFront)"}],` +
		`"x-forwarded-for":[{"key":"X-Forwarded-For","value":"192.0.2.2"}]},"method":"GET",` +
		`"origin":{"custom":{"customHeaders":{"x-secret":[{"key":"X-Secret","value":"s"}]},"domainName":"api.example.org",` +
		`"keepaliveTimeout":5,"path":"/prod","port":443,"protocol":"https","readTimeout":30,"sslProtocols":["TLSv1.2"]}},` +
		`"querystring":"q","uri":"/x"}`
	cf := ev.Records[0].CF
	ua := cf.Request["headers"].(map[string]any)
	for name := range ua { // the policy adds what is known of the viewer
		if strings.HasPrefix(name, "cloudfront-") {
			delete(ua, name)
		}
	}
	if ua["user-agent"] == nil { // all viewer headers are forwarded, and this viewer has no User-Agent
		ua["user-agent"] = []any{map[string]any{"key": "User-Agent", "value": "Amazon CloudFront"}}
	}
	if got, _ := json.Marshal(cf.Request); string(got) != want {
		t.Errorf("request\n%s, want\n%s", got, want)
	}
	sent := w.last().Request
	if sent.Path != "/prod/x" || sent.Header.Get("X-Secret") != "s" || sent.Header.Get("X-Amz-Cf-Id") != testID || sent.Host != "api.example.org" {
		t.Errorf("sent %+v", sent)
	}
}

// edit lets a function change the request object of its event.
func edit(change func(map[string]any)) func(*LambdaInvocation) ([]byte, error) {
	return func(i *LambdaInvocation) ([]byte, error) {
		var ev cfEvent
		if err := json.Unmarshal(i.Payload, &ev); err != nil {
			return nil, err
		}
		out := ev.Records[0].CF.Request
		if ev.Records[0].CF.Response != nil {
			out = ev.Records[0].CF.Response
		}
		change(out)
		return json.Marshal(out)
	}
}

func entry(name, value string) []any { return []any{map[string]any{"key": name, "value": value}} }

func TestOriginRequestChanges(t *testing.T) {
	p := lambdaPlan(t, OriginRequest, false)
	p.Origins[0].Path = "/prod"
	w, s := newWorld(p)
	w.lambda = edit(func(r map[string]any) {
		r["uri"], r["querystring"] = "/changed", "z=1"
		h := r["headers"].(map[string]any)
		h["host"] = entry("Host", "tenant.example.net")
		h["x-new"] = []any{map[string]any{"value": "v"}}
		o := r["origin"].(map[string]any)["custom"].(map[string]any)
		o["domainName"], o["path"], o["port"], o["protocol"] = "other.example.net", "/v2", 8080, "http"
		o["customHeaders"] = map[string]any{"x-origin": entry("X-Origin", "o")}
	})
	r := get("/x?q=1", "Authorization", "Bearer 0123456789abcdefghijklmnop")
	r.Trace = &trace.Trace{}
	ask(s, r)
	f := w.last()
	if f.Origin.Domain != "other.example.net" || f.Port != 8080 || f.Scheme != "http" || f.SNI != "" {
		t.Errorf("aimed at %s://%s:%d sni %q", f.Scheme, f.Origin.Domain, f.Port, f.SNI)
	}
	if q := f.Request; q.Host != "tenant.example.net" || q.Target() != "/v2/changed?z=1" || q.Header.Get("X-New") != "v" ||
		q.Header.Get("X-Origin") != "o" || q.Header.Get("Authorization") == "" {
		t.Errorf("sent %+v", q)
	}
	if p.Origins[0].Domain != "api.example.org" {
		t.Error("the plan was changed")
	}
	var steps []string
	for _, st := range r.Trace.Hops()[0].Steps {
		steps = append(steps, st.Verdict)
	}
	for _, want := range []string{"uri", "querystring", "origin", "changed header Host", "added header X-New"} {
		if !strings.Contains(strings.Join(steps, "|"), want) {
			t.Errorf("no step %q in %q", want, steps)
		}
	}
	// A change to an S3 bucket.
	w.lambda = edit(func(r map[string]any) {
		r["headers"].(map[string]any)["host"] = entry("host", "b.s3.amazonaws.com")
		r["origin"] = map[string]any{"s3": map[string]any{"domainName": "b.s3.amazonaws.com", "region": "us-east-1",
			"authMethod": "none", "path": "", "customHeaders": map[string]any{}}}
	})
	ask(s, get("/x"))
	if f := w.last(); f.Origin.Kind != S3Origin || f.Request.Host != "b.s3.amazonaws.com" || f.Request.Path != "/x" {
		t.Errorf("S3: %+v %+v", f.Origin, f.Request)
	}
}

func TestGeneratedResponse(t *testing.T) {
	for _, event := range []Event{ViewerRequest, OriginRequest} {
		w, s := newWorld(lambdaPlan(t, event, false))
		w.lambda = func(*LambdaInvocation) ([]byte, error) {
			return []byte(`{"status":"302","statusDescription":"Found","headers":{"location":[{"key":"Location","value":"/b"}]},"body":"aGk=","bodyEncoding":"base64"}`), nil
		}
		r := ask(s, get("/"))
		if r.Status != 302 || r.Reason != "Found" || r.body != "hi" || r.Header.Get("Location") != "/b" ||
			r.xcache() != "LambdaGeneratedResponse" || r.Header.Get("Server") != "CloudFront" || len(w.fetched) != 0 {
			t.Errorf("%s: %d %v %q", event, r.Status, r.Header, r.body)
		}
	}
}

func TestLambdaFailures(t *testing.T) {
	header := func(name, value string) func(*LambdaInvocation) ([]byte, error) {
		return edit(func(r map[string]any) { r["headers"].(map[string]any)[strings.ToLower(name)] = entry(name, value) })
	}
	text := func(s string) func(*LambdaInvocation) ([]byte, error) {
		return func(*LambdaInvocation) ([]byte, error) { return []byte(s), nil }
	}
	set := func(name string, v any) func(*LambdaInvocation) ([]byte, error) {
		return edit(func(r map[string]any) { r[name] = v })
	}
	fails := func(k LambdaErrorKind) func(*LambdaInvocation) ([]byte, error) {
		return func(*LambdaInvocation) ([]byte, error) { return nil, &LambdaError{Kind: k, Message: "boom"} }
	}
	for _, c := range []struct {
		name   string
		event  Event
		lambda func(*LambdaInvocation) ([]byte, error)
		status int
		xcache string
		want   string
	}{
		{"exception", ViewerRequest, fails(LambdaFailed), 503, "LambdaExecutionError", sentenceLambdaInvalid},
		{"throttled", OriginRequest, fails(LambdaThrottled), 503, "LambdaLimitExceeded", sentenceThrottled},
		{"not JSON", ViewerRequest, text(`{`), 502, "LambdaValidationError", sentenceLambdaJSON},
		{"null", ViewerRequest, text(`null`), 502, "LambdaValidationError", sentenceLambdaObject},
		{"a list", ViewerRequest, text(`[1]`), 502, "LambdaValidationError", sentenceLambdaObject},
		{"empty", ViewerRequest, text(`{}`), 502, "LambdaValidationError", lambdaValidation},
		{"status", ViewerRequest, text(`{"status":"700"}`), 502, "LambdaValidationError", lambdaValidation},
		{"204 with body", ViewerRequest, text(`{"status":"204","body":"x"}`), 502, "LambdaValidationError", lambdaValidation},
		{"body object", ViewerRequest, text(`{"status":"200","body":{}}`), 502, "LambdaValidationError", sentenceLambdaBody},
		{"bad base64", ViewerRequest, text(`{"status":"200","body":"!","bodyEncoding":"base64"}`), 502, "LambdaValidationError", sentenceLambdaBody},
		{"too big", ViewerRequest, text(`{"status":"200","body":"` + strings.Repeat("x", 41<<10) + `"}`), 502, "LambdaValidationError", sentenceLambdaBody},
		{"host in viewer-request", ViewerRequest, header("Host", "x"), 502, "LambdaValidationError", sentenceReadOnly},
		{"via", OriginRequest, header("Via", "x"), 502, "LambdaValidationError", sentenceReadOnly},
		{"accept-encoding", OriginRequest, header("Accept-Encoding", "x"), 502, "LambdaValidationError", sentenceReadOnly},
		{"disallowed", ViewerRequest, header("X-Real-IP", "x"), 502, "LambdaValidationError", sentenceDisallowed},
		{"country", ViewerRequest, header("CloudFront-Viewer-Country", "DE"), 502, "LambdaValidationError", sentenceDisallowed},
		{"line break", ViewerRequest, header("X-A", "a\r\nb"), 502, "LambdaValidationError", lambdaValidation},
		{"uri", ViewerRequest, set("uri", "no-slash"), 502, "LambdaValidationError", lambdaValidation},
		{"query", ViewerRequest, set("querystring", "a b"), 502, "LambdaValidationError", lambdaValidation},
		{"method", ViewerRequest, set("method", "POST"), 502, "LambdaValidationError", lambdaValidation},
		{"origin IP", OriginRequest, edit(func(r map[string]any) {
			r["origin"].(map[string]any)["custom"].(map[string]any)["domainName"] = "192.0.2.1"
		}), 502, "LambdaValidationError", lambdaOriginConfig},
		{"generated with a length", OriginRequest, text(`{"status":"200","headers":{"content-length":[{"value":"1"}]},"body":"x"}`), 502, "LambdaValidationError", sentenceReadOnly},
		{"entry is no array", ViewerRequest, text(`{"status":"200","headers":{"a":{"value":"1"}}}`), 502, "LambdaValidationError", sentenceEntryArray},
		{"value is a number", ViewerRequest, text(`{"status":"200","headers":{"a":[{"value":1}]}}`), 502, "LambdaValidationError", lambdaHeaders},
		{"viewer-response status", ViewerResponse, set("status", "404"), 502, "LambdaValidationError", lambdaValidation},
		{"viewer-response encoding", ViewerResponse, header("Content-Encoding", "gzip"), 502, "LambdaValidationError", sentenceReadOnly},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newWorld(lambdaPlan(t, c.event, false))
			w.lambda = c.lambda
			r := ask(s, get("/"))
			if r.Status != c.status || r.xcache() != c.xcache || !strings.Contains(r.body, "\n"+c.want) {
				t.Errorf("%d %s %q", r.Status, r.xcache(), r.body)
			}
		})
	}
}

func TestResponseEvents(t *testing.T) {
	p := lambdaPlan(t, OriginResponse, false)
	w, s := newWorld(p)
	w.origin = withHeader(404, "no", "X-Origin", "1")
	w.lambda = edit(func(r map[string]any) {
		if r["status"] != "404" || r["statusDescription"] != "Not Found" {
			t.Errorf("response %v", r)
		}
		r["status"], r["statusDescription"], r["body"] = "200", "OK", "replaced"
		r["headers"].(map[string]any)["x-added"] = entry("X-Added", "2")
	})
	r := ask(s, get("/"))
	if r.Status != 200 || r.body != "replaced" || r.Header.Get("X-Added") != "2" || r.Header.Get("X-Origin") != "1" || r.ContentLength != 8 {
		t.Errorf("origin-response: %d %q %v", r.Status, r.body, r.Header)
	}
	w, s = newWorld(lambdaPlan(t, ViewerResponse, false))
	w.lambda = edit(func(r map[string]any) { r["headers"].(map[string]any)["x-added"] = entry("X-Added", "2") })
	if r := ask(s, get("/")); r.Status != 200 || r.body != "hello" || r.Header.Get("X-Added") != "2" || r.xcache() != "Miss" {
		t.Errorf("viewer-response: %d %q %v", r.Status, r.body, r.Header)
	}
	w.origin = withHeader(404, "no")
	if r := ask(s, get("/")); r.Header.Has("X-Added") {
		t.Error("a viewer-response function ran for an error")
	}
}

func FuzzDecodeLambda(f *testing.F) {
	f.Add([]byte(`{"status":"200","headers":{"a":[{"key":"A","value":"b"}]},"body":"x"}`), uint8(0))
	f.Add([]byte(`{"uri":"/","headers":{},"origin":{"custom":{"domainName":"a.b","port":80,"protocol":"http","readTimeout":4,"keepaliveTimeout":5}}}`), uint8(1))
	f.Fuzz(func(t *testing.T, payload []byte, event uint8) {
		r, bad := decodeLambda(payload, Event(event%NumEvents))
		if bad != nil {
			return
		}
		for _, h := range r.headers {
			if !validName(h.Name) || !validValue(h.Value) {
				t.Errorf("header %q: %q", h.Name, h.Value)
			}
		}
		if r.status == 0 && !strings.HasPrefix(r.uri, "/") {
			t.Errorf("uri %q", r.uri)
		}
		if r.origin != nil {
			if o, bad := r.origin.apply(&Origin{}, r.headers); bad == nil && o.Domain == "" {
				t.Error("an origin without a name")
			}
		}
	})
}

func FuzzJSONString(f *testing.F) {
	f.Add("a\"\\\x00\xff\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		var out string
		if err := json.Unmarshal(appendJSONString(nil, s), &out); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	})
}
