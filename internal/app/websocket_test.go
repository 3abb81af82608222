package app

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// originNode serves the distribution of testdata/wire over sockets, with an origin whose connections come out of the channel.
func originNode(t *testing.T) (n *Node, origins chan net.Conn) {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	o, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	origins = make(chan net.Conn, 4)
	go func() {
		for {
			c, err := o.Accept()
			if err != nil {
				return
			}
			origins <- c
		}
	}()
	n, err = NewNode(Options{Region: "us-east-1", Account: "000000000000", Listen: ln.Addr().String(), Log: t.Logf, Explanations: true,
		Origins: map[string]string{"origin.example": "http://" + o.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	if _, found, err := n.load(t.Context(), &sourceFlags{}, []string{"../../testdata/wire/site.yaml"}); err != nil || len(found) > 0 {
		t.Fatal(err, found)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx, &sockets{tcp: ln}) }()
	t.Cleanup(func() {
		o.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		n.Close()
	})
	return n, origins
}

// A viewer who has said all of its part may still hear the origin's, over a WebSocket connection that is being explained.
func TestWebSocketHalfClose(t *testing.T) {
	n, origins := originNode(t)
	var host string
	for _, e := range n.Endpoints() {
		if e.LogicalID == "Site" {
			host = e.Hosts[0]
		}
	}
	v, err := net.Dial("tcp", n.opts.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	v.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(v, "GET /ws HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\nForegate-Explain: 1\r\n\r\n")
	o := <-origins
	defer o.Close()
	in := bufio.NewReader(o)
	if r, err := http.ReadRequest(in); err != nil || r.Header.Get("Sec-Websocket-Key") != "k" {
		t.Fatal(r, err)
	}
	io.WriteString(o, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
	out := bufio.NewReader(v)
	if resp, err := http.ReadResponse(out, nil); err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	io.WriteString(v, "that is all")
	if err := v.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(in); err != nil || string(b) != "that is all" {
		t.Fatalf("the origin got %q, %v", b, err)
	}
	io.WriteString(o, "understood")
	o.Close()
	if b, err := io.ReadAll(out); err != nil || string(b) != "understood" {
		t.Errorf("the viewer got %q, %v", b, err)
	}
}
