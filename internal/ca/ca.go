// Package ca is the local certificate authority: it vouches for the hosts of a stack to clients on this machine that trust
// it.
//
// Start with Open, or with Ephemeral where nothing may be written; Issue then signs a certificate for names. The authority
// is made once and kept in a folder: ca.pem, which clients are told to trust, and ca.key, which only the owner may read.
// Whoever has the key can pose as any host to those clients, so neither file ever leaves the folder by this package, and a
// folder that is damaged is an error for a person to look at: it is never replaced silently, because clients would go on
// trusting the lost key.
//
// The package must not know which names a stack has.
package ca

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// The files of the folder.
const (
	certFile = "ca.pem"
	keyFile  = "ca.key"
	lockFile = "lock"
)

// backdate allows for clients whose clock is behind.
const backdate = time.Hour

// lifetime is how long an authority is good for.
const lifetime = 10 * 365 * 24 * time.Hour

// Authority signs certificates. Its methods may be called at the same time.
type Authority struct {
	cert *x509.Certificate
	pem  []byte
	key  crypto.Signer
	path string
	now  func() time.Time

	leaves leaves
}

// DefaultDir returns the folder that is used when none is given: foregate/ca in the user's configuration folder.
func DefaultDir() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("find the folder of the certificate authority: %w", err)
	}
	return filepath.Join(dir, "foregate", "ca"), nil
}

// Open returns the authority that is kept in dir, and makes it when there is none. Processes that do so at the same time
// get the same one.
func Open(dir string) (*Authority, error) {
	return open(dir, time.Now)
}

func open(dir string, now func() time.Time) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the certificate authority: %w", err)
	}
	if a, err := load(dir, now); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return a, err // the usual case needs no lock, so a folder that is read only will do
	}
	unlock, err := lockedfile.MutexAt(filepath.Join(dir, lockFile)).Lock()
	if err != nil {
		return nil, fmt.Errorf("lock the folder of the certificate authority %q: %w", dir, err)
	}
	defer unlock()
	if a, err := load(dir, now); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return a, err
	}
	if err := create(dir, now()); err != nil {
		return nil, fmt.Errorf("make the certificate authority in %q: %w", dir, err)
	}
	return load(dir, now)
}

// Ephemeral returns an authority that lives in memory only.
func Ephemeral() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of a certificate authority: %w", err)
	}
	der, err := selfSign(key, time.Now())
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate just made: %w", err)
	}
	return &Authority{cert: cert, pem: encode("CERTIFICATE", der), key: key, now: time.Now}, nil
}

// PEM returns the certificate of the authority, for clients to trust.
func (a *Authority) PEM() []byte { return append([]byte(nil), a.pem...) }

// Path returns where PEM is kept, "" for an ephemeral authority.
func (a *Authority) Path() string { return a.path }

// Certificate returns the authority's certificate. It must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Pool returns the authority as roots for a client of crypto/tls.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// damaged is what a person is told about a folder that cannot be used.
func damaged(dir, format string, args ...any) error {
	return fmt.Errorf("open the certificate authority in %q: %w. Restore the folder, or delete it to get a new authority, which clients must then be told to trust",
		dir, fmt.Errorf(format, args...))
}

// load reads the folder. The error is fs.ErrNotExist when no certificate was ever made in it: a key alone is what is left
// of a process that died in between, and create goes on from there.
func load(dir string, now func() time.Time) (*Authority, error) {
	path, keyPath := filepath.Join(dir, certFile), filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open the certificate authority: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, damaged(dir, "%s holds no certificate", certFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, damaged(dir, "parse %s: %w", certFile, err)
	}
	key, err := loadKey(keyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(dir, "%s is there and %s is not", certFile, keyFile)
	} else if err != nil {
		return nil, damaged(dir, "%w", err)
	}
	if pub, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || !pub.Equal(key.Public()) {
		return nil, damaged(dir, "%s and %s do not belong together", certFile, keyFile)
	}
	if !cert.IsCA {
		return nil, damaged(dir, "%s is no certificate of an authority", certFile)
	}
	if t := now(); t.After(cert.NotAfter) {
		return nil, damaged(dir, "it expired on %s", cert.NotAfter.Format(time.DateOnly))
	}
	return &Authority{cert: cert, pem: encode("CERTIFICATE", cert.Raw), key: key, path: path, now: now}, nil
}

// loadKey reads the private key, and takes it from the eyes of others when it was copied about.
func loadKey(path string) (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if st, err := os.Stat(path); err == nil && st.Mode().Perm()&0o077 != 0 {
		_ = os.Chmod(path, 0o600) // some file systems have no modes: then there is nothing to be done
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds no private key", filepath.Base(path))
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", filepath.Base(path), err)
	}
	key, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, want an ECDSA key", filepath.Base(path), k)
	}
	return key, nil
}

// create writes the key, then the certificate: the authority exists from the moment that its certificate does.
func create(dir string, now time.Time) error {
	keyPath := filepath.Join(dir, keyFile)
	key, err := loadKey(keyPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		if err := writeFile(keyPath, encode("PRIVATE KEY", der), 0o600); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	der, err := selfSign(key, now)
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, certFile), encode("CERTIFICATE", der), 0o644)
}

// writeFile makes a file appear whole, with its mode from the first moment.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".tmp-*") // made with 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(mode), tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// selfSign makes the authority's certificate. Its name carries a few letters of its key, so that people can tell two of
// them apart in a trust store.
func selfSign(key *ecdsa.PrivateKey, now time.Time) ([]byte, error) {
	pub, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode the authority's public key: %w", err)
	}
	serial, err := newSerial()
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256(pub)
	t := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{Organization: []string{"Foregate"}, CommonName: "Foregate local CA " + hex.EncodeToString(id[:4])},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          id[:20],
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	return der, nil
}

// newSerial returns a random serial number (rfc5280 4.1.2.2).
func newSerial() (*big.Int, error) {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	return n.Add(n, big.NewInt(1)), nil
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
