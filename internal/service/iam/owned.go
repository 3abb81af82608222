package iam

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
)

// The operations on policies of users, groups and roles are the same but for the name of one member.

func (s *Service) userOwner(ctx context.Context, name *string) (resource.Owner, error) {
	v, err := s.user(ctx, name)
	if err != nil {
		return resource.Owner{}, err
	}
	return resource.Owner{Kind: "user", Name: v.Name}, nil
}

// PutUserPolicy stores an inline policy.
func (s *Service) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyInput) (*iam.PutUserPolicyOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.PutUserPolicyOutput{}, s.putInline(ctx, o, in.PolicyName, in.PolicyDocument)
}

// GetUserPolicy returns an inline policy.
func (s *Service) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyInput) (*iam.GetUserPolicyOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := s.getInline(ctx, o, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserPolicyOutput{UserName: &p.Owner.Name, PolicyName: &p.Name, PolicyDocument: encoded(p.Document)}, nil
}

// DeleteUserPolicy deletes an inline policy.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyInput) (*iam.DeleteUserPolicyOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteUserPolicyOutput{}, s.deleteInline(ctx, o, in.PolicyName)
}

// ListUserPolicies lists the names of inline policies.
func (s *Service) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesInput) (*iam.ListUserPoliciesOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listInline(ctx, o), self, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesOutput{PolicyNames: items, IsTruncated: truncated, Marker: next}, nil
}

// AttachUserPolicy attaches a managed policy.
func (s *Service) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyInput) (*iam.AttachUserPolicyOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.AttachUserPolicyOutput{}, s.attach(ctx, o, in.PolicyArn)
}

// DetachUserPolicy detaches a managed policy.
func (s *Service) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyInput) (*iam.DetachUserPolicyOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.DetachUserPolicyOutput{}, s.detach(ctx, o, in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesInput) (*iam.ListAttachedUserPoliciesOutput, error) {
	o, err := s.userOwner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listAttached(ctx, o, in.PathPrefix), attachedARN, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesOutput{AttachedPolicies: items, IsTruncated: truncated, Marker: next}, nil
}

func (s *Service) groupOwner(ctx context.Context, name *string) (resource.Owner, error) {
	v, err := s.group(ctx, name)
	if err != nil {
		return resource.Owner{}, err
	}
	return resource.Owner{Kind: "group", Name: v.Name}, nil
}

// PutGroupPolicy stores an inline policy.
func (s *Service) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyInput) (*iam.PutGroupPolicyOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	return &iam.PutGroupPolicyOutput{}, s.putInline(ctx, o, in.PolicyName, in.PolicyDocument)
}

// GetGroupPolicy returns an inline policy.
func (s *Service) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyInput) (*iam.GetGroupPolicyOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	p, err := s.getInline(ctx, o, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetGroupPolicyOutput{GroupName: &p.Owner.Name, PolicyName: &p.Name, PolicyDocument: encoded(p.Document)}, nil
}

// DeleteGroupPolicy deletes an inline policy.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyInput) (*iam.DeleteGroupPolicyOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteGroupPolicyOutput{}, s.deleteInline(ctx, o, in.PolicyName)
}

// ListGroupPolicies lists the names of inline policies.
func (s *Service) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesInput) (*iam.ListGroupPoliciesOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listInline(ctx, o), self, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesOutput{PolicyNames: items, IsTruncated: truncated, Marker: next}, nil
}

// AttachGroupPolicy attaches a managed policy.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyInput) (*iam.AttachGroupPolicyOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	return &iam.AttachGroupPolicyOutput{}, s.attach(ctx, o, in.PolicyArn)
}

// DetachGroupPolicy detaches a managed policy.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyInput) (*iam.DetachGroupPolicyOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	return &iam.DetachGroupPolicyOutput{}, s.detach(ctx, o, in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies.
func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesInput) (*iam.ListAttachedGroupPoliciesOutput, error) {
	o, err := s.groupOwner(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listAttached(ctx, o, in.PathPrefix), attachedARN, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesOutput{AttachedPolicies: items, IsTruncated: truncated, Marker: next}, nil
}

func (s *Service) roleOwner(ctx context.Context, name *string) (resource.Owner, error) {
	v, err := s.role(ctx, name)
	if err != nil {
		return resource.Owner{}, err
	}
	return resource.Owner{Kind: "role", Name: v.Name}, nil
}

// PutRolePolicy stores an inline policy.
func (s *Service) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyInput) (*iam.PutRolePolicyOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.PutRolePolicyOutput{}, s.putInline(ctx, o, in.PolicyName, in.PolicyDocument)
}

// GetRolePolicy returns an inline policy.
func (s *Service) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyInput) (*iam.GetRolePolicyOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	p, err := s.getInline(ctx, o, in.PolicyName)
	if err != nil {
		return nil, err
	}
	return &iam.GetRolePolicyOutput{RoleName: &p.Owner.Name, PolicyName: &p.Name, PolicyDocument: encoded(p.Document)}, nil
}

// DeleteRolePolicy deletes an inline policy.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyInput) (*iam.DeleteRolePolicyOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteRolePolicyOutput{}, s.deleteInline(ctx, o, in.PolicyName)
}

// ListRolePolicies lists the names of inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesInput) (*iam.ListRolePoliciesOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listInline(ctx, o), self, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesOutput{PolicyNames: items, IsTruncated: truncated, Marker: next}, nil
}

// AttachRolePolicy attaches a managed policy.
func (s *Service) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyInput) (*iam.AttachRolePolicyOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.AttachRolePolicyOutput{}, s.attach(ctx, o, in.PolicyArn)
}

// DetachRolePolicy detaches a managed policy.
func (s *Service) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyInput) (*iam.DetachRolePolicyOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	return &iam.DetachRolePolicyOutput{}, s.detach(ctx, o, in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesInput) (*iam.ListAttachedRolePoliciesOutput, error) {
	o, err := s.roleOwner(ctx, in.RoleName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(s.listAttached(ctx, o, in.PathPrefix), attachedARN, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesOutput{AttachedPolicies: items, IsTruncated: truncated, Marker: next}, nil
}
