package edge

import (
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/message"
)

// Logger takes the record of a request; it must not wait.
type Logger interface {
	Log(r *accesslog.Record)
}

// log begins the record of the request, which is finished and handed over when the answer has been sent. Requests whose URL or
// head is too long are not logged (standard-logs-reference).
func (x *exchange) log() (phase, Reason) {
	if x.plan == nil || x.plan.Logging == nil {
		return done, ReasonNoLog
	}
	l := x.plan.Logging
	switch {
	case l.To == nil:
		x.verdict = l.Where
		return done, ReasonLogElsewhere
	case x.cause == CauseURITooLong || x.cause == CauseHeadTooBig:
		return done, ReasonNotLogged
	}
	x.verdict = l.Where
	r := x.response
	b := &loggedBody{record: x.record(l), logger: l.To, now: x.svc.effects.Now, began: x.now, left: r.ContentLength, body: r.Body}
	if r.Body == nil {
		b.left = 0
		_ = b.Close()
		return done, ReasonLogged
	}
	r.Body = b.wrap(r)
	return done, ReasonLogged
}

// record has what is known before the answer is sent.
func (x *exchange) record(l *Logging) *accesslog.Record {
	v, r := &x.viewer, x.response
	rec := &accesslog.Record{
		FirstByte: x.svc.effects.Now().Sub(x.now), Location: x.svc.node.Pop, Domain: x.plan.DomainName, Host: v.Host,
		Client: v.Client, Method: v.Method, Path: v.Path, Query: v.Query, Protocol: v.Scheme, Version: "HTTP/" + v.Proto.String(),
		Referer: v.Header.Get("Referer"), UserAgent: v.Header.Get("User-Agent"), ForwardedFor: strings.Join(v.Header.Values("X-Forwarded-For"), ","),
		Status: r.Status, RequestID: strings.Clone(x.id), // the id is in memory that is lent
		Received: requestSize(v), Sent: responseHead(r), ContentType: r.Get("Content-Type"), ContentLength: r.ContentLength,
	}
	if l.Cookies {
		rec.Cookie = strings.Join(v.Header.Values("Cookie"), "; ")
	}
	if v.TLS != nil {
		rec.TLSProtocol, rec.TLSCipher = protocolName(v.TLS.Version), cipherName(v.TLS.Cipher)
	}
	if r.Status == 101 {
		rec.Protocol = "ws" + strings.TrimPrefix(v.Scheme, "http")
	}
	rec.RangeStart, rec.RangeEnd = rangeOf(r.Get("Content-Range"))
	rec.ResponseResult, rec.Detailed = x.resultTypes()
	rec.Result = rec.ResponseResult
	return rec
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

// detailedTypes by cause; causes that are not here are "Error". For failures of TLS and of a connection that ends the manual has
// several values that may fit: these are our reading.
var detailedTypes = map[Cause]string{
	CauseOriginDNS: "OriginDnsError", CauseOriginConnect: "OriginConnectError", CauseOriginTLS: "OriginConnectError",
	CauseOriginTimeout: "OriginCommError", CauseOriginClosed: "OriginCommError", CauseOriginInvalid: "OriginInvalidResponseError",
	CauseOriginRange: "OriginContentRangeLengthError", CauseOriginTooLarge: "OriginError",
	CauseMethod: "InvalidRequestMethod", CauseGETBody: "InvalidRequest", CauseCountry: "ClientGeoBlocked",
}

// requestSize counts a request as HTTP/1.1 writes it.
func requestSize(r *message.Request) int64 {
	n := len(r.Method) + len(r.Path) + len("  HTTP/1.1\r\n")
	if r.HasQuery {
		n += 1 + len(r.Query)
	}
	if r.Lines != "" {
		n += len(r.Lines)
	} else {
		n += len("Host: \r\n\r\n") + len(r.Host)
		for i := range r.Header {
			n += len(r.Header[i].Name) + len(r.Header[i].Value) + len(": \r\n")
		}
	}
	return int64(n) + max(r.ContentLength, 0)
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
		n += len("Content-Length: \r\n") + len(strconv.FormatInt(r.ContentLength, 10))
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

// loggedBody counts a body, and hands the record over when it is closed.
type loggedBody struct {
	body   io.ReadCloser
	record *accesslog.Record
	logger Logger
	now    func() time.Time
	began  time.Time
	left   int64 // of a known length; negative for another
	ended  bool
	failed bool
}

// wrap returns b with what else the answer's body can do.
func (b *loggedBody) wrap(r *message.Response) io.ReadCloser {
	if c, ok := r.Body.(io.ReadWriteCloser); ok && r.Status == 101 {
		return &loggedTunnel{ReadWriteCloser: c, loggedBody: b}
	}
	if known, ok := r.Body.(interface{ Buffered() int }); ok {
		return &loggedBuffer{b, known}
	}
	return b
}

// Read implements io.Reader.
func (b *loggedBody) Read(p []byte) (int, error) {
	if b.record == nil {
		return 0, io.ErrClosedPipe
	}
	n, err := b.body.Read(p)
	b.record.Sent += int64(n)
	b.left -= int64(n)
	switch {
	case err == io.EOF:
		b.ended = true
	case err != nil:
		b.failed = true
	}
	return n, err
}

// Close implements io.Closer. A body that was not read to its end is that of a viewer who left, or of an origin that failed: the
// result is Error then, whatever it was before (standard-logs-reference, x-edge-result-type).
func (b *loggedBody) Close() (err error) {
	if b.record == nil {
		return nil
	}
	r := b.record
	b.record = nil
	if b.body != nil {
		err = b.body.Close()
		if !b.ended && b.left != 0 {
			r.Result, r.Detailed = "Error", "ClientCommError"
			if b.failed {
				r.Detailed = "OriginReadError"
			}
		}
	}
	r.Ended = b.now()
	r.Taken = r.Ended.Sub(b.began)
	b.logger.Log(r)
	return err
}

// loggedBuffer is loggedBody for bodies that know how much they have.
type loggedBuffer struct {
	*loggedBody
	known interface{ Buffered() int }
}

// Buffered passes on what the body knows.
func (b *loggedBuffer) Buffered() int { return b.known.Buffered() }

// loggedTunnel counts a WebSocket connection both ways.
type loggedTunnel struct {
	io.ReadWriteCloser
	*loggedBody
	sent, received atomic.Int64
	once           sync.Once
}

// Read reads from the origin.
func (t *loggedTunnel) Read(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Read(p)
	t.sent.Add(int64(n))
	return n, err
}

// Write writes to the origin.
func (t *loggedTunnel) Write(p []byte) (int, error) {
	n, err := t.ReadWriteCloser.Write(p)
	t.received.Add(int64(n))
	return n, err
}

// CloseWrite ends the direction to the origin alone, where that is possible.
func (t *loggedTunnel) CloseWrite() error {
	if h, ok := t.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return h.CloseWrite()
	}
	return t.Close()
}

// Close ends the connection. That is how each of them ends: it is no error.
func (t *loggedTunnel) Close() (err error) {
	t.once.Do(func() {
		err = t.ReadWriteCloser.Close()
		t.record.Sent += t.sent.Load()
		t.record.Received += t.received.Load()
		t.loggedBody.body = nil
		_ = t.loggedBody.Close()
	})
	return err
}
