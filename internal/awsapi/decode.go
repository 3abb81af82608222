package awsapi

import (
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/message"
)

// incoming is a request on its way to an input.
type incoming struct {
	*message.Request
	match *Match
	// body is the whole body; nil when the operation takes it as a stream.
	body []byte
	// form has the parameters of the query protocol.
	form [][2]string
	// held is how much of Server.reading this request has.
	held   int64
	limits Limits
}

// decode makes the input of a matched operation.
func decode(in *incoming) (any, *Error) {
	svc, op := in.match.Service, in.match.Operation
	out := op.New()
	if op.Input == nil {
		return out, nil
	}
	v := reflect.ValueOf(out).Elem()
	var err error
	switch svc.Protocol {
	case Query:
		err = in.query(v, op.Input)
	case JSON:
		err = in.jsonBody(v, nil, op.Input)
	default:
		err = in.rest(v, op)
	}
	if err != nil {
		return nil, bodyError(svc, err)
	}
	return out, nil
}

// bodyError makes the answer to a request that cannot be read.
func bodyError(svc *Service, err error) *Error {
	d := svc.dialect()
	e := &Error{Code: d.malformed, Status: http.StatusBadRequest, Message: orDefault(d.malformedText, err.Error()), Err: err}
	var mistyped *errType
	var malformed *errMalformed
	switch {
	case errors.As(err, &malformed):
		e.Code, e.Message = orDefault(malformed.code, d.mistyped), orDefault(d.malformedText, malformed.Error())
	case errors.As(err, &mistyped):
		e.Code, e.Message = d.mistyped, orDefault(d.malformedText, mistyped.Error())
	}
	return e
}

func (in *incoming) query(v reflect.Value, s *Shape) error {
	tree, err := paramTree(in.form, in.limits.budget())
	if err != nil {
		return err
	}
	return decodeQueryStructure(v, s, tree)
}

func (in *incoming) jsonBody(v reflect.Value, m *Member, s *Shape) error {
	if len(in.body) == 0 {
		return nil
	}
	d := newJSONDecoder(in.body, in.limits.budget())
	_ = m
	return d.document(v, s)
}

func (in *incoming) rest(v reflect.Value, op *Operation) error {
	s := op.Input
	params, err := parseForm(in.Query, in.limits.budget())
	if err != nil {
		return err
	}
	hasBody := false
	for _, m := range s.Members {
		f := v.Field(m.Field)
		switch m.Location {
		case Header:
			err = in.header(f, m)
		case Headers:
			in.prefixHeaders(f, m)
		case QueryParam:
			err = in.queryParam(f, m, s, params)
		case URI:
			if text, ok := in.match.Labels[m.Wire]; ok {
				err = setText(f, m.Shape, text, timestampFormat(m, m.Shape, ISO8601))
			}
		case Body:
			hasBody = hasBody || m != s.Payload
		}
		if err != nil {
			return err
		}
	}
	if s.Payload != nil {
		return in.payload(v.Field(s.Payload.Field), s.Payload)
	}
	if !hasBody || len(in.body) == 0 {
		return nil
	}
	if in.match.Service.Protocol == RestJSON {
		return in.jsonBody(v, nil, s)
	}
	return in.xmlBody(v, nil, s, []string{op.InputRoot, s.Root, s.Name})
}

func (in *incoming) payload(v reflect.Value, m *Member) error {
	s := m.Shape
	if v.Kind() == reflect.Interface && s.Kind == Blob {
		var r io.Reader = strings.NewReader("")
		if in.Body != nil {
			r = in.Body
		}
		v.Set(reflect.ValueOf(&r).Elem())
		return nil
	}
	if len(in.body) == 0 {
		return nil
	}
	switch {
	case s.Kind == Blob:
		v.SetBytes(in.body)
		return nil
	case s.Kind == String:
		place(v).SetString(string(in.body))
		return nil
	case in.match.Service.Protocol == RestJSON:
		return in.jsonBody(v, m, s)
	}
	return in.xmlBody(v, m, s, []string{m.Wire, s.Root, s.Name})
}

func (in *incoming) xmlBody(v reflect.Value, m *Member, s *Shape, roots []string) error {
	n, err := parseXML(in.body, in.limits.budget())
	if err != nil {
		return err
	}
	known := false
	for _, r := range roots {
		known = known || n.name == r
	}
	if !known {
		return &errMalformed{code: in.match.Service.dialect().malformed, text: "unexpected root element '" + clip(n.name) + "'"}
	}
	d := xmlDecoder{strictLists: in.match.Service.dialect().strictLists}
	if s.Kind == Structure {
		return d.structure(v, s, n)
	}
	return d.value(v, m, s, n)
}

func (in *incoming) header(v reflect.Value, m *Member) error {
	if strings.EqualFold(m.Wire, "Content-Length") {
		// It frames the message, so it is not among the fields.
		if in.ContentLength >= 0 {
			return setText(v, m.Shape, strconv.FormatInt(in.ContentLength, 10), "")
		}
		return nil
	}
	text, ok := in.Request.Header.Lookup(m.Wire)
	if !ok {
		return nil
	}
	text = strings.TrimSpace(text)
	if text == "" && m.Shape.Kind != String {
		return nil
	}
	if m.Shape.Kind == List {
		all := strings.Join(in.Request.Header.Values(m.Wire), ",")
		return setTexts(v, m.Shape, splitHeader(all, m.Shape.Elem), RFC822)
	}
	if m.JSONValue {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return &errType{"STRING_VALUE", "Blob"}
		}
		text = string(b)
	}
	return setText(v, m.Shape, text, timestampFormat(m, m.Shape, RFC822))
}

func setTexts(v reflect.Value, s *Shape, texts []string, format string) error {
	out := reflect.MakeSlice(v.Type(), len(texts), len(texts))
	for i, text := range texts {
		if err := setText(out.Index(i), s.Elem, text, timestampFormat(nil, s.Elem, format)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

// splitHeader splits a list in a header field at its commas, outside of quotes. A date in the rfc822 format has a comma of its own.
func splitHeader(text string, elem *Shape) []string {
	var parts []string
	var b strings.Builder
	quoted, commas := false, 0
	dates := elem.Kind == Timestamp && timestampFormat(nil, elem, RFC822) == RFC822
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			if commas++; dates && commas%2 == 1 {
				b.WriteByte(c)
				continue
			}
			parts = append(parts, strings.TrimSpace(b.String()))
			b.Reset()
		default:
			b.WriteByte(c)
		}
	}
	return append(parts, strings.TrimSpace(b.String()))
}

func (in *incoming) prefixHeaders(v reflect.Value, m *Member) {
	for _, f := range in.Request.Header {
		if len(f.Name) < len(m.Wire) || !strings.EqualFold(f.Name[:len(m.Wire)], m.Wire) {
			continue
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		name := f.Name[len(m.Wire):]
		if in.match.Service.isS3() {
			// S3 keeps user-defined metadata in lower case (S3 user guide, Working with object metadata).
			name = strings.ToLower(name)
		}
		v.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(f.Value))
	}
}

func (in *incoming) queryParam(v reflect.Value, m *Member, s *Shape, params [][2]string) error {
	switch m.Shape.Kind {
	case List:
		var texts []string
		for _, p := range params {
			if p[0] == m.Wire {
				texts = append(texts, p[1])
			}
		}
		if texts == nil {
			return nil
		}
		return setTexts(v, m.Shape, texts, ISO8601)
	case Map:
		return in.queryMap(v, m, s, params)
	}
	for _, p := range params {
		if p[0] == m.Wire {
			if p[1] == "" && m.Shape.Kind != String {
				return nil
			}
			return setText(v, m.Shape, p[1], timestampFormat(m, m.Shape, ISO8601))
		}
	}
	return nil
}

// queryMap collects the parameters that no other member and no literal of the route takes.
func (in *incoming) queryMap(v reflect.Value, m *Member, s *Shape, params [][2]string) error {
	taken := map[string]bool{}
	for _, other := range s.Members {
		if other != m && other.Location == QueryParam {
			taken[other.Wire] = true
		}
	}
	if _, query, ok := strings.Cut(in.match.Operation.URI, "?"); ok {
		literals, err := url.ParseQuery(query)
		if err != nil {
			return err
		}
		for name := range literals {
			taken[name] = true
		}
	}
	for _, p := range params {
		if taken[p[0]] {
			continue
		}
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		key := reflect.ValueOf(p[0])
		if m.Shape.Value.Kind == List {
			list := v.MapIndex(key)
			if !list.IsValid() {
				list = reflect.Zero(v.Type().Elem())
			}
			elem := reflect.New(v.Type().Elem().Elem()).Elem()
			if err := setText(elem, m.Shape.Value.Elem, p[1], ISO8601); err != nil {
				return err
			}
			v.SetMapIndex(key, reflect.Append(list, elem))
			continue
		}
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := setText(elem, m.Shape.Value, p[1], ISO8601); err != nil {
			return err
		}
		if !v.MapIndex(key).IsValid() {
			v.SetMapIndex(key, elem)
		}
	}
	return nil
}
