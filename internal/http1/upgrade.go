package http1

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// Upgrades. There are two ways to take a connection over after a WebSocket handshake or a CONNECT:
//
//   - Call Request.Upgrade within Serve and answer with 101 (or 2xx to a CONNECT). The result is a net.Conn whose reads and
//     writes wait until the answer's head is out, so it is used from another goroutine. Close ends the connection. Any other
//     status makes it fail, and the answer is sent as usual.
//   - Answer with 101 (or 2xx) and a Body that is an io.ReadWriteCloser, as ClientConn returns it: the engine then passes
//     bytes both ways until one side ends.

var errRefused = errors.New("the upgrade was refused")

// tunnel is a connection that is handed over.
type tunnel struct {
	net.Conn
	c       *serverConn
	claimed atomic.Bool
	open    chan struct{} // closed when the head is out, or when it is clear that none will be
	over    chan struct{} // closed by Close
	err     error         // set before open is closed
	once    sync.Once
}

func newTunnel(c *serverConn) *tunnel {
	return &tunnel{Conn: c.conn, c: c, open: make(chan struct{}), over: make(chan struct{})}
}

func (t *tunnel) claim() (io.ReadWriteCloser, error) {
	if t.claimed.Swap(true) {
		return nil, errors.New("upgrade: the connection was handed over before")
	}
	return t, nil
}

// Read first gives what the client sent behind its request.
func (t *tunnel) Read(p []byte) (int, error) {
	if <-t.open; t.err != nil {
		return 0, t.err
	}
	if w := &t.c.wire; w.buffered() > 0 {
		n := copy(p, w.buf[w.r:w.w])
		w.r += n
		return n, nil
	}
	return t.Conn.Read(p)
}

// Write waits for the head.
func (t *tunnel) Write(p []byte) (int, error) {
	if <-t.open; t.err != nil {
		return 0, t.err
	}
	return t.Conn.Write(p)
}

// Close ends the connection, or gives up an upgrade that never came.
func (t *tunnel) Close() error {
	var err error
	t.once.Do(func() {
		close(t.over)
		select {
		case <-t.open:
			if t.err == nil {
				err = t.Conn.Close()
			}
		default:
		}
	})
	return err
}

func (t *tunnel) settle(err error) {
	t.err = err
	close(t.open)
}

// answerUpgrade answers a request that may take the connection over.
func (c *serverConn) answerUpgrade(ctx context.Context, resp *message.Response, t *tunnel) bool {
	accepted := resp != nil && (resp.Status == http.StatusSwitchingProtocols && c.p.method != "CONNECT" ||
		resp.Status/100 == 2 && c.p.method == "CONNECT")
	var peer io.ReadWriteCloser
	if accepted && !t.claimed.Load() {
		peer, _ = resp.Body.(io.ReadWriteCloser)
	}
	if !accepted || !t.claimed.Load() && peer == nil {
		t.settle(errRefused)
		if accepted {
			resp = badAnswer(c, resp, errors.New("nobody took the connection over"))
		}
		return c.answer(ctx, resp, nil)
	}
	f := responseFrame{length: -1, date: &c.date}
	if c.p.method != "CONNECT" {
		f.connection, f.upgrade = "Upgrade", c.p.upgradeTo
	}
	out, err := appendResponse(nil, resp, &f)
	if err != nil {
		t.settle(errRefused)
		return c.answer(ctx, badAnswer(c, resp, err), nil)
	}
	c.armWrite(c.o.WriteTimeout)
	if _, err = c.conn.Write(out); err != nil {
		t.settle(err)
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
		return false
	}
	c.watch.pause() // in a tunnel, a client that has ended its own direction is not gone
	_ = c.conn.SetDeadline(time.Time{})
	c.readBy, c.writeBy = 0, 0
	if peer != nil {
		c.room.Sent = int64(len(out))
		t.settle(nil)
		c.splice(ctx, peer, t)
		return false
	}
	if resp.Body != nil {
		_ = resp.Body.Close()
	}
	t.settle(nil)
	select {
	case <-t.over:
	case <-ctx.Done():
	}
	c.taken = true
	_ = c.conn.Close()
	return false
}

// splice passes bytes between the client and peer until both have ended, one of them breaks, or peer is silent for too long: what
// the client sends does not count (Options.TunnelIdle). Nothing is read from one side before the other has taken what came.
func (c *serverConn) splice(ctx context.Context, peer io.ReadWriteCloser, t *tunnel) {
	stop := context.AfterFunc(ctx, func() { _ = peer.Close() })
	defer stop()
	var last atomic.Int64
	last.Store(time.Now().UnixNano())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if pass(c.conn, peer, &last) {
			halfClose(c.conn)
			return
		}
		_ = peer.Close()
		_ = c.conn.Close()
	}()
	if c.o.TunnelIdle > 0 {
		timer := time.AfterFunc(c.o.TunnelIdle, func() {})
		timer.Stop()
		tick := func() {
			quiet := time.Since(time.Unix(0, last.Load()))
			if quiet >= c.o.TunnelIdle {
				_ = c.conn.Close()
				_ = peer.Close()
				return
			}
			timer.Reset(c.o.TunnelIdle - quiet)
		}
		timer = time.AfterFunc(c.o.TunnelIdle, tick)
		defer timer.Stop()
	}
	var sent atomic.Int64
	if pass(peer, t, &sent) {
		halfClose(peer)
	} else {
		_ = c.conn.Close()
		_ = peer.Close()
	}
	<-done
	_ = peer.Close()
	_ = c.conn.Close()
	c.taken = true
}

// halfClose ends one direction where the connection can do that, and else both.
func halfClose(c io.Closer) {
	if h, ok := c.(interface{ CloseWrite() error }); ok {
		_ = h.CloseWrite()
		return
	}
	_ = c.Close()
}

// pass copies until src ends, and notes when something came. It returns false when the end was not an orderly one.
func pass(dst io.Writer, src io.Reader, last *atomic.Int64) bool {
	b := getBuffer(largeSize)
	defer putBuffer(b)
	for {
		n, err := src.Read(b)
		if n > 0 {
			last.Store(time.Now().UnixNano())
			if _, werr := dst.Write(b[:n]); werr != nil {
				return false
			}
		}
		if err != nil {
			return err == io.EOF
		}
	}
}
