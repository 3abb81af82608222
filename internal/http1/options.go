package http1

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Options is how a connection is served. The zero value of everything but Handler is fit for use.
type Options struct {
	// Handler answers requests.
	Handler message.Handler
	// Proxy answers requests in absolute form (rfc9112 3.2.2), whose Scheme and Host are then those of the target. nil
	// gives them to Handler, and refuses a target whose scheme is not that of the connection.
	Proxy message.Handler
	// Connect answers CONNECT: Host is the target's host:port, Path is empty. It calls Request.Upgrade, whose result is a
	// net.Conn, and answers with a 2xx; see Upgrade in this package's upgrade.go. nil refuses CONNECT with 400.
	Connect message.Handler
	// Scheme, TLS and Client describe the connection. Left out, they are taken from it: TLS from a *tls.Conn after its
	// handshake, Client from the remote address, Scheme from TLS.
	Scheme string
	TLS    *message.TLS
	Client netip.AddrPort
	// Reject makes the answer to what never reaches a handler. nil, or a nil answer, gives a short text. The connection is
	// closed after it whatever it says.
	Reject func(ctx context.Context, r *Rejection) *message.Response
	// Report hears of faults on our own side: a handler that panicked or whose answer may not be sent. It may be nil.
	Report func(error)
	// Drain, when done, ends idle connections at once and others after the answer that they are at.
	Drain context.Context

	// MaxHead bounds request line and fields, in bytes; default 32,768 (facts: cloudfront-dataplane 4).
	MaxHead int
	// MaxFields bounds the number of fields; default 256.
	MaxFields int
	// MaxDrain is how much of a body that the handler left unread is read so as to keep the connection; default 256 KiB.
	MaxDrain int64

	// HeadTimeout is for a whole head from its first byte, IdleTimeout for the wait before that byte, BodyTimeout and
	// WriteTimeout for one step of a body, TunnelIdle for silence, after an upgrade, of the side that the client is connected to.
	// Each may take a quarter longer. Defaults: 30 s, 60 s, 30 s, 60 s, 10 min (DG-cloudfront-limits, WebSocket connections). Negative: none.
	HeadTimeout, IdleTimeout, BodyTimeout, WriteTimeout, TunnelIdle time.Duration
	// Linger is how long an idle connection keeps what it has in memory, default 1 s. Then Parker takes over the wait for the
	// next request; nil leaves that to the connection's goroutine.
	Linger time.Duration
	Parker Parker
	// Watch is how often a connection whose handler is at work is looked at, so that the context ends when the client has
	// gone. Default 1 s; negative: never.
	Watch time.Duration
}

// Rejection is a request that was refused before any handler saw it.
type Rejection struct {
	Err *Error
	// Status is the status that the HTTP specification has for it: 400, 408, 417, 431, 500 or 505.
	Status int
	// Host is the request's Host as far as it could be read, for choosing whose error page it gets. It is not checked.
	Host   string
	Client netip.AddrPort
	TLS    *message.TLS
}

func (o *Options) setDefaults(conn net.Conn) {
	orElse(&o.MaxHead, 32<<10)
	orElse(&o.MaxFields, 256)
	orElse(&o.MaxDrain, 256<<10)
	orElse(&o.HeadTimeout, 30*time.Second)
	orElse(&o.IdleTimeout, time.Minute)
	orElse(&o.BodyTimeout, 30*time.Second)
	orElse(&o.WriteTimeout, time.Minute)
	orElse(&o.TunnelIdle, 10*time.Minute)
	orElse(&o.Watch, time.Second)
	orElse(&o.Linger, time.Second)
	if o.TLS == nil {
		o.TLS = TLSInfo(conn)
	}
	if o.Scheme == "" {
		o.Scheme = "http"
		if o.TLS != nil {
			o.Scheme = "https"
		}
	}
	if !o.Client.IsValid() {
		o.Client = ClientAddr(conn)
	}
}

func orElse[T int | int64 | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// TLSInfo is what messages carry of a connection's TLS state; nil for a connection in clear.
func TLSInfo(conn net.Conn) *message.TLS {
	t, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil
	}
	s := t.ConnectionState()
	info := &message.TLS{ServerName: strings.ToLower(s.ServerName), Version: s.Version, Cipher: s.CipherSuite, Resumed: s.DidResume}
	if len(s.PeerCertificates) > 0 { // nobody is asked for one that is not verified
		info.Certificate = s.PeerCertificates[0]
	}
	return info
}

// ClientAddr is the address of the other end, invalid when the connection has none of that kind.
func ClientAddr(conn net.Conn) netip.AddrPort {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// Status is the status with which a server refuses such a request.
func (e *Error) Status() int {
	switch e.Kind {
	case HeadTooBig:
		return http.StatusRequestHeaderFieldsTooLarge
	case Version:
		return http.StatusHTTPVersionNotSupported
	case Expectation:
		return http.StatusExpectationFailed
	case Timeout:
		return http.StatusRequestTimeout
	case BadMessage:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}
