package vtl

import (
	"fmt"
)

// node is a piece of a template that writes output.
type node interface{ exec(r *run) error }

// expr is something that has a value.
type expr interface {
	eval(r *run) (Value, error)
}

type (
	textNode   string
	escapedRef struct{ ref *refNode }
	breakNode  struct{}
	stopNode   struct{}
	setNode    struct {
		target *refNode
		value  expr
	}
	branch struct {
		cond expr // nil for #else
		body []node
	}
	ifNode      struct{ branches []branch }
	foreachNode struct {
		name string
		in   expr
		body []node
	}
	evaluateNode struct{ src expr }
	defineNode   struct {
		name string
		body []node
	}
	macro struct {
		params []string
		body   []node
	}
	macroCall struct {
		m    *macro
		args []expr
	}
)

// loop is the state of a #foreach, which $foreach shows.
type loop struct {
	index  int
	last   bool
	parent *loop
}

func (r *run) block(nodes []node) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer func() { r.depth-- }()
	for _, n := range nodes {
		if err := r.step(1); err != nil {
			return err
		}
		if err := n.exec(r); err != nil {
			return err
		}
	}
	return nil
}

func (t textNode) exec(r *run) error { return r.write(string(t)) }

func (breakNode) exec(*run) error { return errBreak }

func (stopNode) exec(*run) error { return errStop }

func (n *refNode) exec(r *run) error {
	v, err := n.eval(r)
	if err != nil {
		return err
	}
	s, err := r.text(v)
	if err != nil {
		return err
	}
	return r.write(s)
}

// An escaped reference shows itself, with its backslash when it has no value (Velocity User Guide).
func (n escapedRef) exec(r *run) error {
	v, err := n.ref.eval(r)
	if err != nil {
		return err
	}
	if v == nil {
		return r.write(`\` + n.ref.literal)
	}
	return r.write(n.ref.literal)
}

// A null on the right side leaves the variable as it was (Velocity 1.7, directive.set.null.allowed=false).
func (n setNode) exec(r *run) error {
	v, err := n.value.eval(r)
	if err != nil || v == nil {
		return err
	}
	return n.target.assign(r, v)
}

func (n ifNode) exec(r *run) error {
	for _, b := range n.branches {
		if b.cond != nil {
			v, err := b.cond.eval(r)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return r.block(b.body)
	}
	return nil
}

func (n foreachNode) exec(r *run) error {
	v, err := n.in.eval(r)
	if err != nil {
		return err
	}
	items := iterable(v)
	if err := r.step(len(items) / 8); err != nil {
		return err
	}
	before, had := r.vars[n.name]
	r.loop = &loop{parent: r.loop}
	defer func() {
		r.loop = r.loop.parent
		if had {
			r.vars[n.name] = before
		} else {
			delete(r.vars, n.name)
		}
	}()
	for i, item := range items[:min(len(items), MaxIterations)] {
		r.loop.index, r.loop.last = i, i+1 == len(items)
		r.vars[n.name] = item
		if err := r.block(n.body); err == errBreak {
			break
		} else if err != nil {
			return err
		}
	}
	return nil
}

// iterable returns what #foreach runs over; strings, numbers and null are nothing to run over.
func iterable(v Value) []Value {
	switch v := v.(type) {
	case *List:
		return append([]Value(nil), v.items...)
	case *Map:
		return append([]Value(nil), v.values...)
	}
	return nil
}

func (n evaluateNode) exec(r *run) error {
	v, err := n.src.eval(r)
	if err != nil || v == nil {
		return err
	}
	src, err := r.text(v)
	if err != nil {
		return err
	}
	if err := r.step(len(src)); err != nil {
		return err
	}
	t, err := Parse(src)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	return r.block(t.body)
}

// definition is the value of a #define: it runs each time that it is written.
type definition struct{ body []node }

func (n defineNode) exec(r *run) error {
	r.vars[n.name] = &definition{n.body}
	return nil
}

func (n macroCall) exec(r *run) error {
	args := make([]Value, len(n.args))
	for i, a := range n.args {
		v, err := a.eval(r)
		if err != nil {
			return err
		}
		args[i] = v
	}
	saved := make(map[string]Value, len(n.m.params))
	for i, name := range n.m.params {
		saved[name] = r.vars[name]
		delete(r.vars, name)
		if i < len(args) && args[i] != nil {
			r.vars[name] = args[i]
		}
	}
	err := r.block(n.m.body)
	for name, v := range saved {
		if v == nil {
			delete(r.vars, name)
		} else {
			r.vars[name] = v
		}
	}
	return err
}

// capture runs nodes and returns what they wrote.
func (r *run) capture(nodes []node) (string, error) {
	out := r.out
	r.out = nil
	err := r.block(nodes)
	s := string(r.out)
	r.out = out
	return s, err
}

type partKind uint8

const (
	partProperty partKind = iota
	partCall
	partIndex
)

// refNode is a reference; literal is its text.
type refNode struct {
	name    string
	parts   []refPart
	literal string
}

type refPart struct {
	kind partKind
	name string
	args []expr
}

func (n *refNode) eval(r *run) (Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	return n.walk(r, len(n.parts))
}

// walk follows the first parts of the reference.
func (n *refNode) walk(r *run, parts int) (Value, error) {
	v := r.variable(n.name)
	for i := range n.parts[:parts] {
		if v == nil {
			return nil, nil
		}
		next, err := n.parts[i].apply(r, v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.literal, err)
		}
		v = next
	}
	return v, nil
}

func (p *refPart) apply(r *run, v Value) (Value, error) {
	if p.kind == partProperty {
		return r.property(v, p.name)
	}
	args := make([]Value, len(p.args))
	for i, a := range p.args {
		arg, err := a.eval(r)
		if err != nil {
			return nil, err
		}
		args[i] = arg
	}
	if p.kind == partIndex {
		return r.call(v, "get", args)
	}
	return r.call(v, p.name, args)
}

// assign carries out a #set; setting below something that is no map or list does nothing, as in Velocity.
func (n *refNode) assign(r *run, v Value) error {
	if len(n.parts) == 0 {
		r.vars[n.name] = v
		return nil
	}
	last := n.parts[len(n.parts)-1]
	owner, err := n.walk(r, len(n.parts)-1)
	if err != nil {
		return err
	}
	switch last.kind {
	case partProperty:
		if m, ok := owner.(*Map); ok {
			m.Put(last.name, v)
		}
		return r.step(1)
	case partCall:
		return fmt.Errorf("%s: cannot set a method call", n.literal)
	}
	key, err := last.args[0].eval(r)
	if err != nil {
		return err
	}
	switch o := owner.(type) {
	case *Map:
		_, err = r.call(o, "put", []Value{key, v})
	case *List:
		_, err = r.call(o, "set", []Value{key, v})
	}
	return err
}

// variable returns the value of a name: what the template set, or one of API Gateway's variables.
func (r *run) variable(name string) Value {
	if v, ok := r.vars[name]; ok {
		return v
	}
	switch name {
	case "input":
		return inputObject{}
	case "util":
		return utilObject{}
	case "context":
		if m := r.env.ContextMap(); m != nil {
			return m
		}
	case "stageVariables":
		if r.env.StageVariables != nil {
			return r.env.StageVariables
		}
	case "foreach":
		if r.loop != nil {
			return r.loop
		}
	case "velocityCount":
		if r.loop != nil {
			return int64(r.loop.index + 1)
		}
	}
	return nil
}
