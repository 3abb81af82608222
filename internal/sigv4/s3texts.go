package sigv4

// The texts of S3. Sources: the S3 API reference's list of error responses (AmazonS3 API/ErrorResponses, API/sigv4-troubleshooting
// in groovy-sky/aws-docs) for the codes and statuses; what that list words loosely is as S3 is quoted in public (LIVE
// 81350541, localstack's AWS-validated s3 tests).

func s3Answer(c Cause) answer {
	switch c {
	case MissingToken, HeadersNotSigned, Expired:
		return answer{"AccessDenied", 403}
	case NotKeyValue, NoAlgorithm, MissingParts, BadCredential, BadScope, HostNotSigned:
		return answer{"AuthorizationHeaderMalformed", 400}
	case BadAlgorithm, TwoSignatures:
		return answer{"InvalidArgument", 400}
	case BadDate:
		return answer{"AccessDenied", 403}
	case NotYetCurrent:
		return answer{"RequestTimeTooSkewed", 403}
	case UnknownKey:
		return answer{"InvalidAccessKeyId", 403}
	case WrongSessionToken:
		return answer{"InvalidToken", 400}
	case ExpiredKey:
		return answer{"ExpiredToken", 400}
	case MissingPayloadHash:
		return answer{"InvalidRequest", 400}
	case BadExpires:
		return answer{"AuthorizationQueryParametersError", 400}
	}
	return answer{"SignatureDoesNotMatch", 403}
}

// s3Text returns S3's message for a cause; detail is what the dialect-neutral text would have been made from.
func s3Text(e *Error, c *claim, want scope) {
	switch e.Cause {
	case MissingToken:
		e.Message = "Access Denied"
	case NotKeyValue, NoAlgorithm, MissingParts:
		e.Message = "The authorization header is malformed; the authorization header requires three components: Credential, SignedHeaders, and Signature."
		if c.presigned {
			e.Type = "AuthorizationQueryParametersError"
			e.Message = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
		} else if c.credential != "" && c.signature != "" && c.signed != "" {
			e.Type, e.Status = "AccessDenied", 403
			e.Message = "AWS authentication requires a valid Date or x-amz-date header"
		}
	case BadDate:
		e.Message = "AWS authentication requires a valid Date or x-amz-date header"
		if c.presigned {
			e.Type, e.Status = "AuthorizationQueryParametersError", 400
			e.Message = `X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`
		}
	case Expired:
		e.Message = "Request has expired"
		if !c.presigned {
			e.Type = "RequestTimeTooSkewed"
			e.Message = "The difference between the request time and the current time is too large."
		}
	case NotYetCurrent:
		e.Message = "The difference between the request time and the current time is too large."
		if c.presigned {
			e.Type, e.Message = "AccessDenied", "Request is not valid yet"
		}
	case HostNotSigned:
		e.Type, e.Status = "SignatureDoesNotMatch", 403
		e.Message = s3MismatchText
	case BadAlgorithm:
		e.Message = "Unsupported Authorization Type"
		if c.presigned {
			e.Type = "AuthorizationQueryParametersError"
			e.Message = `X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"`
		}
	case BadCredential:
		e.Message = s3Where(e, c) + `the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".`
	case BadScope:
		s3ScopeText(e, c, want)
	case UnknownKey:
		e.Message = "The AWS Access Key Id you provided does not exist in our records."
	case Mismatch:
		e.Message = s3MismatchText
	case WrongSessionToken:
		e.Message = "The provided token is malformed or otherwise invalid."
	case ExpiredKey:
		e.Message = "The provided token has expired."
	case HeadersNotSigned:
		e.Message = "There were headers present in the request which were not signed"
	case TwoSignatures:
		e.Message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"
	case BadExpires:
		e.Message = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
	}
}

const s3MismatchText = "The request signature we calculated does not match the signature you provided. Check your key and signing method."

// s3Where begins the texts about a Credential, in the header or in the query.
func s3Where(e *Error, c *claim) string {
	if c.presigned {
		e.Type = "AuthorizationQueryParametersError"
		return "Error parsing the X-Amz-Credential parameter; "
	}
	return "The authorization header is malformed; "
}

func s3ScopeText(e *Error, c *claim, want scope) {
	where := s3Where(e, c)
	cred, _ := parseCredential(c.credential)
	switch {
	case want.region != "" && cred.region != want.region:
		e.Region = want.region
		e.Message = where + "the region '" + cred.region + "' is wrong; expecting '" + want.region + "'"
	case cred.service != want.service:
		e.Message = where + `incorrect service "` + cred.service + `". This endpoint belongs to "` + want.service + `".`
	case cred.term != terminator:
		e.Message = where + `incorrect terminal "` + cred.term + `". This endpoint uses "aws4_request".`
	default:
		e.Message = where + `incorrect date format "` + cred.date + `". This date in the credential must be in the format "yyyyMMdd".`
	}
}
