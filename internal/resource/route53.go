package resource

import (
	"strings"

	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/store"
)

// The kinds of Route 53, both Global.
var (
	HostedZones = store.NewKind[HostedZone]("route53", "hosted-zone")
	RecordSets  = store.NewKind[RecordSet]("route53", "record-set")
)

func route53Decoders() []store.Decoder {
	return []store.Decoder{HostedZones.Decoder(), RecordSets.Decoder()}
}

// HostedZone is stored under its id (Z…).
type HostedZone struct {
	ID string
	// Name ends with a dot. It is "" for a zone that exists elsewhere and is known by its id only.
	Name                     string
	CallerReference, Comment string
	Private                  bool
	VPCs                     []*route53.VPC
	NameServers              []string
	Tags                     map[string]string
	// Elsewhere marks a zone that a template puts records into and that was not made here: on AWS it exists already. Its
	// records answer, and the API does not list it.
	Elsewhere bool
}

// RecordSet is stored under its RecordSetKey.
type RecordSet struct {
	ZoneID string
	// Set has the name with its last dot, in lower case, escaped as Route 53 escapes it (\052 for a star).
	Set *route53.ResourceRecordSet
}

// RecordSetKey is the id of a record set: the zone, then what makes it unique in there.
func RecordSetKey(zoneID string, s *route53.ResourceRecordSet) string {
	key := zoneID + "/" + text(s.Name) + "/" + text(s.Type)
	if s.SetIdentifier != nil {
		key += "/" + *s.SetIdentifier
	}
	return key
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// CloudFrontZoneID is the hosted zone of aliases to distributions and edge-optimized APIs (facts: sigv4-iam 7).
const CloudFrontZoneID = "Z2FDTNDATAQYW2"

// RecordName is a name as Route 53 keeps it: lower case, with its last dot, a star escaped (Route 53 developer guide,
// DomainNameFormat).
func RecordName(name string) string {
	n := strings.ToLower(strings.TrimSuffix(name, ".")) + "."
	if rest, ok := strings.CutPrefix(n, "*."); ok {
		n = `\052.` + rest
	}
	return n
}

// PlainName undoes Route 53's escape of a wildcard and takes the last dot off: *.example.com.
func PlainName(name string) string {
	return strings.TrimSuffix(strings.ToLower(strings.Replace(name, `\052`, "*", 1)), ".")
}
