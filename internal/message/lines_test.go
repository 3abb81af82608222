package message

import (
	"slices"
	"testing"
)

var sample = MakeLines("Content-Type: text/plain\r\nDate: Sun, 22 Nov 2026 06:14:38 GMT\r\nETag: \"a:b\"\r\nX-Empty: \r\netag: second\r\n", 26, true)

func TestLines(t *testing.T) {
	want := Header{{"Content-Type", "text/plain"}, {"Date", "Sun, 22 Nov 2026 06:14:38 GMT"}, {"ETag", `"a:b"`}, {"X-Empty", ""}, {"etag", "second"}}
	if got := sample.Append(nil); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for i := range want {
		want[i].Name = []string{"content-type", "date", "etag", "x-empty", "etag"}[i]
	}
	if got := sample.Lower(); !slices.Equal(got, want) || &got[0] != &sample.Lower()[0] {
		t.Errorf("%q, or not the same at each call", got)
	}
	for name, want := range map[string]string{"CONTENT-TYPE": "text/plain", "etag": `"a:b"`, "x-empty": ""} {
		if v, ok := sample.Lookup(name); v != want || !ok {
			t.Errorf("%s: %q, %v", name, v, ok)
		}
	}
	for _, name := range []string{"", "Dat", "Date:", "text/plain", "X-Empt"} {
		if v, ok := sample.Lookup(name); ok {
			t.Errorf("%q is there: %q", name, v)
		}
	}
	if n := testing.AllocsPerRun(100, func() { sample.Lookup("etag"); sample.Lookup("X-None") }); n != 0 {
		t.Errorf("a lookup allocates %v times", n)
	}
}

func TestWhole(t *testing.T) {
	r := Response{Before: [2]*Lines{MakeLines("A: 1\r\n", 0, false), MakeLines("B: 2\r\n", 0, false)}, Header: Header{{"C", "3"}}, After: MakeLines("D: 4\r\n", 0, false)}
	for name, want := range map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": ""} {
		if got := r.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	r.Whole()
	r.Whole()
	if want := (Header{{"A", "1"}, {"B", "2"}, {"C", "3"}, {"D", "4"}}); !slices.Equal(r.Header, want) || r.Before[0] != nil || r.After != nil {
		t.Errorf("%+v", r)
	}
}

func TestSameName(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{{"Via", "vIA", true}, {"", "", true}, {"Via", "Vi", false}, {"a@", "a`", false}, {"a[", "a{", false}, {"\r", "-", false}, {"k", "\u212a", false}, {"x-1", "X-1", true}} {
		if SameName(c.a, c.b) != c.same {
			t.Errorf("SameName(%q, %q) = %v", c.a, c.b, !c.same)
		}
	}
}
