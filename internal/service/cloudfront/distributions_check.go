package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Quotas of a distribution (facts: cloudfront-dataplane 4). AWS raises some on request; of these, --quota raises the number of
// distributions.
const (
	maxBehaviors     = 75
	maxOrigins       = 100
	maxOriginGroups  = 10
	maxAliases       = 100
	maxDistributions = 500
)

const docViewerCertificate = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html"

const noCertificate = "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a trusted certificate that validates your authorization to use the domain name. For more details, see: " + docViewerCertificate

func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// checkDistribution makes the checks that AWS makes, in an order in which the first thing wrong is the most telling. self is
// the distribution's id when it exists already.
func (s *Service) checkDistribution(ctx context.Context, c *cloudfront.DistributionConfig, self string) error {
	r := s.env.Store.Read(ctx)
	if self == "" && resource.Distributions.Len(r, global) >= s.env.Quota(service.QuotaDistributions, maxDistributions) {
		return refuse(cloudfront.ErrCodeTooManyDistributions, "DistributionConfig", "You have reached the maximum number of distributions for this AWS account.", diag.Finding{})
	}
	targets, err := checkOrigins(r, c)
	if err != nil {
		return err
	}
	for i, o := range c.Origins.Items {
		if o.VpcOriginConfig == nil {
			continue
		}
		if err := checkVpcOriginConfig(r, o.VpcOriginConfig, s.env.Account, indexed("DistributionConfig.Origins.Items", i)+".VpcOriginConfig"); err != nil {
			return err
		}
	}
	if c.DefaultCacheBehavior == nil {
		return missingArgument("DistributionConfig.DefaultCacheBehavior")
	}
	if n := len(c.CacheBehaviors.Items); n > maxBehaviors {
		return refuse(cloudfront.ErrCodeTooManyCacheBehaviors, "DistributionConfig.CacheBehaviors", "Your request contains more cache behaviors than are allowed per distribution.", diag.Finding{
			Because: []string{fmt.Sprintf("%d behaviors, at most %d are allowed", n, maxBehaviors)}})
	}
	for _, b := range behaviors(c) {
		if err := s.checkBehavior(r, b, targets); err != nil {
			return err
		}
		if err := checkGRPC(c, b); err != nil {
			return err
		}
	}
	if err := checkErrorResponses(c.CustomErrorResponses.Items); err != nil {
		return err
	}
	if err := checkGeneral(c); err != nil {
		return err
	}
	if err := checkContinuousDeployment(r, c, self); err != nil {
		return err
	}
	if err := checkViewerMtls(r, c, self); err != nil {
		return err
	}
	if err := checkLogging(r, c.Logging); err != nil {
		return err
	}
	if err := checkCertificate(r, c); err != nil {
		return err
	}
	if err := checkAliases(r, c, self); err != nil {
		return err
	}
	return checkQuotas(r, c, self)
}

// rootObject: DG-downloaddistvaluesgeneral, "Default root object".
var rootObject = regexp.MustCompile("^[-A-Za-z0-9_.*$~\"'&][-A-Za-z0-9_.*$/~\"'&]{0,254}$")

// A web ACL is named by its ARN, or by its id when it is one of AWS WAF Classic (BC InvalidWebACLId).
var (
	webACL        = regexp.MustCompile(`^arn:aws(-cn)?:wafv2:us-east-1:\d{12}:global/webacl/[-\w]+/[-\w]+$`)
	webACLClassic = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

func checkWebACL(id, path string) error {
	switch {
	case id == "" || webACL.MatchString(id) || webACLClassic.MatchString(id):
		return nil
	case strings.HasPrefix(id, "arn:") && strings.Contains(id, ":wafv2:"): // text: live, in a public repository's notes
		return refuse(cloudfront.ErrCodeInvalidWebACLId, path, "Only global scoped ARNs are supported", diag.Finding{
			Because: []string{fmt.Sprintf("%q is not one of scope CLOUDFRONT: those are in us-east-1, and global", id)}, Fixes: []string{"make the web ACL with Scope: CLOUDFRONT, in us-east-1"}})
	}
	return refuse(cloudfront.ErrCodeInvalidWebACLId, path, "Web ACL is not accessible by the requester.", diag.Finding{ // text: github hashicorp/terraform 17544
		Because: []string{fmt.Sprintf("%q is neither the ARN of a web ACL nor the id of one of AWS WAF Classic", id)}, Fixes: []string{"use the web ACL's Arn: its Ref is its name, id and scope"}})
}

func checkGeneral(c *cloudfront.DistributionConfig) error {
	const path = "DistributionConfig"
	switch {
	case c.Enabled == nil:
		return missingArgument(path + ".Enabled")
	case *c.DefaultRootObject != "" && !rootObject.MatchString(*c.DefaultRootObject):
		return refuse(cloudfront.ErrCodeInvalidDefaultRootObject, path+".DefaultRootObject", "The default root object file name is too big or contains an invalid character.", diag.Finding{
			Because: []string{"the name is relative to the root, as index.html is, and has at most 255 letters, digits and _ - . * $ / ~ \" ' &"}})
	case !slices.Contains([]string{"http1.1", "http2", "http3", "http2and3"}, strings.ToLower(*c.HttpVersion)):
		return invalid(path+".HttpVersion", "The parameter HttpVersion is invalid.", fmt.Sprintf("%q is not http1.1, http2, http3 or http2and3", *c.HttpVersion))
	case !slices.Contains([]string{"PriceClass_100", "PriceClass_200", "PriceClass_All", "None"}, *c.PriceClass):
		return invalid(path+".PriceClass", "The parameter PriceClass is invalid.", fmt.Sprintf("%q is not PriceClass_100, PriceClass_200 or PriceClass_All", *c.PriceClass))
	case len(*c.Comment) > 128:
		return invalid(path+".Comment", "The parameter Comment is too long.", "a comment has at most 128 characters")
	}
	if err := checkWebACL(*c.WebACLId, path+".WebACLId"); err != nil {
		return err
	}
	if g := c.Restrictions.GeoRestriction; g != nil {
		kind := deref(g.RestrictionType)
		if kind != "none" && kind != "whitelist" && kind != "blacklist" {
			return refuse(cloudfront.ErrCodeInvalidGeoRestrictionParameter, path+".Restrictions.GeoRestriction.RestrictionType", "The specified geo restriction parameter is not valid.", diag.Finding{})
		}
		for i, country := range g.Items {
			if len(country) != 2 || strings.Trim(country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				return refuse(cloudfront.ErrCodeInvalidGeoRestrictionParameter, indexed(path+".Restrictions.GeoRestriction.Items", i), "The specified geo restriction parameter is not valid.", diag.Finding{
					Because: []string{fmt.Sprintf("%q is no country: want the two capitals of ISO 3166-1", country)}})
			}
		}
		if (kind == "none") != (len(g.Items) == 0) {
			return refuse(cloudfront.ErrCodeInvalidGeoRestrictionParameter, path+".Restrictions.GeoRestriction", "The specified geo restriction parameter is not valid.", diag.Finding{
				Because: []string{"a whitelist or blacklist names countries, and none names no country"}})
		}
	}
	return nil
}

// checkErrorResponses: which codes may have a page (facts: cloudfront-dataplane 7).
func checkErrorResponses(all []*cloudfront.CustomErrorResponse) error {
	codes := []int64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
	seen := map[int64]bool{}
	for i, e := range all {
		path := indexed("DistributionConfig.CustomErrorResponses.Items", i)
		code := deref(e.ErrorCode)
		page, response := deref(e.ResponsePagePath), deref(e.ResponseCode)
		switch {
		case !slices.Contains(codes, code) || seen[code]:
			return refuse(cloudfront.ErrCodeInvalidErrorCode, path+".ErrorCode", "An invalid error code was specified.", diag.Finding{
				Because: []string{fmt.Sprintf("%d is not one of the codes that can have a page, or has two", code)}})
		case (page == "") != (response == ""):
			return refuse(cloudfront.ErrCodeInvalidResponseCode, path, "A response code is not valid.", diag.Finding{
				Because: []string{"ResponsePagePath and ResponseCode go together"}})
		case page != "" && !strings.HasPrefix(page, "/"):
			return refuse(cloudfront.ErrCodeInvalidRelativePath, path+".ResponsePagePath", "The relative path is too big, is not URL-encoded, or does not begin with a slash (/).", diag.Finding{})
		case deref(e.ErrorCachingMinTTL) < 0:
			return invalid(path+".ErrorCachingMinTTL", "The parameter ErrorCachingMinTTL is invalid.", "a time is not negative") // text: our words
		case response != "" && response != "200" && !slices.Contains(codes, number(response)):
			return refuse(cloudfront.ErrCodeInvalidResponseCode, path+".ResponseCode", "A response code is not valid.", diag.Finding{})
		}
		seen[code] = true
	}
	return nil
}

func number(s string) (n int64) {
	n, _ = strconv.ParseInt(s, 10, 64) // 0 is no status code
	return n
}

// minimumProtocols by SSL support method (facts: cloudfront-dataplane 1).
var minimumProtocols = map[string][]string{
	"sni-only": {"TLSv1.3_2025", "TLSv1.2_2025", "TLSv1.2_2021", "TLSv1.2_2019", "TLSv1.2_2018", "TLSv1.1_2016", "TLSv1_2016", "TLSv1"},
	"vip":      {"TLSv1", "SSLv3"},
}

func checkCertificate(r store.Reader, c *cloudfront.DistributionConfig) error {
	const path = "DistributionConfig.ViewerCertificate"
	v := c.ViewerCertificate
	own := deref(v.ACMCertificateArn)
	switch {
	case own == "" && deref(v.IAMCertificateId) == "":
		return nil
	case own != "" && deref(v.IAMCertificateId) != "" || deref(v.CloudFrontDefaultCertificate):
		return refuse(cloudfront.ErrCodeInvalidViewerCertificate, path, "A viewer certificate specified is not valid.", diag.Finding{ // text: BC's documentation of the error
			Doc: docViewerCertificate, Because: []string{"it names more than one of CloudFrontDefaultCertificate, ACMCertificateArn and IAMCertificateId"}, Fixes: []string{"keep the one that is meant"}})
	}
	method := deref(v.SSLSupportMethod)
	if method == "" {
		return refuse(cloudfront.ErrCodeInvalidViewerCertificate, path, "The parameter SSLSupportMethod is required when a custom certificate is used.", diag.Finding{
			Fixes: []string{"set SslSupportMethod to sni-only"}})
	}
	allowed, ok := minimumProtocols[method]
	if !ok && method != "static-ip" {
		return invalid(path+".SSLSupportMethod", "The parameter SSLSupportMethod is invalid.", fmt.Sprintf("%q is not sni-only, vip or static-ip", method)) // text: our words
	}
	if ok && v.MinimumProtocolVersion != nil && !slices.Contains(allowed, *v.MinimumProtocolVersion) {
		return refuse(cloudfront.ErrCodeInvalidMinimumProtocolVersion, path+".MinimumProtocolVersion", "The minimum protocol version specified is not valid.", diag.Finding{
			Because: []string{fmt.Sprintf("%q is not one of %s", *v.MinimumProtocolVersion, strings.Join(allowed, ", "))}})
	}
	if own == "" {
		return nil
	}
	a, err := arn.Parse(own)
	if err != nil || a.Service != "acm" || a.Region != "us-east-1" {
		return refuse(cloudfront.ErrCodeInvalidViewerCertificate, path+".ACMCertificateArn",
			"The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or doesn't include a valid certificate chain.", diag.Finding{
				Code: diag.CertificateRegion, Doc: docViewerCertificate,
				Because: []string{"CloudFront takes certificates of us-east-1 only, wherever the rest of the stack is", "the certificate is " + own},
				Fixes:   []string{"request the certificate in a stack in us-east-1, and pass its ARN as a parameter", "deploy this stack with --region us-east-1"}})
	}
	return nil
}

func checkAliases(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	const path = "DistributionConfig.Aliases"
	if n := len(c.Aliases.Items); n > maxAliases {
		return refuse(cloudfront.ErrCodeTooManyDistributionCNAMEs, path, "Your request contains more CNAMEs than are allowed per distribution.", diag.Finding{})
	}
	if len(c.Aliases.Items) > 0 && deref(c.ViewerCertificate.ACMCertificateArn) == "" && deref(c.ViewerCertificate.IAMCertificateId) == "" {
		return refuse(cloudfront.ErrCodeInvalidViewerCertificate, path,
			noCertificate, diag.Finding{
				Doc: docViewerCertificate, Because: []string{"the distribution has aliases and CloudFront's default certificate, which covers *.cloudfront.net only"},
				Fixes: []string{"set ViewerCertificate.AcmCertificateArn to a certificate of us-east-1 for these names"}})
	}
	for i, alias := range c.Aliases.Items {
		at := indexed(path+".Items", i)
		if !validAlias(alias) || slices.Contains(c.Aliases.Items[:i], alias) {
			return invalid(at, "The parameter CNAME contains one or more parameters that are not valid.", // github ansible/ansible 31284
				fmt.Sprintf("%q is no domain name in lower case, or is there twice; a wildcard stands for whole labels at the front: *.example.com", alias))
		}
		for _, other := range resource.Distributions.All(r, global) {
			if other.ID != self && slices.ContainsFunc(other.Config.Aliases.Items, func(o string) bool { return strings.EqualFold(o, alias) }) {
				return refuse(cloudfront.ErrCodeCNAMEAlreadyExists, at, "One or more of the CNAMEs you provided are already associated with a different resource.", diag.Finding{
					Because: []string{fmt.Sprintf("%s is an alias of distribution %s", alias, other.ID)}})
			}
		}
		if err := covered(r, c, alias, at); err != nil {
			return err
		}
	}
	return nil
}

// validAlias: a domain name in lower case, or a wildcard for whole labels at its front (DG-cnames).
func validAlias(alias string) bool {
	rest, wild := strings.CutPrefix(alias, "*.")
	return alias != "" && !strings.ContainsAny(rest, "*/: ") && strings.Contains(rest, ".") && (wild || !strings.Contains(alias, "*")) && alias == strings.ToLower(alias)
}

// covered checks that the certificate is for the alias, if it is one that Foregate knows. The ARN of a certificate that it does
// not know is taken at its word, so that templates with a certificate of a real account can be run.
func covered(r store.Reader, c *cloudfront.DistributionConfig, alias, path string) error {
	cert := deref(c.ViewerCertificate.ACMCertificateArn)
	names, known := resource.CertificateNames(r, cert)
	if !known || slices.ContainsFunc(names, func(n string) bool { return certificateCovers(n, alias) }) {
		return nil
	}
	return refuse(cloudfront.ErrCodeInvalidViewerCertificate, path,
		"The certificate that is attached to your distribution doesn't cover the alternate domain name (CNAME) that you're trying to add. For more details, see: "+docViewerCertificate, diag.Finding{
			Doc: docViewerCertificate, Because: []string{fmt.Sprintf("the certificate is for %s, the alias is %s", strings.Join(names, ", "), alias)},
			Fixes: []string{"add the alias to the certificate's SubjectAlternativeNames"}})
}

// certificateCovers: a certificate's wildcard covers one label (facts: cloudfront-dataplane 1).
func certificateCovers(name, alias string) bool {
	if strings.EqualFold(name, alias) {
		return true
	}
	suffix, ok := strings.CutPrefix(name, "*")
	_, rest, dotted := strings.Cut(alias, ".")
	return ok && dotted && strings.EqualFold("."+rest, suffix)
}
