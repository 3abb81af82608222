package front

import (
	"crypto/tls"
	"strings"
	"sync/atomic"

	"github.com/foregate/foregate/internal/message"
)

// Snapshot is what the data plane knows at one revision: which DNS name leads to which service, and with which
// certificate. It is made by a Builder and never changes, so lookups need no lock; those of lower-case names allocate
// nothing. All that it holds stays in use until the last request that began under it has ended; then the release
// functions run.
type Snapshot struct {
	revision  int64
	exact     map[string]*entry // canonical name
	wild      map[string]*entry // suffix with its dot, ".example.com" for *.example.com
	hosts     []string
	endpoints []Endpoint
	problems  []Problem
	http3     bool // some site has it

	shards   [shardCount]shard
	retired  atomic.Bool
	released atomic.Bool
	release  []func()
	drained  chan struct{}
}

// entry is where a name leads. site is nil for a name whose DNS record points out of the stack.
type entry struct {
	site   *Site
	target string // canonical name at the end of the chain of records; "" for the name that was asked for
	// face is the site whose certificate and TLS settings a client sees: that of the configuration that claims the name.
	face *Site
	// config is what face makes of a handshake; nil until the first one.
	config atomic.Pointer[tls.Config]
}

// Site is a service as a name reaches it.
type Site struct {
	// Handler answers; it picks the distribution, API or bucket by the request's Host.
	Handler message.Handler
	// Service names the service for people, and tells whether two sites are the same one: "cloudfront",
	// "apigateway us-east-1", "s3".
	Service string
	// Certificate is what the service presents for the name; nil where only the local authority can vouch for it.
	Certificate *Certificate
	// TLS restricts the handshake; nil for the default.
	TLS *TLSPolicy
	// Clients asks clients for certificates; nil asks nobody.
	Clients *ClientCertificates
	// NoHTTP2 keeps HTTP/2 out of the handshake, HTTP3 lets QUIC in. HTTP/1.1 is always spoken.
	NoHTTP2, HTTP3 bool
}

// Certificate is what a service presents.
type Certificate struct {
	// ID is the ARN of the certificate in ACM, or a name for people.
	ID string
	// Names are its subject alternative names, canonical; a wildcard covers one label.
	Names []string
	// TLS is an imported certificate with its key. When nil, the local authority signs one with the same names.
	TLS *tls.Certificate
}

// TLSPolicy is what a security policy of CloudFront or API Gateway asks of a handshake (facts: cloudfront-dataplane 1,
// apigateway 1). Zero values mean the default of the front.
type TLSPolicy struct {
	MinVersion, MaxVersion uint16
	// CipherSuites restricts TLS up to 1.2, as crypto/tls does; those of TLS 1.3 cannot be chosen.
	CipherSuites []uint16
	Curves       []tls.CurveID
}

// Endpoint is a line of what `up` prints: a thing with addresses.
type Endpoint struct {
	LogicalID string   `json:"logicalId"`
	Type      string   `json:"type"`
	ID        string   `json:"id"`
	Hosts     []string `json:"hosts"`
	// Path is put behind the first host in the address that is printed, such as "/prod".
	Path string `json:"-"`
}

// URL returns an address of the endpoint that can be opened as it stands, "" when it has no host. listen is the address
// of the listener.
func (e Endpoint) URL(listen string) string {
	for _, h := range e.Hosts {
		if !strings.HasPrefix(h, "*") {
			return LocalURL("http", h, listen) + e.Path
		}
	}
	return ""
}

// Problem is something that Build found about a name; the rest of the Snapshot works.
type Problem struct {
	Name    string
	Message string
}

// Revision is the store's revision that the Snapshot was compiled from.
func (s *Snapshot) Revision() int64 { return s.revision }

// Hosts returns the names that are served, sorted, wildcards as *.example.com. The caller must not change them.
func (s *Snapshot) Hosts() []string { return s.hosts }

// Endpoints returns what the Builder was told, in its order. The caller must not change them.
func (s *Snapshot) Endpoints() []Endpoint { return s.endpoints }

// Problems returns what Build found.
func (s *Snapshot) Problems() []Problem { return s.problems }

// Resolve is DNS for the names of the stack: it returns the service to which host leads and the canonical name at the
// end of the chain of records (host itself when there is none). With ok false the stack does not serve the name; target
// is then still where records of the stack send it (a name or address outside), or "".
//
// The handler must only be used while the Snapshot is held: through a Front, or before it is swapped in.
func (s *Snapshot) Resolve(host string) (h message.Handler, target string, ok bool) {
	name := Canonical(host)
	e := s.find(name)
	if e == nil {
		return nil, "", false
	}
	target = e.target
	if target == "" {
		target = name
	}
	if e.site == nil {
		return nil, target, false
	}
	return e.site.Handler, target, true
}

// CertificateFor returns the certificate that a client gets which asks for sni: as on AWS it need not cover the name. It
// is nil with ok true when the name is served and no certificate is known: the local authority vouches then.
func (s *Snapshot) CertificateFor(sni string) (c *Certificate, ok bool) {
	e := s.find(Canonical(sni))
	if e == nil || e.site == nil {
		return nil, false
	}
	return e.face.Certificate, true
}

// Service returns the Service of the site to which host leads.
func (s *Snapshot) Service(host string) (string, bool) {
	e := s.find(Canonical(host))
	if e == nil || e.site == nil {
		return "", false
	}
	return e.site.Service, true
}

// find looks up a canonical name: exact, then the longest wildcard.
func (s *Snapshot) find(name string) *entry {
	if e := s.exact[name]; e != nil {
		return e
	}
	if len(s.wild) == 0 {
		return nil
	}
	for i := strings.IndexByte(name, '.'); i >= 0; {
		if e := s.wild[name[i:]]; e != nil && i > 0 {
			return e
		}
		next := strings.IndexByte(name[i+1:], '.')
		if next < 0 {
			return nil
		}
		i += 1 + next
	}
	return nil
}

// shardCount spreads the count of requests in flight, so that cores do not fight over one cache line.
const shardCount = 8

type shard struct {
	n atomic.Int64
	_ [56]byte
}

// leave ends what acquire began, on the same shard.
func (s *Snapshot) leave(i uint32) {
	s.shards[i].n.Add(-1)
	if s.retired.Load() {
		s.finish()
	}
}

// finish releases a retired Snapshot once no request holds it. A holder counts itself before it checks that the Snapshot
// is current, so after the swap every shard can only fall (but for those about to step back, who call finish as well):
// one that was seen at zero stays there.
func (s *Snapshot) finish() {
	for i := range s.shards {
		if s.shards[i].n.Load() != 0 {
			return
		}
	}
	if !s.released.CompareAndSwap(false, true) {
		return
	}
	for _, f := range s.release {
		f()
	}
	close(s.drained)
}

// retire is called once, when another Snapshot has taken the place of s.
func (s *Snapshot) retire() {
	if !s.retired.Swap(true) {
		s.finish()
	}
}

// Drained is closed when the Snapshot was replaced, its last request has ended and its release functions have run.
func (s *Snapshot) Drained() <-chan struct{} { return s.drained }
