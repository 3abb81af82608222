package cloudformation

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/foregate/foregate/internal/diag"
)

// check compares a value with the constraints of its parameter. With an SSM type they bind the name of the parameter, not
// what is stored in it.
func (b *BoundParameter) check(where spot) *diag.Finding {
	if len(b.Text) > maxValue {
		return b.invalid(where, fmt.Sprintf("Parameter '%s' must contain at most %d characters", b.Name, maxValue))
	}
	items := []string{b.Text}
	if _, ssm := b.SSMType(); b.IsList() && !ssm {
		items = splitList(b.Text)
	}
	for _, item := range items {
		if message := b.violated(item); message != "" {
			if b.ConstraintDescription != "" && !strings.HasSuffix(message, "must be a number") {
				message = fmt.Sprintf("Parameter '%s' failed to satisfy constraint: %s", b.Name, b.ConstraintDescription)
			}
			return b.invalid(where, message)
		}
	}
	if b.AllowedPattern == "" {
		return nil
	}
	re, err := regexp.Compile(`^(?:` + b.AllowedPattern + `)$`)
	if err != nil {
		return &diag.Finding{
			Code: diag.InvalidParameter, Severity: diag.Warning, Path: where.path + ".AllowedPattern", Position: b.Parameter.Value.Get("AllowedPattern").NamePosition(),
			Message: fmt.Sprintf("the pattern %q of parameter %s is not checked here", b.AllowedPattern, b.Name),
			Because: []string{"CloudFormation uses Java's regular expressions; this one has something that Go's do not", err.Error()},
		}
	}
	for _, item := range items {
		if !re.MatchString(item) {
			message := fmt.Sprintf("Parameter '%s' must match pattern %s", b.Name, b.AllowedPattern)
			if b.ConstraintDescription != "" {
				message = fmt.Sprintf("Parameter '%s' failed to satisfy constraint: %s", b.Name, b.ConstraintDescription)
			}
			return b.invalid(where, message)
		}
	}
	return nil
}

func (b *BoundParameter) invalid(where spot, message string) *diag.Finding {
	f := refused(where, message)
	f.Code = diag.InvalidParameter
	shown := b.Text
	if b.NoEcho {
		shown = "****"
	}
	from := "it was given"
	if b.FromDefault {
		from = "it is the default"
	}
	because(f, "the value is %q; %s", shown, from)
	if len(b.AllowedValues) > 0 {
		f.Fixes = []string{"use one of " + strings.Join(b.AllowedValues, ", ")}
	}
	return f
}

// violated returns CloudFormation's text for the constraint that one value breaks, "" when it keeps all but the pattern.
func (b *BoundParameter) violated(item string) string {
	name := b.Name
	n := utf8.RuneCountInString(item)
	switch {
	case len(b.AllowedValues) > 0 && !slices.Contains(b.AllowedValues, item) && !slices.Contains(b.AllowedValues, b.Text):
		return fmt.Sprintf("Parameter '%s' must be one of AllowedValues", name)
	case b.MinLength != nil && n < *b.MinLength:
		return fmt.Sprintf("Parameter '%s' must contain at least %d characters", name, *b.MinLength)
	case b.MaxLength != nil && n > *b.MaxLength:
		return fmt.Sprintf("Parameter '%s' must contain at most %d characters", name, *b.MaxLength)
	}
	if !b.isNumber() {
		return ""
	}
	v, ok := number(item)
	switch {
	case !ok:
		return fmt.Sprintf("Parameter '%s' must be a number", name)
	case b.MinValue != "" && less(v, b.MinValue):
		return fmt.Sprintf("Parameter '%s' must be a number not less than %s", name, b.MinValue)
	case b.MaxValue != "" && greater(v, b.MaxValue):
		return fmt.Sprintf("Parameter '%s' must be a number not greater than %s", name, b.MaxValue)
	}
	return ""
}

var decimal = regexp.MustCompile(`^[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?$`)

// number reads a decimal number exactly.
func number(s string) (*big.Rat, bool) {
	if !decimal.MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func less(v *big.Rat, bound string) bool {
	b, ok := number(bound)
	return ok && v.Cmp(b) < 0
}

func greater(v *big.Rat, bound string) bool {
	b, ok := number(bound)
	return ok && v.Cmp(b) > 0
}
