//go:build !linux

package http2

import "net"

func lowLatency(net.Conn) {}
