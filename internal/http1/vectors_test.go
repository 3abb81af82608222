package http1

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

type vector struct {
	Src, Name, Type, Verdict string
	Input                    []byte `json:"input_b64"`
	Error                    *struct{ Reason string }
}

// vectors reads the llhttp test cases, which are not part of this repository.
func vectors(t *testing.T) []vector {
	t.Helper()
	dir := os.Getenv("FOREGATE_VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	b, err := os.ReadFile(filepath.Join(dir, "http1", "llhttp.jsonl"))
	if err != nil {
		t.Skipf("the llhttp vectors are not here; set FOREGATE_VECTORS to have them tested: %v", err)
	}
	var out []vector
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var v vector
		if err := json.Unmarshal(s.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// taken is what a handler got of a raw request.
type taken struct {
	requests int
	whole    int // requests whose body was read to its end
	answer   string
}

// script is a connection whose client sends in, in pieces of the given size (0: all at once), and then ends its side.
type script struct {
	net.Conn
	in    []byte
	piece int
	out   bytes.Buffer
}

func (s *script) Read(p []byte) (int, error) {
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := len(s.in)
	if s.piece > 0 {
		n = min(n, s.piece)
	}
	n = copy(p, s.in[:n])
	s.in = s.in[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (*script) Close() error                       { return nil }
func (*script) RemoteAddr() net.Addr               { return nil }
func (*script) SetDeadline(time.Time) error        { return nil }
func (*script) SetReadDeadline(time.Time) error    { return nil }
func (*script) SetWriteDeadline(t time.Time) error { return nil }

// offer sends raw bytes to a server and sees what reaches the handler.
func offer(in []byte, piece int) (got taken) {
	h := message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		got.requests++
		if r.Body != nil {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return message.Text(200, "", "body failed")
			}
		}
		got.whole++
		return message.Text(200, "", "ok")
	})
	conn := &script{in: bytes.Clone(in), piece: piece}
	ServeConn(context.Background(), conn, Options{Handler: h, Connect: h, Proxy: h})
	got.answer = conn.out.String()
	return got
}

// differences are the request cases that this engine decides otherwise than llhttp, on purpose, by part of their name.
var differences = []struct{ name, why string }{
	{"ANNOUNCE", "any token may be a method (rfc9110 9.1): the engines behind decide which they allow; RTSP is not HTTP"},
	{"Invalid method", "any token may be a method (rfc9110 9.1)"},
	{"M-SEARCH", "the target * is for OPTIONS only (rfc9112 3.2.4)"},
	{"SOURCE request with ICE", "ICE is not HTTP"},
	{"OPTIONS request with RTSP", "RTSP is not HTTP"},
	{"No HTTP version", "HTTP/0.9 has no Host and no status: nobody speaks it on purpose"},
	{"POST with `chunked` as last transfer-encoding", "one chunked is the only Transfer-Encoding taken: other codings are not understood, and lists are where parsers differ"},
	{"Host terminated by a query string", "the case's target names another host than the Host that the test adds"},
	{"`host:port` terminated by", "the case's target names another host than the Host that the test adds"},
	{"Fragment in URI", "a target has no fragment (rfc9112 3.2); servers differ in where they cut it, so a cache key could miss it"},
	{"basic auth", "userinfo in http URLs is to be treated as an error (rfc9110 4.2.4)"},
	{"when keep-alive is off (1.0)", "what follows a last request is ignored and the connection closed (rfc9112 9.6)"},
	{"explicit `close`", "what follows a last request is ignored and the connection closed (rfc9112 9.6)"},
	{"Multiple tokens with folding and LWS", "llhttp stops at an upgrade; that is no refusal"},
	{"`upgrade` / ", "llhttp stops at an upgrade; that is no refusal. Only WebSocket is surfaced, other upgrades are ignored (rfc9110 7.8)"},
	{"Methods / CONNECT request", "llhttp stops at CONNECT; that is no refusal"},
	{"Underscore in hostname", "llhttp stops at CONNECT; that is no refusal"},
}

func differs(v vector) bool {
	for _, d := range differences {
		if strings.Contains(v.Name, d.name) {
			return true
		}
	}
	return false
}

func TestRequestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Type != "request" {
			continue
		}
		t.Run(v.Src, func(t *testing.T) {
			// Many cases stop behind a field line and most have no Host: both are added, so that what is tested is what the
			// case is about.
			in := withHost(v.Input)
			got, again := offer(in, 0), offer(in, 1)
			if got.whole != again.whole || got.requests != again.requests {
				t.Errorf("at once %+v, byte by byte %+v", got, again)
			}
			switch ok := got.requests > 0 && strings.HasPrefix(got.answer, "HTTP/1.1 200 "); {
			case differs(v):
			case v.Verdict == "accept" && !ok:
				t.Errorf("%s: %q was refused: %q", v.Name, in, firstLine(got.answer))
			case v.Verdict == "reject" && got.whole > 0:
				t.Errorf("%s: %q was taken; llhttp says %v", v.Name, in, v.Error)
			case v.Verdict == "reject" && got.requests == 0 && got.answer != "" && !strings.HasPrefix(got.answer, "HTTP/1.1 400 ") && !strings.HasPrefix(got.answer, "HTTP/1.1 505 "):
				t.Errorf("%s: %q got %q", v.Name, in, firstLine(got.answer))
			}
		})
	}
}

// responseDifferences is differences for responses.
var responseDifferences = []struct{ name, why string }{
	{"Data after", "bytes behind an answer make the connection unfit for further use, but the answer is whole"},
	{"keep-alive disabled", "bytes behind a last answer are ignored and the connection closed"},
	{"RTSP response", "RTSP is not HTTP"},
	{"ICE response", "ICE is not HTTP"},
	{"HTTP version 0.9", "HTTP/0.9 has no status line"},
	{"Response starting with CRLF", "only servers are told to skip an empty line (rfc9112 2.2)"},
	{"HTTP 100 first, then 400", "the case has an empty line between two answers, which only servers are told to skip"},
	{"chunked` before other transfer-encoding", "one chunked is the only Transfer-Encoding taken"},
	{"multiple transfer-encoding where chunked", "one chunked is the only Transfer-Encoding taken"},
	{"chunkedchunked", "one chunked is the only Transfer-Encoding taken"},
}

func TestResponseVectors(t *testing.T) {
	for _, v := range vectors(t) {
		if v.Type != "response" {
			continue
		}
		t.Run(v.Src, func(t *testing.T) {
			in := v.Input
			if !bytes.Contains(in, []byte("\r\n\r\n")) && bytes.HasSuffix(in, []byte("\r\n")) {
				in = append(in[:len(in):len(in)], "\r\n"...)
			}
			whole, err := receive(in, 0)
			whole1, err1 := receive(in, 1)
			if (err == nil) != (err1 == nil) || whole != whole1 {
				t.Errorf("at once %v, %v, byte by byte %v, %v", whole, err, whole1, err1)
			}
			for _, d := range responseDifferences {
				if strings.Contains(v.Name, d.name) {
					return
				}
			}
			switch {
			case v.Verdict == "accept" && (err != nil && !errors.Is(err, io.ErrUnexpectedEOF)):
				t.Errorf("%s: %q was refused: %v", v.Name, in, err)
			case v.Verdict == "reject" && whole:
				t.Errorf("%s: %q was taken; llhttp says %v", v.Name, in, v.Error)
			}
		})
	}
}

// receive gives raw bytes to a client as the answer to a GET and then the end of the connection. whole tells whether answer
// and body came to a proper end.
func receive(in []byte, piece int) (whole bool, err error) {
	conn := &script{in: bytes.Clone(in), piece: piece}
	resp, err := NewClientConn(conn, ClientOptions{}).RoundTrip(&message.Request{Method: "GET", Host: "h", Path: "/"})
	if err != nil {
		return false, err
	}
	if resp.Body != nil {
		defer resp.Body.Close()
		if _, err = io.Copy(io.Discard, resp.Body); err != nil {
			return false, err
		}
	}
	return true, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\r\n")
	return line
}

// withHost puts a Host behind each request line that lacks one and ends an unfinished head.
func withHost(in []byte) []byte {
	s := string(in)
	if i := strings.Index(s, " HTTP/1.1\r\n"); i >= 0 && !strings.Contains(strings.ToLower(s), "\nhost:") {
		s = strings.ReplaceAll(s, " HTTP/1.1\r\n", " HTTP/1.1\r\nHost: vector.example\r\n")
	}
	if !strings.Contains(s, "\r\n\r\n") && strings.HasSuffix(s, "\r\n") {
		s += "\r\n"
	}
	return []byte(s)
}
