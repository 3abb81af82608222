package front

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of a PROXY protocol header (its specification, haproxy/doc/proxy-protocol.txt, 2.1 and 2.2). Version 2 may have
// 65,535 bytes; no sender makes more than a client certificate needs.
const (
	maxProxyV1 = 107
	maxProxyV2 = 16 << 10
)

// signature begins a header of version 2.
const signature = "\r\n\r\n\x00\r\nQUIT\n"

var errProxyHeader = errors.New("no valid PROXY protocol header")

// readProxyHeader reads the header that must be in front of everything else, and not a byte more. The address is the
// client's; it is invalid when the header does not tell, because the proxy speaks for itself (LOCAL), does not know
// (UNKNOWN, UNSPEC), or has a client that is no TCP connection. Whatever is in doubt is an error: the connection must be
// closed then, since its sender may be anybody.
func readProxyHeader(r io.Reader) (netip.AddrPort, error) {
	buf := make([]byte, maxProxyV1)
	first := buf[:len(signature)]
	if _, err := io.ReadFull(r, first); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the PROXY protocol header: %w", err)
	}
	switch {
	case string(first) == signature:
		return readProxyV2(r)
	case bytes.HasPrefix(first, []byte("PROXY ")):
		return readProxyV1(r, buf, len(first))
	}
	return netip.AddrPort{}, fmt.Errorf("%w: it begins with %q", errProxyHeader, first)
}

// readProxyV1 reads a line of which n bytes are in buf.
func readProxyV1(r io.Reader, buf []byte, n int) (netip.AddrPort, error) {
	for !bytes.HasSuffix(buf[:n], []byte("\n")) {
		if n == len(buf) {
			return netip.AddrPort{}, fmt.Errorf("%w: the line is over %d bytes", errProxyHeader, maxProxyV1)
		}
		// One byte at a time: what follows the line belongs to somebody else.
		if _, err := io.ReadFull(r, buf[n:n+1]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("read the PROXY protocol header: %w", err)
		}
		n++
	}
	line, ok := strings.CutSuffix(string(buf[:n]), "\r\n")
	if !ok || strings.ContainsAny(line, "\r\n") {
		return netip.AddrPort{}, fmt.Errorf("%w: the line does not end in CRLF", errProxyHeader)
	}
	f := strings.Split(line, " ")
	if f[1] == "UNKNOWN" {
		return netip.AddrPort{}, nil
	}
	if len(f) != 6 || f[1] != "TCP4" && f[1] != "TCP6" {
		return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxyHeader, line)
	}
	var ends [2]netip.AddrPort
	for i := range ends {
		addr, err := netip.ParseAddr(f[2+i])
		port, ok := proxyPort(f[4+i])
		if err != nil || !ok || addr.Zone() != "" || addr.Is4() != (f[1] == "TCP4") {
			return netip.AddrPort{}, fmt.Errorf("%w: %q", errProxyHeader, line)
		}
		ends[i] = netip.AddrPortFrom(addr.Unmap(), port)
	}
	return ends[0], nil
}

// proxyPort reads a decimal number without a sign or leading zeros.
func proxyPort(s string) (uint16, bool) {
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && strconv.FormatUint(n, 10) == s
}

// Families and protocols of version 2.
const (
	proxyUnspec = 0x00
	proxyTCP4   = 0x11
	proxyTCP6   = 0x21
	proxyUnix   = 0x31
)

// readProxyV2 reads what stands behind the signature.
func readProxyV2(r io.Reader) (netip.AddrPort, error) {
	var fixed [4]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the PROXY protocol header: %w", err)
	}
	command, family, length := fixed[0], fixed[1], int(binary.BigEndian.Uint16(fixed[2:]))
	local := command == 0x20
	if !local && command != 0x21 {
		return netip.AddrPort{}, fmt.Errorf("%w: version and command %#x", errProxyHeader, command)
	}
	if length > maxProxyV2 {
		return netip.AddrPort{}, fmt.Errorf("%w: %d bytes", errProxyHeader, length)
	}
	header := make([]byte, len(signature)+len(fixed)+length)
	copy(header[copy(header, signature):], fixed[:])
	rest := header[len(signature)+len(fixed):]
	if _, err := io.ReadFull(r, rest); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read the PROXY protocol header: %w", err)
	}
	if local {
		return netip.AddrPort{}, nil // addresses and all else are to be dropped (2.2)
	}
	size, ok := map[byte]int{proxyUnspec: 0, proxyTCP4: 12, proxyTCP6: 36, proxyUnix: 216}[family]
	if !ok || size > length {
		return netip.AddrPort{}, fmt.Errorf("%w: family and protocol %#x with %d bytes", errProxyHeader, family, length)
	}
	if family != proxyUnspec { // whose rest means nothing
		if err := checkTLVs(header, rest[size:]); err != nil {
			return netip.AddrPort{}, err
		}
	}
	switch family {
	case proxyTCP4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:])), nil
	case proxyTCP6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:])), nil
	}
	return netip.AddrPort{}, nil
}

// checkTLVs goes through the extensions of version 2, of which only the checksum matters (2.2.3).
func checkTLVs(header, tlvs []byte) error {
	const checksum = 0x03
	for len(tlvs) > 0 {
		if len(tlvs) < 3 || len(tlvs)-3 < int(binary.BigEndian.Uint16(tlvs[1:])) {
			return fmt.Errorf("%w: an extension is cut", errProxyHeader)
		}
		kind, value := tlvs[0], tlvs[3:3+int(binary.BigEndian.Uint16(tlvs[1:]))]
		tlvs = tlvs[3+len(value):]
		if kind != checksum {
			continue
		}
		if len(value) != 4 {
			return fmt.Errorf("%w: a checksum of %d bytes", errProxyHeader, len(value))
		}
		want := binary.BigEndian.Uint32(value)
		clear(value)
		got := crc32.Checksum(header, crc32.MakeTable(crc32.Castagnoli))
		binary.BigEndian.PutUint32(value, want)
		if got != want {
			return fmt.Errorf("%w: the checksum is wrong", errProxyHeader)
		}
	}
	return nil
}
