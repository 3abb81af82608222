package stack

import (
	"context"
	"fmt"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

// resourceType says how a CloudFormation type is made through a service's handler.
type resourceType struct {
	// required lists the top-level properties that the type's schema requires.
	required []string
	// replace lists the top-level properties whose change makes a new resource (facts: cloudformation 3).
	replace  []string
	spelling spelling
	// lists names the attributes that are lists; they are kept as one text, joined with commas.
	lists  map[string]bool
	create func(ctx context.Context, r *request) (made, error)
	// update changes a resource in place; nil: every change replaces it.
	update func(ctx context.Context, r *request, old resource.StackResource) (made, error)
	delete func(ctx context.Context, s *Services, old resource.StackResource) error
}

// made is what a create or update leads to.
type made struct {
	// id is what Ref returns.
	id string
	// attributes are what Fn::GetAtt returns.
	attributes map[string]string
}

// request is one resource to be made.
type request struct {
	*Services
	typ       *resourceType
	typeName  string
	logicalID string
	// props are the evaluated properties; a map, never nil.
	props *template.Value
	stack *deployment
}

func (r *request) stackName() string { return r.stack.opts.StackName }

// into fills an API input from all properties.
func (r *request) into(dst any, shape *awsapi.Shape) error { return r.part(dst, shape, r.props) }

// part fills an API input from some of the properties, which may be nil.
func (r *request) part(dst any, shape *awsapi.Shape, props *template.Value) error {
	if found := convert(dst, shape, props, &r.typ.spelling, r.logicalID); len(found) > 0 {
		return &refusal{found}
	}
	return nil
}

// text returns a top-level property as text, "" when it is not there.
func (r *request) text(name string) string {
	if v := r.props.Get(name); v.IsScalar() {
		return v.Text
	}
	return ""
}

// name returns the property called key, or a name made of stack and logical id as CloudFormation makes it, at most limit
// characters (facts: cloudformation 2).
func (r *request) name(key string, limit int) string {
	if n := r.text(key); n != "" {
		return n
	}
	suffix := "-" + r.Env.NewID(r.stack.sourced(context.Background(), r.logicalID), physicalName, nil)
	front := r.stackName() + "-" + r.logicalID
	return front[:min(len(front), limit-len(suffix))] + suffix
}

// deref returns the text that a pointer points at, "" for nil.
func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// refusal is findings as an error.
type refusal struct{ found []diag.Finding }

func (e *refusal) Error() string { return e.found[0].Message }

// missing is the error for a property that the type requires.
func missing(r *request, key string) error {
	text := fmt.Sprintf("Properties validation failed for resource %s with message:\n#: required key [%s] not found", r.logicalID, key)
	return &refusal{[]diag.Finding{{
		Code: diag.InvalidTemplate, Severity: diag.Error, Path: r.props.Path(), Position: r.props.Position, Message: text,
		Fixes:    []string{"add " + key},
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text},
	}}}
}

// text returns the text of an entry of v, "" when it is not there.
func text(v *template.Value, key string) string {
	if e := v.Get(key); e.IsScalar() {
		return e.Text
	}
	return ""
}
