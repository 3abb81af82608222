package stack

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/compile"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge/cache"
	run "github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/service/acm"
	"github.com/foregate/foregate/internal/service/apigateway"
	"github.com/foregate/foregate/internal/service/cloudfront"
	iamservice "github.com/foregate/foregate/internal/service/iam"
	"github.com/foregate/foregate/internal/service/lambda"
	"github.com/foregate/foregate/internal/service/logs"
	"github.com/foregate/foregate/internal/service/route53"
	"github.com/foregate/foregate/internal/service/s3"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// gatewayWorld is a store with the services that a test needs, and what was compiled of it.
type gatewayWorld struct {
	services *Services
	result   *compile.Result
	outcome  Outcome
	cenv     *compile.Env
}

func testClock() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func newGatewayWorld(t *testing.T) *gatewayWorld {
	runtime := run.New(run.Options{})
	t.Cleanup(func() { _ = runtime.Close() })
	env := &service.Env{Store: store.Memory(testClock), Now: testClock, Account: "123456789012", Seed: []byte("seed")}
	services := &Services{Env: env, APIGateway: apigateway.New(env), CloudFront: cloudfront.New(env, nil), IAM: iamservice.New(env), Lambda: lambda.New(env, lambda.Options{}),
		Logs: logs.New(env), Route53: route53.New(env), S3: s3.New(env, func(string) (bucket.Objects, error) { return bucket.NewMemory(testClock), nil }),
		ACM: acm.New(env, func([]string) (string, string, error) { return "", "", nil })}
	return &gatewayWorld{services: services,
		cenv: &compile.Env{Region: "us-east-1", Account: "123456789012", Now: testClock, Functions: runtime, Sessions: iam.NewSessions(time.Now), Cache: cache.New(1 << 20),
			Objects: func(string, string) (bucket.Objects, error) { return bucket.NewMemory(testClock), nil }}}
}

// deploy deploys a template and compiles; refusals stay in w.outcome.
func (w *gatewayWorld) deploy(t *testing.T, text string) {
	t.Helper()
	tmpl, found := cloudformation.Parse("template.yaml", []byte(text))
	if tmpl == nil {
		t.Fatalf("template: %v", found)
	}
	w.outcome = w.services.Deploy(context.Background(), tmpl, Options{Region: "us-east-1", Account: "123456789012", StackName: "s"})
	w.result = compile.All(w.services.Env.Store.View(), w.cenv)
}

// get sends a request to a host of the stack.
func (w *gatewayWorld) get(t *testing.T, method, host, path string) (int, string) {
	t.Helper()
	h, _, ok := w.result.Snapshot.Resolve(host)
	if !ok {
		t.Fatalf("host %s is not served", host)
	}
	resp := h.Serve(context.Background(), &message.Request{Method: method, Scheme: "https", Host: host, Path: path, Proto: message.HTTP11})
	if resp.Body == nil {
		return resp.Status, ""
	}
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status, string(b)
}

func (w *gatewayWorld) output(t *testing.T, key string) string {
	t.Helper()
	if w.outcome.Stack == nil {
		for _, f := range w.outcome.Findings {
			t.Log(f.Path, f.Message)
		}
		t.Fatal("the stack was refused")
	}
	for _, o := range w.outcome.Stack.Outputs {
		if o.Key == key {
			return o.Value
		}
	}
	t.Fatalf("no output %s", key)
	return ""
}

const mockTemplate = `
Resources:
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties: {Name: pets, EndpointConfiguration: {Types: [REGIONAL]}}
  Pets:
    Type: AWS::ApiGateway::Resource
    Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: pets}
  GetPets:
    Type: AWS::ApiGateway::Method
    Properties:
      RestApiId: !Ref Api
      ResourceId: !Ref Pets
      HttpMethod: GET
      AuthorizationType: NONE
      MethodResponses: [{StatusCode: 200, ResponseParameters: {method.response.header.X-A: true}}]
      Integration:
        Type: MOCK
        RequestTemplates: {application/json: '{"statusCode": 200}'}
        IntegrationResponses:
          - StatusCode: 200
            ResponseParameters: {method.response.header.X-A: "'b'"}
            ResponseTemplates: {application/json: '{"pets":["$stageVariables.name"]}'}
  Dep:
    Type: AWS::ApiGateway::Deployment
    DependsOn: GetPets
    Properties: {RestApiId: !Ref Api}
  Prod:
    Type: AWS::ApiGateway::Stage
    Properties:
      RestApiId: !Ref Api
      DeploymentId: !Ref Dep
      StageName: prod
      Variables: {name: rex}
      MethodSettings: [{HttpMethod: '*', ResourcePath: '/*', LoggingLevel: INFO}]
Outputs:
  Host: {Value: !Sub '${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}'}
`

func TestGatewayMock(t *testing.T) {
	w := newGatewayWorld(t)
	w.deploy(t, mockTemplate)
	host := w.output(t, "Host")
	for _, f := range w.result.Findings {
		t.Log(f.Code, f.Path, f.Message)
	}
	if status, body := w.get(t, "GET", host, "/prod/pets"); status != 200 || body != `{"pets":["rex"]}` {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := w.get(t, "GET", host, "/prod/none"); status != 403 || body != `{"message":"Missing Authentication Token"}` {
		t.Errorf("got %d %s", status, body)
	}
	if status, body := w.get(t, "GET", "zzzzzzzzzz.execute-api.us-east-1.amazonaws.com", "/prod/pets"); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("got %d %s", status, body)
	}
	// A change of a method alone is not served: the deployment is a copy (facts: apigateway 4).
	w.deploy(t, strings.Replace(mockTemplate, `{"pets":[`, `{"dogs":[`, 1))
	if _, body := w.get(t, "GET", host, "/prod/pets"); body != `{"pets":["rex"]}` {
		t.Errorf("got %s", body)
	}
	w.deploy(t, strings.Replace(strings.Replace(mockTemplate, `{"pets":[`, `{"dogs":[`, 1), "name: rex", "name: tom", 1))
	if _, body := w.get(t, "GET", host, "/prod/pets"); body != `{"pets":["tom"]}` {
		t.Errorf("got %s", body)
	}
	if diag.Worst(w.result.Findings) == diag.Error {
		t.Errorf("findings: %v", w.result.Findings)
	}
}
