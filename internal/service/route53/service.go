// Package route53 implements the API of Amazon Route 53 over the store: hosted zones and their records.
//
// Start with Service; records.go has changes and lists of records, check.go the rules that a change batch must keep. Changes
// are INSYNC at once. Texts are Route 53's as remembered from what is quoted in public: no recorded answer was
// compared, so treat them as unsourced, and those that a comment calls ours as ours. Not there: health checks, traffic policies, DNSSEC, query logging, reusable
// delegation sets; their operations answer NotImplemented.
package route53

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements route53.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	route53.Unimplemented
	env *service.Env
	// changes are the last ones, for GetChange; they do not survive a restart, as on AWS where they are forgotten too.
	mu      sync.Mutex
	changes map[string]*route53.ChangeInfo
	order   []string
}

// New makes the service.
func New(env *service.Env) *Service {
	return &Service{env: env, changes: map[string]*route53.ChangeInfo{}}
}

const global = resource.Global

var (
	zoneID   = service.ID{Kind: "hosted-zone", Prefix: "Z", Alphabet: service.Upper, Length: 20}
	changeID = service.ID{Kind: "dns-change", Prefix: "C", Alphabet: service.Upper, Length: 20}
)

// keptChanges bounds what GetChange remembers.
const keptChanges = 1000

// Quotas (Route 53 developer guide, DNSLimitations).
const (
	maxZones   = 500
	maxRecords = 10000
)

func refuse(code, path, message string, because ...string) error {
	status := 400
	if e := route53.Service.Error(code); e != nil && e.Status != 0 {
		status = e.Status
	}
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Because: because,
		AWSError: &diag.AWSError{Code: code, Status: status, Message: message}})
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// bareID takes /hostedzone/ or /change/ off.
func bareID(id *string) string { s := deref(id); return s[strings.LastIndexByte(s, '/')+1:] }

// change records a change and returns what clients see of it.
func (s *Service) change(comment *string) *route53.ChangeInfo {
	info := &route53.ChangeInfo{Status: new(route53.ChangeStatusINSYNC), SubmittedAt: new(s.env.Now().UTC().Truncate(time.Millisecond)), Comment: comment}
	// The id is of the moment, not of a resource: it is random even for those of templates.
	id := s.env.NewID(context.Background(), changeID, nil)
	info.Id = new("/change/" + id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes[id] = info
	if s.order = append(s.order, id); len(s.order) > keptChanges {
		delete(s.changes, s.order[0])
		s.order = slices.Delete(s.order, 0, 1)
	}
	return info
}

// GetChange returns one of the last changes.
func (s *Service) GetChange(_ context.Context, in *route53.GetChangeInput) (*route53.GetChangeOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info, ok := s.changes[bareID(in.Id)]
	if !ok {
		return nil, awsapi.Errorf(route53.ErrCodeNoSuchChange, "Could not find resource with ID: %s", bareID(in.Id))
	}
	return &route53.GetChangeOutput{ChangeInfo: info}, nil
}

func (s *Service) zone(ctx context.Context, id *string) (*resource.HostedZone, error) {
	z, ok := resource.HostedZones.Get(s.env.Store.Read(ctx), global, bareID(id))
	if !ok {
		return nil, refuse(route53.ErrCodeNoSuchHostedZone, "HostedZoneId", "No hosted zone found with ID: "+bareID(id))
	}
	return z, nil
}

// CreateHostedZone makes a zone with its NS and SOA records.
func (s *Service) CreateHostedZone(ctx context.Context, in *route53.CreateHostedZoneInput) (*route53.CreateHostedZoneOutput, error) {
	r := s.env.Store.Read(ctx)
	name, ok := canonical(deref(in.Name))
	if !ok || strings.HasPrefix(name, `\052`) {
		return nil, refuse(route53.ErrCodeInvalidDomainName, "Name", deref(in.Name)+" is not a valid domain name.") // text: ours
	}
	zones := 0
	for _, z := range resource.HostedZones.All(r, global) {
		if z.CallerReference == deref(in.CallerReference) && !z.Elsewhere {
			return nil, refuse(route53.ErrCodeHostedZoneAlreadyExists, "CallerReference",
				"A hosted zone has already been created with the specified caller reference.", "it is "+z.ID)
		}
		zones++
	}
	if zones >= maxZones {
		return nil, refuse(route53.ErrCodeTooManyHostedZones, "", "Limits Exceeded: MAX_HOSTED_ZONES_BY_OWNER - Cannot create more hosted zones.") // text: ours
	}
	z := &resource.HostedZone{Name: name, CallerReference: deref(in.CallerReference), Tags: map[string]string{}, Private: in.VPC != nil,
		ID: s.env.NewID(ctx, zoneID, func(id string) bool { _, used := resource.HostedZones.Get(r, global, id); return used })}
	if c := in.HostedZoneConfig; c != nil {
		z.Comment = deref(c.Comment)
		if deref(c.PrivateZone) && in.VPC == nil {
			return nil, refuse(route53.ErrCodeInvalidInput, "VPC", "When you're creating a private hosted zone (when you specify true for PrivateZone), you must also specify values for VPCId and VPCRegion.")
		}
	}
	if in.VPC != nil {
		z.VPCs = []*route53.VPC{in.VPC}
	}
	z.NameServers = nameServers(z)
	records := standardRecords(z)
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.HostedZones.Put(tx, global, z.ID, z)
		for _, set := range records {
			resource.RecordSets.Put(tx, global, resource.RecordSetKey(z.ID, set), &resource.RecordSet{ZoneID: z.ID, Set: set})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := &route53.CreateHostedZoneOutput{HostedZone: s.show(ctx, z), ChangeInfo: s.change(nil), VPC: in.VPC,
		Location: new("https://route53.amazonaws.com/2013-04-01/hostedzone/" + z.ID)}
	if !z.Private {
		out.DelegationSet = &route53.DelegationSet{NameServers: z.NameServers}
	}
	return out, nil
}

// nameServers are four of Route 53's form, one below each top-level domain, the same for a zone at every run. Private zones
// have reserved ones (Route 53 developer guide, hosted-zone-private-considerations).
func nameServers(z *resource.HostedZone) []string {
	if z.Private {
		return []string{"ns-0.awsdns-00.com.", "ns-512.awsdns-00.net.", "ns-1024.awsdns-00.org.", "ns-1536.awsdns-00.co.uk."}
	}
	n := 0
	for _, c := range z.ID {
		n = (n*31 + int(c)) % 4096
	}
	var out []string
	for i, top := range []string{"com", "net", "org", "co.uk"} {
		out = append(out, fmt.Sprintf("ns-%d.awsdns-%02d.%s", i*512+(n*(i+1))%512, (n+i*7)%64, top))
	}
	return out
}

// standardRecords are those that every zone has.
func standardRecords(z *resource.HostedZone) []*route53.ResourceRecordSet {
	ns := &route53.ResourceRecordSet{Name: &z.Name, Type: new("NS"), TTL: new(int64(172800))}
	for _, n := range z.NameServers {
		ns.ResourceRecords = append(ns.ResourceRecords, &route53.ResourceRecord{Value: new(strings.TrimSuffix(n, ".") + ".")})
	}
	soa := &route53.ResourceRecordSet{Name: &z.Name, Type: new("SOA"), TTL: new(int64(900)), ResourceRecords: []*route53.ResourceRecord{
		{Value: new(strings.TrimSuffix(z.NameServers[0], ".") + ". awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400")}}}
	return []*route53.ResourceRecordSet{ns, soa}
}

func (s *Service) show(ctx context.Context, z *resource.HostedZone) *route53.HostedZone {
	out := &route53.HostedZone{Id: new("/hostedzone/" + z.ID), Name: &z.Name, CallerReference: &z.CallerReference,
		Config: &route53.HostedZoneConfig{PrivateZone: &z.Private}, ResourceRecordSetCount: new(int64(len(recordsOf(s.env.Store.Read(ctx), z.ID))))}
	if z.Comment != "" {
		out.Config.Comment = &z.Comment
	}
	return out
}

// GetHostedZone returns a zone.
func (s *Service) GetHostedZone(ctx context.Context, in *route53.GetHostedZoneInput) (*route53.GetHostedZoneOutput, error) {
	z, err := s.zone(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	out := &route53.GetHostedZoneOutput{HostedZone: s.show(ctx, z), VPCs: z.VPCs}
	if !z.Private {
		out.DelegationSet = &route53.DelegationSet{NameServers: z.NameServers}
	}
	return out, nil
}

// zones lists the zones that were made here.
func (s *Service) zones(ctx context.Context) []*resource.HostedZone {
	var out []*resource.HostedZone
	for _, z := range resource.HostedZones.All(s.env.Store.Read(ctx), global) {
		if !z.Elsewhere {
			out = append(out, z)
		}
	}
	return out
}

func limitOf(maxItems *string) (int, error) {
	if maxItems == nil {
		return 100, nil
	}
	n, err := strconv.Atoi(*maxItems)
	if err != nil || n < 1 {
		return 0, refuse(route53.ErrCodeInvalidInput, "MaxItems", "The value of MaxItems is invalid.") // text: ours
	}
	return min(n, 300), nil
}

// ListHostedZones lists the zones by id.
func (s *Service) ListHostedZones(ctx context.Context, in *route53.ListHostedZonesInput) (*route53.ListHostedZonesOutput, error) {
	limit, err := limitOf(in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &route53.ListHostedZonesOutput{HostedZones: []*route53.HostedZone{}, IsTruncated: new(false), MaxItems: new(strconv.Itoa(limit)), Marker: in.Marker}
	for _, z := range s.zones(ctx) {
		if in.Marker != nil && z.ID < *in.Marker || deref(in.HostedZoneType) == route53.HostedZoneTypePrivateHostedZone && !z.Private {
			continue
		}
		if len(out.HostedZones) == limit {
			out.IsTruncated, out.NextMarker = new(true), &z.ID
			break
		}
		out.HostedZones = append(out.HostedZones, s.show(ctx, z))
	}
	return out, nil
}

// ListHostedZonesByName lists the zones in the order of their reversed names.
func (s *Service) ListHostedZonesByName(ctx context.Context, in *route53.ListHostedZonesByNameInput) (*route53.ListHostedZonesByNameOutput, error) {
	limit, err := limitOf(in.MaxItems)
	if err != nil {
		return nil, err
	}
	all := s.zones(ctx)
	slices.SortFunc(all, func(a, b *resource.HostedZone) int {
		return cmp.Or(cmp.Compare(reversed(a.Name), reversed(b.Name)), cmp.Compare(a.ID, b.ID))
	})
	start := ""
	if in.DNSName != nil {
		name, _ := canonical(*in.DNSName)
		start = reversed(name)
	}
	out := &route53.ListHostedZonesByNameOutput{HostedZones: []*route53.HostedZone{}, DNSName: in.DNSName, HostedZoneId: in.HostedZoneId,
		IsTruncated: new(false), MaxItems: new(strconv.Itoa(limit))}
	for _, z := range all {
		if at := reversed(z.Name); at < start || at == start && in.HostedZoneId != nil && z.ID < bareID(in.HostedZoneId) {
			continue
		}
		if len(out.HostedZones) == limit {
			out.IsTruncated, out.NextDNSName, out.NextHostedZoneId = new(true), &z.Name, &z.ID
			break
		}
		out.HostedZones = append(out.HostedZones, s.show(ctx, z))
	}
	return out, nil
}

// reversed is the sort key of a name: its labels from the last to the first.
func reversed(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

// GetHostedZoneCount counts the zones.
func (s *Service) GetHostedZoneCount(ctx context.Context, _ *route53.GetHostedZoneCountInput) (*route53.GetHostedZoneCountOutput, error) {
	return &route53.GetHostedZoneCountOutput{HostedZoneCount: new(int64(len(s.zones(ctx))))}, nil
}

func (s *Service) putZone(ctx context.Context, z *resource.HostedZone) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { resource.HostedZones.Put(tx, global, z.ID, z); return nil })
	return err
}

// UpdateHostedZoneComment changes the comment.
func (s *Service) UpdateHostedZoneComment(ctx context.Context, in *route53.UpdateHostedZoneCommentInput) (*route53.UpdateHostedZoneCommentOutput, error) {
	old, err := s.zone(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	z := *old
	z.Comment = deref(in.Comment)
	if err := s.putZone(ctx, &z); err != nil {
		return nil, err
	}
	return &route53.UpdateHostedZoneCommentOutput{HostedZone: s.show(ctx, &z)}, nil
}

// AssociateVPCWithHostedZone adds a VPC to a private zone. VPCs mean nothing here: private zones answer everybody.
func (s *Service) AssociateVPCWithHostedZone(ctx context.Context, in *route53.AssociateVPCWithHostedZoneInput) (*route53.AssociateVPCWithHostedZoneOutput, error) {
	old, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	if !old.Private {
		return nil, refuse(route53.ErrCodePublicZoneVPCAssociation, "HostedZoneId", "You're trying to associate a VPC with a public hosted zone. Amazon Route 53 doesn't support associating a VPC with a public hosted zone.")
	}
	z := *old
	z.VPCs = append(slices.Clone(old.VPCs), in.VPC)
	return &route53.AssociateVPCWithHostedZoneOutput{ChangeInfo: s.change(in.Comment)}, s.putZone(ctx, &z)
}

// DisassociateVPCFromHostedZone takes a VPC off; the last one stays.
func (s *Service) DisassociateVPCFromHostedZone(ctx context.Context, in *route53.DisassociateVPCFromHostedZoneInput) (*route53.DisassociateVPCFromHostedZoneOutput, error) {
	old, err := s.zone(ctx, in.HostedZoneId)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(old.VPCs, func(v *route53.VPC) bool { return in.VPC != nil && deref(v.VPCId) == deref(in.VPC.VPCId) })
	switch {
	case i < 0:
		return nil, refuse(route53.ErrCodeVPCAssociationNotFound, "VPC", "The specified VPC and hosted zone are not currently associated.")
	case len(old.VPCs) == 1:
		return nil, refuse(route53.ErrCodeLastVPCAssociation, "VPC", "The VPC that you're trying to disassociate from the private hosted zone is the last VPC that is associated with the hosted zone.")
	}
	z := *old
	z.VPCs = slices.Delete(slices.Clone(old.VPCs), i, i+1)
	return &route53.DisassociateVPCFromHostedZoneOutput{ChangeInfo: s.change(in.Comment)}, s.putZone(ctx, &z)
}

// DeleteHostedZone deletes a zone that has only its own NS and SOA records.
func (s *Service) DeleteHostedZone(ctx context.Context, in *route53.DeleteHostedZoneInput) (*route53.DeleteHostedZoneOutput, error) {
	z, err := s.zone(ctx, in.Id)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	for _, rec := range recordsOf(r, z.ID) {
		if !standard(z, rec.Set) {
			return nil, refuse(route53.ErrCodeHostedZoneNotEmpty, "Id", "The specified hosted zone contains non-required resource record sets and so cannot be deleted.",
				fmt.Sprintf("it has the record %s %s", deref(rec.Set.Name), deref(rec.Set.Type)))
		}
	}
	_, err = s.env.Store.Update(ctx, func(tx *store.Tx) error {
		for _, rec := range recordsOf(tx, z.ID) {
			resource.RecordSets.Delete(tx, global, resource.RecordSetKey(z.ID, rec.Set))
		}
		resource.HostedZones.Delete(tx, global, z.ID)
		return nil
	})
	return &route53.DeleteHostedZoneOutput{ChangeInfo: s.change(nil)}, err
}
