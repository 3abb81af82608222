// Package clienthello computes the fingerprints JA3 and JA4 of a TLS client from its ClientHello.
//
// Start with Of, which keeps what crypto/tls tells of a ClientHello, and Hello.JA3 and Hello.JA4, which compute when they are
// first asked. The package must not know connections or requests. Sources: github.com/salesforce/ja3 and the technical details of
// github.com/FoxIO-LLC/ja4 (JA4: TLS Client Fingerprinting, BSD-3-Clause). What crypto/tls refuses to read never comes here, and
// its limit of a handshake message bounds the work.
package clienthello

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Hello is a ClientHello. It is immutable but for the fingerprints that it keeps.
type Hello struct {
	// Version is the one of the message itself, Versions those of the extension supported_versions, in order.
	Version  uint16
	Versions []uint16
	// Ciphers, Extensions, Curves, Points and Schemes are as they came, in order, with GREASE (rfc8701).
	Ciphers, Extensions, Curves, Schemes []uint16
	Points                               []uint8
	// Protos is what ALPN offers.
	Protos []string
	// QUIC is true for a handshake of HTTP/3.
	QUIC bool

	once     sync.Once
	ja3, ja4 string
}

// Extensions that the fingerprints treat apart.
const (
	extServerName        = 0
	extALPN              = 16
	extSupportedVersions = 43
)

// Of takes over what crypto/tls tells; quic is set for HTTP/3.
func Of(chi *tls.ClientHelloInfo, quic bool) *Hello {
	h := &Hello{Ciphers: chi.CipherSuites, Extensions: chi.Extensions, Points: chi.SupportedPoints, Protos: chi.SupportedProtos, QUIC: quic}
	for _, c := range chi.SupportedCurves {
		h.Curves = append(h.Curves, uint16(c))
	}
	for _, s := range chi.SignatureSchemes {
		h.Schemes = append(h.Schemes, uint16(s))
	}
	if slices.Contains(h.Extensions, extSupportedVersions) {
		// With the extension the message's own version is that of TLS 1.2 (rfc8446 4.1.2); crypto/tls does not tell it.
		h.Version, h.Versions = tls.VersionTLS12, chi.SupportedVersions
	} else if len(chi.SupportedVersions) > 0 {
		h.Version = slices.Max(chi.SupportedVersions)
	}
	return h
}

// JA3 is the MD5, in hex, of version, ciphers, extensions, curves and point formats.
func (h *Hello) JA3() string {
	h.once.Do(h.compute)
	return h.ja3
}

// JA4 is the fingerprint of the form t13d1516h2_8daaf6152771_e5627efa2ab1.
func (h *Hello) JA4() string {
	h.once.Do(h.compute)
	return h.ja4
}

func (h *Hello) compute() {
	sum := md5.Sum([]byte(h.ja3Text()))
	h.ja3 = hex.EncodeToString(sum[:])
	a, b, c := h.ja4Parts()
	h.ja4 = a + "_" + short(b) + "_" + short(c)
}

// grease tells the values that clients send to keep servers tolerant.
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }

func withoutGrease(in []uint16) []uint16 {
	return slices.DeleteFunc(slices.Clone(in), grease)
}

func (h *Hello) ja3Text() string {
	list := func(in []uint16) string {
		var b strings.Builder
		for i, v := range withoutGrease(in) {
			if i > 0 {
				b.WriteByte('-')
			}
			b.WriteString(strconv.Itoa(int(v)))
		}
		return b.String()
	}
	points := make([]uint16, len(h.Points))
	for i, p := range h.Points {
		points[i] = uint16(p)
	}
	return strings.Join([]string{strconv.Itoa(int(h.Version)), list(h.Ciphers), list(h.Extensions), list(h.Curves), list(points)}, ",")
}

// ja4Parts are the readable part, and the texts whose hashes follow it.
func (h *Hello) ja4Parts() (a, b, c string) {
	ciphers, extensions := withoutGrease(h.Ciphers), withoutGrease(h.Extensions)
	protocol, name := "t", "i"
	if h.QUIC {
		protocol = "q"
	}
	if slices.Contains(extensions, extServerName) {
		name = "d"
	}
	a = protocol + h.versionText() + name + count(ciphers) + count(extensions) + h.protoText()
	slices.Sort(ciphers)
	b = hexList(ciphers)
	extensions = slices.DeleteFunc(extensions, func(e uint16) bool { return e == extServerName || e == extALPN })
	slices.Sort(extensions)
	c = hexList(extensions)
	if schemes := withoutGrease(h.Schemes); len(schemes) > 0 {
		c += "_" + hexList(schemes)
	}
	if len(h.Extensions) == 0 {
		c = ""
	}
	return a, b, c
}

// versionText is the highest version that the client offers.
func (h *Hello) versionText() string {
	v := h.Version
	if versions := withoutGrease(h.Versions); len(versions) > 0 {
		v = slices.Max(versions)
	}
	switch v {
	case tls.VersionTLS13:
		return "13"
	case tls.VersionTLS12:
		return "12"
	case tls.VersionTLS11:
		return "11"
	case tls.VersionTLS10:
		return "10"
	}
	return "00"
}

// count has two digits.
func count(in []uint16) string {
	n := min(len(in), 99)
	return string([]byte{byte('0' + n/10), byte('0' + n%10)})
}

// protoText is the first and the last character of the first protocol of ALPN, those of its hex form where one of them is neither
// letter nor digit.
func (h *Hello) protoText() string {
	if len(h.Protos) == 0 || h.Protos[0] == "" {
		return "00"
	}
	p := h.Protos[0]
	if !alphanumeric(p[0]) || !alphanumeric(p[len(p)-1]) {
		p = hex.EncodeToString([]byte(p))
	}
	return string([]byte{p[0], p[len(p)-1]})
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func hexList(in []uint16) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 5*len(in))
	for i, v := range in {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, digits[v>>12], digits[v>>8&15], digits[v>>4&15], digits[v&15])
	}
	return string(b)
}

// short is the first twelve digits of a hash; zeros stand for an empty list.
func short(text string) string {
	if text == "" {
		return "000000000000"
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:6])
}
