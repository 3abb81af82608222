package stack

import (
	"context"
	"fmt"
	"slices"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// others are the stacks of the region without this one.
func (d *deployment) others(ctx context.Context) []*resource.Stack {
	var out []*resource.Stack
	for _, s := range resource.Stacks.All(d.services.Env.Store.Read(ctx), d.opts.Region) {
		if s.Name != d.opts.StackName {
			out = append(out, s)
		}
	}
	return out
}

// imported answers Fn::ImportValue from the other stacks, and remembers what was asked for.
func (d *deployment) imported(ctx context.Context, export string) (string, error) {
	for _, s := range d.others(ctx) {
		for _, o := range s.Outputs {
			if o.ExportName == export {
				d.imports[export] = true
				return o.Value, nil
			}
		}
	}
	d.awaits = true
	return "", &diag.Finding{Code: diag.InvalidTemplate, Severity: diag.Error, Message: "No export named " + export + " found."} // AWS's text
}

// checkExports refuses names that another stack exports, and changes to what another stack imports. AWS's texts: the title of
// aws-amplify/amplify-cli 1581, linz/geostore 630, rlister/stax 40.
func (d *deployment) checkExports(ctx context.Context, now, old *resource.Stack) {
	others := d.others(ctx)
	for _, o := range now.Outputs {
		for _, s := range others {
			if o.ExportName != "" && slices.ContainsFunc(s.Outputs, func(x resource.StackOutput) bool { return x.ExportName == o.ExportName }) {
				d.refuseExport(o.Key, fmt.Sprintf("Export with name %s is already exported by stack %s", o.ExportName, s.Name), "export it under another name: names are unique in a region")
			}
		}
	}
	if old == nil || d.opts.Fresh { // fresh stacks are all made anew, so importers take the new value
		return
	}
	for _, o := range old.Outputs {
		i := slices.IndexFunc(now.Outputs, func(x resource.StackOutput) bool { return x.ExportName == o.ExportName })
		verb := "deleted"
		if i >= 0 {
			verb = "updated"
		}
		for _, s := range others {
			if o.ExportName != "" && slices.Contains(s.Imports, o.ExportName) && (i < 0 || now.Outputs[i].Value != o.Value) {
				d.refuseExport(o.Key, fmt.Sprintf("Export %s cannot be %s as it is in use by %s", o.ExportName, verb, s.Name), "take the Fn::ImportValue out of "+s.Name+" first")
			}
		}
	}
}

// refuseExport reports an export at its output, where the template still has it.
func (d *deployment) refuseExport(output, text, fix string) {
	f := diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: "Outputs." + output, Message: text, Fixes: []string{fix},
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}}
	if i := slices.IndexFunc(d.instance.Outputs, func(o *cloudformation.Output) bool { return o.Name == output }); i >= 0 {
		f.Position = d.instance.Outputs[i].Position
	}
	d.found = append(d.found, f)
}
