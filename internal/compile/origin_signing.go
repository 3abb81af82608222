package compile

import (
	"fmt"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/sigv4"
	"github.com/foregate/foregate/internal/store"
)

// signingScope is the service and region that a signature for an origin is made for; ok is false for a name that none is known for,
// such as a Multi-Region Access Point, which wants Signature Version 4A.
func signingScope(domain string) (service, region string, ok bool) {
	if m := bucketDomain.FindStringSubmatch(domain); m != nil {
		if m[2] == "" {
			return "s3", "us-east-1", true
		}
		return "s3", m[2], true
	}
	return resource.SignedEndpoint(domain)
}

// served has the names of the buckets of the store, and the hosts of its function URLs.
type served map[string]bool

func (c *compiler) served() served {
	names := served{}
	for rec := range resource.Buckets.All(c.view, resource.Global) {
		names[rec.Key.ID] = true
	}
	for rec, u := range resource.FunctionURLs.Everywhere(c.view) {
		names[u.ID+".lambda-url."+rec.Key.Region+".on.aws"] = true
	}
	return names
}

// origin tells whether an origin with access control is one of them.
func (s served) origin(domain string) bool {
	if m := bucketDomain.FindStringSubmatch(domain); m != nil {
		return s[m[1]]
	}
	return s[domain]
}

// signingFinding tells how requests to an origin outside are signed.
func (d *distributionCompiler) signingFinding(rec *store.Record, out *edge.Origin, path string) {
	if out.Access.Kind == edge.NoAccess || out.Access.Kind == edge.AccessControl && out.Access.Signing == edge.SignNever || d.served.origin(out.Domain) {
		return
	}
	setting := path + ".OriginAccessControlId"
	if out.Access.Kind == edge.AccessIdentity {
		setting = path + ".S3OriginConfig.OriginAccessIdentity"
	}
	service, region, ok := signingScope(out.Domain)
	switch {
	case !ok:
		d.unsupported(rec, setting, fmt.Sprintf("requests to %s are not signed: Foregate signs for buckets, function URLs, MediaStore and MediaPackage v2", out.Domain))
	case d.env.OriginCredentials == nil:
		d.unsupported(rec, setting, "the origin is not served here, and requests to it over the network are not signed: name credentials with --origin-credentials to have them signed")
	default:
		d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: d.path(rec, setting),
			Message: fmt.Sprintf("requests to %s are signed for %s in %s with the credentials of --origin-credentials, where CloudFront signs as cloudfront.amazonaws.com", out.Domain, service, region),
			Because: []string{"a policy that allows the service principal for this distribution does not allow them; one for the owner of the credentials does"}})
	}
}

// signs tells whether CloudFront signs a request.
func signs(f *edge.FetchRequest) bool {
	switch f.Access.Kind {
	case edge.AccessControl:
		return f.Access.Signing == edge.SignAlways || f.Access.Signing == edge.SignNoOverride && !f.Request.Header.Has("Authorization")
	case edge.AccessIdentity:
		return true
	}
	return false
}

// sign signs a request that goes over the network, if there are credentials and the origin is one that takes signatures. The hash
// of a body is what the viewer has sent of it; without one S3 and MediaStore take an unsigned payload, Lambda refuses the request
// (DG-private-content-restricting-access-to-lambda).
func (fx *edgeEffects) sign(f *edge.FetchRequest) (outside bool, err error) {
	service, region, ok := signingScope(f.Origin.Domain)
	if !ok {
		return false, nil
	}
	credentials, err := fx.env.OriginCredentials()
	if err != nil {
		return true, &edge.FetchError{Kind: edge.FetchConnect, Err: err}
	}
	h := &f.Request.Header
	hash, hashed := h.Lookup("X-Amz-Content-Sha256")
	switch {
	case f.Request.Body == nil:
		hash = sigv4.HashPayload(nil)
	case hashed && len(hash) == 64:
	case service == "lambda":
		hash = sigv4.HashPayload(nil) // of no body: Lambda finds that it does not match
	default:
		hash = sigv4.UnsignedPayload
	}
	for _, name := range [...]string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256"} {
		h.Del(name)
	}
	h.Add("X-Amz-Content-Sha256", hash)
	s := &sigv4.Signer{Credentials: credentials, Region: region, Service: service, Now: fx.env.Now, Minimal: true}
	return true, s.Sign(f.Request, hash)
}
