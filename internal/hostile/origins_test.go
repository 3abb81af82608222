package hostile

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// repeat writes a text until the other side has had enough.
func repeat(w io.Writer, text string) {
	block := []byte(strings.Repeat(text, 1+(32<<10)/len(text)))
	for {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// bomb is a gibibyte of zeros, compressed.
func bomb() []byte {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	zeros := make([]byte, 1<<20)
	for range 256 {
		_, _ = z.Write(zeros)
	}
	_ = z.Close()
	return b.Bytes()
}

// An origin may do whatever it likes: the viewer gets a 502 or 504, or an answer that shows that it is not whole.
func TestOriginsThatMisbehave(t *testing.T) {
	zip := bomb()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
	cases := []struct {
		name  string
		write func(w io.Writer)
		// want is the status; the body must be want's text, or break off behind it when cut is set.
		want int
		body string
		cut  bool
	}{
		{"endless line", func(w io.Writer) { repeat(w, "a") }, 502, "", false},
		{"endless status line", func(w io.Writer) { io.WriteString(w, "HTTP/1.1 200 "); repeat(w, "a") }, 502, "", false},
		{"endless field", func(w io.Writer) { io.WriteString(w, head+"X: "); repeat(w, "a") }, 502, "", false},
		{"endless fields", func(w io.Writer) { io.WriteString(w, head); repeat(w, "X: y\r\n") }, 502, "", false},
		{"endless interim answers", func(w io.Writer) { repeat(w, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n") }, 502, "", false},
		{"endless continues", func(w io.Writer) { repeat(w, "HTTP/1.1 100 Continue\r\n\r\n") }, 502, "", false},
		{"endless empty lines", func(w io.Writer) { repeat(w, "\r\n") }, 502, "", false},
		{"endless chunk extension", func(w io.Writer) { io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n5;"); repeat(w, "a") }, 200, "", true},
		{"endless trailers", func(w io.Writer) {
			io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
			repeat(w, "X: y\r\n")
		}, 200, "ok", true},
		{"endless trailer", func(w io.Writer) {
			io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: ")
			repeat(w, "y")
		}, 200, "ok", true},
		{"endless zeros of a chunk size", func(w io.Writer) { io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n"); repeat(w, "0") }, 200, "", true},
		{"short", func(w io.Writer) { io.WriteString(w, head+"Content-Length: 10\r\n\r\nabc") }, 200, "abc", true},
		{"long", func(w io.Writer) { io.WriteString(w, head+"Content-Length: 2\r\n\r\nok and more") }, 200, "ok", false},
		{"negative", func(w io.Writer) { io.WriteString(w, head+"Content-Length: -1\r\n\r\nabc") }, 502, "", false},
		{"huge", func(w io.Writer) { io.WriteString(w, head+"Content-Length: 99999999999999999999999\r\n\r\nabc") }, 502, "", false},
		{"plus", func(w io.Writer) { io.WriteString(w, head+"Content-Length: +3\r\n\r\nabc") }, 502, "", false},
		{"two lengths", func(w io.Writer) { io.WriteString(w, head+"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc") }, 502, "", false},
		{"cut in the head", func(w io.Writer) { io.WriteString(w, head[:30]) }, 502, "", false},
		{"cut in a chunk", func(w io.Writer) { io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n10\r\nabc") }, 200, "abc", true},
		{"cut in a chunk's size", func(w io.Writer) { io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1") }, 200, "abc", true},
		{"cut before the last chunk", func(w io.Writer) { io.WriteString(w, head+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") }, 200, "abc", true},
		{"nothing", func(w io.Writer) {}, 502, "", false},
		{"another protocol", func(w io.Writer) { io.WriteString(w, "220 mail.example ESMTP\r\n") }, 502, "", false},
		{"frames of another version", func(w io.Writer) { io.WriteString(w, "\x00\x00\x00\x04\x00\x00\x00\x00\x00") }, 502, "", false},
		{"TLS alert", func(w io.Writer) { io.WriteString(w, "\x15\x03\x01\x00\x02\x02\x46") }, 502, "", false},
		{"status 99", func(w io.Writer) { io.WriteString(w, "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n") }, 502, "", false},
		{"gzip bomb", func(w io.Writer) {
			fmt.Fprintf(w, "%sContent-Encoding: gzip\r\nCache-Control: max-age=60\r\nContent-Length: %d\r\n\r\n%s", head, len(zip), zip)
		}, 200, string(zip), false},
		{"a redirect to itself", func(w io.Writer) {
			io.WriteString(w, "HTTP/1.1 302 Found\r\nLocation: /a%20redirect%20to%20itself\r\nContent-Length: 0\r\n\r\n")
		}, 302, "", false},
	}
	by := map[string]func(io.Writer){}
	for _, c := range cases {
		by[strings.ReplaceAll(c.name, " ", "-")] = c.write
	}
	address := origin(t, func(c net.Conn, _ int) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		if write := by[r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]]; write != nil {
			write(c)
			return
		}
		io.WriteString(c, ok("fine"))
	})
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "32MiB")
	for _, prefix := range []string{"/", "/cached/"} {
		for _, c := range cases {
			t.Run(prefix+c.name, func(t *testing.T) {
				p.keeps(60, func() {
					a := p.get2(t, prefix+strings.ReplaceAll(c.name, " ", "-"))
					if a.Response == nil {
						t.Fatal(a.err)
					}
					if a.StatusCode != c.want || c.cut != (a.err != nil) || (c.body != "" || c.cut) && a.body != c.body {
						t.Errorf("status %d, %d bytes %.40q, %v; want %d %.40q, cut %v", a.StatusCode, len(a.body), a.body, a.err, c.want, c.body, c.cut)
					}
				})
			})
		}
	}
	if a := p.get("Site", "/fine"); a.StatusCode != 200 || a.body != "fine" {
		t.Errorf("after it: %d %q", a.StatusCode, a.body)
	}
}

// get2 asks for a path of Site; the answer need not be whole.
func (p *program) get2(t *testing.T, path string, fields ...string) answer {
	t.Helper()
	head := "GET " + path + " HTTP/1.1\r\nHost: " + p.hosts["Site"] + "\r\nAccept-Encoding: gzip, br\r\n"
	return p.send(head + strings.Join(fields, "\r\n") + "\r\n")
}

// Small ranges of a large object, many of them, or overlapping ones: neither does the origin send much more than the viewer gets
// (RangeAmp, "small byte range"), nor the viewer more than twice the object ("overlapping byte ranges").
func TestRangesDoNotAmplify(t *testing.T) {
	const size = 8 << 20
	body := strings.Repeat("0123456789abcdef", size/16)
	var sent counter
	address := origin(t, answers(func(w io.Writer, r *http.Request) {
		w = io.MultiWriter(w, &sent)
		var first, last int
		if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); n == 2 && last < size && !strings.Contains(r.Header.Get("Range"), ",") {
			fmt.Fprintf(w, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n%s", first, last, size, last-first+1, body[first:last+1])
			return
		}
		io.WriteString(w, "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nContent-Length: "+strconv.Itoa(size)+"\r\n\r\n")
		io.WriteString(w, body)
	}))
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "64MiB")
	for i := range 20 {
		a := p.get("Site", fmt.Sprintf("/cached/%d", i), "Range", "bytes=0-0")
		if a.StatusCode != 206 || a.body != "0" {
			t.Errorf("status %d, %d bytes", a.StatusCode, len(a.body))
		}
	}
	if n := sent.n.Load(); n > 20*8192 {
		t.Errorf("the origin has sent %d bytes for 20", n)
	}
	many := func(part func(i int) string) string {
		var parts []string
		for i := range 10_000 {
			parts = append(parts, part(i))
		}
		return "bytes=" + strings.Join(parts, ",")
	}
	for _, warm := range []bool{false, true} {
		if warm {
			p.get("Site", "/cached/whole")
		}
		p.keeps(120, func() {
			for name, r := range map[string]string{
				"overlapping": "bytes=" + strings.TrimSuffix(strings.Repeat("0-,", 1000), ","), "ascending": many(func(i int) string { return fmt.Sprintf("%d-%d", 2*i, 2*i) }),
				"suffixes": "bytes=" + strings.TrimSuffix(strings.Repeat("-8388608,", 1000), ","), "nested": "bytes=" + nested(),
			} {
				if len(r) > 30_000 {
					r = r[:strings.LastIndexByte(r[:30_000], ',')]
				}
				a := p.get("Site", "/cached/whole", "Range", r)
				if len(a.body) > 2*size || a.StatusCode >= 500 {
					t.Errorf("%s, warm %v: status %d, %d bytes", name, warm, a.StatusCode, len(a.body))
				}
			}
		})
	}
}

// nested are ranges that each lie within the one before.
func nested() string {
	var parts []string
	for i := range 1000 {
		parts = append(parts, fmt.Sprintf("%d-%d", i, 8<<20-i))
	}
	return strings.Join(parts, ",")
}
