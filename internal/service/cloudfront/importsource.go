package cloudfront

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
)

// The limits of key value stores (AWS's manual, "Quotas on key value stores" and "File format for key-value pairs").
const (
	maxStores        = 50
	maxImport        = 5 << 20
	maxImportKey     = 512
	maxImportValue   = 1024
	docImportFormat  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/kvs-with-functions-create-s3-kvp.html"
	importSourceText = "The import source is invalid." // text: our words
)

// WithObjects lets key value stores be filled from S3: read reads a whole object.
func (s *Service) WithObjects(read func(ctx context.Context, bucket, key string) ([]byte, error)) *Service {
	s.readObject = read
	return s
}

// importItems reads the items of a new key value store from S3.
func (s *Service) importItems(ctx context.Context, in *cloudfront.ImportSource) (map[string]string, error) {
	refused := func(path, because string) error {
		return refuse(cloudfront.ErrCodeInvalidArgument, "ImportSource"+path, importSourceText, diag.Finding{Because: []string{because}, Doc: docImportFormat})
	}
	if deref(in.SourceType) != "S3" {
		return nil, refused(".SourceType", fmt.Sprintf("%q is not S3", deref(in.SourceType)))
	}
	a, err := arn.Parse(deref(in.SourceARN))
	name, key, ok := strings.Cut(a.Resource, "/")
	if err != nil || a.Service != "s3" || !ok || name == "" || key == "" {
		return nil, refused(".SourceARN", fmt.Sprintf("%q is not the ARN of an object: arn:aws:s3:::BUCKET/KEY", deref(in.SourceARN)))
	}
	if _, here := resource.Buckets.Get(s.env.Store.Read(ctx), resource.Global, name); !here || s.readObject == nil {
		return nil, refused(".SourceARN", fmt.Sprintf("the bucket %s is not in this account", name))
	}
	data, err := s.readObject(ctx, name, key)
	if err != nil {
		return nil, refused(".SourceARN", fmt.Sprintf("s3://%s/%s cannot be read: %v", name, key, err))
	}
	items, err := parseImport(data)
	if err != nil {
		return nil, refused(".SourceARN", fmt.Sprintf("s3://%s/%s: %v", name, key, err))
	}
	return items, nil
}

// parseImport reads {"data":[{"key":…,"value":…}]}.
func parseImport(data []byte) (map[string]string, error) {
	if len(data) > maxImport {
		return nil, fmt.Errorf("%d bytes are more than 5 MB", len(data))
	}
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	var file struct {
		Data *[]struct{ Key, Value *string } `json:"data"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("it is not JSON of the form {\"data\":[{\"key\":…,\"value\":…}]}: %w", err)
	}
	if d.More() || file.Data == nil {
		return nil, errors.New("it is not one JSON object with a member data")
	}
	items := map[string]string{}
	for i, e := range *file.Data {
		switch {
		case e.Key == nil || e.Value == nil:
			return nil, fmt.Errorf("entry %d has no key or no value", i)
		case *e.Key == "" || len(*e.Key) > maxImportKey:
			return nil, fmt.Errorf("the key of entry %d does not have 1 to %d bytes", i, maxImportKey)
		case len(*e.Value) > maxImportValue:
			return nil, fmt.Errorf("the value of %q has more than %d bytes", *e.Key, maxImportValue)
		}
		if _, twice := items[*e.Key]; twice {
			return nil, fmt.Errorf("the key %q is there twice", *e.Key)
		}
		items[*e.Key] = *e.Value
	}
	return items, nil
}
