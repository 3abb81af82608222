package edge

import (
	"strings"
	"time"

	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/trace"
)

// checkAccess applies the geo restriction, the viewer protocol policy and the allowed methods, and checks signed URLs and
// cookies. That the country comes first is our reading: no source has the order.
func (x *exchange) checkAccess() (phase, Reason) {
	b := x.behavior
	if x.plan.Geo != nil {
		if next, reason, ok := x.checkCountry(x.plan.Geo); !ok {
			return next, reason
		}
	}
	if x.viewer.Scheme == "http" {
		switch b.ViewerProtocol {
		case HTTPSOnly:
			return x.refuse(403, ReasonHTTPSRequired, CauseHTTPS, b.Source.ViewerProtocolPolicy)
		case RedirectToHTTPS:
			return x.redirectToHTTPS()
		}
	}
	if x.method&b.Allowed == 0 {
		return x.refuse(403, ReasonMethodNotAllowed, CauseMethod, or(b.Source.AllowedMethods, b.Source.Behavior))
	}
	if x.method == GET && x.viewer.Body != nil && x.viewer.ContentLength != 0 {
		return x.refuse(403, ReasonGETBody, CauseGETBody, "")
	}
	if b.Signers != nil {
		if next, reason, ok := x.checkSignature(); !ok {
			return next, reason
		}
	}
	x.verdict = "allow"
	return viewerRequest, ReasonAllowed
}

// redirectToHTTPS answers 301 to GET and HEAD, 307 to other methods, and refuses those on HTTP/1.0 (facts:
// cloudfront-dataplane 3).
func (x *exchange) redirectToHTTPS() (phase, Reason) {
	status := 301
	if x.method&(GET|HEAD) == 0 {
		if x.viewer.Proto < 2 {
			return x.refuse(403, ReasonRedirectOldProtocol, CauseHTTPS, x.behavior.Source.ViewerProtocolPolicy)
		}
		status = 307
	}
	x.redirect(status)
	x.verdict = "redirect"
	x.hop.Fact(trace.Refused, "Redirect", string(CauseRedirect), x.behavior.Source.ViewerProtocolPolicy)
	return deliver, ReasonRedirect
}

// checkSignature lets requests with a valid signature pass, without the parameters and cookies of the signature: neither the
// cache key nor functions nor the origin see them (private-content-signed-cookies; QueryStringParameters). ok is false when the
// request is answered.
func (x *exchange) checkSignature() (next phase, reason Reason, ok bool) {
	v := &x.viewer
	r := signed.Request{Scheme: v.Scheme, Host: v.Host, Path: v.Path, Query: v.Query, Header: v.Header, Client: v.Client.Addr(), Now: x.now}
	res := x.behavior.Signers.Check(&r)
	if x.hop != nil {
		x.traceSignature(res, &r)
	}
	if res.Problem != signed.OK {
		x.failSigned(res.Problem)
		x.verdict = "deny"
		// A custom error response may take its place: the manual proposes one that leads to a page for signing in
		// (private-content-signed-cookies).
		return errorPage, signedReasons[res.Problem], false
	}
	if res.Source == signed.InURL {
		x.req.Query = res.Query
		x.req.HasQuery = x.req.Query != ""
	}
	x.req.Header = signed.StripCookies(x.req.Header)
	return 0, 0, true
}

// signedReasons and signedCauses say why a signature is refused.
var signedReasons = [...]Reason{
	signed.NoKeyID: ReasonSignatureMissing, signed.UnknownKey: ReasonSignatureKey, signed.NoSignature: ReasonSignatureIncomplete,
	signed.NoPolicy: ReasonSignatureIncomplete, signed.BadPolicy: ReasonSignaturePolicy, signed.BadSignature: ReasonSignatureEncoding,
	signed.BadHash: ReasonSignatureHash, signed.Mismatch: ReasonSignatureMismatch, signed.WrongResource: ReasonSignatureResource,
	signed.Expired: ReasonSignatureExpired, signed.NotYet: ReasonSignatureNotYet, signed.WrongAddress: ReasonSignatureAddress,
}

var signedCauses = [...]Cause{
	signed.NoKeyID: CauseSignatureMissing, signed.UnknownKey: CauseSignatureKey, signed.NoSignature: CauseSignatureMalformed,
	signed.NoPolicy: CauseSignatureMalformed, signed.BadPolicy: CauseSignatureMalformed, signed.BadSignature: CauseSignatureMalformed,
	signed.BadHash: CauseSignatureMalformed, signed.Mismatch: CauseSignatureMismatch, signed.WrongResource: CauseSignatureDenied,
	signed.Expired: CauseSignatureDenied, signed.NotYet: CauseSignatureDenied, signed.WrongAddress: CauseSignatureDenied,
}

// traceSignature records what was checked, and for a refusal what an explanation needs.
func (x *exchange) traceSignature(res signed.Result, r *signed.Request) {
	b := x.behavior
	what := res.Source.String()
	switch {
	case res.Policy == nil:
	case res.Custom:
		what += ", custom policy"
	default:
		what += ", canned policy"
	}
	detail := "trusted keys: " + or(strings.Join(b.Signers.IDs(), ", "), "none")
	if res.KeyID != "" {
		detail = "key " + res.KeyID + "; " + detail
	}
	if res.Policy != nil {
		detail += "; until " + res.Policy.Before.UTC().Format(time.RFC3339)
	}
	x.hop.Step("check-access", what, detail)
	if res.Problem == signed.OK {
		return
	}
	source := or(b.Source.TrustedSigners, b.Source.Behavior)
	code, _ := res.Problem.Answer()
	x.hop.Fact(trace.Refused, code, string(signedCauses[res.Problem]), source)
	because, fixes := b.Signers.Diagnose(res, r, append([]string{x.plan.DomainName}, x.plan.Aliases...))
	if res.Detail != "" {
		because = append(because, res.Detail)
	}
	if res.Problem == signed.WrongAddress {
		because = append(because, "the policy is for "+res.Policy.From.String()+", and the viewer's address is "+x.clientIP())
	}
	for _, text := range because {
		x.hop.Fact(trace.SignatureDiagnosed, "because", trace.RedactTarget(text), source)
	}
	for _, text := range fixes {
		x.hop.Fact(trace.SignatureDiagnosed, "fix", trace.RedactTarget(text), source)
	}
}
