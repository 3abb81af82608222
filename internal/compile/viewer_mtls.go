package compile

import (
	"crypto/x509"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// clients is what a distribution asks of the certificates of viewers; nil for nothing. Without a trust store nobody is let in.
func (d *distributionCompiler) clients(c *cloudfront.DistributionConfig) *front.ClientCertificates {
	mode := clientCertificates(c)
	if mode == edge.NoCertificates {
		return nil
	}
	t := c.ViewerMtlsConfig.TrustStoreConfig
	if t == nil {
		return &front.ClientCertificates{Required: true}
	}
	out := &front.ClientCertificates{Required: mode == edge.RequiredCertificates, Advertise: deref(t.AdvertiseTrustStoreCaNames), IgnoreExpiry: deref(t.IgnoreCertificateExpiry)}
	v, ok := resource.TrustStores.Get(d.view, resource.Global, deref(t.TrustStoreId))
	if !ok { // the service has checked it
		return out
	}
	for _, der := range v.Certificates {
		if cert, err := x509.ParseCertificate(der); err == nil { // the service has checked it
			out.Authorities = append(out.Authorities, cert)
		}
	}
	return out
}

// clientCertificates is the mode of ViewerMtlsConfig. What "passthrough" does no manual says: viewers are not asked then.
func clientCertificates(c *cloudfront.DistributionConfig) edge.ClientCertificates {
	if c.ViewerMtlsConfig != nil {
		switch deref(c.ViewerMtlsConfig.Mode) {
		case cloudfront.ViewerMtlsModeRequired:
			return edge.RequiredCertificates
		case cloudfront.ViewerMtlsModeOptional:
			return edge.OptionalCertificates
		}
	}
	return edge.NoCertificates
}

// viewerMtls takes over ViewerMtlsConfig, and names what of it is not honoured.
func (d *distributionCompiler) viewerMtls(rec *store.Record, p *edge.Plan, c *cloudfront.DistributionConfig, note func(path, instead string)) {
	p.ClientCertificates = clientCertificates(c)
	m := c.ViewerMtlsConfig
	if m == nil {
		return
	}
	if p.ClientCertificates == edge.NoCertificates {
		note("ViewerMtlsConfig", "viewers are not asked for a certificate in the mode "+deref(m.Mode))
		return
	}
	p.HTTP3 = false
	if t := m.TrustStoreConfig; t != nil {
		if v, ok := resource.TrustStores.Get(d.view, resource.Global, deref(t.TrustStoreId)); ok && v.OCSP {
			d.unsupported(resource.TrustStores.Record(d.view, resource.Global, v.ID), "UseClientCertificateOCSPEndpoint", "revoked certificates are taken")
		}
	}
}
