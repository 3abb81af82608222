package http3

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
	"unsafe"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// bufferSize is the room in which an answer is put together: head and small bodies leave in one piece.
const bufferSize = 16 << 10

// writer collects what goes out on a stream.
type writer struct {
	s       *quic.Stream
	buf     []byte
	timeout time.Duration
}

func (w *writer) reset(s *quic.Stream, timeout time.Duration) {
	w.s, w.timeout = s, timeout
	if cap(w.buf) != bufferSize {
		w.buf = make([]byte, 0, bufferSize)
	}
	w.buf = w.buf[:0]
}

func (w *writer) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	err := w.write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// write sends p, by pieces, so that the timeout is for each of them.
func (w *writer) write(p []byte) error {
	for len(p) > 0 {
		n := min(len(p), 4*bufferSize)
		_ = w.s.SetWriteDeadline(after(w.timeout))
		if _, err := w.s.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// add takes p in, and sends what has no room.
func (w *writer) add(p []byte) error {
	if len(p) <= cap(w.buf)-len(w.buf) {
		w.buf = append(w.buf, p...)
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if len(p) <= cap(w.buf)/2 {
		w.buf = append(w.buf, p...)
		return nil
	}
	return w.write(p)
}

// interim sends 100 Continue, unless the answer has begun.
func (x *exchange) interim() {
	x.sending.Lock()
	defer x.sending.Unlock()
	if x.sentHead {
		return
	}
	w := &writer{s: x.s, timeout: x.c.o.WriteTimeout}
	section := appendStatus(appendSection(nil), 100)
	_ = w.write(append([]byte{frameHeaders, byte(len(section))}, section...))
}

// answer sends resp. A body that fails leaves the stream without an end, for which it is reset, so that the client sees that
// it is not whole.
func (x *exchange) answer(resp *message.Response) bool {
	bare := x.req.Method == http.MethodHead || resp.Status == http.StatusNoContent || resp.Status == http.StatusNotModified
	n := resp.ContentLength
	if !bare && resp.Body == nil {
		n = 0
	}
	empty := bare || resp.Body == nil || n == 0
	x.sending.Lock()
	x.sentHead = true
	x.sending.Unlock()
	x.out.buf = appendHead(x.out.buf, resp, n)
	var err error
	if !empty {
		err = x.send(resp.Body, n)
	}
	if err == nil {
		err = x.out.flush()
	}
	return err == nil && x.s.Close() == nil
}

// headSize is the room for type and length of a frame whose length is known later.
const headSize = 5

// appendHead writes the HEADERS frame of an answer.
func appendHead(dst []byte, resp *message.Response, n int64) []byte {
	start := len(dst)
	b := append(dst, frameHeaders, 0, 0, 0, 0)
	b = appendStatus(appendSection(b), resp.Status)
	dated := false
	for _, l := range resp.Before {
		b, dated = appendLines(b, l, dated)
	}
	for i := range resp.Header {
		f := &resp.Header[i]
		if http1.FramesMessage(f.Name) {
			continue
		}
		dated = dated || message.SameName(f.Name, "Date")
		b = appendField(b, f.Name, f.Value)
	}
	b, dated = appendLines(b, resp.After, dated)
	if !dated {
		b = appendField(b, "date", time.Now().UTC().Format(http.TimeFormat))
	}
	if n > 0 || n == 0 && resp.Status != http.StatusNoContent && resp.Status != http.StatusNotModified {
		var digits [20]byte
		d := strconv.AppendInt(digits[:0], n, 10)
		b = appendField(b, "content-length", unsafe.String(&d[0], len(d)))
	}
	setLength(b[start:])
	return b
}

// appendLines writes shared fields, which were checked when they were made.
func appendLines(b []byte, l *message.Lines, dated bool) ([]byte, bool) {
	if l == nil {
		return b, dated
	}
	for name, value := range l.All() {
		b = appendField(b, name, value)
	}
	return b, dated || l.Dated
}

// setLength writes the length of the frame that b is into its head.
func setLength(b []byte) { quicvarint.AppendWithLen(b[1:1], uint64(len(b)-headSize), headSize-1) }

// send sends n bytes of a body, or all if n is negative. What is there leaves whenever more has to be waited for.
func (x *exchange) send(from io.Reader, n int64) error {
	w := &x.out
	ready, ok := from.(http1.Buffered)
	if ok && ready.Buffered() == 0 || !ok && n < 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if n > 0 {
		w.buf = quicvarint.Append(append(w.buf, frameData), uint64(n))
		if to, ok := from.(io.WriterTo); ok {
			d := &dataWriter{w: w, left: n}
			if _, err := to.WriteTo(d); err != nil {
				return err
			}
			if d.left > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
	}
	for {
		if cap(w.buf)-len(w.buf) < 2<<10 {
			if err := w.flush(); err != nil {
				return err
			}
		}
		at := len(w.buf)
		if n < 0 {
			w.buf = append(w.buf, frameData, 0, 0, 0, 0)
		}
		room := w.buf[len(w.buf):cap(w.buf)]
		if n >= 0 && n < int64(len(room)) {
			room = room[:n]
		}
		m, err := from.Read(room)
		w.buf = w.buf[:len(w.buf)+m]
		switch {
		case n >= 0:
			n -= int64(m)
		case m == 0:
			w.buf = w.buf[:at]
		default:
			setLength(w.buf[at:])
		}
		switch {
		case n == 0, n < 0 && err == io.EOF:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if ready == nil && n < 0 || ready != nil && ready.Buffered() == 0 {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
}

// dataWriter takes the bytes of an io.WriterTo.
type dataWriter struct {
	w    *writer
	left int64
}

var errTooLong = errors.New("body longer than its length")

// Write takes at most what is left of the body.
func (d *dataWriter) Write(p []byte) (int, error) {
	n := len(p)
	if int64(n) > d.left {
		p = p[:d.left]
	}
	d.left -= int64(len(p))
	if err := d.w.add(p); err != nil {
		return 0, err
	}
	if len(p) < n {
		return len(p), errTooLong
	}
	return n, nil
}

// WriteString spares io.WriteString a copy. The bytes are only read.
func (d *dataWriter) WriteString(p string) (int, error) {
	return d.Write(unsafe.Slice(unsafe.StringData(p), len(p)))
}
