package origin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/foregate/foregate/internal/http1"
)

// Kind says at which step a fetch failed.
type Kind uint8

// The kinds of Error.
const (
	DNS             Kind = iota + 1 // the name could not be resolved
	Connect                         // the connection was refused or could not be made
	ConnectTimeout                  // nor was it made in time, TLS included
	TLS                             // handshake, chain or names; Err may hold a *CertificateError
	ResponseTimeout                 // no answer, or no more of it, within the read timeout
	Closed                          // the origin closed the connection before it had answered, or it broke
	Incomplete                      // the answer ended too early: seen when reading its body
	Protocol                        // the answer is not HTTP as it should be
	HeaderTooBig                    // the head of the answer is over the limit
	Limit                           // no connection came free
	Loop                            // hosts served here fetch from each other without end
	Canceled                        // the caller's context ended
	BadRequest                      // the request may not be sent
)

var kindText = [...]string{
	DNS: "resolve the name", Connect: "connect", ConnectTimeout: "connect in time", TLS: "agree on TLS", ResponseTimeout: "get an answer in time",
	Closed: "get an answer before the connection closed", Incomplete: "get the whole answer", Protocol: "understand the answer",
	HeaderTooBig: "take so big a head", Limit: "get a free connection", Loop: "end a loop of origins", Canceled: "finish before the request was canceled",
	BadRequest: "send the request",
}

// String says what could not be done.
func (k Kind) String() string {
	if int(k) < len(kindText) && kindText[k] != "" {
		return kindText[k]
	}
	return "fetch"
}

// Error is why a fetch, or the reading of an answer's body, failed.
type Error struct {
	Kind     Kind
	Address  string // host:port of the origin
	Attempts int    // how often it was tried
	Err      error
}

// Error says what failed and why.
func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("origin %s: could not %s", e.Address, e.Kind)
	}
	return fmt.Sprintf("origin %s: could not %s: %v", e.Address, e.Kind, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout tells whether the origin was too slow.
func (e *Error) Timeout() bool { return e.Kind == ConnectTimeout || e.Kind == ResponseTimeout }

// KindOf returns the Kind of the first Error in err's chain, 0 without one.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return 0
}

// again tells whether another attempt makes sense (facts: cloudfront-dataplane 8): for connections always, for answers when
// the request may be repeated.
func (e *Error) again(repeatable bool) bool {
	switch e.Kind {
	case Connect, ConnectTimeout:
		return true
	case ResponseTimeout, Closed:
		return repeatable
	}
	return false
}

// CertificateError is a certificate that does not have any of the names that it must have.
type CertificateError struct {
	Names  []string // what the certificate is for
	Wanted []string // of which it had to have one
}

// Error lists both.
func (e *CertificateError) Error() string {
	return fmt.Sprintf("certificate is for %s, not for %s", list(e.Names), strings.Join(e.Wanted, " or "))
}

func list(names []string) string {
	if len(names) == 0 {
		return "no name"
	}
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " and others"
	}
	return strings.Join(names, ", ")
}

// failure makes an Error of what an exchange over a connection failed with.
func (p *pool) failure(ctx context.Context, err error) *Error {
	e := &Error{Kind: Closed, Address: p.address, Err: err}
	if ctx.Err() != nil {
		e.Kind, e.Err = Canceled, context.Cause(ctx)
		return e
	}
	switch http1.KindOf(err) {
	case http1.Timeout:
		e.Kind = ResponseTimeout
	case http1.Malformed, http1.Version, http1.Unsolicited:
		e.Kind = Protocol
	case http1.HeadTooBig:
		e.Kind = HeaderTooBig
	case http1.BadMessage:
		e.Kind = BadRequest
	case http1.Incomplete:
		e.Kind = Incomplete
	}
	return e
}

// dialFailure makes an Error of what dialing failed with. ctx is the caller's, without the connect timeout.
func (p *pool) dialFailure(ctx context.Context, err error) *Error {
	e := &Error{Kind: Connect, Address: p.address, Err: err}
	var dns *net.DNSError
	var ne net.Error
	var tlsFailure *tlsError
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = Canceled, context.Cause(ctx)
	case errors.As(err, &dns):
		e.Kind = DNS
	case errors.Is(err, context.DeadlineExceeded) || errors.As(err, &ne) && ne.Timeout():
		e.Kind = ConnectTimeout
	case errors.As(err, &tlsFailure):
		e.Kind, e.Err = TLS, tlsFailure.err
		if errors.Is(e.Err, io.EOF) {
			e.Err = fmt.Errorf("the origin closed the connection within the handshake: %w", io.ErrUnexpectedEOF)
		}
	}
	return e
}
