package front

import (
	"io"
	"sync"

	"github.com/foregate/foregate/internal/message"
)

// hold keeps a Snapshot from being released while a request that it answers is in flight. The request lasts until its
// answer's body is closed or, after an upgrade, until the connection that was handed over is closed.
type hold struct {
	snap  *Snapshot
	shard uint32
	up    *upgraded
}

// attach ends the hold with the body of resp.
func (h *hold) attach(resp *message.Response) *message.Response {
	if h.up != nil && h.up.answered(resp.Status) {
		return resp // the connection that is handed over ends it
	}
	if resp.Body == nil {
		h.snap.leave(h.shard)
		return resp
	}
	b := &heldBody{ReadCloser: resp.Body, snap: h.snap, shard: h.shard}
	if w, ok := resp.Body.(io.WriterTo); ok {
		resp.Body = heldWriterTo{b, w}
	} else {
		resp.Body = b
	}
	return resp
}

// heldBody is a body that ends a hold.
type heldBody struct {
	io.ReadCloser
	snap  *Snapshot
	shard uint32
	once  sync.Once
}

// Close closes the body and ends the hold.
func (b *heldBody) Close() error {
	err := b.ReadCloser.Close()
	b.once.Do(func() { b.snap.leave(b.shard) })
	return err
}

// heldWriterTo keeps the short cut of bodies that write themselves.
type heldWriterTo struct {
	*heldBody
	io.WriterTo
}

// watchUpgrade makes the hold last as long as a connection that the handler takes over.
func (h *hold) watchUpgrade(r *message.Request) {
	if r.Upgrade == nil {
		return
	}
	u := &upgraded{snap: h.snap, shard: h.shard, take: r.Upgrade}
	h.up = u
	r.Upgrade = u.upgrade
}

// upgraded holds a Snapshot for a connection that a handler takes over, before its answer or after it.
type upgraded struct {
	snap  *Snapshot
	shard uint32
	take  func() (io.ReadWriteCloser, error)

	mu      sync.Mutex
	taken   bool
	waiting bool // the answer was a 101 and nobody has taken the connection yet: the request's hold waits for it
}

func (u *upgraded) upgrade() (io.ReadWriteCloser, error) {
	c, err := u.take()
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case err != nil && u.waiting:
		u.waiting = false
		u.snap.leave(u.shard)
		fallthrough
	case err != nil:
		return nil, err
	case u.waiting:
		u.waiting = false
	default:
		u.snap.shards[u.shard].n.Add(1)
	}
	u.taken = true
	return &heldConn{ReadWriteCloser: c, up: u}, nil
}

// answered tells whether the request's hold must wait for the connection to be taken.
func (u *upgraded) answered(status int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting = status == 101 && !u.taken
	return u.waiting
}

// heldConn is a connection that was handed over.
type heldConn struct {
	io.ReadWriteCloser
	up   *upgraded
	once sync.Once
}

// Close closes the connection and ends its hold.
func (c *heldConn) Close() error {
	err := c.ReadWriteCloser.Close()
	c.once.Do(func() { c.up.snap.leave(c.up.shard) })
	return err
}
