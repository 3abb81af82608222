package signed

import (
	"crypto"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// remembering are Keys that remember, and a canned URL, a custom URL and cookies that they trust.
func remembering(t testing.TB) (k *Keys, requests map[string]*Request) {
	p := pairs()
	k = NewKeys(map[string]crypto.PublicKey{"KRSA": &p.rsa.PublicKey, "KEC": &p.ec.PublicKey}, new(Verified))
	policy := `{"Statement":[{"Resource":"https://d111.cloudfront.net/a/*","Condition":{"DateLessThan":{"AWS:EpochTime":` + expires + `},"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}}}]}`
	signature := sign(t, p.rsa, crypto.SHA1, policy)
	return k, map[string]*Request{
		"canned":  request(page + "?Expires=" + expires + "&Signature=" + sign(t, p.ec, crypto.SHA256, cannedText(page, expires)) + "&Key-Pair-Id=KEC&Hash-Algorithm=SHA256"),
		"custom":  request(page + "?size=1&Policy=" + encode([]byte(policy)) + "&Signature=" + signature + "&Key-Pair-Id=KRSA"),
		"cookies": cookies(request(page), "CloudFront-Policy="+encode([]byte(policy)), "CloudFront-Signature="+signature, "CloudFront-Key-Pair-Id=KRSA"),
	}
}

// A signature that was valid is found again, without an allocation, and whatever is not signed is asked each time.
func TestVerified(t *testing.T) {
	k, requests := remembering(t)
	for name, r := range requests {
		first := k.Check(r)
		if first.Problem != OK {
			t.Fatalf("%s: problem %d (%s)", name, first.Problem, first.Detail)
		}
		again := k.Check(r)
		if again.Problem != OK || again.Policy != first.Policy || again.KeyID != first.KeyID || again.Custom != first.Custom || again.Source != first.Source || again.Query != first.Query {
			t.Errorf("%s: first %+v, then %+v", name, first, again)
		}
		if n := testing.AllocsPerRun(20, func() { k.Check(r) }); n != 0 {
			t.Errorf("%s: %v allocations for a signature that is known", name, n)
		}
		late := *r
		if late.Now = time.Unix(1767290400, 0); k.Check(&late).Problem != Expired {
			t.Errorf("%s passes after its time", name)
		}
		other := *r
		if other.Path = "/b/x"; k.Check(&other).Problem == OK {
			t.Errorf("%s passes for another path", name)
		}
		far := *r
		if far.Client = netip.MustParseAddr("198.51.100.1"); first.Custom && k.Check(&far).Problem != WrongAddress {
			t.Errorf("%s passes from another network", name)
		}
	}
}

// What is valid by one key is not by another of the same id: keys change, and are no longer trusted.
func TestVerifiedByKey(t *testing.T) {
	k, requests := remembering(t)
	p, r := pairs(), requests["custom"]
	if k.Check(r).Problem != OK {
		t.Fatal("not valid")
	}
	changed := NewKeys(map[string]crypto.PublicKey{"KRSA": &p.other.PublicKey}, k.verified)
	if got := changed.Check(r).Problem; got != Mismatch {
		t.Errorf("another key of the same id: problem %d", got)
	}
	gone := NewKeys(map[string]crypto.PublicKey{"KEC": &p.ec.PublicKey}, k.verified)
	if got := gone.Check(r).Problem; got != UnknownKey {
		t.Errorf("a key that is no longer trusted: problem %d", got)
	}
	same := NewKeys(map[string]crypto.PublicKey{"KRSA": &p.rsa.PublicKey}, k.verified)
	if n := testing.AllocsPerRun(5, func() { same.Check(r) }); n != 0 {
		t.Errorf("the same key in another plan verifies again: %v allocations", n)
	}
}

// Nothing that is not valid is remembered, nor a policy that is large; and what is remembered has a bound.
func TestVerifiedIsBounded(t *testing.T) {
	v, held := new(Verified), func(v *Verified) (n int) {
		for i := range v.slots {
			if v.slots[i].Load() != nil {
				n++
			}
		}
		return n
	}
	p := pairs()
	k := NewKeys(map[string]crypto.PublicKey{"KEC": &p.ec.PublicKey}, v)
	good := sign(t, p.ec, crypto.SHA1, cannedText(page, expires))
	for _, query := range []string{"Expires=1767290401&Signature=" + good, "Expires=" + expires + "&Signature=YWJj", "Signature=" + good, "Expires=" + expires} {
		if k.Check(request(page+"?"+query+"&Key-Pair-Id=KEC")).Problem == OK {
			t.Errorf("%s passes", query)
		}
	}
	large := `{"Statement":[{"Resource":"https://d111.cloudfront.net/` + strings.Repeat("*", maxVerified) + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + expires + `}}}]}`
	if res := k.Check(request(page + "?Policy=" + encode([]byte(large)) + "&Signature=" + sign(t, p.ec, crypto.SHA1, large) + "&Key-Pair-Id=KEC")); res.Problem != OK {
		t.Errorf("a large policy: problem %d", res.Problem)
	}
	if n := held(v); n != 0 {
		t.Errorf("%d are remembered", n)
	}
	for i := range 4 * len(v.slots) {
		name := verifiedName([]byte(strings.Repeat(strconv.Itoa(i)+".", 32))[:32])
		v.add(&name, &Policy{})
		if v.policy(&name) == nil {
			t.Fatal("what was added last is not found")
		}
	}
	if n := held(v); n > len(v.slots) {
		t.Errorf("%d of %d", n, len(v.slots))
	}
}

// Parts of a request cannot be moved between its fields, and names differ by each of them.
func TestVerifiedNames(t *testing.T) {
	key := &trusted{fingerprint: [32]byte{1}}
	a := address{"https", "h", "/p", "q=1"}
	names := map[verifiedName]string{}
	for what, n := range map[string]verifiedName{
		"canned":      nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, a),
		"cookies":     nameOf(key, &credentials{signature: "s", expires: "1"}, InCookies, a),
		"key":         nameOf(&trusted{fingerprint: [32]byte{2}}, &credentials{signature: "s", expires: "1"}, InURL, a),
		"hash":        nameOf(key, &credentials{signature: "s", expires: "1", hash: "SHA1"}, InURL, a),
		"signature":   nameOf(key, &credentials{signature: "t", expires: "1"}, InURL, a),
		"expires":     nameOf(key, &credentials{signature: "s", expires: "2"}, InURL, a),
		"custom":      nameOf(key, &credentials{signature: "s", policy: "p"}, InURL, a),
		"scheme":      nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, address{"http", "h", "/p", "q=1"}),
		"host":        nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, address{"https", "h2", "/p", "q=1"}),
		"path":        nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, address{"https", "h", "/p/", "q=1"}),
		"query":       nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, address{"https", "h", "/p", "q=2"}),
		"moved":       nameOf(key, &credentials{signature: "s", expires: "1"}, InURL, address{"https", "h/", "p", "q=1"}),
		"policy or …": nameOf(key, &credentials{signature: "s", hash: "p"}, InURL, a),
	} {
		if other, twice := names[n]; twice {
			t.Errorf("%s and %s have one name", what, other)
		}
		names[n] = what
	}
	if x, y := nameOf(key, &credentials{signature: "s", policy: "p"}, InURL, a), nameOf(key, &credentials{signature: "s", policy: "p"}, InURL, address{}); x != y {
		t.Error("a custom policy is verified anew for each address")
	}
}

func TestVerifiedConcurrently(t *testing.T) {
	k, requests := remembering(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 50 {
				for name, r := range requests {
					if res := k.Check(r); res.Problem != OK {
						t.Errorf("%s: problem %d", name, res.Problem)
					}
				}
				n := verifiedName{0: byte(i)}
				k.verified.add(&n, &Policy{})
			}
		})
	}
	all.Wait()
}

func BenchmarkCheck(b *testing.B) {
	k, requests := remembering(b)
	forgetful := NewKeys(map[string]crypto.PublicKey{"KRSA": k.keys["KRSA"].key, "KEC": k.keys["KEC"].key}, nil)
	for _, name := range []string{"canned", "custom", "cookies"} {
		r := requests[name]
		for what, k := range map[string]*Keys{"known": k, "verified": forgetful} {
			b.Run(name+"/"+what, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if k.Check(r).Problem != OK {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
