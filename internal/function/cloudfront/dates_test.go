package cloudfront

import (
	"os"
	"testing"
	"time"
)

// TestMain runs the tests of this package on a machine that is not in UTC, and whose clocks change.
func TestMain(m *testing.M) {
	if zone, err := time.LoadLocation("America/New_York"); err == nil {
		time.Local = zone
	} else {
		time.Local = time.FixedZone("EST", -5*3600)
	}
	os.Exit(m.Run())
}

func TestDatesAreInUTC(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{`new Date(2026, 0, 2).toISOString()`, "2026-01-02T00:00:00.000Z"},
		{`new Date(2026, 2, 8, 2, 30, 1, 5).getTime()`, "1772937001005"}, // there is no such time in New York
		{`new Date(99, 0).getUTCFullYear()`, "1999"},
		{`new Date('2026-03-08T02:30:00').toISOString()`, "2026-03-08T02:30:00.000Z"},
		{`new Date('2026-03-08T02:30:00.5').toISOString()`, "2026-03-08T02:30:00.500Z"},
		{`new Date('2026-03-08T02:30:00+02:00').toISOString()`, "2026-03-08T00:30:00.000Z"},
		{`new Date('2026-03-08T02:30:00Z').toISOString()`, "2026-03-08T02:30:00.000Z"},
		{`new Date('2026-03-08').toISOString()`, "2026-03-08T00:00:00.000Z"},
		{`new Date('2026').toISOString()`, "2026-01-01T00:00:00.000Z"},
		{`new Date('Mon, 28 Sep 1970 06:00:00 GMT').toISOString()`, "1970-09-28T06:00:00.000Z"},
		{`new Date('Mon, 28 Sep 1970 12:00:00 +0600').toISOString()`, "1970-09-28T06:00:00.000Z"},
		{`new Date('Mon Sep 28 1970 12:00:00').toISOString()`, "1970-09-28T12:00:00.000Z"},
		{`new Date('Mon Sep 28 1970 12:00:00 GMT+0600').toISOString()`, "1970-09-28T06:00:00.000Z"},
		{`Date.parse('Mon Sep 28 1970 12:00:00')`, "23371200000"},
		{`Date.parse('tomorrow')`, "NaN"},
		{`new Date('tomorrow') + ''`, "Invalid Date"},
		{`new Date(NaN).getTime()`, "NaN"},
		{`Date.UTC(2026, 0)`, "1767225600000"},
		{`new Date(0) + '|' + new Date(0).toString()`, "Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)|Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)"},
		{`new Date(0).toDateString() + '|' + new Date(0).toTimeString()`, "Thu Jan 01 1970|00:00:00 GMT+0000 (UTC)"},
		{`Date()`, "Sat Aug 01 2026 12:00:00 GMT+0000 (UTC)"},
		{`typeof Date() + typeof new Date()`, "stringobject"},
		{`new Date(0).getHours() + ':' + new Date(0).getDay() + ':' + new Date().getTimezoneOffset()`, "0:4:0"},
		{`(function() { var d = new Date(0); d.setHours(5); return d.getTime() })()`, "18000000"},
		{`new Date(new Date(7)).getTime() + new Date(true).getTime()`, "8"},
		{`new Date() instanceof Date && Date.prototype.constructor === Date && new Date().constructor === Date`, "true"},
		{`Object.prototype.toString.call(new Date())`, "[object Date]"},
		{`Date.length + Date.name + typeof Date.now()`, "7Datenumber"},
		{`JSON.stringify(new Date(0))`, `"1970-01-01T00:00:00.000Z"`},
		{`new globalThis['Da' + 'te'](2026, 0).getTime()`, "1767225600000"},
		{`new (Date.bind(null, 2026, 0))().getTime()`, "1767225600000"},
	} {
		for _, runtime := range []string{Runtime1, Runtime2} {
			if got := run(t, runtime, "return text("+c.expression+")"); got != c.want {
				t.Errorf("%s: %s: %s, want %s", runtime, c.expression, got, c.want)
			}
		}
	}
}
