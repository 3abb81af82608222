package acm

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/resource"
)

// addTags merges tags into old; the result is a new map.
func addTags(old map[string]string, tags []*acm.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	if out == nil {
		out = map[string]string{}
	}
	for _, t := range tags {
		if strings.HasPrefix(strings.ToLower(deref(t.Key)), "aws:") {
			return nil, refuse(acm.ErrCodeInvalidTagException, "Tags", "aws: prefixed tag key names are not allowed for external use.")
		}
		out[deref(t.Key)] = deref(t.Value)
	}
	if len(out) > maxTags {
		return nil, refuse(acm.ErrCodeTooManyTagsException, "Tags", "The certificate has too many tags.") // text: ours
	}
	return out, nil
}

func tagList(tags map[string]string) []*acm.Tag {
	out := []*acm.Tag{}
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, &acm.Tag{Key: new(k), Value: new(tags[k])})
	}
	return out
}

func (s *Service) tag(ctx context.Context, certificateARN *string, change func(map[string]string) (map[string]string, error)) error {
	old, rec, err := s.find(ctx, certificateARN)
	if err != nil {
		return err
	}
	c := *old
	if c.Tags, err = change(old.Tags); err != nil {
		return err
	}
	return s.put(ctx, rec.Key.Region, &c)
}

// AddTagsToCertificate adds tags.
func (s *Service) AddTagsToCertificate(ctx context.Context, in *acm.AddTagsToCertificateInput) (*acm.AddTagsToCertificateOutput, error) {
	return &acm.AddTagsToCertificateOutput{}, s.tag(ctx, in.CertificateArn, func(old map[string]string) (map[string]string, error) { return addTags(old, in.Tags) })
}

// RemoveTagsFromCertificate removes tags; one that comes with a value only where the value is the same.
func (s *Service) RemoveTagsFromCertificate(ctx context.Context, in *acm.RemoveTagsFromCertificateInput) (*acm.RemoveTagsFromCertificateOutput, error) {
	return &acm.RemoveTagsFromCertificateOutput{}, s.tag(ctx, in.CertificateArn, func(old map[string]string) (map[string]string, error) {
		out := maps.Clone(old)
		for _, t := range in.Tags {
			if t.Value == nil || old[deref(t.Key)] == *t.Value {
				delete(out, deref(t.Key))
			}
		}
		return out, nil
	})
}

// ListTagsForCertificate lists tags.
func (s *Service) ListTagsForCertificate(ctx context.Context, in *acm.ListTagsForCertificateInput) (*acm.ListTagsForCertificateOutput, error) {
	c, err := s.tagged(ctx, in.CertificateArn)
	if err != nil {
		return nil, err
	}
	return &acm.ListTagsForCertificateOutput{Tags: tagList(c.Tags)}, nil
}

func (s *Service) tagged(ctx context.Context, certificateARN *string) (*resource.Certificate, error) {
	c, _, err := s.find(ctx, certificateARN)
	return c, err
}

// TagResource adds tags.
func (s *Service) TagResource(ctx context.Context, in *acm.TagResourceInput) (*acm.TagResourceOutput, error) {
	return &acm.TagResourceOutput{}, s.tag(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) { return addTags(old, in.Tags) })
}

// UntagResource removes tags.
func (s *Service) UntagResource(ctx context.Context, in *acm.UntagResourceInput) (*acm.UntagResourceOutput, error) {
	return &acm.UntagResourceOutput{}, s.tag(ctx, in.ResourceArn, func(old map[string]string) (map[string]string, error) {
		out := maps.Clone(old)
		for _, k := range in.TagKeys {
			delete(out, k)
		}
		return out, nil
	})
}

// ListTagsForResource lists tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *acm.ListTagsForResourceInput) (*acm.ListTagsForResourceOutput, error) {
	c, err := s.tagged(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &acm.ListTagsForResourceOutput{Tags: tagList(c.Tags)}, nil
}
