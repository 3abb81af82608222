package resource

import (
	"time"

	"github.com/foregate/foregate/internal/store"
)

// Stacks holds the stacks of each region under their names.
var Stacks = store.NewKind[Stack]("cloudformation", "stack")

func stackDecoders() []store.Decoder { return []store.Decoder{Stacks.Decoder()} }

// Stack is a deployed template.
type Stack struct {
	Name, ID string
	Created  time.Time
	Updated  time.Time
	// Resources are in the order in which they were made.
	Resources []StackResource
	Outputs   []StackOutput
	// Imports are the names of other stacks' exports that the stack uses.
	Imports []string
	// Parameters has the values that the stack was made with; NoEcho values are left out.
	Parameters map[string]string
}

// StackResource is a resource of a stack.
type StackResource struct {
	LogicalID, Type string
	// PhysicalID is what Ref returns, or what names the resource to its service.
	PhysicalID string
	// Attributes are the values of Fn::GetAtt, those that Foregate knows.
	Attributes map[string]string
	// Properties is the evaluated JSON that the resource was made from: an update compares it.
	Properties []byte
	// Retain is set by a DeletionPolicy that keeps the resource when it leaves the stack.
	Retain bool
	// Absent is set for what Foregate does not make: PhysicalID and Attributes are made up, so that others can refer to it.
	Absent bool
}

// StackOutput is an output of a stack.
type StackOutput struct{ Key, Value, Description, ExportName string }
