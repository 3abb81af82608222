package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// deliveryID is the id of a delivery, by its form in AWS's answers (standard-logging).
var deliveryID = service.ID{Kind: "log-delivery", Alphabet: service.Lower + service.Upper, Length: 16}

// CreateDelivery connects a source with a destination.
func (s *Service) CreateDelivery(ctx context.Context, in *logs.CreateDeliveryInput) (*logs.CreateDeliveryOutput, error) {
	region, src, err := named(ctx, s, resource.DeliverySources, "delivery source", in.DeliverySourceName)
	if err != nil {
		return nil, err
	}
	dst, err := s.destinationOf(ctx, *in.DeliveryDestinationArn)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	for _, d := range resource.Deliveries.All(r, region) {
		if d.Source == src.Name && d.Destination == dst.ARN {
			return nil, refuse(logs.ErrCodeConflictException, "", "Delivery already exists with provided delivery source and delivery destination.", "it is "+d.ID) // text: our words
		}
	}
	v := &resource.Delivery{Source: src.Name, Destination: dst.ARN, Type: dst.Type, Tags: in.Tags,
		ID: s.env.NewID(ctx, deliveryID, func(id string) bool { _, ok := resource.Deliveries.Get(r, region, id); return ok })}
	v.ARN = s.deliveryARN(region, "delivery", v.ID)
	v.Fields, v.Delimiter, v.SuffixPath = defaults(src, dst)
	given := ""
	if c := in.S3DeliveryConfiguration; c != nil {
		given = deref(c.SuffixPath)
	}
	if err := configure(v, dst, in.RecordFields, in.FieldDelimiter, in.S3DeliveryConfiguration); err != nil {
		return nil, err
	}
	if src.Service == "cloudfront" && dst.Type == "S3" && !hasPrefix(dst) {
		v.SuffixPath = accesslog.DefaultSuffix + strings.TrimLeft(given, "/")
	}
	err = replace(ctx, s, resource.Deliveries, v.ID, v)
	return &logs.CreateDeliveryOutput{Delivery: delivery(v)}, err
}

// hasPrefix tells whether a destination is a folder of a bucket (standard-logging, "Specify an S3 bucket").
func hasPrefix(dst *resource.DeliveryDestination) bool {
	a, err := arn.Parse(dst.Resource)
	_, prefix, _ := strings.Cut(a.Resource, "/")
	return err == nil && prefix != ""
}

// destinationOf finds a destination by its ARN.
func (s *Service) destinationOf(ctx context.Context, text string) (*resource.DeliveryDestination, error) {
	a, err := arn.Parse(text)
	if err != nil {
		return nil, unfit("DeliveryDestinationArn", "The provided delivery destination ARN is invalid.", err.Error()) // text: our words
	}
	_, dst, err := s.destination(ctx, new(strings.TrimPrefix(a.Resource, "delivery-destination:")))
	if err != nil || dst.ARN != text {
		return nil, notFound("DeliveryDestinationArn", "Requested delivery destination %s does not exist.", text)
	}
	return dst, nil
}

// formatOf is the output format of a destination, with what AWS takes where none is named: the examples of standard-logging.
func formatOf(dst *resource.DeliveryDestination) string {
	switch {
	case dst.OutputFormat != "":
		return dst.OutputFormat
	case dst.Type == "S3":
		return "w3c"
	}
	return "json"
}

// defaults are what a delivery has that says nothing.
func defaults(src *resource.DeliverySource, dst *resource.DeliveryDestination) (fields []string, delimiter, suffix string) {
	if src.Service == "cloudfront" && src.LogType == "ACCESS_LOGS" {
		fields = accesslog.DefaultColumns()
	}
	if f := formatOf(dst); f == "w3c" || f == "plain" || f == "raw" {
		delimiter = "\t"
	}
	return fields, delimiter, ""
}

// configure checks and sets what a client may choose of a delivery; nil leaves it as it is.
func configure(v *resource.Delivery, dst *resource.DeliveryDestination, fields []string, delimiter *string, s3 *logs.S3DeliveryConfiguration) error {
	if len(fields) > 0 {
		if v.Fields != nil {
			all := accesslog.Columns()
			for i, f := range fields {
				if !slices.Contains(all, f) {
					return unfit(fmt.Sprintf("RecordFields[%d]", i), "The provided record fields are not supported: ["+f+"]", // text: our words
						"fields of access logs are "+strings.Join(all, ", "))
				}
			}
		}
		v.Fields = slices.Clone(fields)
	}
	if delimiter != nil {
		v.Delimiter = *delimiter
	}
	if s3 == nil {
		return nil
	}
	if dst.Type != "S3" {
		return unfit("S3DeliveryConfiguration", "S3 delivery configuration is only supported for delivery destinations of the type S3.", "the destination is of the type "+dst.Type) // text: our words
	}
	if s3.SuffixPath != nil {
		if err := accesslog.CheckSuffix(*s3.SuffixPath); err != nil {
			return unfit("S3DeliveryConfiguration.SuffixPath", "The provided suffix path is invalid.", err.Error()) // text: our words
		}
		v.SuffixPath = *s3.SuffixPath
	}
	if s3.EnableHiveCompatiblePath != nil {
		v.Hive = *s3.EnableHiveCompatiblePath
	}
	return nil
}

func delivery(v *resource.Delivery) *logs.Delivery {
	out := &logs.Delivery{Id: &v.ID, Arn: &v.ARN, DeliverySourceName: &v.Source, DeliveryDestinationArn: &v.Destination, DeliveryDestinationType: &v.Type,
		RecordFields: v.Fields, FieldDelimiter: &v.Delimiter, Tags: v.Tags}
	if v.Type == "S3" {
		out.S3DeliveryConfiguration = &logs.S3DeliveryConfiguration{EnableHiveCompatiblePath: &v.Hive}
		if v.SuffixPath != "" {
			out.S3DeliveryConfiguration.SuffixPath = &v.SuffixPath
		}
	}
	return out
}

// GetDelivery returns a delivery.
func (s *Service) GetDelivery(ctx context.Context, in *logs.GetDeliveryInput) (*logs.GetDeliveryOutput, error) {
	_, v, err := named(ctx, s, resource.Deliveries, "delivery", in.Id)
	if err != nil {
		return nil, err
	}
	return &logs.GetDeliveryOutput{Delivery: delivery(v)}, nil
}

// DescribeDeliveries lists deliveries.
func (s *Service) DescribeDeliveries(ctx context.Context, in *logs.DescribeDeliveriesInput) (*logs.DescribeDeliveriesOutput, error) {
	all, next, err := part(listed(ctx, s, resource.Deliveries, delivery), in.NextToken, in.Limit)
	return &logs.DescribeDeliveriesOutput{Deliveries: all, NextToken: next}, err
}

// UpdateDeliveryConfiguration changes fields, delimiter and path. A suffix path takes the place of the one before, CloudFront's own
// part included (standard-logging, "I changed the suffix path").
func (s *Service) UpdateDeliveryConfiguration(ctx context.Context, in *logs.UpdateDeliveryConfigurationInput) (*logs.UpdateDeliveryConfigurationOutput, error) {
	_, old, err := named(ctx, s, resource.Deliveries, "delivery", in.Id)
	if err != nil {
		return nil, err
	}
	dst, err := s.destinationOf(ctx, old.Destination)
	if err != nil {
		return nil, err
	}
	v := *old
	if err := configure(&v, dst, in.RecordFields, in.FieldDelimiter, in.S3DeliveryConfiguration); err != nil {
		return nil, err
	}
	return &logs.UpdateDeliveryConfigurationOutput{}, replace(ctx, s, resource.Deliveries, v.ID, &v)
}

// DeleteDelivery deletes a delivery; its source and its destination stay.
func (s *Service) DeleteDelivery(ctx context.Context, in *logs.DeleteDeliveryInput) (*logs.DeleteDeliveryOutput, error) {
	region, v, err := named(ctx, s, resource.Deliveries, "delivery", in.Id)
	if err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.Deliveries.Delete(tx, region, v.ID); return nil })
	return &logs.DeleteDeliveryOutput{}, err
}

// DescribeConfigurationTemplates tells what deliveries may be like: those of CloudFront's access logs, the only ones that are made
// here.
func (s *Service) DescribeConfigurationTemplates(ctx context.Context, in *logs.DescribeConfigurationTemplatesInput) (*logs.DescribeConfigurationTemplatesOutput, error) {
	out := &logs.DescribeConfigurationTemplatesOutput{ConfigurationTemplates: []*logs.ConfigurationTemplate{}}
	wants := func(filter []string, v string) bool { return len(filter) == 0 || slices.Contains(filter, v) }
	if in.Service != nil && *in.Service != "cloudfront" || !wants(in.LogTypes, "ACCESS_LOGS") || !wants(in.ResourceTypes, "distribution") || awsapi.CallFrom(ctx).Region != cloudFrontRegion {
		return out, nil
	}
	for _, typ := range []string{"S3", "CWL", "FH"} {
		if wants(in.DeliveryDestinationTypes, typ) {
			out.ConfigurationTemplates = append(out.ConfigurationTemplates, configurationTemplate(typ))
		}
	}
	var err error
	out.ConfigurationTemplates, out.NextToken, err = part(out.ConfigurationTemplates, in.NextToken, in.Limit)
	return out, err
}

func configurationTemplate(typ string) *logs.ConfigurationTemplate {
	src, dst := &resource.DeliverySource{Service: "cloudfront", LogType: "ACCESS_LOGS"}, &resource.DeliveryDestination{Type: typ}
	fields, delimiter, _ := defaults(src, dst)
	t := &logs.ConfigurationTemplate{
		Service: &src.Service, LogType: &src.LogType, ResourceType: new("distribution"), DeliveryDestinationType: &typ,
		DefaultDeliveryConfigValues:                        &logs.ConfigurationTemplateDeliveryConfigValues{RecordFields: fields, FieldDelimiter: &delimiter},
		AllowedOutputFormats:                               []string{"json", "plain", "w3c", "raw"},
		AllowedActionForAllowVendedLogsDeliveryForResource: new("cloudfront:AllowVendedLogDeliveryForResource"),
		AllowedFieldDelimiters:                             []string{"\t", " ", ",", ";", "|"},
	}
	for _, name := range accesslog.Columns() {
		t.AllowedFields = append(t.AllowedFields, &logs.RecordField{Name: &name, Mandatory: new(false)})
	}
	if typ == "S3" {
		t.AllowedOutputFormats = append(t.AllowedOutputFormats, "parquet")
		t.AllowedSuffixPathFields = accesslog.SuffixVariables()
		t.DefaultDeliveryConfigValues.S3DeliveryConfiguration = &logs.S3DeliveryConfiguration{SuffixPath: new(accesslog.DefaultSuffix), EnableHiveCompatiblePath: new(false)}
	}
	return t
}
