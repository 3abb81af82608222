package cloudfront

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/token"
)

// mentions are the names of properties and globals that the source has, other than as its own variables: what it does not
// mention it does not reach, but by names that it computes, which the meter sees (realm.go, key).
type mentions struct {
	names map[string]bool
	// nested is true when an array may come to hold another one; lengths when something may get a length that nothing was
	// allocated for.
	nested, lengths bool
	// early are methods that are called with an argument whose making may take memory: the method is looked up before that.
	early map[string]bool
	// accessors is true when reading a property may run code.
	accessors bool
	// computed is true when the source reads properties by computed names.
	computed bool
	// owns counts the mentions of hasOwnProperty other than in a call of it.
	owns int
}

func (s *source) refuse(n ast.Node, format string, args ...any) {
	if s.err == nil {
		s.err = &SyntaxError{Message: fmt.Sprintf(format, args...), Line: s.line(n)}
	}
}

func (s *source) unsupported(n ast.Node, token string) {
	s.refuse(n, `Token "%s" not supported in this version`, token)
}

func (s *source) unexpected(n ast.Node, token string) { s.refuse(n, `Unexpected token "%s"`, token) }

// check walks the code: it refuses the syntax that the runtime lacks (AWS's manual lists what it has; the texts are those of
// njs 0.4 and 0.7), and collects what the code mentions.
func (s *source) check() {
	s.mentions.early = map[string]bool{}
	s.mentions.names, s.imported = map[string]bool{}, map[*ast.Identifier]bool{}
	for _, st := range s.wrapped.Body.List {
		s.topLevel(st)
		s.walk(reflect.ValueOf(st))
	}
}

// topLevel marks imports where they may stand; walk refuses the others.
func (s *source) topLevel(st ast.Statement) {
	v, ok := st.(*ast.VariableStatement)
	if !ok {
		return
	}
	for _, b := range v.List {
		if br, ok := b.Initializer.(*ast.BracketExpression); ok {
			if id, ok := br.Left.(*ast.Identifier); ok && id.Name.String() == s.host {
				name := br.Member.(*ast.StringLiteral).Value.String()
				b.Initializer = &ast.DotExpression{Left: id, Identifier: ast.Identifier{Name: br.Member.(*ast.StringLiteral).Value, Idx: id.Idx}}
				s.mention(strings.TrimPrefix(name, modulePrefix))
				s.imported[id] = true
			}
		}
	}
}

func (s *source) mention(name string) { s.mentions.names[name] = true }

var nodeType = reflect.TypeFor[ast.Node]()

// walk visits every node below v.
func (s *source) walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() || s.err != nil {
			return
		}
		n, ok := v.Interface().(ast.Node)
		if !ok || v.Kind() != reflect.Pointer {
			s.walk(v.Elem())
			return
		}
		if s.visit(n) {
			s.walkScope(n, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.walk(v.Index(i))
		}
	case reflect.Struct:
		if t := v.Type(); t.PkgPath() != nodeType.PkgPath() {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Name != "DeclarationList" && f.IsExported() {
				s.walk(v.Field(i))
			}
		}
	}
}

// visit checks one node; false ends the walk below it.
func (s *source) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ClassLiteral, *ast.ClassDeclaration:
		s.unsupported(n, "class")
	case *ast.LexicalDeclaration:
		s.lexical(n, n.Token)
	case *ast.ForLoopInitializerLexicalDecl:
		s.lexical(n, n.LexicalDeclaration.Token)
	case *ast.ForDeclaration:
		s.lexical(n, token.LET)
		s.target(n.Target)
	case *ast.ForOfStatement:
		s.unsupported(n, "of")
	case *ast.WithStatement:
		s.unsupported(n, "with")
	case *ast.YieldExpression:
		s.unsupported(n, "yield")
	case *ast.FunctionLiteral:
		s.function(n)
	case *ast.ArrowFunctionLiteral:
		if n.Async && s.runtime == Runtime1 {
			s.unexpected(n, "=>")
		}
		s.parameters(n.ParameterList)
	case *ast.Binding:
		s.target(n.Target)
	case *ast.CatchStatement:
		if n.Parameter == nil {
			s.unsupported(n, "{")
		} else {
			s.target(n.Parameter)
		}
	case *ast.SuperExpression:
		s.unsupported(n, "super")
	case *ast.MetaProperty:
		s.unsupported(n, "new")
	case *ast.TemplateLiteral:
		if n.Tag != nil {
			s.mentions.nested = true
		}
	default:
		return s.visitExpression(n)
	}
	return s.err == nil
}

func (s *source) visitExpression(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SpreadElement:
		s.unexpected(n, "...")
	case *ast.ArrayPattern:
		s.unsupported(n, "[")
	case *ast.ObjectPattern:
		s.unsupported(n, "{")
	case *ast.OptionalChain, *ast.Optional:
		s.unexpected(n, ".")
	case *ast.AssignExpression:
		switch n.Operator {
		case token.COALESCE, token.LOGICAL_AND, token.LOGICAL_OR:
			s.unexpected(n, "=")
		}
		if d, ok := n.Left.(*ast.DotExpression); ok && d.Identifier.Name == "length" {
			s.mentions.lengths = true
		}
	case *ast.AwaitExpression:
		if s.runtime == Runtime1 {
			s.unsupported(n, "await")
		}
		s.awaits(n)
	case *ast.NumberLiteral:
		if strings.HasSuffix(n.Literal, "n") && !strings.HasPrefix(n.Literal, "0x") {
			s.unexpected(n, n.Literal)
		}
	case *ast.ArrayLiteral:
		for _, e := range n.Value {
			switch e.(type) {
			case *ast.StringLiteral, *ast.NumberLiteral, *ast.ObjectLiteral, *ast.TemplateLiteral, *ast.RegExpLiteral, nil:
			case *ast.SpreadElement:
				s.unexpected(e, "...")
			default:
				s.mentions.nested = true
			}
		}
	case *ast.ObjectLiteral:
		for _, p := range n.Value {
			if sp, ok := p.(*ast.SpreadElement); ok {
				s.unsupported(sp, "...")
			}
		}
	default:
		s.collect(n)
	}
	return s.err == nil
}

// collect notes the names that the code mentions.
func (s *source) collect(n ast.Node) {
	switch n := n.(type) {
	case *ast.Identifier:
		if n.Name.String() == s.host {
			if !s.imported[n] {
				s.refuse(n, "Illegal import statement")
			}
			return
		}
		s.mention(n.Name.String())
		if n.Name == "arguments" && s.global() { // the meter is among those of the function around the code
			s.refuse(n, `"arguments" object in global scope`)
		}
		if s.absentGlobal(n.Name.String()) {
			n.Name += absentMark
		}
	case *ast.ThisExpression:
		if s.global() {
			s.mention("globalThis")
		}
	case *ast.PropertyShort:
		s.mention(n.Name.Name.String())
		if n.Name.Name == "arguments" && s.global() {
			s.refuse(n, `"arguments" object in global scope`)
		}
		if s.absentGlobal(n.Name.Name.String()) {
			n.Name.Name += absentMark
		}
	case *ast.DotExpression:
		s.mention(n.Identifier.Name.String())
		if n.Identifier.Name == "hasOwnProperty" {
			s.mentions.owns++
		}
	case *ast.StringLiteral:
		s.mention(n.Value.String())
		switch n.Value {
		case "length":
			s.mentions.lengths = true
		case "hasOwnProperty":
			s.mentions.owns++
		}
	case *ast.PropertyKeyed:
		s.mentions.lengths = s.mentions.lengths || n.Computed
		s.mentions.accessors = s.mentions.accessors || n.Kind == ast.PropertyKindGet || n.Kind == ast.PropertyKindSet
	case *ast.CallExpression:
		if d, ok := n.Callee.(*ast.DotExpression); ok {
			for _, a := range n.ArgumentList {
				switch a.(type) {
				case *ast.Identifier, *ast.StringLiteral, *ast.NumberLiteral, *ast.RegExpLiteral, *ast.DotExpression:
				default:
					s.mentions.early[d.Identifier.Name.String()] = true
				}
			}
		}
	case *ast.BracketExpression:
		if computedKey(n.Member) {
			s.mentions.computed = true
		}
	}
}

// computedKey tells whether the name of a property is known at run time only.
func computedKey(e ast.Expression) bool {
	switch e.(type) {
	case *ast.StringLiteral, *ast.NumberLiteral:
		return false
	}
	return true
}

// lexical refuses let and const of runtime 1.0.
func (s *source) lexical(n ast.Node, t token.Token) {
	if s.runtime == Runtime1 {
		s.unsupported(n, t.String())
	}
}

func (s *source) function(n *ast.FunctionLiteral) {
	switch {
	case n.Generator:
		s.unsupported(n, "*")
	case n.Async && s.runtime == Runtime1:
		s.unsupported(n, "async")
	}
	s.parameters(n.ParameterList)
}

func (s *source) parameters(l *ast.ParameterList) {
	if l == nil {
		return
	}
	for _, b := range l.List {
		s.target(b.Target)
		if b.Initializer != nil {
			s.unexpected(b, "=")
		}
	}
	if l.Rest != nil {
		s.target(l.Rest)
	}
}

// target refuses destructuring.
func (s *source) target(t any) {
	switch p := t.(type) {
	case *ast.ObjectPattern:
		s.unsupported(p, "{")
	case *ast.ArrayPattern:
		s.unsupported(p, "[")
	}
}
