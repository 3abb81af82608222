package cloudfront

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const sampleCookies = `"cookies":{"id":{"attributes":"Expires=Wed, 05 Jan 2024 07:28:00 GMT","value":"a3fWa"},"loggedIn":{"attributes":"Secure; Path=/; Domain=example.com; ` +
	`Expires=Wed, 05 Jan 2024 07:28:00 GMT","value":"true"}},"statusCode":200}}`

// sampleResponse and sampleRequest are the outputs for the samples' test objects, with what the function adds to the headers.
func sampleResponse(added string) string {
	return `{"response":{"headers":{"server":{"value":"CustomOriginServer"},"content-type":{"value":"text/html; charset=UTF-8"},"content-length":{"value":"9593"},` +
		added + `},"statusDescription":"OK",` + sampleCookies
}

func sampleRequest(added, uri string) string {
	return `{"request":{"headers":{"host":{"value":"www.example.com"},"accept":{"value":"text/html"}` + added + `},"method":"GET","querystring":{"test":{"value":"true"},` +
		`"arg":{"value":"val1"}},"uri":"` + uri + `","cookies":{"id":{"value":"CookeIdValue"},"loggedIn":{"value":"false"}}}}`
}

// sampleOwn is the output for our event, of samples that bring none.
func sampleOwn(query, uri string) string {
	return `{"request":{"headers":{"host":{"value":"www.example.com"}},"method":"GET","querystring":` + query + `,"uri":"` + uri + `","cookies":{}}}`
}

const (
	unauthorized = `{"response":{"headers":{},"statusDescription":"Unauthorized","cookies":{},"statusCode":401}}`
	sampleQuery  = `{"b":{"value":"2"},"a":{"value":"1"}}`
	ownEvent     = `{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"1.2.3.4"},"request":{"method":"GET","uri":"/latest/a",
		"querystring":` + sampleQuery + `,"headers":{"host":{"value":"www.example.com"}},"cookies":{}}}`
)

// sample is what comes of a sample's function with one of its test objects; published is the compute utilization in its README.
type sample struct {
	output, log string
	published   int
}

var samples = map[string]sample{
	"add-cache-control-header/test-event.json": {output: sampleResponse(`"cache-control":{"value":"public, max-age=63072000"}`), published: 20},
	"add-cors-header/cors-header.json":         {output: sampleResponse(`"access-control-allow-origin":{"value":"https://www.example.com"}`)},
	"add-cors-header/no-cors-header.json": {output: sampleResponse(`"access-control-allow-origin":{"value":"https://www.example.com"}`),
		log: "Access-Control-Allow-Origin was missing, adding it now.", published: 16},
	"add-origin-header/no-origin-header.json": {output: sampleRequest(`,"origin":{"value":"https://www.example.com"}`, "/index.html"), published: 15},
	"add-origin-header/origin-header.json":    {output: sampleRequest(`,"origin":{"value":"https://originexample.com"}`, "/index.html")},
	"add-security-headers/test-event.json": {output: sampleResponse(`"strict-transport-security":{"value":"max-age=63072000; includeSubdomains; preload"},` +
		`"content-security-policy":{"value":"default-src 'none'; img-src 'self'; script-src 'self'; style-src 'self'; object-src 'none'; frame-ancestors 'none'"},` +
		`"x-content-type-options":{"value":"nosniff"},"x-frame-options":{"value":"DENY"},"x-xss-protection":{"value":"1; mode=block"},"referrer-policy":{"value":"same-origin"}`), published: 15},
	"add-true-client-ip-header/test-event.json": {output: sampleRequest(`,"true-client-ip":{"value":"0.0.0.0"}`, "/index.html"), published: 10},
	"kvs-conditional-read/":                     {output: sampleOwn(sampleQuery, "/v1/a")},
	"kvs-jwt-verify/expired-jwt.json":           {output: unauthorized},
	"kvs-jwt-verify/invalid-jwt.json":           {output: unauthorized},
	"kvs-jwt-verify/invalid-nbe-jwt.json":       {output: unauthorized},
	"kvs-jwt-verify/missing-jwt.json":           {output: unauthorized},
	"kvs-jwt-verify/valid-jwt.json": {output: `{"request":{"headers":{"host":{"value":"www.example.com"},"accept":{"value":"text/html"}},"method":"GET",` +
		`"querystring":{"test":{"value":"anotherQueryString"}},"uri":"/index.html","cookies":{}}}`, published: 19},
	"kvs-key-value-pairs/":               {output: sampleOwn(sampleQuery, `/{\"a_weightage\": 1, \"a_url\": \"v1\"}/a`), log: `/latest/a -> /{"a_weightage": 1, "a_url": "v1"}/a`},
	"normalize-query-string-parameters/": {output: sampleOwn(`"a=1&b=2"`, "/latest/a")},
	"redirect-based-on-country/country-de.json": {output: `{"response":{"headers":{"location":{"value":"https://www.example.com/de/index.html"}},"statusDescription":"Found",` +
		`"cookies":{},"statusCode":302}}`, published: 13},
	"redirect-based-on-country/country-not-de.json":             {output: sampleRequest(`,"cloudfront-viewer-country":{"value":"GB"}`, "/index.html")},
	"select-origin-based-on-country/":                           {output: sampleOwn(sampleQuery, "/latest/a")},
	"url-rewrite-single-page-apps/file-name-and-extension.json": {output: sampleRequest("", "/blog/index.html"), published: 14},
	"url-rewrite-single-page-apps/file-name-no-extension.json":  {output: sampleRequest("", "/blog/index.html")},
	"url-rewrite-single-page-apps/no-file-name.json":            {output: sampleRequest("", "/index.html")},
}

// TestSamples runs AWS's own samples with their own test objects, and knows the outcome of each: FOREGATE_FUNCTION_SAMPLES names
// a checkout of github.com/aws-samples/amazon-cloudfront-functions.
func TestSamples(t *testing.T) {
	root := os.Getenv("FOREGATE_FUNCTION_SAMPLES")
	if root == "" {
		t.Skip("FOREGATE_FUNCTION_SAMPLES does not name a checkout of aws-samples/amazon-cloudfront-functions")
	}
	sources, err := filepath.Glob(filepath.Join(root, "*", "*.js"))
	if err != nil || len(sources) < 10 {
		t.Fatalf("%d samples, %v", len(sources), err)
	}
	store := &Store{ID: "KVS_ID", Items: map[string]string{"jwt.secret": "LzdWGpAToQ1DqYuzHxE6YOqi7G3X2yvNBot9mCXfx5k", "latest": `{"a_weightage": 1, "a_url": "v1"}`}}
	ran := map[string]bool{}
	for _, path := range sources {
		folder := filepath.Dir(path)
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		objects, _ := filepath.Glob(filepath.Join(folder, "test-objects", "*.json"))
		single, _ := filepath.Glob(filepath.Join(folder, "test-event.json"))
		if objects = append(objects, single...); len(objects) == 0 {
			objects = []string{""}
		}
		for _, object := range objects {
			event, name := []byte(ownEvent), filepath.Base(folder)+"/"
			if object != "" {
				name += filepath.Base(object)
				if event, err = os.ReadFile(object); err != nil {
					t.Fatal(err)
				}
			}
			ran[name] = true
			t.Run(name, func(t *testing.T) {
				runSample(t, name, Spec{Name: name, Runtime: Runtime2, Code: code, Store: store}, event)
			})
		}
	}
	for name := range samples {
		if !ran[name] {
			t.Errorf("%s is not there", name)
		}
	}
}

func runSample(t *testing.T, name string, spec Spec, event []byte) {
	want, ok := samples[name]
	if !ok {
		t.Fatal("nobody has written down what comes of it")
	}
	f, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	var head struct{ Context struct{ EventType string } }
	if err := json.Unmarshal(event, &head); err != nil {
		t.Fatal(err)
	}
	o := f.Run(&Event{Type: head.Context.EventType, JSON: event}, time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC))
	if o.Err != nil {
		t.Fatal(o.Err)
	}
	if got := o.Result.JSON(); got != want.output {
		t.Errorf("output\n%s, want\n%s", got, want.output)
	}
	if got := strings.Join(o.Logs, "\n"); got != want.log {
		t.Errorf("log %q, want %q", got, want.log)
	}
	if d := o.Compute - want.published; want.published > 0 && (d < -5 || d > 5) {
		t.Errorf("compute utilization %d, AWS's is %d", o.Compute, want.published)
	}
	if strings.HasPrefix(name, "select-origin") && (o.Origin == nil || o.Origin.Update == nil || *o.Origin.Update.DomainName != "cloudfront-functions-demo-bucket-in-us-east-1.s3.us-east-1.amazonaws.com" ||
		o.Origin.Update.Access == nil || !o.Origin.Update.Access.Enabled || o.Origin.Update.Access.OriginType != "s3") {
		t.Errorf("origin %+v", o.Origin)
	}
}
