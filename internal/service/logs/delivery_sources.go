package logs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docDelivery = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging.html"

// refuse makes an error of the delivery API with the reason that AWS leaves out.
func refuse(code, path, message, because string, fixes ...string) error {
	f := &diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Fixes: fixes, Doc: docDelivery,
		AWSError: &diag.AWSError{Code: code, Status: 400, Message: message}}
	if because != "" {
		f.Because = []string{because}
	}
	return awsapi.Refuse(f)
}

func unfit(path, message, because string, fixes ...string) error {
	return refuse(logs.ErrCodeValidationException, path, message, because, fixes...)
}

func notFound(path, format string, args ...any) error { // texts: our words
	return refuse(logs.ErrCodeResourceNotFoundException, path, fmt.Sprintf(format, args...), "")
}

// cloudFrontRegion is where the deliveries of CloudFront are (standard-logging: "you must specify the US East (N. Virginia) Region").
const cloudFrontRegion = "us-east-1"

// PutDeliverySource makes or replaces a source.
func (s *Service) PutDeliverySource(ctx context.Context, in *logs.PutDeliverySourceInput) (*logs.PutDeliverySourceOutput, error) {
	region, r := awsapi.CallFrom(ctx).Region, s.env.Store.Read(ctx)
	a, err := arn.Parse(deref(in.ResourceArn))
	if err != nil {
		return nil, unfit("ResourceArn", "The provided resource ARN is invalid.", err.Error()) // text: our words
	}
	v := &resource.DeliverySource{Name: *in.Name, Resource: *in.ResourceArn, Service: a.Service, LogType: *in.LogType, Tags: in.Tags,
		Configuration: in.DeliverySourceConfiguration, ARN: s.deliveryARN(region, "delivery-source", *in.Name)}
	if a.Service == "cloudfront" {
		if err := s.checkDistributionSource(r, region, a, v.LogType); err != nil {
			return nil, err
		}
	}
	for _, other := range resource.DeliverySources.All(r, region) {
		if other.Name != v.Name && other.Resource == v.Resource && other.LogType == v.LogType {
			return nil, refuse(logs.ErrCodeConflictException, "ResourceArn", "This ResourceId has already been used in another Delivery Source in this account",
				"it is that of "+other.Name, "use the source "+other.Name+" for further deliveries, or delete it first")
		}
	}
	if old, ok := resource.DeliverySources.Get(r, region, v.Name); ok && v.Tags == nil {
		v.Tags = old.Tags
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.DeliverySources.Put(tx, region, v.Name, v); return nil })
	return &logs.PutDeliverySourceOutput{DeliverySource: deliverySource(v)}, err
}

// checkDistributionSource checks a source that is a distribution.
func (s *Service) checkDistributionSource(r store.Reader, region string, a arn.ARN, logType string) error {
	if region != cloudFrontRegion {
		return unfit("ResourceArn", "The provided resource is not supported in this region.", // text: our words
			"log deliveries of CloudFront are in us-east-1, whatever the region of their destination", "make the source, the destination and the delivery in us-east-1")
	}
	if !slices.Contains([]string{"ACCESS_LOGS", "CONNECTION_LOGS"}, logType) {
		return unfit("LogType", "The provided log type is not supported for the resource.", // text: our words
			fmt.Sprintf("%q is not ACCESS_LOGS", logType), "write ACCESS_LOGS")
	}
	id, ok := strings.CutPrefix(a.Resource, "distribution/")
	if !ok {
		return unfit("ResourceArn", "The provided resource ARN is invalid.", fmt.Sprintf("%q is no distribution", a.Resource)) // text: our words
	}
	if _, here := resource.Distributions.Get(r, resource.Global, id); !here || a.Account != s.env.Account {
		return notFound("ResourceArn", "Resource %s does not exist.", a)
	}
	return nil
}

func (s *Service) deliveryARN(region, kind, name string) string {
	return "arn:" + arn.Partition(region) + ":logs:" + region + ":" + s.env.Account + ":" + kind + ":" + name
}

func deliverySource(v *resource.DeliverySource) *logs.DeliverySource {
	return &logs.DeliverySource{Name: &v.Name, Arn: &v.ARN, ResourceArns: []string{v.Resource}, Service: &v.Service, LogType: &v.LogType, Tags: v.Tags,
		DeliverySourceConfiguration: v.Configuration}
}

// named finds a resource of the delivery API.
func named[T any](ctx context.Context, s *Service, kind store.Kind[T], what string, name *string) (string, *T, error) {
	region := awsapi.CallFrom(ctx).Region
	v, ok := kind.Get(s.env.Store.Read(ctx), region, deref(name))
	if !ok {
		return region, nil, notFound("", "Requested %s %s does not exist in this account.", what, deref(name))
	}
	return region, v, nil
}

// GetDeliverySource returns a source.
func (s *Service) GetDeliverySource(ctx context.Context, in *logs.GetDeliverySourceInput) (*logs.GetDeliverySourceOutput, error) {
	_, v, err := named(ctx, s, resource.DeliverySources, "delivery source", in.Name)
	if err != nil {
		return nil, err
	}
	return &logs.GetDeliverySourceOutput{DeliverySource: deliverySource(v)}, nil
}

// DeleteDeliverySource deletes a source without deliveries.
func (s *Service) DeleteDeliverySource(ctx context.Context, in *logs.DeleteDeliverySourceInput) (*logs.DeleteDeliverySourceOutput, error) {
	region, v, err := named(ctx, s, resource.DeliverySources, "delivery source", in.Name)
	if err != nil {
		return nil, err
	}
	if err := s.unused(ctx, func(d *resource.Delivery) bool { return d.Source == v.Name }, "delivery source"); err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.DeliverySources.Delete(tx, region, v.Name); return nil })
	return &logs.DeleteDeliverySourceOutput{}, err
}

// unused refuses to delete what a delivery uses.
func (s *Service) unused(ctx context.Context, uses func(*resource.Delivery) bool, what string) error {
	for _, d := range resource.Deliveries.All(s.env.Store.Read(ctx), awsapi.CallFrom(ctx).Region) {
		if uses(d) {
			return refuse(logs.ErrCodeConflictException, "", "Unable to delete the "+what+", as it is used by at least one delivery.", // text: our words
				"delivery "+d.ID+" uses it", "delete the delivery first")
		}
	}
	return nil
}

// DescribeDeliverySources lists sources.
func (s *Service) DescribeDeliverySources(ctx context.Context, in *logs.DescribeDeliverySourcesInput) (*logs.DescribeDeliverySourcesOutput, error) {
	all, next, err := part(listed(ctx, s, resource.DeliverySources, deliverySource), in.NextToken, in.Limit)
	return &logs.DescribeDeliverySourcesOutput{DeliverySources: all, NextToken: next}, err
}

// listed gives the resources of a kind, in order of their names.
func listed[T, V any](ctx context.Context, s *Service, kind store.Kind[T], view func(*T) *V) []*V {
	out := []*V{}
	for _, v := range kind.All(s.env.Store.Read(ctx), awsapi.CallFrom(ctx).Region) {
		out = append(out, view(v))
	}
	return out
}

// part gives a part of a list.
func part[V any](all []*V, token *string, limit *int64) ([]*V, *string, error) {
	start, n, err := window(token, limit, 50)
	if err != nil {
		return nil, nil, unfit("NextToken", "The specified nextToken is invalid.", "")
	}
	start = min(start, len(all))
	if all = all[start:]; len(all) <= n {
		return all, nil, nil
	}
	return all[:n], new(fmt.Sprint(start + n)), nil
}

// deliveryTags finds the tags of a resource of the delivery API by its ARN. change stores others; ok is false for another ARN.
func (s *Service) deliveryTags(ctx context.Context, text string) (tags map[string]string, change func(map[string]string) error, ok bool, err error) {
	a, err := arn.Parse(text)
	if err != nil {
		return nil, nil, false, nil
	}
	kind, name, _ := strings.Cut(a.Resource, ":")
	switch kind {
	case "delivery-source":
		_, v, err := named(ctx, s, resource.DeliverySources, "delivery source", &name)
		if err != nil {
			return nil, nil, true, err
		}
		c := *v
		return v.Tags, func(t map[string]string) error {
			c.Tags = t
			return replace(ctx, s, resource.DeliverySources, name, &c)
		}, true, nil
	case "delivery-destination":
		_, v, err := named(ctx, s, resource.DeliveryDestinations, "delivery destination", &name)
		if err != nil {
			return nil, nil, true, err
		}
		c := *v
		return v.Tags, func(t map[string]string) error {
			c.Tags = t
			return replace(ctx, s, resource.DeliveryDestinations, name, &c)
		}, true, nil
	case "delivery":
		_, v, err := named(ctx, s, resource.Deliveries, "delivery", &name)
		if err != nil {
			return nil, nil, true, err
		}
		c := *v
		return v.Tags, func(t map[string]string) error { c.Tags = t; return replace(ctx, s, resource.Deliveries, name, &c) }, true, nil
	}
	return nil, nil, false, nil
}

func replace[T any](ctx context.Context, s *Service, kind store.Kind[T], name string, v *T) error {
	region := awsapi.CallFrom(ctx).Region
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { kind.Put(tx, region, name, v); return nil })
	return err
}

// retagDelivery changes the tags of a resource of the delivery API; ok is false when the ARN is that of another resource.
func (s *Service) retagDelivery(ctx context.Context, text string, fn func(map[string]string)) (ok bool, err error) {
	old, change, ok, err := s.deliveryTags(ctx, text)
	if !ok || err != nil {
		return ok, err
	}
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	fn(tags)
	return true, change(tags)
}
