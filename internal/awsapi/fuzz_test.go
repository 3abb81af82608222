package awsapi

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/foregate/foregate/internal/message"
)

// fuzzed has a member of every kind, and recursion.
type fuzzed struct {
	Text  *string
	Flag  *bool
	Count *int64
	Real  *float64
	When  *string
	Bytes []byte
	Names []string
	Kids  []*fuzzed
	Tags  map[string]string
	Next  *fuzzed
	Any   any
	Flat  []int64
}

const fuzzSchema = `structure In
 Text String
 Flag Boolean
 Count Integer
 Real Double
 When String attr
 Bytes Blob
 Names Names
 Kids Kids
 Tags Tags
 Next In
 Any Any
 Flat Numbers flat
string String min=1 max=10 pattern=[a-z]+
boolean Boolean
integer Integer min=1
double Double
blob Blob
list Names of=String name=Name
list Kids of=In
list Numbers of=Integer
map Tags key=String value=String
document Any
`

func fuzzService(p Protocol) (*Service, *Operation) {
	op := &Operation{Name: "Op", Method: "POST", URI: "/x", In: "In", Out: "In", SuccessStatus: 200, New: func() any { return new(fuzzed) }, NewOutput: func() any { return new(fuzzed) }}
	s := &Service{Name: "fuzz", Title: "Fuzz", Protocol: p, JSONVersion: "1.1", TargetPrefix: "F", SigningName: "fuzz", Schema: fuzzSchema, Operations: []*Operation{op}}
	return s.Load(), op
}

// decodeAndBack decodes body, checks and encodes the result, and decodes that again: it must not change any more.
func decodeAndBack(t *testing.T, p Protocol, body []byte) {
	s, op := fuzzService(p)
	limits := Limits{Depth: 20, Elements: 2000}
	in := &incoming{Request: &message.Request{}, match: &Match{Service: s, Operation: op}, body: body, limits: limits}
	if p == Query {
		form, err := parseForm(string(body), limits.budget())
		if err != nil {
			return
		}
		in.form = form
	}
	first, err := decode(in)
	if err != nil {
		return
	}
	Validate(s, op, first)
	var text []byte
	v := reflect.ValueOf(first)
	switch p {
	case JSON:
		if text = appendJSON(nil, v, nil, op.Input); !json.Valid(text) {
			t.Fatalf("not JSON: %q", text)
		}
	case RestXML:
		var e xmlEncoder
		e.structure(v, op.Input, "In", nil)
		text = e.b.Bytes()
	default:
		return
	}
	in.body, in.limits = text, Limits{}
	second, err := decode(in)
	if err != nil {
		t.Fatalf("decode what was encoded: %v\n%s", err, text)
	}
	if p == JSON && !reflect.DeepEqual(plain(v, op.Input), plain(reflect.ValueOf(second), op.Input)) {
		t.Fatalf("%s\nbecame %v", body, show(plain(reflect.ValueOf(second), op.Input)))
	}
}

func FuzzXML(f *testing.F) {
	f.Add([]byte(`<In When="x"><Text>a</Text><Kids><member><Count>3</Count></member></Kids><Names><Name>n</Name></Names><Flat>1</Flat><Flat>2</Flat></In>`))
	f.Add([]byte(`<In><Tags><entry><key>k</key><value>v</value></entry></Tags><Bytes>AAEC</Bytes><Real>NaN</Real><!-- c --><Next/></In>`))
	f.Add([]byte(`<!DOCTYPE a><In>&amp;&#x41;</In>`))
	f.Fuzz(func(t *testing.T, b []byte) { decodeAndBack(t, RestXML, b) })
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"Text":"a","Kids":[{"Count":1e3}],"Names":["x"],"Tags":{"a":"b"},"Any":[1,{"a":null}],"Bytes":"AAEC","Flat":[],"Z":{"a":[[]]}}`))
	f.Add([]byte(`{"Count":3.5,"Flag":null}`))
	f.Add([]byte(`{"Real":"NaN"} x`))
	f.Fuzz(func(t *testing.T, b []byte) { decodeAndBack(t, JSON, b) })
}

func FuzzQuery(f *testing.F) {
	f.Add([]byte(`Action=Op&Text=a&Kids.member.1.Count=2&Names.Name.1=x&Tags.entry.1.key=a&Tags.entry.1.value=b&Flat.1=1`))
	f.Add([]byte(`Kids.member.999999999999.Count=2&Next.Next.Next.Text=%41+b&Kids=`))
	f.Fuzz(func(t *testing.T, b []byte) { decodeAndBack(t, Query, b) })
}

func FuzzRoute(f *testing.F) {
	f.Add("POST", "h", "/x", "", "AWS4-HMAC-SHA256 Credential=a/b/c/fuzz/aws4_request, x=y")
	f.Add("GET", "b.s3.amazonaws.com", "/%2f/%zz", "a=%zz&X-Amz-Credential=a", "AWS x")
	f.Fuzz(func(t *testing.T, method, host, path, query, auth string) {
		s, _ := fuzzService(RestXML)
		r := NewRouter(s)
		req := &message.Request{Method: method, Host: host, Path: path, Query: query, Header: message.Header{{Name: "Authorization", Value: auth}}}
		m, err := r.Route(req, nil)
		if err == nil && (m.Operation == nil || m.Service != s) {
			t.Fatalf("no operation and no error: %+v", m)
		}
		BucketOfHost(host)
	})
}

func FuzzSchema(f *testing.F) {
	f.Add(fuzzSchema)
	f.Add("structure A payload=B\n B C wire=x\\_y loc=header req\nstring C enum=a,b\\cc pattern=\\\\d\n")
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseSchema(text) })
}
