package cloudfront

import (
	"context"
	"fmt"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// CreateKeyValueStore makes an empty key value store.
func (s *Service) CreateKeyValueStore(ctx context.Context, in *cloudfront.CreateKeyValueStoreInput) (*cloudfront.CreateKeyValueStoreOutput, error) {
	if !functionName.MatchString(deref(in.Name)) {
		return nil, invalid("Name", "The parameter Name is invalid.", fmt.Sprintf("%q is not 1 to 64 letters, digits, hyphens and underscores", deref(in.Name)))
	}
	if _, ok := resource.KeyValueStores.Get(s.env.Store.Read(ctx), global, *in.Name); ok {
		return nil, refuse(cloudfront.ErrCodeEntityAlreadyExists, "Name", "The entity already exists. You must provide a unique entity.", diag.Finding{})
	}
	if resource.KeyValueStores.Len(s.env.Store.Read(ctx), global) >= maxStores {
		return nil, awsapi.Errorf(cloudfront.ErrCodeEntityLimitExceeded, "The entity limit has been exceeded.")
	}
	if err := checkTags(in.Tags, len(tagMap(in.Tags))); err != nil {
		return nil, recoded(err, cloudfront.ErrCodeInvalidArgument)
	}
	items := map[string]string{}
	if in.ImportSource != nil {
		var err error
		if items, err = s.importItems(ctx, in.ImportSource); err != nil {
			return nil, err
		}
	}
	id := s.env.NewUUID(ctx, "key-value-store", nil)
	v := &resource.KeyValueStore{Name: *in.Name, ID: id, ARN: s.arn("key-value-store", id), Comment: deref(in.Comment), Items: items, Tags: tagMap(in.Tags)}
	rec, err := put(ctx, s, resource.KeyValueStores, v.Name, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateKeyValueStoreOutput{KeyValueStore: keyValueStore(rec, v), ETag: new(etag(rec)), Location: s.location("key-value-store", v.ARN)}, nil
}

func keyValueStore(rec *store.Record, v *resource.KeyValueStore) *cloudfront.KeyValueStore {
	return &cloudfront.KeyValueStore{Name: &v.Name, Id: &v.ID, ARN: &v.ARN, Comment: &v.Comment, Status: new("READY"), LastModifiedTime: stamp(rec.Updated)}
}

func (s *Service) keyValueStore(ctx context.Context, name *string) (*resource.KeyValueStore, *store.Record, error) {
	return get(ctx, s, resource.KeyValueStores, name, missing{cloudfront.ErrCodeEntityNotFound, "key value store"})
}

// DescribeKeyValueStore returns a key value store.
func (s *Service) DescribeKeyValueStore(ctx context.Context, in *cloudfront.DescribeKeyValueStoreInput) (*cloudfront.DescribeKeyValueStoreOutput, error) {
	v, rec, err := s.keyValueStore(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &cloudfront.DescribeKeyValueStoreOutput{KeyValueStore: keyValueStore(rec, v), ETag: new(etag(rec))}, nil
}

// UpdateKeyValueStore changes the comment.
func (s *Service) UpdateKeyValueStore(ctx context.Context, in *cloudfront.UpdateKeyValueStoreInput) (*cloudfront.UpdateKeyValueStoreOutput, error) {
	old, rec, err := s.keyValueStore(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	v := *old
	v.Comment = deref(in.Comment)
	if rec, err = replace(ctx, s, resource.KeyValueStores, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateKeyValueStoreOutput{KeyValueStore: keyValueStore(rec, &v), ETag: new(etag(rec))}, nil
}

// DeleteKeyValueStore deletes a store that no function uses.
func (s *Service) DeleteKeyValueStore(ctx context.Context, in *cloudfront.DeleteKeyValueStoreInput) (*cloudfront.DeleteKeyValueStoreOutput, error) {
	v, rec, err := s.keyValueStore(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := ifMatch(in.IfMatch, rec); err != nil {
		return nil, err
	}
	for _, f := range resource.CloudFrontFunctions.All(s.env.Store.Read(ctx), global) {
		if f.Uses(v.ARN) {
			return nil, awsapi.Errorf(cloudfront.ErrCodeCannotDeleteEntityWhileInUse, "The entity cannot be deleted while it is in use.")
		}
	}
	return &cloudfront.DeleteKeyValueStoreOutput{}, remove(ctx, s, resource.KeyValueStores, rec)
}

// ListKeyValueStores lists the account's key value stores.
func (s *Service) ListKeyValueStores(ctx context.Context, in *cloudfront.ListKeyValueStoresInput) (*cloudfront.ListKeyValueStoresOutput, error) {
	var all []*cloudfront.KeyValueStore
	for rec, v := range resource.KeyValueStores.All(s.env.Store.Read(ctx), global) {
		if one := keyValueStore(rec, v); in.Status == nil || *in.Status == *one.Status {
			all = append(all, one)
		}
	}
	items, next, limit, err := page(all, func(v *cloudfront.KeyValueStore) string { return *v.Name }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListKeyValueStoresOutput{KeyValueStoreList: &cloudfront.KeyValueStoreList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}
