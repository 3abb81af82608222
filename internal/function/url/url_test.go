package url

import (
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

const functionARN = "arn:aws:lambda:us-east-1:123456789012:function:f"

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

func policy(t *testing.T, statements ...string) *iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(`{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// The two statements that a public URL needs (Lambda developer guide, urls-auth).
const (
	publicURL    = `{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunctionUrl","Resource":"` + functionARN + `","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`
	publicInvoke = `{"Sid":"b","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + functionARN + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`
)

type fixture struct {
	plan   Plan
	result lambda.Result
	err    error
	event  map[string]any
	opts   Options
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{opts: Options{Now: func() time.Time { return testNow }}, result: lambda.Result{Payload: []byte(`{"ok":true}`)}}
	f.plan = Plan{ID: "abc", Host: "abc.lambda-url.us-east-1.on.aws", Region: "us-east-1", Account: "123456789012", FunctionARN: functionARN, Policy: policy(t, publicURL, publicInvoke)}
	f.plan.Invoke = func(_ context.Context, inv lambda.Invocation) (lambda.Result, error) {
		f.event = nil
		if err := json.Unmarshal(inv.Payload, &f.event); err != nil {
			t.Error(err)
		}
		return f.result, f.err
	}
	return f
}

func (f *fixture) serve(t *testing.T, r *message.Request) (*message.Response, string) {
	t.Helper()
	if r.Host == "" {
		r.Host = f.plan.Host
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.Method == "" {
		r.Method = "GET"
	}
	r.Scheme, r.Client = "https", netip.MustParseAddrPort("192.0.2.1:1234")
	resp := New(f.opts, []*Plan{&f.plan}).Serve(t.Context(), r)
	if resp.Body == nil {
		return resp, ""
	}
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(data)
}

const forbidden = `{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`

// A public URL needs both permissions (awsdocs/aws-lambda-developer-guide#494).
func TestPublic(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		policy *iam.Document
		status int
		body   string
	}{
		"both":   {policy(t, publicURL, publicInvoke), 200, `{"ok":true}`},
		"url":    {policy(t, publicURL), 403, forbidden},
		"invoke": {policy(t, publicInvoke), 403, forbidden},
		"none":   {nil, 403, forbidden},
	} {
		f.plan.Policy = c.policy
		resp, body := f.serve(t, &message.Request{})
		if resp.Status != c.status || body != c.body {
			t.Errorf("%s: %d %s", name, resp.Status, body)
		}
		if missing := f.plan.Missing(); (len(missing) > 0) != (c.status == 403) {
			t.Errorf("%s: missing %v", name, missing)
		}
		if c.status == 403 && resp.Header.Get("x-amzn-ErrorType") != "AccessDeniedException" {
			t.Errorf("%s: %v", name, resp.Header)
		}
	}
}

// Callers of AWS_IAM sign for the service lambda; policies decide.
func TestSigned(t *testing.T) {
	f := newFixture(t)
	id := &iam.Identity{AccessKeyID: "AKIDEXAMPLE", Secret: "secret", Root: true, Principal: iam.RootPrincipal("aws", "123456789012")}
	f.opts.Directory = iam.DirectoryFunc(func(key string) (*iam.Identity, bool) { return id, key == id.AccessKeyID })
	f.plan.IAM, f.plan.Policy = true, nil
	sign := func(secret, body string) *message.Request {
		r := &message.Request{Method: "POST", Scheme: "https", Host: f.plan.Host, Path: "/p", Body: strings.NewReader(body)}
		s := sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", Secret: secret}, Region: "us-east-1", Service: "lambda", Now: f.opts.Now}
		if err := s.Sign(r, sigv4.HashPayload([]byte(body))); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if resp, body := f.serve(t, sign("secret", "x")); resp.Status != 200 {
		t.Errorf("signed: %d %s", resp.Status, body)
	}
	who := f.event["requestContext"].(map[string]any)["authorizer"].(map[string]any)["iam"].(map[string]any)
	if who["accessKey"] != "AKIDEXAMPLE" || who["userArn"] != "arn:aws:iam::123456789012:root" {
		t.Errorf("authorizer %v", who)
	}
	if resp, body := f.serve(t, sign("wrong", "x")); resp.Status != 403 || !strings.HasPrefix(body, `{"message":"The request signature we calculated does not match`) {
		t.Errorf("wrong secret: %d %s", resp.Status, body)
	}
	if resp, body := f.serve(t, &message.Request{}); resp.Status != 403 || body != forbidden {
		t.Errorf("unsigned: %d %s", resp.Status, body)
	}
}

// CloudFront signs without the body unless the viewer sends its hash.
func TestOriginAccess(t *testing.T) {
	f := newFixture(t)
	const distribution = "arn:aws:cloudfront::123456789012:distribution/E1"
	f.plan.IAM = true
	st := func(action string) string {
		return `{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"` + action + `","Resource":"` + functionARN + `","Condition":{"ArnLike":{"AWS:SourceArn":"` + distribution + `"}}}`
	}
	f.plan.Policy = policy(t, st("lambda:InvokeFunctionUrl"), st("lambda:InvokeFunction"))
	source := distribution
	f.opts.Vouched = func(context.Context) (Caller, bool) {
		return Caller{"cloudfront.amazonaws.com", source, "123456789012"}, true
	}
	post := func(hash string) int {
		r := &message.Request{Method: "POST", Body: strings.NewReader("x")}
		if hash != "" {
			r.Header.Add("x-amz-content-sha256", hash)
		}
		resp, _ := f.serve(t, r)
		return resp.Status
	}
	resp, _ := f.serve(t, &message.Request{})
	if got := []int{resp.Status, post(""), post(sigv4.HashPayload([]byte("x")))}; got[0] != 200 || got[1] != 403 || got[2] != 200 {
		t.Errorf("GET, POST, POST with hash: %v", got)
	}
	source = "arn:aws:cloudfront::123456789012:distribution/OTHER"
	if resp, _ := f.serve(t, &message.Request{}); resp.Status != 403 {
		t.Errorf("another distribution: %d", resp.Status)
	}
}

// The request of the developer guide's example, urls-invocation.
func TestEvent(t *testing.T) {
	f := newFixture(t)
	f.serve(t, &message.Request{Method: "POST", Path: "/my/pa%20th", Query: "parameter1=value1&parameter1=value2&parameter2=value", Body: strings.NewReader("Hello"),
		Header: message.Header{{Name: "Header1", Value: "value1"}, {Name: "header1", Value: "value2"}, {Name: "Cookie", Value: "cookie1; cookie2"}, {Name: "Content-Type", Value: "text/plain"}, {Name: "User-Agent", Value: "agent"}}})
	e := f.event
	for path, want := range map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": "/my/pa%20th", "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
		"headers.header1": "value1,value2", "queryStringParameters.parameter1": "value1,value2", "requestContext.accountId": "anonymous", "requestContext.apiId": "abc",
		"requestContext.http.path": "/my/pa th", "requestContext.http.sourceIp": "192.0.2.1", "requestContext.http.userAgent": "agent", "requestContext.stage": "$default",
		"requestContext.time": "04/Mar/2026:05:06:07 +0000", "body": "Hello", "isBase64Encoded": false, "headers.x-forwarded-for": "192.0.2.1", "headers.x-forwarded-proto": "https",
	} {
		var at any = e
		for part := range strings.SplitSeq(path, ".") {
			at = at.(map[string]any)[part]
		}
		if at != want {
			t.Errorf("%s: %v, want %v", path, at, want)
		}
	}
	if c := e["cookies"].([]any); len(c) != 2 || c[1] != "cookie2" {
		t.Errorf("cookies %v", c)
	}
	f.serve(t, &message.Request{Method: "POST", Body: strings.NewReader("\xff"), Header: message.Header{{Name: "Content-Type", Value: "image/png"}}})
	if f.event["body"] != "/w==" || f.event["isBase64Encoded"] != true {
		t.Errorf("binary body: %v", f.event)
	}
}

// The table of the developer guide, urls-invocation, "Response payload format".
func TestAnswers(t *testing.T) {
	f := newFixture(t)
	for payload, want := range map[string]struct {
		status            int
		contentType, body string
	}{
		`"Hello, world!"`:             {200, "application/json", "Hello, world!"},
		`{"message":"Hello, world!"}`: {200, "application/json", `{"message":"Hello, world!"}`},
		`{"statusCode":201,"headers":{"Content-Type":"a/b"},"body":"x"}`: {201, "a/b", "x"},
		`{"statusCode":"404","body":"x"}`:                                {404, "application/json", "x"},
		`{"statusCode":200,"body":"eA==","isBase64Encoded":true}`:        {200, "application/json", "x"},
		`{"statusCode":200}`:                                             {200, "application/json", ""},
		`{"statusCode":99}`:                                              {502, "application/json", `{"Message":"Internal Server Error"}`},
		`{"statusCode":200,"body":"!","isBase64Encoded":true}`:           {502, "application/json", `{"Message":"Internal Server Error"}`},
		`null`: {200, "application/json", "null"},
	} {
		f.result.Payload = []byte(payload)
		resp, body := f.serve(t, &message.Request{})
		if resp.Status != want.status || body != want.body || resp.Header.Get("Content-Type") != want.contentType {
			t.Errorf("%s: %d %s %q", payload, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
	f.result = lambda.Result{Payload: []byte(`{"errorType":"Error"}`), FunctionError: "Unhandled"}
	if resp, body := f.serve(t, &message.Request{}); resp.Status != 502 || body != "Internal Server Error" {
		t.Errorf("failing function: %d %s", resp.Status, body)
	}
	f.err = &lambda.Error{Type: "TooManyRequestsException", Status: 429}
	if resp, _ := f.serve(t, &message.Request{}); resp.Status != 429 {
		t.Errorf("throttled: %d", resp.Status)
	}
}

func TestCORS(t *testing.T) {
	f := newFixture(t)
	f.plan.CORS = &CORS{Origins: []string{"https://*.example.com"}, Methods: []string{"GET", "PUT"}, Headers: []string{"x-a"}, MaxAge: 5, Credentials: true}
	f.result.Payload = []byte(`{"statusCode":200,"headers":{"Access-Control-Allow-Origin":"*"}}`)
	ask := func(method, origin string) message.Header {
		h := message.Header{{Name: "Origin", Value: origin}}
		if method == "OPTIONS" {
			h.Add("Access-Control-Request-Method", "PUT")
		}
		resp, _ := f.serve(t, &message.Request{Method: method, Header: h})
		return resp.Header
	}
	if h := ask("GET", "https://a.example.com"); h.Get("Access-Control-Allow-Origin") != "https://a.example.com" || h.Get("Vary") != "Origin" || h.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("allowed: %v", h)
	}
	if h := ask("GET", "https://evil.test"); h.Has("Access-Control-Allow-Origin") {
		t.Errorf("not allowed: %v", h)
	}
	if h := ask("OPTIONS", "https://a.example.com"); h.Get("Access-Control-Allow-Methods") != "GET,PUT" || h.Get("Access-Control-Max-Age") != "5" {
		t.Errorf("preflight: %v", h)
	}
}

// FuzzAnswer checks that no result of a function makes an answer that cannot be sent.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{`{}`, `"x"`, `{"statusCode":200,"headers":{"a":1,"b":[2]},"body":{"x":1}}`, `[`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		x := &exchange{s: &Service{}, p: &Plan{}, r: &message.Request{Method: "GET"}, now: testNow}
		if resp := x.answer(payload); resp.Status < 100 || resp.Status > 599 {
			t.Errorf("%q: status %d", payload, resp.Status)
		}
	})
}
