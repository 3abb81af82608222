package stack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
)

func createRole(ctx context.Context, r *request) (made, error) {
	in := &iam.CreateRoleInput{}
	if err := r.into(in, iamShape("CreateRoleRequest")); err != nil {
		return made{}, err
	}
	in.RoleName = new(r.uniqueName(ctx, "RoleName", 64, exists(ctx, r.Services, resource.Roles)))
	out, err := callIAM[iam.CreateRoleOutput](ctx, r.Services, "CreateRole", in)
	if err != nil {
		return made{}, err
	}
	if err := (owner{"Role", *in.RoleName}).grant(ctx, r, grants{}); err != nil {
		return made{}, err
	}
	return made{*in.RoleName, map[string]string{"Arn": *out.Role.Arn, "RoleId": *out.Role.RoleId}}, nil
}

func updateRole(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &iam.CreateRoleInput{}
	if err := r.into(in, iamShape("CreateRoleRequest")); err != nil {
		return made{}, err
	}
	name := &old.PhysicalID
	if in.Description == nil {
		in.Description = new("")
	}
	if _, err := callIAM[iam.UpdateRoleOutput](ctx, r.Services, "UpdateRole", &iam.UpdateRoleInput{RoleName: name, Description: in.Description, MaxSessionDuration: in.MaxSessionDuration}); err != nil {
		return made{}, err
	}
	if _, err := callIAM[iam.UpdateAssumeRolePolicyOutput](ctx, r.Services, "UpdateAssumeRolePolicy", &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: in.AssumeRolePolicyDocument}); err != nil {
		return made{}, renamed(err, "PolicyDocument", "AssumeRolePolicyDocument")
	}
	o := owner{"Role", *name}
	if err := o.settings(ctx, r, in.PermissionsBoundary, in.Tags); err != nil {
		return made{}, err
	}
	if err := o.grant(ctx, r, grantsOf(old)); err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, old.Attributes}, nil
}

// settings brings boundary and tags of a role or user to what the template says.
func (o owner) settings(ctx context.Context, r *request, boundary *string, tags []*iam.Tag) error {
	var err error
	if boundary != nil {
		err = o.run(ctx, r.Services, "Put%sPermissionsBoundary", map[string]string{"PermissionsBoundary": *boundary})
	} else {
		err = o.run(ctx, r.Services, "Delete%sPermissionsBoundary", nil)
	}
	if err != nil {
		return err
	}
	var have map[string]string
	read := r.Env.Store.Read(ctx)
	if v, ok := resource.Roles.Get(read, resource.Global, o.name); ok && o.kind == "Role" {
		have = v.Tags
	}
	if v, ok := resource.Users.Get(read, resource.Global, o.name); ok && o.kind == "User" {
		have = v.Tags
	}
	var drop []string
	for k := range have {
		if !slices.ContainsFunc(tags, func(t *iam.Tag) bool { return strings.EqualFold(deref(t.Key), k) }) {
			drop = append(drop, k)
		}
	}
	if o.kind == "Role" {
		if _, err = r.IAM.UntagRole(ctx, &iam.UntagRoleInput{RoleName: &o.name, TagKeys: drop}); err == nil {
			_, err = r.IAM.TagRole(ctx, &iam.TagRoleInput{RoleName: &o.name, Tags: tags})
		}
		return err
	}
	if _, err = r.IAM.UntagUser(ctx, &iam.UntagUserInput{UserName: &o.name, TagKeys: drop}); err == nil {
		_, err = r.IAM.TagUser(ctx, &iam.TagUserInput{UserName: &o.name, Tags: tags})
	}
	return err
}

func deleteRole(ctx context.Context, s *Services, old resource.StackResource) error {
	if err := (owner{"Role", old.PhysicalID}).strip(ctx, s, old); err != nil {
		return err
	}
	_, err := callIAM[iam.DeleteRoleOutput](ctx, s, "DeleteRole", &iam.DeleteRoleInput{RoleName: &old.PhysicalID})
	return err
}

func createUser(ctx context.Context, r *request) (made, error) {
	in := &iam.CreateUserInput{}
	if err := r.into(in, iamShape("CreateUserRequest")); err != nil {
		return made{}, err
	}
	in.UserName = new(r.uniqueName(ctx, "UserName", 64, exists(ctx, r.Services, resource.Users)))
	out, err := callIAM[iam.CreateUserOutput](ctx, r.Services, "CreateUser", in)
	if err != nil {
		return made{}, err
	}
	if err := (owner{"User", *in.UserName}).grant(ctx, r, grants{}); err != nil {
		return made{}, err
	}
	if err := joinGroups(ctx, r, *in.UserName, nil); err != nil {
		return made{}, err
	}
	return made{*in.UserName, map[string]string{"Arn": *out.User.Arn}}, nil
}

// joinGroups makes the user a member of Groups, and ends what before had more.
func joinGroups(ctx context.Context, r *request, user string, before []string) error {
	groups, err := r.items("Groups", true)
	if err != nil {
		return err
	}
	var have []string
	for i, g := range groups {
		have = append(have, g.Text)
		if _, err := callIAM[iam.AddUserToGroupOutput](ctx, r.Services, "AddUserToGroup", &iam.AddUserToGroupInput{GroupName: &g.Text, UserName: &user}); err != nil {
			return under(err, fmt.Sprintf("Groups[%d]", i))
		}
	}
	return leaveGroups(ctx, r.Services, user, slices.DeleteFunc(slices.Clone(before), func(g string) bool { return slices.Contains(have, g) }))
}

func leaveGroups(ctx context.Context, s *Services, user string, groups []string) error {
	for _, g := range groups {
		_, err := callIAM[iam.RemoveUserFromGroupOutput](ctx, s, "RemoveUserFromGroup", &iam.RemoveUserFromGroupInput{GroupName: &g, UserName: &user})
		if notThere(err) != nil {
			return err
		}
	}
	return nil
}

func updateUser(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &iam.CreateUserInput{}
	if err := r.into(in, iamShape("CreateUserRequest")); err != nil {
		return made{}, err
	}
	if in.Path == nil {
		in.Path = new("/")
	}
	if _, err := callIAM[iam.UpdateUserOutput](ctx, r.Services, "UpdateUser", &iam.UpdateUserInput{UserName: &old.PhysicalID, NewPath: in.Path}); err != nil {
		return made{}, renamed(err, "NewPath", "Path")
	}
	o := owner{"User", old.PhysicalID}
	if err := o.settings(ctx, r, in.PermissionsBoundary, in.Tags); err != nil {
		return made{}, err
	}
	if err := o.grant(ctx, r, grantsOf(old)); err != nil {
		return made{}, err
	}
	if err := joinGroups(ctx, r, old.PhysicalID, grantsOf(old).Groups); err != nil {
		return made{}, err
	}
	out, err := callIAM[iam.GetUserOutput](ctx, r.Services, "GetUser", &iam.GetUserInput{UserName: &old.PhysicalID})
	if err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, map[string]string{"Arn": *out.User.Arn}}, nil
}

func deleteUser(ctx context.Context, s *Services, old resource.StackResource) error {
	if err := (owner{"User", old.PhysicalID}).strip(ctx, s, old); err != nil {
		return err
	}
	if err := leaveGroups(ctx, s, old.PhysicalID, grantsOf(old).Groups); err != nil {
		return err
	}
	_, err := callIAM[iam.DeleteUserOutput](ctx, s, "DeleteUser", &iam.DeleteUserInput{UserName: &old.PhysicalID})
	return err
}

func createGroup(ctx context.Context, r *request) (made, error) {
	in := &iam.CreateGroupInput{}
	if err := r.into(in, iamShape("CreateGroupRequest")); err != nil {
		return made{}, err
	}
	in.GroupName = new(r.uniqueName(ctx, "GroupName", 128, exists(ctx, r.Services, resource.Groups)))
	out, err := callIAM[iam.CreateGroupOutput](ctx, r.Services, "CreateGroup", in)
	if err != nil {
		return made{}, err
	}
	if err := (owner{"Group", *in.GroupName}).grant(ctx, r, grants{}); err != nil {
		return made{}, err
	}
	return made{*in.GroupName, map[string]string{"Arn": *out.Group.Arn}}, nil
}

func updateGroup(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &iam.CreateGroupInput{}
	if err := r.into(in, iamShape("CreateGroupRequest")); err != nil {
		return made{}, err
	}
	if in.Path == nil {
		in.Path = new("/")
	}
	if _, err := callIAM[iam.UpdateGroupOutput](ctx, r.Services, "UpdateGroup", &iam.UpdateGroupInput{GroupName: &old.PhysicalID, NewPath: in.Path}); err != nil {
		return made{}, renamed(err, "NewPath", "Path")
	}
	if err := (owner{"Group", old.PhysicalID}).grant(ctx, r, grantsOf(old)); err != nil {
		return made{}, err
	}
	out, err := callIAM[iam.GetGroupOutput](ctx, r.Services, "GetGroup", &iam.GetGroupInput{GroupName: &old.PhysicalID})
	if err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, map[string]string{"Arn": *out.Group.Arn}}, nil
}

func createAccessKey(ctx context.Context, r *request) (made, error) {
	in := &iam.CreateAccessKeyInput{}
	if err := r.into(in, iamShape("CreateAccessKeyRequest")); err != nil {
		return made{}, err
	}
	out, err := callIAM[iam.CreateAccessKeyOutput](ctx, r.Services, "CreateAccessKey", in)
	if err != nil {
		return made{}, err
	}
	id := *out.AccessKey.AccessKeyId
	if err := setKeyStatus(ctx, r, id); err != nil {
		return made{}, err
	}
	return made{id, map[string]string{"Id": id, "SecretAccessKey": *out.AccessKey.SecretAccessKey}}, nil
}

func setKeyStatus(ctx context.Context, r *request, id string) error {
	status := r.text("Status")
	if status == "" {
		status = "Active"
	}
	_, err := callIAM[iam.UpdateAccessKeyOutput](ctx, r.Services, "UpdateAccessKey", &iam.UpdateAccessKeyInput{UserName: new(r.text("UserName")), AccessKeyId: &id, Status: &status})
	return err
}

func updateAccessKey(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	if err := r.into(&iam.CreateAccessKeyInput{}, iamShape("CreateAccessKeyRequest")); err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, old.Attributes}, setKeyStatus(ctx, r, old.PhysicalID)
}

func deleteAccessKey(ctx context.Context, s *Services, old resource.StackResource) error {
	_, err := callIAM[iam.DeleteAccessKeyOutput](ctx, s, "DeleteAccessKey", &iam.DeleteAccessKeyInput{AccessKeyId: &old.PhysicalID})
	return err
}
