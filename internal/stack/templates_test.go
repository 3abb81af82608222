package stack

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/bucket"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/service/acm"
	"github.com/foregate/foregate/internal/service/apigateway"
	"github.com/foregate/foregate/internal/service/cloudfront"
	"github.com/foregate/foregate/internal/service/iam"
	"github.com/foregate/foregate/internal/service/lambda"
	"github.com/foregate/foregate/internal/service/logs"
	"github.com/foregate/foregate/internal/service/route53"
	"github.com/foregate/foregate/internal/service/s3"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// testTime is the clock of every test.
func testTime() time.Time { return time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC) }

// allServices are the services on a new store.
func allServices() *Services {
	env := &service.Env{Store: store.Memory(testTime), Now: testTime, Account: "000000000000", Seed: []byte("test")}
	memory := map[string]bucket.Objects{}
	objects := func(name string) (bucket.Objects, error) {
		if memory[name] == nil {
			memory[name] = bucket.NewMemory(testTime)
		}
		return memory[name], nil
	}
	return &Services{
		Env: env, ACM: acm.New(env, nil), APIGateway: apigateway.New(env), CloudFront: cloudfront.New(env, nil), IAM: iam.New(env),
		Lambda: lambda.New(env, lambda.Options{}), Logs: logs.New(env), Route53: route53.New(env), S3: s3.New(env, objects),
	}
}

// TestTemplates deploys the templates of the vectors; types that Foregate does not make are left out. Each refusal is explained in refusedTemplates.
func TestTemplates(t *testing.T) {
	dir := os.Getenv("FOREGATE_VECTORS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "vectors")
	}
	dir = filepath.Join(dir, "templates")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no test vectors (set FOREGATE_VECTORS): %v", err)
	}
	deployed, refused := 0, 0
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		tmpl, found := cloudformation.Parse(path, data)
		if tmpl == nil || diag.Worst(found) == diag.Error {
			return nil
		}
		out := deployVector(t, path, tmpl)
		reason := refusedTemplates[filepath.Base(path)]
		if slices.ContainsFunc(tmpl.Resources, func(r *cloudformation.Resource) bool { return strings.HasPrefix(r.Type, "AWS::Serverless::") }) {
			reason = "Unrecognized resource types: [AWS::Serverless::" // pieces of SAM's manual, without its transform
		}
		text, missing := "", 0
		for _, f := range out.Findings {
			// Distributions must not go missing for the sake of a name that was made up badly. An API whose document comes from a
			// custom resource does, and a record that selects from a list of the absent resource.
			if strings.Contains(f.Message, " is left out: it needs ") && !strings.Contains(path, "aws-openapigateway-lambda") && !strings.Contains(path, "vpc-endpoint") {
				t.Errorf("%s: %s (%s)", path[len(dir):], f.Message, strings.Join(f.Because, "; "))
			}
			if f.Severity == diag.Error {
				if strings.Contains(f.Message, "Foregate does not implement") {
					missing++
				}
				text += "\n\t" + f.Position.String()[len(dir):] + ": " + f.Message + " (" + strings.Join(f.Because, "; ") + ")"
			}
		}
		switch {
		case missing > 0 && reason == "":
			t.Logf("%s waits for an operation:%s", path[len(dir):], text)
		case out.Stack != nil && reason == "":
			deployed++
		case out.Stack != nil:
			t.Errorf("%s deploys; it is listed as refused: %s", path[len(dir):], reason)
		case reason == "" || !strings.Contains(text, reason):
			t.Errorf("%s is refused; want %q:%s", path[len(dir):], reason, text)
		default:
			refused++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d templates deployed, %d refused", deployed, refused)
	if deployed < 20 {
		t.Errorf("only %d templates deployed", deployed)
	}
}

// deployVector deploys a template with a value for every parameter that has none.
func deployVector(t *testing.T, path string, tmpl *cloudformation.Template) (out Outcome) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Errorf("%s: panic: %v", path, p)
		}
	}()
	params := map[string]string{}
	for _, p := range tmpl.Parameters {
		if p.Default == nil {
			params[p.Name] = vectorValue(p)
		}
	}
	return allServices().Deploy(t.Context(), tmpl, Options{Region: "us-east-1", Account: "000000000000", StackName: "vector", Parameters: params, Folder: filepath.Dir(path)})
}

// vectorValue makes up a parameter.
func vectorValue(p *cloudformation.Parameter) string {
	name := strings.ToLower(p.Name)
	switch {
	case strings.Contains(name, "certificate"):
		return "arn:aws:acm:us-east-1:000000000000:certificate/11111111-2222-3333-4444-555555555555"
	case strings.HasPrefix(name, "assetparameters") && strings.Contains(name, "versionkey"):
		return "assets/||code.zip" // facts: cloudformation 4
	case strings.HasPrefix(name, "validate"), strings.HasPrefix(name, "generate"):
		return "true"
	case name == "responsetype":
		return "DEFAULT_4XX"
	case p.Type == "Number", strings.Contains(name, "size"):
		return "1"
	case name == "statuscode":
		return "404"
	case name == "type":
		return "EDGE"
	}
	return "www.example.com"
}

// refusedTemplates are the templates that AWS would refuse as well, by file, with a part of the finding.
var refusedTemplates = map[string]string{
	// The OpenAPI document is an asset in the CDK's bucket.
	"integ.api-definition.asset.expected.json": "cannot be fetched from S3",
	// A bucket policy for everyone, from before buckets blocked such policies (April 2023).
	"integ.cloudfront-custom-s3.expected.json": "BlockPublicPolicy",
	// Buckets for CloudFront's logs, from before new buckets had their access control lists disabled (April 2023).
	"integ.cloudfront-bucket-logging.expected.json": "does not enable ACL access", "integ.distribution-extensive.expected.json": "does not enable ACL access",
	// The manual writes Property in place of Properties.
	"aws-resource-apigateway-documentationversion-01.json": "required key [Properties] not found",
	"aws-resource-apigateway-documentationversion-02.yaml": "required key [Properties] not found",
	// The default of a parameter is no boolean.
	"aws-resource-apigateway-method-03.json": "#/ValidateRequestBody: expected type: Boolean, found: String",
	"aws-resource-apigateway-method-04.yaml": "#/ValidateRequestBody: expected type: Boolean, found: String",
	// An integration response for a status that the method does not declare.
	"apikin-method-responses.template.json": "Invalid Response status code specified",
	// They import from SharedStack, which is another template.
	"KitchenStaffStack.template.json": "No export named", "ManagerStack.template.json": "No export named", "ServiceStaffStack.template.json": "No export named",
	// The manual's placeholders: boolean-value, integer-value, an identity of another account.
	"aws-resource-cloudfront-distribution-01.json": "#/DistributionConfig/IPV6Enabled: expected type: Boolean, found: String",
	"aws-resource-cloudfront-distribution-02.yaml": "#/DistributionConfig/IPV6Enabled: expected type: Boolean, found: String",
	"quickref-cloudfront-04.json":                  "The origin access identity is not valid or doesn't exist.",
	"quickref-cloudfront-05.yaml":                  "The origin access identity is not valid or doesn't exist.",
}
