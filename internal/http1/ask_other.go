//go:build !linux

package http1

import "net"

// asker is what Linux has to write and then wait without a failed read in between. Elsewhere requests are written, and
// answers read, one after the other.
type asker struct{}

func (*asker) init(net.Conn) {}

func (*asker) able() bool { return false }

func (*asker) quiet() bool { return true }

// Nudge does nothing: a read that waits sees whatever comes.
func (*ClientConn) Nudge() {}

func (c *ClientConn) askOnce(out []byte) error {
	defer putBuffer(out)
	return c.writeAll(out)
}
