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
	text := fmt.Sprintf("Properties validation failed for resource %s with message:\n#%s: ", c.logical, pointer(v.Path())) + fmt.Sprintf(format, args...)
	c.found = append(c.found, diag.Finding{
		Code: diag.InvalidTemplate, Severity: diag.Error, Path: v.Path(), Position: v.Position, Message: text,
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text},
	})
}

// pointer turns Resources.Site.Properties.A.B[0] into the /A/B/0 of CloudFormation's messages.
func pointer(path string) string {
	_, rest, ok := strings.Cut(path, ".Properties")
	if !ok {
		return "/"
	}
	return strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(rest)
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
		name := f.Key
		if to, ok := c.spelling.rename[key]; ok {
			name = to
		}
		c.property(dst, shape, place{name: name, key: key, value: f.Value, parent: props, written: f.Key})
	}
	setQuantity(dst)
}

// place is a property on its way into a member.
type place struct {
	name    string // the member, possibly dotted
	key     string // shape and property, for the spelling
	written string
	value   *template.Value
	parent  *template.Value
}

func (c *converter) property(dst reflect.Value, shape *awsapi.Shape, p place) {
	head, rest, nested := strings.Cut(p.name, ".")
	m := memberFold(shape, head)
	if m == nil {
		c.refuse(p.parent, "extraneous key [%s] is not permitted", p.written)
		last := &c.found[len(c.found)-1]
		last.Position, last.Path = p.value.Position, p.value.Path()
		last.Fixes = []string{"check the spelling against the type's reference page"}
		return
	}
	field := dst.Field(m.Field)
	if nested {
		if field.IsNil() {
			field.Set(reflect.New(field.Type().Elem()))
		}
		c.property(field.Elem(), m.Shape, place{name: rest, key: p.key, value: p.value, parent: p.parent, written: p.written})
		setQuantity(field.Elem())
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
	ptr := reflect.New(dst.Type().Elem())
	items := memberFold(shape, "Items")
	if v.Kind == template.List && items != nil {
		// CloudFront's API wraps lists into {Quantity, Items}; templates have the bare list.
		c.list(ptr.Elem().Field(items.Field), items.Shape, v)
		setQuantity(ptr.Elem())
	} else {
		c.structure(ptr.Elem(), shape, v)
	}
	dst.Set(ptr)
}

// setQuantity fills the Quantity beside Items, and Enabled where the two have it (trusted signers and key groups).
func setQuantity(s reflect.Value) {
	q, items := s.FieldByName("Quantity"), s.FieldByName("Items")
	if !q.IsValid() || !items.IsValid() || items.Kind() != reflect.Slice || q.Type() != reflect.TypeFor[*int64]() {
		return
	}
	q.Set(reflect.ValueOf(new(int64(items.Len()))))
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
		made, err = strconv.ParseBool(strings.ToLower(v.Text))
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

// locate finds the value in props that an API path such as
// OriginRequestPolicyConfig.HeadersConfig.Headers.Items[0] speaks of: as far down as the template has it.
func locate(props *template.Value, path string, sp *spelling) *template.Value {
	at := props
	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		next := at
		if !strings.EqualFold(name, "Items") && name != "" {
			if next = fieldFold(at, name, sp); next == nil {
				return at
			}
		}
		if indexed {
			n, err := strconv.Atoi(index)
			if err != nil || n >= len(next.Items) {
				return next
			}
			next = next.Items[n]
		}
		at = next
	}
	return at
}

// fieldFold finds the property that becomes the member name.
func fieldFold(v *template.Value, name string, sp *spelling) *template.Value {
	if v == nil || v.Kind != template.Map {
		return nil
	}
	for _, f := range v.Fields {
		if strings.EqualFold(f.Key, name) {
			return f.Value
		}
	}
	for from, to := range sp.rename {
		if to == name || strings.HasSuffix(to, "."+name) {
			if child := v.Get(from[strings.IndexByte(from, '.')+1:]); child != nil {
				return child
			}
		}
	}
	return nil
}
