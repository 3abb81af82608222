package cloudfront

import (
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// The quotas of Lambda@Edge functions that an association checks (DG-cloudfront-limits, 2026). Until 2025 viewer events had less:
// 1 MB, 128 MB of memory and 5 s; the pages of 2026 have one quota for all events.
const (
	maxEdgeCode    = 50 << 20 // bytes of the package
	maxEdgeTimeout = 30       // seconds
	maxEdgeStorage = 512      // MB of /tmp
)

const (
	docLambdaEdge  = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-at-edge-function-restrictions.html"
	docEdgeRole    = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-edge-permissions.html"
	edgePrincipal  = "edgelambda.amazonaws.com"
	lambdaService  = "lambda.amazonaws.com"
	triggeredBy    = "for functions that are triggered by a CloudFront event"
	edgeRuntimes   = "Lambda@Edge runs Node.js and Python only"
	noEnvironment  = "write the values into the code, or read them from Parameter Store, a custom origin header or a file of the package"
	ownEnvironment = "the variables that Lambda sets itself are there: AWS_REGION, AWS_LAMBDA_FUNCTION_NAME and their kin"
)

// noLambdaAssociation is BC's documentation of the error, for what no public source has AWS's own text of.
const noLambdaAssociation = "The specified Lambda@Edge function association is invalid."

func lambdaAssociation(path, text, because string, fixes ...string) error {
	f := diag.Finding{Doc: docLambdaEdge, Fixes: fixes}
	if because != "" {
		f.Because = []string{because}
	}
	return refuse(cloudfront.ErrCodeInvalidLambdaFunctionAssociation, path, text, f)
}

// checkLambda wants a numbered version in us-east-1, of a function that Lambda@Edge takes (DG-lambda-at-edge-function-restrictions).
// The texts are AWS's: silvermine/serverless-plugin-cloudfront-lambda-edge 63 and 72, aws/aws-cdk 1474; that for an ARN without a
// version is quoted in several Terraform files.
func (s *Service) checkLambda(r store.Reader, text, path string) error {
	a, err := arn.Parse(text)
	parts := strings.Split(a.Resource, ":")
	if err != nil || a.Service != "lambda" || len(parts) < 2 || parts[0] != "function" {
		return lambdaAssociation(path, noLambdaAssociation, fmt.Sprintf("%q is no ARN of a Lambda function", text))
	}
	if a.Region != "us-east-1" {
		return lambdaAssociation(path, "The function must be in region 'us-east-1'. ARN: "+text, fmt.Sprintf("the function is in %s", a.Region), "deploy the function in us-east-1")
	}
	if len(parts) != 3 || parts[2] == "" || strings.Trim(parts[2], "0123456789") != "" {
		return lambdaAssociation(path, "The function ARN must reference a specific function version. (The ARN must end with the version number.) ARN: "+text,
			"the ARN has neither $LATEST nor an alias, but a version's number", "make an AWS::Lambda::Version and refer to it: its Ref is the ARN with the version")
	}
	v, ok := resource.FunctionVersions.Get(r, a.Region, resource.FunctionPartID(parts[1], parts[2]))
	if !ok || a.Account != s.env.Account {
		return lambdaAssociation(path, "Lambda@Edge cannot retrieve the specified Lambda function. Update the IAM policy to add permission: lambda:GetFunction for resource: "+text+" and try again.",
			fmt.Sprintf("there is no function %s", text))
	}
	if err := checkEdgeFeatures(v.Config, text, path); err != nil {
		return err
	}
	if err := checkEdgeQuotas(v.Config, text, path); err != nil {
		return err
	}
	return checkEdgeRole(r, deref(v.Config.Role), path)
}

// checkEdgeFeatures refuses what Lambda@Edge lacks (DG-lambda-at-edge-function-restrictions, "Lambda features"). AWS's texts:
// variables anomalyco/ion 1194, layers serverless-nextjs/serverless-next.js 982, arm64 opennextjs/opennextjs-aws 47.
func checkEdgeFeatures(c *lambda.FunctionConfiguration, text, path string) error {
	no := func(message, because string, fixes ...string) error {
		return lambdaAssociation(path, message+" Function: "+text, because, fixes...)
	}
	if deref(c.PackageType) == "Image" {
		return lambdaAssociation(path, "Lambda@Edge does not support functions with a repository type of ECR", "the function is a container image", "deploy it as a .zip package")
	}
	for _, architecture := range c.Architectures {
		if architecture != "x86_64" {
			return lambdaAssociation(path, "Lambda@Edge does not support functions with an architecture of "+architecture, "", "set Architectures to [x86_64]")
		}
	}
	runtime := deref(c.Runtime)
	switch {
	case !strings.HasPrefix(runtime, "nodejs") && !strings.HasPrefix(runtime, "python"):
		// The beginning is AWS's; what it expects today is not recorded.
		return no("The function has an invalid runtime "+triggeredBy+": "+runtime+" Expecting: nodejs, python", edgeRuntimes)
	case c.Environment != nil && len(c.Environment.Variables) > 0:
		return no("The function cannot have environment variables.", ownEnvironment, noEnvironment)
	case len(c.Layers) > 0:
		return no("The function cannot have a layer.", "", "put what the layer holds into the function's own package")
	case c.VpcConfig != nil && len(c.VpcConfig.SubnetIds) > 0:
		return no("The function cannot have a VPC configuration.", "the function is to run inside of a VPC", "take VpcConfig out") // text: our words
	case c.DeadLetterConfig != nil && deref(c.DeadLetterConfig.TargetArn) != "":
		return no("The function cannot have a dead letter queue.", "", "take DeadLetterConfig out") // text: our words
	case c.TracingConfig != nil && deref(c.TracingConfig.Mode) == "Active":
		return no("The function cannot have X-Ray tracing.", "TracingConfig.Mode is Active", "set it to PassThrough") // text: our words
	case deref(c.KMSKeyArn) != "":
		return no("The function cannot be encrypted with a customer managed key.", "", "take the key out") // text: our words
	case c.EphemeralStorage != nil && deref(c.EphemeralStorage.Size) > maxEdgeStorage:
		return no(fmt.Sprintf("The function ephemeral storage is larger than the maximum allowed "+triggeredBy+": %d Max allowed: %d", deref(c.EphemeralStorage.Size), maxEdgeStorage), // text: our words
			"/tmp has at most 512 MB", "take EphemeralStorage out")
	}
	return nil
}

// checkEdgeQuotas compares a function with the quotas of Lambda@Edge. Memory has Lambda's own quota. AWS's texts:
// Widen/cloudfront-auth 43, awslabs/aws-cloudfront-extensions 112.
func checkEdgeQuotas(c *lambda.FunctionConfiguration, text, path string) error {
	switch size, timeout := deref(c.CodeSize), deref(c.Timeout); {
	case size > maxEdgeCode:
		return lambdaAssociation(path, fmt.Sprintf("The function code size is larger than the maximum allowed size "+triggeredBy+": %d Max allowed: %d Function: %s", size, maxEdgeCode, text),
			"", "leave out what the function does not use; a bundler does")
	case timeout > maxEdgeTimeout:
		return lambdaAssociation(path, fmt.Sprintf("The function timeout is larger than the maximum allowed "+triggeredBy+": %d Max allowed: %d Function: %s", timeout, maxEdgeTimeout, text),
			"", fmt.Sprintf("set Timeout to %d at most", maxEdgeTimeout))
	}
	return nil
}

// checkEdgeRole wants an execution role that both principals may assume (DG-lambda-edge-permissions). A role that is not stored
// here is taken at its word, as by Lambda's own handlers.
func checkEdgeRole(r store.Reader, role, path string) error {
	v, ok := resource.Roles.Get(r, global, role[strings.LastIndexByte(role, '/')+1:])
	if !ok || v.ARN != role {
		return nil
	}
	trust, err := iam.Parse([]byte(v.TrustPolicy))
	if err != nil {
		return fmt.Errorf("read trust policy of role %q: %w", v.Name, err) // CreateRole has checked it
	}
	account := ""
	if a, err := arn.Parse(role); err == nil {
		account = a.Account
	}
	for _, name := range []string{edgePrincipal, lambdaService} {
		principal := iam.ServicePrincipal(name)
		d := iam.EvaluateTrust(&iam.Request{Principal: &principal, ResourcePolicy: &iam.NamedPolicy{Name: "trust policy of " + v.Name, Document: trust},
			Action: "sts:AssumeRole", Resource: role, Account: account})
		if !d.Allowed() {
			return refuse(cloudfront.ErrCodeInvalidLambdaFunctionAssociation, path, "The function execution role must be assumable with edgelambda.amazonaws.com as well as lambda.amazonaws.com principals. Update the IAM role and try again. Role: "+role, diag.Finding{
				Because: []string{fmt.Sprintf("the trust policy of %s does not let %s assume it", v.Name, name)},
				Fixes:   []string{"name both in AssumeRolePolicyDocument: Principal: {Service: [lambda.amazonaws.com, edgelambda.amazonaws.com]}"}, Doc: docEdgeRole})
		}
	}
	return nil
}
