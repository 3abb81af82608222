package front

import (
	"crypto/tls"
	"net"
)

// tlsConfig is the base of all handshakes. Its session tickets are valid for every host, since nothing about a client is
// kept in them.
func (f *Front) tlsConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	cfg.GetCertificate = func(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
		return f.certificate(chi, asked(chi))
	}
	cfg.GetConfigForClient = func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		return f.configFor(asked(chi)), nil
	}
	return cfg
}

// asked is the name that a client wants to see in the certificate.
func asked(chi *tls.ClientHelloInfo) string {
	if t, ok := chi.Conn.(*tunnelled); ok && chi.ServerName == "" {
		return t.name
	}
	return chi.ServerName
}

// configFor applies the TLS policy of a host; nil means the base.
func (f *Front) configFor(sni string) *tls.Config {
	name, _ := stripLocalhost(Canonical(sni))
	e := f.cur.Load().find(name)
	if e == nil || e.site == nil || e.tls == nil {
		return nil
	}
	cfg := f.tls.Clone()
	cfg.GetConfigForClient = nil
	if e.tls.MinVersion != 0 {
		cfg.MinVersion = e.tls.MinVersion
	}
	cfg.MaxVersion = e.tls.MaxVersion
	cfg.CipherSuites = e.tls.CipherSuites
	cfg.CurvePreferences = e.tls.Curves
	return cfg
}

// certificate picks by server name. Without an answer, crypto/tls refuses the handshake with unrecognized_name.
func (f *Front) certificate(chi *tls.ClientHelloInfo, sni string) (*tls.Certificate, error) {
	full := Canonical(sni)
	name, local := stripLocalhost(full)
	e := f.cur.Load().find(name)
	switch {
	case e != nil && e.site != nil && !local && e.cert != nil && Covers(e.cert.Names, name):
		if e.cert.TLS != nil {
			return e.cert.TLS, nil
		}
		return f.issue(e.cert.Names)
	case e != nil && e.site != nil:
		return f.issue([]string{full})
	case full == "" || isLoopbackName(full):
		return f.issue(loopbackAnd(chi))
	case f.opts.API != nil && f.isAPI(name):
		return f.issue([]string{full})
	}
	if e := f.cur.Load().find(full); e != nil && e.site != nil {
		return f.issue([]string{full})
	}
	return nil, nil
}

// issue asks the local authority; without one there is no certificate.
func (f *Front) issue(names []string) (*tls.Certificate, error) {
	if f.opts.Issuer == nil {
		return nil, nil
	}
	c, err := f.opts.Issuer.Issue(names)
	if err != nil {
		f.opts.Log("issue certificate for %q: %v", names, err)
	}
	return c, err
}

// loopbackAnd returns the machine's own names and the address that the client connected to.
func loopbackAnd(chi *tls.ClientHelloInfo) []string {
	names := append([]string(nil), loopbackNames...)
	if chi.Conn == nil {
		return names
	}
	if a, ok := chi.Conn.LocalAddr().(*net.TCPAddr); ok && !a.IP.IsLoopback() && a.IP != nil {
		names = append(names, a.IP.String())
	}
	return names
}
