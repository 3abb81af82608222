package cloudfront

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docEdgeFunctions = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html"

// pathPattern has the characters of facts: cloudfront-dataplane 2.
var pathPattern = regexp.MustCompile("^[-A-Za-z0-9_.*$/~\"'@:+&?]{1,255}$")

func (s *Service) checkBehavior(r store.Reader, b behavior, targets map[string]*cloudfront.Origin) error {
	if b.path != "DistributionConfig.DefaultCacheBehavior" {
		if deref(b.pattern) == "" {
			return missingArgument(b.path + ".PathPattern")
		}
		if !pathPattern.MatchString(*b.pattern) {
			return invalid(b.path+".PathPattern", "The parameter PathPattern contains one or more parameters that are not valid.", // text: our words
				fmt.Sprintf("%q has more than 255 characters, or others than letters, digits and _ - . * $ / ~ \" ' @ : + & ?", *b.pattern))
		}
	}
	target := deref(b.TargetOriginId)
	origin, exists := targets[target]
	if !exists {
		return noSuchOrigin(b.path+".TargetOriginId", target)
	}
	if !slices.Contains([]string{"allow-all", "https-only", "redirect-to-https"}, deref(b.ViewerProtocolPolicy)) {
		return refuse(cloudfront.ErrCodeInvalidRequiredProtocol, b.path+".ViewerProtocolPolicy", "This operation requires the HTTPS protocol. Ensure that you specify the HTTPS protocol in your request, or omit the RequiredProtocols element from your distribution configuration.", diag.Finding{
			Because: []string{fmt.Sprintf("%q is not allow-all, https-only or redirect-to-https", deref(b.ViewerProtocolPolicy))}})
	}
	if err := checkMethods(b); err != nil {
		return err
	}
	if err := checkCaching(r, b, origin); err != nil {
		return err
	}
	if id := deref(b.ResponseHeadersPolicyId); id != "" {
		if _, ok := managedByID(managedResponseHeadersPolicies(), id); !ok {
			if _, own := resource.ResponseHeaderPolicies.Get(r, global, id); !own {
				return noSuchPolicy(cloudfront.ErrCodeNoSuchResponseHeadersPolicy, b.path+".ResponseHeadersPolicyId", "response headers policy", id)
			}
		}
	}
	if err := checkSigners(b); err != nil {
		return err
	}
	if err := s.checkRealtimeLogOf(r, b); err != nil {
		return err
	}
	if b.TrustedKeyGroups != nil {
		for i, id := range b.TrustedKeyGroups.Items {
			if _, ok := resource.KeyGroups.Get(r, global, id); !ok {
				return refuse(cloudfront.ErrCodeTrustedKeyGroupDoesNotExist, indexed(b.path+".TrustedKeyGroups.Items", i), "The specified key group does not exist.", diag.Finding{})
			}
		}
	}
	return s.checkFunctions(r, b)
}

// checkSigners: what a behavior trusts, but for the existence of its key groups.
func checkSigners(b behavior) error {
	if n := len(b.TrustedKeyGroups.Items); n > maxBehaviorGroups { // text: BC's documentation of the error
		return refuse(cloudfront.ErrCodeTooManyKeyGroupsAssociatedToDistribution, b.path+".TrustedKeyGroups", "The number of key groups referenced by this distribution is more than the maximum allowed.", diag.Finding{
			Because: []string{fmt.Sprintf("%d key groups, a behavior has at most %d", n, maxBehaviorGroups)}})
	}
	for _, list := range []struct {
		name    string
		enabled *bool
		items   []string
	}{{"TrustedKeyGroups", b.TrustedKeyGroups.Enabled, b.TrustedKeyGroups.Items}, {"TrustedSigners", b.TrustedSigners.Enabled, b.TrustedSigners.Items}} {
		if deref(list.enabled) != (len(list.items) > 0) {
			return invalid(b.path+"."+list.name, "The parameter "+list.name+" is invalid.", // text: our words
				"Enabled is true when the list has items, and only then")
		}
	}
	for i, account := range b.TrustedSigners.Items {
		if account != "self" && (len(account) != 12 || strings.Trim(account, "0123456789") != "") {
			return refuse(cloudfront.ErrCodeTrustedSignerDoesNotExist, indexed(b.path+".TrustedSigners.Items", i), "One or more of your trusted signers don't exist.", diag.Finding{ // text: BC's documentation of the error
				Because: []string{fmt.Sprintf("%q is neither self nor an account of 12 digits", account)}})
		}
	}
	return nil
}

// checkMethods: three sets of allowed methods, two of cached ones (facts: cloudfront-dataplane 3).
func checkMethods(b behavior) error {
	if b.AllowedMethods == nil {
		return nil
	}
	sets := []string{"GET HEAD", "GET HEAD OPTIONS", "DELETE GET HEAD OPTIONS PATCH POST PUT"}
	set := func(methods []string) string { return strings.Join(slices.Sorted(slices.Values(methods)), " ") }
	if !slices.Contains(sets, set(b.AllowedMethods.Items)) {
		return invalid(b.path+".AllowedMethods", "The parameter AllowedMethods is invalid.", // text: our words
			fmt.Sprintf("%s is none of the three sets that CloudFront allows", strings.Join(b.AllowedMethods.Items, ", ")),
			"use [GET, HEAD], [GET, HEAD, OPTIONS], or all seven: GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE")
	}
	if c := b.AllowedMethods.CachedMethods; c != nil && len(c.Items) > 0 && !slices.Contains(sets[:2], set(c.Items)) {
		return invalid(b.path+".AllowedMethods.CachedMethods", "The parameter CachedMethods is invalid.", // text: our words
			"CloudFront caches GET and HEAD, or GET, HEAD and OPTIONS")
	}
	return nil
}

// checkGRPC: gRPC needs POST among the allowed methods, and viewers that may use HTTP/2 (DG26-distribution-using-grpc). That the
// API refuses anything else is unsourced; the console offers gRPC only then.
func checkGRPC(c *cloudfront.DistributionConfig, b behavior) error {
	const doc = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-using-grpc.html"
	if b.GrpcConfig == nil || !deref(b.GrpcConfig.Enabled) {
		return nil
	}
	version := strings.ToLower(deref(c.HttpVersion))
	switch {
	case b.AllowedMethods == nil || !slices.Contains(b.AllowedMethods.Items, "POST"):
		return refuse(cloudfront.ErrCodeInvalidArgument, b.path+".GrpcConfig", "The parameter GrpcConfig is invalid.", diag.Finding{ // text: our words
			Because: []string{"gRPC calls are POST requests, and the behavior does not allow POST"},
			Fixes:   []string{"set AllowedMethods to GET, HEAD, OPTIONS, PUT, PATCH, POST and DELETE, or leave GrpcConfig out"}, Doc: doc})
	case version != "http2" && version != "http2and3":
		return refuse(cloudfront.ErrCodeInvalidArgument, b.path+".GrpcConfig", "The parameter GrpcConfig is invalid.", diag.Finding{ // text: our words
			Because: []string{fmt.Sprintf("gRPC needs HTTP/2, and HttpVersion is %s", deref(c.HttpVersion))},
			Fixes:   []string{"set HttpVersion to http2 or http2and3"}, Doc: doc})
	}
	return nil
}

// checkCaching: policies or ForwardedValues, not both (facts: cloudfront-policies 4b).
func checkCaching(r store.Reader, b behavior, origin *cloudfront.Origin) error {
	policy := deref(b.CachePolicyId)
	switch {
	case policy != "" && b.ForwardedValues != nil:
		return invalid(b.path+".ForwardedValues", "The parameter ForwardedValues cannot be used when a cache policy is associated to the cache behavior.",
			"a behavior has either CachePolicyId or the older ForwardedValues", "remove ForwardedValues, MinTTL, DefaultTTL and MaxTTL from the behavior")
	case policy == "" && b.ForwardedValues == nil:
		return invalid(b.path, "The parameter ForwardedValues is required.",
			"a behavior needs CachePolicyId, or the older ForwardedValues", "set CachePolicyId, such as 4135ea2d-6df8-44a3-9df3-4b5a84be39ad (CachingDisabled)")
	}
	if policy != "" {
		for name, ttl := range map[string]*int64{"MinTTL": b.MinTTL, "DefaultTTL": b.DefaultTTL, "MaxTTL": b.MaxTTL} {
			if ttl != nil {
				return invalid(b.path+"."+name, fmt.Sprintf("The parameter %s cannot be used when a cache policy is associated to the cache behavior.", name), // github aws/aws-sdk-net 1698
					"the cache policy has the TTLs")
			}
		}
		if _, ok := managedByID(managedCachePolicies(), policy); !ok {
			if _, own := resource.CachePolicies.Get(r, global, policy); !own {
				return noSuchPolicy(cloudfront.ErrCodeNoSuchCachePolicy, b.path+".CachePolicyId", "cache policy", policy)
			}
		}
	}
	if id := deref(b.OriginRequestPolicyId); id != "" {
		if policy == "" {
			return invalid(b.path+".OriginRequestPolicyId", "The parameter OriginRequestPolicyId cannot be used without a cache policy.", // text: our words
				"an origin request policy works together with a cache policy", "set CachePolicyId as well")
		}
		if _, ok := managedByID(managedOriginRequestPolicies(), id); !ok {
			if _, own := resource.OriginRequestPolicies.Get(r, global, id); !own {
				return noSuchPolicy(cloudfront.ErrCodeNoSuchOriginRequestPolicy, b.path+".OriginRequestPolicyId", "origin request policy", id)
			}
		}
	}
	if b.ForwardedValues == nil {
		return nil
	}
	return checkForwardedValues(b, origin)
}

func checkForwardedValues(b behavior, origin *cloudfront.Origin) error {
	f := b.ForwardedValues
	path := b.path + ".ForwardedValues"
	if f.QueryString == nil {
		return missingArgument(path + ".QueryString")
	}
	if f.Cookies != nil && !slices.Contains([]string{"none", "whitelist", "all"}, deref(f.Cookies.Forward)) {
		return refuse(cloudfront.ErrCodeInvalidForwardCookies, path+".Cookies.Forward", "Your request contains forward cookies option which doesn't match with the expectation for the whitelisted list of cookie names. Either list of cookie names has been specified when not allowed or list of cookie names is missing when expected.", diag.Finding{})
	}
	s3 := origin != nil && origin.S3OriginConfig != nil
	for i, h := range items(f.Headers) {
		if s3 && (strings.EqualFold(h, "Host") || h == "*") {
			return refuse(cloudfront.ErrCodeInvalidHeadersForS3Origin, indexed(path+".Headers.Items", i), "The headers specified are not valid for an Amazon S3 origin.", diag.Finding{})
		}
	}
	if err := checkForwardedQuotas(f, path); err != nil {
		return err
	}
	lo, def, hi := ttls(b.DefaultCacheBehavior)
	if lo > def || def > hi {
		return refuse(cloudfront.ErrCodeInvalidTTLOrder, b.path+".MinTTL", "MinTTL must be less equal to DefaultTTL must be less equal to MaxTTL", diag.Finding{
			Because: []string{fmt.Sprintf("MinTTL %d, DefaultTTL %d and MaxTTL %d are not in ascending order", lo, def, hi)}})
	}
	return nil
}

func noSuchPolicy(code, path, what, id string) error {
	return refuse(code, path, fmt.Sprintf("The specified %s does not exist.", what), diag.Finding{
		Because: []string{fmt.Sprintf("no %s has the id %q", what, id)}})
}

func (s *Service) checkFunctions(r store.Reader, b behavior) error {
	viewer := map[string]string{} // kind of function by viewer event
	seen := map[string]bool{}
	if b.LambdaFunctionAssociations != nil {
		for i, a := range b.LambdaFunctionAssociations.Items {
			path := indexed(b.path+".LambdaFunctionAssociations.Items", i)
			event := deref(a.EventType)
			if !slices.Contains([]string{"viewer-request", "origin-request", "origin-response", "viewer-response"}, event) || seen[event] {
				return lambdaAssociation(path+".EventType", noLambdaAssociation, fmt.Sprintf("%q is no event, or has two functions", event))
			}
			seen[event] = true
			if deref(a.IncludeBody) && !strings.HasSuffix(event, "-request") {
				return lambdaAssociation(path+".IncludeBody", noLambdaAssociation, "IncludeBody is for viewer-request and origin-request")
			}
			if err := s.checkLambda(r, deref(a.LambdaFunctionARN), path+".LambdaFunctionARN"); err != nil {
				return err
			}
			viewer[event] = "lambda"
		}
	}
	if b.FunctionAssociations == nil {
		return nil
	}
	for i, a := range b.FunctionAssociations.Items {
		path := indexed(b.path+".FunctionAssociations.Items", i)
		event := deref(a.EventType)
		if event != "viewer-request" && event != "viewer-response" || viewer[event] == "function" {
			return functionAssociation(path+".EventType", fmt.Sprintf("%q is no viewer event, or has two functions", event))
		}
		if viewer["viewer-request"] == "lambda" || viewer["viewer-response"] == "lambda" {
			return functionAssociation(path, "CloudFront Functions and Lambda@Edge cannot both be on viewer events of a behavior")
		}
		name := deref(a.FunctionARN)[strings.LastIndexByte(deref(a.FunctionARN), '/')+1:]
		f, ok := resource.CloudFrontFunctions.Get(r, global, name)
		if !ok || f.Live == nil {
			return functionAssociation(path+".FunctionARN", fmt.Sprintf("there is no published function %q", deref(a.FunctionARN)))
		}
		viewer[event] = "function"
	}
	return nil
}

func functionAssociation(path, because string) error {
	return refuse(cloudfront.ErrCodeInvalidFunctionAssociation, path, "A CloudFront function association is invalid.", diag.Finding{
		Doc: docEdgeFunctions, Because: []string{because}})
}
