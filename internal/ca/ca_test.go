package ca

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for a second process.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FOREGATE_TEST_CA_DIR"); dir != "" {
		a, err := Open(dir)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Printf("%s", a.PEM())
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "ca")
	a, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.PEM(), b.PEM()) {
		t.Error("the second Open made another authority")
	}
	onDisk, err := os.ReadFile(a.Path())
	if err != nil || !bytes.Equal(onDisk, a.PEM()) {
		t.Errorf("Path %q does not hold PEM: %v", a.Path(), err)
	}
	st, err := os.Stat(filepath.Join(dir, "ca.key"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("key: %v, %v; want mode 0600", st.Mode(), err)
	}
	if years := a.cert.NotAfter.Sub(a.cert.NotBefore).Hours() / 24 / 365; years < 9.9 || years > 10.1 {
		t.Errorf("good for %.1f years", years)
	}
	must(t, os.Chmod(filepath.Join(dir, "ca.key"), 0o644))
	if _, err := Open(dir); err != nil {
		t.Error(err)
	}
	if st, _ := os.Stat(filepath.Join(dir, "ca.key")); st.Mode().Perm() != 0o600 {
		t.Error("a key that others could read was left so")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestRace(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			var out []byte
			if i%2 == 0 {
				a, err := Open(dir)
				if err != nil {
					t.Error(err)
					return
				}
				out = a.PEM()
			} else {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), "FOREGATE_TEST_CA_DIR="+dir)
				var err error
				if out, err = cmd.Output(); err != nil {
					t.Errorf("second process: %v: %s", err, out)
				}
			}
			mu.Lock()
			seen[string(out)]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if len(seen) != 1 {
		t.Errorf("%d different authorities", len(seen))
	}
}

func TestDamagedIsNeverReplaced(t *testing.T) {
	for _, c := range []struct {
		name, want string
		harm       func(dir string) error
	}{
		{"no key", "ca.pem is there and ca.key is not", func(d string) error { return os.Remove(filepath.Join(d, "ca.key")) }},
		{"bad certificate", "holds no certificate", func(d string) error { return os.WriteFile(filepath.Join(d, "ca.pem"), []byte("x"), 0o644) }},
		{"empty certificate", "holds no certificate", func(d string) error { return os.Truncate(filepath.Join(d, "ca.pem"), 0) }},
		{"bad key", "holds no private key", func(d string) error { return os.WriteFile(filepath.Join(d, "ca.key"), []byte("x"), 0o600) }},
		{"other key", "do not belong together", func(d string) error {
			other := filepath.Join(d, "other")
			if _, err := Open(other); err != nil {
				return err
			}
			return os.Rename(filepath.Join(other, "ca.key"), filepath.Join(d, "ca.key"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Open(dir); err != nil {
				t.Fatal(err)
			}
			must(t, c.harm(dir))
			before := contents(t, dir)
			_, err := Open(dir)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "delete it") {
				t.Errorf("got %v, want %q and a way out", err, c.want)
			}
			if after := contents(t, dir); after != before {
				t.Errorf("the folder was changed:\n%s\n%s", before, after)
			}
		})
	}
}

func contents(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for _, n := range []string{"ca.pem", "ca.key"} {
		text, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %q\n", n, text)
	}
	return b.String()
}

func TestCreationThatWasInterrupted(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir)
	must(t, err)
	must(t, os.Remove(a.Path()))
	b, err := Open(dir)
	must(t, err)
	if !bytes.Equal(a.cert.RawSubjectPublicKeyInfo, b.cert.RawSubjectPublicKeyInfo) {
		t.Error("the key was replaced")
	}
}

func TestExpiredAuthority(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir)
	must(t, err)
	if _, err := open(dir, func() time.Time { return time.Now().Add(11 * 365 * 24 * time.Hour) }); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
}

func TestIssue(t *testing.T) {
	a, err := Ephemeral()
	must(t, err)
	now := time.Now()
	a.now = func() time.Time { return now }
	c, err := a.Issue([]string{"*.cloudfront.net", "Cloudfront.net", "127.0.0.1", "::1"})
	must(t, err)
	for _, host := range []string{"d1.cloudfront.net", "cloudfront.net", "127.0.0.1", "::1"} {
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: host}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if days := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore).Hours() / 24; days > 397 {
		t.Errorf("good for %.0f days, want at most 397", days)
	}
	if !c.Leaf.NotBefore.Before(now.Add(-59 * time.Minute)) {
		t.Error("not backdated")
	}
	again, err := a.Issue([]string{"::1", "127.0.0.1", "cloudfront.net", "*.cloudfront.net", "::1"})
	must(t, err)
	if again != c {
		t.Error("the same names got another certificate")
	}
	now = now.Add(leafLifetime - renewBefore + time.Minute)
	renewed, err := a.Issue([]string{"*.cloudfront.net", "cloudfront.net", "127.0.0.1", "::1"})
	must(t, err)
	if renewed == c || !fresh(renewed, now) {
		t.Error("not renewed before its end")
	}
	for _, bad := range []string{"", "*", "a..b", "a b", "x.*", strings.Repeat("a", 64) + ".net", "a\x00.net"} {
		if _, err := a.Issue([]string{bad}); err == nil {
			t.Errorf("Issue(%q) signed it", bad)
		}
	}
	if _, err := a.Issue(nil); err == nil {
		t.Error("signed for no name")
	}
	if _, err := a.Issue([]string{"my_bucket.s3.localhost"}); err != nil {
		t.Error(err)
	}
}

func TestIssueNearTheEndOfTheAuthority(t *testing.T) {
	a, err := Ephemeral()
	must(t, err)
	now := a.cert.NotAfter.Add(-time.Minute)
	a.now = func() time.Time { return now }
	c, err := a.Issue([]string{"x.example"})
	must(t, err)
	if c.Leaf.NotAfter.After(a.cert.NotAfter) {
		t.Error("outlives its authority")
	}
}

func TestCacheIsBounded(t *testing.T) {
	a, err := Ephemeral()
	must(t, err)
	first, err := a.Issue([]string{"keep.example"})
	must(t, err)
	now := a.now()
	for i := range maxLeaves + 10 {
		a.leaves.put(fmt.Sprint(i), first, now)
		if i%100 == 0 {
			if c, err := a.Issue([]string{"keep.example"}); err != nil || c != first {
				t.Fatal("a certificate in use was dropped")
			}
		}
	}
	if n := len(a.leaves.byKey); n != maxLeaves || a.leaves.order.Len() != n {
		t.Errorf("%d kept, want %d", n, maxLeaves)
	}
}

func TestIssueAtTheSameTime(t *testing.T) {
	a, err := Ephemeral()
	must(t, err)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				if _, err := a.Issue([]string{fmt.Sprintf("h%d.example", (i+j)%5)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestInstall(t *testing.T) {
	a, err := Open(t.TempDir())
	must(t, err)
	sys := system{goos: "linux", anchors: t.TempDir(), lookup: func(string) (string, error) { return "/usr/sbin/update-ca-certificates", nil }}
	ran := false
	sys.run = func(_ context.Context, p string, _ ...string) ([]byte, error) { ran = true; return nil, nil }
	var out strings.Builder
	ok, err := a.install(t.Context(), &out, sys)
	if err != nil || !ok || !ran {
		t.Fatalf("%v, %v, ran %v: %s", ok, err, ran, &out)
	}
	files, _ := os.ReadDir(sys.anchors)
	if len(files) != 1 || !strings.HasSuffix(files[0].Name(), ".crt") {
		t.Errorf("%v, want one .crt", files)
	}
	sys.run = func(context.Context, string, ...string) ([]byte, error) {
		return []byte("no space"), errors.New("exit status 1")
	}
	if _, err := a.install(t.Context(), &out, sys); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("got %v", err)
	}
	for goos, want := range map[string]string{"darwin": "add-trusted-cert", "windows": "certutil", "linux": "trust anchor"} {
		out.Reset()
		ok, err := a.install(t.Context(), &out, system{goos: goos, lookup: func(string) (string, error) { return "", exec.ErrNotFound }})
		if ok || err != nil || !strings.Contains(out.String(), want) || !strings.Contains(out.String(), a.Path()) {
			t.Errorf("%s: %v, %v: %s", goos, ok, err, &out)
		}
	}
	e, _ := Ephemeral()
	if _, err := e.Install(t.Context(), &out); err == nil {
		t.Error("installed what is on no disk")
	}
}
