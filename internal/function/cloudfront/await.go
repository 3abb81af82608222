package cloudfront

import (
	"reflect"

	"github.com/dop251/goja/ast"
)

// scope is a function or a block that the walk over the code is in. The runtimes refuse await among the arguments of a call
// ("async arguments … are not supported", AWS's manual, runtime 2.0), and as njs 0.7 does they look only at the function itself:
// a call within a block of it is not seen, and neither is what stands behind the end of another call.
type scope struct {
	outer     *scope
	function  bool
	arrow     bool
	body      *ast.BlockStatement // of a function
	arguments bool                // among the arguments of a call
}

// awaits refuses await where the runtime does.
func (s *source) awaits(n *ast.AwaitExpression) {
	f := s.scope
	for f != nil && !f.function {
		f = f.outer
	}
	if f != nil && f.arguments {
		s.refuse(n, "await in arguments not supported")
	}
}

// global tells whether this and arguments, where the walk is, are those of the code's top level.
func (s *source) global() bool {
	for f := s.scope; f != nil; f = f.outer {
		if f.function && !f.arrow {
			return false
		}
	}
	return true
}

// walkScope visits what is below n, in a scope of its own where n has one.
func (s *source) walkScope(n ast.Node, below reflect.Value) {
	outer := s.scope
	defer func() { s.scope = outer }()
	switch n := n.(type) {
	case *ast.FunctionLiteral:
		s.scope = &scope{outer: outer, function: true, body: n.Body}
	case *ast.ArrowFunctionLiteral:
		body, _ := n.Body.(*ast.BlockStatement)
		s.scope = &scope{outer: outer, function: true, arrow: true, body: body}
	case *ast.BlockStatement:
		if outer == nil || outer.body != n {
			s.scope = &scope{outer: outer}
		}
	case *ast.ForStatement, *ast.ForInStatement, *ast.SwitchStatement:
		s.scope = &scope{outer: outer}
	case *ast.CallExpression:
		if ownName(n) >= 0 {
			s.mentions.owns--
		}
		s.walkCall(n.Callee, n.ArgumentList)
		return
	case *ast.NewExpression:
		s.walkCall(n.Callee, n.ArgumentList)
		return
	}
	s.walk(below)
}

// ownName is the place of the argument that names a property in a call of hasOwnProperty, -1 for other calls.
func ownName(n *ast.CallExpression) int {
	d, ok := n.Callee.(*ast.DotExpression)
	switch {
	case !ok:
		return -1
	case d.Identifier.Name == "hasOwnProperty":
		return 0
	}
	if of, ok := d.Left.(*ast.DotExpression); ok && d.Identifier.Name == "call" && of.Identifier.Name == "hasOwnProperty" {
		return 1
	}
	return -1
}

func (s *source) walkCall(callee ast.Expression, arguments []ast.Expression) {
	s.walk(reflect.ValueOf(callee))
	if len(arguments) == 0 {
		return
	}
	in := s.scope
	if in != nil {
		in.arguments = true
	}
	s.walk(reflect.ValueOf(arguments))
	if in != nil {
		in.arguments = false
	}
}
