package cloudformation

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

const userGuide = "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/"

// spot is where a finding points.
type spot struct {
	pos  diag.Position
	path string
}

func at(v *template.Value) spot { return spot{v.Position, v.Path()} }

// atKey points at the key of an entry: what is wrong is its name or that it is there.
func atKey(parent *template.Value, f template.Field) spot {
	return spot{f.KeyPosition, f.Value.Path()}
}

// refused makes the finding for what CloudFormation answers with a ValidationError. The message is CloudFormation's.
func refused(s spot, message string, fixes ...string) *diag.Finding {
	return &diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Error, Message: message, Fixes: fixes, Path: s.path, Position: s.pos,
		AWSError: &diag.AWSError{Code: "ValidationError", Status: http.StatusBadRequest, Message: message},
	}
}

// unsupported makes the finding for what CloudFormation takes and Foregate does not.
func unsupported(s spot, message string, fixes ...string) *diag.Finding {
	return &diag.Finding{
		Code: diag.UnsupportedProperty, Severity: diag.Error, Message: message, Fixes: fixes, Path: s.path, Position: s.pos,
	}
}

func because(f *diag.Finding, format string, args ...any) *diag.Finding {
	f.Because = append(f.Because, fmt.Sprintf(format, args...))
	return f
}

// findings collects; nil is not added.
type findings []diag.Finding

func (l *findings) add(f *diag.Finding) {
	if f != nil {
		*l = append(*l, *f)
	}
}

func (l findings) failed() bool { return diag.Worst(l) == diag.Error }

// pointer writes a path as CloudFormation does in its messages: /Resources/Site/Type/Origins/0. It says Type where the
// template says Properties of a resource, as its answers show (seen in public reports of "'null' values are not allowed").
func pointer(path string) string {
	steps, err := template.ParsePath(path)
	if err != nil {
		return "/" + path
	}
	var b strings.Builder
	for i, s := range steps {
		b.WriteByte('/')
		switch {
		case s.IsIndex:
			fmt.Fprint(&b, s.Index)
		case i == 2 && s.Key == "Properties" && steps[0].Key == "Resources" && len(steps) > 3:
			b.WriteString("Type")
		default:
			b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(s.Key))
		}
	}
	return b.String()
}
