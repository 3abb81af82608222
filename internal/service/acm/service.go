// Package acm implements the API of AWS Certificate Manager over the store.
//
// Start with Service. A requested certificate is issued at once: there is nobody to prove a domain to, and the local
// authority vouches for its names. An imported one is presented as it is. Texts are those of the ACM API reference and of
// public reports, unless a comment says that they are ours. Not there: export, renewal, revocation, search.
package acm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements acm.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	acm.Unimplemented
	env *service.Env
	// issue signs a certificate for names with the local authority; PEM.
	issue func(names []string) (certPEM, chainPEM string, err error)
}

// New makes the service. issue may be nil where nobody asks for certificates in PEM.
func New(env *service.Env, issue func(names []string) (certPEM, chainPEM string, err error)) *Service {
	return &Service{env: env, issue: issue}
}

// Limits (facts: sigv4-iam 6).
const (
	maxNames        = 100
	maxCertificates = 2500
	maxTags         = 50
	validity        = 395 * 24 * time.Hour // 13 months
	tokenLife       = time.Hour            // ACM API reference, RequestCertificate: IdempotencyToken
)

// refuse makes AWS's error, with a reason that AWS leaves out.
func refuse(code, path, message string, because ...string) error {
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Because: because,
		AWSError: &diag.AWSError{Code: code, Status: 400, Message: message}})
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// RequestCertificate makes a certificate that is issued at once.
func (s *Service) RequestCertificate(ctx context.Context, in *acm.RequestCertificateInput) (*acm.RequestCertificateOutput, error) {
	names, err := requestedNames(in)
	if err != nil {
		return nil, err
	}
	algorithm := "RSA_2048"
	if in.KeyAlgorithm != nil {
		if algorithm = *in.KeyAlgorithm; !slices.Contains([]string{"RSA_2048", "EC_prime256v1", "EC_secp384r1"}, algorithm) {
			return nil, refuse(acm.ErrCodeInvalidParameterException, "KeyAlgorithm", "The algorithm "+algorithm+" is not supported for a requested certificate.", // text: ours
				"ACM requests certificates with RSA_2048, EC_prime256v1 and EC_secp384r1") // facts: sigv4-iam 6
		}
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	region := awsapi.CallFrom(ctx).Region
	r := s.env.Store.Read(ctx)
	token := deref(in.IdempotencyToken)
	for _, c := range resource.Certificates.All(r, region) {
		if token != "" && c.Token == token && s.env.Now().Sub(c.TokenTime) < tokenLife && slices.Equal(c.Names, names) {
			return &acm.RequestCertificateOutput{CertificateArn: new(c.ARN)}, nil
		}
	}
	c := &resource.Certificate{DomainName: names[0], Names: names, KeyAlgorithm: algorithm, ValidationMethod: deref(in.ValidationMethod),
		ValidationDomains: map[string]string{}, Transparency: acm.CertificateTransparencyLoggingPreferenceENABLED, AuthorityARN: deref(in.CertificateAuthorityArn),
		Token: token, TokenTime: s.env.Now().UTC(), Tags: tags}
	if c.ValidationMethod == "" {
		c.ValidationMethod = acm.ValidationMethodEMAIL // the default (ACM API reference, RequestCertificate)
	}
	if in.Options != nil && in.Options.CertificateTransparencyLoggingPreference != nil {
		c.Transparency = *in.Options.CertificateTransparencyLoggingPreference
	}
	for i, o := range in.DomainValidationOptions {
		name, domain := fold(deref(o.DomainName)), fold(deref(o.ValidationDomain))
		if !slices.Contains(names, name) || name != domain && !strings.HasSuffix(name, "."+domain) {
			return nil, refuse(acm.ErrCodeInvalidDomainValidationOptionsException, fmt.Sprintf("DomainValidationOptions[%d]", i),
				"One or more domain validation options specified are not valid.", // text: ours
				fmt.Sprintf("%q must be one of the names, and %q the same name or one above it", name, domain))
		}
		c.ValidationDomains[name] = domain
	}
	if err := s.create(ctx, region, c); err != nil {
		return nil, err
	}
	return &acm.RequestCertificateOutput{CertificateArn: new(c.ARN)}, nil
}

// create gives the certificate its ARN and stores it.
func (s *Service) create(ctx context.Context, region string, c *resource.Certificate) error {
	r := s.env.Store.Read(ctx)
	if resource.Certificates.Len(r, region) >= maxCertificates {
		return refuse(acm.ErrCodeLimitExceededException, "", fmt.Sprintf("Cannot exceed the maximum number of certificates (%d).", maxCertificates)) // text: ours
	}
	name := func(id string) string {
		return arn.ARN{Partition: arn.Partition(region), Service: "acm", Region: region, Account: s.env.Account, Resource: "certificate/" + id}.String()
	}
	id := s.env.NewUUID(ctx, "certificate-"+region, func(id string) bool { _, ok := resource.Certificates.Get(r, region, name(id)); return ok })
	c.ARN = name(id)
	return s.put(ctx, region, c)
}

func (s *Service) put(ctx context.Context, region string, c *resource.Certificate) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.Certificates.Put(tx, region, c.ARN, c); return nil })
	return err
}

// find returns the certificate of the region that is called.
func (s *Service) find(ctx context.Context, certificateARN *string) (*resource.Certificate, *store.Record, error) {
	id := deref(certificateARN)
	a, err := arn.Parse(id)
	if err != nil || a.Service != "acm" || !strings.HasPrefix(a.Resource, "certificate/") {
		return nil, nil, refuse(acm.ErrCodeInvalidArnException, "CertificateArn", "The ARN "+id+" is not valid.") // text: ours
	}
	region := awsapi.CallFrom(ctx).Region
	c, rec, ok := resource.FindCertificate(s.env.Store.Read(ctx), id)
	if !ok || a.Region != region {
		because := []string{}
		if ok {
			because = append(because, fmt.Sprintf("it is in %s, and the request is for %s", a.Region, region))
		}
		return nil, nil, refuse(acm.ErrCodeResourceNotFoundException, "CertificateArn",
			fmt.Sprintf("Could not find certificate %s in account %s.", id, s.env.Account), because...)
	}
	return c, rec, nil
}

// DescribeCertificate tells all of a certificate but its text.
func (s *Service) DescribeCertificate(ctx context.Context, in *acm.DescribeCertificateInput) (*acm.DescribeCertificateOutput, error) {
	c, rec, err := s.find(ctx, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	d := &acm.CertificateDetail{CertificateArn: &c.ARN, DomainName: &c.DomainName, SubjectAlternativeNames: c.Names, Status: new(acm.CertificateStatusISSUED),
		KeyAlgorithm: new(shownAlgorithm(c.KeyAlgorithm)), InUseBy: users(s.env.Store.Read(ctx), c.ARN), RenewalEligibility: new("INELIGIBLE"),
		Options: &acm.CertificateOptions{CertificateTransparencyLoggingPreference: &c.Transparency}, CreatedAt: stamp(rec.Created),
		KeyUsages:         []*acm.KeyUsage{{Name: new("DIGITAL_SIGNATURE")}, {Name: new("KEY_ENCIPHERMENT")}},
		ExtendedKeyUsages: []*acm.ExtendedKeyUsage{{Name: new("TLS_WEB_SERVER_AUTHENTICATION"), OID: new("1.3.6.1.5.5.7.3.1")}}}
	if len(d.InUseBy) > 0 {
		d.RenewalEligibility = new("ELIGIBLE")
	}
	if c.Imported != nil {
		d.Type, d.ImportedAt, d.RenewalEligibility = new(acm.CertificateTypeIMPORTED), stamp(c.Imported.At), new("INELIGIBLE")
		d.Options.CertificateTransparencyLoggingPreference = new(acm.CertificateTransparencyLoggingPreferenceDISABLED)
		describeX509(d, c.Imported.Certificate)
		return &acm.DescribeCertificateOutput{Certificate: d}, nil
	}
	d.Type, d.IssuedAt = new(acm.CertificateTypeAMAZON_ISSUED), stamp(rec.Created)
	if c.AuthorityARN != "" {
		d.Type, d.CertificateAuthorityArn = new(acm.CertificateTypePRIVATE), &c.AuthorityARN
	}
	d.Subject, d.Issuer, d.SignatureAlgorithm = new("CN="+c.DomainName), new("Foregate local authority"), new("SHA256WITHRSA")
	d.NotBefore, d.NotAfter = stamp(rec.Created.Truncate(24*time.Hour)), stamp(rec.Created.Truncate(24*time.Hour).Add(validity))
	for _, n := range c.Names {
		d.DomainValidationOptions = append(d.DomainValidationOptions, validationOf(c, n))
	}
	return &acm.DescribeCertificateOutput{Certificate: d}, nil
}

// shownAlgorithm is the spelling of answers: RSA-2048, but EC_prime256v1 (ACM API reference, examples).
func shownAlgorithm(a string) string { return strings.Replace(a, "RSA_", "RSA-", 1) }

// validationOf is how a name was proved. The record's labels are stable for a name, as on AWS (facts: sigv4-iam 6).
func validationOf(c *resource.Certificate, name string) *acm.DomainValidation {
	base := strings.TrimPrefix(name, "*.")
	v := &acm.DomainValidation{DomainName: new(name), ValidationDomain: new(name), ValidationStatus: new(acm.DomainStatusSUCCESS), ValidationMethod: &c.ValidationMethod}
	switch c.ValidationMethod {
	case acm.ValidationMethodDNS:
		a := sha256.Sum256([]byte("acm name " + base))
		b := sha256.Sum256([]byte("acm value " + base + " " + c.ARN[:strings.LastIndexByte(c.ARN, '/')]))
		v.ResourceRecord = &acm.ResourceRecord{Name: new("_" + hex.EncodeToString(a[:16]) + "." + base + "."), Type: new("CNAME"),
			Value: new("_" + hex.EncodeToString(b[:16]) + "." + hex.EncodeToString(b[16:21]) + ".acm-validations.aws.")}
	case acm.ValidationMethodEMAIL:
		domain := base
		if d := c.ValidationDomains[name]; d != "" {
			domain = d
		}
		v.ValidationDomain = &domain
		for _, who := range []string{"admin", "administrator", "hostmaster", "postmaster", "webmaster"} {
			v.ValidationEmails = append(v.ValidationEmails, who+"@"+domain)
		}
	}
	return v
}

// GetCertificate returns the certificate in PEM.
func (s *Service) GetCertificate(ctx context.Context, in *acm.GetCertificateInput) (*acm.GetCertificateOutput, error) {
	c, _, err := s.find(ctx, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if c.Imported != nil {
		out := &acm.GetCertificateOutput{Certificate: &c.Imported.Certificate}
		if c.Imported.Chain != "" {
			out.CertificateChain = &c.Imported.Chain
		}
		return out, nil
	}
	if s.issue == nil {
		return nil, refuse(acm.ErrCodeRequestInProgressException, "CertificateArn", "The certificate request is in process and the certificate in your account has not yet been issued.")
	}
	cert, chain, err := s.issue(slices.Clone(c.Names))
	if err != nil {
		return nil, fmt.Errorf("issue certificate %q: %w", c.ARN, err)
	}
	return &acm.GetCertificateOutput{Certificate: &cert, CertificateChain: &chain}, nil
}

// ListCertificates lists the certificates of the region. Without Includes.KeyTypes only RSA_1024 and RSA_2048 are shown,
// as on AWS (ACM API reference, Filters).
func (s *Service) ListCertificates(ctx context.Context, in *acm.ListCertificatesInput) (*acm.ListCertificatesOutput, error) {
	r := s.env.Store.Read(ctx)
	types := []string{"RSA_1024", "RSA_2048"}
	if in.Includes != nil && len(in.Includes.KeyTypes) > 0 {
		types = in.Includes.KeyTypes
	}
	limit := 1000
	if in.MaxItems != nil {
		limit = int(*in.MaxItems)
	}
	out := &acm.ListCertificatesOutput{CertificateSummaryList: []*acm.CertificateSummary{}}
	if len(in.CertificateStatuses) > 0 && !slices.Contains(in.CertificateStatuses, acm.CertificateStatusISSUED) {
		return out, nil
	}
	for rec, c := range resource.Certificates.All(r, awsapi.CallFrom(ctx).Region) {
		if !slices.Contains(types, c.KeyAlgorithm) || in.NextToken != nil && c.ARN <= *in.NextToken {
			continue
		}
		if len(out.CertificateSummaryList) == limit {
			out.NextToken = out.CertificateSummaryList[limit-1].CertificateArn
			break
		}
		v := &acm.CertificateSummary{CertificateArn: new(c.ARN), DomainName: new(c.DomainName), SubjectAlternativeNameSummaries: c.Names,
			HasAdditionalSubjectAlternativeNames: new(false), Status: new(acm.CertificateStatusISSUED), Type: new(acm.CertificateTypeAMAZON_ISSUED),
			KeyAlgorithm: new(shownAlgorithm(c.KeyAlgorithm)), InUse: new(len(users(r, c.ARN)) > 0), CreatedAt: stamp(rec.Created), IssuedAt: stamp(rec.Created)}
		if c.Imported != nil {
			v.Type, v.ImportedAt, v.IssuedAt = new(acm.CertificateTypeIMPORTED), stamp(c.Imported.At), nil
		}
		out.CertificateSummaryList = append(out.CertificateSummaryList, v)
	}
	return out, nil
}

// DeleteCertificate deletes a certificate that nobody uses.
func (s *Service) DeleteCertificate(ctx context.Context, in *acm.DeleteCertificateInput) (*acm.DeleteCertificateOutput, error) {
	c, rec, err := s.find(ctx, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	if by := users(s.env.Store.Read(ctx), c.ARN); len(by) > 0 {
		return nil, refuse(acm.ErrCodeResourceInUseException, "CertificateArn",
			fmt.Sprintf("Certificate %s in account %s is in use.", c.ARN, s.env.Account), "it is used by "+strings.Join(by, ", "))
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.Certificates.Delete(tx, rec.Key.Region, c.ARN); return nil })
	return &acm.DeleteCertificateOutput{}, err
}

// UpdateCertificateOptions changes the transparency logging preference.
func (s *Service) UpdateCertificateOptions(ctx context.Context, in *acm.UpdateCertificateOptionsInput) (*acm.UpdateCertificateOptionsOutput, error) {
	old, rec, err := s.find(ctx, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	c := *old
	if in.Options != nil && in.Options.CertificateTransparencyLoggingPreference != nil {
		c.Transparency = *in.Options.CertificateTransparencyLoggingPreference
	}
	return &acm.UpdateCertificateOptionsOutput{}, s.put(ctx, rec.Key.Region, &c)
}

// users lists the ARNs of what presents the certificate.
func users(r store.Reader, certificateARN string) []string {
	var out []string
	a, err := arn.Parse(certificateARN)
	if err != nil {
		return nil
	}
	for _, d := range resource.Distributions.All(r, resource.Global) {
		if v := d.Config.ViewerCertificate; v != nil && deref(v.ACMCertificateArn) == certificateARN {
			out = append(out, "arn:"+a.Partition+":cloudfront::"+a.Account+":distribution/"+d.ID)
		}
	}
	return append(out, domainsUsing(r, certificateARN)...)
}

func stamp(t time.Time) *time.Time { return new(t.UTC().Truncate(time.Second)) }
