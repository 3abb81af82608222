package front

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// TestHello: each request knows how its connection began, and whether it is the first one of it.
func TestHello(t *testing.T) {
	b := NewBuilder(1)
	policy := &TLSPolicy{MaxVersion: tls.VersionTLS12} // a configuration of its own must not lose the ClientHello
	must(t, b.Name("*.cloudfront.net", Site{Handler: message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		if r.TLS == nil || r.TLS.Hello == nil {
			return message.Text(200, "text/plain", "no hello")
		}
		return message.Text(200, "text/plain", fmt.Sprintf("%s %v", r.TLS.Hello.JA4(), r.TLS.Reused))
	}), Service: "cloudfront", Certificate: cloudfrontCert, TLS: policy}))
	s := start(t, b, Options{})
	for _, c := range []struct {
		client *http.Client
		alpn   string
	}{{s.client(), "00"}, {s.h2Client(false), "h2"}} {
		var seen []string
		for range 3 {
			_, body := s.get(c.client, "https://d1.cloudfront.net/")
			if !strings.HasPrefix(body, "t13d") || body[8:10] != c.alpn {
				t.Fatalf("fingerprint %s", body)
			}
			_, reused, _ := strings.Cut(body, " ")
			seen = append(seen, reused)
		}
		if got := strings.Join(seen, " "); got != "false true true" {
			t.Errorf("reused: %s", got)
		}
	}
	if _, body := s.get(s.proxied(), "https://d1.cloudfront.net/"); !strings.HasPrefix(body, "t13d") {
		t.Errorf("in a tunnel: %s", body)
	}
	if _, body := s.get(s.client(), "http://d1.cloudfront.net/"); body != "no hello" {
		t.Errorf("in clear: %s", body)
	}
}
