// Package stack is CloudFormation's engine: it makes, changes and deletes the resources of a template by calling the service
// handlers, exactly as an API client would.
//
// Start with Services.Deploy, and types.go for what a resource type is; the types of each service are in types_<service>.go. A
// deployment happens inside a store.Batch: either all of it is committed as one change, or nothing has happened. The package
// decides nothing about a resource's validity: the handlers do, and what they refuse becomes a finding with the place in the
// template.
package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/acm"
	"github.com/foregate/foregate/internal/awsapi/apigateway"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/awsapi/s3"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// Services are the handlers that resources are made through.
type Services struct {
	Env        *service.Env
	ACM        acm.Handler
	APIGateway apigateway.Handler
	CloudFront cloudfront.Handler
	IAM        iam.Handler
	Lambda     lambda.Handler
	Logs       logs.Handler
	Route53    route53.Handler
	S3         s3.Handler
}

// Options say where and how a template is deployed.
type Options struct {
	Region, Account, StackName string
	// Parameters are the values of the command line.
	Parameters map[string]string
	// Folder is where the template lies; relative paths of code start there.
	Folder string
	// Functions gives functions their code, a folder or a zip file by logical id, whatever the template says.
	Functions map[string]string
	// Fresh makes every resource anew instead of comparing with the stack as it is. Resources keep their ids.
	Fresh bool
}

// Outcome is what a deployment led to.
type Outcome struct {
	// Stack is nil when the deployment was refused: nothing has changed then.
	Stack    *resource.Stack
	Findings []diag.Finding
	// Awaits is set when the deployment was refused for an export that no stack has yet.
	Awaits bool
	// Secret tells for each output whether it shows a secret.
	Secret map[string]bool
}

// physicalName is the random part of generated names (facts: cloudformation 2).
var physicalName = service.ID{Kind: "physical-name", Alphabet: service.Upper, Length: 12}

// deployment is one run of Deploy.
type deployment struct {
	services *Services
	opts     Options
	stackID  string
	instance *cloudformation.Instance
	old      map[string]resource.StackResource
	// done has what exists so far; failed and those that depend on them are not in it.
	done    map[string]resource.StackResource
	order   []string
	fails   map[string]bool
	found   []diag.Finding
	outputs map[string]bool
	imports map[string]bool // what Fn::ImportValue has found
	awaits  bool
}

// Deploy makes the stack, or brings it to what the template says. ctx must not be in a batch.
func (s *Services) Deploy(ctx context.Context, t *cloudformation.Template, opts Options) Outcome {
	ctx = awsapi.WithCall(ctx, &awsapi.Call{
		Region: opts.Region, Account: opts.Account, RequestID: s.Env.NewUUID(ctx, "request", nil),
		Caller: awsapi.Caller{ARN: "arn:" + arn.Partition(opts.Region) + ":iam::" + opts.Account + ":root", Account: opts.Account, UserID: opts.Account, Root: true},
	})
	d := &deployment{services: s, opts: opts, old: map[string]resource.StackResource{}, done: map[string]resource.StackResource{}, fails: map[string]bool{}, outputs: map[string]bool{}, imports: map[string]bool{}}
	ctx, batch := s.Env.Store.Begin(ctx)
	defer batch.Discard()
	previous := d.previous(ctx)
	if d.bind(ctx, t); d.instance == nil {
		return Outcome{Findings: d.found}
	}
	if opts.Fresh {
		d.removeAll(ctx, previous)
	}
	for _, id := range d.instance.Order {
		d.resource(ctx, id)
	}
	d.removeLeft(ctx, previous)
	stack := d.record(ctx, previous)
	if diag.Worst(d.found) == diag.Error {
		return Outcome{Findings: d.found, Awaits: d.awaits}
	}
	if _, err := s.Env.Store.Update(ctx, func(tx *store.Tx) error { resource.Stacks.Put(tx, opts.Region, opts.StackName, stack); return nil }); err == nil {
		_, err = batch.Commit()
		if err == nil {
			return Outcome{Stack: stack, Findings: d.found, Secret: d.outputs}
		}
		d.found = append(d.found, diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Message: err.Error()})
	}
	return Outcome{Findings: d.found}
}

// previous reads the stack as it is and sets the stack's id.
func (d *deployment) previous(ctx context.Context) *resource.Stack {
	env := d.services.Env
	old, ok := resource.Stacks.Get(env.Store.Read(ctx), d.opts.Region, d.opts.StackName)
	if ok {
		d.stackID = old.ID
		if !d.opts.Fresh {
			for _, r := range old.Resources {
				d.old[r.LogicalID] = r
			}
		}
		return old
	}
	uuid := env.NewUUID(store.WithSource(ctx, store.Source{Stack: d.opts.StackName, LogicalID: d.opts.Region}), "stack", nil)
	d.stackID = fmt.Sprintf("arn:%s:cloudformation:%s:%s:stack/%s/%s", arn.Partition(d.opts.Region), d.opts.Region, d.opts.Account, d.opts.StackName, uuid)
	return nil
}

func (d *deployment) bind(ctx context.Context, t *cloudformation.Template) {
	inputs := map[string]cloudformation.ParameterInput{}
	for k, v := range d.opts.Parameters {
		inputs[k] = cloudformation.ParameterInput{Value: v, Source: diag.Position{File: "-p " + k}}
	}
	in, found := t.Bind(cloudformation.Environment{
		Region: d.opts.Region, Account: d.opts.Account, StackName: d.opts.StackName, StackID: d.stackID, Parameters: inputs,
		Hooks: d.hooks(ctx, t),
	})
	d.found = append(d.found, found...)
	d.instance = in
}

// sourced marks what is written for a resource as coming from it.
func (d *deployment) sourced(ctx context.Context, logicalID string) context.Context {
	return store.WithSource(ctx, store.Source{Stack: d.opts.StackName, LogicalID: logicalID})
}

// resource makes or changes one resource, or reports why not.
func (d *deployment) resource(ctx context.Context, id string) {
	res := d.instance.Resource(id)
	for _, dep := range d.instance.Dependencies(id) {
		if d.fails[dep] {
			d.fails[id] = true // its cause is reported
			return
		}
	}
	typ, known := resourceTypes[res.Type]
	if !known {
		d.unknown(res)
		return
	}
	evaluated, err := d.instance.Evaluate(id, d)
	mark := len(d.found)
	if err != nil {
		d.fail(res, nil, nil, err)
		d.leaveOut(res, nil, mark)
		return
	}
	r := &request{Services: d.services, typ: typ, typeName: res.Type, logicalID: id, props: evaluated.Properties, stack: d}
	for _, key := range typ.required {
		if evaluated.Properties.Get(key) == nil {
			d.fail(res, typ, r.props, missing(r, key))
			return
		}
	}
	props := evaluated.Properties.AppendJSON(nil)
	m, err := d.bring(d.sourced(ctx, id), r, props)
	if err != nil {
		d.fail(res, typ, r.props, err)
		d.leaveOut(res, r.props, mark)
		return
	}
	d.keep(resource.StackResource{LogicalID: id, Type: res.Type, PhysicalID: m.id, Attributes: m.attributes, Properties: props, Retain: res.DeletionPolicy != "Delete"})
}

func (d *deployment) keep(r resource.StackResource) {
	d.done[r.LogicalID] = r
	d.order = append(d.order, r.LogicalID)
}

// bring leads a resource from what it was to what it should be.
func (d *deployment) bring(ctx context.Context, r *request, props []byte) (made, error) {
	old, existed := d.old[r.logicalID]
	if !existed || old.Absent || old.Type != r.typeName {
		return r.typ.create(ctx, r)
	}
	same := bytes.Equal(old.Properties, props)
	if same && (!d.opts.Fresh || r.typ.update == nil) {
		return made{old.PhysicalID, old.Attributes}, nil
	}
	if r.typ.update == nil || !same && changed(old.Properties, props, r.typ.replace) {
		return r.typ.create(ctx, r) // removeLeft deletes the old one
	}
	return r.typ.update(ctx, r, old)
}

// changed tells whether one of the top-level properties differs.
func changed(old, new []byte, keys []string) bool {
	var a, b map[string]json.RawMessage
	if json.Unmarshal(old, &a) != nil || json.Unmarshal(new, &b) != nil {
		return true
	}
	return slices.ContainsFunc(keys, func(k string) bool { return !bytes.Equal(a[k], b[k]) })
}

// Ref returns what Ref yields for a resource that exists.
func (d *deployment) Ref(logicalID string) (any, error) {
	r, ok := d.done[logicalID]
	if !ok {
		return nil, fmt.Errorf("refer to %q: it has not been made", logicalID)
	}
	return r.PhysicalID, nil
}

// GetAtt returns an attribute of a resource that exists.
func (d *deployment) GetAtt(logicalID, attribute string) (any, error) {
	r, ok := d.done[logicalID]
	if !ok {
		return nil, fmt.Errorf("refer to %q: it has not been made", logicalID)
	}
	if v, ok := r.Attributes[attribute]; ok {
		if typ := resourceTypes[r.Type]; typ != nil && typ.lists[attribute] {
			return strings.Split(v, ","), nil
		}
		return v, nil
	}
	if r.Absent {
		return d.madeUp(r, attribute), nil
	}
	text := fmt.Sprintf("Template error: resource %s does not support attribute type %s in Fn::GetAtt", logicalID, attribute)
	return nil, &diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Message: text,
		Fixes:    []string{"attributes of " + r.Type + ": " + strings.Join(slices.Sorted(maps.Keys(r.Attributes)), ", ")},
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}}
}

// removeAll deletes every resource of the stack, the last made first. What others use stays and is changed in place: another
// stack, or what somebody has made over the API.
func (d *deployment) removeAll(ctx context.Context, old *resource.Stack) {
	if old == nil {
		return
	}
	for _, r := range slices.Backward(old.Resources) {
		res := d.instance.Resource(r.LogicalID)
		if res == nil && r.Retain {
			continue
		}
		if f := d.remove(ctx, r); f != nil && res == nil {
			d.found = append(d.found, *f)
		} else if f != nil {
			d.old[r.LogicalID] = r
		}
	}
}

// removeLeft deletes what the template no longer has, and what was replaced.
func (d *deployment) removeLeft(ctx context.Context, old *resource.Stack) {
	if old == nil || d.opts.Fresh {
		return
	}
	for _, r := range slices.Backward(old.Resources) {
		now, still := d.done[r.LogicalID]
		switch {
		case d.fails[r.LogicalID], still && now.PhysicalID == r.PhysicalID && now.Type == r.Type, !still && r.Retain:
			continue
		case still && d.instance.Resource(r.LogicalID).UpdateReplacePolicy != "Delete":
			continue // the old resource outlives its replacement
		}
		if f := d.remove(ctx, r); f != nil {
			d.found = append(d.found, *f)
		}
	}
}

// remove deletes a resource; the finding says why it cannot.
func (d *deployment) remove(ctx context.Context, r resource.StackResource) *diag.Finding {
	typ, ok := resourceTypes[r.Type]
	if !ok || r.Absent || typ.delete == nil {
		return nil
	}
	err := typ.delete(d.sourced(ctx, r.LogicalID), d.services, r)
	if err == nil {
		return nil
	}
	e := awsapi.AsError(err)
	if e.Status == 404 || strings.HasPrefix(e.Code, "NoSuch") || strings.Contains(e.Code, "NotFound") {
		return nil // somebody has deleted it over the API already
	}
	return &diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: "Resources." + r.LogicalID,
		Message: fmt.Sprintf("%s (%s) cannot be deleted: %s", r.LogicalID, r.Type, e.Message), AWSError: &diag.AWSError{Code: e.Code, Status: e.Status, Message: e.Message}}
}

// record evaluates the outputs and makes the stack's record.
func (d *deployment) record(ctx context.Context, old *resource.Stack) *resource.Stack {
	now := d.services.Env.Now().UTC()
	s := &resource.Stack{Name: d.opts.StackName, ID: d.stackID, Created: now, Updated: now, Parameters: map[string]string{}}
	if old != nil {
		s.Created = old.Created
	}
	for _, p := range d.instance.Parameters {
		if !p.NoEcho {
			s.Parameters[p.Name] = p.Text
		}
	}
	for _, id := range d.order {
		s.Resources = append(s.Resources, d.done[id])
	}
	if len(d.fails) > 0 {
		return s
	}
	for _, o := range d.instance.Outputs {
		v, err := d.instance.EvaluateOutput(o, d)
		if err != nil {
			d.fail(nil, nil, nil, err)
			continue
		}
		d.outputs[o.Name] = v.Value.Secret
		s.Outputs = append(s.Outputs, resource.StackOutput{Key: o.Name, Value: v.Value.Text, Description: o.Description, ExportName: v.ExportName})
	}
	s.Imports = slices.Sorted(maps.Keys(d.imports))
	d.checkExports(ctx, s, old)
	return s
}
