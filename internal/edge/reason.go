package edge

// Reason says why a phase decided as it did.
type Reason uint8

// The reasons, by phase.
const (
	ReasonNone Reason = iota
	ReasonUnknownHost
	ReasonDisabled
	ReasonAccepted
	ReasonURITooLong
	ReasonBodyTooBig
	ReasonHeadTooBig
	ReasonMalformed
	ReasonBadMethod
	ReasonChain
	ReasonFronting
	ReasonNoCertificate
	ReasonPattern
	ReasonDefaultBehavior
	ReasonRedirect
	ReasonRedirectOldProtocol
	ReasonHTTPSRequired
	ReasonMethodNotAllowed
	ReasonGETBody
	ReasonCountry
	ReasonSignatureMissing
	ReasonSignatureKey
	ReasonSignatureIncomplete
	ReasonSignaturePolicy
	ReasonSignatureEncoding
	ReasonSignatureHash
	ReasonSignatureMismatch
	ReasonSignatureResource
	ReasonSignatureExpired
	ReasonSignatureNotYet
	ReasonSignatureAddress
	ReasonAllowed
	ReasonNoFunction
	ReasonFunctionContinues
	ReasonFunctionChanged
	ReasonFunctionAnswered
	ReasonFunctionInvalid
	ReasonFunctionFailed
	ReasonFunctionThrottled
	ReasonNotForErrors
	ReasonNotForGenerated
	ReasonHit
	ReasonHitError
	ReasonHitConditional
	ReasonHitShared
	ReasonHitPart
	ReasonHitCoding
	ReasonStaleWhileRevalidate
	ReasonMiss
	ReasonLost
	ReasonExpired
	ReasonNotCached
	ReasonMethodNotCached
	ReasonCachingDisabled
	ReasonBuilt
	ReasonFetched
	ReasonRevalidated
	ReasonStale
	ReasonFailover
	ReasonOriginDNS
	ReasonOriginConnect
	ReasonOriginClosed
	ReasonOriginTLS
	ReasonOriginTimeout
	ReasonOriginInvalid
	ReasonOriginRange
	ReasonOriginTooLarge
	ReasonPassed
	ReasonCustomPage
	ReasonCustomPageFailed
	ReasonNoCustomPage
	ReasonStored
	ReasonStoredError
	ReasonStoredPart
	ReasonNotStoredStatus
	ReasonNotStoredControl
	ReasonNotStoredPartial
	ReasonNotStoredAuthorization
	ReasonNoPolicy
	ReasonPolicyApplied
	ReasonDelivered
	ReasonNoLog
	ReasonLogged
	ReasonLogElsewhere
	ReasonNotLogged
	ReasonInternal
	ReasonLambdaJSON
	ReasonCanceled
	reasonCount
)

// String returns the reason in words.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonTexts[r]
	}
	return ""
}

var reasonTexts = [reasonCount]string{
	ReasonUnknownHost:            "no distribution has this Host among its names",
	ReasonDisabled:               "the distribution is disabled",
	ReasonAccepted:               "the Host header names this distribution",
	ReasonBodyTooBig:             "the body is longer than 64 GB",
	ReasonURITooLong:             "the URL is longer than 8,192 bytes",
	ReasonMalformed:              "the request is malformed",
	ReasonHeadTooBig:             "request line and headers are longer than 32,768 bytes",
	ReasonBadMethod:              "CloudFront does not know the method",
	ReasonChain:                  "the request has already passed two distributions",
	ReasonFronting:               "the connection was made to another name, whose certificate neither covers the Host nor belongs to the account (domain fronting)",
	ReasonNoCertificate:          "viewers have to show a certificate, and this one has none: the handshake fails",
	ReasonPattern:                "the first path pattern in order that matches",
	ReasonDefaultBehavior:        "no path pattern matches, so the default behavior answers",
	ReasonRedirect:               "the viewer protocol policy is redirect-to-https and the request came over HTTP",
	ReasonRedirectOldProtocol:    "a redirect of this method needs HTTP/1.1 or newer",
	ReasonHTTPSRequired:          "the viewer protocol policy is https-only and the request came over HTTP",
	ReasonMethodNotAllowed:       "the behavior does not allow the method",
	ReasonGETBody:                "a GET request has a body",
	ReasonAllowed:                "protocol and method are allowed",
	ReasonNoFunction:             "no function on this event",
	ReasonFunctionContinues:      "the function returned it unchanged",
	ReasonFunctionChanged:        "the function returned it changed",
	ReasonFunctionAnswered:       "the function answered itself",
	ReasonFunctionInvalid:        "what the function returned is not valid",
	ReasonFunctionFailed:         "the function failed or cannot run",
	ReasonFunctionThrottled:      "the function was throttled",
	ReasonNotForErrors:           "viewer-response functions do not run for status 400 and above",
	ReasonNotForGenerated:        "viewer-response functions do not run for what a viewer-request function answered",
	ReasonHit:                    "a fresh object is in the cache",
	ReasonHitError:               "an error of the origin is in the cache",
	ReasonHitConditional:         "the viewer has the object that is in the cache",
	ReasonHitCoding:              "a compressed version is stored that the viewer accepts as well",
	ReasonHitShared:              "the same object is being fetched, so this request waits for it",
	ReasonHitPart:                "the part that the request asks for is in the cache",
	ReasonStaleWhileRevalidate:   "the object has expired; stale-while-revalidate lets it answer while it is fetched anew",
	ReasonMiss:                   "the cache does not have the object",
	ReasonLost:                   "the body of the object is not on disk any more, or not as it was written",
	ReasonExpired:                "the object in the cache has expired, so the origin is asked whether it changed",
	ReasonNotCached:              "this request is not answered from the cache",
	ReasonMethodNotCached:        "answers to this method are not cached",
	ReasonCachingDisabled:        "caching is disabled: all TTLs are zero, or all headers are forwarded",
	ReasonBuilt:                  "the request to the origin is ready",
	ReasonFetched:                "the origin answered",
	ReasonRevalidated:            "the origin says that the object has not changed",
	ReasonStale:                  "the origin failed, so the expired object is served",
	ReasonFailover:               "the primary origin failed, so the second one of the group is asked",
	ReasonOriginDNS:              "the origin's domain name does not resolve",
	ReasonOriginConnect:          "the origin cannot be connected to",
	ReasonOriginClosed:           "the origin closed the connection",
	ReasonOriginTLS:              "the TLS handshake with the origin failed",
	ReasonOriginTimeout:          "the origin did not answer in time",
	ReasonOriginInvalid:          "the origin's answer is not valid HTTP",
	ReasonOriginRange:            "Content-Length of the origin's answer is not the length in its Content-Range",
	ReasonOriginTooLarge:         "the origin's body is larger than 50 GB: CloudFront does not fetch it where caching is enabled",
	ReasonPassed:                 "the answer passes unchanged",
	ReasonCustomPage:             "a custom error response replaces the error",
	ReasonCustomPageFailed:       "the page of the custom error response cannot be fetched; its status is delivered",
	ReasonNoCustomPage:           "no custom error response for this status",
	ReasonStored:                 "the object is stored",
	ReasonStoredError:            "the error is stored for the error caching time",
	ReasonStoredPart:             "the part is stored, with what is known of the object",
	ReasonNotStoredStatus:        "answers with this status are not stored",
	ReasonNotStoredControl:       "Cache-Control of the answer, with minimum TTL zero, forbids storing",
	ReasonNotStoredPartial:       "a part that cannot be placed in its object is not stored, nor is an answer about a condition or a range",
	ReasonNotStoredAuthorization: "the viewer's Authorization reached the origin and is not in the cache key, and the origin does not say that others may have the answer",
	ReasonNoPolicy:               "no response headers policy",
	ReasonPolicyApplied:          "the response headers policy is applied",
	ReasonDelivered:              "the answer is on its way to the viewer",
	ReasonNoLog:                  "no log of the request is asked for",
	ReasonLogged:                 "the record of the request is on its way",
	ReasonLogElsewhere:           "no destination of the log is here: nothing is written",
	ReasonNotLogged:              "CloudFront does not log requests whose URL or head is too long",
	ReasonInternal:               "Foregate made a mistake",
	ReasonLambdaJSON:             "what the function returned is not JSON",
	ReasonCanceled:               "the viewer has gone",

	ReasonCountry:             "the geo restriction excludes the viewer's country",
	ReasonSignatureMissing:    "the behavior takes signed URLs and cookies only, and there is no Key-Pair-Id",
	ReasonSignatureKey:        "no key that the behavior trusts has this Key-Pair-Id",
	ReasonSignatureIncomplete: "there is a Key-Pair-Id, and no signature, or neither a policy nor an expiry time",
	ReasonSignaturePolicy:     "the policy cannot be read",
	ReasonSignatureEncoding:   "the signature is not in CloudFront's base64, with - for +, _ for = and ~ for /",
	ReasonSignatureHash:       "the hash algorithm is neither SHA1 nor SHA256",
	ReasonSignatureMismatch:   "the signature is not valid for this address and policy",
	ReasonSignatureResource:   "the signature is valid, and its policy is for another address",
	ReasonSignatureExpired:    "the signature is valid, and has expired",
	ReasonSignatureNotYet:     "the signature is valid, and its time has not come yet",
	ReasonSignatureAddress:    "the signature is valid, and the viewer is not in the network of its policy",
}

// Cause is the Detail of a Refused fact: the cause in the engine's terms, from which findings are made.
type Cause string

// The causes.
const (
	CauseUnknownHost Cause = "unknown-host"
	CauseDisabled    Cause = "distribution-disabled"
	CauseURITooLong  Cause = "uri-too-long"
	CauseBodyTooBig  Cause = "body-too-big"
	CauseHeadTooBig  Cause = "head-too-big"
	CauseMethod      Cause = "method-not-allowed"
	CauseGETBody     Cause = "get-with-body"
	CauseHTTPS       Cause = "https-required"
	CauseRedirect    Cause = "redirected-to-https"
	// CauseCountry is a geo restriction; Name is the viewer's country.
	CauseCountry Cause = "country-restricted"
	// The causes about signed URLs and cookies: none, a key that is not trusted, what cannot be read, one that does not match,
	// and one whose policy does not allow the request.
	CauseSignatureMissing   Cause = "signature-missing"
	CauseSignatureKey       Cause = "signature-key-unknown"
	CauseSignatureMalformed Cause = "signature-malformed"
	CauseSignatureMismatch  Cause = "signature-mismatch"
	CauseSignatureDenied    Cause = "signature-denied"
	CauseOriginDNS          Cause = "origin-dns"
	CauseOriginConnect      Cause = "origin-connect"
	CauseOriginTLS          Cause = "origin-tls"
	CauseOriginTimeout      Cause = "origin-timeout"
	CauseOriginClosed       Cause = "origin-closed"
	CauseOriginInvalid      Cause = "origin-invalid-response"
	CauseOriginRange        Cause = "origin-range-length"
	CauseOriginTooLarge     Cause = "origin-body-too-large"
	CauseFunctionInvalid    Cause = "function-result-invalid"
	CauseFunctionFailed     Cause = "function-failed"
	CauseFunctionThrottle   Cause = "function-throttled"
	// CauseErrorPage is a custom error response in place of the origin's error; Name is the origin's status.
	CauseErrorPage Cause = "custom-error-response"
	// CauseFronting is a request that came on a connection for another name; Name is that name.
	CauseFronting Cause = "domain-fronting"
	// CauseNoCertificate is a viewer without the certificate that it needs.
	CauseNoCertificate Cause = "no-client-certificate"
	// CauseChain is a request that has passed too many distributions.
	CauseChain Cause = "too-many-distributions"
)
