package app

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Commands of scenarios for what no well-behaved client or origin does.
//
//	origin [-tls KIND] NAME [ANSWER...]  starts an origin that records every byte; $NAME is its address. The first request gets
//	                         the first answer, and so on; the last one stays. Without any it answers "ok". KIND says what is
//	                         the matter with its TLS: see originTLS
//	seen [-closed] NAME      prints the requests that it has seen since the last time; with !, there must be none. -closed waits
//	                         until the other side has closed all connections, as it does after down
//	raw [-n N] [-head] FILE [HOST]   sends bytes on a connection of its own, over TLS when HOST is given, and prints what comes back,
//	                         up to the end of the connection or of N answers. -head says that the first request is a HEAD
//	refused FILE NAME...     sends each message of a file on its own connection: it must get one 400 and a close, and the
//	                         named origins must see nothing. "=== name: 505" asks for another status
//	h2 FILE HOST             sends one stream of HTTP/2; the file has fields, an empty line, the body
//
// In all these files line ends and "#" lines count for nothing: \r, \n, \t, \\ and \xHH stand for bytes, ${NAME} for a variable.

// wireTimeout ends a scenario that hangs. Nothing waits for it when all is well.
const wireTimeout = time.Minute

// unescape makes the bytes of a file's text.
func unescape(ts *testscript.TestScript, text string) []byte {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	text = os.Expand(b.String(), ts.Getenv)
	text = strings.ReplaceAll(text, `"`, `\"`)
	s, err := strconv.Unquote(`"` + text + `"`)
	ts.Check(err)
	return []byte(s)
}

// visible shows bytes as text: one line for what ends in CRLF, anything odd escaped.
func visible(b []byte) string {
	var out strings.Builder
	for line := range bytes.Lines(b) {
		end := ""
		if rest, ok := bytes.CutSuffix(line, []byte("\r\n")); ok {
			line, end = rest, "\n"
		}
		s := strconv.Quote(string(line))
		out.WriteString(strings.ReplaceAll(s[1:len(s)-1], `\"`, `"`) + end)
	}
	return out.String()
}

// recorder is an origin.
type recorder struct {
	ln      net.Listener
	answers [][]byte
	mu      sync.Mutex
	served  int
	seen    [][]byte
	conns   map[net.Conn]struct{}
	open    sync.WaitGroup // connections
	all     sync.WaitGroup
}

type recorderKey string

func cmdOrigin(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := ln.Addr().String()
	if args[0] == "-tls" {
		ln = tls.NewListener(ln, originTLS(ts, args[1]))
		args = args[2:]
	}
	o := &recorder{ln: ln, conns: map[net.Conn]struct{}{}}
	for _, a := range args[1:] {
		o.answers = append(o.answers, unescape(ts, ts.ReadFile(a)))
	}
	if len(o.answers) == 0 {
		o.answers = append(o.answers, []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"))
	}
	env := of(ts).env
	env.Values[recorderKey(args[0])] = o
	env.Defer(o.stop)
	ts.Setenv(args[0], address)
	o.all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns[c] = struct{}{}
			o.mu.Unlock()
			o.open.Go(func() { o.serve(c) })
		}
	})
}

func (o *recorder) stop() {
	o.ln.Close()
	o.mu.Lock()
	for c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.all.Wait()
	o.open.Wait()
}

// serve takes requests as trustingly as a bad origin does, and records each before it answers.
func (o *recorder) serve(c net.Conn) {
	defer c.Close()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &raw))
	for taken := 0; ; {
		r, err := http.ReadRequest(in)
		if err == nil {
			_, err = io.Copy(io.Discard, r.Body)
		}
		all := bytes.Clone(raw.Bytes()[taken : raw.Len()-in.Buffered()])
		taken = raw.Len() - in.Buffered()
		if err != nil && len(all) == 0 && in.Buffered() == 0 {
			return
		}
		o.mu.Lock()
		if err != nil { // whatever it is, it must be seen
			all = append(all, "(not a whole request: "+err.Error()+")"...)
		}
		o.seen = append(o.seen, all)
		out := o.answers[min(o.served, len(o.answers)-1)]
		o.served++
		o.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := c.Write(out); err != nil {
			return
		}
		if bytes.Contains(out, []byte("Connection: close")) {
			return
		}
	}
}

// changing are fields with another value in each message, and that CloudFront adds to all.
var changing = regexp.MustCompile(`(?m)^(Via|X-Amz-Cf-Id|X-Amz-Cf-Pop|Date): .*\n`)

// show prints messages without those.
func show(w io.Writer, messages [][]byte) {
	for i, m := range messages {
		if i > 0 {
			fmt.Fprintln(w, "===")
		}
		s := changing.ReplaceAllString(visible(m), "")
		fmt.Fprint(w, s)
		if !strings.HasSuffix(s, "\n") {
			fmt.Fprintln(w)
		}
	}
}

func cmdSeen(ts *testscript.TestScript, neg bool, args []string) {
	o := ts.Value(recorderKey(args[len(args)-1])).(*recorder)
	if len(args) > 1 {
		o.open.Wait()
	}
	o.mu.Lock()
	seen := o.seen
	o.seen = nil
	o.mu.Unlock()
	var b strings.Builder
	show(&b, seen)
	fmt.Fprint(ts.Stdout(), b.String())
	if neg && len(seen) > 0 {
		ts.Fatalf("origin %s has seen\n%s", args[len(args)-1], b.String())
	}
}

// dialWire connects to what is up, with TLS for host unless it is "".
func dialWire(ts *testscript.TestScript, host string, protocols ...string) net.Conn {
	r := of(ts)
	nc, err := net.DialTimeout("tcp", r.line.Listen, wireTimeout)
	ts.Check(err)
	ts.Check(nc.SetDeadline(time.Now().Add(wireTimeout)))
	if host == "" {
		return nc
	}
	pem, err := os.ReadFile(r.line.CA)
	ts.Check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	c := tls.Client(nc, &tls.Config{ServerName: host, RootCAs: roots, NextProtos: protocols})
	ts.Check(c.Handshake())
	return c
}

func cmdRaw(ts *testscript.TestScript, _ bool, args []string) {
	answers := 0
	if args[0] == "-n" {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		answers, args = n, args[2:]
	}
	first := http.MethodGet
	if args[0] == "-head" {
		first, args = http.MethodHead, args[1:]
	}
	host := ""
	if len(args) > 1 {
		host = args[1]
	}
	c := dialWire(ts, host)
	defer c.Close()
	show(ts.Stdout(), exchangeRaw(ts, c, unescape(ts, ts.ReadFile(args[0])), expected{answers, first}))
}

// expected says how many answers are to come, 0 for all, and to which method the first of them belongs.
type expected struct {
	answers int
	first   string
}

// exchangeRaw sends bytes and reads until the connection ends or the expected answers are here. What is no answer stands last.
func exchangeRaw(ts *testscript.TestScript, c net.Conn, out []byte, want expected) (all [][]byte) {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = c.Write(out) // who refuses a request need not read it whole
	}()
	var raw bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &raw))
	taken := 0
	for n := 0; want.answers == 0 || n < want.answers; n++ {
		r := &http.Request{Method: http.MethodGet}
		if n == 0 && want.first != "" {
			r.Method = want.first
		}
		resp, err := http.ReadResponse(in, r)
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
		}
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			ts.Fatalf("no end of the answers within %v: %q", wireTimeout, raw.Bytes())
		}
		end := raw.Len() - in.Buffered()
		if err != nil {
			end = raw.Len()
		}
		if end > taken {
			all = append(all, bytes.Clone(raw.Bytes()[taken:end]))
			taken = end
		}
		if err != nil {
			break
		}
		if resp.StatusCode < 200 {
			n--
		}
	}
	c.Close()
	<-sent
	return all
}

var caseName = regexp.MustCompile(`(?m)^=== (.*?)(?:: (\d{3}))?$`)

func cmdRefused(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	marks := caseName.FindAllStringSubmatchIndex(text, -1)
	if len(marks) == 0 {
		ts.Fatalf("%s has no cases", args[0])
	}
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		name, status := text[m[2]:m[3]], "400"
		if m[4] >= 0 {
			status = text[m[4]:m[5]]
		}
		out := unescape(ts, strings.TrimPrefix(text[m[1]:end], "\n"))
		got := exchangeRaw(ts, dialWire(ts, ""), out, expected{})
		head, _, _ := strings.Cut(string(bytes.Join(got, nil)), "\r\n\r\n")
		if len(got) != 1 || !strings.HasPrefix(head, "HTTP/1.1 "+status+" ") || !strings.Contains(head+"\r\n", "\r\nConnection: close\r\n") {
			ts.Fatalf("%s: %q got %q, want one %s and a close", name, out, got, status)
		}
		for _, origin := range args[1:] {
			o := ts.Value(recorderKey(origin)).(*recorder)
			o.mu.Lock()
			seen := o.seen
			o.mu.Unlock()
			if len(seen) > 0 {
				ts.Fatalf("%s: the origin has seen %q", name, seen)
			}
		}
	}
	ts.Logf("%d messages refused", len(marks))
}

func cmdH2(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	fields, body, _ := strings.Cut(text, "\n\n")
	c := dialWire(ts, args[1], "h2")
	defer c.Close()
	_, err := io.WriteString(c, http2.ClientPreface)
	ts.Check(err)
	f := http2.NewFramer(c, c)
	f.AllowIllegalWrites = true
	ts.Check(f.WriteSettings())
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	for line := range strings.Lines(fields) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, value, _ := strings.Cut(line, " ")
		ts.Check(enc.WriteField(hpack.HeaderField{Name: string(unescape(ts, name)), Value: string(unescape(ts, value))}))
	}
	data := unescape(ts, body)
	ts.Check(f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: len(data) == 0}))
	if len(data) > 0 {
		_ = f.WriteData(1, true, data) // the connection may be gone by now
	}
	fmt.Fprint(ts.Stdout(), readStream(ts, f))
}

// readStream prints what happens to stream 1: fields and body of an answer, "reset CODE", "goaway CODE" or "closed".
func readStream(ts *testscript.TestScript, f *http2.Framer) string {
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var out strings.Builder
	for {
		fr, err := f.ReadFrame()
		var ne net.Error
		switch {
		case errors.As(err, &ne) && ne.Timeout():
			ts.Fatalf("no end of the stream within %v: %s", wireTimeout, out.String())
		case err != nil:
			return out.String() + "closed\n"
		}
		switch fr := fr.(type) {
		case *http2.SettingsFrame:
			if !fr.IsAck() {
				_ = f.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			for _, h := range fr.Fields {
				fmt.Fprintf(&out, "%s: %s\n", h.Name, h.Value)
			}
			if fr.StreamEnded() {
				return out.String()
			}
		case *http2.DataFrame:
			out.WriteString(visible(fr.Data()))
			if fr.StreamEnded() {
				return out.String() + "\n"
			}
		case *http2.RSTStreamFrame:
			return out.String() + "reset " + fr.ErrCode.String() + "\n"
		case *http2.GoAwayFrame:
			return out.String() + "goaway " + fr.ErrCode.String() + "\n"
		}
	}
}
