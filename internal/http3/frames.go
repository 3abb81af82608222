package http3

import (
	"bufio"
	"errors"
	"io"
)

// Frame types (rfc9114 7.2, rfc9218 7.2).
const (
	frameData                  = 0x00
	frameHeaders               = 0x01
	frameCancelPush            = 0x03
	frameSettings              = 0x04
	framePushPromise           = 0x05
	frameGoaway                = 0x07
	frameMaxPushID             = 0x0d
	framePriorityUpdateRequest = 0xf0700
	framePriorityUpdatePush    = 0xf0701
)

// Limits of what a client may send without meaning anything by it: frames of unknown type, on a stream.
const (
	maxUnknownFrames = 64
	maxUnknownBytes  = 64 << 10
)

// frameHead is type and length of a frame.
type frameHead struct {
	kind   uint64
	length uint64
}

// frames reads the frames of a stream.
type frames struct {
	r       *bufio.Reader
	unknown int
	skipped uint64
}

// next reads the head of the next frame. io.EOF means that the stream ended in front of it. Errors of the stream itself come
// as they are; what the client did wrong is a *fault.
func (f *frames) next() (frameHead, error) {
	var h frameHead
	var err error
	if h.kind, err = readVarint(f.r); err != nil {
		return h, err
	}
	if h.length, err = readVarint(f.r); err != nil {
		return h, within(err)
	}
	switch h.kind {
	case 0x02, 0x06, 0x08, 0x09: // HTTP/2's, rfc9114 7.2.8
		return h, connFault(frameUnexpected, "frame of HTTP/2")
	}
	return h, nil
}

// readVarint reads a number (rfc9000 16). io.EOF means that the stream ended in front of it.
func readVarint(r *bufio.Reader) (uint64, error) {
	first, err := r.ReadByte()
	if err != nil {
		return 0, err
	}
	n := uint64(first & 0x3f)
	for range 1<<(first>>6) - 1 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, within(err)
		}
		n = n<<8 | uint64(b)
	}
	return n, nil
}

// known tells whether a frame type has a meaning, wherever it may stand.
func known(kind uint64) bool {
	switch kind {
	case frameData, frameHeaders, frameCancelPush, frameSettings, framePushPromise, frameGoaway, frameMaxPushID,
		framePriorityUpdateRequest, framePriorityUpdatePush:
		return true
	}
	return false
}

// skip drops the payload of a frame of unknown type (rfc9114 9).
func (f *frames) skip(h frameHead) error {
	f.unknown++
	if f.skipped += h.length; f.unknown > maxUnknownFrames || h.length > maxUnknownBytes || f.skipped > maxUnknownBytes {
		return connFault(excessiveLoad, "too many frames of unknown type")
	}
	_, err := io.CopyN(io.Discard, f.r, int64(h.length))
	return within(err)
}

// payload reads the whole payload of a frame into dst.
func (f *frames) payload(h frameHead, dst []byte) ([]byte, error) {
	if uint64(cap(dst)) < h.length {
		dst = make([]byte, h.length)
	}
	dst = dst[:h.length]
	_, err := io.ReadFull(f.r, dst)
	return dst, within(err)
}

// within makes a fault of an end within a frame's payload.
func within(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return connFault(frameError, "the stream ended within a frame")
	}
	return err
}
