package compile

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const (
	docManagedRequest = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html"
	docOriginPath     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html#DownloadDistValuesOriginPath"
	docAuthorization  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization"
	docEndpointTypes  = "https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-endpoint-types.html"
	docVpcOrigins     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html"
	docPathPattern    = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern"
)

// executeAPI takes API id and region out of a default endpoint.
var executeAPI = regexp.MustCompile(`^([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$`)

// staticFindings reports what is wrong with a distribution whatever the request.
func (d *distributionCompiler) staticFindings(rec *store.Record, p *edge.Plan) {
	d.twoCloudFronts(p)
	for i := range p.Behaviors {
		b := &p.Behaviors[i]
		for _, earlier := range p.Behaviors[:i] {
			if !edge.Subsumes(earlier.Pattern, b.Pattern) {
				continue
			}
			if i == len(p.Behaviors)-1 {
				d.report(diag.Finding{Code: diag.BehaviorUnreachable, Severity: diag.Info, Path: b.Source.Behavior, Doc: docPathPattern,
					Message: fmt.Sprintf("no request reaches the default behavior: %q takes every path before it", earlier.Pattern.Source)})
			} else {
				d.report(diag.Finding{Code: diag.BehaviorUnreachable, Severity: diag.Warning, Path: b.Source.Behavior, Doc: docPathPattern,
					Message: fmt.Sprintf("no request reaches the behavior %q: %q comes before it and takes every path that it matches", b.Pattern.Source, earlier.Pattern.Source),
					Fixes:   []string{fmt.Sprintf("put %q before %q", b.Pattern.Source, earlier.Pattern.Source)}})
			}
			break
		}
		d.headerFindings(b)
		switch {
		case b.Origin >= 0:
			d.originFindings(p, b, &p.Origins[b.Origin])
		case b.Group >= 0:
			for _, member := range p.Groups[b.Group].Members {
				d.originFindings(p, b, &p.Origins[member])
			}
		}
	}
}

func (d *distributionCompiler) originFindings(p *edge.Plan, b *edge.Behavior, o *edge.Origin) {
	d.apiFindings(p, b, o)
	if o.VPC {
		d.vpcFindings(b, o)
	}
}

// vpcFindings names what a behavior asks for and a VPC origin does not support (DG-private-content-vpc-origins, "Protocol and
// Feature Restrictions").
func (d *distributionCompiler) vpcFindings(b *edge.Behavior, o *edge.Origin) {
	report := func(path, what, effect, fix string) {
		d.report(diag.Finding{Code: diag.VPCOriginRestricted, Severity: diag.Warning, Path: path, Doc: docVpcOrigins,
			Message: fmt.Sprintf("the origin %s is a VPC origin, which does not support %s: %s", o.ID, what, effect), Fixes: []string{fix}})
	}
	for _, e := range []edge.Event{edge.OriginRequest, edge.OriginResponse} {
		if a := b.Lambda[e]; a != nil {
			report(a.SourcePath, "Lambda@Edge on "+e.String(), "the function is not run", "associate the function with viewer-request or viewer-response")
		}
	}
	if b.GRPC {
		report(b.Source.Behavior, "gRPC", "calls get 502", "make the endpoint public, with CustomOriginConfig")
	}
}

// twoCloudFronts reports origins that are edge-optimized APIs or domains: they are a distribution of API Gateway's own.
func (d *distributionCompiler) twoCloudFronts(p *edge.Plan) {
	for i := range p.Origins {
		o := &p.Origins[i]
		what := ""
		if m := executeAPI.FindStringSubmatch(o.Domain); m != nil && resource.EdgeOptimizedAPI(d.view, m[2], m[1]) {
			what = "edge-optimized, which is the default"
		} else if resource.EdgeOptimizedDomain(d.view, o.Domain) {
			what = "an edge-optimized custom domain"
		}
		if what == "" {
			continue
		}
		d.report(diag.Finding{Code: diag.EdgeOptimizedBehindDistribution, Severity: diag.Info, Path: o.SourcePath, Doc: docEndpointTypes,
			Message: fmt.Sprintf("the API behind the origin %s is %s: on AWS requests pass two CloudFronts in a row", o.ID, what),
			Because: []string{"API Gateway puts a distribution of its own in front of an edge-optimized endpoint: a second hop, and a second X-Cache, Via and X-Amz-Cf-Id"},
			Fixes:   []string{"set EndpointConfiguration to {Types: [REGIONAL]}"}})
	}
}

// headerFindings tells of CloudFront-* headers that a behavior's policies ask for and of which nothing is known.
func (d *distributionCompiler) headerFindings(b *edge.Behavior) {
	if b.Forward == nil {
		return
	}
	places := slices.DeleteFunc(slices.Clone(b.Forward.Asked()), func(name string) bool { return !edge.Locates(name) })
	if len(places) == 0 || d.env.Places != nil {
		return
	}
	s := &b.Source
	d.placeUnknown(cmp.Or(s.OriginRequestPolicy, s.CachePolicy, s.ForwardedValues, s.Behavior), "the origin does not get "+strings.Join(places, ", "))
}

// placeUnknown reports what happens for want of a database of addresses.
func (d *distributionCompiler) placeUnknown(path, effect string) {
	d.report(diag.Finding{Code: diag.ViewerPlaceUnknown, Severity: diag.Warning, Path: path, Message: effect + ": nobody has said where viewers are",
		Because: []string{"CloudFront looks the viewer's address up in a database, and serves viewers of whom it knows nothing"},
		Fixes:   []string{"name a database in MaxMind's format: --geoip GeoLite2-City.mmdb", "place addresses by hand, to try a country: --geoip 127.0.0.1=DE"}})
}

// apiFindings are about a behavior whose origin is the default endpoint of an API.
func (d *distributionCompiler) apiFindings(p *edge.Plan, b *edge.Behavior, o *edge.Origin) {
	m := executeAPI.FindStringSubmatch(o.Domain)
	if m == nil {
		return
	}
	custom := d.aliasIsCustomDomain(p)
	if b.Forward != nil && b.Forward.ForwardsHost() && b.Lambda[edge.OriginRequest] == nil && !custom {
		setting, name := b.Source.OriginRequestPolicy, "the origin request policy"
		if b.Forward.Legacy {
			setting, name = b.Source.ForwardedValues, "ForwardedValues"
		} else if keyHasHost(b) {
			setting, name = b.Source.CachePolicy, "the cache policy"
		}
		d.report(diag.Finding{
			Code: diag.HostReachesExecuteAPI, Severity: diag.Error, Path: setting, Doc: docManagedRequest,
			Message: fmt.Sprintf("%s forwards the viewer's Host header to %s, which answers 403 Forbidden", name, o.Domain),
			Because: []string{"API Gateway finds the API by the Host header, and the viewer's Host is the distribution's name or an alias"},
			Fixes: []string{
				"use the managed origin request policy AllViewerExceptHostHeader (b689b0a8-53d0-40ab-baf2-68738e2966ac)",
				"give the API a custom domain (AWS::ApiGateway::DomainName) with the name that viewers use",
				"set Host to the API's own name in a Lambda@Edge function on origin-request"}})
	}
	d.cachedForAll(b, m[1], m[2])
	d.stageFinding(o, m[1], m[2], custom && b.Forward != nil && b.Forward.ForwardsHost())
}

// cachedForAll reports a behavior that passes Authorization on to an API that asks for it, caches the answers, and does not tell
// the senders apart.
func (d *distributionCompiler) cachedForAll(b *edge.Behavior, api, region string) {
	if !b.SharesAuthorized() {
		return
	}
	how := resource.AuthorizedMethod(d.view, region, api)
	if how == "" {
		return
	}
	d.report(diag.Finding{
		Code: diag.AuthorizedResponseCachedForAll, Severity: diag.Warning, Path: cmp.Or(b.Source.CachePolicy, b.Source.ForwardedValues, b.Source.Behavior), Doc: docAuthorization,
		Message: fmt.Sprintf("answers of an API with %s authorization are cached, and Authorization is not in the cache key: one viewer can get what is another's", how),
		Because: []string{"all viewer headers are forwarded, Authorization among them, and the cache policy lets answers be stored", "a hit does not reach the API: nobody is asked who is there"},
		Fixes: []string{"put Authorization into the cache key: a cache policy with the header Authorization",
			"do not cache: the managed cache policy CachingDisabled (4135ea2d-6df8-44a3-9df3-4b5a84be39ad)"}})
}

func keyHasHost(b *edge.Behavior) bool {
	for _, h := range b.Forward.KeyHeaders {
		if h == "host" {
			return true
		}
	}
	return false
}

// aliasIsCustomDomain tells whether one of the distribution's names is a custom domain of an API: Host is right then.
func (d *distributionCompiler) aliasIsCustomDomain(p *edge.Plan) bool {
	for _, name := range resource.CustomDomains(d.view) {
		for _, alias := range p.Aliases {
			if strings.EqualFold(name, alias) {
				return true
			}
		}
	}
	return false
}

// stageFinding reports an origin path that names no stage of an API of this store. What a function or a custom domain makes of
// the path is not known here, so only an origin path that can never be right is reported.
func (d *distributionCompiler) stageFinding(o *edge.Origin, api, region string, byCustomDomain bool) {
	stages := resource.StageNames(d.view, region, api)
	if len(stages) == 0 || byCustomDomain {
		return
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(o.Path, "/"), "/")
	if first == "" {
		d.report(diag.Finding{Code: diag.OriginPathMissesStage, Severity: diag.Info, Path: o.SourcePath, Doc: docOriginPath,
			Message: fmt.Sprintf("the origin %s has no OriginPath: viewers must put the stage in front of the path", o.ID),
			Because: []string{"on the default endpoint the first part of the path is the stage: " + strings.Join(stages, ", ")},
			Fixes:   []string{"set OriginPath to /" + stages[0]}})
		return
	}
	for _, s := range stages {
		if s == first {
			return
		}
	}
	d.report(diag.Finding{Code: diag.OriginPathMissesStage, Severity: diag.Error, Path: o.PathSource, Doc: docOriginPath,
		Message: fmt.Sprintf("OriginPath %q names no stage of the API: every request is answered 403 Forbidden", o.Path),
		Because: []string{"the API's stages are " + strings.Join(stages, ", ")},
		Fixes:   []string{"set OriginPath to /" + stages[0]}})
}
