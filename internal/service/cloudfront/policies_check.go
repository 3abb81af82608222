package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const (
	docCacheKey = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-the-cache-key.html"
	docForward  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/controlling-origin-requests.html"
	docAuth     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization"
)

// Quotas on policies (facts: cloudfront-policies 4a).
const (
	maxPolicies   = 20
	maxNames      = 10
	maxNameLength = 1024
)

// managedTime is the time of change of managed policies; AWS's own values differ by policy and mean nothing.
func managedTime() *time.Time { return new(time.Date(2020, 7, 22, 0, 0, 0, 0, time.UTC)) }

var policyName = regexp.MustCompile(`^[\w-]{1,128}$`)

// checkName checks the name and comment that all kinds of policies have.
func checkName(name, comment *string, path string) error {
	if name == nil {
		return missingArgument(path + ".Name")
	}
	if !policyName.MatchString(*name) {
		return invalid(path+".Name", "The parameter Name is invalid.", fmt.Sprintf("%q is not 1 to 128 letters, digits, hyphens and underscores", *name))
	}
	if len(deref(comment)) > 128 {
		return invalid(path+".Comment", "The parameter Comment is too long.", "a comment has at most 128 characters")
	}
	return nil
}

// names is a list of header, cookie or query string names with its place.
type namesIn struct {
	behavior *string
	items    []string
	path     string // of the config, such as …HeadersConfig
	list     string // the member that has the names: Headers, Cookies, QueryStrings
	behaving string // the member of the mode, such as HeaderBehavior
	modes    []string
	tooMany  string // the code for more than maxNames
}

func (n namesIn) check() error {
	if n.behavior == nil {
		return missingArgument(n.path + "." + n.behaving)
	}
	if !slices.Contains(n.modes, *n.behavior) {
		return invalid(n.path+"."+n.behaving, fmt.Sprintf("The parameter %s is invalid.", n.behaving),
			fmt.Sprintf("%q is not one of %s", *n.behavior, strings.Join(n.modes, ", ")))
	}
	listed := *n.behavior == "whitelist" || *n.behavior == "allExcept" || *n.behavior == "allViewerAndWhitelistCloudFront"
	if listed && len(n.items) == 0 {
		return invalid(n.path+"."+n.behaving, fmt.Sprintf("The parameter %s is missing.", n.list),
			fmt.Sprintf("%s %s needs a list of names in %s", n.behaving, *n.behavior, n.list), "name them, or use none")
	}
	if !listed && len(n.items) > 0 {
		return invalid(n.path+"."+n.list, fmt.Sprintf("The parameter %s is invalid.", n.list),
			fmt.Sprintf("%s %s takes no names", n.behaving, *n.behavior), "remove the names, or use whitelist")
	}
	for i, name := range n.items {
		if name == "" || len(name) > 256 {
			return invalid(fmt.Sprintf("%s.%s.Items[%d]", n.path, n.list, i), fmt.Sprintf("The parameter %s is invalid.", n.list), "a name has 1 to 256 characters")
		}
	}
	if len(n.items) > maxNames && *n.behavior != "allViewerAndWhitelistCloudFront" {
		return refuse(n.tooMany, n.path+"."+n.list, fmt.Sprintf("Too many items in %s.", n.list), diag.Finding{
			Because: []string{fmt.Sprintf("a policy names at most %d, this one %d", maxNames, len(n.items))}})
	}
	return nil
}

// checkNames checks the lists of a policy, each by itself and all together.
func checkNames(lists ...namesIn) error {
	total := 0
	for _, n := range lists {
		if err := n.check(); err != nil {
			return err
		}
		for _, name := range n.items {
			total += len(name)
		}
		if total > maxNameLength {
			return invalid(n.path+"."+n.list, fmt.Sprintf("The parameter %s is too long.", n.list), // text: our words
				fmt.Sprintf("the names of all headers, cookies and query strings together have at most %d characters", maxNameLength))
		}
	}
	return nil
}

func (s *Service) checkCachePolicy(ctx context.Context, c *cloudfront.CachePolicyConfig, self string) error {
	const path = "CachePolicyConfig"
	if c == nil {
		return missingArgument(path)
	}
	if err := quantities(c, path); err != nil {
		return err
	}
	if err := checkName(c.Name, c.Comment, path); err != nil {
		return err
	}
	if c.MinTTL == nil {
		return missingArgument(path + ".MinTTL")
	}
	if err := checkTTLs(c, path); err != nil {
		return err
	}
	if err := checkCacheKey(c, path); err != nil {
		return err
	}
	r := s.env.Store.Read(ctx)
	for rec, other := range resource.CachePolicies.All(r, global) {
		if rec.Key.ID != self && deref(other.Config.Name) == *c.Name {
			return alreadyExists(cloudfront.ErrCodeCachePolicyAlreadyExists, path, "cache policy", *c.Name)
		}
	}
	return room(r, resource.CachePolicies, self, cloudfront.ErrCodeTooManyCachePolicies, "cache policies")
}

func alreadyExists(code, path, what, name string) error {
	return refuse(code, path+".Name", fmt.Sprintf("The %s already exists. The %s name must be unique.", what, what), diag.Finding{
		Because: []string{fmt.Sprintf("another %s is called %q", what, name)}})
}

// room checks a quota before something new is made.
func room[T any](r store.Reader, kind store.Kind[T], self, code, what string) error {
	if self == "" && kind.Len(r, global) >= maxPolicies {
		return awsapi.Errorf(code, "You have reached the maximum number of %s for this AWS account.", what)
	}
	return nil
}

func checkTTLs(c *cloudfront.CachePolicyConfig, path string) error {
	for _, t := range []struct {
		name  string
		value *int64
	}{{"MinTTL", c.MinTTL}, {"DefaultTTL", c.DefaultTTL}, {"MaxTTL", c.MaxTTL}} {
		if deref(t.value) < 0 || deref(t.value) > 3153600000 {
			return invalid(path+"."+t.name, fmt.Sprintf("The parameter %s is invalid.", t.name), "a TTL is 0 to 3153600000 seconds")
		}
	}
	if *c.MinTTL > *c.DefaultTTL || *c.DefaultTTL > *c.MaxTTL {
		return invalid(path+".MinTTL", "The parameter MinTTL is invalid.",
			fmt.Sprintf("MinTTL %d, DefaultTTL %d and MaxTTL %d are not in ascending order", *c.MinTTL, *c.DefaultTTL, *c.MaxTTL)) // text: no recorded answer
	}
	return nil
}

func checkCacheKey(c *cloudfront.CachePolicyConfig, path string) error {
	p := c.ParametersInCacheKeyAndForwardedToOrigin
	path += ".ParametersInCacheKeyAndForwardedToOrigin"
	if p == nil {
		return missingArgument(path)
	}
	switch {
	case p.EnableAcceptEncodingGzip == nil:
		return missingArgument(path + ".EnableAcceptEncodingGzip")
	case p.HeadersConfig == nil:
		return missingArgument(path + ".HeadersConfig")
	case p.CookiesConfig == nil:
		return missingArgument(path + ".CookiesConfig")
	case p.QueryStringsConfig == nil:
		return missingArgument(path + ".QueryStringsConfig")
	}
	all := []string{"none", "whitelist", "allExcept", "all"}
	if err := checkNames([]namesIn{
		{p.HeadersConfig.HeaderBehavior, items(p.HeadersConfig.Headers), path + ".HeadersConfig", "Headers", "HeaderBehavior", []string{"none", "whitelist"}, cloudfront.ErrCodeTooManyHeadersInCachePolicy},
		{p.CookiesConfig.CookieBehavior, cookieItems(p.CookiesConfig.Cookies), path + ".CookiesConfig", "Cookies", "CookieBehavior", all, cloudfront.ErrCodeTooManyCookiesInCachePolicy},
		{p.QueryStringsConfig.QueryStringBehavior, queryItems(p.QueryStringsConfig.QueryStrings), path + ".QueryStringsConfig", "QueryStrings", "QueryStringBehavior", all, cloudfront.ErrCodeTooManyQueryStringsInCachePolicy},
	}...); err != nil {
		return err
	}
	for i, h := range items(p.HeadersConfig.Headers) {
		// Accept-Encoding is a header like others where nothing is normalised (DG-cache-key-understand-cache-policy).
		plain := strings.EqualFold(h, "Accept-Encoding") && !*p.EnableAcceptEncodingGzip && !deref(p.EnableAcceptEncodingBrotli)
		if !plain && !cacheable(h) {
			return invalid(fmt.Sprintf("%s.HeadersConfig.Headers.Items[%d]", path, i), fmt.Sprintf("The parameter Headers contains %s that is not allowed.", h),
				"CloudFront cannot cache by this header", "forward it with an origin request policy instead")
		}
	}
	return checkDisabled(c, p, path)
}

// checkDisabled refuses a cache key where nothing is cached, in the words of facts: cloudfront-policies 4b.
func checkDisabled(c *cloudfront.CachePolicyConfig, p *cloudfront.ParametersInCacheKeyAndForwardedToOrigin, path string) error {
	if *c.MinTTL != 0 || *c.DefaultTTL != 0 || *c.MaxTTL != 0 {
		return nil
	}
	for _, setting := range []struct {
		name, path string
		set        bool
	}{
		{"HeaderBehavior", ".HeadersConfig.HeaderBehavior", *p.HeadersConfig.HeaderBehavior != "none"},
		{"CookieBehavior", ".CookiesConfig.CookieBehavior", *p.CookiesConfig.CookieBehavior != "none"},
		{"QueryStringBehavior", ".QueryStringsConfig.QueryStringBehavior", *p.QueryStringsConfig.QueryStringBehavior != "none"},
		{"EnableAcceptEncodingGzip", ".EnableAcceptEncodingGzip", *p.EnableAcceptEncodingGzip},
		{"EnableAcceptEncodingBrotli", ".EnableAcceptEncodingBrotli", deref(p.EnableAcceptEncodingBrotli)},
	} {
		if setting.set {
			return refuse(cloudfront.ErrCodeInvalidArgument, path+setting.path, fmt.Sprintf("The parameter %s is invalid for policy with caching disabled.", setting.name), diag.Finding{
				Code: diag.ZeroTTLWithCacheKey, Doc: docCacheKey,
				Because: []string{"MinTTL, DefaultTTL and MaxTTL are all 0, which switches caching off: there is no cache key then, and nothing to put into it"},
				Fixes: []string{
					"set MaxTTL to 1: answers without Cache-Control are still not cached, and the key's parts are forwarded",
					"leave the cache key empty, and forward with an origin request policy (Authorization: AllViewerExceptHostHeader)"}})
		}
	}
	return nil
}

// cacheable tells whether a header may be in a cache key (facts: cloudfront-dataplane 5, cloudfront-policies 4).
func cacheable(header string) bool {
	h := strings.ToLower(header)
	switch h {
	case "accept-encoding", "cache-control", "connection", "content-length", "cookie", "max-forwards", "pragma", "proxy-authenticate",
		"proxy-authorization", "proxy-connection", "request-range", "te", "trailer", "transfer-encoding", "upgrade", "x-forwarded-proto",
		"x-real-ip", "x-amz-cf-id", "cloudfront-viewer-address", "cloudfront-viewer-asn", "cloudfront-viewer-tls", "cloudfront-viewer-ja3-fingerprint",
		"cloudfront-viewer-ja4-fingerprint", "cloudfront-viewer-header-order", "cloudfront-viewer-header-count", "cloudfront-viewer-cert-validity",
		"cloudfront-viewer-cert-pem":
		return false
	}
	return !strings.HasPrefix(h, "x-edge-")
}

func (s *Service) checkOriginRequestPolicy(ctx context.Context, c *cloudfront.OriginRequestPolicyConfig, self string) error {
	const path = "OriginRequestPolicyConfig"
	switch {
	case c == nil:
		return missingArgument(path)
	case c.HeadersConfig == nil:
		return missingArgument(path + ".HeadersConfig")
	case c.CookiesConfig == nil:
		return missingArgument(path + ".CookiesConfig")
	case c.QueryStringsConfig == nil:
		return missingArgument(path + ".QueryStringsConfig")
	}
	if err := quantities(c, path); err != nil {
		return err
	}
	if err := checkName(c.Name, c.Comment, path); err != nil {
		return err
	}
	all := []string{"none", "whitelist", "all", "allExcept"}
	if err := checkNames([]namesIn{
		{c.HeadersConfig.HeaderBehavior, items(c.HeadersConfig.Headers), path + ".HeadersConfig", "Headers", "HeaderBehavior",
			[]string{"none", "whitelist", "allViewer", "allViewerAndWhitelistCloudFront", "allExcept"}, cloudfront.ErrCodeTooManyHeadersInOriginRequestPolicy},
		{c.CookiesConfig.CookieBehavior, cookieItems(c.CookiesConfig.Cookies), path + ".CookiesConfig", "Cookies", "CookieBehavior", all, cloudfront.ErrCodeTooManyCookiesInOriginRequestPolicy},
		{c.QueryStringsConfig.QueryStringBehavior, queryItems(c.QueryStringsConfig.QueryStrings), path + ".QueryStringsConfig", "QueryStrings", "QueryStringBehavior", all, cloudfront.ErrCodeTooManyQueryStringsInOriginRequestPolicy},
	}...); err != nil {
		return err
	}
	if err := forwardable(c.HeadersConfig, path+".HeadersConfig"); err != nil {
		return err
	}
	r := s.env.Store.Read(ctx)
	for rec, other := range resource.OriginRequestPolicies.All(r, global) {
		if rec.Key.ID != self && deref(other.Config.Name) == *c.Name {
			return alreadyExists(cloudfront.ErrCodeOriginRequestPolicyAlreadyExists, path, "origin request policy", *c.Name)
		}
	}
	return room(r, resource.OriginRequestPolicies, self, cloudfront.ErrCodeTooManyOriginRequestPolicies, "origin request policies")
}

// forwardable refuses the headers that an origin request policy cannot name (facts: cloudfront-policies 4b).
func forwardable(c *cloudfront.OriginRequestPolicyHeadersConfig, path string) error {
	if *c.HeaderBehavior == "allExcept" {
		return nil
	}
	for i, h := range items(c.Headers) {
		at := fmt.Sprintf("%s.Headers.Items[%d]", path, i)
		message := fmt.Sprintf("The parameter Headers contains %s that is not allowed.", h)
		lower := strings.ToLower(h)
		switch {
		case lower == "authorization":
			return refuse(cloudfront.ErrCodeInvalidArgument, at, message, diag.Finding{
				Code: diag.AuthorizationInOriginRequest, Doc: docAuth,
				Because: []string{"an answer that depends on Authorization must not be shared between viewers, so CloudFront wants the header in the cache key, where it is forwarded as well"},
				Fixes: []string{
					"name Authorization in a cache policy, with MinTTL 0, DefaultTTL 0, MaxTTL 1 if nothing should be cached",
					"use the managed origin request policy AllViewerExceptHostHeader, which forwards it with all other headers"}})
		case lower == "accept-encoding":
			return refuse(cloudfront.ErrCodeInvalidArgument, at, message, diag.Finding{Doc: docForward,
				Because: []string{"CloudFront normalises Accept-Encoding itself"},
				Fixes:   []string{"set EnableAcceptEncodingGzip and EnableAcceptEncodingBrotli in the cache policy"}})
		case lower == "x-amz-content-sha256", notForwardable(lower):
			return invalid(at, message, "CloudFront sets or removes this header itself")
		case *c.HeaderBehavior == "allViewerAndWhitelistCloudFront" && !strings.HasPrefix(lower, "cloudfront-"):
			return invalid(at, message, "allViewerAndWhitelistCloudFront takes CloudFront-* headers only: all others are forwarded anyway")
		}
	}
	return nil
}

// notForwardable are the headers that never reach an origin by a policy (facts: cloudfront-dataplane 5).
func notForwardable(lower string) bool {
	switch lower {
	case "connection", "content-length", "cookie", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
		"transfer-encoding", "upgrade", "x-forwarded-proto", "x-real-ip", "x-amz-cf-id":
		return true
	}
	return strings.HasPrefix(lower, "x-edge-")
}

func items(h *cloudfront.Headers) []string {
	if h == nil {
		return nil
	}
	return h.Items
}

func cookieItems(c *cloudfront.CookieNames) []string { return items((*cloudfront.Headers)(c)) }

func queryItems(q *cloudfront.QueryStringNames) []string { return items((*cloudfront.Headers)(q)) }
