package service

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// maxBuffered bounds a body that is read here to check its hash.
const maxBuffered = 64 << 20

// NewAuthenticator returns an Authenticator that verifies Signature Version 4, in the header or the query, for the service's
// signing name, with AWS's order of checks and the service's own error codes (facts: sigv4-iam 2). The region is that of
// the signature, defaultRegion where it has none.
//
// Whoever has a valid key may call every operation: no policy is asked on the control plane. Keys of users are as good
// here as the root key; policies count where requests are served (APIs, buckets, function URLs). directory
// returns the identities of the moment.
func NewAuthenticator(directory func() iam.Directory, account, defaultRegion string, now func() time.Time) *Authenticator {
	return &Authenticator{directory: directory, account: account, region: defaultRegion, now: now, verifiers: map[verifierKey]*sigv4.Verifier{}}
}

type verifierKey struct {
	name    string
	dialect sigv4.Dialect
}

// Authenticator tells awsapi.Server who sent a request: its methods are the Server's fields of the same names.
type Authenticator struct {
	directory       func() iam.Directory
	account, region string
	now             func() time.Time

	mu sync.RWMutex
	// verifiers, one for each service, keep signing keys.
	verifiers map[verifierKey]*sigv4.Verifier
}

// dialect is how a service words what is wrong with a signature.
func dialect(s *awsapi.Service) sigv4.Dialect {
	switch {
	case s.Name == "s3":
		return sigv4.S3
	case s.Protocol == awsapi.Query, s.Protocol == awsapi.RestXML:
		return sigv4.Query
	}
	return sigv4.JSON
}

func (a *Authenticator) verifier(s *awsapi.Service) *sigv4.Verifier {
	key := verifierKey{s.SigningName, dialect(s)}
	a.mu.RLock()
	v := a.verifiers[key]
	a.mu.RUnlock()
	if v != nil {
		return v
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if v = a.verifiers[key]; v == nil {
		v = sigv4.NewVerifier(sigv4.Options{Service: key.name, Dialect: key.dialect, Now: a.now, Lookup: a.lookup,
			Asymmetric: key.name == "cloudfront-keyvaluestore"})
		a.verifiers[key] = v
	}
	return v
}

func (a *Authenticator) lookup(accessKeyID string) (sigv4.Key, bool) {
	id, ok := a.identity(accessKeyID)
	if !ok {
		return sigv4.Key{}, false
	}
	return sigv4.Key{Secret: id.Secret, SessionToken: id.SessionToken, Expires: id.Expires}, true
}

func (a *Authenticator) identity(accessKeyID string) (*iam.Identity, bool) {
	d := a.directory()
	if d == nil {
		return nil, false
	}
	return d.Lookup(accessKeyID)
}

// Admit refuses a request by what its head says of its sender: no signature, a date or a scope that does not fit, a key that
// nobody has. A body is read for none of them.
func (a *Authenticator) Admit(r *message.Request, s *awsapi.Service) *awsapi.Error {
	if e := a.verifier(s).Precheck(sigv4.Input{Request: r}); e != nil {
		return refusal(e, s)
	}
	return nil
}

// Authenticate returns who sent a request, and the region for which it was signed.
func (a *Authenticator) Authenticate(_ context.Context, r *message.Request, s *awsapi.Service) (awsapi.Caller, string, *awsapi.Error) {
	in := sigv4.Input{Request: r}
	if failed := a.payload(r, s, &in); failed != nil {
		return awsapi.Caller{}, "", failed
	}
	result, e := a.verifier(s).Verify(in)
	if e != nil {
		return awsapi.Caller{}, "", refusal(e, s)
	}
	if s.Name == "s3" && in.PayloadHash != "" && len(result.PayloadHash) == 64 && result.PayloadHash != in.PayloadHash {
		return awsapi.Caller{}, "", awsapi.StatusErrorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.").
			With("ClientComputedContentSHA256", result.PayloadHash).With("S3ComputedContentSHA256", in.PayloadHash)
	}
	id, ok := a.identity(result.AccessKeyID)
	if !ok {
		// The key was deleted between the two lookups.
		return awsapi.Caller{}, "", awsapi.StatusErrorf(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	p := id.Principal
	caller := awsapi.Caller{ARN: p.ARN, Account: p.Account, UserID: p.UserID, AccessKeyID: id.AccessKeyID, Root: id.Root}
	if caller.Account == "" {
		caller.Account = a.account
	}
	region := result.Region
	if region == "" {
		region = a.region
	}
	return caller, region, nil
}

// payload fills the hash of the body into in where the body is in memory. S3's hash comes with the request, and a body that S3
// takes as a stream is left alone: who reads it checks it. Other services' bodies were read by awsapi, but for the few
// operations that take a stream: those are read here, once their sender is known.
func (a *Authenticator) payload(r *message.Request, s *awsapi.Service, in *sigv4.Input) *awsapi.Error {
	if r.Body == nil {
		return nil
	}
	if b, ok := r.Body.(*bytes.Reader); ok {
		h := sha256.New()
		if _, err := b.WriteTo(h); err != nil {
			return awsapi.Internal(err)
		}
		if _, err := b.Seek(0, io.SeekStart); err != nil {
			return awsapi.Internal(err)
		}
		in.PayloadHash = hex.EncodeToString(h.Sum(nil))
		return nil
	}
	if s.Name == "s3" {
		return nil
	}
	if failed := a.Admit(r, s); failed != nil {
		return failed
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBuffered+1))
	switch {
	case err != nil:
		return &awsapi.Error{Code: "RequestTimeout", Status: http.StatusBadRequest, Message: "The request body could not be read.", Err: err}
	case len(body) > maxBuffered:
		return awsapi.StatusErrorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request must be smaller than %d bytes", maxBuffered)
	}
	r.Body = bytes.NewReader(body)
	in.PayloadHash = sigv4.HashPayload(body)
	return nil
}

// fixes says what people do about a refused signature; AWS's text leaves it out.
var fixes = map[sigv4.Cause][]string{
	sigv4.MissingToken: {"sign the request: set AWS_ACCESS_KEY_ID=test and AWS_SECRET_ACCESS_KEY=test"},
	sigv4.UnknownKey:   {"use the key test with the secret test, or the key of a user; keys of sessions end with a restart"},
	sigv4.Mismatch:     {"check the secret: that of the key test is test"},
	sigv4.Expired:      {"set the clock of the client"},
	sigv4.ExpiredKey:   {"ask STS for new credentials"},
}

// refusal is the error in the service's words.
func refusal(e *sigv4.Error, s *awsapi.Service) *awsapi.Error {
	out := &awsapi.Error{Code: e.Type, Status: e.Status, Message: e.Message, Finding: &diag.Finding{
		Code: diag.AccessDenied, Severity: diag.Error, Message: "the request is not accepted: " + e.Cause.String(), Fixes: fixes[e.Cause],
		AWSError: &diag.AWSError{Code: e.Type, Status: e.Status, Message: e.Message}}}
	if s.Name != "s3" {
		return out
	}
	// The members of S3's errors (S3 API reference, error responses).
	switch e.Cause {
	case sigv4.UnknownKey:
		out.With("AWSAccessKeyId", e.AccessKeyID)
	case sigv4.Mismatch:
		out.With("AWSAccessKeyId", e.AccessKeyID).With("StringToSign", e.StringToSign).With("SignatureProvided", e.Signature).With("CanonicalRequest", e.CanonicalRequest)
	case sigv4.BadScope:
		if e.Region != "" {
			out.With("Region", e.Region)
		}
	case sigv4.HeadersNotSigned:
		out.With("HeadersNotSigned", e.Headers)
	case sigv4.NotYetCurrent, sigv4.Expired:
		if !e.Expires.IsZero() {
			out.With("ServerTime", e.Now.Format(time.RFC3339))
		}
	}
	return out
}
