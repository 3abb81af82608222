package iam

import (
	"strings"
	"testing"
)

func resource(t *testing.T, effect, principal string) *NamedPolicy {
	return &NamedPolicy{"rp", mustParse(t, `{"Version":"2012-10-17","Statement":{"Sid":"S","Effect":"`+effect+`","Principal":`+principal+`,"Action":"*","Resource":"*"}}`)}
}

func TestPrincipals(t *testing.T) {
	u, s := user(), session()
	root := &Identity{Root: true, Principal: RootPrincipal("aws", acct)}
	cf := ServicePrincipal("cloudfront.amazonaws.com")
	oai := OAIPrincipal("E1", "canon")
	web := Principal{Kind: WebIdentity, Provider: "cognito-identity.amazonaws.com"}
	for _, c := range []struct {
		name      string
		id        *Identity
		who       *Principal
		principal string
		owner     string
		want      bool
	}{
		{"anyone, anonymous", nil, nil, `"*"`, acct, true},
		{"AWS anyone, anonymous", nil, nil, `{"AWS":"*"}`, acct, true},
		{"account, anonymous", nil, nil, `{"AWS":"123456789012"}`, acct, false},
		{"user's ARN", u, nil, `{"AWS":"arn:aws:iam::123456789012:user/u"}`, acct, true},
		{"user's id", u, nil, `{"AWS":"AIDAEXAMPLE0000000000"}`, acct, true},
		{"other user", u, nil, `{"AWS":"arn:aws:iam::123456789012:user/v"}`, acct, false},
		{"own account hands over", u, nil, `{"AWS":"123456789012"}`, acct, false},
		{"own root ARN hands over", u, nil, `{"AWS":"arn:aws:iam::123456789012:root"}`, acct, false},
		{"anyone, user", u, nil, `"*"`, acct, true},
		{"across accounts needs both", u, nil, `{"AWS":"123456789012"}`, "999999999999", false},
		{"role's ARN for its session", s, nil, `{"AWS":"arn:aws:iam::123456789012:role/service/R"}`, acct, true},
		{"session's ARN", s, nil, `{"AWS":"arn:aws:sts::123456789012:assumed-role/R/s1"}`, acct, true},
		{"other session", s, nil, `{"AWS":"arn:aws:sts::123456789012:assumed-role/R/s2"}`, acct, false},
		{"role's id", s, nil, `{"AWS":"AROAEXAMPLE0000000000"}`, acct, true},
		{"root in its account", root, nil, `{"AWS":"999999999999"}`, acct, true},
		{"root across, not named", root, nil, `{"AWS":"999999999999"}`, "999999999999", false},
		{"root across, named", root, nil, `{"AWS":"123456789012"}`, "999999999999", true},
		{"service", nil, &cf, `{"Service":"cloudfront.amazonaws.com"}`, acct, true},
		{"other service", nil, &cf, `{"Service":["lambda.amazonaws.com","apigateway.amazonaws.com"]}`, acct, false},
		{"origin access identity", nil, &oai, `{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E1"}`, acct, true},
		{"origin access identity, other", nil, &oai, `{"AWS":"arn:aws:iam::cloudfront:user/CloudFront Origin Access Identity E2"}`, acct, false},
		{"canonical user", nil, &oai, `{"CanonicalUser":"canon"}`, acct, true},
		{"canonical user, other", nil, &oai, `{"CanonicalUser":"x"}`, acct, false},
		{"identity provider", nil, &web, `{"Federated":"cognito-identity.amazonaws.com"}`, acct, true},
		{"identity provider, other", nil, &web, `{"Federated":"accounts.google.com"}`, acct, false},
	} {
		d := Evaluate(&Request{Identity: c.id, Principal: c.who, ResourcePolicy: resource(t, "Allow", c.principal), Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Account: c.owner})
		if d.Allowed() != c.want {
			t.Errorf("%s: %v (%s), want %v", c.name, d.Effect, d.Why, c.want)
		}
	}
	// A deny reaches everyone whom it names, root and account members too.
	for _, p := range []string{`"*"`, `{"AWS":"123456789012"}`, `{"AWS":"arn:aws:iam::123456789012:root"}`} {
		for _, id := range []*Identity{u, s, root} {
			if d := Evaluate(&Request{Identity: id, ResourcePolicy: resource(t, "Deny", p), Action: "s3:GetObject", Resource: "x", Account: acct}); d.Effect != ExplicitDeny || d.Source != ResourcePolicy || d.Sid != "S" {
				t.Errorf("deny %s for %s: %+v", p, id, d)
			}
		}
	}
	not := &NamedPolicy{"rp", mustParse(t, `{"Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["arn:aws:iam::123456789012:user/u","123456789012"]},"Action":"*","Resource":"*"}}`)}
	if d := Evaluate(&Request{Identity: u, ResourcePolicy: not, Action: "a:B", Account: acct}); d.Effect == ExplicitDeny {
		t.Error("NotPrincipal denies whom it lists")
	}
	if d := Evaluate(&Request{Identity: s, ResourcePolicy: not, Action: "a:B", Account: acct}); d.Effect != ExplicitDeny {
		t.Error("NotPrincipal does not deny others")
	}
}

func TestBoundaryAndSession(t *testing.T) {
	policy := func(name, effect, action string) NamedPolicy {
		return NamedPolicy{name, mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"`+effect+`","Action":"`+action+`","Resource":"*"}}`)}
	}
	all, gets, none := policy("all", "Allow", "s3:*"), policy("gets", "Allow", "s3:Get*"), policy("none", "Allow", "sqs:*")
	deny := policy("deny", "Deny", "s3:GetObject")
	for _, c := range []struct {
		name     string
		id       *Identity
		boundary *NamedPolicy
		session  []NamedPolicy
		resource string
		effect   Effect
		source   Source
	}{
		{"all", user(all), nil, nil, "", Allow, IdentityPolicy},
		{"no policy", user(), nil, nil, "", ImplicitDeny, IdentityPolicy},
		{"boundary allows", user(all), &gets, nil, "", Allow, IdentityPolicy},
		{"boundary silent", user(all), &none, nil, "", ImplicitDeny, PermissionsBoundary},
		{"boundary denies", user(all), &deny, nil, "", ExplicitDeny, PermissionsBoundary},
		{"boundary alone grants nothing", user(), &all, nil, "", ImplicitDeny, IdentityPolicy},
		{"session silent", session(all), nil, []NamedPolicy{none}, "", ImplicitDeny, SessionPolicy},
		{"session allows", session(all), nil, []NamedPolicy{none, gets}, "", Allow, IdentityPolicy},
		{"session denies", session(all), nil, []NamedPolicy{all, deny}, "", ExplicitDeny, SessionPolicy},
		{"user named, boundary silent", user(), &none, nil, `{"AWS":"arn:aws:iam::123456789012:user/u"}`, Allow, ResourcePolicy},
		{"role named, boundary silent", session(), &none, nil, `{"AWS":"arn:aws:iam::123456789012:role/service/R"}`, ImplicitDeny, PermissionsBoundary},
		{"session named, session policy silent", session(), nil, []NamedPolicy{none}, `{"AWS":"arn:aws:sts::123456789012:assumed-role/R/s1"}`, Allow, ResourcePolicy},
		{"role named, session policy silent", session(), nil, []NamedPolicy{none}, `{"AWS":"arn:aws:iam::123456789012:role/service/R"}`, ImplicitDeny, SessionPolicy},
		{"anyone, session policy silent", session(), nil, []NamedPolicy{none}, `"*"`, ImplicitDeny, SessionPolicy},
	} {
		c.id.Boundary, c.id.Session = c.boundary, c.session
		q := &Request{Identity: c.id, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Account: acct}
		if c.resource != "" {
			q.ResourcePolicy = resource(t, "Allow", c.resource)
		}
		if d := Evaluate(q); d.Effect != c.effect || d.Source != c.source {
			t.Errorf("%s: %v by %v (%s), want %v by %v", c.name, d.Effect, d.Source, d.Why, c.effect, c.source)
		}
	}
}

// TestSuffix has the texts of facts apigateway 3.
func TestSuffix(t *testing.T) {
	for _, c := range []struct {
		d    Decision
		want string
	}{
		{Decision{Effect: ImplicitDeny, Source: IdentityPolicy}, " because no identity-based policy allows the execute-api:Invoke action"},
		{Decision{Effect: ImplicitDeny, Source: ResourcePolicy}, " because no resource-based policy allows the execute-api:Invoke action"},
		{Decision{Effect: ExplicitDeny, Source: ResourcePolicy}, " with an explicit deny in a resource-based policy"},
		{Decision{Effect: ExplicitDeny, Source: IdentityPolicy}, " with an explicit deny in an identity-based policy"},
		{Decision{Effect: Allow}, ""},
	} {
		if got := c.d.Suffix("execute-api:Invoke"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestNear(t *testing.T) {
	p := &NamedPolicy{"bucket policy", mustParse(t, `{"Statement":[
		{"Sid":"OAC","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::123456789012:distribution/E1"}}},
		{"Sid":"Bucket","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b"},
		{"Sid":"Far","Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"s3:PutObject","Resource":"*"}]}`)}
	cf := ServicePrincipal("cloudfront.amazonaws.com")
	d := Evaluate(&Request{Principal: &cf, ResourcePolicy: p, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Account: acct, Explain: true,
		Context: Context{"aws:sourcearn": {"arn:aws:cloudfront::123456789012:distribution/E2"}}})
	if d.Effect != ImplicitDeny || len(d.Near) != 2 || d.Near[0].Element != "Condition StringEquals AWS:SourceArn" || !strings.HasSuffix(d.Near[0].Got, "E2") ||
		d.Near[1].Element != "Resource" || d.Near[1].Statement != 1 || d.Near[1].Sid != "Bucket" {
		t.Errorf("%+v", d)
	}
	if s := (&Identity{AccessKeyID: "AKIA", Secret: "very-secret", SessionToken: "also-secret"}); strings.Contains(s.String()+s.GoString(), "secret") {
		t.Error("an identity shows its secrets")
	}
}

func TestTrustAndBucketChecks(t *testing.T) {
	for _, c := range []struct {
		check func(*Document) error
		stmt  string
		want  string
	}{
		{(*Document).CheckTrust, `"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"`, ""},
		{(*Document).CheckTrust, `"Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*"`, "Has prohibited field Resource"},
		{(*Document).CheckTrust, `"Action":"sts:AssumeRole"`, "Missing required field Principal"},
		{(*Document).CheckTrust, `"Principal":"*","Action":"s3:GetObject"`, "AssumeRole policy may only specify STS AssumeRole actions."},
		{(*Document).CheckTrust, `"Principal":{"AWS":"nobody"},"Action":"sts:AssumeRole"`, `Invalid principal in policy: "AWS":"nobody"`},
		{func(d *Document) error { return d.CheckBucket("b") }, `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`, ""},
		{func(d *Document) error { return d.CheckBucket("b") }, `"Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"`, "Policy has invalid resource"},
		{func(d *Document) error { return d.CheckBucket("b") }, `"Principal":"*","Action":"sqs:X","Resource":"arn:aws:s3:::b/*"`, "Policy has invalid action"},
	} {
		err := c.check(mustParse(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow",`+c.stmt+`}}`))
		if got, _ := err.(*PolicyError); c.want == "" && err != nil || c.want != "" && (got == nil || got.Message != c.want) {
			t.Errorf("%s: %v, want %q", c.stmt, err, c.want)
		}
	}
}
