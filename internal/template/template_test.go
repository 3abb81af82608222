package template

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
)

func mustRead(t *testing.T, text string) *Value {
	t.Helper()
	v, err := Read("t.yaml", []byte(text), Limits{})
	if err != nil {
		t.Fatalf("read %q: %v (%s)", text, err, err.Problem)
	}
	return v
}

func TestPlainScalars(t *testing.T) {
	for _, c := range []struct {
		in   string
		kind Kind
		text string
	}{
		{"2012-10-17", String, "2012-10-17"},
		{"2001-12-14t21:59:43.10-05:00", String, "2001-12-14t21:59:43.10-05:00"},
		{"yes", Bool, "true"}, {"No", Bool, "false"}, {"on", Bool, "true"}, {"OFF", Bool, "false"}, {"TRUE", Bool, "true"},
		{"y", String, "y"}, {"oN", String, "oN"},
		{"'yes'", String, "yes"}, {`"true"`, String, "true"},
		{"12", Number, "12"}, {"-0", Number, "-0"}, {"+7", Number, "7"}, {"1_000", Number, "1000"},
		{"1.10", Number, "1.10"}, {".5", Number, "0.5"}, {"1.", Number, "1.0"}, {"1.5e+3", Number, "1.5e+3"}, {"1e3", String, "1e3"},
		{"000123456789", String, "000123456789"}, {"'000123456789'", String, "000123456789"}, {"0777", Number, "511"},
		{"00", Number, "0"}, {"0x1F", Number, "31"}, {"0b101", Number, "5"}, {"0x", String, "0x"}, {"0xfffffffffffffffff", String, "0xfffffffffffffffff"},
		{"80:80", String, "80:80"}, {".inf", String, ".inf"}, {".", String, "."}, {"1.2.3", String, "1.2.3"},
		{"~", Null, ""}, {"null", Null, ""}, {"", Null, ""}, {"'~'", String, "~"},
		{"!!str 12", String, "12"}, {"!Sub yes", String, "yes"}, {"!Ref 012", String, "012"},
	} {
		v := mustRead(t, "k: "+c.in+"\n").Get("k")
		if v.Kind != c.kind || v.Text != c.text {
			t.Errorf("%q: got %s %q, want %s %q", c.in, v.Kind, v.Text, c.kind, c.text)
		}
		if v.Kind == Number && !json.Valid([]byte(v.Text)) {
			t.Errorf("%q: %q is no JSON number", c.in, v.Text)
		}
	}
}

func TestPositions(t *testing.T) {
	yamlText := "A:\n  B: é\n  C: [x, {D: !Sub 'y'}]\n  \"q.r\": |\n    text\n"
	jsonText := "{\n \"A\": {\"B\": \"é\", \"C\": [\"x\",\n  {\"D\" : true}], \"q.r\": 1 }\n}"
	for _, c := range []struct{ text, path, want, keyWant string }{
		{yamlText, "A", "2:3", "1:1"}, {yamlText, "A.B", "2:6", "2:3"}, {yamlText, "A.C[0]", "3:7", ""},
		{yamlText, "A.C[1].D", "3:14", "3:11"}, {yamlText, `A["q.r"]`, "4:10", "4:3"},
		{jsonText, "A", "2:7", "2:2"}, {jsonText, "A.B", "2:13", "2:8"}, {jsonText, "A.C[0]", "2:24", ""},
		{jsonText, "A.C[1].D", "3:10", "3:4"}, {jsonText, `A["q.r"]`, "3:25", "3:18"},
	} {
		root := mustRead(t, c.text)
		steps, err := ParsePath(c.path)
		if err != nil {
			t.Fatal(err)
		}
		v, n := root.Find(steps)
		if n != len(steps) {
			t.Fatalf("%s: not found", c.path)
		}
		if got := strings.TrimPrefix(v.Position.String(), "t.yaml:"); got != c.want {
			t.Errorf("%s: position %s, want %s", c.path, got, c.want)
		}
		if v.Path() != c.path {
			t.Errorf("path %s, want %s", v.Path(), c.path)
		}
		if c.keyWant != "" {
			f := v.Place().Parent.Field(v.Place().Key)
			if got := strings.TrimPrefix(f.KeyPosition.String(), "t.yaml:"); got != c.keyWant {
				t.Errorf("%s: key at %s, want %s", c.path, got, c.keyWant)
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	deep := strings.Repeat("[", 200) + strings.Repeat("]", 200)
	bomb := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 9; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for _, c := range []struct{ name, text, pos, problem string }{
		{"duplicate YAML key", "a: 1\nb: 2\na: 3\n", "3:1", `the key "a" stands twice`},
		{"duplicate JSON key", "{\"a\": 1,\n \"a\": 2}", "2:2", `the key "a" stands twice`},
		{"JSON comma", "{\"a\": [1,]}", "1:10", "invalid character"},
		{"JSON comment", "{ // no\n}", "1:3", "invalid character"},
		{"JSON cut off", "{\"a\": ", "1:7", "ends too early"},
		{"JSON tail", "{} {}", "1:4", "after the end"},
		{"YAML tab", "a:\n\tb: 1\n", "2:1", ""},
		{"YAML empty", "# nothing\n", "1:1", "empty"},
		{"two documents", "a: 1\n---\nb: 2\n", "2:1", "second document"},
		{"unknown anchor", "a: *b\n", "1:4", "anchor"},
		{"alias in itself", "a: &a [*a]\n", "", ""},
		{"aliases multiply", bomb, "", "more than"},
		{"deep YAML", "a: " + deep, "", "deeper"},
		{"deep JSON", `{"a": ` + deep + "}", "", "deeper"},
		{"no UTF-8", "a: \xff\n", "1:4", "UTF-8"},
		{"map as key", "? {a: b}\n: c\n", "1:3", "must be a string"},
		{"binary", "a: !!binary aGk=\n", "1:4", "not supported"},
		{"large", "a: " + strings.Repeat("x", 1<<20), "", "the limit is"},
	} {
		_, err := Read("t.yaml", []byte(c.text), Limits{})
		if err == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if got := strings.TrimPrefix(err.Position.String(), "t.yaml:"); c.pos != "" && got != c.pos || !strings.Contains(err.Problem, c.problem) {
			t.Errorf("%s: got %s %q, want %s %q", c.name, got, err.Problem, c.pos, c.problem)
		}
	}
}

func TestAliasesAndMerge(t *testing.T) {
	v := mustRead(t, "base: &b {x: 1, y: [1, 2]}\nuse: *b\nmerged:\n  <<: *b\n  x: 9\n")
	if got := string(v.AppendJSON(nil)); got != `{"base":{"x":1,"y":[1,2]},"use":{"x":1,"y":[1,2]},"merged":{"x":9,"y":[1,2]}}` {
		t.Error(got)
	}
	if got := v.Get("merged").Get("y").Items[1].Path(); got != "merged.y[1]" {
		t.Error(got)
	}
}

func TestPaths(t *testing.T) {
	for _, p := range []string{"a", "a.b[3].c", `a["method.request.path.id"][0]`, `[""]`, `["x\"]"].y`, `["<&>"]`, "a.Fn::Sub[1]"} {
		steps, err := ParsePath(p)
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		var b []byte
		for _, s := range steps {
			if s.IsIndex {
				b = fmt.Appendf(b, "[%d]", s.Index)
			} else {
				b = appendKey(b, s.Key)
			}
		}
		if again, err := ParsePath(string(b)); err != nil || fmt.Sprint(again) != fmt.Sprint(steps) {
			t.Errorf("%s: written as %s, read as %v %v", p, b, again, err)
		}
	}
	for _, p := range []string{"a..b", ".a", "a[", "a[x]", "a[-1]", `a["b`, `a["b"`, "a[0]b", "a."} {
		if _, err := ParsePath(p); err == nil {
			t.Errorf("%s: accepted", p)
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	v := mustRead(t, `{"a": {"b": "hunter2"}, "c": "open"}`)
	v.Get("a").Get("b").Secret = true
	enc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{v.String(), fmt.Sprintf("%v %+v %#v %s", v, v, v, v), string(enc), v.Copy(Place{}).String()} {
		if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "****") {
			t.Error(shown)
		}
	}
	if got := string(v.AppendJSON(nil)); got != `{"a":{"b":"hunter2"},"c":"open"}` {
		t.Error(got)
	}
}

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		text string
		want Format
	}{
		{"Resources:\n  A: {Type: X}\n", CloudFormation},
		{"AWSTemplateFormatVersion: 2010-09-09\n", CloudFormation},
		{"Transform: AWS::Serverless-2016-10-31\nResources: {}\n", SAM},
		{"Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\nResources: {}\n", SAM},
		{`{"version":"36.0.0","artifacts":{"Stack":{}}}`, CDKManifest},
		{`{"format_version":"1.2","terraform_version":"1.9","planned_values":{}}`, TerraformPlan},
		{`{"format_version":"1.0","terraform_version":"1.9","values":{}}`, TerraformState},
		{"openapi: 3.0.1\npaths: {}\n", OpenAPI},
		{`{"swagger":"2.0"}`, OpenAPI},
		{`{"ETag":"E","DistributionConfig":{}}`, DistributionConfig},
		{`{"ETag":"E","Distribution":{"Id":"E","DistributionConfig":{}}}`, DistributionConfig},
		{`{"CallerReference":"x","Origins":{},"DefaultCacheBehavior":{}}`, DistributionConfig},
		{"just text", Unknown}, {"{", Unknown}, {"a: b", Unknown},
	} {
		if got := Detect([]byte(c.text)); got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"a: 1\n", `{"a":[1,{"b":null}]}`, "a: &x [1]\nb: *x\n<<: {c: d}\n", "!Sub {a: !Ref b}", "- 0x1_F\n- 1.e+5\n", "a: |\n  b\n", "? a\n: b\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := Read("f", data, Limits{Values: 10_000})
		if (v == nil) == (err == nil) {
			t.Fatalf("value %v, error %v", v, err)
		}
		if v == nil {
			return
		}
		if out := v.AppendJSON(nil); !json.Valid(out) {
			t.Fatalf("%q: no JSON: %q", data, out)
		}
		v.Walk(func(n *Value) bool {
			steps, err := ParsePath(n.Path())
			if err != nil {
				t.Fatalf("path %q: %v", n.Path(), err)
			}
			if got, count := v.Find(steps); got != n || count != len(steps) {
				t.Fatalf("path %q leads to %v", n.Path(), got)
			}
			if n.Position == (diag.Position{}) {
				t.Fatalf("%q has no position", n.Path())
			}
			return true
		})
	})
}

// A generated JSON text is one line: places must not be counted from its start each time.
func BenchmarkReadOneLine(b *testing.B) {
	data := []byte(`{"a":[` + strings.Repeat(`"x",`, 100_000) + `1]}`)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Read("b", data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
