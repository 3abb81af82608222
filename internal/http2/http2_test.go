package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 on connections of their own, which net/http does not offer.

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// dial serves one connection and returns a client for it.
func dial(t testing.TB, o Options, secure *tls.Config) *http2.ClientConn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if secure != nil {
			ts := tls.Server(s, secure)
			if ts.Handshake() != nil {
				return
			}
			s = ts
		}
		ServeConn(context.Background(), s, o)
	}()
	t.Cleanup(func() { c.Close(); <-done })
	if secure != nil {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true, ServerName: "Www.example.com", NextProtos: []string{"h2"}})
	}
	cc, err := (&http2.Transport{AllowHTTP: true, DisableCompression: true}).NewClientConn(c)
	if err != nil {
		t.Fatal(err)
	}
	return cc
}

func do(t testing.TB, cc *http2.ClientConn, method, url string, body io.Reader) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Two", "2")
	r.Header.Set("A-One", "1")
	resp, err := cc.RoundTrip(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func TestClear(t *testing.T) {
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		var b strings.Builder
		b.WriteString(r.Method + " " + r.URL() + "\n")
		for _, f := range r.Header {
			b.WriteString(f.Name + ": " + f.Value + "\n")
		}
		if r.Body != nil {
			_, _ = io.Copy(&b, r.Body)
		}
		return message.Text(200, "", b.String(), message.Field{Name: "X-Case", Value: "y"}, message.Field{Name: "Connection", Value: "close"})
	})
	cc := dial(t, Options{Handler: h}, nil)
	resp, got, err := do(t, cc, "POST", "http://h.example:80/a%2Fb//c?x=1&y", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, "POST http://h.example/a%2Fb//c?x=1&y\n") || !strings.HasSuffix(got, "\nbody") ||
		!strings.Contains(got, "\na-one: 1\n") || !strings.Contains(got, "\nx-two: 2\n") || strings.Contains(got, "content-length") {
		t.Errorf("got %q", got) // x/net's client sends fields in no order
	}
	if resp.Header.Get("X-Case") != "y" || resp.Header.Get("Content-Type") != "" || resp.Header.Get("Connection") != "" || resp.ContentLength != int64(len(got)) {
		t.Errorf("got %v", resp.Header)
	}
}

func TestTLSAndReject(t *testing.T) {
	certs := httptest.NewUnstartedServer(nil)
	certs.StartTLS()
	defer certs.Close()
	secure := certs.TLS.Clone()
	secure.NextProtos = []string{"h2"}
	o := Options{
		MaxHead: 1024,
		Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
			return message.Text(200, "", r.Scheme+" "+r.TLS.ServerName+" "+r.Proto.String())
		}),
		Reject: func(_ context.Context, j *http1.Rejection) *message.Response {
			return message.Text(494, "", j.Host+" "+j.Err.Kind.String())
		},
	}
	cc := dial(t, o, secure)
	if _, got, err := do(t, cc, "GET", "https://h/", nil); err != nil || got != "https www.example.com 2.0" {
		t.Errorf("got %q, %v", got, err)
	}
	if resp, got, err := do(t, cc, "GET", "https://h/"+strings.Repeat("x", 1500), nil); err != nil || resp.StatusCode != 494 || got != "h head too big" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestIncomplete(t *testing.T) {
	for name, length := range map[string]int64{"known": 10, "unknown": -1} {
		t.Run(name, func(t *testing.T) {
			h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
				return &message.Response{Status: 200, ContentLength: length, Body: io.NopCloser(io.MultiReader(strings.NewReader("abc"), broken{}))}
			})
			if _, got, err := do(t, dial(t, Options{Handler: h}, nil), "GET", "http://h/", nil); err == nil {
				t.Errorf("a broken body came through as %q", got)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestUnfitAnswers(t *testing.T) {
	answers := map[string]func() *message.Response{
		"none":    func() *message.Response { return nil },
		"panic":   func() *message.Response { panic("oops") },
		"interim": func() *message.Response { return &message.Response{Status: 101} },
		"new line": func() *message.Response {
			return message.Text(200, "", "x", message.Field{Name: "A", Value: "b\r\nC: d"})
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			o := Options{Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return answer() })}
			if resp, _, err := do(t, dial(t, o, nil), "GET", "http://h/", nil); err != nil || resp.StatusCode != 500 {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
}

func TestDrain(t *testing.T) {
	drain, cancel := context.WithCancel(context.Background())
	started := make(chan struct{})
	release := make(chan struct{})
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		close(started)
		<-release
		return message.Text(200, "", "done")
	})
	cc := dial(t, Options{Handler: h, Drain: drain}, nil)
	go func() {
		<-started
		cancel()
		close(release)
	}()
	if _, got, err := do(t, cc, "GET", "http://h/", nil); err != nil || got != "done" {
		t.Errorf("got %q, %v", got, err)
	}
}
