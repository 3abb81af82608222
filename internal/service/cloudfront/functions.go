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
	// maxStoreFunctions is how many functions a key value store can be associated with (DG-cloudfront-limits).
	maxStoreFunctions = 10
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
	if err := s.checkFunction(r, *in.Name, in.FunctionConfig, in.FunctionCode); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags, len(tagMap(in.Tags))); err != nil {
		return nil, recoded(err, cloudfront.ErrCodeInvalidArgument)
	}
	now := s.env.Now().UTC()
	v := &resource.CloudFrontFunction{Name: *in.Name, Tags: tagMap(in.Tags),
		Development: resource.FunctionStage{Config: in.FunctionConfig, Code: in.FunctionCode, Created: now, Modified: now, Revision: 1}}
	if _, err := put(ctx, s, resource.CloudFrontFunctions, v.Name, v); err != nil {
		return nil, err
	}
	return &cloudfront.CreateFunctionOutput{FunctionSummary: s.function(ctx, v, &v.Development, stageDevelopment), ETag: new(stageTag(v.Name, &v.Development)),
		Location: s.location("function", s.arn("function", v.Name))}, nil
}

func (s *Service) checkFunction(r store.Reader, name string, c *cloudfront.FunctionConfig, code []byte) error {
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
	if err := quantities(c, "FunctionConfig"); err != nil {
		return err
	}
	if n := len(c.KeyValueStoreAssociations.Items); n > 1 || n == 1 && *c.Runtime != "cloudfront-js-2.0" {
		return invalid("FunctionConfig.KeyValueStoreAssociations", "The parameter KeyValueStoreAssociations is invalid.", "a function of runtime 2.0 can have one key value store")
	}
	for i, a := range c.KeyValueStoreAssociations.Items {
		if err := s.checkStore(r, name, deref(a.KeyValueStoreARN), indexed("FunctionConfig.KeyValueStoreAssociations.Items", i)+".KeyValueStoreARN"); err != nil {
			return err
		}
	}
	return nil
}

// checkStore refuses an association with a store that does not exist, or that enough other functions are associated with.
func (s *Service) checkStore(r store.Reader, function, arn, path string) error {
	found := false
	for _, kvs := range resource.KeyValueStores.All(r, global) {
		found = found || kvs.ARN == arn
	}
	if !found {
		return refuse(cloudfront.ErrCodeInvalidArgument, path, "The key value store does not exist.", diag.Finding{}) // text: our words
	}
	others := 0
	for _, f := range resource.CloudFrontFunctions.All(r, global) {
		if f.Name != function && f.Uses(arn) {
			others++
		}
	}
	if others >= maxStoreFunctions { // of the errors of these operations only InvalidArgument fits (BC); text: our words
		return tooMany(cloudfront.ErrCodeInvalidArgument, path, "The key value store is associated with the maximum number of functions.", maxStoreFunctions)
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
	v, _, err := get(ctx, s, resource.CloudFrontFunctions, name, missing{cloudfront.ErrCodeNoSuchFunctionExists, "function"})
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

// change finds a function that is to be changed, and checks the If-Match of its development stage.
func (s *Service) change(ctx context.Context, name, header *string) (*resource.CloudFrontFunction, *store.Record, error) {
	v, rec, err := get(ctx, s, resource.CloudFrontFunctions, name, missing{cloudfront.ErrCodeNoSuchFunctionExists, "function"})
	if err != nil {
		return nil, nil, err
	}
	return v, rec, matchTag(header, stageTag(v.Name, &v.Development))
}

// UpdateFunction replaces code and configuration of the development stage.
func (s *Service) UpdateFunction(ctx context.Context, in *cloudfront.UpdateFunctionInput) (*cloudfront.UpdateFunctionOutput, error) {
	old, rec, err := s.change(ctx, in.Name, in.IfMatch)
	if err != nil {
		return nil, err
	}
	if err := s.checkFunction(s.env.Store.Read(ctx), old.Name, in.FunctionConfig, in.FunctionCode); err != nil {
		return nil, err
	}
	v := *old
	v.Development.Config, v.Development.Code = in.FunctionConfig, in.FunctionCode
	v.Development.Modified = s.env.Now().UTC()
	v.Development.Revision++
	if _, err := replace(ctx, s, resource.CloudFrontFunctions, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateFunctionOutput{FunctionSummary: s.function(ctx, &v, &v.Development, stageDevelopment), ETag: new(stageTag(v.Name, &v.Development))}, nil
}

// PublishFunction copies the development stage to the live one.
func (s *Service) PublishFunction(ctx context.Context, in *cloudfront.PublishFunctionInput) (*cloudfront.PublishFunctionOutput, error) {
	old, rec, err := s.change(ctx, in.Name, in.IfMatch)
	if err != nil {
		return nil, err
	}
	v := *old
	live := v.Development
	live.Created, live.Modified = s.env.Now().UTC(), s.env.Now().UTC()
	if old.Live != nil {
		live.Created = old.Live.Created
	}
	v.Live = &live
	if _, err := replace(ctx, s, resource.CloudFrontFunctions, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.PublishFunctionOutput{FunctionSummary: s.function(ctx, &v, v.Live, stageLive)}, nil
}

// DeleteFunction deletes a function that no behavior uses.
func (s *Service) DeleteFunction(ctx context.Context, in *cloudfront.DeleteFunctionInput) (*cloudfront.DeleteFunctionOutput, error) {
	v, rec, err := s.change(ctx, in.Name, in.IfMatch)
	if err != nil {
		return nil, err
	}
	if s.functionInUse(ctx, v.Name) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeFunctionInUse, "Cannot delete the function because it's attached to one or more cache behaviors.")
	}
	return &cloudfront.DeleteFunctionOutput{}, remove(ctx, s, resource.CloudFrontFunctions, rec)
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
