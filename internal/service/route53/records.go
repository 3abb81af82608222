package route53

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// recordsOf lists the records of a zone, ordered as Route 53 lists them: by reversed name, then type.
func recordsOf(r store.Reader, zone string) []*resource.RecordSet {
	var out []*resource.RecordSet
	for _, rec := range resource.RecordSets.All(r, global) {
		if rec.ZoneID == zone {
			out = append(out, rec)
		}
	}
	slices.SortStableFunc(out, func(a, b *resource.RecordSet) int { return compare(a.Set, b.Set) })
	return out
}

func compare(a, b *route53.ResourceRecordSet) int {
	return cmp.Or(cmp.Compare(reversed(deref(a.Name)), reversed(deref(b.Name))), cmp.Compare(deref(a.Type), deref(b.Type)),
		cmp.Compare(deref(a.SetIdentifier), deref(b.SetIdentifier)))
}

// standard tells whether a record is one that every zone has.
func standard(z *resource.HostedZone, set *route53.ResourceRecordSet) bool {
	return deref(set.Name) == z.Name && (deref(set.Type) == "NS" || deref(set.Type) == "SOA")
}

// ChangeResourceRecordSets makes all changes of a batch, or none.
func (s *Service) ChangeResourceRecordSets(ctx context.Context, in *route53.ChangeResourceRecordSetsInput) (*route53.ChangeResourceRecordSetsOutput, error) {
	z, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	b := &batch{zone: z, reader: s.env.Store.Read(ctx), sets: map[string]*route53.ResourceRecordSet{}}
	for _, rec := range recordsOf(b.reader, z.ID) {
		b.sets[resource.RecordSetKey(z.ID, rec.Set)] = rec.Set
	}
	for i, c := range in.ChangeBatch.Changes {
		set, err := prepare(fmt.Sprintf("ChangeBatch.Changes[%d].ResourceRecordSet", i), c)
		if err != nil {
			return nil, err
		}
		b.apply(i, deref(c.Action), set)
	}
	if err := b.verdict(); err != nil {
		return nil, err
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		for key, set := range b.touched {
			if set == nil {
				resource.RecordSets.Delete(tx, global, key)
				continue
			}
			resource.RecordSets.Put(tx, global, key, &resource.RecordSet{ZoneID: z.ID, Set: set})
		}
		if z.Elsewhere && len(recordsOf(tx, z.ID)) == 0 {
			resource.HostedZones.Delete(tx, global, z.ID)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &route53.ChangeResourceRecordSetsOutput{ChangeInfo: s.change(in.ChangeBatch.Comment)}, nil
}

// ListResourceRecordSets lists the records of a zone from a name and type on.
func (s *Service) ListResourceRecordSets(ctx context.Context, in *route53.ListResourceRecordSetsInput) (*route53.ListResourceRecordSetsOutput, error) {
	z, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	limit, err := limitOf(in.MaxItems)
	if err != nil {
		return nil, err
	}
	if in.StartRecordType != nil && in.StartRecordName == nil {
		return nil, refuse(route53.ErrCodeInvalidInput, "StartRecordName", "The input is not valid: a record type needs a record name.") // text: ours
	}
	start := &route53.ResourceRecordSet{Type: in.StartRecordType, SetIdentifier: in.StartRecordIdentifier}
	if in.StartRecordName != nil {
		name, _ := canonical(*in.StartRecordName)
		start.Name = &name
	}
	out := &route53.ListResourceRecordSetsOutput{ResourceRecordSets: []*route53.ResourceRecordSet{}, IsTruncated: new(false), MaxItems: new(strconv.Itoa(limit))}
	for _, rec := range recordsOf(s.env.Store.Read(ctx), z.ID) {
		if start.Name != nil && compare(rec.Set, start) < 0 {
			continue
		}
		if len(out.ResourceRecordSets) == limit {
			out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = new(true), rec.Set.Name, rec.Set.Type, rec.Set.SetIdentifier
			break
		}
		out.ResourceRecordSets = append(out.ResourceRecordSets, rec.Set)
	}
	return out, nil
}

// ChangeTagsForResource adds and removes tags of a zone.
func (s *Service) ChangeTagsForResource(ctx context.Context, in *route53.ChangeTagsForResourceInput) (*route53.ChangeTagsForResourceOutput, error) {
	old, err := s.tagged(ctx, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	z := *old
	z.Tags = map[string]string{}
	for k, v := range old.Tags {
		if !slices.Contains(in.RemoveTagKeys, k) {
			z.Tags[k] = v
		}
	}
	for _, t := range in.AddTags {
		z.Tags[deref(t.Key)] = deref(t.Value)
	}
	return &route53.ChangeTagsForResourceOutput{}, s.putZone(ctx, &z)
}

func (s *Service) tagged(ctx context.Context, kind, id *string) (*resource.HostedZone, error) {
	if deref(kind) != route53.TagResourceTypeHostedzone {
		return nil, refuse(route53.ErrCodeNoSuchHealthCheck, "ResourceId", "No health check exists with the specified ID.")
	}
	return s.zone(ctx, id)
}

// ListTagsForResource lists the tags of a zone.
func (s *Service) ListTagsForResource(ctx context.Context, in *route53.ListTagsForResourceInput) (*route53.ListTagsForResourceOutput, error) {
	z, err := s.tagged(ctx, in.ResourceType, in.ResourceId)
	if err != nil {
		return nil, err
	}
	return &route53.ListTagsForResourceOutput{ResourceTagSet: tagSet(z)}, nil
}

// ListTagsForResources lists the tags of several zones.
func (s *Service) ListTagsForResources(ctx context.Context, in *route53.ListTagsForResourcesInput) (*route53.ListTagsForResourcesOutput, error) {
	out := &route53.ListTagsForResourcesOutput{ResourceTagSets: []*route53.ResourceTagSet{}}
	for _, id := range in.ResourceIds {
		z, err := s.tagged(ctx, in.ResourceType, &id)
		if err != nil {
			return nil, err
		}
		out.ResourceTagSets = append(out.ResourceTagSets, tagSet(z))
	}
	return out, nil
}

func tagSet(z *resource.HostedZone) *route53.ResourceTagSet {
	out := &route53.ResourceTagSet{ResourceType: new(route53.TagResourceTypeHostedzone), ResourceId: &z.ID, Tags: []*route53.Tag{}}
	keys := make([]string, 0, len(z.Tags))
	for k := range z.Tags {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		out.Tags = append(out.Tags, &route53.Tag{Key: new(k), Value: new(z.Tags[k])})
	}
	return out
}

// canonical is resource.RecordName, and whether the name is one.
func canonical(name string) (string, bool) {
	n := resource.RecordName(name)
	if len(n) > 255 {
		return n, false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(n, "."), ".") {
		if label == "" || len(label) > 63 || strings.ContainsAny(label, " \t\r\n\x00/") {
			return n, false
		}
	}
	return n, true
}
