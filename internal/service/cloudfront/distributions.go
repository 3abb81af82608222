package cloudfront

import (
	"context"
	"slices"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// CreateDistribution makes a distribution.
func (s *Service) CreateDistribution(ctx context.Context, in *cloudfront.CreateDistributionInput) (*cloudfront.CreateDistributionOutput, error) {
	return s.createDistribution(ctx, in.DistributionConfig, nil)
}

// CreateDistributionWithTags makes a distribution with tags.
func (s *Service) CreateDistributionWithTags(ctx context.Context, in *cloudfront.CreateDistributionWithTagsInput) (*cloudfront.CreateDistributionWithTagsOutput, error) {
	if in.DistributionConfigWithTags == nil {
		return nil, missingArgument("DistributionConfigWithTags")
	}
	tags := tagMap(in.DistributionConfigWithTags.Tags)
	if err := checkTags(in.DistributionConfigWithTags.Tags, len(tags)); err != nil {
		return nil, err
	}
	out, err := s.createDistribution(ctx, in.DistributionConfigWithTags.DistributionConfig, tags)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateDistributionWithTagsOutput{Distribution: out.Distribution, ETag: out.ETag, Location: out.Location}, nil
}

func (s *Service) createDistribution(ctx context.Context, config *cloudfront.DistributionConfig, tags map[string]string) (*cloudfront.CreateDistributionOutput, error) {
	if config == nil {
		return nil, missingArgument("DistributionConfig")
	}
	if err := quantities(config, "DistributionConfig"); err != nil {
		return nil, err
	}
	// Also when the rest of the request is the same (BC DistributionConfig.CallerReference); text: as the AWS CLI prints it in
	// public reports.
	for _, other := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		if ref := deref(config.CallerReference); ref != "" && deref(other.Config.CallerReference) == ref {
			return nil, awsapi.Errorf(cloudfront.ErrCodeDistributionAlreadyExists, "The caller reference that you are using to create a distribution is associated with another distribution. Already exists: %s", other.ID)
		}
	}
	config = completeDistribution(config)
	if err := s.checkDistribution(ctx, config, ""); err != nil {
		return nil, err
	}
	id := s.env.NewID(ctx, distributionID, taken(ctx, s, resource.Distributions))
	v := &resource.Distribution{ID: id, Config: config, Tags: tags, DomainName: s.env.NewID(ctx, domainName, nil) + ".cloudfront.net"}
	rec, err := put(ctx, s, resource.Distributions, id, v)
	if err != nil {
		return nil, err
	}
	return &cloudfront.CreateDistributionOutput{Distribution: s.distribution(ctx, rec, v), ETag: new(configTag(v)), Location: s.location("distribution", id)}, nil
}

// configTag is the version of a distribution's configuration; tagging leaves it alone.
func configTag(v *resource.Distribution) string { return service.ETag(v.ID, v.Changes) }

func (s *Service) arn(kind, id string) string {
	return "arn:aws:cloudfront::" + s.env.Account + ":" + kind + "/" + id
}

// status is Deployed once the data plane serves the record's revision.
func (s *Service) status(rec *store.Record) *string {
	if s.env.Serving != nil && s.env.Serving() < rec.Revision {
		return new("InProgress")
	}
	return new("Deployed")
}

func (s *Service) distribution(ctx context.Context, rec *store.Record, v *resource.Distribution) *cloudfront.Distribution {
	return &cloudfront.Distribution{
		Id: &v.ID, ARN: new(s.arn("distribution", v.ID)), Status: s.status(rec), LastModifiedTime: stamp(rec.Updated),
		InProgressInvalidationBatches: new(int64(0)), DomainName: &v.DomainName, DistributionConfig: v.Config,
		ActiveTrustedSigners:   s.activeSigners(v.Config),
		ActiveTrustedKeyGroups: activeGroups(s.env.Store.Read(ctx), v.Config),
	}
}

func (s *Service) getDistribution(ctx context.Context, id *string) (*resource.Distribution, *store.Record, error) {
	return get(ctx, s, resource.Distributions, id, missing{cloudfront.ErrCodeNoSuchDistribution, "distribution"})
}

// GetDistribution returns a distribution.
func (s *Service) GetDistribution(ctx context.Context, in *cloudfront.GetDistributionInput) (*cloudfront.GetDistributionOutput, error) {
	v, rec, err := s.getDistribution(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetDistributionOutput{Distribution: s.distribution(ctx, rec, v), ETag: new(configTag(v))}, nil
}

// GetDistributionConfig returns the configuration alone.
func (s *Service) GetDistributionConfig(ctx context.Context, in *cloudfront.GetDistributionConfigInput) (*cloudfront.GetDistributionConfigOutput, error) {
	v, _, err := s.getDistribution(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	return &cloudfront.GetDistributionConfigOutput{DistributionConfig: v.Config, ETag: new(configTag(v))}, nil
}

// UpdateDistribution replaces a distribution's configuration.
func (s *Service) UpdateDistribution(ctx context.Context, in *cloudfront.UpdateDistributionInput) (*cloudfront.UpdateDistributionOutput, error) {
	old, rec, err := s.getDistribution(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, configTag(old)); err != nil {
		return nil, err
	}
	if in.DistributionConfig == nil {
		return nil, missingArgument("DistributionConfig")
	}
	if err := quantities(in.DistributionConfig, "DistributionConfig"); err != nil {
		return nil, err
	}
	if deref(in.DistributionConfig.CallerReference) != deref(old.Config.CallerReference) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeIllegalUpdate, "The update contains modifications that are not allowed: CallerReference cannot be changed.")
	}
	config := completeDistribution(in.DistributionConfig)
	if err := checkDeployedUpdate(s.env.Store.Read(ctx), old, config); err != nil {
		return nil, err
	}
	if err := s.checkDistribution(ctx, config, old.ID); err != nil {
		return nil, err
	}
	v := *old
	v.Config = config
	v.Changes++
	if rec, err = replace(ctx, s, resource.Distributions, rec, &v); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateDistributionOutput{Distribution: s.distribution(ctx, rec, &v), ETag: new(configTag(&v))}, nil
}

// DeleteDistribution deletes a distribution that has been disabled.
func (s *Service) DeleteDistribution(ctx context.Context, in *cloudfront.DeleteDistributionInput) (*cloudfront.DeleteDistributionOutput, error) {
	v, rec, err := s.getDistribution(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	if err := matchTag(in.IfMatch, configTag(v)); err != nil {
		return nil, err
	}
	if deref(v.Config.Enabled) {
		return nil, awsapi.Errorf(cloudfront.ErrCodeDistributionNotDisabled, "The distribution you are trying to delete has not been disabled.")
	}
	for _, p := range resource.ContinuousDeployments.All(s.env.Store.Read(ctx), global) {
		if deref(v.Config.Staging) && slices.Contains(p.Config.StagingDistributionDnsNames.Items, v.DomainName) {
			return nil, awsapi.Errorf(cloudfront.ErrCodeResourceInUse, "Cannot delete this resource because it is in use.")
		}
	}
	return &cloudfront.DeleteDistributionOutput{}, s.forget(ctx, rec, v.ID)
}

// forget deletes a distribution with the records of its invalidations.
func (s *Service) forget(ctx context.Context, rec *store.Record, id string) error {
	if err := remove(ctx, s, resource.Distributions, rec); err != nil {
		return err
	}
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.MonitoringSubscriptions.Delete(tx, global, id)
		for inv, v := range resource.Invalidations.All(tx, global) {
			if v.DistributionID == id {
				resource.Invalidations.Delete(tx, global, inv.Key.ID)
			}
		}
		return nil
	})
	return err
}

// ListDistributions lists the account's distributions.
func (s *Service) ListDistributions(ctx context.Context, in *cloudfront.ListDistributionsInput) (*cloudfront.ListDistributionsOutput, error) {
	list, err := s.listed(ctx, in.Marker, in.MaxItems, func(*cloudfront.DistributionConfig) bool { return true })
	return &cloudfront.ListDistributionsOutput{DistributionList: list}, err
}

func (s *Service) summary(rec *store.Record, v *resource.Distribution) *cloudfront.DistributionSummary {
	c := v.Config
	return &cloudfront.DistributionSummary{
		Id: &v.ID, ARN: new(s.arn("distribution", v.ID)), ETag: new(configTag(v)), Status: s.status(rec), LastModifiedTime: stamp(rec.Updated),
		DomainName: &v.DomainName, Aliases: c.Aliases, Origins: c.Origins, OriginGroups: c.OriginGroups,
		DefaultCacheBehavior: c.DefaultCacheBehavior, CacheBehaviors: c.CacheBehaviors, CustomErrorResponses: c.CustomErrorResponses,
		Comment: c.Comment, PriceClass: c.PriceClass, Enabled: c.Enabled, ViewerCertificate: c.ViewerCertificate,
		Restrictions: c.Restrictions, WebACLId: c.WebACLId, HttpVersion: c.HttpVersion, IsIPV6Enabled: c.IsIPV6Enabled, Staging: c.Staging,
	}
}

// behaviorsUse tells whether a behavior of any distribution satisfies use.
func (s *Service) behaviorsUse(ctx context.Context, use func(*cloudfront.DefaultCacheBehavior) bool) bool {
	for _, v := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		for _, b := range behaviors(v.Config) {
			if use(b.DefaultCacheBehavior) {
				return true
			}
		}
	}
	return false
}

// behavior is a cache behavior with its place; the default one has no pattern.
type behavior struct {
	*cloudfront.DefaultCacheBehavior
	pattern *string
	path    string
}

// behaviors returns the behaviors in order of precedence, the default one last.
func behaviors(c *cloudfront.DistributionConfig) []behavior {
	var out []behavior
	if c.CacheBehaviors != nil {
		for i, b := range c.CacheBehaviors.Items {
			if b != nil {
				out = append(out, behavior{resource.AsDefault(b), b.PathPattern, indexed("DistributionConfig.CacheBehaviors.Items", i)})
			}
		}
	}
	if c.DefaultCacheBehavior != nil {
		out = append(out, behavior{c.DefaultCacheBehavior, nil, "DistributionConfig.DefaultCacheBehavior"})
	}
	return out
}
