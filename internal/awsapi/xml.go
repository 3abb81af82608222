package awsapi

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// node is an XML element. Names are local: AWS ignores namespaces on the way in.
type node struct {
	name  string
	attrs []xml.Attr
	text  string
	kids  []*node
}

// kid returns the first child called name, nil when there is none.
func (n *node) kid(name string) *node {
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// parseXML reads one document. Directives such as a DTD are refused, so that there are no entities but XML's own.
func parseXML(body []byte, b *budget) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(bytes.TrimPrefix(body, []byte("\ufeff")))) // editors put a byte order mark there
	d.CharsetReader = func(label string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(label, "us-ascii") {
			return r, nil
		}
		return nil, fmt.Errorf("the encoding %q is not supported, UTF-8 is", label)
	}
	var root *node
	var stack []*node
	var text []*strings.Builder
	for {
		t, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			if root != nil && len(stack) == 0 {
				return nil, fmt.Errorf("second root element %q", t.Name.Local)
			}
			if err := b.enter(); err != nil {
				return nil, err
			}
			n := &node{name: t.Name.Local, attrs: slices.Clone(t.Attr)}
			for range t.Attr {
				if err := b.count(); err != nil {
					return nil, err
				}
			}
			if root == nil {
				root = n
			} else {
				parent := stack[len(stack)-1]
				parent.kids = append(parent.kids, n)
			}
			stack, text = append(stack, n), append(text, new(strings.Builder))
		case xml.EndElement:
			b.leave()
			last := len(stack) - 1
			stack[last].text = text[last].String()
			stack, text = stack[:last], text[:last]
		case xml.CharData:
			if len(text) > 0 {
				text[len(text)-1].Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				return nil, fmt.Errorf("text outside of the root element")
			}
		case xml.Directive:
			return nil, fmt.Errorf("document type declarations are not allowed")
		}
	}
	if root == nil {
		return nil, fmt.Errorf("premature end of file")
	}
	return root, nil
}

// xmlDecoder fills Go values from nodes.
type xmlDecoder struct {
	// strictLists makes an empty list, or one with elements of another name, an error.
	strictLists bool
}

func (d *xmlDecoder) structure(v reflect.Value, s *Shape, n *node) error {
	v = place(v)
	for _, m := range s.Members {
		if m.Location != Body || m == s.Payload {
			continue
		}
		if err := d.member(v.Field(m.Field), m, n); err != nil {
			return err
		}
	}
	return nil
}

func (d *xmlDecoder) member(v reflect.Value, m *Member, n *node) error {
	if m.Attribute {
		_, local, prefixed := strings.Cut(m.Wire, ":")
		if !prefixed {
			local = m.Wire
		}
		for _, a := range n.attrs {
			if a.Name.Local == local {
				return setText(v, m.Shape, a.Value, ISO8601)
			}
		}
		return nil
	}
	s := m.Shape
	switch {
	case s.Kind == List && (s.Flattened || m.Flattened):
		var kids []*node
		for _, k := range n.kids {
			if k.name == m.Wire || s.ElemName != "" && k.name == s.ElemName {
				kids = append(kids, k)
			}
		}
		if kids == nil {
			return nil
		}
		return d.list(v, s, kids)
	case s.Kind == Map && (s.Flattened || m.Flattened):
		for _, k := range n.kids {
			if k.name == m.Wire {
				if err := d.entry(v, s, k); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if k := n.kid(m.Wire); k != nil {
		return d.value(v, m, s, k)
	}
	return nil
}

func (d *xmlDecoder) value(v reflect.Value, m *Member, s *Shape, n *node) error {
	switch s.Kind {
	case Structure:
		return d.structure(v, s, n)
	case List:
		name := orDefault(s.ElemName, "member")
		kids := make([]*node, 0, len(n.kids))
		for _, k := range n.kids {
			if k.name == name {
				kids = append(kids, k)
			}
		}
		if d.strictLists && (len(kids) == 0 || len(kids) != len(n.kids)) {
			return &errMalformed{code: "MalformedInput", text: "Unexpected list element termination"}
		}
		return d.list(v, s, kids)
	case Map:
		v.Set(reflect.MakeMap(v.Type()))
		for _, k := range n.kids {
			if k.name == "entry" {
				if err := d.entry(v, s, k); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if len(n.kids) > 0 {
		return fmt.Errorf("element %q has elements where text is expected", n.name)
	}
	if err := setText(v, s, n.text, timestampFormat(m, s, ISO8601)); err != nil {
		return fmt.Errorf("element %q: %w", n.name, err)
	}
	return nil
}

func (d *xmlDecoder) list(v reflect.Value, s *Shape, kids []*node) error {
	v.Set(reflect.MakeSlice(v.Type(), len(kids), len(kids)))
	for i, k := range kids {
		if err := d.value(v.Index(i), nil, s.Elem, k); err != nil {
			return err
		}
	}
	return nil
}

func (d *xmlDecoder) entry(v reflect.Value, s *Shape, n *node) error {
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	key, value := n.kid(orDefault(s.KeyName, "key")), n.kid(orDefault(s.ValueName, "value"))
	if key == nil || value == nil {
		return fmt.Errorf("map entry %q lacks its key or value", n.name)
	}
	elem := reflect.New(v.Type().Elem()).Elem()
	if err := d.value(elem, nil, s.Value, value); err != nil {
		return err
	}
	v.SetMapIndex(reflect.ValueOf(key.text).Convert(v.Type().Key()), elem)
	return nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// xmlEncoder writes Go values as elements.
type xmlEncoder struct {
	b bytes.Buffer
	// millis writes milliseconds in every timestamp, as S3 does.
	millis bool
}

func (e *xmlEncoder) open(name string, attrs ...string) {
	e.b.WriteByte('<')
	e.b.WriteString(name)
	for i := 0; i+1 < len(attrs); i += 2 {
		e.b.WriteByte(' ')
		e.b.WriteString(attrs[i])
		e.b.WriteString(`="`)
		escapeXML(&e.b, attrs[i+1])
		e.b.WriteByte('"')
	}
	e.b.WriteByte('>')
}

func (e *xmlEncoder) close(name string) {
	e.b.WriteString("</")
	e.b.WriteString(name)
	e.b.WriteByte('>')
}

// element writes a whole element with text.
func (e *xmlEncoder) element(name, text string) {
	e.open(name)
	escapeXML(&e.b, text)
	e.close(name)
}

func namespaceAttr(prefix, uri string) []string {
	if uri == "" {
		return nil
	}
	if prefix != "" {
		return []string{"xmlns:" + prefix, uri}
	}
	return []string{"xmlns", uri}
}

// structure writes an element with the members of s that belong in the body.
func (e *xmlEncoder) structure(v reflect.Value, s *Shape, name string, attrs []string) {
	v = reflect.Indirect(v)
	if s.Namespace != "" && len(attrs) == 0 {
		attrs = namespaceAttr(s.Prefix, s.Namespace)
	}
	for _, m := range s.Members {
		if f := v.Field(m.Field); m.Attribute && !isNil(f) {
			attrs = append(attrs, m.Wire, getText(f, m.Shape, ISO8601))
		}
	}
	e.open(name, attrs...)
	e.members(v, s)
	e.close(name)
}

// members writes the elements of a structure without one around them.
func (e *xmlEncoder) members(v reflect.Value, s *Shape) {
	for _, m := range s.Members {
		if m.Location != Body || m.Attribute || m == s.Payload {
			continue
		}
		f := v.Field(m.Field)
		if isNil(f) {
			continue
		}
		switch {
		case m.Shape.Kind == List && (m.Shape.Flattened || m.Flattened):
			for i := range f.Len() {
				e.value(f.Index(i), m, m.Shape.Elem, m.Wire)
			}
		case m.Shape.Kind == Map && (m.Shape.Flattened || m.Flattened):
			e.entries(f, m.Shape, m.Wire)
		default:
			e.value(f, m, m.Shape, m.Wire)
		}
	}
}

func (e *xmlEncoder) value(v reflect.Value, m *Member, s *Shape, name string) {
	if isNil(v) && s.Kind != Blob && s.Kind != List && s.Kind != Map {
		return
	}
	var attrs []string
	if m != nil {
		attrs = namespaceAttr(m.Prefix, m.Namespace)
	}
	switch s.Kind {
	case Structure:
		e.structure(v, s, name, attrs)
	case List:
		e.open(name, attrs...)
		for i := range v.Len() {
			e.value(v.Index(i), nil, s.Elem, orDefault(s.ElemName, "member"))
		}
		e.close(name)
	case Map:
		e.open(name, attrs...)
		e.entries(v, s, "entry")
		e.close(name)
	default:
		e.open(name, attrs...)
		format := timestampFormat(m, s, ISO8601)
		text := getText(v, s, format)
		if s.Kind == Timestamp && format == ISO8601 && e.millis && !strings.Contains(text, ".") {
			text = strings.TrimSuffix(text, "Z") + ".000Z"
		}
		escapeXML(&e.b, text)
		e.close(name)
	}
}

func (e *xmlEncoder) entries(v reflect.Value, s *Shape, name string) {
	for _, k := range sortedKeys(v) {
		e.open(name)
		e.element(orDefault(s.KeyName, "key"), k.String())
		e.value(v.MapIndex(k), nil, s.Value, orDefault(s.ValueName, "value"))
		e.close(name)
	}
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// escapeXML writes text as XML character data, also fit for an attribute. What XML 1.0 cannot hold becomes U+FFFD.
func escapeXML(b *bytes.Buffer, text string) {
	for _, r := range text {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\r':
			b.WriteString("&#xD;")
		case r < 0x20 && r != '\n' && r != '\t', r == 0xFFFE, r == 0xFFFF:
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
}
