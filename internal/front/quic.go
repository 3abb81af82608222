package front

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/clienthello"
	"github.com/foregate/foregate/internal/http3"
)

// ServePackets serves HTTP/3 on a UDP socket, as Serve serves connections; it starts when a Snapshot first has a site with
// HTTP/3. pc is closed at the end.
func (f *Front) ServePackets(ctx context.Context, pc net.PacketConn) error {
	defer pc.Close()
	select {
	case <-f.wanted:
	case <-ctx.Done():
		return nil
	case <-f.drain.Done():
		return nil
	}
	l, err := http3.Listen(pc, http3.ListenOptions{
		TLS: f.quicConfig(), HandshakeTimeout: f.opts.HandshakeTimeout,
		Context: func(ctx context.Context) context.Context {
			return context.WithValue(ctx, helloKey{}, new(*clienthello.Hello))
		},
	})
	if err != nil {
		return fmt.Errorf("serve HTTP/3: %w", err)
	}
	defer l.Close()
	forced, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	for _, done := range []context.Context{ctx, f.drain} {
		stop := context.AfterFunc(done, l.StopAccepting)
		defer stop()
	}
	err = f.acceptQUIC(forced, l)
	if ctx.Err() != nil || f.drain.Err() != nil {
		err = nil
	}
	f.wind(cut)
	return err
}

// maxQUIC bounds the connections over QUIC: they take no descriptor, but some 60 KiB each, idle or not. A client that is
// refused has HTTP/2.
const maxQUIC = 8192

// acceptQUIC starts a goroutine for each connection.
func (f *Front) acceptQUIC(ctx context.Context, l *http3.Listener) error {
	var open atomic.Int64
	for {
		q, err := l.Accept(ctx)
		if err != nil {
			return err
		}
		if open.Add(1) > maxQUIC {
			open.Add(-1)
			q.Refuse()
			continue
		}
		c := &conn{f: f, quic: q}
		v := &visit{shard: f.shard(), conn: c, coalesces: true}
		q.TLS().ServerName, _ = stripLocalhost(Canonical(q.TLS().ServerName))
		if hello, ok := q.Context().Value(helloKey{}).(**clienthello.Hello); ok {
			q.TLS().Hello = *hello
		}
		v.connected = q.TLS().ServerName
		again := *q.TLS()
		again.Reused = true
		v.again = &again
		f.track(c)
		f.wg.Go(func() {
			defer open.Add(-1)
			defer f.untrack(c)
			q.Serve(ctx, http3.Options{
				Handler: v, Reject: f.reject, Report: f.report, Drain: f.drain, MaxHead: maxHead,
			})
		})
	}
}

// wind ends the Front: connections that wait are closed at once, others after the answer that they are at, and all after
// Options.Grace.
func (f *Front) wind(cut context.CancelFunc) {
	f.stopping.Store(true)
	f.stop()
	f.lot.close()
	done := make(chan struct{})
	go func() {
		f.wg.Wait()
		close(done)
	}()
	grace := time.NewTimer(f.opts.Grace)
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		cut()
		f.closeAll()
		<-done
	}
}

// quicConfig is the base of handshakes over QUIC. HTTP/3 needs a server name that has it (DG-downloaddistvaluesgeneral,
// "Supported HTTP versions"): to others nothing is offered, so that the handshake ends with no_application_protocol.
func (f *Front) quicConfig() *tls.Config {
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{http3.ALPN}, GetCertificate: f.certificate}
	cfg.GetConfigForClient = func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		if hello, ok := chi.Context().Value(helloKey{}).(**clienthello.Hello); ok {
			*hello = clienthello.Of(chi, true)
		}
		full := Canonical(chi.ServerName)
		e, _ := f.lookup(full)
		switch {
		case e == nil && full != "" && !f.isOwn(full):
			return f.refuse, nil
		case e == nil || !e.face.HTTP3:
			return &tls.Config{NextProtos: []string{"http/1.1"}, GetCertificate: f.certificate}, nil
		case e.face.TLS == nil:
			return nil, nil
		}
		own := cfg.Clone()
		own.GetConfigForClient = nil
		own.CurvePreferences = e.face.TLS.Curves
		return own, nil
	}
	return cfg
}
