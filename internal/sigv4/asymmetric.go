package sigv4

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
)

// AsymmetricAlgorithm is that of Signature Version 4A, which a signature that several regions take is made with. CloudFront's
// key value stores want it (AWS's manual, "About the CloudFront KeyValueStore").
const AsymmetricAlgorithm = "AWS4-ECDSA-P256-SHA256"

// asymmetric tells whether the claim is of Version 4A, and this verifier takes it.
func (v *Verifier) asymmetric(c *claim) bool {
	return v.opt.Asymmetric && c.algorithm == AsymmetricAlgorithm
}

// parseAsymmetric reads a credential of Version 4A: it names no region.
func parseAsymmetric(s string) (credential, bool) {
	p := strings.Split(strings.TrimRight(s, "/"), "/")
	if len(p) != 4 || p[0] == "" || p[1] == "" || p[2] == "" {
		return credential{}, false
	}
	return credential{key: p[0], date: p[1], service: p[2], term: p[3]}, true
}

// checkAsymmetricForm is checkForm for Version 4A. Any set of regions is taken: here is but one place.
func (v *Verifier) checkAsymmetricForm(in *Input, c *claim, want scope, basic string) (credential, *Error) {
	if !lists(c.signed, "host") && !lists(c.signed, ":authority") {
		return credential{}, v.fail(HostNotSigned, c, want, hostNotSignedText)
	}
	cred, ok := parseAsymmetric(c.credential)
	if !ok {
		return credential{}, v.fail(BadCredential, c, want, badCredentialText(c.credential))
	}
	set, has := in.Request.Header.Lookup("X-Amz-Region-Set")
	if !c.presigned && (!has || set == "" || !lists(c.signed, "x-amz-region-set")) {
		return cred, v.fail(MissingParts, c, want, "Authorization header requires existence of a signed 'X-Amz-Region-Set' header. "+c.header)
	}
	if cred.service != want.service || cred.term != terminator || cred.date != basic[:8] {
		return cred, v.fail(BadScope, c, want, scopeText(cred, want, basic))
	}
	return cred, nil
}

// asymmetricKey derives the key pair of an access key: a counter is tried until what HMAC gives is a number below the curve's
// order (NIST SP 800-108, 5.1; the constants are those of AWS's signer, aws-c-auth). ok is false for none, which does not happen.
func asymmetricKey(accessKeyID, secret string) (*ecdsa.PrivateKey, bool) {
	order := elliptic.P256().Params().N
	limit := new(big.Int).Sub(order, big.NewInt(2))
	for counter := byte(1); counter < 255; counter++ {
		h := hmac.New(sha256.New, []byte("AWS4A"+secret))
		fixed := binary.BigEndian.AppendUint32(nil, 1)
		fixed = append(fixed, AsymmetricAlgorithm...)
		fixed = append(fixed, 0)
		fixed = append(fixed, accessKeyID...)
		fixed = append(fixed, counter)
		fixed = binary.BigEndian.AppendUint32(fixed, 256)
		h.Write(fixed)
		n := new(big.Int).SetBytes(h.Sum(nil))
		if n.Cmp(limit) > 0 {
			continue
		}
		n.Add(n, big.NewInt(1))
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), n.FillBytes(make([]byte, 32)))
		if err != nil {
			return nil, false
		}
		return private, true
	}
	return nil, false
}

// checkAsymmetric verifies a signature of Version 4A: what is signed is that of Version 4, under the other algorithm's name.
func (v *Verifier) checkAsymmetric(in *Input, q *subject, cred credential, secret string, c *claim) *Error {
	key, ok := asymmetricKey(cred.key, secret)
	signature, err := hex.DecodeString(c.signature)
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	for _, host := range []string{q.host, in.SentHost} {
		if host == "" {
			continue
		}
		q.host = host
		s.canonical(q)
		s.sts = append([]byte(AsymmetricAlgorithm), s.sts[len(Algorithm):]...)
		sum := sha256.Sum256(s.sts)
		if ok && err == nil && ecdsa.VerifyASN1(&key.PublicKey, sum[:], signature) {
			return nil
		}
	}
	e := v.fail(Mismatch, c, scope{}, "")
	e.CanonicalRequest, e.StringToSign = withoutToken(string(s.buf), c.token), string(s.sts)
	if v.opt.Dialect != S3 {
		e.Message = longMismatchText(e.CanonicalRequest, e.StringToSign)
	}
	return e
}
