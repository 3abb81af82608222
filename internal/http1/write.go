package http1

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
	"unsafe"

	"github.com/foregate/foregate/internal/message"
)

// oneWrite is the largest body that is copied behind its head to leave in one write.
const oneWrite = 32 << 10

// Buffered is what a Response.Body or Request.Body may implement: how many bytes can be read without waiting. With it the
// engine knows whether to send the head at once or together with the body's beginning. A body of unknown length without it is
// taken to be slow, so its head leaves first.
type Buffered interface{ Buffered() int }

// appendField checks and appends one field line.
func appendField(dst []byte, name, value string) ([]byte, bool) {
	if !ValidName(name) || !ValidValue(value) {
		return dst, false
	}
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	dst = append(dst, value...)
	return append(dst, "\r\n"...), true
}

// framesMessage tells whether a field belongs to the engine: it writes these itself from ContentLength and the like.
func framesMessage(name string) bool {
	switch len(name) {
	case 7:
		return message.SameName(name, "Upgrade")
	case 10:
		return message.SameName(name, "Connection") || message.SameName(name, "Keep-Alive")
	case 14:
		return message.SameName(name, "Content-Length")
	case 16:
		return message.SameName(name, "Proxy-Connection")
	case 17:
		return message.SameName(name, "Transfer-Encoding")
	}
	return false
}

// NewLines checks fields and writes them out for answers that share them. Fields that frame the message are left out, as an
// engine would leave them out.
func NewLines(h message.Header) (*message.Lines, error) {
	n := 0
	for i := range h {
		n += len(h[i].Name) + len(h[i].Value) + len(": \r\n")
	}
	text, typeEnd, dated, ok := make([]byte, 0, n), 0, false, true
	for i := range h {
		x := &h[i]
		if framesMessage(x.Name) {
			continue
		}
		if text, ok = appendField(text, x.Name, x.Value); !ok {
			return nil, &Error{Kind: BadMessage, Reason: "field " + strconv.Quote(x.Name), Err: errField}
		}
		dated = dated || message.SameName(x.Name, "Date")
		if typeEnd == 0 && message.SameName(x.Name, "Content-Type") {
			typeEnd = len(text)
		}
	}
	return message.MakeLines(string(text), typeEnd, dated), nil
}

// responseFrame is how an answer is framed.
type responseFrame struct {
	length     int64      // -1: no Content-Length
	chunked    bool       //
	connection string     // the value of Connection; "" sends none
	upgrade    string     // the value of Upgrade
	date       *dateClock // sent when the answer has no Date; nil for none
}

// dateClock is the time for a Date field, written out once a second.
type dateClock struct {
	second int64
	text   string
}

func (d *dateClock) now() string {
	t := time.Now()
	if s := t.Unix(); s != d.second || d.text == "" {
		d.second, d.text = s, t.UTC().Format(http.TimeFormat)
	}
	return d.text
}

func (f *responseFrame) append(dst []byte) []byte {
	if f.length >= 0 {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, f.length, 10)
		dst = append(dst, "\r\n"...)
	}
	if f.chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	if f.upgrade != "" {
		dst = append(dst, "Upgrade: "...)
		dst = append(dst, f.upgrade...)
		dst = append(dst, "\r\n"...)
	}
	if f.connection != "" {
		dst = append(dst, "Connection: "...)
		dst = append(dst, f.connection...)
		dst = append(dst, "\r\n"...)
	}
	return dst
}

var errField = errors.New("field not fit to be sent")

// headWriter writes the fields of an answer, and the framing fields behind Content-Type, where AWS has them, or at the end.
type headWriter struct {
	dst    []byte
	f      responseFrame
	framed bool
	dated  bool
}

// appendResponse appends a head.
func appendResponse(dst []byte, r *message.Response, f *responseFrame) ([]byte, error) {
	if r.Status < 101 || r.Status > 999 {
		return dst, &Error{Kind: BadMessage, Reason: "status " + strconv.Itoa(r.Status)}
	}
	if r.Status == http.StatusOK && r.Reason == "" {
		dst = append(dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		reason := r.Reason
		if reason == "" {
			reason = http.StatusText(r.Status)
		}
		if !ValidValue(reason) {
			return dst, &Error{Kind: BadMessage, Reason: "reason phrase " + strconv.Quote(reason)}
		}
		dst = append(dst, "HTTP/1.1 "...)
		dst = strconv.AppendInt(dst, int64(r.Status), 10)
		dst = append(dst, ' ')
		dst = append(dst, reason...)
		dst = append(dst, "\r\n"...)
	}
	w := headWriter{dst: dst, f: *f, dated: f.date == nil}
	w.lines(r.Before[0])
	w.lines(r.Before[1])
	if err := w.fields(r.Header); err != nil {
		return w.dst, err
	}
	w.lines(r.After)
	return w.end(), nil
}

func (w *headWriter) lines(l *message.Lines) {
	if l == nil {
		return
	}
	text := l.Text
	if l.TypeEnd > 0 && !w.framed {
		w.dst = append(w.dst, text[:l.TypeEnd]...)
		w.dst, w.framed = w.f.append(w.dst), true
		text = text[l.TypeEnd:]
	}
	w.dst = append(w.dst, text...)
	w.dated = w.dated || l.Dated
}

func (w *headWriter) fields(h message.Header) error {
	ok := true
	for i := range h {
		x := &h[i]
		if framesMessage(x.Name) {
			continue
		}
		if w.dst, ok = appendField(w.dst, x.Name, x.Value); !ok {
			return &Error{Kind: BadMessage, Reason: "field " + strconv.Quote(x.Name), Err: errField}
		}
		switch {
		case len(x.Name) == 4:
			w.dated = w.dated || message.SameName(x.Name, "Date")
		case len(x.Name) == 12 && !w.framed && message.SameName(x.Name, "Content-Type"):
			w.dst, w.framed = w.f.append(w.dst), true
		}
	}
	return nil
}

func (w *headWriter) end() []byte {
	if !w.dated {
		w.dst = append(w.dst, "Date: "...)
		w.dst = append(w.dst, w.f.date.now()...)
		w.dst = append(w.dst, "\r\n"...)
	}
	if !w.framed {
		w.dst = w.f.append(w.dst)
	}
	return append(w.dst, "\r\n"...)
}

// shortWrite is the longest that sipper.write is for: a long one keeps the processor.
const shortWrite = 16 << 10

// sender writes a head and a body with as few writes as the body's speed allows.
type sender struct {
	w   *wire
	sip *sipper // may be nil
	out []byte  // pooled; the head, and what goes with it
	// timeout is for each write.
	timeout time.Duration
	// more is set when the next request is here already: a short answer waits for the next one.
	more bool
	// failed is the connection's first write error: nothing more can be sent.
	failed error
	// total is how many bytes have been sent.
	total int64
	// broken is what the body's reader reported: the message is incomplete.
	broken error
	direct direct
	pieces [2][]byte
	vector net.Buffers
}

// most is how much of answers that wait for one more is gathered.
const most = 32 << 10

// record is the largest record of TLS (rfc8446 5.1).
const record = 16 << 10

// begin makes room for an answer.
func (s *sender) begin() {
	s.broken, s.more = nil, false
	if s.out == nil {
		s.out = getBuffer(smallSize)[:0]
	} else if len(s.out) > 0 {
		s.grow(smallSize)
	}
}

// position is how many bytes have been given to it, sent or not.
func (s *sender) position() int64 { return s.total + int64(len(s.out)) }

// end ends an answer of which all but what may wait has been sent.
func (s *sender) end() {
	if len(s.out) == 0 || s.failed != nil {
		putBuffer(s.out)
		s.out = nil
	}
}

func (s *sender) flush() error {
	if len(s.out) == 0 || s.failed != nil {
		return s.failed
	}
	s.w.armWrite(s.timeout)
	ok, n := false, len(s.out)
	if s.sip != nil {
		ok, s.failed = s.sip.write(s.out)
	}
	if !ok {
		n, s.failed = s.w.conn.Write(s.out)
	} else if s.failed != nil {
		n = 0
	}
	s.total += int64(n)
	s.out = s.out[:0]
	return s.failed
}

// finish sends what there is of a whole answer, now or with the next one.
func (s *sender) finish() {
	if !s.more || len(s.out) > most {
		_ = s.flush()
	}
}

// grow makes room for n more bytes.
func (s *sender) grow(n int) {
	if cap(s.out)-len(s.out) >= n {
		return
	}
	b := getBuffer(len(s.out) + n)
	k := copy(b, s.out)
	putBuffer(s.out)
	s.out = b[:k]
}

// memory sends a body in memory. A short one is copied behind the head; a long one leaves from where it is, in the same
// system call where the connection can do that.
func (s *sender) memory(p []byte) {
	n := len(s.out) + len(p)
	if _, ok := s.w.conn.(*net.TCPConn); ok {
		if n > cap(s.out) && !(s.more && n <= most) {
			_ = s.send(p)
			return
		}
	} else if n > record {
		// The head takes so much along that the rest fills whole records.
		first := len(p) % record
		if len(s.out)+first > record {
			first = 0
		}
		s.grow(first)
		s.out = append(s.out, p[:first]...)
		_ = s.send(p[first:])
		return
	}
	s.grow(len(p))
	s.out = append(s.out, p...)
	s.finish()
}

// send sends what is in out, and p without copying it.
func (s *sender) send(p []byte) error {
	if s.failed != nil {
		return s.failed
	}
	s.w.armWrite(s.timeout)
	if tcp, ok := s.w.conn.(*net.TCPConn); ok && len(s.out) > 0 {
		s.pieces = [2][]byte{s.out, p}
		s.vector = s.pieces[:]
		var n int64
		n, s.failed = s.vector.WriteTo(tcp)
		s.total += n
		s.pieces, s.vector = [2][]byte{}, nil
		s.out = s.out[:0]
	} else if s.flush() == nil {
		var n int
		n, s.failed = s.w.conn.Write(p)
		s.total += int64(n)
	}
	return s.failed
}

// knownLength sends a body of n bytes after the head in out.
func (s *sender) knownLength(body io.Reader, n int64) {
	if m, ok := body.(*message.Bytes); ok {
		p := m.Rest()
		if int64(len(p)) < n {
			s.broken = io.ErrUnexpectedEOF
		}
		p = p[:min(int64(len(p)), n)]
		if s.memory(p); s.failed == nil {
			m.Took(len(p))
		}
		return
	}
	ready := int64(-1)
	if b, ok := body.(Buffered); ok {
		ready = int64(b.Buffered())
	}
	if n <= oneWrite && (ready < 0 || ready >= n) {
		s.grow(int(n))
		k := len(s.out)
		m, err := io.ReadFull(body, s.out[k:k+int(n)])
		s.out = s.out[:k+m]
		if err != nil {
			s.broken = incomplete(err)
		}
		s.finish()
		return
	}
	if ready == 0 && s.flush() != nil {
		return
	}
	if t, ok := body.(io.WriterTo); ok {
		s.direct = direct{s: s, left: n}
		_, err := t.WriteTo(&s.direct)
		switch {
		case s.failed != nil:
		case err != nil && s.direct.left > 0:
			s.broken = incomplete(err)
		case s.direct.left > 0:
			s.broken = incomplete(io.EOF)
		}
		_ = s.flush()
		return
	}
	s.copy(body, n)
}

func incomplete(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (s *sender) copy(body io.Reader, n int64) {
	for n > 0 {
		s.grow(largeSize/2 + smallSize)
		k := len(s.out)
		m, err := body.Read(s.out[k:min(int64(cap(s.out)), int64(k)+n)])
		s.out = s.out[:k+m]
		full := len(s.out) == cap(s.out)
		if n -= int64(m); m > 0 && s.flush() != nil {
			return
		}
		if err != nil && n > 0 {
			s.broken = incomplete(err)
			_ = s.flush()
			return
		}
		if full && n >= hugeSize {
			s.growHuge()
		}
	}
	_ = s.flush()
}

// growHuge takes a bigger buffer in place of an empty one, if there is one to have.
func (s *sender) growHuge() {
	if cap(s.out) >= hugeSize || len(s.out) > 0 {
		return
	}
	if b := getHuge(); b != nil {
		putBuffer(s.out)
		s.out = b[:0]
	}
}

// untilClose sends a body whose end is the end of the connection.
func (s *sender) untilClose(body io.Reader) {
	for {
		s.grow(largeSize/2 + smallSize)
		k := len(s.out)
		m, err := body.Read(s.out[k:cap(s.out)])
		s.out = s.out[:k+m]
		if m > 0 && s.flush() != nil {
			return
		}
		if err != nil {
			if err != io.EOF {
				s.broken = err
			}
			_ = s.flush()
			return
		}
	}
}

// chunkRoom is for a size of up to eight digits with its CRLF.
const chunkRoom = 10

// chunked sends a body in the chunked coding, one chunk for each read, the last one together with the end if the body says so.
func (s *sender) chunked(body io.Reader) {
	if b, ok := body.(Buffered); !ok || b.Buffered() == 0 {
		if s.flush() != nil {
			return
		}
	}
	for {
		s.grow(largeSize/2 + smallSize)
		k := len(s.out)
		m, err := body.Read(s.out[k+chunkRoom : cap(s.out)-16])
		if m > 0 {
			s.out = appendChunk(s.out, k, m)
		}
		if b, ok := body.(*message.Bytes); ok && err == nil && len(b.Rest()) == 0 {
			err = io.EOF // the end goes with the last chunk
		}
		if err == io.EOF {
			s.out = append(s.out, "0\r\n\r\n"...)
		}
		if s.flush() != nil || err == io.EOF {
			return
		}
		if err != nil {
			s.broken = err
			return
		}
	}
}

// appendChunk puts size and CRLF around the m bytes that stand at k+chunkRoom.
func appendChunk(out []byte, k, m int) []byte {
	data := out[k+chunkRoom : k+chunkRoom+m]
	out = strconv.AppendInt(out[:k], int64(m), 16)
	out = append(out, "\r\n"...)
	out = append(out, data...) // moves the bytes a little to the front
	return append(out, "\r\n"...)
}

// direct takes the bytes of an io.WriterTo straight to the connection, the head with the first of them.
type direct struct {
	s    *sender
	left int64
}

var errTooLong = errors.New("body longer than its length")

func (d *direct) Write(p []byte) (int, error) {
	s := d.s
	n := len(p)
	if int64(n) > d.left {
		p = p[:d.left]
	}
	if s.send(p) != nil {
		return 0, s.failed
	}
	d.left -= int64(len(p))
	if len(p) < n {
		return len(p), errTooLong
	}
	return n, nil
}

// WriteString spares io.WriteString a copy. The bytes are only read.
func (d *direct) WriteString(p string) (int, error) {
	return d.Write(unsafe.Slice(unsafe.StringData(p), len(p)))
}
