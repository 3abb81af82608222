package app

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/sigv4"
)

// A node that strangers reach has a root key of its own, the same after a restart; test/test is nobody there.
func TestRootKeyOfServe(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := filepath.Join(t.TempDir(), "data")
	k, path, err := rootKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want a file for its owner alone", info, err)
	}
	if again, _, err := rootKey(dir); err != nil || again != k {
		t.Errorf("the second time %v, %v", again.id, err)
	}
	n, err := NewNode(Options{Region: "us-east-1", Account: "000000000000", Listen: "127.0.0.1:1", Local: true, Strangers: true, Root: k, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, c := range []struct {
		key
		status int
		want   string
	}{{k, http.StatusOK, "arn:aws:iam::000000000000:root"}, {localRoot, http.StatusForbidden, "InvalidClientTokenId"}} {
		r := &message.Request{Method: "POST", Scheme: "http", Host: "127.0.0.1:1", Path: "/", Proto: message.HTTP11,
			Header: message.Header{{Name: "Content-Type", Value: "application/x-www-form-urlencoded"}}}
		body := "Action=GetCallerIdentity&Version=2011-06-15"
		r.Body, r.ContentLength = strings.NewReader(body), int64(len(body))
		signer := &sigv4.Signer{Credentials: sigv4.Credentials{AccessKeyID: c.id, Secret: c.secret}, Region: "us-east-1", Service: "sts"}
		if err := signer.Sign(r, sigv4.HashPayload([]byte(body))); err != nil {
			t.Fatal(err)
		}
		resp := n.Handle(t.Context(), r)
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.Status != c.status || !strings.Contains(string(text), c.want) {
			t.Errorf("%s: %d, %v, %s", c.id, resp.Status, err, text)
		}
	}
}

func TestDamagedRootKey(t *testing.T) {
	for _, text := range []string{"", "[default]\n", "aws_access_key_id = AKIA0123456789ABCDEF\naws_secret_access_key =\n"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, rootFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := rootKey(dir); err == nil || !strings.Contains(err.Error(), rootFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
