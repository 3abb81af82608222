package cloudformation

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/template"
)

// string makes the string that a function yields; it is secret when one of its sources is.
func (e *evaluator) string(text string, v *template.Value, place template.Place, sources ...*template.Value) (*template.Value, error) {
	if err := e.charge(v, text); err != nil {
		return nil, err
	}
	x := template.NewText(template.String, text, v.Position, place)
	for _, s := range sources {
		s.Walk(func(n *template.Value) bool {
			x.Secret = x.Secret || n.Secret
			return !x.Secret
		})
	}
	return x, nil
}

func (e *evaluator) sub(v, arg *template.Value, place template.Place) (*template.Value, error) {
	text, variables := subArgs(arg)
	parts, ok := parseSub(text.Text)
	if !ok {
		return nil, refused(at(v), textSubName)
	}
	var b strings.Builder
	var sources []*template.Value
	for _, p := range parts {
		if p.Name == "" {
			b.WriteString(p.Text)
			continue
		}
		x, err := e.variable(v, variables, p.Name)
		if err != nil {
			return nil, err
		}
		if !x.IsScalar() {
			kind := "removed"
			if x != nil {
				kind = "a " + x.Kind.String()
			}
			return nil, because(refused(at(v), textSub, "join a list with Fn::Join in the map of Fn::Sub"), "${%s} is %s", p.Name, kind)
		}
		b.WriteString(x.Text)
		sources = append(sources, x)
	}
	return e.string(b.String(), v, place, sources...)
}

func (e *evaluator) variable(v, variables *template.Value, name string) (*template.Value, error) {
	if x := variables.Get(name); x != nil {
		return e.value(x, x.Place())
	}
	if id, attr, dotted := strings.Cut(name, "."); dotted {
		return e.attribute(v, id, attr, v.Place())
	}
	return e.ref(v, name, v.Place())
}

func (e *evaluator) choose(v, arg *template.Value, place template.Place) (*template.Value, error) {
	holds, ok := e.in.Conditions[arg.Items[0].Text]
	if !ok {
		return nil, refused(at(v), "Template error: unresolved condition dependency "+arg.Items[0].Text+" in Fn::If")
	}
	if holds {
		return e.value(arg.Items[1], place)
	}
	return e.value(arg.Items[2], place)
}

func (e *evaluator) join(v, arg *template.Value, place template.Place) (*template.Value, error) {
	delimiter, err := e.text(arg.Items[0], textJoin)
	if err != nil {
		return nil, err
	}
	items, err := e.items(arg.Items[1], textJoin)
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(items.Items))
	for i, item := range items.Items {
		if !item.IsScalar() {
			return nil, because(refused(at(item), textJoin), "element %d is a %s", i, item.Kind)
		}
		texts[i] = item.Text
	}
	return e.string(strings.Join(texts, delimiter.Text), v, place, delimiter, items)
}

func (e *evaluator) pick(v, arg *template.Value, place template.Place) (*template.Value, error) {
	index, err := e.text(arg.Items[0], textIndex)
	if err != nil {
		return nil, err
	}
	i, err := strconv.Atoi(index.Text)
	if err != nil {
		return nil, refused(at(arg.Items[0]), textIndex)
	}
	items, err := e.items(arg.Items[1], textSelect)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= len(items.Items) {
		return nil, because(refused(at(v), fmt.Sprintf(textNoElement, index.Text), "indexes count from 0"), "the list has %d elements", len(items.Items))
	}
	return items.Items[i].Copy(place), nil
}

func (e *evaluator) split(v, arg *template.Value, place template.Place) (*template.Value, error) {
	source, err := e.text(arg.Items[1], textSplit)
	if err != nil {
		return nil, err
	}
	delimiter := arg.Items[0].Text
	if delimiter == "" {
		return nil, because(refused(at(arg.Items[0]), textSplit), "the delimiter is empty")
	}
	out := textList(strings.Split(source.Text, delimiter), v.Position, place)
	for _, item := range out.Items {
		item.Secret = source.Secret
	}
	return out, nil
}

func (e *evaluator) base64(v, arg *template.Value, place template.Place) (*template.Value, error) {
	x, err := e.text(arg, textBase64)
	if err != nil {
		return nil, err
	}
	return e.string(base64.StdEncoding.EncodeToString([]byte(x.Text)), v, place, x)
}

func (e *evaluator) cidr(v, arg *template.Value, place template.Place) (*template.Value, error) {
	args, err := e.items(arg, textCidr)
	if err != nil {
		return nil, err
	}
	if len(args.Items) == 2 {
		return nil, because(unsupported(at(v), "Fn::Cidr without cidrBits is not supported", "write cidrBits, such as 8 for /24 networks"),
			"the manual does not say what CloudFormation takes for it")
	}
	if len(args.Items) != 3 {
		return nil, refused(at(v), textCidr)
	}
	var numbers [2]int
	for i, item := range args.Items {
		if !item.IsScalar() {
			return nil, because(refused(at(item), textCidr), "element %d is a %s", i, item.Kind)
		}
		if i > 0 {
			if numbers[i-1], err = strconv.Atoi(item.Text); err != nil {
				return nil, because(refused(at(item), textCidr), "%q is no whole number", item.Text)
			}
		}
	}
	blocks, err := cidrBlocks(args.Items[0].Text, numbers[0], numbers[1])
	if err != nil {
		return nil, because(refused(at(v), "Template error: Fn::Cidr failed: "+err.Error()), "the block is %s", args.Items[0]) // our words
	}
	return textList(blocks, v.Position, place), nil
}

func (e *evaluator) findInMap(v, arg *template.Value, place template.Place) (*template.Value, error) {
	var keys [3]string
	for i := range keys {
		x, err := e.text(arg.Items[i], textFindInMap)
		if err != nil {
			return nil, err
		}
		keys[i] = x.Text
	}
	m := e.in.Template.Mappings.Get(keys[0])
	if x := m.Get(keys[1]).Get(keys[2]); x != nil {
		return e.moved(x, v, place)
	}
	if len(arg.Items) == 4 {
		return e.value(arg.Items[3].Get("DefaultValue"), place)
	}
	if m == nil {
		return nil, refused(at(v), fmt.Sprintf("Template error: Mapping named '%s' is not present in the 'Mappings' section of template.", keys[0]))
	}
	f := refused(at(v), "Template error: Unable to get mapping for "+strings.Join(keys[:], "::"))
	level, key := m, keys[1]
	if m.Get(keys[1]) != nil {
		level, key = m.Get(keys[1]), keys[2]
	}
	names := make([]string, 0, len(level.Fields))
	for _, field := range level.Fields {
		names = append(names, field.Key)
	}
	return nil, because(f, "%s has no %q; it has %s", level.Path(), key, strings.Join(names, ", "))
}

func (e *evaluator) zones(v, arg *template.Value, place template.Place) (*template.Value, error) {
	region, err := e.text(arg, textGetAZs)
	if err != nil {
		return nil, err
	}
	if region.Text == "" {
		return textList(e.in.env.zones(e.in.env.Region), v.Position, place), nil
	}
	return textList(e.in.env.zones(region.Text), v.Position, place), nil
}

func (e *evaluator) importValue(v, arg *template.Value, place template.Place) (*template.Value, error) {
	name, err := e.text(arg, textImport)
	if err != nil {
		return nil, err
	}
	var value string
	err = errNoHook
	if e.in.env.Hooks.Import != nil {
		value, err = e.in.env.Hooks.Import(name.Text)
	}
	if err != nil {
		f := refused(at(v), "No export named "+name.String()+" found.", "deploy the stack that exports it first, or replace Fn::ImportValue by a parameter")
		if err.Error() != f.Message {
			f = because(f, "%v", err)
		}
		return nil, f
	}
	return e.string(value, v, place)
}

func (e *evaluator) length(v, arg *template.Value, place template.Place) (*template.Value, error) {
	const message = "Template error: Fn::Length must be given a list or a function that returns a list" // our words
	items, err := e.items(arg, message)
	if err != nil {
		return nil, err
	}
	return template.NewText(template.Number, strconv.Itoa(len(items.Items)), v.Position, place), nil
}

func (e *evaluator) toJSON(v, arg *template.Value, place template.Place) (*template.Value, error) {
	x, err := e.value(arg, arg.Place())
	if err != nil {
		return nil, err
	}
	if x == nil || x.Kind != template.List && x.Kind != template.Map {
		return nil, refused(at(v), "Template error: Fn::ToJsonString must be given an object or a list") // our words
	}
	return e.string(string(x.AppendJSON(nil)), v, place, x)
}

// decide computes a function that yields true or false.
func (e *evaluator) decide(v *template.Value) (bool, error) {
	name, arg, ok := call(v, e.ctx)
	if !ok || !booleans[name] {
		return false, refused(at(v), "Template format error: Conditions can only be boolean operations on parameters and other conditions")
	}
	if f := e.in.Template.checkCall(v, name, arg, e.ctx); f != nil {
		return false, f
	}
	switch name {
	case "Condition":
		return e.condition(v, arg.Text)
	case "Fn::Equals":
		return e.equals(arg)
	case "Fn::Not":
		holds, err := e.decide(arg.Items[0])
		return !holds, err
	case "Fn::And", "Fn::Or":
		return e.all(name, arg)
	}
	return e.decideRule(name, arg)
}

func (e *evaluator) condition(v *template.Value, name string) (bool, error) {
	holds, ok := e.in.Conditions[name]
	if !ok {
		return false, refused(at(v), "Template error: unresolved condition dependency "+name+" in Condition")
	}
	return holds, nil
}

// all computes every operand, so that an error in any of them is seen.
func (e *evaluator) all(name string, arg *template.Value) (bool, error) {
	and, or := true, false
	for _, item := range arg.Items {
		holds, err := e.decide(item)
		if err != nil {
			return false, err
		}
		and, or = and && holds, or || holds
	}
	if name == "Fn::And" {
		return and, nil
	}
	return or, nil
}

// equals compares texts: a number equals the string of its digits, as parameters are strings.
func (e *evaluator) equals(arg *template.Value) (bool, error) {
	var sides [2]*template.Value
	for i := range sides {
		x, err := e.value(arg.Items[i], arg.Items[i].Place())
		if err != nil {
			return false, err
		}
		if x == nil {
			return false, refused(at(arg.Items[i]), textEquals)
		}
		sides[i] = x
	}
	return same(sides[0], sides[1]), nil
}

func same(a, b *template.Value) bool {
	if a.IsScalar() && b.IsScalar() {
		return a.Text == b.Text
	}
	if a.Kind != b.Kind || len(a.Items) != len(b.Items) || len(a.Fields) != len(b.Fields) {
		return false
	}
	for i := range a.Items {
		if !same(a.Items[i], b.Items[i]) {
			return false
		}
	}
	for _, f := range a.Fields {
		if other := b.Get(f.Key); other == nil || !same(f.Value, other) {
			return false
		}
	}
	return true
}
