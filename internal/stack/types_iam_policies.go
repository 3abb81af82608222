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
	"github.com/foregate/foregate/internal/template"
)

// renamed makes the path of a service's finding use the property's name where the member of an update has another.
func renamed(err error, member, property string) error {
	var api *awsapi.Error
	if !errors.As(err, &api) || api.Finding == nil || api.Finding.Path != member {
		return err
	}
	e, f := *api, *api.Finding
	f.Path = property
	e.Finding = &f
	return &e
}

// holders are the users, groups and roles that a policy names.
type holders struct {
	Users, Groups, Roles []string
	PolicyName           string
	// GroupName, RoleName and UserName are of the policies that have one holder.
	GroupName, RoleName, UserName string
}

func holdersOf(old resource.StackResource) (h holders) {
	_ = json.Unmarshal(old.Properties, &h) // the stack's own record; what has another form was refused
	return h
}

func (h holders) owners() []owner {
	var out []owner
	for _, l := range []struct {
		kind  string
		names []string
	}{{"Role", h.Roles}, {"User", h.Users}, {"Group", h.Groups}} {
		for _, n := range l.names {
			out = append(out, owner{l.kind, n})
		}
	}
	for _, o := range []owner{{"Role", h.RoleName}, {"User", h.UserName}, {"Group", h.GroupName}} {
		if o.name != "" {
			out = append(out, o)
		}
	}
	return out
}

// holders reads Roles, Users and Groups; do is called for each with its property.
func (r *request) holders(do func(o owner) error) ([]owner, error) {
	var all []owner
	for _, l := range []owner{{"Role", "Roles"}, {"User", "Users"}, {"Group", "Groups"}} {
		values, err := r.items(l.name, true)
		if err != nil {
			return nil, err
		}
		for i, v := range values {
			o := owner{l.kind, v.Text}
			all = append(all, o)
			if err := do(o); err != nil {
				e := awsapi.AsError(err)
				if e.Code == iam.ErrCodeNoSuchEntity {
					err = awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Path: fmt.Sprintf("%s[%d]", l.name, i), Message: e.Message,
						AWSError: &diag.AWSError{Code: e.Code, Status: 404, Message: e.Message}})
				}
				return nil, err
			}
		}
	}
	return all, nil
}

// putEverywhere stores an inline policy with everyone that the template names.
func putEverywhere(ctx context.Context, r *request) ([]owner, string, error) {
	in := &iam.PutRolePolicyInput{}
	if err := r.into(in, iamShape("PutRolePolicyRequest")); err != nil {
		return nil, "", err
	}
	all, err := r.holders(func(o owner) error { return o.put(ctx, r.Services, deref(in.PolicyName), deref(in.PolicyDocument)) })
	if err == nil && len(all) == 0 {
		const text = "At least one of [Groups,Roles,Users] must be non-empty." // as CloudFormation is quoted in public
		err = awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Message: text, AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}})
	}
	return all, deref(in.PolicyName), err
}

func createPolicy(ctx context.Context, r *request) (made, error) {
	if _, _, err := putEverywhere(ctx, r); err != nil {
		return made{}, err
	}
	id := r.name("", 64)
	return made{id, map[string]string{"Id": id}}, nil
}

func updatePolicy(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	all, name, err := putEverywhere(ctx, r)
	if err != nil {
		return made{}, err
	}
	before := holdersOf(old)
	for _, o := range before.owners() {
		if before.PolicyName != name || !slices.Contains(all, o) {
			if err := o.remove(ctx, r.Services, before.PolicyName); err != nil {
				return made{}, err
			}
		}
	}
	return made{old.PhysicalID, old.Attributes}, nil
}

func deletePolicy(ctx context.Context, s *Services, old resource.StackResource) error {
	h := holdersOf(old)
	for _, o := range h.owners() {
		if err := o.remove(ctx, s, h.PolicyName); err != nil {
			return err
		}
	}
	return nil
}

// ownedPolicy is an inline policy of one user, group or role, as a resource of its own.
func ownedPolicy(kind string) *resourceType {
	put := func(ctx context.Context, r *request) (made, error) {
		operation := "Put" + kind + "Policy"
		p := plain{service: iam.Service, handler: func(s *Services) any { return s.IAM }}
		in, err := p.input(r, operation)
		if err != nil {
			return made{}, err
		}
		if _, err := p.call(ctx, r.Services, operation, in); err != nil {
			return made{}, err
		}
		return made{r.text("PolicyName") + "|" + r.text(kind+"Name"), map[string]string{}}, nil
	}
	return &resourceType{required: []string{kind + "Name", "PolicyName"}, replace: []string{kind + "Name", "PolicyName"}, spelling: iamSpelling,
		create: put,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) { return put(ctx, r) },
		delete: deletePolicy,
	}
}

var userToGroupAddition = &resourceType{required: []string{"GroupName", "Users"}, replace: []string{"GroupName"}, spelling: iamSpelling,
	create: func(ctx context.Context, r *request) (made, error) {
		if err := addUsers(ctx, r, nil); err != nil {
			return made{}, err
		}
		id := r.name("", 64)
		return made{id, map[string]string{"Id": id}}, nil
	},
	update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
		return made{old.PhysicalID, old.Attributes}, addUsers(ctx, r, holdersOf(old).Users)
	},
	delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
		h := holdersOf(old)
		for _, u := range h.Users {
			if err := leaveGroups(ctx, s, u, []string{h.GroupName}); err != nil {
				return err
			}
		}
		return nil
	},
}

// addUsers puts Users into the group, and takes those out that before had more.
func addUsers(ctx context.Context, r *request, before []string) error {
	if err := r.into(&iam.AddUserToGroupInput{}, iamShape("AddUserToGroupRequest")); err != nil {
		return err
	}
	group := r.text("GroupName")
	users, err := r.items("Users", true)
	if err != nil {
		return err
	}
	for i, u := range users {
		if _, err := callIAM[iam.AddUserToGroupOutput](ctx, r.Services, "AddUserToGroup", &iam.AddUserToGroupInput{GroupName: &group, UserName: &u.Text}); err != nil {
			return under(err, fmt.Sprintf("Users[%d]", i))
		}
	}
	for _, u := range before {
		if !slices.ContainsFunc(users, func(v *template.Value) bool { return v.Text == u }) {
			if err := leaveGroups(ctx, r.Services, u, []string{group}); err != nil {
				return err
			}
		}
	}
	return nil
}

func createManagedPolicy(ctx context.Context, r *request) (made, error) {
	in := &iam.CreatePolicyInput{}
	if err := r.into(in, iamShape("CreatePolicyRequest")); err != nil {
		return made{}, err
	}
	in.PolicyName = new(r.uniqueName(ctx, "ManagedPolicyName", 128, func(n string) bool {
		for _, p := range resource.ManagedPolicies.All(r.Env.Store.Read(ctx), resource.Global) {
			if p.Name == n {
				return true
			}
		}
		return false
	}))
	out, err := callIAM[iam.CreatePolicyOutput](ctx, r.Services, "CreatePolicy", in)
	if err != nil {
		return made{}, err
	}
	policyARN := *out.Policy.Arn
	if _, err := r.holders(func(o owner) error { return o.attach(ctx, r.Services, policyARN) }); err != nil {
		return made{}, err
	}
	return managedPolicyMade(ctx, r.Services, policyARN)
}

func managedPolicyMade(ctx context.Context, s *Services, policyARN string) (made, error) {
	out, err := callIAM[iam.GetPolicyOutput](ctx, s, "GetPolicy", &iam.GetPolicyInput{PolicyArn: &policyARN})
	if err != nil {
		return made{}, err
	}
	m := made{policyARN, map[string]string{"PolicyArn": policyARN}}
	for _, a := range []string{"AttachmentCount", "CreateDate", "DefaultVersionId", "IsAttachable", "PermissionsBoundaryUsageCount", "PolicyId", "UpdateDate"} {
		m.attributes[a] = memberText(reflect.ValueOf(out.Policy), a)
	}
	return m, nil
}

func updateManagedPolicy(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &iam.CreatePolicyInput{}
	if err := r.into(in, iamShape("CreatePolicyRequest")); err != nil {
		return made{}, err
	}
	policyARN := old.PhysicalID
	if v, ok := resource.ManagedPolicies.Get(r.Env.Store.Read(ctx), resource.Global, policyARN); ok && v.Document() != deref(in.PolicyDocument) {
		if err := newVersion(ctx, r.Services, v, in.PolicyDocument); err != nil {
			return made{}, err
		}
	}
	all, err := r.holders(func(o owner) error { return o.attach(ctx, r.Services, policyARN) })
	if err != nil {
		return made{}, err
	}
	for _, o := range holdersOf(old).owners() {
		if !slices.Contains(all, o) {
			if err := o.detach(ctx, r.Services, policyARN); err != nil {
				return made{}, err
			}
		}
	}
	return managedPolicyMade(ctx, r.Services, policyARN)
}

// newVersion makes a default version, and room for it first: the oldest version that is not the default goes.
func newVersion(ctx context.Context, s *Services, v *resource.ManagedPolicy, document *string) error {
	if len(v.Versions) >= 5 {
		for _, old := range v.Versions {
			if old.ID != v.Default {
				if _, err := callIAM[iam.DeletePolicyVersionOutput](ctx, s, "DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: &v.ARN, VersionId: &old.ID}); err != nil {
					return err
				}
				break
			}
		}
	}
	_, err := callIAM[iam.CreatePolicyVersionOutput](ctx, s, "CreatePolicyVersion", &iam.CreatePolicyVersionInput{PolicyArn: &v.ARN, PolicyDocument: document, SetAsDefault: new(true)})
	return err
}

func deleteManagedPolicy(ctx context.Context, s *Services, old resource.StackResource) error {
	for _, o := range holdersOf(old).owners() {
		if err := o.detach(ctx, s, old.PhysicalID); err != nil {
			return err
		}
	}
	if v, ok := resource.ManagedPolicies.Get(s.Env.Store.Read(ctx), resource.Global, old.PhysicalID); ok {
		for _, ver := range v.Versions {
			if ver.ID == v.Default {
				continue
			}
			if _, err := callIAM[iam.DeletePolicyVersionOutput](ctx, s, "DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: &v.ARN, VersionId: &ver.ID}); err != nil {
				return err
			}
		}
	}
	_, err := callIAM[iam.DeletePolicyOutput](ctx, s, "DeletePolicy", &iam.DeletePolicyInput{PolicyArn: &old.PhysicalID})
	return err
}
