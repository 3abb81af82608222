package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyPairs(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("public.pem", "PUBLIC KEY", public)
	got, err := keyPairs([]string{"APKA9ONS7QCOWEXAMPLE=" + good})
	if err != nil || len(got) != 1 || !key.PublicKey.Equal(got["APKA9ONS7QCOWEXAMPLE"]) {
		t.Fatal(got, err)
	}
	for arg, want := range map[string]string{
		"":                            "want ID=FILE",
		"APKA9ONS7QCOWEXAMPLE":        "want ID=FILE",
		"K2JCJMDEHXQW5F=" + good:      "begins with APKA",
		"APKA9ONS7QCOWEXAMPLE=" + dir: "no file with a public key",
		"APKA9ONS7QCOWEXAMPLE=" + filepath.Join(dir, "nobody"):                         "no such file",
		"APKA9ONS7QCOWEXAMPLE=" + write("private.pem", "PRIVATE KEY", private):         "want PUBLIC KEY",
		"APKA9ONS7QCOWEXAMPLE=" + write("long.pem", "PUBLIC KEY", make([]byte, 1<<16)): "no file with a public key",
	} {
		if _, err := keyPairs([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", arg, err, want)
		}
	}
}
