package front

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"
)

// ClientCertificates is what a site asks of the certificates of clients (DG-mtls-authentication, CloudFront's viewer mTLS). It is
// immutable.
type ClientCertificates struct {
	// Required refuses clients without one.
	Required bool
	// Authorities are trusted, each by itself: an intermediate authority need not lead to its root. Advertise tells clients their
	// names.
	Authorities []*x509.Certificate
	Advertise   bool
	// IgnoreExpiry takes certificates that have expired; all else about them still counts.
	IgnoreExpiry bool
}

// maxDepth is the depth of a chain, the authority included (DG-cloudfront-limits, "Certificate chain depth").
const maxDepth = 4

// apply asks for a certificate in a handshake, which fails when it is not good. There are no sessions to resume: a certificate is
// looked at each time.
func (c *ClientCertificates) apply(cfg *tls.Config) {
	if c == nil {
		return
	}
	cfg.SessionTicketsDisabled = true
	cfg.ClientAuth = tls.RequestClientCert
	if c.Required {
		cfg.ClientAuth = tls.RequireAnyClientCert
	}
	if c.Advertise {
		cfg.ClientCAs = c.pool(time.Now())
	}
	cfg.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error {
		if len(raw) == 0 && !c.Required {
			return nil
		}
		return c.verify(raw, time.Now())
	}
}

func (c *ClientCertificates) pool(now time.Time) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range c.Authorities {
		if c.IgnoreExpiry {
			a = lasting(a, now)
		}
		pool.AddCert(a)
	}
	return pool
}

// lasting returns cert, or a copy that has not expired.
func lasting(cert *x509.Certificate, now time.Time) *x509.Certificate {
	if now.Before(cert.NotAfter) {
		return cert
	}
	out := *cert
	out.NotAfter = now.Add(time.Hour)
	return &out
}

// verify checks the certificates that a client has shown, its own first.
func (c *ClientCertificates) verify(raw [][]byte, now time.Time) error {
	if len(raw) == 0 {
		return errors.New("verify the client's certificate: there is none")
	}
	shown := make([]*x509.Certificate, 0, len(raw))
	between := x509.NewCertPool()
	for i, der := range raw {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("verify the client's certificate: %w", err)
		}
		if c.IgnoreExpiry {
			cert = lasting(cert, now)
		}
		if shown = append(shown, cert); i > 0 {
			between.AddCert(cert)
		}
	}
	options := x509.VerifyOptions{Roots: c.pool(now), Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	chains, err := shown[0].Verify(options)
	if err != nil {
		return fmt.Errorf("verify the client's certificate: %w", err)
	}
	for _, chain := range chains {
		if len(chain) <= maxDepth {
			return nil
		}
	}
	return fmt.Errorf("verify the client's certificate: its chain has more than %d certificates", maxDepth)
}
