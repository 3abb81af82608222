// Package sts implements the API of AWS Security Token Service: who am I, and temporary credentials.
//
// Start with Service. Credentials live in iam.Sessions, in memory: a restart ends them. What a session may do is decided
// with the policies that its role has at that time. Not there: SAML, web identity and federation tokens; their operations
// answer NotImplemented.
//
// One thing is unlike AWS: there, root cannot assume roles. Here the key test/test, which is what every local client has,
// is root, and may assume each role whose trust policy names its account (see iam.EvaluateTrust).
package sts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/sts"
	"github.com/foregate/foregate/internal/diag"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
)

// Service implements sts.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	sts.Unimplemented
	env       *service.Env
	sessions  *iam.Sessions
	directory func() iam.Directory
}

// New makes the service. directory returns the identities of the moment.
func New(env *service.Env, sessions *iam.Sessions, directory func() iam.Directory) *Service {
	return &Service{env: env, sessions: sessions, directory: directory}
}

// The durations of sessions (STS API reference, AssumeRole and GetSessionToken). The model has the limits of the values.
const (
	defaultRoleSession  = time.Hour
	chainedRoleSession  = time.Hour
	defaultTokenSession = 12 * time.Hour
	rootTokenSession    = time.Hour
	maxSessionPolicy    = 2048
)

// GetCallerIdentity tells who signed.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	c := awsapi.CallFrom(ctx).Caller
	return &sts.GetCallerIdentityOutput{UserId: new(c.UserID), Account: new(c.Account), Arn: new(c.ARN)}, nil
}

// GetAccessKeyInfo tells the account of a key: there is only one.
func (s *Service) GetAccessKeyInfo(context.Context, *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	return &sts.GetAccessKeyInfoOutput{Account: new(s.env.Account)}, nil
}

// identity returns the caller with its policies.
func (s *Service) identity(ctx context.Context) *iam.Identity {
	c := awsapi.CallFrom(ctx).Caller
	if s.directory != nil && c.AccessKeyID != "" {
		if d := s.directory(); d != nil {
			if id, ok := d.Lookup(c.AccessKeyID); ok {
				return id
			}
		}
	}
	if c.Root {
		return &iam.Identity{Root: true, Principal: iam.RootPrincipal(partition(ctx), c.Account)}
	}
	return &iam.Identity{Principal: iam.Principal{Kind: iam.User, ARN: c.ARN, Account: c.Account, UserID: c.UserID}}
}

func partition(ctx context.Context) string { return arn.Partition(awsapi.CallFrom(ctx).Region) }

func validation(path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: text,
		AWSError: &diag.AWSError{Code: "ValidationError", Status: 400, Message: text}})
}

// AssumeRole gives credentials of a role to whom its trust policy names.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleInput) (*sts.AssumeRoleOutput, error) {
	roleARN := deref(in.RoleArn)
	a, err := arn.Parse(roleARN)
	if err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return nil, validation("RoleArn", "%s is invalid", roleARN)
	}
	caller := s.identity(ctx)
	role, ok := s.role(ctx, roleARN)
	if !ok {
		return nil, denied(caller, "sts:AssumeRole", roleARN, "there is no such role")
	}
	if err := trusted(caller, role, in); err != nil {
		return nil, err
	}
	length, err := roleDuration(caller, role, in.DurationSeconds)
	if err != nil {
		return nil, err
	}
	policies, packed, err := s.sessionPolicies(ctx, in)
	if err != nil {
		return nil, err
	}
	spec := iam.SessionSpec{RoleARN: roleARN, RoleID: role.ID, SessionName: deref(in.RoleSessionName), Duration: length, SessionPolicies: policies}
	for _, t := range in.Tags {
		if spec.Tags == nil {
			spec.Tags = map[string]string{}
		}
		spec.Tags[strings.ToLower(deref(t.Key))] = deref(t.Value)
	}
	c := s.sessions.Issue(spec)
	p := iam.SessionPrincipal(iam.Role{Partition: a.Partition, Account: a.Account, Path: role.Path, Name: role.Name, ID: role.ID}, spec.SessionName)
	return &sts.AssumeRoleOutput{Credentials: show(c), AssumedRoleUser: &sts.AssumedRoleUser{AssumedRoleId: new(p.UserID), Arn: new(p.ARN)},
		PackedPolicySize: packed, SourceIdentity: in.SourceIdentity}, nil
}

func (s *Service) role(ctx context.Context, roleARN string) (*resource.Role, bool) {
	v, ok := resource.Roles.Get(s.env.Store.Read(ctx), resource.Global, roleARN[strings.LastIndexByte(roleARN, '/')+1:])
	return v, ok && v.ARN == roleARN
}

// trusted asks the trust policy, and for tags once more.
func trusted(caller *iam.Identity, role *resource.Role, in *sts.AssumeRoleInput) error {
	trust, err := iam.Parse([]byte(role.TrustPolicy))
	if err != nil {
		return fmt.Errorf("read trust policy of role %q: %w", role.Name, err) // CreateRole has checked it
	}
	keys := iam.Context{"sts:rolesessionname": {deref(in.RoleSessionName)}}
	if in.ExternalId != nil {
		keys["sts:externalid"] = []string{*in.ExternalId}
	}
	if in.SourceIdentity != nil {
		keys["sts:sourceidentity"] = []string{*in.SourceIdentity}
	}
	for _, t := range in.Tags {
		keys["aws:requesttag/"+strings.ToLower(deref(t.Key))] = []string{deref(t.Value)}
		keys["aws:tagkeys"] = append(keys["aws:tagkeys"], deref(t.Key))
	}
	actions := []string{"sts:AssumeRole"}
	if len(in.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	a, _ := arn.Parse(role.ARN)
	for _, action := range actions {
		d := iam.EvaluateTrust(&iam.Request{Identity: caller, ResourcePolicy: &iam.NamedPolicy{Name: "trust policy of " + role.Name, Document: trust},
			Action: action, Resource: role.ARN, Account: a.Account, Context: keys, Explain: true})
		if !d.Allowed() {
			because := []string{d.Why}
			for _, n := range d.Near {
				because = append(because, fmt.Sprintf("statement %d of %s would allow it, but its %s is %q and the request has %q", n.Statement+1, n.Policy, n.Element, n.Want, n.Got))
			}
			return denied(caller, action, role.ARN, because...)
		}
	}
	return nil
}

// denied is AWS's answer, with the reasons that it leaves out. STS says the same of a role that does not exist.
func denied(caller *iam.Identity, action, resourceARN string, because ...string) error {
	text := fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", caller.Principal.ARN, action, resourceARN)
	return awsapi.Refuse(&diag.Finding{Code: diag.AccessDenied, Severity: diag.Error, Message: text, Because: because,
		AWSError: &diag.AWSError{Code: "AccessDenied", Status: 403, Message: text}})
}

func roleDuration(caller *iam.Identity, role *resource.Role, seconds *int64) (time.Duration, error) {
	if seconds == nil {
		return min(defaultRoleSession, time.Duration(role.MaxSessionDuration)*time.Second), nil
	}
	d := time.Duration(*seconds) * time.Second
	switch {
	case caller.Principal.Kind == iam.AssumedRole && d > chainedRoleSession:
		return 0, validation("DurationSeconds", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case *seconds > role.MaxSessionDuration:
		return 0, validation("DurationSeconds", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return d, nil
}

// sessionPolicies reads Policy and PolicyArns.
func (s *Service) sessionPolicies(ctx context.Context, in *sts.AssumeRoleInput) (all []iam.NamedPolicy, packed *int64, err error) {
	total := 0
	if text := deref(in.Policy); text != "" {
		d, err := iam.Parse([]byte(text))
		if err == nil {
			err = d.CheckIdentity()
		}
		var bad *iam.PolicyError
		if errors.As(err, &bad) {
			return nil, nil, awsapi.Refuse(&diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: "Policy", Message: bad.Message, Because: []string{bad.Detail},
				AWSError: &diag.AWSError{Code: sts.ErrCodeMalformedPolicyDocument, Status: 400, Message: bad.Message}})
		}
		total = len(text)
		all = append(all, iam.NamedPolicy{Name: "session policy", Document: d})
	}
	r := s.env.Store.Read(ctx)
	for _, p := range in.PolicyArns {
		policyARN := deref(p.Arn)
		total += len(policyARN)
		v, ok := resource.ManagedPolicies.Get(r, resource.Global, policyARN)
		if ok {
			d, err := iam.Parse([]byte(v.Document()))
			if err != nil {
				return nil, nil, fmt.Errorf("read policy %q: %w", policyARN, err) // CreatePolicy has checked it
			}
			all = append(all, iam.NamedPolicy{Name: policyARN, Document: d})
			continue
		}
		d, known := iam.AWSManaged(policyARN)
		if !known && !resource.IsAWSManaged(policyARN) {
			return nil, nil, validation("PolicyArns", "Policy %s does not exist or is not attachable.", policyARN) // text: IAM's
		}
		all = append(all, iam.NamedPolicy{Name: policyARN, Document: d})
	}
	if total > 0 {
		packed = new(int64(min(100, 1+total*100/maxSessionPolicy))) // AWS does not publish how it packs
	}
	return all, packed, nil
}

// GetSessionToken gives a user, or root, temporary credentials.
func (s *Service) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	caller := s.identity(ctx)
	if caller.SessionToken != "" {
		return nil, awsapi.StatusErrorf(403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
	}
	length := defaultTokenSession
	if in.DurationSeconds != nil {
		length = time.Duration(*in.DurationSeconds) * time.Second
	}
	if caller.Root {
		length = min(length, rootTokenSession) // STS API reference, GetSessionToken
	}
	c := s.sessions.Issue(iam.SessionSpec{User: &caller.Principal, Duration: length})
	return &sts.GetSessionTokenOutput{Credentials: show(c)}, nil
}

func show(c iam.Credentials) *sts.Credentials {
	return &sts.Credentials{AccessKeyId: &c.AccessKeyID, SecretAccessKey: &c.SecretAccessKey, SessionToken: &c.SessionToken, Expiration: &c.Expires}
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}
