package http1

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// watch ends a connection's context when the client goes away while its handler is at work. A timer that fires only for slow
// requests looks at the socket without taking bytes from it, so that the fast ones cost no goroutine and no system call.
type watch struct {
	conn   net.Conn
	every  time.Duration
	cancel context.CancelFunc
	timer  *time.Timer
	busy   atomic.Bool
	armed  atomic.Bool
}

func (w *watch) begin() {
	if w.every <= 0 {
		return
	}
	w.busy.Store(true)
	if w.armed.Swap(true) {
		return
	}
	if w.timer == nil {
		w.timer = time.AfterFunc(time.Hour, w.look) // not sooner: look may only see the timer once it is set
	}
	w.timer.Reset(w.every)
}

func (w *watch) pause() { w.busy.Store(false) }

func (w *watch) end() {
	w.busy.Store(false)
	if w.timer != nil {
		w.timer.Stop()
	}
}

func (w *watch) look() {
	if !w.busy.Load() {
		w.armed.Store(false)
		if !w.busy.Load() || w.armed.Swap(true) {
			return
		}
	}
	if look(w.conn).ended {
		w.cancel()
		return
	}
	w.timer.Reset(w.every)
}

// glance is what a look at a socket shows.
type glance struct {
	ended    bool // the other side has closed, or the connection is broken
	readable bool // bytes are waiting
}
