package http1

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// readHead reads the head of a final or interim response into p. fields is room for its fields.
func (c *ClientConn) readHead(method string, fields message.Header) *Error {
	for {
		if c.buffered() > 0 {
			c.got = true
			if c.scanned == 0 && !startsLikeHTTP(c.buf[c.r:c.w]) {
				return malformed("answer that is not HTTP")
			}
		}
		n, err := c.endOfHead()
		switch {
		case err != nil:
			return malformed(err.Error())
		case n > c.o.MaxHead || n == 0 && c.buffered() >= c.o.MaxHead:
			return &Error{Kind: HeadTooBig, Reason: "status line and fields are over the limit"}
		case n > 0:
			head := string(c.buf[c.r : c.r+n])
			c.consume(n)
			return c.p.parse(head, method, fields, c.o.MaxFields)
		}
		if e := c.more(); e != nil {
			switch {
			case isTimeout(e):
				return &Error{Kind: Timeout, Reason: "waiting for the answer", Err: e}
			case errors.Is(e, io.EOF) && c.buffered() > 0:
				return &Error{Kind: Incomplete, Reason: "the connection ended within the head", Err: io.ErrUnexpectedEOF}
			}
			return &Error{Kind: Broken, Reason: "waiting for the answer", Err: e}
		}
	}
}

// more reads once. What askOnce could not read counts first.
func (c *ClientConn) more() error {
	if err := c.early; err != nil {
		c.early = nil
		return err
	}
	return c.fill(max(c.o.MaxHead, smallSize))
}

func startsLikeHTTP(b []byte) bool {
	const begin = "HTTP/1."
	n := min(len(b), len(begin))
	return string(b[:n]) == begin[:n]
}

// responseHead is a parsed response head.
type responseHead struct {
	status int
	reason string
	old    bool // HTTP/1.0
	fields message.Header
	framing
}

func (p *responseHead) parse(head, method string, fields message.Header, maxFields int) *Error {
	nl := strings.IndexByte(head, '\n')
	line := head[:max(nl-1, 0)]
	// "HTTP/1.x SP 3DIGIT [SP reason]" (rfc9112 4); the space before an empty reason is often forgotten.
	if len(line) < 12 || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return malformed("invalid status line")
	}
	p.old = line[7] == '0'
	n, err := strconv.ParseUint(line[9:12], 10, 16)
	if err != nil || n < 100 {
		return malformed("invalid status")
	}
	p.status, p.reason = int(n), ""
	if len(line) > 13 {
		p.reason = line[13:]
		if !ValidValue(p.reason) {
			return malformed("forbidden character in the reason phrase")
		}
		if p.reason == http.StatusText(p.status) {
			p.reason = ""
		}
	}
	h, why := parseFields(head[nl+1:], fields, maxFields)
	if why == tooManyFields {
		return &Error{Kind: HeadTooBig, Reason: why}
	}
	if why == "" {
		h, why = p.split(h)
	}
	p.fields = h
	switch {
	case why != "":
	case p.chunked && p.old:
		why = "Transfer-Encoding in HTTP/1.0"
	case p.status < 200 && (p.chunked || p.length > 0):
		why = "interim response with a body"
	case p.status == http.StatusNoContent && (p.chunked || p.length > 0) && method != http.MethodHead:
		why = "204 with a body"
	}
	if why != "" {
		return malformed(why)
	}
	return nil
}

// appendRequest writes the head. Host stands first (rfc9110 7.2).
func (c *ClientConn) appendRequest(dst []byte, r *message.Request, length int64, upgrading bool) (_ []byte, why string) {
	switch {
	case !ValidName(r.Method) || r.Method == http.MethodConnect:
		return dst, "method " + strconv.Quote(r.Method)
	case !ValidTarget(r.Path) || r.Path[0] != '/' && (r.Path != "*" || r.Method != http.MethodOptions) || strings.Contains(r.Path, "?"):
		return dst, "path " + strconv.Quote(r.Path)
	case !all(r.Query, isTarget) || r.Path == "*" && (r.HasQuery || r.Query != ""):
		return dst, "query " + strconv.Quote(r.Query)
	case !ValidHost(r.Host):
		return dst, "host " + strconv.Quote(r.Host)
	}
	dst = append(append(dst, r.Method...), ' ')
	if c.o.AbsoluteForm {
		dst = append(append(append(dst, r.Scheme...), "://"...), r.Host...)
	}
	dst = append(dst, r.Path...)
	if r.HasQuery || r.Query != "" {
		dst = append(append(dst, '?'), r.Query...)
	}
	dst = append(append(append(dst, " HTTP/1.1\r\nHost: "...), r.Host...), "\r\n"...)
	ok := true
	for i := range r.Header {
		x := &r.Header[i]
		if framesMessage(x.Name) || len(x.Name) == 6 && strings.EqualFold(x.Name, "Expect") || strings.EqualFold(x.Name, "Host") {
			continue
		}
		if dst, ok = appendField(dst, x.Name, x.Value); !ok {
			return dst, "field " + strconv.Quote(x.Name)
		}
	}
	f := responseFrame{length: -1, chunked: length < 0}
	if length > 0 || length == 0 && (r.Body != nil || needsLength(r.Method)) {
		f.length = length
	}
	if upgrading {
		f.connection, f.upgrade = "Upgrade", "websocket"
	}
	return append(f.append(dst), "\r\n"...), ""
}

// CheckRequest tells what is wrong with a request that is to be sent, and returns the size of its head in bytes. It is for
// those who hand a request over without a wire.
func CheckRequest(r *message.Request) (size int, err error) {
	c := ClientConn{}
	length, _ := requestExtent(r)
	b := getBuffer(smallSize)
	out, why := c.appendRequest(b[:0], r, length, wantsUpgrade(r))
	putBuffer(out)
	if why != "" {
		return 0, &Error{Kind: BadMessage, Reason: why}
	}
	return len(out), nil
}

// CheckResponse is CheckRequest for answers.
func CheckResponse(r *message.Response) (size int, err error) {
	out, err := appendResponse(getBuffer(smallSize)[:0], r, &responseFrame{length: max(r.ContentLength, -1)})
	putBuffer(out)
	return len(out), err
}

// FramesMessage tells whether a field belongs to a connection and never to a message that is handed on: Connection,
// Content-Length, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade.
func FramesMessage(name string) bool { return framesMessage(name) }

// needsLength tells for which methods an empty body is announced (rfc9110 8.6).
func needsLength(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch
}
