package cloudfront

import (
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dop251/goja"
)

// utc makes the local time of dates UTC, whatever the machine's zone is: AWS's functions run in UTC. goja takes local time from
// the process, so what depends on it is replaced where the machine is elsewhere.
func (s *source) utc(everything bool, add func(func(*realm))) {
	if (s.mentions.names["Date"] || everything) && !localIsUTC() {
		add((*realm).utcDates)
	}
}

func localIsUTC() bool {
	for _, t := range []time.Time{time.Unix(0, 0), time.Unix(1<<30, 0), time.Now().AddDate(0, 6, 0)} {
		if name, offset := t.In(time.Local).Zone(); name != "UTC" || offset != 0 {
			return false
		}
	}
	return true
}

// utcDate is the constructor. D is goja's; fix makes a number of a text.
var utcDate = sync.OnceValue(func() *goja.Program {
	return goja.MustCompile("", `(function(D, UTC, fix) { "use strict"; return function Date(year, month, day, hours, minutes, seconds, ms) {
	if (new.target === undefined) return new D().toString();
	if (arguments.length < 2) return arguments.length ? new D(fix(year)) : new D();
	return new D(UTC(...arguments));
}})`, true)
})

func (r *realm) utcDates() {
	original, proto := r.object("Date"), r.object("Date.prototype")
	for _, unit := range []string{"Date", "Day", "FullYear", "Hours", "Milliseconds", "Minutes", "Month", "Seconds"} {
		for _, verb := range []string{"get", "set"} {
			if f := proto.Get(verb + "UTC" + unit); f != nil {
				r.put(proto, verb+unit, f)
			}
		}
	}
	r.define(proto, "getTimezoneOffset", func(goja.FunctionCall) goja.Value { return r.rt.ToValue(0) })
	valueOf, _ := goja.AssertFunction(proto.Get("getTime"))
	for name, form := range map[string]string{
		"toString": "Mon Jan 02 2006 15:04:05 GMT-0700 (MST)", "toDateString": "Mon Jan 02 2006", "toTimeString": "15:04:05 GMT-0700 (MST)",
		"toLocaleString": "Mon Jan 02 2006 15:04:05 GMT-0700 (MST)", "toLocaleDateString": "Mon Jan 02 2006", "toLocaleTimeString": "15:04:05 GMT-0700 (MST)", // njs has no locales
	} {
		r.define(proto, name, func(c goja.FunctionCall) goja.Value {
			ms, err := valueOf(c.This)
			if err != nil {
				panic(err)
			}
			if f, ok := plain(ms).(float64); ok && f != f {
				return r.rt.ToValue("Invalid Date")
			}
			return r.rt.ToValue(time.UnixMilli(ms.ToInteger()).UTC().Format(form))
		})
	}
	parse, _ := goja.AssertFunction(original.Get("parse"))
	fix := func(c goja.FunctionCall) goja.Value {
		if s, ok := c.Argument(0).(goja.String); ok {
			return r.parseDate(parse, s)
		}
		return c.Argument(0)
	}
	make, err := r.rt.RunProgram(utcDate())
	if err != nil {
		panic(err)
	}
	build, _ := goja.AssertFunction(make)
	v, err := build(goja.Undefined(), original, original.Get("UTC"), r.rt.ToValue(fix))
	if err != nil {
		panic(err)
	}
	date := v.(*goja.Object)
	r.put(date, "UTC", original.Get("UTC"))
	r.put(date, "now", original.Get("now"))
	r.define(date, "parse", func(c goja.FunctionCall) goja.Value { return r.parseDate(parse, text(c.Argument(0))) })
	_ = date.DefineDataProperty("prototype", proto, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	r.put(proto, "constructor", date)
	_ = r.rt.GlobalObject().Set("Date", date)
}

// A zone stands behind the time, if there is one.
var (
	isoDate  = regexp.MustCompile(`^[+-]?\d{4,6}-\d\d-\d\dT(.*)$`)
	withZone = regexp.MustCompile(`(?i)[+-]\d|\b(?:GMT|UTC?|[ECMP][SD]T)\b|Z$`)
)

// parseDate reads a date. One that goja would take as local, for it has no zone, is read with one.
func (r *realm) parseDate(parse goja.Callable, s goja.String) goja.Value {
	t := strings.TrimSpace(s.String())
	with := " GMT"
	rest := t[strings.IndexByte(t, ':')+1:]
	if m := isoDate.FindStringSubmatch(t); m != nil {
		with, rest = "Z", m[1]
	}
	if withZone.MatchString(rest) {
		with = ""
	}
	v, err := parse(goja.Undefined(), r.rt.ToValue(t+with))
	if f, ok := plain(v).(float64); err == nil && ok && f != f {
		v, err = parse(goja.Undefined(), s) // a date alone is in UTC
	}
	if err != nil {
		panic(err)
	}
	return v
}
