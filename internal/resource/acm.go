package resource

import (
	"slices"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/store"
)

// Certificates are stored in their region under their ARN.
var Certificates = store.NewKind[Certificate]("acm", "certificate")

func certificateDecoders() []store.Decoder { return []store.Decoder{Certificates.Decoder()} }

// Certificate is a certificate of ACM.
type Certificate struct {
	ARN string
	// DomainName is the first name; Names has all of them, the first included, in the order of the request.
	DomainName string
	Names      []string
	// KeyAlgorithm is as RequestCertificate spells it: RSA_2048, EC_prime256v1.
	KeyAlgorithm string
	// ValidationMethod is DNS, EMAIL or HTTP; "" for an imported certificate.
	ValidationMethod string
	// ValidationDomains gives the domains of e-mail validation, by name.
	ValidationDomains map[string]string
	// Transparency is ENABLED or DISABLED.
	Transparency string
	// AuthorityARN is set for a certificate of a private authority, which the local authority stands for.
	AuthorityARN string
	// Token and TokenTime make a repeated request return the same certificate for an hour.
	Token     string
	TokenTime time.Time
	// Imported is set for a certificate that was brought along, with its key.
	Imported *ImportedCertificate
	Tags     map[string]string
}

// ImportedCertificate is what ImportCertificate was given, in PEM. PrivateKey must never be shown.
type ImportedCertificate struct {
	Certificate, Chain, PrivateKey string
	At                             time.Time
}

// FindCertificate returns the certificate of an ARN.
func FindCertificate(r store.Reader, certificateARN string) (*Certificate, *store.Record, bool) {
	a, err := arn.Parse(certificateARN)
	if err != nil || a.Service != "acm" {
		return nil, nil, false
	}
	c, ok := Certificates.Get(r, a.Region, certificateARN)
	if !ok {
		return nil, nil, false
	}
	return c, Certificates.Record(r, a.Region, certificateARN), true
}

// CertificateNames returns the names of a certificate, and whether it is known.
func CertificateNames(r store.Reader, arn string) ([]string, bool) {
	c, _, ok := FindCertificate(r, arn)
	if !ok {
		return nil, false
	}
	return slices.Clone(c.Names), true
}
