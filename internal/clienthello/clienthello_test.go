package clienthello

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
)

// The examples of github.com/salesforce/ja3, README.
func TestJA3(t *testing.T) {
	for _, test := range []struct {
		h    *Hello
		text string
		want string
	}{
		{&Hello{Version: 769, Ciphers: []uint16{47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4}, Extensions: []uint16{0, 10, 11}, Curves: []uint16{23, 24, 25}, Points: []uint8{0}},
			"769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0", "ada70206e40642a3e4461f35503241d5"},
		{&Hello{Version: 769, Ciphers: []uint16{4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99}}, "769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"},
		{&Hello{Version: 769, Ciphers: []uint16{0x0a0a, 4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99, 0xfafa}, Extensions: []uint16{0x1a1a}}, "769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"},
	} {
		if got := test.h.ja3Text(); got != test.text {
			t.Errorf("text %q, want %q", got, test.text)
		}
		if got := test.h.JA3(); got != test.want {
			t.Errorf("JA3 %s, want %s", got, test.want)
		}
	}
}

// The example of github.com/FoxIO-LLC/ja4, technical_details/JA4.md.
func TestJA4(t *testing.T) {
	h := &Hello{
		Version: 0x0303, Versions: []uint16{0x2a2a, 0x0304, 0x0303},
		Ciphers:    []uint16{0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035},
		Extensions: []uint16{0x9a9a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0xcaca},
		Schemes:    []uint16{0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601},
		Protos:     []string{"h2", "http/1.1"},
	}
	if got := h.JA4(); got != "t13d1516h2_8daaf6152771_e5627efa2ab1" {
		t.Errorf("JA4 %s", got)
	}
	for _, test := range []struct {
		h    *Hello
		want string
	}{
		{&Hello{}, "t00i000000_000000000000_000000000000"},
		{&Hello{Version: tls.VersionTLS12, QUIC: true, Protos: []string{"h3"}}, "q12i0000h3_000000000000_000000000000"},
		{&Hello{Version: tls.VersionTLS10, Protos: []string{"\xabcd\xcd"}}, "t10i0000ad_000000000000_000000000000"},
		{&Hello{Version: tls.VersionTLS11, Protos: []string{"x"}, Ciphers: slices.Repeat([]uint16{1}, 120)}, "t11i9900xx_"},
	} {
		if got := test.h.JA4(); !strings.HasPrefix(got, test.want) {
			t.Errorf("JA4 %s, want %s", got, test.want)
		}
	}
}

// A handshake of crypto/tls: what is told of it must be in the order of the wire.
func TestOf(t *testing.T) {
	got := handshake(t, &tls.Config{ServerName: "www.example.com", NextProtos: []string{"h2"}, InsecureSkipVerify: true})
	if !strings.HasPrefix(got.JA4(), "t13d") || got.JA4()[8:10] != "h2" || len(got.JA3()) != 32 {
		t.Errorf("JA4 %s, JA3 %s", got.JA4(), got.JA3())
	}
	if got.Version != tls.VersionTLS12 || slices.Max(got.Versions) != tls.VersionTLS13 || !slices.Contains(got.Extensions, extServerName) {
		t.Errorf("%+v", got)
	}
	old := handshake(t, &tls.Config{MaxVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	if !strings.HasPrefix(old.JA4(), "t12i") || old.Version != tls.VersionTLS12 {
		t.Errorf("JA4 %s, version %x", old.JA4(), old.Version)
	}
}

func handshake(t *testing.T, c *tls.Config) (h *Hello) {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = tls.Client(client, c).Handshake() // the server ends it
		client.Close()
	}()
	enough := errors.New("seen")
	_ = tls.Server(server, &tls.Config{GetConfigForClient: func(chi *tls.ClientHelloInfo) (*tls.Config, error) {
		h = Of(chi, false)
		return nil, enough
	}}).Handshake()
	server.Close()
	<-done
	if h == nil {
		t.Fatal("no ClientHello")
	}
	return h
}

func FuzzFingerprints(f *testing.F) {
	f.Add(uint16(771), []byte{1, 2, 3, 4}, []byte{0, 0, 0, 16}, "h2", true)
	f.Fuzz(func(t *testing.T, version uint16, ciphers, extensions []byte, proto string, quic bool) {
		words := func(b []byte) (out []uint16) {
			for i := 0; i+1 < len(b); i += 2 {
				out = append(out, uint16(b[i])<<8|uint16(b[i+1]))
			}
			return out
		}
		h := &Hello{Version: version, Ciphers: words(ciphers), Extensions: words(extensions), Schemes: words(ciphers), Protos: []string{proto}, QUIC: quic}
		parts := strings.Split(h.JA4(), "_")
		if len(h.JA3()) != 32 || len(parts) != 3 || len(parts[0]) != 10 || len(parts[1]) != 12 || len(parts[2]) != 12 {
			t.Errorf("JA3 %q, JA4 %q", h.JA3(), h.JA4())
		}
	})
}
