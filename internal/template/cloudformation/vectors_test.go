package cloudformation

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/template"
)

func vectors(t testing.TB) string {
	dir := os.Getenv("FOREGATE_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "vectors")
	}
	if _, err := os.Stat(filepath.Join(dir, "templates")); err != nil {
		t.Skipf("no test vectors (set FOREGATE_VECTORS): %v", err)
	}
	return filepath.Join(dir, "templates")
}

// refusedVectors are the files of the vectors that are no valid templates, by the end of their path, with the start of the
// message. CloudFormation refuses them too: they are fragments of manuals that name what other fragments declare, or prose.
var refusedVectors = map[string]string{
	// Not a template: a list of two.
	"integ.restapi.multistack.expected.json": "Template format error: unsupported structure.",
	// Fragments whose references are declared elsewhere in the manual.
	"set-up-logging-01-wrapped.yaml": dangling, "aws-resource-apigateway-apikey-01-wrapped.json": dangling,
	"aws-resource-apigateway-authorizer-01-wrapped.json": attribute, "aws-resource-apigateway-deployment-01-wrapped.json": dangling,
	"aws-resource-apigateway-deployment-02-wrapped.json": dangling, "aws-resource-apigateway-domainname-05.json": dangling,
	"aws-resource-apigateway-method-01-wrapped.json": attribute, "aws-resource-apigateway-method-02-wrapped.json": attribute,
	"aws-resource-apigateway-model-01-wrapped.json": dangling, "aws-resource-apigateway-resource-01-wrapped.json": attribute,
	"aws-resource-apigateway-stage-01.json": dangling, "aws-resource-apigateway-stage-02.yaml": dangling,
	"aws-resource-apigateway-usageplan-01-wrapped.json": dangling, "aws-resource-apigateway-usageplankey-01-wrapped.json": dangling,
	"aws-resource-apigatewayv2-apimapping-01-wrapped.json": dangling, "aws-resource-apigatewayv2-authorizer-01-wrapped.json": dangling,
	"aws-resource-apigatewayv2-deployment-01-wrapped.json": dangling, "aws-resource-apigatewayv2-integration-01-wrapped.json": attribute,
	"aws-resource-apigatewayv2-integration-02-wrapped.json": dangling, "aws-resource-apigatewayv2-integrationresponse-01-wrapped.json": dangling,
	"aws-resource-apigatewayv2-model-01-wrapped.json": dangling, "aws-resource-apigatewayv2-route-01-wrapped.json": dangling,
	"aws-resource-apigatewayv2-route-02-wrapped.yaml": dangling, "aws-resource-apigatewayv2-route-03-wrapped.json": dangling,
	"aws-resource-apigatewayv2-routeresponse-01-wrapped.json": dangling, "aws-resource-apigatewayv2-stage-01-wrapped.json": dangling,
	"aws-resource-waf-webacl-01-wrapped.json": dangling, "aws-resource-waf-webacl-02-wrapped.yaml": dangling,
	"sam-resource-function-01-wrapped.yaml":                           dangling,
	"serverless-controlling-access-to-apis-cognito-user-pool-01.yaml": dangling,
	"sam-resource-api-03.yaml":                                        "Template error: instance of Fn::GetAtt references undefined resource MyCognitoUserPool",
	"serverless-controlling-access-to-apis-lambda-authorizer-03.yaml": "Template error: instance of Fn::GetAtt references undefined resource MyAuthFunctionRole",
	// Entries without a value: the manual stands for them with a comment or an empty entry.
	"aws-resource-apigateway-restapi-01-wrapped.json":       "[/Resources/MyRestApi/Type/Body/OpenAPI specification] 'null'",
	"aws-resource-apigatewayv2-integration-03-wrapped.yaml": "[/Resources/MyIntegration] 'null'",
	"build-dotnet7-01.yaml":                                 "[/Resources] 'null'",
	"what-is-sam-01.yaml":                                   "[/Resources/getAllItemsFunction/Connectors/MyConn/Properties] 'null'",
	// No YAML: indentation lost, or "..." in the middle.
	"quickref-cloudfront-01-wrapped.yaml": noYAML, "quickref-cloudfront-02-wrapped.yaml": noYAML, "quickref-cloudfront-03-wrapped.yaml": noYAML,
	"building-rust-01.yaml": noYAML, "managing-permissions-connectors-01.yaml": noYAML,
	"sam-property-connector-sourcereference-01.yaml": noYAML, "sam-resource-connector-01.yaml": noYAML,
	// SAM, with or without its transform.
	"sam-property-connector-resourcereference-01.yaml":   noSAM,
	"sam-resource-api-01.yaml":                           noSAM,
	"sam-resource-api-05.yaml":                           noSAM,
	"sam-resource-httpapi-01.yaml":                       noSAM,
	"sam-resource-httpapi-02.yaml":                       noSAM,
	"sam-property-function-httpapifunctionauth-01.yaml":  "Invalid template property or properties [Globals]",
	"sam-specification-template-anatomy-globals-01.yaml": "Invalid template property or properties [Globals]",
	"sam-resource-api-02.yaml":                           "Fn::Transform with AWS::Include is not supported",
}

const (
	dangling  = "Template format error: Unresolved resource dependencies ["
	attribute = "Template error: instance of Fn::GetAtt references undefined resource "
	noYAML    = "Template format error: YAML not well-formed."
	noSAM     = "the transform AWS::Serverless-2016-10-31 is not supported yet"
)

// anything resolves every reference.
type anything struct{}

func (anything) Ref(id string) (any, error) { return "ref-" + id, nil }

// GetAtt gives attributes the form that templates take apart by Fn::Split and Fn::Select.
func (anything) GetAtt(id, attr string) (any, error) {
	switch {
	case strings.HasSuffix(attr, "Arn"):
		return "arn:aws:lambda:eu-west-1:123456789012:function:" + id, nil
	case strings.HasSuffix(strings.ToUpper(attr), "URL"):
		return "http://" + id + ".example.com/path", nil
	case attr == "DnsEntries":
		return []any{"Z1:vpce.example.com"}, nil
	}
	return id + "." + attr, nil
}

// TestVectors reads every template of the vectors, binds it with made-up parameters and evaluates all that it has.
func TestVectors(t *testing.T) {
	files, resources := 0, 0
	err := filepath.WalkDir(vectors(t), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		tm, found := Parse(filepath.Base(path), data)
		want, refused := refusedVectors[filepath.Base(path)]
		switch f := first(found); {
		case refused && (f == nil || !strings.HasPrefix(f.Message, want)):
			t.Errorf("%s: got %v, want it refused with %q", path, f, want)
			return nil
		case refused:
			return nil
		case f != nil:
			t.Errorf("%s: %v %v", path, f, f.Because)
			return nil
		}
		if f := template.DetectValue(tm.Root); f != template.CloudFormation && f != template.SAM {
			t.Errorf("%s: detected as %s", path, f)
		}
		resources += evaluateAll(t, path, tm)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d files, %d resources evaluated", files, resources)
}

func evaluateAll(t *testing.T, path string, tm *Template) int {
	env := environment()
	env.Hooks.SSMParameter = func(string, string) (string, error) { return "21", nil }
	env.Hooks.Import = func(string) (string, error) { return "imported", nil }
	env.Hooks.Dynamic = func(DynamicReference) (string, error) { return "resolved", nil }
	for _, p := range tm.Parameters {
		if p.Default == nil {
			env.Parameters[p.Name] = ParameterInput{Value: "value||7"}
		}
	}
	in, found := tm.Bind(env)
	if in == nil {
		t.Errorf("%s: bind: %v %v", path, first(found), first(found).Because)
		return 0
	}
	for _, id := range in.Order {
		res, err := in.Evaluate(id, anything{})
		if err != nil {
			t.Errorf("%s: %s: %v", path, id, err)
			continue
		}
		if !json.Valid(res.Properties.AppendJSON(nil)) {
			t.Errorf("%s: %s: no JSON", path, id)
		}
		res.Properties.Walk(func(v *template.Value) bool {
			if v.Position.Line == 0 {
				t.Errorf("%s: %s has no position", path, v.Path())
			}
			return true
		})
	}
	for _, o := range in.Outputs {
		if _, err := in.EvaluateOutput(o, anything{}); err != nil {
			t.Errorf("%s: output %s: %v", path, o.Name, err)
		}
	}
	return len(in.Order)
}
