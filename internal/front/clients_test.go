package front

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// signer is an authority, or a client, with its key.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var noon = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// issued makes a certificate that by, or itself, has signed.
func issued(t *testing.T, name string, by *signer, change func(*x509.Certificate)) *signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: noon.Add(-time.Hour), NotAfter: noon.Add(time.Hour)}
	if strings.HasPrefix(name, "ca") {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	if change != nil {
		change(c)
	}
	parent := &signer{c, key}
	if by != nil {
		parent = by
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent.cert, &key.PublicKey, parent.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &signer{cert, key}
}

func TestVerifyClient(t *testing.T) {
	expired := func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Minute) }
	ca, other := issued(t, "ca", nil, nil), issued(t, "ca other", nil, nil)
	between := issued(t, "ca between", ca, nil)
	second, third := issued(t, "ca 2", between, nil), (*signer)(nil)
	third = issued(t, "ca 3", second, nil)
	old := issued(t, "ca old", ca, expired)
	for _, test := range []struct {
		name    string
		client  *signer
		with    []*signer
		trusted *signer
		ignore  bool
		want    string
	}{
		{"issued by the authority", issued(t, "c", ca, nil), nil, ca, false, ""},
		{"with one between", issued(t, "c", between, nil), []*signer{between}, ca, false, ""},
		{"the one between is trusted, its root is not", issued(t, "c", between, nil), nil, between, false, ""},
		{"the one between is missing", issued(t, "c", between, nil), nil, ca, false, "unknown authority"},
		{"another authority", issued(t, "c", other, nil), []*signer{other}, ca, false, "unknown authority"},
		{"signed by itself", issued(t, "c", nil, nil), nil, ca, false, "unknown authority"},
		{"expired", issued(t, "c", ca, expired), nil, ca, false, "expired"},
		{"expired, ignored", issued(t, "c", ca, expired), nil, ca, true, ""},
		{"expired, as the one between, ignored", issued(t, "c", old, expired), []*signer{old}, ca, true, ""},
		{"expired before the authority was made", issued(t, "c", ca, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = noon.Add(-9*time.Hour), noon.Add(-8*time.Hour) }), nil, ca, true, ""},
		{"expired, of another authority", issued(t, "c", other, expired), nil, ca, true, "unknown authority"},
		{"the one between has expired", issued(t, "c", old, nil), []*signer{old}, ca, false, "expired"},
		{"not yet valid", issued(t, "c", ca, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Minute) }), nil, ca, true, "not yet valid"},
		{"for servers only", issued(t, "c", ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), nil, ca, false, "usage"},
		{"for clients", issued(t, "c", ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), nil, ca, false, ""},
		{"four in a chain", issued(t, "c", second, nil), []*signer{second, between}, ca, false, ""},
		{"five in a chain", issued(t, "c", third, nil), []*signer{third, second, between}, ca, false, "more than 4"},
	} {
		raw := [][]byte{test.client.cert.Raw}
		for _, s := range test.with {
			raw = append(raw, s.cert.Raw)
		}
		c := &ClientCertificates{Authorities: []*x509.Certificate{test.trusted.cert}, IgnoreExpiry: test.ignore}
		err := c.verify(raw, noon)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	c := &ClientCertificates{Authorities: []*x509.Certificate{ca.cert}}
	for _, raw := range [][][]byte{nil, {[]byte("x")}, {{}}} {
		if c.verify(raw, noon) == nil {
			t.Errorf("%x is verified", raw)
		}
	}
}

// What happens in a handshake, with a session of an earlier one as well.
func TestClientCertificatesInHandshakes(t *testing.T) {
	soon := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	ca := issued(t, "ca", nil, soon)
	server := issued(t, "d.net", ca, func(c *x509.Certificate) { soon(c); c.DNSNames = []string{"d.net"} })
	good, bad := issued(t, "good", ca, soon), issued(t, "bad", nil, soon)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	for _, test := range []struct {
		name     string
		required bool
		client   *signer
		version  uint16
		ok       bool
	}{
		{"required, none", true, nil, tls.VersionTLS13, false}, {"required, none, TLS 1.2", true, nil, tls.VersionTLS12, false},
		{"required, good", true, good, tls.VersionTLS13, true}, {"required, good, TLS 1.2", true, good, tls.VersionTLS12, true},
		{"required, bad", true, bad, tls.VersionTLS13, false}, {"optional, none", false, nil, tls.VersionTLS13, true},
		{"optional, good", false, good, tls.VersionTLS13, true}, {"optional, bad", false, bad, tls.VersionTLS13, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{server.cert.Raw}, PrivateKey: server.key}}}
			(&ClientCertificates{Required: test.required, Authorities: []*x509.Certificate{ca.cert}, Advertise: true}).apply(cfg)
			var names [][]byte
			client := &tls.Config{RootCAs: roots, ServerName: "d.net", MaxVersion: test.version, ClientSessionCache: tls.NewLRUClientSessionCache(4),
				GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
					names = r.AcceptableCAs
					if test.client == nil {
						return &tls.Certificate{}, nil
					}
					return &tls.Certificate{Certificate: [][]byte{test.client.cert.Raw}, PrivateKey: test.client.key}, nil
				}}
			for range 2 {
				a, b := net.Pipe()
				done := make(chan error, 1)
				go func() {
					s := tls.Server(b, cfg)
					err := s.Handshake()
					if err == nil && (test.client != nil) != (len(s.ConnectionState().PeerCertificates) == 1) {
						t.Error("the server does not see the certificate")
					}
					_, _ = b.Write(nil)
					b.Close()
					done <- err
				}()
				c := tls.Client(a, client)
				_ = c.Handshake()
				_, _ = c.Read(make([]byte, 1)) // TLS 1.3: the alert comes behind the client's handshake
				if c.ConnectionState().DidResume {
					t.Error("a session was resumed")
				}
				a.Close()
				if err := <-done; (err == nil) != test.ok {
					t.Errorf("the handshake: %v", err)
				}
				if len(names) != 1 || !bytes.Equal(names[0], ca.cert.RawSubject) {
					t.Errorf("%d names of authorities are told", len(names))
				}
			}
		})
	}
}
