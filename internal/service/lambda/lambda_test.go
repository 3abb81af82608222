package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	run "github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func newService(opts Options) (*Service, context.Context) {
	// The clock ticks at each look, since LastModified tells states apart.
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	now := func() time.Time { at = at.Add(time.Millisecond); return at }
	env := &service.Env{Store: store.Memory(now), Now: now, Account: "123456789012"}
	return New(env, opts), awsapi.WithCall(context.Background(), &awsapi.Call{Region: "us-east-1", Account: "123456789012", RequestID: "r-1"})
}

func zipOf(t testing.TB, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func create(t testing.TB, s *Service, ctx context.Context, name string) *lambda.FunctionConfiguration {
	t.Helper()
	out, err := s.CreateFunction(ctx, &lambda.CreateFunctionInput{FunctionName: &name, Runtime: new("nodejs22.x"), Handler: new("index.handler"),
		Role: new("arn:aws:iam::123456789012:role/r"), Code: &lambda.FunctionCode{ZipFile: zipOf(t, "index.js", "1")}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantError checks code, status and text of a refusal.
func wantError(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error, want %s", what, code)
		return
	}
	e := awsapi.AsError(err)
	if e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("%s: got %s: %s, want %s: %s", what, e.Code, e.Message, code, text)
	}
}

// The forms of FunctionName (Lambda API reference).
func TestResolve(t *testing.T) {
	s, ctx := newService(Options{})
	for text, want := range map[string]string{
		"f": "f", "f:1": "f:1", "f:live": "f:live", "123456789012:function:f": "f", "123456789012:f": "f", "function:f:$LATEST": "f:$LATEST",
		"arn:aws:lambda:us-east-1:123456789012:function:f":   "f",
		"arn:aws:lambda:us-east-1:123456789012:function:f:2": "f:2",
		"us-east-1:123456789012:function:f":                  "f",
	} {
		got, err := s.resolve(ctx, &text, nil)
		if err != nil || got.arn() != "arn:aws:lambda:us-east-1:123456789012:function:"+want {
			t.Errorf("%s: got %s %v", text, got.arn(), err)
		}
	}
	_, err := s.resolve(ctx, new("arn:aws:lambda:eu-west-1:123456789012:function:f"), nil)
	wantError(t, "another region", err, "ResourceNotFoundException", "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')")
	_, err = s.resolve(ctx, new("f:1"), new("2"))
	wantError(t, "two qualifiers", err, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.")
}

func TestRefusals(t *testing.T) {
	s, ctx := newService(Options{})
	create(t, s, ctx, "f")
	in := func(change func(*lambda.CreateFunctionInput)) error {
		v := &lambda.CreateFunctionInput{FunctionName: new("g"), Runtime: new("nodejs22.x"), Handler: new("index.handler"), Role: new("arn:aws:iam::123456789012:role/r"),
			Code: &lambda.FunctionCode{ZipFile: zipOf(t, "index.js", "1")}}
		change(v)
		_, err := s.CreateFunction(ctx, v)
		return err
	}
	for name, c := range map[string]struct {
		change     func(*lambda.CreateFunctionInput)
		code, text string
	}{
		"exists":  {func(v *lambda.CreateFunctionInput) { v.FunctionName = new("f") }, "ResourceConflictException", "Function already exist: f"},
		"no zip":  {func(v *lambda.CreateFunctionInput) { v.Code.ZipFile = []byte("x") }, "InvalidParameterValueException", "Could not unzip uploaded file."},
		"no code": {func(v *lambda.CreateFunctionInput) { v.Code.ZipFile = nil }, "InvalidParameterValueException", "Please provide a source for function code."},
		"runtime": {func(v *lambda.CreateFunctionInput) { v.Runtime = nil }, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters"},
		"memory":  {func(v *lambda.CreateFunctionInput) { v.MemorySize = new(int64(20000)) }, "InvalidParameterValueException", "less than or equal to 10240"},
		"reserved": {func(v *lambda.CreateFunctionInput) {
			v.Environment = &lambda.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"},
		"4 KB": {func(v *lambda.CreateFunctionInput) {
			v.Environment = &lambda.Environment{Variables: map[string]string{"A1": strings.Repeat("x", 4096)}}
		}, "InvalidParameterValueException", "exceeded the 4KB limit"},
		"bucket": {func(v *lambda.CreateFunctionInput) {
			v.Code = &lambda.FunctionCode{S3Bucket: new("nobody"), S3Key: new("k")}
		}, "InvalidParameterValueException", "S3 Error Code: NoSuchBucket"},
	} {
		wantError(t, name, in(c.change), c.code, c.text)
	}
	_, err := s.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: new("nope"), Qualifier: new("3")})
	wantError(t, "unknown", err, "ResourceNotFoundException", "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nope:3")
	_, err = s.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: new("f"), Name: new("live")})
	wantError(t, "alias", err, "ResourceNotFoundException", "Cannot find alias arn: arn:aws:lambda:us-east-1:123456789012:function:f:live")
	_, err = s.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: new("f")})
	wantError(t, "policy", err, "ResourceNotFoundException", "The resource you requested does not exist.")
	_, err = s.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: new("f"), RevisionId: new("x"), ZipFile: zipOf(t, "a", "b")})
	wantError(t, "revision", err, "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id.")
}

// Versions are numbered, immutable, and not made twice of the same state.
func TestVersionsAndAliases(t *testing.T) {
	s, ctx := newService(Options{})
	create(t, s, ctx, "f")
	publish := func() string {
		v, err := s.PublishVersion(ctx, &lambda.PublishVersionInput{FunctionName: new("f")})
		if err != nil {
			t.Fatal(err)
		}
		return *v.Version
	}
	if a, b := publish(), publish(); a != "1" || b != "1" {
		t.Errorf("published %s, then %s without a change", a, b)
	}
	if _, err := s.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: new("f"), Timeout: new(int64(9))}); err != nil {
		t.Fatal(err)
	}
	if v := publish(); v != "2" {
		t.Errorf("published %s after a change", v)
	}
	c, err := s.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: new("f:live")})
	if err != nil || *c.Timeout != 3 || *c.Version != "1" || *c.FunctionArn != "arn:aws:lambda:us-east-1:123456789012:function:f:live" {
		t.Errorf("behind the alias: %v %+v", err, c)
	}
	_, err = s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("f"), Qualifier: new("1")})
	wantError(t, "version in use", err, "ResourceConflictException", "")
	_, err = s.CreateAlias(ctx, &lambda.CreateAliasInput{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("2")})
	wantError(t, "alias twice", err, "ResourceConflictException", "Alias already exists: arn:aws:lambda:us-east-1:123456789012:function:f:live")
	if !resource.LambdaExists(s.env.Store.View(), "arn:aws:lambda:us-east-1:123456789012:function:f:2") || resource.LambdaExists(s.env.Store.View(), "arn:aws:lambda:us-east-1:123456789012:function:f:3") {
		t.Error("LambdaExists is wrong about versions")
	}
	if _, err := s.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	for range resource.FunctionVersions.Everywhere(s.env.Store.View()) {
		t.Error("a version outlives its function")
	}
}

// The statement is AWS's to the letter (Lambda API reference, AddPermission, and answers quoted in public).
func TestPermissions(t *testing.T) {
	s, ctx := newService(Options{})
	create(t, s, ctx, "f")
	out, err := s.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: new("f"), StatementId: new("s"), Action: new("lambda:InvokeFunction"), Principal: new("apigateway.amazonaws.com"),
		SourceArn: new("arn:aws:execute-api:us-east-1:123456789012:a/*"), SourceAccount: new("123456789012")})
	want := `{"Sid":"s","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:aws:lambda:us-east-1:123456789012:function:f","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:123456789012:a/*"},"StringEquals":{"AWS:SourceAccount":"123456789012"}}}`
	if err != nil || *out.Statement != want {
		t.Errorf("statement %v\n%s\nwant\n%s", err, *out.Statement, want)
	}
	_, err = s.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: new("f"), StatementId: new("s"), Action: new("lambda:*"), Principal: new("*")})
	wantError(t, "twice", err, "ResourceConflictException", "The statement id (s) provided already exists.")
	_, err = s.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: new("f"), StatementId: new("t"), Action: new("lambda:*"), Principal: new("nobody")})
	wantError(t, "principal", err, "InvalidParameterValueException", "The provided principal was invalid. Please check the principal and try again.")
	p, err := s.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: new("f")})
	if err != nil || *p.Policy != `{"Version":"2012-10-17","Id":"default","Statement":[`+want+`]}` {
		t.Errorf("policy %v %+v", err, p)
	}
	_, err = s.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: new("f"), StatementId: new("x")})
	wantError(t, "remove", err, "ResourceNotFoundException", "Statement x is not found in resource policy.")
}

func TestInvoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s, ctx := newService(Options{Invoke: func(ctx context.Context, arn string, inv run.Invocation) (run.Result, error) {
			switch string(inv.Payload) {
			case `"busy"`:
				return run.Result{}, &run.Error{Type: "TooManyRequestsException", Status: 429, Message: "Rate Exceeded."}
			case `"fail"`:
				return run.Result{Payload: []byte(`{"errorType":"E"}`), FunctionError: "Unhandled", LogTail: "log"}, nil
			case `"wait"`:
				<-release
			}
			if ctx.Err() != nil {
				return run.Result{}, errors.New("canceled")
			}
			return run.Result{Payload: []byte(`"` + arn + `"`)}, nil
		}})
		create(t, s, ctx, "f")
		out, err := s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), Payload: []byte(`"fail"`), LogType: new("Tail")})
		if err != nil || *out.FunctionError != "Unhandled" || *out.StatusCode != 200 || *out.LogResult != "bG9n" || *out.ExecutedVersion != "$LATEST" {
			t.Errorf("failing function: %v %+v", err, out)
		}
		_, err = s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), Payload: []byte(`"busy"`)})
		wantError(t, "throttled", err, "TooManyRequestsException", "Rate Exceeded.")
		_, err = s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), Payload: []byte(`{`)})
		wantError(t, "no JSON", err, "InvalidRequestContentException", "Could not parse request body into json")
		if out, err = s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), InvocationType: new("DryRun")}); err != nil || *out.StatusCode != 204 {
			t.Errorf("dry run: %v %+v", err, out)
		}
		for range maxAsync {
			if out, err = s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), InvocationType: new("Event"), Payload: []byte(`"wait"`)}); err != nil || *out.StatusCode != 202 {
				t.Fatalf("event: %v %+v", err, out)
			}
		}
		_, err = s.Invoke(ctx, &lambda.InvokeInput{FunctionName: new("f"), InvocationType: new("Event")})
		wantError(t, "too many events", err, "TooManyRequestsException", "")
		close(release)
		s.Close()
	})
}
