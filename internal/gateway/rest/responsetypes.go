package rest

// ResponseType is a gateway response type.
type ResponseType string

// The gateway response types (facts: apigateway 3).
const (
	AccessDenied              ResponseType = "ACCESS_DENIED"
	APIConfigurationError     ResponseType = "API_CONFIGURATION_ERROR"
	AuthorizerConfiguration   ResponseType = "AUTHORIZER_CONFIGURATION_ERROR"
	AuthorizerFailure         ResponseType = "AUTHORIZER_FAILURE"
	BadRequestBody            ResponseType = "BAD_REQUEST_BODY"
	BadRequestParameters      ResponseType = "BAD_REQUEST_PARAMETERS"
	Default4XX                ResponseType = "DEFAULT_4XX"
	Default5XX                ResponseType = "DEFAULT_5XX"
	ExpiredToken              ResponseType = "EXPIRED_TOKEN"
	IntegrationFailure        ResponseType = "INTEGRATION_FAILURE"
	IntegrationTimeout        ResponseType = "INTEGRATION_TIMEOUT"
	InvalidAPIKey             ResponseType = "INVALID_API_KEY"
	InvalidSignature          ResponseType = "INVALID_SIGNATURE"
	MissingAuthenticationType ResponseType = "MISSING_AUTHENTICATION_TOKEN"
	QuotaExceeded             ResponseType = "QUOTA_EXCEEDED"
	RequestTooLarge           ResponseType = "REQUEST_TOO_LARGE"
	ResourceNotFound          ResponseType = "RESOURCE_NOT_FOUND"
	Throttled                 ResponseType = "THROTTLED"
	Unauthorized              ResponseType = "UNAUTHORIZED"
	UnsupportedMediaType      ResponseType = "UNSUPPORTED_MEDIA_TYPE"
	WAFFiltered               ResponseType = "WAF_FILTERED"
)
