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
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/message"
)

// rows of AWS's tables, in OpenSSL's names; those that crypto/tls lacks are left out. The policies are those that have the
// suite. The columns of the guide's table are lost in its text; the count of marks in a row, together with the order of the
// policies, gives them back, and s2n-tls's policy snapshots (CloudFront-TLS-*) agree.
var cipherRows = []struct {
	suite    uint16
	policies string
}{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021 TLSv1.2_2025 TLS_1_0 TLS_1_2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021 TLSv1.2_2025 TLS_1_0 TLS_1_2"},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLS_1_0 TLS_1_2"},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLS_1_0"},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLS_1_0"},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLS_1_0 TLS_1_2"},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLS_1_0 TLS_1_2"},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLS_1_0"},
	{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA, "SSLv3 TLSv1"},
	{tls.TLS_ECDHE_RSA_WITH_RC4_128_SHA, ""},
}

var versionRows = map[uint16]string{
	tls.VersionTLS10: "SSLv3 TLSv1 TLSv1_2016 TLS_1_0",
	tls.VersionTLS11: "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLS_1_0",
	tls.VersionTLS12: "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021 TLSv1.2_2025 TLS_1_0 TLS_1_2",
	tls.VersionTLS13: "SSLv3 TLSv1 TLSv1_2016 TLSv1.1_2016 TLSv1.2_2018 TLSv1.2_2019 TLSv1.2_2021 TLSv1.2_2025 TLSv1.3_2025 TLS_1_0 TLS_1_2",
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
		for _, row := range cipherRows {
			text := tls.CipherSuiteName(row.suite)
			kind := "rsa"
			if strings.Contains(text, "ECDSA") {
				kind = "ecdsa"
			}
			err := shake(&tls.Config{ServerName: hostOf(kind, name), MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{row.suite}})
			if has := has(row.policies, name); (err == nil) != has {
				t.Errorf("%s, %s: %v, want it %v", name, text, err, has)
			}
		}
	}
	for name, curve := range map[string]tls.CurveID{"TLSv1.2_2021": tls.CurveP521, "SecurityPolicy_TLS13_1_3_2025_09": tls.X25519MLKEM768} {
		if shake(&tls.Config{ServerName: hostOf("ecdsa", name), CurvePreferences: []tls.CurveID{curve}}) == nil {
			t.Errorf("%s took %v", name, curve)
		}
	}
	if err := shake(&tls.Config{ServerName: hostOf("ecdsa", "TLSv1"), CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}); err != nil {
		t.Errorf("TLSv1 refuses X25519MLKEM768: %v", err)
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
