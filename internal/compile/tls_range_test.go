package compile

import (
	"crypto/tls"
	"testing"
)

func TestTLSRange(t *testing.T) {
	for _, c := range []struct {
		names           []string
		lowest, highest uint16
		gap, ok         bool
	}{
		{nil, 0, 0, false, true},
		{[]string{"TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12, false, true},
		{[]string{"TLSv1.2", "TLSv1"}, tls.VersionTLS10, tls.VersionTLS12, true, true},
		{[]string{"SSLv3", "TLSv1", "TLSv1.1"}, tls.VersionTLS10, tls.VersionTLS11, false, true},
		{[]string{"SSLv3", "TLSv1.2"}, tls.VersionTLS12, tls.VersionTLS12, false, true},
		{[]string{"SSLv3"}, 0, 0, false, false},
	} {
		if lowest, highest, gap, ok := tlsRange(c.names); lowest != c.lowest || highest != c.highest || gap != c.gap || ok != c.ok {
			t.Errorf("%q: %x to %x, gap %v, %v", c.names, lowest, highest, gap, ok)
		}
	}
}
