// Command origin is the origin behind every server of the benchmarks: it answers from memory, so that what is measured is
// the server in front. A path ends in the size of its answer: /hit/1k, /pass/500, /pass/1m. Paths under /pass are not
// cacheable. /served tells how many answers went out, which is how the runner knows that hits were hits. It trusts its
// clients, and must never be reached by others.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"log"
	"net"
	"os"
	"sync/atomic"

	"github.com/foregate/foregate/bench/body"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: origin ADDR")
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	o := newOrigin()
	for {
		nc, err := ln.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go o.serve(nc)
	}
}

type origin struct {
	cacheable, not map[string][]byte // by the path's last part
	served         atomic.Int64
}

func newOrigin() *origin {
	o := &origin{cacheable: map[string][]byte{}, not: map[string][]byte{}}
	for name, size := range body.Sizes {
		b := body.Make(size)
		o.cacheable[name] = answer("Cache-Control: public, max-age=86400\r\nETag: \"bench-"+name+"\"\r\nLast-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n", b)
		o.not[name] = answer("Cache-Control: no-store\r\n", b)
	}
	return o
}

func answer(fields string, b []byte) []byte {
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 00:00:00 GMT\r\nContent-Type: application/octet-stream\r\n%sContent-Length: %d\r\n\r\n", fields, len(b))
	return append([]byte(head), b...)
}

// serve answers GET requests, one after the other.
func (o *origin) serve(nc net.Conn) {
	defer nc.Close()
	in := bufio.NewReader(nc)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		out := o.find(line)
		for len(line) > 2 {
			if line, err = in.ReadSlice('\n'); err != nil {
				return
			}
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
	}
}

// find picks the answer for a request line.
func (o *origin) find(line []byte) []byte {
	_, rest, _ := bytes.Cut(line, []byte(" "))
	path, _, _ := bytes.Cut(rest, []byte(" "))
	path, _, _ = bytes.Cut(path, []byte("?"))
	if string(path) == "/served" {
		return answer("", fmt.Appendf(nil, "%d", o.served.Load()))
	}
	set, name := o.cacheable, path[bytes.LastIndexByte(path, '/')+1:]
	if bytes.HasPrefix(path, []byte("/pass/")) {
		set = o.not
	}
	if out, ok := set[string(name)]; ok {
		o.served.Add(1)
		return out
	}
	return []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
}
