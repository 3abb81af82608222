package edge

import (
	"context"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// phase is a step in the life of a request, named as AWS's manual names them.
type phase uint8

const (
	accept phase = iota
	matchBehavior
	checkAccess
	viewerRequest
	lookup
	originRequest
	fetch
	originResponse
	errorPage
	admit
	responseHeaders
	viewerResponse
	deliver
	logPhase
	done
	phaseCount
)

// phaseSpec is one row of the table of phases.
type phaseSpec struct {
	name string
	// run decides and returns the next phase, which must be one of next.
	run  func(*exchange) (phase, Reason)
	next phaseSet
}

type phaseSet uint32

func phases(ps ...phase) phaseSet {
	var s phaseSet
	for _, p := range ps {
		s |= 1 << p
	}
	return s
}

func (s phaseSet) has(p phase) bool { return s&(1<<p) != 0 }

// table is the pipeline. An error page that CloudFront makes itself goes straight to deliver, for neither a response headers
// policy nor a function sees it; the errors that a custom error response may replace go to error-page.
func table() [phaseCount]phaseSpec {
	return [phaseCount]phaseSpec{
		accept:          {"accept", (*exchange).accept, phases(matchBehavior, deliver)},
		matchBehavior:   {"match-behavior", (*exchange).matchBehavior, phases(checkAccess, lookup, deliver)},
		checkAccess:     {"check-access", (*exchange).checkAccess, phases(viewerRequest, errorPage, deliver)},
		viewerRequest:   {"viewer-request", (*exchange).viewerRequest, phases(lookup, responseHeaders, deliver)},
		lookup:          {"lookup", (*exchange).lookup, phases(originRequest, responseHeaders, deliver)},
		originRequest:   {"origin-request", (*exchange).originRequest, phases(fetch, admit, deliver)},
		fetch:           {"fetch", (*exchange).fetch, phases(originRequest, originResponse, errorPage, responseHeaders, deliver)},
		originResponse:  {"origin-response", (*exchange).originResponse, phases(errorPage, deliver)},
		errorPage:       {"error-page", (*exchange).errorPage, phases(admit)},
		admit:           {"admit", (*exchange).admit, phases(responseHeaders)},
		responseHeaders: {"response-headers", (*exchange).responseHeaders, phases(viewerResponse)},
		viewerResponse:  {"viewer-response", (*exchange).viewerResponse, phases(deliver)},
		deliver:         {"deliver", (*exchange).deliver, phases(logPhase)},
		logPhase:        {"log", (*exchange).log, phases(done)},
		done:            {name: "done"},
	}
}

// PhaseInfo is a row of the table of phases, for the documentation.
type PhaseInfo struct {
	Name string
	Next []string
}

// Phases returns the pipeline in order.
func Phases() []PhaseInfo {
	t := table()
	var out []PhaseInfo
	for p := range done {
		row := PhaseInfo{Name: t[p].name}
		for n := range phaseCount {
			if t[p].next.has(n) {
				row.Next = append(row.Next, t[n].name)
			}
		}
		out = append(out, row)
	}
	return out
}

// exchange is one request in the pipeline. It is reused: reset clears it.
type exchange struct {
	ctx  context.Context
	svc  *Service
	plan *Plan
	// upload counts the request's body for a log, nil without one.
	upload *countedBody
	// primary is the distribution whose continuous deployment sent the request to plan, nil without one.
	primary *Plan
	hop     *trace.Hop
	now     time.Time
	// id is the X-Amz-Cf-Id; out holds it and the answer. lent is true for the memory of the engine that the answer goes
	// to, which knows shared fields.
	id   string
	out  *message.Room
	lent bool

	// viewer is the request as it came; req is what functions have made of it. method is req's.
	viewer message.Request
	// asked is the path and the query string that the viewer sent, also where the page of a custom error response is fetched.
	asked    struct{ path, query string }
	req      *message.Request
	method   Methods
	behavior *Behavior
	// pattern names the verdict of match-behavior; verdict is set by a phase for its step.
	verdict string
	// nested is true while the page of a custom error response is fetched.
	nested bool
	// cause is that of an error which CloudFront made itself, for the access log.
	cause Cause
	// cookie is the session of a continuous deployment that the answer sets, "" without one.
	cookie string
	// place is where the viewer is, once it was looked up.
	place place

	key   []byte
	keyed bool // key is built and this request may be answered from the cache
	// epoch is from before the cache was asked: an invalidation since then keeps out what this request admits.
	epoch   uint64
	object  *cache.Object
	flight  *cache.Flight
	fetched *fetchState
	// picked is what a CloudFront Function made of the origin, nil for nothing.
	picked *pickedOrigin
	// extraRoom is where response-headers puts what it adds; it is kept between requests, as key is.
	extraRoom []message.Field
	// memory is what the fetch is in; spare is memory for one, kept between requests.
	memory, spare *fetchMemory

	// The answer so far.
	res      result
	response *message.Response
}

// result is the answer before the fields of deliver are added.
type result struct {
	status int
	reason string
	// header has the origin's fields, unless object is set and header is nil: then they are the object's, and fields
	// makes a copy. after and extra are what the response headers policy adds.
	header message.Header
	after  *message.Lines
	extra  []message.Field
	body   bodyReader
	// memory is the body when it is in memory whole; body is nil then.
	memory []byte
	length int64
	xcache string
	age    bool
	object *cache.Object
	close  bool
	// trailer gives the fields behind the body, of gRPC only.
	trailer func() message.Header
	origin  int // the status that the origin gave, before a custom error response
	// errorHeader has the fields of the error that a custom error response replaces.
	errorHeader message.Header
	// self is true for answers that CloudFront makes itself.
	self bool
	// pageBehavior is true for the page of a custom error response that has a behavior of its own, whose lifetime is
	// pageLifetime.
	pageBehavior bool
	pageLifetime time.Duration
	// authorized is true for the page of a custom error response whose origin got the viewer's Authorization.
	authorized bool
	// byViewerFunction is true for the response of a viewer-request function.
	byViewerFunction bool
	// timing has what Server-Timing reports.
	timing timing
}

// run drives x from phase p until stop or done. Successors are checked: a phase that returns one which the table does not
// allow is our mistake, and ends in CloudFront's page for an unknown failure.
func (x *exchange) run(p, stop phase) {
	for p != stop && p != done {
		spec := &x.svc.table[p]
		x.verdict = ""
		next, reason := spec.run(x)
		if x.hop != nil {
			x.hop.Step(spec.name, x.verdictOr(next), reason.String())
		}
		if !spec.next.has(next) {
			x.hop.Step(spec.name, "broken", "the phase chose a successor that the table does not have")
			x.fail(500, ReasonInternal)
			next = deliver
			if p == deliver || p == logPhase {
				return
			}
		}
		p = next
		if stop != done && p == deliver {
			return
		}
	}
}

// verdictOr returns the verdict that the phase gave, or the name of what comes next.
func (x *exchange) verdictOr(next phase) string {
	if x.verdict != "" {
		return x.verdict
	}
	return x.svc.table[next].name
}
