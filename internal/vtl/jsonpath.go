package vtl

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// JSONPath evaluates a JSONPath on a value as Jayway's library does, which API Gateway uses: a definite path gives its
// value or null, any other path a list. A path without "$" starts at the root.
func JSONPath(root Value, path string) (Value, error) {
	return (&run{env: &Env{}}).jsonPath(root, path)
}

func (r *run) jsonPath(root Value, path string) (Value, error) {
	segments, err := parsePath(path)
	if err != nil {
		return nil, fmt.Errorf("parse JSONPath %q: %w", path, err)
	}
	nodes := []Value{root}
	definite := true
	for _, s := range segments {
		var next []Value
		for _, n := range nodes {
			if next, err = s.apply(r, next, root, n); err != nil {
				return nil, fmt.Errorf("JSONPath %q: %w", path, err)
			}
		}
		if s.kind == segmentFunction {
			nodes = next
			continue
		}
		definite = definite && s.definite()
		nodes = next
	}
	if !definite {
		return &List{items: nodes, json: true}, nil
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	return nodes[0], nil
}

type segmentKind uint8

const (
	segmentNames segmentKind = iota
	segmentIndexes
	segmentSlice
	segmentWildcard
	segmentFilter
	segmentFunction
)

type pathSegment struct {
	kind segmentKind
	// deep is set behind "..".
	deep    bool
	names   []string
	indexes []int
	// from and to bound a slice; hasFrom and hasTo tell whether they were given.
	from, to       int
	hasFrom, hasTo bool
	filter         filterExpr
}

func (s *pathSegment) definite() bool {
	return !s.deep && (s.kind == segmentNames || s.kind == segmentIndexes && len(s.indexes) == 1)
}

func (s *pathSegment) apply(r *run, out []Value, root, v Value) ([]Value, error) {
	if !s.deep {
		return s.children(r, out, root, v)
	}
	return s.descend(r, out, root, v, 0)
}

func (s *pathSegment) descend(r *run, out []Value, root, v Value, depth int) ([]Value, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("value nested deeper than %d", maxJSONDepth)
	}
	out, err := s.children(r, out, root, v)
	if err != nil {
		return nil, err
	}
	for _, c := range iterable(v) {
		if out, err = s.descend(r, out, root, c, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// children appends what the segment selects directly below v.
func (s *pathSegment) children(r *run, out []Value, root, v Value) ([]Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	m, _ := v.(*Map)
	l, _ := v.(*List)
	switch s.kind {
	case segmentNames:
		return s.byName(out, m), nil
	case segmentIndexes:
		for _, i := range s.indexes {
			if l == nil {
				break
			}
			if i < 0 {
				i += len(l.items)
			}
			if i >= 0 && i < len(l.items) {
				out = append(out, l.items[i])
			}
		}
		return out, nil
	case segmentSlice:
		if l == nil {
			return out, nil
		}
		from, to := s.bounds(len(l.items))
		return append(out, l.items[from:to]...), r.step(to - from)
	case segmentWildcard:
		items := iterable(v)
		return append(out, items...), r.step(len(items))
	case segmentFunction:
		if l != nil {
			return append(out, int64(len(l.items))), nil
		}
		if m != nil {
			return append(out, int64(m.Len())), nil
		}
		return out, nil
	}
	items := iterable(v)
	if m != nil {
		items = []Value{m}
	}
	for _, item := range items {
		ok, err := s.filter.test(r, root, item)
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, item)
		}
	}
	return out, nil
}

// byName selects one property, or for several names a map of those that are there.
func (s *pathSegment) byName(out []Value, m *Map) []Value {
	if m == nil {
		return out
	}
	if len(s.names) == 1 {
		if i := m.find(s.names[0]); i >= 0 {
			out = append(out, m.values[i])
		}
		return out
	}
	sub := &Map{json: true}
	for _, n := range s.names {
		if i := m.find(n); i >= 0 {
			sub.Put(n, m.values[i])
		}
	}
	return append(out, sub)
}

func (s *pathSegment) bounds(n int) (from, to int) {
	to = n
	if s.hasFrom {
		from = s.from
		if from < 0 {
			from = max(0, from+n)
		}
	}
	if s.hasTo {
		to = s.to
		if to < 0 {
			to += n
		}
	}
	to = min(max(to, 0), n)
	return min(from, to), to
}

// pathParser reads a JSONPath.
type pathParser struct {
	src   string
	pos   int
	depth int
}

func parsePath(path string) ([]pathSegment, error) {
	path = strings.TrimSpace(path)
	if len(path) > 4096 {
		return nil, errors.New("longer than 4096 bytes")
	}
	if !strings.HasPrefix(path, "$") && !strings.HasPrefix(path, "@") {
		if strings.HasPrefix(path, "[") {
			path = "$" + path
		} else {
			path = "$." + path
		}
	}
	p := &pathParser{src: path, pos: 1}
	segments, err := p.segments()
	if err == nil && p.pos < len(path) {
		err = fmt.Errorf("unexpected %q", path[p.pos:])
	}
	return segments, err
}

func (p *pathParser) accept(s string) bool {
	if strings.HasPrefix(p.src[p.pos:], s) {
		p.pos += len(s)
		return true
	}
	return false
}

func (p *pathParser) blanks() {
	for p.pos < len(p.src) && p.src[p.pos] == ' ' {
		p.pos++
	}
}

// segments reads as many segments as there are, and stops at what is none.
func (p *pathParser) segments() ([]pathSegment, error) {
	var out []pathSegment
	for p.pos < len(p.src) {
		var s pathSegment
		switch {
		case p.accept(".."):
			s.deep = true
		case p.accept("."):
		case p.src[p.pos] == '[':
		default:
			return out, nil
		}
		if err := p.segment(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *pathParser) segment(s *pathSegment) error {
	if p.accept("[") {
		return p.bracket(s)
	}
	if p.accept("*") {
		s.kind = segmentWildcard
		return nil
	}
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(".[()]=<>!&|, \t", p.src[p.pos]) < 0 {
		p.pos++
	}
	name := p.src[start:p.pos]
	if name == "" {
		return errors.New("a dot without a name")
	}
	if p.accept("()") {
		if name != "length" && name != "size" {
			return fmt.Errorf("function %q is not supported", name)
		}
		s.kind = segmentFunction
		return nil
	}
	s.names = []string{name}
	return nil
}

func (p *pathParser) bracket(s *pathSegment) error {
	p.blanks()
	switch {
	case p.accept("*"):
		s.kind = segmentWildcard
	case p.accept("?"):
		s.kind = segmentFilter
		f, err := p.filter()
		if err != nil {
			return err
		}
		s.filter = f
	case p.pos < len(p.src) && (p.src[p.pos] == '\'' || p.src[p.pos] == '"'):
		for {
			p.blanks()
			name, err := p.quoted()
			if err != nil {
				return err
			}
			s.names = append(s.names, name)
			p.blanks()
			if !p.accept(",") {
				break
			}
		}
	default:
		if err := p.numbers(s); err != nil {
			return err
		}
	}
	p.blanks()
	if !p.accept("]") {
		return errors.New(`expected "]"`)
	}
	return nil
}

func (p *pathParser) numbers(s *pathSegment) error {
	s.kind = segmentIndexes
	n, ok := p.integer()
	p.blanks()
	if p.accept(":") {
		s.kind, s.from, s.hasFrom = segmentSlice, n, ok
		p.blanks()
		s.to, s.hasTo = p.integer()
		return nil
	}
	for ok {
		s.indexes = append(s.indexes, n)
		p.blanks()
		if !p.accept(",") {
			return nil
		}
		p.blanks()
		n, ok = p.integer()
	}
	return errors.New("expected a number")
}

func (p *pathParser) integer() (int, bool) {
	start := p.pos
	p.accept("-")
	for p.pos < len(p.src) && p.src[p.pos] >= '0' && p.src[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.Atoi(p.src[start:p.pos])
	return n, err == nil
}

func (p *pathParser) quoted() (string, error) {
	if p.pos >= len(p.src) || p.src[p.pos] != '\'' && p.src[p.pos] != '"' {
		return "", errors.New("expected a quoted name")
	}
	quote := p.src[p.pos]
	var b []byte
	for i := p.pos + 1; i < len(p.src); i++ {
		switch c := p.src[i]; {
		case c == quote:
			p.pos = i + 1
			return string(b), nil
		case c == '\\' && i+1 < len(p.src):
			i++
			b = append(b, p.src[i])
		default:
			b = append(b, c)
		}
	}
	return "", errors.New("string without its closing quote")
}

// filterExpr is what stands in [?( … )]: alternatives of conjunctions, as && binds stronger than ||.
type filterExpr struct{ any [][]filterTest }

type filterTest struct {
	not         bool
	group       *filterExpr
	left, right filterOperand
	op          string // "" tests for existence
}

type filterOperand struct {
	path     []pathSegment
	isPath   bool
	fromRoot bool
	value    Value
}

func (p *pathParser) filter() (filterExpr, error) {
	var f filterExpr
	if p.depth++; p.depth > 16 {
		return f, errors.New("filter nested deeper than 16")
	}
	defer func() { p.depth-- }()
	p.blanks()
	if !p.accept("(") {
		return f, errors.New(`expected "("`)
	}
	for {
		var all []filterTest
		for {
			t, err := p.filterTest()
			if err != nil {
				return f, err
			}
			all = append(all, t)
			p.blanks()
			if !p.accept("&&") {
				break
			}
		}
		f.any = append(f.any, all)
		if !p.accept("||") {
			break
		}
	}
	if !p.accept(")") {
		return f, errors.New(`expected ")"`)
	}
	return f, nil
}

var filterOperators = []string{"==", "!=", "<=", ">=", "<", ">"}

func (p *pathParser) filterTest() (t filterTest, err error) {
	p.blanks()
	if p.pos+1 < len(p.src) && p.src[p.pos] == '!' && p.src[p.pos+1] != '=' {
		p.pos++
		t.not = true
		p.blanks()
	}
	if p.pos < len(p.src) && p.src[p.pos] == '(' {
		g, err := p.filter()
		t.group = &g
		return t, err
	}
	if t.left, err = p.operand(); err != nil {
		return t, err
	}
	p.blanks()
	for _, op := range filterOperators {
		if p.accept(op) {
			t.op = op
			p.blanks()
			t.right, err = p.operand()
			return t, err
		}
	}
	return t, nil
}

func (p *pathParser) operand() (o filterOperand, err error) {
	if p.pos >= len(p.src) {
		return o, errors.New("expected an operand")
	}
	switch c := p.src[p.pos]; {
	case c == '@' || c == '$':
		p.pos++
		o.isPath, o.fromRoot = true, c == '$'
		o.path, err = p.segments()
		return o, err
	case c == '\'' || c == '"':
		o.value, err = p.quoted()
		return o, err
	}
	start := p.pos
	for p.pos < len(p.src) && strings.IndexByte(" )&|]=<>!", p.src[p.pos]) < 0 {
		p.pos++
	}
	o.value, err = ParseJSON(p.src[start:p.pos])
	return o, err
}

func (f *filterExpr) test(r *run, root, v Value) (bool, error) {
	for _, all := range f.any {
		ok := true
		for i := range all {
			t, err := all[i].test(r, root, v)
			if err != nil {
				return false, err
			}
			if !t {
				ok = false
				break
			}
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

func (t *filterTest) test(r *run, root, v Value) (bool, error) {
	if t.group != nil {
		ok, err := t.group.test(r, root, v)
		return ok != t.not, err
	}
	left, found, err := t.left.eval(r, root, v)
	if err != nil {
		return false, err
	}
	if t.op == "" {
		return found != t.not, nil
	}
	right, _, err := t.right.eval(r, root, v)
	if err != nil {
		return false, err
	}
	switch t.op {
	case "==", "!=":
		same := left == nil && right == nil
		if left != nil && right != nil && isNumber(left) == isNumber(right) {
			if same, err = r.same(left, right); err != nil {
				return false, err
			}
		}
		return (same == (t.op == "==")) != t.not, nil
	}
	if x, ok := left.(string); ok {
		if y, ok := right.(string); ok {
			return compare(orders[t.op], int64(strings.Compare(x, y)), int64(0)) != t.not, nil
		}
	}
	return compare(orders[t.op], left, right) != t.not, nil
}

var orders = map[string]binaryOp{"<": opLt, ">": opGt, "<=": opLe, ">=": opGe}

func (o *filterOperand) eval(r *run, root, v Value) (Value, bool, error) {
	if !o.isPath {
		return o.value, true, nil
	}
	if o.fromRoot {
		v = root
	}
	nodes := []Value{v}
	for i := range o.path {
		var next []Value
		var err error
		for _, n := range nodes {
			if next, err = o.path[i].apply(r, next, root, n); err != nil {
				return nil, false, err
			}
		}
		nodes = slices.Clip(next)
	}
	if len(nodes) == 0 {
		return nil, false, nil
	}
	return nodes[0], true, nil
}
