package cloudformation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// referenceKind says by which function something is named.
type referenceKind uint8

const (
	byRef referenceKind = iota
	byGetAtt
	bySub
	bySubAttribute
	byIf
	byCondition
	byFindInMap
)

// reference is one place where a template names a parameter, resource, condition or mapping.
type reference struct {
	kind referenceKind
	name string
	// attribute is of byGetAtt and bySubAttribute, "" when a function computes it.
	attribute string
	at        *template.Value
}

// references calls visit for every reference at and below v. Choose decides Fn::If; nil visits both branches.
func references(v *template.Value, ctx context, choose func(string) bool, visit func(reference)) {
	name, arg, ok := call(v, ctx)
	if !ok {
		for _, item := range v.Items {
			references(item, ctx, choose, visit)
		}
		for _, f := range v.Fields {
			references(f.Value, ctx, choose, visit)
		}
		return
	}
	switch name {
	case "Ref":
		visit(reference{kind: byRef, name: arg.Text, at: v})
		return
	case "Condition":
		visit(reference{kind: byCondition, name: arg.Text, at: v})
		return
	case "Fn::GetAtt":
		id, attr, rest := getAttParts(arg)
		visit(reference{kind: byGetAtt, name: id, attribute: attr, at: v})
		if rest != nil {
			references(rest, ctx, choose, visit)
		}
		return
	case "Fn::Sub":
		subReferences(v, arg, ctx, choose, visit)
		return
	case "Fn::If":
		if arg.Kind == template.List && len(arg.Items) == 3 {
			visit(reference{kind: byIf, name: arg.Items[0].Text, at: v})
			if choose != nil {
				branch := 2
				if choose(arg.Items[0].Text) {
					branch = 1
				}
				references(arg.Items[branch], ctx, choose, visit)
				return
			}
		}
	case "Fn::FindInMap":
		if arg.Kind == template.List && len(arg.Items) >= 3 && arg.Items[0].IsScalar() {
			visit(reference{kind: byFindInMap, name: arg.Items[0].Text, at: v})
		}
	}
	references(arg, ctx, choose, visit)
}

func subReferences(v, arg *template.Value, ctx context, choose func(string) bool, visit func(reference)) {
	text, variables := subArgs(arg)
	parts, _ := parseSub(text.Text)
	for _, p := range parts {
		if p.Name == "" || variables.Get(p.Name) != nil {
			continue
		}
		if id, attr, dotted := strings.Cut(p.Name, "."); dotted {
			visit(reference{kind: bySubAttribute, name: id, attribute: attr, at: v})
		} else {
			visit(reference{kind: bySub, name: p.Name, at: v})
		}
	}
	if variables != nil {
		references(variables, ctx, choose, visit)
	}
}

// subArgs returns the text of Fn::Sub and its map of variables, nil in the short form.
func subArgs(arg *template.Value) (text, variables *template.Value) {
	if arg.Kind == template.List && len(arg.Items) == 2 {
		return arg.Items[0], arg.Items[1]
	}
	return arg, nil
}

// pseudoParameters are those of facts: cloudformation 1.
var pseudoParameters = []string{
	"AWS::AccountId", "AWS::NotificationARNs", "AWS::NoValue", "AWS::Partition", "AWS::Region", "AWS::StackId", "AWS::StackName", "AWS::URLSuffix",
}

// check checks functions and references of the whole template, whatever the conditions say: what ValidateTemplate finds.
func (t *Template) check(found *findings) {
	for _, c := range t.Conditions {
		t.checkFunctions(c.Value, inCondition, found)
	}
	for _, r := range t.Rules {
		for _, v := range r.values() {
			t.checkFunctions(v, inRule, found)
		}
	}
	for _, r := range t.Resources {
		for _, v := range r.values() {
			t.checkFunctions(v, inResource, found)
		}
	}
	for _, o := range t.Outputs {
		for _, v := range o.values() {
			t.checkFunctions(v, inOutput, found)
		}
	}
	if found.failed() {
		return
	}
	t.checkConditions(found)
	t.checkRules(found)
	t.checkBlock("Resources", found)
	t.checkBlock("Outputs", found)
}

func (r *Rule) values() []*template.Value {
	var vs []*template.Value
	if r.Condition != nil {
		vs = append(vs, r.Condition)
	}
	for _, a := range r.Assertions {
		vs = append(vs, a.Assert)
	}
	return vs
}

// values are the parts of a resource in which functions are computed.
func (r *Resource) values() []*template.Value {
	return present(r.Properties, r.Metadata, r.UpdatePolicy, r.CreationPolicy)
}

func (o *Output) values() []*template.Value { return present(o.Value, o.ExportName) }

func present(vs ...*template.Value) []*template.Value {
	return slices.DeleteFunc(vs, func(v *template.Value) bool { return v == nil })
}

func (t *Template) hasCondition(name string) bool {
	return t.index.conditions[name] != nil
}

func (t *Template) isParameter(name string) bool {
	return t.Parameter(name) != nil || slices.Contains(pseudoParameters, name)
}

func (t *Template) checkConditions(found *findings) {
	for _, c := range t.Conditions {
		references(c.Value, inCondition, nil, func(r reference) {
			switch r.kind {
			case byCondition:
				if !t.hasCondition(r.name) {
					found.add(refused(at(r.at), "Template error: unresolved condition dependency "+r.name+" in Condition", t.conditionFix(r.name)))
				}
			case byFindInMap:
				t.checkMapping(r, found)
			default:
				if !t.isParameter(r.name) {
					found.add(refused(at(r.at), fmt.Sprintf(
						"Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", r.name),
						"conditions are decided before any resource exists: use a parameter"))
				}
			}
		})
	}
}

func (t *Template) checkRules(found *findings) {
	for _, rule := range t.Rules {
		for _, v := range rule.values() {
			references(v, inRule, nil, func(r reference) {
				if r.kind == byRef && !t.isParameter(r.name) {
					found.add(refused(at(r.at), fmt.Sprintf(
						"Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Rules block of the template", r.name), // our words
						"rules see parameters only"))
				}
			})
		}
	}
}

func (t *Template) conditionFix(name string) string {
	for _, c := range t.Conditions {
		if strings.EqualFold(c.Name, name) {
			return "write " + c.Name
		}
	}
	return "declare it under Conditions"
}

// checkBlock checks the references of Resources or Outputs against everything that the template declares.
func (t *Template) checkBlock(block string, found *findings) {
	u := &unresolved{block: block, t: t}
	visit := func(r reference) { t.checkReference(r, u, found) }
	if block == "Outputs" {
		for _, o := range t.Outputs {
			t.checkConditionName(o.Condition, o.Value.Place().Parent, block, found)
			for _, v := range o.values() {
				references(v, inOutput, nil, visit)
			}
		}
	} else {
		for _, res := range t.Resources {
			t.checkConditionName(res.Condition, res.Value, block, found)
			for _, d := range res.DependsOn {
				if t.Resource(d) == nil {
					u.add(d, res.Value.Get("DependsOn"))
				}
			}
			for _, v := range res.values() {
				references(v, inResource, nil, visit)
			}
		}
	}
	found.add(u.finding())
}

func (t *Template) checkConditionName(name string, entry *template.Value, block string, found *findings) {
	if name != "" && !t.hasCondition(name) {
		found.add(refused(at(entry.Get("Condition")), fmt.Sprintf(
			"Template format error: Unresolved condition dependency %s in the %s block of the template", name, block), t.conditionFix(name)))
	}
}

func (t *Template) checkReference(r reference, u *unresolved, found *findings) {
	switch r.kind {
	case byIf:
		if !t.hasCondition(r.name) {
			found.add(refused(at(r.at), "Template error: unresolved condition dependency "+r.name+" in Fn::If", t.conditionFix(r.name)))
		}
	case byFindInMap:
		t.checkMapping(r, found)
	case byRef, bySub:
		if !t.isParameter(r.name) && t.Resource(r.name) == nil {
			u.add(r.name, r.at)
		}
	case byGetAtt:
		if t.Resource(r.name) == nil {
			found.add(refused(at(r.at), "Template error: instance of Fn::GetAtt references undefined resource "+r.name, t.resourceFix(r.name)))
		}
	case bySubAttribute:
		if t.Resource(r.name) == nil {
			found.add(refused(at(r.at), fmt.Sprintf("Template error: instance of Fn::Sub references invalid resource attribute %s.%s", r.name, r.attribute),
				t.resourceFix(r.name)))
		}
	}
}

func (t *Template) resourceFix(name string) string {
	for _, r := range t.Resources {
		if strings.EqualFold(r.LogicalID, name) {
			return "write " + r.LogicalID
		}
	}
	return "declare the resource, or name one that exists"
}

func (t *Template) checkMapping(r reference, found *findings) {
	if t.Mappings.Get(r.name) == nil && !t.HasTransform(LanguageExtensions) {
		found.add(refused(at(r.at), fmt.Sprintf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", r.name),
			"declare it under Mappings"))
	}
}

// unresolved collects names for the one error that CloudFormation gives for all of them.
type unresolved struct {
	block string
	t     *Template
	names []string
	spots []spot
	// removed says that the names exist under conditions that are false.
	removed func(name string) string
}

func (u *unresolved) add(name string, v *template.Value) {
	u.spots = append(u.spots, at(v))
	if !slices.Contains(u.names, name) {
		u.names = append(u.names, name)
	}
}

func (u *unresolved) finding() *diag.Finding {
	if u.names == nil {
		return nil
	}
	f := refused(u.spots[0], fmt.Sprintf("Template format error: Unresolved resource dependencies [%s] in the %s block of the template",
		strings.Join(u.names, ", "), u.block))
	for _, name := range u.names {
		switch {
		case u.removed != nil && u.removed(name) != "":
			because(f, "%s", u.removed(name))
			f.Fixes = append(f.Fixes, fmt.Sprintf("give what names %s the same condition, or choose by Fn::If", name))
		case strings.HasPrefix(name, "AWS::"):
			f.Fixes = append(f.Fixes, "the pseudo parameters are "+strings.Join(pseudoParameters, ", "))
		default:
			f.Fixes = append(f.Fixes, u.t.nameFix(name))
		}
	}
	for _, s := range u.spots[1:min(len(u.spots), 10)] {
		because(f, "also named at %s", s.pos)
	}
	return f
}

func (t *Template) nameFix(name string) string {
	for _, p := range t.Parameters {
		if strings.EqualFold(p.Name, name) {
			return "write " + p.Name
		}
	}
	for _, r := range t.Resources {
		if strings.EqualFold(r.LogicalID, name) {
			return "write " + r.LogicalID
		}
	}
	return fmt.Sprintf("declare %s as a resource or a parameter", name)
}
