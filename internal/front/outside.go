package front

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// outside passes plain proxy requests on to the network. It serves a convenience of `up`, off the path that must be fast,
// so net/http does the work.
type outside struct{ transport *http.Transport }

// newOutside makes a handler that connects with dial.
func newOutside(dial func(ctx context.Context, network, address string) (net.Conn, error)) *outside {
	return &outside{&http.Transport{
		DialContext: dial, DisableCompression: true, ForceAttemptHTTP2: false,
		ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 32,
	}}
}

// Serve sends the request and returns the answer, or 502.
func (o *outside) Serve(ctx context.Context, r *message.Request) *message.Response {
	u, err := url.Parse(r.URL())
	if err != nil {
		return message.Text(http.StatusBadRequest, "text/plain; charset=utf-8", fmt.Sprintf("parse address %q: %v\n", r.URL(), err))
	}
	q := &http.Request{Method: r.Method, URL: u, Host: r.Host, Header: http.Header{}, ContentLength: r.ContentLength}
	for _, f := range r.Header {
		q.Header[http.CanonicalHeaderKey(f.Name)] = append(q.Header[http.CanonicalHeaderKey(f.Name)], f.Value)
	}
	if !r.Header.Has("User-Agent") {
		q.Header["User-Agent"] = nil // or net/http adds its own
	}
	if r.Body != nil {
		q.Body = io.NopCloser(r.Body)
	}
	// RoundTrip, unlike Client.Do, follows no redirect and adds no cookie.
	resp, err := o.transport.RoundTrip(q.WithContext(ctx))
	if err != nil {
		return message.Text(http.StatusBadGateway, "text/plain; charset=utf-8", fmt.Sprintf("pass the request on to %q: %v\n", r.Host, err))
	}
	out := &message.Response{Status: resp.StatusCode, Body: resp.Body, ContentLength: resp.ContentLength}
	for name, values := range resp.Header {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Authenticate", "Transfer-Encoding", "Upgrade", "Content-Length", "Trailer":
			continue
		}
		for _, v := range values {
			out.Header.Add(name, v)
		}
	}
	return out
}
