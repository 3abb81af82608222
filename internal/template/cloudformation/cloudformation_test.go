package cloudformation

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/template"
)

// known answers Ref and Fn::GetAtt.
type known map[string]any

func (k known) Ref(id string) (any, error) { return k.get(id) }

func (k known) GetAtt(id, attribute string) (any, error) { return k.get(id + "." + attribute) }

func (k known) get(name string) (any, error) {
	if v, ok := k[name]; ok {
		return v, nil
	}
	return nil, fmt.Errorf("no %s", name)
}

func environment() Environment {
	return Environment{
		Region: "eu-west-1", Account: "123456789012", StackName: "demo",
		StackID:          "arn:aws:cloudformation:eu-west-1:123456789012:stack/demo/1",
		NotificationARNs: []string{"arn:a", "arn:b"}, Parameters: map[string]ParameterInput{},
	}
}

// first returns the first error of findings.
func first(found []diag.Finding) *diag.Finding {
	for i := range found {
		if found[i].Severity == diag.Error {
			return &found[i]
		}
	}
	return nil
}

func bind(t *testing.T, text string, env Environment) *Instance {
	t.Helper()
	tm, found := Parse("t.yaml", []byte(text))
	if tm == nil {
		t.Fatalf("parse: %v %v", first(found), first(found).Because)
	}
	in, found := tm.Bind(env)
	if in == nil {
		t.Fatalf("bind: %v %v", first(found), first(found).Because)
	}
	return in
}

const head = `Transform: AWS::LanguageExtensions
Parameters:
  Env: {Type: String, Default: dev}
  Subnets: {Type: CommaDelimitedList, Default: "s-1, s-2,s-3"}
  Ports: {Type: List<Number>, Default: "80,443"}
  Count: {Type: Number, Default: 3}
  Password: {Type: String, NoEcho: true, Default: hunter2}
Mappings:
  Regions:
    eu-west-1: {Ami: ami-west, Size: 3, Zones: [x, y]}
Conditions:
  IsProd: !Equals [!Ref Env, prod]
  IsThree: !Equals [!Ref Count, 3]
  Both: !And [!Condition IsProd, !Condition IsThree]
  Any: !Or [!Condition IsProd, !Condition IsThree]
  Mapped: !Equals [!FindInMap [Regions, !Ref AWS::Region, Ami], ami-west]
  Listed: !Not [!Equals [!Join [",", !Ref Subnets], "s-1,s-2,s-3"]]
Resources:
  Other: {Type: AWS::S3::Bucket}
  Off: {Type: AWS::S3::Bucket, Condition: IsProd}
  R:
    Type: AWS::S3::Bucket
    Properties:
      P: `

var resources = known{
	"Other": "other-bucket", "Other.Arn": "arn:aws:s3:::other", "Other.Tags": []any{"a", map[string]any{"k": true}},
	"Other.Nested.Url": "https://x", "Other.Size": 7, "Other.Names": []string{"m", "n"},
}

func TestIntrinsics(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`plain`, `"plain"`}, {`1.50`, `1.50`}, {`yes`, `true`}, {`2012-10-17`, `"2012-10-17"`}, {`{a: [1, x]}`, `{"a":[1,"x"]}`},
		{`!Ref Env`, `"dev"`}, {`!Ref Subnets`, `["s-1","s-2","s-3"]`}, {`!Ref Ports`, `["80","443"]`}, {`!Ref Count`, `"3"`},
		{`!Ref Other`, `"other-bucket"`}, {`{Ref: Other}`, `"other-bucket"`},
		{`!Ref AWS::AccountId`, `"123456789012"`}, {`!Ref AWS::NotificationARNs`, `["arn:a","arn:b"]`}, {`!Ref AWS::Partition`, `"aws"`},
		{`!Ref AWS::Region`, `"eu-west-1"`}, {`!Ref AWS::StackId`, `"arn:aws:cloudformation:eu-west-1:123456789012:stack/demo/1"`},
		{`!Ref AWS::StackName`, `"demo"`}, {`!Ref AWS::URLSuffix`, `"amazonaws.com"`},
		{`[a, !Ref AWS::NoValue, {b: !Ref AWS::NoValue, c: d}]`, `["a",{"c":"d"}]`},
		{`!GetAtt Other.Arn`, `"arn:aws:s3:::other"`}, {`!GetAtt [Other, Arn]`, `"arn:aws:s3:::other"`}, {`!GetAtt Other.Nested.Url`, `"https://x"`},
		{`!GetAtt [Other, !Join ["", [A, rn]]]`, `"arn:aws:s3:::other"`}, {`!GetAtt [!Join ["", [Ot, her]], Arn]`, `"arn:aws:s3:::other"`},
		{`{Ref: !Sub ["Oth${E}", {E: er}]}`, `"other-bucket"`},
		{`!GetAtt Other.Tags`, `["a",{"k":true}]`}, {`!GetAtt Other.Size`, `7`}, {`!GetAtt Other.Names`, `["m","n"]`},
		{`!Sub "${Env}-${AWS::Region}-${Other.Arn}-${Count}-${!Literal}-$x-${"`, `"dev-eu-west-1-arn:aws:s3:::other-3-${Literal}-$x-${"`},
		{`!Sub ["${A}/${B}/${Env}/${N}/${T}", {A: a, B: !Ref Other, N: 1.0, T: true}]`, `"a/other-bucket/dev/1.0/true"`},
		{`!Sub ["${Env}", {Env: shadow}]`, `"shadow"`}, {`!Sub ""`, `""`}, {`!Sub 12`, `"12"`},
		{`!Join ["-", [a, !Ref Env, 3, !Ref AWS::NoValue, true]]`, `"a-dev-3-true"`}, {`!Join ["", !Ref Subnets]`, `"s-1s-2s-3"`},
		{`!Join [",", []]`, `""`}, {`!Join ["|", !Split [",", "a,b"]]`, `"a|b"`},
		{`!Select [1, [a, b]]`, `"b"`}, {`!Select ["2", !Ref Subnets]`, `"s-3"`}, {`!Select [0, [{k: v}]]`, `{"k":"v"}`},
		{`!Select [!Select [0, ["1"]], [a, b]]`, `"b"`},
		{`!Split [",", "a,,b"]`, `["a","","b"]`}, {`!Split ["::", !Ref Env]`, `["dev"]`},
		{`!Base64 hello world`, `"aGVsbG8gd29ybGQ="`}, {`!Base64 {Fn::Sub: "${Env}"}`, `"ZGV2"`},
		{`!Cidr [10.0.7.9/16, 2, 8]`, `["10.0.0.0/24","10.0.1.0/24"]`},
		{`!Cidr [192.168.0.0/24, "6", 5]`, `["192.168.0.0/27","192.168.0.32/27","192.168.0.64/27","192.168.0.96/27","192.168.0.128/27","192.168.0.160/27"]`},
		{`!Cidr ["2600:1f18:abc:de00::/56", 2, 64]`, `["2600:1f18:abc:de00::/64","2600:1f18:abc:de01::/64"]`},
		{`!FindInMap [Regions, !Ref AWS::Region, Ami]`, `"ami-west"`}, {`!FindInMap [Regions, eu-west-1, Zones]`, `["x","y"]`},
		{`!FindInMap [Regions, eu-west-1, Size]`, `3`}, {`!FindInMap [Regions, moon, Ami, {DefaultValue: !Ref Env}]`, `"dev"`},
		{`!GetAZs ""`, `["eu-west-1a","eu-west-1b","eu-west-1c"]`}, {`!GetAZs us-east-1`, `["us-east-1a","us-east-1b","us-east-1c"]`},
		{`!GetAZs {Ref: "AWS::Region"}`, `["eu-west-1a","eu-west-1b","eu-west-1c"]`},
		{`!ImportValue net-id`, `"imported:net-id"`}, {`!ImportValue {"Fn::Sub": "${Env}-id"}`, `"imported:dev-id"`},
		{`!If [IsProd, big, small]`, `"small"`}, {`!If [IsThree, {a: !Ref Env}, x]`, `{"a":"dev"}`}, {`!If [Both, 1, 2]`, `2`}, {`!If [Any, 1, 2]`, `1`},
		{`!If [Mapped, 1, 2]`, `1`}, {`!If [Listed, 1, 2]`, `2`}, {`!If [IsProd, !Ref Off, !Ref AWS::NoValue]`, `gone`},
		{`!If [IsThree, !If [IsProd, a, b], c]`, `"b"`},
		{`"a {{resolve:ssm:/x/y:3}} b"`, `"a ssm|/x/y|3||| b"`},
		{`!Sub "{{resolve:secretsmanager:${Env}:SecretString:key}}"`, `"secretsmanager|dev||key||"`},
		{`!Length [a, b]`, `2`}, {`!Length {Ref: Subnets}`, `3`}, {`!ToJsonString {a: [1, !Ref Env]}`, `"{\"a\":[1,\"dev\"]}"`},
		{`{Statement: {Condition: {StringEquals: {a: b}}}}`, `{"Statement":{"Condition":{"StringEquals":{"a":"b"}}}}`},
		{`{Condition: {Bool: x}}`, `{"Condition":{"Bool":"x"}}`}, {`{Ref: a, Other: b}`, `{"Ref":"a","Other":"b"}`},
	} {
		env := environment()
		env.Hooks.Import = func(name string) (string, error) { return "imported:" + name, nil }
		env.Hooks.Dynamic = func(d DynamicReference) (string, error) {
			return strings.Join([]string{d.Service, d.Name, d.Version, d.JSONKey, d.VersionStage, d.VersionID}, "|"), nil
		}
		in := bind(t, head+c.in+"\n", env)
		res, err := in.Evaluate("R", resources)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		got := "gone"
		if p := res.Properties.Get("P"); p != nil {
			got = string(p.AppendJSON(nil))
			if p.Path() != "Resources.R.Properties.P" {
				t.Errorf("%s: path %s", c.in, p.Path())
			}
			if p.Position.Line != strings.Count(head, "\n")+1 {
				t.Errorf("%s: position %s", c.in, p.Position)
			}
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

// The form of templates: the message is CloudFormation's, the position is where the first error stands.
func TestFormErrors(t *testing.T) {
	const r = "Resources:\n  B: {Type: AWS::S3::Bucket}\n"
	for _, c := range []struct{ name, text, pos, message string }{
		{"YAML", "a: b: c\n", "1:5", "Template format error: YAML not well-formed. (line 1, column 5)"},
		{"JSON", "{\n  \"Resources\": {,\n}", "2:17", "Template format error: JSON not well-formed. (line 2, column 17)"},
		{"duplicate", "Resources:\n  A: {Type: X}\n  A: {Type: Y}\n", "3:3", "Template format error: YAML not well-formed. (line 3, column 3)"},
		{"tag", "Resources:\n  B:\n    Type: X\n    Properties:\n      Arn: !GetAttr B.Arn\n", "5:12", "Template format error: YAML not well-formed. (line 5, column 12)"},
		{"no map", "- a\n", "1:1", "Template format error: unsupported structure."},
		{"nothing", "Description: x\n", "1:1", "Template format error: At least one Resources member must be defined."},
		{"empty", "Resources: {}\n", "1:12", "Template format error: At least one Resources member must be defined."},
		{"section", r + "Bogus: 1\nOther: 2\n", "3:1", "Invalid template property or properties [Bogus, Other]"},
		{"null", "Resources:\n  B:\n    Type: X\n    Properties:\n      Name:\n", "5:7", "[/Resources/B/Type/Name] 'null' values are not allowed in templates"},
		{"null properties", "Resources:\n  B:\n    Type: X\n    Properties:\n", "4:5", "[/Resources/B/Properties] 'null' values are not allowed in templates"},
		{"description", "Description: " + strings.Repeat("x", 1025) + "\n" + r, "1:14", "Template format error: 'Description' length is greater than 1024"},
		{"version", "AWSTemplateFormatVersion: 2010-09-08\n" + r, "1:27", `Template format error: unsupported template version "2010-09-08"`},
		{"type", "Resources:\n  B:\n    Properties: {}\n", "2:3", "Template format error: [/Resources/B] Every Resources object must contain a Type member."},
		{"attribute", "Resources:\n  B:\n    Type: X\n    Tags: []\n", "4:5", "Invalid template resource property 'Tags'"},
		{"logical id", "Resources:\n  B-1: {Type: X}\n", "2:3", "Template format error: Resource name B-1 is non alphanumeric."},
		{"DependsOn", "Resources:\n  B: {Type: X, DependsOn: !If [a, b, c]}\n", "2:27", "Template format error: Every DependsOn value must be a string."},
		{"DeletionPolicy", "Resources:\n  B: {Type: X, DeletionPolicy: Keep}\n", "2:32", "Template format error: Unrecognized DeletionPolicy Keep"},
		{"output", r + "Outputs:\n  O: {Description: x}\n", "4:6", "Template format error: Every Outputs member must contain a Value object"},
		{"parameter type", "Parameters:\n  P: {Type: Strin}\n" + r, "2:13", "Template format error: Unrecognized parameter type: Strin"},
		{"no parameter type", "Parameters:\n  P: {Default: x}\n" + r, "2:3", "Template format error: [/Parameters/P] Every Parameters object must contain a Type member."},
		{"parameter property", "Parameters:\n  P: {Type: String, Properties: x}\n" + r, "2:21", "Invalid template parameter property 'Properties'"},
		{"default", "Parameters:\n  P: {Type: String, Default: !Ref X}\n" + r, "2:30", "Template format error: Every Default member must be a string."},
		{"mapping", "Mappings:\n  M: {a: b}\n" + r, "2:10", "Template format error: [/Mappings/M/a] Every Mappings attribute must be a map"},
		{"mapping name", "Mappings:\n  M: {a: {x-y: b}}\n" + r, "2:11", "Template format error: Mappings attribute name 'x-y' must contain only alphanumeric characters."},
		{"literal condition", "Conditions:\n  C: yes\n" + r, "2:6", "Template format error: Conditions can only be boolean operations on parameters and other conditions"},
		{"SAM", "Transform: AWS::Serverless-2016-10-31\n" + r, "1:12", "the transform AWS::Serverless-2016-10-31 is not supported yet"},
		{"macro", "Transform: [AWS::LanguageExtensions, MyMacro]\n" + r, "1:38", `the macro "MyMacro" is not supported: it runs in an AWS account`},
		{"loop", "Resources:\n  Fn::ForEach::L: [a, [b], {}]\n", "2:3", "Template format error: [/Resources/Fn::ForEach::L] resource definition is malformed"},
	} {
		expect(t, c.name, c.text, c.pos, c.message)
	}
}

func expect(t *testing.T, name, text, pos, message string) {
	t.Helper()
	tm, found := Parse("t.yaml", []byte(text))
	f := first(found)
	if message == "" {
		if f != nil || tm == nil {
			t.Errorf("%s: %v", name, f)
		}
		return
	}
	if f == nil || tm != nil {
		t.Errorf("%s: accepted", name)
		return
	}
	if got := strings.TrimPrefix(f.Position.String(), "t.yaml:"); f.Message != message || got != pos {
		t.Errorf("%s:\n got %s %q\nwant %s %q", name, got, f.Message, pos, message)
	}
	if f.Code != diag.UnsupportedProperty && (f.AWSError == nil || f.AWSError.Message != message || f.AWSError.Code != "ValidationError" || f.AWSError.Status != 400) {
		t.Errorf("%s: AWS error %+v", name, f.AWSError)
	}
}

func TestFunctionAndReferenceErrors(t *testing.T) {
	const r = "Resources:\n  B: {Type: AWS::S3::Bucket}\n"
	prop := func(v string) string { return r + "  R:\n    Type: T\n    Properties:\n      P: " + v + "\n" }
	cond := func(v string) string { return "Conditions:\n  C: " + v + "\n" + r }
	const blk = " in the Resources block of the template"
	for _, c := range []struct{ name, text, pos, message string }{
		{"Ref", prop("!Ref Nope"), "6:10", "Template format error: Unresolved resource dependencies [Nope]" + blk},
		{"Refs", prop("[!Ref Nope, !Ref AWS::Reg, !Ref Nope]"), "6:11", "Template format error: Unresolved resource dependencies [Nope, AWS::Reg]" + blk},
		{"Sub name", prop("!Sub '${Nope}'"), "6:10", "Template format error: Unresolved resource dependencies [Nope]" + blk},
		{"Sub attribute", prop("!Sub '${Nope.Arn}'"), "6:10", "Template error: instance of Fn::Sub references invalid resource attribute Nope.Arn"},
		{"Sub own name", prop("!Sub ['${L}', {L: y}]"), "", ""},
		{"GetAtt", prop("!GetAtt Nope.Arn"), "6:10", "Template error: instance of Fn::GetAtt references undefined resource Nope"},
		{"DependsOn", "Resources:\n  B: {Type: X, DependsOn: [Nope]}\n", "2:27", "Template format error: Unresolved resource dependencies [Nope]" + blk},
		{"output", r + "Outputs:\n  O: {Value: !Ref Nope}\n", "4:14", "Template format error: Unresolved resource dependencies [Nope] in the Outputs block of the template"},
		{"condition refers to resource", cond("!Equals [!Ref B, x]"), "2:15", "Template format error: Unresolved dependencies [B]. Cannot reference resources in the Conditions block of the template"},
		{"condition gets attribute", cond("!Equals [!GetAtt B.Arn, x]"), "2:15", "Template format error: Unresolved dependencies [B]. Cannot reference resources in the Conditions block of the template"},
		{"resource condition", "Resources:\n  B: {Type: X, Condition: Nope}\n", "2:27", "Template format error: Unresolved condition dependency Nope" + blk},
		{"output condition", r + "Outputs:\n  O: {Value: x, Condition: Nope}\n", "4:28", "Template format error: Unresolved condition dependency Nope in the Outputs block of the template"},
		{"If condition", prop("!If [Nope, a, b]"), "6:10", "Template error: unresolved condition dependency Nope in Fn::If"},
		{"nested condition", cond("!Not [!Condition Nope]"), "2:12", "Template error: unresolved condition dependency Nope in Condition"},
		{"mapping", prop("!FindInMap [Nope, a, b]"), "6:10", "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template."},
		{"And", cond("!And [!Equals [a, a]]"), "2:6", "Template error: every Fn::And object requires a list of at least 2 and at most 10 boolean parameters."},
		{"Or", cond("!Or [" + strings.Repeat("!Equals [a, b], ", 10) + "!Equals [a, b]]"), "2:6", "Template error: every Fn::Or object requires a list of at least 2 and at most 10 boolean parameters."},
		{"Or of ten", cond("!Or [" + strings.Repeat("!Equals [a, b], ", 9) + "!Equals [a, b]]"), "", ""},
		{"Not", cond("!Not [a]"), "2:6", "Template error: every Fn::Not object requires a list with exactly 1 boolean parameter."},
		{"Equals", cond("!Equals [a]"), "2:6", "Template error: Fn::Equals requires a list argument with two elements"},
		{"Equals in a property", prop("!Equals [a, b]"), "6:10", "Template error: Fn::Equals cannot be partially collapsed"},
		{"If", prop("!If [C, a]"), "6:10", "Template error: Fn::If requires a list argument with three elements"},
		{"If of a map", prop("!If [{a: b}, a, c]"), "6:10", "Template error: Fn::If requires a list argument with the first element being a condition"},
		{"Ref of a list", prop("!Ref [a]"), "6:10", "Template error: All References must be of type string"},
		{"GetAtt of one", prop("!GetAtt B"), "6:10", textGetAtt}, {"GetAtt of a map", prop("!GetAtt {a: b}"), "6:10", textGetAtt},
		{"Sub of a list", prop("!Sub ['${x}']"), "6:10", textSub}, {"Sub name with space", prop("!Sub '${a b}'"), "6:10", textSubName},
		{"Sub nested", prop("!Sub '${a${b}}'"), "6:10", textSubName},
		{"Join", prop("!Join ['-']"), "6:10", textJoin}, {"Join of a string", prop("!Join ['-', a]"), "6:10", textJoin},
		{"Select", prop("!Select [0]"), "6:10", textSelect}, {"Select index", prop("!Select [x, [a]]"), "6:10", textIndex},
		{"Split", prop("!Split [',']"), "6:10", textSplit}, {"FindInMap", prop("!FindInMap [a, b]"), "6:10", textFindInMap},
		{"Cidr", prop("!Cidr [a]"), "6:10", textCidr}, {"Fn::Foo", prop("{Fn::Foo: x}"), "6:10", ""},
		{"neighbours", prop("{Fn::Sub: x, y: z}"), "6:11", "Template error: Fn::Sub is malformed"},
		{"extension", prop("{Fn::Length: []}"), "6:10", "Template error: Encountered unsupported function: Fn::Length"},
		{"Transform", prop("{Fn::Transform: {Name: AWS::Include}}"), "6:26", "Fn::Transform with AWS::Include is not supported"},
	} {
		if c.name == "Fn::Foo" {
			_, found := Parse("t.yaml", []byte(c.text))
			if f := first(found); f == nil || !strings.HasPrefix(f.Message, "Template error: Encountered unsupported function: Fn::Foo Supported functions are: [") {
				t.Errorf("%s: %v", c.name, f)
			}
			continue
		}
		expect(t, c.name, c.text, c.pos, c.message)
	}
}

func TestEvaluationErrors(t *testing.T) {
	for _, c := range []struct{ in, message string }{
		{`!Select [2, [a, b]]`, "Template error: Fn::Select cannot select nonexistent value at index 2"},
		{`!Select [-1, [a, b]]`, "Template error: Fn::Select cannot select nonexistent value at index -1"},
		{`!Select [!Ref Env, [a]]`, textIndex},
		{`!FindInMap [Regions, moon, Ami]`, "Template error: Unable to get mapping for Regions::moon::Ami"},
		{`!FindInMap [Regions, eu-west-1, X]`, "Template error: Unable to get mapping for Regions::eu-west-1::X"},
		{`!FindInMap [!Ref Env, a, b]`, "Template error: Mapping named 'dev' is not present in the 'Mappings' section of template."},
		{`!Join ["", [[a]]]`, textJoin}, {`!Join ["", !Ref Env]`, textJoin}, {`!Sub "${Subnets}"`, textSub}, {`!Base64 {Ref: Subnets}`, textBase64},
		{`!Split [",", !Ref Subnets]`, textSplit}, {`!Split ["", a]`, textSplit}, {`!GetAZs {Ref: Subnets}`, textGetAZs},
		{`!Cidr [10.0.0.0/24, 9, 5]`, "Template error: Fn::Cidr failed: 10.0.0.0/24 has room for 8 blocks with 5 host bits, not for 9"},
		{`!Cidr [10.0.0.0/24, 1, 9]`, "Template error: Fn::Cidr failed: a block with 9 host bits does not fit in 10.0.0.0/24"},
		{`!Cidr [10.0.0/24, 1, 8]`, `Template error: Fn::Cidr failed: "10.0.0/24" is no CIDR block`},
		{`!Cidr [10.0.0.0/16, 257, 8]`, "Template error: Fn::Cidr failed: count 257 is not between 1 and 256"},
		{`!ImportValue x`, "No export named x found."},
		{`"{{resolve:ssm:/a}}"`, "the dynamic reference {{resolve:ssm:/a}} is not resolved"},
		{`"{{resolve:s3:/a}}"`, "Template error: Invalid dynamic reference {{resolve:s3:/a}}"},
	} {
		in := bind(t, head+c.in+"\n", environment())
		_, err := in.Evaluate("R", resources)
		var f *diag.Finding
		if !errors.As(err, &f) {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if f.Message != c.message || f.Position.Line != strings.Count(head, "\n")+1 || f.Position.Column < 10 || !strings.HasPrefix(f.Path, "Resources.R.Properties.P") {
			t.Errorf("%s: got %s %s %q, want %q", c.in, f.Position, f.Path, f.Message, c.message)
		}
	}
	in := bind(t, head+"!GetAtt Other.Nope\n", environment())
	if _, err := in.Evaluate("R", resources); err == nil || err.Error() != "t.yaml:24:10: resolve Fn::GetAtt Other.Nope: no Other.Nope" {
		t.Error(err)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	for _, v := range []string{
		`!Ref Password`, `!Sub "x${Password}"`, `!Join ["", [a, !Ref Password]]`, `!Base64 {Ref: Password}`, `!Select [0, !Split ["t", !Ref Password]]`,
		`{a: {b: !Ref Password}}`, `!ToJsonString {a: !Ref Password}`, `"{{resolve:secretsmanager:x}}"`, `"{{resolve:ssm-secure:x:1}}"`,
	} {
		env := environment()
		env.Hooks.Dynamic = func(DynamicReference) (string, error) { return "hunter2", nil }
		in := bind(t, head+v+"\n", env)
		res, err := in.Evaluate("R", resources)
		if err != nil {
			t.Fatal(v, err)
		}
		enc, _ := json.Marshal(res.Properties)
		if s := string(enc) + res.Properties.String(); strings.Contains(s, "hun") || strings.Contains(s, "aHVu") || !strings.Contains(s, "****") {
			t.Errorf("%s shows %s", v, s)
		}
	}
	if s := fmt.Sprint(bind(t, head+"x\n", environment()).Parameter("Password")); s != "Password=****" {
		t.Error(s)
	}
}

func TestLookup(t *testing.T) {
	in := bind(t, head+"\n        L: [a, !If [IsThree, {Deep: !Sub '${Env}'}, b]]\n        \"m.x\": 1\n", environment())
	for _, c := range []struct {
		path, pos string
		ok        bool
	}{
		{"Resources.R.Properties.P.L[0]", "t.yaml:25:13", true}, {"Resources.R.Properties.P.L[0].x", "t.yaml:25:13", false},
		{"Resources.R.Properties.P.L[1].Deep", "t.yaml:25:16", false}, {`Resources.R.Properties.P["m.x"]`, "t.yaml:26:9", true},
		{"Resources.R.Nothing", "t.yaml:21:3", false}, {"Nowhere", "t.yaml:1:1", false}, {"Parameters.Env.Default", "t.yaml:3:23", true},
	} {
		if pos, ok := in.Template.Lookup(c.path); pos.String() != c.pos || ok != c.ok {
			t.Errorf("%s: %s %v, want %s %v", c.path, pos, ok, c.pos, c.ok)
		}
	}
	res, err := in.Evaluate("R", resources)
	if err != nil {
		t.Fatal(err)
	}
	if pos, ok := res.Lookup("P.L[1].Deep"); pos.String() != "t.yaml:25:31" || !ok {
		t.Error(pos, ok)
	}
	deep := res.Properties.Get("P").Get("L").Items[1].Get("Deep")
	if deep.Path() != "Resources.R.Properties.P.L[1].Deep" || deep.Kind != template.String {
		t.Error(deep.Path())
	}
}
