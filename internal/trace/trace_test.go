package trace

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRedactTarget(t *testing.T) {
	for in, want := range map[string]string{
		"/a":                             "/a",
		"/a?":                            "/a?",
		"/a?x=1&y=2":                     "/a?x=1&y=2",
		"/a?access_token=short":          "/a?access_token=…",
		"/a?Signature=0123456789abcdefg": "/a?Signature=0123…defg",
		"/a?X-Amz-Signature=0123456789abcdefg&X-Amz-Date=d":   "/a?X-Amz-Signature=0123…defg&X-Amz-Date=d",
		"/a?X%2DAmz%2DSecurity%2DToken=0123456789abcdefg":     "/a?X%2DAmz%2DSecurity%2DToken=0123…defg",
		"/a?b=1&password=%zz&&token":                          "/a?b=1&password=…&&token",
		"https://h/a?next=/b?token=0123456789abcdefg&token=x": "https://h/a?next=/b?token=0123456789abcdefg&token=…",
	} {
		if got := RedactTarget(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := Redact("Location", "/a?id_token=0123456789abcdefg"); got != "/a?id_token=0123…defg" {
		t.Errorf("Location: %s", got)
	}
}

// What one hop hides is hidden in the hops behind it as well, and in the JSON of a hop nothing tells about it.
func TestHide(t *testing.T) {
	const secret = "a-secret-that-an-origin-knows"
	tr := &Trace{}
	first := tr.Hop("cloudfront", "E1")
	first.Hide("X-Origin-Verify")
	second := tr.Hop("apigateway", "a1")
	for _, h := range []*Hop{first, second} {
		if got := h.Redact("x-origin-verify", secret); got != "a-se…nows" {
			t.Errorf("%s: %s", h.Component, got)
		}
	}
	if got := second.Redact("X-Other", secret); got != secret {
		t.Errorf("a header that nobody hides: %s", got)
	}
	b, err := json.Marshal(tr.Hops())
	if err != nil || strings.Contains(strings.ToLower(string(b)), "x-origin-verify") {
		t.Errorf("%s, %v", b, err)
	}
	var none *Hop
	none.Hide("X")
	if got := none.Redact("Authorization", "Bearer x"); got != "Bearer …" {
		t.Errorf("no hop: %s", got)
	}
}
