package rest

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// CORS as templates write it: a MOCK with static headers.
func TestMockCORS(t *testing.T) {
	in := &Integration{Type: IntegrationMock, RequestTemplates: []TemplateFor{{"application/json", "{ statusCode: 200 }"}},
		Responses: []IntegrationResponse{{StatusCode: "204", Parameters: []Mapping{
			{"method.response.header.Access-Control-Allow-Origin", "'*'"},
			{"method.response.header.Access-Control-Allow-Headers", "'Content-Type,Authorization'"}}}}}
	resp, body, hop := serve(t, testPlan(map[string][]Method{"/a": {{HTTPMethod: "OPTIONS", Integration: in}}}), newWorld(), request("OPTIONS", "/prod/a"))
	if resp.Status != 204 || body != "" || resp.Header.Get("access-control-allow-origin") != "*" ||
		resp.Header.Get("Access-Control-Allow-Headers") != "Content-Type,Authorization" {
		t.Errorf("%d %q %v", resp.Status, body, resp.Header)
	}
	var phases []string
	for _, s := range hop.Steps {
		phases = append(phases, s.Phase)
	}
	if got := strings.Join(phases, " "); got != "route check-access authorize throttle validate integration-request integrate integration-response method-response log" {
		t.Error(got)
	}
}

func TestTemplates(t *testing.T) {
	in := &Integration{Type: IntegrationMock,
		RequestTemplates: []TemplateFor{{"application/json", `#set($context.responseOverride.header.X-Late = "late"){"statusCode": #if($input.params('code') == "404")404#{else}200#end}`}},
		Responses: []IntegrationResponse{
			{StatusCode: "200", Templates: []TemplateFor{{"application/json", `{"id":"$input.params('id')","s":"$stageVariables.v","u":"$context.identity.sourceIp"}`},
				{"text/plain", "plain"}}},
			{StatusCode: "404", SelectionPattern: "4\\d{2}", Parameters: []Mapping{{"method.response.header.X-R", "context.requestId"}, {"method.response.header.X-V", "stageVariables.v"}},
				Templates: []TemplateFor{{"application/json", `#set($context.responseOverride.status = 410)gone`}}},
		}}
	p := testPlan(map[string][]Method{"/{id}": {{HTTPMethod: "GET", Integration: in}}})
	p.Stage.Variables = []Variable{{"v", "vv"}}
	for _, c := range []struct{ target, accept, want string }{
		{"/prod/a%20b", "", `200 {"id":"a b","s":"vv","u":"203.0.113.9"} application/json`},
		{"/prod/a", "text/plain", `200 plain text/plain`},
		{"/prod/a?code=404", "", `410 gone application/json`},
	} {
		resp, body, _ := serve(t, p, newWorld(), request("GET", c.target, "Accept", c.accept))
		if got := fmt.Sprintf("%d %s %s", resp.Status, body, resp.Header.Get("Content-Type")); got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
		if resp.Header.Get("X-Late") != "late" {
			t.Errorf("%s: override of the request template is lost: %v", c.target, resp.Header)
		}
		if resp.Status == 410 && (resp.Header.Get("X-R") != testID || resp.Header.Get("X-V") != "vv") {
			t.Errorf("mapped headers %v", resp.Header)
		}
	}
}

func TestLambdaWithTemplates(t *testing.T) {
	w := newWorld()
	in := &Integration{Type: IntegrationAWS, HTTPMethod: "POST", Function: testFunction(t),
		RequestTemplates: []TemplateFor{{"application/json", `{"name":$input.json('$.name')}`}},
		Responses: []IntegrationResponse{{StatusCode: "200"}, {StatusCode: "400", SelectionPattern: `.*\[Bad\].*`,
			Parameters: []Mapping{{"method.response.header.X-E", "integration.response.body.errorType"}},
			Templates:  []TemplateFor{{"application/json", `{"e":"$input.path('$.errorMessage')"}`}}}}}
	p := testPlan(map[string][]Method{"/": {{HTTPMethod: "POST", Integration: in}}})
	result := CallResult{Payload: []byte(`{"r":1}`)}
	w.invoke = func(Call) (CallResult, error) { return result, nil }
	resp, body, _ := serve(t, p, w, withBody(request("POST", "/prod"), `{"name":"n","x":2}`))
	if resp.Status != 200 || body != `{"r":1}` || w.calls[0] != `{"name":"n"}` {
		t.Errorf("%d %s, called with %s", resp.Status, body, w.calls[0])
	}
	result = CallResult{Payload: []byte(`{"errorMessage":"[Bad] input","errorType":"T"}`), FunctionError: "Unhandled"}
	resp, body, _ = serve(t, p, w, withBody(request("POST", "/prod"), `{}`))
	if resp.Status != 400 || body != `{"e":"[Bad] input"}` || resp.Header.Get("X-E") != "T" {
		t.Errorf("%d %s %v", resp.Status, body, resp.Header)
	}
	in.RequestParameters = []Mapping{{"integration.request.header.X-Amz-Invocation-Type", "'Event'"}}
	w.invoke = func(c Call) (CallResult, error) {
		if !c.Async {
			t.Error("not called as an event")
		}
		return CallResult{}, nil
	}
	if resp, _, _ = serve(t, p, w, withBody(request("POST", "/prod"), `{}`)); resp.Status != 200 {
		t.Errorf("event: %d", resp.Status)
	}
}

func TestHTTPProxy(t *testing.T) {
	w := newWorld()
	var sent *message.Request
	var body string
	w.fetch = func(r *message.Request) (*message.Response, error) {
		sent = r
		if r.Body != nil {
			b, _ := io.ReadAll(r.Body)
			body = string(b)
		}
		return message.Text(201, "text/plain", "answer", message.Field{Name: "Server", Value: "s"}, message.Field{Name: "Via", Value: "v"},
			message.Field{Name: "X-Own", Value: "1"}), nil
	}
	in := &Integration{Type: IntegrationHTTPProxy, HTTPMethod: "ANY", URI: "https://${stageVariables.host}/base/{proxy}?fixed=1",
		RequestParameters: []Mapping{{"integration.request.path.proxy", "method.request.path.proxy"}, {"integration.request.header.X-Stage", "context.stage"},
			{"integration.request.querystring.who", "method.request.header.X-Who"}}}
	p := testPlan(map[string][]Method{"/{proxy+}": {{HTTPMethod: "ANY", Integration: in}}})
	p.Stage.Variables = []Variable{{"host", "backend.example"}}
	resp, got, hop := serve(t, p, w, withBody(request("POST", "/prod/a%2Fb/c?q=x+y", "X-Who", "me", "Via", "1.1 cf", "Content-Encoding", "gzip",
		"Authorization", "AWS4-HMAC-SHA256 Credential=x", "Content-Type", "text/plain"), "hello"))
	if sent.Method != "POST" || sent.URL() != "https://backend.example/base/a%2Fb/c?fixed=1&q=x+y&who=me" || body != "hello" {
		t.Errorf("sent %s %s %q", sent.Method, sent.URL(), body)
	}
	for name, want := range map[string]string{"X-Stage": "prod", "X-Amzn-Apigateway-Api-Id": "a1b2c3d4e5", "Via": "", "Content-Encoding": "",
		"Authorization": "", "X-Forwarded-For": "203.0.113.9", "Content-Type": "text/plain"} {
		if v := sent.Header.Get(name); v != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if resp.Status != 201 || got != "answer" || resp.Header.Get("x-amzn-Remapped-Server") != "s" || resp.Header.Has("Via") ||
		resp.Header.Get("X-Own") != "1" || resp.Header.Get("x-amzn-Remapped-Content-Length") != "6" {
		t.Errorf("%d %s %v", resp.Status, got, resp.Header)
	}
	if hop.Sent == nil || hop.Sent.Host != "backend.example" {
		t.Errorf("sent in trace: %v", hop.Sent)
	}
}

func TestHTTPWithMapping(t *testing.T) {
	w := newWorld()
	var sent *message.Request
	w.fetch = func(r *message.Request) (*message.Response, error) {
		sent = r
		return message.Text(404, "application/json", `{"why":"none"}`, message.Field{Name: "X-B", Value: "b"}), nil
	}
	in := &Integration{Type: IntegrationHTTP, HTTPMethod: "GET", URI: "http://backend.example/{id}",
		RequestParameters: []Mapping{{"integration.request.path.id", "method.request.querystring.id"}},
		Responses: []IntegrationResponse{{StatusCode: "200"}, {StatusCode: "404", SelectionPattern: "4..", Parameters: []Mapping{
			{"method.response.header.X-C", "integration.response.header.x-b"}, {"method.response.header.X-W", "integration.response.body.why"}}}}}
	resp, body, _ := serve(t, testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", Integration: in}}}), w, request("GET", "/prod?id=a/b%20c", "X-Not", "sent"))
	if sent.URL() != "http://backend.example/a/b%20c" || sent.Header.Has("X-Not") || sent.Header.Get("User-Agent") != "AmazonAPIGateway_a1b2c3d4e5" {
		t.Errorf("sent %s %v", sent.URL(), sent.Header)
	}
	if resp.Status != 404 || body != `{"why":"none"}` || resp.Header.Get("X-C") != "b" || resp.Header.Get("X-W") != "none" || resp.Header.Has("X-B") {
		t.Errorf("%d %s %v", resp.Status, body, resp.Header)
	}
}

func TestGatewayResponses(t *testing.T) {
	p := testPlan(map[string][]Method{"/a": {{HTTPMethod: "GET", APIKeyRequired: true, Integration: mock("200")}}})
	p.GatewayResponses = []GatewayResponse{
		{Type: Default4XX, Parameters: []Mapping{{"gatewayresponse.header.Access-Control-Allow-Origin", "'*'"}}},
		{Type: MissingAuthenticationType, StatusCode: 404, Parameters: []Mapping{{"gatewayresponse.header.X-P", "context.path"}},
			Templates: []TemplateFor{{"application/json", `{"m":$context.error.messageString,"t":"$context.error.responseType","i":"$context.requestId"}`}}},
	}
	resp, body, _ := serve(t, p, newWorld(), request("GET", "/prod/a"))
	if resp.Status != 403 || body != `{"message":"Forbidden"}` || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %s %v", resp.Status, body, resp.Header)
	}
	resp, body, _ = serve(t, p, newWorld(), request("GET", "/prod/nowhere"))
	if want := `{"m":"Missing Authentication Token","t":"MISSING_AUTHENTICATION_TOKEN","i":"` + testID + `"}`; resp.Status != 404 || body != want ||
		resp.Header.Get("X-P") != "/prod/nowhere" {
		t.Errorf("%d %s %v", resp.Status, body, resp.Header)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld()
	p := testPlan(map[string][]Method{"/a": {{HTTPMethod: "GET", APIKeyRequired: true, Integration: mock("200")}}, "/b": {{HTTPMethod: "GET", Integration: mock("200")}}})
	p.UsagePlans = []UsagePlan{{ID: "up", Throttle: &Throttle{1, 2}, Quota: &Quota{Limit: 4, Period: "DAY"}, Keys: []APIKey{{"k", "v", true}, {"off", "o", false}}}}
	p.Stage.MethodSettings = []MethodSettings{{Path: "*", Method: "*", Throttle: &Throttle{100, 100}}, {Path: "/b", Method: "GET", Throttle: &Throttle{1, 1}}}
	s, _ := Build(p, w)
	get := func(path, key string) int {
		resp, _, _ := serveStage(t, s, w, request("GET", path, "x-api-key", key))
		return resp.Status
	}
	for i, want := range []int{200, 200, 429} {
		if got := get("/prod/a", "v"); got != want {
			t.Errorf("request %d: %d, want %d", i, got, want)
		}
	}
	w.now = w.now.Add(2 * time.Second)
	for i, want := range []int{200, 200, 429} {
		if got := get("/prod/a", "v"); got != want {
			t.Errorf("request %d after 2 s: %d, want %d", i, got, want)
		}
	}
	w.now = w.now.Add(10 * time.Second)
	if got := get("/prod/a", "v"); got != 429 {
		t.Errorf("over quota: %d", got)
	}
	w.now = w.now.Add(24 * time.Hour)
	if got := get("/prod/a", "v"); got != 200 {
		t.Errorf("next day: %d", got)
	}
	if got := get("/prod/a", "o"); got != 403 {
		t.Errorf("disabled key: %d", got)
	}
	if a, b := get("/prod/b", ""), get("/prod/b", ""); a != 200 || b != 429 {
		t.Errorf("method limit: %d %d", a, b)
	}
}

func TestAccessLogAndCompression(t *testing.T) {
	w := newWorld()
	p := testPlan(map[string][]Method{"/a": {{HTTPMethod: "GET", Integration: proxy(testFunction(t))}}})
	p.Stage.AccessLogFormat = `$context.identity.sourceIp "$context.httpMethod $context.resourcePath" $context.status $context.identity.user $context.responseLength.`
	p.API.MinimumCompressionSize = 0
	resp, body, _ := serve(t, p, w, request("GET", "/prod/a", "Accept-Encoding", "br, gzip;q=1.0"))
	if resp.Header.Get("Content-Encoding") != "gzip" || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("not compressed: %v", resp.Header)
	}
	want := fmt.Sprintf(`arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod 203.0.113.9 "GET /a" 200 - %d.`, len(body))
	if len(w.logs) != 1 || w.logs[0] != want {
		t.Errorf("log %q, want %q", w.logs, want)
	}
}

func TestRouting(t *testing.T) {
	root := &routeNode{}
	for _, path := range []string{"/", "/a", "/a/b", "/{x}", "/{x}/c", "/{x}/{y+}", "/a/{z}/d", "/g/{p+}"} {
		root.add(path, &resource{plan: &Resource{Path: path}})
	}
	for path, want := range map[string]string{
		"": "/", "a": "/a", "a/b": "/a/b", "q": "/{x} x=q", "a/c": "/{x}/c x=a", "a/k/d": "/a/{z}/d z=k", "a/k/e": "/{x}/{y+} x=a y=k/e",
		"g/1/2": "/g/{p+} p=1/2", "g//2": "/g/{p+} p=/2", "g": "/{x} x=g", "%61": "/a", "g/%2F": "/g/{p+} p=%2F", "q//c": "/{x}/{y+} x=q y=/c",
	} {
		r, params := root.find(path, nil)
		got := "none"
		if r != nil {
			got = r.plan.Path
			for _, p := range params {
				got += " " + p.name + "=" + p.raw
			}
		}
		if got != want {
			t.Errorf("%q: %s, want %s", path, got, want)
		}
	}
}

func TestPipelineTable(t *testing.T) {
	seen := map[phaseID]bool{phaseRoute: true}
	for changed := true; changed; {
		changed = false
		for id := range pipeline {
			for next := phaseID(0); seen[phaseID(id)] && next <= phaseDone; next++ {
				if legal(phaseID(id), next) && !seen[next] {
					seen[next], changed = true, true
				}
			}
		}
	}
	if len(seen) != len(pipeline)+1 || len(Phases()) != len(pipeline) {
		t.Errorf("reachable: %v", seen)
	}
	for r := reasonMatched; r < reasonCount; r++ {
		if r.String() == "" || (r.Cause() == "") != (r < reasonUnknownStage) {
			t.Errorf("reason %d: %q %q", r, r.Cause(), r)
		}
	}
}

func TestStageVariables(t *testing.T) {
	vars := []Variable{{"a", "1"}}
	for in, want := range map[string]string{"x${stageVariables.a}y${stageVariables.none}": "x1y", "${stageVariables.a": "${stageVariables.a", "": ""} {
		if got := ExpandStageVariables(in, vars); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := ExpandPolicy(`{"Resource":"execute-api:/prod/*"}`, "arn:aws:execute-api:r:a:api"); got != `{"Resource":"arn:aws:execute-api:r:a:api/prod/*"}` {
		t.Error(got)
	}
}
