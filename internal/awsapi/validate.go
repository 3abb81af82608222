package awsapi

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/foregate/foregate/internal/diag"
)

// maxViolations bounds the length of an error; AWS reports all of them.
const maxViolations = 50

// Validate checks an input against the constraints of the model that the service reports in the general form (required,
// range, enumeration, pattern) and returns the error that the service gives, nil when all hold. Server does this before
// it calls a handler; who calls a handler without it has to.
func Validate(s *Service, op *Operation, in any) *Error {
	s.Load()
	d := s.dialect()
	if op.Input == nil || d.check == 0 {
		return nil
	}
	c := checker{checks: d.check}
	v := reflect.Indirect(reflect.ValueOf(in))
	if v.Kind() != reflect.Struct {
		return nil
	}
	c.structure(v, op.Input, "", d.check&checkBody != 0)
	if len(c.violations) == 0 {
		return nil
	}
	noun := "errors"
	if len(c.violations) == 1 {
		noun = "error"
	}
	text := fmt.Sprintf("%d validation %s detected: %s", len(c.violations), noun, strings.Join(c.violations, "; "))
	e := &Error{Code: d.validation, Status: http.StatusBadRequest, Message: text}
	if d.validationText != "" {
		e.Message = d.validationText
		e.Finding = &diag.Finding{Code: diag.InvalidParameter, Severity: diag.Error, Message: text,
			AWSError: &diag.AWSError{Code: e.Code, Status: e.Status, Message: e.Message}}
	}
	return e
}

type checker struct {
	checks     checks
	violations []string
}

func (c *checker) add(s *Shape, value, path, format string, args ...any) {
	if len(c.violations) >= maxViolations {
		return
	}
	shown := "Value " + value + " at"
	if hidden(s) && value != "null" {
		shown = "Value at"
	}
	c.violations = append(c.violations, fmt.Sprintf("%s '%s' failed to satisfy constraint: %s", shown, path, fmt.Sprintf(format, args...)))
}

// hidden tells whether a value must not be shown: the model calls it or its entries sensitive.
func hidden(s *Shape) bool {
	return s.Sensitive || s.Kind == List && hidden(s.Elem) || s.Kind == Map && (hidden(s.Key) || hidden(s.Value))
}

func (c *checker) structure(v reflect.Value, s *Shape, path string, bodyOnly bool) {
	for _, m := range s.Members {
		if bodyOnly && m.Location != Body {
			continue
		}
		f := v.Field(m.Field)
		at := join(path, lowerFirst(m.Name))
		if isNil(f) {
			if m.Required && c.checks&checkRequired != 0 {
				c.add(m.Shape, "null", at, "Member must not be null")
			}
			continue
		}
		if f.Kind() == reflect.Interface {
			continue // a stream or a document
		}
		c.value(f, m.Shape, at)
	}
}

func (c *checker) value(v reflect.Value, s *Shape, path string) {
	v = reflect.Indirect(v)
	if !v.IsValid() {
		return
	}
	switch s.Kind {
	case Structure:
		c.structure(v, s, path, false)
	case List:
		c.size(s, showList(v), path, v.Len())
		broken := false
		for i := range v.Len() {
			if s.Elem.Kind == Structure || s.Elem.Kind == List || s.Elem.Kind == Map {
				c.element(v.Index(i), s.Elem, path+"."+strconv.Itoa(i+1)+".member")
			} else {
				broken = broken || c.breaks(v.Index(i), s.Elem)
			}
		}
		if broken {
			c.add(s, showList(v), path, "Member must satisfy constraint: [%s]", constraints(s.Elem))
		}
	case Map:
		c.mapping(v, s, path)
	case String:
		c.text(v.String(), s, path)
	case Blob:
		c.size(s, "java.nio.HeapByteBuffer[…]", path, v.Len())
	case Integer, Long:
		c.number(float64(v.Int()), s, path)
	case Float, Double:
		c.number(v.Float(), s, path)
	}
}

// mapping reports all keys, and all values, in one violation each.
func (c *checker) mapping(v reflect.Value, s *Shape, path string) {
	c.size(s, showMap(v), path, v.Len())
	keys, values := false, false
	for _, k := range sortedKeys(v) {
		keys = keys || c.breaks(k, s.Key)
		if s.Value.Kind == Structure || s.Value.Kind == List || s.Value.Kind == Map {
			c.element(v.MapIndex(k), s.Value, path+"."+k.String()+".member")
		} else {
			values = values || c.breaks(v.MapIndex(k), s.Value)
		}
	}
	if keys {
		c.add(s, showMap(v), path, "Map keys must satisfy constraint: [%s]", constraints(s.Key))
	}
	if values {
		c.add(s, showMap(v), path, "Map value must satisfy constraint: [%s]", constraints(s.Value))
	}
}

// breaks tells whether a scalar breaks a constraint of its shape.
func (c *checker) breaks(v reflect.Value, s *Shape) bool {
	if v.Kind() == reflect.Interface {
		return false
	}
	one := checker{checks: c.checks}
	one.value(v, s, "")
	return len(one.violations) > 0
}

// constraints lists what holds for the entries of a list or map, in the words of the services' framework: the
// longest, the shortest, the pattern (CloudFormation for Capabilities, Lambda for Environment.Variables).
func constraints(s *Shape) string {
	if len(s.Enum) > 0 {
		return "Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]"
	}
	noun := "length"
	if s.Kind != String && s.Kind != Blob {
		noun = "value"
	}
	var parts []string
	if s.Max != nil {
		parts = append(parts, "Member must have "+noun+" less than or equal to "+formatFloat(*s.Max))
	}
	if s.Min != nil {
		parts = append(parts, "Member must have "+noun+" greater than or equal to "+formatFloat(*s.Min))
	}
	if s.Pattern != "" {
		parts = append(parts, "Member must satisfy regular expression pattern: "+s.Pattern)
	}
	return strings.Join(parts, ", ")
}

func (c *checker) element(v reflect.Value, s *Shape, path string) {
	if isNil(v) && s.Kind == Structure {
		if c.checks&checkRequired != 0 {
			c.add(s, "null", path, "Member must not be null")
		}
		return
	}
	if v.Kind() != reflect.Interface {
		c.value(v, s, path)
	}
}

func (c *checker) text(text string, s *Shape, path string) {
	if c.checks&checkEnum != 0 && len(s.Enum) > 0 {
		for _, e := range s.Enum {
			if e == text {
				return
			}
		}
		c.add(s, "'"+clip(text)+"'", path, "Member must satisfy enum value set: [%s]", strings.Join(s.Enum, ", "))
		return
	}
	c.size(s, "'"+clip(text)+"'", path, utf8.RuneCountInString(text))
	if c.checks&checkPattern != 0 && !s.Matches(text) {
		c.add(s, "'"+clip(text)+"'", path, "Member must satisfy regular expression pattern: %s", s.Pattern)
	}
}

func (c *checker) size(s *Shape, shown, path string, n int) {
	if c.checks&checkRange == 0 {
		return
	}
	if s.Min != nil && float64(n) < *s.Min {
		c.add(s, shown, path, "Member must have length greater than or equal to %s", formatFloat(*s.Min))
	}
	if s.Max != nil && float64(n) > *s.Max {
		c.add(s, shown, path, "Member must have length less than or equal to %s", formatFloat(*s.Max))
	}
}

func (c *checker) number(f float64, s *Shape, path string) {
	if c.checks&checkRange == 0 {
		return
	}
	if s.Min != nil && f < *s.Min {
		c.add(s, "'"+formatFloat(f)+"'", path, "Member must have value greater than or equal to %s", formatFloat(*s.Min))
	}
	if s.Max != nil && f > *s.Max {
		c.add(s, "'"+formatFloat(f)+"'", path, "Member must have value less than or equal to %s", formatFloat(*s.Max))
	}
}

func showList(v reflect.Value) string {
	var parts []string
	for i := range min(v.Len(), 20) {
		e := reflect.Indirect(v.Index(i))
		switch {
		case e.IsValid() && e.Kind() == reflect.String:
			parts = append(parts, clip(e.String()))
		case e.IsValid() && e.Type() == reflect.TypeFor[time.Time]():
			parts = append(parts, e.Interface().(time.Time).Format(time.RFC3339))
		default:
			parts = append(parts, "…")
		}
	}
	return "'[" + strings.Join(parts, ", ") + "]'"
}

func showMap(v reflect.Value) string {
	var parts []string
	for i, k := range sortedKeys(v) {
		if i == 20 {
			break
		}
		value := "…"
		if e := reflect.Indirect(v.MapIndex(k)); e.IsValid() && e.Kind() == reflect.String {
			value = clip(e.String())
		}
		parts = append(parts, clip(k.String())+"="+value)
	}
	return "'{" + strings.Join(parts, ", ") + "}'"
}

// clip shortens a value for an error text.
func clip(text string) string {
	const most = 256
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func lowerFirst(name string) string {
	r, n := utf8.DecodeRuneInString(name)
	return string(unicode.ToLower(r)) + name[n:]
}
