package apigateway

import (
	"context"
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
)

// PutIntegration sets the backend of a method.
func (s *Service) PutIntegration(ctx context.Context, in *apigateway.PutIntegrationInput) (*apigateway.Integration, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	v := &apigateway.Integration{Type: in.Type, HttpMethod: in.IntegrationHttpMethod, Uri: in.Uri, ConnectionType: in.ConnectionType, ConnectionId: in.ConnectionId,
		Credentials: in.Credentials, RequestParameters: in.RequestParameters, RequestTemplates: in.RequestTemplates,
		PassthroughBehavior: or(in.PassthroughBehavior, "WHEN_NO_MATCH"), ContentHandling: in.ContentHandling, TimeoutInMillis: or(in.TimeoutInMillis, 29000),
		CacheNamespace: or(in.CacheNamespace, *in.ResourceId), CacheKeyParameters: in.CacheKeyParameters, TlsConfig: in.TlsConfig,
		ResponseTransferMode: in.ResponseTransferMode, IntegrationTarget: in.IntegrationTarget}
	if v.CacheKeyParameters == nil {
		v.CacheKeyParameters = []string{}
	}
	if strings.HasPrefix(deref(v.Type), "HTTP") {
		v.ConnectionType = or(v.ConnectionType, "INTERNET")
	}
	if err := checkIntegration(v); err != nil {
		return nil, err
	}
	if old := m.Value.MethodIntegration; old != nil {
		v.IntegrationResponses = old.IntegrationResponses
	}
	return v, s.setIntegration(ctx, m, v)
}

func (s *Service) setIntegration(ctx context.Context, m methodPart, v *apigateway.Integration) error {
	c := clone(m.Value)
	c.MethodIntegration = v
	return s.storeMethod(ctx, m, c)
}

// The range of timeoutInMillis; the upper end can be raised for regional APIs (facts: apigateway 5).
const minTimeout, maxTimeout = 50, 300000

// checkIntegration checks type, address and parameters (facts: apigateway 11).
func checkIntegration(v *apigateway.Integration) error {
	kind, uri := deref(v.Type), deref(v.Uri)
	if t := deref(v.TimeoutInMillis); t < minTimeout || t > maxTimeout {
		return bad("TimeoutInMillis", "Timeout should be between 50 ms and 29000 ms", "a quota increase allows up to 300 s for regional and private APIs")
	}
	if kind != "MOCK" && deref(v.HttpMethod) == "" {
		return bad("IntegrationHttpMethod", "Enumeration value for HttpMethod must be non-empty", "an integration of type "+kind+" needs the method for the backend; for Lambda it is POST")
	}
	switch kind {
	case "AWS", "AWS_PROXY":
		if err := checkServiceURI(kind, uri); err != nil {
			return err
		}
	case "HTTP", "HTTP_PROXY":
		plain := strings.Contains(uri, "${stageVariables.")
		if u, err := url.Parse(uri); !plain && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return bad("Uri", "Invalid HTTP endpoint specified for URI", "the URI is "+uri)
		}
	}
	for _, target := range sortedKeys(v.RequestParameters) {
		if !strings.HasPrefix(target, "integration.request.") {
			return bad("RequestParameters", "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: "+target+"]")
		}
		if e := v.RequestParameters[target]; !mappingExpression(e) {
			return bad("RequestParameters", "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: "+e+"]")
		}
	}
	return nil
}

func mappingExpression(e string) bool {
	for _, p := range []string{"method.request.", "context.", "stageVariables.", "'", "integration."} {
		if strings.HasPrefix(e, p) {
			return true
		}
	}
	return false
}

// checkServiceURI checks arn:aws:apigateway:REGION:SERVICE:path/… or :action/…
func checkServiceURI(kind, uri string) error {
	a, err := arn.Parse(uri)
	if err != nil || a.Service != "apigateway" {
		return bad("Uri", "Invalid ARN specified in the request", "the URI of a service is arn:aws:apigateway:REGION:SERVICE:path/… or action/…; it is "+uri)
	}
	if !strings.HasPrefix(a.Resource, "path/") && !strings.HasPrefix(a.Resource, "action/") {
		return bad("Uri", "AWS ARN for integration must contain path or action", "the URI is "+uri)
	}
	if kind == "AWS_PROXY" && a.Account != "lambda" && a.Account != "firehose" {
		return bad("Uri", "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.", "the service is "+a.Account)
	}
	return nil
}

func (s *Service) integration(ctx context.Context, api, resourceID, name *string) (methodPart, *apigateway.Integration, error) {
	m, err := s.method(ctx, api, resourceID, name)
	if err != nil {
		return m, nil, err
	}
	if m.Value.MethodIntegration == nil {
		return m, nil, notFound(noIntegration)
	}
	return m, m.Value.MethodIntegration, nil
}

// GetIntegration returns the backend of a method.
func (s *Service) GetIntegration(ctx context.Context, in *apigateway.GetIntegrationInput) (*apigateway.Integration, error) {
	_, v, err := s.integration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	return v, err
}

// UpdateIntegration changes the backend of a method.
func (s *Service) UpdateIntegration(ctx context.Context, in *apigateway.UpdateIntegrationInput) (*apigateway.Integration, error) {
	m, v, err := s.integration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	if v, err = integrationRules.apply(v, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := checkIntegration(v); err != nil {
		return nil, err
	}
	return v, s.setIntegration(ctx, m, v)
}

// DeleteIntegration takes the backend off a method.
func (s *Service) DeleteIntegration(ctx context.Context, in *apigateway.DeleteIntegrationInput) (*apigateway.DeleteIntegrationOutput, error) {
	m, _, err := s.integration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteIntegrationOutput{}, s.setIntegration(ctx, m, nil)
}

// PutIntegrationResponse says how an answer of the backend becomes a method response.
func (s *Service) PutIntegrationResponse(ctx context.Context, in *apigateway.PutIntegrationResponseInput) (*apigateway.IntegrationResponse, error) {
	m, v, err := s.integration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	if _, ok := m.Value.MethodResponses[deref(in.StatusCode)]; !ok {
		return nil, notFound(noStatus)
	}
	for _, t := range sortedKeys(in.ResponseTemplates) {
		if !strings.Contains(t, "/") {
			return nil, bad("ResponseTemplates", "Validation Result: warnings : [], errors : [Invalid content type specified: "+t+"]")
		}
	}
	r := &apigateway.IntegrationResponse{StatusCode: in.StatusCode, SelectionPattern: in.SelectionPattern, ResponseParameters: in.ResponseParameters,
		ResponseTemplates: in.ResponseTemplates, ContentHandling: in.ContentHandling}
	return r, s.setIntegrationResponse(ctx, m, v, r)
}

// setIntegrationResponse stores a response.
func (s *Service) setIntegrationResponse(ctx context.Context, m methodPart, v *apigateway.Integration, r *apigateway.IntegrationResponse) error {
	c := clone(v)
	if c.IntegrationResponses == nil {
		c.IntegrationResponses = map[string]*apigateway.IntegrationResponse{}
	}
	c.IntegrationResponses[*r.StatusCode] = r
	return s.setIntegration(ctx, m, c)
}

// answer names an integration response.
type answer struct{ api, resource, method, status *string }

func (s *Service) integrationResponse(ctx context.Context, a answer) (methodPart, *apigateway.IntegrationResponse, error) {
	m, v, err := s.integration(ctx, a.api, a.resource, a.method)
	if err != nil {
		return m, nil, err
	}
	r, ok := v.IntegrationResponses[deref(a.status)]
	if !ok {
		return m, nil, notFound(noStatus)
	}
	return m, r, nil
}

// GetIntegrationResponse returns an integration response.
func (s *Service) GetIntegrationResponse(ctx context.Context, in *apigateway.GetIntegrationResponseInput) (*apigateway.IntegrationResponse, error) {
	_, r, err := s.integrationResponse(ctx, answer{in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode})
	return r, err
}

// UpdateIntegrationResponse changes an integration response.
func (s *Service) UpdateIntegrationResponse(ctx context.Context, in *apigateway.UpdateIntegrationResponseInput) (*apigateway.IntegrationResponse, error) {
	m, r, err := s.integrationResponse(ctx, answer{in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode})
	if err != nil {
		return nil, err
	}
	if r, err = integrationResponseRules.apply(r, in.PatchOperations); err != nil {
		return nil, err
	}
	return r, s.setIntegrationResponse(ctx, m, m.Value.MethodIntegration, r)
}

// DeleteIntegrationResponse deletes an integration response. A method that is missing counts as a missing integration
// (test_delete_integration_response_errors, recorded from AWS by localstack).
func (s *Service) DeleteIntegrationResponse(ctx context.Context, in *apigateway.DeleteIntegrationResponseInput) (*apigateway.DeleteIntegrationResponseOutput, error) {
	if _, err := s.resource(ctx, in.RestApiId, in.ResourceId); err != nil {
		return nil, err
	}
	if _, _, err := s.integration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod); err != nil {
		return nil, notFound(noIntegration)
	}
	m, _, err := s.integrationResponse(ctx, answer{in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode})
	if err != nil {
		return nil, err
	}
	v := clone(m.Value.MethodIntegration)
	delete(v.IntegrationResponses, *in.StatusCode)
	return &apigateway.DeleteIntegrationResponseOutput{}, s.setIntegration(ctx, m, v)
}
