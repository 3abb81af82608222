package stack

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// fail reports why a resource was not made.
func (d *deployment) fail(res *cloudformation.Resource, typ *resourceType, props *template.Value, err error) {
	if res != nil {
		d.fails[res.LogicalID] = true
	}
	var refused *refusal
	var finding *diag.Finding
	var api *awsapi.Error
	switch {
	case errors.As(err, &refused):
		d.report(props, refused.found...)
	case errors.As(err, &api) && res != nil:
		d.report(props, d.handlerFailure(res, typ, props, api))
	case errors.As(err, &finding):
		f := *finding
		f.Severity = diag.Error
		d.report(props, f)
	default:
		f := diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Message: err.Error()}
		if res != nil {
			f.Path, f.Position = "Resources."+res.LogicalID, res.Position
		}
		d.report(props, f)
	}
}

// handlerFailure makes the finding for what a service refused: its own words, at the place in the template.
func (d *deployment) handlerFailure(res *cloudformation.Resource, typ *resourceType, props *template.Value, e *awsapi.Error) diag.Finding {
	f := diag.Finding{Code: diag.RefusedByAWS}
	if e.Finding != nil {
		f = *e.Finding
	}
	if f.Path == "" {
		f.Path = violationPath(e.Message)
	}
	at := locate(props, f.Path, &typ.spelling)
	if e.Code == missingArgument {
		return required(res.LogicalID, at, f, &typ.spelling)
	}
	f.Severity = diag.Error
	f.Path, f.Position = at.Path(), at.Position
	if f.Code == diag.UnsupportedProperty {
		f.Message = fmt.Sprintf("%s (%s): %s", res.LogicalID, res.Type, f.Message)
		return f
	}
	f.Message = fmt.Sprintf("AWS refuses %s (%s): %s", res.LogicalID, res.Type, e.Message)
	if e.Code == "NotImplemented" {
		f.Code, f.Message = diag.UnsupportedProperty, fmt.Sprintf("%s (%s) cannot be made: %s", res.LogicalID, res.Type, e.Message)
		return f
	}
	status := e.Status
	if status == 0 && f.AWSError != nil {
		status = f.AWSError.Status
	}
	f.AWSError = &diag.AWSError{Code: e.Code, Status: status, Message: e.Message}
	return f
}

// missingArgument is CloudFront's code for a required member that is not there.
const missingArgument = "MissingArgument"

// required says in CloudFormation's words that a property is missing: its schema check comes before the service's.
func required(logicalID string, at *template.Value, f diag.Finding, sp *spelling) diag.Finding {
	key := f.Path[strings.LastIndexByte(f.Path, '.')+1:]
	for from, to := range sp.rename {
		if to == key {
			key = from[strings.IndexByte(from, '.')+1:]
		}
	}
	out := schemaFinding(logicalID, at, fmt.Sprintf("required key [%s] not found", key))
	out.Because, out.Fixes, out.Doc = f.Because, []string{"add " + key}, f.Doc
	return out
}

// report adds findings about props without the secrets that a service may have quoted.
func (d *deployment) report(props *template.Value, found ...diag.Finding) {
	hide := d.concealer(props)
	for _, f := range found {
		f.Message = hide.Replace(f.Message)
		f.Because, f.Fixes = replaceAll(hide, f.Because), replaceAll(hide, f.Fixes)
		if f.AWSError != nil {
			f.AWSError = &diag.AWSError{Code: f.AWSError.Code, Status: f.AWSError.Status, Message: hide.Replace(f.AWSError.Message)}
		}
		d.found = append(d.found, f)
	}
}

func replaceAll(r *strings.Replacer, all []string) []string {
	out := slices.Clone(all)
	for i := range out {
		out[i] = r.Replace(out[i])
	}
	return out
}

// concealer hides the values of NoEcho parameters and of all that was made from them.
func (d *deployment) concealer(props *template.Value) *strings.Replacer {
	var secrets []string
	add := func(text string) {
		if text == "" || slices.Contains(secrets, text) {
			return
		}
		secrets = append(secrets, text)
		if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
			secrets = append(secrets, quoted[1:len(quoted)-1]) // as %q shows it
		}
	}
	if d.instance != nil {
		for _, p := range d.instance.Parameters {
			if p.NoEcho {
				add(p.Text)
			}
		}
	}
	if props != nil {
		props.Walk(func(v *template.Value) bool {
			if v.Secret && v.IsScalar() {
				add(v.Text)
			}
			return true
		})
	}
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // the longest first
	var pairs []string
	for _, s := range secrets {
		pairs = append(pairs, s, "****")
	}
	return strings.NewReplacer(pairs...)
}
