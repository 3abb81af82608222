// Package trace records the decisions that engines make about a request.
//
// Start with Trace. Engines call methods on a *Hop; a nil *Trace or *Hop records nothing and costs a nil check, so live
// traffic runs the same code as explain. The package must not know what a phase means, and never holds a secret: what goes
// in has passed Redact.
package trace

import (
	"net/url"
	"strings"
	"sync"
)

// Step is one decision: the phase (AWS's name), its verdict (a value such as the behavior's pattern, or a word such as
// "deny") and the reason in words.
type Step struct {
	Phase   string `json:"phase"`
	Verdict string `json:"verdict"`
	Reason  string `json:"reason,omitempty"`
}

// Sent is the request that a hop passed on.
type Sent struct {
	Method  string      `json:"method"`
	Scheme  string      `json:"scheme,omitempty"`
	Host    string      `json:"host"`
	SNI     string      `json:"sni,omitempty"`
	Address string      `json:"address,omitempty"` // the name or address that was connected to
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
}

// FactKind names what a Fact is about.
type FactKind string

// The kinds of facts. Findings are made from facts, never from the wording of steps.
const (
	// BehaviorMatched: Name is the path pattern, Detail the path that matched it, Path the behavior in the source.
	BehaviorMatched FactKind = "behavior-matched"
	// PoliciesApplied: Name says which policies the behavior has, Path the behavior in the source.
	PoliciesApplied FactKind = "policies-applied"
	// HeaderDropped: Name is the header, Detail why it was not forwarded, Path the setting that decides.
	HeaderDropped FactKind = "header-dropped"
	// QueryDropped: Name is the parameter (or * for all), Detail and Path as with HeaderDropped.
	QueryDropped FactKind = "query-dropped"
	// CookieDropped: Name is the cookie (or *), Detail and Path as with HeaderDropped.
	CookieDropped FactKind = "cookie-dropped"
	// HostForwarded: Name is the Host that reached the origin, Detail the origin's own domain name, Path the policy.
	HostForwarded FactKind = "host-forwarded"
	// OriginChosen: Name is the origin's id, Detail its domain name, Path its place in the source.
	OriginChosen FactKind = "origin-chosen"
	// OriginPathAdded: Name is the origin path that was put in front of the viewer's path ("" for none), Detail the
	// whole path that was sent, Path the setting.
	OriginPathAdded FactKind = "origin-path-added"
	// Refused: the hop answered with an error of its own. Name is AWS's error type (ForbiddenException), Detail the
	// cause in the engine's terms (a Cause constant of the engine), Path the resource or setting behind it.
	Refused FactKind = "refused"
	// FunctionFailed: a customer's function failed. Name is the function, Detail the error as it was reported.
	FunctionFailed FactKind = "function-failed"
	// SignatureChecked: Name is the host that the signature was computed for when it can be told, Detail the host that
	// arrived.
	SignatureChecked FactKind = "signature-checked"
	// SignatureDiagnosed: why a signed URL or signed cookies were refused. Name is "because" or "fix", Detail the text, Path the
	// setting that asks for signatures.
	SignatureDiagnosed FactKind = "signature-diagnosed"
	// AuthorizationShared: the answer may be cached, the origin got the viewer's Authorization, and it is not in the cache key. Path
	// is the policy.
	AuthorizationShared FactKind = "authorization-shared"
	// PlaceUnknown: a setting or a header needs the place of the viewer, and nothing is known of its address. Name is the setting or
	// the header, Detail the address, Path the setting.
	PlaceUnknown FactKind = "place-unknown"
	// CORSChecked: a bucket with CORS rules was asked. Name is "allowed", "refused", or "unasked" for a request without Origin; Path is
	// the bucket.
	CORSChecked FactKind = "cors-checked"
	// VPCRestricted: the request asked for something that a VPC origin does not support. Name is what, Detail what happened instead,
	// Path the origin or the setting.
	VPCRestricted FactKind = "vpc-restricted"
	// Unsupported: a setting that applied to this request and that Foregate does not honour. Path is the setting.
	Unsupported FactKind = "unsupported"
)

// Fact is something that happened to the request, in a form that findings can be made from.
type Fact struct {
	Kind   FactKind `json:"kind"`
	Name   string   `json:"name,omitempty"`
	Detail string   `json:"detail,omitempty"`
	Path   string   `json:"path,omitempty"`
}

// Hop is one component that handled the request: a distribution, an API, a function, a bucket.
type Hop struct {
	Component string `json:"component"`
	ID        string `json:"id"`
	Steps     []Step `json:"steps"`
	Sent      *Sent  `json:"sent,omitempty"`
	Facts     []Fact `json:"facts,omitempty"`

	trace *Trace
}

// Step records a decision. On a nil hop it does nothing, but its arguments are still evaluated: guard calls that build
// strings with h != nil.
func (h *Hop) Step(phase, verdict, reason string) {
	if h == nil {
		return
	}
	h.Steps = append(h.Steps, Step{phase, verdict, reason})
}

// Fact records a fact; see Step about nil.
func (h *Hop) Fact(kind FactKind, name, detail, path string) {
	if h == nil {
		return
	}
	h.Facts = append(h.Facts, Fact{kind, name, detail, path})
}

// Hide makes the header called name a secret in this hop and in those behind it: Redact shortens its values. An origin's
// custom header is one, since it proves to the origin who asks.
func (h *Hop) Hide(name string) {
	if h == nil || h.trace == nil {
		return
	}
	h.trace.mu.Lock()
	defer h.trace.mu.Unlock()
	if h.trace.hidden == nil {
		h.trace.hidden = map[string]bool{}
	}
	h.trace.hidden[strings.ToLower(name)] = true
}

// Redact is the function Redact, with the headers that Hide has named.
func (h *Hop) Redact(name, value string) string {
	if h != nil && h.trace != nil {
		h.trace.mu.Lock()
		hidden := h.trace.hidden[strings.ToLower(name)]
		h.trace.mu.Unlock()
		if hidden {
			return Shorten(value)
		}
	}
	return Redact(name, value)
}

// Trace collects the hops of one request in the order in which they began. The zero value is ready; a nil *Trace records
// nothing.
type Trace struct {
	mu     sync.Mutex
	hops   []*Hop
	hidden map[string]bool
}

// Hop begins a hop; component is "cloudfront", "apigateway", "lambda", "s3" or another name of DESIGN's JSON. On a nil
// trace it returns nil. A hop is written by one goroutine at a time.
func (t *Trace) Hop(component, id string) *Hop {
	if t == nil {
		return nil
	}
	h := &Hop{Component: component, ID: id, Steps: []Step{}, trace: t}
	t.mu.Lock()
	t.hops = append(t.hops, h)
	t.mu.Unlock()
	return h
}

// Hops returns the hops so far. Call it when the request is finished.
func (t *Trace) Hops() []*Hop {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]*Hop(nil), t.hops...)
}

// secretHeaders are shown by Redact as their first and last four characters.
var secretHeaders = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true, "set-cookie": true,
	"x-amz-security-token": true, "x-api-key": true, "x-auth-token": true, "x-access-token": true, "x-csrf-token": true,
	"x-amz-server-side-encryption-customer-key": true, "x-amz-copy-source-server-side-encryption-customer-key": true,
}

// secretParameters are the query parameters that RedactTarget shortens: those by which SigV4 and CloudFront's signed URLs
// sign (facts: sigv4-iam 2, cloudfront-dataplane 4), and the usual names of tokens and passwords.
var secretParameters = map[string]bool{
	"x-amz-signature": true, "x-amz-security-token": true, "signature": true, "access_token": true, "id_token": true,
	"refresh_token": true, "token": true, "client_secret": true, "password": true, "api_key": true, "apikey": true,
	"x-api-key": true, "authorization": true,
}

// Redact returns value as an explanation, a log or an error may show it for the header called name. A SigV4 Authorization
// keeps its scope, which is no secret, and loses its signature.
func Redact(name, value string) string {
	switch lower := strings.ToLower(name); {
	case lower == "location", lower == "referer":
		return RedactTarget(value)
	case !secretHeaders[lower]:
		return value
	}
	if strings.HasPrefix(value, "AWS4-HMAC-SHA256 ") {
		if i := strings.Index(value, "Signature="); i >= 0 {
			i += len("Signature=")
			return value[:i] + Shorten(value[i:])
		}
	}
	if scheme, rest, ok := strings.Cut(value, " "); ok && strings.EqualFold(name, "authorization") && len(scheme) <= 16 {
		return scheme + " " + Shorten(rest)
	}
	return Shorten(value)
}

// RedactTarget returns a request target, or an address, with the values of secret query parameters shortened.
func RedactTarget(target string) string {
	head, query, ok := strings.Cut(target, "?")
	if !ok {
		return target
	}
	if shown := RedactQuery(query); shown != query {
		return head + "?" + shown
	}
	return target
}

// RedactQuery is RedactTarget for a query string alone.
func RedactQuery(query string) string {
	if !hasSecret(query) {
		return query
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, value, _ := strings.Cut(p, "=")
		if value == "" {
			continue
		}
		if isSecret(name) {
			params[i] = name + "=" + Shorten(value)
		}
	}
	return strings.Join(params, "&")
}

// hasSecret tells whether a query string has something to shorten. It does not allocate for names without escapes.
func hasSecret(query string) bool {
	for query != "" {
		var param string
		param, query, _ = strings.Cut(query, "&")
		if name, value, _ := strings.Cut(param, "="); value != "" && isSecret(name) {
			return true
		}
	}
	return false
}

// isSecret tells whether a parameter, as it stands in a query string, has a secret for its value.
func isSecret(name string) bool {
	if strings.ContainsAny(name, "%+") {
		if decoded, err := url.QueryUnescape(name); err == nil {
			name = decoded
		}
	}
	var lower [32]byte // more than any of the names has
	if len(name) > len(lower) {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	return secretParameters[string(lower[:len(name)])]
}

// Shorten keeps at most the first and last four characters of a secret; short secrets vanish wholly.
func Shorten(s string) string {
	if len(s) < 16 {
		return "…"
	}
	return s[:4] + "…" + s[len(s)-4:]
}
