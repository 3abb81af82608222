package gateway

import (
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

type fakeEffects struct{}

func (fakeEffects) Now() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }
func (fakeEffects) NewID() string  { return "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0" }

type fakeAPI struct{ id string }

func (a fakeAPI) ID() string { return a.id }

func (a fakeAPI) Serve(_ context.Context, _ *message.Request, v Arrival) *message.Response {
	text := a.id + " " + v.Path
	if v.Mapping != nil {
		text += " " + v.Mapping.Stage
	}
	return message.Text(200, "text/plain", text)
}

func testRegional() *Regional {
	return New(&Plan{Region: "us-east-1", Account: "123456789012", Effects: fakeEffects{},
		APIs: []API{fakeAPI{"a1b2c3d4e5"}, fakeAPI{"zzzzzzzzzz"}},
		Domains: []Domain{
			{Name: "api.example.com", Mappings: []Mapping{
				{BasePath: "orders", APIID: "a1b2c3d4e5", Stage: "prod"},
				{BasePath: "gone", APIID: "nothere", Stage: "prod"},
				{BasePath: "", APIID: "zzzzzzzzzz", Stage: "root"}}},
			{Name: "Multi.example.com", Mappings: []Mapping{
				{BasePath: "orders", APIID: "a1b2c3d4e5", Stage: "one"},
				{BasePath: "orders/shop/5", APIID: "a1b2c3d4e5", Stage: "two"}}},
			{Name: "*.wild.example.com", Mappings: []Mapping{{BasePath: "", APIID: "a1b2c3d4e5", Stage: "w"}}},
		}})
}

func TestDispatch(t *testing.T) {
	g := testRegional()
	for _, c := range []struct{ host, path, want, cause string }{
		{"a1b2c3d4e5.execute-api.us-east-1.amazonaws.com", "/prod/x", "a1b2c3d4e5 /prod/x", ""},
		{"A1B2C3D4E5.Execute-Api.us-east-1.amazonaws.com:443", "/prod/x", "a1b2c3d4e5 /prod/x", ""},
		{"dxyz.cloudfront.net", "/prod/x", "", CauseUnknownHost},
		{"nope.execute-api.us-east-1.amazonaws.com", "/prod/x", "", CauseUnknownHost},
		{"a1b2c3d4e5.execute-api.us-west-2.amazonaws.com", "/prod/x", "", CauseUnknownHost},
		{"api.example.com", "/orders/7", "a1b2c3d4e5 /7 prod", ""},
		{"api.example.com", "/orders", "a1b2c3d4e5 / prod", ""},
		{"api.example.com", "//orders/7", "a1b2c3d4e5 /7 prod", ""},
		{"api.example.com", "/ordersandmore", "zzzzzzzzzz /ordersandmore root", ""},
		{"api.example.com", "/", "zzzzzzzzzz / root", ""},
		{"api.example.com", "/gone/x", "", CauseUnknownAPI},
		{"multi.example.com", "/orders/shop/5/hats", "a1b2c3d4e5 /hats two", ""},
		{"multi.example.com", "/orders/shop/6", "a1b2c3d4e5 /shop/6 one", ""},
		{"multi.example.com", "/ordersandmore", "a1b2c3d4e5 /andmore one", ""},
		{"multi.example.com", "/none", "", CauseNoMapping},
		{"x.wild.example.com", "/a", "a1b2c3d4e5 /a w", ""},
		{"x.y.wild.example.com", "/a", "", CauseUnknownHost},
		{"wild.example.com", "/a", "", CauseUnknownHost},
	} {
		tr := &trace.Trace{}
		resp := g.Serve(t.Context(), &message.Request{Method: "GET", Host: c.host, Path: c.path, Trace: tr})
		body, _ := io.ReadAll(resp.Body)
		if c.cause == "" {
			if string(body) != c.want {
				t.Errorf("%s%s: %d %s, want %s", c.host, c.path, resp.Status, body, c.want)
			}
			continue
		}
		facts := tr.Hops()[0].Facts
		if resp.Status != 403 || string(body) != `{"message":"Forbidden"}` || len(facts) != 1 || facts[0].Detail != c.cause {
			t.Errorf("%s%s: %d %s %v, want %s", c.host, c.path, resp.Status, body, facts, c.cause)
		}
	}
}

func TestForbiddenHeaders(t *testing.T) {
	resp := Forbidden(fakeEffects{})
	want := message.Header{
		{Name: "Content-Type", Value: "application/json"}, {Name: "Date", Value: "Wed, 04 Mar 2026 05:06:07 GMT"},
		{Name: "x-amzn-RequestId", Value: "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"},
		{Name: "x-amzn-ErrorType", Value: "ForbiddenException"}, {Name: "x-amz-apigw-id", Value: "Dx4tPEtaaXiHlqU="}}
	if !slices.Equal(resp.Header, want) || resp.ContentLength != 23 {
		t.Errorf("got %v, length %d", resp.Header, resp.ContentLength)
	}
}

func TestHosts(t *testing.T) {
	hosts := testRegional().Hosts()
	if len(hosts) != 5 || !slices.Contains(hosts, "*.wild.example.com") {
		t.Errorf("hosts %v", hosts)
	}
	if got := DefaultSuffix("cn-north-1"); got != ".execute-api.cn-north-1.amazonaws.com.cn" {
		t.Error(got)
	}
}

func FuzzDispatch(f *testing.F) {
	f.Add("api.example.com", "/orders/7")
	f.Add("a1b2c3d4e5.execute-api.us-east-1.amazonaws.com:1", "//")
	f.Add("[::1]:80", "")
	g := testRegional()
	f.Fuzz(func(t *testing.T, host, path string) {
		if g.Serve(t.Context(), &message.Request{Method: "GET", Host: host, Path: path}) == nil {
			t.Error("no answer")
		}
	})
}
