package http1

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// TestSmuggling has one case for each known way to make two servers see different requests in the same bytes.
func TestSmuggling(t *testing.T) {
	post := func(fields, body string) string {
		return "POST / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n" + body
	}
	smuggled := "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	tests := []struct{ name, in string }{
		{"CL.TE", post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", smuggled)},
		{"TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", smuggled)},
		{"TE.TE", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", smuggled)},
		{"TE.TE twice", post("Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n", smuggled)},
		{"TE list", post("Transfer-Encoding: chunked, identity\r\n", smuggled)},
		{"TE list before", post("Transfer-Encoding: identity, chunked\r\n", smuggled)},
		{"TE unknown", post("Transfer-Encoding: xchunked\r\n", smuggled)},
		{"TE quoted", post("Transfer-Encoding: \"chunked\"\r\n", smuggled)},
		{"TE empty", post("Transfer-Encoding:\r\n", smuggled)},
		{"TE with parameter", post("Transfer-Encoding: chunked;q=1\r\n", smuggled)},
		{"TE vertical tab", post("Transfer-Encoding: \vchunked\r\n", smuggled)},
		{"TE space before colon", post("Transfer-Encoding : chunked\r\n", smuggled)},
		{"TE tab before colon", post("Transfer-Encoding\t: chunked\r\n", smuggled)},
		{"TE folded", post("Transfer-Encoding:\r\n chunked\r\n", smuggled)},
		{"TE behind bare CR", post("X: y\rTransfer-Encoding: chunked\r\n", smuggled)},
		{"TE behind bare LF", post("X: y\nTransfer-Encoding: chunked\r\n", smuggled)},
		{"TE behind NUL", post("X: y\x00\r\nTransfer-Encoding: chunked\r\n", smuggled)},
		{"TE with NUL in its name", post("Transfer\x00-Encoding: chunked\r\n", smuggled)},
		{"TE in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + smuggled},
		{"CL twice", post("Content-Length: 0\r\nContent-Length: 5\r\n", smuggled)},
		{"CL twice alike", post("Content-Length: 5\r\nContent-Length: 5\r\n", smuggled)},
		{"CL list", post("Content-Length: 5, 5\r\n", smuggled)},
		{"CL plus", post("Content-Length: +5\r\n", smuggled)},
		{"CL minus", post("Content-Length: -5\r\n", smuggled)},
		{"CL hexadecimal", post("Content-Length: 0x5\r\n", smuggled)},
		{"CL with underscore", post("Content-Length: 1_0\r\n", smuggled)},
		{"CL with point", post("Content-Length: 5.0\r\n", smuggled)},
		{"CL empty", post("Content-Length: \r\n", smuggled)},
		{"CL too big", post("Content-Length: 9223372036854775808\r\n", smuggled)},
		{"CL space before colon", post("Content-Length : 5\r\n", smuggled)},
		{"CL folded", post("Content-Length:\r\n 5\r\n", smuggled)},
		{"field folded", post("X: y\r\n z\r\n", "")},
		{"first line folded", "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
		{"no name", post(": x\r\n", "")},
		{"no colon", post("X\r\n", "")},
		{"Host twice", "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n"},
		{"Host absent", "GET / HTTP/1.1\r\nA: b\r\n\r\n"},
		{"Host empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
		{"Host list", "GET / HTTP/1.1\r\nHost: h, i\r\n\r\n"},
		{"Host with userinfo", "GET / HTTP/1.1\r\nHost: a@h\r\n\r\n"},
		{"Host with path", "GET / HTTP/1.1\r\nHost: h/i\r\n\r\n"},
		{"Host with a bad port", "GET / HTTP/1.1\r\nHost: h:8o\r\n\r\n"},
		{"Host with two ports", "GET / HTTP/1.1\r\nHost: h:80:80\r\n\r\n"},
		{"Host with space", "GET / HTTP/1.1\r\nHost: h i\r\n\r\n"},
		{"Host in broken brackets", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"},
		{"absolute form against Host", "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"},
		{"absolute form with userinfo", "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"absolute form of another scheme", "GET https://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"absolute form of an unknown scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target without a slash", "GET x HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target with a space", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target with a tab", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target with NUL", "GET /a\x00b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target with a fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"target with bytes of UTF-8", "GET /ä HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"two spaces behind the method", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"two spaces before the version", "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"space behind the version", "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
		{"small letters in the version", "GET / http/1.1\r\nHost: h\r\n\r\n"},
		{"no version", "GET /\r\nHost: h\r\n\r\n"},
		{"method with a colon", "GE:T / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"bare LF behind the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n"},
		{"bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n"},
		{"two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"space first", " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"TLS", "\x16\x03\x01\x02\x00\x01"},
		{"CONNECT without a proxy", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n"},
		{"star of a GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			called := false
			h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
				called = true
				return message.Text(200, "", "")
			})
			got := talk(t, Options{Handler: h}, tt.in)
			if called || !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "\r\nConnection: close\r\n") || strings.Count(got, "HTTP/1.1") != 1 {
				t.Errorf("handler called: %v, got %q", called, got)
			}
		})
	}
}

// TestBadChunks has bodies that break the chunked coding. A handler reads them: what counts is that it sees an error, that the
// client gets 400, and that nothing is read behind them.
func TestBadChunks(t *testing.T) {
	for _, body := range []string{
		"x\r\n", "\r\n", "-1\r\n", "+1\r\na\r\n0\r\n\r\n", "0x1\r\na\r\n0\r\n\r\n", "1 \r\na\r\n0\r\n\r\n", " 1\r\na\r\n0\r\n\r\n",
		"1\na\r\n0\r\n\r\n", "1\r\nab\r\n0\r\n\r\n", "1\r\na0\r\n\r\n", "1\r\na\n0\r\n\r\n", "1\r\na\r0\r\n\r\n",
		"1;\r\na\r\n0\r\n\r\n", "1;a b\r\na\r\n0\r\n\r\n", "1 ;a=b\r\na\r\n0\r\n\r\n", "1;a=\"b\r\na\r\n0\r\n\r\n", "1;a\x00\r\na\r\n0\r\n\r\n",
		"1;a=b\rc\r\na\r\n0\r\n\r\n", "1;\n", "10000000000000000\r\n", "ffffffffffffffff\r\n", strings.Repeat("0", 20) + "\r\n\r\n",
		"1;" + strings.Repeat("a", 300) + "\r\na\r\n0\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\n x\r\n\r\n", "0\r\nX: y\n\r\n", "0\r\nX: y\x00\r\n\r\n",
		"0\r\nX: " + strings.Repeat("y", 40<<10) + "\r\n\r\n", strings.Repeat("1;"+strings.Repeat("a", 200)+"\r\na\r\n", 100) + "0\r\n\r\n",
	} {
		got := talk(t, Options{Handler: echo}, "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+body+"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") || strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%.60q: got %.200q", body, got)
		}
	}
}

func TestLimits(t *testing.T) {
	o := Options{Handler: echo, MaxHead: 2000, MaxFields: 20, Reject: func(_ context.Context, j *Rejection) *message.Response {
		return message.Text(494, "text/html", j.Host+" "+j.Err.Kind.String())
	}}
	for name, in := range map[string]string{
		"long field":  "GET / HTTP/1.1\r\nHost: h.example:80\r\nA: " + strings.Repeat("x", 3000) + "\r\n\r\n",
		"no end":      "GET / HTTP/1.1\r\nHost: h.example:80\r\nA: " + strings.Repeat("x", 70000),
		"many fields": "GET / HTTP/1.1\r\nHost: h.example:80\r\n" + strings.Repeat("A: b\r\n", 21) + "\r\n",
	} {
		got := talk(t, o, in)
		if !strings.HasPrefix(got, "HTTP/1.1 494 \r\nContent-Type: text/html\r\n") || !strings.HasSuffix(got, "\r\n\r\nh.example head too big") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	exact := "GET / HTTP/1.1\r\nHost: h\r\nA: "
	exact += strings.Repeat("x", 2000-len(exact)-4) + "\r\n\r\n"
	if got := talk(t, o, exact); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Errorf("a head of the limit got %q", got)
	}
	for in, want := range map[string]string{
		"GET / HTTP/2.0\r\nHost: h\r\n\r\n":                      "HTTP/1.1 505 ",
		"GET / HTTP/1.1\r\nHost: h\r\nExpect: a-miracle\r\n\r\n": "HTTP/1.1 417 ",
	} {
		if got := talk(t, Options{Handler: echo}, in); !strings.HasPrefix(got, want) {
			t.Errorf("%q: got %q", in, got)
		}
	}
}

// TestOutgoing has answers that must not leave as they are.
func TestOutgoing(t *testing.T) {
	tests := []struct {
		name string
		resp func() *message.Response
	}{
		{"value", func() *message.Response {
			return message.Text(200, "", "x", message.Field{Name: "A", Value: "b\r\nSet-Cookie: c"})
		}},
		{"value with LF", func() *message.Response { return message.Text(200, "", "x", message.Field{Name: "A", Value: "b\nc"}) }},
		{"value with NUL", func() *message.Response { return message.Text(200, "", "x", message.Field{Name: "A", Value: "\x00"}) }},
		{"name", func() *message.Response { return message.Text(200, "", "x", message.Field{Name: "A\r\nB", Value: "c"}) }},
		{"name with space", func() *message.Response { return message.Text(200, "", "x", message.Field{Name: "A ", Value: "c"}) }},
		{"empty name", func() *message.Response { return message.Text(200, "", "x", message.Field{Value: "c"}) }},
		{"reason", func() *message.Response {
			r := message.Text(200, "", "x")
			r.Reason = "OK\r\nA: b"
			return r
		}},
		{"status", func() *message.Response { return message.Text(20, "", "x") }},
		{"interim", func() *message.Response { return message.Text(103, "", "x") }},
		{"unasked 101", func() *message.Response { return message.Text(101, "", "x") }},
		{"none", func() *message.Response { return nil }},
		{"panic", func() *message.Response { panic("no") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var reported error
			o := Options{Report: func(err error) { reported = err }, Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return tt.resp() })}
			got := talk(t, o, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
			if !strings.HasPrefix(got, "HTTP/1.1 500 ") || strings.Count(got, "HTTP/1.1") != 1 {
				t.Errorf("got %q", got)
			}
			if tt.name == "panic" && reported == nil {
				t.Error("the panic was not reported")
			}
		})
	}
}

// TestFraming has the framing of answers: what the engine writes whatever the handler's fields say.
func TestFraming(t *testing.T) {
	stream := func(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }
	tests := []struct {
		name, request string
		resp          func() *message.Response
		want, not     string
	}{
		{"fields of ours", "GET / HTTP/1.1", func() *message.Response {
			return message.Text(200, "a/b", "xy", message.Field{Name: "Content-Length", Value: "7"}, message.Field{Name: "transfer-encoding", Value: "chunked"}, message.Field{Name: "Connection", Value: "close"})
		}, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 2\r\nConnection: keep-alive\r\n", "hunked"},
		{"unknown length", "GET / HTTP/1.1", func() *message.Response {
			return &message.Response{Status: 200, Body: stream("hello"), ContentLength: -1}
		}, "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "Content-Length"},
		{"unknown length in HTTP/1.0", "GET / HTTP/1.0\r\nConnection: keep-alive", func() *message.Response {
			return &message.Response{Status: 200, Body: stream("hello"), ContentLength: -1}
		}, "Connection: close\r\n\r\nhello", "chunked"},
		{"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nConnection: keep-alive", func() *message.Response { return message.Text(200, "", "x") }, "Connection: keep-alive\r\n\r\nx", "close"},
		{"HEAD", "HEAD / HTTP/1.1", func() *message.Response { return message.Text(200, "", "hello") }, "Content-Length: 5\r\nConnection: keep-alive\r\n\r\n", "hello"},
		{"204", "GET / HTTP/1.1", func() *message.Response { return message.Text(204, "", "hello") }, "HTTP/1.1 204 No Content\r\n", "Content-Length"},
		{"304", "GET / HTTP/1.1", func() *message.Response { return &message.Response{Status: 304} }, "HTTP/1.1 304 Not Modified\r\n", "Content-Length"},
		{"no body", "GET / HTTP/1.1", func() *message.Response { return &message.Response{Status: 200, ContentLength: -1} }, "Content-Length: 0\r\n", "chunked"},
		{"close", "GET / HTTP/1.1", func() *message.Response { r := message.Text(200, "", "x"); r.Close = true; return r }, "Connection: close\r\n", "keep-alive"},
		{"body too long", "GET / HTTP/1.1", func() *message.Response { r := message.Text(200, "", "hello"); r.ContentLength = 3; return r }, "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nhel", "lo"},
		{"big body too long", "GET / HTTP/1.1", func() *message.Response {
			r := message.Text(200, "", strings.Repeat("x", 100_000)+"END")
			r.ContentLength = 100_000
			return r
		}, strings.Repeat("x", 1000), "END"},
		{"own reason", "GET / HTTP/1.1", func() *message.Response { r := message.Text(299, "", ""); r.Reason = "Fine"; return r }, "HTTP/1.1 299 Fine\r\n", "OK"},
		{"own date", "GET / HTTP/1.1", func() *message.Response {
			return message.Text(200, "", "", message.Field{Name: "date", Value: "today"})
		}, "date: today\r\n", "Date: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := Options{Handler: message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return tt.resp() })}
			got := talk(t, o, tt.request+"\r\nHost: h\r\n\r\n")
			if tt.name != "own date" {
				if n := strings.Count(got, "\r\nDate: "); n != 1 {
					t.Errorf("%d Date fields", n)
				}
				i := strings.Index(got, "Date: ")
				end := i + strings.Index(got[i:], "\r\n") + 2
				got = got[:i] + got[end:]
			}
			if !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
				t.Errorf("got %q, want %q in it and not %q", got, tt.want, tt.not)
			}
		})
	}
}

type faulty struct{ r io.Reader }

func (f faulty) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err == io.EOF {
		err = errors.New("the origin broke")
	}
	return n, err
}
func (faulty) Close() error { return nil }

// TestIncompleteShows: a client must be able to tell that a body is not whole.
func TestIncompleteShows(t *testing.T) {
	for name, tt := range map[string]struct {
		length int64
		proto  string
	}{"known": {10, "1.1"}, "large": {1 << 20, "1.1"}, "chunked": {-1, "1.1"}, "until close": {-1, "1.0"}} {
		t.Run(name, func(t *testing.T) {
			h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response {
				return &message.Response{Status: 200, ContentLength: tt.length, Body: faulty{strings.NewReader("abc")}}
			})
			c := serve(t, Options{Handler: h})
			io.WriteString(c, "GET / HTTP/"+tt.proto+"\r\nHost: h\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				return // reset before the head was read
			}
			if b, err := io.ReadAll(resp.Body); err == nil {
				t.Errorf("net/http took %q for a whole body", b)
			}
		})
	}
}

func TestUnreadBodies(t *testing.T) {
	h := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return message.Text(200, "", "x") })
	next := "GET /next HTTP/1.1\r\nHost: h\r\n\r\n"
	for _, tt := range []struct {
		name, in string
		answers  int
	}{
		{"small", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello" + next, 2},
		{"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + next, 2},
		{"bad chunks", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!" + next, 1},
		{"big", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n" + strings.Repeat("x", 300000) + next, 1},
	} {
		if got := talk(t, Options{Handler: h}, tt.in); strings.Count(got, "HTTP/1.1 200") != tt.answers {
			t.Errorf("%s: got %q", tt.name, got)
		}
	}
}

// TestLateReader: a goroutine that a handler leaves behind gets no bytes of the next request.
func TestLateReader(t *testing.T) {
	late := make(chan error, 1)
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if body := r.Body; body != nil {
			go func() { _, err := io.ReadAll(body); late <- err }()
		}
		return message.Text(200, "", "x")
	})
	c := serve(t, Options{Handler: h})
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
	if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := <-late; err == nil {
		t.Error("the late reader saw a whole body")
	}
}

func TestUpgrade(t *testing.T) {
	shake := "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly"
	accept := &message.Response{Status: 101, Header: message.Header{{Name: "Sec-WebSocket-Accept", Value: "x"}}}
	claim := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
			return message.Text(400, "", "no upgrade")
		}
		rw, err := r.Upgrade()
		if err != nil {
			return message.Text(500, "", err.Error())
		}
		go func() { defer rw.Close(); b := make([]byte, 5); io.ReadFull(rw, b); rw.Write(bytes.ToUpper(b)) }()
		return accept
	})
	pass := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil
		}
		defer ln.Close()
		near, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			return nil
		}
		far, err := ln.Accept()
		if err != nil {
			return nil
		}
		go func() { defer far.Close(); b, _ := io.ReadAll(far); far.Write(bytes.ToUpper(b)) }()
		return &message.Response{Status: 101, Header: accept.Header, Body: near}
	})
	for name, h := range map[string]message.Handler{"claimed": claim, "passed on": pass} {
		got := talk(t, Options{Handler: h}, shake)
		if want := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n"; !strings.HasPrefix(got, want) ||
			!strings.Contains(got, "Upgrade: websocket\r\nConnection: Upgrade\r\n") || !strings.HasSuffix(got, "\r\n\r\nEARLY") {
			t.Errorf("%s: got %q", name, got)
		}
	}
	refuse := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		rw, _ := r.Upgrade()
		t.Cleanup(func() {
			if _, err := rw.Read(make([]byte, 1)); err == nil {
				t.Error("a refused upgrade could be read")
			}
		})
		return message.Text(403, "", "no")
	})
	if got := talk(t, Options{Handler: refuse}, shake); !strings.HasPrefix(got, "HTTP/1.1 403") {
		t.Errorf("refused: got %q", got)
	}
	tunnel := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		rw, _ := r.Upgrade()
		conn := rw.(net.Conn)
		host := r.Host
		go func() { defer conn.Close(); io.WriteString(conn, "hello from "+host) }()
		return &message.Response{Status: 200}
	})
	got := talk(t, Options{Handler: echo, Connect: tunnel}, "CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got, "\r\n\r\nhello from h.example:443") || strings.Contains(got, "Content-Length") {
		t.Errorf("CONNECT: got %q", got)
	}
	proxy := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response { return message.Text(200, "", r.URL()) })
	got = talk(t, Options{Handler: echo, Proxy: proxy}, "GET https://h.example/x?y HTTP/1.1\r\nHost: h.example\r\nProxy-Connection: keep-alive\r\n\r\n")
	if !strings.HasSuffix(got, "\r\n\r\nhttps://h.example/x?y") {
		t.Errorf("proxy: got %q", got)
	}
}
