package edge

import (
	"time"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/edge/signed"
	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/message"
)

// Plan is one distribution, ready to run. It is immutable once a Service has it: plans are shared by all requests and
// never locked.
type Plan struct {
	// ID is E…, ARN arn:aws:cloudfront::<account>:distribution/<id>, DomainName d….cloudfront.net in lower case.
	ID, ARN, Account, DomainName string
	// Aliases are lower case; "*.example.com" matches any depth (facts: cloudfront-dataplane 1).
	Aliases []string
	Enabled bool
	// Staging distributions are not reachable by their own name (facts: cloudfront-dataplane 15).
	Staging bool
	// HTTP2 and HTTP3 come from HttpVersion; HTTP3 adds Alt-Svc to answers.
	HTTP2, HTTP3, IPv6 bool
	// ClientCertificates says whether viewers are asked for certificates, when a connection is made.
	ClientCertificates ClientCertificates
	// DefaultRootObject has no leading slash; "" for none.
	DefaultRootObject string
	// Behaviors are in order of precedence; the default behavior, pattern "*", is the last one.
	Behaviors []Behavior
	Origins   []Origin
	Groups    []OriginGroup
	// ErrorResponses has at most one entry for a status.
	ErrorResponses []ErrorResponse
	// Geo is nil for no restriction.
	Geo *GeoRestriction
	// Logging is nil when no standard log is asked for.
	Logging *Logging
	// Deployment sends requests to a staging distribution; nil for none.
	Deployment *Deployment
	// Unsupported lists settings of the whole distribution that the compiler has found and the engine does not honour;
	// each becomes an Unsupported fact of every explained request.
	Unsupported []Unsupported
	// SourcePath is the DistributionConfig in the source, as Resources.Site.Properties.DistributionConfig.
	SourcePath string
}

// ClientCertificates is the Mode of ViewerMtlsConfig.
type ClientCertificates uint8

// What is asked of viewers. Whoever makes connections verifies the certificates.
const (
	NoCertificates ClientCertificates = iota
	OptionalCertificates
	RequiredCertificates
)

// Unsupported is a setting that the engine does not honour.
type Unsupported struct {
	// Name is the setting's name, Detail what happens instead, SourcePath its place in the source.
	Name, Detail, SourcePath string
}

// Behavior is a cache behavior.
type Behavior struct {
	Pattern        Pattern
	ViewerProtocol ViewerProtocol
	// Allowed and Cached are method sets; Cached is a subset of GET, HEAD and OPTIONS.
	Allowed, Cached Methods
	// Origin is an index of Plan.Origins, Group one of Plan.Groups; the one that is not meant is -1.
	Origin, Group int
	// Forward says what goes into the cache key and to the origin: made by CombinePolicies or LegacyForward.
	Forward *Forward
	TTL     TTLs
	// Policies names what Forward was made of, for people: "cache policy CachingDisabled, origin request policy AllViewer".
	Policies string
	// Compress is the behavior's Compress setting; Forward has the encodings that the policy allows.
	Compress bool
	// ResponseHeaders is nil when no policy is attached.
	ResponseHeaders *ResponseHeadersPolicy
	// Lambda has the Lambda@Edge functions by event; nil where there is none.
	Lambda [NumEvents]*LambdaAssociation
	// ViewerRequestFunction and ViewerResponseFunction are CloudFront Functions; nil where there is none.
	ViewerRequestFunction, ViewerResponseFunction *FunctionAssociation
	// Signers are the keys of which requests need a signature, in the URL or in cookies; nil where everybody may come in.
	Signers *signed.Keys
	// GRPC is true when GrpcConfig.Enabled.
	GRPC bool
	// RealtimeLog is nil where none is asked for.
	RealtimeLog *RealtimeLog
	// SmoothStreaming is accepted by AWS; a compiler that sees it adds an Unsupported entry.
	Unsupported []Unsupported
	Source      BehaviorSource
}

// BehaviorSource has the places of a behavior's settings in the source. "" where the source does not have the setting.
type BehaviorSource struct {
	Behavior, ViewerProtocolPolicy, AllowedMethods          string
	CachePolicy, OriginRequestPolicy, ResponseHeadersPolicy string
	ForwardedValues, TargetOrigin, TrustedSigners           string
}

// ViewerProtocol is ViewerProtocolPolicy.
type ViewerProtocol uint8

// The viewer protocol policies.
const (
	AllowAll ViewerProtocol = iota
	RedirectToHTTPS
	HTTPSOnly
)

// Methods is a set of HTTP methods.
type Methods uint8

// The methods that a behavior can name.
const (
	GET Methods = 1 << iota
	HEAD
	OPTIONS
	PUT
	PATCH
	POST
	DELETE
)

// MethodOf returns the set with the one method, or 0 for a method that CloudFront does not know.
func MethodOf(name string) Methods {
	switch name {
	case "GET":
		return GET
	case "HEAD":
		return HEAD
	case "OPTIONS":
		return OPTIONS
	case "PUT":
		return PUT
	case "PATCH":
		return PATCH
	case "POST":
		return POST
	case "DELETE":
		return DELETE
	}
	return 0
}

// TTLs are MinTTL, DefaultTTL and MaxTTL of a policy or a legacy behavior.
type TTLs struct{ Min, Default, Max time.Duration }

// Disabled tells whether all three are zero, which turns caching, compression and collapsing off (facts:
// cloudfront-policies 7).
func (t TTLs) Disabled() bool { return t.Min == 0 && t.Default == 0 && t.Max == 0 }

// OriginKind tells the two kinds of origins apart.
type OriginKind uint8

// The kinds of origins. An S3 website endpoint is a custom origin (facts: cloudfront-dataplane 12).
const (
	CustomOrigin OriginKind = iota
	S3Origin
)

// OriginProtocol is OriginProtocolPolicy.
type OriginProtocol uint8

// The origin protocol policies.
const (
	OriginMatchViewer OriginProtocol = iota
	OriginHTTPOnly
	OriginHTTPSOnly
)

// Origin is where requests go.
type Origin struct {
	ID   string
	Kind OriginKind
	// Domain is the domain name that is connected to, in lower case.
	Domain string
	// Path is OriginPath: "" or a path that starts with "/" and does not end with one.
	Path string
	// HTTPPort and HTTPSPort are 80 and 443 unless configured; S3 origins always use them.
	HTTPPort, HTTPSPort int
	Protocol            OriginProtocol
	// SSLProtocols are AWS's names: SSLv3, TLSv1, TLSv1.1, TLSv1.2.
	SSLProtocols []string
	// ReadTimeout defaults to 30 s, KeepaliveTimeout to 5 s, ConnectTimeout to 10 s; CompletionTimeout 0 is no limit
	// (facts: cloudfront-dataplane 4).
	ReadTimeout, KeepaliveTimeout, ConnectTimeout, CompletionTimeout time.Duration
	// Attempts is 1 to 3.
	Attempts int
	// Headers are the origin custom headers; they overwrite the viewer's.
	Headers []message.Field
	Access  OriginAccess
	// Region is an S3 bucket's region, as Lambda@Edge events show it; "" when it cannot be told from the domain.
	Region string
	// ShieldRegion is "" without Origin Shield. Room: Foregate has one cache, so a shield changes nothing.
	ShieldRegion string
	// HostHeader, SNI and CertificateNames are what a CloudFront Function has set for one request: the Host to send, the name
	// to ask TLS for, and the names for which the certificate may be valid. "" and nil leave it to the rules.
	HostHeader, SNI  string
	CertificateNames []string
	// VPC and MutualTLS tell of origins that CloudFront Functions may do less with. A VPC origin also takes no WebSocket, no gRPC
	// and no Lambda@Edge on origin events (DG-private-content-vpc-origins).
	VPC, MutualTLS bool
	// SourcePath is the origin in the source; PathSource its OriginPath.
	SourcePath, PathSource string
}

// AccessKind is how CloudFront identifies itself to an origin.
type AccessKind uint8

// The kinds of origin access.
const (
	NoAccess AccessKind = iota
	// AccessControl is an origin access control: SigV4 as the service cloudfront.amazonaws.com.
	AccessControl
	// AccessIdentity is the older origin access identity of S3.
	AccessIdentity
)

// Signing is the SigningBehavior of an origin access control.
type Signing uint8

// The signing behaviors.
const (
	SignAlways Signing = iota
	SignNever
	// SignNoOverride leaves a viewer's Authorization alone.
	SignNoOverride
)

// OriginAccess is an origin access control or identity as effects need it: they sign, or pass the principal on in memory.
type OriginAccess struct {
	Kind    AccessKind
	Signing Signing
	// OriginType is s3, lambda, mediastore or mediapackagev2.
	OriginType string
	// ID is that of the control or the identity.
	ID string
	// SourceARN is the distribution's ARN, which bucket and function policies test as AWS:SourceArn.
	SourceARN string
}

// OriginGroup is two origins of which the second one is asked when the first fails.
type OriginGroup struct {
	ID string
	// Members are indexes of Plan.Origins, the primary first.
	Members []int
	// FailoverOn has the status codes that count as a failure; a failed connection always counts.
	FailoverOn []int
	SourcePath string
}

// ErrorResponse is a custom error response.
type ErrorResponse struct {
	// Status is the origin's (or CloudFront's own) error code.
	Status int
	// PagePath is "" when only the TTL is set; ResponseCode is 0 then.
	PagePath     string
	ResponseCode int
	// MinTTL is ErrorCachingMinTTL, 10 s unless set.
	MinTTL     time.Duration
	SourcePath string
}

// GeoRestriction names countries by their ISO codes.
type GeoRestriction struct {
	// Allow is true for a whitelist.
	Allow      bool
	Countries  []string
	SourcePath string
}

// Logging is where standard logs go, those of both versions.
type Logging struct {
	// Where names the places for people; To takes the records, nil for nobody; Needs is what they must have.
	Where      string
	To         Logger
	Needs      accesslog.Needs
	SourcePath string
}

// RealtimeLog is where the real-time log of a behavior goes.
type RealtimeLog struct {
	// Where, To and Needs are as in Logging.
	Where string
	To    Logger
	Needs accesslog.Needs
	// SamplingRate is the percentage of requests that are logged, 1 to 100.
	SamplingRate int64
}

// Event is one of the four points at which functions run.
type Event uint8

// The events, in the order in which a request meets them.
const (
	ViewerRequest Event = iota
	OriginRequest
	OriginResponse
	ViewerResponse
	NumEvents = 4
)

// String returns AWS's name of the event.
func (e Event) String() string {
	return [...]string{"viewer-request", "origin-request", "origin-response", "viewer-response"}[e]
}

// LambdaAssociation is a Lambda@Edge function on an event.
type LambdaAssociation struct {
	Event Event
	// ARN has the version; Name is the function's name for traces.
	ARN, Name   string
	IncludeBody bool
	// Handle is for Effects only: whatever its InvokeLambda needs to find the function without a lookup.
	Handle     any
	SourcePath string
}

// FunctionAssociation is a CloudFront Function on a viewer event.
type FunctionAssociation struct {
	ARN, Name string
	// Function is nil when the code does not compile; Missing says why then.
	Function *cloudfront.Function
	Missing  string
	// Throttle is the function's, nil for none.
	Throttle *cloudfront.Throttle
	// SourcePath is the association in the source.
	SourcePath string
}
