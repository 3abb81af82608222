package edge

import (
	"strings"
	"testing"
)

func TestPatternMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "/", true},
		{"*", "/a/b", true},
		{"/*", "/", true},
		{"images/*", "/images/a.jpg", true},
		{"/images/*", "/images/a.jpg", true},
		{"/images/*", "/images", false},
		{"images/*", "/Images/a", false},
		{"*.jpg", "/a/b.jpg", true},
		{"*.jp?", "/a.jpg", true},
		{"*.jp?", "/a.jp", false},
		{"/api/v?/*/x", "/api/v2/a/b/x", true},
		{"/api/v?/*/x", "/api/v2/x", false},
		{"/a*a", "/a", false},
		{"/a*a", "/aa", true},
		{"/?", "/", false},
		{"/**x**", "/abxc", true},
		{"/*a?b*", "/xxaab", true},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(c.path); got != c.want {
			t.Errorf("%q match %q = %v, want %v", c.pattern, c.path, got, c.want)
		}
	}
}

func TestParsePatternRefuses(t *testing.T) {
	for _, s := range []string{"", "/a b", "/ä", "/a#", "/a%20", strings.Repeat("a", 256)} {
		if _, err := ParsePattern(s); err == nil {
			t.Errorf("ParsePattern(%q) succeeds", s)
		}
	}
}

// The first line is the manual's own example (facts: cloudfront-dataplane 2).
func TestNormalisePath(t *testing.T) {
	for in, want := range map[string]string{
		"/a/b/..":        "/a/",
		"/":              "/",
		"//":             "/",
		"/a//b":          "/a/b",
		"/a/./b/":        "/a/b/",
		"/../../x":       "/x",
		"/%61%2f%2F":     "/a%2F%2F",
		"/%7euser/%zz%4": "/~user/%zz%4",
		"*":              "/*",
		"/.well-known/x": "/.well-known/x",
		"/a/%2e%2e/b":    "/b",
		"/a/...":         "/a/...",
	} {
		if got := NormalisePath(in); got != want {
			t.Errorf("NormalisePath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestSubsumes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"*", "/api/*", true},
		{"/api/*", "*", false},
		{"/api/*", "/api/v1/*", true},
		{"api/*", "/api/*", true},
		{"/a?*", "/a*?", true},
		{"/*?", "/?*", true},
		{"/?", "/*", false},
		{"*.jpg", "/images/*.jpg", true},
		{"/images/*", "/images/*.jpg", true},
		{"/images/*", "/image*", false},
		{"/a*b*c", "/a?b?c", true},
		{"/a*b*c", "/a?c", false},
		{"/x", "/x", true},
	} {
		if got := Subsumes(compilePattern(c.a), compilePattern(c.b)); got != c.want {
			t.Errorf("Subsumes(%q, %q) = %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// Over a small alphabet, what Subsumes says is compared with the definition: all paths up to five characters.
func TestSubsumesExhaustively(t *testing.T) {
	words := func(alphabet string, most int) []string {
		out := []string{""}
		for from := 0; most > 0; most-- {
			end := len(out)
			for _, w := range out[from:end] {
				for _, c := range alphabet {
					out = append(out, w+string(c))
				}
			}
			from = end
		}
		return out
	}
	paths := words("ab!", 5)
	patterns := words("a*?", 3)[1:]
	for _, as := range patterns {
		for _, bs := range patterns {
			a, b := compilePattern(as), compilePattern(bs)
			want := true
			for _, p := range paths {
				want = want && (!b.Match(p) || a.Match(p))
			}
			if got := Subsumes(a, b); got != want {
				t.Errorf("Subsumes(%q, %q) = %v, want %v", as, bs, got, want)
			}
		}
	}
}

func FuzzSubsumes(f *testing.F) {
	f.Add("/a*", "/a?*", "/ab")
	f.Add("*?", "?*", "/x")
	f.Add("*a*?b", "a*b", "/aab")
	f.Fuzz(func(t *testing.T, as, bs, path string) {
		a, errA := ParsePattern(as)
		b, errB := ParsePattern(bs)
		if errA != nil || errB != nil {
			return
		}
		path = NormalisePath(path)
		if Subsumes(a, b) && b.Match(path) && !a.Match(path) {
			t.Errorf("Subsumes(%q, %q), but only the second matches %q", as, bs, path)
		}
		if got, want := a.Match(path), slowMatch(a.body, strings.TrimPrefix(path, "/")); got != want {
			t.Errorf("%q match %q = %v, want %v", as, path, got, want)
		}
	})
}

// slowMatch is the definition, as an automaton.
func slowMatch(p, s string) bool {
	set := closure(p, stateSet{}.with(0))
	for i := range len(s) {
		var out stateSet
		for j := range len(p) {
			if set.has(j) && p[j] == '*' {
				out = out.with(j)
			} else if set.has(j) && (p[j] == '?' || p[j] == s[i]) {
				out = out.with(j + 1)
			}
		}
		set = closure(p, out)
	}
	return set.has(len(p))
}

func FuzzNormalisePath(f *testing.F) {
	f.Add("/a/../%2e%2E//b")
	f.Add("%")
	f.Fuzz(func(t *testing.T, s string) {
		n := NormalisePath(s)
		if n == "" || n[0] != '/' {
			t.Fatalf("NormalisePath(%q) = %q", s, n)
		}
		if strings.Contains(n, "//") || strings.Contains(n, "/../") || strings.Contains(n, "/./") {
			t.Errorf("NormalisePath(%q) = %q is not normal", s, n)
		}
	})
}
