package stack

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// unknown records a resource of a type that Foregate does not make, so that the rest can refer to it.
func (d *deployment) unknown(res *cloudformation.Resource) {
	d.keep(d.absent(res))
	if res.Type == "AWS::CDK::Metadata" {
		return // analytics of the CDK: it makes nothing on AWS either (facts: cloudformation 4)
	}
	if strings.HasPrefix(res.Type, "AWS::Serverless::") {
		// With SAM's transform, a template is not read as one of CloudFormation.
		text := "Template format error: Unrecognized resource types: [" + res.Type + "]"
		d.found = append(d.found, diag.Finding{
			Code: diag.InvalidTemplate, Severity: diag.Error, Path: "Resources." + res.LogicalID, Position: res.Position, Message: text,
			Fixes: []string{"add Transform: " + template.SAMTransform}, AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}})
		return
	}
	d.found = append(d.found, diag.Finding{
		Code: diag.UnsupportedResourceType, Severity: diag.Warning, Path: "Resources." + res.LogicalID, Position: res.Position,
		Message: fmt.Sprintf("%s is left out: Foregate does not make %s", res.LogicalID, res.Type),
		Because: []string{"the rest of the template is served; what refers to this resource gets a made-up name"},
	})
}

// returns has what Ref and Fn::GetAtt return for types that Foregate does not make and that served resources often refer to:
// in {name}, {region}, {account}, {partition}, and {scope} of a web ACL. Where an ARN is wanted, another text would be refused. Sources: the types'
// pages in CloudFormation's template reference, "Return values".
var returns = map[string]struct {
	ref        string
	attributes map[string]string
}{
	"AWS::SNS::Topic": {"arn:{partition}:sns:{region}:{account}:{name}", map[string]string{
		"TopicArn": "arn:{partition}:sns:{region}:{account}:{name}", "TopicName": "{name}"}},
	"AWS::SQS::Queue": {"https://sqs.{region}.amazonaws.com/{account}/{name}", map[string]string{
		"Arn": "arn:{partition}:sqs:{region}:{account}:{name}", "QueueName": "{name}", "QueueUrl": "https://sqs.{region}.amazonaws.com/{account}/{name}"}},
	"AWS::DynamoDB::Table": {"{name}", map[string]string{
		"Arn": "arn:{partition}:dynamodb:{region}:{account}:table/{name}", "StreamArn": "arn:{partition}:dynamodb:{region}:{account}:table/{name}/stream/2026-01-01T00:00:00.000"}},
	"AWS::Kinesis::Stream": {"{name}", map[string]string{"Arn": "arn:{partition}:kinesis:{region}:{account}:stream/{name}"}},
	"AWS::KMS::Key":        {"{name}", map[string]string{"Arn": "arn:{partition}:kms:{region}:{account}:key/{name}", "KeyId": "{name}"}},
	"AWS::SecretsManager::Secret": {"arn:{partition}:secretsmanager:{region}:{account}:secret:{name}", map[string]string{
		"Id": "arn:{partition}:secretsmanager:{region}:{account}:secret:{name}"}},
	"AWS::StepFunctions::StateMachine": {"arn:{partition}:states:{region}:{account}:stateMachine:{name}", map[string]string{
		"Arn": "arn:{partition}:states:{region}:{account}:stateMachine:{name}", "Name": "{name}"}},
	"AWS::ElasticLoadBalancingV2::LoadBalancer": {"arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/0000000000000000", map[string]string{
		"LoadBalancerArn": "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/net/{name}/0000000000000000",
		"DNSName":         "{name}-0000000000000000.elb.{region}.amazonaws.com", "CanonicalHostedZoneID": "Z00000000000000000000", "LoadBalancerName": "{name}"}},
	"AWS::WAFv2::WebACL": {"{name}|" + noUUID + "|{Scope}", map[string]string{
		"Arn": "arn:{partition}:wafv2:{region}:{account}:{scope}/webacl/{name}/" + noUUID, "Id": noUUID}},
	"AWS::WAF::WebACL": {noUUID, nil},
}

const noUUID = "00000000-0000-0000-0000-000000000000"

// absent makes up the names of a resource that is not made.
func (d *deployment) absent(res *cloudformation.Resource) resource.StackResource {
	r := resource.StackResource{LogicalID: res.LogicalID, Type: res.Type, PhysicalID: d.opts.StackName + "-" + res.LogicalID, Retain: true, Absent: true}
	shape, ok := returns[res.Type]
	if !ok {
		return r
	}
	name, scope, path := r.PhysicalID, "REGIONAL", "regional"
	if e, err := d.instance.Evaluate(res.LogicalID, d); err == nil { // a name of the template's own: TableName, Name
		name = cmp.Or(text(e.Properties, res.Type[strings.LastIndexByte(res.Type, ':')+1:]+"Name"), text(e.Properties, "Name"), name)
		if text(e.Properties, "Scope") == "CLOUDFRONT" {
			scope, path = "CLOUDFRONT", "global"
		}
	}
	fill := strings.NewReplacer("{name}", name, "{region}", d.opts.Region, "{account}", d.opts.Account, "{partition}", arn.Partition(d.opts.Region),
		"{Scope}", scope, "{scope}", path)
	r.PhysicalID, r.Attributes = fill.Replace(shape.ref), map[string]string{}
	for k, v := range shape.attributes {
		r.Attributes[k] = fill.Replace(v)
	}
	return r
}

// madeUp is an attribute of a resource that is not made.
func (d *deployment) madeUp(r resource.StackResource, attribute string) string {
	if v, ok := r.Attributes[attribute]; ok {
		return v
	}
	if strings.HasSuffix(attribute, "Arn") {
		return fmt.Sprintf("arn:%s:unsupported:%s:%s:%s", arn.Partition(d.opts.Region), d.opts.Region, d.opts.Account, r.PhysicalID)
	}
	return r.PhysicalID + "." + attribute
}

// leaveOut takes back the findings since mark when they come from the made-up name of a resource that Foregate does not make:
// AWS has the real one and would not refuse. What was refused is left out like that resource.
func (d *deployment) leaveOut(res *cloudformation.Resource, props *template.Value, mark int) {
	cause := d.causeOf(res, props, d.found[mark:])
	if cause == nil {
		return
	}
	first, why := d.found[mark], "which is left out"
	if _, known := resourceTypes[cause.Type]; !known {
		why = "and Foregate does not make " + cause.Type
	}
	d.found = append(d.found[:mark], diag.Finding{
		Code: diag.UnsupportedResourceType, Severity: diag.Warning, Path: first.Path, Position: first.Position,
		Message: fmt.Sprintf("%s is left out: it needs %s, %s", res.LogicalID, cause.LogicalID, why),
		Because: []string{"with a made-up name in its place: " + first.Message},
	})
	delete(d.fails, res.LogicalID)
	d.keep(d.absent(res))
}

// causeOf finds the absent resource that all of the findings are about, nil when there is none.
func (d *deployment) causeOf(res *cloudformation.Resource, props *template.Value, found []diag.Finding) *resource.StackResource {
	if len(found) == 0 {
		return nil
	}
	for _, id := range d.instance.Dependencies(res.LogicalID) {
		dep, ok := d.done[id]
		if !ok || !dep.Absent {
			continue
		}
		names, in := append(slices.Collect(maps.Values(dep.Attributes)), dep.PhysicalID), props
		if in == nil { // they could not be evaluated: a text stands where a list should, for example
			names, in = []string{dep.LogicalID}, res.Properties
		}
		about := func(f diag.Finding) bool { return quotes(f, dep.PhysicalID) || mentions(in, f.Path, names) }
		if !slices.ContainsFunc(found, func(f diag.Finding) bool { return !about(f) }) {
			return &dep
		}
	}
	return nil
}

// quotes tells whether a finding shows the name.
func quotes(f diag.Finding, name string) bool {
	return strings.Contains(f.Message, name) || f.AWSError != nil && strings.Contains(f.AWSError.Message, name) ||
		slices.ContainsFunc(f.Because, func(s string) bool { return strings.Contains(s, name) })
}

// mentions tells whether the value at path, or one in it, has one of the names.
func mentions(props *template.Value, path string, names []string) bool {
	if props == nil || path == "" || path == props.Path() {
		return false
	}
	yes := false
	props.Walk(func(v *template.Value) bool {
		if at := v.Path(); v.IsScalar() && (at == path || strings.HasPrefix(at, path+".") || strings.HasPrefix(at, path+"[")) {
			yes = yes || slices.ContainsFunc(names, func(name string) bool { return strings.Contains(v.Text, name) })
		}
		return !yes
	})
	return yes
}
