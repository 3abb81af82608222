package cloudformation

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// The answers of the transform that public reports show; the rest are our words.
const (
	textExtensions = "Transform AWS::LanguageExtensions failed with: "
	textLayout     = textExtensions + "Fn::ForEach layout is incorrect"
	textCollection = textExtensions + "Could not find a collection or could not be resolved for Fn::ForEach"
)

// deferred says that the template has something that the transform replaces before the references can be checked: loops,
// and functions that compute what Ref or Fn::GetAtt names.
func (p *parser) deferred() bool {
	if !p.t.HasTransform(LanguageExtensions) {
		return false
	}
	return !p.t.Root.Walk(func(v *template.Value) bool {
		for _, f := range v.Fields {
			if strings.HasPrefix(f.Key, loopPrefix) || computedName(f) {
				return false
			}
		}
		return true
	})
}

// computedName says that an entry is Ref or Fn::GetAtt with a function where the name of a resource belongs.
func computedName(f template.Field) bool {
	switch f.Key {
	case "Ref":
		return f.Value.Kind == template.Map
	case "Fn::GetAtt":
		return f.Value.Kind == template.List && len(f.Value.Items) > 0 && f.Value.Items[0].Kind == template.Map
	}
	return false
}

// expandLoops applies AWS::LanguageExtensions: it repeats what stands in Fn::ForEach and computes the names in Ref and
// Fn::GetAtt ([CFN26] intrinsic-function-reference-foreach, transform-aws-languageextensions). The result is checked as any
// template is; its values keep their positions in the file.
func (in *Instance) expandLoops(found *findings) *Template {
	x := &expander{in: in, e: &evaluator{in: in, ctx: inCondition}}
	root, err := x.expand(in.Template.Root, template.Place{}, nil)
	if err != nil {
		found.add(findingOf(err, at(in.Template.Root)))
		return nil
	}
	p := &parser{t: &Template{File: in.Template.File, Root: root, Transforms: in.Template.Transforms}}
	p.sections()
	if !p.found.failed() {
		p.t.check(&p.found)
	}
	*found = append(*found, p.found...)
	if p.found.failed() {
		return nil
	}
	return p.t
}

type expander struct {
	in *Instance
	e  *evaluator
}

// variables are the identifiers of the loops around a value, innermost last.
type variables []variable

type variable struct{ name, value string }

func (vs variables) get(name string) (string, bool) {
	for i := len(vs) - 1; i >= 0; i-- {
		if vs[i].name == name {
			return vs[i].value, true
		}
	}
	return "", false
}

// replace fills in ${Identifier}, and &{Identifier} without all but letters and digits.
func (vs variables) replace(s string) string {
	for _, v := range vs {
		s = strings.ReplaceAll(s, "${"+v.name+"}", v.value)
		s = strings.ReplaceAll(s, "&{"+v.name+"}", strings.Map(func(r rune) rune {
			if r < 128 && alphanumeric(string(r)) {
				return r
			}
			return -1
		}, v.value))
	}
	return s
}

func (x *expander) expand(v *template.Value, place template.Place, vars variables) (*template.Value, error) {
	if err := x.e.count(v); err != nil {
		return nil, err
	}
	switch v.Kind {
	case template.List:
		out := template.New(template.List, v.Position, place)
		for i, item := range v.Items {
			c, err := x.expand(item, out.AtIndex(i), vars)
			if err != nil {
				return nil, err
			}
			out.Items = append(out.Items, c)
		}
		return out, nil
	case template.Map:
		if name := v.Get("Ref"); name != nil && len(v.Fields) == 1 && name.Kind == template.String {
			if value, ok := vars.get(name.Text); ok {
				return template.NewText(template.String, value, v.Position, place), nil
			}
		}
		out := template.New(template.Map, v.Position, place)
		return out, x.entries(v, out, vars, map[string]bool{})
	case template.String:
		if len(vars) > 0 {
			return template.NewText(template.String, vars.replace(v.Text), v.Position, place), nil
		}
	}
	return v.Copy(place), nil
}

// entries appends the entries of v to out, with loops expanded. Seen has the keys of out.
func (x *expander) entries(v, out *template.Value, vars variables, seen map[string]bool) error {
	for _, f := range v.Fields {
		if strings.HasPrefix(f.Key, loopPrefix) {
			if err := x.loop(f, out, vars, seen); err != nil {
				return err
			}
			continue
		}
		key := vars.replace(f.Key)
		if seen[key] {
			return because(refused(spot{f.KeyPosition, f.Value.Path()},
				fmt.Sprintf("%sDuplicate key %s", textExtensions, key), "put the identifier of the loop into the key"), "a loop yields %s twice", key)
		}
		seen[key] = true
		c, err := x.expand(f.Value, out.At(key), vars)
		if err != nil {
			return err
		}
		if computedName(template.Field{Key: key, Value: c}) {
			if c, err = x.name(c, out.At(key)); err != nil {
				return err
			}
		}
		out.Fields = append(out.Fields, template.Field{Key: key, KeyPosition: f.KeyPosition, Value: c})
	}
	return nil
}

// name computes the name in Ref, or the first element of Fn::GetAtt, from parameters and mappings.
func (x *expander) name(v *template.Value, place template.Place) (*template.Value, error) {
	if v.Kind == template.Map {
		t, err := x.e.text(v, textRef)
		if err != nil {
			return nil, err
		}
		return t.Copy(place), nil
	}
	out := template.New(template.List, v.Position, place)
	for i, item := range v.Items {
		if i == 0 {
			t, err := x.e.text(item, textGetAtt)
			if err != nil {
				return nil, err
			}
			item = t
		}
		out.Items = append(out.Items, item.Copy(out.AtIndex(i)))
	}
	return out, nil
}

// loop appends what one Fn::ForEach yields: [identifier, collection, {key: value}].
func (x *expander) loop(f template.Field, out *template.Value, vars variables, seen map[string]bool) error {
	here := spot{f.KeyPosition, f.Value.Path()}
	layout := func(why string) *diag.Finding {
		return because(refused(here, textLayout, "write Fn::ForEach::Name: [Identifier, [a, b], {\"Key${Identifier}\": …}]"), "%s", why)
	}
	parts := list(f.Value, 3, 3)
	switch {
	case !alphanumeric(strings.TrimPrefix(f.Key, loopPrefix)):
		return layout("a loop has a name of letters and digits")
	case parts == nil:
		return layout("its value is no list of three elements")
	case parts[0].Kind != template.String || parts[0].Text == "":
		return layout("its identifier is no string")
	case parts[2].Kind != template.Map || len(parts[2].Fields) == 0:
		return layout("its third element is no map")
	case x.in.Template.Root.Get("Resources").Get(strings.TrimPrefix(f.Key, loopPrefix)) != nil:
		return layout("its name is the logical id of a resource")
	}
	values, err := x.collection(parts[1], vars)
	if err != nil {
		return err
	}
	for _, value := range values {
		inner := append(vars[:len(vars):len(vars)], variable{parts[0].Text, value})
		if err := x.entries(parts[2], out, inner, seen); err != nil {
			return err
		}
	}
	return nil
}

func (x *expander) collection(v *template.Value, vars variables) ([]string, error) {
	c, err := x.expand(v, v.Place(), vars)
	if err != nil {
		return nil, err
	}
	items, err := x.e.items(c, textCollection)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, item := range items.Items {
		if !item.IsScalar() {
			return nil, because(refused(at(v), textCollection), "an element is a %s", item.Kind)
		}
		out = append(out, item.Text)
	}
	return out, nil
}
