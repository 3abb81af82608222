package stack

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/template"
)

// locate finds the value in props that an API path such as OriginRequestPolicyConfig.HeadersConfig.Headers.Items[0] speaks of:
// as far down as the template has it.
func locate(props *template.Value, path string, sp *spelling) *template.Value {
	at, parent := props, (*template.Value)(nil)
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		next := fieldFold(at, name, sp)
		if next == nil && at.Kind != template.Map {
			// A member of a wrapped list is a property beside the bare list (AllowedMethods.CachedMethods).
			next = fieldFold(parent, name, sp)
		}
		if next == nil && (name == "" || strings.EqualFold(name, "Items")) {
			next = at // the bare list of a template
		}
		if next == nil {
			return at
		}
		parent = at
		if indexed {
			n, err := strconv.Atoi(index)
			if err != nil || n < 0 || n >= len(next.Items) {
				return next
			}
			parent, next = next, next.Items[n]
		}
		at = next
	}
	return at
}

// fieldFold finds the property that becomes the member name.
func fieldFold(v *template.Value, name string, sp *spelling) *template.Value {
	if v == nil || v.Kind != template.Map || name == "" {
		return nil
	}
	for _, f := range v.Fields {
		if strings.EqualFold(f.Key, name) {
			return f.Value
		}
	}
	for from, to := range sp.rename {
		if to == name || strings.HasSuffix(to, "."+name) {
			if child := v.Get(from[strings.IndexByte(from, '.')+1:]); child != nil {
				return child
			}
		}
	}
	// The members of a renamed list's wrapper: AllowedMethods.CachedMethods without AllowedMethods.
	for from, to := range sp.rename {
		if head, _, ok := strings.Cut(to, "."); ok && head == name {
			if child := v.Get(from[strings.IndexByte(from, '.')+1:]); child != nil {
				return child
			}
		}
	}
	return nil
}

// violation takes the path out of the first constraint that a model's check names: 'cachePolicyConfig.name', with list
// elements as .1.member.
var violation = regexp.MustCompile(`at '([^']+)' failed to satisfy constraint`)

var element = regexp.MustCompile(`\.([0-9]+)\.member`)

// violationPath returns the API path that the text of awsapi.Validate is about, "" when it is another text.
func violationPath(text string) string {
	m := violation.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return element.ReplaceAllStringFunc(m[1], func(s string) string {
		n, _ := strconv.Atoi(element.FindStringSubmatch(s)[1])
		return "[" + strconv.Itoa(n-1) + "]"
	})
}
