package cloudfront

import (
	"maps"
	"slices"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// activeGroups lists the key groups of all behaviors with their public keys, as GetDistribution has them (BC
// ActiveTrustedKeyGroups).
func activeGroups(r store.Reader, c *cloudfront.DistributionConfig) *cloudfront.ActiveTrustedKeyGroups {
	groups := map[string][]string{}
	for _, b := range behaviors(c) {
		if b.TrustedKeyGroups == nil {
			continue
		}
		for _, id := range b.TrustedKeyGroups.Items {
			if g, ok := resource.KeyGroups.Get(r, global, id); ok {
				groups[id] = g.Config.Items
			}
		}
	}
	out := &cloudfront.ActiveTrustedKeyGroups{Enabled: new(len(groups) > 0), Quantity: new(int64(len(groups)))}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		out.Items = append(out.Items, &cloudfront.KGKeyPairIds{KeyGroupId: new(id), KeyPairIds: &cloudfront.KeyPairIds{Quantity: count(groups[id]), Items: groups[id]}})
	}
	return out
}

// activeSigners lists the accounts of all behaviors. Key pairs are those of the own account that the operator has named: AWS makes
// them in its console alone.
func (s *Service) activeSigners(c *cloudfront.DistributionConfig) *cloudfront.ActiveTrustedSigners {
	accounts := map[string]bool{}
	for _, b := range behaviors(c) {
		if b.TrustedSigners != nil {
			for _, a := range b.TrustedSigners.Items {
				accounts[a] = true
			}
		}
	}
	out := &cloudfront.ActiveTrustedSigners{Enabled: new(len(accounts) > 0), Quantity: new(int64(len(accounts)))}
	for _, a := range slices.Sorted(maps.Keys(accounts)) {
		var ids []string
		if a == "self" || a == s.env.Account {
			ids = s.env.KeyPairs
		}
		out.Items = append(out.Items, &cloudfront.Signer{AwsAccountNumber: new(a), KeyPairIds: &cloudfront.KeyPairIds{Quantity: count(ids), Items: ids}})
	}
	return out
}
