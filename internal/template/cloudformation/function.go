package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// context says in which part of the template a value stands: it decides which functions may be used.
type context uint8

const (
	inResource context = 1 << iota
	inOutput
	inCondition
	inRule

	inValue = inResource | inOutput
)

// function describes an intrinsic function (facts: cloudformation 1).
type function struct {
	where context
	// extension says that it needs the transform AWS::LanguageExtensions.
	extension bool
	// shape checks the form of the argument as far as it is literal; nil takes anything.
	shape func(arg *template.Value, extended bool) string
}

// functions is constant.
var functions = functionTable()

func functionTable() map[string]*function {
	logic := inCondition | inRule
	return map[string]*function{
		"Ref":             {where: inValue | logic, shape: shapeRef},
		"Condition":       {where: inCondition, shape: shapeCondition},
		"Fn::GetAtt":      {where: inValue, shape: shapeGetAtt},
		"Fn::Sub":         {where: inValue | inCondition, shape: shapeSub},
		"Fn::Join":        {where: inValue | inCondition, shape: shapeJoin},
		"Fn::Select":      {where: inValue | inCondition, shape: shapeSelect},
		"Fn::Split":       {where: inValue | inCondition, shape: shapeSplit},
		"Fn::Base64":      {where: inValue},
		"Fn::Cidr":        {where: inValue, shape: shapeCidr},
		"Fn::FindInMap":   {where: inValue | inCondition, shape: shapeFindInMap},
		"Fn::GetAZs":      {where: inValue},
		"Fn::ImportValue": {where: inValue},
		"Fn::Transform":   {where: inValue | logic},
		"Fn::If":          {where: inValue, shape: shapeIf},
		"Fn::Equals":      {where: logic, shape: shapeEquals},
		"Fn::And":         {where: logic, shape: shapeMany("Fn::And")},
		"Fn::Or":          {where: logic, shape: shapeMany("Fn::Or")},
		"Fn::Not":         {where: logic, shape: shapeNot},

		"Fn::Contains":         {where: inRule, shape: shapePair("Fn::Contains")},
		"Fn::EachMemberEquals": {where: inRule, shape: shapePair("Fn::EachMemberEquals")},
		"Fn::EachMemberIn":     {where: inRule, shape: shapePair("Fn::EachMemberIn")},
		"Fn::RefAll":           {where: inRule},
		"Fn::ValueOf":          {where: inRule, shape: shapePair("Fn::ValueOf")},
		"Fn::ValueOfAll":       {where: inRule, shape: shapePair("Fn::ValueOfAll")},

		"Fn::Length":       {where: inValue | inCondition, extension: true},
		"Fn::ToJsonString": {where: inValue | inCondition, extension: true},
	}
}

// booleans are the functions that yield true or false and so may be operands of Fn::And.
var booleans = map[string]bool{
	"Condition": true, "Fn::Equals": true, "Fn::And": true, "Fn::Or": true, "Fn::Not": true,
	"Fn::Contains": true, "Fn::EachMemberEquals": true, "Fn::EachMemberIn": true,
}

const loopPrefix = "Fn::ForEach::"

// call says which function v calls and with what. Condition is a function where conditions are computed and an ordinary
// entry elsewhere, as in a policy statement. Ok is false for a plain value; an unknown Fn:: name is ok, and not in functions.
func call(v *template.Value, ctx context) (name string, arg *template.Value, ok bool) {
	if v == nil || v.Kind != template.Map || len(v.Fields) != 1 {
		return "", nil, false
	}
	f := v.Fields[0]
	switch {
	case f.Key == "Ref", strings.HasPrefix(f.Key, "Fn::") && !strings.HasPrefix(f.Key, loopPrefix):
	case f.Key == "Condition" && ctx&inCondition != 0:
	default:
		return "", nil, false
	}
	return f.Key, f.Value, true
}

func isTransform(v *template.Value) bool { return v.Get("Fn::Transform") != nil }

func transformFinding(v *template.Value) *diag.Finding {
	name := "Fn::Transform"
	if n := v.Get("Fn::Transform").Get("Name"); n != nil {
		name += " with " + n.Text
	}
	return unsupported(at(v.Get("Fn::Transform")), name+" is not supported", "copy what it yields into the template")
}

// checkFunctions checks the form of every function at and below v.
func (t *Template) checkFunctions(v *template.Value, ctx context, found *findings) {
	if name, arg, ok := call(v, ctx); ok {
		if f := t.checkCall(v, name, arg, ctx); f != nil {
			found.add(f)
			return
		}
		if name == "Ref" || name == "Condition" {
			return
		}
	} else {
		for _, f := range v.Fields {
			if f.Key == "Fn::Transform" {
				found.add(transformFinding(v))
				return
			}
			if strings.HasPrefix(f.Key, "Fn::") {
				found.add(because(refused(atKey(v, f), fmt.Sprintf("Template error: %s is malformed", f.Key), // our words
					"put the function into a map of its own"), "a function stands alone in its map; here it has neighbours"))
				return
			}
		}
	}
	for _, item := range v.Items {
		t.checkFunctions(item, ctx, found)
	}
	for _, f := range v.Fields {
		t.checkFunctions(f.Value, ctx, found)
	}
}

func (t *Template) checkCall(v *template.Value, name string, arg *template.Value, ctx context) *diag.Finding {
	fn := functions[name]
	extended := t.HasTransform(LanguageExtensions)
	if fn == nil {
		names := slices.Sorted(maps.Keys(functions))
		f := refused(at(v), fmt.Sprintf("Template error: Encountered unsupported function: %s Supported functions are: [%s]", name, strings.Join(names, ", ")))
		for _, n := range names {
			if strings.EqualFold(n, name) {
				f.Fixes = []string{"write " + n}
			}
		}
		return f
	}
	if name == "Fn::Transform" {
		return transformFinding(v)
	}
	if fn.extension && !extended {
		return because(refused(at(v), "Template error: Encountered unsupported function: "+name, "add Transform: "+LanguageExtensions),
			"%s is part of the transform %s", name, LanguageExtensions)
	}
	if fn.where&ctx == 0 {
		return misplaced(v, name, arg, ctx)
	}
	if fn.shape != nil {
		if message := fn.shape(arg, extended); message != "" {
			return refused(at(v), message)
		}
	}
	return nil
}

func misplaced(v *template.Value, name string, arg *template.Value, ctx context) *diag.Finding {
	switch {
	case name == "Fn::GetAtt" && ctx == inCondition:
		id, _, _ := getAttParts(arg)
		return refused(at(v), fmt.Sprintf(
			"Template format error: Unresolved dependencies [%s]. Cannot reference resources in the Conditions block of the template", id),
			"conditions are decided before any resource exists: use a parameter")
	case ctx&inValue != 0 && booleans[name]:
		return refused(at(v), fmt.Sprintf("Template error: %s cannot be partially collapsed", name),
			"name the condition in the Conditions section and use Fn::If with its name")
	}
	return refused(at(v), fmt.Sprintf("Template error: %s cannot be used here", name)) // our words
}

// list returns the elements of a literal list of n to m elements; a function in the place of the list is no list.
func list(arg *template.Value, n, m int) []*template.Value {
	if arg.Kind != template.List || len(arg.Items) < n || len(arg.Items) > m {
		return nil
	}
	return arg.Items
}

// may says that v is of a kind, or a function that may yield it.
func may(v *template.Value, kind template.Kind) bool {
	if _, _, ok := call(v, inResource); ok {
		return true
	}
	if kind == template.String {
		return v.IsScalar()
	}
	return v.Kind == kind
}

// getAttParts splits both forms: [Site, DomainName] and Site.DomainName. An attribute may have dots; the second element of
// the list may be a function, attr is then nil of the literal form and rest holds it.
func getAttParts(arg *template.Value) (id, attr string, rest *template.Value) {
	switch {
	case arg.Kind == template.String:
		id, attr, _ = strings.Cut(arg.Text, ".")
	case arg.Kind == template.List && len(arg.Items) == 2 && arg.Items[0].IsScalar():
		id = arg.Items[0].Text
		if arg.Items[1].IsScalar() {
			attr = arg.Items[1].Text
		} else {
			rest = arg.Items[1]
		}
	case arg.Kind == template.List && len(arg.Items) > 2:
		// [Nested, Outputs, Url] is taken as [Nested, Outputs.Url].
		names := make([]string, 0, len(arg.Items))
		for _, item := range arg.Items {
			if !item.IsScalar() {
				return "", "", nil
			}
			names = append(names, item.Text)
		}
		id, attr = names[0], strings.Join(names[1:], ".")
	}
	return id, attr, rest
}
