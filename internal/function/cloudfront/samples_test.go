package cloudfront

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSamples runs AWS's own samples with their own test objects: FOREGATE_FUNCTION_SAMPLES names a checkout of
// github.com/aws-samples/amazon-cloudfront-functions.
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
	ran := 0
	for _, path := range sources {
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(filepath.Dir(path))
		f, cerr := Compile(Spec{Name: name, Runtime: Runtime2, Code: code, Store: store})
		if cerr != nil {
			t.Errorf("%s: %v", name, cerr)
			continue
		}
		objects, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "test-objects", "*.json"))
		single, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "test-event.json"))
		if objects = append(objects, single...); len(objects) == 0 {
			objects = []string{""}
		}
		for _, object := range objects {
			event := []byte(`{"version":"1.0","context":{"eventType":"viewer-request"},"viewer":{"ip":"1.2.3.4"},"request":{"method":"GET","uri":"/latest/a",
				"querystring":{"b":{"value":"2"},"a":{"value":"1"}},"headers":{"host":{"value":"www.example.com"}},"cookies":{}}}`)
			if object != "" {
				if event, err = os.ReadFile(object); err != nil {
					t.Fatal(err)
				}
			}
			var head struct{ Context struct{ EventType string } }
			if err := json.Unmarshal(event, &head); err != nil {
				t.Errorf("%s: %v", object, err)
				continue
			}
			o := f.Run(&Event{Type: head.Context.EventType, JSON: event}, time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC))
			ran++
			if o.Err != nil {
				t.Errorf("%s %s: %v", name, filepath.Base(object), o.Err)
				continue
			}
			checkSample(t, name, filepath.Base(object), o)
		}
	}
	if ran < 20 {
		t.Errorf("%d runs", ran)
	}
}

// checkSample checks what the samples' own descriptions say.
func checkSample(t *testing.T, name, object string, o *Outcome) {
	t.Helper()
	for key, want := range map[string]string{
		"add-cache-control-header/":                           `"cache-control":{"value":"public, max-age=63072000"}`,
		"add-cors-header/no-cors":                             `"access-control-allow-origin":{"value":`,
		"add-security-headers/":                               `"x-frame-options":{"value":"DENY"}`,
		"add-true-client-ip-header/":                          `"true-client-ip":{"value":"0.0.0.0"}`,
		"redirect-based-on-country/country-de":                `"statusCode":302`,
		"redirect-based-on-country/country-not-de":            `"uri":"/index.html"`,
		"url-rewrite-single-page-apps/no-file-name":           `"uri":"/index.html"`,
		"url-rewrite-single-page-apps/file-name-no-extension": `/index.html"`,
		"kvs-jwt-verify/valid":                                `"querystring":{"test":{"value":"anotherQueryString"}}`,
		"kvs-jwt-verify/expired":                              `"statusCode":401`,
		"kvs-jwt-verify/invalid":                              `"statusCode":401`,
		"kvs-jwt-verify/missing":                              `"statusCode":401`,
		"kvs-conditional-read/":                               `"uri":"/v1/a"`,
		"normalize-query-string-parameters/":                  `"querystring":"a=1&b=2"`,
		"kvs-key-value-pairs/":                                `"uri":"/`,
	} {
		if strings.HasPrefix(name+"/"+object, key) && !strings.Contains(o.Result.JSON(), want) {
			t.Errorf("%s %s: %s, want %s", name, object, o.Result.JSON(), want)
		}
	}
	if name == "select-origin-based-on-country" && (o.Origin == nil || o.Origin.Update == nil || !strings.Contains(*o.Origin.Update.DomainName, "us-east-1")) {
		t.Errorf("%s: %+v", name, o.Origin)
	}
}
