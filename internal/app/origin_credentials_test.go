package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOriginCredentials(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	write("[default]\naws_access_key_id = A\naws_secret_access_key = B\n[other]\naws_access_key_id=C\naws_secret_access_key=D\naws_session_token=E\n[empty]\n", time.Unix(1, 0))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	for _, c := range []struct{ name, id, secret, token string }{
		{file, "A", "B", ""}, {"default", "A", "B", ""}, {"other", "C", "D", "E"}, {"empty", "", "", ""}, {"nobody", "", "", ""}, {file + "x", "", "", ""},
	} {
		got, err := openOriginCredentials(c.name)
		if c.id == "" {
			if err == nil {
				t.Errorf("%s: no error", c.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if v := got.value; v.AccessKeyID != c.id || v.Secret != c.secret || v.SessionToken != c.token {
			t.Errorf("%s: another key", c.name)
		}
	}
	c, err := openOriginCredentials("other")
	if err != nil {
		t.Fatal(err)
	}
	write("[other]\naws_access_key_id=F\naws_secret_access_key=G\n", time.Unix(2, 0))
	if v, _ := c.get(); v.AccessKeyID != "C" {
		t.Error("read again at once")
	}
	c.looked = time.Time{}
	if v, _ := c.get(); v.AccessKeyID != "F" || v.SessionToken != "" {
		t.Error("not read again")
	}
	os.Remove(file)
	c.looked = time.Time{}
	if v, err := c.get(); err != nil || v.AccessKeyID != "F" {
		t.Error("what was read is forgotten")
	}
}
