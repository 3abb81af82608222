package route53

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"

	"github.com/foregate/foregate/internal/awsapi"
)

// prepare checks the form of one change and brings its names into Route 53's form. What is wrong with the form is an
// InvalidInput, what is wrong with the change an InvalidChangeBatch (batch).
func prepare(path string, c *route53.Change) (*route53.ResourceRecordSet, error) {
	in := c.ResourceRecordSet
	where := func() string {
		id := "null"
		if in.SetIdentifier != nil {
			id = *in.SetIdentifier
		}
		return fmt.Sprintf("[Action=%s, Name=%s, Type=%s, SetIdentifier=%s]", deref(c.Action), deref(in.Name), deref(in.Type), id)
	}
	bad := func(member, text string) error {
		return refuse(route53.ErrCodeInvalidInput, path+member, "Invalid request: "+text)
	}
	set := *in
	name, ok := canonical(deref(in.Name))
	if !ok {
		return nil, refuse(route53.ErrCodeInvalidChangeBatch, path+".Name",
			fmt.Sprintf("[FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '%s']", deref(in.Name)), "want a DNS name")
	}
	set.Name = &name
	switch {
	case in.AliasTarget != nil && (in.TTL != nil || len(in.ResourceRecords) > 0):
		return nil, bad("", "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found more than one in Change with "+where())
	case in.AliasTarget == nil && in.TTL == nil && len(in.ResourceRecords) == 0 && in.TrafficPolicyInstanceId == nil:
		return nil, bad("", "Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with "+where())
	case in.AliasTarget == nil && in.TTL == nil:
		return nil, bad(".TTL", "Missing field 'TTL' in Change with "+where())
	case in.AliasTarget == nil && len(in.ResourceRecords) == 0:
		return nil, bad(".ResourceRecords", "Missing field 'ResourceRecords' in Change with "+where())
	}
	policies := routingPolicies(in)
	switch {
	case len(policies) > 1:
		return nil, bad("", "Expected exactly one of [Weight, Region, Failover, GeoLocation, MultiValueAnswer, GeoProximityLocation, or CidrRoutingConfig], but found more than one in Change with "+where())
	case len(policies) == 0 && in.SetIdentifier != nil:
		return nil, bad(".SetIdentifier", "Missing field 'Weight', 'Region', 'Failover', 'GeoLocation', 'MultiValueAnswer', 'GeoProximityLocation', or 'CidrRoutingConfig' in Change with "+where())
	case len(policies) == 1 && in.SetIdentifier == nil:
		return nil, bad(".SetIdentifier", "Missing field 'SetIdentifier' in Change with "+where())
	}
	if a := in.AliasTarget; a != nil {
		target := *a
		dns, ok := canonical(deref(a.DNSName))
		if !ok {
			return nil, refuse(route53.ErrCodeInvalidChangeBatch, path+".AliasTarget.DNSName",
				fmt.Sprintf("[FATAL problem: DomainLabelEmpty (Domain label is empty) encountered with '%s']", deref(a.DNSName)), "want a DNS name")
		}
		target.DNSName, target.HostedZoneId = &dns, new(bareID(a.HostedZoneId))
		set.AliasTarget = &target
	}
	return &set, nil
}

func routingPolicies(s *route53.ResourceRecordSet) []string {
	var out []string
	for _, p := range []struct {
		name string
		set  bool
	}{{"Weight", s.Weight != nil}, {"Region", s.Region != nil}, {"Failover", s.Failover != nil}, {"GeoLocation", s.GeoLocation != nil},
		{"MultiValueAnswer", s.MultiValueAnswer != nil}, {"GeoProximityLocation", s.GeoProximityLocation != nil}, {"CidrRoutingConfig", s.CidrRoutingConfig != nil}} {
		if p.set {
			out = append(out, p.name)
		}
	}
	return out
}

// batch is a change batch being tried on a copy of the zone.
type batch struct {
	zone   *resource.HostedZone
	reader store.Reader
	// sets is the zone as the changes so far leave it.
	sets map[string]*route53.ResourceRecordSet
	// touched is what to write; nil deletes.
	touched  map[string]*route53.ResourceRecordSet
	problems []problem
}

type problem struct{ text, path, because string }

// fail notes what Route 53 says of a change, in its words.
func (b *batch) fail(path, because, format string, args ...any) {
	b.problems = append(b.problems, problem{fmt.Sprintf(format, args...), path, because})
}

// verdict joins the problems as Route 53 does: in brackets, with commas.
func (b *batch) verdict() error {
	if len(b.problems) == 0 && len(b.sets) > maxRecords {
		b.fail("ChangeBatch", "", "Number of records limit of %d exceeded.", maxRecords)
	}
	if len(b.problems) == 0 {
		return nil
	}
	var texts, because []string
	for _, p := range b.problems {
		texts = append(texts, p.text)
		if p.because != "" {
			because = append(because, p.because)
		}
	}
	text := "[" + strings.Join(texts, ", ") + "]"
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: b.problems[0].path, Message: text, Because: because,
		AWSError: &diag.AWSError{Code: route53.ErrCodeInvalidChangeBatch, Status: 400, Message: text}})
}

// apply tries one change.
func (b *batch) apply(i int, action string, set *route53.ResourceRecordSet) {
	path := fmt.Sprintf("ChangeBatch.Changes[%d].ResourceRecordSet", i)
	key := resource.RecordSetKey(b.zone.ID, set)
	old, exists := b.sets[key]
	named := fmt.Sprintf("[name='%s', type='%s'%s]", *set.Name, *set.Type, identifier(set))
	if b.touched == nil {
		b.touched = map[string]*route53.ResourceRecordSet{}
	}
	switch action {
	case route53.ChangeActionDELETE:
		switch {
		case !exists:
			b.fail(path, "", "Tried to delete resource record set %s but it was not found", named)
		case standard(b.zone, set):
			b.fail(path, "", "A HostedZone must contain at least one %s record for the zone itself.", map[string]string{"NS": "NS", "SOA": "SOA"}[*set.Type])
		case !sameRecord(old, set):
			b.fail(path, "a deletion repeats the record exactly", "Tried to delete resource record set %s but the values provided do not match the current values", named)
		default:
			delete(b.sets, key)
			b.touched[key] = nil
		}
		return
	case route53.ChangeActionCREATE:
		if exists {
			b.fail(path+".Name", "", "Tried to create resource record set %s but it already exists", named)
			return
		}
	}
	before := len(b.problems)
	b.check(path, set, key)
	if len(b.problems) == before {
		b.sets[key], b.touched[key] = set, set
	}
}

func identifier(s *route53.ResourceRecordSet) string {
	if s.SetIdentifier == nil {
		return ""
	}
	return ", set-identifier='" + *s.SetIdentifier + "'"
}

// sameRecord compares values; their order does not count.
func sameRecord(a, b *route53.ResourceRecordSet) bool {
	x, y := *a, *b
	x.ResourceRecords, y.ResourceRecords = nil, nil
	return reflect.DeepEqual(x, y) && slices.Equal(values(a), values(b))
}

func values(s *route53.ResourceRecordSet) []string {
	var out []string
	for _, r := range s.ResourceRecords {
		out = append(out, deref(r.Value))
	}
	slices.Sort(out)
	return out
}

// check is what a record in the zone must keep to.
func (b *batch) check(path string, set *route53.ResourceRecordSet, key string) {
	name, kind := *set.Name, *set.Type
	if b.zone.Name != "" && name != b.zone.Name && !strings.HasSuffix(name, "."+b.zone.Name) {
		b.fail(path+".Name", "", "RRSet with DNS name %s is not permitted in zone %s", name, b.zone.Name)
		return
	}
	if kind == "CNAME" && name == b.zone.Name {
		b.fail(path+".Type", "an alias record can stand at the apex", "RRSet of type CNAME with DNS name %s is not permitted at apex in zone %s", name, b.zone.Name)
		return
	}
	for k, other := range b.sets {
		if k == key || *other.Name != name {
			continue
		}
		if (kind == "CNAME") != (*other.Type == "CNAME") {
			b.fail(path+".Type", fmt.Sprintf("the name has a record of type %s", *other.Type),
				"RRSet of type %s with DNS name %s is not permitted as it conflicts with other records with the same DNS name in zone %s", kind, name, b.zone.Name)
			return
		}
		if kind == *other.Type && (set.SetIdentifier == nil) != (other.SetIdentifier == nil) {
			b.fail(path+".SetIdentifier", "", "RRSet with DNS name %s, type %s, %s cannot be created as a non-multi-value-answer RRSet exists with the same name and type.", name, kind, strings.TrimPrefix(identifier(set), ", "))
			return
		}
	}
	if set.AliasTarget != nil {
		b.checkAlias(path+".AliasTarget", set)
		return
	}
	b.checkValues(path, set)
}

// checkAlias: what an alias may point at (facts: sigv4-iam 7).
func (b *batch) checkAlias(path string, set *route53.ResourceRecordSet) {
	a := set.AliasTarget
	dns, zone := *a.DNSName, *a.HostedZoneId
	tried := fmt.Sprintf("Tried to create an alias that targets %s, type %s in zone %s, but ", dns, *set.Type, zone)
	cloudFront := strings.HasSuffix(dns, ".cloudfront.net.")
	switch {
	case zone == resource.CloudFrontZoneID && !cloudFront,
		apiGatewayZone(dns) != "" && zone != apiGatewayZone(dns):
		because := "aliases to CloudFront and edge-optimized APIs are in zone " + resource.CloudFrontZoneID
		if want := apiGatewayZone(dns); want != "" {
			because = "regional APIs of that region are in zone " + want
		}
		b.fail(path+".HostedZoneId", because, "%sthe alias target name does not lie within the target zone", tried)
	case cloudFront && zone != resource.CloudFrontZoneID:
		b.fail(path+".HostedZoneId", "distributions are in zone "+resource.CloudFrontZoneID, "%sthe alias target name does not lie within the target zone", tried)
	case cloudFront && *set.Type != "A" && *set.Type != "AAAA" && *set.Type != "HTTPS":
		b.fail(path, "a distribution is the target of A, AAAA and HTTPS records", "%sthat target was not found", tried)
	case cloudFront && deref(a.EvaluateTargetHealth):
		b.fail(path+".EvaluateTargetHealth", "EvaluateTargetHealth must be false for a distribution", "%sEvaluateTargetHealth cannot be true for a CloudFront distribution", tried) // text: ours
	case zone == b.zone.ID:
		if b.zone.Name != "" && dns != b.zone.Name && !strings.HasSuffix(dns, "."+b.zone.Name) {
			b.fail(path+".DNSName", "", "%sthe alias target name does not lie within the target zone", tried)
			return
		}
		for _, other := range b.sets {
			if *other.Name == dns && *other.Type == *set.Type {
				return
			}
		}
		if !b.zone.Elsewhere {
			b.fail(path+".DNSName", "an alias to the same zone points at a record of the same type", "%sthat target was not found", tried)
		}
	}
}

// checkValues checks addresses, the values that Foregate reads itself. Others are taken as they are.
func (b *batch) checkValues(path string, set *route53.ResourceRecordSet) {
	if *set.Type == "CNAME" && len(set.ResourceRecords) > 1 {
		b.fail(path+".ResourceRecords", "", "InvalidChangeBatch: A CNAME record set has one value.") // text: ours
		return
	}
	seen := map[string]bool{}
	for i, r := range set.ResourceRecords {
		v := deref(r.Value)
		at := fmt.Sprintf("%s.ResourceRecords[%d]", path, i)
		if seen[v] {
			b.fail(at, "", "Duplicate Resource Record: '%s'", v)
		}
		seen[v] = true
		ip, err := netip.ParseAddr(v)
		switch {
		case *set.Type == "A" && (err != nil || !ip.Is4()):
			b.fail(at, "", "Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '%s''", v)
		case *set.Type == "AAAA" && (err != nil || !ip.Is6()):
			b.fail(at, "", "Invalid Resource Record: 'FATAL problem: AAAARRDATAIllegalIPv6Address (Value is not a valid IPv6 address) encountered with '%s''", v)
		case *set.Type == "CNAME" && strings.ContainsAny(v, " /:"):
			b.fail(at, "want a DNS name, without scheme or path", "Invalid Resource Record: 'FATAL problem: UnsupportedCharacter (Value contains unsupported characters) encountered with '%s''", v)
		case *set.Type == "TXT" && !strings.HasPrefix(v, `"`):
			b.fail(at, "put the value in double quotes", "Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with '%s''", v)
		}
	}
}

// apiGatewayZones are the zones of regional API Gateway endpoints (facts: sigv4-iam 7).
var apiGatewayZones = map[string]string{
	"us-east-1": "Z1UJRXOUMOOFQ8", "us-east-2": "ZOJJZC49E0EPZ", "us-west-1": "Z2MUQ32089INYE", "us-west-2": "Z2OJLYMUO9EFXC",
	"af-south-1": "Z2DHW2332DAMTN", "ap-east-1": "Z3FD1VL90ND7K5", "ap-south-1": "Z3VO1THU9YC4UR", "ap-northeast-1": "Z1YSHQZHG15GKL",
	"ap-northeast-2": "Z20JF4UZKIW1U8", "ap-northeast-3": "Z2YQB5RD63NC85", "ap-southeast-1": "ZL327KTPIQFUL", "ap-southeast-2": "Z2RPCDW04V8134",
	"ca-central-1": "Z19DQILCV0OWEC", "eu-central-1": "Z1U9ULNL0V5AJ3", "eu-west-1": "ZLY8HYME6SFDD", "eu-west-2": "ZJ5UAJN8Y3Z2Q",
	"eu-west-3": "Z3KY65QIEKYHQQ", "eu-north-1": "Z3UWIKFBOOGXPP", "eu-south-1": "Z3BT4WSQ9TDYZV", "eu-south-2": "Z02499852UI5HEQ5JVWX3",
	"me-south-1": "Z20ZBPC0SS8806", "me-central-1": "Z08780021BKYYY8U0YHTV", "sa-east-1": "ZCMLWB8V5SYIT", "us-gov-east-1": "Z3SE9ATJYCRCZJ",
	"us-gov-west-1": "Z1K6XKP9SAGWDV",
}

// apiGatewayZone returns the zone that d-….execute-api.REGION.amazonaws.com lies in, "" for other names and regions.
func apiGatewayZone(dns string) string {
	_, rest, ok := strings.Cut(dns, ".execute-api.")
	if !ok {
		return ""
	}
	region, _, _ := strings.Cut(rest, ".")
	return apiGatewayZones[region]
}
