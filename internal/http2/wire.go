package http2

import (
	"encoding/binary"
	"sync"
)

// Frame types (rfc9113 6, rfc9218 7.1).
const (
	frameData           = 0x0
	frameHeaders        = 0x1
	framePriority       = 0x2
	frameReset          = 0x3
	frameSettings       = 0x4
	framePushPromise    = 0x5
	framePing           = 0x6
	frameGoAway         = 0x7
	frameWindow         = 0x8
	frameContinuation   = 0x9
	framePriorityUpdate = 0x10
)

// Frame flags.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// Settings (rfc9113 6.5.2).
const (
	settingTableSize  = 1
	settingPush       = 2
	settingStreams    = 3
	settingWindow     = 4
	settingFrameSize  = 5
	settingNoTree     = 9 // rfc9218 2.1: no priorities of rfc7540
	headSize          = 9 // of a frame
	maxPayload        = 16 << 10
	maxWindow         = 1<<31 - 1
	defaultWindow     = 65535
	lastID            = 1<<31 - 1
	maxPeerFrameLimit = 1<<24 - 1
)

// Windows for what comes in. An origin may send more ahead than a client.
const (
	serverStreamWindow = 256 << 10
	serverConnWindow   = 1 << 20
	clientStreamWindow = 1 << 20
	clientConnWindow   = 4 << 20
)

// code is an error code (rfc9113 7).
type code uint32

const (
	noError          code = 0x0
	protocolError    code = 0x1
	internalError    code = 0x2
	flowControlError code = 0x3
	streamClosed     code = 0x5
	frameSizeError   code = 0x6
	refusedStream    code = 0x7
	cancelled        code = 0x8
	compressionError code = 0x9
	enhanceYourCalm  code = 0xb
)

// String names the code as rfc9113 does.
func (c code) String() string {
	names := [...]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
		"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
		"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
	if int(c) < len(names) {
		return names[c]
	}
	return "an unknown code"
}

// connError ends the connection (rfc9113 5.4.1).
type connError struct {
	code   code
	reason string
}

func (e *connError) Error() string { return e.reason }

func fatal(c code, reason string) error { return &connError{c, reason} }

// frame is a frame whose payload stands in the read buffer.
type frame struct {
	kind, flags uint8
	id          uint32
	payload     []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

func appendFrame(b []byte, length int, kind, flags uint8, id uint32) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), kind, flags, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}

func appendReset(b []byte, id uint32, c code) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, frameReset, 0, id), uint32(c))
}

func appendWindow(b []byte, id, n uint32) []byte {
	return binary.BigEndian.AppendUint32(appendFrame(b, 4, frameWindow, 0, id), n)
}

func appendGoAway(b []byte, last uint32, c code, reason string) []byte {
	b = appendFrame(b, 8+len(reason), frameGoAway, 0, 0)
	b = binary.BigEndian.AppendUint32(b, last)
	return append(binary.BigEndian.AppendUint32(b, uint32(c)), reason...)
}

func appendSetting(b []byte, id uint16, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, id), v)
}

// unpad takes the padding off (rfc9113 6.1).
func (f *frame) unpad() ([]byte, error) {
	p := f.payload
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, fatal(frameSizeError, "padded frame without a length of padding")
	}
	n := int(p[0])
	if p = p[1:]; n > len(p) {
		return nil, fatal(protocolError, "padding longer than its frame")
	}
	return p[:len(p)-n], nil
}

// Buffers come in two sizes, so that a pool can hold arrays: putting one back then allocates nothing.
const (
	smallSize = 4 << 10
	largeSize = 80 << 10 // what leaves in one write, and a frame more
	flushSize = 64 << 10
)

// The pools hold bytes without meaning; they are the package's only shared state.
var (
	smallPool = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largePool = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

func getBuffer(n int) []byte {
	switch {
	case n <= smallSize:
		return smallPool.Get().(*[smallSize]byte)[:]
	case n <= largeSize:
		return largePool.Get().(*[largeSize]byte)[:]
	}
	return make([]byte, n)
}

func putBuffer(b []byte) {
	switch cap(b) {
	case smallSize:
		smallPool.Put((*[smallSize]byte)(b[:smallSize]))
	case largeSize:
		largePool.Put((*[largeSize]byte)(b[:largeSize]))
	}
}
