package hostile

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// pattern is what large bodies are made of.
var pattern = bytes.Repeat([]byte("0123456789abcdef"), 4<<10)

// large answers /N with N bytes, with a length or, below /chunked or /cached/chunked, without; and counts uploads.
func large(w io.Writer, r *http.Request) {
	if r.Method == "POST" {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil {
			io.WriteString(w, ok(strconv.FormatInt(n, 10)))
		}
		return
	}
	n, _ := strconv.ParseInt(r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:], 10, 64)
	chunked := strings.Contains(r.URL.Path, "chunked")
	framing := "Content-Length: " + strconv.FormatInt(n, 10)
	if chunked {
		framing = "Transfer-Encoding: chunked"
	}
	out := bufio.NewWriterSize(w, 256<<10)
	fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n%s\r\n\r\n", framing)
	for n > 0 {
		part := pattern[:min(n, int64(len(pattern)))]
		n -= int64(len(part))
		if chunked {
			fmt.Fprintf(out, "%x\r\n", len(part))
		}
		if _, err := out.Write(part); err != nil {
			return
		}
		if chunked {
			io.WriteString(out, "\r\n")
		}
	}
	if chunked {
		io.WriteString(out, "0\r\n\r\n")
	}
	out.Flush()
}

// client makes a client of a protocol: "h1", "h1 TLS", "h2" or "h3".
func (p *program) client(protocol string) (c *http.Client, scheme string) {
	cfg := &tls.Config{RootCAs: p.roots}
	address := "127.0.0.1:" + p.port
	if protocol == "h3" {
		tr := &http3.Transport{TLSClientConfig: cfg, Dial: func(ctx context.Context, _ string, c *tls.Config, q *quic.Config) (*quic.Conn, error) {
			return quic.DialAddr(ctx, address, c, q)
		}}
		p.t.Cleanup(func() { tr.Close() })
		return &http.Client{Transport: tr}, "https"
	}
	tr := &http.Transport{TLSClientConfig: cfg, Protocols: new(http.Protocols), DisableCompression: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}}
	tr.Protocols.SetHTTP1(protocol != "h2")
	tr.Protocols.SetHTTP2(protocol == "h2")
	p.t.Cleanup(tr.CloseIdleConnections)
	if protocol == "h1" {
		return &http.Client{Transport: tr}, "http"
	}
	return &http.Client{Transport: tr}, "https"
}

// Bodies that are far larger than any buffer flow through, in either direction and over each protocol, whether they might be
// kept in the cache or not.
func TestLargeBodiesFlowThrough(t *testing.T) {
	address := origin(t, answers(large))
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "32MiB")
	ctx, stop := context.WithTimeout(t.Context(), 10*patience)
	defer stop()
	for _, c := range []struct {
		protocol string
		size     int64
	}{{"h1", 1 << 30}, {"h1 TLS", 256 << 20}, {"h2", 256 << 20}, {"h3", 64 << 20}} {
		if testing.Short() {
			c.size /= 4
		}
		size := amount(c.size)
		client, scheme := p.client(c.protocol)
		for _, path := range []string{"/", "/chunked/", "/cached/", "/cached/chunked/"} {
			t.Run(c.protocol+" "+path, func(t *testing.T) {
				p.keeps(100, func() {
					req, _ := http.NewRequestWithContext(ctx, "GET", scheme+"://"+p.hosts["Site"]+path+strconv.FormatInt(size, 10), nil)
					resp, err := client.Do(req)
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					if n, err := io.Copy(io.Discard, resp.Body); err != nil || n != size || resp.StatusCode != 200 {
						t.Errorf("status %d, %d bytes of %d, %v", resp.StatusCode, n, size, err)
					}
				})
			})
		}
		t.Run(c.protocol+" upload", func(t *testing.T) {
			p.keeps(100, func() {
				body := struct{ io.Reader }{io.LimitReader(endless{}, size)} // whose length net/http does not know
				req, _ := http.NewRequestWithContext(ctx, "POST", scheme+"://"+p.hosts["Site"]+"/", body)
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if b, err := io.ReadAll(resp.Body); err != nil || string(b) != strconv.FormatInt(size, 10) {
					t.Errorf("status %d, %.200s, %v", resp.StatusCode, b, err)
				}
			})
		})
	}
}

// endless is a body without end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, pattern), nil }

// Viewers who ask for much and read nothing hold what the kernel's buffers take, and a little more. So do those who offer
// windows without end, and origins that do not read what viewers send.
func TestSlowViewersHoldLittle(t *testing.T) {
	var stalled sync.WaitGroup
	stalled.Add(100)
	address := origin(t, func(c net.Conn, _ int) {
		in := bufio.NewReader(c)
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.Method == "POST" {
			stalled.Done()
			<-t.Context().Done() // and reads nothing
		}
		large(c, r)
	})
	p := up(t, site, "--origin", "origin.example=http://"+address, "--cache-memory", "32MiB")
	t.Run("HTTP/1.1", func(t *testing.T) {
		p.keeps(200, func() {
			for i := range 300 {
				c := p.dial()
				fmt.Fprintf(c, "GET /%s%d/16777216 HTTP/1.1\r\nHost: %s\r\n\r\n", []string{"", "cached/", "chunked/", "cached/chunked/"}[i%4], i, p.hosts["Site"])
				if _, err := io.ReadFull(c, make([]byte, 10000)); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("HTTP/2", func(t *testing.T) {
		p.keeps(200, func() {
			for range 4 {
				c := p.dialTLS(p.hosts["Site"], "h2")
				f := preface(c, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
				f.WriteWindowUpdate(0, 1<<31-1-65535)
				for i := range uint32(100) {
					f.open(2*i+1, true, ":method", "GET", ":scheme", "https", ":authority", p.hosts["Site"], ":path", fmt.Sprintf("/cached/%d/16777216", i))
				}
				if _, err := io.ReadFull(c, make([]byte, 100000)); err != nil {
					t.Fatal(err)
				}
			}
		})
	})
	t.Run("uploads", func(t *testing.T) {
		p.keeps(200, func() {
			for range 100 {
				c := p.dial()
				fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nContent-Length: 1000000000\r\n\r\n", p.hosts["Site"])
				_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
				for err := error(nil); err == nil; _, err = c.Write(pattern) {
				}
			}
			stalled.Wait()
		})
	})
	if a := p.get("Site", "/1000"); a.StatusCode != 200 || len(a.body) != 1000 {
		t.Errorf("after it: status %d, %d bytes", a.StatusCode, len(a.body))
	}
}

// framer writes HTTP/2 frames, fit or not.
type framer struct {
	*http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

// preface begins a connection of HTTP/2.
func preface(c net.Conn, settings ...http2.Setting) *framer {
	_, _ = io.WriteString(c, http2.ClientPreface)
	f := &framer{Framer: http2.NewFramer(c, c)}
	f.AllowIllegalWrites = true
	f.enc = hpack.NewEncoder(&f.block)
	_ = f.WriteSettings(settings...)
	return f
}

// open begins a stream.
func (f *framer) open(id uint32, end bool, fields ...string) error {
	f.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = f.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: f.block.Bytes(), EndHeaders: true, EndStream: end})
}
