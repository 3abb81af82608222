package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// The stages and quotas of functions (facts: edge-functions C).
const (
	stageDevelopment = "DEVELOPMENT"
	stageLive        = "LIVE"
	maxFunctionCode  = 10 << 10
	maxFunctions     = 100
)

var functionName = regexp.MustCompile(`^[a-zA-Z0-9-_]{1,64}$`)

// CreateFunction stores a CloudFront Function in its development stage.
func (s *Service) CreateFunction(ctx context.Context, in *cloudfront.CreateFunctionInput) (*cloudfront.CreateFunctionOutput, error) {
	if !functionName.MatchString(deref(in.Name)) {
		return nil, invalid("Name", "The parameter Name is invalid.", fmt.Sprintf("%q is not 1 to 64 letters, digits, hyphens and underscores", deref(in.Name)))
	}
	r := s.env.Store.Read(ctx)
	if _, ok := resource.CloudFrontFunctions.Get(r, global, *in.Name); ok {
		return nil, refuse(cloudfront.ErrCodeFunctionAlreadyExists, "Name", "A function with the same name already exists in this AWS account. To create a function, you must provide a unique name. To update an existing function, use UpdateFunction.", diag.Finding{})
	}
	if resource.CloudFrontFunctions.Len(r, global) >= maxFunctions {
		return nil, awsapi.Errorf(cloudfront.ErrCodeTooManyFunctions, "You have reached the maximum number of CloudFront functions for this AWS account.")
	}
	if err := s.checkFunction(r, in.FunctionConfig, in.FunctionCode); err != nil {
		return nil, err
	}
	now := s.env.Now().UTC()
	v := &resource.CloudFrontFunction{Name: *in.Name, Tags: tagMap(in.Tags),
		Development: resource.FunctionStage{Config: in.FunctionConfig, Code: in.FunctionCode, Created: now, Modified: now, Revision: 1}}
	if _, err := put(ctx, s, resource.CloudFrontFunctions, v.Name, v); err != nil {
		return nil, err
	}
	return &cloudfront.CreateFunctionOutput{FunctionSummary: s.function(ctx, v, &v.Development, stageDevelopment), ETag: new(stageTag(v.Name, &v.Development)),
		Location: s.location("function", v.Name)}, nil
}

func (s *Service) checkFunction(r store.Reader, c *cloudfront.FunctionConfig, code []byte) error {
	switch {
	case c == nil || c.Comment == nil:
		return missingArgument("FunctionConfig.Comment")
	case !slices.Contains([]string{"cloudfront-js-1.0", "cloudfront-js-2.0"}, deref(c.Runtime)):
		return invalid("FunctionConfig.Runtime", "The parameter Runtime is invalid.", fmt.Sprintf("%q is not cloudfront-js-1.0 or cloudfront-js-2.0", deref(c.Runtime)))
	case len(code) == 0:
		return missingArgument("FunctionCode")
	case len(code) > maxFunctionCode:
		return refuse(cloudfront.ErrCodeFunctionSizeLimitExceeded, "FunctionCode", "The function is too large.", diag.Finding{
			Because: []string{fmt.Sprintf("the code has %d bytes, at most %d are allowed", len(code), maxFunctionCode)}})
	}
	if c.KeyValueStoreAssociations == nil {
		return nil
	}
	if n := len(c.KeyValueStoreAssociations.Items); n > 1 || n == 1 && *c.Runtime != "cloudfront-js-2.0" {
		return invalid("FunctionConfig.KeyValueStoreAssociations", "The parameter KeyValueStoreAssociations is invalid.", "a function of runtime 2.0 can have one key value store")
	}
	for i, a := range c.KeyValueStoreAssociations.Items {
		found := false
		for _, kvs := range resource.KeyValueStores.All(r, global) {
			found = found || kvs.ARN == deref(a.KeyValueStoreARN)
		}
		if !found {
			return refuse(cloudfront.ErrCodeInvalidArgument, indexed("FunctionConfig.KeyValueStoreAssociations.Items", i)+".KeyValueStoreARN", "The key value store does not exist.", diag.Finding{}) // text: our words
		}
	}
	return nil
}

func stageTag(name string, st *resource.FunctionStage) string {
	return service.ETag("function/"+name, st.Revision)
}

func (s *Service) function(ctx context.Context, v *resource.CloudFrontFunction, st *resource.FunctionStage, stage string) *cloudfront.FunctionSummary {
	status := "UNPUBLISHED"
	if v.Live != nil {
		status = "UNASSOCIATED"
		if s.functionInUse(ctx, v.Name) {
			status = "DEPLOYED"
		}
	}
	return &cloudfront.FunctionSummary{Name: &v.Name, Status: &status, FunctionConfig: st.Config, FunctionMetadata: &cloudfront.FunctionMetadata{
		FunctionARN: new(s.arn("function", v.Name)), Stage: &stage, CreatedTime: stamp(st.Created), LastModifiedTime: stamp(st.Modified)}}
}

func (s *Service) functionInUse(ctx context.Context, name string) bool {
	arn := s.arn("function", name)
	return s.behaviorsUse(ctx, func(b *cloudfront.DefaultCacheBehavior) bool {
		return b.FunctionAssociations != nil && slices.ContainsFunc(b.FunctionAssociations.Items, func(a *cloudfront.FunctionAssociation) bool { return deref(a.FunctionARN) == arn })
	})
}

// stage finds a function and one of its stages, DEVELOPMENT by default.
func (s *Service) stage(ctx context.Context, name, stage *string) (*resource.CloudFrontFunction, *resource.FunctionStage, string, error) {
	v, _, err := get(ctx, s, resource.CloudFrontFunctions, name, cloudfront.ErrCodeNoSuchFunctionExists, "function")
	if err != nil {
		return nil, nil, "", err
	}
	switch deref(or(stage, stageDevelopment)) {
	case stageDevelopment:
		return v, &v.Development, stageDevelopment, nil
	case stageLive:
		if v.Live != nil {
			return v, v.Live, stageLive, nil
		}
	}
	return nil, nil, "", awsapi.Errorf(cloudfront.ErrCodeNoSuchFunctionExists, "The function does not exist.")
}

// DescribeFunction returns a function's configuration.
func (s *Service) DescribeFunction(ctx context.Context, in *cloudfront.DescribeFunctionInput) (*cloudfront.DescribeFunctionOutput, error) {
	v, st, stage, err := s.stage(ctx, in.Name, in.Stage)
	if err != nil {
		return nil, err
	}
	return &cloudfront.DescribeFunctionOutput{FunctionSummary: s.function(ctx, v, st, stage), ETag: new(stageTag(v.Name, st))}, nil
}

// GetFunction returns a function's code.
func (s *Service) GetFunction(ctx context.Context, in *cloudfront.GetFunctionInput) (*cloudfront.GetFunctionOutput, error) {
	v, st, _, err := s.stage(ctx, in.Name, in.Stage)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetFunctionOutput{FunctionCode: st.Code, ContentType: new("application/octet-stream"), ETag: new(stageTag(v.Name, st))}, nil
}

func functionMatch(header *string, v *resource.CloudFrontFunction) error {
	switch {
	case deref(header) == "":
		return awsapi.Errorf(cloudfront.ErrCodeInvalidIfMatchVersion, "The If-Match version is missing or not valid for the resource.")
	case *header != stageTag(v.Name, &v.Development):
		return awsapi.Errorf(cloudfront.ErrCodePreconditionFailed, "The request failed because it didn't meet the preconditions in one or more request-header fields.")
	}
	return nil
}

// UpdateFunction replaces code and configuration of the development stage.
func (s *Service) UpdateFunction(ctx context.Context, in *cloudfront.UpdateFunctionInput) (*cloudfront.UpdateFunctionOutput, error) {
	old, _, _, err := s.stage(ctx, in.Name, nil)
	if err != nil {
		return nil, err
	}
	if err := functionMatch(in.IfMatch, old); err != nil {
		return nil, err
	}
	if err := s.checkFunction(s.env.Store.Read(ctx), in.FunctionConfig, in.FunctionCode); err != nil {
		return nil, err
	}
	v := *old
	v.Development.Config, v.Development.Code = in.FunctionConfig, in.FunctionCode
	v.Development.Modified = s.env.Now().UTC()
	v.Development.Revision++
	if _, err := put(ctx, s, resource.CloudFrontFunctions, v.Name, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateFunctionOutput{FunctionSummary: s.function(ctx, &v, &v.Development, stageDevelopment), ETag: new(stageTag(v.Name, &v.Development))}, nil
}

// PublishFunction copies the development stage to the live one.
func (s *Service) PublishFunction(ctx context.Context, in *cloudfront.PublishFunctionInput) (*cloudfront.PublishFunctionOutput, error) {
	old, _, _, err := s.stage(ctx, in.Name, nil)
	if err != nil {
		return nil, err
	}
	if err := functionMatch(in.IfMatch, old); err != nil {
		return nil, err
	}
	v := *old
	live := v.Development
	if old.Live != nil {
		live.Created = old.Live.Created
	}
	live.Modified = s.env.Now().UTC()
	v.Live = &live
	if _, err := put(ctx, s, resource.CloudFrontFunctions, v.Name, &v); err != nil {
		return nil, err
	}
	return &cloudfront.PublishFunctionOutput{FunctionSummary: s.function(ctx, &v, v.Live, stageLive)}, nil
}

// DeleteFunction deletes a function that no behavior uses.
func (s *Service) DeleteFunction(ctx context.Context, in *cloudfront.DeleteFunctionInput) (*cloudfront.DeleteFunctionOutput, error) {
	v, _, _, err := s.stage(ctx, in.Name, nil)
	if err != nil {
		return nil, err
	}
	if err := functionMatch(in.IfMatch, v); err != nil {
		return nil, err
	}
	if s.functionInUse(ctx, v.Name) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeFunctionInUse, "Cannot delete the function because it's attached to one or more cache behaviors.")
	}
	return &cloudfront.DeleteFunctionOutput{}, remove(ctx, s, resource.CloudFrontFunctions, v.Name)
}

// ListFunctions lists the functions of a stage, or of both.
func (s *Service) ListFunctions(ctx context.Context, in *cloudfront.ListFunctionsInput) (*cloudfront.ListFunctionsOutput, error) {
	var all []*cloudfront.FunctionSummary
	for _, v := range resource.CloudFrontFunctions.All(s.env.Store.Read(ctx), global) {
		if stage := deref(in.Stage); stage != stageLive {
			all = append(all, s.function(ctx, v, &v.Development, stageDevelopment))
		}
		if stage := deref(in.Stage); stage != stageDevelopment && v.Live != nil {
			all = append(all, s.function(ctx, v, v.Live, stageLive))
		}
	}
	items, next, limit, err := page(all, func(v *cloudfront.FunctionSummary) string { return *v.Name + *v.FunctionMetadata.Stage }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListFunctionsOutput{FunctionList: &cloudfront.FunctionList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}

// CreateKeyValueStore makes an empty key value store.
func (s *Service) CreateKeyValueStore(ctx context.Context, in *cloudfront.CreateKeyValueStoreInput) (*cloudfront.CreateKeyValueStoreOutput, error) {
	if !functionName.MatchString(deref(in.Name)) {
		return nil, invalid("Name", "The parameter Name is invalid.", fmt.Sprintf("%q is not 1 to 64 letters, digits, hyphens and underscores", deref(in.Name)))
	}
	if in.ImportSource != nil {
		return nil, awsapi.Refuse(&diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Error, Path: "ImportSource",
			Message:  "Foregate does not import the items of a key value store from S3 yet",
			AWSError: &diag.AWSError{Code: cloudfront.ErrCodeUnsupportedOperation, Status: 400, Message: "Foregate does not support ImportSource yet."}})
	}
	if _, ok := resource.KeyValueStores.Get(s.env.Store.Read(ctx), global, *in.Name); ok {
		return nil, refuse(cloudfront.ErrCodeEntityAlreadyExists, "Name", "The entity already exists. You must provide a unique entity.", diag.Finding{})
	}
	id := s.env.NewUUID(ctx, "key-value-store", nil)
	v := &resource.KeyValueStore{Name: *in.Name, ID: id, ARN: s.arn("key-value-store", id), Comment: deref(in.Comment), Items: map[string]string{}}
	rec, err := put(ctx, s, resource.KeyValueStores, v.Name, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateKeyValueStoreOutput{KeyValueStore: keyValueStore(rec, v), ETag: new(etag(rec)), Location: s.location("key-value-store", v.Name)}, nil
}

func keyValueStore(rec *store.Record, v *resource.KeyValueStore) *cloudfront.KeyValueStore {
	return &cloudfront.KeyValueStore{Name: &v.Name, Id: &v.ID, ARN: &v.ARN, Comment: &v.Comment, Status: new("READY"), LastModifiedTime: stamp(rec.Updated)}
}

func (s *Service) keyValueStore(ctx context.Context, name *string) (*resource.KeyValueStore, *store.Record, error) {
	return get(ctx, s, resource.KeyValueStores, name, cloudfront.ErrCodeEntityNotFound, "key value store")
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
	if rec, err = put(ctx, s, resource.KeyValueStores, v.Name, &v); err != nil {
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
		for _, st := range []*resource.FunctionStage{&f.Development, f.Live} {
			if st != nil && st.Config.KeyValueStoreAssociations != nil && slices.ContainsFunc(st.Config.KeyValueStoreAssociations.Items,
				func(a *cloudfront.KeyValueStoreAssociation) bool { return deref(a.KeyValueStoreARN) == v.ARN }) {
				return nil, awsapi.Errorf(cloudfront.ErrCodeCannotDeleteEntityWhileInUse, "The entity cannot be deleted while it is in use.")
			}
		}
	}
	return &cloudfront.DeleteKeyValueStoreOutput{}, remove(ctx, s, resource.KeyValueStores, v.Name)
}

// ListKeyValueStores lists the account's key value stores.
func (s *Service) ListKeyValueStores(ctx context.Context, in *cloudfront.ListKeyValueStoresInput) (*cloudfront.ListKeyValueStoresOutput, error) {
	var all []*cloudfront.KeyValueStore
	for rec, v := range resource.KeyValueStores.All(s.env.Store.Read(ctx), global) {
		all = append(all, keyValueStore(rec, v))
	}
	items, next, limit, err := page(all, func(v *cloudfront.KeyValueStore) string { return *v.Name }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListKeyValueStoresOutput{KeyValueStoreList: &cloudfront.KeyValueStoreList{NextMarker: next, MaxItems: &limit, Quantity: count(items), Items: items}}, nil
}
