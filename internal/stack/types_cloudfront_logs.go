package stack

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
)

// cloudFrontLogTypes are the types of AWS::CloudFront about logs and metrics (CFN26).
var cloudFrontLogTypes = map[string]*resourceType{
	"AWS::CloudFront::RealtimeLogConfig": plain{
		service: cloudfront.Service, handler: func(s *Services) any { return s.CloudFront },
		required: []string{"EndPoints", "Fields", "Name", "SamplingRate"}, replace: []string{"Name"},
		spelling: spelling{rename: map[string]string{"KinesisStreamConfig.RoleArn": "RoleARN", "KinesisStreamConfig.StreamArn": "StreamARN"}},
		create:   "CreateRealtimeLogConfig", update: "UpdateRealtimeLogConfig", delete: "DeleteRealtimeLogConfig",
		key: "ARN", result: "RealtimeLogConfig", ref: "ARN", attributes: map[string]string{"Arn": "ARN"},
	}.resourceType(),
	"AWS::CloudFront::MonitoringSubscription": {
		required: []string{"DistributionId", "MonitoringSubscription"}, replace: []string{"DistributionId"},
		create: createSubscription,
		update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
			if err := deleteSubscription(ctx, r.Services, old); err != nil {
				return made{}, err
			}
			return createSubscription(ctx, r)
		},
		delete: deleteSubscription,
	},
}

func createSubscription(ctx context.Context, r *request) (made, error) {
	in := &cloudfront.CreateMonitoringSubscriptionInput{}
	if err := r.into(in, cfShape("CreateMonitoringSubscriptionRequest")); err != nil {
		return made{}, err
	}
	_, err := call[cloudfront.CreateMonitoringSubscriptionOutput](ctx, cloudfront.Service, r.CloudFront, "CreateMonitoringSubscription", in)
	return made{deref(in.DistributionId), map[string]string{}}, err
}

func deleteSubscription(ctx context.Context, s *Services, old resource.StackResource) error {
	_, err := s.CloudFront.DeleteMonitoringSubscription(ctx, &cloudfront.DeleteMonitoringSubscriptionInput{DistributionId: &old.PhysicalID})
	return err
}
