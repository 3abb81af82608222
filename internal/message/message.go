// Package message is an HTTP message as Foregate's engines see it: ordered fields with their case, the path and query as
// they came, and a body stream.
//
// Start with Request and Response; Handler is what every engine is. Protocol engines make and consume these values; the
// package must not know any protocol's framing, nor CloudFront, nor API Gateway. Fields are plain strings and are not
// checked here: the protocol engines check what comes in and what goes out.
package message

import (
	"context"
	"crypto/x509"
	"io"
	"net/netip"
	"strings"

	"github.com/foregate/foregate/internal/clienthello"
	"github.com/foregate/foregate/internal/trace"
)

// Proto is the protocol version of a connection.
type Proto uint8

// The protocol versions.
const (
	HTTP10 Proto = iota + 1
	HTTP11
	HTTP2
	HTTP3
)

// String returns the version as Via and CloudFront-Viewer-Http-Version write it.
func (p Proto) String() string {
	switch p {
	case HTTP10:
		return "1.0"
	case HTTP11:
		return "1.1"
	case HTTP2:
		return "2.0"
	case HTTP3:
		return "3.0"
	}
	return "?"
}

// Field is one header line.
type Field struct{ Name, Value string }

// SameName tells whether two names of fields are the same: letters of ASCII in either case (rfc9110 5.1).
func SameName(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if x, y := a[i], b[i]; x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// Header is an ordered list of fields. Names keep the case in which they came; lookups ignore case (rfc9110 5.1).
type Header []Field

// Get returns the first value of name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if SameName(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Lookup returns the first value of name and whether there is one.
func (h Header) Lookup(name string) (string, bool) {
	for i := range h {
		if SameName(h[i].Name, name) {
			return h[i].Value, true
		}
	}
	return "", false
}

// Has tells whether a field called name is there.
func (h Header) Has(name string) bool {
	_, ok := h.Lookup(name)
	return ok
}

// Values returns all values of name in order.
func (h Header) Values(name string) []string {
	var v []string
	for i := range h {
		if SameName(h[i].Name, name) {
			v = append(v, h[i].Value)
		}
	}
	return v
}

// Add appends a field.
func (h *Header) Add(name, value string) { *h = append(*h, Field{name, value}) }

// Set replaces the first field called name, in its place and with the new spelling, and deletes further ones; without one
// it appends.
func (h *Header) Set(name, value string) {
	out := (*h)[:0]
	done := false
	for _, f := range *h {
		if !SameName(f.Name, name) {
			out = append(out, f)
		} else if !done {
			out = append(out, Field{name, value})
			done = true
		}
	}
	if !done {
		out = append(out, Field{name, value})
	}
	*h = out
}

// Del deletes all fields called name.
func (h *Header) Del(name string) {
	out := (*h)[:0]
	for _, f := range *h {
		if !SameName(f.Name, name) {
			out = append(out, f)
		}
	}
	*h = out
}

// Clone returns a copy that shares no memory with h.
func (h Header) Clone() Header {
	if h == nil {
		return nil
	}
	return append(make(Header, 0, len(h)+8), h...)
}

// TLS is what is known of an encrypted connection.
type TLS struct {
	ServerName string // SNI as sent, lower case, "" when absent
	Version    uint16 // crypto/tls version number
	Cipher     uint16 // crypto/tls cipher suite number
	Resumed    bool
	// Reused is set for requests behind the first one of a connection.
	Reused bool
	// Certificate is what the client has shown and what was verified; nil for none.
	Certificate *x509.Certificate
	// Hello is what the client began the handshake with; nil where it is not known.
	Hello *clienthello.Hello
}

// Request is a request on its way through the engines. The receiver of a request may change it, fields included; a sender
// that needs it afterwards clones first.
type Request struct {
	Method string
	// Scheme is "http" or "https".
	Scheme string
	// Host is the authority as the sender named it, without a port that is the scheme's default. It is not in Header.
	Host string
	// SentHost is the authority as the client wrote it, when the front has taken a port or .localhost off: a signature of
	// the client covers it. "" when it is Host.
	SentHost string
	// Path is the raw path, undecoded and not normalised; it starts with "/" (or is "*" for OPTIONS *).
	Path string
	// Query is the raw query without its "?". HasQuery is true when there was a "?", even with nothing behind it.
	Query    string
	HasQuery bool
	Proto    Proto
	// Header has all fields but Host and those that frame the message (Content-Length, Transfer-Encoding, Connection
	// and the fields that it names, unless they ask for an upgrade); ContentLength speaks for them.
	Header Header
	// Lines are the field lines of a head of HTTP/1 as they came, with those that Header leaves out; "" in other protocols.
	Lines string
	// LengthAt is 1 and the number of fields before the content-length of a head of HTTP/2 or 3, 0 without one.
	LengthAt int
	// Body is nil when there is none. ContentLength is -1 when a body's length is not known in advance.
	Body          io.Reader
	ContentLength int64
	// Client is the address of the other end of the connection, or of the hop before in memory.
	Client netip.AddrPort
	// TLS is nil for a connection in clear.
	TLS *TLS
	// Trace is nil unless the request is explained.
	Trace *trace.Trace
	// Upgrade hands over the connection after a 101 (WebSocket); nil where the connection cannot be handed over.
	Upgrade func() (io.ReadWriteCloser, error)
	// Room is memory for the answer, nil when the engine lends none. Whoever passes the request on to a handler whose
	// answer is not sent as it is sets it to nil.
	Room *Room
}

// Target returns path and query as they stand in a request line.
func (r *Request) Target() string {
	if r.HasQuery || r.Query != "" {
		return r.Path + "?" + r.Query
	}
	return r.Path
}

// URL returns the whole address, for people and for signatures.
func (r *Request) URL() string { return r.Scheme + "://" + r.Host + r.Target() }

// Clone returns a copy with its own fields; the body is shared, and there is no Room.
func (r *Request) Clone() *Request {
	c := *r
	c.Room = nil
	c.Header = r.Header.Clone()
	return &c
}

// Response is an answer. Its fields leave out those that frame the message, as in Request.
type Response struct {
	Status int
	// Reason is the reason phrase of HTTP/1.1; "" means the standard one of the status.
	Reason string
	// Before and After are shared fields that stand before and behind those of Header; nil where there are none. Only an
	// answer to a request with Room has them: see Whole.
	Before [2]*Lines
	Header Header
	After  *Lines
	// Body is nil when there is none; whoever takes the response closes it. A read error other than io.EOF means that
	// the message is incomplete: the connection to the client must show that.
	Body io.ReadCloser
	// ContentLength is -1 when not known in advance. For an answer to HEAD it is what GET would have (-1: unknown).
	ContentLength int64
	// Trailer, if not nil, gives the fields behind the body, which are there once Body has returned io.EOF. Protocols and
	// messages in memory that have no trailers leave them out.
	Trailer func() Header
	// Close asks for the connection to be closed after the answer.
	Close bool
}

// Get returns the first value of a field, wherever it stands, or "".
func (r *Response) Get(name string) string {
	for _, l := range r.Before {
		if l != nil {
			if v, ok := l.Lookup(name); ok {
				return v
			}
		}
	}
	v, ok := r.Header.Lookup(name)
	if !ok && r.After != nil {
		v, _ = r.After.Lookup(name)
	}
	return v
}

// Whole puts all fields into Header, so that they can be changed.
func (r *Response) Whole() {
	if r.Before == [2]*Lines{} && r.After == nil {
		return
	}
	h := make(Header, 0, len(r.Header)+32)
	for _, l := range r.Before {
		if l != nil {
			h = l.Append(h)
		}
	}
	h = append(h, r.Header...)
	if r.After != nil {
		h = r.After.Append(h)
	}
	r.Before, r.Header, r.After = [2]*Lines{}, h, nil
}

// Bytes is a body in memory. Engines send it without reading it: see Rest.
type Bytes struct {
	rest []byte
	end  Ender
}

// Ender is told when an answer has ended.
type Ender interface {
	// Ended is called once, when the body is closed; left is how much of it was not taken.
	Ended(left int)
}

// OnClose tells e when the body is closed.
func (m *Bytes) OnClose(e Ender) { m.end = e }

// NewBytes makes a body of b, which must not change while it is read.
func NewBytes(b []byte) *Bytes { return &Bytes{rest: b} }

// Set makes b the body.
func (m *Bytes) Set(b []byte) { m.rest, m.end = b, nil }

// Rest returns what is left to read. It must not be changed. Who has sent the first n bytes says so with Took.
func (m *Bytes) Rest() []byte { return m.rest }

// Took takes away what was sent.
func (m *Bytes) Took(n int) { m.rest = m.rest[n:] }

// Buffered returns how much is left to read.
func (m *Bytes) Buffered() int { return len(m.rest) }

// Read implements io.Reader.
func (m *Bytes) Read(p []byte) (int, error) {
	if len(m.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// WriteTo implements io.WriterTo: one write for the whole body.
func (m *Bytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(m.rest)
	m.rest = m.rest[n:]
	return int64(n), err
}

// Close implements io.Closer.
func (m *Bytes) Close() error {
	if e := m.end; e != nil {
		m.end = nil
		e.Ended(len(m.rest))
	}
	return nil
}

// Handler is whatever answers requests: an engine, a service, the network behind a pool of connections. It always answers;
// when it cannot, with the error that AWS would give.
type Handler interface {
	Serve(ctx context.Context, r *Request) *Response
}

// HandlerFunc makes a Handler of a function.
type HandlerFunc func(ctx context.Context, r *Request) *Response

// Serve calls f.
func (f HandlerFunc) Serve(ctx context.Context, r *Request) *Response { return f(ctx, r) }

// Text makes a response with a body in memory. The fields follow Content-Type in the order given.
func Text(status int, contentType, body string, fields ...Field) *Response {
	h := make(Header, 0, len(fields)+1)
	if contentType != "" {
		h.Add("Content-Type", contentType)
	}
	h = append(h, fields...)
	return &Response{Status: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}
