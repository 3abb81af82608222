package http3

import (
	"bufio"

	"github.com/quic-go/quic-go/quicvarint"
)

// maxSettings bounds the payload of SETTINGS, and of the other small frames.
const maxSettings = 4 << 10

// readControl reads the client's control stream. It returns when that ends, with a *fault for what is not allowed.
func (c *Conn) readControl(r *bufio.Reader) error {
	f := &frames{r: r}
	h, err := f.next()
	if err != nil {
		return err
	}
	if h.kind != frameSettings {
		return connFault(missingSettings, "the control stream begins without SETTINGS")
	}
	if err := readSettings(f, h); err != nil {
		return err
	}
	goaway, pushes := uint64(1<<62), uint64(0)
	var small []byte
	for {
		h, err := f.next()
		if err != nil {
			return err
		}
		switch h.kind {
		case frameGoaway: // of pushes, which there are none of
			n, err := readID(f, h)
			if err != nil {
				return err
			}
			if n > goaway {
				return connFault(idError, "GOAWAY went up")
			}
			goaway = n
		case frameMaxPushID:
			n, err := readID(f, h)
			if err != nil {
				return err
			}
			if n < pushes {
				return connFault(idError, "MAX_PUSH_ID went down")
			}
			pushes = n
		case frameCancelPush, framePriorityUpdatePush:
			return connFault(idError, "a push that nobody promised")
		case framePriorityUpdateRequest:
			if h.length == 0 || h.length > maxSettings {
				return connFault(frameError, "PRIORITY_UPDATE of a wrong length")
			}
			if small, err = f.payload(h, small); err != nil {
				return err
			}
			c.mu.Lock()
			err = c.priority.update(small, c.next)
			c.mu.Unlock()
			if err != nil {
				return err
			}
		default:
			if known(h.kind) {
				return connFault(frameUnexpected, "a frame that does not belong on the control stream")
			}
			if err := f.skip(h); err != nil {
				return err
			}
		}
	}
}

// readSettings checks SETTINGS. None of them matters here: what the client allows is more than is used.
func readSettings(f *frames, h frameHead) error {
	if h.length > maxSettings {
		return connFault(excessiveLoad, "SETTINGS is too long")
	}
	p, err := f.payload(h, nil)
	if err != nil {
		return err
	}
	seen := map[uint64]bool{}
	for len(p) > 0 {
		id, n, err := quicvarint.Parse(p)
		if err != nil {
			return connFault(frameError, "SETTINGS ends within a setting")
		}
		_, m, err := quicvarint.Parse(p[n:])
		if err != nil {
			return connFault(frameError, "SETTINGS ends within a setting")
		}
		p = p[n+m:]
		switch {
		case id == 0x00 || id >= 0x02 && id <= 0x05: // HTTP/2's, rfc9114 7.2.4.1
			return connFault(settingsError, "setting of HTTP/2")
		case seen[id]:
			return connFault(settingsError, "a setting twice")
		}
		seen[id] = true
	}
	return nil
}

// readID reads a frame whose payload is one number.
func readID(f *frames, h frameHead) (uint64, error) {
	if h.length == 0 || h.length > 8 {
		return 0, connFault(frameError, "a frame of a wrong length")
	}
	p, err := f.payload(h, make([]byte, 8))
	if err != nil {
		return 0, err
	}
	n, used, err := quicvarint.Parse(p)
	if err != nil || used != len(p) {
		return 0, connFault(frameError, "a frame of a wrong length")
	}
	return n, nil
}

// readEncoder reads the client's QPACK encoder stream. Its table has no room, so all that it may say is that it uses none
// (rfc9204 3.2.3, 4.3.1).
func readEncoder(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b != 0x20 {
			return connFault(encoderStreamError, "an entry for a table that has no room")
		}
	}
}

// readDecoder reads the client's QPACK decoder stream: cancelled streams, and nothing about inserts, which are never made
// (rfc9204 4.4).
func readDecoder(r *bufio.Reader) error {
	for {
		b, err := r.ReadByte()
		if err != nil {
			return err
		}
		if b&0xc0 != 0x40 {
			return connFault(decoderStreamError, "news of inserts that were never made")
		}
		if b&0x3f != 0x3f {
			continue
		}
		for n := 0; ; n++ {
			b, err := r.ReadByte()
			if err != nil {
				return err
			}
			if n > 8 {
				return connFault(decoderStreamError, "a number that is too large")
			}
			if b&0x80 == 0 {
				break
			}
		}
	}
}
