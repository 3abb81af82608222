package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// behaviorInput is a behavior with what it refers to.
type behaviorInput struct {
	*cloudfront.DefaultCacheBehavior
	pattern         edge.Pattern
	path            string
	origins, groups map[string]int
}

func (d *distributionCompiler) behavior(rec *store.Record, b behaviorInput) edge.Behavior {
	// at names a setting, "" when the behavior does not have it.
	at := func(name string, set bool) string {
		if !set {
			return ""
		}
		return d.path(rec, b.path+"."+name)
	}
	out := edge.Behavior{
		Pattern: b.pattern, Origin: -1, Group: -1, Compress: deref(b.Compress), Allowed: edge.GET | edge.HEAD, Cached: edge.GET | edge.HEAD,
		Source: edge.BehaviorSource{
			Behavior: d.path(rec, b.path), ViewerProtocolPolicy: at("ViewerProtocolPolicy", true), AllowedMethods: at("AllowedMethods", hasMethods(b.AllowedMethods)),
			CachePolicy: at("CachePolicyId", deref(b.CachePolicyId) != ""), OriginRequestPolicy: at("OriginRequestPolicyId", deref(b.OriginRequestPolicyId) != ""),
			ResponseHeadersPolicy: at("ResponseHeadersPolicyId", deref(b.ResponseHeadersPolicyId) != ""), ForwardedValues: at("ForwardedValues", b.ForwardedValues != nil),
			TargetOrigin: at("TargetOriginId", true),
		},
	}
	if i, ok := b.origins[deref(b.TargetOriginId)]; ok {
		out.Origin = i
	} else if i, ok := b.groups[deref(b.TargetOriginId)]; ok {
		out.Group = i
	}
	switch deref(b.ViewerProtocolPolicy) {
	case "redirect-to-https":
		out.ViewerProtocol = edge.RedirectToHTTPS
	case "https-only":
		out.ViewerProtocol = edge.HTTPSOnly
	}
	if m := b.AllowedMethods; m != nil {
		out.Allowed = methods(m.Items)
		if m.CachedMethods != nil && len(m.CachedMethods.Items) > 0 {
			out.Cached = methods(m.CachedMethods.Items)
		}
	}
	d.caching(&out, b)
	if id := deref(b.ResponseHeadersPolicyId); id != "" {
		out.ResponseHeaders = d.response[id]
	}
	d.functionsOf(rec, &out, b)
	d.behaviorSettings(rec, &out, b)
	return out
}

// hasMethods tells whether the source names allowed methods: the service fills in HEAD and GET, in this order.
func hasMethods(m *cloudfront.AllowedMethods) bool {
	return m != nil && !slices.Equal(m.Items, []string{"HEAD", "GET"})
}

func methods(names []string) (set edge.Methods) {
	for _, n := range names {
		set |= edge.MethodOf(n)
	}
	return set
}

func (d *distributionCompiler) caching(out *edge.Behavior, b behaviorInput) {
	if id := deref(b.CachePolicyId); id != "" {
		if policy := d.cache[id]; policy != nil { // the service has checked that it exists
			request := d.request[deref(b.OriginRequestPolicyId)]
			out.Forward, out.TTL = edge.CombinePolicies(policy, request)
			out.Policies = "cache policy " + plainName(policy.Name) + ", no origin request policy"
			if request != nil {
				out.Policies = "cache policy " + plainName(policy.Name) + ", origin request policy " + plainName(request.Name)
			}
			return
		}
	}
	out.Policies = "ForwardedValues instead of policies"
	values := edge.ForwardedValues{Cookies: edge.Selection{Mode: edge.None}}
	if f := b.ForwardedValues; f != nil {
		values.QueryString = deref(f.QueryString)
		if f.QueryStringCacheKeys != nil {
			values.QueryStringCacheKeys = f.QueryStringCacheKeys.Items
		}
		if f.Headers != nil {
			values.Headers = f.Headers.Items
		}
		if f.Cookies != nil {
			values.Cookies.Mode = edge.Mode(deref(f.Cookies.Forward))
			if f.Cookies.WhitelistedNames != nil {
				values.Cookies.Names = f.Cookies.WhitelistedNames.Items
			}
		}
	}
	out.Forward = edge.LegacyForward(&values, out.Compress)
	lo := deref(b.MinTTL)
	def := or(b.DefaultTTL, max(86400, lo))
	out.TTL = edge.TTLs{Min: seconds(lo), Default: seconds(def), Max: seconds(or(b.MaxTTL, max(31536000, def)))}
}

// plainName is a policy's name as the manual and the console write it: without the Managed- of the API.
func plainName(name string) string { return strings.TrimPrefix(name, "Managed-") }

func (d *distributionCompiler) functionsOf(rec *store.Record, out *edge.Behavior, b behaviorInput) {
	if b.LambdaFunctionAssociations != nil {
		for i, a := range b.LambdaFunctionAssociations.Items {
			arn := deref(a.LambdaFunctionARN)
			assoc := &edge.LambdaAssociation{ARN: arn, Name: functionName(arn), IncludeBody: deref(a.IncludeBody),
				SourcePath: d.path(rec, fmt.Sprintf("%s.LambdaFunctionAssociations[%d]", b.path, i))}
			if f := d.replica(arn); f != nil {
				assoc.Handle, assoc.Name = f, f.Name
			}
			for e := range edge.Event(edge.NumEvents) {
				if e.String() == deref(a.EventType) {
					assoc.Event = e
					out.Lambda[e] = assoc
				}
			}
		}
	}
	d.edgeFunctionsOf(rec, out, b.path, b.FunctionAssociations)
}

// functionName takes the name out of a function's ARN.
func functionName(arn string) string {
	if p := strings.Split(arn, ":"); len(p) >= 7 {
		return p[6]
	}
	return arn
}

func (d *distributionCompiler) behaviorNote(rec *store.Record, out *edge.Behavior, path, name, instead string) {
	d.unsupported(rec, path, instead)
	out.Unsupported = append(out.Unsupported, edge.Unsupported{Name: name, Detail: instead, SourcePath: d.path(rec, path)})
}

// behaviorSettings names what a behavior asks for and the engine does not do.
func (d *distributionCompiler) behaviorSettings(rec *store.Record, out *edge.Behavior, b behaviorInput) {
	note := func(name, instead string) { d.behaviorNote(rec, out, b.path+"."+name, name, instead) }
	d.signers(rec, out, b)
	if b.GrpcConfig != nil && deref(b.GrpcConfig.Enabled) {
		out.GRPC = true
	}
	if deref(b.SmoothStreaming) {
		note("SmoothStreaming", "it has no effect")
	}
	if config := deref(b.RealtimeLogConfigArn); config != "" {
		d.realtimeLog(rec, out, b.path+".RealtimeLogConfigArn", config)
	}
	if deref(b.FieldLevelEncryptionId) != "" {
		note("FieldLevelEncryptionId", "fields are passed on in clear")
	}
}

// policies collects managed and own policies by id.
func (d *distributionCompiler) policies() {
	for _, p := range edge.ManagedCachePolicies() {
		d.cache[p.ID] = &p
	}
	for _, p := range edge.ManagedOriginRequestPolicies() {
		d.request[p.ID] = &p
	}
	for _, p := range edge.ManagedResponseHeadersPolicies() {
		d.response[p.ID] = &p
	}
	for _, v := range resource.CachePolicies.All(d.view, resource.Global) {
		c, k := v.Config, v.Config.ParametersInCacheKeyAndForwardedToOrigin
		d.cache[v.ID] = &edge.CachePolicy{
			ID: v.ID, Name: deref(c.Name), MinTTL: deref(c.MinTTL), DefaultTTL: deref(c.DefaultTTL), MaxTTL: deref(c.MaxTTL),
			Gzip: deref(k.EnableAcceptEncodingGzip), Brotli: deref(k.EnableAcceptEncodingBrotli),
			Headers:      selection(k.HeadersConfig.HeaderBehavior, k.HeadersConfig.Headers),
			Cookies:      selection(k.CookiesConfig.CookieBehavior, (*cloudfront.Headers)(k.CookiesConfig.Cookies)),
			QueryStrings: selection(k.QueryStringsConfig.QueryStringBehavior, (*cloudfront.Headers)(k.QueryStringsConfig.QueryStrings)),
		}
	}
	for _, v := range resource.OriginRequestPolicies.All(d.view, resource.Global) {
		c := v.Config
		d.request[v.ID] = &edge.OriginRequestPolicy{
			ID: v.ID, Name: deref(c.Name), Headers: selection(c.HeadersConfig.HeaderBehavior, c.HeadersConfig.Headers),
			Cookies:      selection(c.CookiesConfig.CookieBehavior, (*cloudfront.Headers)(c.CookiesConfig.Cookies)),
			QueryStrings: selection(c.QueryStringsConfig.QueryStringBehavior, (*cloudfront.Headers)(c.QueryStringsConfig.QueryStrings)),
		}
	}
	for _, v := range resource.ResponseHeaderPolicies.All(d.view, resource.Global) {
		d.response[v.ID] = responseHeaders(v)
	}
}

func selection(behavior *string, h *cloudfront.Headers) edge.Selection {
	s := edge.Selection{Mode: edge.Mode(deref(behavior))}
	if h != nil {
		s.Names = h.Items
	}
	return s
}

func responseHeaders(v *resource.ResponseHeadersPolicy) *edge.ResponseHeadersPolicy {
	c := v.Config
	p := &edge.ResponseHeadersPolicy{ID: v.ID, Name: deref(c.Name), Comment: deref(c.Comment)}
	if x := c.CorsConfig; x != nil {
		p.CORS = &edge.CORS{AllowOrigins: x.AccessControlAllowOrigins.Items, AllowHeaders: x.AccessControlAllowHeaders.Items,
			AllowMethods: x.AccessControlAllowMethods.Items, AllowCredentials: deref(x.AccessControlAllowCredentials),
			MaxAge: x.AccessControlMaxAgeSec, OriginOverride: deref(x.OriginOverride)}
		if x.AccessControlExposeHeaders != nil {
			p.CORS.ExposeHeaders = x.AccessControlExposeHeaders.Items
		}
	}
	if x := c.SecurityHeadersConfig; x != nil {
		p.Security = securityHeaders(x)
	}
	if x := c.ServerTimingHeadersConfig; x != nil {
		p.ServerTiming = &edge.ServerTiming{Enabled: deref(x.Enabled), SamplingRate: deref(x.SamplingRate)}
	}
	if x := c.CustomHeadersConfig; x != nil {
		for _, h := range x.Items {
			p.Custom = append(p.Custom, edge.CustomHeader{Name: deref(h.Header), Value: deref(h.Value), Override: deref(h.Override)})
		}
	}
	if x := c.RemoveHeadersConfig; x != nil {
		for _, h := range x.Items {
			p.Remove = append(p.Remove, deref(h.Header))
		}
	}
	return p
}

func securityHeaders(x *cloudfront.ResponseHeadersPolicySecurityHeadersConfig) *edge.SecurityHeaders {
	s := &edge.SecurityHeaders{}
	if v := x.ContentSecurityPolicy; v != nil {
		s.ContentSecurityPolicy = &edge.OverridableValue{Value: deref(v.ContentSecurityPolicy), Override: deref(v.Override)}
	}
	if v := x.ContentTypeOptions; v != nil {
		s.ContentTypeOptions = &edge.OverridableValue{Override: deref(v.Override)}
	}
	if v := x.FrameOptions; v != nil {
		s.FrameOptions = &edge.OverridableValue{Value: deref(v.FrameOption), Override: deref(v.Override)}
	}
	if v := x.ReferrerPolicy; v != nil {
		s.ReferrerPolicy = &edge.OverridableValue{Value: deref(v.ReferrerPolicy), Override: deref(v.Override)}
	}
	if v := x.StrictTransportSecurity; v != nil {
		s.StrictTransportSecurity = &edge.StrictTransportSecurity{MaxAge: deref(v.AccessControlMaxAgeSec), IncludeSubdomains: deref(v.IncludeSubdomains), Preload: deref(v.Preload), Override: deref(v.Override)}
	}
	if v := x.XSSProtection; v != nil {
		s.XSSProtection = &edge.XSSProtection{Protection: deref(v.Protection), ModeBlock: deref(v.ModeBlock), Override: deref(v.Override), ReportURI: deref(v.ReportUri)}
	}
	return s
}
