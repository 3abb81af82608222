package vtl

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Value is a value of a template: nil, string, bool, int64, float64, BigNumber, *List, *Map, or one of the package's own
// objects.
type Value = any

// BigNumber is an integer of JSON that does not fit an int64, as it was written.
type BigNumber string

func (n BigNumber) float() float64 {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return math.NaN()
	}
	return f
}

// List is a mutable list.
type List struct {
	items []Value
	// json is set for an array that was read from JSON: it renders as JSON.
	json bool
}

// NewList makes a list of the template language.
func NewList(items ...Value) *List { return &List{items: items} }

// Items returns the list's own slice.
func (l *List) Items() []Value { return l.items }

// Map is a mutable map that keeps the order in which keys came. The zero value is empty and ready.
type Map struct {
	keys   []string
	values []Value
	index  map[string]int
	// fold makes a key that is not there as written match without regard to case, for header names.
	fold bool
	json bool
}

// smallMap is the size up to which a map is searched in order.
const smallMap = 8

// NewMap makes an empty map.
func NewMap() *Map { return &Map{} }

// NewHeaderMap makes an empty map for header names: a key that is not there as written is looked up without its case.
func NewHeaderMap() *Map { return &Map{fold: true} }

// Len returns the number of keys.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.keys)
}

// All calls f for each entry in order until it returns false.
func (m *Map) All(f func(key string, v Value) bool) {
	if m == nil {
		return
	}
	for i, k := range m.keys {
		if !f(k, m.values[i]) {
			return
		}
	}
}

func (m *Map) find(key string) int {
	if m == nil {
		return -1
	}
	if m.index != nil {
		if i, ok := m.index[key]; ok {
			return i
		}
	} else if i := slices.Index(m.keys, key); i >= 0 {
		return i
	}
	if m.fold {
		return slices.IndexFunc(m.keys, func(k string) bool { return strings.EqualFold(k, key) })
	}
	return -1
}

// Get returns the value of key, nil when there is none.
func (m *Map) Get(key string) Value {
	if i := m.find(key); i >= 0 {
		return m.values[i]
	}
	return nil
}

// Has tells whether key is there.
func (m *Map) Has(key string) bool { return m.find(key) >= 0 }

// Put sets the value of key, in its place when it is there.
func (m *Map) Put(key string, v Value) {
	if i := m.find(key); i >= 0 {
		m.values[i] = v
		return
	}
	if m.keys == nil {
		m.keys, m.values = make([]string, 0, smallMap/2), make([]Value, 0, smallMap/2)
	}
	m.keys, m.values = append(m.keys, key), append(m.values, v)
	switch {
	case m.index != nil:
		m.index[key] = len(m.keys) - 1
	case len(m.keys) > smallMap:
		m.reindex()
	}
}

func (m *Map) reindex() {
	m.index = make(map[string]int, 2*len(m.keys))
	for i, k := range m.keys {
		m.index[k] = i
	}
}

func (m *Map) remove(key string) Value {
	i := m.find(key)
	if i < 0 {
		return nil
	}
	v := m.values[i]
	m.keys, m.values = slices.Delete(m.keys, i, i+1), slices.Delete(m.values, i, i+1)
	if m.index != nil {
		m.reindex()
	}
	return v
}

// Text renders a value as a template does: null as nothing.
func Text(v Value) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return (&run{env: &Env{}}).text(v)
}

// text renders a value as Java's toString does, with arrays of JSON as JSON.
func (r *run) text(v Value) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return javaDouble(v), nil
	case BigNumber:
		return string(v), nil
	case *definition:
		return r.capture(v.body)
	}
	b, err := r.appendJava(nil, v, 0)
	if err != nil {
		return "", err
	}
	return string(b), r.step(len(b) / 16)
}

// bounded refuses a string that is longer than any payload.
func (r *run) bounded(s string) (Value, error) {
	if len(s) > MaxOutput {
		return nil, fmt.Errorf("string of more than %d bytes", MaxOutput)
	}
	return s, r.step(1 + len(s)/64)
}

// appendJava writes maps as {a=b, c=d} and lists as [a, b].
func (r *run) appendJava(b []byte, v Value, depth int) ([]byte, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("value nested deeper than %d", maxDepth)
	}
	if len(b) > MaxOutput {
		return nil, fmt.Errorf("string of more than %d bytes", MaxOutput)
	}
	if err := r.step(1); err != nil {
		return nil, err
	}
	var err error
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case *List:
		if v.json {
			return r.appendJSON(b, v, depth)
		}
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ", "...)
			}
			if b, err = r.appendJava(b, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case *Map:
		b = append(b, '{')
		for i, k := range v.keys {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(append(b, k...), '=')
			if b, err = r.appendJava(b, v.values[i], depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, '}'), nil
	case *entry:
		b = append(append(b, v.key...), '=')
		return r.appendJava(b, v.value, depth+1)
	case inputObject, utilObject, *loop:
		return b, nil
	}
	s, err := r.text(v)
	return append(b, s...), err
}

// javaDouble writes a float as Java's Double.toString.
func javaDouble(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		return s
	}
	mantissa, exp, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	n, _ := strconv.Atoi(exp)
	return mantissa + "E" + strconv.Itoa(n)
}
