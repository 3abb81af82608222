package iam

import (
	"context"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreateUser makes a user.
func (s *Service) CreateUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	r := s.read(ctx)
	path, err := checkPath(in.Path)
	if err != nil {
		return nil, err
	}
	name := deref(in.UserName)
	if findFold(r, resource.Users, name) {
		return nil, refuse(iam.ErrCodeEntityAlreadyExists, "UserName", "User with name "+name+" already exists.")
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
	v := &resource.User{Name: name, Path: path, ARN: s.makeARN(ctx, "user", path, name), Boundary: deref(in.PermissionsBoundary), Tags: tags,
		ID: s.env.NewID(ctx, userID, taken(r, resource.Users, func(u *resource.User) string { return u.ID }))}
	if err := s.putUser(ctx, v); err != nil {
		return nil, err
	}
	return &iam.CreateUserOutput{User: s.showUser(ctx, v)}, nil
}

func (s *Service) putUser(ctx context.Context, v *resource.User) error {
	return s.update(ctx, func(tx *store.Tx) { resource.Users.Put(tx, global, v.Name, v) })
}

func (s *Service) showUser(ctx context.Context, v *resource.User) *iam.User {
	rec := resource.Users.Record(s.read(ctx), global, v.Name)
	return &iam.User{Path: &v.Path, UserName: &v.Name, UserId: &v.ID, Arn: &v.ARN, CreateDate: stamp(rec.Created), PermissionsBoundary: boundary(v.Boundary), Tags: tagList(v.Tags)}
}

func (s *Service) user(ctx context.Context, name *string) (*resource.User, error) {
	v, ok := resource.Users.Get(s.read(ctx), global, deref(name))
	if !ok {
		return nil, refuse(iam.ErrCodeNoSuchEntity, "UserName", "The user with name "+deref(name)+" cannot be found.")
	}
	return v, nil
}

// caller returns the user who calls, for operations whose UserName may be left out.
func (s *Service) caller(ctx context.Context, name *string) (*resource.User, error) {
	if name != nil {
		return s.user(ctx, name)
	}
	c := awsapi.CallFrom(ctx).Caller
	for _, v := range resource.Users.All(s.read(ctx), global) {
		if v.ARN == c.ARN {
			return v, nil
		}
	}
	return nil, refuse("ValidationError", "UserName", "Must specify userName when calling with non-User credentials")
}

// GetUser returns a user; without a name the one who calls.
func (s *Service) GetUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	if c := awsapi.CallFrom(ctx).Caller; in.UserName == nil && c.Root {
		return &iam.GetUserOutput{User: &iam.User{Path: new("/"), UserName: new("root"), UserId: new(c.Account), Arn: new(c.ARN), CreateDate: stamp(s.env.Now())}}, nil
	}
	v, err := s.caller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.GetUserOutput{User: s.showUser(ctx, v)}, nil
}

// ListUsers lists the users below a path.
func (s *Service) ListUsers(ctx context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	var all []*iam.User
	for _, v := range resource.Users.All(s.read(ctx), global) {
		if strings.HasPrefix(v.Path, deref(in.PathPrefix)) {
			u := s.showUser(ctx, v)
			u.Tags, u.PermissionsBoundary = nil, nil // left out of lists (IAM API reference, ListUsers)
			all = append(all, u)
		}
	}
	items, truncated, next := page(all, func(v *iam.User) string { return *v.UserName }, in.Marker, in.MaxItems)
	return &iam.ListUsersOutput{Users: items, IsTruncated: truncated, Marker: next}, nil
}

// UpdateUser renames or moves a user.
func (s *Service) UpdateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	old, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	r, v := s.read(ctx), *old
	if in.NewPath != nil {
		if v.Path, err = checkPath(in.NewPath); err != nil {
			return nil, err
		}
	}
	if n := deref(in.NewUserName); n != "" && n != old.Name {
		if !strings.EqualFold(n, old.Name) && findFold(r, resource.Users, n) {
			return nil, refuse(iam.ErrCodeEntityAlreadyExists, "NewUserName", "User with name "+n+" already exists.")
		}
		v.Name = n
	}
	v.ARN = s.makeARN(ctx, "user", v.Path, v.Name)
	return &iam.UpdateUserOutput{}, s.update(ctx, func(tx *store.Tx) {
		if v.Name != old.Name {
			moveOwner(tx, resource.Owner{Kind: "user", Name: old.Name}, v.Name)
			for rec, k := range resource.AccessKeys.All(tx, global) {
				if k.UserName == old.Name {
					moved := *k
					moved.UserName = v.Name
					resource.AccessKeys.Put(tx, global, rec.Key.ID, &moved)
				}
			}
			for rec, m := range resource.Memberships.All(tx, global) {
				if m.User == old.Name {
					resource.Memberships.Delete(tx, global, rec.Key.ID)
					resource.Memberships.Put(tx, global, resource.MembershipKey(m.Group, v.Name), &resource.Membership{Group: m.Group, User: v.Name})
				}
			}
			resource.Users.Delete(tx, global, old.Name)
		}
		resource.Users.Put(tx, global, v.Name, &v)
	})
}

// DeleteUser deletes a user who has nothing left.
func (s *Service) DeleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	v, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	r := s.read(ctx)
	if err := bare(r, resource.Owner{Kind: "user", Name: v.Name}); err != nil {
		return nil, err
	}
	if len(keysOf(r, v.Name)) > 0 {
		return nil, refuse(iam.ErrCodeDeleteConflict, "UserName", "Cannot delete entity, must delete access keys first.")
	}
	if len(groupsOf(r, v.Name)) > 0 {
		return nil, refuse(iam.ErrCodeDeleteConflict, "UserName", "Cannot delete entity, must remove users from group first.")
	}
	return &iam.DeleteUserOutput{}, s.update(ctx, func(tx *store.Tx) { resource.Users.Delete(tx, global, v.Name) })
}

// PutUserPermissionsBoundary sets the boundary.
func (s *Service) PutUserPermissionsBoundary(ctx context.Context, in *iam.PutUserPermissionsBoundaryInput) (*iam.PutUserPermissionsBoundaryOutput, error) {
	old, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	if err := checkPolicyARN(s.read(ctx), "PermissionsBoundary", deref(in.PermissionsBoundary)); err != nil {
		return nil, err
	}
	v := *old
	v.Boundary = deref(in.PermissionsBoundary)
	return &iam.PutUserPermissionsBoundaryOutput{}, s.putUser(ctx, &v)
}

// DeleteUserPermissionsBoundary takes the boundary away.
func (s *Service) DeleteUserPermissionsBoundary(ctx context.Context, in *iam.DeleteUserPermissionsBoundaryInput) (*iam.DeleteUserPermissionsBoundaryOutput, error) {
	old, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Boundary = ""
	return &iam.DeleteUserPermissionsBoundaryOutput{}, s.putUser(ctx, &v)
}

// TagUser adds tags.
func (s *Service) TagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	old, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	v := *old
	if v.Tags, err = addTags(old.Tags, in.Tags); err != nil {
		return nil, err
	}
	return &iam.TagUserOutput{}, s.putUser(ctx, &v)
}

// UntagUser removes tags.
func (s *Service) UntagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	old, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	v := *old
	v.Tags = removeTags(old.Tags, in.TagKeys)
	return &iam.UntagUserOutput{}, s.putUser(ctx, &v)
}

// ListUserTags lists a user's tags.
func (s *Service) ListUserTags(ctx context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	v, err := s.user(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	items, truncated, next := page(tagList(v.Tags), func(t *iam.Tag) string { return *t.Key }, in.Marker, in.MaxItems)
	return &iam.ListUserTagsOutput{Tags: items, IsTruncated: truncated, Marker: next}, nil
}
