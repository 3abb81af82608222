package edge

import (
	"context"
	"strings"
	"sync"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Service answers for a set of distributions: it picks one by the Host header alone (facts: cloudfront-dataplane 1) and runs
// the request through it. It is immutable and safe for use by many goroutines; a new set of plans is a new Service over the
// same Effects, so the cache stays.
type Service struct {
	effects Effects
	node    Node
	hosts   map[string]*Plan
	table   [phaseCount]phaseSpec
	via     [message.HTTP3 + 1]string
	marks   [2][2]*message.Lines
	headers map[*ResponseHeadersPolicy]*headerProgram
	// indexes has the plans that have one: a plan may belong to several Services, so nothing is written to it.
	indexes map[*Plan]*behaviorIndex
	pool    *sync.Pool
}

// Node is what an edge location calls itself.
type Node struct {
	// Pop is X-Amz-Cf-Pop, as in "FRA56-P4".
	Pop string
	// Name is the host in Via, 32 hex digits and ".cloudfront.net".
	Name string
	// Address is the server's, Region that of the cache behind it, as cf.edgeLocation tells CloudFront Functions.
	Address, Region string
}

// Options make a Service.
type Options struct {
	Plans   []*Plan
	Effects Effects
	// Node defaults to a made-up location.
	Node Node
}

// NewService makes a Service. Where two plans claim a name the first one keeps it: AWS refuses the second one earlier.
func NewService(o Options) *Service {
	if o.Node.Pop == "" {
		o.Node.Pop = "FRA56-P4"
	}
	if o.Node.Name == "" {
		o.Node.Name = "f0e6a7e0f0e6a7e0f0e6a7e0f0e6a7e0.cloudfront.net"
	}
	if o.Node.Address == "" {
		o.Node.Address = "127.0.0.1"
	}
	if o.Node.Region == "" {
		o.Node.Region = "eu-central-1" // where FRA's requests go
	}
	s := &Service{effects: o.Effects, node: o.Node, hosts: map[string]*Plan{}, table: table(),
		headers: map[*ResponseHeadersPolicy]*headerProgram{}, indexes: map[*Plan]*behaviorIndex{}}
	for p := message.HTTP10; p <= message.HTTP3; p++ {
		s.via[p] = p.String() + " " + o.Node.Name + " (CloudFront)"
	}
	s.marks = s.makeMarks()
	s.pool = &sync.Pool{New: func() any { return &exchange{extraRoom: make([]message.Field, 0, 24)} }}
	for _, p := range o.Plans {
		if x := newBehaviorIndex(p.Behaviors); x != nil {
			s.indexes[p] = x
		}
		for i := range p.Behaviors {
			if h := p.Behaviors[i].ResponseHeaders; h != nil && s.headers[h] == nil {
				s.headers[h] = compileHeaders(h)
			}
		}
		names := p.Aliases
		if !p.Staging {
			names = append([]string{p.DomainName}, names...)
		}
		for _, n := range names {
			n = strings.TrimPrefix(strings.ToLower(n), "*")
			if s.hosts[n] == nil {
				s.hosts[n] = p
			}
		}
	}
	return s
}

// Find returns the plan that answers for host, or nil: an exact name beats a wildcard, and a longer wildcard a shorter one
// (facts: cloudfront-dataplane 1). A port is left out of account.
func (s *Service) Find(host string) *Plan {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if p := s.hosts[host]; p != nil && !strings.HasPrefix(host, ".") {
		return p
	}
	for i := 0; i < len(host); i++ {
		if host[i] == '.' {
			if p := s.hosts[host[i:]]; p != nil && i > 0 {
				return p
			}
		}
	}
	return nil
}

// Serve implements message.Handler.
func (s *Service) Serve(ctx context.Context, r *message.Request) *message.Response {
	plan := s.Find(r.Host)
	x := s.newExchange(ctx, plan, r)
	defer s.release(x) // also when an effect panics: others may wait for this fetch
	if plan == nil {
		x.hop = r.Trace.Hop("cloudfront", "")
		x.hop.Fact(trace.Refused, "BadRequest", string(CauseUnknownHost), "")
		x.hop.Step("accept", "deny", ReasonUnknownHost.String())
		x.fail(403, ReasonUnknownHost)
		x.run(deliver, done)
	} else {
		x.hop = r.Trace.Hop("cloudfront", plan.ID)
		x.countUpload()
		x.run(accept, done)
	}
	return x.response
}

// Refuse answers what was refused before it was a request with CloudFront's page: 400 in general, 494 for a head that is too long.
// Such requests are in no log of a distribution.
func (s *Service) Refuse(ctx context.Context, j *http1.Rejection) *message.Response {
	status, reason := j.Status, ReasonMalformed
	switch j.Err.Kind {
	case http1.Timeout:
		return nil // whoever is silent learns nothing of it
	case http1.HeadTooBig:
		status, reason = 494, ReasonHeadTooBig
	}
	x := s.newExchange(ctx, nil, &message.Request{Method: "GET", Scheme: "https", Host: j.Host, Path: "/", Proto: message.HTTP11, Client: j.Client, TLS: j.TLS})
	defer s.release(x)
	x.fail(status, reason)
	x.res.close = true
	x.run(deliver, done)
	return x.response
}

func (s *Service) newExchange(ctx context.Context, plan *Plan, r *message.Request) *exchange {
	x := s.pool.Get().(*exchange)
	x.ctx, x.svc, x.plan, x.req = ctx, s, plan, r
	x.viewer = *r
	x.asked.path, x.asked.query = r.Path, r.Query
	x.method = MethodOf(r.Method)
	x.now = s.effects.Now()
	// Whoever gets the request next has no use for the room, nor has a copy of it.
	if x.out, x.lent = r.Room, r.Room != nil; !x.lent {
		x.out = new(message.Room)
	}
	r.Room, x.viewer.Room = nil, nil
	x.id = x.newID()
	return x
}

func (s *Service) release(x *exchange) {
	if x.flight != nil {
		x.flight.Release()
	}
	key, extra, spare := x.key[:0], x.extraRoom, x.reusable()
	*x = exchange{}
	x.key, x.extraRoom, x.spare = key, extra, spare
	s.pool.Put(x)
}
