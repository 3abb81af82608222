package origin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// TestAttempts: connecting is tried as often as asked for every method; a request is repeated only when it is a GET or HEAD without
// a body (facts: cloudfront-dataplane 8).
func TestAttempts(t *testing.T) {
	silent := func(far net.Conn) { head(far) }
	for _, tt := range []struct {
		name, method    string
		body            string
		refuse          bool
		want            Kind
		dials, requests int32
	}{
		{"refused GET", "GET", "", true, Connect, 3, 0},
		{"refused POST", "POST", "x", true, Connect, 3, 0},
		{"closed GET", "GET", "", false, Closed, 3, 3},
		{"closed HEAD", "HEAD", "", false, Closed, 3, 3},
		{"closed OPTIONS", "OPTIONS", "", false, Closed, 1, 1},
		{"closed DELETE", "DELETE", "", false, Closed, 1, 1},
		{"closed POST", "POST", "x", false, Closed, 1, 1},
		{"closed PUT", "PUT", "x", false, Closed, 1, 1},
		{"closed GET with a body", "GET", "x", false, Closed, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var dials, requests atomic.Int32
				c := newClient(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
					dials.Add(1)
					if tt.refuse {
						return nil, errors.New("connection refused")
					}
					near, far := net.Pipe()
					go func() {
						silent(far)
						requests.Add(1)
						if tt.body != "" {
							far.Read(make([]byte, 1))
						}
						far.Close()
					}()
					return near, nil
				}})
				r := get("/")
				r.Method = tt.method
				if tt.body != "" {
					r.Body, r.ContentLength = strings.NewReader(tt.body), int64(len(tt.body))
				}
				_, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "h", Attempts: 3}, r)
				if KindOf(err) != tt.want || dials.Load() != tt.dials || requests.Load() != tt.requests {
					t.Errorf("%d connections, %d requests, %v; want %d and %d", dials.Load(), requests.Load(), err, tt.dials, tt.requests)
				}
			})
		})
	}
}

// TestTimeouts has each limit, on the wire and in memory.
func TestTimeouts(t *testing.T) {
	const s = time.Second
	drip := func(w io.Writer, every time.Duration, head string) {
		io.WriteString(w, head)
		for range 1000 {
			time.Sleep(every)
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
		}
	}
	for _, tt := range []struct {
		name   string
		target Target
		serve  func(net.Conn) // nil: no connection is ever made
		local  bool
		want   Kind
		after  time.Duration
	}{
		{"connecting", Target{ConnectTimeout: 4 * s}, nil, false, ConnectTimeout, 4 * s},
		{"connecting, three times", Target{ConnectTimeout: 4 * s, Attempts: 3}, nil, false, ConnectTimeout, 12 * s},
		{"first byte", Target{ReadTimeout: 7 * s}, func(c net.Conn) { head(c); c.Read(make([]byte, 1)) }, false, ResponseTimeout, 7 * s},
		{"first byte, three times", Target{ReadTimeout: 7 * s, Attempts: 3}, func(c net.Conn) { head(c); c.Read(make([]byte, 1)) }, false, ResponseTimeout, 21 * s},
		{"head in drips", Target{ReadTimeout: 7 * s}, func(c net.Conn) { head(c); drip(c, s, "HTTP/1.1 200 OK\r\nX: ") }, false, ResponseTimeout, 7 * s},
		{"body stalls", Target{ReadTimeout: 7 * s}, func(c net.Conn) { head(c); drip(c, 100*s, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") }, false, ResponseTimeout, 7 * s},
		{"body in drips, cut", Target{ReadTimeout: 7 * s, CompletionTimeout: 20 * s}, func(c net.Conn) { head(c); drip(c, s, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n") }, false, ResponseTimeout, 20 * s},
		{"no answer, attempts cut", Target{ReadTimeout: 15 * s, CompletionTimeout: 20 * s, Attempts: 3}, func(c net.Conn) { head(c); c.Read(make([]byte, 1)) }, false, ResponseTimeout, 20 * s},
		{"in memory: no answer, attempts cut", Target{ReadTimeout: 15 * s, CompletionTimeout: 20 * s, Attempts: 3}, nil, true, ResponseTimeout, 20 * s},
		{"no answer, cut", Target{ReadTimeout: -1, CompletionTimeout: 20 * s}, func(c net.Conn) { head(c); c.Read(make([]byte, 1)) }, false, ResponseTimeout, 20 * s},
		{"in memory: no answer, cut", Target{ReadTimeout: 30 * s, CompletionTimeout: 20 * s}, nil, true, ResponseTimeout, 20 * s},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := Options{Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
					if tt.serve == nil {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					near, far := net.Pipe()
					go func() { defer far.Close(); tt.serve(far) }()
					return near, nil
				}}
				if tt.local {
					o.Local = func(string) (message.Handler, bool) {
						return message.HandlerFunc(func(ctx context.Context, _ *message.Request) *message.Response {
							<-ctx.Done()
							return message.Text(200, "", "")
						}), true
					}
				}
				tt.target.Scheme, tt.target.Host = "http", "h"
				start := time.Now()
				resp, err := newClient(t, o).Fetch(t.Context(), tt.target, get("/"))
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				defer time.Sleep(200 * s) // until the origin has seen that nobody listens
				// A wait may last a second longer: deadlines are not set anew for each.
				if d := time.Since(start); KindOf(err) != tt.want || d < tt.after || d > tt.after+3*s {
					t.Errorf("%v after %v, want after %v", err, d, tt.after)
				}
			})
		})
	}
}

// TestKeepAlive: an idle connection is used within its time and never after it.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int32
		c := newClient(t, Options{Dial: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			near, far := net.Pipe()
			go func() {
				for head(far) != "" {
					io.WriteString(far, "HTTP/1.1 204 No Content\r\n\r\n")
				}
			}()
			return near, nil
		}})
		for i, wait := range []time.Duration{0, 4 * time.Second, 4900 * time.Millisecond, 5100 * time.Millisecond} {
			time.Sleep(wait)
			if _, err := c.Fetch(t.Context(), Target{Scheme: "http", Host: "h", KeepAlive: 5 * time.Second}, get("/")); err != nil {
				t.Fatal(err)
			}
			if want := int32(1 + i/3); dials.Load() != want {
				t.Errorf("after %v idle: %d connections, want %d", wait, dials.Load(), want)
			}
		}
	})
}

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a *authority) issue(t *testing.T, change func(*x509.Certificate)) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	change(c)
	parent, by := c, key
	if a != nil {
		parent, by = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed, key
}

// TestCertificates has what CloudFront refuses of an origin with 502: a name that is neither the origin's nor the forwarded Host,
// a certificate that has ended or not begun, one that signed itself, a chain that is not whole (facts: cloudfront-dataplane 5).
func TestCertificates(t *testing.T) {
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
	}
	named := func(names ...string) func(*x509.Certificate) {
		return func(c *x509.Certificate) { c.DNSNames = names }
	}
	root := &authority{}
	root.cert, root.key = (*authority)(nil).issue(t, ca)
	middle := &authority{}
	middle.cert, middle.key = root.issue(t, ca)
	origin := []string{"origin.example"}
	for _, tt := range []struct {
		name   string
		by     *authority
		change func(*x509.Certificate)
		chain  bool // the intermediate is sent
		names  []string
		ok     bool
	}{
		{"origin's name", middle, named("origin.example"), true, origin, true},
		{"forwarded host", middle, named("www.example"), true, []string{"origin.example", "www.example"}, true},
		{"star", middle, named("*.example"), true, origin, true},
		{"star over two labels", middle, named("*.example"), true, []string{"a.origin.example"}, false},
		{"star alone", middle, named("*"), true, origin, false},
		{"another name", middle, named("other.example"), true, origin, false},
		{"forwarded host not forwarded", middle, named("www.example"), true, origin, false},
		{"name in the subject only", middle, func(c *x509.Certificate) { c.Subject.CommonName = "origin.example" }, true, origin, false},
		{"chain not whole", middle, named("origin.example"), false, origin, false},
		{"signed by itself", nil, named("origin.example"), false, origin, false},
		{"ended", middle, func(c *x509.Certificate) { c.DNSNames, c.NotAfter = origin, time.Now().Add(-time.Minute) }, true, origin, false},
		{"not begun", middle, func(c *x509.Certificate) { c.DNSNames, c.NotBefore = origin, time.Now().Add(time.Minute) }, true, origin, false},
		{"for clients", middle, func(c *x509.Certificate) {
			c.DNSNames, c.ExtKeyUsage = origin, []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
		}, true, origin, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			leaf, key := tt.by.issue(t, tt.change)
			cert := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
			if tt.chain {
				cert.Certificate = append(cert.Certificate, middle.cert.Raw)
			}
			target := tlsOrigin(t, &tls.Config{Certificates: []tls.Certificate{cert}})
			target.SNI, target.VerifyNames = tt.names[0], tt.names
			resp, err := newClient(t, Options{SystemRoots: x509.NewCertPool(), ExtraRoots: []*x509.Certificate{root.cert}}).Fetch(t.Context(), target, get("/"))
			if tt.ok != (err == nil) || err != nil && KindOf(err) != TLS {
				t.Errorf("got %v, %v", resp, err)
			}
		})
	}
}

// TestChainOrder: a chain in the wrong order is refused (DG-http-502-bad-gateway); what follows a whole chain does no harm.
func TestChainOrder(t *testing.T) {
	ca := func(name string) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName = true, true, x509.KeyUsageCertSign, name
		}
	}
	var root, upper, lower authority
	root.cert, root.key = (*authority)(nil).issue(t, ca("root"))
	upper.cert, upper.key = root.issue(t, ca("upper"))
	lower.cert, lower.key = upper.issue(t, ca("lower"))
	stranger, _ := (*authority)(nil).issue(t, ca("stranger"))
	leaf, key := lower.issue(t, func(c *x509.Certificate) { c.Subject.CommonName, c.DNSNames = "leaf", []string{"origin.example"} })
	for _, tt := range []struct {
		name  string
		chain []*x509.Certificate
		ok    bool
	}{
		{"in order", []*x509.Certificate{lower.cert, upper.cert}, true},
		{"with the root", []*x509.Certificate{lower.cert, upper.cert, root.cert}, true},
		{"something behind", []*x509.Certificate{lower.cert, upper.cert, stranger}, true},
		{"turned round", []*x509.Certificate{upper.cert, lower.cert}, false},
		{"something between", []*x509.Certificate{lower.cert, stranger, upper.cert}, false},
	} {
		cert := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
		for _, c := range tt.chain {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
		target := tlsOrigin(t, &tls.Config{Certificates: []tls.Certificate{cert}})
		target.SNI, target.VerifyNames = "origin.example", []string{"origin.example"}
		_, err := newClient(t, Options{SystemRoots: x509.NewCertPool(), ExtraRoots: []*x509.Certificate{root.cert}}).Fetch(t.Context(), target, get("/"))
		if tt.ok != (err == nil) || err != nil && (KindOf(err) != TLS || !strings.Contains(err.Error(), "not in order")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestVersions: the versions of TLS are those that are set, on both sides of the range.
func TestVersions(t *testing.T) {
	leaf, key := (*authority)(nil).issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"origin.example"} })
	cert := tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key}
	const v10, v11, v12, v13 = tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13
	for _, tt := range []struct {
		lowest, highest, offered, served uint16 // offered: what the origin speaks at most; served: at least
		want                             string // with "no 1.1 " before it when TLS 1.1 is left out
	}{
		{v10, v12, v11, v10, "no 1.1 "}, {v10, v12, v12, v10, "no 1.1 1.2"}, {v10, v12, v10, v10, "no 1.1 1.0"},
		{0, 0, v13, v10, "1.3"}, {0, 0, v12, v10, "1.2"}, {0, 0, v11, v10, ""},
		{v12, v12, v13, v10, "1.2"}, {v12, v12, v13, v13, ""}, {v12, v12, v11, v10, ""},
		{v10, v12, v11, v10, "1.1"}, {v10, v10, v13, v10, "1.0"}, {v10, v11, v13, v12, ""},
	} {
		target := tlsOrigin(t, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tt.served, MaxVersion: tt.offered})
		target.SNI, target.SkipVerify, target.MinTLS, target.MaxTLS = "origin.example", true, tt.lowest, tt.highest
		tt.want, target.NoTLS11 = strings.CutPrefix(tt.want, "no 1.1 ")
		resp, err := newClient(t, Options{}).Fetch(t.Context(), target, get("/"))
		switch {
		case tt.want == "" && KindOf(err) != TLS:
			t.Errorf("%x to %x with an origin of %x to %x: %v", tt.lowest, tt.highest, tt.served, tt.offered, err)
		case tt.want != "" && (err != nil || resp.Header.Get("Version") != tt.want):
			t.Errorf("%x to %x with an origin of %x to %x: %v, %v", tt.lowest, tt.highest, tt.served, tt.offered, resp, err)
		}
	}
}

// tlsOrigin answers over TLS with the version that was agreed on.
func tlsOrigin(t *testing.T, config *tls.Config) Target {
	target := origins(t, func(_ int, c net.Conn) {
		s := tls.Server(c, config)
		if s.Handshake() != nil {
			return
		}
		for head(s) != "" {
			version := strings.TrimPrefix(tls.VersionName(s.ConnectionState().Version), "TLS ")
			io.WriteString(s, "HTTP/1.1 204 No Content\r\nVersion: "+version+"\r\n\r\n")
		}
	})
	target.Scheme = "https"
	return target
}
