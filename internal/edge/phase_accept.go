package edge

import (
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Limits of a request (facts: cloudfront-dataplane 4).
const (
	maxURL  = 8192
	maxHead = 32768
	maxBody = 64 << 30 // DG-cloudfront-limits
)

// accept checks what concerns the request as such, before any behavior is looked at.
func (x *exchange) accept() (phase, Reason) {
	if x.hop != nil {
		for _, u := range x.plan.Unsupported {
			x.hop.Fact(trace.Unsupported, u.Name, u.Detail, u.SourcePath)
		}
	}
	r := &x.viewer
	target := len(r.Path) + len(r.Query) + 1
	switch {
	case x.misdirected():
		x.misdirect()
		x.verdict = "deny"
		x.hop.Fact(trace.Refused, r.TLS.ServerName, string(CauseFronting), "")
		return deliver, ReasonFronting
	case x.plan.ClientCertificates == RequiredCertificates && r.Scheme == "https" && (r.TLS == nil || r.TLS.Certificate == nil):
		// On a connection the handshake has failed: this is a request that has none, of an explanation or from within.
		return x.refuse(403, ReasonNoCertificate, CauseNoCertificate, x.plan.SourcePath)
	case !x.plan.Enabled:
		// A disabled distribution gives up its names, so it answers as an unknown Host does.
		return x.refuse(403, ReasonDisabled, CauseDisabled, x.plan.SourcePath)
	case len(r.Scheme)+3+len(r.Host)+target > maxURL:
		x.res.close = true
		return x.refuse(414, ReasonURITooLong, CauseURITooLong, "")
	}
	head := len(r.Method) + target + len("  HTTP/1.1\r\nHost: \r\n\r\n") + len(r.Host)
	for i := range r.Header {
		head += len(r.Header[i].Name) + len(r.Header[i].Value) + 4
	}
	if head > maxHead {
		return x.refuse(494, ReasonHeadTooBig, CauseHeadTooBig, "")
	}
	if r.ContentLength > maxBody {
		return x.refuse(413, ReasonBodyTooBig, CauseBodyTooBig, "")
	}
	if x.method == 0 || len(r.Path) == 0 || r.Path[0] != '/' { // OPTIONS * has nothing to match a behavior with
		return x.refuse(403, ReasonBadMethod, CauseMethod, "")
	}
	if passedDistributions(r) >= maxChain {
		return x.refuse(403, ReasonChain, CauseChain, "")
	}
	if d := x.plan.Deployment; d != nil {
		x.deploy(d)
	}
	return matchBehavior, ReasonAccepted
}

// maxChain is how many distributions a request may have passed before (facts: cloudfront-dataplane 1, chained distributions;
// the manual contradicts itself by one, and this is the looser reading). It also ends a distribution that is its own origin.
const maxChain = 2

// passedDistributions counts the entries of Via that distributions have made.
func passedDistributions(r *message.Request) int {
	n := 0
	for i := range r.Header {
		if message.SameName(r.Header[i].Name, "Via") {
			n += strings.Count(r.Header[i].Value, ".cloudfront.net (CloudFront)")
		}
	}
	return n
}

// refuse answers with CloudFront's own page.
func (x *exchange) refuse(status int, r Reason, c Cause, source string) (phase, Reason) {
	x.fail(status, r)
	// These close the connection (facts: cloudfront-dataplane 4).
	x.res.close = status == 413 || status == 414 || status == 494
	x.verdict, x.cause = "deny", c
	x.hop.Fact(trace.Refused, "Error", string(c), source)
	return deliver, r
}

// matchBehavior picks the first behavior whose pattern matches the normalised path (facts: cloudfront-dataplane 2).
func (x *exchange) matchBehavior() (phase, Reason) {
	path := NormalisePath(x.req.Path)
	i := x.plan.find(path, x.svc.indexOf(x.plan))
	if i < 0 {
		return x.refuse(500, ReasonInternal, "no-behavior", x.plan.SourcePath)
	}
	b := &x.plan.Behaviors[i]
	x.behavior = b
	x.verdict = b.Pattern.Source
	if x.hop != nil {
		x.hop.Fact(trace.BehaviorMatched, b.Pattern.Source, path, b.Source.Behavior)
		x.hop.Fact(trace.PoliciesApplied, b.Policies, "", b.Source.Behavior)
		for _, u := range b.Unsupported {
			x.hop.Fact(trace.Unsupported, u.Name, u.Detail, u.SourcePath)
		}
	}
	reason := ReasonPattern
	if i == len(x.plan.Behaviors)-1 {
		reason = ReasonDefaultBehavior
	}
	if x.nested {
		return lookup, reason
	}
	return checkAccess, reason
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
