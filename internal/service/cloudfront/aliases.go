package cloudfront

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// Aliases that move from one distribution to another, and those that are in the way (DG-alternate-domain-names-move and
// siblings). All distributions are of one account, so nothing has to be proved with a TXT record.

// AssociateAlias moves an alias to a distribution, from the one that has it.
func (s *Service) AssociateAlias(ctx context.Context, in *cloudfront.AssociateAliasInput) (*cloudfront.AssociateAliasOutput, error) {
	v, rec, err := s.getDistribution(ctx, in.TargetDistributionId)
	if err != nil {
		return nil, err
	}
	return &cloudfront.AssociateAliasOutput{}, s.moveAlias(ctx, v, rec, deref(in.Alias))
}

// UpdateDomainAssociation does the same, and wants the distribution's version.
func (s *Service) UpdateDomainAssociation(ctx context.Context, in *cloudfront.UpdateDomainAssociationInput) (*cloudfront.UpdateDomainAssociationOutput, error) {
	v, rec, err := s.domainTarget(ctx, in.TargetResource)
	if err != nil {
		return nil, err
	}
	if in.IfMatch != nil {
		if err := matchTag(in.IfMatch, configTag(v)); err != nil {
			return nil, err
		}
	}
	if err := s.moveAlias(ctx, v, rec, deref(in.Domain)); err != nil {
		return nil, err
	}
	if v, _, err = s.getDistribution(ctx, &v.ID); err != nil {
		return nil, err
	}
	return &cloudfront.UpdateDomainAssociationOutput{Domain: in.Domain, ResourceId: &v.ID, ETag: new(configTag(v))}, nil
}

// domainTarget finds the distribution that a call about domains names. There are no distribution tenants.
func (s *Service) domainTarget(ctx context.Context, in *cloudfront.DistributionResourceId) (*resource.Distribution, *store.Record, error) {
	return get(ctx, s, resource.Distributions, deref(in).DistributionId, missing{cloudfront.ErrCodeEntityNotFound, "entity"})
}

// moveAlias gives an alias to a distribution, and takes it from another one.
func (s *Service) moveAlias(ctx context.Context, v *resource.Distribution, rec *store.Record, alias string) error {
	if err := s.validatesAlias(ctx, v, alias); err != nil {
		return err
	}
	if slices.Contains(v.Config.Aliases.Items, alias) {
		return nil
	}
	if len(v.Config.Aliases.Items) >= maxAliases {
		return tooMany(cloudfront.ErrCodeTooManyDistributionCNAMEs, "Alias", "Your request contains more CNAMEs than are allowed per distribution.", maxAliases)
	}
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		if now := resource.Distributions.Record(tx, global, v.ID); now == nil || now.Revision != rec.Revision {
			return preconditionFailed()
		}
		for _, other := range resource.Distributions.All(tx, global) {
			if slices.Contains(other.Config.Aliases.Items, alias) {
				resource.Distributions.Put(tx, global, other.ID, withAliases(other, slices.DeleteFunc(slices.Clone(other.Config.Aliases.Items), func(a string) bool { return a == alias })))
			}
		}
		resource.Distributions.Put(tx, global, v.ID, withAliases(v, append(slices.Clone(v.Config.Aliases.Items), alias)))
		return nil
	})
	return err
}

func withAliases(v *resource.Distribution, aliases []string) *resource.Distribution {
	out, config := *v, *v.Config
	config.Aliases = &cloudfront.Aliases{Quantity: count(aliases), Items: aliases}
	out.Config, out.Changes = &config, v.Changes+1
	return &out
}

// validatesAlias wants a distribution whose certificate covers an alias: that proves that the account may use it.
func (s *Service) validatesAlias(ctx context.Context, v *resource.Distribution, alias string) error {
	if !validAlias(alias) {
		return invalid("Alias", "The parameter CNAME contains one or more parameters that are not valid.", fmt.Sprintf("%q is no domain name in lower case", alias))
	}
	certificate := v.Config.ViewerCertificate
	if deref(v.Config.Staging) || deref(certificate.ACMCertificateArn) == "" && deref(certificate.IAMCertificateId) == "" {
		return refuse(cloudfront.ErrCodeInvalidArgument, "Alias", noCertificate, diag.Finding{Doc: docViewerCertificate, // text: that of distributions
			Because: []string{"distribution " + v.ID + " has no certificate for the alias"}})
	}
	return recoded(covered(s.env.Store.Read(ctx), v.Config, alias, "Alias"), cloudfront.ErrCodeInvalidArgument)
}

// recoded is an error under another code: operations do not have the same ones.
func recoded(err error, code string) error {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return err
	}
	out := *e
	out.Code, out.Status = code, statusOf(code)
	return &out
}

// overlaps tells whether two aliases are the same, or one of them is a wildcard for the other.
func overlaps(a, b string) bool {
	in := func(wild, name string) bool {
		suffix, ok := strings.CutPrefix(wild, "*")
		return ok && strings.HasSuffix(name, suffix)
	}
	return a == b || in(a, b) || in(b, a)
}

// conflict is an alias that overlaps with another one.
type conflict struct{ alias, id string }

// conflicts pages through the aliases that overlap with one, for a distribution that could have it.
func (s *Service) conflicts(ctx context.Context, v *resource.Distribution, alias string, marker *string, maxItems *int64) (items []conflict, next *string, limit int64, err error) {
	if err := s.validatesAlias(ctx, v, alias); err != nil {
		return nil, nil, 0, err
	}
	var all []conflict
	for _, d := range resource.Distributions.All(s.env.Store.Read(ctx), global) {
		for _, a := range d.Config.Aliases.Items {
			if overlaps(a, alias) {
				all = append(all, conflict{a, d.ID})
			}
		}
	}
	return page(all, func(c conflict) string { return c.alias }, marker, asText(maxItems))
}

// asText writes a number where page wants a text.
func asText(n *int64) *string {
	if n == nil {
		return nil
	}
	return new(strconv.FormatInt(*n, 10))
}

// hidden is an id of which others may see the second half only, as the examples of DG-alternate-domain-names-move-find-source show.
func hidden(id string) *string { return new(strings.Repeat("*", len(id)/2) + id[len(id)/2:]) }

// ListConflictingAliases lists the aliases that overlap with one.
func (s *Service) ListConflictingAliases(ctx context.Context, in *cloudfront.ListConflictingAliasesInput) (*cloudfront.ListConflictingAliasesOutput, error) {
	v, _, err := s.getDistribution(ctx, in.DistributionId)
	if err != nil {
		return nil, err
	}
	found, next, limit, err := s.conflicts(ctx, v, deref(in.Alias), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &cloudfront.ConflictingAliasesList{NextMarker: next, MaxItems: &limit, Quantity: count(found)}
	for _, c := range found {
		out.Items = append(out.Items, &cloudfront.ConflictingAlias{Alias: new(c.alias), DistributionId: hidden(c.id), AccountId: hidden(s.env.Account)})
	}
	return &cloudfront.ListConflictingAliasesOutput{ConflictingAliasesList: out}, nil
}

// ListDomainConflicts does the same in another form.
func (s *Service) ListDomainConflicts(ctx context.Context, in *cloudfront.ListDomainConflictsInput) (*cloudfront.ListDomainConflictsOutput, error) {
	v, _, err := s.domainTarget(ctx, in.DomainControlValidationResource)
	if err != nil {
		return nil, err
	}
	found, next, _, err := s.conflicts(ctx, v, deref(in.Domain), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &cloudfront.ListDomainConflictsOutput{NextMarker: next, DomainConflicts: []*cloudfront.DomainConflict{}}
	for _, c := range found {
		out.DomainConflicts = append(out.DomainConflicts, &cloudfront.DomainConflict{Domain: new(c.alias), ResourceType: new("distribution"), ResourceId: hidden(c.id), AccountId: hidden(s.env.Account)})
	}
	return out, nil
}

// AssociateDistributionWebACL sets the web ACL of a distribution, and nothing else.
func (s *Service) AssociateDistributionWebACL(ctx context.Context, in *cloudfront.AssociateDistributionWebACLInput) (*cloudfront.AssociateDistributionWebACLOutput, error) {
	if deref(in.WebACLArn) == "" {
		return nil, missingArgument("WebACLArn")
	}
	if err := checkWebACL(*in.WebACLArn, "WebACLArn"); err != nil {
		return nil, recoded(err, cloudfront.ErrCodeInvalidArgument)
	}
	tag, err := s.setWebACL(ctx, in.Id, in.IfMatch, *in.WebACLArn)
	return &cloudfront.AssociateDistributionWebACLOutput{Id: in.Id, WebACLArn: in.WebACLArn, ETag: tag}, err
}

// DisassociateDistributionWebACL takes the web ACL off a distribution.
func (s *Service) DisassociateDistributionWebACL(ctx context.Context, in *cloudfront.DisassociateDistributionWebACLInput) (*cloudfront.DisassociateDistributionWebACLOutput, error) {
	tag, err := s.setWebACL(ctx, in.Id, in.IfMatch, "")
	return &cloudfront.DisassociateDistributionWebACLOutput{Id: in.Id, ETag: tag}, err
}

func (s *Service) setWebACL(ctx context.Context, id, match *string, acl string) (tag *string, err error) {
	old, rec, err := s.domainTarget(ctx, &cloudfront.DistributionResourceId{DistributionId: id})
	if err != nil {
		return nil, err
	}
	if match != nil {
		if err := matchTag(match, configTag(old)); err != nil {
			return nil, err
		}
	}
	v, config := *old, *old.Config
	config.WebACLId = &acl
	if err := checkDeployedUpdate(s.env.Store.Read(ctx), old, &config); err != nil {
		return nil, err
	}
	v.Config = &config
	v.Changes++
	_, err = replace(ctx, s, resource.Distributions, rec, &v)
	return new(configTag(&v)), err
}
