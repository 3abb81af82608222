package logs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// destinationTypes says which type of destination an ARN is.
func destinationType(a arn.ARN) string {
	switch {
	case a.Service == "s3" && a.Region == "" && a.Account == "":
		return "S3"
	case a.Service == "logs" && strings.HasPrefix(a.Resource, "log-group:"):
		return "CWL"
	case a.Service == "firehose" && strings.HasPrefix(a.Resource, "deliverystream/"):
		return "FH"
	}
	return ""
}

// PutDeliveryDestination makes or replaces a destination.
func (s *Service) PutDeliveryDestination(ctx context.Context, in *logs.PutDeliveryDestinationInput) (*logs.PutDeliveryDestinationOutput, error) {
	region := awsapi.CallFrom(ctx).Region
	v := &resource.DeliveryDestination{Name: *in.Name, Type: deref(in.DeliveryDestinationType), OutputFormat: deref(in.OutputFormat), Tags: in.Tags,
		ARN: s.deliveryARN(region, "delivery-destination", *in.Name)}
	if c := in.DeliveryDestinationConfiguration; c != nil {
		v.Resource = deref(c.DestinationResourceArn)
	}
	if err := s.checkDestination(ctx, v); err != nil {
		return nil, err
	}
	if old, ok := resource.DeliveryDestinations.Get(s.env.Store.Read(ctx), region, v.Name); ok {
		if v.OutputFormat != "" && v.OutputFormat != old.OutputFormat {
			return nil, unfit("OutputFormat", "The output format of a delivery destination cannot be updated.", // text: our words
				"a destination has its output format from its first day", "delete the delivery and the destination, and make them again")
		}
		v.OutputFormat, v.Policy = old.OutputFormat, old.Policy
		if v.Tags == nil {
			v.Tags = old.Tags
		}
	}
	err := replace(ctx, s, resource.DeliveryDestinations, v.Name, v)
	return &logs.PutDeliveryDestinationOutput{DeliveryDestination: deliveryDestination(v)}, err
}

// checkDestination checks a destination, and sets its type.
func (s *Service) checkDestination(ctx context.Context, v *resource.DeliveryDestination) error {
	const path = "DeliveryDestinationConfiguration.DestinationResourceArn"
	if v.Type == "XRAY" && v.Resource == "" {
		return nil
	}
	a, err := arn.Parse(v.Resource)
	if err != nil {
		return unfit(path, "The provided destination resource ARN is invalid.", err.Error()) // text: our words
	}
	typ := destinationType(a)
	switch {
	case typ == "":
		return unfit(path, "The provided destination resource ARN is invalid.", // text: our words
			fmt.Sprintf("%q is neither a bucket nor a log group nor a stream of Firehose", v.Resource))
	case v.Type != "" && v.Type != typ:
		return unfit("DeliveryDestinationType", "The delivery destination type does not match the destination resource.", fmt.Sprintf("%q is of the type %s", v.Resource, typ)) // text: our words
	case v.OutputFormat == "parquet" && typ != "S3":
		return unfit("OutputFormat", "The output format parquet is not supported for the delivery destination type "+typ+".", "Parquet is for Amazon S3 only") // text: our words
	case typ == "CWL" && a.Account == s.env.Account:
		if _, ok := resource.LogGroups.Get(s.env.Store.Read(ctx), a.Region, groupName(v.Resource)); !ok {
			return notFound(path, "The specified log group does not exist.")
		}
	}
	v.Type = typ
	return nil
}

func deliveryDestination(v *resource.DeliveryDestination) *logs.DeliveryDestination {
	out := &logs.DeliveryDestination{Name: &v.Name, Arn: &v.ARN, DeliveryDestinationType: &v.Type, Tags: v.Tags}
	if v.Resource != "" {
		out.DeliveryDestinationConfiguration = &logs.DeliveryDestinationConfiguration{DestinationResourceArn: &v.Resource}
	}
	if v.OutputFormat != "" {
		out.OutputFormat = &v.OutputFormat
	}
	return out
}

func (s *Service) destination(ctx context.Context, name *string) (string, *resource.DeliveryDestination, error) {
	return named(ctx, s, resource.DeliveryDestinations, "delivery destination", name)
}

// GetDeliveryDestination returns a destination.
func (s *Service) GetDeliveryDestination(ctx context.Context, in *logs.GetDeliveryDestinationInput) (*logs.GetDeliveryDestinationOutput, error) {
	_, v, err := s.destination(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &logs.GetDeliveryDestinationOutput{DeliveryDestination: deliveryDestination(v)}, nil
}

// DeleteDeliveryDestination deletes a destination without deliveries.
func (s *Service) DeleteDeliveryDestination(ctx context.Context, in *logs.DeleteDeliveryDestinationInput) (*logs.DeleteDeliveryDestinationOutput, error) {
	region, v, err := s.destination(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.unused(ctx, func(d *resource.Delivery) bool { return d.Destination == v.ARN }, "delivery destination"); err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.DeliveryDestinations.Delete(tx, region, v.Name); return nil })
	return &logs.DeleteDeliveryDestinationOutput{}, err
}

// DescribeDeliveryDestinations lists destinations.
func (s *Service) DescribeDeliveryDestinations(ctx context.Context, in *logs.DescribeDeliveryDestinationsInput) (*logs.DescribeDeliveryDestinationsOutput, error) {
	all, next, err := part(listed(ctx, s, resource.DeliveryDestinations, deliveryDestination), in.NextToken, in.Limit)
	return &logs.DescribeDeliveryDestinationsOutput{DeliveryDestinations: all, NextToken: next}, err
}

// PutDeliveryDestinationPolicy lets other accounts deliver to a destination. There is one account here: the policy is kept.
func (s *Service) PutDeliveryDestinationPolicy(ctx context.Context, in *logs.PutDeliveryDestinationPolicyInput) (*logs.PutDeliveryDestinationPolicyOutput, error) {
	_, old, err := s.destination(ctx, in.DeliveryDestinationName)
	if err != nil {
		return nil, err
	}
	if because := policyProblem(*in.DeliveryDestinationPolicy); because != "" {
		// text: github.com/hashicorp/terraform-provider-aws issue 40885
		return nil, unfit("DeliveryDestinationPolicy", "Invalid Delivery Destination resource Policy is provided.", because)
	}
	v := *old
	v.Policy = *in.DeliveryDestinationPolicy
	err = replace(ctx, s, resource.DeliveryDestinations, v.Name, &v)
	return &logs.PutDeliveryDestinationPolicyOutput{Policy: &logs.Policy{DeliveryDestinationPolicy: &v.Policy}}, err
}

// policyProblem says why a text is no policy of a destination: it may allow nothing but the making of deliveries (the API's page).
func policyProblem(text string) string {
	doc, err := iam.Parse([]byte(text))
	if err != nil {
		return err.Error()
	}
	for _, st := range doc.Statements {
		if len(st.Actions) == 0 || slices.ContainsFunc(st.Actions, func(a string) bool { return !strings.EqualFold(a, "logs:CreateDelivery") }) {
			return "its statements may have the action logs:CreateDelivery only"
		}
	}
	return ""
}

// GetDeliveryDestinationPolicy returns the policy of a destination.
func (s *Service) GetDeliveryDestinationPolicy(ctx context.Context, in *logs.GetDeliveryDestinationPolicyInput) (*logs.GetDeliveryDestinationPolicyOutput, error) {
	_, v, err := s.destination(ctx, in.DeliveryDestinationName)
	if err != nil {
		return nil, err
	}
	out := &logs.GetDeliveryDestinationPolicyOutput{Policy: &logs.Policy{}}
	if v.Policy != "" {
		out.Policy.DeliveryDestinationPolicy = &v.Policy
	}
	return out, nil
}

// DeleteDeliveryDestinationPolicy deletes the policy of a destination.
func (s *Service) DeleteDeliveryDestinationPolicy(ctx context.Context, in *logs.DeleteDeliveryDestinationPolicyInput) (*logs.DeleteDeliveryDestinationPolicyOutput, error) {
	_, old, err := s.destination(ctx, in.DeliveryDestinationName)
	if err != nil {
		return nil, err
	}
	if old.Policy == "" {
		return nil, notFound("", "Delivery destination %s has no policy.", old.Name)
	}
	v := *old
	v.Policy = ""
	return &logs.DeleteDeliveryDestinationPolicyOutput{}, replace(ctx, s, resource.DeliveryDestinations, v.Name, &v)
}
