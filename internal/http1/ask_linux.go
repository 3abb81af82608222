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
// costs one failed system call a request.
//
// The poller forgets what happened on a socket when such a call begins. The end of a connection that came just before it is
// then not seen until something else happens: see ClientConn.Nudge.
type asker struct {
	raw  syscall.RawConn // nil: the connection is no socket in clear
	step func(fd uintptr) bool
	peek func(fd uintptr)

	out   []byte // what is still to be written
	into  []byte
	asked bool
	n     int
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

// ask writes out and reads once into a buffer. left is what the socket did not take: nothing was read then. wrote tells
// whether err belongs to the read.
func (a *asker) ask(out, into []byte) (n int, left []byte, wrote bool, err error) {
	a.out, a.into, a.asked, a.n, a.err = out, into, false, 0, nil
	err = a.raw.Read(a.step)
	if err == nil {
		err = a.err
	}
	n, left, wrote = a.n, a.out, a.asked && len(a.out) == 0
	a.out, a.into = nil, nil
	return n, left, wrote, err
}

// onReady is called once at the beginning and then whenever the socket may have become readable.
func (a *asker) onReady(fd uintptr) bool {
	if !a.asked {
		a.asked = true
		n, err := syscall.Write(int(fd), a.out)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			return true
		case err != nil:
			a.err = os.NewSyscallError("write", err)
			return true
		}
		a.out = a.out[n:]
		return len(a.out) > 0
	}
	for {
		n, err := syscall.Read(int(fd), a.into)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return false
		case err != nil:
			a.err = os.NewSyscallError("read", err)
		case n == 0:
			a.err = io.EOF
		default:
			a.n = n
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

// askOnce sends out and fills the empty buffer with the beginning of the answer. A failure to read is kept for who reads next.
func (c *ClientConn) askOnce(out []byte) error {
	c.armRead(c.o.ReadTimeout)
	if c.buf == nil {
		c.buf = getBuffer(smallSize)
	}
	c.waiting.Store(waits)
	n, left, wrote, err := c.socket.ask(out, c.buf)
	if c.waiting.Swap(waitsNot) == isNudged {
		c.nudging.Lock() // waits until Nudge has set its deadline
		c.readBy = 0
		c.nudging.Unlock()
		c.armRead(c.o.ReadTimeout)
		if errors.Is(err, os.ErrDeadlineExceeded) && wrote {
			n, err = c.conn.Read(c.buf)
		}
	}
	c.r, c.w = 0, n
	switch {
	case err == nil && len(left) > 0:
		c.armWrite(c.o.WriteTimeout)
		if _, err = c.conn.Write(left); err == nil {
			c.armRead(c.o.ReadTimeout)
		}
		return err
	case wrote:
		c.early = err
		return nil
	}
	return err
}
