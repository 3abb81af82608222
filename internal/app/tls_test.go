package app

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"

	"github.com/foregate/foregate/internal/diag"
)

// trusting does a TLS handshake as a client that trusts the local authority alone.
func trusting(nc net.Conn, name, caFile string) (net.Conn, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	c := tls.Client(nc, &tls.Config{ServerName: name, RootCAs: pool})
	return c, c.Handshake()
}

func isError(f diag.Finding) bool { return f.Severity == diag.Error }
