package http1

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"
)

// nudgedRaw has a connection nudged right before the poller begins to listen.
type nudgedRaw struct {
	syscall.RawConn
	c *ClientConn
}

func (r nudgedRaw) Read(f func(uintptr) bool) error {
	r.c.Nudge()
	return r.RawConn.Read(f)
}

// TestNudgeBeforeWriting: the end of a connection that is found before any of the request is out is no timeout. The origin has not
// answered, so the request may be sent again on another connection.
func TestNudgeBeforeWriting(t *testing.T) {
	near, far := connected(t)
	c := NewClientConn(near, ClientOptions{ReadTimeout: time.Hour})
	far.CloseWrite()
	until(func() bool { return look(near).ended })
	c.socket.raw = nudgedRaw{c.socket.raw, c}
	_, err := c.RoundTrip(passThrough())
	if KindOf(err) != Broken || !errors.Is(err, io.EOF) || !c.Untouched() {
		t.Errorf("got %v, untouched %v", err, c.Untouched())
	}
}
