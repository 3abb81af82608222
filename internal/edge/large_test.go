package edge

import (
	"io"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// What Content-Length says to be larger than 50 GB is not fetched where caching is enabled; a part of it is, and so is anything
// where caching is disabled (DG-rangegets).
func TestLargerThanCacheable(t *testing.T) {
	closed := 0
	answer := func(status int, length int64, fields ...string) func(*FetchRequest) (*message.Response, error) {
		return func(r *FetchRequest) (*message.Response, error) {
			res, err := withHeader(status, "", fields...)(r)
			res.Body, res.ContentLength = onClose{strings.NewReader("endless"), func() { closed++ }}, length
			return res, err
		}
	}
	for _, tt := range []struct {
		name   string
		caches bool
		length int64
		method string
		rng    string
		want   int
	}{
		{"too large", true, maxCacheable + 1, "GET", "", 502},
		{"just so", true, maxCacheable, "GET", "", 200},
		{"not cached", false, maxCacheable + 1, "GET", "", 200},
		{"a part", true, 7, "GET", "bytes=0-6", 206},
		{"too large a part", true, maxCacheable + 1, "GET", "bytes=0-", 502},
		{"POST", true, maxCacheable + 1, "POST", "", 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			closed = 0
			forward, ttl := zeroPolicy()
			if !tt.caches {
				ttl = TTLs{}
			}
			p := testPlan(forward, ttl)
			p.Behaviors[0].Allowed |= POST
			w, s := newWorld(p)
			status, fields := 200, []string{"Cache-Control", "max-age=60"}
			if tt.rng != "" {
				status, fields = 206, append(fields, "Content-Range", "bytes 0-6/99999999999")
			}
			w.origin = answer(status, tt.length, fields...)
			r := get("/large")
			r.Method = tt.method
			if tt.rng != "" {
				r.Header.Add("Range", tt.rng)
			}
			res := s.Serve(t.Context(), r)
			if res.Status != tt.want {
				t.Fatalf("status %d, want %d", res.Status, tt.want)
			}
			if tt.want == 502 && closed != 1 {
				t.Errorf("the origin's body was closed %d times", closed)
			}
			if res.Body != nil {
				res.Body.Close()
			}
			if w.Cache.Len() != 0 {
				t.Error("something is stored")
			}
		})
	}
}

type onClose struct {
	io.Reader
	run func()
}

func (c onClose) Close() error { c.run(); return nil }
