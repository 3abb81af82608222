package cloudfront

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

const docTrustStores = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/trust-stores-certificate-management.html"

// Quotas of trust stores (DG-cloudfront-limits).
const (
	maxTrustStores        = 20
	maxStoreDistributions = 25
	maxBundle             = 64 << 10
	maxBundleCertificate  = 16384
	maxBundleCount        = 25
)

// trustStoreID has the form of the ids of distribution tenants, dt_2x9GhoK0TZRsohWzv1b9It8JABC; no example of its own was found.
var trustStoreID = service.ID{Kind: "trust-store", Prefix: "ts_", Alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", Length: 27}

// CreateTrustStore makes a trust store of a bundle of certificates in S3.
func (s *Service) CreateTrustStore(ctx context.Context, in *cloudfront.CreateTrustStoreInput) (*cloudfront.CreateTrustStoreOutput, error) {
	if !functionName.MatchString(deref(in.Name)) { // of names the manual says nothing
		return nil, invalid("Name", "The parameter Name is invalid.", fmt.Sprintf("%q is not 1 to 64 letters, digits, hyphens and underscores", deref(in.Name))) // text: our words
	}
	if err := checkTags(in.Tags, len(tagMap(in.Tags))); err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	for _, other := range resource.TrustStores.All(r, global) {
		if other.Name == *in.Name {
			return nil, refuse(cloudfront.ErrCodeEntityAlreadyExists, "Name", "The entity already exists. You must provide a unique entity.", diag.Finding{})
		}
	}
	if resource.TrustStores.Len(r, global) >= maxTrustStores {
		return nil, tooMany(cloudfront.ErrCodeEntityLimitExceeded, "Name", "The entity limit has been exceeded.", maxTrustStores)
	}
	certificates, err := s.bundle(ctx, in.CaCertificatesBundleSource)
	if err != nil {
		return nil, err
	}
	v := &resource.TrustStore{ID: s.env.NewID(ctx, trustStoreID, taken(ctx, s, resource.TrustStores)), Name: *in.Name, Certificates: certificates, OCSP: deref(in.UseClientCertificateOCSPEndpoint), Tags: tagMap(in.Tags)}
	rec, err := put(ctx, s, resource.TrustStores, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateTrustStoreOutput{TrustStore: s.trustStore(rec, v), ETag: new(trustStoreTag(v))}, nil
}

func trustStoreTag(v *resource.TrustStore) string { return service.ETag(v.ID, v.Changes) }

func (s *Service) trustStore(rec *store.Record, v *resource.TrustStore) *cloudfront.TrustStore {
	return &cloudfront.TrustStore{Id: &v.ID, Arn: new(s.arn("trust-store", v.ID)), Name: &v.Name, Status: new(cloudfront.TrustStoreStatusActive),
		NumberOfCaCertificates: count(v.Certificates), LastModifiedTime: stamp(rec.Updated), UseClientCertificateOCSPEndpoint: &v.OCSP}
}

// bundle reads the certificates of a bundle, as DER (DG-trust-stores-certificate-management). It is read once.
func (s *Service) bundle(ctx context.Context, in *cloudfront.CaCertificatesBundleSource) ([][]byte, error) {
	const path = "CaCertificatesBundleSource.CaCertificatesBundleS3Location"
	if in == nil || in.CaCertificatesBundleS3Location == nil {
		return nil, missingArgument(path)
	}
	at := in.CaCertificatesBundleS3Location
	name := "s3://" + deref(at.Bucket) + "/" + deref(at.Key)
	refused := func(because string) error {
		return refuse(cloudfront.ErrCodeInvalidArgument, path, "The CA certificates bundle is invalid.", diag.Finding{Doc: docTrustStores, Because: []string{name + ": " + because}}) // text: our words
	}
	if _, here := resource.Buckets.Get(s.env.Store.Read(ctx), resource.Global, deref(at.Bucket)); !here || s.readObject == nil {
		return nil, refused("the bucket is not in this account")
	}
	if deref(at.Version) != "" {
		return nil, refused("objects have no versions here")
	}
	data, err := s.readObject(ctx, *at.Bucket, deref(at.Key))
	if err != nil {
		return nil, refused(fmt.Sprintf("it cannot be read: %v", err))
	}
	certificates, err := parseBundle(data)
	if err != nil {
		return nil, refused(err.Error())
	}
	return certificates, nil
}

// parseBundle reads certificates in PEM with comments between them.
func parseBundle(data []byte) ([][]byte, error) {
	if len(data) > maxBundle {
		return nil, fmt.Errorf("%d bytes are more than 64 KB", len(data))
	}
	var out [][]byte
	for rest := data; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if strings.Contains(string(rest), "-----BEGIN") {
				return nil, fmt.Errorf("certificate %d is not PEM", len(out)+1)
			}
			break
		}
		if err := checkAuthority(block); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(out)+1, err)
		}
		out = append(out, block.Bytes)
	}
	switch {
	case len(out) == 0:
		return nil, errors.New("it has no certificate in PEM")
	case len(out) > maxBundleCount:
		return nil, fmt.Errorf("it has %d certificates, at most %d are allowed", len(out), maxBundleCount)
	}
	return out, nil
}

// checkAuthority: X.509v3, with the keys and signatures of DG-trust-stores-certificate-management.
func checkAuthority(block *pem.Block) error {
	if block.Type != "CERTIFICATE" || len(block.Bytes) > maxBundleCertificate {
		return fmt.Errorf("a %s of %d bytes, want CERTIFICATE and at most %d bytes", block.Type, len(block.Bytes), maxBundleCertificate)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	key := false
	switch k := c.PublicKey.(type) {
	case *rsa.PublicKey:
		key = k.N.BitLen() == 2048 || k.N.BitLen() == 3072 || k.N.BitLen() == 4096
	case *ecdsa.PublicKey:
		key = k.Curve == elliptic.P256() || k.Curve == elliptic.P384()
	}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512,
		x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
	default:
		return fmt.Errorf("its signature is %v, want SHA-256, SHA-384 or SHA-512 with RSA, RSA-PSS or ECDSA", c.SignatureAlgorithm)
	}
	switch {
	case c.Version != 3:
		return fmt.Errorf("it is X.509v%d, want v3", c.Version)
	case !key:
		return errors.New("its key is not RSA with 2048, 3072 or 4096 bits, nor ECDSA on P-256 or P-384")
	case c.BasicConstraintsValid && !c.IsCA:
		return errors.New("it is no certificate of an authority")
	}
	return nil
}

// findTrustStore finds a trust store by id, name or ARN.
func (s *Service) findTrustStore(ctx context.Context, identifier *string) (*resource.TrustStore, *store.Record, error) {
	want := deref(identifier)
	for rec, v := range resource.TrustStores.All(s.env.Store.Read(ctx), global) {
		if want == v.ID || want == v.Name || want == s.arn("trust-store", v.ID) {
			return v, rec, nil
		}
	}
	return nil, nil, awsapi.Errorf(cloudfront.ErrCodeEntityNotFound, "The specified trust store does not exist.") // text: our words
}

// GetTrustStore returns a trust store.
func (s *Service) GetTrustStore(ctx context.Context, in *cloudfront.GetTrustStoreInput) (*cloudfront.GetTrustStoreOutput, error) {
	v, rec, err := s.findTrustStore(ctx, in.Identifier)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetTrustStoreOutput{TrustStore: s.trustStore(rec, v), ETag: new(trustStoreTag(v))}, nil
}

// UpdateTrustStore replaces the certificates.
func (s *Service) UpdateTrustStore(ctx context.Context, in *cloudfront.UpdateTrustStoreInput) (*cloudfront.UpdateTrustStoreOutput, error) {
	old, rec, err := s.findTrustStore(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, trustStoreTag(old)); err != nil {
		return nil, err
	}
	v := *old
	if in.CaCertificatesBundleSource != nil {
		if v.Certificates, err = s.bundle(ctx, in.CaCertificatesBundleSource); err != nil {
			return nil, err
		}
	}
	v.OCSP = *or(in.UseClientCertificateOCSPEndpoint, v.OCSP)
	v.Changes++
	if rec, err = replace(ctx, s, resource.TrustStores, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateTrustStoreOutput{TrustStore: s.trustStore(rec, &v), ETag: new(trustStoreTag(&v))}, nil
}

// DeleteTrustStore deletes a trust store that no distribution uses.
func (s *Service) DeleteTrustStore(ctx context.Context, in *cloudfront.DeleteTrustStoreInput) (*cloudfront.DeleteTrustStoreOutput, error) {
	v, rec, err := s.findTrustStore(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, trustStoreTag(v)); err != nil {
		return nil, err
	}
	for _, d := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if trusts(d.Config) == v.ID {
			return nil, awsapi.Errorf(cloudfront.ErrCodeCannotDeleteEntityWhileInUse, "The entity cannot be deleted while it is in use.")
		}
	}
	return &cloudfront.DeleteTrustStoreOutput{}, remove(ctx, s, resource.TrustStores, rec)
}

// ListTrustStores lists the account's trust stores.
func (s *Service) ListTrustStores(ctx context.Context, in *cloudfront.ListTrustStoresInput) (*cloudfront.ListTrustStoresOutput, error) {
	all := []*cloudfront.TrustStoreSummary{}
	for rec, v := range resource.TrustStores.All(s.env.Store.Read(ctx), global) {
		t := s.trustStore(rec, v)
		all = append(all, &cloudfront.TrustStoreSummary{Id: t.Id, Arn: t.Arn, Name: t.Name, Status: t.Status, NumberOfCaCertificates: t.NumberOfCaCertificates,
			LastModifiedTime: t.LastModifiedTime, ETag: new(trustStoreTag(v))})
	}
	items, next, _, err := page(all, func(v *cloudfront.TrustStoreSummary) string { return *v.Id }, in.Marker, asText(in.MaxItems))
	return &cloudfront.ListTrustStoresOutput{TrustStoreList: items, NextMarker: next}, err
}

// trusts is the trust store of a distribution, "" for none.
func trusts(c *cloudfront.DistributionConfig) string {
	if c.ViewerMtlsConfig == nil || c.ViewerMtlsConfig.TrustStoreConfig == nil {
		return ""
	}
	return deref(c.ViewerMtlsConfig.TrustStoreConfig.TrustStoreId)
}

// checkViewerMtls: a trust store that exists, HTTPS in all behaviors, and no HTTP/3 (DG-enable-mtls-distributions).
func checkViewerMtls(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	const path = "DistributionConfig.ViewerMtlsConfig"
	m := c.ViewerMtlsConfig
	if m == nil {
		return nil
	}
	const doc = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/enable-mtls-distributions.html"
	refused := func(because string) error {
		return refuse(cloudfront.ErrCodeInvalidArgument, path, "The parameter ViewerMtlsConfig is invalid.", diag.Finding{Doc: doc, Because: []string{because}}) // text: our words
	}
	id := trusts(c)
	if id == "" && deref(m.Mode) != cloudfront.ViewerMtlsModePassthrough {
		return refused("it names no trust store")
	}
	if strings.Contains(*c.HttpVersion, "3") {
		return refused("viewers over HTTP/3 cannot show certificates: HttpVersion is " + *c.HttpVersion)
	}
	for _, b := range behaviors(c) {
		if deref(b.ViewerProtocolPolicy) == "allow-all" {
			return refused("all behaviors must ask for HTTPS, and " + b.path + " allows HTTP")
		}
	}
	if id == "" {
		return nil
	}
	if _, ok := resource.TrustStores.Get(r, global, id); !ok {
		return refuse(cloudfront.ErrCodeEntityNotFound, path+".TrustStoreConfig.TrustStoreId", "The specified trust store does not exist.", diag.Finding{ // text: our words
			Because: []string{fmt.Sprintf("there is no trust store %q here, so no certificate of a viewer could be checked", id)}})
	}
	n := 0
	for _, other := range resource.Distributions.All(r, global) {
		if other.ID != self && trusts(other.Config) == id {
			n++
		}
	}
	if n >= maxStoreDistributions {
		return tooMany(cloudfront.ErrCodeInvalidArgument, path, "The maximum number of distributions have been associated with the specified trust store.", maxStoreDistributions) // text: our words
	}
	return nil
}
