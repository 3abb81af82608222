// Package sigv4 signs requests with AWS Signature Version 4, verifies them as AWS's services do, and finds out why a
// signature does not match.
//
// Start with Verifier; Signer is its counterpart. A Verifier repeats AWS's order of checks and AWS's texts, which differ
// between kinds of services: a Dialect chooses. The package must not know what a caller may do (package iam decides that)
// nor any policy of a distribution or an API. No error or diagnosis ever holds a secret, a session token or the signature
// that would have been right.
//
// Caveats: Version 4A (asymmetric) is taken where Options.Asymmetric says so, and refused as an unsupported algorithm elsewhere.
// The chunks of a streaming upload to S3 are verified as they are read, by NewChunkReader.
package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Algorithm is the algorithm of Version 4.
const Algorithm = "AWS4-HMAC-SHA256"

// The values of x-amz-content-sha256 that are not a hash.
const (
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	// StreamingPrefix begins the values that announce a body in signed or unsigned chunks.
	StreamingPrefix = "STREAMING-"
)

// EmptyHash is the SHA-256 of no bytes, in hex: the payload hash of a request without a body.
const EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const (
	terminator = "aws4_request"
	dateFormat = "20060102T150405Z"
)

// HashPayload returns the payload hash of body.
func HashPayload(body []byte) string {
	if len(body) == 0 {
		return EmptyHash
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Key is what a Lookup knows of an access key.
type Key struct {
	Secret string
	// SessionToken must come with the request when it is not empty.
	SessionToken string
	// Expires is when the key stops being valid; the zero time means never.
	Expires time.Time
}

// Lookup finds an access key. It must be safe for use by several goroutines.
type Lookup func(accessKeyID string) (Key, bool)

// Dialect chooses the texts, error types and rules of a kind of services.
type Dialect uint8

const (
	// ExecuteAPI is what callers of an API in API Gateway see (facts: apigateway 3).
	ExecuteAPI Dialect = iota
	// JSON is a control plane whose errors are types such as InvalidSignatureException (facts: sigv4-iam 2).
	JSON
	// Query is a control plane of the Query or REST-XML protocol: STS, IAM, CloudFormation, CloudFront.
	Query
	// S3 is the data plane of S3: its own codes, no normalisation of paths, payload hash from the request, 15 minutes.
	S3
)

// Result describes a request whose signature is right.
type Result struct {
	AccessKeyID string
	// Date is when the request was signed, Region and Service what it was signed for.
	Date            time.Time
	Region, Service string
	// SignedHeaders is the list as it was sent: lower case, joined with semicolons.
	SignedHeaders string
	// SessionToken came with the request and matched. It is a secret.
	SessionToken string
	// PayloadHash is what the signature covers for the body: a hash in hex, UNSIGNED-PAYLOAD or a STREAMING- value. In
	// dialect S3 it is the client's claim, and the reader of the body must check it: NewChunkReader for STREAMING-.
	PayloadHash string
	// Presigned is true when the signature was in the query.
	Presigned bool
	// Host is the host that was signed: the request's, or Input.SentHost.
	Host string

	seed seed
}

// seed is what the signatures of chunks go on from.
type seed struct {
	key                    *signingKey
	date, scope, signature string
}

// Cause says what is wrong with a signature, in Foregate's terms.
type Cause uint8

// The causes, in the order in which they are looked for (facts: sigv4-iam 2).
const (
	// MissingToken: there is no signature, or the Authorization is of another kind.
	MissingToken Cause = iota + 1
	// NotKeyValue: a part of the Authorization header has no equal sign.
	NotKeyValue
	// NoAlgorithm: the Authorization header does not begin with the name of an algorithm.
	NoAlgorithm
	// MissingParts: Credential, Signature, SignedHeaders or the date are missing.
	MissingParts
	// BadDate: the date cannot be read.
	BadDate
	// Expired: signed too long ago, or a presigned URL is past its time.
	Expired
	// NotYetCurrent: signed in the future.
	NotYetCurrent
	// HostNotSigned: SignedHeaders does not have host.
	HostNotSigned
	// BadAlgorithm: not AWS4-HMAC-SHA256.
	BadAlgorithm
	// BadCredential: the Credential does not have five parts.
	BadCredential
	// BadScope: region, service, terminator or date of the Credential are wrong.
	BadScope
	// UnknownKey: the access key does not exist, or belongs to a session and came without its token.
	UnknownKey
	// Mismatch: the signature is wrong. Diagnose may know why.
	Mismatch
	// WrongSessionToken: the token is not the one that belongs to the key.
	WrongSessionToken
	// ExpiredKey: the temporary credentials have expired.
	ExpiredKey
	// MissingPayloadHash: S3 needs x-amz-content-sha256, or what is there is no hash.
	MissingPayloadHash
	// HeadersNotSigned: an x-amz- header came that the signature does not cover (S3).
	HeadersNotSigned
	// TwoSignatures: the header and the query have a signature (S3).
	TwoSignatures
	// BadExpires: X-Amz-Expires is no number of seconds up to a week.
	BadExpires
)

var causeNames = [...]string{
	MissingToken: "missing-token", NotKeyValue: "not-key-value", NoAlgorithm: "no-algorithm", MissingParts: "missing-parts",
	BadDate: "bad-date", Expired: "expired", NotYetCurrent: "not-yet-current", HostNotSigned: "host-not-signed",
	BadAlgorithm: "bad-algorithm", BadCredential: "bad-credential", BadScope: "bad-scope", UnknownKey: "unknown-key",
	Mismatch: "signature-mismatch", WrongSessionToken: "wrong-session-token", ExpiredKey: "expired-key",
	MissingPayloadHash: "missing-payload-hash", HeadersNotSigned: "headers-not-signed", TwoSignatures: "two-signatures",
	BadExpires: "bad-expires",
}

// String returns the cause as a trace writes it.
func (c Cause) String() string {
	if int(c) < len(causeNames) && causeNames[c] != "" {
		return causeNames[c]
	}
	return "unknown"
}

// Error is why a request is refused.
type Error struct {
	Cause Cause
	// Type is AWS's error type or code in the Verifier's dialect: InvalidSignatureException, SignatureDoesNotMatch.
	Type string
	// Status is the HTTP status that the dialect answers with.
	Status int
	// Message is AWS's text. For a mismatch it has the canonical string and the string to sign, except in dialect S3,
	// which puts them in elements of their own.
	Message string
	// CanonicalRequest and StringToSign are what the verifier computed; set for a mismatch only. A session
	// token in them is shortened.
	CanonicalRequest, StringToSign string
	// AccessKeyID and Signature are what the client sent. S3 shows both in its answers; shorten the signature elsewhere.
	AccessKeyID, Signature string
	// Region is the region that the Credential should have named; set for BadScope only.
	Region string
	// Headers lists what HeadersNotSigned is about, joined with ", ".
	Headers string
	// Expires and Now are set for Expired, NotYetCurrent and ExpiredKey.
	Expires, Now time.Time
}

// Error returns the text.
func (e *Error) Error() string { return e.Type + ": " + e.Message }
