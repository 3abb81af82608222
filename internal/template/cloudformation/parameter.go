package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// Parameter is an entry of the Parameters section.
type Parameter struct {
	Name     string
	Position diag.Position
	// Value is the whole entry.
	Value *template.Value
	Type  string
	// Default is nil when there is none. A list stands as it was written, separated by commas.
	Default       *string
	Description   string
	AllowedValues []string
	// AllowedPattern is a regular expression for the whole value.
	AllowedPattern string
	// MinLength and MaxLength count characters; nil when there is no bound.
	MinLength, MaxLength *int
	// MinValue and MaxValue are the numbers as they were written, "" when there is no bound.
	MinValue, MaxValue    string
	ConstraintDescription string
	NoEcho                bool
}

const ssmPrefix = "AWS::SSM::Parameter::Value<"

// SSMType returns the type inside AWS::SSM::Parameter::Value<…>.
func (p *Parameter) SSMType() (string, bool) {
	inner, ok := strings.CutPrefix(p.Type, ssmPrefix)
	return strings.TrimSuffix(inner, ">"), ok && strings.HasSuffix(inner, ">")
}

// valueType is the type of what Ref yields.
func (p *Parameter) valueType() string {
	if inner, ok := p.SSMType(); ok {
		return inner
	}
	return p.Type
}

// IsList says that Ref yields a list.
func (p *Parameter) IsList() bool {
	t := p.valueType()
	return t == "CommaDelimitedList" || strings.HasPrefix(t, "List<")
}

func (p *Parameter) isNumber() bool { return p.Type == "Number" || p.Type == "List<Number>" }

// awsTypes are the AWS-specific types of [CFN23] parameters-section-structure; the values are plain strings here: what they
// name is in an account that Foregate does not have.
var awsTypes = []string{
	"AWS::EC2::AvailabilityZone::Name", "AWS::EC2::Image::Id", "AWS::EC2::Instance::Id", "AWS::EC2::KeyPair::KeyName",
	"AWS::EC2::SecurityGroup::GroupName", "AWS::EC2::SecurityGroup::Id", "AWS::EC2::Subnet::Id", "AWS::EC2::Volume::Id",
	"AWS::EC2::VPC::Id", "AWS::Route53::HostedZone::Id",
}

func knownType(t string) bool {
	if slices.Contains([]string{"String", "Number", "List<Number>", "List<String>", "CommaDelimitedList", "AWS::SSM::Parameter::Name"}, t) {
		return true
	}
	element := func(t string) string {
		if inner, ok := strings.CutPrefix(t, "List<"); ok && strings.HasSuffix(inner, ">") {
			return strings.TrimSuffix(inner, ">")
		}
		return t
	}
	if inner, ok := strings.CutPrefix(t, ssmPrefix); ok && strings.HasSuffix(inner, ">") {
		inner = strings.TrimSuffix(inner, ">")
		return inner == "String" || inner == "CommaDelimitedList" || element(inner) == "String" || slices.Contains(awsTypes, element(inner))
	}
	return slices.Contains(awsTypes, element(t))
}

func (p *parser) parameters() {
	m := p.section("Parameters")
	if m == nil {
		return
	}
	p.count(m, "parameters", maxParameters)
	for _, f := range m.Fields {
		if !p.name(m, f, "Parameter") {
			continue
		}
		par := &Parameter{Name: f.Key, Position: f.KeyPosition, Value: f.Value}
		typ := f.Value.Get("Type")
		if typ == nil {
			p.found.add(refused(spot{f.KeyPosition, f.Value.Path()},
				fmt.Sprintf("Template format error: [/Parameters/%s] Every Parameters object must contain a Type member.", f.Key), "add Type: String"))
			continue
		}
		if par.Type = typ.Text; !knownType(par.Type) {
			p.found.add(refused(at(typ), "Template format error: Unrecognized parameter type: "+typ.String(),
				"use String, Number, CommaDelimitedList, List<Number>, an AWS::EC2 type or AWS::SSM::Parameter::Value<…>"))
			continue
		}
		for _, e := range f.Value.Fields {
			p.parameterEntry(par, f.Value, e)
		}
		p.t.Parameters = append(p.t.Parameters, par)
	}
}

func (p *parser) parameterEntry(par *Parameter, parent *template.Value, e template.Field) {
	v := e.Value
	if e.Key == "AllowedValues" {
		p.allowedValues(par, v)
		return
	}
	if !v.IsScalar() && !(e.Key == "Default" && v.Kind == template.List) {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: Every %s member must be a string.", e.Key),
			"write a plain value: parameters cannot hold functions"))
		return
	}
	switch e.Key {
	case "Type":
	case "Default":
		if v.Kind == template.List {
			p.found.add(refused(at(v), "Template format error: Every Default member must be a string.",
				`write a list as one string, separated by commas: "a,b"`))
			return
		}
		par.Default = &v.Text
	case "Description":
		par.Description = v.Text
	case "AllowedPattern":
		par.AllowedPattern = v.Text
	case "ConstraintDescription":
		par.ConstraintDescription = v.Text
	case "MinLength":
		par.MinLength = p.length(v)
	case "MaxLength":
		par.MaxLength = p.length(v)
	case "MinValue", "MaxValue":
		if _, err := strconv.ParseFloat(v.Text, 64); err != nil {
			p.found.add(refused(at(v), fmt.Sprintf("Template format error: %s must be a number", e.Key))) // our words
		} else if e.Key == "MinValue" {
			par.MinValue = v.Text
		} else {
			par.MaxValue = v.Text
		}
	case "NoEcho":
		par.NoEcho = strings.EqualFold(v.Text, "true")
	default:
		p.found.add(refused(atKey(parent, e), "Invalid template parameter property '"+e.Key+"'",
			"a parameter has Type, Default, Description, AllowedValues, AllowedPattern, MinLength, MaxLength, MinValue, MaxValue, ConstraintDescription and NoEcho"))
	}
}

func (p *parser) allowedValues(par *Parameter, v *template.Value) {
	if v.Kind != template.List {
		p.found.add(refused(at(v), "Template format error: AllowedValues must be a list")) // our words
		return
	}
	for _, item := range v.Items {
		if !item.IsScalar() {
			p.found.add(refused(at(item), "Template format error: Every AllowedValues member must be a string.")) // our words
			return
		}
		par.AllowedValues = append(par.AllowedValues, item.Text)
	}
}

func (p *parser) length(v *template.Value) *int {
	n, err := strconv.Atoi(v.Text)
	if err != nil || n < 0 {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: %s must be a number from 0", v.Place().Key))) // our words
		return nil
	}
	return &n
}

// ParameterInput is a value from outside the template.
type ParameterInput struct {
	Value string
	// Source is where the value was written. For a flag, File is the flag as it was typed and Line is 0; findings about the
	// value then point at the flag, and else at the parameter.
	Source diag.Position
}

// BoundParameter is a parameter with its value.
type BoundParameter struct {
	*Parameter
	// Text is the value as it was given or by default; for an SSM parameter type the name of the parameter.
	Text string
	// FromDefault says that the template's default was used.
	FromDefault bool
	// Value is what Ref yields: a string or a list of strings. A number becomes a string ([CFN23] parameters-section-structure).
	Value *template.Value
}

// String names the parameter with its value, **** when the template says NoEcho.
func (b *BoundParameter) String() string { return b.Name + "=" + b.Value.String() }

// bindParameters takes values from the inputs and the defaults, and checks them.
func (in *Instance) bindParameters(found *findings) {
	var missing, unknown []string
	for _, p := range in.Template.Parameters {
		b := &BoundParameter{Parameter: p}
		input, given := in.env.Parameters[p.Name]
		where := spot{p.Position, "Parameters." + p.Name}
		switch {
		case given:
			b.Text = input.Value
			if input.Source != (diag.Position{}) {
				where.pos = input.Source
			}
		case p.Default != nil:
			b.Text, b.FromDefault = *p.Default, true
		default:
			missing = append(missing, p.Name)
			continue
		}
		if f := b.check(where); f != nil {
			found.add(f)
			if f.Severity == diag.Error {
				continue
			}
		}
		if f := in.setValue(b, where); f != nil {
			found.add(f)
			continue
		}
		in.parameters[p.Name] = b
		in.Parameters = append(in.Parameters, b)
	}
	if missing != nil {
		p := in.Template.Parameter(missing[0])
		found.add(refused(spot{p.Position, "Parameters." + p.Name}, "Parameters: ["+strings.Join(missing, ", ")+"] must have values",
			"give values with --parameter "+p.Name+"=…, or a Default in the template"))
	}
	for _, name := range slices.Sorted(maps.Keys(in.env.Parameters)) {
		if in.Template.Parameter(name) == nil {
			unknown = append(unknown, name)
		}
	}
	if unknown != nil {
		found.add(refused(spot{in.env.Parameters[unknown[0]].Source, ""},
			"Parameters: ["+strings.Join(unknown, ", ")+"] do not exist in the template", "remove them, or declare them under Parameters"))
	}
}

// setValue computes what Ref yields.
func (in *Instance) setValue(b *BoundParameter, where spot) *diag.Finding {
	text := b.Text
	if inner, ok := b.SSMType(); ok {
		v, err := in.env.ssmParameter(inner, text)
		if err != nil {
			return because(unsupported(where, fmt.Sprintf("the parameter %s wants the Systems Manager parameter %q, which nothing here resolves", b.Name, text),
				"give the value itself with --parameter "+b.Name+"=…"), "%v", err)
		}
		text = v
	}
	at := template.Place{Root: "Parameters." + b.Name}
	if !b.IsList() {
		b.Value = template.NewText(template.String, text, b.Position, at)
		b.Value.Secret = b.NoEcho
		return nil
	}
	b.Value = template.New(template.List, b.Position, at)
	b.Value.Secret = b.NoEcho
	for i, item := range splitList(text) {
		v := template.NewText(template.String, item, b.Position, b.Value.AtIndex(i))
		v.Secret = b.NoEcho
		b.Value.Items = append(b.Value.Items, v)
	}
	return nil
}

// splitList cuts at commas; spaces around an element go ([CFN23] parameters-section-structure, CommaDelimitedList).
func splitList(s string) []string {
	items := strings.Split(s, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}
