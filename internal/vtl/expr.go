package vtl

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// reference reads $name, $!name, ${name} with properties, calls and indexes. It returns nil, with pos where it was, when
// the dollar sign starts no reference.
func (p *parser) reference() (*refNode, error) {
	start := p.pos
	if !p.accept("$") {
		return nil, nil
	}
	ref := &refNode{}
	p.accept("!")
	formal := p.accept("{")
	ref.name = p.name()
	if ref.name == "" {
		p.pos = start
		return nil, nil
	}
	for {
		ok, err := p.part(ref)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
	}
	if formal && !p.accept("}") {
		p.pos = start
		return nil, nil
	}
	ref.literal = p.src[start:p.pos]
	return ref, nil
}

// part reads one .name, .name(args) or [index] behind a reference.
func (p *parser) part(ref *refNode) (bool, error) {
	start := p.pos
	switch {
	case p.accept("."):
		name := p.name()
		if name == "" {
			p.pos = start
			return false, nil
		}
		if !p.accept("(") {
			ref.parts = append(ref.parts, refPart{kind: partProperty, name: name})
			return true, nil
		}
		args, err := p.list(")")
		if err != nil {
			return false, err
		}
		ref.parts = append(ref.parts, refPart{kind: partCall, name: name, args: args})
		return true, nil
	case p.accept("["):
		p.blanks()
		e, err := p.primary()
		if err == nil {
			err = p.expect("]")
		}
		if err != nil {
			// Text such as "$name[" is no index.
			p.pos = start
			return false, nil
		}
		ref.parts = append(ref.parts, refPart{kind: partIndex, args: []expr{e}})
		return true, nil
	}
	return false, nil
}

// list reads expressions with commas between them up to end.
func (p *parser) list(end string) ([]expr, error) {
	var out []expr
	p.blanks()
	if p.accept(end) {
		return nil, nil
	}
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		p.blanks()
		if p.accept(end) {
			return out, nil
		}
		if !p.accept(",") {
			return nil, fmt.Errorf("expected \",\" or %q", end)
		}
	}
}

// operators by binding strength, the weakest first; words are Velocity 1.7's other spellings.
var operators = [][]struct {
	token string
	op    binaryOp
}{
	{{"||", opOr}, {"or", opOr}},
	{{"&&", opAnd}, {"and", opAnd}},
	{{"==", opEq}, {"!=", opNe}, {"eq", opEq}, {"ne", opNe}},
	{{"<=", opLe}, {">=", opGe}, {"<", opLt}, {">", opGt}, {"le", opLe}, {"ge", opGe}, {"lt", opLt}, {"gt", opGt}},
	{{"+", opAdd}, {"-", opSub}},
	{{"*", opMul}, {"/", opDiv}, {"%", opMod}},
}

func (p *parser) expression() (expr, error) {
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	return p.binary(0)
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(operators) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op, ok := p.operator(level)
		if !ok {
			return left, nil
		}
		var right expr
		right, err = p.binary(level + 1)
		left = binaryExpr{op, left, right}
	}
	return nil, err
}

func (p *parser) operator(level int) (binaryOp, bool) {
	p.blanks()
	for _, o := range operators[level] {
		if !strings.HasPrefix(p.src[p.pos:], o.token) {
			continue
		}
		next := p.pos + len(o.token)
		if isNameStart(o.token[0]) && next < len(p.src) && isNameByte(p.src[next]) {
			continue
		}
		p.pos = next
		return o.op, true
	}
	return 0, false
}

func (p *parser) unary() (expr, error) {
	p.blanks()
	rest := p.src[p.pos:]
	not := strings.HasPrefix(rest, "!")
	n := 1
	if !not && strings.HasPrefix(rest, "not") && (len(rest) == 3 || !isNameByte(rest[3])) {
		not, n = true, 3
	}
	if !not {
		return p.primary()
	}
	p.pos += n
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	e, err := p.unary()
	return notExpr{e}, err
}

func (p *parser) primary() (expr, error) {
	p.blanks()
	if p.pos >= len(p.src) {
		return nil, errors.New("expected an expression")
	}
	if err := p.nest(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch c := p.src[p.pos]; {
	case c == '$':
		ref, err := p.reference()
		if err == nil && ref == nil {
			err = errors.New("expected a reference")
		}
		return ref, err
	case c == '\'' || c == '"':
		return p.stringLiteral(c)
	case c == '(':
		p.pos++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case c == '[':
		return p.listLiteral()
	case c == '{':
		return p.mapLiteral()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	}
	switch p.name() {
	case "true":
		return literalExpr{true}, nil
	case "false":
		return literalExpr{false}, nil
	}
	return nil, errors.New("expected an expression")
}

func (p *parser) number() (expr, error) {
	start := p.pos
	p.accept("-")
	digits := func() int {
		n := p.pos
		for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
			p.pos++
		}
		return p.pos - n
	}
	n := digits()
	float := false
	// [1..3] is a range, not 1. and .3.
	if strings.HasPrefix(p.src[p.pos:], ".") && !strings.HasPrefix(p.src[p.pos:], "..") {
		p.pos++
		float = digits() > 0
		if !float {
			p.pos--
		}
	}
	if n == 0 && !float {
		return nil, errors.New("expected a number")
	}
	text := p.src[start:p.pos]
	if float {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("number %q: %w", text, err)
		}
		return literalExpr{f}, nil
	}
	i, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("number %q: %w", text, err)
	}
	return literalExpr{i}, nil
}

// stringLiteral reads '…' as it stands or "…" with references inside. A doubled quote stands for one, and a backslash for
// itself (Velocity 1.7), which AWS's own replaceAll("\\'","'") relies on.
func (p *parser) stringLiteral(quote byte) (expr, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.src) {
		if p.src[p.pos] != quote {
			p.pos++
			continue
		}
		if p.pos+1 < len(p.src) && p.src[p.pos+1] == quote {
			p.pos += 2
			continue
		}
		break
	}
	if p.pos >= len(p.src) {
		p.pos = start
		return nil, errors.New("string without its closing quote")
	}
	q := string(quote)
	text := strings.ReplaceAll(p.src[start:p.pos], q+q, q)
	p.pos++
	if quote == '\'' || !strings.ContainsAny(text, "$#") {
		return literalExpr{text}, nil
	}
	sub := &parser{src: text, depth: p.depth, macros: p.macros}
	body, err := sub.template()
	if err != nil {
		return nil, fmt.Errorf("in string %q: %w", text, err)
	}
	return interpolated{body}, nil
}

func (p *parser) listLiteral() (expr, error) {
	p.pos++
	p.blanks()
	if p.accept("]") {
		return listExpr{}, nil
	}
	first, err := p.expression()
	if err != nil {
		return nil, err
	}
	p.blanks()
	if p.accept("..") {
		last, err := p.expression()
		if err != nil {
			return nil, err
		}
		return rangeExpr{first, last}, p.expect("]")
	}
	items := []expr{first}
	if p.accept(",") {
		more, err := p.list("]")
		return listExpr{append(items, more...)}, err
	}
	return listExpr{items}, p.expect("]")
}

func (p *parser) mapLiteral() (expr, error) {
	p.pos++
	var m mapExpr
	p.blanks()
	if p.accept("}") {
		return m, nil
	}
	for {
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		m.keys, m.values = append(m.keys, k), append(m.values, v)
		p.blanks()
		if p.accept("}") {
			return m, nil
		}
		if !p.accept(",") {
			return nil, errors.New(`expected "," or "}"`)
		}
	}
}
