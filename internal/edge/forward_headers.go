package edge

import (
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// headerRule is what CloudFront does with a viewer's header that no policy names (facts: cloudfront-dataplane 5).
type headerRule uint8

const (
	// ruleOther is a header that the table does not have: forwarded by ForwardedValues, dropped by policies.
	ruleOther headerRule = iota
	// ruleForward is always forwarded.
	ruleForward
	// ruleLegacy is forwarded by ForwardedValues, and by policies only when named.
	ruleLegacy
	// ruleDrop is dropped unless named.
	ruleDrop
	// ruleNever is dropped even when all headers are forwarded: it belongs to the connection or to CloudFront.
	ruleNever
	// ruleOwn is made by code of its own: Cookie, User-Agent, Accept-Encoding, Via, X-Forwarded-For.
	ruleOwn
	// ruleAuthorization depends on the method.
	ruleAuthorization
)

// headerRuleOf looks a header up in the table of dataplane 5. The base set under policies is the manual's: Content-*,
// conditional headers, Range (facts: cloudfront-policies 5 and the note under dataplane 5).
func headerRuleOf(name string) headerRule {
	if len(name) < len(headerRulesByLength) {
		for _, r := range headerRulesByLength[len(name)] {
			if message.SameName(r.name, name) {
				return r.rule
			}
		}
	}
	switch {
	case hasPrefixFold(name, "content-"):
		return ruleForward
	case hasPrefixFold(name, "x-edge-"), hasPrefixFold(name, "x-amz-cf-"), hasPrefixFold(name, "cloudfront-"):
		return ruleNever
	}
	return ruleOther
}

type namedRule struct {
	name string
	rule headerRule
}

var headerRulesByLength = func() (by [len("x-http-method-override") + 1][]namedRule) {
	for _, r := range headerRules {
		by[len(r.name)] = append(by[len(r.name)], r)
	}
	return by
}()

var headerRules = [...]namedRule{
	{"authorization", ruleAuthorization},
	{"cookie", ruleOwn}, {"user-agent", ruleOwn}, {"accept-encoding", ruleOwn}, {"via", ruleOwn}, {"x-forwarded-for", ruleOwn},
	{"accept", ruleDrop}, {"accept-charset", ruleDrop}, {"accept-language", ruleDrop}, {"referer", ruleDrop},
	{"x-http-method-override", ruleDrop}, {"expect", ruleDrop},
	{"if-match", ruleForward}, {"if-modified-since", ruleForward}, {"if-none-match", ruleForward}, {"if-range", ruleForward},
	{"if-unmodified-since", ruleForward}, {"range", ruleForward}, {"date", ruleLegacy},
	{"cache-control", ruleLegacy}, {"pragma", ruleLegacy}, {"max-forwards", ruleLegacy}, {"request-range", ruleLegacy},
	{"from", ruleLegacy}, {"origin", ruleLegacy}, {"warning", ruleLegacy},
	{"connection", ruleNever}, {"keep-alive", ruleNever}, {"proxy-authenticate", ruleNever},
	{"proxy-authorization", ruleNever}, {"proxy-connection", ruleNever}, {"te", ruleNever}, {"trailer", ruleNever},
	{"transfer-encoding", ruleNever}, {"content-length", ruleNever}, {"upgrade", ruleNever},
	{"x-forwarded-proto", ruleNever}, {"x-real-ip", ruleNever}, {"host", ruleNever},
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && message.SameName(s[:len(prefix)], prefix)
}

// forwardsField tells whether a viewer's header goes to the origin, and why not.
func (x *exchange) forwardsField(name string, rule headerRule) (ok bool, why string) {
	f := x.behavior.Forward
	if rule == ruleNever {
		return false, "CloudFront never forwards it"
	}
	if f.Headers.Has(name) {
		return true, ""
	}
	switch rule {
	case ruleForward:
		return true, ""
	case ruleLegacy, ruleOther:
		if f.Legacy {
			return true, ""
		}
		return false, "neither the cache policy nor the origin request policy names it"
	case ruleAuthorization:
		return x.forwardsAuthorization()
	}
	return false, "CloudFront removes it unless the cache policy or the origin request policy names it"
}

// forwardsAuthorization is the row of dataplane 5 for an Authorization that is not named: GET and HEAD lose it, OPTIONS when
// it is cached, the other methods keep it.
func (x *exchange) forwardsAuthorization() (ok bool, why string) {
	switch {
	case x.method&(GET|HEAD) != 0:
		return false, "CloudFront removes Authorization from GET and HEAD unless it is in the cache key or all viewer headers are forwarded"
	case x.method == OPTIONS && x.behavior.Cached&OPTIONS != 0:
		return false, "CloudFront removes Authorization from OPTIONS when OPTIONS is cached"
	}
	return true, ""
}

// originHeaders appends the fields that go to the origin, but for Host and for the origin's custom headers, which functions
// see apart.
func (x *exchange) originHeaders(h message.Header, origin *Origin) message.Header {
	f := x.behavior.Forward
	in := x.req.Header
	h = slices.Grow(h, len(in)+8+len(origin.Headers)+len(f.CloudFront))
	if !f.Headers.Has("user-agent") {
		h = append(h, message.Field{Name: "User-Agent", Value: "Amazon CloudFront"})
	}
	h = append(h, message.Field{Name: "X-Amz-Cf-Id", Value: x.id}, x.viaField(), x.forwardedForField())
	upgrade, grpc := x.upgrades(), x.grpc()
	if upgrade && origin.VPC {
		upgrade = false
		x.hop.Fact(trace.VPCRestricted, "WebSocket", "the origin got an ordinary GET without Upgrade", origin.SourcePath)
	}
	conditionalOff := x.keyed && f.Cookies.Mode() != None
	for i := range in {
		name := in[i].Name
		rule := headerRuleOf(name)
		if rule == ruleOwn {
			if strings.EqualFold(name, "User-Agent") && f.Headers.Has("user-agent") ||
				strings.EqualFold(name, "Accept-Encoding") && !f.Gzip && !f.Brotli && f.Headers.Has("accept-encoding") && x.viewer.Proto != message.HTTP10 {
				h = append(h, in[i])
			}
			continue
		}
		ok, why := x.forwardsField(name, rule)
		if upgrade && upgradeField(name) || grpc && grpcField(name) {
			ok = true
		}
		if ok && conditionalOff && (strings.EqualFold(name, "If-None-Match") || strings.EqualFold(name, "If-Modified-Since")) {
			ok, why = false, "conditional requests are not supported when cookies are forwarded"
		}
		if ok {
			h = append(h, in[i])
		} else if x.hop != nil && rule != ruleNever {
			x.hop.Fact(trace.HeaderDropped, name, why, x.dropSource(name))
		}
	}
	h = x.addEncoding(h)
	h = x.addCookies(h)
	return x.addCloudFrontHeaders(h)
}

// clientIP is the viewer's address; a request that has none, as one of explain, comes from this machine.
func (x *exchange) clientIP() string {
	if a := x.viewer.Client.Addr(); a.IsValid() {
		return a.Unmap().String()
	}
	return "127.0.0.1"
}

// upgradeField names what CloudFront passes of a WebSocket handshake without configuration. Sec-WebSocket-Key and its kin are
// fields like any other: a policy has to name them (DG-distribution-working-with-websockets,
// DG-RequestAndResponseBehaviorCustomOrigin).
func upgradeField(name string) bool {
	return strings.EqualFold(name, "Upgrade") || strings.EqualFold(name, "Connection")
}

func (x *exchange) viaField() message.Field {
	v := x.svc.viaOf(x.viewer.Proto)
	if old := strings.Join(x.req.Header.Values("Via"), ", "); old != "" {
		v = old + ", " + v
	}
	return message.Field{Name: "Via", Value: v}
}

// forwardedForField appends the viewer's address with a comma and no space (facts: cloudfront-dataplane 5).
func (x *exchange) forwardedForField() message.Field {
	v := x.clientIP()
	if old := strings.Join(x.req.Header.Values("X-Forwarded-For"), ","); old != "" {
		v = old + "," + v
	}
	return message.Field{Name: "X-Forwarded-For", Value: v}
}

// addEncoding sends the normalised Accept-Encoding, which never goes to the origin from HTTP/1.0 (facts:
// cloudfront-policies 6, cloudfront-dataplane 6).
func (x *exchange) addEncoding(h message.Header) message.Header {
	f := x.behavior.Forward
	if !f.Gzip && !f.Brotli {
		return h
	}
	if v := x.encoding(); v != "" {
		h = append(h, message.Field{Name: "Accept-Encoding", Value: v})
	}
	return h
}

func (x *exchange) addCookies(h message.Header) message.Header {
	f := x.behavior.Forward
	if f.Cookies.Mode() != None {
		var room [256]byte
		if b, any := appendCookies(room[:0], x.req.Header, &f.Cookies); any {
			h = append(h, message.Field{Name: "Cookie", Value: string(b)})
		}
	}
	if x.hop != nil {
		x.traceCookies()
	}
	return h
}

func (x *exchange) traceCookies() {
	f := x.behavior.Forward
	for _, line := range x.req.Header.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			name, _, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if ok && name != "" && !f.Cookies.Has(name) {
				x.hop.Fact(trace.CookieDropped, name, "neither the cache policy nor the origin request policy names it", x.headerSource())
			}
		}
	}
}

// originQuery is what the origin gets behind "?".
func (x *exchange) originQuery(origin *Origin) (query string, has bool) {
	f := x.behavior.Forward
	var drop func(string) bool
	if f.DropS3Response && origin.Kind == S3Origin {
		drop = s3ResponseParameter
	}
	if f.Query.Mode() == All && drop == nil {
		return x.req.Query, x.req.HasQuery
	}
	if x.hop != nil {
		x.traceQuery(drop)
	}
	var room [512]byte
	b := appendQuery(room[:0], x.req.Query, &f.Query, drop)
	return string(b), len(b) > 0
}

// s3ResponseParameter names what the managed policies do not forward to S3 (facts: cloudfront-policies 2).
func s3ResponseParameter(name string) bool {
	return name == "response-content-type" || name == "response-content-disposition" || name == "response-content-encoding"
}

func (x *exchange) traceQuery(drop func(string) bool) {
	f := x.behavior.Forward
	for param := range strings.SplitSeq(x.req.Query, "&") {
		name, _, _ := strings.Cut(param, "=")
		switch {
		case name == "":
		case drop != nil && drop(name):
			x.hop.Fact(trace.QueryDropped, name, "this managed policy does not forward it to S3", x.headerSource())
		case !f.Query.Has(name):
			x.hop.Fact(trace.QueryDropped, name, "neither the cache policy nor the origin request policy names it", x.headerSource())
		}
	}
}

// headerSource is the setting that decides what is forwarded.
func (x *exchange) headerSource() string {
	s := &x.behavior.Source
	return or(s.OriginRequestPolicy, or(s.CachePolicy, or(s.ForwardedValues, s.Behavior)))
}

// dropSource is where a dropped header would have to be named: Authorization can only be in the cache policy, or come with
// all viewer headers (facts: cloudfront-policies 4b).
func (x *exchange) dropSource(name string) string {
	s := &x.behavior.Source
	if strings.EqualFold(name, "Authorization") {
		return or(s.CachePolicy, or(s.ForwardedValues, s.Behavior))
	}
	return x.headerSource()
}

// hostSource is the setting that forwards the viewer's Host.
func (x *exchange) hostSource() string {
	for _, n := range x.behavior.Forward.KeyHeaders {
		if n == "host" {
			return or(x.behavior.Source.CachePolicy, x.headerSource())
		}
	}
	return x.headerSource()
}
