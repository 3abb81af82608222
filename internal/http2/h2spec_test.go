package http2

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
)

// TestH2spec runs the conformance tests of h2spec, strict ones included. It prints what failed.
func TestH2spec(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	defer func() { _ = ln.Close(); cancel(); wg.Wait() }()
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { ServeConn(ctx, c, Options{Handler: hello200()}) })
		}
	})
	if !testing.Verbose() { // it writes to the standard output of the process
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		out := os.Stdout
		os.Stdout = null
		defer func() { os.Stdout = out; _ = null.Close() }()
	}
	ok, err := h2spec.Run(&config.Config{
		Host: "127.0.0.1", Port: ln.Addr().(*net.TCPAddr).Port, Path: "/", Timeout: 2 * time.Second, MaxHeaderLen: 4000, Strict: true,
	})
	if err != nil || !ok {
		t.Errorf("h2spec found faults (run with -v to see them): %v", err)
	}
}
