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
	res := Result{Source: from, KeyID: c.keyID, Custom: c.policy != "", credentials: c}
	problem := func(p Problem, detail string) Result {
		res.Problem, res.Detail = p, detail
		return res
	}
	if c.keyID == "" {
		return problem(NoKeyID, "")
	}
	key := k.keys[c.keyID]
	switch {
	case key == nil:
		return problem(UnknownKey, "")
	case c.signature == "":
		return problem(NoSignature, "")
	case c.policy == "" && c.expires == "":
		return problem(NoPolicy, "")
	}
	if err := res.readPolicy(r); err != "" {
		return problem(BadPolicy, err)
	}
	signature, ok := unencode(c.signature)
	if !ok {
		return problem(BadSignature, "")
	}
	hash := hashOf(c.hash)
	if hash == 0 {
		return problem(BadHash, "")
	}
	if !verify(key, hash, res.document, signature) {
		return problem(Mismatch, "")
	}
	res.Problem = res.Policy.allows(r)
	return res
}

// readPolicy sets the policy and the text that was signed; it returns what is wrong.
func (res *Result) readPolicy(r *Request) string {
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
	resource := r.address().String()
	res.Policy, res.document = &Policy{Resource: resource, Before: before}, canned(resource, c.expires)
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
func (p *Policy) allows(r *Request) Problem {
	switch {
	case !p.covers(r):
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

// covers tells whether the policy is about the address of a request. The policy that CloudFront makes itself has that address
// as its Resource, and an address that happens to hold wildcards still matches itself.
func (p *Policy) covers(r *Request) bool {
	a := r.address()
	return p.Any || p.Resource == a.String() || matches(p.Resource, a)
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
