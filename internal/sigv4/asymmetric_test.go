package sigv4

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// TestAsymmetricKey: the key pair of the credentials of AWS's signature test suite (aws-c-auth, v4a).
func TestAsymmetricKey(t *testing.T) {
	key, ok := asymmetricKey("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	if !ok {
		t.Fatal("no key")
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	const want = "04" + "b6618f6a65740a99e650b33b6b4b5bd0d43b176d721a3edfea7e7d2d56d936b1" + "865ed22a7eadc9c5cb9d2cbaca1b3699139fedc5043dc6661864218330c8e518"
	if got := hex.EncodeToString(point); got != want {
		t.Errorf("%s", got)
	}
}

func TestAsymmetric(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	const signed = "host;x-amz-date;x-amz-region-set"
	verifier := func(asymmetric bool) *Verifier {
		return NewVerifier(Options{Service: "cloudfront-keyvaluestore", Dialect: JSON, Asymmetric: asymmetric, Now: func() time.Time { return now },
			Lookup: func(id string) (Key, bool) { return Key{Secret: "secret"}, id == "AKID" }})
	}
	request := func(secret, credential string) *message.Request {
		r := &message.Request{Method: "GET", Scheme: "https", Host: "000000000000.cloudfront-kvs.global.api.aws", Path: "/key-value-stores/arn%3Aaws/keys",
			Header: message.Header{{Name: "X-Amz-Date", Value: "20260801T120000Z"}, {Name: "X-Amz-Region-Set", Value: "*"}}}
		q := subjectOf(r, signed, EmptyHash)
		q.date, q.scope = "20260801T120000Z", "20260801/cloudfront-keyvaluestore/aws4_request"
		s := &scratch{}
		s.canonical(&q)
		sum := sha256.Sum256(append([]byte(AsymmetricAlgorithm), s.sts[len(Algorithm):]...))
		key, _ := asymmetricKey("AKID", secret)
		signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Add("Authorization", AsymmetricAlgorithm+" Credential="+credential+", SignedHeaders="+signed+", Signature="+hex.EncodeToString(signature))
		return r
	}
	const scope = "AKID/20260801/cloudfront-keyvaluestore/aws4_request"
	res, err := verifier(true).Verify(Input{Request: request("secret", scope)})
	if err != nil || res.AccessKeyID != "AKID" || res.Region != "" || res.Service != "cloudfront-keyvaluestore" {
		t.Errorf("%+v %v", res, err)
	}
	for _, c := range []struct {
		name       string
		request    *message.Request
		asymmetric bool
		want       Cause
	}{
		{"another secret", request("wrong", scope), true, Mismatch},
		{"a verifier that does not take it", request("secret", scope), false, BadAlgorithm},
		{"another service", request("secret", "AKID/20260801/s3/aws4_request"), true, BadScope},
		{"another day", request("secret", "AKID/20260802/cloudfront-keyvaluestore/aws4_request"), true, BadScope},
		{"a scope of Version 4", request("secret", "AKID/20260801/us-east-1/cloudfront-keyvaluestore/aws4_request"), true, BadCredential},
		{"an unknown key", request("secret", "NONE/20260801/cloudfront-keyvaluestore/aws4_request"), true, UnknownKey},
		{"no region set", func() *message.Request { r := request("secret", scope); r.Header.Del("X-Amz-Region-Set"); return r }(), true, MissingParts},
		{"a changed path", func() *message.Request { r := request("secret", scope); r.Path += "x"; return r }(), true, Mismatch},
	} {
		if _, err := verifier(c.asymmetric).Verify(Input{Request: c.request}); err == nil || err.Cause != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}
