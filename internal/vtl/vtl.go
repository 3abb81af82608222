// Package vtl is the language of API Gateway's mapping templates: Velocity 1.7 with the variables $input, $context,
// $stageVariables and $util (facts: apigateway 6).
//
// Start with Parse and Template.Execute. The package is pure: no clock, no network, no state between runs, and a run is
// bounded in steps, output and depth. It must not know HTTP, API plans or stages; an Env brings what a template sees.
//
// Where Velocity and API Gateway differ, API Gateway wins: a reference without a value renders as nothing, an array that
// came from JSON renders as JSON, and null equals "" (test_apigateway_common::test_input_path_template_formatting,
// recorded from AWS by localstack). Regular expressions are RE2's: a pattern with lookaround or back references is an
// error. Macro arguments are passed by value. #parse and #include are errors.
package vtl

import (
	"errors"
	"fmt"
)

// The bounds of a template and of a run.
const (
	// MaxTemplate is AWS's limit of a template's size, in bytes (facts: apigateway 6).
	MaxTemplate = 300 << 10
	// MaxIterations is how often a #foreach runs; it ends there without an error, as Velocity's maxloops does.
	MaxIterations = 1000
	// MaxOutput is API Gateway's payload limit, in bytes; it bounds every string of a run too.
	MaxOutput = 10 << 20

	maxSteps = 2 << 20
	maxDepth = 64
)

// Template is a parsed template. It is not changed by runs and may be used by several at once.
type Template struct {
	body   []node
	macros map[string]*macro
	// plain is the text of a template without references and directives.
	plain   string
	isPlain bool
}

// Parse reads a template.
func Parse(src string) (*Template, error) {
	if len(src) > MaxTemplate {
		return nil, fmt.Errorf("parse template: %d bytes, the limit is %d", len(src), MaxTemplate)
	}
	p := &parser{src: src, macros: map[string]*macro{}}
	body, err := p.template()
	if err != nil {
		line, col := position(src, p.pos)
		return nil, fmt.Errorf("parse template: line %d column %d: %w", line, col, err)
	}
	t := &Template{body: body, macros: p.macros}
	switch {
	case len(body) == 0:
		t.isPlain = true
	case len(body) == 1:
		if text, ok := body[0].(textNode); ok {
			t.plain, t.isPlain = string(text), true
		}
	}
	return t, nil
}

func position(src string, pos int) (line, col int) {
	line, col = 1, 1
	for i := 0; i < pos && i < len(src); i++ {
		col++
		if src[i] == '\n' {
			line, col = line+1, 1
		}
	}
	return line, col
}

// Env is what a template sees. A nil map is an empty one.
type Env struct {
	// Body is $input.body as text. An empty body shows as {} (test_input_body_formatting, recorded from AWS).
	Body string
	// Path, Query and Header are $input.params() in the order in which $input.params(x) looks.
	Path, Query, Header *Map
	// Context makes $context when it is first used; templates may set what is below requestOverride and
	// responseOverride in it.
	Context func() *Map
	// StageVariables is $stageVariables.
	StageVariables *Map

	root    Value
	rooted  bool
	context *Map
}

// SetBody replaces the body for a further run with the same variables.
func (e *Env) SetBody(body string) { e.Body, e.root, e.rooted = body, nil, false }

// ContextMap returns $context, made on first use; nil without one.
func (e *Env) ContextMap() *Map {
	if e.context == nil && e.Context != nil {
		e.context = e.Context()
	}
	return e.context
}

// UsedContext returns $context when a template has used it, otherwise nil.
func (e *Env) UsedContext() *Map { return e.context }

var (
	errBreak = errors.New("break outside a loop")
	errStop  = errors.New("stop")
)

// Execute runs the template.
func (t *Template) Execute(env *Env) (string, error) {
	if t.isPlain {
		return t.plain, nil
	}
	r := &run{env: env, vars: map[string]Value{}, macros: t.macros}
	err := r.block(t.body)
	if err != nil && err != errStop && err != errBreak {
		return "", fmt.Errorf("run template: %w", err)
	}
	return string(r.out), nil
}

// run is one execution.
type run struct {
	env    *Env
	out    []byte
	vars   map[string]Value
	macros map[string]*macro
	loop   *loop
	steps  int
	depth  int
}

// step pays for n units of work.
func (r *run) step(n int) error {
	r.steps += n
	if r.steps > maxSteps {
		return fmt.Errorf("more than %d steps", maxSteps)
	}
	return nil
}

func (r *run) enter() error {
	r.depth++
	if r.depth > maxDepth*4 {
		return fmt.Errorf("nested deeper than %d", maxDepth*4)
	}
	return r.step(1)
}

func (r *run) write(s string) error {
	if len(r.out)+len(s) > MaxOutput {
		return fmt.Errorf("more than %d bytes of output", MaxOutput)
	}
	r.out = append(r.out, s...)
	return nil
}
