package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

func agShape(name string) *awsapi.Shape { return apigateway.Service.Shape(name) }

// apiGatewayTypes are the types of AWS::ApiGateway that are more than one operation (facts: cloudformation 3).
var apiGatewayTypes = map[string]*resourceType{
	"AWS::ApiGateway::RestApi": {
		spelling: spelling{
			rename:   map[string]string{"CreateRestApiRequest.ApiKeySourceType": "ApiKeySource"},
			document: map[string]bool{"CreateRestApiRequest.Policy": true},
			skip: map[string]bool{"CreateRestApiRequest.Body": true, "CreateRestApiRequest.BodyS3Location": true, "CreateRestApiRequest.Mode": true,
				"CreateRestApiRequest.FailOnWarnings": true, "CreateRestApiRequest.Parameters": true},
		},
		create: createRestAPI, update: updateRestAPI,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := s.APIGateway.DeleteRestApi(ctx, &apigateway.DeleteRestApiInput{RestApiId: &old.PhysicalID})
			return err
		},
	},
	"AWS::ApiGateway::Resource": {
		required: []string{"ParentId", "PathPart", "RestApiId"}, replace: []string{"ParentId", "PathPart", "RestApiId"},
		create: func(ctx context.Context, r *request) (made, error) {
			in := &apigateway.CreateResourceInput{}
			if err := r.into(in, agShape("CreateResourceRequest")); err != nil {
				return made{}, err
			}
			out, err := call[apigateway.Resource](ctx, apigateway.Service, r.APIGateway, "CreateResource", in)
			if err != nil {
				return made{}, err
			}
			return made{*out.Id, map[string]string{"ResourceId": *out.Id, apiAttribute: *in.RestApiId}}, nil
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := s.APIGateway.DeleteResource(ctx, &apigateway.DeleteResourceInput{RestApiId: new(old.Attributes[apiAttribute]), ResourceId: &old.PhysicalID})
			return gone(err)
		},
	},
	"AWS::ApiGateway::Method": {
		required: []string{"HttpMethod", "ResourceId", "RestApiId"}, replace: []string{"HttpMethod", "ResourceId", "RestApiId"},
		spelling: spelling{
			rename: map[string]string{"PutIntegrationRequest.IntegrationHttpMethod": "integrationHttpMethod"},
			skip:   map[string]bool{"PutMethodRequest.Integration": true, "PutMethodRequest.MethodResponses": true, "PutIntegrationRequest.IntegrationResponses": true},
		},
		create: createMethod, update: updateMethod, delete: deleteMethod,
	},
	"AWS::ApiGateway::Deployment": {
		required: []string{"RestApiId"}, replace: []string{"RestApiId", "DeploymentCanarySettings"},
		spelling: spelling{
			rename: map[string]string{"CreateDeploymentRequest.DeploymentCanarySettings": "canarySettings"},
			skip:   map[string]bool{"CreateDeploymentRequest.StageDescription": true},
		},
		create: createDeployment, update: updateDeployment, delete: deleteDeployment,
	},
	"AWS::ApiGateway::Stage": stageType,
}

// apiAttribute keeps the id of the API that a part belongs to; it is no attribute of CloudFormation.
const apiAttribute = "(RestApiId)"

// gone takes a part that went with its API for deleted.
func gone(err error) error {
	if e := awsapi.AsError(err); e != nil && e.Code == apigateway.ErrCodeNotFoundException {
		return nil
	}
	return err
}

func createRestAPI(ctx context.Context, r *request) (made, error) {
	in := &apigateway.CreateRestApiInput{}
	if err := r.into(in, agShape("CreateRestApiRequest")); err != nil {
		return made{}, err
	}
	if in.Name == nil {
		// A document names its API itself (AWS::ApiGateway::RestApi: "If you don't specify an OpenAPI definition, you must specify a name").
		in.Name = new(r.logicalID)
		if title := r.props.Get("Body").Get("info").Get("title"); title.IsScalar() {
			in.Name = &title.Text
		}
	}
	out, err := call[apigateway.RestApi](ctx, apigateway.Service, r.APIGateway, "CreateRestApi", in)
	if err != nil {
		return made{}, err
	}
	return restAPIMade(out), importBody(ctx, r, *out.Id)
}

func restAPIMade(v *apigateway.RestApi) made {
	return made{*v.Id, map[string]string{"RestApiId": *v.Id, "RootResourceId": *v.RootResourceId}}
}

// importBody reads the OpenAPI document of an API. Properties beside it stand (AWS::ApiGateway::RestApi).
func importBody(ctx context.Context, r *request, id string) error {
	if at := r.props.Get("BodyS3Location"); at != nil {
		return &refusal{[]diag.Finding{{Code: diag.UnsupportedProperty, Severity: diag.Error, Path: at.Path(), Position: at.Position,
			Message: "the OpenAPI document of " + r.logicalID + " cannot be fetched from S3", Fixes: []string{"put the document into the template as Body"}}}}
	}
	body := r.props.Get("Body")
	if body == nil {
		return nil
	}
	in := &apigateway.PutRestApiInput{RestApiId: &id, Mode: new("overwrite"), FailOnWarnings: new(r.text("FailOnWarnings") == "true"), Parameters: map[string]string{}, Body: body.AppendJSON(nil)}
	if p := r.props.Get("Parameters"); p != nil {
		for _, f := range p.Fields {
			in.Parameters[f.Key] = f.Value.Text
		}
	}
	out, err := call[apigateway.RestApi](ctx, apigateway.Service, r.APIGateway, "PutRestApi", in)
	if err != nil {
		return err
	}
	for _, w := range out.Warnings {
		place, message, _ := strings.Cut(w, ": ")
		at := locate(r.props, place, &r.typ.spelling)
		r.stack.found = append(r.stack.found, diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: at.Path(), Position: at.Position, Message: message})
	}
	return nil
}

func updateRestAPI(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	ops, err := r.patches(&apigateway.CreateRestApiInput{}, &apigateway.CreateRestApiInput{}, change{"CreateRestApiRequest", "CreateRestApi", old})
	if err != nil {
		return made{}, err
	}
	out, err := r.APIGateway.UpdateRestApi(ctx, &apigateway.UpdateRestApiInput{RestApiId: &old.PhysicalID, PatchOperations: ops})
	if err != nil {
		return made{}, err
	}
	return restAPIMade(out), importBody(ctx, r, *out.Id)
}

// methodID is Ref of a method, which nothing else takes (facts: cloudformation 3).
func methodID(r *request) string {
	return r.stackName() + "-" + r.logicalID + "-" + r.text("HttpMethod")
}

func createMethod(ctx context.Context, r *request) (made, error) {
	in := &apigateway.PutMethodInput{}
	if err := r.into(in, agShape("PutMethodRequest")); err != nil {
		return made{}, err
	}
	if in.AuthorizationType == nil {
		in.AuthorizationType = new("NONE") // AWS::ApiGateway::Method: "The default value is NONE"
	}
	if _, err := call[apigateway.Method](ctx, apigateway.Service, r.APIGateway, "PutMethod", in); err != nil {
		return made{}, err
	}
	m := made{methodID(r), map[string]string{apiAttribute: *in.RestApiId, "(ResourceId)": *in.ResourceId, "(HttpMethod)": *in.HttpMethod}}
	if list := r.props.Get("MethodResponses"); list != nil {
		for _, v := range list.Items {
			p := &apigateway.PutMethodResponseInput{RestApiId: in.RestApiId, ResourceId: in.ResourceId, HttpMethod: in.HttpMethod}
			if err := r.part(p, agShape("PutMethodResponseRequest"), v); err != nil {
				return m, err
			}
			if _, err := call[apigateway.MethodResponse](ctx, apigateway.Service, r.APIGateway, "PutMethodResponse", p); err != nil {
				return m, within(v, err)
			}
		}
	}
	return m, createIntegration(ctx, r, in)
}

func createIntegration(ctx context.Context, r *request, m *apigateway.PutMethodInput) error {
	props := r.props.Get("Integration")
	if props == nil {
		return nil
	}
	in := &apigateway.PutIntegrationInput{RestApiId: m.RestApiId, ResourceId: m.ResourceId, HttpMethod: m.HttpMethod}
	if err := r.part(in, agShape("PutIntegrationRequest"), props); err != nil {
		return err
	}
	if _, err := call[apigateway.Integration](ctx, apigateway.Service, r.APIGateway, "PutIntegration", in); err != nil {
		return within(props, err)
	}
	list := props.Get("IntegrationResponses")
	if list == nil {
		return nil
	}
	for _, v := range list.Items {
		p := &apigateway.PutIntegrationResponseInput{RestApiId: m.RestApiId, ResourceId: m.ResourceId, HttpMethod: m.HttpMethod}
		if err := r.part(p, agShape("PutIntegrationResponseRequest"), v); err != nil {
			return err
		}
		if _, err := call[apigateway.IntegrationResponse](ctx, apigateway.Service, r.APIGateway, "PutIntegrationResponse", p); err != nil {
			return within(v, err)
		}
	}
	return nil
}

// within makes the path of a refusal relative to all properties instead of v.
func within(v *template.Value, err error) error {
	e := awsapi.AsError(err)
	if e == nil || e.Finding == nil {
		return err
	}
	_, at, _ := strings.Cut(v.Path(), ".Properties.")
	c, f := *e, *e.Finding
	f.Path = strings.TrimSuffix(at+"."+f.Path, ".")
	c.Finding = &f
	return &c
}

// updateMethod makes the method anew; nobody sees it missing, since a deployment is one change.
func updateMethod(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	if err := deleteMethod(ctx, r.Services, old); err != nil {
		return made{}, err
	}
	return createMethod(ctx, r)
}

func deleteMethod(ctx context.Context, s *Services, old resource.StackResource) error {
	_, err := s.APIGateway.DeleteMethod(ctx, &apigateway.DeleteMethodInput{RestApiId: new(old.Attributes[apiAttribute]),
		ResourceId: new(old.Attributes["(ResourceId)"]), HttpMethod: new(old.Attributes["(HttpMethod)"])})
	return gone(err)
}

func createDeployment(ctx context.Context, r *request) (made, error) {
	in := &apigateway.CreateDeploymentInput{}
	if err := r.into(in, agShape("CreateDeploymentRequest")); err != nil {
		return made{}, err
	}
	d := r.props.Get("StageDescription")
	if d != nil {
		in.Variables, in.StageDescription = map[string]string{}, new(text(d, "Description"))
		for _, f := range fieldsOf(d.Get("Variables")) {
			in.Variables[f.Key] = f.Value.Text
		}
		in.TracingEnabled = new(text(d, "TracingEnabled") == "true")
	}
	out, err := call[apigateway.Deployment](ctx, apigateway.Service, r.APIGateway, "CreateDeployment", in)
	if err != nil {
		return made{}, err
	}
	m := made{*out.Id, map[string]string{"DeploymentId": *out.Id, apiAttribute: *in.RestApiId, "(StageName)": deref(in.StageName)}}
	if in.StageName == nil || d == nil {
		return m, nil
	}
	return m, applyStage(ctx, r, stageAt{in.RestApiId, in.StageName, d})
}

func fieldsOf(v *template.Value) []template.Field {
	if v == nil {
		return nil
	}
	return v.Fields
}

// updateDeployment changes the description only: a deployment is a copy that stays as it is.
func updateDeployment(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &apigateway.UpdateDeploymentInput{RestApiId: new(old.Attributes[apiAttribute]), DeploymentId: &old.PhysicalID,
		PatchOperations: []*apigateway.PatchOperation{{Op: new("replace"), Path: new("/description"), Value: new(r.text("Description"))}}}
	if _, err := r.APIGateway.UpdateDeployment(ctx, in); err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, old.Attributes}, nil
}

// deleteDeployment deletes the stage that came with the deployment as well, unless it was given another deployment.
func deleteDeployment(ctx context.Context, s *Services, old resource.StackResource) error {
	api := new(old.Attributes[apiAttribute])
	if name := old.Attributes["(StageName)"]; name != "" {
		st, err := s.APIGateway.GetStage(ctx, &apigateway.GetStageInput{RestApiId: api, StageName: &name})
		if err == nil && deref(st.DeploymentId) == old.PhysicalID {
			if _, err := s.APIGateway.DeleteStage(ctx, &apigateway.DeleteStageInput{RestApiId: api, StageName: &name}); err != nil {
				return err
			}
		}
	}
	_, err := s.APIGateway.DeleteDeployment(ctx, &apigateway.DeleteDeploymentInput{RestApiId: api, DeploymentId: &old.PhysicalID})
	return gone(err)
}

// change names what patches compares: an input's shape and operation, and the resource as it was.
type change struct {
	shape, operation string
	old              resource.StackResource
}

// patches makes the patch operations that lead from the old properties to the new ones. before and after are empty inputs.
func (r *request) patches(before, after any, c change) ([]*apigateway.PatchOperation, error) {
	was, problem := template.Read(c.old.LogicalID, c.old.Properties, template.Limits{})
	if problem != nil {
		return nil, fmt.Errorf("read the properties that %s had: %w", c.old.LogicalID, problem)
	}
	if err := r.part(before, agShape(c.shape), was); err != nil {
		return nil, err
	}
	if err := r.into(after, agShape(c.shape)); err != nil {
		return nil, err
	}
	return diffPatches(agShape(c.shape), before, after), nil
}
