package front

import (
	"crypto/tls"
	"net"

	"github.com/foregate/foregate/internal/clienthello"
)

// tlsConfig is the base of all handshakes over TCP. Its session tickets are valid for every host, since nothing about a
// client is kept in them; crypto/tls makes a new key for them each day, and takes those of the last seven.
func (f *Front) tlsConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: f.certificate}
	cfg.GetConfigForClient = func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello, ok := chi.Context().Value(helloKey{}).(**clienthello.Hello); ok {
			*hello = clienthello.Of(chi, false)
		}
		return f.old(chi, f.configFor(chi)), nil
	}
	return cfg
}

// old serves a client who offers nothing but http/1.0, which crypto/tls would end with an alert: it speaks HTTP/1 all the same.
func (f *Front) old(chi *tls.ClientHelloInfo, cfg *tls.Config) *tls.Config {
	if len(chi.SupportedProtos) == 0 || cfg == f.refuse {
		return cfg
	}
	for _, p := range chi.SupportedProtos {
		if p != "http/1.0" && p != "http/0.9" {
			return cfg
		}
	}
	if cfg == nil {
		cfg = f.tls
	}
	cfg = cfg.Clone()
	cfg.GetConfigForClient, cfg.NextProtos = nil, chi.SupportedProtos
	return cfg
}

// helloKey is the key in the context of a handshake for where its ClientHello goes.
type helloKey struct{}

// refusal ends handshakes for names that nobody has here with handshake_failure, not with crypto/tls's unrecognized_name:
// CloudFront drops a connection whose name leads to no distribution (cnames-https-dedicated-ip-or-sni). With which alert is
// not in the manual; that it is this one is unsourced. There is no way to ask crypto/tls for it but to have nothing in
// common with the client.
func refusal() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS10, CurvePreferences: []tls.CurveID{noCurve}, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil },
		SessionTicketsDisabled: true,
	}
}

// noCurve is a group of rfc8446 4.2.7 that nobody uses.
const noCurve tls.CurveID = 0x01fb

// asked is the name that a client wants to see in the certificate.
func asked(chi *tls.ClientHelloInfo) string {
	if t, ok := chi.Conn.(*tunnelled); ok && chi.ServerName == "" {
		return t.name
	}
	return chi.ServerName
}

// configFor applies what the host asks of a handshake; nil means the base.
func (f *Front) configFor(chi *tls.ClientHelloInfo) *tls.Config {
	full := Canonical(asked(chi))
	e, _ := f.lookup(full)
	if e == nil {
		if full == "" || f.isOwn(full) {
			return nil
		}
		return f.refuse
	}
	if e.face.TLS == nil && !e.face.NoHTTP2 && e.face.Clients == nil {
		return nil
	}
	if cfg := e.config.Load(); cfg != nil {
		return cfg
	}
	cfg := f.tls.Clone()
	cfg.GetConfigForClient = nil
	e.face.TLS.apply(cfg)
	e.face.Clients.apply(cfg)
	if e.face.NoHTTP2 {
		cfg.NextProtos = []string{"http/1.1"}
	}
	e.config.Store(cfg)
	return cfg
}

// apply restricts a handshake.
func (p *TLSPolicy) apply(cfg *tls.Config) {
	if p == nil {
		return
	}
	if p.MinVersion != 0 {
		cfg.MinVersion = p.MinVersion
	}
	cfg.MaxVersion = p.MaxVersion
	cfg.CipherSuites = p.CipherSuites
	cfg.CurvePreferences = p.Curves
}

// lookup finds the entry of a canonical name that is served, and whether it came with .localhost behind it.
func (f *Front) lookup(full string) (e *entry, local bool) {
	s := f.cur.Load()
	name, local := stripLocalhost(full)
	if e := s.find(name); e != nil && e.site != nil {
		return e, local
	}
	if local { // a name that ends in .localhost on purpose
		if e := s.find(full); e != nil && e.site != nil {
			return e, false
		}
	}
	return nil, local
}

// isOwn tells whether a canonical name that is not served is one of the machine or of the AWS API.
func (f *Front) isOwn(full string) bool {
	name, _ := stripLocalhost(full)
	return isLoopbackName(full) || f.opts.API != nil && f.isAPI(name)
}

// certificate picks by server name. A client that sends none gets the machine's own names, for the AWS API at an address,
// and CloudFront's, as there (cnames, "Domain fronting").
func (f *Front) certificate(chi *tls.ClientHelloInfo) (*tls.Certificate, error) {
	full := Canonical(asked(chi))
	e, local := f.lookup(full)
	switch {
	case e != nil && !local && e.face.Certificate != nil && Covers(e.face.Certificate.Names, full):
		if own := e.face.Certificate.TLS; own != nil {
			return own, nil
		}
		return f.issue(e.face.Certificate.Names)
	case e != nil:
		return f.issue([]string{full})
	case full == "":
		return f.issue(append(loopbackAnd(chi), f.opts.Nameless...))
	case isLoopbackName(full):
		return f.issue(loopbackAnd(chi))
	case f.isOwn(full):
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
