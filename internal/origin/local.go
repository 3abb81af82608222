package origin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

type depthKey struct{}

// maxDepth bounds how deep hosts served here may fetch from one another. On a network such a loop ends by itself, by running
// out of connections or time; in memory it would run out of stack.
const maxDepth = 16

// fetchLocal hands a request to a handler in this process, with what the other side of a connection would see of it.
func (c *Client) fetchLocal(ctx context.Context, t *Target, h message.Handler, r *message.Request) (*message.Response, *Error) {
	e := &Error{Address: t.address()}
	depth, _ := ctx.Value(depthKey{}).(int)
	if depth >= maxDepth {
		e.Kind, e.Err = Loop, fmt.Errorf("%d hosts deep", depth)
		return nil, e
	}
	if e.Kind, e.Err = c.localConnection(t); e.Kind != 0 {
		return nil, e
	}
	if _, err := http1.CheckRequest(r); err != nil { // its size is for the receiving service to judge
		e.Kind, e.Err = BadRequest, err
		return nil, e
	}
	inner, cancel := context.WithCancelCause(context.WithValue(ctx, depthKey{}, depth+1))
	l := &localCall{c: c, t: t, handler: h, address: e.Address, cancel: cancel}
	if t.CompletionTimeout > 0 {
		l.end = t.completeBy
	}
	in := l.request(r)
	resp, err := l.run(ctx, inner, in)
	if err == nil {
		err = l.check(resp, in)
	}
	if err != nil {
		cancel(err)
		if l.near != nil {
			_ = l.near.Close()
		}
		var known *Error
		if errors.As(err, &known) {
			return nil, known
		}
		e.Kind, e.Err = Protocol, err
		return nil, e
	}
	return l.finish(resp, r.Method), nil
}

// localConnection applies the rules of connecting: ports and certificates.
func (c *Client) localConnection(t *Target) (Kind, error) {
	if t.Scheme == "http" && t.Port != 80 || t.Scheme == "https" && t.Port != 443 {
		return Connect, fmt.Errorf("%q is served here on ports 80 (HTTP) and 443 (HTTPS) only, not for %s on %d", t.Host, t.Scheme, t.Port)
	}
	if t.Scheme != "https" || t.SkipVerify || c.o.LocalCertificate == nil {
		return 0, nil
	}
	names, ok := c.o.LocalCertificate(t.Host, t.SNI)
	if !ok {
		return TLS, fmt.Errorf("%q presents no certificate for the server name %q", t.Host, t.SNI)
	}
	wanted := t.verifyNames()
	for _, n := range wanted {
		if matches(names, n) {
			return 0, nil
		}
	}
	return TLS, &CertificateError{Names: names, Wanted: wanted}
}

// localCall is one exchange in memory.
type localCall struct {
	c       *Client
	t       *Target
	handler message.Handler
	address string
	cancel  context.CancelCauseFunc
	mu      sync.Mutex
	near    net.Conn  // our end of an upgraded connection
	end     time.Time // by when the answer has to be whole; zero: never
}

// patience is how long to wait for the next thing; 0 means for ever.
func (l *localCall) patience() time.Duration {
	d := max(l.t.ReadTimeout, 0)
	if l.end.IsZero() {
		return d
	}
	left := max(time.Until(l.end), 1)
	if d == 0 || left < d {
		return left
	}
	return d
}

// request is r as the receiving side sees it.
func (l *localCall) request(r *message.Request) *message.Request {
	in := *r
	in.Header = make(message.Header, 0, len(r.Header)+4)
	upgrade := false
	for _, f := range r.Header {
		switch {
		case strings.EqualFold(f.Name, "Host") || strings.EqualFold(f.Name, "Expect"):
		case !http1.FramesMessage(f.Name):
			in.Header = append(in.Header, f)
		case strings.EqualFold(f.Name, "Upgrade"):
			upgrade = strings.EqualFold(f.Value, "websocket") && r.Method == http.MethodGet && r.Body == nil
		}
	}
	in.Scheme, in.Proto, in.Client, in.TLS, in.Upgrade = l.t.Scheme, message.HTTP11, l.c.o.LocalClient, nil, nil
	if l.t.HTTP2 {
		in.Proto = message.HTTP2
	}
	if host, port, err := net.SplitHostPort(r.Host); err == nil && (port == "80" && in.Scheme == "http" || port == "443" && in.Scheme == "https") {
		in.Host = host
		if strings.Contains(host, ":") {
			in.Host = "[" + host + "]"
		}
	}
	if in.Scheme == "https" {
		in.TLS = localTLS(l.t)
	}
	if in.Body == nil {
		in.ContentLength = 0
	}
	if upgrade {
		in.Header = append(in.Header, message.Field{Name: "Connection", Value: "Upgrade"}, message.Field{Name: "Upgrade", Value: "websocket"})
		in.Upgrade = l.upgrade
	}
	return &in
}

// localTLS is the connection that the two ends would have agreed on.
func localTLS(t *Target) *message.TLS {
	info := &message.TLS{ServerName: strings.ToLower(t.SNI), Version: tls.VersionTLS13, Cipher: tls.TLS_AES_128_GCM_SHA256}
	if net.ParseIP(t.SNI) != nil {
		info.ServerName = "" // rfc6066 3: an address is no server name
	}
	if t.MaxTLS != 0 && t.MaxTLS < tls.VersionTLS13 {
		info.Version, info.Cipher = t.MaxTLS, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
		if t.MaxTLS < tls.VersionTLS12 {
			info.Cipher = tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
		}
	}
	return info
}

func (l *localCall) upgrade() (io.ReadWriteCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.near != nil {
		return nil, errors.New("upgrade: the connection was handed over before")
	}
	near, far := net.Pipe()
	l.near = near
	return far, nil
}

// run calls the handler and waits for it as long as the target's read timeout allows. A handler that takes longer goes on in
// its goroutine, with its context canceled, and its answer is thrown away.
func (l *localCall) run(outer, ctx context.Context, in *message.Request) (*message.Response, error) {
	answers := make(chan *message.Response)
	failed := make(chan error, 1)
	abandoned := make(chan struct{})
	go func() {
		defer func() {
			if v := recover(); v != nil {
				failed <- fmt.Errorf("%q panicked: %v\n%s", l.address, v, debug.Stack())
			}
		}()
		resp := l.handler.Serve(ctx, in)
		select {
		case answers <- resp:
		case <-abandoned:
			if resp != nil && resp.Body != nil {
				_ = resp.Body.Close()
			}
		}
	}()
	var late <-chan time.Time
	patience := l.patience()
	if patience > 0 {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		late = timer.C
	}
	e := &Error{Address: l.address}
	select {
	case resp := <-answers:
		if resp == nil {
			return nil, errors.New("no answer")
		}
		return resp, nil
	case err := <-failed:
		e.Kind, e.Err = Closed, err
	case <-late:
		e.Kind, e.Err = ResponseTimeout, fmt.Errorf("no answer within %v", patience)
	case <-outer.Done():
		e.Kind, e.Err = Canceled, context.Cause(outer)
	}
	close(abandoned)
	return nil, e
}

// check holds an answer to what could have come over a wire.
func (l *localCall) check(resp *message.Response, in *message.Request) error {
	size, err := http1.CheckResponse(resp)
	limit := l.c.o.MaxHead
	if limit == 0 {
		limit = 32 << 10
	}
	switch {
	case err != nil:
	case size > limit:
		err = &Error{Kind: HeaderTooBig, Address: l.address}
	case resp.Status == http.StatusSwitchingProtocols:
		if _, ok := resp.Body.(io.ReadWriteCloser); l.near == nil && (!ok || in.Upgrade == nil) {
			err = errors.New("101 without a connection that was taken over")
		}
	case resp.Status < 200:
		err = fmt.Errorf("interim status %d where a final one is due", resp.Status)
	}
	if err != nil && resp.Body != nil {
		_ = resp.Body.Close()
	}
	return err
}

// finish makes the answer what the sending side would see of it.
func (l *localCall) finish(resp *message.Response, method string) *message.Response {
	out := *resp
	out.Close = false
	if resp.Status == http.StatusSwitchingProtocols {
		if l.near != nil {
			if resp.Body != nil {
				_ = resp.Body.Close()
			}
			out.Body = &localTunnel{Conn: l.near, cancel: l.cancel}
		}
		return &out
	}
	if l.near != nil {
		_ = l.near.Close() // taken over and then refused
	}
	out.Header = make(message.Header, 0, len(resp.Header)+4)
	for _, f := range resp.Header {
		if !http1.FramesMessage(f.Name) {
			out.Header = append(out.Header, f)
		}
	}
	if method == http.MethodHead || out.Status == http.StatusNoContent || out.Status == http.StatusNotModified || out.Body == nil || out.ContentLength == 0 {
		if out.Body != nil {
			_ = out.Body.Close()
		} else if method != http.MethodHead && out.Status != http.StatusNotModified {
			out.ContentLength = 0
		}
		out.Body = nil
		l.cancel(nil)
		return &out
	}
	out.Body = &localBody{l: l, b: resp.Body, left: out.ContentLength, bounded: out.ContentLength >= 0}
	return &out
}

type localTunnel struct {
	net.Conn
	cancel context.CancelCauseFunc
}

func (t *localTunnel) Close() error {
	t.cancel(nil)
	return t.Conn.Close()
}

// localBody holds a body in memory to its length and to the read timeout.
type localBody struct {
	l       *localCall
	b       io.ReadCloser
	left    int64
	bounded bool
	once    sync.Once
	timer   *time.Timer
	err     error
}

// Read reads from the handler's body.
func (b *localBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.bounded && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	if b.bounded && b.left == 0 {
		b.err = io.EOF
		return 0, io.EOF
	}
	late := b.arm()
	n, err := b.b.Read(p)
	expired := late != nil && !b.timer.Stop()
	b.left -= int64(n)
	switch {
	case err == nil:
	case expired:
		b.err = &Error{Kind: ResponseTimeout, Address: b.l.address, Err: errors.New("nothing more in time")}
	case err == io.EOF && (!b.bounded || b.left == 0):
		b.err = io.EOF
	case err == io.EOF:
		b.err = &Error{Kind: Incomplete, Address: b.l.address, Err: io.ErrUnexpectedEOF}
	default:
		b.err = &Error{Kind: Incomplete, Address: b.l.address, Err: err}
	}
	if b.bounded && b.left == 0 && b.err == nil {
		b.err = io.EOF
	}
	return n, b.err
}

// arm starts the read timeout: when it ends, the handler's context and body are closed under the reader.
func (b *localBody) arm() *time.Timer {
	d := b.l.patience()
	if d <= 0 {
		return nil
	}
	if b.timer == nil {
		b.timer = time.AfterFunc(d, func() { _ = b.close(context.DeadlineExceeded) })
	} else {
		b.timer.Reset(d)
	}
	return b.timer
}

func (b *localBody) close(cause error) (err error) {
	b.once.Do(func() {
		b.l.cancel(cause)
		err = b.b.Close()
	})
	return err
}

// Close ends the exchange.
func (b *localBody) Close() error { return b.close(nil) }
