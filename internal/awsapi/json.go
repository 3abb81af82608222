package awsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// jsonDecoder fills Go values from a JSON text, token by token.
type jsonDecoder struct {
	d *json.Decoder
	b *budget
	// dropNull leaves null entries out of lists and maps instead of refusing them; clients read answers so.
	dropNull bool
}

func newJSONDecoder(body []byte, b *budget) *jsonDecoder {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return &jsonDecoder{d: d, b: b}
}

// document reads the one value of the body into v.
func (d *jsonDecoder) document(v reflect.Value, s *Shape) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	if err := d.value(v, nil, s, t); err != nil {
		return err
	}
	if _, err := d.d.Token(); err != io.EOF {
		return fmt.Errorf("text after the end of the document")
	}
	return nil
}

func (d *jsonDecoder) token() (json.Token, error) {
	t, err := d.d.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return t, err
}

// valueNames are the names of AWS's parser for the kinds of JSON values, as its errors show them.
func valueName(t json.Token) string {
	switch t := t.(type) {
	case bool:
		if t {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	case json.Number:
		if strings.ContainsAny(t.String(), ".eE") {
			return "DECIMAL_VALUE"
		}
		return "NUMBER_VALUE"
	case string:
		return "STRING_VALUE"
	case nil:
		return "NULL_VALUE"
	}
	return "VALUE"
}

var (
	errStructure = &errMalformed{text: "Start of structure or map found where not expected."}
	errList      = &errMalformed{text: "Start of list found where not expected"}
)

func (d *jsonDecoder) value(v reflect.Value, m *Member, s *Shape, t json.Token) error {
	if t == nil {
		return nil
	}
	if s.Kind == Document {
		x, err := d.any(t)
		if err == nil && x != nil {
			v.Set(reflect.ValueOf(x))
		}
		return err
	}
	delim, _ := t.(json.Delim)
	switch s.Kind {
	case Structure, Map:
		switch delim {
		case '{':
		case '[':
			return errList
		default:
			return &errType{valueName(t), javaNames[s.Kind]}
		}
	case List:
		switch delim {
		case '[':
		case '{':
			return errStructure
		default:
			return &errType{valueName(t), javaNames[s.Kind]}
		}
	default:
		switch delim {
		case '{':
			return errStructure
		case '[':
			return errList
		}
		return d.scalar(v, m, s, t)
	}
	if err := d.b.enter(); err != nil {
		return err
	}
	defer d.b.leave()
	switch s.Kind {
	case Structure:
		return d.structure(place(v), s)
	case List:
		return d.list(v, s)
	}
	return d.mapping(v, s)
}

func (d *jsonDecoder) structure(v reflect.Value, s *Shape) error {
	for d.d.More() {
		name, t, err := d.pair()
		if err != nil {
			return err
		}
		var member *Member
		for _, m := range s.Members {
			if m.Wire == name && m.Location == Body && m != s.Payload {
				member = m
				break
			}
		}
		if member == nil {
			if _, err := d.any(t); err != nil {
				return err
			}
			continue
		}
		if err := d.value(v.Field(member.Field), member, member.Shape, t); err != nil {
			return err
		}
	}
	_, err := d.token()
	return err
}

// pair reads the name of a member and the first token of its value.
func (d *jsonDecoder) pair() (string, json.Token, error) {
	if err := d.b.count(); err != nil {
		return "", nil, err
	}
	name, err := d.token()
	if err != nil {
		return "", nil, err
	}
	t, err := d.token()
	s, _ := name.(string)
	return s, t, err
}

func (d *jsonDecoder) list(v reflect.Value, s *Shape) error {
	out := reflect.MakeSlice(v.Type(), 0, 0)
	for d.d.More() {
		if err := d.b.count(); err != nil {
			return err
		}
		t, err := d.token()
		if err != nil {
			return err
		}
		if t == nil {
			if d.dropNull {
				continue
			}
			return &errType{"NULL_VALUE", javaNames[s.Elem.Kind]}
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(elem, nil, s.Elem, t); err != nil {
			return err
		}
		out = reflect.Append(out, elem)
	}
	v.Set(out)
	_, err := d.token()
	return err
}

func (d *jsonDecoder) mapping(v reflect.Value, s *Shape) error {
	v.Set(reflect.MakeMap(v.Type()))
	for d.d.More() {
		name, t, err := d.pair()
		if err != nil {
			return err
		}
		if t == nil {
			if d.dropNull {
				continue
			}
			return &errType{"NULL_VALUE", javaNames[s.Value.Kind]}
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(elem, nil, s.Value, t); err != nil {
			return err
		}
		v.SetMapIndex(reflect.ValueOf(name), elem)
	}
	_, err := d.token()
	return err
}

func (d *jsonDecoder) scalar(v reflect.Value, m *Member, s *Shape, t json.Token) error {
	bad := &errType{valueName(t), javaNames[s.Kind]}
	switch t := t.(type) {
	case string:
		switch s.Kind {
		case String, Blob, Timestamp:
			return setText(v, s, t, timestampFormat(m, s, UnixTimestamp))
		case Float, Double:
			if f, err := parseFloat(t, 64); err == nil && (math.IsNaN(f) || math.IsInf(f, 0)) {
				place(v).SetFloat(f)
				return nil
			}
		}
		return bad
	case bool:
		if s.Kind != Boolean {
			return bad
		}
		place(v).SetBool(t)
	case json.Number:
		return d.number(v, s, t, bad)
	}
	return nil
}

func (d *jsonDecoder) number(v reflect.Value, s *Shape, n json.Number, bad error) error {
	f, err := n.Float64()
	if err != nil {
		return bad
	}
	switch s.Kind {
	case Integer, Long:
		i, err := strconv.ParseInt(n.String(), 10, bits(s.Kind))
		if err != nil {
			// 3.0 and 1e3 are whole numbers, too.
			if f != math.Trunc(f) || math.Abs(f) > 1<<53 || s.Kind == Integer && (f > math.MaxInt32 || f < math.MinInt32) {
				return bad
			}
			i = int64(f)
		}
		place(v).SetInt(i)
	case Float, Double:
		place(v).SetFloat(f)
	case Timestamp:
		t, err := unixTime(f)
		if err != nil {
			return bad
		}
		place(v).Set(reflect.ValueOf(t))
	default:
		return bad
	}
	return nil
}

// any reads a value without a shape.
func (d *jsonDecoder) any(t json.Token) (any, error) {
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if err := d.b.enter(); err != nil {
		return nil, err
	}
	defer d.b.leave()
	if delim == '{' {
		out := map[string]any{}
		for d.d.More() {
			name, t, err := d.pair()
			if err != nil {
				return nil, err
			}
			if out[name], err = d.any(t); err != nil {
				return nil, err
			}
		}
		_, err := d.token()
		return out, err
	}
	out := []any{}
	for d.d.More() {
		if err := d.b.count(); err != nil {
			return nil, err
		}
		t, err := d.token()
		if err != nil {
			return nil, err
		}
		x, err := d.any(t)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	_, err := d.token()
	return out, err
}

// appendJSON appends v of shape s as JSON. Absent members are left out.
func appendJSON(b []byte, v reflect.Value, m *Member, s *Shape) []byte {
	if isNil(v) && s.Kind != Blob && s.Kind != List && s.Kind != Map {
		return append(b, "null"...)
	}
	switch s.Kind {
	case Structure:
		return appendJSONStructure(b, reflect.Indirect(v), s)
	case List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, v.Index(i), nil, s.Elem)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendJSONString(b, k.String()), ':')
			b = appendJSON(b, v.MapIndex(k), nil, s.Value)
		}
		return append(b, '}')
	case Document:
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(false)
		if e.Encode(v.Interface()) != nil {
			return append(b, "null"...)
		}
		return append(b, bytes.TrimSpace(buf.Bytes())...)
	case Boolean, Integer, Long:
		return append(b, getText(v, s, "")...)
	case Float, Double:
		if f := reflect.Indirect(v).Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return append(b, formatFloat(f)...)
		}
	case Timestamp:
		if format := timestampFormat(m, s, UnixTimestamp); format == UnixTimestamp {
			return append(b, formatTime(reflect.Indirect(v).Interface().(time.Time), format)...)
		}
	}
	return appendJSONString(b, getText(v, s, timestampFormat(m, s, UnixTimestamp)))
}

func appendJSONStructure(b []byte, v reflect.Value, s *Shape) []byte {
	b = append(b, '{')
	first := true
	for _, m := range s.Members {
		f := v.Field(m.Field)
		if m.Location != Body || m == s.Payload || isNil(f) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendJSONString(b, m.Wire), ':')
		b = appendJSON(b, f, m, m.Shape)
	}
	return append(b, '}')
}

// appendJSONString appends a JSON string without escaping <, > and &, as AWS does.
func appendJSONString(b []byte, text string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always encodes
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte{'\n'})...)
}
