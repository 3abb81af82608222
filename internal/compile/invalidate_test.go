package compile

import (
	"slices"
	"testing"

	"github.com/foregate/foregate/internal/edge/cache"
)

// TestInvalidate has the examples of the manual (DG26-invalidation-specifying-objects).
func TestInvalidate(t *testing.T) {
	targets := []string{"/images/image.jpg", "/images/image.jpg?a=1", "/images/image.jpg?a=2", "/images/Image.jpg", "/images", "/images/", "/i*d", "/other"}
	tests := []struct {
		path string
		gone []string
	}{
		{"/images/image.jpg", []string{"/images/image.jpg"}},
		{"/images/image.jpg?a=1", []string{"/images/image.jpg?a=1"}},
		{"/images/image.jpg*", []string{"/images/image.jpg", "/images/image.jpg?a=1", "/images/image.jpg?a=2"}},
		{"/images/*", []string{"/images/image.jpg", "/images/image.jpg?a=1", "/images/image.jpg?a=2", "/images/Image.jpg", "/images/"}},
		{"/images", []string{"/images"}},
		{"/i*d", []string{"/i*d"}}, // only a star at the end is a wildcard
		{"/*", targets},
		{"/none", nil},
	}
	for _, tt := range tests {
		env := &Env{Cache: cache.New(1 << 20)}
		for _, d := range []string{"E1", "E2"} {
			for _, target := range targets {
				env.Cache.Admit([]byte(d+target), &cache.Object{Distribution: d, Target: target})
			}
		}
		env.Invalidate("E1", []string{tt.path})
		var gone []string
		for _, target := range targets {
			if env.Cache.Lookup([]byte("E1"+target)) == nil {
				gone = append(gone, target)
			}
			if env.Cache.Lookup([]byte("E2"+target)) == nil {
				t.Errorf("%s: %s of another distribution is gone", tt.path, target)
			}
		}
		if !slices.Equal(gone, tt.gone) {
			t.Errorf("%s: gone %q, want %q", tt.path, gone, tt.gone)
		}
	}
	(&Env{}).Invalidate("E1", []string{"/*"}) // nothing caches
}
