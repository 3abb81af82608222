package front

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/ca"
	"github.com/foregate/foregate/internal/message"
)

// proxyV2 makes a header of version 2.
func proxyV2(command, family byte, payload ...byte) string {
	b := append([]byte(signature), command, family, 0, 0)
	binary.BigEndian.PutUint16(b[14:], uint16(len(payload)))
	return string(append(b, payload...))
}

var (
	tcp4 = []byte{192, 0, 2, 1, 198, 51, 100, 2, 0x12, 0x34, 0x01, 0xbb}
	tcp6 = append(append(netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice()...), 0x12, 0x34, 0x01, 0xbb)
)

// withChecksum adds the checksum extension, spoilt if wrong.
func withChecksum(wrong byte) string {
	h := []byte(proxyV2(0x21, proxyTCP4, append(append([]byte(nil), tcp4...), 0x03, 0, 4, 0, 0, 0, 0)...))
	sum := crc32.Checksum(h, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(h[len(h)-4:], sum)
	h[len(h)-1] ^= wrong
	return string(h)
}

var proxyHeaders = []struct {
	name, header, want string // want is the client, "" for the connection's own, or "!" for an error
}{
	{"v1 TCP4", "PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", "192.0.2.1:4660"},
	{"v1 TCP6", "PROXY TCP6 2001:db8::1 2001:db8::2 4660 443\r\n", "[2001:db8::1]:4660"},
	{"v1 mapped", "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1"},
	{"v1 longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"v1 UNKNOWN", "PROXY UNKNOWN\r\n", ""},
	{"v1 UNKNOWN with more", "PROXY UNKNOWN ffff:: whatever 1 2\r\n", ""},
	{"v2 TCP4", proxyV2(0x21, proxyTCP4, tcp4...), "192.0.2.1:4660"},
	{"v2 TCP6", proxyV2(0x21, proxyTCP6, tcp6...), "[2001:db8::1]:4660"},
	{"v2 extensions", proxyV2(0x21, proxyTCP4, append(append([]byte(nil), tcp4...), 0x02, 0, 1, 'h', 0x04, 0, 0, 0xea, 0, 2, 1, 2)...), "192.0.2.1:4660"},
	{"v2 checksum", withChecksum(0), "192.0.2.1:4660"},
	{"v2 LOCAL", proxyV2(0x20, proxyUnspec), ""},
	{"v2 LOCAL with an address", proxyV2(0x20, proxyTCP4, tcp4...), ""},
	{"v2 UNSPEC", proxyV2(0x21, proxyUnspec, 1, 2, 3), ""},
	{"v2 Unix", proxyV2(0x21, proxyUnix, make([]byte, 216)...), ""},

	{"nothing", "", "!"},
	{"HTTP", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "!"},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "!"},
	{"v1 cut", "PROXY TCP4 192.0.2.1", "!"},
	{"v1 small letters", "proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n", "!"},
	{"v1 other family", "PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n", "!"},
	{"v1 family and address differ", "PROXY TCP4 ::1 ::2 1 2\r\n", "!"},
	{"v1 family and address differ (6)", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "!"},
	{"v1 zone", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "!"},
	{"v1 leading zeros", "PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n", "!"},
	{"v1 port with a zero", "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", "!"},
	{"v1 port too large", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n", "!"},
	{"v1 port with a sign", "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", "!"},
	{"v1 two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", "!"},
	{"v1 tab", "PROXY\tTCP4 192.0.2.1 198.51.100.2 1 2\r\n", "!"},
	{"v1 one more", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n", "!"},
	{"v1 LF", "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n", "!"},
	{"v1 CR in the line", "PROXY UNKNOWN a\rb\r\n", "!"},
	{"v1 UNKNOWNX", "PROXY UNKNOWNX\r\n", "!"},
	{"v1 too long", "PROXY UNKNOWN " + strings.Repeat("x", 100) + "\r\n", "!"},
	{"v2 cut", proxyV2(0x21, proxyTCP4, tcp4...)[:20], "!"},
	{"v2 version 1", proxyV2(0x11, proxyTCP4, tcp4...), "!"},
	{"v2 command 2", proxyV2(0x22, proxyTCP4, tcp4...), "!"},
	{"v2 UDP", proxyV2(0x21, 0x12, tcp4...), "!"},
	{"v2 unknown family", proxyV2(0x21, 0x41, tcp4...), "!"},
	{"v2 address too short", proxyV2(0x21, proxyTCP6, tcp4...), "!"},
	{"v2 extension cut", proxyV2(0x21, proxyTCP4, append(append([]byte(nil), tcp4...), 0x02, 0, 9, 'h')...), "!"},
	{"v2 extension without a length", proxyV2(0x21, proxyTCP4, append(append([]byte(nil), tcp4...), 0x02)...), "!"},
	{"v2 wrong checksum", withChecksum(1), "!"},
	{"v2 short checksum", proxyV2(0x21, proxyTCP4, append(append([]byte(nil), tcp4...), 0x03, 0, 1, 0)...), "!"},
	{"v2 too long", proxyV2(0x21, proxyTCP4, make([]byte, maxProxyV2+1)...), "!"},
}

func TestReadProxyHeader(t *testing.T) {
	for _, c := range proxyHeaders {
		r := strings.NewReader(c.header + "rest")
		addr, err := readProxyHeader(r)
		got := "!"
		if err == nil {
			if got = ""; addr.IsValid() {
				got = addr.String()
			}
			if rest, _ := io.ReadAll(r); string(rest) != "rest" {
				t.Errorf("%s: %q is left", c.name, rest)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

func FuzzProxyHeader(f *testing.F) {
	for _, c := range proxyHeaders {
		f.Add([]byte(c.header))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		addr, err := readProxyHeader(r)
		read := len(b) - r.Len()
		if err != nil {
			if addr.IsValid() {
				t.Fatalf("%q: %s together with %v", b, addr, err)
			}
			return
		}
		switch header := b[:read]; {
		case bytes.HasPrefix(header, []byte(signature)):
			if read != 16+int(binary.BigEndian.Uint16(header[14:])) {
				t.Fatalf("%q: %d bytes read", b, read)
			}
		case bytes.HasPrefix(header, []byte("PROXY ")):
			if read > maxProxyV1 || bytes.Count(header, []byte("\n")) != 1 || !bytes.HasSuffix(header, []byte("\r\n")) {
				t.Fatalf("%q: %d bytes read", b, read)
			}
			if addr.IsValid() && !bytes.Contains(header, []byte(fmt.Sprintf(" %d ", addr.Port()))) {
				t.Fatalf("%q: %s is not in it", b, addr)
			}
		default:
			t.Fatalf("%q was accepted", b)
		}
	})
}

// startProxied serves a.example, which says who the client is, behind the PROXY protocol.
func startProxied(t *testing.T, opts Options) *served {
	t.Helper()
	authority, err := ca.Ephemeral()
	must(t, err)
	b := NewBuilder(1)
	must(t, b.Name("a.example", Site{Service: "x", Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		return message.Text(200, "text/plain", "client "+r.Client.String())
	})}))
	opts.Issuer, opts.Grace = authority, time.Second
	f := New(opts)
	f.Swap(b.Build())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.ServeProxyProtocol(ctx, ln) }()
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { must(t, stop()) })
	return &served{Front: f, t: t, addr: ln.Addr().String(), ca: authority, stop: stop}
}

// send opens a connection and begins with first.
func (s *served) send(first string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("tcp", s.addr)
	must(s.t, err)
	s.t.Cleanup(func() { c.Close() })
	_, err = io.WriteString(c, first)
	must(s.t, err)
	return c
}

const getClient = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n"

func TestServeProxyProtocol(t *testing.T) {
	s := startProxied(t, Options{Log: t.Logf})
	for _, h := range []struct{ header, want string }{
		{"PROXY TCP4 192.0.2.1 198.51.100.2 4660 443\r\n", "client 192.0.2.1:4660"},
		{proxyV2(0x21, proxyTCP6, tcp6...), "client [2001:db8::1]:4660"},
		{proxyV2(0x20, proxyUnspec), "client 127.0.0.1:"},
	} {
		clear := s.send(h.header)
		secure := tls.Client(s.send(h.header), &tls.Config{ServerName: "a.example", RootCAs: s.ca.Pool()})
		for _, c := range []net.Conn{clear, secure} {
			_, err := io.WriteString(c, getClient)
			must(t, err)
			answer, err := io.ReadAll(c)
			if err != nil || !strings.Contains(string(answer), h.want) {
				t.Errorf("%T: got %q, %v; want %s", c, answer, err, h.want)
			}
		}
	}
}

func TestProxyProtocolRefuses(t *testing.T) {
	logged := make(chan string, 8)
	s := startProxied(t, Options{HandshakeTimeout: 20 * time.Millisecond, Log: func(format string, args ...any) { logged <- fmt.Sprintf(format, args...) }})
	for _, first := range []string{getClient, getClient, "PROXY TCP4 192.0.2.1 ", "\r\n\r\n"} { // wrong, and never complete
		answer, err := io.ReadAll(s.send(first))
		if len(answer) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: got %q, %v", first, answer, err)
		}
	}
	must(t, s.stop())
	if len(logged) != 1 || !strings.Contains(<-logged, "PROXY protocol") {
		t.Errorf("%d lines in the log", len(logged)+1)
	}
}
