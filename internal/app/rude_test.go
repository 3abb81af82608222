package app

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/foregate/foregate/internal/http1"
)

// Connections that are opened, stalled, cut short, reset and half-closed at random, by viewers over HTTP/1.1 and HTTP/2 and by
// origins: nothing is left behind of any. FOREGATE_SOAK=1m makes it last longer; with the race detector, buffers are counted too.
func TestRudePeersLeaveNothing(t *testing.T) {
	lasting := 2 * time.Second
	if s := os.Getenv("FOREGATE_SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		lasting = d
	}
	before := count(t)
	buffers, counted := http1.Outstanding()
	o := newRudeOrigin(t)
	site, err := os.ReadFile(filepath.Join("..", "..", "testdata", "wire", "site.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// A fetch for the cache goes on when its viewer has left, so what it takes at most decides how long the end takes.
	site = bytes.ReplaceAll(site, []byte("OriginProtocolPolicy: http-only"), []byte("OriginProtocolPolicy: http-only, OriginReadTimeout: 1"))
	site = bytes.ReplaceAll(site, []byte("DomainName: origin.example"), []byte("DomainName: origin.example\n            ConnectionAttempts: 1"))
	file := filepath.Join(t.TempDir(), "site.yaml")
	if err := os.WriteFile(file, site, 0o600); err != nil {
		t.Fatal(err)
	}
	n, end := serving(t, file, func(opts *Options) {
		opts.Origins = map[string]string{"origin.example": "http://" + o.ln.Addr().String()}
	})
	host := n.hostOf("Site")
	until := time.Now().Add(lasting)
	var viewers sync.WaitGroup
	for i := range 32 {
		viewers.Go(func() {
			v := &rudeViewer{t: t, address: n.opts.Listen, host: host, rnd: rand.New(rand.NewPCG(uint64(i), 1))}
			for time.Now().Before(until) {
				v.visit()
			}
		})
	}
	viewers.Wait()
	// One whole exchange shows that it still works.
	o.polite()
	c, err := net.Dial("tcp", n.opts.Listen)
	if err != nil {
		t.Fatal(err)
	}
	if status, err := get(http1.NewClientConn(c, http1.ClientOptions{ReadTimeout: 30 * time.Second}), n, "http://"+host+"/"); err != nil || status != 200 {
		t.Errorf("after all that: status %d, %v", status, err)
	}
	c.Close()
	end()
	o.stop()
	settled(t, before)
	if now, _ := http1.Outstanding(); counted && now != buffers {
		t.Errorf("%d buffers are out, before it were %d", now, buffers)
	}
}

// rude ends a connection in one of the ways there are.
func rude(c net.Conn, rnd *rand.Rand) {
	tcp, _ := c.(*net.TCPConn)
	if s, ok := c.(*tls.Conn); ok {
		tcp, _ = s.NetConn().(*net.TCPConn)
	}
	switch rnd.IntN(4) {
	case 0:
		tcp.SetLinger(0) // a reset
	case 1:
		tcp.CloseWrite()
		io.CopyN(io.Discard, c, rnd.Int64N(2000))
	case 2:
		tcp.CloseRead()
		io.WriteString(c, "more")
	}
	c.Close()
}

// part sends a beginning of b, sometimes in pieces, and seldom more than it should.
func part(c net.Conn, b string, rnd *rand.Rand) {
	n := len(b)
	if rnd.IntN(2) == 0 {
		n = rnd.IntN(len(b) + 1)
	}
	if k := rnd.IntN(n + 1); rnd.IntN(3) == 0 {
		io.WriteString(c, b[:k])
		io.WriteString(c, b[k:n])
		return
	}
	io.WriteString(c, b[:n])
}

type rudeViewer struct {
	t             *testing.T
	address, host string
	rnd           *rand.Rand
}

// patience is how long a peer stalls at most; a few milliseconds, since the stalls that count are those of the other side.
func (v *rudeViewer) patience() time.Time {
	return time.Now().Add(time.Duration(v.rnd.IntN(50)) * time.Millisecond)
}

func (v *rudeViewer) visit() {
	c, err := net.Dial("tcp", v.address)
	if err != nil {
		v.t.Error(err)
		return
	}
	c.SetDeadline(time.Now().Add(time.Second)) // for what must not block this side
	if v.rnd.IntN(2) == 0 {
		v.visit2(c)
		return
	}
	requests := []string{
		"GET /%d HTTP/1.1\r\nHost: " + v.host + "\r\n\r\n",
		"GET /cached/%d HTTP/1.1\r\nHost: " + v.host + "\r\n\r\n",
		"POST /%d HTTP/1.1\r\nHost: " + v.host + "\r\nContent-Length: 20\r\n\r\n01234567890123456789",
		"POST /%d HTTP/1.1\r\nHost: " + v.host + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n3\r\nfgh\r\n0\r\n\r\n",
		"POST /%d HTTP/1.1\r\nHost: " + v.host + "\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n01234567890123456789",
		"POST /%d HTTP/1.1\r\nHost: " + v.host + "\r\nContent-Length: 100000\r\n\r\n01234567890123456789",
		"GET /%d HTTP/1.1\r\nHost: " + v.host + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
		"BAD\r\n\r\n",
	}
	for range 1 + v.rnd.IntN(3) {
		r := requests[v.rnd.IntN(len(requests))]
		if r[0] != 'B' {
			r = fmt.Sprintf(r, v.rnd.IntN(20))
		}
		part(c, r, v.rnd)
		if v.rnd.IntN(3) > 0 {
			c.SetReadDeadline(v.patience())
			io.CopyN(io.Discard, c, v.rnd.Int64N(3000))
		}
	}
	rude(c, v.rnd)
}

func (v *rudeViewer) visit2(nc net.Conn) {
	c := tls.Client(nc, &tls.Config{ServerName: v.host, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if v.rnd.IntN(8) == 0 {
		part(nc, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", v.rnd)
		rude(nc, v.rnd)
		return
	}
	if err := c.Handshake(); err != nil {
		nc.Close()
		return
	}
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(v.rnd.IntN(2) * 65535)})
	for i := range 1 + v.rnd.IntN(6) {
		id := uint32(2*i + 1)
		var block bytes.Buffer
		enc := hpack.NewEncoder(&block)
		method, body := "GET", false
		if v.rnd.IntN(2) == 0 {
			method, body = "POST", true
		}
		for _, h := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", v.host}, {":path", fmt.Sprintf("/%d", v.rnd.IntN(20))}} {
			enc.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: v.rnd.IntN(20) > 0, EndStream: !body})
		if body {
			f.WriteData(id, v.rnd.IntN(2) == 0, []byte("abcdefgh"))
		}
		if v.rnd.IntN(4) == 0 {
			f.WriteRSTStream(id, http2.ErrCodeCancel)
		}
		if v.rnd.IntN(3) == 0 {
			c.SetReadDeadline(v.patience())
			io.CopyN(io.Discard, c, v.rnd.Int64N(3000))
		}
	}
	rude(c, v.rnd)
}

// rudeOrigin answers at random.
type rudeOrigin struct {
	ln    net.Listener
	mu    sync.Mutex
	kind  bool
	conns map[net.Conn]struct{}
	all   sync.WaitGroup
}

func newRudeOrigin(t *testing.T) *rudeOrigin {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &rudeOrigin{ln: ln, conns: map[net.Conn]struct{}{}}
	o.all.Go(func() {
		for i := uint64(0); ; i++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			o.mu.Lock()
			o.conns[c] = struct{}{}
			o.mu.Unlock()
			o.all.Go(func() {
				o.serve(c, rand.New(rand.NewPCG(i, 2)))
				o.mu.Lock()
				delete(o.conns, c)
				o.mu.Unlock()
			})
		}
	})
	return o
}

func (o *rudeOrigin) polite() {
	o.mu.Lock()
	o.kind = true
	o.mu.Unlock()
}

func (o *rudeOrigin) stop() {
	o.ln.Close()
	o.mu.Lock()
	for c := range o.conns {
		c.Close()
	}
	o.mu.Unlock()
	o.all.Wait()
}

func (o *rudeOrigin) serve(c net.Conn, rnd *rand.Rand) {
	defer c.Close()
	answers := []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nCache-Control: max-age=1\r\nContent-Length: 5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nuntil the end",
		"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nframes",
		"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + string(make([]byte, 100000)),
		"nothing like HTTP",
	}
	b := make([]byte, 4096)
	for {
		if _, err := c.Read(b); err != nil {
			return
		}
		o.mu.Lock()
		kind := o.kind
		o.mu.Unlock()
		if kind {
			io.WriteString(c, answers[0])
			continue
		}
		switch rnd.IntN(8) {
		case 0: // stalls until the other side gives up
			io.Copy(io.Discard, c)
			return
		case 1:
			part(c, answers[rnd.IntN(len(answers))], rnd)
			c.SetDeadline(time.Now().Add(time.Second))
			rude(c, rnd)
			return
		}
		part(c, answers[rnd.IntN(len(answers))], rnd)
	}
}
