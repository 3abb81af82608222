// Package accesslog makes the access logs of CloudFront: it writes out what the engine knows of a request, gathers the lines, and
// delivers them to buckets, log groups and streams, all of it away from the requests.
//
// Start with Record, which the engine fills, and Collector, whose Route takes records by a bounded queue and drops them rather
// than make a request wait. Standard logs in both versions have the fields of Columns, real-time logs those of RealTimeColumns. The
// package must not know the engine, plans, buckets or log groups. Sources: the manual's pages standard-logs-reference,
// standard-logging, standard-logging-legacy-s3 and real-time-logs of 2026.
package accesslog

import (
	"net/netip"
	"time"
	"unsafe"
)

// IDLength is the length of an x-edge-request-id.
const IDLength = 56

// Record is one request, when its answer has ended. Its strings must not change afterwards; Log copies the rest.
type Record struct {
	// Ended is when the answer ended; Taken and FirstByte count from the arrival of the request.
	Ended            time.Time
	Taken, FirstByte time.Duration
	// Location is the edge location, Server its address, Domain the distribution's own name, Host what the viewer named.
	Location, Server, Domain, Host string
	// Distribution is the distribution's id; Primary and PrimaryDomain are those of the primary distribution whose continuous
	// deployment sent the request here, "" without one.
	Distribution, Primary, PrimaryDomain string
	Client                               netip.AddrPort
	Method, Path, Query                  string
	HasQuery                             bool
	// Protocol is http, https, grpcs, ws or wss; Version is HTTP/1.1 and the like.
	Protocol, Version                        string
	Referer, UserAgent, Cookie, ForwardedFor string
	TLSProtocol, TLSCipher                   string
	// Status is 0 for a viewer that left before there was one.
	Status int
	// Result is x-edge-result-type, ResponseResult how the answer was classified before it was sent, Detailed the detailed type.
	Result, ResponseResult, Detailed string
	RequestID                        [IDLength]byte
	// Received and Sent count bytes, heads included.
	Received, Sent int64
	ContentType    string
	// ContentLength is -1 when the answer has none.
	ContentLength        int64
	RangeStart, RangeEnd string
	// Pattern is that of the cache behavior, "" when none was matched. Country and ASN are for those who ask for them: NeedsPlace.
	Pattern, Country, ASN string
	// Origin is the domain of the last origin that was asked, "" when none was; OriginFirst and OriginLast are the latencies of
	// its first and last byte, and FailedOver the status for which a second origin was asked, 0 when it was not.
	Origin                  string
	OriginFirst, OriginLast time.Duration
	FailedOver              int
	// Fields are the request's field lines, as HTTP/1.1 writes them, Host among them: of HTTP/1 as they came, and for those who ask
	// for them of other protocols in Own. See NeedsFields.
	Fields string
	Own    []byte
	// Held is how much memory the strings keep, about.
	Held int
}

// Needs says what of a record costs something to find out.
type Needs uint8

// The needs.
const (
	// NeedsPlace is for fields that tell where the viewer is.
	NeedsPlace Needs = 1 << iota
	// NeedsFields is for fields about all fields of a request.
	NeedsFields
)

// fields returns the request's field lines.
func (r *Record) fields() string {
	if r.Fields != "" {
		return r.Fields
	}
	return unsafe.String(unsafe.SliceData(r.Own), len(r.Own)) // it does not change while it is read
}
