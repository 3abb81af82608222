package lambda

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// urlID is the first label of a function URL's host.
var urlID = service.ID{Kind: "function-url", Alphabet: service.Lower, Length: 32}

// CreateFunctionUrlConfig gives a function or an alias an address.
func (s *Service) CreateFunctionUrlConfig(ctx context.Context, in *lambda.CreateFunctionUrlConfigInput) (*lambda.CreateFunctionUrlConfigOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	if _, _, err := s.deployed(r, t, f); err != nil {
		return nil, err
	}
	if _, ok := resource.FunctionURLs.Get(r, t.region, t.part()); ok {
		return nil, refuse(lambda.ErrCodeResourceConflictException, "FunctionName", "Failed to create function url config for [functionArn = "+t.arn()+"]. Error message:  FunctionUrlConfig exists for this Lambda function", "")
	}
	id := s.env.NewID(ctx, urlID, func(id string) bool {
		for _, u := range resource.FunctionURLs.Everywhere(r) {
			if u.ID == id {
				return true
			}
		}
		return false
	})
	now := stamp(s.env.Now())
	c := &lambda.FunctionUrlConfig{FunctionUrl: new("https://" + id + ".lambda-url." + t.region + ".on.aws/"), FunctionArn: new(t.arn()),
		CreationTime: now, LastModifiedTime: now, Cors: in.Cors, AuthType: in.AuthType, InvokeMode: or(in.InvokeMode, "BUFFERED")}
	u := &resource.FunctionURL{Function: t.name, Qualifier: t.qualifier, ID: id, Config: c}
	err = s.update(ctx, func(tx *store.Tx) { resource.FunctionURLs.Put(tx, t.region, t.part(), u) })
	return &lambda.CreateFunctionUrlConfigOutput{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors, CreationTime: c.CreationTime, InvokeMode: c.InvokeMode}, err
}

func (s *Service) url(ctx context.Context, name, qualifier *string) (target, *resource.FunctionURL, error) {
	t, _, err := s.function(ctx, name, qualifier)
	if err != nil {
		return t, nil, err
	}
	u, ok := resource.FunctionURLs.Get(s.env.Store.Read(ctx), t.region, t.part())
	if !ok {
		return t, nil, absent()
	}
	return t, u, nil
}

// GetFunctionUrlConfig returns a function URL.
func (s *Service) GetFunctionUrlConfig(ctx context.Context, in *lambda.GetFunctionUrlConfigInput) (*lambda.GetFunctionUrlConfigOutput, error) {
	_, u, err := s.url(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c := u.Config
	return &lambda.GetFunctionUrlConfigOutput{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors,
		CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime, InvokeMode: c.InvokeMode}, nil
}

// UpdateFunctionUrlConfig changes what the request names.
func (s *Service) UpdateFunctionUrlConfig(ctx context.Context, in *lambda.UpdateFunctionUrlConfigInput) (*lambda.UpdateFunctionUrlConfigOutput, error) {
	t, old, err := s.url(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	u, c := *old, *old.Config
	u.Config = &c
	replace(&c.AuthType, in.AuthType)
	replace(&c.InvokeMode, in.InvokeMode)
	replace(&c.Cors, in.Cors)
	c.LastModifiedTime = stamp(s.env.Now())
	err = s.update(ctx, func(tx *store.Tx) { resource.FunctionURLs.Put(tx, t.region, t.part(), &u) })
	return &lambda.UpdateFunctionUrlConfigOutput{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors,
		CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime, InvokeMode: c.InvokeMode}, err
}

// DeleteFunctionUrlConfig takes an address away.
func (s *Service) DeleteFunctionUrlConfig(ctx context.Context, in *lambda.DeleteFunctionUrlConfigInput) (*lambda.DeleteFunctionUrlConfigOutput, error) {
	t, _, err := s.url(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	return &lambda.DeleteFunctionUrlConfigOutput{}, s.update(ctx, func(tx *store.Tx) { resource.FunctionURLs.Delete(tx, t.region, t.part()) })
}

// ListFunctionUrlConfigs lists the addresses of a function and its aliases.
func (s *Service) ListFunctionUrlConfigs(ctx context.Context, in *lambda.ListFunctionUrlConfigsInput) (*lambda.ListFunctionUrlConfigsOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	var all []*lambda.FunctionUrlConfig
	for _, u := range resource.FunctionURLs.All(s.env.Store.Read(ctx), t.region) {
		if u.Function == t.name {
			all = append(all, u.Config)
		}
	}
	items, next := page(all, func(c *lambda.FunctionUrlConfig) string { return *c.FunctionUrl }, in.Marker, in.MaxItems)
	return &lambda.ListFunctionUrlConfigsOutput{FunctionUrlConfigs: items, NextMarker: next}, nil
}

// GetAccountSettings returns the quotas and what is used of them.
func (s *Service) GetAccountSettings(ctx context.Context, _ *lambda.GetAccountSettingsInput) (*lambda.GetAccountSettingsOutput, error) {
	count, size := int64(0), int64(0)
	for _, f := range resource.Functions.All(s.env.Store.Read(ctx), awsapi.CallFrom(ctx).Region) {
		count++
		size += deref(f.Config.CodeSize)
	}
	return &lambda.GetAccountSettingsOutput{
		AccountLimit: &lambda.AccountLimit{TotalCodeSize: new(int64(80530636800)), CodeSizeUnzipped: new(int64(262144000)), CodeSizeZipped: new(int64(52428800)),
			ConcurrentExecutions: new(int64(1000)), UnreservedConcurrentExecutions: new(int64(1000))},
		AccountUsage: &lambda.AccountUsage{FunctionCount: &count, TotalCodeSize: &size},
	}, nil
}
