package accesslog

import (
	"slices"
	"strconv"
	"time"
)

// value appends the value of a field, nothing for an empty one.
type value func(dst []byte, r *Record) []byte

// column is a field of a log.
type column struct {
	name string
	// of is nil for fields of which nothing is ever known here.
	of value
	// limit is how many bytes the field has at most, 0 for any number.
	limit int
	needs Needs
}

func text(of func(*Record) string) value {
	return func(dst []byte, r *Record) []byte { return append(dst, of(r)...) }
}

func integer(of func(*Record) int64) value {
	return func(dst []byte, r *Record) []byte { return strconv.AppendInt(dst, of(r), 10) }
}

func appendSeconds(dst []byte, d time.Duration) []byte { return appendMillis(dst, d.Milliseconds()) }

// appendMillis writes milliseconds as seconds with three decimals.
func appendMillis(dst []byte, ms int64) []byte {
	ms = max(ms, 0)
	dst = strconv.AppendInt(dst, ms/1000, 10)
	return append(dst, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}

func seconds(of func(*Record) time.Duration) value {
	return func(dst []byte, r *Record) []byte { return appendSeconds(dst, of(r)) }
}

// latency is seconds where an origin was asked.
func latency(of func(*Record) time.Duration) value {
	return func(dst []byte, r *Record) []byte {
		if r.Origin == "" {
			return dst
		}
		return appendSeconds(dst, of(r))
	}
}

func appendIP(dst []byte, r *Record) []byte {
	if !r.Client.IsValid() {
		return dst
	}
	return r.Client.Addr().Unmap().AppendTo(dst)
}

func appendPort(dst []byte, r *Record) []byte {
	if !r.Client.IsValid() {
		return dst
	}
	return strconv.AppendUint(dst, uint64(r.Client.Port()), 10)
}

// appendStatus writes 000 for a viewer that left before there was a status (standard-logs-reference, sc-status).
func appendStatus(dst []byte, r *Record) []byte {
	if r.Status == 0 {
		return append(dst, "000"...)
	}
	return strconv.AppendInt(dst, int64(r.Status), 10)
}

func appendLength(dst []byte, r *Record) []byte {
	if r.ContentLength < 0 {
		return dst
	}
	return strconv.AppendInt(dst, r.ContentLength, 10)
}

// columns are the fields of standard logs: first the 33 of every legacy log, in order, then those that version 2 has besides
// (standard-logs-reference; standard-logging "Access log fields"; monitoring-staging-distribution).
func columns() []column {
	return []column{
		{name: "date", of: func(dst []byte, r *Record) []byte { return r.Ended.UTC().AppendFormat(dst, time.DateOnly) }},
		{name: "time", of: func(dst []byte, r *Record) []byte { return r.Ended.UTC().AppendFormat(dst, time.TimeOnly) }},
		{name: "x-edge-location", of: text(func(r *Record) string { return r.Location })},
		{name: "sc-bytes", of: integer(func(r *Record) int64 { return r.Sent })},
		{name: "c-ip", of: appendIP},
		{name: "cs-method", of: text(func(r *Record) string { return r.Method })},
		{name: "cs(Host)", of: text(func(r *Record) string { return r.Domain })},
		{name: "cs-uri-stem", of: text(func(r *Record) string { return r.Path })},
		{name: "sc-status", of: appendStatus},
		{name: "cs(Referer)", of: text(func(r *Record) string { return r.Referer })},
		{name: "cs(User-Agent)", of: text(func(r *Record) string { return r.UserAgent })},
		{name: "cs-uri-query", of: text(func(r *Record) string { return r.Query })},
		{name: cookieColumn, of: text(func(r *Record) string { return r.Cookie })},
		{name: "x-edge-result-type", of: text(func(r *Record) string { return r.Result })},
		{name: "x-edge-request-id", of: func(dst []byte, r *Record) []byte { return append(dst, r.RequestID[:]...) }},
		{name: "x-host-header", of: text(func(r *Record) string { return r.Host })},
		{name: "cs-protocol", of: text(func(r *Record) string { return r.Protocol })},
		{name: "cs-bytes", of: integer(func(r *Record) int64 { return r.Received })},
		{name: "time-taken", of: seconds(func(r *Record) time.Duration { return r.Taken })},
		{name: "x-forwarded-for", of: text(func(r *Record) string { return r.ForwardedFor })},
		{name: "ssl-protocol", of: text(func(r *Record) string { return r.TLSProtocol })},
		{name: "ssl-cipher", of: text(func(r *Record) string { return r.TLSCipher })},
		{name: "x-edge-response-result-type", of: text(func(r *Record) string { return r.ResponseResult })},
		{name: "cs-protocol-version", of: text(func(r *Record) string { return r.Version })},
		{name: "fle-status"},
		{name: "fle-encrypted-fields"},
		{name: "c-port", of: appendPort},
		{name: "time-to-first-byte", of: seconds(func(r *Record) time.Duration { return r.FirstByte })},
		{name: "x-edge-detailed-result-type", of: text(func(r *Record) string { return r.Detailed })},
		{name: "sc-content-type", of: text(func(r *Record) string { return r.ContentType })},
		{name: "sc-content-len", of: appendLength},
		{name: "sc-range-start", of: text(func(r *Record) string { return r.RangeStart })},
		{name: "sc-range-end", of: text(func(r *Record) string { return r.RangeEnd })},

		{name: "c-country", of: text(func(r *Record) string { return r.Country }), needs: NeedsPlace},
		{name: "cache-behavior-path-pattern", of: text(func(r *Record) string { return r.Pattern })},
		{name: "timestamp(ms)", of: integer(func(r *Record) int64 { return r.Ended.UnixMilli() })},
		{name: "origin-fbl", of: latency(func(r *Record) time.Duration { return r.OriginFirst })},
		{name: "origin-lbl", of: latency(func(r *Record) time.Duration { return r.OriginLast })},
		{name: "asn", of: text(func(r *Record) string { return r.ASN }), needs: NeedsPlace},
		{name: "primary-distribution-id", of: text(func(r *Record) string { return r.Primary })},
		{name: "primary-distribution-dns-name", of: text(func(r *Record) string { return r.PrimaryDomain })},
		// Tenants are not served here, and connections with viewers' certificates have no id.
		{name: "distribution-tenant-id"},
		{name: "connection-id"},
	}
}

const (
	cookieColumn = "cs(Cookie)"
	// legacyColumns is how many fields a legacy log has; a delivery that names none has defaultColumns of them
	// (standard-logging, example of create-delivery).
	legacyColumns, defaultColumns = 33, 35
)

// realTimeColumns are the fields of real-time logs, in the order in which records have them (real-time-logs, "Fields").
func realTimeColumns() []column {
	standard := columns()
	same := func(name string) column {
		return standard[slices.IndexFunc(standard, func(c column) bool { return c.name == name })]
	}
	as := func(name, of string) column { c := same(of); c.name = name; return c }
	field := func(name, header string) column {
		return column{name: name, of: func(dst []byte, r *Record) []byte { return append(dst, lookup(r.fields(), header)...) }, needs: NeedsFields}
	}
	out := []column{
		{name: "timestamp", of: func(dst []byte, r *Record) []byte {
			return appendMillis(dst, r.Ended.UnixMilli())
		}},
		same("c-ip"),
		{name: "s-ip", of: text(func(r *Record) string { return r.Server })},
		same("time-to-first-byte"), same("sc-status"), same("sc-bytes"), same("cs-method"), same("cs-protocol"), as("cs-host", "x-host-header"),
		{name: "cs-uri-stem", of: func(dst []byte, r *Record) []byte {
			if dst = append(dst, r.Path...); r.HasQuery || r.Query != "" {
				dst = append(append(dst, '?'), r.Query...)
			}
			return dst
		}},
		same("cs-bytes"), same("x-edge-location"), same("x-edge-request-id"), as("x-host-header", "cs(Host)"), same("time-taken"), same("cs-protocol-version"),
		{name: "c-ip-version", of: text(func(r *Record) string {
			switch a := r.Client.Addr().Unmap(); {
			case a.Is4():
				return "IPv4"
			case a.Is6():
				return "IPv6"
			}
			return ""
		})},
		as("cs-user-agent", "cs(User-Agent)"), as("cs-referer", "cs(Referer)"), as("cs-cookie", cookieColumn), same("cs-uri-query"),
		same("x-edge-response-result-type"), same("x-forwarded-for"), same("ssl-protocol"), same("ssl-cipher"), same("x-edge-result-type"),
		same("fle-encrypted-fields"), same("fle-status"), same("sc-content-type"), same("sc-content-len"), same("sc-range-start"), same("sc-range-end"),
		same("c-port"), same("x-edge-detailed-result-type"), same("c-country"), field("cs-accept-encoding", "Accept-Encoding"), field("cs-accept", "Accept"),
		same("cache-behavior-path-pattern"),
		{name: "cs-headers", of: appendFields, limit: longest, needs: NeedsFields},
		{name: "cs-header-names", of: appendNames, limit: longest, needs: NeedsFields},
		{name: "cs-headers-count", of: func(dst []byte, r *Record) []byte {
			n := int64(0)
			eachField(r.fields(), func(string, string) bool { n++; return true })
			return strconv.AppendInt(dst, n, 10)
		}, needs: NeedsFields},
		same("primary-distribution-id"), same("primary-distribution-dns-name"), same("origin-fbl"), same("origin-lbl"), same("asn"),
	}
	out[slices.IndexFunc(out, func(c column) bool { return c.name == "cs-cookie" })].limit = longest
	for _, k := range mediaKeys() {
		out = append(out, column{name: k.column, of: func(dst []byte, r *Record) []byte { return appendMedia(dst, r, k.key) }, needs: NeedsFields})
	}
	return append(out,
		column{name: "r-host", of: text(func(r *Record) string { return r.Origin })},
		column{name: "sr-reason", of: func(dst []byte, r *Record) []byte {
			if r.FailedOver == 0 {
				return dst
			}
			return strconv.AppendInt(append(dst, "Failover:"...), int64(r.FailedOver), 10)
		}},
		// The quality of media is not scored here, there are no tenants, and connections with viewers' certificates have no id.
		column{name: "x-edge-mqcs"}, column{name: "distribution-tenant-id"}, column{name: "connection-id"})
}

// longest is what cs-cookie, cs-headers and cs-header-names have at most (real-time-logs).
const longest = 800

func names(all []column) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = all[i].name
	}
	return out
}

// Columns are the names of the fields that a delivery may have.
func Columns() []string { return names(columns()) }

// DefaultColumns are those of a delivery that names none.
func DefaultColumns() []string { return names(columns()[:defaultColumns]) }

// RealTimeColumns are the names of the fields of real-time logs, in the order of a record.
func RealTimeColumns() []string { return names(realTimeColumns()) }
