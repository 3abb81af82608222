package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/foregate/foregate/internal/ca"
)

// originTLS is the TLS of an origin called secure.example: good, other-name, old (old.example, TLS 1.1 at most), self-signed or
// expired.
func originTLS(ts *testscript.TestScript, kind string) *tls.Config {
	dir, err := ca.DefaultDir()
	ts.Check(err)
	authority, err := ca.Open(dir)
	ts.Check(err)
	name := "secure.example"
	switch kind {
	case "other-name":
		name = "other.example"
	case "old":
		name = "old.example"
	}
	cert, err := authority.Issue([]string{name})
	ts.Check(err)
	c := &tls.Config{Certificates: []tls.Certificate{*cert}}
	switch kind {
	case "old":
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	case "self-signed":
		c.Certificates[0] = selfSigned(ts, name, time.Now().Add(time.Hour))
	case "expired":
		c.Certificates[0] = selfSigned(ts, name, time.Now().Add(-time.Hour))
	}
	return c
}

func selfSigned(ts *testscript.TestScript, name string, end time.Time) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	t := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: end.Add(-24 * time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	ts.Check(err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
