package acm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func in(region string) context.Context {
	return awsapi.WithCall(context.Background(), &awsapi.Call{Region: region, Account: "123456789012"})
}

func newService() *Service {
	return New(&service.Env{Store: store.Memory(now), Now: now, Account: "123456789012"},
		func(names []string) (string, string, error) { return "leaf " + strings.Join(names, ","), "chain", nil })
}

func TestRequestedCertificate(t *testing.T) {
	s := newService()
	out, err := s.RequestCertificate(in("eu-west-1"), &acm.RequestCertificateInput{DomainName: new("Example.com"), SubjectAlternativeNames: []string{"*.example.com", "example.com"},
		ValidationMethod: new("DNS"), IdempotencyToken: new("t1")})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(*out.CertificateArn, "arn:aws:acm:eu-west-1:123456789012:certificate/") {
		t.Error(*out.CertificateArn)
	}
	d, err := s.DescribeCertificate(in("eu-west-1"), &acm.DescribeCertificateInput{CertificateArn: out.CertificateArn})
	if err != nil {
		t.Fatal(err)
	}
	c := d.Certificate
	if *c.Status != "ISSUED" || *c.Type != "AMAZON_ISSUED" || !slices.Equal(c.SubjectAlternativeNames, []string{"example.com", "*.example.com"}) || *c.KeyAlgorithm != "RSA-2048" {
		t.Errorf("%+v", c)
	}
	// The apex and the wildcard are proved by the same record (ACM user guide, dns-validation).
	a, b := c.DomainValidationOptions[0].ResourceRecord, c.DomainValidationOptions[1].ResourceRecord
	if *a.Name != *b.Name || !strings.HasSuffix(*a.Name, ".example.com.") || !strings.HasSuffix(*a.Value, ".acm-validations.aws.") {
		t.Errorf("%s %s %s", *a.Name, *b.Name, *a.Value)
	}
	again, err := s.RequestCertificate(in("eu-west-1"), &acm.RequestCertificateInput{DomainName: new("example.com"), SubjectAlternativeNames: []string{"*.example.com"}, IdempotencyToken: new("t1")})
	if err != nil || *again.CertificateArn != *out.CertificateArn {
		t.Errorf("the same token made another certificate: %v", err)
	}
	if got, err := s.GetCertificate(in("eu-west-1"), &acm.GetCertificateInput{CertificateArn: out.CertificateArn}); err != nil || *got.Certificate != "leaf example.com,*.example.com" {
		t.Errorf("%v %v", got, err)
	}
	if names, ok := resource.CertificateNames(s.env.Store.View(), *out.CertificateArn); !ok || len(names) != 2 {
		t.Errorf("%v %v", names, ok)
	}
	_, err = s.DescribeCertificate(in("us-east-1"), &acm.DescribeCertificateInput{CertificateArn: out.CertificateArn})
	if e := awsapi.AsError(err); e == nil || e.Code != "ResourceNotFoundException" || len(e.Finding.Because) == 0 {
		t.Errorf("a certificate of another region: %v", err)
	}
}

// Names: facts sigv4-iam 6.
func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"example.com": true, "*.example.com": true, "a.b.example.com": true, "xn--bcher-kva.example": true,
		"example": false, "*.*.example.com": false, "a.*.example.com": false, "*example.com": false, "-a.example.com": false, "a_b.example.com": false,
		"a..example.com": false, strings.Repeat("a", 64) + ".example.com": false, "*": false, "": false, "*.com": false,
	} {
		if err := checkName("DomainName", name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"example.com", "*.example.com", "*", ".", "a.*.b", "*.", "\x00.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if checkName("DomainName", s) == nil && (len(s) > 253 || strings.LastIndex(s, "*") > 0 || strings.ContainsAny(s, " \n\x00")) {
			t.Errorf("%q was accepted", s)
		}
	})
}

// pair makes a self-signed certificate.
func pair(t *testing.T, names ...string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(513), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, NotBefore: now().Add(-time.Hour), NotAfter: now().Add(time.Hour),
		BasicConstraintsValid: true, IsCA: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func TestImport(t *testing.T) {
	s := newService()
	cert, key := pair(t, "a.example.com", "b.example.com")
	other, otherKey := pair(t, "c.example.com")
	for _, c := range []struct {
		name string
		in   acm.ImportCertificateInput
		want string // part of the error, "" for none
	}{
		{"good", acm.ImportCertificateInput{Certificate: cert, PrivateKey: key}, ""},
		{"with its chain", acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: cert}, ""},
		{"another key", acm.ImportCertificateInput{Certificate: cert, PrivateKey: otherKey}, "The private key does not match the public key"},
		{"two certificates", acm.ImportCertificateInput{Certificate: slices.Concat(cert, other), PrivateKey: key}, "You can specify only one certificate"},
		{"another chain", acm.ImportCertificateInput{Certificate: cert, PrivateKey: key, CertificateChain: other}, "Could not validate the certificate with the certificate chain."},
		{"no PEM", acm.ImportCertificateInput{Certificate: []byte("x"), PrivateKey: key}, "not a valid PEM-encoded"},
		{"no key", acm.ImportCertificateInput{Certificate: cert, PrivateKey: cert}, "The private key is not supported."},
	} {
		_, err := s.ImportCertificate(in("us-east-1"), &c.in)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || awsapi.AsError(err).Code != "ValidationException") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	out, err := s.ImportCertificate(in("us-east-1"), &acm.ImportCertificateInput{Certificate: cert, PrivateKey: key})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ImportCertificate(in("us-east-1"), &acm.ImportCertificateInput{CertificateArn: out.CertificateArn, Certificate: other, PrivateKey: otherKey}); err != nil {
		t.Error(err)
	}
	d, err := s.DescribeCertificate(in("us-east-1"), &acm.DescribeCertificateInput{CertificateArn: out.CertificateArn})
	if err != nil {
		t.Fatal(err)
	}
	if c := d.Certificate; *c.Type != "IMPORTED" || *c.DomainName != "c.example.com" || *c.Serial != "02:01" || *c.KeyAlgorithm != "EC_prime256v1" || *c.SignatureAlgorithm != "ECDSAWITHSHA256" {
		t.Errorf("%s %s %s %s %s", *c.Type, *c.DomainName, *c.Serial, *c.KeyAlgorithm, *c.SignatureAlgorithm)
	}
}

func TestDeleteInUse(t *testing.T) {
	s := newService()
	out, err := s.RequestCertificate(in("us-east-1"), &acm.RequestCertificateInput{DomainName: new("example.com")})
	if err != nil {
		t.Fatal(err)
	}
	use := &resource.Distribution{ID: "E1", Config: &cloudfront.DistributionConfig{ViewerCertificate: &cloudfront.ViewerCertificate{ACMCertificateArn: out.CertificateArn}}}
	_, err = s.env.Store.Update(context.Background(), func(tx *store.Tx) error { resource.Distributions.Put(tx, "", "E1", use); return nil })
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.DeleteCertificate(in("us-east-1"), &acm.DeleteCertificateInput{CertificateArn: out.CertificateArn})
	if e := awsapi.AsError(err); e == nil || e.Code != "ResourceInUseException" {
		t.Errorf("%v", err)
	}
	_, _ = s.env.Store.Update(context.Background(), func(tx *store.Tx) error { resource.Distributions.Delete(tx, "", "E1"); return nil })
	if _, err := s.DeleteCertificate(in("us-east-1"), &acm.DeleteCertificateInput{CertificateArn: out.CertificateArn}); err != nil {
		t.Error(err)
	}
}
