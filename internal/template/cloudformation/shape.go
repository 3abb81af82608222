package cloudformation

import (
	"fmt"
	"strconv"

	"github.com/foregate/foregate/internal/template"
)

// The texts below are those that CloudFormation is seen to answer in public reports, and "our words" where none was found.
const (
	textRef       = "Template error: All References must be of type string"
	textCondition = "Template error: All Conditions must be of type string"
	textGetAtt    = "Template error: every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
	textSub       = "Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments. Specify a string as first argument, and an optional second argument to specify a mapping of values to replace in the string"
	textSubName   = "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, underscores, periods, and colons"
	textJoin      = "Template error: every Fn::Join object requires two parameters, (1) a string delimiter and (2) a list of strings to be joined or a function that returns a list of strings (such as Fn::GetAZs) to be joined."
	textSelect    = "Template error: Fn::Select requires a list argument with two elements: an integer index and a list"
	textIndex     = "Template error: Fn::Select requires a list argument with a valid index value as its first element"
	textNoElement = "Template error: Fn::Select cannot select nonexistent value at index %s"
	textSplit     = "Template error: every Fn::Split object requires two parameters, (1) a string delimiter and (2) a string to be split or a function that returns a string to be split."
	textBase64    = "Template error: every Fn::Base64 object must have a String-typed value."
	textGetAZs    = "Template error: every Fn::GetAZs object must have a String-typed value."
	textCidr      = "Template error: every Fn::Cidr object requires two or three parameters, (1) ipBlock, (2) count and (3) cidrBits" // our words
	textFindInMap = "Template error: every Fn::FindInMap object requires three parameters, the map name, map key and the attribute for return value"
	textIfFirst   = "Template error: Fn::If requires a list argument with the first element being a condition"
	textIf        = "Template error: Fn::If requires a list argument with three elements"
	textEquals    = "Template error: Fn::Equals requires a list argument with two elements"
	textMany      = "Template error: every %s object requires a list of at least 2 and at most 10 boolean parameters."
	textNot       = "Template error: every Fn::Not object requires a list with exactly 1 boolean parameter."
	textImport    = "Template error: the attribute in Fn::ImportValue must be a string or a function that returns a string"
)

func shapeRef(arg *template.Value, _ bool) string {
	if !arg.IsScalar() {
		return textRef
	}
	return ""
}

func shapeCondition(arg *template.Value, _ bool) string {
	if arg.Kind != template.String {
		return textCondition
	}
	return ""
}

func shapeGetAtt(arg *template.Value, _ bool) string {
	id, attr, rest := getAttParts(arg)
	if id == "" || attr == "" && rest == nil {
		return textGetAtt
	}
	return ""
}

func shapeSub(arg *template.Value, _ bool) string {
	text := arg
	if arg.Kind == template.List {
		if len(arg.Items) != 2 || arg.Items[1].Kind != template.Map {
			return textSub
		}
		text = arg.Items[0]
	}
	if !text.IsScalar() {
		return textSub
	}
	if _, ok := parseSub(text.Text); !ok {
		return textSubName
	}
	return ""
}

func shapeJoin(arg *template.Value, _ bool) string {
	if p := list(arg, 2, 2); p == nil || !p[0].IsScalar() && p[0].Kind != template.Map || !may(p[1], template.List) {
		return textJoin
	}
	return ""
}

func shapeSelect(arg *template.Value, _ bool) string {
	p := list(arg, 2, 2)
	if p == nil || !may(p[1], template.List) {
		return textSelect
	}
	if p[0].IsScalar() {
		if _, err := strconv.Atoi(p[0].Text); err != nil {
			return textIndex
		}
	}
	return ""
}

func shapeSplit(arg *template.Value, _ bool) string {
	if p := list(arg, 2, 2); p == nil || !p[0].IsScalar() || !may(p[1], template.String) {
		return textSplit
	}
	return ""
}

func shapeCidr(arg *template.Value, _ bool) string {
	if _, _, ok := call(arg, inResource); !ok && list(arg, 2, 3) == nil {
		return textCidr
	}
	return ""
}

func shapeFindInMap(arg *template.Value, extended bool) string {
	p := list(arg, 3, 3)
	if p == nil && extended {
		p = list(arg, 4, 4)
		if p != nil && p[3].Get("DefaultValue") == nil {
			p = nil
		}
	}
	if p == nil {
		return textFindInMap
	}
	for _, item := range p[:3] {
		if !may(item, template.String) {
			return textFindInMap
		}
	}
	return ""
}

func shapeIf(arg *template.Value, _ bool) string {
	if arg.Kind != template.List || len(arg.Items) == 0 || arg.Items[0].Kind != template.String {
		return textIfFirst
	}
	if len(arg.Items) != 3 {
		return textIf
	}
	return ""
}

func shapeEquals(arg *template.Value, _ bool) string {
	if list(arg, 2, 2) == nil {
		return textEquals
	}
	return ""
}

func boolean(v *template.Value) bool {
	name, _, ok := call(v, inCondition)
	return ok && booleans[name]
}

func shapeMany(name string) func(*template.Value, bool) string {
	return func(arg *template.Value, _ bool) string {
		p := list(arg, 2, 10)
		for _, item := range p {
			if !boolean(item) {
				p = nil
			}
		}
		if p == nil {
			return fmt.Sprintf(textMany, name)
		}
		return ""
	}
}

func shapeNot(arg *template.Value, _ bool) string {
	if p := list(arg, 1, 1); p == nil || !boolean(p[0]) {
		return textNot
	}
	return ""
}

func shapePair(name string) func(*template.Value, bool) string {
	return func(arg *template.Value, _ bool) string {
		if list(arg, 2, 2) == nil {
			return fmt.Sprintf("Template error: every %s object requires a list of two parameters", name) // our words
		}
		return ""
	}
}
