package compile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	awslambda "github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/function/url"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// functionsStage acquires every function: $LATEST, versions and aliases, each under its ARN.
func (c *compiler) functionsStage() {
	c.functions, c.replicas = map[string]*function{}, map[string]*function{}
	policies := c.functionPolicies()
	for rec, f := range resource.Functions.Everywhere(c.view) {
		arn := deref(f.Config.FunctionArn)
		base := functionBuild{rec: rec, config: f.Config, code: f.Code, concurrency: f.Concurrency}
		latest := c.function(base, arn)
		latest.Policy = policies[policyKey{rec.Key.Region, *f.Config.FunctionName, ""}]
		c.functions[arn] = latest
		c.functions[arn+":$LATEST"] = latest
		c.functionFindings(rec, f)
	}
	for rec, v := range resource.FunctionVersions.Everywhere(c.view) {
		owner, ok := resource.Functions.Get(c.view, rec.Key.Region, v.Function)
		if !ok {
			continue
		}
		arn := deref(v.Config.FunctionArn)
		f := c.function(functionBuild{rec: resource.Functions.Record(c.view, rec.Key.Region, v.Function), config: v.Config, code: v.Code, concurrency: owner.Concurrency}, arn)
		f.Policy = policies[policyKey{rec.Key.Region, v.Function, deref(v.Config.Version)}]
		c.functions[arn] = f
	}
	for rec, a := range resource.FunctionAliases.Everywhere(c.view) {
		c.alias(rec, a, policies)
	}
	c.functionURLs(policies)
}

// functionBuild is what a function is made of.
type functionBuild struct {
	rec         *store.Record // of the function, also for a version
	config      *awslambda.FunctionConfiguration
	code        resource.FunctionCode
	concurrency *int64
	// replica makes it what Lambda@Edge runs instead of the function.
	replica bool
}

// replicaPrefix stands in front of the names of replicas: the region of the function that they come from.
const replicaPrefix = "us-east-1."

// replica acquires what Lambda@Edge runs in place of a version: a function of the region where the edge is, under a name of its own,
// which also names its log group (DG-edge-functions-logs). It is nil when there is no such version.
func (c *compiler) replica(arn string) *function {
	if f, made := c.replicas[arn]; made {
		return f
	}
	rest, number := arn, ""
	if i := strings.LastIndexByte(arn, ':'); i >= 0 {
		rest, number = arn[:i], arn[i+1:]
	}
	region, name := "us-east-1", rest[strings.LastIndexByte(rest, ':')+1:]
	var f *function
	if v, ok := resource.FunctionVersions.Get(c.view, region, resource.FunctionPartID(name, number)); ok {
		rec := resource.Functions.Record(c.view, region, name)
		f = c.function(functionBuild{rec: rec, config: v.Config, code: v.Code, replica: true}, arn)
	}
	c.replicas[arn] = f
	return f
}

// function acquires a function, or says why there is none.
func (c *compiler) function(b functionBuild, arn string) *function {
	name := deref(b.config.FunctionName)
	f := &function{ARN: arn, Name: name, SourcePath: c.path(b.rec, ""), Role: deref(b.config.Role)}
	if f.Missing = b.code.Missing; f.Missing != "" {
		return f
	}
	report := c.report
	if b.replica { // the version has told it
		report = func(diag.Finding) {}
	}
	spec := lambda.Spec{
		Name: name, ARN: arn, Version: deref(b.config.Version), Runtime: deref(b.config.Runtime), Handler: deref(b.config.Handler),
		Code: lambda.Code{Zip: b.code.Zip, Dir: b.code.Dir, Inline: b.code.Inline}, Timeout: seconds(or(b.config.Timeout, 3)),
		MemoryMB: int(or(b.config.MemorySize, 128)), Region: b.rec.Key.Region, Account: c.env.Account, Role: f.Role, SourcePath: f.SourcePath,
	}
	if b.replica {
		spec.Name, spec.Region = replicaPrefix+name, c.env.Region
		spec.ARN = "arn:aws:lambda:" + spec.Region + ":" + c.env.Account + ":function:" + spec.Name + ":" + spec.Version
	}
	if b.code.Zip != nil {
		spec.Code.SHA256 = deref(b.config.CodeSha256)
	}
	if b.config.Environment != nil {
		spec.Environment = b.config.Environment.Variables
	}
	if b.concurrency != nil {
		spec.ReservedConcurrency = new(int(*b.concurrency))
	}
	if b.code.Dir != "" {
		revision, err := lambda.DirRevision(b.code.Dir)
		if err != nil {
			f.Missing = fmt.Sprintf("the code of %s cannot be read: %v", name, err)
			report(diag.Finding{Code: diag.TemplateCodeMissing, Severity: diag.Warning, Path: c.path(b.rec, "Code"), Message: f.Missing})
			return f
		}
		spec.Code.Revision = revision
	}
	spec.Credentials = c.credentials(f.Role, name)
	acquired, err := c.env.Functions.Acquire(spec)
	if err != nil {
		f.Missing = err.Error()
		finding := diag.Finding{Code: diag.TemplateCodeMissing, Severity: diag.Warning, Path: c.path(b.rec, "Code"), Message: f.Missing}
		var refused *lambda.Error
		if errors.As(err, &refused) && refused.Finding != nil {
			finding.Because, finding.Fixes = refused.Finding.Because, refused.Finding.Fixes
		}
		report(finding)
		return f
	}
	f.Function = acquired
	c.front.OnRelease(acquired.Release)
	return f
}

// alias makes an alias stand for its version.
func (c *compiler) alias(rec *store.Record, a *resource.FunctionAlias, policies map[policyKey]*iam.Document) {
	arn := deref(a.Value.AliasArn)
	base := strings.TrimSuffix(arn, ":"+deref(a.Value.Name))
	behind := c.functions[base+":"+deref(a.Value.FunctionVersion)]
	if behind == nil {
		return // its function is gone
	}
	f := *behind
	f.ARN, f.Policy = arn, policies[policyKey{rec.Key.Region, a.Function, deref(a.Value.Name)}]
	c.functions[arn] = &f
	if a.Value.RoutingConfig != nil && len(a.Value.RoutingConfig.AdditionalVersionWeights) > 0 {
		c.unsupported(rec, "RoutingConfig", "all calls of the alias go to version "+deref(a.Value.FunctionVersion))
	}
}

// policyKey names a resource policy: of a function, a version or an alias.
type policyKey struct{ region, function, qualifier string }

// functionPolicies parses all resource policies.
func (c *compiler) functionPolicies() map[policyKey]*iam.Document {
	type document struct {
		Version   string
		Statement []json.RawMessage
	}
	parts := map[policyKey]*document{}
	var order []policyKey
	for rec, p := range resource.FunctionPermissions.Everywhere(c.view) {
		k := policyKey{rec.Key.Region, p.Function, p.Qualifier}
		if parts[k] == nil {
			parts[k] = &document{Version: iam.Version2012}
			order = append(order, k)
		}
		parts[k].Statement = append(parts[k].Statement, json.RawMessage(p.Statement))
	}
	out := map[policyKey]*iam.Document{}
	for _, k := range order {
		text, err := json.Marshal(parts[k])
		if err == nil {
			out[k], err = iam.Parse(text)
		}
		if err != nil { // the service has checked each statement
			c.report(diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Path: k.function, Message: fmt.Sprintf("the resource policy of %s cannot be read: %v", k.function, err)})
			delete(out, k)
		}
	}
	return out
}

// functionFindings tells what of a function is not honoured.
func (c *compiler) functionFindings(rec *store.Record, f *resource.Function) {
	conf := f.Config
	if conf.VpcConfig != nil && len(conf.VpcConfig.SubnetIds) > 0 {
		c.unsupported(rec, "VpcConfig", "the function runs in this machine's network")
	}
	if len(conf.Layers) > 0 {
		c.unsupported(rec, "Layers", "the function does not find what its layers hold; put it into the function's own package")
	}
	if len(conf.FileSystemConfigs) > 0 {
		c.unsupported(rec, "FileSystemConfigs", "no file system is mounted")
	}
	if conf.DeadLetterConfig != nil && deref(conf.DeadLetterConfig.TargetArn) != "" {
		c.unsupported(rec, "DeadLetterConfig", "events that fail are lost")
	}
	if deref(conf.PackageType) == "Image" {
		c.unsupported(rec, "PackageType", "container images are not run: calls of the function fail; give its source with --function "+rec.Source.LogicalID+"=DIR")
	}
	if l := conf.LoggingConfig; l != nil && (deref(l.LogFormat) == "JSON" || deref(l.LogGroup) != "/aws/lambda/"+deref(conf.FunctionName)) {
		c.unsupported(rec, "LoggingConfig", "output goes to /aws/lambda/"+deref(conf.FunctionName)+" as it is written, whatever its level")
	}
	if conf.DurableConfig != nil {
		c.unsupported(rec, "DurableConfig", "executions do not outlive their invocation")
	}
}

// lambdaURL names the service's site in a Snapshot.
const lambdaURL = "lambda-url"

// functionURLs makes the service of function URLs, and its names.
func (c *compiler) functionURLs(policies map[policyKey]*iam.Document) {
	var plans []*url.Plan
	for rec, u := range resource.FunctionURLs.Everywhere(c.view) {
		if f := c.functions[deref(u.Config.FunctionArn)]; f != nil {
			p := c.functionURL(rec, u, f)
			p.Policy = policies[policyKey{rec.Key.Region, u.Function, u.Qualifier}]
			plans = append(plans, p)
			c.publicURL(p)
		}
	}
	service := url.New(url.Options{Directory: c.directory, Now: c.env.Now, Vouched: func(ctx context.Context) (url.Caller, bool) {
		caller, ok := bucket.CallerFrom(ctx)
		return url.Caller{Service: caller.Service, SourceARN: caller.SourceARN, SourceAccount: caller.SourceAccount}, ok
	}}, plans)
	for _, p := range plans {
		domain := ".lambda-url." + p.Region + ".on.aws"
		cert := &front.Certificate{ID: "Lambda's certificate of " + p.Region, Names: []string{"*" + domain}}
		c.add(c.front.Name(p.Host, front.Site{Handler: service, Service: lambdaURL, Certificate: cert}), p.SourcePath)
	}
}

// publicURL reports a public function URL that answers Forbidden to everyone, since a permission is missing.
func (c *compiler) publicURL(p *url.Plan) {
	if p.IAM {
		return
	}
	for _, missing := range p.Missing() {
		c.report(diag.Finding{Code: diag.PermissionMissing, Severity: diag.Warning, Path: p.SourcePath,
			Message: fmt.Sprintf("the function URL answers 403 Forbidden to everyone: nobody has the permission %s", missing),
			Because: []string{"AuthType NONE needs both lambda:InvokeFunctionUrl and lambda:InvokeFunction in the function's policy"},
			Fixes:   []string{fmt.Sprintf("add an AWS::Lambda::Permission with Action %s and Principal \"*\"", missing)},
			Doc:     "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"})
	}
}

// functionURL compiles one function URL.
func (c *compiler) functionURL(rec *store.Record, u *resource.FunctionURL, f *function) *url.Plan {
	p := &url.Plan{ID: u.ID, Host: u.ID + ".lambda-url." + rec.Key.Region + ".on.aws", Region: rec.Key.Region, Account: c.env.Account,
		FunctionARN: deref(u.Config.FunctionArn), IAM: deref(u.Config.AuthType) == "AWS_IAM", SourcePath: c.path(rec, ""), PolicyPath: f.SourcePath,
		Invoke: func(ctx context.Context, inv lambda.Invocation) (lambda.Result, error) {
			if f.Function == nil {
				return lambda.Result{}, errors.New(f.Missing)
			}
			return f.Invoke(ctx, inv)
		}}
	if k := u.Config.Cors; k != nil && len(k.AllowOrigins) > 0 {
		p.CORS = &url.CORS{Credentials: deref(k.AllowCredentials), Headers: k.AllowHeaders, Methods: k.AllowMethods, Origins: k.AllowOrigins, Expose: k.ExposeHeaders, MaxAge: deref(k.MaxAge)}
	}
	if deref(u.Config.InvokeMode) == "RESPONSE_STREAM" {
		c.unsupported(rec, "InvokeMode", "answers are sent when they are whole, and awslambda.streamifyResponse does not exist")
	}
	c.front.Endpoint(front.Endpoint{LogicalID: rec.Source.LogicalID, Type: "AWS::Lambda::Url", ID: u.ID, Hosts: []string{p.Host}})
	return p
}
