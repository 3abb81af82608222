package rest

import (
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Both tables of facts: apigateway 4, for AWS_IAM methods.
func TestResourcePolicyTables(t *testing.T) {
	resource := map[string]string{
		"allow":  statement("Allow", `"Principal":"*",`, "execute-api:Invoke", "*"),
		"deny":   statement("Deny", `"Principal":"*",`, "execute-api:Invoke", "*"),
		"silent": statement("Allow", `"Principal":"*",`, "execute-api:Invoke", "arn:aws:execute-api:us-east-1:123456789012:other/*"),
	}
	identity := map[string]string{
		"allow":  statement("Allow", "", "execute-api:Invoke", "*"),
		"deny":   statement("Deny", "", "execute-api:Invoke", "*"),
		"silent": statement("Allow", "", "s3:GetObject", "*"),
	}
	for _, account := range []string{testAccount, "999999999999"} {
		for id, idText := range identity {
			for res, resText := range resource {
				w := newWorld()
				u := user("u", iam.NamedPolicy{Name: "p", Document: policy(t, idText)})
				u.Principal = iam.UserPrincipal("aws", account, "/", "u", "AIDAEXAMPLE")
				w.identities["AKIDEXAMPLE"] = u
				p := testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", AuthorizationType: AuthIAM, Integration: mock("200")}}})
				p.API.Policy = policy(t, resText)
				want := 403
				if id != "deny" && res != "deny" {
					same := account == testAccount
					if same && (id == "allow" || res == "allow") || !same && id == "allow" && res == "allow" {
						want = 200
					}
				}
				resp, body, _ := serve(t, p, w, sign(t, w, request("GET", "/prod"), "us-east-1", "execute-api", w.now))
				if resp.Status != want {
					t.Errorf("account %s, identity %s, resource %s: %d %s, want %d", account, id, res, resp.Status, body, want)
				}
			}
		}
	}
}

func TestSourceIPCondition(t *testing.T) {
	p := testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", Integration: mock("200")}}})
	for network, want := range map[string]int{"203.0.113.0/24": 200, "198.51.100.0/24": 403} {
		p.API.Policy = policy(t, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"execute-api:Invoke","Resource":"*",`+
			`"Condition":{"IpAddress":{"aws:SourceIp":"`+network+`"},"Bool":{"aws:SecureTransport":"true"}}}]}`)
		if resp, body, _ := serve(t, p, newWorld(), request("GET", "/prod")); resp.Status != want {
			t.Errorf("%s: %d %s", network, resp.Status, body)
		}
	}
}

// A client that signed for the distribution in front is told so in the trace.
func TestSignatureForAnotherHost(t *testing.T) {
	w := newWorld()
	w.identities["AKIDEXAMPLE"] = user("u")
	p := testPlan(map[string][]Method{"/": {{HTTPMethod: "GET", AuthorizationType: AuthIAM, Integration: mock("200")}}})
	p.API.KnownHosts = []string{"d111111abcdef8.cloudfront.net"}
	r := request("GET", "/prod")
	r.Host = p.API.KnownHosts[0]
	sign(t, w, r, "us-east-1", "execute-api", w.now)
	r.Host = testHost
	_, _, hop := serve(t, p, w, r)
	found := false
	for _, f := range hop.Facts {
		if f.Kind == trace.SignatureChecked {
			found = f.Name == p.API.KnownHosts[0] && f.Detail == testHost
		}
	}
	if !found {
		t.Errorf("facts %v", hop.Facts)
	}
	for _, s := range hop.Steps {
		if strings.Contains(s.Reason, "secret") && !strings.Contains(s.Reason, "another secret") {
			t.Errorf("step %v", s)
		}
	}
}

func TestUntracedRequest(t *testing.T) {
	w := newWorld()
	s, _ := Build(testPlan(map[string][]Method{"/": {{HTTPMethod: "HEAD", Integration: proxy(testFunction(t))}}}), w)
	api := NewService(APIInfo{ID: "a1b2c3d4e5"}, w, s)
	for _, r := range []*message.Request{request("HEAD", "/prod"), request("HEAD", "/none"), request("GET", "/prod/x")} {
		resp := api.Serve(t.Context(), r, arrivalOf(r))
		if r.Method == "HEAD" && resp.Status == 200 && (resp.Body != nil || resp.ContentLength != 2) {
			t.Errorf("HEAD: body %v, length %d", resp.Body, resp.ContentLength)
		}
	}
}

func TestFindings(t *testing.T) {
	p := testPlan(map[string][]Method{"/": {
		{HTTPMethod: "GET", AuthorizationType: AuthCognito, Integration: proxy(&Function{ARN: functionARN})},
		{HTTPMethod: "POST", Integration: &Integration{Type: IntegrationAWS, URI: "arn:aws:apigateway:us-east-1:sqs:path/1/q",
			RequestTemplates: []TemplateFor{{"application/json", "#if("}}, RequestParameters: []Mapping{{"integration.request.header.X", "nonsense"}},
			Responses: []IntegrationResponse{{StatusCode: "200", SelectionPattern: "(?=x)"}}}},
	}})
	p.Models = []Model{{Name: "M", Schema: "{"}}
	_, findings := Build(p, newWorld())
	codes := map[string]int{}
	for _, f := range findings {
		codes[string(f.Code)]++
	}
	if codes["unsupported-property"] != 2 || codes["permission-missing"] != 1 || codes["invalid-parameter"] != 4 {
		t.Errorf("findings %v", findings)
	}
}

func arrivalOf(r *message.Request) gateway.Arrival { return gateway.Arrival{Path: r.Path} }

func TestAdopt(t *testing.T) {
	w := newWorld()
	build := func(rate float64) *Stage {
		a := &Authorizer{ID: "auth01", Type: "TOKEN", IdentitySource: []string{"method.request.header.Authorization"}, TTL: time.Hour, Function: testFunction(t)}
		p := testPlan(map[string][]Method{
			"/a": {{HTTPMethod: "GET", APIKeyRequired: true, Integration: mock("200")}},
			"/b": {{HTTPMethod: "GET", AuthorizationType: AuthCustom, Authorizer: a, Integration: mock("200")}}})
		p.UsagePlans = []UsagePlan{{ID: "up", Quota: &Quota{Limit: 2, Period: "MONTH"}, Keys: []APIKey{{"k", "v", true}}}}
		p.Stage.MethodSettings = []MethodSettings{{Path: "/b", Method: "GET", Throttle: &Throttle{rate, 2}}}
		s, _ := Build(p, w)
		return s
	}
	w.invoke = func(Call) (CallResult, error) { return CallResult{Payload: []byte(grantJSON("Allow"))}, nil }
	first := build(0.001)
	for _, path := range []string{"/prod/a", "/prod/b"} {
		serveStage(t, first, w, request("GET", path, "x-api-key", "v", "Authorization", "tok"))
	}
	status := func(s *Stage, path string) int {
		resp, _, _ := serveStage(t, s, w, request("GET", path, "x-api-key", "v", "Authorization", "tok"))
		return resp.Status
	}
	same, changed := build(0.001), build(0.002)
	same.Adopt(first)
	changed.Adopt(first)
	same.Adopt(nil)
	if a, b := status(same, "/prod/a"), status(same, "/prod/a"); a != 200 || b != 429 {
		t.Errorf("quota: %d %d", a, b)
	}
	if a, b := status(same, "/prod/b"), status(same, "/prod/b"); a != 200 || b != 429 {
		t.Errorf("bucket: %d %d", a, b)
	}
	if a, b := status(changed, "/prod/b"), status(changed, "/prod/b"); a != 200 || b != 200 {
		t.Errorf("changed bucket: %d %d", a, b)
	}
	if len(w.calls) != 1 {
		t.Errorf("authorizer called %d times", len(w.calls))
	}
}
