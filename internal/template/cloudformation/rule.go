package cloudformation

import (
	"fmt"
	"slices"

	"github.com/foregate/foregate/internal/template"
)

// assertRules checks the rules whose condition holds ([CFN23] rules-section-structure).
func (in *Instance) assertRules(found *findings) {
	e := &evaluator{in: in, ctx: inRule}
	for _, r := range in.Template.Rules {
		if r.Condition != nil {
			holds, err := e.decide(r.Condition)
			if err != nil {
				found.add(findingOf(err, at(r.Condition)))
				return
			}
			if !holds {
				continue
			}
		}
		for _, a := range r.Assertions {
			holds, err := e.decide(a.Assert)
			if err != nil {
				found.add(findingOf(err, at(a.Assert)))
				return
			}
			if holds {
				continue
			}
			message := a.Description
			if message == "" {
				message = "an assertion of the rule is false"
			}
			f := refused(at(a.Assert), fmt.Sprintf("Template error: Rule %s failed: %s", r.Name, message), // our words
				"give parameter values that the rule allows")
			references(a.Assert, inRule, nil, func(ref reference) {
				if p := in.parameters[ref.name]; p != nil {
					because(f, "parameter %s is %q", ref.name, p.Value.String())
				}
			})
			found.add(f)
		}
	}
}

// decideRule computes the functions of rules.
func (e *evaluator) decideRule(name string, arg *template.Value) (bool, error) {
	message := fmt.Sprintf("Template error: every %s object requires a list of strings and a value", name) // our words
	members, err := e.items(arg.Items[0], message)
	if err != nil {
		return false, err
	}
	if name == "Fn::EachMemberIn" {
		allowed, err := e.items(arg.Items[1], message)
		if err != nil {
			return false, err
		}
		for _, m := range members.Items {
			if !slices.ContainsFunc(allowed.Items, func(a *template.Value) bool { return same(a, m) }) {
				return false, nil
			}
		}
		return true, nil
	}
	value, err := e.text(arg.Items[1], message)
	if err != nil {
		return false, err
	}
	if name == "Fn::Contains" {
		return slices.ContainsFunc(members.Items, func(m *template.Value) bool { return same(m, value) }), nil
	}
	for _, m := range members.Items {
		if !same(m, value) {
			return false, nil
		}
	}
	return true, nil
}

// ruleValue computes RefAll (the values of all parameters of a type), ValueOf and ValueOfAll (attributes of what they name).
func (e *evaluator) ruleValue(v *template.Value, name string, arg *template.Value, place template.Place) (*template.Value, error) {
	if name == "Fn::RefAll" {
		typ, err := e.text(arg, "Template error: Fn::RefAll requires a parameter type") // our words
		if err != nil {
			return nil, err
		}
		return textList(e.ofType(typ.Text), v.Position, place), nil
	}
	attribute, err := e.text(arg.Items[1], "Template error: "+name+" requires the name of an attribute") // our words
	if err != nil {
		return nil, err
	}
	target, err := e.text(arg.Items[0], "Template error: "+name+" requires a parameter or a parameter type") // our words
	if err != nil {
		return nil, err
	}
	typ, values := target.Text, []string{}
	if p := e.in.parameters[target.Text]; name == "Fn::ValueOf" && p != nil {
		typ, values = p.valueType(), texts(p.Value)
	} else if name == "Fn::ValueOfAll" {
		values = e.ofType(typ)
	}
	var out []string
	for _, value := range values {
		hook := e.in.env.Hooks.ParameterAttribute
		if hook == nil {
			return nil, unsupported(at(v), fmt.Sprintf("%s needs the attribute %s of %q, which nothing here resolves", name, attribute.Text, value),
				"leave the rule out when the stack runs locally")
		}
		x, err := hook(typ, value, attribute.Text)
		if err != nil {
			return nil, placed(err, v, name)
		}
		out = append(out, x)
	}
	if name == "Fn::ValueOf" && len(out) == 1 {
		return e.string(out[0], v, place)
	}
	return textList(out, v.Position, place), nil
}

func (e *evaluator) ofType(typ string) []string {
	var out []string
	for _, p := range e.in.Parameters {
		if p.valueType() == typ {
			out = append(out, texts(p.Value)...)
		}
	}
	return out
}

func texts(v *template.Value) []string {
	if v.IsScalar() {
		return []string{v.Text}
	}
	out := make([]string, len(v.Items))
	for i, item := range v.Items {
		out[i] = item.Text
	}
	return out
}
