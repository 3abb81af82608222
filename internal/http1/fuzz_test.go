package http1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// got is a request with its body as a handler saw it.
type got struct {
	message.Request
	body string
	err  error
}

func serveAll(in []byte, piece int) (all []got, answer string) {
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		g := got{Request: *r.Clone()}
		if r.Body != nil {
			b, err := io.ReadAll(r.Body)
			g.body, g.err = string(b), err
		}
		all = append(all, g)
		return message.Text(200, "", "")
	})
	conn := &script{in: bytes.Clone(in), piece: piece}
	ServeConn(context.Background(), conn, Options{Handler: h})
	return all, conn.out.String()
}

// FuzzRequest: what this engine takes for requests, net/http takes for the same ones; what it passes on is taken by both for
// what it was; and how bytes are cut into packets makes no difference.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\r\nGET /a?b HTTP/1.1\r\nHost: h:80\r\nA: b\r\nA:  c \r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
		"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: u\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET http://h/x HTTP/1.1\r\nHost: h\r\nConnection: close, A\r\nA: b\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", "PUT / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		all, answer := serveAll(in, 0)
		pieces, pieceAnswer := serveAll(in, 1+abs(piece)%9)
		if len(all) != len(pieces) || strings.Count(answer, "HTTP/1.1 ") != strings.Count(strings.ReplaceAll(pieceAnswer, "HTTP/1.1 100 Continue\r\n\r\n", ""), "HTTP/1.1 ") && !strings.Contains(answer+pieceAnswer, "100 Continue") {
			t.Fatalf("%d requests at once, %d in pieces", len(all), len(pieces))
		}
		theirs := bufio.NewReader(bytes.NewReader(bytes.TrimPrefix(in, []byte("\r\n"))))
		for i, g := range all {
			if p := pieces[i]; g.body != p.body || g.URL() != p.URL() || (g.err == nil) != (p.err == nil) {
				t.Fatalf("%q at once, %q in pieces", g.URL()+g.body, p.URL()+p.body)
			}
			if i > 0 {
				if b, _ := theirs.Peek(2); string(b) == "\r\n" {
					theirs.Discard(2)
				}
			}
			if !sameAsNetHTTP(t, g, theirs) {
				return
			}
			passOn(t, g)
		}
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

// sameAsNetHTTP compares with net/http's reading of the same bytes. It returns false where the comparison has to end: net/http
// refuses paths that net/url cannot parse, which here are the engines' business.
func sameAsNetHTTP(t *testing.T, g got, r *bufio.Reader) bool {
	h, err := http.ReadRequest(r)
	if err != nil {
		if s := err.Error(); strings.Contains(s, "parse ") || strings.Contains(s, "invalid URI") || strings.Contains(s, "too many") || strings.Contains(s, "unexpected EOF") {
			return false
		}
		t.Fatalf("taken here as %s %s, refused by net/http: %v", g.Method, g.URL(), err)
	}
	if h.Method != g.Method || h.URL.Host == "" && h.RequestURI != g.Target() || !strings.EqualFold(TrimPort(h.Host, "http"), g.Host) {
		t.Fatalf("here %s %s, net/http %s %s %s", g.Method, g.URL(), h.Method, h.Host, h.RequestURI)
	}
	b, err := io.ReadAll(h.Body)
	if g.err == nil && (err != nil || string(b) != g.body) {
		t.Fatalf("body here %q, net/http %q, %v", g.body, b, err)
	}
	return g.err == nil
}

// passOn sends the request onwards and reads what was sent.
func passOn(t *testing.T, g got) {
	r := g.Request
	if r.Host == "" || r.Proto == message.HTTP10 && r.ContentLength < 0 {
		return
	}
	r.Body = nil
	if r.ContentLength != 0 {
		r.Body = strings.NewReader(g.body)
		r.ContentLength = int64(len(g.body))
	}
	conn := &script{in: []byte("HTTP/1.1 204 No Content\r\n\r\n")}
	if _, err := NewClientConn(conn, ClientOptions{}).RoundTrip(&r); err != nil {
		t.Fatalf("pass on %s: %v", r.URL(), err)
	}
	again, answer := serveAll(conn.out.Bytes(), 0)
	if len(again) != 1 {
		t.Fatalf("%q was passed on as %q: %q", g.URL(), conn.out.String(), answer)
	}
	if a := again[0]; a.Method != g.Method || a.URL() != g.URL() || a.body != g.body || a.err != nil {
		t.Fatalf("%s %s %q was passed on as %s %s %q", g.Method, g.URL(), g.body, a.Method, a.URL(), a.body)
	}
}

// FuzzResponse: an answer that this engine takes for whole, net/http takes for the same.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.0 404 Not Found\r\n\r\nuntil the end", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	} {
		f.Add([]byte(s), 2)
	}
	f.Fuzz(func(t *testing.T, in []byte, piece int) {
		status, body, err := answerTo(in, 0)
		if s, b, e := answerTo(in, 1+abs(piece)%9); s != status || b != body || (e == nil) != (err == nil) {
			t.Fatalf("at once %d %q %v, in pieces %d %q %v", status, body, err, s, b, e)
		}
		if err != nil {
			return
		}
		r := bufio.NewReader(bytes.NewReader(in))
		for {
			h, err := http.ReadResponse(r, &http.Request{Method: "GET"})
			if err != nil {
				t.Fatalf("taken here as %d, refused by net/http: %v", status, err)
			}
			if h.StatusCode < 200 {
				continue
			}
			b, err := io.ReadAll(h.Body)
			if h.StatusCode != status || string(b) != body || err != nil {
				t.Fatalf("here %d %q, net/http %d %q %v", status, body, h.StatusCode, b, err)
			}
			return
		}
	})
}

func answerTo(in []byte, piece int) (status int, body string, err error) {
	conn := &script{in: bytes.Clone(in), piece: piece}
	resp, err := NewClientConn(conn, ClientOptions{}).RoundTrip(&message.Request{Method: "GET", Host: "h", Path: "/"})
	if err != nil {
		return 0, "", err
	}
	if resp.Body == nil {
		return resp.Status, "", nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.Status, string(b), err
}

// FuzzChunked: a chunked body that this engine takes for whole, net/http takes for the same.
func FuzzChunked(f *testing.F) {
	for _, s := range []string{"0\r\n\r\n", "3\r\nabc\r\n0\r\n\r\n", "A;x=\"y\\\"\"\r\n0123456789\r\n00\r\nT: u\r\n\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		b := framed{w: &wire{conn: &script{in: bytes.Clone(in)}}, kind: byChunks, limit: 1000}
		ours, err := io.ReadAll(readerFunc(b.read))
		if err != nil {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(in)))
		if err != nil || !bytes.Equal(ours, theirs) {
			t.Fatalf("here %q, net/http %q, %v", ours, theirs, err)
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// FuzzOutgoing: whatever a handler answers, one message leaves, and it has what the handler gave.
func FuzzOutgoing(f *testing.F) {
	f.Add(200, "OK", "A", "b", "body", int64(4))
	f.Add(200, "", "A\r\nB", "c", "body", int64(-1))
	f.Add(304, "", "Content-Length", "c\nd", "", int64(9))
	f.Fuzz(func(t *testing.T, status int, reason, name, value, body string, length int64) {
		if length > 1<<20 {
			return
		}
		h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
			r := message.Text(status, "", body, message.Field{Name: name, Value: value})
			r.Reason, r.ContentLength = reason, length
			return r
		})
		conn := &script{in: []byte("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")}
		ServeConn(context.Background(), conn, Options{Handler: h})
		r := bufio.NewReader(&conn.out)
		resp, err := http.ReadResponse(r, &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("net/http refuses what was sent: %v", err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil && length <= int64(len(body)) {
			t.Fatalf("net/http refuses the body: %v", err)
		}
		if resp.StatusCode == status && status >= 200 && status != 500 && status != 204 && status != 304 && !strings.HasPrefix(body, string(b)) {
			t.Fatalf("sent %q for %q", b, body)
		}
		if r.Buffered() > 0 {
			t.Fatal("more than one message was sent")
		}
	})
}

// FuzzSend: whatever an engine asks to be sent, one request leaves, and it is the one that was asked for; or none does.
func FuzzSend(f *testing.F) {
	f.Add("GET", "h", "/a", "b=c", "A", "b", "")
	f.Add("POST", "h:80", "/a b", "", "Content-Length", "5", "hello")
	f.Add("GET", "h", "/?x", "#", "Transfer-Encoding", "chunked", "0\r\n\r\n")
	f.Add("GET\r\n", "h\r\n", "/\r\n", "\r\n", "A\r\n", "\r\n", "")
	f.Add("OPTIONS", "[::1]", "*", "", "Connection", "A", "")
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, body string) {
		r := &message.Request{Method: method, Host: host, Path: path, Query: query, Header: message.Header{{Name: name, Value: value}}}
		if body != "" {
			r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
		}
		conn := &script{in: []byte("HTTP/1.1 204 No Content\r\n\r\n")}
		if _, err := NewClientConn(conn, ClientOptions{}).RoundTrip(r); err != nil {
			if conn.out.Len() > 0 {
				t.Fatalf("refused with %v, but %q was sent", err, conn.out.String())
			}
			return
		}
		all, answer := serveAll(conn.out.Bytes(), 0)
		if len(all) != 1 || strings.Count(answer, "HTTP/1.1 ") != 1 {
			t.Fatalf("%q was sent: %d requests, %q", conn.out.String(), len(all), answer)
		}
		g := all[0]
		if g.Method != method || g.Path != path || g.Query != query || g.Host != TrimPort(host, "http") || g.body != body || g.err != nil {
			t.Fatalf("%q was sent", conn.out.String())
		}
		if v, ok := g.Header.Lookup(name); ok && v != trimSpace(value) {
			t.Fatalf("%q was sent", conn.out.String())
		}
		sameAsNetHTTP(t, g, bufio.NewReader(bytes.NewReader(conn.out.Bytes())))
	})
}

// FuzzTheirs: whatever request or answer net/http writes, this engine reads as what it was. It is the other half of FuzzRequest and
// FuzzResponse, which hold that all that is read here is read alike there.
func FuzzTheirs(f *testing.F) {
	f.Add("POST", "h.example", "/a", "b=c", "X-A", "b", "hello", false)
	f.Add("GET", "h.example:8080", "/%20", "", "Cookie", "a=b; c", "", true)
	f.Add("DELETE", "[::1]", "/", "q", "Connection", "close", "0\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, method, host, path, query, name, value, body string, chunked bool) {
		h := http.Header{}
		h.Set(name, value)
		for _, own := range []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "Upgrade", "Expect", "Trailer", "User-Agent"} {
			h.Del(own)
		}
		length := int64(len(body))
		if chunked {
			length = -1
		}
		r := &http.Request{Method: method, Host: host, URL: &url.URL{Path: path, RawQuery: query}, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: length}
		if length == 0 {
			r.Body = nil
		}
		var sent bytes.Buffer
		// What net/http would write but no server takes: methods with bodies of no sense, hosts that are none, odd targets.
		if r.Write(&sent) == nil && path != "" && path[0] == '/' && ValidTarget(r.URL.RequestURI()) && ValidName(method) && method != "CONNECT" && ValidHost(host) && fit(h) {
			all, answer := serveAll(sent.Bytes(), 0)
			if len(all) != 1 || all[0].body != body || all[0].err != nil || all[0].Method != method {
				t.Fatalf("net/http sends %q, which is answered with %q, %+v", sent.Bytes(), answer, all)
			}
		}
		resp := &http.Response{StatusCode: 200, ProtoMajor: 1, ProtoMinor: 1, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: length, Request: &http.Request{Method: "GET"}}
		sent.Reset()
		if resp.Write(&sent) == nil && fit(h) {
			if status, got, err := answerTo(sent.Bytes(), 0); err != nil || status != 200 || got != body {
				t.Fatalf("net/http answers %q, which is read as %d %q, %v", sent.Bytes(), status, got, err)
			}
		}
	})
}

// fit tells whether fields may be sent: net/http's Write replaces what may not, or leaves it out, in ways of its own.
func fit(h http.Header) bool {
	for name, values := range h {
		if !ValidName(name) || !ValidValue(values[0]) {
			return false
		}
	}
	return true
}
