package cloudformation

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// Resolver knows the resources that exist already. The values are strings, booleans, numbers, json.Number, []string, []any,
// map[string]any or *template.Value. An error that is a *diag.Finding is given the place of the reference.
type Resolver interface {
	// Ref returns what Ref yields for a resource.
	Ref(logicalID string) (any, error)
	// GetAtt returns an attribute of a resource, such as DomainName or Outputs.Url.
	GetAtt(logicalID, attribute string) (any, error)
}

// maxEvaluated bounds how many values one evaluation may make: functions can multiply.
const maxEvaluated = 1_000_000

// maxText bounds the bytes that the functions of one evaluation may make; a template has at most 1 MB.
const maxText = 32 << 20

// Evaluate computes the properties of a resource. All its Dependencies must be known to the resolver. Each value of the
// result has its place in the file and its path, Resources.ID.Properties.…, without the functions that led to it. Secrets
// are marked. The error is a *diag.Finding, or wraps what the resolver returned.
func (in *Instance) Evaluate(id string, r Resolver) (*template.Resource, error) {
	res := in.Resource(id)
	if res == nil {
		return nil, fmt.Errorf("evaluate resource %q: it does not exist in this stack", id)
	}
	root := template.Place{Root: "Resources." + id + ".Properties"}
	out := &template.Resource{LogicalID: id, Type: res.Type, Position: res.Position}
	var v *template.Value
	if res.Properties != nil {
		var err error
		if v, err = in.EvaluateValue(res.Properties, root, r); err != nil {
			return nil, err
		}
	}
	if v == nil {
		v = template.New(template.Map, res.Position, root)
	}
	if v.Kind != template.Map {
		return nil, refused(at(res.Properties), fmt.Sprintf("Template format error: [%s] Every Properties member must be an object.",
			pointer(res.Properties.Path()))) // our words
	}
	out.Properties = v
	return out, nil
}

// EvaluateValue computes any value of the template, such as a resource's Metadata or UpdatePolicy, and hangs it at a place.
// The result is nil when it is AWS::NoValue.
func (in *Instance) EvaluateValue(v *template.Value, root template.Place, r Resolver) (*template.Value, error) {
	e := &evaluator{in: in, ctx: inResource, resolver: r}
	out, err := e.value(v, root)
	if err != nil || out == nil {
		return nil, err
	}
	return out, e.dynamic(out)
}

// OutputValue is an output with its value.
type OutputValue struct {
	Name, Description string
	Position          diag.Position
	// Value is a string as a rule; CloudFormation wants strings here.
	Value *template.Value
	// ExportName is "" when the output is not exported.
	ExportName string
}

// EvaluateOutput computes an output; all resources must be known to the resolver.
func (in *Instance) EvaluateOutput(o *Output, r Resolver) (*OutputValue, error) {
	e := &evaluator{in: in, ctx: inOutput, resolver: r}
	v, err := e.value(o.Value, template.Place{Root: "Outputs." + o.Name + ".Value"})
	if err != nil {
		return nil, err
	}
	if !v.IsScalar() {
		return nil, refused(at(o.Value), "Template format error: The Value field of every Outputs member must evaluate to a String.",
			"join a list with Fn::Join")
	}
	if err := e.dynamic(v); err != nil {
		return nil, err
	}
	out := &OutputValue{Name: o.Name, Description: o.Description, Position: o.Position, Value: v}
	if o.ExportName != nil {
		name, err := e.text(o.ExportName, "Template format error: Output "+o.Name+" is malformed. The Name field of every Export member must evaluate to a String.")
		if err != nil {
			return nil, err
		}
		out.ExportName = name.Text
	}
	return out, nil
}

// evaluator computes values. It is for one goroutine.
type evaluator struct {
	in       *Instance
	ctx      context
	resolver Resolver
	made     int
	bytes    int
}

func (e *evaluator) count(v *template.Value) error {
	if e.made++; e.made > maxEvaluated {
		return refused(at(v), fmt.Sprintf("Template error: functions yield more than %d values", maxEvaluated)) // our words
	}
	return nil
}

// value computes v at a place. It returns nil for AWS::NoValue.
func (e *evaluator) value(v *template.Value, place template.Place) (*template.Value, error) {
	if err := e.count(v); err != nil {
		return nil, err
	}
	if name, arg, ok := call(v, e.ctx); ok {
		return e.call(v, name, arg, place)
	}
	switch v.Kind {
	case template.List:
		out := template.New(template.List, v.Position, place)
		out.Items = make([]*template.Value, 0, len(v.Items))
		for _, item := range v.Items {
			x, err := e.value(item, out.AtIndex(len(out.Items)))
			if err != nil {
				return nil, err
			}
			if x != nil {
				out.Items = append(out.Items, x)
			}
		}
		return out, nil
	case template.Map:
		out := template.New(template.Map, v.Position, place)
		out.Fields = make([]template.Field, 0, len(v.Fields))
		for _, f := range v.Fields {
			x, err := e.value(f.Value, out.At(f.Key))
			if err != nil {
				return nil, err
			}
			if x != nil {
				out.Fields = append(out.Fields, template.Field{Key: f.Key, KeyPosition: f.KeyPosition, Value: x})
			}
		}
		return out, nil
	}
	return v.Copy(place), nil
}

func (e *evaluator) call(v *template.Value, name string, arg *template.Value, place template.Place) (*template.Value, error) {
	if f := e.in.Template.checkCall(v, name, arg, e.ctx); f != nil {
		return nil, f
	}
	switch name {
	case "Ref":
		return e.ref(v, arg.Text, place)
	case "Fn::GetAtt":
		return e.getAtt(v, arg, place)
	case "Fn::Sub":
		return e.sub(v, arg, place)
	case "Fn::If":
		return e.choose(v, arg, place)
	case "Fn::Join":
		return e.join(v, arg, place)
	case "Fn::Select":
		return e.pick(v, arg, place)
	case "Fn::Split":
		return e.split(v, arg, place)
	case "Fn::Base64":
		return e.base64(v, arg, place)
	case "Fn::Cidr":
		return e.cidr(v, arg, place)
	case "Fn::FindInMap":
		return e.findInMap(v, arg, place)
	case "Fn::GetAZs":
		return e.zones(v, arg, place)
	case "Fn::ImportValue":
		return e.importValue(v, arg, place)
	case "Fn::Length":
		return e.length(v, arg, place)
	case "Fn::ToJsonString":
		return e.toJSON(v, arg, place)
	case "Fn::RefAll", "Fn::ValueOf", "Fn::ValueOfAll":
		return e.ruleValue(v, name, arg, place)
	}
	holds, err := e.decide(v)
	if err != nil {
		return nil, err
	}
	return template.NewText(template.Bool, strconv.FormatBool(holds), v.Position, place), nil
}

func (e *evaluator) ref(v *template.Value, name string, place template.Place) (*template.Value, error) {
	if name == "AWS::NoValue" {
		return nil, nil
	}
	if p := e.in.parameters[name]; p != nil {
		return e.moved(p.Value, v, place)
	}
	if x := e.in.pseudo(name, v, place); x != nil {
		return x, nil
	}
	if e.resolver == nil || e.in.Template.Resource(name) == nil {
		return nil, refused(at(v), fmt.Sprintf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name))
	}
	x, err := e.resolver.Ref(name)
	return e.resolved(v, place, x, err, "Ref "+name)
}

func (e *evaluator) getAtt(v, arg *template.Value, place template.Place) (*template.Value, error) {
	id, attr, rest := getAttParts(arg)
	if rest != nil {
		x, err := e.text(rest, textGetAtt)
		if err != nil {
			return nil, err
		}
		attr = x.Text
	}
	return e.attribute(v, id, attr, place)
}

func (e *evaluator) attribute(v *template.Value, id, attr string, place template.Place) (*template.Value, error) {
	if e.resolver == nil || e.in.Template.Resource(id) == nil {
		return nil, refused(at(v), "Template error: instance of Fn::GetAtt references undefined resource "+id)
	}
	x, err := e.resolver.GetAtt(id, attr)
	return e.resolved(v, place, x, err, "Fn::GetAtt "+id+"."+attr)
}

// resolved turns what a resolver returned into a value.
func (e *evaluator) resolved(v *template.Value, place template.Place, x any, err error, what string) (*template.Value, error) {
	if err != nil {
		return nil, placed(err, v, what)
	}
	out, err := e.fromGo(x, v, place)
	if err != nil {
		return nil, placed(err, v, what)
	}
	return out, nil
}

// placed gives an error the place of the function that met it.
func placed(err error, v *template.Value, what string) error {
	var f *diag.Finding
	if !errors.As(err, &f) {
		return fmt.Errorf("%s: resolve %s: %w", v.Position, what, err)
	}
	if f.Position != (diag.Position{}) {
		return err
	}
	c := *f
	c.Position, c.Path = v.Position, v.Path()
	return &c
}

// moved copies a value to where a function stands: its positions are those of the function.
func (e *evaluator) moved(x, v *template.Value, place template.Place) (*template.Value, error) {
	var err error
	x.Walk(func(n *template.Value) bool {
		if err = e.count(v); err == nil {
			err = e.charge(v, n.Text)
		}
		return err == nil
	})
	if err != nil {
		return nil, err
	}
	c := x.Copy(place)
	c.Walk(func(n *template.Value) bool {
		n.Position = v.Position
		return true
	})
	return c, nil
}

func (e *evaluator) charge(v *template.Value, text string) error {
	if e.bytes += len(text); e.bytes > maxText {
		return refused(at(v), fmt.Sprintf("Template error: functions yield more than %d bytes", maxText)) // our words
	}
	return nil
}

// fromGo makes a value of what a resolver or a hook returned. Maps are sorted by key.
func (e *evaluator) fromGo(x any, v *template.Value, place template.Place) (*template.Value, error) {
	if err := e.count(v); err != nil {
		return nil, err
	}
	text := func(kind template.Kind, s string) (*template.Value, error) {
		return template.NewText(kind, s, v.Position, place), nil
	}
	switch x := x.(type) {
	case *template.Value:
		if x == nil {
			return nil, errors.New("there is no value")
		}
		return e.moved(x, v, place)
	case string:
		return text(template.String, x)
	case bool:
		return text(template.Bool, strconv.FormatBool(x))
	case json.Number:
		return text(template.Number, x.String())
	case int:
		return text(template.Number, strconv.Itoa(x))
	case int64:
		return text(template.Number, strconv.FormatInt(x, 10))
	case int32:
		return text(template.Number, strconv.FormatInt(int64(x), 10))
	case float64:
		return text(template.Number, strconv.FormatFloat(x, 'g', -1, 64))
	case []string:
		return textList(x, v.Position, place), nil
	case []any:
		out := template.New(template.List, v.Position, place)
		for _, item := range x {
			child, err := e.fromGo(item, v, out.AtIndex(len(out.Items)))
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, child)
		}
		return out, nil
	case map[string]any:
		out := template.New(template.Map, v.Position, place)
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			child, err := e.fromGo(x[k], v, out.At(k))
			if err != nil {
				return nil, err
			}
			out.Fields = append(out.Fields, template.Field{Key: k, KeyPosition: v.Position, Value: child})
		}
		return out, nil
	}
	return nil, fmt.Errorf("a value of Go type %T cannot stand in a template", x)
}

// text computes an argument that must be a string, a number or a boolean.
func (e *evaluator) text(v *template.Value, message string) (*template.Value, error) {
	x, err := e.value(v, v.Place())
	if err != nil {
		return nil, err
	}
	if !x.IsScalar() {
		got := "it is removed by AWS::NoValue"
		if x != nil {
			got = "it is a " + x.Kind.String()
		}
		return nil, because(refused(at(v), message), "%s", got)
	}
	return x, nil
}

// items computes an argument that must be a list.
func (e *evaluator) items(v *template.Value, message string) (*template.Value, error) {
	x, err := e.value(v, v.Place())
	if err != nil {
		return nil, err
	}
	if x == nil || x.Kind != template.List {
		got := "it is removed by AWS::NoValue"
		if x != nil {
			got = "it is a " + x.Kind.String()
		}
		return nil, because(refused(at(v), message), "%s", got)
	}
	return x, nil
}

// dynamic replaces the dynamic references in an evaluated tree that nobody else has seen.
func (e *evaluator) dynamic(root *template.Value) error {
	var failed error
	root.Walk(func(v *template.Value) bool {
		if v.Kind == template.String && strings.Contains(v.Text, dynamicOpen) {
			failed = e.replace(v)
		}
		return failed == nil
	})
	return failed
}

func (e *evaluator) replace(v *template.Value) error {
	parts, problem := parseDynamic(v.Text)
	if problem != "" {
		return because(refused(at(v), "Template error: Invalid dynamic reference "+v.String(), // our words
			"write {{resolve:ssm:name:version}} or {{resolve:secretsmanager:id:SecretString:key:stage:version}}"), "%s", problem)
	}
	var b strings.Builder
	for _, p := range parts {
		if p.ref == nil {
			b.WriteString(p.text)
			continue
		}
		err := errNoHook
		value := ""
		if e.in.env.Hooks.Dynamic != nil {
			value, err = e.in.env.Hooks.Dynamic(*p.ref)
		}
		if err != nil {
			var f *diag.Finding
			if errors.As(err, &f) {
				return placed(err, v, p.ref.Text)
			}
			return because(unsupported(at(v), fmt.Sprintf("the dynamic reference %s is not resolved", p.ref.Text),
				"put the value into a parameter"), "%v", err)
		}
		b.WriteString(value)
		v.Secret = v.Secret || p.ref.Secret()
	}
	v.Text = b.String()
	return nil
}
