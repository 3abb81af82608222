package lambda

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/lambda"
	"github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/store"
)

// statement is a statement of a resource policy, in the order in which AWS writes it.
type statement struct {
	Sid       string                       `json:"Sid"`
	Effect    string                       `json:"Effect"`
	Principal any                          `json:"Principal"`
	Action    string                       `json:"Action"`
	Resource  string                       `json:"Resource"`
	Condition map[string]map[string]string `json:"Condition,omitempty"`
}

// write is json.Marshal without HTML escapes.
func write(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and maps of strings
	return strings.TrimSuffix(b.String(), "\n")
}

var servicePrincipal = regexp.MustCompile(`^[a-z0-9.-]+\.(amazonaws\.com|amazonaws\.com\.cn|amazon\.com|alexa\.[a-z.]+)$`)

// principal turns the Principal of AddPermission into that of a statement.
func principal(text, region string) (any, error) {
	switch {
	case text == "*":
		return "*", nil
	case isAccount(text):
		return map[string]string{"AWS": "arn:" + arn.Partition(region) + ":iam::" + text + ":root"}, nil
	case servicePrincipal.MatchString(text):
		return map[string]string{"Service": text}, nil
	}
	if a, err := arn.Parse(text); err == nil && (a.Service == "iam" || a.Service == "sts") {
		return map[string]string{"AWS": text}, nil
	}
	return nil, invalid("Principal", "The provided principal was invalid. Please check the principal and try again.",
		text+" is not *, an account, the ARN of an IAM principal or a service such as apigateway.amazonaws.com")
}

// AddPermission adds a statement to the policy of a function, a version or an alias.
func (s *Service) AddPermission(ctx context.Context, in *lambda.AddPermissionInput) (*lambda.AddPermissionOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	if t.qualifier == "$LATEST" {
		return nil, invalid("Qualifier", "We currently do not support adding policies for $LATEST.", "")
	}
	if _, _, err := s.deployed(r, t, f); err != nil {
		return nil, err
	}
	policy := s.statements(r, t)
	if err := stale(in.RevisionId, policyRevision(policy), "GetPolicy"); err != nil {
		return nil, err
	}
	sid := deref(in.StatementId)
	if slices.ContainsFunc(policy, func(p *resource.FunctionPermission) bool { return p.Sid == sid }) {
		return nil, refuse(lambda.ErrCodeResourceConflictException, "StatementId", "The statement id ("+sid+") provided already exists. Please provide a new statement id, or remove the existing statement.", "")
	}
	who, err := principal(deref(in.Principal), t.region)
	if err != nil {
		return nil, err
	}
	st := statement{Sid: sid, Effect: "Allow", Principal: who, Action: deref(in.Action), Resource: t.arn(), Condition: conditions(in)}
	text := write(st)
	if _, err := iam.Parse([]byte(write(document{Version: iam.Version2012, Id: "default", Statement: []json.RawMessage{[]byte(text)}}))); err != nil {
		return nil, invalid("Principal", err.Error(), "") // text: our words
	}
	p := &resource.FunctionPermission{Function: t.name, Qualifier: t.qualifier, Sid: sid, Statement: text, RevisionID: awsapi.NewUUID(), Added: s.env.Now().UTC()}
	err = s.update(ctx, func(tx *store.Tx) {
		resource.FunctionPermissions.Put(tx, t.region, resource.FunctionPartID(t.name, t.qualifier, sid), p)
	})
	return &lambda.AddPermissionOutput{Statement: &text}, err
}

// conditions are those of a statement, with the keys as AWS spells them.
func conditions(in *lambda.AddPermissionInput) map[string]map[string]string {
	c := map[string]map[string]string{}
	add := func(operator, key string, value *string) {
		if deref(value) == "" {
			return
		}
		if c[operator] == nil {
			c[operator] = map[string]string{}
		}
		c[operator][key] = *value
	}
	add("ArnLike", "AWS:SourceArn", in.SourceArn)
	add("StringEquals", "AWS:SourceAccount", in.SourceAccount)
	add("StringEquals", "lambda:EventSourceToken", in.EventSourceToken)
	add("StringEquals", "lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
	add("StringEquals", "aws:PrincipalOrgID", in.PrincipalOrgID)
	if in.InvokedViaFunctionUrl != nil {
		add("Bool", "lambda:InvokedViaFunctionUrl", new(map[bool]string{true: "true", false: "false"}[*in.InvokedViaFunctionUrl]))
	}
	return c
}

// document is a resource policy as GetPolicy writes it.
type document struct {
	Version   string            `json:"Version"`
	Id        string            `json:"Id"`
	Statement []json.RawMessage `json:"Statement"`
}

// statements are those of a target's own policy, in the order in which they were added.
func (s *Service) statements(r store.Reader, t target) []*resource.FunctionPermission {
	var all []*resource.FunctionPermission
	for _, p := range resource.FunctionPermissions.All(r, t.region) {
		if p.Function == t.name && p.Qualifier == t.qualifier {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b *resource.FunctionPermission) int {
		return cmp.Or(a.Added.Compare(b.Added), cmp.Compare(a.Sid, b.Sid))
	})
	return all
}

// policyRevision is the RevisionId of a policy: that of its newest statement.
func policyRevision(all []*resource.FunctionPermission) *string {
	if len(all) == 0 {
		return nil
	}
	return &all[len(all)-1].RevisionID
}

// GetPolicy returns the policy of a function, a version or an alias.
func (s *Service) GetPolicy(ctx context.Context, in *lambda.GetPolicyInput) (*lambda.GetPolicyOutput, error) {
	t, f, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	if _, _, err := s.deployed(r, t, f); err != nil {
		return nil, err
	}
	all := s.statements(r, t)
	if len(all) == 0 {
		return nil, absent()
	}
	d := document{Version: iam.Version2012, Id: "default"}
	for _, p := range all {
		d.Statement = append(d.Statement, json.RawMessage(p.Statement))
	}
	return &lambda.GetPolicyOutput{Policy: new(write(d)), RevisionId: policyRevision(all)}, nil
}

// RemovePermission takes a statement out of a policy.
func (s *Service) RemovePermission(ctx context.Context, in *lambda.RemovePermissionInput) (*lambda.RemovePermissionOutput, error) {
	t, _, err := s.function(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	r := s.env.Store.Read(ctx)
	all := s.statements(r, t)
	if len(all) == 0 {
		return nil, awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "No policy is associated with the given resource.")
	}
	if err := stale(in.RevisionId, policyRevision(all), "GetPolicy"); err != nil {
		return nil, err
	}
	id := resource.FunctionPartID(t.name, t.qualifier, deref(in.StatementId))
	if _, ok := resource.FunctionPermissions.Get(r, t.region, id); !ok {
		return nil, awsapi.Errorf(lambda.ErrCodeResourceNotFoundException, "Statement %s is not found in resource policy.", deref(in.StatementId))
	}
	return &lambda.RemovePermissionOutput{}, s.update(ctx, func(tx *store.Tx) { resource.FunctionPermissions.Delete(tx, t.region, id) })
}
