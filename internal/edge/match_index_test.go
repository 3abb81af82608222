package edge

import (
	"strings"
	"testing"
)

// FuzzBehaviorIndex holds the index to what trying one after the other gives. Patterns are parted by commas.
func FuzzBehaviorIndex(f *testing.F) {
	for _, s := range [][2]string{
		{"/api/*,*.jpg,/api/v1/*,/favicon.ico,img*,/img/?.png", "/api/v1/x"}, {"/api/*,*.jpg,/api/v1/*,/favicon.ico,img*,/img/?.png", "/img/a.png"},
		{"/,//,/a,/a/,/a/b,?", "/"}, {"a/*,a*,*a,*,b/c", "/a"}, {"a?,?a,a/?,/x//y,x/y", "/a/b/../c"}, {"/a%2fb,/a/*,a,b,c", "/a%2Fb"},
	} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, patterns, path string) {
		path = NormalisePath(path)
		if !strings.HasPrefix(path, "/") {
			return
		}
		var b []Behavior
		for s := range strings.SplitSeq(patterns, ",") {
			if p, err := ParsePattern(s); err == nil {
				b = append(b, Behavior{Pattern: p})
			}
		}
		for len(b) < worthIndexing {
			b = append(b, Behavior{Pattern: compilePattern("/never/here")})
		}
		b = append(b, Behavior{Pattern: DefaultPattern()})
		p := Plan{Behaviors: b}
		if got, want := p.find(path, newBehaviorIndex(b)), p.find(path, nil); got != want {
			t.Errorf("%q of %q: behavior %d, want %d", path, patterns, got, want)
		}
	})
}
