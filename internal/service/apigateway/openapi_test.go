package apigateway

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func testNow() time.Time { return time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC) }

func testService() (*Service, context.Context) {
	s := New(&service.Env{Store: store.Memory(testNow), Now: testNow, Account: "111111111111", Seed: []byte("seed")})
	return s, awsapi.WithCall(context.Background(), &awsapi.Call{Region: "us-east-1", Account: "111111111111"})
}

// vectors is the folder of the recorded answers; the test is skipped without it.
func vectors(t testing.TB, parts ...string) string {
	root := os.Getenv("FOREGATE_VECTORS")
	if root == "" {
		root = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	p := filepath.Join(append([]string{root, "apigateway"}, parts...)...)
	if _, err := os.Stat(p); err != nil {
		t.Skipf("no test vectors at %s: set FOREGATE_VECTORS", p)
	}
	return p
}

// document reads a document and fills in what its recording filled in.
func document(t *testing.T, file string) []byte {
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const function = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:111111111111:function:f/invocations"
	return []byte(strings.NewReplacer("${authorizer_lambda_invocation_arn}", function, "${lambda_invocation_arn}", function,
		"${uri}", "http://example.com").Replace(string(body)))
}

// TestImportFiles imports every document of the vectors: none may panic, and those that AWS takes are taken.
func TestImportFiles(t *testing.T) {
	files, err := os.ReadDir(vectors(t, "files"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		if ext != ".json" && ext != ".yaml" {
			continue
		}
		t.Run(f.Name(), func(t *testing.T) {
			body := document(t, vectors(t, "files", f.Name()))
			s, ctx := testService()
			out, err := s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: body})
			if err != nil {
				if f.Name() == "oas30_documentation_parts.json" || f.Name() == "pets.json" {
					return
				}
				t.Fatal(err)
			}
			res, err := s.GetResources(ctx, &apigateway.GetResourcesInput{RestApiId: out.Id, Embed: []string{"methods"}, Limit: new(int64(500))})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for _, r := range res.Items {
				n += len(r.ResourceMethods)
			}
			t.Log(len(res.Items), "resources", n, "methods; warnings:", out.Warnings)
			if _, err := s.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: out.Id, StageName: new("s")}); err != nil {
				t.Log(err)
			}
		})
	}
}

func TestImportBadDocuments(t *testing.T) {
	for _, body := range []string{"", "{", "a: b", "[]", `{"swagger":"2.0","paths":{"/a":{"get":{"x-amazon-apigateway-integration":{"type":"aws_proxy"}}}}}`, "openapi: 3\npaths: 7\nservers: [1]\nsecurity: {}"} {
		s, ctx := testService()
		_, err := s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: []byte(body)})
		if err != nil && awsapi.AsError(err).Code != apigateway.ErrCodeBadRequestException {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestImportAsRecorded compares methods, authorizers and validators with what AWS made of the same documents.
func TestImportAsRecorded(t *testing.T) {
	raw, err := os.ReadFile(vectors(t, "test_apigateway_import.snapshot.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct {
		Content map[string]json.RawMessage `json:"recorded-content"`
	}
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	const prefix = "tests/aws/services/apigateway/test_apigateway_import.py::TestApiGatewayImportRestApi::"
	for name, file := range map[string]string{
		"test_import_and_validate_rest_api[openapi.spec.tf.json]":   "openapi.spec.tf.json",
		"test_import_and_validate_rest_api[swagger-mock-cors.json]": "swagger-mock-cors.json",
		"test_import_with_global_api_key_authorizer":                "openapi.spec.global-auth.json",
		"test_import_with_circular_models_and_request_validation":   "openapi.spec.circular-ref-with-request-body.json",
		"test_import_with_cognito_auth_identity_source":             "openapi.cognito-auth.json",
	} {
		t.Run(file, func(t *testing.T) {
			want := all[prefix+name].Content
			if want == nil {
				t.Fatal("no recording")
			}
			compareImport(t, vectors(t, "files", file), want)
		})
	}
}

func compareImport(t *testing.T, file string, want map[string]json.RawMessage) {
	s, ctx := testService()
	out, err := s.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: document(t, file)})
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.GetResources(ctx, &apigateway.GetResourcesInput{RestApiId: out.Id, Embed: []string{"methods"}})
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, r := range res.Items {
		for name, m := range r.ResourceMethods {
			path := strings.TrimPrefix(*r.Path, "/")
			if path == "" {
				path = "root"
			}
			raw, ok := want["method-"+path+"-"+strings.ToLower(name)]
			if !ok {
				t.Errorf("%s %s is not in the recording", name, *r.Path)
				continue
			}
			compared++
			var recorded map[string]any
			if err := json.Unmarshal(raw, &recorded); err != nil {
				t.Fatal(err)
			}
			for _, d := range differences("", recorded, wire(m, apigateway.Service.Shape("Method"))) {
				t.Errorf("%s %s%s", name, *r.Path, d)
			}
		}
	}
	if compared == 0 {
		t.Error("nothing compared")
	}
}

// wire makes the JSON of a value with the names of the API.
func wire(v any, shape *awsapi.Shape) any {
	r := reflect.ValueOf(v)
	for r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return nil
		}
		r = r.Elem()
	}
	switch shape.Kind {
	case awsapi.Structure:
		out := map[string]any{}
		for _, m := range shape.Members {
			if f := r.Field(m.Field); !f.IsZero() {
				out[m.Wire] = wire(f.Interface(), m.Shape)
			}
		}
		return out
	case awsapi.Map:
		out := map[string]any{}
		for _, k := range r.MapKeys() {
			out[k.String()] = wire(r.MapIndex(k).Interface(), shape.Value)
		}
		return out
	case awsapi.List:
		out := []any{}
		for i := range r.Len() {
			out = append(out, wire(r.Index(i).Interface(), shape.Elem))
		}
		return out
	case awsapi.Integer, awsapi.Long:
		return float64(r.Int())
	}
	return r.Interface()
}

// differences lists where got is not what was recorded; recordings have marks such as <id:1> for what changes.
func differences(at string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			if text, isText := got.(string); isText { // recordings show JSON in templates as JSON
				return jsonDifferences(at, w, text)
			}
			return []string{fmt.Sprintf("%s: want %v, got %v", at, want, got)}
		}
		var out []string
		for k, v := range w {
			if k != "ResponseMetadata" {
				out = append(out, differences(at+"."+k, v, g[k])...)
			}
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				out = append(out, at+"."+k+": AWS has none")
			}
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s: want %v, got %v", at, want, got)}
		}
		return nil
	case string:
		if strings.ContainsRune(w, '<') {
			return nil
		}
	}
	if want != got {
		return []string{fmt.Sprintf("%s: want %v, got %v", at, want, got)}
	}
	return nil
}

func jsonDifferences(at string, want map[string]any, text string) []string {
	var got any
	if json.Unmarshal([]byte(text), &got) != nil {
		return []string{at + ": not JSON: " + text}
	}
	return differences(at, want, got)
}
