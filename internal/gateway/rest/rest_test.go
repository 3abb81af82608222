package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/trace"
)

const (
	testHost    = "a1b2c3d4e5.execute-api.us-east-1.amazonaws.com"
	testAccount = "123456789012"
	testID      = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
)

// world is a fake of everything that an API reaches.
type world struct {
	now        time.Time
	identities map[string]*iam.Identity
	invoke     func(Call) (CallResult, error)
	fetch      func(*message.Request) (*message.Response, error)
	calls      []string
	logs       []string
}

func newWorld() *world {
	return &world{now: time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC), identities: map[string]*iam.Identity{}}
}

func (w *world) Now() time.Time            { return w.now }
func (w *world) NewID() string             { return testID }
func (w *world) Identities() iam.Directory { return w }
func (w *world) Log(arn, line string)      { w.logs = append(w.logs, arn+" "+line) }
func (w *world) Lookup(id string) (*iam.Identity, bool) {
	i, ok := w.identities[id]
	return i, ok
}

func (w *world) Fetch(_ context.Context, _ Backend, r *message.Request) (*message.Response, error) {
	if w.fetch == nil {
		return nil, &FetchError{FetchNetwork, errors.New("connection refused")}
	}
	return w.fetch(r)
}

func (w *world) InvokeLambda(_ context.Context, c Call) (CallResult, error) {
	w.calls = append(w.calls, string(c.Payload))
	if w.invoke == nil {
		return CallResult{Payload: []byte(`{"statusCode":200,"body":"ok"}`)}, nil
	}
	return w.invoke(c)
}

func policy(t testing.TB, text string) *iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func statement(effect, principal, action, resource string) string {
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":%q,%s"Action":%q,"Resource":%q}]}`,
		effect, principal, action, resource)
}

const functionARN = "arn:aws:lambda:us-east-1:123456789012:function:fn"

func testFunction(t testing.TB) *Function {
	return &Function{ARN: functionARN, SourcePath: "Resources.Fn", Policy: policy(t, statement("Allow",
		`"Principal":{"Service":"apigateway.amazonaws.com"},`, "lambda:InvokeFunction", functionARN))}
}

func proxy(f *Function) *Integration {
	return &Integration{Type: IntegrationAWSProxy, HTTPMethod: "POST", Function: f, URI: "arn:…", SourcePath: "Resources.M.Integration"}
}

func mock(status string) *Integration {
	return &Integration{Type: IntegrationMock, RequestTemplates: []TemplateFor{{"application/json", `{"statusCode": ` + status + `}`}},
		Responses: []IntegrationResponse{{StatusCode: "200"}}}
}

// testPlan is a stage "prod" with resources by path.
func testPlan(resources map[string][]Method) *Plan {
	p := &Plan{
		API: API{ID: "a1b2c3d4e5", Name: "api", Region: "us-east-1", Account: testAccount, EndpointType: Regional,
			MinimumCompressionSize: -1, SourcePath: "Resources.Api"},
		Stage: StageSettings{Name: "prod", DeploymentID: "dep123", SourcePath: "Resources.Stage"},
	}
	paths := []string{}
	for path := range resources {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	for i, path := range paths {
		for j := range resources[path] {
			if resources[path][j].SourcePath == "" {
				resources[path][j].SourcePath = "Resources.Method"
			}
		}
		p.Resources = append(p.Resources, Resource{ID: fmt.Sprintf("res%03d", i), Path: path, Methods: resources[path]})
	}
	return p
}

func serve(t testing.TB, p *Plan, w *world, r *message.Request) (*message.Response, string, *trace.Hop) {
	t.Helper()
	s, _ := Build(p, w)
	return serveStage(t, s, w, r)
}

func serveStage(t testing.TB, s *Stage, w *world, r *message.Request) (*message.Response, string, *trace.Hop) {
	t.Helper()
	r.Trace = &trace.Trace{}
	if r.Header == nil {
		r.Header = message.Header{}
	}
	api := NewService(APIInfo{ID: s.plan.API.ID, SourcePath: s.plan.API.SourcePath}, w, s)
	resp := api.Serve(t.Context(), r, gateway.Arrival{Path: r.Path})
	if resp == nil {
		t.Fatal("no answer")
	}
	body := ""
	if resp.Body != nil {
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		body = string(b)
	}
	return resp, body, r.Trace.Hops()[0]
}

func request(method, target string, fields ...string) *message.Request {
	path, query, has := strings.Cut(target, "?")
	r := &message.Request{Method: method, Scheme: "https", Host: testHost, Path: path, Query: query, HasQuery: has,
		Proto: message.HTTP11, Client: netip.MustParseAddrPort("203.0.113.9:1234")}
	for i := 0; i+1 < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func withBody(r *message.Request, body string) *message.Request {
	r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
	return r
}

func refusal(h *trace.Hop) trace.Fact {
	for _, f := range h.Facts {
		if f.Kind == trace.Refused {
			return f
		}
	}
	return trace.Fact{}
}

func user(name string, policies ...iam.NamedPolicy) *iam.Identity {
	return &iam.Identity{AccessKeyID: "AKIDEXAMPLE", Secret: "secret", Policies: policies,
		Principal: iam.UserPrincipal("aws", testAccount, "/", name, "AIDAEXAMPLE")}
}

func sign(t testing.TB, w *world, r *message.Request, region, service string, at time.Time) *message.Request {
	t.Helper()
	s := sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", Secret: "secret"}, Region: region,
		Service: service, Now: func() time.Time { return at }}
	if err := s.Sign(r, sigv4.EmptyHash); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every error of facts: apigateway 3 that a request can get.
func TestErrors(t *testing.T) {
	fn := testFunction(t)
	closed := &Function{ARN: functionARN, SourcePath: "Resources.Fn"}
	allow := iam.NamedPolicy{Name: "p", Document: policy(t, statement("Allow", "", "execute-api:Invoke", "*"))}
	deny := iam.NamedPolicy{Name: "d", Document: policy(t, statement("Deny", "", "execute-api:*", "*"))}
	type setup func(*Plan, *world)
	iamMethod := Method{HTTPMethod: "GET", AuthorizationType: AuthIAM, Integration: proxy(fn)}
	resources := map[string][]Method{
		"/open":  {{HTTPMethod: "GET", Integration: proxy(fn)}, {HTTPMethod: "POST", Integration: proxy(fn)}},
		"/iam":   {iamMethod},
		"/key":   {{HTTPMethod: "GET", APIKeyRequired: true, Integration: proxy(fn)}},
		"/cog":   {{HTTPMethod: "GET", AuthorizationType: AuthCognito, Integration: proxy(fn)}},
		"/perm":  {{HTTPMethod: "GET", Integration: proxy(closed)}},
		"/gone":  {{HTTPMethod: "GET", Integration: proxy(&Function{ARN: functionARN, Missing: true, Policy: fn.Policy})}},
		"/get":   {{HTTPMethod: "GET", Integration: &Integration{Type: IntegrationAWSProxy, HTTPMethod: "GET", Function: fn}}},
		"/none":  {{HTTPMethod: "GET"}},
		"/http":  {{HTTPMethod: "GET", Integration: &Integration{Type: IntegrationHTTPProxy, URI: "http://backend.example/"}}},
		"/uri":   {{HTTPMethod: "GET", Integration: &Integration{Type: IntegrationHTTPProxy, URI: "http://backend.example/{x}"}}},
		"/mock":  {{HTTPMethod: "GET", Integration: mock("\"x\"")}},
		"/never": {{HTTPMethod: "POST", Integration: &Integration{Type: IntegrationMock, Passthrough: Never}}},
		"/sqs":   {{HTTPMethod: "GET", Integration: &Integration{Type: IntegrationAWS, URI: "arn:aws:apigateway:us-east-1:sqs:path/1/q"}}},
		"/params": {{HTTPMethod: "GET", ValidateParameters: true, Integration: proxy(fn), RequestParameters: []RequestParameter{
			{"method.request.querystring.qs1", true}, {"method.request.header.x-header-param", true}, {"method.request.header.opt", false}}}},
		"/model": {{HTTPMethod: "POST", ValidateBody: true, Integration: proxy(fn), RequestModels: []RequestModel{{"application/json", "Pet"}}}},
		"/noresponse": {{HTTPMethod: "GET", Integration: &Integration{Type: IntegrationMock,
			RequestTemplates: []TemplateFor{{"application/json", `{"statusCode":404}`}},
			Responses:        []IntegrationResponse{{StatusCode: "200", SelectionPattern: "2.."}}}}},
	}
	us := func(w *world) time.Time { return w.now }
	signed := func(path string, region, service string, age time.Duration) func(*world) *message.Request {
		return func(w *world) *message.Request {
			return sign(t, w, request("GET", path), region, service, us(w).Add(age))
		}
	}
	plain := func(r *message.Request) func(*world) *message.Request {
		return func(*world) *message.Request { return r }
	}
	known := func(policies ...iam.NamedPolicy) setup {
		return func(_ *Plan, w *world) { w.identities["AKIDEXAMPLE"] = user("u", policies...) }
	}
	resourcePolicy := func(effect string) setup {
		return func(p *Plan, _ *world) {
			p.API.Policy = policy(t, statement(effect, `"Principal":"*",`, "execute-api:Invoke", "arn:aws:execute-api:us-east-1:123456789012:a1b2c3d4e5/prod/GET/nothing"))
			if effect == "Deny" {
				p.API.Policy = policy(t, statement(effect, `"Principal":"*",`, "execute-api:Invoke", "*"))
			}
			p.API.PolicyPath = "Resources.Api.Policy"
		}
	}
	const denied = `{"Message":"User: %s is not authorized to perform: execute-api:Invoke on resource: arn:aws:execute-api:us-east-1:********9012:a1b2c3d4e5/prod/GET/%s%s"}`
	for _, c := range []struct {
		name      string
		setup     setup
		req       func(*world) *message.Request
		status    int
		errorType string
		body      string // a prefix when it ends in …
		cause     string
	}{
		{"unknown stage", nil, plain(request("GET", "/test/open")), 403, "ForbiddenException", `{"message":"Forbidden"}`, gateway.CauseUnknownStage},
		{"endpoint disabled", func(p *Plan, _ *world) { p.API.DisableExecuteAPIEndpoint = true }, plain(request("GET", "/prod/open")),
			403, "ForbiddenException", `{"message":"Forbidden"}`, gateway.CauseEndpointDisabled},
		{"no route", nil, plain(request("GET", "/prod/nowhere")), 403, "MissingAuthenticationTokenException",
			`{"message":"Missing Authentication Token"}`, CauseUnknownResource},
		{"no method", nil, plain(request("DELETE", "/prod/open")), 403, "MissingAuthenticationTokenException",
			`{"message":"Missing Authentication Token"}`, CauseUnknownMethod},
		{"no route, Bearer", nil, plain(request("GET", "/prod/nowhere", "Authorization", "Bearer x")), 403, "IncompleteSignatureException",
			`{"message":"Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '…`, CauseUnknownResource},
		{"no route, SigV4 without parts", nil, plain(request("GET", "/prod/nowhere", "Authorization", "AWS4-HMAC-SHA256 a=b")), 403, "IncompleteSignatureException",
			`{"message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. …`, CauseUnknownResource},
		{"IAM without signature", nil, plain(request("GET", "/prod/iam")), 403, "MissingAuthenticationTokenException",
			`{"message":"Missing Authentication Token"}`, CauseMissingAuthentication},
		{"IAM with Bearer", nil, plain(request("GET", "/prod/iam", "Authorization", "Bearer x")), 403, "IncompleteSignatureException",
			`{"message":"Invalid key=value pair…`, CauseIncompleteSignature},
		{"unknown key", nil, signed("/prod/iam", "us-east-1", "execute-api", 0), 403, "UnrecognizedClientException",
			`{"message":"The security token included in the request is invalid."}`, CauseUnknownAccessKey},
		{"scope", known(allow), signed("/prod/iam", "eu-west-1", "s3", 0), 403, "InvalidSignatureException",
			`{"message":"Credential should be scoped to a valid region, not 'eu-west-1'. Credential should be scoped to correct service: 'execute-api'. "}`, CauseInvalidSignature},
		{"expired", known(allow), signed("/prod/iam", "us-east-1", "execute-api", -10*time.Minute), 403, "InvalidSignatureException",
			`{"message":"Signature expired: 20260304T045607Z is now earlier than 20260304T050107Z (20260304T050607Z - 5 min.)"}`, CauseInvalidSignature},
		{"mismatch", known(allow), func(w *world) *message.Request {
			r := sign(t, w, request("GET", "/prod/iam"), "us-east-1", "execute-api", w.now)
			r.Query, r.HasQuery = "changed=1", true
			return r
		}, 403, "InvalidSignatureException", `{"message":"The request signature we calculated does not match…`, CauseSignatureMismatch},
		{"IAM implicit deny", known(), signed("/prod/iam", "us-east-1", "execute-api", 0), 403, "AccessDeniedException",
			fmt.Sprintf(denied, "arn:aws:iam::123456789012:user/u", "iam", " because no identity-based policy allows the execute-api:Invoke action"), CauseIAMImplicitDeny},
		{"IAM explicit deny", known(allow, deny), signed("/prod/iam", "us-east-1", "execute-api", 0), 403, "AccessDeniedException",
			fmt.Sprintf(denied, "arn:aws:iam::123456789012:user/u", "iam", " with an explicit deny in an identity-based policy"), CauseIAMExplicitDeny},
		{"resource policy silent", resourcePolicy("Allow"), plain(request("GET", "/prod/open")), 403, "AccessDeniedException",
			fmt.Sprintf(denied, "anonymous", "open", " because no resource-based policy allows the execute-api:Invoke action"), CauseResourcePolicyMissing},
		{"resource policy denies", resourcePolicy("Deny"), plain(request("GET", "/prod/open")), 403, "AccessDeniedException",
			fmt.Sprintf(denied, "anonymous", "open", " with an explicit deny in a resource-based policy"), CauseResourcePolicyDenies},
		{"cognito", nil, plain(request("GET", "/prod/cog", "Authorization", "eyJ")), 401, "UnauthorizedException", `{"message":"Unauthorized"}`, CauseCognitoUnsupported},
		{"no API key", nil, plain(request("GET", "/prod/key")), 403, "ForbiddenException", `{"message":"Forbidden"}`, CauseInvalidAPIKey},
		{"wrong API key", nil, plain(request("GET", "/prod/key", "x-api-key", "nope")), 403, "ForbiddenException", `{"message":"Forbidden"}`, CauseInvalidAPIKey},
		{"parameters", nil, plain(request("GET", "/prod/params?qs1=")), 400, "BadRequestException",
			`{"message": "Missing required request parameters: [x-header-param, qs1]"}`, CauseParametersMissing},
		{"body", func(p *Plan, _ *world) {
			p.Models = []Model{{Name: "Pet", Schema: `{"$schema":"http://json-schema.org/draft-04/schema#","type":"object","required":["name"]}`}}
		}, func(*world) *message.Request { return withBody(request("POST", "/prod/model"), `{"nam":1}`) }, 400, "BadRequestException",
			`{"message": "Invalid request body"}`, CauseInvalidBody},
		{"model missing", nil, func(*world) *message.Request { return withBody(request("POST", "/prod/model"), `{}`) }, 500,
			"InternalServerErrorException", `{"message": "Internal server error"}`, CauseModelUnusable},
		{"passthrough never", nil, func(*world) *message.Request { return withBody(request("POST", "/prod/never"), `{}`) }, 415, "BadRequestException",
			`{"message": "Unsupported Media Type"}`, CauseUnsupportedMediaType},
		{"too long", nil, func(*world) *message.Request {
			r := request("POST", "/prod/open")
			r.Body, r.ContentLength = strings.NewReader(""), maxBody+1
			return r
		}, 413, "RequestEntityTooLargeException", `{"message":"Request Too Long"}`, CauseRequestTooLong},
		{"timeout", func(_ *Plan, w *world) {
			w.invoke = func(Call) (CallResult, error) { return CallResult{}, context.DeadlineExceeded }
		}, plain(request("GET", "/prod/open")), 504, "InternalServerErrorException", `{"message": "Endpoint request timed out"}`, CauseIntegrationTimeout},
		{"unreachable", nil, plain(request("GET", "/prod/http")), 504, "InternalServerErrorException",
			`{"message": "Network error communicating with endpoint"}`, CauseIntegrationNetwork},
		{"URI with a hole", nil, plain(request("GET", "/prod/uri")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseInvalidEndpoint},
		{"no permission", nil, plain(request("GET", "/prod/perm")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseLambdaPermission},
		{"no function", nil, plain(request("GET", "/prod/gone")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseFunctionMissing},
		{"proxy with GET", nil, plain(request("GET", "/prod/get")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseProxyMethod},
		{"no integration", nil, plain(request("GET", "/prod/none")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseNoIntegration},
		{"other service", nil, plain(request("GET", "/prod/sqs")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseServiceUnsupported},
		{"mock without status", nil, plain(request("GET", "/prod/mock")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseMockStatusCode},
		{"no response", nil, plain(request("GET", "/prod/noresponse")), 500, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseNoIntegrationResponse},
		{"function error", func(_ *Plan, w *world) {
			w.invoke = func(Call) (CallResult, error) {
				return CallResult{Payload: []byte(`{"errorMessage":"boom"}`), FunctionError: "Unhandled"}, nil
			}
		}, plain(request("GET", "/prod/open")), 502, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseFunctionError},
		{"malformed", func(_ *Plan, w *world) {
			w.invoke = func(Call) (CallResult, error) { return CallResult{Payload: []byte(`"text"`)}, nil }
		}, plain(request("GET", "/prod/open")), 502, "InternalServerErrorException", `{"message": "Internal server error"}`, CauseMalformedResponse},
		{"throttled", func(p *Plan, _ *world) {
			p.Stage.MethodSettings = []MethodSettings{{Path: "*", Method: "*", Throttle: &Throttle{}}}
		}, plain(request("GET", "/prod/open")), 429, "TooManyRequestsException", `{"message":"Too Many Requests"}`, CauseThrottled},
		{"quota", func(p *Plan, _ *world) {
			p.UsagePlans = []UsagePlan{{ID: "up", Quota: &Quota{Limit: 0, Period: "DAY"}, Keys: []APIKey{{"k", "v", true}}}}
		}, plain(request("GET", "/prod/key", "x-api-key", "v")), 429, "LimitExceededException", `{"message":"Limit Exceeded"}`, CauseQuotaExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, w := testPlan(resources), newWorld()
			if c.setup != nil {
				c.setup(p, w)
			}
			resp, body, hop := serve(t, p, w, c.req(w))
			prefix, open := strings.CutSuffix(c.body, "…")
			if resp.Status != c.status || body != c.body && !(open && strings.HasPrefix(body, prefix)) {
				t.Errorf("got  %d %s\nwant %d %s", resp.Status, body, c.status, c.body)
			}
			if f := refusal(hop); f.Name != c.errorType || f.Detail != c.cause || f.Path == "" {
				t.Errorf("fact %+v, want %s %s", f, c.errorType, c.cause)
			}
			for _, want := range [][2]string{{"x-amzn-ErrorType", c.errorType}, {"x-amzn-RequestId", testID},
				{"x-amz-apigw-id", "Dx4tPEtaaXiHlqU="}, {"Content-Type", "application/json"}, {"Date", "Wed, 04 Mar 2026 05:06:07 GMT"}} {
				if got := resp.Header.Get(want[0]); got != want[1] {
					t.Errorf("%s: %q, want %q", want[0], got, want[1])
				}
			}
			if resp.ContentLength != int64(len(body)) {
				t.Errorf("length %d of %d", resp.ContentLength, len(body))
			}
		})
	}
}
