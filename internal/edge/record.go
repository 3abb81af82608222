package edge

import (
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/message"
)

// fillRecord fills in what is known before the answer is sent (standard-logs-reference, real-time-logs).
func (x *exchange) fillRecord(rec *accesslog.Record, needs accesslog.Needs) {
	v, r := &x.viewer, x.response
	own := rec.Own[:0]
	*rec = accesslog.Record{
		FirstByte: x.svc.effects.Now().Sub(x.now), Location: x.svc.node.Pop, Server: x.svc.node.Address, Domain: x.plan.DomainName, Distribution: x.plan.ID,
		Host: v.Host, Client: v.Client, Method: v.Method, Path: v.Path, Query: v.Query, HasQuery: v.HasQuery, Protocol: x.protocol(), Version: versionName(v.Proto),
		Referer: v.Header.Get("Referer"), UserAgent: v.Header.Get("User-Agent"), ForwardedFor: joined(v.Header, "X-Forwarded-For", ","), Cookie: joined(v.Header, "Cookie", "; "),
		Status: r.Status, ContentType: r.Get("Content-Type"), ContentLength: r.ContentLength, Fields: v.Lines, Own: own,
	}
	copy(rec.RequestID[:], x.id)
	rec.Received, rec.Held = requestSize(v)
	rec.Sent = responseHead(r)
	if v.TLS != nil {
		rec.TLSProtocol, rec.TLSCipher = protocolName(v.TLS.Version), cipherName(v.TLS.Cipher)
	}
	if b := x.behavior; b != nil {
		rec.Pattern = b.Pattern.Source
	}
	if x.primary != nil {
		rec.Primary, rec.PrimaryDomain = x.primary.ID, x.primary.DomainName
	}
	if s := x.fetched; s != nil && s.origin != nil && !s.started.IsZero() {
		rec.Origin, rec.OriginFirst, rec.FailedOver = s.request.Origin.Domain, s.first, s.failedOver
	}
	if needs&accesslog.NeedsPlace != 0 {
		p := x.viewerPlace()
		rec.Country, rec.ASN = p.Country, p.ASN
	}
	if needs&accesslog.NeedsFields != 0 && v.Lines == "" {
		rec.Own = appendLines(rec.Own, v)
	}
	rec.RangeStart, rec.RangeEnd = rangeOf(r.Get("Content-Range"))
	rec.ResponseResult, rec.Detailed = x.resultTypes()
	hungUp := x.upload != nil && x.upload.failed.Load() && x.res.self
	if rec.Result = rec.ResponseResult; hungUp || x.ctx.Err() != nil {
		// The viewer has left before there was an answer, or has broken off its request.
		rec.Status, rec.Result, rec.ResponseResult, rec.Detailed = 0, "Error", "Error", "ClientCommError"
	}
	if hungUp {
		rec.Detailed = "ClientHungUpRequest"
	}
}

// joined returns all values of a field.
func joined(h message.Header, name, sep string) string {
	first, n := -1, 0
	for i := range h {
		if message.SameName(h[i].Name, name) {
			if n++; n == 1 {
				first = i
			}
		}
	}
	switch n {
	case 0:
		return ""
	case 1:
		return h[first].Value
	}
	return strings.Join(h.Values(name), sep)
}

// protocol is cs-protocol.
func (x *exchange) protocol() string {
	switch secure := x.viewer.Scheme == "https"; {
	case x.response.Status == 101 && secure:
		return "wss"
	case x.response.Status == 101:
		return "ws"
	case x.grpc():
		return "grpcs"
	}
	return x.viewer.Scheme
}

// versionName is cs-protocol-version.
func versionName(p message.Proto) string {
	switch p {
	case message.HTTP10:
		return "HTTP/1.0"
	case message.HTTP11:
		return "HTTP/1.1"
	case message.HTTP2:
		return "HTTP/2.0"
	case message.HTTP3:
		return "HTTP/3.0"
	}
	return ""
}

// appendLines writes the fields of a request of HTTP/2 or 3 as lines, with the Host that they have in :authority.
func appendLines(dst []byte, r *message.Request) []byte {
	dst = append(append(append(dst, "Host: "...), or(r.SentHost, r.Host)...), "\r\n"...)
	for i := range r.Header {
		dst = append(append(append(append(dst, r.Header[i].Name...), ": "...), r.Header[i].Value...), "\r\n"...)
	}
	return dst
}

// resultTypes are x-edge-result-type, as X-Cache has it, and the detailed type (standard-logs-reference).
func (x *exchange) resultTypes() (result, detailed string) {
	result = strings.TrimSuffix(x.res.xcache, " from cloudfront")
	switch {
	case result == "Error":
		if d := detailedTypes[x.cause]; d != "" {
			return result, d
		}
	case x.res.xcache == xcacheLambda && x.fetched != nil:
		// A Lambda@Edge function answered on origin-request.
		return "Miss", "MissGeneratedResponse"
	}
	return result, result
}

// detailedTypes by cause; causes that are not here are "Error". Where several of the manual's values may fit, these are our reading.
var detailedTypes = map[Cause]string{
	CauseOriginDNS: "OriginDnsError", CauseOriginConnect: "OriginConnectError", CauseOriginTLS: "OriginConnectError",
	CauseOriginTimeout: "OriginCommError", CauseOriginClosed: "OriginCommError", CauseOriginInvalid: "OriginInvalidResponseError",
	CauseOriginRange: "OriginContentRangeLengthError", CauseOriginTooLarge: "OriginError",
	CauseMethod: "InvalidRequestMethod", CauseGETBody: "InvalidRequest", CauseCountry: "ClientGeoBlocked",
	CauseFronting: "InvalidRequestCertificate", CauseHTTPS: "InvalidRequestBlocked", CauseChain: "InvalidRequest",
}

// requestSize counts a request as HTTP/1.1 writes it, and its head alone.
func requestSize(r *message.Request) (all int64, head int) {
	head = len(r.Method) + len(r.Path) + len("  HTTP/1.1\r\n")
	if r.HasQuery {
		head += 1 + len(r.Query)
	}
	if r.Lines != "" {
		head += len(r.Lines)
	} else {
		head += len("Host: \r\n\r\n") + len(r.Host)
		for i := range r.Header {
			head += len(r.Header[i].Name) + len(r.Header[i].Value) + len(": \r\n")
		}
		if r.ContentLength > 0 {
			var digits [20]byte
			head += len("Content-Length: \r\n") + len(strconv.AppendInt(digits[:0], r.ContentLength, 10))
		}
	}
	return int64(head) + max(r.ContentLength, 0), head
}

// responseHead counts the head of an answer as HTTP/1.1 writes it.
func responseHead(r *message.Response) int64 {
	n := len("HTTP/1.1 200 \r\n\r\n") + len(r.Reason)
	for _, l := range [...]*message.Lines{r.Before[0], r.Before[1], r.After} {
		if l != nil {
			n += len(l.Text)
		}
	}
	for i := range r.Header {
		n += len(r.Header[i].Name) + len(r.Header[i].Value) + len(": \r\n")
	}
	if r.ContentLength >= 0 {
		var digits [20]byte
		n += len("Content-Length: \r\n") + len(strconv.AppendInt(digits[:0], r.ContentLength, 10))
	} else {
		n += len("Transfer-Encoding: chunked\r\n")
	}
	return int64(n)
}

// rangeOf takes start and end out of "bytes 0-9/100".
func rangeOf(contentRange string) (start, end string) {
	spec, ok := strings.CutPrefix(contentRange, "bytes ")
	if !ok {
		return "", ""
	}
	spec, _, _ = strings.Cut(spec, "/")
	start, end, ok = strings.Cut(spec, "-")
	if !ok {
		return "", ""
	}
	return start, end
}
