package app

import (
	"io"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// A node that strangers reach tells them no host and no key, and has no explanations to give.
func TestStrangersLearnNothing(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	n, err := NewNode(Options{Region: "us-east-1", Account: "000000000000", Listen: "127.0.0.1:1", Local: true, Strangers: true, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for _, c := range []struct{ host, path string }{{"evil.example", "/"}, {"localhost", "/"}, {"127.0.0.1:1", explanationPath + "1"}} {
		r := &message.Request{Method: "GET", Scheme: "http", Host: c.host, Path: c.path, Proto: message.HTTP11,
			Header: message.Header{{Name: "Foregate-Explain", Value: "1"}}}
		resp := n.Handle(t.Context(), r)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Status < 400 || resp.Header.Has("Foregate-Explanation") {
			t.Errorf("%s%s: status %d, %v", c.host, c.path, resp.Status, resp.Header)
		}
		for _, secret := range []string{"cloudfront.net", "secret test"} {
			if strings.Contains(string(body), secret) {
				t.Errorf("%s%s: %s", c.host, c.path, body)
			}
		}
	}
}
