package sts

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

func now() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

const (
	account = "123456789012"
	roleARN = "arn:aws:iam::" + account + ":role/app/r"
)

func document(t *testing.T, text string) *iam.Document {
	t.Helper()
	d, err := iam.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// world has a role that trusts its account with an external id, a user who may assume it and one who may not.
func world(t *testing.T) (*Service, func(key string) context.Context) {
	env := &service.Env{Store: store.Memory(now), Now: now, Account: account}
	_, err := env.Store.Update(context.Background(), func(tx *store.Tx) error {
		resource.Roles.Put(tx, "", "r", &resource.Role{Name: "r", ID: "AROAR", ARN: roleARN, Path: "/app/", MaxSessionDuration: 7200, TrustPolicy: `{"Version":"2012-10-17","Statement":[
			{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}}]}`})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sessions := iam.NewSessions(now)
	may := []iam.NamedPolicy{{Name: "p", Document: document(t, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`)}}
	keys := map[string]*iam.Identity{
		"root": {AccessKeyID: "root", Root: true, Principal: iam.RootPrincipal("aws", account)},
		"bob":  {AccessKeyID: "bob", Principal: iam.UserPrincipal("aws", account, "/", "bob", "AIDABOB"), Policies: may},
		"eve":  {AccessKeyID: "eve", Principal: iam.UserPrincipal("aws", account, "/", "eve", "AIDAEVE")},
		"role": {AccessKeyID: "role", SessionToken: "t", Principal: iam.SessionPrincipal(iam.Role{Partition: "aws", Account: account, Path: "/", Name: "other", ID: "AROAO"}, "s"), Policies: may},
	}
	directory := iam.DirectoryFunc(func(id string) (*iam.Identity, bool) { v, ok := keys[id]; return v, ok })
	s := New(env, sessions, func() iam.Directory { return directory })
	return s, func(key string) context.Context {
		id := keys[key]
		return awsapi.WithCall(context.Background(), &awsapi.Call{Region: "us-east-1", Account: account,
			Caller: awsapi.Caller{ARN: id.Principal.ARN, Account: account, UserID: id.Principal.UserID, AccessKeyID: key, Root: id.Root}})
	}
}

// The texts are STS's, as public reports quote them.
func TestAssumeRole(t *testing.T) {
	s, as := world(t)
	denied := func(who string) string {
		return "AccessDenied: User: " + who + " is not authorized to perform: sts:AssumeRole on resource: " + roleARN
	}
	for _, c := range []struct {
		name, caller string
		change       func(*sts.AssumeRoleInput)
		want         string // error; "" for credentials
		length       time.Duration
	}{
		{"a user with the right", "bob", nil, "", time.Hour},
		{"root, unlike on AWS", "root", nil, "", time.Hour},
		{"a user without", "eve", nil, denied("arn:aws:iam::123456789012:user/eve"), 0},
		{"another external id", "bob", func(in *sts.AssumeRoleInput) { in.ExternalId = new("y") }, denied("arn:aws:iam::123456789012:user/bob"), 0},
		{"a role that does not exist", "bob", func(in *sts.AssumeRoleInput) { in.RoleArn = new(roleARN + "2") }, denied("arn:aws:iam::123456789012:user/bob") + "2", 0},
		{"the path belongs to the ARN", "bob", func(in *sts.AssumeRoleInput) { in.RoleArn = new("arn:aws:iam::123456789012:role/r") }, "AccessDenied: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::123456789012:role/r", 0},
		{"no role", "bob", func(in *sts.AssumeRoleInput) { in.RoleArn = new("arn:aws:s3:::bucket-of-mine") }, "ValidationError: arn:aws:s3:::bucket-of-mine is invalid", 0},
		{"two hours", "bob", func(in *sts.AssumeRoleInput) { in.DurationSeconds = new(int64(7200)) }, "", 2 * time.Hour},
		{"too long", "bob", func(in *sts.AssumeRoleInput) { in.DurationSeconds = new(int64(7201)) }, "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", 0},
		{"too long for a chain", "role", func(in *sts.AssumeRoleInput) { in.DurationSeconds = new(int64(3601)) }, "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining", 0},
		{"bad session policy", "bob", func(in *sts.AssumeRoleInput) { in.Policy = new("{") }, "MalformedPolicyDocument: Syntax errors in policy.", 0},
		{"tags that the trust policy does not allow", "bob", func(in *sts.AssumeRoleInput) { in.Tags = []*sts.Tag{{Key: new("a"), Value: new("b")}} },
			"AccessDenied: User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:TagSession on resource: " + roleARN, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &sts.AssumeRoleInput{RoleArn: new(roleARN), RoleSessionName: new("me"), ExternalId: new("x")}
			if c.change != nil {
				c.change(in)
			}
			out, err := s.AssumeRole(as(c.caller), in)
			if c.want != "" {
				if err == nil || awsapi.AsError(err).Error() != c.want {
					t.Errorf("\n got %v\nwant %s", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := *out.AssumedRoleUser.Arn; got != "arn:aws:sts::123456789012:assumed-role/r/me" || *out.AssumedRoleUser.AssumedRoleId != "AROAR:me" {
				t.Error(got, *out.AssumedRoleUser.AssumedRoleId)
			}
			if got := out.Credentials.Expiration.Sub(now()); got != c.length {
				t.Errorf("good for %v, want %v", got, c.length)
			}
			if _, ok := s.sessions.Lookup(*out.Credentials.AccessKeyId); !ok {
				t.Error("the session is not known")
			}
		})
	}
}

// Why a role cannot be assumed is in the finding: AWS does not say.
func TestRefusalSaysWhy(t *testing.T) {
	s, as := world(t)
	_, err := s.AssumeRole(as("bob"), &sts.AssumeRoleInput{RoleArn: new(roleARN), RoleSessionName: new("me"), ExternalId: new("y")})
	e := awsapi.AsError(err)
	if e == nil || e.Finding == nil || !strings.Contains(strings.Join(e.Finding.Because, "\n"), "sts:ExternalId") {
		t.Errorf("%+v", e)
	}
}

func TestGetSessionToken(t *testing.T) {
	s, as := world(t)
	for _, c := range []struct {
		caller string
		length time.Duration
		want   string
	}{{"bob", 12 * time.Hour, ""}, {"root", time.Hour, ""}, {"role", 0, "AccessDenied: Cannot call GetSessionToken with session credentials"}} {
		out, err := s.GetSessionToken(as(c.caller), &sts.GetSessionTokenInput{})
		switch {
		case c.want != "":
			if err == nil || err.Error() != c.want {
				t.Errorf("%s: %v", c.caller, err)
			}
		case err != nil:
			t.Errorf("%s: %v", c.caller, err)
		case out.Credentials.Expiration.Sub(now()) != c.length:
			t.Errorf("%s: good until %v", c.caller, out.Credentials.Expiration)
		}
	}
}
