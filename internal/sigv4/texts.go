package sigv4

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// HashAuthorizationInErrors chooses between the two recorded forms of the texts about a malformed Authorization header.
// The older one shows the header itself:
//
//	'x' not a valid key=value pair (missing equal-sign) in Authorization header: 'Bearer x'.
//
// Since 2024 AWS shows the Base64 of the SHA-256 of the whole header value instead (facts: apigateway 3; that it is the
// whole value was checked against a recorded answer whose header is known, LIVE 21105687752 with 56823579749). Foregate
// uses the newer one, which also keeps the credential out of answers and logs.
const HashAuthorizationInErrors = true

func hashed(header string) string {
	sum := sha256.Sum256([]byte(header))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func notKeyValueText(part, header string) string {
	if HashAuthorizationInErrors {
		return "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + hashed(header) + "'."
	}
	return "'" + part + "' not a valid key=value pair (missing equal-sign) in Authorization header: '" + header + "'."
}

// noAlgorithmText: only the beginning is recorded (facts: apigateway 3, LIVE 56823579749); the rest follows its siblings.
func noAlgorithmText(header string) string {
	const text = "Authorization header must begin with the algorithm name, which cannot include an equal-sign"
	if HashAuthorizationInErrors {
		return text + " (hashed with SHA-256 and encoded with Base64): '" + hashed(header) + "'."
	}
	return text + ": '" + header + "'."
}

// missingText lists what c lacks, in AWS's order; "" when nothing is missing.
func missingText(c *claim) string {
	if c.presigned {
		return missingQueryText(c)
	}
	var b strings.Builder
	for _, p := range [...]struct{ name, value string }{{"Credential", c.credential}, {"Signature", c.signature}, {"SignedHeaders", c.signed}} {
		if p.value == "" {
			b.WriteString("Authorization header requires '" + p.name + "' parameter. ")
		}
	}
	if !c.hasDate {
		b.WriteString("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ")
	}
	if b.Len() == 0 {
		return ""
	}
	if HashAuthorizationInErrors {
		return b.String() + "(Hashed with SHA-256 and encoded with Base64) Authorization=" + hashed(c.header)
	}
	return b.String() + "Authorization=" + c.header
}

// missingQueryText has the texts of scratchstack-aws-signature (facts: sigv4-iam 2, LIVE 63169303000).
func missingQueryText(c *claim) string {
	var b strings.Builder
	for _, p := range [...]struct{ name, value string }{{"X-Amz-Credential", c.credential}, {"X-Amz-Signature", c.signature},
		{"X-Amz-SignedHeaders", c.signed}, {"X-Amz-Date", c.date}} {
		if p.value == "" {
			b.WriteString("AWS query-string parameters must include '" + p.name + "'. ")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return b.String() + "Re-examine the query-string parameters."
}

const (
	missingTokenText        = "Missing Authentication Token"
	missingTokenControlText = "Request is missing Authentication Token"
	hostNotSignedText       = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
	unknownKeyText          = "The security token included in the request is invalid."
	// AWS leaves the full stop out where the token does not belong to the key (facts: sigv4-iam 2, LIVE 21122858719).
	wrongTokenText   = "The security token included in the request is invalid"
	expiredTokenText = "The security token included in the request is expired"
	mismatchText     = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
)

func badDateText(date string) string {
	return "Date must be in ISO-8601 'basic format'. Got '" + date + "'. See http://en.wikipedia.org/wiki/ISO_8601"
}

func expiredText(date, now time.Time, life time.Duration) string {
	return "Signature expired: " + date.Format(dateFormat) + " is now earlier than " + now.Add(-life).Format(dateFormat) +
		" (" + now.Format(dateFormat) + " - " + minutes(life) + " min.)"
}

func notYetText(date, now time.Time, skew time.Duration) string {
	return "Signature not yet current: " + date.Format(dateFormat) + " is still later than " + now.Add(skew).Format(dateFormat) +
		" (" + now.Format(dateFormat) + " + " + minutes(skew) + " min.)"
}

func minutes(d time.Duration) string { return strconv.Itoa(int(d / time.Minute)) }

func badAlgorithmText(alg string) string {
	return "Unsupported AWS 'algorithm': '" + alg + "' (only AWS4-HMAC-SHA256 for now). "
}

func badCredentialText(c string) string {
	return "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '" + c + "'"
}

// scopeText says what is wrong with a credential scope; "" when nothing is (facts: sigv4-iam 2, step 8).
func scopeText(c credential, want scope, basic string) string {
	var b strings.Builder
	if want.region != "" && c.region != want.region {
		b.WriteString("Credential should be scoped to a valid region, not '" + c.region + "'. ")
	}
	if c.service != want.service {
		b.WriteString("Credential should be scoped to correct service: '" + want.service + "'. ")
	}
	if c.term != terminator {
		b.WriteString("Credential should be scoped with a valid terminator: 'aws4_request', not '" + c.term + "'. ")
	}
	if c.date != basic[:8] {
		b.WriteString("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + c.date +
			"' != '" + basic[:8] + "', from '" + basic + "'.")
	}
	return b.String()
}

// longMismatchText is the form that API Gateway gives (facts: sigv4-iam 2, LIVE 43572990616).
func longMismatchText(canonical, toSign string) string {
	return mismatchText + "\n\nThe Canonical String for this request should have been\n'" + canonical +
		"'\n\nThe String-to-Sign should have been\n'" + toSign + "'\n"
}

// answer is an error type with its HTTP status.
type answer struct {
	code   string
	status int
}

// answers gives the error types by dialect (facts: sigv4-iam 2; apigateway 3 for ExecuteAPI).
func answerFor(d Dialect, c Cause) answer {
	switch d {
	case Query:
		return queryAnswer(c)
	case S3:
		return s3Answer(c)
	}
	a := jsonAnswer(c)
	if d == ExecuteAPI {
		a.status = 403
	}
	return a
}

func jsonAnswer(c Cause) answer {
	switch c {
	case MissingToken:
		return answer{"MissingAuthenticationTokenException", 403}
	case NotKeyValue, NoAlgorithm, MissingParts, BadDate, BadAlgorithm, BadCredential, BadExpires:
		return answer{"IncompleteSignatureException", 400}
	case UnknownKey, WrongSessionToken:
		return answer{"UnrecognizedClientException", 403}
	case ExpiredKey:
		return answer{"ExpiredTokenException", 403}
	}
	return answer{"InvalidSignatureException", 403}
}

func queryAnswer(c Cause) answer {
	switch c {
	case MissingToken:
		return answer{"MissingAuthenticationToken", 403}
	case NotKeyValue, NoAlgorithm, MissingParts, BadDate, BadAlgorithm, BadCredential, BadExpires:
		return answer{"IncompleteSignature", 400}
	case UnknownKey, WrongSessionToken:
		return answer{"InvalidClientTokenId", 403}
	case ExpiredKey:
		return answer{"ExpiredToken", 403}
	}
	return answer{"SignatureDoesNotMatch", 403}
}
