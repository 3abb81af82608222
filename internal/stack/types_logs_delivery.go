package stack

import (
	"context"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/template"
)

// deliveryTypes are the types of AWS::Logs that deliver vended logs (CFN26 AWS::Logs::Delivery and its kin). What Ref returns is the
// primary identifier of the type's schema: a name, of a delivery its id.
var deliveryTypes = map[string]*resourceType{
	"AWS::Logs::DeliverySource": {
		required: []string{"Name"}, replace: []string{"Name"}, lists: map[string]bool{"ResourceArns": true},
		create: putDeliverySource,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return putDeliverySource(ctx, r)
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[logs.DeleteDeliverySourceOutput](ctx, logs.Service, s.Logs, "DeleteDeliverySource", &logs.DeleteDeliverySourceInput{Name: &old.PhysicalID})
			return err
		},
	},
	"AWS::Logs::DeliveryDestination": {
		required: []string{"Name"}, replace: []string{"Name", "DestinationResourceArn", "DeliveryDestinationType", "OutputFormat"},
		spelling: spelling{
			rename: map[string]string{"PutDeliveryDestinationRequest.DestinationResourceArn": "DeliveryDestinationConfiguration.DestinationResourceArn"},
			absent: map[string]bool{"PutDeliveryDestinationRequest.DeliveryDestinationConfiguration": true},
			skip:   map[string]bool{"PutDeliveryDestinationRequest.DeliveryDestinationPolicy": true},
		},
		create: putDeliveryDestination,
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return putDeliveryDestination(ctx, r)
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[logs.DeleteDeliveryDestinationOutput](ctx, logs.Service, s.Logs, "DeleteDeliveryDestination", &logs.DeleteDeliveryDestinationInput{Name: &old.PhysicalID})
			return err
		},
	},
	"AWS::Logs::Delivery": {
		required: []string{"DeliveryDestinationArn", "DeliverySourceName"}, replace: []string{"DeliveryDestinationArn", "DeliverySourceName"},
		spelling: spelling{
			rename: map[string]string{
				"CreateDeliveryRequest.S3SuffixPath":               "S3DeliveryConfiguration.SuffixPath",
				"CreateDeliveryRequest.S3EnableHiveCompatiblePath": "S3DeliveryConfiguration.EnableHiveCompatiblePath",
			},
			absent: map[string]bool{"CreateDeliveryRequest.S3DeliveryConfiguration": true},
		},
		create: func(ctx context.Context, r *request) (made, error) {
			in := &logs.CreateDeliveryInput{}
			if err := r.into(in, logs.Service.Shape("CreateDeliveryRequest")); err != nil {
				return made{}, err
			}
			out, err := call[logs.CreateDeliveryOutput](ctx, logs.Service, r.Logs, "CreateDelivery", in)
			if err != nil {
				return made{}, err
			}
			d := out.Delivery
			return made{*d.Id, map[string]string{"Arn": *d.Arn, "DeliveryId": *d.Id, "DeliveryDestinationType": *d.DeliveryDestinationType}}, nil
		},
		update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
			c := &logs.CreateDeliveryInput{}
			if err := r.into(c, logs.Service.Shape("CreateDeliveryRequest")); err != nil {
				return made{}, err
			}
			in := &logs.UpdateDeliveryConfigurationInput{Id: &old.PhysicalID, RecordFields: c.RecordFields, FieldDelimiter: c.FieldDelimiter, S3DeliveryConfiguration: c.S3DeliveryConfiguration}
			_, err := call[logs.UpdateDeliveryConfigurationOutput](ctx, logs.Service, r.Logs, "UpdateDeliveryConfiguration", in)
			if err == nil && len(c.Tags) > 0 {
				_, err = call[logs.TagResourceOutput](ctx, logs.Service, r.Logs, "TagResource", &logs.TagResourceInput{ResourceArn: new(old.Attributes["Arn"]), Tags: c.Tags})
			}
			return made{old.PhysicalID, old.Attributes}, err
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[logs.DeleteDeliveryOutput](ctx, logs.Service, s.Logs, "DeleteDelivery", &logs.DeleteDeliveryInput{Id: &old.PhysicalID})
			return err
		},
	},
}

func putDeliverySource(ctx context.Context, r *request) (made, error) {
	in := &logs.PutDeliverySourceInput{}
	if err := r.into(in, logs.Service.Shape("PutDeliverySourceRequest")); err != nil {
		return made{}, err
	}
	out, err := call[logs.PutDeliverySourceOutput](ctx, logs.Service, r.Logs, "PutDeliverySource", in)
	if err != nil {
		return made{}, err
	}
	v := out.DeliverySource
	return made{*v.Name, map[string]string{"Arn": *v.Arn, "Service": *v.Service, "ResourceArns": strings.Join(v.ResourceArns, ",")}}, nil
}

func putDeliveryDestination(ctx context.Context, r *request) (made, error) {
	in := &logs.PutDeliveryDestinationInput{}
	if err := r.into(in, logs.Service.Shape("PutDeliveryDestinationRequest")); err != nil {
		return made{}, err
	}
	out, err := call[logs.PutDeliveryDestinationOutput](ctx, logs.Service, r.Logs, "PutDeliveryDestination", in)
	if err != nil {
		return made{}, err
	}
	v := out.DeliveryDestination
	if p := r.props.Get("DeliveryDestinationPolicy"); p != nil {
		if err := putDestinationPolicy(ctx, r, v.Name, p); err != nil {
			return made{}, err
		}
	}
	return made{*v.Name, map[string]string{"Arn": *v.Arn}}, nil
}

// putDestinationPolicy sets the policy, which stands in a structure of the same name.
func putDestinationPolicy(ctx context.Context, r *request, name *string, p *template.Value) error {
	doc := p.Get("DeliveryDestinationPolicy")
	if doc == nil {
		return nil
	}
	_, err := call[logs.PutDeliveryDestinationPolicyOutput](ctx, logs.Service, r.Logs, "PutDeliveryDestinationPolicy",
		&logs.PutDeliveryDestinationPolicyInput{DeliveryDestinationName: name, DeliveryDestinationPolicy: new(string(doc.AppendJSON(nil)))})
	return err
}
