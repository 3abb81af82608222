package origin

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// tlsError marks what went wrong after the connection stood.
type tlsError struct{ err error }

func (e *tlsError) Error() string { return e.err.Error() }
func (e *tlsError) Unwrap() error { return e.err }

// dial makes a connection, with TLS if the target asks for it. absolute tells that it ends at a proxy which wants whole URLs.
func (p *pool) dial(ctx context.Context, t *Target) (_ net.Conn, absolute bool, _ error) {
	via, err := p.c.proxy(t)
	if err != nil {
		return nil, false, err
	}
	address := p.address
	if via != nil {
		address = proxyAddress(via)
	}
	raw, err := p.c.dial(ctx, "tcp", address)
	if err != nil {
		return nil, false, err
	}
	if via != nil {
		if t.Scheme == "http" {
			return raw, true, nil
		}
		if err := connectThrough(ctx, raw, p.address, via); err != nil {
			_ = raw.Close()
			return nil, false, fmt.Errorf("connect through the proxy %q: %w", address, err)
		}
	}
	if p.tls == nil {
		return raw, false, nil
	}
	conn := tls.Client(raw, p.tls)
	if err := conn.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		if ctx.Err() != nil {
			return nil, false, fmt.Errorf("TLS handshake: %w", ctx.Err())
		}
		return nil, false, &tlsError{err}
	}
	if t.HTTP2 && conn.ConnectionState().NegotiatedProtocol != "h2" {
		_ = raw.Close()
		return nil, false, &tlsError{errors.New("the origin does not agree on HTTP/2")}
	}
	return conn, false, nil
}

func (c *Client) proxy(t *Target) (*url.URL, error) {
	if c.o.Proxy == nil {
		return nil, nil
	}
	u, err := c.o.Proxy(*t)
	switch {
	case err != nil:
		return nil, fmt.Errorf("choose a proxy: %w", err)
	case u != nil && u.Scheme != "http":
		return nil, fmt.Errorf("choose a proxy: %q is not an http:// address", u.Redacted())
	}
	return u, nil
}

func proxyAddress(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	return net.JoinHostPort(u.Hostname(), "80")
}

// connectThrough opens a tunnel (rfc9110 9.3.6).
func connectThrough(ctx context.Context, conn net.Conn, address string, via *url.URL) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	r := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if via.User != nil {
		q := &http.Request{Header: r.Header}
		password, _ := via.User.Password()
		q.SetBasicAuth(via.User.Username(), password)
		r.Header.Set("Proxy-Authorization", q.Header.Get("Authorization"))
		r.Header.Del("Authorization")
	}
	if err := r.Write(conn); err != nil {
		return err
	}
	// One byte at a time, so that none of the tunnel's first bytes ends up in the reader.
	resp, err := http.ReadResponse(bufio.NewReaderSize(&oneByte{r: conn, left: 16 << 10}, 16), r)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %q", resp.Status)
	}
	return nil
}

type oneByte struct {
	r    io.Reader
	left int
}

func (o *oneByte) Read(p []byte) (int, error) {
	if o.left--; o.left < 0 {
		return 0, errors.New("answer too long")
	}
	return o.r.Read(p[:min(len(p), 1)])
}

func (c *Client) loadRoots() (*x509.CertPool, error) {
	roots := c.o.SystemRoots
	if roots == nil {
		var err error
		if roots, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("load the system's root certificates: %w", err)
		}
	} else {
		roots = roots.Clone()
	}
	for _, cert := range c.o.ExtraRoots {
		roots.AddCert(cert)
	}
	return roots, nil
}

// suites are those that CloudFront offers to origins up to TLS 1.2 (facts: cloudfront-dataplane 5), as far as crypto/tls has
// them: it lacks AES256-SHA384 and RC4-MD5.
func suites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
		tls.TLS_RSA_WITH_AES_256_CBC_SHA, tls.TLS_RSA_WITH_AES_128_CBC_SHA, tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA,
	}
}

func (c *Client) tlsConfig(t *Target) (*tls.Config, error) {
	config := &tls.Config{
		ServerName: t.SNI, MinVersion: t.MinTLS, MaxVersion: t.MaxTLS, CipherSuites: suites(), NextProtos: []string{"http/1.1"},
		ClientSessionCache: tls.NewLRUClientSessionCache(16),
		InsecureSkipVerify: true, // verify does it: crypto/tls knows one name only, which need not be the SNI
		Time:               c.o.Now,
	}
	if t.HTTP2 {
		config.NextProtos = []string{"h2"}
	}
	if config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12
	}
	if t.MaxTLS != 0 && t.MaxTLS < config.MinVersion {
		config.MinVersion = t.MaxTLS
	}
	if cert := t.Certificate; cert != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
	}
	if t.NoTLS11 {
		config.VerifyConnection = refuseTLS11
	}
	if t.SkipVerify {
		return config, nil
	}
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	names := t.verifyNames()
	noTLS11 := t.NoTLS11
	config.VerifyConnection = func(s tls.ConnectionState) error {
		if noTLS11 {
			if err := refuseTLS11(s); err != nil {
				return err
			}
		}
		return c.verify(s, roots, names)
	}
	return config, nil
}

// refuseTLS11 is for a list of versions with a gap: crypto/tls offers a range, which is all that a ClientHello of TLS 1.2 can say.
func refuseTLS11(s tls.ConnectionState) error {
	if s.Version == tls.VersionTLS11 {
		return errors.New("the origin chose protocol version TLS 1.1, which is not among the allowed ones")
	}
	return nil
}

// verify checks chain and names.
func (c *Client) verify(s tls.ConnectionState, roots *x509.CertPool, names []string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the origin sent no certificate")
	}
	leaf := s.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	if c.o.Now != nil {
		o.CurrentTime = c.o.Now()
	}
	// A chain in the wrong order fails (DG-http-502-bad-gateway): only what follows without a gap counts.
	last := leaf
	for _, cert := range s.PeerCertificates[1:] {
		if !bytes.Equal(last.RawIssuer, cert.RawSubject) {
			break
		}
		o.Intermediates.AddCert(cert)
		last = cert
	}
	if _, err := leaf.Verify(o); err != nil {
		if len(s.PeerCertificates) > 1 && last != s.PeerCertificates[len(s.PeerCertificates)-1] {
			return fmt.Errorf("verify certificate: the chain is not in order: behind %q, whose issuer is %q, stands another certificate: %w", last.Subject, last.Issuer, err)
		}
		return fmt.Errorf("verify certificate: %w", err)
	}
	for _, name := range names {
		if leaf.VerifyHostname(name) == nil {
			return nil
		}
	}
	has := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		has = append(has, ip.String())
	}
	return &CertificateError{Names: has, Wanted: names}
}

// matches tells whether one of a certificate's names covers host (rfc6125 6.4: a star stands for one whole label).
func matches(names []string, host string) bool {
	host = strings.TrimSuffix(host, ".")
	for _, n := range names {
		if strings.EqualFold(n, host) {
			return true
		}
		if rest, ok := strings.CutPrefix(n, "*"); ok && strings.HasPrefix(rest, ".") {
			if i := strings.IndexByte(host, '.'); i > 0 && strings.EqualFold(host[i:], rest) {
				return true
			}
		}
	}
	return false
}
