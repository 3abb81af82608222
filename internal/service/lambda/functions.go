package lambda

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// The defaults of CreateFunction (Lambda API reference).
const (
	defaultTimeout = 3
	defaultMemory  = 128
	// maxMemory is the quota; the model's bound is that of managed instances.
	maxMemory = 10240
)

// CreateFunction stores a function.
func (s *Service) CreateFunction(ctx context.Context, in *lambda.CreateFunctionInput) (*lambda.CreateFunctionOutput, error) {
	t, err := s.resolve(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if _, ok := resource.Functions.Get(s.env.Store.Read(ctx), t.region, t.name); ok {
		return nil, refuse(lambda.ErrCodeResourceConflictException, "FunctionName", "Function already exist: "+t.name, "")
	}
	if err := checkNew(in); err != nil {
		return nil, err
	}
	code, err := s.code(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	architectures := in.Architectures
	if len(architectures) == 0 {
		architectures = []string{"x86_64"}
	}
	c := &lambda.FunctionConfiguration{
		FunctionName: &t.name, FunctionArn: new(t.unqualified()), Runtime: in.Runtime, Role: in.Role, Handler: in.Handler,
		Description: or(in.Description, ""), Timeout: or(in.Timeout, defaultTimeout), MemorySize: or(in.MemorySize, defaultMemory),
		Version: new("$LATEST"), PackageType: or(in.PackageType, "Zip"), Architectures: architectures, KMSKeyArn: in.KMSKeyArn,
		DeadLetterConfig: in.DeadLetterConfig, TracingConfig: tracing(in.TracingConfig), Layers: layers(in.Layers), VpcConfig: vpc(in.VpcConfig),
		Environment: environment(in.Environment), FileSystemConfigs: in.FileSystemConfigs,
		EphemeralStorage: in.EphemeralStorage, SnapStart: snapStart(in.SnapStart), LoggingConfig: logging(in.LoggingConfig, t.name),
		State: new("Active"), LastUpdateStatus: new("Successful"), RevisionId: new(awsapi.NewUUID()), LastModified: stamp(s.env.Now()),
		TenancyConfig: in.TenancyConfig, CapacityProviderConfig: in.CapacityProviderConfig, DurableConfig: in.DurableConfig,
	}
	if c.EphemeralStorage == nil {
		c.EphemeralStorage = &lambda.EphemeralStorage{Size: new(int64(512))}
	}
	if in.ImageConfig != nil {
		c.ImageConfigResponse = &lambda.ImageConfigResponse{ImageConfig: in.ImageConfig}
	}
	measure(c, code)
	f := &resource.Function{Config: c, Code: code, Tags: in.Tags}
	out := c
	err = s.update(ctx, func(tx *store.Tx) {
		if deref(in.Publish) {
			v := publish(tx, t, f, nil)
			f.Published, out = v.Published, v.Config
		}
		resource.Functions.Put(tx, t.region, t.name, f)
	})
	return out, err
}

func checkNew(in *lambda.CreateFunctionInput) error {
	if deref(in.PackageType) != "Image" {
		if in.Runtime == nil || in.Handler == nil {
			path := "Runtime"
			if in.Runtime != nil {
				path = "Handler"
			}
			return invalid(path, "Runtime and Handler are mandatory parameters for functions created with deployment packages.", path+" is missing")
		}
	}
	return checkSettings(in.MemorySize, in.Environment)
}

// reservedKeys are the variables that Lambda sets itself (Lambda developer guide, configuration-envvars).
var reservedKeys = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
	"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"}

// checkSettings checks what create and update have in common and the model does not say.
func checkSettings(memory *int64, env *lambda.Environment) error {
	if m := deref(memory); m > maxMemory {
		return invalid("MemorySize", fmt.Sprintf("'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to %d", maxMemory), "")
	}
	if env == nil {
		return nil
	}
	size := 0
	for k, v := range env.Variables {
		size += len(k) + len(v)
	}
	for _, k := range reservedKeys {
		if _, ok := env.Variables[k]; ok {
			return invalid("Environment.Variables", "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: "+k, "Lambda sets "+k+" itself", "take it out, or choose another name")
		}
	}
	if size > 4<<10 {
		return invalid("Environment.Variables", "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.", fmt.Sprintf("names and values have %d bytes together", size))
	}
	return nil
}

// code reads the package of a create or update.
func (s *Service) code(ctx context.Context, in *lambda.FunctionCode) (resource.FunctionCode, error) {
	if code, ok := resource.FunctionCodeFrom(ctx); ok {
		return code, nil
	}
	return s.upload(ctx, in)
}

// measure fills size and hash of the code.
func measure(c *lambda.FunctionConfiguration, code resource.FunctionCode) {
	content := code.Zip
	if content == nil {
		content = []byte(code.Dir + code.Inline)
	}
	sum := sha256.Sum256(content)
	c.CodeSha256 = new(base64.StdEncoding.EncodeToString(sum[:]))
	c.CodeSize = new(int64(len(code.Zip) + len(code.Inline)))
}

func tracing(in *lambda.TracingConfig) *lambda.TracingConfigResponse {
	mode := "PassThrough"
	if in != nil && in.Mode != nil {
		mode = *in.Mode
	}
	return &lambda.TracingConfigResponse{Mode: &mode}
}

func layers(arns []string) []*lambda.Layer {
	var out []*lambda.Layer
	for _, a := range arns {
		out = append(out, &lambda.Layer{Arn: new(a)})
	}
	return out
}

func vpc(in *lambda.VpcConfig) *lambda.VpcConfigResponse {
	if in == nil {
		return nil
	}
	return &lambda.VpcConfigResponse{SubnetIds: in.SubnetIds, SecurityGroupIds: in.SecurityGroupIds, VpcId: new("")}
}

func environment(in *lambda.Environment) *lambda.EnvironmentResponse {
	if in == nil || len(in.Variables) == 0 {
		return nil
	}
	return &lambda.EnvironmentResponse{Variables: in.Variables}
}

func snapStart(in *lambda.SnapStart) *lambda.SnapStartResponse {
	out := &lambda.SnapStartResponse{ApplyOn: new("None"), OptimizationStatus: new("Off")}
	if in != nil && in.ApplyOn != nil {
		out.ApplyOn = in.ApplyOn
	}
	return out
}

func logging(in *lambda.LoggingConfig, name string) *lambda.LoggingConfig {
	out := lambda.LoggingConfig{}
	if in != nil {
		out = *in
	}
	out.LogFormat, out.LogGroup = or(out.LogFormat, "Text"), or(out.LogGroup, "/aws/lambda/"+name)
	return &out
}

// UpdateFunctionCode replaces the code of $LATEST.
func (s *Service) UpdateFunctionCode(ctx context.Context, in *lambda.UpdateFunctionCodeInput) (*lambda.UpdateFunctionCodeOutput, error) {
	t, old, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := stale(in.RevisionId, old.Config.RevisionId, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	code, err := s.code(ctx, &lambda.FunctionCode{ZipFile: in.ZipFile, S3Bucket: in.S3Bucket, S3Key: in.S3Key, ImageUri: in.ImageUri})
	if err != nil {
		return nil, err
	}
	f, c := clone(old)
	f.Code = code
	if len(in.Architectures) > 0 {
		c.Architectures = in.Architectures
	}
	measure(c, code)
	if deref(in.DryRun) {
		return c, nil
	}
	return s.changed(ctx, t, f, deref(in.Publish))
}

// clone copies a function for a change of $LATEST.
func clone(old *resource.Function) (*resource.Function, *lambda.FunctionConfiguration) {
	f, c := *old, *old.Config
	f.Config = &c
	return &f, &c
}

// changed stores a new state of $LATEST, and publishes it when asked.
func (s *Service) changed(ctx context.Context, t target, f *resource.Function, alsoPublish bool) (*lambda.FunctionConfiguration, error) {
	f.Config.RevisionId, f.Config.LastModified = new(awsapi.NewUUID()), stamp(s.env.Now())
	out := f.Config
	err := s.update(ctx, func(tx *store.Tx) {
		if alsoPublish {
			v := publish(tx, t, f, nil)
			f.Published, out = v.Published, v.Config
		}
		resource.Functions.Put(tx, t.region, t.name, f)
	})
	return out, err
}

// UpdateFunctionConfiguration changes the settings of $LATEST that the request names.
func (s *Service) UpdateFunctionConfiguration(ctx context.Context, in *lambda.UpdateFunctionConfigurationInput) (*lambda.UpdateFunctionConfigurationOutput, error) {
	t, old, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	if err := stale(in.RevisionId, old.Config.RevisionId, "GetFunction/GetAlias"); err != nil {
		return nil, err
	}
	if err := checkSettings(in.MemorySize, in.Environment); err != nil {
		return nil, err
	}
	f, c := clone(old)
	replace(&c.Role, in.Role)
	replace(&c.Handler, in.Handler)
	replace(&c.Runtime, in.Runtime)
	replace(&c.Description, in.Description)
	replace(&c.Timeout, in.Timeout)
	replace(&c.MemorySize, in.MemorySize)
	replace(&c.KMSKeyArn, in.KMSKeyArn)
	replace(&c.DeadLetterConfig, in.DeadLetterConfig)
	replace(&c.EphemeralStorage, in.EphemeralStorage)
	replace(&c.CapacityProviderConfig, in.CapacityProviderConfig)
	replace(&c.DurableConfig, in.DurableConfig)
	if in.Environment != nil {
		c.Environment = environment(in.Environment)
	}
	if in.VpcConfig != nil {
		c.VpcConfig = vpc(in.VpcConfig)
	}
	if in.TracingConfig != nil {
		c.TracingConfig = tracing(in.TracingConfig)
	}
	if in.Layers != nil {
		c.Layers = layers(in.Layers)
	}
	if in.FileSystemConfigs != nil {
		c.FileSystemConfigs = in.FileSystemConfigs
	}
	if in.SnapStart != nil {
		c.SnapStart = snapStart(in.SnapStart)
	}
	if in.LoggingConfig != nil {
		c.LoggingConfig = logging(in.LoggingConfig, t.name)
	}
	if in.ImageConfig != nil {
		c.ImageConfigResponse = &lambda.ImageConfigResponse{ImageConfig: in.ImageConfig}
	}
	return s.changed(ctx, t, f, false)
}

// replace sets a member that the request names.
func replace[T any](dst **T, v *T) {
	if v != nil {
		*dst = v
	}
}

// GetFunction returns a function, its tags and where its code is.
func (s *Service) GetFunction(ctx context.Context, in *lambda.GetFunctionInput) (*lambda.GetFunctionOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c, code, err := s.deployed(s.env.Store.Read(ctx), t, f)
	if err != nil {
		return nil, err
	}
	out := &lambda.GetFunctionOutput{Configuration: shown(t, c), Tags: f.Tags, Code: location(code)}
	if f.Concurrency != nil {
		out.Concurrency = &lambda.Concurrency{ReservedConcurrentExecutions: f.Concurrency}
	}
	return out, nil
}

// location says where the code is. AWS gives a presigned address; here a folder has its path, and a package that came over
// the API cannot be fetched back.
func location(code resource.FunctionCode) *lambda.FunctionCodeLocation {
	l := &lambda.FunctionCodeLocation{RepositoryType: new("S3")}
	if code.Dir != "" {
		l.RepositoryType, l.Location = new("File"), new("file://"+code.Dir)
	}
	return l
}

// GetFunctionConfiguration returns a function's settings.
func (s *Service) GetFunctionConfiguration(ctx context.Context, in *lambda.GetFunctionConfigurationInput) (*lambda.GetFunctionConfigurationOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	c, _, err := s.deployed(s.env.Store.Read(ctx), t, f)
	if err != nil {
		return nil, err
	}
	return shown(t, c), nil
}

// ListFunctions lists the functions of the region, or all their versions.
func (s *Service) ListFunctions(ctx context.Context, in *lambda.ListFunctionsInput) (*lambda.ListFunctionsOutput, error) {
	region := awsapi.CallFrom(ctx).Region
	r := s.env.Store.Read(ctx)
	var all []*lambda.FunctionConfiguration
	for _, f := range resource.Functions.All(r, region) {
		if deref(in.FunctionVersion) != "ALL" {
			all = append(all, f.Config)
			continue
		}
		all = append(all, s.versions(r, target{region: region, account: s.env.Account, name: *f.Config.FunctionName}, f)...)
	}
	items, next := page(all, func(c *lambda.FunctionConfiguration) string { return *c.FunctionArn + *c.Version }, in.Marker, in.MaxItems)
	return &lambda.ListFunctionsOutput{Functions: items, NextMarker: next}, nil
}

// DeleteFunction deletes a function with all that belongs to it, or one version.
func (s *Service) DeleteFunction(ctx context.Context, in *lambda.DeleteFunctionInput) (*lambda.DeleteFunctionOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := s.checkReplicas(ctx, t); err != nil {
		return nil, err
	}
	if t.qualifier != "" {
		return &lambda.DeleteFunctionOutput{StatusCode: new(int64(204))}, s.deleteVersion(ctx, t)
	}
	err = s.update(ctx, func(tx *store.Tx) {
		resource.Functions.Delete(tx, t.region, t.name)
		deleteParts(tx, resource.FunctionVersions, t, func(v *resource.FunctionVersion) string { return v.Function })
		deleteParts(tx, resource.FunctionAliases, t, func(v *resource.FunctionAlias) string { return v.Function })
		deleteParts(tx, resource.FunctionPermissions, t, func(v *resource.FunctionPermission) string { return v.Function })
		deleteParts(tx, resource.FunctionURLs, t, func(v *resource.FunctionURL) string { return v.Function })
	})
	return &lambda.DeleteFunctionOutput{StatusCode: new(int64(204))}, err
}

// deleteParts deletes the records of a kind that belong to a function.
func deleteParts[T any](tx *store.Tx, kind store.Kind[T], t target, function func(*T) string) {
	var ids []string
	for rec, v := range kind.All(tx, t.region) {
		if function(v) == t.name {
			ids = append(ids, rec.Key.ID)
		}
	}
	for _, id := range ids {
		kind.Delete(tx, t.region, id)
	}
}

// PutFunctionConcurrency reserves concurrency.
func (s *Service) PutFunctionConcurrency(ctx context.Context, in *lambda.PutFunctionConcurrencyInput) (*lambda.PutFunctionConcurrencyOutput, error) {
	t, old, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	f := *old
	f.Concurrency = in.ReservedConcurrentExecutions
	err = s.update(ctx, func(tx *store.Tx) { resource.Functions.Put(tx, t.region, t.name, &f) })
	return &lambda.PutFunctionConcurrencyOutput{ReservedConcurrentExecutions: f.Concurrency}, err
}

// GetFunctionConcurrency returns the reserved concurrency.
func (s *Service) GetFunctionConcurrency(ctx context.Context, in *lambda.GetFunctionConcurrencyInput) (*lambda.GetFunctionConcurrencyOutput, error) {
	_, f, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	return &lambda.GetFunctionConcurrencyOutput{ReservedConcurrentExecutions: f.Concurrency}, nil
}

// DeleteFunctionConcurrency takes a reservation away.
func (s *Service) DeleteFunctionConcurrency(ctx context.Context, in *lambda.DeleteFunctionConcurrencyInput) (*lambda.DeleteFunctionConcurrencyOutput, error) {
	t, old, err := s.function(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	f := *old
	f.Concurrency = nil
	return &lambda.DeleteFunctionConcurrencyOutput{}, s.update(ctx, func(tx *store.Tx) { resource.Functions.Put(tx, t.region, t.name, &f) })
}

// retag replaces the tags of a function.
func (s *Service) retag(ctx context.Context, name *string, change func(map[string]string)) error {
	t, old, err := s.function(ctx, name, nil)
	if err != nil {
		return err
	}
	f := *old
	f.Tags = maps.Clone(old.Tags)
	if f.Tags == nil {
		f.Tags = map[string]string{}
	}
	change(f.Tags)
	return s.update(ctx, func(tx *store.Tx) { resource.Functions.Put(tx, t.region, t.name, &f) })
}

// TagResource adds tags to a function.
func (s *Service) TagResource(ctx context.Context, in *lambda.TagResourceInput) (*lambda.TagResourceOutput, error) {
	return &lambda.TagResourceOutput{}, s.retag(ctx, in.Resource, func(tags map[string]string) { maps.Copy(tags, in.Tags) })
}

// UntagResource removes tags from a function.
func (s *Service) UntagResource(ctx context.Context, in *lambda.UntagResourceInput) (*lambda.UntagResourceOutput, error) {
	return &lambda.UntagResourceOutput{}, s.retag(ctx, in.Resource, func(tags map[string]string) {
		for _, k := range in.TagKeys {
			delete(tags, k)
		}
	})
}

// ListTags returns a function's tags.
func (s *Service) ListTags(ctx context.Context, in *lambda.ListTagsInput) (*lambda.ListTagsOutput, error) {
	_, f, err := s.function(ctx, in.Resource, nil)
	if err != nil {
		return nil, err
	}
	return &lambda.ListTagsOutput{Tags: f.Tags}, nil
}
