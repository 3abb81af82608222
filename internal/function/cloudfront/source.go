package cloudfront

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/parser"
)

// Error is the text as AWS reports it: `SyntaxError: Unexpected token "=>" in 10`.
func (e *SyntaxError) Error() string { return fmt.Sprintf("SyntaxError: %s in %d", e.Message, e.Line) }

// source is a function's code on its way to a program.
type source struct {
	text    string
	runtime string
	program *ast.Program
	wrapped *ast.FunctionLiteral
	// host and steps are the names of the two variables by which instrumented code reaches the meter; no identifier of the
	// code contains them.
	host, steps string
	mentions    mentions
	imported    map[*ast.Identifier]bool
	offset      int // of the code in the wrapped text
	scope       *scope
	err         *SyntaxError
}

var importDeclaration = regexp.MustCompile(`^import\s+([A-Za-z_$][\w$]*)\s+from\s*(?:'([^'\n]*)'|"([^"\n]*)")\s*;?`)

// parse reads the code as the runtime's grammar has it.
func parse(code, runtime string) (*source, *SyntaxError) {
	s := &source{text: code, runtime: runtime, host: "$host", steps: "$steps"}
	for strings.Contains(code, s.host) || strings.Contains(code, s.steps) {
		s.host, s.steps = s.host+"_", s.steps+"_"
	}
	if err := s.imports(); err != nil {
		return nil, err
	}
	// The code becomes the body of a function, so that its variables are quick to reach and the meter is out of its reach. What
	// is a program by itself is a function's body as well.
	prefix := "(function(" + s.host + `){"use strict";var ` + s.steps + "=0;"
	s.offset = len(prefix)
	p, err := parser.ParseFile(nil, "", prefix+s.text+"\n;return typeof handler==='undefined'?void 0:handler})", 0, parser.WithDisableSourceMaps)
	if err != nil {
		return nil, s.syntaxError(err)
	}
	s.program = p
	s.wrapped = p.Body[0].(*ast.ExpressionStatement).Expression.(*ast.FunctionLiteral)
	if s.check(); s.err != nil {
		return nil, s.err
	}
	return s, nil
}

// imports turns import declarations, which goja does not parse, into variables. The parser itself finds them, by failing there.
func (s *source) imports() *SyntaxError {
	for range 16 {
		_, err := parser.ParseFile(nil, "", s.text, 0, parser.WithDisableSourceMaps)
		var list parser.ErrorList
		if !errors.As(err, &list) || len(list) == 0 {
			return nil
		}
		at := offsetOf(s.text, list[0].Position.Line, list[0].Position.Column)
		m := importDeclaration.FindStringSubmatch(s.text[at:])
		if m == nil {
			return s.syntaxError(err)
		}
		module := m[2] + m[3]
		if !s.hasModule(module) {
			return &SyntaxError{Message: `Cannot find module "` + module + `"`, Line: list[0].Position.Line}
		}
		lines := strings.Repeat("\n", strings.Count(m[0], "\n"))
		s.text = s.text[:at] + "var " + m[1] + "=" + s.host + `["` + modulePrefix + module + `"];` + lines + s.text[at+len(m[0]):]
	}
	return &SyntaxError{Message: "Too many import declarations", Line: 1}
}

func (s *source) hasModule(name string) bool {
	switch name {
	case "crypto", "querystring":
		return true
	case "buffer", "cloudfront":
		return s.runtime == Runtime2
	}
	return false
}

// offsetOf finds a position of goja's parser: its columns count characters from 1.
func offsetOf(text string, line, column int) int {
	at := 0
	for ; line > 1; line-- {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		at += i + 1
	}
	for i := range text[at:] {
		if column--; column < 1 {
			return at + i
		}
	}
	return len(text)
}

var (
	unexpectedToken = regexp.MustCompile(`^Unexpected (?:token|reserved word|number|string|identifier|template string)\b\s*(.*)$`)
	word            = regexp.MustCompile(`^(?:[A-Za-z_$][\w$]*|\.?\d[\w.]*|=>|\.\.\.|\?\?=?|\|\|=?|&&=?|>>>=?|>>=?|<<=?|[=!]==?|\*\*=?|\+\+|--|[-+*/%&|^<>]=|.)`)
	afterAwait      = regexp.MustCompile(`\bawait\s+$`)
	unterminated    = regexp.MustCompile(`^(?:'(?:[^'\\\n]|\\[\s\S])*|"(?:[^"\\\n]|\\[\s\S])*)(?:\n|$)`)
)

// syntaxError says in njs's form what goja's parser does not take.
func (s *source) syntaxError(err error) *SyntaxError {
	var list parser.ErrorList
	if !errors.As(err, &list) || len(list) == 0 {
		return &SyntaxError{Message: err.Error(), Line: 1}
	}
	first := list[0]
	out := &SyntaxError{Message: inWords(first.Message, syntaxTexts), Line: first.Position.Line}
	lines := strings.Count(s.text, "\n") + 1
	if out.Line > lines || strings.Contains(first.Message, "end of input") {
		if strings.Count(s.text, "`")%2 == 1 {
			return &SyntaxError{Message: "Unterminated template literal", Line: min(out.Line, lines)}
		}
		return &SyntaxError{Message: "Unexpected end of input", Line: min(out.Line, lines)}
	}
	at := offsetOf(s.text, out.Line, first.Position.Column)
	m := unexpectedToken.FindStringSubmatch(first.Message)
	switch {
	case strings.HasPrefix(s.text[at:], "import"):
		out.Message = "Non-default import is not supported"
	case strings.HasPrefix(s.text[at:], "export"):
		out.Message = "Illegal export statement"
	case m == nil && strings.Contains(first.Message, "missing /"):
		line, _, _ := strings.Cut(s.text[at:], "\n")
		out.Message = `Unterminated RegExp "` + strings.TrimSuffix(line, "\r") + `"`
	case m == nil:
	case at >= len(s.text):
		out.Message = `Unexpected token "` + m[1] + `"`
	case s.runtime == Runtime2 && afterAwait.MatchString(s.text[:at]):
		out.Message = "await is only valid in async functions"
	case unterminated.MatchString(s.text[at:]):
		out.Message = `Unterminated string "` + unterminated.FindString(s.text[at:]) + `"`
	default:
		out.Message = `Unexpected token "` + word.FindString(s.text[at:]) + `"`
	}
	return out
}

// compileError is an error that goja finds after parsing, such as a second declaration of a name.
func (s *source) compileError(err error) *SyntaxError {
	var ce *goja.CompilerSyntaxError
	if errors.As(err, &ce) && ce.File != nil {
		return &SyntaxError{Message: inWords(ce.Message, syntaxTexts, errorTexts), Line: ce.File.Position(ce.Offset).Line}
	}
	return &SyntaxError{Message: inWords(strings.TrimPrefix(err.Error(), "SyntaxError: "), syntaxTexts, errorTexts), Line: 1}
}

// line is the line of a node.
func (s *source) line(n ast.Node) int {
	at := min(max(int(n.Idx0())-1-s.offset, 0), len(s.text))
	return strings.Count(s.text[:at], "\n") + 1
}
