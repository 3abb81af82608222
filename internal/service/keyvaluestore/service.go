// Package keyvaluestore implements the data API of CloudFront's key value stores (cloudfront-keyvaluestore) over the store.
//
// Start with Service. Stores themselves are made by package service/cloudfront; here are their keys. Functions read what is
// committed. The package must not know of functions.
package keyvaluestore

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/foregate/foregate/internal/awsapi"
	api "github.com/foregate/foregate/internal/awsapi/cloudfrontkeyvaluestore"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Limits (facts: edge-functions C; UpdateKeys takes 50 keys at once, BC has no number: CloudFront guide, key value store quotas).
const (
	maxKey   = 512
	maxValue = 1 << 10
	maxStore = 5 << 20
	maxBatch = 50
	pageSize = 10 // BC ListKeys: "The default value is 10"
	maxPage  = 50
)

// Service implements cloudfrontkeyvaluestore.Handler.
type Service struct{ env *service.Env }

// New makes the service.
func New(env *service.Env) *Service { return &Service{env} }

// find returns the key value store of an ARN.
func find(r store.Reader, arn *string) (*resource.KeyValueStore, *store.Record, error) {
	for rec, v := range resource.KeyValueStores.All(r, resource.Global) {
		if arn != nil && v.ARN == *arn {
			return v, rec, nil
		}
	}
	return nil, nil, awsapi.Errorf(api.ErrCodeResourceNotFoundException, "The key value store does not exist.") // text: our words
}

// etag is not the one that package cloudfront's API has for the store; AWS's begin with KV (DG-kvs-with-functions-kvp).
func etag(v *resource.KeyValueStore) *string {
	return new("KV" + service.ETag("keys/"+v.ID, v.Revision)[1:])
}

func size(items map[string]string) int64 {
	n := 0
	for k, v := range items {
		n += len(k) + len(v)
	}
	return int64(n)
}

// DescribeKeyValueStore returns the ETag that changes of keys want, and sizes.
func (s *Service) DescribeKeyValueStore(ctx context.Context, in *api.DescribeKeyValueStoreInput) (*api.DescribeKeyValueStoreOutput, error) {
	v, rec, err := find(s.env.Store.Read(ctx), in.KvsARN)
	if err != nil {
		return nil, err
	}
	return &api.DescribeKeyValueStoreOutput{
		ItemCount: new(int64(len(v.Items))), TotalSizeInBytes: new(size(v.Items)), KvsARN: &v.ARN, ETag: etag(v),
		Created: new(rec.Created.UTC()), LastModified: new(rec.Updated.UTC()), Status: new("READY"),
	}, nil
}

// GetKey returns the value of a key.
func (s *Service) GetKey(ctx context.Context, in *api.GetKeyInput) (*api.GetKeyOutput, error) {
	v, _, err := find(s.env.Store.Read(ctx), in.KvsARN)
	if err != nil {
		return nil, err
	}
	value, ok := v.Items[text(in.Key)]
	if !ok {
		return nil, awsapi.Errorf(api.ErrCodeResourceNotFoundException, "Key %s was not found.", text(in.Key)) // text: our words
	}
	return &api.GetKeyOutput{Key: in.Key, Value: &value, ItemCount: new(int64(len(v.Items))), TotalSizeInBytes: new(size(v.Items))}, nil
}

// ListKeys lists keys with their values, in order.
func (s *Service) ListKeys(ctx context.Context, in *api.ListKeysInput) (*api.ListKeysOutput, error) {
	v, _, err := find(s.env.Store.Read(ctx), in.KvsARN)
	if err != nil {
		return nil, err
	}
	limit := pageSize
	if in.MaxResults != nil {
		if limit = int(*in.MaxResults); limit < 1 || limit > maxPage {
			return nil, awsapi.Errorf(api.ErrCodeValidationException, "MaxResults must be between 1 and %d.", maxPage) // text: our words
		}
	}
	out := &api.ListKeysOutput{}
	for _, k := range slices.Sorted(maps.Keys(v.Items)) {
		if in.NextToken != nil && k <= *in.NextToken {
			continue
		}
		if len(out.Items) == limit {
			out.NextToken = out.Items[limit-1].Key
			break
		}
		out.Items = append(out.Items, &api.ListKeysResponseListItem{Key: &k, Value: new(v.Items[k])})
	}
	return out, nil
}

// PutKey sets a key.
func (s *Service) PutKey(ctx context.Context, in *api.PutKeyInput) (*api.PutKeyOutput, error) {
	out, err := s.UpdateKeys(ctx, &api.UpdateKeysInput{KvsARN: in.KvsARN, IfMatch: in.IfMatch, Puts: []*api.PutKeyRequestListItem{{Key: in.Key, Value: in.Value}}})
	if err != nil {
		return nil, err
	}
	return &api.PutKeyOutput{ItemCount: out.ItemCount, TotalSizeInBytes: out.TotalSizeInBytes, ETag: out.ETag}, nil
}

// DeleteKey removes a key.
func (s *Service) DeleteKey(ctx context.Context, in *api.DeleteKeyInput) (*api.DeleteKeyOutput, error) {
	out, err := s.UpdateKeys(ctx, &api.UpdateKeysInput{KvsARN: in.KvsARN, IfMatch: in.IfMatch, Deletes: []*api.DeleteKeyRequestListItem{{Key: in.Key}}})
	if err != nil {
		return nil, err
	}
	return &api.DeleteKeyOutput{ItemCount: out.ItemCount, TotalSizeInBytes: out.TotalSizeInBytes, ETag: out.ETag}, nil
}

// UpdateKeys sets and removes keys, all or none.
func (s *Service) UpdateKeys(ctx context.Context, in *api.UpdateKeysInput) (*api.UpdateKeysOutput, error) {
	var changed *resource.KeyValueStore
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		old, rec, err := find(tx, in.KvsARN)
		if err != nil {
			return err
		}
		if text(in.IfMatch) != *etag(old) {
			return awsapi.Errorf(api.ErrCodeConflictException, "The If-Match version does not match the current version of the key value store.") // text: our words
		}
		v := *old
		if v.Items, err = apply(old.Items, in); err != nil {
			return err
		}
		v.Revision++
		changed = &v
		resource.KeyValueStores.Put(tx, resource.Global, rec.Key.ID, changed)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateKeysOutput{ItemCount: new(int64(len(changed.Items))), TotalSizeInBytes: new(size(changed.Items)), ETag: etag(changed)}, nil
}

// apply returns what the items become.
func apply(old map[string]string, in *api.UpdateKeysInput) (map[string]string, error) {
	items := map[string]string{}
	maps.Copy(items, old)
	if n := len(in.Puts) + len(in.Deletes); n > maxBatch {
		return nil, invalid("a request changes at most " + strconv.Itoa(maxBatch) + " keys, this one " + strconv.Itoa(n))
	}
	for _, p := range in.Puts {
		k, value := text(p.Key), text(p.Value)
		if k == "" || len(k) > maxKey {
			return nil, invalid("a key has 1 to " + strconv.Itoa(maxKey) + " bytes")
		}
		if len(value) > maxValue {
			return nil, invalid("the value of " + k + " has more than " + strconv.Itoa(maxValue) + " bytes")
		}
		items[k] = value
	}
	for _, d := range in.Deletes {
		if _, ok := items[text(d.Key)]; !ok {
			return nil, awsapi.Errorf(api.ErrCodeResourceNotFoundException, "Key %s was not found.", text(d.Key)) // text: our words
		}
		delete(items, text(d.Key))
	}
	if size(items) > maxStore {
		return nil, awsapi.Errorf(api.ErrCodeServiceQuotaExceededException, "The key value store has reached its maximum size.") // text: our words
	}
	return items, nil
}

// invalid makes a ValidationException; its texts are ours.
func invalid(text string) error { return awsapi.Errorf(api.ErrCodeValidationException, "%s", text) }

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
