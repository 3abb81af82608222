package http2

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// realServer serves h over TLS with net/http's HTTP/2, and returns a client for it.
func realServer(t *testing.T, h http.HandlerFunc) *ClientConn {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	nc, err := tls.Dial("tcp", s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	k := NewClientConn(nc, ClientOptions{})
	t.Cleanup(k.Close)
	return k
}

func ask(k *ClientConn, r *message.Request) (*message.Response, string, error) {
	if !k.Reserve() {
		return nil, "", errors.New("no room")
	}
	resp, err := k.RoundTrip(context.Background(), r, Call{})
	if err != nil {
		return nil, "", err
	}
	if resp.Body == nil {
		return resp, "", nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

func getRequest(path string) *message.Request {
	return &message.Request{Method: "GET", Scheme: "https", Host: "origin.example", Path: path}
}

func TestClientRealServer(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, more than the windows
	k := realServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Saw", fmt.Sprint(r.Proto, " ", r.Method, " ", r.Host, " ", r.RequestURI, " ", r.Header.Get("X-A"), r.Header["Te"], r.ContentLength))
		switch r.URL.Path {
		case "/big":
			_, _ = w.Write(big)
		case "/echo":
			w.Header().Set("Trailer", "Grpc-Status")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("Grpc-Status", "0")
		case "/hints":
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
		case "/abort":
			_, _ = io.WriteString(w, "some")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		}
	})
	r := getRequest("/a%2Fb")
	r.Query, r.HasQuery = "x=1", true
	r.Header = message.Header{{Name: "X-A", Value: "1"}, {Name: "TE", Value: "trailers"}, {Name: "Connection", Value: "close"}, {Name: "Host", Value: "other"}}
	resp, body, err := ask(k, r)
	if err != nil || resp.Status != 200 || body != "" || resp.Header.Get("X-Saw") != "HTTP/2.0 GET origin.example /a%2Fb?x=1 1[trailers] 0" {
		t.Errorf("got %+v, %q, %v", resp, body, err)
	}
	if _, body, err = ask(k, getRequest("/big")); err != nil || body != string(big) {
		t.Errorf("got %d bytes, %v", len(body), err)
	}
	for name, length := range map[string]int64{"known": int64(len(big)), "unknown": -1} {
		r = getRequest("/echo")
		r.Method, r.Body, r.ContentLength = "POST", bytes.NewReader(big), length
		resp, body, err = ask(k, r)
		if err != nil || body != string(big) {
			t.Fatalf("%s: got %d bytes, %v", name, len(body), err)
		}
		if got := resp.Trailer().Get("grpc-status"); got != "0" {
			t.Errorf("%s: got trailer %v", name, resp.Trailer())
		}
	}
	if resp, _, err = ask(k, getRequest("/hints")); err != nil || resp.Status != 200 {
		t.Errorf("got %+v, %v", resp, err)
	}
	if _, body, err = ask(k, getRequest("/abort")); body != "some" || http1.KindOf(err) != http1.Incomplete {
		t.Errorf("got %q, %v", body, err)
	}
	if resp, _, err = ask(k, getRequest("/none")); err != nil || resp.Status != 204 || resp.Body != nil {
		t.Errorf("got %+v, %v", resp, err)
	}
	r = getRequest("/big")
	r.Method = "HEAD"
	if resp, _, err = ask(k, r); err != nil || resp.Body != nil {
		t.Errorf("got %+v, %v", resp, err)
	}
}

// TestClientTogether has many requests share a connection, some of which are given up.
func TestClientTogether(t *testing.T) {
	k := realServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			<-r.Context().Done()
			return
		}
		_, _ = io.Copy(w, r.Body)
	})
	text := strings.Repeat("x", 100_000)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if i%3 == 0 {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				if !k.Reserve() {
					t.Error("no room")
					return
				}
				cancel()
				if _, err := k.RoundTrip(ctx, getRequest("/wait"), Call{}); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
				return
			}
			r := getRequest("/")
			r.Method, r.Body, r.ContentLength = "POST", strings.NewReader(text), -1
			if _, body, err := ask(k, r); err != nil || body != text {
				t.Errorf("got %d bytes, %v", len(body), err)
			}
		})
	}
	wg.Wait()
	k.c.mu.Lock()
	defer k.c.mu.Unlock()
	if len(k.c.streams) != 0 || k.c.uploads != 0 || k.reserved != 0 {
		t.Errorf("%d streams, %d uploads, %d reserved are left", len(k.c.streams), k.c.uploads, k.reserved)
	}
}

// TestClientBidirectional has both sides speak in turn on one stream, as gRPC does.
func TestClientBidirectional(t *testing.T) {
	k := realServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		b := make([]byte, 100)
		for {
			n, err := r.Body.Read(b)
			if n > 0 {
				_, _ = w.Write(bytes.ToUpper(b[:n]))
				w.(http.Flusher).Flush()
			}
			if err != nil {
				break
			}
		}
		w.Header().Set("Grpc-Status", "7")
	})
	if !k.Reserve() {
		t.Fatal("no room")
	}
	pr, pw := io.Pipe()
	r := getRequest("/svc/Method")
	r.Method, r.Body, r.ContentLength = "POST", pr, -1
	resp, err := k.RoundTrip(t.Context(), r, Call{})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b := make([]byte, 100)
	for _, word := range []string{"one", "two", "three"} {
		_, _ = io.WriteString(pw, word)
		n, err := io.ReadFull(resp.Body, b[:len(word)])
		if err != nil || string(b[:n]) != strings.ToUpper(word) {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
	pw.Close()
	if _, err := resp.Body.Read(b); err != io.EOF {
		t.Errorf("got %v", err)
	}
	if got := resp.Trailer(); len(got) != 1 || got.Get("grpc-status") != "7" {
		t.Errorf("got %v", got)
	}
}

// TestTwoOfOurs has our client speak to our server, through a small pipe, in both directions at once.
func TestTwoOfOurs(t *testing.T) {
	near, far := net.Pipe()
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		pr, pw := io.Pipe()
		go func() { _, err := io.Copy(pw, r.Body); _ = pw.CloseWithError(err) }()
		return &message.Response{Status: 200, ContentLength: -1, Body: pr,
			Trailer: func() message.Header {
				return message.Header{{Name: "Grpc-Status", Value: "0"}, {Name: "Connection", Value: "x"}}
			}}
	})
	done := make(chan struct{})
	go func() { defer close(done); ServeConn(context.Background(), far, Options{Handler: h}) }()
	k := NewClientConn(near, ClientOptions{})
	text := strings.Repeat("0123456789", 300_000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r := getRequest("/")
			r.Method, r.Body, r.ContentLength = "POST", strings.NewReader(text), -1
			resp, body, err := ask(k, r)
			if err != nil || body != text {
				t.Errorf("got %d bytes, %v", len(body), err)
			} else if got := fmt.Sprint(resp.Trailer()); got != "[{grpc-status 0}]" {
				t.Errorf("got trailer %s", got)
			}
		})
	}
	wg.Wait()
	k.Close()
	<-done
}
