// Package signed decides whether a request carries a valid CloudFront signature, as a signed URL or in signed cookies.
//
// Start with Keys, which are the public keys that a behavior trusts, and Keys.Check. Strip takes the parameters of a signature
// off a query string, StripCookies the cookies. Diagnose finds out why a signature does not match, which CloudFront never tells.
//
// The package is pure: no clock, no network. It must not know plans, distributions or traces. Sources: the manual's pages
// private-content-signed-urls, -choosing-signed-urls-cookies, -creating-signed-url-canned-policy and -custom-policy, and
// -setting-signed-cookie-… of 2026; the answers are quoted in public reports (see Problem).
package signed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Keys are the public keys by which a behavior trusts signatures. They are immutable.
type Keys struct {
	keys     map[string]*trusted
	ids      []string
	verified *Verified
}

// trusted is a key with its fingerprint.
type trusted struct {
	key         crypto.PublicKey
	fingerprint [sha256.Size]byte
	// remember is false for a key that has none: what it verifies is not remembered.
	remember bool
}

// NewKeys makes Keys of public keys by their ids (K…). They are *rsa.PublicKey and *ecdsa.PublicKey, as ParseKey returns them.
// verified, which may be nil, remembers valid signatures; Keys of all distributions may share it.
func NewKeys(keys map[string]crypto.PublicKey, verified *Verified) *Keys {
	out := &Keys{keys: map[string]*trusted{}, ids: slices.Sorted(maps.Keys(keys)), verified: verified}
	for id, key := range keys {
		t := &trusted{key: key}
		t.fingerprint, t.remember = fingerprint(key)
		out.keys[id] = t
	}
	return out
}

// IDs are the ids of the keys, sorted.
func (k *Keys) IDs() []string { return k.ids }

// ParseKey reads a public key in PEM: RSA with 2048 bits, or ECDSA on P-256 (private-content-trusted-signers, "must be either
// an SSH-2 RSA 2048 or ECDSA 256 key pair").
func ParseKey(encoded string) (crypto.PublicKey, error) {
	block, _ := pem.Decode([]byte(encoded))
	if block == nil {
		return nil, errors.New("read public key: it is not PEM")
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("read public key: it is a %q, want PUBLIC KEY", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read public key: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		if n := k.N.BitLen(); n != 2048 {
			return nil, fmt.Errorf("read public key: RSA with %d bits, want 2048", n)
		}
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("read public key: ECDSA on %s, want P-256", k.Curve.Params().Name)
		}
	default:
		return nil, errors.New("read public key: neither RSA nor ECDSA")
	}
	return key, nil
}

// Request is what of a viewer's request a signature is about.
type Request struct {
	// Scheme is http or https, Host the Host header, Path and Query as they came, the parameters of the signature included.
	Scheme, Host, Path, Query string
	// Header has the Cookie fields.
	Header message.Header
	Client netip.Addr
	Now    time.Time
}

// Source says where a request carries its signature.
type Source uint8

// The places of a signature. A URL with any parameter of a signature counts as a signed URL, and cookies are not looked at
// (private-content-choosing-signed-urls-cookies).
const (
	Nowhere Source = iota
	InURL
	InCookies
)

// String names the source for people.
func (s Source) String() string {
	return [...]string{"no signature", "signed URL", "signed cookies"}[s]
}

// Problem is what is wrong with a request.
type Problem uint8

// The problems, in the order in which they are looked for. That the key is looked up before anything else is known from live
// answers: placeholders for all parameters get Unknown Key (public code that reads Strava's tiles). The order of the others is
// not published.
const (
	OK Problem = iota
	// NoKeyID: there is no Key-Pair-Id, or an empty one.
	NoKeyID
	// UnknownKey: no trusted key has the id.
	UnknownKey
	NoSignature
	// NoPolicy: there is neither a policy nor an expiry time.
	NoPolicy
	// BadPolicy: the policy cannot be read, or the expiry time is no time.
	BadPolicy
	// BadSignature: the signature is not in CloudFront's base64.
	BadSignature
	// BadHash: the hash algorithm is neither SHA1 nor SHA256.
	BadHash
	// Mismatch: the signature is not one of this policy by this key.
	Mismatch
	WrongResource
	Expired
	NotYet
	WrongAddress
)

// Answer returns the code and the message of the XML that CloudFront answers a problem with, at status 403. The texts of
// MissingKey, InvalidKey, MalformedSignature, MalformedPolicy and AccessDenied are quoted from live answers in public
// repositories; no source was found for those of MissingSignature and MissingPolicy, and BadHash.
func (p Problem) Answer() (code, text string) {
	switch p {
	case OK:
		return "", ""
	case NoKeyID:
		return "MissingKey", "Missing Key-Pair-Id query parameter or cookie value"
	case UnknownKey:
		return "InvalidKey", "Unknown Key"
	case NoSignature:
		return "MissingSignature", "Missing Signature query parameter or cookie value" // text: our words, after MissingKey
	case NoPolicy:
		return "MissingPolicy", "Missing Policy query parameter or cookie value" // text: our words, after MissingKey
	case BadPolicy:
		return "MalformedPolicy", "Malformed Policy"
	case BadSignature:
		return "MalformedSignature", "Could not unencode Signature"
	}
	return "AccessDenied", "Access denied"
}

// Body is the whole answer to a problem: XML without a line break at its end (live answers).
func (p Problem) Body() string {
	code, text := p.Answer()
	return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>` + code + `</Code><Message>` + text + `</Message></Error>`
}

// Result is the outcome of Check.
type Result struct {
	Problem Problem
	Source  Source
	// KeyID is the Key-Pair-Id that the request names.
	KeyID string
	// Custom is true for a policy that the request carries, false for the one that CloudFront makes of URL and expiry time.
	Custom bool
	// Detail says more about the problem, in words; "" where the problem says all.
	Detail string
	// Policy is the policy, once it could be read. It is shared and must not be changed.
	Policy *Policy
	// Query is the request's query string without the parameters of a signature.
	Query string

	credentials credentials
	document    string // what was signed
}
