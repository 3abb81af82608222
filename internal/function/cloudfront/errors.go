package cloudfront

import (
	"regexp"
	"strings"

	"github.com/dop251/goja"
)

// rewording is one of goja's messages and AWS's own for the same mistake: those of njs, as its tests show them.
type rewording struct {
	goja *regexp.Regexp
	njs  string
}

func reword(goja, njs string) rewording { return rewording{regexp.MustCompile("^" + goja + "$"), njs} }

// errorTexts are the messages of errors that are thrown.
var errorTexts = []rewording{
	reword(`Cannot read property '(.*)' of undefined or null`, `cannot get property "$1" of undefined`),
	reword(`Cannot read property '(.*)' of (undefined|null)`, `cannot get property "$1" of $2`),
	reword(`Cannot (?:set|assign to) property '?(.*?)'? of (undefined|null)`, `cannot set property "$1" of $2`),
	reword(`(\S+) is not defined`, `"$1" is not defined`),
	reword(`Object has no member '(.*)'`, `(intermediate value)["$1"] is not a function`),
	reword(`Value is not an object: (undefined|null)`, `$1 is not a function`),
	reword(`Value is not an object: (?:true|false)`, `boolean is not a function`),
	reword(`Value is not an object: (?:-?[0-9].*|NaN|-?Infinity)`, `number is not a function`),
	reword(`Value is not an object: (?s:.*)`, `string is not a function`),
	reword(`Not a function: (?s:.*)`, `object is not a function`),
	reword(`Value is not a constructor`, `function is not a constructor`),
	reword(`Assignment to constant variable\.`, `assignment to constant variable`),
	reword(`Cannot access a variable before initialization`, `cannot access variable before initialization`),
	reword(`Cannot convert undefined or null to object`, `cannot convert null or undefined to object`),
	reword(`Could not convert &\{(?s:.*)`, `Cannot convert object to primitive value`), // goja shows addresses
	reword(`Cannot assign to read only property '(.*)'`, `Cannot assign to read-only property "$1" of object`),
	reword(`Cannot delete property '(.*)' of \[object Function\]`, `Cannot delete property "$1" of function`),
	reword(`Cannot delete property '(.*)' of (?s:.*)`, `Cannot delete property "$1" of object`),
	reword(`Cannot (?:add|define) property (.*), object is not extensible`, `Cannot add property "$1", object is not extensible`),
	reword(`Cannot redefine property: (.*)`, `Cannot redefine property: "$1"`),
	reword(`Receiver is not an object: (?:true|false)`, `property set on primitive boolean type`),
	reword(`Receiver is not an object: -?[0-9].*`, `property set on primitive number type`),
	reword(`Receiver is not an object: (?s:.*)`, `property set on primitive string type`),
	reword(`No initial value`, `Reduce of empty object with no initial value`),
	reword(`Converting circular structure to JSON(?s:.*)`, `Nested too deep or a cyclic structure`),
	reword(`The comparison function must be either a function or undefined`, `comparefn must be callable or undefined`),
	reword(`Invalid flags supplied to RegExp constructor '(.*)'`, `Invalid RegExp flags "$1"`),
}

// syntaxTexts are the messages of code that does not compile, as far as they are not those of errorTexts.
var syntaxTexts = []rewording{
	reword(`Identifier '(.*)' has already been declared`, `"$1" has already been declared`),
	reword(`Duplicate parameter name not allowed in this context`, `Duplicate parameter names`),
	reword(`Undefined label '(.*)'`, `Undefined label "$1"`),
	reword(`Label '(.*)' already exists`, `Label "$1" has already been declared`),
	reword(`Already saw a default in switch`, `More than one default clause in switch statement`),
	reword(`Delete of an unqualified identifier in strict mode\.?`, `Delete of an unqualified identifier`),
	reword(`Missing initializer in const declaration`, `missing initializer in const declaration`),
	reword(`Unary operator used immediately before exponentiation expression(?s:.*)`, `Either left-hand side or entire exponentiation must be parenthesized`),
	reword(`Lexical declaration cannot appear in a single-statement context`, `const declaration cannot appear in a single-statement context`),
	reword(`(Getter must not have any formal parameters|Setter must have exactly one formal parameter)\.`, `$1`),
	reword(`In strict mode code, functions can only be declared at top level or inside a block\.`, `Functions can only be declared at top level or inside a block`),
	reword(`Illegal newline after throw`, `Illegal newline after throw`),
}

// inWords is a message in AWS's words.
func inWords(message string, tables ...[]rewording) string {
	message = strings.ReplaceAll(message, absentMark, "")
	for _, table := range tables {
		for _, t := range table {
			if m := t.goja.FindStringSubmatchIndex(message); m != nil {
				return string(t.goja.ExpandString(nil, t.njs, message, m))
			}
		}
	}
	return message
}

// describe is an error as AWS's runtime writes it: `TypeError: cannot get property "value" of undefined`.
func describe(v goja.Value) string {
	o, ok := v.(*goja.Object)
	if !ok {
		if v == nil {
			return "undefined"
		}
		return v.String()
	}
	name, message := memberText(o, "name"), memberText(o, "message")
	if name == "" && message == "" {
		return o.String()
	}
	if message = inWords(message, errorTexts); message == "" {
		return name
	}
	return name + ": " + message
}

func memberText(o *goja.Object, name string) string {
	if v := o.Get(name); !nullish(v) {
		if s, ok := v.(goja.String); ok {
			return s.String()
		}
	}
	return ""
}

// caught puts the message of an error that a function catches into AWS's words: functions log them.
func (r *realm) caught(v goja.Value) {
	o, ok := v.(*goja.Object)
	if !ok || o.ClassName() != "Error" {
		return
	}
	if own := memberText(o, "message"); own != "" {
		if said := inWords(own, errorTexts); said != own {
			r.put(o, "message", r.rt.ToValue(said))
		}
	}
}
