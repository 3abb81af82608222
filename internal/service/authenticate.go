package service

import (
	"bytes"
	"context"
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

// Authenticate is what awsapi.Server asks who sent a request, and for which region.
type Authenticate = func(ctx context.Context, r *message.Request, service *awsapi.Service) (awsapi.Caller, string, *awsapi.Error)

// maxBuffered bounds a body that is read here to check its hash.
const maxBuffered = 64 << 20

// NewAuthenticator returns an Authenticate that verifies Signature Version 4, in the header or the query, for the service's
// signing name, with AWS's order of checks and the service's own error codes (facts: sigv4-iam 2). The region is that of
// the signature, defaultRegion where it has none.
//
// Whoever has a valid key may call every operation: no policy is asked on the control plane. Keys of users are as good
// here as the root key; policies count where requests are served (APIs, buckets, function URLs). directory
// returns the identities of the moment.
func NewAuthenticator(directory func() iam.Directory, account, defaultRegion string, now func() time.Time) Authenticate {
	a := &authenticator{directory: directory, account: account, region: defaultRegion, now: now, verifiers: map[verifierKey]*sigv4.Verifier{}}
	return a.authenticate
}

type verifierKey struct {
	name    string
	dialect sigv4.Dialect
}

type authenticator struct {
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

func (a *authenticator) verifier(s *awsapi.Service) *sigv4.Verifier {
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

func (a *authenticator) lookup(accessKeyID string) (sigv4.Key, bool) {
	id, ok := a.identity(accessKeyID)
	if !ok {
		return sigv4.Key{}, false
	}
	return sigv4.Key{Secret: id.Secret, SessionToken: id.SessionToken, Expires: id.Expires}, true
}

func (a *authenticator) identity(accessKeyID string) (*iam.Identity, bool) {
	d := a.directory()
	if d == nil {
		return nil, false
	}
	return d.Lookup(accessKeyID)
}

func (a *authenticator) authenticate(_ context.Context, r *message.Request, s *awsapi.Service) (awsapi.Caller, string, *awsapi.Error) {
	in := sigv4.Input{Request: r}
	buffered, failed := a.payload(r, s, &in)
	if failed != nil {
		return awsapi.Caller{}, "", failed
	}
	result, e := a.verifier(s).Verify(in)
	if e != nil {
		return awsapi.Caller{}, "", refusal(e, s)
	}
	if s.Name == "s3" && buffered != nil && len(result.PayloadHash) == 64 && result.PayloadHash != sigv4.HashPayload(buffered) {
		return awsapi.Caller{}, "", awsapi.StatusErrorf(http.StatusBadRequest, "XAmzContentSHA256Mismatch", "The provided 'x-amz-content-sha256' header does not match what was computed.").
			With("ClientComputedContentSHA256", result.PayloadHash).With("S3ComputedContentSHA256", sigv4.HashPayload(buffered))
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

// payload fills the hash of the body into in, and returns the body when it is in memory. S3's hash comes with the request, and
// a body that S3 takes as a stream is left alone: who reads it checks it. Other services' bodies were read by awsapi, but
// for the few operations that take a stream: those are read here.
func (a *authenticator) payload(r *message.Request, s *awsapi.Service, in *sigv4.Input) ([]byte, *awsapi.Error) {
	if r.Body == nil {
		return nil, nil
	}
	if b, ok := r.Body.(*bytes.Reader); ok {
		body := make([]byte, b.Len())
		if _, err := io.ReadFull(b, body); err != nil {
			return nil, awsapi.Internal(err)
		}
		if _, err := b.Seek(0, io.SeekStart); err != nil {
			return nil, awsapi.Internal(err)
		}
		in.PayloadHash = sigv4.HashPayload(body)
		return body, nil
	}
	if s.Name == "s3" {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBuffered+1))
	switch {
	case err != nil:
		return nil, &awsapi.Error{Code: "RequestTimeout", Status: http.StatusBadRequest, Message: "The request body could not be read.", Err: err}
	case len(body) > maxBuffered:
		return nil, awsapi.StatusErrorf(http.StatusRequestEntityTooLarge, "RequestEntityTooLargeException", "Request must be smaller than %d bytes", maxBuffered)
	}
	r.Body = bytes.NewReader(body)
	in.PayloadHash = sigv4.HashPayload(body)
	return body, nil
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
