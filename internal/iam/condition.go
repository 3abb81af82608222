package iam

import (
	"encoding/base64"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Keys gives the values of condition keys. Lookup gets the key in lower case.
type Keys interface {
	Lookup(key string) (values []string, ok bool)
}

// Context is a Keys in a map, by lower-case key.
type Context map[string][]string

// Lookup returns the values of key.
func (c Context) Lookup(key string) ([]string, bool) { v, ok := c[key]; return v, ok }

type operator uint8

const (
	opString operator = iota + 1
	opStringIgnoreCase
	opStringLike
	opNumeric
	opNumericLess
	opNumericLessEq
	opNumericGreater
	opNumericGreaterEq
	opDate
	opDateLess
	opDateLessEq
	opDateGreater
	opDateGreaterEq
	opBool
	opBinary
	opIP
	opARN
	opNull

	negated operator = 1 << 7
)

// operators has every operator without IfExists and set prefixes (IAM guide, reference_policies_elements_condition_operators).
var operators = map[string]operator{
	"StringEquals": opString, "StringNotEquals": opString | negated,
	"StringEqualsIgnoreCase": opStringIgnoreCase, "StringNotEqualsIgnoreCase": opStringIgnoreCase | negated,
	"StringLike": opStringLike, "StringNotLike": opStringLike | negated,
	"NumericEquals": opNumeric, "NumericNotEquals": opNumeric | negated,
	"NumericLessThan": opNumericLess, "NumericLessThanEquals": opNumericLessEq,
	"NumericGreaterThan": opNumericGreater, "NumericGreaterThanEquals": opNumericGreaterEq,
	"DateEquals": opDate, "DateNotEquals": opDate | negated,
	"DateLessThan": opDateLess, "DateLessThanEquals": opDateLessEq,
	"DateGreaterThan": opDateGreater, "DateGreaterThanEquals": opDateGreaterEq,
	"Bool": opBool, "BinaryEquals": opBinary,
	"IpAddress": opIP, "NotIpAddress": opIP | negated,
	"ArnEquals": opARN, "ArnNotEquals": opARN | negated, "ArnLike": opARN, "ArnNotLike": opARN | negated,
	"Null": opNull,
}

type setOperator uint8

const (
	noSet setOperator = iota
	forAllValues
	forAnyValue
)

// parseOperator reads ForAnyValue:StringLikeIfExists and its like.
func parseOperator(s string) (op operator, set setOperator, ifExists, ok bool) {
	if rest, has := strings.CutPrefix(s, "ForAllValues:"); has {
		s, set = rest, forAllValues
	} else if rest, has := strings.CutPrefix(s, "ForAnyValue:"); has {
		s, set = rest, forAnyValue
	}
	if rest, has := strings.CutSuffix(s, "IfExists"); has {
		s, ifExists = rest, true
	}
	op, ok = operators[s]
	if op == opNull && ifExists {
		ok = false // Null already asks whether the key exists
	}
	return op, set, ifExists, ok
}

// hold tells whether the condition is met.
func (c *Condition) hold(keys Keys) bool {
	got, ok := keys.Lookup(c.key)
	if c.op == opNull {
		return c.holdNull(got)
	}
	if !ok || len(got) == 0 {
		// A missing key meets what is negated and what has IfExists, and all of no values match (IAM guide,
		// reference_policies_condition-logic-multiple-context-keys-or-values).
		if c.set == forAnyValue {
			return c.ifExists
		}
		return c.ifExists || c.set == forAllValues || c.op&negated != 0
	}
	neg := c.op&negated != 0
	switch c.set {
	case forAllValues:
		for _, v := range got {
			if c.any(v, keys) == neg {
				return false
			}
		}
		return true
	case forAnyValue:
		for _, v := range got {
			if c.any(v, keys) != neg {
				return true
			}
		}
		return false
	}
	for _, v := range got {
		if c.any(v, keys) {
			return !neg
		}
	}
	return neg
}

func (c *Condition) holdNull(got []string) bool {
	for _, v := range c.Values {
		if strings.EqualFold(v, "true") == (len(got) == 0) {
			return true
		}
	}
	return false
}

// any tells whether one value of the request matches any value of the policy.
func (c *Condition) any(got string, keys Keys) bool {
	for i := range c.Values {
		if c.one(i, got, keys) {
			return true
		}
	}
	return false
}

func (c *Condition) one(i int, got string, keys Keys) bool {
	op := c.op &^ negated
	switch op {
	case opString, opStringIgnoreCase:
		want, ok := c.literal(i, keys)
		return ok && (want == got || op == opStringIgnoreCase && strings.EqualFold(want, got))
	case opStringLike:
		return c.patterns[i].match(got, keys)
	case opARN:
		return c.matchARN(i, got, keys)
	case opBool:
		return strings.EqualFold(c.Values[i], got)
	case opBinary:
		return equalBinary(c.Values[i], got)
	case opIP:
		return inPrefix(c.Values[i], got)
	}
	if op >= opDate {
		return compareDates(op, c.Values[i], got)
	}
	return compareNumbers(op, c.Values[i], got)
}

// literal returns a policy value with its variables put in; wildcards are plain characters in it.
func (c *Condition) literal(i int, keys Keys) (string, bool) {
	p := &c.patterns[i]
	if p.tokens == nil {
		return unescapeLiteral(p), true
	}
	var b strings.Builder
	for _, t := range p.tokens {
		switch t.kind {
		case star:
			b.WriteByte('*')
		case question:
			b.WriteByte('?')
		case literal:
			b.WriteString(t.text)
		case variable:
			v, ok := keys.Lookup(t.text)
			switch {
			case ok && len(v) == 1:
				b.WriteString(v[0])
			case t.hasFallback:
				b.WriteString(t.fallback)
			default:
				return "", false
			}
		}
	}
	return b.String(), true
}

// unescapeLiteral joins a pattern without variables again, so that ${*} has become a star.
func unescapeLiteral(p *pattern) string {
	if !strings.Contains(p.text, "${") {
		return p.text
	}
	var b strings.Builder
	for i, pc := range p.glob.pieces {
		if i > 0 {
			b.WriteByte('*')
		}
		b.WriteString(strings.Join(pc.parts, "?"))
	}
	return b.String()
}

// matchARN compares the six parts of an ARN one by one; a wildcard does not reach over a colon, but for the last part
// (IAM guide, reference_policies_elements_condition_operators, "Amazon Resource Name").
func (c *Condition) matchARN(i int, got string, keys Keys) bool {
	want := c.arns[i]
	if want == nil {
		// "*", or a value whose parts cannot be told because a variable stands for some of them.
		return (c.Values[i] == "*" || c.patterns[i].tokens != nil) && c.patterns[i].match(got, keys)
	}
	for j := range want {
		part := got
		if j < len(want)-1 {
			var ok bool
			if part, got, ok = strings.Cut(got, ":"); !ok {
				return false
			}
		}
		if !want[j].match(part, keys) {
			return false
		}
	}
	return true
}

// compileARN cuts a policy value into the patterns of its six parts; nil when it has not six. A colon inside a variable
// belongs to the variable.
func compileARN(value string, how syntax) []pattern {
	var parts []pattern
	start, depth := 0, 0
	for i := 0; i < len(value) && len(parts) < 5; i++ {
		switch {
		case how&withVars != 0 && value[i] == '$' && i+1 < len(value) && value[i+1] == '{':
			depth++
		case value[i] == '}' && depth > 0:
			depth--
		case value[i] == ':' && depth == 0:
			parts = append(parts, compilePattern(value[start:i], how))
			start = i + 1
		}
	}
	if len(parts) != 5 {
		return nil
	}
	return append(parts, compilePattern(value[start:], how))
}

func equalBinary(want, got string) bool {
	w, err1 := base64.StdEncoding.DecodeString(want)
	g, err2 := base64.StdEncoding.DecodeString(got)
	return err1 == nil && err2 == nil && string(w) == string(g)
}

func inPrefix(want, got string) bool {
	addr, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	p, ok := parsePrefix(want)
	return ok && p.Contains(addr)
}

func parsePrefix(s string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	return netip.Prefix{}, false
}

func compareNumbers(op operator, want, got string) bool {
	w, err1 := strconv.ParseFloat(want, 64)
	g, err2 := strconv.ParseFloat(got, 64)
	if err1 != nil || err2 != nil {
		return false
	}
	switch op {
	case opNumeric:
		return g == w
	case opNumericLess:
		return g < w
	case opNumericLessEq:
		return g <= w
	case opNumericGreater:
		return g > w
	}
	return g >= w
}

func compareDates(op operator, want, got string) bool {
	w, ok1 := parseDate(want)
	g, ok2 := parseDate(got)
	if !ok1 || !ok2 {
		return false
	}
	c := g.Compare(w)
	switch op {
	case opDate:
		return c == 0
	case opDateLess:
		return c < 0
	case opDateLessEq:
		return c <= 0
	case opDateGreater:
		return c > 0
	}
	return c >= 0
}

// dateLayouts are the W3C forms of ISO 8601 that IAM takes.
var dateLayouts = []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"}

func parseDate(s string) (time.Time, bool) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > 4 {
		return time.Unix(n, 0), true
	}
	for _, l := range dateLayouts {
		if t, err := time.Parse(l, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
