// Package diag holds what Foregate tells people: findings, the positions they point at, and the errors of the AWS API that
// they stand for.
//
// Start with Finding. A finding is data: lint prints it, explain prints it, and where AWS would refuse the configuration
// its AWSError is what the API returns. The package knows nothing about any AWS service; the codes are declared here
// because the documentation, lint and explain must agree on them.
package diag

import (
	"fmt"
	"strings"
)

// Severity says what a finding does to the exit status: only Error makes a command fail.
type Severity uint8

// The severities, in ascending order.
const (
	Info Severity = iota
	Warning
	Error
)

// String returns the name that the JSON output uses.
func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText makes severities readable in JSON.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Severity) UnmarshalText(b []byte) error {
	for _, v := range []Severity{Info, Warning, Error} {
		if v.String() == string(b) {
			*s = v
			return nil
		}
	}
	return fmt.Errorf("parse severity %q: want info, warning or error", b)
}

// Code names a kind of finding, the same in lint, explain and docs/findings.
type Code string

// The finding codes. docs/findings has a page for each.
const (
	HostReachesExecuteAPI           Code = "host-reaches-execute-api"
	AuthorizationNotForwarded       Code = "authorization-not-forwarded"
	AuthorizationInOriginRequest    Code = "authorization-in-origin-request-policy"
	AuthorizedResponseCachedForAll  Code = "authorized-response-cached-for-all"
	QueryStringDropped              Code = "query-string-dropped"
	CORSHeadersDropped              Code = "cors-headers-dropped"
	CookieDropped                   Code = "cookie-dropped"
	ZeroTTLWithCacheKey             Code = "zero-ttl-with-cache-key"
	SignatureForAnotherHost         Code = "signature-for-another-host"
	OriginPathMissesStage           Code = "origin-path-misses-stage"
	PathPatternIsNoAlias            Code = "path-pattern-is-no-alias"
	BehaviorUnreachable             Code = "behavior-unreachable"
	ErrorPageHidesAPIError          Code = "error-page-hides-api-error"
	ViewerProtocolDropsMethod       Code = "viewer-protocol-drops-method"
	OACNeedsPayloadHash             Code = "oac-needs-payload-hash"
	CertificateRegion               Code = "certificate-region"
	EdgeOptimizedBehindDistribution Code = "edge-optimized-behind-distribution"
	UnsupportedProperty             Code = "unsupported-property"
	UnsupportedResourceType         Code = "unsupported-resource-type"
	InvalidTemplate                 Code = "invalid-template"
	InvalidParameter                Code = "invalid-parameter"
	RefusedByAWS                    Code = "refused-by-aws"
	FunctionFailed                  Code = "function-failed"
	FunctionSyntax                  Code = "function-syntax"
	PermissionMissing               Code = "permission-missing"
	UnknownHost                     Code = "unknown-host"
	AccessDenied                    Code = "access-denied"
	DomainFronting                  Code = "domain-fronting"
	ViewerCertificateMissing        Code = "viewer-certificate-missing"
	CountryRestricted               Code = "country-restricted"
	ViewerPlaceUnknown              Code = "viewer-place-unknown"
	SignedURLMissing                Code = "signed-url-missing"
	SignedURLUnknownKey             Code = "signed-url-unknown-key"
	SignedURLMalformed              Code = "signed-url-malformed"
	SignedURLMismatch               Code = "signed-url-mismatch"
	SignedURLDenied                 Code = "signed-url-denied"
	OriginUnreachable               Code = "origin-unreachable"
	VPCOriginRestricted             Code = "vpc-origin-restricted"
	WebSocketHeadersDropped         Code = "websocket-headers-dropped"
	RuntimeMissing                  Code = "runtime-missing"
	TemplateCodeMissing             Code = "function-code-missing"
)

// Position is a place in a file that a person wrote. Line and Column count from 1; a zero Line means the whole file, and
// the zero Position means that the finding is about no file.
type Position struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
}

// String returns file:line:column with the unknown parts left off, as compilers print it.
func (p Position) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		if b.Len() > 0 {
			b.WriteByte(':')
		}
		fmt.Fprintf(&b, "%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	return b.String()
}

// AWSError is the error that AWS's API gives for a refused configuration. Message is AWS's text to the letter; Status is
// the HTTP status of the answer.
type AWSError struct {
	Code    string `json:"code"`
	Status  int    `json:"status"`
	Message string `json:"message"`
}

// Finding is one thing that a person should know about a configuration or a request.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Message says what is wrong in one sentence, with the value quoted.
	Message string `json:"message"`
	// Because lists the facts that lead to the message, in order.
	Because []string `json:"because,omitempty"`
	// Fixes lists ways out, the best first; each can be done on its own.
	Fixes []string `json:"fixes,omitempty"`
	// Path is the place in the source, as Resources.Site.Properties.…; within one resource before the stack has
	// added the front part.
	Path     string   `json:"path,omitempty"`
	Position Position `json:"position,omitzero"`
	// Doc is the address of the page of AWS's manual that states the rule.
	Doc string `json:"doc,omitempty"`
	// AWSError is set when AWS refuses the configuration: what its API answers.
	AWSError *AWSError `json:"awsError,omitempty"`
}

// Error makes a finding usable as an error: position, message and AWS's words.
func (f *Finding) Error() string {
	var b strings.Builder
	if p := f.Position.String(); p != "" {
		b.WriteString(p)
		b.WriteString(": ")
	}
	b.WriteString(f.Message)
	return b.String()
}

// Worst returns the highest severity among findings, Info when there are none.
func Worst(findings []Finding) Severity {
	worst := Info
	for i := range findings {
		worst = max(worst, findings[i].Severity)
	}
	return worst
}
