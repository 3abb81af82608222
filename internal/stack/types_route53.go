package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template"
)

var route53Spelling = spelling{
	absent: map[string]bool{"CreateHostedZoneRequest.CallerReference": true, "CreateHostedZoneRequest.VPC": true, "CreateHostedZoneRequest.DelegationSetId": true,
		"HostedZoneConfig.PrivateZone": true, "ResourceRecordSet.TrafficPolicyInstanceId": true},
	skip: map[string]bool{
		"CreateHostedZoneRequest.VPCs": true, "CreateHostedZoneRequest.HostedZoneTags": true, "CreateHostedZoneRequest.HostedZoneFeatures": true,
		// Logs of DNS queries: nobody asks this DNS.
		"CreateHostedZoneRequest.QueryLoggingConfig": true,
		"ResourceRecordSet.HostedZoneId":             true, "ResourceRecordSet.HostedZoneName": true, "ResourceRecordSet.Comment": true,
		"ResourceRecordSet.ResourceRecords": true,
	},
}

// route53Types are the types of AWS::Route53 (facts: cloudformation 3).
//
// Most templates put records into a zone that exists already, which they name or take as a parameter. Such a zone is noted
// as one from elsewhere: its records answer here, it is not listed by the API, and it goes with its last record.
var route53Types = map[string]*resourceType{
	"AWS::Route53::HostedZone": {required: []string{"Name"}, replace: []string{"Name"}, spelling: route53Spelling, lists: map[string]bool{"NameServers": true},
		create: createZone, update: updateZone,
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			_, err := call[route53.DeleteHostedZoneOutput](ctx, route53.Service, s.Route53, "DeleteHostedZone", &route53.DeleteHostedZoneInput{Id: &old.PhysicalID})
			return err
		}},
	"AWS::Route53::RecordSet": {required: []string{"Name", "Type"}, spelling: route53Spelling,
		create: func(ctx context.Context, r *request) (made, error) { return bringRecords(ctx, r, r.text("Name")) },
		update: func(ctx context.Context, r *request, _ resource.StackResource) (made, error) {
			return bringRecords(ctx, r, r.text("Name"))
		},
		delete: func(ctx context.Context, s *Services, old resource.StackResource) error {
			// After a change of name the record of the old name is gone, and the one of the new name stays.
			return removeRecords(ctx, s, func(set *route53.ResourceRecordSet) bool {
				return resource.PlainName(deref(set.Name)) == resource.PlainName(old.PhysicalID)
			})
		}},
	"AWS::Route53::RecordSetGroup": {spelling: route53Spelling,
		create: func(ctx context.Context, r *request) (made, error) { return bringRecords(ctx, r, r.name("", 128)) },
		update: func(ctx context.Context, r *request, old resource.StackResource) (made, error) {
			return bringRecords(ctx, r, old.PhysicalID)
		},
		delete: func(ctx context.Context, s *Services, _ resource.StackResource) error {
			return removeRecords(ctx, s, func(*route53.ResourceRecordSet) bool { return true })
		}},
}

func zoneRequest(r *request) (*route53.CreateHostedZoneInput, []*route53.VPC, error) {
	in := &route53.CreateHostedZoneInput{}
	if err := r.into(in, route53.Service.Shape("CreateHostedZoneRequest")); err != nil {
		return nil, nil, err
	}
	in.CallerReference = new(*r.reference() + "-" + r.text("Name"))
	items, err := r.items("VPCs", false)
	if err != nil {
		return nil, nil, err
	}
	var vpcs []*route53.VPC
	for _, v := range items {
		vpc := &route53.VPC{}
		if err := r.part(vpc, route53.Service.Shape("VPC"), v); err != nil {
			return nil, nil, err
		}
		vpcs = append(vpcs, vpc)
	}
	return in, vpcs, nil
}

func createZone(ctx context.Context, r *request) (made, error) {
	in, vpcs, err := zoneRequest(r)
	if err != nil {
		return made{}, err
	}
	if len(vpcs) > 0 {
		in.VPC = vpcs[0]
	}
	out, err := call[route53.CreateHostedZoneOutput](ctx, route53.Service, r.Route53, "CreateHostedZone", in)
	if err != nil {
		return made{}, err
	}
	id := strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
	for i, v := range vpcs {
		if i == 0 {
			continue
		}
		if _, err := call[route53.AssociateVPCWithHostedZoneOutput](ctx, route53.Service, r.Route53, "AssociateVPCWithHostedZone", &route53.AssociateVPCWithHostedZoneInput{HostedZoneId: &id, VPC: v}); err != nil {
			return made{}, under(err, fmt.Sprintf("VPCs[%d]", i))
		}
	}
	m := made{id, map[string]string{"Id": id}}
	if out.DelegationSet != nil {
		m.attributes["NameServers"] = strings.Join(out.DelegationSet.NameServers, ",")
	}
	return m, tagZone(ctx, r, id)
}

func tagZone(ctx context.Context, r *request, id string) error {
	tags, err := r.items("HostedZoneTags", false)
	if err != nil {
		return err
	}
	in := &route53.ChangeTagsForResourceInput{ResourceType: new(route53.TagResourceTypeHostedzone), ResourceId: &id}
	if z, ok := resource.HostedZones.Get(r.Env.Store.Read(ctx), resource.Global, id); ok {
		for k := range z.Tags {
			in.RemoveTagKeys = append(in.RemoveTagKeys, k)
		}
	}
	for _, t := range tags {
		in.AddTags = append(in.AddTags, &route53.Tag{Key: new(text(t, "Key")), Value: new(text(t, "Value"))})
	}
	if len(in.AddTags)+len(in.RemoveTagKeys) == 0 {
		return nil
	}
	_, err = r.Route53.ChangeTagsForResource(ctx, in)
	return err
}

func updateZone(ctx context.Context, r *request, old resource.StackResource) (made, error) {
	in, _, err := zoneRequest(r)
	if err != nil {
		return made{}, err
	}
	comment := ""
	if in.HostedZoneConfig != nil {
		comment = deref(in.HostedZoneConfig.Comment)
	}
	if _, err := call[route53.UpdateHostedZoneCommentOutput](ctx, route53.Service, r.Route53, "UpdateHostedZoneComment", &route53.UpdateHostedZoneCommentInput{Id: &old.PhysicalID, Comment: &comment}); err != nil {
		return made{}, err
	}
	return made{old.PhysicalID, old.Attributes}, tagZone(ctx, r, old.PhysicalID)
}

// wanted is a record of the template, with the zone that it goes into.
type wanted struct {
	zone zone
	set  *route53.ResourceRecordSet
	// place is the record's property, "" where the record is all of the properties.
	place string
}

// zone names a hosted zone; Name is "" when the template gives the id only.
type zone struct{ id, name string }

// bringRecords makes the records of a RecordSet or RecordSetGroup, changes those that exist and deletes what the resource
// made before and no longer has. ref is what Ref returns.
func bringRecords(ctx context.Context, r *request, ref string) (made, error) {
	all, err := recordsWanted(ctx, r)
	if err != nil {
		return made{}, err
	}
	own := ownRecords(ctx, r.Services)
	keep := map[string]bool{}
	for _, w := range all {
		key := resource.RecordSetKey(w.zone.id, canonicalSet(w.set))
		keep[key] = true
	}
	// Old records go first, since a name may change its type.
	for key, rec := range own {
		if !keep[key] {
			if err := changeRecord(ctx, r.Services, route53.ChangeActionDELETE, wanted{zone: zone{id: rec.ZoneID}, set: rec.Set}); err != nil {
				return made{}, err
			}
		}
	}
	for _, w := range all {
		action := route53.ChangeActionCREATE
		if own[resource.RecordSetKey(w.zone.id, canonicalSet(w.set))] != nil {
			action = route53.ChangeActionUPSERT
		}
		// A zone from elsewhere goes with its last record, and has to come back for the next.
		if err := ensureZone(ctx, r, w.zone); err != nil {
			return made{}, err
		}
		if err := changeRecord(ctx, r.Services, action, w); err != nil {
			return made{}, err
		}
	}
	return made{ref, map[string]string{"Id": ref}}, nil
}

// canonicalSet is the set with its name as Route 53 keeps it.
func canonicalSet(s *route53.ResourceRecordSet) *route53.ResourceRecordSet {
	c := *s
	c.Name = new(resource.RecordName(deref(s.Name)))
	return &c
}

// ownRecords are the records that the resource of ctx has made, by key.
func ownRecords(ctx context.Context, s *Services) map[string]*resource.RecordSet {
	out := map[string]*resource.RecordSet{}
	for rec, v := range resource.RecordSets.All(s.Env.Store.Read(ctx), resource.Global) {
		if rec.Source == store.SourceOf(ctx) {
			out[rec.Key.ID] = v
		}
	}
	return out
}

func removeRecords(ctx context.Context, s *Services, which func(*route53.ResourceRecordSet) bool) error {
	for _, rec := range ownRecords(ctx, s) {
		if which(rec.Set) {
			if err := changeRecord(ctx, s, route53.ChangeActionDELETE, wanted{zone: zone{id: rec.ZoneID}, set: rec.Set}); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeRecord makes one change; the paths of what Route 53 refuses are those of the record's properties.
func changeRecord(ctx context.Context, s *Services, action string, w wanted) error {
	_, err := call[route53.ChangeResourceRecordSetsOutput](ctx, route53.Service, s.Route53, "ChangeResourceRecordSets", &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &w.zone.id, ChangeBatch: &route53.ChangeBatch{Changes: []*route53.Change{{Action: &action, ResourceRecordSet: w.set}}}})
	var api *awsapi.Error
	if err == nil || !errors.As(err, &api) || api.Finding == nil {
		return err
	}
	e, f := *api, *api.Finding
	f.Path = strings.TrimPrefix(strings.TrimPrefix(f.Path, "ChangeBatch.Changes[0].ResourceRecordSet"), ".")
	if w.place != "" {
		f.Path = strings.TrimSuffix(w.place+"."+f.Path, ".")
	}
	e.Finding = &f
	return &e
}

// recordsWanted reads the record of a RecordSet, or those of a RecordSetGroup.
func recordsWanted(ctx context.Context, r *request) ([]wanted, error) {
	if r.typeName == "AWS::Route53::RecordSet" {
		w, err := recordWanted(ctx, r, r.props, "")
		return []wanted{w}, err
	}
	for _, f := range r.props.Fields {
		switch f.Key {
		case "Comment", "HostedZoneId", "HostedZoneName", "RecordSets":
		default:
			return nil, &refusal{[]diag.Finding{schemaFinding(r.logicalID, r.props, "extraneous key ["+f.Key+"] is not permitted")}}
		}
	}
	items, err := r.items("RecordSets", false)
	if err != nil {
		return nil, err
	}
	var all []wanted
	for i, v := range items {
		w, err := recordWanted(ctx, r, v, fmt.Sprintf("RecordSets[%d]", i))
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func recordWanted(ctx context.Context, r *request, props *template.Value, place string) (wanted, error) {
	set := &route53.ResourceRecordSet{}
	if err := r.part(set, route53.Service.Shape("ResourceRecordSet"), props); err != nil {
		return wanted{}, err
	}
	if v := props.Get("ResourceRecords"); v != nil {
		if v.Kind != template.List {
			return wanted{}, &refusal{[]diag.Finding{schemaFinding(r.logicalID, v, "expected type: JSONArray, found: "+jsonType(v))}}
		}
		for _, item := range v.Items {
			if !item.IsScalar() {
				return wanted{}, &refusal{[]diag.Finding{schemaFinding(r.logicalID, item, "expected type: String, found: "+jsonType(item))}}
			}
			set.ResourceRecords = append(set.ResourceRecords, &route53.ResourceRecord{Value: new(item.Text)})
		}
	}
	if set.AliasTarget != nil && set.AliasTarget.EvaluateTargetHealth == nil {
		set.AliasTarget.EvaluateTargetHealth = new(false) // optional in templates only
	}
	z, err := zoneOf(ctx, r, props)
	return wanted{z, set, place}, err
}

// zoneOf finds the zone that HostedZoneId or HostedZoneName names, in the record's properties or in those of its group.
func zoneOf(ctx context.Context, r *request, props *template.Value) (zone, error) {
	id, name := text(props, "HostedZoneId"), text(props, "HostedZoneName")
	if id == "" && name == "" {
		id, name = r.text("HostedZoneId"), r.text("HostedZoneName")
	}
	if (id == "") == (name == "") {
		const words = "Exactly one of HostedZoneId and HostedZoneName must be specified." // text: ours
		return zone{}, awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Message: words, AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: words}})
	}
	if id != "" {
		id = strings.TrimPrefix(id, "/hostedzone/")
		return zone{id: id}, nil
	}
	want := resource.RecordName(name)
	for _, z := range resource.HostedZones.All(r.Env.Store.Read(ctx), resource.Global) {
		if z.Name == want {
			return zone{z.ID, want}, nil
		}
	}
	// The same id for the name at every run and in every stack.
	src := store.WithSource(ctx, store.Source{Stack: "zone", LogicalID: want})
	id = r.Env.NewID(src, service.ID{Kind: "zone-elsewhere", Prefix: "Z", Alphabet: service.Upper, Length: 20}, exists(ctx, r.Services, resource.HostedZones))
	return zone{id, want}, nil
}

// ensureZone notes a zone that was not made here, so that records can go into it.
func ensureZone(ctx context.Context, r *request, z zone) error {
	if _, ok := resource.HostedZones.Get(r.Env.Store.Read(ctx), resource.Global, z.id); ok {
		return nil
	}
	_, err := r.Env.Store.Update(ctx, func(tx *store.Tx) error {
		resource.HostedZones.Put(tx, resource.Global, z.id, &resource.HostedZone{ID: z.id, Name: z.name, Elsewhere: true, Tags: map[string]string{}})
		return nil
	})
	if err != nil {
		return err
	}
	called := cmp.Or(z.name, z.id)
	r.stack.found = append(r.stack.found, diag.Finding{Code: diag.UnknownHost, Severity: diag.Info, Path: r.props.Path(), Position: r.props.Position,
		Message: fmt.Sprintf("the hosted zone %s was not made here; it is taken to exist, and the records of %s answer locally", called, r.logicalID)})
	return nil
}
