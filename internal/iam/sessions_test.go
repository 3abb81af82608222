package iam

import (
	"regexp"
	"sync"
	"testing"
	"time"
)

// clock is a clock that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestSessions(t *testing.T) {
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := NewSessions(c.now)
	spec := SessionSpec{RoleARN: "arn:aws:iam::123456789012:role/r", RoleID: "AROA1", SessionName: "one", Duration: time.Hour}
	a := s.Issue(spec)
	// The forms are those of STS's answers (STS API reference, AssumeRole, example).
	if !regexp.MustCompile(`^ASIA[A-Z2-7]{16}$`).MatchString(a.AccessKeyID) || len(a.SecretAccessKey) != 40 || len(a.SessionToken) < 300 {
		t.Errorf("credentials have another form: %d %d %s", len(a.SecretAccessKey), len(a.SessionToken), a.AccessKeyID)
	}
	if got, ok := s.Lookup(a.AccessKeyID); !ok || got.SessionName != "one" || !a.Expires.Equal(c.t.Add(time.Hour)) {
		t.Errorf("lookup: %v %v", got, ok)
	}
	if b := s.Issue(spec); b.AccessKeyID == a.AccessKeyID {
		t.Error("Issue gave the same key twice")
	}
	c.t = c.t.Add(90 * time.Minute)
	s.Issue(spec)
	if _, ok := s.Lookup(a.AccessKeyID); !ok {
		t.Error("an ended session must be known for a while, so that its caller hears that it has expired")
	}
	c.t = c.t.Add(3 * time.Hour)
	s.Issue(spec)
	if _, ok := s.Lookup(a.AccessKeyID); ok {
		t.Error("a session that ended hours ago is kept")
	}
}

func TestSessionsReuse(t *testing.T) {
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := NewSessions(c.now)
	spec := SessionSpec{RoleARN: "arn:aws:iam::123456789012:role/r", SessionName: "fn", Duration: time.Hour}
	a := s.Reuse(spec)
	if b := s.Reuse(spec); b != a {
		t.Error("fresh credentials were not reused")
	}
	other := spec
	other.SessionName = "fn2"
	if b := s.Reuse(other); b == a {
		t.Error("another session got the same credentials")
	}
	remade := spec
	remade.RoleID = "AROA2"
	if b := s.Reuse(remade); b == a {
		t.Error("a role that was made anew got the credentials of the old one")
	}
	c.t = c.t.Add(40 * time.Minute)
	if b := s.Reuse(spec); b == a {
		t.Error("credentials were reused that end soon")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	c := &clock{time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	s := NewSessions(c.now)
	long := s.Issue(SessionSpec{SessionName: "long", Duration: 12 * time.Hour})
	for range maxSessions {
		s.Issue(SessionSpec{SessionName: "short", Duration: time.Hour})
	}
	if n := len(s.byID); n > maxSessions {
		t.Errorf("%d sessions are kept", n)
	}
	if _, ok := s.Lookup(long.AccessKeyID); !ok {
		t.Error("the session that lasts longest was dropped first")
	}
}

func TestSessionsConcurrently(t *testing.T) {
	s := NewSessions(time.Now)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				c := s.Reuse(SessionSpec{RoleARN: "r", SessionName: "s", Duration: time.Hour})
				s.Issue(SessionSpec{Duration: time.Minute})
				if _, ok := s.Lookup(c.AccessKeyID); !ok {
					t.Error("an issued session is unknown")
				}
			}
		})
	}
	wg.Wait()
}

func TestAWSManaged(t *testing.T) {
	if len(awsManaged()) != len(awsManagedTexts) {
		t.Error("a document of an AWS managed policy does not parse")
	}
	for name, d := range awsManaged() {
		if err := d.CheckIdentity(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d, known := AWSManaged("arn:aws-cn:iam::aws:policy/AdministratorAccess"); d == nil || !known {
		t.Error("the partition must not matter")
	}
	if d, known := AWSManaged("arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"); d != nil || !known {
		t.Error("a policy for traces is known to grant nothing here")
	}
	if _, known := AWSManaged("arn:aws:iam::aws:policy/SecurityAudit"); known {
		t.Error("a policy whose document is not here counts as known")
	}
}

// The cases follow the IAM guide, reference_policies_evaluation-logic: a trust policy has to allow; one that names the
// account leaves the rest to the caller's own policies.
func TestEvaluateTrust(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/r"
	user := UserPrincipal("aws", "123456789012", "/", "bob", "AIDABOB")
	may := []NamedPolicy{{Name: "p", Document: parsed(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"`+role+`"}}`)}}
	trust := func(effect, principal string) *Document {
		return parsed(t, `{"Version":"2012-10-17","Statement":{"Effect":"`+effect+`","Principal":`+principal+`,"Action":"sts:AssumeRole"}}`)
	}
	for _, c := range []struct {
		name  string
		trust *Document
		who   *Identity
		want  Effect
	}{
		{"account, caller may", trust("Allow", `{"AWS":"123456789012"}`), &Identity{Principal: user, Policies: may}, Allow},
		{"account, caller may not", trust("Allow", `{"AWS":"arn:aws:iam::123456789012:root"}`), &Identity{Principal: user}, ImplicitDeny},
		{"the user itself", trust("Allow", `{"AWS":"`+user.ARN+`"}`), &Identity{Principal: user}, Allow},
		{"a service only, caller may", trust("Allow", `{"Service":"lambda.amazonaws.com"}`), &Identity{Principal: user, Policies: may}, ImplicitDeny},
		{"denied", trust("Deny", `{"AWS":"*"}`), &Identity{Principal: user, Policies: may}, ExplicitDeny},
		{"root of a named account", trust("Allow", `{"AWS":"123456789012"}`), &Identity{Root: true, Principal: RootPrincipal("aws", "123456789012")}, Allow},
		{"root of an account that is not named", trust("Allow", `{"AWS":"210987654321"}`), &Identity{Root: true, Principal: RootPrincipal("aws", "123456789012")}, ImplicitDeny},
	} {
		d := EvaluateTrust(&Request{Identity: c.who, ResourcePolicy: &NamedPolicy{Name: "trust", Document: c.trust}, Action: "sts:AssumeRole", Resource: role, Account: "123456789012"})
		if d.Effect != c.want {
			t.Errorf("%s: %v (%s), want %v", c.name, d.Effect, d.Why, c.want)
		}
	}
}

func parsed(t *testing.T, text string) *Document {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}
