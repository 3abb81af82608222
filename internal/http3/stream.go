package http3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"

	"github.com/quic-go/quic-go"

	"github.com/foregate/foregate/internal/head"
	"github.com/foregate/foregate/internal/http1"
	"github.com/foregate/foregate/internal/message"
)

// exchange is a request and its answer. It is used again for another stream when the handler and the body are done with it.
type exchange struct {
	c       *Conn
	s       *quic.Stream
	in      *bufio.Reader
	frames  frames
	block   []byte
	decoder decoder
	head    head.Head
	req     message.Request
	room    message.Room
	body    *body
	out     writer

	sending  sync.Mutex // until the head is sent: an interim answer may come in between
	sentHead bool
}

// exchanges holds what is used again; it has no meaning of its own.
var exchanges = sync.Pool{New: func() any {
	return &exchange{in: bufio.NewReaderSize(nil, 2048), out: writer{buf: make([]byte, 0, bufferSize)}}
}}

const maxSpareBlock = 8 << 10

// exchange serves a stream. It returns whether the client has got its whole answer from us.
func (c *Conn) exchange(s *quic.Stream) (whole bool) {
	x := exchanges.Get().(*exchange)
	x.c, x.s = c, s
	x.in.Reset(s)
	x.frames = frames{r: x.in}
	x.head.Reset(head.Request, c.o.rules())
	x.out.reset(s, c.o.WriteTimeout)
	defer func() {
		if v := recover(); v != nil {
			c.o.report(fmt.Errorf("send the answer to %s %q: panic: %v\n%s", x.req.Method, x.req.Path, v, debug.Stack()))
		}
		x.release(whole)
	}()
	refusal, err := x.read()
	if err != nil {
		x.refuse(err)
		return false
	}
	resp := x.respond(refusal)
	if resp.Body != nil {
		defer resp.Body.Close()
	}
	return x.answer(resp)
}

// release ends the stream, takes the body from the handler, and gives the exchange back.
func (x *exchange) release(whole bool) {
	if !whole {
		x.s.CancelWrite(quic.StreamErrorCode(internalError)) // changes nothing after another code
	}
	x.s.CancelRead(quic.StreamErrorCode(noError)) // rfc9114 4.1: the rest of the request is of no interest
	if x.body != nil {
		x.body.detach()
	}
	fields, block := x.head.Fields, x.block
	clear(fields[:cap(fields)])
	if cap(fields) > 64 {
		fields = nil
	}
	if cap(block) > maxSpareBlock {
		block = nil
	}
	x.in.Reset(nil)
	x.out.reset(nil, 0)
	*x = exchange{in: x.in, block: block, decoder: x.decoder, head: head.Head{Fields: fields[:0]}, out: x.out}
	if cap(x.decoder.text) > maxSpareBlock {
		x.decoder = decoder{}
	}
	exchanges.Put(x)
}

// refuse ends what broke the protocol.
func (x *exchange) refuse(err error) {
	var f *fault
	if !errors.As(err, &f) {
		f = streamFault(requestIncomplete, err.Error())
	}
	if f.conn {
		x.c.fail(f)
		return
	}
	x.s.CancelRead(quic.StreamErrorCode(f.code))
	x.s.CancelWrite(quic.StreamErrorCode(f.code))
}

// read reads the head, and finds out whether there is a body.
func (x *exchange) read() (*http1.Error, error) {
	_ = x.s.SetReadDeadline(after(x.c.o.HeadTimeout))
	over, err := x.readHead()
	if err != nil {
		return nil, err
	}
	if over {
		return &http1.Error{Kind: http1.HeadTooBig, Reason: "fields are over the limit"}, nil
	}
	refusal := x.head.Finish(false)
	if x.head.Bad != "" {
		return nil, streamFault(messageError, x.head.Bad)
	}
	x.request()
	if refusal != nil {
		return refusal, nil
	}
	b := &body{x: x, declared: x.head.Length, expect: x.head.HasExpect}
	if b.declared > 0 || b.expect {
		x.body = b
	} else if err := b.frame(); errors.Is(err, os.ErrDeadlineExceeded) {
		return &http1.Error{Kind: http1.Timeout, Reason: "waiting for the body or its end", Err: err}, nil
	} else if err == nil {
		x.body = b
	} else if err != io.EOF {
		return nil, err
	}
	if x.body != nil {
		x.req.Body, x.req.ContentLength = b, b.declared
	}
	return nil, nil
}

// readHead reads the frame that a request begins with. over is true for one that is not worth decoding.
func (x *exchange) readHead() (over bool, err error) {
	for {
		h, err := x.frames.next()
		switch {
		case err == io.EOF:
			return false, streamFault(requestIncomplete, "no head")
		case err != nil:
			return false, err
		case h.kind == frameHeaders && h.length > uint64(2*x.c.o.MaxHead):
			return true, nil
		case h.kind == frameHeaders:
			return false, x.section(h, &x.head)
		case known(h.kind):
			return false, connFault(frameUnexpected, "a request does not begin with HEADERS")
		}
		if err := x.frames.skip(h); err != nil {
			return false, err
		}
	}
}

// section reads and decodes a field section.
func (x *exchange) section(h frameHead, to *head.Head) (err error) {
	if x.block, err = x.frames.payload(h, x.block); err != nil {
		return err
	}
	if !x.decoder.decode(x.block, to) {
		return connFault(decompressionFailed, "a field section that cannot be decoded")
	}
	return nil
}

// request makes the request of the head.
func (x *exchange) request() {
	h, c := &x.head, x.c
	x.req = message.Request{Scheme: "https", Proto: message.HTTP3, Client: c.Client(), TLS: c.tls, Room: &x.room}
	h.Fill(&x.req)
	c.mu.Lock()
	c.priority.set(x.s.StreamID(), h.Priority)
	c.mu.Unlock()
}

// respond gets an answer that can be sent.
func (x *exchange) respond(refusal *http1.Error) *message.Response {
	if refusal != nil {
		return x.reject(refusal)
	}
	resp := x.call()
	if head.Sendable(resp) {
		return resp
	}
	if resp != nil {
		x.c.o.report(fmt.Errorf("answer %s %q: status or fields not fit to be sent", x.req.Method, x.req.Path))
		if resp.Body != nil {
			_ = resp.Body.Close()
		}
	}
	return x.reject(&http1.Error{Kind: http1.BadMessage, Reason: "no answer that can be sent"})
}

func (x *exchange) call() (resp *message.Response) {
	defer func() {
		if v := recover(); v != nil {
			x.c.o.report(fmt.Errorf("serve %s %q: panic: %v\n%s", x.req.Method, x.req.Path, v, debug.Stack()))
			resp = nil
		}
	}()
	return x.c.o.Handler.Serve(x.s.Context(), &x.req)
}

func (x *exchange) reject(e *http1.Error) *message.Response {
	c := x.c
	return x.head.Refuse(context.WithoutCancel(x.s.Context()), &http1.Rejection{Err: e, Client: c.Client(), TLS: c.tls}, "https", c.o.Reject)
}
