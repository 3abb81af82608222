// Package logs implements the part of CloudWatch Logs that people use to look at what functions and APIs write.
//
// Start with Service. Groups are resources of the store; streams and events are in memory, bounded, and gone at the end of
// the process. The data plane adds lines with Append. Filter patterns are substrings and quoted terms only; queries, metric
// filters and subscriptions are not here. The delivery_*.go files have the sources, destinations and deliveries of vended logs,
// which compile makes real.
package logs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/logs"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements logs.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	logs.Unimplemented
	env    *service.Env
	buffer buffer
}

// New makes the service.
func New(env *service.Env) *Service {
	return &Service{env: env, buffer: buffer{groups: map[groupKey]*group{}}}
}

// retentions are the days that PutRetentionPolicy takes (CloudWatch Logs API reference).
var retentions = map[int64]bool{1: true, 3: true, 5: true, 7: true, 14: true, 30: true, 60: true, 90: true, 120: true, 150: true, 180: true,
	365: true, 400: true, 545: true, 731: true, 1096: true, 1827: true, 2192: true, 2557: true, 2922: true, 3288: true, 3653: true}

func invalid(path, message, because string) error {
	f := &diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message,
		AWSError: &diag.AWSError{Code: logs.ErrCodeInvalidParameterException, Status: 400, Message: message}}
	if because != "" {
		f.Because = []string{because}
	}
	return awsapi.Refuse(f)
}

func noGroup() error {
	return awsapi.Errorf(logs.ErrCodeResourceNotFoundException, "The specified log group does not exist.")
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// millis is a time as the API has it.
func millis(t time.Time) *int64 { return new(t.UnixMilli()) }

// groupName takes the name out of a log group's name, identifier or ARN.
func groupName(text string) string {
	a, err := arn.Parse(text)
	if err != nil {
		return text
	}
	return strings.TrimSuffix(strings.TrimPrefix(a.Resource, "log-group:"), ":*")
}

// group finds a log group.
func (s *Service) group(ctx context.Context, name *string) (string, *resource.LogGroup, error) {
	region := awsapi.CallFrom(ctx).Region
	if g, ok := resource.LogGroups.Get(s.env.Store.Read(ctx), region, groupName(deref(name))); ok {
		return region, g, nil
	}
	k := groupKey{region, groupName(deref(name))}
	if since, ok := s.buffer.since(k); ok {
		return region, s.appended(k, since), nil
	}
	return region, nil, noGroup()
}

// appended is a group that came to be by Append.
func (s *Service) appended(k groupKey, since time.Time) *resource.LogGroup {
	return &resource.LogGroup{Name: k.name, ARN: s.arn(k.region, k.name), Created: since, Class: "STANDARD"}
}

func (s *Service) arn(region, name string) string {
	return fmt.Sprintf("arn:%s:logs:%s:%s:log-group:%s", arn.Partition(region), region, s.env.Account, name)
}

// groups lists the groups of a region by name, those of Append among them.
func (s *Service) groups(ctx context.Context, region string) []*resource.LogGroup {
	all := map[string]*resource.LogGroup{}
	for k, since := range s.buffer.known(region) {
		all[k.name] = s.appended(k, since)
	}
	for _, g := range resource.LogGroups.All(s.env.Store.Read(ctx), region) {
		all[g.Name] = g
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *resource.LogGroup) int { return strings.Compare(a.Name, b.Name) })
}

// change stores a changed copy of a log group.
func (s *Service) change(ctx context.Context, name *string, fn func(*resource.LogGroup)) error {
	region, old, err := s.group(ctx, name)
	if err != nil {
		return err
	}
	g := *old
	fn(&g)
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.LogGroups.Put(tx, region, g.Name, &g); return nil })
	return err
}

// CreateLogGroup makes a log group.
func (s *Service) CreateLogGroup(ctx context.Context, in *logs.CreateLogGroupInput) (*logs.CreateLogGroupOutput, error) {
	region, name := awsapi.CallFrom(ctx).Region, deref(in.LogGroupName)
	if _, ok := resource.LogGroups.Get(s.env.Store.Read(ctx), region, name); ok {
		return nil, awsapi.Errorf(logs.ErrCodeResourceAlreadyExistsException, "The specified log group already exists")
	}
	if strings.HasPrefix(name, "aws/") {
		return nil, invalid("LogGroupName", "Log groups starting with AWS/ are reserved for AWS.", "")
	}
	class := deref(in.LogGroupClass)
	if class == "" {
		class = "STANDARD"
	}
	g := &resource.LogGroup{Name: name, Created: s.env.Now().UTC(), Class: class, KMSKeyID: deref(in.KmsKeyId), Protected: deref(in.DeletionProtectionEnabled), Tags: in.Tags,
		ARN: s.arn(region, name)}
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.LogGroups.Put(tx, region, name, g); return nil })
	return &logs.CreateLogGroupOutput{}, err
}

// DeleteLogGroup deletes a log group with its streams.
func (s *Service) DeleteLogGroup(ctx context.Context, in *logs.DeleteLogGroupInput) (*logs.DeleteLogGroupOutput, error) {
	region, g, err := s.group(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	if g.Protected {
		return nil, awsapi.Errorf(logs.ErrCodeOperationAbortedException, "Cannot delete log group %s because deletion protection is enabled.", g.Name) // text: our words
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.LogGroups.Delete(tx, region, g.Name); return nil })
	if err == nil {
		s.buffer.drop(groupKey{region, g.Name})
	}
	return &logs.DeleteLogGroupOutput{}, err
}

// DescribeLogGroups lists log groups.
func (s *Service) DescribeLogGroups(ctx context.Context, in *logs.DescribeLogGroupsInput) (*logs.DescribeLogGroupsOutput, error) {
	if in.LogGroupNamePrefix != nil && in.LogGroupNamePattern != nil {
		return nil, invalid("LogGroupNamePattern", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.", "")
	}
	region := awsapi.CallFrom(ctx).Region
	out := &logs.DescribeLogGroupsOutput{LogGroups: []*logs.LogGroup{}}
	limit := 50
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	for _, g := range s.groups(ctx, region) {
		switch {
		case !strings.HasPrefix(g.Name, deref(in.LogGroupNamePrefix)), g.Name <= deref(in.NextToken),
			!strings.Contains(strings.ToLower(g.Name), strings.ToLower(deref(in.LogGroupNamePattern))),
			in.LogGroupClass != nil && g.Class != *in.LogGroupClass:
			continue
		case len(out.LogGroups) == limit:
			out.NextToken = out.LogGroups[limit-1].LogGroupName
			return out, nil
		}
		v := &logs.LogGroup{LogGroupName: &g.Name, CreationTime: millis(g.Created), RetentionInDays: g.RetentionDays, MetricFilterCount: new(int64(0)),
			Arn: new(g.ARN + ":*"), LogGroupArn: &g.ARN, LogGroupClass: &g.Class, StoredBytes: new(s.buffer.size(groupKey{region, g.Name})),
			DeletionProtectionEnabled: &g.Protected}
		if g.KMSKeyID != "" {
			v.KmsKeyId = &g.KMSKeyID
		}
		out.LogGroups = append(out.LogGroups, v)
	}
	return out, nil
}

// PutRetentionPolicy says after how many days events expire. Here the process's end comes first.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *logs.PutRetentionPolicyInput) (*logs.PutRetentionPolicyOutput, error) {
	if !retentions[deref(in.RetentionInDays)] {
		return nil, invalid("RetentionInDays", fmt.Sprintf("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]", deref(in.RetentionInDays)), "")
	}
	return &logs.PutRetentionPolicyOutput{}, s.change(ctx, in.LogGroupName, func(g *resource.LogGroup) { g.RetentionDays = in.RetentionInDays })
}

// DeleteRetentionPolicy keeps events for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *logs.DeleteRetentionPolicyInput) (*logs.DeleteRetentionPolicyOutput, error) {
	return &logs.DeleteRetentionPolicyOutput{}, s.change(ctx, in.LogGroupName, func(g *resource.LogGroup) { g.RetentionDays = nil })
}

// retag changes the tags of a log group.
func (s *Service) retag(ctx context.Context, name *string, fn func(map[string]string)) error {
	return s.change(ctx, name, func(g *resource.LogGroup) {
		tags := map[string]string{}
		maps.Copy(tags, g.Tags)
		fn(tags)
		g.Tags = tags
	})
}

// TagResource adds tags to a log group.
func (s *Service) TagResource(ctx context.Context, in *logs.TagResourceInput) (*logs.TagResourceOutput, error) {
	add := func(t map[string]string) { maps.Copy(t, in.Tags) }
	if ok, err := s.retagDelivery(ctx, deref(in.ResourceArn), add); ok {
		return &logs.TagResourceOutput{}, err
	}
	return &logs.TagResourceOutput{}, s.retag(ctx, in.ResourceArn, add)
}

// UntagResource removes tags from a log group.
func (s *Service) UntagResource(ctx context.Context, in *logs.UntagResourceInput) (*logs.UntagResourceOutput, error) {
	remove := func(t map[string]string) {
		for _, k := range in.TagKeys {
			delete(t, k)
		}
	}
	if ok, err := s.retagDelivery(ctx, deref(in.ResourceArn), remove); ok {
		return &logs.UntagResourceOutput{}, err
	}
	return &logs.UntagResourceOutput{}, s.retag(ctx, in.ResourceArn, remove)
}

// ListTagsForResource returns a log group's tags.
func (s *Service) ListTagsForResource(ctx context.Context, in *logs.ListTagsForResourceInput) (*logs.ListTagsForResourceOutput, error) {
	if tags, _, ok, err := s.deliveryTags(ctx, deref(in.ResourceArn)); ok {
		return &logs.ListTagsForResourceOutput{Tags: tags}, err
	}
	_, g, err := s.group(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return &logs.ListTagsForResourceOutput{Tags: g.Tags}, nil
}

// ListTagsLogGroup is the old form of ListTagsForResource.
func (s *Service) ListTagsLogGroup(ctx context.Context, in *logs.ListTagsLogGroupInput) (*logs.ListTagsLogGroupOutput, error) {
	_, g, err := s.group(ctx, in.LogGroupName)
	if err != nil {
		return nil, err
	}
	return &logs.ListTagsLogGroupOutput{Tags: g.Tags}, nil
}
