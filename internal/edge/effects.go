package edge

import (
	"context"
	"io"
	"net/netip"
	"time"

	"github.com/foregate/foregate/internal/edge/cache"
	"github.com/foregate/foregate/internal/geo"
	"github.com/foregate/foregate/internal/message"
)

// Effects is all that the engine asks of the world outside. Local implements everything but Fetch and InvokeLambda.
type Effects interface {
	// Now is the time that ages and expiry are computed with.
	Now() time.Time
	// Locate tells where an address is; ok is false when nothing is known of it.
	Locate(a netip.Addr) (p geo.Place, ok bool)
	// RequestID fills id with an X-Amz-Cf-Id: 54 base64url characters and "==" (facts: cloudfront-dataplane 6).
	RequestID(id *[IDLength]byte)
	// Lookup returns the object kept under key, expired or not, or nil. It must not allocate nor keep key.
	Lookup(key []byte) *cache.Object
	// Join makes the caller the one who fetches key, or gives it the flight of the one who does.
	Join(key []byte) (flight *cache.Flight, leader bool)
	// Follow returns the flight of key that is open, or nil.
	Follow(key []byte) *cache.Flight
	// Epoch is what an object that is fetched from now on has as its Epoch.
	Epoch() uint64
	// NewStream makes a body that is stored while it is delivered.
	NewStream(src io.ReadCloser, opts cache.StreamOptions) (*cache.Stream, *cache.Reader)
	// Admit offers a complete object to the cache.
	Admit(key []byte, o *cache.Object)
	// AdmitPart offers a part of an object, and returns the whole body when all of it is there then.
	AdmitPart(key []byte, o *cache.Object, p cache.Part) (whole []byte)
	// Remove takes an object out of the cache whose body is lost.
	Remove(key []byte)
	// Fetch asks an origin. A failure to get an answer is a *FetchError; any other error counts as one of kind
	// FetchProtocol. The request is the receiver's to change.
	Fetch(ctx context.Context, r *FetchRequest) (*message.Response, error)
	// InvokeLambda runs a Lambda@Edge function. The error is a *LambdaError for what the pages tell apart; any other
	// one counts as of kind LambdaUnavailable.
	InvokeLambda(ctx context.Context, inv *LambdaInvocation) ([]byte, error)
	// LogFunction takes what a CloudFront Function left for its log. It must not wait.
	LogFunction(l *FunctionLog)
}

// IDLength is the length of an X-Amz-Cf-Id.
const IDLength = 56

// FetchRequest is one request to one origin.
type FetchRequest struct {
	// Origin is the origin as configured or as an origin-request function has changed it.
	Origin *Origin
	// Scheme, Port and Origin.Domain say where to connect; SNI is what TLS asks for, and the certificate must be valid
	// for one of VerifyNames (facts: cloudfront-dataplane 5: origin domain or forwarded Host).
	Scheme      string
	Port        int
	SNI         string
	VerifyNames []string
	// Access says how to sign, or which principal calls; the engine does not sign.
	Access OriginAccess
	// DistributionID and DistributionARN name the caller, as service cloudfront.amazonaws.com.
	DistributionID, DistributionARN string
	// Attempts is how often to try to connect, whatever the method; GET and HEAD are also sent so often when no answer comes,
	// and no other method is ever sent twice (facts: cloudfront-dataplane 8).
	Attempts int
	// GRPC asks for HTTP/2, which passes trailers.
	GRPC bool
	// Timing, when not nil, is filled with what making a connection took.
	Timing *FetchTiming
	// Room is memory for the answer. An effect whose answer is in it keeps nothing of the request, which is used again then.
	// It is no sign that shared fields are understood: they are not.
	Room *message.Room
	// Request has Host, the path with the origin path, and exactly the fields to send; its Trace is the viewer's.
	Request *message.Request
}

// FetchTiming says how long it took to resolve the origin's name, and to connect afterwards, TLS included; both are zero when a
// connection was there.
type FetchTiming struct{ DNS, Connect time.Duration }

// FetchErrorKind says how a fetch failed, as far as CloudFront's answers differ.
type FetchErrorKind uint8

// The kinds of failures.
const (
	// FetchProtocol is an answer that is no HTTP, or one whose head is too big.
	FetchProtocol FetchErrorKind = iota
	// FetchDNS is a name that does not resolve.
	FetchDNS
	// FetchConnect is a refused or reset connection.
	FetchConnect
	// FetchConnectTimeout is a connection that was not made in time.
	FetchConnectTimeout
	// FetchTLS is a failed handshake or a certificate that does not fit.
	FetchTLS
	// FetchTimeout is an origin that did not answer in time.
	FetchTimeout
	// FetchClosed is a connection that the origin closed before or while it answered.
	FetchClosed
	// FetchRange is a part whose length is not what its Content-Range says. The engine finds it.
	FetchRange
	// FetchTooLarge is an answer with a body that is too large to be cached, where caching is enabled. The engine finds it.
	FetchTooLarge
)

// FetchError is a fetch that got no answer.
type FetchError struct {
	Kind FetchErrorKind
	Err  error
}

// Error returns the cause's text.
func (e *FetchError) Error() string {
	if e.Err == nil {
		return "fetch from origin failed"
	}
	return "fetch from origin: " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *FetchError) Unwrap() error { return e.Err }

// LambdaInvocation is one run of a function.
type LambdaInvocation struct {
	Association *LambdaAssociation
	Payload     []byte
	// Timeout is the limit of Lambda@Edge; the function may have a shorter one of its own.
	Timeout time.Duration
}

// LambdaErrorKind says how a function failed.
type LambdaErrorKind uint8

// The kinds of failures of functions.
const (
	// LambdaUnavailable is a function that cannot run: no code, no permission.
	LambdaUnavailable LambdaErrorKind = iota
	// LambdaFailed is an exception or a timeout of the function.
	LambdaFailed
	// LambdaThrottled is a limit of concurrency.
	LambdaThrottled
)

// LambdaError is a function that returned nothing.
type LambdaError struct {
	Kind LambdaErrorKind
	// Message is the error as the function or the runtime reported it, for traces; viewers never see it.
	Message string
}

// Error returns the message.
func (e *LambdaError) Error() string { return "run Lambda@Edge function: " + e.Message }
