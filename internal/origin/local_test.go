package origin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/message"
)

func local(t testing.TB, f message.HandlerFunc) *Client {
	return newClient(t, Options{Local: func(string) (message.Handler, bool) { return f, true }})
}

func TestLocalTimeouts(t *testing.T) {
	slow := message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
		<-ctx.Done()
		return message.Text(200, "", "too late")
	})
	stalls := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
		r, w := io.Pipe()
		go w.Write([]byte("begun"))
		return &message.Response{Status: 200, ContentLength: -1, Body: r}
	})
	for name, h := range map[string]message.HandlerFunc{"answer": slow, "body": stalls} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				resp, err := local(t, h).Fetch(t.Context(), Target{Scheme: "http", Host: "a.example", ReadTimeout: 7 * time.Second}, get("/"))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if KindOf(err) != ResponseTimeout || time.Since(start) != 7*time.Second {
					t.Errorf("got %v after %v", err, time.Since(start))
				}
			})
		})
	}
}

func TestLocalFaults(t *testing.T) {
	tests := []struct {
		name string
		h    message.HandlerFunc
		want Kind
	}{
		{"panic", func(context.Context, *message.Request) *message.Response { panic("no") }, Closed},
		{"no answer", func(context.Context, *message.Request) *message.Response { return nil }, Protocol},
		{"bad field", func(context.Context, *message.Request) *message.Response {
			return message.Text(200, "", "", message.Field{Name: "A", Value: "b\nc"})
		}, Protocol},
		{"big head", func(context.Context, *message.Request) *message.Response {
			return message.Text(200, "", "", message.Field{Name: "A", Value: strings.Repeat("x", 40<<10)})
		}, HeaderTooBig},
		{"interim", func(context.Context, *message.Request) *message.Response { return message.Text(103, "", "") }, Protocol},
		{"unasked 101", func(context.Context, *message.Request) *message.Response { return message.Text(101, "", "") }, Protocol},
		{"short body", func(context.Context, *message.Request) *message.Response {
			r := message.Text(200, "", "abc")
			r.ContentLength = 5
			return r
		}, Incomplete},
		{"broken body", func(context.Context, *message.Request) *message.Response {
			return &message.Response{Status: 200, ContentLength: -1, Body: io.NopCloser(broken{})}
		}, Incomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resp, err := local(t, tt.h).Fetch(t.Context(), Target{Scheme: "http", Host: "a.example"}, get("/"))
			if err == nil {
				_, err = io.ReadAll(resp.Body)
				resp.Body.Close()
			}
			if KindOf(err) != tt.want {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestLocalBodies(t *testing.T) {
	h := func(_ context.Context, r *message.Request) *message.Response {
		switch r.Path {
		case "/204":
			return message.Text(204, "", "ignored")
		case "/long":
			m := message.Text(200, "", "hello")
			m.ContentLength = 2
			return m
		}
		return message.Text(200, "", "hello")
	}
	c := local(t, h)
	for _, tt := range []struct {
		method, path, want string
		length             int64
	}{{"GET", "/", "hello", 5}, {"HEAD", "/", "", 5}, {"GET", "/long", "he", 2}, {"GET", "/204", "", 7}} {
		r := get(tt.path)
		r.Method = tt.method
		resp, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "a.example"}, r)
		if got := read(t, resp, err); got != tt.want || tt.path != "/204" && resp.ContentLength != tt.length {
			t.Errorf("%s %s: got %q, length %d", tt.method, tt.path, got, resp.ContentLength)
		}
	}
}

func TestLocalLoop(t *testing.T) {
	var c *Client
	depth := 0
	c = local(t, func(ctx context.Context, r *message.Request) *message.Response {
		depth++
		resp, err := c.Fetch(ctx, Target{Scheme: "http", Host: "a.example"}, r)
		if err != nil {
			return message.Text(508, "", KindOf(err).String())
		}
		return resp
	})
	resp, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "a.example"}, get("/"))
	if got := read(t, resp, err); got != Loop.String() || depth != maxDepth {
		t.Errorf("got %q, %d deep", got, depth)
	}
}

func TestLocalUpgrade(t *testing.T) {
	c := local(t, func(_ context.Context, r *message.Request) *message.Response {
		rw, err := r.Upgrade()
		if err != nil {
			return message.Text(500, "", err.Error())
		}
		go func() { defer rw.Close(); b := make([]byte, 5); io.ReadFull(rw, b); rw.Write(bytes.ToUpper(b)) }()
		return &message.Response{Status: 101}
	})
	r := get("/")
	r.Header = message.Header{{Name: "Upgrade", Value: "websocket"}, {Name: "Connection", Value: "Upgrade"}}
	resp, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "a.example"}, r)
	if err != nil || resp.Status != 101 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	rw := resp.Body.(io.ReadWriteCloser)
	defer rw.Close()
	io.WriteString(rw, "hello")
	if b, err := io.ReadAll(rw); string(b) != "HELLO" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestMatches(t *testing.T) {
	for _, tt := range []struct {
		name, host string
		want       bool
	}{
		{"a.example", "A.example", true}, {"*.example", "a.example", true}, {"*.example", "a.b.example", false}, {"*.example", "example", false},
		{"*.example", ".example", false}, {"*", "a", false}, {"a.example", "b.example", false}, {"a*.example", "ab.example", false},
	} {
		if got := matches([]string{tt.name}, tt.host); got != tt.want {
			t.Errorf("matches(%q, %q) = %v", tt.name, tt.host, got)
		}
	}
}

func TestLocalAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c := local(t, func(ctx context.Context, r *message.Request) *message.Response {
			if calls++; calls < 3 {
				<-ctx.Done()
			}
			return message.Text(200, "", r.Host)
		})
		start := time.Now()
		r := get("/")
		r.Host = ""
		resp, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "a.example", Attempts: 3}, r)
		if got := read(t, resp, err); got != "a.example" || time.Since(start) != time.Minute {
			t.Errorf("got %q after %v", got, time.Since(start))
		}
	})
}
