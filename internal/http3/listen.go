package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/foregate/foregate/internal/message"
)

// ALPN is the protocol's name in the handshake (rfc9114 3.1).
const ALPN = "h3"

// maxStreams bounds the requests under way on a connection, maxUni the streams in one direction, of which a client needs
// three (rfc9114 6.2) and may open others to keep servers used to them (rfc9114 6.2.3).
const (
	maxStreams = 128
	maxUni     = 16
)

// maxUnproven is how many handshakes may be under way before clients must first show that they have their address (rfc9000
// 8.1.2): a Retry costs them a round trip.
const maxUnproven = 128

// Listener accepts QUIC connections on a UDP socket.
type Listener struct {
	transport *quic.Transport
	listener  *quic.Listener
	unproven  atomic.Int64
}

// ListenOptions make a Listener.
type ListenOptions struct {
	// TLS is what handshakes go by. Connections are only taken when ALPN is agreed on.
	TLS *tls.Config
	// HandshakeTimeout bounds a handshake; 0 means 10 seconds.
	HandshakeTimeout time.Duration
	// IdleTimeout ends a connection on which no packet comes; 0 means 60 seconds. Options.IdleTimeout is about requests.
	IdleTimeout time.Duration
	// Context makes the context of a connection, which its handshake has as well; nil leaves it as it is.
	Context func(context.Context) context.Context
}

// Listen starts to accept on pc. Close ends it; pc stays open.
func Listen(pc net.PacketConn, o ListenOptions) (*Listener, error) {
	if o.HandshakeTimeout == 0 {
		o.HandshakeTimeout = 10 * time.Second
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = time.Minute
	}
	l := &Listener{}
	l.transport = &quic.Transport{
		Conn: pc, VerifySourceAddress: func(net.Addr) bool { return l.unproven.Load() >= maxUnproven },
		ConnContext: func(ctx context.Context, _ *quic.ClientInfo) (context.Context, error) {
			p := &proof{l: l}
			l.unproven.Add(1)
			context.AfterFunc(ctx, p.end)
			if o.Context != nil {
				ctx = o.Context(ctx)
			}
			return context.WithValue(ctx, proofKey{}, p), nil
		},
	}
	var err error
	l.listener, err = l.transport.Listen(o.TLS, &quic.Config{
		HandshakeIdleTimeout: o.HandshakeTimeout / 2, // quic-go gives the whole handshake twice this
		MaxIdleTimeout:       o.IdleTimeout,
		MaxIncomingStreams:   maxStreams, MaxIncomingUniStreams: maxUni,
		// A stream counts until its handler has returned, whatever the client does to it (CVE-2023-44487).
		RequireStreamCreditRelease: true,
		Allow0RTT:                  false,
	})
	if err != nil {
		return nil, fmt.Errorf("listen for QUIC on %s: %w", pc.LocalAddr(), err)
	}
	return l, nil
}

// proof is a connection that counts in Listener.unproven until its handshake is over.
type (
	proof struct {
		l     *Listener
		ended atomic.Bool
	}
	proofKey struct{}
)

func (p *proof) end() {
	if !p.ended.Swap(true) {
		p.l.unproven.Add(-1)
	}
}

// Accept returns the next connection whose handshake is over. After Close it returns an error that is net.ErrClosed.
func (l *Listener) Accept(ctx context.Context) (*Conn, error) {
	q, err := l.listener.Accept(ctx)
	if errors.Is(err, quic.ErrServerClosed) || errors.Is(err, quic.ErrTransportClosed) {
		return nil, fmt.Errorf("accept a QUIC connection: %w", net.ErrClosed)
	}
	if err != nil {
		return nil, fmt.Errorf("accept a QUIC connection: %w", err)
	}
	if p, ok := q.Context().Value(proofKey{}).(*proof); ok {
		p.end()
	}
	state := q.ConnectionState().TLS
	return &Conn{q: q, agreed: state.NegotiatedProtocol == ALPN, tls: &message.TLS{
		ServerName: strings.ToLower(state.ServerName), Version: state.Version, Cipher: state.CipherSuite, Resumed: state.DidResume,
	}}, nil
}

// StopAccepting ends Accept; connections live on.
func (l *Listener) StopAccepting() { _ = l.listener.Close() }

// Close ends all connections.
func (l *Listener) Close() { _ = l.transport.Close() }

// TLS is what is known of the connection's encryption.
func (c *Conn) TLS() *message.TLS { return c.tls }

// Context is the connection's, with the values of ListenOptions.Context.
func (c *Conn) Context() context.Context { return c.q.Context() }

// Client is the address of the other end at this moment: it may migrate (rfc9000 9).
func (c *Conn) Client() netip.AddrPort {
	if a, ok := c.q.RemoteAddr().(*net.UDPAddr); ok {
		p := a.AddrPort()
		return netip.AddrPortFrom(p.Addr().Unmap(), p.Port())
	}
	return netip.AddrPort{}
}

// Refuse ends a connection for which there is no room.
func (c *Conn) Refuse() { _ = c.q.CloseWithError(excessiveLoad, "too many connections") }

// Close ends the connection at once, as a server does that wants no further requests.
func (c *Conn) Close() error { return c.q.CloseWithError(noError, "") }
