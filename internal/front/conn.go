package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/clienthello"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/http2"
	"github.com/foregate/foregate/internal/http3"
	"github.com/foregate/foregate/internal/message"
)

// conn is a connection of a client, as the listener accepted it. Tunnels in it count as part of it.
type conn struct {
	f      *Front
	nc     net.Conn    // nil over QUIC
	quic   *http3.Conn // nil over TCP
	port   string      // of the listener
	client netip.AddrPort
	active atomic.Int32 // requests in flight, and one for the time before the first
	last   atomic.Int64 // Front.accepted when it was last in use
	space  uint32       // in the lot, while it is parked
}

// begin and end enclose a request.
func (c *conn) begin() { c.active.Add(1) }

func (c *conn) end() {
	c.last.Store(c.f.accepted.Load())
	c.active.Add(-1)
}

// close ends the connection at once.
func (c *conn) close() {
	if c.quic != nil {
		_ = c.quic.Close()
		return
	}
	_ = c.nc.Close()
}

// Serve accepts connections until ctx ends or the listener fails, which it then returns. Connections that wait for a
// request are closed at once, others after the answer that they are at; after Options.Grace all are cut. A Front that has
// stopped cannot serve again. Several listeners may be served at the same time, and stop together.
func (f *Front) Serve(ctx context.Context, ln net.Listener) error {
	return f.serveListener(ctx, ln, (*Front).speak)
}

// ServeProxyProtocol is Serve for a listener that only load balancers reach, which begin every connection with a header of
// the PROXY protocol. The client's address is taken from it; a connection without a valid one is closed.
func (f *Front) ServeProxyProtocol(ctx context.Context, ln net.Listener) error {
	return f.serveListener(ctx, ln, (*Front).speakProxied)
}

// opener begins to speak on a connection.
type opener func(f *Front, ctx context.Context, raw net.Conn, v *visit) (over bool)

func (f *Front) serveListener(ctx context.Context, ln net.Listener, open opener) error {
	forced, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	_, port := SplitPort(ln.Addr().String())
	err := f.accept(forced, ln, func(ctx context.Context, c *conn) (over bool) {
		c.port = port
		return open(f, ctx, c.nc, &visit{shard: f.shard(), conn: c})
	})
	_ = ln.Close()
	if ctx.Err() != nil {
		err = nil
	}
	f.wind(cut)
	return err
}

// accept starts a goroutine for each connection. When the system has no more files, it waits and tries again.
func (f *Front) accept(ctx context.Context, ln net.Listener, open func(context.Context, *conn) (over bool)) error {
	pause := 5 * time.Millisecond
	for {
		nc, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || f.drain.Err() != nil {
				return fmt.Errorf("accept connections on %s: %w", ln.Addr(), err)
			}
			f.opts.Log("accept a connection: %v; trying again", err)
			select {
			case <-time.After(pause):
			case <-f.drain.Done():
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		c := &conn{f: f, nc: nc, client: http1.ClientAddr(nc)}
		c.active.Store(1)
		f.track(c)
		f.wg.Add(1)
		go func() {
			if open(ctx, c) {
				f.gone(c)
			}
		}()
	}
}

// gone forgets a connection that has ended.
func (f *Front) gone(c *conn) {
	f.untrack(c)
	f.wg.Done()
}

// sample is how many connections are looked at to find one that has been idle for long.
const sample = 64

// track remembers a connection, and makes room when too many are idle.
func (f *Front) track(c *conn) {
	c.last.Store(f.accepted.Add(1))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[c] = struct{}{}
	for range 2 { // twice, so as to catch up after connections were busy
		old := f.oldestIdle()
		if old == nil {
			return
		}
		delete(f.conns, old)
		if !f.lot.end(old) {
			old.close()
		}
	}
}

// oldestIdle returns a connection to be closed when more than MaxIdle are idle, as far as a sample can tell. It is called
// with the lock.
func (f *Front) oldestIdle() *conn {
	if len(f.conns) <= f.opts.MaxIdle {
		return nil
	}
	var oldest *conn
	seen, idle := 0, 0
	for c := range f.conns { // in random order
		if seen == sample {
			break
		}
		seen++
		if c.active.Load() != 0 {
			continue
		}
		if idle++; oldest == nil || c.last.Load() < oldest.last.Load() {
			oldest = c
		}
	}
	if idle*len(f.conns) <= f.opts.MaxIdle*seen {
		return nil
	}
	return oldest
}

func (f *Front) untrack(c *conn) {
	c.close()
	f.mu.Lock()
	delete(f.conns, c)
	f.mu.Unlock()
}

func (f *Front) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		c.close()
	}
}

// speakProxied reads the header of the PROXY protocol, and goes on as speak.
func (f *Front) speakProxied(ctx context.Context, raw net.Conn, v *visit) (over bool) {
	_ = raw.SetReadDeadline(time.Now().Add(f.opts.HandshakeTimeout))
	wake := context.AfterFunc(f.drain, func() { _ = raw.SetReadDeadline(time.Unix(1, 0)) })
	client, err := readProxyHeader(raw)
	wake()
	if err != nil {
		if now := time.Now().Unix(); errors.Is(err, errProxyHeader) && f.complained.Load() < now-60 { // anybody can cause it
			f.complained.Store(now)
			f.opts.Log("a connection from %s was closed: %v", v.conn.client.Addr(), err)
		}
		_ = raw.Close()
		return true
	}
	if client.IsValid() {
		v.conn.client = client
	}
	return f.speak(ctx, raw, v)
}

// speak finds out the protocol of a connection, or of a tunnel in one, and serves it. It returns whether the connection is over;
// if not, it is parked.
func (f *Front) speak(ctx context.Context, raw net.Conn, v *visit) (over bool) {
	over = true
	defer func() {
		if over {
			_ = raw.Close()
		}
	}()
	_ = raw.SetReadDeadline(time.Now().Add(f.opts.HandshakeTimeout))
	wake := context.AfterFunc(f.drain, func() { _ = raw.SetReadDeadline(time.Unix(1, 0)) }) // nothing has begun
	nc, first, err := sniff(raw)
	wake()
	if err != nil {
		return true
	}
	o := http1.Options{Scheme: "http", Client: v.conn.client, MaxHead: maxHead}
	h2 := first == sniffPreface
	var tc *tls.Conn
	if first == sniffTLS {
		var hello *clienthello.Hello
		if tc, hello = f.handshake(ctx, nc, v); tc == nil {
			return true
		}
		o.Scheme, o.TLS = "https", http1.TLSInfo(tc)
		o.TLS.Hello = hello
		o.TLS.ServerName, _ = stripLocalhost(Canonical(o.TLS.ServerName))
		h2 = tc.ConnectionState().NegotiatedProtocol == "h2"
		if v.connected == "" {
			v.connected, v.coalesces = o.TLS.ServerName, h2
		}
		nc = tc
	}
	_ = nc.SetDeadline(time.Time{})
	if !v.tunnel {
		v.conn.end() // from now on requests count
	}
	return f.run(ctx, nc, v, o, h2)
}

// maxHead is twice CloudFront's limit: CloudFront refuses a long head by itself, with 494.
const maxHead = 64 << 10

// Serve implements message.Handler for the requests of a connection.
func (v *visit) Serve(ctx context.Context, r *message.Request) *message.Response {
	if v.again != nil && (v.used.Load() || v.used.Swap(true)) {
		r.TLS = v.again
	}
	return v.conn.f.serve(ctx, v, r)
}

// run hands a connection to the engine of its protocol, and returns whether it is over.
func (f *Front) run(ctx context.Context, nc net.Conn, v *visit, o http1.Options, h2 bool) (over bool) {
	o.Handler, o.Reject, o.Report, o.Drain = v, f.reject, f.report, f.drain
	if o.TLS != nil {
		again := *o.TLS
		again.Reused = true
		v.again = &again
	}
	if h2 {
		http2.ServeConn(ctx, nc, http2.Options{
			Handler: o.Handler, Scheme: o.Scheme, TLS: o.TLS, Client: o.Client, Reject: o.Reject, Report: o.Report, Drain: o.Drain,
			MaxHead: o.MaxHead,
		})
		return true
	}
	v.single = true
	if !v.tunnel {
		o.Parker = v.conn
		if !f.served(v.connected) {
			o.Proxy, o.Connect = (*proxy)(v), (*connect)(v)
		}
	}
	return http1.ServeConn(ctx, nc, o)
}

// tunnelled is a connection in a tunnel; TLS in it may leave out the server name, which CONNECT has told.
type tunnelled struct {
	net.Conn
	name string
}

// served tells whether the stack has a canonical name.
func (f *Front) served(name string) bool {
	e := f.cur.Load().find(name)
	return e != nil && e.site != nil
}

// handshake speaks TLS; nil means that it failed.
func (f *Front) handshake(ctx context.Context, nc net.Conn, v *visit) (*tls.Conn, *clienthello.Hello) {
	if v.tunnel {
		nc = &tunnelled{nc, v.connected}
	}
	tc := tls.Server(nc, f.tls)
	var hello *clienthello.Hello
	hctx, cancel := context.WithTimeout(context.WithValue(ctx, helloKey{}, &hello), f.opts.HandshakeTimeout)
	defer cancel()
	if err := tc.HandshakeContext(hctx); err != nil {
		return nil, nil
	}
	return tc, hello
}

// What a connection begins with.
type sniffed uint8

const (
	sniffClear sniffed = iota
	sniffTLS
	sniffPreface
)

// sniff looks at the first bytes without taking them. The first byte of TLS is that of a handshake record (rfc8446 5.1),
// which no method of HTTP begins with. The connection that it returns is nc itself where the system allows to peek.
func sniff(nc net.Conn) (net.Conn, sniffed, error) {
	var b [len(http2.Preface)]byte
	n, err := peek(nc, b[:])
	if err == nil {
		if what, sure := judge(b[:n]); sure {
			return nc, what, nil
		}
		n = 0 // only the beginning of a preface is here: read on
	} else if !errors.Is(err, errors.ErrUnsupported) {
		return nil, 0, err
	}
	for {
		m, err := nc.Read(b[n:])
		n += m
		if what, sure := judge(b[:n]); sure && n > 0 {
			return &replayed{Conn: nc, first: append([]byte(nil), b[:n]...)}, what, nil
		}
		if err != nil {
			return nil, 0, err
		}
	}
}

// judge tells what b is the beginning of, and whether that is certain.
func judge(b []byte) (sniffed, bool) {
	switch {
	case len(b) == 0:
		return sniffClear, false
	case b[0] == 0x16:
		return sniffTLS, true
	case string(b) == http2.Preface[:len(b)]:
		return sniffPreface, len(b) == len(http2.Preface)
	}
	return sniffClear, true
}

// replayed is a connection some of whose bytes were read ahead.
type replayed struct {
	net.Conn
	first []byte
}

// Read gives the bytes that were read ahead, then those of the connection.
func (r *replayed) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		if r.first = r.first[n:]; len(r.first) == 0 {
			r.first = nil
		}
		return n, nil
	}
	return r.Conn.Read(p)
}

// CloseWrite ends our side of the connection, where it can be done.
func (r *replayed) CloseWrite() error {
	if c, ok := r.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return errors.ErrUnsupported
}

// NetConn returns the connection underneath.
func (r *replayed) NetConn() net.Conn { return r.Conn }
