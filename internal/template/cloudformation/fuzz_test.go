package cloudformation

import (
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		small, head + "!Sub '${Env}'\n", `{"Resources":{"A":{"Type":"X","Properties":{"P":{"Fn::Join":["",[{"Ref":"B"}]]}}},"B":{"Type":"Y"}}}`,
		"Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::L: [a, [b, c], {\"R${a}\": {Type: X, Properties: {P: !Ref a}}}]\n",
		"Rules: {R: {Assertions: [{Assert: {Fn::Contains: [[a], a]}}]}}\nResources: {A: {Type: X, Properties: {P: !Cidr [10.0.0.0/8, 2, 8]}}}\n",
		"Conditions: {C: !Or [!Condition D, !Equals [a, a]], D: !Not [!Condition C]}\nResources: {A: {Type: X, Condition: C}}\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tm, found := Parse("f", []byte(text))
		if (tm == nil) != (first(found) != nil) {
			t.Fatalf("template %v with %v", tm, found)
		}
		if tm == nil {
			return
		}
		in, found := tm.Bind(environment())
		if (in == nil) != (first(found) != nil) {
			t.Fatalf("instance %v with %v", in, found)
		}
		if in == nil {
			return
		}
		if len(in.Order) != len(in.Resources) {
			t.Fatalf("%d of %d resources in order", len(in.Order), len(in.Resources))
		}
		for _, id := range in.Order {
			if res, err := in.Evaluate(id, anything{}); (res == nil) == (err == nil) {
				t.Fatalf("resource %v, error %v", res, err)
			}
		}
		for _, o := range in.Outputs {
			_, _ = in.EvaluateOutput(o, anything{})
		}
	})
}

const small = "Parameters: {P: {Type: String, Default: x}}\nConditions: {C: !Equals [!Ref P, x]}\n" +
	"Resources:\n  A: {Type: X, Properties: {V: !If [C, !GetAtt B.Arn, !Ref AWS::NoValue]}}\n  B: {Type: Y, DependsOn: []}\n" +
	"Outputs: {O: {Value: !Sub '${A.Arn}-${!x}'}}\n"

// FuzzSub: literal text and names put together again are the source, but for the escapes.
func FuzzSub(f *testing.F) {
	for _, s := range []string{"", "a${b}c", "${!x}${A.B}", "${", "$${a}", "${a b}", "${}", "}${AWS::Region}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, ok := parseSub(s)
		if !ok {
			return
		}
		var b strings.Builder
		for _, p := range parts {
			if p.Name != "" {
				if p.Text != "" || !subName(p.Name) {
					t.Fatalf("%q: part %+v", s, p)
				}
				b.WriteString("${" + p.Name + "}")
			} else {
				b.WriteString(p.Text)
			}
		}
		if want := strings.ReplaceAll(s, "${!", "${"); !strings.Contains(s, "${!") && b.String() != want {
			t.Fatalf("%q becomes %q", s, b.String())
		}
	})
}

func FuzzDynamic(f *testing.F) {
	for _, s := range []string{
		"", "x{{resolve:ssm:a:1}}y", "{{resolve:secretsmanager:arn:aws:secretsmanager:us-east-1:1:secret:n-abc:SecretString:k:s:}}",
		"{{resolve:", "{{resolve:ssm:}}", "{{resolve:ssm-secure:arn:aws:ssm:r:1:parameter/x:2}}", "{{resolve:x}}{{resolve:ssm:b}}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parts, problem := parseDynamic(s)
		if problem != "" {
			return
		}
		var b strings.Builder
		for _, p := range parts {
			if p.ref == nil {
				b.WriteString(p.text)
				continue
			}
			if p.ref.Name == "" || p.ref.Service == "" {
				t.Fatalf("%q: %+v", s, p.ref)
			}
			b.WriteString(p.ref.Text)
		}
		if b.String() != s {
			t.Fatalf("%q becomes %q", s, b.String())
		}
	})
}

func TestDynamicReferences(t *testing.T) {
	for _, c := range []struct {
		in   string
		want DynamicReference
		bad  bool
	}{
		{in: "ssm:/a/b", want: DynamicReference{Service: "ssm", Name: "/a/b"}},
		{in: "ssm-secure:p:3", want: DynamicReference{Service: "ssm-secure", Name: "p", Version: "3"}},
		{in: "ssm:arn:aws:ssm:eu-west-1:1:parameter/x:2", want: DynamicReference{Service: "ssm", Name: "arn:aws:ssm:eu-west-1:1:parameter/x", Version: "2"}},
		{in: "secretsmanager:db", want: DynamicReference{Service: "secretsmanager", Name: "db"}},
		{in: "secretsmanager:db:SecretString:user:AWSPREVIOUS", want: DynamicReference{Service: "secretsmanager", Name: "db", JSONKey: "user", VersionStage: "AWSPREVIOUS"}},
		{in: "secretsmanager:arn:aws:secretsmanager:r:1:secret:n-abc:SecretString:k::id",
			want: DynamicReference{Service: "secretsmanager", Name: "arn:aws:secretsmanager:r:1:secret:n-abc", JSONKey: "k", VersionID: "id"}},
		{in: "secretsmanager:db:SecretBinary", bad: true}, {in: "secretsmanager:db:SecretString:k:s:v", bad: true},
		{in: "ssm:a:b", bad: true}, {in: "ssm:a:1:2", bad: true}, {in: "s3:a", bad: true}, {in: "ssm:", bad: true}, {in: "ssm", bad: true},
	} {
		got, problem := parseReference(c.in)
		if c.bad != (problem != "") {
			t.Errorf("%s: problem %q", c.in, problem)
			continue
		}
		if !c.bad {
			c.want.Text = "{{resolve:" + c.in + "}}"
			if *got != c.want {
				t.Errorf("%s: %+v", c.in, *got)
			}
		}
	}
}
