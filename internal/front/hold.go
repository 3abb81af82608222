package front

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/foregate/foregate/internal/message"
)

// hold keeps a Snapshot from being released while a request that it answers is in flight. The request lasts until its
// answer's body is closed or, after an upgrade, until the connection that was handed over is closed.
type hold struct {
	snap  *Snapshot
	shard uint32
	conn  *conn // where the request came in, nil without a socket
}

// end lets go.
func (h *hold) end() {
	h.snap.leave(h.shard)
	if h.conn != nil {
		h.conn.end()
	}
}

// again takes another hold while this one is in force.
func (h *hold) again() {
	h.snap.shards[h.shard].n.Add(1)
	if h.conn != nil {
		h.conn.begin()
	}
}

// buffered is implemented by bodies that know how much of them can be read without waiting (http1.Buffered).
type buffered interface{ Buffered() int }

// attach ends the hold with the body of resp, or now when the body is wholly in memory and needs nothing of the Snapshot.
// v, which may be nil, may have a wrapper whose last answer is over.
func (h *hold) attach(resp *message.Response, v *visit) *message.Response {
	if resp == nil || resp.Body == nil {
		h.end()
		return resp
	}
	if _, ok := resp.Body.(*message.Bytes); ok { // that of an answer to HEAD has not what Content-Length says
		h.end()
		return resp
	}
	ready := -1
	b, ok := resp.Body.(buffered)
	if ok {
		ready = b.Buffered()
	} else if resp.ContentLength < 0 {
		ready = 0
	}
	if ok && resp.ContentLength >= 0 && int64(ready) >= resp.ContentLength {
		h.end()
		return resp
	}
	if rw, ok := resp.Body.(io.ReadWriteCloser); ok && resp.Status == http.StatusSwitchingProtocols {
		resp.Body = &heldConn{ReadWriteCloser: rw, hold: *h}
		return resp
	}
	var reuse *heldBody
	if v != nil && v.single {
		if v.reuse == nil {
			v.reuse = &heldBody{}
		}
		reuse = v.reuse
	} else {
		reuse = &heldBody{}
	}
	reuse.ReadCloser, reuse.known, reuse.none, reuse.hold = resp.Body, b, ready, *h
	reuse.over.Store(false)
	resp.Body = reuse
	if w, ok := resp.Body.(*heldBody).ReadCloser.(io.WriterTo); ok {
		reuse.to.heldBody, reuse.to.WriterTo = reuse, w
		resp.Body = &reuse.to
	}
	return resp
}

// heldBody is a body that ends a hold.
type heldBody struct {
	io.ReadCloser
	known buffered // the body itself, when it can tell
	none  int      // what Buffered says otherwise: nothing known
	hold  hold
	over  atomic.Bool
	to    heldWriterTo
}

// Buffered passes on what the body knows. Without that it gives what makes no difference to a writer: -1 for a body whose
// length is known, 0 for one that may be slow.
func (b *heldBody) Buffered() int {
	if b.known != nil {
		return b.known.Buffered()
	}
	return b.none
}

// Close closes the body and ends the hold.
func (b *heldBody) Close() error {
	if b.over.Swap(true) {
		return nil
	}
	err := b.ReadCloser.Close()
	b.ReadCloser, b.known, b.to.WriterTo = closedBody{}, nil, nil
	h := b.hold
	b.hold = hold{}
	h.end()
	return err
}

// closedBody is what is left of a body after Close.
type closedBody struct{}

func (closedBody) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (closedBody) Close() error             { return nil }

// heldWriterTo keeps the short cut of bodies that write themselves.
type heldWriterTo struct {
	*heldBody
	io.WriterTo
}

// watchUpgrade makes a hold last as long as a connection that the handler takes over. Handlers take it before they
// answer, while the request's own hold is in force.
func (h *hold) watchUpgrade(r *message.Request) {
	if r.Upgrade == nil {
		return
	}
	take, own := r.Upgrade, *h
	r.Upgrade = func() (io.ReadWriteCloser, error) {
		c, err := take()
		if err != nil {
			return nil, err
		}
		own.again()
		if nc, ok := c.(net.Conn); ok {
			return &heldNetConn{Conn: nc, hold: own}, nil
		}
		return &heldConn{ReadWriteCloser: c, hold: own}, nil
	}
}

// heldConn is a connection that was handed over.
type heldConn struct {
	io.ReadWriteCloser
	hold hold
	once sync.Once
}

// CloseWrite ends our direction alone, where the connection can do that, and else both.
func (c *heldConn) CloseWrite() error { return closeWrite(c.ReadWriteCloser, c) }

func closeWrite(inner, outer io.Closer) error {
	if h, ok := inner.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return outer.Close()
}

// Close closes the connection and ends its hold.
func (c *heldConn) Close() error {
	err := c.ReadWriteCloser.Close()
	c.once.Do(c.hold.end)
	return err
}

// heldNetConn is heldConn where the connection has deadlines and addresses.
type heldNetConn struct {
	net.Conn
	hold hold
	once sync.Once
}

// CloseWrite ends our direction alone, where the connection can do that, and else both.
func (c *heldNetConn) CloseWrite() error { return closeWrite(c.Conn, c) }

// Close closes the connection and ends its hold.
func (c *heldNetConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.hold.end)
	return err
}
