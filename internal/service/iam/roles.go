package iam

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/iam"
	policy "github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreateRole makes a role.
func (s *Service) CreateRole(ctx context.Context, in *iam.CreateRoleInput) (*iam.CreateRoleOutput, error) {
	r := s.read(ctx)
	path, err := checkPath(in.Path)
	if err != nil {
		return nil, err
	}
	name := deref(in.RoleName)
	if findFold(r, resource.Roles, name) {
		return nil, refuse(iam.ErrCodeEntityAlreadyExists, "RoleName", "Role with name "+name+" already exists.")
	}
	if err := checkTrust("AssumeRolePolicyDocument", deref(in.AssumeRolePolicyDocument)); err != nil {
		return nil, err
	}
	if b := deref(in.PermissionsBoundary); b != "" {
		if err := checkPolicyARN(r, "PermissionsBoundary", b); err != nil {
			return nil, err
		}
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	v := &resource.Role{Name: name, Path: path, ARN: s.makeARN(ctx, "role", path, name), Description: deref(in.Description),
		TrustPolicy: deref(in.AssumeRolePolicyDocument), MaxSessionDuration: 3600, Boundary: deref(in.PermissionsBoundary), Tags: tags,
		ID: s.env.NewID(ctx, roleID, taken(r, resource.Roles, func(v *resource.Role) string { return v.ID }))}
	if in.MaxSessionDuration != nil {
		v.MaxSessionDuration = *in.MaxSessionDuration
	}
	if err := s.putRole(ctx, v); err != nil {
		return nil, err
	}
	return &iam.CreateRoleOutput{Role: s.showRole(ctx, v)}, nil
}

func checkTrust(path, text string) error {
	if size(text) > maxTrustSize {
		return refuse(iam.ErrCodeLimitExceeded, path, "Cannot exceed quota for ACLSizePerRole: 2048")
	}
	if !json.Valid([]byte(text)) {
		return refuse(iam.ErrCodeMalformedPolicyDocument, path, "This policy contains invalid Json")
	}
	return checkDocument(path, text, (*policy.Document).CheckTrust)
}

func (s *Service) putRole(ctx context.Context, v *resource.Role) error {
	return s.update(ctx, func(tx *store.Tx) { resource.Roles.Put(tx, global, v.Name, v) })
}

func (s *Service) showRole(ctx context.Context, v *resource.Role) *iam.Role {
	rec := resource.Roles.Record(s.read(ctx), global, v.Name)
	return &iam.Role{Path: &v.Path, RoleName: &v.Name, RoleId: &v.ID, Arn: &v.ARN, CreateDate: stamp(rec.Created), AssumeRolePolicyDocument: encoded(v.TrustPolicy),
		Description: optional(v.Description), MaxSessionDuration: &v.MaxSessionDuration, PermissionsBoundary: boundary(v.Boundary), Tags: tagList(v.Tags)}
}

func (s *Service) role(ctx context.Context, name *string) (*resource.Role, error) {
	v, ok := resource.Roles.Get(s.read(ctx), global, deref(name))
	if !ok {
		return nil, refuse(iam.ErrCodeNoSuchEntity, "RoleName", "The role with name "+deref(name)+" cannot be found.")
	}
	return v, nil
}

// GetRole returns a role.
func (s *Service) GetRole(ctx context.Context, in *iam.GetRoleInput) (*iam.GetRoleOutput, error) {
	v, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	out := s.showRole(ctx, v)
	out.RoleLastUsed = &iam.RoleLastUsed{}
	return &iam.GetRoleOutput{Role: out}, nil
}

// ListRoles lists the roles below a path.
func (s *Service) ListRoles(ctx context.Context, in *iam.ListRolesInput) (*iam.ListRolesOutput, error) {
	var all []*iam.Role
	for _, v := range resource.Roles.All(s.read(ctx), global) {
		if strings.HasPrefix(v.Path, deref(in.PathPrefix)) {
			out := s.showRole(ctx, v)
			out.Tags, out.PermissionsBoundary = nil, nil // left out of lists (IAM API reference, ListRoles)
			all = append(all, out)
		}
	}
	items, truncated, next := page(all, func(v *iam.Role) string { return *v.RoleName }, in.Marker, in.MaxItems)
	return &iam.ListRolesOutput{Roles: items, IsTruncated: truncated, Marker: next}, nil
}

// UpdateRole changes description and session duration; what is left out becomes the default for the duration, and stays
// for the description.
func (s *Service) UpdateRole(ctx context.Context, in *iam.UpdateRoleInput) (*iam.UpdateRoleOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	v := *old
	if in.Description != nil {
		v.Description = *in.Description
	}
	v.MaxSessionDuration = 3600
	if in.MaxSessionDuration != nil {
		v.MaxSessionDuration = *in.MaxSessionDuration
	}
	return &iam.UpdateRoleOutput{}, s.putRole(ctx, &v)
}

// UpdateRoleDescription changes the description.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionInput) (*iam.UpdateRoleDescriptionOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Description = deref(in.Description)
	if err := s.putRole(ctx, &v); err != nil {
		return nil, err
	}
	return &iam.UpdateRoleDescriptionOutput{Role: s.showRole(ctx, &v)}, nil
}

// UpdateAssumeRolePolicy replaces the trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := checkTrust("PolicyDocument", deref(in.PolicyDocument)); err != nil {
		return nil, err
	}
	v := *old
	v.TrustPolicy = deref(in.PolicyDocument)
	return &iam.UpdateAssumeRolePolicyOutput{}, s.putRole(ctx, &v)
}

// DeleteRole deletes a role without policies.
func (s *Service) DeleteRole(ctx context.Context, in *iam.DeleteRoleInput) (*iam.DeleteRoleOutput, error) {
	v, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := bare(s.read(ctx), resource.Owner{Kind: "role", Name: v.Name}); err != nil {
		return nil, err
	}
	return &iam.DeleteRoleOutput{}, s.update(ctx, func(tx *store.Tx) { resource.Roles.Delete(tx, global, v.Name) })
}

// PutRolePermissionsBoundary sets the boundary.
func (s *Service) PutRolePermissionsBoundary(ctx context.Context, in *iam.PutRolePermissionsBoundaryInput) (*iam.PutRolePermissionsBoundaryOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyARN(s.read(ctx), "PermissionsBoundary", deref(in.PermissionsBoundary)); err != nil {
		return nil, err
	}
	v := *old
	v.Boundary = deref(in.PermissionsBoundary)
	return &iam.PutRolePermissionsBoundaryOutput{}, s.putRole(ctx, &v)
}

// DeleteRolePermissionsBoundary takes the boundary away.
func (s *Service) DeleteRolePermissionsBoundary(ctx context.Context, in *iam.DeleteRolePermissionsBoundaryInput) (*iam.DeleteRolePermissionsBoundaryOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Boundary = ""
	return &iam.DeleteRolePermissionsBoundaryOutput{}, s.putRole(ctx, &v)
}

// TagRole adds tags.
func (s *Service) TagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	v := *old
	if v.Tags, err = addTags(old.Tags, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagRoleOutput{}, s.putRole(ctx, &v)
}

// UntagRole removes tags.
func (s *Service) UntagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	old, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Tags = removeTags(old.Tags, in.TagKeys)
	return &iam.UntagRoleOutput{}, s.putRole(ctx, &v)
}

// ListRoleTags lists a role's tags.
func (s *Service) ListRoleTags(ctx context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	v, err := s.role(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(tagList(v.Tags), func(t *iam.Tag) string { return *t.Key }, in.Marker, in.MaxItems)
	return &iam.ListRoleTagsOutput{Tags: items, IsTruncated: truncated, Marker: next}, nil
}
