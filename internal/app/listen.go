package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"github.com/spf13/cobra"
)

// listenFlags say where a node listens.
type listenFlags struct {
	addr          string
	proxyProtocol bool
}

func (f *listenFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.addr, "listen", defaultListen, "one `ADDR` for HTTP/1.1, HTTP/2, HTTP/3, TLS, proxy and AWS API; port 0 picks a free one")
	cmd.Flags().BoolVar(&f.proxyProtocol, "proxy-protocol", false,
		"take the client's address from the PROXY protocol (v1, v2); the listener then accepts nothing else, and must be out of reach for all but the load balancer")
}

// sockets are what a node listens on.
type sockets struct {
	tcp net.Listener
	// udp is for HTTP/3; nil, with the reason in noHTTP3, when there is none.
	udp     net.PacketConn
	noHTTP3 string
	// inner is for the node's own functions, where tcp takes connections from a load balancer only. Nil: they use tcp.
	inner net.Listener
}

// portTries bounds the search for a port that is free in both protocols.
const portTries = 16

// listen opens the sockets: TCP and UDP with one port.
func (f *listenFlags) listen() (*sockets, error) {
	if err := os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true"); err != nil { // it would go to the standard logger
		return nil, err
	}
	var refused []net.Listener
	defer func() {
		for _, ln := range refused {
			_ = ln.Close()
		}
	}()
	for {
		ln, err := net.Listen("tcp", f.addr)
		if err != nil {
			return nil, usage("--listen %s: %v", f.addr, err)
		}
		s := &sockets{tcp: ln}
		if f.proxyProtocol {
			s.noHTTP3 = "with --proxy-protocol a load balancer is in front, which would have to speak it"
			if s.inner, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
				_ = ln.Close()
				return nil, usage("--proxy-protocol: listen for functions: %v", err)
			}
			return s, nil
		}
		at := ln.Addr().(*net.TCPAddr)
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone})
		if err == nil {
			s.udp = udp
			return s, nil
		}
		_, port, _ := net.SplitHostPort(f.addr)
		if port != "0" || len(refused) == portTries {
			s.noHTTP3 = err.Error()
			return s, nil
		}
		refused = append(refused, ln) // so that the next one is another
	}
}

// address is where the node answers.
func (s *sockets) address() string { return s.tcp.Addr().String() }

// endpoint is where functions reach the AWS API.
func (s *sockets) endpoint() string {
	if s.inner != nil {
		return s.inner.Addr().String()
	}
	return s.address()
}

// tell says what is not as people expect it.
func (s *sockets) tell(w io.Writer) {
	switch {
	case s.inner != nil:
		fmt.Fprintf(w, "%s takes the PROXY protocol only; without it: %s\n", s.address(), s.endpoint())
	case s.udp == nil:
		fmt.Fprintf(w, "HTTP/3 is not served: %s\n", s.noHTTP3)
	}
}

func (s *sockets) close() {
	_ = s.tcp.Close()
	if s.udp != nil {
		_ = s.udp.Close()
	}
	if s.inner != nil {
		_ = s.inner.Close()
	}
}

// Serve answers until ctx ends.
func (n *Node) Serve(ctx context.Context, s *sockets) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var serving sync.WaitGroup
	var errs [3]error
	run := func(i int, serve func() error) {
		serving.Go(func() {
			defer stop() // one that fails ends all
			errs[i] = serve()
		})
	}
	if s.inner != nil {
		run(0, func() error { return n.front.ServeProxyProtocol(ctx, s.tcp) })
		run(1, func() error { return n.front.Serve(ctx, s.inner) })
	} else {
		run(0, func() error { return n.front.Serve(ctx, s.tcp) })
	}
	if s.udp != nil {
		serving.Go(func() {
			if err := n.front.ServePackets(ctx, s.udp); err != nil {
				n.opts.Log("HTTP/3 has ended, and the rest goes on: %v", fmt.Errorf("serve %s: %w", s.udp.LocalAddr(), err))
			}
		})
	}
	serving.Wait()
	return errors.Join(errs[:]...)
}
