package front

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// named is a service that says who it is and what Host it saw.
func named(name string) message.Handler {
	return message.HandlerFunc(func(_ context.Context, r *message.Request) *message.Response {
		return message.Text(200, "text/plain", name+" "+r.Host)
	})
}

var (
	cloudfrontCert = &Certificate{ID: "cloudfront", Names: []string{"cloudfront.net", "*.cloudfront.net"}}
	exampleCert    = &Certificate{ID: "arn:example", Names: []string{"example.com", "*.example.com"}}
	edge           = Site{Handler: named("edge"), Service: "cloudfront", Certificate: cloudfrontCert}
	regional       = Site{Handler: named("gateway"), Service: "apigateway us-east-1",
		Certificate: &Certificate{Names: []string{"*.execute-api.us-east-1.amazonaws.com"}}}
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// example is a stack with each kind of name.
func example(t testing.TB) *Builder {
	t.Helper()
	b := NewBuilder(7)
	must(t, b.Name("*.cloudfront.net", edge))
	must(t, b.Name("*.execute-api.us-east-1.amazonaws.com", regional))
	claimed := edge
	claimed.Certificate = exampleCert
	must(t, b.Alias("www.example.com", claimed))
	must(t, b.Alias("moved.example.com", claimed))
	must(t, b.Alias("*.wild.example.com", claimed))
	must(t, b.Alias("*.taken.example.org", claimed))
	must(t, b.Record("www.example.com.", "D111.CloudFront.net"))
	must(t, b.Record("short.example.com", "www.example.com"))
	must(t, b.Record("moved.example.com", "lb-1.eu-west-1.elb.amazonaws.com"))
	must(t, b.Record("addr.example.com", "192.0.2.7"))
	must(t, b.Record("*.example.org", "abc.execute-api.us-east-1.amazonaws.com"))
	must(t, b.Record("a.loop.example.net", "b.loop.example.net"))
	must(t, b.Record("b.loop.example.net", "a.loop.example.net"))
	return b
}

func TestResolve(t *testing.T) {
	s := example(t).Build()
	for _, c := range []struct {
		host, service, target, cert string
	}{
		{"d111.cloudfront.net", "cloudfront", "d111.cloudfront.net", "cloudfront"},
		{"D111.CloudFront.NET.", "cloudfront", "d111.cloudfront.net", "cloudfront"},
		{"d111.cloudfront.net:8443", "cloudfront", "d111.cloudfront.net", "cloudfront"},
		{"cloudfront.net", "", "", ""},
		{"xcloudfront.net", "", "", ""},
		{"abc.execute-api.us-east-1.amazonaws.com", "apigateway us-east-1", "abc.execute-api.us-east-1.amazonaws.com", ""},
		{"www.example.com", "cloudfront", "d111.cloudfront.net", "arn:example"},
		{"short.example.com", "cloudfront", "d111.cloudfront.net", "cloudfront"},
		{"deep.under.wild.example.com", "cloudfront", "deep.under.wild.example.com", "arn:example"},
		{"wild.example.com", "", "", ""},
		{"moved.example.com", "", "lb-1.eu-west-1.elb.amazonaws.com", ""},
		{"addr.example.com", "", "192.0.2.7", ""},
		{"x.example.org", "apigateway us-east-1", "abc.execute-api.us-east-1.amazonaws.com", ""},
		{"x.taken.example.org", "apigateway us-east-1", "abc.execute-api.us-east-1.amazonaws.com", ""},
		{"a.loop.example.net", "", "a.loop.example.net", ""},
		{"", "", "", ""}, {".", "", "", ""}, {":80", "", "", ""}, {"..cloudfront.net", "cloudfront", "..cloudfront.net", "cloudfront"},
	} {
		h, target, ok := s.Resolve(c.host)
		service, _ := s.Service(c.host)
		if service != c.service || target != c.target || ok != (c.service != "") || ok != (h != nil) {
			t.Errorf("Resolve(%q) = %q, %q, %v; want %q, %q", c.host, service, target, ok, c.service, c.target)
		}
		cert, _ := s.CertificateFor(c.host)
		if id := idOf(cert); id != c.cert {
			t.Errorf("CertificateFor(%q) = %q, want %q", c.host, id, c.cert)
		}
	}
	if s.Revision() != 7 {
		t.Error("revision lost")
	}
	want := []string{"*.cloudfront.net", "*.example.org", "*.execute-api.us-east-1.amazonaws.com", "*.taken.example.org",
		"*.wild.example.com", "short.example.com", "www.example.com"}
	if !slices.Equal(s.Hosts(), want) {
		t.Errorf("hosts %q, want %q", s.Hosts(), want)
	}
	if p := s.Problems(); len(p) != 2 || p[0].Name != "a.loop.example.net" {
		t.Errorf("problems %v, want the circle", p)
	}
}

func idOf(c *Certificate) string {
	if c == nil {
		return ""
	}
	return c.ID
}

func TestBuilderRefuses(t *testing.T) {
	b := NewBuilder(1)
	must(t, b.Name("a.example", edge))
	if err := b.Name("A.example.", edge); !errors.Is(err, ErrDuplicate) {
		t.Errorf("a second time: %v", err)
	}
	for _, bad := range []string{"", "*", "*.", "a..b", "*x.example.com", "a.*.example.com", "a b", "*.*.example.com", "ü.example"} {
		if b.Name(bad, edge) == nil {
			t.Errorf("Name(%q) was accepted", bad)
		}
		if b.Record(bad, "example.com") == nil {
			t.Errorf("Record(%q) was accepted", bad)
		}
	}
	if b.Name("b.example", Site{}) == nil || b.Alias("b.example", Site{}) == nil {
		t.Error("a site without a handler was accepted")
	}
	if b.Record("c.example", "not a name") == nil {
		t.Error("a record to nowhere was accepted")
	}
}

func TestLookupsDoNotAllocate(t *testing.T) {
	s := example(t).Build()
	for _, host := range []string{"d111.cloudfront.net", "www.example.com", "a.b.wild.example.com:443", "unknown.example.test"} {
		if n := testing.AllocsPerRun(100, func() {
			s.Resolve(host)
			s.CertificateFor(host)
		}); n != 0 {
			t.Errorf("%q: %v allocations", host, n)
		}
	}
}

func TestEndpointURL(t *testing.T) {
	e := Endpoint{Hosts: []string{"*.example.com", "d1.cloudfront.net"}, Path: "/prod"}
	if got := e.URL("127.0.0.1:4566"); got != "http://d1.cloudfront.net.localhost:4566/prod" {
		t.Error(got)
	}
	if got := e.URL("[::1]:80"); got != "http://d1.cloudfront.net.localhost/prod" {
		t.Error(got)
	}
}

func TestAPINames(t *testing.T) {
	for name, want := range map[string]bool{
		"cloudfront.amazonaws.com": true, "sts.us-east-1.amazonaws.com": true, "s3.dualstack.eu-west-1.amazonaws.com": true,
		"apigateway.us-gov-west-1.amazonaws.com": true, "lambda.cn-north-1.amazonaws.com.cn": true, "ecs.us-east-1.api.aws": true,
		"abc.execute-api.us-east-1.amazonaws.com": false, "bucket.s3.amazonaws.com": false, "bucket.s3.us-east-1.amazonaws.com": false,
		"lb-1.us-east-1.elb.amazonaws.com": false, "ec2-1-2-3-4.compute-1.amazonaws.com": false, "amazonaws.com": false,
		"d1.cloudfront.net": false, "example.com": false, ".amazonaws.com": false,
	} {
		if isAPIEndpoint(name) != want {
			t.Errorf("isAPIEndpoint(%q) = %v", name, !want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, s := range []string{"example.com", "EXAMPLE.com.:80", "[::1]:4566", "[::1", "::1", "a:b:c", ":", "[", "]", "x.localhost:99999999"} {
		f.Add(s)
	}
	b := NewBuilder(1)
	must(f, b.Name("*.cloudfront.net", edge))
	must(f, b.Alias("www.example.com", edge))
	s := b.Build()
	f.Fuzz(func(t *testing.T, authority string) {
		host, port := SplitPort(authority)
		if len(host)+len(port) > len(authority) || !digits(port) {
			t.Fatalf("SplitPort(%q) = %q, %q", authority, host, port)
		}
		name := Canonical(authority)
		if lower(name) != name {
			t.Fatalf("Canonical(%q) = %q has capitals", authority, name)
		}
		s.Resolve(authority)
		isAPIEndpoint(name)
		isAddress(name)
		if to, ok := relocate(s, authority, "4566"); ok && to == authority {
			t.Fatalf("relocate(%q) changed nothing", authority)
		}
	})
}
