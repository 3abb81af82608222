package compile

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	run "github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/service/lambda"
	"github.com/foregate/foregate/internal/service/logs"
	"github.com/foregate/foregate/internal/service/s3"
	"github.com/foregate/foregate/internal/stack"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// bench is a store with services and what compilations stand on, without servers.
type bench struct {
	t        *testing.T
	services *stack.Services
	env      *Env
	objects  map[string]bucket.Objects
	opts     stack.Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, objects: map[string]bucket.Objects{}, opts: stack.Options{Region: "eu-west-1", Account: "123456789012", StackName: "demo", Folder: t.TempDir()}}
	env := &service.Env{Store: store.Memory(time.Now), Now: time.Now, Account: "123456789012"}
	objects := func(name string) (bucket.Objects, error) {
		if b.objects[name] == nil {
			b.objects[name] = bucket.NewMemory(nil)
		}
		return b.objects[name], nil
	}
	s3Service := s3.New(env, objects)
	b.services = &stack.Services{Env: env, Lambda: lambda.New(env, lambda.Options{ReadObject: s3Service.ReadObject}), S3: s3Service, Logs: logs.New(env)}
	runtime := run.New(run.Options{NoSpares: true})
	t.Cleanup(func() { runtime.Close() })
	b.env = &Env{Region: "eu-west-1", Account: "123456789012", Now: time.Now, Functions: runtime, Sessions: iam.NewSessions(time.Now),
		Objects: func(name, _ string) (bucket.Objects, error) { return objects(name) }}
	return b
}

// deploy deploys a template and returns the findings.
func (b *bench) deploy(template string) stack.Outcome {
	b.t.Helper()
	t, found := cloudformation.Parse("demo.yaml", []byte(template))
	if diag.Worst(found) == diag.Error {
		b.t.Fatalf("parse: %v", found)
	}
	return b.services.Deploy(context.Background(), t, b.opts)
}

// compile runs the stages of this area alone.
func (b *bench) compile() (*compiler, *front.Snapshot) {
	c := &compiler{view: b.services.Env.Store.View(), env: b.env, front: front.NewBuilder(1)}
	c.identities()
	c.functionsStage()
	c.bucketsStage()
	return c, c.front.Build()
}

func codes(found []diag.Finding) string {
	var out []string
	for _, f := range found {
		out = append(out, string(f.Code)+" "+f.Path+" "+f.Message)
	}
	return strings.Join(out, "\n")
}

const demo = `
Resources:
  Role: {Type: AWS::CDK::Metadata}
  Hello:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/hello
      Environment: {Variables: {GREETING: hello, NUMBER: 3}}
      Tags: [{Key: team, Value: a}]
      Code:
        ZipFile: |
          exports.handler = async (event, context) => ({says: process.env.GREETING + process.env.NUMBER, arn: context.invokedFunctionArn})
  Local:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: local
      Runtime: python3.12
      Handler: app.handler
      Role: arn:aws:iam::123456789012:role/hello
      Code: ./src
  Absent:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: nodejs22.x
      Handler: index.handler
      Role: arn:aws:iam::123456789012:role/hello
      VpcConfig: {SubnetIds: [subnet-1], SecurityGroupIds: [sg-1]}
      LoggingConfig: {LogFormat: JSON, ApplicationLogLevel: FATAL}
      Code: {S3Bucket: elsewhere, S3Key: code.zip}
  HelloV1: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Hello}}
  HelloLive:
    Type: AWS::Lambda::Alias
    Properties: {FunctionName: !Ref Hello, FunctionVersion: !GetAtt HelloV1.Version, Name: live}
  Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref HelloLive
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:abc/*
  HelloUrl:
    Type: AWS::Lambda::Url
    Properties: {TargetFunctionArn: !Ref HelloLive, AuthType: NONE}
  UrlPermission:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunctionUrl, FunctionName: !Ref HelloLive, Principal: "*", FunctionUrlAuthType: NONE}
  UrlInvoke:
    Type: AWS::Lambda::Permission
    Properties: {Action: lambda:InvokeFunction, FunctionName: !Ref HelloLive, Principal: "*", InvokedViaFunctionUrl: true}
  HelloLogs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/aws/lambda/${Hello}", RetentionInDays: 7}
  Site:
    Type: AWS::S3::Bucket
    Properties:
      BucketEncryption: {ServerSideEncryptionConfiguration: [{ServerSideEncryptionByDefault: {SSEAlgorithm: AES256}}]}
      VersioningConfiguration: {Status: Enabled}
      LifecycleConfiguration: {Rules: [{Status: Enabled, ExpirationInDays: 1}]}
      PublicAccessBlockConfiguration: {BlockPublicAcls: true, IgnorePublicAcls: true}
      WebsiteConfiguration: {IndexDocument: index.html, ErrorDocument: error.html}
      LoggingConfiguration: {DestinationBucketName: logs, LogFilePrefix: x/}
      CorsConfiguration: {CorsRules: [{AllowedHeaders: ['*'], AllowedMethods: [GET], AllowedOrigins: ['*'], ExposedHeaders: [ETag], MaxAge: 10}]}
  SitePolicy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Site
      PolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: "*", Action: s3:GetObject, Resource: !Sub "${Site.Arn}/*"}]
Outputs:
  Hello: {Value: !Ref Hello}
  HelloArn: {Value: !GetAtt Hello.Arn}
  Version: {Value: !Ref HelloV1}
  Alias: {Value: !Ref HelloLive}
  Bucket: {Value: !Ref Site}
  Domain: {Value: !GetAtt Site.RegionalDomainName}
  Website: {Value: !GetAtt Site.WebsiteURL}
  Logs: {Value: !GetAtt HelloLogs.Arn}
  Url: {Value: !GetAtt HelloUrl.FunctionUrl}
  LocalArn: {Value: !GetAtt Local.Arn}
  AbsentArn: {Value: !GetAtt Absent.Arn}
`

func outputs(o stack.Outcome) map[string]string {
	out := map[string]string{}
	for _, v := range o.Stack.Outputs {
		out[v.Key] = v.Value
	}
	return out
}

// A template's functions, versions, aliases and buckets are deployed, compiled and answer.
func TestTemplateServes(t *testing.T) {
	b := newBench(t)
	if err := os.Mkdir(filepath.Join(b.opts.Folder, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.opts.Folder, "src", "app.py"), []byte("def handler(event, context):\n    return {'from': 'folder'}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	o := b.deploy(demo)
	if o.Stack == nil {
		t.Fatalf("deploy: %s", codes(o.Findings))
	}
	out := outputs(o)
	for key, want := range map[string]string{
		"HelloArn": "arn:aws:lambda:eu-west-1:123456789012:function:" + out["Hello"],
		"Version":  "arn:aws:lambda:eu-west-1:123456789012:function:" + out["Hello"] + ":1",
		"Alias":    "arn:aws:lambda:eu-west-1:123456789012:function:" + out["Hello"] + ":live",
		"Domain":   out["Bucket"] + ".s3.eu-west-1.amazonaws.com",
		"Website":  "http://" + out["Bucket"] + ".s3-website-eu-west-1.amazonaws.com",
		"Logs":     "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/" + out["Hello"] + ":*",
	} {
		if out[key] != want {
			t.Errorf("output %s: got %q, want %q", key, out[key], want)
		}
	}
	if !strings.HasPrefix(out["Hello"], "demo-Hello-") || !strings.HasPrefix(out["Bucket"], "demo-site-") {
		t.Errorf("names: %q, %q", out["Hello"], out["Bucket"])
	}
	if got := codes(o.Findings); !strings.Contains(got, "function-code-missing Resources.Absent.Properties.Code") {
		t.Errorf("findings of deploy: %s", got)
	}

	c, snapshot := b.compile()
	got := codes(c.findings)
	for _, want := range []string{"unsupported-property Resources.Absent.Properties.VpcConfig", "unsupported-property Resources.Absent.Properties.LoggingConfig"} {
		if !strings.Contains(got, want) {
			t.Errorf("findings of compile lack %q:\n%s", want, got)
		}
	}
	alias := out["Alias"]
	for arn, want := range map[string]string{
		out["HelloArn"]: `{"says":"hello3","arn":"` + out["HelloArn"] + `"}`, out["HelloArn"] + ":$LATEST": `{"says":"hello3"`, out["Version"]: `{"says":"hello3"`,
		alias: `{"says":"hello3","arn":"` + alias + `"}`, out["LocalArn"]: `{"from": "folder"}`,
	} {
		f := c.functions[arn]
		if f == nil || f.Function == nil {
			t.Errorf("%s is not there: %+v", arn, f)
			continue
		}
		r, err := f.Invoke(context.Background(), run.Invocation{ARN: f.ARN})
		if err != nil || !strings.HasPrefix(strings.ReplaceAll(string(r.Payload), `": "`, `":"`), strings.ReplaceAll(want, `": "`, `":"`)) {
			t.Errorf("%s: %s %v, want %s", arn, r.Payload, err, want)
		}
	}
	if f := c.functions[out["AbsentArn"]]; f == nil || f.Function != nil || !strings.Contains(f.Missing, "--function Absent=DIR") {
		t.Errorf("function without code: %+v", f)
	}
	d := iam.Evaluate(&iam.Request{Principal: new(iam.ServicePrincipal("apigateway.amazonaws.com")), Action: "lambda:InvokeFunction", Resource: alias, Account: "123456789012",
		ResourcePolicy: &iam.NamedPolicy{Document: c.functions[alias].Policy},
		Context:        iam.Context{"aws:sourcearn": {"arn:aws:execute-api:eu-west-1:123456789012:abc/prod/GET/x"}}})
	if !d.Allowed() || c.functions[out["HelloArn"]].Policy != nil {
		t.Errorf("policy of the alias: %+v", d)
	}

	host := strings.TrimSuffix(strings.TrimPrefix(out["Url"], "https://"), "/")
	if status, body := get(t, snapshot, host, "/"); status != 200 || !strings.HasPrefix(body, `{"says":"hello3"`) {
		t.Errorf("function URL %s: %d %s", out["Url"], status, body)
	}

	if _, err := b.objects[out["Bucket"]].Put(context.Background(), "index.html", strings.NewReader("home"), bucket.Attributes{}); err != nil {
		t.Fatal(err)
	}
	for host, path := range map[string]string{out["Domain"]: "/index.html", out["Bucket"] + ".s3.amazonaws.com": "/index.html", strings.TrimPrefix(out["Website"], "http://"): "/"} {
		if status, body := get(t, snapshot, host, path); status != 200 || body != "home" {
			t.Errorf("%s%s: %d %s", host, path, status, body)
		}
	}
}

// get asks a host of a snapshot.
func get(t *testing.T, snapshot *front.Snapshot, host, path string) (int, string) {
	t.Helper()
	h, _, ok := snapshot.Resolve(host)
	if !ok {
		t.Fatalf("%s is not served", host)
	}
	resp := h.Serve(context.Background(), &message.Request{Method: "GET", Scheme: "https", Host: host, Path: path})
	if resp.Body == nil {
		return resp.Status, ""
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status, string(data)
}
