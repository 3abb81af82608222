package awsapi

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/foregate/foregate/internal/message"
)

// Router finds service and operation of a request. Make one with NewRouter; it is safe for concurrent use.
type Router struct {
	entries []*routerEntry
	// BucketOf returns the bucket that a host name stands for, "" for none. NewRouter sets BucketOfHost.
	BucketOf func(host string) string
}

type routerEntry struct {
	service *Service
	once    sync.Once
	routes  []*route
	// prefixes has the first path segments of the REST routes, where they are literal.
	prefixes map[string]bool
}

// Match is a routed request.
type Match struct {
	Service   *Service
	Operation *Operation
	// Labels are the decoded values of the path's labels.
	Labels map[string]string
	// Region is that of the credential scope or the host name, "" when neither has one.
	Region string
}

// NewRouter makes a router over services. Of services with the same signing name, the one whose route fits is taken, the
// first first.
func NewRouter(services ...*Service) *Router {
	r := &Router{BucketOf: BucketOfHost}
	for _, s := range services {
		r.entries = append(r.entries, &routerEntry{service: s})
	}
	return r
}

// Route finds service and operation of req. form has the parameters of its body when that is a form. An error comes
// with the service if that is known, so that it can be written in its protocol.
func (r *Router) Route(req *message.Request, form [][2]string) (*Match, *Error) {
	found, region, err := r.services(req, form)
	if err != nil {
		return &Match{Region: region}, err
	}
	var first *Error
	for _, e := range found {
		m, err := r.operation(e, req, form)
		if err == nil {
			m.Region = region
			return m, nil
		}
		if first == nil {
			first = err
		}
	}
	return &Match{Service: found[0].service.Load(), Region: region}, first
}

// services finds the services that a request may be for: by the scope of its signature, then X-Amz-Target, then Action
// and Version, then host name, then path.
func (r *Router) services(req *message.Request, form [][2]string) ([]*routerEntry, string, *Error) {
	host, region := serviceOfHost(req.Host)
	if scope, ok := scopeOf(req); ok {
		region = orDefault(scope.region, region)
		if found := r.where(func(s *Service) bool { return s.SigningName == scope.service }); found != nil {
			return found, region, nil
		}
		return nil, region, StatusErrorf(http.StatusNotImplemented, "NotImplemented", "Foregate does not implement the service %q yet", clip(scope.service))
	}
	if target := req.Header.Get("X-Amz-Target"); target != "" {
		prefix, _ := splitTarget(target)
		if found := r.where(func(s *Service) bool { return s.TargetPrefix == prefix }); found != nil {
			return found, region, nil
		}
		return nil, region, StatusErrorf(http.StatusNotFound, "UnknownOperationException", "no service has the target %q", clip(target))
	}
	if action := lookup(form, "Action"); action != "" {
		version := lookup(form, "Version")
		found := r.where(func(s *Service) bool {
			return s.Protocol == Query && (version == s.APIVersion || version == "" && s.Operation(action) != nil)
		})
		if found != nil {
			return found, region, nil
		}
	}
	if host != "" {
		if found := r.where(func(s *Service) bool { return s.EndpointPrefix == host }); found != nil {
			return found, region, nil
		}
	}
	if strings.Contains(req.Query, "AWSAccessKeyId=") && strings.Contains(req.Query, "Signature=") {
		// A link signed with Signature Version 2, as boto3 makes them in us-east-1 by default (S3 user guide, UsingAWSSDK).
		return nil, region, StatusErrorf(http.StatusBadRequest, "InvalidRequest", "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
	}
	segment, _, _ := strings.Cut(strings.TrimPrefix(req.Path, "/"), "/")
	var found []*routerEntry
	for _, e := range r.entries {
		if e.load(); e.prefixes[segment] {
			found = append(found, e)
		}
	}
	if found != nil {
		return found, region, nil
	}
	return nil, region, StatusErrorf(http.StatusForbidden, "MissingAuthenticationToken",
		"Request is missing Authentication Token: Foregate cannot tell which service %s %s is for", req.Method, clip(req.Path))
}

// splitTarget splits X-Amz-Target at its last dot: prefixes may have dots.
func splitTarget(target string) (prefix, operation string) {
	i := strings.LastIndexByte(target, '.')
	if i < 0 {
		return "", target
	}
	return target[:i], target[i+1:]
}

func (r *Router) where(is func(*Service) bool) []*routerEntry {
	var found []*routerEntry
	for _, e := range r.entries {
		if is(e.service) {
			found = append(found, e)
		}
	}
	return found
}

// operation finds the operation of a request for a service.
func (r *Router) operation(e *routerEntry, req *message.Request, form [][2]string) (*Match, *Error) {
	s := e.service.Load()
	switch s.Protocol {
	case JSON:
		_, name := splitTarget(req.Header.Get("X-Amz-Target"))
		if op := s.Operation(name); op != nil {
			return &Match{Service: s, Operation: op}, nil
		}
		return nil, StatusErrorf(http.StatusBadRequest, "UnknownOperationException", "")
	case Query:
		name := lookup(form, "Action")
		if op := s.Operation(name); op != nil {
			return &Match{Service: s, Operation: op}, nil
		}
		if name == "" {
			return nil, StatusErrorf(http.StatusBadRequest, "MissingAction", "The request is missing an action or a required parameter.")
		}
		return nil, StatusErrorf(http.StatusBadRequest, "InvalidAction", "Could not find operation %s for version %s", clip(name), clip(orDefault(lookup(form, "Version"), "NO_VERSION_SPECIFIED")))
	}
	e.load()
	path := req.Path
	if s.isS3() && r.BucketOf != nil {
		if bucket := r.BucketOf(req.Host); bucket != "" {
			path = "/" + bucket + path
		}
	}
	return e.match(req, path)
}

func (e *routerEntry) match(req *message.Request, path string) (*Match, *Error) {
	params, err := url.ParseQuery(req.Query)
	if err != nil {
		return nil, bodyError(e.service, err)
	}
	var fallback *Match
	for _, t := range e.routes {
		if t.op.Method != req.Method || !t.hasLiterals(params) {
			continue
		}
		labels, ok := t.labels(path)
		if !ok {
			continue
		}
		m := &Match{Service: e.service, Operation: t.op, Labels: labels}
		if t.hasNeeds(params, req.Header) {
			return m, nil
		}
		if fallback == nil {
			fallback = m
		}
	}
	if fallback != nil {
		return fallback, nil
	}
	switch {
	case e.service.isS3():
		return nil, StatusErrorf(http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource.")
	case e.service.Name == "apigateway" && strings.HasPrefix(path, "/v2/"):
		// HTTP and WebSocket APIs share host and signing name with REST APIs, not the model.
		return nil, StatusErrorf(http.StatusNotImplemented, "NotImplemented", "Foregate does not implement the service %q yet", "apigatewayv2")
	case e.service.Name == "apigateway" || e.service.Name == "apigatewayv2":
		return nil, StatusErrorf(http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	return nil, StatusErrorf(http.StatusNotFound, "UnknownOperationException", "no operation of %s is at %s %s", e.service.Title, req.Method, clip(req.Path))
}

// route is the path template of one operation, taken apart.
type route struct {
	op       *Operation
	segments []segment
	literals []literal
	order    int
}

type segment struct {
	text   string // the literal, or the label's name
	label  bool
	greedy bool
}

type literal struct {
	name, value string
	hasValue    bool
}

func (e *routerEntry) load() {
	e.once.Do(func() {
		e.prefixes = map[string]bool{}
		if e.service.Protocol != RestXML && e.service.Protocol != RestJSON {
			return
		}
		for i, op := range e.service.Operations {
			t := newRoute(op)
			t.order = i
			e.routes = append(e.routes, t)
			if len(t.segments) > 0 && !t.segments[0].label {
				e.prefixes[t.segments[0].text] = true
			}
		}
		slices.SortFunc(e.routes, compareRoutes)
	})
}

func newRoute(op *Operation) *route {
	path, query, _ := strings.Cut(op.URI, "?")
	t := &route{op: op}
	for _, part := range splitPath(path) {
		s := segment{text: part}
		if strings.HasPrefix(part, "{") && strings.HasSuffix(part, "}") {
			s.text, s.label = part[1:len(part)-1], true
			s.text, s.greedy = strings.CutSuffix(s.text, "+")
		}
		t.segments = append(t.segments, s)
	}
	for part := range strings.SplitSeq(query, "&") {
		if part != "" {
			name, value, has := strings.Cut(part, "=")
			t.literals = append(t.literals, literal{name, value, has})
		}
	}
	return t
}

// splitPath splits a path at its slashes, without the first and the last one.
func splitPath(path string) []string {
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// compareRoutes puts the more special route first: literals before labels before greedy labels, then more query
// literals, then more needs, then what is not deprecated, then the model's order.
func compareRoutes(a, b *route) int {
	for i := range min(len(a.segments), len(b.segments)) {
		if d := a.segments[i].rank() - b.segments[i].rank(); d != 0 {
			return d
		}
	}
	if d := len(b.segments) - len(a.segments); d != 0 {
		return d
	}
	if d := len(b.literals) - len(a.literals); d != 0 {
		return d
	}
	if d := len(b.op.Needs) - len(a.op.Needs); d != 0 {
		return d
	}
	if a.op.Deprecated != b.op.Deprecated {
		if a.op.Deprecated {
			return 1
		}
		return -1
	}
	return a.order - b.order
}

func (s segment) rank() int {
	switch {
	case s.greedy:
		return 2
	case s.label:
		return 1
	}
	return 0
}

func (t *route) hasLiterals(params url.Values) bool {
	for _, l := range t.literals {
		v, ok := params[l.name]
		if !ok || l.hasValue && !slices.Contains(v, l.value) {
			return false
		}
	}
	return true
}

func (t *route) hasNeeds(params url.Values, h message.Header) bool {
	for _, n := range t.op.Needs {
		if name, ok := strings.CutPrefix(n, "?"); ok {
			if !params.Has(name) {
				return false
			}
		} else if !h.Has(n) {
			return false
		}
	}
	return true
}

// labels matches a raw path and returns the decoded labels.
func (t *route) labels(path string) (map[string]string, bool) {
	var labels map[string]string
	set := func(name, raw string) bool {
		v, err := url.PathUnescape(raw)
		if err != nil || v == "" {
			return false
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[name] = v
		return true
	}
	rest := strings.TrimPrefix(path, "/")
	for i, s := range t.segments {
		if s.greedy {
			return labels, set(s.text, rest) && i == len(t.segments)-1
		}
		part, after, more := strings.Cut(rest, "/")
		if s.label && !set(s.text, part) || !s.label && part != s.text {
			return nil, false
		}
		rest = after
		if !more && i < len(t.segments)-1 {
			return nil, false
		}
	}
	return labels, rest == ""
}

// scope is the credential scope of a signature.
type scope struct{ region, service string }

// scopeOf reads the credential scope of a signed request, in the header or the query (SigV4: AKID/date/region/service/
// aws4_request; SigV4a leaves the region out). A signature of version 2 can only be S3's.
func scopeOf(req *message.Request) (scope, bool) {
	credential := ""
	if auth := req.Header.Get("Authorization"); auth != "" {
		if strings.HasPrefix(auth, "AWS ") {
			return scope{service: "s3"}, true
		}
		if _, after, ok := strings.Cut(auth, "Credential="); ok && strings.HasPrefix(auth, "AWS4-") {
			credential, _, _ = strings.Cut(after, ",")
		}
	}
	if credential == "" && strings.Contains(req.Query, "X-Amz-Credential=") {
		if params, err := url.ParseQuery(req.Query); err == nil {
			credential = params.Get("X-Amz-Credential")
		}
	}
	parts := strings.Split(strings.TrimSpace(credential), "/")
	switch n := len(parts); {
	case n >= 5 && parts[n-1] == "aws4_request":
		return scope{parts[n-3], parts[n-2]}, true
	case n == 4 && parts[3] == "aws4_request":
		return scope{"", parts[2]}, true
	}
	return scope{}, false
}

// serviceOfHost returns endpoint prefix and region of a host name of AWS, such as apigateway.eu-west-1.amazonaws.com,
// cloudfront.amazonaws.com or bucket.s3.eu-west-1.amazonaws.com.
func serviceOfHost(host string) (prefix, region string) {
	name, ok := strings.CutSuffix(withoutPort(host), ".amazonaws.com")
	if !ok {
		return "", ""
	}
	if at := s3Label(name); at >= 0 {
		rest := strings.TrimPrefix(name[at:], "s3")
		rest = strings.TrimPrefix(strings.Trim(rest, ".-"), "dualstack.")
		return "s3", rest
	}
	prefix, region, _ = strings.Cut(name, ".")
	return prefix, region
}

// s3Label returns where the label s3, s3-REGION or s3-website begins in a name, -1 when it has none.
func s3Label(name string) int {
	at := 0
	for label := range strings.SplitSeq(name, ".") {
		if label == "s3" || strings.HasPrefix(label, "s3-") && label != "s3-website" {
			return at
		}
		at += len(label) + 1
	}
	return -1
}

// BucketOfHost returns the bucket of a virtual-hosted S3 name, "" when the host is not one (S3 user guide, Virtual
// hosting of buckets). A host of one label is taken for a bucket, too, unless it is localhost: it is what
// bucket.localhost, to which SDKs send when their endpoint is localhost, leaves behind.
func BucketOfHost(host string) string {
	host = withoutPort(host)
	if name, ok := strings.CutSuffix(host, ".amazonaws.com"); ok {
		if at := s3Label(name); at > 0 {
			return name[:at-1]
		}
		return ""
	}
	host = strings.TrimSuffix(host, ".localhost")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "" || host == "localhost" || strings.Contains(host, ".") {
		return ""
	}
	return host
}

func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") && strings.Count(host, ":") == 1 || strings.Contains(host, "]:") {
		host = host[:i]
	}
	return strings.ToLower(host)
}

func lookup(form [][2]string, name string) string {
	for _, f := range form {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}

func isForm(req *message.Request) bool {
	return strings.HasPrefix(strings.ToLower(req.Header.Get("Content-Type")), "application/x-www-form-urlencoded")
}
