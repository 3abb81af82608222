package cloudfront

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/accesslog"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

const docRealtimeLogs = "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html"

// maxRealtimeLogs is how many configurations an account may have (cloudfront-limits).
const maxRealtimeLogs = 150

var (
	realtimeLogName = regexp.MustCompile(`^[-_.A-Za-z0-9]{1,128}$`)
	streamARN       = regexp.MustCompile(`^arn:aws[-a-z]*:kinesis:[-a-z0-9]+:\d{12}:stream/[-_.A-Za-z0-9]{1,128}$`)
	roleARN         = regexp.MustCompile(`^arn:aws[-a-z]*:iam::\d{12}:role/[-_+=,.@/A-Za-z0-9]+$`)
)

// checkRealtimeLog checks a configuration, and puts its fields into the order of records (real-time-logs; BC RealtimeLogConfig).
func checkRealtimeLog(c *cloudfront.RealtimeLogConfig) error {
	wrong := func(path, because string) error { // text: our words
		return refuse(cloudfront.ErrCodeInvalidArgument, path, "The parameter "+path+" is invalid.", diag.Finding{Doc: docRealtimeLogs, Because: []string{because}})
	}
	switch {
	case !realtimeLogName.MatchString(deref(c.Name)):
		return wrong("Name", fmt.Sprintf("%q is not 1 to 128 letters, digits, dots, hyphens and underscores", deref(c.Name)))
	case deref(c.SamplingRate) < 1 || deref(c.SamplingRate) > 100:
		return wrong("SamplingRate", fmt.Sprintf("%d is not a percentage from 1 to 100", deref(c.SamplingRate)))
	case len(c.Fields) == 0:
		return wrong("Fields", "there is no field")
	case len(c.EndPoints) == 0:
		return wrong("EndPoints", "there is no endpoint")
	}
	all := accesslog.RealTimeColumns()
	for i, f := range c.Fields {
		if !slices.Contains(all, f) {
			return wrong(indexed("Fields", i), fmt.Sprintf("there is no field %q: there are %s", f, strings.Join(all, ", ")))
		}
	}
	c.Fields = slices.DeleteFunc(all, func(f string) bool { return !slices.Contains(c.Fields, f) })
	for i, e := range c.EndPoints {
		path, k := indexed("EndPoints", i), e.KinesisStreamConfig
		switch {
		case deref(e.StreamType) != "Kinesis":
			return wrong(path+".StreamType", fmt.Sprintf("%q is not Kinesis", deref(e.StreamType)))
		case k == nil:
			return missingArgument(path + ".KinesisStreamConfig")
		case !streamARN.MatchString(deref(k.StreamARN)):
			return wrong(path+".KinesisStreamConfig.StreamARN", fmt.Sprintf("%q is no ARN of a data stream", deref(k.StreamARN)))
		case !roleARN.MatchString(deref(k.RoleARN)):
			return wrong(path+".KinesisStreamConfig.RoleARN", fmt.Sprintf("%q is no ARN of a role", deref(k.RoleARN)))
		}
	}
	return nil
}

// CreateRealtimeLogConfig makes a configuration.
func (s *Service) CreateRealtimeLogConfig(ctx context.Context, in *cloudfront.CreateRealtimeLogConfigInput) (*cloudfront.CreateRealtimeLogConfigOutput, error) {
	v := &cloudfront.RealtimeLogConfig{Name: in.Name, SamplingRate: in.SamplingRate, EndPoints: in.EndPoints, Fields: in.Fields, ARN: new(s.arn("realtime-log-config", deref(in.Name)))}
	if err := checkRealtimeLog(v); err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	if _, ok := resource.RealtimeLogConfigs.Get(r, global, *in.Name); ok { // text: BC's documentation of the error
		return nil, refuse(cloudfront.ErrCodeRealtimeLogConfigAlreadyExists, "Name", "A real-time log configuration with this name already exists.", diag.Finding{})
	}
	if resource.RealtimeLogConfigs.Len(r, global) >= maxRealtimeLogs { // text: BC's documentation of the error
		return nil, tooMany(cloudfront.ErrCodeTooManyRealtimeLogConfigs, "", "You have reached the maximum number of real-time log configurations for this Amazon Web Services account.", maxRealtimeLogs)
	}
	_, err := put(ctx, s, resource.RealtimeLogConfigs, *v.Name, v)
	return &cloudfront.CreateRealtimeLogConfigOutput{RealtimeLogConfig: v}, err
}

// realtimeLog finds a configuration by its name or else by its ARN (BC GetRealtimeLogConfig).
func (s *Service) realtimeLog(ctx context.Context, name, arn *string) (*cloudfront.RealtimeLogConfig, *store.Record, error) {
	if deref(name) == "" {
		if deref(arn) == "" {
			return nil, nil, missingArgument("Name")
		}
		id, ok := strings.CutPrefix(*arn, s.arn("realtime-log-config", ""))
		if !ok {
			id = *arn
		}
		name = &id
	}
	return get(ctx, s, resource.RealtimeLogConfigs, name, missing{cloudfront.ErrCodeNoSuchRealtimeLogConfig, "real-time log configuration"})
}

// GetRealtimeLogConfig returns a configuration.
func (s *Service) GetRealtimeLogConfig(ctx context.Context, in *cloudfront.GetRealtimeLogConfigInput) (*cloudfront.GetRealtimeLogConfigOutput, error) {
	v, _, err := s.realtimeLog(ctx, in.Name, in.ARN)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetRealtimeLogConfigOutput{RealtimeLogConfig: v}, nil
}

// UpdateRealtimeLogConfig replaces a configuration but for its name.
func (s *Service) UpdateRealtimeLogConfig(ctx context.Context, in *cloudfront.UpdateRealtimeLogConfigInput) (*cloudfront.UpdateRealtimeLogConfigOutput, error) {
	old, rec, err := s.realtimeLog(ctx, in.Name, in.ARN)
	if err != nil {
		return nil, err
	}
	v := &cloudfront.RealtimeLogConfig{ARN: old.ARN, Name: old.Name, SamplingRate: in.SamplingRate, EndPoints: in.EndPoints, Fields: in.Fields}
	if err := checkRealtimeLog(v); err != nil {
		return nil, err
	}
	_, err = replace(ctx, s, resource.RealtimeLogConfigs, rec, v)
	return &cloudfront.UpdateRealtimeLogConfigOutput{RealtimeLogConfig: v}, err
}

// DeleteRealtimeLogConfig deletes a configuration that no behavior uses.
func (s *Service) DeleteRealtimeLogConfig(ctx context.Context, in *cloudfront.DeleteRealtimeLogConfigInput) (*cloudfront.DeleteRealtimeLogConfigOutput, error) {
	v, rec, err := s.realtimeLog(ctx, in.Name, in.ARN)
	if err != nil {
		return nil, err
	}
	for _, d := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if logsTo(d.Config, *v.ARN) { // text: BC's documentation of the error
			return nil, awsapi.Errorf(cloudfront.ErrCodeRealtimeLogConfigInUse, "Cannot delete the real-time log configuration because it is attached to one or more cache behaviors.")
		}
	}
	return &cloudfront.DeleteRealtimeLogConfigOutput{}, remove(ctx, s, resource.RealtimeLogConfigs, rec)
}

func logsTo(c *cloudfront.DistributionConfig, arn string) bool {
	return slices.ContainsFunc(behaviors(c), func(b behavior) bool { return deref(b.RealtimeLogConfigArn) == arn })
}

// ListRealtimeLogConfigs lists the account's configurations.
func (s *Service) ListRealtimeLogConfigs(ctx context.Context, in *cloudfront.ListRealtimeLogConfigsInput) (*cloudfront.ListRealtimeLogConfigsOutput, error) {
	var all []*cloudfront.RealtimeLogConfig
	for _, v := range resource.RealtimeLogConfigs.All(s.env.Store.Read(ctx), global) {
		all = append(all, v)
	}
	items, next, limit, err := page(all, func(v *cloudfront.RealtimeLogConfig) string { return *v.Name }, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	return &cloudfront.ListRealtimeLogConfigsOutput{RealtimeLogConfigs: &cloudfront.RealtimeLogConfigs{
		Marker: or(in.Marker, ""), NextMarker: next, MaxItems: &limit, IsTruncated: new(next != nil), Items: items}}, nil
}

// ListDistributionsByRealtimeLogConfig lists the distributions with a behavior that uses a configuration.
func (s *Service) ListDistributionsByRealtimeLogConfig(ctx context.Context, in *cloudfront.ListDistributionsByRealtimeLogConfigInput) (*cloudfront.ListDistributionsByRealtimeLogConfigOutput, error) {
	v, _, err := s.realtimeLog(ctx, in.RealtimeLogConfigName, in.RealtimeLogConfigArn)
	if err != nil {
		return nil, err
	}
	list, err := s.listed(ctx, in.Marker, in.MaxItems, func(c *cloudfront.DistributionConfig) bool { return logsTo(c, *v.ARN) })
	return &cloudfront.ListDistributionsByRealtimeLogConfigOutput{DistributionList: list}, err
}

// checkRealtimeLogOf checks the configuration that a behavior names.
func (s *Service) checkRealtimeLogOf(r store.Reader, b behavior) error {
	arn := deref(b.RealtimeLogConfigArn)
	if arn == "" {
		return nil
	}
	path := b.path + ".RealtimeLogConfigArn"
	name, own := strings.CutPrefix(arn, s.arn("realtime-log-config", ""))
	if !own {
		if strings.HasPrefix(arn, "arn:aws:cloudfront::") && strings.Contains(arn, ":realtime-log-config/") { // text: BC's documentation of the error
			return refuse(cloudfront.ErrCodeRealtimeLogConfigOwnerMismatch, path, "The specified real-time log configuration belongs to a different Amazon Web Services account.", diag.Finding{})
		}
		return invalid(path, "The parameter RealtimeLogConfigArn is invalid.", fmt.Sprintf("%q is no ARN of a real-time log configuration", arn)) // text: our words
	}
	if _, ok := resource.RealtimeLogConfigs.Get(r, global, name); !ok { // text: BC's documentation of the error
		return refuse(cloudfront.ErrCodeNoSuchRealtimeLogConfig, path, "The real-time log configuration does not exist.", diag.Finding{})
	}
	return nil
}

// CreateMonitoringSubscription turns additional metrics of a distribution on or off. There are none here: it is kept.
func (s *Service) CreateMonitoringSubscription(ctx context.Context, in *cloudfront.CreateMonitoringSubscriptionInput) (*cloudfront.CreateMonitoringSubscriptionOutput, error) {
	v, _, err := s.getDistribution(ctx, in.DistributionId)
	if err != nil {
		return nil, err
	}
	c := in.MonitoringSubscription.RealtimeMetricsSubscriptionConfig
	if c == nil || !slices.Contains([]string{"Enabled", "Disabled"}, deref(c.RealtimeMetricsSubscriptionStatus)) {
		return nil, invalid("MonitoringSubscription.RealtimeMetricsSubscriptionConfig.RealtimeMetricsSubscriptionStatus",
			"The parameter RealtimeMetricsSubscriptionStatus is invalid.", "it is Enabled or Disabled") // text: our words
	}
	if _, ok := resource.MonitoringSubscriptions.Get(s.env.Store.Read(ctx), global, v.ID); ok { // text: BC's documentation of the error
		return nil, refuse(cloudfront.ErrCodeMonitoringSubscriptionAlreadyExists, "DistributionId", "A monitoring subscription already exists for the specified distribution.", diag.Finding{})
	}
	_, err = put(ctx, s, resource.MonitoringSubscriptions, v.ID, in.MonitoringSubscription)
	return &cloudfront.CreateMonitoringSubscriptionOutput{MonitoringSubscription: in.MonitoringSubscription}, err
}

func (s *Service) subscription(ctx context.Context, id *string) (*cloudfront.MonitoringSubscription, *store.Record, error) {
	if _, _, err := s.getDistribution(ctx, id); err != nil {
		return nil, nil, err
	}
	v, rec, err := get(ctx, s, resource.MonitoringSubscriptions, id, missing{cloudfront.ErrCodeNoSuchMonitoringSubscription, ""})
	if err != nil { // text: BC's documentation of the error
		return nil, nil, awsapi.Errorf(cloudfront.ErrCodeNoSuchMonitoringSubscription, "A monitoring subscription does not exist for the specified distribution.")
	}
	return v, rec, nil
}

// GetMonitoringSubscription returns the subscription of a distribution.
func (s *Service) GetMonitoringSubscription(ctx context.Context, in *cloudfront.GetMonitoringSubscriptionInput) (*cloudfront.GetMonitoringSubscriptionOutput, error) {
	v, _, err := s.subscription(ctx, in.DistributionId)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetMonitoringSubscriptionOutput{MonitoringSubscription: v}, nil
}

// DeleteMonitoringSubscription turns additional metrics off.
func (s *Service) DeleteMonitoringSubscription(ctx context.Context, in *cloudfront.DeleteMonitoringSubscriptionInput) (*cloudfront.DeleteMonitoringSubscriptionOutput, error) {
	_, rec, err := s.subscription(ctx, in.DistributionId)
	if err != nil {
		return nil, err
	}
	return &cloudfront.DeleteMonitoringSubscriptionOutput{}, remove(ctx, s, resource.MonitoringSubscriptions, rec)
}
