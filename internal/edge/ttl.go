package edge

import (
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// control is what an origin says about caching. Durations are -1 when absent.
type control struct {
	maxAge, sMaxAge, expires           time.Duration
	staleWhileRevalidate, staleIfError time.Duration
	// age is how old the answer already was when it came (rfc9111 5.1).
	age                       time.Duration
	noStore, private, noCache bool
	// shared is true when the origin lets a shared cache keep what an Authorization fetched (rfc9111 3.5).
	shared bool
	// noCacheSetCookie is no-cache="Set-Cookie": store the object without its cookies (facts: cloudfront-policies 7).
	noCacheSetCookie bool
	// varyAll is a Vary that has "*" among its members.
	varyAll bool
}

// readControl reads Cache-Control, Expires, Date, Age and Vary. Of a field or directive that comes twice the first one counts
// (rfc9111 4.2.1, 5.1); a lifetime that cannot be read is zero (rfc9111 4.2.1), any other such directive is left out.
func readControl(h message.Header, now time.Time) control {
	c := control{maxAge: -1, sMaxAge: -1, expires: -1, staleWhileRevalidate: -1, staleIfError: -1, age: -1}
	expires, date := -1, -1
	for i := range h {
		switch name := h[i].Name; len(name) {
		case 3:
			if c.age < 0 && strings.EqualFold(name, "Age") {
				c.age = parseAge(h[i].Value)
			}
		case 4:
			switch {
			case strings.EqualFold(name, "Vary"):
				c.varyAll = c.varyAll || listsStar(h[i].Value)
			case date < 0 && strings.EqualFold(name, "Date"):
				date = i
			}
		case 7:
			if expires < 0 && strings.EqualFold(name, "Expires") {
				expires = i
			}
		case 13:
			if strings.EqualFold(name, "Cache-Control") {
				c.read(h[i].Value)
			}
		}
	}
	c.age = max(c.age, 0)
	if expires >= 0 {
		c.expires = 0 // a date that cannot be read is in the past (rfc9111 5.3)
		if t, ok := parseDate(h[expires].Value); ok {
			c.expires = max(t.Sub(dateOf(h, date, now)), 0)
		}
	}
	return c
}

// dateOf is the origin's clock: its Date, or now when it has none that can be read (rfc9111 4.2.1).
func dateOf(h message.Header, i int, now time.Time) time.Time {
	if i >= 0 {
		if t, ok := parseDate(h[i].Value); ok {
			return t
		}
	}
	return now
}

// parseAge reads an Age: the first member counts, and what is no number is left out of account (rfc9111 5.1).
func parseAge(value string) time.Duration {
	value, _, _ = strings.Cut(value, ",")
	if n, ok := parseSeconds(strings.Trim(value, " \t")); ok {
		return n
	}
	return 0
}

// listsStar tells whether "*" is among the members of a Vary (rfc9110 12.5.5).
func listsStar(value string) bool {
	for value != "" {
		var item string
		item, value, _ = strings.Cut(value, ",")
		if strings.Trim(item, " \t") == "*" {
			return true
		}
	}
	return false
}

func (c *control) read(value string) {
	for value != "" {
		var item string
		item, value = cutDirective(value)
		name, arg, _ := strings.Cut(item, "=")
		name = strings.Trim(name, " \t")
		arg = strings.Trim(arg, " \t")
		if len(arg) >= 2 && arg[0] == '"' && arg[len(arg)-1] == '"' {
			arg = arg[1 : len(arg)-1]
		}
		c.directive(name, arg)
	}
}

func (c *control) directive(name, arg string) {
	switch {
	case strings.EqualFold(name, "no-store"):
		c.noStore = true
	case strings.EqualFold(name, "private"):
		c.private = true
	case strings.EqualFold(name, "public"), strings.EqualFold(name, "must-revalidate"):
		c.shared = true
	case strings.EqualFold(name, "no-cache"):
		if arg == "" {
			c.noCache = true
		} else if namesSetCookie(arg) {
			c.noCacheSetCookie = true
		}
	case strings.EqualFold(name, "max-age"):
		setLifetime(&c.maxAge, arg)
	case strings.EqualFold(name, "s-maxage"):
		c.shared = true
		setLifetime(&c.sMaxAge, arg)
	case strings.EqualFold(name, "stale-while-revalidate"):
		setSeconds(&c.staleWhileRevalidate, arg)
	case strings.EqualFold(name, "stale-if-error"):
		setSeconds(&c.staleIfError, arg)
	}
}

func namesSetCookie(fields string) bool {
	for fields != "" {
		var name string
		name, fields, _ = strings.Cut(fields, ",")
		if strings.EqualFold(strings.Trim(name, " \t"), "Set-Cookie") {
			return true
		}
	}
	return false
}

// cutDirective splits at the first comma outside quotes.
func cutDirective(s string) (item, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			quoted = !quoted
		case '\\':
			if quoted {
				i++
			}
		case ',':
			if !quoted {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// setLifetime takes the first max-age or s-maxage; one that cannot be read makes the answer stale (rfc9111 4.2.1).
func setLifetime(d *time.Duration, s string) {
	if *d < 0 {
		*d, _ = parseSeconds(s)
	}
}

func setSeconds(d *time.Duration, s string) {
	if n, ok := parseSeconds(s); ok && *d < 0 {
		*d = n
	}
}

// parseSeconds reads delta-seconds; a number that is too large counts as the most that there is (rfc9111 1.2.2).
func parseSeconds(s string) (time.Duration, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		if n < 1<<40 {
			n = n*10 + int64(s[i]-'0')
		}
	}
	return seconds(n), true
}

// named tells whether the origin gives a lifetime.
func (c *control) named() bool { return c.sMaxAge >= 0 || c.maxAge >= 0 || c.expires >= 0 }

// own returns what is left of the lifetime that the origin names: s-maxage, max-age, Expires, in this order (facts:
// cloudfront-policies 7), less the age at which the answer came (rfc9111 4.2); 0 for none.
func (c *control) own() time.Duration {
	d := c.expires
	switch {
	case c.sMaxAge >= 0:
		d = c.sMaxAge
	case c.maxAge >= 0:
		d = c.maxAge
	}
	return max(d-c.age, 0)
}

// freshness is the table of policies 7 for answers that are no errors. store is false for what must not be kept; a
// lifetime of zero may be kept to be confirmed each time, when it has a validator.
func (c *control) freshness(t TTLs) (lifetime time.Duration, store bool) {
	switch {
	case t.Min > 0 && (c.noStore || c.private || c.noCache):
		return t.Min, true
	case c.noStore || c.private:
		return 0, false
	case t.Min == 0 && (c.noCache || c.varyAll):
		// With a minimum TTL, Vary: * is a value of Vary like any other (facts: cloudfront-dataplane 6).
		return 0, true
	case !c.named():
		return max(t.Min, t.Default), true
	}
	return min(max(c.own(), t.Min), max(t.Max, t.Min)), true
}

// errorFreshness is how long an error is kept; 0 is not at all. minTTL is the error caching minimum TTL. Which statuses are
// kept: facts cloudfront-dataplane 7; that 404, 410, 414 and 501 heed no-store, no-cache and private while the others
// do not, and that Expires counts: DG26-custom-error-pages-expiration. That page has 410, which the list of cached statuses
// does not: it is kept for the origin's own lifetime, without a minimum.
func (c *control) errorFreshness(status int, minTTL time.Duration, t TTLs) time.Duration {
	switch status {
	case 404, 410, 414, 501:
		if c.noStore || c.private || c.noCache {
			return 0
		}
	case 500, 502, 503, 504:
		if c.noStore || c.private || c.noCache {
			return minTTL
		}
	case 400, 403, 405, 412, 415:
		if c.sMaxAge < 0 && c.maxAge < 0 {
			return 0
		}
		if c.noStore || c.private || c.noCache {
			return minTTL
		}
	default:
		return 0
	}
	if status == 410 {
		minTTL = 0
	}
	if !c.named() {
		return minTTL
	}
	return max(minTTL, min(c.own(), t.Max))
}
