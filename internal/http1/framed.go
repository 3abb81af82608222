package http1

import (
	"errors"
	"io"
	"strings"
	"time"
)

// Bounds of the chunked coding. Extensions are legal and used by nobody; unbounded they are a way to send work for free.
const (
	maxChunkLine  = 256
	maxExtensions = 16 << 10 // bytes of extensions in one body
)

type extent uint8

const (
	byLength extent = iota
	byChunks
	byClose
)

// framed reads one message body off a wire and stops where the framing says.
type framed struct {
	w       *wire
	kind    extent
	left    int64 // of the body, or of the chunk
	inChunk bool  // a chunk has begun: its end has to be seen
	ext     int   // bytes of extensions so far
	limit   int   // of the trailer section, bytes
	timeout time.Duration
	begun   bool
	err     error
}

func (f *framed) done() bool { return f.err == io.EOF }

// buffered is how much can be had without waiting.
func (f *framed) buffered() int {
	n := int64(f.w.buffered())
	switch {
	case f.err != nil:
		return 0
	case f.kind == byLength || f.left > 0:
		n = min(n, f.left)
	}
	return int(n)
}

// read is io.Reader's Read. The last bytes of a body of known length come together with io.EOF.
func (f *framed) read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	f.begun = true
	if f.kind == byChunks && f.left == 0 {
		if err := f.nextChunk(); err != nil {
			f.err = err
			return 0, err
		}
	}
	if f.kind == byLength && f.left == 0 {
		f.err = io.EOF
		return 0, io.EOF
	}
	if f.kind != byClose && int64(len(p)) > f.left {
		p = p[:f.left]
	}
	n, err := f.readSome(p)
	f.left -= int64(n)
	if err != nil {
		f.err = f.fail(err)
		return n, f.err
	}
	switch {
	case f.kind == byLength && f.left == 0:
		f.err = io.EOF
	case f.kind == byChunks && f.left == 0:
		f.peekEnd()
	}
	if f.err == io.EOF {
		return n, io.EOF
	}
	return n, nil
}

func (f *framed) readSome(p []byte) (int, error) {
	w := f.w
	if w.buffered() == 0 {
		w.armRead(f.timeout)
		if len(p) >= smallSize { // large readers get their bytes without a copy
			return w.conn.Read(p)
		}
		if err := w.fill(smallSize); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.buf[w.r:w.w])
	w.r += n
	return n, nil
}

// fail turns an error of the connection into one of the message.
func (f *framed) fail(err error) error {
	switch {
	case errors.Is(err, io.EOF) && f.kind == byClose:
		return io.EOF
	case errors.Is(err, io.EOF):
		return &Error{Kind: Incomplete, Reason: "the connection ended within the body", Err: io.ErrUnexpectedEOF}
	case isTimeout(err):
		return &Error{Kind: Timeout, Reason: "reading the body", Err: err}
	}
	return &Error{Kind: Broken, Reason: "reading the body", Err: err}
}

// peekEnd finishes the body when its last chunk and its end are already here, so that io.EOF comes with the last bytes.
func (f *framed) peekEnd() {
	b := f.w.buf[f.w.r:f.w.w]
	if strings.HasPrefix(string(b[:min(len(b), 7)]), "\r\n0\r\n\r\n") {
		f.w.r += 7
		f.err = io.EOF
	}
}

// nextChunk reads the end of the last chunk and the head of the next (rfc9112 7.1). io.EOF means that the body is over.
func (f *framed) nextChunk() error {
	if f.inChunk {
		if err := f.crlf(); err != nil {
			return err
		}
		f.inChunk = false
	}
	line, err := f.readLine(maxChunkLine)
	if err != nil {
		return err
	}
	size, ext, why := parseChunkLine(line)
	if why != "" {
		return malformed(why)
	}
	if f.ext += ext; f.ext > maxExtensions {
		return malformed("too many chunk extensions")
	}
	if size > 0 {
		f.left, f.inChunk = size, true
		return nil
	}
	return f.trailer()
}

func (f *framed) crlf() error {
	for f.w.buffered() < 2 && (f.w.buffered() == 0 || f.w.buf[f.w.r] == '\r') {
		if err := f.more(smallSize); err != nil {
			return err
		}
	}
	if b := f.w.buf[f.w.r:f.w.w]; len(b) < 2 || b[0] != '\r' || b[1] != '\n' {
		return malformed("chunk longer than its size")
	}
	f.w.r += 2
	return nil
}

func (f *framed) more(limit int) error {
	f.w.armRead(f.timeout)
	if err := f.w.fill(limit); err == errFull {
		return malformed("line too long in a chunked body")
	} else if err != nil {
		return f.fail(err)
	}
	return nil
}

// readLine returns a line without its CRLF; it points into the buffer.
func (f *framed) readLine(limit int) ([]byte, error) {
	seen := 0
	for {
		b := f.w.buf[f.w.r:f.w.w]
		for ; seen < len(b); seen++ {
			if b[seen] != '\n' {
				continue
			}
			if seen == 0 || b[seen-1] != '\r' {
				return nil, malformed("line feed without a carriage return in a chunked body")
			}
			if seen-1 > limit {
				return nil, malformed("line too long in a chunked body")
			}
			f.w.r += seen + 1
			return b[:seen-1], nil
		}
		if len(b) > limit+1 { // a CR may stand last
			return nil, malformed("line too long in a chunked body")
		}
		if err := f.more(limit + 2); err != nil {
			return nil, err
		}
	}
}

// trailer checks the trailer section and drops it (rfc9112 7.1.2).
func (f *framed) trailer() error {
	total := 0
	for {
		line, err := f.readLine(f.limit)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			return io.EOF
		}
		if total += len(line) + 2; total > f.limit {
			return malformed("trailer section too big")
		}
		if _, why := parseFields(string(line)+"\r\n\r\n", nil, 1); why != "" {
			return malformed("trailer: " + why)
		}
	}
}

// parseChunkLine reads "size[;name[=value]]...". The grammar allows white space around ";" and "=" for the sake of old
// senders; parsers differ on it, so here it is refused.
func parseChunkLine(b []byte) (size int64, ext int, why string) {
	i := 0
	for i < len(b) && class[b[i]]&isHex != 0 {
		if i == 15 {
			return 0, 0, "chunk size too big"
		}
		size = size<<4 | int64(unhex(b[i]))
		i++
	}
	if i == 0 {
		return 0, 0, "invalid chunk size"
	}
	ext = len(b) - i
	for i < len(b) {
		if b[i] != ';' {
			return 0, 0, "invalid character after the chunk size"
		}
		n := chunkExtension(b[i+1:])
		if n == 0 {
			return 0, 0, "invalid chunk extension"
		}
		i += 1 + n
	}
	return size, ext, ""
}

// chunkExtension returns the length of one "name[=value]", 0 when there is none.
func chunkExtension(b []byte) int {
	i := 0
	for i < len(b) && class[b[i]]&isToken != 0 {
		i++
	}
	if i == 0 || i == len(b) || b[i] != '=' {
		return i
	}
	i++
	if i < len(b) && b[i] == '"' {
		for i++; i < len(b) && class[b[i]]&isValue != 0; i++ {
			switch b[i] {
			case '"':
				return i + 1
			case '\\':
				if i++; i == len(b) || class[b[i]]&isValue == 0 {
					return 0
				}
			}
		}
		return 0
	}
	start := i
	for i < len(b) && class[b[i]]&isToken != 0 {
		i++
	}
	if i == start {
		return 0
	}
	return i
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
