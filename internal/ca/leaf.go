package ca

import (
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// leafLifetime is well under 397 days, beyond which clients refuse a certificate; a new one costs a signature.
	leafLifetime = 90 * 24 * time.Hour
	// renewBefore is how long before its end a certificate is replaced.
	renewBefore = 7 * 24 * time.Hour
	// maxLeaves bounds the cache: names come from clients.
	maxLeaves = 1024
	// maxNames is the most that one certificate in ACM can have (facts: sigv4-iam 6).
	maxNames = 100
)

// leaves is a cache of certificates by their names; the one that was not used for longest goes first.
type leaves struct {
	mu    sync.Mutex
	byKey map[string]*list.Element // of *leaf
	order list.List
}

type leaf struct {
	key  string
	cert *tls.Certificate
}

// Issue returns a certificate for DNS names, wildcards and addresses, signed by the authority. Equal sets of names get the
// same one until it is close to its end. The certificate is shared and must not be changed.
func (a *Authority) Issue(names []string) (*tls.Certificate, error) {
	key := names
	if len(names) != 1 {
		key = slices.Compact(slices.Sorted(slices.Values(names)))
	}
	id := strings.ToLower(strings.Join(key, ","))
	now := a.now()
	if c := a.leaves.get(id, now); c != nil {
		return c, nil
	}
	c, err := a.sign(strings.Split(id, ","), now)
	if err != nil {
		return nil, err
	}
	return a.leaves.put(id, c, now), nil
}

// fresh tells whether a certificate may be handed out.
func fresh(c *tls.Certificate, now time.Time) bool {
	return now.Before(c.Leaf.NotAfter.Add(-min(renewBefore, c.Leaf.NotAfter.Sub(c.Leaf.NotBefore)/2))) && !now.Before(c.Leaf.NotBefore)
}

func (l *leaves) get(id string, now time.Time) *tls.Certificate {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byKey[id]
	if e == nil || !fresh(e.Value.(*leaf).cert, now) {
		return nil
	}
	l.order.MoveToFront(e)
	return e.Value.(*leaf).cert
}

// put keeps a certificate, unless somebody else made one meanwhile: then that one is returned.
func (l *leaves) put(id string, c *tls.Certificate, now time.Time) *tls.Certificate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byKey[id]; e != nil {
		if have := e.Value.(*leaf); fresh(have.cert, now) {
			return have.cert
		}
		e.Value.(*leaf).cert = c
		l.order.MoveToFront(e)
		return c
	}
	if l.byKey == nil {
		l.byKey = map[string]*list.Element{}
	}
	l.byKey[id] = l.order.PushFront(&leaf{id, c})
	if l.order.Len() > maxLeaves {
		delete(l.byKey, l.order.Remove(l.order.Back()).(*leaf).key)
	}
	return c
}

// sign makes a certificate.
func (a *Authority) sign(names []string, now time.Time) (*tls.Certificate, error) {
	t := &x509.Certificate{
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(leafLifetime),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	if len(names) > maxNames {
		return nil, fmt.Errorf("issue a certificate: %d names, want at most %d", len(names), maxNames)
	}
	for _, n := range names {
		if ip := net.ParseIP(n); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
			continue
		}
		if err := checkName(n); err != nil {
			return nil, fmt.Errorf("issue a certificate for %q: %w", n, err)
		}
		t.DNSNames = append(t.DNSNames, n)
	}
	if len(names[0]) <= 64 { // the bound of a common name, rfc5280 appendix A
		t.Subject = pkix.Name{CommonName: names[0]}
	}
	var err error
	if t.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for %q: %w", names[0], err)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate for %q: %w", names[0], err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate for %q: %w", names[0], err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: parsed}, nil
}

// checkName accepts DNS names, with underscores as buckets have them, and wildcards in front.
func checkName(name string) error {
	rest := strings.TrimPrefix(name, "*.")
	if rest == "" || len(name) > 253 {
		return errors.New("it is no DNS name")
	}
	for label := range strings.SplitSeq(rest, ".") {
		if label == "" || len(label) > 63 {
			return errors.New("a label of it is empty or has more than 63 letters")
		}
		for i := range len(label) {
			switch c := label[i]; {
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
			default:
				return fmt.Errorf("%q cannot be in a DNS name", string(c))
			}
		}
	}
	return nil
}
