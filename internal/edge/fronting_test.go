package edge

import (
	"testing"

	"github.com/foregate/foregate/internal/message"
)

func TestDomainFronting(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	p := testPlan(f, ttl)
	w, _ := newWorld(p)
	second := testPlan(f, ttl)
	second.ID, second.DomainName, second.Aliases = "E3EXAMPLE", "d222222abcdef8.cloudfront.net", []string{"www.example.org"}
	foreign := testPlan(f, ttl)
	foreign.ID, foreign.DomainName, foreign.Aliases, foreign.Account = "E4EXAMPLE", "d333333abcdef8.cloudfront.net", []string{"www.example.net"}, "111111111111"
	s := NewService(Options{Plans: []*Plan{p, second, foreign}, Effects: w})
	const first = "d111111abcdef8.cloudfront.net"
	for _, c := range []struct {
		sni, host string
		want      int
	}{
		{first, first, 200},
		{"www.example.com", "www.example.com", 200},
		{"", "www.example.com", 200},
		{first, "www.example.com", 421},               // CloudFront's certificate is nobody's
		{first, "d222222abcdef8.cloudfront.net", 200}, // it covers the Host
		{"d9.cloudfront.net", "www.example.com", 421}, // a name that leads to no distribution
		{"d9.cloudfront.net", first, 200},
		{"www.example.com", first, 200}, // the alias's certificate is of the account
		{"www.example.com", "www.example.org", 200},
		{"a.b.wild.example.com", "www.example.com", 200},
		{"www.example.com", "www.example.net", 421}, // of another one
		{"www.example.com", "d333333abcdef8.cloudfront.net", 421},
		{"api.example.com", "www.example.com", 200}, // another service's connection
		{first, "nobody.example", 403},              // no distribution comes first
	} {
		r := get("/")
		r.Host, r.TLS = c.host, &message.TLS{ServerName: c.sni}
		resp := s.Serve(t.Context(), r)
		if resp.Status != c.want {
			t.Errorf("server name %s, Host %s: %d, want %d", c.sni, c.host, resp.Status, c.want)
		}
		if resp.Body != nil {
			resp.Body.Close()
		}
	}
	r := get("/")
	r.TLS = &message.TLS{ServerName: first}
	got := ask(s, r)
	const page = "<html>\r\n<head><title>421 Misdirected Request</title></head>\r\n<body>\r\n<center><h1>421 Misdirected Request</h1></center>\r\n<hr><center>CloudFront</center>\r\n</body>\r\n</html>\r\n"
	if got.body != page || got.Header.Get("Content-Type") != "text/html" || got.Header.Get("Server") != "CloudFront" || got.Header.Get("X-Cache") != "Error from cloudfront" {
		t.Errorf("got %v %q", got.Header, got.body)
	}
}

func TestAltSvc(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingOptimized", "")
	p := testPlan(f, ttl)
	p.HTTP3 = true
	_, s := newWorld(p)
	for sent, want := range map[string]string{
		"": `h3=":443"; ma=86400`, "www.example.com.localhost": `h3=":443"; ma=86400`, "www.example.com:4566": `h3=":4566"; ma=86400`,
		"WWW.example.com:443": `h3=":443"; ma=86400`, "www.example.com:": `h3=":443"; ma=86400`,
	} {
		for range 2 { // a miss, and a hit whose fields are shared
			r := get("/")
			r.SentHost, r.Room = sent, &message.Room{}
			if got := ask(s, r).Get("Alt-Svc"); got != want {
				t.Errorf("%q: %s, want %s", sent, got, want)
			}
		}
	}
}
