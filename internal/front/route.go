package front

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// The request and response fields of an explanation.
const (
	explainHeader     = "Foregate-Explain"
	explanationHeader = "Foregate-Explanation"
)

// visit is what a connection knows about itself, for every request on it.
type visit struct {
	shard uint32
	conn  *conn // nil without a socket
	// single is set where there is one request at a time: reuse then serves all answers that need one.
	single bool
	reuse  *heldBody
	// again is what requests but the first are told of TLS, nil without TLS.
	again *message.TLS
	used  atomic.Bool
	// tunnel is set for what came through CONNECT: connected is then its target.
	tunnel bool
	// connected is the canonical name that the client connected to, without .localhost: the target of CONNECT, else the
	// server name of TLS, else "" when the Host must tell.
	connected string
	// coalesces is set where one connection may carry requests for all names of its certificate (rfc9113 9.1.1):
	// HTTP/2 over TLS without a proxy that would tell the address.
	coalesces bool
}

// route is where a request goes.
type route struct {
	kind kind
	site *Site
	name string // canonical host, as the service sees it
	// local is set for a host that came as a .localhost name; port is the one that came with it.
	local bool
	port  string
}

// kind is the sort of a route.
type kind uint8

const (
	toUnknown kind = iota
	toSite
	toAPI
	toLanding
)

// serve answers a request of the connection v.
func (f *Front) serve(ctx context.Context, v *visit, r *message.Request) *message.Response {
	h := hold{snap: f.acquire(v.shard), shard: v.shard, conn: v.conn}
	if v.conn != nil {
		v.conn.begin()
	}
	answered := false
	defer func() {
		if !answered { // a handler panicked
			h.end()
		}
	}()
	rt := f.route(h.snap, v, r)
	var asked *message.Request
	if f.opts.Explain != nil && rt.kind != toAPI { // answers of the API hold keys
		if asked = explained(r); asked != nil {
			r.Room = nil // the explanation is kept
		}
	}
	seen := r.Trace
	var note Answered
	if f.opts.Answered != nil && rt.kind == toSite {
		note = Answered{Method: r.Method, Scheme: r.Scheme, Host: rt.name, Path: r.Path, Query: r.Query, HasQuery: r.HasQuery, At: time.Now()}
	}
	resp := f.dispatch(ctx, &h, &rt, r)
	if resp != nil && note.Method != "" {
		note.Response, note.Took = resp, time.Since(note.At)
		f.opts.Answered(note)
	}
	if resp != nil && rt.local {
		localRedirect(h.snap, resp, &rt)
	}
	if resp != nil && asked != nil {
		if address := f.opts.Explain(ctx, Explained{Request: asked, Response: resp, Trace: seen}); address != "" {
			resp.Header = append(resp.Header.Clone(), message.Field{Name: explanationHeader, Value: address})
		}
	}
	if resp != nil && f.stopping.Load() {
		resp.Close = true
	}
	answered = true
	return h.attach(resp, v)
}

// dispatch calls the handler of a route.
func (f *Front) dispatch(ctx context.Context, h *hold, rt *route, r *message.Request) *message.Response {
	switch rt.kind {
	case toSite:
		if r.Host != rt.name {
			r.SentHost, r.Host = r.Host, rt.name
		}
		h.watchUpgrade(r)
		return rt.site.Handler.Serve(ctx, r)
	case toAPI:
		return f.opts.API.Serve(ctx, r)
	case toLanding:
		return f.opts.Landing.Serve(ctx, r)
	}
	return f.unknownHost(h.snap, rt.name)
}

// explained begins a trace when the request asks for one, and returns the request as the explanation shows it.
func explained(r *message.Request) *message.Request {
	v, ok := r.Header.Lookup(explainHeader)
	if !ok {
		return nil
	}
	r.Header.Del(explainHeader)
	if v != "1" {
		return nil
	}
	if r.Trace == nil {
		r.Trace = &trace.Trace{}
	}
	c := r.Clone()
	c.Body, c.Upgrade = nil, nil
	return c
}

// route finds where a request goes. The service is that of the name which the client connected to, as with DNS; the
// service then picks by Host.
func (f *Front) route(s *Snapshot, v *visit, r *message.Request) route {
	host, port := SplitPort(r.Host)
	rt := route{name: lower(strings.TrimSuffix(host, ".")), port: port}
	full := rt.name
	rt.name, rt.local = stripLocalhost(full)
	e := s.find(rt.name)
	if rt.local && (e == nil || e.site == nil) {
		if under := s.find(full); under != nil && under.site != nil { // a name that ends in .localhost on purpose
			e, rt.name, rt.local = under, full, false
		}
	}
	if v.connected != "" && v.connected != rt.name {
		if c := s.find(v.connected); c != nil && c.site != nil && !(v.coalesces && mayCoalesce(c, e, rt.name)) {
			e = c
		}
	}
	if e != nil && e.site != nil {
		rt.kind, rt.site = toSite, e.site
		return rt
	}
	if f.opts.API != nil && (e == nil && f.isAPI(rt.name)) {
		rt.kind = toAPI
		if f.opts.Landing != nil && isLoopbackName(rt.name) && wantsLanding(r) {
			rt.kind = toLanding
		}
		rt.local = false
	}
	return rt
}

// mayCoalesce tells whether a client may have sent a request for name on a connection that it made to another host,
// because the certificate there is valid for name too. On AWS the addresses differ and no client does it; here all names
// share one address.
func mayCoalesce(connected, named *entry, name string) bool {
	return named != nil && named.site != nil && connected.face.Certificate != nil && Covers(connected.face.Certificate.Names, name)
}

// isAPI tells whether a canonical name that is not served belongs to the AWS API. The empty name is a client of HTTP/1.0
// that sent no Host.
func (f *Front) isAPI(name string) bool {
	return strings.IndexByte(name, '.') < 0 && !strings.Contains(name, "[") || isAddress(name) || isAPIEndpoint(name) ||
		isBucketHost(name) || f.opts.IsAPIHost != nil && f.opts.IsAPIHost(name)
}

// isBucketHost tells whether name, without .localhost, is BUCKET.s3 or BUCKET.s3.REGION: what clients make of an endpoint
// s3.localhost.
func isBucketHost(name string) bool {
	if strings.HasSuffix(name, ".s3") {
		return true
	}
	dot := strings.LastIndexByte(name, '.')
	return dot > 0 && isRegion(name[dot+1:]) && (strings.HasSuffix(name[:dot], ".s3") || name[:dot] == "s3")
}

// wantsLanding tells whether a request to the API's host comes from a person who looks what is there.
func wantsLanding(r *message.Request) bool {
	return (r.Method == "GET" || r.Method == "HEAD") && r.Path == "/" && r.Query == "" &&
		!r.Header.Has("Authorization") && !r.Header.Has("X-Amz-Target") && !r.Header.Has("X-Amz-Date")
}

// localRedirect leads a client that came by a .localhost name back here: in a Location that points at a host of the
// stack on its scheme's own port, the suffix and the port of this listener are put back. Clear and TLS share the port, so
// a redirect to https works too.
func localRedirect(s *Snapshot, resp *message.Response, rt *route) {
	if resp.Get("Location") == "" {
		return
	}
	resp.Whole()
	for i := range resp.Header {
		if !strings.EqualFold(resp.Header[i].Name, "Location") {
			continue
		}
		if to, ok := relocate(s, resp.Header[i].Value, rt.port); ok {
			resp.Header = resp.Header.Clone() // the fields may belong to a cached answer
			resp.Header[i].Value = to
		}
	}
}

// relocate returns location with its host under .localhost and on port.
func relocate(s *Snapshot, location, port string) (string, bool) {
	scheme, rest, ok := strings.Cut(location, "//")
	if !ok {
		return "", false
	}
	switch lower(scheme) {
	case "http:", "https:", "":
	default:
		return "", false
	}
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		end = len(rest)
	}
	host, at := SplitPort(rest[:end])
	name := Canonical(host)
	if !validName(name) {
		return "", false // with user information, say
	}
	if at != "" && (scheme == "" || at != defaultPort(strings.TrimSuffix(lower(scheme), ":"))) {
		return "", false // another port than the one that AWS has: nothing of the stack
	}
	if _, _, served := s.Resolve(name); !served {
		return "", false
	}
	return scheme + "//" + withLocalhost(name, port, strings.TrimSuffix(lower(scheme), ":")) + rest[end:], true
}
