package edge

import (
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// headerProgram is a ResponseHeadersPolicy with its values written out, so that a hit does not build strings.
type headerProgram struct {
	policy    *ResponseHeadersPolicy
	set       []CustomHeader // security headers, then custom ones
	preflight []CustomHeader // CORS, on preflight requests only
	simple    []CustomHeader // CORS, on every CORS request
	anyOrigin bool
	// lines is set written out; nil when something may come behind it, or when it cannot be sent.
	lines *message.Lines
}

// allMethods is what the value ALL of AllowMethods stands for (facts: cloudfront-policies 8).
const allMethods = "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT"

func compileHeaders(p *ResponseHeadersPolicy) *headerProgram {
	h := &headerProgram{policy: p}
	if c := p.CORS; c != nil {
		h.compileCORS(c)
	}
	if s := p.Security; s != nil {
		h.compileSecurity(s)
	}
	h.set = append(h.set, p.Custom...)
	if len(h.set) > 0 && (p.ServerTiming == nil || !p.ServerTiming.Enabled) {
		fields := make(message.Header, 0, len(h.set))
		for i := range h.set {
			fields.Add(h.set[i].Name, h.set[i].Value)
		}
		h.lines, _ = http1.NewLines(fields)
	}
	return h
}

func (h *headerProgram) compileCORS(c *CORS) {
	for _, o := range c.AllowOrigins {
		h.anyOrigin = h.anyOrigin || o == "*"
	}
	if c.AllowCredentials {
		h.simple = append(h.simple, CustomHeader{"Access-Control-Allow-Credentials", "true", c.OriginOverride})
	}
	if len(c.ExposeHeaders) > 0 {
		h.simple = append(h.simple, CustomHeader{"Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "), c.OriginOverride})
	}
	if len(c.AllowMethods) > 0 {
		methods := strings.Join(c.AllowMethods, ", ")
		if len(c.AllowMethods) == 1 && c.AllowMethods[0] == "ALL" {
			methods = allMethods
		}
		h.preflight = append(h.preflight, CustomHeader{"Access-Control-Allow-Methods", methods, c.OriginOverride})
	}
	if len(c.AllowHeaders) > 0 {
		h.preflight = append(h.preflight, CustomHeader{"Access-Control-Allow-Headers", strings.Join(c.AllowHeaders, ", "), c.OriginOverride})
	}
	if c.MaxAge != nil {
		h.preflight = append(h.preflight, CustomHeader{"Access-Control-Max-Age", strconv.FormatInt(*c.MaxAge, 10), c.OriginOverride})
	}
}

func (h *headerProgram) compileSecurity(s *SecurityHeaders) {
	if x := s.XSSProtection; x != nil {
		v := "0"
		switch {
		case x.Protection && x.ModeBlock:
			v = "1; mode=block"
		case x.Protection && x.ReportURI != "":
			v = "1; report=" + x.ReportURI
		case x.Protection:
			v = "1"
		}
		h.set = append(h.set, CustomHeader{"X-XSS-Protection", v, x.Override})
	}
	if v := s.FrameOptions; v != nil {
		h.set = append(h.set, CustomHeader{"X-Frame-Options", v.Value, v.Override})
	}
	if v := s.ReferrerPolicy; v != nil {
		h.set = append(h.set, CustomHeader{"Referrer-Policy", v.Value, v.Override})
	}
	if v := s.ContentSecurityPolicy; v != nil {
		h.set = append(h.set, CustomHeader{"Content-Security-Policy", v.Value, v.Override})
	}
	if v := s.ContentTypeOptions; v != nil {
		h.set = append(h.set, CustomHeader{"X-Content-Type-Options", "nosniff", v.Override})
	}
	if t := s.StrictTransportSecurity; t != nil {
		v := "max-age=" + strconv.FormatInt(t.MaxAge, 10)
		if t.IncludeSubdomains {
			v += "; includeSubDomains"
		}
		if t.Preload {
			v += "; preload"
		}
		h.set = append(h.set, CustomHeader{"Strict-Transport-Security", v, t.Override})
	}
}

// responseHeaders applies the response headers policy: first it removes, then it adds (facts: cloudfront-policies 8).
// CloudFront's own pages are left as they are: whether AWS adds to them is not known.
func (x *exchange) responseHeaders() (phase, Reason) {
	p := x.behavior.ResponseHeaders
	if p == nil || x.res.self {
		return viewerResponse, ReasonNoPolicy
	}
	h := x.svc.headers[p]
	x.res.extra = x.extraRoom[:0]
	x.removeHeaders(p.Remove)
	if p.CORS != nil {
		x.applyCORS(h)
	}
	x.setHeaders(h)
	if p.ServerTiming != nil && p.ServerTiming.Enabled {
		x.serverTiming(p.ServerTiming)
	}
	return viewerResponse, ReasonPolicyApplied
}

// removeHeaders takes the policy's headers off. In place of the origin's Server CloudFront puts its own; Date comes back in
// deliver.
func (x *exchange) removeHeaders(names []string) {
	for _, n := range names {
		if _, ok := x.field(n); !ok {
			continue
		}
		x.fields().Del(n)
		if message.SameName(n, "Server") {
			x.res.header.Add("Server", "CloudFront")
		}
	}
}

// field returns a field of the origin, of a stored object without a copy of its fields.
func (x *exchange) field(name string) (string, bool) {
	if o := x.res.object; o != nil && x.res.header == nil {
		if o.Via != "" && message.SameName(name, "Via") {
			return o.Via, true
		}
		return o.Head.Lookup(name)
	}
	return x.res.header.Lookup(name)
}

// setHeaders adds the headers that depend on nothing but the policy. A stored object that has none of them gets them as they
// were written out.
func (x *exchange) setHeaders(h *headerProgram) {
	ready := h.lines != nil && x.res.header == nil && x.res.object != nil
	for i := 0; ready && i < len(h.set); i++ {
		_, has := x.field(h.set[i].Name)
		ready = !has
	}
	if ready {
		x.res.after = h.lines
		return
	}
	for i := range h.set {
		x.setHeader(&h.set[i])
	}
}

// setHeader adds a header, or replaces the origin's when the policy overrides.
func (x *exchange) setHeader(c *CustomHeader) {
	_, has := x.field(c.Name)
	switch {
	case !has:
		x.res.extra = append(x.res.extra, message.Field{Name: c.Name, Value: c.Value})
	case c.Override:
		x.fields().Set(c.Name, c.Value)
	}
}

// applyCORS adds the CORS headers to CORS requests, the ones about methods and headers to preflights only.
func (x *exchange) applyCORS(h *headerProgram) {
	c := h.policy.CORS
	origin := x.viewer.Header.Get("Origin")
	if origin == "" {
		return
	}
	allow := "*"
	if !h.anyOrigin {
		if !originAllowed(c.AllowOrigins, origin) {
			return
		}
		allow = origin
	}
	x.setHeader(&CustomHeader{"Access-Control-Allow-Origin", allow, c.OriginOverride})
	if x.method == OPTIONS && x.viewer.Header.Has("Access-Control-Request-Method") {
		for i := range h.preflight {
			x.setHeader(&h.preflight[i])
		}
	}
	for i := range h.simple {
		x.setHeader(&h.simple[i])
	}
	if allow != "*" {
		// The answer depends on Origin (rfc9110 12.5.5).
		x.addVary("Origin")
	}
}

func (x *exchange) addVary(name string) {
	old, _ := x.field("Vary")
	if old == "" {
		x.res.extra = append(x.res.extra, message.Field{Name: "Vary", Value: name})
		return
	}
	for item := range strings.SplitSeq(old, ",") {
		if strings.EqualFold(strings.TrimSpace(item), name) {
			return
		}
	}
	x.fields().Set("Vary", old+", "+name)
}

// originAllowed matches an Origin with the policy's list. An entry may leave out the scheme, and may have a wildcard as its
// leftmost label (facts: cloudfront-policies 8).
func originAllowed(list []string, origin string) bool {
	scheme, host, _ := strings.Cut(origin, "://")
	for _, entry := range list {
		s, h, ok := strings.Cut(entry, "://")
		if !ok {
			s, h = scheme, entry
		}
		if !strings.EqualFold(s, scheme) {
			continue
		}
		if strings.EqualFold(h, host) {
			return true
		}
		if suffix, ok := strings.CutPrefix(h, "*"); ok && suffix != "" && len(host) > len(suffix) &&
			strings.EqualFold(host[len(host)-len(suffix):], suffix) {
			return true
		}
	}
	return false
}

// timing is what Server-Timing tells.
type timing struct {
	asked bool
	fetch time.Duration
}

func (t *timing) fetched(d time.Duration) {
	t.asked = true
	t.fetch += d
}

// serverTiming adds the metrics in the order of the manual's examples (facts: cloudfront-policies 8). Name resolution and
// connecting are not told apart from the fetch, so they show as 0.
func (x *exchange) serverTiming(p *ServerTiming) {
	if !strings.EqualFold(x.viewer.Header.Get("Pragma"), "server-timing") && !x.sampled(p.SamplingRate) {
		return
	}
	who := `cdn-pop;desc="` + x.svc.node.Pop + `",cdn-rid;desc="` + x.id + `"`
	first := millis(x.svc.effects.Now().Sub(x.now))
	origin := ""
	var v string
	switch {
	case !x.res.timing.asked:
		v = "cdn-cache-hit," + who + `,cdn-hit-layer;desc="EDGE",cdn-downstream-fbl;dur=` + first
	default:
		result := "cdn-cache-miss"
		if x.res.xcache == xcacheRefresh {
			result = "cdn-cache-refresh"
		}
		v = `cdn-upstream-layer;desc="EDGE",cdn-upstream-dns;dur=0,cdn-upstream-connect;dur=0,cdn-upstream-fbl;dur=` +
			millis(x.res.timing.fetch) + "," + result + "," + who + ",cdn-downstream-fbl;dur=" + first
		origin = strings.Join(x.fields().Values("Server-Timing"), ",")
	}
	if _, has := x.field("Server-Timing"); has {
		x.fields().Del("Server-Timing")
	}
	if origin != "" {
		v = origin + "," + v
	}
	x.res.extra = append(x.res.extra, message.Field{Name: "Server-Timing", Value: v})
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// sampled draws by the request's id, which is random.
func (x *exchange) sampled(rate float64) bool {
	var n uint32 = 2166136261
	for i := range len(x.id) {
		n = (n ^ uint32(x.id[i])) * 16777619
	}
	return float64(n%1_000_000)/10_000 < rate
}

// viewerResponse runs the viewer-response function, which never sees errors, custom error pages, and what a viewer-request
// function has answered (facts: edge-functions A; AWS's manual, "CloudFront events that can trigger a Lambda@Edge function").
func (x *exchange) viewerResponse() (phase, Reason) {
	a, f := x.lambda(ViewerResponse), x.behavior.ViewerResponseFunction
	switch {
	case a == nil && f == nil:
		return deliver, ReasonNoFunction
	case x.res.self || x.res.status >= 400 || x.res.origin >= 400:
		return deliver, ReasonNotForErrors
	case x.res.byViewerFunction:
		return deliver, ReasonNotForGenerated
	case f != nil:
		return deliver, x.viewerResponseFunction(f)
	}
	return deliver, x.runViewerResponse(a)
}
