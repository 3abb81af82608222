package apigateway

import (
	"context"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

// resourceOf takes the resource's id out of a method's, API/RESOURCE/METHOD.
func resourceOf(id string) string { return strings.Split(id, "/")[1] }

// defaultStatus has the status of each gateway response type, "" where each error keeps its own (facts: apigateway 3).
var defaultStatus = map[string]string{
	"ACCESS_DENIED": "403", "API_CONFIGURATION_ERROR": "500", "AUTHORIZER_CONFIGURATION_ERROR": "500", "AUTHORIZER_FAILURE": "500",
	"BAD_REQUEST_BODY": "400", "BAD_REQUEST_PARAMETERS": "400", "DEFAULT_4XX": "", "DEFAULT_5XX": "", "EXPIRED_TOKEN": "403",
	"INTEGRATION_FAILURE": "504", "INTEGRATION_TIMEOUT": "504", "INVALID_API_KEY": "403", "INVALID_SIGNATURE": "403",
	"MISSING_AUTHENTICATION_TOKEN": "403", "QUOTA_EXCEEDED": "429", "REQUEST_TOO_LARGE": "413", "RESOURCE_NOT_FOUND": "404",
	"THROTTLED": "429", "UNAUTHORIZED": "401", "UNSUPPORTED_MEDIA_TYPE": "415", "WAF_FILTERED": "403",
}

// defaultTemplate is the template of a gateway response that has none (test_gateway_response_put, recorded from AWS).
const defaultTemplate = `{"message":$context.error.messageString}`

func defaultGatewayResponse(kind string) *apigateway.GatewayResponse {
	v := &apigateway.GatewayResponse{ResponseType: &kind, DefaultResponse: new(true), ResponseParameters: map[string]string{},
		ResponseTemplates: map[string]string{"application/json": defaultTemplate}}
	if status := defaultStatus[kind]; status != "" {
		v.StatusCode = &status
	}
	return v
}

// PutGatewayResponse customises an error; it replaces what was there.
func (s *Service) PutGatewayResponse(ctx context.Context, in *apigateway.PutGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	v := &apigateway.GatewayResponse{ResponseType: in.ResponseType, StatusCode: in.StatusCode, ResponseParameters: in.ResponseParameters, ResponseTemplates: in.ResponseTemplates}
	return v, s.addGatewayResponse(ctx, *in.RestApiId, v, "")
}

func (s *Service) addGatewayResponse(ctx context.Context, api string, v *apigateway.GatewayResponse, place string) error {
	kind := deref(v.ResponseType)
	status, ok := defaultStatus[kind]
	if !ok {
		return bad("ResponseType", "Invalid Gateway response type specified: "+kind) // text: our words; the model refuses before
	}
	v.DefaultResponse = new(false)
	if v.StatusCode == nil && status != "" {
		v.StatusCode = &status
	}
	if v.ResponseParameters == nil {
		v.ResponseParameters = map[string]string{}
	}
	if v.ResponseTemplates == nil {
		v.ResponseTemplates = map[string]string{"application/json": defaultTemplate}
	}
	for _, target := range sortedKeys(v.ResponseParameters) {
		if !strings.HasPrefix(target, "gatewayresponse.header.") {
			return bad("ResponseParameters", "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: "+target+"]")
		}
	}
	return putPart(ctx, s, resource.RestGatewayResponses, kind, &resource.RestPart[apigateway.GatewayResponse]{API: api, Place: place, Value: v})
}

// gatewayResponse returns a response as it is, or the default one.
func (s *Service) gatewayResponse(ctx context.Context, api, kind *string) (*resource.RestPart[apigateway.GatewayResponse], error) {
	if _, err := s.api(ctx, api); err != nil {
		return nil, err
	}
	if v, ok := resource.RestGatewayResponses.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(*api, deref(kind))); ok {
		return v, nil
	}
	if _, ok := defaultStatus[deref(kind)]; !ok {
		return nil, notFound("Gateway response type not defined on api")
	}
	return &resource.RestPart[apigateway.GatewayResponse]{API: *api, Value: defaultGatewayResponse(*kind)}, nil
}

// GetGatewayResponse returns a gateway response.
func (s *Service) GetGatewayResponse(ctx context.Context, in *apigateway.GetGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	v, err := s.gatewayResponse(ctx, in.RestApiId, in.ResponseType)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetGatewayResponses lists all types, customised or not.
func (s *Service) GetGatewayResponses(ctx context.Context, in *apigateway.GetGatewayResponsesInput) (*apigateway.GetGatewayResponsesOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	out := &apigateway.GetGatewayResponsesOutput{}
	for _, kind := range sortedKeys(defaultStatus) {
		v, err := s.gatewayResponse(ctx, in.RestApiId, &kind)
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, v.Value)
	}
	return out, nil
}

// UpdateGatewayResponse changes a gateway response; a default one becomes customised.
func (s *Service) UpdateGatewayResponse(ctx context.Context, in *apigateway.UpdateGatewayResponseInput) (*apigateway.GatewayResponse, error) {
	old, err := s.gatewayResponse(ctx, in.RestApiId, in.ResponseType)
	if err != nil {
		return nil, err
	}
	v, err := gatewayResponseRules.apply(old.Value, in.PatchOperations)
	if err != nil {
		return nil, err
	}
	return v, s.addGatewayResponse(ctx, old.API, v, old.Place)
}

// DeleteGatewayResponse goes back to the default.
func (s *Service) DeleteGatewayResponse(ctx context.Context, in *apigateway.DeleteGatewayResponseInput) (*apigateway.DeleteGatewayResponseOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	id := resource.PartID(*in.RestApiId, deref(in.ResponseType))
	if _, ok := resource.RestGatewayResponses.Get(s.env.Store.Read(ctx), region(ctx), id); !ok {
		return nil, notFound("Gateway response type not defined on api")
	}
	return &apigateway.DeleteGatewayResponseOutput{}, remove(ctx, s, resource.RestGatewayResponses, id)
}
