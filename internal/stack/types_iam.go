package stack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template"
)

func iamShape(name string) *awsapi.Shape { return iam.Service.Shape(name) }

func callIAM[O any](ctx context.Context, s *Services, operation string, in any) (*O, error) {
	return call[O](ctx, iam.Service, s.IAM, operation, in)
}

// iamSpelling: policies are documents in templates and text in the API; what a role or user has beside its own settings is
// made by operations of its own.
var iamSpelling = spelling{
	document: map[string]bool{
		"CreateRoleRequest.AssumeRolePolicyDocument": true, "PutRolePolicyRequest.PolicyDocument": true, "PutUserPolicyRequest.PolicyDocument": true,
		"PutGroupPolicyRequest.PolicyDocument": true, "CreatePolicyRequest.PolicyDocument": true,
	},
	rename: map[string]string{"CreatePolicyRequest.ManagedPolicyName": "PolicyName"},
	skip: map[string]bool{
		"CreateRoleRequest.ManagedPolicyArns": true, "CreateRoleRequest.Policies": true,
		"CreateUserRequest.ManagedPolicyArns": true, "CreateUserRequest.Policies": true, "CreateUserRequest.Groups": true,
		// A password for the console, which Foregate does not have.
		"CreateUserRequest.LoginProfile":       true,
		"CreateGroupRequest.ManagedPolicyArns": true, "CreateGroupRequest.Policies": true,
		"CreatePolicyRequest.Roles": true, "CreatePolicyRequest.Users": true, "CreatePolicyRequest.Groups": true,
		"PutRolePolicyRequest.Roles": true, "PutRolePolicyRequest.Users": true, "PutRolePolicyRequest.Groups": true,
		"CreateAccessKeyRequest.Serial": true, "CreateAccessKeyRequest.Status": true,
		"AddUserToGroupRequest.Users": true,
	},
}

// iamTypes are the types of AWS::IAM (facts: cloudformation 3).
var iamTypes = map[string]*resourceType{
	"AWS::IAM::Role": {required: []string{"AssumeRolePolicyDocument"}, replace: []string{"Path", "RoleName"}, spelling: iamSpelling,
		create: createRole, update: updateRole, delete: deleteRole},
	"AWS::IAM::User": {replace: []string{"UserName"}, spelling: iamSpelling, create: createUser, update: updateUser, delete: deleteUser},
	"AWS::IAM::Group": {replace: []string{"GroupName"}, spelling: iamSpelling, create: createGroup, update: updateGroup,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			o := owner{"Group", old.PhysicalID}
			if err := o.strip(ctx, s, old); err != nil {
				return err
			}
			_, err := callIAM[iam.DeleteGroupOutput](ctx, s, "DeleteGroup", &iam.DeleteGroupInput{GroupName: &old.PhysicalID})
			return err
		}},
	"AWS::IAM::AccessKey": {required: []string{"UserName"}, replace: []string{"Serial", "UserName"}, spelling: iamSpelling,
		create: createAccessKey, update: updateAccessKey, delete: deleteAccessKey},
	"AWS::IAM::ManagedPolicy": {required: []string{"PolicyDocument"}, replace: []string{"Description", "ManagedPolicyName", "Path"}, spelling: iamSpelling,
		create: createManagedPolicy, update: updateManagedPolicy, delete: deleteManagedPolicy},
	"AWS::IAM::Policy": {required: []string{"PolicyDocument", "PolicyName"}, spelling: iamSpelling,
		create: createPolicy, update: updatePolicy, delete: deletePolicy},
	"AWS::IAM::RolePolicy":          ownedPolicy("Role"),
	"AWS::IAM::UserPolicy":          ownedPolicy("User"),
	"AWS::IAM::GroupPolicy":         ownedPolicy("Group"),
	"AWS::IAM::UserToGroupAddition": userToGroupAddition,
}

// uniqueName is r.name, but for a generated name that something has already, as the old one of a replacement does.
func (r *request) uniqueName(ctx context.Context, key string, limit int, taken func(string) bool) string {
	n := r.name(key, limit)
	if r.text(key) != "" || !taken(n) {
		return n
	}
	front := n[:len(n)-physicalName.Length]
	return r.Env.NewID(ctx, service.ID{Kind: "physical-name", Prefix: front, Alphabet: physicalName.Alphabet, Length: physicalName.Length}, taken)
}

func exists[T any](ctx context.Context, s *Services, kind store.Kind[T]) func(string) bool {
	return func(id string) bool { _, ok := kind.Get(s.Env.Store.Read(ctx), resource.Global, id); return ok }
}

// items returns the entries of a property that is a list; a list of scalars when scalar is set.
func (r *request) items(key string, scalar bool) ([]*template.Value, error) {
	v := r.props.Get(key)
	if v == nil {
		return nil, nil
	}
	if v.Kind != template.List {
		return nil, &refusal{[]diag.Finding{schemaFinding(r.logicalID, v, "expected type: JSONArray, found: "+jsonType(v))}}
	}
	for _, item := range v.Items {
		if scalar && !item.IsScalar() {
			return nil, &refusal{[]diag.Finding{schemaFinding(r.logicalID, item, "expected type: String, found: "+jsonType(item))}}
		}
	}
	return v.Items, nil
}

// under makes the paths of a service's finding start below a property.
func under(err error, property string) error {
	var api *awsapi.Error
	if err == nil || !errors.As(err, &api) || api.Finding == nil {
		return err
	}
	e, f := *api, *api.Finding
	if f.Path != "" {
		f.Path = "." + f.Path
	}
	f.Path = property + f.Path
	e.Finding = &f
	return &e
}

// owner is a user, group or role that policies belong to.
type owner struct{ kind, name string }

// run calls an operation on the owner; the %s of its name is the owner's kind.
func (o owner) run(ctx context.Context, s *Services, operation string, members map[string]string) error {
	op := iam.Service.Operation(fmt.Sprintf(operation, o.kind))
	in := op.New()
	setText(member(reflect.ValueOf(in), o.kind+"Name"), o.name)
	for name, v := range members {
		setText(member(reflect.ValueOf(in), name), v)
	}
	if err := awsapi.Validate(iam.Service, op, in); err != nil {
		return err
	}
	_, err := op.Call(ctx, s.IAM, in)
	return err
}

func (o owner) put(ctx context.Context, s *Services, name, document string) error {
	return o.run(ctx, s, "Put%sPolicy", map[string]string{"PolicyName": name, "PolicyDocument": document})
}

func (o owner) attach(ctx context.Context, s *Services, policyARN string) error {
	return o.run(ctx, s, "Attach%sPolicy", map[string]string{"PolicyArn": policyARN})
}

// notThere drops the error about something that is not there any more.
func notThere(err error) error {
	if e := awsapi.AsError(err); e != nil && e.Code == iam.ErrCodeNoSuchEntity {
		return nil
	}
	return err
}

func (o owner) remove(ctx context.Context, s *Services, name string) error {
	return notThere(o.run(ctx, s, "Delete%sPolicy", map[string]string{"PolicyName": name}))
}

func (o owner) detach(ctx context.Context, s *Services, policyARN string) error {
	return notThere(o.run(ctx, s, "Detach%sPolicy", map[string]string{"PolicyArn": policyARN}))
}

// grants are the policies in the properties of a user, group or role.
type grants struct {
	Policies          []struct{ PolicyName string }
	ManagedPolicyArns []string
	Groups            []string
}

func grantsOf(old resource.StackResource) (g grants) {
	_ = json.Unmarshal(old.Properties, &g) // the stack's own record; what has another form was refused
	return g
}

// grant makes Policies and ManagedPolicyArns of r, and takes away what before had more.
func (o owner) grant(ctx context.Context, r *request, before grants) error {
	arns, err := r.items("ManagedPolicyArns", true)
	if err != nil {
		return err
	}
	policies, err := r.items("Policies", false)
	if err != nil {
		return err
	}
	var have []string
	for i, v := range arns {
		have = append(have, v.Text)
		if slices.Contains(before.ManagedPolicyArns, v.Text) {
			continue
		}
		if err := o.attach(ctx, r.Services, v.Text); err != nil {
			return under(err, fmt.Sprintf("ManagedPolicyArns[%d]", i))
		}
	}
	for _, a := range before.ManagedPolicyArns {
		if !slices.Contains(have, a) {
			if err := o.detach(ctx, r.Services, a); err != nil {
				return err
			}
		}
	}
	have = nil
	for i, v := range policies {
		in := &iam.PutRolePolicyInput{}
		if err := r.part(in, iamShape("PutRolePolicyRequest"), v); err != nil {
			return err
		}
		have = append(have, deref(in.PolicyName))
		if err := o.put(ctx, r.Services, deref(in.PolicyName), deref(in.PolicyDocument)); err != nil {
			return under(err, fmt.Sprintf("Policies[%d]", i))
		}
	}
	for _, p := range before.Policies {
		if !slices.Contains(have, p.PolicyName) {
			if err := o.remove(ctx, r.Services, p.PolicyName); err != nil {
				return err
			}
		}
	}
	return nil
}

// strip takes away what the template's own properties gave. What came from elsewhere stays, and AWS refuses the deletion then.
func (o owner) strip(ctx context.Context, s *Services, old resource.StackResource) error {
	g := grantsOf(old)
	for _, a := range g.ManagedPolicyArns {
		if err := o.detach(ctx, s, a); err != nil {
			return err
		}
	}
	for _, p := range g.Policies {
		if err := o.remove(ctx, s, p.PolicyName); err != nil {
			return err
		}
	}
	return nil
}
