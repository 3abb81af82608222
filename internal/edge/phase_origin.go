package edge

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// fetchState is what a request that goes to an origin needs.
type fetchState struct {
	origin  *Origin
	request *FetchRequest
	// attempt is the place in the origin group.
	attempt int
	// validating is true when the request asks whether the expired object has changed.
	validating bool
	// started is when the origin was asked, first how long it took to answer; failedOver is the status for which the origin before
	// this one was given up.
	started    time.Time
	first      time.Duration
	failedOver int
}

// originRequest builds the request for the origin, runs the origin-request function, and leaves the request ready.
func (x *exchange) originRequest() (phase, Reason) {
	m := x.fetchIn()
	if x.fetched == nil {
		x.fetched = &m.state
	}
	s := x.fetched
	origin := x.chooseOrigin()
	if origin == nil {
		return x.refuse(500, ReasonInternal, "no-origin", x.behavior.Source.TargetOrigin)
	}
	s.origin = origin
	s.request = x.buildFetch(m, origin)
	s.validating = x.addValidators(s.request.Request)
	reason := ReasonBuilt
	if a := x.lambda(OriginRequest); a != nil {
		next, r, ok := x.runOriginRequest(a)
		if !ok {
			return next, r
		}
		reason = r
	}
	// Origin custom headers overwrite the viewer's (facts: cloudfront-dataplane 5).
	for _, c := range s.request.Origin.Headers {
		s.request.Request.Header.Set(c.Name, c.Value)
	}
	s.request.Request.Header = x.withCertificate(s.request.Request.Header)
	x.replaceSignature(s.request)
	if x.hop != nil {
		x.traceSent()
	}
	return fetch, reason
}

// replaceSignature takes the viewer's signature away where an origin access control always signs: its own takes the place
// (DG-private-content-restricting-access-to-s3).
func (x *exchange) replaceSignature(f *FetchRequest) {
	h := &f.Request.Header
	if f.Access.Kind != AccessControl || f.Access.Signing != SignAlways || !h.Has("Authorization") {
		return
	}
	for _, name := range [...]string{"Authorization", "X-Amz-Date", "X-Amz-Security-Token"} {
		h.Del(name)
	}
	if x.hop != nil {
		x.hop.Step("origin-request", "signed", "the origin access control always signs: its Authorization takes the place of the one that was there")
	}
}

// chooseOrigin returns the behavior's origin, or the one of its group whose turn it is.
func (x *exchange) chooseOrigin() *Origin {
	if p := x.picked; p != nil && p.update == nil {
		if x.fetched.attempt >= len(p.origins) {
			return nil
		}
		return x.chose(p.origins[x.fetched.attempt])
	}
	o := x.behaviorOrigin(x.fetched.attempt)
	if o == nil {
		return nil
	}
	// Of a group, only the primary origin is updated.
	if x.picked != nil && x.fetched.attempt == 0 {
		o = x.picked.updated(o, x.plan.ARN)
	}
	return x.chose(o)
}

// behaviorOrigin is the behavior's origin, or the one of its group for an attempt; nil for none.
func (x *exchange) behaviorOrigin(attempt int) *Origin {
	i := x.behavior.Origin
	if g := x.behavior.Group; g >= 0 && g < len(x.plan.Groups) && i < 0 {
		if members := x.plan.Groups[g].Members; attempt < len(members) {
			i = members[attempt]
		}
	}
	if i < 0 || i >= len(x.plan.Origins) {
		return nil
	}
	return &x.plan.Origins[i]
}

func (x *exchange) chose(o *Origin) *Origin {
	if x.hop != nil {
		x.hop.Fact(trace.OriginChosen, o.ID, o.Domain, o.SourcePath)
	}
	return o
}

// buildFetch makes the request that goes to origin: raw path behind the origin path, Host by policy, and the fields of
// originHeaders.
func (x *exchange) buildFetch(m *fetchMemory, origin *Origin) *FetchRequest {
	r := x.req
	query, has := x.originQuery(origin)
	m.fields = x.originHeaders(m.fields[:0], origin)
	req := &m.request
	*req = message.Request{
		Method: r.Method, Path: origin.Path + r.Path, Query: query, HasQuery: has, Proto: message.HTTP11,
		Header: m.fields, Body: r.Body, ContentLength: r.ContentLength,
		Client: x.viewer.Client, Trace: x.viewer.Trace,
	}
	req.Host = origin.Domain
	if x.behavior.Forward.ForwardsHost() {
		req.Host = r.Host
	}
	if origin.HostHeader != "" {
		req.Host = origin.HostHeader
	}
	f := &m.fetch
	*f = FetchRequest{
		Room: &m.room, DistributionID: x.plan.ID, DistributionARN: x.plan.ARN, Attempts: max(origin.Attempts, 1), Request: req, GRPC: x.grpc(),
	}
	if f.GRPC {
		req.Proto = message.HTTP2
	}
	dropBadRange(req)
	x.aim(f, origin)
	if x.hop != nil {
		x.hop.Fact(trace.OriginPathAdded, origin.Path, req.Path, or(origin.PathSource, origin.SourcePath))
		if req.Host != origin.Domain {
			x.hop.Fact(trace.HostForwarded, req.Host, origin.Domain, x.hostSource())
		}
	}
	return f
}

// aim sets where the request goes: scheme, port, names for TLS.
func (x *exchange) aim(f *FetchRequest, origin *Origin) {
	f.Origin, f.Access = origin, origin.Access
	f.Scheme = x.viewer.Scheme
	switch origin.Protocol {
	case OriginHTTPOnly:
		f.Scheme = "http"
	case OriginHTTPSOnly:
		f.Scheme = "https"
	default:
		if f.GRPC { // end to end over HTTPS (DG26-distribution-using-grpc)
			f.Scheme = "https"
		}
	}
	if origin.Access.Kind == AccessControl && origin.Access.Signing == SignAlways {
		// With the other ways to sign, the protocol is the viewer's (DG-private-content-restricting-access-to-s3).
		f.Scheme = "https"
	}
	f.Port = origin.HTTPPort
	if f.Scheme == "https" {
		f.Port = origin.HTTPSPort
	}
	if f.Port == 0 || origin.Kind == S3Origin {
		f.Port = 80
		if f.Scheme == "https" {
			f.Port = 443
		}
	}
	f.Request.Scheme = f.Scheme
	f.SNI, f.VerifyNames = "", nil
	if f.Scheme == "https" {
		// The certificate may be valid for the origin's name or for the forwarded Host (facts: cloudfront-dataplane 5).
		f.SNI, f.VerifyNames = origin.Domain, []string{origin.Domain}
		if host := hostOnly(f.Request.Host); host != origin.Domain {
			f.SNI, f.VerifyNames = host, append(f.VerifyNames, host)
		}
		if origin.SNI != "" {
			f.SNI, f.VerifyNames = origin.SNI, append(f.VerifyNames, origin.SNI)
		}
		if origin.CertificateNames != nil {
			f.VerifyNames = origin.CertificateNames
		}
	}
}

func hostOnly(host string) string {
	for i := len(host) - 1; i >= 0; i-- {
		if host[i] == ':' {
			return host[:i]
		}
		if host[i] < '0' || host[i] > '9' {
			break
		}
	}
	return host
}

// addValidators asks the origin whether the expired object has changed; not with cookies forwarded (facts:
// cloudfront-dataplane 6).
func (x *exchange) addValidators(r *message.Request) bool {
	o := x.object
	if o == nil || x.method != GET || o.ETag == "" && o.LastModified == "" || x.behavior.Forward.Cookies.Mode() != None {
		return false
	}
	// A range stays: when the object has changed, the origin gives that part of the new one.
	for _, name := range [...]string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since"} {
		r.Header.Del(name)
	}
	if o.ETag != "" {
		r.Header.Add("If-None-Match", o.ETag)
	}
	if o.LastModified != "" {
		r.Header.Add("If-Modified-Since", o.LastModified)
	}
	return true
}

// traceSent records exactly what goes to the origin. The page of a custom error response does not overwrite it.
func (x *exchange) traceSent() {
	if x.hop.Sent != nil && x.nested {
		return
	}
	f := x.fetched.request
	sent := &trace.Sent{Method: f.Request.Method, Scheme: f.Scheme, Host: f.Request.Host, SNI: f.SNI,
		Address: f.Origin.Domain, Path: trace.RedactTarget(f.Request.Target()), Headers: [][2]string{}}
	for _, c := range f.Origin.Headers {
		x.hop.Hide(c.Name)
	}
	for _, h := range f.Request.Header {
		sent.Headers = append(sent.Headers, [2]string{h.Name, x.hop.Redact(h.Name, h.Value)})
	}
	x.hop.Sent = sent
}

// maxCacheable is the largest body that CloudFront fetches where caching is enabled; a range counts with its own length. When
// Content-Length tells of a larger one, it closes the connection and answers with an error (DG-rangegets, DG-cloudfront-limits;
// that a GB is 2^30 bytes, the example there shows; that the error is 502 is our reading). What turns out to be larger on the
// way is passed on and not stored.
const maxCacheable = cache.MaxBody

var (
	errTooLarge    = errors.New("the body is larger than 50 GB, and caching is enabled")
	errRangeLength = errors.New("Content-Length is not the length in Content-Range")
)

// unfit finds what CloudFront does not take of an origin, and closes it.
func (x *exchange) unfit(res *message.Response) error {
	var err *FetchError
	switch {
	case x.keyed && res.Body != nil && res.ContentLength > maxCacheable:
		err = &FetchError{Kind: FetchTooLarge, Err: errTooLarge}
	case res.Status == 206 && x.method == GET && res.ContentLength >= 0:
		// standard-logs-reference, OriginContentRangeLengthError.
		if s, _, ok := parseContentRange(res.Get("Content-Range")); ok && s.length() != res.ContentLength {
			err = &FetchError{Kind: FetchRange, Err: errRangeLength}
		}
	}
	if err == nil {
		return nil
	}
	if res.Body != nil {
		res.Body.Close()
	}
	return err
}

// fetch sends the request. A failure, or an answer that a group's criteria name, goes to the second origin (facts:
// cloudfront-dataplane 8).
func (x *exchange) fetch() (phase, Reason) {
	s := x.fetched
	x.verdict = s.request.Origin.Domain
	ctx := x.ctx
	if x.flight != nil {
		// Others may wait for this body: it does not end when this viewer leaves.
		ctx = context.WithoutCancel(ctx)
	}
	timed, logged := x.behavior.timed(), x.plan.Logging != nil || x.behavior.RealtimeLog != nil
	if timed || logged {
		s.started = x.svc.effects.Now()
	}
	if timed {
		s.request.Timing = new(FetchTiming)
	}
	res, err := x.svc.effects.Fetch(ctx, s.request)
	x.res.timing.asked = true
	if timed || logged {
		s.first = x.svc.effects.Now().Sub(s.started)
	}
	if timed {
		x.res.timing.fetched(s.first, s.request.Timing)
	}
	if err == nil && res != nil {
		err = x.unfit(res)
	}
	if m := x.memory; m != nil && res == &m.room.Response {
		m.returned = true
	}
	if err != nil || res == nil {
		return x.fetchFailed(err)
	}
	if x.hop != nil {
		x.verdict = strconv.Itoa(res.Status) + " from " + s.request.Origin.Domain
	}
	if x.failsOver(res.Status, res.Status) {
		if res.Body != nil {
			res.Body.Close()
		}
		s.attempt++
		s.failedOver = res.Status
		return originRequest, ReasonFailover
	}
	if res.Status == 304 && s.validating {
		if res.Body != nil {
			res.Body.Close()
		}
		return x.revalidated(res)
	}
	if x.stale(res.Status) {
		if res.Body != nil {
			res.Body.Close()
		}
		return x.serveStale(res.Status)
	}
	x.take(res)
	return originResponse, ReasonFetched
}

// failsOver tells whether the group has another origin for an outcome, which one of two statuses of the criteria may mean.
// OPTIONS fails over only where it is cached (DG-high-availability-origin-failover).
func (x *exchange) failsOver(status, alternative int) bool {
	b := x.behavior
	members, failoverOn := 0, []int(nil)
	switch p := x.picked; {
	case p != nil && p.update == nil:
		members, failoverOn = len(p.origins), p.failoverOn
	case b.Origin < 0 && b.Group >= 0:
		members, failoverOn = len(x.plan.Groups[b.Group].Members), x.plan.Groups[b.Group].FailoverOn
	}
	if x.fetched.attempt+1 >= members || x.method&(GET|HEAD) == 0 && x.method&OPTIONS&b.Cached == 0 {
		return false
	}
	for _, c := range failoverOn {
		if c == status || c == alternative {
			return true
		}
	}
	return false
}

// fetchFailed is an origin without an answer, which counts as a 502 or 504 of the origin.
func (x *exchange) fetchFailed(err error) (phase, Reason) {
	if x.ctx.Err() != nil {
		x.fail(504, ReasonCanceled)
		return deliver, ReasonCanceled
	}
	kind := FetchProtocol
	if fe := (*FetchError)(nil); errors.As(err, &fe) {
		kind = fe.Kind
	}
	status, reason, cause := kind.answer()
	// A connection that cannot be made is the criteria's 503, an answer that takes too long their 504
	// (DG-high-availability-origin-failover); that the status which the viewer would get counts as well is our reading.
	alternative := status
	if kind.connecting() {
		alternative = 503
	}
	if x.failsOver(status, alternative) {
		if x.hop != nil && err != nil {
			x.hop.Step("fetch", "failover", err.Error())
		}
		x.fetched.attempt++
		x.fetched.failedOver = status
		return originRequest, ReasonFailover
	}
	x.cause = cause
	if x.hop != nil {
		detail := ""
		if err != nil {
			detail = err.Error()
		}
		x.hop.Step("fetch", "error", detail)
		x.hop.Fact(trace.Refused, "OriginError", string(cause), x.fetched.origin.SourcePath)
	}
	if x.stale(status) {
		return x.serveStale(status)
	}
	x.fail(status, reason)
	return errorPage, reason
}

// connecting tells whether the origin was never reached.
func (k FetchErrorKind) connecting() bool {
	return k == FetchDNS || k == FetchConnect || k == FetchConnectTimeout || k == FetchTLS
}

// answer is CloudFront's answer for a failure (facts: cloudfront-dataplane 9; a timeout is a 504, dataplane 7).
func (k FetchErrorKind) answer() (int, Reason, Cause) {
	switch k {
	case FetchDNS:
		return 502, ReasonOriginDNS, CauseOriginDNS
	case FetchConnect:
		return 502, ReasonOriginConnect, CauseOriginConnect
	case FetchConnectTimeout:
		return 504, ReasonOriginTimeout, CauseOriginTimeout
	case FetchTLS:
		return 502, ReasonOriginTLS, CauseOriginTLS
	case FetchTimeout:
		return 504, ReasonOriginTimeout, CauseOriginTimeout
	case FetchClosed:
		return 502, ReasonOriginClosed, CauseOriginClosed
	case FetchRange:
		return 502, ReasonOriginRange, CauseOriginRange
	case FetchTooLarge:
		return 502, ReasonOriginTooLarge, CauseOriginTooLarge
	}
	return 502, ReasonOriginInvalid, CauseOriginInvalid
}
