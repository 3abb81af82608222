package iam

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func newService() (*Service, context.Context) {
	s := New(&service.Env{Store: store.Memory(now), Now: now, Account: "123456789012", Seed: []byte("seed")})
	return s, awsapi.WithCall(context.Background(), &awsapi.Call{Region: "us-east-1", Account: "123456789012",
		Caller: awsapi.Caller{ARN: "arn:aws:iam::123456789012:root", Account: "123456789012", Root: true}})
}

// run calls an operation as the API does: constraints of the model first.
func run[O any](t *testing.T, s *Service, ctx context.Context, operation string, in any) (*O, *awsapi.Error) {
	t.Helper()
	op := iam.Service.Operation(operation)
	if err := awsapi.Validate(iam.Service, op, in); err != nil {
		return nil, err
	}
	out, err := op.Call(ctx, s, in)
	if err != nil {
		return nil, awsapi.AsError(err)
	}
	return out.(*O), nil
}

func must[O any](t *testing.T, s *Service, ctx context.Context, operation string, in any) *O {
	t.Helper()
	out, err := run[O](t, s, ctx, operation, in)
	if err != nil {
		t.Fatalf("%s: %v", operation, err)
	}
	return out
}

const (
	trustLambda = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
	invokeAll   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}`
)

// Ids have the forms of the IAM guide, reference_identifiers.
func TestFormsOfIDs(t *testing.T) {
	s, ctx := newService()
	u := must[iam.CreateUserOutput](t, s, ctx, "CreateUser", &iam.CreateUserInput{UserName: new("bob"), Path: new("/team/")}).User
	r := must[iam.CreateRoleOutput](t, s, ctx, "CreateRole", &iam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new(trustLambda)}).Role
	p := must[iam.CreatePolicyOutput](t, s, ctx, "CreatePolicy", &iam.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(invokeAll)}).Policy
	k := must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("bob")}).AccessKey
	for _, c := range []struct{ got, want string }{
		{*u.UserId, `^AIDA[A-Z2-7]{17}$`}, {*u.Arn, `^arn:aws:iam::123456789012:user/team/bob$`},
		{*r.RoleId, `^AROA[A-Z2-7]{17}$`}, {*r.Arn, `^arn:aws:iam::123456789012:role/r$`},
		{*p.PolicyId, `^ANPA[A-Z2-7]{17}$`}, {*p.Arn, `^arn:aws:iam::123456789012:policy/p$`},
		{*k.AccessKeyId, `^AKIA[A-Z2-7]{16}$`}, {*k.SecretAccessKey, `^[A-Za-z0-9+/]{40}$`},
	} {
		if !regexp.MustCompile(c.want).MatchString(c.got) {
			t.Errorf("%s does not match %s", c.got, c.want)
		}
	}
	if !strings.HasPrefix(*r.AssumeRolePolicyDocument, "%7B%22Version%22") {
		t.Errorf("documents are percent-encoded in answers: %s", *r.AssumeRolePolicyDocument)
	}
}

// A template's key is the same at every run on a machine, and another one on another machine.
func TestKeysOfTemplatesAreStable(t *testing.T) {
	key := func(seed string) string {
		s := New(&service.Env{Store: store.Memory(now), Now: now, Account: "123456789012", Seed: []byte(seed)})
		ctx := store.WithSource(context.Background(), store.Source{Stack: "s", LogicalID: "Key"})
		must[iam.CreateUserOutput](t, s, ctx, "CreateUser", &iam.CreateUserInput{UserName: new("u")})
		k := must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("u")}).AccessKey
		second := must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("u")}).AccessKey
		if *second.AccessKeyId == *k.AccessKeyId {
			t.Error("a replacement has the id of what it replaces")
		}
		return *k.AccessKeyId + *k.SecretAccessKey
	}
	if first, again := key("a"), key("a"); first != again || first == key("b") {
		t.Error("keys of templates must depend on the machine's seed and nothing else")
	}
}

// The texts pin down what clients get; they are not compared with a recorded answer of IAM.
func TestRefusals(t *testing.T) {
	s, ctx := newService()
	must[iam.CreateUserOutput](t, s, ctx, "CreateUser", &iam.CreateUserInput{UserName: new("bob")})
	must[iam.CreateGroupOutput](t, s, ctx, "CreateGroup", &iam.CreateGroupInput{GroupName: new("g")})
	must[iam.CreateRoleOutput](t, s, ctx, "CreateRole", &iam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new(trustLambda)})
	p := *must[iam.CreatePolicyOutput](t, s, ctx, "CreatePolicy", &iam.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(invokeAll)}).Policy.Arn
	must[iam.AttachRolePolicyOutput](t, s, ctx, "AttachRolePolicy", &iam.AttachRolePolicyInput{RoleName: new("r"), PolicyArn: &p})
	must[iam.AddUserToGroupOutput](t, s, ctx, "AddUserToGroup", &iam.AddUserToGroupInput{UserName: new("bob"), GroupName: new("g")})
	must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("bob")})
	must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("bob")})
	missing := "arn:aws:iam::123456789012:policy/missing"
	big := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::` + strings.Repeat("x", 2100) + `"]}]}`
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"CreateUser", &iam.CreateUserInput{UserName: new("BOB")}, "409 EntityAlreadyExists: User with name BOB already exists."},
		{"CreateGroup", &iam.CreateGroupInput{GroupName: new("g")}, "409 EntityAlreadyExists: Group with name g already exists."},
		{"CreateRole", &iam.CreateRoleInput{RoleName: new("r"), AssumeRolePolicyDocument: new(trustLambda)}, "409 EntityAlreadyExists: Role with name r already exists."},
		{"CreateRole", &iam.CreateRoleInput{RoleName: new("r2"), AssumeRolePolicyDocument: new(`{`)}, "400 MalformedPolicyDocument: This policy contains invalid Json"},
		{"CreateRole", &iam.CreateRoleInput{RoleName: new("r2"), AssumeRolePolicyDocument: new(invokeAll)}, "400 MalformedPolicyDocument: Has prohibited field Resource"},
		{"CreateRole", &iam.CreateRoleInput{RoleName: new("r2"), AssumeRolePolicyDocument: new(trustLambda), PermissionsBoundary: &missing}, "404 NoSuchEntity: Policy " + missing + " does not exist or is not attachable."},
		{"CreatePolicy", &iam.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(invokeAll)}, "409 EntityAlreadyExists: A policy called p already exists. Duplicate names are not allowed."},
		{"CreatePolicy", &iam.CreatePolicyInput{PolicyName: new("p2"), PolicyDocument: new(trustLambda)}, "400 MalformedPolicyDocument: Policy document should not specify a principal."},
		{"PutUserPolicy", &iam.PutUserPolicyInput{UserName: new("bob"), PolicyName: new("x"), PolicyDocument: &big}, "409 LimitExceeded: Maximum policy size of 2048 bytes exceeded for user bob"},
		{"PutRolePolicy", &iam.PutRolePolicyInput{RoleName: new("nobody"), PolicyName: new("x"), PolicyDocument: new(invokeAll)}, "404 NoSuchEntity: The role with name nobody cannot be found."},
		{"GetRolePolicy", &iam.GetRolePolicyInput{RoleName: new("r"), PolicyName: new("x")}, "404 NoSuchEntity: The role policy with name x cannot be found."},
		{"GetUser", &iam.GetUserInput{UserName: new("eve")}, "404 NoSuchEntity: The user with name eve cannot be found."},
		{"GetPolicy", &iam.GetPolicyInput{PolicyArn: &missing}, "404 NoSuchEntity: Policy " + missing + " was not found."},
		{"AttachUserPolicy", &iam.AttachUserPolicyInput{UserName: new("bob"), PolicyArn: &missing}, "404 NoSuchEntity: Policy " + missing + " does not exist or is not attachable."},
		{"DetachUserPolicy", &iam.DetachUserPolicyInput{UserName: new("bob"), PolicyArn: &p}, "404 NoSuchEntity: Policy " + p + " was not found."},
		{"CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("bob")}, "409 LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2"},
		{"DeleteUser", &iam.DeleteUserInput{UserName: new("bob")}, "409 DeleteConflict: Cannot delete entity, must delete access keys first."},
		{"DeleteGroup", &iam.DeleteGroupInput{GroupName: new("g")}, "409 DeleteConflict: Cannot delete entity, must remove users from group first."},
		{"DeleteRole", &iam.DeleteRoleInput{RoleName: new("r")}, "409 DeleteConflict: Cannot delete entity, must detach all policies first."},
		{"DeletePolicy", &iam.DeletePolicyInput{PolicyArn: &p}, "409 DeleteConflict: Cannot delete a policy attached to entities."},
		{"DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: &p, VersionId: new("v1")}, "409 DeleteConflict: Cannot delete the default version of a policy."},
		{"CreateRole", &iam.CreateRoleInput{RoleName: new("a b"), AssumeRolePolicyDocument: new(trustLambda)}, "400 ValidationError: 1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]+"},
	} {
		op := iam.Service.Operation(c.operation)
		err := awsapi.Validate(iam.Service, op, c.in)
		if err == nil {
			_, failed := op.Call(ctx, s, c.in)
			err = awsapi.AsError(failed)
		}
		if err == nil {
			t.Errorf("%s: accepted, want %s", c.operation, c.want)
			continue
		}
		status := err.Status
		if e := iam.Service.Error(err.Code); status == 0 && e != nil {
			status = e.Status
		}
		if got := fmt.Sprintf("%d %s", status, err.Error()); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.operation, got, c.want)
		}
	}
}

// Names of users are taken along when a user is renamed.
func TestRenameUser(t *testing.T) {
	s, ctx := newService()
	must[iam.CreateUserOutput](t, s, ctx, "CreateUser", &iam.CreateUserInput{UserName: new("bob")})
	must[iam.CreateGroupOutput](t, s, ctx, "CreateGroup", &iam.CreateGroupInput{GroupName: new("g")})
	must[iam.AddUserToGroupOutput](t, s, ctx, "AddUserToGroup", &iam.AddUserToGroupInput{UserName: new("bob"), GroupName: new("g")})
	must[iam.PutUserPolicyOutput](t, s, ctx, "PutUserPolicy", &iam.PutUserPolicyInput{UserName: new("bob"), PolicyName: new("x"), PolicyDocument: new(invokeAll)})
	must[iam.AttachUserPolicyOutput](t, s, ctx, "AttachUserPolicy", &iam.AttachUserPolicyInput{UserName: new("bob"), PolicyArn: new("arn:aws:iam::aws:policy/AdministratorAccess")})
	must[iam.CreateAccessKeyOutput](t, s, ctx, "CreateAccessKey", &iam.CreateAccessKeyInput{UserName: new("bob")})
	must[iam.UpdateUserOutput](t, s, ctx, "UpdateUser", &iam.UpdateUserInput{UserName: new("bob"), NewUserName: new("robert"), NewPath: new("/x/")})
	who := new("robert")
	if u := must[iam.GetUserOutput](t, s, ctx, "GetUser", &iam.GetUserInput{UserName: who}).User; *u.Arn != "arn:aws:iam::123456789012:user/x/robert" {
		t.Error(*u.Arn)
	}
	if n := len(must[iam.ListUserPoliciesOutput](t, s, ctx, "ListUserPolicies", &iam.ListUserPoliciesInput{UserName: who}).PolicyNames); n != 1 {
		t.Error("inline policies", n)
	}
	if n := len(must[iam.ListAttachedUserPoliciesOutput](t, s, ctx, "ListAttachedUserPolicies", &iam.ListAttachedUserPoliciesInput{UserName: who}).AttachedPolicies); n != 1 {
		t.Error("attached policies", n)
	}
	if n := len(must[iam.ListAccessKeysOutput](t, s, ctx, "ListAccessKeys", &iam.ListAccessKeysInput{UserName: who}).AccessKeyMetadata); n != 1 {
		t.Error("keys", n)
	}
	if n := len(must[iam.ListGroupsForUserOutput](t, s, ctx, "ListGroupsForUser", &iam.ListGroupsForUserInput{UserName: who}).Groups); n != 1 {
		t.Error("groups", n)
	}
}

func TestPolicyVersions(t *testing.T) {
	s, ctx := newService()
	p := must[iam.CreatePolicyOutput](t, s, ctx, "CreatePolicy", &iam.CreatePolicyInput{PolicyName: new("p"), PolicyDocument: new(invokeAll)}).Policy.Arn
	for range 4 {
		must[iam.CreatePolicyVersionOutput](t, s, ctx, "CreatePolicyVersion", &iam.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(invokeAll), SetAsDefault: new(true)})
	}
	_, err := run[iam.CreatePolicyVersionOutput](t, s, ctx, "CreatePolicyVersion", &iam.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(invokeAll)})
	if err == nil || err.Code != iam.ErrCodeLimitExceeded {
		t.Errorf("a sixth version: %v", err)
	}
	must[iam.DeletePolicyVersionOutput](t, s, ctx, "DeletePolicyVersion", &iam.DeletePolicyVersionInput{PolicyArn: p, VersionId: new("v2")})
	v := must[iam.CreatePolicyVersionOutput](t, s, ctx, "CreatePolicyVersion", &iam.CreatePolicyVersionInput{PolicyArn: p, PolicyDocument: new(invokeAll)}).PolicyVersion
	if *v.VersionId != "v6" || *v.IsDefaultVersion {
		t.Errorf("version %s, default %v: numbers are not used twice", *v.VersionId, *v.IsDefaultVersion)
	}
	if got := must[iam.GetPolicyOutput](t, s, ctx, "GetPolicy", &iam.GetPolicyInput{PolicyArn: p}).Policy; *got.DefaultVersionId != "v5" {
		t.Error(*got.DefaultVersionId)
	}
}
