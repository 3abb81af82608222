package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/template"
)

// The limits of facts: cloudformation 2.
const (
	maxDescription = 1024
	maxResources   = 500
	maxParameters  = 200
	maxMappings    = 200
	maxOutputs     = 200
	maxName        = 255
	maxValue       = 4096
)

var sectionNames = []string{
	"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform",
	"Resources", "Outputs", "Hooks",
}

func (p *parser) transforms() {
	v := p.t.Root.Get("Transform")
	if v == nil {
		return
	}
	items := []*template.Value{v}
	if v.Kind == template.List {
		items = v.Items
	}
	for _, item := range items {
		name := item.Text
		if item.Kind == template.Map {
			if n := item.Get("Name"); n != nil {
				name = n.Text
			}
		}
		switch name {
		case LanguageExtensions:
			p.t.Transforms = append(p.t.Transforms, name)
		case template.SAMTransform:
			p.found.add(unsupported(at(item), "the transform "+name+" is not supported yet",
				"run sam build, then give Foregate what sam deploy would send; or write the resources that SAM makes"))
		case includeTransform:
			p.found.add(unsupported(at(item), "the transform "+name+" is not supported yet", "copy what it includes into the template"))
		case "":
			p.found.add(refused(at(item), "Template format error: Transform must be a string or a list of strings")) // our words
		default:
			p.found.add(unsupported(at(item), fmt.Sprintf("the macro %q is not supported: it runs in an AWS account", name),
				"give Foregate the processed template: aws cloudformation get-template --template-stage Processed"))
		}
	}
}

func (p *parser) sections() {
	p.t.loops = p.deferred()
	root := p.t.Root
	var unknown []string
	var where spot
	for _, f := range root.Fields {
		if !slices.Contains(sectionNames, f.Key) {
			if unknown == nil {
				where = atKey(root, f)
			}
			unknown = append(unknown, f.Key)
		}
	}
	if unknown != nil {
		p.found.add(refused(where, "Invalid template property or properties ["+strings.Join(unknown, ", ")+"]",
			"the sections are "+strings.Join(sectionNames, ", ")))
	}
	p.head()
	p.parameters()
	p.mappings()
	p.conditions()
	p.rules()
	p.t.Metadata = p.section("Metadata")
	p.t.Hooks = p.section("Hooks")
	if p.t.Hooks != nil {
		p.found.add(unsupported(at(p.t.Hooks), "the Hooks section (CodeDeploy blue/green deployments) is not supported", "remove it"))
	}
	p.resources()
	p.outputs()
	p.t.makeIndex()
}

func (p *parser) head() {
	if v := p.t.Root.Get("AWSTemplateFormatVersion"); v != nil && (v.Kind == template.List || v.Kind == template.Map || v.Text != "2010-09-09") {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: unsupported template version %q", v.String()), // our words
			`write AWSTemplateFormatVersion: "2010-09-09", the only version`))
	}
	v := p.t.Root.Get("Description")
	switch {
	case v == nil:
	case !v.IsScalar():
		p.found.add(refused(at(v), "Template format error: Template Description must be a string.")) // our words
	case len(v.Text) > maxDescription:
		p.found.add(refused(at(v), "Template format error: 'Description' length is greater than 1024",
			fmt.Sprintf("it has %d bytes: shorten it", len(v.Text))))
	default:
		p.t.Description = v.Text
	}
}

// section returns a section that must be a map, nil when there is none.
func (p *parser) section(name string) *template.Value {
	v := p.t.Root.Get(name)
	if v == nil {
		return nil
	}
	if v.Kind != template.Map {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: [/%s] Every %s object must be a map", name, name), // our words
			"write the section as a map, name: {…}"))
		return nil
	}
	return v
}

// count refuses a section that is too large, in the words that resources get.
func (p *parser) count(v *template.Value, what string, limit int) {
	if n := len(v.Fields); n > limit {
		p.found.add(refused(at(v), fmt.Sprintf("Template format error: Number of %s, %d, is greater than maximum allowed, %d", what, n, limit),
			"split the template into nested stacks"))
	}
}

// name checks a logical name: letters and digits.
func (p *parser) name(parent *template.Value, f template.Field, what string) bool {
	if strings.HasPrefix(f.Key, loopPrefix) {
		return p.loopName(parent, f)
	}
	if !alphanumeric(f.Key) {
		p.found.add(refused(atKey(parent, f), fmt.Sprintf("Template format error: %s name %s is non alphanumeric.", what, f.Key),
			"use letters and digits only"))
		return false
	}
	if len(f.Key) > maxName {
		p.found.add(refused(atKey(parent, f), fmt.Sprintf("Template format error: %s name is longer than %d characters.", what, maxName))) // our words
		return false
	}
	return true
}

// loopName takes Fn::ForEach for what it is when the transform is there; it is not an entry of its own.
func (p *parser) loopName(parent *template.Value, f template.Field) bool {
	if !p.t.HasTransform(LanguageExtensions) {
		what := strings.ToLower(strings.TrimSuffix(parent.Place().Key, "s")) // Resources: resource
		p.found.add(because(refused(atKey(parent, f), fmt.Sprintf("Template format error: [%s] %s definition is malformed", pointer(f.Value.Path()), what),
			"add Transform: "+LanguageExtensions), "Fn::ForEach is part of the transform %s", LanguageExtensions))
	}
	return false
}

func alphanumeric(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != ""
}

func (p *parser) mappings() {
	m := p.section("Mappings")
	if p.t.Mappings = m; m == nil {
		return
	}
	p.count(m, "mappings", maxMappings)
	for _, f := range m.Fields {
		if p.name(m, f, "Mapping"); f.Value.Kind != template.Map {
			p.found.add(refused(at(f.Value), "Template format error: Every Mappings member "+f.Key+" must be a map")) // our words
			continue
		}
		if isTransform(f.Value) {
			p.found.add(transformFinding(f.Value))
			continue
		}
		p.count(f.Value, "mapping attributes of "+f.Key, maxMappings)
		for _, top := range f.Value.Fields {
			p.mappingLevel(f.Value, top)
		}
	}
}

// mappingLevel checks the entry of a top-level key: a map of names to strings or lists of strings.
func (p *parser) mappingLevel(parent *template.Value, top template.Field) {
	if strings.Trim(top.Key, "-.") == "" && top.Key == "" || !alphanumeric(strings.NewReplacer("-", "x", ".", "x").Replace(top.Key)) {
		p.found.add(refused(atKey(parent, top), fmt.Sprintf(
			"Template format error: Mappings element name '%s' must be non-empty and can contain only alphanumerics, '-' or '.'", top.Key)))
	}
	if top.Value.Kind != template.Map {
		p.found.add(refused(at(top.Value), fmt.Sprintf("Template format error: [%s] Every Mappings attribute must be a map", pointer(top.Value.Path()))))
		return
	}
	for _, second := range top.Value.Fields {
		if !alphanumeric(second.Key) {
			p.found.add(refused(atKey(top.Value, second), fmt.Sprintf(
				"Template format error: Mappings attribute name '%s' must contain only alphanumeric characters.", second.Key)))
		}
		items := []*template.Value{second.Value}
		if second.Value.Kind == template.List {
			items = second.Value.Items
		}
		for _, item := range items {
			if !item.IsScalar() {
				p.found.add(refused(at(item), "Template format error: Every Mappings attribute must be a String or a List.",
					"write the value out: a mapping cannot hold functions"))
			}
		}
	}
}

func (p *parser) conditions() {
	m := p.section("Conditions")
	if m == nil {
		return
	}
	for _, f := range m.Fields {
		if !p.name(m, f, "Condition") {
			continue
		}
		if name, _, ok := call(f.Value, inCondition); !ok || !booleans[name] {
			p.found.add(refused(at(f.Value), "Template format error: Conditions can only be boolean operations on parameters and other conditions",
				"use Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition"))
			continue
		}
		p.t.Conditions = append(p.t.Conditions, &Condition{f.Key, f.KeyPosition, f.Value})
	}
}

func (p *parser) rules() {
	m := p.section("Rules")
	if m == nil {
		return
	}
	for _, f := range m.Fields {
		if !p.name(m, f, "Rule") {
			continue
		}
		r := &Rule{Name: f.Key, Position: f.KeyPosition, Condition: f.Value.Get("RuleCondition")}
		list := f.Value.Get("Assertions")
		if list == nil || list.Kind != template.List || len(list.Items) == 0 {
			p.found.add(refused(at(f.Value), fmt.Sprintf("Template format error: [/Rules/%s] Every Rules object must contain Assertions", f.Key))) // our words
			continue
		}
		for _, item := range list.Items {
			assert := item.Get("Assert")
			if assert == nil {
				p.found.add(refused(at(item), fmt.Sprintf("Template format error: [%s] Every assertion must contain an Assert member", pointer(item.Path())))) // our words
				continue
			}
			a := Assertion{Assert: assert}
			if d := item.Get("AssertDescription"); d != nil {
				a.Description = d.Text
			}
			r.Assertions = append(r.Assertions, a)
		}
		p.t.Rules = append(p.t.Rules, r)
	}
}

func (p *parser) outputs() {
	m := p.section("Outputs")
	if m == nil {
		return
	}
	p.count(m, "outputs", maxOutputs)
	for _, f := range m.Fields {
		if !p.name(m, f, "Output") {
			continue
		}
		o := &Output{Name: f.Key, Position: f.KeyPosition, Value: f.Value.Get("Value")}
		if o.Value == nil {
			p.found.add(refused(at(f.Value), "Template format error: Every Outputs member must contain a Value object"))
			continue
		}
		for _, e := range f.Value.Fields {
			p.outputEntry(o, f.Value, e)
		}
		p.t.Outputs = append(p.t.Outputs, o)
	}
}

func (p *parser) outputEntry(o *Output, parent *template.Value, e template.Field) {
	switch e.Key {
	case "Value":
	case "Description":
		if o.Description = e.Value.Text; !e.Value.IsScalar() {
			p.found.add(refused(at(e.Value), "Template format error: Every Description member must be a string.")) // our words
		}
	case "Condition":
		if o.Condition = e.Value.Text; e.Value.Kind != template.String {
			p.found.add(refused(at(e.Value), "Template format error: Every Condition member must be a string."))
		}
	case "Export":
		if o.ExportName = e.Value.Get("Name"); o.ExportName == nil || len(e.Value.Fields) != 1 {
			p.found.add(refused(at(e.Value), "Template format error: Output "+o.Name+" is malformed. The Name field of every Export member must be specified",
				"write Export: {Name: …}"))
		}
	default:
		p.found.add(refused(atKey(parent, e), "Invalid template output property '"+e.Key+"'", // our words, after the text for resources
			"an output has Value, Description, Export and Condition"))
	}
}
