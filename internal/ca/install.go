package ca

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// debianAnchors is where Debian, Ubuntu and Alpine look for further authorities: man 8 update-ca-certificates.
const debianAnchors = "/usr/local/share/ca-certificates"

// system is what Install touches of the machine.
type system struct {
	goos    string
	anchors string
	lookup  func(program string) (string, error)
	run     func(ctx context.Context, program string, args ...string) ([]byte, error)
}

// Install adds the authority to the trust store of the system, and tells w what it did. Where that is not simple, it
// prints what a person has to do and returns installed false without an error. Programs with a store of their own are
// named either way.
func (a *Authority) Install(ctx context.Context, w io.Writer) (installed bool, err error) {
	return a.install(ctx, w, system{
		goos: runtime.GOOS, anchors: debianAnchors, lookup: exec.LookPath,
		run: func(ctx context.Context, program string, args ...string) ([]byte, error) {
			return exec.CommandContext(ctx, program, args...).CombinedOutput()
		},
	})
}

func (a *Authority) install(ctx context.Context, w io.Writer, sys system) (bool, error) {
	if a.path == "" {
		return false, errors.New("install the certificate authority: it is in memory only")
	}
	installed := false
	program, err := sys.lookup("update-ca-certificates")
	if sys.goos == "linux" && err == nil {
		target := filepath.Join(sys.anchors, "foregate-"+a.id()+".crt")
		err := writeFile(target, a.pem, 0o644)
		switch {
		case errors.Is(err, os.ErrPermission):
			fmt.Fprintf(w, "Only root can change the trust store. Run:\n\n  sudo cp %s %s\n  sudo update-ca-certificates\n", quote(a.path), target)
		case err != nil:
			return false, fmt.Errorf("install the certificate authority: %w", err)
		default:
			if out, err := sys.run(ctx, program); err != nil {
				return false, fmt.Errorf("run %s: %w: %s", program, err, strings.TrimSpace(string(out)))
			}
			fmt.Fprintf(w, "Installed as %s.\n", target)
			installed = true
		}
	} else {
		fmt.Fprintf(w, "To trust the authority on this system, run:\n\n  %s\n", byHand(sys.goos, quote(a.path)))
	}
	p := quote(a.path)
	fmt.Fprintf(w, "\nSome programs keep a list of their own:\n"+
		"  AWS CLI, boto3     AWS_CA_BUNDLE=%s\n"+
		"  Node.js            NODE_EXTRA_CA_CERTS=%s\n"+
		"  Python requests    REQUESTS_CA_BUNDLE=%s\n"+
		"  curl               curl --cacert %s\n"+
		"  Firefox            Settings, Privacy & Security, View Certificates, Authorities, Import\n", p, p, p, p)
	return installed, nil
}

// byHand is the command that trusts a certificate where Install does not do it.
func byHand(goos, path string) string {
	switch goos {
	case "darwin":
		return "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain " + path
	case "windows":
		return "certutil -addstore -f ROOT " + path
	}
	return "sudo trust anchor " + path + "    (Fedora, Arch and others with p11-kit)"
}

// id tells the authority from others, in a file's name.
func (a *Authority) id() string {
	sum := sha256.Sum256(a.cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:4])
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	if strings.ContainsAny(path, " '\"$&;()<>|*?\\`!#~") && !strings.ContainsRune(path, '\'') {
		return "'" + path + "'"
	}
	return path
}
