package apigateway

import (
	"slices"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
)

// What may be patched, from AWS's reference patch-operations.html.
var apiRules = rules[apigateway.RestApi]{
	shape: "RestApi", terse: true,
	allow: map[string][]string{
		"replace": {"/name", "/description", "/version", "/policy", "/apiKeySource", "/minimumCompressionSize", "/disableExecuteApiEndpoint",
			"/endpointConfiguration/types/*", "/endpointConfiguration/ipAddressType", "/binaryMediaTypes/*", "/securityPolicy", "/endpointAccessMode"},
		"add":    {"/binaryMediaTypes/*", "/endpointConfiguration/vpcEndpointIds/*", "/endpointConfiguration/vpcEndpointIds", "/endpointConfiguration/types/*"},
		"remove": {"/binaryMediaTypes/*", "/endpointConfiguration/vpcEndpointIds/*", "/endpointConfiguration/vpcEndpointIds", "/endpointConfiguration/types/*"},
	},
	special: func(_ *apigateway.RestApi, p patch) (bool, error) {
		switch {
		case p.steps[0] == "minimumCompressionSize":
			if n, err := strconv.Atoi(p.value); p.op == "replace" && p.hasValue && p.value != "" && (err != nil || n < 0 || n > maxCompression) {
				return false, bad("", badCompression)
			}
		case p.path == "/endpointConfiguration/ipAddressType":
			if p.op == "replace" && p.value != "ipv4" && p.value != "dualstack" {
				return false, bad("", "ipAddressType must be either ipv4 or dualstack.")
			}
		case len(p.steps) == 3 && p.steps[1] == "types":
			if !slices.Contains([]string{"add", "remove", "replace"}, p.op) {
				return false, bad("", "Invalid patch operation specified. Must be 'add'|'remove'|'replace'")
			}
			if p.op == "replace" && !slices.Contains([]string{"REGIONAL", "EDGE", "PRIVATE"}, p.value) {
				return false, bad("", "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE")
			}
		}
		return false, nil
	},
}

var resourceRules = rules[apigateway.Resource]{
	shape: "Resource", allow: map[string][]string{"replace": {"/parentId", "/pathPart"}},
}

var methodRules = rules[apigateway.Method]{
	shape: "Method", terse: true,
	allow: map[string][]string{
		"replace": {"/authorizationType", "/authorizerId", "/apiKeyRequired", "/operationName", "/requestValidatorId", "/requestParameters/*", "/requestModels/*"},
		"add":     {"/authorizationScopes", "/requestParameters/*", "/requestModels/*"},
		"remove":  {"/authorizationScopes", "/requestParameters/*", "/requestModels/*"},
	},
}

var methodResponseRules = rules[apigateway.MethodResponse]{
	shape: "MethodResponse", terse: true,
	allow: map[string][]string{
		"replace": {"/responseParameters/*", "/responseModels/*"},
		"add":     {"/responseParameters/*", "/responseModels/*"},
		"remove":  {"/responseParameters/*", "/responseModels/*"},
	},
	special: func(v *apigateway.MethodResponse, p patch) (bool, error) {
		if len(p.steps) != 2 || p.op == "add" {
			return false, nil
		}
		switch p.steps[0] {
		case "responseParameters":
			if _, ok := v.ResponseParameters[p.steps[1]]; !ok {
				return false, notFound("Invalid parameter name specified")
			}
		case "responseModels":
			if _, ok := v.ResponseModels[p.steps[1]]; !ok {
				return false, notFound("Content-Type specified was not found")
			}
		}
		return false, nil
	},
}

var integrationRules = rules[apigateway.Integration]{
	shape: "Integration", terse: true,
	allow: map[string][]string{
		"replace": {"/uri", "/httpMethod", "/type", "/connectionType", "/connectionId", "/credentials", "/passthroughBehavior", "/contentHandling", "/timeoutInMillis",
			"/cacheNamespace", "/requestParameters/*", "/requestTemplates/*", "/cacheKeyParameters/*", "/tlsConfig/insecureSkipVerification", "/responseTransferMode", "/integrationTarget"},
		"add":    {"/requestParameters/*", "/requestTemplates/*", "/cacheKeyParameters/*", "/tlsConfig"},
		"remove": {"/requestParameters/*", "/requestTemplates/*", "/cacheKeyParameters/*", "/tlsConfig", "/contentHandling"},
	},
}

var integrationResponseRules = rules[apigateway.IntegrationResponse]{
	shape: "IntegrationResponse", terse: true,
	allow: map[string][]string{
		"replace": {"/selectionPattern", "/contentHandling", "/responseParameters/*", "/responseTemplates/*"},
		"add":     {"/selectionPattern", "/contentHandling", "/responseParameters/*", "/responseTemplates/*"},
		"remove":  {"/selectionPattern", "/contentHandling", "/responseParameters/*", "/responseTemplates/*"},
	},
}

var authorizerRules = rules[apigateway.Authorizer]{
	shape: "Authorizer",
	allow: map[string][]string{
		"replace": {"/name", "/type", "/authType", "/authorizerUri", "/authorizerCredentials", "/authorizerResultTtlInSeconds", "/identitySource", "/identityValidationExpression", "/providerARNs"},
		"add":     {"/providerARNs", "/providerARNs/*"},
		"remove":  {"/providerARNs", "/providerARNs/*", "/authorizerCredentials", "/identityValidationExpression"},
	},
}

var validatorRules = rules[apigateway.RequestValidator]{
	shape: "RequestValidator", allow: map[string][]string{"replace": {"/name", "/validateRequestParameters", "/validateRequestBody"}},
}

var modelRules = rules[apigateway.Model]{
	shape: "Model", allow: map[string][]string{"replace": {"/description", "/schema"}},
}

var gatewayResponseRules = rules[apigateway.GatewayResponse]{
	shape: "GatewayResponse", terse: true,
	allow: map[string][]string{
		"replace": {"/statusCode", "/responseParameters/*", "/responseTemplates/*"},
		"add":     {"/responseParameters/*", "/responseTemplates/*"},
		"remove":  {"/responseParameters/*", "/responseTemplates/*"},
	},
	special: func(v *apigateway.GatewayResponse, p patch) (bool, error) {
		if p.path == "/statusCode" && p.op != "replace" {
			return false, bad("", "Invalid patch path "+p.path)
		}
		if len(p.steps) == 2 && (p.steps[0] == "responseParameters" || p.steps[0] == "responseTemplates") {
			if p.op != "remove" && p.value == "" {
				return false, bad("", "Invalid null or empty value in "+p.steps[0])
			}
			known := v.ResponseParameters
			if p.steps[0] == "responseTemplates" {
				known = v.ResponseTemplates
			}
			if _, ok := known[p.steps[1]]; !ok && p.op != "add" {
				return false, notFound("Invalid parameter name specified")
			}
		}
		return false, nil
	},
}

var deploymentRules = rules[apigateway.Deployment]{
	shape: "Deployment", allow: map[string][]string{"replace": {"/description"}},
}

var domainRules = rules[apigateway.DomainName]{
	shape: "DomainName",
	allow: map[string][]string{
		"replace": {"/certificateName", "/certificateArn", "/regionalCertificateName", "/regionalCertificateArn", "/endpointConfiguration/types/*",
			"/endpointConfiguration/ipAddressType", "/securityPolicy", "/endpointAccessMode", "/mutualTlsAuthentication/truststoreUri",
			"/mutualTlsAuthentication/truststoreVersion", "/ownershipVerificationCertificateArn", "/routingMode", "/policy"},
		"add":    {"/endpointConfiguration/types", "/endpointConfiguration/types/*", "/mutualTlsAuthentication/truststoreUri"},
		"remove": {"/endpointConfiguration/types/*", "/mutualTlsAuthentication", "/mutualTlsAuthentication/truststoreVersion"},
	},
}

var mappingRules = rules[apigateway.BasePathMapping]{
	shape: "BasePathMapping", allow: map[string][]string{"replace": {"/basePath", "/restapiId", "/stage"}},
	special: func(v *apigateway.BasePathMapping, p patch) (bool, error) {
		if p.op == "replace" && (p.path == "/restapiId" || p.path == "/restApiId") {
			v.RestApiId = &p.value
			return true, nil
		}
		return false, nil
	},
}

var keyRules = rules[apigateway.ApiKey]{
	shape: "ApiKey", allow: map[string][]string{
		"replace": {"/description", "/enabled", "/name", "/customerId"},
		"add":     {"/stages"}, "remove": {"/stages"}},
	special: func(v *apigateway.ApiKey, p patch) (bool, error) { return p.path == "/stages", nil },
}

var accountRules = rules[apigateway.Account]{
	shape: "Account", allow: map[string][]string{"replace": {"/cloudwatchRoleArn"}, "add": {"/features"}, "remove": {"/features"}},
}

var certificateRules = rules[apigateway.ClientCertificate]{
	shape: "ClientCertificate", allow: map[string][]string{"replace": {"/description"}},
}

var linkRules = rules[apigateway.VpcLink]{
	shape: "VpcLink", allow: map[string][]string{"replace": {"/name", "/description"}},
}

var documentationRules = rules[apigateway.DocumentationPart]{
	shape: "DocumentationPart", allow: map[string][]string{"replace": {"/properties"}},
}

var documentVersionRules = rules[apigateway.DocumentationVersion]{
	shape: "DocumentationVersion", allow: map[string][]string{"replace": {"/description"}},
}
