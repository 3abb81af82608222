package edge

import (
	"context"
	"io"
	"strings"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
)

// lookup asks the cache. The default root object is put in before: it takes part in the key and in what the origin sees,
// not in the choice of the behavior.
func (x *exchange) lookup() (phase, Reason) {
	if x.req.Path == "/" && x.plan.DefaultRootObject != "" && !x.nested {
		x.req.Path = "/" + x.plan.DefaultRootObject
	}
	b := x.behavior
	switch {
	case x.upgrades():
		x.verdict = "pass"
		return originRequest, ReasonNotCached
	case b.TTL.Disabled() || b.Forward.NoCache:
		x.verdict = "pass"
		return originRequest, ReasonCachingDisabled
	case x.method&(GET|HEAD) == 0 && (x.method != OPTIONS || b.Cached&OPTIONS == 0):
		x.verdict = "pass"
		return originRequest, ReasonMethodNotCached
	}
	x.key = x.appendKey(x.key[:0])
	x.keyed = true
	x.epoch = x.svc.effects.Epoch()
	if next, reason, ok := x.fromCache(); ok {
		return next, reason
	}
	if next, reason, ok := x.join(); ok {
		return next, reason
	}
	x.verdict = "miss"
	if x.object != nil {
		return originRequest, ReasonExpired
	}
	return originRequest, ReasonMiss
}

// fromCache answers from a stored object. A HEAD takes what GET has left, or else what an earlier HEAD has.
func (x *exchange) fromCache() (next phase, reason Reason, ok bool) {
	x.object = x.svc.effects.Lookup(x.key)
	if o := x.object; o != nil && o.Usable(x.now) {
		if next, reason, ok = x.hit(o); ok {
			return next, reason, true
		}
	}
	if x.method == GET && !x.nested && x.req.Header.Has("Range") && x.fromParts() {
		x.verdict = "hit"
		return responseHeaders, ReasonHitPart, true
	}
	if o := x.otherCoding(); o != nil && x.serveObject(o, xcacheHit) {
		x.verdict = "hit"
		return responseHeaders, ReasonHitCoding, true
	}
	if x.mayRevalidateLater() && x.serveObject(x.object, xcacheHit) {
		x.refreshLater()
		x.verdict = "hit"
		return responseHeaders, ReasonStaleWhileRevalidate, true
	}
	if x.method != HEAD {
		return 0, 0, false
	}
	x.key[0] = classHEAD
	if o := x.svc.effects.Lookup(x.key); o != nil && o.Usable(x.now) {
		return x.hit(o)
	}
	return 0, 0, false
}

// fromParts answers from the parts of an object that are stored. Those that have expired are confirmed by the origin, when they
// are what the request asks for.
func (x *exchange) fromParts() bool {
	x.key[0] = classParts
	o := x.svc.effects.Lookup(x.key)
	x.key[0] = classGET
	if o == nil || o.Parts == nil || x.object != nil && x.object.Stored.After(o.Stored) {
		return false
	}
	if o.Usable(x.now) {
		return x.serveObject(o, xcacheHit)
	}
	s := stored{object: o}
	if spans, part := x.ranges(s); part == rangePart && s.has(spans) {
		x.object = o
	}
	return false
}

// otherCoding finds a compressed object that was stored for viewers who accept other codings, when this one accepts its coding as
// well: the first version that was cached is good for all who accept it (DG-servingcompressedfiles, "How CloudFront compression
// works" 7; DG-cache-key-understand-cache-policy, "Compression support").
func (x *exchange) otherCoding() *cache.Object {
	f := x.behavior.Forward
	if !f.Gzip || !f.Brotli || x.method&(GET|HEAD) == 0 {
		return nil
	}
	mine := x.encoding()
	var others []string
	switch mine {
	case "br,gzip":
		others = []string{"br", "gzip"}
	case "br", "gzip":
		others = []string{"br,gzip"}
	}
	for _, encoding := range others {
		o := x.svc.effects.Lookup(x.appendKeyFor(make([]byte, 0, len(x.key)+8), encoding))
		if o == nil || o.Result != "" || !o.Usable(x.now) {
			continue
		}
		if coding, _ := o.Head.Lookup("Content-Encoding"); coding != "" && (coding == mine || encoding == coding && len(mine) > len(coding)) {
			return o
		}
	}
	return nil
}

// upgrades tells whether this is a WebSocket handshake, which goes to the origin past the cache (facts: cloudfront-dataplane
// 13).
func (x *exchange) upgrades() bool {
	return x.viewer.Upgrade != nil && x.method == GET && strings.EqualFold(x.viewer.Header.Get("Upgrade"), "websocket")
}

// hit answers from a stored object. ok is false when its body is lost: then it is not stored any more.
func (x *exchange) hit(o *cache.Object) (next phase, reason Reason, ok bool) {
	if !x.serveObject(o, xcacheHit) {
		x.svc.effects.Remove(x.key)
		x.object = nil
		return 0, 0, false
	}
	x.verdict = "hit"
	switch {
	case o.Result != "":
		x.res.xcache = o.Result
		return responseHeaders, ReasonHitError, true
	case x.res.status == 304:
		return responseHeaders, ReasonHitConditional, true
	}
	return responseHeaders, ReasonHit, true
}

// mayCollapse tells whether this request may wait for one like it. CloudFront does not collapse when cookies are forwarded
// (facts: cloudfront-dataplane 6).
func (x *exchange) mayCollapse() bool {
	return x.method == GET && x.behavior.Forward.Cookies.Mode() == None
}

// mayLead tells whether others may wait for this request: a part or a 304 would leave them nothing.
func (x *exchange) mayLead() bool {
	h := x.req.Header
	return !h.Has("Range") && !h.Has("If-None-Match") && !h.Has("If-Modified-Since")
}

// join waits for a fetch of the same object when there is one. ok is false when this request has to fetch.
func (x *exchange) join() (next phase, reason Reason, ok bool) {
	if !x.mayCollapse() {
		return 0, 0, false
	}
	var flight *cache.Flight
	if x.mayLead() {
		var leader bool
		if flight, leader = x.svc.effects.Join(x.key); leader {
			x.flight = flight
			return x.landed()
		}
	} else if flight = x.svc.effects.Follow(x.key); flight == nil {
		return 0, 0, false
	}
	message.Waiting(x.ctx)
	o, stream, err := flight.Wait(x.ctx)
	switch {
	case err != nil:
		x.fail(504, ReasonCanceled)
		x.verdict = "deny"
		return deliver, ReasonCanceled, true
	case stream != nil && x.serveStored(stored{o, stream}, xcacheHit):
		x.res.age = o.Age > 0
		x.verdict = "hit"
		if o.Result != "" {
			x.res.xcache = o.Result
		}
		return responseHeaders, ReasonHitShared, true
	}
	// The leader had nothing to share, or it only confirmed what is stored.
	x.epoch = x.svc.effects.Epoch()
	x.object = x.svc.effects.Lookup(x.key)
	if o := x.object; o != nil && o.Usable(x.svc.effects.Now()) {
		return x.hit(o)
	}
	return 0, 0, false
}

// landed looks once more whether the object is there: a flight may have ended between the look into the cache and this one's
// begin.
func (x *exchange) landed() (next phase, reason Reason, ok bool) {
	o := x.svc.effects.Lookup(x.key)
	if o == nil || o == x.object || !o.Usable(x.svc.effects.Now()) {
		return 0, 0, false
	}
	before := x.object
	if next, reason, ok = x.hit(o); ok {
		x.endFlight()
		return next, reason, true
	}
	x.object = before
	return 0, 0, false
}

// mayRevalidateLater tells whether stale-while-revalidate lets the expired object answer (facts: cloudfront-dataplane 6,
// Stale).
func (x *exchange) mayRevalidateLater() bool {
	o := x.object
	return o != nil && o.Parts == nil && o.StaleWhileRevalidate > 0 && o.Result == "" && !x.nested && x.method&(GET|HEAD) != 0 &&
		x.now.Before(o.Expires.Add(min(o.StaleWhileRevalidate, x.behavior.TTL.Max)))
}

// refreshLater fetches the object anew in the background, once at a time. The run is not part of the viewer's explanation.
func (x *exchange) refreshLater() {
	flight, leader := x.svc.effects.Join(x.key)
	if !leader {
		return
	}
	r := *x.req
	r.Method, r.Body, r.ContentLength, r.Trace = "GET", nil, 0, nil
	r.Header = r.Header.Clone()
	for _, name := range [...]string{"Range", "If-Range"} {
		r.Header.Del(name)
	}
	n := x.svc.newExchange(context.WithoutCancel(x.ctx), x.plan, &r)
	n.viewer = x.viewer
	n.viewer.Trace, n.viewer.Header = nil, x.viewer.Header.Clone() // the connection reuses the slice
	n.behavior, n.object, n.keyed, n.nested, n.flight, n.epoch = x.behavior, x.object, true, true, flight, x.epoch
	n.key = append(n.key[:0], x.key...)
	go func() {
		n.run(originRequest, responseHeaders)
		if n.res.body != nil {
			_, _ = io.Copy(io.Discard, n.res.body) // the stream stores what it has read; an error stores nothing
			n.res.body.Close()
		}
		n.svc.release(n)
	}()
}
