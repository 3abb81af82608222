package cloudformation

import (
	"fmt"

	"github.com/foregate/foregate/internal/template"
)

// expandLoops will expand Fn::ForEach.
func (in *Instance) expandLoops(found *findings) *Template {
	found.add(unsupported(spot{in.Template.Root.Position, ""}, fmt.Sprintf("%s is not supported", loopPrefix)))
	_ = template.Map
	return nil
}
