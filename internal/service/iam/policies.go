package iam

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreatePolicy makes a customer managed policy with the version v1.
func (s *Service) CreatePolicy(ctx context.Context, in *iam.CreatePolicyInput) (*iam.CreatePolicyOutput, error) {
	r := s.read(ctx)
	path, err := checkPath(in.Path)
	if err != nil {
		return nil, err
	}
	name := deref(in.PolicyName)
	for _, p := range resource.ManagedPolicies.All(r, global) {
		if strings.EqualFold(p.Name, name) {
			return nil, refuse(iam.ErrCodeEntityAlreadyExists, "PolicyName", "A policy called "+name+" already exists. Duplicate names are not allowed.")
		}
	}
	if err := checkManaged(deref(in.PolicyDocument)); err != nil {
		return nil, err
	}
	tags, err := addTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	v := &resource.ManagedPolicy{ARN: s.makeARN(ctx, "policy", path, name), Name: name, Path: path, Description: deref(in.Description), Tags: tags,
		Versions: []resource.PolicyVersion{{ID: "v1", Document: *in.PolicyDocument, Created: s.env.Now().UTC()}}, Default: "v1", LastVersion: 1,
		ID: s.env.NewID(ctx, policyID, taken(r, resource.ManagedPolicies, func(p *resource.ManagedPolicy) string { return p.ID }))}
	if err := s.putPolicy(ctx, v); err != nil {
		return nil, err
	}
	return &iam.CreatePolicyOutput{Policy: s.showPolicy(ctx, v)}, nil
}

func checkManaged(document string) error {
	if err := checkIdentity("PolicyDocument", document); err != nil {
		return err
	}
	if size(document) > maxManagedSize {
		return refuse(iam.ErrCodeLimitExceeded, "PolicyDocument", fmt.Sprintf("Cannot exceed quota for PolicySize: %d", maxManagedSize))
	}
	return nil
}

func (s *Service) putPolicy(ctx context.Context, v *resource.ManagedPolicy) error {
	return s.update(ctx, func(tx *store.Tx) { resource.ManagedPolicies.Put(tx, global, v.ARN, v) })
}

// users counts attachments and uses as a boundary.
func policyUsers(r store.Reader, policyARN string) (attached, boundaries int64) {
	for _, a := range resource.Attachments.All(r, global) {
		if a.PolicyARN == policyARN {
			attached++
		}
	}
	for _, u := range resource.Users.All(r, global) {
		if u.Boundary == policyARN {
			boundaries++
		}
	}
	for _, u := range resource.Roles.All(r, global) {
		if u.Boundary == policyARN {
			boundaries++
		}
	}
	return attached, boundaries
}

func (s *Service) showPolicy(ctx context.Context, v *resource.ManagedPolicy) *iam.Policy {
	r := s.read(ctx)
	rec := resource.ManagedPolicies.Record(r, global, v.ARN)
	attached, boundaries := policyUsers(r, v.ARN)
	return &iam.Policy{PolicyName: &v.Name, PolicyId: &v.ID, Arn: &v.ARN, Path: &v.Path, DefaultVersionId: &v.Default, AttachmentCount: &attached,
		PermissionsBoundaryUsageCount: &boundaries, IsAttachable: new(true), Description: optional(v.Description), CreateDate: stamp(rec.Created),
		UpdateDate: stamp(v.Versions[len(v.Versions)-1].Created), Tags: tagList(v.Tags)}
}

func (s *Service) policy(ctx context.Context, policyARN *string) (*resource.ManagedPolicy, error) {
	v, ok := resource.ManagedPolicies.Get(s.read(ctx), global, deref(policyARN))
	if !ok {
		return nil, noSuch("Policy %s was not found.", deref(policyARN))
	}
	return v, nil
}

// GetPolicy returns a customer managed policy.
func (s *Service) GetPolicy(ctx context.Context, in *iam.GetPolicyInput) (*iam.GetPolicyOutput, error) {
	v, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetPolicyOutput{Policy: s.showPolicy(ctx, v)}, nil
}

// ListPolicies lists customer managed policies; Foregate keeps no list of AWS's.
func (s *Service) ListPolicies(ctx context.Context, in *iam.ListPoliciesInput) (*iam.ListPoliciesOutput, error) {
	var all []*iam.Policy
	for _, v := range resource.ManagedPolicies.All(s.read(ctx), global) {
		p := s.showPolicy(ctx, v)
		p.Tags, p.Description = nil, nil // left out of lists (IAM API reference, ListPolicies)
		if deref(in.Scope) == "AWS" || !strings.HasPrefix(v.Path, deref(in.PathPrefix)) || deref(in.OnlyAttached) && *p.AttachmentCount == 0 {
			continue
		}
		all = append(all, p)
	}
	items, truncated, next := page(all, func(v *iam.Policy) string { return *v.Arn }, in.Marker, in.MaxItems)
	return &iam.ListPoliciesOutput{Policies: items, IsTruncated: truncated, Marker: next}, nil
}

// DeletePolicy deletes a policy that nobody has and that has one version.
func (s *Service) DeletePolicy(ctx context.Context, in *iam.DeletePolicyInput) (*iam.DeletePolicyOutput, error) {
	v, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	attached, boundaries := policyUsers(s.read(ctx), v.ARN)
	switch {
	case attached+boundaries > 0:
		return nil, refuse(iam.ErrCodeDeleteConflict, "PolicyArn", "Cannot delete a policy attached to entities.")
	case len(v.Versions) > 1:
		return nil, refuse(iam.ErrCodeDeleteConflict, "PolicyArn", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
	}
	return &iam.DeletePolicyOutput{}, s.update(ctx, func(tx *store.Tx) { resource.ManagedPolicies.Delete(tx, global, v.ARN) })
}

// CreatePolicyVersion adds a version.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	old, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	if err := checkManaged(deref(in.PolicyDocument)); err != nil {
		return nil, err
	}
	if len(old.Versions) >= maxPolicyVersions {
		return nil, refuse(iam.ErrCodeLimitExceeded, "PolicyArn", "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
	}
	v := *old
	v.LastVersion++
	now := resource.PolicyVersion{ID: "v" + strconv.Itoa(v.LastVersion), Document: *in.PolicyDocument, Created: s.env.Now().UTC()}
	v.Versions = append(slices.Clone(old.Versions), now)
	if deref(in.SetAsDefault) {
		v.Default = now.ID
	}
	if err := s.putPolicy(ctx, &v); err != nil {
		return nil, err
	}
	out := showVersion(&v, &now)
	out.Document = nil // the answer leaves it out (IAM API reference, CreatePolicyVersion)
	return &iam.CreatePolicyVersionOutput{PolicyVersion: out}, nil
}

func showVersion(p *resource.ManagedPolicy, v *resource.PolicyVersion) *iam.PolicyVersion {
	return &iam.PolicyVersion{Document: encoded(v.Document), VersionId: new(v.ID), IsDefaultVersion: new(p.Default == v.ID), CreateDate: stamp(v.Created)}
}

func (s *Service) version(ctx context.Context, policyARN, id *string) (*resource.ManagedPolicy, int, error) {
	p, err := s.policy(ctx, policyARN)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(p.Versions, func(v resource.PolicyVersion) bool { return v.ID == deref(id) })
	if i < 0 {
		return nil, 0, noSuch("Policy %s version %s does not exist or is not attachable.", p.ARN, deref(id))
	}
	return p, i, nil
}

// GetPolicyVersion returns a version with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	p, i, err := s.version(ctx, in.PolicyArn, in.VersionId)
	if err != nil {
		return nil, err
	}
	return &iam.GetPolicyVersionOutput{PolicyVersion: showVersion(p, &p.Versions[i])}, nil
}

// ListPolicyVersions lists the versions, the newest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	p, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	out := &iam.ListPolicyVersionsOutput{IsTruncated: new(false)}
	for i := range p.Versions {
		v := showVersion(p, &p.Versions[len(p.Versions)-1-i])
		v.Document = nil
		out.Versions = append(out.Versions, v)
	}
	return out, nil
}

// SetDefaultPolicyVersion chooses the version that counts.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	p, i, err := s.version(ctx, in.PolicyArn, in.VersionId)
	if err != nil {
		return nil, err
	}
	v := *p
	v.Default = p.Versions[i].ID
	return &iam.SetDefaultPolicyVersionOutput{}, s.putPolicy(ctx, &v)
}

// DeletePolicyVersion deletes a version that is not the default.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	p, i, err := s.version(ctx, in.PolicyArn, in.VersionId)
	if err != nil {
		return nil, err
	}
	if p.Default == p.Versions[i].ID {
		return nil, refuse(iam.ErrCodeDeleteConflict, "VersionId", "Cannot delete the default version of a policy.")
	}
	v := *p
	v.Versions = slices.Delete(slices.Clone(p.Versions), i, i+1)
	return &iam.DeletePolicyVersionOutput{}, s.putPolicy(ctx, &v)
}

// ListEntitiesForPolicy lists who has a managed policy.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyInput) (*iam.ListEntitiesForPolicyOutput, error) {
	policyARN := deref(in.PolicyArn)
	r := s.read(ctx)
	if err := checkPolicyARN(r, "PolicyArn", policyARN); err != nil {
		return nil, err
	}
	out := &iam.ListEntitiesForPolicyOutput{IsTruncated: new(false)}
	for _, a := range resource.Attachments.All(r, global) {
		if a.PolicyARN != policyARN {
			continue
		}
		filter := deref(in.EntityFilter)
		switch {
		case a.Owner.Kind == "user" && (filter == "" || filter == "User"):
			if u, ok := resource.Users.Get(r, global, a.Owner.Name); ok {
				out.PolicyUsers = append(out.PolicyUsers, &iam.PolicyUser{UserName: &u.Name, UserId: &u.ID})
			}
		case a.Owner.Kind == "group" && (filter == "" || filter == "Group"):
			if g, ok := resource.Groups.Get(r, global, a.Owner.Name); ok {
				out.PolicyGroups = append(out.PolicyGroups, &iam.PolicyGroup{GroupName: &g.Name, GroupId: &g.ID})
			}
		case a.Owner.Kind == "role" && (filter == "" || filter == "Role"):
			if v, ok := resource.Roles.Get(r, global, a.Owner.Name); ok {
				out.PolicyRoles = append(out.PolicyRoles, &iam.PolicyRole{RoleName: &v.Name, RoleId: &v.ID})
			}
		}
	}
	return out, nil
}

// TagPolicy adds tags.
func (s *Service) TagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	old, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v := *old
	if v.Tags, err = addTags(old.Tags, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagPolicyOutput{}, s.putPolicy(ctx, &v)
}

// UntagPolicy removes tags.
func (s *Service) UntagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	old, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Tags = removeTags(old.Tags, in.TagKeys)
	return &iam.UntagPolicyOutput{}, s.putPolicy(ctx, &v)
}

// ListPolicyTags lists a policy's tags.
func (s *Service) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	v, err := s.policy(ctx, in.PolicyArn)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(tagList(v.Tags), func(t *iam.Tag) string { return *t.Key }, in.Marker, in.MaxItems)
	return &iam.ListPolicyTagsOutput{Tags: items, IsTruncated: truncated, Marker: next}, nil
}
