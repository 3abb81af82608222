package signed

import (
	"crypto"
	"net/url"
	"strings"
)

// Diagnose says why CloudFront refuses, as far as it can be found out by trying what signers usually get wrong; hosts are other
// names of the distribution. because are facts, fixes what to do. It is for explanations: it verifies many times.
func (k *Keys) Diagnose(res Result, r *Request, hosts []string) (because, fixes []string) {
	switch res.Problem {
	case Mismatch:
		return k.mismatch(res, r, hosts)
	case WrongResource:
		return res.Policy.wrongResource(r, hosts)
	}
	return nil, nil
}

// try is one way in which a signature may have been made.
type try struct {
	address      address
	because, fix string
}

func (k *Keys) mismatch(res Result, r *Request, hosts []string) (because, fixes []string) {
	c := &res.credentials
	signature, _ := unencode(c.signature)
	hash := hashOf(c.hash)
	other := crypto.SHA256
	if hash == other {
		other = crypto.SHA1
	}
	key := k.keys[c.keyID].key
	fits := func(key crypto.PublicKey, hash crypto.Hash, document string) bool {
		return verify(key, hash, document, signature)
	}
	if fits(key, other, res.document) {
		if other == crypto.SHA256 {
			return []string{"the signature was made with SHA-256, and the request does not say so"}, []string{"add Hash-Algorithm=SHA256 to the URL, or the cookie CloudFront-Hash-Algorithm=SHA256"}
		}
		return []string{"the signature was made with SHA-1, and the request names SHA256"}, []string{"leave Hash-Algorithm out, or sign with SHA-256"}
	}
	for _, id := range k.ids {
		if id != c.keyID && (fits(k.keys[id].key, hash, res.document) || fits(k.keys[id].key, other, res.document)) {
			return []string{"the signature was made with the private key of " + id + ", and Key-Pair-Id names " + c.keyID}, []string{"set Key-Pair-Id to " + id}
		}
	}
	if res.Custom {
		if text, ok := compacted(res.document); ok && fits(key, hash, text) {
			return []string{"the signature is one of the policy without white space, and Policy has white space"}, []string{"encode the same text that is signed"}
		}
		return []string{"the signature is not one of this policy by the key " + c.keyID},
			[]string{"sign exactly the text that Policy encodes, with RSA (PKCS #1 v1.5) or ECDSA", "check that the private key belongs to the public key " + c.keyID}
	}
	for _, t := range variants(r.address(), hosts) {
		for _, h := range [...]crypto.Hash{hash, other} {
			if fits(key, h, canned(t.address.String(), c.expires)) {
				return []string{t.because, "the signer signed " + t.address.String() + ", and the viewer asks for " + r.address().String()}, []string{t.fix}
			}
		}
	}
	return []string{
			"CloudFront made the policy for " + r.address().String() + " with Expires " + c.expires + ", and the signature is not one of it by the key " + c.keyID},
		[]string{"sign this address to the letter: scheme, host, path and the query string in its order",
			"do not change Expires after signing", "check that the private key belongs to the public key " + c.keyID}
}

// compacted takes white space out of a JSON text that has none inside of strings.
func compacted(s string) (string, bool) {
	text := strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '\r' || r == '\n' {
			return -1
		}
		return r
	}, s)
	return text, text != s
}

// maxHosts bounds how many names Diagnose tries.
const maxHosts = 12

// variants are the addresses that a signer may have meant.
func variants(a address, hosts []string) []try {
	schemes := []string{a.scheme, "https"}
	if a.scheme == "https" {
		schemes[1] = "http"
	}
	names := []string{a.host}
	for _, h := range hosts {
		if !strings.EqualFold(h, a.host) && !strings.Contains(h, "*") && len(names) < maxHosts {
			names = append(names, h)
		}
	}
	var out []try
	for i, scheme := range schemes {
		for j, host := range names {
			for _, t := range targets(a) {
				t.address.scheme, t.address.host = scheme, host
				switch {
				case j > 0 && t.because == "":
					t.because, t.fix = "the host differs: a signature is for one name of the distribution", "sign for the name that viewers use: "+a.host
				case i > 0 && t.because == "":
					t.because, t.fix = "the scheme differs", "sign "+a.scheme+":// addresses, or use a custom policy whose Resource begins with *://"
				}
				if t.because != "" {
					out = append(out, t)
				}
			}
		}
	}
	return out
}

// targets are path and query as they came, and as a signer may have had them.
func targets(a address) []try {
	out := []try{{address: a}}
	if a.query != "" {
		without := a
		without.query = ""
		out = append(out, try{without, "the query string was not signed", "sign the URL with its query string, and add nothing to it afterwards"})
		params := strings.Split(a.query, "&")
		for i := 0; i < len(params) && i < maxSplits && len(params) > 1; i++ {
			one := a
			one.query = strings.Join(append(append([]string(nil), params[:i]...), params[i+1:]...), "&")
			name, _, _ := strings.Cut(params[i], "=")
			out = append(out, try{one, "the parameter " + name + " was added after signing", "sign the URL with this parameter, or do not add it"})
		}
	}
	if plain, err := url.PathUnescape(a.path); err == nil && plain != a.path {
		decoded := a
		decoded.path = plain
		out = append(out, try{decoded, "the path was signed before it was percent-encoded", "sign the path as it is in the URL: " + a.path})
	}
	return out
}

// wrongResource says which section of a policy's Resource does not match.
func (p *Policy) wrongResource(r *Request, hosts []string) (because, fixes []string) {
	a := r.address()
	because = []string{"the policy is for " + p.Resource + ", and the viewer asks for " + a.String()}
	if !strings.Contains(p.Resource, "://") && !strings.HasPrefix(p.Resource, "*") {
		return append(because, "a Resource begins with http://, https:// or *://"), []string{"begin the policy's Resource with https://" + a.host + "/, or with *://"}
	}
	for _, t := range variants(a, hosts) {
		if matches(p.Resource, t.address) {
			return append(because, t.because), []string{t.fix}
		}
	}
	return because, []string{"sign a policy whose Resource covers the address; * stands for any characters within scheme, host, path or query string"}
}
