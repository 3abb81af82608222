package http1

import (
	"sync/atomic"
	"time"
)

// watch ends a connection's context when the client goes away while its handler is at work. A timer that fires only for slow
// requests looks at the socket without taking bytes from it, so that the fast ones cost no goroutine and no system call.
type watch struct {
	c     *serverConn
	timer *time.Timer
	busy  atomic.Bool
	armed atomic.Bool
}

func (w *watch) init(c *serverConn) {
	w.c = c
	w.timer = time.AfterFunc(time.Hour, w.look)
	w.timer.Stop()
}

func (w *watch) begin() {
	if w.c.o.Watch <= 0 {
		return
	}
	w.busy.Store(true)
	if !w.armed.Swap(true) {
		w.timer.Reset(w.c.o.Watch)
	}
}

func (w *watch) pause() { w.busy.Store(false) }

func (w *watch) end() {
	w.busy.Store(false)
	w.timer.Stop()
}

func (w *watch) look() {
	if !w.busy.Load() {
		w.armed.Store(false)
		if !w.busy.Load() || w.armed.Swap(true) {
			return
		}
	}
	if look(w.c.conn).ended {
		w.c.cancel()
		return
	}
	w.timer.Reset(w.c.o.Watch)
}

// glance is what a look at a socket shows.
type glance struct {
	ended    bool // the other side has closed, or the connection is broken
	readable bool // bytes are waiting
}
