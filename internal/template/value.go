// Package template holds what every template format yields: a tree of values that knows, for each value, where it was
// written and by which path it is named, and the resources that carry such trees.
//
// Start with Value, and with Read, which makes the tree of a YAML or JSON text. Detect says which format a text is in. The
// package knows the notation only: not what a section, a function or a property means; that is the business of the package
// of the format (template/cloudformation and later ones), and of the services.
//
// A value is immutable once it has been handed out. Values that are marked Secret print as ****, by fmt and as JSON; Any
// and AppendJSON are the ways to the text itself.
package template

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/diag"
)

// Kind says what a value is.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	String
	Number
	Bool
	List
	Map
)

// String returns the name that messages use.
func (k Kind) String() string {
	return [...]string{"null", "string", "number", "boolean", "list", "map"}[k]
}

// Value is a value in a template, with its place.
type Value struct {
	Kind Kind
	// Text is a string, a number as it was written, or true or false.
	Text string
	// Items are the elements of a list.
	Items []*Value
	// Fields are the entries of a map, in the order of the file.
	Fields []Field
	// Tag is the YAML tag of the application, such as "!Sub", as far as the format has not yet given it a meaning.
	Tag string
	// Alias names the YAML anchor when the value was written as an alias of it.
	Alias string
	// Written is the text in the file where Text differs from it: yes, 0777, 1_000.
	Written string
	// Secret marks a value that must not be shown: of a NoEcho parameter or a secret, or made from one.
	Secret bool
	// Position is the first character of the value in the file.
	Position diag.Position

	place Place
}

// Field is an entry of a map.
type Field struct {
	Key string
	// KeyPosition is the first character of the key.
	KeyPosition diag.Position
	Value       *Value
}

// Place says where a value hangs: under a key or an index of its parent, or at the path Root when it has no parent.
type Place struct {
	Parent *Value
	// Key names the entry of a map parent.
	Key string
	// Index counts the elements of a list parent from 0.
	Index int
	// Root is the path of a tree's root, such as Resources.Site.Properties.
	Root string
}

// At returns the place of the entry key of v.
func (v *Value) At(key string) Place { return Place{Parent: v, Key: key} }

// AtIndex returns the place of the element i of v.
func (v *Value) AtIndex(i int) Place { return Place{Parent: v, Index: i} }

// New makes an empty value of a kind at a place.
func New(kind Kind, pos diag.Position, at Place) *Value {
	return &Value{Kind: kind, Position: pos, place: at}
}

// NewText makes a string, number or boolean at a place.
func NewText(kind Kind, text string, pos diag.Position, at Place) *Value {
	return &Value{Kind: kind, Text: text, Position: pos, place: at}
}

// Place returns where v hangs.
func (v *Value) Place() Place { return v.place }

// Copy returns a deep copy of v that hangs at another place; every position stays as it is.
func (v *Value) Copy(at Place) *Value {
	c := &Value{Kind: v.Kind, Text: v.Text, Tag: v.Tag, Alias: v.Alias, Written: v.Written, Secret: v.Secret,
		Position: v.Position, place: at}
	if v.Items != nil {
		c.Items = make([]*Value, len(v.Items))
		for i, item := range v.Items {
			c.Items[i] = item.Copy(c.AtIndex(i))
		}
	}
	if v.Fields != nil {
		c.Fields = make([]Field, len(v.Fields))
		for i, f := range v.Fields {
			c.Fields[i] = Field{Key: f.Key, KeyPosition: f.KeyPosition, Value: f.Value.Copy(c.At(f.Key))}
		}
	}
	return c
}

// Wrap makes v, which its reader has not handed out yet, a map with the single entry key, whose value is what v was: the
// long form of a YAML tag. The tag goes.
func (v *Value) Wrap(key string) {
	inner := *v
	inner.Tag = ""
	inner.place = v.At(key)
	for _, item := range inner.Items {
		item.place.Parent = &inner
	}
	for _, f := range inner.Fields {
		f.Value.place.Parent = &inner
	}
	*v = Value{
		Kind: Map, Position: v.Position, place: v.place, Alias: v.Alias,
		Fields: []Field{{Key: key, KeyPosition: v.Position, Value: &inner}},
	}
}

// Get returns the value of an entry, nil when v is no map or has no such entry.
func (v *Value) Get(key string) *Value {
	if f := v.Field(key); f != nil {
		return f.Value
	}
	return nil
}

// Field returns an entry of a map, nil when there is none.
func (v *Value) Field(key string) *Field {
	if v == nil {
		return nil
	}
	if i := slices.IndexFunc(v.Fields, func(f Field) bool { return f.Key == key }); i >= 0 {
		return &v.Fields[i]
	}
	return nil
}

// IsScalar says that v is a string, a number or a boolean: that Text is its text.
func (v *Value) IsScalar() bool {
	return v != nil && (v.Kind == String || v.Kind == Number || v.Kind == Bool)
}

// Path names the place of v, as Resources.Site.Properties.Origins[0].DomainName. ParsePath reads it.
func (v *Value) Path() string {
	var chain []*Value
	root := v
	for ; root.place.Parent != nil; root = root.place.Parent {
		chain = append(chain, root)
	}
	b := []byte(root.place.Root)
	for _, c := range slices.Backward(chain) {
		if c.place.Parent.Kind == List {
			b = append(strconv.AppendInt(append(b, '['), int64(c.place.Index), 10), ']')
		} else {
			b = appendKey(b, c.place.Key)
		}
	}
	return string(b)
}

const hidden = "****"

// String returns the text of a scalar and the JSON of anything else, for people: secrets are hidden.
func (v *Value) String() string {
	switch {
	case v == nil:
		return "<nil>"
	case v.Secret:
		return hidden
	case v.IsScalar():
		return v.Text
	}
	return string(v.append(nil, true))
}

// GoString is String: %#v must not show a secret either.
func (v *Value) GoString() string { return v.String() }

// MarshalJSON writes v for people, with secrets hidden. Use AppendJSON for the real text.
func (v *Value) MarshalJSON() ([]byte, error) { return v.append(nil, true), nil }

// AppendJSON appends v as JSON with its real text, entries in the order of the template.
func (v *Value) AppendJSON(dst []byte) []byte { return v.append(dst, false) }

func (v *Value) append(b []byte, hide bool) []byte {
	if hide && v.Secret {
		return strconv.AppendQuote(b, hidden)
	}
	switch v.Kind {
	case String:
		return appendString(b, v.Text)
	case Number, Bool:
		return append(b, v.Text...)
	case List:
		b = append(b, '[')
		for i, item := range v.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.append(b, hide)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, f := range v.Fields {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, f.Key), ':')
			b = f.Value.append(b, hide)
		}
		return append(b, '}')
	}
	return append(b, "null"...)
}

// Any returns v as Go values with their real text: nil, string, json.Number, bool, []any, map[string]any.
func (v *Value) Any() any {
	if v == nil {
		return nil
	}
	switch v.Kind {
	case String:
		return v.Text
	case Number:
		return json.Number(v.Text)
	case Bool:
		return v.Text == "true"
	case List:
		list := make([]any, len(v.Items))
		for i, item := range v.Items {
			list[i] = item.Any()
		}
		return list
	case Map:
		m := make(map[string]any, len(v.Fields))
		for _, f := range v.Fields {
			m[f.Key] = f.Value.Any()
		}
		return m
	}
	return nil
}

// Walk calls visit for v and all values below it, parents first, until visit returns false.
func (v *Value) Walk(visit func(*Value) bool) bool {
	if v == nil {
		return true
	}
	if !visit(v) {
		return false
	}
	for _, item := range v.Items {
		if !item.Walk(visit) {
			return false
		}
	}
	for _, f := range v.Fields {
		if !f.Value.Walk(visit) {
			return false
		}
	}
	return true
}

// Resource is a resource with all its values known: what a format hands to whoever makes it.
type Resource struct {
	// LogicalID names the resource in its template.
	LogicalID string
	// Type is CloudFormation's name of the type, such as AWS::CloudFront::Distribution.
	Type string
	// Position is where the resource begins: its logical id.
	Position diag.Position
	// Properties is a map, empty when the template has none. Its paths begin with Resources.LogicalID.Properties.
	Properties *Value
}

// Lookup finds where a property stands in the file, as Lookup does. The path is a whole one, Resources.Site.Properties.A.B, or
// one within the properties, A.B.
func (r *Resource) Lookup(path string) (diag.Position, bool) {
	if rest, ok := strings.CutPrefix(path, r.Properties.Path()); ok && (rest == "" || rest[0] == '.' || rest[0] == '[') {
		path = strings.TrimPrefix(rest, ".")
	}
	return Lookup(r.Properties, path)
}
