package iam

import (
	"context"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreateGroup makes a group.
func (s *Service) CreateGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	r := s.read(ctx)
	path, err := checkPath(in.Path)
	if err != nil {
		return nil, err
	}
	name := deref(in.GroupName)
	if findFold(r, resource.Groups, name) {
		return nil, refuse(iam.ErrCodeEntityAlreadyExists, "GroupName", "Group with name "+name+" already exists.")
	}
	v := &resource.Group{Name: name, Path: path, ARN: s.makeARN(ctx, "group", path, name),
		ID: s.env.NewID(ctx, groupID, taken(r, resource.Groups, func(g *resource.Group) string { return g.ID }))}
	if err := s.update(ctx, func(tx *store.Tx) { resource.Groups.Put(tx, global, name, v) }); err != nil {
		return nil, err
	}
	return &iam.CreateGroupOutput{Group: s.showGroup(ctx, v)}, nil
}

func (s *Service) showGroup(ctx context.Context, v *resource.Group) *iam.Group {
	rec := resource.Groups.Record(s.read(ctx), global, v.Name)
	return &iam.Group{Path: &v.Path, GroupName: &v.Name, GroupId: &v.ID, Arn: &v.ARN, CreateDate: stamp(rec.Created)}
}

func (s *Service) group(ctx context.Context, name *string) (*resource.Group, error) {
	v, ok := resource.Groups.Get(s.read(ctx), global, deref(name))
	if !ok {
		return nil, refuse(iam.ErrCodeNoSuchEntity, "GroupName", "The group with name "+deref(name)+" cannot be found.")
	}
	return v, nil
}

// GetGroup returns a group with its users.
func (s *Service) GetGroup(ctx context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	v, err := s.group(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	r := s.read(ctx)
	var all []*iam.User
	for _, m := range resource.Memberships.All(r, global) {
		if u, ok := resource.Users.Get(r, global, m.User); ok && m.Group == v.Name {
			shown := s.showUser(ctx, u)
			shown.Tags, shown.PermissionsBoundary = nil, nil // left out of lists
			all = append(all, shown)
		}
	}
	items, truncated, next := page(all, func(v *iam.User) string { return *v.UserName }, in.Marker, in.MaxItems)
	return &iam.GetGroupOutput{Group: s.showGroup(ctx, v), Users: items, IsTruncated: truncated, Marker: next}, nil
}

// ListGroups lists the groups below a path.
func (s *Service) ListGroups(ctx context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	var all []*iam.Group
	for _, v := range resource.Groups.All(s.read(ctx), global) {
		if strings.HasPrefix(v.Path, deref(in.PathPrefix)) {
			all = append(all, s.showGroup(ctx, v))
		}
	}
	items, truncated, next := page(all, func(v *iam.Group) string { return *v.GroupName }, in.Marker, in.MaxItems)
	return &iam.ListGroupsOutput{Groups: items, IsTruncated: truncated, Marker: next}, nil
}

// UpdateGroup renames or moves a group.
func (s *Service) UpdateGroup(ctx context.Context, in *iam.UpdateGroupInput) (*iam.UpdateGroupOutput, error) {
	old, err := s.group(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	v := *old
	if in.NewPath != nil {
		if v.Path, err = checkPath(in.NewPath); err != nil {
			return nil, err
		}
	}
	if n := deref(in.NewGroupName); n != "" && n != old.Name {
		if !strings.EqualFold(n, old.Name) && findFold(s.read(ctx), resource.Groups, n) {
			return nil, refuse(iam.ErrCodeEntityAlreadyExists, "NewGroupName", "Group with name "+n+" already exists.")
		}
		v.Name = n
	}
	v.ARN = s.makeARN(ctx, "group", v.Path, v.Name)
	return &iam.UpdateGroupOutput{}, s.update(ctx, func(tx *store.Tx) {
		if v.Name != old.Name {
			moveOwner(tx, resource.Owner{Kind: "group", Name: old.Name}, v.Name)
			for rec, m := range resource.Memberships.All(tx, global) {
				if m.Group == old.Name {
					resource.Memberships.Delete(tx, global, rec.Key.ID)
					resource.Memberships.Put(tx, global, resource.MembershipKey(v.Name, m.User), &resource.Membership{Group: v.Name, User: m.User})
				}
			}
			resource.Groups.Delete(tx, global, old.Name)
		}
		resource.Groups.Put(tx, global, v.Name, &v)
	})
}

// DeleteGroup deletes a group without users and policies.
func (s *Service) DeleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	v, err := s.group(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	r := s.read(ctx)
	for _, m := range resource.Memberships.All(r, global) {
		if m.Group == v.Name {
			return nil, refuse(iam.ErrCodeDeleteConflict, "GroupName", "Cannot delete entity, must remove users from group first.")
		}
	}
	if err := bare(r, resource.Owner{Kind: "group", Name: v.Name}); err != nil {
		return nil, err
	}
	return &iam.DeleteGroupOutput{}, s.update(ctx, func(tx *store.Tx) { resource.Groups.Delete(tx, global, v.Name) })
}

// AddUserToGroup makes a user a member.
func (s *Service) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	g, err := s.group(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	u, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	key := resource.MembershipKey(g.Name, u.Name)
	if _, ok := resource.Memberships.Get(s.read(ctx), global, key); !ok && len(groupsOf(s.read(ctx), u.Name)) >= maxGroupsPerUser {
		return nil, refuse(iam.ErrCodeLimitExceeded, "GroupName", "Cannot exceed quota for GroupsPerUser: 10")
	}
	return &iam.AddUserToGroupOutput{}, s.update(ctx, func(tx *store.Tx) {
		resource.Memberships.Put(tx, global, key, &resource.Membership{Group: g.Name, User: u.Name})
	})
}

// RemoveUserFromGroup ends a membership.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	g, err := s.group(ctx, in.GroupName)
	if err != nil {
		return nil, err
	}
	u, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.RemoveUserFromGroupOutput{}, s.update(ctx, func(tx *store.Tx) {
		resource.Memberships.Delete(tx, global, resource.MembershipKey(g.Name, u.Name))
	})
}

// ListGroupsForUser lists a user's groups.
func (s *Service) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	u, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	var all []*iam.Group
	for _, name := range groupsOf(s.read(ctx), u.Name) {
		if g, ok := resource.Groups.Get(s.read(ctx), global, name); ok {
			all = append(all, s.showGroup(ctx, g))
		}
	}
	items, truncated, next := page(all, func(v *iam.Group) string { return *v.GroupName }, in.Marker, in.MaxItems)
	return &iam.ListGroupsForUserOutput{Groups: items, IsTruncated: truncated, Marker: next}, nil
}

// groupsOf lists the groups of a user by name.
func groupsOf(r store.Reader, user string) []string {
	var out []string
	for _, m := range resource.Memberships.All(r, global) {
		if m.User == user {
			out = append(out, m.Group)
		}
	}
	return out
}
