package edge

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// FunctionLog is what a call of a CloudFront Function left for its log, or a result of a Lambda@Edge function that is not valid.
type FunctionLog struct {
	Function, DistributionID, RequestID string
	Time                                time.Time
	Lines                               []string
	// Failure is the error that ended the call, "" for none.
	Failure string
	// Lambda is true for a result of a Lambda@Edge function: Failure says what is wrong with it.
	Lambda bool
}

// runFunction calls a CloudFront Function; ok is false when the viewer gets an error page instead.
func (x *exchange) runFunction(f *FunctionAssociation, ev *cloudfront.Event) (out *cloudfront.Outcome, reason Reason, ok bool) {
	now := x.svc.effects.Now()
	switch {
	case f.Throttle.Refuses(now):
		return nil, x.functionThrottled(f), false
	case f.Function == nil:
		f.Throttle.Note(true, now)
		return nil, x.functionFailed(f, &cloudfront.Error{Message: f.Missing}), false
	}
	out = f.Function.Run(ev, now)
	f.Throttle.Note(out.Err != nil && out.Err.Exceeded, now)
	if len(out.Logs) > 0 || out.Err != nil {
		l := &FunctionLog{Function: f.Name, DistributionID: x.plan.ID, RequestID: strings.Clone(x.id), Time: x.now, Lines: out.Logs}
		if out.Err != nil {
			l.Failure = out.Err.Message
		}
		x.svc.effects.LogFunction(l)
	}
	if x.hop != nil {
		x.hop.Step(ev.Type, "called "+f.Name, "compute utilization "+strconv.Itoa(out.Compute)+", "+strconv.Itoa(len(out.Logs))+" lines of log")
	}
	if out.Err != nil {
		return nil, x.functionFailed(f, out.Err), false
	}
	return out, 0, true
}

// functionFailed answers with the page of a function that failed, 503, or that returned something wrong, 502 (facts:
// edge-functions C, Errors).
func (x *exchange) functionFailed(f *FunctionAssociation, err *cloudfront.Error) Reason {
	x.verdict = "error"
	x.hop.Fact(trace.FunctionFailed, f.Name, err.Error(), f.SourcePath)
	if err.Invalid {
		x.hop.Fact(trace.Refused, "FunctionValidationError", string(CauseFunctionInvalid), f.SourcePath)
		x.failWith(502, err.Sentence(), xcacheFunctionInvalid)
		return ReasonFunctionInvalid
	}
	x.hop.Fact(trace.Refused, "FunctionExecutionError", string(CauseFunctionFailed), f.SourcePath)
	x.failWith(503, err.Sentence(), xcacheFunctionExecution)
	return ReasonFunctionFailed
}

// functionThrottled answers for a function that is not called, for it has exceeded its time again and again.
func (x *exchange) functionThrottled(f *FunctionAssociation) Reason {
	x.verdict = "error"
	x.hop.Fact(trace.FunctionFailed, f.Name, "the function has exceeded its time in each of many calls", f.SourcePath)
	x.hop.Fact(trace.Refused, "FunctionThrottledError", string(CauseFunctionThrottle), f.SourcePath)
	x.failWith(503, sentenceFunctionLimit, xcacheFunctionThrottled)
	return ReasonFunctionThrottled
}

// functionInvalid is a result that the runtime took and CloudFront does not. Its texts are ours.
func (x *exchange) functionInvalid(f *FunctionAssociation, text string) Reason {
	return x.functionFailed(f, &cloudfront.Error{Invalid: true, Message: text})
}

func (x *exchange) functionEvent(kind string, shown message.Header) *cloudfront.Event {
	return &cloudfront.Event{
		Type: kind, DistributionDomain: x.plan.DomainName, DistributionID: x.plan.ID, RequestID: x.id, ViewerIP: x.clientIP(),
		Method: x.req.Method, URI: x.req.Path, Query: x.req.Query, HasQuery: x.req.HasQuery, Header: shown,
	}
}

// requestFields are the fields of the request that functions are shown: Host, the viewer's own, and the CloudFront-* fields that
// the policies ask for.
func (x *exchange) requestFields() message.Header {
	shown := make(message.Header, 0, len(x.req.Header)+4)
	shown = append(shown, message.Field{Name: "Host", Value: x.req.Host})
	for _, f := range x.req.Header {
		if !x.addsField(f.Name) {
			shown = append(shown, f)
		}
	}
	shown = addFraming(shown, x.req)
	for _, name := range x.behavior.Forward.CloudFront {
		if v, ok := x.cloudFront(name); ok {
			shown = append(shown, message.Field{Name: name, Value: v})
		}
	}
	return shown
}

// addsField tells whether a field is one that CloudFront adds by a policy.
func (x *exchange) addsField(name string) bool {
	for _, n := range x.behavior.Forward.CloudFront {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// viewerRequestFunction runs the CloudFront Function of the event: it may change the request, answer it, or pick its origin.
func (x *exchange) viewerRequestFunction(f *FunctionAssociation) (phase, Reason) {
	shown := x.requestFields()
	ev := x.functionEvent(cloudfront.ViewerRequest, shown)
	ev.Location = cloudfront.Location{Name: x.svc.node.Pop[:min(3, len(x.svc.node.Pop))], ServerIP: x.svc.node.Address, Region: x.svc.node.Region}
	out, reason, ok := x.runFunction(f, ev)
	if !ok {
		return deliver, reason
	}
	r := out.Result
	if r.Response {
		if bad := badFunctionHeader(nil, r.Header, "Transfer-Encoding", "Via"); bad != "" {
			return deliver, x.functionInvalid(f, bad)
		}
		x.generated(&lambdaResult{status: r.Status, description: r.StatusDescription, headers: r.Header, body: r.Body})
		x.res.xcache, x.res.byViewerFunction = xcacheFunction, true
		return responseHeaders, ReasonFunctionAnswered
	}
	if bad := badFunctionRequest(r, x.req.Method); bad != "" {
		return deliver, x.functionInvalid(f, bad)
	}
	if r.HeaderChanged {
		if bad := badFunctionHeader(shown, r.Header, readOnlyHeaders(ViewerRequest)...); bad != "" {
			return deliver, x.functionInvalid(f, bad)
		}
	}
	if bad := x.pickOrigin(out.Origin); bad != "" {
		return deliver, x.functionFailed(f, &cloudfront.Error{Invalid: true, Origin: true, Message: bad})
	}
	returned := visible(shown)
	if r.HeaderChanged {
		returned = r.Header
	}
	changed := x.traceRequestChanges(ViewerRequest, &eventRequest{uri: x.req.Path, query: x.req.Query, headers: shown},
		&lambdaResult{uri: r.URI, query: r.Query, hasQuery: true, headers: returned})
	next := *x.req
	x.req = &next
	x.req.Path, x.req.Query, x.req.HasQuery = r.URI, r.Query, r.HasQuery
	if r.HeaderChanged {
		x.req.Header = slices.DeleteFunc(mergeHeaders(x.req.Header, r.Header), func(h message.Field) bool { return x.addsField(h.Name) })
	}
	if changed || out.Origin != nil {
		return lookup, ReasonFunctionChanged
	}
	return lookup, ReasonFunctionContinues
}

// badFunctionRequest says what of a returned request is not valid, "" for nothing (facts: edge-functions A).
func badFunctionRequest(r *cloudfront.Result, method string) string {
	switch {
	case r.Method() != method:
		return "request.method is read-only."
	case !strings.HasPrefix(r.URI, "/") || badInTarget(r.URI):
		return "request.uri must start with / and have no spaces, control characters and #."
	case badInTarget(r.Query):
		return "request.querystring must have no spaces, control characters and #."
	case len(r.URI)+len(r.Query) >= maxURL:
		return "URI and query string are longer than 8,192 characters."
	}
	return ""
}

// badFunctionHeader compares returned headers with those that were shown: which one was added that must not be, changed that
// may only be read, or cannot be sent.
func badFunctionHeader(shown, returned message.Header, readOnly ...string) string {
	for _, f := range returned {
		switch {
		case invisibleToFunctions(f.Name):
			return "the header " + f.Name + " is not allowed."
		case !validName(f.Name) || !validValue(f.Value):
			return "the header " + f.Name + " has characters that are not allowed."
		}
	}
	for _, n := range readOnly {
		if !slices.Equal(shown.Values(n), returned.Values(n)) {
			return "the header " + n + " is read-only."
		}
	}
	return ""
}

// viewerResponseFunction runs the CloudFront Function of the event: it may change headers, status and body.
func (x *exchange) viewerResponseFunction(f *FunctionAssociation) Reason {
	all := slices.Concat(*x.fields(), x.res.extra)
	if x.res.after != nil {
		all = x.res.after.Append(all)
	}
	shown := addLength(all, x.res.length)
	ev := x.functionEvent(cloudfront.ViewerResponse, x.requestFields())
	ev.Status, ev.StatusDescription, ev.ResponseHeader = x.res.status, x.res.reason, shown
	if ev.StatusDescription == "" {
		ev.StatusDescription = http.StatusText(x.res.status)
	}
	out, reason, ok := x.runFunction(f, ev)
	if !ok {
		return reason
	}
	r := out.Result
	returned := visible(shown)
	if r.HeaderChanged {
		if bad := badFunctionHeader(shown, r.Header, "Warning", "Via"); bad != "" {
			return x.functionInvalid(f, bad)
		}
		returned = r.Header
	}
	changed := x.traceResponseChanges(ViewerResponse, shown, &lambdaResult{status: r.Status, hasBody: r.HasBody, headers: returned, hasHeaders: true})
	if r.Status != x.res.status || r.StatusDescription != ev.StatusDescription {
		x.res.status, x.res.reason = r.Status, r.StatusDescription
	}
	if r.HeaderChanged {
		x.res.header, x.res.extra, x.res.after = mergeHeaders(all, r.Header), nil, nil
	}
	if r.HasBody {
		x.discard()
		x.res.memory, x.res.length = r.Body, int64(len(r.Body))
	}
	if changed {
		return ReasonFunctionChanged
	}
	return ReasonFunctionContinues
}

// hideCopies keeps secrets of the viewer out of the trace where a function has put them into other fields.
func (x *exchange) hideCopies(returned message.Header) {
	if x.hop == nil {
		return
	}
	var secrets []string
	for _, f := range x.viewer.Header {
		switch {
		case strings.EqualFold(f.Name, "Authorization"):
			secrets = append(secrets, f.Value[strings.LastIndexByte(f.Value, ' ')+1:])
		case strings.EqualFold(f.Name, "Cookie"):
			for pair := range strings.SplitSeq(f.Value, ";") {
				_, v, _ := strings.Cut(pair, "=")
				secrets = append(secrets, v)
			}
		}
	}
	for _, f := range returned {
		if slices.ContainsFunc(secrets, func(s string) bool { return len(s) >= 8 && strings.Contains(f.Value, s) }) {
			x.hop.Hide(f.Name)
		}
	}
}

// pickOrigin takes over what a viewer-request function did to the origin, or says what is wrong with it.
func (x *exchange) pickOrigin(c *cloudfront.OriginChange) string {
	if c == nil {
		return ""
	}
	p := &pickedOrigin{}
	switch {
	case c.Update != nil:
		p.update = c.Update
		if bad := x.badUpdate(p); bad != "" {
			return bad
		}
	case c.Group != nil:
		for i, id := range c.Group.IDs {
			if bad := p.find(x.plan, id, c.Group.Overrides[i]); bad != "" {
				return bad
			}
		}
		p.failoverOn = c.Group.FailoverOn
		if c.Group.MediaQuality && x.hop != nil {
			x.hop.Fact(trace.Unsupported, "media-quality-score", "the first origin is asked first, whatever its quality score", "")
		}
	default:
		if bad := p.find(x.plan, c.Select, c.Overrides); bad != "" {
			return bad
		}
	}
	x.picked = p
	if x.hop != nil {
		x.hop.Step("viewer-request", "origin", p.describe())
	}
	return ""
}

// pickedOrigin is what a CloudFront Function made of the origin: an update of the behavior's, or one or two others.
type pickedOrigin struct {
	update     *cloudfront.OriginUpdate
	origins    []*Origin
	failoverOn []int
}

// find adds an origin of the distribution by its id, or says why it cannot be picked.
func (p *pickedOrigin) find(plan *Plan, id string, over cloudfront.OriginOverrides) string {
	for i := range plan.Origins {
		if plan.Origins[i].ID != id {
			continue
		}
		o := plan.Origins[i]
		if o.MutualTLS {
			return "the origin " + strconv.Quote(id) + " shows a certificate of its own, so that functions cannot pick it (AWS's manual, origin mutual TLS)."
		}
		overrideOrigin(&o, over)
		p.origins = append(p.origins, &o)
		return ""
	}
	return "the distribution has no origin " + strconv.Quote(id) + "."
}

// badUpdate says what of an update CloudFront does not take. That a host header does not go with an origin access control,
// set or inherited, was seen live; the manual has it for custom origins.
func (x *exchange) badUpdate(p *pickedOrigin) string {
	base := x.behaviorOrigin(0)
	if base == nil {
		return ""
	}
	u := p.update
	switch {
	case base.VPC:
		return "a VPC origin cannot be updated."
	case u.HostHeader != "" && p.updated(base, x.plan.ARN).Access.Kind == AccessControl:
		return "hostHeader does not go with an origin access control: disable it, or leave hostHeader out."
	}
	if u.CustomHeaders == nil {
		return ""
	}
	for _, h := range *u.CustomHeaders {
		if x.req.Header.Has(h[0]) {
			return "the request has the header " + h[0] + " already, so that it cannot be a custom header."
		}
	}
	return ""
}

func (p *pickedOrigin) describe() string {
	if p.update != nil {
		if p.update.DomainName != nil {
			return "the function sends the request to " + *p.update.DomainName
		}
		return "the function changes settings of the origin"
	}
	s := "the function picks origin " + p.origins[0].ID
	if len(p.origins) > 1 {
		s += ", and " + p.origins[1].ID + " when it fails"
	}
	return s
}

func overrideOrigin(o *Origin, over cloudfront.OriginOverrides) {
	if over.HostHeader != "" {
		o.HostHeader, o.SNI = over.HostHeader, over.HostHeader
	}
	if over.SNI != "" {
		o.SNI = over.SNI
	}
	if len(over.AllowedCertificateNames) > 0 {
		o.CertificateNames = over.AllowedCertificateNames
	}
}

// updated applies updateRequestOrigin to the origin that the behavior names: what is not set is inherited (AWS's manual, "Helper
// methods for origin modification").
func (p *pickedOrigin) updated(old *Origin, distribution string) *Origin {
	u, o := p.update, *old
	if u.DomainName != nil {
		o.Domain = strings.ToLower(*u.DomainName)
		o.HostHeader, o.SNI, o.Kind, o.Region = o.Domain, o.Domain, CustomOrigin, ""
		if bucketName(o.Domain) {
			o.Kind = S3Origin
		}
	}
	overrideOrigin(&o, u.OriginOverrides)
	if u.OriginPath != nil {
		o.Path = *u.OriginPath
	}
	if u.CustomHeaders != nil {
		o.Headers = nil
		for _, h := range *u.CustomHeaders {
			o.Headers = append(o.Headers, message.Field{Name: h[0], Value: h[1]})
		}
	}
	if u.ConnectionAttempts > 0 {
		o.Attempts = u.ConnectionAttempts
	}
	if u.ShieldRegion != nil {
		o.ShieldRegion = *u.ShieldRegion
	}
	if a := u.Access; a != nil {
		o.Access = OriginAccess{}
		if a.Enabled {
			o.Access = OriginAccess{Kind: AccessControl, OriginType: a.OriginType, SourceARN: distribution,
				Signing: map[string]Signing{"never": SignNever, "no-override": SignNoOverride}[a.SigningBehavior]}
		}
	}
	for _, t := range [...]struct {
		to  *time.Duration
		set time.Duration
	}{{&o.ReadTimeout, u.ReadTimeout}, {&o.CompletionTimeout, u.CompletionTimeout}, {&o.KeepaliveTimeout, u.KeepAlive}, {&o.ConnectTimeout, u.ConnectTimeout}} {
		if t.set > 0 {
			*t.to = t.set
		}
	}
	if c := u.Custom; c != nil && o.Kind == CustomOrigin {
		o.HTTPPort, o.HTTPSPort, o.Protocol, o.SSLProtocols = c.Port, c.Port, OriginHTTPOnly, c.SSLProtocols
		if c.HTTPS {
			o.Protocol = OriginHTTPSOnly
		}
	}
	return &o
}

// bucketName tells whether a domain is a bucket's REST endpoint, and not its website.
func bucketName(domain string) bool {
	return strings.HasSuffix(domain, ".amazonaws.com") && (strings.Contains(domain, ".s3.") || strings.Contains(domain, ".s3-")) &&
		!strings.Contains(domain, ".s3-website")
}
