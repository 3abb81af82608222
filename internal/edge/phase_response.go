package edge

import (
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

type bodyReader = io.ReadCloser

// take makes the origin's answer the answer so far.
func (x *exchange) take(res *message.Response) {
	t := x.res.timing
	x.res = result{
		status: res.Status, origin: res.Status, reason: res.Reason, header: res.Header,
		body: res.Body, length: res.ContentLength, xcache: xcacheMiss, timing: t,
	}
	if x.grpc() {
		x.res.trailer = res.Trailer
	}
	if res.Body == nil && res.ContentLength < 0 && x.method != HEAD {
		x.res.length = 0
	}
	if res.Status >= 400 {
		x.res.xcache = xcacheError
	}
}

// discard closes a body that will not be delivered.
func (x *exchange) discard() {
	if x.res.body != nil {
		x.res.body.Close()
		x.res.body = nil
	}
}

// originResponse runs the origin-response function and takes off what does not go on to viewers.
func (x *exchange) originResponse() (phase, Reason) {
	reason := ReasonPassed
	if a := x.lambda(OriginResponse); a != nil {
		next, r, ok := x.runOriginResponse(a)
		if !ok {
			return next, r
		}
		reason = r
	}
	x.cleanHeader()
	return errorPage, reason
}

// cleanHeader removes and changes fields of the origin as dataplane 6 says. Via stays, for deliver appends to it.
func (x *exchange) cleanHeader() {
	f := x.behavior.Forward
	keepCookies := f.Cookies.Mode() != None
	s3 := x.fetched != nil && x.fetched.request != nil && x.fetched.request.Origin.Kind == S3Origin
	out := x.res.header[:0]
	for _, field := range x.res.header {
		switch {
		case droppedFromOrigin(field.Name), s3 && droppedFromS3(field.Name):
			continue
		case !keepCookies && message.SameName(field.Name, "Set-Cookie"):
			if x.hop != nil {
				x.hop.Fact(trace.HeaderDropped, "Set-Cookie", "CloudFront removes it from answers of a behavior that forwards no cookies", x.headerSource())
			}
			continue
		case message.SameName(field.Name, "Vary"):
			field.Value = x.filterVary(field.Value)
			if field.Value == "" {
				continue
			}
		}
		out = append(out, field)
	}
	x.res.header = out
}

func droppedFromOrigin(name string) bool {
	if name != "" && name[0]|0x20 == 'x' {
		return message.SameName(name, "X-Cache") || hasPrefixFold(name, "X-Amz-Cf-") || hasPrefixFold(name, "X-Edge-")
	}
	switch len(name) {
	case len("TE"):
		return message.SameName(name, "TE")
	case len("Trailer"): // and Upgrade
		return message.SameName(name, "Trailer") || message.SameName(name, "Upgrade")
	case len("Connection"): // and Keep-Alive
		return message.SameName(name, "Connection") || message.SameName(name, "Keep-Alive")
	case len("Proxy-Connection"):
		return message.SameName(name, "Proxy-Connection")
	}
	return false
}

// droppedFromS3 names what else CloudFront removes from answers of buckets (DG-RequestAndResponseBehaviorS3Origin).
func droppedFromS3(name string) bool {
	return strings.EqualFold(name, "X-Amz-Id-2") || strings.EqualFold(name, "X-Amz-Request-Id")
}

// filterVary keeps Accept-Encoding, Cookie, forwarded headers, and User-Agent when a device header is forwarded (facts:
// cloudfront-dataplane 6).
func (x *exchange) filterVary(value string) string {
	f := x.behavior.Forward
	var keep []string
	for item := range strings.SplitSeq(value, ",") {
		name := strings.TrimSpace(item)
		switch {
		case name == "*", strings.EqualFold(name, "Accept-Encoding"), strings.EqualFold(name, "Cookie"):
		case name != "" && f.Headers.Has(name):
		case strings.EqualFold(name, "User-Agent") && forwardsDevice(f):
		default:
			continue
		}
		keep = append(keep, name)
	}
	return strings.Join(keep, ", ")
}

func forwardsDevice(f *Forward) bool {
	for _, n := range f.CloudFront {
		if strings.HasPrefix(n, "CloudFront-Is-") {
			return true
		}
	}
	return false
}

// revalidated renews the expired object with what the 304 said (rfc9111 4.3.4).
func (x *exchange) revalidated(res *message.Response) (phase, Reason) {
	o := x.object
	header := o.Header()
	x.res.header = res.Header
	x.cleanHeader()
	c := readControl(x.res.header, x.now)
	age := c.age
	header = updateStored(header, x.res.header)
	c = readControl(header, x.now)
	c.age = age
	lifetime, store := c.freshness(x.behavior.TTL)
	n := o.Renewed(x.now, x.now.Add(lifetime))
	n.Epoch = x.epoch
	n.Age = age
	store = setHead(n, header, x.now) && store
	n.StaleWhileRevalidate, n.StaleIfError = c.staleWhileRevalidate, c.staleIfError
	if store {
		x.svc.effects.Admit(x.keyOf(n), n)
	}
	x.endFlight()
	if !x.serveObject(n, xcacheRefresh) {
		// Its body is lost: ask again, for all of it.
		x.svc.effects.Remove(x.keyOf(n))
		x.object, x.res.header = nil, nil
		return originRequest, ReasonLost
	}
	x.res.age = n.Age > 0
	return responseHeaders, ReasonRevalidated
}

// updateStored puts the fields of a 304 in place of the stored ones, all lines of a name together. What describes the body that
// is stored stays (rfc9111 3.2, 4.3.4).
func updateStored(stored, fresh message.Header) message.Header {
	out := stored[:0]
	for _, f := range stored {
		if keptOn304(f.Name) || !fresh.Has(f.Name) {
			out = append(out, f)
		}
	}
	for _, f := range fresh {
		if !keptOn304(f.Name) && !strings.EqualFold(f.Name, "Age") {
			out = append(out, f)
		}
	}
	return out
}

func keptOn304(name string) bool {
	for _, n := range [...]string{"Content-Length", "Content-Encoding", "Content-Type", "Content-Range", "Content-MD5", "Set-Cookie", "ETag", "Vary"} {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// stale tells whether the expired object may answer for an origin that failed with status: no longer after it expired than
// stale-if-error says, and than the maximum TTL (facts: cloudfront-dataplane 6, Stale; DG26-httpstatuscodes). That
// must-revalidate does not prevent it was seen live.
func (x *exchange) stale(status int) bool {
	o := x.object
	if o == nil || status < 500 || o.Result != "" || x.method&(GET|HEAD) == 0 {
		return false
	}
	grace := x.behavior.TTL.Max
	if o.StaleIfError >= 0 {
		grace = min(grace, o.StaleIfError)
	}
	return x.now.Before(o.Expires.Add(grace))
}

// serveStale answers with the expired object, which is then good for the error caching time, so that a failing origin is not
// asked at each request (DG26-httpstatuscodes). X-Cache says RefreshHit: seen live.
func (x *exchange) serveStale(status int) (phase, Reason) {
	o := x.object
	n := o.Renewed(o.Stored, o.Expires)
	n.Epoch, n.Age, n.Retry = x.epoch, o.Age, x.now.Add(x.errorMinTTL(status))
	if !x.serveObject(n, xcacheRefresh) {
		x.svc.effects.Remove(x.keyOf(n))
		x.fail(status, ReasonLost)
		return errorPage, ReasonLost
	}
	if x.method == GET {
		x.svc.effects.Admit(x.keyOf(n), n)
	}
	x.endFlight()
	return responseHeaders, ReasonStale
}

func (x *exchange) endFlight() {
	if x.flight != nil {
		x.flight.Release()
		x.flight = nil
	}
}

// errorMinTTL is the error caching minimum TTL of a status, 10 s unless configured (facts: cloudfront-dataplane 7).
func (x *exchange) errorMinTTL(status int) time.Duration {
	d := 10 * time.Second
	if e := x.errorResponse(status); e != nil {
		d = e.MinTTL
	}
	if s := x.fetched; s != nil && s.origin != nil && s.origin.Kind == S3Origin {
		d = max(d, time.Second) // DG26-custom-error-pages-expiration
	}
	return d
}

func (x *exchange) errorResponse(status int) *ErrorResponse {
	for i := range x.plan.ErrorResponses {
		if e := &x.plan.ErrorResponses[i]; e.Status == status {
			return e
		}
	}
	return nil
}

// errorPage replaces an error by the page of a custom error response. The page is fetched like any request: its path picks a
// behavior and an origin. When that fails, the viewer gets the status of the page (facts: cloudfront-dataplane 7).
func (x *exchange) errorPage() (phase, Reason) {
	if x.res.status < 400 || x.nested {
		return admit, ReasonPassed
	}
	e := x.errorResponse(x.res.status)
	if e == nil || e.PagePath == "" || x.grpc() {
		return admit, ReasonNoCustomPage
	}
	// The page may have the same key as the request; it must not wait for its own flight.
	x.endFlight()
	page := x.fetchPage(e.PagePath)
	status, origin := x.res.status, x.res.origin
	x.discard()
	t, failed := x.res.timing, x.res.header
	x.res = page
	x.res.errorHeader = failed
	x.res.timing = t
	x.res.xcache = xcacheError
	x.res.age = false
	x.verdict = e.PagePath
	if page.status >= 400 {
		x.res.origin, x.res.errorHeader = page.status, nil
		return admit, ReasonCustomPageFailed
	}
	x.res.origin = origin
	x.res.status, x.res.reason = e.ResponseCode, ""
	if e.ResponseCode == 0 {
		x.res.status = status
	}
	if x.hop != nil {
		x.hop.Fact(trace.Refused, strconv.Itoa(status), string(CauseErrorPage), e.SourcePath)
	}
	return admit, ReasonCustomPage
}

// ownLifetime is how long the page of a custom error response may be kept where a behavior of its own is configured for it: its
// TTL counts then instead of the error caching time (DG-httpstatuscodes). That the default behavior is none is our reading.
func (x *exchange) ownLifetime() (d time.Duration, ok bool) {
	b := x.behavior
	if b == nil || b == &x.plan.Behaviors[len(x.plan.Behaviors)-1] {
		return 0, false
	}
	if o := x.res.object; o != nil {
		return o.Expires.Sub(x.now), true
	}
	if b.TTL.Disabled() || b.Forward.NoCache {
		return 0, true
	}
	c := readControl(x.res.header, x.now)
	d, _ = c.freshness(b.TTL)
	return d, true
}

// fetchPage runs a request for path up to the point at which its answer is known. Functions of the viewer's side do not run.
func (x *exchange) fetchPage(path string) result {
	r := x.viewer
	r.Method, r.Body, r.ContentLength = "GET", nil, 0
	r.Path, r.Query, r.HasQuery = path, "", false
	r.Header = r.Header.Clone()
	for _, name := range [...]string{"Range", "If-Range", "If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since",
		"Content-Type", "Content-Encoding", "Content-MD5"} {
		r.Header.Del(name)
	}
	n := x.svc.newExchange(x.ctx, x.plan, &r)
	n.hop, n.nested, n.id, n.asked = x.hop, true, x.id, x.asked
	n.run(matchBehavior, responseHeaders)
	page := n.res
	page.pageLifetime, page.pageBehavior = n.ownLifetime()
	if page.object != nil && page.body == nil {
		page.memory = page.object.Body
	}
	page.header, page.object, page.authorized = *n.fields(), nil, n.authorized()
	x.svc.release(n)
	return page
}
