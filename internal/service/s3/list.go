package s3

import (
	"context"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/bucket"
)

// listing is a page of keys (S3 API reference, ListObjectsV2).
type listing struct {
	prefix, delimiter, after string
	max                      int64
	encode                   bool

	objects   []*s3.Object
	prefixes  []*s3.CommonPrefix
	last      string
	truncated bool
}

// text encodes a key when the request asks for it, since XML cannot hold every key.
func (l *listing) text(s string) *string {
	if l.encode {
		s = strings.ReplaceAll(url.QueryEscape(s), "%2F", "/")
	}
	return &s
}

// common returns the part of a key up to the delimiter behind the prefix.
func (l *listing) common(key string) (string, bool) {
	if l.delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(l.prefix):], l.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.prefix)+i+len(l.delimiter)], true
}

// fill collects a page.
func (l *listing) fill(ctx context.Context, objects bucket.Objects) error {
	count, group := int64(0), ""
	// A page that ended with a common prefix goes on behind all keys of it.
	skip := ""
	if p, ok := l.commonOf(l.after); ok && p == l.after {
		skip = p
	}
	for key, err := range objects.List(ctx, l.prefix, l.after) {
		if err != nil {
			return err
		}
		if skip != "" && strings.HasPrefix(key, skip) {
			continue
		}
		p, grouped := l.common(key)
		if grouped && p == group {
			continue
		}
		if count == l.max {
			l.truncated = l.max > 0
			return nil
		}
		if grouped {
			group, l.last = p, p
			l.prefixes = append(l.prefixes, &s3.CommonPrefix{Prefix: l.text(p)})
			count++
			continue
		}
		i, err := objects.Head(ctx, key)
		if errors.Is(err, bucket.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return err
		}
		l.objects = append(l.objects, &s3.Object{Key: l.text(key), LastModified: stamp(i.ModTime), ETag: &i.ETag, Size: &i.Size, StorageClass: new("STANDARD")})
		l.last = key
		count++
	}
	return nil
}

// commonOf is common for a marker, which may lie outside of the prefix.
func (l *listing) commonOf(key string) (string, bool) {
	if !strings.HasPrefix(key, l.prefix) {
		return "", false
	}
	return l.common(key)
}

func (s *Service) list(ctx context.Context, name *string, l *listing, maxKeys *int64) error {
	objects, err := s.store(ctx, name)
	if err != nil {
		return err
	}
	l.max = 1000
	if maxKeys != nil {
		if *maxKeys < 0 {
			return refuse(problem{400, "InvalidArgument", "MaxKeys"}, "Argument maxKeys must be an integer between 0 and 2147483647", "")
		}
		l.max = min(*maxKeys, 1000)
	}
	return l.fill(ctx, objects)
}

// ListObjectsV2 lists keys.
func (s *Service) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	l := &listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.StartAfter), encode: deref(in.EncodingType) == "url"}
	if t := deref(in.ContinuationToken); t != "" {
		after, err := base64.RawURLEncoding.DecodeString(t)
		if err != nil {
			return nil, refuse(problem{400, "InvalidArgument", "ContinuationToken"}, "The continuation token provided is incorrect", "")
		}
		l.after = string(after)
	}
	if err := s.list(ctx, in.Bucket, l, in.MaxKeys); err != nil {
		return nil, err
	}
	out := &s3.ListObjectsV2Output{IsTruncated: &l.truncated, Contents: l.objects, Name: in.Bucket, Prefix: l.text(l.prefix), MaxKeys: &l.max, CommonPrefixes: l.prefixes,
		EncodingType: in.EncodingType, KeyCount: new(int64(len(l.objects) + len(l.prefixes))), ContinuationToken: in.ContinuationToken}
	if in.Delimiter != nil {
		out.Delimiter = l.text(l.delimiter)
	}
	if in.StartAfter != nil {
		out.StartAfter = l.text(*in.StartAfter)
	}
	if l.truncated {
		out.NextContinuationToken = new(base64.RawURLEncoding.EncodeToString([]byte(l.last)))
	}
	if deref(in.FetchOwner) {
		for _, o := range out.Contents {
			o.Owner = s.owner()
		}
	}
	return out, nil
}

// ListObjects lists keys, the old way.
func (s *Service) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (*s3.ListObjectsOutput, error) {
	l := &listing{prefix: deref(in.Prefix), delimiter: deref(in.Delimiter), after: deref(in.Marker), encode: deref(in.EncodingType) == "url"}
	if err := s.list(ctx, in.Bucket, l, in.MaxKeys); err != nil {
		return nil, err
	}
	out := &s3.ListObjectsOutput{IsTruncated: &l.truncated, Contents: l.objects, Name: in.Bucket, Prefix: l.text(l.prefix), MaxKeys: &l.max, CommonPrefixes: l.prefixes,
		EncodingType: in.EncodingType, Marker: l.text(deref(in.Marker))}
	if in.Delimiter != nil {
		out.Delimiter = l.text(l.delimiter)
		// Only with a delimiter does S3 name the next marker (S3 API reference, ListObjects).
		if l.truncated {
			out.NextMarker = l.text(l.last)
		}
	}
	for _, o := range out.Contents {
		o.Owner = s.owner()
	}
	return out, nil
}
