package logs

import (
	"context"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const distribution = "arn:aws:cloudfront::123456789012:distribution/E1"

// deliverable is a service whose account has a distribution and a log group.
func deliverable(t *testing.T) (*Service, context.Context) {
	t.Helper()
	s, ctx := newService()
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.Distributions.Put(tx, resource.Global, "E1", &resource.Distribution{ID: "E1"})
		resource.LogGroups.Put(tx, "us-east-1", "g", &resource.LogGroup{Name: "g"})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, ctx
}

// must returns the first of two when there is no error.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func refused(t *testing.T, err error, code, text string) {
	t.Helper()
	if e := awsapi.AsError(err); e == nil || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("got %v, want %s: %s", err, code, text)
	}
}

func destinationFor(arn, format string) *logs.PutDeliveryDestinationInput {
	in := &logs.PutDeliveryDestinationInput{Name: new("to"), DeliveryDestinationConfiguration: &logs.DeliveryDestinationConfiguration{DestinationResourceArn: &arn}}
	if format != "" {
		in.OutputFormat = &format
	}
	return in
}

// The steps of standard-logging, "Enable standard logging (CloudWatch API)".
func TestDelivery(t *testing.T) {
	s, ctx := deliverable(t)
	src := must(s.PutDeliverySource(ctx, &logs.PutDeliverySourceInput{Name: new("from"), ResourceArn: new(distribution), LogType: new("ACCESS_LOGS"), Tags: map[string]string{"a": "b"}}))(t).DeliverySource
	if *src.Arn != "arn:aws:logs:us-east-1:123456789012:delivery-source:from" || *src.Service != "cloudfront" || src.ResourceArns[0] != distribution {
		t.Errorf("source %+v", src)
	}
	_, err := s.PutDeliverySource(ctx, &logs.PutDeliverySourceInput{Name: new("other"), ResourceArn: new(distribution), LogType: new("ACCESS_LOGS")})
	refused(t, err, "ConflictException", "This ResourceId has already been used in another Delivery Source in this account")
	dst := must(s.PutDeliveryDestination(ctx, destinationFor("arn:aws:s3:::bucket", "")))(t).DeliveryDestination
	if *dst.DeliveryDestinationType != "S3" || dst.OutputFormat != nil {
		t.Errorf("destination %+v", dst)
	}
	d := must(s.CreateDelivery(ctx, &logs.CreateDeliveryInput{DeliverySourceName: src.Name, DeliveryDestinationArn: dst.Arn}))(t).Delivery
	if len(d.RecordFields) != 35 || *d.FieldDelimiter != "\t" || *d.S3DeliveryConfiguration.SuffixPath != "AWSLogs/{account-id}/CloudFront/" || *d.S3DeliveryConfiguration.EnableHiveCompatiblePath {
		t.Errorf("delivery %+v", d)
	}
	_, err = s.CreateDelivery(ctx, &logs.CreateDeliveryInput{DeliverySourceName: src.Name, DeliveryDestinationArn: dst.Arn})
	refused(t, err, "ConflictException", "already exists")
	must(s.UpdateDeliveryConfiguration(ctx, &logs.UpdateDeliveryConfigurationInput{Id: d.Id, RecordFields: []string{"asn"}, FieldDelimiter: new(","),
		S3DeliveryConfiguration: &logs.S3DeliveryConfiguration{SuffixPath: new("myFolderA")}}))(t)
	d = must(s.GetDelivery(ctx, &logs.GetDeliveryInput{Id: d.Id}))(t).Delivery
	if len(d.RecordFields) != 1 || *d.FieldDelimiter != "," || *d.S3DeliveryConfiguration.SuffixPath != "myFolderA" {
		t.Errorf("updated %+v", d)
	}
	must(s.TagResource(ctx, &logs.TagResourceInput{ResourceArn: src.Arn, Tags: map[string]string{"c": "d"}}))(t)
	must(s.UntagResource(ctx, &logs.UntagResourceInput{ResourceArn: src.Arn, TagKeys: []string{"a"}}))(t)
	if tags := must(s.ListTagsForResource(ctx, &logs.ListTagsForResourceInput{ResourceArn: src.Arn}))(t).Tags; len(tags) != 1 || tags["c"] != "d" {
		t.Errorf("tags %v", tags)
	}
	_, err = s.DeleteDeliverySource(ctx, &logs.DeleteDeliverySourceInput{Name: src.Name})
	refused(t, err, "ConflictException", "")
	_, err = s.DeleteDeliveryDestination(ctx, &logs.DeleteDeliveryDestinationInput{Name: dst.Name})
	refused(t, err, "ConflictException", "")
	must(s.DeleteDelivery(ctx, &logs.DeleteDeliveryInput{Id: d.Id}))(t)
	must(s.DeleteDeliverySource(ctx, &logs.DeleteDeliverySourceInput{Name: src.Name}))(t)
	must(s.DeleteDeliveryDestination(ctx, &logs.DeleteDeliveryDestinationInput{Name: dst.Name}))(t)
	_, err = s.GetDelivery(ctx, &logs.GetDeliveryInput{Id: d.Id})
	refused(t, err, "ResourceNotFoundException", "")
}

func TestDestinations(t *testing.T) {
	s, ctx := deliverable(t)
	for _, c := range []struct{ arn, format, typ, code string }{
		{"arn:aws:s3:::bucket/prefix", "parquet", "S3", ""},
		{"arn:aws:logs:us-east-1:123456789012:log-group:g:*", "w3c", "CWL", ""},
		{"arn:aws:logs:us-east-1:123456789012:log-group:none", "", "", "ResourceNotFoundException"},
		{"arn:aws:logs:us-east-1:123456789012:log-group:g", "parquet", "", "ValidationException"},
		{"arn:aws:firehose:us-east-1:123456789012:deliverystream/f", "json", "FH", ""},
		{"arn:aws:sqs:us-east-1:123456789012:q", "json", "", "ValidationException"},
		{"bucket", "json", "", "ValidationException"},
	} {
		out, err := s.PutDeliveryDestination(ctx, destinationFor(c.arn, c.format))
		if c.code != "" {
			refused(t, err, c.code, "")
			continue
		}
		if err != nil || *out.DeliveryDestination.DeliveryDestinationType != c.typ {
			t.Fatalf("%s: %+v, %v", c.arn, out, err)
		}
		must(s.DeleteDeliveryDestination(ctx, &logs.DeleteDeliveryDestinationInput{Name: new("to")}))(t)
	}
	must(s.PutDeliveryDestination(ctx, destinationFor("arn:aws:s3:::bucket", "json")))(t)
	_, err := s.PutDeliveryDestination(ctx, destinationFor("arn:aws:s3:::bucket", "w3c"))
	refused(t, err, "ValidationException", "cannot be updated")
	// The policy of standard-logging, "Configure the destination account".
	policy := `{"Version":"2012-10-17","Statement":[{"Sid":"AllowCreateDelivery","Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":["logs:CreateDelivery"],"Resource":"arn:aws:logs:us-east-1:222222222222:delivery-destination:to"}]}`
	put := func(text string) error {
		_, err := s.PutDeliveryDestinationPolicy(ctx, &logs.PutDeliveryDestinationPolicyInput{DeliveryDestinationName: new("to"), DeliveryDestinationPolicy: &text})
		return err
	}
	if err := put(policy); err != nil {
		t.Error(err)
	}
	refused(t, put(strings.Replace(policy, "logs:CreateDelivery", "logs:PutLogEvents", 1)), "ValidationException", "Invalid Delivery Destination resource Policy is provided.")
	refused(t, put("{"), "ValidationException", "Invalid")
	if p := must(s.GetDeliveryDestinationPolicy(ctx, &logs.GetDeliveryDestinationPolicyInput{DeliveryDestinationName: new("to")}))(t).Policy; *p.DeliveryDestinationPolicy != policy {
		t.Errorf("policy %v", p)
	}
	must(s.DeleteDeliveryDestinationPolicy(ctx, &logs.DeleteDeliveryDestinationPolicyInput{DeliveryDestinationName: new("to")}))(t)
	_, err = s.DeleteDeliveryDestinationPolicy(ctx, &logs.DeleteDeliveryDestinationPolicyInput{DeliveryDestinationName: new("to")})
	refused(t, err, "ResourceNotFoundException", "")
}

func TestSourcesOfCloudFront(t *testing.T) {
	s, ctx := deliverable(t)
	put := func(ctx context.Context, arn, typ string) error {
		_, err := s.PutDeliverySource(ctx, &logs.PutDeliverySourceInput{Name: new("from"), ResourceArn: &arn, LogType: &typ})
		return err
	}
	refused(t, put(awsapi.WithCall(context.Background(), &awsapi.Call{Region: "eu-west-1"}), distribution, "ACCESS_LOGS"), "ValidationException", "region")
	refused(t, put(ctx, distribution, "ERROR_LOGS"), "ValidationException", "log type")
	refused(t, put(ctx, "arn:aws:cloudfront::123456789012:function/f", "ACCESS_LOGS"), "ValidationException", "ARN")
	refused(t, put(ctx, "arn:aws:cloudfront::123456789012:distribution/E2", "ACCESS_LOGS"), "ResourceNotFoundException", "E2")
	refused(t, put(ctx, "E1", "ACCESS_LOGS"), "ValidationException", "ARN")
	for _, name := range []string{"a", "b", "c"} {
		must(s.PutDeliverySource(ctx, &logs.PutDeliverySourceInput{Name: &name, ResourceArn: new("arn:aws:bedrock:us-east-1:123456789012:agent/" + name), LogType: new("APPLICATION_LOGS")}))(t)
	}
	first := must(s.DescribeDeliverySources(ctx, &logs.DescribeDeliverySourcesInput{Limit: new(int64(2))}))(t)
	rest := must(s.DescribeDeliverySources(ctx, &logs.DescribeDeliverySourcesInput{NextToken: first.NextToken}))(t)
	if len(first.DeliverySources) != 2 || len(rest.DeliverySources) != 1 || *rest.DeliverySources[0].Name != "c" || rest.NextToken != nil {
		t.Errorf("%d and %d sources", len(first.DeliverySources), len(rest.DeliverySources))
	}
	templates := must(s.DescribeConfigurationTemplates(ctx, &logs.DescribeConfigurationTemplatesInput{Service: new("cloudfront"), DeliveryDestinationTypes: []string{"S3"}}))(t).ConfigurationTemplates
	if len(templates) != 1 || len(templates[0].AllowedFields) != 43 || len(templates[0].DefaultDeliveryConfigValues.RecordFields) != 35 {
		t.Errorf("templates %+v", templates)
	}
}
