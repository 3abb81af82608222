package signed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"strings"
)

// Check looks for a signature in a request and decides whether the request may pass: Result.Problem is OK then. Nothing of a
// policy counts before its signature is verified.
func (k *Keys) Check(r *Request) Result {
	c, from := read(r)
	a := r.address()
	res := Result{Source: from, KeyID: decoded(from, c.keyID), Custom: c.policy != "", Query: a.query}
	if res.KeyID == "" {
		res.Problem = NoKeyID
		return res
	}
	key := k.keys[res.KeyID]
	if key == nil {
		res.Problem = UnknownKey
		return res
	}
	var name verifiedName
	remember := k.verified != nil && key.remember
	if remember {
		name = nameOf(key, &c, from, a)
		res.Policy = k.verified.policy(&name)
	}
	if res.Policy == nil {
		c.decodeAll(from)
		res.credentials = c
		if res.Problem = res.verify(key.key, a); res.Problem != OK {
			return res
		}
		if remember {
			k.verified.add(&name, res.Policy)
		}
	}
	res.Problem = res.Policy.allows(r, a)
	return res
}

// verify reads the policy of a request for address a, and tells whether key has signed it.
func (res *Result) verify(key crypto.PublicKey, a address) Problem {
	c := &res.credentials
	switch {
	case c.signature == "":
		return NoSignature
	case c.policy == "" && c.expires == "":
		return NoPolicy
	}
	if res.Detail = res.readPolicy(a); res.Detail != "" {
		return BadPolicy
	}
	signature, ok := unencode(c.signature)
	if !ok {
		return BadSignature
	}
	hash := hashOf(c.hash)
	switch {
	case hash == 0:
		return BadHash
	case !verify(key, hash, res.document, signature):
		return Mismatch
	}
	return OK
}

// readPolicy sets the policy and the text that was signed; it returns what is wrong.
func (res *Result) readPolicy(a address) string {
	c := &res.credentials
	if res.Custom {
		text, ok := unencode(c.policy)
		if !ok {
			return "it is not in CloudFront's base64, with - for +, _ for = and ~ for /"
		}
		p, err := ParsePolicy(text)
		if err != nil {
			return err.Error()
		}
		res.Policy, res.document = p, string(text)
		return ""
	}
	before, err := seconds(c.expires)
	if err != nil {
		return "read Expires: " + err.Error()
	}
	res.Policy, res.document = &Policy{Any: true, Before: before}, canned(a.String(), c.expires) // made of this address, it covers it
	return ""
}

// hashOf returns the hash that a request names, SHA-1 unless it names one, and 0 for one that CloudFront does not have.
func hashOf(name string) crypto.Hash {
	switch name {
	case "", "SHA1":
		return crypto.SHA1
	case "SHA256":
		return crypto.SHA256
	}
	return 0
}

func verify(key crypto.PublicKey, hash crypto.Hash, document string, signature []byte) bool {
	var room [sha256.Size]byte
	digest := room[:sha1.Size]
	if hash == crypto.SHA256 {
		room = sha256.Sum256([]byte(document))
		digest = room[:]
	} else {
		sum := sha1.Sum([]byte(document))
		copy(digest, sum[:])
	}
	switch key := key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	}
	return false
}

// allows checks the conditions of a policy whose signature is valid.
func (p *Policy) allows(r *Request, a address) Problem {
	switch {
	case !p.Any && !matches(p.Resource, a) && p.Resource != a.String(): // an address that happens to hold wildcards matches itself
		return WrongResource
	case !r.Now.Before(p.Before):
		return Expired
	case !p.After.IsZero() && !r.Now.After(p.After):
		return NotYet
	case p.From.IsValid() && !p.From.Contains(r.Client.Unmap()):
		return WrongAddress
	}
	return OK
}

// address is the URL that the viewer asked for, without the signature.
func (r *Request) address() address {
	return address{scheme: r.Scheme, host: withoutPort(r.Host), path: r.Path, query: Strip(r.Query)}
}

// String writes the address as a URL.
func (a address) String() string {
	s := a.scheme + "://" + a.host + a.path
	if a.query != "" {
		s += "?" + a.query
	}
	return s
}

func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[:i]
	}
	return host
}
