package apigateway

import (
	"context"
	"encoding/json"
	"regexp"
	"slices"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

// Limits of an API (facts: apigateway 7, 9, 11).
const (
	maxAuthorizers   = 10
	maxAuthorizerTTL = 3600
)

// CreateAuthorizer makes an authorizer. That AWS answers a conflict for an unknown API is recorded
// (test_authorizer_crud_no_api).
func (s *Service) CreateAuthorizer(ctx context.Context, in *apigateway.CreateAuthorizerInput) (*apigateway.Authorizer, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, conflict("RestApiId", "Unable to complete operation due to concurrent modification. Please try again later.", "there is no such API")
	}
	v := &apigateway.Authorizer{Name: in.Name, Type: in.Type, ProviderARNs: in.ProviderARNs, AuthType: in.AuthType, AuthorizerUri: in.AuthorizerUri,
		AuthorizerCredentials: in.AuthorizerCredentials, IdentitySource: in.IdentitySource, IdentityValidationExpression: in.IdentityValidationExpression,
		AuthorizerResultTtlInSeconds: in.AuthorizerResultTtlInSeconds}
	return v, s.addAuthorizer(ctx, *in.RestApiId, v, "")
}

func (s *Service) addAuthorizer(ctx context.Context, api string, v *apigateway.Authorizer, place string) error {
	if err := checkAuthorizer(v); err != nil {
		return err
	}
	all := parts(ctx, s, resource.RestAuthorizers, &api)
	if slices.ContainsFunc(all, func(o *resource.RestPart[apigateway.Authorizer]) bool { return deref(o.Value.Name) == deref(v.Name) }) {
		return bad("Name", "Authorizer name must be unique. Authorizer "+deref(v.Name)+" already exists in this RestApi.")
	}
	if len(all) >= maxAuthorizers {
		return refuse(apigateway.ErrCodeLimitExceededException, "", "Maximum number of Authorizers for this API has been reached. Please contact AWS if you need additional Authorizers.")
	}
	if v.AuthType == nil {
		v.AuthType = new("custom")
		if deref(v.Type) == "COGNITO_USER_POOLS" {
			v.AuthType = new("cognito_user_pools")
		}
	}
	v.Id = new(s.env.NewID(ctx, partID("authorizer "+deref(v.Name)), taken(ctx, s, resource.RestAuthorizers, api+"/")))
	return putPart(ctx, s, resource.RestAuthorizers, *v.Id, &resource.RestPart[apigateway.Authorizer]{API: api, Place: place, Value: v})
}

func checkAuthorizer(v *apigateway.Authorizer) error {
	if t := v.AuthorizerResultTtlInSeconds; t != nil && (*t < 0 || *t > maxAuthorizerTTL) {
		return bad("AuthorizerResultTtlInSeconds", "Authorizer result TTL must be between 0 and 3600 seconds") // text: our words
	}
	switch deref(v.Type) {
	case "TOKEN", "REQUEST":
		if deref(v.AuthorizerUri) == "" {
			return bad("AuthorizerUri", "Invalid Authorizer URI: null. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.")
		}
		if err := checkServiceURI("AWS_PROXY", *v.AuthorizerUri); err != nil {
			return bad("AuthorizerUri", "Invalid Authorizer URI: "+*v.AuthorizerUri+". Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.")
		}
		if deref(v.IdentitySource) == "" && (*v.Type == "TOKEN" || v.AuthorizerResultTtlInSeconds == nil || *v.AuthorizerResultTtlInSeconds > 0) {
			return bad("IdentitySource", "Identity source cannot be empty", "an authorizer that keeps its answers needs to know what they depend on") // text: our words
		}
	case "COGNITO_USER_POOLS":
		if len(v.ProviderARNs) == 0 {
			return bad("ProviderARNs", "Invalid ProviderARNs specified: at least one user pool is needed") // text: our words
		}
	}
	if e := deref(v.IdentityValidationExpression); e != "" {
		if _, err := regexp.Compile(e); err != nil {
			return bad("IdentityValidationExpression", "Invalid identity validation expression specified", err.Error()) // text: our words
		}
	}
	return nil
}

func (s *Service) authorizer(ctx context.Context, api, id *string) (*resource.RestPart[apigateway.Authorizer], error) {
	return get(ctx, s, resource.RestAuthorizers, resource.PartID(deref(api), deref(id)), noAuthorizer)
}

// GetAuthorizer returns an authorizer.
func (s *Service) GetAuthorizer(ctx context.Context, in *apigateway.GetAuthorizerInput) (*apigateway.Authorizer, error) {
	v, err := s.authorizer(ctx, in.RestApiId, in.AuthorizerId)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetAuthorizers lists the authorizers of an API.
func (s *Service) GetAuthorizers(ctx context.Context, in *apigateway.GetAuthorizersInput) (*apigateway.GetAuthorizersOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	items, next := page(values(parts(ctx, s, resource.RestAuthorizers, in.RestApiId)), in.Position, in.Limit)
	return &apigateway.GetAuthorizersOutput{Items: items, Position: next}, nil
}

// UpdateAuthorizer changes an authorizer.
func (s *Service) UpdateAuthorizer(ctx context.Context, in *apigateway.UpdateAuthorizerInput) (*apigateway.Authorizer, error) {
	old, err := s.authorizer(ctx, in.RestApiId, in.AuthorizerId)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = authorizerRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := checkAuthorizer(c.Value); err != nil {
		return nil, err
	}
	return c.Value, putPart(ctx, s, resource.RestAuthorizers, *c.Value.Id, &c)
}

// DeleteAuthorizer deletes an authorizer that no method uses.
func (s *Service) DeleteAuthorizer(ctx context.Context, in *apigateway.DeleteAuthorizerInput) (*apigateway.DeleteAuthorizerOutput, error) {
	v, err := s.authorizer(ctx, in.RestApiId, in.AuthorizerId)
	if err != nil {
		return nil, err
	}
	for _, m := range parts(ctx, s, resource.RestMethods, in.RestApiId) {
		if deref(m.Value.AuthorizerId) == *v.Value.Id && slices.Contains([]string{"CUSTOM", "COGNITO_USER_POOLS"}, deref(m.Value.AuthorizationType)) {
			return nil, conflict("AuthorizerId", "Cannot delete authorizer '"+deref(v.Value.Name)+"', is referenced in method") // text: our words
		}
	}
	return &apigateway.DeleteAuthorizerOutput{}, remove(ctx, s, resource.RestAuthorizers, resource.PartID(v.API, *v.Value.Id))
}

// CreateRequestValidator makes a validator (texts: test_request_validator_lifecycle and others, recorded from AWS).
func (s *Service) CreateRequestValidator(ctx context.Context, in *apigateway.CreateRequestValidatorInput) (*apigateway.RequestValidator, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, bad("RestApiId", "Invalid REST API identifier specified")
	}
	v := &apigateway.RequestValidator{Name: in.Name, ValidateRequestBody: or(in.ValidateRequestBody, false), ValidateRequestParameters: or(in.ValidateRequestParameters, false)}
	return v, s.addValidator(ctx, *in.RestApiId, v, "")
}

func (s *Service) addValidator(ctx context.Context, api string, v *apigateway.RequestValidator, place string) error {
	v.Id = new(s.env.NewID(ctx, partID("validator "+deref(v.Name)), taken(ctx, s, resource.RestValidators, api+"/")))
	return putPart(ctx, s, resource.RestValidators, *v.Id, &resource.RestPart[apigateway.RequestValidator]{API: api, Place: place, Value: v})
}

func (s *Service) validator(ctx context.Context, api, id *string) (*resource.RestPart[apigateway.RequestValidator], error) {
	return get(ctx, s, resource.RestValidators, resource.PartID(deref(api), deref(id)), noValidator)
}

// GetRequestValidator returns a validator.
func (s *Service) GetRequestValidator(ctx context.Context, in *apigateway.GetRequestValidatorInput) (*apigateway.RequestValidator, error) {
	v, err := s.validator(ctx, in.RestApiId, in.RequestValidatorId)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetRequestValidators lists the validators of an API.
func (s *Service) GetRequestValidators(ctx context.Context, in *apigateway.GetRequestValidatorsInput) (*apigateway.GetRequestValidatorsOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	items, next := page(values(parts(ctx, s, resource.RestValidators, in.RestApiId)), in.Position, in.Limit)
	return &apigateway.GetRequestValidatorsOutput{Items: items, Position: next}, nil
}

// UpdateRequestValidator changes a validator.
func (s *Service) UpdateRequestValidator(ctx context.Context, in *apigateway.UpdateRequestValidatorInput) (*apigateway.RequestValidator, error) {
	old, err := s.validator(ctx, in.RestApiId, in.RequestValidatorId)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = validatorRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if deref(c.Value.Name) == "" {
		return nil, bad("", "Request Validator name cannot be blank")
	}
	return c.Value, putPart(ctx, s, resource.RestValidators, *c.Value.Id, &c)
}

// DeleteRequestValidator deletes a validator.
func (s *Service) DeleteRequestValidator(ctx context.Context, in *apigateway.DeleteRequestValidatorInput) (*apigateway.DeleteRequestValidatorOutput, error) {
	v, err := s.validator(ctx, in.RestApiId, in.RequestValidatorId)
	if err != nil {
		return nil, err
	}
	return &apigateway.DeleteRequestValidatorOutput{}, remove(ctx, s, resource.RestValidators, resource.PartID(v.API, *v.Value.Id))
}

var modelName = regexp.MustCompile(`^[a-zA-Z0-9]+$`)

// CreateModel makes a model (texts: test_model_validation, recorded from AWS by localstack).
func (s *Service) CreateModel(ctx context.Context, in *apigateway.CreateModelInput) (*apigateway.Model, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	v := &apigateway.Model{Name: in.Name, Description: in.Description, Schema: in.Schema, ContentType: in.ContentType}
	return v, s.addModel(ctx, *in.RestApiId, v, "")
}

func (s *Service) addModel(ctx context.Context, api string, v *apigateway.Model, place string) error {
	name := deref(v.Name)
	if name == "" {
		return bad("Name", "Model name must be non-empty")
	}
	if !modelName.MatchString(name) {
		return bad("Name", "Model name must be alphanumeric: "+name)
	}
	if _, ok := resource.RestModels.Get(s.env.Store.Read(ctx), region(ctx), resource.PartID(api, name)); ok {
		return conflict("Name", "Model name already exists for this REST API")
	}
	if err := checkSchema(v); err != nil {
		return err
	}
	v.Id = new(s.env.NewID(ctx, partID("model "+name), nil))
	return putPart(ctx, s, resource.RestModels, name, &resource.RestPart[apigateway.Model]{API: api, Place: place, Value: v})
}

const emptySchema = "Model schema must have at least 1 property or array items defined"

func checkSchema(v *apigateway.Model) error {
	if deref(v.Schema) == "" {
		return bad("Schema", emptySchema)
	}
	if deref(v.ContentType) != "application/json" {
		return nil
	}
	var schema map[string]any
	if err := json.Unmarshal([]byte(*v.Schema), &schema); err != nil {
		return bad("Schema", "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]", err.Error())
	}
	return nil
}

func (s *Service) model(ctx context.Context, api, name *string) (*resource.RestPart[apigateway.Model], error) {
	return get(ctx, s, resource.RestModels, resource.PartID(deref(api), deref(name)), "Invalid model name specified: "+deref(name))
}

// GetModel returns a model.
func (s *Service) GetModel(ctx context.Context, in *apigateway.GetModelInput) (*apigateway.Model, error) {
	v, err := s.model(ctx, in.RestApiId, in.ModelName)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetModels lists the models of an API.
func (s *Service) GetModels(ctx context.Context, in *apigateway.GetModelsInput) (*apigateway.GetModelsOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	items, next := page(values(parts(ctx, s, resource.RestModels, in.RestApiId)), in.Position, in.Limit)
	return &apigateway.GetModelsOutput{Items: items, Position: next}, nil
}

// UpdateModel changes a model.
func (s *Service) UpdateModel(ctx context.Context, in *apigateway.UpdateModelInput) (*apigateway.Model, error) {
	old, err := s.model(ctx, in.RestApiId, in.ModelName)
	if err != nil {
		return nil, err
	}
	c := *old
	if c.Value, err = modelRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := checkSchema(c.Value); err != nil {
		return nil, err
	}
	return c.Value, putPart(ctx, s, resource.RestModels, *c.Value.Name, &c)
}

// DeleteModel deletes a model that no method names (text: test_put_method_model, recorded from AWS by localstack).
func (s *Service) DeleteModel(ctx context.Context, in *apigateway.DeleteModelInput) (*apigateway.DeleteModelOutput, error) {
	v, err := s.model(ctx, in.RestApiId, in.ModelName)
	if err != nil {
		return nil, err
	}
	name := *v.Value.Name
	paths := map[string]string{}
	for _, r := range parts(ctx, s, resource.RestResources, in.RestApiId) {
		paths[*r.Value.Id] = *r.Value.Path
	}
	for rec, m := range resource.RestMethods.All(s.env.Store.Read(ctx), region(ctx)) {
		if m.API != v.API {
			continue
		}
		for _, used := range m.Value.RequestModels {
			if used == name {
				return nil, conflict("ModelName", "Cannot delete model '"+name+"', is referenced in method request: "+
					paths[resourceOf(rec.Key.ID)]+"/"+*m.Value.HttpMethod)
			}
		}
	}
	return &apigateway.DeleteModelOutput{}, remove(ctx, s, resource.RestModels, resource.PartID(v.API, name))
}
