package edge

import (
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

func TestParseDate(t *testing.T) {
	want := time.Date(1994, 11, 6, 8, 49, 37, 0, time.UTC)
	for s, ok := range map[string]bool{
		"Sun, 06 Nov 1994 08:49:37 GMT":   true,
		"sun, 06 nov 1994 08:49:37 gmt":   true,
		"Sunday, 06-Nov-94 08:49:37 GMT":  true,
		"Sun Nov  6 08:49:37 1994":        true,
		"Sun, 6 Nov 1994 08:49:37 GMT":    false,
		"Sun, 06 Nov 1994 8:49:37 GMT":    false,
		"Sun, 06 Nov 1994 08:49:37 UTC":   false,
		"Sun, 06 Nov 1994 08:49:37 +0000": false,
		"Sun,  06 Nov 1994 08:49:37 GMT":  false,
		"Sun 06 Nov 1994 08:49:37 GMT":    false,
		"Sun, 06-Nov-1994 08:49:37 GMT":   false,
		"Sun, 06 Nov 94 08:49:37 GMT":     false,
		"Mon, 06 Nov 1994 08:49:37 GMT":   false, // it was a Sunday
		"0":                               false,
		"":                                false,
	} {
		got, parsed := parseDate(s)
		if parsed != ok || ok && !got.Equal(want) {
			t.Errorf("%q: %v, %v", s, got, parsed)
		}
	}
}

// Whatever an origin sends, lifetimes keep within the policy, and what must not be kept is not.
func FuzzControl(f *testing.F) {
	f.Add("max-age=60, s-maxage=5", "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT", "5", "*")
	f.Add(`no-cache="a,b", private="\"x", max-age="7"`, "0", "", "-1", "a, *")
	f.Add("max-age=99999999999999999999, stale-if-error=1,,=,;", "", "", "99999999999", "")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, control, expires, date, age, vary string) {
		h := message.Header{{Name: "Cache-Control", Value: control}, {Name: "Expires", Value: expires}, {Name: "Date", Value: date},
			{Name: "Age", Value: age}, {Name: "Vary", Value: vary}}
		c := readControl(h, now)
		for _, ttl := range []TTLs{{0, 0, time.Hour}, {time.Minute, time.Minute, time.Hour}} {
			d, store := c.freshness(ttl)
			if d < 0 || d > ttl.Max || store && d < ttl.Min {
				t.Errorf("%v, %v under %v", d, store, ttl)
			}
			if ttl.Min == 0 && store && (c.noStore || c.private) {
				t.Error("stored")
			}
			for status := 400; status < 600; status++ {
				if e := c.errorFreshness(status, time.Minute, ttl); e < 0 || e > ttl.Max {
					t.Errorf("%d: %v", status, e)
				}
			}
		}
		if c.age < 0 || c.staleIfError < -1 || c.staleWhileRevalidate < -1 {
			t.Errorf("%+v", c)
		}
		if lower := strings.ToLower(control); !strings.ContainsAny(control, "\"=") && strings.Contains(","+strings.ReplaceAll(lower, " ", "")+",", ",no-store,") && !c.noStore {
			t.Errorf("no-store not seen in %q", control)
		}
	})
}

// Whatever a viewer asks for, the parts are within the body, ascend, and do not overlap.
func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-3", "bytes=-5", "bytes=5-", "bytes=0-1,3-4,-1", "bytes=9223372036854775807-", "bytes=-9223372036854775808", "bytes=,", "bytes=0-0,0-0"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, value string, size int64) {
		if size < 0 {
			size = -(size + 1)
		}
		spans, verdict := parseRange(value, size)
		if (verdict == rangePart) != (len(spans) > 0) || len(spans) > maxSpans {
			t.Errorf("%d spans, verdict %d", len(spans), verdict)
		}
		end := int64(-1)
		for _, s := range spans {
			if s.first <= end || s.last < s.first || s.last >= size {
				t.Errorf("%v of %d behind %d", s, size, end)
			}
			end = s.last
		}
	})
}
