package http2

//lint:file-ignore SA1019 the tests speak HTTP/2 on connections of their own, which net/http does not offer.

import (
	"context"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// exchanged is one exchange as the far side saw it, and what it answered with. The same fields go both ways.
type exchanged struct {
	method, target, value, body string
	seen                        bool
}

// sentName tells whether a field of this name, with this value, is for the other side to see: the two have to agree on it only
// when it means nothing to either.
func sentName(name, value string) bool {
	if !http1.ValidName(name) || !http1.ValidValue(value) || strings.Trim(value, " \t") != value || http1.FramesMessage(name) {
		return false
	}
	switch strings.ToLower(name) {
	case "host", "te", "expect", "cookie", "trailer", "priority", "user-agent", "accept-encoding", "date", "content-type", "http2-settings":
		return false
	}
	return !strings.HasPrefix(strings.ToLower(name), "trailer")
}

// FuzzPeers makes the same exchange with x/net's client and our server, and with our client and x/net's server: what either takes
// has to arrive as it was, both ways.
func FuzzPeers(f *testing.F) {
	f.Add("GET", "/a", "b=c", "X-A", "b", "", uint16(200))
	f.Add("POST", "/%20//x", "", "X-Long", strings.Repeat("v", 5000), strings.Repeat("body ", 20_000), uint16(404))
	f.Add("DELETE", "/", "q", "x_y", "\x80\xff", "b", uint16(204))
	f.Add("PUT", "/x", "a=%00", "A", "", "x", uint16(999))
	f.Fuzz(func(t *testing.T, method, path, query, name, value, body string, status uint16) {
		bodiless := status == http.StatusNoContent || status == http.StatusNotModified
		if !sentName(name, value) || !http1.ValidName(method) || method == "CONNECT" || method == "HEAD" || method == "PRI" || status < 200 || status > 999 || bodiless && body != "" {
			return
		}
		u := &url.URL{Scheme: "http", Host: "h.example", Path: path, RawQuery: query}
		if path == "" || path[0] != '/' || strings.HasPrefix(path, "//") || !http1.ValidTarget(u.RequestURI()) {
			return // x/net would send another path
		}
		want := exchanged{method, u.RequestURI(), value, body, true}
		if got, answer := theirClient(t, u, want, name, int(status)); got != want || answer.body != body || answer.value != value {
			t.Errorf("x/net's client: sent %+v, arrived %+v, answer %+v", want, got, answer)
		}
		if got, answer := ourClient(t, u, want, name, int(status)); got != want || answer.body != body || answer.value != value {
			t.Errorf("our client: sent %+v, arrived %+v, answer %+v", want, got, answer)
		}
	})
}

func theirClient(t *testing.T, u *url.URL, want exchanged, name string, status int) (got, answer exchanged) {
	near, far := newPipe(1 << 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ServeConn(context.Background(), far, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
			got = exchanged{method: r.Method, target: r.Target(), value: r.Header.Get(name), seen: true}
			if r.Body != nil {
				b, _ := io.ReadAll(r.Body)
				got.body = string(b)
			}
			return message.Text(status, "", want.body, message.Field{Name: name, Value: want.value})
		})})
	}()
	defer func() { near.Close(); <-done }()
	cc, err := (&http2.Transport{AllowHTTP: true, DisableCompression: true}).NewClientConn(near)
	if err != nil {
		t.Fatal(err)
	}
	r := (&http.Request{Method: want.method, URL: u, Header: http.Header{textproto.CanonicalMIMEHeaderKey(name): {want.value}}, ContentLength: int64(len(want.body))}).WithContext(t.Context())
	if want.body != "" {
		r.Body = io.NopCloser(strings.NewReader(want.body))
	}
	resp, err := cc.RoundTrip(r)
	if err != nil {
		t.Fatalf("x/net's client: %+v: %v", want, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status {
		t.Fatalf("x/net's client: %+v: %d, %v", want, resp.StatusCode, err)
	}
	return got, exchanged{value: resp.Header.Get(name), body: string(b)}
}

func ourClient(t *testing.T, u *url.URL, want exchanged, name string, status int) (got, answer exchanged) {
	near, far := newPipe(1 << 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		(&http2.Server{}).ServeConn(far, &http2.ServeConnOpts{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			got = exchanged{r.Method, r.RequestURI, r.Header.Get(name), string(b), true}
			w.Header().Set(name, want.value)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, want.body)
		})})
	}()
	k := NewClientConn(near, ClientOptions{})
	defer func() { k.Close(); <-done }()
	path, q, has := strings.Cut(want.target, "?")
	r := &message.Request{Method: want.method, Scheme: u.Scheme, Host: u.Host, Path: path, Query: q, HasQuery: has, Header: message.Header{{Name: name, Value: want.value}}}
	if want.body != "" {
		r.Body, r.ContentLength = strings.NewReader(want.body), int64(len(want.body))
	}
	resp, text, err := ask(k, r)
	if err != nil || resp.Status != status {
		t.Fatalf("our client: %+v: %+v, %v", want, resp, err)
	}
	return got, exchanged{value: resp.Header.Get(name), body: text}
}
