package edge

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// deployed is a primary distribution with a staging one, which asks another origin path.
func deployed(t *testing.T, d *Deployment) (*world, *Service) {
	t.Helper()
	f, ttl := managed(t, "Managed-CachingOptimized", "Managed-AllViewer")
	primary, staging := testPlan(f, ttl), testPlan(f, ttl)
	staging.ID, staging.DomainName, staging.Aliases, staging.Staging = "E2STAGING", "d222222abcdef8.cloudfront.net", nil, true
	staging.Origins[0].Path = "/next"
	d.Staging = staging
	primary.Deployment = d
	w, _ := newWorld(primary)
	s := NewService(Options{Plans: []*Plan{primary, staging}, Effects: w})
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		return message.Text(200, "text/plain", r.Request.Path+" "+r.Request.Header.Get("Cookie"), message.Field{Name: "Cache-Control", Value: "max-age=60"}), nil
	}
	return w, s
}

func TestDeploymentByHeader(t *testing.T) {
	_, s := deployed(t, &Deployment{PolicyID: "p", Header: "aws-cf-cd-test", Value: "yes"})
	for _, c := range []struct{ fields, want, xcache string }{
		{"", "/x ", "Miss"}, {"AWS-CF-CD-Test=yes", "/next/x ", "Miss"}, {"aws-cf-cd-test=Yes", "/x ", "Hit"}, {"aws-cf-cd-test=yes", "/next/x ", "Hit"}, {"", "/x ", "Hit"},
	} {
		r := get("/x")
		if name, value, ok := strings.Cut(c.fields, "="); ok {
			r.Header.Add(name, value)
		}
		got := ask(s, r)
		if got.body != c.want || got.xcache() != c.xcache || got.Header.Has("Set-Cookie") {
			t.Errorf("%q: %q %s, want %q %s", c.fields, got.body, got.xcache(), c.want, c.xcache)
		}
	}
	// A staging distribution has no name of its own.
	r := get("/x")
	r.Host = "d222222abcdef8.cloudfront.net"
	if got := ask(s, r); got.Status != 403 {
		t.Errorf("staging by its own name: %d", got.Status)
	}
}

// hashedIDs gives requests ids that look random and are the same in each run.
type hashedIDs struct {
	*world
	n uint64
}

func (h *hashedIDs) RequestID(id *[IDLength]byte) {
	h.n++
	sum := sha512.Sum512(binary.BigEndian.AppendUint64(nil, h.n))
	base64.URLEncoding.Encode(id[:], sum[:40])
}

func TestDeploymentByWeight(t *testing.T) {
	for _, c := range []struct {
		weight float64
		lo, hi int
	}{{0, 0, 0}, {0.15, 90, 210}, {1, 1000, 1000}} { // 1 is beyond what AWS allows, and tells whether all would go
		d := &Deployment{Weight: c.weight}
		w, _ := deployed(t, d)
		primary, _ := managed(t, "Managed-CachingOptimized", "")
		p := testPlan(primary, TTLs{})
		p.Deployment = d
		s := NewService(Options{Plans: []*Plan{p, d.Staging}, Effects: &hashedIDs{world: w}})
		n := 0
		for range 1000 {
			if strings.HasPrefix(ask(s, get("/x")).body, "/next/") {
				n++
			}
		}
		if n < c.lo || n > c.hi {
			t.Errorf("weight %v: %d of 1000", c.weight, n)
		}
	}
	d := &Deployment{Weight: 1}
	_, s := deployed(t, d)
	d.Staging.Enabled = false
	if got := ask(s, get("/x")); got.body != "/x " {
		t.Errorf("a disabled staging distribution: %q", got.body)
	}
}

func TestDeploymentSessions(t *testing.T) {
	d := &Deployment{Weight: 1, Idle: 5 * time.Minute, Longest: 10 * time.Minute, Epoch: "1"}
	w, s := deployed(t, d)
	ask2 := func(cookie string) (body, next string) {
		t.Helper()
		r := get("/x")
		if cookie != "" {
			r.Header.Add("Cookie", "a=1; "+cookie)
		}
		got := ask(s, r)
		next, rest, _ := strings.Cut(got.Header.Get("Set-Cookie"), ";")
		if rest != " Path=/; Max-Age=300; HttpOnly" {
			t.Errorf("Set-Cookie %q", got.Header.Get("Set-Cookie"))
		}
		return got.body, next
	}
	body, cookie := ask2("")
	if body != "/next/x " {
		t.Fatalf("%q", body)
	}
	d.Weight = 0 // new sessions are the primary's from now on
	for range 2 {
		w.now = w.now.Add(4 * time.Minute)
		if body, cookie = ask2(cookie); !strings.HasPrefix(body, "/next/x") || strings.Contains(body, sessionCookie) {
			t.Errorf("within the session: %q", body)
		}
	}
	fresh := cookie
	w.now = w.now.Add(3 * time.Minute) // longer than the longest session
	if body, _ = ask2(cookie); !strings.HasPrefix(body, "/x") {
		t.Errorf("after the longest session: %q", body)
	}
	w.now = w.now.Add(-3 * time.Minute)
	d.Epoch = "2"
	if body, _ = ask2(fresh); !strings.HasPrefix(body, "/x") {
		t.Errorf("after all sessions were ended: %q", body)
	}
	d.Epoch = "1"
	w.now = w.now.Add(6 * time.Minute)
	if body, _ = ask2(fresh); !strings.HasPrefix(body, "/x") {
		t.Errorf("after an idle time: %q", body)
	}
}

func FuzzSession(f *testing.F) {
	f.Add("s-1-2-3")
	f.Fuzz(func(t *testing.T, text string) {
		if s, ok := parseSession(text); ok {
			again, ok := parseSession(s.String())
			if !ok || again != s {
				t.Errorf("%q is %+v, and again %+v", text, s, again)
			}
		}
	})
}
