package apigateway

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

var httpMethods = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD", "ANY"}

const badAuthorizer = "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer."

// methodPart is a method's place in the store.
type methodPart struct {
	*resource.RestPart[apigateway.Method]
	id string // RESOURCE/METHOD
}

// method returns a method of a resource.
func (s *Service) method(ctx context.Context, api, resourceID, name *string) (methodPart, error) {
	if _, err := s.resource(ctx, api, resourceID); err != nil {
		return methodPart{}, err
	}
	id := deref(resourceID) + "/" + strings.ToUpper(deref(name))
	v, err := get(ctx, s, resource.RestMethods, resource.PartID(*api, id), noMethod)
	return methodPart{v, id}, err
}

// store replaces the method's value.
func (s *Service) storeMethod(ctx context.Context, m methodPart, v *apigateway.Method) error {
	return putPart(ctx, s, resource.RestMethods, m.id, &resource.RestPart[apigateway.Method]{API: m.API, Place: m.Place, Value: v})
}

// PutMethod adds a method to a resource (texts: test_put_method_validation, recorded from AWS by localstack).
func (s *Service) PutMethod(ctx context.Context, in *apigateway.PutMethodInput) (*apigateway.Method, error) {
	return s.addMethod(ctx, in, "")
}

func (s *Service) addMethod(ctx context.Context, in *apigateway.PutMethodInput, place string) (*apigateway.Method, error) {
	if _, err := s.resource(ctx, in.RestApiId, in.ResourceId); err != nil {
		return nil, err
	}
	name := strings.ToUpper(deref(in.HttpMethod))
	if !slices.Contains(httpMethods, name) {
		return nil, bad("HttpMethod", "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY")
	}
	id := *in.ResourceId + "/" + name
	if _, ok := resource.RestMethods.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(*in.RestApiId, id)); ok {
		return nil, conflict("HttpMethod", "Method already exists for this resource")
	}
	v := &apigateway.Method{HttpMethod: &name, AuthorizationType: in.AuthorizationType, AuthorizerId: in.AuthorizerId, ApiKeyRequired: or(in.ApiKeyRequired, false),
		OperationName: in.OperationName, RequestParameters: in.RequestParameters, RequestModels: in.RequestModels,
		RequestValidatorId: in.RequestValidatorId, AuthorizationScopes: in.AuthorizationScopes}
	if err := s.checkMethod(ctx, *in.RestApiId, v); err != nil {
		return nil, err
	}
	return v, putPart(ctx, s, resource.RestMethods, id, &resource.RestPart[apigateway.Method]{API: *in.RestApiId, Place: place, Value: v})
}

// checkMethod checks what a method refers to.
func (s *Service) checkMethod(ctx context.Context, api string, v *apigateway.Method) error {
	r := s.env.Store.Read(ctx)
	switch deref(v.AuthorizationType) {
	case "NONE", "AWS_IAM":
	case "CUSTOM", "COGNITO_USER_POOLS":
		if _, ok := resource.RestAuthorizers.Get(r, region(ctx), resource.PartID(api, deref(v.AuthorizerId))); !ok {
			return bad("AuthorizerId", badAuthorizer)
		}
	default:
		return bad("AuthorizationType", "Invalid authorization type specified. Valid options are NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS") // text: our words
	}
	if id := deref(v.RequestValidatorId); id != "" {
		if _, ok := resource.RestValidators.Get(r, region(ctx), resource.PartID(api, id)); !ok {
			return bad("RequestValidatorId", "Invalid Request Validator identifier specified")
		}
	}
	for _, name := range sortedKeys(v.RequestModels) {
		model := v.RequestModels[name]
		if _, ok := resource.RestModels.Get(r, region(ctx), resource.PartID(api, model)); !ok {
			return bad("RequestModels", "Invalid model identifier specified: "+model)
		}
	}
	return checkRequestParameters(v.RequestParameters)
}

var requestParameter = regexp.MustCompile(`^method\.request\.(?:querystring|header|path|multivaluequerystring|multivalueheader)\.[a-zA-Z0-9._$\-\[\]]+$`)

func checkRequestParameters(list map[string]bool) error {
	seen := map[string]bool{}
	for _, name := range sortedKeys(list) {
		if !requestParameter.MatchString(name) {
			return bad("RequestParameters", "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: "+name+"]")
		}
		short := strings.SplitN(name, ".", 4)[3]
		if seen[short] {
			return bad("RequestParameters", "Parameter names must be unique across querystring, header and path")
		}
		seen[short] = true
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// GetMethod returns a method with its integration and responses.
func (s *Service) GetMethod(ctx context.Context, in *apigateway.GetMethodInput) (*apigateway.Method, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	return m.Value, nil
}

// UpdateMethod changes a method.
func (s *Service) UpdateMethod(ctx context.Context, in *apigateway.UpdateMethodInput) (*apigateway.Method, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	v, err := methodRules.apply(m.Value, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	if err := s.checkMethod(ctx, m.API, v); err != nil {
		return nil, err
	}
	return v, s.storeMethod(ctx, m, v)
}

// DeleteMethod deletes a method with its integration.
func (s *Service) DeleteMethod(ctx context.Context, in *apigateway.DeleteMethodInput) (*apigateway.DeleteMethodOutput, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteMethodOutput{}, remove(ctx, s, resource.RestMethods, resource.PartID(m.API, m.id))
}

// PutMethodResponse declares a status of a method.
func (s *Service) PutMethodResponse(ctx context.Context, in *apigateway.PutMethodResponseInput) (*apigateway.MethodResponse, error) {
	m, err := s.method(ctx, in.RestApiId, in.ResourceId, in.HttpMethod)
	if err != nil {
		return nil, err
	}
	if _, ok := m.Value.MethodResponses[deref(in.StatusCode)]; ok {
		return nil, conflict("StatusCode", "Response already exists for this resource")
	}
	for _, t := range sortedKeys(in.ResponseModels) {
		if err := s.modelExists(ctx, m.API, in.ResponseModels[t]); err != nil {
			return nil, err
		}
	}
	r := &apigateway.MethodResponse{StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseModels: in.ResponseModels}
	return r, s.setMethodResponse(ctx, m, *in.StatusCode, r)
}

func (s *Service) modelExists(ctx context.Context, api, name string) error {
	if _, ok := resource.RestModels.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(api, name)); !ok {
		return bad("ResponseModels", "Invalid model identifier specified: "+name)
	}
	return nil
}

// setMethodResponse stores a response, or removes it when r is nil.
func (s *Service) setMethodResponse(ctx context.Context, m methodPart, status string, r *apigateway.MethodResponse) error {
	v := clone(m.Value)
	if v.MethodResponses == nil {
		v.MethodResponses = map[string]*apigateway.MethodResponse{}
	}
	v.MethodResponses[status] = r
	if r == nil {
		delete(v.MethodResponses, status)
	}
	return s.storeMethod(ctx, m, v)
}

func (s *Service) methodResponse(ctx context.Context, api, resourceID, name, status *string) (methodPart, *apigateway.MethodResponse, error) {
	m, err := s.method(ctx, api, resourceID, name)
	if err != nil {
		return m, nil, err
	}
	r, ok := m.Value.MethodResponses[deref(status)]
	if !ok {
		return m, nil, notFound(noStatus)
	}
	return m, r, nil
}

// GetMethodResponse returns a method response.
func (s *Service) GetMethodResponse(ctx context.Context, in *apigateway.GetMethodResponseInput) (*apigateway.MethodResponse, error) {
	_, r, err := s.methodResponse(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode)
	return r, err
}

// UpdateMethodResponse changes a method response.
func (s *Service) UpdateMethodResponse(ctx context.Context, in *apigateway.UpdateMethodResponseInput) (*apigateway.MethodResponse, error) {
	m, r, err := s.methodResponse(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode)
	if err != nil {
		return nil, err
	}
	if r, err = methodResponseRules.apply(r, in.PatchOperations); err != nil {
		return nil, err
	}
	return r, s.setMethodResponse(ctx, m, *in.StatusCode, r)
}

// DeleteMethodResponse deletes a method response.
func (s *Service) DeleteMethodResponse(ctx context.Context, in *apigateway.DeleteMethodResponseInput) (*apigateway.DeleteMethodResponseOutput, error) {
	m, _, err := s.methodResponse(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, in.StatusCode)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteMethodResponseOutput{}, s.setMethodResponse(ctx, m, *in.StatusCode, nil)
}
