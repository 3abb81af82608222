package compile

import (
	"errors"
	"fmt"
	"strings"

	awscloudfront "github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/edge"
	"github.com/foregate/foregate/internal/function/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// edgeFunction is a CloudFront Function as behaviors refer to it.
type edgeFunction struct {
	*cloudfront.Function
	// Missing says why there is no Function.
	Missing string
}

// edgeFunctions compiles the live stage of every CloudFront Function.
func (c *compiler) edgeFunctionsStage() {
	c.edgeFunctions = map[string]edgeFunction{}
	for rec, f := range resource.CloudFrontFunctions.All(c.view, resource.Global) {
		if f.Live == nil {
			continue
		}
		arn := "arn:aws:cloudfront::" + c.env.Account + ":function/" + f.Name
		spec := cloudfront.Spec{Name: f.Name, Runtime: deref(f.Live.Config.Runtime), Code: f.Live.Code}
		if kvs, v := f.Live.KeyValueStore(c.view); v != nil {
			spec.Store = &cloudfront.Store{ID: v.ID, Items: v.Items, Created: kvs.Created, Updated: kvs.Updated}
		}
		compiled, err := c.env.EdgeFunctions.Compile(spec)
		if err == nil {
			c.edgeFunctions[arn] = edgeFunction{Function: compiled}
			continue
		}
		c.edgeFunctions[arn] = edgeFunction{Missing: err.Error()}
		finding := diag.Finding{Code: diag.FunctionSyntax, Severity: diag.Error, Path: c.path(rec, "FunctionCode"),
			Message: fmt.Sprintf("the code of %s does not compile, so every call of it fails: %v", f.Name, err),
			Because: []string{"AWS takes such code, and answers with 503 FunctionExecutionError"},
			Fixes:   []string{"write only what " + deref(f.Live.Config.Runtime) + " has; a bundler can translate newer syntax"},
			Doc:     "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-javascript-runtime-features.html"}
		if s := (*cloudfront.SyntaxError)(nil); errors.As(err, &s) {
			finding.Because = append([]string{fmt.Sprintf("line %d of the function", s.Line)}, finding.Because...)
		}
		c.report(finding)
	}
}

// edgeFunctionsOf are the CloudFront Functions of a behavior.
func (d *distributionCompiler) edgeFunctionsOf(rec *store.Record, out *edge.Behavior, path string, list *awscloudfront.FunctionAssociations) {
	if list == nil {
		return
	}
	for i, a := range list.Items {
		arn := deref(a.FunctionARN)
		name := arn[strings.LastIndexByte(arn, '/')+1:]
		assoc := &edge.FunctionAssociation{ARN: arn, Name: name, Throttle: d.env.EdgeFunctions.Throttle(name), SourcePath: d.path(rec, fmt.Sprintf("%s.FunctionAssociations[%d]", path, i))}
		if f, ok := d.edgeFunctions[arn]; ok {
			assoc.Function, assoc.Missing = f.Function, f.Missing
		} else { // the service has checked it
			assoc.Missing = "there is no published function " + arn
		}
		if deref(a.EventType) == "viewer-request" {
			out.ViewerRequestFunction = assoc
		} else {
			out.ViewerResponseFunction = assoc
		}
	}
}
