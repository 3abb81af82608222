package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/http2"
	"github.com/foregate/foregate/internal/message"
)

// key is what connections must have in common to share a pool. Certificate rules are part of it: a connection verified for
// one name says nothing about another.
type key struct {
	scheme, host, sni, verify string
	port                      int
	minTLS, maxTLS            uint16
	noTLS11                   bool
	skip, http2               bool
	certificate               *tls.Certificate
}

func keyOf(t *Target) key {
	k := key{scheme: t.Scheme, host: t.Host, port: t.Port, http2: t.HTTP2}
	if t.Scheme != "https" {
		return k
	}
	k.sni, k.minTLS, k.maxTLS, k.noTLS11, k.skip, k.certificate = t.SNI, t.MinTLS, t.MaxTLS, t.NoTLS11, t.SkipVerify, t.Certificate
	switch len(t.VerifyNames) {
	case 0:
	case 1:
		k.verify = t.VerifyNames[0]
	default:
		k.verify = strings.Join(t.VerifyNames, " ")
	}
	return k
}

// pool is the connections to one target.
type pool struct {
	c       *Client
	key     key
	address string
	tls     *tls.Config // nil for http

	mu      sync.Mutex
	idle    []*conn // the one used last stands last, and is used next
	all     map[*conn]struct{}
	open    int // idle, in use, or being made
	waiting []chan *conn
	dropped bool // forgotten by the client: whoever still has it uses connections once

	shared  []*http2.ClientConn // of a target that wants HTTP/2
	dialing chan struct{}       // closed when the connection that is being made stands, or does not
}

// conn is one connection to an origin.
type conn struct {
	p       *pool
	raw     net.Conn
	http    *http1.ClientConn
	close   func()        // closes raw; made once
	keep    time.Duration // how long it may be idle after this exchange
	since   time.Duration // idle since; times are of Client.clock
	expires time.Duration

	unwatched bool // lookout does not see the pool any more

	// What lookout reads as well.
	mu   sync.Mutex
	ctx  context.Context // the caller's; nil when idle
	age  int             // for how many looks of lookout the exchange has lasted
	stop func() bool     // ends the watch over ctx; nil as long as there is none
}

var errClosed = errors.New("the client is closed")

func (c *Client) pool(t *Target) (*pool, *Error) {
	k := keyOf(t)
	c.mu.RLock()
	p, closed := c.pools[k], c.closed
	c.mu.RUnlock()
	if p != nil && !closed {
		return p, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, &Error{Kind: Canceled, Address: t.address(), Err: errClosed}
	}
	if p = c.pools[k]; p != nil {
		return p, nil
	}
	p = &pool{c: c, key: k, address: t.address(), all: map[*conn]struct{}{}}
	if t.Scheme == "https" {
		var err error
		if p.tls, err = c.tlsConfig(t); err != nil {
			return nil, &Error{Kind: TLS, Address: p.address, Err: err}
		}
	}
	c.pools[k] = p
	return p, nil
}

// restless is after how much idling even an idempotent request has its connection looked at first. The end of a connection, or
// bytes that answer nothing, may also come right after the look: so within a time as short as that, a look proves nothing.
const restless = time.Millisecond

// get returns an idle connection or makes one, and waits when there are too many.
func (p *pool) get(ctx context.Context, t *Target, r *message.Request) (*conn, *Error) {
	now := p.c.clock()
	p.mu.Lock()
	for len(p.idle) > 0 {
		k := p.idle[len(p.idle)-1]
		p.idle[len(p.idle)-1] = nil
		p.idle = p.idle[:len(p.idle)-1]
		if now < k.expires && (idempotent(r.Method) && now-k.since < restless || k.http.Healthy()) {
			p.mu.Unlock()
			return k, nil
		}
		p.forget(k)
	}
	if p.open < p.c.o.MaxConns {
		p.open++
		p.mu.Unlock()
		return p.connect(ctx, t)
	}
	turn := make(chan *conn, 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	return p.wait(ctx, t, turn)
}

// wait waits for a turn: a connection, or nil for leave to make one.
func (p *pool) wait(ctx context.Context, t *Target, turn chan *conn) (*conn, *Error) {
	timer := time.NewTimer(t.ConnectTimeout)
	defer timer.Stop()
	e := &Error{Address: p.address}
	select {
	case k := <-turn:
		if k != nil {
			return k, nil
		}
		return p.connect(ctx, t)
	case <-timer.C:
		e.Kind, e.Err = Limit, errors.New("all connections to the origin are in use")
	case <-ctx.Done():
		e.Kind, e.Err = Canceled, context.Cause(ctx)
	}
	p.mu.Lock()
	if i := slices.Index(p.waiting, turn); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
		p.mu.Unlock()
		return nil, e
	}
	p.mu.Unlock()
	if k := <-turn; k != nil { // the turn came at the same moment: pass it on
		p.put(k)
	} else {
		p.gone()
	}
	return nil, e
}

// fresh makes a connection in place of one that has just been closed.
func (p *pool) fresh(ctx context.Context, t *Target) (*conn, *Error) {
	p.mu.Lock()
	p.open++
	p.mu.Unlock()
	return p.connect(ctx, t)
}

// connect dials. The caller has counted the connection.
func (p *pool) connect(ctx context.Context, t *Target) (*conn, *Error) {
	bounded, cancel := context.WithTimeout(ctx, t.ConnectTimeout)
	defer cancel()
	raw, absolute, err := p.timed(bounded, t)
	if err != nil {
		p.gone()
		return nil, p.dialFailure(ctx, err)
	}
	k := &conn{p: p, raw: raw, close: func() { _ = raw.Close() }}
	k.http = http1.NewClientConn(raw, http1.ClientOptions{
		MaxHead: p.c.o.MaxHead, WriteTimeout: max(t.ReadTimeout, 0), AbsoluteForm: absolute, BodyError: k.bodyError, Done: k.done,
	})
	p.mu.Lock()
	k.unwatched = p.dropped
	p.all[k] = struct{}{}
	p.mu.Unlock()
	return k, nil
}

// timed is dial, with its times in Target.Timing.
func (p *pool) timed(ctx context.Context, t *Target) (net.Conn, bool, error) {
	if t.Timing == nil {
		return p.dial(ctx, t)
	}
	start := time.Now()
	var asked time.Time
	var waited time.Duration
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { asked = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { waited += time.Since(asked) },
	})
	raw, absolute, err := p.dial(ctx, t)
	t.Timing.DNS += waited
	t.Timing.Connect += time.Since(start) - waited
	return raw, absolute, err
}

// forget closes a connection of which nobody else knows any more. The pool is locked.
func (p *pool) forget(k *conn) {
	delete(p.all, k)
	p.open--
	_ = k.raw.Close()
}

// lost counts a connection that is closed.
func (p *pool) lost(k *conn) {
	p.mu.Lock()
	delete(p.all, k)
	p.mu.Unlock()
	p.gone()
}

// gone counts a connection that is no more, and lets somebody make another.
func (p *pool) gone() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 {
		turn := p.waiting[0]
		p.waiting = p.waiting[1:]
		turn <- nil
		return
	}
	p.open--
}

// put gives a healthy connection to whoever waits, or keeps it for later.
func (p *pool) put(k *conn) {
	p.mu.Lock()
	if len(p.waiting) > 0 {
		turn := p.waiting[0]
		p.waiting = p.waiting[1:]
		p.mu.Unlock()
		turn <- k
		return
	}
	if p.dropped {
		p.forget(k)
		p.mu.Unlock()
		return
	}
	k.since = p.c.clock()
	k.expires = k.since + k.keep
	p.idle = append(p.idle, k)
	first := len(p.idle) == 1
	p.mu.Unlock()
	if first {
		p.c.startSweep()
	}
}

// closeIdle closes the idle connections that which picks.
func (p *pool) closeIdle(which func(*conn) bool) (open int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.idle[:0]
	for _, k := range p.idle {
		if which(k) {
			p.forget(k)
		} else {
			kept = append(kept, k)
		}
	}
	clear(p.idle[len(kept):])
	p.idle = kept
	if p.c.closed {
		for _, k := range p.shared {
			k.CloseIdle()
		}
	}
	p.dropped = p.open == 0
	return p.open
}

const sweepEvery = time.Second

func (c *Client) startSweep() {
	if c.active.Load() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		for _, p := range c.pools {
			p.closeIdle(func(*conn) bool { return true })
		}
	case !c.active.Load():
		c.active.Store(true)
		c.sweep.Reset(sweepEvery)
	}
}

// sweepIdle closes connections that were idle for too long or that the origin has closed, and forgets empty pools. It runs
// only while there are connections.
func (c *Client) sweepIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock()
	open := 0
	for k, p := range c.pools {
		n := p.closeIdle(func(k *conn) bool { return now >= k.expires || !k.http.Healthy() })
		if n == 0 {
			delete(c.pools, k)
		}
		open += n
	}
	c.active.Store(open > 0 && !c.closed)
	if c.active.Load() {
		c.sweep.Reset(sweepEvery)
	}
}

// roundTrip does one exchange.
func (k *conn) roundTrip(ctx context.Context, t *Target, r *message.Request) (*message.Response, error) {
	k.http.SetReadTimeout(max(t.ReadTimeout, 0))
	completion := t.CompletionTimeout
	if left, bounded := t.left(); bounded {
		completion = max(left, time.Nanosecond)
	}
	k.http.SetCompletion(completion)
	k.http.Lend(t.Room)
	k.keep = t.KeepAlive
	k.begin(ctx)
	resp, err := k.http.RoundTrip(r)
	if err != nil {
		k.end()
		k.p.lost(k)
		return nil, err
	}
	return resp, nil
}

// bodyError gives the errors of an answer's body their Kind.
func (k *conn) bodyError(err error) error {
	k.mu.Lock()
	ctx := k.ctx
	k.mu.Unlock()
	return k.p.failure(ctx, err)
}

// done is called by the protocol engine when an exchange is over.
func (k *conn) done(_ *http1.ClientConn, reusable bool) {
	if !k.end() {
		reusable = false // the context has ended and the connection is being closed
	}
	if reusable && k.keep > 0 {
		k.p.put(k)
		return
	}
	_ = k.raw.Close()
	k.p.lost(k)
}
