package awsapi

import (
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// param is a parameter of the query protocol in the tree that the dots of its name make.
type param struct {
	value string
	set   bool
	kids  map[string]*param
}

// parseForm reads a form into a flat list of names and values, bounded by b. Names and values are decoded.
func parseForm(text string, b *budget) ([][2]string, error) {
	var out [][2]string
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if err := b.count(); err != nil {
			return nil, err
		}
		name, value, _ := strings.Cut(pair, "=")
		n, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		v, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		out = append(out, [2]string{n, v})
	}
	return out, nil
}

// paramTree makes the tree of a form.
func paramTree(form [][2]string, b *budget) (*param, error) {
	root := &param{}
	for _, f := range form {
		at, depth := root, 0
		for part := range strings.SplitSeq(f[0], ".") {
			if depth++; depth > b.depth {
				return nil, errTooDeep
			}
			next := at.kids[part]
			if next == nil {
				if err := b.count(); err != nil {
					return nil, err
				}
				next = &param{}
				if at.kids == nil {
					at.kids = map[string]*param{}
				}
				at.kids[part] = next
			}
			at = next
		}
		at.value, at.set = f[1], true
	}
	return root, nil
}

// entries returns the children with numbers for names, in the order of the numbers.
func (p *param) entries() []*param {
	type entry struct {
		n int
		p *param
	}
	var list []entry
	for name, k := range p.kids {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 {
			list = append(list, entry{n, k})
		}
	}
	slices.SortFunc(list, func(a, b entry) int { return a.n - b.n })
	out := make([]*param, len(list))
	for i, e := range list {
		out[i] = e.p
	}
	return out
}

func decodeQueryStructure(v reflect.Value, s *Shape, p *param) error {
	v = place(v)
	for _, m := range s.Members {
		k := p.kids[m.Wire]
		if k == nil && m.Shape.Kind == List && (m.Shape.Flattened || m.Flattened) && m.Shape.ElemName != "" {
			// Clients differ in which of the two names they take.
			k = p.kids[m.Shape.ElemName]
		}
		if k == nil {
			continue
		}
		if err := decodeQuery(v.Field(m.Field), m, m.Shape, k); err != nil {
			return err
		}
	}
	return nil
}

func decodeQuery(v reflect.Value, m *Member, s *Shape, p *param) error {
	flat := s.Flattened || m != nil && m.Flattened
	switch s.Kind {
	case Structure:
		return decodeQueryStructure(v, s, p)
	case List:
		if !flat {
			k := p.kids[orDefault(s.ElemName, "member")]
			if k == nil {
				k = &param{}
			}
			p = k
		}
		entries := p.entries()
		v.Set(reflect.MakeSlice(v.Type(), len(entries), len(entries)))
		for i, e := range entries {
			if err := decodeQuery(v.Index(i), nil, s.Elem, e); err != nil {
				return err
			}
		}
		return nil
	case Map:
		if !flat {
			k := p.kids["entry"]
			if k == nil {
				k = &param{}
			}
			p = k
		}
		v.Set(reflect.MakeMap(v.Type()))
		for _, e := range p.entries() {
			key, value := e.kids[orDefault(s.KeyName, "key")], e.kids[orDefault(s.ValueName, "value")]
			if key == nil || value == nil {
				return &errMalformed{code: "MalformedInput", text: "map entry lacks its key or value"}
			}
			elem := reflect.New(v.Type().Elem()).Elem()
			if err := decodeQuery(elem, nil, s.Value, value); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(key.value), elem)
		}
		return nil
	}
	if !p.set {
		return nil
	}
	return setText(v, s, p.value, timestampFormat(m, s, ISO8601))
}
