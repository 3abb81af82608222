package edge

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

// The lists of DG-edge-function-restrictions-all: each header, in each event.
func TestRestrictedHeaders(t *testing.T) {
	never := strings.Fields(`Connection Expect Keep-Alive Proxy-Authenticate Proxy-Authorization Proxy-Connection Trailer Upgrade X-Accel-Buffering
		X-Accel-Charset X-Accel-Limit-Rate X-Accel-Redirect X-Amz-Cf-Id X-Amz-Cf-Anything X-Amzn-Auth X-Amzn-Cf-Billing X-Amzn-Cf-Id X-Amzn-Cf-Xff
		X-Amzn-Errortype X-Amzn-Fle-Profile X-Amzn-Header-Count X-Amzn-Header-Order X-Amzn-Lambda-Integration-Tag X-Amzn-RequestId X-Cache
		X-Edge-Anything X-Forwarded-Proto X-Real-IP`)
	readOnly := map[Event]string{
		ViewerRequest:  "CDN-Loop Content-Length Host Transfer-Encoding Via",
		OriginRequest:  "Accept-Encoding CDN-Loop Content-Length If-Modified-Since If-None-Match If-Range If-Unmodified-Since Transfer-Encoding Via",
		OriginResponse: "Transfer-Encoding Via",
		ViewerResponse: "Warning Via Content-Length Content-Encoding Transfer-Encoding",
	}
	try := func(event Event, name string) (int, string) {
		w, s := newWorld(lambdaPlan(t, event, false))
		w.lambda = edit(func(r map[string]any) { r["headers"].(map[string]any)[strings.ToLower(name)] = entry(name, "x") })
		r := ask(s, get("/"))
		return r.Status, r.body
	}
	for event, names := range readOnly {
		for _, name := range never {
			if status, body := try(event, name); status != 502 || !strings.Contains(body, sentenceDisallowed) {
				t.Errorf("%s: %s is taken: %d %s", event, name, status, body)
			}
		}
		for _, name := range strings.Fields(names) {
			if status, body := try(event, name); status != 502 || !strings.Contains(body, sentenceReadOnly) {
				t.Errorf("%s: %s is written: %d %s", event, name, status, body)
			}
		}
		for _, name := range []string{"X-Anything", "CloudFront-Is-Mobile-Viewer", "Cache-Control"} {
			if status, body := try(event, name); status != 200 {
				t.Errorf("%s: %s is not taken: %s", event, name, body)
			}
		}
	}
	for event := range readOnly { // what functions do not see
		w, s := newWorld(lambdaPlan(t, event, false))
		var ev cfEvent
		w.lambda = func(i *LambdaInvocation) ([]byte, error) {
			if err := json.Unmarshal(i.Payload, &ev); err != nil {
				t.Fatal(err)
			}
			return edit(func(map[string]any) {})(i)
		}
		fields := []string{}
		for _, name := range never {
			fields = append(fields, name, "x")
		}
		w.origin = withHeader(200, "x", fields...)
		ask(s, get("/", fields...))
		for _, m := range []map[string]any{ev.Records[0].CF.Request, ev.Records[0].CF.Response} {
			h, _ := m["headers"].(map[string]any)
			for _, name := range never {
				if h[strings.ToLower(name)] != nil {
					t.Errorf("%s: the function sees %s", event, name)
				}
			}
		}
	}
}

// DG-lambda-at-edge-function-restrictions, "Restrictions on the request body with the include body option".
func TestReplacedBody(t *testing.T) {
	big := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		name   string
		event  Event
		body   map[string]any
		status int
		want   string
	}{
		{"read-only", ViewerRequest, map[string]any{"action": "read-only", "data": "changed"}, 200, "the viewer's"},
		{"base64 is the default", ViewerRequest, map[string]any{"action": "replace", "data": "aGk="}, 200, "hi"},
		{"text", OriginRequest, map[string]any{"action": "replace", "encoding": "text", "data": "hi"}, 200, "hi"},
		{"no base64", OriginRequest, map[string]any{"action": "replace", "encoding": "base64", "data": "!"}, 502, ""},
		{"another encoding", OriginRequest, map[string]any{"action": "replace", "encoding": "hex", "data": "00"}, 502, ""},
		{"40 KB of text", ViewerRequest, map[string]any{"action": "replace", "encoding": "text", "data": big(40 << 10)}, 200, big(40 << 10)},
		{"more text", ViewerRequest, map[string]any{"action": "replace", "encoding": "text", "data": big(40<<10 + 1)}, 502, ""},
		{"53.2 KB of base64", ViewerRequest, map[string]any{"action": "replace", "data": base64.StdEncoding.EncodeToString([]byte(big(40850)))}, 200, big(40850)},
		{"more base64", ViewerRequest, map[string]any{"action": "replace", "data": base64.StdEncoding.EncodeToString([]byte(big(40 << 10)))}, 502, ""},
		{"1 MB of text", OriginRequest, map[string]any{"action": "replace", "encoding": "text", "data": big(1 << 20)}, 200, big(1 << 20)},
		{"more than 1 MB", OriginRequest, map[string]any{"action": "replace", "encoding": "text", "data": big(1<<20 + 1)}, 502, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newWorld(lambdaPlan(t, c.event, true))
			w.lambda = edit(func(r map[string]any) { r["body"] = c.body })
			r := get("/")
			r.Method, r.Body, r.ContentLength = "POST", strings.NewReader("the viewer's"), 12
			if got := ask(s, r); got.Status != c.status {
				t.Fatalf("%d %s", got.Status, got.body)
			}
			if c.status != 200 {
				return
			}
			sent := w.last().Request
			if b, _ := io.ReadAll(sent.Body); string(b) != c.want || c.want != "the viewer's" && sent.ContentLength != int64(len(c.want)) {
				t.Errorf("sent %d bytes, said %d", len(b), sent.ContentLength)
			}
		})
	}
}

// DG-lambda-event-structure: the members of custom and s3, and what they have to be.
func TestReturnedOrigins(t *testing.T) {
	custom := func(change func(map[string]any)) map[string]any {
		o := map[string]any{"customHeaders": map[string]any{}, "domainName": "other.example.net", "keepaliveTimeout": 5, "path": "", "port": 443, "protocol": "https",
			"readTimeout": 30, "sslProtocols": []string{"TLSv1.2"}}
		change(o)
		return map[string]any{"custom": o}
	}
	s3 := func(change func(map[string]any)) map[string]any {
		o := map[string]any{"customHeaders": map[string]any{}, "domainName": "b.s3.eu-west-1.amazonaws.com", "path": "", "region": "", "authMethod": "none"}
		change(o)
		return map[string]any{"s3": o}
	}
	set := func(name string, v any) func(map[string]any) { return func(o map[string]any) { o[name] = v } }
	without := func(name string) func(map[string]any) { return func(o map[string]any) { delete(o, name) } }
	for _, c := range []struct {
		name   string
		origin map[string]any
		ok     bool
	}{
		{"custom", custom(func(map[string]any) {}), true},
		{"no custom headers", custom(without("customHeaders")), true},
		{"timeouts at their ends", custom(func(o map[string]any) {
			o["readTimeout"], o["keepaliveTimeout"], o["responseCompletionTimeout"] = 120, 120, 120
		}), true},
		{"no completion", custom(set("responseCompletionTimeout", 0)), true},
		{"completion before read", custom(set("responseCompletionTimeout", 29)), false},
		{"long read", custom(set("readTimeout", 121)), false},
		{"no read", custom(without("readTimeout")), false},
		{"short keep-alive", custom(set("keepaliveTimeout", 0)), false},
		{"port 81", custom(set("port", 81)), false},
		{"port 1024", custom(set("port", 1024)), true},
		{"port in a string", custom(set("port", "443")), false},
		{"protocol", custom(set("protocol", "match-viewer")), false},
		{"no TLS versions", custom(without("sslProtocols")), false},
		{"TLS version", custom(set("sslProtocols", []string{"TLSv1.3"})), false},
		{"path that ends", custom(set("path", "/a/")), false},
		{"path without a beginning", custom(set("path", "a")), false},
		{"long path", custom(set("path", "/"+strings.Repeat("a", 255))), false},
		{"colon", custom(set("domainName", "a.example:80")), false},
		{"address", custom(set("domainName", "2001:db8::1")), false},
		{"no name", custom(set("domainName", "")), false},
		{"long name", custom(set("domainName", strings.Repeat("a", 254))), false},
		{"custom header", custom(set("customHeaders", map[string]any{"x-a": entry("X-A", "b")})), true},
		{"forbidden custom header", custom(set("customHeaders", map[string]any{"host": entry("Host", "b")})), false},
		{"hidden custom header", custom(set("customHeaders", map[string]any{"x-cache": entry("X-Cache", "b")})), false},
		{"custom header of the request", custom(set("customHeaders", map[string]any{"x-viewer": entry("X-Viewer", "b")})), false},
		{"custom header with a line end", custom(set("customHeaders", map[string]any{"x-a": entry("X-A", "b\n")})), false},
		{"bucket", s3(func(map[string]any) {}), true},
		{"bucket with timeouts", s3(func(o map[string]any) { o["readTimeout"], o["responseCompletionTimeout"] = 20, 40 }), true},
		{"bucket, long read", s3(set("readTimeout", 121)), false},
		{"bucket in capitals", s3(set("domainName", "B.s3.amazonaws.com")), false},
		{"bucket with a long name", s3(set("domainName", strings.Repeat("a", 129))), false},
		{"no method", s3(without("authMethod")), false},
		{"identity from a custom origin", s3(func(o map[string]any) { o["authMethod"], o["region"] = "origin-access-identity", "eu-west-1" }), false},
		{"both", map[string]any{"s3": s3(func(map[string]any) {})["s3"], "custom": custom(func(map[string]any) {})["custom"]}, false},
		{"none", map[string]any{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, s := newWorld(lambdaPlan(t, OriginRequest, false))
			w.lambda = edit(func(r map[string]any) { r["origin"] = c.origin })
			got := ask(s, get("/", "X-Viewer", "a"))
			if ok := got.Status == 200; ok != c.ok || !ok && (got.Status != 502 || !strings.Contains(got.body, lambdaOriginConfig)) {
				t.Errorf("%d %s", got.Status, got.body)
			}
		})
	}
	// An identity stays with a bucket, and needs a region.
	for region, want := range map[string]int{"eu-west-1": 200, "": 502} {
		p := lambdaPlan(t, OriginRequest, false)
		p.Origins[0].Kind, p.Origins[0].Access = S3Origin, OriginAccess{Kind: AccessIdentity, ID: "E1"}
		w, s := newWorld(p)
		w.lambda = edit(func(r map[string]any) {
			r["origin"] = s3(func(o map[string]any) { o["authMethod"], o["region"] = "origin-access-identity", region })
		})
		if got := ask(s, get("/")); got.Status != want || want == 200 && w.last().Access.ID != "E1" {
			t.Errorf("region %q: %d", region, got.Status)
		}
	}
}

// DG-lambda-event-structure, "Example origin request": the completion timeout, where there is one.
func TestCompletionTimeoutInEvent(t *testing.T) {
	p := lambdaPlan(t, OriginRequest, false)
	p.Origins[0].CompletionTimeout = 40 * time.Second
	w, s := newWorld(p)
	w.lambda = func(i *LambdaInvocation) ([]byte, error) {
		if !strings.Contains(string(i.Payload), `"readTimeout":30,"responseCompletionTimeout":40,"sslProtocols"`) {
			t.Errorf("event %s", i.Payload)
		}
		return edit(func(r map[string]any) {
			delete(r["origin"].(map[string]any)["custom"].(map[string]any), "responseCompletionTimeout")
		})(i)
	}
	if got := ask(s, get("/")); got.Status != 200 || w.last().Origin.CompletionTimeout != 0 {
		t.Errorf("%d, %v", got.Status, w.last().Origin.CompletionTimeout)
	}
}

// A value may be an array of strings (live: aws-samples/cloudfront-authorization-at-edge 12).
func TestHeaderValues(t *testing.T) {
	w, s := newWorld(lambdaPlan(t, OriginRequest, false))
	w.lambda = edit(func(r map[string]any) {
		r["headers"].(map[string]any)["x-a"] = []any{map[string]any{"value": []string{"1", "2"}}}
	})
	ask(s, get("/"))
	if got := strings.Join(w.last().Request.Header.Values("X-A"), "|"); got != "1|2" {
		t.Errorf("X-A %q", got)
	}
}
