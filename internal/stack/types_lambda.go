package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

func lambdaShape(name string) *awsapi.Shape { return lambda.Service.Shape(name) }

// lambdaCall runs an operation of Lambda.
func lambdaCall[O any](ctx context.Context, s *Services, operation string, in any) (*O, error) {
	return call[O](ctx, lambda.Service, s.Lambda, operation, in)
}

// functionSkipped are the properties of a function that its code reads, or that mean nothing on one node: versions of the
// runtime and recursion checks are AWS's own affair.
var functionSkipped = []string{"Code", "Tags", "FunctionName", "PackageType", "Architectures", "ReservedConcurrentExecutions", "RuntimeManagementConfig",
	"RecursiveLoop", "CodeSigningConfigArn", "FunctionScalingConfig", "PublishToLatestPublished", "TenancyConfig"}

// skipped names properties of a shape for spelling.skip.
func skipped(shape string, names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[shape+"."+n] = true
	}
	return out
}

func merged(sets ...map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, s := range sets {
		for k := range s {
			out[k] = true
		}
	}
	return out
}

// lambdaTypes are the types of AWS::Lambda (facts: cloudformation 3).
var lambdaTypes = map[string]*resourceType{
	"AWS::Lambda::Function": {
		required: []string{"Code", "Role"}, replace: []string{"DurableConfig", "FunctionName", "PackageType", "TenancyConfig"},
		spelling: spelling{skip: merged(
			skipped("CreateFunctionRequest", "Code", "ReservedConcurrentExecutions", "RuntimeManagementConfig", "RecursiveLoop", "FunctionScalingConfig", "PublishToLatestPublished"),
			skipped("UpdateFunctionConfigurationRequest", functionSkipped...))},
		create: createFunction, update: updateFunction,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := lambdaCall[lambda.DeleteFunctionOutput](ctx, s, "DeleteFunction", &lambda.DeleteFunctionInput{FunctionName: &old.PhysicalID})
			return err
		},
	},
	"AWS::Lambda::Version": {
		required: []string{"FunctionName"}, replace: []string{"CodeSha256", "Description", "FunctionName", "ProvisionedConcurrencyConfig", "RuntimePolicy"},
		spelling: spelling{skip: skipped("PublishVersionRequest", "ProvisionedConcurrencyConfig", "RuntimePolicy", "FunctionScalingConfig")},
		create:   createVersion,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := lambdaCall[lambda.DeleteFunctionOutput](ctx, s, "DeleteFunction", &lambda.DeleteFunctionInput{FunctionName: &old.PhysicalID})
			return err
		},
	},
	"AWS::Lambda::Alias": {
		required: []string{"FunctionName", "FunctionVersion", "Name"}, replace: []string{"FunctionName", "Name"},
		spelling: spelling{skip: merged(skipped("CreateAliasRequest", "ProvisionedConcurrencyConfig", "RoutingConfig"),
			skipped("UpdateAliasRequest", "ProvisionedConcurrencyConfig", "RoutingConfig"))},
		create: createAlias, update: updateAlias,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			i := strings.LastIndexByte(old.PhysicalID, ':')
			_, err := lambdaCall[lambda.DeleteAliasOutput](ctx, s, "DeleteAlias", &lambda.DeleteAliasInput{FunctionName: new(old.PhysicalID[:i]), Name: new(old.PhysicalID[i+1:])})
			return err
		},
	},
	"AWS::Lambda::Permission": {
		required: []string{"Action", "FunctionName", "Principal"}, create: createPermission, delete: deletePermission,
	},
	"AWS::Lambda::Url": {
		required: []string{"AuthType", "TargetFunctionArn"}, replace: []string{"Qualifier", "TargetFunctionArn"},
		spelling: spelling{rename: map[string]string{
			"CreateFunctionUrlConfigRequest.TargetFunctionArn": "FunctionName", "UpdateFunctionUrlConfigRequest.TargetFunctionArn": "FunctionName"}},
		create: func(ctx context.Context, r *request) (made, error) {
			in := &lambda.CreateFunctionUrlConfigInput{}
			if err := r.into(in, lambdaShape("CreateFunctionUrlConfigRequest")); err != nil {
				return made{}, err
			}
			out, err := lambdaCall[lambda.CreateFunctionUrlConfigOutput](ctx, r.Services, "CreateFunctionUrlConfig", in)
			if err != nil {
				return made{}, err
			}
			return made{*out.FunctionArn, map[string]string{"FunctionArn": *out.FunctionArn, "FunctionUrl": *out.FunctionUrl}}, nil
		},
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			in := &lambda.UpdateFunctionUrlConfigInput{}
			if err := r.into(in, lambdaShape("UpdateFunctionUrlConfigRequest")); err != nil {
				return made{}, err
			}
			if in.Cors == nil {
				in.Cors = &lambda.Cors{}
			}
			out, err := lambdaCall[lambda.UpdateFunctionUrlConfigOutput](ctx, r.Services, "UpdateFunctionUrlConfig", in)
			if err != nil {
				return made{}, err
			}
			return made{*out.FunctionArn, map[string]string{"FunctionArn": *out.FunctionArn, "FunctionUrl": *out.FunctionUrl}}, nil
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := lambdaCall[lambda.DeleteFunctionUrlConfigOutput](ctx, s, "DeleteFunctionUrlConfig", &lambda.DeleteFunctionUrlConfigInput{FunctionName: &old.PhysicalID})
			return err
		},
	},
	"AWS::Lambda::LayerVersion": {
		required: []string{"Content"}, spelling: spelling{skip: skipped("PublishLayerVersionRequest", "Content")}, create: createLayer,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			i := strings.LastIndexByte(old.PhysicalID, ':')
			var n int64
			if _, err := fmt.Sscan(old.PhysicalID[i+1:], &n); err != nil {
				return fmt.Errorf("read layer version %q: %w", old.PhysicalID, err)
			}
			_, err := lambdaCall[lambda.DeleteLayerVersionOutput](ctx, s, "DeleteLayerVersion", &lambda.DeleteLayerVersionInput{LayerName: new(old.PhysicalID[:i]), VersionNumber: &n})
			return err
		},
	},
}

// only fills an API input from the named properties.
func (r *request) only(dst any, shape *awsapi.Shape, names ...string) error {
	some := *r.props
	some.Fields = nil
	for _, f := range r.props.Fields {
		if slices.Contains(names, f.Key) {
			some.Fields = append(some.Fields, f)
		}
	}
	return r.part(dst, shape, &some)
}

func createFunction(ctx context.Context, r *request) (made, error) {
	in := &lambda.CreateFunctionInput{}
	if err := r.into(in, lambdaShape("CreateFunctionRequest")); err != nil {
		return made{}, err
	}
	in.FunctionName = new(r.name("FunctionName", 64))
	code, err := r.code(ctx, in)
	if err != nil {
		return made{}, err
	}
	out, err := lambdaCall[lambda.CreateFunctionOutput](code.context(ctx), r.Services, "CreateFunction", in)
	if err != nil {
		return made{}, err
	}
	r.missingCode(code)
	return functionMade(out), reserve(ctx, r, *in.FunctionName)
}

func functionMade(c *lambda.FunctionConfiguration) made {
	return made{*c.FunctionName, map[string]string{"Arn": *c.FunctionArn, "SnapStartResponse.ApplyOn": *c.SnapStart.ApplyOn, "SnapStartResponse.OptimizationStatus": *c.SnapStart.OptimizationStatus}}
}

// reserve sets the reserved concurrency, or takes it away.
func reserve(ctx context.Context, r *request, name string) error {
	if r.props.Get("ReservedConcurrentExecutions") == nil {
		_, err := lambdaCall[lambda.DeleteFunctionConcurrencyOutput](ctx, r.Services, "DeleteFunctionConcurrency", &lambda.DeleteFunctionConcurrencyInput{FunctionName: &name})
		return err
	}
	in := &lambda.PutFunctionConcurrencyInput{}
	if err := r.only(in, lambdaShape("PutFunctionConcurrencyRequest"), "ReservedConcurrentExecutions"); err != nil {
		return err
	}
	in.FunctionName = &name
	_, err := lambdaCall[lambda.PutFunctionConcurrencyOutput](ctx, r.Services, "PutFunctionConcurrency", in)
	return err
}

func updateFunction(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &lambda.UpdateFunctionConfigurationInput{}
	if err := r.into(in, lambdaShape("UpdateFunctionConfigurationRequest")); err != nil {
		return made{}, err
	}
	in.FunctionName = &old.PhysicalID
	unset(in)
	out, err := lambdaCall[lambda.UpdateFunctionConfigurationOutput](ctx, r.Services, "UpdateFunctionConfiguration", in)
	if err != nil {
		return made{}, err
	}
	if changed(old.Properties, r.props.AppendJSON(nil), []string{"Code", "Architectures", "Runtime"}) {
		whole := &lambda.CreateFunctionInput{Runtime: in.Runtime, Code: nil}
		code, err := r.code(ctx, whole)
		if err != nil {
			return made{}, err
		}
		update := &lambda.UpdateFunctionCodeInput{FunctionName: &old.PhysicalID}
		if c := whole.Code; c != nil {
			update.S3Bucket, update.S3Key, update.ImageUri, update.ZipFile = c.S3Bucket, c.S3Key, c.ImageUri, c.ZipFile
		}
		if err := r.only(update, lambdaShape("UpdateFunctionCodeRequest"), "Architectures"); err != nil {
			return made{}, err
		}
		if _, err := lambdaCall[lambda.UpdateFunctionCodeOutput](code.context(ctx), r.Services, "UpdateFunctionCode", update); err != nil {
			return made{}, err
		}
		r.missingCode(code)
	}
	tags := &lambda.TagResourceInput{}
	if err := r.only(tags, lambdaShape("TagResourceRequest"), "Tags"); err != nil {
		return made{}, err
	}
	if tags.Resource = out.FunctionArn; len(tags.Tags) > 0 {
		if _, err := lambdaCall[lambda.TagResourceOutput](ctx, r.Services, "TagResource", tags); err != nil {
			return made{}, err
		}
	}
	return functionMade(out), reserve(ctx, r, old.PhysicalID)
}

// unset gives what the template no longer says its default, as an update of the stack does.
func unset(in *lambda.UpdateFunctionConfigurationInput) {
	if in.Environment == nil {
		in.Environment = &lambda.Environment{}
	}
	if in.Timeout == nil {
		in.Timeout = new(int64(3))
	}
	if in.MemorySize == nil {
		in.MemorySize = new(int64(128))
	}
	if in.Description == nil {
		in.Description = new("")
	}
	if in.Layers == nil {
		in.Layers = []string{}
	}
}

// packageCode is a function's code as the template and the command line give it.
type packageCode struct {
	local *resource.FunctionCode // nil: the API's input has it
	found *diag.Finding
}

func (c packageCode) context(ctx context.Context) context.Context {
	if c.local == nil {
		return ctx
	}
	return resource.WithFunctionCode(ctx, *c.local)
}

// missingCode reports that the function has no code.
func (r *request) missingCode(c packageCode) {
	if c.found != nil {
		r.stack.found = append(r.stack.found, *c.found)
	}
}

// code finds a function's code: what --function says, else the template's text, else a path next to the template, else an
// object of a bucket that is served here. It fills in.Code for the last.
func (r *request) code(ctx context.Context, in *lambda.CreateFunctionInput) (packageCode, error) {
	v := r.props.Get("Code")
	in.Code = &lambda.FunctionCode{} // required, and replaced by what the context carries
	if path := r.stack.opts.Functions[r.logicalID]; path != "" {
		code, err := codeAt(path)
		if err != nil {
			return packageCode{}, codeFailure(v, fmt.Sprintf("the code of %s cannot be read: %v", r.logicalID, err), "--function "+r.logicalID+"="+path)
		}
		return packageCode{local: &code}, nil
	}
	if v.IsScalar() {
		return r.codePath(v)
	}
	known := &lambda.FunctionCode{}
	some := *v
	some.Fields = slices.DeleteFunc(slices.Clone(v.Fields), func(f template.Field) bool { return f.Key == "ZipFile" })
	if err := r.part(known, lambdaShape("FunctionCode"), &some); err != nil {
		return packageCode{}, err
	}
	in.Code = known
	switch inline := v.Get("ZipFile"); {
	case inline.IsScalar():
		if err := inlineRuntime(inline, deref(in.Runtime)); err != nil {
			return packageCode{}, err
		}
		return packageCode{local: &resource.FunctionCode{Inline: inline.Text}}, nil
	case inline != nil:
		c := converter{logical: r.logicalID}
		c.refuse(inline, "expected type: String, found: %s", jsonType(inline))
		return packageCode{}, &refusal{c.found}
	case known.S3Bucket != nil:
		if _, ok := resource.Buckets.Get(r.Env.Store.Read(ctx), resource.Global, *known.S3Bucket); ok {
			return packageCode{}, nil
		}
		return r.noCode(v, fmt.Sprintf("its package is s3://%s/%s, a bucket that is not part of the stack", *known.S3Bucket, deref(known.S3Key)))
	}
	return packageCode{}, nil
}

// codePath is code next to the template, as `aws cloudformation package` takes it.
func (r *request) codePath(v *template.Value) (packageCode, error) {
	if rest, ok := strings.CutPrefix(v.Text, "s3://"); ok {
		return r.noCode(v, "its package is s3://"+rest+", a bucket that is not part of the stack")
	}
	path := v.Text
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.stack.opts.Folder, filepath.FromSlash(path))
	}
	code, err := codeAt(path)
	if errors.Is(err, os.ErrNotExist) {
		return r.noCode(v, fmt.Sprintf("there is no folder or zip file %q", path))
	}
	if err != nil {
		return packageCode{}, codeFailure(v, fmt.Sprintf("the code of %s cannot be read: %v", r.logicalID, err), "")
	}
	return packageCode{local: &code}, nil
}

// codeAt reads a folder, a zip file, or the folder of a single source file.
func codeAt(path string) (resource.FunctionCode, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return resource.FunctionCode{}, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return resource.FunctionCode{}, err
	}
	if info.IsDir() {
		return resource.FunctionCode{Dir: abs}, nil
	}
	data, err := os.ReadFile(abs)
	if err != nil {
		return resource.FunctionCode{}, err
	}
	if !bytes.HasPrefix(data, []byte("PK")) {
		return resource.FunctionCode{}, fmt.Errorf("open %q: it is neither a folder nor a zip file", abs)
	}
	return resource.FunctionCode{Zip: data}, nil
}

// noCode makes a function without code, which says so when it is called.
func (r *request) noCode(v *template.Value, why string) (packageCode, error) {
	fix := "give its code with --function " + r.logicalID + "=DIR"
	return packageCode{
		local: &resource.FunctionCode{Missing: r.logicalID + " has no code here: " + why + "; " + fix},
		found: &diag.Finding{Code: diag.TemplateCodeMissing, Severity: diag.Warning, Path: v.Path(), Position: v.Position,
			Message: r.logicalID + " has no code here: calls of it fail", Because: []string{why}, Fixes: []string{fix}},
	}, nil
}

func codeFailure(v *template.Value, message, source string) error {
	f := &diag.Finding{Code: diag.TemplateCodeMissing, Severity: diag.Error, Message: message, Path: v.Path(), Position: v.Position}
	if source != "" {
		f.Because = []string{"it was given as " + source}
	}
	return f
}

// inlineRuntime refuses inline text for other languages (AWS::Lambda::Function Code, ZipFile).
func inlineRuntime(v *template.Value, runtime string) error {
	if strings.HasPrefix(runtime, "nodejs") || strings.HasPrefix(runtime, "python") || runtime == "" {
		return nil
	}
	text := "ZipFile can only be used when Runtime is set to one of: nodejs, python" // text: our words
	return &diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Path: v.Path(), Position: v.Position, Message: text,
		Because:  []string{fmt.Sprintf("the runtime is %q", runtime)},
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}}
}

func createVersion(ctx context.Context, r *request) (made, error) {
	in := &lambda.PublishVersionInput{}
	if err := r.into(in, lambdaShape("PublishVersionRequest")); err != nil {
		return made{}, err
	}
	before, err := lambdaCall[lambda.ListVersionsByFunctionOutput](ctx, r.Services, "ListVersionsByFunction", &lambda.ListVersionsByFunctionInput{FunctionName: in.FunctionName, MaxItems: new(int64(10000))})
	if err != nil {
		return made{}, err
	}
	out, err := lambdaCall[lambda.PublishVersionOutput](ctx, r.Services, "PublishVersion", in)
	if err != nil {
		return made{}, err
	}
	for _, v := range before.Versions {
		if *v.Version == *out.Version {
			text := fmt.Sprintf("A version for this Lambda function exists ( %s ). Modify the function to create a new version.", *v.Version)
			return made{}, awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Message: text, Path: "FunctionName",
				Because:  []string{"Lambda publishes no version when nothing has changed since the last one"},
				AWSError: &diag.AWSError{Code: "AlreadyExists", Status: 400, Message: text}})
		}
	}
	return made{*out.FunctionArn, map[string]string{"FunctionArn": *out.FunctionArn, "Version": *out.Version}}, nil
}

// routing reads an alias's RoutingConfig, a list in templates and a map in the API.
func routing(r *request) (*lambda.AliasRoutingConfiguration, error) {
	list := r.props.Get("RoutingConfig").Get("AdditionalVersionWeights")
	out := &lambda.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}}
	if list == nil {
		return out, nil
	}
	for _, item := range list.Items {
		var weight float64
		if err := json.Unmarshal([]byte(text(item, "FunctionWeight")), &weight); err != nil || text(item, "FunctionVersion") == "" {
			c := converter{logical: r.logicalID}
			c.refuse(item, "required key [FunctionWeight] not found")
			return nil, &refusal{c.found}
		}
		out.AdditionalVersionWeights[text(item, "FunctionVersion")] = weight
	}
	return out, nil
}

func createAlias(ctx context.Context, r *request) (made, error) {
	in := &lambda.CreateAliasInput{}
	if err := r.into(in, lambdaShape("CreateAliasRequest")); err != nil {
		return made{}, err
	}
	var err error
	if in.RoutingConfig, err = routing(r); err != nil {
		return made{}, err
	}
	out, err := lambdaCall[lambda.CreateAliasOutput](ctx, r.Services, "CreateAlias", in)
	if err != nil {
		return made{}, err
	}
	return made{*out.AliasArn, map[string]string{"AliasArn": *out.AliasArn}}, nil
}

func updateAlias(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
	in := &lambda.UpdateAliasInput{}
	if err := r.into(in, lambdaShape("UpdateAliasRequest")); err != nil {
		return made{}, err
	}
	var err error
	if in.RoutingConfig, err = routing(r); err != nil {
		return made{}, err
	}
	out, err := lambdaCall[lambda.UpdateAliasOutput](ctx, r.Services, "UpdateAlias", in)
	if err != nil {
		return made{}, err
	}
	return made{*out.AliasArn, map[string]string{"AliasArn": *out.AliasArn}}, nil
}

func createPermission(ctx context.Context, r *request) (made, error) {
	in := &lambda.AddPermissionInput{}
	if err := r.into(in, lambdaShape("AddPermissionRequest")); err != nil {
		return made{}, err
	}
	in.StatementId = new(r.name("Id", 100))
	if _, err := lambdaCall[lambda.AddPermissionOutput](ctx, r.Services, "AddPermission", in); err != nil {
		return made{}, err
	}
	return made{*in.StatementId, map[string]string{"Id": *in.StatementId}}, nil
}

func deletePermission(ctx context.Context, s *Services, old resource.StackResource) error {
	var props struct{ FunctionName string }
	if err := json.Unmarshal(old.Properties, &props); err != nil {
		return fmt.Errorf("read permission %q: %w", old.LogicalID, err)
	}
	_, err := lambdaCall[lambda.RemovePermissionOutput](ctx, s, "RemovePermission", &lambda.RemovePermissionInput{FunctionName: &props.FunctionName, StatementId: &old.PhysicalID})
	return err
}

// createLayer publishes a layer. Layers are stored; functions do not get them, which compile reports.
func createLayer(ctx context.Context, r *request) (made, error) {
	in := &lambda.PublishLayerVersionInput{}
	if err := r.into(in, lambdaShape("PublishLayerVersionRequest")); err != nil {
		return made{}, err
	}
	in.LayerName = new(r.name("LayerName", 140))
	in.Content = &lambda.LayerVersionContentInput{}
	out, err := lambdaCall[lambda.PublishLayerVersionOutput](resource.WithFunctionCode(ctx, resource.FunctionCode{Missing: "layers are not used here"}), r.Services, "PublishLayerVersion", in)
	if err != nil {
		return made{}, err
	}
	return made{*out.LayerVersionArn, map[string]string{"LayerVersionArn": *out.LayerVersionArn}}, nil
}
