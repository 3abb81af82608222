package compile

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/message"
)

// Policies that have a suite, by how many of CloudFront's have it, and with those of API Gateway.
const (
	first2 = "SSLv3 TLSv1"
	first4 = first2 + " TLSv1_2016 TLSv1.1_2016"
	first5 = first4 + " TLSv1.2_2018"
	first6 = first5 + " TLSv1.2_2019"
	first7 = first6 + " TLSv1.2_2021"
	first8 = first7 + " TLSv1.2_2025"
	old    = " TLS_1_0"
	both   = " TLS_1_0 TLS_1_2"
)

// cipherRows are the rows of AWS's tables, apart from those that crypto/tls lacks, with the policies that have the suite. The
// columns of the guide's table are lost in its text; the count of marks in a row, together with the order of the policies, gives
// them back, and s2n-tls's policy snapshots (CloudFront-TLS-*) agree. Suites that are not here have no policy.
var cipherRows = map[uint16]string{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256:       first8 + both,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256:       first6 + both,
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA:          first4 + old,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384:       first8 + both,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: first7,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA:          first4 + old,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:         first8 + both,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256:         first6 + both,
	tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA:            first4 + old,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384:         first8 + both,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256:   first7,
	tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:            first4 + old,
	tls.TLS_RSA_WITH_AES_128_GCM_SHA256:               first5 + both,
	tls.TLS_RSA_WITH_AES_256_GCM_SHA384:               first5 + both,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA256:               first5 + both,
	tls.TLS_RSA_WITH_AES_256_CBC_SHA:                  first4 + old,
	tls.TLS_RSA_WITH_AES_128_CBC_SHA:                  first4 + old,
	tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA:                 first2,
}

var versionRows = map[uint16]string{
	tls.VersionTLS10: first2 + " TLSv1_2016" + old,
	tls.VersionTLS11: first4 + old,
	tls.VersionTLS12: first8 + both,
	tls.VersionTLS13: first8 + " TLSv1.3_2025" + both,
}

// TestSecurityPolicies shakes hands under each policy with each version, and with each suite.
func TestSecurityPolicies(t *testing.T) {
	f := front.New(front.Options{Log: t.Logf, Grace: time.Nanosecond})
	b := front.NewBuilder(1)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	handler := message.HandlerFunc(func(context.Context, *message.Request) *message.Response { return nil })
	for name, policy := range securityPolicies {
		for kind, key := range map[string]crypto.Signer{"rsa": rs, "ecdsa": ec} {
			host := hostOf(kind, name)
			check(t, b.Alias(host, front.Site{Handler: handler, Service: "x", TLS: policy, Certificate: &front.Certificate{Names: []string{host}, TLS: selfSigned(t, key)}}))
		}
	}
	f.Swap(b.Build())
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Serve(ctx, ln) }()
	defer func() { stop(); <-done }()
	shake := func(c *tls.Config) error {
		c.InsecureSkipVerify = true
		conn, err := tls.Dial("tcp", ln.Addr().String(), c)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, name := range strings.Fields(versionRows[tls.VersionTLS13]) {
		for version, policies := range versionRows {
			err := shake(&tls.Config{ServerName: hostOf("ecdsa", name), MinVersion: version, MaxVersion: version})
			if has := has(policies, name); (err == nil) != has {
				t.Errorf("%s, version %x: %v, want it %v", name, version, err, has)
			}
		}
		for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
			if !slices.Contains(suite.SupportedVersions, tls.VersionTLS12) {
				continue // those of TLS 1.3 cannot be chosen
			}
			kind := "rsa"
			if strings.Contains(suite.Name, "ECDSA") {
				kind = "ecdsa"
			}
			err := shake(&tls.Config{ServerName: hostOf(kind, name), MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}})
			if has := has(cipherRows[suite.ID], name); (err == nil) != has {
				t.Errorf("%s, %s: %v, want it %v", name, suite.Name, err, has)
			}
		}
		for group, newest := range map[tls.CurveID]uint16{tls.X25519: tls.VersionTLS12, tls.CurveP256: tls.VersionTLS12, tls.CurveP384: tls.VersionTLS12,
			tls.X25519MLKEM768: tls.VersionTLS13, tls.SecP256r1MLKEM768: tls.VersionTLS13, tls.CurveP521: 0, tls.SecP384r1MLKEM1024: 0} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				err := shake(&tls.Config{ServerName: hostOf("ecdsa", name), MinVersion: version, MaxVersion: version, CurvePreferences: []tls.CurveID{group}})
				want := newest != 0 && version >= newest && has(versionRows[version], name) && (newest == tls.VersionTLS12 || !has(both, name))
				if (err == nil) != want {
					t.Errorf("%s, %v, version %x: %v, want it %v", name, group, version, err, want)
				}
			}
		}
	}
	if shake(&tls.Config{ServerName: hostOf("ecdsa", "SecurityPolicy_TLS13_1_3_2025_09"), CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}) == nil {
		t.Error("a policy without PQ in its name took X25519MLKEM768")
	}
}

func has(list, name string) bool {
	for f := range strings.FieldsSeq(list) {
		if f == name {
			return true
		}
	}
	return false
}

func hostOf(kind, policy string) string {
	return kind + "." + strings.NewReplacer(".", "-", "_", "-").Replace(strings.ToLower(policy)) + ".example"
}

func selfSigned(t *testing.T, key crypto.Signer) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	check(t, err)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
