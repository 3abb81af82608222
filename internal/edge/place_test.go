package edge

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/message"
	"github.com/foregate/foregate/internal/trace"
)

func placed(t *testing.T, p *Plan, networks ...string) (*world, *Service) {
	t.Helper()
	w, s := newWorld(p)
	var err error
	if w.Places, err = geo.Open(networks, nil); err != nil {
		t.Fatal(err)
	}
	return w, s
}

func TestGeoRestriction(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "")
	page := "<H1>403 ERROR</H1>\n<H2>The request could not be satisfied.</H2>\n<HR noshade size=\"1px\">\nThe Amazon CloudFront distribution is configured to block access from your country.\n"
	for _, test := range []struct {
		name, place string
		allow       bool
		countries   []string
		status      int
	}{
		{"on the whitelist", "192.0.2.2=DE", true, []string{"FR", "DE"}, 200},
		{"not on the whitelist", "192.0.2.2=US", true, []string{"FR", "DE"}, 403},
		{"on the blacklist", "192.0.2.2=US", false, []string{"US"}, 403},
		{"not on the blacklist", "192.0.2.2=DE", false, []string{"US"}, 200},
		{"unknown, with a whitelist", "203.0.113.1=US", true, []string{"DE"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := testPlan(f, ttl)
			p.Geo = &GeoRestriction{Allow: test.allow, Countries: test.countries, SourcePath: "geo"}
			_, s := placed(t, p, test.place)
			r := get("/x")
			r.Trace = &trace.Trace{}
			got := ask(s, r)
			if got.Status != test.status || (test.status == 403) != strings.Contains(got.body, page) {
				t.Fatalf("status %d\n%s", got.Status, got.body)
			}
			if test.status == 403 && (got.xcache() != "Error" || got.Header.Get("Content-Type") != "text/html") {
				t.Errorf("header %v", got.Header)
			}
			unknown := slices.ContainsFunc(r.Trace.Hops()[0].Facts, func(f trace.Fact) bool { return f.Kind == trace.PlaceUnknown && f.Path == "geo" })
			if unknown != strings.HasPrefix(test.name, "unknown") {
				t.Errorf("facts %v", r.Trace.Hops()[0].Facts)
			}
		})
	}
}

// A custom error response may replace the page (georestrictions).
func TestGeoRestrictionWithErrorPage(t *testing.T) {
	f, ttl := managed(t, "Managed-CachingDisabled", "")
	p := testPlan(f, ttl)
	p.Geo = &GeoRestriction{Countries: []string{"US"}}
	p.ErrorResponses = []ErrorResponse{{Status: 403, PagePath: "/sorry.html", ResponseCode: 404}}
	w, s := placed(t, p, "192.0.2.2=US")
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		return message.Text(200, "text/plain", r.Request.Path), nil
	}
	if got := ask(s, get("/x")); got.Status != 404 || got.body != "/sorry.html" {
		t.Errorf("status %d, %q", got.Status, got.body)
	}
}

// The country may be in the cache key: each has an object of its own.
func TestCountryInKey(t *testing.T) {
	f, ttl := CombinePolicies(&CachePolicy{MinTTL: 60, DefaultTTL: 60, MaxTTL: 60, Headers: Selection{Whitelist, []string{"cloudfront-viewer-country"}}}, nil)
	w, s := placed(t, testPlan(f, ttl), "192.0.2.2=DE", "192.0.2.3=FR")
	w.origin = func(r *FetchRequest) (*message.Response, error) {
		return message.Text(200, "text/plain", r.Request.Header.Get("CloudFront-Viewer-Country")), nil
	}
	from := func(address string) string {
		r := get("/x", "CloudFront-Viewer-Country", "XX")
		r.Client = netip.MustParseAddrPort(address)
		got := ask(s, r)
		return got.body + " " + got.xcache()
	}
	for _, c := range [][2]string{{"192.0.2.2:1", "DE Miss"}, {"192.0.2.3:1", "FR Miss"}, {"192.0.2.2:2", "DE Hit"}, {"192.0.2.4:1", " Miss"}} {
		if got := from(c[0]); got != c[1] {
			t.Errorf("%s: %q, want %q", c[0], got, c[1])
		}
	}
}
