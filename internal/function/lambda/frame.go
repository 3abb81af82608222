package lambda

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Frames to a worker, with numbers in big-endian order:
//
//	length of what follows (4)  sequence (4)  length of meta (2)  meta  payload
//
// Meta has six fields with line feeds between them: request id, deadline in milliseconds since 1970, trace id, invoked
// ARN, client context, identity. The first frame is the configuration, as JSON, with empty meta.
//
// Frames from a worker:
//
//	length of what follows (4)  kind (1)  sequence (4)  payload
const (
	requestHead  = 10
	responseHead = 9
)

// The kinds of frames that a worker sends.
const (
	kindReady     = 'R' // the function is loaded; the payload is the interpreter's version
	kindInitError = 'I' // the function cannot be loaded; the worker ends
	kindOK        = 'O' // the handler's result
	kindError     = 'E' // the handler's error
	kindFatal     = 'X' // the handler's error; the worker ends
)

var errRubbish = errors.New("worker wrote something that is no frame to its response pipe")

// appendRequestHead appends the head and the meta of an invocation's frame; the payload follows.
func appendRequestHead(b []byte, seq uint32, inv *Invocation, deadlineMillis int64) ([]byte, error) {
	at := len(b)
	b = append(b, make([]byte, requestHead)...)
	b = appendField(b, inv.RequestID)
	b = append(b, '\n')
	b = strconv.AppendInt(b, deadlineMillis, 10)
	for _, field := range [...]string{inv.TraceID, inv.ARN, inv.ClientContext, inv.Identity} {
		b = append(b, '\n')
		b = appendField(b, field)
	}
	meta := len(b) - at - requestHead
	if meta > 0xffff {
		return nil, fmt.Errorf("write invocation: client context and identity have %d bytes, more than 65535", meta)
	}
	putRequestHead(b[at:], seq, meta, len(inv.Payload))
	return b, nil
}

func putRequestHead(b []byte, seq uint32, meta, payload int) {
	binary.BigEndian.PutUint32(b, uint32(requestHead-4+meta+payload))
	binary.BigEndian.PutUint32(b[4:], seq)
	binary.BigEndian.PutUint16(b[8:], uint16(meta))
}

// appendField appends s with line feeds made spaces: they separate fields, and in JSON a bare line feed is white space.
func appendField(b []byte, s string) []byte {
	if strings.IndexByte(s, '\n') < 0 {
		return append(b, s...)
	}
	return append(b, strings.ReplaceAll(s, "\n", " ")...)
}

// parseResponseHead checks the head of a worker's frame and returns its kind, sequence and payload size.
func parseResponseHead(b []byte) (kind byte, seq uint32, size int, err error) {
	length := binary.BigEndian.Uint32(b)
	if length < responseHead-4 || length > responseHead-4+maxResponse {
		return 0, 0, 0, errRubbish
	}
	switch b[4] {
	case kindReady, kindInitError, kindOK, kindError, kindFatal:
	default:
		return 0, 0, 0, errRubbish
	}
	return b[4], binary.BigEndian.Uint32(b[5:]), int(length) - (responseHead - 4), nil
}
