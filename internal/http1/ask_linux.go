package http1

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

// asker sends a request and takes the beginning of its answer in one call of RawConn.Read: the callback writes, and returns
// false so that the poller waits. An ordinary Read would first ask the kernel for an answer that cannot be there yet, which
// costs one failed system call a request. While it waits it holds no buffer: what is out is given back, and what is to come
// gets one when it is there, which then is the one that the processor has at hand.
//
// The poller forgets what happened on a socket when such a call begins. The end of a connection that came just before it is
// then not seen until something else happens: see ClientConn.Nudge.
type asker struct {
	raw  syscall.RawConn // nil: the connection is no socket in clear
	step func(fd uintptr) bool
	peek func(fd uintptr)

	out   []byte // pooled
	sent  int    // of out
	into  []byte // pooled; what was read
	asked bool
	err   error // of the write or the read
	idle  bool  // what peek saw
	one   [1]byte
}

func (a *asker) init(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	a.raw, a.step, a.peek = raw, a.onReady, a.onPeek
}

func (a *asker) able() bool { return a.raw != nil }

// ask writes out, a pooled buffer, and reads once. out comes back, with how much of it was sent, when the socket did not take all
// of it: nothing was read then. Otherwise err belongs to the read, of which into is what came, also in a pooled buffer.
func (a *asker) ask(out []byte) (into, left []byte, sent int, err error) {
	a.out, a.sent, a.into, a.asked, a.err = out, 0, nil, false, nil
	err = a.raw.Read(a.step)
	if err == nil {
		err = a.err
	}
	into, left = a.into, a.out
	a.out, a.into = nil, nil
	return into, left, a.sent, err
}

// onReady is called once at the beginning and then whenever the socket may have become readable.
func (a *asker) onReady(fd uintptr) bool {
	if !a.asked {
		a.asked = true
		n, err := writeNow(fd, a.out)
		a.sent = n
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			return true
		case err != nil:
			a.err = os.NewSyscallError("write", err)
			return true
		}
		if n < len(a.out) {
			return true
		}
		putBuffer(a.out)
		a.out = nil
		return false
	}
	b := getBuffer(smallSize)
	for {
		n, err := readNow(fd, b)
		switch {
		case err == syscall.EINTR:
			continue
		case n > 0:
			a.into = b[:n]
			return true
		}
		putBuffer(b)
		switch {
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			a.err = os.NewSyscallError("read", err)
		default:
			a.err = io.EOF
		}
		return true
	}
}

// quiet tells whether an idle connection is open and nothing has come on it.
func (a *asker) quiet() bool {
	a.idle = false
	return a.raw.Control(a.peek) == nil && a.idle
}

func (a *asker) onPeek(fd uintptr) {
	_, _, err := syscall.Recvfrom(int(fd), a.one[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	a.idle = err == syscall.EAGAIN
}

// Nudge looks at a connection whose answer is awaited. When its end, or bytes, came at a moment at which the poller did not
// listen, the waiting RoundTrip is told. It may be called from any goroutine, and costs a system call.
func (c *ClientConn) Nudge() {
	if c.waiting.Load() != waits {
		return
	}
	if g := look(c.conn); !g.ended && !g.readable {
		return
	}
	c.nudging.Lock()
	defer c.nudging.Unlock()
	if c.waiting.CompareAndSwap(waits, isNudged) {
		_ = c.conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// askOnce sends out, a pooled buffer, and fills the empty buffer with the beginning of the answer. A failure to read is kept for
// who reads next.
func (c *ClientConn) askOnce(out []byte) error {
	c.armRead(c.o.ReadTimeout)
	c.release()
	c.waiting.Store(waits)
	into, left, sent, err := c.socket.ask(out)
	if c.waiting.Swap(waitsNot) == isNudged {
		c.nudging.Lock() // waits until Nudge has set its deadline
		c.readBy = 0
		c.nudging.Unlock()
		c.armRead(c.o.ReadTimeout)
		if errors.Is(err, os.ErrDeadlineExceeded) { // it is Nudge's
			if left == nil {
				return c.readLate()
			}
			err = nil // it came before anything was written
		}
	}
	if left == nil {
		c.early = err
		if into != nil {
			c.buf, c.r, c.w = into[:cap(into)], 0, len(into)
		}
		return nil
	}
	defer putBuffer(left)
	if err == nil {
		c.armWrite(c.o.WriteTimeout)
		if _, err = c.conn.Write(left[sent:]); err == nil {
			c.armRead(c.o.ReadTimeout)
		}
	}
	return err
}

// readLate is the read of askOnce after a Nudge.
func (c *ClientConn) readLate() error {
	c.buf, c.r, c.w = getBuffer(smallSize), 0, 0
	c.w, c.early = c.conn.Read(c.buf)
	return nil
}
