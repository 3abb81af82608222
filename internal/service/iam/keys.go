package iam

import (
	"context"
	"fmt"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// CreateAccessKey makes a key. That of a template is the same at every run on this machine.
func (s *Service) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyInput) (*iam.CreateAccessKeyOutput, error) {
	u, err := s.caller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	r := s.read(ctx)
	if len(keysOf(r, u.Name)) >= maxKeysPerUser {
		return nil, refuse(iam.ErrCodeLimitExceeded, "UserName", fmt.Sprintf("Cannot exceed quota for AccessKeysPerUser: %d", maxKeysPerUser))
	}
	id := ""
	for attempt := 0; ; attempt++ {
		id = s.env.NewSecret(ctx, service.ID{Kind: "access-key-" + strconv.Itoa(attempt), Prefix: "AKIA", Alphabet: base32Upper, Length: 16})
		if _, used := resource.AccessKeys.Get(r, global, id); !used {
			break
		}
	}
	k := &resource.AccessKey{ID: id, UserName: u.Name, Active: true,
		Secret: s.env.NewSecret(ctx, service.ID{Kind: "secret-key-" + id, Alphabet: service.Base64, Length: 40})}
	if err := s.update(ctx, func(tx *store.Tx) { resource.AccessKeys.Put(tx, global, id, k) }); err != nil {
		return nil, err
	}
	rec := resource.AccessKeys.Record(s.read(ctx), global, id)
	return &iam.CreateAccessKeyOutput{AccessKey: &iam.AccessKey{UserName: &u.Name, AccessKeyId: &k.ID, Status: new("Active"), SecretAccessKey: &k.Secret, CreateDate: stamp(rec.Created)}}, nil
}

// keysOf lists a user's keys by id.
func keysOf(r store.Reader, user string) []*resource.AccessKey {
	var out []*resource.AccessKey
	for _, k := range resource.AccessKeys.All(r, global) {
		if k.UserName == user {
			out = append(out, k)
		}
	}
	return out
}

func status(k *resource.AccessKey) *string {
	if k.Active {
		return new("Active")
	}
	return new("Inactive")
}

// key returns a key of the named user; without a name, of whomever it belongs to.
func (s *Service) key(ctx context.Context, user, id *string) (*resource.AccessKey, error) {
	if user != nil {
		if _, err := s.user(ctx, user); err != nil {
			return nil, err
		}
	}
	k, ok := resource.AccessKeys.Get(s.read(ctx), global, deref(id))
	if !ok || user != nil && k.UserName != *user {
		return nil, noSuch("The Access Key with id %s cannot be found.", deref(id))
	}
	return k, nil
}

// ListAccessKeys lists the keys of a user, without secrets.
func (s *Service) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysInput) (*iam.ListAccessKeysOutput, error) {
	u, err := s.caller(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	r := s.read(ctx)
	var all []*iam.AccessKeyMetadata
	for _, k := range keysOf(r, u.Name) {
		all = append(all, &iam.AccessKeyMetadata{UserName: &u.Name, AccessKeyId: &k.ID, Status: status(k), CreateDate: stamp(resource.AccessKeys.Record(r, global, k.ID).Created)})
	}
	items, truncated, next := page(all, func(v *iam.AccessKeyMetadata) string { return *v.AccessKeyId }, in.Marker, in.MaxItems)
	return &iam.ListAccessKeysOutput{AccessKeyMetadata: items, IsTruncated: truncated, Marker: next}, nil
}

// UpdateAccessKey makes a key active or inactive.
func (s *Service) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyInput) (*iam.UpdateAccessKeyOutput, error) {
	old, err := s.key(ctx, in.UserName, in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	k := *old
	switch deref(in.Status) {
	case "Active", "Inactive":
		k.Active = *in.Status == "Active"
	default:
		return nil, refuse("ValidationError", "Status", "Access key status "+deref(in.Status)+" is not supported.") // text: our words
	}
	return &iam.UpdateAccessKeyOutput{}, s.update(ctx, func(tx *store.Tx) { resource.AccessKeys.Put(tx, global, k.ID, &k) })
}

// DeleteAccessKey deletes a key.
func (s *Service) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyInput) (*iam.DeleteAccessKeyOutput, error) {
	k, err := s.key(ctx, in.UserName, in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	return &iam.DeleteAccessKeyOutput{}, s.update(ctx, func(tx *store.Tx) { resource.AccessKeys.Delete(tx, global, k.ID) })
}

// GetAccessKeyLastUsed tells whose key it is. When it was used is not kept.
func (s *Service) GetAccessKeyLastUsed(ctx context.Context, in *iam.GetAccessKeyLastUsedInput) (*iam.GetAccessKeyLastUsedOutput, error) {
	k, err := s.key(ctx, nil, in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	return &iam.GetAccessKeyLastUsedOutput{UserName: &k.UserName, AccessKeyLastUsed: &iam.AccessKeyLastUsed{ServiceName: new("N/A"), Region: new("N/A")}}, nil
}
