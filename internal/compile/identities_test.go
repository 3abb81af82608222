package compile

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi/cloudfront"
	"github.com/foregate/foregate/internal/awsapi/route53"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/front"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

func identityTime() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// compilerOf makes a compiler of a store that fill has filled.
func compilerOf(t *testing.T, fill func(tx *store.Tx)) *compiler {
	t.Helper()
	s := store.Memory(identityTime)
	if _, err := s.Update(context.Background(), func(tx *store.Tx) error { fill(tx); return nil }); err != nil {
		t.Fatal(err)
	}
	return &compiler{view: s.View(), env: &Env{Region: "us-east-1", Account: "123456789012", RootKeyID: "test", RootSecret: "test", Now: identityTime, Sessions: iam.NewSessions(identityTime)}, front: front.NewBuilder(1)}
}

const (
	allowInvoke = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"*"}]}`
	testRole    = "arn:aws:iam::123456789012:role/app/r"
)

func fillIdentities(tx *store.Tx) {
	user, role, group := resource.Owner{Kind: "user", Name: "bob"}, resource.Owner{Kind: "role", Name: "r"}, resource.Owner{Kind: "group", Name: "g"}
	mine := "arn:aws:iam::123456789012:policy/mine"
	resource.Users.Put(tx, "", "bob", &resource.User{Name: "bob", ID: "AIDABOB", ARN: "arn:aws:iam::123456789012:user/bob", Path: "/", Boundary: mine})
	resource.Groups.Put(tx, "", "g", &resource.Group{Name: "g"})
	resource.Memberships.Put(tx, "", "g/bob", &resource.Membership{Group: "g", User: "bob"})
	resource.Roles.Put(tx, "", "r", &resource.Role{Name: "r", ID: "AROAR", ARN: testRole, Path: "/app/", TrustPolicy: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`})
	resource.ManagedPolicies.Put(tx, "", mine, &resource.ManagedPolicy{ARN: mine, Name: "mine", Default: "v2",
		Versions: []resource.PolicyVersion{{ID: "v1", Document: `{"Version":"2012-10-17","Statement":[]}`}, {ID: "v2", Document: allowInvoke}}})
	resource.InlinePolicies.Put(tx, "", user.Key("in"), &resource.InlinePolicy{Owner: user, Name: "in", Document: allowInvoke})
	resource.InlinePolicies.Put(tx, "", group.Key("of-group"), &resource.InlinePolicy{Owner: group, Name: "of-group", Document: allowInvoke})
	for _, a := range []struct {
		o   resource.Owner
		arn string
	}{{user, mine}, {role, "arn:aws:iam::aws:policy/AdministratorAccess"}, {role, "arn:aws:iam::aws:policy/SecurityAudit"}, {role, "arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess"}} {
		resource.Attachments.Put(tx, "", a.o.Key(a.arn), &resource.Attachment{Owner: a.o, PolicyARN: a.arn})
	}
	resource.AccessKeys.Put(tx, "", "AKIA1", &resource.AccessKey{ID: "AKIA1", Secret: "s", UserName: "bob", Active: true})
	resource.AccessKeys.Put(tx, "", "AKIA2", &resource.AccessKey{ID: "AKIA2", Secret: "s", UserName: "bob"})
}

func policyNames(all []iam.NamedPolicy) []string {
	var out []string
	for _, p := range all {
		out = append(out, p.Name)
	}
	return out
}

func TestDirectory(t *testing.T) {
	c := compilerOf(t, fillIdentities)
	c.identities()
	root, ok := c.directory.Lookup("test")
	if !ok || !root.Root || root.Secret != "test" || root.Principal.ARN != "arn:aws:iam::123456789012:root" {
		t.Errorf("root: %v", root)
	}
	bob, ok := c.directory.Lookup("AKIA1")
	if !ok || !slices.Equal(policyNames(bob.Policies), []string{"in", "arn:aws:iam::123456789012:policy/mine", "of-group"}) {
		t.Errorf("bob: %v", policyNames(bob.Policies))
	}
	if bob.Boundary == nil || bob.Boundary.Document == nil || len(bob.Policies[1].Document.Statements) != 1 {
		t.Error("the boundary and the default version of the managed policy must be there")
	}
	if _, ok := c.directory.Lookup("AKIA2"); ok {
		t.Error("an inactive key is found")
	}
	if len(c.findings) != 1 || c.findings[0].Code != diag.UnsupportedProperty {
		t.Errorf("want one finding, about the policy whose document is not known: %v", c.findings)
	}
}

func TestSessionsInDirectory(t *testing.T) {
	c := compilerOf(t, fillIdentities)
	c.identities()
	limit := iam.NamedPolicy{Name: "session"}
	for _, v := range []struct {
		name     string
		spec     iam.SessionSpec
		arn      string
		policies int
	}{
		{"of a role", iam.SessionSpec{RoleARN: testRole, RoleID: "AROAR", SessionName: "me", Duration: time.Hour, SessionPolicies: []iam.NamedPolicy{limit}}, "arn:aws:sts::123456789012:assumed-role/r/me", 3},
		{"of a role that was made anew", iam.SessionSpec{RoleARN: testRole, RoleID: "AROAOLD", SessionName: "me", Duration: time.Hour}, "arn:aws:sts::123456789012:assumed-role/r/me", 0},
		{"of a role that is not here", iam.SessionSpec{RoleARN: "arn:aws:iam::123456789012:role/x", SessionName: "me", Duration: time.Hour}, "arn:aws:sts::123456789012:assumed-role/x/me", 0},
		{"of a user", iam.SessionSpec{User: new(iam.UserPrincipal("aws", "123456789012", "/", "bob", "AIDABOB")), Duration: time.Hour}, "arn:aws:iam::123456789012:user/bob", 3},
	} {
		keys := c.env.Sessions.Issue(v.spec)
		id, ok := c.directory.Lookup(keys.AccessKeyID)
		if !ok || id.Principal.ARN != v.arn || len(id.Policies) != v.policies || id.SessionToken != keys.SessionToken || id.Root {
			t.Errorf("%s: %v, %d policies", v.name, id, len(id.Policies))
		}
		if len(id.Session) != len(v.spec.SessionPolicies) {
			t.Errorf("%s: session policies are lost", v.name)
		}
	}
}

func TestFunctionCredentials(t *testing.T) {
	c := compilerOf(t, fillIdentities)
	c.identities()
	a := c.credentials(testRole, "fn")()
	if id, ok := c.directory.Lookup(a.AccessKeyID); !ok || len(id.Policies) != 3 || id.Principal.UserID != "AROAR:fn" {
		t.Errorf("%v", id)
	}
	if b := c.credentials(testRole, "fn")(); b != a {
		t.Error("two workers of a function share its credentials")
	}
	none := c.credentials("arn:aws:iam::123456789012:role/not-here", "fn")()
	if id, ok := c.directory.Lookup(none.AccessKeyID); !ok || len(id.Policies) != 0 {
		t.Errorf("%v", id)
	}
	policies, trust, ok := c.rolePolicies(testRole)
	if !ok || len(policies) != 3 || trust == nil {
		t.Error("the role's policies and trust policy must be there")
	}
	if _, _, ok := c.rolePolicies("arn:aws:iam::123456789012:role/r"); ok {
		t.Error("the path belongs to the ARN of a role")
	}
}

func BenchmarkLookup(b *testing.B) {
	s := store.Memory(identityTime)
	_, _ = s.Update(context.Background(), func(tx *store.Tx) error { fillIdentities(tx); return nil })
	c := &compiler{view: s.View(), env: &Env{Region: "us-east-1", Account: "123456789012", Now: identityTime}, front: front.NewBuilder(1)}
	c.identities()
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := c.directory.Lookup("AKIA1"); !ok {
			b.Fatal("not found")
		}
	}
}

func TestNamesStage(t *testing.T) {
	set := func(name, kind, target string) *route53.ResourceRecordSet {
		return &route53.ResourceRecordSet{Name: &name, Type: &kind, ResourceRecords: []*route53.ResourceRecord{{Value: &target}}}
	}
	toAlias := func(name, kind, target string) *route53.ResourceRecordSet {
		return &route53.ResourceRecordSet{Name: &name, Type: &kind, AliasTarget: &route53.AliasTarget{DNSName: &target}}
	}
	weighted := set("w.example.com.", "A", "10.0.0.1")
	weighted.SetIdentifier, weighted.Weight = new("b"), new(int64(1))
	second := set("w.example.com.", "A", "10.0.0.2")
	second.SetIdentifier, second.Weight = new("c"), new(int64(2))
	c := compilerOf(t, func(tx *store.Tx) {
		for _, s := range []*route53.ResourceRecordSet{
			toAlias("www.example.com.", "A", "D1.cloudfront.net."), toAlias("www.example.com.", "AAAA", "d1.cloudfront.net."),
			set(`\052.example.com.`, "CNAME", "other.example.net"), toAlias("site.example.com.", "A", "s3-website-us-east-1.amazonaws.com."),
			set("example.com.", "TXT", `"x"`), weighted, second, toAlias("stray.example.com.", "A", "d1.cloudfront.net."),
		} {
			resource.RecordSets.Put(tx, "", resource.RecordSetKey("Z1", s), &resource.RecordSet{ZoneID: "Z1", Set: s})
		}
		resource.Distributions.Put(tx, "", "E1", &resource.Distribution{ID: "E1", DomainName: "d1.cloudfront.net",
			Config: &cloudfront.DistributionConfig{Aliases: &cloudfront.Aliases{Items: []string{"www.example.com"}}}})
	})
	c.names()
	s := c.front.Build()
	for host, want := range map[string]string{
		"www.example.com": "d1.cloudfront.net", "anything.example.com": "other.example.net", "w.example.com": "10.0.0.1",
		"site.example.com": "s3-website-us-east-1.amazonaws.com",
	} {
		if _, got, _ := s.Resolve(host); got != want {
			t.Errorf("%s leads to %q, want %q", host, got, want)
		}
	}
	var codes []diag.Code
	for _, f := range c.findings {
		codes = append(codes, f.Code)
	}
	slices.Sort(codes)
	if !slices.Equal(codes, []diag.Code{diag.UnknownHost, diag.UnsupportedProperty, diag.UnsupportedProperty}) {
		t.Errorf("findings: %v", c.findings)
	}
}
