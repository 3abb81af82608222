package iam

import (
	"strings"
)

// Source is the kind of policy that decided.
type Source uint8

// The kinds of policies.
const (
	NoSource Source = iota
	IdentityPolicy
	ResourcePolicy
	PermissionsBoundary
	SessionPolicy
	// AccountRoot: the root of the account needs no policy.
	AccountRoot
)

// String returns the words that AWS's texts use.
func (s Source) String() string {
	switch s {
	case IdentityPolicy:
		return "identity-based policy"
	case ResourcePolicy:
		return "resource-based policy"
	case PermissionsBoundary:
		return "permissions boundary"
	case SessionPolicy:
		return "session policy"
	case AccountRoot:
		return "account root"
	}
	return "no policy"
}

// Decision is the result of an evaluation.
type Decision struct {
	// Effect is Allow, ExplicitDeny or ImplicitDeny.
	Effect Effect
	// Source is the kind of policy that decided: that allowed, that denied, or for an implicit deny the kind in which an
	// allow was missing.
	Source Source
	// Policy, Sid and Statement (from 0) name the deciding statement; Statement is -1 when none decided.
	Policy, Sid string
	Statement   int
	// Why is the decision in words.
	Why string
	// Near has the statements that nearly allowed; only with Request.Explain and only for an implicit deny.
	Near []NearMiss
}

// Allowed tells whether the request may go on.
func (d Decision) Allowed() bool { return d.Effect == Allow }

// NearMiss is an Allow statement for the caller and action of the request that did not apply.
type NearMiss struct {
	Source      Source
	Policy, Sid string
	Statement   int
	// Element is what did not match: "Principal", "Action", "Resource" or "Condition StringEquals aws:SourceArn".
	Element string
	// Want is what the policy has there, Got what the request has.
	Want, Got string
}

// Request is a question to Evaluate.
type Request struct {
	// Identity is the caller with its policies; nil for callers without any, whose Principal counts.
	Identity *Identity
	// Principal is the caller when Identity is nil; nil is anonymous.
	Principal *Principal
	// Resource policy; nil when the resource has none.
	ResourcePolicy *NamedPolicy
	// Action is such as s3:GetObject, Resource its ARN, Account the account that owns the resource.
	Action, Resource, Account string
	// Context has the condition keys that do not come from the principal, by lower-case name; nil means none.
	Context Keys
	// Explain asks for Decision.Near and for Why of an allow.
	Explain bool
}

// Evaluate decides as AWS does (IAM guide, reference_policies_evaluation-logic; facts: sigv4-iam 3): an explicit deny
// anywhere wins; in the same account an allow of the identity or of the resource's policy is enough; across accounts both
// must allow; boundary and session policies limit what the identity has, and what a resource policy gives to a role.
func Evaluate(q *Request) Decision {
	e := evaluation{q: q, principal: q.Principal, action: strings.ToLower(q.Action)}
	if q.Identity != nil {
		e.principal = &q.Identity.Principal
	}
	if e.principal == nil {
		e.principal = &anonymous
	}
	d := e.decide()
	if q.Explain && d.Effect == ImplicitDeny {
		d.Near = e.near()
	}
	return d
}

var anonymous Principal

// evaluation is one run. It is the Keys that conditions see.
type evaluation struct {
	q         *Request
	principal *Principal
	action    string // lower case
}

// verdict is what one set of policies says.
type verdict struct {
	allow, deny *Statement
	allowBy     string // the policy's name
	denyBy      string
	fit         fit // of the allow, in a resource policy
}

func (e *evaluation) decide() Decision {
	resource := e.resourceVerdict()
	if resource.deny != nil {
		return e.denied(ResourcePolicy, resource)
	}
	id := e.q.Identity
	if id == nil {
		return e.withoutIdentity(resource)
	}
	identity := e.verdictOf(id.Policies)
	boundary, session := verdict{}, e.verdictOf(id.Session)
	if id.Boundary != nil {
		boundary = e.verdictOf([]NamedPolicy{*id.Boundary})
	}
	for _, v := range []struct {
		Source
		verdict
	}{{IdentityPolicy, identity}, {PermissionsBoundary, boundary}, {SessionPolicy, session}} {
		if v.deny != nil {
			return e.denied(v.Source, v.verdict)
		}
	}
	same := e.principal.Account == e.q.Account || e.q.Account == ""
	if id.Root {
		if same || resource.allow != nil {
			return Decision{Effect: Allow, Source: AccountRoot, Statement: -1, Why: "the account's root is allowed what no resource policy denies"}
		}
		return e.implicit(ResourcePolicy)
	}
	limit := e.limit(boundary, session)
	if !same {
		switch {
		case resource.allow == nil:
			return e.implicit(ResourcePolicy)
		case identity.allow == nil:
			return e.implicit(IdentityPolicy)
		case limit != NoSource:
			return e.implicit(limit)
		}
		return e.allowed(ResourcePolicy, resource)
	}
	if e.direct(resource, limit) {
		return e.allowed(ResourcePolicy, resource)
	}
	switch {
	case identity.allow == nil && resource.fit <= fitAccount:
		return e.implicit(IdentityPolicy)
	case limit != NoSource:
		return e.implicit(limit)
	}
	return e.allowed(IdentityPolicy, identity)
}

// limit returns the kind of policy that gives less than an allow and so bounds the identity; NoSource when none does.
func (e *evaluation) limit(boundary, session verdict) Source {
	if e.q.Identity.Boundary != nil && boundary.allow == nil {
		return PermissionsBoundary
	}
	if len(e.q.Identity.Session) > 0 && session.allow == nil {
		return SessionPolicy
	}
	return NoSource
}

// direct tells whether a resource policy of the same account grants by itself. One that names the account only hands the
// decision to the account's own policies; one that names a user or a session is not limited by boundary and session
// policies; one that names the role, or everybody, is (IAM guide, reference_policies_evaluation-logic).
func (e *evaluation) direct(v verdict, limit Source) bool {
	switch {
	case v.allow == nil:
		return false
	case v.fit == fitExact:
		return true
	}
	return v.fit >= fitAnyone && limit == NoSource
}

// withoutIdentity decides for callers that have no policies of their own: the anonymous, services, origin access
// identities, tokens.
func (e *evaluation) withoutIdentity(resource verdict) Decision {
	if resource.allow != nil {
		return e.allowed(ResourcePolicy, resource)
	}
	return e.implicit(ResourcePolicy)
}

func (e *evaluation) allowed(s Source, v verdict) Decision {
	d := Decision{Effect: Allow, Source: s, Policy: v.allowBy, Sid: v.allow.Sid, Statement: v.allow.Index}
	if e.q.Explain {
		d.Why = v.allow.where() + " of the " + s.String() + " " + v.allowBy + " allows it"
	}
	return d
}

func (e *evaluation) denied(s Source, v verdict) Decision {
	return Decision{Effect: ExplicitDeny, Source: s, Policy: v.denyBy, Sid: v.deny.Sid, Statement: v.deny.Index,
		Why: v.deny.where() + " of the " + s.String() + " " + v.denyBy + " denies it"}
}

func (e *evaluation) implicit(missing Source) Decision {
	return Decision{Effect: ImplicitDeny, Source: missing, Statement: -1, Why: "no " + missing.String() + " allows " + e.q.Action}
}

// Suffix is what AWS appends to "User: … is not authorized to perform: … on resource: …" (facts: apigateway 3). It is ""
// for an allow.
func (d Decision) Suffix(action string) string {
	article := "a "
	if d.Source == IdentityPolicy {
		article = "an "
	}
	switch d.Effect {
	case ExplicitDeny:
		return " with an explicit deny in " + article + d.Source.String()
	case ImplicitDeny:
		return " because no " + d.Source.String() + " allows the " + action + " action"
	}
	return ""
}

func (e *evaluation) resourceVerdict() verdict {
	var v verdict
	p := e.q.ResourcePolicy
	if p == nil || p.Document == nil {
		return v
	}
	for _, s := range p.Document.Statements {
		f := s.principalFit(e.principal)
		if f == noFit || s.Effect == Allow && f <= v.fit || !e.applies(s) {
			continue
		}
		if s.Effect == Deny {
			v.deny, v.denyBy = s, p.Name
			return v
		}
		v.allow, v.allowBy, v.fit = s, p.Name, f
	}
	return v
}

func (e *evaluation) verdictOf(policies []NamedPolicy) verdict {
	var v verdict
	for i := range policies {
		if policies[i].Document == nil {
			continue
		}
		for _, s := range policies[i].Document.Statements {
			if s.Effect == Allow && v.allow != nil || !e.applies(s) {
				continue
			}
			if s.Effect == Deny {
				v.deny, v.denyBy = s, policies[i].Name
				return v
			}
			v.allow, v.allowBy = s, policies[i].Name
		}
	}
	return v
}

// applies tells whether action, resource and conditions match. A statement without a Resource, as in a trust policy, is
// about the resource that it is attached to.
func (e *evaluation) applies(s *Statement) bool {
	return e.actionMatches(s) && e.resourceMatches(s) && e.failing(s) == nil
}

func (e *evaluation) actionMatches(s *Statement) bool {
	for i := range s.actions {
		if s.actions[i].glob.match(e.action) {
			return !s.NotAction
		}
	}
	return s.NotAction
}

func (e *evaluation) resourceMatches(s *Statement) bool {
	if !s.hasResource {
		return true
	}
	for i := range s.resources {
		if s.resources[i].match(e.q.Resource, e) {
			return !s.NotResource
		}
	}
	return s.NotResource
}

// failing returns the first condition that does not hold.
func (e *evaluation) failing(s *Statement) *Condition {
	for i := range s.Conditions {
		if !s.Conditions[i].hold(e) {
			return &s.Conditions[i]
		}
	}
	return nil
}

// near lists the Allow statements that fail in one respect only.
func (e *evaluation) near() []NearMiss {
	var out []NearMiss
	add := func(src Source, p NamedPolicy) {
		if p.Document == nil {
			return
		}
		for _, s := range p.Document.Statements {
			if s.Effect != Allow {
				continue
			}
			if m, ok := e.miss(src, s); ok {
				m.Source, m.Policy, m.Sid, m.Statement = src, p.Name, s.Sid, s.Index
				out = append(out, m)
			}
		}
	}
	if p := e.q.ResourcePolicy; p != nil {
		add(ResourcePolicy, *p)
	}
	if id := e.q.Identity; id != nil {
		for _, p := range id.Policies {
			add(IdentityPolicy, p)
		}
		if id.Boundary != nil {
			add(PermissionsBoundary, *id.Boundary)
		}
		for _, p := range id.Session {
			add(SessionPolicy, p)
		}
	}
	return out
}

func (e *evaluation) miss(src Source, s *Statement) (m NearMiss, one bool) {
	missed := 0
	if src == ResourcePolicy && s.principalFit(e.principal) == noFit {
		missed++
		m = NearMiss{Element: element[s.NotPrincipal][0], Want: s.principalText(), Got: e.callerText()}
	}
	if !e.actionMatches(s) {
		missed++
		m = NearMiss{Element: element[s.NotAction][1], Want: strings.Join(s.Actions, ", "), Got: e.q.Action}
	}
	if !e.resourceMatches(s) {
		missed++
		m = NearMiss{Element: element[s.NotResource][2], Want: strings.Join(s.Resources, ", "), Got: e.q.Resource}
	}
	if c := e.failing(s); c != nil {
		missed++
		got := "(absent)"
		if v, ok := e.Lookup(c.key); ok {
			got = strings.Join(v, ", ")
		}
		m = NearMiss{Element: "Condition " + c.Operator + " " + c.Key, Want: strings.Join(c.Values, ", "), Got: got}
	}
	return m, missed == 1
}

// element names an element by whether the statement has its Not form.
var element = map[bool][3]string{false: {"Principal", "Action", "Resource"}, true: {"NotPrincipal", "NotAction", "NotResource"}}

func (s *Statement) principalText() string {
	var out []string
	for _, p := range s.Principals {
		out = append(out, p.Type.String()+" "+p.Value)
	}
	return strings.Join(out, ", ")
}

func (e *evaluation) callerText() string {
	if e.principal.Kind == Anonymous {
		return "anonymous"
	}
	return e.principal.ARN
}

// Lookup gives conditions and variables their values: those of the principal first, which a context cannot override
// (IAM guide, reference_policies_condition-keys).
func (e *evaluation) Lookup(key string) ([]string, bool) {
	if v, known := e.principalKey(key); known {
		if v == "" {
			return nil, false
		}
		return []string{v}, true
	}
	if e.q.Context == nil {
		return nil, false
	}
	return e.q.Context.Lookup(key)
}

func (e *evaluation) principalKey(key string) (value string, known bool) {
	p := e.principal
	switch key {
	case "aws:principalarn":
		if p.Kind == AssumedRole {
			return p.RoleARN, true
		}
		if p.Kind == Service {
			return "", true
		}
		return p.ARN, true
	case "aws:principalaccount":
		if p.Kind == OriginAccessIdentity {
			return "", true
		}
		return p.Account, true
	case "aws:principaltype":
		if p.Kind == Service {
			return "", true
		}
		return p.Kind.String(), true
	case "aws:userid":
		if p.Kind == Anonymous {
			return "anonymous", true
		}
		return p.UserID, true
	case "aws:username":
		return p.UserName, true
	case "aws:principalisawsservice":
		if p.Kind == Service {
			return "true", true
		}
		return "false", true
	case "aws:principalservicename":
		if p.Kind == Service {
			return p.ARN, true
		}
		return "", true
	}
	if tag, ok := strings.CutPrefix(key, "aws:principaltag/"); ok {
		return p.Tags[tag], true
	}
	return "", false
}
