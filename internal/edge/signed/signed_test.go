package signed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

var now = time.Unix(1767290000, 0)

// pairs are made once: RSA keys take time.
var pairs = sync.OnceValue(func() (p struct {
	rsa, other *rsa.PrivateKey
	ec         *ecdsa.PrivateKey
	keys       *Keys
}) {
	p.rsa, _ = rsa.GenerateKey(rand.Reader, 2048)
	p.other, _ = rsa.GenerateKey(rand.Reader, 2048)
	p.ec, _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p.keys = NewKeys(map[string]crypto.PublicKey{"KRSA": &p.rsa.PublicKey, "KOTHER": &p.other.PublicKey, "KEC": &p.ec.PublicKey}, nil)
	return p
})

var safe = strings.NewReplacer("+", "-", "=", "_", "/", "~")

func encode(b []byte) string { return safe.Replace(base64.StdEncoding.EncodeToString(b)) }

func sign(t testing.TB, signer crypto.Signer, hash crypto.Hash, text string) string {
	t.Helper()
	sum1, sum256 := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text))
	digest := sum1[:]
	if hash == crypto.SHA256 {
		digest = sum256[:]
	}
	b, err := signer.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return encode(b)
}

const (
	page    = "https://d111.cloudfront.net/a/b.jpg"
	expires = "1767290400"
)

// cannedText is the manual's form of a canned policy, written out apart from the code that is tested.
func cannedText(resource, expires string) string {
	return `{"Statement":[{"Resource":"` + resource + `","Condition":{"DateLessThan":{"AWS:EpochTime":` + expires + `}}}]}`
}

func request(address string) *Request {
	scheme, rest, _ := strings.Cut(address, "://")
	host, target, _ := strings.Cut(rest, "/")
	path, query, _ := strings.Cut("/"+target, "?")
	return &Request{Scheme: scheme, Host: host, Path: path, Query: query, Client: netip.MustParseAddr("192.0.2.7"), Now: now}
}

func cookies(r *Request, pairs ...string) *Request {
	r.Header = append(r.Header, message.Field{Name: "cookie", Value: strings.Join(pairs, "; ")})
	return r
}

func TestCheck(t *testing.T) {
	p := pairs()
	good := sign(t, p.rsa, crypto.SHA1, cannedText(page, expires))
	url := func(query string) *Request { return request(page + "?" + query) }
	all := "Expires=" + expires + "&Signature=" + good + "&Key-Pair-Id=KRSA"
	custom := func(text string) *Request {
		return url("Policy=" + encode([]byte(text)) + "&Signature=" + sign(t, p.rsa, crypto.SHA1, text) + "&Key-Pair-Id=KRSA")
	}
	statement := func(resource, condition string) string {
		return `{"Statement":[{"Resource":"` + resource + `","Condition":{` + condition + `}}]}`
	}
	const before = `"DateLessThan":{"AWS:EpochTime":1767290400}`
	withQuery := sign(t, p.rsa, crypto.SHA1, cannedText(page+"?b=2&a=1", expires))
	for _, test := range []struct {
		name string
		r    *Request
		want Problem
		from Source
	}{
		{"nothing", request(page), NoKeyID, Nowhere},
		{"canned URL", url(all), OK, InURL},
		{"its own parameters in their order, anywhere", url("b=2&Key-Pair-Id=KRSA&a=1&Signature=" + withQuery + "&Expires=" + expires), OK, InURL},
		{"a parameter added", url(all + "&utm=1"), Mismatch, InURL},
		{"encoded tildes", url(strings.ReplaceAll(all, "~", "%7E")), OK, InURL},
		{"a port in Host", request("https://d111.cloudfront.net:443/a/b.jpg?" + all), OK, InURL},
		{"http instead of https", request("http://d111.cloudfront.net/a/b.jpg?" + all), Mismatch, InURL},
		{"SHA-256", url("Expires=" + expires + "&Signature=" + sign(t, p.rsa, crypto.SHA256, cannedText(page, expires)) + "&Key-Pair-Id=KRSA&Hash-Algorithm=SHA256"), OK, InURL},
		{"SHA-256, not said", url("Expires=" + expires + "&Signature=" + sign(t, p.rsa, crypto.SHA256, cannedText(page, expires)) + "&Key-Pair-Id=KRSA"), Mismatch, InURL},
		{"ECDSA", url("Expires=" + expires + "&Signature=" + sign(t, p.ec, crypto.SHA1, cannedText(page, expires)) + "&Key-Pair-Id=KEC"), OK, InURL},
		{"ECDSA with SHA-256", url("Expires=" + expires + "&Signature=" + sign(t, p.ec, crypto.SHA256, cannedText(page, expires)) + "&Key-Pair-Id=KEC&Hash-Algorithm=SHA256"), OK, InURL},
		{"another hash", url(all + "&Hash-Algorithm=MD5"), BadHash, InURL},
		{"empty key id", url("Key-Pair-Id=&Signature=x&Expires=1"), NoKeyID, InURL},
		{"unknown key before all else", url("Key-Pair-Id=K&Signature=+&Policy=x"), UnknownKey, InURL},
		{"no signature", url("Key-Pair-Id=KRSA&Expires=1"), NoSignature, InURL},
		{"no policy", url("Key-Pair-Id=KRSA&Signature=x"), NoPolicy, InURL},
		{"a time that is none", url("Key-Pair-Id=KRSA&Signature=x&Expires=tomorrow"), BadPolicy, InURL},
		{"a time in milliseconds", url("Key-Pair-Id=KRSA&Signature=x&Expires=1767290400000"), BadPolicy, InURL},
		{"plain base64", url("Key-Pair-Id=KRSA&Signature=ab/=&Expires=1"), BadSignature, InURL},
		{"expired: the signature is checked first", url("Key-Pair-Id=KRSA&Signature=YWJj&Expires=1"), Mismatch, InURL},
		{"expired now", func() *Request { r := url(all); r.Now = time.Unix(1767290400, 0); return r }(), Expired, InURL},
		{"a URL with part of a signature hides cookies", cookies(url("Expires=5"), "CloudFront-Expires="+expires, "CloudFront-Signature="+good, "CloudFront-Key-Pair-Id=KRSA"), NoKeyID, InURL},
		{"canned cookies", cookies(request(page), "x=1", "CloudFront-Expires="+expires, "CloudFront-Signature="+good, "CloudFront-Key-Pair-Id=KRSA"), OK, InCookies},
		{"cookies in two fields", cookies(cookies(request(page), "CloudFront-Expires="+expires, "CloudFront-Signature="+good), "CloudFront-Key-Pair-Id=KRSA"), OK, InCookies},
		{"the text undefined for a policy", cookies(request(page), "CloudFront-Policy=undefined", "CloudFront-Signature="+good, "CloudFront-Key-Pair-Id=KRSA"), BadPolicy, InCookies},
		{"custom", custom(statement("https://d111.cloudfront.net/a/*", before)), OK, InURL},
		{"custom with white space", custom("{\r\n \"Statement\": [{\"Condition\":{" + before + "}, \"Resource\": \"*\"}]\r\n}\r\n"), OK, InURL},
		{"custom without Resource", custom(`{"Statement":[{"Condition":{` + before + `}}]}`), OK, InURL},
		{"another path", custom(statement("https://d111.cloudfront.net/b/*", before)), WrongResource, InURL},
		{"not yet", custom(statement("*", before+`,"DateGreaterThan":{"AWS:EpochTime":1767290000}`)), NotYet, InURL},
		{"by now", custom(statement("*", before+`,"DateGreaterThan":{"AWS:EpochTime":1767289999}`)), OK, InURL},
		{"network", custom(statement("*", before+`,"IpAddress":{"AWS:SourceIp":"192.0.2.0/24"}`)), OK, InURL},
		{"one address", custom(statement("*", before+`,"IpAddress":{"AWS:SourceIp":"192.0.2.8"}`)), WrongAddress, InURL},
		{"IPv6 viewer", func() *Request {
			r := custom(statement("*", before+`,"IpAddress":{"AWS:SourceIp":"0.0.0.0/0"}`))
			r.Client = netip.MustParseAddr("2001:db8::1")
			return r
		}(), WrongAddress, InURL},
		{"an IPv4 viewer on an IPv6 socket", func() *Request {
			r := custom(statement("*", before+`,"IpAddress":{"AWS:SourceIp":"192.0.2.7/32"}`))
			r.Client = netip.MustParseAddr("::ffff:192.0.2.7")
			return r
		}(), OK, InURL},
	} {
		t.Run(test.name, func(t *testing.T) {
			res := p.keys.Check(test.r)
			if res.Problem != test.want || res.Source != test.from {
				t.Errorf("problem %d (%s), from %v; want %d from %v", res.Problem, res.Detail, res.Source, test.want, test.from)
			}
		})
	}
}

func TestParsePolicy(t *testing.T) {
	const before = `"DateLessThan":{"AWS:EpochTime":1}`
	for _, test := range []struct{ text, problem string }{
		{`{"Statement":[{"Condition":{` + before + `}}]}`, ""},
		{`{"Statement":[{"Condition":{"DateGreaterThan":{"AWS:EpochTime":1}}}]}`, "DateLessThan"}, // github boto/boto 825
		{`{"Statement":{"Condition":{` + before + `}}}`, "no list"},
		{`{"Statement":[]}`, "no statement"},
		{`{"Statement":[{"Condition":{` + before + `}},{"Condition":{` + before + `}}]}`, "more than one"},
		{`{"Statement":[{"Condition":{` + before + `}}]} x`, "follows"},
		{`{"statement":[{"Condition":{` + before + `}}]}`, `"statement"`},
		{`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":"1"}}}]}`, "no number"},
		{`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":1.5}}}]}`, "no time"},
		{`{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":-1}}}]}`, "no time"},
		{`{"Statement":[{"Condition":{"DateLessThan":{}}}]}`, "needs AWS:EpochTime"},
		{`{"Statement":[{"Condition":{` + before + `,` + before + `}}]}`, "twice"},
		{`{"Statement":[{"Condition":{` + before + `,"IpAddress":{"AWS:SourceIp":"2001:db8::/32"}}}]}`, "IPv4"},
		{`{"Statement":[{"Condition":{` + before + `,"StringLike":{"aws:Referer":"x"}}}]}`, "StringLike"},
		{`{"Statement":[{"Resource":"","Condition":{` + before + `}}]}`, "empty"},
		{`{"Statement":[{"Resource":["a"],"Condition":{` + before + `}}]}`, "no text"},
		{`{"Statement":[{"Condition":{` + before + `}`, "not JSON"},
		{``, "not JSON"},
	} {
		_, err := ParsePolicy([]byte(test.text))
		if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("ParsePolicy(%s) = %v, want %q", test.text, err, test.problem)
		}
	}
}

// The examples of the manual's page private-content-creating-signed-url-custom-policy, and what follows from its rules.
func TestMatches(t *testing.T) {
	for _, test := range []struct {
		resource, address string
		want              bool
	}{
		{"https://www.example.com/hello*world", "https://www.example.com/helloworld", true},
		{"https://www.example.com/hello*world", "https://www.example.com/hello-world", true},
		{"https://www.example.com/hello*world", "https://www.example.net/hello?world", false},
		{"https://www.example.com/hello*world", "https://www.example.com/hello?world", false},
		{"http://example.com/hello*", "http://example.com/hello?x=1", true},
		{"http://example.com*", "http://example.com.evil/any/path?q", true},
		{"http://example.com*", "https://example.com/", false},
		{"*example.com", "https://www.example.com/", true},
		{"*example.com", "https://www.example.com/a", false},
		{"*", "http://anything/at/all?x", true},
		{"https://*", "https://any/path?x", true},
		{"https://*", "http://any/path", false},
		{"http*://d.net/*", "https://d.net/x", true},
		{"*://d.net/x", "http://d.net/x", true},
		{"https://d111111abcdef8.cloudfront.net/*game_download.zip*", "https://d111111abcdef8.cloudfront.net/game_download.zip", true},
		{"https://d111111abcdef8.cloudfront.net/*game_download.zip*", "https://d111111abcdef8.cloudfront.net/example_game_download.zip?license=yes", true},
		{"https://d.net/images/horizon.jpg?size=large&license=yes", "https://d.net/images/horizon.jpg?size=large&license=yes", true},
		{`https://d.net/images/horizon.jpg\?size=large`, "https://d.net/images/horizon.jpg?size=large", true},
		{`https://d.net/images/horizon.jpg\?*`, "https://d.net/images/horizon.jpg", true},
		{"https://d.net/images/horizon.jpg", "https://d.net/images/horizon.jpg?size=large", false},
		{"https://d.net/a?c", "https://d.net/abc", true},
		{"https://d.net/a?c.jpg?x=*", "https://d.net/abc.jpg?x=1", true},
		{"https://D.net/a", "https://d.NET/a", true},
		{"https://d.net/a", "https://d.net/A", false},
		{"d.net/*", "https://d.net/a", false},
		{"https://d.net", "https://d.net/", true},
		{"https://d.net", "https://d.net/a", false},
		{"https://d.net/", "https://d.net/", true},
		{`https://d.net\?a=1`, "https://d.net/?a=1", true},
	} {
		a := request(test.address)
		if got := matches(test.resource, a.address()); got != test.want {
			t.Errorf("matches(%q, %q) = %v", test.resource, test.address, got)
		}
	}
}

func TestStrip(t *testing.T) {
	for _, test := range [][2]string{
		{"", ""}, {"a=1", "a=1"}, {"Expires=1", ""}, {"a=1&Signature=x&b=2", "a=1&b=2"}, {"Policy=&a=&Key-Pair-Id=K&&Hash-Algorithm=SHA1&c", "a=&&c"},
		{"expires=1&signature=2", "expires=1&signature=2"},
	} {
		if got := Strip(test[0]); got != test[1] {
			t.Errorf("Strip(%q) = %q, want %q", test[0], got, test[1])
		}
	}
	in := message.Header{{Name: "A", Value: "1"}, {Name: "Cookie", Value: "a=1; CloudFront-Policy=x;CloudFront-Key-Pair-Id=K ; b=2"}, {Name: "Cookie", Value: "CloudFront-Signature=x"}, {Name: "B", Value: "2"}}
	before := in.Clone()
	out := StripCookies(in)
	if len(out) != 3 || out[1].Value != "a=1; b=2" || out[2].Name != "B" {
		t.Errorf("StripCookies = %v", out)
	}
	for i := range in {
		if in[i] != before[i] {
			t.Errorf("StripCookies has changed its argument: %v", in)
		}
	}
	same := message.Header{{Name: "Cookie", Value: "a=CloudFront-Policy"}}
	if n := testing.AllocsPerRun(10, func() { StripCookies(same[:0]); Strip("a=1&b=2") }); n != 0 {
		t.Errorf("%v allocations without a signature", n)
	}
}

func TestDiagnose(t *testing.T) {
	p := pairs()
	signedFor := func(signer crypto.Signer, hash crypto.Hash, resource, key string) string {
		return "Expires=" + expires + "&Signature=" + sign(t, signer, hash, cannedText(resource, expires)) + "&Key-Pair-Id=" + key
	}
	for _, test := range []struct{ name, address, query, because, fix string }{
		{"scheme", page, signedFor(p.rsa, crypto.SHA1, "http://d111.cloudfront.net/a/b.jpg", "KRSA"), "the scheme differs", "sign https://"},
		{"host", page, signedFor(p.rsa, crypto.SHA1, "https://www.example.com/a/b.jpg", "KRSA"), "the host differs", "d111.cloudfront.net"},
		{"query", page + "?size=1", signedFor(p.rsa, crypto.SHA1, page, "KRSA"), "query string was not signed", "with its query string"},
		{"one parameter", page + "?size=1&utm=2", signedFor(p.rsa, crypto.SHA1, page+"?size=1", "KRSA"), "the parameter utm was added", "do not add it"},
		{"hash", page, signedFor(p.rsa, crypto.SHA256, page, "KRSA"), "SHA-256", "Hash-Algorithm=SHA256"},
		{"key", page, signedFor(p.other, crypto.SHA1, page, "KRSA"), "private key of KOTHER", "KOTHER"},
		{"path", "https://d111.cloudfront.net/a%20b", signedFor(p.rsa, crypto.SHA1, "https://d111.cloudfront.net/a b", "KRSA"), "percent-encoded", "a%20b"},
		{"anything", page, signedFor(p.rsa, crypto.SHA1, "https://elsewhere/", "KRSA"), "is not one of it", "to the letter"},
	} {
		t.Run(test.name, func(t *testing.T) {
			sep := "?"
			if strings.Contains(test.address, "?") {
				sep = "&"
			}
			r := request(test.address + sep + test.query)
			res := p.keys.Check(r)
			because, fixes := p.keys.Diagnose(res, r, []string{"d111.cloudfront.net", "www.example.com", "*.example.com"})
			if res.Problem != Mismatch || !strings.Contains(strings.Join(because, " "), test.because) || !strings.Contains(strings.Join(fixes, " "), test.fix) {
				t.Errorf("problem %d, because %q, fixes %q", res.Problem, because, fixes)
			}
		})
	}
}

func TestParseKey(t *testing.T) {
	p := pairs()
	small, _ := rsa.GenerateKey(rand.Reader, 3072)
	curve, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	encoded := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	for _, test := range []struct{ text, problem string }{
		{encoded(&p.rsa.PublicKey), ""}, {encoded(&p.ec.PublicKey), ""},
		{encoded(&small.PublicKey), "3072 bits"}, {encoded(&curve.PublicKey), "P-384"}, {"x", "not PEM"},
		{string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), "asn1"},
		{string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&p.rsa.PublicKey)})), "RSA PUBLIC KEY"},
	} {
		_, err := ParseKey(test.text)
		if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
			t.Errorf("ParseKey = %v, want %q", err, test.problem)
		}
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add(`{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":1767290400},"IpAddress":{"AWS:SourceIp":"0.0.0.0/0"}}}]}`)
	f.Add(`{"Statement":[{"Condition":{}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy([]byte(text))
		if err == nil && (p.Before.IsZero() || p.Before.Unix() > lastSecond) {
			t.Errorf("%q is a policy that ends at %v", text, p.Before)
		}
	})
}

func FuzzStrip(f *testing.F) {
	f.Add("a=1&Signature=x&b=2")
	f.Fuzz(func(t *testing.T, query string) {
		got := Strip(query)
		if Strip(got) != got || has(got) {
			t.Errorf("Strip(%q) = %q has a parameter left", query, got)
		}
		r := &Request{Scheme: "https", Host: "h", Path: "/", Query: query, Now: now}
		if res := pairs().keys.Check(r); res.Problem == OK {
			t.Errorf("%q passes", query)
		}
	})
}

func FuzzMatches(f *testing.F) {
	f.Add("https://d.net/a*?x", "d.net", "/abc", "x")
	f.Fuzz(func(t *testing.T, resource, host, path, query string) {
		a := address{"https", host, path, query}
		got := matches(resource, a)
		if !got && resource == "*" {
			t.Error("* matches everything")
		}
		// A pattern without wildcards and backslashes matches one address alone.
		if got && !strings.ContainsAny(resource, `*?\`) && !strings.EqualFold(resource, a.String()) && resource+"/" != a.String() && !strings.EqualFold(resource+"/", a.String()) && path != "" && path[0] == '/' {
			t.Errorf("%q matches %q", resource, a.String())
		}
	})
}
