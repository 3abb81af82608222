package service

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	awsiam "github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

func testTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// testDirectory has root, a user, and a session that has ended.
var testDirectory = iam.DirectoryFunc(func(id string) (*iam.Identity, bool) {
	switch id {
	case "test":
		return &iam.Identity{AccessKeyID: id, Secret: "test", Root: true, Principal: iam.RootPrincipal("aws", "123456789012")}, true
	case "AKIAUSER":
		return &iam.Identity{AccessKeyID: id, Secret: "user", Principal: iam.UserPrincipal("aws", "123456789012", "/", "bob", "AIDABOB")}, true
	case "ASIAENDED":
		return &iam.Identity{AccessKeyID: id, Secret: "ended", SessionToken: "token", Expires: testTime(),
			Principal: iam.SessionPrincipal(iam.Role{Partition: "aws", Account: "123456789012", Path: "/", Name: "r", ID: "AROA"}, "s")}, true
	}
	return nil, false
})

func signed(t *testing.T, svc *awsapi.Service, region string, c sigv4.Credentials, body string) *message.Request {
	t.Helper()
	r := &message.Request{Method: "POST", Scheme: "http", Host: "127.0.0.1:4566", Path: "/", Body: bytes.NewReader([]byte(body))}
	r.Header.Add("Content-Type", "text/plain")
	s := sigv4.Signer{Credentials: c, Region: region, Service: svc.SigningName, Now: testTime}
	if err := s.Sign(r, sigv4.HashPayload([]byte(body))); err != nil {
		t.Fatal(err)
	}
	return r
}

// Codes and statuses: facts sigv4-iam 2.
func TestAuthenticate(t *testing.T) {
	root, user := sigv4.Credentials{AccessKeyID: "test", Secret: "test"}, sigv4.Credentials{AccessKeyID: "AKIAUSER", Secret: "user"}
	wrong, unknown := sigv4.Credentials{AccessKeyID: "test", Secret: "wrong"}, sigv4.Credentials{AccessKeyID: "AKIANOBODY", Secret: "x"}
	ended := sigv4.Credentials{AccessKeyID: "ASIAENDED", Secret: "ended", SessionToken: "token"}
	auth := NewAuthenticator(func() iam.Directory { return testDirectory }, "123456789012", "us-east-1", testTime).Authenticate
	for _, c := range []struct {
		name string
		svc  *awsapi.Service
		key  sigv4.Credentials
		// change is done to the signed request.
		change func(*message.Request)
		want   string // the caller, or code and status
	}{
		{"root", sts.Service, root, nil, "arn:aws:iam::123456789012:root"},
		{"root on S3", s3.Service, root, nil, "arn:aws:iam::123456789012:root"},
		{"a user may do everything", awsiam.Service, user, nil, "arn:aws:iam::123456789012:user/bob"},
		{"wrong secret, query", sts.Service, wrong, nil, "SignatureDoesNotMatch 403"},
		{"wrong secret, rest-xml", cloudfront.Service, wrong, nil, "SignatureDoesNotMatch 403"},
		{"wrong secret, json", acm.Service, wrong, nil, "InvalidSignatureException 403"},
		{"wrong secret, rest-json", apigateway.Service, wrong, nil, "InvalidSignatureException 403"},
		{"wrong secret, s3", s3.Service, wrong, nil, "SignatureDoesNotMatch 403"},
		{"unknown key, query", sts.Service, unknown, nil, "InvalidClientTokenId 403"},
		{"unknown key, json", acm.Service, unknown, nil, "UnrecognizedClientException 403"},
		{"unknown key, s3", s3.Service, unknown, nil, "InvalidAccessKeyId 403"},
		{"ended session", sts.Service, ended, nil, "ExpiredToken 403"},
		{"body changed", sts.Service, root, func(r *message.Request) { r.Body = bytes.NewReader([]byte("other")) }, "SignatureDoesNotMatch 403"},
		{"body changed, s3", s3.Service, root, func(r *message.Request) { r.Body = bytes.NewReader([]byte("other")) }, "XAmzContentSHA256Mismatch 400"},
		{"body as a stream", sts.Service, root, func(r *message.Request) { r.Body = strings.NewReader("body") }, "arn:aws:iam::123456789012:root"},
		{"no signature, query", sts.Service, root, func(r *message.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationToken 403"},
		{"no signature, json", acm.Service, root, func(r *message.Request) { r.Header.Del("Authorization") }, "MissingAuthenticationTokenException 403"},
		{"no signature, s3", s3.Service, root, func(r *message.Request) { r.Header.Del("Authorization") }, "AccessDenied 403"},
		{"old", sts.Service, root, func(r *message.Request) { r.Header.Set("X-Amz-Date", "20260102T024405Z") }, "SignatureDoesNotMatch 403"},
		{"old, s3", s3.Service, root, func(r *message.Request) { r.Header.Set("X-Amz-Date", "20260102T024405Z") }, "RequestTimeTooSkewed 403"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := signed(t, c.svc, "eu-west-1", c.key, "body")
			if c.change != nil {
				c.change(r)
			}
			caller, region, err := auth(context.Background(), r, c.svc)
			got := caller.ARN
			if err != nil {
				got = err.Code + " " + map[int]string{400: "400", 403: "403"}[err.Status]
			} else if region != "eu-west-1" || caller.AccessKeyID != c.key.AccessKeyID || caller.Root != (c.key == root) {
				t.Errorf("caller %+v, region %q", caller, region)
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// What a handler reads after the authenticator is the whole body.
func TestAuthenticateLeavesTheBody(t *testing.T) {
	auth := NewAuthenticator(func() iam.Directory { return testDirectory }, "123456789012", "us-east-1", testTime).Authenticate
	r := signed(t, sts.Service, "us-east-1", sigv4.Credentials{AccessKeyID: "test", Secret: "test"}, "Action=GetCallerIdentity")
	if _, _, err := auth(context.Background(), r, sts.Service); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil || b.String() != "Action=GetCallerIdentity" {
		t.Errorf("%q %v", b.String(), err)
	}
}

// A refusal shows neither the secret nor a token.
func TestRefusalsHoldNoSecret(t *testing.T) {
	auth := NewAuthenticator(func() iam.Directory { return testDirectory }, "123456789012", "us-east-1", testTime).Authenticate
	for _, svc := range []*awsapi.Service{sts.Service, s3.Service, acm.Service} {
		r := signed(t, svc, "us-east-1", sigv4.Credentials{AccessKeyID: "ASIAENDED", Secret: "not-it", SessionToken: "a-long-session-token-of-a-client"}, "x")
		_, _, err := auth(context.Background(), r, svc)
		if err == nil {
			t.Fatal("accepted")
		}
		text := err.Message
		for _, d := range err.Details {
			text += d.Value
		}
		if strings.Contains(text, "a-long-session-token-of-a-client") {
			t.Errorf("%s shows a session token: %s", svc.Name, text)
		}
	}
}
