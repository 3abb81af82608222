package cloudfront

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// maxTags is how many tags a resource may have (DG-cloudfront-limits).
const maxTags = 50

// taggable is a resource with tags: those that it has, and how to give it others.
type taggable struct {
	tags map[string]string
	set  func(map[string]string) error
}

// tagged finds what a tagging call is about: a distribution, a function, a key value store or a VPC origin.
func (s *Service) tagged(ctx context.Context, arn *string) (*taggable, error) {
	is := func(kind, id string) bool { return s.arn(kind, id) == deref(arn) }
	t := tagsOf(ctx, s, resource.Distributions, func(v *resource.Distribution) bool { return is("distribution", v.ID) }, func(v *resource.Distribution) *map[string]string { return &v.Tags })
	if t == nil {
		t = tagsOf(ctx, s, resource.CloudFrontFunctions, func(v *resource.CloudFrontFunction) bool { return is("function", v.Name) }, func(v *resource.CloudFrontFunction) *map[string]string { return &v.Tags })
	}
	if t == nil {
		t = tagsOf(ctx, s, resource.KeyValueStores, func(v *resource.KeyValueStore) bool { return v.ARN == deref(arn) }, func(v *resource.KeyValueStore) *map[string]string { return &v.Tags })
	}
	if t == nil {
		t = tagsOf(ctx, s, resource.VpcOrigins, func(v *resource.VpcOrigin) bool { return is("vpcorigin", v.ID) }, func(v *resource.VpcOrigin) *map[string]string { return &v.Tags })
	}
	if t == nil {
		t = tagsOf(ctx, s, resource.TrustStores, func(v *resource.TrustStore) bool { return is("trust-store", v.ID) }, func(v *resource.TrustStore) *map[string]string { return &v.Tags })
	}
	if t == nil {
		return nil, awsapi.Errorf(cloudfront.ErrCodeNoSuchResource, "The specified resource does not exist.")
	}
	return t, nil
}

func tagsOf[T any](ctx context.Context, s *Service, kind store.Kind[T], is func(*T) bool, field func(*T) *map[string]string) *taggable {
	for rec, v := range kind.All(s.env.Store.Read(ctx), global) {
		if is(v) {
			return &taggable{*field(v), func(tags map[string]string) error {
				out := *v
				*field(&out) = tags
				_, err := put(ctx, s, kind, rec.Key.ID, &out)
				return err
			}}
		}
	}
	return nil
}

// ListTagsForResource returns a resource's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *cloudfront.ListTagsForResourceInput) (*cloudfront.ListTagsForResourceOutput, error) {
	v, err := s.tagged(ctx, in.Resource)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListTagsForResourceOutput{Tags: tagList(v.tags)}, nil
}

// TagResource adds tags to a resource.
func (s *Service) TagResource(ctx context.Context, in *cloudfront.TagResourceInput) (*cloudfront.TagResourceOutput, error) {
	return &cloudfront.TagResourceOutput{}, s.retag(ctx, in.Resource, func(tags map[string]string) error {
		maps.Copy(tags, tagMap(in.Tags))
		return checkTags(in.Tags, len(tags))
	})
}

// UntagResource removes tags from a resource.
func (s *Service) UntagResource(ctx context.Context, in *cloudfront.UntagResourceInput) (*cloudfront.UntagResourceOutput, error) {
	return &cloudfront.UntagResourceOutput{}, s.retag(ctx, in.Resource, func(tags map[string]string) error {
		if in.TagKeys != nil {
			for _, k := range in.TagKeys.Items {
				delete(tags, k)
			}
		}
		return nil
	})
}

func (s *Service) retag(ctx context.Context, arn *string, change func(map[string]string) error) error {
	old, err := s.tagged(ctx, arn)
	if err != nil {
		return err
	}
	tags := map[string]string{}
	maps.Copy(tags, old.tags)
	if err := change(tags); err != nil || maps.Equal(tags, old.tags) {
		return err
	}
	return old.set(tags)
}

// checkTags checks tags that are given to a resource, which has total tags then.
func checkTags(in *cloudfront.Tags, total int) error {
	const text = "The tagging specified is not valid." // BC InvalidTagging
	if total > maxTags {
		return tooMany(cloudfront.ErrCodeInvalidTagging, "Tags", text, maxTags)
	}
	seen := map[string]bool{}
	for i, tag := range deref(in).Items {
		key := deref(tag.Key)
		if strings.HasPrefix(strings.ToLower(key), "aws:") || seen[key] {
			return refuse(cloudfront.ErrCodeInvalidTagging, indexed("Tags.Items", i)+".Key", text, diag.Finding{
				Because: []string{fmt.Sprintf("the key %q is there twice, or begins with aws:, which is AWS's own", key)}})
		}
		seen[key] = true
	}
	return nil
}

func tagMap(t *cloudfront.Tags) map[string]string {
	m := map[string]string{}
	for _, tag := range deref(t).Items {
		m[deref(tag.Key)] = deref(tag.Value)
	}
	return m
}

func tagList(m map[string]string) *cloudfront.Tags {
	t := &cloudfront.Tags{Items: []*cloudfront.Tag{}}
	for _, k := range slices.Sorted(maps.Keys(m)) {
		t.Items = append(t.Items, &cloudfront.Tag{Key: new(k), Value: new(m[k])})
	}
	return t
}
