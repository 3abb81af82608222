package stack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/foregate/foregate/internal/compile"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	acmservice "github.com/foregate/foregate/internal/service/acm"
	iamservice "github.com/foregate/foregate/internal/service/iam"
	route53service "github.com/foregate/foregate/internal/service/route53"
	"github.com/foregate/foregate/internal/store"
	"github.com/foregate/foregate/internal/template/cloudformation"
)

// identityWorld is a store with IAM, ACM and Route 53.
type identityWorld struct {
	*Services
	outcome Outcome
}

func newIdentityWorld() *identityWorld {
	env := &service.Env{Store: store.Memory(testClock), Now: testClock, Account: "123456789012", Seed: []byte("seed")}
	return &identityWorld{Services: &Services{Env: env, IAM: iamservice.New(env), ACM: acmservice.New(env, nil), Route53: route53service.New(env)}}
}

// bring deploys a template and wants it accepted.
func (w *identityWorld) bring(t *testing.T, text string) map[string]string {
	t.Helper()
	w.lint(t, text)
	if w.outcome.Stack == nil {
		for _, f := range w.outcome.Findings {
			t.Log(f.Position, f.Path, f.Message)
		}
		t.Fatal("the stack was refused")
	}
	out := map[string]string{}
	for _, o := range w.outcome.Stack.Outputs {
		out[o.Key] = o.Value
	}
	return out
}

func (w *identityWorld) lint(t *testing.T, text string) {
	t.Helper()
	tmpl, found := cloudformation.Parse("template.yaml", []byte(text))
	if tmpl == nil {
		t.Fatalf("template: %v", found)
	}
	w.outcome = w.Deploy(context.Background(), tmpl, Options{Region: "us-east-1", Account: "123456789012", StackName: "s"})
}

// state lists what belongs to users, groups and roles, sorted.
func (w *identityWorld) state() string {
	var out []string
	r := w.Env.Store.View()
	for _, p := range resource.InlinePolicies.All(r, "") {
		out = append(out, p.Owner.Kind+" has "+p.Name)
	}
	for _, a := range resource.Attachments.All(r, "") {
		out = append(out, a.Owner.Kind+" has "+a.PolicyARN[strings.LastIndexByte(a.PolicyARN, '/')+1:])
	}
	for range resource.Memberships.All(r, "") {
		out = append(out, "member")
	}
	for range resource.AccessKeys.All(r, "") {
		out = append(out, "key")
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

const identityTemplate = `
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      Path: /app/
      AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
      ManagedPolicyArns: [!Sub "arn:${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]
      Policies:
        - {PolicyName: in-role, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "execute-api:Invoke", Resource: "*"}]}}
  Group: {Type: AWS::IAM::Group, Properties: {}}
  User: {Type: AWS::IAM::User, Properties: {Groups: [!Ref Group]}}
  Key: {Type: AWS::IAM::AccessKey, Properties: {UserName: !Ref User}}
  Policy:
    Type: AWS::IAM::Policy
    Properties: {PolicyName: shared, Roles: [!Ref Role], Users: [!Ref User], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "execute-api:*", Resource: "*"}]}}
  Managed:
    Type: AWS::IAM::ManagedPolicy
    Properties: {ManagedPolicyName: managed, Groups: [!Ref Group], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "execute-api:*", Resource: "*"}]}}
Outputs:
  Role: {Value: !Ref Role}
  RoleArn: {Value: !GetAtt Role.Arn}
  Key: {Value: !Ref Key}
  Secret: {Value: !GetAtt Key.SecretAccessKey}
  Managed: {Value: !Ref Managed}
`

func TestIdentitiesOfATemplate(t *testing.T) {
	w := newIdentityWorld()
	out := w.bring(t, identityTemplate)
	if !strings.HasPrefix(out["Role"], "s-Role-") || out["RoleArn"] != "arn:aws:iam::123456789012:role/app/"+out["Role"] {
		t.Errorf("%v", out)
	}
	if out["Managed"] != "arn:aws:iam::123456789012:policy/managed" || len(out["Secret"]) != 40 {
		t.Errorf("%v", out)
	}
	want := "group has managed, key, member, role has AWSLambdaBasicExecutionRole, role has in-role, role has shared, user has shared"
	if got := w.state(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	result := compile.All(w.Env.Store.View(), &compile.Env{Region: "us-east-1", Account: "123456789012", Now: testClock, Sessions: iam.NewSessions(testClock)})
	id, ok := result.Directory.Lookup(out["Key"])
	if !ok || id.Secret != out["Secret"] || len(id.Policies) != 2 {
		t.Errorf("the key of the template: %v", id)
	}
	// The same template again changes nothing; the key stays the same in another store on this machine.
	if again := newIdentityWorld().bring(t, identityTemplate); !maps.Equal(out, again) {
		t.Errorf("another run gives other values: %v %v", out, again)
	}
}

func TestUpdateIdentities(t *testing.T) {
	w := newIdentityWorld()
	before := w.bring(t, identityTemplate)
	change := strings.NewReplacer("in-role", "renamed", "service-role/AWSLambdaBasicExecutionRole", "AdministratorAccess", ", Users: [!Ref User]", "",
		"Groups: [!Ref Group]}}\n  Key", "Path: /x/}}\n  Key", `"execute-api:*", Resource: "*"}]}}`+"\nOutputs", `"execute-api:*", Resource: "*"}, {Effect: Deny, Action: "s3:*", Resource: "*"}]}}`+"\nOutputs")
	after := w.bring(t, change.Replace(identityTemplate))
	if before["Role"] != after["Role"] || before["Key"] != after["Key"] {
		t.Errorf("updated in place: %v %v", before, after)
	}
	if got, want := w.state(), "group has managed, key, role has AdministratorAccess, role has renamed, role has shared"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	p, _ := resource.ManagedPolicies.Get(w.Env.Store.View(), "", after["Managed"])
	if p == nil || p.Default != "v2" || len(p.Versions) != 2 {
		t.Errorf("a change of the document makes a version: %+v", p)
	}
	// A new path makes a new role, with another generated name.
	if moved := w.bring(t, strings.Replace(change.Replace(identityTemplate), "Path: /app/", "Path: /other/", 1)); moved["Role"] == after["Role"] || !strings.Contains(moved["RoleArn"], "/other/") {
		t.Errorf("%v", moved)
	}
	if n := resource.Roles.Len(w.Env.Store.View(), ""); n != 1 {
		t.Errorf("%d roles after a replacement", n)
	}
	w.bring(t, "Resources: {G: {Type: AWS::IAM::Group, Properties: {}}}")
	if got := w.state(); got != "" || resource.Users.Len(w.Env.Store.View(), "")+resource.Roles.Len(w.Env.Store.View(), "") != 0 {
		t.Errorf("left over: %s", got)
	}
}

// Findings name the property, in AWS's words.
func TestRefusedIdentities(t *testing.T) {
	const trust = `AssumeRolePolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}`
	for _, c := range []struct{ resource, path, text string }{
		{`{Type: AWS::IAM::Role, Properties: {}}`, "Resources.R.Properties", "required key [AssumeRolePolicyDocument] not found"},
		{`{Type: AWS::IAM::Role, Properties: {` + trust + `, Polices: []}}`, "Resources.R.Properties.Polices", "extraneous key [Polices] is not permitted"},
		{`{Type: AWS::IAM::Role, Properties: {` + trust + `, Policies: [{PolicyName: a, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*"}]}}]}}`,
			"Resources.R.Properties.Policies[0].PolicyDocument", "Policy statement must contain resources."},
		{`{Type: AWS::IAM::Role, Properties: {` + trust + `, ManagedPolicyArns: ["arn:aws:iam::123456789012:policy/nope"]}}`,
			"Resources.R.Properties.ManagedPolicyArns[0]", "does not exist or is not attachable"},
		{`{Type: AWS::IAM::Policy, Properties: {PolicyName: p, PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}}}`,
			"Resources.R.Properties", "At least one of [Groups,Roles,Users] must be non-empty."},
		{`{Type: AWS::IAM::Policy, Properties: {PolicyName: p, Roles: [nobody], PolicyDocument: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "*", Resource: "*"}]}}}`,
			"Resources.R.Properties.Roles[0]", "The role with name nobody cannot be found."},
		{`{Type: AWS::IAM::AccessKey, Properties: {UserName: nobody}}`, "Resources.R.Properties.UserName", "The user with name nobody cannot be found."},
		{`{Type: AWS::CertificateManager::Certificate, Properties: {DomainName: "a.*.example.com"}}`, "Resources.R.Properties.DomainName", "a.*.example.com"},
		{`{Type: AWS::Route53::RecordSet, Properties: {Name: a.example.com, Type: A, HostedZoneName: example.org., TTL: "60", ResourceRecords: [10.0.0.1]}}`,
			"Resources.R.Properties.Name", "RRSet with DNS name a.example.com. is not permitted in zone example.org."},
		{`{Type: AWS::Route53::RecordSetGroup, Properties: {HostedZoneName: example.org., RecordSets: [{Name: a.example.org, Type: A, TTL: "60", ResourceRecords: [x]}]}}`,
			"Resources.R.Properties.RecordSets[0].ResourceRecords[0]", "ARRDATAIllegalIPv4Address"},
	} {
		w := newIdentityWorld()
		w.lint(t, "Resources:\n  R: "+c.resource+"\n")
		if !slices.ContainsFunc(w.outcome.Findings, func(f diag.Finding) bool {
			return f.Severity == diag.Error && f.Path == c.path && strings.Contains(f.Message, c.text)
		}) {
			t.Errorf("%s\nwant %s: %s", c.resource, c.path, c.text)
			for _, f := range w.outcome.Findings {
				t.Log(f.Path, f.Message)
			}
		}
		if w.Env.Store.View().Revision() != 0 {
			t.Error("a refused stack left something")
		}
	}
}

const zoneTemplate = `
Resources:
  Zone: {Type: AWS::Route53::HostedZone, Properties: {Name: example.org, HostedZoneTags: [{Key: a, Value: b}]}}
  InZone: {Type: AWS::Route53::RecordSet, Properties: {Name: www.example.org, Type: A, HostedZoneId: !Ref Zone, AliasTarget: {DNSName: d1.cloudfront.net, HostedZoneId: Z2FDTNDATAQYW2}}}
  ByName: {Type: AWS::Route53::RecordSet, Properties: {Name: www.example.com, Type: CNAME, HostedZoneName: example.com., TTL: 60, ResourceRecords: [d1.cloudfront.net]}}
  ByID: {Type: AWS::Route53::RecordSetGroup, Properties: {HostedZoneId: Z0ELSEWHERE, RecordSets: [{Name: a.example.net, Type: A, TTL: 60, ResourceRecords: [10.0.0.1]}, {Name: b.example.net, Type: A, TTL: 60, ResourceRecords: [10.0.0.2]}]}}
  Cert: {Type: AWS::CertificateManager::Certificate, Properties: {DomainName: www.example.org, ValidationMethod: DNS, DomainValidationOptions: [{DomainName: www.example.org, HostedZoneId: !Ref Zone}]}}
Outputs:
  Servers: {Value: !Join [" ", !GetAtt Zone.NameServers]}
  Second: {Value: !Select [1, !GetAtt Zone.NameServers]}
  Record: {Value: !Ref InZone}
  Cert: {Value: !Ref Cert}
`

func (w *identityWorld) records() string {
	var out []string
	for _, v := range resource.RecordSets.All(w.Env.Store.View(), "") {
		if kind := *v.Set.Type; kind == "A" || kind == "CNAME" {
			out = append(out, fmt.Sprintf("%s%s", *v.Set.Name, kind))
		}
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestZonesAndRecords(t *testing.T) {
	w := newIdentityWorld()
	out := w.bring(t, zoneTemplate)
	if servers := strings.Fields(out["Servers"]); len(servers) != 4 || servers[1] != out["Second"] || out["Record"] != "www.example.org" {
		t.Errorf("%v", out)
	}
	if got, want := w.records(), "a.example.net.A b.example.net.A www.example.com.CNAME www.example.org.A"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	notes := 0
	for _, f := range w.outcome.Findings {
		if f.Severity == diag.Info && strings.Contains(f.Message, "was not made here") {
			notes++
		}
	}
	if notes != 2 {
		t.Errorf("%d notes about zones that exist elsewhere, want 2", notes)
	}
	// Records are renamed, dropped from a group, and change their type.
	change := strings.NewReplacer("Name: www.example.org, Type: A", "Name: new.example.org, Type: A", ", {Name: b.example.net, Type: A, TTL: 60, ResourceRecords: [10.0.0.2]}", "",
		"Type: CNAME, HostedZoneName: example.com., TTL: 60, ResourceRecords: [d1.cloudfront.net]", "Type: A, HostedZoneName: example.com., TTL: 60, ResourceRecords: [10.0.0.3]")
	w.bring(t, change.Replace(zoneTemplate))
	if got, want := w.records(), "a.example.net.A new.example.org.A www.example.com.A"; got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	w.bring(t, "Resources: {G: {Type: AWS::IAM::Group, Properties: {}}}")
	if got := w.records(); got != "" || resource.HostedZones.Len(w.Env.Store.View(), "") != 0 {
		t.Errorf("left over: %q, %d zones", got, resource.HostedZones.Len(w.Env.Store.View(), ""))
	}
}
