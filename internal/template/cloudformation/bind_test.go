package cloudformation

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/foregate/foregate/internal/diag"
)

func bindError(t *testing.T, text string, env Environment) *diag.Finding {
	t.Helper()
	tm, found := Parse("t.yaml", []byte(text))
	if tm == nil {
		t.Fatalf("parse: %v", first(found))
	}
	in, found := tm.Bind(env)
	f := first(found)
	if (in == nil) != (f != nil) {
		t.Fatalf("instance %v with %v", in, f)
	}
	return f
}

func TestParameterConstraints(t *testing.T) {
	for _, c := range []struct{ param, value, message string }{
		{`{Type: String, AllowedValues: [prod, dev]}`, "dev", ""},
		{`{Type: String, AllowedValues: [prod, dev]}`, "test", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "abc", ""},
		{`{Type: String, AllowedPattern: "[a-z]+"}`, "abc1", "Parameter 'P' must match pattern [a-z]+"},
		{`{Type: String, AllowedPattern: "a|b"}`, "ax", "Parameter 'P' must match pattern a|b"},
		{`{Type: String, AllowedPattern: "(?=x)"}`, "abc", ""}, // not checked, with a warning
		{`{Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: lower case only}`, "ABC", "Parameter 'P' failed to satisfy constraint: lower case only"},
		{`{Type: String, MinLength: 3}`, "ab", "Parameter 'P' must contain at least 3 characters"},
		{`{Type: String, MaxLength: "4"}`, "abcde", "Parameter 'P' must contain at most 4 characters"},
		{`{Type: String, MaxLength: 4}`, "éééé", ""},
		{`{Type: String}`, strings.Repeat("x", 4097), "Parameter 'P' must contain at most 4096 characters"},
		{`{Type: Number}`, "ten", "Parameter 'P' must be a number"}, {`{Type: Number}`, "", "Parameter 'P' must be a number"},
		{`{Type: Number}`, "0x10", "Parameter 'P' must be a number"}, {`{Type: Number}`, "-1.5e3", ""},
		{`{Type: Number, MinValue: 1}`, "0", "Parameter 'P' must be a number not less than 1"},
		{`{Type: Number, MaxValue: 2.5}`, "3", "Parameter 'P' must be a number not greater than 2.5"},
		{`{Type: Number, MinValue: 1, MaxValue: 10}`, "10", ""},
		{`{Type: Number, AllowedValues: [1, 2]}`, "3", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a, b", ""},
		{`{Type: CommaDelimitedList, AllowedValues: [a, b]}`, "a,c", "Parameter 'P' must be one of AllowedValues"},
		{`{Type: List<Number>}`, "1,x", "Parameter 'P' must be a number"}, {`{Type: List<Number>}`, "1, 2", ""},
		{`{Type: "AWS::SSM::Parameter::Value<List<String>>", AllowedPattern: "/app/.*"}`, "/other", "Parameter 'P' must match pattern /app/.*"},
		{`{Type: "AWS::EC2::VPC::Id"}`, "vpc-1", ""}, {`{Type: "List<AWS::EC2::Subnet::Id>"}`, "a,b", ""}, {`{Type: "AWS::Route53::HostedZone::Id"}`, "Z1", ""},
	} {
		env := environment()
		env.Hooks.SSMParameter = func(string, string) (string, error) { return "x,y", nil }
		env.Parameters["P"] = ParameterInput{c.value, diag.Position{File: "--parameter P=…"}}
		f := bindError(t, "Parameters:\n  P: "+c.param+"\nResources:\n  B: {Type: X}\n", env)
		switch {
		case c.message == "" && f != nil:
			t.Errorf("%s %q: %v", c.param, c.value, f)
		case c.message == "":
		case f == nil || f.Message != c.message || f.Position.File != "--parameter P=…" || f.Path != "Parameters.P" || f.AWSError.Message != c.message:
			t.Errorf("%s %q: got %v, want %q", c.param, c.value, f, c.message)
		}
	}
}

func TestParameterBinding(t *testing.T) {
	const text = "Parameters:\n  A: {Type: String}\n  B: {Type: String}\n  C: {Type: Number, Default: x}\nResources:\n  R: {Type: X}\n"
	env := environment()
	if f := bindError(t, text, env); f.Message != "Parameter 'C' must be a number" || f.Position.String() != "t.yaml:4:3" {
		t.Error(f)
	}
	env.Parameters["C"] = ParameterInput{Value: "1"}
	if f := bindError(t, text, env); f.Message != "Parameters: [A, B] must have values" || f.Position.String() != "t.yaml:2:3" {
		t.Error(f)
	}
	env.Parameters["A"], env.Parameters["B"] = ParameterInput{Value: ""}, ParameterInput{Value: "b"}
	if f := bindError(t, text, env); f != nil {
		t.Error(f)
	}
	env.Parameters["Z"] = ParameterInput{Value: "b", Source: diag.Position{File: "--parameter Z=b"}}
	env.Parameters["Y"] = ParameterInput{Value: "b", Source: diag.Position{File: "--parameter Y=b"}}
	if f := bindError(t, text, env); f.Message != "Parameters: [Y, Z] do not exist in the template" || f.Position.File != "--parameter Y=b" {
		t.Error(f)
	}
	const ssm = "Parameters:\n  V: {Type: 'AWS::SSM::Parameter::Value<String>', Default: /cdk/version}\nResources:\n  R: {Type: X, Properties: {P: !Ref V}}\n"
	env = environment()
	if f := bindError(t, ssm, env); f == nil || f.Position.String() != "t.yaml:2:3" || !strings.Contains(f.Message, `"/cdk/version"`) {
		t.Error(f)
	}
	env.Hooks.SSMParameter = func(typ, name string) (string, error) { return typ + name, nil }
	res, err := bind(t, ssm, env).Evaluate("R", nil)
	if err != nil || res.Properties.Get("P").Text != "String/cdk/version" {
		t.Error(res, err)
	}
}

func TestGraph(t *testing.T) {
	text := `Parameters: {On: {Type: String, Default: "no"}}
Conditions: {C: !Equals [!Ref On, "yes"]}
Resources:
  E: {Type: X, DependsOn: [A, Gone]}
  D: {Type: X, Properties: {P: !Sub "${B}-${C.Arn}", Q: !If [C, !Ref Gone, !Ref A]}}
  C: {Type: X, Metadata: {M: !Ref B}}
  B: {Type: X, Properties: {P: {Fn::GetAtt: [A, Arn]}}}
  A: {Type: X}
  Gone: {Type: X, Condition: C}
Outputs:
  O: {Condition: C, Value: !Ref Gone}
  P: {Value: !GetAtt A.Arn, Export: {Name: !Sub "${AWS::StackName}-p"}, Description: d}
`
	in := bind(t, text, environment())
	if want := [][]string{{"A"}, {"E", "B"}, {"C"}, {"D"}}; !reflect.DeepEqual(in.Levels, want) {
		t.Error(in.Levels)
	}
	if want := []string{"A", "E", "B", "C", "D"}; !reflect.DeepEqual(in.Order, want) {
		t.Error(in.Order)
	}
	if want := []string{"C", "B", "A"}; !reflect.DeepEqual(in.Dependencies("D"), want) {
		t.Error(in.Dependencies("D"))
	}
	if in.Resource("Gone") != nil || len(in.Outputs) != 1 {
		t.Error("a resource or output whose condition is false exists")
	}
	o, err := in.EvaluateOutput(in.Outputs[0], known{"A.Arn": "arn"})
	if err != nil || o.Value.Text != "arn" || o.ExportName != "demo-p" || o.Description != "d" {
		t.Error(o, err)
	}
	env := environment()
	env.Parameters["On"] = ParameterInput{Value: "yes"}
	if in := bind(t, text, env); len(in.Resources) != 6 || len(in.Outputs) != 2 {
		t.Error(in.Resources, in.Outputs)
	}
}

func TestGraphErrors(t *testing.T) {
	const cond = "Parameters: {On: {Type: String, Default: 'no'}}\nConditions: {C: !Equals [!Ref On, 'yes']}\nResources:\n"
	const gone = "  Gone: {Type: X, Condition: C}\n"
	for _, c := range []struct{ name, text, pos, message string }{
		{"circle", "Resources:\n  Tail: {Type: X, DependsOn: A}\n  A: {Type: X, Properties: {P: !Ref B}}\n  B: {Type: X, DependsOn: A}\n  Head: {Type: X}\n", "3:3",
			"Circular dependency between resources: [A, B]"},
		{"itself", "Resources:\n  A: {Type: X, Properties: {P: !GetAtt A.Arn}}\n", "2:3", "Circular dependency between resources: [A]"},
		{"Ref of removed", cond + gone + "  Q: {Type: X, Properties: {N: !Ref Gone}}\n", "5:32",
			"Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template"},
		{"Sub of removed", cond + gone + "  Q: {Type: X, Properties: {N: !Sub '${Gone.Arn}'}}\n", "5:32",
			"Template format error: Unresolved resource dependencies [Gone] in the Resources block of the template"},
		{"output of removed", cond + gone + "  Q: {Type: X}\nOutputs: {O: {Value: !Ref Gone}}\n", "6:22",
			"Template format error: Unresolved resource dependencies [Gone] in the Outputs block of the template"},
		{"conditions", "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources: {R: {Type: X}}\n", "2:3",
			"Template format error: Circular dependency between conditions: [A, B]"},
		{"mapping in condition", "Mappings: {M: {a: {b: c}}}\nConditions: {C: !Equals [!FindInMap [M, a, x], y]}\nResources: {R: {Type: X}}\n", "2:26",
			"Template error: Unable to get mapping for M::a::x"},
	} {
		f := bindError(t, c.text, environment())
		if f == nil || f.Message != c.message || strings.TrimPrefix(f.Position.String(), "t.yaml:") != c.pos {
			t.Errorf("%s: got %v, want %s %q", c.name, f, c.pos, c.message)
		}
	}
	f := bindError(t, cond+gone+"  Q: {Type: X, Properties: {N: !Ref Gone}}\n", environment())
	if got := strings.Join(f.Because, ";"); got != "Gone does not exist in this stack: its condition C is false" {
		t.Error(got)
	}
	f = bindError(t, "Resources:\n  A: {Type: X, Properties: {P: !Ref B}}\n  B: {Type: X, DependsOn: A}\n", environment())
	if got := strings.Join(f.Because, "; "); got != "A depends on B at Resources.A.Properties.P (t.yaml:2:32); B depends on A by DependsOn (t.yaml:3:16)" {
		t.Error(got)
	}
}

func TestRules(t *testing.T) {
	const text = `Parameters:
  Version: {Type: String, Default: "3"}
  Env: {Type: String, Default: prod}
  Zones: {Type: CommaDelimitedList, Default: "a,b"}
  Vpc: {Type: "AWS::EC2::VPC::Id", Default: vpc-1}
Rules:
  Check:
    RuleCondition: !Equals [!Ref Env, prod]
    Assertions:
      - Assert: %s
        AssertDescription: wanted
Resources: {R: {Type: X}}
`
	env := environment()
	env.Hooks.ParameterAttribute = func(typ, value, attribute string) (string, error) { return typ + "/" + value + "/" + attribute, nil }
	for _, c := range []struct {
		assert string
		holds  bool
	}{
		{`{Fn::Not: [{Fn::Contains: [["1", "2"], !Ref Version]}]}`, true}, {`{Fn::Contains: [["1", "2"], !Ref Version]}`, false},
		{`{Fn::EachMemberIn: [!Ref Zones, [a, b, c]]}`, true}, {`{Fn::EachMemberIn: [!Ref Zones, [a, c]]}`, false},
		{`{Fn::EachMemberEquals: [[a, a], a]}`, true}, {`{Fn::EachMemberEquals: [!Ref Zones, a]}`, false},
		{`{Fn::Contains: [{Fn::RefAll: "AWS::EC2::VPC::Id"}, vpc-1]}`, true},
		{`{Fn::Equals: [{Fn::ValueOf: [Vpc, Tags.Dept]}, "AWS::EC2::VPC::Id/vpc-1/Tags.Dept"]}`, true},
		{`{Fn::EachMemberEquals: [{Fn::ValueOfAll: ["AWS::EC2::VPC::Id", Tags.Dept]}, IT]}`, false},
	} {
		f := bindError(t, fmt.Sprintf(text, c.assert), env)
		if (f == nil) != c.holds || f != nil && (f.Message != "Template error: Rule Check failed: wanted" || f.Position.Line != 10) {
			t.Errorf("%s: %v", c.assert, f)
		}
		other := environment()
		other.Parameters["Env"] = ParameterInput{Value: "dev"}
		if f := bindError(t, fmt.Sprintf(text, c.assert), other); f != nil {
			t.Errorf("%s: the rule's condition is false, but %v", c.assert, f)
		}
	}
}

func TestLoops(t *testing.T) {
	const text = `Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: "alpha,be-ta"}}
Resources:
  Fn::ForEach::Buckets:
    - Name
    - !Ref Names
    - Bucket&{Name}:
        Type: AWS::S3::Bucket
        Properties:
          BucketName: !Sub "b-${Name}-${AWS::Region}"
          Plain: "x-${Name}"
          Own: !Ref Name
          Fn::ForEach::Keys: [Key, [K1, K2], {"${Key}": !Ref Key}]
  Last: {Type: X, Properties: {P: !GetAtt [!Sub "Bucket${X}", Arn]}}
Outputs:
  Fn::ForEach::Out: [Id, [alpha, beta], {"Out${Id}": {Value: {Fn::GetAtt: [!Sub "Bucket${Id}", Arn]}}}]
`
	in := bind(t, strings.ReplaceAll(text, `!Sub "Bucket${X}"`, `!Join ["", [Bucket, alpha]]`), environment())
	if want := [][]string{{"Bucketalpha", "Bucketbeta"}, {"Last"}}; !reflect.DeepEqual(in.Levels, want) {
		t.Fatal(in.Levels)
	}
	res, err := in.Evaluate("Bucketbeta", nil)
	if err != nil || res.Properties.String() != `{"BucketName":"b-be-ta-eu-west-1","Plain":"x-be-ta","Own":"be-ta","K1":"K1","K2":"K2"}` {
		t.Error(res.Properties, err)
	}
	if p := res.Properties.Get("BucketName").Position.String(); p != "t.yaml:10:23" {
		t.Error(p)
	}
	o, err := in.EvaluateOutput(in.Outputs[1], known{"Bucketbeta.Arn": "arn-b"})
	if err != nil || o.Name != "Outbeta" || o.Value.Text != "arn-b" {
		t.Error(o, err)
	}
	for _, c := range []struct{ loop, message string }{
		{`[a, [b]]`, textLayout}, {`x`, textLayout}, {`[a, [b], {}]`, textLayout}, {`[[a], [b], {R: {Type: X}}]`, textLayout},
		{`[a, b, {"R${a}": {Type: X}}]`, textCollection}, {`[a, [[b]], {"R${a}": {Type: X}}]`, textCollection},
		{`[a, [b, c], {R: {Type: X}}]`, textExtensions + "Duplicate key R"},
		{`[a, [b-], {"R${a}": {Type: X}}]`, "Template format error: Resource name Rb- is non alphanumeric."},
		{`[a, [b], {"R${a}": {Type: X, Properties: {P: !Ref Nope}}}]`, "Template format error: Unresolved resource dependencies [Nope] in the Resources block of the template"},
		{`[a, [1,2,3,4,5,6,7,8,9,10], {"Fn::ForEach::M": [b, [1,2,3,4,5,6,7,8,9,10], {"Fn::ForEach::N": [c, [1,2,3,4,5,6], {"R${a}x${b}x${c}": {Type: X}}]}]}]`,
			"Template format error: Number of resources, 601, is greater than maximum allowed, 500"},
	} {
		f := bindError(t, "Transform: AWS::LanguageExtensions\nResources:\n  A: {Type: X}\n  Fn::ForEach::L: "+c.loop+"\n", environment())
		if f == nil || f.Message != c.message {
			t.Errorf("%s: got %v, want %q", c.loop, f, c.message)
		}
	}
}

func TestNotes(t *testing.T) {
	tm, found := Parse("t.yaml", []byte("Resources:\n  A: &a {Type: X, Properties: {Account: 012345670123}}\n  B: *a\n"))
	if tm == nil || len(found) != 2 {
		t.Fatal(found)
	}
	for i, want := range []string{"t.yaml:2:41: 012345670123 is an octal number in YAML 1.1 and means 1402433619", "t.yaml:3:6: the YAML alias *a is expanded here; CloudFormation's manual says that it takes no aliases"} {
		if found[i].Error() != want || found[i].Severity != diag.Warning {
			t.Error(found[i].Error())
		}
	}
	tm, found = Parse("t.yaml", []byte("Resources:\n  A: {Type: X}\nMetadata: {x: "+strings.Repeat("y", 60_000)+"}\n"))
	if tm == nil || len(found) != 1 || found[0].Severity != diag.Info {
		t.Error(found)
	}
}

func TestResolverErrorsKeepTheirChain(t *testing.T) {
	sentinel := errors.New("not yet")
	in := bind(t, "Resources:\n  A: {Type: X}\n  B: {Type: X, Properties: {P: !Ref A}}\n", environment())
	if _, err := in.Evaluate("B", failing{sentinel}); !errors.Is(err, sentinel) {
		t.Error(err)
	}
	_, err := in.Evaluate("B", failing{&diag.Finding{Message: "A has no ref"}})
	var f *diag.Finding
	if !errors.As(err, &f) || f.Position.String() != "t.yaml:3:32" || f.Path != "Resources.B.Properties.P" {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Ref(string) (any, error)            { return nil, f.err }
func (f failing) GetAtt(string, string) (any, error) { return nil, f.err }

func TestPropertiesAsAWhole(t *testing.T) {
	const text = "Conditions: {C: !Equals [%s]}\nResources:\n  A: {Type: X, Properties: !If [C, {A: b}, !Ref AWS::NoValue]}\n"
	for operands, want := range map[string]string{"a, a": `{"A":"b"}`, "a, b": `{}`} {
		res, err := bind(t, fmt.Sprintf(text, operands), environment()).Evaluate("A", nil)
		if err != nil || res.Properties.String() != want || res.Properties.Path() != "Resources.A.Properties" {
			t.Error(res, err)
		}
	}
}

func TestInstancesAreSharedBetweenGoroutines(t *testing.T) {
	in := bind(t, head+"!Sub '${Env}-${Other}-${Password}'\n", environment())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if res, err := in.Evaluate("R", resources); err != nil || res.Properties.Get("P").Text != "dev-other-bucket-hunter2" {
					t.Error(res, err)
				}
			}
		})
	}
	wg.Wait()
}
