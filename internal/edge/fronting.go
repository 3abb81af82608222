package edge

import "strings"

// defaultDomain is what CloudFront's own certificate covers, for one label in front.
const defaultDomain = ".cloudfront.net"

// misdirected tells whether a request is domain fronting (DG-cnames, "Domain fronting"): its connection was made to another
// name than its Host, and the certificate that the name has neither belongs to the account of the request's distribution
// nor covers its Host. Without a server name all is well.
func (x *exchange) misdirected() bool {
	t, host := x.viewer.TLS, x.viewer.Host
	if t != nil && x.plan.ClientCertificates != NoCertificates && x.svc.Find(t.ServerName) != x.plan {
		return true // the connection was made to a name for which others, or nobody, is asked for a certificate
	}
	if t == nil || t.ServerName == "" || t.ServerName == host {
		return false
	}
	of := x.svc.Find(t.ServerName)
	switch {
	case of != nil && t.ServerName != of.DomainName: // an alias, whose certificate belongs to the distribution's account
		return of.Account != x.plan.Account
	case of != nil || strings.HasSuffix(t.ServerName, defaultDomain): // CloudFront's certificate, which is AWS's
		label, covered := strings.CutSuffix(host, defaultDomain)
		return !covered || strings.Contains(label, ".")
	}
	// The name is another service's: a browser sends requests for all names of a certificate on one connection. On AWS the
	// services have different addresses, and none does.
	return false
}

// misdirect answers with 421. The body is a short page as that of redirects, quoted by
// github.com/rvrsh3ll/FindFrontableDomains issue 11; since then these pages have lost an attribute (of 183 bytes of a 301
// then, 167 are left).
func (x *exchange) misdirect() {
	x.short(421)
	x.res.xcache = xcacheError
}
