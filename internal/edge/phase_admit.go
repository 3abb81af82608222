package edge

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// admit compresses the answer when the behavior asks for it, and stores it while it is delivered.
func (x *exchange) admit() (phase, Reason) {
	if x.res.object != nil { // a page out of the cache
		return responseHeaders, ReasonPassed
	}
	x.compress()
	lifetime, reason := x.lifetime()
	x.verdict = "pass"
	switch {
	case reason == ReasonStored && x.res.status == 206:
		reason = x.storePart(lifetime)
	case reason == ReasonStored || reason == ReasonStoredError:
		x.store(lifetime)
	default:
		x.endFlight()
		return responseHeaders, reason
	}
	x.verdict = "store"
	return responseHeaders, reason
}

// lifetime decides whether the answer is stored, and for how long.
func (x *exchange) lifetime() (time.Duration, Reason) {
	switch {
	case !x.keyed:
		if x.res.self {
			return 0, ReasonNotCached
		}
		if x.behavior != nil && (x.behavior.TTL.Disabled() || x.behavior.Forward.NoCache) {
			return 0, ReasonCachingDisabled
		}
		return 0, ReasonMethodNotCached
	case x.res.origin == 416 || x.res.origin == 304 || (x.res.origin == 206 || x.res.status == 206) && !x.isPart():
		return 0, ReasonNotStoredPartial
	}
	c := readControl(x.res.header, x.now)
	shared := c.shared
	if x.res.origin >= 400 {
		// The page of a custom error response is kept as long as the error that it replaces.
		if x.res.errorHeader != nil {
			c = readControl(x.res.errorHeader, x.now)
		}
		d := c.errorFreshness(x.res.origin, x.errorMinTTL(x.res.origin), x.behavior.TTL)
		switch {
		case d <= 0 || x.res.self && x.cause == CauseOriginTooLarge: // its parts can be had still
			return 0, ReasonNotStoredStatus
		case x.personal() && !x.res.self && !shared:
			return 0, ReasonNotStoredAuthorization
		case x.res.errorHeader != nil && x.res.pageBehavior:
			if d = x.res.pageLifetime; d <= 0 {
				return 0, ReasonNotStoredControl
			}
		}
		return d, ReasonStoredError
	}
	if x.res.status < 200 {
		return 0, ReasonNotStoredStatus
	}
	d, store := c.freshness(x.behavior.TTL)
	if x.personal() {
		if x.hop != nil && store && d > 0 {
			x.hop.Fact(trace.AuthorizationShared, "Authorization", "", or(x.behavior.Source.CachePolicy, or(x.behavior.Source.ForwardedValues, x.behavior.Source.Behavior)))
		}
		if !c.shared {
			return 0, ReasonNotStoredAuthorization
		}
	}
	if !store || d == 0 && !c.varyAll && !x.res.header.Has("ETag") && !x.res.header.Has("Last-Modified") {
		return 0, ReasonNotStoredControl
	}
	return d, ReasonStored
}

// SharesAuthorized tells whether the behavior caches, and sends Authorization to the origin without keeping its senders apart.
func (b *Behavior) SharesAuthorized() bool {
	f := b.Forward
	return f != nil && !b.TTL.Disabled() && !f.NoCache && f.Headers.Has("authorization") && !slices.Contains(f.KeyHeaders, "authorization")
}

// personal tells whether an origin got an Authorization of the viewer that is not in the cache key: what it answers is nobody
// else's, unless it says so (rfc9111 3.5). That of a custom error response counts as well.
func (x *exchange) personal() bool {
	return (x.authorized() || x.res.authorized) && !slices.Contains(x.behavior.Forward.KeyHeaders, "authorization")
}

// authorized tells whether the origin gets an Authorization of the viewer.
func (x *exchange) authorized() bool {
	return x.behavior != nil && x.behavior.Forward.Headers.Has("authorization") && x.req.Header.Has("Authorization")
}

// store puts a stream between origin and viewer that keeps the body, and shares it with requests that wait for it.
func (x *exchange) store(lifetime time.Duration) {
	o := x.newObject(lifetime)
	if o == nil {
		x.endFlight()
		return
	}
	key, effects := append([]byte(nil), x.key...), x.svc.effects
	if x.res.length == 0 || x.res.status == 204 {
		x.discard()
	}
	if x.method == HEAD || x.res.body == nil {
		o.Unsized = false
		if o.HeadOnly, o.Length = x.method == HEAD, x.res.length; !o.HeadOnly {
			o.Body = append([]byte{}, x.res.memory...)
		}
		effects.Admit(key, o)
		x.endFlight()
		return
	}
	flight := x.flight
	x.flight = nil
	opts := cache.StreamOptions{Length: x.res.length, Keep: true, Complete: func(body []byte, file *cache.File) {
		whole := *o
		whole.Body, whole.File = body, file
		effects.Admit(key, &whole)
	}}
	if flight != nil {
		opts.Done = flight.Close
	}
	stream, reader := effects.NewStream(x.res.body, opts)
	x.res.body = reader
	// CloudFront does not collapse what it has to ask for each time (facts: cloudfront-dataplane 6), and nobody can follow
	// what is not held.
	if flight != nil && lifetime > 0 && stream.Shared() {
		flight.Share(o, stream)
	} else if flight != nil {
		flight.Release()
	}
}

// newObject makes an object without its body; nil for fields that may not be sent, with which the answer fails as well.
func (x *exchange) newObject(lifetime time.Duration) *cache.Object {
	c := readControl(x.res.header, x.now)
	o := &cache.Object{
		Distribution: x.plan.ID, Target: x.target(), Status: x.res.status,
		Stored: x.now, Expires: x.now.Add(lifetime),
		StaleWhileRevalidate: c.staleWhileRevalidate, StaleIfError: c.staleIfError,
		Age: c.age, Epoch: x.epoch, Unsized: x.res.length < 0,
	}
	h := x.res.header.Clone()
	h.Del("Age")
	if c.noCacheSetCookie {
		h.Del("Set-Cookie")
	}
	if x.res.origin >= 400 {
		o.Result, o.Self = xcacheError, x.res.self
	}
	if !setHead(o, h, x.now) {
		return nil
	}
	if c.varyAll && lifetime == 0 {
		// It is asked for anew each time, without conditional headers (facts: cloudfront-dataplane 6).
		o.ETag, o.LastModified = "", ""
	}
	return o
}

// setHead writes out the fields of an object, in the order in which deliver has them. What the object keeps are parts of that
// one text, so that nothing else stays in memory for it. It returns false for fields that may not be sent.
func setHead(o *cache.Object, h message.Header, now time.Time) bool {
	var out message.Header
	if !o.Self {
		out = typeAndDateFirst(make(message.Header, 0, len(h)+1), h)
	}
	if !h.Has("Date") {
		out.Add("Date", httpDate(now))
	}
	o.Via = ""
	for _, f := range h {
		switch {
		case message.SameName(f.Name, "Via"):
			if o.Via != "" {
				o.Via += ", "
			}
			o.Via += f.Value
		case o.Self || !leads(f.Name):
			out = append(out, f)
		}
	}
	o.Via = strings.Clone(o.Via)
	lines, err := http1.NewLines(out)
	if err != nil {
		return false
	}
	o.Head = lines
	if o.Result == "" {
		o.ETag, _ = lines.Lookup("ETag")
		o.LastModified, _ = lines.Lookup("Last-Modified")
	}
	return true
}

// target is the path with the query string that is in the key: what an invalidation names (facts: cloudfront-dataplane 14).
func (x *exchange) target() string {
	var room [512]byte
	q := appendQuery(room[:0], x.req.Query, &x.behavior.Forward.KeyQuery, nil)
	if len(q) == 0 {
		return strings.Clone(x.req.Path) // not the whole head of the request
	}
	return x.req.Path + "?" + string(q)
}

// compressible lists the content types that CloudFront compresses (facts: cloudfront-dataplane 6, Compression).
var compressible = map[string]bool{
	"application/dash+xml": true, "application/eot": true, "application/font": true, "application/font-sfnt": true,
	"application/javascript": true, "application/json": true, "application/opentype": true, "application/otf": true,
	"application/pdf": true, "application/pkcs7-mime": true, "application/protobuf": true, "application/rss+xml": true,
	"application/truetype": true, "application/ttf": true, "application/vnd.apple.mpegurl": true,
	"application/vnd.mapbox-vector-tile": true, "application/vnd.ms-fontobject": true, "application/wasm": true,
	"application/xhtml+xml": true, "application/xml": true, "application/x-font-opentype": true,
	"application/x-font-truetype": true, "application/x-font-ttf": true, "application/x-httpd-cgi": true,
	"application/x-javascript": true, "application/x-mpegurl": true, "application/x-opentype": true,
	"application/x-otf": true, "application/x-perl": true, "application/x-ttf": true,
	"font/eot": true, "font/opentype": true, "font/otf": true, "font/ttf": true, "image/svg+xml": true,
	"text/css": true, "text/csv": true, "text/html": true, "text/javascript": true, "text/js": true, "text/plain": true,
	"text/richtext": true, "text/tab-separated-values": true, "text/xml": true, "text/x-component": true,
	"text/x-java-source": true, "text/x-script": true, "vnd.apple.mpegurl": true,
}

// encodingFor picks the coding to compress with, "" for none. All conditions are those of dataplane 6, Compression.
func (x *exchange) encodingFor() string {
	b := x.behavior
	f := b.Forward
	if !b.Compress || !x.keyed || x.res.self || x.method != GET || !f.Gzip && !f.Brotli {
		return ""
	}
	switch x.res.status {
	case 200, 403, 404:
	default:
		return ""
	}
	h := x.res.header
	if x.res.length < 1000 || x.res.length > 10_000_000 || h.Has("Content-Encoding") {
		return ""
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if !compressible[strings.ToLower(strings.TrimSpace(kind))] {
		return ""
	}
	switch x.encoding() {
	case "br", "br,gzip":
		return "br"
	case "gzip":
		return "gzip"
	}
	return ""
}

// compress puts a compressor between origin and cache. The length of its output is not known before its end.
func (x *exchange) compress() {
	coding := x.encodingFor()
	if coding == "" || x.res.body == nil && x.res.memory == nil {
		return
	}
	body := x.res.body
	if body == nil {
		body = message.NewBytes(x.res.memory)
	}
	x.res.body, x.res.memory, x.res.length = newCompressor(body, coding, x.res.length), nil, -1
	h := x.fields()
	if etag, ok := h.Lookup("ETag"); ok {
		switch {
		case strings.HasPrefix(etag, "W/"):
		case strings.HasPrefix(etag, `"`):
			h.Set("ETag", "W/"+etag)
		default:
			h.Del("ETag")
		}
	}
	h.Del("Content-Length")
	h.Set("Content-Encoding", coding)
	if v := h.Get("Vary"); v == "" {
		h.Add("Vary", "Accept-Encoding")
	} else if !strings.Contains(strings.ToLower(v), "accept-encoding") {
		h.Set("Vary", v+", Accept-Encoding")
	}
	if x.hop != nil {
		x.hop.Step("admit", "compress", coding+" of "+strconv.Itoa(int(x.res.status)))
	}
}
