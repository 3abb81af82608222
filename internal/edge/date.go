package edge

import (
	"net/http"
	"strings"
	"time"
)

// httpDate formats a time as HTTP does (rfc9110 5.6.7).
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// dateForms are the three forms of a date that a recipient must accept (rfc9110 5.6.7): IMF-fixdate, RFC 850 and asctime.
var dateForms = [...]string{http.TimeFormat, "Monday, 02-Jan-06 15:04:05 GMT", time.ANSIC}

// parseDate reads a date in one of the three forms and nothing else: time.Parse alone would let pass a missing digit or a
// second space, and a date that another cache takes for invalid must not keep an object fresh here (rfc9111 5.3). Names of
// days, months and GMT are taken in any case.
func parseDate(s string) (time.Time, bool) {
	if n := len(s) - len("GMT"); n > 0 && strings.EqualFold(s[n:], "GMT") && s[n:] != "GMT" {
		s = s[:n] + "GMT"
	}
	for i, form := range dateForms {
		if i != 1 && len(s) != len(form) {
			continue
		}
		t, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		if !sameDate(t.Format(form), s) {
			continue
		}
		return t, true
	}
	return time.Time{}, false
}

func sameDate(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}
