package acm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/resource"
)

// ImportCertificate stores a certificate with its key, or replaces one that was imported.
func (s *Service) ImportCertificate(ctx context.Context, in *acm.ImportCertificateInput) (*acm.ImportCertificateOutput, error) {
	leaf, err := checkPair(in)
	if err != nil {
		return nil, err
	}
	algorithm, err := keyAlgorithm(leaf.PublicKey)
	if err != nil {
		return nil, err
	}
	if now := s.env.Now(); now.After(leaf.NotAfter) {
		return nil, refuse(acm.ErrCodeValidationException, "Certificate", "The certificate has expired.") // text: ours
	}
	names := namesOf(leaf)
	if len(names) == 0 {
		return nil, refuse(acm.ErrCodeValidationException, "Certificate", "The certificate names no domain.") // text: ours
	}
	imported := &resource.ImportedCertificate{Certificate: string(in.Certificate), Chain: string(in.CertificateChain), PrivateKey: string(in.PrivateKey), At: s.env.Now().UTC()}
	region := awsapi.CallFrom(ctx).Region
	if in.CertificateArn != nil {
		return s.reimport(ctx, in, imported, names, algorithm)
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	c := &resource.Certificate{DomainName: names[0], Names: names, KeyAlgorithm: algorithm, Imported: imported, Tags: tags}
	if err := s.create(ctx, region, c); err != nil {
		return nil, err
	}
	return &acm.ImportCertificateOutput{CertificateArn: &c.ARN}, nil
}

func (s *Service) reimport(ctx context.Context, in *acm.ImportCertificateInput, imported *resource.ImportedCertificate, names []string, algorithm string) (*acm.ImportCertificateOutput, error) {
	old, rec, err := s.find(ctx, in.CertificateArn)
	switch {
	case err != nil:
		return nil, err
	case old.Imported == nil:
		return nil, refuse(acm.ErrCodeValidationException, "CertificateArn", "The certificate was not imported and cannot be replaced by an import.") // text: ours
	case len(in.Tags) > 0: // ACM API reference, ImportCertificate
		return nil, refuse(acm.ErrCodeValidationException, "Tags", "You cannot apply tags when reimporting a certificate.") // text: ours
	}
	c := *old
	c.DomainName, c.Names, c.KeyAlgorithm, c.Imported = names[0], names, algorithm, imported
	return &acm.ImportCertificateOutput{CertificateArn: &c.ARN}, s.put(ctx, rec.Key.Region, &c)
}

// checkPair reads certificate, key and chain. The texts are those that ImportCertificate is quoted with in public.
func checkPair(in *acm.ImportCertificateInput) (*x509.Certificate, error) {
	block, rest := pem.Decode(in.Certificate)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, refuse(acm.ErrCodeValidationException, "Certificate", "The certificate field contains more than one certificate or is not a valid PEM-encoded certificate.")
	}
	if more, _ := pem.Decode(rest); more != nil {
		return nil, refuse(acm.ErrCodeValidationException, "Certificate", "The certificate field contains more than one certificate. You can specify only one certificate in this field.",
			"intermediate certificates go into CertificateChain")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, refuse(acm.ErrCodeValidationException, "Certificate", "The certificate is not valid.", err.Error())
	}
	if key, _ := pem.Decode(in.PrivateKey); key == nil || !strings.HasSuffix(key.Type, "PRIVATE KEY") {
		return nil, refuse(acm.ErrCodeValidationException, "PrivateKey", "The private key is not supported.", "want an unencrypted key in PEM")
	}
	if _, err := tls.X509KeyPair(in.Certificate, in.PrivateKey); err != nil {
		return nil, refuse(acm.ErrCodeValidationException, "PrivateKey", "The private key does not match the public key in the certificate.") // the cause may show the key
	}
	issuer := leaf
	for chain := bytes.TrimSpace(in.CertificateChain); len(chain) > 0; chain = bytes.TrimSpace(chain) {
		b, after := pem.Decode(chain)
		if b == nil {
			return nil, refuse(acm.ErrCodeValidationException, "CertificateChain", "The certificate chain is not a valid PEM-encoded chain.")
		}
		next, err := x509.ParseCertificate(b.Bytes)
		if err != nil || issuer.CheckSignatureFrom(next) != nil {
			return nil, refuse(acm.ErrCodeValidationException, "CertificateChain", "Could not validate the certificate with the certificate chain.")
		}
		issuer, chain = next, after
	}
	return leaf, nil
}

// keyAlgorithm names a key as ACM does; others cannot be imported (facts: sigv4-iam 6).
func keyAlgorithm(key crypto.PublicKey) (string, error) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		switch n := k.N.BitLen(); n {
		case 1024, 2048, 3072, 4096:
			return fmt.Sprintf("RSA_%d", n), nil
		}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().Name {
		case "P-256":
			return "EC_prime256v1", nil
		case "P-384":
			return "EC_secp384r1", nil
		case "P-521":
			return "EC_secp521r1", nil
		}
	}
	return "", refuse(acm.ErrCodeValidationException, "Certificate", "The key algorithm of the certificate is not supported.") // text: ours
}

func namesOf(leaf *x509.Certificate) []string {
	var names []string
	for _, n := range leaf.DNSNames {
		names = append(names, fold(n))
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, fold(leaf.Subject.CommonName))
	}
	return names
}

// describeX509 fills what the certificate itself says.
func describeX509(d *acm.CertificateDetail, text string) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return
	}
	d.Subject, d.Issuer = new(leaf.Subject.String()), new(leaf.Issuer.CommonName)
	d.NotBefore, d.NotAfter = stamp(leaf.NotBefore), stamp(leaf.NotAfter)
	d.SignatureAlgorithm = new(strings.ToUpper(strings.NewReplacer("-", "WITH").Replace(leaf.SignatureAlgorithm.String())))
	var serial []string
	for _, b := range leaf.SerialNumber.Bytes() {
		serial = append(serial, fmt.Sprintf("%02x", b))
	}
	d.Serial = new(strings.Join(serial, ":"))
}
