package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/foregate/foregate/bench/body"
)

// packages are Debian's packages that the benchmarks need.
func packages() []string {
	return []string{"nginx-light", "haproxy", "varnish", "hitch", "h2o", "trafficserver", "caddy", "wrk", "nghttp2-client"}
}

// version returns the installed version of a package, "" when it is not installed.
func version(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name).Output()
	if v, ok := strings.CutPrefix(string(out), "installed "); ok && err == nil {
		return v
	}
	return ""
}

// policyFile tells Debian's packages whether they may start their services when they are installed.
const policyFile = "/usr/sbin/policy-rc.d"

// install installs the packages that are missing, without starting their services.
func install(ctx context.Context, never bool) error {
	var missing []string
	for _, p := range packages() {
		if version(ctx, p) == "" {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if never || os.Geteuid() != 0 {
		return fmt.Errorf("missing packages (needs root to install them): apt-get install %s", strings.Join(missing, " "))
	}
	if _, err := os.Stat(policyFile); os.IsNotExist(err) {
		if err := os.WriteFile(policyFile, []byte("#!/bin/sh\nexit 101\n"), 0o755); err != nil {
			return err
		}
		defer os.Remove(policyFile)
	}
	for _, args := range [][]string{{"update", "-q"}, append([]string{"install", "-y", "-q", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("apt-get %s: %w", strings.Join(args, " "), err)
		}
	}
	return nil
}

// raiseFileLimit lets this process and those that it starts open enough connections, as far as the system allows, and
// returns how many files that is.
func raiseFileLimit() int {
	const want = 65536
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: want, Max: want}) == nil {
		return want
	}
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 1024
	}
	l.Cur = l.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	return int(l.Cur)
}

// writeCertificate makes the peers' key and certificate: ECDSA P-256, as Foregate's own authority issues.
func writeCertificate(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	for name, data := range map[string][]byte{"cert.pem": public, "key.pem": secret, "both.pem": append(append([]byte(nil), public...), secret...)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeFiles makes the static files of servers that have no cache.
func writeFiles(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, size := range body.Sizes {
		if err := os.WriteFile(filepath.Join(dir, name), body.Make(size), 0o644); err != nil {
			return err
		}
	}
	return nil
}
