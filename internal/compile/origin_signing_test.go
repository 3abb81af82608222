package compile

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/origin"
	"github.com/foregate/foregate/internal/sigv4"
)

// awsOrigin is a server that takes signed requests only, as AWS does, and answers with the scope and the hash that were signed.
func awsOrigin(t *testing.T, service string, clock func() time.Time) string {
	dialect := sigv4.Dialect(0)
	if service == "s3" {
		dialect = sigv4.S3
	}
	v := sigv4.NewVerifier(sigv4.Options{Service: service, Dialect: dialect, Now: clock, Lookup: func(id string) (sigv4.Key, bool) {
		return sigv4.Key{Secret: "secret", SessionToken: "token"}, id == "AKIDEXAMPLE"
	}})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m := &message.Request{Method: r.Method, Host: r.Host, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, HasQuery: r.URL.RawQuery != ""}
		for name, values := range r.Header {
			for _, value := range values {
				m.Header.Add(name, value)
			}
		}
		body, _ := io.ReadAll(r.Body)
		hash := r.Header.Get("X-Amz-Content-Sha256")
		if hash != sigv4.UnsignedPayload {
			hash = sigv4.HashPayload(body)
		}
		result, err := v.Verify(sigv4.Input{Request: m, PayloadHash: hash})
		if err != nil || service == "s3" && result.PayloadHash != sigv4.UnsignedPayload && result.PayloadHash != hash {
			http.Error(w, "refused: "+err.Error(), http.StatusForbidden)
			return
		}
		io.WriteString(w, result.Service+" "+result.Region+" "+result.PayloadHash+" "+r.Host)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// Requests to origins outside are signed with the operator's credentials, in the scope of the origin, and their signatures hold.
func TestOriginsOutsideAreSigned(t *testing.T) {
	clock := func() time.Time { return time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC) }
	hello, nothing := sigv4.HashPayload([]byte("hello")), sigv4.HashPayload(nil)
	always := edge.OriginAccess{Kind: edge.AccessControl, Signing: edge.SignAlways}
	sometimes := edge.OriginAccess{Kind: edge.AccessControl, Signing: edge.SignNoOverride}
	for _, c := range []struct {
		name, service, domain string
		access                edge.OriginAccess
		body                  string
		fields                []string
		want                  string // of the body; a status when it is short
	}{
		{"bucket", "s3", "files.s3.eu-west-1.amazonaws.com", always, "", nil, "s3 eu-west-1 " + nothing},
		{"bucket without region", "s3", "files.s3.amazonaws.com", always, "", nil, "s3 us-east-1 " + nothing},
		{"upload", "s3", "files.s3.eu-west-1.amazonaws.com", always, "hello", nil, "s3 eu-west-1 UNSIGNED-PAYLOAD"},
		{"upload with its hash", "s3", "files.s3.eu-west-1.amazonaws.com", always, "hello", []string{"x-amz-content-sha256", hello}, "s3 eu-west-1 " + hello},
		{"identity", "s3", "files.s3.eu-west-1.amazonaws.com", edge.OriginAccess{Kind: edge.AccessIdentity}, "", nil, "s3 eu-west-1 " + nothing},
		{"left-overs of a signature", "s3", "files.s3.eu-west-1.amazonaws.com", sometimes, "", []string{"X-Amz-Date", "20200101T000000Z", "X-Amz-Security-Token", "x"}, "s3 eu-west-1 " + nothing},
		{"the viewer's own signature", "s3", "files.s3.eu-west-1.amazonaws.com", sometimes, "", []string{"Authorization", "Bearer x"}, "403"},
		{"never", "s3", "files.s3.eu-west-1.amazonaws.com", edge.OriginAccess{Kind: edge.AccessControl, Signing: edge.SignNever}, "", nil, "403"},
		{"function URL", "lambda", "abcdefghijklmnop.lambda-url.eu-central-1.on.aws", always, "", nil, "lambda eu-central-1 " + nothing},
		{"function URL with a body and its hash", "lambda", "abcdefghijklmnop.lambda-url.eu-central-1.on.aws", always, "hello", []string{"X-Amz-Content-Sha256", hello}, "lambda eu-central-1 " + hello},
		{"function URL with a body", "lambda", "abcdefghijklmnop.lambda-url.eu-central-1.on.aws", always, "hello", nil, "403"},
		{"MediaStore", "mediastore", "aaabbbcccdddee.data.mediastore.us-west-2.amazonaws.com", always, "", nil, "mediastore us-west-2 " + nothing},
		{"MediaPackage", "mediapackagev2", "abc123.egress.def456.mediapackagev2.us-west-2.amazonaws.com", always, "", nil, "mediapackagev2 us-west-2 " + nothing},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := origin.New(origin.Options{Override: map[string]string{c.domain: awsOrigin(t, c.service, clock)}})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			fx := &edgeEffects{env: &Env{Now: clock, Origins: client, OriginCredentials: func() (sigv4.Credentials, error) {
				return sigv4.Credentials{AccessKeyID: "AKIDEXAMPLE", Secret: "secret", SessionToken: "token"}, nil
			}}, served: served{"other": true}}
			r := &message.Request{Method: "GET", Scheme: "http", Host: c.domain, Path: "/a%20b/c", Query: "x=1&a=%2F", HasQuery: true}
			r.Header.Add("X-Amz-Cf-Id", "id==")
			r.Header.Add("Via", "1.1 abc.cloudfront.net (CloudFront)")
			for i := 0; i < len(c.fields); i += 2 {
				r.Header.Add(c.fields[i], c.fields[i+1])
			}
			if c.body != "" {
				r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
			}
			resp, err := fx.Fetch(t.Context(), &edge.FetchRequest{Origin: &edge.Origin{Domain: c.domain}, Scheme: "http", Port: 80, Access: c.access, Attempts: 1, Request: r})
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			switch {
			case c.want == "403" && resp.Status == 403:
			case string(body) != c.want+" "+c.domain:
				t.Errorf("%d %s, want %s", resp.Status, bytes.TrimSpace(body), c.want)
			}
		})
	}
}

func TestSigningScope(t *testing.T) {
	for _, domain := range []string{"alias.accesspoint.s3-global.amazonaws.com", "files.s3-website-us-east-1.amazonaws.com", "api.example.com", "x.lambda-url.eu-west-1.on.aws.example.com"} {
		if service, region, ok := signingScope(domain); ok {
			t.Errorf("%s: %s in %s", domain, service, region)
		}
	}
}
