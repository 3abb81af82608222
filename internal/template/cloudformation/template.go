// Package cloudformation is CloudFormation's template language: it reads templates, checks them, binds them to parameter
// values and computes their functions.
//
// Start with Parse, which makes a Template of a text; Template.Bind makes an Instance of it for one stack, with parameters,
// conditions and rules decided and the graph of its resources made; Instance.Evaluate computes the properties of one
// resource, asking a Resolver for what other resources are called. What CloudFormation refuses comes back as findings with
// its error text (AWSError), the place in the file and, where it helps, the reason it leaves out.
//
// The package is pure: no service, no network, no clock. It must not know what any resource type means; the checks of
// properties belong to the services. Caveats: texts that no public source shows are marked "our words" where they are made;
// nested stacks, macros and AWS::Include are refused with a finding.
package cloudformation

import (
	"slices"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// Template is a template whose form is valid.
type Template struct {
	File string
	// Root is the whole tree, with YAML tags in their long form.
	Root        *template.Value
	Description string
	// Transforms are the names in the Transform section.
	Transforms []string
	Parameters []*Parameter
	Conditions []*Condition
	Rules      []*Rule
	Resources  []*Resource
	Outputs    []*Output
	// Mappings, Metadata and Hooks are nil when the template has no such section.
	Mappings, Metadata, Hooks *template.Value

	// loops says that Fn::ForEach has still to be expanded: Resources, Conditions and Outputs are then those outside loops.
	loops bool
	index index
}

// index finds the entries of sections by name.
type index struct {
	parameters map[string]*Parameter
	resources  map[string]*Resource
	conditions map[string]*Condition
}

func (t *Template) makeIndex() {
	t.index = index{map[string]*Parameter{}, map[string]*Resource{}, map[string]*Condition{}}
	for _, p := range t.Parameters {
		t.index.parameters[p.Name] = p
	}
	for _, r := range t.Resources {
		t.index.resources[r.LogicalID] = r
	}
	for _, c := range t.Conditions {
		t.index.conditions[c.Name] = c
	}
}

// Condition is an entry of the Conditions section.
type Condition struct {
	Name     string
	Position diag.Position
	Value    *template.Value
}

// Rule is an entry of the Rules section.
type Rule struct {
	Name     string
	Position diag.Position
	// Condition is nil when the rule always holds.
	Condition  *template.Value
	Assertions []Assertion
}

// Assertion is what a rule wants.
type Assertion struct {
	Assert      *template.Value
	Description string
}

// Resource is an entry of the Resources section as it was written.
type Resource struct {
	LogicalID string
	Type      string
	// Position is that of the logical id.
	Position diag.Position
	// Value is the whole entry.
	Value *template.Value
	// Properties, Metadata, UpdatePolicy and CreationPolicy are nil when they are not there.
	Properties, Metadata, UpdatePolicy, CreationPolicy *template.Value
	// Condition names the condition under which the resource exists, "" when it always does.
	Condition string
	DependsOn []string
	// DeletionPolicy is Delete when the template has none (facts: cloudformation 1); UpdateReplacePolicy likewise.
	DeletionPolicy, UpdateReplacePolicy string
}

// Output is an entry of the Outputs section as it was written.
type Output struct {
	Name        string
	Position    diag.Position
	Description string
	Condition   string
	Value       *template.Value
	// ExportName is nil when the output is not exported.
	ExportName *template.Value
}

// The transforms that are known by name.
const (
	LanguageExtensions = "AWS::LanguageExtensions"
	includeTransform   = "AWS::Include"
)

// Parse reads a template and checks its form. The template is nil when a finding is an error. Findings are in the order in
// which CloudFormation would have met them; its API reports the first error only.
func Parse(file string, data []byte) (*Template, []diag.Finding) {
	root, syntax := template.Read(file, data, template.Limits{})
	if syntax != nil {
		return nil, []diag.Finding{*syntaxFinding(syntax)}
	}
	return ParseValue(file, root, len(data))
}

// ParseValue is Parse for a text of size bytes that template.Read has read. It takes the tree over.
func ParseValue(file string, root *template.Value, size int) (*Template, []diag.Finding) {
	p := &parser{t: &Template{File: file, Root: root}}
	if size > inlineLimit {
		p.found.add(inlineNote(file, size))
	}
	if root.Kind != template.Map {
		p.found.add(refused(at(root), "Template format error: unsupported structure.", "make the template a map with a Resources section"))
		return nil, p.found
	}
	p.normalize(root)
	if p.found.failed() {
		return nil, p.found
	}
	p.transforms()
	if p.found.failed() {
		return nil, p.found
	}
	p.sections()
	if !p.found.failed() && !p.t.loops {
		p.t.check(&p.found)
	}
	if p.found.failed() {
		return nil, p.found
	}
	return p.t, p.found
}

// Parameter returns the parameter of a name, nil when there is none.
func (t *Template) Parameter(name string) *Parameter { return t.index.parameters[name] }

// Resource returns the resource of a logical id, nil when there is none.
func (t *Template) Resource(id string) *Resource { return t.index.resources[id] }

// HasTransform says that the template names a transform.
func (t *Template) HasTransform(name string) bool {
	return slices.Contains(t.Transforms, name)
}

// Lookup finds where a path such as Resources.Site.Properties.DistributionConfig.Origins[0].DomainName stands in the file.
// It is false when there is no such value; the position is then that of the nearest ancestor that exists. An entry of a map
// is found at its key, an element of a list at its value. Where functions compute part of the way, the place is that of the
// function: template.Resource.Lookup sees through them.
func (t *Template) Lookup(path string) (diag.Position, bool) { return template.Lookup(t.Root, path) }
