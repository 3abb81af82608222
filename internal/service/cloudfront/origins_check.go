package cloudfront

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	function "github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docOriginDomain = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html"

// bucketDomain matches the names of S3's REST endpoints, and not those of websites (facts: cloudfront-dataplane 12).
var bucketDomain = regexp.MustCompile(`(?i)^[a-z0-9][-a-z0-9._]*\.s3(?:[.-](?:dualstack\.|accelerate\.)?(?:[a-z]{2}(?:-[a-z]+)+-\d))?(?:\.dualstack)?\.amazonaws\.com(?:\.cn)?$`)

var originDomain = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)

// checkOrigins checks origins and groups, and returns what behaviors may target: the origin, or nil for a group.
func checkOrigins(r store.Reader, c *cloudfront.DistributionConfig) (map[string]*cloudfront.Origin, error) {
	const path = "DistributionConfig.Origins"
	if c.Origins == nil || len(c.Origins.Items) == 0 {
		return nil, missingArgument(path)
	}
	if len(c.Origins.Items) > maxOrigins {
		return nil, refuse(cloudfront.ErrCodeTooManyOrigins, path, "You cannot create more origins for the distribution.", diag.Finding{})
	}
	targets := map[string]*cloudfront.Origin{}
	for i, o := range c.Origins.Items {
		at := indexed(path+".Items", i)
		id := deref(o.Id)
		if id == "" {
			return nil, missingArgument(at + ".Id")
		}
		if _, twice := targets[id]; twice {
			return nil, invalid(at+".Id", "The parameter Origin Id is not unique.", fmt.Sprintf("two origins are called %q", id)) // text: our words
		}
		targets[id] = o
		if err := checkOrigin(r, o, at); err != nil {
			return nil, err
		}
	}
	return targets, checkGroups(c, targets)
}

func checkGroups(c *cloudfront.DistributionConfig, targets map[string]*cloudfront.Origin) error {
	const path = "DistributionConfig.OriginGroups"
	if len(c.OriginGroups.Items) > maxOriginGroups {
		return refuse(cloudfront.ErrCodeTooManyOriginGroupsPerDistribution, path, "Your request contains more origin groups than are allowed per distribution.", diag.Finding{})
	}
	allowed := []int64{400, 403, 404, 416, 429, 500, 502, 503, 504} // facts: cloudfront-dataplane 8
	for i, g := range c.OriginGroups.Items {
		at := indexed(path+".Items", i)
		if g.Members == nil || len(g.Members.Items) != 2 {
			return invalid(at+".Members", "The parameter Origin Group Members is invalid.", "an origin group has two members, the primary first")
		}
		for j, m := range g.Members.Items {
			if targets[deref(m.OriginId)] == nil {
				return noSuchOrigin(indexed(at+".Members.Items", j)+".OriginId", deref(m.OriginId))
			}
		}
		if g.FailoverCriteria == nil || g.FailoverCriteria.StatusCodes == nil || len(g.FailoverCriteria.StatusCodes.Items) == 0 {
			return missingArgument(at + ".FailoverCriteria.StatusCodes")
		}
		for _, code := range g.FailoverCriteria.StatusCodes.Items {
			if !slices.Contains(allowed, code) {
				return invalid(at+".FailoverCriteria.StatusCodes", "The parameter StatusCodes is invalid.", fmt.Sprintf("%d cannot trigger a failover", code))
			}
		}
	}
	for _, g := range c.OriginGroups.Items {
		targets[deref(g.Id)] = nil
	}
	return nil
}

func noSuchOrigin(path, id string) error {
	return refuse(cloudfront.ErrCodeNoSuchOrigin, path, "One or more of your origins or origin groups do not exist.", diag.Finding{
		Because: []string{fmt.Sprintf("no origin has the id %q", id)}})
}

func checkOrigin(r store.Reader, o *cloudfront.Origin, at string) error {
	domain := deref(o.DomainName)
	switch {
	case domain == "":
		return missingArgument(at + ".DomainName")
	case o.S3OriginConfig != nil && !bucketDomain.MatchString(domain): // github aws/aws-sdk-js 2368: website endpoints are refused as well
		return refuse(cloudfront.ErrCodeInvalidArgument, at+".DomainName", "The parameter Origin DomainName does not refer to a valid S3 bucket.", diag.Finding{
			Doc: docOriginDomain, Because: []string{fmt.Sprintf("the origin has S3OriginConfig, and %q is no bucket's name, as BUCKET.s3.REGION.amazonaws.com is", domain)},
			Fixes: []string{"write CustomOriginConfig in place of S3OriginConfig: an API or a website endpoint is a custom origin", "use the bucket's RegionalDomainName"}})
	case strings.Contains(domain, ":"): // github aws/aws-cdk 25110
		return badDomain(at, domain, "The parameter origin name cannot contain a colon.")
	case !originDomain.MatchString(domain) || len(domain) > 253: // github laurilehmijoki/s3_website 83
		return badDomain(at, domain, "The parameter origin name must be a domain name.")
	}
	if p := deref(o.OriginPath); p != "" && (!strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || len(p) > 255 ||
		strings.ContainsFunc(p, func(c rune) bool { return c <= ' ' || c >= 0x7f })) {
		return refuse(cloudfront.ErrCodeInvalidArgument, at+".OriginPath", "The parameter OriginPath is invalid.", diag.Finding{ // text: our words
			Doc: docOriginDomain, Because: []string{fmt.Sprintf("%q: an origin path begins with /, does not end with one, and has no spaces", p)}})
	}
	if err := checkOriginKind(o, at); err != nil {
		return err
	}
	if n := deref(or(o.ConnectionAttempts, 3)); n < 1 || n > 3 {
		return invalid(at+".ConnectionAttempts", "The parameter ConnectionAttempts is invalid.", "1 to 3 attempts")
	}
	if n := deref(or(o.ConnectionTimeout, 10)); n < 1 || n > 10 {
		return invalid(at+".ConnectionTimeout", "The parameter ConnectionTimeout is invalid.", "1 to 10 seconds")
	}
	if s := o.OriginShield; s != nil && deref(s.Enabled) && !slices.Contains(shieldRegions, deref(s.OriginShieldRegion)) {
		return refuse(cloudfront.ErrCodeInvalidArgument, at+".OriginShield.OriginShieldRegion", "The parameter OriginShieldRegion is invalid.", diag.Finding{ // text: our words
			Doc: docOriginShield, Because: []string{fmt.Sprintf("CloudFront has no Origin Shield in %q", deref(s.OriginShieldRegion))},
			Fixes: []string{"name the one that is nearest to the origin: " + strings.Join(shieldRegions, ", ")}})
	}
	if err := checkOriginHeaders(o, at); err != nil {
		return err
	}
	if o.CustomOriginConfig != nil {
		if err := checkCustomOrigin(o.CustomOriginConfig, at+".CustomOriginConfig"); err != nil {
			return err
		}
	}
	if err := checkCompletion(o, at); err != nil {
		return err
	}
	if v := o.S3OriginConfig; v != nil {
		if err := checkOriginTimeouts(v.OriginReadTimeout, nil, at+".S3OriginConfig"); err != nil {
			return err
		}
	}
	return checkAccess(r, o, at)
}

const docOriginShield = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/origin-shield.html#choose-origin-shield-region"

// shieldRegions are those of DG-origin-shield, "Choose the AWS Region for Origin Shield".
var shieldRegions = []string{"us-east-2", "us-east-1", "us-west-2", "ap-south-1", "ap-northeast-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1",
	"eu-central-1", "eu-west-1", "eu-west-2", "sa-east-1", "me-central-1"}

// checkCompletion: the response completion timeout is not shorter than the response timeout (DG-downloaddistvaluesorigin).
func checkCompletion(o *cloudfront.Origin, at string) error {
	var read *int64
	switch {
	case o.CustomOriginConfig != nil:
		read = o.CustomOriginConfig.OriginReadTimeout
	case o.VpcOriginConfig != nil:
		read = o.VpcOriginConfig.OriginReadTimeout
	case o.S3OriginConfig != nil:
		read = o.S3OriginConfig.OriginReadTimeout
	}
	n, least := o.ResponseCompletionTimeout, deref(or(read, 30))
	if n == nil || *n == 0 || *n >= least {
		return nil
	}
	return invalid(at+".ResponseCompletionTimeout", "The parameter ResponseCompletionTimeout is invalid.", // text: our words
		fmt.Sprintf("%d seconds are less than the response timeout of %d", *n, least))
}

func badDomain(at, domain, message string) error {
	return refuse(cloudfront.ErrCodeInvalidArgument, at+".DomainName", message, diag.Finding{
		Doc: docOriginDomain, Because: []string{fmt.Sprintf("%q is not a plain domain name", domain)},
		Fixes: []string{"write the name alone, without https://, port and path: they go into CustomOriginConfig and OriginPath"}})
}

func checkOriginKind(o *cloudfront.Origin, at string) error {
	kinds := 0
	for _, set := range []bool{o.S3OriginConfig != nil, o.CustomOriginConfig != nil, o.VpcOriginConfig != nil} {
		if set {
			kinds++
		}
	}
	message := "The specified origin server does not exist or is not valid." // BC InvalidOrigin
	switch {
	case kinds == 1:
		return nil
	case o.S3OriginConfig != nil && o.CustomOriginConfig != nil:
		message = "You must specify either a CustomOrigin or an S3Origin. You cannot specify both." // github ansible-collections/community.aws 1819
	}
	return refuse(cloudfront.ErrCodeInvalidOrigin, at, message, diag.Finding{
		Because: []string{"an origin has exactly one of CustomOriginConfig, S3OriginConfig and VpcOriginConfig"},
		Fixes:   []string{"keep CustomOriginConfig for an API, with OriginProtocolPolicy https-only; S3OriginConfig is for buckets"}})
}

func checkCustomOrigin(c *cloudfront.CustomOriginConfig, at string) error {
	if err := checkEndpoint(endpoint{c.HTTPPort, c.HTTPSPort, c.OriginProtocolPolicy, c.OriginSslProtocols}, at); err != nil {
		return err
	}
	return checkOriginTimeouts(c.OriginReadTimeout, c.OriginKeepaliveTimeout, at)
}

// endpoint is what a custom origin and a VPC origin say about how to connect.
type endpoint struct {
	http, https *int64
	policy      *string
	tls         *cloudfront.OriginSslProtocols
}

func checkEndpoint(e endpoint, at string) error {
	if !slices.Contains([]string{"http-only", "match-viewer", "https-only"}, deref(e.policy)) {
		return invalid(at+".OriginProtocolPolicy", "The parameter OriginProtocolPolicy is invalid.", fmt.Sprintf("%q is not http-only, match-viewer or https-only", deref(e.policy)))
	}
	for name, port := range map[string]int64{"HTTPPort": deref(or(e.http, 80)), "HTTPSPort": deref(or(e.https, 443))} {
		if port != 80 && port != 443 && (port < 1024 || port > 65535) {
			return invalid(at+"."+name, fmt.Sprintf("The parameter %s is invalid.", name), fmt.Sprintf("port %d is not 80, 443 or 1024 to 65535", port))
		}
	}
	if e.tls != nil {
		for _, p := range e.tls.Items {
			if !slices.Contains([]string{"SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2"}, p) {
				return refuse(cloudfront.ErrCodeInvalidProtocolSettings, at+".OriginSslProtocols", "You cannot specify SSLv3 as the minimum protocol version if you only want to support only clients that support Server Name Indication (SNI).", diag.Finding{
					Because: []string{fmt.Sprintf("%q is not SSLv3, TLSv1, TLSv1.1 or TLSv1.2", p)}})
			}
		}
	}
	return nil
}

// checkOriginTimeouts: 1 to 120 seconds each (DG-cloudfront-limits).
func checkOriginTimeouts(read, keepalive *int64, at string) error {
	if n := deref(or(read, 30)); n < 1 || n > 120 {
		return refuse(cloudfront.ErrCodeInvalidOriginReadTimeout, at+".OriginReadTimeout", "The read timeout specified for the origin is not valid.", diag.Finding{
			Because: []string{fmt.Sprintf("%d is not 1 to 120 seconds", n)}})
	}
	if n := deref(or(keepalive, 5)); n < 1 || n > 120 {
		return refuse(cloudfront.ErrCodeInvalidOriginKeepaliveTimeout, at+".OriginKeepaliveTimeout", "The keep alive timeout specified for the origin is not valid.", diag.Finding{
			Because: []string{fmt.Sprintf("%d is not 1 to 120 seconds", n)}})
	}
	return nil
}

// checkOriginHeaders: names that an origin custom header cannot have, and limits (facts: cloudfront-dataplane 4, 5).
func checkOriginHeaders(o *cloudfront.Origin, at string) error {
	if o.CustomHeaders == nil {
		return nil
	}
	at += ".CustomHeaders"
	if len(o.CustomHeaders.Items) > 30 {
		return refuse(cloudfront.ErrCodeTooManyOriginCustomHeaders, at, "Your request contains too many origin custom headers.", diag.Finding{})
	}
	total := 0
	for i, h := range o.CustomHeaders.Items {
		name := strings.ToLower(deref(h.HeaderName))
		path := indexed(at+".Items", i) + ".HeaderName"
		if name == "" {
			return missingArgument(path)
		}
		if function.NoCustomHeader(name) {
			fixes := []string{"choose another name"}
			if name == "host" {
				fixes = []string{"set Host in a Lambda@Edge function on origin-request", "give the API a custom domain with the viewers' name"}
			}
			return refuse(cloudfront.ErrCodeInvalidArgument, path, fmt.Sprintf("The parameter HeaderName contains %s that is not allowed.", deref(h.HeaderName)), diag.Finding{ // text: our words
				Because: []string{"CloudFront does not send this header as an origin custom header"}, Fixes: fixes})
		}
		if err := checkField(deref(h.HeaderName), deref(h.HeaderValue), indexed(at+".Items", i)+".Header"); err != nil {
			return err
		}
		if err := checkHeaderLength(name, deref(h.HeaderValue), path, &total); err != nil {
			return err
		}
	}
	return nil
}

// Quotas on lengths of headers that a configuration adds (DG-cloudfront-limits, "Quotas on headers").
const (
	maxHeaderName  = 256
	maxHeaderValue = 1783
	maxHeaders     = 10240 // all names and values together
)

// checkHeaderLength refuses a header that a configuration adds, and that is too long by itself or with those of total.
func checkHeaderLength(name, value, path string, total *int) error {
	*total += len(name) + len(value)
	switch {
	case len(name) > maxHeaderName || len(value) > maxHeaderValue:
		return invalid(path, "The name or the value of a custom header is too long.", "a name has at most 256 characters, a value 1,783") // text: our words
	case *total > maxHeaders:
		return invalid(path, "The custom headers are too long.", "all names and values together have at most 10,240 characters") // text: our words
	}
	return nil
}

// checkField wants a field that can be sent (rfc9110 5.1, 5.5). Name and value have paths that begin with at. The value is not
// shown: it may be a secret.
func checkField(name, value, at string) error {
	if !http1.ValidName(name) {
		return invalid(at+"Name", "The parameter HeaderName contains invalid characters.", fmt.Sprintf("%q is no header name: letters, digits and !#$%%&'*+-.^_`|~", name)) // text: our words
	}
	if !http1.ValidValue(value) {
		return invalid(at+"Value", "The parameter HeaderValue contains invalid characters.", noLineEnds) // text: our words
	}
	return nil
}

func checkAccess(r store.Reader, o *cloudfront.Origin, at string) error {
	control := deref(o.OriginAccessControlId)
	identity := ""
	if o.S3OriginConfig != nil {
		identity = deref(o.S3OriginConfig.OriginAccessIdentity)
	}
	if control != "" && identity != "" {
		return refuse(cloudfront.ErrCodeIllegalOriginAccessConfiguration, at, "An origin cannot contain both an origin access control (OAC) and an origin access identity (OAI).", diag.Finding{
			Fixes: []string{`set S3OriginConfig.OriginAccessIdentity to "" and keep OriginAccessControlId`}})
	}
	if control != "" {
		v, ok := resource.OriginAccessControls.Get(r, global, control)
		if !ok {
			return refuse(cloudfront.ErrCodeInvalidOriginAccessControl, at+".OriginAccessControlId", "The origin access control is not valid.", diag.Finding{
				Because: []string{fmt.Sprintf("there is no origin access control %q", control)}})
		}
		if err := checkControlType(o, deref(v.Config.OriginAccessControlOriginType), at); err != nil {
			return err
		}
	}
	if identity == "" {
		return nil
	}
	id, ok := strings.CutPrefix(identity, "origin-access-identity/cloudfront/")
	if _, exists := resource.OriginAccessIdentities.Get(r, global, id); !ok || !exists {
		return refuse(cloudfront.ErrCodeInvalidOriginAccessIdentity, at+".S3OriginConfig.OriginAccessIdentity", "The origin access identity is not valid or doesn't exist.", diag.Finding{
			Because: []string{"want origin-access-identity/cloudfront/ID of an identity that exists, got " + identity}})
	}
	return nil
}

// checkControlType wants an origin access control that is of the origin's type. The text about types is AWS's (github aws/aws-cdk
// 26405), the other one is the model's; that the code of the first is InvalidArgument, and which of the two a name of another
// service gets, is our reading.
func checkControlType(o *cloudfront.Origin, kind, at string) error {
	domain := deref(o.DomainName)
	bucket := o.S3OriginConfig != nil
	if bucket != (kind == "s3") {
		want := "CustomOriginConfig for a type other than s3"
		if kind == "s3" {
			want = "S3OriginConfig for the type s3, with a bucket's RegionalDomainName"
		}
		return invalid(at+".OriginAccessControlId", "Illegal configuration: The origin type and OAC origin type differ.",
			fmt.Sprintf("the origin access control is for origins of the type %s, and %q is none", kind, deref(o.Id)), "write "+want, "use an origin access control of the origin's type")
	}
	if bucket {
		return nil
	}
	if service, _, ok := resource.SignedEndpoint(strings.ToLower(domain)); ok && service == kind {
		return nil
	}
	return refuse(cloudfront.ErrCodeInvalidDomainNameForOriginAccessControl, at+".DomainName",
		"An origin access control is associated with an origin whose domain name is not supported.", diag.Finding{
			Because: []string{fmt.Sprintf("%q is not a name of %s's endpoints", domain, kind)},
			Fixes:   []string{"take OriginAccessControlId away", "name the endpoint that the service gives, not an alias of it"}})
}
