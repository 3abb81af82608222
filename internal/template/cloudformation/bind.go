package cloudformation

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// Environment is what a stack gives its template.
type Environment struct {
	Region, Account string
	// StackName and StackID (an ARN) are what the pseudo parameters yield.
	StackName, StackID string
	NotificationARNs   []string
	Parameters         map[string]ParameterInput
	Hooks              Hooks
}

// Hooks answer what is outside the template. A nil hook resolves nothing, which is a finding where it is needed.
type Hooks struct {
	// SSMParameter yields the value of a Systems Manager parameter for a template parameter of type
	// AWS::SSM::Parameter::Value<typ>; a list is separated by commas.
	SSMParameter func(typ, name string) (string, error)
	// Dynamic yields the value of a dynamic reference.
	Dynamic func(DynamicReference) (string, error)
	// Import yields the value of an export, for Fn::ImportValue.
	Import func(export string) (string, error)
	// Zones yields the availability zones of a region, for Fn::GetAZs. Without it they are the region with a, b and c.
	Zones func(region string) []string
	// ParameterAttribute yields an attribute of the resource that a parameter names, for Fn::ValueOf and Fn::ValueOfAll.
	ParameterAttribute func(parameterType, value, attribute string) (string, error)
}

var errNoHook = errors.New("nothing resolves it")

func (e *Environment) ssmParameter(typ, name string) (string, error) {
	if e.Hooks.SSMParameter == nil {
		return "", errNoHook
	}
	return e.Hooks.SSMParameter(typ, name)
}

func (e *Environment) zones(region string) []string {
	if e.Hooks.Zones != nil {
		return e.Hooks.Zones(region)
	}
	return []string{region + "a", region + "b", region + "c"}
}

// URLSuffix is the domain of a partition's endpoints (facts: cloudformation 1).
func URLSuffix(region string) string {
	if arn.Partition(region) == "aws-cn" {
		return "amazonaws.com.cn"
	}
	return "amazonaws.com"
}

// Instance is a template bound to the values of one stack. It is immutable: any number of goroutines may evaluate.
type Instance struct {
	// Template is the template with Fn::ForEach expanded; paths and Lookup go by it.
	Template *Template
	// Parameters are in the order of the template.
	Parameters []*BoundParameter
	// Resources and Outputs are those whose conditions hold, in the order of the template.
	Resources []*Resource
	Outputs   []*Output
	// Conditions has the outcome of every condition.
	Conditions map[string]bool
	// Order is an order in which the resources can be made: by level, and within a level as in the template.
	Order []string
	// Levels are the same in steps: the resources of a level depend on those of earlier levels only.
	Levels [][]string

	env          Environment
	parameters   map[string]*BoundParameter
	dependencies map[string][]string
}

// Bind gives the template its parameter values, decides conditions and rules, and makes the graph. The instance is nil when
// a finding is an error.
func (t *Template) Bind(env Environment) (*Instance, []diag.Finding) {
	var found findings
	in := &Instance{Template: t, env: env, parameters: map[string]*BoundParameter{}, Conditions: map[string]bool{}}
	if in.bindParameters(&found); found.failed() {
		return nil, found
	}
	if t.loops {
		if in.Template = in.expandLoops(&found); found.failed() {
			return nil, found
		}
	}
	if in.decideConditions(&found); found.failed() {
		return nil, found
	}
	if in.assertRules(&found); found.failed() {
		return nil, found
	}
	for _, r := range in.Template.Resources {
		if in.holds(r.Condition) {
			in.Resources = append(in.Resources, r)
		}
	}
	for _, o := range in.Template.Outputs {
		if in.holds(o.Condition) {
			in.Outputs = append(in.Outputs, o)
		}
	}
	if in.link(&found); found.failed() {
		return nil, found
	}
	return in, found
}

// holds decides the Condition of a resource or an output.
func (in *Instance) holds(condition string) bool { return condition == "" || in.Conditions[condition] }

// Resource returns a resource that exists in this stack, nil when there is none or its condition is false.
func (in *Instance) Resource(id string) *Resource {
	if r := in.Template.Resource(id); r != nil && in.holds(r.Condition) {
		return r
	}
	return nil
}

// Parameter returns a bound parameter, nil when there is none of that name.
func (in *Instance) Parameter(name string) *BoundParameter { return in.parameters[name] }

// Dependencies returns the resources that must exist before id, sorted in the order of the template.
func (in *Instance) Dependencies(id string) []string { return in.dependencies[id] }

// pseudo returns the value of a pseudo parameter; NoValue is the caller's.
func (in *Instance) pseudo(name string, v *template.Value, at template.Place) *template.Value {
	var text string
	switch name {
	case "AWS::AccountId":
		text = in.env.Account
	case "AWS::Partition":
		text = arn.Partition(in.env.Region)
	case "AWS::Region":
		text = in.env.Region
	case "AWS::StackId":
		text = in.env.StackID
	case "AWS::StackName":
		text = in.env.StackName
	case "AWS::URLSuffix":
		text = URLSuffix(in.env.Region)
	case "AWS::NotificationARNs":
		return textList(in.env.NotificationARNs, v.Position, at)
	default:
		return nil
	}
	return template.NewText(template.String, text, v.Position, at)
}

func textList(items []string, pos diag.Position, at template.Place) *template.Value {
	l := template.New(template.List, pos, at)
	l.Items = make([]*template.Value, len(items))
	for i, s := range items {
		l.Items[i] = template.NewText(template.String, s, pos, l.AtIndex(i))
	}
	return l
}

// decideConditions evaluates every condition, each after those that it names.
func (in *Instance) decideConditions(found *findings) {
	var open []string // the conditions that wait, outermost first
	waiting := map[string]bool{}
	var decide func(c *Condition) bool
	e := &evaluator{in: in, ctx: inCondition}
	decide = func(c *Condition) bool {
		if _, done := in.Conditions[c.Name]; done {
			return true
		}
		if waiting[c.Name] {
			i := slices.Index(open, c.Name)
			names := slices.Sorted(slices.Values(open[i:]))
			found.add(because(refused(spot{c.Position, "Conditions." + c.Name},
				"Template format error: Circular dependency between conditions: ["+strings.Join(names, ", ")+"]"),
				"each waits for the next: %s", strings.Join(append(slices.Clone(open[i:]), c.Name), " → ")))
			return false
		}
		open, waiting[c.Name] = append(open, c.Name), true
		defer func() { open = open[:len(open)-1]; delete(waiting, c.Name) }()
		ready := true
		references(c.Value, inCondition, nil, func(r reference) {
			if r.kind != byCondition || !ready {
				return
			}
			if next := in.Template.index.conditions[r.name]; next != nil {
				ready = decide(next)
			}
		})
		if !ready {
			return false
		}
		holds, err := e.decide(c.Value)
		if err != nil {
			found.add(findingOf(err, at(c.Value)))
			return false
		}
		in.Conditions[c.Name] = holds
		return true
	}
	for _, c := range in.Template.Conditions {
		if !decide(c) {
			return
		}
	}
}

// findingOf makes a finding of any error.
func findingOf(err error, where spot) *diag.Finding {
	var f *diag.Finding
	if errors.As(err, &f) {
		return f
	}
	return refused(where, fmt.Sprintf("Template error: %v", err)) // our words
}
