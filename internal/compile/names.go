package compile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// names gives the front the records of all hosted zones. Private zones answer like public ones: there is one network here.
func (c *compiler) names() {
	type named struct {
		rec *store.Record
		set *route53.ResourceRecordSet
	}
	byName := map[string][]named{}
	var order []string
	for rec, v := range resource.RecordSets.All(c.view, resource.Global) {
		switch deref(v.Set.Type) {
		case "A", "AAAA", "CNAME":
			name := resource.PlainName(deref(v.Set.Name))
			if byName[name] == nil {
				order = append(order, name)
			}
			byName[name] = append(byName[name], named{rec, v.Set})
		}
	}
	for _, name := range order {
		// A comes before AAAA and CNAME in the order of the ids; both usually lead to the same place.
		first := byName[name][0]
		for _, other := range byName[name][1:] {
			if deref(other.set.Type) == deref(first.set.Type) {
				c.routing(other.rec, other.set)
			}
		}
		c.routing(first.rec, first.set)
		target := recordTarget(first.set)
		if target == "" {
			continue
		}
		c.checkDistribution(first.rec, name, first.set)
		if err := c.front.Record(name, target); err != nil && !errors.Is(err, front.ErrDuplicate) {
			c.report(diag.Finding{Code: diag.UnknownHost, Severity: diag.Warning, Path: c.path(first.rec, "Name"), Message: "the record is left out: " + err.Error()})
		}
	}
}

// recordTarget is the name or address that a record leads to.
func recordTarget(set *route53.ResourceRecordSet) string {
	if a := set.AliasTarget; a != nil {
		// An alias to a website names the endpoint of the region, which finds the bucket by the Host (Route 53 developer
		// guide, RoutingToS3Bucket).
		return resource.PlainName(deref(a.DNSName))
	}
	if len(set.ResourceRecords) == 0 {
		return ""
	}
	return resource.PlainName(deref(set.ResourceRecords[0].Value))
}

// routing reports that the first record of several is taken whatever their routing policy says.
func (c *compiler) routing(rec *store.Record, set *route53.ResourceRecordSet) {
	for _, p := range []struct {
		name string
		set  bool
	}{{"Weight", set.Weight != nil}, {"Region", set.Region != nil}, {"Failover", set.Failover != nil}, {"GeoLocation", set.GeoLocation != nil},
		{"GeoProximityLocation", set.GeoProximityLocation != nil}, {"CidrRoutingConfig", set.CidrRoutingConfig != nil}, {"MultiValueAnswer", set.MultiValueAnswer != nil}} {
		if p.set {
			c.unsupported(rec, p.name, fmt.Sprintf("of the records of %s the one with the first set identifier answers everybody", resource.PlainName(deref(set.Name))))
		}
	}
	if set.HealthCheckId != nil {
		c.unsupported(rec, "HealthCheckId", "the record always counts as healthy")
	}
}

// checkDistribution warns of a record that leads to a distribution which does not know the name: CloudFront answers 403
// then (facts: sigv4-iam 7, cloudfront-dataplane 1).
func (c *compiler) checkDistribution(rec *store.Record, name string, set *route53.ResourceRecordSet) {
	to := recordTarget(set)
	if !strings.HasSuffix(to, ".cloudfront.net") {
		return
	}
	for _, d := range resource.Distributions.All(c.view, resource.Global) {
		if !strings.EqualFold(d.DomainName, to) {
			continue
		}
		if a := d.Config.Aliases; a != nil && slices.ContainsFunc(a.Items, func(alias string) bool { return covers(alias, name) }) {
			return
		}
		c.report(diag.Finding{Code: diag.UnknownHost, Severity: diag.Warning, Path: c.path(rec, "Name"),
			Message: fmt.Sprintf("%s leads to distribution %s, which does not have it as an alias", name, d.ID),
			Because: []string{"CloudFront answers 403 to a host that is no alias of a distribution"},
			Fixes:   []string{fmt.Sprintf("add %q to the Aliases of the distribution, with a certificate that covers it", name)}})
		return
	}
}

// covers tells whether an alias is the name, or a wildcard above it.
func covers(alias, name string) bool {
	if strings.EqualFold(alias, name) {
		return true
	}
	suffix, ok := strings.CutPrefix(strings.ToLower(alias), "*")
	return ok && strings.HasSuffix(name, suffix)
}
