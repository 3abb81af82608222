// Package origin holds Foregate's connections to origins: pools with keep-alive, verified TLS, timeouts and attempts, and the
// way in memory to what Foregate serves itself.
//
// Start with New and Client.Fetch. A fetch asks, in this order: is the origin sent elsewhere (Options.Override), is it served
// here (Options.Local), and else dials it. Failures are *Error with a Kind, so that CloudFront and API Gateway can answer with
// their own status and text. The package must not know either of them.
//
// Caveats:
//   - Fetch sends the request as it is: Host, fields and body are the caller's. It does not change r and does not keep it,
//     but its body may be read until the response's body is closed.
//   - A request goes out again only when it is GET or HEAD without a body (Target.Attempts), or when it met a connection that
//     the origin had closed while idle, nothing of an answer had arrived, and the method is idempotent.
//   - HTTP/1.1, as with CloudFront, but for targets that ask for HTTP/2, which CloudFront uses for gRPC only (facts:
//     cloudfront-dataplane 5).
package origin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Target is where a request goes. It is a plain value: make it when a plan is compiled and do not change it afterwards.
type Target struct {
	// Scheme is "http" or "https".
	Scheme string
	// Host is the name or address to connect to, in lower case; Port 0 means the scheme's default.
	Host string
	Port int
	// SNI is the server name sent; "" sends Host. An address is never sent.
	SNI string
	// VerifyNames are the names of which the certificate must have one; none means Host (facts: cloudfront-dataplane 5:
	// the certificate must match the origin's domain or the forwarded Host).
	VerifyNames []string
	// SkipVerify leaves chain and names of the certificate unchecked (API Gateway's insecureSkipVerification).
	SkipVerify bool
	// MinTLS and MaxTLS are crypto/tls version numbers; 0 means TLS 1.2 and the highest there is.
	MinTLS, MaxTLS uint16
	// NoTLS11 leaves TLS 1.1 out from between them: an origin that agrees on it is refused behind the handshake.
	NoTLS11 bool
	// HTTP2 has the origin spoken to in HTTP/2 and in nothing else: agreed on by ALPN over TLS, known beforehand in clear.
	// Requests share connections then, and answers may have a Trailer.
	HTTP2 bool
	// Network keeps the request out of what is served here, which may answer for more names than it has.
	Network bool
	// Certificate is presented when the origin asks for one. It may be nil.
	Certificate *tls.Certificate
	// ConnectTimeout bounds one attempt at DNS, TCP and TLS together; ReadTimeout the wait for the answer's first byte and
	// each wait between reads; KeepAlive the time that an idle connection is kept. Defaults: 10 s, 30 s, 5 s
	// (facts: cloudfront-dataplane 4). A negative ReadTimeout means none, a negative KeepAlive no reuse.
	ConnectTimeout, ReadTimeout, KeepAlive time.Duration
	// CompletionTimeout bounds everything: all attempts, from the first one to the end of the answer
	// (DG-downloaddistvaluesorigin); 0 means that an answer may take as long as it goes on.
	CompletionTimeout time.Duration
	completeBy        time.Time // when it ends; set by Fetch
	// Room, which may be nil, is memory for the answer, for this fetch only. An answer of the network is made in it.
	Room *message.Room
	// Attempts is how often to try to connect and, for GET and HEAD without a body, to get an answer; 0 means 1
	// (facts: cloudfront-dataplane 8).
	Attempts int
	// Timing, when not nil, is filled with what making connections took, all attempts together. It belongs to one fetch.
	Timing *Timing
}

// Timing says how long a fetch waited for a name, and for connections afterwards, TLS included. Both are zero when a connection was
// there, or nothing went over the network.
type Timing struct{ DNS, Connect time.Duration }

// Options is what a Client is made of. The zero value reaches the network, verified against the system's roots.
type Options struct {
	// ExtraRoots are trusted beside the system's roots: the local certificate authority.
	ExtraRoots []*x509.Certificate
	// SystemRoots replaces the system's roots. It may be nil.
	SystemRoots *x509.CertPool
	// Local returns the handler of a host that Foregate serves itself. It may be nil.
	Local func(host string) (message.Handler, bool)
	// LocalCertificate returns the names of the certificate that such a host presents for an SNI; false when it has none, so
	// that the handshake fails. nil leaves certificates of local hosts unchecked.
	LocalCertificate func(host, sni string) (names []string, ok bool)
	// LocalClient is the address that local hosts see requests come from; default 127.0.0.1.
	LocalClient netip.AddrPort
	// Override sends an origin to another address, HOST or HOST:PORT to URL; Host, path and fields stay as they are.
	Override map[string]string
	// Proxy returns the forward proxy for a target, nil for none. nil, the default, uses no proxy: the environment of a
	// server must not decide where its traffic goes.
	Proxy func(Target) (*url.URL, error)
	// Dial replaces net.Dialer for tests and odd networks. It may be nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// MaxConns bounds the connections to one target, idle ones included; 0 is 1024. Fetches beyond it wait.
	MaxConns int
	// MaxHead bounds the head of a response in bytes; default 32,768 (facts: cloudfront-dataplane 4).
	MaxHead int
	// Now is the clock that certificates are checked against. It may be nil.
	Now func() time.Time
}

// Client fetches from origins. It is safe for concurrent use.
type Client struct {
	o        Options
	made     time.Time
	override map[hostPort]redirect
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	roots    func() (*x509.CertPool, error)

	mu      sync.RWMutex
	pools   map[key]*pool
	sweep   *time.Timer
	active  atomic.Bool // the sweep is due; changes under mu
	lookout *time.Timer
	looking atomic.Bool // lookout is due
	closed  bool
}

// New makes a Client. An Override that is no "http://" or "https://" address is an error.
func New(o Options) (*Client, error) {
	if o.MaxConns == 0 {
		o.MaxConns = 1024
	}
	if !o.LocalClient.IsValid() {
		o.LocalClient = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	}
	c := &Client{o: o, made: time.Now(), pools: map[key]*pool{}, dial: o.Dial, override: map[hostPort]redirect{}}
	for host, to := range o.Override {
		u, err := url.Parse(to)
		switch {
		case err != nil:
			return nil, fmt.Errorf("parse override of origin %q: %w", host, err)
		case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.User != nil, u.Path != "" && u.Path != "/", u.RawQuery != "":
			return nil, fmt.Errorf("override origin %q: %q is not of the form http://HOST:PORT", host, to)
		}
		to := redirect{scheme: u.Scheme, host: strings.ToLower(u.Hostname())}
		to.port, _ = strconv.Atoi(u.Port())
		c.override[overriddenBy(strings.ToLower(host))] = to
	}
	if c.dial == nil {
		d := &net.Dialer{}
		c.dial = d.DialContext
	}
	c.roots = sync.OnceValues(c.loadRoots)
	c.sweep = time.AfterFunc(time.Hour, c.sweepIdle)
	c.sweep.Stop()
	c.lookout = time.AfterFunc(time.Hour, c.look)
	c.lookout.Stop()
	return c, nil
}

// clock is the time since the Client was made, for half of what time.Now costs.
func (c *Client) clock() time.Duration { return time.Since(c.made) }

// Close closes idle connections and makes further fetches fail. Those under way end on their own.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.sweep.Stop()
	for _, p := range c.pools {
		p.closeIdle(func(*conn) bool { return true })
	}
}

func (t *Target) setDefaults() {
	if t.Port == 0 {
		t.Port = 80
		if t.Scheme == "https" {
			t.Port = 443
		}
	}
	if t.SNI == "" {
		t.SNI = t.Host
	}
	if t.ConnectTimeout <= 0 {
		t.ConnectTimeout = 10 * time.Second
	}
	if t.ReadTimeout == 0 {
		t.ReadTimeout = 30 * time.Second
	}
	if t.KeepAlive == 0 {
		t.KeepAlive = 5 * time.Second
	}
	t.Attempts = max(t.Attempts, 1)
}

func (t *Target) address() string { return net.JoinHostPort(t.Host, strconv.Itoa(t.Port)) }

func (t *Target) verifyNames() []string {
	if len(t.VerifyNames) == 0 {
		return []string{t.Host}
	}
	return t.VerifyNames
}

// Fetch sends r to t and returns the answer. A request without a Host names the target's. The answer's Body, if there is one, streams and must be closed; a read error is an *Error.
// Errors are *Error. When ctx ends, the connection is closed
// at most 100 ms later, also while the body streams.
func (c *Client) Fetch(ctx context.Context, t Target, r *message.Request) (*message.Response, error) {
	if t.Scheme != "http" && t.Scheme != "https" || t.Host == "" {
		return nil, &Error{Kind: BadRequest, Address: t.Host, Err: fmt.Errorf("scheme %q, host %q", t.Scheme, t.Host)}
	}
	message.Waiting(ctx)
	named := t.Host
	redirected := len(c.override) > 0 && c.overridden(&t)
	t.setDefaults()
	if r.Host == "" {
		q := *r
		q.Host = named
		r = &q
	}
	var h message.Handler
	var p *pool
	if c.o.Local != nil && !redirected && !t.Network {
		h, _ = c.o.Local(t.Host)
	}
	if h == nil {
		var e *Error
		if p, e = c.pool(&t); e != nil {
			return nil, e
		}
	}
	repeatable := r.Body == nil && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	if t.CompletionTimeout > 0 {
		t.completeBy = time.Now().Add(t.CompletionTimeout)
	}
	for attempt := 1; ; attempt++ {
		var resp *message.Response
		var e *Error
		if left, bounded := t.left(); bounded && left <= 0 {
			return nil, &Error{Kind: ResponseTimeout, Address: t.address(), Attempts: attempt - 1, Err: errIncompleteInTime}
		} else if bounded {
			t.ConnectTimeout = min(t.ConnectTimeout, left)
		}
		if h != nil {
			in := t // a copy, so that t itself need not live on the heap
			resp, e = c.fetchLocal(ctx, &in, h, r)
		} else {
			resp, e = p.try(ctx, &t, r)
		}
		if e == nil {
			return resp, nil
		}
		e.Attempts = attempt
		if attempt == t.Attempts || ctx.Err() != nil || !e.again(repeatable) {
			return nil, e
		}
	}
}

var errIncompleteInTime = errors.New("no whole answer within the response completion timeout")

// left is what is left of CompletionTimeout; bounded is false without one.
func (t *Target) left() (left time.Duration, bounded bool) {
	if t.completeBy.IsZero() {
		return 0, false
	}
	return time.Until(t.completeBy), true
}

// Overrides tells whether Options.Override sends a host elsewhere, on one port at least.
func (c *Client) Overrides(host string) bool {
	for from := range c.override {
		if from.host == host {
			return true
		}
	}
	return false
}

// hostPort is what an override is for; port 0 is any.
type hostPort struct {
	host string
	port int
}

// redirect is where it leads to; port 0 is the scheme's.
type redirect struct {
	scheme, host string
	port         int
}

func overriddenBy(name string) hostPort {
	if host, port, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.Atoi(port); err == nil && n > 0 {
			return hostPort{host, n}
		}
	}
	return hostPort{host: name}
}

// overridden applies Options.Override to t.
func (c *Client) overridden(t *Target) bool {
	to, ok := c.override[hostPort{host: t.Host}]
	if !ok {
		to, ok = c.override[hostPort{t.Host, t.Port}]
	}
	if !ok {
		return false
	}
	if to.scheme == "https" {
		t.VerifyNames = append(slices.Clip(t.verifyNames()), to.host)
	}
	if t.SNI == "" {
		t.SNI = t.Host
	}
	t.Scheme, t.Host, t.Port = to.scheme, to.host, to.port
	return true
}

// idempotent is rfc9110 9.2.2.
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// try makes one attempt. A connection that turns out to have been closed while idle does not count as one.
func (p *pool) try(ctx context.Context, t *Target, r *message.Request) (*message.Response, *Error) {
	if ctx.Err() != nil {
		return nil, &Error{Kind: Canceled, Address: p.address, Err: context.Cause(ctx)}
	}
	if t.HTTP2 {
		return p.tryHTTP2(ctx, t, r)
	}
	k, e := p.get(ctx, t, r)
	if e != nil {
		return nil, e
	}
	reused := k.http.Used()
	resp, err := k.roundTrip(ctx, t, r)
	if err == nil {
		return resp, nil
	}
	stale := reused && k.http.Untouched() && idempotent(r.Method) && (http1.KindOf(err) == http1.Broken || http1.KindOf(err) == http1.Incomplete)
	if !stale || ctx.Err() != nil {
		return nil, p.failure(ctx, err)
	}
	if k, e = p.fresh(ctx, t); e != nil {
		return nil, e
	}
	if resp, err = k.roundTrip(ctx, t, r); err != nil {
		return nil, p.failure(ctx, err)
	}
	return resp, nil
}
