package bucket

import (
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

const notAllowed = "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or " +
	"Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."

func openSite(t *testing.T, rules ...CORSRule) *site {
	return newSite(t, func(p *Plan) {
		p.Policy = doc(t, policy(`{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::site","arn:aws:s3:::site/*"]}`))
		p.CORS, p.Website = rules, &Website{IndexSuffix: "index.html"}
	})
}

// Preflight requests, as recorded by localstack's test_s3_cors.
func TestPreflight(t *testing.T) {
	rule := CORSRule{Origins: []string{"https://localhost:4200", "http://*.origin.com"}, Methods: []string{"GET", "PUT"}, Headers: []string{"x-amz-*", "x-AMZ-server-SIDE-encryption"},
		Expose: []string{"x-amz-id-2", "x-amz-request-id"}, MaxAge: new(int64(3000))}
	s := openSite(t, rule)
	for _, c := range []struct {
		name    string
		fields  []string
		status  int
		in, not string // of the body, or of the fields when the status is 200
	}{
		{"no origin", []string{"Referer", "https://localhost:4200", requestMethod, "PUT"}, 400, "<Code>BadRequest</Code><Message>Insufficient information. Origin request header needed.</Message>", "Method"},
		{"allowed", []string{"Origin", "https://localhost:4200", requestMethod, "PUT"}, 200,
			"Access-Control-Allow-Origin: https://localhost:4200|Access-Control-Allow-Methods: GET, PUT|Access-Control-Expose-Headers: x-amz-id-2, x-amz-request-id|" +
				"Access-Control-Max-Age: 3000|Access-Control-Allow-Credentials: true|Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method|", "Allow-Headers"},
		{"headers", []string{"Origin", "http://test.origin.com", requestMethod, "GET", requestHeaders, "x-amz-request-payer, x-amz-expected-bucket-owner"}, 200,
			"Access-Control-Allow-Origin: http://test.origin.com|Access-Control-Allow-Methods: GET, PUT|Access-Control-Allow-Headers: x-amz-request-payer, x-amz-expected-bucket-owner|", "*"},
		{"wrong origin", []string{"Origin", "http://localhost:4200", requestMethod, "PUT"}, 403,
			"<Code>AccessForbidden</Code><Message>" + notAllowed + "</Message><Method>PUT</Method><ResourceType>OBJECT</ResourceType>", "Vary"},
		{"wrong method", []string{"Origin", "https://localhost:4200", requestMethod, "DELETE"}, 403, "<Method>DELETE</Method>", "Vary"},
		{"wrong header", []string{"Origin", "https://localhost:4200", requestMethod, "GET", requestHeaders, "authorization"}, 403, notAllowed, "Vary"},
		{"no method", []string{"Origin", "https://localhost:4200"}, 400, "Invalid Access-Control-Request-Method: null", "Vary"},
	} {
		resp, body := s.do(t.Context(), request("OPTIONS", base+"index.html", c.fields...))
		got := body
		if resp.Status == 200 {
			got = fieldsOf(resp)
		}
		if resp.Status != c.status || !strings.Contains(got, c.in) || strings.Contains(got, c.not) {
			t.Errorf("%s: %d %s %v", c.name, resp.Status, body, resp.Header)
		}
	}
	_, body := s.do(t.Context(), request("OPTIONS", base, "Origin", "http://x.example", requestMethod, "GET"))
	if !strings.Contains(body, "<ResourceType>BUCKET</ResourceType>") {
		t.Error(body)
	}
	resp, body := s.do(t.Context(), request("OPTIONS", "http://site.s3-website-us-east-1.amazonaws.com/", "Origin", "http://x.example", requestMethod, "GET"))
	if resp.Status != 403 || !strings.Contains(body, "<li>Code: AccessForbidden</li>") {
		t.Error(resp.Status, body)
	}
}

func fieldsOf(resp *message.Response) string {
	var b strings.Builder
	for _, f := range resp.Header {
		b.WriteString(f.Name + ": " + f.Value + "|")
	}
	return b.String()
}

// Without rules, and without a bucket: recorded likewise.
func TestPreflightWithoutRules(t *testing.T) {
	s := openSite(t)
	for _, c := range []struct{ url, method, want string }{
		{base + "a", "PUT", "<Message>CORSResponse: CORS is not enabled for this bucket.</Message><Method>PUT</Method><ResourceType>BUCKET</ResourceType>"},
		{base + "a", "", "<Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>"},
		{"https://nobody.s3.amazonaws.com/a", "", "<Message>CORSResponse: Bucket not found</Message><Method>OPTIONS</Method><ResourceType>BUCKET</ResourceType>"},
	} {
		r := request("OPTIONS", c.url, "Origin", "whatever")
		if c.method != "" {
			r.Header.Add(requestMethod, c.method)
		}
		if resp, body := s.do(t.Context(), r); resp.Status != 403 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.url, resp.Status, body)
		}
	}
}

// Answers to requests proper: recorded likewise, but for errors and websites.
func TestCORSFields(t *testing.T) {
	s := openSite(t, CORSRule{Origins: []string{"https://a.example"}, Methods: []string{"GET"}, Headers: []string{"x-amz-expected-bucket-owner"}},
		CORSRule{Origins: []string{"*"}, Methods: []string{"PUT", "HEAD"}})
	const website = "http://site.s3-website-us-east-1.amazonaws.com/"
	for _, c := range []struct {
		method, url string
		fields      []string
		want        string
	}{
		{"GET", base + "index.html", nil, ""},
		{"GET", base + "index.html", []string{"Origin", "https://b.example"}, ""},
		{"GET", base + "index.html", []string{"Origin", "https://a.example"}, "https://a.example"},
		{"GET", base + "nothing", []string{"Origin", "https://a.example"}, "https://a.example"},
		{"GET", base + "index.html", []string{"Origin", "https://a.example", requestMethod, "DELETE"}, ""},
		{"GET", base + "index.html", []string{"Origin", "https://a.example", requestHeaders, "x-amz-request-payer"}, ""},
		{"GET", base + "index.html", []string{"Origin", "https://a.example", "x-amz-request-payer", "requester"}, "https://a.example"},
		{"HEAD", base + "index.html", []string{"Origin", "https://a.example"}, "*"},
		{"GET", base + "index.html", []string{"Origin", "https://a.example", "If-None-Match", "*"}, "https://a.example"},
		{"GET", base + "index.html", []string{"Origin", "https://a.example", "Range", "bytes=0-1"}, "https://a.example"},
		{"GET", website, []string{"Origin", "https://a.example"}, "https://a.example"},
		{"GET", website + "nothing", []string{"Origin", "https://a.example"}, "https://a.example"},
	} {
		resp, _ := s.do(t.Context(), request(c.method, c.url, c.fields...))
		h := resp.Header
		vary := ""
		if c.want != "" {
			vary = corsVary
		}
		if h.Get("Access-Control-Allow-Origin") != c.want || h.Get("Vary") != vary || h.Has("Access-Control-Allow-Credentials") != (c.want != "" && c.want != "*") {
			t.Errorf("%s %s %q: %d %v", c.method, c.url, c.fields, resp.Status, h)
		}
	}
}

func FuzzMatchStar(f *testing.F) {
	f.Add("http://*.example.com", "http://a.example.com")
	f.Add("*", "")
	f.Add("a*a", "a")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		before, after, star := strings.Cut(pattern, "*")
		if got := matchStar(pattern, s); got && star && (len(s) < len(before)+len(after) || s[:len(before)]+s[len(s)-len(after):] != before+after) || got && !star && s != pattern {
			t.Errorf("%q matches %q", pattern, s)
		}
		if star && !matchStar(pattern, before+"x"+after) {
			t.Errorf("%q does not match what it stands for", pattern)
		}
	})
}
