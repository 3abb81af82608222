package stack

import (
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
)

const proxyTemplate = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}
  Fn:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import json
          def handler(event, context):
              if event.get("type") == "TOKEN":
                  ok = event["authorizationToken"] == "yes"
                  return {"principalId": "p", "policyDocument": {"Version": "2012-10-17", "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow" if ok else "Deny", "Resource": event["methodArn"]}]}}
              return {"statusCode": 200, "headers": {"Content-Type": "text/plain"}, "body": event["httpMethod"] + " " + event["path"] + " " + event["resource"]}
  Permission:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref Fn, Principal: apigateway.amazonaws.com}
  Api:
    Type: AWS::ApiGateway::RestApi
    Properties: {Name: proxy, EndpointConfiguration: {Types: [REGIONAL]}}
  Any: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: '{proxy+}'}}
  Keyed: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: keyed}}
  Closed: {Type: AWS::ApiGateway::Resource, Properties: {RestApiId: !Ref Api, ParentId: !GetAtt Api.RootResourceId, PathPart: closed}}
  Auth:
    Type: AWS::ApiGateway::Authorizer
    Properties:
      RestApiId: !Ref Api
      Name: a
      Type: TOKEN
      IdentitySource: method.request.header.Authorization
      AuthorizerUri: !Sub arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations
  AnyMethod:
    Type: AWS::ApiGateway::Method
    Properties: &proxy
      RestApiId: !Ref Api
      ResourceId: !Ref Any
      HttpMethod: ANY
      AuthorizationType: NONE
      Integration: {Type: AWS_PROXY, IntegrationHttpMethod: POST, Uri: !Sub 'arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Fn.Arn}/invocations'}
  KeyedMethod:
    Type: AWS::ApiGateway::Method
    Properties: {<<: *proxy, ResourceId: !Ref Keyed, HttpMethod: GET, ApiKeyRequired: true}
  ClosedMethod:
    Type: AWS::ApiGateway::Method
    Properties: {<<: *proxy, ResourceId: !Ref Closed, HttpMethod: GET, AuthorizationType: CUSTOM, AuthorizerId: !Ref Auth}
  Denied:
    Type: AWS::ApiGateway::GatewayResponse
    Properties: {RestApiId: !Ref Api, ResponseType: INVALID_API_KEY, StatusCode: '401', ResponseTemplates: {application/json: '{"key":"please"}'}}
  Dep:
    Type: AWS::ApiGateway::Deployment
    DependsOn: [AnyMethod, KeyedMethod, ClosedMethod, Denied]
    Properties: {RestApiId: !Ref Api, StageName: live, StageDescription: {Variables: {a: b}, TracingEnabled: true}}
  Key: {Type: AWS::ApiGateway::ApiKey, DependsOn: Dep, Properties: {Value: 12345678901234567890, Enabled: true}}
  Plan:
    Type: AWS::ApiGateway::UsagePlan
    DependsOn: Dep
    Properties: {UsagePlanName: basic, ApiStages: [{ApiId: !Ref Api, Stage: live, Throttle: {/keyed/GET: {RateLimit: 5, BurstLimit: 5}}}], Quota: {Limit: 2, Period: DAY}}
  PlanKey: {Type: AWS::ApiGateway::UsagePlanKey, Properties: {KeyId: !Ref Key, KeyType: API_KEY, UsagePlanId: !Ref Plan}}
  Cert: {Type: AWS::CertificateManager::Certificate, Properties: {DomainName: '*.example.com'}}
  Domain:
    Type: AWS::ApiGateway::DomainName
    Properties: {DomainName: api.example.com, RegionalCertificateArn: !Ref Cert, EndpointConfiguration: {Types: [REGIONAL]}}
  Mapping:
    Type: AWS::ApiGateway::BasePathMapping
    DependsOn: Dep
    Properties: {DomainName: !Ref Domain, BasePath: v1, RestApiId: !Ref Api, Stage: live}
Outputs:
  Host: {Value: !Sub '${Api}.execute-api.${AWS::Region}.amazonaws.com'}
  Target: {Value: !GetAtt Domain.RegionalDomainName}
`

func TestGatewayProxy(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("there is no python3")
	}
	w := newGatewayWorld(t)
	w.deploy(t, proxyTemplate)
	host := w.output(t, "Host")
	for _, f := range w.result.Findings {
		if f.Code != diag.UnsupportedResourceType {
			t.Log(f.Severity, f.Code, f.Path, f.Message)
		}
	}
	for _, c := range []struct {
		host, path, header, value string
		status                    int
		body                      string
	}{
		{host, "/live/a/b", "", "", 200, "GET /a/b /{proxy+}"},
		{host, "/live/keyed", "", "", 401, `{"key":"please"}`},
		{host, "/live/keyed", "x-api-key", "12345678901234567890", 200, "GET /keyed /keyed"},
		{host, "/live/keyed", "x-api-key", "12345678901234567890", 200, "GET /keyed /keyed"},
		{host, "/live/keyed", "x-api-key", "12345678901234567890", 429, `{"message":"Limit Exceeded"}`},
		{host, "/live/closed", "", "", 401, `{"message":"Unauthorized"}`},
		{host, "/live/closed", "Authorization", "yes", 200, "GET /closed /closed"},
		{host, "/live/closed", "Authorization", "no", 403, "is not authorized"},
		{"api.example.com", "/v1/a", "", "", 200, "GET /v1/a /{proxy+}"},
		{"api.example.com", "/v2/a", "", "", 403, `{"message":"Forbidden"}`},
	} {
		h, _, ok := w.result.Snapshot.Resolve(c.host)
		if !ok {
			t.Errorf("host %s is not served", c.host)
			continue
		}
		r := &message.Request{Method: "GET", Scheme: "https", Host: c.host, Path: c.path, Proto: message.HTTP11}
		if c.header != "" {
			r.Header.Add(c.header, c.value)
		}
		resp := h.Serve(context.Background(), r)
		body, _ := io.ReadAll(resp.Body)
		if resp.Status != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s%s %s: got %d %s, want %d %s", c.host, c.path, c.value, resp.Status, body, c.status, c.body)
		}
	}
	if target := w.output(t, "Target"); !strings.HasPrefix(target, "d-") {
		t.Errorf("target %s", target)
	}
	w.changes(t)
}

// changes updates what can be changed in place, and then takes everything away.
func (w *gatewayWorld) changes(t *testing.T) {
	host := w.output(t, "Host")
	next := strings.NewReplacer("Name: proxy", "Name: renamed, Description: d, BinaryMediaTypes: [image/png], MinimumCompressionSize: 9", "Quota: {Limit: 2,", "Description: e, Quota: {Limit: 3,",
		"StatusCode: '401'", "StatusCode: '402'", "Name: a\n", "Name: b\n", "BasePath: v1", "BasePath: v2", "EndpointConfiguration: {Types: [REGIONAL]}}\n  Mapping", "EndpointConfiguration: {Types: [REGIONAL]}, SecurityPolicy: TLS_1_0}\n  Mapping",
		"Enabled: true", "Enabled: false", "AuthorizationType: NONE", "AuthorizationType: NONE\n      OperationName: o").Replace(proxyTemplate)
	w.deploy(t, next)
	if got := w.output(t, "Host"); got != host {
		t.Errorf("the API got another id: %s, was %s", got, host)
	}
	if status, body := w.get(t, "GET", "api.example.com", "/v2/a"); status != 200 {
		t.Errorf("got %d %s", status, body)
	}
	w.deploy(t, "Resources: {Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Version: '2012-10-17', Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}}}}")
	if w.outcome.Stack == nil {
		for _, f := range w.outcome.Findings {
			t.Error(f.Path, f.Message)
		}
	}
	for _, f := range w.outcome.Findings {
		t.Log(f.Path, f.Message)
	}
	if status, body := w.get(t, "GET", host, "/live/a"); status != 403 || body != `{"message":"Forbidden"}` {
		t.Errorf("got %d %s", status, body)
	}
}
