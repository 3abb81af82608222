package edge

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// A distribution that asks viewers for certificates answers on connections that were made to it only, and only to those that
// have shown one.
func TestClientCertificates(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	p, open := testPlan(f, ttl), testPlan(f, ttl)
	open.ID, open.DomainName, open.Aliases = "E3EXAMPLE", "d222222abcdef8.cloudfront.net", []string{"www.example.org"}
	w, _ := newWorld(p)
	s := NewService(Options{Plans: []*Plan{p, open}, Effects: w})
	cert := &x509.Certificate{}
	for _, c := range []struct {
		mode      ClientCertificates
		scheme    string
		sni, host string
		cert      *x509.Certificate
		none      bool // no TLS at all
		want      int
	}{
		{RequiredCertificates, "https", "www.example.com", "www.example.com", cert, false, 200},
		{RequiredCertificates, "https", "www.example.com", p.DomainName, cert, false, 200},
		{RequiredCertificates, "https", "www.example.com", "www.example.com", nil, false, 403},
		{RequiredCertificates, "https", "", "www.example.com", cert, false, 421},
		{RequiredCertificates, "https", "www.example.org", "www.example.com", cert, false, 421},
		{RequiredCertificates, "https", "api.example.com", "www.example.com", cert, false, 421},
		{RequiredCertificates, "https", "www.example.com", "www.example.org", cert, false, 200}, // the account's certificate, and nobody is asked there
		{RequiredCertificates, "https", "", "www.example.com", nil, true, 403},
		{RequiredCertificates, "http", "", "www.example.com", nil, true, 200}, // the protocol policy decides about HTTP
		{OptionalCertificates, "https", "www.example.com", "www.example.com", nil, false, 200},
		{OptionalCertificates, "https", "www.example.org", "www.example.com", nil, false, 421},
	} {
		p.ClientCertificates = c.mode
		r := get("/")
		r.Scheme, r.Host = c.scheme, c.host
		if r.TLS = nil; !c.none {
			r.TLS = &message.TLS{ServerName: c.sni, Certificate: c.cert}
		}
		if got := ask(s, r); got.Status != c.want {
			t.Errorf("%+v: %d", c, got.Status)
		}
	}
}

func TestCertificateHeaders(t *testing.T) {
	subject, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 6}, Value: "US"}}, {{Type: asn1.ObjectIdentifier{2, 5, 4, 8}, Value: "Washington"}},
		{{Type: asn1.ObjectIdentifier{2, 5, 4, 10}, Value: "mTLS, Inc."}}, {{Type: asn1.ObjectIdentifier{2, 5, 4, 11}, Value: "client-3"}}, {{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "Zoë"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: new(big.Int).SetBytes([]byte{0x4a, 0x3f, 0x5c, 0x92, 0xd1, 0xe8, 0x7b, 0x6c}), RawSubject: subject, RawIssuer: []byte("x"), Raw: []byte("x"),
		NotBefore: time.Date(2023, 9, 21, 1, 50, 17, 0, time.UTC), NotAfter: time.Date(2024, 9, 20, 1, 50, 17, 0, time.UTC)}
	x := &exchange{plan: &Plan{ClientCertificates: OptionalCertificates}}
	x.viewer.TLS = &message.TLS{Certificate: c}
	for name, want := range map[string]string{ // by the examples of DG-viewer-mtls-headers
		"CloudFront-Viewer-Cert-Serial-Number": "4a:3f:5c:92:d1:e8:7b:6c",
		"CloudFront-Viewer-Cert-Subject":       `CN=Zo%C3%AB,OU=client-3,O=mTLS\, Inc.,ST=Washington,C=US`,
		"CloudFront-Viewer-Cert-Issuer":        "",
		"CloudFront-Viewer-Cert-Present":       "1",
		"CloudFront-Viewer-Cert-Validity":      "NotBefore=2023-09-21T01:50:17Z;NotAfter=2024-09-20T01:50:17Z",
		"CloudFront-Viewer-Cert-Pem":           "-----BEGIN%20CERTIFICATE-----%0AeA%3D%3D%0A-----END%20CERTIFICATE-----%0A",
		"CloudFront-Viewer-Cert-Sha256":        "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
	} {
		if got, ok := x.certificateValue(name); !ok || got != want {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
	x.viewer.TLS.Certificate = nil
	if got, _ := x.certificateValue("CloudFront-Viewer-Cert-Present"); got != "0" {
		t.Errorf("present without one: %q", got)
	}
	if _, ok := x.certificateValue("CloudFront-Viewer-Cert-Subject"); ok {
		t.Error("the subject of no certificate")
	}
	x.plan.ClientCertificates = NoCertificates
	if _, ok := x.certificateValue("CloudFront-Viewer-Cert-Present"); ok {
		t.Error("a header where nobody is asked")
	}
}
