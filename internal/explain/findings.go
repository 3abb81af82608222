package explain

import (
	"fmt"
	neturl "net/url"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/function/url"
	"github.com/foregate/foregate/internal/gateway"
	"github.com/foregate/foregate/internal/gateway/rest"
	"github.com/foregate/foregate/internal/trace"
)

const (
	docManagedORP     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html"
	docHeaders        = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization"
	docQuery          = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/QueryStringParameters.html"
	docOriginPath     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesOrigin.html#DownloadDistValuesOriginPath"
	docPathPattern    = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesPathPattern"
	docViewerMtls     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/mtls-authentication.html"
	docFronting       = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-restrictions"
	docGeo            = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/georestrictions.html"
	docSigV4          = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"
	docProxyResponse  = "https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html#api-gateway-simple-proxy-for-lambda-output-format"
	docLambdaPermit   = "https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html"
	docIAMAuth        = "https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html"
	docOAC            = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html"
	docOACLambda      = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html"
	docURLAuth        = "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
	docVpcOrigins     = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-vpc-origins.html"
	docWebSocket      = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/distribution-working-with.websockets.html"
	docMethods        = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/DownloadDistValuesCacheBehavior.html#DownloadDistValuesAllowedHTTPMethods"
	docLambdaEdgeLogs = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-testing-debugging.html"
)

// dynamic makes findings from what happened to this request.
func dynamic(e *Explanation) []diag.Finding {
	var out []diag.Finding
	var front *trace.Hop // the distribution that the request came through, if any
	for _, h := range e.Hops {
		if h.Component == "cloudfront" {
			front = h
		}
		for _, f := range h.Facts {
			switch f.Kind {
			case trace.Refused:
				if finding, ok := refused(h, front, f); ok {
					out = append(out, finding)
				}
			case trace.FunctionFailed:
				out = append(out, functionFailed(f))
			case trace.VPCRestricted:
				out = append(out, diag.Finding{Code: diag.VPCOriginRestricted, Severity: diag.Error, Path: f.Path, Doc: docVpcOrigins,
					Message: fmt.Sprintf("VPC origins do not support %s: %s", f.Name, f.Detail),
					Fixes:   []string{"make the endpoint public, and name it with CustomOriginConfig"}})
			case trace.Unsupported:
				out = append(out, diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: f.Path,
					Message: fmt.Sprintf("%s applied to this request, and Foregate does not honour it", f.Name),
					Because: nonEmpty(f.Detail)})
			}
		}
	}
	for _, h := range e.Hops {
		if h.Component == "cloudfront" {
			if f, ok := names(h, trace.PlaceUnknown, ""); ok {
				out = append(out, placeUnknown(f))
			}
			out = append(out, dropped(h, e)...)
		}
	}
	if len(e.Hops) == 0 && slices.Contains(e.Response.Headers, [2]string{"Foregate-Error", string(diag.UnknownHost)}) {
		out = append(out, nobody(e.Request.URL))
	}
	return out
}

// placeUnknown is the finding about a viewer of whom nothing is known.
func placeUnknown(f trace.Fact) diag.Finding {
	return diag.Finding{Code: diag.ViewerPlaceUnknown, Severity: diag.Warning, Path: f.Path, Doc: docGeo,
		Message: fmt.Sprintf("nothing is known of the viewer's address %s, and %s needs its place", f.Detail, f.Name),
		Because: []string{"a viewer whose country is not known is served, and headers about the place are not added"},
		Fixes:   []string{"name a database in MaxMind's format: --geoip GeoLite2-City.mmdb", "place the address by hand: --geoip " + f.Detail + "=DE"}}
}

// nobody is the finding about a request that reached no service.
func nobody(address string) diag.Finding {
	host := address
	if u, err := neturl.Parse(address); err == nil {
		host = u.Host
	}
	return diag.Finding{Code: diag.UnknownHost, Severity: diag.Error, Message: fmt.Sprintf("nothing here is called %q: the request reached no service", host),
		Because: []string{"a name is served when AWS gives it to a resource of the stack, or an alias, a custom domain or a Route 53 record has it"},
		Fixes:   []string{"ask for a name that foregate up prints, or for a logical id: https://LOGICALID/path", "add the name to a distribution's Aliases, or make it a custom domain of the API"}}
}

func nonEmpty(s ...string) []string {
	var out []string
	for _, v := range s {
		if v != "" {
			out = append(out, v)
		}
	}
	return out
}

// fact returns the first fact of a kind; ok is false without one, or without a hop.
func fact(h *trace.Hop, kind trace.FactKind) (trace.Fact, bool) {
	if h != nil {
		for _, f := range h.Facts {
			if f.Kind == kind {
				return f, true
			}
		}
	}
	return trace.Fact{}, false
}

// refusal is an error that a component made itself.
type refusal struct {
	*trace.Hop
	// front is the distribution before the component, nil without one.
	front *trace.Hop
	fact  trace.Fact
}

// finding begins a finding about the refusal.
func (r refusal) finding(code diag.Code, message string, fixes ...string) diag.Finding {
	return diag.Finding{Code: code, Severity: diag.Error, Path: r.fact.Path, Message: message, Fixes: fixes}
}

// because is finding with the reason of the last step of one of the phases.
func (r refusal) because(code diag.Code, message string, fixes ...string) diag.Finding {
	f := r.finding(code, message, fixes...)
	f.Because = lastReason(r.Hop, "authorize", "check-access", "fetch", "viewer-request", "origin-request", "integrate", "validate", "throttle", "route", "get")
	return f
}

// refused explains an error that a component made itself; ok is false where the step says all there is.
func refused(h, front *trace.Hop, f trace.Fact) (diag.Finding, bool) {
	r := refusal{h, front, f}
	switch h.Component {
	case "cloudfront":
		return r.cloudFront()
	case "s3":
		return r.bucket()
	case "lambda-url":
		return r.functionURL(), true
	}
	return r.gateway()
}

func (r refusal) cloudFront() (diag.Finding, bool) {
	switch edge.Cause(r.fact.Detail) {
	case edge.CauseUnknownHost:
		return r.finding(diag.UnknownHost, "no distribution has this name: CloudFront finds the distribution by the Host header",
			"add the name to the distribution's Aliases, with a certificate for it"), true
	case edge.CauseFronting:
		f := r.finding(diag.DomainFronting, fmt.Sprintf("the connection was made to %q, and the request is for another name: CloudFront takes it for domain fronting", r.fact.Name),
			"connect to the name that the request is for: with curl, --connect-to or --resolve in place of -H 'Host: …'")
		f.Because = []string{"the server name of TLS is not the Host", "its certificate is CloudFront's own: it belongs to no account, and covers names of cloudfront.net only"}
		f.Doc = docFronting
		return f, true
	case edge.CauseNoCertificate:
		f := r.finding(diag.ViewerCertificateMissing, "the distribution asks viewers for a certificate (ViewerMtlsConfig), and this request has none: on a connection the handshake fails",
			"show one that an authority of the trust store has issued: with curl, --cert and --key")
		f.Doc = docViewerMtls
		return f, true
	case edge.CauseDisabled:
		return r.finding(diag.AccessDenied, "the distribution is disabled", "set Enabled to true"), true
	case edge.CauseMethod:
		f := r.because(diag.ViewerProtocolDropsMethod, "the behavior does not allow the method", "add it: AllowedMethods [GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE]")
		f.Doc = docMethods
		return f, true
	case edge.CauseCountry:
		f := r.because(diag.CountryRestricted, fmt.Sprintf("the geo restriction of the distribution excludes %s, where the viewer is", r.fact.Name),
			"change Restrictions.GeoRestriction", "ask from elsewhere: --geoip places an address by hand, as 127.0.0.1=DE")
		f.Doc = docGeo
		return f, true
	case edge.CauseHTTPS:
		return r.finding(diag.ViewerProtocolDropsMethod, "the behavior takes HTTPS only", "ask by https, or set ViewerProtocolPolicy to redirect-to-https"), true
	case edge.CauseRedirect:
		f := r.finding(diag.ViewerProtocolDropsMethod, "the behavior redirects HTTP to HTTPS: nothing has reached the origin", "ask by https")
		f.Severity = diag.Info
		return f, true
	case edge.CauseSignatureMissing, edge.CauseSignatureKey, edge.CauseSignatureMalformed, edge.CauseSignatureMismatch, edge.CauseSignatureDenied:
		return r.signed(edge.Cause(r.fact.Detail))
	case edge.CauseOriginDNS, edge.CauseOriginConnect, edge.CauseOriginTLS, edge.CauseOriginTimeout, edge.CauseOriginClosed, edge.CauseOriginInvalid, edge.CauseOriginRange:
		return r.because(diag.OriginUnreachable, "CloudFront got no answer from the origin",
			"check the origin's domain name, port, protocol policy and certificate", "send the host elsewhere with --origin HOST=URL"), true
	case edge.CauseOriginTooLarge:
		return r.because(diag.OriginUnreachable, "CloudFront did not take the origin's answer",
			"ask for it in ranges of at most 50 GB each", "let a behavior with the cache policy CachingDisabled pass it on"), true
	case edge.CauseFunctionInvalid, edge.CauseFunctionFailed, edge.CauseFunctionThrottle:
		kind := "a Lambda@Edge function"
		if strings.HasPrefix(r.fact.Name, "Function") {
			kind = "a CloudFront Function"
		}
		f := r.because(diag.FunctionFailed, kind+" failed, and CloudFront answered with an error page", "read the function's log, and mend the function")
		f.Doc = docLambdaEdgeLogs
		return f, true
	case edge.CauseErrorPage:
		f := r.finding(diag.ErrorPageHidesAPIError, fmt.Sprintf("the origin answered %s, and a custom error response replaced its answer", r.fact.Name),
			"remove the custom error response for this status: it applies to every behavior, the API's as well")
		f.Severity = diag.Warning
		return f, true
	}
	return diag.Finding{}, false
}

func (r refusal) bucket() (diag.Finding, bool) {
	f := r.because(diag.AccessDenied, "the bucket refused the request",
		"give the origin an origin access control, and let the bucket policy allow s3:GetObject to cloudfront.amazonaws.com with AWS:SourceArn of the distribution")
	f.Doc = docOAC
	switch r.fact.Detail {
	case bucket.CauseMissingKey:
		return f, false
	case bucket.CauseMissingKeyNoList:
		f.Message = "the object does not exist; S3 says so only to callers that may list the bucket, and AccessDenied to others"
		f.Fixes = []string{"upload the object, or check the key", "allow s3:ListBucket on the bucket as well, if missing keys should be 404"}
	case bucket.CausePublicRestricted:
		f.Message = "the bucket policy makes the bucket public, and the public access block forbids that"
	}
	return f, true
}

func (r refusal) functionURL() diag.Finding {
	var f diag.Finding
	switch r.fact.Detail {
	case url.CauseUnknownHost:
		f = r.because(diag.UnknownHost, "no function URL has the name that the request asks for",
			"forward no Host to a function URL: use the managed origin request policy AllViewerExceptHostHeader")
		if host, ok := fact(r.front, trace.HostForwarded); ok {
			f.Path = host.Path
		}
	case url.CausePayloadHash:
		f = r.because(diag.OACNeedsPayloadHash, "the body has no valid hash: CloudFront signs the request without its body, and Lambda takes no unsigned body",
			"let the client send the body's SHA-256 in hexadecimal in x-amz-content-sha256")
		f.Doc = docOACLambda
	case url.CauseNotAllowed:
		f = r.because(diag.AccessDenied, "the function's policy does not allow the call",
			"give the caller lambda:InvokeFunctionUrl and lambda:InvokeFunction, with an AWS::Lambda::Permission each",
			"for a distribution with an origin access control: Principal cloudfront.amazonaws.com and SourceArn of the distribution")
		f.Doc = docURLAuth
	default:
		f = r.because(diag.AccessDenied, "the function URL refused the request")
		f.Doc = docURLAuth
	}
	return f
}

func (r refusal) gateway() (diag.Finding, bool) {
	switch r.fact.Detail {
	case gateway.CauseUnknownHost:
		return unknownHost(r.Hop, r.front, r.fact), true
	case gateway.CauseUnknownStage:
		return unknownStage(r.Hop, r.front, r.fact), true
	case rest.CauseUnknownResource, rest.CauseUnknownMethod:
		return noRoute(r.Hop, r.front, r.fact), true
	case rest.CauseMissingAuthentication, rest.CauseIncompleteSignature:
		f := r.because(diag.AccessDenied, "the request that reached the API has no valid SigV4 signature, which AWS_IAM asks for",
			"sign the request for service execute-api, for the host that the API sees")
		f.Doc = docIAMAuth
		return f, true
	case rest.CauseSignatureMismatch:
		return mismatch(r.Hop, r.front, r.fact), true
	case rest.CauseLambdaPermission:
		f := r.because(diag.PermissionMissing, "API Gateway may not invoke the function: the function's policy does not allow it",
			"add an AWS::Lambda::Permission with Principal apigateway.amazonaws.com and SourceArn arn:aws:execute-api:REGION:ACCOUNT:API/*")
		f.Because = append(f.Because, "API Gateway hides this behind 500 Internal server error")
		f.Doc = docLambdaPermit
		return f, true
	case rest.CauseMalformedResponse:
		f := r.because(diag.FunctionFailed, "the function returned something that is no proxy response, so API Gateway answered 502",
			"return an object with an integer statusCode, optional headers, and a body that is a string")
		f.Doc = docProxyResponse
		return f, true
	case rest.CauseFunctionMissing, rest.CauseInvokeFailed, rest.CauseFunctionError:
		return r.because(diag.FunctionFailed, "the function failed, and API Gateway hides how", "read the function's log, and mend the function"), true
	case rest.CauseIntegrationNetwork, rest.CauseIntegrationTimeout, rest.CauseInvalidEndpoint:
		return r.because(diag.OriginUnreachable, "API Gateway got no answer from the integration's backend", "check the integration's Uri", "send the host elsewhere with --origin HOST=URL"), true
	}
	f := r.because(diag.AccessDenied, "the API refused the request: "+strings.ReplaceAll(r.fact.Detail, "-", " "))
	f.Doc = docIAMAuth
	return f, true
}

// lastReason quotes the reason of the last step that belongs to one of the phases.
func lastReason(h *trace.Hop, phases ...string) []string {
	for i := len(h.Steps) - 1; i >= 0; i-- {
		for _, p := range phases {
			if h.Steps[i].Phase == p {
				return nonEmpty(h.Steps[i].Reason)
			}
		}
	}
	return nil
}

func unknownHost(h, front *trace.Hop, f trace.Fact) diag.Finding {
	host, forwarded := fact(front, trace.HostForwarded)
	if !forwarded {
		return diag.Finding{Code: diag.UnknownHost, Severity: diag.Error, Path: f.Path,
			Message: "no API and no custom domain has the name that the request asks for",
			Because: append(lastReason(h, "route"), "API Gateway finds the API by the Host header"),
			Fixes:   []string{"use the API's own host, or make an AWS::ApiGateway::DomainName and a base path mapping for this name"}}
	}
	return diag.Finding{Code: diag.HostReachesExecuteAPI, Severity: diag.Error, Path: host.Path, Doc: docManagedORP,
		Message: fmt.Sprintf("CloudFront sent the viewer's Host %q to the API, and no API or custom domain has that name", host.Name),
		Because: []string{
			fmt.Sprintf("the request went to %s, but with Host: %s", orDefault(host.Detail, "the API's host"), host.Name),
			"API Gateway finds the API by the Host header, and answers 403 Forbidden to a name that is nobody's"},
		Fixes: []string{
			"use the managed origin request policy AllViewerExceptHostHeader (b689b0a8-53d0-40ab-baf2-68738e2966ac)",
			"give the API a custom domain (AWS::ApiGateway::DomainName) with the name that viewers use",
			"set Host to the API's own name in a Lambda@Edge function on origin-request"}}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func unknownStage(h, front *trace.Hop, f trace.Fact) diag.Finding {
	out := diag.Finding{Code: diag.OriginPathMissesStage, Severity: diag.Error, Path: f.Path, Doc: docOriginPath,
		Message: "the path that reached the API does not begin with one of its stages",
		Because: append(lastReason(h, "route"), "on the API's default host the first part of the path is the stage")}
	added, ok := fact(front, trace.OriginPathAdded)
	if !ok {
		out.Fixes = []string{"put the stage in front of the path"}
		return out
	}
	out.Path = added.Path
	switch {
	case added.Name == "":
		out.Because = append(out.Because, "the origin has no OriginPath, so the viewer's path was taken for stage and path")
		out.Fixes = []string{"set the origin's OriginPath to the stage, such as /prod",
			"use a custom domain with a base path mapping: it needs no stage in the path"}
	default:
		out.Because = append(out.Because, fmt.Sprintf("the origin's OriginPath %q makes the path %s", added.Name, added.Detail))
		out.Fixes = []string{"set the origin's OriginPath to the name of a stage that is deployed"}
	}
	return out
}

// noRoute explains Missing Authentication Token and its kin for a path or method that the API does not have.
func noRoute(h, front *trace.Hop, f trace.Fact) diag.Finding {
	out := diag.Finding{Code: diag.PathPatternIsNoAlias, Severity: diag.Error, Path: f.Path, Doc: docPathPattern,
		Message: "the API has no resource and method for the request",
		Because: append(lastReason(h, "route"), "API Gateway answers an unknown path as if it were an unsigned IAM call: Missing Authentication Token"),
		Fixes:   []string{"add the resource and method to the API, and deploy it"}}
	matched, ok := fact(front, trace.BehaviorMatched)
	if added, has := fact(front, trace.OriginPathAdded); has && doubled(added) {
		out.Code, out.Path, out.Doc = diag.OriginPathMissesStage, added.Path, docOriginPath
		out.Because = append(out.Because, fmt.Sprintf("the viewer's path already begins with the stage, and OriginPath %q adds it again: %s", added.Name, added.Detail))
		out.Fixes = []string{"ask for the path without the stage", "remove the origin's OriginPath"}
		return out
	}
	if prefix := literalPrefix(matched.Name); ok && prefix != "/" {
		out.Path = matched.Path
		out.Because = append(out.Because,
			fmt.Sprintf("the path pattern %q chooses the behavior and removes nothing: %s reaches the origin", matched.Name, matched.Detail))
		out.Fixes = []string{
			fmt.Sprintf("give the API the resource %s{proxy+}", prefix),
			"rewrite the path in a function on viewer-request or origin-request",
			"use a custom domain with a base path mapping for the prefix"}
		return out
	}
	out.Code = diag.AccessDenied
	return out
}

// doubled tells whether the path that was sent has the origin path twice.
func doubled(f trace.Fact) bool {
	return f.Name != "" && strings.HasPrefix(f.Detail, f.Name+f.Name+"/") || f.Name != "" && f.Detail == f.Name+f.Name
}

// literalPrefix returns the whole segments of a pattern that stand before its first wildcard: /api/ of /api/*.
func literalPrefix(pattern string) string {
	p := "/" + strings.TrimPrefix(pattern, "/")
	if i := strings.IndexAny(p, "*?"); i >= 0 {
		p = p[:i]
	}
	return p[:strings.LastIndexByte(p, '/')+1]
}

func mismatch(h, front *trace.Hop, f trace.Fact) diag.Finding {
	out := diag.Finding{Code: diag.SignatureForAnotherHost, Severity: diag.Error, Path: f.Path, Doc: docSigV4,
		Message: "the SigV4 signature is not valid for the request that reached the API",
		Because: lastReason(h, "authorize")}
	signed, ok := fact(h, trace.SignatureChecked)
	if ok && signed.Name != "" && signed.Name != signed.Detail {
		out.Message = fmt.Sprintf("the client signed for host %q, and the API received host %q", signed.Name, signed.Detail)
	}
	if front == nil {
		out.Fixes = []string{"check the secret key, the region, and that nothing changes the request after it was signed"}
		return out
	}
	if chosen, has := fact(front, trace.OriginChosen); has {
		out.Path = chosen.Path
	}
	out.Because = append(out.Because, "CloudFront is between client and API: a signature made for CloudFront's name does not fit what the API sees")
	out.Fixes = []string{
		"sign again in a Lambda@Edge function on origin-request, with the function's role",
		"give the API a custom domain with the name that the client signs for, and forward Host (AllViewer)",
		"sign for the API's own host, and forward exactly what was signed"}
	return out
}

func functionFailed(f trace.Fact) diag.Finding {
	return diag.Finding{Code: diag.FunctionFailed, Severity: diag.Error, Path: f.Path, Doc: docLambdaEdgeLogs,
		Message: fmt.Sprintf("the function %s failed: %s", f.Name, f.Detail),
		Fixes:   []string{"read the function's log, and mend the function"}}
}

// cachedForAll is the finding about an answer that is the viewer's alone, and that AWS may give to others.
func cachedForAll(f trace.Fact, has string) diag.Finding {
	return diag.Finding{Code: diag.AuthorizedResponseCachedForAll, Severity: diag.Warning, Path: f.Path, Doc: docHeaders,
		Message: "the origin got the viewer's Authorization, its answer may be cached, and Authorization is not in the cache key",
		Because: nonEmpty("other viewers can get the answer without the origin being asked whether they may", has,
			"Foregate keeps such an answer only when the origin says public, s-maxage or must-revalidate; CloudFront's manual promises no such care"),
		Fixes: []string{"put Authorization into the cache key: a cache policy with the header Authorization",
			"do not cache: the managed cache policy CachingDisabled", "let the origin answer with Cache-Control: private, and keep the minimum TTL at 0"}}
}

// dropped reports what the viewer sent and the origin did not get.
func dropped(h *trace.Hop, e *Explanation) []diag.Finding {
	if h.Sent == nil {
		return nil // answered without the origin: nothing was lost on the way
	}
	severity := diag.Warning
	if e.Response.Status == 401 || e.Response.Status == 403 {
		severity = diag.Error
	}
	policies, _ := fact(h, trace.PoliciesApplied)
	has := ""
	if policies.Name != "" {
		has = "the behavior has " + policies.Name
	}
	var out []diag.Finding
	if f, ok := fact(h, trace.AuthorizationShared); ok {
		out = append(out, cachedForAll(f, has))
	}
	if f, lost := names(h, trace.HeaderDropped, "Authorization"); lost {
		out = append(out, diag.Finding{Code: diag.AuthorizationNotForwarded, Severity: severity, Path: f.Path, Doc: docHeaders,
			Message: fmt.Sprintf("the viewer sent Authorization, and CloudFront removed it from the %s to the origin", e.Request.Method),
			Because: nonEmpty(f.Detail, has),
			Fixes: []string{
				"use the managed origin request policy AllViewerExceptHostHeader: it forwards Authorization",
				"use a cache policy with Authorization in the cache key, and TTLs such as 0/0/1"}})
	}
	out = append(out, corsDropped(h, e, has)...)
	if f, lost := names(h, trace.HeaderDropped, "Sec-WebSocket-Key"); lost {
		out = append(out, diag.Finding{Code: diag.WebSocketHeadersDropped, Severity: diag.Error, Path: f.Path, Doc: docWebSocket,
			Message: "the WebSocket handshake reached the origin without Sec-WebSocket-Key: no server can accept it",
			Because: nonEmpty(f.Detail, has),
			Fixes: []string{"use the managed origin request policy AllViewer or AllViewerExceptHostHeader",
				"name Sec-WebSocket-Key, -Version, -Protocol, -Accept and -Extensions in the origin request policy"}})
	}
	if f, lost := names(h, trace.QueryDropped, ""); lost {
		out = append(out, diag.Finding{Code: diag.QueryStringDropped, Severity: diag.Warning, Path: f.Path, Doc: docQuery,
			Message: "the viewer's query string did not reach the origin: " + f.Name, Because: nonEmpty(f.Detail, has),
			Fixes: []string{"use an origin request policy that forwards query strings, such as AllViewerExceptHostHeader",
				"name the parameters in the cache policy, if the answer depends on them"}})
	}
	if f, lost := names(h, trace.CookieDropped, ""); lost {
		out = append(out, diag.Finding{Code: diag.CookieDropped, Severity: diag.Info, Path: f.Path,
			Message: "the viewer's cookies did not reach the origin: " + f.Name, Because: nonEmpty(f.Detail, has),
			Fixes: []string{"forward them with an origin request policy, or name them in the cache policy if the answer depends on them"}})
	}
	return out
}

// names joins the facts of a kind into one, with all their names; only says which name alone counts, "" for all.
func names(h *trace.Hop, kind trace.FactKind, only string) (all trace.Fact, ok bool) {
	for _, f := range h.Facts {
		if f.Kind != kind || only != "" && !strings.EqualFold(f.Name, only) {
			continue
		}
		if !ok {
			all, ok = f, true
		} else {
			all.Name += ", " + f.Name
		}
	}
	return all, ok
}
