package front

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

// Options are the settings of a Front.
type Options struct {
	// Issuer signs the certificates of names that have none of their own: *ca.Authority. Nil refuses TLS for them.
	Issuer Issuer
	// API answers requests to the AWS API: those whose host is not served and is a loopback name, an address, a name
	// without a dot, or an endpoint of AWS. Such requests keep their Host as it came, because signatures cover it. Nil
	// answers that there is no API.
	API message.Handler
	// IsAPIHost names further hosts of the API, such as virtual hosts of buckets with dots in their name. It gets a
	// canonical name without .localhost; nil means none.
	IsAPIHost func(name string) bool
	// Landing answers an unsigned GET / on the API's own hosts: a page for people. Nil sends it to API.
	Landing message.Handler
	// Explain is called after a request that asked for an explanation with Foregate-Explain: 1, and returns the address
	// for Foregate-Explanation ("" for none). Requests to the AWS API are not explained. Nil leaves the header alone.
	Explain func(ctx context.Context, e Explained) string
	// Answered is told of each request to a host of the stack once its answer has begun; nil means nobody. It must be
	// quick: the client waits for it.
	Answered func(a Answered)
	// Nameless are names beside the machine's own that the certificate covers which clients get that send no server name.
	Nameless []string
	// Terse keeps the names of hosts out of the answer to an unknown one, for nodes that strangers can reach.
	Terse bool
	// ProxyPassthrough lets the forward proxy reach hosts outside the stack.
	ProxyPassthrough bool
	// Dial connects tunnels to outside hosts; nil means the system's dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Outside answers plain proxy requests for hosts outside the stack, with ProxyPassthrough; nil means a client of
	// net/http.
	Outside message.Handler
	// MaxIdle bounds the connections that wait for a request; when there are more, the one that has waited longest is
	// closed. 0 means three quarters of the open files that the process may have: the rest is for new connections, origins
	// and functions. An idle connection takes 3 KiB of memory, with TLS 10.
	MaxIdle int
	// HandshakeTimeout bounds a TLS handshake and the wait for a connection's first bytes; 0 means 10 seconds.
	HandshakeTimeout time.Duration
	// Grace bounds the wait for requests in flight when Serve ends; 0 means 10 seconds.
	Grace time.Duration
	// Reject answers what the protocol engine refuses before anything can route it; see http1.Options. Nil gives a short
	// text.
	Reject func(ctx context.Context, r *http1.Rejection) *message.Response
	// Log gets what an operator should know and no client can be told; nil drops it.
	Log func(format string, args ...any)
}

// Issuer signs certificates for DNS names and addresses.
type Issuer interface {
	Issue(names []string) (*tls.Certificate, error)
}

// Explained is a request that was answered and wants an explanation.
type Explained struct {
	// Request is as it came, without Foregate-Explain and without its body.
	Request *message.Request
	// Response is the answer. The hook may replace the body by one that copies what it reads.
	Response *message.Response
	Trace    *trace.Trace
}

// Answered is a request that has its answer.
type Answered struct {
	// The request's, as it came; Query as in message.Request.
	Method, Scheme, Host, Path, Query string
	HasQuery                          bool
	// Response must not be changed, and its body not be read.
	Response *message.Response
	// At is when the request came, Took how long its answer took to begin.
	At   time.Time
	Took time.Duration
}

// Front serves the current Snapshot. Make one with New.
type Front struct {
	opts Options
	tls  *tls.Config
	// refuse is the configuration of handshakes that must fail.
	refuse *tls.Config
	cur    atomic.Pointer[Snapshot]
	turns  atomic.Uint32 // hands out shards

	once     sync.Once
	wanted   chan struct{}   // closed when a Snapshot has a site with HTTP/3
	drain    context.Context // done when no further request is wanted
	stop     context.CancelFunc
	stopping atomic.Bool  // set just before drain is done
	accepted atomic.Int64 // connections so far: the clock by which idle ones are aged
	// complained is when the log last had a connection without its PROXY protocol header, in seconds.
	complained atomic.Int64
	wg         sync.WaitGroup
	mu         sync.Mutex
	conns      map[*conn]struct{}
	lot        lot
	report     func(error)
}

// New makes a Front that serves an empty Snapshot.
func New(opts Options) *Front {
	if opts.MaxIdle <= 0 {
		opts.MaxIdle = cmp.Or(Descriptors()*3/4, 4096)
	}
	if opts.HandshakeTimeout <= 0 {
		opts.HandshakeTimeout = 10 * time.Second
	}
	if opts.Grace <= 0 {
		opts.Grace = 10 * time.Second
	}
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	if opts.Dial == nil {
		opts.Dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	if opts.Outside == nil && opts.ProxyPassthrough {
		opts.Outside = newOutside(opts.Dial)
	}
	f := &Front{opts: opts, conns: map[*conn]struct{}{}, wanted: make(chan struct{}), report: func(err error) { opts.Log("%v", err) }}
	f.drain, f.stop = context.WithCancel(context.Background())
	f.tls, f.refuse = f.tlsConfig(), refusal()
	f.cur.Store(NewBuilder(0).Build())
	return f
}

// Swap makes s the current Snapshot: when it returns, new requests see s. The one before is released when its last
// request has ended; Drained tells when.
func (f *Front) Swap(s *Snapshot) {
	if s.http3 {
		f.once.Do(func() { close(f.wanted) })
	}
	if old := f.cur.Swap(s); old != s {
		old.retire()
	}
}

// Snapshot returns the current Snapshot, for its names and certificates. Its handlers must not be called: another Swap
// may release them at any time. Resolve gives one that is safe.
func (f *Front) Snapshot() *Snapshot { return f.cur.Load() }

// acquire holds the current Snapshot; Snapshot.leave with the same shard lets it go.
func (f *Front) acquire(shard uint32) *Snapshot {
	for {
		s := f.cur.Load()
		s.shards[shard].n.Add(1)
		if f.cur.Load() == s {
			return s
		}
		s.leave(shard)
	}
}

// shard picks one for a connection.
func (f *Front) shard() uint32 { return f.turns.Add(1) % shardCount }

// Resolve is Snapshot.Resolve on the current Snapshot, with a handler that may be kept: it looks up the name anew for
// each request and holds the Snapshot until the answer's body is closed. Connections to origins use it to reach hosts of
// the stack in memory.
func (f *Front) Resolve(host string) (h message.Handler, target string, ok bool) {
	_, target, ok = f.cur.Load().Resolve(host)
	if !ok {
		return nil, target, false
	}
	return &inner{f: f, name: Canonical(host)}, target, true
}

// inner is a service of the stack as another one reaches it.
type inner struct {
	f    *Front
	name string
}

// Serve answers as the service to which the name leads now.
func (i *inner) Serve(ctx context.Context, r *message.Request) *message.Response {
	h := hold{shard: i.f.shard()}
	h.snap = i.f.acquire(h.shard)
	answered := false
	defer func() {
		if !answered {
			h.end()
		}
	}()
	var resp *message.Response
	if e := h.snap.find(i.name); e != nil && e.site != nil {
		h.watchUpgrade(r)
		r.Room = nil
		resp = e.site.Handler.Serve(ctx, r)
	} else {
		resp = i.f.unknownHost(h.snap, i.name)
	}
	answered = true
	return h.attach(resp, nil)
}

// Handler answers a request as if it had come over a connection: to the server name of r.TLS when there is one, to r.Host
// otherwise. It routes, holds the Snapshot and explains as live traffic does.
func (f *Front) Handler(ctx context.Context, r *message.Request) *message.Response {
	v := visit{shard: f.shard()}
	if r.TLS != nil {
		v.connected, _ = stripLocalhost(Canonical(r.TLS.ServerName))
	}
	return f.serve(ctx, &v, r)
}

// unknownHost is the answer to a host that is not of the stack.
func (f *Front) unknownHost(s *Snapshot, name string) *message.Response {
	var b strings.Builder
	fmt.Fprintf(&b, "Foregate does not serve the host %q.\n\n", name)
	hosts := s.Hosts()
	switch {
	case f.opts.Terse:
		return message.Text(404, "text/plain; charset=utf-8", b.String(), message.Field{Name: "Foregate-Error", Value: "unknown-host"})
	case len(hosts) == 0:
		b.WriteString("It serves no host at all yet: load a template with `foregate up FILE`, or create resources through the AWS API here.\n")
	default:
		const most = 20
		fmt.Fprintf(&b, "It serves %d:\n", len(hosts))
		for _, h := range hosts[:min(most, len(hosts))] {
			fmt.Fprintf(&b, "  %s\n", h)
		}
		if len(hosts) > most {
			b.WriteString("  …\n")
		}
		b.WriteString("\n`foregate up` prints all of them when it starts (-o json: under \"endpoints\").\n")
	}
	b.WriteString("Reach one by appending .localhost to its name, through this port as a proxy (curl -x), or with curl --connect-to.\n" +
		"An alias is served when a distribution or a custom domain has it, or a Route 53 record leads to one.\n" +
		"To reach hosts outside the stack through the proxy, start with --proxy-passthrough.\n")
	return message.Text(404, "text/plain; charset=utf-8", b.String(), message.Field{Name: "Foregate-Error", Value: "unknown-host"})
}

// hosts of the API that lead people to the landing page.
var loopbackNames = []string{"localhost", "127.0.0.1", "::1"}

// isLoopbackName tells whether name is one of the machine's own.
func isLoopbackName(name string) bool { return slices.Contains(loopbackNames, name) }
