package edge

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// httpDate formats a time as HTTP does (rfc9110 5.6.7).
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// control is what an origin says about caching. Durations are -1 when absent.
type control struct {
	maxAge, sMaxAge, expires           time.Duration
	staleWhileRevalidate, staleIfError time.Duration
	noStore, private, noCache          bool
	// noCacheSetCookie is no-cache="Set-Cookie": store the object without its cookies (facts: cloudfront-policies 7).
	noCacheSetCookie bool
	varyAll          bool
}

// readControl reads Cache-Control, Expires and Vary. Directives that cannot be read are left out (rfc9111 5.2).
func readControl(h message.Header, now time.Time) control {
	c := control{maxAge: -1, sMaxAge: -1, expires: -1, staleWhileRevalidate: -1, staleIfError: -1}
	for i := range h {
		switch {
		case strings.EqualFold(h[i].Name, "Cache-Control"):
			c.read(h[i].Value)
		case strings.EqualFold(h[i].Name, "Vary"):
			c.varyAll = c.varyAll || strings.TrimSpace(h[i].Value) == "*"
		case strings.EqualFold(h[i].Name, "Expires"):
			c.expires = 0 // a date that cannot be read is in the past (rfc9111 5.3)
			if t, err := http.ParseTime(h[i].Value); err == nil {
				c.expires = max(t.Sub(now), 0)
			}
		}
	}
	return c
}

func (c *control) read(value string) {
	for value != "" {
		var item string
		item, value = cutDirective(value)
		name, arg, _ := strings.Cut(item, "=")
		name = strings.ToLower(strings.TrimSpace(name))
		arg = strings.Trim(strings.TrimSpace(arg), `"`)
		switch name {
		case "no-store":
			c.noStore = true
		case "private":
			c.private = true
		case "no-cache":
			if arg == "" {
				c.noCache = true
			} else if strings.EqualFold(arg, "Set-Cookie") {
				c.noCacheSetCookie = true
			}
		case "max-age":
			setSeconds(&c.maxAge, arg)
		case "s-maxage":
			setSeconds(&c.sMaxAge, arg)
		case "stale-while-revalidate":
			setSeconds(&c.staleWhileRevalidate, arg)
		case "stale-if-error":
			setSeconds(&c.staleIfError, arg)
		}
	}
}

// cutDirective splits at the first comma outside quotes.
func cutDirective(s string) (item, rest string) {
	quoted := false
	for i := range len(s) {
		switch s[i] {
		case '"':
			quoted = !quoted
		case ',':
			if !quoted {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

func setSeconds(d *time.Duration, s string) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return
	}
	*d = seconds(n)
}

// own returns the lifetime that the origin names: s-maxage, max-age, Expires, in this order; -1 for none (facts:
// cloudfront-policies 7).
func (c *control) own() time.Duration {
	switch {
	case c.sMaxAge >= 0:
		return c.sMaxAge
	case c.maxAge >= 0:
		return c.maxAge
	}
	return c.expires
}

// freshness is the table of policies 7 for answers that are no errors. store is false for what must not be kept; a
// lifetime of zero may be kept to be confirmed each time, when it has a validator.
func (c *control) freshness(t TTLs) (lifetime time.Duration, store bool) {
	if c.noStore || c.private || c.noCache || c.varyAll {
		if t.Min > 0 && !c.varyAll {
			return t.Min, true
		}
		return 0, t.Min == 0 && !c.noStore && !c.private && !c.varyAll
	}
	own := c.own()
	if own < 0 {
		return max(t.Min, t.Default), true
	}
	return min(max(own, t.Min), max(t.Max, t.Min)), true
}

// errorFreshness is how long an error is kept; 0 is not at all (facts: cloudfront-dataplane 7). minTTL is the error caching
// minimum TTL, and configured tells whether a custom error response sets it.
func (c *control) errorFreshness(status int, minTTL time.Duration, configured bool, t TTLs) time.Duration {
	own := c.sMaxAge
	if own < 0 {
		own = c.maxAge
	}
	switch status {
	case 404, 414, 500, 501, 502, 503, 504:
		if own < 0 {
			own = c.expires
		}
	case 400, 403, 405, 412, 415:
		if own < 0 && !configured {
			return 0
		}
	default:
		return 0
	}
	return max(minTTL, min(own, t.Max))
}
