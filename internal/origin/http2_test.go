package origin

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// http2Origin is an origin with net/http's HTTP/2, over TLS or in clear, and a client for it.
func http2Origin(t *testing.T, secure bool, h http.HandlerFunc) (*Client, Target, *atomic.Int32) {
	t.Helper()
	conns := new(atomic.Int32)
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			conns.Add(1)
		}
	}
	o := Options{}
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
		o.SystemRoots = x509.NewCertPool()
		o.SystemRoots.AddCert(s.Certificate())
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, _ := strconv.Atoi(u.Port())
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c, Target{Scheme: u.Scheme, Host: u.Hostname(), Port: port, HTTP2: true}, conns
}

func TestHTTP2(t *testing.T) {
	for name, secure := range map[string]bool{"https": true, "http": false} {
		t.Run(name, func(t *testing.T) {
			c, target, conns := http2Origin(t, secure, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				w.Header().Set("Trailer", "Grpc-Status")
				fmt.Fprint(w, r.Proto, " ", r.Method, " ", r.Host, " ", len(b))
				w.Header().Set("Grpc-Status", "5")
			})
			body := bytes.Repeat([]byte("x"), 300_000)
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					r := &message.Request{Method: "POST", Scheme: target.Scheme, Host: "www.example.com", Path: "/", Body: bytes.NewReader(body), ContentLength: -1}
					resp, err := c.Fetch(t.Context(), target, r)
					if err != nil {
						t.Error(err)
						return
					}
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					if want := "HTTP/2.0 POST www.example.com 300000"; string(got) != want || err != nil || resp.Trailer().Get("grpc-status") != "5" {
						t.Errorf("got %q, %v, trailer %v", got, err, resp.Trailer())
					}
				})
			}
			wg.Wait()
			if n := conns.Load(); n != 1 {
				t.Errorf("%d connections, want one", n)
			}
		})
	}
}

// TestHTTP2GoAway has an origin say with each answer that it wants no more requests on the connection.
func TestHTTP2GoAway(t *testing.T) {
	c, target, conns := http2Origin(t, true, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "ok")
	})
	for range 5 {
		resp, err := c.Fetch(t.Context(), target, &message.Request{Method: "POST", Scheme: "https", Host: target.Host, Path: "/"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != "ok" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if n := conns.Load(); n < 2 {
		t.Errorf("%d connections", n)
	}
}

// TestHTTP2NotSpoken is an origin that knows HTTP/1.1 only.
func TestHTTP2NotSpoken(t *testing.T) {
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c, err := New(Options{SystemRoots: roots})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), ":")
	n, _ := strconv.Atoi(port)
	_, err = c.Fetch(t.Context(), Target{Scheme: "https", Host: host, Port: n, HTTP2: true}, &message.Request{Method: "GET", Scheme: "https", Host: host, Path: "/"})
	if KindOf(err) != TLS {
		t.Errorf("got %v", err)
	}
}

// TestHTTP2Canceled ends a stream with its context, and keeps the connection.
func TestHTTP2Canceled(t *testing.T) {
	ended := make(chan struct{})
	c, target, conns := http2Origin(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			_, _ = io.WriteString(w, "begun")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
			close(ended)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	resp, err := c.Fetch(ctx, target, &message.Request{Method: "GET", Scheme: "https", Host: target.Host, Path: "/wait"})
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, b); err != nil {
		t.Fatal(err)
	}
	cancel()
	<-ended
	if _, err := resp.Body.Read(b); KindOf(err) != Canceled {
		t.Errorf("got %v", err)
	}
	resp.Body.Close()
	if _, err := c.Fetch(t.Context(), target, &message.Request{Method: "GET", Scheme: "https", Host: target.Host, Path: "/"}); err != nil {
		t.Error(err)
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections, want one", n)
	}
}
