// Package accesslog makes the access logs of CloudFront: it writes out what the engine knows of a request, gathers the lines in
// files, and delivers the files, all of it away from the requests.
//
// Start with Record, which the engine fills, and Collector, which takes records by a bounded queue and drops them rather than
// make a request wait. The package must not know the engine, plans or buckets. Sources: the manual's pages standard-logs-reference,
// standard-logging-legacy-s3 and standard-logging of 2026.
package accesslog

import (
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Record is one request, when its answer has ended. Its strings must not change afterwards.
type Record struct {
	// Ended is when the answer ended; Taken and FirstByte count from the arrival of the request.
	Ended            time.Time
	Taken, FirstByte time.Duration
	// Location is the edge location, Domain the distribution's own name, Host what the viewer named.
	Location, Domain, Host string
	Client                 netip.AddrPort
	Method, Path, Query    string
	// Protocol is http, https, ws or wss; Version is HTTP/1.1 and the like.
	Protocol, Version                        string
	Referer, UserAgent, Cookie, ForwardedFor string
	TLSProtocol, TLSCipher                   string
	// Status is 0 for a viewer that left before there was one.
	Status int
	// Result is x-edge-result-type, ResponseResult how the answer was classified before it was sent, Detailed the detailed type.
	Result, ResponseResult, Detailed, RequestID string
	// Received and Sent count bytes, heads included.
	Received, Sent int64
	ContentType    string
	// ContentLength is -1 when the answer has none.
	ContentLength        int64
	RangeStart, RangeEnd string
	// Country and Pattern are for those who ask for them.
	Country, Pattern, ASN string
}

// Standard are the fields of a standard log, in order.
var Standard = strings.Fields(`date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer)
	cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken
	x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port
	time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end`)

// value appends the value of a field, nothing for an empty one.
type value func(dst []byte, r *Record) []byte

func text(of func(*Record) string) value {
	return func(dst []byte, r *Record) []byte { return append(dst, of(r)...) }
}

func seconds(of func(*Record) time.Duration) value {
	return func(dst []byte, r *Record) []byte {
		return strconv.AppendFloat(dst, float64(of(r).Milliseconds())/1000, 'f', 3, 64)
	}
}

// values has what can be in a log; fields of which nothing is ever known here are nil.
var values = map[string]value{
	"date":            func(dst []byte, r *Record) []byte { return r.Ended.UTC().AppendFormat(dst, time.DateOnly) },
	"time":            func(dst []byte, r *Record) []byte { return r.Ended.UTC().AppendFormat(dst, time.TimeOnly) },
	"x-edge-location": text(func(r *Record) string { return r.Location }),
	"sc-bytes":        func(dst []byte, r *Record) []byte { return strconv.AppendInt(dst, r.Sent, 10) },
	"c-ip": func(dst []byte, r *Record) []byte {
		if !r.Client.IsValid() {
			return dst
		}
		return r.Client.Addr().Unmap().AppendTo(dst)
	},
	"cs-method":   text(func(r *Record) string { return r.Method }),
	"cs(Host)":    text(func(r *Record) string { return r.Domain }),
	"cs-uri-stem": text(func(r *Record) string { return r.Path }),
	"sc-status": func(dst []byte, r *Record) []byte {
		if r.Status == 0 {
			return append(dst, "000"...)
		}
		return strconv.AppendInt(dst, int64(r.Status), 10)
	},
	"cs(Referer)":                 text(func(r *Record) string { return r.Referer }),
	"cs(User-Agent)":              text(func(r *Record) string { return r.UserAgent }),
	"cs-uri-query":                text(func(r *Record) string { return r.Query }),
	"cs(Cookie)":                  text(func(r *Record) string { return r.Cookie }),
	"x-edge-result-type":          text(func(r *Record) string { return r.Result }),
	"x-edge-request-id":           text(func(r *Record) string { return r.RequestID }),
	"x-host-header":               text(func(r *Record) string { return r.Host }),
	"cs-protocol":                 text(func(r *Record) string { return r.Protocol }),
	"cs-bytes":                    func(dst []byte, r *Record) []byte { return strconv.AppendInt(dst, r.Received, 10) },
	"time-taken":                  seconds(func(r *Record) time.Duration { return r.Taken }),
	"x-forwarded-for":             text(func(r *Record) string { return r.ForwardedFor }),
	"ssl-protocol":                text(func(r *Record) string { return r.TLSProtocol }),
	"ssl-cipher":                  text(func(r *Record) string { return r.TLSCipher }),
	"x-edge-response-result-type": text(func(r *Record) string { return r.ResponseResult }),
	"cs-protocol-version":         text(func(r *Record) string { return r.Version }),
	"fle-status":                  nil,
	"fle-encrypted-fields":        nil,
	"c-port": func(dst []byte, r *Record) []byte {
		if !r.Client.IsValid() {
			return dst
		}
		return strconv.AppendUint(dst, uint64(r.Client.Port()), 10)
	},
	"time-to-first-byte":          seconds(func(r *Record) time.Duration { return r.FirstByte }),
	"x-edge-detailed-result-type": text(func(r *Record) string { return r.Detailed }),
	"sc-content-type":             text(func(r *Record) string { return r.ContentType }),
	"sc-content-len": func(dst []byte, r *Record) []byte {
		if r.ContentLength < 0 {
			return dst
		}
		return strconv.AppendInt(dst, r.ContentLength, 10)
	},
	"sc-range-start": text(func(r *Record) string { return r.RangeStart }),
	"sc-range-end":   text(func(r *Record) string { return r.RangeEnd }),
}

// appendEncoded writes a value as a line of a log may have it: percent-encoded where it is not plain (standard logs: ASCII 0 to 32
// and from 127, and < > " # % { } | \ ^ ~ [ ] ` '), and a hyphen for an empty one.
func appendEncoded(dst, v []byte) []byte {
	if len(v) == 0 {
		return append(dst, '-')
	}
	const hex = "0123456789ABCDEF"
	for _, c := range v {
		if c <= ' ' || c >= 0x7f || strings.IndexByte("<>\"#%{}|\\^~[]`'", c) >= 0 {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// AppendLine writes a record as a line of a standard log, with the line break.
func AppendLine(dst []byte, r *Record) []byte {
	var room [256]byte
	for i, name := range Standard {
		if i > 0 {
			dst = append(dst, '\t')
		}
		var v []byte
		if of := values[name]; of != nil {
			v = of(room[:0], r)
		}
		dst = appendEncoded(dst, v)
	}
	return append(dst, '\n')
}

// Head are the first two lines of a file.
func Head() string { return "#Version: 1.0\n#Fields: " + strings.Join(Standard, " ") + "\n" }
