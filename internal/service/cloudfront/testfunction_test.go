package cloudfront

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const viewerRequestEvent = `{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"198.51.100.11"},
	"request":{"method":"GET","uri":"/a","querystring":{"q":{"value":"1","multiValue":[{"value":"1"},{"value":"2"}]}},"headers":{"host":{"value":"www.example.com"}}}}`

func TestTestFunction(t *testing.T) {
	s, ctx := newService(), t.Context()
	test := func(code, event string) *cloudfront.TestResult {
		t.Helper()
		in := functionInput(code)
		in.Name = new("t" + strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' {
				return r
			}
			return -1
		}, code)[:min(20, len(code)/3)])
		made, err := s.CreateFunction(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.TestFunction(ctx, &cloudfront.TestFunctionInput{Name: in.Name, IfMatch: made.ETag, EventObject: []byte(event)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: in.Name, IfMatch: made.ETag}); err != nil {
			t.Fatal(err)
		}
		return out.TestResult
	}
	r := test(`function handler(event) { console.log('hi ' + event.viewer.ip); event.request.headers['x-a'] = {value: '1'}; delete event.request.querystring.none; return event.request }`, viewerRequestEvent)
	want := `{"request":{"headers":{"host":{"value":"www.example.com"},"x-a":{"value":"1"}},"method":"GET","querystring":{"q":{"value":"1","multiValue":[{"value":"1"},{"value":"2"}]}},"uri":"/a","cookies":{}}}`
	if *r.FunctionOutput != want || *r.FunctionErrorMessage != "" || len(r.FunctionExecutionLogs) != 1 || r.FunctionExecutionLogs[0] != "hi 198.51.100.11" || *r.ComputeUtilization != "15" {
		t.Errorf("%s\n%s %v %s", *r.FunctionOutput, *r.FunctionErrorMessage, r.FunctionExecutionLogs, *r.ComputeUtilization)
	}
	// The sample of AWS's manual, "Test functions".
	r = test(`function handler(e) { return {statusCode: 302, statusDescription: 'Found', headers: {'cloudfront-functions': {value: 'generated-by-CloudFront-Functions'}, location: {value: 'https://aws.amazon.com/cloudfront/'}}} }`, viewerRequestEvent)
	want = `{"response":{"headers":{"cloudfront-functions":{"value":"generated-by-CloudFront-Functions"},"location":{"value":"https://aws.amazon.com/cloudfront/"}},"statusDescription":"Found","cookies":{},"statusCode":302}}`
	if *r.FunctionOutput != want {
		t.Errorf("%s", *r.FunctionOutput)
	}
	// A header that a distribution refuses: the test does not.
	if r = test(`function handler(e) { e.request.headers.via = {value: 'x'}; return e.request }`, viewerRequestEvent); *r.FunctionErrorMessage != "" {
		t.Errorf("%s", *r.FunctionErrorMessage)
	}
	for code, want := range map[string]string{
		`function handler(e) { throw new Error('boom') }`:                                  "The CloudFront function associated with the CloudFront distribution is invalid or could not run. Error: boom",
		"function handler(e) {\n return e?.request }":                                      `The CloudFront function associated with the CloudFront distribution is invalid or could not run. SyntaxError: Unexpected token "." in 2`,
		`function handler(e) { return {statusCode: 200, headers: {'X-A': {value: '1'}}} }`: "The CloudFront function returned an invalid value: response.headers must have header names in lower case.",
		`function handler(e) { for (;;) {} }`:                                              "The CloudFront function associated with the CloudFront distribution is invalid or could not run. Error: the function exceeded its compute budget",
	} {
		if r := test(code, viewerRequestEvent); *r.FunctionErrorMessage != want || *r.FunctionOutput != "" {
			t.Errorf("%s: %s", code, *r.FunctionErrorMessage)
		}
	}
	made, err := s.CreateFunction(ctx, functionInput(`function handler(e) { return e.request }`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   cloudfront.TestFunctionInput
		want refusal
	}{
		{cloudfront.TestFunctionInput{Name: new("none"), IfMatch: made.ETag, EventObject: []byte(`{}`)}, refusal{code: "NoSuchFunctionExists", status: 404}},
		{cloudfront.TestFunctionInput{Name: new("f"), IfMatch: made.ETag, Stage: new("LIVE"), EventObject: []byte(`{}`)}, refusal{code: "NoSuchFunctionExists", status: 404}},
		{cloudfront.TestFunctionInput{Name: new("f"), EventObject: []byte(`{}`)}, refusal{code: "InvalidIfMatchVersion", status: 400}},
		{cloudfront.TestFunctionInput{Name: new("f"), IfMatch: new("E"), EventObject: []byte(`{}`)}, refusal{code: "InvalidIfMatchVersion", status: 400}},
		{cloudfront.TestFunctionInput{Name: new("f"), IfMatch: made.ETag, EventObject: []byte(`[]`)}, refusal{code: "InvalidArgument", path: "EventObject"}},
		{cloudfront.TestFunctionInput{Name: new("f"), IfMatch: made.ETag, EventObject: []byte(`{"context":{"eventType":"origin-request"}}`)}, refusal{code: "InvalidArgument", path: "EventObject"}},
		{cloudfront.TestFunctionInput{Name: new("f"), IfMatch: made.ETag, EventObject: make([]byte, 40961)}, refusal{code: "InvalidArgument", path: "EventObject"}},
	} {
		_, err := s.TestFunction(ctx, &c.in)
		check(t, err, c.want)
	}
}

func TestImportSource(t *testing.T) {
	s, ctx := newService(), t.Context()
	files := map[string]string{"good": `{"data":[{"key":"a","value":"1"},{"key":"b","value":""}]}`, "twice": `{"data":[{"key":"a","value":"1"},{"key":"a","value":"2"}]}`,
		"none": `{}`, "text": `x`, "more": `{"data":[]}{}`, "key": `{"data":[{"key":"","value":"1"}]}`, "value": `{"data":[{"key":"k","value":"` + strings.Repeat("v", 1025) + `"}]}`}
	s.WithObjects(func(_ context.Context, bucket, key string) ([]byte, error) {
		if files[key] == "" {
			return nil, errors.New("no such key")
		}
		return []byte(files[key]), nil
	})
	if _, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.Buckets.Put(tx, resource.Global, "b", &resource.Bucket{Name: "b"})
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	create := func(arn string) (*cloudfront.CreateKeyValueStoreOutput, error) {
		return s.CreateKeyValueStore(ctx, &cloudfront.CreateKeyValueStoreInput{Name: new("s"), ImportSource: &cloudfront.ImportSource{SourceType: new("S3"), SourceARN: &arn}})
	}
	for _, arn := range []string{"arn:aws:s3:::b/twice", "arn:aws:s3:::b/none", "arn:aws:s3:::b/text", "arn:aws:s3:::b/more", "arn:aws:s3:::b/key", "arn:aws:s3:::b/value",
		"arn:aws:s3:::b/absent", "arn:aws:s3:::other/good", "arn:aws:s3:::b", "x"} {
		_, err := create(arn)
		check(t, err, refusal{code: "InvalidArgument", path: "ImportSource.SourceARN"})
	}
	if _, err := create("arn:aws:s3:::b/good"); err != nil {
		t.Fatal(err)
	}
	v, _ := resource.KeyValueStores.Get(s.env.Store.Read(ctx), resource.Global, "s")
	if len(v.Items) != 2 || v.Items["a"] != "1" {
		t.Errorf("%v", v.Items)
	}
}

func FuzzParseImport(f *testing.F) {
	f.Add([]byte(`{"data":[{"key":"a","value":"1"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		items, err := parseImport(data)
		for k, v := range items {
			if err != nil || k == "" || len(k) > maxImportKey || len(v) > maxImportValue {
				t.Errorf("%q: %q, %v", k, v, err)
			}
		}
	})
}
