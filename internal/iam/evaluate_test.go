package iam

import (
	"testing"
)

func mustParse(t testing.TB, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	return d
}

const acct = "123456789012"

func user(policies ...NamedPolicy) *Identity {
	return &Identity{AccessKeyID: "AKIA1", Principal: UserPrincipal("aws", acct, "/", "u", "AIDAEXAMPLE0000000000"), Policies: policies}
}

func session(policies ...NamedPolicy) *Identity {
	return &Identity{AccessKeyID: "ASIA1", Policies: policies,
		Principal: SessionPrincipal(Role{"aws", acct, "/service/", "R", "AROAEXAMPLE0000000000"}, "s1")}
}

const stageARN = "arn:aws:execute-api:us-east-1:123456789012:abc/prod/GET/pets"

// TestTableAandB is the API Gateway guide's tables of identity and resource policy (facts: apigateway 4).
func TestTableAandB(t *testing.T) {
	stmt := func(effect string) string {
		if effect == "silent" {
			return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:Nothing","Resource":"*"}}`
		}
		return `{"Version":"2012-10-17","Statement":{"Effect":"` + effect + `","Principal":"*","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:abc/*"}}`
	}
	for _, c := range []struct {
		identity, resource string
		same, cross        Effect
	}{
		{"Allow", "Allow", Allow, Allow},
		{"Allow", "silent", Allow, ImplicitDeny},
		{"Allow", "Deny", ExplicitDeny, ExplicitDeny},
		{"silent", "Allow", Allow, ImplicitDeny},
		{"silent", "silent", ImplicitDeny, ImplicitDeny},
		{"silent", "Deny", ExplicitDeny, ExplicitDeny},
		{"Deny", "Allow", ExplicitDeny, ExplicitDeny},
		{"Deny", "silent", ExplicitDeny, ExplicitDeny},
		{"Deny", "Deny", ExplicitDeny, ExplicitDeny},
	} {
		id := user(NamedPolicy{"p", mustParse(t, stmt(c.identity))})
		for owner, want := range map[string]Effect{acct: c.same, "999999999999": c.cross} {
			d := Evaluate(&Request{Identity: id, ResourcePolicy: &NamedPolicy{"rp", mustParse(t, stmt(c.resource))},
				Action: "execute-api:Invoke", Resource: stageARN, Account: owner})
			if d.Effect != want {
				t.Errorf("identity %s, resource %s, owner %s: %v (%s), want %v", c.identity, c.resource, owner, d.Effect, d.Why, want)
			}
		}
	}
}
