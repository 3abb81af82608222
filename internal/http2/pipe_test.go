package http2

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// half is one direction of a connection in memory. It holds a bounded number of bytes, as a socket does.
type half struct {
	mu       sync.Mutex
	change   sync.Cond
	data     []byte
	ended    bool // no more will be written
	broken   bool // nobody reads any more
	readBy   deadline
	writeBy  deadline
	capacity int
}

// deadline is when a direction's reads or writes fail.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) over() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (h *half) set(d *deadline, t time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at = t
	if !t.IsZero() {
		d.timer = time.AfterFunc(time.Until(t), h.change.Broadcast)
	}
	h.change.Broadcast()
}

func (h *half) read(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for {
		switch {
		case h.broken:
			return 0, net.ErrClosed
		case h.readBy.over():
			return 0, os.ErrDeadlineExceeded
		case len(h.data) > 0:
			n := copy(p, h.data)
			h.data = h.data[n:]
			h.change.Broadcast()
			return n, nil
		case h.ended:
			return 0, io.EOF
		}
		h.change.Wait()
	}
}

func (h *half) write(p []byte) (n int, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(p) > 0 {
		switch room := h.capacity - len(h.data); {
		case h.broken || h.ended:
			return n, io.ErrClosedPipe
		case h.writeBy.over():
			return n, os.ErrDeadlineExceeded
		case room > 0:
			m := min(room, len(p))
			h.data = append(h.data, p[:m]...)
			p = p[m:]
			n += m
			h.change.Broadcast()
			continue
		}
		h.change.Wait()
	}
	return n, nil
}

func (h *half) end(broken bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	h.broken = h.broken || broken
	for _, d := range []*deadline{&h.readBy, &h.writeBy} {
		if d.timer != nil && broken {
			d.timer.Stop()
		}
	}
	h.change.Broadcast()
}

// pipe is one end of a connection in memory, for which time may be that of a synctest bubble.
type pipe struct{ in, out *half }

// newPipe makes a connection that holds capacity bytes in each direction.
func newPipe(capacity int) (a, b *pipe) {
	x, y := &half{capacity: capacity}, &half{capacity: capacity}
	x.change.L, y.change.L = &x.mu, &y.mu
	return &pipe{x, y}, &pipe{y, x}
}

func (p *pipe) Read(b []byte) (int, error)         { return p.in.read(b) }
func (p *pipe) Write(b []byte) (int, error)        { return p.out.write(b) }
func (p *pipe) CloseWrite() error                  { p.out.end(false); return nil }
func (p *pipe) Close() error                       { p.out.end(false); p.in.end(true); return nil }
func (p *pipe) SetReadDeadline(t time.Time) error  { p.in.set(&p.in.readBy, t); return nil }
func (p *pipe) SetWriteDeadline(t time.Time) error { p.out.set(&p.out.writeBy, t); return nil }
func (p *pipe) SetDeadline(t time.Time) error {
	_ = p.SetReadDeadline(t)
	return p.SetWriteDeadline(t)
}
func (p *pipe) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (p *pipe) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}
}
