package edge

import (
	"strings"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
)

// CloudFront keeps the part that an origin gives for a range (DG-rangegets). It may ask for a larger range than the viewer did;
// Foregate asks for the viewer's.

// parseContentRange reads the Content-Range of one part whose place and complete length are known (rfc9110 14.4).
func parseContentRange(value string) (s span, size int64, ok bool) {
	const unit = "bytes "
	if len(value) < len(unit) || !strings.EqualFold(value[:len(unit)], unit) {
		return span{}, 0, false
	}
	place, total, found := strings.Cut(value[len(unit):], "/")
	from, to, dash := strings.Cut(place, "-")
	first, ok1 := parseSize(from)
	last, ok2 := parseSize(to)
	size, ok3 := parseSize(total)
	return span{first, last}, size, found && dash && ok1 && ok2 && ok3 && first <= last && last < size
}

// isPart tells whether the answer is one part, of a known place, of what a viewer asked a range of.
func (x *exchange) isPart() bool {
	if x.res.origin != 206 || x.res.status != 206 || x.method != GET || x.nested || !x.viewer.Header.Has("Range") {
		return false
	}
	s, _, ok := parseContentRange(x.fields().Get("Content-Range"))
	return ok && (x.res.length < 0 || x.res.length == s.length())
}

// storePart puts a stream between origin and viewer that keeps the part.
func (x *exchange) storePart(lifetime time.Duration) Reason {
	x.endFlight()
	s, size, _ := parseContentRange(x.res.header.Get("Content-Range"))
	header := x.res.header
	x.res.header = header.Clone()
	x.res.header.Del("Content-Range")
	o := x.newObject(lifetime)
	x.res.header = header
	if o == nil {
		return ReasonStoredPart // the answer fails as well
	}
	o.Status, o.Length, o.Unsized = 200, size, false
	whole, effects := append([]byte(nil), x.key...), x.svc.effects
	parts := append([]byte(nil), whole...)
	parts[0] = classParts
	admit := func(body []byte, _ *cache.File) {
		if all := effects.AdmitPart(parts, o, cache.Part{First: s.first, Body: body}); all != nil {
			complete := *o
			complete.Body, complete.Length = all, 0
			effects.Admit(whole, &complete)
		}
	}
	if x.res.body == nil {
		if int64(len(x.res.memory)) == s.length() {
			admit(append([]byte(nil), x.res.memory...), nil)
		}
		return ReasonStoredPart
	}
	_, x.res.body = effects.NewStream(x.res.body, cache.StreamOptions{Length: s.length(), Keep: true, InMemory: true, Complete: admit})
	return ReasonStoredPart
}
