package cloudfront

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// Quotas on what an account or a distribution may have (CloudFront developer guide, cloudfront-limits).
const (
	maxAccessControls       = 100
	maxAccessIdentities     = 100
	maxVpcOrigins           = 25
	maxDedicatedIPs         = 2   // certificates of distributions with dedicated IP addresses
	maxLambdas              = 100 // Lambda@Edge functions of a distribution
	maxLambdaDistributions  = 500 // distributions of an account that have Lambda@Edge functions
	maxForwardedHeaders     = 10
	maxForwardedCookies     = 10
	maxForwardedCookieBytes = 512 // minus one for each cookie
	maxForwardedQuery       = 10
	maxQueryName            = 128
	maxQueryNames           = 512 // characters of all names together
)

const docQuotas = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cloudfront-limits.html"

// tooMany refuses what is over a quota. The text is the documentation of the error in the service model.
func tooMany(code, path, text string, limit int) error {
	return refuse(code, path, text, diag.Finding{Doc: docQuotas, Because: []string{fmt.Sprintf("the quota is %d", limit)}})
}

// use is something that a distribution refers to, and where it does so.
type use struct{ id, path string }

// shared says how many distributions may refer to the same thing. AWS's managed policies have no such limit here: a node whose
// distributions all use CachingDisabled is the usual case.
type shared struct {
	code, text string
	limit      int
	uses       func(*cloudfront.DistributionConfig) []use
}

// sharedQuotas lists what only so many distributions may refer to.
func sharedQuotas() []shared {
	return []shared{
		{cloudfront.ErrCodeTooManyDistributionsAssociatedToCachePolicy, "The maximum number of distributions have been associated with the specified cache policy.", 100,
			eachBehavior(func(b behavior) []use {
				return own(managedCachePolicies(), b.CachePolicyId, b.path+".CachePolicyId")
			})},
		{cloudfront.ErrCodeTooManyDistributionsAssociatedToOriginRequestPolicy, "The maximum number of distributions have been associated with the specified origin request policy.", 100,
			eachBehavior(func(b behavior) []use {
				return own(managedOriginRequestPolicies(), b.OriginRequestPolicyId, b.path+".OriginRequestPolicyId")
			})},
		{cloudfront.ErrCodeTooManyDistributionsAssociatedToResponseHeadersPolicy, "The maximum number of distributions have been associated with the specified response headers policy.", 100,
			eachBehavior(func(b behavior) []use {
				return own(managedResponseHeadersPolicies(), b.ResponseHeadersPolicyId, b.path+".ResponseHeadersPolicyId")
			})},
		{cloudfront.ErrCodeTooManyDistributionsAssociatedToKeyGroup, "The number of distributions that reference this key group is more than the maximum allowed.", 100,
			eachBehavior(func(b behavior) (out []use) {
				if b.TrustedKeyGroups != nil {
					for i, id := range b.TrustedKeyGroups.Items {
						out = append(out, use{id, indexed(b.path+".TrustedKeyGroups.Items", i)})
					}
				}
				return out
			})},
		{cloudfront.ErrCodeTooManyDistributionsWithFunctionAssociations, "You have reached the maximum number of distributions that are associated with a CloudFront function.", 100,
			eachBehavior(func(b behavior) (out []use) {
				if b.FunctionAssociations != nil {
					for i, a := range b.FunctionAssociations.Items {
						out = append(out, use{deref(a.FunctionARN), indexed(b.path+".FunctionAssociations.Items", i)})
					}
				}
				return out
			})},
		{cloudfront.ErrCodeTooManyDistributionsWithSingleFunctionARN, "The maximum number of distributions have been associated with the specified Lambda@Edge function.", 500,
			eachBehavior(lambdas)},
		{cloudfront.ErrCodeTooManyDistributionsAssociatedToOriginAccessControl, "The maximum number of distributions have been associated with the specified origin access control.", 100,
			func(c *cloudfront.DistributionConfig) (out []use) {
				for i, o := range c.Origins.Items {
					if id := deref(o.OriginAccessControlId); id != "" {
						out = append(out, use{id, indexed("DistributionConfig.Origins.Items", i) + ".OriginAccessControlId"})
					}
				}
				return out
			}},
		{cloudfront.ErrCodeEntityLimitExceeded, "The entity limit has been exceeded.", 50,
			func(c *cloudfront.DistributionConfig) (out []use) {
				for i, o := range c.Origins.Items {
					if o.VpcOriginConfig != nil {
						out = append(out, use{deref(o.VpcOriginConfig.VpcOriginId), indexed("DistributionConfig.Origins.Items", i) + ".VpcOriginConfig.VpcOriginId"})
					}
				}
				return out
			}},
	}
}

func eachBehavior(of func(behavior) []use) func(*cloudfront.DistributionConfig) []use {
	return func(c *cloudfront.DistributionConfig) (out []use) {
		for _, b := range behaviors(c) {
			out = append(out, of(b)...)
		}
		return out
	}
}

// own is the policy that a behavior names, unless it is one of AWS's.
func own[T any](all []managed[T], id *string, path string) []use {
	if _, theirs := managedByID(all, deref(id)); theirs || deref(id) == "" {
		return nil
	}
	return []use{{*id, path}}
}

func lambdas(b behavior) (out []use) {
	if b.LambdaFunctionAssociations != nil {
		for i, a := range b.LambdaFunctionAssociations.Items {
			out = append(out, use{deref(a.LambdaFunctionARN), indexed(b.path+".LambdaFunctionAssociations.Items", i)})
		}
	}
	return out
}

// checkQuotas refuses a distribution that takes something over a quota that it shares with others. self is its id when it
// exists already.
func checkQuotas(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	for _, q := range sharedQuotas() {
		mine := map[string]string{}
		for _, u := range q.uses(c) {
			mine[u.id] = u.path
		}
		if len(mine) == 0 {
			continue
		}
		count := map[string]int{}
		for _, other := range resource.Distributions.All(r, global) {
			if other.ID == self {
				continue
			}
			seen := map[string]bool{}
			for _, u := range q.uses(other.Config) {
				path, both := mine[u.id]
				if !both || seen[u.id] {
					continue
				}
				seen[u.id] = true
				if count[u.id]++; count[u.id] >= q.limit {
					return tooMany(q.code, path, q.text, q.limit)
				}
			}
		}
	}
	if err := checkLambdaQuotas(r, c, self); err != nil {
		return err
	}
	return checkDedicatedIPs(r, c, self)
}

func checkLambdaQuotas(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	of := eachBehavior(lambdas)
	switch n := len(of(c)); {
	case n == 0:
		return nil
	case n > maxLambdas:
		return tooMany(cloudfront.ErrCodeTooManyLambdaFunctionAssociations, "DistributionConfig",
			"Your request contains more Lambda@Edge function associations than are allowed per distribution.", maxLambdas)
	}
	others := 0
	for _, other := range resource.Distributions.All(r, global) {
		if other.ID != self && len(of(other.Config)) > 0 {
			others++
		}
	}
	if others >= maxLambdaDistributions {
		return tooMany(cloudfront.ErrCodeTooManyDistributionsWithLambdaAssociations, "DistributionConfig",
			"Processing your request would cause the maximum number of distributions with Lambda@Edge function associations per owner to be exceeded.", maxLambdaDistributions)
	}
	return nil
}

// checkDedicatedIPs counts the certificates that are served from addresses of their own.
func checkDedicatedIPs(r store.Reader, c *cloudfront.DistributionConfig, self string) error {
	of := func(c *cloudfront.DistributionConfig) string {
		if v := c.ViewerCertificate; v != nil && deref(v.SSLSupportMethod) == "vip" {
			return deref(v.ACMCertificateArn) + deref(v.IAMCertificateId)
		}
		return ""
	}
	mine := of(c)
	if mine == "" {
		return nil
	}
	seen := map[string]bool{mine: true}
	for _, other := range resource.Distributions.All(r, global) {
		if id := of(other.Config); id != "" && other.ID != self {
			seen[id] = true
		}
	}
	if len(seen) > maxDedicatedIPs {
		return tooMany(cloudfront.ErrCodeTooManyCertificates, "DistributionConfig.ViewerCertificate", "You cannot create anymore custom SSL/TLS certificates.", maxDedicatedIPs)
	}
	return nil
}

// checkForwardedQuotas are those of the older cache settings.
func checkForwardedQuotas(f *cloudfront.ForwardedValues, path string) error {
	if n := len(items(f.Headers)); n > maxForwardedHeaders {
		return tooMany(cloudfront.ErrCodeTooManyHeadersInForwardedValues, path+".Headers", "Your request contains too many headers in forwarded values.", maxForwardedHeaders)
	}
	if f.QueryStringCacheKeys != nil && len(f.QueryStringCacheKeys.Items) > maxForwardedQuery {
		return tooMany(cloudfront.ErrCodeTooManyQueryStringParameters, path+".QueryStringCacheKeys", "Your request contains too many query string parameters.", maxForwardedQuery)
	}
	for i, name := range deref(f.QueryStringCacheKeys).Items {
		at := indexed(path+".QueryStringCacheKeys.Items", i)
		const text = "The query string parameters specified are not valid." // BC InvalidQueryStringParameters
		switch {
		case len(name) > maxQueryName:
			return tooMany(cloudfront.ErrCodeInvalidQueryStringParameters, at, text, maxQueryName)
		case len(strings.Join(f.QueryStringCacheKeys.Items, "")) > maxQueryNames:
			return tooMany(cloudfront.ErrCodeInvalidQueryStringParameters, path+".QueryStringCacheKeys", text, maxQueryNames)
		}
	}
	if f.Cookies == nil || f.Cookies.WhitelistedNames == nil {
		return nil
	}
	names := f.Cookies.WhitelistedNames.Items
	if len(names) > maxForwardedCookies || len(strings.Join(names, "")) > maxForwardedCookieBytes-len(names) {
		return tooMany(cloudfront.ErrCodeTooManyCookieNamesInWhiteList, path+".Cookies.WhitelistedNames",
			"Your request contains more cookie names in the whitelist than are allowed per cache behavior.", maxForwardedCookies)
	}
	return nil
}
