package rest

import "github.com/foregate/foregate/internal/gateway"

// Reason is why a phase decided as it did.
type Reason uint8

// The reasons. Those from reasonUnknownStage on refuse the request.
const (
	reasonNone Reason = iota
	reasonMatched
	reasonNoPolicy
	reasonPolicyAllows
	reasonPolicyLater
	reasonOpen
	reasonSigned
	reasonAuthorizer
	reasonAuthorizerCached
	reasonWithinLimits
	reasonNoValidator
	reasonValid
	reasonEvent
	reasonTemplate
	reasonPassthrough
	reasonProxied
	reasonMock
	reasonAnswered
	reasonProxyResponse
	reasonSelected
	reasonDefaultResponse
	reasonDelivered
	reasonBuiltIn
	reasonCustomised
	reasonLogged
	reasonNoLog

	reasonUnknownStage
	reasonEndpointDisabled
	reasonUnknownResource
	reasonUnknownMethod
	reasonTooLong
	reasonBodyUnreadable
	reasonPolicyImplicit
	reasonPolicyExplicit
	reasonMissingAuthentication
	reasonIncompleteSignature
	reasonInvalidSignature
	reasonMismatch
	reasonUnknownKey
	reasonExpiredToken
	reasonIAMImplicit
	reasonIAMExplicit
	reasonNoToken
	reasonTokenPattern
	reasonAuthorizerRefused
	reasonAuthorizerFailed
	reasonAuthorizerOutput
	reasonAuthorizerImplicit
	reasonAuthorizerExplicit
	reasonCognito
	reasonAPIKey
	reasonThrottled
	reasonQuota
	reasonParameters
	reasonBody
	reasonModel
	reasonMediaType
	reasonTemplateFailed
	reasonNoIntegration
	reasonProxyMethod
	reasonEndpoint
	reasonHeader
	reasonService
	reasonPermission
	reasonRole
	reasonFunctionMissing
	reasonInvoke
	reasonFunctionError
	reasonMalformed
	reasonBase64
	reasonTimeout
	reasonNetwork
	reasonMockStatus
	reasonNoResponse
	reasonBodyIncomplete
	reasonInternal
	reasonCount
)

// The causes in Refused facts; package gateway has those of hosts and stages.
const (
	CauseUnknownResource       = "unknown-resource"
	CauseUnknownMethod         = "unknown-method"
	CauseRequestTooLong        = "request-too-long"
	CauseBodyUnreadable        = "request-body-unreadable"
	CauseResourcePolicyMissing = "resource-policy-implicit-deny"
	CauseResourcePolicyDenies  = "resource-policy-explicit-deny"
	CauseMissingAuthentication = "missing-authentication"
	CauseIncompleteSignature   = "incomplete-signature"
	CauseInvalidSignature      = "invalid-signature"
	CauseSignatureMismatch     = "signature-mismatch"
	CauseUnknownAccessKey      = "unknown-access-key"
	CauseExpiredToken          = "expired-token"
	CauseIAMImplicitDeny       = "iam-implicit-deny"
	CauseIAMExplicitDeny       = "iam-explicit-deny"
	CauseIdentitySource        = "identity-source-missing"
	CauseTokenPattern          = "identity-validation-mismatch"
	CauseAuthorizerRefused     = "authorizer-unauthorized"
	CauseAuthorizerFailed      = "authorizer-failed"
	CauseAuthorizerOutput      = "authorizer-output-malformed"
	CauseAuthorizerImplicit    = "authorizer-implicit-deny"
	CauseAuthorizerExplicit    = "authorizer-explicit-deny"
	CauseCognitoUnsupported    = "cognito-unsupported"
	CauseInvalidAPIKey         = "invalid-api-key"
	CauseThrottled             = "throttled"
	CauseQuotaExceeded         = "quota-exceeded"
	CauseParametersMissing     = "required-parameters-missing"
	CauseInvalidBody           = "body-does-not-match-model"
	CauseModelUnusable         = "model-unusable"
	CauseUnsupportedMediaType  = "unsupported-media-type"
	CauseTemplateFailed        = "template-failed"
	CauseNoIntegration         = "no-integration"
	CauseProxyMethod           = "lambda-proxy-needs-post"
	CauseInvalidEndpoint       = "invalid-endpoint"
	CauseForbiddenHeader       = "header-cannot-be-mapped"
	CauseServiceUnsupported    = "aws-service-unsupported"
	CauseLambdaPermission      = "lambda-permission-missing"
	CauseRole                  = "integration-role-cannot-be-used"
	CauseFunctionMissing       = "function-missing"
	CauseInvokeFailed          = "invoke-failed"
	CauseFunctionError         = "function-error"
	CauseMalformedResponse     = "malformed-proxy-response"
	CauseInvalidBase64         = "invalid-base64"
	CauseIntegrationTimeout    = "integration-timeout"
	CauseIntegrationNetwork    = "integration-unreachable"
	CauseMockStatusCode        = "mock-without-status-code"
	CauseNoIntegrationResponse = "no-integration-response"
	CauseResponseIncomplete    = "integration-response-incomplete"
	CauseInternal              = "internal"
)

// reasonTexts has the words of each reason and, for those that refuse, the cause.
var reasonTexts = [reasonCount]struct{ cause, text string }{
	reasonNone:             {"", ""},
	reasonMatched:          {"", "the path and the method have a resource"},
	reasonNoPolicy:         {"", "the API has no resource policy"},
	reasonPolicyAllows:     {"", "the resource policy allows the caller"},
	reasonPolicyLater:      {"", "the resource policy is decided together with the caller's own"},
	reasonOpen:             {"", "the method asks for no authorization"},
	reasonSigned:           {"", "the signature is right and the policies allow the caller"},
	reasonAuthorizer:       {"", "the authorizer's policy allows the request"},
	reasonAuthorizerCached: {"", "the authorizer's cached policy allows the request"},
	reasonWithinLimits:     {"", "keys and limits let the request through"},
	reasonNoValidator:      {"", "the method validates nothing"},
	reasonValid:            {"", "parameters and body are as the method asks"},
	reasonEvent:            {"", "the request becomes a Lambda proxy event"},
	reasonTemplate:         {"", "the mapping template of the content type made the body"},
	reasonPassthrough:      {"", "no template for the content type: the body passes"},
	reasonProxied:          {"", "the request passes as it came"},
	reasonMock:             {"", "a mock calls nothing"},
	reasonAnswered:         {"", "the integration answered"},
	reasonProxyResponse:    {"", "a proxy integration's answer passes"},
	reasonSelected:         {"", "a selection pattern matches"},
	reasonDefaultResponse:  {"", "no selection pattern matches: the default response"},
	reasonDelivered:        {"", "the answer is complete"},
	reasonBuiltIn:          {"", "the error has API Gateway's own answer"},
	reasonCustomised:       {"", "the error has a gateway response"},
	reasonLogged:           {"", "the access log has a line"},
	reasonNoLog:            {"", "the stage has no access log"},

	reasonUnknownStage:          {gateway.CauseUnknownStage, "the API has no such stage"},
	reasonEndpointDisabled:      {gateway.CauseEndpointDisabled, "the API's default endpoint is switched off"},
	reasonUnknownResource:       {CauseUnknownResource, "no resource has this path; API Gateway says so as if a signature were missing"},
	reasonUnknownMethod:         {CauseUnknownMethod, "the resource has no such method; API Gateway says so as if a signature were missing"},
	reasonTooLong:               {CauseRequestTooLong, "the body is larger than 10 MB"},
	reasonBodyUnreadable:        {CauseBodyUnreadable, "the body ended early"},
	reasonPolicyImplicit:        {CauseResourcePolicyMissing, "no statement of the resource policy allows the caller"},
	reasonPolicyExplicit:        {CauseResourcePolicyDenies, "a statement of the resource policy denies the caller"},
	reasonMissingAuthentication: {CauseMissingAuthentication, "the method asks for a SigV4 signature and there is none"},
	reasonIncompleteSignature:   {CauseIncompleteSignature, "the Authorization header is no complete SigV4 signature"},
	reasonInvalidSignature:      {CauseInvalidSignature, "the signature's date, scope or form is wrong"},
	reasonMismatch:              {CauseSignatureMismatch, "the signature was computed from another request or with another secret"},
	reasonUnknownKey:            {CauseUnknownAccessKey, "the access key does not exist"},
	reasonExpiredToken:          {CauseExpiredToken, "the temporary credentials have expired"},
	reasonIAMImplicit:           {CauseIAMImplicitDeny, "no policy allows the caller to invoke this method"},
	reasonIAMExplicit:           {CauseIAMExplicitDeny, "a policy denies the caller this method"},
	reasonNoToken:               {CauseIdentitySource, "the authorizer's identity source is missing or empty"},
	reasonTokenPattern:          {CauseTokenPattern, "the token does not match the identity validation expression"},
	reasonAuthorizerRefused:     {CauseAuthorizerRefused, "the authorizer answered Unauthorized"},
	reasonAuthorizerFailed:      {CauseAuthorizerFailed, "the authorizer could not be called, or failed"},
	reasonAuthorizerOutput:      {CauseAuthorizerOutput, "the authorizer's output is not a principalId with a policy"},
	reasonAuthorizerImplicit:    {CauseAuthorizerImplicit, "the authorizer's policy does not allow this method"},
	reasonAuthorizerExplicit:    {CauseAuthorizerExplicit, "the authorizer's policy denies this method"},
	reasonCognito:               {CauseCognitoUnsupported, "Foregate does not check tokens of Cognito authorizers of REST APIs yet"},
	reasonAPIKey:                {CauseInvalidAPIKey, "the API key is missing, disabled, or in no usage plan of this stage"},
	reasonThrottled:             {CauseThrottled, "the rate limit is used up"},
	reasonQuota:                 {CauseQuotaExceeded, "the usage plan's quota is used up"},
	reasonParameters:            {CauseParametersMissing, "required parameters are missing or blank"},
	reasonBody:                  {CauseInvalidBody, "the body does not match its model"},
	reasonModel:                 {CauseModelUnusable, "the model of the content type cannot be used"},
	reasonMediaType:             {CauseUnsupportedMediaType, "no template for the content type, and passthrough is off"},
	reasonTemplateFailed:        {CauseTemplateFailed, "the mapping template failed"},
	reasonNoIntegration:         {CauseNoIntegration, "the method has no integration"},
	reasonProxyMethod:           {CauseProxyMethod, "a Lambda integration must use POST towards Lambda"},
	reasonEndpoint:              {CauseInvalidEndpoint, "the integration's address cannot be used"},
	reasonHeader:                {CauseForbiddenHeader, "the integration maps a header that API Gateway sets itself"},
	reasonService:               {CauseServiceUnsupported, "Foregate does not call this AWS service as an integration"},
	reasonPermission:            {CauseLambdaPermission, "the function's resource policy does not let API Gateway call it from this method"},
	reasonRole:                  {CauseRole, "the integration's role cannot be assumed or may not call the function"},
	reasonFunctionMissing:       {CauseFunctionMissing, "the function does not exist"},
	reasonInvoke:                {CauseInvokeFailed, "the function could not be invoked"},
	reasonFunctionError:         {CauseFunctionError, "the function failed"},
	reasonMalformed:             {CauseMalformedResponse, "the function's answer is not in the form of a proxy response"},
	reasonBase64:                {CauseInvalidBase64, "a body that should be Base64 is not"},
	reasonTimeout:               {CauseIntegrationTimeout, "the integration took longer than its timeout"},
	reasonNetwork:               {CauseIntegrationNetwork, "the integration could not be reached"},
	reasonMockStatus:            {CauseMockStatusCode, "the mock's request template gives no statusCode"},
	reasonNoResponse:            {CauseNoIntegrationResponse, "no integration response matches and there is no default"},
	reasonBodyIncomplete:        {CauseResponseIncomplete, "the integration's answer ended early or is too large"},
	reasonInternal:              {CauseInternal, "the phase led where it must not"},
}

// String returns the reason in words.
func (r Reason) String() string { return reasonTexts[r].text }

// Cause returns the cause of a refusal, "" for other reasons.
func (r Reason) Cause() string { return reasonTexts[r].cause }
