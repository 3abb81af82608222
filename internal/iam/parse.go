package iam

import (
	"fmt"
	"strings"
)

// PolicyError is why a policy is refused. Code and Message are what AWS answers; Detail says where and what in words,
// which AWS leaves out.
type PolicyError struct {
	// Code is MalformedPolicyDocument, or MalformedPolicy for a bucket policy.
	Code    string
	Message string
	// Detail is such as `statement 2 (Sid "Read"), Action: …`.
	Detail string
	// Line is the line of the JSON text, 0 when unknown.
	Line int
}

// Error returns AWS's text followed by the detail.
func (e *PolicyError) Error() string {
	s := e.Code + ": " + e.Message
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// CodeMalformed is IAM's and STS's code for a policy that they refuse.
const CodeMalformed = "MalformedPolicyDocument"

const syntaxText = "Syntax errors in policy."

// Parse reads a policy document, strictly by the grammar of the IAM guide (reference_policies_grammar): an unknown element,
// a doubled key or a value of the wrong type is an error, a *PolicyError. What a certain kind of policy must and must not
// have is checked by CheckIdentity, CheckTrust and CheckResource.
func Parse(data []byte) (*Document, error) {
	root, err := parseJSON(data)
	if err != nil {
		return nil, &PolicyError{Code: CodeMalformed, Message: syntaxText, Detail: err.Error()}
	}
	p := parser{}
	d := p.document(root)
	if p.err != nil {
		return nil, p.err
	}
	return d, nil
}

// parser keeps the first error.
type parser struct {
	err  *PolicyError
	doc  *Document
	stmt *Statement
}

// bad records a syntax error.
func (p *parser) bad(n *node, format string, args ...any) {
	if p.err != nil {
		return
	}
	detail := fmt.Sprintf(format, args...)
	if p.stmt != nil {
		detail = p.stmt.where() + ": " + detail
	}
	p.err = &PolicyError{Code: CodeMalformed, Message: syntaxText, Detail: detail, Line: n.line}
}

// where names a statement for people: counted from 1, with its Sid.
func (s *Statement) where() string {
	if s.Sid != "" {
		return fmt.Sprintf("statement %d (Sid %q)", s.Index+1, s.Sid)
	}
	return fmt.Sprintf("statement %d", s.Index+1)
}

func (p *parser) document(n *node) *Document {
	d := &Document{Version: Version2008}
	p.doc = d
	if n.kind != objectNode {
		p.bad(n, "a policy is an object")
		return d
	}
	var statements *node
	for _, m := range n.members {
		switch m.name {
		case "Version":
			d.Version, d.HasVersion = p.text(m.value, "Version"), true
		case "Id":
			d.ID = p.text(m.value, "Id")
		case "Statement":
			statements = m.value
		default:
			p.bad(m.value, "a policy has no element %q; it has Version, Id and Statement", m.name)
		}
	}
	if d.Version != Version2008 && d.Version != Version2012 {
		p.bad(n, "Version %q: want 2012-10-17 or 2008-10-17", d.Version)
	}
	switch {
	case statements == nil:
		p.bad(n, "there is no Statement")
	case statements.kind == objectNode:
		p.statement(statements)
	case statements.kind == arrayNode && len(statements.items) > 0:
		for _, s := range statements.items {
			p.statement(s)
		}
	default:
		p.bad(statements, "Statement is neither an object nor a list of objects")
	}
	return d
}

func (p *parser) statement(n *node) {
	s := &Statement{Index: len(p.doc.Statements)}
	p.stmt = s
	defer func() { p.stmt = nil }()
	p.doc.Statements = append(p.doc.Statements, s)
	if n.kind != objectNode {
		p.bad(n, "a statement is an object")
		return
	}
	for _, m := range n.members {
		if m.name == "Sid" {
			s.Sid = p.text(m.value, "Sid")
		}
	}
	for _, m := range n.members {
		p.element(s, m)
	}
	if s.Effect == 0 {
		p.bad(n, "there is no Effect")
	}
	how := plain
	if p.doc.Version == Version2012 {
		how = withVars
	}
	s.compile(how)
}

func (p *parser) element(s *Statement, m member) {
	switch m.name {
	case "Sid":
	case "Effect":
		switch p.text(m.value, "Effect") {
		case "Allow":
			s.Effect = Allow
		case "Deny":
			s.Effect = Deny
		default:
			p.bad(m.value, "Effect %q: want Allow or Deny", m.value.text)
		}
	case "Principal", "NotPrincipal":
		if s.hasPrincipal {
			p.bad(m.value, "Principal and NotPrincipal stand in one statement")
		}
		s.hasPrincipal, s.NotPrincipal = true, m.name == "NotPrincipal"
		p.principals(s, m)
	case "Action", "NotAction":
		if s.hasAction {
			p.bad(m.value, "Action and NotAction stand in one statement")
		}
		s.hasAction, s.NotAction = true, m.name == "NotAction"
		s.Actions = p.texts(m.value, m.name)
	case "Resource", "NotResource":
		if s.hasResource {
			p.bad(m.value, "Resource and NotResource stand in one statement")
		}
		s.hasResource, s.NotResource = true, m.name == "NotResource"
		s.Resources = p.texts(m.value, m.name)
	case "Condition":
		p.conditions(s, m.value)
	default:
		p.bad(m.value, "a statement has no element %q", m.name)
	}
}

func (p *parser) principals(s *Statement, m member) {
	n := m.value
	if n.kind == stringNode {
		if n.text != "*" {
			p.bad(n, "%s %q: a string can only be \"*\"; write {\"AWS\": %q}", m.name, n.text, n.text)
		}
		s.Principals = []PrincipalEntry{{AnyPrincipal, "*"}}
		return
	}
	if n.kind != objectNode {
		p.bad(n, "%s is neither \"*\" nor an object", m.name)
		return
	}
	for _, e := range n.members {
		var t PrincipalType
		switch e.name {
		case "AWS":
			t = AWSPrincipal
		case "Service":
			t = ServiceType
		case "Federated":
			t = FederatedType
		case "CanonicalUser":
			t = CanonicalUserType
		default:
			p.bad(e.value, "%s has no type %q; there are AWS, Service, Federated and CanonicalUser", m.name, e.name)
		}
		for _, v := range p.texts(e.value, m.name+" "+e.name) {
			s.Principals = append(s.Principals, PrincipalEntry{t, v})
		}
	}
}

func (p *parser) conditions(s *Statement, n *node) {
	if n.kind != objectNode {
		p.bad(n, "Condition is not an object")
		return
	}
	for _, o := range n.members {
		op, set, ifExists, ok := parseOperator(o.name)
		if !ok {
			p.bad(o.value, "there is no condition operator %q", o.name)
			return
		}
		if o.value.kind != objectNode {
			p.bad(o.value, "Condition %s is not an object of keys", o.name)
			return
		}
		for _, k := range o.value.members {
			c := Condition{Operator: o.name, Key: k.name, Values: p.scalars(k.value, "Condition "+o.name+" "+k.name),
				op: op, set: set, ifExists: ifExists, key: strings.ToLower(k.name)}
			p.checkValues(k.value, &c)
			s.Conditions = append(s.Conditions, c)
		}
	}
}

// checkValues refuses values that could never match, because a condition that cannot hold is a mistake.
func (p *parser) checkValues(n *node, c *Condition) {
	for _, v := range c.Values {
		ok := true
		switch op := c.op &^ negated; op {
		case opIP:
			_, ok = parsePrefix(v)
		case opDate, opDateLess, opDateLessEq, opDateGreater, opDateGreaterEq:
			_, ok = parseDate(v)
		case opBool, opNull:
			ok = strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
		}
		if !ok && !strings.Contains(v, "${") {
			p.bad(n, "Condition %s %s: value %q is of the wrong form", c.Operator, c.Key, v)
		}
	}
}

func (p *parser) text(n *node, what string) string {
	if n.kind != stringNode {
		p.bad(n, "%s is not a string", what)
	}
	return n.text
}

// texts reads a string or a list of strings.
func (p *parser) texts(n *node, what string) []string {
	switch n.kind {
	case stringNode:
		return []string{n.text}
	case arrayNode:
		out := make([]string, 0, len(n.items))
		for _, i := range n.items {
			out = append(out, p.text(i, "an item of "+what))
		}
		return out
	}
	p.bad(n, "%s is neither a string nor a list of strings", what)
	return nil
}

// scalars reads condition values, which may be numbers and bools too.
func (p *parser) scalars(n *node, what string) []string {
	items := []*node{n}
	if n.kind == arrayNode {
		items = n.items
	}
	out := make([]string, 0, len(items))
	for _, i := range items {
		if i.kind != stringNode && i.kind != numberNode && i.kind != boolNode {
			p.bad(i, "%s: a value is a string, a number or a bool", what)
		}
		out = append(out, i.text)
	}
	return out
}

// compile prepares the statement for matching.
func (s *Statement) compile(how syntax) {
	for _, a := range s.Actions {
		s.actions = append(s.actions, compilePattern(a, foldCase))
	}
	for _, r := range s.Resources {
		s.resources = append(s.resources, compilePattern(r, how))
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		for _, v := range c.Values {
			c.patterns = append(c.patterns, compilePattern(v, how))
			if c.op&^negated == opARN {
				c.arns = append(c.arns, compileARN(v, how))
			}
		}
	}
}
