package compile

import (
	"fmt"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/function/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// Credentials of functions are good for functionSession; a worker is replaced before they end.
const (
	functionSession = 12 * time.Hour
	functionMargin  = 15 * time.Minute
)

// directory finds identities in a table that was made of one view, and in the sessions of the moment. It is immutable, but
// for the sessions, which are safe for concurrent use.
type directory struct {
	keys map[string]*iam.Identity
	// roles by ARN, users by ARN: what a session of them is allowed.
	roles    map[string]*iam.Identity
	users    map[string]*iam.Identity
	sessions *iam.Sessions
}

// Lookup implements iam.Directory.
func (d *directory) Lookup(accessKeyID string) (*iam.Identity, bool) {
	if id, ok := d.keys[accessKeyID]; ok {
		return id, true
	}
	if d.sessions == nil {
		return nil, false
	}
	s, ok := d.sessions.Lookup(accessKeyID)
	if !ok {
		return nil, false
	}
	id := &iam.Identity{AccessKeyID: s.AccessKeyID, Secret: s.SecretAccessKey, SessionToken: s.SessionToken, Expires: s.Expires, Session: s.SessionPolicies}
	if s.User != nil {
		id.Principal, id.Root = *s.User, s.User.Kind == iam.Root
		if u, ok := d.users[s.User.ARN]; ok {
			id.Policies, id.Boundary = u.Policies, u.Boundary
		}
		return id, true
	}
	id.Principal = iam.SessionPrincipal(roleOf(s.RoleARN, s.RoleID), s.SessionName)
	id.Principal.Tags = s.Tags
	// Credentials of a role that was deleted and made again are of the old one (IAM guide, reference_identifiers).
	if role, ok := d.roles[s.RoleARN]; ok && role.Principal.UserID == s.RoleID {
		id.Policies, id.Boundary = role.Policies, role.Boundary
		if len(role.Principal.Tags) > 0 {
			id.Principal.Tags = merged(role.Principal.Tags, s.Tags)
		}
	}
	return id, true
}

// merged returns the tags of a role with those of its session, which win.
func merged(role, session map[string]string) map[string]string {
	out := make(map[string]string, len(role)+len(session))
	for k, v := range role {
		out[k] = v
	}
	for k, v := range session {
		out[k] = v
	}
	return out
}

// roleOf takes the ARN of a role apart. An ARN that is none gives a role that no policy names.
func roleOf(roleARN, id string) iam.Role {
	a, err := arn.Parse(roleARN)
	if err != nil {
		return iam.Role{Partition: "aws", Path: "/", Name: roleARN, ID: id}
	}
	rest := strings.TrimPrefix(a.Resource, "role")
	slash := strings.LastIndexByte(rest, '/')
	return iam.Role{Partition: a.Partition, Account: a.Account, Path: rest[:slash+1], Name: rest[slash+1:], ID: id}
}

// identities makes the directory of the view.
func (c *compiler) identities() {
	b := &identityBuilder{compiler: c, managed: map[string]*iam.Document{}, owned: map[resource.Owner][]iam.NamedPolicy{}}
	b.policies()
	d := &directory{keys: map[string]*iam.Identity{}, roles: map[string]*iam.Identity{}, users: map[string]*iam.Identity{}, sessions: c.env.Sessions}
	if c.env.RootKeyID != "" {
		d.keys[c.env.RootKeyID] = &iam.Identity{AccessKeyID: c.env.RootKeyID, Secret: c.env.RootSecret, Root: true,
			Principal: iam.RootPrincipal(arn.Partition(c.env.Region), c.env.Account)}
	}
	groups := map[string][]string{}
	for _, m := range resource.Memberships.All(c.view, resource.Global) {
		groups[m.User] = append(groups[m.User], m.Group)
	}
	byName := map[string]*iam.Identity{}
	for rec, u := range resource.Users.All(c.view, resource.Global) {
		id := &iam.Identity{Principal: iam.UserPrincipal(partitionOf(u.ARN), c.env.Account, u.Path, u.Name, u.ID), Boundary: b.boundary(rec, u.Boundary)}
		id.Principal.Tags = lowered(u.Tags)
		id.Policies = append(id.Policies, b.owned[resource.Owner{Kind: "user", Name: u.Name}]...)
		for _, g := range groups[u.Name] {
			id.Policies = append(id.Policies, b.owned[resource.Owner{Kind: "group", Name: g}]...)
		}
		d.users[u.ARN], byName[u.Name] = id, id
	}
	for _, k := range resource.AccessKeys.All(c.view, resource.Global) {
		if u := byName[k.UserName]; u != nil && k.Active {
			id := *u
			id.AccessKeyID, id.Secret = k.ID, k.Secret
			d.keys[k.ID] = &id
		}
	}
	for rec, r := range resource.Roles.All(c.view, resource.Global) {
		// Only UserID, Tags and policies count: the principal is that of each session.
		d.roles[r.ARN] = &iam.Identity{Principal: iam.Principal{Kind: iam.AssumedRole, RoleARN: r.ARN, UserID: r.ID, Tags: lowered(r.Tags)},
			Policies: b.owned[resource.Owner{Kind: "role", Name: r.Name}], Boundary: b.boundary(rec, r.Boundary)}
	}
	c.directory = d
}

func partitionOf(s string) string {
	a, err := arn.Parse(s)
	if err != nil {
		return "aws"
	}
	return a.Partition
}

func lowered(tags map[string]string) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for k, v := range tags {
		out[strings.ToLower(k)] = v
	}
	return out
}

// identityBuilder collects the policies of users, groups and roles.
type identityBuilder struct {
	*compiler
	managed map[string]*iam.Document
	owned   map[resource.Owner][]iam.NamedPolicy
}

func (b *identityBuilder) policies() {
	for rec, p := range resource.ManagedPolicies.All(b.view, resource.Global) {
		b.managed[p.ARN] = b.parse(rec, p.Document())
	}
	for rec, p := range resource.InlinePolicies.All(b.view, resource.Global) {
		b.owned[p.Owner] = append(b.owned[p.Owner], iam.NamedPolicy{Name: p.Name, Document: b.parse(rec, p.Document)})
	}
	for rec, a := range resource.Attachments.All(b.view, resource.Global) {
		b.owned[a.Owner] = append(b.owned[a.Owner], iam.NamedPolicy{Name: a.PolicyARN, Document: b.document(rec, a.PolicyARN, "ManagedPolicyArns")})
	}
}

// parse reads a policy that the service has accepted before.
func (b *identityBuilder) parse(rec *store.Record, text string) *iam.Document {
	d, err := iam.Parse([]byte(text))
	if err != nil {
		b.report(diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: b.path(rec, "PolicyDocument"), Message: "the policy cannot be read: " + err.Error(),
			Because: []string{"it counts as a policy that allows nothing"}})
		return nil
	}
	return d
}

// document returns that of a managed policy, nil when it is not known.
func (b *identityBuilder) document(rec *store.Record, policyARN, property string) *iam.Document {
	if d, ok := b.managed[policyARN]; ok {
		return d
	}
	d, known := iam.AWSManaged(policyARN)
	if !known {
		b.report(diag.Finding{Code: diag.UnsupportedProperty, Severity: diag.Warning, Path: b.path(rec, property),
			Message: fmt.Sprintf("the policy %s grants nothing here: Foregate does not know its document", policyARN),
			Fixes:   []string{"add an inline policy with the rights that the requests to this stack need"}})
	}
	return d
}

func (b *identityBuilder) boundary(rec *store.Record, policyARN string) *iam.NamedPolicy {
	if policyARN == "" {
		return nil
	}
	return &iam.NamedPolicy{Name: policyARN, Document: b.document(rec, policyARN, "PermissionsBoundary")}
}

// credentials returns what gives a function the keys of its execution role. A role that is not in the store has keys
// without any policy: what they sign is denied, not broken.
func (c *compiler) credentials(roleARN, sessionName string) func() lambda.Credentials {
	sessions := c.env.Sessions
	if sessions == nil || roleARN == "" {
		return nil
	}
	spec := iam.SessionSpec{RoleARN: roleARN, SessionName: sessionName, Duration: functionSession}
	if d, ok := c.directory.(*directory); ok && d.roles[roleARN] != nil {
		spec.RoleID = d.roles[roleARN].Principal.UserID
	}
	return func() lambda.Credentials {
		v := sessions.Reuse(spec)
		return lambda.Credentials{AccessKeyID: v.AccessKeyID, SecretAccessKey: v.SecretAccessKey, SessionToken: v.SessionToken, Expires: v.Expires.Add(-functionMargin)}
	}
}

// rolePolicies returns what a role is allowed and its trust policy; ok is false for a role that is not in the store.
func (c *compiler) rolePolicies(roleARN string) (policies []iam.NamedPolicy, trust *iam.Document, ok bool) {
	d, made := c.directory.(*directory)
	if !made || d.roles[roleARN] == nil {
		return nil, nil, false
	}
	role, ok := resource.Roles.Get(c.view, resource.Global, roleOf(roleARN, "").Name)
	if !ok {
		return nil, nil, false
	}
	trust, err := iam.Parse([]byte(role.TrustPolicy))
	if err != nil {
		trust = nil // CreateRole has checked it
	}
	return d.roles[roleARN].Policies, trust, true
}
