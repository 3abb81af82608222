package edge

import (
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/message"
)

// The headers about the certificate of a viewer (DG-viewer-mtls-headers). Those of the form and the whole certificate are for
// origins only, and the latter is not shown to functions.
const (
	certificateHeaders = "CloudFront-Viewer-Cert-"
	headerCertificate  = "CloudFront-Viewer-Cert-Pem"
)

// certificateValue is the value of such a header; ok is false where viewers are not asked for certificates, or none was shown.
func (x *exchange) certificateValue(name string) (value string, ok bool) {
	if x.plan.ClientCertificates == NoCertificates || x.viewer.TLS == nil {
		return "", false
	}
	c := x.viewer.TLS.Certificate
	if name == "CloudFront-Viewer-Cert-Present" {
		if c == nil {
			return "0", true
		}
		return "1", true
	}
	if c == nil {
		return "", false
	}
	switch name {
	case "CloudFront-Viewer-Cert-Serial-Number":
		return colons(c.SerialNumber.Bytes()), true
	case "CloudFront-Viewer-Cert-Issuer":
		return distinguished(c.RawIssuer), true
	case "CloudFront-Viewer-Cert-Subject":
		return distinguished(c.RawSubject), true
	case "CloudFront-Viewer-Cert-Sha256":
		sum := sha256.Sum256(c.Raw)
		return hex.EncodeToString(sum[:]), true
	case "CloudFront-Viewer-Cert-Validity":
		return "NotBefore=" + c.NotBefore.UTC().Format(time.RFC3339) + ";NotAfter=" + c.NotAfter.UTC().Format(time.RFC3339), true
	case headerCertificate:
		return strings.ReplaceAll(url.QueryEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))), "+", "%20"), true
	}
	return "", false
}

// withCertificate adds the certificate itself to what goes to the origin, behind the functions.
func (x *exchange) withCertificate(h message.Header) message.Header {
	if x.plan.ClientCertificates != NoCertificates && slices.Contains(x.behavior.Forward.CloudFront, headerCertificate) {
		if v, ok := x.certificateValue(headerCertificate); ok {
			h.Set(headerCertificate, v)
		}
	}
	return h
}

// colons writes bytes as 4a:3f:5c.
func colons(b []byte) string {
	if len(b) == 0 {
		b = []byte{0}
	}
	text := make([]byte, 0, 3*len(b))
	for i := range b {
		if i > 0 {
			text = append(text, ':')
		}
		text = hex.AppendEncode(text, b[i:i+1])
	}
	return string(text)
}

// distinguished writes a name as RFC 2253 does, in the order of the certificate backwards; "" for one that cannot be read. What HTTP
// cannot carry is percent-encoded, as in other headers of CloudFront.
func distinguished(raw []byte) string {
	var name pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &name); err != nil {
		return ""
	}
	return geo.Encoded(name.String())
}
