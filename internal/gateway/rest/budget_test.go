package rest

import (
	"context"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/vtl"
)

// quick is a world without bookkeeping, for budgets.
type quick struct {
	*world
	result []byte
}

func (q quick) InvokeLambda(context.Context, Call) (CallResult, error) {
	return CallResult{Payload: q.result}, nil
}

func proxyService(t testing.TB) (*Service, *message.Request) {
	q := quick{newWorld(), []byte(`{"statusCode":200,"headers":{"Content-Type":"application/json","Access-Control-Allow-Origin":"*"},"body":"{\"ok\":true}"}`)}
	s, _ := Build(testPlan(map[string][]Method{"/pets/{id}": {{HTTPMethod: "GET", Integration: proxy(testFunction(t))}}}), q)
	r := request("GET", "/prod/pets/42?q=dogs&limit=10", "Accept", "*/*", "Accept-Encoding", "gzip, br", "Authorization", "Bearer abcdef",
		"User-Agent", "curl/8", "X-Forwarded-For", "198.51.100.7")
	return NewService(APIInfo{ID: "a1b2c3d4e5"}, q, s), r
}

// A Lambda proxy call may allocate its state, the answer and the strings of the function's JSON, and no more.
func TestLambdaProxyAllocations(t *testing.T) {
	api, r := proxyService(t)
	ctx := t.Context()
	n := testing.AllocsPerRun(200, func() {
		resp := api.Serve(ctx, r, gateway.Arrival{Path: r.Path})
		if resp.Status != 200 {
			t.Fatal(resp.Status)
		}
	})
	// 28 in practice; the race detector empties pools at random.
	if n > 32 {
		t.Errorf("%v allocations, the budget is 32", n)
	}
}

func BenchmarkLambdaProxy(b *testing.B) {
	api, r := proxyService(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		api.Serve(ctx, r, gateway.Arrival{Path: r.Path})
	}
}

func FuzzRouting(f *testing.F) {
	for _, s := range []string{"/prod/a/b", "//prod//x%2Fy/", "/prod", "/", "/prod/%zz", "/prod/g//"} {
		f.Add(s, "a=1&b=%zz;c")
	}
	w := newWorld()
	in := proxy(testFunction(f))
	s, _ := Build(testPlan(map[string][]Method{"/": {{HTTPMethod: "ANY", Integration: in}}, "/a/{x}": {{HTTPMethod: "GET", Integration: in}},
		"/{proxy+}": {{HTTPMethod: "ANY", Integration: in}}}), w)
	f.Fuzz(func(t *testing.T, path, query string) {
		r := request("GET", "/"+strings.TrimPrefix(path, "/"))
		r.Query = query
		w.calls = w.calls[:0]
		resp, _, _ := serveStage(t, s, w, r)
		if resp.Status != 200 && resp.Status != 403 {
			t.Errorf("status %d", resp.Status)
		}
		for _, event := range w.calls {
			if _, err := vtl.ParseStrictJSON(event); err != nil {
				t.Errorf("event is no JSON: %v\n%s", err, event)
			}
		}
	})
}

func FuzzMapping(f *testing.F) {
	for _, s := range []string{"'x'", "method.request.header.X", "method.request.multivaluequerystring.q", "method.request.body.a[0]", "context.identity.sourceIp",
		"stageVariables.v", "method.request.path.id", "integration.response.body.x", "method.request.body", "context.authorizer.claims.sub"} {
		f.Add(s, `{"a":["b"]}`)
	}
	w := newWorld()
	w.fetch = func(r *message.Request) (*message.Response, error) {
		return message.Text(200, "text/plain", "x"), nil
	}
	f.Fuzz(func(t *testing.T, expr, body string) {
		in := &Integration{Type: IntegrationHTTP, HTTPMethod: "POST", URI: "http://backend.example/{p}", RequestParameters: []Mapping{
			{"integration.request.header.X-F", expr}, {"integration.request.querystring.f", expr}, {"integration.request.path.p", expr}},
			Responses: []IntegrationResponse{{StatusCode: "200", Parameters: []Mapping{{"method.response.header.X-F", expr}}}}}
		resp, _, _ := serve(t, testPlan(map[string][]Method{"/{id}": {{HTTPMethod: "POST", Integration: in}}}), w,
			withBody(request("POST", "/prod/1?q=2"), body))
		if resp.Status != 200 && resp.Status != 500 {
			t.Errorf("status %d", resp.Status)
		}
	})
}

func FuzzProxyResponse(f *testing.F) {
	for _, s := range []string{`{"statusCode":200,"headers":{"a":"b"},"multiValueHeaders":{"A":["c"]},"body":"x","isBase64Encoded":true}`, `{}`, `null`, `[]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		p, err := parseProxyResponse(payload)
		if err == nil && (p.status < 100 || p.status > 599) {
			t.Errorf("status %d", p.status)
		}
	})
}
