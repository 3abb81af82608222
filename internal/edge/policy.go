package edge

// Mode is how a policy names headers, cookies or query strings; the values are the API's own.
type Mode string

// The modes. Cache policies know none and whitelist for headers, and none, whitelist, allExcept and all for the others;
// origin request policies know all (facts: cloudfront-policies 4).
const (
	None                            Mode = "none"
	Whitelist                       Mode = "whitelist"
	AllExcept                       Mode = "allExcept"
	All                             Mode = "all"
	AllViewer                       Mode = "allViewer"
	AllViewerAndWhitelistCloudFront Mode = "allViewerAndWhitelistCloudFront"
)

// Selection is one part of a policy: which headers, cookies or query strings.
type Selection struct {
	Mode  Mode
	Names []string
}

// CachePolicy is a cache policy as plain data, in the API's terms. TTLs are seconds.
type CachePolicy struct {
	ID, Name, Comment              string
	MinTTL, DefaultTTL, MaxTTL     int64
	Gzip, Brotli                   bool
	Headers, Cookies, QueryStrings Selection
}

// OriginRequestPolicy is an origin request policy as plain data.
type OriginRequestPolicy struct {
	ID, Name, Comment              string
	Headers, Cookies, QueryStrings Selection
}

// ForwardedValues is the legacy setting that policies replace (facts: cloudfront-dataplane 17).
type ForwardedValues struct {
	QueryString bool
	// QueryStringCacheKeys narrows the cache key; all query strings are forwarded all the same.
	QueryStringCacheKeys []string
	// Cookies has mode none, whitelist or all; names may hold wildcards.
	Cookies Selection
	// Headers names headers to forward and to key on; "*" forwards all and turns caching off.
	Headers []string
}

// ResponseHeadersPolicy is a response headers policy as plain data (facts: cloudfront-policies 8).
type ResponseHeadersPolicy struct {
	ID, Name, Comment string
	CORS              *CORS
	Security          *SecurityHeaders
	ServerTiming      *ServerTiming
	Custom            []CustomHeader
	Remove            []string
}

// CORS is the CorsConfig of a response headers policy.
type CORS struct {
	AllowOrigins, AllowHeaders, AllowMethods, ExposeHeaders []string
	AllowCredentials                                        bool
	// MaxAge is in seconds; nil when not set.
	MaxAge         *int64
	OriginOverride bool
}

// SecurityHeaders is the SecurityHeadersConfig; nil members are not set.
type SecurityHeaders struct {
	ContentSecurityPolicy *OverridableValue
	// ContentTypeOptions adds nosniff; its Value is not read.
	ContentTypeOptions *OverridableValue
	// FrameOptions' value is DENY or SAMEORIGIN.
	FrameOptions            *OverridableValue
	ReferrerPolicy          *OverridableValue
	StrictTransportSecurity *StrictTransportSecurity
	XSSProtection           *XSSProtection
}

// OverridableValue is a header's value and whether it replaces the origin's.
type OverridableValue struct {
	Value    string
	Override bool
}

// StrictTransportSecurity makes that header; MaxAge is in seconds.
type StrictTransportSecurity struct {
	MaxAge                               int64
	IncludeSubdomains, Preload, Override bool
}

// XSSProtection makes X-XSS-Protection.
type XSSProtection struct {
	Protection, ModeBlock, Override bool
	ReportURI                       string
}

// ServerTiming is the ServerTimingHeadersConfig; SamplingRate is a percentage.
type ServerTiming struct {
	Enabled      bool
	SamplingRate float64
}

// CustomHeader is one entry of CustomHeadersConfig.
type CustomHeader struct {
	Name, Value string
	Override    bool
}
