package compile

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// cloudFront names the service's site in a Snapshot.
const cloudFront = "cloudfront"

// DefaultCertificate has the names of CloudFront's own certificate, which viewers without a server name get as well
// (DG-cnames, "Domain fronting").
var DefaultCertificate = []string{"cloudfront.net", "*.cloudfront.net"}

// distributions makes the edge service with the plans of all distributions.
func (c *compiler) distributions() {
	d := newDistributionCompiler(c)
	d.policies()
	var plans []*edge.Plan
	for rec, v := range resource.Distributions.All(c.view, resource.Global) {
		plans = append(plans, d.plan(rec, v))
	}
	d.linkStaging(plans)
	d.monitoring()
	fx := &edgeEffects{Local: edge.Local{Cache: c.env.Cache, Places: c.env.Places}, env: c.env, canonical: map[string]string{}, served: d.served}
	for _, v := range resource.OriginAccessIdentities.All(c.view, resource.Global) {
		fx.canonical[v.ID] = v.S3CanonicalUserID
	}
	c.edge = edge.NewService(edge.Options{Plans: plans, Node: c.env.Node, Effects: fx})
	own := &front.Certificate{ID: "CloudFront's default certificate", Names: DefaultCertificate}
	site := front.Site{Handler: c.edge, Service: cloudFront, Certificate: own, TLS: securityPolicies["TLSv1"]}
	c.add(c.front.Name("*.cloudfront.net", site), "distributions")
	for rec, v := range resource.Distributions.All(c.view, resource.Global) {
		if deref(v.Config.Staging) {
			continue // viewers cannot reach it by a name
		}
		hosts := []string{v.DomainName}
		versions := strings.ToLower(deref(v.Config.HttpVersion))
		site.NoHTTP2, site.HTTP3 = !speaksHTTP2(versions), speaksHTTP3(versions) && c.env.NoHTTP3 == ""
		if site.Clients = d.clients(v.Config); site.Clients != nil {
			site.HTTP3 = false
		}
		site.Certificate, site.TLS = own, securityPolicies["TLSv1"]
		c.add(c.front.Name(v.DomainName, site), c.path(rec, "DistributionConfig"))
		site.Certificate, site.TLS = c.viewerCertificate(v.Config), securityPolicies[deref(v.Config.ViewerCertificate.MinimumProtocolVersion)]
		for i, alias := range v.Config.Aliases.Items {
			c.add(c.front.Alias(alias, site), c.path(rec, fmt.Sprintf("DistributionConfig.Aliases[%d]", i)))
			hosts = append(hosts, alias)
		}
		c.front.Endpoint(front.Endpoint{LogicalID: rec.Source.LogicalID, Type: "AWS::CloudFront::Distribution", ID: v.ID, Hosts: hosts})
	}
}

// speaksHTTP2 and speaksHTTP3 read HttpVersion: http1.1, http2, http3 or http2and3. Each has HTTP/1.1 too, and http3 alone
// has no HTTP/2 (DG-downloaddistvaluesgeneral, "Supported HTTP versions").
func speaksHTTP2(version string) bool { return strings.HasPrefix(version, "http2") }
func speaksHTTP3(version string) bool { return version == "http3" || version == "http2and3" }

// viewerHosts are the names by which viewers reach distributions: a client may have signed for one of them instead of for the
// API behind it.
func (c *compiler) viewerHosts() []string {
	var hosts []string
	for _, v := range resource.Distributions.All(c.view, resource.Global) {
		hosts = append(append(hosts, v.DomainName), v.Config.Aliases.Items...)
	}
	return hosts
}

// add reports a name that could not be added.
func (c *compiler) add(err error, path string) {
	if err != nil {
		c.report(diag.Finding{Code: diag.UnknownHost, Severity: diag.Warning, Path: path, Message: err.Error()})
	}
}

func (c *compiler) viewerCertificate(config *cloudfront.DistributionConfig) *front.Certificate {
	if arn := deref(config.ViewerCertificate.ACMCertificateArn); arn != "" {
		if cert := c.certificates[arn]; cert != nil {
			return cert
		}
	}
	return nil
}

// distributionCompiler has what the distributions of one compilation share.
type distributionCompiler struct {
	*compiler
	served   served
	cache    map[string]*edge.CachePolicy
	request  map[string]*edge.OriginRequestPolicy
	response map[string]*edge.ResponseHeadersPolicy
}

func newDistributionCompiler(c *compiler) *distributionCompiler {
	return &distributionCompiler{compiler: c, served: c.served(), cache: map[string]*edge.CachePolicy{}, request: map[string]*edge.OriginRequestPolicy{}, response: map[string]*edge.ResponseHeadersPolicy{}}
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// or returns the value that p points at, otherwise when there is none.
func or[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func (d *distributionCompiler) plan(rec *store.Record, v *resource.Distribution) *edge.Plan {
	c := v.Config
	const config = "DistributionConfig"
	version := strings.ToLower(deref(c.HttpVersion))
	p := &edge.Plan{
		ID: v.ID, ARN: "arn:aws:cloudfront::" + d.env.Account + ":distribution/" + v.ID, Account: d.env.Account, DomainName: v.DomainName,
		Enabled: deref(c.Enabled), Staging: deref(c.Staging), HTTP2: speaksHTTP2(version), HTTP3: speaksHTTP3(version) && d.env.NoHTTP3 == "", IPv6: deref(c.IsIPV6Enabled),
		DefaultRootObject: deref(c.DefaultRootObject), SourcePath: d.path(rec, config),
	}
	for _, a := range c.Aliases.Items {
		p.Aliases = append(p.Aliases, strings.ToLower(a))
	}
	origins := map[string]int{}
	for i, o := range c.Origins.Items {
		origins[deref(o.Id)] = i
		p.Origins = append(p.Origins, d.origin(rec, o, i, p.ARN))
	}
	groups := map[string]int{}
	for i, g := range c.OriginGroups.Items {
		groups[deref(g.Id)] = i
		group := edge.OriginGroup{ID: deref(g.Id), SourcePath: d.path(rec, fmt.Sprintf(config+".OriginGroups.Items[%d]", i))}
		for _, m := range g.Members.Items {
			group.Members = append(group.Members, origins[deref(m.OriginId)])
		}
		if s := deref(g.SelectionCriteria); s != "" && s != "default" {
			d.unsupported(rec, fmt.Sprintf(config+".OriginGroups.Items[%d].SelectionCriteria", i), "there are no CMSD scores of MediaPackage on one node: the primary origin is asked first")
		}
		for _, code := range g.FailoverCriteria.StatusCodes.Items {
			group.FailoverOn = append(group.FailoverOn, int(code))
		}
		p.Groups = append(p.Groups, group)
	}
	if c.CacheBehaviors != nil {
		for i, b := range c.CacheBehaviors.Items {
			pattern, err := edge.ParsePattern(deref(b.PathPattern))
			path := fmt.Sprintf(config+".CacheBehaviors[%d]", i)
			if err != nil { // the service has checked it
				d.report(diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Path: d.path(rec, path), Message: err.Error()})
				continue
			}
			p.Behaviors = append(p.Behaviors, d.behavior(rec, behaviorInput{resource.AsDefault(b), pattern, path, origins, groups}))
		}
	}
	p.Behaviors = append(p.Behaviors, d.behavior(rec, behaviorInput{c.DefaultCacheBehavior, edge.DefaultPattern(), config + ".DefaultCacheBehavior", origins, groups}))
	for i, e := range c.CustomErrorResponses.Items {
		code, _ := strconv.Atoi(deref(e.ResponseCode)) // the service has checked it
		p.ErrorResponses = append(p.ErrorResponses, edge.ErrorResponse{
			Status: int(deref(e.ErrorCode)), PagePath: deref(e.ResponsePagePath), ResponseCode: code,
			MinTTL: seconds(or(e.ErrorCachingMinTTL, 10)), SourcePath: d.path(rec, fmt.Sprintf(config+".CustomErrorResponses[%d]", i))})
	}
	d.settings(rec, p, c)
	d.staticFindings(rec, p)
	return p
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// bucketDomain takes bucket and region out of an S3 origin's domain.
var bucketDomain = regexp.MustCompile(`^(.+)\.s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-\d))?\.amazonaws\.com(?:\.cn)?$`)

func (d *distributionCompiler) origin(rec *store.Record, o *cloudfront.Origin, i int, distribution string) edge.Origin {
	path := fmt.Sprintf("DistributionConfig.Origins[%d]", i)
	out := edge.Origin{
		ID: deref(o.Id), Domain: strings.ToLower(deref(o.DomainName)), Path: deref(o.OriginPath), HTTPPort: 80, HTTPSPort: 443,
		Protocol: edge.OriginMatchViewer, ReadTimeout: 30 * time.Second, KeepaliveTimeout: 5 * time.Second,
		ConnectTimeout: seconds(or(o.ConnectionTimeout, 10)), Attempts: int(or(o.ConnectionAttempts, 3)),
		CompletionTimeout: seconds(deref(o.ResponseCompletionTimeout)),
		SourcePath:        d.path(rec, path), PathSource: d.path(rec, path+".OriginPath"),
	}
	if o.CustomHeaders != nil {
		for _, h := range o.CustomHeaders.Items {
			out.Headers = append(out.Headers, message.Field{Name: deref(h.HeaderName), Value: deref(h.HeaderValue)})
		}
	}
	if s := o.OriginShield; s != nil && deref(s.Enabled) {
		out.ShieldRegion = deref(s.OriginShieldRegion)
	}
	if m := bucketDomain.FindStringSubmatch(out.Domain); m != nil {
		out.Region = m[2]
		if out.Region == "" {
			out.Region = "us-east-1"
		}
	}
	switch {
	case o.S3OriginConfig != nil:
		out.Kind, out.ReadTimeout = edge.S3Origin, seconds(or(o.S3OriginConfig.OriginReadTimeout, 30))
	case o.CustomOriginConfig != nil:
		customOrigin(&out, o.CustomOriginConfig)
		if o.CustomOriginConfig.OriginMtlsConfig != nil {
			out.MutualTLS = true
			d.unsupported(rec, path+".CustomOriginConfig.OriginMtlsConfig", "no certificate is shown to the origin")
		}
	case o.VpcOriginConfig != nil:
		d.vpcOrigin(&out, o.VpcOriginConfig)
	}
	if _, _, _, ok := tlsRange(out.SSLProtocols); !ok {
		setting := ".CustomOriginConfig.OriginSSLProtocols"
		if out.VPC {
			setting = ".VpcOriginConfig"
		}
		d.unsupported(rec, path+setting, "SSLv3 is not offered to the origin, and nothing newer is allowed: requests over HTTPS get 502")
	}
	out.Access = d.access(o, distribution)
	d.signingFinding(rec, &out, path)
	return out
}

func customOrigin(out *edge.Origin, c *cloudfront.CustomOriginConfig) {
	out.HTTPPort, out.HTTPSPort = int(or(c.HTTPPort, 80)), int(or(c.HTTPSPort, 443))
	out.Protocol = originProtocol(c.OriginProtocolPolicy)
	out.ReadTimeout, out.KeepaliveTimeout = seconds(or(c.OriginReadTimeout, 30)), seconds(or(c.OriginKeepaliveTimeout, 5))
	if c.OriginSslProtocols != nil {
		out.SSLProtocols = c.OriginSslProtocols.Items
	}
}

func originProtocol(policy *string) edge.OriginProtocol {
	switch deref(policy) {
	case "http-only":
		return edge.OriginHTTPOnly
	case "https-only":
		return edge.OriginHTTPSOnly
	}
	return edge.OriginMatchViewer
}

// vpcOrigin takes over timeouts from the distribution, and ports, protocol and TLS from the VPC origin that it names.
func (d *distributionCompiler) vpcOrigin(out *edge.Origin, c *cloudfront.VpcOriginConfig) {
	out.VPC = true
	out.ReadTimeout, out.KeepaliveTimeout = seconds(or(c.OriginReadTimeout, 30)), seconds(or(c.OriginKeepaliveTimeout, 5))
	v, ok := resource.VpcOrigins.Get(d.view, resource.Global, deref(c.VpcOriginId))
	if !ok {
		return // the service has checked it
	}
	e := v.Config
	out.HTTPPort, out.HTTPSPort, out.Protocol = int(or(e.HTTPPort, 80)), int(or(e.HTTPSPort, 443)), originProtocol(e.OriginProtocolPolicy)
	if e.OriginSslProtocols != nil {
		out.SSLProtocols = e.OriginSslProtocols.Items
	}
	if !d.env.Origins.Overrides(out.Domain) {
		d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: out.SourcePath + ".VpcOriginConfig",
			Message: fmt.Sprintf("there are no VPCs here: %s is reached as its name resolves on this machine", out.Domain),
			Fixes:   []string{"say where it is: --origin " + out.Domain + "=http://HOST:PORT"}})
	}
}

// access turns an origin access control or identity into what the engine passes on.
func (d *distributionCompiler) access(o *cloudfront.Origin, distribution string) edge.OriginAccess {
	if id := deref(o.OriginAccessControlId); id != "" {
		a := edge.OriginAccess{Kind: edge.AccessControl, ID: id, SourceARN: distribution}
		if v, ok := resource.OriginAccessControls.Get(d.view, resource.Global, id); ok {
			a.OriginType = deref(v.Config.OriginAccessControlOriginType)
			switch deref(v.Config.SigningBehavior) {
			case "never":
				a.Signing = edge.SignNever
			case "no-override":
				a.Signing = edge.SignNoOverride
			}
		}
		return a
	}
	if o.S3OriginConfig != nil {
		if id := strings.TrimPrefix(deref(o.S3OriginConfig.OriginAccessIdentity), "origin-access-identity/cloudfront/"); id != "" {
			return edge.OriginAccess{Kind: edge.AccessIdentity, ID: id, OriginType: "s3", SourceARN: distribution}
		}
	}
	return edge.OriginAccess{}
}

// settings takes over what belongs to the whole distribution, and names what is not honoured.
func (d *distributionCompiler) settings(rec *store.Record, p *edge.Plan, c *cloudfront.DistributionConfig) {
	const config = "DistributionConfig."
	note := func(path, instead string) {
		d.unsupported(rec, config+path, instead)
		p.Unsupported = append(p.Unsupported, edge.Unsupported{Name: lastPart(path), Detail: instead, SourcePath: d.path(rec, config+path)})
	}
	if g := c.Restrictions.GeoRestriction; g != nil && deref(g.RestrictionType) != "none" {
		p.Geo = &edge.GeoRestriction{Allow: deref(g.RestrictionType) == "whitelist", Countries: g.Items, SourcePath: d.path(rec, config+"Restrictions.GeoRestriction")}
		if d.env.Places == nil {
			d.placeUnknown(p.Geo.SourcePath, "the geo restriction excludes nobody")
		}
	}
	d.logging(rec, p, c.Logging)
	if deref(c.WebACLId) != "" {
		note("WebACLId", "no web ACL is evaluated")
	}
	if d.env.NoHTTP3 != "" && speaksHTTP3(strings.ToLower(deref(c.HttpVersion))) {
		note("HttpVersion", "HTTP/3 is neither served nor advertised here: "+d.env.NoHTTP3)
	}
	p.Deployment = d.deployment(deref(c.ContinuousDeploymentPolicyId))
	if v := c.ViewerCertificate; deref(v.ACMCertificateArn) != "" && d.certificates[deref(v.ACMCertificateArn)] == nil {
		d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: d.path(rec, config+"ViewerCertificate.AcmCertificateArn"),
			Message: "the certificate is not one of this account here: the local authority vouches for the aliases instead"})
	}
	if deref(c.ViewerCertificate.IAMCertificateId) != "" {
		d.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Info, Path: d.path(rec, config+"ViewerCertificate.IamCertificateId"),
			Message: "IAM keeps no certificates here: the local authority vouches for the aliases instead"})
	}
	if deref(c.ConnectionMode) == "tenant-only" {
		note("ConnectionMode", "distribution tenants are not served: the distribution answers by its own names")
	}
	if c.TenantConfig != nil {
		note("TenantConfig", "there are no distribution tenants, so parameters stand for nothing")
	}
	if deref(c.AnycastIpListId) != "" {
		note("AnycastIpListId", "a node answers at the addresses where it listens")
	}
	if c.ConnectionFunctionAssociation != nil {
		note("ConnectionFunctionAssociation", "connection functions are not run")
	}
	if v := c.ViewerCertificate; !deref(v.CloudFrontDefaultCertificate) && deref(v.SSLSupportMethod) != "" && deref(v.SSLSupportMethod) != "sni-only" {
		note("ViewerCertificate.SslSupportMethod", "a node has no address for one certificate: viewers without a server name get CloudFront's default certificate")
	}
	if o := c.CacheTagConfig; o != nil {
		note("CacheTagConfig", "objects cannot be invalidated by tag")
	}
	d.viewerMtls(rec, p, c, note)
}
