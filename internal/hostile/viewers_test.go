package hostile

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Requests that no browser sends get an answer, of CloudFront or of the origin, or the end of the connection; never a 500 or 502.
func TestOddRequests(t *testing.T) {
	address := origin(t, func(c net.Conn, _ int) { // which takes any target
		for in := bufio.NewReader(c); ; {
			line, err := in.ReadString('\n')
			for field := line; err == nil && field != "\r\n"; {
				field, err = in.ReadString('\n')
			}
			if err != nil {
				return
			}
			io.WriteString(c, ok(strings.TrimSuffix(line, " HTTP/1.1\r\n")))
		}
	})
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "32MiB")
	host := p.hosts["Site"]
	get := func(path string, fields ...string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
	}
	list := func(n int, text func(int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = text(i)
		}
		return strings.Join(all, ", ")
	}
	edge := "/" + strings.Repeat("a", 8192-len("http://"+host+"/")-1) // the limit counts the whole URL
	for _, c := range []struct {
		name, send string
		want       int
		body       string // "" for any
	}{
		{"URL of 8,192", get(edge), 200, "GET " + edge},
		{"URL of 8,193", get(edge + "a"), 414, ""},
		{"URL of 100,000", get(edge + strings.Repeat("a", 92_000)), 431, ""},
		{"query of 8,192 with the path", get("/?" + strings.Repeat("q", 8000)), 200, ""},
		{"half of an escape", get("/%"), 200, "GET /%"},
		{"escapes of nothing", get("/%zz%%%00%ff%c0%af"), 200, "GET /%zz%%%00%ff%c0%af"},
		{"dots", get("/../../..//./%2e%2e/etc/passwd"), 200, "GET /../../..//./%2e%2e/etc/passwd"},
		{"bytes above ASCII", get("/\xff\xfe\xc3\xa4"), 400, ""},
		{"backslashes", get(`/a\..\b`), 200, `GET /a\..\b`},
		{"parameters", get("/query/x?" + strings.ReplaceAll(list(1500, func(i int) string { return fmt.Sprint("a", i%7) }), ", ", "&")), 200, ""},
		{"ampersands", get("/query/x?" + strings.Repeat("&", 8000)), 200, ""},
		{"cookies of 30,000", get("/", "Cookie: "+strings.ReplaceAll(list(3500, func(int) string { return "a=b" }), ", ", "; ")), 200, ""},
		{"cookie of 33,000", get("/", "Cookie: a="+strings.Repeat("b", 33_000)), 494, ""},
		{"a head of 30,000", get("/", "X: "+strings.Repeat("b", 30_000)), 200, ""},
		{"endless field", get("/", "X: "+strings.Repeat("b", 1<<20)), 494, ""},
		{"many fields", get("/", strings.Repeat("X: y\r\n", 5000)+"X: y"), 494, ""},
		{"tags", get("/cached/x", "If-None-Match: "+list(2500, func(i int) string { return fmt.Sprintf(`"%d"`, i) })), 200, ""},
		{"nonsense for encodings", get("/cached/x", "Accept-Encoding: ;q=,,gzip;q=zzz;;;,br;q=-1,*;q=1e9,"+strings.Repeat("gzip,", 3000)), 200, ""},
		{"nonsense for ranges", get("/cached/x", "Range: bytes=-,--1,9999999999999999999999-,0-0-0"), 200, ""},
		{"nonsense for dates", get("/cached/x", "If-Modified-Since: Thu, 99 Foo 99999 99:99:99 GMT", "If-Unmodified-Since: x"), 200, ""},
		{"nonsense for cache", get("/cached/x", "Cache-Control: max-age=99999999999999999999, =,\"", "Pragma: ,"), 200, ""},
		{"absolute form", "GET http://" + host + "/x HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 200, "GET /x"},
		{"absolute form, another Host", "GET http://" + host + "/x HTTP/1.1\r\nHost: other.example\r\n\r\n", 400, ""},
		{"list of hosts", "GET / HTTP/1.1\r\nHost: " + host + ", other.example\r\n\r\n", 400, ""},
		{"two hosts", "GET / HTTP/1.1\r\nHost: " + host + "\r\nHost: " + host + "\r\n\r\n", 400, ""},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"unicode host", "GET / HTTP/1.1\r\nHost: \xc3\xbc.cloudfront.net\r\n\r\n", 400, ""},
		{"host of 1,000", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("a", 1000) + ".cloudfront.net\r\n\r\n", 400, ""},
		{"host with a path", "GET / HTTP/1.1\r\nHost: " + host + "/x\r\n\r\n", 400, ""},
		{"host and port of nonsense", "GET / HTTP/1.1\r\nHost: " + host + ":99999999\r\n\r\n", 400, ""},
		{"long method", strings.Repeat("M", 500) + " / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 403, ""},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 403, ""},
		{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: " + host + "\r\n\r\n", 0, ""},
		{"negative length", "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: -1\r\n\r\n", 400, ""},
		{"huge length", "POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 99999999999999999999\r\n\r\n", 400, ""},
		{"huge chunk", "POST / HTTP/1.1\r\nHost: " + host + "\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 0, ""},
		{"WebSocket without a key", get("/", "Connection: Upgrade", "Upgrade: websocket"), 0, ""},
		{"forged CloudFront fields", get("/", "X-Amz-Cf-Id: a", "Via: 1.1 a.cloudfront.net (CloudFront)", "CloudFront-Viewer-Country: XX", "X-Forwarded-For: "+list(1000, func(int) string { return "10.0.0.1" })), 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := p.send(c.send)
			if a.Response == nil {
				t.Fatal(a.err)
			}
			if a.err != nil || c.want != 0 && a.StatusCode != c.want || a.StatusCode >= 500 || c.body != "" && a.body != c.body {
				t.Errorf("status %d, %v, %.100q; want %d", a.StatusCode, a.err, a.body, c.want)
			}
			if refused := strings.Contains(c.send[:min(len(c.send), 9000)], "Host: "+host+"\r\n") && a.StatusCode >= 400; refused && !strings.Contains(a.body, "Generated by cloudfront") {
				t.Errorf("status %d with %.100q, which is not CloudFront's page", a.StatusCode, a.body)
			}
		})
	}
	if a := p.get("Site", "/fine"); a.StatusCode != 200 || a.body != "GET /fine" {
		t.Errorf("after it: %d %q", a.StatusCode, a.body)
	}
}

// Keys without end, as a random query string makes them, neither fill memory nor the disk.
func TestKeysWithoutEnd(t *testing.T) {
	body := strings.Repeat("x", 20_000)
	address := origin(t, answers(func(w io.Writer, r *http.Request) { io.WriteString(w, ok(body)) }))
	data := t.TempDir()
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "16MiB", "--cache-disk", "32MiB", "--data", data)
	n := int(amount(10_000))
	p.keeps(120, func() {
		var all sync.WaitGroup
		for v := range 8 {
			client, scheme := p.client("h1")
			all.Go(func() {
				for i := range n / 8 {
					resp, err := client.Get(fmt.Sprintf("%s://%s/query/%s?%d-%d", scheme, p.hosts["Site"], strings.Repeat("k", 1000), v, i))
					if err != nil {
						t.Error(err)
						return
					}
					if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != int64(len(body)) {
						t.Errorf("%d bytes, %v", n, err)
					}
					resp.Body.Close()
				}
			})
		}
		all.Wait()
	})
	size := int64(0)
	err := filepath.Walk(filepath.Join(data, "cache"), func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			size += info.Size()
		}
		return nil // files come and go
	})
	t.Logf("%d MiB on disk", size>>20)
	if err != nil || size > 40<<20 {
		t.Errorf("%d bytes on disk, %v", size, err)
	}
}

// Connections that begin a head and go no further take little, leave room for others, and are closed when their time is up.
func TestSlowHeads(t *testing.T) {
	address := origin(t, answers(func(w io.Writer, r *http.Request) { io.WriteString(w, ok("fine")) }))
	p := up(t, site, "--origin", "origin.example=http://"+address)
	before := p.descriptors()
	var conns []net.Conn
	p.keeps(150, func() {
		for i := range 2000 {
			c := p.dial()
			conns = append(conns, c)
			switch i % 4 {
			case 0:
				fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nX: %s", p.hosts["Site"], strings.Repeat("a", 5000))
			case 1:
				io.WriteString(c, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
			case 2:
				io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x40\x00\x01\x00\x00\x00\x00\x01"+strings.Repeat("\x82", 9000))
			}
		}
		if a := p.get("Site", "/"); a.StatusCode != 200 {
			t.Errorf("beside them: %d", a.StatusCode)
		}
	})
	for _, c := range conns {
		c.Close()
	}
	end := time.Now().Add(patience)
	for p.descriptors() > before+20 {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, before it were %d", p.descriptors(), before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
