package stack

import (
	"context"
	"reflect"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/resource"
)

// gatewayPart describes a type that one operation makes and patch operations change.
type gatewayPart struct {
	create, update, delete string
	// parent is the member that names what the part belongs to, "" for none; key the one that names the part in the inputs
	// of update and delete.
	parent, key string
	// ref is the member of the output that Ref returns, and attribute the attribute with the same value.
	ref, attribute    string
	required, replace []string
	spelling          spelling
	// name is the property that gets a made-up name when it is missing.
	name string
	// more adds attributes.
	more func(out any) map[string]string
}

// parentAttribute keeps the parent's id; it is no attribute of CloudFormation.
const parentAttribute = "(Parent)"

func (p gatewayPart) resourceType() *resourceType {
	t := &resourceType{required: p.required, replace: p.replace, spelling: p.spelling}
	t.create = func(ctx context.Context, r *request) (made, error) {
		op := apigateway.Service.Operation(p.create)
		in := reflect.ValueOf(op.New())
		if err := r.into(in.Interface(), op.Input); err != nil {
			return made{}, err
		}
		if p.name != "" && r.text(p.name) == "" {
			setText(member(in, p.name), p.madeUp(r))
		}
		out, err := p.call(ctx, r.Services, op, in)
		if err != nil {
			return made{}, err
		}
		m := made{id: memberText(out, p.ref), attributes: map[string]string{}}
		if p.parent != "" {
			m.attributes[parentAttribute] = memberText(in, p.parent)
		}
		return p.complete(m, out), nil
	}
	if p.update != "" {
		t.update = p.change
	}
	t.delete = func(ctx context.Context, s *Services, old resource.StackResource) error {
		op := apigateway.Service.Operation(p.delete)
		in := reflect.ValueOf(op.New())
		p.identify(in, old)
		_, err := p.call(ctx, s, op, in)
		return gone(err)
	}
	return t
}

// madeUp is a name for a part that has none. Models take letters and digits only (facts: apigateway 7).
func (p gatewayPart) madeUp(r *request) string {
	return strings.ReplaceAll(r.name(p.name, 100), "-", "")
}

func (p gatewayPart) complete(m made, out reflect.Value) made {
	if p.attribute != "" {
		m.attributes[p.attribute] = m.id
	}
	if p.more != nil {
		for k, v := range p.more(out.Interface()) {
			m.attributes[k] = v
		}
	}
	return m
}

func (p gatewayPart) call(ctx context.Context, s *Services, op *awsapi.Operation, in reflect.Value) (reflect.Value, error) {
	if err := awsapi.Validate(apigateway.Service, op, in.Interface()); err != nil {
		return reflect.Value{}, err
	}
	out, err := op.Call(ctx, s.APIGateway, in.Interface())
	return reflect.ValueOf(out), err
}

func (p gatewayPart) identify(in reflect.Value, old resource.StackResource) {
	if p.parent != "" {
		setText(member(in, p.parent), old.Attributes[parentAttribute])
	}
	setText(member(in, p.key), old.PhysicalID)
}

func (p gatewayPart) change(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	create, op := apigateway.Service.Operation(p.create), apigateway.Service.Operation(p.update)
	ops, err := r.patches(create.New(), create.New(), change{create.Input.Name, p.create, old})
	if err != nil {
		return made{}, err
	}
	in := reflect.ValueOf(op.New())
	p.identify(in, old)
	member(in, "PatchOperations").Set(reflect.ValueOf(ops))
	out, err := p.call(ctx, r.Services, op, in)
	if err != nil {
		return made{}, err
	}
	return p.complete(made{old.PhysicalID, map[string]string{parentAttribute: old.Attributes[parentAttribute]}}, out), nil
}

// apiGatewayParts are the types of AWS::ApiGateway that gatewayPart makes, and some that are nearly that (facts:
// cloudformation 3).
var apiGatewayParts = map[string]*resourceType{
	"AWS::ApiGateway::Authorizer": gatewayPart{
		create: "CreateAuthorizer", update: "UpdateAuthorizer", delete: "DeleteAuthorizer", parent: "RestApiId", key: "AuthorizerId", ref: "Id",
		attribute: "AuthorizerId", required: []string{"Name", "RestApiId", "Type"}, replace: []string{"RestApiId"},
	}.resourceType(),
	"AWS::ApiGateway::RequestValidator": gatewayPart{
		create: "CreateRequestValidator", update: "UpdateRequestValidator", delete: "DeleteRequestValidator", parent: "RestApiId", key: "RequestValidatorId",
		ref: "Id", attribute: "RequestValidatorId", required: []string{"RestApiId"}, replace: []string{"Name", "RestApiId"}, name: "Name",
	}.resourceType(),
	"AWS::ApiGateway::Model": gatewayPart{
		create: "CreateModel", update: "UpdateModel", delete: "DeleteModel", parent: "RestApiId", key: "ModelName", ref: "Name",
		required: []string{"RestApiId"}, replace: []string{"ContentType", "Name", "RestApiId"}, name: "Name",
		spelling: spelling{document: map[string]bool{"CreateModelRequest.Schema": true}},
	}.resourceType(),
	"AWS::ApiGateway::DocumentationPart": gatewayPart{
		create: "CreateDocumentationPart", update: "UpdateDocumentationPart", delete: "DeleteDocumentationPart", parent: "RestApiId", key: "DocumentationPartId",
		ref: "Id", attribute: "DocumentationPartId", required: []string{"Location", "Properties", "RestApiId"}, replace: []string{"Location", "RestApiId"},
		spelling: spelling{document: map[string]bool{"CreateDocumentationPartRequest.Properties": true}},
	}.resourceType(),
	"AWS::ApiGateway::DocumentationVersion": gatewayPart{
		create: "CreateDocumentationVersion", update: "UpdateDocumentationVersion", delete: "DeleteDocumentationVersion", parent: "RestApiId",
		key: "DocumentationVersion", ref: "Version", required: []string{"DocumentationVersion", "RestApiId"}, replace: []string{"DocumentationVersion", "RestApiId"},
	}.resourceType(),
	"AWS::ApiGateway::ClientCertificate": gatewayPart{
		create: "GenerateClientCertificate", update: "UpdateClientCertificate", delete: "DeleteClientCertificate", key: "ClientCertificateId",
		ref: "ClientCertificateId", attribute: "ClientCertificateId",
	}.resourceType(),
	"AWS::ApiGateway::VpcLink": gatewayPart{
		create: "CreateVpcLink", update: "UpdateVpcLink", delete: "DeleteVpcLink", key: "VpcLinkId", ref: "Id", attribute: "VpcLinkId",
		required: []string{"Name", "TargetArns"}, replace: []string{"TargetArns"},
	}.resourceType(),
	"AWS::ApiGateway::ApiKey": gatewayPart{
		create: "CreateApiKey", update: "UpdateApiKey", delete: "DeleteApiKey", key: "ApiKey", ref: "Id", attribute: "APIKeyId",
		replace: []string{"GenerateDistinctId", "Name", "Value"}, name: "Name",
	}.resourceType(),
	"AWS::ApiGateway::DomainName": gatewayPart{
		create: "CreateDomainName", update: "UpdateDomainName", delete: "DeleteDomainName", key: "DomainName", ref: "DomainName", more: domainAttributes,
		required: []string{"DomainName"}, replace: []string{"DomainName"},
	}.resourceType(),
	"AWS::ApiGateway::BasePathMapping": {
		required: []string{"DomainName"}, replace: []string{"BasePath", "DomainName"},
		spelling: spelling{skip: map[string]bool{"CreateBasePathMappingRequest.Id": true}},
		create:   createMapping, update: updateMapping, delete: deleteMapping,
	},
	"AWS::ApiGateway::GatewayResponse": {
		required: []string{"ResponseType", "RestApiId"}, replace: []string{"ResponseType", "RestApiId"},
		create: putGatewayResponse,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return putGatewayResponse(ctx, r)
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := s.APIGateway.DeleteGatewayResponse(ctx, &apigateway.DeleteGatewayResponseInput{RestApiId: new(old.Attributes[parentAttribute]), ResponseType: new(old.Attributes["(ResponseType)"])})
			return gone(err)
		},
	},
	"AWS::ApiGateway::UsagePlan": {spelling: usagePlanSpelling, create: createUsagePlan, update: updateUsagePlan, delete: deleteUsagePlan},
	"AWS::ApiGateway::UsagePlanKey": {
		required: []string{"KeyId", "KeyType", "UsagePlanId"}, replace: []string{"KeyId", "KeyType", "UsagePlanId"},
		create: func(ctx context.Context, r *request) (made, error) {
			in := &apigateway.CreateUsagePlanKeyInput{}
			if err := r.into(in, agShape("CreateUsagePlanKeyRequest")); err != nil {
				return made{}, err
			}
			if _, err := call[apigateway.UsagePlanKey](ctx, apigateway.Service, r.APIGateway, "CreateUsagePlanKey", in); err != nil {
				return made{}, err
			}
			id := *in.KeyId + ":" + *in.UsagePlanId
			return made{id, map[string]string{"Id": id}}, nil
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			key, plan, _ := strings.Cut(old.PhysicalID, ":")
			_, err := s.APIGateway.DeleteUsagePlanKey(ctx, &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &key})
			return gone(err)
		},
	},
	"AWS::ApiGateway::Account": {
		create: putAccount,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return putAccount(ctx, r)
		},
		delete: func(context.Context, *Services, resource.StackResource) error { return nil },
	},
}

func domainAttributes(out any) map[string]string {
	d := out.(*apigateway.DomainName)
	return map[string]string{"DistributionDomainName": deref(d.DistributionDomainName), "DistributionHostedZoneId": deref(d.DistributionHostedZoneId),
		"DomainNameArn": deref(d.DomainNameArn), "RegionalDomainName": deref(d.RegionalDomainName), "RegionalHostedZoneId": deref(d.RegionalHostedZoneId)}
}

func createMapping(ctx context.Context, r *request) (made, error) {
	in := &apigateway.CreateBasePathMappingInput{}
	if err := r.into(in, agShape("CreateBasePathMappingRequest")); err != nil {
		return made{}, err
	}
	out, err := call[apigateway.BasePathMapping](ctx, apigateway.Service, r.APIGateway, "CreateBasePathMapping", in)
	if err != nil {
		return made{}, err
	}
	return made{*in.DomainName + "|" + *out.BasePath, map[string]string{parentAttribute: *in.DomainName, "(BasePath)": *out.BasePath}}, nil
}

func updateMapping(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	ops := []*apigateway.PatchOperation{
		{Op: new("replace"), Path: new("/restapiId"), Value: new(r.text("RestApiId"))}, {Op: new("replace"), Path: new("/stage"), Value: new(r.text("Stage"))}}
	_, err := r.APIGateway.UpdateBasePathMapping(ctx, &apigateway.UpdateBasePathMappingInput{DomainName: new(old.Attributes[parentAttribute]),
		BasePath: new(old.Attributes["(BasePath)"]), PatchOperations: ops})
	return made{old.PhysicalID, old.Attributes}, err
}

func deleteMapping(ctx context.Context, s *Services, old resource.StackResource) error {
	_, err := s.APIGateway.DeleteBasePathMapping(ctx, &apigateway.DeleteBasePathMappingInput{DomainName: new(old.Attributes[parentAttribute]), BasePath: new(old.Attributes["(BasePath)"])})
	return gone(err)
}

func putGatewayResponse(ctx context.Context, r *request) (made, error) {
	in := &apigateway.PutGatewayResponseInput{}
	if err := r.into(in, agShape("PutGatewayResponseRequest")); err != nil {
		return made{}, err
	}
	if _, err := call[apigateway.GatewayResponse](ctx, apigateway.Service, r.APIGateway, "PutGatewayResponse", in); err != nil {
		return made{}, err
	}
	id := r.stackName() + "-" + r.logicalID
	return made{id, map[string]string{"Id": id, parentAttribute: *in.RestApiId, "(ResponseType)": *in.ResponseType}}, nil
}

func putAccount(ctx context.Context, r *request) (made, error) {
	id := r.stackName() + "-" + r.logicalID
	for _, f := range r.props.Fields {
		if f.Key != "CloudWatchRoleArn" {
			return made{}, (&converter{spelling: &r.typ.spelling, logical: r.logicalID}).extraneous(r.props, f)
		}
	}
	in := &apigateway.UpdateAccountInput{PatchOperations: []*apigateway.PatchOperation{{Op: new("replace"), Path: new("/cloudwatchRoleArn"), Value: new(r.text("CloudWatchRoleArn"))}}}
	if _, err := r.APIGateway.UpdateAccount(ctx, in); err != nil {
		return made{}, err
	}
	return made{id, map[string]string{"Id": id}}, nil
}

func usagePlanInput(r *request) (*apigateway.CreateUsagePlanInput, error) {
	in := &apigateway.CreateUsagePlanInput{}
	if err := r.into(in, agShape("CreateUsagePlanRequest")); err != nil {
		return nil, err
	}
	if in.Name == nil {
		in.Name = new(r.name("UsagePlanName", 100))
	}
	return in, nil
}

var usagePlanSpelling = spelling{rename: map[string]string{"CreateUsagePlanRequest.UsagePlanName": "Name"}}

func createUsagePlan(ctx context.Context, r *request) (made, error) {
	in, err := usagePlanInput(r)
	if err != nil {
		return made{}, err
	}
	out, err := call[apigateway.UsagePlan](ctx, apigateway.Service, r.APIGateway, "CreateUsagePlan", in)
	if err != nil {
		return made{}, err
	}
	return made{*out.Id, map[string]string{"Id": *out.Id}}, nil
}

// updateUsagePlan takes the plan's stages out and puts those of the template in.
func updateUsagePlan(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in, err := usagePlanInput(r)
	if err != nil {
		return made{}, err
	}
	ops, err := r.patches(&apigateway.CreateUsagePlanInput{}, &apigateway.CreateUsagePlanInput{}, change{"CreateUsagePlanRequest", "CreateUsagePlan", old})
	if err != nil {
		return made{}, err
	}
	now, err := r.APIGateway.GetUsagePlan(ctx, &apigateway.GetUsagePlanInput{UsagePlanId: &old.PhysicalID})
	if err != nil {
		return made{}, err
	}
	ops = append(ops, leaveStages(now)...)
	for _, st := range in.ApiStages {
		name := deref(st.ApiId) + ":" + deref(st.Stage)
		ops = append(ops, &apigateway.PatchOperation{Op: new("add"), Path: new("/apiStages"), Value: &name})
		for _, key := range keysOf(reflect.ValueOf(st.Throttle)) {
			at := strings.LastIndexByte(key, '/')
			path := "/apiStages/" + name + "/throttle/" + pointerStep(key[:max(at, 0)]) + "/" + key[at+1:]
			for _, l := range diffPatches(agShape("ThrottleSettings"), &apigateway.ThrottleSettings{}, st.Throttle[key]) {
				l.Path = new(path + *l.Path)
				ops = append(ops, l)
			}
		}
	}
	if _, err := r.APIGateway.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: &old.PhysicalID, PatchOperations: ops}); err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, old.Attributes}, nil
}

func leaveStages(p *apigateway.UsagePlan) []*apigateway.PatchOperation {
	var ops []*apigateway.PatchOperation
	for _, st := range p.ApiStages {
		ops = append(ops, &apigateway.PatchOperation{Op: new("remove"), Path: new("/apiStages"), Value: new(deref(st.ApiId) + ":" + deref(st.Stage))})
	}
	return ops
}

func deleteUsagePlan(ctx context.Context, s *Services, old resource.StackResource) error {
	now, err := s.APIGateway.GetUsagePlan(ctx, &apigateway.GetUsagePlanInput{UsagePlanId: &old.PhysicalID})
	if err != nil {
		return gone(err)
	}
	if _, err := s.APIGateway.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: &old.PhysicalID, PatchOperations: leaveStages(now)}); err != nil {
		return err
	}
	_, err = s.APIGateway.DeleteUsagePlan(ctx, &apigateway.DeleteUsagePlanInput{UsagePlanId: &old.PhysicalID})
	return err
}
