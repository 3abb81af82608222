package rest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
)

const bareIdentity = `{"cognitoIdentityPoolId":null,"accountId":null,"cognitoIdentityId":null,"caller":null,"sourceIp":"203.0.113.9",` +
	`"principalOrgId":null,"accessKey":null,"cognitoAuthenticationType":null,"cognitoAuthenticationProvider":null,"userArn":null,` +
	`"userAgent":"curl/8","user":null}`

func eventContext(resource, resourcePath, method, path, identity string) string {
	return fmt.Sprintf(`"requestContext":{"resourceId":%q,"resourcePath":%q,"httpMethod":%q,"extendedRequestId":"Dx4tPEtaaXiHlqU=",`+
		`"requestTime":"04/Mar/2026:05:06:07 +0000","path":%q,"accountId":"123456789012","protocol":"HTTP/1.1","stage":"prod",`+
		`"domainPrefix":"a1b2c3d4e5","requestTimeEpoch":1772600767890,"requestId":"0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0","identity":%s,`+
		`"domainName":"a1b2c3d4e5.execute-api.us-east-1.amazonaws.com","apiId":"a1b2c3d4e5","deploymentId":"dep123"`,
		resource, resourcePath, method, path, identity)
}

// The proxy events of facts: apigateway 5, byte for byte.
func TestEvents(t *testing.T) {
	resources := func(f *Function) map[string][]Method {
		return map[string][]Method{"/{proxy+}": {{HTTPMethod: "ANY", Integration: proxy(f)}}, "/plain": {{HTTPMethod: "GET", Integration: proxy(f)}}}
	}
	for _, c := range []struct {
		name  string
		setup func(*Plan)
		req   *message.Request
		want  string
	}{
		{"bare", nil, request("GET", "/prod/plain", "User-Agent", "curl/8"),
			`{"resource":"/plain","path":"/plain","httpMethod":"GET","headers":{"Host":"` + testHost + `","User-Agent":"curl/8",` +
				`"X-Amzn-Trace-Id":"TRACE","X-Forwarded-For":"203.0.113.9","X-Forwarded-Port":"443","X-Forwarded-Proto":"https"},` +
				`"multiValueHeaders":{"Host":["` + testHost + `"],"User-Agent":["curl/8"],"X-Amzn-Trace-Id":["TRACE"],` +
				`"X-Forwarded-For":["203.0.113.9"],"X-Forwarded-Port":["443"],"X-Forwarded-Proto":["https"]},` +
				`"queryStringParameters":null,"multiValueQueryStringParameters":null,"pathParameters":null,"stageVariables":null,` +
				eventContext("res000", "/plain", "GET", "/prod/plain", bareIdentity) + `},"body":null,"isBase64Encoded":false}`},
		{"everything", func(p *Plan) { p.Stage.Variables = []Variable{{"fn", "prod"}, {"x", "\"y\""}} },
			withBody(request("POST", "//prod/user/test%2Balias@x//plus/?a=1&b=x+y&a=%32;c", "user-agent", "curl/8", "aUThorization", "Bearer t",
				"X-Multi", "1", "Accept", "*/*", "x-multi", "2", "Connection", "close", "X-Forwarded-For", "10.0.0.1"), "{\"a\":\"\u00e9\"}"),
			`{"resource":"/{proxy+}","path":"/user/test%2Balias@x//plus/","httpMethod":"POST","headers":{"Accept":"*/*","Authorization":"Bearer t",` +
				`"Host":"` + testHost + `","User-Agent":"curl/8","X-Amzn-Trace-Id":"TRACE","X-Forwarded-For":"10.0.0.1, 203.0.113.9",` +
				`"X-Forwarded-Port":"443","X-Forwarded-Proto":"https","X-Multi":"2"},` +
				`"multiValueHeaders":{"Accept":["*/*"],"Authorization":["Bearer t"],"Host":["` + testHost + `"],"User-Agent":["curl/8"],` +
				`"X-Amzn-Trace-Id":["TRACE"],"X-Forwarded-For":["10.0.0.1, 203.0.113.9"],"X-Forwarded-Port":["443"],` +
				`"X-Forwarded-Proto":["https"],"X-Multi":["1","2"]},` +
				`"queryStringParameters":{"a":"2","b":"x y","c":""},"multiValueQueryStringParameters":{"a":["1","2"],"b":["x y"],"c":[""]},` +
				`"pathParameters":{"proxy":"user/test%2Balias@x//plus"},"stageVariables":{"fn":"prod","x":"\"y\""},` +
				eventContext("res001", "/{proxy+}", "POST", "//prod/user/test%2Balias@x//plus/", bareIdentity) +
				`},"body":"{\"a\":\"é\"}","isBase64Encoded":false}`},
		{"binary", func(p *Plan) { p.API.BinaryMediaTypes = []string{"image~1png"} },
			withBody(request("PUT", "/prod/x", "User-Agent", "curl/8", "Content-Type", "image/png; x=y"), "\x89PNG"),
			`…"body":"iVBORw==","isBase64Encoded":true}`},
		{"invalid UTF-8 in a text body", nil, withBody(request("PUT", "/prod/x", "User-Agent", "curl/8"), "\xffa"),
			"…\"body\":\"\uFFFDa\",\"isBase64Encoded\":false}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			p := testPlan(resources(testFunction(t)))
			if c.setup != nil {
				c.setup(p)
			}
			resp, body, _ := serve(t, p, w, c.req)
			if resp.Status != 200 || body != "ok" || len(w.calls) != 1 {
				t.Fatalf("%d %s, %d calls", resp.Status, body, len(w.calls))
			}
			want := strings.ReplaceAll(c.want, "TRACE", fmt.Sprintf("Root=1-%08x-0f1e2d3c4b5a69788796a5b4", w.now.Unix()))
			got := w.calls[0]
			if suffix, ok := strings.CutPrefix(want, "…"); ok {
				if !strings.HasSuffix(got, suffix) {
					t.Errorf("event %s\nwant …%s", got, suffix)
				}
			} else if got != want {
				t.Errorf("event\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestEventOfCustomDomain(t *testing.T) {
	w := newWorld()
	s, _ := Build(testPlan(map[string][]Method{"/a": {{HTTPMethod: "GET", Integration: proxy(testFunction(t))}}}), w)
	r := request("GET", "/v1/a")
	r.Host = "api.example.com"
	NewService(APIInfo{ID: "a1b2c3d4e5"}, w, s).Serve(t.Context(), r, gateway.Arrival{
		Mapping: &gateway.Mapping{BasePath: "v1", Stage: "prod"}, Domain: &gateway.Domain{Name: r.Host}, Path: "/a"})
	for _, want := range []string{`"path":"/v1/a","httpMethod"`, `"path":"/v1/a","accountId"`, `"domainPrefix":"api"`, `"domainName":"api.example.com"`} {
		if !strings.Contains(w.calls[0], want) {
			t.Errorf("no %s in %s", want, w.calls[0])
		}
	}
}

// Answers of functions, after test_aws_proxy_response_payload_format_validation, which localstack recorded from AWS.
func TestProxyResponses(t *testing.T) {
	const malformed = "502 {\"message\": \"Internal server error\"}"
	for _, c := range []struct{ payload, want, header, value string }{
		{`{"statusCode":200}`, "200 ", "Content-Type", "application/json"},
		{`{"statusCode":"201","body":"x"}`, "201 x", "", ""},
		{`{"headers":{"test-header":"value","header-bool":true}}`, "200 ", "header-bool", "true"},
		{`{"statusCode":200,"headers":null,"multiValueHeaders":null,"body":null}`, "200 ", "Content-Type", "application/json"},
		{`{"statusCode":200,"headers":{"content-type":"text/html"},"body":"<p>"}`, "200 <p>", "Content-Type", "text/html"},
		{`{"statusCode":200,"multiValueHeaders":{"test-multi":["value1","value2"]}}`, "200 ", "test-multi", "value1,value2"},
		{`{"statusCode":200,"headers":{"test-multi":"solo"},"multiValueHeaders":{"tesT-Multi":["multi"]}}`, "200 ", "test-multi", "multi,solo"},
		{`{"statusCode":200,"headers":{"WWW-Authenticate":"Basic"}}`, "200 ", "x-amzn-Remapped-WWW-Authenticate", "Basic"},
		{`{"statusCode":200,"headers":{"date":"x","Server":"y"}}`, "200 ", "x-amzn-Remapped-date", "x"},
		{`{"statusCode":200,"headers":{"Transfer-Encoding":"chunked"}}`, "200 ", "Transfer-Encoding", ""},
		{`{"statusCode":200,"headers":{"X":"a\r\nSet-Cookie: b"}}`, "200 ", "X", ""},
		{`{"statusCode":200,"body":"dGVzdC1kYXRh","isBase64Encoded":true}`, "200 dGVzdC1kYXRh", "", ""},
		{`{"statusCode":200,"wrongValue":"value"}`, malformed, "", ""},
		{`{"statusCode":200,"wrongValue":null}`, malformed, "", ""},
		{`{}`, malformed, "", ""}, {``, malformed, "", ""}, {`null`, malformed, "", ""}, {`"x"`, malformed, "", ""},
		{`{"statusCode":200,"multiValueHeaders":{"x":"y"}}`, malformed, "", ""},
		{`{"statusCode":200,"headers":{"x":["y"]}}`, malformed, "", ""},
		{`{"statusCode":"wrong"}`, malformed, "", ""}, {`{"statusCode":99}`, malformed, "", ""},
		{`{"statusCode":200,"body":{"a":1}}`, malformed, "", ""}, {`{statusCode:200}`, malformed, "", ""},
	} {
		w := newWorld()
		w.invoke = func(Call) (CallResult, error) { return CallResult{Payload: []byte(c.payload)}, nil }
		resp, body, _ := serve(t, testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", Integration: proxy(testFunction(t))}}}), w, request("GET", "/prod"))
		if got := fmt.Sprintf("%d %s", resp.Status, body); got != c.want {
			t.Errorf("%s: %s, want %s", c.payload, got, c.want)
		}
		if got := strings.Join(resp.Header.Values(c.header), ","); c.header != "" && got != c.value {
			t.Errorf("%s: %s is %q, want %q", c.payload, c.header, got, c.value)
		}
		if id := resp.Header.Get("X-Amzn-Trace-Id"); resp.Status == 200 && !strings.HasSuffix(id, ";Sampled=0") {
			t.Errorf("trace id %q", id)
		}
	}
}

func TestBinaryAnswer(t *testing.T) {
	w := newWorld()
	payload := `{"statusCode":200,"body":"iVBORw==","isBase64Encoded":true}`
	w.invoke = func(Call) (CallResult, error) { return CallResult{Payload: []byte(payload)}, nil }
	p := testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", Integration: proxy(testFunction(t))}}})
	p.API.BinaryMediaTypes = []string{"image/png"}
	if _, body, _ := serve(t, p, w, request("GET", "/prod", "Accept", "image/png,*/*")); body != "\x89PNG" {
		t.Errorf("body %q", body)
	}
	if _, body, _ := serve(t, p, w, request("GET", "/prod", "Accept", "*/*")); body != "iVBORw==" {
		t.Errorf("body %q", body)
	}
	payload = `{"statusCode":200,"body":"!!","isBase64Encoded":true}`
	if resp, _, hop := serve(t, p, w, request("GET", "/prod", "Accept", "image/png")); resp.Status != 500 || refusal(hop).Detail != CauseInvalidBase64 {
		t.Errorf("%d %v", resp.Status, hop.Facts)
	}
}

func TestSignedCaller(t *testing.T) {
	w := newWorld()
	w.identities["AKIDEXAMPLE"] = user("u", iam.NamedPolicy{Name: "p", Document: policy(t,
		statement("Allow", "", "execute-api:Invoke", "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/a/*"))})
	p := testPlan(map[string][]Method{"/a/{b}": {{HTTPMethod: "GET", AuthorizationType: AuthIAM, Integration: proxy(testFunction(t))}}})
	r := sign(t, w, request("GET", "/prod/a/x%20y?q=1"), "us-east-1", "execute-api", w.now)
	resp, body, hop := serve(t, p, w, r)
	if resp.Status != 200 {
		t.Fatalf("%d %s %v", resp.Status, body, hop.Steps)
	}
	for _, want := range []string{`"accountId":"123456789012"`, `"caller":"AIDAEXAMPLE"`, `"accessKey":"AKIDEXAMPLE"`,
		`"userArn":"arn:aws:iam::123456789012:user/u"`, `"user":"AIDAEXAMPLE"`} {
		if !strings.Contains(w.calls[0], want) {
			t.Errorf("no %s in the event", want)
		}
	}
	if strings.Contains(w.calls[0], "AWS4-HMAC") {
		t.Error("the signature reached the function")
	}
}

func grantJSON(effect string) string {
	return `{"principalId":"me","policyDocument":` + statement(effect, "", "execute-api:Invoke", "*") +
		`,"context":{"n":7,"b":true},"usageIdentifierKey":"v"}`
}

func TestLambdaAuthorizers(t *testing.T) {
	const notAuthorized = `403 {"Message":"User is not authorized to access this resource`
	token := Authorizer{ID: "auth01", Name: "a", Type: "TOKEN", IdentitySource: []string{"method.request.header.Authorization"},
		TTL: time.Minute, SourcePath: "Resources.Auth"}
	withRegexp := token
	withRegexp.Validation = "Bearer .*"
	req := token
	req.Type, req.IdentitySource = "REQUEST", []string{"method.request.querystring.k", "context.identity.sourceIp"}
	failing := func(msg string) CallResult {
		return CallResult{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"` + msg + `"}`)}
	}
	for _, c := range []struct {
		name   string
		a      Authorizer
		result CallResult
		target string
		want   string
		cause  string
	}{
		{"allowed", token, CallResult{Payload: []byte(grantJSON("Allow"))}, "/prod", "200 ok", ""},
		{"denied", token, CallResult{Payload: []byte(grantJSON("Deny"))}, "/prod", notAuthorized + ` with an explicit deny in an identity-based policy"}`, CauseAuthorizerExplicit},
		{"not allowed", token, CallResult{Payload: []byte(strings.ReplaceAll(grantJSON("Allow"), `"Resource":"*"`, `"Resource":"arn:aws:execute-api:us-east-1:123456789012:x/y"`))},
			"/prod", notAuthorized + ` because no identity-based policy allows the execute-api:Invoke action"}`, CauseAuthorizerImplicit},
		{"token does not match", withRegexp, CallResult{}, "/prod", `401 {"message":"Unauthorized"}`, CauseTokenPattern},
		{"unauthorized", token, failing("Unauthorized"), "/prod", `401 {"message":"Unauthorized"}`, CauseAuthorizerRefused},
		{"failed", token, failing("boom"), "/prod", `500 {"message":null}`, CauseAuthorizerFailed},
		{"no principal", token, CallResult{Payload: []byte(`{"policyDocument":{}}`)}, "/prod", `500 {"message":null}`, CauseAuthorizerOutput},
		{"context with a list", token, CallResult{Payload: []byte(strings.ReplaceAll(grantJSON("Allow"), "true", "[1]"))}, "/prod", `500 {"message":null}`, CauseAuthorizerOutput},
		{"request", req, CallResult{Payload: []byte(grantJSON("Allow"))}, "/prod?k=1", "200 ok", ""},
		{"request without its source", req, CallResult{}, "/prod", `401 {"message":"Unauthorized"}`, CauseIdentitySource},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			a := c.a
			a.Function = testFunction(t)
			a.Function.ARN += ":auth"
			a.Function.Policy = policy(t, statement("Allow", `"Principal":"*",`, "lambda:InvokeFunction", "*"))
			w.invoke = func(call Call) (CallResult, error) {
				if call.Function == a.Function {
					return c.result, nil
				}
				return CallResult{Payload: []byte(`{"statusCode":200,"body":"ok"}`)}, nil
			}
			p := testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", AuthorizationType: AuthCustom, Authorizer: &a, Integration: proxy(testFunction(t))}}})
			s, findings := Build(p, w)
			if len(findings) > 0 {
				t.Fatal(findings)
			}
			resp, body, hop := serveStage(t, s, w, request("GET", c.target, "Authorization", "tok"))
			if got := fmt.Sprintf("%d %s", resp.Status, body); got != c.want || refusal(hop).Detail != c.cause {
				t.Fatalf("got %s %v\nwant %s %s", got, hop.Facts, c.want, c.cause)
			}
			if c.cause != "" {
				return
			}
			if !strings.Contains(w.calls[1], `"authorizer":{"principalId":"me","n":"7","b":"true"}`) {
				t.Errorf("event %s", w.calls[1])
			}
			serveStage(t, s, w, request("GET", c.target, "Authorization", "tok"))
			if len(w.calls) != 3 {
				t.Errorf("%d calls: the policy was not cached", len(w.calls))
			}
			w.now = w.now.Add(2 * time.Minute)
			serveStage(t, s, w, request("GET", c.target, "Authorization", "tok"))
			if len(w.calls) != 5 {
				t.Errorf("%d calls: the policy outlived its time", len(w.calls))
			}
		})
	}
}

func TestAuthorizerEvents(t *testing.T) {
	w := newWorld()
	a := &Authorizer{ID: "auth01", Type: "TOKEN", IdentitySource: []string{"method.request.header.Authorization"}, Function: testFunction(t)}
	p := testPlan(map[string][]Method{"/a": {{HTTPMethod: "GET", AuthorizationType: AuthCustom, Authorizer: a, Integration: proxy(testFunction(t))}}})
	serve(t, p, w, request("GET", "/prod/a", "Authorization", "tok"))
	if want := `{"type":"TOKEN","methodArn":"arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/a","authorizationToken":"tok"}`; w.calls[0] != want {
		t.Errorf("got %s", w.calls[0])
	}
	a.Type, a.IdentitySource, w.calls = "REQUEST", nil, nil
	serve(t, p, w, request("GET", "/prod/a", "Authorization", "tok"))
	if !strings.HasPrefix(w.calls[0], `{"type":"REQUEST","methodArn":"arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/a","resource":"/a","path":"/a","httpMethod":"GET","headers":{"Authorization":"tok"`) {
		t.Errorf("got %s", w.calls[0])
	}
}
