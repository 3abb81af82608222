package cloudfront

import (
	"reflect"
	"strconv"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
	"github.com/dop251/goja/token"
)

// instrument puts the meter into the code. Every function and every loop begins by counting the nodes of its body, so that the
// count is near to the instructions that run; what may grow a string, and names that are computed, pass by the meter. The two
// means are cheap: a local variable, and assignments to properties of the host object, which Go receives (meter.go).
func (s *source) instrument() {
	list := s.wrapped.Body.List
	for _, st := range list {
		s.rewrite(reflect.ValueOf(st))
	}
}

// snippet parses an expression over the two variables.
func (s *source) snippet(text string) ast.Expression {
	p, err := parser.ParseFile(nil, "", text, 0, parser.WithDisableSourceMaps)
	if err != nil {
		panic("parse instrumentation: " + err.Error()) // a mistake of this file
	}
	return p.Body[0].(*ast.ExpressionStatement).Expression
}

func (s *source) tick(nodes int) ast.Expression {
	return s.snippet("(" + s.steps + "-=" + strconv.Itoa(nodes) + ")<0&&(" + s.host + "." + trapSpent + "=" + s.steps + "," + s.steps + "=" + s.host + "." + getSteps + ")")
}

// through passes an expression by the host: it has the same value.
func (s *source) through(trap string, e ast.Expression) ast.Expression {
	a := s.snippet(s.host + "." + trap + "=0").(*ast.AssignExpression)
	a.Right = e
	return a
}

// rewrite instruments v and what is below, and returns how many nodes that is, without loops and functions inside.
func (s *source) rewrite(v reflect.Value) int {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		n := s.rewrite(v.Elem())
		if e, ok := v.Interface().(ast.Expression); ok && v.CanSet() {
			if r := s.replacement(e); r != nil {
				v.Set(reflect.ValueOf(r))
			}
		}
		return n
	case reflect.Pointer:
		if v.IsNil() {
			return 0
		}
		return s.rewriteNode(v)
	case reflect.Slice:
		n := 0
		for i := range v.Len() {
			n += s.rewrite(v.Index(i))
		}
		return n
	case reflect.Struct:
		return s.rewriteFields(v)
	}
	return 0
}

func (s *source) rewriteFields(v reflect.Value) int {
	if v.Type().PkgPath() != nodeType.PkgPath() {
		return 0
	}
	n := 0
	for i := range v.NumField() {
		if f := v.Type().Field(i); f.Name != "DeclarationList" && f.IsExported() {
			n += s.rewrite(v.Field(i))
		}
	}
	return n
}

func (s *source) rewriteNode(v reflect.Value) int {
	n := 1 + s.rewriteFields(v.Elem())
	switch node := v.Interface().(type) {
	case *ast.FunctionLiteral:
		node.Body.List = append([]ast.Statement{&ast.ExpressionStatement{Expression: s.tick(n)}}, node.Body.List...)
		return 1
	case *ast.ArrowFunctionLiteral:
		switch body := node.Body.(type) {
		case *ast.BlockStatement:
			body.List = append([]ast.Statement{&ast.ExpressionStatement{Expression: s.tick(n)}}, body.List...)
		case *ast.ExpressionBody:
			body.Expression = &ast.SequenceExpression{Sequence: []ast.Expression{s.tick(n), body.Expression}}
		}
		return 1
	case *ast.CatchStatement:
		if id, ok := node.Parameter.(*ast.Identifier); ok {
			caught := s.snippet(s.host + "." + trapCaught + "=0").(*ast.AssignExpression)
			caught.Right = &ast.Identifier{Name: id.Name, Idx: id.Idx}
			node.Body.List = append([]ast.Statement{&ast.ExpressionStatement{Expression: caught}}, node.Body.List...)
		}
		return n
	case *ast.WhileStatement:
		node.Body = s.loop(node.Body, n)
	case *ast.DoWhileStatement:
		node.Body = s.loop(node.Body, n)
	case *ast.ForStatement:
		node.Body = s.loop(node.Body, n)
	case *ast.ForInStatement:
		node.Body = s.loop(node.Body, n)
	default:
		return n
	}
	return 1
}

func (s *source) loop(body ast.Statement, nodes int) ast.Statement {
	tick := &ast.ExpressionStatement{Expression: s.tick(nodes)}
	if b, ok := body.(*ast.BlockStatement); ok {
		b.List = append([]ast.Statement{tick}, b.List...)
		return b
	}
	return &ast.BlockStatement{LeftBrace: body.Idx0(), List: []ast.Statement{tick, body}, RightBrace: body.Idx1()}
}

// replacement is what takes the place of an expression, nil for itself.
func (s *source) replacement(e ast.Expression) ast.Expression {
	switch e := e.(type) {
	case *ast.BinaryExpression:
		if e.Operator == token.IN && computedKey(e.Left) {
			e.Left = s.through(trapKey, e.Left)
		}
		if e.Operator == token.PLUS && !shortLiteral(e.Left) && !shortLiteral(e.Right) {
			return s.through(trapString, e)
		}
	case *ast.AssignExpression:
		if e.Operator == token.PLUS && !shortLiteral(e.Right) {
			return s.through(trapString, e)
		}
		if b, ok := e.Left.(*ast.BracketExpression); ok {
			s.index(b)
		}
	case *ast.TemplateLiteral:
		if len(e.Expressions) > 1 {
			for i := range e.Expressions {
				e.Expressions[i] = s.through(trapString, e.Expressions[i])
			}
		}
	case *ast.CallExpression:
		if i := ownName(e); i >= 0 && i < len(e.ArgumentList) && computedKey(e.ArgumentList[i]) {
			e.ArgumentList[i] = s.through(trapKey, e.ArgumentList[i])
		}
	case *ast.BracketExpression:
		if computedKey(e.Member) {
			e.Member = s.through(trapKey, e.Member)
		}
	}
	return nil
}

// index passes the key of an element that is set by another trap, which refuses indexes that would make a sparse array.
func (s *source) index(b *ast.BracketExpression) {
	if n, ok := b.Member.(*ast.NumberLiteral); ok {
		b.Member = s.through(trapIndex, n)
		return
	}
	if a, ok := b.Member.(*ast.AssignExpression); ok {
		if d, ok := a.Left.(*ast.DotExpression); ok && d.Identifier.Name == trapKey {
			d.Identifier.Name = trapIndex
		}
	}
}

// shortLiteral tells of an operand of + that makes the result hardly longer than the other operand.
func shortLiteral(e ast.Expression) bool {
	switch e := e.(type) {
	case *ast.NumberLiteral, *ast.BooleanLiteral, *ast.NullLiteral:
		return true
	case *ast.StringLiteral:
		return len(e.Value) <= 64
	case *ast.UnaryExpression:
		return !e.Postfix || e.Operator == token.INCREMENT || e.Operator == token.DECREMENT
	}
	return false
}
