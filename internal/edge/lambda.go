package edge

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// lambdaTimeout is the quota of all events (DG-cloudfront-limits, 2026); a function's own timeout is at most as long.
const lambdaTimeout = 30 * time.Second

// invokeLambda runs a function and reads its result; ok is false when the viewer gets an error page instead.
func (x *exchange) invokeLambda(a *LambdaAssociation, payload []byte) (r *lambdaResult, reason Reason, ok bool) {
	out, err := x.svc.effects.InvokeLambda(x.ctx, &LambdaInvocation{Association: a, Payload: payload, Timeout: lambdaTimeout})
	if err != nil {
		return nil, x.lambdaFailed(a, err), false
	}
	r, bad := decodeLambda(out, a.Event)
	if bad != nil {
		return nil, x.lambdaInvalid(a, bad), false
	}
	return r, 0, true
}

func (x *exchange) lambdaFailed(a *LambdaAssociation, err error) Reason {
	x.verdict = "error"
	reason, cause, xcache := ReasonFunctionFailed, CauseFunctionFailed, xcacheLambdaExecution
	if le := (*LambdaError)(nil); errors.As(err, &le) && le.Kind == LambdaThrottled {
		reason, cause, xcache = ReasonFunctionThrottled, CauseFunctionThrottle, xcacheLambdaLimit
	}
	x.hop.Fact(trace.FunctionFailed, a.Name, err.Error(), a.SourcePath)
	x.hop.Fact(trace.Refused, "LambdaError", string(cause), a.SourcePath)
	x.failWith(503, sentenceOf(reason), xcache)
	return reason
}

func (x *exchange) lambdaInvalid(a *LambdaAssociation, bad *invalidResult) Reason {
	x.verdict = "error"
	x.hop.Fact(trace.FunctionFailed, a.Name, bad.Error(), a.SourcePath)
	x.svc.effects.LogFunction(&FunctionLog{Function: a.Name, DistributionID: x.plan.ID, RequestID: strings.Clone(x.id), Time: x.now, Failure: bad.Error(), Lambda: true})
	x.hop.Fact(trace.Refused, "LambdaValidationError", string(CauseFunctionInvalid), a.SourcePath)
	x.failWith(502, bad.sentence, xcacheLambdaInvalid)
	if bad.json {
		return ReasonLambdaJSON
	}
	return ReasonFunctionInvalid
}

// viewerRequest runs the viewer-request function, which may change the request or answer it.
func (x *exchange) viewerRequest() (phase, Reason) {
	if f := x.behavior.ViewerRequestFunction; f != nil {
		return x.viewerRequestFunction(f)
	}
	a := x.lambda(ViewerRequest)
	if a == nil {
		return lookup, ReasonNoFunction
	}
	shown := append(message.Header{{Name: "Host", Value: x.req.Host}}, x.req.Header...)
	shown = addFraming(shown, x.req)
	ev := x.eventRequest(shown, x.req.Path, x.req.Query)
	if a.IncludeBody {
		if !x.readBody(ev, generatedLimit(a.Event)) {
			x.fail(502, ReasonInternal)
			return deliver, ReasonFunctionInvalid
		}
	}
	r, reason, ok := x.invokeLambda(a, encodeRequestEvent(x, a.Event, ev))
	if !ok {
		return deliver, reason
	}
	if r.status != 0 {
		if bad := checkGenerated(r, a.Event); bad != nil {
			return deliver, x.lambdaInvalid(a, bad)
		}
		x.generated(r)
		x.res.byViewerFunction = true
		return responseHeaders, ReasonFunctionAnswered
	}
	if bad := checkRequest(ev, r, a.Event); bad != nil {
		return deliver, x.lambdaInvalid(a, bad)
	}
	changed := x.traceRequestChanges(a.Event, ev, r)
	next := *x.req
	x.req = &next
	x.req.Path = r.uri
	if r.hasQuery && r.query != x.req.Query {
		x.req.Query, x.req.HasQuery = r.query, r.query != ""
	}
	if r.hasHeaders && !slices.Equal(visible(shown), r.headers) {
		x.req.Header = mergeHeaders(x.req.Header, r.headers)
	}
	x.replaceBody(x.req, r, a)
	if changed {
		return lookup, ReasonFunctionChanged
	}
	return lookup, ReasonFunctionContinues
}

// runOriginRequest runs the origin-request function; ok is false when next and reason replace the fetch.
func (x *exchange) runOriginRequest(a *LambdaAssociation) (next phase, reason Reason, ok bool) {
	s := x.fetched
	req := s.request.Request
	shown := append(message.Header{{Name: "Host", Value: req.Host}}, req.Header...)
	shown = addFraming(shown, req)
	// The query string is shown only when all of it is forwarded (facts: edge-functions A).
	query := ""
	if x.behavior.Forward.Query.Mode() == All {
		query = req.Query
	}
	ev := x.eventRequest(shown, strings.TrimPrefix(req.Path, s.origin.Path), query)
	ev.origin, ev.protocol, ev.port = s.origin, s.request.Scheme, s.request.Port
	if a.IncludeBody && !x.readBody(ev, generatedLimit(a.Event)) {
		x.fail(502, ReasonInternal)
		return deliver, ReasonFunctionInvalid, false
	}
	r, reason, ok := x.invokeLambda(a, encodeRequestEvent(x, a.Event, ev))
	if !ok {
		return deliver, reason, false
	}
	if r.status != 0 {
		if bad := checkGenerated(r, a.Event); bad != nil {
			return deliver, x.lambdaInvalid(a, bad), false
		}
		x.generated(r)
		x.cleanHeader()
		return admit, ReasonFunctionAnswered, false
	}
	bad := checkRequest(ev, r, a.Event)
	origin := s.origin
	if bad == nil && r.origin != nil {
		origin, bad = r.origin.apply(s.origin, r.headers)
	}
	if bad != nil {
		return deliver, x.lambdaInvalid(a, bad), false
	}
	changed := x.traceRequestChanges(a.Event, ev, r)
	req.Path = origin.Path + r.uri
	if r.hasQuery && r.query != query {
		req.Query, req.HasQuery = r.query, r.query != ""
	}
	if r.hasHeaders {
		x.applyOriginHeaders(origin, shown, r.headers)
	}
	x.replaceBody(req, r, a)
	x.aim(s.request, origin)
	if changed {
		return fetch, ReasonFunctionChanged, true
	}
	return fetch, ReasonFunctionContinues, true
}

// applyOriginHeaders takes over the headers of an origin-request function. Host follows the function; without one it is the
// origin's own name.
func (x *exchange) applyOriginHeaders(origin *Origin, shown, returned message.Header) {
	req := x.fetched.request.Request
	if slices.Equal(visible(shown), returned) {
		return
	}
	host, ok := returned.Lookup("Host")
	if !ok || host == "" {
		host = origin.Domain
	}
	req.Host = host
	req.Header = mergeHeaders(req.Header, returned)
}

// runOriginResponse runs the origin-response function on the answer of the origin.
func (x *exchange) runOriginResponse(a *LambdaAssociation) (next phase, reason Reason, ok bool) {
	shown := addLength(*x.fields(), x.res.length)
	req := x.fetched.request.Request
	query := ""
	if x.behavior.Forward.Query.Mode() == All { // as in origin-request events (DG-edge-function-restrictions-all, "Query strings")
		query = req.Query
	}
	ev := x.eventRequest(append(message.Header{{Name: "Host", Value: req.Host}}, req.Header...),
		strings.TrimPrefix(req.Path, x.fetched.request.Origin.Path), query)
	ev.origin, ev.protocol, ev.port = x.fetched.request.Origin, x.fetched.request.Scheme, x.fetched.request.Port
	r, reason, ok := x.invokeLambda(a, encodeResponseEvent(x, a.Event, ev, shown))
	if !ok {
		return deliver, reason, false
	}
	if bad := checkHeaders(shown, r.headers, a.Event); r.hasHeaders && bad != nil {
		return deliver, x.lambdaInvalid(a, bad), false
	}
	changed := x.traceResponseChanges(a.Event, shown, r)
	x.res.status, x.res.reason = r.status, r.description
	x.res.origin = r.status
	x.res.xcache = xcacheMiss
	if r.status >= 400 {
		x.res.xcache = xcacheError
	}
	if r.hasHeaders {
		x.res.header = mergeHeaders(*x.fields(), r.headers)
	}
	if r.hasBody {
		x.discard()
		x.res.memory, x.res.length = r.body, int64(len(r.body))
	}
	if changed {
		return admit, ReasonFunctionChanged, true
	}
	return admit, ReasonFunctionContinues, true
}

// runViewerResponse runs the viewer-response function, which may change headers only.
func (x *exchange) runViewerResponse(a *LambdaAssociation) Reason {
	all := slices.Concat(*x.fields(), x.res.extra)
	if x.res.after != nil {
		all = x.res.after.Append(all)
	}
	shown := addLength(all, x.res.length)
	ev := x.eventRequest(append(message.Header{{Name: "Host", Value: x.req.Host}}, x.req.Header...), x.req.Path, x.req.Query)
	r, reason, ok := x.invokeLambda(a, encodeResponseEvent(x, a.Event, ev, shown))
	if !ok {
		return reason
	}
	if r.hasHeaders {
		if bad := checkHeaders(shown, r.headers, a.Event); bad != nil {
			return x.lambdaInvalid(a, bad)
		}
	}
	if r.status != x.res.status || len(r.body) > 0 {
		return x.lambdaInvalid(a, invalid("A viewer-response function cannot change the status or the body."))
	}
	changed := x.traceResponseChanges(a.Event, shown, r)
	if r.hasHeaders {
		x.res.header, x.res.extra, x.res.after = mergeHeaders(all, r.headers), nil, nil
	}
	if changed {
		return ReasonFunctionChanged
	}
	return ReasonFunctionContinues
}

// generated makes a function's response the answer.
func (x *exchange) generated(r *lambdaResult) {
	h := make(message.Header, 0, len(r.headers)+4)
	h = append(h, message.Field{Name: "Server", Value: "CloudFront"}, message.Field{Name: "Date", Value: httpDate(x.now)})
	for _, f := range r.headers {
		if !strings.EqualFold(f.Name, "Content-Length") && !strings.EqualFold(f.Name, "Transfer-Encoding") {
			h.Del(f.Name)
		}
	}
	h = mergeHeaders(h, append(h.Clone(), r.headers...))
	x.discard()
	x.res = result{status: r.status, origin: r.status, reason: r.description, header: h,
		memory: r.body, length: int64(len(r.body)), xcache: xcacheLambda}
	x.verdict = strconv.Itoa(r.status)
}

// checkRequest compares a returned request with the one that was shown.
func checkRequest(ev *eventRequest, r *lambdaResult, event Event) *invalidResult {
	if r.method != "" && r.method != ev.method {
		return invalid("The method is read-only.")
	}
	if !r.hasHeaders {
		return invalidEntry("The headers must be an object.")
	}
	return checkHeaders(ev.headers, r.headers, event)
}

func (x *exchange) eventRequest(headers message.Header, uri, query string) *eventRequest {
	return &eventRequest{clientIP: x.clientIP(), method: x.req.Method, uri: uri, query: query, headers: headers}
}

func encodeRequestEvent(x *exchange, event Event, ev *eventRequest) []byte {
	e := lambdaEvent{b: make([]byte, 0, 2048)}
	e.begin(x, event)
	e.request(ev)
	e.end()
	return e.b
}

func encodeResponseEvent(x *exchange, event Event, ev *eventRequest, shown message.Header) []byte {
	e := lambdaEvent{b: make([]byte, 0, 3072)}
	e.begin(x, event)
	e.request(ev)
	description := x.res.reason
	if description == "" {
		description = http.StatusText(x.res.status)
	}
	e.response(x.res.status, description, shown)
	e.end()
	return e.b
}

// addFraming shows the fields that message.Request keeps apart.
func addFraming(h message.Header, r *message.Request) message.Header {
	switch {
	case r.Body == nil:
	case r.ContentLength >= 0:
		h = append(h, message.Field{Name: "Content-Length", Value: strconv.FormatInt(r.ContentLength, 10)})
	default:
		h = append(h, message.Field{Name: "Transfer-Encoding", Value: "chunked"})
	}
	return h
}

func addLength(h message.Header, length int64) message.Header {
	if length >= 0 {
		return append(slices.Clip(h), message.Field{Name: "Content-Length", Value: strconv.FormatInt(length, 10)})
	}
	return append(slices.Clip(h), message.Field{Name: "Transfer-Encoding", Value: "chunked"})
}

// visible is what of h a function sees, in the order in which a function that changes nothing returns it.
func visible(h message.Header) message.Header {
	out := make(message.Header, 0, len(h))
	for i := range h {
		if invisibleToFunctions(h[i].Name) || fieldIndex(h[:i], h[i].Name) >= 0 {
			continue
		}
		for j := i; j < len(h); j++ {
			if strings.EqualFold(h[j].Name, h[i].Name) {
				out = append(out, h[j])
			}
		}
	}
	return out
}

// mergeHeaders keeps the fields of old that functions do not see and puts what the function returned behind them. Host and the
// fields that frame a message are kept apart elsewhere.
func mergeHeaders(old, returned message.Header) message.Header {
	out := make(message.Header, 0, len(old)+len(returned))
	for _, f := range old {
		if invisibleToFunctions(f.Name) {
			out = append(out, f)
		}
	}
	for _, f := range returned {
		if strings.EqualFold(f.Name, "Host") || strings.EqualFold(f.Name, "Content-Length") || strings.EqualFold(f.Name, "Transfer-Encoding") {
			continue
		}
		out = append(out, f)
	}
	return out
}

// readBody reads what IncludeBody shows; the body stays whole for the origin.
func (x *exchange) readBody(ev *eventRequest, limit int) bool {
	ev.withBody = true
	if x.req.Body == nil {
		return true
	}
	b, err := io.ReadAll(io.LimitReader(x.req.Body, int64(limit)+1))
	if err != nil {
		return false
	}
	rest := io.MultiReader(bytes.NewReader(b), x.req.Body)
	if len(b) <= limit {
		rest = bytes.NewReader(b)
	}
	x.req.Body = rest
	if x.fetched != nil && x.fetched.request != nil {
		x.fetched.request.Request.Body = rest
	}
	ev.truncated = len(b) > limit
	ev.body = b[:min(len(b), limit)]
	return true
}

func (x *exchange) replaceBody(req *message.Request, r *lambdaResult, a *LambdaAssociation) {
	if r.hasBody && a.IncludeBody {
		req.Body, req.ContentLength = bytes.NewReader(r.body), int64(len(r.body))
	}
}

// traceRequestChanges records what a function changed and tells whether it changed anything.
func (x *exchange) traceRequestChanges(event Event, ev *eventRequest, r *lambdaResult) bool {
	changed := r.hasBody
	note := func(what, from, to string) {
		changed = true
		if x.hop != nil {
			x.hop.Step(event.String(), what, strconv.Quote(from)+" became "+strconv.Quote(to))
		}
	}
	if r.uri != ev.uri {
		note("uri", ev.uri, r.uri)
	}
	if r.hasQuery && r.query != ev.query {
		note("querystring", trace.RedactQuery(ev.query), trace.RedactQuery(r.query))
	}
	if r.origin != nil && ev.origin != nil {
		if name := r.origin.domain(); name != ev.origin.Domain {
			note("origin", ev.origin.Domain, name)
		}
	}
	return x.traceHeaderChanges(event, ev.headers, r.headers) || changed
}

func (x *exchange) traceResponseChanges(event Event, shown message.Header, r *lambdaResult) bool {
	changed := r.hasBody
	if r.status != x.res.status {
		changed = true
		if x.hop != nil {
			x.hop.Step(event.String(), "status", strconv.Itoa(x.res.status)+" became "+strconv.Itoa(r.status))
		}
	}
	return r.hasHeaders && x.traceHeaderChanges(event, shown, r.headers) || changed
}

func (x *exchange) traceHeaderChanges(event Event, shown, returned message.Header) bool {
	seen := visible(shown)
	if slices.Equal(seen, returned) {
		return false
	}
	x.hideCopies(returned)
	changed := false
	value := func(h message.Header, name string) string {
		return x.hop.Redact(name, strings.Join(h.Values(name), ", "))
	}
	note := func(verb, name, detail string) {
		changed = true
		if x.hop != nil {
			x.hop.Step(event.String(), verb+" header "+name, detail)
		}
	}
	for i, f := range returned {
		if fieldIndex(returned[:i], f.Name) >= 0 {
			continue
		}
		switch {
		case !seen.Has(f.Name):
			note("added", f.Name, value(returned, f.Name))
		case !slices.Equal(seen.Values(f.Name), returned.Values(f.Name)):
			note("changed", f.Name, value(seen, f.Name)+" became "+value(returned, f.Name))
		}
	}
	for i, f := range seen {
		if fieldIndex(seen[:i], f.Name) < 0 && !returned.Has(f.Name) {
			note("removed", f.Name, value(seen, f.Name))
		}
	}
	return changed
}
