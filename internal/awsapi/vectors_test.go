package awsapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/message"
)

// suite is one entry of a protocol test file of botocore.
type suite struct {
	Description string
	Metadata    struct{ Protocol, APIVersion, JSONVersion, TargetPrefix string }
	Shapes      map[string]*vectorShape
	Cases       []vectorCase
}

type vectorShape struct {
	Type                string
	Members             map[string]*vectorRef
	Member, Key, Value  *vectorRef
	Required            []string
	Payload             string
	Flattened, Document bool
	Streaming, Union    bool
	LocationName        string
	TimestampFormat     string
	XMLNamespace        any
	Error               *struct {
		Code           string
		HTTPStatusCode int
	}
	Exception bool
}

type vectorRef struct {
	Shape, Location, LocationName, TimestampFormat string
	Flattened, XMLAttribute, Streaming, JSONValue  bool
	IdempotencyToken                               bool
	XMLNamespace                                   any
}

type vectorCase struct {
	ID    string
	Given struct {
		Name string
		HTTP struct {
			Method, RequestURI string
			ResponseCode       int
		}
		Input, Output *struct{ Shape, LocationName, ResultWrapper string }
		Errors        []struct{ Shape string }
	}
	Params     map[string]any
	Serialized struct {
		Method, URI string
		Body        *string
		Headers     map[string]string
	}
	Result       map[string]any
	Error        map[string]any
	ErrorCode    string
	ErrorMessage string
	Response     struct {
		StatusCode int `json:"status_code"`
		Headers    map[string]string
		Body       string
	}
}

// vectors returns the folder of the vectors' aws-wire part, or skips.
func vectors(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("FOREGATE_VECTORS")
	if dir == "" {
		dir = "../../../shared/vectors"
	}
	dir = filepath.Join(dir, "aws-wire")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the test vectors are not there: %v", err)
	}
	return dir
}

func readSuites(t *testing.T, path string) []suite {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	var s []suite
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return s
}

// vectorDepth is how often a recursive shape is unrolled: reflect cannot make recursive types.
const vectorDepth = 5

type shapeBuilder struct {
	s     *suite
	depth map[string]int
}

// shape builds a Shape and a Go type for an element of it; nil where recursion ends.
func (b *shapeBuilder) shape(name string) (*Shape, reflect.Type) {
	v := b.s.Shapes[name]
	if v == nil || b.depth[name] >= vectorDepth {
		return nil, nil
	}
	b.depth[name]++
	defer func() { b.depth[name]-- }()
	s := &Shape{Name: name, Flattened: v.Flattened, Root: v.LocationName, TimestampFormat: v.TimestampFormat, Streaming: v.Streaming, Union: v.Union}
	s.Namespace, s.Prefix = vectorNamespace(v.XMLNamespace)
	kind := v.Type
	switch {
	case v.Document:
		kind = "document"
	case kind == "character":
		kind = "string"
	case kind == "byte" || kind == "short":
		kind = "integer"
	}
	s.Kind, _ = kindOf(kind)
	switch s.Kind {
	case Structure:
		return s, b.structure(s, v)
	case List:
		elem, t := b.shape(v.Member.Shape)
		if elem == nil {
			return nil, nil
		}
		s.Elem, s.ElemName = elem, v.Member.LocationName
		return s, reflect.SliceOf(t)
	case Map:
		key, _ := b.shape(v.Key.Shape)
		value, t := b.shape(v.Value.Shape)
		if value == nil {
			return nil, nil
		}
		s.Key, s.Value, s.KeyName, s.ValueName = key, value, v.Key.LocationName, v.Value.LocationName
		return s, reflect.MapOf(reflect.TypeFor[string](), t)
	case Boolean:
		return s, reflect.TypeFor[bool]()
	case Integer, Long:
		return s, reflect.TypeFor[int64]()
	case Float, Double:
		return s, reflect.TypeFor[float64]()
	case Timestamp:
		return s, reflect.TypeFor[time.Time]()
	case Blob:
		return s, reflect.TypeFor[[]byte]()
	case Document:
		return s, reflect.TypeFor[any]()
	}
	return s, reflect.TypeFor[string]()
}

func (b *shapeBuilder) structure(s *Shape, v *vectorShape) reflect.Type {
	names := make([]string, 0, len(v.Members))
	for n := range v.Members {
		names = append(names, n)
	}
	slices.Sort(names)
	var fields []reflect.StructField
	for _, n := range names {
		ref := v.Members[n]
		shape, t := b.shape(ref.Shape)
		if shape == nil {
			continue
		}
		m := &Member{Name: n, Field: len(fields), Shape: shape, Wire: orDefault(ref.LocationName, n), Flattened: ref.Flattened, Attribute: ref.XMLAttribute,
			TimestampFormat: ref.TimestampFormat, Streaming: ref.Streaming, JSONValue: ref.JSONValue, IdempotencyToken: ref.IdempotencyToken}
		m.Namespace, m.Prefix = vectorNamespace(ref.XMLNamespace)
		for l, name := range locationNames {
			if name == ref.Location {
				m.Location = Location(l)
			}
		}
		if m.Location == Headers && ref.LocationName == "" {
			m.Wire = ""
		}
		m.Required = slices.Contains(v.Required, n)
		switch {
		case shape.Kind == Blob && (ref.Streaming || shape.Streaming):
			t = reflect.TypeFor[io.Reader]()
		case shape.Kind >= String && shape.Kind <= Timestamp:
			t = reflect.PointerTo(t)
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", len(fields)), Type: t})
		s.Members = append(s.Members, m)
		if n == v.Payload {
			s.Payload = m
		}
	}
	return reflect.PointerTo(reflect.StructOf(fields))
}

func vectorNamespace(v any) (uri, prefix string) {
	switch v := v.(type) {
	case string:
		return v, ""
	case map[string]any:
		uri, _ = v["uri"].(string)
		prefix, _ = v["prefix"].(string)
	}
	return uri, prefix
}

// service makes a service with the one operation of a case.
func (s *suite) service(c *vectorCase) (*Service, *Operation) {
	svc := &Service{Name: "vector", Protocol: Protocol(s.Metadata.Protocol), APIVersion: s.Metadata.APIVersion, SigningName: "vector",
		TargetPrefix: s.Metadata.TargetPrefix, JSONVersion: orDefault(s.Metadata.JSONVersion, "1.0")}
	op := &Operation{Name: c.Given.Name, Method: orDefault(c.Given.HTTP.Method, "POST"), URI: orDefault(c.Given.HTTP.RequestURI, "/"), SuccessStatus: c.Given.HTTP.ResponseCode}
	if op.SuccessStatus == 0 {
		op.SuccessStatus = 200
	}
	empty := reflect.TypeFor[*struct{}]()
	in, out := empty, empty
	svc.shapes = map[string]*Shape{}
	svc.Operations = []*Operation{op}
	b := &shapeBuilder{s, map[string]int{}}
	if i := c.Given.Input; i != nil {
		op.In, op.InputRoot = "In", i.LocationName
		op.Input, in = b.shape(i.Shape)
	}
	if o := c.Given.Output; o != nil {
		op.Out, op.ResultWrapper = "Out", o.ResultWrapper
		if svc.Protocol == Query {
			op.ResultWrapper = orDefault(o.ResultWrapper, op.Name+"Result")
		}
		op.Output, out = b.shape(o.Shape)
	}
	op.New = func() any { return reflect.New(in.Elem()).Interface() }
	op.NewOutput = func() any { return reflect.New(out.Elem()).Interface() }
	svc.once.Do(func() {
		svc.byName = map[string]*Operation{op.Name: op}
		svc.errors = map[string]*ErrorShape{}
	})
	return svc, op
}

// plain turns a Go value into what the vectors write.
func plain(v reflect.Value, s *Shape) any {
	if isNil(v) {
		return nil
	}
	switch s.Kind {
	case Structure:
		out := map[string]any{}
		for _, m := range s.Members {
			if f := v.Elem().Field(m.Field); !isNil(f) {
				out[m.Name] = plain(f, m.Shape)
			}
		}
		return out
	case List:
		out := []any{}
		for i := range v.Len() {
			out = append(out, plain(v.Index(i), s.Elem))
		}
		return out
	case Map:
		out := map[string]any{}
		for _, k := range v.MapKeys() {
			out[k.String()] = plain(v.MapIndex(k), s.Value)
		}
		return out
	case Document:
		return normal(v.Interface())
	case Blob:
		if r, ok := v.Interface().(io.Reader); ok {
			b, _ := io.ReadAll(r)
			return string(b)
		}
		return string(v.Bytes())
	}
	v = reflect.Indirect(v)
	switch s.Kind {
	case Integer, Long:
		return float64(v.Int())
	case Float, Double:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return formatFloat(f)
		}
		return v.Float()
	case Timestamp:
		return float64(v.Interface().(time.Time).UnixMilli()) / 1000
	case Boolean:
		return v.Bool()
	}
	return v.String()
}

// normal makes numbers comparable.
func normal(x any) any {
	switch x := x.(type) {
	case json.Number:
		f, _ := x.Float64()
		return f
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			if v != nil {
				out[k] = normal(v)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, v := range x {
			out = append(out, normal(v))
		}
		return out
	}
	return x
}

// fill puts what a vector writes into a Go value.
func fill(v reflect.Value, s *Shape, x any) {
	if x == nil {
		return
	}
	switch s.Kind {
	case Structure:
		v = place(v)
		for _, m := range s.Members {
			fill(v.Field(m.Field), m.Shape, x.(map[string]any)[m.Name])
		}
	case List:
		v.Set(reflect.MakeSlice(v.Type(), len(x.([]any)), len(x.([]any))))
		for i, e := range x.([]any) {
			fill(v.Index(i), s.Elem, e)
		}
	case Map:
		v.Set(reflect.MakeMap(v.Type()))
		for k, e := range x.(map[string]any) {
			elem := reflect.New(v.Type().Elem()).Elem()
			fill(elem, s.Value, e)
			v.SetMapIndex(reflect.ValueOf(k), elem)
		}
	case Document:
		v.Set(reflect.ValueOf(x))
	case Blob:
		if v.Kind() == reflect.Interface {
			var r io.Reader = strings.NewReader(x.(string))
			v.Set(reflect.ValueOf(&r).Elem())
		} else {
			v.SetBytes([]byte(x.(string)))
		}
	case Boolean:
		place(v).SetBool(x.(bool))
	case Integer, Long:
		n, _ := x.(json.Number).Int64()
		place(v).SetInt(n)
	case Float, Double:
		f, err := parseFloat(fmt.Sprint(x), 64)
		if err != nil {
			panic(err)
		}
		place(v).SetFloat(f)
	case Timestamp:
		t, err := parseTime(fmt.Sprint(x), UnixTimestamp)
		if err != nil {
			panic(err)
		}
		place(v).Set(reflect.ValueOf(t))
	default:
		place(v).SetString(fmt.Sprint(x))
	}
}

var vectorFiles = []string{"rest-xml.json", "rest-json.json", "json.json", "json_1_0.json", "query.json"}

// TestInputVectors decodes the requests that botocore makes and compares the input with its parameters.
func TestInputVectors(t *testing.T) {
	dir := vectors(t)
	n := 0
	for _, sub := range []string{"protocols/input", "protocols/legacy/input"} {
		for _, file := range vectorFiles {
			path := filepath.Join(dir, sub, file)
			if _, err := os.Stat(path); err != nil {
				continue
			}
			for _, s := range readSuites(t, path) {
				for i := range s.Cases {
					c := &s.Cases[i]
					id := vectorID(sub, file, s, i)
					if reason(skippedInputs, id) != "" {
						continue
					}
					n++
					t.Run(id, func(t *testing.T) { inputCase(t, &s, c) })
				}
			}
		}
	}
	t.Logf("%d cases", n)
}

func vectorID(sub, file string, s suite, i int) string {
	if s.Cases[i].ID != "" {
		return s.Cases[i].ID
	}
	return strings.ReplaceAll(fmt.Sprintf("legacy/%s/%s/%d", strings.TrimSuffix(file, ".json"), s.Description, i), " ", "_")
}

func inputCase(t *testing.T, s *suite, c *vectorCase) {
	svc, op := s.service(c)
	path, query, has := strings.Cut(c.Serialized.URI, "?")
	req := &message.Request{Method: orDefault(c.Serialized.Method, op.Method), Path: path, Query: query, HasQuery: has, ContentLength: -1}
	for k, v := range c.Serialized.Headers {
		req.Header.Add(k, v)
	}
	in := &incoming{Request: req}
	if c.Serialized.Body != nil {
		in.body = []byte(*c.Serialized.Body)
		req.Body = strings.NewReader(*c.Serialized.Body)
	}
	var err error
	if in.form, err = parseForm(string(in.body), Limits{}.budget()); svc.Protocol == Query && err != nil {
		t.Fatal(err)
	}
	req.Header.Add("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/r/vector/aws4_request")
	if svc.Protocol == JSON && !req.Header.Has("X-Amz-Target") {
		req.Header.Add("X-Amz-Target", svc.TargetPrefix+"."+op.Name)
	}
	match, e := NewRouter(svc).Route(req, in.form)
	if e != nil {
		t.Fatalf("route %s %s: %v", req.Method, req.Target(), e)
	}
	req.Header.Del("Authorization")
	in.match = match
	got, e := decode(in)
	if e != nil {
		t.Fatalf("decode: %v (%v)", e, e.Err)
	}
	if op.Input == nil {
		return
	}
	want := normal(map[string]any(c.Params))
	if c.Params == nil {
		want = map[string]any{}
	}
	have := plain(reflect.ValueOf(got), op.Input)
	for _, m := range op.Input.Members {
		if _, given := c.Params[m.Name]; m.IdempotencyToken && !given {
			delete(have.(map[string]any), m.Name)
		}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("input\n%v\nwant\n%v", show(have), show(want))
	}
}

func show(x any) string {
	b, err := json.Marshal(x)
	if err != nil {
		return fmt.Sprint(x)
	}
	return string(b)
}
