package template

import "strings"

// Format is a kind of source that Foregate takes.
type Format uint8

// The formats.
const (
	Unknown Format = iota
	CloudFormation
	SAM
	CDKManifest
	TerraformPlan
	TerraformState
	OpenAPI
	DistributionConfig
)

// String returns the name that messages use.
func (f Format) String() string {
	return [...]string{
		"unknown", "CloudFormation", "SAM", "CDK manifest", "Terraform plan", "Terraform state", "OpenAPI", "DistributionConfig",
	}[f]
}

// SAMTransform is the transform that makes a CloudFormation template a SAM template.
const SAMTransform = "AWS::Serverless-2016-10-31"

// Detect says which format a text is in, from its top-level keys; Unknown when it cannot be read or looks like none.
func Detect(data []byte) Format {
	// A plan or a manifest may be larger than a template. It has a value for each two bytes at most: what has more are aliases.
	values := min(5_000_000, Limits{}.withDefaults().Values+len(data)/2)
	root, err := Read("", data, Limits{Bytes: 64 << 20, Depth: 512, Values: values})
	if err != nil {
		return Unknown
	}
	return DetectValue(root)
}

// DetectValue is Detect for a text that has been read.
func DetectValue(root *Value) Format {
	has := func(keys ...string) bool {
		for _, k := range keys {
			if root.Get(k) == nil {
				return false
			}
		}
		return true
	}
	switch {
	case root == nil || root.Kind != Map:
		return Unknown
	case has("openapi"), has("swagger"):
		return OpenAPI
	case has("AWSTemplateFormatVersion"), has("Resources") && root.Get("Resources").Kind == Map:
		if usesSAM(root) {
			return SAM
		}
		return CloudFormation
	// terraform show -json: a plan has planned_values, a state has values (developer.hashicorp.com/terraform/internals/json-format).
	case has("terraform_version") && (has("planned_values") || has("resource_changes")):
		return TerraformPlan
	case has("terraform_version") && has("values"), has("format_version", "values"), has("terraform_version", "lineage"):
		return TerraformState
	case has("version", "artifacts"):
		return CDKManifest
	case has("CallerReference", "Origins", "DefaultCacheBehavior"), has("DistributionConfig"):
		return DistributionConfig
	case has("Distribution") && root.Get("Distribution").Get("DistributionConfig") != nil:
		return DistributionConfig
	case has("Origins", "DefaultCacheBehavior"):
		return DistributionConfig
	}
	return Unknown
}

func usesSAM(root *Value) bool {
	t := root.Get("Transform")
	if t == nil {
		return false
	}
	if t.Kind == List {
		for _, item := range t.Items {
			if item.Text == SAMTransform {
				return true
			}
		}
	}
	return strings.TrimSpace(t.Text) == SAMTransform
}
