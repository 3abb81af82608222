package rest

import (
	"time"

	"github.com/foregate/foregate/internal/iam"
)

// Plan is one stage of one REST API as it was deployed: what the compiler fills and Build turns into a Stage. It is plain
// data, nothing in it is changed after Build, and all of it comes from the deployment's snapshot, except what Stage says
// of itself (a stage's own settings take effect at once; facts: apigateway 4 "takes effect after redeploy").
type Plan struct {
	API   API
	Stage StageSettings
	// Resources lists every resource, the root ("/") included, in any order. Paths are unique.
	Resources []Resource
	// GatewayResponses holds the customised ones by type.
	GatewayResponses []GatewayResponse
	// Models by name, as far as methods name them.
	Models []Model
	// UsagePlans are those that this stage is attached to.
	UsagePlans []UsagePlan
}

// EndpointType is how an API or a custom domain is reached.
type EndpointType string

// The endpoint types.
const (
	Regional EndpointType = "REGIONAL"
	Edge     EndpointType = "EDGE"
	Private  EndpointType = "PRIVATE"
)

// API is what all stages of an API share.
type API struct {
	// ID is the ten characters in front of .execute-api.
	ID, Name string
	// Region and Account own the API; they make its ARNs.
	Region, Account string
	EndpointType    EndpointType
	// DisableExecuteAPIEndpoint closes the default host (facts: apigateway 1).
	DisableExecuteAPIEndpoint bool
	// Policy is the resource policy, nil for none. Resources in the execute-api:/ shorthand must have been expanded
	// with ExpandPolicy.
	Policy *iam.Document
	// PolicyPath is the policy's place in the source.
	PolicyPath string
	// BinaryMediaTypes as configured, "*/*" included.
	BinaryMediaTypes []string
	// MinimumCompressionSize is in bytes; -1 switches compression off.
	MinimumCompressionSize int
	// APIKeyFromAuthorizer is set for an apiKeySource of AUTHORIZER; the default is the header x-api-key.
	APIKeyFromAuthorizer bool
	// KnownHosts are names in front of the API that a client may have signed for instead of the API's own, such as a
	// distribution's domain and aliases. They only serve to explain a wrong signature.
	KnownHosts []string
	// SourcePath is the API's place in the source, such as Resources.Api.
	SourcePath string
}

// StageSettings is the stage itself.
type StageSettings struct {
	Name         string
	DeploymentID string
	Variables    []Variable
	// MethodSettings are tried by Path and Method, the most specific first; "*" stands for all.
	MethodSettings []MethodSettings
	// TracingEnabled sets Sampled=1 in X-Amzn-Trace-Id.
	TracingEnabled bool
	// AccessLogFormat is the access log's template, "" for none. Build parses it; the line goes to Effects.Log.
	AccessLogFormat string
	SourcePath      string
}

// Variable is a stage variable.
type Variable struct{ Name, Value string }

// MethodSettings is an entry of a stage's method settings.
type MethodSettings struct {
	// Path is a resource path ("/pets/{id}") or "*"; Method an HTTP method or "*".
	Path, Method string
	// Throttle is nil when the entry does not limit.
	Throttle *Throttle
	// CachingEnabled, CacheTTL and CacheDataEncrypted have room here; the engine does not cache yet, and says so with
	// an Unsupported fact.
	CachingEnabled bool
	CacheTTL       time.Duration
	LoggingLevel   string
	DataTrace      bool
	Metrics        bool
	SourcePath     string
}

// Throttle is a token bucket: Rate tokens a second, Burst at most.
type Throttle struct {
	Rate  float64
	Burst int
}

// Resource is a node of the resources tree.
type Resource struct {
	ID string
	// Path is the whole path, as "/", "/pets/{id}" or "/{proxy+}".
	Path string
	// Methods has at most one entry for each HTTP method; "ANY" takes those without one.
	Methods    []Method
	SourcePath string
}

// AuthorizationType is a method's authorizationType.
type AuthorizationType string

// The authorization types.
const (
	AuthNone    AuthorizationType = "NONE"
	AuthIAM     AuthorizationType = "AWS_IAM"
	AuthCustom  AuthorizationType = "CUSTOM"
	AuthCognito AuthorizationType = "COGNITO_USER_POOLS"
)

// Method is a method of a resource.
type Method struct {
	// HTTPMethod is a method in capitals, or ANY.
	HTTPMethod        string
	AuthorizationType AuthorizationType
	// Authorizer is set for CUSTOM and COGNITO_USER_POOLS; methods share one by pointer, and so its cache.
	Authorizer          *Authorizer
	AuthorizationScopes []string
	APIKeyRequired      bool
	// RequestParameters has method.request.{path,querystring,header}.NAME.
	RequestParameters []RequestParameter
	// RequestModels maps content types to model names; "$default" takes the others.
	RequestModels []RequestModel
	// ValidateParameters and ValidateBody are the request validator's two switches.
	ValidateParameters, ValidateBody bool
	// Integration is nil for a method without one, which AWS does not deploy.
	Integration *Integration
	Responses   []MethodResponse
	SourcePath  string
}

// RequestParameter declares a parameter, such as method.request.header.X-Name.
type RequestParameter struct {
	Name     string
	Required bool
}

// RequestModel names the model of a content type.
type RequestModel struct{ ContentType, Model string }

// Authorizer is a Lambda or Cognito authorizer.
type Authorizer struct {
	ID, Name string
	// Type is TOKEN, REQUEST or COGNITO_USER_POOLS.
	Type string
	// Function is what a Lambda authorizer calls.
	Function *Function
	// Credentials is the role by which the function is called, nil to use the function's resource policy.
	Credentials *Role
	// IdentitySource lists mapping expressions, such as method.request.header.Authorization.
	IdentitySource []string
	// Validation is identityValidationExpression, "" for none.
	Validation string
	// TTL is how long a policy is kept; 0 switches the cache off. AWS's default is 300 s (facts: apigateway 9).
	TTL time.Duration
	// ProviderARNs are the user pools of a Cognito authorizer.
	ProviderARNs []string
	SourcePath   string
}

// Function is a Lambda function that the plan calls.
type Function struct {
	// ARN is the one in the integration's URI, qualifier included, stage variables filled in.
	ARN string
	// Policy is the function's resource policy, nil when it has none (nobody may call it).
	Policy *iam.Document
	// Missing is set when no such function exists.
	Missing    bool
	SourcePath string
}

// Role is what an integration's credentials stand for.
type Role struct {
	// ARN of the role, or arn:aws:iam::*:user/* for the caller's own credentials.
	ARN string
	// Policies are the role's; the call is allowed when they allow it.
	Policies []iam.NamedPolicy
	// Assumable is set when the role exists and its trust policy lets apigateway.amazonaws.com in.
	Assumable  bool
	SourcePath string
}

// IntegrationType is an integration's type.
type IntegrationType string

// The integration types.
const (
	IntegrationAWS       IntegrationType = "AWS"
	IntegrationAWSProxy  IntegrationType = "AWS_PROXY"
	IntegrationHTTP      IntegrationType = "HTTP"
	IntegrationHTTPProxy IntegrationType = "HTTP_PROXY"
	IntegrationMock      IntegrationType = "MOCK"
)

// Passthrough is what becomes of a body for which no template is written.
type Passthrough string

// The passthrough behaviors; the empty one is WhenNoMatch (facts: apigateway 6).
const (
	WhenNoMatch     Passthrough = "WHEN_NO_MATCH"
	WhenNoTemplates Passthrough = "WHEN_NO_TEMPLATES"
	Never           Passthrough = "NEVER"
)

// ContentHandling converts payloads.
type ContentHandling string

// The conversions; the empty one passes payloads through.
const (
	ConvertToBinary ContentHandling = "CONVERT_TO_BINARY"
	ConvertToText   ContentHandling = "CONVERT_TO_TEXT"
)

// Integration is the backend of a method.
type Integration struct {
	Type IntegrationType
	// HTTPMethod is the method used towards the backend.
	HTTPMethod string
	// URI as configured; Build fills in stage variables (see ExpandStageVariables).
	URI string
	// Function is set when the URI is a Lambda invocation: AWS_PROXY, and AWS with path/2015-03-31/functions.
	Function *Function
	// Credentials is nil without a role.
	Credentials *Role
	// RequestParameters map integration.request.{path,querystring,header}.NAME to an expression.
	RequestParameters []Mapping
	// RequestTemplates map content types to templates.
	RequestTemplates []TemplateFor
	Passthrough      Passthrough
	ContentHandling  ContentHandling
	// Timeout is 29 s when zero.
	Timeout time.Duration
	// VPCLink is the connection id of a VPC_LINK integration, which is reached as a plain HTTP backend.
	VPCLink    string
	Responses  []IntegrationResponse
	SourcePath string
}

// Mapping sets Target to the value of Source, such as integration.request.header.X from method.request.querystring.x.
type Mapping struct{ Target, Source string }

// TemplateFor is the template of a content type.
type TemplateFor struct{ ContentType, Template string }

// IntegrationResponse says how one kind of backend answer becomes a method response.
type IntegrationResponse struct {
	// StatusCode is the method response that it leads to.
	StatusCode string
	// SelectionPattern is a regular expression that must match as a whole; "" is the default response.
	SelectionPattern string
	// Parameters map method.response.header.NAME to an expression.
	Parameters      []Mapping
	Templates       []TemplateFor
	ContentHandling ContentHandling
	SourcePath      string
}

// MethodResponse declares a status of a method.
type MethodResponse struct {
	StatusCode string
	// Parameters has the declared method.response.header.NAME.
	Parameters []string
	Models     []RequestModel
}

// Model is a JSON schema of draft 4.
type Model struct {
	Name, ContentType, Schema, SourcePath string
}

// GatewayResponse customises an error.
type GatewayResponse struct {
	Type ResponseType
	// StatusCode is 0 to keep the error's own.
	StatusCode int
	// Parameters map gatewayresponse.header.NAME to an expression.
	Parameters []Mapping
	// Templates by content type.
	Templates  []TemplateFor
	SourcePath string
}

// UsagePlan limits the clients that hold its keys.
type UsagePlan struct {
	ID string
	// Throttle is nil when the plan does not limit.
	Throttle *Throttle
	// MethodThrottle overrides it for a method of this stage.
	MethodThrottle []MethodThrottle
	// Quota is nil when requests are not counted.
	Quota      *Quota
	Keys       []APIKey
	SourcePath string
}

// MethodThrottle is a usage plan's limit for one method.
type MethodThrottle struct {
	Path, Method string
	Throttle     Throttle
}

// Quota is a number of requests for each key and period.
type Quota struct {
	Limit int
	// Offset is subtracted in the first period.
	Offset int
	// Period is DAY, WEEK or MONTH.
	Period string
}

// APIKey is a key of a usage plan.
type APIKey struct {
	ID, Value string
	Enabled   bool
}
