package vtl

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// entry is an element of a map's entrySet.
type entry struct {
	key   string
	value Value
}

// property is v.name: a map's key, or a getter of Java.
func (r *run) property(v Value, name string) (Value, error) {
	switch v := v.(type) {
	case *Map:
		if v.Has(name) {
			return v.Get(name), nil
		}
		if name == "empty" {
			return v.Len() == 0, nil
		}
		return nil, nil
	case *List:
		if name == "empty" {
			return len(v.items) == 0, nil
		}
	case string:
		if name == "empty" {
			return v == "", nil
		}
	case *entry:
		switch name {
		case "key":
			return v.key, nil
		case "value":
			return v.value, nil
		}
	case *loop:
		return v.property(name), nil
	case inputObject:
		if name == "body" {
			return r.env.body(), nil
		}
	}
	return nil, nil
}

func (l *loop) property(name string) Value {
	switch name {
	case "index":
		return int64(l.index)
	case "count":
		return int64(l.index + 1)
	case "hasNext":
		return !l.last
	case "first":
		return l.index == 0
	case "last":
		return l.last
	case "parent":
		if l.parent != nil {
			return l.parent
		}
	}
	return nil
}

// call is v.name(args). A method that there is not gives null, as an invalid reference does in Velocity; one that Java
// would answer with an exception is an error.
func (r *run) call(v Value, name string, args []Value) (Value, error) {
	if err := r.step(1); err != nil {
		return nil, err
	}
	switch v.(type) {
	case inputObject:
		return r.inputCall(name, args)
	case utilObject:
		return r.utilCall(name, args)
	case nil:
		return nil, nil
	}
	switch {
	case name == "toString" && len(args) == 0:
		s, err := r.text(v)
		return s, err
	case name == "equals" && len(args) == 1:
		same, err := r.same(v, args[0])
		return same, err
	}
	switch v := v.(type) {
	case string:
		return r.stringCall(v, name, args)
	case *List:
		return r.listCall(v, name, args)
	case *Map:
		return r.mapCall(v, name, args)
	case *entry:
		switch name {
		case "getKey":
			return v.key, nil
		case "getValue":
			return v.value, nil
		}
	case int64, float64, BigNumber:
		return numberCall(v, name, args)
	case bool:
		if name == "booleanValue" {
			return v, nil
		}
	case *loop:
		if n, ok := strings.CutPrefix(name, "get"); ok && n != "" {
			return v.property(strings.ToLower(n[:1]) + n[1:]), nil
		}
		return v.property(name), nil
	}
	return nil, nil
}

// numberCall has the methods of numbers, and the statics that templates reach through a number.
func numberCall(v Value, name string, args []Value) (Value, error) {
	switch name {
	case "intValue", "longValue":
		if f := number(v); f >= math.MinInt64 && f < math.MaxInt64 {
			return int64(f), nil
		}
		return nil, nil
	case "doubleValue", "floatValue":
		return number(v), nil
	case "parseInt", "parseLong", "valueOf":
		if len(args) != 1 {
			return nil, nil
		}
		s, ok := args[0].(string)
		if !ok {
			return args[0], nil
		}
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no integer", name, s)
		}
		return n, nil
	case "parseDouble":
		if len(args) != 1 {
			return nil, nil
		}
		s, _ := args[0].(string)
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no number", name, s)
		}
		return f, nil
	case "compareTo":
		if len(args) == 1 && isNumber(args[0]) {
			a, b := number(v), number(args[0])
			switch {
			case a < b:
				return int64(-1), nil
			case a > b:
				return int64(1), nil
			}
			return int64(0), nil
		}
	}
	return nil, nil
}

// indexOf checks an index of Java's kind: out of range is an exception there.
func indexOf(name string, v Value, n int) (int, error) {
	i, ok := v.(int64)
	if !ok {
		return 0, fmt.Errorf("%s: %v is no index", name, v)
	}
	if i < 0 || i >= int64(n) {
		return 0, fmt.Errorf("%s: index %d of %d", name, i, n)
	}
	return int(i), nil
}

func (r *run) find(items []Value, v Value) (int, error) {
	for i, item := range items {
		if err := r.step(1); err != nil {
			return -1, err
		}
		same, err := r.same(item, v)
		if same || err != nil {
			return i, err
		}
	}
	return -1, nil
}

func (r *run) listCall(l *List, name string, args []Value) (Value, error) {
	switch len(args) {
	case 0:
		switch name {
		case "size":
			return int64(len(l.items)), nil
		case "isEmpty":
			return len(l.items) == 0, nil
		case "clear":
			l.items = nil
		case "toArray", "iterator", "listIterator":
			return l, nil
		}
	case 1:
		return r.listCall1(l, name, args[0])
	case 2:
		return r.listCall2(l, name, args)
	}
	return nil, nil
}

func (r *run) listCall1(l *List, name string, arg Value) (Value, error) {
	switch name {
	case "get":
		i, err := indexOf(name, arg, len(l.items))
		if err != nil {
			return nil, err
		}
		return l.items[i], nil
	case "add":
		l.items = append(l.items, arg)
		return true, nil
	case "addAll":
		more := iterable(arg)
		l.items = append(l.items, more...)
		return len(more) > 0, r.step(len(more))
	case "contains", "indexOf":
		i, err := r.find(l.items, arg)
		if name == "indexOf" {
			return int64(i), err
		}
		return i >= 0, err
	case "remove":
		if _, ok := arg.(int64); ok {
			i, err := indexOf(name, arg, len(l.items))
			if err != nil {
				return nil, err
			}
			v := l.items[i]
			l.items = slices.Delete(l.items, i, i+1)
			return v, r.step(len(l.items))
		}
		i, err := r.find(l.items, arg)
		if i >= 0 && err == nil {
			l.items = slices.Delete(l.items, i, i+1)
		}
		return i >= 0, err
	}
	return nil, nil
}

func (r *run) listCall2(l *List, name string, args []Value) (Value, error) {
	switch name {
	case "set":
		i, err := indexOf(name, args[0], len(l.items))
		if err != nil {
			return nil, err
		}
		before := l.items[i]
		l.items[i] = args[1]
		return before, nil
	case "add":
		i, err := indexOf(name, args[0], len(l.items)+1)
		if err != nil {
			return nil, err
		}
		l.items = slices.Insert(l.items, i, args[1])
		return nil, r.step(len(l.items))
	case "subList":
		to, err := indexOf(name, args[1], len(l.items)+1)
		if err != nil {
			return nil, err
		}
		from, err := indexOf(name, args[0], to+1)
		if err != nil {
			return nil, err
		}
		return &List{items: slices.Clone(l.items[from:to]), json: l.json}, r.step(to - from)
	}
	return nil, nil
}

func (r *run) mapCall(m *Map, name string, args []Value) (Value, error) {
	switch len(args) {
	case 0:
		return r.mapCall0(m, name)
	case 1:
		if name == "putAll" {
			if more, ok := args[0].(*Map); ok {
				for i, k := range slices.Clone(more.keys) {
					m.Put(k, more.values[i])
				}
				return nil, r.step(more.Len())
			}
			return nil, nil
		}
		if name == "containsValue" {
			i, err := r.find(m.values, args[0])
			return i >= 0, err
		}
		key, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		switch name {
		case "get":
			return m.Get(key), nil
		case "containsKey":
			return m.Has(key), nil
		case "remove":
			return m.remove(key), r.step(m.Len())
		}
	case 2:
		key, err := r.text(args[0])
		if err != nil {
			return nil, err
		}
		before := m.Get(key)
		switch name {
		case "put":
			m.Put(key, args[1])
			return before, nil
		case "getOrDefault":
			if m.Has(key) {
				return before, nil
			}
			return args[1], nil
		}
	}
	return nil, nil
}

func (r *run) mapCall0(m *Map, name string) (Value, error) {
	switch name {
	case "size":
		return int64(m.Len()), nil
	case "isEmpty":
		return m.Len() == 0, nil
	case "clear":
		*m = Map{fold: m.fold}
		return nil, nil
	case "keySet":
		l := &List{}
		for _, k := range m.keys {
			l.items = append(l.items, k)
		}
		return l, r.step(m.Len())
	case "values":
		return &List{items: slices.Clone(m.values)}, r.step(m.Len())
	case "entrySet":
		l := &List{}
		for i, k := range m.keys {
			l.items = append(l.items, &entry{k, m.values[i]})
		}
		return l, r.step(m.Len())
	}
	return nil, nil
}
