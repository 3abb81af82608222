package apigateway

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// maxCompression bounds minimumCompressionSize (facts: apigateway 10).
const maxCompression = 10485760

const badCompression = "Invalid minimum compression size, must be between 0 and 10485760"

// CreateRestApi makes an API with its root resource and the two models that every API has.
func (s *Service) CreateRestApi(ctx context.Context, in *apigateway.CreateRestApiInput) (*apigateway.RestApi, error) {
	if in.Description != nil && *in.Description == "" {
		return nil, bad("Description", "Description cannot be an empty string")
	}
	if in.MinimumCompressionSize != nil && (*in.MinimumCompressionSize < 0 || *in.MinimumCompressionSize > maxCompression) {
		return nil, bad("MinimumCompressionSize", badCompression)
	}
	endpoint, err := endpointConfiguration(in.EndpointConfiguration)
	if err != nil {
		return nil, err
	}
	if err := checkPolicy(in.Policy); err != nil {
		return nil, err
	}
	v := &apigateway.RestApi{
		Id:   new(s.env.NewID(ctx, apiID("restapi"), taken(ctx, s, resource.RestAPIs, ""))),
		Name: in.Name, Description: in.Description, Version: in.Version, CreatedDate: s.now(), BinaryMediaTypes: in.BinaryMediaTypes,
		MinimumCompressionSize: in.MinimumCompressionSize, ApiKeySource: or(in.ApiKeySource, "HEADER"), EndpointConfiguration: endpoint,
		Policy: in.Policy, Tags: in.Tags, DisableExecuteApiEndpoint: or(in.DisableExecuteApiEndpoint, false),
		SecurityPolicy: in.SecurityPolicy, EndpointAccessMode: in.EndpointAccessMode, ApiStatus: new("AVAILABLE"),
	}
	var from resource.Definition
	if in.CloneFrom != nil {
		var ok bool
		if from, ok = resource.DefinitionOf(s.env.Store.Read(ctx), region(ctx), *in.CloneFrom); !ok {
			return nil, s.noAPI(ctx, in.CloneFrom)
		}
	}
	root := &apigateway.Resource{Id: new(s.env.NewID(ctx, apiID("root-resource"), nil)), Path: new("/")}
	v.RootResourceId = root.Id
	if err := s.storeAPI(ctx, v, root); err != nil {
		return nil, err
	}
	if in.CloneFrom != nil {
		if err := s.cloneInto(ctx, v, &from); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// storeAPI stores a fresh API. The models Empty and Error come with it (test_import_and_validate_rest_api).
func (s *Service) storeAPI(ctx context.Context, v *apigateway.RestApi, root *apigateway.Resource) error {
	r, id := region(ctx), *v.Id
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.RestAPIs.Put(tx, r, id, &resource.RestPart[apigateway.RestApi]{API: id, Value: v})
		resource.RestResources.Put(tx, r, resource.PartID(id, *root.Id), &resource.RestPart[apigateway.Resource]{API: id, Value: root})
		for _, m := range s.defaultModels(ctx) {
			resource.RestModels.Put(tx, r, resource.PartID(id, *m.Name), &resource.RestPart[apigateway.Model]{API: id, Value: m})
		}
		return nil
	})
	return err
}

// defaultModels are as AWS shows them (test_import_rest_api, recorded from AWS by localstack).
func (s *Service) defaultModels(ctx context.Context) []*apigateway.Model {
	return []*apigateway.Model{
		{Id: new(s.env.NewID(ctx, partID("model Empty"), nil)), Name: new("Empty"), ContentType: new("application/json"),
			Description: new("This is a default empty schema model"),
			Schema:      new("{\n  \"$schema\": \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Empty Schema\",\n  \"type\" : \"object\"\n}")},
		{Id: new(s.env.NewID(ctx, partID("model Error"), nil)), Name: new("Error"), ContentType: new("application/json"),
			Description: new("This is a default error schema model"),
			Schema: new("{\n  \"$schema\" : \"http://json-schema.org/draft-04/schema#\",\n  \"title\" : \"Error Schema\",\n  \"type\" : \"object\",\n" +
				"  \"properties\" : {\n    \"message\" : { \"type\" : \"string\" }\n  }\n}")},
	}
}

// endpointConfiguration checks and completes (test_create_rest_api_with_endpoint_configuration, recorded from AWS).
func endpointConfiguration(c *apigateway.EndpointConfiguration) (*apigateway.EndpointConfiguration, error) {
	if c == nil {
		return &apigateway.EndpointConfiguration{Types: []string{"EDGE"}, IpAddressType: new("ipv4")}, nil
	}
	out := clone(c)
	switch {
	case c.Types == nil:
		out.Types = []string{"EDGE"}
	case len(c.Types) == 0:
		return nil, bad("EndpointConfiguration.Types", "REGIONAL Configuration and EDGE Configuration cannot be both DISABLED.")
	case len(c.Types) > 1:
		return nil, bad("EndpointConfiguration.Types", "Cannot create an api with multiple Endpoint Types.")
	case !slices.Contains([]string{"EDGE", "REGIONAL", "PRIVATE"}, c.Types[0]):
		return nil, bad("EndpointConfiguration.Types", "Invalid EndpointTypes specified. Valid options are REGIONAL,EDGE,PRIVATE") // test_update_rest_api_ip_address_type
	}
	private := out.Types[0] == "PRIVATE"
	if private && deref(c.IpAddressType) == "ipv4" {
		return nil, bad("EndpointConfiguration.IpAddressType", "Only dualstack ipAddressType is supported for Private APIs.")
	}
	if out.IpAddressType == nil {
		out.IpAddressType = new("ipv4")
		if private {
			out.IpAddressType = new("dualstack")
		}
	}
	return out, nil
}

// maxPolicy bounds a resource policy, in characters (facts: apigateway 4).
const maxPolicy = 8192

func checkPolicy(policy *string) error {
	if deref(policy) == "" {
		return nil
	}
	const refused = "Invalid policy document. Please check the policy syntax and ensure that Principals are valid."
	if len(*policy) > maxPolicy {
		return bad("Policy", refused, fmt.Sprintf("the policy has %d characters, %d are allowed", len(*policy), maxPolicy))
	}
	if _, err := iam.Parse([]byte(*policy)); err != nil {
		return bad("Policy", refused, err.Error())
	}
	return nil
}

// GetRestApi returns an API.
func (s *Service) GetRestApi(ctx context.Context, in *apigateway.GetRestApiInput) (*apigateway.RestApi, error) {
	v, err := s.api(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	return v.Value, nil
}

// GetRestApis lists the APIs of the region.
func (s *Service) GetRestApis(ctx context.Context, in *apigateway.GetRestApisInput) (*apigateway.GetRestApisOutput, error) {
	var all []*apigateway.RestApi
	for _, v := range resource.RestAPIs.All(s.env.Store.Read(ctx), region(ctx)) {
		all = append(all, v.Value)
	}
	slices.SortStableFunc(all, func(a, b *apigateway.RestApi) int { return deref(a.CreatedDate).Compare(deref(b.CreatedDate)) })
	items, next := page(all, in.Position, in.Limit)
	return &apigateway.GetRestApisOutput{Items: items, Position: next}, nil
}

// UpdateRestApi changes an API's settings.
func (s *Service) UpdateRestApi(ctx context.Context, in *apigateway.UpdateRestApiInput) (*apigateway.RestApi, error) {
	old, err := s.api(ctx, in.RestApiId)
	if err != nil {
		return nil, err
	}
	part := *old
	if part.Value, err = apiRules.apply(old.Value, in.PatchOperations); err != nil {
		return nil, err
	}
	if err := checkPolicy(part.Value.Policy); err != nil {
		return nil, err
	}
	if c := part.Value.EndpointConfiguration; c != nil && slices.Contains(c.Types, "PRIVATE") && deref(c.IpAddressType) == "ipv4" {
		return nil, bad("EndpointConfiguration.IpAddressType", "Only dualstack ipAddressType is supported for Private APIs.")
	}
	return part.Value, put(ctx, s, resource.RestAPIs, part.API, &part)
}

// DeleteRestApi deletes an API and everything in it.
func (s *Service) DeleteRestApi(ctx context.Context, in *apigateway.DeleteRestApiInput) (*apigateway.DeleteRestApiOutput, error) {
	if _, err := s.api(ctx, in.RestApiId); err != nil {
		return nil, err
	}
	id := *in.RestApiId
	for _, m := range resource.GatewayMappings.All(s.env.Store.Read(ctx), region(ctx)) {
		if deref(m.Value.RestApiId) == id {
			return nil, bad("RestApiId", "Please remove all base path mappings related to the API in your account before deleting it.",
				"base path "+deref(m.Value.BasePath)+" of "+m.Domain+" leads to the API") // text: our memory of AWS's
		}
	}
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		r := region(ctx)
		resource.RestAPIs.Delete(tx, r, id)
		dropParts(tx, resource.RestResources, r, id)
		dropParts(tx, resource.RestMethods, r, id)
		dropParts(tx, resource.RestAuthorizers, r, id)
		dropParts(tx, resource.RestValidators, r, id)
		dropParts(tx, resource.RestModels, r, id)
		dropParts(tx, resource.RestGatewayResponses, r, id)
		dropParts(tx, resource.RestDeployments, r, id)
		dropParts(tx, resource.RestStages, r, id)
		dropParts(tx, resource.RestDocumentation, r, id)
		dropParts(tx, resource.RestDocumentVersions, r, id)
		return nil
	})
	return &apigateway.DeleteRestApiOutput{}, err
}

// dropParts deletes the records of a kind that belong to an API.
func dropParts[T any](tx *store.Tx, kind store.Kind[T], region, api string) {
	var ids []string
	for rec := range kind.All(tx, region) {
		if strings.HasPrefix(rec.Key.ID, api+"/") {
			ids = append(ids, rec.Key.ID)
		}
	}
	for _, id := range ids {
		kind.Delete(tx, region, id)
	}
}

// cloneInto copies another API's definition. Ids of resources are made anew.
func (s *Service) cloneInto(ctx context.Context, v *apigateway.RestApi, from *resource.Definition) error {
	r, id := region(ctx), *v.Id
	ids := map[string]string{}
	for _, d := range from.Resources {
		ids[*d.Value.Id] = s.env.NewID(ctx, partID("clone of "+*d.Value.Id), nil)
		if *d.Value.Path == "/" {
			ids[*d.Value.Id] = *v.RootResourceId
		}
	}
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		for _, d := range from.Resources {
			c := clone(d.Value)
			c.Id = new(ids[*d.Value.Id])
			if c.ParentId != nil {
				c.ParentId = new(ids[*c.ParentId])
			}
			resource.RestResources.Put(tx, r, resource.PartID(id, *c.Id), &resource.RestPart[apigateway.Resource]{API: id, Value: c})
		}
		for _, d := range from.Methods {
			p := strings.Split(d.ID, "/")
			resource.RestMethods.Put(tx, r, resource.PartID(id, ids[p[1]], p[2]), &resource.RestPart[apigateway.Method]{API: id, Value: d.Value})
		}
		cloneParts(tx, resource.RestAuthorizers, cloneTo{r, id}, from.Authorizers)
		cloneParts(tx, resource.RestValidators, cloneTo{r, id}, from.Validators)
		cloneParts(tx, resource.RestModels, cloneTo{r, id}, from.Models)
		cloneParts(tx, resource.RestGatewayResponses, cloneTo{r, id}, from.GatewayResponses)
		return nil
	})
	return err
}

type cloneTo struct{ region, api string }

func cloneParts[T any](tx *store.Tx, kind store.Kind[resource.RestPart[T]], to cloneTo, from []resource.Defined[T]) {
	for _, d := range from {
		_, part, _ := strings.Cut(d.ID, "/")
		kind.Put(tx, to.region, resource.PartID(to.api, part), &resource.RestPart[T]{API: to.api, Value: d.Value})
	}
}
