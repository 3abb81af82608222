package edge

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// FuzzPersonal sends requests of several viewers, with and without Authorization, through policies of all kinds, to an origin that
// answers each with what it got. Nobody sees what another's Authorization has fetched, unless the origin has said that all may have
// it, whatever status, method, range, condition or custom error response it is.
func FuzzPersonal(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 5))
		p := testPlan(anyPolicy(rnd))
		b := p.Behaviors[0]
		b.Allowed |= OPTIONS
		if rnd.IntN(2) == 0 {
			b.Cached |= OPTIONS
		}
		pages := b
		pages.Pattern = compilePattern("/pages/*")
		pages.Forward, pages.TTL = anyPolicy(rnd)
		p.Behaviors = []Behavior{pages, b}
		for _, status := range []int{403, 404, 500, 503} {
			if rnd.IntN(3) == 0 {
				p.ErrorResponses = append(p.ErrorResponses, ErrorResponse{Status: status, PagePath: "/pages/error", ResponseCode: pick(rnd, 200, 404, 500), MinTTL: time.Minute})
			}
		}
		w, s := newWorld(p)
		open := map[string]bool{} // answers that the origin lets everybody have
		count := 0
		w.origin = func(r *FetchRequest) (*message.Response, error) {
			count++
			body := fmt.Sprintf("answer %d for %q", count, r.Request.Header.Get("Authorization"))
			control := pick(rnd, "max-age=60", "max-age=60, public", "s-maxage=60", "max-age=60, must-revalidate", "no-cache", "private", "no-store", "",
				"max-age=1, stale-if-error=600")
			if strings.Contains(control, "public") || strings.Contains(control, "s-maxage") || strings.Contains(control, "must-revalidate") {
				open[body] = true
			}
			res, err := withHeader(pick(rnd, 200, 200, 200, 204, 301, 400, 403, 404, 405, 410, 500, 503), body, "Cache-Control", control)(r)
			switch {
			case rnd.IntN(3) == 0:
				res.Header.Add("ETag", fmt.Sprintf(`"%d"`, count))
			case rnd.IntN(3) == 0:
				res.Header.Add("ETag", `"same"`)
			}
			if r.Request.Header.Has("If-None-Match") && rnd.IntN(2) == 0 {
				res.Status, res.Body, res.ContentLength = 304, nil, 0
				res.Header.Set("Cache-Control", "max-age=60") // or else it may open what is stored
			}
			if r.Request.Header.Has("Range") && res.Status == 200 {
				res.Status = 206
				res.Header.Add("Content-Range", fmt.Sprintf("bytes 0-%d/1000", len(body)-1))
			}
			if rnd.IntN(9) == 0 {
				return nil, &FetchError{Kind: FetchConnect}
			}
			return res, err
		}
		for range 60 {
			who := pick(rnd, "", "alice", "bob", "carol")
			r := get(pick(rnd, "/a", "/a", "/b", "/pages/error"))
			r.Method = pick(rnd, "GET", "GET", "GET", "HEAD", "OPTIONS")
			if who != "" {
				r.Header.Add("Authorization", who)
			}
			if rnd.IntN(4) == 0 {
				r.Header.Add("Range", "bytes=0-")
			}
			if rnd.IntN(4) == 0 {
				r.Header.Add("Cookie", pick(rnd, "s=1", "s=2"))
			}
			res := s.Serve(t.Context(), r)
			body, _ := io.ReadAll(orEmpty(res.Body))
			if res.Body != nil {
				res.Body.Close()
			}
			got := string(body)
			for _, other := range []string{"alice", "bob", "carol"} {
				if other != who && strings.Contains(got, `"`+other+`"`) && !open[got] {
					t.Fatalf("%q got %q with %d %s", who, got, res.Status, http.StatusText(res.Status))
				}
			}
			if rnd.IntN(3) == 0 {
				w.advance(time.Duration(rnd.IntN(90)) * time.Second)
			}
		}
	})
}

func pick[T any](rnd *rand.Rand, from ...T) T { return from[rnd.IntN(len(from))] }

// anyPolicy makes policies that forward Authorization, or do not, in each of the ways that there are.
func anyPolicy(rnd *rand.Rand) (*Forward, TTLs) {
	c := &CachePolicy{MinTTL: pick(rnd, int64(0), 0, 5), DefaultTTL: pick(rnd, int64(0), 60), MaxTTL: pick(rnd, int64(60), 3600), Gzip: rnd.IntN(2) == 0}
	c.DefaultTTL = max(c.DefaultTTL, c.MinTTL)
	if rnd.IntN(3) > 0 {
		names := []string{"Authorization", "Origin"}
		c.Headers = Selection{Whitelist, slices.Clone(names[rnd.IntN(2):])}
	}
	c.Cookies.Mode = pick(rnd, None, None, All)
	o := &OriginRequestPolicy{Headers: pick(rnd, Selection{Mode: None}, Selection{Mode: AllViewer}, Selection{AllExcept, []string{"Host"}},
		Selection{AllExcept, []string{"Authorization"}}, Selection{Whitelist, []string{"Referer"}})}
	if rnd.IntN(4) == 0 {
		o = nil
	}
	return CombinePolicies(c, o)
}
