package vtl

import (
	"errors"
	"fmt"
	"math"
)

type (
	literalExpr  struct{ v Value }
	interpolated struct{ body []node }
	notExpr      struct{ e expr }
	listExpr     struct{ items []expr }
	rangeExpr    struct{ first, last expr }
	mapExpr      struct{ keys, values []expr }
	binaryExpr   struct {
		op          binaryOp
		left, right expr
	}
)

type binaryOp uint8

const (
	opOr binaryOp = iota
	opAnd
	opEq
	opNe
	opLt
	opGt
	opLe
	opGe
	opAdd
	opSub
	opMul
	opDiv
	opMod
)

func (e literalExpr) eval(*run) (Value, error) { return e.v, nil }

func (e interpolated) eval(r *run) (Value, error) {
	s, err := r.capture(e.body)
	return s, err
}

func (e notExpr) eval(r *run) (Value, error) {
	v, err := e.e.eval(r)
	return !truth(v), err
}

func (e listExpr) eval(r *run) (Value, error) {
	l := &List{items: make([]Value, 0, len(e.items))}
	for _, i := range e.items {
		v, err := i.eval(r)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
	}
	return l, r.step(len(e.items))
}

// A range counts up or down, both ends included.
func (e rangeExpr) eval(r *run) (Value, error) {
	first, err := e.first.eval(r)
	if err != nil {
		return nil, err
	}
	last, err := e.last.eval(r)
	if err != nil {
		return nil, err
	}
	a, ok1 := first.(int64)
	b, ok2 := last.(int64)
	if !ok1 || !ok2 {
		return nil, nil
	}
	n, by := b-a, int64(1)
	if b < a {
		n, by = a-b, -1
	}
	if n < 0 || n > maxSteps {
		return nil, errors.New("range is too long")
	}
	if err := r.step(int(n)); err != nil {
		return nil, err
	}
	l := &List{items: make([]Value, 0, n+1)}
	for i := range n + 1 {
		l.items = append(l.items, a+i*by)
	}
	return l, nil
}

func (e mapExpr) eval(r *run) (Value, error) {
	m := NewMap()
	for i := range e.keys {
		k, err := e.keys[i].eval(r)
		if err != nil {
			return nil, err
		}
		v, err := e.values[i].eval(r)
		if err != nil {
			return nil, err
		}
		key, err := r.text(k)
		if err != nil {
			return nil, err
		}
		m.Put(key, v)
	}
	return m, r.step(len(e.keys))
}

// truth is Velocity 1.7's: null and false are false, everything else is true, "" and 0 too.
func truth(v Value) bool {
	if b, ok := v.(bool); ok {
		return b
	}
	return v != nil
}

func (e binaryExpr) eval(r *run) (Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	left, err := e.left.eval(r)
	if err != nil {
		return nil, err
	}
	switch {
	case e.op == opOr && truth(left):
		return true, nil
	case e.op == opAnd && !truth(left):
		return false, nil
	}
	right, err := e.right.eval(r)
	if err != nil {
		return nil, err
	}
	switch e.op {
	case opOr, opAnd:
		return truth(right), nil
	case opEq, opNe:
		same, err := r.same(left, right)
		return same == (e.op == opEq), err
	case opLt, opGt, opLe, opGe:
		return compare(e.op, left, right), nil
	}
	if e.op == opAdd {
		_, s1 := left.(string)
		_, s2 := right.(string)
		if s1 || s2 {
			return r.concat(e, left, right)
		}
	}
	return arithmetic(e.op, left, right)
}

// concat joins strings; a null shows as the text of its expression (Velocity 1.7's addition).
func (r *run) concat(e binaryExpr, left, right Value) (Value, error) {
	var out string
	for i, v := range [...]Value{left, right} {
		s, err := r.text(v)
		if err != nil {
			return nil, err
		}
		if ref, ok := [...]expr{e.left, e.right}[i].(*refNode); ok && v == nil {
			s = ref.literal
		}
		out += s
	}
	return r.bounded(out)
}

// same is equality: numbers by value, otherwise by text. null equals "" (test_input_path_template_formatting, recorded
// from AWS by localstack).
func (r *run) same(a, b Value) (bool, error) {
	if a == nil || b == nil {
		return (a == nil || a == "") && (b == nil || b == ""), nil
	}
	if isNumber(a) && isNumber(b) {
		return number(a) == number(b), nil
	}
	s, err := r.text(a)
	if err != nil {
		return false, err
	}
	t, err := r.text(b)
	if err != nil || len(s) != len(t) {
		return false, err
	}
	return s == t, r.step(len(s) / 64)
}

func isNumber(v Value) bool {
	switch v.(type) {
	case int64, float64, BigNumber:
		return true
	}
	return false
}

func number(v Value) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case BigNumber:
		return v.float()
	}
	return math.NaN()
}

// compare orders numbers; anything else is false, which Velocity logs.
func compare(op binaryOp, a, b Value) bool {
	if !isNumber(a) || !isNumber(b) {
		return false
	}
	x, y := number(a), number(b)
	switch op {
	case opLt:
		return x < y
	case opGt:
		return x > y
	case opLe:
		return x <= y
	}
	return x >= y
}

// arithmetic is Java's: integers stay integers, and what cannot be computed is null.
func arithmetic(op binaryOp, a, b Value) (Value, error) {
	x, ok1 := a.(int64)
	y, ok2 := b.(int64)
	if ok1 && ok2 {
		switch op {
		case opAdd:
			return x + y, nil
		case opSub:
			return x - y, nil
		case opMul:
			return x * y, nil
		}
		if y == 0 {
			return nil, nil
		}
		if op == opMod {
			return x % y, nil
		}
		return x / y, nil
	}
	if !isNumber(a) || !isNumber(b) {
		return nil, nil
	}
	f, g := number(a), number(b)
	switch op {
	case opAdd:
		return f + g, nil
	case opSub:
		return f - g, nil
	case opMul:
		return f * g, nil
	case opDiv, opMod:
		if g == 0 {
			return nil, nil
		}
		if op == opMod {
			return math.Mod(f, g), nil
		}
		return f / g, nil
	}
	return nil, fmt.Errorf("operator %d is not arithmetic", op)
}
