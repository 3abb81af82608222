package edge

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// corsProgram is a CORS section with its values written out (DG-understanding-response-headers-policies, "CORS headers").
type corsProgram struct {
	policy    *CORS
	preflight []CustomHeader // on preflight requests only
	simple    []CustomHeader // on every CORS request
	origins   []allowedOrigin
	anyOrigin bool
	// headers are the allowed headers with a wildcard inside: of these, a preflight gets the names that it asks for.
	headers []Pattern
}

// allowedOrigin is an entry of AllowOrigins: what a scheme, host and port of it have to be.
type allowedOrigin struct {
	scheme     string // "" for any
	host, port Pattern
	hasPort    bool
}

// allMethods is what the value ALL of AllowMethods stands for (facts: cloudfront-policies 8).
const allMethods = "GET, DELETE, HEAD, OPTIONS, PATCH, POST, PUT"

// corsHeaders are the CORS headers that an answer can have.
var corsHeaders = [...]string{"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers",
	"Access-Control-Allow-Credentials", "Access-Control-Expose-Headers", "Access-Control-Max-Age"}

func compileCORS(c *CORS) corsProgram {
	p := corsProgram{policy: c}
	for _, o := range c.AllowOrigins {
		p.anyOrigin = p.anyOrigin || o == "*"
		p.origins = append(p.origins, compileOrigin(o))
	}
	if c.AllowCredentials {
		p.simple = append(p.simple, CustomHeader{"Access-Control-Allow-Credentials", "true", c.OriginOverride})
	}
	if len(c.ExposeHeaders) > 0 {
		p.simple = append(p.simple, CustomHeader{"Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ", "), c.OriginOverride})
	}
	if len(c.AllowMethods) > 0 {
		methods := strings.Join(c.AllowMethods, ", ")
		if len(c.AllowMethods) == 1 && c.AllowMethods[0] == "ALL" {
			methods = allMethods
		}
		p.preflight = append(p.preflight, CustomHeader{"Access-Control-Allow-Methods", methods, c.OriginOverride})
	}
	var names []string
	for _, n := range c.AllowHeaders {
		if n != "*" && strings.Contains(n, "*") {
			p.headers = append(p.headers, compilePattern(strings.ToLower(n)))
		} else {
			names = append(names, n)
		}
	}
	if len(names) > 0 && p.headers == nil {
		p.preflight = append(p.preflight, CustomHeader{"Access-Control-Allow-Headers", strings.Join(names, ", "), c.OriginOverride})
	}
	if c.MaxAge != nil {
		p.preflight = append(p.preflight, CustomHeader{"Access-Control-Max-Age", strconv.FormatInt(*c.MaxAge, 10), c.OriginOverride})
	}
	return p
}

func compileOrigin(entry string) allowedOrigin {
	var a allowedOrigin
	scheme, rest, ok := strings.Cut(strings.ToLower(entry), "://")
	if !ok {
		scheme, rest = "", scheme
	}
	host, port, hasPort := strings.Cut(rest, ":")
	a.scheme, a.host, a.port, a.hasPort = scheme, compilePattern(host), compilePattern(port), hasPort
	return a
}

// allows matches an Origin. A wildcard stands for any characters, none included; a port is matched only by an entry that has one.
func (p *corsProgram) allows(origin string) bool {
	scheme, rest, ok := strings.Cut(strings.ToLower(origin), "://")
	if !ok {
		return false
	}
	host, port, hasPort := strings.Cut(rest, ":")
	for i := range p.origins {
		a := &p.origins[i]
		if (a.scheme == "" || a.scheme == scheme) && a.hasPort == hasPort && a.host.Match(host) && a.port.Match(port) {
			return true
		}
	}
	return false
}

// applyCORS adds the CORS headers to CORS requests, the ones about methods and headers to preflights only. Without OriginOverride
// an origin that answers with any CORS header of its own gets none of the policy's beside it.
func (x *exchange) applyCORS(p *corsProgram) {
	c := p.policy
	origin := x.viewer.Header.Get("Origin")
	if origin == "" || !c.OriginOverride && x.hasCORS() {
		return
	}
	allow := "*"
	if !p.anyOrigin {
		if !p.allows(origin) {
			return
		}
		allow = origin
	}
	x.setHeader(&CustomHeader{"Access-Control-Allow-Origin", allow, c.OriginOverride})
	if x.method == OPTIONS && x.viewer.Header.Has("Access-Control-Request-Method") {
		for i := range p.preflight {
			x.setHeader(&p.preflight[i])
		}
		if p.headers != nil {
			x.allowAskedHeaders(p)
		}
	}
	for i := range p.simple {
		x.setHeader(&p.simple[i])
	}
	if allow != "*" {
		// The answer depends on Origin (rfc9110 12.5.5).
		x.addVary("Origin")
	}
}

func (x *exchange) hasCORS() bool {
	for _, name := range corsHeaders {
		if _, has := x.field(name); has {
			return true
		}
	}
	return false
}

// allowAskedHeaders writes Access-Control-Allow-Headers where the policy has names such as x-amz-*, which mean nothing to a browser:
// the names that the preflight asks for and that match take their place. The manual says what matches, and not what is sent.
func (x *exchange) allowAskedHeaders(p *corsProgram) {
	var names []string
	for _, n := range p.policy.AllowHeaders {
		if n == "*" || !strings.Contains(n, "*") {
			names = append(names, n)
		}
	}
	for asked := range strings.SplitSeq(strings.Join(x.viewer.Header.Values("Access-Control-Request-Headers"), ","), ",") {
		name := strings.TrimSpace(asked)
		for i := range p.headers {
			if validName(name) && p.headers[i].Match(strings.ToLower(name)) {
				names = append(names, name)
				break
			}
		}
	}
	if len(names) > 0 {
		x.setHeader(&CustomHeader{"Access-Control-Allow-Headers", strings.Join(names, ", "), p.policy.OriginOverride})
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
