package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/foregate/foregate/internal/message"
)

// A fetch goes on while somebody waits for it: when its first viewer leaves before the head has come, or in the midst of the body.
// When all have left it ends, and nothing is stored.
func TestViewersWhoLeaveAFetch(t *testing.T) {
	for _, tt := range []struct {
		name           string
		early          bool // the first one leaves before the head
		others         int
		left, complete bool // all leave
	}{
		{"first of three", false, 2, false, true},
		{"first of two, before the head", true, 1, false, true},
		{"the only one", false, 0, true, false},
		{"all of three", false, 2, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, s := newWorld(testPlan(zeroPolicy()))
				from, to := io.Pipe()
				closed := errors.New("closed")
				answer := make(chan struct{})
				w.origin = func(r *FetchRequest) (*message.Response, error) {
					<-answer
					res, err := withHeader(200, "", "Cache-Control", "max-age=60")(r)
					res.Body, res.ContentLength = onClose{from, func() { from.CloseWithError(closed) }}, 10
					return res, err
				}
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				answers := make(chan *message.Response, 1+tt.others)
				go func() { answers <- s.Serve(ctx, get("/a")) }()
				synctest.Wait()
				for range tt.others {
					go func() { answers <- s.Serve(t.Context(), get("/a")) }()
				}
				synctest.Wait()
				if tt.early {
					leave()
				}
				close(answer)
				var viewers []*message.Response
				for range 1 + tt.others {
					viewers = append(viewers, <-answers)
				}
				go func() { _, _ = to.Write([]byte("01")) }()
				_, _ = io.ReadFull(viewers[0].Body, make([]byte, 2))
				viewers[0].Body.Close() // the first one is gone
				if tt.left {
					for _, v := range viewers[1:] {
						v.Body.Close()
					}
					if _, err := to.Write([]byte("2")); !errors.Is(err, closed) {
						t.Errorf("the origin's body is still open: %v", err)
					}
				} else {
					go func() {
						_, _ = to.Write([]byte("23456789"))
						to.Close()
					}()
					for _, v := range viewers[1:] {
						if b, err := io.ReadAll(v.Body); err != nil || string(b) != "0123456789" {
							t.Errorf("%q, %v", b, err)
						}
						v.Body.Close()
					}
				}
				if n := len(w.fetched); n != 1 {
					t.Errorf("%d fetches", n)
				}
				if stored := w.Cache.Len() == 1; stored != tt.complete {
					t.Errorf("stored: %v", stored)
				}
				w.origin = withHeader(200, "again")
				if r := ask(s, get("/a")); (r.xcache() == "Hit") != tt.complete {
					t.Errorf("then %s %q", r.xcache(), r.body)
				}
			})
		})
	}
}

// However many names and lines a Vary has, what is kept of it is what the behavior forwards, and there is one object.
func TestHugeVary(t *testing.T) {
	p := testPlan(CombinePolicies(&CachePolicy{MaxTTL: 60, Headers: Selection{Whitelist, []string{"Origin", "X-Tenant"}}}, nil))
	w, s := newWorld(p)
	var names []string
	for i := range 1000 {
		names = append(names, fmt.Sprintf("X-%d", i))
	}
	huge := strings.Join(append(names, "x-tenant", "Accept-Encoding", "", " "), " ,,")
	w.origin = withHeader(200, "x", "Cache-Control", "max-age=60", "Vary", huge, "Vary", "Origin, Accept-Language", "Vary", strings.Join(names, ","))
	for i, want := range []string{"Miss", "Hit", "Hit"} {
		r := ask(s, get("/a", "X-7", fmt.Sprint(i), "Accept-Language", fmt.Sprint(i)))
		if got := strings.Join(r.Header.Values("Vary"), "|"); r.xcache() != want || got != "x-tenant, Accept-Encoding|Origin" {
			t.Errorf("%s, Vary %q", r.xcache(), got)
		}
	}
	if ask(s, get("/a", "X-Tenant", "b")); w.Cache.Len() != 2 {
		t.Errorf("%d objects", w.Cache.Len())
	}
}

// Origins that lie about the length, cut off, or never end: what came is passed on, and nothing incomplete is stored.
func TestOriginsThatLie(t *testing.T) {
	cut := errors.New("connection reset")
	for name, tt := range map[string]struct {
		body   io.Reader
		length int64
		whole  bool
	}{
		"as announced":           {strings.NewReader("0123456789"), 10, true},
		"shorter than announced": {strings.NewReader("01234"), 10, false},
		"longer than announced":  {strings.NewReader("0123456789abc"), 10, false},
		"cut off, of a length":   {io.MultiReader(strings.NewReader("0123"), failing{cut}), 10, false},
		"cut off, in chunks":     {io.MultiReader(strings.NewReader("0123"), failing{cut}), -1, false},
		"cut off at the start":   {failing{cut}, -1, false},
		"to the end":             {strings.NewReader("0123456789"), -1, true},
		"empty":                  {strings.NewReader(""), -1, true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, fields := range [][]string{{"Cache-Control", "max-age=60", "ETag", `"1"`}, {"Cache-Control", "max-age=60", "Content-Type", "text/html"}} {
				w, s := newWorld(testPlan(zeroPolicy()))
				text, err := io.ReadAll(tt.body)
				w.origin = func(r *FetchRequest) (*message.Response, error) {
					res := withHeaderOf(200, "", fields)
					var body io.Reader = strings.NewReader(string(text))
					if err != nil {
						body = io.MultiReader(body, failing{err})
					}
					res.Body, res.ContentLength = io.NopCloser(body), tt.length
					return res, nil
				}
				r := ask(s, get("/a"))
				if tt.whole != (r.err == nil) || r.body != string(text)[:min(len(text), len(r.body))] {
					t.Errorf("%q, %v", r.body, r.err)
				}
				if stored := w.Cache.Len() == 1; stored != tt.whole {
					t.Errorf("stored: %v", stored)
				}
				tt.body = strings.NewReader(string(text))
				if err != nil {
					tt.body = io.MultiReader(tt.body, failing{err})
				}
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// An answer without a body has no length to leave out.
func TestNoContentFromTheCache(t *testing.T) {
	w, s := newWorld(testPlan(zeroPolicy()))
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		res, err := withHeader(204, "", "Cache-Control", "max-age=60")(r)
		res.Body, res.ContentLength = nil, -1
		return res, err
	}
	for _, want := range []string{"Miss", "Hit"} {
		if r := ask(s, get("/a")); r.xcache() != want || r.ContentLength > 0 || want == "Hit" && r.ContentLength != 0 || r.Body != nil {
			t.Errorf("%s: length %d", r.xcache(), r.ContentLength)
		}
	}
}
