package signed

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"sync/atomic"
)

// Verified remembers signatures that were found valid, so that a viewer who comes again, as every player of a stream does, costs
// a hash and no arithmetic of RSA. It has only valid ones, and what was signed is in the name by which it finds them: the public
// key itself, the text of policy or address, the hash and the signature. So nothing of it ever goes stale, whatever happens to
// keys and plans, and one Verified serves all distributions of a node; that a key is still trusted is asked before. Times,
// networks and addresses of a policy are checked at each request.
//
// Its size is fixed, and it takes no locks. It forgets at random when it is full. Nil remembers nothing.
type Verified struct {
	slots [verifiedSets * verifiedWays]atomic.Pointer[verifiedPolicy]
}

const (
	verifiedSets = 1 << 11
	verifiedWays = 4
	// maxVerified bounds the pattern of a policy that is remembered, so that all of them are bounded too: at most 8 MiB.
	maxVerified = 512
)

type verifiedPolicy struct {
	name   verifiedName
	policy *Policy
}

type verifiedName [sha256.Size]byte

// set returns the slots in which a name may be.
func (v *Verified) set(n *verifiedName) []atomic.Pointer[verifiedPolicy] {
	i := int(binary.LittleEndian.Uint32(n[:])%verifiedSets) * verifiedWays
	return v.slots[i : i+verifiedWays]
}

// policy returns the policy of a signature that was valid before.
func (v *Verified) policy(n *verifiedName) *Policy {
	set := v.set(n)
	for i := range set {
		if p := set[i].Load(); p != nil && p.name == *n {
			return p.policy
		}
	}
	return nil
}

func (v *Verified) add(n *verifiedName, p *Policy) {
	if len(p.Resource) > maxVerified {
		return
	}
	entry := &verifiedPolicy{*n, p}
	set := v.set(n)
	for i := range set {
		if set[i].CompareAndSwap(nil, entry) {
			return
		}
	}
	set[n[sha256.Size-1]%verifiedWays].Store(entry)
}

// nameOf is the name of what a request wants verified by a key: each part with its length, as the request wrote it.
func nameOf(key *trusted, c *credentials, from Source, a address) verifiedName {
	var room [1536]byte
	b := append(room[:0], key.fingerprint[:]...)
	b = append(b, byte(from)) // values of a URL may be percent-encoded, those of cookies are not
	parts := [...]string{c.signature, c.hash, c.policy}
	for _, part := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
	}
	if c.policy == "" { // CloudFront makes the policy, of these
		for _, part := range [...]string{c.expires, a.scheme, a.host, a.path, a.query} {
			b = append(binary.AppendUvarint(b, uint64(len(part))), part...)
		}
	}
	return sha256.Sum256(b)
}

// fingerprint tells public keys apart; ok is false for one that cannot be written.
func fingerprint(key crypto.PublicKey) (sum [sha256.Size]byte, ok bool) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return sum, false
	}
	return sha256.Sum256(der), true
}
