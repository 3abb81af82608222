package stack

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// spelling says where CloudFormation's properties differ from the API's members. Both sides are keyed by the API shape's
// name, a dot and the property's name as CloudFormation writes it. Everything else is matched by name, ignoring case.
type spelling struct {
	// rename gives the member for a property; dots go into nested structures (CachedMethods → AllowedMethods.CachedMethods).
	rename map[string]string
	// document lists properties that are a JSON document in the template and a string in the API (policies).
	document map[string]bool
	// skip lists properties that the type's own code reads, or that have no counterpart.
	skip map[string]bool
	// absent lists members of the API that templates do not have, such as a CallerReference.
	absent map[string]bool
	// wrapped lists shapes of the form {Quantity, Items} that templates write with Items as well; the value tells whether they
	// write Quantity too. Every other shape of that form is a bare list in a template.
	wrapped map[string]bool
	// legacy lists properties that CloudFormation still takes and Foregate refuses, with what to write instead.
	legacy map[string]string
}

// converter fills API inputs from properties.
type converter struct {
	spelling *spelling
	found    []diag.Finding
	logical  string
}

// convert fills dst, a pointer to the Go struct of shape, from the map props. What does not fit is a finding in
// CloudFormation's words, with the place of the value.
func convert(dst any, shape *awsapi.Shape, props *template.Value, sp *spelling, logicalID string) []diag.Finding {
	c := &converter{spelling: sp, logical: logicalID}
	c.structure(reflect.ValueOf(dst).Elem(), shape, props)
	return c.found
}

// refuse adds a finding about v in the words of CloudFormation's schema check.
func (c *converter) refuse(v *template.Value, format string, args ...any) {
	c.found = append(c.found, schemaFinding(c.logical, v, fmt.Sprintf(format, args...)))
}

// schemaFinding is a failure of CloudFormation's schema check at v.
func schemaFinding(logicalID string, v *template.Value, what string) diag.Finding {
	text := fmt.Sprintf("Properties validation failed for resource %s with message:\n#%s: %s", logicalID, pointer(v.Path()), what)
	return diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Error, Path: v.Path(), Position: v.Position, Message: text,
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text},
	}
}

// pointer turns Resources.Site.Properties.A.B[0] into the /A/B/0 of CloudFormation's messages.
func pointer(path string) string {
	steps, err := template.ParsePath(path)
	if err != nil || len(steps) < 3 {
		return ""
	}
	var b strings.Builder
	for _, s := range steps[3:] { // Resources, the logical id, Properties
		b.WriteByte('/')
		if s.IsIndex {
			b.WriteString(strconv.Itoa(s.Index))
		} else {
			b.WriteString(s.Key)
		}
	}
	return b.String()
}

func (c *converter) structure(dst reflect.Value, shape *awsapi.Shape, props *template.Value) {
	if props == nil {
		return
	}
	if props.Kind != template.Map {
		c.refuse(props, "expected type: JSONObject, found: %s", jsonType(props))
		return
	}
	for _, f := range props.Fields {
		key := shape.Name + "." + f.Key
		if c.spelling.skip[key] {
			continue
		}
		at := place{name: f.Key, key: key, value: f.Value, parent: props, written: f.Key, position: f.KeyPosition}
		if instead, ok := c.spelling.legacy[key]; ok {
			c.found = append(c.found, diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Error, Path: f.Value.Path(), Position: f.KeyPosition,
				Message: fmt.Sprintf("%s is a property of older templates that Foregate does not honour", f.Key), Fixes: []string{instead}})
			continue
		}
		if to, ok := c.spelling.rename[key]; ok {
			at.name = to
		} else if !c.spelling.writes(shape, f.Key) {
			c.unexpected(shape, at)
			continue
		}
		c.property(dst, shape, at)
	}
	setQuantity(dst)
}

// writes tells whether templates may write a member of shape under the name key: properties begin with a capital, and what has
// another name in templates is not known by the API's.
func (sp *spelling) writes(shape *awsapi.Shape, key string) bool {
	if key == "" || key[0] >= 'a' && key[0] <= 'z' || sp.absent[shape.Name+"."+key] {
		return false
	}
	if quantity, ok := sp.wrapped[shape.Name]; ok && key == "Quantity" && !quantity {
		return false
	}
	return sp.template(shape, key) == ""
}

// template returns the name that templates use for a member that they write differently, "" for any other.
func (sp *spelling) template(shape *awsapi.Shape, member string) string {
	for from, to := range sp.rename {
		if name, ok := strings.CutPrefix(from, shape.Name+"."); ok && to == member {
			return name
		}
	}
	return ""
}

// place is a property on its way into a member.
type place struct {
	name     string // the member, possibly dotted
	key      string // shape and property, for the spelling
	written  string
	value    *template.Value
	parent   *template.Value
	position diag.Position
}

// unexpected reports a property that the type does not have.
func (c *converter) unexpected(shape *awsapi.Shape, p place) {
	c.refuse(p.parent, "extraneous key [%s] is not permitted", p.written)
	last := &c.found[len(c.found)-1]
	last.Path, last.Position = p.value.Path(), p.position
	last.Fixes = []string{"check the spelling against the type's reference page"}
	if name := c.spelling.template(shape, p.written); name != "" {
		last.Fixes = []string{"write " + name + ": " + p.written + " is its name in the API"}
	} else if c.spelling.absent[p.key] {
		last.Fixes = []string{"remove " + p.written + ": only the API has it"}
	} else if m := memberFold(shape, p.written); m != nil && m.Name != p.written {
		last.Fixes = []string{"write " + m.Name}
	}
}

func (c *converter) property(dst reflect.Value, shape *awsapi.Shape, p place) {
	head, rest, nested := strings.Cut(p.name, ".")
	m := memberFold(shape, head)
	if m == nil {
		c.unexpected(shape, p)
		return
	}
	field := dst.Field(m.Field)
	if nested {
		if field.IsNil() {
			field.Set(reflect.New(field.Type().Elem()))
		}
		c.property(field.Elem(), m.Shape, place{name: rest, key: p.key, value: p.value, parent: p.parent, written: p.written, position: p.position})
		if items := field.Elem().FieldByName("Items"); items.IsValid() && !items.IsNil() {
			setQuantity(field.Elem())
		}
		return
	}
	if c.spelling.document[p.key] && p.value.Kind == template.Map {
		setText(field, string(p.value.AppendJSON(nil)))
		return
	}
	c.value(field, m.Shape, p.value)
}

// memberFold finds a member by name, ignoring case.
func memberFold(s *awsapi.Shape, name string) *awsapi.Member {
	if m := s.Member(name); m != nil {
		return m
	}
	for _, m := range s.Members {
		if strings.EqualFold(m.Name, name) {
			return m
		}
	}
	return nil
}

// value converts v into the settable field dst of the shape.
func (c *converter) value(dst reflect.Value, shape *awsapi.Shape, v *template.Value) {
	switch shape.Kind {
	case awsapi.Structure:
		c.object(dst, shape, v)
	case awsapi.List:
		c.list(dst, shape, v)
	case awsapi.Map:
		c.mapping(dst, shape, v)
	case awsapi.Document:
		dst.Set(reflect.ValueOf(v.Any()))
	default:
		c.scalar(dst, shape, v)
	}
}

func (c *converter) object(dst reflect.Value, shape *awsapi.Shape, v *template.Value) {
	ptr := dst
	if dst.IsNil() { // else a property such as CachedMethods has come before the one that it goes into
		ptr = reflect.New(dst.Type().Elem())
		dst.Set(ptr)
	}
	items := listed(shape)
	if _, wrapped := c.spelling.wrapped[shape.Name]; items == nil || wrapped {
		c.structure(ptr.Elem(), shape, v)
		return
	}
	// CloudFront's API wraps lists into {Quantity, Items}; templates have the bare list.
	c.list(ptr.Elem().Field(items.Field), items.Shape, v)
	setQuantity(ptr.Elem())
}

// listed returns the member Items of a shape that is nothing but a list with its length, nil for any other shape. What else
// such shapes have follows from the list, or is a property beside it (AllowedMethods.CachedMethods).
func listed(shape *awsapi.Shape) *awsapi.Member {
	items := shape.Member("Items")
	if items == nil || items.Shape.Kind != awsapi.List {
		return nil
	}
	for _, m := range shape.Members {
		switch m.Name {
		case "Items", "Quantity", "Enabled", "CachedMethods":
		default:
			return nil
		}
	}
	return items
}

// setQuantity fills the Quantity beside Items unless the template has it, and Enabled where there is one (trusted signers and
// key groups).
func setQuantity(s reflect.Value) {
	q, items := s.FieldByName("Quantity"), s.FieldByName("Items")
	if !q.IsValid() || !items.IsValid() || items.Kind() != reflect.Slice || q.Type() != reflect.TypeFor[*int64]() {
		return
	}
	if q.IsNil() {
		q.Set(reflect.ValueOf(new(int64(items.Len()))))
	}
	if e := s.FieldByName("Enabled"); e.IsValid() && e.Type() == reflect.TypeFor[*bool]() && e.IsNil() {
		e.Set(reflect.ValueOf(new(items.Len() > 0)))
	}
}

func (c *converter) list(dst reflect.Value, shape *awsapi.Shape, v *template.Value) {
	if v.Kind != template.List {
		c.refuse(v, "expected type: JSONArray, found: %s", jsonType(v))
		return
	}
	out := reflect.MakeSlice(dst.Type(), len(v.Items), len(v.Items))
	for i, item := range v.Items {
		c.value(out.Index(i), shape.Elem, item)
	}
	dst.Set(out)
}

func (c *converter) mapping(dst reflect.Value, shape *awsapi.Shape, v *template.Value) {
	out := reflect.MakeMap(dst.Type())
	put := func(key string, item *template.Value) {
		e := reflect.New(dst.Type().Elem()).Elem()
		c.value(e, shape.Value, item)
		out.SetMapIndex(reflect.ValueOf(key).Convert(dst.Type().Key()), e)
	}
	switch {
	case v.Kind == template.Map:
		for _, f := range v.Fields {
			put(f.Key, f.Value)
		}
	case v.Kind == template.List && allTags(v):
		for _, item := range v.Items {
			put(item.Get("Key").Text, item.Get("Value"))
		}
	default:
		c.refuse(v, "expected type: JSONObject, found: %s", jsonType(v))
		return
	}
	dst.Set(out)
}

// allTags tells whether v is a list of {Key, Value}, which templates write where some APIs want a map.
func allTags(v *template.Value) bool {
	for _, item := range v.Items {
		if !item.Get("Key").IsScalar() || item.Get("Value") == nil || len(item.Fields) != 2 {
			return false
		}
	}
	return true
}

// scalar converts as CloudFormation does: numbers and booleans may be written as strings and the other way round.
func (c *converter) scalar(dst reflect.Value, shape *awsapi.Shape, v *template.Value) {
	if !v.IsScalar() {
		c.refuse(v, "expected type: %s, found: %s", scalarName(shape.Kind), jsonType(v))
		return
	}
	var made any
	var err error
	switch shape.Kind {
	case awsapi.String:
		setText(dst, v.Text)
		return
	case awsapi.Boolean:
		made, err = parseBool(v.Text)
	case awsapi.Integer, awsapi.Long:
		made, err = strconv.ParseInt(strings.TrimSuffix(v.Text, ".0"), 10, 64)
	case awsapi.Float, awsapi.Double:
		made, err = strconv.ParseFloat(v.Text, 64)
	case awsapi.Timestamp:
		made, err = time.Parse(time.RFC3339, v.Text)
	case awsapi.Blob:
		b, decodeErr := base64.StdEncoding.DecodeString(v.Text)
		if decodeErr != nil {
			b = []byte(v.Text)
		}
		dst.SetBytes(b)
		return
	}
	if err != nil {
		c.refuse(v, "expected type: %s, found: %s", scalarName(shape.Kind), jsonType(v))
		return
	}
	set(dst, reflect.ValueOf(made))
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("parse boolean %q: want true or false", text)
}

// setText sets a string, or a pointer to one.
func setText(dst reflect.Value, s string) { set(dst, reflect.ValueOf(s)) }

func set(dst, v reflect.Value) {
	if dst.Kind() == reflect.Pointer {
		p := reflect.New(dst.Type().Elem())
		p.Elem().Set(v.Convert(dst.Type().Elem()))
		dst.Set(p)
		return
	}
	dst.Set(v.Convert(dst.Type()))
}

func scalarName(k awsapi.Kind) string {
	switch k {
	case awsapi.Boolean:
		return "Boolean"
	case awsapi.Integer, awsapi.Long:
		return "Integer"
	case awsapi.Float, awsapi.Double:
		return "Number"
	}
	return "String"
}

// jsonType names the kind of v as CloudFormation's schema messages do.
func jsonType(v *template.Value) string {
	switch v.Kind {
	case template.Map:
		return "JSONObject"
	case template.List:
		return "JSONArray"
	case template.Number:
		if strings.ContainsAny(v.Text, ".eE") {
			return "Number"
		}
		return "Integer"
	case template.Bool:
		return "Boolean"
	case template.Null:
		return "Null"
	}
	return "String"
}
