package vtl

import (
	"errors"
	"fmt"
	"strings"
)

// parser reads a template in one pass; pos is where an error points.
type parser struct {
	src    string
	pos    int
	depth  int
	macros map[string]*macro
}

// template reads a whole source; an #end that closes nothing is an error.
func (p *parser) template() ([]node, error) {
	body, end, err := p.block()
	if err != nil {
		return nil, err
	}
	if end != "" {
		return nil, fmt.Errorf("#%s without a directive that it belongs to", end)
	}
	return body, nil
}

func (p *parser) nest() error {
	p.depth++
	if p.depth > maxDepth {
		return fmt.Errorf("nested deeper than %d", maxDepth)
	}
	return nil
}

// block reads nodes up to #end, #else or #elseif, whose name it returns with pos behind it.
func (p *parser) block() (nodes []node, end string, err error) {
	if err := p.nest(); err != nil {
		return nil, "", err
	}
	defer func() { p.depth-- }()
	b := &builder{}
	for p.pos < len(p.src) {
		i := strings.IndexAny(p.src[p.pos:], "$#\\")
		if i < 0 {
			b.text(p.src[p.pos:])
			p.pos = len(p.src)
			break
		}
		b.text(p.src[p.pos : p.pos+i])
		p.pos += i
		switch p.src[p.pos] {
		case '$':
			err = p.textReference(b)
		case '\\':
			p.escape(b)
		default:
			end, err = p.hash(b)
		}
		if err != nil || end != "" {
			return b.done(), end, err
		}
	}
	return b.done(), "", nil
}

// builder gathers nodes and joins neighbouring text.
type builder struct {
	nodes   []node
	pending strings.Builder
}

func (b *builder) text(s string) { b.pending.WriteString(s) }

func (b *builder) flush() {
	if b.pending.Len() > 0 {
		b.nodes = append(b.nodes, textNode(b.pending.String()))
		b.pending.Reset()
	}
}

func (b *builder) add(n node) {
	b.flush()
	b.nodes = append(b.nodes, n)
}

// trimLine takes spaces and tabs off the end of the text: Velocity 1.7's #set eats the blanks in front of it.
func (b *builder) trimLine() {
	s := b.pending.String()
	if t := strings.TrimRight(s, " \t"); len(t) != len(s) {
		b.pending.Reset()
		b.pending.WriteString(t)
	}
}

func (b *builder) done() []node {
	b.flush()
	return b.nodes
}

// textReference reads a reference in running text, or a dollar sign that is none.
func (p *parser) textReference(b *builder) error {
	ref, err := p.reference()
	if err != nil {
		return err
	}
	if ref == nil {
		b.text("$")
		p.pos++
		return nil
	}
	b.add(ref)
	return nil
}

// escape handles backslashes: in front of a reference or directive each pair makes one, and an odd one takes away the
// meaning of what follows (Velocity User Guide, "Escaping Valid VTL References").
func (p *parser) escape(b *builder) {
	start := p.pos
	n := 0
	for start+n < len(p.src) && p.src[start+n] == '\\' {
		n++
	}
	p.pos += n
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "$"):
		ref, err := p.reference()
		if ref == nil || err != nil {
			p.pos = start + n
			b.text(p.src[start:p.pos])
			return
		}
		b.text(strings.Repeat(`\`, n/2))
		if n%2 == 1 {
			b.add(escapedRef{ref})
		} else {
			b.add(ref)
		}
	case isDirective(rest, p.macros):
		b.text(strings.Repeat(`\`, n/2))
		if n%2 == 1 {
			b.text("#")
			p.pos++
		}
	default:
		b.text(p.src[start:p.pos])
	}
}

var directives = map[string]bool{
	"set": true, "if": true, "elseif": true, "else": true, "end": true, "foreach": true, "break": true, "stop": true,
	"evaluate": true, "define": true, "macro": true, "parse": true, "include": true,
}

func isDirective(s string, macros map[string]*macro) bool {
	name, _ := directiveName(s)
	return directives[name] || macros[name] != nil
}

// directiveName returns the name after the # at the start of s and the length of both; "" when there is none.
func directiveName(s string) (string, int) {
	if len(s) < 2 || s[0] != '#' {
		return "", 0
	}
	i, braced := 1, s[1] == '{'
	if braced {
		i++
	}
	start := i
	for i < len(s) && isNameByte(s[i]) {
		i++
	}
	name := s[start:i]
	if braced {
		if i >= len(s) || s[i] != '}' {
			return "", 0
		}
		return name, i + 1
	}
	// #elsefoo and #endfoo are #else and #end with text behind them (Velocity 1.7's longest match of its tokens).
	for _, k := range [...]string{"elseif", "else", "end"} {
		if strings.HasPrefix(name, k) {
			return k, start + len(k)
		}
	}
	return name, i
}

func isNameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
}

func isNameByte(c byte) bool {
	return isNameStart(c) || c >= '0' && c <= '9' || c == '-'
}

// hash reads what starts with #: a comment, a directive, or text.
func (p *parser) hash(b *builder) (end string, err error) {
	rest := p.src[p.pos:]
	switch {
	case strings.HasPrefix(rest, "##"):
		// A line comment goes with its line's end.
		if i := strings.IndexByte(rest, '\n'); i >= 0 {
			p.pos += i + 1
		} else {
			p.pos = len(p.src)
		}
		return "", nil
	case strings.HasPrefix(rest, "#*"):
		i := strings.Index(rest[2:], "*#")
		if i < 0 {
			return "", errors.New("comment #* without *#")
		}
		p.pos += i + 4
		return "", nil
	case strings.HasPrefix(rest, "#[["):
		i := strings.Index(rest, "]]#")
		if i < 0 {
			return "", errors.New("text block #[[ without ]]#")
		}
		b.text(rest[3:i])
		p.pos += i + 3
		return "", nil
	}
	name, n := directiveName(rest)
	if !directives[name] && p.macros[name] == nil {
		b.text("#")
		p.pos++
		return "", nil
	}
	return p.directive(b, name, n)
}

func (p *parser) directive(b *builder, name string, n int) (end string, err error) {
	switch name {
	case "parse", "include":
		return "", fmt.Errorf("#%s is not supported", name)
	case "end", "else":
		p.pos += n
		p.eatLine()
		return name, nil
	case "elseif":
		p.pos += n
		return name, nil
	case "stop", "break":
		p.pos += n
		b.add(map[string]node{"stop": stopNode{}, "break": breakNode{}}[name])
		return "", nil
	}
	p.pos += n
	switch name {
	case "set":
		b.trimLine()
		return "", p.set(b)
	case "if":
		return "", p.ifDirective(b)
	case "foreach":
		return "", p.foreach(b)
	case "evaluate":
		e, err := p.parenthesised()
		if err != nil {
			return "", err
		}
		b.add(evaluateNode{e})
		return "", nil
	case "define":
		return "", p.define(b)
	case "macro":
		return "", p.macroDirective()
	}
	return "", p.macroCall(b, name)
}

// eatLine takes blanks up to and including the end of the line, if nothing else is on it: so do Velocity 1.7's tokens
// for ")", #else and #end.
func (p *parser) eatLine() {
	i := p.pos
	for i < len(p.src) && (p.src[i] == ' ' || p.src[i] == '\t') {
		i++
	}
	switch {
	case strings.HasPrefix(p.src[i:], "\r\n"):
		p.pos = i + 2
	case i < len(p.src) && (p.src[i] == '\n' || p.src[i] == '\r'):
		p.pos = i + 1
	}
}

func (p *parser) blanks() {
	for p.pos < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *parser) accept(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *parser) expect(s string) error {
	p.blanks()
	if !p.accept(s) {
		return fmt.Errorf("expected %q", s)
	}
	return nil
}

func (p *parser) set(b *builder) error {
	if err := p.expect("("); err != nil {
		return err
	}
	p.blanks()
	ref, err := p.reference()
	if err != nil {
		return err
	}
	if ref == nil {
		return errors.New("#set needs a reference")
	}
	if err := p.expect("="); err != nil {
		return err
	}
	e, err := p.expression()
	if err != nil {
		return err
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	p.eatLine()
	b.add(setNode{ref, e})
	return nil
}

// parenthesised reads ( expression ) and the rest of the line.
func (p *parser) parenthesised() (expr, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	p.eatLine()
	return e, nil
}

func (p *parser) ifDirective(b *builder) error {
	var n ifNode
	cond, err := p.parenthesised()
	for {
		if err != nil {
			return err
		}
		body, end, err2 := p.block()
		if err2 != nil {
			return err2
		}
		n.branches = append(n.branches, branch{cond, body})
		switch {
		case end == "end":
			b.add(n)
			return nil
		case end == "":
			return errors.New("#if without #end")
		case cond == nil:
			return fmt.Errorf("#%s after #else", end)
		case end == "else":
			cond, err = nil, nil
		default:
			cond, err = p.parenthesised()
		}
	}
}

// toEnd reads a block that only #end may close.
func (p *parser) toEnd(name string) ([]node, error) {
	body, end, err := p.block()
	if err == nil && end != "end" {
		err = fmt.Errorf("#%s without #end", name)
	}
	return body, err
}

func (p *parser) foreach(b *builder) error {
	if err := p.expect("("); err != nil {
		return err
	}
	p.blanks()
	ref, err := p.reference()
	if err != nil {
		return err
	}
	if ref == nil || len(ref.parts) > 0 {
		return errors.New("#foreach needs a plain reference")
	}
	p.blanks()
	if !p.accept("in") {
		return errors.New("#foreach needs the word in")
	}
	e, err := p.expression()
	if err != nil {
		return err
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	p.eatLine()
	body, err := p.toEnd("foreach")
	if err != nil {
		return err
	}
	b.add(foreachNode{ref.name, e, body})
	return nil
}

func (p *parser) define(b *builder) error {
	if err := p.expect("("); err != nil {
		return err
	}
	p.blanks()
	ref, err := p.reference()
	if err != nil {
		return err
	}
	if ref == nil || len(ref.parts) > 0 {
		return errors.New("#define needs a plain reference")
	}
	if err := p.expect(")"); err != nil {
		return err
	}
	p.eatLine()
	body, err := p.toEnd("define")
	if err != nil {
		return err
	}
	b.add(defineNode{ref.name, body})
	return nil
}

func (p *parser) macroDirective() error {
	if err := p.expect("("); err != nil {
		return err
	}
	p.blanks()
	name := p.name()
	if name == "" || directives[name] {
		return errors.New("#macro needs a name")
	}
	m := &macro{}
	for {
		p.blanks()
		p.accept(",")
		p.blanks()
		if p.accept(")") {
			break
		}
		ref, err := p.reference()
		if err != nil {
			return err
		}
		if ref == nil || len(ref.parts) > 0 {
			return errors.New("#macro needs plain references as parameters")
		}
		m.params = append(m.params, ref.name)
	}
	p.eatLine()
	// Known from here on, so that it can call itself.
	p.macros[name] = m
	body, err := p.toEnd("macro")
	m.body = body
	return err
}

func (p *parser) macroCall(b *builder, name string) error {
	if err := p.expect("("); err != nil {
		return err
	}
	n := macroCall{m: p.macros[name]}
	for {
		p.blanks()
		p.accept(",")
		p.blanks()
		if p.accept(")") {
			p.eatLine()
			b.add(n)
			return nil
		}
		e, err := p.primary()
		if err != nil {
			return err
		}
		n.args = append(n.args, e)
	}
}

func (p *parser) name() string {
	start := p.pos
	if p.pos < len(p.src) && isNameStart(p.src[p.pos]) {
		for p.pos < len(p.src) && isNameByte(p.src[p.pos]) {
			p.pos++
		}
	}
	return p.src[start:p.pos]
}
