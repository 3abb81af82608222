// Package http2 serves HTTP/2: it turns the streams of a connection into message.Request and message.Response.
//
// Start with ServeConn. The protocol itself is golang.org/x/net/http2's for now; what is kept small here is the seam, so that
// an engine of our own can take its place: nothing of x/net or net/http shows outside. The package must not know CloudFront or
// API Gateway.
//
// Caveats, all owed to x/net:
//   - The order of a request's fields is lost: they come sorted by name, with the values of one name in their order. Field
//     order that is a feature of its own (CloudFront-Viewer-Header-Order) is therefore not the sender's.
//   - A path that net/url cannot parse, such as one with "%zz", is refused before it is seen here.
//   - Fields of more than twice MaxHead are answered by x/net itself with 431, without the Reject hook.
//   - Names of fields leave in lower case, as the protocol demands (rfc9113 8.2.1), and sorted.
//   - No server push, no extended CONNECT (rfc8441): WebSocket goes over HTTP/1.1, as with CloudFront.
package http2

//lint:file-ignore SA1019 net/http does not serve HTTP/2 on a connection that is accepted and sniffed already.

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// Preface is what a client sends first (rfc9113 3.4), also in clear with prior knowledge.
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// Options is how a connection is served. Fields that http1.Options has too mean the same here.
type Options struct {
	Handler message.Handler
	Scheme  string
	TLS     *message.TLS
	Client  netip.AddrPort
	Reject  func(ctx context.Context, r *http1.Rejection) *message.Response
	Report  func(error)
	Drain   context.Context
	MaxHead int

	// MaxStreams bounds the requests under way on the connection; default 128.
	MaxStreams uint32
	// IdleTimeout ends a connection without streams, WriteTimeout one that takes no bytes; after PingTimeout of silence the
	// client is asked for a sign of life. Defaults: 60 s, 60 s, 30 s. Negative: none.
	IdleTimeout, WriteTimeout, PingTimeout time.Duration
}

// ServeConn serves a connection until it ends, and closes it. Cancelling ctx closes it at once. conn is one on which HTTP/2
// has been agreed by ALPN, its handshake over, or one in clear whose client begins with Preface.
func ServeConn(ctx context.Context, conn net.Conn, o Options) {
	defer conn.Close()
	o.setDefaults(conn)
	base := &http.Server{MaxHeaderBytes: 2 * o.MaxHead, ErrorLog: log.New(io.Discard, "", 0)}
	s := &http2.Server{
		MaxConcurrentStreams: o.MaxStreams, MaxReadFrameSize: 16 << 10, PermitProhibitedCipherSuites: true,
		IdleTimeout: max(o.IdleTimeout, 0), WriteByteTimeout: max(o.WriteTimeout, 0), ReadIdleTimeout: max(o.PingTimeout, 0),
	}
	if err := http2.ConfigureServer(base, s); err != nil {
		o.report(fmt.Errorf("configure HTTP/2: %w", err))
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if o.Drain != nil {
		stop := context.AfterFunc(o.Drain, func() { _ = base.Shutdown(context.Background()) })
		defer stop()
	}
	s.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, BaseConfig: base, Handler: &adapter{o}})
}

func (o *Options) setDefaults(conn net.Conn) {
	o.MaxHead = cmp.Or(o.MaxHead, 32<<10)
	o.MaxStreams = cmp.Or(o.MaxStreams, 128)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, time.Minute)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, time.Minute)
	o.PingTimeout = cmp.Or(o.PingTimeout, 30*time.Second)
	if o.TLS == nil {
		o.TLS = http1.TLSInfo(conn)
	}
	if o.Scheme == "" {
		o.Scheme = "http"
		if o.TLS != nil {
			o.Scheme = "https"
		}
	}
	if !o.Client.IsValid() {
		o.Client = http1.ClientAddr(conn)
	}
}

func (o *Options) report(err error) {
	if o.Report != nil {
		o.Report(err)
	}
}

// adapter is the seam: net/http's messages on one side, ours on the other.
type adapter struct{ o Options }

// ServeHTTP serves one stream.
func (a *adapter) ServeHTTP(w http.ResponseWriter, h *http.Request) {
	r, e := a.request(h)
	var resp *message.Response
	if e != nil {
		resp = a.reject(h, e)
	} else if resp = a.call(h.Context(), r); !sendable(resp) {
		if resp != nil {
			a.o.report(fmt.Errorf("answer %s %q: status or fields not fit to be sent", r.Method, r.Path))
			if resp.Body != nil {
				_ = resp.Body.Close()
			}
		}
		resp = a.reject(h, &http1.Error{Kind: http1.BadMessage, Reason: "no answer that can be sent"})
	}
	answer(w, h, resp)
}

func (a *adapter) call(ctx context.Context, r *message.Request) (resp *message.Response) {
	defer func() {
		if v := recover(); v != nil {
			a.o.report(fmt.Errorf("serve %s %q: panic: %v\n%s", r.Method, r.Path, v, debug.Stack()))
			resp = nil
		}
	}()
	return a.o.Handler.Serve(ctx, r)
}

// request makes ours of theirs, and checks what x/net leaves to others.
func (a *adapter) request(h *http.Request) (*message.Request, *http1.Error) {
	bad := func(reason string) *http1.Error { return &http1.Error{Kind: http1.Malformed, Reason: reason} }
	if h.Method == http.MethodConnect {
		return nil, bad("CONNECT to a server that is no proxy")
	}
	target := h.RequestURI
	if !http1.ValidTarget(target) || target[0] != '/' && (target != "*" || h.Method != http.MethodOptions) {
		return nil, bad("invalid :path")
	}
	if !http1.ValidHost(h.Host) {
		return nil, bad("invalid or absent :authority")
	}
	if v := h.Header["Host"]; len(v) > 1 || len(v) == 1 && !strings.EqualFold(v[0], h.Host) {
		return nil, bad("Host differs from :authority") // rfc9113 8.3.1
	}
	fields, size := fieldsOf(h.Header)
	if size += len(h.Method) + len(target) + len(h.Host); size > a.o.MaxHead {
		return nil, &http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"}
	}
	r := &message.Request{
		Method: h.Method, Scheme: a.o.Scheme, Host: http1.TrimPort(h.Host, a.o.Scheme), Proto: message.HTTP2,
		Header: fields, Client: a.o.Client, TLS: a.o.TLS,
	}
	r.Path, r.Query, r.HasQuery = strings.Cut(target, "?")
	if h.ContentLength != 0 {
		r.Body, r.ContentLength = h.Body, h.ContentLength
	}
	return r, nil
}

// fieldsOf gives fields in an order that does not change, and the size that they would have in HTTP/1.1.
func fieldsOf(h http.Header) (fields message.Header, size int) {
	fields = make(message.Header, 0, len(h)+8)
	for name, values := range h {
		if name == "Host" || http1.FramesMessage(name) {
			continue
		}
		for _, v := range values {
			fields = append(fields, message.Field{Name: strings.ToLower(name), Value: v})
			size += len(name) + len(v) + len(": \r\n")
		}
	}
	slices.SortStableFunc(fields, func(a, b message.Field) int { return strings.Compare(a.Name, b.Name) })
	return fields, size
}

func (a *adapter) reject(h *http.Request, e *http1.Error) *message.Response {
	j := &http1.Rejection{Err: e, Status: e.Status(), Client: a.o.Client, TLS: a.o.TLS}
	if http1.ValidHost(h.Host) {
		j.Host = http1.TrimPort(h.Host, a.o.Scheme)
	}
	var resp *message.Response
	if a.o.Reject != nil {
		resp = a.o.Reject(h.Context(), j)
	}
	if !sendable(resp) {
		resp = message.Text(j.Status, "text/plain; charset=utf-8", http.StatusText(j.Status)+"\n")
	}
	return resp
}

func sendable(resp *message.Response) bool {
	if resp == nil || resp.Status < 200 || resp.Status > 999 {
		return false
	}
	for i := range resp.Header {
		if f := &resp.Header[i]; !http1.ValidName(f.Name) || !http1.ValidValue(f.Value) {
			return false
		}
	}
	return true
}

// answer sends resp. A body that fails ends in a reset of the stream, so that the client sees that it is not whole.
func answer(w http.ResponseWriter, h *http.Request, resp *message.Response) {
	if resp.Body != nil {
		defer resp.Body.Close()
	}
	out := w.Header()
	for _, f := range resp.Header {
		if !http1.FramesMessage(f.Name) {
			name := http.CanonicalHeaderKey(f.Name)
			out[name] = append(out[name], f.Value)
		}
	}
	if _, ok := out["Content-Type"]; !ok {
		out["Content-Type"] = nil // keeps x/net from guessing one
	}
	bare := h.Method == http.MethodHead || resp.Status == http.StatusNoContent || resp.Status == http.StatusNotModified
	n := resp.ContentLength
	if !bare && resp.Body == nil {
		n = 0
	}
	if n > 0 || n == 0 && resp.Status != http.StatusNoContent && resp.Status != http.StatusNotModified {
		out["Content-Length"] = []string{strconv.FormatInt(n, 10)}
	}
	w.WriteHeader(resp.Status)
	if bare || resp.Body == nil {
		return
	}
	if err := copyBody(w, resp.Body, n); err != nil {
		panic(http.ErrAbortHandler) // x/net turns this, and only this, into RST_STREAM without a log
	}
}

// copyBody sends n bytes, or all if n is negative. A body of unknown length is flushed whenever more has to be waited for.
func copyBody(w http.ResponseWriter, body io.Reader, n int64) error {
	const most = 32 << 10
	size := int64(most)
	if n >= 0 {
		size = min(n, most) // small answers are most answers, and a large buffer for each is most of their cost
	}
	buf := make([]byte, size)
	ready, _ := body.(http1.Buffered)
	flush := http.NewResponseController(w)
	if n < 0 && (ready == nil || ready.Buffered() == 0) {
		if err := flush.Flush(); err != nil {
			return err
		}
	}
	for n != 0 {
		p := buf
		if n > 0 && n < int64(len(p)) {
			p = p[:n]
		}
		m, err := body.Read(p)
		if m > 0 {
			if _, werr := w.Write(p[:m]); werr != nil {
				return werr
			}
			if n > 0 {
				n -= int64(m)
			}
		}
		switch {
		case err == io.EOF && n <= 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		if n != 0 && (ready == nil || ready.Buffered() == 0) {
			if err := flush.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}
