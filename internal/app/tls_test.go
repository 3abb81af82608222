package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/message"
)

// trust is the configuration of a client that trusts the local authority alone.
func trust(name, caFile string) (*tls.Config, error) {
	pem, err := os.ReadFile(caFile)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	return &tls.Config{ServerName: name, RootCAs: pool}, nil
}

// trusting does a TLS handshake with trust.
func trusting(nc net.Conn, name, caFile string) (net.Conn, error) {
	cfg, err := trust(name, caFile)
	if err != nil {
		return nil, err
	}
	c := tls.Client(nc, cfg)
	return c, c.Handshake()
}

// overQUIC sends a request with quic-go's client of HTTP/3, whose answer has its fields sorted.
func (r *run) overQUIC(req *message.Request) (*message.Response, error) {
	cfg, err := trust(req.TLS.ServerName, r.line.CA)
	if err != nil {
		return nil, err
	}
	tr := &http3.Transport{TLSClientConfig: cfg, DisableCompression: true,
		Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, r.line.Listen, c, q)
		}}
	h, err := http.NewRequest(req.Method, "https://"+req.Host+req.Target(), req.Body)
	if err != nil {
		return nil, err
	}
	for _, f := range req.Header {
		h.Header[f.Name] = append(h.Header[f.Name], f.Value)
	}
	if req.Body != nil {
		h.ContentLength = req.ContentLength
	}
	got, err := tr.RoundTrip(h)
	if err != nil {
		return nil, errors.Join(err, tr.Close())
	}
	resp := &message.Response{Status: got.StatusCode, ContentLength: got.ContentLength, Body: closing{got.Body, tr}}
	for _, name := range slices.Sorted(maps.Keys(got.Header)) {
		for _, v := range got.Header[name] {
			resp.Header.Add(name, v)
		}
	}
	return resp, nil
}

func isError(f diag.Finding) bool { return f.Severity == diag.Error }
