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
	policy *ResponseHeadersPolicy
	set    []CustomHeader // security headers, then custom ones
	cors   corsProgram
	// lines is set written out; nil when something may come behind it, or when it cannot be sent.
	lines *message.Lines
}

func compileHeaders(p *ResponseHeadersPolicy) *headerProgram {
	h := &headerProgram{policy: p}
	if c := p.CORS; c != nil {
		h.cors = compileCORS(c)
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
		x.applyCORS(&h.cors)
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

// timing is what Server-Timing tells.
type timing struct {
	asked bool
	fetch time.Duration
	FetchTiming
}

func (t *timing) fetched(d time.Duration, f *FetchTiming) {
	t.fetch += d
	t.DNS += f.DNS
	t.Connect += f.Connect
}

// timed tells whether answers of the behavior may get a Server-Timing.
func (b *Behavior) timed() bool {
	p := b.ResponseHeaders
	return p != nil && p.ServerTiming != nil && p.ServerTiming.Enabled
}

// serverTiming adds the metrics in the order of the manual's examples (DG-understanding-response-headers-policies, "Server-Timing
// header"). cdn-upstream-layer is there when the whole object was asked for, so not with a confirmation of what is stored.
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
		t := &x.res.timing
		layer, result := `cdn-upstream-layer;desc="EDGE",`, "cdn-cache-miss"
		if x.res.xcache == xcacheRefresh {
			layer, result = "", "cdn-cache-refresh"
		}
		v = layer + "cdn-upstream-dns;dur=" + millis(t.DNS) + ",cdn-upstream-connect;dur=" + millis(t.Connect) + ",cdn-upstream-fbl;dur=" +
			millis(max(t.fetch-t.DNS-t.Connect, 0)) + "," + result + "," + who + ",cdn-downstream-fbl;dur=" + first
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
