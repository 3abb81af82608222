package cloudfront

import (
	"context"
	"fmt"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// Quotas of signed URLs and cookies (DG-cloudfront-limits).
const (
	maxPublicKeys = 10
	maxKeyGroups  = 10
	maxGroupKeys  = 5
	// maxBehaviorGroups is how many key groups a behavior may have.
	maxBehaviorGroups = 4
)

// CreatePublicKey stores a public key for signed URLs.
func (s *Service) CreatePublicKey(ctx context.Context, in *cloudfront.CreatePublicKeyInput) (*cloudfront.CreatePublicKeyOutput, error) {
	c := in.PublicKeyConfig
	if c == nil || deref(c.Name) == "" {
		return nil, missingArgument("PublicKeyConfig.Name")
	}
	if err := checkKey(deref(c.EncodedKey)); err != nil {
		return nil, err
	}
	if resource.PublicKeys.Len(s.env.Store.Read(ctx), global) >= maxPublicKeys {
		return nil, refuse(cloudfront.ErrCodeTooManyPublicKeys, "PublicKeyConfig", "The maximum number of public keys for field-level encryption have been created. To create a new public key, delete one of the existing keys.", diag.Finding{})
	}
	for _, other := range resource.PublicKeys.All(s.env.Store.Read(ctx), global) {
		if deref(other.Config.Name) == *c.Name || deref(c.CallerReference) != "" && deref(other.Config.CallerReference) == *c.CallerReference {
			return nil, refuse(cloudfront.ErrCodePublicKeyAlreadyExists, "PublicKeyConfig.Name", "The specified public key already exists.", diag.Finding{
				Because: []string{fmt.Sprintf("public key %s has the same name or caller reference", other.ID)}})
		}
	}
	v := &resource.PublicKey{ID: s.env.NewID(ctx, publicKeyID, taken(ctx, s, resource.PublicKeys)), Config: c}
	rec, err := put(ctx, s, resource.PublicKeys, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreatePublicKeyOutput{PublicKey: publicKey(rec, v), ETag: new(etag(rec)), Location: s.location("public-key", v.ID)}, nil
}

func publicKey(rec *store.Record, v *resource.PublicKey) *cloudfront.PublicKey {
	return &cloudfront.PublicKey{Id: &v.ID, CreatedTime: stamp(rec.Created), PublicKeyConfig: v.Config}
}

func (s *Service) key(ctx context.Context, id *string) (*resource.PublicKey, *store.Record, error) {
	return get(ctx, s, resource.PublicKeys, id, missing{cloudfront.ErrCodeNoSuchPublicKey, "public key"})
}

// GetPublicKey returns a public key.
func (s *Service) GetPublicKey(ctx context.Context, in *cloudfront.GetPublicKeyInput) (*cloudfront.GetPublicKeyOutput, error) {
	v, rec, err := s.key(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetPublicKeyOutput{PublicKey: publicKey(rec, v), ETag: new(etag(rec))}, nil
}

// GetPublicKeyConfig returns the configuration alone.
func (s *Service) GetPublicKeyConfig(ctx context.Context, in *cloudfront.GetPublicKeyConfigInput) (*cloudfront.GetPublicKeyConfigOutput, error) {
	v, rec, err := s.key(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetPublicKeyConfigOutput{PublicKeyConfig: v.Config, ETag: new(etag(rec))}, nil
}

// UpdatePublicKey changes the comment; everything else is fixed.
func (s *Service) UpdatePublicKey(ctx context.Context, in *cloudfront.UpdatePublicKeyInput) (*cloudfront.UpdatePublicKeyOutput, error) {
	old, rec, err := s.key(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	c := in.PublicKeyConfig
	if c == nil || deref(c.Name) != deref(old.Config.Name) || deref(c.EncodedKey) != deref(old.Config.EncodedKey) || deref(c.CallerReference) != deref(old.Config.CallerReference) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeCannotChangeImmutablePublicKeyFields, "You can't change the value of a public key.")
	}
	v := &resource.PublicKey{ID: old.ID, Config: c}
	if rec, err = replace(ctx, s, resource.PublicKeys, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdatePublicKeyOutput{PublicKey: publicKey(rec, v), ETag: new(etag(rec))}, nil
}

// DeletePublicKey deletes a key that is in no key group.
func (s *Service) DeletePublicKey(ctx context.Context, in *cloudfront.DeletePublicKeyInput) (*cloudfront.DeletePublicKeyOutput, error) {
	v, rec, err := s.key(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	for _, g := range resource.KeyGroups.All(s.env.Store.Read(ctx), global) {
		if slices.Contains(g.Config.Items, v.ID) {
			return nil, awsapi.Errorf(cloudfront.ErrCodePublicKeyInUse, "The specified public key is in use.")
		}
	}
	return &cloudfront.DeletePublicKeyOutput{}, remove(ctx, s, resource.PublicKeys, rec)
}

// ListPublicKeys lists the account's public keys.
func (s *Service) ListPublicKeys(ctx context.Context, in *cloudfront.ListPublicKeysInput) (*cloudfront.ListPublicKeysOutput, error) {
	var all []*cloudfront.PublicKeySummary
	for rec, v := range resource.PublicKeys.All(s.env.Store.Read(ctx), global) {
		all = append(all, &cloudfront.PublicKeySummary{Id: &v.ID, Name: v.Config.Name, CreatedTime: stamp(rec.Created), EncodedKey: v.Config.EncodedKey, Comment: v.Config.Comment})
	}
	items, next, limit, err := page(all, func(v *cloudfront.PublicKeySummary) string { return *v.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListPublicKeysOutput{PublicKeyList: &cloudfront.PublicKeyList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}

// CreateKeyGroup makes a key group.
func (s *Service) CreateKeyGroup(ctx context.Context, in *cloudfront.CreateKeyGroupInput) (*cloudfront.CreateKeyGroupOutput, error) {
	if err := s.checkGroup(ctx, in.KeyGroupConfig, ""); err != nil {
		return nil, err
	}
	if resource.KeyGroups.Len(s.env.Store.Read(ctx), global) >= maxKeyGroups { // text: BC's documentation of the error
		return nil, refuse(cloudfront.ErrCodeTooManyKeyGroups, "KeyGroupConfig", "You have reached the maximum number of key groups for this AWS account.", diag.Finding{})
	}
	v := &resource.KeyGroup{ID: s.env.NewUUID(ctx, "key-group", taken(ctx, s, resource.KeyGroups)), Config: in.KeyGroupConfig}
	rec, err := put(ctx, s, resource.KeyGroups, v.ID, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateKeyGroupOutput{KeyGroup: keyGroup(rec, v), ETag: new(etag(rec)), Location: s.location("key-group", v.ID)}, nil
}

func keyGroup(rec *store.Record, v *resource.KeyGroup) *cloudfront.KeyGroup {
	return &cloudfront.KeyGroup{Id: &v.ID, LastModifiedTime: stamp(rec.Updated), KeyGroupConfig: v.Config}
}

func (s *Service) checkGroup(ctx context.Context, c *cloudfront.KeyGroupConfig, self string) error {
	if c == nil || deref(c.Name) == "" {
		return missingArgument("KeyGroupConfig.Name")
	}
	if len(c.Items) == 0 {
		return missingArgument("KeyGroupConfig.Items")
	}
	if len(c.Items) > maxGroupKeys {
		return refuse(cloudfront.ErrCodeTooManyPublicKeysInKeyGroup, "KeyGroupConfig.Items", "The number of public keys in this key group is more than the maximum allowed.", diag.Finding{})
	}
	r := s.env.Store.Read(ctx)
	for i, id := range c.Items {
		if slices.Contains(c.Items[:i], id) {
			return invalid(indexed("KeyGroupConfig.Items", i), "The parameter Items contains duplicate values.", fmt.Sprintf("the public key %q is there twice", id)) // text: our words
		}
		if _, ok := resource.PublicKeys.Get(r, global, id); !ok {
			return invalid(indexed("KeyGroupConfig.Items", i), "The parameter Items contains a public key that does not exist.", fmt.Sprintf("there is no public key %q", id)) // text: our words
		}
	}
	for _, other := range resource.KeyGroups.All(r, global) {
		if other.ID != self && deref(other.Config.Name) == *c.Name {
			return refuse(cloudfront.ErrCodeKeyGroupAlreadyExists, "KeyGroupConfig.Name", "A key group with this name already exists.", diag.Finding{})
		}
	}
	return nil
}

func (s *Service) group(ctx context.Context, id *string) (*resource.KeyGroup, *store.Record, error) {
	return get(ctx, s, resource.KeyGroups, id, missing{cloudfront.ErrCodeNoSuchResource, "key group"})
}

// GetKeyGroup returns a key group.
func (s *Service) GetKeyGroup(ctx context.Context, in *cloudfront.GetKeyGroupInput) (*cloudfront.GetKeyGroupOutput, error) {
	v, rec, err := s.group(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetKeyGroupOutput{KeyGroup: keyGroup(rec, v), ETag: new(etag(rec))}, nil
}

// GetKeyGroupConfig returns the configuration alone.
func (s *Service) GetKeyGroupConfig(ctx context.Context, in *cloudfront.GetKeyGroupConfigInput) (*cloudfront.GetKeyGroupConfigOutput, error) {
	v, rec, err := s.group(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetKeyGroupConfigOutput{KeyGroupConfig: v.Config, ETag: new(etag(rec))}, nil
}

// UpdateKeyGroup replaces the configuration.
func (s *Service) UpdateKeyGroup(ctx context.Context, in *cloudfront.UpdateKeyGroupInput) (*cloudfront.UpdateKeyGroupOutput, error) {
	old, rec, err := s.group(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if err := s.checkGroup(ctx, in.KeyGroupConfig, old.ID); err != nil {
		return nil, err
	}
	v := &resource.KeyGroup{ID: old.ID, Config: in.KeyGroupConfig}
	if rec, err = replace(ctx, s, resource.KeyGroups, rec, v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateKeyGroupOutput{KeyGroup: keyGroup(rec, v), ETag: new(etag(rec))}, nil
}

// DeleteKeyGroup deletes a group that no behavior uses.
func (s *Service) DeleteKeyGroup(ctx context.Context, in *cloudfront.DeleteKeyGroupInput) (*cloudfront.DeleteKeyGroupOutput, error) {
	v, rec, err := s.group(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	if s.behaviorsUse(ctx, func(b *cloudfront.DefaultCacheBehavior) bool {
		return b.TrustedKeyGroups != nil && slices.Contains(b.TrustedKeyGroups.Items, v.ID)
	}) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeResourceInUse, "Cannot delete this resource because it is in use.")
	}
	return &cloudfront.DeleteKeyGroupOutput{}, remove(ctx, s, resource.KeyGroups, rec)
}

// ListKeyGroups lists the account's key groups.
func (s *Service) ListKeyGroups(ctx context.Context, in *cloudfront.ListKeyGroupsInput) (*cloudfront.ListKeyGroupsOutput, error) {
	var all []*cloudfront.KeyGroupSummary
	for rec, v := range resource.KeyGroups.All(s.env.Store.Read(ctx), global) {
		all = append(all, &cloudfront.KeyGroupSummary{KeyGroup: keyGroup(rec, v)})
	}
	items, next, limit, err := page(all, func(v *cloudfront.KeyGroupSummary) string { return *v.KeyGroup.Id }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListKeyGroupsOutput{KeyGroupList: &cloudfront.KeyGroupList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}
