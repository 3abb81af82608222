// Package iam implements the API of AWS Identity and Access Management over the store.
//
// Start with Service, then the file of a resource: users.go, groups.go, roles.go, policies.go (managed), inline.go (inline
// policies and attachments), keys.go. Policies are checked by package iam. The texts are IAM's as remembered from
// what is quoted in public: no recorded answer was compared, so treat them as unsourced unless a comment names a source. The
// package must not decide with policies: compile makes the directory of identities.
//
// Not there: instance profiles, login profiles, MFA, server certificates, identity providers, the policy simulator; their
// operations answer NotImplemented. Policies of AWS (arn:aws:iam::aws:policy/…) can be attached; package iam
// knows the documents of some (AWSManaged), the others grant nothing here and compile says so.
package iam

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/foregate/foregate/internal/arn"
	"github.com/foregate/foregate/internal/awsapi"
	"github.com/foregate/foregate/internal/awsapi/iam"
	"github.com/foregate/foregate/internal/diag"
	policy "github.com/foregate/foregate/internal/iam"
	"github.com/foregate/foregate/internal/resource"
	"github.com/foregate/foregate/internal/service"
	"github.com/foregate/foregate/internal/store"
)

// Service implements iam.Handler; operations that it does not have answer NotImplemented.
type Service struct {
	iam.Unimplemented
	env *service.Env
}

// New makes the service.
func New(env *service.Env) *Service { return &Service{env: env} }

const global = resource.Global

// base32Upper is the alphabet of unique ids and key ids.
const base32Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

// The unique ids (IAM guide, reference_identifiers, "Unique identifiers").
var (
	userID   = service.ID{Kind: "iam-user", Prefix: "AIDA", Alphabet: base32Upper, Length: 17}
	groupID  = service.ID{Kind: "iam-group", Prefix: "AGPA", Alphabet: base32Upper, Length: 17}
	roleID   = service.ID{Kind: "iam-role", Prefix: "AROA", Alphabet: base32Upper, Length: 17}
	policyID = service.ID{Kind: "iam-policy", Prefix: "ANPA", Alphabet: base32Upper, Length: 17}
)

// Quotas (IAM guide, reference_iam-quotas; facts: sigv4-iam 3).
const (
	maxAttached       = 10 // per user, group or role; a role may have up to 20 when asked for
	maxKeysPerUser    = 2
	maxGroupsPerUser  = 10
	maxPolicyVersions = 5
	maxManagedSize    = 6144
	maxTrustSize      = 2048
	maxInlineUser     = 2048
	maxInlineGroup    = 5120
	maxInlineRole     = 10240
	maxTags           = 50
)

func (s *Service) read(ctx context.Context) store.Reader { return s.env.Store.Read(ctx) }

func (s *Service) update(ctx context.Context, fn func(tx *store.Tx)) error {
	_, err := s.env.Store.Update(ctx, func(tx *store.Tx) error { fn(tx); return nil })
	return err
}

// refuse makes AWS's error, with a reason that AWS leaves out.
func refuse(code, path, message string, because ...string) error {
	f := &diag.Finding{Code: diag.RefusedByAWS, Severity: diag.Error, Path: path, Message: message, Because: because}
	status := 400
	if e := iam.Service.Error(code); e != nil {
		status = e.Status
	}
	f.AWSError = &diag.AWSError{Code: code, Status: status, Message: message}
	return awsapi.Refuse(f)
}

func noSuch(format string, args ...any) error {
	return awsapi.Errorf(iam.ErrCodeNoSuchEntity, format, args...)
}

// makeARN writes the ARN of something with a path.
func (s *Service) makeARN(ctx context.Context, kind, path, name string) string {
	region := awsapi.CallFrom(ctx).Region
	return arn.ARN{Partition: arn.Partition(region), Service: "iam", Account: s.env.Account, Resource: kind + path + name}.String()
}

// checkPath: "/" or "/a/b/" of visible ASCII (IAM guide, reference_identifiers).
func checkPath(path *string) (string, error) {
	p := deref(path)
	if p == "" {
		return "/", nil
	}
	if !strings.HasPrefix(p, "/") || !strings.HasSuffix(p, "/") || len(p) > 512 {
		return "", refuse("ValidationError", "Path", "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
			"the path begins and ends with a slash")
	}
	return p, nil
}

// checkDocument parses a policy and applies check, in IAM's words.
func checkDocument(path, text string, check func(*policy.Document) error) error {
	d, err := policy.Parse([]byte(text))
	if err == nil {
		err = check(d)
	}
	var bad *policy.PolicyError
	if errors.As(err, &bad) {
		return refuse(iam.ErrCodeMalformedPolicyDocument, path, bad.Message, bad.Detail)
	}
	return err
}

func checkIdentity(path, text string) error {
	return checkDocument(path, text, (*policy.Document).CheckIdentity)
}

// size counts a policy as IAM does: without white space (IAM guide, reference_iam-quotas).
func size(document string) int {
	n := 0
	for i := range len(document) {
		switch document[i] {
		case ' ', '\t', '\r', '\n':
		default:
			n++
		}
	}
	return n
}

// encoded is a document as IAM's answers have it: percent-encoded (rfc3986; IAM API reference, GetRolePolicy).
func encoded(document string) *string {
	return new(strings.ReplaceAll(url.QueryEscape(document), "+", "%20"))
}

func deref[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

func stamp(t time.Time) *time.Time { return new(t.UTC().Truncate(time.Second)) }

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func taken[T any](r store.Reader, kind store.Kind[T], id func(*T) string) func(string) bool {
	used := map[string]bool{}
	for _, v := range kind.All(r, global) {
		used[id(v)] = true
	}
	return func(id string) bool { return used[id] }
}

// findFold finds a name that differs in case only: names are unique without regard to case.
func findFold[T any](r store.Reader, kind store.Kind[T], name string) bool {
	for rec := range kind.All(r, global) {
		if strings.EqualFold(rec.Key.ID, name) {
			return true
		}
	}
	return false
}

// addTags merges tags into old; the result is a new map.
func addTags(old map[string]string, tags []*iam.Tag) (map[string]string, error) {
	out := map[string]string{}
	for k, v := range old {
		out[k] = v
	}
	seen := map[string]bool{}
	for _, t := range tags {
		k := deref(t.Key)
		if seen[strings.ToLower(k)] {
			return nil, refuse(iam.ErrCodeInvalidInput, "Tags", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		if strings.HasPrefix(strings.ToLower(k), "aws:") {
			return nil, refuse("ValidationError", "Tags", "Tag keys starting with 'aws:' are reserved for system use") // text: our reading
		}
		seen[strings.ToLower(k)] = true
		for have := range out {
			if strings.EqualFold(have, k) {
				delete(out, have)
			}
		}
		out[k] = deref(t.Value)
	}
	if len(out) > maxTags {
		return nil, refuse(iam.ErrCodeLimitExceeded, "Tags", "The number of tags has reached the maximum limit.")
	}
	return out, nil
}

func removeTags(old map[string]string, keys []string) map[string]string {
	out := map[string]string{}
	for k, v := range old {
		if !slices.ContainsFunc(keys, func(x string) bool { return strings.EqualFold(x, k) }) {
			out[k] = v
		}
	}
	return out
}

func tagList(tags map[string]string) []*iam.Tag {
	keys := make([]string, 0, len(tags))
	for k := range tags {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []*iam.Tag
	for _, k := range keys {
		out = append(out, &iam.Tag{Key: new(k), Value: new(tags[k])})
	}
	return out
}

// page cuts a list sorted by id: what follows marker, at most maxItems (100 unless said otherwise).
func page[T any](all []T, id func(T) string, marker *string, maxItems *int64) (items []T, truncated *bool, next *string) {
	limit := int64(100)
	if maxItems != nil && *maxItems > 0 {
		limit = *maxItems
	}
	for _, v := range all {
		if marker != nil && id(v) <= *marker {
			continue
		}
		if int64(len(items)) == limit {
			return items, new(true), new(id(items[len(items)-1]))
		}
		items = append(items, v)
	}
	return items, new(false), nil
}

func boundary(policyARN string) *iam.AttachedPermissionsBoundary {
	if policyARN == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{PermissionsBoundaryType: new("Policy"), PermissionsBoundaryArn: &policyARN}
}

// checkPolicyARN tells whether a managed policy may be attached or be a boundary.
func checkPolicyARN(r store.Reader, path, policyARN string) error {
	if a, err := arn.Parse(policyARN); err != nil || a.Service != "iam" || !strings.HasPrefix(a.Resource, "policy/") {
		return refuse(iam.ErrCodeInvalidInput, path, "ARN "+policyARN+" is not valid.")
	}
	if resource.IsAWSManaged(policyARN) {
		return nil
	}
	if _, ok := resource.ManagedPolicies.Get(r, global, policyARN); !ok {
		return refuse(iam.ErrCodeNoSuchEntity, path, "Policy "+policyARN+" does not exist or is not attachable.")
	}
	return nil
}
