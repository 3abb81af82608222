package http1

import (
	"sync"

	"github.com/foregate/foregate/internal/message"
)

// switched hands the connection over after a 101.
func (c *ClientConn) switched() (*message.Response, error) {
	c.end = 0 // what has switched is no answer that could be complete
	c.armRead(0)
	c.armWrite(0)
	return &message.Response{
		Status: c.p.status, Reason: c.p.reason, Header: c.p.fields, ContentLength: -1, Body: &clientTunnel{c: c},
	}, nil
}

// clientTunnel is the connection behind a 101.
type clientTunnel struct {
	c    *ClientConn
	once sync.Once
	mu   sync.Mutex // over what was read together with the head
}

func (t *clientTunnel) Read(p []byte) (int, error) {
	if n := t.first(p); n > 0 {
		return n, nil
	}
	return t.c.conn.Read(p)
}

// first gives what was read together with the head.
func (t *clientTunnel) first(p []byte) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &t.c.wire
	n := copy(p, w.buf[w.r:w.w])
	if w.r += n; w.buffered() == 0 {
		w.release()
	}
	return n
}

func (t *clientTunnel) Write(p []byte) (int, error) { return t.c.conn.Write(p) }

// CloseWrite ends our direction only.
func (t *clientTunnel) CloseWrite() error {
	if h, ok := t.c.conn.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return t.Close()
}

func (t *clientTunnel) Close() (err error) {
	t.once.Do(func() {
		err = t.c.conn.Close()
		t.mu.Lock()
		t.c.release()
		t.mu.Unlock()
		if t.c.o.Done != nil {
			t.c.o.Done(t.c, false)
		}
	})
	return err
}
