package http1

import (
	"cmp"
	"io"
	"net"
)

// sendfileStep is how much of a file goes out under one write timeout.
const sendfileStep = 1 << 20

// ReadFrom takes the rest of the body from r. On a connection in clear the kernel sends a file (os.File, or an io.LimitedReader
// of one) without a copy.
func (d *direct) ReadFrom(r io.Reader) (int64, error) {
	s := d.s
	tcp, ok := s.w.conn.(*net.TCPConn)
	if !ok {
		n := d.left
		s.copy(r, d.left)
		if s.failed != nil || s.broken != nil {
			return 0, cmp.Or(s.failed, s.broken)
		}
		d.left = 0
		return n, nil
	}
	file, most := r, d.left
	if l, ok := r.(*io.LimitedReader); ok {
		file, most = l.R, min(most, l.N)
	}
	var sent int64
	for sent < most {
		if err := s.flush(); err != nil {
			return sent, err
		}
		s.w.armWrite(s.timeout)
		n, err := tcp.ReadFrom(&io.LimitedReader{R: file, N: min(most-sent, sendfileStep)})
		sent, d.left, s.total = sent+n, d.left-n, s.total+n
		if err != nil {
			s.failed = err // of the file or of the connection: either way the message is broken off
			return sent, err
		}
		if n == 0 {
			return sent, io.ErrUnexpectedEOF
		}
	}
	return sent, nil
}
