package front

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// proxy answers requests in absolute form: a client that uses the port as its forward proxy, in clear.
type proxy visit

// Serve answers for hosts of the stack and refuses others, or passes them on when the operator allows it.
func (p *proxy) Serve(ctx context.Context, r *message.Request) *message.Response {
	// These are for a proxy, and end at it (rfc9110 11.7).
	r.Header.Del("Proxy-Connection")
	r.Header.Del("Proxy-Authorization")
	host, port := SplitPort(r.Host)
	if port == "" {
		port = defaultPort(r.Scheme)
	}
	if p.conn.f.ours(Canonical(host), port, p.conn.port) {
		return p.conn.f.serve(ctx, (*visit)(p), r)
	}
	if p.conn.f.opts.ProxyPassthrough {
		return p.conn.f.opts.Outside.Serve(ctx, r)
	}
	return refuse(r.Host)
}

// connect answers CONNECT (rfc9110 9.3.6).
type connect visit

// Serve opens a tunnel: to the stack, where whatever comes is served as if it had come to the host's own address, or to
// the outside when the operator allows it.
func (c *connect) Serve(ctx context.Context, r *message.Request) *message.Response {
	host, port := SplitPort(r.Host)
	name := Canonical(host)
	switch {
	case c.conn.f.ours(name, port, c.conn.port):
	case c.conn.f.opts.ProxyPassthrough:
		return c.outside(ctx, net.JoinHostPort(host, port))
	default:
		return refuse(r.Host)
	}
	rw, err := r.Upgrade()
	if err != nil {
		return message.Text(http.StatusBadGateway, "text/plain; charset=utf-8", fmt.Sprintf("open a tunnel to %q: %v\n", r.Host, err))
	}
	v := &visit{shard: c.conn.f.shard(), conn: c.conn, tunnel: true}
	v.connected, _ = stripLocalhost(name)
	go c.conn.f.speak(ctx, netConn(rw, c.conn.nc), v)
	return &message.Response{Status: http.StatusOK}
}

// outside opens a tunnel through which bytes pass as they are.
func (c *connect) outside(ctx context.Context, address string) *message.Response {
	up, err := c.conn.f.opts.Dial(ctx, "tcp", address)
	if err != nil {
		return message.Text(http.StatusBadGateway, "text/plain; charset=utf-8", fmt.Sprintf("connect to %q: %v\n", address, err))
	}
	c.conn.begin() // bytes in a tunnel are nobody's request: the connection never counts as idle again
	return &message.Response{Status: http.StatusOK, Body: up, ContentLength: -1}
}

// ours tells whether an address is one of the stack. Loopback names, addresses and short names are the AWS API only at
// the port where it listens: at another port they are some other server.
func (f *Front) ours(name, port, own string) bool {
	bare, local := stripLocalhost(name)
	if f.served(bare) || f.served(name) {
		return true
	}
	if e := f.cur.Load().find(bare); e != nil || f.opts.API == nil || !f.isAPI(bare) {
		return false
	}
	return port == own || !local && isAPIEndpoint(bare) && (port == "443" || port == "80")
}

// refuse says why a host cannot be reached through the proxy.
func refuse(host string) *message.Response {
	return message.Text(http.StatusForbidden, "text/plain; charset=utf-8",
		fmt.Sprintf("Foregate's proxy reaches the hosts of the stack only, and %q is none of them.\n"+
			"Start with --proxy-passthrough to reach other hosts through it too.\n", host),
		message.Field{Name: "Foregate-Error", Value: "proxy-refused"})
}

// netConn makes a connection of what an upgrade handed over. over is the connection that carries it.
func netConn(rw io.ReadWriteCloser, over net.Conn) net.Conn {
	if nc, ok := rw.(net.Conn); ok {
		return nc
	}
	return &carried{rw, over}
}

// carried is a stream within a connection. It has no deadlines of its own: the connection's engine ends it.
type carried struct {
	io.ReadWriteCloser
	over net.Conn
}

// LocalAddr is that of the connection.
func (c *carried) LocalAddr() net.Addr { return c.over.LocalAddr() }

// RemoteAddr is that of the connection.
func (c *carried) RemoteAddr() net.Addr { return c.over.RemoteAddr() }

// SetDeadline does nothing.
func (c *carried) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (c *carried) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (c *carried) SetWriteDeadline(time.Time) error { return nil }
