package http3

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// rawConn is a connection on which a test speaks frames.
type rawConn struct{ *quic.Conn }

// section encodes names and values, all as literals.
func section(fields ...string) []byte {
	b := []byte{0, 0}
	for i := 0; i < len(fields); i += 2 {
		b = appendInt(b, 0x20, 3, uint64(len(fields[i])))
		b = append(b, fields[i]...)
		b = append(appendInt(b, 0, 7, uint64(len(fields[i+1]))), fields[i+1]...)
	}
	return b
}

func getSection(path string) []byte {
	return section(":method", "GET", ":scheme", "https", ":authority", "h.example", ":path", path)
}

func frame(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

func headers(section []byte) []byte { return frame(frameHeaders, section) }

// request sends a request without a body.
func (c *rawConn) request(t testing.TB, section []byte) *quic.Stream {
	t.Helper()
	s, err := c.OpenStreamSync(t.Context())
	must(t, err)
	_, err = s.Write(headers(section))
	must(t, err)
	must(t, s.Close())
	return s
}

func isStreamError(err error, code quic.ApplicationErrorCode) bool {
	var e *quic.StreamError
	return errors.As(err, &e) && e.ErrorCode == quic.StreamErrorCode(code) && e.Remote
}

// readAllFrames reads the types of n frames of a stream in one direction.
func readAllFrames(t testing.TB, s io.Reader, n int) (kinds []uint64) {
	t.Helper()
	f := &frames{r: bufio.NewReader(s)}
	if _, err := readVarint(f.r); err != nil {
		t.Fatal(err)
	}
	for range n {
		h, err := f.next()
		must(t, err)
		_, err = f.payload(h, nil)
		must(t, err)
		kinds = append(kinds, h.kind)
	}
	return kinds
}

// ask sends bytes on a stream of their own, ends it, and returns status and body, or how stream or connection ended.
func (c *rawConn) ask(t testing.TB, b []byte) (status, body string, code quic.ApplicationErrorCode, conn bool) {
	t.Helper()
	s, err := c.OpenStreamSync(t.Context())
	must(t, err)
	_, _ = s.Write(b)
	_ = s.Close()
	f := &frames{r: bufio.NewReader(s)}
	var content []byte
	for {
		h, err := f.next()
		if err == io.EOF {
			return status, string(content), 0, false
		}
		var p []byte
		if err == nil {
			p, err = f.payload(h, nil)
		}
		var stream *quic.StreamError
		var app *quic.ApplicationError
		switch {
		case errors.As(err, &stream):
			return status, string(content), quic.ApplicationErrorCode(stream.ErrorCode), false
		case errors.As(err, &app):
			return status, string(content), app.ErrorCode, true
		case err != nil:
			t.Fatal(err)
		case h.kind == frameHeaders:
			var d decoder
			hd := &rawHead{}
			d.text, d.spans = nil, nil
			status = hd.status(t, &d, p)
		case h.kind == frameData:
			content = append(content, p...)
		}
	}
}

type rawHead struct{}

// status decodes an answer's section with the engine's decoder, which takes no :status: the spans tell.
func (rawHead) status(t testing.TB, d *decoder, p []byte) string {
	t.Helper()
	p = p[2:]
	s, _, ok := d.field(p)
	if !ok || s.static < 0 || staticTable[s.static].name != ":status" {
		t.Fatalf("an answer without a status: %x", p)
	}
	if s.whole {
		return staticTable[s.static].value
	}
	return string(d.text[s.nameEnd:s.end])
}

func TestStrict(t *testing.T) {
	o := Options{
		MaxHead: 1024, MaxFields: 20, Handler: message.HandlerFunc(show),
		Reject: func(_ context.Context, j *http1.Rejection) *message.Response {
			return message.Text(j.Status, "", j.Host+" "+j.Err.Kind.String())
		},
	}
	get := getSection("/p")
	with := func(fields ...string) []byte { return append(append([]byte(nil), get...), section(fields...)[2:]...) }
	post := section(":method", "POST", ":scheme", "https", ":authority", "h.example", ":path", "/", "content-length", "5")
	data := func(s string) []byte { return frame(frameData, []byte(s)) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	crumbs := []string{}
	for range 19 {
		crumbs = append(crumbs, "cookie", "a=b")
	}
	for _, c := range []struct {
		name string
		send []byte
		want string // status and the beginning of the body, or the code
		code quic.ApplicationErrorCode
		conn bool
	}{
		{"plain", headers(get), "200 GET https://h.example/p 3.0 0\n", 0, false},
		{"order and case of values", headers(with("b", "1", "a", "X y", "b", "2")), "200 GET https://h.example/p 3.0 0\nb: 1\na: X y\nb: 2\n", 0, false},
		{"crumbs", headers(with("cookie", "a=b", "x", "y", "cookie", "c=d")), "200 GET https://h.example/p 3.0 0\ncookie: a=b; c=d\nx: y\n", 0, false},
		{"many crumbs", headers(with(append(crumbs, "cookie", "z")...)), "200 ", 0, false},
		{"raw path", headers(getSection("/a%zz/../b?%")), "200 GET https://h.example/a%zz/../b?% 3.0 0\n", 0, false},
		{"body", join(headers(post), data("he"), frame(0x21, []byte("grease")), data("llo")), "200 POST https://h.example/ 3.0 5\nhello", 0, false},
		{"empty frames", join(headers(post), data(""), data("hello"), data("")), "200 POST https://h.example/ 3.0 5\nhello", 0, false},
		{"trailer", join(headers(post), data("hello"), headers(section("t", "v"))), "200 POST https://h.example/ 3.0 5\nhello", 0, false},
		{"GET with a body", join(headers(get), data("x")), "200 GET https://h.example/p 3.0 -1\nx", 0, false},
		{"GET with an empty body", join(headers(with("content-length", "0")), data("")), "200 GET https://h.example/p 3.0 0\n", 0, false},
		{"grease first", join(frame(0x21, []byte("x")), headers(get)), "200 ", 0, false},
		{"Host in place of :authority", headers(section(":method", "GET", ":scheme", "https", ":path", "/", "host", "h2.example")), "200 GET https://h2.example/ ", 0, false},
		{"Host and :authority agree", headers(with("host", "H.example")), "200 GET https://h.example/p ", 0, false},
		{"OPTIONS *", headers(section(":method", "OPTIONS", ":scheme", "https", ":authority", "h.example", ":path", "*")), "200 OPTIONS https://h.example* ", 0, false},
		{"te: trailers", headers(with("te", "trailers")), "200 ", 0, false},

		{"Host differs", headers(with("host", "other.example")), "400 h.example malformed message", 0, false},
		{"no authority", headers(section(":method", "GET", ":scheme", "https", ":path", "/")), "400  malformed message", 0, false},
		{"bad authority", headers(section(":method", "GET", ":scheme", "https", ":authority", "u@h", ":path", "/")), "400  malformed", 0, false},
		{"CONNECT", headers(section(":method", "CONNECT", ":authority", "h.example:443")), "400 h.example malformed", 0, false},
		{"scheme http", headers(section(":method", "GET", ":scheme", "http", ":authority", "h.example", ":path", "/")), "400 h.example malformed", 0, false},
		{"fragment", headers(getSection("/#x")), "400 h.example malformed", 0, false},
		{"no slash", headers(getSection("p")), "400 h.example malformed", 0, false},
		{"Expect", headers(with("expect", "tea")), "417 h.example unknown expectation", 0, false},
		{"head over the limit", headers(with("x", strings.Repeat("v", 1100))), "431 h.example head too big", 0, false},
		{"head far over the limit", headers(with("x", strings.Repeat("v", 9000))), "431  head too big", 0, false},
		{"too many fields", headers(with(strings.Split(strings.Repeat("x,y,", 21)+"x,y", ",")...)), "431 h.example head too big", 0, false},

		{"capital", headers(with("X-A", "b")), "", messageError, false},
		{"connection", headers(with("connection", "close")), "", messageError, false},
		{"transfer-encoding", headers(with("transfer-encoding", "chunked")), "", messageError, false},
		{"te: gzip", headers(with("te", "gzip")), "", messageError, false},
		{"empty name", headers(with("", "b")), "", messageError, false},
		{"line feed", headers(with("a", "b\nc: d")), "", messageError, false},
		{"white space", headers(with("a", " b")), "", messageError, false},
		{"pseudo-header late", headers(with("a", "b", ":path", "/")), "", messageError, false},
		{"pseudo-header twice", headers(with(":path", "/")), "", messageError, false},
		{"pseudo-header unknown", headers(with(":protocol", "websocket")), "", messageError, false},
		{"pseudo-header of answers", headers(with(":status", "200")), "", messageError, false},
		{"no method", headers(section(":scheme", "https", ":authority", "h.example", ":path", "/")), "", messageError, false},
		{"no path", headers(section(":method", "GET", ":scheme", "https", ":authority", "h.example")), "", messageError, false},
		{"empty path", headers(getSection("")), "", messageError, false},
		{"bad method", headers(section(":method", "G T", ":scheme", "https", ":authority", "h.example", ":path", "/")), "", messageError, false},
		{"two lengths", headers(with("content-length", "0", "content-length", "0")), "", messageError, false},
		{"bad length", headers(with("content-length", "+1")), "", messageError, false},
		{"length without content", headers(post), "", messageError, false},
		{"length 0 with content", join(headers(with("content-length", "0")), data("x")), "", messageError, false},
		{"short", join(headers(post), data("hell")), "", messageError, false},
		{"long", join(headers(post), data("hello!")), "", messageError, false},
		{"long in the second frame", join(headers(post), data("hello"), data("!")), "", messageError, false},
		{"pseudo-header in the trailer", join(headers(post), data("hello"), headers(section(":path", "/"))), "", messageError, false},
		{"nothing", nil, "", requestIncomplete, false},

		{"DATA first", data("x"), "", frameUnexpected, true},
		{"SETTINGS", frame(frameSettings, nil), "", frameUnexpected, true},
		{"HTTP/2's PING", frame(0x06, make([]byte, 8)), "", frameUnexpected, true},
		{"PUSH_PROMISE", join(headers(post), frame(framePushPromise, []byte{0, 0, 0})), "", frameUnexpected, true},
		{"GOAWAY", join(headers(get), frame(frameGoaway, []byte{0})), "", frameUnexpected, true},
		{"DATA after the trailer", join(headers(post), data("hello"), headers(section("t", "v")), data("x")), "", frameUnexpected, true},
		{"two trailers", join(headers(post), data("hello"), headers(section("t", "v")), headers(section("t", "v"))), "", frameUnexpected, true},
		{"cut within HEADERS", headers(get)[:9], "", frameError, true},
		{"cut within a length", []byte{frameHeaders, 0x40}, "", frameError, true},
		{"cut within a type", []byte{0x40}, "", frameError, true},
		{"cut within DATA", join(headers(post), data("hello")[:4]), "", frameError, true},
		{"flood of grease", join(headers(get), bytes.Repeat(frame(0x21, nil), 100)), "", excessiveLoad, true},
		{"long grease", join(headers(get), append([]byte{0x21, 0x80, 0x10, 0, 0}, make([]byte, 1000)...)), "", excessiveLoad, true},
		{"flood of empty DATA", join(headers(post), bytes.Repeat(data(""), 100)), "", excessiveLoad, true},
		{"dynamic index", headers([]byte{0, 0, 0x80}), "", decompressionFailed, true},
		{"dynamic name", headers([]byte{0, 0, 0x40, 0}), "", decompressionFailed, true},
		{"post-base index", headers([]byte{0, 0, 0x10}), "", decompressionFailed, true},
		{"insert count", headers([]byte{1, 0}), "", decompressionFailed, true},
		{"base below zero", headers([]byte{0, 0x80}), "", decompressionFailed, true},
		{"index out of the table", headers([]byte{0, 0, 0xff, 0x24}), "", decompressionFailed, true},
		{"string cut", headers([]byte{0, 0, 0x21, 'a', 5, 'b'}), "", decompressionFailed, true},
		{"Huffman padding", headers([]byte{0, 0, 0x21, 'a', 0x81, 0x00}), "", decompressionFailed, true},
		{"no prefix", headers(nil), "", decompressionFailed, true},
		{"endless integer", headers(append([]byte{0, 0, 0xff}, bytes.Repeat([]byte{0x80}, 20)...)), "", decompressionFailed, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &rawConn{serve(t, o).dial(t)}
			status, body, code, ended := conn.ask(t, c.send)
			if c.code == 0 {
				if got := status + " " + body; code != 0 || !strings.HasPrefix(got, c.want) {
					t.Errorf("got %q, code %#x; want %q", got, uint64(code), c.want)
				}
				return
			}
			if code != c.code || ended != c.conn {
				t.Errorf("got %q, code %#x, connection %v; want code %#x, connection %v", status+" "+body, uint64(code), ended, uint64(c.code), c.conn)
			}
			if !c.conn { // the next request is served
				if status, _, code, _ := conn.ask(t, headers(get)); status != "200" {
					t.Errorf("after it: %s, code %#x", status, uint64(code))
				}
			}
		})
	}
}

func TestUniStreams(t *testing.T) {
	settings := []byte{streamControl, frameSettings, 0}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name  string
		send  [][]byte
		close bool
		code  quic.ApplicationErrorCode // 0: the connection goes on
	}{
		{"as it should be", [][]byte{join(settings, []byte{frameGoaway, 1, 0, frameMaxPushID, 1, 3, 0x21, 1, 0}), {streamEncoder, 0x20}, {streamDecoder, 0x44, 0x7f, 0x80, 1}}, false, 0},
		{"with settings and priorities", [][]byte{{streamControl, frameSettings, 4, 1, 0, 0x33, 1, 0x80, 0x0f, 7, 0, 2, 0, 'u'}}, false, 0},
		{"unknown type", [][]byte{{0x21, 1, 2, 3}}, false, 0},
		{"push", [][]byte{{streamPush, 0}}, false, streamCreationError},
		{"two control streams", [][]byte{settings, settings}, false, streamCreationError},
		{"two encoders", [][]byte{{streamEncoder}, {streamEncoder}}, false, streamCreationError},
		{"control ends", [][]byte{settings}, true, closedCriticalStream},
		{"encoder ends", [][]byte{{streamEncoder}}, true, closedCriticalStream},
		{"no settings", [][]byte{{streamControl, frameGoaway, 1, 0}}, false, missingSettings},
		{"settings twice", [][]byte{join(settings, settings[1:])}, false, frameUnexpected},
		{"a setting twice", [][]byte{{streamControl, frameSettings, 4, 6, 1, 6, 1}}, false, settingsError},
		{"setting of HTTP/2", [][]byte{{streamControl, frameSettings, 2, 3, 1}}, false, settingsError},
		{"setting cut", [][]byte{{streamControl, frameSettings, 1, 6}}, false, frameError},
		{"settings too long", [][]byte{{streamControl, frameSettings, 0x80, 0x10, 0, 0}}, false, excessiveLoad},
		{"DATA", [][]byte{join(settings, frame(frameData, nil))}, false, frameUnexpected},
		{"HEADERS", [][]byte{join(settings, frame(frameHeaders, nil))}, false, frameUnexpected},
		{"HTTP/2's WINDOW_UPDATE", [][]byte{join(settings, frame(0x08, nil))}, false, frameUnexpected},
		{"GOAWAY goes up", [][]byte{join(settings, []byte{frameGoaway, 1, 0, frameGoaway, 1, 4})}, false, idError},
		{"MAX_PUSH_ID goes down", [][]byte{join(settings, []byte{frameMaxPushID, 1, 4, frameMaxPushID, 1, 0})}, false, idError},
		{"CANCEL_PUSH", [][]byte{join(settings, []byte{frameCancelPush, 1, 0})}, false, idError},
		{"GOAWAY too long", [][]byte{join(settings, []byte{frameGoaway, 2, 0, 0})}, false, frameError},
		{"insert", [][]byte{{streamEncoder, 0xc0, 1, 'x'}}, false, encoderStreamError},
		{"room for a table", [][]byte{{streamEncoder, 0x3f, 1}}, false, encoderStreamError},
		{"section acknowledged", [][]byte{{streamDecoder, 0x80}}, false, decoderStreamError},
		{"inserts counted", [][]byte{{streamDecoder, 0x01}}, false, decoderStreamError},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := &rawConn{serve(t, Options{Handler: message.HandlerFunc(show)}).dial(t)}
			for _, b := range c.send {
				s, err := conn.OpenUniStreamSync(t.Context())
				if err != nil {
					break
				}
				_, _ = s.Write(b)
				if c.close {
					_ = s.Close()
				}
			}
			if c.code == 0 {
				if status, _, code, _ := conn.ask(t, headers(getSection("/"))); status != "200" {
					t.Errorf("got %s, code %#x", status, uint64(code))
				}
				return
			}
			<-conn.Context().Done()
			var app *quic.ApplicationError
			if err := context.Cause(conn.Context()); !errors.As(err, &app) || app.ErrorCode != c.code || !app.Remote {
				t.Errorf("ended with %v, want %#x", err, uint64(c.code))
			}
		})
	}
}

// TestResets: requests that are given up as soon as they are made end the connection, and none of them is served beside
// more than the allowed number of others.
func TestResets(t *testing.T) {
	conn := &rawConn{serve(t, Options{Handler: message.HandlerFunc(show)}).dial(t)}
	for {
		s, err := conn.OpenStreamSync(t.Context())
		if err != nil {
			break
		}
		_, _ = s.Write(frame(frameHeaders, getSection("/"))[:5])
		s.CancelWrite(quic.StreamErrorCode(requestCancelled))
		s.CancelRead(quic.StreamErrorCode(requestCancelled))
	}
	<-conn.Context().Done()
	var app *quic.ApplicationError
	if err := context.Cause(conn.Context()); !errors.As(err, &app) || app.ErrorCode != excessiveLoad {
		t.Errorf("ended with %v", err)
	}
}

func TestContinue(t *testing.T) {
	conn := &rawConn{serve(t, Options{Handler: message.HandlerFunc(show)}).dial(t)}
	s, err := conn.OpenStreamSync(t.Context())
	must(t, err)
	_, err = s.Write(headers(section(":method", "PUT", ":scheme", "https", ":authority", "h.example", ":path", "/", "expect", "100-continue", "content-length", "2")))
	must(t, err)
	f := &frames{r: bufio.NewReader(s)}
	h, err := f.next()
	must(t, err)
	p, err := f.payload(h, nil)
	must(t, err)
	if got := (rawHead{}).status(t, &decoder{}, p); got != "100" {
		t.Errorf("status %s", got)
	}
	_, err = s.Write(frame(frameData, []byte("ok")))
	must(t, err)
	must(t, s.Close())
	rest, err := io.ReadAll(f.r)
	if err != nil || !bytes.HasSuffix(rest, []byte("\nok")) {
		t.Errorf("got %q, %v", rest, err)
	}
}

// TestLengthAt: where content-length stood is kept, for the order of fields that CloudFront tells origins.
func TestLengthAt(t *testing.T) {
	at := make(chan int, 1)
	s := serve(t, Options{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		at <- r.LengthAt
		return message.Text(200, "", "")
	})})
	c := &rawConn{s.dial(t)}
	for want, fields := range [][]string{{"a", "b"}, {"content-length", "0", "a", "b"}, {"a", "b", "content-length", "0"}} {
		c.request(t, section(append([]string{":method", "GET", ":scheme", "https", ":authority", "h.example", ":path", "/"}, fields...)...))
		if got := <-at; got != want {
			t.Errorf("%v: %d, want %d", fields, got, want)
		}
	}
}
