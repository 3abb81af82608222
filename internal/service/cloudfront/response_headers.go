package cloudfront

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docResponseHeaders = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/understanding-response-headers-policies.html"

// CreateResponseHeadersPolicy makes a response headers policy.
func (s *Service) CreateResponseHeadersPolicy(ctx context.Context, in *cloudfront.CreateResponseHeadersPolicyInput) (*cloudfront.CreateResponseHeadersPolicyOutput, error) {
	if err := s.checkResponseHeaders(ctx, in.ResponseHeadersPolicyConfig, ""); err != nil {
		return nil, err
	}
	id := s.env.NewUUID(ctx, "response-headers-policy", taken(ctx, s, resource.ResponseHeaderPolicies))
	v := &resource.ResponseHeadersPolicy{ID: id, Config: in.ResponseHeadersPolicyConfig}
	rec, err := put(ctx, s, resource.ResponseHeaderPolicies, id, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateResponseHeadersPolicyOutput{ResponseHeadersPolicy: responseHeadersPolicy(rec, v), ETag: new(etag(rec)),
		Location: s.location("response-headers-policy", id)}, nil
}

func responseHeadersPolicy(rec *store.Record, v *resource.ResponseHeadersPolicy) *cloudfront.ResponseHeadersPolicy {
	return &cloudfront.ResponseHeadersPolicy{Id: &v.ID, LastModifiedTime: stamp(rec.Updated), ResponseHeadersPolicyConfig: v.Config}
}

// GetResponseHeadersPolicy returns a managed or own policy.
func (s *Service) GetResponseHeadersPolicy(ctx context.Context, in *cloudfront.GetResponseHeadersPolicyInput) (*cloudfront.GetResponseHeadersPolicyOutput, error) {
	if p, ok := managedByID(managedResponseHeadersPolicies(), deref(in.Id)); ok {
		return &cloudfront.GetResponseHeadersPolicyOutput{ResponseHeadersPolicy: p, ETag: new(managedETag)}, nil
	}
	v, rec, err := get(ctx, s, resource.ResponseHeaderPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchResponseHeadersPolicy, "response headers policy"})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetResponseHeadersPolicyOutput{ResponseHeadersPolicy: responseHeadersPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// GetResponseHeadersPolicyConfig returns the configuration alone.
func (s *Service) GetResponseHeadersPolicyConfig(ctx context.Context, in *cloudfront.GetResponseHeadersPolicyConfigInput) (*cloudfront.GetResponseHeadersPolicyConfigOutput, error) {
	out, err := s.GetResponseHeadersPolicy(ctx, &cloudfront.GetResponseHeadersPolicyInput{Id: in.Id})
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetResponseHeadersPolicyConfigOutput{ResponseHeadersPolicyConfig: out.ResponseHeadersPolicy.ResponseHeadersPolicyConfig, ETag: out.ETag}, nil
}

// UpdateResponseHeadersPolicy replaces a policy's configuration.
func (s *Service) UpdateResponseHeadersPolicy(ctx context.Context, in *cloudfront.UpdateResponseHeadersPolicyInput) (*cloudfront.UpdateResponseHeadersPolicyOutput, error) {
	if _, ok := managedByID(managedResponseHeadersPolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalUpdate, "The update contains modifications that are not allowed.")
	}
	_, rec, err := get(ctx, s, resource.ResponseHeaderPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchResponseHeadersPolicy, "response headers policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if err := s.checkResponseHeaders(ctx, in.ResponseHeadersPolicyConfig, *in.Id); err != nil {
		return nil, err
	}
	v := &resource.ResponseHeadersPolicy{ID: *in.Id, Config: in.ResponseHeadersPolicyConfig}
	if rec, err = replace(ctx, s, resource.ResponseHeaderPolicies, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateResponseHeadersPolicyOutput{ResponseHeadersPolicy: responseHeadersPolicy(rec, v), ETag: new(etag(rec))}, nil
}

// DeleteResponseHeadersPolicy deletes an own policy that no distribution uses.
func (s *Service) DeleteResponseHeadersPolicy(ctx context.Context, in *cloudfront.DeleteResponseHeadersPolicyInput) (*cloudfront.DeleteResponseHeadersPolicyOutput, error) {
	if _, ok := managedByID(managedResponseHeadersPolicies(), deref(in.Id)); ok {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalDelete, "You cannot delete a managed policy.")
	}
	_, rec, err := get(ctx, s, resource.ResponseHeaderPolicies, in.Id, missing{cloudfront.ErrCodeNoSuchResponseHeadersPolicy, "response headers policy"})
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.behaviorsUse(ctx, func(b *cloudfront.DefaultCacheBehavior) bool { return deref(b.ResponseHeadersPolicyId) == *in.Id }) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeResponseHeadersPolicyInUse, "Cannot delete the response headers policy because it is attached to one or more cache behaviors.")
	}
	return &cloudfront.DeleteResponseHeadersPolicyOutput{}, remove(ctx, s, resource.ResponseHeaderPolicies, rec)
}

// ListResponseHeadersPolicies lists managed and own policies.
func (s *Service) ListResponseHeadersPolicies(ctx context.Context, in *cloudfront.ListResponseHeadersPoliciesInput) (*cloudfront.ListResponseHeadersPoliciesOutput, error) {
	all, err := ofType(listPolicies(s.env.Store.Read(ctx), managedResponseHeadersPolicies(), resource.ResponseHeaderPolicies, responseHeadersPolicy), in.Type)
	if err != nil {
		return nil, err
	}
	items, next, limit, err := page(all, func(l listed[cloudfront.ResponseHeadersPolicy]) string { return l.id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	list := &cloudfront.ResponseHeadersPolicyList{NextMarker: next, MaxItems: &limit, Quantity: count(items)}
	for _, l := range items {
		list.Items = append(list.Items, &cloudfront.ResponseHeadersPolicySummary{Type: &l.kind, ResponseHeadersPolicy: l.policy})
	}
	return &cloudfront.ListResponseHeadersPoliciesOutput{ResponseHeadersPolicyList: list}, nil
}

// immovable headers cannot be removed by a policy (facts: cloudfront-policies 8).
var immovable = []string{"connection", "content-encoding", "content-length", "expect", "host", "keep-alive", "proxy-authenticate",
	"proxy-authorization", "proxy-connection", "trailer", "transfer-encoding", "upgrade", "via", "warning", "x-accel-buffering",
	"x-accel-charset", "x-accel-limit-rate", "x-accel-redirect", "x-amzn-auth", "x-amzn-cf-billing", "x-amzn-cf-id", "x-amzn-cf-xff",
	"x-amzn-errortype", "x-amzn-fle-profile", "x-amzn-header-count", "x-amzn-header-order", "x-amzn-lambda-integration-tag",
	"x-amzn-requestid", "x-cache", "x-forwarded-proto", "x-real-ip"}

func (s *Service) checkResponseHeaders(ctx context.Context, c *cloudfront.ResponseHeadersPolicyConfig, self string) error {
	const path = "ResponseHeadersPolicyConfig"
	if c == nil {
		return missingArgument(path)
	}
	if err := quantities(c, path); err != nil {
		return err
	}
	if err := checkName(c.Name, c.Comment, path); err != nil {
		return err
	}
	if c.CorsConfig == nil && c.SecurityHeadersConfig == nil && c.CustomHeadersConfig == nil && c.RemoveHeadersConfig == nil && c.ServerTimingHeadersConfig == nil {
		return invalid(path, "The parameter ResponseHeadersPolicyConfig is empty.", "a response headers policy has at least one section") // text: our words
	}
	if err := checkCORS(c.CorsConfig, path+".CorsConfig"); err != nil {
		return err
	}
	if err := checkSecurityHeaders(c.SecurityHeadersConfig, path+".SecurityHeadersConfig"); err != nil {
		return err
	}
	if err := checkHeaderLists(c, path); err != nil {
		return err
	}
	r := s.env.Store.Read(ctx)
	for rec, other := range resource.ResponseHeaderPolicies.All(r, global) {
		if rec.Key.ID != self && deref(other.Config.Name) == *c.Name {
			return alreadyExists(cloudfront.ErrCodeResponseHeadersPolicyAlreadyExists, path, "response headers policy", *c.Name)
		}
	}
	return room(r, resource.ResponseHeaderPolicies, self, cloudfront.ErrCodeTooManyResponseHeadersPolicies, "response headers policies")
}

func checkCORS(c *cloudfront.ResponseHeadersPolicyCorsConfig, path string) error {
	if c == nil {
		return nil
	}
	switch {
	case c.AccessControlAllowOrigins == nil || len(c.AccessControlAllowOrigins.Items) == 0:
		return missingArgument(path + ".AccessControlAllowOrigins")
	case c.AccessControlAllowHeaders == nil || len(c.AccessControlAllowHeaders.Items) == 0:
		return missingArgument(path + ".AccessControlAllowHeaders")
	case c.AccessControlAllowMethods == nil || len(c.AccessControlAllowMethods.Items) == 0:
		return missingArgument(path + ".AccessControlAllowMethods")
	case c.AccessControlAllowCredentials == nil:
		return missingArgument(path + ".AccessControlAllowCredentials")
	case c.OriginOverride == nil:
		return missingArgument(path + ".OriginOverride")
	}
	for i, o := range c.AccessControlAllowOrigins.Items {
		if len(o) > maxHeaderValue { // an answer has one origin
			return invalid(indexed(path+".AccessControlAllowOrigins.Items", i), "The parameter AccessControlAllowOrigins is too long.", // text: our words
				"a value of Access-Control-Allow-Origin has at most 1,783 characters")
		}
		host := o
		if _, rest, ok := strings.Cut(o, "://"); ok {
			host = rest
		}
		host, _, _ = strings.Cut(host, ":") // a port may have wildcards anywhere
		if o != "*" && strings.Contains(strings.TrimPrefix(host, "*."), "*") {
			return invalid(indexed(path+".AccessControlAllowOrigins.Items", i), "The parameter AccessControlAllowOrigins is invalid.", // text: our words
				fmt.Sprintf("%q: a wildcard stands for the leftmost label only, as in *.example.org", o))
		}
	}
	methods := []string{"ALL", "GET", "DELETE", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}
	for i, m := range c.AccessControlAllowMethods.Items {
		if !slices.Contains(methods, m) || m == "ALL" && len(c.AccessControlAllowMethods.Items) > 1 {
			return invalid(indexed(path+".AccessControlAllowMethods.Items", i), "The parameter AccessControlAllowMethods is invalid.", // text: our words
				fmt.Sprintf("%q is not ALL alone, or GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT", m))
		}
	}
	if *c.AccessControlAllowCredentials && slices.Contains(c.AccessControlAllowOrigins.Items, "*") {
		return invalid(path+".AccessControlAllowCredentials", "The parameter AccessControlAllowCredentials is invalid.", // text: our words
			"browsers refuse credentials together with the origin *")
	}
	return nil
}

func checkSecurityHeaders(c *cloudfront.ResponseHeadersPolicySecurityHeadersConfig, path string) error {
	if c == nil {
		return nil
	}
	if p := c.ContentSecurityPolicy; p != nil && len(deref(p.ContentSecurityPolicy)) > maxHeaderValue {
		return refuse(cloudfront.ErrCodeTooLongCSPInResponseHeadersPolicy, path+".ContentSecurityPolicy", "The length of the Content-Security-Policy header value in the response headers policy exceeds the maximum.", diag.Finding{Doc: docResponseHeaders})
	}
	if f := c.FrameOptions; f != nil && deref(f.FrameOption) != "DENY" && deref(f.FrameOption) != "SAMEORIGIN" {
		return invalid(path+".FrameOptions.FrameOption", "The parameter FrameOption is invalid.", fmt.Sprintf("%q is not DENY or SAMEORIGIN", deref(f.FrameOption)))
	}
	referrer := []string{"no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url"}
	if p := c.ReferrerPolicy; p != nil && !slices.Contains(referrer, deref(p.ReferrerPolicy)) {
		return invalid(path+".ReferrerPolicy.ReferrerPolicy", "The parameter ReferrerPolicy is invalid.", fmt.Sprintf("%q is not one of %s", deref(p.ReferrerPolicy), strings.Join(referrer, ", ")))
	}
	if p := c.ContentSecurityPolicy; p != nil && !http1.ValidValue(deref(p.ContentSecurityPolicy)) {
		return invalid(path+".ContentSecurityPolicy.ContentSecurityPolicy", "The parameter ContentSecurityPolicy contains invalid characters.", noLineEnds) // text: our words
	}
	if x := c.XSSProtection; x != nil && !http1.ValidValue(deref(x.ReportUri)) {
		return invalid(path+".XSSProtection.ReportUri", "The parameter ReportUri contains invalid characters.", noLineEnds) // text: our words
	}
	if x := c.XSSProtection; x != nil && deref(x.ModeBlock) && deref(x.ReportUri) != "" {
		return invalid(path+".XSSProtection", "The parameter XSSProtection is invalid.", "ModeBlock and ReportUri exclude each other")
	}
	return nil
}

const noLineEnds = "a header value has no line ends and no other control characters"

func checkHeaderLists(c *cloudfront.ResponseHeadersPolicyConfig, path string) error {
	if l := c.CustomHeadersConfig; l != nil {
		if len(l.Items) > 10 {
			return refuse(cloudfront.ErrCodeTooManyCustomHeadersInResponseHeadersPolicy, path+".CustomHeadersConfig", "The number of custom headers in the response headers policy exceeds the maximum.", diag.Finding{})
		}
		total := 0
		for i, h := range l.Items {
			if deref(h.Header) == "" {
				return missingArgument(indexed(path+".CustomHeadersConfig.Items", i) + ".Header")
			}
			if !http1.ValidName(deref(h.Header)) {
				return invalid(indexed(path+".CustomHeadersConfig.Items", i)+".Header", "The parameter Header contains invalid characters.", // text: our words
					fmt.Sprintf("%q is no header name", deref(h.Header)))
			}
			if !http1.ValidValue(deref(h.Value)) {
				return invalid(indexed(path+".CustomHeadersConfig.Items", i)+".Value", "The parameter Value contains invalid characters.", noLineEnds) // text: our words
			}
			if err := checkHeaderLength(*h.Header, deref(h.Value), indexed(path+".CustomHeadersConfig.Items", i)+".Header", &total); err != nil {
				return err
			}
		}
	}
	if l := c.RemoveHeadersConfig; l != nil {
		if len(l.Items) > 10 {
			return refuse(cloudfront.ErrCodeTooManyRemoveHeadersInResponseHeadersPolicy, path+".RemoveHeadersConfig", "The number of headers in RemoveHeadersConfig in the response headers policy exceeds the maximum.", diag.Finding{})
		}
		for i, h := range l.Items {
			name := strings.ToLower(deref(h.Header))
			if slices.Contains(immovable, name) || strings.HasPrefix(name, "x-amz-cf-") || strings.HasPrefix(name, "x-edge-") {
				return invalid(indexed(path+".RemoveHeadersConfig.Items", i)+".Header", fmt.Sprintf("The parameter Header contains %s that is not allowed.", deref(h.Header)), // text: our words
					"CloudFront does not remove this header")
			}
		}
	}
	if t := c.ServerTimingHeadersConfig; t != nil {
		rate := deref(t.SamplingRate)
		if scaled := rate * 1e4; rate < 0 || rate > 100 || math.Abs(scaled-math.Round(scaled)) > 1e-6 {
			return invalid(path+".ServerTimingHeadersConfig.SamplingRate", "The parameter SamplingRate is invalid.", // text: our words
				"a percentage of 0 to 100, with up to four decimal places")
		}
	}
	return nil
}

func managedResponseHeadersPolicies() []managed[cloudfront.ResponseHeadersPolicy] {
	var out []managed[cloudfront.ResponseHeadersPolicy]
	for _, p := range edge.ManagedResponseHeadersPolicies() {
		out = append(out, managed[cloudfront.ResponseHeadersPolicy]{p.ID, &cloudfront.ResponseHeadersPolicy{
			Id: &p.ID, LastModifiedTime: managedTime(), ResponseHeadersPolicyConfig: responseHeadersConfig(p)}})
	}
	return out
}

// responseHeadersConfig writes a policy in the shapes of the API.
func responseHeadersConfig(p edge.ResponseHeadersPolicy) *cloudfront.ResponseHeadersPolicyConfig {
	c := &cloudfront.ResponseHeadersPolicyConfig{Name: &p.Name, Comment: &p.Comment}
	if x := p.CORS; x != nil {
		c.CorsConfig = &cloudfront.ResponseHeadersPolicyCorsConfig{
			AccessControlAllowOrigins:     &cloudfront.ResponseHeadersPolicyAccessControlAllowOrigins{Quantity: count(x.AllowOrigins), Items: x.AllowOrigins},
			AccessControlAllowHeaders:     &cloudfront.ResponseHeadersPolicyAccessControlAllowHeaders{Quantity: count(x.AllowHeaders), Items: x.AllowHeaders},
			AccessControlAllowMethods:     &cloudfront.ResponseHeadersPolicyAccessControlAllowMethods{Quantity: count(x.AllowMethods), Items: x.AllowMethods},
			AccessControlExposeHeaders:    &cloudfront.ResponseHeadersPolicyAccessControlExposeHeaders{Quantity: count(x.ExposeHeaders), Items: x.ExposeHeaders},
			AccessControlAllowCredentials: &x.AllowCredentials, AccessControlMaxAgeSec: x.MaxAge, OriginOverride: &x.OriginOverride,
		}
	}
	if s := p.Security; s != nil {
		c.SecurityHeadersConfig = securityConfig(s)
	}
	return c
}

func securityConfig(s *edge.SecurityHeaders) *cloudfront.ResponseHeadersPolicySecurityHeadersConfig {
	out := &cloudfront.ResponseHeadersPolicySecurityHeadersConfig{}
	if v := s.ContentTypeOptions; v != nil {
		out.ContentTypeOptions = &cloudfront.ResponseHeadersPolicyContentTypeOptions{Override: &v.Override}
	}
	if v := s.FrameOptions; v != nil {
		out.FrameOptions = &cloudfront.ResponseHeadersPolicyFrameOptions{Override: &v.Override, FrameOption: &v.Value}
	}
	if v := s.ReferrerPolicy; v != nil {
		out.ReferrerPolicy = &cloudfront.ResponseHeadersPolicyReferrerPolicy{Override: &v.Override, ReferrerPolicy: &v.Value}
	}
	if v := s.StrictTransportSecurity; v != nil {
		out.StrictTransportSecurity = &cloudfront.ResponseHeadersPolicyStrictTransportSecurity{Override: &v.Override, AccessControlMaxAgeSec: &v.MaxAge, IncludeSubdomains: &v.IncludeSubdomains, Preload: &v.Preload}
	}
	if v := s.XSSProtection; v != nil {
		out.XSSProtection = &cloudfront.ResponseHeadersPolicyXSSProtection{Override: &v.Override, Protection: &v.Protection, ModeBlock: &v.ModeBlock}
	}
	return out
}
