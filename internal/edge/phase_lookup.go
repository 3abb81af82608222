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
	x.object = x.svc.effects.Lookup(x.key)
	if o := x.object; o != nil && o.Usable(x.now) {
		return x.hit(o, xcacheHit)
	}
	if x.mayRevalidateLater() {
		x.refreshLater()
		x.serveObject(x.object, xcacheHit)
		x.verdict = "hit"
		return responseHeaders, ReasonStaleWhileRevalidate
	}
	if x.mayCollapse() {
		if next, reason, ok := x.join(); ok {
			return next, reason
		}
	}
	x.verdict = "miss"
	if x.object != nil {
		return originRequest, ReasonExpired
	}
	return originRequest, ReasonMiss
}

// upgrades tells whether this is a WebSocket handshake, which goes to the origin past the cache (facts: cloudfront-dataplane
// 13).
func (x *exchange) upgrades() bool {
	return x.viewer.Upgrade != nil && x.method == GET && strings.EqualFold(x.viewer.Header.Get("Upgrade"), "websocket")
}

// hit answers from a stored object.
func (x *exchange) hit(o *cache.Object, xcache string) (phase, Reason) {
	x.serveObject(o, xcache)
	x.verdict = "hit"
	switch {
	case o.Result != "":
		x.res.xcache = o.Result
		return responseHeaders, ReasonHitError
	case x.res.status == 304:
		return responseHeaders, ReasonHitConditional
	}
	return responseHeaders, ReasonHit
}

// mayCollapse tells whether this request may wait for one like it. CloudFront does not collapse when cookies are forwarded
// (facts: cloudfront-dataplane 6); a HEAD or a part leaves nothing to share.
func (x *exchange) mayCollapse() bool {
	h := x.req.Header
	return x.method == GET && x.behavior.Forward.Cookies.Mode() == None &&
		!h.Has("Range") && !h.Has("If-None-Match") && !h.Has("If-Modified-Since")
}

// join waits for a fetch of the same object when there is one. ok is false when this request has to fetch.
func (x *exchange) join() (next phase, reason Reason, ok bool) {
	flight, leader := x.svc.effects.Join(x.key)
	if leader {
		x.flight = flight
		return 0, 0, false
	}
	message.Waiting(x.ctx)
	o, body, err := flight.Wait(x.ctx)
	switch {
	case err != nil:
		x.fail(504, ReasonCanceled)
		x.verdict = "deny"
		return deliver, ReasonCanceled, true
	case body != nil:
		x.serveObject(o, xcacheHit)
		x.res.memory, x.res.body, x.res.length, x.res.age = nil, body, body.Length(), o.Age > 0
		x.verdict = "hit"
		if o.Result != "" {
			x.res.xcache = o.Result
		}
		return responseHeaders, ReasonHitShared, true
	}
	// The leader had nothing to share, or it only confirmed what is stored.
	x.object = x.svc.effects.Lookup(x.key)
	if o := x.object; o != nil && o.Usable(x.svc.effects.Now()) {
		next, reason = x.hit(o, xcacheHit)
		return next, reason, true
	}
	return 0, 0, false
}

// mayRevalidateLater tells whether stale-while-revalidate lets the expired object answer (facts: cloudfront-dataplane 6,
// Stale).
func (x *exchange) mayRevalidateLater() bool {
	o := x.object
	return o != nil && o.StaleWhileRevalidate > 0 && o.Result == "" && !x.nested && x.method&(GET|HEAD) != 0 &&
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
	n := x.svc.newExchange(context.WithoutCancel(x.ctx), x.plan, &r)
	n.viewer = x.viewer
	n.viewer.Trace, n.viewer.Header = nil, x.viewer.Header.Clone() // the connection reuses the slice
	n.behavior, n.object, n.keyed, n.nested, n.flight = x.behavior, x.object, true, true, flight
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
