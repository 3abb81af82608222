package route53

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func record(name, kind string, values ...string) *route53.ResourceRecordSet {
	set := &route53.ResourceRecordSet{Name: &name, Type: &kind, TTL: new(int64(60))}
	for _, v := range values {
		set.ResourceRecords = append(set.ResourceRecords, &route53.ResourceRecord{Value: &v})
	}
	return set
}

func alias(name, kind, zone, target string) *route53.ResourceRecordSet {
	return &route53.ResourceRecordSet{Name: &name, Type: &kind, AliasTarget: &route53.AliasTarget{HostedZoneId: &zone, DNSName: &target, EvaluateTargetHealth: new(false)}}
}

func with(set *route53.ResourceRecordSet, change func(*route53.ResourceRecordSet)) *route53.ResourceRecordSet {
	change(set)
	return set
}

func newZone(t *testing.T) (*Service, string) {
	t.Helper()
	s := New(&service.Env{Store: store.Memory(now), Now: now, Account: "123456789012"})
	out, err := s.CreateHostedZone(context.Background(), &route53.CreateHostedZoneInput{Name: new("Example.com"), CallerReference: new("1")})
	if err != nil {
		t.Fatal(err)
	}
	if *out.HostedZone.Name != "example.com." || len(out.DelegationSet.NameServers) != 4 || !strings.HasPrefix(*out.HostedZone.Id, "/hostedzone/Z") {
		t.Errorf("%+v", out)
	}
	return s, *out.HostedZone.Id
}

func (s *Service) try(zone, action string, sets ...*route53.ResourceRecordSet) error {
	b := &route53.ChangeBatch{}
	for _, set := range sets {
		b.Changes = append(b.Changes, &route53.Change{Action: &action, ResourceRecordSet: set})
	}
	_, err := s.ChangeResourceRecordSets(context.Background(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &zone, ChangeBatch: b})
	return err
}

// The texts pin down what clients get; they are not compared with a recorded answer of Route 53.
func TestChanges(t *testing.T) {
	s, zone := newZone(t)
	if err := s.try(zone, "CREATE", record("www.example.com", "A", "1.2.3.4"), record("*.example.com", "A", "1.2.3.4"), record("c.example.com.", "CNAME", "www.example.com")); err != nil {
		t.Fatal(err)
	}
	const cf = "Z2FDTNDATAQYW2"
	for _, c := range []struct {
		action string
		set    *route53.ResourceRecordSet
		want   string
	}{
		{"CREATE", record("WWW.example.com", "A", "1.2.3.4"), "InvalidChangeBatch: [Tried to create resource record set [name='www.example.com.', type='A'] but it already exists]"},
		{"DELETE", record("no.example.com", "A", "1.2.3.4"), "InvalidChangeBatch: [Tried to delete resource record set [name='no.example.com.', type='A'] but it was not found]"},
		{"DELETE", record("www.example.com", "A", "1.2.3.5"), "InvalidChangeBatch: [Tried to delete resource record set [name='www.example.com.', type='A'] but the values provided do not match the current values]"},
		{"UPSERT", record("www.example.org", "A", "1.2.3.4"), "InvalidChangeBatch: [RRSet with DNS name www.example.org. is not permitted in zone example.com.]"},
		{"UPSERT", record("notexample.com", "A", "1.2.3.4"), "InvalidChangeBatch: [RRSet with DNS name notexample.com. is not permitted in zone example.com.]"},
		{"UPSERT", record("example.com", "CNAME", "a.b"), "InvalidChangeBatch: [RRSet of type CNAME with DNS name example.com. is not permitted at apex in zone example.com.]"},
		{"UPSERT", record("www.example.com", "CNAME", "a.b"), "InvalidChangeBatch: [RRSet of type CNAME with DNS name www.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"},
		{"UPSERT", record("c.example.com", "TXT", `"x"`), "InvalidChangeBatch: [RRSet of type TXT with DNS name c.example.com. is not permitted as it conflicts with other records with the same DNS name in zone example.com.]"},
		{"UPSERT", record("x.example.com", "A", "::1"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv4Address (Value is not a valid IPv4 address) encountered with '::1'']"},
		{"UPSERT", record("x.example.com", "TXT", "x"), "InvalidChangeBatch: [Invalid Resource Record: 'FATAL problem: InvalidCharacterString (Value should be enclosed in quotation marks) encountered with 'x'']"},
		{"CREATE", with(record("x.example.com", "A", "1.2.3.4"), func(r *route53.ResourceRecordSet) { r.TTL = nil }),
			"InvalidInput: Invalid request: Missing field 'TTL' in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]"},
		{"CREATE", with(record("x.example.com", "A"), func(r *route53.ResourceRecordSet) { r.TTL = nil }),
			"InvalidInput: Invalid request: Expected exactly one of [AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId], but found none in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]"},
		{"CREATE", with(record("x.example.com", "A", "1.2.3.4"), func(r *route53.ResourceRecordSet) { r.Weight = new(int64(1)) }),
			"InvalidInput: Invalid request: Missing field 'SetIdentifier' in Change with [Action=CREATE, Name=x.example.com, Type=A, SetIdentifier=null]"},
		{"CREATE", alias("x.example.com", "A", "Z1UJRXOUMOOFQ8", "d1.cloudfront.net"),
			"InvalidChangeBatch: [Tried to create an alias that targets d1.cloudfront.net., type A in zone Z1UJRXOUMOOFQ8, but the alias target name does not lie within the target zone]"},
		{"CREATE", alias("x.example.com", "A", cf, "d-abc.execute-api.us-east-1.amazonaws.com"),
			"InvalidChangeBatch: [Tried to create an alias that targets d-abc.execute-api.us-east-1.amazonaws.com., type A in zone Z2FDTNDATAQYW2, but the alias target name does not lie within the target zone]"},
		{"CREATE", alias("x.example.com", "A", zone, "nothing.example.com"),
			"InvalidChangeBatch: [Tried to create an alias that targets nothing.example.com., type A in zone " + strings.TrimPrefix(zone, "/hostedzone/") + ", but that target was not found]"},
		{"CREATE", alias("x.example.com", "A", cf, "d1.cloudfront.net"), ""},
		{"CREATE", alias("y.example.com", "A", "Z1UJRXOUMOOFQ8", "d-abc.execute-api.us-east-1.amazonaws.com"), ""},
		{"CREATE", alias("z.example.com", "A", zone, "www.example.com"), ""},
		{"UPSERT", record("www.example.com", "A", "1.2.3.6"), ""},
		{"DELETE", record("www.example.com", "A", "1.2.3.6"), ""},
	} {
		err := s.try(zone, c.action, c.set)
		got := ""
		if err != nil {
			got = awsapi.AsError(err).Error()
		}
		if got != c.want {
			t.Errorf("%s %s %s\n got %s\nwant %s", c.action, *c.set.Name, *c.set.Type, got, c.want)
		}
	}
}

// A batch is made as a whole or not at all, and its problems come together.
func TestBatchIsAtomic(t *testing.T) {
	s, zone := newZone(t)
	err := s.try(zone, "CREATE", record("a.example.com", "A", "1.2.3.4"), record("b.example.com", "A", "x"), record("c.example.org", "A", "1.2.3.4"))
	if e := awsapi.AsError(err); e == nil || strings.Count(e.Message, ", ") != 1 || !strings.HasPrefix(e.Finding.Path, "ChangeBatch.Changes[1]") {
		t.Errorf("%v", err)
	}
	out, _ := s.ListResourceRecordSets(context.Background(), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	if len(out.ResourceRecordSets) != 2 {
		t.Errorf("%d records, want NS and SOA only", len(out.ResourceRecordSets))
	}
}

func TestListAndDelete(t *testing.T) {
	s, zone := newZone(t)
	ctx := context.Background()
	if err := s.try(zone, "CREATE", record("b.a.example.com", "A", "1.2.3.4"), record("a.example.com", "A", "1.2.3.4"), record("*.example.com", "A", "1.2.3.4")); err != nil {
		t.Fatal(err)
	}
	var names []string
	in := &route53.ListResourceRecordSetsInput{HostedZoneId: &zone, MaxItems: new("2")}
	for {
		out, err := s.ListResourceRecordSets(ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range out.ResourceRecordSets {
			names = append(names, *r.Name+" "+*r.Type)
		}
		if !*out.IsTruncated {
			break
		}
		in.StartRecordName, in.StartRecordType = out.NextRecordName, out.NextRecordType
	}
	if got := strings.Join(names, ","); got != `example.com. NS,example.com. SOA,\052.example.com. A,a.example.com. A,b.a.example.com. A` {
		t.Error(got)
	}
	_, err := s.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &zone})
	if e := awsapi.AsError(err); e == nil || e.Code != "HostedZoneNotEmpty" {
		t.Errorf("%v", err)
	}
	if err := s.try(zone, "DELETE", record("b.a.example.com", "A", "1.2.3.4"), record("a.example.com", "A", "1.2.3.4"), record("*.example.com", "A", "1.2.3.4")); err != nil {
		t.Fatal(err)
	}
	out, err := s.DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &zone})
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.GetChange(ctx, &route53.GetChangeInput{Id: out.ChangeInfo.Id}); err != nil || *c.ChangeInfo.Status != "INSYNC" {
		t.Errorf("%v", err)
	}
	if _, err := s.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &zone}); awsapi.AsError(err).Code != "NoSuchHostedZone" {
		t.Errorf("%v", err)
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"example.com", "*.example.com.", "", ".", "a..b", "A.B", `\052.x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := canonical(s)
		if again, stillOK := canonical(n); ok && (again != n || !stillOK) {
			t.Errorf("%q → %q → %q", s, n, again)
		}
	})
}
