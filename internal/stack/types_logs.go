package stack

import (
	"context"

	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/resource"
)

// logsTypes are the types of AWS::Logs (facts: cloudformation 3).
var logsTypes = map[string]*resourceType{
	"AWS::Logs::LogGroup": {
		replace: []string{"LogGroupName"},
		spelling: spelling{skip: map[string]bool{
			"CreateLogGroupRequest.RetentionInDays": true, "CreateLogGroupRequest.DataProtectionPolicy": true,
			"CreateLogGroupRequest.FieldIndexPolicies": true, "CreateLogGroupRequest.ResourcePolicyDocument": true,
			"CreateLogGroupRequest.BearerTokenAuthenticationEnabled": true,
		}},
		create: createLogGroup, update: updateLogGroup,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[logs.DeleteLogGroupOutput](ctx, logs.Service, s.Logs, "DeleteLogGroup", &logs.DeleteLogGroupInput{LogGroupName: &old.PhysicalID})
			return err
		},
	},
}

func createLogGroup(ctx context.Context, r *request) (made, error) {
	in := &logs.CreateLogGroupInput{}
	if err := r.into(in, logs.Service.Shape("CreateLogGroupRequest")); err != nil {
		return made{}, err
	}
	in.LogGroupName = new(r.name("LogGroupName", 512))
	if _, err := call[logs.CreateLogGroupOutput](ctx, logs.Service, r.Logs, "CreateLogGroup", in); err != nil {
		return made{}, err
	}
	return retain(ctx, r, *in.LogGroupName)
}

// retain sets the retention and describes the log group.
func retain(ctx context.Context, r *request, name string) (made, error) {
	var retention struct{ in logs.PutRetentionPolicyInput }
	if r.props.Get("RetentionInDays") != nil {
		if err := r.only(&retention.in, logs.Service.Shape("PutRetentionPolicyRequest"), "RetentionInDays"); err != nil {
			return made{}, err
		}
		retention.in.LogGroupName = &name
		if _, err := call[logs.PutRetentionPolicyOutput](ctx, logs.Service, r.Logs, "PutRetentionPolicy", &retention.in); err != nil {
			return made{}, err
		}
	} else if _, err := call[logs.DeleteRetentionPolicyOutput](ctx, logs.Service, r.Logs, "DeleteRetentionPolicy", &logs.DeleteRetentionPolicyInput{LogGroupName: &name}); err != nil {
		return made{}, err
	}
	out, err := r.Logs.DescribeLogGroups(ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &name})
	if err != nil {
		return made{}, err
	}
	return made{name, map[string]string{"Arn": *out.LogGroups[0].Arn}}, nil
}

func updateLogGroup(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in := &logs.CreateLogGroupInput{}
	if err := r.into(in, logs.Service.Shape("CreateLogGroupRequest")); err != nil {
		return made{}, err
	}
	if len(in.Tags) > 0 {
		arn := old.Attributes["Arn"]
		if _, err := call[logs.TagResourceOutput](ctx, logs.Service, r.Logs, "TagResource", &logs.TagResourceInput{ResourceArn: &arn, Tags: in.Tags}); err != nil {
			return made{}, err
		}
	}
	return retain(ctx, r, old.PhysicalID)
}
